"""Which source covers which moment: without that, nothing may be called absent."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from lineage_analytics.tables import Facts


class Coverage:
    """Received spans per source and tenant, with how late each source may still deliver."""

    def __init__(self, facts: Facts) -> None:
        frame = facts.frame("coverage").filter(pl.col("basis") == "received").group_by("source", "tenant").agg(
            pl.col("first").min(), pl.col("last").max(), pl.col("lateness_seconds").max())
        self._spans: dict[tuple[str, str | None], tuple[datetime, datetime, timedelta]] = {
            (source, tenant): (first, last, timedelta(seconds=lateness or 0))
            for source, tenant, first, last, lateness in frame.iter_rows()
            if first is not None and last is not None
        }
        self._as_of = facts.as_of

    def lack(self, source: str, tenant: str | None, moment: datetime) -> tuple[str, datetime | None]:
        """Why something due at a moment is not there (a gap's reason), and until when it could still have come."""
        span = self._spans.get((source, tenant))
        if span is None:
            return "not_collected", None
        first, last, lateness = span
        due = moment + lateness
        if first <= moment and due <= last:
            return "absent", due
        return ("pending" if due > self._as_of and moment >= first else "outside_coverage"), due
