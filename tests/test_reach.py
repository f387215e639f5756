"""Reach, blast radius and choke points on arrays, beside networkx and beside trying every cut."""

from __future__ import annotations

import time
from dataclasses import dataclass

import networkx as nx
import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineage_analytics.graphs import reach
from lineage_analytics.graphs.chokes import bridges, dominators, greedy, smallest_cut
from lineage_analytics.graphs.reach import Graph, Ints, search, walk
from lineage_analytics.graphs.spread import spread

_INT = np.int32


@dataclass(frozen=True)
class Drawn:
    """A small graph with cycles, loops, parallel edges and unreachable parts, and some targets."""

    graph: Graph
    targets: Ints

    @property
    def counted(self) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        flags = np.ones(self.graph.nodes, dtype=bool)
        flags[self.targets] = False
        return flags

    @property
    def nx(self) -> nx.MultiDiGraph:
        made = nx.MultiDiGraph()
        made.add_nodes_from(range(self.graph.nodes))
        made.add_edges_from(zip(self.graph.src.tolist(), self.graph.dst.tolist(), strict=True))
        return made

    def exposed(self, graph: Graph | None = None) -> int:
        found = search((graph or self.graph).backward, self.targets).hops >= 0
        return int((found & self.counted).sum())


@st.composite
def drawn(draw: st.DrawFn) -> Drawn:
    nodes = draw(st.integers(1, 9))
    node = st.integers(0, nodes - 1)
    edges = draw(st.lists(st.tuples(node, node), max_size=24))
    targets = draw(st.lists(node, min_size=1, max_size=3, unique=True))
    src, dst = (np.array([edge[end] for edge in edges], dtype=_INT) for end in (0, 1))
    return Drawn(Graph.of(src, dst, nodes), np.array(sorted(targets), dtype=_INT))


@settings(deadline=None)
@given(drawn(), st.one_of(st.none(), st.integers(0, 4)))
def test_a_search_reaches_the_nodes_networkx_reaches_in_as_many_hops(one: Drawn, limit: int | None) -> None:
    back = one.nx.reverse()
    found = search(one.graph.backward, one.targets, limit=limit)
    wanted: dict[int, int] = {}
    for target in one.targets.tolist():
        for node, hops in nx.single_source_shortest_path_length(back, target, cutoff=limit).items():
            wanted[node] = min(hops, wanted.get(node, hops))
    assert {node: hops for node, hops in enumerate(found.hops.tolist()) if hops >= 0} == wanted


@settings(deadline=None)
@given(drawn())
def test_a_way_is_walked_edge_by_edge_to_a_target(one: Drawn) -> None:
    found = search(one.graph.backward, one.targets)
    for node in np.flatnonzero(found.hops >= 0).tolist():
        way, at = walk(found, one.graph.dst, node), node
        assert len(way) == found.hops[node]
        for edge in way:
            assert one.graph.src[edge] == at
            at = int(one.graph.dst[edge])
        assert at in one.targets
        assert walk(found, one.graph.dst, node, longest=1) == way[:1]


@settings(deadline=None)
@given(drawn())
def test_a_table_of_ids_gives_the_graph_of_its_rows(one: Drawn) -> None:
    table = pl.DataFrame({"src": [f"n{n}" for n in one.graph.src], "dst": [f"n{n}" for n in one.graph.dst]},
                         schema={"src": pl.String, "dst": pl.String})
    graph, ids = Graph.of_table(table)
    rows = sorted((ids[int(s)], ids[int(d)]) for s, d in zip(graph.src, graph.dst, strict=True))
    assert rows == sorted(table.rows())
    assert sorted(ids) == sorted({*table["src"], *table["dst"]})


def test_two_ids_of_one_hash_stay_two(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pl.Series, "hash", lambda self: pl.Series([7] * len(self), dtype=pl.UInt64))
    graph, ids = Graph.of_table(pl.DataFrame({"src": ["a", "b", "a"], "dst": ["b", "c", "c"]}))
    rows = sorted((ids[int(s)], ids[int(d)]) for s, d in zip(graph.src, graph.dst, strict=True))
    assert rows == [("a", "b"), ("a", "c"), ("b", "c")]


@settings(deadline=None)
@given(drawn(), st.one_of(st.none(), st.integers(0, 4)))
def test_blast_radius_counts_and_weighs_what_networkx_reaches_from_every_node(one: Drawn, hops: int | None) -> None:
    weights = np.arange(1.0, one.graph.nodes + 1)[:, None] ** 2
    found = spread(one.graph, np.arange(one.graph.nodes, dtype=_INT), weights, hops=hops)
    for node in range(one.graph.nodes):
        wanted = set(nx.single_source_shortest_path_length(one.nx, node, cutoff=hops)) - {node}
        assert found.reached[node] == len(wanted)
        assert found.sums[node, 0] == pytest.approx(sum(weights[other, 0] for other in wanted))


def test_no_sources_reach_nothing() -> None:
    graph, none = Graph.of(np.array([0], dtype=_INT), np.array([1], dtype=_INT), 2), np.empty(0, dtype=_INT)
    for hops in (None, 4):
        assert spread(graph, none, np.ones((2, 1)), hops=hops).reached.tolist() == []
    assert search(graph.forward, none).hops.tolist() == [-1, -1]


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 80), st.integers(0, 80)), max_size=300), st.one_of(st.none(), st.integers(0, 5)))
def test_wide_and_narrow_levels_reach_the_same(pairs: list[tuple[int, int]], limit: int | None) -> None:
    src, dst = (np.array([pair[end] for pair in pairs], dtype=_INT) for end in (0, 1))
    graph = Graph.of(src, dst, 81)
    for rows in (graph.forward, graph.backward):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(reach, "_THIN", -1)
            wide = search(rows, np.array([0], dtype=_INT), limit=limit)
        found = search(rows, np.array([0], dtype=_INT), limit=limit)
        assert (found.hops.tolist(), found.by.tolist()) == (wide.hops.tolist(), wide.by.tolist())


def test_more_sources_than_a_word_has_bits_are_each_counted() -> None:
    chain = Graph.of(np.arange(199, dtype=_INT), np.arange(1, 200, dtype=_INT), 200)
    found = spread(chain, np.arange(200, dtype=_INT), np.ones((200, 1)))
    assert found.reached.tolist() == [199 - n for n in range(200)]
    assert spread(chain, np.arange(200, dtype=_INT), np.ones((200, 1)), hops=4).reached.max() == 4


def test_to_pass_a_free_node_costs_no_hop_and_counts_for_nothing() -> None:
    graph = Graph.of(np.array([0, 1, 2], dtype=_INT), np.array([1, 2, 3], dtype=_INT), 4)
    free = np.array([False, True, False, False])
    found = spread(graph, np.array([0], dtype=_INT), np.ones((4, 1)), hops=1, free=free)
    assert found.reached.tolist() == [1]
    assert spread(graph, np.array([0], dtype=_INT), np.ones((4, 1)), free=free).reached.tolist() == [2]
    assert search(graph.forward, np.array([0], dtype=_INT), free).hops.tolist() == [0, 0, 1, 2]


@settings(deadline=None)
@given(drawn())
def test_dominators_are_those_of_networkx(one: Drawn) -> None:
    tree = nx.DiGraph()
    tree.add_edges_from(zip(one.graph.dst.tolist(), one.graph.src.tolist(), strict=True))
    tree.add_edges_from(("root", target) for target in one.targets.tolist())
    wanted = nx.immediate_dominators(tree, "root")
    found = dominators(one.graph, one.targets, one.counted)
    for node in range(one.graph.nodes):
        above = wanted.get(node)
        assert found.parent[node] == (-1 if above in (None, "root") else above)


@settings(max_examples=300, deadline=None)
@given(drawn())
def test_each_edge_cuts_off_exactly_those_that_removing_it_cuts_off(one: Drawn) -> None:
    found = bridges(one.graph, one.targets, one.counted)
    tried = [one.exposed() - one.exposed(one.graph.without(np.array([edge], dtype=_INT)))
             for edge in range(len(one.graph.src))]
    assert found.tolist() == tried


@settings(deadline=None)
@given(drawn(), st.integers(1, 4))
def test_each_greedy_cut_is_the_best_of_all_that_are_left(one: Drawn, width: int) -> None:
    groups = (np.arange(len(one.graph.src)) // width).astype(_INT)
    left = np.ones(len(groups), dtype=bool)
    for cut in greedy(one.graph, one.targets, one.counted, groups, 10):
        before = one.exposed(one.graph.without(np.flatnonzero(~left).astype(_INT)))
        tried = {int(group): before - one.exposed(one.graph.without(np.flatnonzero(~left | (groups == group)).astype(_INT)))
                 for group in np.unique(groups[left])}
        assert cut.removed == max(tried.values())
        left[cut.edges] = False
        assert cut.remaining == one.exposed(one.graph.without(np.flatnonzero(~left).astype(_INT)))


@settings(deadline=None)
@given(drawn())
def test_greedy_cuts_end_when_nobody_is_left(one: Drawn) -> None:
    edges = len(one.graph.src)
    cuts = greedy(one.graph, one.targets, one.counted, np.arange(edges, dtype=_INT), edges)
    assert (cuts[-1].remaining if cuts else one.exposed()) == 0


@settings(deadline=None)
@given(drawn())
def test_the_smallest_cut_is_the_maximum_flow_of_networkx(one: Drawn) -> None:
    sources = one.counted & (search(one.graph.backward, one.targets).hops >= 0)
    flow = nx.DiGraph()
    for src, dst in zip(one.graph.src.tolist(), one.graph.dst.tolist(), strict=True):
        flow.add_edge(src, dst, capacity=flow.get_edge_data(src, dst, {"capacity": 0})["capacity"] + 1)
    flow.add_edges_from(("start", int(node)) for node in np.flatnonzero(sources))
    flow.add_edges_from((int(target), "end") for target in one.targets)
    wanted = nx.maximum_flow_value(flow, "start", "end") if sources.any() else 0
    assert smallest_cut(one.graph, sources, one.targets) == wanted
    everything = np.ones(len(one.graph.src), dtype=bool)
    assert smallest_cut(one.graph, sources, one.targets, everything) == (None if wanted else 0)


def test_what_cannot_be_cut_never_is() -> None:
    graph = Graph.of(np.array([0, 1], dtype=_INT), np.array([1, 2], dtype=_INT), 3)
    counted = np.array([True, True, False])
    cuts = greedy(graph, np.array([2], dtype=_INT), counted, np.array([0, -1], dtype=_INT), 5)
    assert [(cut.edges.tolist(), cut.removed, cut.remaining) for cut in cuts] == [([0], 1, 1)]


def test_both_directions_are_held_in_at_most_16_bytes_an_edge() -> None:
    dice = np.random.default_rng(5)
    src, dst = (dice.integers(0, 20_000, 200_000).astype(_INT) for _ in range(2))
    graph = Graph.of(src, dst, 20_000)
    assert graph.nbytes <= 16 * 200_000


def test_a_chain_of_10_000_and_a_ring_of_100_000_take_seconds() -> None:
    started = time.process_time()
    chain = Graph.of(np.arange(9_999, dtype=_INT), np.arange(1, 10_000, dtype=_INT), 10_000)
    end, counted = np.array([9_999], dtype=_INT), np.arange(10_000) < 9_999
    assert bridges(chain, end, counted).tolist() == list(range(1, 10_000))
    assert spread(chain, np.array([0], dtype=_INT), np.ones((10_000, 1))).reached.tolist() == [9_999]
    ring = Graph.of(np.arange(100_000, dtype=_INT), np.roll(np.arange(100_000, dtype=_INT), -1), 100_000)
    assert spread(ring, np.arange(64, dtype=_INT), np.ones((100_000, 1))).reached.tolist() == [99_999] * 64
    assert time.process_time() - started < 60
