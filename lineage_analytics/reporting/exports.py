"""The access graph and its answers as files for other tools: GraphML, BloodHound OpenGraph, CSV for spreadsheets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lineage_analytics.graphs import export

if TYPE_CHECKING:
    from pathlib import Path

    from lineage_analytics.reporting.reading import Reading

GRAPHML, OPENGRAPH, TABLES = "access.graphml", "access.opengraph.json", "tables"


def write(reading: Reading, folder: Path) -> None:
    """``access.graphml``, ``access.opengraph.json`` and ``tables/*.csv`` of permissions, ways, radii and cuts."""
    access = reading.analysis.access
    (folder / GRAPHML).write_bytes(export.graphml(access))
    (folder / OPENGRAPH).write_bytes(export.opengraph_json(access))
    (folder / TABLES).mkdir()
    frames = {"permissions": access.permissions, "tier0_paths": reading.paths, "blast_radius": reading.radii,
              "exposure": access.exposure(), "choke_points": reading.cuts}
    for name, frame in frames.items():
        (folder / TABLES / f"{name}.csv").write_text(export.csv_safe(frame), encoding="utf-8", newline="")
