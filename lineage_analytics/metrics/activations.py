"""Activations of eligible roles with approval and reason: PRV-07 (design section 3.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from lineage_analytics.metrics.catalog import metric
from lineage_analytics.metrics.context import RECORDS_SHOWN
from lineage_analytics.metrics.population import Population, population

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lineage_analytics.metrics.context import Context

ACTIVATION = r"(?i)pim activation|selfactivate"
_NOBODY = ("absent", "not_required", "automated_policy")


@metric(
    "PRV-07", title="Activations that somebody else approved, with a reason",
    question="Who raised their own rights, and did anybody look?",
    numerator="an approver who is not the requester, and a reason that is not empty",
    denominator="activations of eligible roles in the window. Unknown where the approval may lie in a source that is "
                "not loaded, where approver and requester may be one person, or where no record has a field for a "
                "reason",
    kind="process", direction="higher", green=0.95, red=0.70, refs=("MS.AAD.7.6", "AC-3(2)"),
    needs="privileged identity management events", tables=("decision_steps",))
def approved_activations(context: Context) -> Mapping[str, Population]:
    found = _activations(context)
    if found.is_empty():
        return {}
    verdict, independent, why = (pl.col(name) for name in ("approval_verdict", "independent", "justified"))
    approved = pl.when((independent == "yes") & pl.col("approver_id").is_not_null()).then(pl.lit(value=True)).when(
        (independent == "no") | verdict.is_in(_NOBODY)).then(pl.lit(value=False))
    frame = found.with_columns(approved=approved).with_columns(
        truth=pl.col("approved") & why,
        reason=pl.concat_str(
            pl.when("approved").then(pl.lit("approved by somebody else"))
            .when(independent == "no").then(pl.lit("approved by the requester"))
            .when(pl.col("approved").not_()).then(pl.lit("approved by nobody"))
            .when(independent == "by_account_only").then(
                pl.lit("approved by another account, which may be the requester's"))
            .otherwise(pl.lit("whether anybody approved it is not known")),
            pl.when(why).then(pl.lit(", with a reason")).when(why.not_()).then(pl.lit(", without a reason"))
            .otherwise(pl.lit(", and no record says whether a reason was given"))),
        lack=pl.when((pl.col("approved") & why).is_null()).then(
            pl.when(pl.col("approved").is_null()).then(pl.lit("no_source")).otherwise(pl.lit("definition_not_met"))))
    return {"all": population(frame)}


def _activations(context: Context) -> pl.DataFrame:
    """Cases of the window in which an activation took effect; ``justified`` null: no record has the field."""
    cases = context.decisions.cases.filter(pl.col("executed") & context.in_window())
    steps = context.decisions.steps.join(cases.select("case_id"), on="case_id", how="semi")
    which = steps.filter((pl.col("kind") == "action") & pl.col("operation").str.contains(ACTIVATION))
    said = context.facts["decision_steps"].filter(
        pl.col("kind").is_in(["request", "action"]) & pl.col("justification_present").is_not_null()
    ).select("record_id", "justification_present").collect()
    reasons = steps.filter(pl.col("kind").is_in(["request", "action"])).select("case_id", "record_ids").explode(
        "record_ids").join(said, left_on="record_ids", right_on="record_id").group_by("case_id").agg(
        justified=pl.col("justification_present").any())
    records = steps.select("case_id", "record_ids").explode("record_ids").group_by("case_id").agg(
        source_rows=pl.col("record_ids").drop_nulls().unique().sort().head(RECORDS_SHOWN))
    return cases.join(which.select("case_id").unique(), on="case_id", how="semi").join(
        reasons, on="case_id", how="left").join(records, on="case_id", how="left").select(
        pl.col("case_id").alias("object_id"), pl.lit("decision").alias("object_kind"), "approval_verdict",
        "independent", "approver_id", "justified", pl.col("source_rows").fill_null([]))
