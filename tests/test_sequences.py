"""Numbers that a provider gave to records and that are in no file. All events here are made up."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from lineage_analytics.workspace import Store, load, open_estate

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

SOURCE, STREAM = "windows_security", "dc1.corp.example/security"


def _log(path: Path, numbers: Iterable[int], event: int = 4688) -> None:
    path.write_text("".join(json.dumps({"Event": {"System": {
        "Provider": {"#attributes": {"Name": "Microsoft-Windows-Security-Auditing"}}, "EventID": event,
        "TimeCreated": {"#attributes": {"SystemTime": f"2026-06-01T10:00:{number % 60:02d}Z"}}, "EventRecordID": number,
        "Channel": "Security", "Computer": "DC1.corp.example"}, "EventData": {}}}) + "\n" for number in numbers))


def _gaps(folder: Path, workspace: Path) -> list[tuple[object, ...]]:
    load([folder], Store.create(workspace))
    return open_estate(workspace, as_of="2026-06-02").sequence_gaps.rows()


def test_numbers_between_the_files_are_missing_and_those_of_rejected_events_are_not(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    _log(tmp_path / "in" / "a.json", range(100, 120))
    _log(tmp_path / "in" / "b.json", [*range(120, 130), *range(133, 140), 150], event=4624)
    assert _gaps(tmp_path / "in", tmp_path / "w") == [
        (SOURCE, STREAM, 100, 150, 13, [{"first": 130, "last": 132}, {"first": 140, "last": 149}])]


def test_overlapping_files_and_any_order_miss_nothing(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    _log(tmp_path / "in" / "a.json", range(60, 100))
    _log(tmp_path / "in" / "b.json", reversed(range(1, 70)))
    _log(tmp_path / "in" / "c.json", range(20, 30))
    assert _gaps(tmp_path / "in", tmp_path / "w") == [(SOURCE, STREAM, 1, 99, 0, [])]


def test_four_of_ten_events_are_chosen_ones_too_and_five_of_ten_lack_five(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    _log(tmp_path / "in" / "a.json", [1, 2, 9, 10])
    assert _gaps(tmp_path / "in", tmp_path / "w") == [(SOURCE, STREAM, 1, 10, None, None)]
    _log(tmp_path / "in" / "b.json", [3])
    assert _gaps(tmp_path / "in", tmp_path / "w") == [(SOURCE, STREAM, 1, 10, 5, [{"first": 4, "last": 8}])]


def test_an_export_of_chosen_events_says_nothing_of_the_others(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    _log(tmp_path / "in" / "a.json", range(1, 400, 7))
    assert _gaps(tmp_path / "in", tmp_path / "w") == [(SOURCE, STREAM, 1, 393, None, None)]


def test_a_source_whose_provider_counts_nothing_has_no_row(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "owners.csv").write_text("identity,owner\naws:1:A,ada\n")
    assert _gaps(tmp_path / "in", tmp_path / "w") == []
