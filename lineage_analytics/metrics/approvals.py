"""Who approved: before it ran, somebody else, a person, and for what (design section 3.4, LIN-05 to LIN-09)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from lineage_analytics.metrics.catalog import metric
from lineage_analytics.metrics.lineage import (
    BOTH,
    BY_UNIT,
    NEEDS,
    OF_UNITS,
    TABLES,
    by_group,
    elements,
    found_in,
    groups,
    loaded,
)
from lineage_analytics.metrics.population import Population, population
from lineage_analytics.metrics.roles import conflicts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lineage_analytics.metrics.context import Context

APPROVALS = "approvals of these changes"
EXECUTES = ("executes_approved", "executes_autonomous")
_ON_RECORD = ("approved_before", "retroactive", "order_uncertain", "expired", "scope_exceeded", "stale",
              "quorum_not_met", "contradicted")
# Findings that say an approval on record did not authorise what ran.
NOT_AUTHORISED = {
    "scope_exceeded": "more was done than was approved", "stale_approval": "an earlier state was approved",
    "approval_expired": "the approval had run out", "executed_after_denial": "denied, yet it ran",
    "executed_after_revocation": "the approval had been withdrawn", "quorum_not_met": "too few approved",
}
_APPROVED: dict[str, bool | None] = {
    "approved_before": True, "order_uncertain": None, "unknown": None,
    **dict.fromkeys(("retroactive", "denied", "absent", "automated_policy", "expired", "scope_exceeded", "stale",
                     "quorum_not_met", "contradicted"), False),
}
VERDICTS = {
    "approved_before": "a person approved before it ran", "retroactive": "approved only after it ran",
    "denied": "denied, yet it ran", "absent": "no approval on record although its source is covered",
    "automated_policy": "let through by a rule, not by a person", "expired": "the approval had run out",
    "scope_exceeded": NOT_AUTHORISED["scope_exceeded"], "stale": NOT_AUTHORISED["stale_approval"],
    "quorum_not_met": NOT_AUTHORISED["quorum_not_met"],
    "contradicted": "records of the approval contradict each other", "order_uncertain": "too close in time to order",
    "unknown": "the source that would hold the approval is not loaded", "not_required": "needs no approval",
}


def scope_match() -> pl.Expr:
    """Whether what was executed lies within what was approved; null where that cannot be told, or nothing is on
    record to compare."""
    return pl.when(pl.col("effect_match").is_in(["exact", "narrower"])).then(pl.lit(value=True)).when(
        pl.col("effect_match").is_in(["broader", "different"])).then(pl.lit(value=False))


def judged(context: Context, cases: pl.DataFrame) -> pl.DataFrame:
    """The cases with ``approved``: a person authorised it, for what was done, before it ran (null: cannot be known),
    and ``approved_why``. Use in an emergency is judged by the review that followed it."""
    faults = {finding: found_in(context, finding) for finding in NOT_AUTHORISED}
    unreviewed = pl.col("case_id").is_in(found_in(context, "break_glass_unreviewed"))
    emergency = pl.col("break_glass").fill_null(value=False) | unreviewed
    fault = pl.coalesce(*(pl.when(pl.col("case_id").is_in(held)).then(pl.lit(NOT_AUTHORISED[finding]))
                          for finding, held in faults.items()), pl.lit(None, dtype=pl.String))
    verdict = pl.col("approval_verdict")
    before = verdict == "approved_before"
    return cases.with_columns(fault=fault).with_columns(
        approved=pl.when(unreviewed | pl.col("fault").is_not_null()).then(pl.lit(value=False))
        .when(before & pl.col("effect_match").is_not_null()).then(scope_match())
        .otherwise(verdict.replace_strict(_APPROVED, default=None, return_dtype=pl.Boolean)),
        exempt=pl.when(emergency & ~unreviewed).then(pl.lit("used in an emergency: its review afterwards counts"))
        .when(verdict == "not_required").then(pl.lit(VERDICTS["not_required"])),
        approved_why=pl.when(unreviewed).then(pl.lit("used in an emergency, and no review followed"))
        .when(pl.col("fault").is_not_null()).then(pl.col("fault"))
        .when(before & scope_match().not_()).then(pl.lit(NOT_AUTHORISED["scope_exceeded"]))
        .when(before & (pl.col("effect_match") == "unknown")).then(
            pl.lit("approved before it ran; whether for what was done, the records do not say"))
        .otherwise(verdict.replace(VERDICTS)),
    ).drop("fault")


@metric(
    "LIN-05", title="Changes a person approved before they ran", question="Was a person in control of these changes?",
    numerator="approval by a person at or before execution, not expired, for what was done",
    denominator="executed decisions that require one; unknown where no approval source is loaded, the order is "
                "uncertain, or what was approved cannot be compared with what was done. Scope tier0: changes of tier 0 "
                f"that AI executed, unknown where the record does not name what was changed. {OF_UNITS}",
    kind="process", direction="higher", green=0.99, red=0.80,
    refs=("PR.AA-05", "AC-3(2)", "GOVERN 3.2", "MAP 3.5", "LLM03:2026", "Art. 14", "CC8.1"),
    needs=APPROVALS, scopes=("all", "non_ai", "tier0", *BY_UNIT[2:]), tables=TABLES, version="2")
def approved_before_execution(context: Context) -> Mapping[str, Population]:
    if not loaded(context):
        return {}
    waiting = elements(context).select("case_id", pending=pl.col("approver") == "pending")
    executed = judged(context, groups(context)["all"]).filter(pl.col("involvement_class").is_in(EXECUTES)).join(
        waiting, on="case_id", how="left")
    return by_group(
        context, lambda cases: _approved(judged(context, cases).join(waiting, on="case_id", how="left")), units=True,
    ) | {"tier0": _approved(_of_tier0(executed))}


def _approved(frame: pl.DataFrame) -> Population:
    return population(frame.with_columns(
        excluded=pl.coalesce("excluded", "exempt", pl.when(pl.col("pending")).then(pl.lit("may still arrive"))),
        truth=pl.col("approved"), reason=pl.col("approved_why"),
        lack=pl.when(pl.col("approval_verdict") == "unknown").then(pl.lit("no_source"))))


def _of_tier0(frame: pl.DataFrame) -> pl.DataFrame:
    """Changes of tier 0, and as unknown those that may be and were not approved: of one that was it does not matter."""
    dark = pl.col("tier0").is_null()
    return frame.filter(pl.col("tier0").fill_null(value=True) & ~(dark & pl.col("approved").fill_null(value=False))
                        ).with_columns(
        approved=pl.when(~dark).then("approved"),
        approved_why=pl.when(dark).then(pl.lit("the record does not name what was changed")).otherwise("approved_why"))


@metric(
    "LIN-06", title="Approvals given by the person who asked", question="Did people approve their own requests?",
    numerator="the approver is the person who asked, or who benefits",
    denominator="executed decisions with an approval by a person on record; unknown where accounts are not mapped to "
                f"people. Words: needs review. {OF_UNITS}",
    kind="process", direction="lower", green=0.0, red=0.05, refs=("GV.RR-02", "PR.AA-05", "AC-5", "CC6.3"),
    needs=APPROVALS, scopes=BY_UNIT, tables=TABLES)
def self_approval(context: Context) -> Mapping[str, Population]:
    if not loaded(context):
        return {}

    def one(cases: pl.DataFrame) -> Population:
        given = with_self(cases.filter(pl.col("approval_verdict").is_in(_ON_RECORD)))
        dark = given.is_empty() and bool((cases["approval_verdict"] == "unknown").any())
        return population(given.with_columns(truth="own", reason="own_why"), lack="no_source" if dark else None)

    return by_group(context, one, units=True)


def with_self(cases: pl.DataFrame) -> pl.DataFrame:
    """The cases with ``own``: the approver is who asked or benefits (null: not known), and ``own_why``.

    An approver with another interest, such as owning the agent, is not independent and yet another person.
    """
    same: dict[str, bool | None] = {"no": True, "yes": False, "interested": False}
    words = {"no": "approver and initiator are one person", "yes": "approved by another person",
             "interested": "approved by another person, who has an interest of their own",
             "by_account_only": "another account; whether another person is not known",
             "unknown": "approver or initiator is not known"}
    independent = pl.col("independent")
    return cases.with_columns(
        own=independent.replace_strict(same, default=None, return_dtype=pl.Boolean), own_why=independent.replace(words))


_MACHINES = ("workload", "automation", "ai_agent", "ai_instance")


def approvals(context: Context) -> pl.DataFrame:
    """Approvals of the window as objects, each with its case: ``time, approver, agent_class, justified, group`` (all,
    non_ai; null: involvement unknown), ``dwell`` (seconds since the request; null: none on record)."""
    return context.once("approvals", lambda: _approvals(context))


def _approvals(context: Context) -> pl.DataFrame:
    given = context.decisions.steps.filter(
        (pl.col("kind") == "decision") & (pl.col("verdict") == "approve") & (pl.col("status") != "failed").fill_null(
            value=True) & context.in_window()).unique("step_id")
    cases = context.decisions.cases.select(
        "case_id", "involvement_class", "requested_at", "tier0", "workflow_id", "workstream")
    known = pl.col("involvement_class")
    return given.join(cases, on="case_id", how="inner").select(
        object_id="step_id", object_kind=pl.lit("approval"), source_rows=pl.col("record_ids").list.head(20),
        time="time", case_id="case_id", approver=pl.col("agent_ids").list.first(), agent_class="agent_class",
        justified="justified", tier0="tier0", workflow_id="workflow_id", workstream="workstream",
        group=pl.when(known == "none").then(pl.lit("non_ai")).when(known != "unknown").then(pl.lit("all")),
        excluded=pl.when((known == "unknown").fill_null(value=True)).then(pl.lit("involvement unknown")),
        dwell=(pl.col("time") - pl.col("requested_at")).dt.total_microseconds() / 1_000_000,
    ).sort("time", "object_id")


def approval_groups(context: Context) -> dict[str, pl.DataFrame]:
    """Approvals of AI-assisted decisions (``all``, with those of unknown involvement as excluded) and of others."""
    given = approvals(context)
    return {"all": given.filter(pl.col("group").is_null() | (pl.col("group") == "all")),
            "non_ai": given.filter(pl.col("group") == "non_ai")}


@metric(
    "LIN-07", title="Approvals given by software", question="Does anything but a person approve?",
    numerator="software, a rule or AI gave it",
    denominator="approvals of the window; unknown where the record does not show what kind of agent gave it, or names "
                "a group. Scope tier0: those of changes of tier 0",
    kind="process", direction="lower", green=0.0, refs=("GOVERN 3.2",), needs=APPROVALS,
    scopes=(*BOTH, "tier0"), tables=TABLES)
def machine_approval(context: Context) -> Mapping[str, Population]:
    if not loaded(context):
        return {}
    kind = pl.col("agent_class")

    def one(given: pl.DataFrame) -> Population:
        return population(given.with_columns(
            truth=pl.when(kind.is_in(_MACHINES)).then(pl.lit(value=True)).when(kind == "human").then(
                pl.lit(value=False)),
            reason=pl.format("given by {}", kind.fill_null("unknown").replace(_AGENTS))))

    given = approval_groups(context)
    return {scope: one(rows) for scope, rows in given.items()} | {
        "tier0": one(approvals(context).filter(pl.col("tier0").fill_null(value=False)))}


_AGENTS = {"human": "a person", "workload": "software", "automation": "a rule", "ai_agent": "an AI agent",
           "ai_instance": "an AI assistant", "group": "a group", "organisation": "an organisation",
           "unknown": "a caller of unknown kind"}


@metric(
    "LIN-08", title="Changes in which one person had several parts",
    question="Does one person ask, approve, carry out and verify?",
    numerator="one person holds two or more of request, approve, execute, verify. Carrying out one's own request in "
              "the system it was made in is one part: the system did it",
    denominator="executed decisions with two or more of these roles known; unknown where accounts that may be one "
                "person's are not mapped to people. Software is no person",
    kind="process", direction="lower", green=0.01, red=0.10,
    refs=("GV.RR-02", "PR.AA-05", "AC-5", "CC5.1"), needs=NEEDS, scopes=BOTH,
    tables=TABLES)
def segregation(context: Context) -> Mapping[str, Population]:
    if not loaded(context):
        return {}
    held = conflicts(context)
    return by_group(context, lambda cases: population(cases.join(held, on="case_id", how="left").with_columns(
        excluded=pl.coalesce("excluded", pl.when(pl.col("roles").fill_null(0) < 2).then(
            pl.lit("fewer than two of its roles are known"))),
        truth="conflict", reason="conflict_why")))


@metric(
    "LIN-09", title="Changes within what was approved", question="Was more done than was approved?",
    numerator="what was executed is what was approved, or less",
    denominator="executed decisions with an approval by a person on record; unknown where the two cannot be compared. "
                "Records of the change are compared, not summaries of it",
    kind="process", direction="higher", green=0.99, red=0.90, refs=("CM-3", "ASI02", "CC8.1"), needs=APPROVALS,
    scopes=BOTH, tables=TABLES)
def within_scope(context: Context) -> Mapping[str, Population]:
    if not loaded(context):
        return {}
    exceeded = pl.col("case_id").is_in(found_in(context, "scope_exceeded"))
    words = {"exact": "done as approved", "narrower": "less was done than approved",
             "broader": "more was done than approved", "different": "something else was done than approved",
             "unknown": "what was approved cannot be compared with what was done"}

    def one(cases: pl.DataFrame) -> Population:
        given = cases.filter(
            (pl.col("effect_match").is_not_null() & pl.col("approval_verdict").is_in(_ON_RECORD)) | exceeded)
        dark = given.is_empty() and cases.height > 0
        return population(given.with_columns(
            truth=pl.when(exceeded).then(pl.lit(value=False)).otherwise(scope_match()),
            reason=pl.when(exceeded & scope_match().fill_null(value=True)).then(pl.lit(words["broader"])).otherwise(
                pl.col("effect_match").replace(words))), lack="no_source" if dark else None)

    return by_group(context, one)
