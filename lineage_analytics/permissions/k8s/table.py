"""Permissions of every Kubernetes principal: what its bindings grant, counted over the actions a cluster knows.

What a wildcard stands for has no end, since a cluster adds resources. It is counted as every action that the cluster's
own roles, its log or the roles of the API server name.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import polars as pl

from lineage_analytics import tables
from lineage_analytics.permissions.datafiles import rows
from lineage_analytics.permissions.k8s.rules import (
    PROVIDER,
    action,
    book,
    default_roles,
    is_account,
    matches,
    namespace_of,
    split,
)
from lineage_analytics.permissions.k8s.usage import Used, cluster_logs, states, used

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from lineage_analytics.facts import Facts
    from lineage_analytics.permissions.k8s.rules import KubernetesBook
    from lineage_analytics.permissions.k8s.usage import Log
    from lineage_analytics.permissions.roles import Assignment

WEIGHTS = (10, 3, 1)
_MOST = 20


@lru_cache(maxsize=1)
def _sensitive() -> tuple[tuple[frozenset[str], frozenset[str], frozenset[str], int], ...]:
    table = rows("k8s_sensitive_actions", ("verbs", "groups", "resources", "weight", "class", "reason"))
    return tuple((frozenset(row["verbs"].split()), frozenset(row["groups"].split()),
                  frozenset(row["resources"].split()), int(row["weight"])) for row in table)


@lru_cache(maxsize=65536)
def weight(name: str) -> int:
    """Sensitivity of one action, of a wildcard the heaviest it covers; 0 when it is in no row of the data file."""
    found = action(name)
    if found.path:
        return 0
    fits = (weight for verbs, groups, resources, weight in _sensitive()
            if (found.verb == "*" or found.verb in verbs) and (found.group == "*" or found.group in groups)
            and (found.resource == "*" or found.resource in resources))
    return max(fits, default=0)


@dataclass
class Granted:
    """What reaches one principal: actions with the time of their oldest grant, and what is not known of them; ``own``:
    some of it is not everybody's."""

    actions: dict[str, datetime | None] = field(default_factory=dict)
    pairs: set[tuple[str, str | None]] = field(default_factory=set)
    records: set[str] = field(default_factory=set)
    unread: set[str] = field(default_factory=set)
    own: bool = False
    wildcard: bool = False
    conditional: bool = False


class _Table:
    """The permission rows of an estate."""

    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        self.book: KubernetesBook = book(facts)
        self.logs: dict[str, Log] = cluster_logs(facts)
        self.used: Used = used(facts)
        self.given_at = _given_at(facts)
        self.known = self._catalogues()
        self._expanded: dict[tuple[str, str], tuple[str, ...]] = {}

    def _catalogues(self) -> dict[str, tuple[str, ...]]:
        """Concrete actions by cluster: of its roles, its log and the roles of the API server."""
        common = {name for role in default_roles().values() for block in role.blocks for name in block.actions}
        found: dict[str, set[str]] = defaultdict(set)
        for role, actions in self.facts.frame("entitlements").filter(
                (pl.col("provider") == PROVIDER) & (pl.col("grant_kind") == "statement")
        ).select("principal_id", "actions").drop_nulls().iter_rows():
            found[split(role)[0]].update(actions)
        for actor, names in self.used.actions.items():
            found[split(actor)[0]].update(names)
        return defaultdict(lambda: tuple(sorted(name for name in common if not _is_pattern(name))), {
            cluster: tuple(sorted(name for name in names | common if not _is_pattern(name)))
            for cluster, names in found.items()})

    def expand(self, cluster: str, pattern: str) -> tuple[str, ...]:
        if not _is_pattern(pattern):
            return (pattern,)
        key = (cluster, pattern)
        if key not in self._expanded:
            self._expanded[key] = tuple(name for name in self.known[cluster] if matches(pattern, name))
        return self._expanded[key]

    def granted(self, principal: str) -> Granted:
        found = Granted()
        cluster, everybody = split(principal)[0], self.book.rules.everybody(principal)
        for held in self.book.held(principal):
            assignment = held.assignment
            found.pairs.add((assignment.role, assignment.scope))
            found.records.update(record for record in (assignment.record_id, *held.records) if record)
            found.conditional |= held.conditional
            found.own |= not held.groups or held.groups[0] not in everybody
            blocks = self.book.rules.blocks(assignment)
            if blocks is None or not self.book.whole(assignment):
                found.unread.add(assignment.role)
            since = self.given_at.get(assignment.record_id)
            for block in blocks or ():
                found.wildcard |= block.resources in ((), ("*",)) and any(map(_is_wild, block.actions))
                self._add(found, cluster, block.actions, since, assignment)
        return found

    def _add(self, found: Granted, cluster: str, patterns: Iterable[str], since: datetime | None,
             assignment: Assignment) -> None:
        in_namespace = namespace_of(assignment.scope) is not None
        for pattern in patterns:
            if in_namespace and action(pattern).path:
                continue  # a role binding of a namespace grants no paths
            for name in self.expand(cluster, pattern):
                before = found.actions.get(name, since)
                found.actions[name] = None if before is None or since is None else min(before, since)

    def row(self, principal: str) -> dict[str, Any]:
        cluster = split(principal)[0]
        row: dict[str, Any] = {"principal_id": principal, "last_used_at": self.used.last.get(principal)}
        if self.book.masters(principal) is not None:
            return row | {"reason": "outside_rbac: it may do everything, which has no count", "wildcard": True,
                          "weight_max": max(WEIGHTS)}
        found = self.granted(principal)
        heaviest = max(map(weight, found.actions), default=0)
        row["record_ids"] = sorted(found.records)[:_MOST]
        missing = self.book.rules.missing(principal, "*")
        listing = self.book.rules.listings.get(cluster)
        if missing is not None and (not found.own or listing is None or not listing.whole):
            return row | {"reason": f"no_source: {missing}", "wildcard": found.wildcard or None,
                          "weight_max": heaviest if heaviest == max(WEIGHTS) else None}
        if missing is not None or found.unread:
            reason = f"role_missing: not all is known of {', '.join(sorted(found.unread)[:3])}" if found.unread else (
                f"groups_unknown: {missing}" if not is_account(principal) else f"no_source: {missing}")
            return row | {"granted": len(found.pairs), "granted_basis": "assigned", "reason": reason,
                          "wildcard": found.wildcard or None, "conditional": found.conditional or None,
                          "weight_max": heaviest if heaviest == max(WEIGHTS) else None}
        held = states(principal, found.actions, self.used.actions.get(principal, set()), self.logs.get(cluster),
                      self.facts.lookback_start)
        row |= {name: None if names is None else len(names) for name, names in (
            ("granted", found.actions), ("used", held.used), ("unused", held.unused), ("too_young", held.too_young),
            ("unobservable", held.unobservable))}
        row |= {"granted_basis": "effective", "wildcard": found.wildcard, "conditional": found.conditional,
                "weight_max": heaviest, "sensitive_granted": sum(weight(name) > 0 for name in found.actions),
                "reason": held.reason}
        if held.unused is not None:
            idle = sorted((name for name in held.unused if weight(name)), key=lambda name: (-weight(name), name))
            row |= {"sensitive_unused": len(idle), "unused_sensitive_actions": idle[:_MOST]}
            row |= {name: sum(weight(one) > 0 for one in names) for name, names in (
                ("sensitive_used", held.used), ("sensitive_too_young", held.too_young)) if names is not None}
        return row


def permission_rows(facts: Facts) -> pl.DataFrame:
    """``tables.PERMISSIONS`` of the users, nodes and service accounts of every cluster.

    ``granted`` counts actions; it is ``effective`` where every role is known, the dump lists the cluster's bindings and
    the principal's groups are known, as they are of service accounts; else ``assigned``, pairs of role and scope.
    ``reason`` begins with a code: ``no_source``, ``role_missing``, ``groups_unknown``, ``outside_rbac``,
    ``lookback_too_short``, ``age_unknown``.
    """
    table = _Table(facts)
    principals = facts.frame("identities").filter(
        (pl.col("provider") == PROVIDER) & (pl.col("kind") != "group") & pl.col("id").str.starts_with("k8s:")
    )["id"].unique().sort()
    found = [table.row(principal) for principal in principals]
    frame = pl.DataFrame(found, schema_overrides=dict(tables.PERMISSIONS.schema), infer_schema_length=None,
                         schema=None if found else tables.PERMISSIONS.schema)
    return tables.conform(frame, tables.PERMISSIONS)


def _given_at(facts: Facts) -> dict[str, datetime]:
    """When each binding was made, by its record."""
    stated = facts.frame("entitlements").filter(
        (pl.col("provider") == PROVIDER) & (pl.col("grant_kind") == "role") & pl.col("granted_at").is_not_null()
    ).group_by("record_id").agg(pl.col("granted_at").min())
    return dict(stated.iter_rows())


def _is_wild(pattern: str) -> bool:
    found = action(pattern)
    return "*" in (found.verb, found.resource)


def _is_pattern(name: str) -> bool:
    return "*" in name
