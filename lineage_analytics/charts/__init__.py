"""One function per chart, one theme: a table in, an Altair chart out.

``save(chart, directory, name)`` writes pictures, ``figure(chart)`` is the HTML a page or notebook shows, ``register()``
makes that the way Altair shows charts. Every chart carries a description; an empty table gives a chart that says why.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lineage_analytics.lazy import lazily

if TYPE_CHECKING:
    from lineage_analytics.charts.coverage import coverage_calendar, source_counts
    from lineage_analytics.charts.maturity import maturity_profile
    from lineage_analytics.charts.render import figure, png, register, save, spec, svg
    from lineage_analytics.charts.theme import THEME

CHARTS = ("coverage_calendar", "maturity_profile", "source_counts")
__all__ = ["CHARTS", "THEME", "coverage_calendar", "figure", "maturity_profile", "png", "register", "save",
           "source_counts", "spec", "svg"]

_ROOM = __name__
__getattr__ = lazily(__name__, {
    **dict.fromkeys(("coverage_calendar", "source_counts"), f"{_ROOM}.coverage"),
    "maturity_profile": f"{_ROOM}.maturity",
    **dict.fromkeys(("figure", "png", "register", "save", "spec", "svg"), f"{_ROOM}.render"),
    "THEME": f"{_ROOM}.theme",
})
