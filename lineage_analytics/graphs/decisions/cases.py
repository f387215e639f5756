"""Steps gathered into cases by the keys their providers wrote."""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta
from typing import TYPE_CHECKING

from lineage_analytics.graphs.decisions.case import Case
from lineage_analytics.graphs.decisions.matching import joined

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lineage_analytics.graphs.decisions.matching import Doubt
    from lineage_analytics.graphs.decisions.places import Places
    from lineage_analytics.graphs.decisions.steps import Step

_RETRY = timedelta(hours=1)
_SHARED_MOST = 20


def cases(steps: Iterable[Step], places: Places | None = None) -> tuple[list[Case], list[Doubt]]:
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
    found, doubts = joined([*(part for case in keyed.values() for part in _by_target(case)), *alone, *left], places)
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
