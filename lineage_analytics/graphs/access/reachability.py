"""The access graph as arrays: ways to tier 0, and what one principal reaches."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import polars as pl

from lineage_analytics.graphs.chokes import greedy, smallest_cut
from lineage_analytics.graphs.reach import Graph, Reached, search, walk
from lineage_analytics.graphs.spread import spread

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lineage_analytics.graphs.reach import Flags, Ints

_HELD = ("holds_policy", "member_of")
_STEPS, _LONGEST = 5, 50
PRINCIPALS = ("human", "service_account", "workload", "app", "api_key", "ai_agent", "ai_assistant", "role", "unknown")


@dataclass(frozen=True)
class Reachability:
    """The edges one can act along, and what is held directly where that is tier 0, as arrays over nodes and edges.

    ``edges`` are in the order of their numbers in ``graph``.
    """

    nodes: pl.DataFrame
    edges: pl.DataFrame
    graph: Graph
    proved: Flags

    @staticmethod
    def of(nodes: pl.DataFrame, edges: pl.DataFrame) -> Reachability:
        numbers = nodes.select("node_id", at=pl.int_range(pl.len(), dtype=pl.Int32))
        tier0 = nodes.filter(pl.col("tier0"))["node_id"]
        followed = edges.filter(
            pl.col("followed") | (pl.col("rel").is_in(_HELD) & pl.col("dst").is_in(tier0.implode()))
        ).join(numbers.rename({"at": "_from"}), left_on="src", right_on="node_id").join(
            numbers.rename({"at": "_to"}), left_on="dst", right_on="node_id").sort("_to", "_from", "rel")
        graph = Graph(nodes.height, followed["_from"].to_numpy(), followed["_to"].to_numpy())
        return Reachability(nodes, followed.drop("_from", "_to"), graph,
                            (followed["state"] == "proved").to_numpy().astype(bool))

    @cached_property
    def index(self) -> dict[str, int]:
        return {identity: at for at, identity in enumerate(self.nodes["node_id"])}

    @cached_property
    def _sure(self) -> tuple[Graph, Ints]:
        """The graph of proved edges alone, and the number each has among all."""
        kept = np.flatnonzero(self.proved).astype(np.int32)
        return Graph(self.graph.nodes, self.graph.src[kept], self.graph.dst[kept]), kept

    def _search(
        self, starts: Sequence[int] | npt.NDArray[np.integer], *, backward: bool, proved: bool,
    ) -> Reached:
        """A search over all or only the proved edges; edge numbers are rows of ``edges``."""
        graph, kept = self._sure if proved else (self.graph, None)
        found = search(graph.backward if backward else graph.forward, np.asarray(starts, dtype=np.int32), self._scopes)
        if kept is None or not len(kept):
            return found
        return Reached(found.hops, np.where(found.by >= 0, kept[found.by], -1))

    @cached_property
    def _scopes(self) -> Flags:
        """Nodes that stand for a wildcard: to pass through one is part of the hop."""
        return (self.nodes["kind"] == "scope").to_numpy().astype(bool)

    @cached_property
    def _tier0(self) -> Ints:
        return np.flatnonzero(self.nodes["tier0"].fill_null(value=False).to_numpy()).astype(np.int32)

    @cached_property
    def _principals(self) -> Flags:
        return self.nodes["kind"].is_in(PRINCIPALS).to_numpy().astype(bool)

    @cached_property
    def inside(self) -> Flags:
        """Tier 0, and who holds it or is a member of it, for good or by activation: administrators by design."""
        return self._holders(np.ones(len(self.graph.src), dtype=bool))

    @cached_property
    def _core(self) -> Flags:
        """Those of them who need nothing more than what they hold: where ways in end."""
        return self._holders(self.proved)

    def _holders(self, edges: Flags) -> Flags:
        held = edges & self.edges["rel"].is_in(_HELD).to_numpy().astype(bool)
        graph = Graph(self.graph.nodes, self.graph.src[held], self.graph.dst[held])
        return search(graph.backward, self._tier0).hops >= 0

    def _ends(self, targets: Sequence[str] | None) -> Ints:
        return self._tier0 if targets is None else np.asarray([self.index[t] for t in targets], dtype=np.int32)

    def _ways(self, targets: Sequence[str] | None) -> list[tuple[int, str, list[int], int]]:
        """Every node with a way to a target: the node, proved or conditional, the first edges of a shortest way, and
        how many hops it has."""
        ends = self._ends(targets)
        sure = self._search(ends, backward=True, proved=True)
        some = self._search(ends, backward=True, proved=False)
        ways = []
        for node in np.flatnonzero(some.hops >= 0):
            reached, state = (sure, "proved") if sure.hops[node] >= 0 else (some, "conditional")
            ways.append((int(node), state, walk(reached, self.graph.dst, int(node), _LONGEST), int(reached.hops[node])))
        return ways

    def exposure(self) -> list[tuple[Any, ...]]:
        """Per principal outside tier 0: exposed or not, and its hops."""
        sure = self._search(self._tier0, backward=True, proved=True).hops
        some = self._search(self._tier0, backward=True, proved=False).hops
        ids = self.nodes["node_id"].to_list()
        kinds = self.nodes["kind"].to_list()
        return [(ids[at], kinds[at], True if sure[at] >= 0 else None if some[at] >= 0 else False,
                 int(sure[at] if sure[at] >= 0 else some[at]) if some[at] >= 0 else None)
                for at in np.flatnonzero(self._principals & ~self.inside)]

    def radii(self, hops: int) -> list[tuple[Any, ...]]:
        """Per principal, how much it reaches within so many hops."""
        sources = np.flatnonzero(self._principals).astype(np.int32)
        weights = self.nodes["weight"].fill_null(0).to_numpy().astype(np.float64)
        columns = np.column_stack((weights, self.nodes["tier0"].fill_null(value=False).to_numpy().astype(np.float64)))
        sure = spread(self._sure[0], sources, columns, hops=hops, free=self._scopes)
        some = sure if self.proved.all() else spread(self.graph, sources, columns, hops=hops, free=self._scopes)
        ids, kinds = self.nodes["node_id"].to_list(), self.nodes["kind"].to_list()
        # What one could lose besides oneself.
        whole = np.maximum(weights.sum() - weights[sources], 1.0)
        return [(ids[at], kinds[at], int(sure.reached[n]), float(sure.sums[n, 0]), float(sure.sums[n, 0] / whole[n]),
                 bool(sure.sums[n, 1] > 0), float(some.sums[n, 0] / whole[n])) for n, at in enumerate(sources)]

    @cached_property
    def _granted(self) -> Flags:
        """Of the proved edges, those that a record grants: one that follows from what a role or pattern is by itself
        cannot be taken away."""
        recorded = self.edges["record_ids"].list.len().fill_null(0).to_numpy() > 0
        found: Flags = recorded[self._sure[1]]
        return found

    def chokes(self, top: int) -> list[tuple[Any, ...]]:
        """The cuts that leave fewest exposed, one after another."""
        graph, kept = self._sure
        counted = self._principals & ~self.inside
        targets = np.flatnonzero(self._core).astype(np.int32)
        groups = np.where(self._core[graph.src] | ~self._granted, -1, np.arange(len(graph.src))).astype(np.int32)
        cuts = greedy(graph, targets, counted, groups, top)
        before = cuts[0].removed + cuts[0].remaining if cuts else 0
        rows = self.edges[[int(kept[cut.edges[0]]) for cut in cuts]] if cuts else self.edges.head(0)
        labels = dict(self.nodes.select("node_id", "label").iter_rows())
        return [(number + 1, row["src"], row["dst"], labels[row["src"]], labels[row["dst"]], row["technique"],
                 row["reason"], cut.removed, cut.remaining, (before - cut.remaining) / before, row["record_ids"])
                for number, (cut, row) in enumerate(zip(cuts, rows.iter_rows(named=True), strict=True))]

    def cut_size(self) -> tuple[Any, ...]:
        """Distinct edges into tier 0 on somebody's way, the smallest cut, and the lengths of the shortest ways."""
        graph = self._sure[0]
        hops = self._search(self._tier0, backward=True, proved=True).hops
        exposed = self._principals & ~self.inside & (hops >= 0)
        onward = search(graph.forward, np.flatnonzero(exposed).astype(np.int32)).hops >= 0
        entries = int((onward[graph.src] & ~self._core[graph.src] & self._core[graph.dst]).sum())
        hops = hops[exposed]
        targets = np.flatnonzero(self._core).astype(np.int32)
        fewest = smallest_cut(graph, exposed, targets, ~self._granted)
        return entries, fewest, float(np.median(hops)) if len(hops) else None, int(hops.min()) if len(hops) else None

    def paths(self, targets: Sequence[str] | None) -> list[tuple[Any, ...]]:
        rows = []
        ids, kinds = self.nodes["node_id"].to_list(), self.nodes["kind"].to_list()
        dst, takes, reason, records = (self.edges[name].to_list()
                                       for name in ("dst", "technique", "reason", "record_ids"))
        for node, state, way, hops in self._ways(targets):
            if kinds[node] not in PRINCIPALS:
                continue
            shown = [e for e in way if not self._scopes[self.graph.dst[e]]]
            rows.append((ids[node], hops, state, [ids[node], *(dst[e] for e in shown)],
                         [takes[e] for e in way if not self._scopes[self.graph.src[e]]],
                         [reason[e] for e in way], sorted({r for e in way for r in records[e] or ()})))
        return rows

    def admin(self) -> dict[str, tuple[str, str]]:
        """Per node that is or reaches tier 0: proved or conditional, and the statement or way in words."""
        ids, labels = self.nodes["node_id"].to_list(), self.nodes["label"].to_list()
        reason = self.edges["reason"].to_list()
        holds = dict(self.edges.filter((pl.col("rel") != "may_assume") & pl.col("dst").is_in(
            [ids[node] for node in self._tier0])).sort("src", "state", "rel", descending=[False, False, True]).select(
                "src", "reason").rows())
        answer = {}
        for node, state, way, _ in self._ways(None):
            steps, passed = [], []
            for e in way:
                passed.append(reason[e])
                if not self._scopes[self.graph.dst[e]]:
                    steps.append(f"to {labels[int(self.graph.dst[e])]}: {' and '.join(dict.fromkeys(passed))}")
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

