"""Order and references: did each step come in its turn, and does what it refers to exist (LIN-03, LIN-04)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from lineage_analytics.metrics.catalog import metric
from lineage_analytics.metrics.context import RECORDS_SHOWN
from lineage_analytics.metrics.lineage import BOTH, NEEDS, TABLES, by_group, groups, loaded
from lineage_analytics.metrics.population import Population, population

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lineage_analytics.metrics.context import Context

_TURN = {"signal": 0, "recommendation": 1, "draft": 1, "decision": 2, "action": 3, "rollback": 3}
_PROVED = 3
_ORDERS = {"prior": "in_turn", "order_uncertain": "near", "retroactive": "late"}


@metric(
    "LIN-03", title="Changes whose steps came out of turn", question="Was it decided before it was done?",
    numerator="a signal after its recommendation, a recommendation after its approval, or an approval after the "
              "change, by more than the clocks may differ",
    denominator="executed decisions with two or more of these on record and proved to belong together; unknown where "
                "two are too close in time to order and none is out of turn",
    kind="process", direction="lower", green=0.01, red=0.10, needs=NEEDS, scopes=BOTH,
    tables=TABLES)
def ordering(context: Context) -> Mapping[str, Population]:
    if not loaded(context):
        return {}
    turns = _turns(context)
    late, near = pl.col("late").fill_null(0) > 0, pl.col("near").fill_null(0) > 0
    return by_group(context, lambda cases: population(cases.join(turns, on="case_id", how="left").filter(
        pl.col("pairs").is_not_null()).with_columns(
        truth=pl.when(late).then(pl.lit(value=True)).when(near).then(None).otherwise(pl.lit(value=False)),
        reason=pl.when(late).then(pl.format("out of turn: {}", "which")).when(near).then(
            pl.lit("too close in time to say which came first")).otherwise(pl.lit("each step in its turn")))))


def _turns(context: Context) -> pl.DataFrame:
    """Per case the pairs of steps whose order is known or should be: ``pairs, late, near`` counts, and ``which`` are
    late."""
    steps = context.decisions.steps.filter(pl.col("kind").is_in(list(_TURN))).select(
        "step_id", "case_id", "kind", turn=pl.col("kind").replace_strict(_TURN, return_dtype=pl.Int64))
    linked = context.decisions.links.filter((pl.col("tier") >= _PROVED) & pl.col("order").is_not_null()).select(
        "src", "dst", "order").join(steps, left_on="src", right_on="step_id", how="inner").join(
        steps.select("step_id", dst_kind="kind", dst_turn="turn"), left_on="dst", right_on="step_id", how="inner"
    ).filter((pl.col("dst_turn") < pl.col("turn")) & (pl.col("turn") < _TURN["action"])).select(
        "case_id", which=pl.format("{} after {}", "dst_kind", "kind"),
        order=pl.col("order").replace({"prior": "in_turn", "order_uncertain": "near", "later": "late"}))
    approved = context.decisions.cases.filter(
        pl.col("order_verdict").is_in(list(_ORDERS)) & (pl.col("approval_verdict") != "unknown")).select(
        "case_id", which=pl.lit("approval after the change"), order=pl.col("order_verdict").replace(_ORDERS))
    order = pl.col("order")
    return pl.concat([linked, approved]).group_by("case_id").agg(
        pairs=pl.len(), late=(order == "late").sum(), near=(order == "near").sum(),
        which=pl.col("which").filter(order == "late").unique().sort().str.join(", ")).sort("case_id")


# --- references ----------------------------------------------------------------------------------------------------

_HOLDERS = {
    "ticket": ("servicenow", "jira"), "commit": ("github_reviews", "github_audit"),
    "run": ("github_reviews", "github_audit"), "recommendation": ("gcp_recommender", "aws_access_analyzer"),
    "trace": ("otel_genai", "mcp_jsonrpc"),
}
"""Sources that hold what a stated key refers to. Ids of the call itself and of its session refer to nothing else."""
_OWN_KEYS = {
    "change_number": "ticket", "request_number": "ticket", "issue_key": "ticket", "github_workflow_run": "run",
    "gcp_recommendation": "recommendation", "access_finding_id": "recommendation",
}
_REJECTED: dict[str, tuple[bool | None, str]] = {
    "contradicted": (False, "what it refers to says something else"),
    "target_differs": (False, "what it refers to is about another target"),
    "tenant_differs": (False, "what it refers to is of another organisation"),
    "key_unsafe": (None, "its key stands for more than one thing"),
    "ambiguous": (None, "several records may be what it refers to"),
}


@metric(
    "LIN-04", title="References that lead to their record",
    question="If we follow a reference of a decision, do we get to what it meant?",
    numerator="the record is there, in one version",
    denominator="references of executed decisions to their requests, approvals, tickets, runs, commits and "
                "recommendations, by keys in fields made for them; unknown where the source that would hold the record "
                "is not loaded for that day, or several records fit",
    kind="process", direction="higher", green=0.99, red=0.85,
    refs=("DE.AE-03", "RS.AN-06", "RS.AN-07", "AU-9", "AU-10", "MEASURE 2.8"),
    needs="the tickets and evidence that decisions refer to", scopes=BOTH, tables=TABLES)
def references(context: Context) -> Mapping[str, Population]:
    if not loaded(context):
        return {}
    steps = context.decisions.steps.filter(pl.col("case_id").is_not_null()).select("step_id", "case_id", "record_ids")
    held = pl.concat([_followed(context, steps), _refused(context, steps), _lost(context, steps)]).unique(
        "object_id", keep="first", maintain_order=True)
    cases = groups(context)
    return {scope: population(held.join(rows.select("case_id", "excluded"), on="case_id", how="inner"))
            for scope, rows in cases.items()}


_COLUMNS = ("object_id", "object_kind", "case_id", "truth", "reason", "lack", "source_rows")


def _followed(context: Context, steps: pl.DataFrame) -> pl.DataFrame:
    """References that lead somewhere: links by keys. A record delivered in two versions is none that can be cited."""
    torn = context.decisions.decision_findings.filter(pl.col("finding") == "record_conflict")["record_ids"].explode(
        ).drop_nulls().unique().sort()
    ends = steps.select("step_id", met=pl.col("record_ids").list.set_intersection(torn.to_list()).list.len() > 0)
    links = context.decisions.links.filter(
        pl.col("method").is_in(["native_ref", "business_key"]) & (pl.col("tier") >= _PROVED))
    return links.join(steps.drop("record_ids"), left_on="src", right_on="step_id", how="inner").join(
        ends, left_on="dst", right_on="step_id", how="left").with_columns(
        object_id=pl.format("{}>{}", "src", "dst"), object_kind=pl.lit("reference"),
        truth=~pl.col("met").fill_null(value=False), lack=pl.lit(None, dtype=pl.String),
        reason=pl.when(pl.col("met").fill_null(value=False)).then(
            pl.lit("the record was delivered in two versions")).otherwise(pl.lit("leads to its record")),
        source_rows=pl.col("record_ids").list.head(RECORDS_SHOWN)).select(_COLUMNS).sort("object_id")


def _refused(context: Context, steps: pl.DataFrame) -> pl.DataFrame:
    """References that lead to a record which cannot be what was meant."""
    truth = {name: verdict for name, (verdict, _) in _REJECTED.items()}
    words = {name: said for name, (_, said) in _REJECTED.items()}
    return context.decisions.link_rejects.filter(
        pl.col("reason").is_in(list(_REJECTED)) & (pl.col("rel") != "rolls_back")).join(
        steps, left_on="src", right_on="step_id", how="inner").with_columns(
        object_id=pl.format("{}>{}", "src", pl.col("candidates").list.first().fill_null("?")),
        object_kind=pl.lit("reference"),
        truth=pl.col("reason").replace_strict(truth, default=None, return_dtype=pl.Boolean),
        lack=pl.lit(None, dtype=pl.String), said=pl.col("reason").replace(words),
        source_rows=pl.col("record_ids").list.head(RECORDS_SHOWN)).with_columns(reason=pl.col("said")).select(
        _COLUMNS).sort("object_id", "truth", "reason", nulls_last=True)


def _lost(context: Context, steps: pl.DataFrame) -> pl.DataFrame:
    """Keys stated in fields made for them that no record of another source holds."""
    raw = context.facts["decision_steps"].filter(pl.col("time") <= context.facts.as_of).select(
        "step_id", "tenant", "source", "time", "stated_keys", "native_key_kind", "native_key").collect()
    stated = raw.select("step_id", "source", "time", key="stated_keys").explode("key").drop_nulls("key").with_columns(
        kind=pl.col("key").str.extract(r"^([a-z]+):")).with_columns(
        key=_folded())
    kind = pl.col("native_key_kind").replace_strict(_OWN_KEYS, default=None, return_dtype=pl.String)
    own = raw.with_columns(kind=kind).drop_nulls(["kind", "native_key"]).select("source", key=pl.format(
        "{}:{}", "kind", "native_key")).with_columns(
        key=_folded())
    homes = pl.concat([own, stated.select("source", "key")]).unique().group_by("key").agg(homes=pl.col("source"))
    holds = pl.any_horizontal((pl.col("kind") == name) & pl.col("source").is_in(sources)
                              for name, sources in _HOLDERS.items())  # what it states is its own
    lost = stated.filter(pl.col("kind").is_in(list(_HOLDERS)) & ~holds).join(homes, on="key", how="left").filter(
        pl.col("homes").list.len() <= 1)
    return lost.join(steps, on="step_id", how="inner").join(_covered(context), on="kind", how="left").with_columns(
        covered=(pl.col("time").dt.date() >= pl.col("first")) & (pl.col("time").dt.date() <= pl.col("last"))
    ).with_columns(covered=pl.col("covered").fill_null(value=False)).select(
        object_id=pl.format("{}>{}", "step_id", "key"), object_kind=pl.lit("reference"), case_id="case_id",
        truth=pl.when("covered").then(pl.lit(value=False)),
        reason=pl.when("covered").then(pl.lit("its source was received for that day and does not hold it")).otherwise(
            pl.lit("the source that would hold it is not loaded for that day")),
        lack=pl.when(~pl.col("covered")).then(pl.lit("no_source")),
        source_rows=pl.col("record_ids").list.head(RECORDS_SHOWN)).select(_COLUMNS).sort("object_id")


def _folded() -> pl.Expr:
    """Numbers of tickets are one whatever the capitals."""
    key = pl.col("key")
    return pl.when(key.str.starts_with("ticket:")).then(
        pl.concat_str(pl.lit("ticket:"), key.str.strip_prefix("ticket:").str.strip_chars().str.to_uppercase())
    ).otherwise(key)


def _covered(context: Context) -> pl.DataFrame:
    """Per kind of key the days from the first to the last that a source which holds such records was received."""
    rows = [(kind, source) for kind, sources in _HOLDERS.items() for source in sources]
    homes = pl.DataFrame(rows, schema={"kind": pl.String, "source": pl.String}, orient="row")
    return context.received.join(homes, on="source", how="inner").group_by("kind").agg(
        first=pl.col("day").min(), last=pl.col("day").max()).sort("kind")
