"""A made-up organisation with known answers, written out as native provider logs.

Everything is invented and says so: accounts of documentation ranges, ``*.example`` domains, the word synthetic in every
file family. ``truth/`` holds the answers, taken from the organisation as it was thought up, never from our measures.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from lineage_analytics.simulation.model import World

__all__ = ["DAYS", "PEOPLE", "simulate"]

PEOPLE = (20, 5000)
DAYS = (35, 400)
"""The sizes a story has room in: fewest and most."""


def simulate(directory: Path, seed: int = 7, people: int = 200, days: int = 120, scale: int = 0) -> None:
    """Write the made-up organisation and its truth under ``directory``.

    Parameters
    ----------
    directory : made when absent; the folders of an earlier simulation in it are replaced.
    seed : the same seed and sizes give the same bytes.
    people : 20 to 5000; there are three service accounts for each.
    days : of logs, 35 to 400, ending 2026-06-30. Under 91 nothing that needs the 90-day look-back can be scored.
    scale : rows of everyday CloudTrail activity beyond the story, up to 10**9; memory does not grow with them.

    Raises
    ------
    UsageError : a size outside these bounds.
    """
    from lineage_analytics.simulation.writing import write_everything  # noqa: PLC0415  (fast import of the package)

    write_everything(directory, thought_up(seed, people, days), scale)


def thought_up(seed: int, people: int, days: int) -> World:
    """The organisation with everything that happens in it, but for the everyday."""
    from lineage_analytics.errors import UsageError  # noqa: PLC0415
    from lineage_analytics.simulation import (  # noqa: PLC0415
        aws_changes,
        chapters,
        everyday,
        organisation,
        owners,
        pim,
        stories,
        ways_back,
    )

    for name, value, (low, high) in (("people", people, PEOPLE), ("days", days, DAYS)):
        if not low <= value <= high:
            raise UsageError(f"Wanted {name} from {low} to {high}", f"found {value}")
    world = organisation.founded(seed, people, days)
    stories.cast(world)
    owners.assign(world)
    everyday.settle_in(world)
    aws_changes.change(world)
    pim.decide(world)
    stories.tell(world)
    chapters.begin(world)
    ways_back.settle(world)
    return world
