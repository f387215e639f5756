"""Service accounts in production and outside it at once: PRV-14 (design section 3.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import polars as pl

from lineage_analytics.metrics.catalog import metric
from lineage_analytics.metrics.context import RECORDS_SHOWN
from lineage_analytics.metrics.population import Population, population

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lineage_analytics.metrics.context import Context

_SHOWN = 3
_PROD, _OTHER = "prod", "non-prod"
_TOUCHES = pl.Schema([("object_id", pl.String), ("environment", pl.String), ("what", pl.String),
                      ("rows", pl.List(pl.String))])


@metric(
    "PRV-14", title="Service accounts in production and outside it",
    question="Which service accounts carry trouble from test to production?",
    numerator="use or grant in production and in another environment",
    denominator="non-human identities of which some environment is known: their own tag or declaration; that of an "
                "identity they may become or control, over proved edges; that of what they used successfully in the "
                "look-back. What has no known environment adds nothing; one of which none is known is unknown",
    kind="census", direction="lower", green=0.01, red=0.10, refs=("NHI8:2025",),
    needs="tags or a declaration of environments, with inventories and logs", snapshot="identities",
    tables=("identities", "entitlements", "activity"))
def cross_environment(context: Context) -> Mapping[str, Population]:
    known = _environments(context)
    if known.is_empty() or context.nhis.is_empty():
        return {}
    touched = pl.concat([_own(known), _granted(context, known), _used(context, known)])
    both = touched.group_by("object_id").agg(
        prod=(pl.col("environment") == _PROD).any(), other=(pl.col("environment") == _OTHER).any(),
        where=pl.concat_str("environment", pl.lit(" ("), "what", pl.lit(")")).unique().sort(),
        rows=pl.col("rows").explode().drop_nulls().unique().sort().head(RECORDS_SHOWN))
    frame = context.nhis.select(object_id="id", object_kind="kind", excluded="gone", source_rows="record_ids").join(
        both, on="object_id", how="left")
    some = pl.col("prod").is_not_null()
    return {"all": population(frame.with_columns(
        truth=pl.when(some).then(pl.col("prod") & pl.col("other")),
        reason=pl.when(some).then(pl.concat_str(
            pl.col("where").list.head(_SHOWN).list.join("; "),
            pl.when(pl.col("where").list.len() > _SHOWN).then(
                pl.format("; and {} more", pl.col("where").list.len() - _SHOWN)).otherwise(pl.lit(""))))
        .otherwise(pl.lit("no environment is known of it, nor of what it may become or used")),
        lack=pl.when(~some).then(pl.lit("definition_not_met")),
        source_rows=pl.when(pl.col("rows").list.len() > 0).then("rows").otherwise("source_rows")))}


def _environments(context: Context) -> pl.DataFrame:
    """``id environment label rows`` of everything whose environment is stated."""
    people = context.identities.filter(pl.col("environment").is_in([_PROD, _OTHER])).select(
        "id", "environment", label=pl.coalesce("display_name", "id"), rows="record_ids")
    stated = context.facts.frame("resources").filter(
        pl.col("attributes").str.contains("environment").fill_null(value=False)
    ).select("id", "attributes", "display_name", "record_id")
    things = []
    for name, attributes, label, record in stated.sort("id", "record_id").iter_rows():
        environment = _stated(attributes)
        if environment is not None and name is not None:
            things.append((name, environment, label or name, [record] if record else []))
    return pl.concat([people, pl.DataFrame(things, schema=people.schema, orient="row")]).unique(
        ["id", "environment"], keep="first", maintain_order=True).sort("id", "environment")


def _stated(attributes: str) -> str | None:
    try:
        said = msgspec.json.decode(attributes)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    found = said.get("environment") if isinstance(said, dict) else None
    return found if found in (_PROD, _OTHER) else None


def _own(known: pl.DataFrame) -> pl.DataFrame:
    return known.select(pl.col("id").alias("object_id"), "environment", pl.lit("itself").alias("what"), "rows")


def _granted(context: Context, known: pl.DataFrame) -> pl.DataFrame:
    """What one may become or control directly, or through a wildcard that covers it."""
    edges = context.access.edges.filter(
        pl.col("followed").fill_null(value=False) & (pl.col("state") == "proved")).select("src", "dst", "record_ids")
    scopes = context.access.nodes.filter(pl.col("kind") == "scope")["node_id"].implode()
    through = edges.filter(pl.col("dst").is_in(scopes)).join(
        edges.select(pl.col("src").alias("dst"), pl.col("dst").alias("onward")), on="dst").select(
        "src", pl.col("onward").alias("dst"), "record_ids")
    return pl.concat([edges.filter(~pl.col("dst").is_in(scopes)), through]).join(
        known, left_on="dst", right_on="id").filter(pl.col("src") != pl.col("dst")).select(
        pl.col("src").alias("object_id"), "environment", pl.concat_str(pl.lit("may become or control "), "label")
        .alias("what"), pl.concat_list(pl.col("record_ids").fill_null([]), pl.col("rows").fill_null([])).alias("rows"))


def _used(context: Context, known: pl.DataFrame) -> pl.DataFrame:
    """What one used successfully in the look-back."""
    aliases = context.facts.frame("aliases").group_by("alias").agg(to=pl.col("id").min())
    facts = context.facts
    acts = facts["activity"].filter(
        (pl.col("outcome") == "success") & (pl.col("time") > facts.lookback_start) & (pl.col("time") <= facts.as_of)
        & pl.col("actor_id").is_not_null() & pl.col("resource_id").is_not_null()
    ).group_by("actor_id", "resource_id").agg(record=pl.col("record_id").min()).collect()
    return acts.join(aliases, left_on="resource_id", right_on="alias", how="left").with_columns(
        on=pl.coalesce("to", "resource_id")).filter(pl.col("on") != pl.col("actor_id")).join(
        known, left_on="on", right_on="id").select(
        pl.col("actor_id").alias("object_id"), "environment", pl.concat_str(pl.lit("used "), "label").alias("what"),
        pl.concat_list("record").alias("rows"))
