"""One CloudTrail record as a typed struct: the fast path for the common form, a tolerant one for the rest."""

from __future__ import annotations

from typing import Any

import msgspec

from lineage_analytics.loaders._cloudtrail_flat import nested
from lineage_analytics.loaders.common.leftovers import unmapped
from lineage_analytics.loaders.common.sampling import decode_object

Flag = bool | str | None
Text = str | None

_NAMES = {
    "event_id": "eventID", "event_time": "eventTime", "event_source": "eventSource", "event_name": "eventName",
    "user_identity": "userIdentity", "source_ip": "sourceIPAddress", "user_agent": "userAgent",
    "error_code": "errorCode", "error_message": "errorMessage", "read_only": "readOnly",
    "request": "requestParameters", "response": "responseElements", "resources": "resources",
    "account": "recipientAccountId", "request_id": "requestID", "shared_event_id": "sharedEventID",
    "from_console": "sessionCredentialFromConsole", "event_type": "eventType", "region": "awsRegion",
    "event_version": "eventVersion", "event_category": "eventCategory", "management": "managementEvent",
    "tls": "tlsDetails", "additional": "additionalEventData", "vpc": "vpcEndpointId",
    "vpc_account": "vpcEndpointAccountId", "api_version": "apiVersion", "service": "serviceEventDetails",
    "insight": "insightDetails", "addendum": "addendum", "edge": "edgeDeviceDetails",
    "annotation": "annotation", "context": "eventContext",
}


class Record(msgspec.Struct, gc=False, forbid_unknown_fields=True, rename=_NAMES):
    """Every documented top-level field; nested objects stay raw until something needs them."""

    event_id: Text = None
    event_time: Text = None
    event_source: Text = None
    event_name: Text = None
    user_identity: msgspec.Raw = msgspec.Raw(b"null")
    source_ip: Text = None
    user_agent: Text = None
    error_code: Text = None
    error_message: Text = None
    read_only: Flag = None
    request: msgspec.Raw = msgspec.Raw(b"null")
    response: msgspec.Raw = msgspec.Raw(b"null")
    resources: msgspec.Raw = msgspec.Raw(b"null")
    account: Text = None
    request_id: Text = None
    shared_event_id: Text = None
    from_console: Flag = None
    event_type: Text = None
    region: Text = None
    event_version: Text = None
    event_category: Text = None
    management: Flag = None
    tls: msgspec.Raw = msgspec.Raw(b"null")
    additional: msgspec.Raw = msgspec.Raw(b"null")
    vpc: Text = None
    vpc_account: Text = None
    api_version: Text = None
    service: msgspec.Raw = msgspec.Raw(b"null")
    insight: msgspec.Raw = msgspec.Raw(b"null")
    addendum: msgspec.Raw = msgspec.Raw(b"null")
    edge: msgspec.Raw = msgspec.Raw(b"null")
    annotation: msgspec.Raw = msgspec.Raw(b"null")
    context: msgspec.Raw = msgspec.Raw(b"null")


_decode = msgspec.json.Decoder(Record).decode
_FIELDS = {wire.lower(): attribute for attribute, wire in _NAMES.items()}
_RAW_FIELDS = frozenset(
    field.encode_name for field in msgspec.structs.fields(Record) if field.type is msgspec.Raw
)
_PIPELINE_PREFIXES = ("p_", "@", "at_sign_")
# Pipelines that take the event's time for their own leave it under these names.
_PIPELINE_TIMES = ("@timestamp", "at_sign_timestamp", "p_event_time")


def decode(raw: bytes | msgspec.Raw) -> tuple[Record, str | None]:
    """The record, and as JSON text the top-level fields we do not know, without secrets (None when there are none).

    Raises
    ------
    msgspec.DecodeError : not a JSON object that can be a CloudTrail record.
    """
    try:
        return _decode(raw), None
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _tolerant(raw)


def _tolerant(raw: bytes | msgspec.Raw) -> tuple[Record, str | None]:
    """Keys in any case, values of any type, and what pipelines add."""
    decoded = decode_object(raw)
    if decoded is None:
        raise msgspec.DecodeError("not a JSON object in valid UTF-8")
    found = nested(decoded)
    record = Record()
    unknown: dict[str, Any] = {}
    for key, value in found.items():
        attribute = _FIELDS.get(key.lower())
        if attribute is None:
            if not key.startswith(_PIPELINE_PREFIXES):
                unknown[key] = value
        elif _NAMES[attribute] in _RAW_FIELDS:
            setattr(record, attribute, msgspec.Raw(msgspec.json.encode(_embedded(value))))
        elif isinstance(value, bool):
            setattr(record, attribute, value if attribute in ("read_only", "from_console", "management") else None)
        elif value is None or value == "":
            setattr(record, attribute, None)
        else:
            setattr(record, attribute, value if isinstance(value, str) else msgspec.json.encode(value).decode())
    if record.event_time is None:
        moved = (found.get(name) for name in _PIPELINE_TIMES)
        record.event_time = next((value for value in moved if isinstance(value, str)), None)
    return record, unmapped(unknown, ())


def _embedded(value: object) -> object:
    """JSON text inside a string becomes what it says; other strings stay."""
    if isinstance(value, str) and value[:1] in ("{", "["):
        try:
            inner: object = msgspec.json.decode(value)
        except msgspec.DecodeError:
            return value
        return inner
    return value


def as_flag(value: object) -> bool | None:
    """CloudTrail writes booleans as booleans or as text; anything else says nothing."""
    if isinstance(value, bool):
        return value
    return {"true": True, "false": False}.get(value.lower()) if isinstance(value, str) else None
