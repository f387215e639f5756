"""What each day says of each log: received, partly, not at all, still to come; or nothing, where records are rare."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from datetime import date, datetime

PARTIAL_SHARE = 0.1
"""A day with a smaller share of the source's usual rows is not received (metrics, VIS-09)."""
_KEY = ["source", "tenant"]
_USUAL = timedelta(days=89)  # an old stray record does not make a log a rare one
_WEEKS = 4  # fewer say nothing of a day of the week
_ROUNDED = timedelta(hours=1)  # what ends in the last hour of a day has that day


def source_days(coverage: pl.DataFrame, first: date, last: date, as_of: datetime) -> pl.DataFrame:
    """One row per source, tenant and UTC day from ``first`` to ``last``, of every source received or expected; sorted.

    Parameters
    ----------
    coverage : columns of ``tables.COVERAGE``.
    as_of : until when records could have come (UTC).

    Returns
    -------
    source, tenant : String.
    day : Date.
    records : Int64, 0 where none came.
    usual : Float64, the median of the days from the first to the last with a record, of the last 90 up to that,
        days without one among them; null: nothing was ever received.
    due : Boolean, whether the source was declared as expected by that day; null: nobody declared it.
    state : String. ``received``; ``partial``, fewer than a tenth of the usual rows; ``missing``, none;
        ``late``, neither, and the source may still deliver it; ``before``, the source's first record is younger and
        nobody declared that it is expected by then; ``untold``, no record, nobody declared the source, and it has
        records on fewer than half of its days, or of the same days of the week: a quiet day and a missing one look
        alike.
    """
    counts = _dated(coverage).filter(pl.col("day") <= last).group_by(*_KEY, "day").agg(pl.col("records").sum())
    days = pl.DataFrame({"day": pl.date_range(first, last, eager=True)})
    rows = _sources(coverage, counts).join(days, how="cross").join(
        counts, on=[*_KEY, "day"], how="left", nulls_equal=True).with_columns(
        pl.col("records").fill_null(0), due=pl.when("declared").then(pl.col("day") >= pl.col("start").fill_null(first)))
    some = pl.col("records") > 0
    over = pl.col("day").cast(pl.Datetime("us", "UTC")) + timedelta(days=1) + pl.col("lateness") <= as_of + _ROUNDED
    seldom = (pl.col("usual") == 0) | pl.col("quiet").list.contains(pl.col("day").dt.weekday())
    return rows.with_columns(
        state=pl.when(some & (pl.col("records") >= PARTIAL_SHARE * pl.col("usual"))).then(pl.lit("received"))
        .when(~over).then(pl.lit("late"))
        .when(~some & seldom & pl.col("due").is_null()).then(pl.lit("untold"))
        .when(pl.col("day") < pl.col("start")).then(pl.lit("before"))
        .when(some).then(pl.lit("partial"))
        .otherwise(pl.lit("missing")),
    ).select(*_KEY, "day", "records", "usual", "due", "state").sort(*_KEY, "day", nulls_last=True)


def window_days(as_of: datetime, length: int) -> tuple[date, date]:
    """First and last UTC day of the ``length`` days that end at ``as_of``."""
    last = (as_of - timedelta(microseconds=1)).date()
    return last - timedelta(days=length - 1), last


def _dated(coverage: pl.DataFrame) -> pl.DataFrame:
    return coverage.filter((pl.col("basis") == "received") & pl.col("day").is_not_null())


def _expected(coverage: pl.DataFrame) -> pl.DataFrame:
    """``source, tenant, since`` (Date, null: not said) of the declared sources; one that names no tenant stands for
    each tenant of that source that was received, and for itself where none was."""
    declared = coverage.filter(pl.col("basis") == "expected").group_by(_KEY).agg(since=pl.col("first").min().dt.date())
    loaded = _dated(coverage).select(_KEY).unique()
    named = declared.filter(pl.col("tenant").is_not_null())
    anywhere = declared.filter(pl.col("tenant").is_null()).drop("tenant").join(loaded, on="source", how="left")
    return pl.concat([named, anywhere.select(named.columns)]).unique(_KEY, keep="first", maintain_order=True).sort(
        _KEY, nulls_last=True)


def _sources(coverage: pl.DataFrame, counts: pl.DataFrame) -> pl.DataFrame:
    """``source, tenant, usual, quiet, lateness, start, declared`` of each source; ``start`` null: not said.

    ``quiet`` are the days of the week (1 is Monday) of which most have no record.
    """
    held = pl.col("day")
    spans = counts.group_by(_KEY).agg(
        opened=held.min(), recent=held.filter(held >= held.max() - _USUAL).min(), closed=held.max())
    grid = spans.with_columns(day=pl.date_ranges("recent", "closed")).explode("day").join(
        counts, on=[*_KEY, "day"], how="left", nulls_equal=True).with_columns(pl.col("records").fill_null(0))
    usual = grid.group_by(*_KEY, "opened").agg(usual=pl.col("records").median())
    weekdays = grid.group_by(*_KEY, weekday=pl.col("day").dt.weekday()).agg(pl.col("records").median(), weeks=pl.len())
    quiet = weekdays.group_by(_KEY).agg(
        quiet=pl.col("weekday").filter((pl.col("records") == 0) & (pl.col("weeks") >= _WEEKS)))
    late = _dated(coverage).group_by(_KEY).agg(
        lateness=pl.duration(seconds=pl.col("lateness_seconds").max().fill_null(0)))
    declared = _expected(coverage).with_columns(declared=pl.lit(value=True))
    told = usual.join(quiet, on=_KEY, nulls_equal=True).join(late, on=_KEY, how="left", nulls_equal=True)
    return told.join(declared, on=_KEY, how="full", coalesce=True, nulls_equal=True).with_columns(
        pl.col("lateness").fill_null(timedelta()),
        start=pl.when(pl.col("declared").is_null()).then(pl.col("opened")).otherwise(pl.col("since")))
