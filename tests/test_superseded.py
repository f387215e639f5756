"""One event that two packagings of a source tell counts once, as the richer of the two has it."""

from __future__ import annotations

import json
import zipfile
from typing import TYPE_CHECKING

import polars as pl
import pytest

from lineage_analytics.workspace import Store, load, open_estate
from tests._trail import ACCOUNT, event

if TYPE_CHECKING:
    from pathlib import Path

HEADINGS = "Event ID,Event time,User name,Event name,Event source,AWS region,AWS access key,Source IP address,Read-only"
TRAIL = json.dumps({"Records": [event(number) for number in range(6)]}).encode()


def _history(*events: tuple[str, str, str], account: bool = False) -> bytes:
    """Rows of the console's event history: event id, time, user."""
    head = HEADINGS + (",Recipient account ID" if account else "")
    more = f",{ACCOUNT}" if account else ""
    rows = [f"{native},{time},{who},AttachRolePolicy,iam.amazonaws.com,us-east-1,,192.0.2.1,false{more}"
            for native, time, who in events]
    return "\n".join([head, *rows]).encode()


SHARED = [(event(number)["eventID"], event(number)["eventTime"], "ana") for number in range(2, 5)]
ALONE = ("e-alone", event(3)["eventTime"], "bo")
ROWS = _history(*SHARED, ALONE)


def _estate(tmp_path: Path, *loads: list[tuple[str, bytes]]) -> dict[str, list[tuple[object, ...]]]:
    tmp_path.mkdir()
    store = Store.create(tmp_path / "w")
    for number, files in enumerate(loads):
        folder = tmp_path / str(number)
        folder.mkdir()
        for name, data in files:
            (folder / name).write_bytes(data)
        load([folder], store)
    estate = open_estate(tmp_path / "w")
    return {
        "activity": sorted(estate.frame("activity").select("event_id", "actor_id", "record_id").rows(), key=repr),
        "usage": sorted(estate.frame("usage").select("actor_id", "day", "events", "successes").rows(), key=repr),
        "coverage": sorted(estate.frame("coverage").select("source", "tenant", "day", "records").rows(), key=repr),
        "identities": sorted(estate.frame("identities").select("id").rows()),
    }


def _zip(tmp_path: Path) -> bytes:
    path = tmp_path / "both.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.json", TRAIL)
        archive.writestr("b.csv", ROWS)
    return path.read_bytes()


def test_rows_of_the_event_history_give_way_to_a_trail_s_records_in_any_order(tmp_path: Path) -> None:
    wanted = _estate(tmp_path / "wanted", [("t.json", TRAIL), ("h.csv", _history(ALONE))])
    assert len(wanted["activity"]) == 7
    for name, loads in {
        "together": [[("a.csv", ROWS), ("b.json", TRAIL)]], "history_first": [[("h.csv", ROWS)], [("t.json", TRAIL)]],
        "trail_first": [[("t.json", TRAIL)], [("h.csv", ROWS)]], "archive": [[("z.zip", _zip(tmp_path))]],
    }.items():
        assert _estate(tmp_path / name, *loads) == wanted, name


def test_a_history_alone_stays_whole_and_rows_that_name_the_account_give_way_too(tmp_path: Path) -> None:
    for name, account, loads in (("alone", False, ()), ("named", True, ([("t.json", TRAIL)],))):
        found = _estate(tmp_path / name, [("h.csv", _history(*SHARED, account=account))], *loads)
        assert len(found["activity"]) == (6 if loads else 3)
        assert any("history-name" in str(row) for row in found["identities"]) is not bool(loads)


@pytest.mark.parametrize("second", [False, True])
def test_what_was_loaded_is_counted_as_loaded_and_told_as_no_revision(second: bool, tmp_path: Path) -> None:
    store = Store.create(tmp_path / "w")
    files = [tmp_path / "h.csv", tmp_path / "t.json"]
    for path, data in zip(files, (ROWS, TRAIL), strict=True):
        path.write_bytes(data)
    for path in files[::-1] if second else files:
        load([path], store)
    estate = open_estate(tmp_path / "w")
    assert [(row["accepted"], row["duplicate"]) for row in estate.counts] == [(10, 0)]
    assert estate.new_in_formats.filter(pl.col("kind") == "revision").is_empty()
