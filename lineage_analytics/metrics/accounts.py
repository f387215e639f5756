"""Service accounts as owned, known and used: VIS-04, VIS-14, VIS-17 (design section 3.2)."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import polars as pl

from lineage_analytics.metrics.catalog import metric
from lineage_analytics.metrics.context import as_objects
from lineage_analytics.metrics.facets import facets
from lineage_analytics.metrics.owners import owner_validity
from lineage_analytics.metrics.population import Population, population

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lineage_analytics.metrics.context import Context

_STALE = {"45": 45, "90": 90, "365": 365}


@metric(
    "VIS-04", title="Service accounts with a valid owner", question="Does somebody answer for each service account?",
    numerator="a stated owner resolves to an active person or team, is not the account itself, and was confirmed "
              "within 365 days",
    denominator="inventoried non-human identities; unknown where the owner stands without a date of confirmation",
    kind="census", direction="higher", green=0.99, red=0.80, refs=("CIS 5.5",),
    needs="an inventory of accounts", tables=("identities",), snapshot="identities")
def valid_owner(context: Context) -> Mapping[str, Population]:
    if context.nhis.is_empty():
        return {}
    frame = as_objects(context.nhis).join(owner_validity(context), on="object_id", how="left").with_columns(
        truth=pl.col("owner_valid"), reason=pl.col("owner_reason"), source_rows=pl.col("owner_rows"))
    return {"all": population(frame)}


@metric(
    "VIS-14", title="Service accounts that are fully visible",
    question="For how many service accounts do we know everything we should?",
    numerator="all seven facets true: inventoried, valid owner, purpose, usage visible, credential age known, logged, "
              "permissions resolved",
    denominator="inventoried non-human identities; any unknown facet makes the account unknown, not false",
    kind="census", direction="higher", green=0.95, red=0.40, refs=("CIS 5.5", "ID.AM-02"),
    needs="an inventory of accounts", tables=("identities", "entitlements", "credentials", "coverage"),
    snapshot="identities")
def fully_visible(context: Context) -> Mapping[str, Population]:
    if context.nhis.is_empty():
        return {}
    states = facets(context).group_by("identity_id").agg(
        bad=pl.col("facet").filter(pl.col("state") == "false").sort(),
        dark=pl.col("facet").filter(pl.col("state") == "unknown").sort())
    frame = as_objects(context.nhis).join(states, left_on="object_id", right_on="identity_id", how="left").with_columns(
        truth=pl.when(pl.col("dark").list.len() == 0).then(pl.col("bad").list.len() == 0),
        reason=pl.when(pl.col("dark").list.len() > 0).then(pl.format("not known: {}", pl.col("dark").list.join(", ")))
        .when(pl.col("bad").list.len() > 0).then(pl.format("fails: {}", pl.col("bad").list.join(", ")))
        .otherwise(pl.lit("all seven facets hold")))
    return {"all": population(frame)}


@metric(
    "VIS-17", title="Service accounts enabled and unused", question="Which accounts could be switched off?",
    numerator="no use for 45, 90 or 365 days (the scope)",
    denominator="non-human identities not known to be disabled, older than that, whose log spans as many days. An "
                "account whose provider knows no disabled state counts as enabled",
    kind="census", direction="lower", green=0.02, red=0.15, refs=("CIS 5.3", "AC-2(3)", "NHI1:2025"),
    needs="an inventory of accounts, and activity logs over the period", scopes=tuple(_STALE),
    tables=("identities", "usage", "coverage"), snapshot="identities")
def stale_accounts(context: Context) -> Mapping[str, Population]:
    if context.nhis.is_empty():
        return {}
    frame = context.with_logs_of_use(as_objects(context.nhis)).join(
        context.last_use, left_on="object_id", right_on="id", how="left")
    return {scope: population(_unused_for(frame, context, days)) for scope, days in _STALE.items()}


def _unused_for(frame: pl.DataFrame, context: Context, days: int) -> pl.DataFrame:
    since = context.facts.as_of - timedelta(days=days)
    spanned = context.spanned(days)
    return frame.with_columns(
        excluded=pl.coalesce("excluded", pl.when(pl.col("enabled") == pl.lit(value=False)).then(pl.lit("disabled"))
                             .when(pl.col("created_at") > since).then(pl.lit(f"younger than {days} days"))),
        truth=pl.when(spanned).then(pl.col("last_use").is_null() | (pl.col("last_use") <= since)),
        reason=pl.when(pl.col("span").is_null()).then(pl.lit("no log of its account or directory is loaded"))
        .when(~spanned).then(pl.format("its log spans {} days", "span"))
        .when(pl.col("last_use").is_null()).then(pl.lit("never seen in use"))
        .otherwise(pl.format("last used on {}", pl.col("last_use").dt.date())),
        lack=pl.when(~spanned).then(pl.lit("lookback_too_short")))
