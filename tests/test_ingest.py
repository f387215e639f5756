"""What a load does with hostile, odd and broken input, and where nothing can be written."""

from __future__ import annotations

import errno
import gzip
import json
import multiprocessing
import os
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from lineage_analytics import analysis
from lineage_analytics.errors import LockedError
from lineage_analytics.loaders import aws_cloudtrail
from lineage_analytics.workspace import Result, Store, derived, load, open_estate
from lineage_analytics.workspace.lock import LOCK, locked
from tests._trail import event

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

GOOD = json.dumps(event(1))
DEEP = '{"a":' * 100_000 + "1" + "}" * 100_000


def _with(odd: str | bytes) -> bytes:
    """A trail of a good record, an odd one and another good one."""
    middle = odd if isinstance(odd, bytes) else odd.encode("utf-8", "surrogatepass")
    return b'{"Records":[' + GOOD.encode() + b"," + middle + b"," + json.dumps(event(2)).encode() + b"]}"


def _added(text: str) -> str:
    return json.dumps(event(9))[:-1] + f", {text}}}"


ODD: dict[str, tuple[str | bytes, str]] = {
    "nested too deep": (_added(f'"requestParameters": {DEEP}'), "broken_json"),
    "nested too deep in an unknown field": (_added(f'"zzz": {DEEP}'), "broken_json"),
    "a number that is none": (_added('"x": NaN'), "broken_json"),
    "bytes that are no text": (_added('"x": "??"').encode().replace(b"??", b"\xff\xfe"), "broken_json"),
    "half a surrogate pair": (json.dumps(event(9, userAgent="\ud800")), "broken_json"),
    "not an object": ("5", "not_an_object"),
    "a list": ("[1]", "not_an_object"),
    "an object of something else": ('{"a": 1}', "not_cloudtrail"),
    "no time": (json.dumps(event(9, eventTime="soon")), "no_time"),
    "a time before any log": (json.dumps(event(9, eventTime="1601-01-01T00:00:00Z")), "implausible_time"),
    "a time after all of them": (json.dumps(event(9, eventTime="2199-01-01T00:00:00Z")), "implausible_time"),
}


@pytest.mark.parametrize("name", ODD)
def test_an_odd_record_is_one_quarantined_and_its_neighbours_stay(name: str, tmp_path: Path) -> None:
    odd, reason = ODD[name]
    (tmp_path / "f.json").write_bytes(_with(odd))
    result = load([tmp_path / "f.json"], Store.create(tmp_path / "w"))
    count = result.counts["aws_cloudtrail"]
    assert (count.accepted, count.duplicate, count.quarantined, count.rejected) == (2, 0, 1, 0)
    assert [(fault["reason"], fault["position"]) for fault in result.faults] == [(reason, 1)]
    places = open_estate(tmp_path / "w").frame("activity").select(
        "event_id", pl.col("raw_ref").struct.field("offset")).sort("event_id").rows()
    assert places == [("e-1", 0), ("e-2", 2)]


def test_a_record_that_stops_the_loader_is_found_among_its_neighbours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    transform = aws_cloudtrail.transform

    def stumbling(chunk: Any, document: Any) -> Any:
        if any(b'"e-13"' in bytes(raw) or b'"e-30"' in bytes(raw) for raw in chunk.raws):
            raise KeyError("of a defect")
        return transform(chunk, document)

    monkeypatch.setattr(aws_cloudtrail, "transform", stumbling)
    (tmp_path / "f.json").write_text(json.dumps({"Records": [5, *(event(n) for n in range(40))]}))
    result = load([tmp_path / "f.json"], Store.create(tmp_path / "w"))
    count = result.counts["aws_cloudtrail"]
    assert (count.seen, count.accepted, count.quarantined) == (41, 38, 3)
    assert sorted((fault["position"], fault["reason"]) for fault in result.faults) == [
        (0, "not_an_object"), (14, "unreadable"), (31, "unreadable")]


def test_text_behind_the_records_is_counted_and_the_records_are_kept(tmp_path: Path) -> None:
    (tmp_path / "f.json").write_text(json.dumps({"Records": [event(1)]}) + "<html>")
    result = load([tmp_path / "f.json"], Store.create(tmp_path / "w"))
    assert (result.counts["aws_cloudtrail"].accepted, result.counts["aws_cloudtrail"].quarantined) == (1, 1)


def test_every_cut_of_a_gzip_keeps_a_beginning_and_says_so(tmp_path: Path) -> None:
    data = gzip.compress(json.dumps({"Records": [event(n, pad=os.urandom(40).hex()) for n in range(60)]}).encode())
    before = 0
    for part in range(4, 20, 3):
        (tmp_path / "f.gz").write_bytes(data[: len(data) * part // 20])
        result = load([tmp_path / "f.gz"], Store.create(tmp_path / f"w{part}"))
        count = result.counts["aws_cloudtrail"]
        assert before <= count.accepted < 60
        assert [fault["reason"] for fault in result.faults] == ["truncated"]
        before = count.accepted
    assert before > 20


def _read_only(code: int) -> Callable[..., int]:
    def refuse(*_: Any) -> int:
        raise OSError(code, os.strerror(code))
    return refuse


@pytest.mark.parametrize("code", [errno.EACCES, errno.EROFS, errno.ENOSPC])
def test_a_workspace_that_cannot_be_written_is_computed_in_memory(
    code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "f.json").write_bytes(_with(json.dumps(event(3))))
    load([tmp_path / "f.json"], Store.create(tmp_path / "w"))
    monkeypatch.setattr(Store, "replace", _read_only(code))
    measured = analysis.analyse(open_estate(tmp_path / "w")).measured
    assert measured.measures.height > 0
    assert not (tmp_path / "w" / derived.MARKER).exists()


def test_an_error_of_the_table_library_about_the_system_is_the_systems(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from deltalake.exceptions import DeltaError

    def refuse(*_: Any) -> None:
        raise DeltaError("Generic LocalFileSystem error: Os { code: 28, kind: StorageFull, message: ... }")

    monkeypatch.setattr(Store, "_write", refuse)
    (tmp_path / "f.json").write_bytes(_with(json.dumps(event(3))))
    with pytest.raises(OSError, match="No space left") as raised:
        load([tmp_path / "f.json"], Store.create(tmp_path / "w"))
    assert raised.value.errno == errno.ENOSPC


def test_on_read_only_ground_there_is_nothing_to_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lineage_analytics.workspace.lock._opened", _read_only(errno.EROFS))
    with locked(tmp_path):
        assert list(tmp_path.iterdir()) == []
    monkeypatch.setattr("lineage_analytics.workspace.lock._opened", _read_only(errno.ENOSPC))
    with pytest.raises(OSError, match="No space"), locked(tmp_path):
        pass


def _contend(folder: Path, rounds: int, tell: Any) -> None:
    """Take the lock again and again; count the times another one was inside too."""
    taken = double = 0
    for _ in range(rounds):
        try:
            with locked(folder):
                try:
                    os.close(os.open(folder / "inside", os.O_CREAT | os.O_EXCL))
                except FileExistsError:
                    double += 1
                else:
                    taken += 1
                    (folder / "inside").unlink()
        except LockedError:
            pass
    tell.put((taken, double))


def test_never_two_at_once_hold_a_workspace_also_when_dead_ones_locks_lie_about(tmp_path: Path) -> None:
    (tmp_path / LOCK).write_text("4194303999")  # what a dead run left
    context = multiprocessing.get_context("fork")
    told = context.Queue()
    runs = [context.Process(target=_contend, args=(tmp_path, 80, told)) for _ in range(3)]
    for run in runs:
        run.start()
    counts = [told.get(timeout=60) for _ in runs]
    for run in runs:
        run.join()
    assert sum(taken for taken, _ in counts) > 0
    assert [double for _, double in counts] == [0, 0, 0]


def test_beside_another_one_that_stores_derived_tables_are_computed_in_memory(tmp_path: Path) -> None:
    (tmp_path / "f.json").write_bytes(_with(json.dumps(event(3))))
    load([tmp_path / "f.json"], Store.create(tmp_path / "w"))
    nodes = pl.DataFrame({"node_id": ["n"]})

    def stored() -> list[str]:
        return derived.stored(open_estate(tmp_path / "w"), "1", lambda: {"nodes": nodes})["nodes"]["node_id"].to_list()

    with locked(tmp_path / "w", derived.LOCK):
        assert stored() == ["n"]
        assert not (tmp_path / "w" / derived.MARKER).exists()
    with locked(tmp_path / "w"):  # a run that holds the workspace stores all the same
        assert stored() == ["n"]
    assert (tmp_path / "w" / derived.MARKER).exists()


def test_a_load_of_nothing_writes_nothing(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert load([tmp_path / "empty"], Store.create(tmp_path / "w")).counts == Result().counts == {}
    assert list((tmp_path / "w" / "tables").iterdir()) == []


def test_one_event_whose_tenant_only_one_export_names_is_one_event(tmp_path: Path) -> None:
    said = {"uuid": "u-1", "published": "2026-06-01T10:00:00.000Z", "eventType": "user.session.start", "version": "0",
            "actor": {"id": "00uEXAMPLE0000000001", "type": "User", "alternateId": "ana@acme.example"},
            "outcome": {"result": "SUCCESS"}, "displayMessage": "x", "severity": "INFO"}
    (tmp_path / "api.json").write_text(json.dumps([said]))
    (tmp_path / "stream.json").write_text(json.dumps(
        {"detail-type": "SystemLog", "source": "aws.partner/okta.com/acme/x", "detail": said}))
    result = load([tmp_path / "api.json", tmp_path / "stream.json"], Store.create(tmp_path / "w"))
    count = result.counts["okta_system_log"]
    assert (count.accepted, count.duplicate, count.quarantined) == (1, 1, 0)
