"""One directory-audit record out of whatever carries it: a Graph object, a diagnostic envelope, a Sentinel row."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from lineage_analytics.loaders import _entra_portal
from lineage_analytics.loaders._entra_opened import flattened, in_utc
from lineage_analytics.loaders.common.leftovers import unmapped
from lineage_analytics.loaders.common.sampling import decode_object
from lineage_analytics.loaders.common.values import (
    Fields,
    embedded,
    fold,
    guid,
    name,
    native,
    obj,
    objects,
    pairs,
    synthetic_id,
    text,
)
from lineage_analytics.text import printable

if TYPE_CHECKING:
    import msgspec

PROVIDER = "entra"

_KIND, _ID = "/kind", "/id"
_DASHES = re.compile("[\u2010-\u2015\u2212\ufe58\ufe63\uff0d]")
_TENANT_PATH = re.compile(r"/tenants/([^/]{1,64})", re.IGNORECASE)
_KNOWN = frozenset({
    "id", "activitydatetime", "activitydisplayname", "category", "loggedbyservice", "operationtype", "result",
    "resultreason", "correlationid", "initiatedby", "targetresources", "additionaldetails", "useragent", "agent",
    "performedby", "tenantid", "tenantgeo", "resulttype", "resultdescription", "operationname", "identity",
    # what Log Analytics puts around a row
    "timegenerated", "sourcesystem", "resourceid", "resource", "resourcegroup", "resourceprovider", "level",
    "operationversion", "resultsignature", "durationms", "location", "type", "aadtenantid", "aadoperationtype",
    "_resourceid", "_itemid", "tablename", "_billedsize", "_isbillable", "mg", "time", "callerip", "calleripaddress",
    "properties",
    # provisioning logs
    "action", "provisioningaction", "jobid", "cycleid", "changeid", "serviceprincipal", "targetsystem",
    "sourceidentity", "targetidentity", "provisioningstatusinfo", "statusinfo", "provisioningsteps",
    "modifiedproperties", "durationinmilliseconds",
})


class Record(NamedTuple):
    """One audit record, keys folded."""

    position: int
    fields: Fields
    native_id: str
    tenant: str | None
    time: str | None
    activity: str
    service: str | None
    category: str
    result: str
    correlation: str | None
    user: Fields
    app: Fields
    targets: list[Fields]
    details: dict[str, list[str]]
    ip: str | None
    unmapped: str | None

    @property
    def operation(self) -> str:
        """The activity as it is compared: in lower case."""
        return self.activity.casefold()

    @property
    def operation_type(self) -> str:
        """Add, Assign, Update ... in lower case; empty when not stated."""
        return (text(self.fields.get("operationtype")) or text(self.fields.get("aadoperationtype")) or "").lower()


class NoRecordError(ValueError):
    """The raw object is no directory-audit record: a reason code and a sentence."""

    def __init__(self, reason: str, detail: str, disposition: str) -> None:
        super().__init__(detail)
        self.reason, self.detail, self.disposition = reason, detail, disposition


def clean_activity(value: object) -> str | None:
    """An activity's name with plain hyphens, single spaces and no space around: spelling varies between exports."""
    found = text(value)
    return " ".join(_DASHES.sub("-", found[:400]).split()) or None if found else None


def decode(raw: bytes | msgspec.Raw, position: int) -> Record:
    """The record inside a raw object.

    Raises
    ------
    NoRecordError : not JSON, or a record of another category, such as a sign-in.
    """
    row = decode_object(raw)
    if row is None:
        raise NoRecordError("broken_json", "not a JSON object in valid UTF-8", "quarantined")
    return _record(_opened(fold(row)), position)


def _opened(row: Fields) -> Fields:
    log = embedded(row.get("log"))
    return in_utc(flattened(fold(log) if isinstance(log, dict) and "activitydisplayname" not in row else row))


def _record(row: Fields, position: int) -> Record:
    payload = obj(row.get("properties"))
    activity = clean_activity(payload.get("activitydisplayname"))
    if activity is None:
        payload, activity = (row, clean_activity(row.get("activitydisplayname"))) if not payload else (payload, None)
    if activity is None and _entra_portal.is_portal(row) and "actortype" in row:
        payload = _entra_portal.audit(row)
        activity = clean_activity(payload["activitydisplayname"])
    if activity is None and {"initiatedby", "targetresources"} & set(payload):
        activity = clean_activity(payload.get("operationname") or row.get("operationname"))
    if activity is None:
        raise NoRecordError("out_of_scope", f"not a directory audit record: {_what(row)}", "rejected")
    initiated, targets = _initiated(obj(payload.get("initiatedby"))), _targets(
        payload.get("targetresources") or _provisioned(payload))
    details = pairs(payload.get("additionaldetails"))
    user = obj(initiated.get("user"))
    return Record(
        position, payload, native(name(payload.get("id"))) or synthetic_id(PROVIDER, payload),
        _tenant(row, payload, targets, details),
        text(payload.get("activitydatetime")) or text(row.get("time")) or text(row.get("timegenerated")),
        activity, text(payload.get("loggedbyservice")), (text(payload.get("category")) or "").lower(),
        _result(payload),
        native(name(payload.get("correlationid")) or name(row.get("correlationid"))),
        user, obj(initiated.get("app")), targets, details,
        name(user.get("ipaddress")) or name(row.get("calleripaddress")) or name(row.get("ipaddress"))
        or next(iter(details.get("ipaddr", ())), None),
        unmapped(payload, _KNOWN),
    )


def _result(payload: Fields) -> str:
    """In lower case; provisioning logs state it elsewhere, and their table in the column of codes."""
    stated = text(payload.get("result")) or text(obj(payload.get("provisioningstatusinfo")).get("status"))
    code = text(payload.get("resulttype")) if "provisioningaction" in payload else None
    return (stated or code or "").lower()


def _initiated(stated: Fields) -> Fields:
    """Who initiated, as audits write it: provisioning logs say ``type``, ``id`` and ``name`` instead."""
    if "type" not in stated or stated.keys() & {"user", "app"}:
        return stated
    if (text(stated["type"]) or "").lower() == "user":
        return {"user": {"id": stated.get("id"), "displayname": stated.get("name")}}
    return {"app": {"serviceprincipalid": stated.get("id"), "displayname": stated.get("name")}}


def _provisioned(payload: Fields) -> list[Fields]:
    """Whom a provisioning log is about: the object of this directory that was carried to the other system."""
    source = obj(payload.get("sourceidentity"))
    stated = {"id": source.get("id"), "displayname": source.get("name"), "type": source.get("identitytype")}
    return [stated] if source else []


def _what(row: Fields) -> str:
    category = text(row.get("category")) or text(row.get("type")) or text(row.get("@odata.type"))
    if category is None:
        return "a sign-in without a category" if "createddatetime" in row else "a record without a category"
    return f"category {printable(category, 60)}"


def _tenant(row: Fields, payload: Fields, targets: list[Fields], details: dict[str, list[str]]) -> str | None:
    """The directory, as the envelope, the record or a PIM record's own details state it.

    A Graph object of the core directory states none. ``TenantId`` of a Sentinel row is its workspace.
    """
    sentinel = "timegenerated" in row
    path = _TENANT_PATH.search(text(row.get("resourceid")) or "")
    directory = next((t.get("id") for t in targets if kind_of(t) == "directory"), None)
    stated = (
        row.get("aadtenantid"), None if sentinel else row.get("tenantid"), path.group(1) if path else None,
        None if sentinel else payload.get("tenantid"), next(iter(details.get("tid", ())), None), directory,
    )
    return native(next((found for value in stated if (found := name(value)) is not None), None))


def _targets(value: object) -> list[Fields]:
    found = objects(value)
    for target in found:
        target[_KIND] = (text(target.get("type")) or "").lower().replace(" ", "")
        target[_ID] = _target_id(target)
    return found


def kind_of(target: Fields) -> str:
    """A target's type in lower case; empty when not stated."""
    kind: str = target[_KIND]
    return kind


def target_id(target: Fields) -> str | None:
    """A target's id: its object id, else its login in lower case, else (domains) its name."""
    found: str | None = target[_ID]
    return found


def _target_id(target: Fields) -> str | None:
    found = name(target.get("id"))
    if found is not None:
        return native(found)
    login = name(target.get("userprincipalname"))
    return login.casefold() if login else name(target.get("displayname"))


def properties_of(target: Fields) -> dict[str, tuple[object, object]]:
    """Modified properties by folded name: value before and after, taken out of the JSON text they are written as."""
    found: dict[str, tuple[object, object]] = {}
    for item in objects(target.get("modifiedproperties")):
        key = text(item.get("displayname"))
        if key is not None:
            found.setdefault(key.lower(), (embedded(item.get("oldvalue")), embedded(item.get("newvalue"))))
    return found


def stated(record: Record, *keys: str) -> str | None:
    """The first of these properties that any target states, after the change or else before it."""
    for target in record.targets:
        properties = properties_of(target)
        for key in keys:
            for value in reversed(properties.get(key, ())):
                single = value[0] if isinstance(value, list) and len(value) == 1 else value
                if (found := name(single)) is not None:
                    return guid(found) or found
    return None
