"""CloudTrail: one ``Records`` file a day, with the duplicates, late records and the cut file of real deliveries."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from lineage_analytics.simulation.activity import signing_key
from lineage_analytics.simulation.dice import Dice
from lineage_analytics.simulation.model import AWS_ACCOUNT, AwsEvent
from lineage_analytics.simulation.writers.files import as_json, put, zulu

if TYPE_CHECKING:
    from pathlib import Path

    from lineage_analytics.simulation.model import Happened, World

_SOURCES = {"cloudwatch": "monitoring"}
_Q = "q.amazonaws.com"
_AGAIN = frozenset({3, 5, 6, 8, 10})
"""Days before the last of which an export brings records again."""


@dataclass(frozen=True)
class Delivered:
    """A file as it was delivered, of which digests tell: with the hash of its content, and its first and last event."""

    day: datetime
    name: str
    sha256: str
    oldest: str
    newest: str


class Log:
    """One file a day; a few records are delivered two days after they happened.

    What was delivered stands in ``world.cast["cloudtrail_delivered"]``. The event ``world.cast["cloudtrail_removed"]``
    was delivered and taken out of its file afterwards.
    """

    def __init__(self, directory: Path, world: World) -> None:
        self._directory = directory
        self._dice = Dice(world.seed, "cloudtrail files")
        self._last = max(world.midnights)
        self._late: dict[datetime, list[AwsEvent]] = defaultdict(list)
        self._kept: dict[int, list[dict[str, Any]]] = {}
        self._removed: AwsEvent | None = world.cast.get("cloudtrail_removed")
        self._delivered: list[Delivered] = []
        world.cast["cloudtrail_delivered"] = self._delivered

    def day(self, happened: Happened) -> None:
        due = happened.day + timedelta(days=2)
        found = self._late.pop(happened.day, [])
        for event in happened.aws:
            late = not event.on_time and due <= self._last and self._dice.chance(0.004)
            (self._late[due] if late else found).append(event)
        records = [record(event) for event in found]
        name = f"{AWS_ACCOUNT}_CloudTrail_{happened.day:%Y%m%d}.json.gz"
        put(self._directory / name, as_json({"Records": records}))
        self._deliver(happened.day, name, records)
        back = (self._last - happened.day).days
        if back in _AGAIN:
            self._kept[back] = records

    def _deliver(self, day: datetime, name: str, records: list[dict[str, Any]]) -> None:
        if self._removed is not None and self._removed.time.date() == day.date():
            records = [*records, record(self._removed)]
        times = sorted(one["eventTime"] for one in records) or [zulu(day)]
        self._delivered.append(Delivered(
            day, name, hashlib.sha256(as_json({"Records": records})).hexdigest(), times[0], times[-1]))

    def end(self) -> None:
        """The same records once more, in other packagings, as overlapping exports bring them."""
        again = self._directory / "reexport"
        lines = [r for back in (6, 5) for r in self._kept[back]]
        put(again / "overlap.ndjson.gz", b"".join(as_json(r) + b"\n" for r in lines))
        put(again / "eventbridge.ndjson.gz", b"".join(as_json(
            {"version": "0", "detail-type": "AWS API Call via CloudTrail", "source": "synthetic", "detail": r}) + b"\n"
            for r in self._kept[8][:60]))
        put(again / "lookup-events.json.gz", as_json({"Events": [
            {"EventId": r["eventID"], "EventName": r["eventName"], "ReadOnly": str(r["readOnly"]).lower(),
             "CloudTrailEvent": json.dumps(r, separators=(",", ":"))} for r in self._kept[3][:25]]}))
        whole = gzip.compress(as_json({"Records": self._kept[10]}), 9, mtime=0)
        (again / f"{AWS_ACCOUNT}_CloudTrail_cut.json.gz").write_bytes(whole[: len(whole) * 3 // 5])


def record(event: AwsEvent) -> dict[str, Any]:
    """An event as CloudTrail writes it."""
    agent = _Q if event.via_q else _agent(event)
    found: dict[str, Any] = {
        "eventVersion": "1.11",
        "userIdentity": _identity(event),
        "eventTime": zulu(event.time),
        "eventSource": f"{_SOURCES.get(event.service, event.service)}.amazonaws.com",
        "eventName": event.name,
        "awsRegion": event.region,
        "sourceIPAddress": _Q if event.via_q else event.invoked_by or _address(event),
        "userAgent": agent,
    }
    if event.error:
        found["errorCode"] = event.error
        found["errorMessage"] = "not authorized (synthetic)"
    found["requestParameters"] = event.request
    found["responseElements"] = event.response
    if event.request_id:
        found["requestID"] = event.request_id
    found |= {
        "eventID": event.event_id, "readOnly": event.read_only,
        "eventType": "AwsConsoleSignIn" if event.name == "ConsoleLogin" else "AwsApiCall",
        "managementEvent": True, "recipientAccountId": AWS_ACCOUNT, "eventCategory": "Management",
    }
    if event.console:
        found["sessionCredentialFromConsole"] = "true"
    return found


def _address(event: AwsEvent) -> str:
    """Addresses of documentation ranges; people and software apart."""
    who = event.principal
    seed = sum(map(ord, event.person.login if event.person else who.native_id if who else "aws"))
    human = event.person is not None or (who is not None and who.kind == "human")
    return f"198.51.100.{seed % 250}" if human else f"10.20.{seed % 16}.{seed % 250}"


def _agent(event: AwsEvent) -> str:
    if event.invoked_by:
        return event.invoked_by
    if event.console or event.name == "ConsoleLogin" or event.person is not None:
        return "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/126.0 Safari/537.36"
    return "aws-sdk-go-v2/1.27.0" if event.principal is not None and event.principal.is_role else "Boto3/1.34.100"


def _identity(event: AwsEvent) -> dict[str, Any]:
    who = event.principal
    if who is None:
        return {"type": "AWSService", "invokedBy": event.invoked_by}
    body: dict[str, Any]
    if who.is_role:
        session = event.person.login if event.person is not None else who.session
        body = {"type": "AssumedRole", "principalId": f"{who.native_id}:{session}",
                "arn": f"arn:aws:sts::{who.account}:assumed-role/{who.name}/{session}", "accountId": who.account}
        context: dict[str, Any] = {"sessionIssuer": {
            "type": "Role", "principalId": who.native_id, "arn": who.arn, "accountId": who.account,
            "userName": who.name}}
        if who.federated:
            context["webIdFederationData"] = {"federatedProvider": who.federated, "attributes": {}}
        body["sessionContext"] = context
    else:
        body = {"type": "IAMUser", "principalId": who.native_id, "arn": who.arn, "accountId": who.account}
        key = signing_key(event)
        if key:
            body["accessKeyId"] = key
        body["userName"] = who.name
    if event.via_q or event.invoked_by:
        body["invokedBy"] = _Q if event.via_q else event.invoked_by
    return body
