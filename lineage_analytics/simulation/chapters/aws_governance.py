"""How the AWS account is watched: what Access Analyzer finds, who may become its roles."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lineage_analytics.simulation.chapters import _aws_center, _aws_findings

if TYPE_CHECKING:
    from lineage_analytics.simulation.dice import Dice
    from lineage_analytics.simulation.model import World


def begin(world: World, dice: Dice) -> None:
    _aws_findings.find(world, dice)
    _aws_center.assign(world, dice)
