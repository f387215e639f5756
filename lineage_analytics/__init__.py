"""Lineage graphs, privilege and visibility measures and maturity reports from exported identity logs.

    import lineage_analytics as la
    estate = la.read("data/sample")
    measures = la.measure(estate)
    la.charts.maturity_profile(la.score(measures).frame)

Every name is imported when first used, so importing the package costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lineage_analytics.lazy import lazily

if TYPE_CHECKING:
    from lineage_analytics import charts
    from lineage_analytics.analysis import (
        access_lineage,
        allowed,
        assistant_reach,
        decision_lineage,
        evidence,
        facets,
        measure,
        notebook,
        open,  # noqa: A004  (reads as la.open)
        pace,
        provenance,
        read,
        sample,
        score,
        workflow_register,
    )
    from lineage_analytics.errors import LineageError
    from lineage_analytics.metrics import words
    from lineage_analytics.workspace.estate import Estate

__version__ = "0.1.0"
__all__ = [
    "Estate", "LineageError", "access_lineage", "allowed", "assistant_reach", "charts", "decision_lineage", "evidence",
    "facets", "measure", "notebook", "open", "pace", "provenance", "read", "sample", "score", "words",
    "workflow_register",
]

_ANALYSIS = (
    "access_lineage", "allowed", "assistant_reach", "decision_lineage", "evidence", "facets", "measure", "notebook",
    "open", "pace", "provenance", "read", "sample", "score", "workflow_register",
)
__getattr__ = lazily(__name__, {
    **dict.fromkeys(_ANALYSIS, f"{__name__}.analysis"),
    "Estate": f"{__name__}.workspace.estate",
    "LineageError": f"{__name__}.errors",
    "charts": f"{__name__}.charts",
    "words": f"{__name__}.metrics.words",
})


def __dir__() -> list[str]:
    return __all__
