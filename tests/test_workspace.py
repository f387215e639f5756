"""Loading counts every record once, whatever the packaging, the order or the crash."""

from __future__ import annotations

import gzip
import io
import itertools
import json
import os
import tarfile
import zipfile
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest
from deltalake import DeltaTable

from lineage_analytics import analysis, tables
from lineage_analytics.errors import IntegrityError, LockedError, NothingAssessableError, UsageError
from lineage_analytics.loaders import aws_cloudtrail
from lineage_analytics.loaders.common.ids import record_ids
from lineage_analytics.workspace import Store, derived, load, open_estate, store
from lineage_analytics.workspace.lock import LOCK, locked
from lineage_analytics.workspace.seen import Seen
from tests._trail import event

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from lineage_analytics.loaders.common.contract import Batch, Chunk, Document
    from lineage_analytics.workspace import Result

EVENTS = [event(number) for number in range(40)]


def _load(workspace: Path, *paths: Path) -> Result:
    return load(paths, Store.create(workspace))


def _counts(result: Result, source: str = "aws_cloudtrail") -> tuple[int, int, int, int]:
    count = result.counts[source]
    return count.accepted, count.duplicate, count.quarantined, count.rejected


def _write(path: Path, data: bytes | str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


def _records(events: list[dict[str, Any]]) -> bytes:
    return json.dumps({"Records": events}).encode()


def _tar(data: bytes, mode: str) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:  # type: ignore[call-overload]
        member = tarfile.TarInfo("inner/trail.json")
        member.size = len(data)
        archive.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def _zip(data: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("trail.json.gz", gzip.compress(data))
    return buffer.getvalue()


PACKAGINGS = {
    "records": _records(EVENTS),
    "array": json.dumps(EVENTS).encode(),
    "lines": "\n".join(json.dumps(e) for e in EVENTS).encode(),
    "pretty": json.dumps({"Records": EVENTS}, indent=2).encode(),
    "gzip": gzip.compress(_records(EVENTS)),
    "two gzip members": gzip.compress(_records(EVENTS)[:5000]) + gzip.compress(_records(EVENTS)[5000:]),
    "zip of gzip": _zip(_records(EVENTS)),
    "tar": _tar(_records(EVENTS), "w"),
    "tar.gz": _tar(_records(EVENTS), "w:gz"),
    "byte order mark": b"\xef\xbb\xbf" + _records(EVENTS),
    "utf-16": json.dumps({"Records": EVENTS}).encode("utf-16"),
    "lookup events": json.dumps({"Events": [
        {"EventId": e["eventID"], "CloudTrailEvent": json.dumps(e)} for e in EVENTS]}).encode(),
    "eventbridge": "\n".join(json.dumps({"detail-type": "AWS API Call", "detail": e}) for e in EVENTS).encode(),
    "cloudwatch": json.dumps({"logEvents": [{"id": "1", "message": json.dumps(e)} for e in EVENTS]}).encode(),
    "logstash": "\n".join(json.dumps({"@version": "1", "@timestamp": e["eventTime"].replace("Z", ".000Z"), **{
        k: v for k, v in e.items() if k != "eventTime"}}) for e in EVENTS).encode(),
}


@pytest.mark.parametrize("name", PACKAGINGS)
def test_every_packaging_gives_the_same_forty_records(name: str, tmp_path: Path) -> None:
    workspace = tmp_path / "w"
    _load(workspace, _write(tmp_path / "a" / "first.json", _records(EVENTS)))
    again = _load(workspace, _write(tmp_path / "b" / "export.bin", PACKAGINGS[name]))
    assert _counts(again) == (0, 40, 0, 0)
    assert open_estate(workspace).activity.collect().height == 40


def test_split_shuffled_and_overlapping_files_give_the_same_tables(tmp_path: Path) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    _load(tmp_path / "w1", _write(whole / "all.json", _records(EVENTS)))
    _write(parts / "z.json", _records(EVENTS[:25][::-1]))
    _write(parts / "a.json", _records(EVENTS[15:]))
    result = _load(tmp_path / "w2", parts)
    assert _counts(result) == (40, 10, 0, 0)
    one, two = open_estate(tmp_path / "w1"), open_estate(tmp_path / "w2")
    for name in ("activity", "usage", "decision_steps"):
        frames = [e.frame(name).drop("raw_ref", strict=False).sort(pl.all()) for e in (one, two)]
        assert frames[0].equals(frames[1]), name
    assert one.frame("identities").equals(two.frame("identities"))


def test_one_id_with_two_contents_is_two_revisions_and_told_and_each_again_is_a_duplicate(tmp_path: Path) -> None:
    other = event(1, eventName="DetachRolePolicy")
    result = _load(tmp_path / "w", _write(tmp_path / "f.json", _records([event(1), other, other, event(1)])))
    assert _counts(result) == (2, 2, 0, 0)
    again = _load(tmp_path / "w", _write(tmp_path / "g.json", _records([other, event(1), event(2)])))
    assert _counts(again) == (1, 2, 0, 0)
    estate = open_estate(tmp_path / "w")
    assert sorted(estate.frame("activity").filter(pl.col("event_id") == event(1)["eventID"])["action"]) == [
        "iam:AttachRolePolicy", "iam:DetachRolePolicy"]
    assert estate.frame("activity")["record_id"].n_unique() == 2
    assert estate.new_in_formats.select("kind", "records", "first").rows() == [("revision", 1, "f.json record 1")]
    assert estate.frame("decision_steps").filter(pl.col("event_id") == event(1)["eventID"]).height == 2


@pytest.mark.parametrize("name", ["my logs", "r\u00e9sum\u00e9", "logs (copy) #1, 50%"])
def test_a_workspace_may_lie_in_a_folder_whose_name_an_address_writes_otherwise(name: str, tmp_path: Path) -> None:
    workspace = tmp_path / name / "w"
    for number in range(2):
        _load(workspace, _write(tmp_path / f"{number}.json", _records([event(number)])))
    estate = open_estate(workspace)
    assert estate.frame("activity").height == 2
    measured = analysis.measure(estate)
    assert measured.equals(analysis.measure(open_estate(workspace)))
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["0.json", "1.json", name])


@pytest.mark.parametrize("name", ["a [b]", "a^b", "a|b", "a\\b", "a%20b"])
def test_a_workspace_whose_path_the_table_library_cannot_hold_is_refused_before_anything_is_written(
    name: str, tmp_path: Path,
) -> None:
    with pytest.raises(UsageError, match="choose another folder"):
        Store.create(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("first", "then"), [(0, 512), (512, 0), (0, 0)])
def test_a_record_that_is_no_single_event_is_its_id_whatever_else_is_said_under_it(
    first: int, then: int, tmp_path: Path
) -> None:
    seen, ids = Seen(Store.create(tmp_path / "w")), record_ids("aws", ["1"], ["e-1"])
    assert seen.sort_out(ids, np.array([first])).fresh.tolist() == [True]
    again = seen.sort_out(ids, np.array([then]))
    assert (again.fresh.tolist(), again.other.tolist()) == ([False], [False])


BROKEN = {
    "html saved as json": b"<!doctype html><html><body>sign in</body></html>",
    "a picture": b"\x89PNG\r\n\x1a\n" + bytes(range(256)),
    "nothing": b"",
    "an empty list": b"[]",
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_nobody_knows_is_one_rejected_record_with_a_reason(name: str, tmp_path: Path) -> None:
    _write(tmp_path / "logs" / "good.json", _records(EVENTS))
    _write(tmp_path / "logs" / "odd.json", BROKEN[name])
    result = _load(tmp_path / "w", tmp_path / "logs")
    assert _counts(result) == (40, 0, 0, 0)
    assert _counts(result, "unrecognised") == (0, 0, 0, 1)
    assert result.faults[0]["detail"]


def test_a_cut_gzip_keeps_its_good_records_and_is_marked_truncated(tmp_path: Path) -> None:
    data = gzip.compress(_records([event(n, padding=os.urandom(400).hex()) for n in range(300)]), mtime=0)
    result = _load(tmp_path / "w", _write(tmp_path / "cut.json.gz", data[: len(data) // 2]))
    accepted, duplicate, quarantined, rejected = _counts(result)
    assert 100 < accepted < 200
    assert (duplicate, quarantined, rejected) == (0, 1, 0)
    assert result.faults[0]["reason"] == "truncated"
    assert open_estate(tmp_path / "w").frame("ledger")["truncated"].to_list() == [True]


def test_a_broken_record_is_quarantined_with_its_position_and_its_neighbours_stay(tmp_path: Path) -> None:
    lines = [json.dumps(e) for e in EVENTS]
    lines[7] = lines[7][:-20]
    result = _load(tmp_path / "w", _write(tmp_path / "f.ndjson", "\n".join(lines)))
    assert _counts(result) == (39, 0, 1, 0)
    assert result.faults[0]["position"] == 7
    assert result.faults[0]["reason"] == "broken_json"


def test_seen_is_always_the_sum_and_stands_in_the_ledger(tmp_path: Path) -> None:
    _write(tmp_path / "logs" / "a.json", _records([*EVENTS, event(1), {"eventName": "X", "eventSource": "s",
                                                                       "userIdentity": {}, "eventTime": "never"}]))
    _load(tmp_path / "w", tmp_path / "logs")
    [row] = open_estate(tmp_path / "w").counts
    assert (row["seen"], row["accepted"], row["duplicate"], row["quarantined"], row["rejected"]) == (42, 40, 1, 1, 0)


def test_a_future_record_does_not_become_the_moment_of_the_estate(tmp_path: Path) -> None:
    future = event(99, eventTime="2099-01-01T00:00:00Z")
    result = _load(tmp_path / "w", _write(tmp_path / "f.json", _records([*EVENTS, future])))
    assert result.faults[0]["reason"] == "implausible_time"
    assert open_estate(tmp_path / "w").as_of.year == 2026


def _disk_full_after(allowed: int) -> Callable[..., None]:
    write, calls = Store._write, itertools.count(1)

    def failing(store: Store, name: str, frame: pl.DataFrame, mode: str) -> None:
        if next(calls) > allowed:
            raise OSError(28, "No space left on device")
        write(store, name, frame, mode)

    return failing


def test_a_crash_between_tables_counts_nothing_and_the_next_load_everything_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace, logs = tmp_path / "w", _write(tmp_path / "logs" / "f.json", _records(EVENTS))
    _load(workspace, _write(tmp_path / "early" / "e.json", _records([event(1)])))
    for allowed in range(1, 7):
        monkeypatch.setattr(Store, "_write", _disk_full_after(allowed))
        with pytest.raises(OSError, match="No space"):
            _load(workspace, logs)
        monkeypatch.undo()
        estate = open_estate(workspace)
        assert estate.frame("activity").height == 1
        assert estate.frame("usage")["events"].sum() == 1
    assert _counts(_load(workspace, logs)) == (39, 1, 0, 0)
    estate = open_estate(workspace)
    assert estate.frame("activity").height == 40
    assert estate.frame("usage")["events"].sum() == 40
    assert estate.frame("coverage")["records"].sum() == 40


def test_an_edited_marker_is_an_integrity_error(tmp_path: Path) -> None:
    _load(tmp_path / "w", _write(tmp_path / "f.json", _records(EVENTS)))
    (tmp_path / "w" / "committed.json").write_text("[]")
    with pytest.raises(IntegrityError):
        open_estate(tmp_path / "w")


def test_links_and_truth_folders_are_named_and_not_read(tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    _write(logs / "f.json", _records(EVENTS))
    _write(logs / "truth" / "answers.json", "{}")
    (logs / "link.json").symlink_to(logs / "f.json")
    result = _load(tmp_path / "w", logs)
    assert {(s.name, s.reason) for s in result.skipped} == {
        ("truth", "known answers, never read"), ("link.json", "not a regular file")}
    assert _counts(result) == (40, 0, 0, 0)


def test_a_path_that_does_not_exist_and_a_workspace_without_records(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is none"):
        _load(tmp_path / "w", tmp_path / "absent")
    with pytest.raises(NothingAssessableError):
        open_estate(tmp_path / "w")
    with pytest.raises(UsageError, match="lineage ingest"):
        open_estate(tmp_path / "none")


@pytest.mark.parametrize(("given", "said"), [("yesterday", "ISO date"), ("2026-13-01", "ISO date")])
def test_a_mistyped_as_of_says_what_was_wanted(given: str, said: str, tmp_path: Path) -> None:
    _load(tmp_path / "w", _write(tmp_path / "f.json", _records(EVENTS)))
    with pytest.raises(UsageError, match=said):
        open_estate(tmp_path / "w", given)


def test_as_of_is_the_newest_record_or_the_end_of_the_day_given(tmp_path: Path) -> None:
    _load(tmp_path / "w", _write(tmp_path / "f.json", _records(EVENTS)))
    assert f"{open_estate(tmp_path / 'w').as_of:%Y-%m-%dT%H:%M}" == "2026-06-28T10:00"
    assert f"{open_estate(tmp_path / 'w', '2026-06-10').as_of:%Y-%m-%dT%H:%M:%S.%f}" == "2026-06-10T23:59:59.999999"


def test_a_wrong_table_name_answers_did_you_mean(tmp_path: Path) -> None:
    _load(tmp_path / "w", _write(tmp_path / "f.json", _records(EVENTS)))
    with pytest.raises(AttributeError, match="activity"):
        _ = open_estate(tmp_path / "w").activty


def test_the_estate_shows_its_sources_and_spans(tmp_path: Path) -> None:
    _load(tmp_path / "w", _write(tmp_path / "f.json", _records(EVENTS)))
    assert repr(open_estate(tmp_path / "w")).splitlines()[1].split() == [
        "aws_cloudtrail", "1", "files", "40", "records", "2026-06-01", "to", "2026-06-28"]


def test_a_workspace_of_an_earlier_version_is_read_and_grows_with_columns_that_came_since(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _write(tmp_path / "a.json", _records(EVENTS[:20]))
    _write(tmp_path / "b.json", _records(EVENTS[20:]))
    now = tables.ACTIVITY
    earlier = replace(now, columns=tuple(c for c in now.columns if c.name not in ("raw_ref", "extra_resource_ids")))
    with monkeypatch.context() as then:
        then.setattr(store, "ALL", {**tables.ALL, "activity": earlier})
        then.setattr(store, "conform", lambda rows, table: rows.select(table.schema.names()))
        _load(tmp_path / "w", tmp_path / "a.json")
    before = open_estate(tmp_path / "w").activity.collect()
    assert before.schema == now.schema
    assert before["raw_ref"].null_count() == 20
    _load(tmp_path / "w", tmp_path / "b.json")
    after = open_estate(tmp_path / "w").activity.collect()
    assert (after.height, after["raw_ref"].null_count()) == (40, 20)


def test_a_second_holder_is_refused_and_a_dead_one_replaced(tmp_path: Path) -> None:
    with locked(tmp_path), pytest.raises(LockedError, match="using it"), locked(tmp_path):
        pass
    (tmp_path / LOCK).write_text("4194303999")  # what a dead run left
    with locked(tmp_path):
        assert (tmp_path / LOCK).read_text() == str(os.getpid())


def test_derived_tables_are_computed_once_for_the_same_facts_and_again_for_others(tmp_path: Path) -> None:
    _load(tmp_path / "w", _write(tmp_path / "f.json", _records(EVENTS)))
    computed = []

    def compute() -> dict[str, pl.DataFrame]:
        computed.append(1)
        return {"nodes": pl.DataFrame({"node_id": ["n"]})}

    def stored(definitions: str = "1", **parameters: Any) -> pl.DataFrame:
        frame = derived.stored(open_estate(tmp_path / "w", **parameters), definitions, compute)["nodes"]
        assert frame["node_id"].to_list() == ["n"]
        return frame

    stored()
    stored()
    assert len(computed) == 1
    stored(window=7)
    stored("2")
    assert len(computed) == 3
    _load(tmp_path / "w", _write(tmp_path / "g.json", _records([event(77)])))
    stored("2")
    assert len(computed) == 4
    (tmp_path / "w" / derived.MARKER).write_text("{")
    stored("2")
    assert len(computed) == 5


def test_reading_files_without_a_workspace_gives_an_estate(tmp_path: Path) -> None:
    estate = analysis.read(_write(tmp_path / "f.json", _records(EVENTS)))
    assert estate.frame("activity").height == 40


def test_a_file_a_loader_stumbles_over_costs_no_other_its_records(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    transform = aws_cloudtrail.transform

    def stumbling(chunk: Chunk, document: Document) -> Batch:
        if "odd" in document.file:
            raise ValueError
        return transform(chunk, document)

    monkeypatch.setattr(aws_cloudtrail, "transform", stumbling)
    _write(tmp_path / "logs" / "a-odd.json", _records([event(100)]))
    _write(tmp_path / "logs" / "good.json", _records(EVENTS))
    result = _load(tmp_path / "w", tmp_path / "logs")
    assert _counts(result) == (40, 0, 1, 0)
    assert [(f["file"], f["reason"], f["detail"]) for f in result.faults] == [
        ("a-odd.json", "unreadable", "the loader stopped: ValueError")]


def test_a_crash_while_tables_are_recorded_counts_nothing_either(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace, logs = tmp_path / "w", _write(tmp_path / "logs" / "f.json", _records(EVENTS))
    _load(workspace, _write(tmp_path / "early" / "e.json", _records([event(1)])))
    record = DeltaTable.create_write_transaction
    for allowed in range(5):
        calls = itertools.count(1)

        def failing(*arguments: Any, allowed: int = allowed, calls: Any = calls) -> None:
            if next(calls) > allowed:
                raise OSError(28, "No space left on device")
            record(*arguments)

        monkeypatch.setattr(DeltaTable, "create_write_transaction", failing)
        with pytest.raises(OSError, match="No space"):
            _load(workspace, logs)
        monkeypatch.undo()
        assert open_estate(workspace).frame("activity").height == 1
    assert _counts(_load(workspace, logs)) == (39, 1, 0, 0)
    estate = open_estate(workspace)
    assert estate.frame("activity").height == 40
    assert estate.frame("usage")["events"].sum() == 40
