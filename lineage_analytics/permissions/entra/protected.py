"""Whom an administrator may not touch: people with stronger roles, groups that hold roles."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from lineage_analytics.permissions.entra.assignments import OWNER, Grants
from lineage_analytics.permissions.entra.datafiles import EVERYBODY, directory_roles, graph_permissions, resets
from lineage_analytics.permissions.entra.languages import DIRECTORY

if TYPE_CHECKING:
    from lineage_analytics.permissions.entra.objects import Objects
    from lineage_analytics.permissions.memberships import Memberships

_ENTITY = "microsoft.directory/"
_SENSITIVE = ("password/", "authenticationmethods/", "invalidateallrefreshtokens", "delete", "disable", "enable",
              "restore", "userprincipalname/")


class Protected:
    """Who holds which directory role, as far as it protects against administrators.

    Eligible roles protect nobody until they are activated, so they do not count; roles held through groups do.
    """

    def __init__(self, objects: Objects, grants: Grants, groups: Memberships) -> None:
        self._objects = objects
        self._groups = groups
        self.roles: dict[str, set[str]] = defaultdict(set)
        self.owners: dict[str, set[str]] = defaultdict(set)
        self.assignable: set[str] = {one.id for one in objects.by_id.values() if one.subkind == "role_assignable"}
        self.inventoried = grants.inventoried[DIRECTORY]
        for holder, held in grants.held[DIRECTORY].items():
            for one in held:
                if one.role.startswith(OWNER):
                    self.owners[holder].add(one.scope or "")
                elif not one.eligible:
                    self.roles[holder].add(one.role)
        for holder in self.roles:
            if holder in objects.by_id and objects.by_id[holder].kind == "group":
                self.assignable.add(holder)

    def roles_of(self, user: str) -> set[str]:
        """Directory roles a user holds, directly or through groups."""
        found = set(self.roles.get(user, ()))
        for group, step in self._groups.above(user).items():
            if not step.conditional:
                found |= self.roles.get(group, set())
        return found

    def resetters(self, user: str) -> frozenset[str]:
        """The roles that may set a user's password, besides those that may set everybody's."""
        if self.assignable & (self._groups.above(user).keys() | self.owners.get(user, set())):
            return frozenset()
        held = self.roles_of(user)
        allowed = [resets().get(role.casefold(), frozenset()) for role in held] or [resets().get("", frozenset())]
        return frozenset.intersection(*allowed)

    def against(self, role: str, action: str, resource: str) -> str | None:
        """Why a role does not reach an object with an action; None: nothing protects it."""
        target = self._objects.by_id.get(resource)
        lowered = action.casefold()
        if target is None or not lowered.startswith(_ENTITY) or _everybody(role):
            return None
        entity, _, rest = lowered.removeprefix(_ENTITY).partition("/")
        if entity == "users" and target.sort == "user" and rest.startswith(_SENSITIVE):
            return None if role in self.resetters(resource) else self._why(role, resource)
        if entity == "groups" and resource in self.assignable and not role.startswith(OWNER):
            return "it does not reach groups that roles can be assigned to"
        return None


    def _why(self, role: str, user: str) -> str | None:
        """Why a role does not reach a user whose password it may not set; a custom role reaches those without any."""
        held = ", ".join(sorted(self.roles_of(user)))
        if held:
            return f"it does not reach who holds {held}"
        if not self.resetters(user):
            return "it does not reach members and owners of groups that roles can be assigned to"
        return "it does not reach users" if role.casefold() in directory_roles() else None


def _everybody(role: str) -> bool:
    """Does the role reach everybody, administrators too?"""
    power = directory_roles().get(role.casefold()) or graph_permissions().get(role.casefold())
    return power is not None and any(reach.sure and reach.what in EVERYBODY for reach in power.reaches)
