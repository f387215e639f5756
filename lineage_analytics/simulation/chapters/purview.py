"""Microsoft Purview beside the audit log: labels, how open the sites are, and what else is told of assistants."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lineage_analytics.simulation.chapters import _purview_sites

if TYPE_CHECKING:
    from lineage_analytics.simulation.chapters._purview_sites import Exposure
    from lineage_analytics.simulation.dice import Dice
    from lineage_analytics.simulation.model import World


@dataclass
class Cast:
    """What the writers need of this chapter."""

    exposure: Exposure


def begin(world: World, dice: Dice) -> None:
    """The sites as the reports find them."""
    world.cast["purview"] = Cast(_purview_sites.opened(world, dice))
