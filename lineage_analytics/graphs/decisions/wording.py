"""An explanation in words: the text of one decision, its sentence, and the lines of its parts."""

from __future__ import annotations

import re
import textwrap
from typing import TYPE_CHECKING, Any

from lineage_analytics.graphs.decisions.answers import INDEPENDENT, REVERSIBILITY, VERDICTS, anchor
from lineage_analytics.text import ascii_only, printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence, Sized
    from datetime import datetime

Row = dict[str, Any]
_WHOLE = 400
_WIDTH = 110
_STEPS, _LINES, _CITED, _RECORDS = 60, 20, 3, 100
_QUESTION, _ANSWERS = " - ", 32
_TENTH = 0.05
_CODE = re.compile(r"\b[a-z]+(?:_[a-z]+)+: ")
_VERDICTS = {
    "approved_before": "APPROVED BEFORE EXECUTION", "retroactive": "APPROVED ONLY AFTER EXECUTION",
    "order_uncertain": "APPROVED, ORDER UNCERTAIN", "denied": "DENIED", "absent": "NO APPROVAL ON RECORD",
    "not_required": "NO APPROVAL REQUIRED", "automated_policy": "APPROVED BY A RULE, NOT BY A PERSON",
    "expired": "APPROVAL HAD RUN OUT", "contradicted": "RECORDS CONTRADICT EACH OTHER", "unknown": "APPROVAL UNKNOWN",
    "scope_exceeded": "APPROVED LESS OR OTHER THAN WHAT RAN", "stale": "APPROVED AN EARLIER STATE",
    "quorum_not_met": "APPROVED BY FEWER THAN MUST",
}
_INDEPENDENT = {"yes": "yes (by person)", "interested": "NO, another who owns or sponsors the agent that acts",
                "no": "NO, the person who asked or benefits", "unknown": "unknown",
                "by_account_only": "by account only: whether another person is not known"}
_APPROVED = {
    "approved_before": "approved before by {who}", "retroactive": "approved only afterwards by {who}",
    "order_uncertain": "approved by {who}, before or after cannot be told", "denied": "denied",
    "absent": "approved by nobody, as far as its covered source shows",
    "not_required": "approved by nobody, nor need it be",
    "automated_policy": "let through by a rule and no person", "expired": "the approval by {who} had run out",
    "contradicted": "records contradict each other on its approval",
    "unknown": "whether anybody approved it is not known", "stale": "approved by {who} in an earlier state",
    "scope_exceeded": "approved by {who} for less or other than what ran",
    "quorum_not_met": "approved by fewer than must",
}
_DONE = {"executed": "done", "rolled_back": "done", "attempted": "tried, without success,", "denied": "not done",
         "pending": "asked for and not decided", "expired": "not used in its time", "open": "open"}
_BACK = {"yes": "it can be undone", "yes, with loss": "it can be undone with loss", "no": "it cannot be undone",
         "not known": "whether it can be undone is not known"}
_CHECKS = {"ok": "OK sha256", "altered": "ALTERED, was sha256", "not_found": "file not found, sha256"}
_CLASSES = {"none": "none: no AI took part", "executes_approved": "executes, approved",
            "executes_autonomous": "executes by itself"}


def as_text(found: Row) -> str:
    """The explanation as lines of printable ASCII."""
    words = _Words(found, ascii_only, ids=True)
    lines = [*words.head(), "", *words.questions(), ""]
    lines += [*words.steps(), "", *words.review(), *words.gaps(), *words.rejects(), "", *words.agents()]
    lines = [part for line in lines for part in _folded(line)]
    return "\n".join([*lines, "", *words.records(), *words.replay()])


def sentence(found: Row) -> str:
    """The decision in one sentence, names as they are."""
    return _Words(found, printable).sentence()


def answer(found: Row, row: Row) -> str:
    """One of the eight answers as a line, names as they are."""
    return _Words(found, printable).answer(row)


def finding(found: Row, row: Row) -> str:
    """What needs review, as a line."""
    return _Words(found, printable).finding(row)


class _Words:
    """Makes lines of one explanation; ``show`` makes the untrusted text of records safe to print. With ``ids`` a letter
    follows each name (names are labels, and ``agents`` lists which identity each letter is), and codes stay."""

    def __init__(self, found: Row, show: Callable[[object, int], str], *, ids: bool = False) -> None:
        self._found, self._case, self._show, self._ids = found, found["case"], show, ids
        self._number = {step["step_id"]: number for number, step in enumerate(_shown_steps(found), 1)}
        self._letters: dict[str, str] = {}
        self._where = {record["record_id"]: record for record in found["records"]}

    # --- parts --------------------------------------------------------------------------------------------------------

    def head(self) -> Iterator[str]:
        found, case = self._found, self._case
        yield (f"DECISION {case['case_id']}  tenant {self._p(case['tenant'])}  rules {found['rules']}  "
               f"as of {_minute(found['as_of'])}")
        if found["found_by"]:
            yield f"Found    {found['found_by']}: {self._p(found['asked'], 80)}"
        yield f"Change   {self._p(case['title'], 96)}"
        yield f"Class    {self._class()}   Status  {self._status()}"
        yield (f"Verdict  {_VERDICTS[case['approval_verdict']]}{self._verdict()}     "
               f"INDEPENDENT APPROVER: {self._other()}")
        yield f"Chain    {self._weakest()}        Gaps {len(found['gaps'])}   Needs review {len(found['findings'])}"

    def questions(self) -> Iterator[str]:
        for row in self._found["answers"]:
            yield f"{_QUESTION}{row['question']:<{_ANSWERS - 4}} {self.answer(row)}{_cites(row['records'])}"

    def steps(self) -> Iterator[str]:
        for step in self._found["steps"][:_STEPS]:
            yield from self._step(step)
        yield from _more(self._found["steps"], _STEPS, "steps")
        for name, does in (("rolled_back_by", "takes this back"), ("rolls_back", "this takes it back")):
            if self._found[name]:
                yield from self._aside(self._found[name], does)

    def review(self) -> Iterator[str]:
        rows = self._found["findings"]
        yield " NEEDS REVIEW" if rows else " NEEDS REVIEW  nothing"
        for row in rows[:_LINES]:
            yield f"  {self.finding(row)}{_cites(row['record_ids'])}"
        yield from _more(rows, _LINES, "findings")

    def gaps(self) -> Iterator[str]:
        rows = self._found["gaps"]
        yield " GAPS" if rows else " GAPS  none"
        for number, gap in enumerate(rows, 1):
            source = f"; expected in {self._p(gap['expected_source'])}" if gap["expected_source"] else ""
            due = f", until {_t(gap['expected_by'])}" if gap["expected_by"] and gap["reason"] == "pending" else ""
            said = gap["effect_on_verdict"].removeprefix(f"{gap['reason']}: ")
            yield f"  g{number} {gap['element']:<16} {gap['reason']:<24} {self._p(said, 100)}{source}{due}"

    def rejects(self) -> Iterator[str]:
        rows = self._found["rejects"]
        if rows:
            yield " NOT LINKED"
        for row in rows[:_LINES]:
            known = [self._candidate(one) for one in row["considered"][:_CITED]]
            more = f" and {len(row['considered']) - _CITED} more" if len(row["considered"]) > _CITED else ""
            count = len(row["candidates"])
            yield (f"  {self._at(row['src'])} {row['rel']}: {count} candidate{'' if count == 1 else 's'} "
                   f"({row['reason']}): {'; '.join(known)}{more}")
        yield from _more(rows, _LINES, "more that were considered")

    def agents(self) -> Iterator[str]:
        """Whom the letters of the lines before stand for."""
        yield " AGENTS" if self._letters else " AGENTS  nobody is named"
        for identity, letter in list(self._letters.items())[:_RECORDS]:
            yield f"  {letter}  {self._p(identity, 160)}"
        yield from _more(self._letters, _RECORDS, "agents")

    def records(self) -> Iterator[str]:
        rows = self._found["records"]
        yield f" RECORDS  {len(rows)}"
        for record in rows[:_RECORDS]:
            yield f"  {record['record_id']}  {self._place(record, _WHOLE)}{self._checked(record)}"
        yield from _more(rows, _RECORDS, "records")

    def replay(self) -> Iterator[str]:
        made, count = self._found["replay"], len(self._found["records"])
        told = f" REPLAY  {count} record{'' if count == 1 else 's'}, digest"
        stored, again = _short(made["stored"]), _short(made["again"])
        if not made["done"]:
            yield f"{told} {stored}, not run again: the records are not at hand"
        elif made["stored"] == made["again"]:
            yield f"{told} {again}  == stored digest"
        else:
            yield f"{told} {again}  DIFFERS from stored digest {stored}"
            yield from (f"  {line}" for line in made["differs"])

    def sentence(self) -> str:
        case = self._case
        asked = self._name(case["initiator_id"])
        parts = [f"{_DONE[case['status']]} {self._by()}on {case['time']:%-d %b %Y %H:%M} UTC",
                 f"asked for by {asked}" if asked else "who set it off is not known"]
        approver = self._name(case["approver_id"]) or "somebody"
        other = f" ({INDEPENDENT[case['independent']]})" if case["approver_id"] else ""
        parts.append(_APPROVED[case["approval_verdict"]].format(who=approver) + other)
        text = f"\u201c{self._p(case['title'] or case['operation'], 160)}\u201d: {', '.join(parts)}"
        if case["executed"]:
            text += f"; {_BACK[REVERSIBILITY[case['reversibility']]]}"
            text += f", {self._ended()}"
        return f"{text}."

    def _ended(self) -> str:
        if self._case["status"] == "rolled_back":
            return "and was"
        if any(step["kind"] == "expiry" for step in self._found["steps"]):
            return "and ended by itself"
        return "and nothing on record takes it back"

    def _by(self) -> str:
        """Who carried it out; nothing where nobody did."""
        if not self._case["executed"]:
            return ""
        executor = self._name(self._case["executor_id"])
        return f"by {executor} " if executor else "by whom the record does not say, "

    def answer(self, row: Row) -> str:
        who = ", ".join(self._who(one) for one in row["who"])
        quoted = "; ".join(f'"{self._show(one, 70)}"' for one in row["quoted"])
        also = f"; answers for it: {self._who(row['answerable'])} {row['rule']}" if row.get("answerable") else ""
        said = row["said"] if self._ids else _CODE.sub("", row["said"])
        return ": ".join(part for part in (who or quoted, said) if part) + (
            f" ({quoted})" if who and quoted else "") + also

    def finding(self, row: Row) -> str:
        about = f"; about {self._who(row['agent_id'])}" if row["agent_id"] else ""
        at = ", ".join(f"[{self._number[one]}]" for one in row["step_ids"] if one in self._number)
        name = row["finding"].replace("_", " ")
        reading = self._p(row["reading"], 160)
        return f"{name}: {reading}{about}{f' at {at}' if at else ''}"

    # --- one step -----------------------------------------------------------------------------------------------------

    def _step(self, step: Row) -> Iterator[str]:
        verdict = f" {step['verdict'].upper()}" if step["verdict"] else ""
        verdict += "" if step["status"] in ("succeeded", "unknown") else f" ({step['status']})"
        yield (f" [{self._number[step['step_id']]}] {step['kind']:<14} {_t(step['time'])}  "
               f"{self._p(step['operation'], 70)}{verdict}")
        about = _about(step)
        if about:
            yield f"     about   {self._p(about, 90)}"
        who = self._who(step["agent_ids"][0]) if step["agent_ids"] else "nobody named"
        yield (f"     by      {who} ({step['agent_class'].replace('_', ' ')})   authority "
               f"{step['authority_mode'].replace('_', ' ')}{self._for(step)}")
        for link in self._found["links"]:
            if link["src"] == step["step_id"]:
                yield from self._link(link)
        if self._case["effect_match"] and step == anchor(self._found):
            yield f"     scope   vs approved: {self._case['effect_match']}"
        for record in step["record_ids"][:_CITED]:
            where = self._where.get(record, {})
            yield (f"     source  {step['source']} event {self._p(step['event_id'], 60)}  {record}"
                   f"{self._checked(where)}  {self._place(where)}")
        yield from (f"     source  {line.strip()}" for line in _more(step["record_ids"], _CITED, "records"))

    def _aside(self, other: Row, does: str) -> Iterator[str]:
        """A change of another case that this one is tied to."""
        apart = (other["time"] - self._case["time"]).total_seconds() / 60
        yield (f" [{self._number[other['step_id']]}] {'rollback' if apart > 0 else 'undone':<14} {_t(other['time'])}  "
               f"{self._p(other['operation'], 70)}   {does}, {abs(apart):,.0f} min "
               f"{'after' if apart > 0 else 'before'}")
        yield (f"     by      {self._who(other['executor_id'])}   decision of its own {other['case_id']}: "
               f"{VERDICTS[other['approval_verdict']]}")
        for link in self._found["links"]:
            if link["src"] == other["step_id"]:
                yield from self._link(link)
        yield (f"     source  {other['source']} event {self._p(other['anchor_event_id'], 60)}"
               f"{_cites(other['record_ids'])}")

    def _for(self, step: Row) -> str:
        said = f" of {self._who(step['on_behalf_of_id'])}" if step["on_behalf_of_id"] else ""
        return said + (f" through {self._who(step['assistant_id'])}" if step["assistant_id"] else "")

    def _link(self, link: Row) -> Iterator[str]:
        other = self._found["elsewhere"].get(link["dst"])
        named = f" ({self._p(other['operation'], 50)} {_t(other['time'])})" if other else ""
        yield (f"     link    {link['rel']} {self._at(link['dst'])}{named}, {link['method']} tier {link['tier']} "
               f"({link['confidence']:.2f})  {', '.join(link['record_ids'][:_CITED])}")
        seconds = -link["delta_seconds"]
        clock = f", clock {link['clock_offset_s']:+,.1f} s" if abs(link["clock_offset_s"] or 0) >= _TENTH else ""
        told = "before" if seconds >= 0 else "after"
        yield (f"     order   {self._at(link['dst'])} {abs(seconds):,.0f} s {told} this (skew band "
               f"{link['skew_band_s']:,.0f} s{clock}): {link['order'] or 'not known'}")

    def _at(self, step_id: str) -> str:
        if step_id in self._number:
            return f"[{self._number[step_id]}]"
        other = self._found["elsewhere"].get(step_id)
        return f"{other['kind']} of {other['case_id']}" if other else f"step {step_id}"

    def _candidate(self, known: Row) -> str:
        if known["step_id"] in self._number:
            return self._at(known["step_id"])
        if "time" not in known:
            return self._p(known["step_id"], 60)
        return (f"{known['source']} event {self._p(known['event_id'], 50)} \"{self._p(known['operation'], 50)}\" "
                f"{_t(known['time'])} in {known['case_id']}")

    # --- the head -----------------------------------------------------------------------------------------------------

    def _class(self) -> str:
        case = self._case
        name = _CLASSES.get(case["involvement_class"], str(case["involvement_class"]).replace("_", " "))
        masked = " (executor masked)" if any(s["authority_mode"] == "masked" for s in self._found["steps"]) else ""
        return f"{name}: {case['involvement_bounds'].replace('_', ' ')}{masked}" if case["involvement_bounds"] else name

    def _status(self) -> str:
        case = self._case
        if case["status"] != "rolled_back":
            return str(case["status"])
        share = case["rollback_share"]
        return "executed, later rolled back" + ("" if share in (None, 1.0) else f" in part ({share:.0%})")

    def _verdict(self) -> str:
        if self._case["approval_verdict"] in ("unknown", "absent"):
            gap = next((g for g in self._found["gaps"] if g["element"] == "decision"), None)
            return f": {gap['reason']}" if gap else ""
        state = next((e["state"] for e in self._found["elements"] if e["element"] == "approver"), None)
        return f": {state}" if state in ("proved", "inferred") else ""

    def _other(self) -> str:
        case = self._case
        if case["approver_id"] is None:
            return "none on record" if case["approval_verdict"] != "unknown" else "unknown"
        return _INDEPENDENT[case["independent"]]

    def _weakest(self) -> str:
        tier = self._case["weakest_tier"]
        if tier is None:
            return "no link is needed" if len(self._found["steps"]) == 1 else "no link"
        link = next((one for one in self._found["links"] if one["tier"] == tier and one["src"] in self._number
                     and one["rel"] != "informed_by"), None)
        if link is None:
            return f"weakest link tier {tier}"
        at = f"{self._at(link['src'])}->{self._at(link['dst'])}"
        return f"weakest link tier {tier} ({link['confidence']:.2f}) at {at}"

    # --- words --------------------------------------------------------------------------------------------------------

    def _who(self, identity: str | None) -> str:
        if identity is None:
            return "not known"
        name = self._p(self._found["agents"].get(identity) or identity.rsplit(":", 1)[-1], 60)
        return f"{name} ({self._letters.setdefault(identity, _letter(len(self._letters)))})" if self._ids else name

    def _name(self, identity: str | None) -> str:
        """A name for a sentence; empty for nobody."""
        return self._who(identity) if identity else ""

    def _place(self, record: Row, limit: int = 70) -> str:
        if not record.get("file"):
            return "record without a file"
        member = f"!{self._p(record['member'], 60)}" if record["member"] else ""
        return f"{self._p(record['file'], limit)}{member}:{record['position']}"

    @staticmethod
    def _checked(record: Row) -> str:
        if not record.get("file_sha256"):
            return ""
        said = _CHECKS.get(record.get("file_check") or "", "sha256")
        return f"  {said} {_short(record['file_sha256'])}{'' if record.get('file_check') else ' (file not checked)'}"

    def _p(self, value: object, limit: int = _WIDTH) -> str:
        """Printable and at most ``limit`` characters, also where escapes make the text longer than it was."""
        text = "not stated" if value is None else self._show(value, limit)
        return text if len(text) <= limit else text[: limit - 3] + "..."


def _more(rows: Sized, shown: int, what: str) -> Iterator[str]:
    if len(rows) > shown:
        yield f"  and {len(rows) - shown:,} {what}; --json holds all"


def _cites(records: Sequence[str]) -> str:
    """The records a statement rests on."""
    if not records:
        return "  (no record)"
    more = f" +{len(records) - _CITED}" if len(records) > _CITED else ""
    return f"  {', '.join(records[:_CITED])}{more}"


def _short(digest: str | None) -> str:
    return f"{digest[:4]}..{digest[-2:]}" if digest else "none"


def _minute(moment: datetime | None) -> str:
    return moment.strftime("%Y-%m-%dT%H:%MZ") if moment else "unknown time"


def _about(step: Row) -> str:
    """The title without the operation it begins with, which stands above it."""
    title, operation = step["title"] or "", step["operation"] or ""
    for prefix in (operation, operation.rpartition(":")[2]):
        if prefix and title.startswith(prefix):
            return str(title[len(prefix):].strip(" :"))
    return str(title)


def _letter(number: int) -> str:
    """a to z, then aa, ab and so on."""
    rest = _letter(number // 26 - 1) if number >= 26 else ""
    return f"{rest}{chr(ord('a') + number % 26)}"


def _shown_steps(found: Row) -> list[Row]:
    """The steps of the case, then the change that took it back and the one it takes back: cases of their own."""
    return [*found["steps"], *(other for other in (found["rolled_back_by"], found["rolls_back"]) if other)]


def _folded(line: str) -> list[str]:
    """The line in parts of at most 110 characters, the later ones set in as far as what they go on from."""
    if len(line) <= _WIDTH:
        return [line]
    return textwrap.wrap(line, _WIDTH, subsequent_indent=" " * (_ANSWERS if line.startswith(_QUESTION) else 13),
                         replace_whitespace=False, break_long_words=False, break_on_hyphens=False)


def _t(moment: datetime | None) -> str:
    return moment.strftime("%Y-%m-%d %H:%M:%SZ") if moment else "unknown time"
