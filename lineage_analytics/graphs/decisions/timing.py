"""How long approvals took after they were asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from lineage_analytics.graphs.decisions.steps import SKEW_BETWEEN

if TYPE_CHECKING:
    from lineage_analytics.graphs.decisions import DecisionLineage

HASTE_SECONDS = 10.0
BURST, BURST_SECONDS = 5, 60
_AI = ("advises", "drafts", "executes_approved", "executes_autonomous")


def approval_timing(lineage: DecisionLineage) -> pl.DataFrame:
    """One row per approval by a person: the columns of ``DecisionLineage.approval_timing``."""
    asked = lineage.steps.filter(pl.col("kind") == "request").group_by("case_id").agg(asked=pl.col("time").min())
    known = pl.col("involvement_class")
    return _given(lineage).join(asked, on="case_id", how="left").join(
        lineage.cases.select("case_id", "involvement_class", "approval_verdict"), on="case_id", how="left").select(
        "time", dwell_seconds=(pl.col("time") - pl.col("asked")).dt.total_microseconds() / 1_000_000,
        ai=pl.when(known == "none").then(pl.lit(value=False)).when(known.is_in(_AI)).then(pl.lit(value=True)),
        approver="approver", verdict=pl.col("approval_verdict"),
    ).sort("time", "approver", "dwell_seconds")


def _given(lineage: DecisionLineage) -> pl.DataFrame:
    """Approvals by people that were given; two logs of one approval tell of it once, by the first to."""
    given = lineage.steps.filter(
        (pl.col("kind") == "decision") & (pl.col("verdict") == "approve") & (pl.col("agent_class") == "human")
        & (pl.col("status") != "failed")).select(
        "case_id", "time", "source", "step_id", approver=pl.col("agent_ids").list.first()).sort(
        "case_id", "approver", "time", "step_id", nulls_last=True)
    same = ["case_id", "approver"]
    soon = pl.col("time").diff().over(same) <= SKEW_BETWEEN
    again = soon & (pl.col("source") != pl.col("source").shift().over(same))
    return given.filter(~again.fill_null(value=False) | pl.col("approver").is_null())


def approvers(lineage: DecisionLineage) -> pl.DataFrame:
    """One row per approver, those with most to review first: the columns of ``DecisionLineage.approvers``."""
    timing = approval_timing(lineage).filter(pl.col("approver").is_not_null())
    dwell, after = pl.col("dwell_seconds"), pl.col("time").shift(1 - BURST).over("approver")
    starts = (after - pl.col("time")).dt.total_seconds() <= BURST_SECONDS
    timing = timing.sort("approver", "time").with_columns(starts=starts.fill_null(value=False))
    within = pl.any_horizontal(pl.col("starts").shift(n, fill_value=False).over("approver") for n in range(BURST))
    own = lineage.cases.filter((pl.col("independent") == "no") & pl.col("approver_id").is_not_null()).group_by(
        approver="approver_id").agg(own_requests=pl.len().cast(pl.Int64))
    found = timing.with_columns(within=within).group_by("approver").agg(
        approvals=pl.len().cast(pl.Int64), with_ai=pl.col("ai").fill_null(value=False).sum().cast(pl.Int64),
        median_seconds=dwell.median(), hasty=((dwell >= 0) & (dwell < HASTE_SECONDS)).sum().cast(pl.Int64),
        in_bursts=pl.col("within").sum().cast(pl.Int64))
    return found.join(own, on="approver", how="left").with_columns(pl.col("own_requests").fill_null(0)).sort(
        pl.col("own_requests") + pl.col("hasty") + pl.col("in_bursts"), "approvals", "approver",
        descending=[True, True, False])
