"""Steps gathered into cases by the keys their providers wrote."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from lineage_analytics.loaders.common.ids import derived_id

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lineage_analytics.graphs.decisions.steps import Step

_ANCHORS = ("action", "rollback", "decision", "request", "draft", "recommendation", "signal", "expiry", "outcome",
            "attempt", "data_access")
_RETRY = timedelta(hours=1)


@dataclass
class Case:
    """One decision chain; steps in time order."""

    steps: list[Step] = field(default_factory=list)

    def of(self, *kinds: str) -> list[Step]:
        return [step for step in self.steps if step.kind in kinds]

    @property
    def anchor(self) -> Step:
        """The step that names the case: an action before a decision before a request, the first of its kind."""
        return min(self.steps, key=lambda s: (_ANCHORS.index(s.kind), s.time, s.id))

    @property
    def id(self) -> str:
        anchor = self.anchor
        kind = "action" if anchor.kind == "rollback" else anchor.kind
        return derived_id("dec", "la-case-v1", anchor.tenant, kind, anchor.event or anchor.records[0])


def cases(steps: Iterable[Step]) -> list[Case]:
    """Every step in one case. Steps of one provider key belong together; an action without a key is its own case;
    attempts join the success of the same caller on the same target within the hour, or each other."""
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
    return [*keyed.values(), *alone, *_tried(attempts, done)]


def _same_try(step: Step) -> tuple[object, ...]:
    return step.tenant, step.operation, step.target or step.id, step.actor


def _tried(attempts: dict[tuple[object, ...], list[Step]], done: dict[tuple[object, ...], list[Case]]) -> list[Case]:
    """Attempts put to the success that followed; runs of the others become cases. Both lists are in time order."""
    left: list[Case] = []
    for key, tries in attempts.items():
        successes = done.get(key, [])
        position = 0
        run: Case | None = None
        for step in tries:
            while position < len(successes) and successes[position].anchor.time < step.time:
                position += 1
            if position < len(successes) and successes[position].anchor.time - step.time <= _RETRY:
                case = successes[position]
                case.steps = sorted([*case.steps, step], key=lambda s: (s.time, s.id))
            elif run is not None and step.time - run.steps[-1].time <= _RETRY:
                run.steps.append(step)
            else:
                run = Case([step])
                left.append(run)
    return left
