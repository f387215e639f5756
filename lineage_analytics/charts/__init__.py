"""One function per chart, one theme: a table in, an Altair chart out.

``save(chart, directory, name)`` writes pictures, ``figure(chart)`` is the HTML a page or notebook shows, ``register()``
makes that the way Altair shows charts. Every chart carries a description; an empty table gives a chart that says why.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lineage_analytics.charts._quick import import_altair
from lineage_analytics.lazy import lazily

if TYPE_CHECKING:
    from lineage_analytics.charts.acceleration import acceleration_gap
    from lineage_analytics.charts.approvals import approval_timing
    from lineage_analytics.charts.blast import blast_radius
    from lineage_analytics.charts.chokes import choke_points
    from lineage_analytics.charts.copilot import copilot_reach
    from lineage_analytics.charts.coverage import coverage_calendar, source_counts
    from lineage_analytics.charts.decisions import decision_elements
    from lineage_analytics.charts.excess import excess_sweep
    from lineage_analytics.charts.maturity import maturity_profile
    from lineage_analytics.charts.paths import tier0_paths
    from lineage_analytics.charts.picture import decision_picture
    from lineage_analytics.charts.prose import answer, points, say
    from lineage_analytics.charts.render import figure, png, register, save, spec, svg
    from lineage_analytics.charts.tables import table
    from lineage_analytics.charts.theme import THEME
    from lineage_analytics.charts.uses import use_states
    from lineage_analytics.charts.visibility import credential_age, facet_waterfall
    from lineage_analytics.charts.workflows import workflow_map

# Each chart with the module of its subject; the names are those of its files in a run.
CHARTS = {
    "maturity_profile": "maturity", "coverage_calendar": "coverage", "source_counts": "coverage",
    "excess_sweep": "excess", "use_states": "uses", "facet_waterfall": "visibility",
    "credential_age": "visibility", "decision_elements": "decisions", "approval_timing": "approvals",
    "decision_picture": "picture",
    "acceleration_gap": "acceleration", "copilot_reach": "copilot", "tier0_paths": "paths", "choke_points": "chokes",
    "blast_radius": "blast", "workflow_map": "workflows",
}
__all__ = [
    "CHARTS", "THEME", "acceleration_gap", "answer", "approval_timing", "blast_radius", "choke_points", "copilot_reach",
    "coverage_calendar", "credential_age", "decision_elements", "decision_picture", "excess_sweep", "facet_waterfall",
    "figure", "maturity_profile", "png", "points", "register", "save", "say", "source_counts", "spec", "svg", "table",
    "tier0_paths", "use_states", "workflow_map",
]

import_altair()
_ROOM = __name__
_HOMES = {
    **CHARTS, **dict.fromkeys(("figure", "png", "register", "save", "spec", "svg"), "render"),
    **dict.fromkeys(("answer", "points", "say"), "prose"), "table": "tables", "THEME": "theme",
}
__getattr__ = lazily(_ROOM, {name: f"{_ROOM}.{home}" for name, home in _HOMES.items()})
