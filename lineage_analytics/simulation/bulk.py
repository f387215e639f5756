"""More of the same: everyday calls beyond those the story needs, to make a load of any size.

Only accounts at work that day call, only what they call anyway, so that no answer changes but the number of events.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from lineage_analytics.simulation.activity import call
from lineage_analytics.simulation.dice import Dice
from lineage_analytics.simulation.everyday import works
from lineage_analytics.simulation.writers.aws_cloudtrail import record
from lineage_analytics.simulation.writers.files import Packed, as_json

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

    from lineage_analytics.simulation.model import AwsEvent, World
    from lineage_analytics.simulation.observed import Observed

FILE_RECORDS = 20_000


def write(directory: Path, world: World, observed: Observed, rows: int) -> None:
    """About ``rows`` further CloudTrail records, spread over the days, in files of ``FILE_RECORDS``."""
    days = len(world.midnights)
    for number, day in enumerate(world.midnights):
        wanted = rows * (number + 1) // days - rows * number // days
        events = _calls(world, day, wanted)
        for part in range(-(-wanted // FILE_RECORDS)):
            _file(directory / f"{day:%Y%m%d}-{part:03d}.json.gz", events, observed,
                  min(FILE_RECORDS, wanted - part * FILE_RECORDS))


def _calls(world: World, day: datetime, wanted: int) -> Iterator[AwsEvent]:
    dice = Dice(world.seed, f"more calls {day:%Y-%m-%d}")
    at_work = [who for who in world.principals if who.uses and works(who, day)]
    until = timedelta(hours=19, minutes=59)
    for number in range(wanted if at_work else 0):
        who = dice.pick(at_work)
        # In order of time, and before the inventories were taken.
        event = call(dice, day + (until * (number / wanted)), who, who.uses[0])
        event.time = event.time.replace(microsecond=0)
        yield event


def _file(path: Path, events: Iterator[AwsEvent], observed: Observed, count: int) -> None:
    packed = Packed(path, level=1)
    packed.write(b'{"Records":[')
    for place in range(count):
        event = next(events, None)
        if event is None:
            break
        observed.aws(event)
        packed.write((b"," if place else b"") + as_json(record(event)))
    packed.write(b"]}")
    packed.close()
