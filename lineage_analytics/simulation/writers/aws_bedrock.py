"""Bedrock model invocations: lines a month as delivered to S3, the last days again as CloudWatch Logs prints them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lineage_analytics.simulation.model import AWS_ACCOUNT
from lineage_analytics.simulation.writers.files import Monthly, as_json, put, zulu

if TYPE_CHECKING:
    from pathlib import Path

    from lineage_analytics.simulation.model import Deed, Happened, World

SOURCE = "aws_bedrock"
_AGAIN = 4
"""Days before the end that the log group was exported of."""


class Log:
    def __init__(self, directory: Path, world: World) -> None:
        self._directory, self._last = directory, max(world.midnights)
        self._months = Monthly(directory, AWS_ACCOUNT + "_bedrock_{month}.json.gz", lines=True)
        self._again: list[dict[str, Any]] = []

    def day(self, happened: Happened) -> None:
        for deed in happened.deeds.get(SOURCE, ()):
            invocation = _invocation(deed)
            self._months.write(happened.day, invocation)
            if (self._last - happened.day).days < _AGAIN:
                self._again.append(invocation)

    def end(self) -> None:
        self._months.close()
        if self._again:
            put(self._directory / "filter-log-events.json.gz", as_json({"events": [
                {"logStreamName": "synthetic", "eventId": str(number), "message": as_json(one).decode()}
                for number, one in enumerate(self._again)], "searchedLogStreams": []}))


def _invocation(deed: Deed) -> dict[str, Any]:
    """What was asked and answered is synthetic and says so."""
    details = deed.details
    who: Any = deed.who
    arn = f"arn:aws:sts::{AWS_ACCOUNT}:assumed-role/{who.name}/{who.session}" if who.is_role else who.arn
    asked, answered = details["tokens"]
    found: dict[str, Any] = {
        "timestamp": zulu(deed.time), "accountId": AWS_ACCOUNT, "identity": {"arn": arn}, "region": "eu-west-1",
        "requestId": deed.event_id, "operation": deed.action.partition(":")[2], "modelId": details["model"],
        "input": {"inputContentType": "application/json", "inputBodyJson": {"prompt": "synthetic"},
                  "inputTokenCount": asked},
        "schemaType": "ModelInvocationLog", "schemaVersion": "1.0"}
    if deed.outcome == "denied":
        return found | {"errorCode": "AccessDeniedException"}
    stopped = "INTERVENED" if details["intervened"] else "NONE"
    body = {"completion": "synthetic", "amazon-bedrock-guardrailAction": stopped}
    return found | {"output": {"outputContentType": "application/json", "outputBodyJson": body,
                               "outputTokenCount": answered}}
