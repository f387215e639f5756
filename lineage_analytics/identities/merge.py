"""One row per principal out of all that sources state about it."""

from __future__ import annotations

import polars as pl

from lineage_analytics import tables

RECORDS_SHOWN = 20
_BASIS_RANK = {"inventory": 0, "declared": 1, "seen": 2}
_HUMAN_ROLE = "human_role"


def merged(facts: pl.DataFrame, aliases: pl.DataFrame) -> pl.DataFrame:
    """The IDENTITIES rows of identity facts whose ids mean what ``aliases`` says."""
    if not facts.height:
        return tables.IDENTITIES.empty()
    stated = facts.with_columns(
        pl.col("id").replace(aliases["alias"], aliases["id"]).alias("id") if aliases.height else pl.col("id"),
        pl.col("id").alias("as_stated"),
        rank=pl.col("basis").replace_strict(_BASIS_RANK, return_dtype=pl.Int8),
    ).sort("id", "rank", "record_id", "kind", "as_stated", "display_name", nulls_last=True)
    rows = stated.group_by("id", maintain_order=True).agg(
        *(_first(name) for name in ("subkind", "display_name", "purpose", "person_id", "enabled", "created_at",
                                    "deleted_at", "environment", "parent_id", "tenant")),
        _union("alt_ids"), _union("owner"),
        pl.col("owner_confirmed_at").max(), pl.col("last_seen_at").max(), pl.col("snapshot_at").max(),
        inventoried=(pl.col("basis") != "seen").any(),
        grants_listed=pl.col("grants_listed").max(),
        excluded=pl.col("excluded_reason").drop_nulls(),
        sources=pl.col("source").unique().sort(),
        record_ids=pl.col("record_id").drop_nulls().unique().sort().head(RECORDS_SHOWN),
    ).join(_kinds(stated), on="id", how="left").with_columns(
        provider=pl.col("id").str.split(":").list.first(),
        tenant=pl.coalesce(pl.col("id").str.splitn(":", 3).struct.field("field_1").replace("", None), "tenant"),
        excluded_reason=pl.when(pl.col("excluded").list.contains("provider_managed")).then(pl.lit("provider_managed"))
        .when(pl.col("excluded").list.contains(_HUMAN_ROLE) & pl.col("kind").is_in(["role", "human", "unknown"]))
        .then(pl.lit(_HUMAN_ROLE)),
    )
    return tables.conform(rows.select(n for n in tables.IDENTITIES.schema if n in rows.columns), tables.IDENTITIES
                          ).sort("id")


def _first(name: str) -> pl.Expr:
    """What the best source states: an inventory before a declaration before a log."""
    return pl.col(name).drop_nulls().first().alias(name)


def _union(name: str) -> pl.Expr:
    """All entries of a list of structs, once each, sorted; null when no source states any."""
    entries = pl.col(name).drop_nulls().explode().drop_nulls().unique().sort()
    return pl.when(pl.col(name).is_not_null().any()).then(entries.implode()).alias(name)


def _kinds(stated: pl.DataFrame) -> pl.DataFrame:
    """The kind of each principal and its evidence.

    An account declared to be what an assistant acts with is an ``ai_agent`` unless something shows a person behind it.
    Then the provider's inventory, a declaration and logs decide in this order; ``unknown`` decides nothing. A role that
    only people were known to assume is a workload once a log shows software using it.
    """
    known = stated.filter(pl.col("kind") != "unknown").with_columns(
        agent=(pl.col("kind") == "ai_agent"),
        person=(pl.col("kind") == "human") & (pl.col("basis") != "seen"),
    )
    decided = known.with_columns(
        person=pl.col("person").any().over("id"),
        only_role=(pl.col("kind") == "role"),
    ).with_columns(
        order=pl.when(pl.col("agent") & ~pl.col("person")).then(-1)
        .when(pl.col("only_role") | pl.col("agent")).then(pl.col("rank") + 10).otherwise(pl.col("rank").cast(pl.Int32)),
    ).sort("id", "order", "record_id", "kind").group_by("id", maintain_order=True).agg(
        pl.col("kind").first(), pl.col("kind_basis").first())
    bases = stated.group_by("id", maintain_order=True).agg(fallback=pl.col("kind_basis").drop_nulls().first())
    return bases.join(decided, on="id", how="left").select(
        "id", pl.col("kind").fill_null("unknown"), pl.coalesce("kind_basis", "fallback").alias("kind_basis"))
