"""Objects of Azure's role-based access control, whatever tool wrote them: what each is and what it says."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec

from lineage_analytics import tables
from lineage_analytics.loaders import _governance as gov
from lineage_analytics.loaders._governance import NOBODY, PROVIDER, Who
from lineage_analytics.loaders._pim_objects import activation_rules, add_stages
from lineage_analytics.loaders._pim_schedules import PAST, carried_out, request_ending
from lineage_analytics.loaders.common.assembly import RecordFault
from lineage_analytics.loaders.common.ids import identity_id
from lineage_analytics.loaders.common.values import Fields, embedded, flag, guid, name, native, obj, objects, text

if TYPE_CHECKING:
    from datetime import datetime

    from lineage_analytics.loaders.common.assembly import Entry

# Names of built-in roles by id, the same in every directory, for exports that state only the id.
BUILT_IN = {
    "8e3af657-a8ff-443c-a75c-2fe8c4bcb635": "Owner",
    "b24988ac-6180-42a0-ab88-20f7382dd24c": "Contributor",
    "acdd72a7-3385-48ef-bd42-f606fba81ae7": "Reader",
    "18d7d88d-d35e-4fb5-a5c3-7773c20a72d9": "User Access Administrator",
    "f58310d9-a9f6-439a-9e8d-f62e7b41a168": "Role Based Access Control Administrator",
}
KNOWN = gov.known(
    "id name type scope principalid principaltype principalname roledefinitionid roledefinitionname condition "
    "conditionversion createdon createdby updatedon updatedby description resourcegroup subscriptionid tenantid "
    "delegatedmanagedidentityresourceid objectid objecttype displayname signinname roleassignmentid roleassignmentname "
    "rolename roletype location kind apiversion extendedlocation managedby",
    "properties candelegate permissions assignablescopes iscustom actions notactions dataactions notdataactions "
    "identity plan sku tags zones")
_TYPE = re.compile(r"/providers/microsoft\.authorization/([a-z]+)/([^/]+)$")
_EVERYONE = "00000000-0000-0000-0000-000000000000"


def lowered(value: object) -> str | None:
    """A path of the resource manager; their case means nothing."""
    found = text(value)
    return (found.lower().rstrip("/") or "/") if found else None


def type_of(row: Fields) -> str | None:
    """The type of an object: what it says, its place in its id, or what only one tool's objects have."""
    stated = (text(row.get("type")) or "").lower()
    if stated.startswith("microsoft.authorization/"):
        return stated.rsplit("/", 1)[-1]
    place = _TYPE.search(lowered(row.get("id")) or "")
    if place is not None:
        return place.group(1)
    keys = row.keys()
    if {"scope", "objectid", "objecttype"} <= keys or {"principalid", "roledefinitionid", "scope"} <= keys or (
        {"principalname", "roledefinitionname", "scope"} <= keys
    ):
        return "roleassignments"
    return "roledefinitions" if {"assignablescopes", "iscustom", "actions"} <= keys else None


def merged(row: Fields) -> Fields:
    """The object with its ``properties`` beside its id, name and type."""
    inner = obj(row.get("properties"))
    return {**row, **{key: held for key, held in inner.items() if key not in ("id", "name", "type")},
            "inner_type": inner.get("type")}


def json_text(value: object) -> str:
    return msgspec.json.encode(value, order="sorted").decode()


def native_of(row: Fields) -> str | None:
    """The GUID an object is named by."""
    for key in ("name", "roleassignmentname", "id", "roleassignmentid"):
        found = text(row.get(key))
        if found is not None and (last := guid(found.rsplit("/", 1)[-1])):
            return last
    return lowered(row.get("id"))


def _principal(entry: Entry, row: Fields) -> Who:
    """Who holds, with the type the object states; classic administrators have an address only."""
    expanded = obj(obj(row.get("expandedproperties")).get("principal"))
    stated = name(row.get("principalid")) or name(row.get("objectid")) or name(expanded.get("id"))
    label = name(row.get("principalname")) or name(row.get("displayname")) or name(expanded.get("displayname"))
    login = name(row.get("signinname")) or name(expanded.get("email")) or label
    sort = text(row.get("principaltype")) or text(row.get("objecttype")) or text(expanded.get("type")) or ""
    if guid(stated) is None and login and "@" in login:
        stated = login.lower()
    app = sort.lower() == "serviceprincipal" and guid(label)
    return gov.seen(entry, stated, sort, None if app else label, login, "principalType")


def _role(row: Fields) -> tuple[str | None, str]:
    """Id and name of the role."""
    found = (text(row.get("roledefinitionid")) or "").rstrip("/").rsplit("/", 1)[-1].lower() or None
    expanded = obj(obj(row.get("expandedproperties")).get("roledefinition"))
    label = name(row.get("roledefinitionname")) or name(expanded.get("displayname"))
    return found, label or BUILT_IN.get(found or "", found or "")


def _scope(row: Fields) -> str | None:
    """Where it holds: as stated, else what the object lies under."""
    stated = lowered(row.get("scope")) or lowered(row.get("directoryscopeid"))
    if stated is not None:
        return stated
    before, found, _ = (lowered(row.get("id")) or "").partition("/providers/microsoft.authorization/")
    return (before or "/") if found else None


def read_assignment(entry: Entry, row: Fields, sort: str) -> None:
    """A role assignment, a schedule or an instance of one, as an entitlement."""
    who = _principal(entry, row)
    role, label = _role(row)
    if who.id is None or not label:
        raise RecordFault("no_principal", "a role assignment without principal or role")
    by = gov.seen(entry, row.get("createdby"))
    end = gov.when(row.get("enddatetime"))
    member = (text(row.get("membertype")) or "").lower()
    plain = sort == "roleassignments"
    condition = text(row.get("condition"))
    entry.add(
        tables.ENTITLEMENTS, principal_id=who.id, grant_kind="role", privilege=label, scope=_scope(row), effect="allow",
        state=None if plain else _state(row, sort, end), expires_at=end, grant_id=native_of(row) or role,
        granted_at=gov.when(row.get("startdatetime")) or gov.when(row.get("createdon")), granted_by=by.id,
        condition=json_text(condition) if condition and condition.lower() != "null" else None,
        origin="direct" if plain else {"group": "group_inherited", "inherited": "scope_inherited"}.get(member, "pim"),
        unmapped=entry.leftovers(KNOWN, _outer(row)))


def _outer(row: Fields) -> Fields:
    """What stood beside ``properties``; the content of those is not what unknown keys are looked for in."""
    inner = obj(row.get("properties"))
    return {key: held for key, held in gov.without_annotations(row).items() if key not in inner and key != "inner_type"}


def _state(row: Fields, sort: str, end: datetime | None) -> str | None:
    status = (text(row.get("status")) or "").lower()
    if status in PAST:
        return "expired"
    if status.startswith("pending"):
        return "pending"
    if sort.startswith("roleeligibility"):
        return "eligible"
    assigned = (text(row.get("assignmenttype")) or "").lower()
    return {"activated": "activated", "assigned": "timebound" if end else "standing"}.get(assigned)


def read_definition(entry: Entry, row: Fields, _: str) -> None:
    """A role definition: a resource, and what it allows as statements over where it may be assigned.

    ``not_actions`` of a statement are what Azure takes away from ``actions`` of the same statement.
    """
    role = native_of(row)
    if role is None:
        raise RecordFault("no_id", "a role definition without id")
    label = name(row.get("rolename")) or (name(row.get("name")) if guid(text(row.get("name"))) is None else None)
    scopes = sorted({s for s in (lowered(v) for v in _list(row.get("assignablescopes"))) if s})
    kind = text(row.get("roletype")) or text(row.get("inner_type"))
    custom = flag(row.get("iscustom"))
    key = identity_id(PROVIDER, entry.tenant, f"azure_role/{role}")
    built_in = (kind.lower() == "builtinrole") if kind else (None if custom is None else not custom)
    entry.add(tables.RESOURCES, id=key, kind="role", display_name=label or BUILT_IN.get(role),
              attributes=json_text({"built_in": built_in, "assignable_scopes": scopes}),
              unmapped=entry.leftovers(KNOWN, _outer(row)))
    for block in objects(row.get("permissions")) or ([row] if "actions" in row else []):
        _statements(entry, block, key, label or BUILT_IN.get(role, role), scopes or None, "allow")


def _list(value: object) -> list[Any]:
    found = embedded(value)
    return found if isinstance(found, list) else []


def _statements(entry: Entry, block: Fields, key: str, label: str, over: list[str] | None, effect: str) -> None:
    """What a permission block says, of operations and of operations on data."""
    for actions, but, note in (("actions", "notactions", ""), ("dataactions", "notdataactions", " (data)")):
        held, less = (sorted({t for v in _list(block.get(k)) if (t := text(v))}) for k in (actions, but))
        if held:
            entry.add(tables.ENTITLEMENTS, principal_id=key, grant_kind="statement", privilege=f"{label}{note}",
                      effect=effect, actions=held, not_actions=less or None, resources=over, origin="role_definition")


def read_deny(entry: Entry, row: Fields, _: str) -> None:
    """A deny assignment: a right taken from each of its principals, and the statement of what is denied."""
    denied = native_of(row)
    scope = _scope(row)
    label = name(row.get("denyassignmentname")) or denied or "deny assignment"
    key = identity_id(PROVIDER, entry.tenant, f"azure_deny_assignment/{denied}")
    excluded = sorted({spared for held in objects(row.get("excludeprincipals"))
                       if (spared := native(name(held.get("id"))))})
    for held in objects(row.get("principals")):
        everyone = text(held.get("id")) == _EVERYONE
        who = Who(identity_id(PROVIDER, entry.tenant, "everyone")) if everyone else gov.seen(
            entry, held.get("id"), text(held.get("type")) or "", held.get("displayname"), basis="principal type")
        if who.id is not None:
            entry.add(tables.ENTITLEMENTS, principal_id=who.id, grant_kind="right", privilege=label, scope=scope,
                      effect="deny", grant_id=denied, origin="deny_assignment",
                      condition=json_text({"except": excluded}) if excluded else None,
                      unmapped=entry.leftovers(KNOWN, _outer(row)))
    for block in objects(row.get("permissions")):
        _statements(entry, block, key, label, [scope] if scope else None, "deny")


def read_policy(entry: Entry, row: Fields, _: str) -> None:
    """What activating a role over a scope asks for."""
    rules = objects(row.get("effectiverules")) or objects(row.get("rules"))
    entry.add(tables.RESOURCES, id=identity_id(PROVIDER, entry.tenant, f"role_policy/{lowered(row.get('id'))}"),
              kind="policy", display_name=name(row.get("displayname")), unmapped=entry.leftovers(KNOWN, _outer(row)),
              attributes=json_text({"role": _role(row)[0], "scope": _scope(row), **activation_rules(rules)}))


def read_approval(entry: Entry, row: Fields, _: str) -> None:
    """The reviewed stages of an approval as decisions."""
    key = native_of(row)
    stages = [{**stage, **obj(stage.get("properties"))} for stage in objects(row.get("stages"))]
    for stage in stages:
        by = obj(stage.get("reviewedby"))
        stage["reviewedby"] = {"id": by.get("principalid") or by.get("id"), "type": by.get("principaltype") or "user",
                               "displayname": by.get("principalname"), "userprincipalname": by.get("userprincipalname")}
    if key is not None:
        add_stages(entry, stages, "pim_request_id", key, "approval")


def read_request(entry: Entry, row: Fields, sort: str) -> None:
    """A request as steps: that it was made, and what became of it by its status.

    No time of completion is stated: the start of the schedule, set when a request is carried out, stands for it.
    """
    who, (role, label), scope = _principal(entry, row), _role(row), _scope(row)
    by = gov.seen(entry, row.get("requestorid")) if name(row.get("requestorid")) else NOBODY
    asked = entry.time(row.get("createdon"), "createdOn")
    action = text(row.get("requesttype")) or "unknown"
    verb = "revoke" if any(word in action.lower() for word in ("remove", "deactivate")) else "grant"
    request = native_of(row)
    holder = who.id.split(":", 2)[2] if who.id else None
    target = f"{PROVIDER}:{entry.tenant or ''}:role/{role}|{holder}|{scope}" if holder and role and scope else None
    parameter = "|eligible" if sort.startswith("roleeligibility") else ""
    schedule = obj(row.get("scheduleinfo"))
    own = action.lower().startswith("self")
    base: dict[str, Any] = {
        "operation": action + (" (PIM deactivate)" if action.lower() == "selfdeactivate" else ""),
        "initiator_id": by.id or (who.id if own else None), "target_key": target,
        "effect_key": f"{verb}({target}{parameter})" if target else None, "native_key_kind": "pim_request_id",
        "native_key": request, "correlation_id": _approval_of(row), **gov.tickets(row),
        "justification_present": gov.reason_given(row), "title": f"{action}: {label} over {scope}", "event_id": request,
        "expires_at": gov.end_of(schedule) if verb == "grant" else None,
    }
    status = (text(row.get("status")) or "").lower()
    entry.step("request", kind="request", time=asked, capacity="requester", **{
        **base, **by.acting(), "status": "pending" if status.startswith("pending") else "succeeded"})
    start = gov.when(schedule.get("startdatetime"))
    ending = request_ending(status, verb, dated=start is not None)
    if ending is not None:
        entry.step(ending["kind"], time=max(asked, start or asked), **{
            **base, **carried_out(by, ending["kind"]), **ending})


def _approval_of(row: Fields) -> str | None:
    found = text(row.get("approvalid"))
    return native(found.rsplit("/", 1)[-1]) if found else None
