"""Pace and assurance: the gap on hand-made estates, and its arithmetic beside independent answers."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, stats

from lineage_analytics.charts import acceleration, render
from lineage_analytics.metrics import comparison, gap, intervals, pace
from lineage_analytics.metrics.context import Context
from lineage_analytics.metrics.pace_words import percent
from lineage_analytics.metrics.survival import Durations, Kept
from lineage_analytics.metrics.words import measure_words
from tests.test_metrics_estates import counts, day, decision, elements, inputs, logs, measured, members, row, step

Rows = list[dict[str, Any]]
GOOD: dict[str, str] = {}
NO_WAY_BACK = {"rollback": "missing"}


def cohort(name: str, good: int, n: int, cls: str = "executes_approved", states: dict[str, str] | None = None, **more: Any
           ) -> tuple[Rows, Rows]:
    """Cases and elements of ``n`` decisions of which ``good`` are assured; the others lack a way back, or what ``states`` say."""
    names = [f"{name}{i}" for i in range(n)]
    given = {"back": 3} | more
    cases = [decision(one, cls=cls, **(given | {"back": i % 28} if given["back"] is None else given)) for i, one in enumerate(names)]
    return cases, [r for i, one in enumerate(names) for r in elements(one, **(GOOD if i < good else states or NO_WAY_BACK))]


def estate(*parts: tuple[Rows, Rows], **more: Any) -> dict[str, Any]:
    cases = [case for part, _ in parts for case in part]
    return {"cases": cases, "element_rows": [r for _, rows in parts for r in rows], "coverage": logs(200),
            "steps": [step(case["case_id"].removeprefix("dec-")) for case in cases]} | more


def told(**rows: Any) -> pace.Pace:
    return pace.pace(Context(*inputs(**rows)))


# --- reference vectors of the design, through the whole machinery ------------------------------------------------------------

def test_reference_102_of_120_against_288_of_480_has_a_gap_of_29_percent_and_174_more() -> None:
    rows = estate(cohort("ai", 288, 480), cohort("p", 102, 120, "none"))
    found = measured(**rows)
    held = row(found, "ACC-05")
    assert (held["value"], held["ci_low"], held["ci_high"]) == pytest.approx((0.294, 0.216, 0.364), abs=5e-4)
    assert (held["status"], held["ci_method"], held["denominator"], held["unit"]) == ("scored", "katz", 480, "ratio")
    assert row(found, "ACC-03")["value"] == 4.0
    assert (row(found, "ACC-03")["numerator"], row(found, "ACC-03")["denominator"]) == (480, 120)
    assert counts(found, "ACC-04") == (288, 480, 0, 0)
    assert counts(found, "ACC-04", "non_ai") == (102, 120, 0, 0)
    assert row(found, "ACC-06", "window")["value"] == pytest.approx(174)
    assert row(found, "ACC-06", "day")["value"] == pytest.approx(174 / 30)
    said = told(**rows)
    assert (said.q0, said.q1, said.af, said.band) == (0.85, 0.60, 4.0, "gap open")
    assert said.kf == pytest.approx(2.82, abs=5e-3)
    assert said.sentence() == (
        "AI made identity changes 4.0 times faster. Provable changes grew 2.8 times. 29 % of the standard held before is no longer "
        "met (between 22 % and 36 %), which is 174 more changes in 30 days that could not be defended. Main cause: no way back on "
        "record. Based on 480 AI-assisted and 120 other decisions.")


def test_reference_speed_alone_opens_no_gap_and_54_more_are_exposed() -> None:
    rows = estate(cohort("ai", 408, 480), cohort("p", 102, 120, "none"))
    held = row(measured(**rows), "ACC-05")
    assert (held["value"], held["ci_low"], held["ci_high"]) == pytest.approx((0, -0.088, 0.081), abs=5e-4)
    assert told(**rows).ux == pytest.approx(54)
    assert told(**rows).band == "watch"
    assert "is met as far as the numbers tell (the gap is between -9 % and 8 %)" in told(**rows).sentence()


def test_reference_a_fifth_assured_is_open_by_the_share_itself() -> None:
    said = told(**estate(cohort("ai", 96, 480), cohort("p", 24, 120, "none")))
    assert (said.ag, said.q1, said.ux) == pytest.approx((0, 0.2, 288))
    assert said.band == "gap open"


def test_reference_18_of_20_against_30_of_40_is_not_scored() -> None:
    found = measured(**estate(cohort("ai", 30, 40), cohort("p", 18, 20, "none")))
    assert (row(found, "ACC-05")["status"], row(found, "ACC-05")["reason"]) == ("not_scored", "no_baseline")
    assert row(found, "ACC-05")["value"] is None
    for metric, scope in (("ACC-06", "window"), ("ACC-07", "approval"), ("ACC-08", "opened")):
        assert row(found, metric, scope)["status"] == "not_scored"


def test_reference_ten_decisions_lose_15_20_and_15_hundredths_by_leg() -> None:
    broken = {0: {"inputs": "missing"}, 1: {"inputs": "missing"}, 3: NO_WAY_BACK, 4: NO_WAY_BACK}
    late = {1, 2, 3}
    names = [f"x{i}" for i in range(10)]
    parts = [([decision(f"{n}r{k}", back=3, verdict="retroactive" if i in late else "approved_before") for k in range(3)],
              [r for k in range(3) for r in elements(f"{n}r{k}", **broken.get(i, {}))]) for i, n in enumerate(names)]
    said = told(**estate(*parts, cohort("p", 40, 40, "none")))
    assert (said.q1, said.q0, said.ag) == pytest.approx((0.5, 1.0, 0.5))
    assert dict(said.legs.select("leg", "contribution").iter_rows()) == pytest.approx(
        {"evidence": 0.15, "approval": 0.20, "rollback": 0.15})


# --- cohorts ------------------------------------------------------------------------------------------------------------------

def test_coverage_below_four_fifths_is_not_scored_and_the_sentence_says_why() -> None:
    dark = {"inputs": "unknown"}
    rows = estate(cohort("ai", 60, 60), cohort("dark", 0, 20, states=dark), cohort("p", 40, 40, "none"))
    held = row(measured(**rows), "ACC-05")
    assert (held["status"], held["reason"]) == ("not_scored", "coverage_below_min")
    assert told(**rows).sentence() == (
        "Whether assurance keeps up with AI is not scored: 20 of 80 AI-assisted and 0 of 40 other changes cannot be judged. "
        "Based on 60 AI-assisted and 40 other decisions; 20 could not be judged.")


def test_unknown_decisions_widen_worst_and_best() -> None:
    dark = {"inputs": "unknown"}
    found = measured(**estate(cohort("ai", 60, 80), cohort("d", 0, 20, states=dark), cohort("p", 36, 40, "none"),
                              cohort("q", 0, 10, "none", states={"initiator": "unknown"})))
    held = row(found, "ACC-05")
    assert held["value"] == pytest.approx(1 - 0.75 / 0.9)
    assert held["worst_case"] == pytest.approx(1 - 0.60 / 0.92)  # 60 of 100 beside 46 of 50
    assert held["best_case"] == pytest.approx(1 - 0.80 / 0.72)
    assert held["n_unknown"] == 30


def test_the_baseline_is_standardised_to_the_kinds_of_change_ai_makes() -> None:
    parts = (cohort("a", 45, 50, change_class="grant"), cohort("b", 5, 50, change_class="revoke", tier0=True),
             cohort("p", 90, 100, "none", change_class="grant"), cohort("q", 10, 100, "none", change_class="revoke", tier0=True))
    said = told(**estate(*parts))
    assert (said.q0, said.q1, said.ag) == pytest.approx((0.5, 0.5, 0))
    uneven = told(**estate(*parts[:3], cohort("q", 2, 20, "none", change_class="revoke", tier0=True)))
    assert uneven.q0 == pytest.approx(0.5)  # not 92 of 120


def test_strata_without_a_counterpart_are_left_out_up_to_a_fifth() -> None:
    base = cohort("p", 90, 100, "none", change_class="grant")
    some = told(**estate(cohort("a", 60, 80), cohort("n", 0, 20, change_class="exception"), base))
    assert some.q1 == pytest.approx(0.75)
    many = measured(**estate(cohort("a", 60, 79), cohort("n", 0, 21, change_class="exception"), base))
    assert (row(many, "ACC-05")["status"], row(many, "ACC-05")["reason"]) == ("not_scored", "no_baseline")


def test_without_other_changes_the_same_workflows_before_ai_are_the_baseline() -> None:
    parts = (cohort("a", 30, 60, workflow_id="w", back=5), cohort("old", 54, 60, "none", workflow_id="w", back=20),
             cohort("else", 0, 60, "none", workflow_id="v", back=50))
    said = told(**estate(*parts), as_of=day(0))
    assert said.baseline == "other changes of the same window"  # those of the window come first
    rows = estate(cohort("a", 30, 60, workflow_id="w", back=5), cohort("old", 54, 60, "none", workflow_id="w", back=32),
                  cohort("else", 0, 60, "none", workflow_id="v", back=50))
    said = told(**rows)
    assert (said.baseline, said.q0, said.q1) == ("the same workflows before AI was switched on", 0.9, 0.5)
    short = told(**(rows | {"coverage": logs(34)}))
    assert short.baseline is None  # the logs do not reach back over the window before


def test_without_any_baseline_only_the_gap_to_policy_is_told_and_no_acceleration() -> None:
    found = measured(**estate(cohort("ai", 57, 100)))
    assert row(found, "ACC-05")["reason"] == row(found, "ACC-03")["reason"] == "no_baseline"
    held = row(found, "ACC-05", "policy")
    low, high = intervals.wilson(57, 100)
    assert (held["value"], held["ci_low"], held["ci_high"]) == pytest.approx((0.4, 1 - high / 0.95, 1 - low / 0.95))
    assert measure_words(held).startswith("40 % of the target of 95 % is not met (between ")


def test_beside_policy_the_gap_is_told_with_its_week_and_legs_and_nothing_of_a_comparison() -> None:
    lost = {"inputs": "missing"}
    weeks = [cohort(f"w{n}", good, 20, states=lost, back=7 * n + 3) for n, good in enumerate((8, 9, 10, 19, 20))]
    said = told(**estate(*weeks, cohort("late", 0, 2, states=NO_WAY_BACK, back=3)))
    assert (said.policy, said.unit, said.q0, said.n0, said.af, said.ux) == (True, None, 0.95, 0, None, None)
    assert said.ag == pytest.approx(1 - (said.q1 or 0) / 0.95)
    assert said.opened == said.weeks["week"][2]
    assert sum(said.legs["contribution"]) == pytest.approx(said.ag)
    assert said.legs.sort("contribution", descending=True)["leg"][0] == "evidence"
    assert said.sentence() == (
        f"{percent(said.q1 or 0)} of {said.n1} AI-assisted changes in 30 days can be defended; policy asks for 95 %. "
        f"The gap to policy is {percent(said.ag or 0)} (between {percent(said.ag_low or 0)} and {percent(said.ag_high or 0)}), "
        f"open since the week of {said.opened:%-d %B %Y}. Main cause: what a change was based on was not kept, or only "
        "later. A comparison with changes without AI is not scored: fewer than 30 changes without AI can be judged, so there "
        "is nothing to compare with.")
    assert said.verdict.startswith("The gap to policy is open. Compared with: policy")
    drawn = render.spec(acceleration.acceleration_gap(said.weeks, said.legs, said.numbers))["description"]
    assert f"The gap to policy opened in the week of {said.opened:%-d %B %Y}." in drawn
    assert all("accelerat" not in words for words in (said.sentence(), said.verdict, drawn))


def test_where_too_little_of_the_whole_can_be_judged_the_largest_workstream_that_can_is_put_beside_policy() -> None:
    dark = {"inputs": "unknown"}
    parts = (cohort("id", 20, 40, workstream="identity_operations"), cohort("sup", 30, 35, workstream="support"),
             cohort("dev", 0, 60, states=dark, workstream="development"))
    said = told(**estate(*parts))
    assert (said.policy, said.unit, said.n1, said.q1) == (True, "identity operations", 40, 0.5)
    assert said.weeks["executed"].sum() == 40
    held = row(measured(**estate(*parts)), "ACC-05", "policy/unit:identity_operations")
    assert (held["status"], held["value"]) == ("scored", pytest.approx(said.ag))
    assert "of the target of 95 % is not met" in measure_words(held)
    assert "50 % of 40 AI-assisted changes in identity operations in 30 days" in said.sentence()
    none = told(**estate(cohort("id", 20, 29, workstream="identity_operations"), parts[2]))
    assert (none.policy, none.unit, none.ag) == (False, None, None)


def test_what_keeps_to_policy_has_no_gap_to_it() -> None:
    said = told(**estate(cohort("ai", 100, 100)))
    assert (said.policy, said.band, said.opened) == (True, "keeping pace", None)
    assert "The gap to policy is not proved" in said.sentence()
    assert set(said.legs["contribution"]) == {0.0}


def test_fewer_than_30_ai_changes_in_the_window_widen_it_to_90_days() -> None:
    rows = estate(cohort("a", 29, 29), cohort("b", 10, 20, back=60), cohort("p", 40, 40, "none", back=60))
    found = measured(**rows)
    assert counts(found, "ACC-04") == (39, 49, 0, 0)
    assert row(found, "ACC-04")["window_start"] == row(found, "ACC-05")["window_start"] == row(
        found, "ACC-01")["window_start"] - timedelta(days=60)
    assert told(**rows).days == 90
    assert told(**estate(cohort("a", 30, 30), cohort("b", 10, 20, back=60))).days == 30


def test_a_workflow_with_over_a_fifth_of_the_decisions_is_resampled_whole() -> None:
    spread = measured(**estate(cohort("a", 60, 100), cohort("p", 90, 100, "none")))
    lumped = measured(**estate(cohort("a", 60, 100, workflow_id="w"), cohort("p", 90, 100, "none")))
    assert (row(spread, "ACC-05")["ci_method"], row(lumped, "ACC-05")["ci_method"]) == ("katz", "bootstrap")
    assert row(spread, "ACC-05")["value"] == row(lumped, "ACC-05")["value"]


def test_units_are_compared_with_the_baseline_of_the_whole() -> None:
    found = measured(**estate(cohort("a", 20, 40, workstream="support"), cohort("b", 40, 40, workstream="development"),
                              cohort("p", 32, 40, "none")))
    assert row(found, "ACC-05", "unit:support")["value"] == pytest.approx(1 - 0.5 / 0.8)
    assert row(found, "ACC-05", "unit:development")["value"] == pytest.approx(-0.25)
    assert row(found, "ACC-05", "unit:other")["status"] == "not_scored"


def test_what_may_still_arrive_is_in_neither_cohort() -> None:
    found = measured(**estate(cohort("a", 40, 40), cohort("w", 0, 10, states={"approver": "pending"}), cohort("p", 40, 40, "none")))
    assert row(found, "ACC-03")["numerator"] == 40
    assert counts(found, "ACC-04") == (40, 40, 0, 10)


# --- evidence in time, late and lost ------------------------------------------------------------------------------------------

def _recorded(name: str, after: timedelta) -> dict[str, Any]:
    """The first record of what the assistant advised, so long after the change."""
    return {"step_id": f"step-{name}-r", "case_id": f"dec-{name}", "kind": "recommendation", "time": day(3) + after,
            "record_ids": [f"rec-{name}-recommendation"], "source": "otel_genai", "agent_ids": []}


@pytest.mark.parametrize(("after", "evidence", "late"), [
    (timedelta(minutes=15), (1, 1, 0, 0), 0), (timedelta(minutes=16), (0, 1, 0, 0), 1), (timedelta(days=8), (0, 1, 0, 0), 0)])
def test_evidence_recorded_after_the_grace_fails_and_is_late_within_seven_days(
    after: timedelta, evidence: tuple[int, int, int, int], late: int,
) -> None:
    rows = estate(cohort("a", 1, 1))
    found = measured(**(rows | {"steps": [*rows["steps"], _recorded("a0", after)]}))
    assert counts(found, "ACC-09") == (late, 1, 0, 0)
    assert counts(found, "ACC-04", "evidence") == evidence


@pytest.mark.parametrize(("days", "late"), [(6.9, 1), (7.1, 0)])
def test_an_approval_after_the_change_is_never_approved_before_and_late_within_seven_days(days: float, late: int) -> None:
    cases, rows = cohort("a", 1, 1, verdict="retroactive", approved_at=day(3) + timedelta(days=days))
    found = measured(**estate((cases, rows)))
    assert counts(found, "ACC-04", "approval") == (0, 1, 0, 0)
    assert counts(found, "ACC-09") == (late, 1, 0, 0)


def test_a_person_with_several_parts_breaks_the_approval_leg() -> None:
    ids: dict[str, Any] = {"approver_id": "aws:1:ada", "executor_id": "aws:1:ada", "initiator_id": "aws:1:bo"}
    found = measured(**estate(cohort("a", 1, 1, **ids)))
    assert counts(found, "ACC-04", "approval") == (0, 1, 0, 0)


# --- opening, shortfall, stop -------------------------------------------------------------------------------------------------

def weekly(shares: list[tuple[int, int]]) -> list[tuple[Rows, Rows]]:
    """AI decisions of consecutive weeks up to the last full one, (assured, executed) each."""
    return [cohort(f"w{n}x", good, count, back=8 + 7 * (len(shares) - 1 - n)) for n, (good, count) in enumerate(shares)]


def test_it_opens_in_the_first_of_three_weeks_whose_upper_limit_lies_below_the_baseline() -> None:
    shares = [(36, 40), (20, 40), (36, 40), (20, 40), (18, 40), (16, 40)]
    rows = estate(*weekly(shares), cohort("p", 108, 120, "none"))
    said = told(**rows)
    assert said.opened is not None
    weeks = said.weeks.filter(pl.col("executed") > 0)
    assert weeks["assured"].to_list() == [good for good, _ in shares]
    assert weeks["opened"].to_list() == [False, False, False, True, False, False]
    found = measured(**rows)
    assert row(found, "ACC-08", "opened")["value"] == (day(0).date() - said.opened).days + 1
    q0 = said.q0 or 0.0
    assert q0 == pytest.approx(0.9)
    assert row(found, "ACC-08", "shortfall")["value"] == pytest.approx(sum(q0 * n - k for k, n in shares))
    assert f"open for {row(found, 'ACC-08', 'opened')['value']:.0f} days" in measure_words(row(found, "ACC-08", "opened"))


@pytest.mark.parametrize("shares", [[(36, 40)] * 6, [(20, 40), (20, 40), (36, 40), (20, 40), (20, 40), (36, 40)],
                                    [(3, 4), (3, 4), (3, 4), (3, 4), (3, 4), (36, 40)]])
def test_it_has_not_opened_while_no_three_weeks_in_a_row_lie_below_beyond_chance(shares: list[tuple[int, int]]) -> None:
    rows = estate(*weekly(shares), cohort("p", 108, 120, "none"))
    assert told(**rows).opened is None
    assert measure_words(row(measured(**rows), "ACC-08", "opened")) == "has not opened"


def test_weeks_are_whole_and_their_states_add_up() -> None:
    weeks = told(**estate(*weekly([(10, 20), (0, 0), (5, 10)]), cohort("d", 0, 5, states={"inputs": "unknown"}, back=8))).weeks
    assert weeks["executed"].to_list()[:3] == [20, 0, 15]
    assert (weeks["assured"] + weeks["failed"] + weeks["unknown"]).to_list() == weeks["executed"].to_list()
    assert weeks["week"].diff().drop_nulls().unique().to_list() == [timedelta(days=7)]
    known = weeks["assured"] + weeks["failed"]
    assert weeks["standard"].to_list() == pytest.approx((known * 0.95).to_list())  # nothing to compare with but policy
    short = told(**estate(*weekly([(10, 20)]), cohort("d", 0, 15, states={"inputs": "unknown"}, back=8))).weeks
    assert short["standard"].null_count() == short.height


def test_a_tier_0_change_without_a_valid_approval_stops_whatever_the_gap_and_is_named() -> None:
    good, bad = cohort("ai", 99, 100), cohort("t", 0, 1, tier0=True, verdict="absent", states=GOOD)
    rows = estate(good, bad, cohort("p", 95, 100, "none"))
    said = told(**rows)
    assert (said.band, said.stopped) == ("stop", ["dec-t0"])
    found = measured(**(estate(*(cohort(n, 1, 1, tier0=t, verdict=v) for n, t, v in (
        ("yes", True, "absent"), ("fine", True, "approved_before"), ("no", False, "absent"), ("dark", None, "absent"))))))
    assert members(found, "ACC-05", "numerator", "stop") == {"dec-yes0": "no approval on record although its source is covered"}
    assert (row(found, "ACC-05", "stop")["numerator"], row(found, "ACC-05", "stop")["n_unknown"]) == (1, 1)


def test_nothing_at_all_is_said_as_such() -> None:
    said = told()
    assert said.sentence() == "Whether assurance keeps up with AI is not scored: no AI-assisted change was executed."
    assert said.weeks.is_empty()
    assert said.headline() is None
    assert said.numbers["stopped"] == 0


def test_none_assured_with_ai_is_a_whole_gap_with_an_interval() -> None:
    held = row(measured(**estate(cohort("ai", 0, 60), cohort("p", 54, 60, "none"))), "ACC-05")
    assert held["value"] == held["ci_high"] == 1
    assert held["ci_low"] == pytest.approx(1 - intervals.katz(0, 60, 54, 60)[2])


def test_nothing_assured_before_is_nothing_to_compare_with() -> None:
    held = row(measured(**estate(cohort("ai", 30, 60), cohort("p", 0, 60, "none"))), "ACC-05")
    assert (held["status"], held["reason"]) == ("not_scored", "no_baseline")


def test_cycle_time_is_the_median_from_the_first_step_to_the_change_with_open_ones_open() -> None:
    done = [decision(f"d{n}", back=1, requested_at=day(1) - timedelta(hours=n + 1), signalled_at=day(1) - timedelta(days=n + 1))
            for n in range(30)]
    waiting = [decision(f"w{n}", executed=False, status="pending", requested_at=day(20), verdict="unknown") for n in range(10)]
    found = measured(cases=[*done, *waiting], coverage=logs(60), steps=[step(f"d{n}") for n in range(30)])
    held = row(found, "ACC-02")
    theirs = stats.ecdf(stats.CensoredData(uncensored=[n + 1.0 for n in range(30)], right=[(day(0) - day(20)).days + 0.5] * 10))
    assert held["value"] == theirs.sf.quantiles[np.argmax(theirs.sf.probabilities <= 0.5)]
    assert (held["unit"], held["denominator"]) == ("days", 40)
    bare = measured(cases=[decision("x")], coverage=logs(60), steps=[step("x")])
    assert (row(bare, "ACC-02")["reason"], row(bare, "ACC-02")["n_unknown"]) == ("definition_not_met", 1)


# --- independent answers ------------------------------------------------------------------------------------------------------

@given(st.lists(st.tuples(st.integers(1, 20), st.booleans()), min_size=1, max_size=40), st.sampled_from([0.1, 0.5, 0.9]))
@settings(deadline=None)
def test_quantiles_of_open_and_ended_durations_agree_with_scipy(rows: list[tuple[int, bool]], share: float) -> None:
    ended, still = [float(n) for n, over in rows if over], [float(n) for n, over in rows if not over]
    ours = Durations([float(n) for n, _ in rows], [over for _, over in rows]).quantile(share)
    if not ended:
        assert ours is None
        return
    theirs = stats.ecdf(stats.CensoredData(uncensored=ended, right=still)).sf
    reached = theirs.probabilities <= 1 - share + 1e-9
    assert ours == (theirs.quantiles[np.argmax(reached)] if reached.any() else None)


@given(st.lists(st.tuples(st.integers(0, 12), st.booleans()), min_size=1, max_size=40), st.integers(0, 12))
def test_what_is_kept_by_age_is_the_isotonic_regression_of_scipy(rows: list[tuple[int, bool]], age: int) -> None:
    ages = sorted({a for a, _ in rows})
    shares = [np.mean([k for a, k in rows if a == at]) for at in ages]
    weights = [sum(a == at for a, _ in rows) for at in ages]
    theirs = optimize.isotonic_regression(shares, weights=weights, increasing=False).x
    ours = Kept([float(a) for a, _ in rows], [k for _, k in rows]).at(age)
    later = [x for at, x in zip(ages, theirs, strict=True) if at >= age]
    assert (ours is None) == (not later)
    if ours is not None:
        assert ours[0] / ours[1] == pytest.approx(later[0])


@pytest.mark.parametrize("size", [60, 900])
def test_limits_of_a_median_duration_agree_with_the_bootstrap_of_scipy(size: int) -> None:
    values = np.random.default_rng(3).lognormal(2, 1, size)
    theirs = stats.bootstrap((values,), np.median, method="percentile", rng=np.random.default_rng(4)).confidence_interval
    ours = Durations(values.tolist(), [True] * size).limits(0.5)
    assert ours == pytest.approx((theirs.low, theirs.high), rel=0.06)


def test_durations_of_few_clusters_have_wider_limits_than_as_many_by_themselves() -> None:
    lengths = [10.0 * c + n / 10 for c in range(6) for n in range(20)]
    alone = Durations(lengths, [True] * 120).limits(0.5)
    lumped = Durations(lengths, [True] * 120, [str(n // 20) for n in range(120)]).limits(0.5)
    assert alone is not None
    assert lumped is not None
    assert lumped[1] - lumped[0] > 1.5 * (alone[1] - alone[0])


def test_resampled_sums_of_clusters_have_the_spread_of_a_compound_poisson_count() -> None:
    sizes = np.array([[50.0], [30.0], *[[1.0]] * 100])
    drawn = intervals.resampled_sums(sizes)[:, 0]
    assert drawn.mean() == pytest.approx(180, rel=0.03)
    assert drawn.std() == pytest.approx(np.sqrt(50**2 + 30**2 + 100), rel=0.05)
    assert (intervals.resampled_sums(sizes[::-1]) == drawn[:, None]).all()


def test_the_ratio_of_resampled_shares_agrees_with_the_bootstrap_of_scipy() -> None:
    now, base = np.repeat([1.0, 0.0], [60, 40]), np.repeat([1.0, 0.0], [90, 10])
    theirs = stats.bootstrap((now, base), lambda a, b, axis: 1 - a.mean(axis) / b.mean(axis), method="percentile",
                             rng=np.random.default_rng(5)).confidence_interval
    cells = [np.concatenate([np.ones((100, 2)), made[:, None]], axis=1) for made in (base, now)]
    rows = np.zeros((200, 2, 1, len(gap.FIELDS)))
    rows[:100, 0, 0, :3], rows[100:, 1, 0, :3] = cells
    drawn = gap.compared(intervals.resampled_sums(rows.reshape(200, -1)).reshape(-1, 2, 1, len(gap.FIELDS)))
    assert intervals.percentile_limits(drawn["ag"]) == pytest.approx((theirs.low, theirs.high), abs=0.015)


COUNTS = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9), st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=3)


@given(COUNTS, COUNTS)
def test_the_legs_always_sum_to_the_gap(base: list[tuple[int, ...]], now: list[tuple[int, ...]]) -> None:
    """Whatever fails in whichever stratum; what nothing compares with is left out of all four numbers alike."""
    size = max(len(base), len(now))
    cells = np.zeros((2, size, len(gap.FIELDS)))
    for group, strata in enumerate((base, now)):
        for place, (good, one, two, all_three) in enumerate(strata):
            n = good + one + two + all_three
            losses = (one + all_three / 3, two / 2 + all_three / 3, two / 2 + all_three / 3)
            cells[group, place, :6] = (n, n, good, *losses)
    found = gap.compared(cells)
    if np.isfinite(found["ag"]):
        assert found["evidence"] + found["approval"] + found["rollback"] == pytest.approx(float(found["ag"]))
        assert found["ag"] == pytest.approx(float(1 - found["kf"] / found["af"]), abs=1e-9)


@given(st.integers(1, 40), st.integers(0, 40), st.integers(40, 60), st.integers(40, 60))
def test_the_limits_of_a_gap_enclose_it_and_agree_with_the_ratio_of_proportions(k0: int, k1: int, n0: int, n1: int) -> None:
    low, high = gap.limits(k0 / n0, n0, k1 / n1, n1)
    assert low <= 1 - (k1 / n1) / (k0 / n0) <= high
    if k1 and k1 < n1 and k0 < n0:
        ratio = stats.contingency.relative_risk(k1, n1, k0, n0).confidence_interval(0.95)
        assert (1 - high, 1 - low) == pytest.approx((ratio.low, ratio.high))


def test_the_order_of_rows_changes_nothing_also_where_clusters_are_resampled() -> None:
    rows = estate(cohort("ai", 60, 100, workflow_id="w"), cohort("p", 54, 60, "none"))
    plain, mixed = measured(**rows), measured(**rows, shuffle=3)
    keep = pl.col("metric_id").str.starts_with("ACC")
    assert plain.measures.filter(keep).equals(mixed.measures.filter(keep))
    assert comparison.comparison(Context(*inputs(**rows))).by_cluster
