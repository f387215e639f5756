"""What principals of the thought-up directory hold, worked out from the story without the package's own code.

A person is privileged by a directory role that leads to others' identities, by a role that changes a subscription, or
as owner of an application; software by the permissions of Microsoft Graph it was given. Which of these weigh most is
written here once more, from the vendor's documents.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lineage_analytics.simulation.model import END
from lineage_analytics.simulation.truth_holdings import Holding

if TYPE_CHECKING:
    from lineage_analytics.simulation.chapters._directory_cast import Directory
    from lineage_analytics.simulation.model import World

_ROLES = frozenset({
    "Helpdesk Administrator", "User Administrator", "Application Administrator", "Exchange Administrator",
    "Groups Administrator", "Owner", "Contributor", "User Access Administrator"})
_HEAVY = frozenset({"User.ReadWrite.All", "Directory.AccessAsUser.All", "RoleManagement.ReadWrite.Directory"})
_EVERYWHERE = frozenset({"User.ReadWrite.All", "Sites.FullControl.All"})
_AGENTS = "RoleManagement.ReadWrite.Directory"


def software(world: World) -> dict[str, Holding]:
    """By native id, where a listing of the directory tells of application permissions; empty where there is none."""
    found: Directory | None = world.cast.get("directory")
    if found is None:
        return {}
    held: dict[str, set[str]] = {account.native_id: set() for account in found.accounts}
    own: dict[str, set[str]] = {}
    for app in found.apps.values():
        own[app.principal.native_id] = set(app.roles)
        held[app.principal.native_id] |= own[app.principal.native_id]
    pairs: dict[str, set[str]] = {}
    for consent in found.consents:
        pairs.setdefault(consent.app.principal.native_id, set()).update(consent.scope.split())
    for native, scopes in pairs.items():
        held[native] |= scopes
    holdings = {native: Holding(len(names), bool(own.get(native, set()) & _EVERYWHERE), bool(names & _HEAVY))
                for native, names in held.items()}
    agent = world.agents[0].object_id
    return holdings | {agent: Holding(1, privileged=_AGENTS in _HEAVY, admin=True)}


def privileged_people(world: World) -> set[str]:
    """Object ids of those whom a listing, or the log of assignments, shows as privileged."""
    # What was given past the management of roles is in no log of assignments.
    told = {"directory", "active_directory", "azure", "governance"} & world.cast.keys()
    people = {one.holder for one in world.assignments
              if one.role in _ROLES and not one.software and (one.until is None or one.until > END)
              and (told or one.state != "standing")}
    # Whoever is not on the customer's list is not listed at all, nor is somebody who has left.
    gone = {one for p in world.persons if not p.declared or p.left_on is not None for one in (p.object_id, p.admin_id)}
    found: Directory | None = world.cast.get("directory")
    if found is None:
        return people - gone
    for app in found.apps.values():
        if app.owner is not None and app.registration is not None:
            people.add(app.owner.object_id)
    return people - gone
