"""Which changes of an estate were undone, last in first out (decision-lineage 9.1)."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

from lineage_analytics.graphs.decisions.inverse import PROVING, both_ways, folded, inverses, undoes
from lineage_analytics.graphs.decisions.steps import skew

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from lineage_analytics.graphs.decisions.inverse import Inverse
    from lineage_analytics.graphs.decisions.steps import Step

WINDOW = timedelta(days=180)
_EMPTY = frozenset({"44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"})
"""SHA-256 of ``{}``: the record states its value elsewhere."""


class Undone(NamedTuple):
    """``undoing`` took back ``undone``."""

    undone: Step
    undoing: Step
    kind: str
    proved: bool


class Doubted(NamedTuple):
    """A pair by name that is none, or that the records cannot show to be one."""

    undone: Step
    undoing: Step
    reason: str


class Pairs(NamedTuple):
    """``stood``: by step id, whether a value stood before it, for steps whose log tells."""

    made: list[Undone]
    doubted: list[Doubted]
    stood: dict[str, bool]


Where = tuple[str, str | None, str, bool, str]


@dataclass
class _Change:
    """A change in force. ``before``: the value that stood before it, where ``before_known``. ``replaced``: it took the
    name of something whose deletion is not on record before it. ``number``: how many changes came before it."""

    step: Step
    number: int
    before_known: bool
    before: str | None
    replaced: bool = False


@dataclass
class _Place:
    """What is known of one target and parameter: changes in force by operation, and the value that stands. Changes up
    to the number ``lapsed`` with an end of their own have ended, and those of each key up to ``ended[key]``: they are
    taken out when they come up, so that an ending costs the same however many stand."""

    open: dict[str, list[_Change]] = field(default_factory=dict)
    lapsed: int = -1
    ended: dict[str, int] = field(default_factory=dict)
    known: bool = False
    value: str | None = None


def undone(steps: Iterable[Step]) -> Pairs:
    """Pairs of changes that took effect: same tenant, target and parameter, the earlier still in force, the later
    after it by more than the clocks may differ, within 180 days. What stood before the log began is not known, and
    then nothing is claimed."""
    walk = _Walk()
    for step in sorted((s for s in steps if s.target is not None and s.kind in ("action", "rollback", "expiry")),
                       key=lambda s: (s.time, _rank(s), s.id)):
        walk.take(step)
    return Pairs(walk.made, walk.doubted, walk.stood)


def _verb(step: Step) -> str:
    return (step.effect or "").partition("(")[0]


def _rank(step: Step) -> int:
    """Of one moment: a thing is made before it is changed, and gone last."""
    return {"create": 0, "delete": 2, "destroy": 2}.get(_verb(step), 1)


def _where(step: Step) -> Where:
    """Eligible and active assignments of one role are two things; a firewall rule is known by its value."""
    valued = any(row.kind == "valued" for row in inverses(step.operation) + undoes(step.operation))
    return (step.provider, step.tenant, step.target or "", (step.effect or "").endswith("|eligible)"),
            step.after or "" if valued else "")


class _Walk:
    """Goes through the changes in time order; work per change does not grow with their number."""

    def __init__(self) -> None:
        self.made: list[Undone] = []
        self.doubted: list[Doubted] = []
        self._number = 0
        self.stood: dict[str, bool] = {}
        self._places: dict[Where, _Place] = defaultdict(_Place)
        self._under: dict[tuple[str, str | None, str], set[Where]] = defaultdict(set)

    def take(self, step: Step) -> None:
        where = _where(step)
        if step.kind == "expiry":
            self._lapse(step, where)
            return
        replaced = _verb(step) == "create" and "|" not in where[2] and self._renew(step, where)
        place = self._places[where]
        base = (where[0], where[1], where[2].partition("|")[0])
        self._under[base].add(where)
        known, before = (True, step.before) if step.before is not None else (place.known, place.value)
        if known:
            self.stood[step.id] = before is not None
        if not self._undo(step, place):
            self._number += 1
            place.open.setdefault(folded(step.operation), []).append(
                _Change(step, self._number, known, before, replaced))
        if step.after is not None or _verb(step) in ("delete", "destroy"):
            place.known, place.value = True, step.after
        else:
            place.known, place.value = False, None

    def _lapse(self, step: Step, where: Where) -> None:
        """Authority that ran out ends its own grant; it takes nothing back."""
        if _verb(step) != "revoke" or where not in self._places:
            return
        place = self._places[where]
        place.lapsed = self._number
        if step.key is not None:
            place.ended[step.key] = self._number

    def _renew(self, step: Step, where: Where) -> bool:
        """A thing made anew under an old name: what was done to the old one cannot be undone on the new."""
        found = False
        for other in self._under.pop((where[0], where[1], where[2]), set()):
            place = self._places.pop(other)
            kept = _Place()
            for name, stack in place.open.items():
                young = [c for c in stack if step.time - c.step.time <= skew(step, c.step)]
                found = found or (other == where and bool(stack))
                if young and other != where:
                    kept.open[name] = young
            if kept.open:
                self._places[other] = kept
                self._under[where[0], where[1], where[2]].add(other)
        return found

    def _undo(self, step: Step, place: _Place) -> bool:
        """Whether the step took back the newest change in force that it can take back."""
        newest: tuple[_Change, Inverse, list[_Change]] | None = None
        for row in undoes(step.operation):
            stack = place.open.get(folded(row.forward), [])
            while stack and _over(stack[-1], place, step.time):
                stack.pop()
            if stack and _fits(row, stack[-1], step, place) and (newest is None or _later(stack[-1], newest[0])):
                newest = stack[-1], row, stack
        if newest is None:
            return False
        change, row, stack = newest
        doubt = _doubt(change, step, row)
        if doubt is not None:
            self.doubted.append(Doubted(change.step, step, doubt))
            return False
        stack.pop()
        kind = "state_restoring" if row.kind == "state" else "exact_inverse"
        self.made.append(Undone(change.step, step, kind, row.status in PROVING))
        return True


def _over(change: _Change, place: _Place, moment: datetime) -> bool:
    """Whether a change ended by itself before a moment."""
    ends, key = change.step.expires, change.step.key
    return (ends is not None and (ends <= moment or change.number <= place.lapsed)) or (
        key is not None and change.number <= place.ended.get(key, -1))


def _later(one: _Change, other: _Change) -> bool:
    return (one.step.time, one.step.id) > (other.step.time, other.step.id)


def _fits(row: Inverse, change: _Change, step: Step, place: _Place) -> bool:
    after = change.step.after
    if row.kind == "state":
        standing = step.before if step.before is not None else place.value if place.known else None
        known = step.before is not None or place.known
        return (known and standing == after and change.before_known and step.after is not None
                and step.after == change.before and step.after != after)
    if row.kind == "valued" or after is None or step.after is not None:
        return True
    # Taking a value away undoes setting it only where none stood before, and where it still stands.
    return not (change.before_known and change.before is not None) and not (place.known and place.value != after)


def _doubt(change: _Change, step: Step, row: Inverse) -> str | None:
    """Why a pair is not claimed."""
    apart = step.time - change.step.time
    if apart > WINDOW:
        return "outside_window"
    if row.kind == "valued" and (step.after is None or step.after in _EMPTY):
        return "ambiguous"
    if "unknown" in (step.status, change.step.status):
        return "ambiguous"
    if both_ways(change.step.operation, step.operation):
        return "ambiguous" if apart <= skew(step, change.step) else None
    return "ambiguous" if change.replaced and not apart else None
