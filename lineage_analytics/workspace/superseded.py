"""One event in two tellings of one source: the richer stays, whichever was loaded first.

A second id that a source gives the same event is neither a duplicate, which tells nothing new, nor a revision, which
tells something else. Loaders say which records another supersedes (``superseded``); when the estate is opened these
leave ``activity``, the roll-ups made of it while loading, and the identities that only they spoke of.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from lineage_analytics.workspace import rollup

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def without(tables: Mapping[str, pl.LazyFrame], superseded: Sequence[pl.Series]) -> dict[str, pl.LazyFrame]:
    """The tables as loaded, without these records of ``activity``; roll-ups keep the first and last time they had."""
    found = [record_ids for record_ids in superseded if len(record_ids)]
    if not found:
        return dict(tables)
    gone = pl.col("record_id").is_in(pl.concat(found).implode())
    withdrawn = tables["activity"].filter(gone).collect()
    kept = tables["activity"].filter(~gone)
    actors = withdrawn["actor_id"].drop_nulls().unique()
    still = kept.filter(pl.col("actor_id").is_in(actors.implode())).select("actor_id").unique().collect()["actor_id"]
    unseen = actors.filter(~actors.is_in(still.implode()))
    usage = rollup.usage(withdrawn).with_columns(-pl.col("events"), -pl.col("successes"))
    coverage = pl.concat(rollup.coverage(rows, 0) for rows in withdrawn.partition_by("source"))
    return {
        **tables,
        "activity": kept,
        "usage": rollup.merged_usage(_with(tables["usage"], usage)).filter(pl.col("events") > 0),
        "coverage": _less(tables["coverage"], coverage),
        "identity_facts": tables["identity_facts"].filter(
            ~(pl.col("id").is_in(unseen.implode()) & (pl.col("basis") == "seen"))),
    }


def _with(frame: pl.LazyFrame, more: pl.DataFrame) -> pl.LazyFrame:
    return pl.concat([frame, more.lazy()])


def _less(frame: pl.LazyFrame, withdrawn: pl.DataFrame) -> pl.LazyFrame:
    """Days of a source with that many records less; a day of which none is left is none."""
    keys = ["source", "tenant", "provider", "day"]
    less = withdrawn.select(*keys, _basis=pl.lit("received"), _less="records")
    merged = rollup.merged_coverage(frame)
    return merged.join(
        less.lazy(), left_on=[*keys, "basis"], right_on=[*keys, "_basis"], how="left", nulls_equal=True,
        maintain_order="left").with_columns(
            records=pl.col("records") - pl.col("_less").fill_null(0)).filter(
                pl.col("records").is_null() | (pl.col("records") > 0)).drop("_less")
