"""Pace and assurance: how many changes, and how many of them can be defended (design section 4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from lineage_analytics.metrics.catalog import metric
from lineage_analytics.metrics.cohorts import LEGS, assured, window
from lineage_analytics.metrics.gates import FULL_COVERAGE, MIN_COVERAGE
from lineage_analytics.metrics.lineage import (
    AI_CLASSES,
    BY_UNIT,
    NEEDS,
    OF_UNITS,
    TABLES,
    by_unit,
    groups,
    loaded,
    logged_days,
)
from lineage_analytics.metrics.population import Population, population
from lineage_analytics.metrics.review import quantile
from lineage_analytics.metrics.survival import Durations

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lineage_analytics.metrics.context import Context

@metric(
    "ACC-01", title="Identity changes per day", question="How many changes does AI make or help to make?",
    numerator="executed AI-assisted decisions of the window; other scopes: the comparison group, and each class of "
              "involvement",
    denominator="days of the window; provisional or not scored where logs of changes cover too few of them. "
                + OF_UNITS,
    kind="process", refs=("MEASURE 2.4",), unit="per_day", direction="none", needs=NEEDS, tables=TABLES,
    scopes=("all", "non_ai", *AI_CLASSES, "unknown", *BY_UNIT[2:]))
def throughput(context: Context) -> Mapping[str, Population]:
    if not loaded(context):
        return {}
    days = context.facts.window_days
    # A day without logs is not a day without changes.
    share = logged_days(context)
    short = "coverage_below_min"
    lack, doubt = (short if share < MIN_COVERAGE else None), (short if share < FULL_COVERAGE else None)
    assisted, other = groups(context).values()

    def per_day(cases: pl.DataFrame) -> Population:
        return population(cases.with_columns(
            truth=pl.lit(value=True), cluster=pl.col("time").dt.date().cast(pl.String),
            reason=pl.format("executed on {}", pl.col("time").dt.date())), "rate", days=days, lack=lack,
            doubt=doubt)

    by_class = {name: per_day(assisted.filter(pl.col("involvement_class") == name)) for name in AI_CLASSES}
    unknown = assisted.filter(pl.col("involvement_class") == "unknown").drop("excluded")
    return {"all": per_day(assisted), "non_ai": per_day(other), **by_class, "unknown": per_day(unknown),
            **by_unit(assisted, per_day)}


@metric(
    "ACC-02", title="Time from signal to change", question="How fast does a signal become a change?",
    numerator="change executed less the first signal, recommendation or request on record, in days: the time after "
              "which half are executed (Kaplan-Meier); other scopes: the comparison group, and each class of "
              "involvement",
    denominator="decisions executed in the window, and those begun in it that are still open; unknown where nothing "
                "before the change is on record",
    kind="process", unit="days", direction="lower", needs="signals, recommendations or requests of these changes",
    tables=TABLES, scopes=("all", "non_ai", *AI_CLASSES))
def cycle_time(context: Context) -> Mapping[str, Population]:
    if not loaded(context):
        return {}
    known = pl.col("involvement_class")
    rows = _cycles(context)
    picks = {"all": known != "none", "non_ai": known == "none", **{name: known == name for name in AI_CLASSES}}
    found = {}
    for scope, keep in picks.items():
        kept = rows.filter(keep)
        timed = kept.filter(pl.col("state") == "in").sort("days", "object_id")
        held = Durations(timed["days"].to_list(), timed["ended"].to_list(), timed["cluster"].to_list())
        found[scope] = quantile(kept, held, 0.5)
    return found


def _cycles(context: Context) -> pl.DataFrame:
    """Decisions executed in the window or begun in it and still open, with how many days each took so far."""
    begun = pl.min_horizontal("signalled_at", "recommended_at", "requested_at")
    executed = pl.col("executed").fill_null(value=False)
    known = pl.col("involvement_class")
    rows = context.decisions.steps.filter(pl.col("case_id").is_not_null()).group_by("case_id").agg(
        source_rows=pl.col("record_ids").explode().drop_nulls().unique().sort().head(20))
    cases = context.decisions.cases.with_columns(begun=begun).filter(
        (executed & context.in_window()) | (pl.col("status").is_in(["pending", "open"]) & context.in_window("begun")))
    ends = pl.when(executed).then("time").otherwise(pl.lit(context.facts.as_of))
    days = (ends - pl.col("begun")).dt.total_microseconds() / 86_400e6
    timed = (days >= 0).fill_null(value=False)
    return cases.join(rows, on="case_id", how="left").select(
        "involvement_class", object_id="case_id", object_kind=pl.lit("decision"),
        source_rows=pl.col("source_rows").fill_null([]), days=days, ended=executed,
        cluster=pl.coalesce("workflow_id", "approver_id", "case_id"),
        state=pl.when(known == "unknown").then(pl.lit("excluded")).when(timed).then(pl.lit("in")).otherwise(
            pl.lit("unknown")),
        reason=pl.when(known == "unknown").then(pl.lit("involvement unknown")).when(~timed).then(
            pl.lit("nothing before the change is on record")).when(executed).then(
            pl.format("executed after {} days", days.round(2))).otherwise(
            pl.format("still open after {} days", days.round(2))),
        lack=pl.when(~timed).then(pl.lit("definition_not_met"))).sort("object_id")


@metric(
    "ACC-04", title="Changes that can be defended",
    question="Are evidence, approval and a way back kept for each change?",
    numerator="evidence (initiator, inputs, recommendation and action proved, recorded no later than the change and "
              "its grace), approval (by a person before execution, for what was done, by none who asked or held "
              "another part) and a way back on record; the scopes evidence, approval and rollback are the legs",
    denominator="executed decisions of the window, of 90 days where it holds fewer than 30 AI-assisted ones; unknown "
                f"where a leg is unknown and none is false. {OF_UNITS}",
    kind="process", direction="higher", refs=("A.6.2.6", "MANAGE 4.1", "CC8.1"), needs=NEEDS, tables=TABLES,
    version="2", scopes=("all", *LEGS, "non_ai", *(f"{leg}/non_ai" for leg in LEGS), *BY_UNIT[2:]))
def assured_share(context: Context) -> Mapping[str, Population]:
    if not loaded(context):
        return {}
    since, _ = window(context)
    rows = assured(context).filter(pl.col("time") > since).with_columns(excluded=pl.coalesce(
        pl.when(pl.col("group").is_null()).then(pl.lit("involvement unknown")),
        pl.when(pl.col("waits")).then(pl.lit("may still be completed"))))
    assisted = rows.filter((pl.col("group") != "other").fill_null(value=True))
    found = {}
    for tail, kept in (("", assisted), ("/non_ai", rows.filter(pl.col("group") == "other"))):
        found[tail.strip("/") or "all"] = population(kept.with_columns(truth="assured"), since=since)
        for leg in LEGS:
            found[f"{leg}{tail}"] = population(kept.with_columns(truth=leg), since=since)
    return found | by_unit(assisted, lambda kept: population(kept.with_columns(truth="assured"), since=since))
