"""The same records in any order, split and delivered any number of times give the same rows (decision-lineage 1, 5)."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING

import polars as pl

from lineage_analytics import tables
from lineage_analytics.facts import Facts
from lineage_analytics.graphs.decisions import decision_lineage, replay
from tests.accuracy.table import Row, Tally

if TYPE_CHECKING:
    from lineage_analytics.graphs.decisions import DecisionLineage
    from tests.accuracy.organisations import Organisation

SEEDS, PARTS = 200, 20
_FRAMES = ("cases", "steps", "links", "link_rejects", "decision_findings", "gaps", "elements")
_READ = ("decision_steps", "identities", "aliases", "coverage", "assistant_access", "resources", "entitlements",
         "quarantine")
_COPIES = (0, 0, 0, 1, 1, 2, 4)


@dataclass
class Sameness:
    """Shuffles of one organisation's records, and every case made again from its own."""

    shuffled: Tally = field(default_factory=lambda: Tally(
        "determinism", "records of a part shuffled and delivered 1 to 5 times, the rows the same", least=1.0))
    replayed: Tally = field(default_factory=lambda: Tally(
        "replay", "cases whose digest their records give again", least=1.0))

    def shuffle(self, one: Organisation, seeds: int = SEEDS, parts: int = PARTS) -> None:
        """Parts of about a quarter of the records, each in several orders. What is said of a part is its own."""
        held = {name: one.estate[name].collect() for name in _READ if name in one.estate.tables}
        for part in range(min(parts, seeds)):
            chosen = {**held, "decision_steps": _part(held["decision_steps"], Random(f"part {one.seed} {part}"))}  # noqa: S311
            wanted = _rows(chosen, one)
            for number in range(part, seeds, parts):
                dice = Random(f"shuffle {one.seed} {number}")  # noqa: S311
                again = _rows({name: _mixed(frame, dice, copies=name == "decision_steps")
                               for name, frame in chosen.items()}, one)
                odd = [name for name in _FRAMES if not getattr(wanted, name).equals(getattr(again, name))]
                self.shuffled.count(not odd, 1, [f"seed {one.seed}, shuffle {number}: {odd}"] if odd else [])

    def replay(self, one: Organisation) -> None:
        for case_id, stored, again in replay.replayed(one.lineage).select("case_id", "stored", "again").iter_rows():
            same = stored is not None and stored == again
            self.replayed.count(same, 1, [] if same else [f"seed {one.seed}: {case_id}"])

    def rows(self) -> list[Row]:
        return [self.shuffled.row, self.replayed.row]


def _part(steps: pl.DataFrame, dice: Random) -> pl.DataFrame:
    """Steps of a quarter of the keys; those without one by their own id, so that chains are mostly kept."""
    names = steps.select(pl.coalesce("native_key", "correlation_id", "step_id").alias("name"))["name"]
    kept = {name for name in sorted(names.unique()) if dice.random() < 0.25}
    return steps.filter(names.is_in(sorted(kept)))


def _mixed(frame: pl.DataFrame, dice: Random, *, copies: bool) -> pl.DataFrame:
    places = list(range(frame.height))
    if copies:
        places += [place for place in places for _ in range(dice.choice(_COPIES))]
    dice.shuffle(places)
    return frame[places]


def _rows(held: dict[str, pl.DataFrame], one: Organisation) -> DecisionLineage:
    return decision_lineage(Facts.of(one.estate.as_of, 30, 90, **{
        name: tables.conform(frame, tables.ALL[name]) for name, frame in held.items()}))
