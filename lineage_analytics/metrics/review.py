"""Is a person's approval a decision: haste, time taken, overrides, load (design section 3.4, LIN-10 to LIN-13).

What is found of people here is an indication and never a verdict; its words are "needs review".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from lineage_analytics.metrics import intervals
from lineage_analytics.metrics.approvals import APPROVALS, approval_groups
from lineage_analytics.metrics.catalog import metric
from lineage_analytics.metrics.lineage import BOTH, BY_UNIT, TABLES, by_unit, loaded
from lineage_analytics.metrics.population import Figure, Population, population
from lineage_analytics.metrics.survival import Durations

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lineage_analytics.metrics.context import Context

HASTE_SECONDS = 10.0
BURST, BURST_SECONDS = 5, 60
_PEERS = 20
_SIGNALS_KNOWN, _SIGNALS_FOUND = 3, 2
_REVIEWS = 30
_BAND = (0.03, 0.25)
_SIGNALS = {"hasty": "given in haste", "burst": "one of five or more within a minute",
            "silent": "without a reason", "unread": "evidence not opened"}


@metric(
    "LIN-10", title="Approvals that need review", question="Did somebody think before approving?",
    numerator="two or more of four signals: given within 10 seconds or faster than all but 5 % of approvals without "
              "AI; one of five or more by the same person within 60 seconds; no reason given; evidence not opened. An "
              "index, not proof: needs review",
    denominator="approvals by people in the window of which three or more signals are known. That evidence was not "
                "opened is never known, only that it was",
    kind="process", direction="lower", green=0.05, red=0.30, refs=("MAP 3.5", "ASI09", "Art. 14(4)(b)"),
    needs="approvals with request times and reasons", scopes=BY_UNIT, tables=TABLES)
def rubber_stamps(context: Context) -> Mapping[str, Population]:
    if not loaded(context):
        return {}
    given = approval_groups(context)
    peers = given["non_ai"].filter((pl.col("agent_class") == "human") & (pl.col("dwell") >= 0))["dwell"].sort()
    floor = HASTE_SECONDS
    if len(peers) >= _PEERS:
        floor = max(floor, float(peers.quantile(0.05, interpolation="linear") or 0.0))
    opened = _opened(context)
    marked = {scope: _signals(rows.filter(pl.col("agent_class") == "human"), floor, opened)
              for scope, rows in given.items()}
    found = {scope: _stamped(rows) for scope, rows in marked.items()}
    return found | by_unit(marked["all"], _stamped)


def _stamped(rows: pl.DataFrame) -> Population:
    states = [pl.col(name) for name in _SIGNALS]
    known = pl.sum_horizontal(state.is_not_null().cast(pl.Int64) for state in states)
    shown = pl.sum_horizontal(state.fill_null(value=False).cast(pl.Int64) for state in states)
    said = pl.concat_list(pl.when(pl.col(name).fill_null(value=False)).then(pl.lit(word))
                          for name, word in _SIGNALS.items()).list.drop_nulls().list.join(", ")
    return population(rows.with_columns(
        truth=pl.when(known >= _SIGNALS_KNOWN).then(shown >= _SIGNALS_FOUND),
        reason=pl.when(known < _SIGNALS_KNOWN).then(pl.lit("fewer than three of the four signals are known"))
        .when(shown >= _SIGNALS_FOUND).then(pl.format("needs review: {}", said))
        .when(shown > 0).then(pl.format("one signal alone: {}", said)).otherwise(pl.lit("no signal")),
        lack=pl.when(known < _SIGNALS_KNOWN).then(pl.lit("definition_not_met"))))


def _signals(given: pl.DataFrame, floor: float, opened: pl.DataFrame) -> pl.DataFrame:
    """The four signals of each approval; null where the records cannot show one. An approval before its request is no
    haste: its time is not known."""
    rows = _bursts(given).join(opened, on=["case_id", "approver"], how="left")
    return rows.with_columns(
        hasty=pl.when(pl.col("dwell") >= 0).then(pl.col("dwell") < floor),
        silent=pl.col("justified").not_(),
        unread=pl.when(pl.col("opened_at") <= pl.col("time")).then(pl.lit(value=False)))


def _bursts(given: pl.DataFrame) -> pl.DataFrame:
    """Whether some 60 seconds that hold the approval hold four more of the same approver; null: approver unknown."""
    rows = given.sort("approver", "time", "object_id", nulls_last=True)
    seconds = pl.col("time").dt.timestamp("us")
    span = BURST_SECONDS * 1_000_000
    starts = [((seconds.shift(-(BURST - 1 - back)).over("approver") - seconds.shift(back).over("approver")) <= span
               ).fill_null(value=False) for back in range(BURST)]
    return rows.with_columns(burst=pl.when(pl.col("approver").is_not_null()).then(pl.any_horizontal(starts)))


def _opened(context: Context) -> pl.DataFrame:
    """When an approver first opened what the case rests on, where a record shows it."""
    return context.decisions.steps.filter((pl.col("kind") == "data_access") & pl.col("case_id").is_not_null()).select(
        "case_id", "time", approver=pl.col("agent_ids").list.first()).drop_nulls("approver").group_by(
        "case_id", "approver").agg(opened_at=pl.col("time").min())


# --- time to approve -----------------------------------------------------------------------------------------------

_SHARES = {"p10": 0.1, "p50": 0.5, "p90": 0.9}
_MINUTE = 60.0


@metric(
    "LIN-11", title="Time to approve", question="How long does a person look at a request?",
    numerator="approval less request, in minutes: the time after which a tenth, half and nine tenths are approved. "
              "Scope compression: half of the others, in units of half of the AI-assisted ones",
    denominator="requests approved in the window by people, and those still open; a request without a time of its own "
                "is unknown, and one that was denied is left out",
    kind="process", unit="minutes", direction="band", green=0.5, refs=("ASI09", "Art. 14(4)(b)"),
    needs="approvals with request times", tables=TABLES,
    scopes=(*_SHARES, *(f"{name}/non_ai" for name in _SHARES), "compression"))
def time_to_approve(context: Context) -> Mapping[str, Population]:
    if not loaded(context):
        return {}
    found: dict[str, Population] = {}
    groups = {scope: waits(context, scope) for scope in BOTH}
    for scope, rows in groups.items():
        held = durations(rows)
        for name, share in _SHARES.items():
            tail = "" if scope == "all" else f"/{scope}"
            found[f"{name}{tail}"] = quantile(rows, held, share)
    return found | {"compression": compression(groups["non_ai"], groups["all"])}


def waits(context: Context, scope: str) -> pl.DataFrame:
    """Requests of one group with how many minutes each waited: approved by a person in the window, or still open."""
    return context.once(f"waits:{scope}", lambda: _waits(context, scope))


def _waits(context: Context, scope: str) -> pl.DataFrame:
    given = approval_groups(context)[scope].filter(pl.col("agent_class") == "human").select(
        "object_id", "object_kind", "source_rows", "excluded", minutes=pl.col("dwell") / _MINUTE,
        ended=pl.lit(value=True), cluster=pl.coalesce("workflow_id", "approver", "object_id"))
    known = pl.col("involvement_class")
    of_group = (known == "none") if scope == "non_ai" else (known != "none")
    waiting = context.decisions.cases.filter(
        (pl.col("status") == "pending") & of_group & pl.col("requested_at").is_not_null()
        & pl.col("approved_at").is_null() & context.in_window("requested_at")).select(
        object_id="case_id", object_kind=pl.lit("request"), source_rows=pl.lit([], dtype=pl.List(pl.String)),
        excluded=pl.when(known == "unknown").then(pl.lit("involvement unknown")),
        minutes=(pl.lit(context.facts.as_of) - pl.col("requested_at")).dt.total_microseconds() / 60e6,
        ended=pl.lit(value=False), cluster=pl.coalesce("workflow_id", "initiator_id", "case_id"))
    timed = pl.col("minutes") >= 0
    return pl.concat([given, waiting]).with_columns(
        state=pl.when(pl.col("excluded").is_not_null()).then(pl.lit("excluded"))
        .when(timed.fill_null(value=False)).then(pl.lit("in")).otherwise(pl.lit("unknown")),
        reason=pl.when(pl.col("minutes").is_null()).then(pl.lit("no request with a time is on record"))
        .when(~timed).then(pl.lit("approved before it was asked for, as logged"))
        .when("ended").then(pl.format("approved after {} minutes", pl.col("minutes").round(1)))
        .otherwise(pl.format("still open after {} minutes", pl.col("minutes").round(1))),
        lack=pl.when(~timed.fill_null(value=False)).then(pl.lit("definition_not_met"))).sort("object_id")


def durations(rows: pl.DataFrame) -> Durations:
    known = rows.filter(pl.col("state") == "in").sort("minutes", "object_id")
    return Durations(known["minutes"].to_list(), known["ended"].to_list(), known["cluster"].to_list())


def quantile(rows: pl.DataFrame, held: Durations, share: float) -> Population:
    """The time after which ``share`` of the rows have ended; not scored where so many are still open."""
    count = held.lengths.size
    value = held.quantile(share) if count else None
    if value is None:
        unseen = bool((rows["state"] == "unknown").any())
        lack = "coverage_below_min" if count else None if unseen else "denominator_below_min"
        return population(rows, "figure", lack=lack)
    low, high = held.limits(share) or (None, None)
    return population(rows, "figure", **small(count), figure=Figure(
        value, low, high, "bootstrap", denominator=float(count)))


def small(count: float) -> dict[str, Any]:
    """The gate of small denominators, for figures."""
    if count < 10:
        return {"lack": "denominator_below_min"}
    return {"doubt": "denominator_below_min"} if count < 30 else {}


def compression(others: pl.DataFrame, assisted: pl.DataFrame) -> Population:
    """How many times longer a person takes over a change without AI: median over median."""
    held = [durations(rows) for rows in (others, assisted)]
    rows = pl.concat([others, assisted])
    count = min(one.lengths.size for one in held)
    medians = [one.quantile(0.5) if count else None for one in held]
    if None in medians or not medians[1]:
        return population(rows, "figure", unit="ratio", lack="denominator_below_min" if not count else "no_baseline")
    with np.errstate(invalid="ignore", divide="ignore"):  # a resample in which so many are still open has no ratio
        drawn = held[0].quantiles(0.5) / held[1].quantiles(0.5)
    low, high = intervals.percentile_limits(drawn) or (None, None)
    value = float(medians[0] or 0) / float(medians[1])
    return population(rows, "figure", unit="ratio", **small(count), figure=Figure(
        value, low, high, "bootstrap", denominator=float(rows.filter(pl.col("state") == "in").height)))


# --- overrides and load ----------------------------------------------------------------------------------------------

@metric(
    "LIN-12", title="Recommendations that people changed or rejected", question="Does anybody ever say no to AI?",
    numerator="rejected, or carried out otherwise than recommended. Scope approvers: approvers whose share lies "
              "outside 3 to 25 %: needs review",
    denominator="recommendations by AI that somebody decided on in the window (scope non_ai: by rules and people); "
                "scope approvers: those who decided on 30 or more",
    kind="process", direction="band",
    refs=("AC-3(10)", "MAP 2.2", "MANAGE 4.1", "LLM07:2026", "ASI09", "Art. 14(4)(d)"),
    needs="recommendations and what became of them", scopes=(*BOTH, "approvers"), tables=TABLES)
def overrides(context: Context) -> Mapping[str, Population]:
    if not loaded(context):
        return {}
    reviewed = _reviewed(context)
    if reviewed.is_empty():
        bare = population(reviewed.with_columns(truth=pl.lit(None, dtype=pl.Boolean)), lack="no_source")
        return dict.fromkeys((*BOTH, "approvers"), bare)
    words = {"accepted": "carried out as recommended", "changed": "carried out otherwise", "rejected": "rejected"}
    ai = (pl.col("origin") == "ai").fill_null(value=False)
    told = reviewed.with_columns(
        truth=pl.col("advice_verdict") != "accepted", reason=pl.col("advice_verdict").replace(words),
        excluded=pl.when((pl.col("origin") == "unknown") | pl.col("origin").is_null()).then(
            pl.lit("who recommended it is unknown")))
    return {"all": population(told.filter(ai | pl.col("excluded").is_not_null())),
            "non_ai": population(told.filter(~ai & pl.col("excluded").is_null())),
            "approvers": _approvers(told.filter(ai))}


def _reviewed(context: Context) -> pl.DataFrame:
    """Cases whose recommendation somebody decided on in the window, with who did."""
    steps = context.decisions.steps.filter(pl.col("case_id").is_not_null()).sort("time", "step_id")
    advice = steps.filter(pl.col("kind") == "recommendation").group_by("case_id", maintain_order=True).agg(
        origin=pl.col("origin").drop_nulls().first(), source_rows=pl.col("record_ids").explode().drop_nulls().head(20))
    decided = steps.filter((pl.col("kind") == "decision") & (pl.col("agent_class") == "human")).group_by(
        "case_id", maintain_order=True).agg(decider=pl.col("agent_ids").list.first().drop_nulls().last(),
                                            decided_at=pl.col("time").last())
    return context.decisions.cases.filter(pl.col("advice_verdict").is_not_null()).join(
        advice, on="case_id", how="left").join(decided, on="case_id", how="left").with_columns(
        object_id=pl.col("case_id"), object_kind=pl.lit("decision"),
        decider=pl.coalesce("approver_id", "decider"), source_rows=pl.col("source_rows").fill_null([]),
        at=pl.coalesce("approved_at", "decided_at", "time")).filter(context.in_window("at"))


def _approvers(reviewed: pl.DataFrame) -> Population:
    shares = reviewed.filter(pl.col("decider").is_not_null()).group_by("decider").agg(
        n=pl.len(), k=pl.col("truth").sum(),
        source_rows=pl.col("source_rows").explode().drop_nulls().unique().sort().head(20)
    ).filter(pl.col("n") >= _REVIEWS).with_columns(share=pl.col("k") / pl.col("n"))
    return population(shares.with_columns(
        object_id=pl.col("decider"), object_kind=pl.lit("approver"),
        truth=~pl.col("share").is_between(*_BAND),
        reason=pl.format("changed or rejected {} of {}{}", "k", "n", pl.when(
            pl.col("share").is_between(*_BAND)).then(pl.lit("")).otherwise(pl.lit(": needs review")))))


@metric(
    "LIN-13", title="Approvals in an hour of one approver", question="Can an approver still look at each?",
    numerator="approvals by one person in one hour of the clock: what nineteen of twenty such hours do not exceed. "
              "Scope top: approvals by whoever gives most",
    denominator="hours in which somebody approved, in the window; scope top: approvals whose approver is known",
    kind="process", unit="count", direction="lower", green=20.0, red=60.0, refs=("MAP 3.5",), needs=APPROVALS,
    scopes=("p95", "top", "p95/non_ai", "top/non_ai"), tables=TABLES)
def load(context: Context) -> Mapping[str, Population]:
    if not loaded(context):
        return {}
    found = {}
    for scope, rows in approval_groups(context).items():
        tail = "" if scope == "all" else f"/{scope}"
        given = rows.filter(pl.col("agent_class") == "human")
        found[f"p95{tail}"] = population(hours(given), "p95")
        most = given.filter(pl.col("excluded").is_null())["approver"].drop_nulls().value_counts().sort(
            ["count", "approver"], descending=[True, False])
        top = most["approver"][0] if most.height else None
        found[f"top{tail}"] = population(given.with_columns(
            truth=pl.col("approver").eq(pl.lit(top, dtype=pl.String)),
            reason=pl.format("given by {}", pl.col("approver").fill_null("an approver who is not on record"))),
            "part", unit="share")
    return found


def hours(given: pl.DataFrame) -> pl.DataFrame:
    """Hours of approvers as objects, ``value`` the approvals in each; one whose approver is not known is unknown."""
    counted = given.filter(pl.col("excluded").is_null()).with_columns(hour=pl.col("time").dt.truncate("1h")).sort(
        "time", "object_id").group_by("approver", "hour", maintain_order=True).agg(
        value=pl.len().cast(pl.Float64), source_rows=pl.col("source_rows").explode().drop_nulls().head(20))
    known = pl.col("approver").is_not_null()
    return counted.select(
        object_id=pl.format("{}|{}", pl.col("approver").fill_null("unknown"),
                            pl.col("hour").dt.strftime("%Y-%m-%dT%HZ")),
        object_kind=pl.lit("approver_hour"), state=pl.when(known).then(pl.lit("in")).otherwise(pl.lit("unknown")),
        value=pl.when(known).then("value"), worst=pl.when(known).then("value"), best=pl.when(known).then("value"),
        reason=pl.format("{} approvals in the hour", pl.col("value").cast(pl.Int64)), source_rows="source_rows")
