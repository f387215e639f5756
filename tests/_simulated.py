"""A part of the made-up organisation alone, so that a test of some sources waits for no others."""

from __future__ import annotations

import gzip
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from lineage_analytics.simulation import chapters
from lineage_analytics.simulation.writers import writers

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path


@contextmanager
def only(told: Collection[str], written: Collection[str]) -> Iterator[None]:
    """Nothing but these chapters is told and nothing but these sources written while the block runs."""
    kept = {name: chapter for name, chapter in chapters._chapters().items() if name in told}
    found = {name: writer for name, writer in writers().items() if name in written}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chapters, "_chapters", lambda: kept)
        patch.setattr("lineage_analytics.simulation.writing.writers", lambda: found)
        yield


def content(path: Path) -> bytes:
    """What a written file holds, unpacked."""
    raw = path.read_bytes()
    return gzip.decompress(raw) if path.suffix == ".gz" else raw
