"""How far the trail can be trusted: a record taken out of a file, a file and a digest that are gone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from lineage_analytics.simulation.activity import call
from lineage_analytics.simulation.model import AWS_ACCOUNT, END, Story

if TYPE_CHECKING:
    from lineage_analytics.simulation.dice import Dice
    from lineage_analytics.simulation.model import World

REGION = "eu-west-1"
_LAST = END.replace(hour=0, minute=0, second=0)


@dataclass(frozen=True)
class Tampering:
    """Days of which a record was removed, a second file is gone, and the digest is gone."""

    altered: datetime
    lost: datetime
    lost_file: str
    unsaid: datetime


def digest_name(day: datetime) -> str:
    """The file of the digest that tells of a day: it ends half an hour after it."""
    end = day + timedelta(days=1, minutes=30)
    return f"{AWS_ACCOUNT}_CloudTrail-Digest_{REGION}_synthetic-trail_{REGION}_{end:%Y%m%dT%H%M%SZ}.json.gz"


def tamper(world: World, dice: Dice) -> None:
    """The digests know better than the bucket."""
    altered, lost, unsaid = (_LAST - timedelta(days=back) for back in (11, 17, 23))
    removed = call(dice, dice.moment(altered, 2, 4), world.cast["gone"], "iam:GetAccountAuthorizationDetails")
    world.cast["cloudtrail_removed"] = removed
    lost_file = f"{AWS_ACCOUNT}_CloudTrail_{lost:%Y%m%d}T2350Z_{dice.base32(16)}.json.gz"
    world.cast["aws_tampering"] = Tampering(altered, lost, lost_file, unsaid)
    world.stories.append(Story(
        "trail_altered_and_incomplete", f"A call of {world.cast['gone'].name} was taken out of the trail's file of "
        f"{altered:%Y-%m-%d}; a file of {lost:%Y-%m-%d} and the digest that tells of {unsaid:%Y-%m-%d} are gone.",
        [f"{AWS_ACCOUNT}_CloudTrail_{altered:%Y%m%d}.json.gz", lost_file, digest_name(unsaid)],
        "One file differs from what was delivered, one was delivered and is not there, one digest has no predecessor."))
