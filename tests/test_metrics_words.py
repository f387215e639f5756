"""Numbers in words: golden sentences."""

from __future__ import annotations

from typing import Any

import pytest

from lineage_analytics.metrics import intervals, title, words


def _row(k: float | None, n: float | None, **more: Any) -> dict[str, Any]:
    low, high = intervals.wilson(k, n) if k is not None and n and k <= n else (None, None)
    return {"metric_id": "VIS-04", "scope": "all", "numerator": k, "denominator": n, "n_unknown": 0, "n_excluded": 0,
            "value": k / n if k is not None and n else None, "ci_low": low, "ci_high": high, "status": "scored",
            "reason": None, "unit": "share", "window_start": None} | more


@pytest.mark.parametrize(("k", "n", "said"), [
    (12, 31, "12 of 31 (about 2 in 5; between 24 % and 56 %)"),
    (0, 12, "none of 12 (could be up to 24 %)"),
    (12, 12, "all 12 (could be as few as 76 %)"),
    (5, 31, "5 of 31 (about 1 in 6; between 7 % and 33 %)"),
    (30, 31, "30 of 31 (nearly all; between 84 % and 99 %)"),
    (1, 31, "1 of 31 (between 1 % and 16 %)"),
    (97, 100, "97 of 100 (97 %; between 91.5 % and 99 %)"),
    (970, 1000, "970 of 1,000 (97 %; between 95.7 % and 97.9 %)"),
])
def test_shares_in_words(k: int, n: int, said: str) -> None:
    assert words.share_words(_row(k, n)) == said
    assert words.measure_words(_row(k, n)) == said


def test_three_of_four_is_not_scored_and_prints_3_of_4() -> None:
    row = _row(3, 4, status="not_scored", reason="denominator_below_min", value=None)
    assert words.share_words(row) == "3 of 4; not scored: fewer than 10 are known"


def test_none_of_none_is_nothing_to_judge() -> None:
    row = _row(0, 0, status="not_scored", reason="denominator_below_min")
    assert words.measure_words(row) == "not scored: there is none"
    assert words.measure_words(row | {"window_start": 1}) == "not scored: there was none in this period"
    assert words.measure_words(row | {"n_excluded": 182}) == "not scored: none to judge, 182 excluded"


def test_a_missing_source_is_named() -> None:
    row = _row(None, None, metric_id="VIS-08", status="not_scored", reason="no_source")
    assert words.share_words(row) == "not scored: no source for a listing of credentials"


def test_unknown_and_provisional_are_said() -> None:
    row = _row(12, 29, n_unknown=4, status="provisional", reason="denominator_below_min")
    assert words.share_words(row) == (
        "12 of 29 (about 2 in 5; between 26 % and 59 %); 4 more unknown; provisional: fewer than 30 are known")


def test_counts_rates_and_medians_in_words() -> None:
    assert words.measure_words(_row(9, 30, unit="count", value=9)) == "9 of 30"
    assert words.measure_words(_row(0, 30, unit="count", value=0, n_unknown=2)) == (
        "none of 30; 2 more could not be judged")
    rate = _row(42, 30, unit="per_day", value=1.4, ci_low=0.91, ci_high=2.0)
    assert words.measure_words(rate) == "1.4 a day (between 0.91 and 2)"
    none = _row(0, 30, unit="per_day", value=0.0, ci_low=0.0, ci_high=0.123)
    assert words.measure_words(none) == "none in 30 days (could be up to 0.12 a day)"
    median = _row(None, 48, unit="ratio", value=0.714, ci_low=0.6, ci_high=0.8, scope="median")
    assert words.measure_words(median) == "median 71 % over 48 (between 60 % and 80 %)"


def test_rare_flags_are_said_per_ten_thousand() -> None:
    row = _row(2, 5000, unit="per_10000", value=4.0, ci_low=1.1, ci_high=14.6, metric_id="COP-11")
    assert words.measure_words(row) == "2 of 5,000 (4 of 10,000; between 1.1 and 15)"
    none = _row(0, 5000, unit="per_10000", value=0.0, ci_low=0.0, ci_high=7.7, metric_id="COP-11")
    assert words.measure_words(none) == "none of 5,000 (could be up to 7.7 of 10,000)"


def test_percent_has_no_more_digits_than_the_denominator_bears() -> None:
    assert words.percent(_row(12, 31)) == "39 %"
    assert words.percent(_row(971, 1000)) == "97.1 %"
    assert words.percent(_row(3, 4, status="not_scored", reason="denominator_below_min")) == "not scored"


@pytest.mark.parametrize("reason", ["no_source", "source_stale", "denominator_below_min", "coverage_below_min",
                                    "lookback_too_short", "definition_not_met", "no_baseline"])
def test_every_reason_has_words(reason: str) -> None:
    said = words.reason_words(reason)
    assert "_" not in said
    assert said != words.reason_words(None)


def test_titles_are_for_people_and_an_unknown_id_is_itself() -> None:
    assert title("VIS-04") == "Service accounts with a valid owner"
    assert title("XXX-99") == "XXX-99"
