"""Pace and assurance: how many changes, and how many of them can be defended (design section 4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from lineage_analytics.metrics.catalog import metric
from lineage_analytics.metrics.gates import FULL_COVERAGE, MIN_COVERAGE
from lineage_analytics.metrics.lineage import (
    AI_CLASSES,
    NEEDS,
    TABLES,
    approved,
    elements,
    groups,
    loaded,
    logged_days,
)
from lineage_analytics.metrics.population import Population, population

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lineage_analytics.metrics.context import Context

LEGS = ("evidence", "approval", "rollback")
_EVIDENCE = ("initiator", "inputs", "recommendation", "action")


@metric(
    "ACC-01", title="Identity changes per day", question="How many changes does AI make or help to make?",
    numerator="executed AI-assisted decisions of the window; other scopes: the comparison group, and each class of "
              "involvement",
    denominator="days of the window; provisional or not scored where logs of changes cover too few of them",
    kind="process", unit="per_day", direction="none", needs=NEEDS, tables=TABLES,
    scopes=("all", "non_ai", *AI_CLASSES, "unknown"))
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
    return {"all": per_day(assisted), "non_ai": per_day(other), **by_class, "unknown": per_day(unknown)}


@metric(
    "ACC-04", title="Changes that can be defended",
    question="Are evidence, approval and a way back kept for each change?",
    numerator="evidence (initiator, inputs, recommendation and action proved), approval (by a person before execution, "
              "not self-approved) and a way back on record; the scopes evidence, approval and rollback are the legs",
    denominator="executed decisions; unknown where a leg is unknown and none is false. Segregation beyond "
                "self-approval, scope match and retention are not yet judged",
    kind="process", direction="higher", refs=("MANAGE 4.1", "CC8.1"), needs=NEEDS, tables=TABLES,
    scopes=("all", *LEGS, "non_ai", *(f"{leg}/non_ai" for leg in LEGS)))
def assured(context: Context) -> Mapping[str, Population]:
    if not loaded(context):
        return {}
    wide = elements(context)
    found = {}
    for scope, cases in groups(context).items():
        legs = _legs(cases.join(wide, on="case_id", how="left"))
        whole = legs.with_columns(
            truth=pl.all_horizontal(pl.col(leg) for leg in LEGS), reason=_reason(),
            excluded=pl.coalesce("excluded", pl.when(pl.col("waits")).then(pl.lit("may still be completed"))))
        tail = "" if scope == "all" else f"/{scope}"
        found[scope] = population(whole)
        for leg in LEGS:
            found[f"{leg}{tail}"] = population(whole.with_columns(truth=pl.col(leg)))
    return found


def _legs(frame: pl.DataFrame) -> pl.DataFrame:
    """The three legs as three-valued truths; Kleene logic, so that a false leg decides whatever the others are."""
    independent = pl.col("independent").replace_strict(
        {"yes": True, "no": False}, default=None, return_dtype=pl.Boolean)
    human = approved() & independent
    states = [pl.col(name) for name in (*_EVIDENCE, "rollback", "approver")]
    return frame.with_columns(
        evidence=pl.all_horizontal(_present(name) for name in _EVIDENCE),
        approval=pl.when(pl.col("approval_verdict") == "not_required").then(pl.lit(value=True)).otherwise(human),
        rollback_leg=_present("rollback"),
        waits=pl.any_horizontal((state == "pending").fill_null(value=False) for state in states),
    ).with_columns(rollback=pl.col("rollback_leg")).with_columns(
        waits=pl.col("waits") & pl.all_horizontal(pl.col(leg) for leg in LEGS).fill_null(value=True))


def _present(element: str) -> pl.Expr:
    state = pl.col(element)
    return pl.when(state.is_in(["proved", "not_required"])).then(pl.lit(value=True)).when(state == "missing").then(
        pl.lit(value=False))


def _reason() -> pl.Expr:
    broken = pl.concat_list(pl.when(pl.col(leg).not_()).then(pl.lit(leg)) for leg in LEGS).list.drop_nulls()
    dark = pl.concat_list(pl.when(pl.col(leg).is_null()).then(pl.lit(leg)) for leg in LEGS).list.drop_nulls()
    return pl.when(broken.list.len() > 0).then(pl.format("fails: {}", broken.list.join(", "))).when(
        dark.list.len() > 0).then(pl.format("not known: {}", dark.list.join(", "))).otherwise(
        pl.lit("evidence, approval and rollback hold"))
