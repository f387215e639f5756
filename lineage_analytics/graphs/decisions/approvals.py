"""Who approved a change: in which order, for what, with what standing; or why no approval is there."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from lineage_analytics.graphs.decisions import scopes
from lineage_analytics.graphs.decisions.steps import AI, SOFTWARE, Person, Step

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lineage_analytics.graphs.decisions.accounts import Accounts
    from lineage_analytics.graphs.decisions.case import Case
    from lineage_analytics.graphs.decisions.clocks import Clocks
    from lineage_analytics.graphs.decisions.coverage import Coverage
    from lineage_analytics.graphs.decisions.delegations import Delegations, Root
    from lineage_analytics.graphs.decisions.rules import Rules

APPROVAL_SOURCES = {"pim_request_id": "entra_audit"}
TICKET_SOURCES = ("servicenow", "jira")
TICKETS = "a ticket or change system"
PROVED = 3
UNASKED = timedelta(hours=24)
FINAL = ("approve", "deny", "withdraw")
_IN_ORDER = {"prior": "approved_before", "order_uncertain": "order_uncertain", "retroactive": "retroactive"}
_NO_PERSON = ("ai_agent", "workload", "app", "service_account")


@dataclass(frozen=True)
class Approval:
    """``verdict`` and ``order`` as in the table CASES. ``reason`` and ``due`` say why an approval is not there;
    ``inferred`` names the evidence where it only seems to be there: then the verdict is unknown. ``effect``: what was
    executed beside what was approved; ``emergency``: an account for emergencies acted, until when it is reviewed;
    ``required`` and ``given``: people who must approve, and who did before the change."""

    verdict: str
    order: str = "none"
    independent: str = "unknown"
    by: Step | None = None
    reason: str | None = None
    source: str | None = None
    due: datetime | None = None
    delta: float | None = None
    inferred: str | None = None
    effect: str | None = None
    emergency: timedelta | None = None
    required: int | None = None
    given: tuple[str, ...] = ()

    @property
    def counts(self) -> bool:
        """A person other than the one who asked approved before it ran."""
        return self.verdict == "approved_before" and self.independent != "no"

    @property
    def approves(self) -> bool:
        """Whether the record of an approval stands, whatever became of it."""
        return (self.by is not None and self.by.verdict == "approve" and self.verdict != "contradicted"
                and self.inferred is None)


@dataclass(frozen=True)
class Scene:
    """What judging a case needs besides the case."""

    known: Mapping[str, Person]
    covered: Coverage
    clocks: Clocks
    rules: Rules
    accounts: Accounts
    delegations: Delegations

    def root(self, case: Case) -> Root | None:
        """The person at the beginning of the delegations that the case's change was made with."""
        return next((root for step in case.acts("action", "rollback", "attempt")
                     if (root := self.delegations.root_human(step)) is not None), None)

    def asked(self, case: Case) -> str | None:
        """Who asked, by the records of the case, else by the chain of delegations behind it."""
        found = initiator(case)
        if found is not None and self.known.get(found, Person()).kind not in _NO_PERSON:
            return found
        root = self.root(case)
        return root.id if root is not None else found


def initiator(case: Case) -> str | None:
    """Who asked: the request says it, else the action's own initiator or the person whose session it was. A person who
    makes the call asked for it; who set software or an assistant off is not known from its call."""
    for step in (*case.about("request"), *case.acts("action", "rollback", "attempt")):
        found = step.initiator or step.on_behalf_of or (step.actor if step.kind == "request" else None)
        if found is not None:
            return found
    anchor = case.anchor
    called = anchor.kind in ("action", "rollback", "attempt") and anchor.agent_class == "human"
    return anchor.actor if called else None


def approval(case: Case, scene: Scene) -> Approval:
    """The approval of the case's action, or why none is there."""
    anchor = case.anchor
    done = anchor.kind in ("action", "rollback")
    source = APPROVAL_SOURCES.get(anchor.key_kind or "")
    emergency = scene.rules.review_within(anchor.actor) if done else None
    decisions = [d for d in (*case.steps, *case.shared)
                 if d.kind == "decision" and d.verdict in FINAL and d.status != "failed"]
    torn = next((d for d in decisions if d.conflict), None)
    if torn is not None:
        return Approval("contradicted", reason="contradicted", source=source, by=torn, emergency=emergency)
    concerned = {d.id: case.concerns(d) for d in decisions}
    matching = [d for d in decisions if concerned[d.id] or (concerned[d.id] is None and not case.batch)]
    found = _found(case, scene, decisions, matching, source)
    if emergency is not None and found.verdict not in ("approved_before", "contradicted"):
        return replace(found, verdict="not_required", emergency=emergency)
    return replace(found, emergency=emergency) if emergency is not None else found


def _found(case: Case, scene: Scene, decisions: list[Step], matching: list[Step], source: str | None) -> Approval:
    anchor = case.anchor
    if not decisions:
        return _without(case, scene, source)
    if not matching:
        if any(d.target is None for d in decisions):
            return Approval("unknown", reason="ambiguous", source=source)
        return Approval("contradicted", reason="contradicted", source=source, by=decisions[0])
    if anchor.kind not in ("action", "rollback"):
        last = matching[-1]
        return Approval("denied" if last.verdict != "approve" else "unknown", by=last,
                        independent=independent(case, last, scene))
    proved = [d for d in matching if case.joint(d, anchor).tier >= PROVED]
    if proved:
        return _judged(case, proved, scene)
    approving = [d for d in matching if d.verdict == "approve"]
    return _judged(case, approving, scene) if approving else _without(case, scene, source)


def _without(case: Case, scene: Scene, source: str | None) -> Approval:
    """No decision on record: none is needed, none is kept, or its source may have held it."""
    anchor = case.anchor
    required = scene.rules.required(anchor)
    if "(pim deactivate)" in anchor.operation.casefold() and anchor.kind in ("action", "rollback"):
        return Approval("not_required")
    if required is not None and required.approvers == 0:
        return Approval("not_required", required=0)
    if source is None and required is not None:
        return _unticketed(case, scene, required.approvers)
    if source is None:
        return Approval("unknown", reason="not_collected", source=TICKETS)
    return _lacking(case, source, scene)


def _unticketed(case: Case, scene: Scene, required: int) -> Approval:
    """A change that a declared rule wants approved: absent where a ticket system of its organisation covers it."""
    anchor = case.anchor
    found = [(name, *scene.covered.lack(name, tenant, anchor.time - UNASKED, anchor.time))
             for name, tenant in scene.covered.held_by(anchor.tenant, TICKET_SOURCES)]
    if not found:
        return Approval("unknown", reason="not_collected", source=TICKETS, required=required)
    source, reason, due = next((row for row in found if row[1] != "absent"), found[0])
    return Approval("absent" if reason == "absent" else "unknown", reason=reason, source=source, due=due,
                    required=required)


def _lacking(case: Case, source: str, scene: Scene) -> Approval:
    """No decision on record. An approval would stand between the request and the change; where the request is not on
    record either, within the day before the change."""
    anchor = case.anchor
    since = min((r.time for r in case.about("request")), default=anchor.time - UNASKED)
    reason, due = scene.covered.lack(source, anchor.tenant, min(since, anchor.time), anchor.time)
    return Approval("absent" if reason == "absent" else "unknown", reason=reason, source=source, due=due)


def _judged(case: Case, decisions: list[Step], scene: Scene) -> Approval:
    """What stood at the moment of execution: the latest decision before it, unless one too near in time to order says
    otherwise. Decisions of one moment that disagree are a contradiction; one after the change came too late."""
    action, clocks = case.anchor, scene.clocks
    by_order: dict[str, list[Step]] = {"prior": [], "order_uncertain": [], "later": []}
    for decision in decisions:
        by_order[clocks.order(action, decision)].append(decision)
    before, near, after = by_order["prior"], by_order["order_uncertain"], by_order["later"]
    chosen, order, verdict = _chosen(before, near, after, clocks)
    joint = case.joint(chosen, action)
    found = Approval(
        "unknown", order, independent(case, chosen, scene), chosen, delta=-clocks.apart(action, chosen).total_seconds(),
        effect=scopes.match(chosen, action, case.about("request")) if chosen.verdict == "approve" else None)
    if joint.tier < PROVED:
        return replace(found, order="none", reason="not_collected", source=TICKETS, inferred=joint.method)
    if verdict is not None:
        return replace(found, verdict=verdict, reason="contradicted" if verdict == "contradicted" else None)
    if chosen.verdict != "approve":
        return replace(found, verdict="denied")
    if chosen.agent_class in SOFTWARE | AI:
        return replace(found, verdict="automated_policy")
    if chosen.agent_class != "human":
        return replace(found, reason="not_recorded_by_provider")
    return _held(case, found, before, scene)


def _held(case: Case, found: Approval, before: list[Step], scene: Scene) -> Approval:
    """Whether what a person approved still covered what was done."""
    action, chosen = case.anchor, found.by
    assert chosen is not None  # noqa: S101  (narrows the type)
    required = scene.rules.required(action)
    given = tuple(sorted({scene.known.get(d.actor or "", Person()).person or d.actor or d.id for d in before
                          if d.verdict == "approve" and d.agent_class == "human"}))
    found = replace(found, required=required.approvers if required else None, given=given)
    until = _valid_until(case, chosen)
    if found.order == "prior" and until is not None and action.time - scene.clocks.offset(chosen, action) > until:
        return replace(found, verdict="expired")
    if _stale(chosen, action):
        return replace(found, verdict="stale")
    if found.effect in scopes.EXCEEDS:
        return replace(found, verdict="scope_exceeded")
    if found.order == "prior" and required is not None and len(given) < required.approvers:
        return replace(found, verdict="quorum_not_met")
    return replace(found, verdict=_IN_ORDER[found.order])


def _stale(decision: Step, action: Step) -> bool:
    return scopes.of_commit(decision, action) is False


def _chosen(before: list[Step], near: list[Step], after: list[Step], clocks: Clocks) -> tuple[Step, str, str | None]:
    """The decision that counts, its order to the change, and the verdict where the order alone settles it."""
    if before:
        last = [d for d in before if clocks.order(before[-1], d) == "order_uncertain"] or before[-1:]
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


def _valid_until(case: Case, decision: Step) -> datetime | None:
    """End of what was approved: the decision's own, else that of what was asked for; None where neither has one."""
    ends = [decision.expires] if decision.expires else [r.expires for r in case.about("request") if r.expires]
    return min(ends, default=None)


def independent(case: Case, decision: Step, scene: Scene) -> str:
    """Is the approver someone else than who asked and who benefits? By person where accounts are mapped to people;
    ``interested``: another person, who owns or sponsors the agent that acts."""
    if decision.actor is None:
        return "unknown"
    other = _another(case, decision.actor, scene)
    if other == "yes" and any(scene.accounts.interested(decision.actor, agent) for agent in acting_agents(case)):
        return "interested"
    return other


def _another(case: Case, approver: str, scene: Scene) -> str:
    known = scene.known
    gainers = (case.anchor.beneficiary, *(step.beneficiary for step in case.steps))
    concerned = {one for one in (initiator(case), scene.asked(case), *gainers) if one}
    if not concerned:
        return "unknown"
    if approver in concerned:
        return "no"
    person = _person(approver, known)
    others = [i for i in sorted(concerned) if known.get(i, Person()).kind not in _NO_PERSON]
    persons = [_person(i, known) for i in others]
    if person is not None and person in persons:
        return "no"
    return "yes" if person is not None and all(p is not None for p in persons) else "by_account_only"


def acting_agents(case: Case) -> list[str]:
    """AI agents and assistants with a part in the case."""
    return sorted({agent for step in case.steps for agent in (
        step.assistant, step.actor if step.agent_class in AI else None) if agent is not None})


def _person(identity: str, known: Mapping[str, Person]) -> str | None:
    return known.get(identity, Person()).person
