"""What can be taken over in a directory, as nodes: everything, all users, users by who may reset them, applications.

Each is one node with an edge to everything in it, so that a hundred holders of a role over a thousand users make eleven
hundred edges. Nodes of kind scope are no hop of their own.
"""

from __future__ import annotations

from collections import defaultdict
from functools import cached_property
from typing import TYPE_CHECKING

from lineage_analytics.permissions.entra.objects import tenant_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from lineage_analytics.graphs.access.parts import Builder
    from lineage_analytics.permissions.entra.book import Estate
    from lineage_analytics.permissions.entra.datafiles import Reach
    from lineage_analytics.permissions.entra.objects import Object

DIRECTORY, APPLICATIONS, USERS, PLAIN, GROUPS, ALL_GROUPS, AGENTS = (
    "tenant", "applications", "all_users", "plain_users", "groups", "all_groups", "agents")
_WORDS = {APPLICATIONS: "applications and service principals", USERS: "users", PLAIN: "users without a role",
          GROUPS: "groups no role can be assigned to", ALL_GROUPS: "groups", AGENTS: "blueprints of agents"}
_BLUEPRINTS = frozenset({"agent_blueprint", "agent_blueprint_principal"})
_NO_CREDENTIALS = frozenset({"agent_identity", "first_party"})


def directory_node(build: Builder, tenant: str) -> str:
    """The node for control of a whole directory: who has it has tier 0."""
    node = build.node(f"entra:{tenant}:directory", "resource", f"Entra directory {tenant}".rstrip(), tenant, "entra")
    build.tier0(node)
    return node


class Targets:
    """The nodes of one estate, each with its edges once it is first asked for."""

    def __init__(self, have: Estate, build: Builder) -> None:
        self.have = have
        self.build = build
        self._made: dict[tuple[str, str], str] = {}

    @cached_property
    def _by_tenant(self) -> dict[str, list[Object]]:
        found: dict[str, list[Object]] = defaultdict(list)
        for one in self.have.objects.by_id.values():
            found[tenant_of(one.id)].append(one)
        return found

    @cached_property
    def _classes(self) -> dict[str, dict[frozenset[str], list[str]]]:
        """Users by directory and by the roles that may reset their password."""
        found: dict[str, dict[frozenset[str], list[str]]] = defaultdict(lambda: defaultdict(list))
        for tenant, objects in self._by_tenant.items():
            for one in objects:
                if one.sort == "user":
                    found[tenant][self.have.protected.resetters(one.id)].append(one.id)
        return found

    def reached(self, tenant: str, role: str, reach: Reach) -> list[tuple[str, bool]]:
        """The nodes a role or permission reaches, and whether that is sure."""
        if reach.what == "users":
            known = tenant in self.have.protected.inventoried
            return [(self._class(tenant, by, users), reach.sure and known)
                    for by, users in sorted(self._classes[tenant].items(), key=lambda item: sorted(item[0]))
                    if role in by or (not reach.sure and by)]
        return [(self.node(tenant, reach.what), reach.sure)]

    def covers(self, target: Object, role: str, reach: Reach) -> bool:
        """Does a role over a part of the directory take over an object in that part?"""
        if reach.what == "users":
            return target.sort == "user" and role in self.have.protected.resetters(target.id)
        if reach.what in {DIRECTORY, PLAIN}:
            return False
        return self._fits(reach.what)(target)

    def node(self, tenant: str, what: str) -> str:
        """The node for everything of a sort in a directory."""
        if (tenant, what) not in self._made:
            self._made[tenant, what] = self._make(tenant, what)
        return self._made[tenant, what]

    def _make(self, tenant: str, what: str) -> str:
        if what == DIRECTORY:
            node = directory_node(self.build, tenant)
            for part in (USERS, APPLICATIONS, ALL_GROUPS):
                self.build.edge(node, "controls", self.node(tenant, part), "who controls the directory controls it",
                                technique="control it through the directory")
            return node
        members = [one.id for one in self._by_tenant.get(tenant, ()) if self._fits(what)(one)]
        return self._scope(tenant, what, _WORDS[what], members)

    def _fits(self, what: str) -> Callable[[Object], bool]:
        protected = self.have.protected
        return {
            USERS: lambda one: one.sort == "user",
            PLAIN: lambda one: one.sort == "user" and not protected.roles_of(one.id),
            APPLICATIONS: lambda one: one.sort in {"application", "service principal"} and one.kind != "workload"
            and one.subkind not in _NO_CREDENTIALS,
            GROUPS: lambda one: one.kind == "group" and one.id not in protected.assignable,
            ALL_GROUPS: lambda one: one.kind == "group",
            AGENTS: lambda one: one.subkind in _BLUEPRINTS,
        }[what]

    def _class(self, tenant: str, by: frozenset[str], users: list[str]) -> str:
        named = "+".join(sorted(by))
        if (tenant, f"users:{named}") not in self._made:
            self._made[tenant, f"users:{named}"] = self._scope(
                tenant, f"users:{named}", f"users whose password {', '.join(sorted(by))} may set", users)
        return self._made[tenant, f"users:{named}"]

    def _scope(self, tenant: str, name: str, label: str, members: Iterable[str]) -> str:
        node = self.build.node(f"entra:{tenant}:scope:{name}", "scope", label, tenant, "entra")
        for member in members:
            self.build.edge(node, "controls", member, f"it is one of the {label}")
        return node
