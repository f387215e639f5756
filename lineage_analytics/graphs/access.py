"""Access lineage: who holds what, through which grants, each edge with its reason."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

    from lineage_analytics.tables import Facts


@dataclass(frozen=True)
class AccessLineage:
    """Nodes, edges and per-principal permissions, with the columns of ``tables.NODES EDGES PERMISSIONS``."""

    nodes: pl.DataFrame
    edges: pl.DataFrame
    permissions: pl.DataFrame


def access_lineage(facts: Facts) -> AccessLineage:
    raise NotImplementedError
