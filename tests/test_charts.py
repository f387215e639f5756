"""Every chart in every state: it never fails, says what it shows in words, loads nothing, and repeats byte for byte."""

from __future__ import annotations

import json
import random
import re
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import altair as alt
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineage_analytics import charts, tables
from lineage_analytics.charts import layout, render
from lineage_analytics.charts.tables import table
from lineage_analytics.charts.theme import DARK, LIGHT, THEME
from lineage_analytics.errors import LineageError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

NOW = datetime(2026, 7, 1, tzinfo=UTC)
WINDOW = (NOW - timedelta(days=30), NOW)
MARK = "Zq9"
HOSTILE = [
    f"{MARK}</script><script>alert(1)</script>", f"{MARK}\u202eevil\u202c\u0000\n", f"{MARK}مدير النظام 管理员", MARK + "W" * 300,
    f"{MARK}\x1b[31m\x0b\ufffe\uffff", f"{MARK}']+alert(1)+['", f'{MARK}"><img src=x onerror=alert(1)>', f"{MARK}{{{{7*7}}}}", "", "TOTAL",
]
STATES = ("empty", "one", "thirty", "hostile")


def names(state: str) -> list[str]:
    return {"empty": [], "one": ["only"], "thirty": [f"category number {n}" for n in range(30)], "hostile": HOSTILE}[state]


def levels(state: str) -> pl.DataFrame:
    rows = [
        {"domain": f"D{n}", "name": name, "status": "not_scored" if n % 3 == 2 else "scored",
         "floor": None if n % 3 == 2 else 1 + n % 4, "ceiling": None if n % 3 == 2 else 1 + n % 4 + n % 2, "note": name * 3}
        for n, name in enumerate(names(state))
    ]
    return pl.DataFrame(rows, schema={"domain": pl.String, "name": pl.String, "status": pl.String, "floor": pl.Int64,
                                      "ceiling": pl.Int64, "note": pl.String})


def coverage(state: str) -> pl.DataFrame:
    rows = [
        {"basis": "received", "source": name, "tenant": name, "day": (NOW - timedelta(days=1 + day)).date(),
         "records": 1 if day == 4 else 100, "lateness_seconds": 900}
        for name in names(state) for day in range(0, 200, 2 if name == "TOTAL" else 1)
    ]
    rows += [{"basis": "expected", "source": f"{name} expected"} for name in names(state)[:2]]
    return tables.conform(pl.DataFrame(rows, schema={n: tables.COVERAGE.schema[n] for n in (
        "basis", "source", "tenant", "day", "records", "lateness_seconds")}), tables.COVERAGE)


def counts(state: str) -> pl.DataFrame:
    rows = [{"source": name, "accepted": 10**n, "duplicate": n, "quarantined": n % 2, "rejected": 0}
            for n, name in enumerate(names(state)[:9])]
    return pl.DataFrame(rows, schema={"source": pl.String, "accepted": pl.Int64, "duplicate": pl.Int64,
                                      "quarantined": pl.Int64, "rejected": pl.Int64})


def permissions(state: str) -> pl.DataFrame:
    rows = [
        {"principal_id": name, "kind": name if state == "hostile" and n % 2 else "service_account", "granted": 20,
         "used": n % 9, "unused": 15 - n % 9, "unobservable": 4, "too_young": 1, "reason": name}
        for n, name in enumerate(names(state))
    ]
    schema = {"kind": pl.String(), **{n: tables.PERMISSIONS.schema[n] for n in (
        "principal_id", "granted", "used", "unused", "unobservable", "too_young", "reason")}}
    return pl.DataFrame(rows, schema=schema)


def measures(state: str) -> pl.DataFrame:
    rows = [{"metric_id": "PRV-01", "scope": scope, "numerator": 31 * value, "denominator": 31.0, "value": value,
             "worst_case": value, "best_case": value / 2} for scope, value in (("a", 0.9), ("b", 0.5), ("c", 0.1))]
    return tables.conform(pl.DataFrame(rows if state != "empty" else [], schema_overrides={"metric_id": pl.String}),
                          tables.MEASURES) if state != "empty" else tables.MEASURES.empty()


def cuts(state: str) -> pl.DataFrame:
    rows = [{"rank": n + 1, "src": f"aws:1:{name}", "dst": "aws:1:top", "src_label": name, "dst_label": name[::-1],
             "technique": name, "reason": name, "removed": 40 - n, "remaining": 40 * 30 - 40 * (n + 1) + n * (n + 1) // 2,
             "record_ids": ["rec-1"]} for n, name in enumerate(names(state))]
    schema: dict[str, Any] = {
        "rank": pl.Int64, "src": pl.String, "dst": pl.String, "src_label": pl.String, "dst_label": pl.String,
        "technique": pl.String, "reason": pl.String, "removed": pl.Int64, "remaining": pl.Int64, "record_ids": tables.TEXTS}
    return pl.DataFrame(rows, schema=schema)


def radii(state: str) -> pl.DataFrame:
    rows = [{"principal_id": f"aws:1:{n}:{name}", "kind": ("human", "workload", None)[n % 3], "reached": n,
             "weight": float(n), "share": None if n % 7 == 6 else 0.9 / 1.5**n, "tier0_reached": int(n == 0),
             "share_with_conditional": min(1.0, 1.2 / 1.4**n)} for n, name in enumerate(names(state))]
    schema = {"principal_id": pl.String, "kind": pl.String, "reached": pl.Int64, "weight": pl.Float64,
              "share": pl.Float64, "tier0_reached": pl.Int64, "share_with_conditional": pl.Float64}
    return pl.DataFrame(rows, schema=schema)


def access(state: str) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Ways of one identity, with the graph they lead through: one way for each name, of one to four steps."""
    from lineage_analytics.graphs.access import PATHS
    called = names(state)
    ids = {"who": called[0] if called else "", "top": "the top"} | {f"n{n}": name for n, name in enumerate(called)}
    ways = [["who", *(f"n{(n + k) % len(called)}" for k in range(n % 4)), "top"] for n in range(len(called))]
    nodes = [{"node_id": node, "kind": "role" if node != "who" else "human", "label": name, "tier0": node == "top"}
             for node, name in ids.items()]
    pairs = sorted({pair for way in ways for pair in pairwise(way)})
    edges = [{"src": src, "dst": dst, "rel": "controls", "state": "conditional" if n % 3 else "proved", "followed": True,
              "technique": f"{ids[dst]} {n}", "reason": ids[src]} for n, (src, dst) in enumerate(pairs)]
    paths = [{"principal_id": "who", "hops": len(way) - 1, "state": "conditional", "path": way,
              "techniques": [f"{ids[b]} {pairs.index((a, b))}" for a, b in pairwise(way)]} for way in ways]
    return (pl.DataFrame(paths, schema=PATHS), pl.DataFrame(nodes, schema=tables.NODES.schema),
            pl.DataFrame(edges, schema=tables.EDGES.schema))


def facets(state: str) -> pl.DataFrame:
    rows = [{"identity_id": name, "facet": facet, "state": ("true", "false", "unknown")[(n + k) % 3]}
            for n, name in enumerate(names(state)) for k, facet in enumerate(("inventoried", "owner", "purpose"))]
    return tables.conform(pl.DataFrame(rows, schema={"identity_id": pl.String, "facet": pl.String, "state": pl.String}),
                          tables.FACETS)


def elements(state: str) -> pl.DataFrame:
    from lineage_analytics.charts.decisions import ELEMENT_STATES, ELEMENTS
    rows = [{"case_id": name, "element": element, "state": ELEMENT_STATES[(n + k) % 6], "reason": name}
            for n, name in enumerate(names(state)) for k, element in enumerate(ELEMENTS)]
    return tables.conform(pl.DataFrame(rows, schema={n: pl.String() for n in ("case_id", "element", "state", "reason")}),
                          tables.ELEMENTS)


def decision(state: str) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Steps of one case, ties of each to the one before, and a gap."""
    kinds = ("signal", "request", "decision", "action", "rollback", "attempt")
    steps = [{"step_id": f"step {n:02}", "case_id": "dec-1", "kind": kinds[n % 6], "time": NOW - timedelta(hours=40 - n),
              "agent_ids": [name], "operation": name, "title": name, "status": "succeeded", "verdict": "approve"}
             for n, name in enumerate(names(state))]
    links = [{"src": one["step_id"], "dst": other["step_id"], "rel": "about", "tier": n % 5 + 1}
             for n, (other, one) in enumerate(pairwise(steps))]
    gaps = [{"gap_id": "g", "case_id": "dec-1", "element": "executor_identity", "reason": "absent"}]
    return tuple(  # type: ignore[return-value]
        tables.conform(pl.DataFrame(rows, schema={n: table.schema[n] for row in rows for n in row}), table) if rows else table.empty()
        for rows, table in ((steps, tables.STEPS), (links, tables.LINKS), (gaps, tables.GAPS)))


def reach(state: str) -> pl.DataFrame:
    rows = [{"user_id": name, "accessed": 3 * n + 1, "opened": None if n % 5 == 4 else n,
             "accessed_not_opened": None if n % 5 == 4 else 2 * n, "labelled": n} for n, name in enumerate(names(state))]
    return pl.DataFrame(rows, schema={"user_id": pl.String, "accessed": pl.Int64, "opened": pl.Int64,
                                      "accessed_not_opened": pl.Int64, "labelled": pl.Int64})


def approvals(state: str) -> pl.DataFrame:
    rows = [{"time": NOW - timedelta(days=3 * n), "dwell_seconds": float(4**(n % 9)), "ai": (True, False, None)[n % 3],
             "approver": name, "verdict": "approve"} for n, name in enumerate(names(state))]
    return pl.DataFrame(rows, schema={"time": tables.TIME, "dwell_seconds": pl.Float64, "ai": pl.Boolean,
                                      "approver": pl.String, "verdict": pl.String})


def credentials(state: str) -> pl.DataFrame:
    rows = [{"identity_id": name, "credential_id": name, "status": "active",
             "created_at": None if n % 4 == 3 else NOW - timedelta(days=40 * n + 10)} for n, name in enumerate(names(state))]
    return tables.conform(pl.DataFrame(rows, schema={"identity_id": pl.String, "credential_id": pl.String,
                                                     "status": pl.String, "created_at": tables.TIME}), tables.CREDENTIALS)


def register(state: str) -> pl.DataFrame:
    """Workflows of every sort: declared or not, of every class, with and without decisions."""
    classes = ["advises", "drafts", "executes_approved", "executes_autonomous"]
    rows = []
    for n, name in enumerate(names(state)):
        cases = 0 if n % 5 == 4 else 10 * n + 4
        rows.append({
            "workflow_id": f"wf-{n}", "name": name, "declared": n % 2 == 0, "assistant": name, "assistants": [name],
            "class_declared": classes[n % 4] if n % 2 == 0 else None,
            "class_observed": classes[(n + 1) % 4] if cases and n % 3 else None,
            "class_at_least": classes[(n + 1) % 4] if cases else None, "class_at_most": classes[3] if cases else None,
            "class_creep": [True, False, None][n % 3] if n % 2 == 0 else None, "creep_cases": n % 3, "approver": name,
            "approvers": [name] * (n % 3), "data_observed": [name] * (n % 4), "resources_read": [None, 0, 1_234_567 * n][n % 3],
            "inputs": [name] * (n % 2), "logged_by": [name, "entra_audit"], "to_executor": 1, "to_approver": 1,
            "to_nobody": n % 2, "to_unknown": cases - 2 - n % 2 if cases else 0, "cases": cases, "shared_cases": 0,
            "experimental_writes": int(n % 4 == 3)})
    told = pl.DataFrame(rows, schema={one: dtype for one, dtype in tables.WORKFLOWS.schema.items() if not rows or one in
                                      rows[0]})
    return tables.conform(told, tables.WORKFLOWS)


def pace(state: str) -> tuple[pl.DataFrame, pl.DataFrame, dict[str, Any]]:
    """Weeks, legs and numbers of a gap; not scored, for a reason that holds whatever it holds, where hostile."""
    scored = state != "hostile"
    weeks = pl.DataFrame(
        [{"week": (NOW - timedelta(weeks=30 - n)).date(), "executed": 20 + n, "assured": 12, "failed": 7 + n, "unknown": 1,
          "standard": 15.0 if scored else None, "opened": n == 12, "complete": n < 29} for n in range(len(names(state)))],
        schema={"week": pl.Date, "executed": pl.Int64, "assured": pl.Int64, "failed": pl.Int64, "unknown": pl.Int64,
                "standard": pl.Float64, "opened": pl.Boolean, "complete": pl.Boolean})
    legs = pl.DataFrame([("evidence", 0.05, -0.02, 0.1), ("approval", 0.2, 0.1, 0.3), ("rollback", -0.03, None, None)],
                        schema={"leg": pl.String, "contribution": pl.Float64, "low": pl.Float64, "high": pl.Float64}, orient="row")
    said = {"why_not": None, "ag": 0.22, "ag_low": 0.1, "ag_high": 0.3, "af": 3.1, "q0": 0.8, "q1": 0.62, "ux": 97.0, "days": 30,
            "n1": 500, "n0": 300, "unknown": 12, "band": "watch", "baseline": "other changes of the same window", "stopped": 0}
    if scored:
        return weeks, legs, said
    return weeks, legs.clear(), said | dict.fromkeys(("ag", "ag_low", "ag_high", "af", "q0", "q1", "ux", "band")) | {
        "why_not": " ".join(HOSTILE)}


DRAWN: dict[str, Callable[[str], alt.LayerChart]] = {
    "maturity_profile": lambda s: charts.maturity_profile(levels(s), levels(s).with_columns(floor=pl.lit(1, pl.Int64))),
    "coverage_calendar": lambda s: charts.coverage_calendar(coverage(s), WINDOW),
    "source_counts": lambda s: charts.source_counts(counts(s)),
    "excess_sweep": lambda s: charts.excess_sweep(permissions(s), measures(s)),
    "use_states": lambda s: charts.use_states(permissions(s)),
    "facet_waterfall": lambda s: charts.facet_waterfall(facets(s)),
    "credential_age": lambda s: charts.credential_age(credentials(s), NOW),
    "decision_elements": lambda s: charts.decision_elements(elements(s), "1 to 30 June 2026"),
    "approval_timing": lambda s: charts.approval_timing(approvals(s)),
    "acceleration_gap": lambda s: charts.acceleration_gap(*pace(s)),
    "decision_picture": lambda s: charts.decision_picture(*decision(s)),
    "copilot_reach": lambda s: charts.copilot_reach(reach(s), "1 to 30 June 2026"),
    "tier0_paths": lambda s: charts.tier0_paths(*access(s), period="30 June 2026"),
    "choke_points": lambda s: charts.choke_points(cuts(s), period="30 June 2026"),
    "blast_radius": lambda s: charts.blast_radius(radii(s), period="30 June 2026"),
    "workflow_map": lambda s: charts.workflow_map(register(s), "June 2026"),
}
SWEEP = [(name, state) for name in charts.CHARTS for state in STATES]


def walk(value: object, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    """Every string of a document with the keys that lead to it."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from walk(inner, (*path, str(key)))
    elif isinstance(value, list):
        for inner in value:
            yield from walk(inner, path)
    elif isinstance(value, str):
        yield path, value


def test_every_chart_is_swept() -> None:
    assert set(DRAWN) == set(charts.CHARTS)


@pytest.mark.parametrize(("name", "state"), SWEEP)
def test_a_chart_says_in_words_what_it_shows(name: str, state: str) -> None:
    document = render.spec(DRAWN[name](state))
    assert len(document["description"]) > 20
    assert document["title"]["text"][0]
    if state == "empty":
        assert "nothing assessable" in document["description"]


@pytest.mark.parametrize(("name", "state"), SWEEP)
def test_a_picture_parses_has_the_common_width_and_loads_nothing(name: str, state: str) -> None:
    root = ET.fromstring(render.svg(DRAWN[name](state)))  # noqa: S314  (our own output)
    assert root.get("width") == str(THEME.width)
    assert root.get("aria-label")
    for node in root.iter():
        assert node.tag.rpartition("}")[2] not in {"script", "image", "foreignObject", "a", "use"}
        for key, value in node.attrib.items():
            assert not key.rpartition("}")[2].startswith("on")
            assert key.rpartition("}")[2] not in {"href", "src"}
            assert "url(" not in value or "url(#" in value


@pytest.mark.parametrize(("name", "state"), SWEEP)
def test_no_text_is_cut_off_at_the_edges(name: str, state: str) -> None:
    root = ET.fromstring(render.svg(DRAWN[name](state)))  # noqa: S314
    for left, right, top, text in texts(root, 0, 0):
        assert left > -4, text
        assert right < THEME.width + 4, text
        assert 4 < top < float(root.get("height", "0")) + 2, text


def texts(node: ET.Element, x: float, y: float) -> Iterator[tuple[float, float, float, str]]:
    """Left, right, baseline and words of every line of text, by the moves of its ancestors."""
    for child in node:
        cx, cy = x, y
        if found := re.match(r"translate\(([-\d.]+)[, ]([-\d.]+)\)", child.get("transform", "")):
            cx, cy = x + float(found[1]), y + float(found[2])
        if child.tag.endswith("text"):
            lines = [child, *child] if len(child) else [child]
            for line in (line for line in lines if line.text):
                size = float(child.get("font-size", "12px").removesuffix("px"))
                # Letters as wide as they are in the drawn font, not on the safe side: 0.9 of the estimate.
                wide = 0.9 * layout.text_width(line.text or "", size, bold=child.get("font-weight") == "bold")
                start = {"end": cx - wide, "middle": cx - wide / 2}.get(child.get("text-anchor", ""), cx)
                yield start, start + wide, cy + float(line.get("dy", "0") or 0), line.text or ""
        yield from texts(child, cx, cy)


@pytest.mark.parametrize(("name", "state"), SWEEP)
def test_equal_tables_give_equal_bytes(name: str, state: str, tmp_path: Path) -> None:
    once = render.save(DRAWN[name](state), tmp_path / "once", name)
    again = render.save(DRAWN[name](state), tmp_path / "again", name)
    assert [p.name for p in once] == [f"{name}.svg", f"{name}.png", f"{name}.vl.json"]
    for one, other in zip(once, again, strict=True):
        assert one.read_bytes() == other.read_bytes()
    assert json.loads(once[2].read_text())["description"]


@pytest.mark.parametrize("name", list(DRAWN))
def test_names_from_logs_are_data_and_never_part_of_an_expression(name: str) -> None:
    document = render.spec(DRAWN[name]("hostile"))
    for path, text in walk(document):
        if MARK in text:
            assert path[0] in {"datasets", "title", "description"} or path[-1] in {"sort", "row", "words"}, path
        assert path[-1] not in {"href", "url"}


@pytest.mark.parametrize("name", list(DRAWN))
def test_hidden_characters_of_names_are_made_visible(name: str) -> None:
    picture = render.svg(DRAWN[name]("hostile"))
    assert not any(character in picture for character in "\u202e\u202c\u0000\x1b")


@pytest.mark.parametrize("name", ["use_states", "facet_waterfall", "copilot_reach", "decision_elements", "excess_sweep",
                                  "approval_timing", "credential_age"])
def test_aggregates_hold_no_identity(name: str) -> None:
    if name == "excess_sweep":
        document = render.spec(charts.excess_sweep(permissions("hostile"), measures("hostile")))
    else:
        document = render.spec(DRAWN[name]("hostile"))
    assert MARK not in json.dumps(document)


@pytest.mark.parametrize("name", list(DRAWN))
def test_the_same_rows_in_any_order_give_the_same_picture(name: str) -> None:
    if name == "maturity_profile":
        pytest.skip("the order of domains is the caller's")
    made: dict[str, Callable[[pl.DataFrame], Any]] = {
        "coverage_calendar": lambda f: charts.coverage_calendar(f, WINDOW), "source_counts": charts.source_counts,
        "excess_sweep": lambda f: charts.excess_sweep(f, measures("thirty")), "use_states": charts.use_states,
        "facet_waterfall": charts.facet_waterfall, "credential_age": lambda f: charts.credential_age(f, NOW),
        "decision_elements": charts.decision_elements, "approval_timing": charts.approval_timing,
        "copilot_reach": charts.copilot_reach, "choke_points": charts.choke_points, "blast_radius": charts.blast_radius,
        "tier0_paths": lambda f: charts.tier0_paths(f, access("thirty")[1], access("thirty")[2]),
        "workflow_map": charts.workflow_map,
        "decision_picture": lambda f: charts.decision_picture(f, *decision("thirty")[1:]),
        "acceleration_gap": lambda f: charts.acceleration_gap(f, *pace("thirty")[1:]),
    }
    frames: dict[str, Callable[[str], pl.DataFrame]] = {
             "coverage_calendar": coverage, "source_counts": counts, "excess_sweep": permissions,
             "use_states": permissions, "facet_waterfall": facets, "credential_age": credentials,
             "decision_elements": elements, "approval_timing": approvals, "copilot_reach": reach, "choke_points": cuts,
             "blast_radius": radii, "tier0_paths": lambda s: access(s)[0], "workflow_map": register,
             "decision_picture": lambda s: decision(s)[0],
             "acceleration_gap": lambda s: pace(s)[0]}
    frame = frames[name]("thirty")
    shuffled = frame.sample(fraction=1, shuffle=True, seed=5)
    assert render.spec(made[name](frame)) == render.spec(made[name](shuffled))


def test_a_chart_stays_small_however_large_its_table() -> None:
    random.seed(3)
    many = pl.DataFrame({"user_id": [f"u{n}" for n in range(40_000)],
                         "accessed": [int(random.lognormvariate(4, 2)) + 1 for _ in range(40_000)]})
    many = many.with_columns(opened=pl.col("accessed") // 3, accessed_not_opened=pl.col("accessed") // 2,
                             labelled=pl.lit(0, pl.Int64))
    document = render.spec(charts.copilot_reach(many))
    assert sum(map(len, document["datasets"].values())) <= render.MAX_ROWS
    year = coverage("thirty")
    assert sum(map(len, render.spec(charts.coverage_calendar(year, WINDOW))["datasets"].values())) <= render.MAX_ROWS


def test_two_of_three_domains_scored_names_the_lowest_and_says_nothing_of_the_whole() -> None:
    frame = pl.DataFrame({"domain": ["D1", "D2", "D3"], "name": ["Sight", "Owners", "Privilege"],
                          "status": ["scored", "scored", "not_scored"], "floor": [3, 1, None], "ceiling": [4, 1, None],
                          "note": [None, None, "61 of 90 days of logs"]})
    document = render.spec(charts.maturity_profile(frame))
    assert document["title"]["text"] == ["Owners stands lowest, at level 1"]
    assert document["title"]["subtitle"][0].startswith("2 of 3 domains scored; filled")
    assert "Privilege: not scored" in document["description"]
    assert "Sight: level 3, could be up to 4" in document["description"]


def test_a_day_under_a_tenth_of_the_median_is_not_received_and_a_late_one_is_not_missing() -> None:
    rows = [{"basis": "received", "source": "s", "tenant": "t", "day": (NOW - timedelta(days=1 + d)).date(),
             "records": 9 if d == 5 else 100, "lateness_seconds": 86_400} for d in range(1, 30) if d != 8]
    frame = tables.conform(pl.DataFrame(rows), tables.COVERAGE)
    text = render.spec(charts.coverage_calendar(frame, WINDOW))["description"]
    assert "s: 27 of 29 days, 1 may still arrive" in text


def test_a_chart_that_cannot_be_drawn_says_why_in_words_and_without_the_code() -> None:
    frame = permissions("thirty").with_columns(
        used=pl.lit(None, pl.Int64), unused=pl.lit(None, pl.Int64), reason=pl.lit("no_source: no inventory is read"))
    text = json.dumps(render.spec(charts.use_states(frame)))
    assert "no inventory is read" in text
    assert "no_source" not in text


@pytest.mark.parametrize(("quarantined", "rejected", "title"), [
    (0, 0, "All 100 records were understood"), (0, 60, "All 100 records were understood; 60 are not for us"),
    (1, 0, "1 of 100 records was not understood"), (2, 1, "2 of 100 records were not understood; 1 is not for us")])
def test_what_is_not_for_us_is_understood_and_what_is_quarantined_is_not(
    quarantined: int, rejected: int, title: str,
) -> None:
    frame = pl.DataFrame({"source": ["s"], "accepted": [100 - quarantined - rejected], "duplicate": [0],
                          "quarantined": [quarantined], "rejected": [rejected]})
    assert " ".join(render.spec(charts.source_counts(frame))["title"]["text"]) == title


def test_every_bar_of_the_elements_is_of_all_cases() -> None:
    frame = elements("thirty").filter((pl.col("case_id") != "category number 3") | (pl.col("element") != "rollback"))
    document = render.spec(charts.decision_elements(frame))
    totals = [sum(int(n) for n in re.findall(r"(\d+) ", part)) for part in
              document["description"].partition(". ")[2].split(";")]
    assert totals == [30] * 6


def test_the_waterfall_ends_with_the_accounts_that_hold_every_facet() -> None:
    rows = [{"identity_id": f"i{n}", "facet": facet, "state": "true" if n < 4 or facet != "owner" else "unknown"}
            for n in range(10) for facet in ("inventoried", "permissions_resolved", "logged", "usage_visible",
                                             "credential_age", "owner", "purpose")]
    document = render.spec(charts.facet_waterfall(tables.conform(pl.DataFrame(rows), tables.FACETS)))
    assert document["title"]["text"][0].startswith("4 of 10 service accounts are fully visible")
    assert "Valid owner: 6 unknown" in document["description"]


def test_what_cannot_be_observed_widens_the_band_and_is_not_unused() -> None:
    from lineage_analytics.charts.excess import unused_shares
    frame = permissions("one").with_columns(used=pl.lit(2, pl.Int64), unused=pl.lit(5, pl.Int64),
                                            unobservable=pl.lit(2, pl.Int64))
    row = unused_shares(frame).known.to_dicts()[0]
    assert row == pytest.approx({"share": 5 / 7, "low": 5 / 9, "high": 7 / 9})


def test_a_chart_without_description_is_an_error() -> None:
    with pytest.raises(LineageError, match="description"):
        render.spec(alt.Chart(alt.InlineData(values=[])).mark_point())


@pytest.mark.parametrize("chart", [
    alt.Chart(alt.InlineData(values=[{"u": "https://x.example/"}])).mark_image().encode(url="u:N"),
    alt.Chart(alt.InlineData(values=[{"u": "https://x.example/"}])).mark_point().encode(href="u:N"),
    alt.Chart(alt.UrlData("https://x.example/d.json")).mark_point(),
])
def test_a_chart_that_would_load_something_is_an_error(chart: alt.Chart) -> None:
    with pytest.raises(LineageError, match="loads nothing"):
        render.spec(chart.properties(description="a chart"))


def test_too_many_rows_are_an_error() -> None:
    chart = alt.Chart(pl.DataFrame({"x": range(2_001)})).mark_point().encode(x="x:Q").properties(description="d")
    with pytest.raises(LineageError, match="2,001"):
        render.spec(chart)


def test_a_chart_name_is_a_plain_name(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        render.save(DRAWN["use_states"]("one"), tmp_path, "../up")


@given(st.text())
def test_json_for_pages_never_holds_markup(text: str) -> None:
    made = render.safe_json({"name": text})
    assert not set(made) & set("<>&\u2028\u2029")
    assert json.loads(made) == {"name": text}


def test_a_figure_has_alternative_text_and_escapes_its_document() -> None:
    made = render.figure(DRAWN["maturity_profile"]("hostile"))
    assert made.count("<") == made.count(">") == 3
    assert 'alt="Maturity per domain' in made
    assert "<script" not in made


def test_the_theme_survives_another_theme_being_active() -> None:
    plain = render.spec(DRAWN["use_states"]("one"))
    with alt.theme.enable("dark"):
        assert render.spec(DRAWN["use_states"]("one")) == plain


def luminance(code: str) -> float:
    parts = [int(code[n:n + 2], 16) / 255 for n in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("palette", [LIGHT, DARK])
def test_text_has_enough_contrast(palette: Any) -> None:
    for role in ("ink", "muted", "accent", "adverse"):
        assert contrast(getattr(palette, role), palette.paper) >= 4.5, role
    for role in ("accent", "adverse", "unknown_line"):
        assert contrast(getattr(palette, role), palette.paper) >= 3, role
    assert contrast(palette.on_mark, palette.accent) >= 4.5
    assert contrast(palette.on_mark, palette.adverse) >= 4.5
    assert contrast(palette.ink, palette.accent_soft) >= 4.5


def test_states_differ_in_grey_and_by_word() -> None:
    from lineage_analytics.charts.decisions import ELEMENT_STATES
    looks = [(THEME.states[s].pattern, round(luminance(getattr(LIGHT, THEME.states[s].role)), 1)) for s in ELEMENT_STATES]
    assert len({THEME.states[s].word for s in ELEMENT_STATES}) == len(ELEMENT_STATES)
    solid = [look for look in looks if look[0] == "solid"]
    assert len(looks) - len(set(looks)) <= len(solid) - 1


def test_each_colour_has_one_role_so_that_dark_pages_can_swap_it() -> None:
    for palette in (LIGHT, DARK):
        codes = [code.lower() for code in vars(palette).values()]
        assert len(set(codes)) == len(codes)


def test_colours_stand_in_the_theme_only() -> None:
    from pathlib import Path

    import lineage_analytics
    root = Path(lineage_analytics.__file__).parent
    for path in sorted([*root.rglob("*.py"), *root.rglob("*.j2"), *root.rglob("*.css")]):
        if path.name != "theme.py" and path.parts[-2] in {"charts", "reporting", "notebook", "templates"}:
            assert not re.findall(r"#[0-9a-fA-F]{6}\b", path.read_text("utf-8")), path.name


def test_letters_are_drawn_into_pictures() -> None:
    titled, bare = (
        render.png(alt.Chart(alt.InlineData(values=[{"x": 1}])).mark_point(opacity=0).encode(x=alt.X("x:Q", axis=None))
                   .properties(description="d", title=alt.TitleParams(text=text, subtitle=" "), width=300, height=20))
        for text in ("A title that has to be seen", "\u00a0")
    )
    assert len(titled) > len(bare) + 1_000


def test_a_table_escapes_and_says_how_many_more() -> None:
    frame = pl.DataFrame({"display_name": [HOSTILE[0]] * 63, "events": [1_234] * 63, "ratio": [None] * 63})
    made = table(frame, "Accounts <b>", limit=5)
    assert made.count("<tr>") == 6
    assert "and 58 more" in made
    assert "<script" not in made
    assert "<caption>Accounts &lt;b&gt;</caption>" in made
    assert "1,234" in made
    assert "unknown" in made
    assert table(frame, "c", limit=500).count("<tr>") == 11
    assert "none" in table(frame.head(0), "c")


def test_drawing_starts_without_compiling_a_grammar_of_addresses() -> None:
    import subprocess
    import sys
    code = ("import sys, lineage_analytics.charts; assert 'altair' in sys.modules; "
            "assert 'rfc3987_syntax' not in sys.modules; import jsonschema")
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
