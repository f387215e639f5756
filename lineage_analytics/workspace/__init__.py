"""Canonical tables on disk, loading into them, and the estate an analyst holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lineage_analytics.lazy import lazily

if TYPE_CHECKING:
    from lineage_analytics.workspace.estate import Estate, open_estate
    from lineage_analytics.workspace.ingest import Result, load
    from lineage_analytics.workspace.store import Store

__all__ = ["Estate", "Result", "Store", "load", "open_estate"]

__getattr__ = lazily(__name__, {
    "Estate": f"{__name__}.estate", "open_estate": f"{__name__}.estate",
    "Result": f"{__name__}.ingest", "load": f"{__name__}.ingest", "Store": f"{__name__}.store",
})


def __dir__() -> list[str]:
    return __all__
