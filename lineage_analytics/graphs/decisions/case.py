"""A decision chain: its steps, and the evidence by which each is in it."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from lineage_analytics.loaders.common.ids import derived_id

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lineage_analytics.graphs.decisions.steps import Step

_ANCHORS = ("action", "rollback", "decision", "request", "draft", "recommendation", "signal", "expiry", "outcome",
            "attempt", "data_access")


class Joint(NamedTuple):
    """The evidence by which a step is in its case."""

    method: str
    tier: int
    rule: str


BY_KEY = Joint("native_ref", 4, "request-key")


class Bonds(NamedTuple):
    """How the parts of a joined case hang together: the part of each step, the part each was joined to, and on what."""

    part: Mapping[str, int]
    into: Mapping[int, int]
    by: Mapping[int, Joint]

    def weakest(self, one: Step, other: Step) -> Joint:
        """The weakest evidence between two steps; the provider's key within one part."""
        first, second = self._way(one), self._way(other)
        while first and second and first[-1] == second[-1]:
            del first[-1], second[-1]
        return min((self.by[part] for part in (*first, *second)), default=BY_KEY, key=lambda joint: joint.tier)

    def _way(self, step: Step) -> list[int]:
        """Parts from a step's own up to the first of the case."""
        found = [self.part[step.id]] if step.id in self.part else []
        while found and found[-1] in self.into:
            found.append(self.into[found[-1]])
        return found


@dataclass
class Case:
    """One decision chain; steps in time order, complete before anything is asked of them. ``batch``: its key names
    several changes; ``shared`` are requests and decisions of that key which belong to another of them, at most 20;
    ``apart`` tells it from a case of the same native id."""

    steps: list[Step] = field(default_factory=list)
    shared: Sequence[Step] = ()
    batch: bool = False
    apart: str | None = None
    bonds: Bonds | None = None

    def of(self, *kinds: str) -> list[Step]:
        if len(self.steps) == 1:  # most cases of a cloud log
            return list(self.steps) if self.steps[0].kind in kinds else []
        return [step for step in self.steps if step.kind in kinds]

    def about(self, *kinds: str) -> list[Step]:
        """Steps of the key, shared ones too, that name the anchor's target or none."""
        target = self.anchor.target
        return [step for step in (*self.steps, *self.shared)
                if step.kind in kinds and (step.target is None or target is None or step.target == target)]

    def joint(self, one: Step, other: Step) -> Joint:
        """The weakest evidence that puts two steps together: the provider's key where nothing else is noted."""
        return self.bonds.weakest(one, other) if self.bonds else BY_KEY

    @cached_property
    def anchor(self) -> Step:
        """The step that names the case: an action before a decision before a request, the first of its kind."""
        return min(self.steps, key=lambda s: (_ANCHORS.index(s.kind), s.time, s.id))

    @property
    def native(self) -> tuple[str, str | None, str, str]:
        """What names the case: the tenant and the native id of its anchor."""
        anchor = self.anchor
        kind = "action" if anchor.kind == "rollback" else anchor.kind
        return "la-case-v1", anchor.tenant, kind, anchor.event or anchor.records[0]

    @cached_property
    def id(self) -> str:
        return derived_id("dec", *self.native, *((self.apart,) if self.apart else ()))
