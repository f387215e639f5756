"""Which source covers which moment: without that, nothing may be called absent."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from datetime import date

    from lineage_analytics.facts import Facts

_TORN = timedelta(days=1)
"""How far from the records that were read those of a cut file may have stood."""


class Coverage:
    """Received spans per source and tenant up to ``as_of``, with how late each source may still deliver."""

    def __init__(self, facts: Facts) -> None:
        received = facts.frame("coverage").filter(
            (pl.col("basis") == "received") & pl.col("first").is_not_null() & (pl.col("first") <= facts.as_of))
        frame = received.group_by("source", "tenant").agg(
            pl.col("first").min(), pl.col("last").max(), pl.col("lateness_seconds").max(), pl.col("day"))
        self._spans: dict[tuple[str, str | None], tuple[datetime, datetime, timedelta]] = {}
        self._days: dict[tuple[str, str | None], frozenset[date]] = {}
        for source, tenant, first, last, lateness, days in frame.iter_rows():
            if last is not None:
                self._spans[source, tenant] = first, min(last, facts.as_of), timedelta(seconds=lateness or 0)
                self._days[source, tenant] = frozenset(days)
        self._as_of = facts.as_of
        cut = facts.frame("ledger").filter("truncated").select("source", "first", "last")
        self._cut: dict[str, list[tuple[datetime | None, datetime | None]]] = {}
        for source, first, last in cut.iter_rows():
            self._cut.setdefault(source, []).append((first, last))

    def lack(self, source: str, tenant: str | None, since: datetime, moment: datetime) -> tuple[str, datetime | None]:
        """Why something due between two moments is not there (a gap's reason), and until when it could still have
        come. Absence is said only where every day between them was received."""
        span = self._spans.get((source, tenant))
        if span is None:
            return "not_collected", None
        first, last, lateness = span
        due = moment + lateness
        days = self._days[source, tenant]
        whole = first <= since and all(
            since.date() + timedelta(days=n) in days for n in range((moment.date() - since.date()).days + 1))
        if not whole:
            return "outside_coverage", due
        if due <= last:
            return ("truncated" if self._truncated(source, since, moment) else "absent"), due
        return ("pending" if due > self._as_of else "outside_coverage"), due

    def _truncated(self, source: str, since: datetime, moment: datetime) -> bool:
        """Whether a file of the source that ended before it should may have held records of the span."""
        return any(first is None or last is None or (first - _TORN <= moment and since <= last + _TORN)
                   for first, last in self._cut.get(source, ()))
