"""Where a provider counts its records: the numbers between those that were read and are in no file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

if TYPE_CHECKING:
    from lineage_analytics.facts import Facts

_COLUMNS: dict[str, Any] = {
    "source": pl.String, "stream": pl.String, "first_number": pl.Int64, "last_number": pl.Int64, "missing": pl.Int64,
    "gaps": pl.List(pl.Struct({"first": pl.Int64, "last": pl.Int64})),
}
SCHEMA = pl.Schema(_COLUMNS)
"""Columns of ``sequence_gaps``.

``stream`` is what counts: a computer and its log. ``missing`` is how many numbers between the first and the last are in
no file, ``gaps`` are they, in order; both are null where the files hold chosen records, fewer than half of all or one
here and one there, which say nothing of the others. A gap does not say why: a log that was cleared, a filtered export
and a lost file look alike.
"""


def sequence_gaps(facts: Facts) -> pl.DataFrame:
    """One row per source and stream, sorted; columns as SCHEMA."""
    runs = facts["sequences"].unique(["source", "stream", "first_number", "last_number", "records"]).sort(
        "source", "stream", "first_number", "last_number").with_columns(
        before=pl.col("last_number").cum_max().shift().over("source", "stream"))
    hole = pl.col("first_number") > pl.col("before") + 1
    gap = pl.struct(first=pl.col("before") + 1, last=pl.col("first_number") - 1)
    found = runs.group_by("source", "stream").agg(
        pl.col("first_number").min(), pl.col("last_number").max(),
        missing=(pl.col("first_number") - pl.col("before") - 1).filter(hole).sum(), gaps=gap.filter(hole),
        chosen=(pl.col("records") <= pl.col("last_number") - pl.col("first_number")).any())
    span = pl.col("last_number") - pl.col("first_number") + 1
    told = pl.col("chosen").not_() & (2 * pl.col("missing") <= span)
    return found.with_columns(missing=pl.when(told).then("missing"), gaps=pl.when(told).then("gaps")).select(
        pl.col(name).cast(dtype) for name, dtype in SCHEMA.items()).sort("source", "stream").collect()
