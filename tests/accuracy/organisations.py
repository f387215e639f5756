"""Made-up organisations, loaded and analysed, beside the answers that were written when they were thought up."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lineage_analytics.graphs.decisions import decision_lineage
from lineage_analytics.simulation import simulate
from lineage_analytics.workspace import Store, load, open_estate

if TYPE_CHECKING:
    from pathlib import Path

    from lineage_analytics.graphs.decisions import DecisionLineage
    from lineage_analytics.workspace import Estate

PEOPLE, DAYS = 40, 100
SMALL = (20, 35)


@dataclass(frozen=True)
class Organisation:
    """One organisation with what is true of it and what was found."""

    seed: int
    directory: Path
    estate: Estate
    lineage: DecisionLineage

    def truth(self, name: str) -> list[dict[str, str]]:
        """Rows of ``truth/<name>.csv``."""
        with (self.directory / "truth" / f"{name}.csv").open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))


def organisation(room: Path, seed: int, people: int = PEOPLE, days: int = DAYS) -> Organisation:
    """Simulate under ``room``, load, link."""
    directory, workspace = room / f"organisation-{seed}", room / f"workspace-{seed}"
    simulate(directory, seed, people, days)
    load([directory], Store.create(workspace))
    estate = open_estate(workspace)
    return Organisation(seed, directory, estate, decision_lineage(estate))
