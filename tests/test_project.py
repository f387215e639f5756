"""Promises about the project itself."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "lineage_analytics"

# What each room may import besides itself and the ground all stand on (architecture: data flows one way). Rooms not
# listed may import everything.
GROUND = {"tables", "schema", "decision_tables", "facts", "errors", "text", "lazy", "source_days"}
MAY_IMPORT: dict[str, set[str]] = {
    "loaders": set(),
    "identities": {"loaders.common"},
    "permissions": {"identities"},
    "graphs": {"identities", "permissions", "loaders.common"},
    "metrics": {"graphs", "permissions"},
    "maturity": {"metrics"},
    "charts": set(),
    "simulation": set(),
    "workspace": {"loaders", "identities"},
}


def _imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("lineage_analytics"):
            inner = node.module.removeprefix("lineage_analytics").lstrip(".")
            found |= {inner} if inner else {alias.name for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {a.name.removeprefix("lineage_analytics.") for a in node.names
                      if a.name.startswith("lineage_analytics.")}
    return found


@pytest.mark.parametrize("room", sorted(MAY_IMPORT))
def test_data_flows_one_way(room: str) -> None:
    for path in sorted((PACKAGE / room).rglob("*.py")):
        for name in _imports(path) - {"__version__"}:
            allowed = any(name == may or name.startswith(f"{may}.") for may in {room, *GROUND, *MAY_IMPORT[room]})
            assert allowed, f"{path.relative_to(ROOT)} imports {name}"


def test_locks_hold_names_versions_and_hashes_only() -> None:
    for lock in ROOT.glob("requirements*.lock"):
        text = lock.read_text(encoding="utf-8")
        assert "://" not in text, lock.name
        assert "file:" not in text, lock.name
        pins = re.findall(r"^[A-Za-z0-9]", text, re.MULTILINE)
        assert len(pins) == len(re.findall(r"^\S+==", text, re.MULTILINE)), lock.name


def test_notebooks_are_committed_without_outputs() -> None:
    found = sorted((ROOT / "notebooks").glob("*.ipynb"))
    assert len(found) >= 5
    for path in found:
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            assert not cell.get("outputs"), path.name
            assert cell.get("execution_count") is None, path.name


def test_no_notebook_defines_a_function_or_has_a_cell_longer_than_a_screen() -> None:
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            if cell["cell_type"] == "code":
                source = "".join(cell["source"])
                assert "def " not in source, path.name
                assert source.count("\n") < 40, path.name


def test_every_module_says_what_it_is() -> None:
    for path in sorted(PACKAGE.rglob("*.py")):
        assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))), path.relative_to(ROOT)
