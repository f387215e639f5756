"""The inverse table: what undoes what (decision-lineage 9.2)."""

from __future__ import annotations

import csv
from collections import defaultdict
from functools import cache, lru_cache
from importlib import resources
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

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
    reference: str


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
        found[folded(row.forward)].append(row)
    return {name: tuple(rows) for name, rows in found.items()}


@cache
def _by_inverse() -> Mapping[str, tuple[Inverse, ...]]:
    found: dict[str, list[Inverse]] = defaultdict(list)
    for row in table():
        if row.inverse:
            found[folded(row.inverse)].append(row)
    return {name: tuple(rows) for name, rows in found.items()}


@lru_cache(maxsize=4_096)
def folded(operation: str) -> str:
    """The name as compared: the vendor's reference and its log differ in capitals, and Google's services each put
    their own name before the same method."""
    name = " ".join(operation.casefold().split())
    return name.rpartition(".")[2] if name.startswith("google.") or name.endswith(".setiampolicy") else name


def inverses(operation: str) -> tuple[Inverse, ...]:
    """Rows whose forward operation this is; none for an operation the table does not know."""
    return _by_forward().get(folded(operation), ())


def applying(operation: str, effect: str | None) -> tuple[Inverse, ...]:
    """Rows of an operation that fit what it did: one that gave or took something is no overwriting of a value."""
    rows = inverses(operation)
    if not any(row.kind == "delta" for row in rows):
        return rows
    moved = (effect or "").partition("(")[0] in ("grant", "revoke")
    return tuple(row for row in rows if (row.kind == "delta") == moved)


def undoes(operation: str) -> tuple[Inverse, ...]:
    """Rows whose inverse this is: what it can take back."""
    return _by_inverse().get(folded(operation), ())


def both_ways(forward: str, inverse: str) -> bool:
    """Whether each undoes the other, so that only the order in time tells which was the rollback."""
    return any(folded(row.inverse) == folded(forward) for row in inverses(inverse))


def reversibility(operation: str) -> str:
    """``unknown`` for an operation the table does not know: never irreversible by default."""
    rows = inverses(operation)
    return rows[0].reversibility if rows else "unknown"
