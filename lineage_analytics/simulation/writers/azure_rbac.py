"""Role-based access control of Azure: assignments as the command line lists them, schedules and requests of the API.

Assignments are exported twice, as JSON and as a table. Only of production the export says which of them end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lineage_analytics.simulation.chapters._subscriptions import ROLES
from lineage_analytics.simulation.writers.entra_pim import graph_time
from lineage_analytics.simulation.writers.files import as_csv, as_json, pretty, put

if TYPE_CHECKING:
    from pathlib import Path

    from lineage_analytics.simulation.chapters._subscriptions import Activation, Azure, Held
    from lineage_analytics.simulation.model import World

Row = dict[str, Any]
_AUTHORIZATION = "/providers/Microsoft.Authorization/"
_ACTIONS = {
    "Owner": (["*"], []), "Contributor": (["*"], ["Microsoft.Authorization/*/Delete", "Microsoft.Authorization/*/Write",
                                                 "Microsoft.Authorization/elevateAccess/Action"]),
    "Reader": (["*/read"], []), "User Access Administrator": (["*/read", "Microsoft.Authorization/*"], []),
    "Key Vault Secrets User": ([], []),
}


def write(directory: Path, world: World) -> int:
    """Every kind of object in its own file; returns how many distinct ones there are."""
    made: Azure = world.cast["azure"]
    flat = [_flat(held) for held in made.held]
    put(directory / "role-assignments.json", pretty(flat))
    put(directory / "role-assignments.csv", as_csv(list(flat[0]), [row.values() for row in flat]))  # type: ignore[misc]
    put(directory / "role-definitions.json.gz", as_json([_definition(made, role) for role in ROLES]))
    production = [held for held in made.held if held.scope == made.production]
    kinds = {
        "roleAssignmentScheduleInstances": [_instance(made, h, "roleAssignmentScheduleInstances") for h in production],
        "roleEligibilityScheduleInstances": [
            _instance(made, h, "roleEligibilityScheduleInstances") for h in made.eligible],
        "roleAssignmentScheduleRequests": [_request(made, one) for one in made.activations],
        "roleAssignmentApprovals": [_approval(one) for one in made.activations],
        "roleManagementPolicyAssignments": [_policy(made)],
        "denyAssignments": [_deny(world, made)],
    }
    for kind, rows in kinds.items():
        put(directory / f"{kind}.json.gz", as_json({"value": rows}))
    return len(flat) + len(ROLES) + sum(map(len, kinds.values()))


def _flat(held: Held) -> Row:
    return {
        "condition": None, "conditionVersion": None, "createdBy": held.by, "createdOn": graph_time(held.since),
        "delegatedManagedIdentityResourceId": None, "description": "synthetic",
        "id": f"{held.scope.rstrip('/')}{_AUTHORIZATION}roleAssignments/{held.name}", "name": held.name,
        "principalId": held.holder, "principalName": held.label, "principalType": held.sort,
        "roleDefinitionId": _role(held.scope, held.role), "roleDefinitionName": held.role, "scope": held.scope,
        "type": "Microsoft.Authorization/roleAssignments", "updatedBy": held.by, "updatedOn": graph_time(held.since),
    }


def _role(scope: str, role: str) -> str:
    return f"{scope.rstrip('/')}{_AUTHORIZATION}roleDefinitions/{ROLES[role]}"


def _object(made: Azure, kind: str, name: str, properties: Row) -> Row:
    return {"id": f"{made.production}{_AUTHORIZATION}{kind}/{name}", "name": name,
            "type": f"Microsoft.Authorization/{kind}", "properties": properties}


def _definition(made: Azure, role: str) -> Row:
    actions, less = _ACTIONS[role]
    data = ["Microsoft.KeyVault/vaults/secrets/getSecret/action"] if role.startswith("Key Vault") else []
    return {"id": _role(made.production, role), "name": ROLES[role], "roleName": role, "roleType": "BuiltInRole",
            "type": "Microsoft.Authorization/roleDefinitions", "assignableScopes": ["/"], "description": "synthetic",
            "permissions": [{"actions": actions, "notActions": less, "dataActions": data, "notDataActions": []}]}


def _principal(held: Held) -> Row:
    return {"id": held.holder, "displayName": held.label, "type": held.sort,
            **({"email": held.label} if held.sort == "User" else {})}


def _instance(made: Azure, held: Held, kind: str) -> Row:
    assigned = {"assignmentType": "Assigned"} if kind.startswith("roleAssignment") else {}
    return _object(made, kind, held.name, {
        "scope": held.scope, "roleDefinitionId": _role(held.scope, held.role), "principalId": held.holder,
        "principalType": held.sort, "status": "Provisioned", "startDateTime": graph_time(held.since),
        "endDateTime": None, "memberType": "Direct", "createdOn": graph_time(held.since), **assigned,
        "expandedProperties": {"principal": _principal(held), "scope": {"displayName": "production (synthetic)"},
                               "roleDefinition": {"displayName": held.role, "type": "BuiltInRole"}}})


def _request(made: Azure, one: Activation) -> Row:
    return _object(made, "roleAssignmentScheduleRequests", one.request_id, {
        "scope": made.production, "roleDefinitionId": _role(made.production, "Owner"),
        "principalId": one.person.admin_id, "principalType": "User", "requestType": "SelfActivate",
        "status": "Provisioned", "approvalId": f"{_AUTHORIZATION}roleAssignmentApprovals/{one.request_id}",
        "scheduleInfo": {"startDateTime": graph_time(one.started), "expiration": {
            "type": "AfterDuration", "endDateTime": None, "duration": "PT8H"}},
        "ticketInfo": {"ticketNumber": None, "ticketSystem": None}, "justification": "synthetic",
        "requestorId": one.person.admin_id, "createdOn": graph_time(one.noted)})


def _approval(one: Activation) -> Row:
    return {
        "id": f"{_AUTHORIZATION}roleAssignmentApprovals/{one.request_id}", "name": one.request_id,
        "type": "Microsoft.Authorization/roleAssignmentApprovals", "properties": {"stages": [{
            "id": one.stage_id, "properties": {
                "displayName": None, "status": "Completed", "assignedToMe": False, "reviewResult": "Approve",
                "justification": "synthetic", "reviewedDateTime": graph_time(one.approved), "reviewedBy": {
                    "principalId": one.approver.admin_id, "principalType": "user",
                    "principalName": one.approver.name, "userPrincipalName": one.approver.admin_login}}}]}}


def _policy(made: Azure) -> Row:
    name = f"synthetic_{ROLES['Owner']}"
    return _object(made, "roleManagementPolicyAssignments", name, {
        "scope": made.production, "roleDefinitionId": _role(made.production, "Owner"),
        "policyId": f"{made.production}{_AUTHORIZATION}roleManagementPolicies/{name}", "effectiveRules": [
            {"id": "Approval_EndUser_Assignment", "ruleType": "RoleManagementPolicyApprovalRule",
             "setting": {"isApprovalRequired": True, "approvalStages": []}},
            {"id": "Expiration_EndUser_Assignment", "ruleType": "RoleManagementPolicyExpirationRule",
             "isExpirationRequired": True, "maximumDuration": "PT8H"}]})


def _deny(world: World, made: Azure) -> Row:
    return _object(made, "denyAssignments", world.tenant, {
        "denyAssignmentName": "no one deletes the vault (synthetic)", "scope": made.vault,
        "permissions": [{"actions": ["Microsoft.KeyVault/vaults/delete"], "notActions": [], "dataActions": [],
                         "notDataActions": []}],
        "principals": [{"id": "00000000-0000-0000-0000-000000000000", "type": "SystemDefined"}],
        "excludePrincipals": [], "isSystemProtected": True})
