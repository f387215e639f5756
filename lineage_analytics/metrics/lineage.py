"""Decisions: can each be reconstructed, and did a person approve it first (design section 3.4).

Scope ``all`` is the AI-assisted executed decisions of the window, ``non_ai`` the comparison group.
"""

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

AI_CLASSES = ("advises", "drafts", "executes_approved", "executes_autonomous")
ELEMENTS = ("initiator", "inputs", "recommendation", "approver", "action", "rollback")
NEEDS = "logs of identity changes"
TABLES = ("steps",)
_BOTH = ("all", "non_ai")
_ON_RECORD = ("approved_before", "retroactive", "order_uncertain", "expired", "contradicted")


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
    kind="process", direction="higher", green=0.95, red=0.60, refs=("AU-3", "MEASURE 2.8", "Art. 12"), needs=NEEDS,
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
    denominator="executed decisions; unknown where an element is unknown or only inferred and none is missing",
    kind="process", direction="higher", green=0.95, red=0.50, refs=("MEASURE 2.8", "CC8.1", "ID.RA-07"), needs=NEEDS,
    scopes=_BOTH, tables=TABLES)
def fully_reconstructable(context: Context) -> Mapping[str, Population]:
    if not loaded(context):
        return {}
    faults = context.decisions.gaps.filter(pl.col("reason") == "contradicted")["case_id"].unique().to_list()
    wide = elements(context)
    fault = pl.col("case_id").is_in(faults) | (pl.col("approval_verdict") == "contradicted").fill_null(value=False)
    states = pl.concat_list(pl.col(name).fill_null("unknown") for name in ELEMENTS)
    return {
        scope: population(cases.join(wide, on="case_id", how="left").with_columns(states=states).with_columns(
            excluded=pl.coalesce("excluded", pl.when(
                pl.col("states").list.contains("pending") & ~pl.col("states").list.contains("missing") & ~fault).then(
                pl.lit("may still be completed"))),
            truth=pl.when(fault | pl.col("states").list.contains("missing")).then(pl.lit(value=False))
            .when(pl.col("states").list.eval(pl.element().is_in(["proved", "not_required"])).list.all())
            .then(pl.lit(value=True)),
            reason=pl.when(fault).then(pl.lit("records contradict each other")).otherwise(_lacking())))
        for scope, cases in groups(context).items()
    }


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


APPROVED: dict[str, bool | None] = {
    "approved_before": True, "retroactive": False, "denied": False, "absent": False, "automated_policy": False,
    "expired": False, "scope_exceeded": False, "stale": False, "quorum_not_met": False, "contradicted": False,
    "order_uncertain": None, "unknown": None,
}
VERDICTS = {
    "approved_before": "a person approved before it ran", "retroactive": "approved only after it ran",
    "denied": "denied, yet it ran", "absent": "no approval on record although its source is covered",
    "automated_policy": "let through by a rule, not by a person", "expired": "the approval had run out",
    "contradicted": "records of the approval contradict each other", "order_uncertain": "too close in time to order",
    "unknown": "the source that would hold the approval is not loaded", "not_required": "needs no approval",
}


def approved() -> pl.Expr:
    """Whether a person approved before execution; null where it cannot be known."""
    return pl.col("approval_verdict").replace_strict(APPROVED, default=None, return_dtype=pl.Boolean)


@metric(
    "LIN-05", title="Changes a person approved before they ran", question="Was a person in control of these changes?",
    numerator="approval by a person at or before execution, not expired",
    denominator="executed decisions that require one; unknown where no approval source is loaded or the order is "
                "uncertain. Whether the approver was authorised for the scope is not yet judged",
    kind="process", direction="higher", green=0.99, red=0.80, refs=("GOVERN 3.2", "MAP 3.5", "Art. 14"),
    needs="approvals of these changes", scopes=_BOTH, tables=TABLES)
def approved_before_execution(context: Context) -> Mapping[str, Population]:
    if not loaded(context):
        return {}
    waiting = elements(context).select("case_id", pending=pl.col("approver") == "pending")
    return {
        scope: population(cases.join(waiting, on="case_id", how="left").with_columns(
            excluded=pl.coalesce(
                "excluded", pl.when(pl.col("approval_verdict") == "not_required").then(pl.lit(VERDICTS["not_required"]))
                .when(pl.col("pending")).then(pl.lit("may still arrive"))),
            truth=approved(), reason=pl.col("approval_verdict").replace(VERDICTS),
            lack=pl.when(pl.col("approval_verdict") == "unknown").then(pl.lit("no_source"))))
        for scope, cases in groups(context).items()
    }


@metric(
    "LIN-06", title="Approvals given by the person who asked", question="Did people approve their own requests?",
    numerator="approver and initiator resolve to one person",
    denominator="executed decisions with an approval by a person on record; unknown where accounts are not mapped to "
                "people. Words: needs review",
    kind="process", direction="lower", green=0.0, red=0.05, refs=("AC-5", "CC6.3"),
    needs="approvals of these changes", scopes=_BOTH, tables=TABLES)
def self_approval(context: Context) -> Mapping[str, Population]:
    if not loaded(context):
        return {}
    same: dict[str, bool | None] = {"no": True, "yes": False, "by_account_only": None, "unknown": None}
    words = {"no": "approver and initiator are one person", "yes": "approved by another person",
             "by_account_only": "another account; whether another person is not known",
             "unknown": "approver or initiator is not known"}
    found = {}
    for scope, cases in groups(context).items():
        given = cases.filter(pl.col("approval_verdict").is_in(_ON_RECORD))
        dark = given.is_empty() and bool((cases["approval_verdict"] == "unknown").any())
        found[scope] = population(given.with_columns(
            truth=pl.col("independent").replace_strict(same, default=None, return_dtype=pl.Boolean),
            reason=pl.col("independent").replace(words)), lack="no_source" if dark else None)
    return found
