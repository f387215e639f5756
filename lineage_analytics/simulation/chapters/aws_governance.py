"""How the AWS account is watched: what Access Analyzer finds, who may become its roles, whose use is reported,
how far its trail can be trusted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lineage_analytics.simulation.chapters import _aws_center, _aws_digests, _aws_findings
from lineage_analytics.simulation.model import Story

if TYPE_CHECKING:
    from lineage_analytics.simulation.dice import Dice
    from lineage_analytics.simulation.model import World


def begin(world: World, dice: Dice) -> None:
    _aws_findings.find(world, dice)
    _aws_center.assign(world, dice)
    _reported(world)
    _aws_digests.tamper(world, dice)


def _reported(world: World) -> None:
    """A handful whose last uses are asked for: the powerful, the dormant, and one that lost a policy."""
    cast = world.cast
    advised = cast["aws_findings"].advice[0].finding.about
    dormant = next(p for p in world.principals if p.rhythm == "stopped100" and p.is_nhi
                   and p.archetype in ("iam", "admin", "deployer"))
    chosen = [cast["deploy"], cast["helper"], cast["orphan"], dormant, advised]
    reported = list({who.native_id: who for who in chosen}.values())
    cast["aws_reported"] = reported
    world.stories.append(Story(
        "last_use_is_reported", f"IAM's own reports say when {len(reported)} principals last used each service; they "
        "agree with the trail.", [who.arn for who in reported],
        "Their last use is that of the trail; a service without a last use was not used within the tracking period.",
        ["VIS-17"]))
