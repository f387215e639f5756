"""Can it be undone, was that ever tried, and how long did it take (design section 3.4, LIN-16 to LIN-19)."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import polars as pl

from lineage_analytics.metrics.catalog import metric
from lineage_analytics.metrics.context import RECORDS_SHOWN
from lineage_analytics.metrics.lineage import BY_UNIT, NEEDS, OF_UNITS, TABLES, by_group, loaded
from lineage_analytics.metrics.population import Population, population
from lineage_analytics.metrics.review import quantile
from lineage_analytics.metrics.survival import Durations

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lineage_analytics.metrics.context import Context

PROOF_DAYS = 180


@metric(
    "LIN-16", title="Changes with a way back on record", question="Could we undo it tomorrow morning?",
    numerator="what stood before is on record, and what takes it back is known; or it ends by itself, was already "
              "taken back, or cannot be undone and another person approved it",
    denominator=f"executed decisions; unknown where the operation or what stood before it is not known. {OF_UNITS}",
    kind="process", direction="higher", green=0.95, red=0.50,
    refs=("CM-3", "RC.RP-02", "MANAGE 2.4", "CC8.1", "ASI08", "Art. 14(4)(e)"), needs=NEEDS,
    scopes=BY_UNIT, tables=TABLES)
def rollback_ready(context: Context) -> Mapping[str, Population]:
    if not loaded(context):
        return {}
    ways = context.decisions.elements.filter(pl.col("element") == "rollback").select("case_id", "state", why="reason")
    return by_group(context, lambda cases: population(cases.join(ways, on="case_id", how="left").with_columns(
        truth=present(pl.col("state")), reason=pl.col("why").fill_null("no statement")).drop("state")), units=True)


def present(state: pl.Expr) -> pl.Expr:
    """The state of an element as a truth: proved or not required, missing, or not known."""
    return pl.when(state.is_in(["proved", "not_required"])).then(pl.lit(value=True)).when(state == "missing").then(
        pl.lit(value=False))


@metric(
    "LIN-17", title="Kinds of change whose rollback was ever done", question="Has anybody ever tried the way back?",
    numerator="a rollback of that kind succeeded in the same tenant in the 180 days to the end of the window",
    denominator="kinds of change executed in those 180 days, in each tenant; unknown where the operations of a kind "
                "have no known way back, or the logs do not reach back so far and show none",
    kind="process", direction="higher", green=0.90, red=0.30, refs=("RC.RP-02", "GOVERN 4.3", "MANAGE 2.4"),
    needs="180 days of change logs with rollbacks", tables=TABLES)
def rollback_proven(context: Context) -> Mapping[str, Population]:
    if not loaded(context):
        return {}
    since = context.facts.as_of - timedelta(days=PROOF_DAYS)
    cases = context.decisions.cases.filter(
        pl.col("executed").fill_null(value=False) & (pl.col("time") > since) & (pl.col("time") <= context.facts.as_of)
        & (pl.col("change_class") != "unknown"))
    done = pl.col("rolled_back_at").is_not_null() & (pl.col("rolled_back_at") <= context.facts.as_of)
    tested = pl.col("rollback_tested").fill_null(value=False) | done
    kinds = cases.sort("time", "case_id").group_by("provider", "tenant", "change_class", maintain_order=True).agg(
        n=pl.len(), proven=tested.sum(), known=(pl.col("rollback_tested").is_not_null() | done).sum(),
        shown=pl.col("case_id").filter(tested).first(), first=pl.col("case_id").first())
    steps = context.decisions.steps.filter(pl.col("kind").is_in(["action", "rollback"])).group_by("case_id").agg(
        source_rows=pl.col("record_ids").explode().drop_nulls().unique().sort().head(RECORDS_SHOWN))
    received = context.received.filter(pl.col("source").is_in(context.sources(("decision_steps", "steps"))))
    reach = received["day"].min()
    short = reach is None or reach > since.date()  # type: ignore[operator]
    return {"all": population(kinds.with_columns(case_id=pl.coalesce("shown", "first")).join(
        steps, on="case_id", how="left").with_columns(
        object_id=pl.format("{}:{}:{}", "provider", pl.col("tenant").fill_null(""), "change_class"),
        object_kind=pl.lit("kind_of_change"), source_rows=pl.col("source_rows").fill_null([]),
        truth=pl.when(pl.col("proven") > 0).then(pl.lit(value=True)).when(
            (pl.col("known") > 0) & pl.lit(not short)).then(pl.lit(value=False)),
        reason=pl.when(pl.col("proven") > 0).then(pl.format("done or tried for {} of {} changes", "proven", "n"))
        .when(pl.col("known") == 0).then(pl.format("no known way back of any of {} changes", "n"))
        .when(pl.lit(short)).then(pl.lit("none in the logs, which reach back less than 180 days"))
        .otherwise(pl.format("none for {} changes", "n")),
        lack=pl.when(pl.col("proven") == 0).then(
            pl.when(pl.col("known") == 0).then(pl.lit("definition_not_met")).otherwise(pl.lit("lookback_too_short")))),
        since=since)}


@metric(
    "LIN-18", title="Time to undo a change", question="Once we know, how fast is it undone?",
    numerator="rollback carried out less rollback asked for, in minutes: half, and nine tenths",
    denominator="rollbacks carried out in the window; unknown where nobody is on record as asking for one, whose time "
                "from the change itself says nothing of how fast it was undone",
    kind="process", unit="minutes", direction="lower", green=60.0, red=1440.0,
    refs=("RC.RP-05", "MANAGE 2.4", "ASI08", "Art. 14(4)(e)"),
    needs="rollbacks with the requests for them", scopes=("p50", "p90"), tables=TABLES)
def rollback_time(context: Context) -> Mapping[str, Population]:
    if not loaded(context):
        return {}
    cases = context.decisions.cases
    asked = cases.select(rolled_back_by="case_id", asked="requested_at")
    undone = cases.filter(pl.col("rolled_back_by").is_not_null() & context.in_window("rolled_back_at")).join(
        asked, on="rolled_back_by", how="left").with_columns(
        minutes=(pl.col("rolled_back_at") - pl.col("asked")).dt.total_microseconds() / 60e6)
    steps = context.decisions.steps.filter(pl.col("kind") == "rollback").group_by("case_id").agg(
        source_rows=pl.col("record_ids").explode().drop_nulls().unique().sort().head(RECORDS_SHOWN))
    timed = (pl.col("minutes") >= 0).fill_null(value=False)
    rows = undone.join(steps, left_on="rolled_back_by", right_on="case_id", how="left").select(
        object_id="case_id", object_kind=pl.lit("decision"), source_rows=pl.col("source_rows").fill_null([]),
        minutes="minutes", state=pl.when(timed).then(pl.lit("in")).otherwise(pl.lit("unknown")),
        reason=pl.when(timed).then(pl.format("undone {} minutes after somebody asked", pl.col("minutes").round(1)))
        .otherwise(pl.lit("who asked for it, and when, is not on record")),
        lack=pl.when(~timed).then(pl.lit("definition_not_met"))).sort("object_id")
    known = rows.filter(pl.col("state") == "in")
    held = Durations(known["minutes"].to_list(), [True] * known.height)
    return {"p50": quantile(rows, held, 0.5), "p90": quantile(rows, held, 0.9)}


@metric(
    "LIN-19", title="Exceptions without an end", question="Which exceptions were granted for ever?",
    numerator="no end date, or one that has passed",
    denominator="exceptions from a rule that were granted and not taken back, as change logs and registers state them; "
                "unknown where the record has no field for an end",
    kind="census", direction="lower", green=0.0, red=0.10, refs=("ID.RA-07",),
    needs="exceptions with their end dates", tables=TABLES)
def open_exceptions(context: Context) -> Mapping[str, Population]:
    granted = context.decisions.cases.filter(
        pl.col("executed").fill_null(value=False) & (pl.col("change_class") == "exception")
        & (pl.col("time") <= context.facts.as_of))
    if granted.is_empty():
        return {}
    steps = context.decisions.steps.filter(pl.col("case_id").is_not_null()).group_by("case_id").agg(
        ends=pl.col("expires_at").max(), over=(pl.col("kind") == "expiry").any(),
        source_rows=pl.col("record_ids").explode().drop_nulls().unique().sort().head(RECORDS_SHOWN))
    frame = granted.join(steps, on="case_id", how="left")
    over = pl.col("over").fill_null(value=False) | pl.col("rolled_back_at").is_not_null()
    past = pl.col("ends") <= context.facts.as_of
    return {"all": population(frame.with_columns(
        object_id=pl.col("case_id"), object_kind=pl.lit("exception"), source_rows=pl.col("source_rows").fill_null([]),
        excluded=pl.when(over).then(pl.lit("taken back, or ended")),
        truth=pl.col("ends").is_null() | past,
        reason=pl.when(pl.col("ends").is_null()).then(pl.lit("no end is on record")).when(past).then(
            pl.lit("its end has passed, and nothing took it back")).otherwise(
            pl.format("ends on {}", pl.col("ends").dt.date()))))}
