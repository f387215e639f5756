"""One entry of Cloud Logging as rows, whatever file it stands in."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

from lineage_analytics import tables
from lineage_analytics.loaders import _k8s_changes as k8s_changes
from lineage_analytics.loaders import _k8s_names as k8s_names
from lineage_analytics.loaders._gcp_actions import read_action
from lineage_analytics.loaders._gcp_assistants import assistant_row
from lineage_analytics.loaders._gcp_bindings import deltas, grant, shown
from lineage_analytics.loaders._gcp_changes import (
    account_email,
    account_id,
    as_step,
    changes,
    key_id,
    last_part,
    over_of,
    principals_of,
)
from lineage_analytics.loaders._gcp_directory import qualifier
from lineage_analytics.loaders._gcp_entry import (
    LogEntry,
    action_payload,
    identified,
    labels,
    leftovers,
    listed,
    moment,
    parse,
    squeezed,
)
from lineage_analytics.loaders._gcp_members import caller, service_account
from lineage_analytics.loaders._principals import Principal, fact
from lineage_analytics.loaders.common.assembly import Entry, RecordFault
from lineage_analytics.loaders.common.delegated import lend
from lineage_analytics.loaders.common.stated import stated
from lineage_analytics.loaders.common.values import flag, name, obj, text

if TYPE_CHECKING:
    from datetime import datetime


_READ_WORDS = ("get", "list", "search", "query", "check", "test", "batchget", "read", "lookup", "fetch", "count",
               "aggregatedlist")
_PERMISSION_TYPES = {"DATA_READ": True, "ADMIN_READ": True, "DATA_WRITE": False, "ADMIN_WRITE": False}
_DENIED = "7"
_KEY_MADE = ("createserviceaccountkey", "uploadserviceaccountkey")
_KEY_STATUS = {**dict.fromkeys(_KEY_MADE, "active"), "enableserviceaccountkey": "active",
               "disableserviceaccountkey": "inactive", "deleteserviceaccountkey": "revoked"}


class Caller(NamedTuple):
    """Who called, and on whose authority."""

    actor: Principal | None
    chain: tuple[Principal, ...]
    key: str | None


def read(entry: Entry) -> None:
    """One entry of any log; RecordFault for what is none."""
    told(entry, parse(entry))


def told(entry: Entry, found: LogEntry) -> None:
    """Audit entries and recommender actions become rows, entries of other logs are out of scope."""
    if found.audit:
        _read_audit(entry, found)
    elif action_payload(found.fields):
        read_action(entry, found)
    else:
        raise RecordFault("out_of_scope", f"an entry of another log: {(found.log or 'unnamed')[:200]}", "rejected")


def _read_audit(entry: Entry, found: LogEntry) -> None:
    """One audit entry."""
    time = moment(entry, found)
    method = name(found.audit.get("methodname"))
    kubernetes = k8s_names.gke_method(method, text(found.audit.get("resourcename"))) if method else None
    cluster = _cluster(found)
    who = _caller(found, cluster)
    identified(entry, found, time)
    for principal in (who.actor, *who.chain):
        if principal is not None:
            entry.add(tables.IDENTITY_FACTS, **fact(principal))
    outcome, code = _outcome(found, method)
    common = {"time": time, "event_id": found.insert_id, **_who(who)}
    if kubernetes is not None:
        _kubernetes(entry, found, kubernetes, cluster, who, outcome, code, common)
        return
    service = name(found.audit.get("servicename"))
    delta = list(deltas(found.audit.get("servicedata"))) or list(deltas(found.audit.get("metadata")))
    _activity(entry, found, who, outcome, code, common, action=method, is_read=_is_read(found, method),
              permissions=_permissions(found), resource_id=text(found.audit.get("resourcename")),
              effect_delta=shown(delta))
    if method is not None:
        _changes(entry, found, service, method, delta, who, outcome, common)
    row = assistant_row(found, service, method or "")
    if row is not None:
        cells, assistant = row
        entry.add(tables.ASSISTANT_ACCESS, time=time, user_id=who.chain[0].id if who.chain else common["actor_id"],
                  event_id=found.insert_id, interaction_id=found.insert_id, **cells)
        entry.add(tables.IDENTITY_FACTS, **fact(assistant))


def _who(who: Caller) -> dict[str, Any]:
    chain = bool(who.chain)
    return {"actor_id": who.actor.id if who.actor else None, "on_behalf_of_id": who.chain[0].id if chain else None}


def _activity(
    entry: Entry, found: LogEntry, who: Caller, outcome: str, code: str | None, common: dict[str, Any], **cells: Any,
) -> None:
    metadata = squeezed(found.audit.get("requestmetadata"))
    entry.add(
        tables.ACTIVITY, **common, outcome=outcome, error_code=code, ip=name(metadata.get("callerip")),
        client=text(metadata.get("callersupplieduseragent")), credential_id=who.key,
        delegation_kind="delegation_chain" if who.chain else None,
        delegation_trust="provider_asserted" if who.chain else None,
        extra_resource_ids=[hop.id for hop in who.chain[1:]] or None, correlation_id=_correlation(found),
        observed_time=_observed(entry, found), unmapped=leftovers(entry, found), **cells)


def _observed(entry: Entry, found: LogEntry) -> datetime | None:
    try:
        return entry.time(found.fields.get("receivetimestamp"), "receiveTimestamp")
    except RecordFault:
        return None


def _correlation(found: LogEntry) -> str | None:
    """The long-running operation, or the id a directory event has in the reports of the directory."""
    return name(squeezed(found.fields.get("operation")).get("id")) or qualifier(found)


def _caller(found: LogEntry, cluster: str | None) -> Caller:
    stated = squeezed(found.audit.get("authenticationinfo"))
    email, subject = name(stated.get("principalemail")), name(stated.get("principalsubject"))
    email = email or name(stated.get("authorityselector"))
    if email is not None and email.startswith("system:"):
        actor: Principal | None = k8s_names.user(cluster, email)
    else:
        actor = caller(email, subject)
    chain = []
    for link in listed(stated.get("serviceaccountdelegationinfo")):
        first_party = squeezed(link.get("firstpartyprincipal"))
        held = caller(name(first_party.get("principalemail")), name(link.get("principalsubject")))
        chain += [held] if held is not None else []
    return Caller(actor, tuple(chain), key_id(name(stated.get("serviceaccountkeyname"))))


def _outcome(found: LogEntry, method: str | None) -> tuple[str, str | None]:
    """Outcome and error code; without a status a permission that was refused says denied."""
    status = squeezed(found.audit.get("status"))
    code = text(status.get("code"))
    if code not in (None, "0"):
        return ("denied" if code in (_DENIED, "PERMISSION_DENIED") else "failure"), code
    if last_part(method or "") == "loginfailure":
        return "failure", None
    if found.audit.get("status") is None:
        refused = [flag(held.get("granted")) is False for held in listed(found.audit.get("authorizationinfo"))]
        if any(refused):
            return "denied", None
    operation = squeezed(found.fields.get("operation"))
    if flag(operation.get("first")) and not flag(operation.get("last")):
        return "unknown", None
    return "success", None


def _permissions(found: LogEntry) -> list[str] | None:
    """The permissions that were checked and granted; None where the entry states none."""
    granted = {stated for held in listed(found.audit.get("authorizationinfo"))
               if flag(held.get("granted")) is True and (stated := name(held.get("permission")))}
    return sorted(granted) or None


def _is_read(found: LogEntry, method: str | None) -> bool | None:
    """By the type of the permission checked, else by the log: admin activity only holds writes."""
    for held in listed(found.audit.get("authorizationinfo")):
        stated = _PERMISSION_TYPES.get(text(held.get("permissiontype")) or "")
        if stated is not None:
            return stated
    log = (found.log or "").rpartition("cloudaudit.googleapis.com%2F")[2]
    if log in ("activity", "system_event"):
        return False
    return True if last_part(method or "").startswith(_READ_WORDS) else None


def _changes(
    entry: Entry, found: LogEntry, service: str | None, method: str, delta: list[Any], who: Caller, outcome: str,
    common: dict[str, Any],
) -> None:
    acting, asked = _acting(who), common["on_behalf_of_id"] or common["actor_id"]
    begun, parts = _operation(found, outcome), list[str]()
    for change in changes(found, service, method, delta):
        parts.append(change.part)
        cells = as_step(change, method, outcome) | (begun if change.native_key is None else {})
        entry.step(change.part, **common, **acting, **cells, correlation_id=_correlation(found),
                   initiator_id=asked if change.kind in ("request", "action") else None, stated_keys=_trace(found))
        for principal in principals_of(change):
            entry.add(tables.IDENTITY_FACTS, **fact(principal))
    _lent(entry, who, common, parts)
    over = over_of(found, service)
    for one in delta:
        entry.add(tables.IDENTITY_FACTS, **fact(one.member))
        if one.added and outcome == "success":
            entry.add(tables.ENTITLEMENTS, **grant(one, over, granted_at=common["time"],
                                                   granted_by=common["actor_id"]))
    if outcome == "success":
        _lifecycle(entry, found, last_part(method), common["time"])


def _lent(entry: Entry, who: Caller, common: dict[str, Any], parts: list[str]) -> None:
    """The chain of accounts through which the call came, each acting for the one before it."""
    if who.actor is None or not who.chain or not parts:
        return
    accounts = [*who.chain, who.actor]
    lend(entry, [(one.id, other.id) for one, other in pairwise(accounts)], kind="impersonation", steps=parts,
         time=common["time"], event_id=common["event_id"], issuer="iamcredentials.googleapis.com")


def _trace(found: LogEntry) -> list[str]:
    """The trace that the entry names, in any project."""
    return stated(trace=(name(found.fields.get("trace")) or "").rpartition("/")[2])


def _operation(found: LogEntry, outcome: str) -> dict[str, Any]:
    """Of a long-running operation, whose beginning and end are two entries: its id as key; the beginning only asks."""
    operation = squeezed(found.fields.get("operation"))
    own = name(operation.get("id"))
    if own is None or (flag(operation.get("first")) and flag(operation.get("last"))):
        return {}
    key = {"native_key_kind": "gcp_operation", "native_key": own}
    return key | {"kind": "request"} if outcome == "unknown" else key


def _acting(who: Caller) -> dict[str, Any]:
    actor = who.actor
    if actor is None:
        return {}
    authority = actor.authority
    if who.chain:
        authority = "obo_user" if who.chain[0].kind == "human" else "service_chain"
    return {"actor_class": actor.agent_class, "actor_class_basis": actor.basis, "authority_mode": authority}


def _lifecycle(entry: Entry, found: LogEntry, word: str, time: datetime) -> None:
    """A service account that came to be or ended, by its number; a key that came to be, was switched or ended."""
    email = account_email(found)
    if email is None:
        return
    about = service_account(email, account_id(found))
    if word in ("createserviceaccount", "deleteserviceaccount") and "@" in email:
        when = "created_at" if word.startswith("create") else "deleted_at"
        if when == "created_at" or about.id.rpartition(":")[2].isdigit():  # an address that ends may begin again
            entry.add(tables.IDENTITY_FACTS, **fact(about) | {when: time})
    elif word in _KEY_STATUS:
        key = _key_of(found)
        if key is not None:
            made = word in _KEY_MADE  # what is said later of it, here or in a listing, counts more
            entry.add(tables.CREDENTIALS, identity_id=about.id, credential_id=key, kind="key",
                      status=_KEY_STATUS[word], **{"created_at" if made else "snapshot_at": time})
            if "@" in email:  # else only the number is known, which is no name to be known by
                entry.add(tables.IDENTITY_FACTS, **fact(about))


def _key_of(found: LogEntry) -> str | None:
    """The key an entry is about: a new one stands in the answer, an older one in the name of the resource."""
    stated = (squeezed(found.audit.get("response")).get("name"), found.audit.get("resourcename"),
              squeezed(found.audit.get("request")).get("name"))
    return next((key for held in stated if (key := key_id(text(held))) is not None), None)


def _cluster(found: LogEntry) -> str | None:
    """``<project>/<location>/<cluster>`` of a GKE call."""
    held = labels(found)
    parts = [name(held.get(key)) for key in ("projectid", "location", "clustername")]
    return "/".join(part or "" for part in parts) if parts[2] else None


def _kubernetes(
    entry: Entry, found: LogEntry, said: tuple[str, str, str, str | None], cluster: str | None, who: Caller,
    outcome: str, code: str | None, common: dict[str, Any],
) -> None:
    verb, api_group, resource_kind, sub = said
    stated = text(found.audit.get("resourcename"))
    parts = (stated or "").split("/")
    namespace = parts[parts.index("namespaces") + 1] if "namespaces" in parts[:-1] else None
    held = parts[parts.index(resource_kind) + 1] if resource_kind in parts[:-1] else None
    call = k8s_changes.Call(cluster, verb, api_group, resource_kind, sub, namespace, held,
                            obj(found.audit.get("request")), obj(found.audit.get("response")))
    _activity(entry, found, who, outcome, code, common, resource_id=stated, is_read=k8s_names.is_read(verb, sub),
              action=k8s_names.action(verb, api_group, resource_kind, sub))
    if not k8s_changes.is_change(call, who.actor):
        return
    entry.step("action", **common, **_acting(who), **k8s_changes.step(call, outcome), stated_keys=_trace(found),
               initiator_id=None if call.sub == "approval" else common["on_behalf_of_id"] or common["actor_id"])
    for holder, cells in k8s_changes.grants(call) if outcome == "success" else ():
        entry.add(tables.IDENTITY_FACTS, provider=k8s_names.PROVIDER, tenant=cluster, **fact(holder))
        entry.add(tables.ENTITLEMENTS, provider=k8s_names.PROVIDER, tenant=cluster, **cells,
                  granted_at=common["time"], granted_by=common["actor_id"])
