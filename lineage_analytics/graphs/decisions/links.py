"""Links between steps with method and tier, and what was considered and not linked (decision-lineage 5)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lineage_analytics.graphs.decisions.approvals import PROVED, Approval
from lineage_analytics.graphs.decisions.case import Joint
from lineage_analytics.graphs.decisions.steps import Step

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lineage_analytics.graphs.decisions.case import Case
    from lineage_analytics.graphs.decisions.clocks import Clocks
    from lineage_analytics.graphs.decisions.matching import Doubt
    from lineage_analytics.graphs.decisions.rollbacks import Pairs

Row = dict[str, Any]
Trio = tuple[Step, Step, str]
_CONFIDENCE = {5: 1.0, 4: 0.95, 3: 0.9, 2: 0.7, 1: 0.5}
_REJECTED = {"decision": "authorised_by", "request": "requested_by", "expiry": "ends"}


def link(src: Step, dst: Step, rel: str, joint: Joint, clocks: Clocks) -> Row:
    """One link; ``delta_seconds`` as logged, ``order`` with the clocks corrected."""
    return {
        "src": src.id, "dst": dst.id, "rel": rel, "method": joint.method, "confidence": _CONFIDENCE[joint.tier],
        "tier": joint.tier, "delta_seconds": (dst.time - src.time).total_seconds(),
        "skew_band_s": clocks.band(src, dst).total_seconds(),
        "clock_offset_s": clocks.offset(src, dst).total_seconds(), "order": clocks.order(src, dst),
        "asserted_by": src.source, "record_ids": sorted({*src.records, *dst.records}), "rule_id": joint.rule,
        "n_candidates": 1,
    }


def case_links(case: Case, approved: Approval, clocks: Clocks) -> list[Row]:
    """Links within one case. A decision about another target than the action is no link: see ``rejects``."""
    seen: set[tuple[str, str, str]] = set()
    rows = []
    for src, dst, rel in (
            *_asked(case), *_authorised(case, approved), *_led(case), *_followed(case)):
        if (src.id, dst.id, rel) not in seen and (row := _inside(case, src, dst, rel, clocks)) is not None:
            seen.add((src.id, dst.id, rel))
            rows.append(row)
    return rows


def _asked(case: Case) -> Iterator[Trio]:
    """Each decision about the request of its own system, each change by every request that led to it."""
    requests: dict[tuple[str | None, str | None], Step] = {}
    for request in case.about("request"):
        requests.setdefault((request.key_kind, request.key), request)
    first = next(iter(requests.values()), None)
    if first is None:
        return
    for decision in (*case.of("decision"), *(s for s in case.shared if s.kind == "decision" and s.id in case.lent)):
        yield decision, requests.get((decision.key_kind, decision.key), first), "about"
    for action in case.of("action", "rollback"):
        own = requests.get((action.key_kind, action.key))
        for request in (own,) if own is not None and action.remove else requests.values():
            yield action, request, "requested_by"


def _authorised(case: Case, approved: Approval) -> Iterator[Trio]:
    """The change by the decision that counts; a merge or a ticket's own work by the last approval of its system."""
    actions = case.of("action", "rollback")
    nearest = min((action.remove for action in actions), default=0)
    for action in actions:
        decision = approved.by if action.remove == nearest else next(
            (d for d in reversed(case.of("decision")) if (d.key_kind, d.key) == (action.key_kind, action.key)
             and d.verdict == "approve"), None)
        if decision is not None and decision.verdict == "approve":
            yield action, decision, "authorised_by"


def _led(case: Case) -> Iterator[Trio]:
    """What came of what, up to the change: signal, advice, draft, decision."""
    signals, advice, drafts = case.signals()[:1], case.of("recommendation"), case.of("draft")
    for proposed in (*advice[:1], *drafts[:1]):
        yield from ((decision, proposed, "about") for decision in case.of("decision"))
    for signal in signals:
        yield from ((recommendation, signal, "informed_by") for recommendation in advice)
    for recommendation in advice[:1]:
        yield from ((recommendation, draft, "proposes") for draft in drafts)


def _followed(case: Case) -> Iterator[Trio]:
    """What the change came from elsewhere, and what came of it."""
    for action in case.acts("action", "rollback")[:1]:
        yield from ((action, recommendation, "informed_by") for recommendation in case.of("recommendation")[:1]
                    if case.joint(action, recommendation).tier < PROVED)
        yield from ((ended, action, "ends") for ended in case.of("expiry"))
        yield from ((outcome, action, "resulted_in") for outcome in case.of("outcome"))
        yield from ((action, before, "triggered_by") for before in case.of("action", "rollback")
                    if before.remove > action.remove)


def _inside(case: Case, src: Step, dst: Step, rel: str, clocks: Clocks) -> Row | None:
    """The link on the evidence that holds the two together; weak evidence needs targets that are stated and agree."""
    joint = case.joint(src, dst)
    if case.foreign and (src.id in case.foreign) != (dst.id in case.foreign):
        return link(src, dst, rel, joint, clocks)
    if not _agree(src, dst) or (joint.tier < PROVED and (src.target is None or dst.target is None)):
        return None
    return link(src, dst, rel, joint, clocks)


def _agree(one: Step, other: Step) -> bool:
    return one.target is None or other.target is None or one.target == other.target


def rejects(case: Case, approved: Approval) -> list[Row]:
    """Steps under one key about different targets: the provider reuses keys, so the target decides."""
    anchor = case.anchor
    found = [(step, "target_differs") for step in case.steps
             if step.kind in _REJECTED and case.concerns(step) is False]
    if approved.reason == "ambiguous" or approved.verdict == "contradicted":
        found += [(step, "target_differs" if step.target else "ambiguous") for step in (*case.steps, *case.shared)
                  if step.kind == "decision" and not case.concerns(step)]
    rows = {(step.id, reason): {"src": anchor.id, "rel": _REJECTED[step.kind], "candidates": [step.id],
                                "reason": reason} for step, reason in found}
    return list(rows.values())


def rollback_links(pairs: Pairs, clocks: Clocks) -> list[Row]:
    return [link(pair.undoing, pair.undone, "rolls_back", Joint("inverse", 4 if pair.proved else 2, pair.kind), clocks)
            for pair in (*pairs.made, *pairs.compensating)]


def doubted(doubts: Sequence[Doubt]) -> list[Row]:
    return [{"src": doubt.step.id, "rel": doubt.rel, "candidates": list(doubt.candidates), "reason": doubt.reason}
            for doubt in doubts]


def rollback_rejects(pairs: Pairs) -> list[Row]:
    return [{"src": pair.undoing.id, "rel": "rolls_back", "candidates": [pair.undone.id], "reason": pair.reason}
            for pair in (*pairs.doubted, *pairs.superseded, *pairs.failed)]
