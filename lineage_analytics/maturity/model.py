"""The maturity model as data: domains, limits, caps and missing sources, read from files anyone can review."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

LEVELS = (2, 3, 4, 5)


@dataclass(frozen=True)
class Rule:
    """One measure's part in one domain; ``limits`` per level 2 to 5, null where it plays none."""

    domain: str
    metric_id: str
    scope: str
    core: bool
    higher: bool
    limits: tuple[float | None, ...]
    unit: str

    def limit(self, level: int) -> float | None:
        return self.limits[level - 2]


@dataclass(frozen=True)
class Cap:
    """Evidence that overrides a domain's level; ``when`` empty: not measurable yet."""

    cap: str
    domain: str
    effect: str
    level: int | None
    metric_id: str
    scope: str
    when: str
    limit: str
    words: str


@dataclass(frozen=True)
class Model:
    """``domains`` names by id in order, ``rules``, ``caps``, and ``sources``: what would fix a measure, in words."""

    domains: dict[str, str]
    rules: tuple[Rule, ...]
    caps: tuple[Cap, ...]
    sources: dict[str, str]

    def of(self, domain: str) -> list[Rule]:
        return [rule for rule in self.rules if rule.domain == domain]


@cache
def model() -> Model:
    """The model the data files of this room hold."""
    return Model(
        {row["domain"]: row["name"] for row in _table("domains")},
        tuple(_rule(row) for row in _table("thresholds")),
        tuple(Cap(**{**row, "level": int(row["level"]) if row["level"] else None})  # type: ignore[arg-type]
              for row in _table("caps")),
        {row["metric_id"]: row["source"] for row in _table("sources")},
    )


def _rule(row: dict[str, str]) -> Rule:
    limits = tuple(float(row[f"l{level}"]) if row[f"l{level}"] else None for level in LEVELS)
    return Rule(row["domain"], row["metric_id"], row["scope"], row["core"] == "yes", row["better"] == "higher", limits,
                row["unit"])


def _table(name: str) -> list[dict[str, str]]:
    text = (files(__package__) / "data" / f"{name}.csv").read_text(encoding="utf-8")
    return list(csv.DictReader(line for line in text.splitlines() if line and not line.startswith("#")))
