"""``lineage ingest`` and ``lineage loaders``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lineage_analytics.commands import console

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

    from lineage_analytics.workspace.ingest import Result

DEGRADED = 3


def load(paths: list[Path | str], workspace: Path) -> Result:
    """Load with progress, one load at a time per workspace."""
    from lineage_analytics import analysis
    from lineage_analytics.workspace.lock import locked

    progress = console.Loading()
    analysis.check_paths(paths)
    with locked(workspace):
        try:
            return analysis.load(paths, workspace, progress)
        finally:
            progress.close()


def ingest(given: argparse.Namespace) -> int:
    result = load(given.paths, given.workspace)
    if given.json:
        console.document({
            "sources": result.sources,
            "not_used": result.faults,
            "skipped": [{"name": s.name, "reason": s.reason} for s in result.skipped],
        })
    else:
        print("\n".join(console.counts(result.sources)))
        for line in console.not_used(result):
            console.note(line)
    return DEGRADED if result.degraded else 0


def list_loaders(given: argparse.Namespace) -> int:
    from lineage_analytics.loaders import loaders
    from lineage_analytics.metrics.catalog import catalogue

    rows: list[dict[str, Any]] = [{
        "source": name, "provider": loader.PROVIDER, "lateness_seconds": int(loader.LATENESS.total_seconds()),
        "feeds": sorted(loader.FEEDS),
        "measures": [m.metric_id for m in catalogue().values() if not loader.FEEDS.isdisjoint(m.tables)],
        "reads": (loader.__doc__ or "").strip(),
    } for name, loader in loaders().items()]
    if given.json:
        console.document({"loaders": rows})
        return 0
    for row in rows:
        print("\n    ".join((row["source"], *row["reads"].splitlines(), "", *console.folded("Feeds", row["feeds"]),
                            *console.folded("Measures", row["measures"]))).replace("    \n", "\n"), end="\n\n")
    return 0
