"""What the access graph answers about everybody at once: exposure, radii, cuts; beside networkx and beside trying."""

from __future__ import annotations

from typing import Any

import networkx as nx
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineage_analytics.graphs.access import CHOKES, EXPOSURE, RADII, AccessLineage, CutSize
from lineage_analytics.tables import EDGES, NODES, PERMISSIONS, conform

WEIGHTS = {"human": 1, "workload": 2, "group": 0, "scope": 0, "directory_role": 0, "resource": 3}
Edge = tuple[str, str, str, str]


def lineage(kinds: dict[str, str], edges: list[Edge], tier0: frozenset[str] = frozenset({"top"})) -> AccessLineage:
    """Of nodes by kind and edges (source, rel, target, state)."""
    nodes = pl.DataFrame([{"node_id": name, "kind": kind, "label": name.upper(), "tier0": name in tier0,
                           "weight": 10 if name in tier0 else WEIGHTS[kind]} for name, kind in sorted(kinds.items())])
    rows = [{"src": src, "dst": dst, "rel": rel, "state": state, "technique": f"{rel} {dst}",
             "followed": rel in ("controls", "may_assume"), "reason": f"{src} {rel} {dst}",
             "record_ids": [f"rec-{src}-{dst}"]} for src, rel, dst, state in edges]
    made = conform(pl.DataFrame(rows), EDGES) if rows else EDGES.empty()
    return AccessLineage(conform(nodes, NODES), made, PERMISSIONS.empty())


HUMANS = dict.fromkeys(("ann", "ben", "cal", "dot", "eve"), "human")


def controls(*pairs: str, state: str = "proved") -> list[Edge]:
    return [(src, "controls", dst, state) for src, dst in (pair.split(">") for pair in pairs)]


def office() -> AccessLineage:
    """dot holds tier 0 and eve may activate it; ann and ben take over cal, who takes over dot; ann also takes over eve."""
    return lineage({**HUMANS, "top": "directory_role"}, [
        ("dot", "holds_policy", "top", "proved"), ("eve", "holds_policy", "top", "conditional"),
        *controls("ann>cal", "ben>cal", "cal>dot", "ann>eve")])


def test_who_holds_tier_0_or_may_activate_it_is_no_exposed_principal() -> None:
    assert office().exposure().rows() == [
        ("ann", "human", True, 3), ("ben", "human", True, 3), ("cal", "human", True, 2)]


def test_a_way_only_over_a_condition_leaves_exposure_open() -> None:
    found = lineage({**HUMANS, "top": "resource"}, [*controls("ann>top"), *controls("ben>top", state="conditional")])
    assert found.exposure().rows() == [("ann", "human", True, 1), ("ben", "human", None, 1), ("cal", "human", False, None),
                                       ("dot", "human", False, None), ("eve", "human", False, None)]


def test_the_first_cut_is_the_one_edge_that_all_three_need() -> None:
    found = office().choke_points().select("rank", "src", "dst", "removed", "remaining", "cumulative_share", "record_ids")
    assert found.rows() == [(1, "cal", "dot", 3, 0, 1.0, ["rec-cal-dot"])]
    assert office().cut_size() == CutSize(entry_edges=1, cut_size=1, median_hops=3.0, min_hops=2)


def test_who_only_reaches_somebody_that_may_activate_tier_0_is_cut_off_by_nothing() -> None:
    found = lineage({**HUMANS, "top": "directory_role"},
                    [("eve", "holds_policy", "top", "conditional"), *controls("ann>eve")])
    assert found.exposure().filter(pl.col("principal_id") == "ann").rows() == [("ann", "human", None, 2)]
    assert found.choke_points().is_empty()
    assert found.cut_size() == CutSize(0, 0, None, None)


def test_what_an_administrator_holds_is_never_proposed_as_a_cut() -> None:
    found = lineage({**HUMANS, "top": "directory_role"}, [
        ("dot", "holds_policy", "top", "proved"), *controls("ann>dot", "ben>dot")])
    assert found.choke_points().select("src", "dst", "removed").rows() == [("ann", "dot", 1), ("ben", "dot", 1)]


def test_where_everybody_has_two_ways_the_series_still_closes_them() -> None:
    found = lineage({**HUMANS, "top": "resource"}, controls("ann>cal", "ann>dot", "cal>top", "dot>top")).choke_points()
    assert found["remaining"].to_list()[-1] == 0
    assert found["cumulative_share"].to_list()[-1] == 1.0
    assert found["removed"].sum() == 3


def test_a_radius_weighs_what_is_reached_and_keeps_conditions_apart() -> None:
    made = lineage({"ann": "human", "ben": "human", "job": "workload", "top": "resource"},
                   [*controls("ann>job"), *controls("job>top", state="conditional")])
    rows = {row[0]: row[2:] for row in made.blast_radii().rows()}
    assert rows["ann"] == (1, 2.0, pytest.approx(2 / 13), False, pytest.approx(12 / 13))
    assert rows["job"] == (0, 0.0, 0.0, False, pytest.approx(10 / 12))
    assert rows["ben"] == (0, 0.0, 0.0, False, 0.0)


def test_to_pass_a_wildcard_is_part_of_the_hop_and_weighs_nothing() -> None:
    made = lineage({"ann": "human", "all": "scope", "job": "workload", "top": "resource"},
                   [("ann", "may_assume", "all", "proved"), ("all", "may_assume", "job", "proved"), *controls("job>top")])
    rows = {row[0]: row[2:4] for row in made.blast_radii(hops=1).rows()}
    assert rows == {"ann": (1, 2.0), "job": (1, 10.0)}
    assert made.exposure()["hops"].to_list() == [2, 1]


def test_several_targets_give_the_way_to_the_nearest() -> None:
    made = lineage({**HUMANS, "top": "resource"}, controls("ann>ben", "ben>cal", "cal>dot"))
    found = {row["principal_id"]: row["path"] for row in made.paths(to=["cal", "DOT"]).iter_rows(named=True)}
    assert found == {"ann": ["ann", "ben", "cal"], "ben": ["ben", "cal"], "cal": ["cal"], "dot": ["dot"]}
    assert made.paths(to="cal").height == 3


def test_an_empty_graph_has_empty_answers_with_their_columns() -> None:
    made = AccessLineage(NODES.empty(), EDGES.empty(), PERMISSIONS.empty())
    assert (made.exposure().schema, made.blast_radii().schema, made.choke_points().schema) == (EXPOSURE, RADII, CHOKES)
    assert made.cut_size() == CutSize(0, 0, None, None)


# --- everybody at once, beside networkx ------------------------------------------------------------------------------

NAMES = [*HUMANS, "job", "ops"]
DRAWN = st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from([*NAMES, "top"]), st.booleans()), max_size=16,
                 unique_by=lambda edge: edge[:2])


def drawn(edges: list[tuple[str, str, bool]]) -> tuple[AccessLineage, list[Edge]]:
    rows = [(src, "controls", dst, "proved" if sure else "conditional") for src, dst, sure in edges]
    return lineage({**HUMANS, "job": "workload", "ops": "group", "top": "resource"}, rows), rows


def graph(rows: list[Edge], *, proved: bool) -> Any:
    made = nx.DiGraph((src, dst) for src, _, dst, state in rows if state == "proved" or not proved)
    made.add_nodes_from([*NAMES, "top"])
    return made


def exposed(made: Any) -> set[str]:
    return {name for name in nx.ancestors(made, "top") if name != "ops"}


@given(DRAWN)
@settings(max_examples=100, deadline=None)
def test_exposure_is_the_ancestors_that_networkx_finds(edges: list[tuple[str, str, bool]]) -> None:
    made, rows = drawn(edges)
    sure, some = graph(rows, proved=True), graph(rows, proved=False)
    for name, _, answer, hops in made.exposure().rows():
        wanted = True if name in exposed(sure) else None if name in exposed(some) else False
        assert answer is wanted
        length = None if wanted is False else nx.shortest_path_length(sure if wanted else some, name, "top")
        assert hops == length


@given(DRAWN, st.integers(1, 5))
@settings(max_examples=100, deadline=None)
def test_radii_weigh_what_networkx_reaches(edges: list[tuple[str, str, bool]], hops: int) -> None:
    made, rows = drawn(edges)
    weight = dict(made.nodes.select("node_id", "weight").rows())
    for who, _, reached, summed, share, tier0, wider in made.blast_radii(hops).rows():
        near, far = (set(nx.single_source_shortest_path_length(graph(rows, proved=proved), who, hops)) - {who}
                     for proved in (True, False))
        whole = sum(weight.values()) - weight[who]
        assert (reached, summed, tier0) == (len(near), sum(weight[n] for n in near), "top" in near)
        assert share == pytest.approx(summed / whole)
        assert wider == pytest.approx(sum(weight[n] for n in far) / whole)


@given(DRAWN)
@settings(max_examples=100, deadline=None)
def test_cuts_remove_what_removing_them_from_networkx_removes(edges: list[tuple[str, str, bool]]) -> None:
    made, rows = drawn(edges)
    left = graph(rows, proved=True)
    before = count = len(exposed(left))
    for cut in made.choke_points(20).iter_rows(named=True):
        best = max(count - len(exposed(nx.restricted_view(left, [], [edge]))) for edge in left.edges)
        left.remove_edge(cut["src"], cut["dst"])
        now = len(exposed(left))
        assert (cut["removed"], cut["remaining"]) == (count - now, now)
        assert cut["removed"] == best
        assert cut["cumulative_share"] == pytest.approx((before - now) / before)
        count = now
    assert count == 0


@given(DRAWN)
@settings(max_examples=100, deadline=None)
def test_the_cut_size_is_the_minimum_edge_cut_of_networkx(edges: list[tuple[str, str, bool]]) -> None:
    made, rows = drawn(edges)
    sure = graph(rows, proved=True)
    who = exposed(sure)
    found = made.cut_size()
    assert found.entry_edges == sum(dst == "top" and src != "top" and
                                    any(nx.has_path(sure, start, src) for start in who) for src, dst in sure.edges)
    flow = nx.DiGraph()
    flow.add_edges_from(sure.edges, capacity=1)
    flow.add_edges_from(("all of them", name) for name in who)
    assert found.cut_size == (nx.minimum_cut_value(flow, "all of them", "top") if who else 0)
    assert found.min_hops == min((nx.shortest_path_length(sure, name, "top") for name in who), default=None)


@given(DRAWN, st.randoms(use_true_random=False))
@settings(max_examples=40, deadline=None)
def test_the_order_of_rows_changes_no_answer(edges: list[tuple[str, str, bool]], random: Any) -> None:
    one = drawn(edges)[0]
    random.shuffle(edges)
    two = drawn(edges)[0]
    assert one.choke_points().equals(two.choke_points())
    assert one.blast_radii().equals(two.blast_radii())
    assert one.exposure().equals(two.exposure())
