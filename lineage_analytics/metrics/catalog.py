"""What a metric is, and who knows them all: whatever the modules of this room define with ``@metric``."""

from __future__ import annotations

import importlib
import pkgutil
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from lineage_analytics.errors import UsageError, did_you_mean
from lineage_analytics.text import ascii_only

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lineage_analytics.metrics.context import Context
    from lineage_analytics.metrics.population import Population

    Function = Callable[[Context], Mapping[str, Population]]

DEFINITION_VERSION = "2"
"""Version of the catalogue as a whole; a metric whose meaning changes also bumps its own version."""

KINDS = ("census", "process", "estimate", "context")
DIRECTIONS = ("lower", "higher", "band", "none")


@dataclass(frozen=True)
class Metric:
    """A metric's definition, for people and for the machinery.

    Parameters
    ----------
    metric_id : stable id, e.g. ``PRV-01``.
    title : noun first, for people who own that noun.
    question : what a reader learns from it.
    numerator, denominator : the sets, in words.
    kind : census (objects at a snapshot), process (events or decisions in the window), estimate or context.
    unit : of ``value``: share count ratio points hops days minutes per_100 per_1000 per_10000 per_day; a
        population may name another.
    direction : which way is better: lower, higher, band, none.
    needs : in words, the data without which it cannot be measured.
    scopes : every scope that always has a row; ``all`` where the metric has no variant.
    green, red : limits in the unit of the metric, null where the design gives none; never a maturity threshold.
    refs : outside references the metric evidences in part.
    tables : whose loaders count as its sources.
    snapshot : table whose inventory dates it; null for processes.
    version : of this definition; another meaning is another version.
    """

    metric_id: str
    title: str
    question: str
    numerator: str
    denominator: str
    kind: str
    unit: str
    direction: str
    needs: str
    scopes: tuple[str, ...]
    green: float | None
    red: float | None
    refs: tuple[str, ...]
    tables: tuple[str, ...]
    snapshot: str | None
    version: str
    function: Function

    @property
    def higher_is_better(self) -> bool:
        return self.direction == "higher"


_registry: dict[str, Metric] = {}


def metric(
    metric_id: str, *, title: str, question: str, numerator: str, denominator: str, kind: str, direction: str,
    needs: str, tables: tuple[str, ...], unit: str = "share", scopes: tuple[str, ...] = ("all",),
    green: float | None = None, red: float | None = None, refs: tuple[str, ...] = (), snapshot: str | None = None,
    version: str = "1",
) -> Callable[[Function], Function]:
    """Register the function below it under a definition; two functions for one id are a defect."""
    if metric_id in _registry or kind not in KINDS or direction not in DIRECTIONS:
        raise ValueError(f"metric {metric_id}: defined twice, or kind {kind!r} or direction {direction!r} is none")

    def register(function: Function) -> Function:
        _registry[metric_id] = Metric(
            metric_id, title, question, numerator, denominator, kind, unit, direction, needs, scopes, green, red, refs,
            tables, snapshot, version, function)
        return function

    return register


@cache
def _imported() -> bool:
    room = importlib.import_module("lineage_analytics.metrics")
    for module in pkgutil.iter_modules(room.__path__):
        importlib.import_module(f"{room.__name__}.{module.name}")
    return True


def catalogue() -> Mapping[str, Metric]:
    """Every metric by id, in order of ids."""
    _imported()
    return dict(sorted(_registry.items()))


def find(metric_id: str) -> Metric:
    """The metric; UsageError with the nearest ids for one that does not exist."""
    known = catalogue()
    if metric_id not in known:
        raise UsageError("Wanted a metric of the catalogue", f"found {ascii_only(metric_id, 40)!r}",
                         did_you_mean(metric_id.upper(), known))
    return known[metric_id]
