"""Which changes of an estate were undone, last in first out (decision-lineage 9.1)."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from lineage_analytics.graphs.decisions.clocks import Clocks
from lineage_analytics.graphs.decisions.inverse import PROVING, both_ways, folded, inverses, undoes
from lineage_analytics.graphs.decisions.tellings import Change, Tellings, Undone, corrected, joined

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import datetime

    from lineage_analytics.graphs.decisions.inverse import Inverse
    from lineage_analytics.graphs.decisions.steps import Step

WINDOW = timedelta(days=180)
_EMPTY = frozenset({"44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"})
"""SHA-256 of ``{}``: the record states its value elsewhere."""
_ENDS = ("delete", "destroy")
_GIVES = frozenset({"grant", "create", "enable", "restore"})
_OPPOSITE = {"grant": "revoke", "revoke": "grant", "create": "delete", "delete": "create", "enable": "disable",
             "disable": "enable"}
_TO_AND_FRO = frozenset({"grant", "revoke", "enable", "disable"})
"""What may be done again: only the order in time tells which of two took the other back. A thing is made before it is
deleted, whatever the clocks say."""
_CONSENT = "consent to application"
_KEYS_READ = 20


class Doubted(NamedTuple):
    """A pair by name that is none, or that the records cannot show to be one."""

    undone: Step
    undoing: Step
    reason: str


class Again(NamedTuple):
    """``first`` was taken back by ``undoing``, and then done once more."""

    first: Step
    undoing: Step
    again: Step


class Pairs(NamedTuple):
    """``stood``: by step id, whether a value stood before it, for steps whose log tells. ``size``: by step id, how many
    members a change of a set had. ``compensating``: changes that reduce the effect of another under the same key, with
    no inverse. ``superseded``: changes that became moot when what they were about was deleted, which is no rollback.
    ``failed``: inverses that were tried and failed."""

    made: list[Undone]
    doubted: list[Doubted]
    stood: dict[str, bool]
    size: dict[str, int]
    compensating: list[Undone]
    superseded: list[Doubted]
    failed: list[Doubted]
    again: list[Again]


Where = tuple[str, str | None, str, bool, str]
_AnyPair = TypeVar("_AnyPair", Undone, Doubted)


@dataclass(slots=True)
class _Place:
    """What is known of one target and parameter: changes in force by operation, and the value that stands. Changes up
    to the number ``lapsed`` with an end of their own have ended, and those of each key up to ``ended[key]``: they are
    taken out when they come up, so that an ending costs the same however many stand. ``last``: what was taken back
    last, and nothing done since."""

    open: dict[str, list[Change]] = field(default_factory=dict)
    lapsed: int = -1
    ended: dict[str, int] = field(default_factory=dict)
    known: bool = False
    value: str | None = None
    last: Undone | None = None


def undone(steps: Iterable[Step], clocks: Clocks | None = None) -> Pairs:
    """Pairs of changes that took effect: same tenant, target and parameter, the earlier still in force, the later
    after it by more than the clocks may differ, within 180 days. What stood before the log began is not known, and
    then nothing is claimed. Of a set of which a part was taken back, the pair is partial and names the members.
    ``clocks``: what is known of how far those of two sources lie apart; the order is that of corrected times."""
    clocks = clocks or Clocks()
    given = [s for s in steps if s.kind in ("action", "rollback", "expiry", "attempt")]
    whole, into = joined(given)
    made = corrected(whole, clocks)
    walk = _Walk(made, into, clocks)
    for step in sorted(made, key=lambda s: (s.time, _rank(s), s.id)):
        walk.take(step)
    pairs = walk.pairs._replace(made=walk.pairs.made + list(_consents(made, walk.pairs)))
    return _as_logged(pairs, {step.id: step for step in given}) if made is not whole or into else pairs


def _as_logged(pairs: Pairs, steps: Mapping[str, Step]) -> Pairs:
    """The pairs of the steps as they are on record, with their own times and values."""
    def own(pair: _AnyPair) -> _AnyPair:
        return pair._replace(undone=steps[pair.undone.id], undoing=steps[pair.undoing.id])
    again = [Again(*(steps[step.id] for step in link)) for link in pairs.again]
    return pairs._replace(
        made=list(map(own, pairs.made)), compensating=list(map(own, pairs.compensating)),
        doubted=list(map(own, pairs.doubted)), superseded=list(map(own, pairs.superseded)),
        failed=list(map(own, pairs.failed)), again=again)


def _verb(step: Step) -> str:
    return (step.effect or "").partition("(")[0]


def _rank(step: Step) -> int:
    """Of one moment: a thing is made before it is changed, its parts go before it, and it goes last."""
    whole = 1 if "|" not in (step.target or "") else 0
    return {"create": 0, "delete": 2 + whole, "destroy": 2 + whole}.get(_verb(step), 1)


@lru_cache(maxsize=4_096)
def _kinds(operation: str) -> frozenset[str]:
    return frozenset(row.kind for row in inverses(operation) + undoes(operation))


def _where(step: Step, kinds: frozenset[str]) -> Where | None:
    """Eligible and active assignments of one role are two things; a firewall rule is known by its value, a change that
    its own record says was backed out by its key."""
    target, value = step.target, ""
    if "keyed" in kinds:
        target = f"|{step.key_kind}|{step.key}" if step.key is not None else None
    elif "valued" in kinds:
        value = step.after or ""
    elif "value" in kinds and _verb(step) == "set" and (step.before is None) != (step.after is None):
        value = step.after or step.before or ""
    if target is None:
        return None
    return step.provider, step.tenant, target, (step.effect or "").endswith("|eligible)"), value


def members(step: Step) -> tuple[str, ...]:
    """What a set holds: the parts of a target's last parameter; nothing for a change that is of no set. An address may
    hold the sign between the parts."""
    if "set" not in _kinds(step.operation) or step.target is None or "|" not in step.target:
        return ()
    parts = step.target.rpartition("|")[2].split("+")
    if any("@" in part for part in parts):
        parts = list(_addresses(parts))
    return tuple(sorted({part for part in parts if part}))


def _addresses(parts: Iterable[str]) -> Iterator[str]:
    held: list[str] = []
    for part in parts:
        held.append(part)
        if "@" in part:
            yield "+".join(held)
            held.clear()
    yield "+".join(held)


class _Walk:
    """Goes through the changes in time order; work per change does not grow with their number."""

    def __init__(self, steps: list[Step], into: dict[str, Step], clocks: Clocks) -> None:
        self.pairs = Pairs([], [], {}, {}, [], [], [], [])
        self._into, self._clocks = into, clocks
        self._number = 0
        self._tellings = Tellings(steps, clocks)
        self._places: dict[Where, _Place] = defaultdict(_Place)
        self._under: dict[tuple[str, str | None, str], dict[Where, None]] = defaultdict(dict)
        self._keyed: dict[tuple[str, str | None, str, str], list[Change]] = defaultdict(list)

    def take(self, step: Step) -> None:
        kinds = _kinds(step.operation)
        where = _where(step, kinds)
        if where is None:
            return
        if step.kind == "attempt":
            self._tried(step, where)
            return
        if step.kind == "expiry":
            self._lapse(step, where)
            return
        told = self._tellings.of(step, where)
        if told is not None:
            self._told_again(told, step, where)
            return
        whole = "|" not in where[2]
        restores = any(row.kind == "restore" for row in undoes(step.operation))
        replaced = _verb(step) == "create" and whole and not restores and self._renew(step, where)
        change = self._change(step, where, replaced=replaced)
        for place_of in self._wheres(change, where):
            self._under[where[0], where[1], where[2].partition("|")[0]][place_of] = None
        self._put(change, where)
        place = self._places[where]
        place.known = step.after is not None or _verb(step) in _ENDS
        place.value = step.after
        if whole and _verb(step) in _ENDS:
            self._bury(step, where)
        self._reduce(change, where)

    def _change(self, step: Step, where: Where, *, replaced: bool) -> Change:
        place = self._places[where]
        known, before = (True, step.before) if step.before is not None else (place.known, place.value)
        self._number += 1
        held = members(step)
        change = Change(step, self._number, known, before, replaced, held, frozenset(held))
        if step.id in self._into:
            change.told = (self._into[step.id],)
        for told in (step, *change.told):
            if known:
                self.pairs.stood[told.id] = before is not None
            if held:
                self.pairs.size[told.id] = len(held)
        self._tellings.add(change, step, where)
        return change

    @staticmethod
    def _wheres(change: Change, where: Where) -> list[Where]:
        """Where a change stands: at its target, or at each member of its set."""
        if not change.members:
            return [where]
        base = where[2].rpartition("|")[0]
        return [(where[0], where[1], f"{base}|{member}", where[3], where[4]) for member in change.members]

    def _put(self, change: Change, where: Where) -> None:
        """Takes back what the change undoes, and lets the rest of it stand."""
        taken: dict[int, tuple[Change, Inverse, list[str]]] = {}
        for number, here in enumerate(self._wheres(change, where)):
            place = self._places[here]
            found = self._newest(change.step, place, change)
            if found is None:
                self._stand(change, place)
                continue
            earlier, row, stack = found
            doubt = _doubt(earlier, change.step, row, self._clocks)
            if doubt is not None:
                self._doubt(earlier, change, doubt)
                self._stand(change, place)
                continue
            stack.pop()
            member = [change.members[number]] if change.members else []
            taken.setdefault(earlier.number, (earlier, row, []))[2].extend(member)
        for earlier, row, back in taken.values():
            self._take_back(earlier, change, row, back)
            for here in self._wheres(change, where):
                if not back or here[2].rpartition("|")[2] in back:
                    self._places[here].last = earlier.taken[-1]

    def _stand(self, change: Change, place: _Place) -> None:
        last, place.last = place.last, None
        if last is not None and folded(last.undone.operation) == folded(change.step.operation) and (
                _verb(last.undone), last.undone.after) == (_verb(change.step), change.step.after):
            self.pairs.again.append(Again(last.undone, last.undoing, change.step))
        place.open.setdefault(folded(change.step.operation), []).append(change)

    def _newest(self, step: Step, place: _Place, by: Change | None) -> tuple[Change, Inverse, list[Change]] | None:
        """The newest change in force that the step can take back."""
        newest: tuple[Change, Inverse, list[Change]] | None = None
        for row in undoes(step.operation):
            stack = place.open.get(folded(row.forward), [])
            while stack and (stack[-1].gone or _over(stack[-1], place, step.time)):
                stack.pop()
            if stack and stack[-1] is not by and _fits(row, stack[-1], step, place) and (
                    newest is None or _later(stack[-1], newest[0])):
                newest = stack[-1], row, stack
        return newest

    def _doubt(self, earlier: Change, change: Change, reason: str) -> None:
        doubted = Doubted(earlier.step, change.step, reason)
        if not self.pairs.doubted or self.pairs.doubted[-1] != doubted:  # once, however many members it has
            self.pairs.doubted.append(doubted)

    def _take_back(self, earlier: Change, change: Change, row: Inverse, back: list[str]) -> None:
        kind = "state_restoring" if row.kind == "state" else "exact_inverse"
        if len(back) < len(earlier.members):
            kind = "partial"
        pair = Undone(earlier.step, change.step, kind, row.status in PROVING, tuple(sorted(back)))
        earlier.left = earlier.left.difference(back)
        earlier.gone = not earlier.left
        earlier.taken += (pair,)
        change.takes += (pair,)
        self.pairs.made.append(pair)
        self.pairs.made.extend(pair._replace(undone=told) for told in earlier.told)
        self.pairs.made.extend(pair._replace(undoing=told) for told in change.told)

    def _told_again(self, change: Change, step: Step, where: Where) -> None:
        """Another record of a change: what is known of the change holds for it too."""
        change.told += (step,)
        self._tellings.add(change, step, where)
        self.pairs.made.extend(pair._replace(undone=step) for pair in change.taken)
        self.pairs.made.extend(pair._replace(undoing=step) for pair in change.takes)
        if change.step.id in self.pairs.stood:
            self.pairs.stood[step.id] = self.pairs.stood[change.step.id]
        if change.members:
            self.pairs.size[step.id] = len(change.members)
        if not change.gone and not change.takes and folded(step.operation) != folded(change.step.operation):
            for here in self._wheres(change, where):
                self._places[here].open.setdefault(folded(step.operation), []).append(change)

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
        for other in self._under.pop((where[0], where[1], where[2]), ()):
            place = self._places.pop(other)
            kept = _Place(last=place.last if other == where else None)
            for name, stack in place.open.items():
                young = [c for c in stack if step.time - c.step.time <= self._clocks.band(step, c.step)]
                found = found or (other == where and any(not c.gone for c in stack))
                if young and other != where:
                    kept.open[name] = young
            if kept.open or kept.last is not None:
                self._places[other] = kept
                self._under[where[0], where[1], where[2]][other] = None
        return found

    def _bury(self, step: Step, where: Where) -> None:
        """What was done to a thing is moot once it is deleted for good: superseded, which is no rollback."""
        if step.status != "succeeded" or any(row.kind == "restore" for row in inverses(step.operation)):
            return
        base = where[0], where[1], where[2]
        for other in [other for other in self._under.get(base, ()) if other[2] != where[2]]:
            place = self._places.pop(other)
            del self._under[base][other]
            for change in (c for stack in place.open.values() for c in stack):
                if not change.gone and not _over(change, place, step.time):
                    change.gone = True
                    self.pairs.superseded.append(Doubted(change.step, step, "superseded"))

    def _tried(self, step: Step, where: Where) -> None:
        """An inverse that failed: an attempt, which leaves the change in force."""
        held = members(step)
        base = where[2].rpartition("|")[0]
        here = (where[0], where[1], f"{base}|{held[0]}", where[3], where[4]) if held else where
        if here not in self._places:
            return
        found = self._newest(step, self._places[here], None)
        if found is not None and _doubt(found[0], step, found[1], self._clocks) is None:
            self.pairs.failed.append(Doubted(found[0].step, step, "failed"))

    def _reduce(self, change: Change, where: Where) -> None:
        """Remembers whom a grant under a key is for; and what takes a principal out of use under that key."""
        keys = _keys(change.step)
        if not keys:
            return
        verb, subjects = _verb(change.step), _subjects(where[2])
        if verb in ("disable", *_ENDS) and "|" not in where[2]:
            for earlier in {earlier.number: earlier for key in sorted(keys) for subject in subjects
                            for earlier in self._keyed.pop((where[0], where[1], key, subject), ())}.values():
                if not earlier.gone and _after(earlier.step, change.step, self._clocks):
                    self.pairs.compensating.append(Undone(earlier.step, change.step, "compensating", proved=False))
        elif verb in _GIVES and not change.takes:
            for key in keys:
                for subject in subjects:
                    self._keyed[where[0], where[1], key, subject].append(change)


def _after(earlier: Step, later: Step, clocks: Clocks) -> bool:
    """Later by more than the clocks may differ, within the window, and not after the earlier ended by itself."""
    apart = later.time - earlier.time
    return clocks.band(earlier, later) < apart <= WINDOW and (earlier.expires is None or earlier.expires > later.time)


def _keys(step: Step) -> frozenset[str]:
    """Keys that may tie a change to another: stated, quoted, or of the provider."""
    stated = (key.partition(":")[2] or key for key in step.stated[:_KEYS_READ])
    return frozenset((*step.quoted[:_KEYS_READ], *stated, *((step.key,) if step.key else ())))


def _subjects(target: str) -> frozenset[str]:
    """Ids of what a target names: the object and each parameter, without the word for what kind it is."""
    base, *parameters = target.split("|")
    native = base.split(":", 2)[2] if base.count(":") >= 2 else base
    return frozenset(part.partition("/")[2] or part for part in (native, *parameters) if part)


def _over(change: Change, place: _Place, moment: datetime) -> bool:
    """Whether a change ended by itself before a moment."""
    ends, key = change.step.expires, change.step.key
    return (ends is not None and (ends <= moment or change.number <= place.lapsed)) or (
        key is not None and change.number <= place.ended.get(key, -1))


def _later(one: Change, other: Change) -> bool:
    return (one.step.time, one.step.id) > (other.step.time, other.step.id)


def _fits(row: Inverse, change: Change, step: Step, place: _Place) -> bool:
    after = change.step.after
    if row.kind == "compound":
        return False
    if row.kind == "delta" or (row.kind == "set" and folded(row.forward) == folded(row.inverse)):
        return _OPPOSITE.get(_verb(change.step)) == _verb(step)
    if row.kind == "value":
        return (after is None) == (step.before is None) and (change.step.before is None) == (step.after is None) and (
            (after is None) != (step.after is None))
    if row.kind == "state":
        standing = step.before if step.before is not None else place.value if place.known else None
        known = step.before is not None or place.known
        return (known and standing == after and change.before_known and step.after is not None
                and step.after == change.before and step.after != after)
    if row.kind in ("valued", "set", "restore", "keyed") or after is None or step.after is not None:
        return True
    # Taking a value away undoes setting it only where none stood before, and where it still stands.
    return not (change.before_known and change.before is not None) and not (place.known and place.value != after)


def _doubt(change: Change, step: Step, row: Inverse, clocks: Clocks) -> str | None:
    """Why a pair is not claimed."""
    apart = step.time - change.step.time
    if apart > WINDOW:
        return "outside_window"
    if row.kind == "valued" and (step.after is None or step.after in _EMPTY):
        return "ambiguous"
    if step.status == "unknown" or all(told.status == "unknown" for told in (change.step, *change.told)):
        return "ambiguous"
    if _verb(change.step) in _TO_AND_FRO or both_ways(change.step.operation, step.operation):
        return "ambiguous" if apart <= clocks.band(step, change.step) else None
    return "ambiguous" if change.replaced and not apart else None


# --- a consent and the grants it made --------------------------------------------------------------------------------

def _consents(steps: list[Step], pairs: Pairs) -> Iterator[Undone]:
    """A consent is taken back as far as the grants are that it made: those of its correlation and its client."""
    given = [s for s in steps if folded(s.operation) == _CONSENT and s.kind == "action" and s.correlation and s.target]
    if not given:
        return
    wanted = {(s.provider, s.tenant, s.correlation) for s in given}
    grants: dict[tuple[str, str | None, str, str], list[Step]] = defaultdict(list)
    for step in steps:
        if (step.provider, step.tenant, step.correlation) in wanted and _verb(step) == "grant" and step.correlation:
            client = _client(step)
            if client is not None and step.kind in ("action", "rollback"):
                grants[step.provider, step.tenant, step.correlation, client].append(step)
    back: dict[str, list[Undone]] = defaultdict(list)
    for pair in pairs.made:
        back[pair.undone.id].append(pair)
    for consent in given:
        client = (consent.target or "").rpartition("/")[2]
        made = grants.get((consent.provider, consent.tenant, consent.correlation or "", client), [])
        whole = {f"{grant.target}#{part}" for grant in made for part in members(grant) or ("",)}
        pairs.size[consent.id] = max(len(whole), 1)
        yield from _of_consent(consent, made, back, len(whole))


def _client(step: Step) -> str | None:
    """The client a permission is granted to: ``delegated_grant/<client>|...`` or ``.../<resource>|<client>|<role>``."""
    native = (step.target or "").split(":", 2)[-1].split("|")
    if native[0].startswith("delegated_grant/"):
        return native[0].partition("/")[2]
    return native[1] if native[0].startswith("service_principal/") and len(native) == 3 else None


def _of_consent(consent: Step, made: list[Step], back: dict[str, list[Undone]], size: int) -> Iterator[Undone]:
    parts: dict[str, tuple[Step, set[str], bool]] = {}
    for grant in made:
        for pair in back.get(grant.id, ()):
            undoing, held, proved = parts.get(pair.undoing.id, (pair.undoing, set(), True))
            held.update(f"{grant.target}#{part}" for part in pair.members or ("",))
            parts[undoing.id] = undoing, held, proved and pair.proved
    for undoing, held, proved in parts.values():
        yield Undone(consent, undoing, "exact_inverse" if len(held) == size else "partial", proved,
                     tuple(sorted(held)))
