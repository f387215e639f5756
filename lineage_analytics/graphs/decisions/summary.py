"""What the table CASES says of a case, and the table STEPS of a step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lineage_analytics.graphs.decisions import batches as batching
from lineage_analytics.graphs.decisions import verdicts
from lineage_analytics.graphs.decisions.elements import NOT_STATED
from lineage_analytics.graphs.decisions.inverse import reversibility

if TYPE_CHECKING:
    from lineage_analytics.graphs.decisions.approvals import Approval, Scene
    from lineage_analytics.graphs.decisions.batches import Batch
    from lineage_analytics.graphs.decisions.case import Case
    from lineage_analytics.graphs.decisions.steps import Step
    from lineage_analytics.graphs.decisions.verdicts import Involvement

Row = dict[str, Any]
_PATHS = {"proved": "recorded", "missing": "missing", "inferred": "inferred"}
_ADVICE = {"approve": "accepted", "deny": "rejected", "withdraw": "rejected", "modify": "changed"}
_ADVISING = frozenset({"gcp_recommendation", "access_finding_id", "entra_recommendation"})


def case_row(case: Case, approved: Approval, part: Involvement, scene: Scene, batch: Batch | None) -> Row:
    """The row without what its links, elements and rollback say."""
    anchor = case.anchor
    accountable, rule = verdicts.accountable(case, approved, scene)
    executed = anchor.kind in ("action", "rollback")
    return {
        "case_id": case.id, "tenant": anchor.tenant, "provider": anchor.provider, "anchor_kind": anchor.kind,
        "anchor_event_id": anchor.event or anchor.records[0], "time": anchor.time, "operation": anchor.operation,
        "target_key": anchor.target, "title": anchor.title, "change_class": verdicts.change_class(anchor),
        "executed": executed, "involvement_class": part.name, "involvement_bounds": part.bounds,
        "assistant_id": verdicts.assistant(case), "workflow_id": None, "workstream": None, "environment": None,
        "tier0": None, "approval_verdict": approved.verdict, "order_verdict": approved.order,
        "independent": approved.independent, "effect_match": approved.effect,
        "approver_id": approved.by.actor if approved.approves and approved.by else None,
        "initiator_id": scene.asked(case), "executor_id": anchor.actor if executed else None,
        "verifier_id": next((s.actor for s in case.of("outcome") if s.actor is not None), None),
        **_moments(case, approved), "advice_verdict": advice(case),
        "batch_id": batch.id if batch else None, "batch_size": batch.size if batch else None,
        "per_item_review": batching.reviewed(case, batch, approved), "break_glass": _emergency(approved, scene),
        "accountable_id": accountable, "accountable_rule": rule,
        "reversibility": reversibility(anchor.operation) if executed else "unknown", "digest": None,
    }


def _moments(case: Case, approved: Approval) -> Row:
    return {"signalled_at": min((s.time for s in case.signals()), default=None),
            "recommended_at": min((s.time for s in case.of("recommendation")), default=None),
            "requested_at": min((s.time for s in case.about("request")), default=None),
            "approved_at": approved.by.time if approved.approves and approved.by else None}


def _emergency(approved: Approval, scene: Scene) -> bool | None:
    return approved.emergency is not None if scene.rules.any_emergency else None


def advice(case: Case) -> str | None:
    """What became of the recommendation: the decision that states what was advised beside what it decided, or the
    decision about the advice itself; None where there is none."""
    if not case.of("recommendation"):
        return None
    for step in reversed(case.of("decision")):
        if step.recommended is not None and step.decided is not None:
            return "accepted" if step.recommended.casefold() == step.decided.casefold() else "rejected"
        if step.key_kind in _ADVISING and step.verdict in _ADVICE:
            return _ADVICE[step.verdict]
    return None


def said_of_elements(states: list[Row], links: list[Row]) -> Row:
    """The columns that elements and links decide."""
    required = [state for state in states if state["state"] != "not_required"]
    back = next(state["state"] for state in states if state["element"] == "rollback")
    return {
        "rollback_path": _PATHS.get(back, "unknown"),
        "completeness": sum(s["state"] == "proved" for s in required) / len(required) if required else 1.0,
        "weakest_tier": min((link["tier"] for link in links if link["rel"] != "informed_by"), default=None),
    }


def status(case: Case, approved: Approval, *, rolled_back: bool) -> str:
    """How far the case came."""
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


def step_row(step: Step, case_id: str, *, undoes: bool) -> Row:
    """A rollback is one only where the change it takes back is on record."""
    kind = step.kind
    if kind in ("action", "rollback"):
        kind = "rollback" if undoes else "action"
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
