"""Which Azure resource lies in which scope: by its path, and by the management groups that are loaded."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from lineage_analytics.facts import Facts

ROOT = "/"
GROUPS = "/providers/microsoft.management/managementgroups/"


def path_of(resource: str) -> str:
    """A path of the resource manager as it is compared: lower case, no slash at its end."""
    return resource.lower().rstrip("/") or ROOT


def is_path(resource: str) -> bool:
    return resource.startswith("/")


class Scopes:
    """The hierarchy above subscriptions, and what lies in what below."""

    def __init__(self, facts: Facts) -> None:
        self.parents: dict[str, str] = {}
        self.labels: dict[str, tuple[str | None, str, str | None]] = {}
        resources = facts.frame("resources").filter(pl.col("id").str.starts_with("/")).select(
            "id", "parent_id", "display_name", "kind", "tenant").sort("id", "parent_id", nulls_last=True)
        for identity, parent, label, kind, tenant in resources.iter_rows():
            self.labels.setdefault(path_of(identity), (label, kind or "", tenant))
            if parent is not None and parent.startswith("/"):
                self.parents.setdefault(path_of(identity), path_of(parent))
        contains = facts.frame("entitlements").filter(
            (pl.col("grant_kind") == "right") & (pl.col("privilege") == "Contains")
            & pl.col("principal_id").str.starts_with("/") & pl.col("scope").str.starts_with("/")
        ).select("principal_id", "scope").unique().sort(pl.all())
        above: dict[str, list[str]] = defaultdict(list)
        for parent, child in contains.iter_rows():
            above[path_of(child)].append(path_of(parent))
        self._more = {child: found for child, found in above.items() if child not in self.parents}

    def above(self, path: str) -> list[str] | None:
        """What a management group or subscription lies in directly; a listing of descendants names all of those above.
        None: not loaded."""
        if path in self.parents:
            return [self.parents[path]]
        return self._more.get(path)

    def within(self, resource: str, scope: str, tenant: str) -> bool | None:
        """Does a resource lie in a scope? ``*``, every resource, lies in the root only. None where only a hierarchy of
        management groups that is not loaded could tell."""
        if scope in {ROOT, resource}:
            return True
        if resource in {"*", ROOT} or not is_path(resource):
            return False
        if not scope.startswith(GROUPS):
            return resource.startswith(f"{scope}/")
        parts = resource.split("/")
        if parts[1] != "subscriptions" and not resource.startswith(GROUPS):
            return False
        start = "/".join(parts[:3]) if parts[1] == "subscriptions" else "/".join(parts[:5])
        return True if scope == GROUPS + tenant else self._climb(start, scope, tenant)

    def _climb(self, start: str, scope: str, tenant: str) -> bool | None:
        seen, level, open_end = {start}, [start], False
        if start == scope:
            return True
        while level:
            reached: list[str] = []
            for path in level:
                above = self.above(path)
                open_end |= above is None and path != GROUPS + tenant
                reached += [one for one in above or () if one not in seen]
            if scope in reached:
                return True
            seen.update(reached)
            level = list(dict.fromkeys(reached))
        return None if open_end else False

    def children(self) -> dict[str, list[str]]:
        """What lies directly in what, by path, of everything that is loaded."""
        found: dict[str, list[str]] = defaultdict(list)
        for path in sorted(self.labels.keys() | self.parents.keys() | self._more.keys()):
            for parent in self.above(path) or ([container] if (container := container_of(path)) else []):
                found[parent].append(path)
        return found


def container_of(path: str) -> str | None:
    """What a path lies in by its form: a resource in its group, a group in its subscription."""
    parts = path.split("/")
    if len(parts) < 3 or parts[1] != "subscriptions" or len(parts) == 3:
        return None
    if len(parts) > 5 and parts[3] == "resourcegroups":
        return "/".join(parts[:5])
    return "/".join(parts[:3])
