"""One decision, ready to draw: what stands in which of its five stages, in which row, and what is tied to what."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

Row = dict[str, Any]
STAGES = ("signal", "advice", "approval", "action", "rollback")
UNLINKED = "unlinked"
# At most 60 cards: eight in each of the five stages, and of what was not linked; what is more is counted.
ROWS_DRAWN = 8
_GAPS_DRAWN, _SWEEPS, _PROVED = 2, 6, 3
_STAGE = {
    "signal": "signal", "data_access": "signal", "recommendation": "advice", "draft": "advice", "request": "advice",
    "decision": "approval", "action": "action", "attempt": "action", "rollback": "rollback", "expiry": "rollback",
    "outcome": "rollback",
}
_LACKS = {
    "signal": "signal", "data_inputs": "signal", "recommendation": "advice", "rationale": "advice", "request": "advice",
    "initiator": "advice", "decision": "approval", "approver_identity": "approval", "time_order": "approval",
    "execution": "action", "executor_identity": "action", "before_state": "action", "after_state": "action",
    "correlation": "action", "rollback_path": "rollback", "outcome": "rollback",
}
FAILING = frozenset({"absent", "contradicted"})


@dataclass(frozen=True)
class Card:
    """One card. ``look``: step, failed (tried without success), other (a step of another decision), gap, missing (a gap
    that counts against the decision), more (so many are not drawn) or unlinked."""

    id: str
    stage: str
    look: str
    what: str
    who: str | None = None
    time: datetime | None = None
    number: int | None = None


@dataclass(frozen=True)
class Tie:
    """From what came first to what rests on it; ``proved``: on a record's own word (tier 3 to 5)."""

    start: str
    end: str
    proved: bool


@dataclass(frozen=True)
class Picture:
    """Cards by stage, from the top, ordered so that few ties cross."""

    columns: Mapping[str, list[Card]]
    ties: list[Tie]
    steps: int

    @property
    def stages(self) -> list[str]:
        return [*STAGES, *([UNLINKED] if self.columns.get(UNLINKED) else [])]

    @property
    def height(self) -> int:
        """Rows of the fullest column."""
        return max((len(column) for column in self.columns.values()), default=0)


def picture(
    steps: pl.DataFrame, links: pl.DataFrame, gaps: pl.DataFrame, rejects: pl.DataFrame, case_id: str
) -> Picture:
    """The steps of a case, those of other cases that it takes back or that take it back, its gaps, and what was
    considered and not linked."""
    own = steps.filter(pl.col("case_id") == case_id).sort("time", "step_id").unique(
        "step_id", keep="first", maintain_order=True).to_dicts()
    ids = [step["step_id"] for step in own]
    tied = links.filter(pl.col("src").is_in(ids) | pl.col("dst").is_in(ids)).sort("src", "dst", "rel").to_dicts()
    others = _others(steps, tied, set(ids))
    cards = [_step(step, number) for number, step in enumerate(own, 1)]
    cards += [_other(step, tied) for step in others]
    cards += _lacking(gaps.filter(pl.col("case_id") == case_id).sort("element").to_dicts())
    cards += _unlinked(steps, rejects.filter(pl.col("src").is_in(ids)).sort("src", "rel", "reason").to_dicts(),
                       {card.id for card in cards})
    columns: dict[str, list[Card]] = {}
    for stage in (*STAGES, UNLINKED):
        columns[stage] = _drawn(stage, [card for card in cards if card.stage == stage])
    known = {card.id for column in columns.values() for card in column}
    ties = [Tie(link["dst"], link["src"], link["tier"] >= _PROVED) for link in tied
            if link["dst"] in known and link["src"] in known and link["dst"] != link["src"]]
    _arrange(columns, ties)
    return Picture(columns, ties, len(own))


def _others(steps: pl.DataFrame, tied: Sequence[Row], own: set[str]) -> list[Row]:
    wanted = {end for link in tied if link["rel"] == "rolls_back" for end in (link["src"], link["dst"])} - own
    if not wanted:
        return []
    return steps.filter(pl.col("step_id").is_in(sorted(wanted))).sort("time", "step_id").unique(
        "step_id", keep="first", maintain_order=True).to_dicts()


def _step(step: Row, number: int) -> Card:
    look = "failed" if step["kind"] == "attempt" or step["status"] == "failed" else "step"
    return Card(step["step_id"], _STAGE.get(step["kind"], UNLINKED), look, _what(step),
                (step["agent_ids"] or [None])[0], step["time"], number)


_DECIDED = {"approve": "approved", "deny": "denied", "withdraw": "withdrawn", "modify": "changed"}


def _what(step: Row) -> str:
    if step["kind"] == "decision" and step["verdict"]:
        return f"{_DECIDED.get(step['verdict'], step['verdict'])}: {step['operation']}"
    if step["kind"] in ("signal", "recommendation", "data_access", "outcome") and step["title"]:
        return str(step["title"])
    return ("failed: " if step["kind"] == "attempt" else "") + str(step["operation"])


def _other(step: Row, tied: Sequence[Row]) -> Card:
    undoes = any(link["rel"] == "rolls_back" and link["src"] == step["step_id"] for link in tied)
    return Card(step["step_id"], "rollback" if undoes else "action", "other", str(step["operation"]),
                (step["agent_ids"] or [None])[0], step["time"])


def _lacking(gaps: Sequence[Row]) -> list[Card]:
    """One card for the gaps of a stage that have one reason."""
    found: dict[tuple[str, str], list[str]] = defaultdict(list)
    for gap in sorted(gaps, key=lambda gap: list(_LACKS).index(gap["element"]) if gap["element"] in _LACKS else 0):
        found[_LACKS.get(gap["element"], "action"), gap["reason"]].append(gap["element"])
    return [Card(f"gap:{stage}:{reason}", stage, "missing" if reason in FAILING else "gap",
                 ", ".join(_distinct(elements)), reason) for (stage, reason), elements in found.items()]


def _distinct(elements: Sequence[str]) -> list[str]:
    """Who approved is not told apart where the whole approval is not there."""
    return [name for name in elements if name != "approver_identity" or "decision" not in elements]


def _unlinked(steps: pl.DataFrame, rejects: Sequence[Row], taken: set[str]) -> list[Card]:
    """What was considered and not linked, each once, with the reason."""
    reasons: dict[str, str] = {}
    for reject in rejects:
        for candidate in reject["candidates"]:
            if candidate not in taken:
                reasons.setdefault(candidate, reject["reason"])
    known = {step["step_id"]: step for step in steps.filter(pl.col("step_id").is_in(sorted(reasons))).to_dicts()}
    return [Card(one, UNLINKED, "unlinked", str(known[one]["operation"]) if one in known else one, reason,
                 known[one]["time"] if one in known else None) for one, reason in reasons.items()]


def _drawn(stage: str, cards: list[Card]) -> list[Card]:
    """The first of a column, in order of time, its gaps last; what is more as one card with a number."""
    found = [card for card in cards if card.look not in ("gap", "missing")]
    lacking = sorted((card for card in cards if card.look in ("gap", "missing")),
                     key=lambda card: (card.look != "missing", card.id))
    if len(lacking) > _GAPS_DRAWN:
        rest = [name for card in lacking[_GAPS_DRAWN - 1:] for name in card.what.split(", ")]
        lacking = [*lacking[:_GAPS_DRAWN - 1], Card(
            f"gap:{stage}:more", stage, lacking[_GAPS_DRAWN - 1].look, ", ".join(rest), "for several reasons")]
    room = ROWS_DRAWN - len(lacking)
    if len(found) > room:
        found = [*found[:room - 1], Card(f"more:{stage}", stage, "more", f"and {len(found) - room + 1:,} more")]
    return [*found, *lacking]


def _arrange(columns: dict[str, list[Card]], ties: Sequence[Tie]) -> None:
    """Cards ordered so that few ties cross: barycentres, swept to and fro, those of one centre by time and id."""
    beside: dict[str, list[str]] = defaultdict(list)
    for tie in ties:
        beside[tie.start].append(tie.end)
        beside[tie.end].append(tie.start)
    stages = [stage for stage in STAGES if columns[stage]]
    for sweep in range(_SWEEPS):
        for stage in stages if sweep % 2 == 0 else reversed(stages):
            place = {card.id: order for other in stages if other != stage for order, card in enumerate(columns[other])}
            columns[stage].sort(key=lambda card: _order(card, [place[one] for one in beside[card.id] if one in place]))


def _order(card: Card, near: Sequence[int]) -> tuple[bool, float, int, str]:
    """Tied cards by the middle of what they are tied to, then the others in order of time, then gaps and counts."""
    apart = card.look in ("more", "gap", "missing")
    return apart, sum(near) / len(near) if near and not apart else ROWS_DRAWN, card.number or 0, card.id
