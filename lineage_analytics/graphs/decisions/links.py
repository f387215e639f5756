"""Links between steps with method and tier, and what was considered and not linked (decision-lineage 5)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from lineage_analytics.graphs.decisions.steps import SKEW_BETWEEN, Step, skew
from lineage_analytics.graphs.decisions.verdicts import PROVED
from lineage_analytics.loaders.common.ids import derived_id

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lineage_analytics.facts import Facts
    from lineage_analytics.graphs.decisions.case import Case
    from lineage_analytics.graphs.decisions.matching import Doubt
    from lineage_analytics.graphs.decisions.rollbacks import Pairs
    from lineage_analytics.graphs.decisions.verdicts import Approval

Row = dict[str, Any]
_CONFIDENCE = {5: 1.0, 4: 0.95, 3: 0.9, 2: 0.7, 1: 0.5}
_QUOTED_MOST = 20
_UNSTATED = dict.fromkeys((
    "initiator_id", "on_behalf_of_id", "assistant_id", "capacity", "origin", "recommended_value", "decided_value",
    "applied_value", "expires_at", "before_state", "after_state", "justified"))
_BETWEEN = SKEW_BETWEEN.total_seconds()
_REJECTED = {"decision": "authorised_by", "request": "requested_by", "expiry": "ends"}


def link(src: Step, dst: Step, rel: str, method: str, tier: int, rule: str, candidates: int = 1) -> Row:
    return {
        "src": src.id, "dst": dst.id, "rel": rel, "method": method, "confidence": _CONFIDENCE[tier], "tier": tier,
        "delta_seconds": (dst.time - src.time).total_seconds(), "skew_band_s": skew(src, dst).total_seconds(),
        "clock_offset_s": 0.0, "order": order(src, dst), "asserted_by": src.source,
        "record_ids": sorted({*src.records, *dst.records}), "rule_id": rule, "n_candidates": candidates,
    }


def order(src: Step, dst: Step) -> str:
    """When ``dst`` was, seen from ``src``, as far as the clocks tell."""
    apart, band = dst.time - src.time, skew(src, dst)
    return "order_uncertain" if abs(apart) <= band else "later" if apart > band else "prior"


def case_links(case: Case, approved: Approval) -> list[Row]:
    """Links of one provider key. A decision about another target than the action is no link: see ``rejects``."""
    requests, decisions = case.about("request"), case.of("decision")
    actions = case.of("action", "rollback")
    together: list[tuple[Step, Step, str]] = []
    if requests:
        together += [(d, requests[0], "about") for d in decisions] + [(a, requests[0], "requested_by") for a in actions]
    if approved.by is not None and approved.by.verdict == "approve":
        together += [(a, approved.by, "authorised_by") for a in actions]
    if actions:
        together += [(e, actions[0], "ends") for e in case.of("expiry")]
    proposed, signals = case.of("recommendation", "draft")[:1], case.of("signal")[:1]
    together += [(d, r, "about") for r in proposed for d in decisions]
    together += [(r, s, "informed_by") for s in signals for r in case.of("recommendation")]
    return [made for src, dst, rel in together if (made := _inside(case, src, dst, rel)) is not None]


def _inside(case: Case, src: Step, dst: Step, rel: str) -> Row | None:
    """The link on the evidence that holds the two together; weak evidence needs targets that are stated and agree."""
    joint = case.joint(src, dst)
    if not _agree(src, dst) or (joint.tier < PROVED and (src.target is None or dst.target is None)):
        return None
    return link(src, dst, rel, joint.method, joint.tier, joint.rule)


def _agree(one: Step, other: Step) -> bool:
    return one.target is None or other.target is None or one.target == other.target


def rejects(case: Case, approved: Approval) -> list[Row]:
    """Steps under one key about different targets: the provider reuses keys, so the target decides."""
    anchor = case.anchor
    found = [(step, "target_differs") for step in case.steps if step.kind in _REJECTED and not _agree(step, anchor)]
    if approved.reason == "ambiguous" or approved.verdict == "contradicted":
        found += [(step, "target_differs" if step.target else "ambiguous") for step in (*case.steps, *case.shared)
                  if step.kind == "decision" and (step.target is None or step.target != anchor.target)]
    rows = {(step.id, reason): {"src": anchor.id, "rel": _REJECTED[step.kind], "candidates": [step.id],
                                "reason": reason} for step, reason in found}
    return list(rows.values())


def rollback_links(pairs: Pairs) -> list[Row]:
    return [link(pair.undoing, pair.undone, "rolls_back", "inverse", 4 if pair.proved else 2, pair.kind)
            for pair in pairs.made]


def doubted(doubts: Sequence[Doubt]) -> list[Row]:
    return [{"src": doubt.step.id, "rel": doubt.rel, "candidates": list(doubt.candidates), "reason": doubt.reason}
            for doubt in doubts]


def rollback_rejects(pairs: Pairs) -> list[Row]:
    return [{"src": pair.undoing.id, "rel": "rolls_back", "candidates": [pair.undone.id], "reason": pair.reason}
            for pair in pairs.doubted]


class Quotes:
    """Conversations that requests quote in their text. The text is the requester's to write: tier 2 at most."""

    def __init__(self, facts: Facts, steps: Sequence[Step]) -> None:
        wanted = sorted({key for step in steps for key in step.quoted})
        self._threads: dict[tuple[str | None, str], list[Row]] = {}
        if not wanted:
            return
        frame = facts["assistant_access"].filter(
            pl.col("thread_id").is_in(wanted) & (pl.col("time") <= facts.as_of)).select(
            "tenant", "thread_id", "time", "record_id", "event_id", "user_id", "source",
        ).unique("record_id", keep="first").sort("time", "record_id").collect()
        for row in frame.iter_rows(named=True):
            self._threads.setdefault((row["tenant"], row["thread_id"]), []).append(row)

    def _matches(self, case: Case) -> list[tuple[Step, Row]]:
        """Interactions in a quoted thread before the text was written, the newest of each thread."""
        found: list[tuple[Step, Row]] = []
        for step in case.of("request")[:1] or [case.anchor] if self._threads else ():
            for key in step.quoted:
                before = [row for row in self._threads.get((step.tenant, key), ()) if row["time"] <= step.time]
                if before:
                    found.append((step, before[-1]))
        return found[:_QUOTED_MOST]

    def of(self, case: Case) -> tuple[str, ...]:
        """Record ids of the quoted interactions."""
        return tuple(sorted({row["record_id"] for _, row in self._matches(case)}))

    def steps(self, case: Case) -> list[Row]:
        """The quoted interactions as steps of the case."""
        rows = {row["record_id"]: row for _, row in self._matches(case)}
        return [{
            "step_id": derived_id("step", case.id, row["record_id"], "data_access"), "case_id": case.id,
            "kind": "data_access", "time": row["time"], "agent_ids": [i for i in (row["user_id"],) if i],
            "agent_class": "unknown", "operation": "assistant interaction", "verdict": None, "target_key": None,
            "effect_key": None, "status": "succeeded", "event_id": row["event_id"], "record_ids": [row["record_id"]],
            "authority_mode": "inherited", "title": "a conversation the request quotes", "source": row["source"],
            "tenant": row["tenant"], **_UNSTATED,
        } for row in rows.values()]

    def links(self, case: Case) -> list[Row]:
        made = {}
        for step, row in self._matches(case):
            target = derived_id("step", case.id, row["record_id"], "data_access")
            made[step.id, target] = {
                "src": step.id, "dst": target, "rel": "informed_by", "method": "quoted_key", "confidence": 0.7,
                "tier": 2, "delta_seconds": (row["time"] - step.time).total_seconds(), "skew_band_s": 300.0,
                "clock_offset_s": 0.0, "asserted_by": step.source,
                "order": "prior" if (step.time - row["time"]).total_seconds() > _BETWEEN else "order_uncertain",
                "record_ids": sorted({*step.records, row["record_id"]}), "rule_id": "quoted-thread", "n_candidates": 1}
        return list(made.values())

    def rejects(self, case: Case) -> list[Row]:
        """Quoted conversations that only began after the text was written."""
        return [
            {"src": step.id, "rel": "informed_by", "candidates": [row["record_id"] for row in rows[:_QUOTED_MOST]],
             "reason": "outside_window"}
            for step in case.steps for key in step.quoted
            if (rows := self._threads.get((step.tenant, key), [])) and all(row["time"] > step.time for row in rows)]
