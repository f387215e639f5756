"""One event of Azure out of whatever carries it: REST, diagnostic envelope, Log Analytics row (sources 1, 3.4)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from lineage_analytics.loaders import _governance as gov
from lineage_analytics.loaders._entra_claims import Acting, acting
from lineage_analytics.loaders._entra_opened import iso_of
from lineage_analytics.loaders._governance import PROVIDER, opened
from lineage_analytics.loaders.common.ids import identity_id
from lineage_analytics.loaders.common.values import Fields, embedded, fold, guid, name, native, obj, pairs, text

if TYPE_CHECKING:
    from collections.abc import Mapping

_CLAIM = re.compile(r"^https?://schemas\.(?:microsoft\.com|xmlsoap\.org)/.*/")
_DIAGNOSTIC = re.compile(r"^identity_claim_(?:http_schemas_(?:microsoft|xmlsoap)_.*_claims_)?([a-z_]+)_[sg]$")
_SHORT = {"objectidentifier": "oid", "tenantid": "tid", "scope": "scp"}
_ISSUER = re.compile(r"(?:sts\.windows\.net|login\.microsoftonline\.com)/([0-9a-fA-F-]{36})")
_DIRECTORY = re.compile(r"/tenants/([0-9a-fA-F-]{36})(?:/|$)", re.IGNORECASE)
_PORT = re.compile(r"((?:\d{1,3}\.){3}\d{1,3}):\d{1,5}|\[([0-9a-fA-F:]{2,45})\]:\d{1,5}")
_CODE = re.compile(r"[A-Za-z0-9_.]{1,80}")
_HTTP = re.compile(r"\b([1-5]\d\d)\b")
_NAMED_CODES = {"ok": 200, "created": 201, "accepted": 202, "nocontent": 204, "unauthorized": 401, "forbidden": 403,
                "notfound": 404, "conflict": 409, "badrequest": 400}
_SUCCESS = frozenset({"success", "succeeded", "completed", "resolved", "active", "sassuccess", "anonymoussuccess"})
_FAILURE = frozenset({"failure", "failed", "canceled", "cancelled", "timeout"})
_TIMES = ("eventtimestamp", "time", "timegenerated", "timestamp")
_READ = re.compile(r"(?:get|list|query|read)", re.IGNORECASE)


class Event(NamedTuple):
    """One event, keys folded."""

    fields: Fields
    properties: Fields
    authorization: Fields
    claims: Fields
    operation: str
    category: str
    time: object
    event_id: str | None
    tenant: str | None
    outcome: str
    error: str | None
    resource: str | None

    @property
    def change(self) -> str:
        """The operation as it is compared."""
        return self.operation.lower()


def event_of(raw: Mapping[str, Any]) -> Event:
    """The event in a raw object."""
    row = unwrapped(opened(raw))
    properties = _object(row, "properties", "properties_d", "eventproperties")
    identity = obj(row.get("identity"))
    claims = _claims(row, identity)
    operation = _value(row, "operationnamevalue", "operationname") or "unknown"
    authorization = obj(identity.get("authorization")) or _object(row, "authorization", "authorization_d")
    code = _http_code(row, properties)
    status = _value(row, "activitystatusvalue", "activitystatus", "status", "resulttype", "statustext") or _value(
        properties, "metricresponsetype", "activitystatusvalue") or ""
    outcome = _outcome(status, code)
    return Event(
        row, properties, authorization, claims, operation.lower() if "/" in operation else operation,
        _value(row, "categoryvalue", "category", "eventsource") or _value(properties, "eventcategory") or "",
        iso_of(next((row[k] for k in _TIMES if text(row.get(k))), None)),
        native(name(row.get("eventdataid"))) or native(name(row.get("eventid"))),
        _tenant(row, claims, properties), outcome, _error(row, properties, outcome, status),
        _resource(row, authorization))


def unwrapped(row: Fields) -> Fields:
    """The event inside what an alert rule sends to a webhook; any other row as it is."""
    if "schemaid" not in row:
        return row
    return obj(obj(obj(row.get("data")).get("context")).get("activitylog")) or row


def _object(row: Fields, *keys: str) -> Fields:
    return next((found for key in keys if (found := _contents(row.get(key)))), {})


def _contents(value: object) -> Fields:
    """The object, also as ``Get-AzActivityLog`` gives claims and properties: in ``Content``, or a list of keys."""
    if isinstance(value, list):
        return {key: held[0] for key, held in pairs(value).items()}
    found = obj(value)
    return obj(found["content"]) if found.keys() == {"content"} else found


def _value(row: Fields, *keys: str) -> str | None:
    """The first text under any of the keys, also out of ``{value, localizedValue}``."""
    for key in keys:
        held = embedded(row.get(key))
        found = text(fold(held).get("value")) if isinstance(held, dict) else text(held)
        if found is not None:
            return found
    return None


def _claims(row: Fields, identity: Fields) -> Fields:
    """Claims of the caller's token under their short names."""
    held = obj(identity.get("claims")) or obj(identity.get("claim")) or _object(row, "claims", "claims_d")
    found: Fields = {}
    for key, value in held.items():
        short = _CLAIM.sub("", key)
        found.setdefault(_SHORT.get(short, short), value)
    for key, value in row.items() if not found else ():
        column = _DIAGNOSTIC.match(key)
        if column is not None and text(value):
            found.setdefault(_SHORT.get(column.group(1), column.group(1)), value)
    requester = obj(identity.get("requester"))
    for claim, keys in {"oid": ("objectid", "requesterobjectid"), "appid": ("appid", "requesterappid"),
                        "upn": ("upn", "requesterupn"), "tid": ("tenantid", "requestertenantid")}.items():
        stated = name(requester.get(keys[0])) or name(row.get(keys[1]))
        if stated is not None:
            found.setdefault(claim, stated)
    return found


def _tenant(row: Fields, claims: Fields, properties: Fields) -> str | None:
    """The directory: of the caller's token, of the envelope, of a vault, of the path; ``TenantId`` of a row is none."""
    issuer = _ISSUER.search(text(claims.get("iss")) or "")
    path = _DIRECTORY.match(text(row.get("resourceid")) or "")
    stated = (claims.get("tid"), issuer.group(1) if issuer else None,
              None if "timegenerated" in row else row.get("tenantid"),
              obj(properties.get("properties")).get("tenantid"), path.group(1) if path else None)
    return next((found for value in stated if (found := guid(name(value)))), None)


def _http_code(row: Fields, properties: Fields) -> int | None:
    """The HTTP status as number: a log may call a refused call a success."""
    stated = (properties.get("httpstatuscode"), row.get("httpstatuscode"), row.get("httpstatuscode_d"),
              row.get("statuscode"), properties.get("statuscode"), _value(row, "activitysubstatusvalue", "substatus"),
              row.get("resultsignature"))
    for value in stated:
        said = text(value)
        if said is None:
            continue
        number = _HTTP.search(said)
        found = int(number.group(1)) if number else _NAMED_CODES.get(said.rsplit(".", 1)[-1].lower())
        if found is not None:
            return found
    return None


def _outcome(status: str, code: int | None) -> str:
    word = status.lower()
    if code is not None and code >= 400:
        return "denied" if code == 403 else "failure"
    if word in _FAILURE or word.startswith(("auth", "fail")):
        return "failure"
    if word in _SUCCESS:
        return "success"
    started = word.startswith(("start", "accept", "progress", "updat"))
    return "success" if code is not None and not started else "unknown"


def _error(row: Fields, properties: Fields, outcome: str, status: str) -> str | None:
    """A code, never a sentence."""
    if outcome not in ("failure", "denied"):
        return None
    stated = (_value(row, "resultsignature"), text(properties.get("statuscode")), text(row.get("statustext")),
              text(properties.get("httpstatuscode")), status)
    return next((found for found in stated if found and _CODE.fullmatch(found)), None)


def _resource(row: Fields, authorization: Fields) -> str | None:
    """The resource's ARM id in lower case (their case means nothing), without a trailing slash."""
    found = next((held for key in ("resourceid", "_resourceid", "resourceuri") if (held := text(row.get(key)))), None)
    found = found or text(authorization.get("scope"))
    return found.lower().rstrip("/") or None if found else None


def extras(event: Event) -> list[str]:
    """Objects inside the resource: a vault's secret, key or certificate, a blob."""
    stated = (event.properties.get("id"), event.fields.get("id_s"), event.properties.get("objectkey"),
              event.fields.get("objectkey"), _vault_id(event.fields))
    found = {held.split("?", 1)[0] for value in stated if (held := text(value))}
    return sorted(found - {event.resource or ""})


def _vault_id(row: Fields) -> object:
    """The object in a row of AZKVAuditLogs, whose ``Id`` it is; other rows' ``id`` is their own."""
    found = text(row.get("id")) or ""
    return found if found.startswith("https://") else None


def ip_of(event: Event) -> str | None:
    """The caller's address without a port."""
    request = _object(event.fields, "httprequest", "httprequest_d")
    found = name(request.get("clientipaddress")) or name(event.fields.get("calleripaddress")) or name(
        event.claims.get("ipaddr"))
    port = _PORT.fullmatch(found) if found else None
    return (port.group(1) or port.group(2)) if port else found


def is_read(event: Event) -> bool | None:
    """Whether the operation only reads, where its name or category says so."""
    if "/" in event.operation:
        last = event.change.rsplit("/", 1)[-1]
        return True if last == "read" else False if last in ("write", "delete") else None
    category = event.category.lower()
    if category.startswith("storage"):
        return category == "storageread" if category in ("storageread", "storagewrite", "storagedelete") else None
    if category == "auditevent":
        return _READ.search(event.operation) is not None
    return None


class Caller(NamedTuple):
    """Who called: id and native part, what the token says of its sort, and other names."""

    id: str | None
    kind: str
    subkind: str | None
    basis: str | None
    label: str | None
    alt_ids: tuple[tuple[str, str], ...]
    service: bool = False
    """One of Microsoft's own services, which come by name and without an object."""
    authority: str | None = None
    """As the token's facets say, where an agent acts."""
    via: str | None = None
    """The agent that acts with the user's token."""
    parent: str | None = None
    """The application an agent was made from."""


def caller_of(event: Event) -> Caller:
    """The principal of the token, by object id where one is stated; its sort from the claims alone."""
    claims = event.claims
    upn = name(claims.get("upn")) or name(claims.get("unique_name")) or name(claims.get("emailaddress"))
    stated = name(event.fields.get("caller"))
    app = native(name(claims.get("appid")))
    object_id = native(name(claims.get("oid"))) or guid(stated)
    login = (upn or (stated if stated and "@" in stated else None) or "").lower() or None
    label = name(claims.get("name"))
    best = object_id or login or app or (label.lower() if label else None)
    if best is None:
        return Caller(None, "unknown", None, None, None, ())
    agent = acting(claims)
    kind, subkind, basis = _sort(claims) if agent is None else _agent_sort(agent)
    address = login if login and "@" in login else None
    alt = (("object_id", guid(object_id)), ("upn", address), ("login", login), ("puid", name(claims.get("puid"))),
           ("sid", (name(claims.get("onprem_sid")) or "").upper() or None),
           ("app_id", app if kind != "human" else None))
    service = object_id is None and app is None and (login or "").startswith("microsoft.")
    found = Caller(identity_id(PROVIDER, event.tenant, best), kind, subkind, basis, login or label,
                   tuple(sorted((k, v) for k, v in alt if v)), service)
    if agent is None:
        return found
    parent = identity_id(PROVIDER, event.tenant, agent.blueprint) if agent.blueprint else None
    via = identity_id(PROVIDER, event.tenant, agent.agent) if agent.agent else None
    return found._replace(authority=agent.mode, via=via, parent=parent)


def _agent_sort(agent: Acting) -> tuple[str, str | None, str | None]:
    if agent.mode == "obo_user":
        return "human", "user", "a user's token (idtyp user) with which an agent acts"
    return "ai_agent", "agent_user" if agent.mode == "agent_user" else "agent_identity", agent.basis


def _sort(claims: Fields) -> tuple[str, str | None, str | None]:
    sort = (text(claims.get("idtyp")) or "").lower()
    if text(claims.get("xms_mirid")):
        return "workload", "managed_identity", "a managed identity's token (xms_mirid)"
    if sort == "app":
        return "app", "service_principal", "an application's token (idtyp app)"
    if sort == "user":
        return "human", "user", "a user's token (idtyp user)"
    if text(claims.get("upn")):
        return "human", "user", "a user's token (upn claim)"
    if text(claims.get("appid")) and text(claims.get("appidacr")) in ("1", "2") and not text(claims.get("scp")):
        return "app", "service_principal", "an application's own token (appidacr without a scope)"
    return "unknown", None, None


def agent_fact(caller: Caller) -> dict[str, Any]:
    """The cells of IDENTITY_FACTS of the agent that acts with the caller's token."""
    return {"provider": PROVIDER, "id": caller.via, "kind": "ai_agent", "subkind": "agent_identity", "basis": "seen",
            "kind_basis": "token facets: an agent acts for the user", "parent_id": caller.parent,
            "alt_ids": [{"kind": "app_id", "value": (caller.via or "").rpartition(":")[2]}]}


def fact(caller: Caller) -> dict[str, Any]:
    """The cells of IDENTITY_FACTS a caller fills."""
    return {"provider": PROVIDER, "id": caller.id, "kind": caller.kind, "subkind": caller.subkind,
            "display_name": caller.label, "kind_basis": caller.basis, "basis": "seen",
            "excluded_reason": "provider_managed" if caller.service else None,
            "parent_id": None if caller.via else caller.parent,
            "alt_ids": [{"kind": kind, "value": value} for kind, value in caller.alt_ids]}


def observed(event: Event) -> Any:
    """When the provider received it, where stated."""
    return gov.when(event.fields.get("submissiontimestamp") or event.fields.get("eventsubmissiontimestamp"))
