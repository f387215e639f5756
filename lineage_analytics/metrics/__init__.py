"""The measures: one function per metric beside its definition; gates and intervals applied in one place.

A new metric is one function under ``@metric`` in a module of this room; importing finds it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lineage_analytics.metrics.assemble import assemble
from lineage_analytics.metrics.catalog import DEFINITION_VERSION, Metric, catalogue, find
from lineage_analytics.metrics.context import Context
from lineage_analytics.metrics.facets import facets

if TYPE_CHECKING:
    import polars as pl

    from lineage_analytics.facts import Facts
    from lineage_analytics.graphs.access import AccessLineage
    from lineage_analytics.graphs.decisions import DecisionLineage


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


__all__ = ["DEFINITION_VERSION", "Measured", "Metric", "catalogue", "find", "measure", "title"]
