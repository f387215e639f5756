"""Does a log reach far enough back to say that something was not used, and what it then says?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from lineage_analytics.facts import Facts

SHORTEST_DAYS = 90
"""A job may run once a quarter: what a shorter look-back did not see is not unused (metrics 1.2)."""
# A log may end a little before as_of when another source is the newest; the freshness gate of metrics 1.2 is 7 days.
_END_TOLERANCE_DAYS = 7


@dataclass(frozen=True)
class States:
    """The granted permissions of one principal by state; null where the logs cannot answer."""

    used: frozenset[str] | None
    unused: frozenset[str] | None
    too_young: frozenset[str] | None
    unobservable: frozenset[str] | None
    reason: str | None


def too_short(facts: Facts, log: str, first: datetime | None, last: datetime | None) -> str | None:
    """Why a log cannot answer for the look-back, with its code; None: it spans it.

    A log spans the look-back when its first record is at or before the start and its last at most 7 days before
    ``as_of``. A look-back under 90 days answers for nothing.

    Parameters
    ----------
    log : in words, after ``the log of``.
    first, last : its records' span; null: it states no times.
    """
    if facts.lookback_days < SHORTEST_DAYS:
        return (f"lookback_too_short: a look-back of {facts.lookback_days} days is shorter than the {SHORTEST_DAYS} "
                "that unused takes")
    if first is None or last is None:
        return f"no_source: the log of {log} states no times"
    days = max((min(last, facts.as_of) - max(first, facts.lookback_start)).total_seconds() / 86400, 0.0)
    late = (facts.as_of - last).total_seconds() > _END_TOLERANCE_DAYS * 86400
    if first <= facts.lookback_start and not late:
        return None
    return (f"lookback_too_short: the log of {log} covers {days:.1f} of the {facts.lookback_days} days before "
            f"{facts.as_of:%Y-%m-%d}")
