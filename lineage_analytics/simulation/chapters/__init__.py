"""The story beyond AWS and the directory, a chapter a file: who has accounts there, what happens, what is planted.

A chapter is a module with

    begin(world, dice)            accounts, and what is told apart from everyday life: deeds, decisions, links, stories
    day(world, day, dice)         everyday deeds of one day, none kept (may be absent)
    echo(world, happened, dice)   deeds that tell again what else happened that day (may be absent)

    conclude(world)               what follows from what all chapters began, such as links to others' records (may be
                                  absent)

``dice`` is the chapter's own stream of chance, so a new chapter changes no other. A source's file in ``writers`` spells
out its deeds and accounts.
"""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from typing import TYPE_CHECKING, Any

from lineage_analytics.simulation.dice import Dice

if TYPE_CHECKING:
    from datetime import datetime

    from lineage_analytics.simulation.model import Happened, World


@cache
def _chapters() -> dict[str, Any]:
    return {module.name: importlib.import_module(f"{__name__}.{module.name}")
            for module in sorted(pkgutil.iter_modules(__path__), key=lambda module: module.name)
            if not module.name.startswith("_")}


def begin(world: World) -> None:
    """Let every chapter cast its accounts and tell its stories."""
    for name, chapter in _chapters().items():
        chapter.begin(world, Dice(world.seed, f"chapter {name}"))
    for chapter in _chapters().values():
        if hasattr(chapter, "conclude"):
            chapter.conclude(world)


def day(world: World, day: datetime, happened: Happened) -> None:
    """Add the everyday deeds of every chapter."""
    for name, chapter in _chapters().items():
        tell = getattr(chapter, "day", None)
        for deed in tell(world, day, Dice(world.seed, f"{name} {day:%Y-%m-%d}")) if tell else ():
            happened.add(deed)


def echo(world: World, happened: Happened) -> None:
    """Add what logs of one thing say of another: called for each day, when all else of it is told."""
    for name, chapter in _chapters().items():
        tell = getattr(chapter, "echo", None)
        for deed in tell(world, happened, Dice(world.seed, f"{name} echo {happened.day:%Y-%m-%d}")) if tell else ():
            happened.add(deed)
