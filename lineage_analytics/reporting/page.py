"""The page: one self-contained file without script, from the answer down to the records."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from lineage_analytics.charts.theme import THEME
from lineage_analytics.reporting import findings
from lineage_analytics.reporting.sections import sections
from lineage_analytics.text import printable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lineage_analytics.reporting.figures import Figure
    from lineage_analytics.reporting.reading import Reading

_ACTIONS, _UNSEEN = 4, 5


@dataclass(frozen=True)
class Run:
    """What the page says of the run itself."""

    run_id: str
    body: Mapping[str, Any]
    notebooks: tuple[str, ...]
    evidence: tuple[str, ...]
    organisation: str
    synthetic: bool


def render(reading: Reading, figures: Mapping[str, Figure], run: Run) -> str:
    """The page's HTML. Values from logs are escaped; nothing is loaded from anywhere."""
    environment = Environment(
        loader=PackageLoader("lineage_analytics.reporting", "templates"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True)
    environment.filters.update(printable=printable, number=_number, span=_span)
    estate = reading.analysis.estate
    style = THEME.css_variables() + environment.get_template("page.css").render()
    headline, lead = findings.answer(reading)
    actions, unseen = findings.actions(reading), findings.unseen(reading)
    return environment.get_template("index.html.j2").render(
        style=style, style_hash=base64.b64encode(hashlib.sha256(style.encode()).digest()).decode(),
        headline=headline, lead=lead, run=run, estate=estate, levels=reading.levels.document,
        domains=reading.levels.frame.to_dicts(),
        maturity=findings.maturity(reading), raises=findings.raises(reading),
        actions=actions[:_ACTIONS], more_actions=actions[_ACTIONS:],
        unseen=unseen[:_UNSEEN], more_unseen=unseen[_UNSEEN:],
        sections=sections(reading), figures=figures,
        period=f"{estate.window_start:%-d %b %Y} – {estate.as_of:%-d %b %Y}",
        measures=reading.analysis.measured.measures.to_dicts(),
    )


def _number(value: float | None) -> str:
    """A number as short as it can be; an empty cell would read as zero, so the unknown is a word."""
    return "unknown" if value is None else f"{value:,.0f}" if float(value).is_integer() else f"{value:,.3g}"


def _span(ends: tuple[float | None, float | None]) -> str:
    low, high = ends
    return "none" if low is None or high is None else f"{_number(low)} to {_number(high)}"
