"""One module per log source, found by its file name: a new source is one new file, and no list names it."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Mapping

    import polars as pl

    from lineage_analytics.loaders.common.contract import Loader, Match, Sample


@cache
def loaders() -> dict[str, Loader]:
    """Every loader by name, in name order."""
    names = sorted(
        module.name
        for module in pkgutil.iter_modules(__path__)
        if not module.ispkg and not module.name.startswith("_")
    )
    return {name: cast("Loader", importlib.import_module(f"{__name__}.{name}")) for name in names}


def inventories() -> list[str]:
    """The sources whose records are of no day."""
    return [source for source, loader in loaders().items() if "activity" not in loader.FEEDS]


def settled(tables: Mapping[str, pl.LazyFrame]) -> dict[str, pl.LazyFrame]:
    """The fact tables after every loader had its say on what only all files together can tell.

    A loader may define ``settle(tables) -> tables``; it gets the tables as stored, before ids are resolved.
    """
    found = dict(tables)
    for loader in loaders().values():
        settle = getattr(loader, "settle", None)
        if settle is not None:
            found = settle(found)
    return found


def superseded(tables: Mapping[str, pl.LazyFrame]) -> list[pl.Series]:
    """Ids of ``activity`` records of which another record of their source says more about the same event.

    A loader may define ``superseded(tables) -> record ids``; it gets the tables as stored.
    """
    asked = (getattr(loader, "superseded", None) for loader in loaders().values())
    return [ask(tables) for ask in asked if ask is not None]


def recognise(sample: Sample) -> tuple[str, Match] | None:
    """The loader that is surest of the file, with its match; None when no loader knows it."""
    matches = [(name, match) for name, loader in loaders().items() if (match := loader.detect(sample)) is not None]
    return max(matches, key=lambda found: (found[1].confidence, found[0]), default=None)
