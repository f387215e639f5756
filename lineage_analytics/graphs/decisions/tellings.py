"""One change that several records tell: two logs of one provider, or a value that went and the one that came."""

from __future__ import annotations

from collections import defaultdict, deque
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

from lineage_analytics.graphs.decisions.inverse import folded, inverses

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Iterator, Sequence

    from lineage_analytics.graphs.decisions.clocks import Clocks
    from lineage_analytics.graphs.decisions.steps import Step


class Undone(NamedTuple):
    """``undoing`` took back ``undone``, or the ``members`` of the set that it changed. ``kind``: exact_inverse,
    state_restoring, partial, or compensating where another change only reduces the effect."""

    undone: Step
    undoing: Step
    kind: str
    proved: bool
    members: tuple[str, ...] = ()


@dataclass(eq=False, slots=True)
class Change:
    """A change that took effect. ``before``: the value that stood before it, where ``before_known``. ``replaced``: it
    took the name of something whose deletion is not on record before it. ``number``: how many changes came before it.
    ``members``: of a set it changed. ``told``: further records of it. ``gone``: taken back in full, or moot."""

    step: Step
    number: int
    before_known: bool
    before: str | None
    replaced: bool = False
    members: tuple[str, ...] = ()
    left: frozenset[str] = frozenset()
    told: tuple[Step, ...] = ()
    gone: bool = False
    taken: tuple[Undone, ...] = ()
    takes: tuple[Undone, ...] = ()


class Tellings:
    """Changes that another log of their provider may tell too.

    Another log tells the same change when it states its event, correlation or request id, or the same effect within
    the time that clocks may differ, each telling of one log used once, the oldest change first. A change that was
    taken back in between is told again by its ids alone: what came after may be the change made anew.
    """

    def __init__(self, steps: Iterable[Step], clocks: Clocks) -> None:
        self._clocks = clocks
        logs: dict[str, set[str]] = defaultdict(set)
        for step in steps:
            logs[step.provider].add(step.source)
        self._several = {provider for provider, found in logs.items() if len(found) > 1}
        self._waiting: dict[Hashable, dict[frozenset[str], deque[Change]]] = defaultdict(dict)
        self._named: dict[Hashable, Change] = {}

    def of(self, step: Step, where: Hashable) -> Change | None:
        """The change that this step of another log tells again; the change is then told by both."""
        if step.provider not in self._several:
            return None
        for name in _names(step, where):
            change = self._named.get(name)
            if change is not None and step.source not in _logs(change):
                return change
        if step.effect is None or step.effect.startswith("set(") or step.zone_assumed:
            return None  # two values set in a row are two changes; a local time may be any hour
        waiting = self._waiting.get((where, step.effect), {})
        heads = [head for told in sorted(waiting, key=sorted) if step.source not in told
                 and (head := self._head(waiting[told], step)) is not None]
        return min(heads, key=lambda change: change.number, default=None)

    def add(self, change: Change, step: Step, where: Hashable) -> None:
        """From now on the change is also known by this telling of it."""
        if step.provider not in self._several:
            return
        for name in _names(step, where):
            self._named[name] = change
        if step.effect is not None:
            self._waiting[where, step.effect].setdefault(_logs(change), deque()).append(change)

    def _head(self, waiting: deque[Change], step: Step) -> Change | None:
        """The oldest change in force near in time; the others have waited in vain."""
        while waiting:
            head = waiting[0]
            near = step.time - head.step.time <= self._clocks.band(step, head.step) and not head.step.zone_assumed
            if step.source not in _logs(head) and not head.gone and near:
                return head
            waiting.popleft()
        return None


def _names(step: Step, where: Hashable) -> Iterator[Hashable]:
    """What two records of one change share where logs quote one another."""
    verb = (step.effect or "").partition("(")[0]
    for kind, value in (("event", step.event), ("correlation", step.correlation), (step.key_kind, step.key)):
        if value is not None:
            yield where, verb, kind, value


def _logs(change: Change) -> frozenset[str]:
    return frozenset((change.step.source, *(step.source for step in change.told)))


def joined(steps: Sequence[Step]) -> tuple[list[Step], dict[str, Step]]:
    """The steps, where one record says which value went and another which came in its place as one step with both;
    and by its id the step whose record went into it. Only where the directory's own operation id joins exactly two."""
    pairs: dict[Hashable, list[Step]] = defaultdict(list)
    for step in steps:
        if step.correlation is not None and (step.before is None) != (step.after is None) and any(
                row.kind == "value" for row in inverses(step.operation)):
            pairs[step.provider, step.tenant, step.correlation, step.target, folded(step.operation)].append(step)
    whole: dict[str, Step] = {}
    into: dict[str, Step] = {}
    for found in pairs.values():
        went = [step for step in found if step.before is not None]
        if len(found) == 2 and len(went) == 1:
            came = next(step for step in found if step.before is None)
            whole[came.id] = replace(came, before=went[0].before, time=max(came.time, went[0].time))
            into[came.id] = went[0]
    away = {step.id for step in into.values()}
    return [whole.get(step.id, step) for step in steps if step.id not in away], into


def corrected(steps: list[Step], clocks: Clocks) -> list[Step]:
    """The steps with their times as one clock would show them: of sources whose offsets are estimated, that of the
    one whose name comes first. The same list where nothing is known of the clocks."""
    near: dict[str, list[tuple[str, timedelta]]] = defaultdict(list)
    for known in clocks.estimated:
        apart = timedelta(seconds=known.seconds)
        near[known.source].append((known.other, -apart))
        near[known.other].append((known.source, apart))
    ahead: dict[str, timedelta] = {}
    for first in sorted(near):
        reached = [] if first in ahead else [first]
        ahead.setdefault(first, timedelta(0))
        for source in reached:
            for other, apart in sorted(near[source]):
                if other not in ahead:
                    ahead[other] = ahead[source] + apart
                    reached.append(other)
    if not any(ahead.values()):
        return steps
    return [replace(step, time=step.time - ahead[step.source]) if ahead.get(step.source) else step for step in steps]
