"""Every source on one page: what was received, what lies between, how late, what was expected, what has changed."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import polars as pl

from lineage_analytics.source_days import source_days
from lineage_analytics.workspace import integrity

if TYPE_CHECKING:
    from lineage_analytics.facts import Facts

_COLUMNS: dict[str, Any] = {
    "source": pl.String, "tenant": pl.String, "state": pl.String, "first": pl.Datetime("us", "UTC"),
    "last": pl.Datetime("us", "UTC"), "records": pl.Int64, "days": pl.Int64,
    "missing_days": pl.List(pl.Date), "quiet_days": pl.Int64,
    "lateness_declared_s": pl.Int64, "lateness_p95_s": pl.Float64, "files": pl.Int64, "quarantined": pl.Int64,
    "rejected": pl.Int64, "drift": pl.Int64, "log_files": pl.List(pl.Struct({"verdict": pl.String, "count": pl.Int64})),
}
_LISTED = timedelta(days=3 * 365)
SCHEMA = pl.Schema(_COLUMNS)
"""Columns of ``sources``.

``state`` is ``received``, ``missing`` (expected, never received) or ``undated`` (an inventory). ``missing_days`` are
UTC days without a record between the first, or the day since which the source is expected, and ``as_of``, of the last
three years and without those whose records may still arrive; null: none was ever received. ``quiet_days`` says how
many of them may as well be days on which nothing happened (``source_days``, state ``untold``).
``lateness_p95_s`` is null where the provider does not say when it received a record. ``files``, ``quarantined``,
``rejected`` and ``drift`` (kinds of difference, see table DRIFT) are of the source over all tenants. ``log_files``
counts what signed digests say, by verdict; null where no digest is loaded.
"""


def sources(facts: Facts) -> pl.DataFrame:
    """One row per source and tenant up to ``as_of``, sorted; columns as SCHEMA."""
    dated = _dated(facts)
    booked = facts["ledger"].group_by("source").agg(
        pl.col("file_sha256").n_unique().cast(pl.Int64).alias("files"), pl.col("quarantined").sum(),
        pl.col("rejected").sum(), accepted=pl.col("accepted").sum()).collect()
    undated = booked.filter(pl.col("accepted") > 0).join(dated, on="source", how="anti").select(
        "source", tenant=pl.lit(None, dtype=pl.String), state=pl.lit("undated"), records="accepted")
    awaited = facts.frame("coverage").filter(pl.col("basis") == "expected_inventory").select(
        "source", "tenant", state=pl.lit("missing")).unique().join(undated, on="source", how="anti")
    rows = pl.concat([dated, undated, awaited], how="diagonal").join(
        booked.drop("accepted"), on="source", how="left").join(
        _lateness(facts), on=["source", "tenant"], how="left", nulls_equal=True).join(
        _drift(facts), on="source", how="left").join(
        _digests(facts), on=["source", "tenant"], how="left", nulls_equal=True)
    return rows.with_columns(pl.col("drift").fill_null(0)).select(
        pl.col(name).cast(dtype) for name, dtype in SCHEMA.items()).sort("source", "tenant", nulls_last=True)


def _dated(facts: Facts) -> pl.DataFrame:
    """The sources that were received or are expected, with the days of each."""
    coverage, until = facts.frame("coverage"), facts.as_of.date()
    received = coverage.filter((pl.col("basis") == "received") & (pl.col("first") <= facts.as_of)).group_by(
        "source", "tenant").agg(
        pl.col("first").min(), pl.col("last").max(), pl.col("records").sum(),
        days=pl.col("day").n_unique().cast(pl.Int64), lateness_declared_s=pl.col("lateness_seconds").max())
    opened = min([until, *coverage["day"].drop_nulls(), *coverage["first"].drop_nulls().dt.date()])
    day, state = pl.col("day"), pl.col("state")
    begun = day >= day.filter((pl.col("records") > 0) | pl.col("due")).min()
    told = source_days(coverage, max(opened, until - _LISTED), until, facts.as_of).group_by("source", "tenant").agg(
        missing=day.filter(state.is_in(["missing", "untold"]) & begun).sort(),
        quiet=((state == "untold") & begun).sum().cast(pl.Int64))
    there = pl.col("days").is_not_null()
    return told.join(received, on=["source", "tenant"], how="left", nulls_equal=True).with_columns(
        state=pl.when(there).then(pl.lit("received")).otherwise(pl.lit("missing")),
        missing_days=pl.when(there).then("missing"), quiet_days=pl.when(there).then("quiet"))


def _lateness(facts: Facts) -> pl.DataFrame:
    """The lateness that 95 of 100 records kept, in seconds; of records whose provider says when it received them."""
    late = (pl.col("observed_time") - pl.col("time")).dt.total_milliseconds() / 1000
    return facts["activity"].filter(pl.col("observed_time").is_not_null() & (pl.col("time") <= facts.as_of)).group_by(
        "source", "tenant").agg(lateness_p95_s=late.quantile(0.95, "higher")).collect()


def _drift(facts: Facts) -> pl.DataFrame:
    return facts["drift"].group_by("source").agg(
        drift=pl.struct("kind", "name", "found").n_unique().cast(pl.Int64)).collect()


def _digests(facts: Facts) -> pl.DataFrame:
    counted = integrity.checks(facts).filter(pl.col("kind") == "log_file").group_by("tenant", "verdict").agg(
        count=pl.len().cast(pl.Int64)).sort("tenant", "verdict")
    return counted.group_by("tenant", maintain_order=True).agg(
        log_files=pl.struct("verdict", "count")).with_columns(source=pl.lit("aws_cloudtrail"))


def drift(facts: Facts) -> pl.DataFrame:
    """What records hold that their loader does not know: ``source kind name found records files first``.

    ``first`` is the file and position of the first such record, in order of file names.
    """
    at = pl.format("{}{} record {}", "file", pl.when(pl.col("member").is_null()).then(pl.lit(""))
                   .otherwise(pl.format("!{}", "member")), "position")
    return facts["drift"].sort("file", "member", "position").group_by("source", "kind", "name", "found").agg(
        pl.col("records").sum(), files=pl.col("file_sha256").n_unique().cast(pl.Int64), first=at.first()).sort(
        "source", "kind", "name", "found").collect()
