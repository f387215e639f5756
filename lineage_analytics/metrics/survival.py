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
_RANKS = 200


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
        at_risk = np.arange(self.lengths.size, 0, -1)  # of equal lengths the steps multiply to one step of the curve
        curve = np.asarray(np.cumprod(1.0 - self.ended / at_risk)[None, :], dtype=np.float64)
        found = float(_first(curve, self.lengths, share)[0])
        return found if np.isfinite(found) else None

    def quantiles(self, share: float) -> Numbers:
        """The quantile of each of 2,000 resamples of whole clusters, each drawn a Poisson number of times; infinite
        where it is not reached, not a number where none was drawn. Lengths are told apart by 200 ranks: chance moves
        a quantile further than that."""
        edges = np.unique(self.lengths)
        if edges.size > _RANKS:
            edges = np.unique(np.quantile(self.lengths, np.linspace(0, 1, _RANKS + 1)[1:], method="inverted_cdf"))
        sums = self._resampled(np.searchsorted(edges, self.lengths), edges.size)
        over, still = sums[:, :edges.size], sums[:, edges.size:]
        at_risk = np.cumsum((over + still)[:, ::-1], axis=1)[:, ::-1]
        lost = np.divide(over, at_risk, out=np.zeros_like(over), where=at_risk > 0)
        found = _first(np.asarray(np.cumprod(1.0 - lost, axis=1), dtype=np.float64), edges, share)
        return np.where(at_risk[:, 0] > 0, found, np.nan)

    def _resampled(self, places: Whole, ranks: int) -> Numbers:
        """Per resample how many ended at each rank, then how many were still open at each."""
        columns = places + np.where(self.ended, 0, ranks)
        sizes = np.bincount(self.clusters)
        single = sizes[self.clusters] == 1
        source = np.random.default_rng(intervals.SEED)
        alone = np.bincount(columns[single], minlength=2 * ranks)
        sums = source.poisson(alone, size=(intervals.RESAMPLES, 2 * ranks)).astype(np.float64)
        several, rows = np.unique(self.clusters[~single], return_inverse=True)
        if several.size:
            held = np.zeros((several.size, 2 * ranks))
            np.add.at(held, (rows, columns[~single]), 1.0)
            block = max(1, _CELLS // several.size)
            for start in range(0, intervals.RESAMPLES, block):
                part = sums[start:start + block]
                part += source.poisson(1.0, size=(len(part), several.size)).astype(np.float64) @ held
        return sums

    def limits(self, share: float) -> tuple[float, float] | None:
        """95 % percentile limits of the quantile; None where one of them is not reached, or all are of one cluster."""
        if self.clusters.max(initial=0) == 0:
            return None
        drawn = self.quantiles(share)
        low, high = np.quantile(drawn[~np.isnan(drawn)], [0.025, 0.975], method="inverted_cdf")
        return (float(low), float(high)) if np.isfinite(high) else None


def _first(curve: Numbers, lengths: Numbers, share: float) -> Numbers:
    """The first length at which each curve is down to what ``share`` leaves; infinite where none is."""
    reached = curve <= 1.0 - share + 1e-12
    found: Numbers = np.where(reached.any(axis=1), lengths[reached.argmax(axis=1)], np.inf)
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
