"""Usage and coverage, rolled up while loading: one partial per piece loaded, merged when read."""

from __future__ import annotations

import polars as pl

from lineage_analytics import tables

_USAGE_KEYS = ["actor_id", "action", "tenant", "provider", "source", "day"]
_PERMISSION_KEYS = ["actor_id", "permission", "tenant", "provider", "source", "day"]
_COVERAGE_KEYS = ["basis", "source", "tenant", "provider", "day", "lateness_seconds", "record_id"]


def usage(activity: pl.DataFrame) -> pl.DataFrame:
    """Events per actor, action and UTC day; dry runs are no use of anything."""
    rolled = (
        activity.lazy()
        .filter(pl.col("actor_id").is_not_null() & ~pl.col("is_dry_run").fill_null(value=False))
        .with_columns(day=pl.col("time").dt.date())
        .group_by(_USAGE_KEYS)
        .agg(events=pl.len().cast(pl.Int64), successes=(pl.col("outcome") == "success").sum().cast(pl.Int64),
             first=pl.col("time").min(), last=pl.col("time").max())
        .collect()
    )
    return tables.conform(rolled, tables.USAGE)


def permission_use(activity: pl.DataFrame) -> pl.DataFrame:
    """Stated permissions per actor and UTC day, as ``usage`` has events."""
    stated = activity.lazy().filter(
        pl.col("permissions").is_not_null() & pl.col("actor_id").is_not_null()
        & ~pl.col("is_dry_run").fill_null(value=False)
    ).with_columns(permission=pl.col("permissions").list.unique(), day=pl.col("time").dt.date()).explode("permission")
    rolled = stated.drop_nulls("permission").group_by(_PERMISSION_KEYS).agg(
        events=pl.len().cast(pl.Int64), successes=(pl.col("outcome") == "success").sum().cast(pl.Int64),
        first=pl.col("time").min(), last=pl.col("time").max()).collect()
    return tables.conform(rolled, tables.PERMISSION_USE)


def coverage(activity: pl.DataFrame, lateness_seconds: int) -> pl.DataFrame:
    """Accepted records per source, tenant and UTC day."""
    rolled = (
        activity.lazy()
        .with_columns(day=pl.col("time").dt.date())
        .group_by("source", "tenant", "provider", "day")
        .agg(records=pl.len().cast(pl.Int64), first=pl.col("time").min(), last=pl.col("time").max())
        .with_columns(basis=pl.lit("received"), lateness_seconds=pl.lit(lateness_seconds, dtype=pl.Int64))
        .collect()
    )
    return tables.conform(rolled, tables.COVERAGE)


def merged_usage(partials: pl.LazyFrame) -> pl.LazyFrame:
    return _merged(partials, _USAGE_KEYS, tables.USAGE)


def merged_permission_use(partials: pl.LazyFrame) -> pl.LazyFrame:
    return _merged(partials, _PERMISSION_KEYS, tables.PERMISSION_USE)


def _merged(partials: pl.LazyFrame, keys: list[str], table: tables.Table) -> pl.LazyFrame:
    return partials.group_by(keys).agg(
        pl.col("events").sum(), pl.col("successes").sum(), pl.col("first").min(), pl.col("last").max()
    ).select(table.schema.names())


def merged_coverage(partials: pl.LazyFrame) -> pl.LazyFrame:
    return partials.group_by(_COVERAGE_KEYS).agg(
        pl.col("records").sum(), pl.col("first").min(), pl.col("last").max()
    ).with_columns(
        records=pl.when(pl.col("basis") == "received").then(pl.col("records"))
    ).select(tables.COVERAGE.schema.names())


def expectations(coverage: pl.LazyFrame, inventories: list[str]) -> pl.LazyFrame:
    """An inventory is expected to come, not to come every day: its days are no missing ones."""
    without_days = (pl.col("basis") == "expected") & pl.col("source").is_in(inventories)
    return coverage.with_columns(basis=pl.when(without_days).then(pl.lit("expected_inventory")).otherwise("basis"))


def merged(name: str, frame: pl.DataFrame) -> pl.DataFrame:
    """A buffer about to be written: partials of the same key become one row."""
    if name == "usage":
        return merged_usage(frame.lazy()).collect()
    if name == "permission_use":
        return merged_permission_use(frame.lazy()).collect()
    if name == "coverage":
        return merged_coverage(frame.lazy()).collect()
    return frame
