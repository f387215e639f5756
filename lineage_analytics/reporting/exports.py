"""What a run found as files for other tools: GraphML, BloodHound OpenGraph, PROV-JSON, CSV for spreadsheets, JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lineage_analytics.graphs import export, provenance
from lineage_analytics.reporting import records

if TYPE_CHECKING:
    from pathlib import Path

    import polars as pl

    from lineage_analytics.reporting.reading import Reading

GRAPHML, OPENGRAPH, PROVENANCE, TABLES = "access.graphml", "access.opengraph.json", "decisions.prov.json", "tables"
REGISTER = "workflow_register"


def write(reading: Reading, folder: Path) -> None:
    """``access.graphml``, ``access.opengraph.json``, ``decisions.prov.json`` with the executed cases of the window,
    ``tables/*.csv`` of permissions, ways, radii and cuts, and ``workflow_register.csv`` and ``.json``."""
    access = reading.analysis.access
    (folder / GRAPHML).write_bytes(export.graphml(access))
    (folder / OPENGRAPH).write_bytes(export.opengraph_json(access))
    (folder / PROVENANCE).write_bytes(provenance.prov_json(reading.analysis.decisions))
    (folder / TABLES).mkdir()
    frames = {"permissions": access.permissions, "tier0_paths": reading.paths, "blast_radius": reading.radii,
              "exposure": access.exposure(), "choke_points": reading.cuts}
    for name, frame in frames.items():
        (folder / TABLES / f"{name}.csv").write_text(export.csv_safe(frame), encoding="utf-8", newline="")
    register(reading.analysis.workflows, folder)


def register(workflows: pl.DataFrame, folder: Path) -> None:
    """The register of workflows as CSV and as JSON, one object a workflow; both empty but for their heads without
    any."""
    safe = export.csv_safe(workflows)
    (folder / f"{REGISTER}.csv").write_text(safe, encoding="utf-8", newline="")
    rows = [{name: records.stamp(value) if hasattr(value, "tzinfo") else value for name, value in row.items()}
            for row in workflows.iter_rows(named=True)]
    (folder / f"{REGISTER}.json").write_bytes(records.as_json({"workflows": rows}))
