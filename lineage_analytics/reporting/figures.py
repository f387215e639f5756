"""The charts of a report, drawn once: files with stable names, and pictures for the page."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl

from lineage_analytics import analysis, charts
from lineage_analytics.charts import render

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from lineage_analytics.reporting.reading import Reading


@dataclass(frozen=True)
class Figure:
    """A drawn chart: as SVG for the page, with its alternative text and size in pixels."""

    svg: bytes
    alt: str
    width: int
    height: int

    @property
    def data_uri(self) -> str:
        return "data:image/svg+xml;base64," + base64.b64encode(self.svg).decode()


def made(reading: Reading) -> Mapping[str, Callable[[], Any]]:
    """Every chart of the report by its stable name."""
    found = reading.analysis
    estate = found.estate
    kinds = estate.frame("identities").select(pl.col("id").alias("principal_id"), "kind", "excluded_reason")
    permissions = found.access.permissions.join(kinds, on="principal_id", how="left")
    return {
        "maturity_profile": lambda: charts.maturity_profile(reading.levels.frame),
        "coverage_calendar": lambda: charts.coverage_calendar(
            estate.frame("coverage"), estate.window_start, estate.as_of),
        "source_counts": lambda: charts.source_counts(pl.DataFrame(estate.counts)),
        "excess_sweep": lambda: charts.excess_sweep(permissions, found.measured.measures),
        "use_states": lambda: charts.use_states(permissions),
        "facet_waterfall": lambda: charts.facet_waterfall(found.measured.facets),
        "decision_elements": lambda: charts.decision_elements(found.decisions.elements),
        "approval_timing": lambda: charts.approval_timing(analysis.approval_timing(estate)),
        "copilot_reach": lambda: charts.copilot_reach(analysis.assistant_reach(estate)),
    }


def draw(reading: Reading, folder: Path) -> dict[str, Figure]:
    """Write every chart as svg, png and vl.json, and hold the pictures for the page."""
    folder.mkdir(parents=True, exist_ok=True)
    drawn = {}
    for name, make in made(reading).items():
        chart = make()
        render.save(chart, folder, name)
        svg = (folder / f"{name}.svg").read_bytes()
        drawn[name] = Figure(svg, render.description(chart), *render.size(svg))
    return drawn
