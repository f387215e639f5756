"""Steps that no provider key puts into a case, put there by weaker evidence (decision-lineage 5).

Evidence goes from strong to weak and stops at the first that gives a candidate: one record stating two steps (5), the
provider's correlation id with the same target (4), a key that people wrote into a text, with the same target (2), the
same change within a window (1). The last two need exactly one candidate both ways; several are a doubt, never a link.
Work grows with the number of steps, however many share a key: candidates are counted by position, not visited.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

from lineage_analytics.graphs.decisions.case import Bonds, Joint
from lineage_analytics.graphs.decisions.references import follow
from lineage_analytics.graphs.decisions.steps import SKEW_BETWEEN

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Sequence
    from datetime import datetime

    from lineage_analytics.graphs.decisions.case import Case
    from lineage_analytics.graphs.decisions.places import Places
    from lineage_analytics.graphs.decisions.steps import Step

_SHOWN = 5
_CHANGES = ("action", "rollback")
_LOOSE = frozenset({"request", "decision", "draft", "recommendation", "signal", "outcome", "expiry"})
_QUOTES_READ = 20
_LENT = 20
_LENDABLE = frozenset({"request", "decision", "recommendation", "draft"})
Keys = tuple["Hashable", ...]


_RECORD = Joint("same_record", 5, "one-record")
_CORRELATION = Joint("native_ref", 4, "correlation-and-target")
_STATED_END = Joint("window", 1, "stated-end")


class Relation(NamedTuple):
    """``source`` steps look for one ``target`` step within ``window`` before them. Neither case may have such a link,
    and the case that joins must hold nothing of ``spent``: it was about something else."""

    rel: str
    source: tuple[str, ...]
    target: tuple[str, ...]
    window: timedelta
    spent: tuple[str, ...]


RELATIONS = (
    Relation("authorised_by", _CHANGES, ("decision",), timedelta(hours=24), (*_CHANGES, "attempt")),
    Relation("requested_by", _CHANGES, ("request",), timedelta(days=30), (*_CHANGES, "attempt", "decision", "expiry")),
    Relation("about", ("decision",), ("request",), timedelta(days=30), (*_CHANGES, "attempt", "decision", "expiry")),
    Relation("about", ("decision",), ("recommendation", "draft"), timedelta(days=90), (*_CHANGES, "decision")),
    Relation("informed_by", ("recommendation",), ("signal",), timedelta(days=30), (*_CHANGES, "recommendation")),
    Relation("informed_by", _CHANGES, ("recommendation",), timedelta(days=90), _CHANGES),
)
"""Windows of decision-lineage 5.3. What is looked for lies before what looks for it, give or take the clocks."""


class Doubt(NamedTuple):
    """What was considered and not linked."""

    step: Step
    rel: str
    candidates: tuple[str, ...]
    reason: str


class Placed(NamedTuple):
    """A step with the case it is in, and the moment that counts."""

    time: datetime
    step: Step
    case: Case


def joined(found: Sequence[Case], places: Places | None = None) -> tuple[list[Case], list[Doubt]]:
    """The cases, with loose steps put to the one they belong to; and what was doubtful."""
    work = Joining(found)
    if any(_loose(case) for case in found):
        work.by_record()
        work.by_correlation()
    if places is not None:
        follow(work, places)
    for tier, method, keys in ((2, "quoted_key", _quoted), (1, "window", _same_effect)):
        for relation in RELATIONS:
            work.by_candidates(relation, tier, method, keys)
    work.by_stated_end()
    return work.merged(), work.doubts


def _loose(case: Case) -> bool:
    """Nothing of a provider's key, and nothing that took effect."""
    return all(step.kind in _LOOSE and step.key is None for step in case.steps)


def _quoted(step: Step) -> Keys:
    return tuple((step.tenant, key, step.target) for key in step.quoted[:_QUOTES_READ]) if step.target else ()


def _same_effect(step: Step) -> Keys:
    return ((step.tenant, step.target, step.effect),) if step.target and step.effect else ()


class Joining:
    """Merges cases pairwise and remembers on what evidence."""

    def __init__(self, found: Sequence[Case]) -> None:
        self._cases = list(found)
        self._into: dict[int, int] = {}
        self._home = {id(case): number for number, case in enumerate(self._cases)}
        self._steps: dict[int, list[Step]] = {}
        self._by: dict[int, Joint] = {}
        self._present = {step.kind for case in found for step in case.steps}
        self._foreign: dict[int, set[str]] = {}
        self._anchors: dict[int, Step] = {}
        self._loans: dict[int, list[tuple[int, Joint]]] = {}
        self.doubts: list[Doubt] = []

    def numbered(self) -> Iterable[tuple[int, Case]]:
        """Every case as it came, with its number."""
        return enumerate(self._cases)

    def root(self, case: Case) -> int:
        return self.root_of(self._home[id(case)])

    def root_of(self, number: int) -> int:
        while number in self._into:
            number = self._into[number]
        return number

    def anchor(self, root: int) -> Step:
        """What a case is about, as it came: a guest never changes it."""
        return self._cases[root].anchor

    def doubt(self, step: Step, rel: str, candidates: Sequence[Step], reason: str) -> None:
        self.doubts.append(Doubt(step, rel, tuple(one.id for one in candidates[:_SHOWN]), reason))

    def absorb(self, guest: int, host: int, joint: Joint) -> None:
        """A case of another system into the one that names it: their targets were compared, or cannot be."""
        foreign = self._foreign.setdefault(host, set())
        foreign.update(step.id for step in self.held(guest))
        foreign.update(self._foreign.pop(guest, ()))
        self._loans.setdefault(host, []).extend(self._loans.pop(guest, ()))
        self.join(self._cases[guest], self._cases[host], joint)

    def lend(self, guest: int, host: int, joint: Joint) -> None:
        """A case that stays by itself lends its steps to another."""
        self._loans.setdefault(host, []).append((guest, joint))

    def held(self, root: int) -> list[Step]:
        return self._steps.get(root, self._cases[root].steps)

    def join(self, guest: Case, host: Case, joint: Joint) -> None:
        """All of the guest's case into the host's, on the joint's evidence."""
        one, other = self.root(guest), self.root(host)
        if one == other:
            return
        held = self._steps.setdefault(other, list(self._cases[other].steps))
        held.extend(self.held(one))
        self._into[one], self._by[one] = other, joint

    def merged(self) -> list[Case]:
        """Cases after all joins; the order is that of the hosts."""
        parts = {step.id: number for number, case in enumerate(self._cases)
                 if number in self._into or number in self._steps for step in case.steps}
        bonds = Bonds(parts, self._into, self._by)
        kept = []
        for number, case in enumerate(self._cases):
            if number in self._into:
                continue
            if number in self._steps:
                case.steps = sorted(self._steps[number], key=lambda s: (s.time, s.id))
                case.bonds = bonds
            if number in self._foreign:
                case.foreign = frozenset(self._foreign[number])
            kept.append(case)
        self._hand_out()
        return kept

    def _hand_out(self) -> None:
        """What cases lend, once everything is where it belongs."""
        for host, loans in self._loans.items():
            case = self._cases[host]
            for guest, joint in loans:
                lent = [step for step in self._cases[self.root_of(guest)].steps if step.kind in _LENDABLE][:_LENT]
                case.shared = [*case.shared, *lent]
                case.lent |= {step.id: joint for step in lent}
                case.foreign |= {step.id for step in lent}

    # --- tiers 5 and 4 -----------------------------------------------------------------------------------------------

    def by_record(self) -> None:
        """Steps of one record belong together."""
        self._shared(lambda step: tuple((step.tenant, record) for record in step.records),
                     _RECORD)

    def by_correlation(self) -> None:
        """The provider's own correlation id, where the target agrees: first the same effect, then the target alone."""
        self._shared(lambda s: ((s.tenant, s.provider, s.correlation, s.target, s.effect),)
                     if s.correlation and s.target else (), _CORRELATION)
        self._shared(lambda s: ((s.tenant, s.provider, s.correlation, s.target),)
                     if s.correlation and s.target else (), _CORRELATION)

    def _shared(self, keys: Callable[[Step], Keys], joint: Joint) -> None:
        """Loose cases into the one other case that shares a key; loose ones among themselves where there is none."""
        guests = [case for case in self._cases if _loose(case) and self._home[id(case)] not in self._into]
        wanted = {key for case in guests for step in case.steps for key in keys(step)}
        if not wanted:
            return
        hosts: dict[Hashable, dict[int, Case]] = defaultdict(dict)
        for case in self._cases:
            if not _loose(case) and (case.of(*_CHANGES) or any(step.key for step in case.steps)):
                for step in case.steps:
                    for key in keys(step):
                        if key in wanted:
                            hosts[key][self.root(case)] = case
        first: dict[Hashable, Case] = {}
        for case in guests:
            step = case.steps[0]
            for key in keys(step):
                among = hosts.get(key, {})
                if len(among) > 1:
                    self.doubts.append(Doubt(step, "requested_by", tuple(
                        c.steps[0].id for c in list(among.values())[:_SHOWN]), "ambiguous"))
                elif among:
                    self.join(case, next(iter(among.values())), joint)
                elif key in first:
                    self.join(case, first[key], joint)
                else:
                    first[key] = case

    # --- tiers 2 and 1 -----------------------------------------------------------------------------------------------

    def by_candidates(self, relation: Relation, tier: int, method: str, keys: Callable[[Step], Keys]) -> None:
        if not self._present.intersection(relation.target) or not self._present.intersection(relation.source):
            return
        targets = self._placed(relation.target, frozenset((*relation.spent, *relation.source)), keys,
                               approving=relation.rel == "authorised_by")
        if not targets:
            return
        sources = self._placed(relation.source, frozenset(relation.target), keys)
        pairs, doubts = matched(sources, targets, keys, relation.window, SKEW_BETWEEN)
        self.doubts += [Doubt(s.step, relation.rel, tuple(c.step.id for c in among), "ambiguous")
                        for s, among in doubts]
        if method == "quoted_key":
            self._elsewhere(relation, sources, targets, {s.step.id for s, _ in pairs})
        for source, target in pairs:
            self.join(target.case, source.case, Joint(method, tier, f"{method}:{relation.rel}"))

    def _placed(self, kinds: tuple[str, ...], without: frozenset[str], keys: Callable[[Step], Keys],
                *, approving: bool = False) -> list[Placed]:
        found = []
        for case in self._cases:
            if not any(step.kind in kinds and keys(step) for step in case.steps):
                continue
            held = self.held(self.root(case))
            if any(step.kind in without or (approving and step.verdict not in (None, "approve")) for step in held):
                continue
            found += [Placed(step.time, step, case) for step in case.steps if step.kind in kinds and keys(step)
                      and step.status != "failed"]
        return found

    def _elsewhere(self, relation: Relation, sources: Sequence[Placed], targets: Sequence[Placed],
                   linked: set[str]) -> None:
        """A quoted key that only names another target proves nothing here: kept as considered."""
        named: dict[tuple[str | None, str], list[Step]] = defaultdict(list)
        for target in targets:
            for key in target.step.quoted[:_QUOTES_READ]:
                named[target.step.tenant, key].append(target.step)
        for source in sources:
            for key in source.step.quoted[:_QUOTES_READ] if source.step.id not in linked else ():
                among = named.get((source.step.tenant, key), [])[:_SHOWN]
                if among and all(step.target != source.step.target for step in among):
                    self.doubts.append(Doubt(source.step, relation.rel, tuple(s.id for s in among), "target_differs"))

    def by_stated_end(self) -> None:
        """An end whose record names no request: it ends the grant of this target that stated this moment as its end."""
        ends = [Placed(step.time, step, case) for case in self._cases
                if self.root(case) == self._home[id(case)] and {s.kind for s in case.steps} == {"expiry"}
                for step in case.steps if step.target]
        if not ends:
            return
        grants = [Placed(step.expires, step, case) for case in self._cases for step in case.steps
                  if step.kind in _CHANGES and step.expires is not None and step.target]
        pairs, doubts = matched(ends, grants, lambda s: ((s.tenant, s.target),), SKEW_BETWEEN, SKEW_BETWEEN)
        self.doubts += [Doubt(e.step, "ends", tuple(g.step.id for g in among), "ambiguous") for e, among in doubts]
        for end, grant in pairs:
            self.join(end.case, grant.case, _STATED_END)


Pair = tuple[Placed, Placed]
Ordered = tuple["list[datetime]", list[Placed]]


def matched(left: Sequence[Placed], right: Sequence[Placed], keys: Callable[[Step], Keys], before: timedelta,
            after: timedelta) -> tuple[list[Pair], list[tuple[Placed, list[Placed]]]]:
    """Pairs that are each other's only candidate, and every left one with several (or one that is another's too).

    A candidate shares a key and lies at most ``before`` before and ``after`` after. Both lists are read once, in order.
    """
    rights, lefts = _ordered(right, keys), _ordered(left, keys)
    pairs: list[Pair] = []
    doubts: list[tuple[Placed, list[Placed]]] = []
    for one in sorted(left, key=lambda p: (p.time, p.step.id)):
        among = _within(rights, keys(one.step), one.time - before, one.time + after)
        if not among:
            continue
        back = _within(lefts, keys(among[0].step), among[0].time - after, among[0].time + before)
        if len(among) == 1 and len(back) == 1:
            pairs.append((one, among[0]))
        else:
            doubts.append((one, among[:_SHOWN]))
    return pairs, doubts


def _ordered(placed: Iterable[Placed], keys: Callable[[Step], Keys]) -> dict[Hashable, Ordered]:
    found: dict[Hashable, list[Placed]] = defaultdict(list)
    for one in placed:
        for key in keys(one.step):
            found[key].append(one)
    made = {}
    for key, among in found.items():
        among.sort(key=lambda p: (p.time, p.step.id))
        made[key] = [p.time for p in among], among
    return made


def _within(ordered: dict[Hashable, Ordered], keys: Keys, first: datetime, last: datetime) -> list[Placed]:
    """Distinct candidates between two moments, at most one more than is shown."""
    found: dict[str, Placed] = {}
    for key in keys:
        times, among = ordered.get(key, ([], []))
        start = bisect_left(times, first)
        for one in among[start : min(bisect_right(times, last), start + _SHOWN + 1)]:
            found[one.step.id] = one
    return list(found.values())[: _SHOWN + 1]
