"""Visibility: who acts and is in no inventory, and which logs we hold (design section 3.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from lineage_analytics.metrics.catalog import metric
from lineage_analytics.metrics.context import NHI_KINDS, RECORDS_SHOWN
from lineage_analytics.metrics.population import Population, population
from lineage_analytics.source_days import source_days, window_days

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lineage_analytics.metrics.context import Context

_LATE = 0.95
_NEEDS = "activity logs of the window, and an inventory of the same accounts"
_ACTORS = {
    "all": pl.lit(value=True),
    "human": pl.col("object_kind").is_in(["human", "unknown"]),
    "nhi": pl.col("object_kind").is_in([*NHI_KINDS, "unknown"]),
}


def _actors(context: Context) -> pl.DataFrame:
    """Distinct actors of the window as objects: ``listed`` is null where no inventory of their tenant is loaded."""
    return context.once("actors", lambda: _actors_of(context))


def _actors_of(context: Context) -> pl.DataFrame:
    seen = context.facts["activity"].filter(context.in_window() & pl.col("actor_id").is_not_null()).group_by(
        "actor_id").agg(
        events=pl.len(), first=pl.col("time").min(), log_tenants=_directory().drop_nulls().unique().sort(),
        source_rows=pl.col("record_id").sort_by("time", "record_id").head(RECORDS_SHOWN)).collect()
    inventoried = context.identities.filter(pl.col("inventoried").fill_null(value=False))
    tenants = sorted(set(inventoried.select(_directory()).to_series().drop_nulls()))
    known = context.identities.select(
        actor_id="id", kind="kind", inventoried="inventoried", excluded="excluded", display_name="display_name")
    covered = pl.col("log_tenants").list.eval(pl.element().is_in(tenants)).list.any().fill_null(value=False)
    listed = pl.col("inventoried").fill_null(value=False)
    return seen.join(known, on="actor_id", how="left").with_columns(
        listed=pl.when(listed).then(pl.lit(value=True)).when(covered).then(pl.lit(value=False)),
        object_kind=pl.col("kind").fill_null("unknown")).rename({"actor_id": "object_id"})


def _directory() -> pl.Expr:
    """Whose inventory would list an actor: provider and tenant; Entra's directory is that of Microsoft 365."""
    return pl.concat_str(pl.col("provider").replace("m365", "entra"), "tenant", separator=":")


def _reason() -> pl.Expr:
    return pl.when("listed").then(pl.lit("matches an inventoried identity")).when(pl.col("listed").not_()).then(
        pl.format("in no inventory; first seen in the window on {}", pl.col("first").dt.date())
    ).otherwise(pl.lit("no inventory of its account or directory is loaded"))


def _by_kind(frame: pl.DataFrame, scope: str) -> pl.DataFrame:
    """The actors of a scope; an actor of unknown kind is excluded from both kinds, never folded into one."""
    kept = frame.filter(_ACTORS[scope])
    if scope == "all":
        return kept
    return kept.with_columns(excluded=pl.coalesce(
        "excluded", pl.when(pl.col("object_kind") == "unknown").then(pl.lit("kind unknown"))))


@metric(
    "VIS-01", title="Actors in logs that an inventory lists", question="Do we know everyone who acts?",
    numerator="distinct actors that match an inventoried identity",
    denominator="distinct actors in the logs of the window; unknown where no inventory of their account is loaded",
    kind="process", direction="higher", green=0.99, red=0.80,
    refs=("CIS 5.1", "CIS 5.5", "PR.AA-01", "ID.AM-02"), needs=_NEEDS, scopes=("all", "human", "nhi"),
    tables=("activity", "identities"))
def inventory_coverage(context: Context) -> Mapping[str, Population]:
    found = _actors(context)
    if found.is_empty():
        return {}
    frame = found.with_columns(
        truth=pl.col("listed"), reason=_reason(),
        lack=pl.when(pl.col("listed").is_null()).then(pl.lit("no_source")))
    return {scope: population(_by_kind(frame, scope)) for scope in _ACTORS}


@metric(
    "VIS-02", title="Actors in no inventory", question="Who acts without being known, and how much?",
    numerator="actors in no inventory; scope events: events by them",
    denominator="distinct actors in the logs of the window; scope events: events by known or unknown actors",
    kind="process", unit="count", direction="lower", green=0.0, red=0.01, refs=("DE.CM-03", "SI-4"), needs=_NEEDS,
    scopes=("all", "human", "nhi", "events"), tables=("activity", "identities"))
def unknown_actors(context: Context) -> Mapping[str, Population]:
    found = _actors(context)
    if found.is_empty():
        return {}
    frame = found.with_columns(
        truth=pl.col("listed").not_(), reason=_reason(),
        lack=pl.when(pl.col("listed").is_null()).then(pl.lit("no_source")))
    counts = {scope: population(_by_kind(frame, scope), "count") for scope in _ACTORS}
    events = pl.col("events").cast(pl.Float64)
    stated = frame.with_columns(counted=pl.col("excluded").is_null())
    weighed = stated.with_columns(
        num=pl.when(pl.col("counted") & pl.col("truth")).then(events).otherwise(0.0),
        den=pl.when(pl.col("counted") & pl.col("truth").is_not_null()).then(events).otherwise(0.0),
        unk=pl.when(pl.col("counted") & pl.col("truth").is_null()).then(events).otherwise(0.0),
        exc=pl.when(pl.col("counted")).then(0.0).otherwise(events))
    return counts | {"events": population(weighed, "share", unit="share")}


@metric(
    "VIS-09", title="Days of logs received", question="Did every log arrive every day?",
    numerator="source-days received: at least a tenth of the source's median rows",
    denominator="expected sources times days of the window; expected are the declared sources, else the loaded ones. "
                "A day whose logs may still arrive is excluded; one without a record is unknown where nobody declared "
                "the source and it has records on fewer than half of its days",
    kind="process", direction="higher", green=0.98, red=0.75, refs=("PR.PS-04", "AU-12"), version="2",
    needs="any log, or a declared list of expected sources", tables=("coverage",))
def log_coverage(context: Context) -> Mapping[str, Population]:
    facts = context.facts
    days = source_days(facts.frame("coverage"), *window_days(facts.as_of, facts.window_days), facts.as_of)
    if days["due"].is_not_null().any():
        days = days.filter("due")
    if days.is_empty():
        return {}
    samples = facts["activity"].filter(context.in_window()).group_by(
        "source", "tenant", day=pl.col("time").dt.date()).agg(
        source_rows=pl.concat_list(pl.col("record_id").min(), pl.col("record_id").max()).list.unique().list.sort()
    ).collect()
    state = pl.col("state")
    frame = days.join(samples, on=["source", "tenant", "day"], how="left", nulls_equal=True).with_columns(
        object_id=pl.concat_str("source", pl.col("tenant").fill_null(""), pl.col("day").cast(pl.String), separator="|"),
        object_kind=pl.lit("source_day"),
        truth=pl.when(state != "untold").then(state == "received"),
        excluded=pl.when(state == "late").then(pl.lit("it may still arrive")),
        lack=pl.when(state == "untold").then(pl.lit("no_baseline")),
        reason=pl.when(state == "untold").then(pl.lit(
            "no record, of a source that has some on fewer than half of its days: quiet or missing, nobody can tell"))
        .otherwise(pl.format("{} records, usually {}", "records", pl.col("usual").fill_null(0).round(0)
                             .cast(pl.Int64))),
        source_rows=pl.col("source_rows").fill_null([]))
    return {"all": population(frame.drop("state"))}


@metric(
    "VIS-10", title="How late logs arrive", question="How long after an event could we know of it?",
    numerator="minutes within which 95 of 100 records of a source-day were received by the provider",
    denominator="source-days of the window; unknown where the provider does not say when it received a record. The "
                "measure is the 95th percentile over them",
    kind="process", unit="minutes", direction="lower", green=15.0, red=240.0, refs=("PR.PS-04",),
    needs="logs whose provider says when it received a record", scopes=("p95",), tables=("activity",))
def log_latency(context: Context) -> Mapping[str, Population]:
    late = (pl.col("observed_time") - pl.col("time")).dt.total_milliseconds() / 60_000
    days = context.facts["activity"].filter(context.in_window()).with_columns(late=late).group_by(
        "source", "tenant", day=pl.col("time").dt.date()).agg(
        value=pl.col("late").quantile(_LATE, "higher"),
        source_rows=pl.concat_list(pl.col("record_id").min(), pl.col("record_id").max()).list.unique().list.sort()
    ).collect()
    if days.is_empty():
        return {}
    known = pl.col("value").is_not_null()
    frame = days.with_columns(
        object_id=pl.concat_str("source", pl.col("tenant").fill_null(""), pl.col("day").cast(pl.String), separator="|"),
        object_kind=pl.lit("source_day"), truth=pl.when(known).then(pl.lit(value=True)),
        worst="value", best="value",
        reason=pl.when(known).then(pl.format("95 of 100 records within {} minutes", pl.col("value").round(1)))
        .otherwise(pl.lit("its provider does not say when it received a record")),
        lack=pl.when(~known).then(pl.lit("no_source")))
    return {"p95": population(frame, "p95", unit="minutes")}
