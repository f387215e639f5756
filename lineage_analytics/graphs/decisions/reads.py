"""What an assistant had read when it asked, advised or acted: interactions of the trace that its steps belong to, and
conversations that the texts of a request quote.

One trace is one piece of work of one agent, and its id is written by software: tier 4. A conversation id in a text is
its writer's to choose: tier 2 at most. What was read afterwards informed nothing.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any, NamedTuple

import polars as pl

from lineage_analytics.graphs.decisions.case import Joint
from lineage_analytics.graphs.decisions.steps import SKEW_BETWEEN, SKEW_INSIDE
from lineage_analytics.loaders.common.ids import derived_id

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lineage_analytics.facts import Facts
    from lineage_analytics.graphs.decisions.case import Case
    from lineage_analytics.graphs.decisions.steps import Step

Row = dict[str, Any]
_MOST = 20
_QUOTED = Joint("quoted_key", 2, "quoted-thread")
_TRACED = Joint("native_ref", 4, "same-trace")
_TRACES = {"otel_genai": "lineage_case", "mcp_jsonrpc": "mcp_request"}
"""Sources of which an event's id begins with the trace or session it is of, and the key of their steps."""
_UNSTATED = dict.fromkeys((
    "initiator_id", "on_behalf_of_id", "assistant_id", "capacity", "origin", "recommended_value", "decided_value",
    "applied_value", "expires_at", "before_state", "after_state", "justified", "verdict", "effect_key"))
_COLUMNS = ("tenant", "thread_id", "time", "record_id", "event_id", "user_id", "agent_id", "resource_id", "source")
Key = tuple[str | None, str]


class Read(NamedTuple):
    """An interaction that informed a step."""

    step: Step
    row: Row
    joint: Joint

    def id(self, case: Case) -> str:
        return derived_id("step", case.id, self.row["record_id"], "data_access")


class Reads:
    """Interactions by conversation and by trace; only those that some step speaks of are held."""

    def __init__(self, facts: Facts, steps: Sequence[Step]) -> None:
        quoted = {key for step in steps for key in step.quoted}
        traced = {key for step in steps if (key := _trace(step)) is not None}
        self._threads: dict[Key, list[Row]] = defaultdict(list)
        self._traces: dict[Key, list[Row]] = defaultdict(list)
        if not (quoted or traced):
            return
        trace = pl.col("event_id").str.split("/").list.first()
        of_trace = pl.col("source").is_in(list(_TRACES)) & trace.is_in([key for _, key in traced])
        of_thread = pl.col("thread_id").is_in(quoted)
        frame = facts["assistant_access"].filter((of_thread | of_trace) & (pl.col("time") <= facts.as_of)).select(
            *_COLUMNS, trace=pl.when(of_trace).then(trace)).sort(*_COLUMNS, nulls_last=True).unique(
            "record_id", keep="first", maintain_order=True).sort("time", "record_id").collect()
        for row in frame.iter_rows(named=True):
            if row["thread_id"] in quoted:
                self._threads[row["tenant"], row["thread_id"]].append(row)
            if row["trace"] is not None:
                self._traces[row["tenant"], row["trace"]].append(row)

    def of(self, case: Case) -> list[Read]:
        """What informed the case: first what stands in its traces, then what its texts quote, at most twenty each."""
        return [*self._traced(case)[:_MOST], *self._quoting(case)[:_MOST]]

    def _traced(self, case: Case) -> list[Read]:
        found: dict[str, Read] = {}
        for step in case.of("recommendation", "draft", "request", "decision", "action") if self._traces else ():
            key = _trace(step)
            for row in self._traces.get(key, ()) if key is not None else ():
                if row["time"] <= step.time + SKEW_INSIDE:
                    found.setdefault(row["record_id"], Read(step, row, _TRACED))
        return list(found.values())

    def _quoting(self, case: Case) -> list[Read]:
        """Interactions in a quoted thread before the text was written, the newest of each thread."""
        found: list[Read] = []
        for step in case.of("request")[:1] or [case.anchor] if self._threads else ():
            for key in step.quoted:
                before = [row for row in self._threads.get((step.tenant, key), ()) if row["time"] <= step.time]
                if before:
                    found.append(Read(step, before[-1], _QUOTED))
        return found

    def rejects(self, case: Case) -> list[Row]:
        """Quoted conversations that only began after the text was written."""
        return [
            {"src": step.id, "rel": "informed_by", "candidates": [row["record_id"] for row in rows[:_MOST]],
             "reason": "outside_window"}
            for step in case.steps for key in step.quoted
            if (rows := self._threads.get((step.tenant, key), [])) and all(row["time"] > step.time for row in rows)]


def _trace(step: Step) -> Key | None:
    """The trace or session a step is of, as its source writes it."""
    kind = _TRACES.get(step.source)
    if kind is None or step.key_kind != kind:
        return None
    written = step.correlation if step.source == "otel_genai" else step.event
    return (step.tenant, written.partition("/")[0]) if written else None


def as_steps(case: Case, reads: Sequence[Read]) -> list[Row]:
    """The interactions as steps of the case, each once."""
    return list({read.id(case): {
        "step_id": read.id(case), "case_id": case.id, "kind": "data_access", "time": read.row["time"],
        "agent_ids": [who for who in (read.row["agent_id"] or read.row["user_id"],) if who], "agent_class": "unknown",
        "operation": "assistant interaction", "target_key": read.row["resource_id"] if read.joint is _TRACED else None,
        "status": "succeeded", "event_id": read.row["event_id"], "record_ids": [read.row["record_id"]],
        "authority_mode": "inherited", "title": "read in the same trace" if read.joint is _TRACED
        else "a conversation the request quotes", "source": read.row["source"], "tenant": read.row["tenant"],
        **_UNSTATED,
    } for read in reads}.values())


def as_links(case: Case, reads: Sequence[Read]) -> list[Row]:
    """What each interaction informed."""
    made = {}
    for step, row, joint in reads:
        target = Read(step, row, joint).id(case)
        band = (SKEW_INSIDE if step.source == row["source"] else SKEW_BETWEEN).total_seconds()
        apart = (row["time"] - step.time).total_seconds()
        made[step.id, target] = {
            "src": step.id, "dst": target, "rel": "read" if joint is _TRACED else "informed_by",
            "method": joint.method, "confidence": 0.95 if joint is _TRACED else 0.7, "tier": joint.tier,
            "delta_seconds": apart, "skew_band_s": band, "clock_offset_s": 0.0, "asserted_by": step.source,
            "order": "prior" if -apart > band else "order_uncertain",
            "record_ids": sorted({*step.records, row["record_id"]}), "rule_id": joint.rule, "n_candidates": 1}
    return list(made.values())
