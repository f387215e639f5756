"""CloudTrail: one ``Records`` file a day, with the duplicates, late records and the cut file of real deliveries."""

from __future__ import annotations

import gzip
import json
from collections import defaultdict
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from lineage_analytics.simulation.activity import signing_key
from lineage_analytics.simulation.dice import Dice
from lineage_analytics.simulation.model import AWS_ACCOUNT, AwsEvent, World
from lineage_analytics.simulation.writers.files import as_json, put, zulu

if TYPE_CHECKING:
    from pathlib import Path

_SOURCES = {"cloudwatch": "monitoring"}
_Q = "q.amazonaws.com"


def write(directory: Path, world: World) -> None:
    """All CloudTrail files under ``directory``."""
    dice = Dice(world.seed, "cloudtrail files")
    days: dict[datetime, list[AwsEvent]] = defaultdict(list)
    late: dict[datetime, list[AwsEvent]] = defaultdict(list)
    last = max(world.midnights)
    for event in sorted(world.aws, key=lambda e: (e.time, e.event_id)):
        day = event.time.replace(hour=0, minute=0, second=0)
        if day + timedelta(days=2) <= last and dice.chance(0.004):
            late[day + timedelta(days=2)].append(event)  # delivered two days after it happened
        else:
            days[day].append(event)
    encoded = {day: [_record(e) for e in [*late[day], *days[day]]] for day in world.midnights}
    for day, found in encoded.items():
        put(directory / f"{AWS_ACCOUNT}_CloudTrail_{day:%Y%m%d}.json.gz", as_json({"Records": found}))
    _again(directory, encoded, last)


def _again(directory: Path, encoded: dict[datetime, list[dict[str, Any]]], last: datetime) -> None:
    """The same records once more, in other packagings, as overlapping exports bring them."""
    lines = [r for back in (6, 5) for r in encoded[last - timedelta(days=back)]]
    put(directory / "reexport" / "overlap.ndjson.gz", b"".join(as_json(r) + b"\n" for r in lines))
    bus = encoded[last - timedelta(days=8)][:60]
    put(directory / "reexport" / "eventbridge.ndjson.gz", b"".join(as_json(
        {"version": "0", "detail-type": "AWS API Call via CloudTrail", "source": "synthetic", "detail": r}) + b"\n"
        for r in bus))
    looked = encoded[last - timedelta(days=3)][:25]
    put(directory / "reexport" / "lookup-events.json", as_json({"Events": [
        {"EventId": r["eventID"], "EventName": r["eventName"], "ReadOnly": str(r["readOnly"]).lower(),
         "CloudTrailEvent": json.dumps(r, separators=(",", ":"))} for r in looked]}))
    whole = gzip.compress(as_json({"Records": encoded[last - timedelta(days=10)]}), 9, mtime=0)
    (directory / "reexport" / f"{AWS_ACCOUNT}_CloudTrail_cut.json.gz").write_bytes(whole[: len(whole) * 3 // 5])


def _record(event: AwsEvent) -> dict[str, Any]:
    agent = _Q if event.via_q else _agent(event)
    record: dict[str, Any] = {
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
        record["errorCode"] = event.error
        record["errorMessage"] = "not authorized (synthetic)"
    record["requestParameters"] = event.request
    record["responseElements"] = event.response
    if event.request_id:
        record["requestID"] = event.request_id
    record |= {
        "eventID": event.event_id, "readOnly": event.read_only,
        "eventType": "AwsConsoleSignIn" if event.name == "ConsoleLogin" else "AwsApiCall",
        "managementEvent": True, "recipientAccountId": AWS_ACCOUNT, "eventCategory": "Management",
    }
    if event.console:
        record["sessionCredentialFromConsole"] = "true"
    return record


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
