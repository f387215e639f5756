"""How long approvals took after they were asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from lineage_analytics.graphs.decisions import DecisionLineage

_AI = ("advises", "drafts", "executes_approved", "executes_autonomous")


def approval_timing(lineage: DecisionLineage) -> pl.DataFrame:
    """One row per approval by a person: the columns of ``DecisionLineage.approval_timing``."""
    asked = lineage.steps.filter(pl.col("kind") == "request").group_by("case_id").agg(asked=pl.col("time").min())
    given = lineage.steps.filter(
        (pl.col("kind") == "decision") & (pl.col("verdict") == "approve") & (pl.col("agent_class") == "human")
        & (pl.col("status") != "failed"))
    known = pl.col("involvement_class")
    return given.join(asked, on="case_id", how="left").join(
        lineage.cases.select("case_id", "involvement_class", "approval_verdict"), on="case_id", how="left").select(
        "time", dwell_seconds=(pl.col("time") - pl.col("asked")).dt.total_microseconds() / 1_000_000,
        ai=pl.when(known == "none").then(pl.lit(value=False)).when(known.is_in(_AI)).then(pl.lit(value=True)),
        approver=pl.col("agent_ids").list.first(), verdict=pl.col("approval_verdict"),
    ).sort("time", "approver", "dwell_seconds")
