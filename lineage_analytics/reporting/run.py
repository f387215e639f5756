"""One run: measures, charts, notebooks, page and manifest in a draft folder, then published whole."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import polars as pl

from lineage_analytics import maturity
from lineage_analytics.analysis import Analysis, analyse
from lineage_analytics.reporting import exports, figures, manifest, notebooks, page, publish, records
from lineage_analytics.reporting.findings import answer
from lineage_analytics.reporting.reading import Reading

if TYPE_CHECKING:
    from pathlib import Path

    from lineage_analytics.workspace.estate import Estate

Say = Callable[[str], None]


@dataclass(frozen=True)
class Outcome:
    """Where the report is, and what to tell about it."""

    folder: Path
    run_id: str
    headline: str
    status: str
    degraded_by: list[str]
    unchanged: bool


def report(estate: Estate, out: Path, *, profile: str = "analyst", force: bool = False, say: Say = print) -> Outcome:
    """Publish the report of an estate; when the same run stands there already, only make it current.

    Nothing of an earlier report is touched before the new one is complete.
    """
    clock = _Clock(say)
    reading = Reading(analyse(estate), maturity.score(analyse(estate).measured.measures))
    clock.done("measured")
    body = records.body(reading.analysis, profile)
    run_id = body["run_id"]
    told = (answer(reading)[0], body["status"], records.degradation(estate))
    earlier = publish.published(out, run_id)
    if earlier is not None and not force:
        publish.point(out, earlier.name)
        return Outcome(earlier, run_id, *told, unchanged=True)
    with publish.draft(out) as folder:
        _write(reading, body, folder, clock)
        (folder / manifest.MANIFEST).write_bytes(manifest.as_bytes(manifest.make(body, folder)))
        (folder / manifest.RUN_LOG).write_bytes(manifest.run_log(clock.log()))
        target = publish.publish(folder, out, run_id)
    publish.remember(out, run_id, estate.as_of, reading.analysis.measured.measures)
    return Outcome(target, run_id, *told, unchanged=False)


def _write(reading: Reading, body: dict[str, Any], folder: Path, clock: _Clock) -> None:
    analysis = reading.analysis
    measures = analysis.measured.measures
    (folder / "measures.json").write_bytes(records.as_json({"measures": records.measure_records(measures)}))
    measures.write_parquet(folder / "measures.parquet")
    (folder / "levels.json").write_bytes(records.as_json(reading.levels.document))
    evidence = _write_evidence(analysis, folder / "evidence")
    exports.write(reading, folder)
    running = notebooks.start(analysis.estate, folder / "notebooks")
    pictures = figures.draw(reading, folder / "charts")
    clock.done("charts drawn")
    made = running.finish()
    clock.done("notebooks run")
    run = page.Run(body["run_id"], body, tuple(made), tuple(evidence), *analysis.estate.organisation)
    (folder / "index.html").write_text(page.render(reading, pictures, run), encoding="utf-8")


def _write_evidence(analysis: Analysis, folder: Path) -> list[str]:
    """One file per metric, also for one without any object: empty is an answer, absent is not."""
    folder.mkdir()
    evidence = analysis.measured.evidence.sort("metric_id", "scope", "set", "object_id")
    ids = sorted(set(analysis.measured.measures["metric_id"]))
    for metric_id in ids:
        evidence.filter(pl.col("metric_id") == metric_id).write_parquet(folder / f"{metric_id}.parquet")
    return ids


class _Clock:
    """Durations for people and for ``run.log.json``; the only place where a run looks at a clock."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say, self._started, self._last = say, time.time(), time.monotonic()
        self._stages: dict[str, float] = {}

    def done(self, stage: str) -> None:
        now = time.monotonic()
        self._stages[stage] = round(now - self._last, 3)
        self._last = now
        self._say(f"{stage} in {self._stages[stage]:.1f} s")

    def log(self) -> dict[str, Any]:
        return {"started_at": _utc(self._started), "finished_at": _utc(time.time()), "seconds": self._stages}


def _utc(moment: float) -> str:
    return records.stamp(datetime.fromtimestamp(moment, UTC))
