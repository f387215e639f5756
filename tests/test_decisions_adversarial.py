"""The awkward cases of the decision lineage that the loaders of today can produce, by their number in the design."""

from __future__ import annotations

import sys
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineage_analytics import tables
from lineage_analytics.facts import Facts
from lineage_analytics.graphs.decisions import DecisionLineage, decision_lineage
from tests._decisions import (
    ACCOUNT,
    ANA,
    AS_OF,
    BO,
    BOT,
    DAN,
    OTHER_ROLE,
    POLICY,
    ROLE,
    TENANT,
    Row,
    at,
    case,
    covered,
    facts,
    frame,
    gaps,
    identity,
    lineage,
    links,
    pairs,
    people,
    pim,
    states,
    step,
)

if TYPE_CHECKING:
    from types import FrameType

FRAMES = ("cases", "steps", "links", "link_rejects", "decision_findings", "gaps", "elements")
REQUEST, DECISION, ACTION = pim("request", -30), pim("decision", -10), pim("action")


def _verdict(*steps: Row, **more: Any) -> str:
    return str(case(lineage(*steps, **more))["approval_verdict"])


# --- A01, A02: the same records in any order, split or repetition ---------------------------------------------------------

_WHEN = st.sampled_from([-2880.0, -60.0, -0.02, -0.01, 0.0, 0.01, 0.05, 1.0, 60.0])
_TARGETS = st.sampled_from([ROLE, OTHER_ROLE, None])
_PIM = st.builds(
    lambda kind, when, target, key, actor, verdict, status: pim(
        kind, when, key=key, target_key=target, actor_id=actor, effect_key=f"{'revoke' if kind in ('expiry', 'rollback') else 'grant'}({target})",
        status="failed" if kind == "attempt" else status, **({"verdict": verdict} if kind == "decision" else {})),
    st.sampled_from(["request", "decision", "action", "expiry", "attempt", "rollback"]), _WHEN, _TARGETS,
    st.sampled_from(["req-1", "req-2", None]), st.sampled_from([ANA, BO, DAN, None]),
    st.sampled_from(["approve", "deny", "withdraw", "modify"]), st.sampled_from(["succeeded", "succeeded", "unknown"]))
_ROLE = f"aws:{ACCOUNT}:role/etl"
_AWS = st.builds(
    lambda what, when, kind, tenant, value, actor: step(
        "", when, operation=what[0], effect_key=f"{what[1]}({what[2]})", target_key=what[2], kind=kind, tenant=tenant,
        status="failed" if kind == "attempt" else "succeeded", after_state=value if what[1] == "set" else None,
        actor_class=actor),
    st.sampled_from([
        ("iam:AttachRolePolicy", "grant", POLICY), ("iam:DetachRolePolicy", "revoke", POLICY),
        ("iam:CreateRole", "create", _ROLE), ("iam:DeleteRole", "delete", _ROLE),
        ("iam:PutRolePolicy", "set", f"{_ROLE}|inline/p"), ("iam:DeleteRolePolicy", "delete", f"{_ROLE}|inline/p"),
        ("iam:UpdateAssumeRolePolicy", "set", f"{_ROLE}|trust")]),
    _WHEN, st.sampled_from(["action", "action", "attempt"]), st.sampled_from([ACCOUNT, "444455556666"]),
    st.sampled_from(["v1", "v2"]), st.sampled_from(["human", "workload", "unknown", "ai_agent"]))


def _numbered(rows: list[Row], shared: list[int]) -> list[Row]:
    """Own ids for every step; the native event ids collide where ``shared`` says so."""
    return [{**row, "step_id": f"step-{n}", "record_id": f"rec-{n}", "event_id": f"e-{shared[n % len(shared)] if shared else n}"}
            for n, row in enumerate(rows)]


STEPS = st.builds(_numbered, st.lists(_PIM | _AWS, min_size=1, max_size=24), st.lists(st.integers(0, 9), max_size=3))


def _same(one: DecisionLineage, other: DecisionLineage) -> None:
    for name in FRAMES:
        assert getattr(one, name).equals(getattr(other, name)), name


def _build(parts: list[list[Row]], coverage: list[Row]) -> DecisionLineage:
    """The steps as several files that were read one after another."""
    whole = facts([], people(ana="p-ana", dan="p-dan", bo="p-ana"), coverage)
    frames = [frame(part, tables.DECISION_STEPS) for part in parts if part]
    return decision_lineage(Facts({**whole.tables, "decision_steps": pl.concat(frames).lazy()}, AS_OF))


@settings(max_examples=150, deadline=None)
@given(STEPS, st.randoms(use_true_random=False), st.lists(st.integers(1, 5), min_size=1, max_size=5), st.integers(1, 4), st.booleans())
def test_A01_A02_order_split_and_repetition_change_nothing(  # noqa: N802
    rows: list[Row], chance: Any, times: list[int], files: int, cover: bool
) -> None:
    coverage = covered() if cover else []
    once = _build([rows], coverage)
    delivered = [{**row, "raw_ref": {"file_sha256": f"f{n}", "member": None, "offset": n}}
                 for number, row in enumerate(rows) for n in range(times[number % len(times)])]
    chance.shuffle(delivered)
    parts = [delivered[n::files] for n in range(files)]
    _same(once, _build(parts, coverage[::-1]))


@settings(max_examples=150, deadline=None)
@given(STEPS, st.booleans())
def test_whatever_the_steps_no_statement_outruns_its_records(rows: list[Row], cover: bool) -> None:
    found = _build([rows], covered() if cover else [])
    for table in (tables.CASES, tables.STEPS, tables.LINKS, tables.GAPS, tables.ELEMENTS):
        assert tables.closed_value_faults(getattr(found, table.name), table) == []
    assert sorted(found.steps["step_id"]) == sorted(row["step_id"] for row in rows)
    assert found.cases["case_id"].is_unique().all()
    assert set(found.steps["case_id"]) == set(found.cases["case_id"])
    by_id = {row["step_id"]: row for row in rows}
    for row in found.links.iter_rows(named=True):
        src, dst = by_id[row["src"]], by_id[row["dst"]]
        assert src["tenant"] == dst["tenant"]
        assert set(row["record_ids"]) == {src["record_id"], dst["record_id"]}
        if row["rel"] == "rolls_back":
            assert src["time"] >= dst["time"]
            assert src["target_key"] == dst["target_key"]
            assert {src["status"], dst["status"]} == {"succeeded"}
    undone = found.links.filter(pl.col("rel") == "rolls_back")
    assert undone["dst"].is_unique().all()
    assert undone["src"].is_unique().all()
    approved = found.cases.filter(pl.col("approval_verdict") == "approved_before")
    authorised = set(found.links.filter((pl.col("rel") == "authorised_by") & (pl.col("tier") >= 3)
                                        & (pl.col("delta_seconds") < -2))["src"])
    for case_id in approved["case_id"]:
        own = found.steps.filter((pl.col("case_id") == case_id) & pl.col("kind").is_in(["action", "rollback"]))
        assert authorised & set(own["step_id"])
    absent = set(found.gaps.filter((pl.col("element") == "decision") & (pl.col("reason") == "absent"))["case_id"])
    assert cover or found.cases.filter(pl.col("approval_verdict") == "absent").height == 0
    assert absent <= set(found.cases.filter(~pl.col("approval_verdict").is_in(["unknown"]))["case_id"])
    lacking = found.elements.filter(~pl.col("state").is_in(["proved", "not_required"]))
    six = ("initiator", "data_inputs", "recommendation", "decision", "execution", "rollback_path")
    assert lacking.height == found.gaps.filter(pl.col("element").is_in(six)).height


# --- A05 to A09: when, and by whom ------------------------------------------------------------------------------------------

def test_A05_an_approval_after_execution_is_retroactive_and_says_how_late() -> None:  # noqa: N802
    found = lineage(REQUEST, ACTION, pim("decision", 30, title="emergency, approved before"))
    made = case(found)
    assert (made["approval_verdict"], made["order_verdict"]) == ("retroactive", "retroactive")
    assert states(found)["approver"] == ("missing", "approved only after it ran")
    assert made["accountable_rule"] == "by_initiation"
    assert found.links.row(by_predicate=pl.col("rel") == "authorised_by", named=True)["delta_seconds"] == 1800.0


def test_A06_within_the_skew_band_the_order_is_uncertain_and_proves_nothing() -> None:  # noqa: N802
    for seconds in (-2, 0, 2):
        found = lineage(REQUEST, pim("decision", at(seconds=seconds)), ACTION)
        assert case(found)["approval_verdict"] == case(found)["order_verdict"] == "order_uncertain"
        assert states(found)["approver"][0] == "unknown"
        assert gaps(found)["decision"] == "ambiguous"
    other = pim("decision", at(seconds=-300), source="tickets")
    assert _verdict(REQUEST, other, ACTION) == "order_uncertain"
    assert _verdict(REQUEST, {**other, "time": at(seconds=-301)}, ACTION) == "approved_before"


def test_A06_a_second_approval_at_the_last_moment_does_not_make_the_first_uncertain() -> None:  # noqa: N802
    found = lineage(REQUEST, DECISION, pim("decision", at(seconds=-1), name="second", actor_id=BO), ACTION)
    assert (case(found)["approval_verdict"], case(found)["approver_id"]) == ("approved_before", DAN)


def test_A07_who_asks_cannot_approve() -> None:  # noqa: N802
    found = lineage(REQUEST, pim("decision", -10, actor_id=ANA), ACTION)
    made = case(found)
    assert (made["approval_verdict"], made["independent"]) == ("approved_before", "no")
    assert (made["accountable_id"], made["accountable_rule"]) == (ANA, "by_initiation")
    assert states(found)["approver"] == ("missing", "approved only by the person who asked or benefits")


def test_A07_who_benefits_cannot_approve_what_another_asked_for() -> None:  # noqa: N802
    asked: Row = {"actor_id": BO, "initiator_id": BO}
    assert case(lineage(pim("request", -30, **asked), pim("decision", -10, actor_id=ANA),
                        pim("action", **asked)))["independent"] == "no"


@pytest.mark.parametrize(("mapped", "independent"), [
    (people(ana="p-1", dan="p-1"), "no"), (people(ana="p-1", dan="p-2"), "yes"), ([], "by_account_only"),
    (people(dan="p-2"), "by_account_only"), (people(ana="p-1"), "by_account_only"),
], ids=["one-person", "two-persons", "unmapped", "half", "other-half"])
def test_A08_a_second_account_of_the_requester_is_known_only_where_people_are_mapped(  # noqa: N802
    mapped: list[Row], independent: str
) -> None:
    found = lineage(REQUEST, DECISION, ACTION, identities=mapped)
    assert case(found)["independent"] == independent
    assert states(found)["approver"][0] == ("missing" if independent == "no" else "proved")


@pytest.mark.parametrize("kind", ["automation", "workload", "ai_agent"])
def test_A09_a_rule_or_an_account_of_software_is_no_human_approval(kind: str) -> None:  # noqa: N802
    found = lineage(REQUEST, pim("decision", -10, actor_class=kind), ACTION)
    assert case(found)["approval_verdict"] == "automated_policy"
    assert states(found)["approver"] == ("missing", "let through by a rule, not by a person")
    assert case(found)["accountable_rule"] == "by_initiation"


def test_A09_an_approver_of_unknown_kind_is_not_called_a_person() -> None:  # noqa: N802
    found = lineage(REQUEST, pim("decision", -10, actor_id=None, actor_class="unknown"), ACTION)
    assert case(found)["approval_verdict"] == "unknown"
    assert gaps(found) == {"decision": "not_recorded_by_provider"}


# --- A13, A14, A16, A17, A21: what was approved -----------------------------------------------------------------------------

@pytest.mark.parametrize("holder", ["decision", "request"])
def test_A13_an_approval_that_has_run_out_authorises_nothing(holder: str) -> None:  # noqa: N802
    def steps(end: float) -> list[Row]:
        return [{**row, "expires_at": at(end) if row["kind"] == holder else None} for row in (REQUEST, DECISION, ACTION)]
    assert _verdict(*steps(-1)) == "expired"
    assert _verdict(*steps(1)) == "approved_before"
    assert states(lineage(*steps(-1)))["approver"] == ("missing", "the approval had run out")


@pytest.mark.parametrize("other", [OTHER_ROLE, f"{ROLE}|/administrativeUnits/1", ROLE.replace("|ana", "|bo")],
                         ids=["role", "scope", "person"])
def test_A14_an_approval_for_something_else_is_no_link_and_no_authority(other: str) -> None:  # noqa: N802
    found = lineage(REQUEST, DECISION, {**ACTION, "target_key": other})
    made = case(found)
    assert (made["approval_verdict"], made["approver_id"]) == ("contradicted", None)
    assert "authorised_by" not in {rel for _, _, rel, _ in links(found)}
    assert states(found)["approver"] == ("missing", "contradicted: the records name different targets")
    assert {(rel, reason) for rel, reason in found.link_rejects.select("rel", "reason").iter_rows()} == {
        ("authorised_by", "target_differs"), ("requested_by", "target_differs")}


def test_A16_one_approval_of_many_changes_covers_the_one_it_names() -> None:  # noqa: N802
    actions = [pim("action", n, name=f"a{n}", target_key=f"entra:{TENANT}:role/r{n}|ana") for n in range(340)]
    named = pim("decision", -10, target_key=actions[7]["target_key"])
    found = lineage(REQUEST | {"target_key": None}, named, *actions, coverage=covered())
    verdicts = dict(found.cases.select("anchor_event_id", "approval_verdict").iter_rows())
    assert verdicts.pop("e-a7") == "approved_before"
    assert set(verdicts.values()) == {"contradicted"}
    assert len(verdicts) == 339
    assert found.cases["initiator_id"].unique().to_list() == [ANA]


def test_A17_one_approval_that_names_nothing_proves_none_of_several_changes() -> None:  # noqa: N802
    silent = pim("decision", -10, target_key=None)
    found = lineage(REQUEST, silent, ACTION, pim("action", 1, name="two", target_key=OTHER_ROLE), coverage=covered())
    assert set(found.cases["approval_verdict"]) == {"unknown"}
    assert set(found.gaps.filter(pl.col("element") == "decision")["reason"]) == {"ambiguous"}
    assert "authorised_by" not in {rel for _, _, rel, _ in links(found)}
    assert _verdict(REQUEST, silent, ACTION) == "approved_before"


def test_A21_twelve_changes_under_one_id_are_matched_target_by_target() -> None:  # noqa: N802
    targets = [f"entra:{TENANT}:role/r{n}|ana" for n in range(12)]
    steps = [pim(kind, when + n, name=f"{kind}-{n}", target_key=target) for n, target in enumerate(targets)
             for kind, when in (("decision", -60), ("action", 0)) if kind == "action" or n % 2]
    found = lineage(*steps)
    assert found.cases.height == 12
    assert {(s, d) for s, d, rel, _ in links(found) if rel == "authorised_by"} == {
        (f"action-{n}", f"decision-{n}") for n in range(1, 12, 2)}


# --- A19, A20, A24, A25, A42, A45: names, tenants, times ----------------------------------------------------------------------

def test_A19_a_ticket_in_free_text_never_approves() -> None:  # noqa: N802
    typed = pim("request", -30, quoted_keys=["CHG0030192"], title="CHG0030192 approved by Dan")
    found = lineage(typed, {**ACTION, "quoted_keys": ["CHG0030192"]}, coverage=covered())
    assert case(found)["approval_verdict"] == "absent"
    assert found.links["rel"].to_list() == ["requested_by"]


def test_A20_one_request_id_in_two_tenants_is_two_cases() -> None:  # noqa: N802
    foreign = {**DECISION, "tenant": "t-2"}
    found = lineage(REQUEST, foreign, ACTION, coverage=covered())
    assert found.cases.height == 2
    assert case(found, "e-action")["approval_verdict"] == "absent"
    assert {rel for _, _, rel, _ in links(found)} == {"requested_by"}


def test_A24_renaming_anyone_changes_no_verdict_and_no_id() -> None:  # noqa: N802
    before = lineage(REQUEST, DECISION, ACTION, identities=[identity(DAN, display_name="Dan"), identity(ANA, display_name="Ana")])
    after = lineage(REQUEST, DECISION, ACTION, identities=[identity(DAN, display_name="Ana"), identity(ANA, display_name="Dan")])
    _same(before, after)


def test_A25_an_approval_for_an_account_does_not_authorise_its_namesake_made_later() -> None:  # noqa: N802
    again = {**ACTION, "target_key": ROLE.replace("|ana", "|ana-2"), "title": ACTION["title"]}
    assert _verdict(REQUEST, DECISION, again) == "contradicted"


def test_A42_the_class_comes_from_type_evidence_not_from_names_or_texts() -> None:  # noqa: N802
    agent = [identity(BOT, "ai_agent", display_name="Alice Smith")]
    assert lineage(step("x", actor_id=BOT, actor_class="workload"), identities=agent).steps["agent_class"][0] == "ai_agent"
    person = [identity(ANA, display_name="Copilot Agent GPT")]
    made = case(lineage(REQUEST, DECISION, {**ACTION, "title": "done by an AI agent"}, identities=person))
    assert made["involvement_class"] == "none"


def test_A45_a_date_to_come_is_not_known_yet_and_epoch_0_pairs_with_nothing() -> None:  # noqa: N802
    future = step("future", datetime(2099, 1, 1, tzinfo=UTC))
    assert lineage(step("x"), future).steps["event_id"].to_list() == ["e-x"]
    epoch = step("epoch", datetime(1970, 1, 1, tzinfo=UTC))
    found = lineage(epoch, step("d", operation="iam:DetachRolePolicy", effect_key=f"revoke({POLICY})"))
    assert pairs(found) == set()
    zero = [{**covered()[0], "day": date(1970, 1, 1), "first": datetime(1970, 1, 1, tzinfo=UTC)}]
    assert _verdict(ACTION, coverage=[*zero, *covered(first=date(2026, 6, 10))]) == "unknown"


# --- A34, A35, A47: decisions that differ ----------------------------------------------------------------------------------------

def _decides(name: str, minutes: float, verdict: str, actor: str = DAN) -> Row:
    return pim("decision", minutes, name=name, verdict=verdict, actor_id=actor)


@pytest.mark.parametrize(("decisions", "verdict"), [
    ([_decides("no", -20, "deny", BO), _decides("yes", -10, "approve")], "approved_before"),
    ([_decides("yes", -20, "approve"), _decides("no", -10, "deny")], "denied"),
    ([_decides("yes", -20, "approve"), _decides("no", -10, "withdraw", ANA)], "denied"),
    ([_decides("yes", -20, "approve"), _decides("no", 10, "withdraw", ANA)], "approved_before"),
    ([_decides("no", -20, "deny", BO), _decides("yes", 10, "approve")], "denied"),
    ([_decides("no", 5, "deny", BO), _decides("yes", 10, "approve")], "retroactive"),
    ([_decides("no", 5, "deny", BO)], "denied"),
    ([_decides("yes", -20, "approve"), _decides("no", -0.01, "deny", BO)], "order_uncertain"),
    ([_decides("no", -20, "deny", BO), _decides("yes", -0.01, "approve")], "order_uncertain"),
    ([_decides("yes", -20, "approve"), _decides("later", -10, "modify", BO)], "approved_before"),
    ([_decides("later", -10, "modify", BO)], "unknown"),
], ids=["shopping", "revoked", "withdrawn", "withdrawn-late", "denied-then-late", "late-mixed", "denied-late", "deny-near",
        "approve-near", "postponed", "only-postponed"])
def test_A34_A35_the_latest_decision_at_execution_wins(decisions: list[Row], verdict: str) -> None:  # noqa: N802
    found = lineage(REQUEST, *decisions, ACTION)
    assert case(found)["approval_verdict"] == verdict
    assert found.steps.filter(pl.col("kind") == "decision").height == len(decisions)


def test_a_decision_that_failed_decides_nothing() -> None:
    assert _verdict(REQUEST, pim("decision", -10, status="failed"), ACTION, coverage=covered()) == "absent"


def test_A47_decisions_of_one_moment_that_disagree_contradict_each_other_and_both_are_shown() -> None:  # noqa: N802
    found = lineage(REQUEST, _decides("yes", -10, "approve"), _decides("no", -10, "deny", BO), ACTION)
    made = case(found)
    assert (made["approval_verdict"], made["approver_id"]) == ("contradicted", None)
    assert gaps(found) == {"decision": "contradicted"}
    text = found.explain("e-action")
    assert "RECORDS CONTRADICT EACH OTHER" in text
    assert " APPROVE" in text
    assert " DENY" in text


# --- A37 to A39: trying, undoing ---------------------------------------------------------------------------------------------------

def test_A37_five_failures_and_a_success_are_one_case_with_one_action() -> None:  # noqa: N802
    tries = [step(f"t{n}", n, kind="attempt", status="failed") for n in range(5)]
    found = lineage(*tries, step("done", 6))
    assert case(found)["anchor_event_id"] == "e-done"
    assert found.steps["kind"].value_counts(sort=True).rows() == [("attempt", 5), ("action", 1)]


@pytest.mark.parametrize(("other", "cases"), [
    ({}, 1), ({"actor_id": "someone"}, 2), ({"target_key": "aws:x:role/other"}, 2), ({"tenant": "t-9"}, 2),
    ({"operation": "iam:PutRolePolicy"}, 2), ({"time": at(-61)}, 2), ({"time": at(1)}, 2), ({"target_key": None}, 2),
], ids=["same", "caller", "target", "tenant", "operation", "hour", "after", "unnamed"])
def test_A37_only_a_try_of_the_same_thing_within_the_hour_before_joins_the_success(  # noqa: N802
    other: Row, cases: int
) -> None:
    assert lineage({**step("t", -5, kind="attempt", status="failed"), **other}, step("done")).cases.height == cases


def test_A38_rolled_back_and_applied_again_the_last_one_stands() -> None:  # noqa: N802
    detach = {"operation": "iam:DetachRolePolicy", "effect_key": f"revoke({POLICY})"}
    found = lineage(step("a1"), step("d1", 5, **detach), step("a2", 10), step("d2", 15, **detach), step("a3", 20))
    assert pairs(found) == {("d1", "a1"), ("d2", "a2")}
    assert found.cases.filter(pl.col("status") == "rolled_back").height == 2
    assert case(found, "e-a3")["status"] == "executed"


def test_A39_the_inverse_on_a_namesake_in_another_account_is_no_rollback() -> None:  # noqa: N802
    detach: Row = {"operation": "iam:DetachRolePolicy", "effect_key": f"revoke({POLICY})"}
    assert pairs(lineage(step("a"), step("d", 5, tenant="444455556666", **detach))) == set()
    assert pairs(lineage(step("a"), step("d", 5, **detach, provider="entra"))) == set()


# --- A44: many records of one key --------------------------------------------------------------------------------------------------

def _one_key(n: int) -> list[Row]:
    return [pim(("request", "decision", "action", "expiry")[i % 4], i / 600, name=str(i)) for i in range(n)]


def _targets(n: int) -> list[Row]:
    return [pim(("decision", "action")[i % 2], i / 600, name=str(i), target_key=f"entra:t:role/{i // 2 if i % 3 else i}|ana")
            for i in range(n)]


def _untargeted(n: int) -> list[Row]:
    return [pim("decision", i / 600, name=str(i), target_key=None) if i % 2 else
            pim("action", i / 600, name=str(i), target_key=f"entra:t:role/{i}|ana") for i in range(n)]


def _tries(n: int) -> list[Row]:
    return [step(str(i), i / 600, kind="attempt", status="failed") for i in range(n - 1)] + [step("done", n / 600)]


def _flapping(n: int) -> list[Row]:
    return [step(str(i), i / 6, operation="iam:DetachRolePolicy" if i > n // 2 else "iam:AttachRolePolicy") for i in range(n)]


def _one_event(n: int) -> list[Row]:
    return [step(str(i), i / 600, event_id="e-same") for i in range(n)]


def _lines_run(known: Facts) -> int:
    """Lines of the engine that ran, each turn of a loop counted: work that does not depend on the machine."""
    ran = 0

    def count(_: FrameType, event: str, __: Any) -> Any:
        nonlocal ran
        ran += event == "line"
        return count

    def enter(called: FrameType, _: str, __: Any) -> Any:
        return count if "graphs/decisions" in called.f_code.co_filename.replace("\\", "/") else None

    before = sys.gettrace()
    sys.settrace(enter)
    try:
        decision_lineage(known)
    finally:
        sys.settrace(before)
    return ran


@pytest.mark.parametrize("make", [_one_key, _targets, _untargeted, _tries, _flapping, _one_event])
def test_A44_work_grows_with_the_records_also_when_all_share_a_key(make: Any) -> None:  # noqa: N802
    small, large = (_lines_run(facts(make(n), coverage=covered())) for n in (100, 800))
    assert small > 100
    assert large < 8 * 1.25 * small, "eight times the records took far more than eight times the work"


# --- A48: little or nothing ------------------------------------------------------------------------------------------------------------

def test_A48_nothing_gives_empty_frames_of_the_right_columns() -> None:  # noqa: N802
    found = decision_lineage(Facts.of(AS_OF))
    for name in FRAMES:
        assert getattr(found, name).schema == tables.ALL[name].schema
        assert getattr(found, name).height == 0
    assert found.approval_timing().height == 0
    assert "0 cases (none)" in repr(found)


def test_A48_one_record_of_which_nothing_is_known_is_a_case_of_gaps() -> None:  # noqa: N802
    bare = {"step_id": "step-1", "kind": "action", "time": at(), "operation": "x", "record_id": "rec-1", "provider": "aws",
            "source": "aws_cloudtrail"}
    found = lineage(bare)
    assert set(gaps(found)) == {"initiator", "data_inputs", "recommendation", "decision", "execution", "rollback_path",
                                "approver_identity", "executor_identity"}
    assert "absent" not in gaps(found).values()
    assert case(found)["completeness"] == 0.0
    assert "nobody named (unknown)" in found.explain("rec-1")
