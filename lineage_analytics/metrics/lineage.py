"""Decisions: can each be reconstructed, and did a person approve it first (design section 3.4).

Scope ``all`` is the AI-assisted executed decisions of the window, ``non_ai`` the comparison group, ``unit:<name>`` the
AI-assisted ones of one workstream.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import polars as pl

from lineage_analytics.metrics.catalog import metric
from lineage_analytics.metrics.context import RECORDS_SHOWN
from lineage_analytics.metrics.population import Population, population

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lineage_analytics.metrics.context import Context

AI_CLASSES = ("advises", "drafts", "executes_approved", "executes_autonomous")
ELEMENTS = ("initiator", "inputs", "recommendation", "approver", "action", "rollback")
NEEDS = "logs of identity changes"
TABLES = ("steps",)
BOTH = ("all", "non_ai")
UNITS = ("identity_operations", "development", "support", "other")
BY_UNIT = (*BOTH, *(f"unit:{unit}" for unit in UNITS))
OF_UNITS = "A unit holds the AI-assisted decisions of the workflows declared for it"


def groups(context: Context) -> Mapping[str, pl.DataFrame]:
    """Executed decisions of the window as objects: the AI-assisted (``all``) and the comparison group (``non_ai``).

    Decisions whose involvement is unknown stand in ``all`` as excluded.
    """
    steps = context.decisions.steps.filter(pl.col("case_id").is_not_null()).group_by("case_id").agg(
        source_rows=pl.col("record_ids").explode().drop_nulls().unique().sort().head(RECORDS_SHOWN))
    executed = context.decisions.cases.filter(
        pl.col("executed").fill_null(value=False) & context.in_window()).join(
        steps, on="case_id", how="left").with_columns(
        object_id=pl.col("case_id"), object_kind=pl.lit("decision"), source_rows=pl.col("source_rows").fill_null([]),
        excluded=pl.when(pl.col("involvement_class") == "unknown").then(pl.lit("involvement unknown")))
    other = pl.col("involvement_class") == "none"
    return {"all": executed.filter(~other), "non_ai": executed.filter(other)}


def by_group(
    context: Context, one: Callable[[pl.DataFrame], Population], *, units: bool = False
) -> dict[str, Population]:
    """One population for each group of decisions, and with ``units`` for each workstream of the AI-assisted ones."""
    held = groups(context)
    found = {scope: one(cases) for scope, cases in held.items()}
    return found | (by_unit(held["all"], one) if units else {})


def by_unit(cases: pl.DataFrame, one: Callable[[pl.DataFrame], Population]) -> dict[str, Population]:
    """One population for each workstream; where no decision has one, none may be scored."""
    if cases.height and not cases["workstream"].is_not_null().any():
        bare = replace(one(cases.clear()), lack="definition_not_met")
        return {f"unit:{unit}": bare for unit in UNITS}
    return {f"unit:{unit}": one(cases.filter(pl.col("workstream") == unit)) for unit in UNITS}


def found_in(context: Context, *findings: str) -> list[str]:
    """Cases with any of the findings."""
    return context.decisions.decision_findings.filter(pl.col("finding").is_in(findings))["case_id"].unique().to_list()


def loaded(context: Context) -> bool:
    """Whether any log of identity changes is loaded: without one, no decision is not the same as none."""
    return context.decisions.steps.height > 0 or context.decisions.cases.height > 0 or context.has("decision_steps")


def logged_days(context: Context) -> float:
    """Share of the window's days on which any log of identity changes was received."""
    sources = context.sources(("decision_steps", "steps"))
    first = context.facts.as_of.date() - timedelta(days=context.facts.window_days)
    days = context.received.filter(pl.col("source").is_in(sources) & (pl.col("day") > first))["day"].n_unique()
    return days / context.facts.window_days


def elements(context: Context) -> pl.DataFrame:
    """Per case one column per element with its state; null where the engine gave none."""
    wide = context.decisions.elements.filter(pl.col("element").is_in(ELEMENTS)).pivot(
        "element", index="case_id", values="state", aggregate_function="first", sort_columns=True)
    missing = [pl.lit(None, dtype=pl.String).alias(name) for name in ELEMENTS if name not in wide.columns]
    return wide.with_columns(missing).select("case_id", *ELEMENTS)


def _scoped(scope: str) -> str:
    return "" if scope == "all" else f"/{scope}"


@metric(
    "LIN-01", title="Decisions with each element on record",
    question="Of each AI-assisted change, do we know who started it, on what, what was advised, who approved, what "
             "ran, and the way back?",
    numerator="the element is proved: on record, or linked by a key",
    denominator="executed decisions for which the element is required; inferred or uncollected ones are unknown",
    kind="process", direction="higher", green=0.95, red=0.60,
    refs=("AU-3", "AC-24", "GOVERN 2.1", "MEASURE 2.8", "A.7.5", "Art. 12"), needs=NEEDS,
    scopes=tuple(f"{element}{tail}" for tail in ("", "/non_ai") for element in ELEMENTS), tables=TABLES)
def element_completeness(context: Context) -> Mapping[str, Population]:
    if not loaded(context):
        return {}
    states = context.decisions.elements.select("case_id", "element", "state", "reason", "record_ids")
    found = {}
    for scope, cases in groups(context).items():
        for element in ELEMENTS:
            frame = cases.join(states.filter(pl.col("element") == element), on="case_id", how="left")
            state = pl.col("state")
            found[f"{element}{_scoped(scope)}"] = population(frame.with_columns(
                excluded=pl.coalesce("excluded", pl.when(state == "not_required").then(pl.lit("not required"))
                                     .when(state == "pending").then(pl.lit("may still arrive"))),
                truth=pl.when(state == "proved").then(pl.lit(value=True))
                .when(state == "missing").then(pl.lit(value=False)),
                reason=pl.format("{}: {}", state.fill_null("unknown"), pl.col("reason").fill_null("no statement")),
                source_rows=pl.when(pl.col("record_ids").list.len() > 0).then("record_ids").otherwise("source_rows"),
            ).drop("state"))
    return found


@metric(
    "LIN-02", title="Decisions that can be fully reconstructed",
    question="Which changes could we defend from first signal to way back?",
    numerator="every required element is proved and no records contradict each other",
    denominator="executed decisions; unknown where an element is unknown or only inferred and none is missing. "
                + OF_UNITS,
    kind="process", direction="higher", green=0.95, red=0.50,
    refs=("ID.RA-07", "RS.AN-03", "MEASURE 2.8", "CC8.1"), needs=NEEDS,
    scopes=BY_UNIT, tables=TABLES)
def fully_reconstructable(context: Context) -> Mapping[str, Population]:
    if not loaded(context):
        return {}
    faults = context.decisions.gaps.filter(pl.col("reason") == "contradicted")["case_id"].unique().to_list()
    faults += found_in(context, "record_conflict", "contradicted")
    wide = elements(context)
    fault = pl.col("case_id").is_in(faults) | (pl.col("approval_verdict") == "contradicted").fill_null(value=False)
    states = pl.concat_list(pl.col(name).fill_null("unknown") for name in ELEMENTS)

    def one(cases: pl.DataFrame) -> Population:
        return population(cases.join(wide, on="case_id", how="left").with_columns(states=states).with_columns(
            excluded=pl.coalesce("excluded", pl.when(
                pl.col("states").list.contains("pending") & ~pl.col("states").list.contains("missing") & ~fault).then(
                pl.lit("may still be completed"))),
            truth=pl.when(fault | pl.col("states").list.contains("missing")).then(pl.lit(value=False))
            .when(pl.col("states").list.eval(pl.element().is_in(["proved", "not_required"])).list.all())
            .then(pl.lit(value=True)),
            reason=pl.when(fault).then(pl.lit("records contradict each other")).otherwise(_lacking())))

    return by_group(context, one, units=True)


def _lacking() -> pl.Expr:
    """``missing: approver; unknown: inputs`` and the like, over the six elements."""
    parts = [
        pl.when(pl.col("states").list.contains(state)).then(pl.concat_str(
            pl.lit(f"{state}: "), pl.concat_list(
                pl.when(pl.col(name).fill_null("unknown") == state).then(pl.lit(name)) for name in ELEMENTS
            ).list.drop_nulls().list.join(", ")))
        for state in ("missing", "unknown", "inferred", "pending")
    ]
    found = pl.concat_str(parts, separator="; ", ignore_nulls=True)
    return pl.when(found == "").then(pl.lit("every required element is proved")).otherwise(found)
