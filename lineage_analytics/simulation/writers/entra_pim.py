"""Role management of the directory: requests, who holds or may activate a role, approvals, definitions, policies.

Pages of requests overlap, and assignments are exported twice: as pages of the API and as a table.
"""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from lineage_analytics.simulation import names
from lineage_analytics.simulation.chapters._roles import noted, stage_id
from lineage_analytics.simulation.model import END
from lineage_analytics.simulation.writers.files import as_csv, as_json, put

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime
    from pathlib import Path

    from lineage_analytics.simulation.model import Actor, Assignment, RoleRequest, World

Row = dict[str, Any]
_CONTEXT = "https://graph.microsoft.com/v1.0/$metadata#roleManagement/directory/"
_ROLES = dict(names.DIRECTORY_ROLES)
_PAGE, _OVERLAP = 150, 2


def write(directory: Path, world: World) -> int:
    """Every kind of object in its own pages."""
    eligible = [r for r in world.role_requests if r.flow == "eligibility"]
    active = [r for r in world.role_requests if r.flow != "eligibility"]
    here = people(world)
    held = [_instance(a, here) for a in world.assignments if _in_force(a)]
    kinds: dict[str, Sequence[Row]] = {
        "roleAssignmentScheduleRequests": [_request(r) for r in _newest_first(active)],
        "roleEligibilityScheduleRequests": [_request(r) for r in _newest_first(eligible)],
        "roleAssignmentScheduleInstances": [row for row in held if "assignmentType" in row],
        "roleEligibilityScheduleInstances": [row for row in held if "assignmentType" not in row],
        "roleAssignmentApprovals": [_approval(r) for r in _newest_first(active) if r.answer is not None],
        "roleDefinitions": [_definition(name, role) for name, role in names.DIRECTORY_ROLES],
        "roleManagementPolicyAssignments": [_policy(name, role) for name, role in names.DIRECTORY_ROLES],
    }
    for kind, rows in kinds.items():
        pages(directory, kind, _CONTEXT + kind, rows)
    put(directory / "roleAssignmentScheduleInstances.csv.gz", _table(kinds["roleAssignmentScheduleInstances"]))
    return sum(map(len, kinds.values()))


def pages(directory: Path, kind: str, context: str, rows: Sequence[Row]) -> None:
    """Pages of the API, each repeating the end of the one before."""
    for number, start in enumerate(range(0, max(len(rows), 1), _PAGE), 1):
        page: Row = {"@odata.context": context}
        if start + _PAGE < len(rows):
            page["@odata.nextLink"] = f"{context.partition('$')[0]}{kind}?$skiptoken=synthetic-{number}"
        page["value"] = rows[max(start - _OVERLAP, 0):start + _PAGE]
        put(directory / f"{kind}-{number:02d}.json.gz", as_json(page))


def people(world: World) -> dict[str, tuple[str, str]]:
    """Name and login of every account of a person, by object id."""
    found = {p.object_id: (p.name, p.login) for p in (*world.persons, *world.guests)}
    return found | {p.admin_id: (f"{p.name} (admin)", p.admin_login) for p in world.persons if p.admin_id}


def graph_time(time: datetime | None) -> str | None:
    return time.strftime("%Y-%m-%dT%H:%M:%S.") + f"{time.microsecond // 1000:03d}Z" if time else None


def _newest_first(requests: Iterable[RoleRequest]) -> list[RoleRequest]:
    return sorted(requests, key=lambda r: (r.asked.time, r.request_id), reverse=True)


def _request(request: RoleRequest) -> Row:
    ended = request.done or request.answer
    person = request.person
    name, login = (f"{person.name} (admin)", person.admin_login) if request.admin else (person.name, person.login)
    return {
        "id": request.request_id, "status": _status(request),
        "createdDateTime": graph_time(noted(request, request.asked.time)),
        "completedDateTime": graph_time(noted(request, ended.time)) if ended else None,
        "approvalId": request.request_id if request.answer or not request.done else None, "customData": None,
        "action": "selfActivate" if request.flow == "activation" else "adminAssign", "principalId": request.holder,
        "roleDefinitionId": request.role[1], "directoryScopeId": "/", "appScopeId": None, "isValidationOnly": False,
        "targetScheduleId": request.request_id if request.done else None, "justification": request.reason,
        "createdBy": _identity_set(request.requester),
        "scheduleInfo": {"startDateTime": graph_time(noted(request, (ended or request.asked).time)),
                         "recurrence": None, "expiration": _expiration(request)},
        "ticketInfo": {"ticketNumber": request.ticket or None,
                       "ticketSystem": "ServiceNow (synthetic)" if request.ticket else None},
        "principal": {"@odata.type": "#microsoft.graph.user", "id": request.holder, "displayName": name,
                      "userPrincipalName": login},
    }


def _status(request: RoleRequest) -> str:
    return "Provisioned" if request.done else "Denied" if request.answer else "PendingApproval"


def _expiration(request: RoleRequest) -> Row:
    if request.until is None:
        return {"type": "noExpiration", "endDateTime": None, "duration": None}
    return {"type": "afterDateTime", "endDateTime": graph_time(request.until), "duration": None}


def _identity_set(actor: Actor) -> Row:
    if actor.agent is not None:
        return {"application": {"displayName": actor.agent.name, "id": actor.agent.object_id}, "device": None,
                "user": None}
    return {"application": None, "device": None, "user": {"displayName": None, "id": actor.object_id}}


def _approval(request: RoleRequest) -> Row:
    answer = request.answer
    assert answer is not None  # noqa: S101  (chosen so)
    person = answer.actor.person
    return {"id": request.request_id, "stages": [{
        "id": stage_id(request), "displayName": None, "assignedToMe": False, "status": "Completed",
        "reviewResult": "Deny" if request.denied else "Approve", "justification": "synthetic",
        "reviewedDateTime": graph_time(noted(request, answer.time)),
        "reviewedBy": {"id": answer.actor.object_id, "displayName": person.name if person else None,
                       "userPrincipalName": _login(answer.actor)}}]}


def _login(actor: Actor) -> str | None:
    if actor.person is None:
        return None
    return actor.person.admin_login if actor.admin else actor.person.login


def _in_force(held: Assignment) -> bool:
    return held.role in _ROLES and (held.until is None or held.until > END)


def _instance(held: Assignment, here: dict[str, tuple[str, str]]) -> Row:
    name, login = here[held.holder]
    role = _ROLES[held.role]
    since = held.since or END - timedelta(days=800)
    schedule = str(uuid.uuid5(uuid.NAMESPACE_URL, f"synthetic/{held.holder}/{role}/{since}/{held.state}"))
    row: Row = {
        "id": f"synthetic-{schedule}", "principalId": held.holder, "roleDefinitionId": role, "directoryScopeId": "/",
        "appScopeId": None, "startDateTime": graph_time(since), "endDateTime": graph_time(held.until),
        "memberType": "Direct",
        "principal": {"@odata.type": "#microsoft.graph.user", "id": held.holder, "displayName": name,
                      "userPrincipalName": login},
        "roleDefinition": {"id": role, "displayName": held.role, "isBuiltIn": True},
    }
    if held.state == "eligible":
        return row | {"roleEligibilityScheduleId": schedule}
    return row | {"assignmentType": "Activated" if held.state == "activated" else "Assigned",
                  "roleAssignmentOriginId": f"synthetic-{schedule}", "roleAssignmentScheduleId": schedule}


def _table(rows: Sequence[Row]) -> bytes:
    """The same objects as a table, with what is nested in JSON."""
    header = list(rows[0]) if rows else []
    return as_csv(header, [[as_json(v).decode() if isinstance(v, dict) else v for v in row.values()] for row in rows])


def _definition(name: str, role: str) -> Row:
    area = name.split(maxsplit=1)[0].lower()
    return {"id": role, "templateId": role, "displayName": name, "description": "synthetic", "isBuiltIn": True,
            "isEnabled": True, "version": "1", "resourceScopes": ["/"], "inheritsPermissionsFrom": [],
            "isPrivileged": name in names.PRIVILEGED_ROLES,
            "rolePermissions": [{"allowedResourceActions": [f"microsoft.directory/{area}s/allProperties/allTasks"],
                                 "condition": None}]}


def _policy(name: str, role: str) -> Row:
    """Some roles need an approval to activate; activation ends after eight hours; assignment for good is allowed."""
    return {
        "id": f"DirectoryRole_synthetic_{role}", "policyId": f"DirectoryRole_synthetic_{role}", "scopeId": "/",
        "scopeType": "DirectoryRole", "roleDefinitionId": role,
        "policy": {"id": f"DirectoryRole_synthetic_{role}", "displayName": "DirectoryRole", "rules": [
            {"@odata.type": "#microsoft.graph.unifiedRoleManagementPolicyApprovalRule",
             "id": "Approval_EndUser_Assignment",
             "setting": {"isApprovalRequired": name in names.APPROVAL_NEEDED, "approvalStages": []}},
            {"@odata.type": "#microsoft.graph.unifiedRoleManagementPolicyExpirationRule",
             "id": "Expiration_EndUser_Assignment", "isExpirationRequired": True, "maximumDuration": "PT8H"},
            {"@odata.type": "#microsoft.graph.unifiedRoleManagementPolicyExpirationRule",
             "id": "Expiration_Admin_Assignment", "isExpirationRequired": False, "maximumDuration": "P365D"}]},
    }
