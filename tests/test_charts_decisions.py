"""What the pictures of decisions say: stages, who, when, ties by their evidence, and what is not known."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineage_analytics import charts, tables
from lineage_analytics.charts import picture as drawing
from lineage_analytics.charts import render
from lineage_analytics.charts.stages import ROWS_DRAWN, STAGES, UNLINKED, Picture, picture
from lineage_analytics.charts.theme import DARK, LIGHT
from lineage_analytics.graphs.decisions import answers, wording
from tests._decisions import covered, lineage, pim
from tests.test_charts import contrast

Row = dict[str, Any]
NOON = datetime(2026, 6, 10, 12, tzinfo=UTC)
CASE = "dec-1"


def step(name: str, kind: str, minutes: float = 0, **fields: Any) -> Row:
    return {"step_id": name, "case_id": CASE, "kind": kind, "time": NOON + timedelta(minutes=minutes), "agent_ids": ["x:ana"],
            "operation": f"op {name}", "status": "succeeded", "title": f"about {name}", **fields}


def link(src: str, dst: str, rel: str = "about", tier: int = 4) -> Row:
    return {"src": src, "dst": dst, "rel": rel, "tier": tier}


def gap(element: str, reason: str) -> Row:
    return {"gap_id": element, "case_id": CASE, "element": element, "reason": reason}


def frame(rows: list[Row], table: tables.Table) -> pl.DataFrame:
    names = {name: table.schema[name] for row in rows for name in row}
    return tables.conform(pl.DataFrame(rows, schema=names), table) if rows else table.empty()


Frames = tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame, pl.DataFrame]


def frames(steps: list[Row], links: list[Row], gaps: list[Row], rejects: list[Row]) -> Frames:
    return (frame(steps, tables.STEPS), frame(links, tables.LINKS), frame(gaps, tables.GAPS),
            frame(rejects, tables.LINK_REJECTS))


def pictured(steps: list[Row], links: list[Row] = [], gaps: list[Row] = [], rejects: list[Row] = []) -> Picture:  # noqa: B006
    return picture(*frames(steps, links, gaps, rejects), CASE)


def drawn(steps: list[Row], links: list[Row] = [], gaps: list[Row] = [], rejects: list[Row] = [], **more: Any) -> Row:  # noqa: B006
    made = frames(steps, links, gaps, rejects)
    return render.spec(charts.decision_picture(*made[:3], CASE, rejects=made[3], **more))


def words(document: Row) -> list[str]:
    return [row["words"] for rows in document["datasets"].values() for row in rows if "words" in row]


def title(document: Row) -> str:
    return " ".join(document["title"]["text"])


CHAIN = [step("s", "signal", -30), step("r", "request", -20), step("d", "decision", -10, verdict="approve"), step("a", "action"),
         step("b", "rollback", 60, case_id="dec-2")]
TIES = [link("r", "s", "informed_by"), link("d", "r"), link("a", "d", "authorised_by", 2), link("b", "a", "rolls_back")]


def test_each_step_stands_in_the_column_of_its_stage_and_a_rollback_of_another_case_in_the_last() -> None:
    found = pictured(CHAIN, TIES)
    assert {stage: [card.id for card in column] for stage, column in found.columns.items()} == {
        "signal": ["s"], "advice": ["r"], "approval": ["d"], "action": ["a"], "rollback": ["b"], UNLINKED: []}
    assert found.columns["rollback"][0].look == "other"


def test_the_title_says_which_stages_are_on_record_missing_and_not_known() -> None:
    proved = [{**tie, "tier": 4} for tie in TIES]
    assert title(drawn(CHAIN, proved)) == "Signal, request or advice, approval, action and rollback or end are on record"
    lacks = [gap("decision", "absent"), gap("signal", "not_collected")]
    assert title(drawn([step("a", "action")], gaps=lacks)) == "Action is on record; approval is missing; signal is not known"
    assert title(drawn([step("t", "attempt", status="failed")])) == "Action is on record as failed"


def test_the_title_never_says_on_record_of_what_is_only_inferred() -> None:
    weak = [link("r", "s", "informed_by", 2), link("a", "d", "authorised_by", 1), link("a", "r", "requested_by")]
    assert title(drawn(CHAIN[:4], weak)) == "Request or advice and action are on record; signal and approval are inferred"
    alone = [link("a", "d", "authorised_by", 1)]
    assert title(drawn(CHAIN[2:4], alone)) == "Action is on record; approval is inferred"


def test_a_way_back_is_not_known_only_where_that_gap_says_so() -> None:
    for element, said in (("outcome", "Action is on record"), ("rollback_path", "Action is on record; way back is not known")):
        assert title(drawn([step("a", "action")], gaps=[gap(element, "not_collected")])) == said


def test_agents_are_named_and_the_time_stands_under_each_step() -> None:
    shown = words(drawn(CHAIN, TIES, names={"x:ana": "Ana Silva"}))
    assert shown.count("Ana Silva") == 5
    assert {"11:30:00", "11:40:00", "11:50:00", "12:00:00", "13:00:00"} <= set(shown)
    assert "[3] approved: op" in " ".join(shown)


def test_times_have_their_day_where_the_steps_are_of_several() -> None:
    assert "9 Jun 12:00:00" in words(drawn([step("r", "request", -24 * 60), step("a", "action")]))


def test_a_tie_that_records_prove_is_solid_and_one_that_is_inferred_dashed() -> None:
    found = pictured(CHAIN, TIES)
    assert {(tie.start, tie.end): tie.proved for tie in found.ties} == {
        ("s", "r"): True, ("r", "d"): True, ("d", "a"): False, ("a", "b"): True}
    dashes = {str(layer["mark"].get("strokeDash")) for layer in drawn(CHAIN, TIES)["layer"]
              if layer["mark"]["type"] == "line"}
    assert dashes == {"[1, 0]", "[5, 4]"}


@pytest.mark.parametrize("tier", range(1, 6))
def test_only_tier_three_and_above_is_drawn_as_proved(tier: int) -> None:
    found = pictured(CHAIN[2:4], [link("a", "d", "authorised_by", tier)])
    assert [tie.proved for tie in found.ties] == [tier >= 3]


def test_a_gap_is_an_open_shape_with_its_reason_and_one_that_counts_against_it_differs() -> None:
    document = drawn([step("a", "action")], gaps=[gap("decision", "absent"), gap("data_inputs", "not_collected")])
    shown = " ".join(words(document))
    assert "missing: its source is covered" in shown
    assert "its source is not loaded" in shown
    opened = {layer["mark"]["shape"]: (layer["mark"]["fill"], layer["mark"]["stroke"]) for layer in document["layer"]
              if layer["mark"]["type"] == "point" and "stroke" in layer["mark"]}
    assert opened["square"] == (LIGHT.paper, LIGHT.adverse)
    assert opened["circle"] == (LIGHT.paper, LIGHT.unknown_line)
    assert opened["triangle-up"] == (LIGHT.stage_action, LIGHT.stage_action)


def test_who_approved_is_not_told_apart_where_the_approval_itself_is_not_there() -> None:
    found = pictured([step("a", "action")], gaps=[gap("decision", "absent"), gap("approver_identity", "absent")])
    assert [card.what for card in found.columns["approval"]] == ["decision"]


def test_what_was_considered_and_not_linked_has_a_column_of_its_own_only_where_there_is_some() -> None:
    assert "Not linked" not in words(drawn(CHAIN, TIES))
    rejects = [{"src": "a", "rel": "authorised_by", "candidates": ["z", "d"], "reason": "ambiguous"}]
    found = pictured([*CHAIN, step("z", "decision", case_id="dec-9")], TIES, rejects=rejects)
    assert [(card.id, card.who) for card in found.columns[UNLINKED]] == [("z", "ambiguous")]
    assert "Not linked" in words(drawn([*CHAIN, step("z", "decision", case_id="dec-9")], TIES, rejects=rejects))


def test_nothing_on_record_says_so_and_a_stage_that_needs_none_says_that() -> None:
    empty = charts.decision_picture(tables.STEPS.empty(), tables.LINKS.empty(), tables.GAPS.empty())
    assert "no step of such a decision is on record" in render.spec(empty)["description"]
    assert "nothing was executed" in " ".join(words(drawn([step("r", "request")])))
    other = frames([step("a", "action")], [], [], [])
    assert "no step of such" in render.spec(charts.decision_picture(*other[:3], "dec-none"))["description"]


def test_several_rollbacks_and_claims_that_go_in_a_circle_are_drawn() -> None:
    steps = [step("a", "action"), *(step(f"b{n}", "rollback", 60 + n, case_id=f"dec-{n + 2}") for n in range(3))]
    ties = [link(f"b{n}", "a", "rolls_back") for n in range(3)] + [link("a", "a"), link("a", "b0")]
    found = pictured(steps, ties)
    assert sorted(card.id for card in found.columns["rollback"]) == ["b0", "b1", "b2"]
    assert {(tie.start, tie.end) for tie in found.ties} == {("a", "b0"), ("a", "b1"), ("a", "b2"), ("b0", "a")}
    assert drawn(steps, ties)["layer"]


KINDS = ["signal", "data_access", "recommendation", "draft", "request", "decision", "action", "attempt", "rollback", "expiry",
         "outcome"]


@settings(deadline=None, max_examples=40)
@given(st.data())
def test_at_most_sixty_cards_are_drawn_and_the_rest_is_counted(data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 90))
    steps = [step(f"s{n:02}", data.draw(st.sampled_from(KINDS)), n) for n in range(count)]
    names = [row["step_id"] for row in steps]
    pairs = data.draw(st.lists(st.tuples(st.sampled_from(names), st.sampled_from(names)), max_size=40))
    lacks = [gap(element, "not_collected") for element in data.draw(st.lists(st.sampled_from(
        ["signal", "decision", "rationale", "outcome", "correlation"]), unique=True))]
    ties = [link(src, dst) for src, dst in pairs]
    found = pictured(steps, ties, lacks)
    cards = [card for column in found.columns.values() for card in column]
    assert len(cards) <= 60
    assert max(len(column) for column in found.columns.values()) <= ROWS_DRAWN
    left = sum(int(card.what.split()[1]) for card in cards if card.look == "more")
    assert sum(card.look in ("step", "failed") for card in cards) + left == count
    shuffled = pictured(data.draw(st.permutations(steps)), data.draw(st.permutations(ties)), lacks)
    assert shuffled == found


def _crossings(found: Picture, order: dict[str, list[str]]) -> int:
    place = {card: (at, row) for at, stage in enumerate(STAGES) for row, card in enumerate(order[stage])}
    lines = [(place[tie.start], place[tie.end]) for tie in found.ties]
    return sum((a[1] - c[1]) * (b[1] - d[1]) < 0 for n, (a, b) in enumerate(lines) for c, d in lines[:n]
               if (a[0], b[0]) == (c[0], d[0]))


def test_cards_are_ordered_so_that_ties_cross_less_than_in_order_of_time() -> None:
    steps = [*(step(f"r{n}", "request", n) for n in range(7)), *(step(f"a{n}", "action", 20 + n) for n in range(7))]
    found = pictured(steps, [link(f"a{n}", f"r{(n * 3) % 7}") for n in range(7)])
    ordered = {stage: [card.id for card in column] for stage, column in found.columns.items()}
    by_time = {stage: sorted(ids) for stage, ids in ordered.items()}
    assert _crossings(found, ordered) == 0
    assert _crossings(found, by_time) > 5


def test_long_and_right_to_left_names_keep_inside_their_cards() -> None:
    document = drawn([step("a", "action", operation="W" * 200), step("r", "request", -5, operation="مدير النظام " * 9)],
                     names={"x:ana": "مدير النظام الرئيسي للشركة " * 5})
    assert max(len(line) for line in words(document) if "W" in line) < 12
    assert all("\n" not in line for line in words(document))


def test_an_operation_too_long_for_a_line_breaks_where_a_part_of_its_name_begins() -> None:
    shown = words(drawn([step("a", "action", operation="iam:DetachRolePolicy")]))
    assert {"iam:DetachRole", "Policy"} <= set(shown)


def test_the_description_tells_every_step_gap_and_time_for_those_who_do_not_see_it() -> None:
    document = drawn(CHAIN, TIES, [gap("executor_identity", "not_recorded_by_provider")], names={"x:ana": "Ana"})
    said = document["description"]
    assert "Approval: [3] approved: op d by Ana at 2026-06-10 11:50:00" in said
    assert "Who executed (the provider does not log it)" in said


@pytest.mark.parametrize("palette", [LIGHT, DARK])
def test_stages_have_contrast_and_their_own_shape(palette: Any) -> None:
    for stage in STAGES:
        assert contrast(getattr(palette, f"stage_{stage}"), palette.paper) >= 3, stage
    assert len(set(drawing._SHAPES.values())) == len(drawing._SHAPES)


def _values(table: tables.Table, column: str) -> frozenset[str]:
    return next(one for one in table.columns if one.name == column).values


def test_every_code_of_the_tables_has_words_in_the_text_and_the_picture() -> None:
    assert set(answers.VERDICTS) == set(wording._VERDICTS) == set(wording._APPROVED) == _values(tables.CASES, "approval_verdict")
    assert set(answers.INDEPENDENT) == set(wording._INDEPENDENT) == _values(tables.CASES, "independent")
    assert set(answers.REVERSIBILITY) == _values(tables.CASES, "reversibility")
    assert set(wording._DONE) == _values(tables.CASES, "status")
    assert set(answers.AUTHORITY) == _values(tables.STEPS, "authority_mode")
    assert set(answers.AGENTS) == _values(tables.STEPS, "agent_class")
    assert _values(tables.GAPS, "reason") | _values(tables.LINK_REJECTS, "reason") <= set(drawing._REASONS)


def test_the_picture_of_an_explained_decision_is_that_decision() -> None:
    told = lineage(pim("request", -30), pim("decision", -10), pim("action")).explain("e-action")
    said = render.spec(told.chart)
    assert told.content["case"]["case_id"] in " ".join(said["title"]["subtitle"])
    assert "Approval: [2] approved" in said["description"]
    shown = told._repr_html_()
    for part in ("<figure", "<table>", "<details>", "DECISION dec-"):
        assert part in shown


# --- are approvals real -------------------------------------------------------------------------------------------------

def approvals(seconds: list[float], approver: str | None = "x:dan") -> pl.DataFrame:
    """Approvals so many seconds after noon, each a minute after its request."""
    return pl.DataFrame(
        [{"time": NOON + timedelta(seconds=second), "dwell_seconds": 60.0, "ai": True, "approver": approver, "verdict": "approve"}
         for second in seconds],
        schema={"time": tables.TIME, "dwell_seconds": pl.Float64, "ai": pl.Boolean, "approver": pl.String, "verdict": pl.String})


@pytest.mark.parametrize(("seconds", "bursts"), [
    ([0, 15, 30, 45, 60], 1), ([0, 15, 30, 45, 61], 0), ([0, 1, 2, 3], 0), ([0, 1, 2, 3, 59, 60, 61], 1),
    ([0, 1, 2, 3, 4, 300, 301, 302, 303, 304], 2), ([0, 0, 0, 0, 0], 1)])
def test_five_or_more_by_one_approver_within_a_minute_are_one_burst_and_joined(seconds: list[float], bursts: int) -> None:
    document = render.spec(charts.approval_timing(approvals(seconds)))
    joined = [layer for layer in document["layer"] if layer["mark"].get("strokeWidth") == 5 and layer["mark"]["type"] == "line"]
    assert len(joined) == (bursts > 0)
    if bursts:
        assert {row["burst"] for row in document["datasets"][joined[0]["data"]["name"]]} == set(range(bursts))
        assert "needs review" in " ".join(document["title"]["subtitle"])


def test_approvals_of_two_people_or_of_nobody_known_are_no_burst() -> None:
    two = pl.concat([approvals([0, 1, 2]), approvals([3, 4, 5], "x:bo")])
    for given_ in (two, approvals([0, 1, 2, 3, 4], None)):
        assert "burst" not in render.spec(charts.approval_timing(given_))["description"]


def test_an_approval_that_two_logs_tell_of_counts_once() -> None:
    twice = pim("decision", -9.99, name="other", source="entra_pim")
    later = pim("decision", 600, name="later", source="entra_pim", key="req-1")
    found = lineage(pim("request", -30), pim("decision", -10), twice, later, pim("action"))
    assert found.approval_timing().height == 2
    assert found.approvers().row(0, named=True) | {"median_seconds": None} == {
        "approver": "entra:t-1:dan", "approvals": 2, "with_ai": 0, "median_seconds": None, "hasty": 0, "in_bursts": 0,
        "own_requests": 0}


def test_an_approver_has_what_needs_review_of_their_approvals_counted() -> None:
    quick = [row for n in range(6) for row in (
        pim("request", n / 60, name=f"r{n}", key=f"k{n}"), pim("decision", (n + 2) / 60, name=f"d{n}", key=f"k{n}"),
        pim("action", 30 + n, name=f"a{n}", key=f"k{n}"))]
    own = [pim("request", 300, name="ro", key="own"), pim("decision", 330, name="do", key="own", actor_id="entra:t-1:ana"),
           pim("action", 360, name="ao", key="own")]
    rows = {row["approver"]: row for row in lineage(*quick, *own).approvers().iter_rows(named=True)}
    dan, ana = rows["entra:t-1:dan"], rows["entra:t-1:ana"]
    assert (dan["approvals"], dan["hasty"], dan["in_bursts"], dan["own_requests"], dan["median_seconds"]) == (6, 6, 6, 0, 2.0)
    assert (ana["approvals"], ana["hasty"], ana["own_requests"]) == (1, 0, 1)


# --- on the page --------------------------------------------------------------------------------------------------------

def test_the_page_lists_each_change_that_needs_review_once_heaviest_first_and_one_without_approval_too() -> None:
    from types import SimpleNamespace

    from lineage_analytics.reporting.reading import Reading
    own = [pim("request", 0, name="r1", key="own"), pim("decision", 10, name="d1", key="own", actor_id="entra:t-1:ana"),
           pim("action", 20, name="own", key="own")]
    late = [pim("request", 60, name="r2", key="late"), pim("action", 70, name="late", key="late"),
            pim("decision", 180, name="d2", key="late")]
    bare = [pim("request", 300, name="r3", key="bare"), pim("action", 310, name="bare", key="bare")]
    good = [pim("request", 400, name="r4", key="good"), pim("decision", 430, name="d4", key="good"),
            pim("action", 460, name="good", key="good")]
    found = lineage(*own, *late, *bare, *good, coverage=covered())
    reading = Reading(SimpleNamespace(estate=found.facts, decisions=found), None)  # type: ignore[arg-type]
    shown = reading.to_review.select("anchor_event_id", "finding").rows()
    assert shown == [("e-bare", "no_approval"), ("e-late", "retroactive_approval"), ("e-own", "self_approval")]
