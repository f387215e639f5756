"""What each day says of each log: hand-sized calendars with the answer in the name."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from lineage_analytics import tables
from lineage_analytics.source_days import source_days, window_days

LAST = date(2026, 6, 28)  # a Sunday
AS_OF = datetime(2026, 6, 28, 23, 59, 59, tzinfo=UTC)
Row = dict[str, Any]


def received(days: list[int], records: int = 100, **more: Any) -> list[Row]:
    """Records on days that many days before the last."""
    return [{"basis": "received", "source": "s", "tenant": "t", "day": LAST - timedelta(days=back), "records": records,
             **more} for back in days]


def expected(**more: Any) -> list[Row]:
    return [{"basis": "expected", "source": "s", **more}]


def states(rows: list[Row], length: int) -> list[str]:
    frame = source_days(tables.conform(pl.DataFrame(rows), tables.COVERAGE), *window_days(AS_OF, length), AS_OF)
    return frame["state"].to_list()


def test_nine_of_a_usual_hundred_is_partial_ten_is_received_and_none_is_missing() -> None:
    rows = [*received([4, 3]), *received([2], 9), *received([1], 10), *received([5, 6, 7, 8])]
    assert states(rows, 5) == ["received", "received", "partial", "received", "missing"]


def test_days_before_the_first_record_are_before_it_unless_the_source_was_due_by_then() -> None:
    assert states(received([1, 0]), 4) == ["before", "before", "received", "received"]
    since = expected(tenant="t", first=AS_OF - timedelta(days=2))
    assert states([*received([1, 0]), *since], 4) == ["before", "missing", "received", "received"]
    assert states([*received([1, 0]), *expected(tenant="t")], 4) == ["missing", "missing", "received", "received"]


def test_a_source_with_records_on_two_of_five_days_leaves_the_others_untold_unless_it_was_declared() -> None:
    assert states(received([4, 0]), 5) == ["received", "untold", "untold", "untold", "received"]
    assert states([*received([4, 0]), *expected()], 5) == ["received", "missing", "missing", "missing", "received"]


@pytest.mark.parametrize(("weeks", "weekends"), [(8, "untold"), (3, "missing")])
def test_weekends_without_records_say_nothing_once_four_weeks_have_shown_them(weeks: int, weekends: str) -> None:
    working = [back for back in range(weeks * 7) if (LAST - timedelta(days=back)).weekday() < 5 and back != 11]
    found = Counter(states([*received(working), *received([weeks * 7 - 1])], 14))
    assert found == Counter({"received": 9, weekends: 4}) + Counter(["missing"]), "the quiet Wednesday is missing"


def test_a_short_day_may_still_arrive_until_its_source_is_late() -> None:
    late = received([9, 8, 7, 6, 5, 4, 3], lateness_seconds=2 * 86_400)
    assert states(late, 4) == ["received", "missing", "late", "late"]


def test_a_declared_source_without_a_tenant_stands_for_each_received_tenant_and_else_for_itself() -> None:
    rows = [*received([1, 0], tenant="a"), *received([0], tenant="b"), *expected(), *expected(source="other")]
    frame = source_days(tables.conform(pl.DataFrame(rows), tables.COVERAGE), *window_days(AS_OF, 2), AS_OF)
    assert frame.select("source", "tenant", "state").rows() == [
        ("other", None, "missing"), ("other", None, "missing"), ("s", "a", "received"), ("s", "a", "received"),
        ("s", "b", "missing"), ("s", "b", "received")]
    assert frame["due"].all()


def test_a_stray_record_of_long_ago_changes_nothing() -> None:
    dense = received([n for n in range(40) if n != 3])
    assert states([*dense, *received([9_000], 1)], 5) == states(dense, 5)


def test_nothing_received_or_expected_is_no_row() -> None:
    assert states([], 5) == []
