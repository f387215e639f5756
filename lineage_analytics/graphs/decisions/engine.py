"""The engine: steps to cases, verdicts, links, gaps and elements, as frames."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lineage_analytics import tables
from lineage_analytics.graphs.decisions import DecisionLineage, verdicts
from lineage_analytics.graphs.decisions.cases import cases
from lineage_analytics.graphs.decisions.coverage import Coverage
from lineage_analytics.graphs.decisions.elements import NOT_STATED, Found, elements, gaps
from lineage_analytics.graphs.decisions.frames import Gathered
from lineage_analytics.graphs.decisions.inverse import reversibility
from lineage_analytics.graphs.decisions.links import (
    Quotes,
    case_links,
    doubted,
    rejects,
    rollback_links,
    rollback_rejects,
)
from lineage_analytics.graphs.decisions.places import Places
from lineage_analytics.graphs.decisions.replay import sealed
from lineage_analytics.graphs.decisions.rollbacks import Pairs, undone
from lineage_analytics.graphs.decisions.silence import Silence
from lineage_analytics.graphs.decisions.steps import people, steps
from lineage_analytics.graphs.decisions.workflows import with_workflows

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from lineage_analytics.facts import Facts
    from lineage_analytics.graphs.decisions.case import Case
    from lineage_analytics.graphs.decisions.steps import Person, Step
    from lineage_analytics.graphs.decisions.verdicts import Approval, Involvement

Row = dict[str, Any]
_ORDER = {
    "cases": ("time", "case_id"), "steps": ("time", "step_id"), "links": ("src", "dst", "rel"),
    "link_rejects": ("src", "rel", "reason", "candidates"), "gaps": ("case_id", "element"),
    "decision_findings": ("case_id", "finding", "agent_id", "reading"),
    "elements": ("case_id", "element"),
}


def build(facts: Facts) -> DecisionLineage:
    """The lineage of all steps up to ``as_of``."""
    known = people(facts)
    made = steps(facts, known)
    gathered, doubts = cases(made, Places(facts))
    found = sorted(gathered, key=lambda case: (case.anchor.time, case.id))
    quotes = Quotes(facts, made)
    pairs = undone(made)
    judge = _Judge(known, Coverage(facts), quotes, pairs, found, Silence(made))
    rows = Gathered(tables.ALL[name] for name in _ORDER)
    for case in found:
        judge.write(case, rows)
    rows.add("links", rollback_links(pairs))
    rows.add("link_rejects", rollback_rejects(pairs) + doubted(doubts))
    frames = with_workflows({name: rows.frame(name, *order) for name, order in _ORDER.items()}, facts)
    return DecisionLineage(**sealed(frames), facts=facts)


class _Judge:
    """Writes the rows of one case after another; holds what all of them need."""

    def __init__(self, known: Mapping[str, Person], covered: Coverage, quotes: Quotes, pairs: Pairs,
                 found: Sequence[Case], silence: Silence) -> None:
        self._known, self._covered, self._quotes = known, covered, quotes
        self._undone = {pair.undone.id: pair for pair in pairs.made}
        self._proved = {pair.undone.id: pair for pair in pairs.made if pair.proved}
        self._undoing = {pair.undoing.id: pair for pair in pairs.made if pair.proved}
        self._home = {step.id: case.id for case in found for step in case.steps}
        self._stood, self._silence = pairs.stood, silence
        self._born = _born(found)

    def write(self, case: Case, rows: Gathered) -> None:
        approved = verdicts.approval(case, self._known, self._covered)
        part = verdicts.involvement(case, approved)
        links = case_links(case, approved) + self._quotes.links(case)
        found = Found(
            case, approved, part, initiator=verdicts.initiator(case), quoted=self._quotes.of(case),
            undone=self._undone.get(case.anchor.id), earlier=self._stood.get(case.anchor.id),
            born_here=self._born_here(case.anchor), known=self._known, dark=self._silence.at(case.anchor))
        states = elements(found)
        rows.add("elements", states)
        rows.add("gaps", gaps(found, states))
        rows.add("links", links)
        rows.add("link_rejects", rejects(case, approved) + self._quotes.rejects(case))
        rows.add("steps", [self._step(step, case.id) for step in case.steps])
        rows.add("steps", self._quotes.steps(case))
        rows.add("cases", [self._case(case, approved, part, states, links)])

    def _born_here(self, anchor: Step) -> bool:
        """Whether the log shows the target being created before: then no earlier value can stand unseen."""
        born = self._born.get((anchor.tenant, (anchor.target or "").partition("|")[0]))
        return born is not None and born <= anchor.time

    def _case(self, case: Case, approved: Approval, part: Involvement, states: list[Row], links: list[Row]) -> Row:
        anchor = case.anchor
        accountable, rule = verdicts.accountable(case, approved, self._known)
        required = [s for s in states if s["state"] != "not_required"]
        executed = anchor.kind in ("action", "rollback")
        undone_by = self._proved.get(anchor.id)
        return {
            "case_id": case.id, "tenant": anchor.tenant, "provider": anchor.provider, "anchor_kind": anchor.kind,
            "anchor_event_id": anchor.event or anchor.records[0], "time": anchor.time, "operation": anchor.operation,
            "target_key": anchor.target, "title": anchor.title, "change_class": verdicts.change_class(anchor),
            "executed": executed, "involvement_class": part.name, "involvement_bounds": part.bounds,
            "assistant_id": verdicts.assistant(case), "workflow_id": None, "workstream": None, "environment": None,
            "tier0": None, "approval_verdict": approved.verdict, "order_verdict": approved.order,
            "independent": approved.independent, "effect_match": None,
            "approver_id": approved.by.actor if _approves(approved) and approved.by else None,
            "initiator_id": verdicts.initiator(case), "executor_id": anchor.actor if executed else None,
            "verifier_id": next((s.actor for s in case.of("outcome") if s.actor is not None), None),
            **_moments(case, approved), "advice_verdict": None, "batch_id": None, "batch_size": None,
            "per_item_review": None, "break_glass": None,
            "accountable_id": accountable, "accountable_rule": rule,
            "reversibility": reversibility(anchor.operation) if executed else "unknown",
            "rollback_path": {"proved": "recorded", "missing": "missing", "inferred": "inferred"}.get(
                next(s["state"] for s in states if s["element"] == "rollback"), "unknown"),
            **self._rolled_back(anchor),
            "completeness": sum(s["state"] == "proved" for s in required) / len(required) if required else 1.0,
            "weakest_tier": min((link["tier"] for link in links if link["rel"] != "informed_by"), default=None),
            "status": _status(case, approved, rolled_back=undone_by is not None), "digest": None,
        }

    def _rolled_back(self, anchor: Step) -> Row:
        undone_by, undoes = self._proved.get(anchor.id), self._undoing.get(anchor.id)
        return {
            "rolled_back_by": self._home[undone_by.undoing.id] if undone_by else None,
            "rolled_back_at": undone_by.undoing.time if undone_by else None,
            "rollback_kind": undone_by.kind if undone_by else None,
            "rollback_share": 1.0 if undone_by else None, "rollback_tested": None,
            "rolls_back": self._home[undoes.undone.id] if undoes else None,
        }

    def _step(self, step: Step, case_id: str) -> Row:
        """A rollback is one only where the change it takes back is on record."""
        kind = step.kind
        if kind in ("action", "rollback"):
            kind = "rollback" if step.id in self._undoing else "action"
        return {
            "step_id": step.id, "case_id": case_id, "kind": kind, "time": step.time,
            "agent_ids": [step.actor] if step.actor else [], "agent_class": step.agent_class,
            "operation": step.operation, "verdict": step.verdict, "target_key": step.target,
            "effect_key": step.effect, "status": step.status, "event_id": step.event or NOT_STATED,
            "record_ids": step.records, "authority_mode": step.authority, "initiator_id": step.initiator,
            "on_behalf_of_id": step.on_behalf_of, "assistant_id": step.assistant, "capacity": step.capacity,
            "origin": step.origin, "recommended_value": step.recommended, "decided_value": step.decided,
            "applied_value": step.applied, "expires_at": step.expires, "before_state": step.before,
            "after_state": step.after, "justified": step.justified, "title": step.title, "source": step.source,
            "tenant": step.tenant,
        }


def _moments(case: Case, approved: Approval) -> Row:
    first = {kind: min((s.time for s in case.of(kind)), default=None) for kind in ("signal", "recommendation")}
    return {"signalled_at": first["signal"], "recommended_at": first["recommendation"],
            "requested_at": min((s.time for s in case.about("request")), default=None),
            "approved_at": approved.by.time if _approves(approved) and approved.by else None}


def _approves(approved: Approval) -> bool:
    return (approved.by is not None and approved.by.verdict == "approve" and approved.verdict != "contradicted"
            and approved.inferred is None)


def _status(case: Case, approved: Approval, *, rolled_back: bool) -> str:
    kind = case.anchor.kind
    if kind in ("action", "rollback"):
        return "rolled_back" if rolled_back else "executed"
    if kind == "attempt":
        return "attempted"
    if approved.verdict == "denied":
        return "denied"
    if kind == "expiry" or (kind in ("request", "decision") and case.of("expiry")):
        return "expired"
    return "pending" if kind in ("request", "decision") else "open"


def _born(found: Sequence[Case]) -> dict[tuple[str | None, str], datetime]:
    """When targets were first created in the log."""
    born: dict[tuple[str | None, str], datetime] = {}
    for case in found:
        for step in case.of("action", "rollback"):
            if step.target is not None and (step.effect or "").startswith("create("):
                born[step.tenant, step.target] = min(step.time, born.get((step.tenant, step.target), step.time))
    return born
