"""``lineage simulate``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lineage_analytics.commands import console
from lineage_analytics.errors import UsageError

if TYPE_CHECKING:
    import argparse
    from pathlib import Path


def _writable(directory: Path) -> bool:
    """An empty folder, or one an earlier simulation wrote."""
    return directory.is_dir() and (not any(directory.iterdir()) or (directory / "truth").is_dir())


def simulate(given: argparse.Namespace) -> int:
    from lineage_analytics.simulation import simulate as write

    directory = given.directory
    if directory.exists() and not _writable(directory):
        raise UsageError(f"Wanted an empty or absent folder at {directory}", "it holds other files",
                         "name another folder")
    write(directory, seed=given.seed, people=given.people, days=given.days, scale=given.scale)
    console.note(f"A made-up organisation (synthetic): seed {given.seed}, {given.people} people, {given.days} days")
    print(directory)
    return 0
