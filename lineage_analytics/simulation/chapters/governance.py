"""Governance of access in the directory: roles, access reviews, access packages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lineage_analytics.simulation.chapters import _packages, _reviews, _roles

if TYPE_CHECKING:
    from lineage_analytics.simulation.chapters._packages import Packages
    from lineage_analytics.simulation.chapters._reviews import Review
    from lineage_analytics.simulation.dice import Dice
    from lineage_analytics.simulation.model import World


@dataclass
class Governance:
    """What the writers need of this chapter."""

    reviews: list[Review]
    packages: Packages


def conclude(world: World) -> None:
    """Links of all role requests, whichever chapter made them."""
    _roles.conclude(world)


def begin(world: World, dice: Dice) -> None:
    """Older roles, reviews of the last quarters, requests for access packages."""
    _roles.begin(world, dice)
    world.cast["governance"] = Governance(_reviews.begin(world, dice), _packages.begin(world, dice))
