"""The seven facets of a service account that is fully visible (VIS-14), each true, false or unknown with its reason."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from lineage_analytics import tables
from lineage_analytics.metrics.context import RECORDS_SHOWN, VISIBLE_SHARE, as_objects
from lineage_analytics.metrics.credentials import credentials
from lineage_analytics.metrics.owners import owner_validity

if TYPE_CHECKING:
    from lineage_analytics.metrics.context import Context

FACETS = ("inventoried", "owner", "purpose", "usage_visible", "credential_age", "logged", "permissions_resolved")
# Facets that other records show than those that list the account.
_OWN_ROWS = ("owner", "credential_age", "permissions_resolved")
# Texts that fill the field and say nothing.
_BOILERPLATE = (
    r"(?i)^\W*(n/?a|none|null|unknown|tbd|tbc|todo|test|temp|fixme|description|purpose|service account|-*)\W*$")


def facets(context: Context) -> pl.DataFrame:
    """One row per counted service account and facet, with the columns of ``tables.FACETS``.

    A facet is unknown where the source that would show it is not loaded, and false where it is loaded and shows that
    the facet does not hold.
    """
    wide = _wide(context)
    parts = [
        wide.select(
            pl.col("object_id").alias("identity_id"), pl.lit(facet).alias("facet"),
            pl.when(pl.col(facet)).then(pl.lit("true")).when(pl.col(facet).not_()).then(pl.lit("false"))
            .otherwise(pl.lit("unknown")).alias("state"),
            pl.col(f"{facet}_reason").alias("reason"),
            pl.coalesce(f"{facet}_rows", "source_rows").list.head(RECORDS_SHOWN).alias("record_ids"))
        for facet in FACETS
    ]
    order = pl.col("facet").replace_strict(list(FACETS), list(range(len(FACETS))), return_dtype=pl.Int64)
    return tables.conform(pl.concat(parts).sort("identity_id", order), tables.FACETS)


def _wide(context: Context) -> pl.DataFrame:
    none = pl.lit(None, dtype=pl.List(pl.String))
    frame = context.with_logs_of_use(as_objects(context.nhis.filter(pl.col("gone").is_null()))).join(
        owner_validity(context), on="object_id", how="left").join(
        context.permissions, left_on="object_id", right_on="principal_id", how="left").join(
        _credentials(context), on="object_id", how="left").with_columns(
        inventoried=pl.lit(value=True), inventoried_reason=pl.lit("listed by an inventory or a declaration"),
        owner=pl.col("owner_valid"))
    return _permissions(_logs(_purpose(_ages(context, frame)), context)).with_columns(
        none.alias(f"{facet}_rows") for facet in FACETS if facet not in _OWN_ROWS)


def _purpose(frame: pl.DataFrame) -> pl.DataFrame:
    """A purpose counts when it is not blank, not boilerplate and not the account's own name."""
    text = pl.col("purpose").str.strip_chars()
    own = text.str.to_lowercase() == pl.col("display_name").str.to_lowercase()
    empty = text.is_null() | (text == "")
    says = ~empty & ~text.str.contains(_BOILERPLATE) & ~own.fill_null(value=False)
    return frame.with_columns(
        purpose=says.fill_null(value=False),
        purpose_reason=pl.when(empty).then(pl.lit("no purpose is stated"))
        .when(says).then(pl.lit("a purpose is stated")).otherwise(pl.lit("the stated purpose says nothing")))


def _logs(frame: pl.DataFrame, context: Context) -> pl.DataFrame:
    """Visible: its log was received on nine days of ten of the look-back; logged: the same of the window."""
    percent = (pl.col("in_lookback") * 100).round(0).cast(pl.Int64), (pl.col("in_window") * 100).round(0).cast(pl.Int64)
    none = pl.lit("no log of its account or directory is loaded")
    return frame.with_columns(
        usage_visible=pl.when(pl.col("in_lookback") >= VISIBLE_SHARE).then(pl.lit(value=True))
        .when(context.spanned(context.facts.lookback_days)).then(pl.lit(value=False)),
        usage_visible_reason=pl.when(pl.col("in_lookback").is_null()).then(none)
        .otherwise(pl.format("its log was received on {} % of the days of the look-back", percent[0])),
        logged=pl.when(pl.col("in_window") >= VISIBLE_SHARE).then(pl.lit(value=True))
        .when(pl.col("in_window").is_not_null()).then(pl.lit(value=False)),
        logged_reason=pl.when(pl.col("in_window").is_null()).then(none)
        .otherwise(pl.format("its log was received on {} % of the days of the window", percent[1])))


def _credentials(context: Context) -> pl.DataFrame:
    return credentials(context).filter(pl.col("excluded").is_null()).group_by("identity_id").agg(
        keys=pl.len(), undated=pl.col("created_at").is_null().sum(),
        credential_age_rows=pl.col("source_rows").explode().unique().sort(),
    ).rename({"identity_id": "object_id"})


def _ages(context: Context, frame: pl.DataFrame) -> pl.DataFrame:
    """Every credential dated; an account without any is known when the listing that would show them is loaded."""
    listings = context.facts.frame("credentials").select("provider", "tenant", listed=pl.lit(value=True)).unique()
    keyless = (pl.col("object_kind") == "workload") & (pl.col("provider") == "aws") & pl.col("keys").is_null()
    return frame.join(listings, on=["provider", "tenant"], how="left", nulls_equal=True).with_columns(
        credential_age=pl.when(pl.col("keys").is_not_null()).then(pl.col("undated") == 0)
        .when(keyless | pl.col("listed")).then(pl.lit(value=True)),
        credential_age_reason=pl.when(pl.col("undated") > 0).then(
            pl.format("{} of {} credentials without a date", "undated", "keys"))
        .when(pl.col("keys").is_not_null()).then(pl.format("dates of {} credentials known", "keys"))
        .when(keyless).then(pl.lit("works with sessions, holds no long-lived credential"))
        .when(pl.col("listed")).then(pl.lit("no credential is listed for it"))
        .otherwise(pl.lit("no listing of credentials is loaded")))


def _permissions(frame: pl.DataFrame) -> pl.DataFrame:
    """False where an inventory lists the account and a policy of its could not be read; unknown without inventory."""
    known, unread = pl.col("granted").is_not_null(), pl.col("doubt").is_not_null()
    return frame.with_columns(
        permissions_resolved=pl.when(known).then(pl.lit(value=True))
        .when(unread & (pl.col("doubt_code").fill_null("") != "no_source")).then(pl.lit(value=False)),
        permissions_resolved_reason=pl.when(known).then(pl.format("{} permissions resolved", "granted"))
        .otherwise(pl.coalesce("doubt", pl.lit("no inventory of its permissions is loaded"))),
        permissions_resolved_rows=pl.col("grants"))
