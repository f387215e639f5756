"""The eight questions an auditor asks of a decision, each answered with the records that show it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Row = dict[str, Any]
_INPUTS = ("signal", "data_access")
_BEGINNINGS = ("recommendation", "draft", "request", "action", "rollback", "attempt")
_ADVICE = ("recommendation", "draft")
_DONE = ("action", "rollback")
VERDICTS = {
    "approved_before": "approved before it ran", "retroactive": "approved only after it ran",
    "order_uncertain": "approved, too close in time to say whether before it ran", "denied": "denied",
    "absent": "no approval on record, and its source is covered", "not_required": "nobody needs to be asked",
    "automated_policy": "let through by a rule, not by a person", "expired": "the approval had run out",
    "contradicted": "records contradict each other", "unknown": "not known",
    "scope_exceeded": "what was approved is less or other than what ran", "stale": "an earlier state was approved",
    "quorum_not_met": "fewer approved than must",
}
_TOLD_MORE = frozenset({
    "unknown", "absent", "contradicted", "order_uncertain", "scope_exceeded", "stale", "quorum_not_met"})
INDEPENDENT = {
    "yes": "another person than who asked", "no": "the person who asked or benefits",
    "interested": "another person, who owns or sponsors the agent that acts",
    "by_account_only": "another account than who asked; whether another person is not known",
    "unknown": "whether another person than who asked is not known"}
AUTHORITY = {
    "self": "their own", "obo_user": "a user's rights, delegated to the assistant",
    "own_identity": "the assistant's own",
    "agent_user": "the assistant's own user account", "inherited": "the whole rights of a user",
    "masked": "a person's account with which an assistant is declared to act: which of them did is not recorded",
    "service_chain": "through sessions assumed one from another", "unknown": "not known",
}
AGENTS = {
    "human": "a person's credential", "workload": "software", "ai_agent": "an AI agent", "ai_instance": "an AI session",
    "automation": "automation", "group": "a group", "organisation": "an organisation", "unknown": "of unknown kind",
}
_TESTED: dict[bool | None, str] = {
    True: "; what takes it back has worked here within 180 days",
    False: "; what takes it back was not seen to work here within 180 days", None: ""}
_IN_KIND = {"reversible": "such a change can be; for this one it is not shown",
            "reversible_with_loss": "such a change can be, with loss; for this one it is not shown"}
REVERSIBILITY = {"reversible": "yes", "reversible_with_loss": "yes, with loss", "irreversible": "no",
                 "unknown": "not known"}


def answers(found: Row) -> list[Row]:
    """Rows of ``question``, ``who`` (ids), ``said`` (in words; holds no text of a record), ``quoted`` (what records
    say, untrusted) and ``records``."""
    by_element = {row["element"]: row for row in found["elements"]}
    return [
        _initiated(found, by_element), _informed(found, by_element), _recommended(found, by_element),
        _approved(found, by_element), _executed(found), _authority(found), _undoable(found, by_element), _undone(found)]


def _row(question: str, said: str, records: Sequence[str] = (), who: Iterable[str | None] = (),
         quoted: Sequence[str] = ()) -> Row:
    return {"question": question, "who": [one for one in dict.fromkeys(who) if one], "said": said,
            "quoted": list(dict.fromkeys(quoted)), "records": list(dict.fromkeys(records))}


def _of(found: Row, *kinds: str) -> list[Row]:
    return [step for step in found["steps"] if step["kind"] in kinds]


def _cited(steps: Iterable[Row]) -> list[str]:
    return [record for step in steps for record in step["record_ids"]]


def anchor(found: Row) -> Row | None:
    """The step that names the case."""
    case = found["case"]
    same = [step for step in found["steps"] if case["anchor_event_id"] in (step["event_id"], *step["record_ids"])]
    kinds = _DONE if case["anchor_kind"] in _DONE else (case["anchor_kind"],)
    return next((step for step in same if step["kind"] in kinds and step["time"] == case["time"]),
                next(iter(same), None))


def _initiated(found: Row, elements: Row) -> Row:
    element, asked = elements["initiator"], found["case"]["initiator_id"]
    return _row("Who initiated it", element["reason"] if asked or element["state"] != "proved" else
                f"not named; {element['reason']}", element["record_ids"], [asked])


def _informed(found: Row, elements: Row) -> Row:
    began = min((step["time"] for step in _of(found, *_BEGINNINGS)), default=None)
    read = [step for step in _of(found, *_INPUTS)
            if step["kind"] != "signal" or began is None or step["time"] <= began]
    element = elements["inputs"]
    if not read:
        return _row("What data informed it", element["reason"], element["record_ids"])
    signals = sum(step["kind"] == "signal" for step in read)
    counts = ((signals, "signal", "signals"),
              (len(read) - signals, "reading by an assistant", "readings by an assistant"))
    said = " and ".join(f"{number} {one if number == 1 else more}" for number, one, more in counts if number)
    return _row("What data informed it", f"{said} on record; {element['reason']}", _cited(read),
                quoted=[step["title"] for step in read[:2]])


def _recommended(found: Row, elements: Row) -> Row:
    question, advice, element = "Recommended, and by what", _of(found, *_ADVICE), elements["recommendation"]
    if not advice:
        return _row(question, element["reason"], element["record_ids"])
    first = advice[0]
    origin = {"ai": "by AI", "rule": "by a rule", "human": "by a person"}.get(first["origin"], "origin not stated")
    became = {"accepted": "; accepted", "changed": "; changed before it was done", "rejected": "; rejected"}.get(
        found["case"]["advice_verdict"] or "", "")
    more = f"; {len(advice)} on record, the first is told" if len(advice) > 1 else ""
    return _row(question, f"{origin}{became}{more}", _cited(advice), first["agent_ids"][:1],
                [first["recommended_value"] or first["title"]])


def _approved(found: Row, elements: Row) -> Row:
    case, element = found["case"], elements["approver"]
    said = VERDICTS[case["approval_verdict"]]
    if case["approval_verdict"] in _TOLD_MORE:
        said = f"{said}; {element['reason']}" if element["state"] != "not_required" else said
    if case["approver_id"]:
        said += f"; {INDEPENDENT[case['independent']]}"
    decided = [step for step in _of(found, "decision") if step["time"] == case["approved_at"]]
    return _row("Who approved", said, element["record_ids"] or _cited(decided), [case["approver_id"]])


def _executed(found: Row) -> Row:
    case, done = found["case"], _of(found, *_DONE)
    if not case["executed"]:
        tried = _of(found, "attempt")
        said = "nothing was executed" + (f"; {len(tried)} tried and failed" if tried else "")
        return _row("Who executed", said, _cited(tried))
    step = anchor(found) or done[0]
    through = "; through an assistant" if case["assistant_id"] else ""
    kind = AGENTS[step["agent_class"]]
    said = f"{kind}{through}" if case["executor_id"] else f"the record names nobody{through}"
    return _row("Who executed", said, step["record_ids"], [case["executor_id"], case["assistant_id"]])


def _authority(found: Row) -> Row:
    step = anchor(found)
    if step is None:
        return _row("Under whose authority", "not known")
    case = found["case"]
    said = AUTHORITY[step["authority_mode"]]
    made = _row("Under whose authority", said if case["accountable_id"] else f"{said}; nobody on record answers for it",
                step["record_ids"], [step["on_behalf_of_id"]])
    return {**made, "answerable": case["accountable_id"], "rule": case["accountable_rule"].replace("_", " ")}


def _undoable(found: Row, elements: Row) -> Row:
    case, element = found["case"], elements["rollback"]
    if not case["executed"]:
        return _row("Can it be undone", "nothing was executed")
    tested = _TESTED[case["rollback_tested"] if case["reversibility"] != "irreversible" else None]
    known = REVERSIBILITY[case["reversibility"]] if case["rollback_path"] == "recorded" else _IN_KIND.get(
        case["reversibility"], REVERSIBILITY[case["reversibility"]])
    return _row("Can it be undone", f"{known}; {element['reason']}{tested}", element["record_ids"])


def _undone(found: Row) -> Row:
    case, other = found["case"], found["rolled_back_by"]
    if not case["executed"]:
        return _row("Was it undone", "nothing was executed")
    ended = _of(found, "expiry")
    if other is None:
        return _row("Was it undone", "it ended by itself, at the time it was granted for" if ended else
                    "nothing on record takes it back", _cited(ended))
    minutes = (other["time"] - case["time"]).total_seconds() / 60
    share = "" if case["rollback_share"] in (None, 1.0) else f", {case['rollback_share']:.0%} of it"
    decided = "" if other["approval_verdict"] == "approved_before" else (
        f"; approval of that: {VERDICTS[other['approval_verdict']]}")
    return _row("Was it undone", f"after {minutes:,.0f} min{share}{decided}", other["record_ids"],
                [other["initiator_id"]], [other["operation"]])
