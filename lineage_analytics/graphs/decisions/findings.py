"""What in a case needs review, each with the steps that show it (decision-lineage 15). Findings are no verdicts: they
say what an auditor would ask about, and the verdict stands beside them."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from lineage_analytics.graphs.decisions.approvals import FINAL, Approval, Scene, acting_agents, initiator
from lineage_analytics.graphs.decisions.references import CYCLIC

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from lineage_analytics.graphs.decisions.case import Case
    from lineage_analytics.graphs.decisions.matching import Doubt
    from lineage_analytics.graphs.decisions.steps import Step
    from lineage_analytics.graphs.decisions.taken import Flapping

Row = dict[str, Any]
SHOPPING = timedelta(days=30)
_NOTABLE = timedelta(seconds=60)
_SHOWN = 20
_BY_VERDICT = {
    "retroactive": ("retroactive_approval", "approved {late} after it ran"),
    "automated_policy": ("automated_policy", "let through by a rule or an account of software, by no person"),
    "expired": ("approval_expired", "what was approved had ended before it ran"),
    "stale": ("stale_approval", "commit {decided} was reviewed, {applied} was applied"),
    "scope_exceeded": ("scope_exceeded", "what ran is {effect} than what was approved"),
    "quorum_not_met": ("quorum_not_met", "{given} approved before it ran, a declared rule wants {required}"),
}

_UNSAFE = {"key-reused": "unrelated changes name it too", "reopened": "it was opened again after its end",
           "after-its-end": "it had ended before the change"}


class Denials:
    """Refusals of all cases, by what was asked for: who was refused, by whom, when."""

    def __init__(self, cases: Iterable[Case]) -> None:
        self._found: dict[tuple[str | None, str, str | None], list[tuple[datetime, Step, str | None]]] = (
            defaultdict(list))
        for case in cases:
            for step in case.of("decision"):
                if step.verdict == "deny" and step.status != "failed" and step.target is not None:
                    self._found[step.tenant, step.target, step.effect].append((step.time, step, initiator(case)))
        for refused in self._found.values():
            refused.sort(key=lambda one: (one[0], one[1].id))

    def before(self, approval: Step, asked_by: str | None) -> Step | None:
        """The last refusal of the same to the same person by another approver, within thirty days before."""
        if approval.target is None:
            return None
        for time, step, asker in reversed(self._found.get((approval.tenant, approval.target, approval.effect), ())):
            if approval.time - time > SHOPPING:
                return None
            if time < approval.time and step.actor != approval.actor and asker == asked_by:
                return step
        return None


@dataclass(frozen=True)
class Seen:
    """A case as it was judged. ``dark``: since when a trail stood switched off; ``per_item``: as in CASES."""

    case: Case
    approved: Approval
    scene: Scene
    as_of: datetime
    denials: Denials
    dark: datetime | None
    per_item: bool | None


def findings(seen: Seen) -> list[Row]:
    """Rows of DECISION_FINDINGS."""
    if not seen.case.of("action", "rollback"):
        return [*_torn(seen)]
    return [row for rule in (_approval, _standing, _order, _torn, _advice, _batch, _dark, _emergency, _keys, _clocks)
            for row in rule(seen)]


def _row(seen: Seen, finding: str, reading: str, steps: Sequence[Step], agent: str | None = None) -> Row:
    shown = list({step.id: step for step in steps}.values())[:_SHOWN]
    return {"case_id": seen.case.id, "finding": finding, "reading": reading, "agent_id": agent,
            "step_ids": [step.id for step in shown],
            "record_ids": sorted({record for step in shown for record in step.records})}


def _approval(seen: Seen) -> Iterator[Row]:
    """What the verdict already says, for the list of what needs review."""
    approved, action = seen.approved, seen.case.anchor
    if approved.by is None or approved.verdict not in _BY_VERDICT:
        return
    finding, words = _BY_VERDICT[approved.verdict]
    reading = words.format(
        late=_span(timedelta(seconds=-(approved.delta or 0.0))), decided=(approved.by.decided or "")[:12],
        applied=(action.applied or "")[:12], effect="broader" if approved.effect == "broader" else "something else",
        given=len(approved.given), required=approved.required)
    yield _row(seen, finding, reading, [approved.by, action], approved.by.actor)


def _standing(seen: Seen) -> Iterator[Row]:
    """Who gave the approval, and what stands between them and the one who asked."""
    by, accounts = seen.approved.by, seen.scene.accounts
    if by is None or by.actor is None or by.verdict != "approve" or by.agent_class != "human":
        return
    asked = seen.scene.asked(seen.case)
    if seen.approved.independent == "no":
        yield _row(seen, "self_approval", "approved by the person who asked for it or has the benefit",
                   [by, seen.case.anchor], by.actor)
    for agent in acting_agents(seen.case):
        interest = accounts.interested(by.actor, agent)
        if interest is not None:
            yield _row(seen, "interested_approver", f"the approver is {interest}", [by], by.actor)
    if asked is not None and (given := accounts.appointed(by.actor, asked, by.time)):
        yield _row(seen, "approver_appointed_by_requester",
                   "who asked had given the approver rights within the half year before", [*given, by], by.actor)
    if (made := accounts.new(by.actor, by.time)) is not None:
        yield _row(seen, "new_approver", "the approver's account was made or woken within the day before",
                   [*made, by], by.actor)
    if flags := accounts.flagged(by.actor, by.time):
        yield _row(seen, "flagged_approver", "the approver's account showed signs of risk within the day before",
                   [*flags, by], by.actor)


def _order(seen: Seen) -> Iterator[Row]:
    """Refused, taken back, asked for again."""
    by, action, clocks = seen.approved.by, seen.case.anchor, seen.scene.clocks
    told = [d for d in (*seen.case.of("decision"), *seen.case.shared)
            if d.kind == "decision" and d.verdict in FINAL and d.status != "failed" and seen.case.concerns(d)]
    if seen.approved.verdict == "denied" and by is not None:
        taken_back = any(d.verdict == "approve" and clocks.order(by, d) == "prior" for d in told)
        name, words = ("executed_after_revocation", "the approval was taken back before it ran") if taken_back else (
            "executed_after_denial", "it was refused, and ran all the same")
        yield _row(seen, name, words, [by, action], by.actor)
    if by is not None and by.verdict == "approve":
        refused = next((d for d in reversed(told) if d.verdict == "deny" and d.actor != by.actor
                        and clocks.order(by, d) == "prior"), None) or seen.denials.before(by, initiator(seen.case))
        if refused is not None:
            yield _row(seen, "approver_shopping", "another approver had refused the same before", [refused, by],
                       initiator(seen.case))


def _torn(seen: Seen) -> Iterator[Row]:
    """Records that say different things."""
    torn = [step for step in seen.case.steps if step.conflict]
    if torn:
        yield _row(seen, "record_conflict", "two deliveries of one record say different things", torn)
    elif seen.approved.verdict == "contradicted":
        decisions = [d for d in (*seen.case.of("decision"), *seen.case.shared) if d.kind == "decision"]
        elsewhere = all(seen.case.concerns(d) is False for d in decisions)
        yield _row(seen, "scope_exceeded" if elsewhere else "contradicted",
                   "what was approved under this key is something else than what ran" if elsewhere else
                   "decisions of one moment disagree", [*decisions[:_SHOWN], seen.case.anchor])


def _advice(seen: Seen) -> Iterator[Row]:
    """Advice that somebody dismissed, and that was carried out."""
    action = seen.case.anchor
    advised = [r for r in seen.case.of("recommendation") if r.effect is not None and r.effect == action.effect]
    for advice in advised[:1]:
        dismissed = [d for d in seen.case.of("decision") if d.verdict == "deny" and d.recommended is None
                     and (d.key_kind, d.key) == (advice.key_kind, advice.key)]
        if dismissed:
            yield _row(seen, "against_recommendation", "the advice was dismissed, and what it advised was done",
                       [advice, dismissed[-1], action], action.actor)


def _batch(seen: Seen) -> Iterator[Row]:
    if seen.per_item is False and seen.approved.by is not None:
        yield _row(seen, "no_per_item_review", "one decision stands for several changes and names none of them",
                   [seen.approved.by, seen.case.anchor], seen.approved.by.actor)


def _dark(seen: Seen) -> Iterator[Row]:
    if seen.dark is not None:
        yield _row(seen, "logging_disabled_during_case",
                   f"a trail of the account stood switched off since {seen.dark:%Y-%m-%d %H:%M:%S}Z",
                   [seen.case.anchor])


def _emergency(seen: Seen) -> Iterator[Row]:
    """An emergency account needs no approval beforehand; it needs a review afterwards, by somebody else."""
    within, action = seen.approved.emergency, seen.case.anchor
    if within is None:
        return
    yield _row(seen, "break_glass", "an account declared for emergencies carried it out", [action], action.actor)
    reviewed = [d for d in (*seen.case.of("decision", "outcome"), *seen.case.shared)
                if d.actor is not None and d.actor != action.actor and timedelta(0) < d.time - action.time <= within]
    if not reviewed and seen.as_of - action.time > within:
        yield _row(seen, "break_glass_unreviewed", f"nobody else reviewed it within {_span(within)}, as far as the "
                   "loaded records show", [action], action.actor)


def _keys(seen: Seen) -> Iterator[Row]:
    """Keys that stand for more than one thing."""
    if not seen.case.foreign:
        return
    for step in (*seen.case.steps, *seen.case.shared):
        rule = seen.case.joint(step, seen.case.anchor).rule
        why = _UNSAFE.get(rule.rpartition(":")[2]) if step.id in seen.case.foreign else None
        if why is not None:
            yield _row(seen, "unsafe_key", f"{step.key} proves nothing here: {why}", [step, seen.case.anchor])
            return


def _clocks(seen: Seen) -> Iterator[Row]:
    by, action = seen.approved.by, seen.case.anchor
    if by is None:
        return
    offset = seen.scene.clocks.offset(action, by)
    if abs(offset) >= _NOTABLE:
        yield _row(seen, "clock_offset", f"the clock of {by.source} runs {_span(abs(offset))} "
                   f"{'before' if offset > timedelta(0) else 'behind'} that of {action.source}: judged with the clocks "
                   "corrected", [by, action])


def to_and_fro(found: Iterable[Flapping], steps: Iterable[Step], home: Mapping[str, str]) -> list[Row]:
    """A finding for every case of a change that was made, undone and made again; ``home``: case ids by step."""
    by_id = {step.id: step for step in steps}
    rows = {}
    for number, one in enumerate(found):
        shown = [by_id[step] for step in one.steps]
        reading = (f"made {one.applied} times and undone {one.undone} times; "
                   f"{'it stands' if one.standing else 'it does not stand'} in the end")
        for case_id in sorted({home[step.id] for step in shown}):
            rows[case_id, number] = {
                "case_id": case_id, "finding": "flapping", "reading": reading, "agent_id": None,
                "step_ids": [step.id for step in shown[:_SHOWN]],
                "record_ids": sorted({record for step in shown[:_SHOWN] for record in step.records})}
    return list(rows.values())


def cyclic(doubts: Iterable[Doubt], home: Mapping[str, str]) -> list[Row]:
    """A finding for every case that names, and is named by, what it is said to have come of."""
    rows = {home[doubt.step.id]: {
        "case_id": home[doubt.step.id], "finding": "cyclic_claims", "agent_id": None,
        "reading": "its records and those of other cases each name the other as what came before",
        "step_ids": [doubt.step.id, *doubt.candidates], "record_ids": sorted(doubt.step.records)}
        for doubt in doubts if doubt.reason == CYCLIC}
    return list(rows.values())


def _span(span: timedelta) -> str:
    seconds = span.total_seconds()
    for unit, size in (("days", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:,.0f} {unit}"
    return f"{seconds:,.0f} s"
