"""Rows of the lineage's tables, gathered case by case and kept as frames.

Rows as Python objects take many times the memory of a frame: they are turned into frames part by part, and lists of
texts column by column.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any

import polars as pl

from lineage_analytics import tables

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from lineage_analytics.tables import Table

Row = dict[str, Any]
PART = 20_000
"""Rows of one table held as objects before they become a frame."""


class Gathered:
    """Rows by table."""

    def __init__(self, kept: Iterable[Table]) -> None:
        self._tables = {table.name: table for table in kept}
        self._rows: dict[str, list[Row]] = {name: [] for name in self._tables}
        self._parts: dict[str, list[pl.DataFrame]] = {name: [] for name in self._tables}

    def add(self, name: str, rows: Iterable[Row]) -> None:
        held = self._rows[name]
        held.extend(rows)
        if len(held) >= PART:
            self._parts[name].append(as_frame(held, self._tables[name]))
            held.clear()

    def frame(self, name: str, *order: str) -> pl.DataFrame:
        """All rows of a table, sorted; rows equal in ``order`` stay as they came."""
        table = self._tables[name]
        parts = [*self._parts[name], as_frame(self._rows[name], table)]
        return tables.concat(parts, table).sort(*order, maintain_order=True)


def as_frame(rows: Sequence[Row], table: Table) -> pl.DataFrame:
    """The rows with the table's columns and dtypes."""
    return pl.DataFrame([
        _lists(name, [row[name] for row in rows]) if dtype == tables.TEXTS
        else pl.Series(name, [row[name] for row in rows], dtype=dtype)
        for name, dtype in table.schema.items()
    ])


def _lists(name: str, values: Sequence[Sequence[str]]) -> pl.Series:
    """Lists of texts as one series: their elements in one go, then cut by length."""
    lengths = pl.Series("length", [len(value) for value in values], dtype=pl.UInt32)
    flat = pl.Series(name, list(chain.from_iterable(values)), dtype=pl.String)
    rows = lengths.to_frame().with_row_index("row")
    which = rows.filter(pl.col("length") > 0).select(pl.col("row").repeat_by("length").explode())["row"]
    cut = pl.DataFrame([which, flat]).group_by("row", maintain_order=True).agg(name)
    return rows.join(cut, on="row", how="left", maintain_order="left").select(
        pl.col(name).fill_null(pl.lit([], dtype=tables.TEXTS)))[name]
