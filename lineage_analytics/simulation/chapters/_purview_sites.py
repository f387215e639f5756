"""How open the sites are: figures of each report, and the site that is opened to everybody."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from lineage_analytics.simulation import names
from lineage_analytics.simulation.model import END, Story

if TYPE_CHECKING:
    from lineage_analytics.simulation.dice import Dice
    from lineage_analytics.simulation.model import File, Person, World

OPENED = "Board"
"""The site that everybody may read from the last month on."""
_MONTHLY, _WEEKLY = (86, 58, 30, 2), (26, 19, 12, 5)


@dataclass
class Site:
    """A site as every report of it says. ``opened_on`` None: not opened to everybody."""

    name: str
    site_id: str
    owner: Person | None
    files: list[File]
    readers: int
    guests: int
    unique: int
    organisation_links: int
    opened_on: datetime | None = None
    anyone_links: dict[datetime, int] = field(default_factory=dict)
    """By the day of a weekly report."""


@dataclass
class Exposure:
    """The sites, and the days on which reports were made."""

    sites: list[Site]
    monthly: list[datetime]
    weekly: list[datetime]
    workforce: int


def opened(world: World, dice: Dice) -> Exposure:
    """Sites of the documents there are; one of them is opened to everybody."""
    midnight = END.replace(hour=0, minute=0, second=0)
    here = [p for p in world.persons if p.left_on is None and p.declared]
    sites = []
    for name in names.SITE_NAMES:
        own = [p for p in here if p.department == name]
        files = [f for f in world.files if f.site == name]
        sites.append(Site(name, dice.guid(), dice.pick(own or here), files, max(3, len(own)) + dice.whole(0, 5),
                          dice.whole(0, 3), dice.whole(0, max(1, len(files) // 8)), dice.whole(0, 6)))
    board = next(site for site in sites if site.name == OPENED)
    board.opened_on = midnight - timedelta(days=40)
    next(site for site in sites if site.name == "Projects").owner = None
    monthly, weekly = ([midnight - timedelta(days=back) for back in backs if back < world.days]
                       for backs in (_MONTHLY, _WEEKLY))
    secret = sorted(f.name for f in board.files if f.label == names.LABELS["Highly Confidential"])
    world.stories.append(Story(
        "board_site_open_to_everybody", f"The site {OPENED} was opened to everyone except external users; it holds "
        f"{len(secret)} documents labelled Highly Confidential.", [f"sites/{OPENED}"],
        "It stands among the sites that everybody can read, so Copilot reads it for everybody.", []))
    return Exposure(sites, monthly, weekly, len(here))
