"""How far the clocks of two sources lie apart, estimated where both tell the same moments (decision-lineage 5.3).

A pair is one thing that two sources recorded: the same kind of step with the same verdict by the same actor in one
case, each of them once, held together by a provider's key. From twenty pairs on, their median is the offset and three
times their median absolute deviation, at least two seconds, the band; else no offset is assumed and the band is five
minutes. The times of records stay as logged; only the order of steps is judged on corrected ones.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

from lineage_analytics.graphs.decisions.steps import SKEW_BETWEEN, SKEW_INSIDE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from lineage_analytics.graphs.decisions.case import Case
    from lineage_analytics.graphs.decisions.steps import Step

PAIRS = 20
ZONES = timedelta(hours=14)
"""How far a local time without its zone may lie from the moment it was read as."""
_SPREAD = 3
_TWINS = 4
_MOST = 50
"""Steps of a case that are looked at: a case of more is no pair of records."""


class Offset(NamedTuple):
    """``source`` runs ``seconds`` before ``other``, give or take ``band``; from ``pairs`` of records."""

    source: str
    other: str
    seconds: float
    band: float
    pairs: int


Pair = tuple[str, str]


class Clocks:
    """Offsets and bands by pair of sources."""

    def __init__(self, cases: Iterable[Case] = ()) -> None:
        apart: dict[Pair, list[float]] = defaultdict(list)
        for case in cases:
            for first, second in _twins(case):
                apart[first.source, second.source].append((first.time - second.time).total_seconds())
        self._offsets: dict[Pair, tuple[timedelta, timedelta]] = {}
        self.estimated: list[Offset] = []
        for (source, other), seconds in sorted(apart.items()):
            if len(seconds) >= PAIRS:
                self._learn(source, other, seconds)

    def _learn(self, source: str, other: str, seconds: list[float]) -> None:
        middle = median(seconds)
        band = max(SKEW_INSIDE.total_seconds(), _SPREAD * median(abs(one - middle) for one in seconds))
        self.estimated.append(Offset(source, other, middle, band, len(seconds)))
        self._offsets[source, other] = timedelta(seconds=middle), timedelta(seconds=band)
        self._offsets[other, source] = timedelta(seconds=-middle), timedelta(seconds=band)

    def offset(self, one: Step, other: Step) -> timedelta:
        """How far the clock of ``other``'s source runs before that of ``one``'s; zero where too few pairs tell."""
        found = self._offsets.get((other.source, one.source))
        return found[0] if found is not None else timedelta(0)

    def apart(self, one: Step, other: Step) -> timedelta:
        """From ``one`` to ``other``, clocks corrected."""
        return other.time - one.time - self.offset(one, other)

    def band(self, one: Step, other: Step) -> timedelta:
        """How far the order of the two is uncertain."""
        if one.source == other.source:
            return SKEW_INSIDE
        found = self._offsets.get((one.source, other.source))
        band = found[1] if found is not None else SKEW_BETWEEN
        return band + ZONES * (one.zone_assumed + other.zone_assumed)

    def order(self, one: Step, other: Step) -> str:
        """When ``other`` was, seen from ``one``: prior, later or order_uncertain. A sequence that their provider
        counts settles what its clock cannot."""
        apart = self.apart(one, other)
        if abs(apart) > self.band(one, other):
            return "later" if apart > timedelta(0) else "prior"
        if one.source == other.source and one.seq is not None and other.seq is not None and one.seq != other.seq and (
                one.key is not None and one.key == other.key):
            return "later" if other.seq > one.seq else "prior"
        return "order_uncertain"


def _twins(case: Case) -> Iterator[tuple[Step, Step]]:
    """Two records of one thing in two sources, the first of them the one whose name comes first."""
    if len(case.steps) < 2 or len(case.steps) > _MOST:
        return
    told: dict[tuple[str, str | None, str | None], dict[str, list[Step]]] = defaultdict(lambda: defaultdict(list))
    for step in case.steps:
        if step.kind in ("request", "decision", "action") and step.status == "succeeded" and not step.zone_assumed:
            told[step.kind, step.verdict, step.actor][step.source].append(step)
    for by_source in told.values():
        if len(by_source) == 2 and all(len(steps) == 1 for steps in by_source.values()):
            (one,), (other,) = (by_source[source] for source in sorted(by_source))
            if case.joint(one, other).tier >= _TWINS:
                yield one, other
