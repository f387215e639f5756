"""Which control permissions reach a principal of Google Cloud, over what, by which bindings, less what is denied."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from lineage_analytics.permissions.datafiles import rows
from lineage_analytics.permissions.gcp.rules import permission
from lineage_analytics.permissions.patterns import matches

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lineage_analytics.permissions.gcp.rules import GcpBook
    from lineage_analytics.permissions.roles import Assignment, Held


class Control(NamedTuple):
    """What a permission gives control of."""

    target: str
    proved: bool
    words: str


@lru_cache(maxsize=1)
def controls() -> Mapping[str, tuple[Control, ...]]:
    """``gcp_control_permissions.csv`` by permission."""
    found: dict[str, list[Control]] = {}
    for row in rows("gcp_control_permissions", ("permission", "target", "state", "technique")):
        found.setdefault(row["permission"], []).append(
            Control(row["target"], row["state"] == "proved", row["technique"]))
    return {name: tuple(listed) for name, listed in found.items()}


@dataclass(frozen=True)
class Power:
    """A control permission held over a resource, named as ``Hierarchy.name`` does, but for the parts in which it is
    denied: surely, or perhaps."""

    name: str
    scope: str
    held: Held
    proved: bool
    less: frozenset[tuple[str, bool]] = frozenset()

    def says(self) -> str:
        one = self.held.assignment
        return f"{self.held.says()}{', once it is activated' if one.eligible else ''}"

    @property
    def records(self) -> list[str]:
        return [record for record in (self.held.assignment.record_id, *self.held.records) if record]


class Powers:
    """Control permissions by principal; each role looked at once."""

    def __init__(self, have: GcpBook) -> None:
        self.have = have
        self._of_role: dict[str, tuple[str, ...] | None] = {}

    def of_role(self, assignment: Assignment) -> tuple[str, ...] | None:
        """The control permissions of a role; None: what it allows is not known."""
        if assignment.role not in self._of_role:
            blocks = self.have.rules.blocks(assignment)
            names = [permission(name) for block in blocks or () for name in block.actions]
            self._of_role[assignment.role] = None if blocks is None else tuple(
                name for name in controls() if any(matches(pattern, name) for pattern in names))
        return self._of_role[assignment.role]

    def of(self, principal: str) -> tuple[list[Power], list[Held]]:
        """The powers of a principal, each permission and scope once and surely where it can be; and the bindings of
        roles whose permissions are not known."""
        found: dict[tuple[str, str], Power] = {}
        denials, unread = [], []
        for held in self.have.held(principal):
            one = held.assignment
            if one.deny:
                denials.append(held)
                continue
            names = self.of_role(one)
            if names is None:
                unread.append(held)
            if not names or one.scope is None:
                continue
            proved = not (held.conditional or one.condition or one.eligible or one.doubt)
            scope = self.have.rules.places.name(one.scope)
            for name in names:
                if (name, scope) not in found or (proved and not found[name, scope].proved):
                    found[name, scope] = Power(name, scope, held, proved)
        powers = [left for power in found.values() if (left := self._left(power, denials)) is not None]
        return sorted(powers, key=lambda power: (power.name, power.scope)), unread

    def _left(self, power: Power, denials: list[Held]) -> Power | None:
        """The power after denials: None where one surely covers it, conditional where one may."""
        for held, condition in self._denying(power.name, denials):
            inside = self.have.rules.within(power.scope, held.assignment.scope)
            sure = not held.conditional and condition is None
            if inside and sure:
                return None
            if inside is not False:
                power = replace(power, proved=False)
            elif held.assignment.scope is not None:
                part = self.have.rules.places.name(held.assignment.scope)
                if self.have.rules.within(part, power.scope):
                    power = replace(power, less=power.less | {(part, sure)})
        return power

    def _denying(self, name: str, denials: list[Held]) -> Iterator[tuple[Held, str | None]]:
        for held in denials:
            for block in self.have.rules.blocks(held.assignment) or ():
                if self.have.covers(block, name, "*"):
                    yield held, block.condition
