"""The access graph as arrays: ways to tier 0, and what one principal reaches."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from lineage_analytics.graphs.reach import Csr, Flags, Ints, Reached, search, walk

if TYPE_CHECKING:
    from collections.abc import Sequence

_HELD = ("holds_policy", "member_of")
_STEPS = 5
_NO_PRINCIPAL = {"policy", "credential", "resource", "scope", "service", "federation", "group", "directory_role"}


@dataclass(frozen=True)
class Reachability:
    """Edges one can act along: ``may_assume`` and ``controls``, and what is held directly where that is tier 0."""

    nodes: pl.DataFrame
    edges: pl.DataFrame
    index: dict[str, int]
    src: Ints
    dst: Ints
    proved: Flags

    @staticmethod
    def of(nodes: pl.DataFrame, edges: pl.DataFrame) -> Reachability:
        index = {identity: at for at, identity in enumerate(nodes["node_id"])}
        tier0 = nodes.filter(pl.col("tier0"))["node_id"].to_list()
        followed = edges.filter(
            pl.col("followed") | (pl.col("rel").is_in(_HELD) & pl.col("dst").is_in(tier0)))
        return Reachability(
            nodes, followed, index,
            np.fromiter((index[s] for s in followed["src"]), np.int32, followed.height),
            np.fromiter((index[d] for d in followed["dst"]), np.int32, followed.height),
            (followed["state"] == "proved").to_numpy().astype(bool))

    def _search(self, starts: Sequence[int], *, backward: bool, proved: bool) -> Reached:
        """A search over all or only the proved edges; edge numbers are rows of ``edges``."""
        kept = np.flatnonzero(self.proved) if proved else np.arange(len(self.src))
        tails, heads = (self.dst, self.src) if backward else (self.src, self.dst)
        graph = Csr.of(tails[kept], heads[kept], len(self.index))
        found = search(graph, np.asarray(starts, dtype=np.int32), self._scopes)
        return Reached(found.hops, np.where(found.by >= 0, kept.astype(np.int32)[found.by] if len(kept) else -1, -1))

    @cached_property
    def _scopes(self) -> Flags:
        """Nodes that stand for a wildcard: to pass through one is part of the hop."""
        return (self.nodes["kind"] == "scope").to_numpy().astype(bool)

    @cached_property
    def _tier0(self) -> list[int]:
        return [int(i) for i in np.flatnonzero(self.nodes["tier0"].fill_null(value=False).to_numpy())]

    def _ways(self, targets: Sequence[str] | None) -> list[tuple[int, str, list[int]]]:
        """Every node with a way to a target: the node, proved or conditional, the edges of a shortest way."""
        ends = self._tier0 if targets is None else [self.index[t] for t in targets]
        sure = self._search(ends, backward=True, proved=True)
        some = self._search(ends, backward=True, proved=False)
        ways = []
        for node in np.flatnonzero(some.hops >= 0):
            reached, state = (sure, "proved") if sure.hops[node] >= 0 else (some, "conditional")
            ways.append((int(node), state, walk(reached, self.dst, int(node))))
        return ways

    def paths(self, targets: Sequence[str] | None) -> list[tuple[Any, ...]]:
        rows = []
        ids, kinds = self.nodes["node_id"].to_list(), self.nodes["kind"].to_list()
        dst, takes, reason, records = (self.edges[name].to_list()
                                       for name in ("dst", "technique", "reason", "record_ids"))
        for node, state, way in self._ways(targets):
            if kinds[node] in _NO_PRINCIPAL:
                continue
            shown = [e for e in way if kinds[self.index[dst[e]]] != "scope"]
            rows.append((ids[node], len(shown), state, [ids[node], *(dst[e] for e in shown)],
                         [takes[e] for e in way if kinds[int(self.src[e])] != "scope"],
                         [reason[e] for e in way], sorted({r for e in way for r in records[e] or ()})))
        return rows

    def admin(self) -> dict[str, tuple[str, str]]:
        """Per node that is or reaches tier 0: proved or conditional, and the statement or way in words."""
        ids, labels = self.nodes["node_id"].to_list(), self.nodes["label"].to_list()
        dst, reason = self.edges["dst"].to_list(), self.edges["reason"].to_list()
        holds = dict(self.edges.filter((pl.col("rel") != "may_assume") & pl.col("dst").is_in(
            [ids[node] for node in self._tier0])).sort("src", "state", "rel", descending=[False, False, True]).select(
                "src", "reason").rows())
        answer = {}
        for node, state, way in self._ways(None):
            steps, passed = [], []
            for e in way:
                passed.append(reason[e])
                if not self._scopes[self.dst[e]]:
                    steps.append(f"to {labels[self.index[dst[e]]]}: {' and '.join(dict.fromkeys(passed))}")
                    passed = []
            steps[_STEPS:] = [f"and {len(steps) - _STEPS} more steps"] if len(steps) > _STEPS else []
            text = " -> ".join(steps) if way else holds.get(ids[node], "declared tier 0")
            answer[ids[node]] = (state, text if state == "proved" else f"only if a condition holds: {text}")
        return answer

    def blast(self, principal: str) -> list[tuple[Any, ...]]:
        start = self.index[principal]
        sure = self._search([start], backward=False, proved=True)
        some = self._search([start], backward=False, proved=False)
        rows = self.nodes.select("node_id", "kind", "label", "tier0").rows()
        return [(*rows[node], int(some.hops[node]), "proved" if sure.hops[node] >= 0 else "conditional")
                for node in np.flatnonzero((some.hops >= 0) & ~self._scopes) if node != start]

