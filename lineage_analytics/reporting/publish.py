"""From a finished folder to the current report: complete or not at all, and the reports before it untouched."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from lineage_analytics.reporting.manifest import MANIFEST

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

RUNS, CURRENT, HISTORY = "runs", "current", "history.parquet"


@contextlib.contextmanager
def draft(out: Path) -> Iterator[Path]:
    """An empty private folder beside the runs; gone afterwards unless it was published."""
    (out / RUNS).mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=".draft-", dir=out / RUNS))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def published(out: Path, run_id: str) -> Path | None:
    """The folder of a run that is already complete; None when there is none."""
    folder = out / RUNS / run_id
    return folder if (folder / MANIFEST).is_file() else None


def publish(folder: Path, out: Path, run_id: str) -> Path:
    """Make a draft the run of that id and the current report; a run that is equal to the one there changes nothing.

    The same id with other bytes (a forced run after a repair) gets a number behind it: no run is ever overwritten.
    """
    target = out / RUNS / run_id
    number = 1
    while target.exists():
        if (target / MANIFEST).is_file() and (target / MANIFEST).read_bytes() == (folder / MANIFEST).read_bytes():
            break
        number += 1
        target = out / RUNS / f"{run_id}.{number}"
    if not target.exists():
        folder.chmod(0o755)
        folder.replace(target)
    point(out, target.name)
    return target


def point(out: Path, name: str) -> None:
    """Let ``current`` mean this run, in one atomic step."""
    link = out / f".{CURRENT}-{os.getpid()}"
    link.unlink(missing_ok=True)
    link.symlink_to(f"{RUNS}/{name}")
    link.replace(out / CURRENT)


def remember(out: Path, run_id: str, as_of: datetime, measures: pl.DataFrame) -> None:
    """One row per run and measure in ``history.parquet``; a run stands there once."""
    path = out / HISTORY
    moment = pl.lit(as_of).dt.cast_time_unit("us").alias("as_of")
    rows = measures.select(pl.lit(run_id).alias("run_id"), moment, pl.all())
    if path.is_file():
        before = pl.read_parquet(path)
        rows = pl.concat([before.filter(pl.col("run_id") != run_id), rows], how="diagonal_relaxed")
    fresh = out / f".{HISTORY}-{os.getpid()}"
    rows.sort("as_of", "run_id", "metric_id", "scope").write_parquet(fresh)
    fresh.replace(path)
