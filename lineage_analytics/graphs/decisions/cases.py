"""Steps gathered into cases by the keys their providers wrote."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING

from lineage_analytics.graphs.decisions.matching import BY_KEY, joined
from lineage_analytics.loaders.common.ids import derived_id

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from lineage_analytics.graphs.decisions.matching import Bonds, Doubt, Joint
    from lineage_analytics.graphs.decisions.steps import Step

_ANCHORS = ("action", "rollback", "decision", "request", "draft", "recommendation", "signal", "expiry", "outcome",
            "attempt", "data_access")
_RETRY = timedelta(hours=1)
_SHARED_MOST = 20


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


def cases(steps: Iterable[Step]) -> tuple[list[Case], list[Doubt]]:
    """Every step in one case, and what was considered and not linked. Steps of one provider key belong together; an
    action without a key is its own case; attempts join the success of the same caller on the same target within the
    hour, or each other; requests and decisions without a key join where weaker evidence leaves one place for them."""
    keyed: dict[tuple[str | None, str, str], Case] = defaultdict(Case)
    alone: list[Case] = []
    attempts: dict[tuple[object, ...], list[Step]] = defaultdict(list)
    done: dict[tuple[object, ...], list[Case]] = defaultdict(list)
    for step in steps:
        if step.key is not None and step.key_kind and not step.key_kind.endswith("_mirror"):
            keyed[step.tenant, step.key_kind, step.key].steps.append(step)
        elif step.kind == "attempt":
            attempts[_same_try(step)].append(step)
        else:
            case = Case([step])
            alone.append(case)
            if step.kind in ("action", "rollback"):
                done[_same_try(step)].append(case)
    left = _tried(attempts, done)
    found, doubts = joined([*(part for case in keyed.values() for part in _by_target(case)), *alone, *left])
    return _named_apart(found), doubts


def _by_target(case: Case) -> list[Case]:
    """One case a changed target: a provider may run many changes under one key, and each is a decision."""
    targets = {step.target for step in case.of("action", "rollback") if step.target is not None}
    if len(targets) < 2:
        return [case]
    first = next(s.target for s in case.steps if s.target in targets and s.kind in ("action", "rollback"))
    parts = {target: Case(batch=True) for target in targets}
    for step in case.steps:
        parts[step.target if step.target in targets else first].steps.append(step)
    spoken = case.of("decision", "request")
    common = [*(s for s in spoken if s.target is None), *(s for s in spoken if s.target is not None)][:2 * _SHARED_MOST]
    for target, part in parts.items():
        part.shared = [s for s in common if (s.target if s.target in targets else first) != target][:_SHARED_MOST]
    return list(parts.values())


def _named_apart(found: list[Case]) -> list[Case]:
    """Distinct ids even where two records of one tenant bear the same native id."""
    taken: dict[tuple[str, str | None, str, str], list[Case]] = defaultdict(list)
    for case in found:
        taken[case.native].append(case)
    for same in taken.values():
        for case in sorted(same, key=lambda c: (c.anchor.time, c.anchor.id))[1:]:
            case.apart = case.anchor.id
    return found


def _same_try(step: Step) -> tuple[object, ...]:
    return step.tenant, step.operation, step.target or step.id, step.actor


def _tried(attempts: dict[tuple[object, ...], list[Step]], done: dict[tuple[object, ...], list[Case]]) -> list[Case]:
    """Attempts put to the success that followed; runs of the others become cases. Both lists are in time order."""
    left: list[Case] = []
    for key, tries in attempts.items():
        successes = [(case.steps[-1].time, case) for case in done.get(key, [])]
        position = 0
        run: Case | None = None
        for step in tries:
            while position < len(successes) and successes[position][0] < step.time:
                position += 1
            if position < len(successes) and successes[position][0] - step.time <= _RETRY:
                successes[position][1].steps.append(step)
            elif run is not None and step.time - run.steps[-1].time <= _RETRY:
                run.steps.append(step)
            else:
                run = Case([step])
                left.append(run)
        for _, case in successes:
            case.steps.sort(key=lambda s: (s.time, s.id))
    return left
