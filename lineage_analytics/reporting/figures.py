"""The charts of a report, drawn once: files with stable names, and pictures for the page."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl

from lineage_analytics import analysis, charts
from lineage_analytics.charts import render
from lineage_analytics.charts.theme import THEME
from lineage_analytics.reporting.findings import AI

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from lineage_analytics.reporting.reading import Reading

_SIZE = re.compile(rb'width="(\d+)[^"]*" height="(\d+)')


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
    elements, period = _elements(reading)
    return {
        "maturity_profile": lambda: charts.maturity_profile(reading.levels.frame),
        "coverage_calendar": lambda: charts.coverage_calendar(
            estate.frame("coverage"), (estate.window_start, estate.as_of)),
        "source_counts": lambda: charts.source_counts(pl.DataFrame(estate.counts)),
        "excess_sweep": lambda: charts.excess_sweep(permissions, found.measured.measures, estate.lookback_days),
        "use_states": lambda: charts.use_states(permissions, estate.lookback_days),
        "tier0_paths": lambda: charts.tier0_paths(
            reading.paths, found.access.nodes, found.access.edges, reading.longest_way, period=_taken(reading)),
        "choke_points": lambda: charts.choke_points(reading.cuts, period=_taken(reading)),
        "blast_radius": lambda: charts.blast_radius(reading.radii, found.access.nodes, period=_taken(reading)),
        "facet_waterfall": lambda: charts.facet_waterfall(found.measured.facets),
        "credential_age": lambda: charts.credential_age(estate.frame("credentials"), estate.as_of),
        "decision_elements": lambda: charts.decision_elements(elements, period),
        "approval_timing": lambda: charts.approval_timing(found.decisions.approval_timing()),
        "decision_picture": lambda: _decision(reading),
        "acceleration_gap": lambda: charts.acceleration_gap(
            reading.pace.weeks, reading.pace.legs, reading.pace.numbers),
        "copilot_reach": lambda: charts.copilot_reach(analysis.assistant_reach(estate), _period(reading)),
        "workflow_map": lambda: charts.workflow_map(found.workflows, f"to {estate.as_of:%-d %b %Y}"),
    }


def _elements(reading: Reading) -> tuple[pl.DataFrame, str]:
    """The elements of the AI-assisted changes of the window; of all its changes where none is known to be assisted."""
    changes = reading.window_cases
    assisted = changes.filter(pl.col("involvement_class").is_in(AI))
    shown, what = (assisted, "AI-assisted, ") if assisted.height else (changes, "")
    elements = reading.analysis.decisions.elements.join(shown.select("case_id"), on="case_id", how="semi")
    return elements, f"{what}{_period(reading)}"


def _decision(reading: Reading) -> Any:
    """The first change that needs review; the latest with AI involved, or the latest of all, where none does."""
    changes, decisions = reading.window_cases, reading.analysis.decisions
    assisted = changes.filter(pl.col("involvement_class").is_in(AI))
    shown = reading.to_review.head(1) if reading.to_review.height else (
        assisted if assisted.height else changes).sort("time", "case_id").tail(1)
    steps = decisions.steps if shown.height else decisions.steps.clear()
    people = sorted({agent for agents in steps.filter(
        pl.col("case_id").is_in(shown["case_id"].implode()))["agent_ids"] for agent in agents})
    return charts.decision_picture(
        steps, decisions.links, decisions.gaps, shown["case_id"][0] if shown.height else None,
        names={agent: reading.name(agent) for agent in people}, rejects=decisions.link_rejects)


def _taken(reading: Reading) -> str:
    """When the inventories were taken, as far as one is known."""
    return f"as of {reading.analysis.estate.as_of:%-d %b %Y}"


def _period(reading: Reading) -> str:
    estate = reading.analysis.estate
    return f"{estate.window_start:%-d %b} to {estate.as_of:%-d %b %Y}"


def draw(reading: Reading, folder: Path) -> dict[str, Figure]:
    """Write every chart as svg, png and vl.json, and hold the pictures for the page."""
    drawn = {}
    for name, make in made(reading).items():
        chart = make()
        picture, _, _ = render.save(chart, folder, name)
        svg = picture.read_bytes()
        found = _SIZE.search(svg[:500])
        width, height = (int(found[1]), int(found[2])) if found else (THEME.width, THEME.width // 2)
        drawn[name] = Figure(svg, render.spec(chart)["description"], width, height)
    return drawn
