"""Decisions, pace and assistants on hand-sized estates."""

from __future__ import annotations

from typing import Any

import pytest

from lineage_analytics.metrics.lineage import ELEMENTS
from tests.test_metrics_estates import access_row, counts, decision, elements, logs, measured, members, row, step

Rows = list[dict[str, Any]]


def _decided(*cases: dict[str, Any], **states: dict[str, str]) -> Any:
    names = [case["case_id"].removeprefix("dec-") for case in cases]
    return measured(coverage=logs(60), cases=list(cases), steps=[step(n) for n in names],
                    element_rows=[one for n in names for one in elements(n, **states.get(n, {}))])


# --- LIN -------------------------------------------------------------------------------------------------------------

def test_lin01_proved_is_in_missing_is_out_inferred_and_unknown_are_unknown_the_rest_excluded() -> None:
    states = dict(zip("abcdef", ("proved", "missing", "inferred", "unknown", "not_required", "pending"), strict=True))
    found = _decided(*(decision(n) for n in states), **{n: {"approver": s} for n, s in states.items()})
    assert counts(found, "LIN-01", "approver") == (1, 2, 2, 2)
    assert counts(found, "LIN-01", "rollback") == (6, 6, 0, 0)


def test_lin01_scopes_keep_ai_and_the_comparison_group_apart_and_count_unknown_involvement() -> None:
    found = _decided(decision("ai"), decision("person", cls="none"), decision("dark", cls="unknown"),
                     decision("early", back=31), decision("tried", executed=False))
    for element in ELEMENTS:
        assert counts(found, "LIN-01", element) == (1, 1, 0, 1)
        assert counts(found, "LIN-01", f"{element}/non_ai") == (1, 1, 0, 0)
    assert members(found, "LIN-02", "excluded") == {"dec-dark": "involvement unknown"}


def test_lin02_every_required_element_proved_or_not_required_is_reconstructable() -> None:
    found = _decided(
        *(decision(n) for n in ("whole", "lacks", "dark", "waits", "both")), decision("odd", verdict="contradicted"),
        whole={"inputs": "not_required"}, lacks={"rollback": "missing"}, dark={"inputs": "unknown"},
        waits={"approver": "pending"}, both={"rollback": "missing", "inputs": "inferred"})
    assert members(found, "LIN-02", "numerator").keys() == {"dec-whole"}
    assert members(found, "LIN-02", "denominator") == {
        "dec-whole": "every required element is proved", "dec-lacks": "missing: rollback",
        "dec-both": "missing: rollback; inferred: inputs", "dec-odd": "records contradict each other"}
    assert members(found, "LIN-02", "unknown") == {"dec-dark": "unknown: inputs"}
    assert members(found, "LIN-02", "excluded") == {"dec-waits": "may still be completed"}


@pytest.mark.parametrize(("verdict", "state"), [
    ("approved_before", "in"), ("retroactive", "out"), ("absent", "out"), ("denied", "out"), ("expired", "out"),
    ("automated_policy", "out"), ("contradicted", "out"), ("scope_exceeded", "out"), ("stale", "out"), ("quorum_not_met", "out"), ("order_uncertain", "unknown"), ("unknown", "unknown"),
    ("not_required", "excluded"),
])
def test_lin05_each_verdict_has_its_set(verdict: str, state: str) -> None:
    found = _decided(decision("a", verdict=verdict))
    want = {"in": (1, 1, 0, 0), "out": (0, 1, 0, 0), "unknown": (0, 0, 1, 0), "excluded": (0, 0, 0, 1)}
    assert counts(found, "LIN-05") == want[state]


def test_lin05_without_any_approval_source_is_not_scored_for_want_of_approvals() -> None:
    found = _decided(*(decision(f"c{n}", verdict="unknown", independent="unknown") for n in range(40)))
    for metric in ("LIN-05", "LIN-06"):
        assert (row(found, metric)["status"], row(found, metric)["reason"]) == ("not_scored", "no_source")


def test_lin06_one_self_approval_of_two_and_one_by_account_only() -> None:
    found = _decided(decision("own", independent="no"), decision("other"), decision("maybe", independent="by_account_only"),
                     decision("none", verdict="absent", independent="unknown"), decision("rule", verdict="automated_policy"))
    assert counts(found, "LIN-06") == (1, 2, 1, 0)
    assert members(found, "LIN-06", "numerator") == {"dec-own": "approver and initiator are one person"}


# --- ACC -------------------------------------------------------------------------------------------------------------

def test_acc01_45_ai_changes_in_30_days_are_one_and_a_half_a_day() -> None:
    found = _decided(*(decision(f"c{n}", back=n % 30, cls="drafts" if n % 3 else "advises") for n in range(45)),
                     decision("p", cls="none"), decision("u", cls="unknown"))
    held = row(found, "ACC-01")
    assert (held["numerator"], held["denominator"], held["value"], held["unit"]) == (45, 30, 1.5, "per_day")
    assert (held["n_excluded"], held["status"], held["ci_method"]) == (1, "scored", "bootstrap")
    assert row(found, "ACC-01", "drafts")["numerator"] == 30
    assert row(found, "ACC-01", "advises")["numerator"] == 15
    none = row(found, "ACC-01", "executes_autonomous")
    assert (none["value"], none["ci_high"], none["ci_method"]) == (0, pytest.approx(0.123, abs=5e-4), "poisson")
    assert row(found, "ACC-01", "non_ai")["numerator"] == 1
    assert row(found, "ACC-01", "unknown")["numerator"] == 1


@pytest.mark.parametrize(("days", "status"), [(24, "scored"), (23, "provisional"), (14, "not_scored")])
def test_acc01_a_day_without_logs_is_not_a_day_without_changes(days: int, status: str) -> None:
    found = measured(coverage=logs(days), cases=[decision(f"c{n}") for n in range(40)],
                     steps=[step(f"c{n}") for n in range(40)])
    assert row(found, "ACC-01")["status"] == status


def test_acc04_assured_needs_all_three_legs_and_a_false_leg_decides() -> None:
    found = _decided(
        decision("good"), decision("late", verdict="retroactive"), decision("own", independent="no"),
        decision("free", verdict="not_required"), decision("lost"), decision("dark"), decision("dim", verdict="unknown"),
        decision("both", verdict="absent"),
        lost={"rollback": "missing"}, dark={"inputs": "unknown"}, both={"inputs": "unknown"})
    assert members(found, "ACC-04", "numerator").keys() == {"dec-good", "dec-free"}
    assert counts(found, "ACC-04") == (2, 6, 2, 0)
    assert members(found, "ACC-04", "denominator")["dec-both"] == "fails: approval"
    assert counts(found, "ACC-04", "approval") == (4, 7, 1, 0)
    assert counts(found, "ACC-04", "evidence") == (6, 6, 2, 0)
    assert counts(found, "ACC-04", "rollback") == (7, 8, 0, 0)


def test_acc04_a_pending_step_excludes_unless_a_leg_is_already_false() -> None:
    found = _decided(decision("waits"), decision("lost", verdict="absent"),
                     waits={"approver": "pending"}, lost={"inputs": "pending"})
    assert members(found, "ACC-04", "excluded").keys() == {"dec-waits"}
    assert members(found, "ACC-04", "denominator").keys() == {"dec-lost"}


# --- COP -------------------------------------------------------------------------------------------------------------

def test_cop07_two_of_three_accesses_are_labelled_and_context_is_no_access() -> None:
    found = measured(assistant_access=[
        access_row(1, "a", label_id="L"), access_row(1, "b"), access_row(2, "a", label_id="L"),
        access_row(2, "a", label_id="L"), access_row(3, "c", role="context"), access_row(4, None),
        access_row(5, "z", back=31)])
    assert counts(found, "COP-07") == (2, 3, 0, 0)


def test_cop09_a_mailbox_copy_of_a_thread_whose_turns_are_on_record_is_no_further_interaction() -> None:
    turn = access_row(1, None, thread_id="19:t", interaction_id="19:t/1772359200000", completeness="empty")
    copy = access_row(2, None, thread_id="19:t", interaction_id="19:t", completeness="absent")
    alone = access_row(3, None, thread_id="19:u", interaction_id="19:u", completeness="absent")
    assert counts(measured(assistant_access=[turn, copy]), "COP-09") == (1, 1, 0, 0)
    assert counts(measured(assistant_access=[turn, copy, alone]), "COP-09") == (1, 2, 0, 0)


def test_cop09_an_empty_list_is_traceable_and_a_missing_field_or_user_is_not() -> None:
    found = measured(assistant_access=[
        access_row(1, "a"), access_row(2, None), access_row(3, None, completeness="absent"),
        access_row(4, "a", user_id=None), access_row(5, "a", thread_id=None)])
    assert counts(found, "COP-09") == (2, 5, 0, 0)


def test_cop10_one_blocked_of_four_is_250_of_a_thousand_and_unsaid_is_unknown() -> None:
    found = measured(assistant_access=[
        *(access_row(n, "a", policy_outcome="blocked" if n % 4 == 0 else "audited") for n in range(40)),
        access_row(90, "a", policy_outcome="unknown"), access_row(91, "a", policy_outcome="deferred")])
    held = row(found, "COP-10")
    assert (held["numerator"], held["denominator"], held["n_unknown"]) == (10, 40, 2)
    assert (held["value"], held["unit"], held["kind"]) == (250, "per_1000", "context")


def test_cop11_an_absent_flag_is_unknown_not_zero() -> None:
    found = measured(assistant_access=[
        *(access_row(n, "a", jailbreak=n == 0, xpia=None) for n in range(40)),
        access_row(0, "b", jailbreak=True, xpia=True), access_row(41, "b")])
    held = row(found, "COP-11", "jailbreak")
    assert (held["numerator"], held["denominator"], held["n_unknown"], held["value"]) == (1, 40, 1, 250)
    cross = row(found, "COP-11", "cross_prompt")
    assert (cross["numerator"], cross["denominator"], cross["n_unknown"]) == (1, 1, 40)
    assert (cross["status"], cross["reason"]) == ("not_scored", "definition_not_met")
