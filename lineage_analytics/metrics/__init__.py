"""The measures: one function per metric beside its definition; gates and intervals applied in one place.

A new metric is one function under ``@metric`` in a module of this room; importing finds it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from lineage_analytics.metrics.assemble import assemble
from lineage_analytics.metrics.catalog import DEFINITION_VERSION, Metric, catalogue, find
from lineage_analytics.metrics.context import Context
from lineage_analytics.metrics.facets import facets

if TYPE_CHECKING:
    import polars as pl

    from lineage_analytics.graphs.access import AccessLineage
    from lineage_analytics.graphs.decisions import DecisionLineage
    from lineage_analytics.tables import Facts


@dataclass(frozen=True)
class Measured:
    """``measures``, ``evidence`` and ``facets`` with the columns of ``tables.MEASURES EVIDENCE FACETS``."""

    measures: pl.DataFrame
    evidence: pl.DataFrame
    facets: pl.DataFrame


def measure(facts: Facts, access: AccessLineage, decisions: DecisionLineage) -> Measured:
    """Every metric of the catalogue in every scope: one row each, scored or not scored with its reason.

    Parameters
    ----------
    facts : the loaded tables with resolved ids, ``as_of`` and spans.
    access, decisions : the two lineages of the same facts.
    """
    context = Context(facts, access, decisions)
    measures, evidence = assemble(catalogue().values(), context)
    return Measured(measures, evidence, facets(context))


def title(metric_id: str) -> str:
    """The metric's title for people; the id itself for one the catalogue does not know."""
    known = catalogue().get(metric_id)
    return known.title if known else metric_id


def to_json(measures: pl.DataFrame) -> str:
    """The rows of a measures frame as a JSON array: times in ISO 8601 UTC, whole numbers as integers, null unknown."""
    return json.dumps([{k: _plain(v) for k, v in row.items()} for row in measures.iter_rows(named=True)])


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


__all__ = ["DEFINITION_VERSION", "Measured", "Metric", "catalogue", "find", "measure", "title", "to_json"]
