"""Governance of access in the directory: roles, access reviews, access packages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lineage_analytics.simulation.chapters import _roles

if TYPE_CHECKING:
    from lineage_analytics.simulation.dice import Dice
    from lineage_analytics.simulation.model import World


def begin(world: World, dice: Dice) -> None:
    """All of it."""
    _roles.begin(world, dice)
