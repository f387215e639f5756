"""One audit event of a Kubernetes API server as rows, whatever file it stands in."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec

from lineage_analytics import tables
from lineage_analytics.loaders import _k8s_changes as changes
from lineage_analytics.loaders import _k8s_names as names
from lineage_analytics.loaders._k8s_shapes import is_event, opened
from lineage_analytics.loaders._principals import Principal, fact
from lineage_analytics.loaders.common.assembly import Entry, RecordFault
from lineage_analytics.loaders.common.delegated import lend
from lineage_analytics.loaders.common.ids import identity_id
from lineage_analytics.loaders.common.stated import stated
from lineage_analytics.loaders.common.times import parse_time
from lineage_analytics.loaders.common.values import Fields, embedded, name, obj, text

if TYPE_CHECKING:
    from datetime import datetime


KNOWN = {
    "kind": "string", "apiversion": "string", "level": "string", "auditid": "string", "stage": "string",
    "requesturi": "string", "verb": "string", "user": "object string", "impersonateduser": "object string",
    "sourceips": "array string", "useragent": "string", "objectref": "object string",
    "responsestatus": "object string", "requestobject": "object string", "responseobject": "object string",
    "requestreceivedtimestamp": "string", "stagetimestamp": "string", "timestamp": "string", "metadata": "object",
    "annotations": "object string", "requestreceivedtime": "string", "stagereceivedtime": "string",
    "timegenerated": "string", "authenticationmetadata": "object", "podname": "string", "tenantid": "string",
    "type": "string", "_resourceid": "string", "sourcesystem": "string",
}
_UNFINISHED = frozenset({"RequestReceived", "ResponseStarted"})
_TIMES = ("requestreceivedtimestamp", "requestreceivedtime", "timestamp", "stagetimestamp", "stagereceivedtime",
          "p_event_time")
_EKS_UID = re.compile(r"aws-iam-authenticator:(\d{12}):(A[A-Z]{3}[A-Z0-9]{12,24})")
_DECISION = "authorization.k8s.io/decision"
_CREDENTIAL, _POD = "authentication.kubernetes.io/credential-id", "authentication.kubernetes.io/pod-name"
_ISSUED = "authentication.kubernetes.io/issued-credential-id"


def read(entry: Entry) -> None:
    """One audit event; RecordFault for what is none or is not finished."""
    fields, named = opened(entry.fields)
    if not is_event(fields):
        _refuse(fields)
    stage = name(fields.get("stage"))
    if stage in _UNFINISHED:
        raise RecordFault("out_of_scope", f"stage {stage}: the request is not finished", "rejected")
    cluster = entry.tag or named or None
    time = _time(entry, fields)
    audit_id = name(fields.get("auditid"))
    if audit_id is None:
        entry.fields = {key: held for key, held in fields.items() if not key.startswith("p_")}
    entry.identify(names.PROVIDER, cluster, f"{audit_id}|{stage or ''}" if audit_id else None, within="")
    caller, effective = _users(fields, cluster)
    for who in (caller, effective):
        if who is not None:
            entry.add(tables.IDENTITY_FACTS, **fact(who))
    impersonated = effective is not None
    actor = effective or caller
    outcome, code = _outcome(fields, stage)
    common = {
        "time": time, "event_id": audit_id, "actor_id": actor.id if actor else None,
        "on_behalf_of_id": caller.id if impersonated and caller else None,
    }
    call = _call(fields, cluster)
    entry.add(
        tables.ACTIVITY, **common, **_request(fields, call), outcome=outcome, error_code=code,
        delegation_kind="impersonation" if impersonated else None,
        delegation_trust="provider_asserted" if impersonated else None, **_session(fields),
        ip=_address(fields), client=text(fields.get("useragent")), unmapped=entry.leftovers(KNOWN, fields))
    if call is not None and not _dry_run(fields):
        keys = stated(session=_extra(fields).get("accesskeyid"))
        _changed(entry, call, outcome, {**common, "stated_keys": keys}, actor, impersonated=impersonated)
        if caller is not None and effective is not None and changes.is_change(call, actor):
            lend(entry, [(caller.id, effective.id)], kind="impersonation", steps=("action",), time=time,
                 parent=_extra(fields).get("accesskeyid"), event_id=audit_id, issuer="kube-apiserver")
        _issued(entry, fields, call, outcome, time)


def _refuse(fields: Fields) -> None:
    """A record of a control-plane log that is no audit event."""
    category = text(fields.get("category"))
    if category is not None or "message" in fields or "properties" in fields:
        raise RecordFault("out_of_scope", f"another log of the control plane: {(category or 'text')[:80]}", "rejected")
    raise RecordFault("no_event", "wanted an audit event: auditID with stage, or kind Event with verb")


def _time(entry: Entry, fields: Fields) -> datetime | None:
    """When the request came in; older versions of the format only say when its stage was logged."""
    stated: object = next((held for key in _TIMES if (held := name(fields.get(key))) is not None), None)
    return entry.moment(stated or obj(fields.get("metadata")).get("creationtimestamp"), "requestReceivedTimestamp")


def _users(fields: Fields, cluster: str | None) -> tuple[Principal | None, Principal | None]:
    """The one who called, and the one impersonated, if any."""
    user, other = obj(fields.get("user")), name(obj(fields.get("impersonateduser")).get("username"))
    username = name(user.get("username"))
    uid = text(user.get("uid"))
    caller = names.numbered(names.user(cluster, username), uid) if username else None
    iam = _EKS_UID.fullmatch(uid or "")
    if caller is not None and iam is not None:
        caller = caller._replace(parent=identity_id("aws", iam[1], iam[2]))
    return caller, names.user(cluster, other) if other else None


def _extra(fields: Fields) -> dict[str, str]:
    """What the authenticator added to the user, first values; some pipelines write ``_slash_`` for a slash."""
    found = {}
    for key, held in obj(obj(fields.get("user")).get("extra")).items():
        value = embedded(held)
        first = text(next(iter(value), None)) if isinstance(value, list) else text(value)
        if first is not None:
            plain = key.replace("_slash_", "/")
            prefix, slash, rest = plain.partition("/")
            found[f"{prefix.replace('_', '.')}/{rest}" if slash else plain] = first
    return found


def _session(fields: Fields) -> dict[str, Any]:
    """The cloud session or the pod behind the call, and the credential it was made with."""
    extra = _extra(fields)
    pod = extra.get(_POD)
    return {"actor_session_id": extra.get("arn") or (f"pod/{pod}" if pod else None),
            "credential_id": extra.get(_CREDENTIAL) or extra.get("accesskeyid")}


def _outcome(fields: Fields, stage: str | None) -> tuple[str, str | None]:
    status = obj(fields.get("responsestatus"))
    code, reason = text(status.get("code")), name(status.get("reason"))
    refused = text(obj(fields.get("annotations")).get(_DECISION)) == "forbid"
    if refused or code == "403" or (code is None and reason == "Forbidden"):
        return "denied", reason or code or "Forbidden"
    if stage == "Panic":
        return "failure", reason or code or "Panic"
    if code is None or not code.isdigit():
        return ("failure", reason) if text(status.get("status")) == "Failure" else ("unknown", None)
    return ("failure", reason or code) if int(code) >= 400 else ("success", None)


def _call(fields: Fields, cluster: str | None) -> changes.Call | None:
    ref, verb = obj(fields.get("objectref")), name(fields.get("verb"))
    resource = name(ref.get("resource"))
    if resource is None or verb is None:
        return None
    return changes.Call(
        cluster, verb, name(ref.get("apigroup")) or _group_of(fields), resource, name(ref.get("subresource")),
        name(ref.get("namespace")), name(ref.get("name")), obj(fields.get("requestobject")),
        obj(fields.get("responseobject")))


def _group_of(fields: Fields) -> str:
    """The API group in the address, for records that leave it out: ``/apis/<group>/...``; else the core group."""
    parts = (text(fields.get("requesturi")) or "").split("/")
    return parts[2] if len(parts) > 3 and parts[1] == "apis" else names.CORE


def _request(fields: Fields, call: changes.Call | None) -> dict[str, Any]:
    """Action and resource; of calls without an object the path, never its query, which may hold a command."""
    if call is None:
        verb = name(fields.get("verb"))
        path = (text(fields.get("requesturi")) or "").split("?", 1)[0] or None
        return {"action": f"k8s:{verb or ''}:{path or ''}" if verb or path else None, "resource_id": path,
                "is_read": names.is_read(verb, None) if verb else None, "is_dry_run": _dry_run(fields)}
    return {
        "action": names.action(call.verb, call.api_group, call.resource, call.sub), "resource_id": call.target,
        "is_read": names.is_read(call.verb, call.sub), "is_dry_run": _dry_run(fields), "effect_delta": _delta(call)}


def _dry_run(fields: Fields) -> bool | None:
    uri = text(fields.get("requesturi"))
    return None if uri is None else "dryRun=All" in uri


def _delta(call: changes.Call) -> str | None:
    """Role, subjects or rules of an RBAC object that was written."""
    if call.api_group != changes.RBAC or not changes.is_change(call):
        return None
    kept = {key: call.body[key] for key in ("roleref", "rules", "subjects") if call.body.get(key)}
    return msgspec.json.encode(_plain(kept), order="sorted").decode() if kept else None


_RBAC_KEYS = frozenset({"roleref", "rules", "subjects", "kind", "name", "namespace", "apigroup", "apigroups", "verbs",
                        "resources", "resourcenames", "nonresourceurls"})


def _plain(value: Any) -> Any:
    """The parts of a role or binding that say who may do what, and nothing that strayed in."""
    if isinstance(value, dict):
        return {key: _plain(held) for key, held in value.items() if key.lower() in _RBAC_KEYS}
    return [_plain(item) for item in value] if isinstance(value, list) else value


def _address(fields: Fields) -> str | None:
    listed = embedded(fields.get("sourceips"))
    return text(next(iter(listed), None)) if isinstance(listed, list) else name(listed)


def _changed(
    entry: Entry, call: changes.Call, outcome: str, common: dict[str, Any], actor: Principal | None, *,
    impersonated: bool,
) -> None:
    if not changes.is_change(call, actor):
        return
    acting = {} if actor is None else {
        "actor_class": actor.agent_class, "actor_class_basis": actor.basis,
        "authority_mode": "obo_user" if impersonated else actor.authority}
    entry.step("action", **common, **acting, **changes.step(call, outcome),
               initiator_id=None if call.sub == "approval" else common["on_behalf_of_id"] or common["actor_id"])
    for holder, cells in changes.grants(call) if outcome == "success" else ():
        entry.add(tables.IDENTITY_FACTS, **fact(holder))
        entry.add(tables.ENTITLEMENTS, **cells, granted_at=common["time"], granted_by=common["actor_id"])


def _issued(entry: Entry, fields: Fields, call: changes.Call, outcome: str, time: datetime | None) -> None:
    """A service-account token that was issued: its id, never the token."""
    issued = name(obj(fields.get("annotations")).get(_ISSUED))
    if issued is None or call.sub != "token" or call.resource != "serviceaccounts" or outcome != "success":
        return
    holder = names.user(call.cluster, f"system:serviceaccount:{call.namespace or ''}:{call.name or ''}")
    entry.add(tables.IDENTITY_FACTS, **fact(holder))
    entry.add(tables.CREDENTIALS, identity_id=holder.id, credential_id=issued, kind="token", created_at=time,
              expires_at=parse_time(obj(call.response.get("status")).get("expirationtimestamp")), status="active")
