"""The acceleration gap as arithmetic: pure functions over counts (design section 4, Formula to bands)."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, log, sqrt
from typing import TYPE_CHECKING

from lineage_analytics.metrics.intervals import Z, wilson

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

MIN_DECISIONS = 30
_STRATA_LEFT_OUT = 0.2


@dataclass(frozen=True)
class Gap:
    """``af`` acceleration, ``kf`` keep-up, ``ag`` gap with limits, ``ux`` extra unassured decisions per window.

    ``af`` and ``ux`` compare equal windows. ``band``: keeping pace, watch, gap open.
    """

    q0: float
    q1: float
    af: float
    kf: float
    ag: float
    ag_low: float
    ag_high: float
    ux: float
    band: str


def gap(assured0: int, executed0: int, assured1: int, executed1: int, q0: float | None = None) -> Gap | None:
    """The gap between a baseline (0) and AI-assisted decisions (1) of equal windows; None when it is not scored.

    ``q0``: the baseline's assured share standardised to the AI mix; default: the plain share. Not scored with fewer
    than 30 known decisions on either side, or when either share is zero (no ratio has an interval then).
    """
    if executed0 < MIN_DECISIONS or executed1 < MIN_DECISIONS or not assured0 or not assured1:
        return None
    base, now = (assured0 / executed0 if q0 is None else q0), assured1 / executed1
    error = sqrt((1 - now) / (executed1 * now) + (1 - base) / (executed0 * base))
    ratio = log(now / base)
    ag, low, high = 1 - exp(ratio), 1 - exp(ratio + Z * error), 1 - exp(ratio - Z * error)
    af = executed1 / executed0
    ux = executed1 * (1 - now) - executed0 * (1 - base)
    return Gap(base, now, af, af * now / base, ag, low, high, ux, band(low, high, now, wilson(assured1, executed1)[1]))


def band(low: float, high: float, q1: float, q1_high: float) -> str:
    """The band of a gap; the fourth, stop, names decisions and is not a matter of counts."""
    if low > 0.20 or q1_high < 0.50:
        return "gap open"
    return "keeping pace" if high <= 0.05 and q1 >= 0.90 else "watch"


def standardised(baseline: Mapping[str, tuple[int, int]], now: Mapping[str, int]) -> float | None:
    """The baseline's assured share in the AI mix of strata; ``baseline`` holds (assured, executed) per stratum.

    Strata without a counterpart are left out; None when they hold more than a fifth of the AI decisions.
    """
    total = sum(now.values())
    shared = {name: count for name, count in now.items() if baseline.get(name, (0, 0))[1]}
    kept = sum(shared.values())
    if not total or not kept or (total - kept) / total > _STRATA_LEFT_OUT:
        return None
    return sum(count * baseline[name][0] / baseline[name][1] for name, count in shared.items()) / kept


def leg_losses(failed: Sequence[Collection[str]], legs: Sequence[str]) -> dict[str, float]:
    """Mean loss per leg: the failing legs of a decision share it equally (the exact Shapley split)."""
    losses = dict.fromkeys(legs, 0.0)
    for legs_failed in failed:
        for leg in legs_failed:
            losses[leg] += 1 / len(legs_failed)
    return {leg: loss / len(failed) if failed else 0.0 for leg, loss in losses.items()}
