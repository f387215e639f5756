"""A LogEntry of Cloud Logging in any of its packings: array, lines, Pub/Sub, BigQuery, renamed keys (sources 7.1)."""

from __future__ import annotations

import base64
import binascii
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from lineage_analytics.loaders._query_export import plain
from lineage_analytics.loaders.common.assembly import RecordFault
from lineage_analytics.loaders.common.values import Fields, embedded, name, text

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from lineage_analytics.loaders.common.assembly import Entry

PROVIDER = "gcp"
# Top-level keys of an entry, in lower case; parts of the payload stand behind ``payload.`` without underscores.
KNOWN = {
    "insertid": "string", "insert_id": "string", "logname": "string", "log_name": "string", "timestamp": "string",
    "receivetimestamp": "string", "receive_timestamp": "string", "protopayload": "object string",
    "protopayload_auditlog": "object string", "proto_payload": "object string", "jsonpayload": "object string",
    "json_payload": "object string", "textpayload": "string", "resource": "object string", "severity": "string number",
    "operation": "object string", "labels": "object string array", "trace": "string", "spanid": "string",
    "span_id": "string", "tracesampled": "boolean", "sourcelocation": "object", "split": "object", "log_id": "string",
    "httprequest": "object", "timestampunixnanos": "string", "receivelocation": "string", "logger_name": "string",
    "payload.atsigntype": "string", "payload.@type": "string", "payload.servicename": "string",
    "payload.methodname": "string", "payload.resourcename": "string", "payload.resourcelocation": "object string",
    "payload.authenticationinfo": "object string", "payload.authorizationinfo": "array object string",
    "payload.requestmetadata": "object string", "payload.request": "object string", "payload.response": "object string",
    "payload.metadata": "object string", "payload.servicedata": "object string", "payload.status": "object string",
    "payload.numresponseitems": "string number", "payload.resourceoriginalstate": "object string",
    "payload.policyviolationinfo": "object string", "payload.timestamp": "string",
    "payload.receivetimestamp": "string",
}
_PAYLOADS = ("protopayload", "protopayloadauditlog")
_JSON_SPELLINGS = {"requestjson": "request", "responsejson": "response", "metadatajson": "metadata"}
# Sentinel's table of these logs has a column for each part of the payload.
_WORKSPACE_KEY = "gcpresourcename"
WORKSPACE = frozenset({_WORKSPACE_KEY, "insertid", "methodname", "servicename"})
_WORKSPACE_PAYLOAD = (
    "authenticationinfo", "authorizationinfo", "metadata", "methodname", "numresponseitems", "request",
    "requestmetadata", "resourcelocation", "resourceoriginalstate", "response", "servicedata", "servicename", "status")
_DEPTH = 4
_DOTTED = re.compile(r"(?:proto_?payload|json_?payload|resource|operation)(?:_auditlog)?\.", re.IGNORECASE)
_INDEX = re.compile(r"\[(\d{1,4})\]")


class LogEntry(NamedTuple):
    """An unwrapped entry as it stood and with keys without case and underscores, its payload likewise."""

    record: Mapping[str, Any]
    fields: Fields
    audit: Fields
    json: Fields
    insert_id: str | None
    log: str | None
    tenant: str | None


def squeezed(value: object) -> Fields:
    """The object, also out of JSON text, with keys in lower case and without underscores; empty when it is none."""
    found = embedded(value)
    if not isinstance(found, dict):
        return {}
    made = {_short(key): held for key, held in found.items()}
    if len(made) < len(found):  # two spellings of one key: the first that states something
        for key, held in reversed(found.items()):
            if held not in (None, ""):
                made[_short(key)] = held
    return made


@lru_cache(maxsize=4_096)
def _short(key: str) -> str:
    return key.lower().replace("_", "")


def listed(value: object) -> list[Fields]:
    """The objects of a list, squeezed; a lone object is a list of one."""
    found = embedded(value)
    items = found if isinstance(found, list) else [found]
    return [made for item in items if (made := squeezed(item))]


def unwrapped(record: Mapping[str, Any], depth: int = _DEPTH) -> Mapping[str, Any]:
    """The log entry inside test-suite envelopes, Pub/Sub messages, JSON text and keys with dots."""
    if any(_DOTTED.match(key) for key in record):
        record = _nested(record)
    if any(key.strip().lower() == _WORKSPACE_KEY for key in record) and (row := plain(record)).keys() >= WORKSPACE:
        record = _workspace(row)
    if depth == 0 or _is_entry(squeezed(record)):
        return record
    fields = {key.lower(): held for key, held in record.items()}
    for key in ("log", "message", "data", "event", "logentry", "log_entry", "_source", "result", "_raw"):
        inner = _opened(fields.get(key))
        if isinstance(inner, dict):
            found = unwrapped(inner, depth - 1)
            if _is_entry(squeezed(found)):
                return found
    return record


def _workspace(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of Sentinel's GCPAuditLogs as the entry it was made from."""
    stated = {key: held for key, held in row.items() if held not in (None, "")}
    payload = {key: stated[key] for key in _WORKSPACE_PAYLOAD if key in stated}
    if "authenticationinfo" not in payload and "principalemail" in stated:
        payload["authenticationinfo"] = {"principalemail": stated["principalemail"]}
    if "gcpresourcename" in stated:
        payload["resourcename"] = stated["gcpresourcename"]
    made: dict[str, Any] = {key: stated[key] for key in ("insertid", "logname", "severity") if key in stated}
    made["timestamp"] = stated.get("timestamp", stated.get("timegenerated"))
    made["resource"] = {"type": stated.get("gcpresourcetype"), "labels": {"project_id": stated.get("projectid")}}
    return made | {_PAYLOADS[0]: payload}


def _nested(record: Mapping[str, Any]) -> dict[str, Any]:
    """An object whose keys are paths (``protoPayload.status.code``, ``a[0].b``) as the object they describe."""
    made: dict[str, Any] = {}
    for path, held in record.items():
        if held in (None, ""):
            continue
        *above, last = _INDEX.sub(r".\1", path).split(".") if _DOTTED.match(path) else [path]
        at = made
        for part in above:
            inner = at.setdefault(part, {})
            at = inner if isinstance(inner, dict) else {}
        at[last] = held
    return {key: _listed(held) for key, held in made.items()}


def _listed(value: Any) -> Any:
    """Objects keyed by 0, 1, 2 ... as lists."""
    if not isinstance(value, dict):
        return value
    found = {key: _listed(held) for key, held in value.items()}
    return list(found.values()) if found and all(key.isdigit() for key in found) else found


def _opened(value: object) -> object:
    """JSON text or Base64 of JSON text as what it says."""
    found = embedded(value)
    if isinstance(found, str) and len(found) > 16 and found.strip()[:1] not in "{[":
        try:
            return embedded(base64.b64decode(found, validate=True).decode())
        except (binascii.Error, UnicodeDecodeError, ValueError):
            return found
    return found


def _is_entry(fields: Mapping[str, Any]) -> bool:
    if any(key in fields for key in _PAYLOADS):
        return True
    payload = "jsonpayload" in fields or "textpayload" in fields or "httprequest" in fields
    return "logname" in fields and ("insertid" in fields or "timestamp" in fields) and (payload or "resource" in fields)


def is_entry(record: Mapping[str, Any] | None) -> bool:
    """Whether the record is a LogEntry, packed or not."""
    return record is not None and _is_entry(squeezed(unwrapped(record)))


def is_action_log(record: Mapping[str, Any] | None) -> bool:
    """Whether the record is an entry of the recommender's own log of what people did with its advice."""
    return record is not None and action_payload(squeezed(unwrapped(record)))


def action_payload(fields: Fields) -> bool:
    payload = squeezed(fields.get("jsonpayload"))
    stated = text(payload.get("@type", payload.get("atsigntype"))) or ""
    named = "recommendationname" in payload or "insight" in payload
    return "recommender.logging" in stated or (
        named and "actor" in payload and "state" in payload
        and "recommender.googleapis.com" in (text(fields.get("logname")) or ""))


def parse(entry: Entry) -> LogEntry:
    """The entry of a raw record; RecordFault when the record is no log entry."""
    record = unwrapped(entry.fields)
    fields = squeezed(record)
    if not _is_entry(fields) and "methodname" in fields:  # an audit payload out of its entry
        fields = {_PAYLOADS[0]: fields}
    if not _is_entry(fields):
        raise RecordFault("no_log_entry", "a fragment: neither protoPayload nor logName with a payload", "rejected")
    audit = _audit(fields)
    log, insert_id = name(fields.get("logname")), name(fields.get("insertid"))
    json = squeezed(fields.get("jsonpayload"))
    return LogEntry(record, fields, audit, json, insert_id, log, _tenant(log, fields))


def _audit(fields: Fields) -> Fields:
    payload = next((found for key in _PAYLOADS if (found := squeezed(fields.get(key)))), {})
    inner = squeezed(payload.get("auditlog"))
    payload = inner or payload
    for key in list(payload):
        target = _JSON_SPELLINGS.get(key) or ("servicedata" if key.startswith("servicedatav1") else None)
        if target is not None:
            held = payload.pop(key)
            if held not in (None, "", {}):
                payload.setdefault(target, held)
    return payload


def moment(entry: Entry, found: LogEntry) -> datetime | None:
    """When it happened: the entry's time, else what the payload or the pipeline says of the event; None: not stated."""
    metadata = squeezed(found.audit.get("requestmetadata"))
    attributes = squeezed(metadata.get("requestattributes"))
    stated = next((held for held in (
        found.fields.get("timestamp"), found.audit.get("timestamp"), attributes.get("time"),
        found.fields.get("peventtime")) if held not in (None, "")), None)
    return entry.moment(stated.removesuffix(" UTC") if isinstance(stated, str) else stated, "timestamp")


def identified(entry: Entry, found: LogEntry, time: datetime | None) -> str:
    """Names the record by log, time and insert id, which together are unique; without them by its content."""
    moment_text = time.isoformat() if time else ""
    native = f"{found.log or ''}|{moment_text}|{found.insert_id}" if found.insert_id else None
    if native is None:
        entry.fields = {key: held for key, held in found.record.items() if not key.startswith("p_")}
    return entry.identify(PROVIDER, found.tenant, native, within="")


def leftovers(entry: Entry, found: LogEntry) -> str | None:
    """What neither the entry nor its audit payload is known to hold."""
    top = {key.lower(): held for key, held in found.record.items()}
    payload = {f"payload.{key}": held for key, held in found.audit.items()}
    return entry.leftovers(KNOWN, {**top, **payload})


def _tenant(log: str | None, fields: Fields) -> str | None:
    """Project id, or ``organizations/1``, ``folders/1``, ``billingAccounts/1``, as the log is named."""
    if log is not None and "/logs/" in log:
        owner = log.partition("/logs/")[0]
        return owner.removeprefix("projects/") or None
    labels = squeezed(squeezed(fields.get("resource")).get("labels"))
    return name(labels.get("projectid"))


def labels(found: LogEntry) -> Fields:
    """The labels of the monitored resource."""
    return squeezed(squeezed(found.fields.get("resource")).get("labels"))
