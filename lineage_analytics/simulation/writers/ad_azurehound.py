"""An AzureHound collection of the directory: people it lists, the AI agent's principal, roles and who holds them.

What the customer declares is listed; others, guests among them, the collector's account was not let to read. The roles
stand again as lines, as a pipeline forwards them.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from lineage_analytics.simulation.dice import Dice
from lineage_analytics.simulation.model import END, NAME
from lineage_analytics.simulation.names import DIRECTORY_ROLES
from lineage_analytics.simulation.writers.files import as_json, put, zulu

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lineage_analytics.simulation.model import Assignment, Person, World

Json = dict[str, Any]
_APPROVED = frozenset({"User Administrator", "Application Administrator", "Exchange Administrator"})


def write(directory: Path, world: World) -> int:
    """One mixed file; gives the number of entries."""
    if "active_directory" not in world.cast:
        return 0
    tenant = _entry("AZTenant", id=f"/tenants/{world.tenant}", tenantId=world.tenant, displayName=NAME)
    roles = list(_roles(world))
    entries = [tenant, *(user for person in world.persons if person.declared for user in _users(world, person)),
               *_principals(world), *roles]
    put(directory / "azurehound.json.gz", as_json({"data": entries, "meta": {
        "type": "azure", "version": 5, "count": len(entries)}}))
    put(directory / "roles.ndjson.gz", b"".join(as_json(entry) + b"\n" for entry in (tenant, *roles)))
    return len(entries)


def _entry(kind: str, **data: Any) -> Json:
    return {"kind": kind, "data": {key: value for key, value in data.items() if value is not False}}


def _users(world: World, person: Person) -> Iterator[Json]:
    active = person.left_on is None
    shared = {"tenantId": world.tenant, "tenantName": NAME, "userType": "Member", "accountEnabled": active}
    synced = {"onPremisesSecurityIdentifier": person.sid, "onPremisesSyncEnabled": True} if person.sid else {}
    yield _entry("AZUser", id=person.object_id, displayName=person.name, userPrincipalName=person.login,
                 mail=person.login, **shared, **synced)
    if person.admin_id:
        yield _entry("AZUser", id=person.admin_id, displayName=f"{person.name} (admin)",
                     userPrincipalName=person.admin_login, **shared)


def _principals(world: World) -> Iterator[Json]:
    for agent in world.agents:
        yield _entry("AZServicePrincipal", id=agent.object_id, appId=agent.app_id, tenantId=world.tenant,
                     displayName=agent.name, servicePrincipalType="Application", accountEnabled=True,
                     appOwnerOrganizationId=world.tenant)


def _roles(world: World) -> Iterator[Json]:
    """Roles, what activating them asks for, and who holds them or may activate them at the end."""
    listed = {native for person in world.persons if person.declared
              for native in (person.object_id, person.admin_id) if native}
    held: dict[str, list[Assignment]] = defaultdict(list)
    for one in world.assignments:
        if one.holder in listed and (one.until is None or one.until > END):
            held[one.role].append(one)
    approver = next(p for p in world.persons if p.admin_id)
    dice = Dice(world.seed, "azurehound")
    for role, native in DIRECTORY_ROLES:
        yield _entry("AZRole", id=native, templateId=native, tenantId=world.tenant, displayName=role, isBuiltIn=True,
                     isEnabled=True)
        active = sorted({one.holder for one in held[role] if one.state != "eligible"})
        yield _entry("AZRoleAssignment", roleDefinitionId=native, tenantId=world.tenant, roleAssignments=[
            {"id": dice.guid(), "roleDefinitionId": native, "principalId": holder, "directoryScopeId": "/"}
            for holder in active])
        yield _entry(
            "AZRoleManagementPolicyAssignment", id=f"DirectoryRole_{native}", roleDefinitionId=native,
            tenantId=world.tenant, endUserAssignmentRequiresApproval=role in _APPROVED,
            endUserAssignmentUserApprovers=[approver.object_id] if role in _APPROVED else [],
            endUserAssignmentGroupApprovers=[], endUserAssignmentRequiresMFA=True,
            endUserAssignmentRequiresJustification=True, endUserAssignmentRequiresTicketInformation=False)
        for holder in sorted({one.holder for one in held[role] if one.state == "eligible"}):
            yield _entry("AZRoleEligibilityScheduleInstance", id=dice.guid(), roleDefinitionId=native,
                         principalId=holder, directoryScopeId="/", tenantId=world.tenant,
                         startDateTime=zulu(world.start + timedelta(hours=8)))
