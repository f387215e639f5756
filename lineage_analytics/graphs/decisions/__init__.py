"""Decision lineage: every change of access with who asked, approved, executed, and the way back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

    from lineage_analytics.tables import Facts


@dataclass(frozen=True)
class DecisionLineage:
    """Frames with the columns of ``tables.CASES STEPS LINKS LINK_REJECTS GAPS ELEMENTS``."""

    cases: pl.DataFrame
    steps: pl.DataFrame
    links: pl.DataFrame
    link_rejects: pl.DataFrame
    gaps: pl.DataFrame
    elements: pl.DataFrame


def decision_lineage(facts: Facts) -> DecisionLineage:
    raise NotImplementedError
