"""Intervals, as the definitions name them: Wilson for shares, bootstrap over clusters for the rest."""

from __future__ import annotations

from math import exp, log, sqrt
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]

Z = 1.959963984540054
RESAMPLES = 2000
SEED = 20_240_229
_CELLS = 2_000_000


def wilson(k: float, n: float) -> tuple[float, float]:
    """Wilson score interval (95 %) of k of n, 0 to 1; n must be positive."""
    p = k / n
    spread = Z * Z / n
    centre = (p + spread / 2) / (1 + spread)
    half = Z * sqrt(p * (1 - p) / n + spread / (4 * n)) / (1 + spread)
    low, high = max(0.0, centre - half), min(1.0, centre + half)
    return (0.0 if k == 0 else low, 1.0 if k == n else high)


def bootstrap(values: Sequence[float], statistic: Callable[[Numbers], Numbers]) -> tuple[float, float]:
    """95 % percentile interval of a statistic of ``values``; ``statistic`` reduces the last axis."""
    held = np.sort(np.asarray(values, dtype=np.float64))
    drawn = np.concatenate([statistic(held[picks]) for picks in _resamples(held.size)])
    return _limits(drawn)


def bootstrap_ratio(numerators: Sequence[float], denominators: Sequence[float]) -> tuple[float, float]:
    """95 % percentile interval of sum over sum, resampling the clusters (one pair each)."""
    pairs = np.array(sorted(zip(numerators, denominators, strict=True)), dtype=np.float64).reshape(-1, 2)
    drawn = []
    for picks in _resamples(len(pairs)):
        sums = pairs[picks].sum(axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            drawn.append(sums[:, 0] / sums[:, 1])
    found = np.concatenate(drawn)
    return _limits(found[np.isfinite(found)])


def resampled_sums(clusters: Numbers, times: NDArray[np.int64] | None = None) -> Numbers:
    """Sums of the rows of 2,000 resamples, one row a kind of cluster and one column what is summed over it; ``times``
    says of how many clusters each row is, default 1.

    How often a cluster comes is itself chance: each is drawn a Poisson number of times, once on average, so that how
    many there were varies as well as what they held. Equal clusters are drawn together, which is the same and cheaper.
    """
    rows, number = np.asarray(clusters, dtype=np.float64), np.ones(len(clusters)) if times is None else times
    kinds, places = np.unique(rows, axis=0, return_inverse=True)
    expected = np.bincount(places.reshape(-1), weights=number, minlength=len(kinds))
    source = np.random.default_rng(SEED)
    block = max(1, min(RESAMPLES, _CELLS // max(len(kinds), 1)))
    sums = [source.poisson(expected, size=(min(block, RESAMPLES - start), len(kinds))).astype(np.float64) @ kinds
            for start in range(0, RESAMPLES, block)]
    return np.concatenate(sums)


def percentile_limits(drawn: Numbers) -> tuple[float, float] | None:
    """95 % limits of a statistic of resamples, those without one left out; None where most have none."""
    found = drawn[np.isfinite(drawn)]
    return _limits(found) if found.size * 2 > drawn.size else None


def median(values: Numbers) -> Numbers:
    return np.atleast_1d(np.median(values, axis=-1))


def p90(values: Numbers) -> Numbers:
    return np.atleast_1d(np.quantile(values, 0.9, axis=-1))


def p95(values: Numbers) -> Numbers:
    return np.atleast_1d(np.quantile(values, 0.95, axis=-1))


def least(values: Numbers) -> Numbers:
    return np.atleast_1d(values.min(axis=-1))


def most(values: Numbers) -> Numbers:
    return np.atleast_1d(values.max(axis=-1))


def mean(values: Numbers) -> Numbers:
    return np.atleast_1d(values.mean(axis=-1))


def poisson_limit_of_none() -> float:
    """Upper 95 % limit (two-sided) of the expected count where none was counted."""
    return -log(0.025)


def katz(k1: float, n1: float, k0: float, n0: float) -> tuple[float, float, float]:
    """Ratio of two proportions with its log interval; 0.5 is added to every cell when any count is 0."""
    if 0 in (k1, k0, n1 - k1, n0 - k0):
        k1, k0, n1, n0 = k1 + 0.5, k0 + 0.5, n1 + 1, n0 + 1
    ratio = (k1 / n1) / (k0 / n0)
    error = sqrt((1 - k1 / n1) / k1 + (1 - k0 / n0) / k0)
    return ratio, exp(log(ratio) - Z * error), exp(log(ratio) + Z * error)


def chapman(n1: int, n2: int, both: int) -> tuple[float, float]:
    """Size of a population seen by two independent samples, and its standard error (Chapman 1951)."""
    size = (n1 + 1) * (n2 + 1) / (both + 1) - 1
    variance = (n1 + 1) * (n2 + 1) * (n1 - both) * (n2 - both) / ((both + 1) ** 2 * (both + 2))
    return size, sqrt(variance)


def _resamples(size: int) -> Iterator[NDArray[np.int64]]:
    """Index rows of all resamples, in blocks that stay small in memory."""
    source = np.random.default_rng(SEED)
    block = max(1, min(RESAMPLES, _CELLS // max(size, 1)))
    for start in range(0, RESAMPLES, block):
        yield source.integers(0, size, size=(min(block, RESAMPLES - start), size))


def _limits(drawn: Numbers) -> tuple[float, float]:
    low, high = np.quantile(drawn, [0.025, 0.975])
    return float(low), float(high)
