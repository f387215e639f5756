"""The measures: one function per metric beside its definition; gates and intervals applied in one place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

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
    raise NotImplementedError
