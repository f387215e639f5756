"""Which decisions are assured, and which are compared with which (design section 4).

Assured is a decision whose evidence was kept in time, that a person approved, and that has a way back. Each of the
three legs is true, false or not known; a false one decides.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import polars as pl

from lineage_analytics.metrics.approvals import judged, scope_match, with_self
from lineage_analytics.metrics.evidence import GRACE, graces
from lineage_analytics.metrics.gap import MIN_DECISIONS
from lineage_analytics.metrics.lineage import AI_CLASSES, elements
from lineage_analytics.metrics.reversals import present
from lineage_analytics.metrics.roles import conflicts

if TYPE_CHECKING:
    from lineage_analytics.metrics.context import Context

LEGS = ("evidence", "approval", "rollback")
LATE = timedelta(days=7)
POLICY = 0.95
LONG_WINDOW_DAYS = 90
_EVIDENCE = ("initiator", "inputs", "recommendation", "action")
_WITHIN = "other changes of the same window"
_BEFORE = "the same workflows before AI was switched on"


def assured(context: Context) -> pl.DataFrame:
    """Every executed decision, as objects: ``group`` (ai, other; null: involvement unknown), the legs ``evidence
    approval rollback`` and ``assured`` (null: not known), ``late`` (assured by the seventh day), ``stratum``,
    ``cluster``, ``week``, ``reason``, ``waits`` (may still be completed)."""
    return context.once("assured", lambda: _assured(context))


def _assured(context: Context) -> pl.DataFrame:
    cases = context.decisions.cases.filter(
        pl.col("executed").fill_null(value=False) & (pl.col("time") <= context.facts.as_of))
    rows = context.decisions.steps.filter(pl.col("case_id").is_not_null()).group_by("case_id").agg(
        source_rows=pl.col("record_ids").explode().drop_nulls().unique().sort().head(20))
    frame = with_self(judged(context, cases)).join(conflicts(context), on="case_id", how="left").join(
        elements(context), on="case_id", how="left").join(_recorded(context), on="case_id", how="left").join(
        rows, on="case_id", how="left")
    known = pl.col("involvement_class")
    legs = frame.with_columns(
        **_evidence(), **_approval(), rollback_leg=present(pl.col("rollback")),
        pending=pl.any_horizontal(
            (pl.col(name) == "pending").fill_null(value=False) for name in (*_EVIDENCE, "approver", "rollback")),
    ).with_columns(rollback=pl.col("rollback_leg"))
    whole = pl.all_horizontal(pl.col(leg) for leg in LEGS)
    return legs.with_columns(assured=whole).with_columns(
        object_id=pl.col("case_id"), object_kind=pl.lit("decision"), source_rows=pl.col("source_rows").fill_null([]),
        group=pl.when(known == "none").then(pl.lit("other")).when(known.is_in(AI_CLASSES)).then(pl.lit("ai")),
        late=pl.col("assured") | pl.all_horizontal("evidence_late", "approval_late", "rollback"),
        waits=pl.col("pending") & pl.col("assured").fill_null(value=True), reason=_reason(),
        stratum=pl.format("{}|{}", "change_class", pl.when("tier0").then(pl.lit("tier 0")).when(
            pl.col("tier0").not_()).then(pl.lit("other")).otherwise(pl.lit("tier unknown"))),
        cluster=pl.coalesce("workflow_id", "approver_id", "case_id"), week=pl.col("time").dt.truncate("1w").dt.date(),
    ).sort("time", "case_id")


def _recorded(context: Context) -> pl.DataFrame:
    """Per case and element of evidence how long after the change the first record of it was made, less its grace; null
    where no step shows it."""
    cited = context.decisions.elements.filter(pl.col("element").is_in(_EVIDENCE)).select(
        "case_id", "element", record="record_ids").explode("record").drop_nulls("record")
    made = context.decisions.steps.select("time", "source", record="record_ids").explode("record").drop_nulls(
        "record").sort("time", "source").unique("record", keep="first", maintain_order=True)
    times = context.decisions.cases.select("case_id", done="time")
    late = (pl.col("time") - pl.col("done")) - pl.coalesce("grace", pl.lit(GRACE))
    wide = cited.join(made, on="record", how="inner").join(graces(context), on="source", how="left").join(
        times, on="case_id", how="inner").group_by("case_id", "element").agg(over=late.min()).pivot(
        "element", index="case_id", values="over", aggregate_function="first", sort_columns=True)
    names = {name: f"{name}_over" for name in _EVIDENCE}
    missing = [pl.lit(None, dtype=pl.Duration("us")).alias(name) for name in _EVIDENCE if name not in wide.columns]
    return wide.with_columns(missing).select("case_id", *names).rename(names)


def _evidence() -> dict[str, pl.Expr]:
    def by(spare: timedelta) -> pl.Expr:
        return pl.all_horizontal(
            pl.when((pl.col(f"{name}_over") > spare) & (pl.col(name) == "proved")).then(pl.lit(value=False)).otherwise(
                present(pl.col(name))) for name in _EVIDENCE)

    return {"evidence": by(timedelta(0)), "evidence_late": by(LATE - GRACE)}


def _approval() -> dict[str, pl.Expr]:
    """A person authorised what was done who did not ask for it, and nobody held several parts; or it needs none."""
    clean = pl.col("own").not_() & _one_part()
    scope = pl.when(pl.col("effect_match").is_null()).then(pl.lit(value=True)).otherwise(scope_match())
    after = pl.col("approved_at") - pl.col("time")
    soon = (pl.col("approval_verdict") == "retroactive") & (after <= LATE)
    exempt = pl.col("exempt").is_not_null()
    return {
        "approval": pl.when(exempt).then(pl.lit(value=True)).otherwise(pl.col("approved") & clean & scope),
        "approval_late": pl.when(exempt).then(pl.lit(value=True)).otherwise(
            (pl.col("approved") | soon) & clean & scope),
    }


def _one_part() -> pl.Expr:
    """Whether nobody had several parts; with fewer than two parts known there is nothing to find."""
    return pl.when(pl.col("roles").fill_null(0) < 2).then(pl.lit(value=True)).otherwise(pl.col("conflict").not_())


def _reason() -> pl.Expr:
    broken = pl.concat_list(pl.when(pl.col(leg).not_()).then(pl.lit(leg)) for leg in LEGS).list.drop_nulls()
    dark = pl.concat_list(pl.when(pl.col(leg).is_null()).then(pl.lit(leg)) for leg in LEGS).list.drop_nulls()
    return pl.when(broken.list.len() > 0).then(pl.format("fails: {}", broken.list.join(", "))).when(
        dark.list.len() > 0).then(pl.format("not known: {}", dark.list.join(", "))).otherwise(
        pl.lit("evidence, approval and rollback hold"))


# --- cohorts -------------------------------------------------------------------------------------------------------

@dataclass(frozen=True)
class Cohorts:
    """AI-assisted decisions of a window and what they are compared with: executed decisions that no longer wait.

    ``baseline`` says in words what the others are, null: there is nothing to compare with, and ``others`` is empty.
    ``unknown`` are decisions of the window whose involvement is not known; ``since`` is the start of the window.
    """

    assisted: pl.DataFrame
    others: pl.DataFrame
    unknown: pl.DataFrame
    baseline: str | None
    since: datetime
    days: int


def window(context: Context) -> tuple[datetime, int]:
    """Start and days of the window of the gap: the report's, or 90 days where it holds fewer than 30 AI-assisted
    decisions."""
    days = context.facts.window_days
    now = assured(context).filter((pl.col("group") == "ai") & context.in_window()).height
    if now < MIN_DECISIONS and days < LONG_WINDOW_DAYS:
        days = LONG_WINDOW_DAYS
    return context.facts.as_of - timedelta(days=days), days


def cohorts(context: Context, unit: str | None = None) -> Cohorts:
    """The cohorts of all decisions; or the AI-assisted ones of one workstream beside the same baseline.

    The baseline is the first of these with 30 or more known decisions: other decisions of the same window; the same
    workflows in an equal window before their first AI-assisted decision, as far as the logs reach back.
    """
    since, days = window(context)
    settled = assured(context).filter(~pl.col("waits"))
    inside = settled.filter(pl.col("time") > since)
    assisted, other = (inside.filter(pl.col("group") == name) for name in ("ai", "other"))
    if unit is not None:
        assisted = assisted.filter(pl.col("workstream") == unit)
    unknown = inside.filter(pl.col("group").is_null())
    for words, found in ((_WITHIN, other), (_BEFORE, _before(context, settled, days))):
        if found["assured"].is_not_null().sum() >= MIN_DECISIONS:
            return Cohorts(assisted, found, unknown, words, since, days)
    return Cohorts(assisted, other.clear(), unknown, None, since, days)


def _before(context: Context, rows: pl.DataFrame, days: int) -> pl.DataFrame:
    """Decisions of workflows in the window before AI first had a part in them, where logs reach back that far."""
    first = context.received.filter(
        pl.col("source").is_in(context.sources(("decision_steps", "steps"))))["day"].min()
    switched = rows.filter((pl.col("group") == "ai") & pl.col("workflow_id").is_not_null()).group_by("workflow_id").agg(
        on=pl.col("time").min())
    span = timedelta(days=days)
    return rows.filter(pl.col("group") == "other").join(switched, on="workflow_id", how="inner").filter(
        (pl.col("time") < pl.col("on")) & (pl.col("time") >= pl.col("on") - span)
        & ((pl.col("on") - span).dt.date() >= first)).drop("on") if first is not None else rows.clear()
