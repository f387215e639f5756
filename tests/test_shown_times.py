"""Times as people see them: the day is never guessed."""

from __future__ import annotations

import pytest

from lineage_analytics.loaders.common.times import parse_time, shown_time, unmistakable_time


@pytest.mark.parametrize(("shown", "read"), [
    ("3/1/2026, 10:00:00.000 AM", "2026-03-01T10:00:00Z"), ("3/1/2026 12:05:00 PM", "2026-03-01T12:05:00Z"),
    ("3/1/2026, 12:05:00\u202fAM", "2026-03-01T00:05:00Z"),
    ("1/3/2026, 10:00:00 am", "2026-03-01T10:00:00Z"), ("01/03/2026, 22:00:00", "2026-03-01T22:00:00Z"),
    ("31/1/2026, 10:00:00", "2026-01-31T10:00:00Z"), ("1/31/2026, 10:00:00", "2026-01-31T10:00:00Z"),
    ("3/3/2026, 10:00:00", "2026-03-03T10:00:00Z"), ("13/1/2026 1:00:00 PM", "2026-01-13T13:00:00Z"),
    ("1/3/2026, 10:00:00", None), ("2026-03-01T10:00:00Z", None), ("soon", None),
])
def test_a_time_in_a_browser_is_read_where_its_spelling_tells_day_from_month(shown: str, read: str | None) -> None:
    found = shown_time(shown)
    assert (None if found is None else parse_time(found)) == (None if read is None else parse_time(read))


@pytest.mark.parametrize(("shown", "read"), [
    ("1/31/2026 10:00:00 AM", "2026-01-31T10:00:00Z"), ("31/01/2026 10:00", "2026-01-31T10:00:00Z"),
    ("3/3/2026 1:00:00 PM", "2026-03-03T13:00:00Z"), ("3/1/2026 10:00:00 AM", None), ("01/03/2026 10:00:00", None),
])
def test_a_time_that_two_readers_could_take_for_two_days_is_none(shown: str, read: str | None) -> None:
    found = unmistakable_time(shown)
    assert (None if found is None else parse_time(found)) == (None if read is None else parse_time(read))
