"""Is the evidence of a decision still there, and was it there in time (design section 3.4, LIN-14 and LIN-15)."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import polars as pl

from lineage_analytics.metrics import intervals
from lineage_analytics.metrics.catalog import metric
from lineage_analytics.metrics.lineage import BOTH, NEEDS, TABLES, by_group, loaded
from lineage_analytics.metrics.population import Figure, Population, population
from lineage_analytics.metrics.review import small
from lineage_analytics.metrics.survival import Kept

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lineage_analytics.metrics.context import Context

AGES = (30, 90, 180, 365)
GRACE = timedelta(minutes=15)
_GONE = {"expired": "beyond its provider's retention", "redacted": "removed by policy", "truncated": "cut off",
         "unparseable": "broken"}
_HELD_IN = ("decision_steps", "assistant_access", "delegations")
ITEMS = ("signal", "recommendation", "draft", "request", "decision", "data_access")


@metric(
    "LIN-14", title="Evidence that is still there after days",
    question="If an auditor asks about an old change, can we still show it?",
    numerator="every record that its elements cite could be read from the workspace just now, and none is said to be "
              "expired, removed, cut off or broken; by age, 30 to 365 days",
    denominator="executed AI-assisted decisions of that age: those that the best-fitting curve which never rises "
                "with age pools there, since nobody knows when a record was lost; unknown where a required element was "
                "never collected",
    kind="census", direction="higher", green=0.99, refs=("RS.AN-07", "AU-11", "A.6.2.8", "Art. 26(6)"), needs=NEEDS,
    scopes=tuple(str(age) for age in AGES), tables=TABLES)
def retention(context: Context) -> Mapping[str, Population]:
    if not loaded(context):
        return {}
    rows = _retained(context).filter(pl.col("state") != "excluded")
    known = rows.filter(pl.col("state") != "unknown")
    ages, good, unknown = rows["age"].to_list(), rows["state"] == "in", rows["state"] == "unknown"
    curves = (Kept(known["age"].to_list(), (known["state"] == "in").to_list()), Kept(ages, good.to_list()),
              Kept(ages, (good | unknown).to_list()))
    return {str(age): _kept(rows.filter(pl.col("age") >= age), age, *curves) for age in AGES}


def _kept(old: pl.DataFrame, age: int, curve: Kept, worst: Kept, best: Kept) -> Population:
    """What is kept at an age; ``old`` are the decisions of that age or more."""
    found, *ends = (one.at(age) for one in (curve, worst, best))
    if found is None:
        return population(old, "figure", lack="coverage_below_min" if old.height else "lookback_too_short")
    low, high = intervals.wilson(*found)
    at_worst, at_best = (end[0] / end[1] if end else None for end in ends)
    return population(old, "figure", **small(found[1]), figure=Figure(
        found[0] / found[1], low, high, "wilson", at_worst, at_best, float(found[0]), float(found[1])))


def _retained(context: Context) -> pl.DataFrame:
    """Every executed AI-assisted decision with its ``age`` in days and whether its evidence can be read."""
    known = pl.col("involvement_class")
    cases = context.decisions.cases.filter(
        pl.col("executed").fill_null(value=False) & (pl.col("time") <= context.facts.as_of) & (known != "none"))
    cited = context.decisions.elements.select("case_id", "state", record="record_ids").explode("record")
    present = pl.concat([context.facts[name].select(record="record_id") for name in _HELD_IN]).unique().collect()
    lost = cited.drop_nulls("record").join(present, on="record", how="anti").group_by("case_id").agg(lost=pl.len())
    gone = context.decisions.gaps.filter(pl.col("reason").is_in(list(_GONE))).group_by("case_id").agg(
        gone=pl.col("reason").replace(_GONE).unique().sort().str.join(", "))
    dark = context.decisions.elements.filter(pl.col("state").is_in(["unknown", "inferred", "pending"])).group_by(
        "case_id").agg(dark=pl.col("element").sort().str.join(", "))
    rows = context.decisions.elements.group_by("case_id").agg(
        source_rows=pl.col("record_ids").explode().drop_nulls().unique().sort().head(20))
    frame = cases
    for found in (lost, gone, dark, rows):
        frame = frame.join(found, on="case_id", how="left")
    bad, unclear = pl.col("lost").is_not_null() | pl.col("gone").is_not_null(), pl.col("dark").is_not_null()
    return frame.select(
        object_id="case_id", object_kind=pl.lit("decision"), source_rows=pl.col("source_rows").fill_null([]),
        age=(pl.lit(context.facts.as_of) - pl.col("time")).dt.total_seconds() / 86_400,
        state=pl.when(known == "unknown").then(pl.lit("excluded")).when(bad).then(pl.lit("out")).when(unclear).then(
            pl.lit("unknown")).otherwise(pl.lit("in")),
        reason=pl.when(known == "unknown").then(pl.lit("involvement unknown")).when(pl.col("lost").is_not_null()).then(
            pl.format("{} of its records are not in the workspace", "lost")).when(pl.col("gone").is_not_null()).then(
            pl.format("a record is {}", "gone")).when(unclear).then(pl.format("never collected: {}", "dark")).otherwise(
            pl.lit("every record it cites was read")),
        lack=pl.when(~bad & unclear).then(pl.lit("no_source"))).sort("object_id")


@metric(
    "LIN-15", title="Evidence made after the fact", question="Was the reason written before the change or after it?",
    numerator="recorded after the change and its grace (15 minutes, or as late as its source may deliver). Late is not "
              "absent: what is missing altogether is not in here",
    denominator="signals, recommendations, requests, approvals and data read, of executed decisions",
    kind="process", direction="lower", green=0.02, red=0.20, needs=NEEDS, scopes=BOTH,
    tables=TABLES)
def retro_evidence(context: Context) -> Mapping[str, Population]:
    if not loaded(context):
        return {}
    items = context.decisions.steps.filter(pl.col("kind").is_in(ITEMS) & pl.col("case_id").is_not_null()).select(
        "case_id", "step_id", "kind", "source", "record_ids", made="time").join(
        graces(context), on="source", how="left")
    late = pl.col("made") - pl.col("time") > pl.coalesce("grace", pl.lit(GRACE))
    minutes = (pl.col("made") - pl.col("time")).dt.total_minutes()
    return by_group(context, lambda cases: population(
        items.join(cases.select("case_id", "time", "excluded"), on="case_id", how="inner").with_columns(
            object_id=pl.col("step_id"), object_kind=pl.col("kind"), truth=late,
            source_rows=pl.col("record_ids").list.head(20),
            reason=pl.when(late).then(pl.format("made {} minutes after the change", minutes)).otherwise(
                pl.lit("there when it was executed")))))


def graces(context: Context) -> pl.DataFrame:
    """Per source how long after a change its evidence may still be recorded."""
    late = pl.duration(seconds=pl.col("late").fill_null(0))
    return context.received.group_by("source").agg(late=pl.col("lateness_seconds").max()).select(
        "source", grace=pl.max_horizontal(late, pl.lit(GRACE))).sort("source")
