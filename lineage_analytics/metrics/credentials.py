"""Credentials and their age: VIS-07, VIS-08 (design section 3.2)."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import polars as pl

from lineage_analytics.metrics.catalog import metric
from lineage_analytics.metrics.context import RECORDS_SHOWN
from lineage_analytics.metrics.population import Population, population

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lineage_analytics.metrics.context import Context

POLICY_DAYS = 90
_AGELESS = ("passkey", "federated", "session")


@metric(
    "VIS-07", title="Credentials whose age is known", question="Do we know how old our keys are?",
    numerator="a date of creation or last rotation is on record",
    denominator="keys, secrets, certificates and passwords listed; sessions, passkeys and federation have no such age",
    kind="census", direction="higher", green=0.99, red=0.80, refs=("IA-5",), needs="a listing of credentials",
    tables=("credentials",), snapshot="credentials")
def credential_age_known(context: Context) -> Mapping[str, Population]:
    found = credentials(context)
    if found.is_empty():
        return {}
    known = pl.col("created_at").is_not_null()
    return {"all": population(found.with_columns(
        truth=known, reason=pl.when(known).then(pl.format("dated {}", pl.col("created_at").dt.date()))
        .otherwise(pl.lit("no date of creation or rotation"))))}


@metric(
    "VIS-08", title="Credentials older than policy", question="How many keys should have been rotated?",
    numerator=f"created or last rotated more than {POLICY_DAYS} days ago; a certificate past its end",
    denominator="credentials whose age is known",
    kind="census", direction="lower", green=0.02, red=0.20, refs=("NHI7:2025", "IA-5"),
    needs="a listing of credentials", tables=("credentials",), snapshot="credentials")
def credential_over_policy(context: Context) -> Mapping[str, Population]:
    found = credentials(context)
    if found.is_empty():
        return {}
    as_of = context.facts.as_of
    cert = pl.col("object_kind") == "cert"
    old = pl.col("created_at") < as_of - timedelta(days=POLICY_DAYS)
    age = (pl.lit(as_of) - pl.col("created_at")).dt.total_days()
    return {"all": population(found.with_columns(
        truth=pl.when(cert).then(pl.col("expires_at") < as_of).otherwise(old),
        reason=pl.when(cert).then(pl.coalesce(pl.format("ends on {}", pl.col("expires_at").dt.date()),
                                              pl.lit("its end is not on record")))
        .otherwise(pl.coalesce(pl.format("{} days old", age), pl.lit("its age is not on record")))))}


def credentials(context: Context) -> pl.DataFrame:
    """Every credential once, as its newest listing has it, as objects of a population."""
    facts = context.facts
    outside = context.identities.select("id", "excluded_reason")
    newest = {name: pl.col(name).drop_nulls().last() for name in ("created_at", "expires_at", "status")}
    return facts.frame("credentials").sort("snapshot_at", "record_id", nulls_last=False).group_by(
        "identity_id", "credential_id", "kind").agg(
        **newest, source_rows=pl.col("record_id").drop_nulls().unique().sort().head(RECORDS_SHOWN)).join(
        outside, left_on="identity_id", right_on="id", how="left").with_columns(by_place=_by_place()).with_columns(
        object_id=pl.col("credential_id"), object_kind=pl.col("kind"),
        excluded=pl.when(pl.col("kind").is_in(_AGELESS)).then(
            pl.lit("a kind of credential without an age"))
        .when(pl.col("status").is_in(["revoked", "expired"])).then(pl.lit("no longer valid"))
        .when((pl.col("kind") == "token") & (pl.col("expires_at") <= facts.as_of)).then(pl.lit("expired"))
        .when(pl.col("created_at") > facts.as_of).then(pl.lit("created later"))
        .when(pl.col("excluded_reason") == "provider_managed").then(pl.lit("managed by the provider"))
        .when(_named_again()).then(pl.lit("one of those that a report lists by their place"))).sort(
        "object_id", "identity_id")


def _by_place() -> pl.Expr:
    """Whether a report names it by its holder and place: it does not tell the id."""
    return pl.col("credential_id").str.starts_with(pl.concat_str("identity_id", pl.lit("/")))


def _named_again() -> pl.Expr:
    """A finding that gives the id of a key, and no more, is about one of the keys that its holder's report lists."""
    bare = pl.all_horizontal(pl.col(name).is_null() for name in ("created_at", "expires_at", "status"))
    return bare & ~pl.col("by_place") & pl.col("by_place").any().over("identity_id", "kind")
