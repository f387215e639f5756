"""Intervals, gates and the acceleration gap: reference vectors of the design, and independent implementations."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from lineage_analytics.metrics import gap, gates, intervals
from lineage_analytics.metrics.privilege import unused_share


@pytest.mark.parametrize(("k", "n", "low", "high"), [
    (5, 31, 0.071, 0.326), (26, 31, 0.674, 0.929), (0, 12, 0, 0.242), (12, 12, 0.758, 1), (97, 100, 0.915, 0.990),
    (970, 1000, 0.957, 0.979), (2, 35, 0.016, 0.186),
])
def test_wilson_gives_the_reference_vectors(k: int, n: int, low: float, high: float) -> None:
    assert intervals.wilson(k, n) == pytest.approx((low, high), abs=5e-4)


@given(st.integers(1, 5000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_agrees_with_scipy(pair: tuple[int, int]) -> None:
    k, n = pair
    theirs = stats.binomtest(k, n).proportion_ci(0.95, method="wilson")
    assert intervals.wilson(k, n) == pytest.approx((theirs.low, theirs.high), abs=1e-9)


def test_none_of_twelve_could_be_z_squared_over_n_plus_z_squared() -> None:
    assert intervals.wilson(0, 12)[1] == pytest.approx(1.959964**2 / (12 + 1.959964**2), abs=1e-6)


@given(st.lists(st.floats(0, 1), min_size=2, max_size=40), st.randoms(use_true_random=False))
def test_bootstrap_does_not_depend_on_the_order_and_stays_inside_the_values(values: list[float], dice: object) -> None:
    mixed = list(values)
    dice.shuffle(mixed)  # type: ignore[attr-defined]
    found = intervals.bootstrap(values, intervals.median)
    assert found == intervals.bootstrap(mixed, intervals.median)
    assert min(values) <= found[0] <= found[1] <= max(values)


def test_bootstrap_of_a_mean_agrees_with_scipy_within_two_percent() -> None:
    values = np.random.default_rng(1).normal(10, 2, 200)
    theirs = stats.bootstrap((values,), np.mean, method="percentile", rng=np.random.default_rng(2)).confidence_interval
    ours = intervals.bootstrap(values.tolist(), intervals.mean)
    assert ours == pytest.approx((theirs.low, theirs.high), rel=0.02)


def test_bootstrap_of_a_ratio_resamples_clusters_not_rows() -> None:
    even = intervals.bootstrap_ratio([5.0] * 40, [10.0] * 40)
    lumped = intervals.bootstrap_ratio([100.0, *[0.0] * 39], [100.0, *[100 / 39] * 39])
    assert even == (0.5, 0.5)
    assert lumped[0] == 0.0
    assert lumped[1] > 0.6


def test_bootstrap_in_blocks_is_the_bootstrap_of_all_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    values = [float(v) for v in range(50)]
    whole = intervals.bootstrap(values, intervals.p90)
    monkeypatch.setattr(intervals, "_CELLS", 50)
    assert intervals.bootstrap(values, intervals.p90) == pytest.approx(whole, rel=0.05)


def test_none_counted_is_compatible_with_3_7_as_scipy_has_it() -> None:
    assert intervals.poisson_limit_of_none() == pytest.approx(stats.chi2.ppf(0.975, 2) / 2)


def test_chapman_of_420_360_300_is_504_with_completeness_five_sixths() -> None:
    size, error = intervals.chapman(420, 360, 300)
    assert size == pytest.approx(503.9, abs=0.05)
    assert error == pytest.approx(6.3, abs=0.05)
    assert 420 / size == pytest.approx(0.833, abs=5e-4)


def test_katz_agrees_with_scipy_relative_risk() -> None:
    theirs = stats.contingency.relative_risk(30, 100, 20, 100)
    interval = theirs.confidence_interval(0.95)
    assert intervals.katz(30, 100, 20, 100) == pytest.approx((1.5, interval.low, interval.high))


def test_katz_with_a_zero_adds_half_to_every_cell() -> None:
    assert intervals.katz(0, 10, 5, 10)[0] == pytest.approx((0.5 / 11) / (5.5 / 11))


# --- gates ---------------------------------------------------------------------------------------------------------

def _judged(known: float = 100, unknown: float = 0, *, lack: str | None = None, lack_of_unknown: str | None = None,
            age: timedelta | None = None, counted: bool = False, doubt: str | None = None) -> tuple[str, str | None]:
    found = gates.judge(known=known, unknown=unknown, lack=lack, lack_of_unknown=lack_of_unknown, age=age,
                        counted=counted, doubt=doubt)
    return found.status, found.reason


@pytest.mark.parametrize(("known", "answer"), [
    (9, ("not_scored", "denominator_below_min")), (10, ("provisional", "denominator_below_min")),
    (29, ("provisional", "denominator_below_min")), (30, ("scored", None)),
])
def test_fewer_than_10_are_not_scored_and_fewer_than_30_provisional(known: int, answer: tuple[str, str | None]) -> None:
    assert _judged(known) == answer


@pytest.mark.parametrize(("unknown", "answer"), [
    (101, ("not_scored", "coverage_below_min")), (100, ("provisional", "coverage_below_min")),
    (26, ("provisional", "coverage_below_min")), (25, ("scored", None)),
])
def test_coverage_below_half_is_not_scored_and_below_four_fifths_provisional(
    unknown: int, answer: tuple[str, str | None]
) -> None:
    assert _judged(100, unknown) == answer


@pytest.mark.parametrize(("days", "answer"), [
    (7, ("scored", None)), (8, ("provisional", "source_stale")), (30, ("provisional", "source_stale")),
    (31, ("not_scored", "source_stale")),
])
def test_a_snapshot_over_7_days_is_provisional_and_over_30_not_scored(
    days: int, answer: tuple[str, str | None]
) -> None:
    assert _judged(age=timedelta(days=days)) == answer


def test_what_the_unknown_lack_names_the_reason_of_failing_coverage() -> None:
    assert _judged(1, 99, lack_of_unknown="lookback_too_short") == ("not_scored", "lookback_too_short")


def test_a_lack_rules_out_and_a_doubt_makes_provisional() -> None:
    assert _judged(lack="no_source") == ("not_scored", "no_source")
    assert _judged(doubt="coverage_below_min") == ("provisional", "coverage_below_min")


def test_a_count_has_no_smallest_denominator() -> None:
    assert _judged(0, counted=True) == ("scored", None)


# --- pure formulas ---------------------------------------------------------------------------------------------------

def test_granted_10_two_unobservable_one_young_two_used_has_a_share_of_5_in_7() -> None:
    assert unused_share(used=2, unused=5) == 5 / 7
    assert unused_share(0, 0) is None


def test_gap_of_102_in_120_against_288_in_480_is_open() -> None:
    found = gap.gap(102, 120, 288, 480)
    assert found is not None
    assert (found.q0, found.q1, found.af) == (0.85, 0.60, 4.0)
    assert found.kf == pytest.approx(2.82, abs=5e-3)
    assert (found.ag, found.ag_low, found.ag_high) == pytest.approx((0.294, 0.216, 0.364), abs=5e-4)
    assert found.ux == pytest.approx(174)
    assert found.band == "gap open"


def test_speed_alone_opens_no_gap_and_exposure_still_grows() -> None:
    found = gap.gap(102, 120, 408, 480)
    assert found is not None
    assert found.ag == pytest.approx(0, abs=1e-12)
    assert (found.ag_low, found.ag_high) == pytest.approx((-0.088, 0.081), abs=5e-4)
    assert found.ux == pytest.approx(54)


def test_no_gap_at_a_fifth_assured_is_open_by_the_share_itself() -> None:
    found = gap.gap(24, 120, 96, 480)
    assert found is not None
    assert (found.ag, found.q1, found.ux) == pytest.approx((0, 0.2, 288))
    assert found.band == "gap open"


def test_18_of_20_against_30_of_40_is_not_scored() -> None:
    assert gap.gap(18, 20, 30, 40) is None


def test_keeping_pace_needs_both_a_small_gap_and_nine_in_ten() -> None:
    found = gap.gap(950, 1000, 3800, 4000)
    assert found is not None
    assert found.band == "keeping pace"


def test_leg_losses_of_the_reference_case_are_15_20_and_15_hundredths() -> None:
    failed: list[list[str]] = [["E"], ["E", "A"], ["A"], ["A", "R"], ["R"], [], [], [], [], []]
    losses = gap.leg_losses(failed, ("E", "A", "R"))
    assert losses == {"E": pytest.approx(0.15), "A": pytest.approx(0.20), "R": pytest.approx(0.15)}
    assert 1 - sum(losses.values()) == pytest.approx(0.5)


def test_standardising_to_the_mix_and_leaving_out_more_than_a_fifth() -> None:
    assert gap.standardised({"easy": (9, 10), "hard": (5, 10)}, {"easy": 75, "hard": 25}) == pytest.approx(0.8)
    assert gap.standardised({"easy": (9, 10)}, {"easy": 80, "new": 20}) == pytest.approx(0.9)
    assert gap.standardised({"easy": (9, 10)}, {"easy": 79, "new": 21}) is None
