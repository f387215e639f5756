"""Requests for roles and groups, and the assignments and eligibilities they lead to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from lineage_analytics import tables
from lineage_analytics.loaders import _governance as gov
from lineage_analytics.loaders._entra_roles import BUILT_IN
from lineage_analytics.loaders._governance import PROVIDER
from lineage_analytics.loaders.common.assembly import RecordFault
from lineage_analytics.loaders.common.times import parse_time
from lineage_analytics.loaders.common.values import Fields, flag, guid, name, native, obj, text

if TYPE_CHECKING:
    from datetime import datetime

    from lineage_analytics.loaders._governance import Who
    from lineage_analytics.loaders.common.assembly import Entry

KNOWN = gov.known(
    "id principalid roledefinitionid directoryscopeid appscopeid groupid accessid startdatetime enddatetime "
    "assignmenttype membertype roleassignmentoriginid roleassignmentscheduleid roleeligibilityscheduleid "
    "assignmentscheduleid eligibilityscheduleid createdusing createddatetime modifieddatetime status resourcescope "
    "tenantid action justification targetscheduleid approvalid completeddatetime customdata principalorganizationid",
    "principal roledefinition directoryscope appscope group activatedusing scheduleinfo condition ticketinfo "
    "targetschedule createdby isvalidationonly additionalproperties")
_TENANT_WIDE = frozenset({"/", ""})
_ORIGINS = {"direct": "pim", "group": "group_inherited", "inherited": "scope_inherited"}
PAST = frozenset({"revoked", "canceled", "cancelled", "denied", "admindenied", "failed", "timedout", "invalid"})
_REVOKING = ("remove", "deactivate")


class About(NamedTuple):
    """What an object of role management is about. ``target`` is written as the directory audit's is."""

    principal: Who
    target: str | None
    label: str
    scope: str
    group: str | None
    owner: bool


def about(entry: Entry, row: Fields) -> About:
    """Role or group, for whom, and over what."""
    held = gov.principal(entry, row.get("principal"), basis="expanded principal")
    who = held if held.id else gov.seen(entry, row.get("principalid"))
    native_principal = native(name(row.get("principalid")) or name(obj(row.get("principal")).get("id")))
    group = native(name(row.get("groupid")))
    role = guid(text(row.get("roledefinitionid"))) or name(row.get("roledefinitionid"))
    owner = (text(row.get("accessid")) or "").lower() == "owner"
    scope = _scope(row)
    if group:
        gov.principal(entry, row.get("group"), "group", "expanded")
        gov.seen(entry, group, "group", basis="groupId of")
        target = f"group/{group}{'/owner' if owner else ''}|{native_principal}"
        label = name(obj(row.get("group")).get("displayname")) or group
    else:
        target = f"role/{role}|{native_principal}" + ("" if scope in _TENANT_WIDE else f"|{scope}")
        label = name(obj(row.get("roledefinition")).get("displayname")) or BUILT_IN.get(role or "", role or "")
    known = native_principal is not None and (group or role) is not None
    key = f"{PROVIDER}:{entry.tenant or ''}:{target}" if known else None
    return About(who, key, label, scope, group, owner)


def _scope(row: Fields) -> str:
    """``/`` for the directory, else what the role is held over, with the id in lower case."""
    stated = text(row.get("directoryscopeid")) or text(row.get("appscopeid")) or "/"
    before, _, last = stated.rpartition("/")
    return f"{before}/{guid(last) or last}"


def is_eligibility(row: Fields, entity: str) -> bool | None:
    """Whether an object is about eligibility: by its type or page, else by keys that only one of both has."""
    for source in (entity,):
        if "eligib" in source:
            return True
        if "assignment" in source:
            return False
    if row.keys() & {"roleeligibilityscheduleid", "eligibilityscheduleid"}:
        return True
    if row.keys() & {"assignmenttype", "roleassignmentscheduleid", "assignmentscheduleid", "roleassignmentoriginid",
                     "activatedusing"}:
        return False
    if "membertype" in row:  # only eligibility schedules have one without an assignment type
        return True
    return False if (text(row.get("action")) or "").lower() in ("selfactivate", "selfdeactivate") else None


def read_grant(entry: Entry, row: Fields, entity: str) -> None:
    """A role assignment, a schedule or an instance of one, as an entitlement."""
    _begin(entry, row, "grant")
    found = about(entry, row)
    if found.principal.id is None:
        raise RecordFault("no_principal", "principalId is missing")
    schedule = obj(row.get("scheduleinfo"))
    start = gov.when(row.get("startdatetime")) or gov.when(schedule.get("startdatetime"))
    end = gov.when(row.get("enddatetime")) or gov.end_of(schedule)
    group = gov.identity(entry.tenant, found.group)
    member = (text(row.get("membertype")) or "").lower()
    plain = not (row.keys() & {"membertype", "assignmenttype", "scheduleinfo", "startdatetime"})
    entry.add(
        tables.ENTITLEMENTS, principal_id=found.principal.id,
        grant_kind="role" if group is None else ("owner" if found.owner else "membership"),
        privilege=found.label, scope=group or found.scope, effect="allow",
        state=_state(row, entity, end), granted_at=start or gov.when(row.get("createddatetime")), expires_at=end,
        grant_id=text(row.get("id")), condition=_json_text(row.get("condition")),
        origin="direct" if plain else _ORIGINS.get(member, "pim"),
        unmapped=entry.leftovers(KNOWN, gov.without_annotations(row)))


def _json_text(value: object) -> str | None:
    found = text(value)
    return msgspec.json.encode(found).decode() if found else None


def _state(row: Fields, entity: str, end: datetime | None) -> str | None:
    status = (text(row.get("status")) or "").lower()
    if status in PAST:
        return "expired"
    if status.startswith("pending"):
        return "pending"
    if is_eligibility(row, entity) and "assignmenttype" not in row:
        return "eligible"
    assigned = (text(row.get("assignmenttype")) or "").lower()
    if assigned == "activated":
        return "activated"
    if assigned == "assigned":
        return "timebound" if end else "standing"
    return None


def _begin(entry: Entry, row: Fields, kind: str) -> None:
    native_id = text(row.get("id"))
    if native_id is None and "principalid" not in row:
        raise RecordFault("no_id", "neither id nor principalId")
    entry.identify(PROVIDER, guid(text(row.get("tenantid"))), gov.revision(native_id, kind, row), within="")


def read_request(entry: Entry, row: Fields, entity: str) -> None:
    """A request as steps: that it was made, what was decided on it where it says so, what it brought about."""
    if flag(row.get("isvalidationonly")):
        raise RecordFault("out_of_scope", "a request that only validates", "rejected")
    _begin(entry, row, "request")
    asked = entry.time(row.get("createddatetime"), "createdDateTime")
    gov.keep_new(entry, KNOWN, row, "role_request", native(text(row.get("id"))))
    found, by = about(entry, row), gov.identity_set(entry, row.get("createdby"), "createdBy")
    action = text(row.get("action")) or "unknown"
    verb = "revoke" if any(word in action.lower() for word in _REVOKING) else "grant"
    own = action.lower().startswith("self")
    eligible = is_eligibility(row, entity)
    parameter = "|eligible" if eligible else ""
    request = native(text(row.get("id")))
    base: dict[str, Any] = {
        "operation": action + (" (PIM deactivate)" if action.lower() == "selfdeactivate" else ""),
        "initiator_id": by.id or (found.principal.id if own else None), "target_key": found.target,
        "effect_key": f"{verb}({found.target}{parameter})" if found.target and eligible is not None else None,
        "native_key_kind": "pim_request_id" if request else None, "native_key": request,
        "correlation_id": native(text(row.get("approvalid"))), **gov.tickets(row),
        "justification_present": gov.reason_given(row), "title": f"{action}: {found.label}",
        "expires_at": gov.end_of(row.get("scheduleinfo")) if verb == "grant" else None, "event_id": request,
    }
    status = (text(row.get("status")) or "").lower()
    entry.step("request", kind="request", time=asked, capacity="requester", **{
        **base, **by.acting(), "status": "pending" if status.startswith("pending") else "succeeded"})
    done = parse_time(row.get("completeddatetime"))
    ending = request_ending(status, verb, dated=done is not None)
    if ending is not None:
        entry.step(ending["kind"], time=done or asked, **{**base, **carried_out(by, ending["kind"]), **ending})


def carried_out(by: Who, kind: str) -> dict[str, Any]:
    """Who carries a request out: the one who made it, whom the directory audit's record of the completion names too."""
    return by.acting() if kind in ("action", "rollback", "attempt") else {}


def request_ending(status: str, verb: str, *, dated: bool) -> dict[str, Any] | None:
    """What became of a request, by its status; None while it is open or when the status is not known.

    A granted request takes effect when it is to start, so it counts only with that time (``dated``).
    """
    if status in ("provisioned", "revoked", "schedulecreated") or (status == "granted" and dated):
        # Revoked is also how a request stands whose assignment was taken back later: that it was carried out first.
        return {"kind": "rollback" if verb == "revoke" else "action", "status": "succeeded"}
    if status in ("denied", "admindenied"):
        return {"kind": "decision", "verdict": "deny", "decided_value": "Deny", "expires_at": None}
    if status in ("canceled", "cancelled"):
        return {"kind": "decision", "verdict": "withdraw", "expires_at": None}
    if status == "timedout":
        return {"kind": "expiry", "expires_at": None}
    return {"kind": "attempt", "status": "failed"} if "fail" in status or status == "invalid" else None
