"""The same actor under many names: aliases, kinds, owners, persons."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl

    from lineage_analytics.tables import Facts


@dataclass(frozen=True)
class Resolution:
    """``identities`` and ``aliases`` with the columns of ``tables.IDENTITIES ALIASES``."""

    identities: pl.DataFrame
    aliases: pl.DataFrame


def resolve(facts: Facts) -> Resolution:
    raise NotImplementedError


def apply_aliases(frame: pl.LazyFrame, columns: Sequence[str], aliases: pl.DataFrame) -> pl.LazyFrame:
    raise NotImplementedError
