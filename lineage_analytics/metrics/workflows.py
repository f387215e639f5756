"""Workflows of assistants: did they stay within what is declared, and out of production (design 3.3 and 3.4)."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import polars as pl

from lineage_analytics.graphs.decisions import workflows
from lineage_analytics.graphs.decisions.workflows import WRITES, declared, span
from lineage_analytics.graphs.workflow_register import workflow_register
from lineage_analytics.metrics.catalog import metric
from lineage_analytics.metrics.lineage import loaded
from lineage_analytics.metrics.population import Population, population

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lineage_analytics.graphs.decisions.workflows import Declared
    from lineage_analytics.metrics.context import Context

_NEEDS = "a register of AI workflows with the class of each, and logs of identity changes"
_TABLES = ("steps",)


def _window(context: Context) -> pl.DataFrame:
    """Workflows with a decision in the window, as the register shows them when that is all there is."""
    cases = context.decisions.cases.filter(context.in_window())
    return context.once("workflows of the window", lambda: workflow_register(
        context.facts, dataclasses.replace(context.decisions, cases=cases)).filter(
        pl.col("cases") + pl.col("shared_cases") > 0))


@metric(
    "COP-17", title="Workflows that do more than they are declared to",
    question="Has an assistant grown beyond what it was approved for?",
    numerator="some decision of the window has a class above the declared one: advises, drafts, executes with "
              "approval, executes alone",
    denominator="workflows with a decision in the window. Unknown, and listed: workflows that are not declared, and "
                "those whose decisions may be above what is declared but are not proved to be",
    kind="process", direction="lower", green=0.0, red=0.0, refs=("GOVERN 1.6", "GOVERN 3.2", "MAP 3.3", "LLM03:2026"),
    needs=_NEEDS, tables=_TABLES)
def class_creep(context: Context) -> Mapping[str, Population]:
    if not loaded(context):
        return {}
    stated = pl.col("class_declared").is_not_null()
    return {"all": population(_window(context).select(
        object_id="workflow_id", object_kind=pl.lit("workflow"), truth=pl.when(stated).then("class_creep"),
        source_rows="record_ids", lack=pl.when(~stated).then(pl.lit("no_source")),
        reason=pl.when(~stated).then(pl.lit("not declared")).when(pl.col("class_creep").is_null()).then(
            pl.lit("may be above what is declared: not proved")).when("class_creep").then(pl.format(
                "{} of {} decisions above what is declared", "creep_cases", "cases")).otherwise(
            pl.lit("within what is declared"))))}


@metric(
    "LIN-20", title="Changes that experiments made in production", question="Do experiments stay out of production?",
    numerator="executed changes in production that the assistant of a workflow declared experimental made itself, with "
              "approval or without",
    denominator="none: a count. Unknown where the environment of what was changed is not stated, where the assistant's "
                "part is not proved, where the stage of a declared workflow is not, or where another one fits as well",
    kind="process", unit="count", direction="lower", green=0.0, red=0.0, refs=("MAP 3.3",),
    needs="a register of AI workflows with the stage of each, and logs of identity changes", tables=_TABLES)
def sandbox_separation(context: Context) -> Mapping[str, Population]:
    register = declared(context.facts)
    staged = sum(each.stage is not None for each in register.values())
    if not loaded(context) or not staged:
        return {}
    made = context.decisions.cases.filter(pl.col("executed").fill_null(value=False) & context.in_window())
    found = workflows.parts(made, context.decisions.steps, context.facts).filter(pl.col("fitting").list.len() > 0)
    rows = made.select("case_id", "environment", "involvement_class", "involvement_bounds").join(
        found, on="case_id", maintain_order="left")
    judged = [_judged([register[one] for one in fitting], environment, name, bounds)
              for fitting, environment, name, bounds in rows.select(
                  "fitting", "environment", "involvement_class", "involvement_bounds").iter_rows()]
    return {"all": population(rows.select(
        pl.Series("truth", [truth for truth, _ in judged], dtype=pl.Boolean),
        pl.Series("reason", [reason for _, reason in judged], dtype=pl.String),
        object_id="case_id", object_kind=pl.lit("decision"), source_rows="record_ids"), "count", base=float(staged))}


def _judged(fitting: Sequence[Declared], environment: str | None, name: str | None, bounds: str | None
            ) -> tuple[bool | None, str]:
    """Whether a change is an experiment's in production, null where that cannot be known, and why."""
    stages = {each.stage for each in fitting}
    least, most = span(name, bounds)
    if stages == {"production"}:
        return False, "its workflow is declared for production"
    if environment == "non-prod":
        return False, "not in production"
    if most not in WRITES:
        return False, "a person made the change"
    if environment is None:
        return None, "whether it was in production is not stated"
    if stages != {"experimental"}:
        return None, "whether its workflow is experimental is not stated"
    if least not in WRITES:
        return None, "whether the assistant made the change is not proved"
    return True, "an experiment changed production"
