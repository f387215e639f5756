"""Who holds several things at once, itself or through its groups: rights that only together give control.

Membership here is what records state and what holds by Windows itself: accounts of a domain that sign in are
authenticated users, and those are everyone. Each search walks an edge once, whatever the depth or the cycles.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from lineage_analytics.permissions.memberships import Step, memberships
from lineage_analytics.permissions.signed_in import signed_in

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from lineage_analytics.facts import Facts

PROVIDER = "ad"
_STEPS = 20


class Together:
    """Asks who holds one thing of each of several lists."""

    def __init__(self, facts: Facts) -> None:
        self._above: dict[str, list[Step]] = defaultdict(list)
        self._below: dict[str, list[Step]] = defaultdict(list)
        derived = (Step(group, member, "", conditional=False) for member, group, _ in signed_in(facts))
        for step in (*memberships(facts, [PROVIDER]).steps(), *derived):
            self._above[step.member].append(step)
            self._below[step.group].append(step)

    def __call__(self, *sides: Mapping[str, str]) -> list[tuple[str, list[str]]]:
        """Each side is holders with the record that says so. Those who hold one of each side and are in no group that
        does, in order, with the records of what they hold and of the memberships it comes through (of a long chain the
        first twenty). Members of a group that holds all follow by their membership."""
        if not sides or not all(sides):
            return []
        toward = [self._toward(side) for side in sides]
        having = set(toward[0]).intersection(*toward[1:])
        return [(holder, self._records(holder, sides, toward))
                for holder in self._first(having, set(sides[0]).intersection(*sides[1:]))]

    def _toward(self, side: Mapping[str, str]) -> dict[str, Step | None]:
        """Everyone who holds one thing of a side, with the next step towards the nearest holder; None: holds it."""
        found: dict[str, Step | None] = dict.fromkeys(sorted(side))
        level = list(found)
        while level:
            level, before = [], level
            for step in (step for group in before for step in self._below.get(group, ())):
                if step.member not in found:
                    found[step.member] = step
                    level.append(step.member)
        return found

    def _first(self, having: set[str], direct: set[str]) -> list[str]:
        """Of those that hold all, the ones from whom the others follow: of a cycle one that stands for it."""
        found, covered = set(direct), set[str]()
        self._cover(direct, covered)
        topmost = {one for one in having - covered if not any(step.group in having for step in self._above[one])}
        found |= topmost
        self._cover(topmost, covered)
        for one in sorted(having - covered):
            if one not in covered:
                found.add(standing := self._in_cycle(one, having, covered))
                self._cover([standing], covered)
        return sorted(found)

    def _in_cycle(self, at: str, having: set[str], covered: set[str]) -> str:
        """The first principal met twice on the way up, among those that hold all and are not covered."""
        seen: set[str] = set()
        while at not in seen:
            seen.add(at)
            at = min((step.group for step in self._above[at] if step.group in having and step.group not in covered),
                     default=at)
        return at

    def _cover(self, groups: Iterable[str], covered: set[str]) -> None:
        level = [group for group in groups if group not in covered]
        covered.update(level)
        while level:
            below = {step.member for group in level for step in self._below.get(group, ())} - covered
            covered |= below
            level = list(below)

    @staticmethod
    def _records(
        holder: str, sides: Iterable[Mapping[str, str]], toward: Iterable[Mapping[str, Step | None]]
    ) -> list[str]:
        found: list[str] = []
        for side, steps in zip(sides, toward, strict=True):
            at, chain = holder, list[str]()
            while (step := steps[at]) is not None:
                chain.append(step.record_id)
                at = step.group
            found += [side[at], *chain[:_STEPS]]
        return list(dict.fromkeys(record for record in found if record))
