"""The acceleration gap as arithmetic: pure functions over counts (design section 4, Formula to bands)."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, log, sqrt
from typing import TYPE_CHECKING

import numpy as np

from lineage_analytics.metrics.intervals import Z, wilson

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]

MIN_DECISIONS = 30
_WEEKS_OPEN = 3
STRATA_LEFT_OUT = 0.2
FIELDS = ("executed", "known", "assured", "evidence", "approval", "rollback", "lag_known", "lag_gained")
"""Of a stratum: decisions, those of known assurance, those assured, what each leg lost (a decision's failing legs share
it equally), those also known a week later, and those among them that only then were assured."""


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
    """The gap between a baseline (0) and AI-assisted decisions (1) of equal windows, all of them known; None when it is
    not scored.

    ``q0``: the baseline's assured share standardised to the AI mix; default: the plain share. Not scored with fewer
    than 30 decisions on either side, or when nothing of the baseline was assured.
    """
    if executed0 < MIN_DECISIONS or executed1 < MIN_DECISIONS or not assured0:
        return None
    base, now = (assured0 / executed0 if q0 is None else q0), assured1 / executed1
    low, high = limits(base, executed0, now, executed1)
    af = executed1 / executed0
    ux = executed1 * (1 - now) - executed0 * (1 - base)
    ag = 1 - now / base
    return Gap(base, now, af, af * now / base, ag, low, high, ux, band(low, high, now, wilson(assured1, executed1)[1]))


def limits(q0: float, n0: float, q1: float, n1: float) -> tuple[float, float]:
    """95 % limits of the gap by the log of the ratio; where a count is 0, with half a decision added to every cell."""
    kept = 1 - q1 / q0
    if 0 < q0 < 1 and 0 < q1 < 1:
        base, now = q0, q1
    else:
        base, now, n0, n1 = (q0 * n0 + 0.5) / (n0 + 1), (q1 * n1 + 0.5) / (n1 + 1), n0 + 1, n1 + 1
    error = sqrt((1 - now) / (n1 * now) + (1 - base) / (n0 * base))
    ratio = log(now / base)
    return min(1 - exp(ratio + Z * error), kept), max(1 - exp(ratio - Z * error), kept)


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
    if not total or not kept or (total - kept) / total > STRATA_LEFT_OUT:
        return None
    return sum(count * baseline[name][0] / baseline[name][1] for name, count in shared.items()) / kept


def leg_losses(failed: Sequence[Collection[str]], legs: Sequence[str]) -> dict[str, float]:
    """Mean loss per leg: the failing legs of a decision share it equally (the exact Shapley split)."""
    losses = dict.fromkeys(legs, 0.0)
    for legs_failed in failed:
        for leg in legs_failed:
            losses[leg] += 1 / len(legs_failed)
    return {leg: loss / len(failed) if failed else 0.0 for leg, loss in losses.items()}


def compared(cells: Numbers) -> dict[str, Numbers]:
    """The figures of the gap from counts: ``cells[..., group, stratum, field]``, group 0 the baseline, 1 AI-assisted,
    fields as ``FIELDS``; leading axes (resamples) are kept.

    ``left_out`` is the share of AI-assisted decisions in strata without a counterpart, which only ``x1`` counts.
    Where nothing compares a figure is not a number.
    """
    held = {name: cells[..., place] for place, name in enumerate(FIELDS)}
    base, now = ({name: value[..., group, :] for name, value in held.items()} for group in (0, 1))
    shared = base["known"] > 0
    weight = np.where(shared, now["known"], 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        n1 = weight.sum(-1)

        def standard(name: str) -> Numbers:
            found: Numbers = (weight * np.where(shared, base[name] / base["known"], 0.0)).sum(-1) / n1
            return found

        def present(name: str) -> Numbers:
            found: Numbers = np.where(shared, now[name], 0.0).sum(-1) / n1
            return found

        x0, x1 = base["executed"].sum(-1), now["executed"].sum(-1)
        q0, q1 = standard("assured"), present("assured")
        found = {
            "x0": x0, "x1": x1, "n0": base["known"].sum(-1), "n1": n1, "q0": q0, "q1": q1, "af": x1 / x0,
            "kf": x1 * q1 / (x0 * q0), "ag": 1 - q1 / q0, "ux": x1 * (1 - q1) - x0 * (1 - q0),
            "left_out": 1 - n1 / now["known"].sum(-1),
            "lag": now["lag_gained"].sum(-1) / now["lag_known"].sum(-1),
        }
        return found | {leg: (present(leg) - standard(leg)) / q0 for leg in ("evidence", "approval", "rollback")}


def opening(weeks: Sequence[tuple[float, float]], q0: float) -> int | None:
    """The place of the first of three consecutive weeks whose upper limit lies below ``q0``; None: it never opened.

    ``weeks``: (assured, known) in order; a week without known decisions ends a run.
    """
    run = 0
    for place, (assured, known) in enumerate(weeks):
        below = known > 0 and wilson(assured, known)[1] < q0
        run = run + 1 if below else 0
        if run == _WEEKS_OPEN:
            return place - _WEEKS_OPEN + 1
    return None
