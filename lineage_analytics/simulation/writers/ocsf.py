"""A security lake in OCSF: some days of the trail once more, and a gateway's sign-ins that stand nowhere else.

What repeats the trail is counted there: a record is one, however it is delivered.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import polars as pl

from lineage_analytics.simulation.chapters.lake import SOURCE, TENANT
from lineage_analytics.simulation.model import AWS_ACCOUNT
from lineage_analytics.simulation.writers import aws_cloudtrail
from lineage_analytics.simulation.writers._lake_schema import LAKE
from lineage_analytics.simulation.writers.files import Packed, as_json, put

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from lineage_analytics.simulation.model import AwsEvent, Deed, Happened, World

_PARQUET, _LINES = 12, 13
"""Days before the last of which the lake's files of the trail are kept."""
_AGAIN = 20
_CHANGES = {"CreateUser": (1, "Create"), "DeleteUser": (6, "Delete"), "AttachUserPolicy": (7, "Attach Policy"),
            "DetachUserPolicy": (8, "Detach Policy")}
_VERBS = (("Create", 1), ("Get", 2), ("List", 2), ("Describe", 2), ("Lookup", 2), ("Update", 3), ("Put", 3),
          ("Delete", 4))


class Log:
    """The gateway by month, in lines; its last days again as Parquet. The trail by day, as the lake partitions it."""

    def __init__(self, directory: Path, world: World) -> None:
        self._directory = directory
        self._last = max(world.midnights)
        self._month: tuple[str, Packed] | None = None
        self._again: list[dict[str, Any]] = []

    def day(self, happened: Happened) -> None:
        back = (self._last - happened.day).days
        if back in (_PARQUET, _LINES):
            self._trail(happened, back)
        for deed in happened.deeds.get(SOURCE, ()):
            found = _sign_in(deed)
            self._packed(happened.day).write(as_json(found) + b"\n")
            if back < _AGAIN:
                self._again.append(found)

    def _trail(self, happened: Happened, back: int) -> None:
        rows = [_call(event) for event in happened.aws]
        folder = (self._directory / "CLOUD_TRAIL_MGMT" / "region=eu-west-1" / f"accountId={AWS_ACCOUNT}"
                  / f"eventDay={happened.day:%Y%m%d}")
        if back == _LINES:
            put(folder / "queried.ndjson.gz", b"".join(as_json(row) + b"\n" for row in rows))
        else:
            put(folder / "part-00000.parquet", _parquet(rows))

    def _packed(self, day: datetime) -> Packed:
        month = f"{day:%Y-%m}"
        if self._month is None or self._month[0] != month:
            if self._month is not None:
                self._month[1].close()
            self._month = month, Packed(self._directory / "remote-gate" / f"{month}.ndjson.gz")
        return self._month[1]

    def end(self) -> None:
        if self._month is not None:
            self._month[1].close()
        put(self._directory / "remote-gate" / "last-days.parquet", _parquet(self._again))


def _parquet(rows: list[dict[str, Any]]) -> bytes:
    buffer = io.BytesIO()
    pl.DataFrame(rows, schema=LAKE).write_parquet(buffer, compression="zstd", statistics=False)
    return buffer.getvalue()


def _milliseconds(time: datetime) -> int:
    return int(time.timestamp()) * 1000


def _class(class_uid: int, name: str, category: str, activity: tuple[int, str]) -> dict[str, Any]:
    number, word = activity
    return {"class_uid": class_uid, "class_name": name, "category_uid": class_uid // 1000, "category_name": category,
            "activity_id": number, "activity_name": word, "type_uid": class_uid * 100 + number,
            "type_name": f"{name}: {word}", "severity_id": 1, "severity": "Informational"}


def _status(*, good: bool) -> dict[str, Any]:
    return {"status": "Success" if good else "Failure", "status_id": 1 if good else 2}


def _sign_in(deed: Deed) -> dict[str, Any]:
    who = deed.who
    assert who is not None  # noqa: S101  (narrows the type)
    user = {"type": "User", "type_id": 1, "name": who.name, "uid": who.native_id,  # type: ignore[union-attr]
            "email_addr": who.name}
    return {
        "metadata": {"uid": deed.event_id, "version": "1.3.0", "tenant_uid": TENANT, "product": {
            "name": "Remote Gate", "vendor_name": "Northwind (synthetic)", "version": "9.2"}},
        "time": _milliseconds(deed.time), "actor": {"user": user}, "user": user,
        "src_endpoint": {"ip": "203.0.113.61"}, "session": {"uid": deed.details["session"]},
        **_class(3002, "Authentication", "Identity & Access Management",
                 (1, "Logon") if deed.action == "Logon" else (2, "Logoff")),
        **_status(good=deed.outcome == "success")}


def _call(event: AwsEvent) -> dict[str, Any]:
    """The trail's record as the lake's own converter writes it."""
    source = aws_cloudtrail.record(event)
    response: dict[str, Any] = {"error": source.get("errorCode"), "message": source.get("errorMessage")}
    if source["responseElements"] is not None:
        response["data"] = as_json(source["responseElements"]).decode()
    request: dict[str, Any] = {"uid": source.get("requestID")}
    if source["requestParameters"] is not None:
        request["data"] = as_json(source["requestParameters"]).decode()
    address = source["sourceIPAddress"]
    return {
        "metadata": {"uid": source["eventID"], "version": "1.1.0", "event_code": source["eventType"],
                     "log_provider": "CloudTrail", "product": {
                         "name": "CloudTrail", "vendor_name": "AWS", "version": source["eventVersion"],
                         "feature": {"name": source["eventCategory"]}}},
        "time": _milliseconds(event.time), "time_dt": source["eventTime"],
        "cloud": {"provider": "AWS", "region": source["awsRegion"], "account": {"uid": AWS_ACCOUNT}},
        "api": {"operation": source["eventName"], "service": {"name": source["eventSource"]}, "request": request,
                "response": response},
        "actor": _caller(source["userIdentity"]), "http_request": {"user_agent": source["userAgent"]},
        "src_endpoint": {"ip": address} if address[:1].isdecimal() else {"domain": address},
        **_kind(event), **_status(good=not event.error), "message": "synthetic",
        "unmapped": [{"key": "readOnly", "value": str(source["readOnly"]).lower()},
                     {"key": "recipientAccountId", "value": source["recipientAccountId"]},
                     {"key": "managementEvent", "value": "true"}]}


def _caller(identity: dict[str, Any]) -> dict[str, Any]:
    if identity["type"] == "AWSService":
        return {"invoked_by": identity["invokedBy"]}
    issuer = identity.get("sessionContext", {}).get("sessionIssuer", {})
    return {
        "user": {"type": identity["type"], "name": identity.get("userName"), "uid": identity["arn"],
                 "uid_alt": identity["principalId"], "credential_uid": identity.get("accessKeyId"),
                 "account": {"uid": identity["accountId"]}},
        "session": {"issuer": issuer.get("arn")}, "invoked_by": identity.get("invokedBy")}


def _kind(event: AwsEvent) -> dict[str, Any]:
    if event.name == "ConsoleLogin":
        return _class(3002, "Authentication", "Identity & Access Management", (1, "Logon"))
    if event.name in _CHANGES:
        return _class(3001, "Account Change", "Identity & Access Management", _CHANGES[event.name])
    number = next((number for verb, number in _VERBS if event.name.startswith(verb)), 99)
    return _class(6003, "API Activity", "Application Activity",
                  (number, {1: "Create", 2: "Read", 3: "Update", 4: "Delete"}.get(number, "Other")))
