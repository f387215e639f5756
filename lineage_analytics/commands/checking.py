"""``lineage doctor``: is this machine ready."""

from __future__ import annotations

import importlib.metadata
import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from lineage_analytics.commands import console

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

ENVIRONMENT = 6


def doctor(given: argparse.Namespace) -> int:
    if given.templates is not None:
        return _write_templates(given.templates)
    checks: list[tuple[str, Callable[[], str]]] = [
        ("python", _python), ("packages", _packages), ("kernel", _kernel), ("fonts and pictures", _picture),
        ("workspace", lambda: _writable(given.workspace)), ("reports", lambda: _writable(given.out)),
        ("temporary files", lambda: _writable(Path(tempfile.gettempdir()))),
    ]
    rows = []
    for name, check in checks:
        try:
            rows.append({"check": name, "ok": True, "found": check()})
        except Exception as error:
            rows.append({"check": name, "ok": False, "found": str(error)})
    if given.json:
        console.document({"checks": rows})
    else:
        for row in rows:
            print(f"{'ok    ' if row['ok'] else 'FAILED'} {row['check']:<20} {row['found']}")
    return 0 if all(row["ok"] for row in rows) else ENVIRONMENT


def _write_templates(folder: Path) -> int:
    """The customer's lists, each with its header and what belongs in it; existing files stay as they are."""
    from lineage_analytics.loaders.declared import templates

    folder.mkdir(parents=True, exist_ok=True)
    for name, text in templates().items():
        path = folder / f"{name}.csv"
        if path.exists():
            console.note(f"{path} is there already and stays as it is")
        else:
            path.write_text(text, encoding="utf-8", newline="")
            print(path)
    return 0


def _python() -> str:
    if sys.version_info < (3, 11):  # noqa: UP036  (the doctor is run where it may be untrue)
        raise RuntimeError(f"wanted 3.11 or newer, found {sys.version.split()[0]}")
    return sys.version.split()[0]


def _packages() -> str:
    wanted = ("polars", "networkx", "altair", "papermill", "deltalake", "jupyterlab", "nbconvert", "vl-convert-python")
    return ", ".join(f"{name} {importlib.metadata.version(name)}" for name in wanted)


def _kernel() -> str:
    from jupyter_client.kernelspec import KernelSpecManager

    return f"python3 kernel, {KernelSpecManager().get_kernel_spec('python3').display_name}"


def _picture() -> str:
    import vl_convert

    spec = {"data": {"values": [{"a": 1}]}, "mark": "bar", "title": "Probe", "encoding": {"x": {"field": "a"}}}
    drawn = vl_convert.vegalite_to_svg(spec)
    if "Probe" not in drawn:
        raise RuntimeError("the title is missing in a drawn picture")
    return "a chart draws with its text"


def _writable(folder: Path) -> str:
    place = next(p for p in (folder, *folder.resolve().parents) if p.is_dir())
    if not os.access(place, os.W_OK):
        raise RuntimeError(f"cannot write to {folder}: choose another with --workspace, --out or TMPDIR")
    return f"{folder} can be written"
