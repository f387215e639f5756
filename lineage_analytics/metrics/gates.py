"""When a number may be called a score: the gates of the design, in one place."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

MIN_DENOMINATOR = 10
FULL_DENOMINATOR = 30
MIN_COVERAGE = 0.5
FULL_COVERAGE = 0.8
FRESH = timedelta(days=7)
STALE = timedelta(days=30)


@dataclass(frozen=True)
class Verdict:
    """``status`` scored, provisional or not_scored; ``reason`` a code, null when scored."""

    status: str
    reason: str | None = None


def judge(
    *, known: float, unknown: float, lack: str | None, lack_of_unknown: str | None, age: timedelta | None,
    counted: bool = False, doubt: str | None = None,
) -> Verdict:
    """Status and reason of a measure.

    Parameters
    ----------
    known, unknown : how many objects (or clusters) are known, how many are not.
    lack : a reason that rules the measure out whatever the counts.
    lack_of_unknown : what most of the unknown objects lack; it names the reason where coverage fails.
    age : of the snapshot; null: a process, or not stated.
    counted : a count or a rate, which has no smallest denominator.
    doubt : a reason why the measure is provisional at best.
    """
    if lack is not None:
        return Verdict("not_scored", lack)
    if age is not None and age > STALE:
        return Verdict("not_scored", "source_stale")
    coverage = known / (known + unknown) if known + unknown else None
    if coverage is not None and coverage < MIN_COVERAGE:
        return Verdict("not_scored", lack_of_unknown or "coverage_below_min")
    if not counted and known < MIN_DENOMINATOR:
        return Verdict("not_scored", "denominator_below_min")
    if coverage is not None and coverage < FULL_COVERAGE:
        return Verdict("provisional", "coverage_below_min")
    if not counted and known < FULL_DENOMINATOR:
        return Verdict("provisional", "denominator_below_min")
    if doubt is not None:
        return Verdict("provisional", doubt)
    if age is not None and age > FRESH:
        return Verdict("provisional", "source_stale")
    return Verdict("scored")
