"""How long things last: open ones counted as open, or where only their present state is known (design section 1.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lineage_analytics.metrics import intervals

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]
    Whole = NDArray[np.int64]

_CELLS = 4_000_000


class Durations:
    """Durations in any unit; ``ended`` false: still open after so long. ``clusters`` name what is resampled together,
    None: every duration by itself. Held in order of length, those that ended first among equals."""

    def __init__(self, lengths: Sequence[float], ended: Sequence[bool], clusters: Sequence[str] | None = None) -> None:
        held = np.asarray(lengths, dtype=np.float64)
        over = np.asarray(ended, dtype=bool)
        names = np.asarray(clusters if clusters is not None else [str(n) for n in range(held.size)], dtype=object)
        order = np.lexsort((~over, held))
        self.lengths, self.ended = held[order], over[order]
        ranks = {name: rank for rank, name in enumerate(sorted(set(names.tolist())))}
        self.clusters: Whole = np.array([ranks[name] for name in names[order]], dtype=np.int64)

    def quantile(self, share: float) -> float | None:
        """After how long ``share`` of them have ended; None: so many have not."""
        found = float(_quantiles(self, np.ones((1, self.lengths.size)), share)[0])
        return found if np.isfinite(found) else None

    def quantiles(self, share: float) -> Numbers:
        """The quantile of each of 2,000 resamples of whole clusters; infinite where it is not reached."""
        total = int(self.clusters.max()) + 1 if self.clusters.size else 0
        source = np.random.default_rng(intervals.SEED)
        block = max(1, min(intervals.RESAMPLES, _CELLS // max(self.lengths.size, total, 1)))
        drawn = []
        for start in range(0, intervals.RESAMPLES, block):
            picks = source.integers(0, total, size=(min(block, intervals.RESAMPLES - start), total))
            weights = np.apply_along_axis(np.bincount, 1, picks, minlength=total).astype(np.float64)
            drawn.append(_quantiles(self, weights[:, self.clusters], share))
        return np.concatenate(drawn)

    def limits(self, share: float) -> tuple[float, float] | None:
        """95 % percentile limits of the quantile; None where one of them is not reached."""
        low, high = np.quantile(self.quantiles(share), [0.025, 0.975], method="inverted_cdf")
        return (float(low), float(high)) if np.isfinite(high) else None


def _curve(weights: Numbers, ended: NDArray[np.bool_]) -> Numbers:
    """Per row of weights, the share that remains after each duration in order."""
    at_risk = np.cumsum(weights[:, ::-1], axis=1)[:, ::-1]
    with np.errstate(divide="ignore", invalid="ignore"):
        lost = np.where(ended & (at_risk > 0), weights / at_risk, 0.0)
    return np.asarray(np.cumprod(1.0 - lost, axis=1), dtype=np.float64)


def _quantiles(held: Durations, weights: Numbers, share: float) -> Numbers:
    reached = _curve(weights, held.ended) <= 1.0 - share + 1e-12
    found: Numbers = np.where(reached.any(axis=1), held.lengths[reached.argmax(axis=1)], np.inf)
    return found


class Kept:
    """Things of known age of which some are lost by now, nobody knows since when: the share kept at each age that fits
    best and never rises with age (the counterpart of Kaplan-Meier for the present state; pool adjacent violators)."""

    def __init__(self, ages: Sequence[float], kept: Sequence[bool]) -> None:
        counted: dict[float, list[int]] = {}
        for age, there in zip(ages, kept, strict=True):
            held = counted.setdefault(age, [0, 0])
            held[0] += there
            held[1] += 1
        self._blocks: list[tuple[float, int, int]] = []  # oldest age, kept, of how many
        for age, (good, count) in sorted(counted.items()):
            block = (age, good, count)
            while self._blocks and block[1] * self._blocks[-1][2] >= self._blocks[-1][1] * block[2]:
                _, before, number = self._blocks.pop()
                block = (age, before + block[1], number + block[2])
            self._blocks.append(block)

    def at(self, age: float) -> tuple[int, int] | None:
        """How many are kept of how many, at that age: of the things that the best fit pools there. None: none is so
        old."""
        return next(((good, count) for oldest, good, count in self._blocks if oldest >= age), None)
