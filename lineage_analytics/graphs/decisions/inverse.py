"""What undoes what, and which changes of an estate were undone (decision-lineage 9)."""

from __future__ import annotations

import csv
from collections import defaultdict
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from lineage_analytics.graphs.decisions.steps import Step

PROVING = frozenset({"sampled", "documented"})


class Inverse(NamedTuple):
    """One row of the inverse table; ``inverse`` is empty where nothing undoes the operation."""

    provider: str
    forward: str
    inverse: str
    kind: str
    reversibility: str
    raises: str
    status: str


@cache
def table() -> tuple[Inverse, ...]:
    """Every row of ``data/inverse_operations.csv``."""
    text = resources.files(__package__).joinpath("data", "inverse_operations.csv").read_text(encoding="utf-8")
    rows = csv.DictReader(line for line in text.splitlines() if not line.startswith("#"))
    return tuple(Inverse(**row) for row in rows)


@cache
def _by_forward() -> Mapping[str, tuple[Inverse, ...]]:
    found: dict[str, list[Inverse]] = defaultdict(list)
    for row in table():
        found[_fold(row.forward)].append(row)
    return {name: tuple(rows) for name, rows in found.items()}


def _fold(operation: str) -> str:
    return " ".join(operation.casefold().split())


def inverses(operation: str) -> tuple[Inverse, ...]:
    """Rows whose forward operation this is; none for an operation the table does not know."""
    return _by_forward().get(_fold(operation), ())


def reversibility(operation: str) -> str:
    """``unknown`` for an operation the table does not know: never irreversible by default."""
    rows = inverses(operation)
    return rows[0].reversibility if rows else "unknown"


@dataclass(frozen=True)
class Undone:
    """``undoing`` took back ``undone``."""

    undone: Step
    undoing: Step
    kind: str
    proved: bool


def undone(steps: Iterable[Step]) -> list[Undone]:
    """Pairs, last in first out per target and parameter, of changes that took effect. Steps come in time order.

    An overwritten value is taken back by setting the value that stood before it; what stood before the log began is
    not known, and then nothing is claimed.
    """
    open_changes: dict[tuple[str | None, str], list[Step]] = defaultdict(list)
    values: dict[tuple[str | None, str], list[str | None]] = defaultdict(list)
    pairs: list[Undone] = []
    for step in steps:
        if step.kind not in ("action", "rollback") or step.target is None:
            continue
        where = (step.tenant, step.target)
        pair = _pair(step, open_changes[where], values[where])
        if pair is None:
            open_changes[where].append(step)
        else:
            open_changes[where].remove(pair.undone)
            pairs.append(pair)
        values[where].append(step.after)
    return pairs


def _pair(step: Step, earlier: list[Step], values: list[str | None]) -> Undone | None:
    for candidate in reversed(earlier):
        if candidate.provider != step.provider:
            continue
        for row in inverses(candidate.operation):
            if not row.inverse or _fold(row.inverse) != _fold(step.operation):
                continue
            if row.kind == "pair":
                return Undone(candidate, step, "exact_inverse", row.status in PROVING)
            if _restores(candidate, step, values):
                return Undone(candidate, step, "state_restoring", row.status in PROVING)
        return None  # only the newest change on a target can be taken back
    return None


def _restores(candidate: Step, step: Step, values: list[str | None]) -> bool:
    """The value set now is the one that stood before the candidate set its own."""
    if step.after is None or step.after == candidate.after:
        return False
    if candidate.before is not None:
        return step.after == candidate.before
    return len(values) >= 2 and values[-1] == candidate.after and step.after == values[-2]
