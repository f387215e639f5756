"""Derived tables of a workspace: computed once for the same facts and parameters, then read.

The tables stand beside the facts; a marker, written last, says which facts, parameters and definitions they come from.
Anything else in the marker, or none, means: compute. A workspace that cannot be written to, or that another notebook is
just writing to, is computed in memory.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from typing import TYPE_CHECKING

from lineage_analytics.errors import LockedError
from lineage_analytics.workspace.lock import locked
from lineage_analytics.workspace.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    import polars as pl

    from lineage_analytics.workspace.estate import Estate

MARKER = "derived.json"
LOCK = ".derived-lock"


def stored(
    estate: Estate, definitions: str, compute: Callable[[], Mapping[str, pl.DataFrame]]
) -> Mapping[str, pl.DataFrame]:
    """The derived tables of the estate: as stored, when they were computed for exactly this, else computed and stored.

    ``definitions`` names the version of everything the computation depends on besides facts and parameters.
    """
    if estate.directory is None:
        return compute()
    key = _key(estate, definitions)
    found = _read(estate.directory, key)
    if found is not None:
        return found
    frames = compute()
    # On read-only ground, and beside another one that stores, it still answers, only not faster the next time.
    with contextlib.suppress(OSError, LockedError), locked(estate.directory, LOCK):
        _write(estate.directory, key, frames)
    return frames


def _key(estate: Estate, definitions: str) -> str:
    spans = estate.as_of.isoformat(), estate.window_days, estate.lookback_days
    return hashlib.sha256(json.dumps([sorted(estate.versions.items()), spans, definitions]).encode()).hexdigest()


def _read(directory: Path, key: str) -> dict[str, pl.DataFrame] | None:
    try:
        marker = json.loads((directory / MARKER).read_text(encoding="utf-8"))
        if marker["key"] != key:
            return None
        store = Store.open(directory)
        return {name: store.scan(name, version).collect() for name, version in marker["versions"].items()}
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _write(directory: Path, key: str, frames: Mapping[str, pl.DataFrame]) -> None:
    store = Store.open(directory)
    (directory / MARKER).unlink(missing_ok=True)
    fresh = directory / f".{MARKER}-{os.getpid()}"
    versions = {name: store.replace(name, frame) for name, frame in frames.items()}
    marker = {"key": key, "versions": versions}
    fresh.write_text(json.dumps(marker), encoding="utf-8")
    fresh.replace(directory / MARKER)
