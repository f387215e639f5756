"""What the pictures of privilege say: each count, name and doubt is where a reader looks for it."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import networkx as nx
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineage_analytics import charts, tables
from lineage_analytics.charts import render
from lineage_analytics.charts.excess import unused_shares
from lineage_analytics.charts.ways import NODES_DRAWN, steps_left_out, ways_of
from lineage_analytics.graphs.access import PATHS, AccessLineage

Json = dict[str, Any]


def said(chart: Any) -> tuple[str, str, str]:
    """Title, source line and description."""
    document = render.spec(chart)
    return (" ".join(document["title"]["text"]), " ".join(document["title"]["subtitle"]), document["description"])


def words(chart: Any) -> list[str]:
    """Every text that is drawn."""
    rows = [row for rows in render.spec(chart)["datasets"].values() for row in rows]
    return [row["words"] for row in rows if "words" in row]


def permissions(*rows: tuple[str, int | None, int | None, int | None, int | None]) -> pl.DataFrame:
    """Kind, used, unused, unobservable and too young of each identity; granted is their sum."""
    made: list[Json] = [
        {"principal_id": f"p{n}", "kind": kind, "used": used, "unused": unused, "unobservable": hidden, "too_young": young,
         "granted": None if used is None else used + (unused or 0) + (hidden or 0) + (young or 0),
         "reason": None if used is not None else "no_source: no log of its account is loaded"}
        for n, (kind, used, unused, hidden, young) in enumerate(rows)]
    return pl.DataFrame(made, schema={"kind": pl.String(), **{n: tables.PERMISSIONS.schema[n] for n in (
        "principal_id", "granted", "used", "unused", "unobservable", "too_young", "reason")}})


def measures(**values: float | None) -> pl.DataFrame:
    rows: list[Json] = [
        {"metric_id": "PRV-01", "scope": scope, "value": value, "numerator": (value or 0) * 100, "denominator": 100.0,
         "worst_case": None if value is None else min(1.0, value + 0.1), "best_case": value,
         "ci_low": None if value is None else max(0.0, value - 0.05), "ci_high": value} for scope, value in values.items()]
    return tables.conform(pl.DataFrame(rows, infer_schema_length=None), tables.MEASURES)


def test_an_account_of_unknown_use_widens_the_band_and_one_with_nothing_to_use_is_left_out() -> None:
    shares = unused_shares(permissions(("workload", 5, 5, 0, 0), ("workload", 0, 4, 0, 0), ("app", None, None, None, None),
                                       ("app", 0, 0, 0, 9)))
    assert (shares.known.height, shares.unknown, shares.without) == (2, 1, 1)
    assert shares.above(0.5) == pytest.approx((1 / 2, 1 / 3, 2 / 3))
    assert shares.above(0) == pytest.approx((1, 2 / 3, 1))


def test_the_external_figure_stands_with_its_caption_and_the_definitions_beside_it() -> None:
    chart = charts.excess_sweep(permissions(("workload", 5, 5, 0, 0)), measures(a=0.93, b=0.41, c=0.06))
    title, source, description = said(chart)
    assert title == "6 % or 93 % of 100 service accounts hold too much: the definition decides"
    assert "97 %, external: vendor telemetry of 2025, definition unpublished" in words(chart)
    assert "definition unpublished" in description
    assert "thin line: 95 % interval, to compare periods" in source


def test_a_definition_that_is_not_scored_is_named_and_not_drawn() -> None:
    title, source, _ = said(charts.excess_sweep(permissions(), measures(a=None, b=None, c=0.06)))
    assert title == "6 % of 100 service accounts hold or reach admin control"
    assert source.endswith("a not scored; b not scored")


def test_labels_of_equal_points_do_not_cover_each_other() -> None:
    from lineage_analytics.charts.excess import _LABEL, _shifts
    shares = unused_shares(permissions(("workload", 5, 5, 0, 0)))
    texts = {"a": "a 50 % anything unused", "b": "b 50 % half of it unused, or a sensitive one",
             "c": "c 50 % holds or reaches admin control"}
    for value in (0.0, 0.02, 0.3, 0.5, 0.97, 1.0):
        shifts = _shifts(dict.fromkeys(texts, value), texts, shares)
        assert abs(shifts["b"] - shifts["c"]) >= _LABEL


def test_people_and_the_unknown_are_no_service_accounts() -> None:
    frame = permissions(("human", 5, 5, 0, 0), ("unknown", 5, 5, 0, 0), ("group", 1, 1, 0, 0))
    assert "no service account with permissions was loaded" in said(charts.excess_sweep(frame, measures(a=None)))[2]


def test_a_kind_of_which_nothing_is_known_has_a_row_in_words_and_no_bar() -> None:
    chart = charts.use_states(permissions(("workload", 2, 6, 1, 1), ("workload", None, None, None, None),
                                          ("ai_agent", None, None, None, None)))
    title, source, description = said(chart)
    assert title == "60 % of 10 granted permissions went unused in 90 days"
    assert "1 identity whose grants and use are known" in source
    assert "of 2 more they are not" in source
    assert {"use or grants unknown", "10 granted", "1 identity, 1 unknown"} <= set(words(chart))
    assert "AI agents: grants or use of 1 identity unknown" in description


def test_what_cannot_be_seen_is_never_drawn_as_unused() -> None:
    chart = charts.use_states(permissions(("workload", 0, 0, 10, 0)))
    assert said(chart)[0].startswith("0 % of 10 granted permissions went unused")
    fills = [mark["mark"].get("fill") for mark in layers(render.spec(chart)) if isinstance(mark["mark"], dict)]
    assert charts.THEME.light.adverse not in fills
    assert charts.THEME.light.unknown_fill in fills


def layers(document: Json) -> list[Json]:
    return [inner for layer in document["layer"] for inner in (layers(layer) if "layer" in layer else [layer])]


def access(edges: list[Json], *, top: str = "top", kinds: dict[str, str] | None = None) -> AccessLineage:
    names = sorted({end for edge in edges for end in (edge["src"], edge["dst"])})
    nodes = [{"node_id": name, "kind": (kinds or {}).get(name, "workload"), "label": f"the {name}", "tier0": name == top}
             for name in names]
    rows = [{"rel": "controls", "state": "proved", "technique": "take it over", "followed": True, "record_ids": ["rec-1"],
             "reason": f"{edge['src']} may", **edge} for edge in edges]
    return AccessLineage(pl.DataFrame(nodes, schema=tables.NODES.schema), pl.DataFrame(rows, schema=tables.EDGES.schema),
                         tables.PERMISSIONS.empty())


def drawn(found: AccessLineage, who: str | None = None, **options: Any) -> Any:
    return charts.tier0_paths(found.paths(), found.nodes, found.edges, who, **options)


CHAIN = access([
    {"src": "ci", "dst": "build", "technique": "assume the role", "reason": "the trust policy allows it"},
    {"src": "build", "dst": "top", "technique": "attach a policy to itself", "reason": "statement 2 allows it",
     "state": "conditional"},
])


def test_each_step_is_told_with_its_technique_its_reason_and_its_condition() -> None:
    chart = drawn(CHAIN, "ci")
    title, source, description = said(chart)
    assert title == "the ci reaches tier 0, the top, in 2 steps, if a condition holds"
    assert source == ("2 principals with a way there, only if a condition holds; "
                      "dashed: only if a condition holds that was not evaluated")
    assert ("1, from the ci to the build: Assume the role, because the trust policy allows it; 2, from the build to the "
            "top: Attach a policy to itself, if a condition holds, because statement 2 allows it") in description
    assert {"Assume the role", "the trust policy allows it", "Attach a policy to itself, if a condition holds",
            "statement 2 allows it", "the ci", "the build", "the top"} <= set(words(chart))


def test_who_has_a_way_only_on_a_condition_is_counted_apart() -> None:
    mixed = access([{"src": one, "dst": "top", "state": state} for one, state in (
        ("ann", "proved"), ("bo", "proved"), ("cy", "conditional"))])
    assert said(drawn(mixed, "ann"))[1] == "2 principals with a proved way there, 1 more only if a condition holds"
    assert said(drawn(access([{"src": "ann", "dst": "top"}]), "ann"))[1] == "the only one with a way there in what is loaded"


def test_only_a_step_under_a_condition_is_dashed() -> None:
    lines = [layer for layer in layers(render.spec(drawn(CHAIN, "ci"))) if layer["mark"]["type"] == "line"]
    assert [line["mark"]["strokeDash"] for line in lines] == [[1, 0], [5, 4]]
    assert [len(render.spec(drawn(CHAIN, "ci"))["datasets"][line["data"]["name"]]) for line in lines] == [4, 4]


def test_the_nearest_identity_outside_tier_0_is_drawn_where_none_is_named() -> None:
    assert said(drawn(CHAIN))[0].startswith("the build reaches tier 0, the top, in 1 step")


def test_withheld_names_are_in_no_word_and_no_alternative_text() -> None:
    secret = access([{"src": "zq9-ann", "dst": "zq9-role", "reason": "zq9 policy"},
                     {"src": "zq9-role", "dst": "top", "reason": "zq9 policy"}], kinds={"zq9-ann": "human"})
    cuts = pl.DataFrame([{"rank": 1, "src": "zq9", "dst": "zq9", "src_label": "zq9", "dst_label": None,
                          "technique": "take it over", "removed": 3, "remaining": 1}])
    radii = pl.DataFrame([{"principal_id": "zq9", "kind": "human", "share": 0.5, "share_with_conditional": 0.6,
                           "tier0_reached": 1}])
    for chart in (drawn(secret, "zq9-ann", names=False), charts.choke_points(cuts, names=False),
                  charts.blast_radius(radii, names=False)):
        assert "zq9" not in json.dumps(render.spec(chart)).lower()
    assert said(drawn(secret, "zq9-ann", names=False))[0] == "Person 1 reaches tier 0, Workload 2, in 2 steps"


def test_a_step_through_a_wildcard_is_one_step_with_both_reasons() -> None:
    found = access([{"src": "ci", "dst": "all roles", "technique": "assume any role", "reason": "allows sts:AssumeRole on *"},
                    {"src": "all roles", "dst": "top", "technique": "be covered", "reason": "top trusts the account",
                     "state": "conditional"}], kinds={"all roles": "scope"})
    title, _, description = said(drawn(found, "ci"))
    assert "in 1 step" in title
    assert "Assume any role, if a condition holds, because allows sts:AssumeRole on * and top trusts the account" in description
    assert "the all roles" not in words(drawn(found, "ci"))


def test_a_reason_that_begins_with_the_technique_does_not_say_it_twice() -> None:
    found = access([{"src": "ci", "dst": "top", "technique": "pass a role (iam:PassRole)",
                     "reason": "pass a role: policy own allows iam:PassRole on *"}])
    assert {"Pass a role (iam:PassRole)", "policy own allows iam:PassRole on *"} <= set(words(drawn(found, "ci")))


def test_tier_0_itself_and_an_identity_without_a_way_are_said() -> None:
    assert said(drawn(CHAIN, "top"))[0] == "the top is tier 0 itself"
    assert "this identity has no way to tier 0" in said(drawn(CHAIN, "stranger"))[2]


def test_of_a_long_way_the_beginning_and_the_end_are_drawn_and_the_rest_is_counted() -> None:
    found = access([{"src": f"n{n}", "dst": f"n{n + 1}", "technique": f"step {n}"} for n in range(10_000)], top="n10000")
    paths = pl.DataFrame([{"principal_id": "n0", "hops": 10_000, "state": "proved", "path": [f"n{n}" for n in range(10_001)],
                           "techniques": [f"step {n}" for n in range(10_000)]}], schema=PATHS)
    ways = ways_of("n0", paths, found.nodes, found.edges)
    shown = [node for column in ways.columns for node in column]
    assert len(shown) == NODES_DRAWN
    left = sum(map(steps_left_out, shown))
    # Every step is either an arrow between two nodes or stands in the count; two arrows lead to and from the count.
    assert len(ways.hops) - 2 + left == 10_000
    assert (shown[0], shown[-1], ways.hops[-1].technique) == ("n0", "n10000", "step 9999")
    chart = charts.tier0_paths(paths, found.nodes, found.edges)
    assert "in 10,000 steps" in said(chart)[0]
    assert sum(len(rows) for rows in render.spec(chart)["datasets"].values()) <= render.MAX_ROWS


def test_a_way_given_in_part_says_how_much_is_left() -> None:
    found = access([{"src": f"n{n}", "dst": f"n{n + 1}"} for n in range(300)], top="n300")
    paths = found.paths().filter(pl.col("principal_id") == "n0")
    title, _, _ = said(charts.tier0_paths(paths, found.nodes, found.edges))
    assert title == "the n0 reaches tier 0 in 300 steps"
    ways = ways_of("n0", paths, found.nodes, found.edges)
    last, = ways.columns[-1]
    assert steps_left_out(last) + len(ways.columns) - 2 == 300


@st.composite
def several_ways(draw: st.DrawFn) -> tuple[pl.DataFrame, AccessLineage]:
    """All shortest ways of one node to another in a random graph, as networkx finds them."""
    size = draw(st.integers(2, 14))
    pairs = draw(st.lists(st.tuples(st.integers(0, size - 1), st.integers(0, size - 1)), max_size=60, unique=True))
    graph = nx.DiGraph([(0, 1), *pairs])
    ways = [[f"n{node}" for node in way] for way in nx.all_shortest_paths(graph, 0, draw(st.sampled_from(
        sorted(nx.descendants(graph, 0)))))]
    rows = [{"principal_id": "n0", "hops": len(way) - 1, "state": "proved", "path": way,
             "techniques": ["take it over"] * (len(way) - 1)} for way in ways]
    found = access([{"src": f"n{a}", "dst": f"n{b}"} for a, b in graph.edges], top=ways[0][-1])
    return pl.DataFrame(rows, schema=PATHS), found


@settings(max_examples=60, deadline=None)
@given(several_ways(), st.randoms(use_true_random=False))
def test_the_ways_drawn_are_those_given_each_node_once_at_its_distance(
    given_ways: tuple[pl.DataFrame, AccessLineage], random: Any,
) -> None:
    paths, found = given_ways
    ways = ways_of("n0", paths, found.nodes, found.edges)
    shown = [(at, node) for at, column in enumerate(ways.columns) for node in column]
    assert len(set(shown)) == len(shown) <= NODES_DRAWN
    assert max(map(len, ways.columns)) <= 8
    steps = {(hop.start, hop.end) for hop in ways.hops}
    wanted = {((at, a), (at + 1, b)) for way in paths["path"] for at, (a, b) in enumerate(pairwise(way))}
    assert steps <= wanted
    assert {end for step in steps for end in step} == set(shown)
    if not ways.left:
        assert steps == wanted
    mixed = [frame.sample(fraction=1, shuffle=True, seed=random.randrange(99)) for frame in (paths, found.nodes, found.edges)]
    again = ways_of("n0", *mixed)
    assert (again.columns, again.hops) == (ways.columns, ways.hops)


def test_ways_that_need_not_cross_do_not_cross() -> None:
    paths = pl.DataFrame([{"principal_id": "s", "hops": 3, "state": "proved", "path": ["s", f"a{n}", f"b{9 - n}", "t"],
                           "techniques": ["x", "y", "z"]} for n in range(6)], schema=PATHS)
    found = access([{"src": "s", "dst": "t"}], top="t")
    first, second = ways_of("s", paths, found.nodes, found.edges).columns[1:3]
    assert [9 - int(node[1:]) for node in second] == [int(node[1:]) for node in first]


CUTS = pl.DataFrame([
    {"rank": 2, "src": "aws:1:b", "dst": "aws:1:t", "src_label": None, "dst_label": "top", "technique": "assume the role",
     "removed": 9, "remaining": 13},
    {"rank": 1, "src": "aws:1:a", "dst": "aws:1:t", "src_label": "ci", "dst_label": "top",
     "technique": "attach a policy to itself", "removed": 41, "remaining": 22},
])


def test_each_cut_has_its_edge_and_what_is_left_after_it() -> None:
    chart = charts.choke_points(CUTS)
    title, _, description = said(chart)
    assert title == "One cut keeps 41 of 63 principals from tier 0, 2 cuts 50"
    assert {"As it is", "63", "ci → top", "Attach a policy to itself", "22 left", "41 fewer", "b → top", "13 left"} <= set(
        words(chart))
    assert "which is 79 %" in description


@pytest.mark.parametrize(("removed", "exposed", "title"), [
    ([0], 12, "No cut alone keeps any of 12 principals from tier 0"),
    ([1], 1, "One cut keeps the only principal with a way from tier 0"),
    ([12], 12, "One cut keeps all 12 principals from tier 0"),
    ([5, 7], 12, "One cut keeps 5 of 12 principals from tier 0, 2 cuts all"),
    ([5, 0], 12, "One cut keeps 5 of 12 principals from tier 0"),
    ([0, 9], 12, "No cut alone keeps any of 12 principals from tier 0, 2 cuts 9"),
])
def test_the_finding_of_the_cuts(removed: list[int], exposed: int, title: str) -> None:
    left = exposed
    rows = []
    for rank, taken in enumerate(removed, 1):
        left -= taken
        rows.append({"rank": rank, "src": "a", "dst": "b", "src_label": "a", "dst_label": "b", "technique": "x",
                     "removed": taken, "remaining": left})
    assert said(charts.choke_points(pl.DataFrame(rows)))[0] == title


def test_cuts_beyond_the_tenth_are_counted_in_words() -> None:
    rows = [{"rank": n + 1, "src": f"s{n}", "dst": "t", "src_label": f"s{n}", "dst_label": "t", "technique": "x",
             "removed": 3, "remaining": 40 - 3 * (n + 1)} for n in range(12)]
    chart = charts.choke_points(pl.DataFrame(rows))
    assert "2 further cuts would take 6 more" in said(chart)[1]
    assert "s9 → t" in words(chart)
    assert "s10 → t" not in words(chart)


def radii(*shares: float | None, wider: dict[int, float] | None = None) -> pl.DataFrame:
    rows: list[Json] = [
        {"principal_id": f"aws:1:p{n}", "kind": "workload" if n % 2 else "human", "share": share,
         "share_with_conditional": (wider or {}).get(n, share), "tier0_reached": int((share or 0) > 0.5)}
        for n, share in enumerate(shares)]
    return pl.DataFrame(rows, schema={"principal_id": pl.String, "kind": pl.String, "share": pl.Float64,
                                      "share_with_conditional": pl.Float64, "tier0_reached": pl.Int64})


def test_the_few_that_reach_most_are_named_in_their_band_with_the_percentiles() -> None:
    chart = charts.blast_radius(radii(0.92, 0.3, *[0.02] * 10, *[0.0] * 9, None), hops=4, weight="one each")
    title, source, description = said(chart)
    assert title == "p0 reaches 92 % within 4 steps; half of 21 identities reach up to 2 %"
    assert "within 4 steps: one each" in source
    assert "of 1 more it is not known" in source
    assert "over half: 1; 25 to 50 %: 1; 10 to 25 %: 0; 3 to 10 %: 0; 1 to 3 %: 10; up to 1 %: 0; nothing: 9" in description
    assert {"p0: 92 %, tier 0", "p1: 30 %", "p95 30 %", "p50 2 %"} <= set(words(chart))


def test_what_needs_a_condition_is_drawn_apart_and_in_no_number_of_the_title() -> None:
    chart = charts.blast_radius(radii(0.02, 0.0, 0.0, wider={0: 0.8}))
    title, source, _ = said(chart)
    assert title == "p0 reaches 2 % within 4 steps; half of 3 identities reach nothing"
    assert source.endswith("outline: if every condition held")
    assert "p0: 2 % (up to 80 %)" in words(chart)


@pytest.mark.parametrize(("shares", "title"), [
    ([0.0, 0.0], "None of 2 identities reaches anything within 4 steps"),
    ([0.0], "p0 reaches nothing within 4 steps"), ([1.0], "p0 reaches 100 % within 4 steps"),
    ([1.0, 1.0], "All 2 identities reach 100 % within 4 steps"),
    ([1.0, 1.0, 0.0, 0.0, 0.0], "2 identities reach 100 % within 4 steps; half of 5 identities reach nothing"),
])
def test_the_finding_of_the_reach(shares: list[float], title: str) -> None:
    assert said(charts.blast_radius(radii(*shares)))[0] == title


@given(st.lists(st.floats(0, 1), min_size=1, max_size=40))
@settings(max_examples=40, deadline=None)
def test_every_identity_is_in_one_band(shares: list[float]) -> None:
    _, _, description = said(charts.blast_radius(radii(*shares)))
    bands = description.partition(": ")[2].partition(".")[0]
    assert sum(int(part.rpartition(": ")[2]) for part in bands.split("; ")) == len(shares)
