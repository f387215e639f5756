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


_BEGINNINGS = frozenset({"recommendation", "draft", "request", "action", "rollback", "attempt"})
UNDONE = 5
"""Removal of a case in which nothing was done or asked for: advice, a signal."""


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
        """The weakest evidence between two steps; the provider's key within one part, and to a case it lent from."""
        first, second = self._way(one), self._way(other)
        while first and second and first[-1] == second[-1]:
            del first[-1], second[-1]
        found = (self.by[part] for part in (*first, *second) if part in self.by)
        return min(found, default=BY_KEY, key=lambda joint: joint.tier)

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
    ``apart`` tells it from a case of the same native id; ``lent`` says on what evidence shared steps of another case
    are here; ``foreign`` are steps whose target is told in another system's words and was compared when they came."""

    steps: list[Step] = field(default_factory=list)
    shared: Sequence[Step] = ()
    batch: bool = False
    apart: str | None = None
    bonds: Bonds | None = None
    lent: dict[str, Joint] = field(default_factory=dict)
    foreign: frozenset[str] = frozenset()

    def of(self, *kinds: str) -> list[Step]:
        if len(self.steps) == 1:  # most cases of a cloud log
            return list(self.steps) if self.steps[0].kind in kinds else []
        return [step for step in self.steps if step.kind in kinds]

    def about(self, *kinds: str) -> list[Step]:
        """Steps of the key, shared ones too, that name the anchor's target or none."""
        return [step for step in (*self.steps, *self.shared) if step.kind in kinds and self.concerns(step) is not False]

    def concerns(self, step: Step) -> bool | None:
        """Whether a step is about what the anchor changes; None where either names no target."""
        if step.id in self.foreign:
            return True
        target = self.anchor.target
        return None if step.target is None or target is None else step.target == target

    def acts(self, *kinds: str) -> list[Step]:
        """Steps in which the change itself was made, without those of the ticket or pull request that led to it."""
        found = self.of(*kinds)
        nearest = min((step.remove for step in found), default=0)
        return [step for step in found if step.remove == nearest]

    def signals(self) -> list[Step]:
        """Signals that came before anything was advised, asked for or done: what comes later set nothing off."""
        first = min((step.time for step in self.steps if step.kind in _BEGINNINGS), default=None)
        return [step for step in self.of("signal") if first is None or step.time <= first]

    def joint(self, one: Step, other: Step) -> Joint:
        """The weakest evidence that puts two steps together: the provider's key where nothing else is noted."""
        held = self.bonds.weakest(one, other) if self.bonds else BY_KEY
        loans = [self.lent[step.id] for step in (one, other) if step.id in self.lent] if self.lent else []
        return min([held, *loans], key=lambda joint: joint.tier)

    @cached_property
    def anchor(self) -> Step:
        """The step that names the case: an action before a decision before a request, the first of its kind."""
        return min(self.steps, key=lambda s: (_ANCHORS.index(s.kind), s.remove, s.time, s.id))

    @property
    def rank(self) -> int:
        """How far the case is from a change of access: 0 is one, or the request for one in the system that makes it."""
        done = [step.remove for step in self.steps if step.kind in ("action", "rollback", "attempt")]
        asked = [step.remove for step in self.steps if step.kind in ("request", "expiry", "draft")]
        return min(done) if done else min(asked) if asked else max(step.remove for step in self.steps) or UNDONE

    @property
    def native(self) -> tuple[str, str | None, str, str]:
        """What names the case: the tenant and the native id of its anchor."""
        anchor = self.anchor
        kind = "action" if anchor.kind == "rollback" else anchor.kind
        return "la-case-v1", anchor.tenant, kind, anchor.event or anchor.records[0]

    @cached_property
    def id(self) -> str:
        return derived_id("dec", *self.native, *((self.apart,) if self.apart else ()))
