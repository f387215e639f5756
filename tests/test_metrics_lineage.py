"""Measures of decisions on hand-sized estates: order, references, parts, review, evidence, ways back."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from lineage_analytics.metrics.words import measure_words
from tests.test_metrics_estates import (
    UNITS,
    counts,
    day,
    decision,
    elements,
    identity,
    logs,
    measured,
    members,
    row,
    step,
)

Rows = list[dict[str, Any]]


def _measured(*cases: dict[str, Any], **more: Any) -> Any:
    names = [case["case_id"].removeprefix("dec-") for case in cases]
    return measured(cases=list(cases), **{
        "coverage": logs(60), "steps": [step(n) for n in names], "element_rows": [r for n in names for r in elements(n)]} | more)


def approval(name: str, back: int = 1, seconds: float = 0.0, by: str = "aws:1:boss", **more: Any) -> dict[str, Any]:
    """An approval of the case, so many seconds after noon."""
    return {"step_id": f"step-{name}-d", "case_id": f"dec-{name}", "kind": "decision", "verdict": "approve",
            "time": day(back) + timedelta(seconds=seconds), "agent_ids": [by], "agent_class": "human", "justified": True,
            "record_ids": [f"rec-{name}-d"], "source": "servicenow", "status": "succeeded"} | more


def other(name: str, kind: str, **more: Any) -> dict[str, Any]:
    return {"step_id": f"step-{name}-{kind}", "case_id": f"dec-{name}", "kind": kind, "time": day(1), "agent_ids": [],
            "record_ids": [f"rec-{name}-{kind}"], "source": "servicenow"} | more


def link(name: str, src: str, dst: str, order: str, **more: Any) -> dict[str, Any]:
    return {"src": f"step-{name}-{src}", "dst": f"step-{name}-{dst}", "rel": "about", "method": "native_ref", "tier": 4,
            "order": order, "record_ids": [f"rec-{name}"]} | more


# --- LIN-03 ----------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize(("order", "verdict", "want"), [
    ("prior", "approved_before", (0, 1, 0, 0)), ("retroactive", "retroactive", (1, 1, 0, 0)),
    ("order_uncertain", "order_uncertain", (0, 0, 1, 0)), ("none", "absent", (0, 0, 0, 0)), ("prior", "unknown", (0, 0, 0, 0)),
])
def test_lin03_an_approval_after_the_change_is_out_of_turn_and_one_inside_the_band_unknown(
    order: str, verdict: str, want: tuple[int, int, int, int],
) -> None:
    found = _measured(decision("a", verdict=verdict, order_verdict=order))
    assert counts(found, "LIN-03") == want


@pytest.mark.parametrize(("order", "tier", "want"), [
    ("later", 4, (1, 1, 0, 0)), ("prior", 4, (0, 1, 0, 0)), ("order_uncertain", 4, (0, 0, 1, 0)), ("later", 2, (0, 0, 0, 0))])
def test_lin03_a_recommendation_after_its_approval_is_out_of_turn_where_the_link_is_proved(
    order: str, tier: int, want: tuple[int, int, int, int],
) -> None:
    found = _measured(decision("a", verdict="unknown"), steps=[step("a"), approval("a"), other("a", "recommendation")],
                      links=[link("a", "d", "recommendation", order, tier=tier)])
    told = {"dec-a": "out of turn: recommendation after decision"}
    assert members(found, "LIN-03", "numerator") == (told if want == (1, 1, 0, 0) else {})
    assert counts(found, "LIN-03") == want


# --- LIN-04 ----------------------------------------------------------------------------------------------------------

def _stated(name: str, key: str, source: str = "aws_cloudtrail", back: int = 1, **more: Any) -> dict[str, Any]:
    return {"step_id": f"step-{name}", "kind": "action", "time": day(back), "stated_keys": [key], "source": source,
            "tenant": "1", "record_id": f"rec-{name}"} | more


def test_lin04_a_link_resolves_a_conflict_and_another_target_do_not_and_an_unloaded_source_is_unknown() -> None:
    found = _measured(
        *(decision(n) for n in ("good", "torn", "wrong", "lost", "dark")),
        steps=[*(step(n) for n in ("good", "torn", "wrong", "lost", "dark")), approval("good"), approval("torn")],
        links=[link(n, "", "d", "prior") | {"src": f"step-{n}"} for n in ("good", "torn")],
        findings=[{"case_id": "dec-torn", "finding": "record_conflict", "record_ids": ["rec-torn-d"], "step_ids": []}],
        link_rejects=[{"src": "step-wrong", "rel": "authorised_by", "candidates": ["step-x"], "reason": "target_differs"}],
        decision_steps=[_stated("lost", "ticket:CHG1"), _stated("dark", "run:77")],
        coverage=[*logs(60), *logs(60, source="servicenow")])
    assert members(found, "LIN-04", "numerator") == {"step-good>step-good-d": "leads to its record"}
    assert members(found, "LIN-04", "denominator") == {
        "step-good>step-good-d": "leads to its record", "step-torn>step-torn-d": "the record was delivered in two versions",
        "step-wrong>step-x": "what it refers to is about another target",
        "step-lost>ticket:CHG1": "its source was received for that day and does not hold it"}
    assert members(found, "LIN-04", "unknown") == {
        "step-dark>run:77": "the source that would hold it is not loaded for that day"}


@pytest.mark.parametrize("other_record", [
    _stated("x", "ticket:CHG1", source="jira"),
    _stated("x", "", source="servicenow", stated_keys=[], native_key_kind="change_number", native_key="chg1")])
def test_lin04_a_key_that_another_source_holds_is_not_lost(other_record: dict[str, Any]) -> None:
    found = _measured(decision("a"), decision_steps=[_stated("a", "ticket:CHG1"), other_record],
                      coverage=logs(60, source="servicenow"))
    assert counts(found, "LIN-04") == (0, 0, 0, 0)


def test_lin04_what_a_source_states_of_its_own_records_is_no_reference() -> None:
    found = _measured(decision("a"), decision_steps=[_stated("a", "commit:abc", source="github_reviews"), _stated("a", "request:1")],
                      coverage=logs(60, source="github_reviews"))
    assert counts(found, "LIN-04") == (0, 0, 0, 0)


# --- LIN-05, LIN-06 ----------------------------------------------------------------------------------------------------

@pytest.mark.parametrize(("match", "state"), [
    ("exact", (1, 1, 0, 0)), ("narrower", (1, 1, 0, 0)), ("broader", (0, 1, 0, 0)), ("different", (0, 1, 0, 0)),
    ("unknown", (0, 0, 1, 0))])
def test_lin05_an_approval_of_something_else_does_not_authorise_and_one_that_cannot_be_compared_is_unknown(
    match: str, state: tuple[int, int, int, int],
) -> None:
    assert counts(_measured(decision("a", effect_match=match)), "LIN-05") == state


@pytest.mark.parametrize("finding", ["scope_exceeded", "stale_approval", "executed_after_revocation", "quorum_not_met"])
def test_lin05_a_finding_that_the_approval_does_not_authorise_decides(finding: str) -> None:
    found = _measured(decision("a", effect_match="exact"), findings=[{"case_id": "dec-a", "finding": finding}])
    assert counts(found, "LIN-05") == (0, 1, 0, 0)
    assert counts(found, "ACC-04", "approval") == (0, 1, 0, 0)


def test_lin05_an_emergency_needs_a_review_afterwards_instead() -> None:
    found = _measured(decision("reviewed", verdict="absent", break_glass=True), decision("forgotten", verdict="absent", break_glass=True),
                      findings=[{"case_id": "dec-forgotten", "finding": "break_glass_unreviewed"}])
    assert counts(found, "LIN-05") == (0, 1, 0, 1)
    assert members(found, "LIN-05", "denominator") == {"dec-forgotten": "used in an emergency, and no review followed"}
    assert counts(found, "ACC-04", "approval") == (1, 2, 0, 0)


def test_lin05_tier0_counts_what_ai_executed_and_what_may_be_tier_0_only_where_nobody_approved_it() -> None:
    found = _measured(
        decision("good", tier0=True), decision("bad", tier0=True, verdict="absent"), decision("not", tier0=False, verdict="absent"),
        decision("dark", tier0=None, verdict="absent"), decision("fine", tier0=None),
        decision("advice", tier0=True, cls="advises", verdict="absent"))
    assert counts(found, "LIN-05", "tier0") == (1, 2, 1, 0)
    assert members(found, "LIN-05", "unknown", "tier0") == {"dec-dark": "the record does not name what was changed"}


def test_lin06_an_approver_with_an_interest_is_another_person_and_yet_not_independent() -> None:
    found = _measured(decision("owner", independent="interested"), decision("own", independent="no"))
    assert members(found, "LIN-06", "numerator") == {"dec-own": "approver and initiator are one person"}
    assert counts(found, "LIN-06") == (1, 2, 0, 0)


# --- LIN-07, LIN-08, LIN-09 ----------------------------------------------------------------------------------------------

def test_lin07_software_rules_and_ai_are_machines_and_a_group_is_not_known() -> None:
    kinds = {"human": 0, "workload": 1, "automation": 1, "ai_agent": 1, "ai_instance": 1, "group": None, "unknown": None}
    found = _measured(*(decision(k, tier0=k == "ai_agent") for k in kinds), decision("p", cls="none"),
                      steps=[*(approval(k, agent_class=k) for k in kinds), approval("p", agent_class="automation"),
                             approval("late", back=40), approval("no", verdict="deny")])
    assert counts(found, "LIN-07") == (4, 5, 2, 0)
    assert counts(found, "LIN-07", "non_ai") == (1, 1, 0, 0)
    assert counts(found, "LIN-07", "tier0") == (1, 1, 0, 0)


PEOPLE = [identity("ada", "human", person_id="person:ada"), identity("adm-ada", "human", person_id="person:ada"),
          identity("bo", "human", person_id="person:bo"), identity("carl", "human"), identity("dora", "human"),
          identity("bot", "service_account"), identity("team", "role")]


@pytest.mark.parametrize(("request_", "approve", "execute", "verify", "answer"), [
    ("ada", "bo", "bot", None, False), ("ada", "adm-ada", "bot", None, True), ("bot", "bo", "bot", None, False),
    ("ada", "bo", "bo", None, True), (None, "bo", "ada", "ada", True), ("carl", "dora", "bot", None, None),
    ("carl", "carl", "bot", None, True), ("ada", "dora", "bot", None, None), ("team", "bo", "team", None, None),
    (None, "bo", None, None, "few"),
])
def test_lin08_one_person_with_two_parts_is_a_conflict_over_all_accounts_of_theirs(
    request_: str | None, approve: str | None, execute: str | None, verify: str | None, answer: bool | str | None,
) -> None:
    ids: dict[str, Any] = {name: None if one is None else f"aws:1:{one}" for name, one in
           {"initiator_id": request_, "approver_id": approve, "executor_id": execute, "verifier_id": verify}.items()}
    found = _measured(decision("a", requested_at=day(2) if request_ else None, **ids), identities=PEOPLE)
    want = {True: (1, 1, 0, 0), False: (0, 1, 0, 0), None: (0, 0, 1, 0), "few": (0, 0, 0, 1)}
    assert counts(found, "LIN-08") == want[answer]


def test_lin08_whose_own_request_a_system_carries_out_has_one_part() -> None:
    ids: dict[str, Any] = {"initiator_id": "aws:1:ada", "executor_id": "aws:1:ada", "approver_id": "aws:1:bo", "requested_at": day(2)}
    asked = [other("a", "request", source="entra_audit"), step("a") | {"source": "entra_audit"},
             other("b", "request", source="servicenow"), step("b") | {"source": "entra_audit"}]
    found = _measured(decision("a", **ids), decision("b", **ids), identities=PEOPLE, steps=asked)
    assert members(found, "LIN-08", "numerator") == {"dec-b": "one person had the parts: execute and request"}
    assert counts(found, "LIN-08") == (1, 2, 0, 0)


def test_lin08_who_only_makes_a_call_has_not_also_asked_for_it() -> None:
    found = _measured(decision("a", initiator_id="aws:1:ada", executor_id="aws:1:ada", approver_id="aws:1:bo"), identities=PEOPLE)
    assert counts(found, "LIN-08") == (0, 1, 0, 0)


def test_lin09_the_same_or_less_is_within_scope_and_a_finding_decides() -> None:
    found = _measured(*(decision(m, effect_match=m) for m in ("exact", "narrower", "broader", "different", "unknown")),
                      decision("none", effect_match=None), decision("more", effect_match="exact"),
                      findings=[{"case_id": "dec-more", "finding": "scope_exceeded"}])
    assert counts(found, "LIN-09") == (2, 5, 1, 0)


def test_lin09_without_any_approval_is_not_scored_for_want_of_approvals() -> None:
    found = _measured(decision("a", verdict="unknown"))
    assert row(found, "LIN-09")["reason"] == "no_source"


# --- LIN-10 ----------------------------------------------------------------------------------------------------------

def _asked(name: str, dwell: float, cls: str = "executes_approved", **more: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """A case whose request came so many seconds before its approval at noon."""
    given = approval(name, **more)
    return decision(name, cls=cls, requested_at=given["time"] - timedelta(seconds=dwell)), given


def test_lin10_two_signals_of_three_need_review_and_two_known_are_too_few_to_say() -> None:
    pairs = [_asked("quick", 4, justified=False), _asked("slow", 400, seconds=100, justified=False), _asked("plain", 400, seconds=200),
             _asked("fast", 9.9, seconds=300), _asked("mute", 4, seconds=400, justified=None),
             _asked("early", -50, seconds=500, justified=False)]
    found = _measured(*(case for case, _ in pairs), steps=[one for _, one in pairs])
    assert members(found, "LIN-10", "numerator") == {"step-quick-d": "needs review: given in haste, without a reason"}
    assert members(found, "LIN-10", "denominator")["step-fast-d"] == "one signal alone: given in haste"
    assert members(found, "LIN-10", "unknown").keys() == {"step-mute-d", "step-early-d"}
    assert counts(found, "LIN-10") == (1, 4, 2, 0)


def test_lin10_five_of_one_approver_within_sixty_seconds_are_a_burst_and_four_are_not() -> None:
    five = [_asked(f"b{n}", 4, seconds=15 * n) for n in range(5)]
    four = [_asked(f"f{n}", 4, seconds=1000 + 15 * n, by="aws:1:bo") for n in range(4)]
    wide = [_asked(f"w{n}", 4, seconds=3000 + 15.1 * n, by="aws:1:carl") for n in range(5)]
    pairs = five + four + wide
    found = _measured(*(case for case, _ in pairs), steps=[one for _, one in pairs])
    assert members(found, "LIN-10", "numerator") == {
        f"step-b{n}-d": "needs review: given in haste, one of five or more within a minute" for n in range(5)}


def test_lin10_haste_is_faster_than_19_of_20_other_approvals_where_there_are_enough() -> None:
    peers = [_asked(f"p{n:02}", 100 + n, "none", back=2, seconds=200 * n, by=f"aws:1:p{n}") for n in range(21)]
    pairs = [*peers, _asked("under", 100.5, justified=False), _asked("over", 101.5, seconds=300, justified=False)]
    found = _measured(*(case for case, _ in pairs), steps=[one for _, one in pairs])
    assert members(found, "LIN-10", "numerator").keys() == {"step-under-d"}  # the fifth percentile is 101 s


def test_lin10_evidence_that_was_opened_is_a_signal_known_to_be_absent() -> None:
    case, given = _asked("a", 4, justified=None)
    opened = other("a", "data_access", agent_ids=["aws:1:boss"], time=day(1) - timedelta(seconds=2))
    found = _measured(case, steps=[given, opened])
    assert members(found, "LIN-10", "denominator") == {"step-a-d": "one signal alone: given in haste"}


def test_lin10_approvals_by_software_are_no_reviews() -> None:
    case, given = _asked("a", 1, justified=False, agent_class="automation")
    assert counts(_measured(case, steps=[given]), "LIN-10") == (0, 0, 0, 0)


# --- LIN-11, LIN-12, LIN-13 ------------------------------------------------------------------------------------------------

def test_lin11_a_tenth_half_and_nine_tenths_of_forty_and_the_compression_beside_forty_slow_ones() -> None:
    fast = [_asked(f"f{n}", 60 * (n + 1), seconds=n, by=f"aws:1:b{n % 8}") for n in range(40)]
    slow = [_asked(f"s{n}", 600 * (n + 1), "none", seconds=n) for n in range(40)]
    found = _measured(*(case for case, _ in fast + slow), steps=[one for _, one in fast + slow])
    assert [row(found, "LIN-11", p)["value"] for p in ("p10", "p50", "p90")] == [4, 20, 36]
    assert row(found, "LIN-11", "p50/non_ai")["value"] == 200
    assert row(found, "LIN-11", "compression")["value"] == row(found, "ACC-10", "time")["value"] == 10
    assert row(found, "LIN-11", "p50")["unit"] == "minutes"
    assert measure_words(row(found, "LIN-11", "p50")).startswith("half within 20 min (between ")
    assert measure_words(row(found, "LIN-11", "p50/non_ai")) == "half within 3.3 h, over 40"  # all by one approver


def test_lin11_requests_still_open_count_as_open_and_never_disappear() -> None:
    done = [_asked(f"d{n}", 60 * (n + 1), seconds=n) for n in range(20)]
    waiting = [decision(f"w{n}", executed=False, status="pending", requested_at=day(3), verdict="unknown") for n in range(20)]
    found = _measured(*(case for case, _ in done), *waiting, steps=[one for _, one in done])
    assert row(found, "LIN-11", "p10")["value"] == 4
    assert row(found, "LIN-11", "p50")["value"] == 20
    assert (row(found, "LIN-11", "p90")["status"], row(found, "LIN-11", "p90")["reason"]) == ("not_scored", "coverage_below_min")


def test_lin12_rejected_and_changed_are_overrides_by_people_of_advice_by_ai() -> None:
    names = {"yes": ("accepted", "ai"), "other": ("changed", "ai"), "no": ("rejected", "ai"), "rule": ("rejected", "rule"),
             "odd": ("accepted", "unknown"), "none": (None, "ai")}
    found = _measured(
        *(decision(n, advice_verdict=v, executed=v != "rejected", approved_at=day(1)) for n, (v, _) in names.items()),
        steps=[other(n, "recommendation", origin=o) for n, (_, o) in names.items()])
    assert counts(found, "LIN-12") == (2, 3, 0, 1)
    assert counts(found, "LIN-12", "non_ai") == (1, 1, 0, 0)


def test_lin12_approvers_outside_3_to_25_percent_need_review_from_thirty_on() -> None:
    def of(who: str, n: int, rejected: int) -> Rows:
        return [decision(f"{who}{i}", approver_id=f"aws:1:{who}", approved_at=day(1),
                         advice_verdict="rejected" if i < rejected else "accepted") for i in range(n)]
    cases = [*of("never", 30, 0), *of("some", 40, 4), *of("often", 30, 20), *of("few", 29, 0)]
    found = _measured(*cases, steps=[other(c["case_id"][4:], "recommendation", origin="ai") for c in cases])
    assert counts(found, "LIN-12", "approvers") == (2, 3, 0, 0)
    assert members(found, "LIN-12", "numerator", "approvers") == {
        "never": "changed or rejected 0 of 30: needs review", "often": "changed or rejected 20 of 30: needs review"}


def test_lin13_the_busiest_hours_and_the_share_of_who_approves_most() -> None:
    given = [approval(f"a{n}", seconds=n) for n in range(30)] + [
        approval(f"b{h}", seconds=3600 * h, back=9, by="aws:1:bo") for h in range(10)] + [approval("x", agent_ids=[])]
    cases = [decision(one["case_id"][4:]) for one in given]
    found = _measured(*cases, steps=given)
    assert row(found, "LIN-13", "p95")["value"] == pytest.approx(15.5)  # ten hours of one, one of thirty
    assert counts(found, "LIN-13", "top") == (30, 40, 1, 0)


# --- LIN-14, LIN-15 --------------------------------------------------------------------------------------------------------

def _kept(name: str, back: int) -> tuple[dict[str, Any], Rows, Rows]:
    rows = elements(name)
    return decision(name, back=back), rows, [
        {"step_id": f"raw-{record}", "kind": "action", "time": day(back), "record_id": record, "source": "servicenow"}
        for one in rows for record in one["record_ids"]]


def test_lin14_records_that_are_not_in_the_workspace_are_lost_and_older_decisions_show_more_of_it() -> None:
    young = [_kept(f"y{n:02}", 10) for n in range(20)]
    old = [_kept(f"o{n:02}", 100) for n in range(20)]
    records = [r for _, _, raw in young for r in raw] + [r for _, _, raw in old[:15] for r in raw]
    found = _measured(*(case for case, _, _ in young + old), element_rows=[r for _, rows, _ in young + old for r in rows],
                      decision_steps=records)
    assert [row(found, "LIN-14", age)["value"] for age in ("30", "90")] == [0.75, 0.75]
    assert members(found, "LIN-14", "denominator", "90")["dec-o19"] == "6 of its records are not in the workspace"
    assert (row(found, "LIN-14", "180")["status"], row(found, "LIN-14", "180")["reason"]) == ("not_scored", "lookback_too_short")


def test_lin14_what_was_never_collected_is_unknown_and_what_expired_is_lost() -> None:
    made = [_kept(name, 40) for name in ("whole", "dark", "gone")]
    rows = [r | {"state": "unknown", "record_ids": []} if r["case_id"] == "dec-dark" and r["element"] == "inputs" else r
            for _, element_rows, _ in made for r in element_rows]
    found = _measured(*(case for case, _, _ in made), element_rows=rows, decision_steps=[r for _, _, raw in made for r in raw],
                      gaps=[{"gap_id": "g", "case_id": "dec-gone", "element": "signal", "reason": "expired"}])
    assert members(found, "LIN-14", "unknown", "30") == {"dec-dark": "never collected: inputs"}
    assert members(found, "LIN-14", "denominator", "30")["dec-gone"] == "a record is beyond its provider's retention"


def test_lin15_evidence_after_the_change_and_its_grace_is_late() -> None:
    def at(name: str, minutes: float, source: str = "servicenow") -> dict[str, Any]:
        return other(name, "signal", source=source, time=day(1) + timedelta(minutes=minutes))
    found = _measured(*(decision(n) for n in "abcd"), steps=[at("a", -5), at("b", 14), at("c", 16), at("d", 100, "slow")],
                      coverage=[*logs(60), *(one | {"lateness_seconds": 7200} for one in logs(5, source="slow"))])
    assert members(found, "LIN-15", "numerator") == {"step-c-signal": "made 16 minutes after the change"}
    assert counts(found, "LIN-15") == (1, 4, 0, 0)


# --- LIN-16 to LIN-19 ------------------------------------------------------------------------------------------------------

def test_lin16_a_way_back_is_on_record_missing_or_unknown() -> None:
    states = {"a": "proved", "b": "not_required", "c": "missing", "d": "unknown", "e": "inferred"}
    found = _measured(*(decision(n) for n in states), element_rows=[r for n, s in states.items() for r in elements(n, rollback=s)])
    assert counts(found, "LIN-16") == (2, 3, 2, 0)


def test_lin17_a_kind_of_change_counts_once_in_each_tenant() -> None:
    found = _measured(
        decision("a", rollback_tested=True), decision("b", rollback_tested=False), decision("c", change_class="revoke", rollback_tested=False),
        decision("d", change_class="revoke", tenant="2", rolled_back_at=day(1)), decision("e", change_class="role_change"),
        decision("old", change_class="exception", back=200, rollback_tested=True), coverage=logs(200))
    assert members(found, "LIN-17", "denominator") == {
        "grant": "done or tried for 1 of 2 changes", "revoke": "none for 1 changes", "aws:2:revoke": "done or tried for 1 of 1 changes"}
    assert members(found, "LIN-17", "unknown") == {"role_change": "no known way back of any of 1 changes"}


def test_lin17_logs_of_less_than_180_days_cannot_show_that_none_was_done() -> None:
    found = _measured(decision("a", rollback_tested=False), coverage=logs(100))
    assert members(found, "LIN-17", "unknown") == {"grant": "none in the logs, which reach back less than 180 days"}


def test_lin18_time_runs_from_the_request_for_the_rollback_not_from_the_change() -> None:
    pairs = [(decision(f"a{n}", rolled_back_by=f"dec-u{n}", rolled_back_at=day(2)),
              decision(f"u{n}", requested_at=day(2) - timedelta(minutes=n + 1) if n < 10 else None)) for n in range(12)]
    found = _measured(*(case for pair in pairs for case in pair))
    assert row(found, "LIN-18", "p50")["value"] == 5
    assert row(found, "LIN-18", "p90")["value"] == 9
    assert (row(found, "LIN-18", "p50")["denominator"], row(found, "LIN-18", "p50")["n_unknown"]) == (10, 2)


def test_lin19_no_end_and_an_end_that_passed_count_and_what_was_taken_back_does_not() -> None:
    ends = {"never": None, "past": day(3), "soon": day(-30), "gone": None}
    found = _measured(
        *(decision(n, back=40, change_class="exception", rolled_back_at=day(5) if n == "gone" else None) for n in ends),
        steps=[step(n) | {"expires_at": end} for n, end in ends.items()])
    assert members(found, "LIN-19", "numerator") == {
        "dec-never": "no end is on record", "dec-past": "its end has passed, and nothing took it back"}
    assert counts(found, "LIN-19") == (2, 3, 0, 1)


def test_lin19_without_a_source_that_states_exceptions_is_not_scored() -> None:
    assert row(_measured(decision("a")), "LIN-19")["reason"] == "no_source"


# --- workstreams -------------------------------------------------------------------------------------------------------------

def test_each_workstream_holds_its_own_decisions() -> None:
    found = _measured(*(decision(f"{unit}{n}", workstream=unit) for unit in UNITS[:2] for n in range(3)), decision("none"))
    for metric in ("LIN-02", "LIN-05", "LIN-06", "LIN-16", "ACC-04"):
        assert [counts(found, metric, f"unit:{unit}")[1] for unit in UNITS] == [3, 3, 0, 0], metric
        assert counts(found, metric)[1] == 7
    assert row(found, "ACC-01", "unit:development")["numerator"] == 3


def test_where_no_decision_has_a_workstream_none_is_scored_by_it() -> None:
    found = _measured(*(decision(f"a{n}") for n in range(40)))
    for metric in ("LIN-02", "LIN-05", "ACC-01", "ACC-05"):
        held = row(found, metric, "unit:support")
        assert (held["status"], held["reason"]) == ("not_scored", "definition_not_met"), metric
