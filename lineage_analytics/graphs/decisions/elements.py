"""Per case: is each element of its lineage there, and if not, which gap and why (decision-lineage 8)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from lineage_analytics.graphs.decisions.approvals import PROVED, TICKETS, Approval
from lineage_analytics.graphs.decisions.inverse import PROVING, applying
from lineage_analytics.graphs.decisions.kept import ABSENT
from lineage_analytics.graphs.decisions.steps import AI, SOFTWARE, Person
from lineage_analytics.loaders.common.secrets import MARKER

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from lineage_analytics.graphs.decisions.case import Case
    from lineage_analytics.graphs.decisions.delegations import Root
    from lineage_analytics.graphs.decisions.kept import Unkept
    from lineage_analytics.graphs.decisions.reads import Read
    from lineage_analytics.graphs.decisions.taken import TakenBack
    from lineage_analytics.graphs.decisions.verdicts import Involvement

Row = dict[str, Any]
NOT_STATED = "not stated"
_RECORDS = 20
ASSISTANTS = "a record of what the assistant read and advised"
_GAP_ELEMENT = {"initiator": "initiator", "inputs": "data_inputs", "recommendation": "recommendation",
                "approver": "decision", "action": "execution", "rollback": "rollback_path"}


@dataclass(frozen=True)
class Found:
    """What is known of one case. ``read``: what an assistant had read, as far as traces and quoted conversations tell;
    ``earlier``: whether a value stood before the change, None when the log does not tell; ``born_here``: the log shows
    the target being created; ``dark``: since when a trail of its tenant stood switched off; ``root``: the person at the
    beginning of the delegations behind it; ``unkept``: why inputs and advice that its workflow is
    declared to keep are not there, as far as they are not, None where nothing is declared."""

    case: Case
    approved: Approval
    part: Involvement
    initiator: str | None
    read: Sequence[Read]
    undone: TakenBack | None
    earlier: bool | None
    born_here: bool
    known: Mapping[str, Person]
    dark: datetime | None = None
    root: Root | None = None
    unkept: Unkept | None = None

    @property
    def done(self) -> bool:
        return self.case.anchor.kind in ("action", "rollback")

    @property
    def assisted(self) -> bool:
        """Whether AI surely took part, in whatever class."""
        bounds = self.part.bounds
        return self.part.name not in ("none", "unknown") or (bounds is not None and not bounds.startswith("none"))


def elements(found: Found) -> list[Row]:
    """Six rows, one an element: its state, in words why, and the records that show it."""
    made = {
        "initiator": _initiator(found), "inputs": _inputs(found),
        "recommendation": _recommendation(found), "approver": _approver(found),
        "action": _action(found), "rollback": _rollback(found),
    }
    return [{"case_id": found.case.id, "element": name, "state": state, "reason": reason, "record_ids": records}
            for name, (state, reason, records) in made.items()]


State = tuple[str, str, list[str]]


def _initiator(found: Found) -> State:
    requests = [step for step in found.case.about("request") if step.initiator or step.on_behalf_of or step.actor]
    if requests and (joint := found.case.joint(requests[0], found.case.anchor)).tier < PROVED:
        return "inferred", f"{joint.method}: {_INFERRED[joint.method]}", requests[0].records
    if requests:
        return "proved", "the request names who asked", requests[0].records
    anchor = found.case.anchor
    if found.root is not None and anchor.agent_class != "human":
        return "proved", "the chain of delegations it was done with begins with a person", found.root.records[:_RECORDS]
    if anchor.on_behalf_of is not None:
        if found.known.get(anchor.on_behalf_of, Person()).kind in _NO_PERSON:
            return "unknown", "not_collected: software made the call for other software; who set it off is unknown", []
        return "proved", "the session names the person it was for", anchor.records
    if anchor.agent_class == "human":
        return "proved", "a person made the call", anchor.records
    if anchor.actor is None:
        return "unknown", "not_recorded_by_provider: the record names no caller", []
    what = "an assistant's account" if anchor.agent_class in AI else (
        "software" if anchor.agent_class in SOFTWARE else "a caller of unknown kind")
    return "unknown", f"not_collected: {what} made the call; who set it off is in no loaded source", []


def _inputs(found: Found) -> State:
    """What informed it: signals and data that the records of the case name."""
    unneeded = _unneeded(found, "what the assistant was told and read")
    if unneeded is not None:
        return unneeded
    case, anchor = found.case, found.case.anchor
    signals = [step for step in case.signals() if case.joint(step, anchor).tier >= PROVED]
    traced = sorted({read.row["record_id"] for read in found.read if read.joint.tier >= PROVED})
    if signals or traced:
        what = " and ".join(part for part in ("a signal" if signals else "", "what it read" if traced else "") if part)
        records = [record for step in signals[:1] for record in step.records] + traced
        return "proved", f"{what} stands in the records of the case", records[:_RECORDS]
    if found.read:
        return "inferred", "quoted_key: a conversation id in the request's text, which its writer could choose", sorted(
            {read.row["record_id"] for read in found.read})
    return _unseen(found, "what the assistant was told and read")


def _recommendation(found: Found) -> State:
    """What was advised, and by whom: advice or a draft whose record is part of the case."""
    unneeded = _unneeded(found, "what the assistant advised")
    if unneeded is not None:
        return unneeded
    case, anchor = found.case, found.case.anchor
    advised = [(step, case.joint(step, anchor)) for step in (*case.of("recommendation"), *case.of("draft"))]
    for step, joint in advised:
        if joint.tier >= PROVED:
            return "proved", f"the {step.kind} is on record", step.records
    if advised:
        step, joint = advised[0]
        return "inferred", f"{joint.method}: {_INFERRED[joint.method]}", step.records
    if found.read and found.read[0].joint.tier < PROVED:
        return "inferred", "quoted_key: a conversation id in the request's text, which its writer could choose", sorted(
            {read.row["record_id"] for read in found.read})
    return _unseen(found, "what the assistant advised")


def _unseen(found: Found, what: str) -> State:
    """Nothing of it is on record: missing only where a source that is declared to hold it is covered."""
    unkept = found.unkept
    if unkept is None or unkept.reason == "not_collected":
        return "unknown", f"not_collected: {what} is in no loaded source", []
    if unkept.reason == ABSENT:
        return "missing", f"absent: {unkept.source} is covered and does not hold {what}, as its workflow declares", []
    why = _LATER[unkept.reason]
    return "pending" if unkept.reason == "pending" else "unknown", f"{unkept.reason}: {what}: {why}", []


def _unneeded(found: Found, what: str) -> State | None:
    if found.part.name == "none":
        return "not_required", "no AI took part", []
    if not found.assisted:
        return "unknown", f"not_collected: {what}; whether AI took part is itself unknown", []
    return None


_NO_PERSON = frozenset({"workload", "service_account", "app", "api_key", "ai_agent", "ai_assistant"})
_APPROVER = {
    "retroactive": ("missing", "approved only after it ran"), "denied": ("missing", "denied, yet it ran"),
    "automated_policy": ("missing", "let through by a rule, not by a person"),
    "expired": ("missing", "the approval had run out"),
    "scope_exceeded": ("missing", "what ran goes beyond what was approved"),
    "stale": ("missing", "what was approved is an earlier state of what ran"),
    "quorum_not_met": ("missing", "fewer people approved than a declared rule requires"),
    "contradicted": ("missing", "contradicted: the records name different targets"),
    "order_uncertain": ("unknown", "ambiguous: too close in time to say which came first"),
    "absent": ("missing", "absent: its source is covered and holds no approval"),
}


_INFERRED = {
    "quoted_key": "it shares a key that people wrote into a text, and the target",
    "window": "it is the only one for this change in its window of time",
    "business_key": "its ticket is named, but stands for more than this change, or had ended before it",
}
_ALONE = {"yes": "", "interested": "; the approver owns or sponsors the agent that acted"}
_UNSEEN = {
    "not_collected": "no source that would hold the approval is loaded",
    "outside_coverage": "its source was not received for all of the time in which it would have been given",
    "truncated": "a file of its source was cut off, and may have held it",
    "unparseable": "a file of its source holds records that could not be read, and they may have held it",
    "expired": "its source no longer keeps that time, and was not exported before",
    "ambiguous": "one approval without a target stands for several changes",
    "not_recorded_by_provider": "the record does not show that a person approved",
}


_LATER = {
    "pending": "the source declared to hold it may still deliver it",
    "outside_coverage": "the source declared to hold it was not received for all of the time",
    "truncated": "a file of the source declared to hold it was cut off",
    "unparseable": "a file of the source declared to hold it holds records that could not be read",
    "expired": "the source declared to hold it no longer keeps that time",
}


def _unasked(approved: Approval) -> str:
    if approved.emergency is not None:
        return "an account declared for emergencies: its use is reviewed afterwards"
    return "a declared rule asks for nobody" if approved.required == 0 else "giving up one's own activation asks nobody"


def _approver(found: Found) -> State:
    approved = found.approved
    records = approved.by.records if approved.by else []
    if approved.by is not None and not found.case.of("action", "rollback"):
        return "not_required", "nothing was executed; the decision is on record", records
    if approved.verdict == "not_required":
        return "not_required", _unasked(approved), []
    if approved.by is not None and approved.by.conflict:
        return "missing", "contradicted: two deliveries of one record say different things", records
    if approved.inferred is not None:
        return "inferred", f"{approved.inferred}: {_INFERRED[approved.inferred]}", records
    if approved.verdict == "approved_before":
        if approved.independent == "no":
            return "missing", "approved only by the person who asked or benefits", records
        alone = _ALONE.get(approved.independent, "; whether another person, is known by account only")
        return "proved", f"a person approved {approved.delta:,.0f} s before it ran{alone}", records
    if approved.verdict in _APPROVER:
        state, reason = _APPROVER[approved.verdict]
        return state, reason, records
    if approved.reason == "pending":
        return "pending", "pending: its source may still deliver it", []
    reason = approved.reason or "not_collected"
    return "unknown", f"{reason}: {_UNSEEN[reason]}", records


def _action(found: Found) -> State:
    done = found.case.of("action", "rollback")
    if done and done[0].status == "unknown":
        return "unknown", "not_recorded_by_provider: the record does not say whether it took effect", done[0].records
    if done:
        return "proved", "the change is on record", done[0].records
    return "not_required", "nothing was executed", []


def _rollback(found: Found) -> State:
    """Is a way back on record: taken already, with an end of its own, or named by the inverse table."""
    done = found.case.of("action", "rollback")
    if not done:
        return "not_required", "nothing was executed", []
    if found.undone is not None and found.undone.proved:
        part = "" if found.undone.share >= 1 else f" in part ({found.undone.share:.0%})"
        return "proved", f"rolled back{part} by {found.undone.undoing.operation}", found.undone.undoing.records
    if any(step.expires is not None for step in (*done, *found.case.about("request"))):
        return "proved", "the grant ends by itself at a recorded time", done[0].records
    anchor = found.case.anchor
    rows = [row for row in applying(anchor.operation, anchor.effect) if row.status in PROVING]
    if found.undone is not None and not rows:
        return ("inferred", f"{found.undone.undoing.operation} seems to have taken it back; no sample or reference "
                "attests the pair", found.undone.undoing.records)
    if not rows or anchor.target is None:
        what = "the inverse table does not know the operation" if not rows else "the record does not name the target"
        return "unknown", f"not_recorded_by_provider: {what}", []
    if rows[0].reversibility in ("irreversible", "reversible_with_loss") and not rows[0].inverse:
        if found.approved.counts:
            return "not_required", "cannot be undone in full; another person approved it before", anchor.records
        return "missing", "cannot be undone in full, and no second approver is on record", anchor.records
    overwrites = any(row.kind == "state" for row in rows)
    if not overwrites or _reversed_by_opposite_value(anchor.operation):
        return "proved", f"{rows[0].inverse} on the recorded target takes it back", anchor.records
    if found.earlier:
        return "proved", "the value that stood before is on record", anchor.records
    takes_away = next((row.inverse for row in rows if row.kind == "pair"), None)
    if found.earlier is False and takes_away is not None:
        return "proved", f"no value stood before; {takes_away} takes it back", anchor.records
    if found.born_here:
        return "missing", "it overwrites, and no earlier value is on record since the target was made", anchor.records
    return "unknown", "outside_coverage: what stood before this value is older than the log", []


def _reversed_by_opposite_value(operation: str) -> bool:
    """Switches with two positions: the other one is the way back."""
    return operation.casefold() in ("iam:updateaccesskey",)


class Lack(NamedTuple):
    """What a reader would ask of a case and the records do not say: element, reason, in words, who would hold it."""

    element: str
    reason: str
    said: str
    source: str | None = None


def gaps(found: Found, states: list[Row]) -> list[Row]:
    """A gap for every required element that is not proved, with the reason and what would hold it; and for what else
    a reader would ask of the case and the records do not say."""
    made = [_gap(found, _GAP_ELEMENT[row["element"]], _reason(found, row), row["reason"],
                 _source(found, row["element"]), _due(found, row["element"]))
            for row in states if row["state"] not in ("proved", "not_required")]
    if any(gap["element"] == "decision" for gap in made) and found.approved.by is None:
        decision = next(gap for gap in made if gap["element"] == "decision")
        made.append(decision | {"gap_id": _gap_id(found, "approver_identity"), "element": "approver_identity"})
    for lack in _lacks(found):
        if lack.element not in {gap["element"] for gap in made}:
            made.append(_gap(found, *lack))
    return made


def _lacks(found: Found) -> Iterator[Lack]:
    """What no element of the six stands for."""
    yield from _lacks_of_origin(found)
    yield from _lacks_of_execution(found)
    if found.dark is not None:
        said = f"a trail stood switched off since {found.dark:%Y-%m-%d %H:%M:%S}Z: records may be missing"
        yield Lack("correlation", "outside_coverage", said, found.case.anchor.source)
    if found.approved.order == "order_uncertain":
        yield Lack("time_order", "ambiguous", "approval and change are too close in time to say which came first")
    if any(step.zone_assumed for step in found.case.steps if step.kind in ("decision", "action")):
        yield Lack("time_order", "not_recorded_by_provider",
                   "a time was written without its zone: it orders steps of one source, not of two")


def _lacks_of_origin(found: Found) -> Iterator[Lack]:
    case, anchor = found.case, found.case.anchor
    requests = case.about("request")
    if found.assisted and not case.signals():
        yield Lack("signal", "not_collected", "not_collected: what set the assistant off", ASSISTANTS)
    if found.done and not requests and anchor.key_kind == "pim_request_id":
        yield Lack("request", "outside_coverage", "the request of this key is older than its log, or was not exported",
                   anchor.source)
    if requests and any(step.justified is False for step in requests) and not any(step.justified for step in requests):
        yield Lack("rationale", "absent", "no reason was given for the request", requests[0].source)
    elif found.assisted and not any(step.justified for step in (*requests, *case.of("recommendation", "draft"))):
        yield Lack("rationale", "not_recorded_by_provider", "why the assistant proposed it stands in no field of its "
                   "records", ASSISTANTS)


def _lacks_of_execution(found: Found) -> Iterator[Lack]:
    case, anchor = found.case, found.case.anchor
    if anchor.actor is None:
        yield Lack("executor_identity", "not_recorded_by_provider", "the record names nobody")
    elif MARKER in anchor.actor:
        yield Lack("executor_identity", "redacted", "the name of who acted looked like a secret and was taken out "
                   "when its record was loaded")
    elif anchor.authority == "masked":
        yield Lack("executor_identity", "not_recorded_by_provider",
                   "an assistant is declared to act with this person's account; the record cannot tell which did")
    if any(step.conflict for step in case.of("action", "rollback", "attempt")):
        yield Lack("execution", "contradicted", "two deliveries of one record say different things", anchor.source)
    if not found.done:
        return
    if found.assisted and not case.of("outcome"):
        yield Lack("outcome", "not_collected", "no record says what came of it")
    if any(row.kind == "state" for row in applying(anchor.operation, anchor.effect)):
        if anchor.before is None and found.earlier is None:
            yield Lack("before_state", "not_recorded_by_provider", "the record does not say what stood before")
        if anchor.after is None:
            yield Lack("after_state", "not_recorded_by_provider", "the record does not say what stands since")


def _gap_id(found: Found, element: str) -> str:
    return f"gap-{found.case.id.removeprefix('dec-')}-{element}"


def _gap(found: Found, element: str, reason: str, said: str, source: str | None, due: datetime | None = None) -> Row:
    return {
        "gap_id": _gap_id(found, element), "case_id": found.case.id, "element": element, "reason": reason,
        "expected_source": source, "expected_by": due, "since": found.case.anchor.time, "effect_on_verdict": said,
    }


_REASONS = frozenset({"not_collected", "outside_coverage", "pending", "not_recorded_by_provider", "ambiguous", "absent",
                      "contradicted", "truncated", "unparseable", "expired", "redacted"})


def _reason(found: Found, row: Row) -> str:
    stated = str(row["reason"]).partition(":")[0]
    if stated in _REASONS:
        return stated
    if row["element"] == "approver" and found.approved.verdict in ("contradicted", "denied"):
        return "contradicted"
    return "not_collected" if row["state"] == "inferred" else "absent"


def _due(found: Found, element: str) -> datetime | None:
    if element == "approver":
        return found.approved.due
    return found.unkept.due if found.unkept is not None and element in ("inputs", "recommendation") else None


def _source(found: Found, element: str) -> str | None:
    if element == "approver":
        return found.approved.source or (found.approved.by.source if found.approved.by is not None else TICKETS)
    if element not in ("inputs", "recommendation"):
        return None
    return ASSISTANTS if found.unkept is None else found.unkept.source
