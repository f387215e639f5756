"""A report is the complete one before or the complete new one."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import polars as pl
import pytest

from lineage_analytics.reporting import publish
from lineage_analytics.reporting.manifest import MANIFEST
from lineage_analytics.tables import MEASURES

if TYPE_CHECKING:
    from pathlib import Path

AS_OF = datetime(2026, 6, 30, tzinfo=UTC)


def _published(out: Path, run_id: str, content: str) -> Path:
    with publish.draft(out) as folder:
        (folder / "index.html").write_text(content)
        (folder / MANIFEST).write_text(content)
        return publish.publish(folder, out, run_id)


def _fail(out: Path) -> None:
    with publish.draft(out) as folder:
        (folder / "index.html").write_text("half")
        raise RuntimeError


def test_current_is_the_newest_run_and_the_one_before_stays(tmp_path: Path) -> None:
    _published(tmp_path, "one", "first")
    _published(tmp_path, "two", "second")
    assert (tmp_path / "current" / "index.html").read_text() == "second"
    assert (tmp_path / "runs" / "one" / "index.html").read_text() == "first"


def test_a_failing_draft_leaves_the_previous_report_and_no_rest(tmp_path: Path) -> None:
    _published(tmp_path, "one", "first")
    with pytest.raises(RuntimeError):
        _fail(tmp_path)
    assert (tmp_path / "current" / "index.html").read_text() == "first"
    assert [p.name for p in (tmp_path / "runs").iterdir()] == ["one"]


def test_an_equal_run_again_changes_nothing(tmp_path: Path) -> None:
    first = _published(tmp_path, "one", "same")
    assert _published(tmp_path, "one", "same") == first
    assert [p.name for p in (tmp_path / "runs").iterdir()] == ["one"]


def test_other_bytes_under_one_id_never_overwrite_a_run(tmp_path: Path) -> None:
    _published(tmp_path, "one", "first")
    assert _published(tmp_path, "one", "repaired").name == "one.2"
    assert (tmp_path / "runs" / "one" / "index.html").read_text() == "first"


def test_history_holds_each_run_once(tmp_path: Path) -> None:
    row = dict.fromkeys(MEASURES.schema) | {"metric_id": "VIS-01", "scope": "all"}
    measures = pl.DataFrame([row], schema=MEASURES.schema)
    for run_id in ("one", "two", "one"):
        publish.remember(tmp_path, run_id, AS_OF, measures)
    history = pl.read_parquet(tmp_path / publish.HISTORY)
    assert history.columns[:2] == ["run_id", "as_of"]
    assert history["run_id"].to_list() == ["one", "two"]
