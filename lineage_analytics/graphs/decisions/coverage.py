"""Which source covers which moment: without that, nothing may be called absent."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from lineage_analytics.facts import Facts
    from lineage_analytics.graphs.decisions.places import Places

_TORN = timedelta(days=1)
"""How far from the records that were read those of a cut file may have stood."""


RETENTION = {
    "entra_audit": timedelta(days=30), "entra_signins": timedelta(days=30), "okta_system_log": timedelta(days=90),
    "aws_cloudtrail": timedelta(days=90), "github_audit": timedelta(days=180), "m365_audit": timedelta(days=180),
    "google_workspace": timedelta(days=180), "gcp_audit": timedelta(days=400), "azure_activity": timedelta(days=90),
}
"""How long a provider keeps its log where nobody exports it: the customary period of each, a premium licence aside."""


class Coverage:
    """Received spans per source and tenant up to ``as_of``, with how late each source may still deliver."""

    def __init__(self, facts: Facts, places: Places | None = None) -> None:
        self._places = places
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
        self._broken = _broken(facts)

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
            gone = since < first and self._as_of - since > RETENTION.get(source, timedelta.max)
            return ("expired" if gone else "outside_coverage"), due
        if due <= last:
            return self._doubt(source, since, moment) or "absent", due
        return ("pending" if due > self._as_of else "outside_coverage"), due

    def held_by(self, tenant: str | None, sources: Sequence[str]) -> list[tuple[str, str | None]]:
        """Those of the sources that were received of a tenant's declared organisation, each with its tenant."""
        if self._places is None or tenant is None:
            return []
        own = self._places.organisation(tenant)
        return sorted((source, other) for source, other in self._spans
                      if source in sources and other is not None and self._places.organisation(other) == own)

    def _doubt(self, source: str, since: datetime, moment: datetime) -> str | None:
        """Why what is not there may still have been: a file broke off, or held records that could not be read."""
        if self._truncated(source, since, moment):
            return "truncated"
        return "unparseable" if any(first <= moment and since <= last
                                    for first, last in self._broken.get(source, ())) else None

    def _truncated(self, source: str, since: datetime, moment: datetime) -> bool:
        """Whether a file of the source that ended before it should may have held records of the span."""
        return any(first is None or last is None or (first - _TORN <= moment and since <= last + _TORN)
                   for first, last in self._cut.get(source, ()))


def _broken(facts: Facts) -> dict[str, list[tuple[datetime, datetime]]]:
    """Per source, the spans of files with records that were not understood."""
    odd = facts.frame("quarantine").filter(
        (pl.col("disposition") == "quarantined") & pl.col("position").is_not_null()).select(
        "source", "file_sha256").unique()
    spans = facts.frame("ledger").filter(pl.col("first").is_not_null() & pl.col("last").is_not_null()).join(
        odd, on=["source", "file_sha256"], how="semi").select("source", "first", "last").unique().sort(
        "source", "first", "last")
    found: dict[str, list[tuple[datetime, datetime]]] = {}
    for source, first, last in spans.iter_rows():
        found.setdefault(source, []).append((first, last))
    return found
