"""Edges over Azure resources: who may assign roles or change what runs, what lies in what, what acts as whom.

A resource is its path; ``entra:<tenant>:azure_root`` is the root of a directory's Azure. Who may assign roles over a
scope, or change everything in it, controls it and what lies in it; who may only run code on resources of one type
controls those. What lies in a scope hangs on one node of kind scope beside it, so that depth costs no hop.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from lineage_analytics.graphs.access.entra_targets import directory_node
from lineage_analytics.graphs.access.tier0 import is_tier0
from lineage_analytics.permissions.decision import ALLOWED, DENIED
from lineage_analytics.permissions.entra.book import estate
from lineage_analytics.permissions.entra.datafiles import azure_actions
from lineage_analytics.permissions.entra.definitions import DataBlock
from lineage_analytics.permissions.entra.languages import AZURE, azure_covers
from lineage_analytics.permissions.entra.objects import tenant_of
from lineage_analytics.permissions.entra.scopes import GROUPS, ROOT, container_of, is_path, path_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lineage_analytics.facts import Facts
    from lineage_analytics.graphs.access.parts import Builder
    from lineage_analytics.permissions.entra.book import Estate
    from lineage_analytics.permissions.roles import Assignment, Block

_EVERYTHING, _TYPED = "change everything in it", 2


@dataclass(frozen=True, slots=True)
class Way:
    """One way a role takes something over: the whole scope, all in it, or resources of one type in it."""

    action: str
    technique: str
    over: str

    @property
    def weighs(self) -> int:
        """The strongest way first."""
        return 0 if self.over == "scope" else 1 if self.over == "*" else _TYPED


def edges(facts: Facts, build: Builder) -> None:
    """Edges of Azure role assignments, of containment and of managed identities."""
    have = estate(facts)
    _identities(facts, build)
    held = [one for found in have.grants.held[AZURE].values() for one in found if one.scope is not None]
    places = Places(have, build, held)
    for tenant in sorted({tenant_of(one.holder) for one in held}):
        places.root(tenant)
    denied = any(one.deny for one in held)
    for one in held:
        if not one.deny:
            _assignment(have, build, places, one, denied=denied)


def _identities(facts: Facts, build: Builder) -> None:
    """Whoever controls a resource with a managed identity acts as that."""
    rows = facts.frame("entitlements").filter(
        (pl.col("provider") == "entra") & (pl.col("grant_kind") == "trust")
        & pl.col("principal_id").str.starts_with("/")).select("principal_id", "scope", "record_id").drop_nulls(
        ["principal_id", "scope"]).unique().sort(pl.all(), nulls_last=True)
    for resource, identity, record in rows.iter_rows():
        build.node(path_of(resource), "resource", path_of(resource), None, "entra")
        build.edge(path_of(resource), "may_assume", identity, "the identity is assigned to the resource", [record],
                   technique="run code on it and sign in as its identity")


class Places:
    """Scopes and resources as nodes, and what lies in what."""

    def __init__(self, have: Estate, build: Builder, held: list[Assignment]) -> None:
        self.have = have
        self.build = build
        self.tenants: dict[str, set[str]] = defaultdict(set)
        for one in held:
            self.tenants[path_of(one.scope or "")].add(tenant_of(one.holder))
        self.inside = have.scopes.children()
        self._complete()
        self._only = next(iter(self._all())) if len(self._all()) == 1 else None
        self._made: set[str] = set()

    def _all(self) -> set[str]:
        return {tenant for found in self.tenants.values() for tenant in found}

    def _complete(self) -> None:
        """Scopes of assignments, and what they lie in by their path, are places as loaded ones are."""
        todo = [path for path in sorted({*self.tenants, *self.have.scopes.labels, *self.inside}) if path != ROOT]
        seen = {path for found in self.inside.values() for path in found}
        while todo:
            path = todo.pop()
            parent = container_of(path) if path not in seen else None
            seen.add(path)
            if parent is not None:
                self.inside[parent].append(path)
                todo.append(parent)
        self.tops = [path for path in sorted(seen | set(self.inside)) if path != ROOT and container_of(path) is None
                     and not self.have.scopes.above(path) and (path.startswith(GROUPS) or path.count("/") == 2)]

    def node(self, path: str, tenant: str) -> str:
        """The node of a place; the root is one node per directory."""
        if path == ROOT:
            return self.root(tenant)
        label, _, of = self.have.scopes.labels.get(path, (None, "", None))
        node = self.build.node(path, "resource", label or path, of or tenant, "entra")
        self._hang(node, path, self.inside.get(path, []), tenant)
        return node

    def root(self, tenant: str) -> str:
        """The root of a directory's Azure, which whoever controls the directory can elevate to."""
        node = f"entra:{tenant}:azure_root"
        if node not in self._made:
            self.build.node(node, "resource", f"Azure of directory {tenant}".rstrip(), tenant, "entra")
            self.build.edge(directory_node(self.build, tenant), "controls", node,
                            "a Global Administrator may elevate to User Access Administrator over the root",
                            technique="elevate access to the root")
            self._hang(node, node, [path for path in self.tops if self._of(path, tenant)], tenant)
        return node

    def _of(self, path: str, tenant: str) -> bool:
        """Is a top place of this directory? By its assignments, its own record, or as the only directory there is."""
        stated = self.have.scopes.labels.get(path, (None, "", None))[2]
        return tenant in {*self.tenants.get(path, ()), stated, self._only}

    def _hang(self, node: str, path: str, children: list[str], tenant: str) -> None:
        """The node beside a place for what lies in it, of any depth."""
        todo = [(node, path, children)]
        while todo:
            here, place, within = todo.pop()
            if place in self._made or not within:
                self._made.add(place)
                continue
            self._made.add(place)
            beside = self.beside(here, tenant)
            self.build.edge(here, "controls", beside, "what lies in it", technique="control it through what it lies in")
            for child in dict.fromkeys(within):
                label, _, of = self.have.scopes.labels.get(child, (None, "", None))
                self.build.node(child, "resource", label or child, of or tenant, "entra")
                self.build.edge(beside, "controls", child, f"it lies in {place}")
                if child in self.inside:
                    self.build.edge(beside, "controls", self.beside(child, tenant), f"what lies in {child}")
                    todo.append((child, child, self.inside[child]))

    def beside(self, node: str, tenant: str) -> str:
        return self.build.node(f"{node}#in", "scope", f"everything in {node}", tenant, "entra")

    def typed(self, path: str, tenant: str, sort: str) -> str | None:
        """The node for all resources of a type in a scope; None: none is loaded."""
        if _is_of(path, sort):
            return self.node(path, tenant)
        node = f"entra:{tenant}:scope:{sort}@{path}"
        if node in self._made:
            return node
        found = sorted(one for one in self._below(path) if _is_of(one, sort))
        if not found:
            return None
        self._made.add(node)
        self.build.node(node, "scope", f"{sort} in {path}", tenant, "entra")
        for one in found:
            self.build.edge(node, "controls", self.node(one, tenant), f"it lies in {path}")
        return node

    def _below(self, path: str) -> Iterator[str]:
        todo, seen = list(self.tops if path == ROOT else self.inside.get(path, [])), set()
        while todo:
            one = todo.pop()
            if one not in seen:
                seen.add(one)
                yield one
                todo += self.inside.get(one, [])


def _is_of(path: str, sort: str) -> bool:
    """Is a path one of a resource of that type?"""
    return path.rsplit("/", 1)[0].endswith(f"/providers/{sort}")


def _assignment(have: Estate, build: Builder, places: Places, one: Assignment, *, denied: bool) -> None:
    """What an assignment takes over."""
    tenant, path = tenant_of(one.holder), path_of(one.scope or "")
    if not is_path(path):
        return
    blocks = have.books[AZURE].rules.blocks(one) or ()
    node = places.node(path, tenant) if blocks else None
    for way in _strongest(_ways(blocks)) if node is not None else ():
        target: str | None = node
        if way.over == "*" and path == ROOT:
            target = places.beside(places.root(tenant), tenant)
        elif way.over not in {"scope", "*"}:
            target = places.typed(path, tenant, way.over)
        sure = not (one.eligible or one.doubt or one.condition)
        if target is None:
            continue
        if denied:
            verdict = have.books[AZURE].decide(one.holder, way.action, f"{tenant}|{path}").verdict
            if verdict == DENIED:
                continue
            sure = sure and verdict == ALLOWED
        if way.over == "scope" and path == ROOT and is_tier0("azure", "role", one.role):
            build.tier0(target)
        words = "is eligible for" if one.eligible else "holds"
        doubt = f", {one.doubt}" if one.doubt else ""
        build.edge(one.holder, "controls", target, f"{way.technique}: {words} {one.role} over {path}{doubt}",
                   [one.record_id], proved=sure,
                   technique=f"activate {one.role}, then {way.technique}" if one.eligible else way.technique)


def _strongest(ways: set[Way]) -> list[Way]:
    """One way for each thing taken over; who takes over the whole scope needs no other."""
    first: dict[str, Way] = {}
    for way in sorted(ways, key=lambda way: (way.weighs, way.over, way.technique)):
        first.setdefault(way.over, way)
    best = min((way.weighs for way in first.values()), default=0)
    return [way for way in first.values() if best in {_TYPED, way.weighs}]


def _ways(blocks: tuple[Block, ...]) -> set[Way]:
    """What the statements of a role take over."""
    found = {Way(known.pattern, known.technique, known.controls) for known in azure_actions() if known.controls
             and any(isinstance(block, DataBlock) == known.data and _covers(block, known.pattern) for block in blocks)}
    if any(pattern == "*" for block in blocks if not isinstance(block, DataBlock) for pattern in block.actions):
        found.add(Way("Microsoft.Resources/deployments/write", _EVERYTHING, "*"))
    return found


def _covers(block: Block, action: str) -> bool:
    return any(azure_covers(pattern, action) for pattern in block.actions) and not any(
        azure_covers(pattern, action) for pattern in block.excluded)
