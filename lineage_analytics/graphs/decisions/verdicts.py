"""What the records of one case show: who approved, in which order, what part AI had, who answers for it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from lineage_analytics.graphs.decisions.steps import AI, SOFTWARE, Person, Step, skew

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lineage_analytics.graphs.decisions.case import Case
    from lineage_analytics.graphs.decisions.coverage import Coverage

APPROVAL_SOURCES = {"pim_request_id": "entra_audit"}
_FINAL = ("approve", "deny", "withdraw")
_IN_ORDER = {"prior": "approved_before", "order_uncertain": "order_uncertain", "retroactive": "retroactive"}
UNASKED = timedelta(hours=24)
PROVED = 3
TICKETS = "a ticket or change system"


@dataclass(frozen=True)
class Approval:
    """``verdict`` and ``order`` as in the table CASES. ``reason`` and ``due`` say why an approval is not there;
    ``inferred`` names the evidence where it only seems to be there: then the verdict is unknown."""

    verdict: str
    order: str = "none"
    independent: str = "unknown"
    by: Step | None = None
    reason: str | None = None
    source: str | None = None
    due: datetime | None = None
    delta: float | None = None
    inferred: str | None = None

    @property
    def counts(self) -> bool:
        """A person other than the one who asked approved before it ran."""
        return self.verdict == "approved_before" and self.independent != "no"


@dataclass(frozen=True)
class Involvement:
    """The class of AI involvement; ``bounds`` are what an unknown one may be."""

    name: str
    bounds: str | None = None


def initiator(case: Case) -> str | None:
    """Who asked: the request says it, else the action's own initiator or the person whose session it was. A person who
    makes the call asked for it; who set software or an assistant off is not known from its call."""
    for step in (*case.about("request"), *case.of("action", "rollback", "attempt")):
        found = step.initiator or step.on_behalf_of or (step.actor if step.kind == "request" else None)
        if found is not None:
            return found
    anchor = case.anchor
    called = anchor.kind in ("action", "rollback", "attempt") and anchor.agent_class == "human"
    return anchor.actor if called else None


def assistant(case: Case) -> str | None:
    """The assistant or AI agent with a part in the case: the one that acted, else the one that asked or advised."""
    for step in (*case.of("action", "rollback", "attempt"), *case.of("request", "recommendation", "draft")):
        if step.assistant is not None:
            return step.assistant
        if step.agent_class in AI and step.actor is not None:
            return step.actor
    return None


def approval(case: Case, known: Mapping[str, Person], covered: Coverage) -> Approval:
    """The approval of the case's action, or why none is there."""
    anchor = case.anchor
    source = APPROVAL_SOURCES.get(anchor.key_kind or "")
    decisions = [d for d in (*case.steps, *case.shared)
                 if d.kind == "decision" and d.verdict in _FINAL and d.status != "failed"]
    torn = next((d for d in decisions if d.conflict), None)
    if torn is not None:
        return Approval("contradicted", reason="contradicted", source=source, by=torn)
    if not decisions:
        if "(pim deactivate)" in anchor.operation.casefold() and anchor.kind in ("action", "rollback"):
            return Approval("not_required")
        if source is None:
            return Approval("unknown", reason="not_collected", source=TICKETS)
        return _lacking(case, source, covered)
    matching = [d for d in decisions if d.target == anchor.target or (
        not case.batch and (d.target is None or anchor.target is None))]
    if not matching:
        if any(d.target is None for d in decisions):
            return Approval("unknown", reason="ambiguous", source=source)
        return Approval("contradicted", reason="contradicted", source=source, by=decisions[0])
    if anchor.kind not in ("action", "rollback"):
        last = matching[-1]
        return Approval("denied" if last.verdict != "approve" else "unknown", by=last,
                        independent=_independent(case, last, known))
    return _judged(case, matching, known)


def _lacking(case: Case, source: str, covered: Coverage) -> Approval:
    """No decision on record. An approval would stand between the request and the change; where the request is not on
    record either, within the day before the change."""
    anchor = case.anchor
    since = min((r.time for r in case.about("request")), default=anchor.time - UNASKED)
    reason, due = covered.lack(source, anchor.tenant, min(since, anchor.time), anchor.time)
    return Approval("absent" if reason == "absent" else "unknown", reason=reason, source=source, due=due)


def _judged(case: Case, decisions: list[Step], known: Mapping[str, Person]) -> Approval:
    """What stood at the moment of execution: the latest decision before it, unless one too near in time to order says
    otherwise. Decisions of one moment that disagree are a contradiction; one after the change came too late."""
    action = case.anchor
    before = [d for d in decisions if action.time - d.time > skew(action, d)]
    near = [d for d in decisions if abs(action.time - d.time) <= skew(action, d)]
    after = [d for d in decisions if d.time - action.time > skew(action, d)]
    chosen, order, verdict = _chosen(before, near, after)
    independent = _independent(case, chosen, known)
    delta = (action.time - chosen.time).total_seconds()
    joint = case.joint(chosen, action)
    if joint.tier < PROVED:
        return Approval("unknown", order, independent, chosen, "not_collected", TICKETS, delta=delta,
                        inferred=joint.method)
    if verdict is None and chosen.verdict != "approve":
        verdict = "denied"
    if verdict is None and chosen.agent_class in SOFTWARE | AI:
        verdict = "automated_policy"
    if verdict is None and chosen.agent_class != "human":
        return Approval("unknown", order, independent, chosen, "not_recorded_by_provider", delta=delta)
    if verdict is None and order == "prior" and action.time > _valid_until(case, chosen):
        verdict = "expired"
    reason = "contradicted" if verdict == "contradicted" else None
    return Approval(verdict or _IN_ORDER[order], order, independent, chosen, reason, delta=delta)


def _chosen(before: list[Step], near: list[Step], after: list[Step]) -> tuple[Step, str, str | None]:
    """The decision that counts, its order to the change, and the verdict where the order alone settles it."""
    if before:
        last = [d for d in before if before[-1].time - d.time <= skew(before[-1], d)]
        if len({d.verdict == "approve" for d in last}) > 1:
            return next(d for d in last if d.verdict == "approve"), "prior", "contradicted"
        if any((d.verdict == "approve") != (last[-1].verdict == "approve") for d in near):
            return near[-1], "order_uncertain", "order_uncertain"
        return last[-1], "prior", None
    approving = [d for d in near if d.verdict == "approve"]
    if near:
        mixed = len(approving) not in (0, len(near))
        return (approving or near)[-1], "order_uncertain", "order_uncertain" if mixed else None
    return next((d for d in after if d.verdict == "approve"), after[0]), "retroactive", None


def _valid_until(case: Case, decision: Step) -> datetime:
    """End of what was approved: the decision's own, else that of what was asked for."""
    ends = [decision.expires] if decision.expires else [r.expires for r in case.about("request") if r.expires]
    return min(ends, default=case.anchor.time)


def _independent(case: Case, decision: Step, known: Mapping[str, Person]) -> str:
    """Is the approver someone else than who asked and who benefits? By person where accounts are mapped to people."""
    if decision.actor is None:
        return "unknown"
    interested = {i for i in (initiator(case), case.anchor.beneficiary, *(s.beneficiary for s in case.steps)) if i}
    if not interested:
        return "unknown"
    if decision.actor in interested:
        return "no"
    person = _person(decision.actor, known)
    others = [i for i in sorted(interested) if known.get(i, Person()).kind not in ("ai_agent", "workload", "app",
                                                                                 "service_account")]
    persons = [_person(i, known) for i in others]
    if person is not None and person in persons:
        return "no"
    return "yes" if person is not None and all(p is not None for p in persons) else "by_account_only"


def _person(identity: str, known: Mapping[str, Person]) -> str | None:
    return known.get(identity, Person()).person


def involvement(case: Case, approved: Approval) -> Involvement:
    """From evidence alone: an AI credential, or a provider's word that an assistant made the call."""
    acting = case.of("action", "rollback") or case.of("attempt")
    asking = case.of("request", "recommendation", "draft")
    if any(step.with_ai for step in acting):
        if approved.counts:
            return Involvement("executes_approved")
        if approved.verdict in ("unknown", "order_uncertain", "contradicted"):
            return Involvement("unknown", "executes_approved or executes_autonomous")
        return Involvement("executes_autonomous")
    if any(step.with_ai for step in asking):
        return Involvement("unknown", "advises or drafts")
    if any(step.authority == "masked" for step in acting or case.steps):
        return Involvement("unknown", "none, executes_approved or executes_autonomous")
    classes = {step.agent_class for step in acting or case.steps}
    if classes & {"unknown", "group", "organisation"}:
        return Involvement("unknown", "none, or any: nothing shows whether a person, software or AI acted")
    return Involvement("none")


def accountable(case: Case, approved: Approval, known: Mapping[str, Person]) -> tuple[str | None, str]:
    """The accountable human and the rule that found them; only the first rule is an approval."""
    if approved.counts and approved.by is not None:
        return approved.by.actor, "by_decision"
    asked = initiator(case)
    anchor = case.anchor
    if asked is not None and (known.get(asked, Person()).kind == "human" or anchor.agent_class == "human"):
        return asked, "by_initiation"
    owner = known.get(anchor.actor or "", Person()).owner
    if owner is not None:
        return owner, "by_sponsorship" if anchor.with_ai else "by_automation_owner"
    return None, "none"


def change_class(step: Step) -> str:
    """The kind of change, from what the operation is about."""
    text = step.operation.casefold()
    if any(word in text for word in ("accesskey", "loginprofile", "mfadevice", "credential", "password", "secrets",
                                     "servicespecific", "sshpublickey", "signingcertificate")):
        return "credential_action"
    verb = (step.effect or "").partition("(")[0]
    if verb in ("grant", "revoke"):
        return verb
    if any(word in text for word in ("policy", "setting", "federation", "domain", "logging", "trail", "boundary")):
        return "policy_change"
    return {"create": "role_change", "delete": "role_change", "restore": "role_change", "destroy": "role_change",
            "enable": "role_change", "disable": "role_change", "set": "policy_change"}.get(verb, "unknown")
