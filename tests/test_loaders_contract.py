"""What every loader promises, swept over all there are. A loader's fixtures stand in its own test file, ``CONTRACT_FILES``
of ``test_loader_<name>``; a loader without them fails here."""

from __future__ import annotations

import gzip
import importlib
import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from lineage_analytics import tables
from lineage_analytics.loaders import loaders, recognise
from lineage_analytics.loaders.common.containers import InputFile, Member, members
from tests._documents import Loaded, member

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from lineage_analytics.loaders.common.contract import Batch, Chunk, Loader


TESTS = {source: importlib.import_module(f"tests.test_loader_{source}") for source in loaders()}
FIXTURES: dict[str, Mapping[str, bytes]] = {source: module.CONTRACT_FILES for source, module in TESTS.items()}
CASES = [(source, name) for source, files in FIXTURES.items() for name in files]
# Of sources in which an unknown field may hold what people wrote.
RETICENT = [case for case in CASES if not getattr(TESTS[case[0]], "KEEPS_UNKNOWN_TEXTS", True)]


HEADINGS = ("Shapes", "Maps", "Drops", "Schema")


@pytest.mark.parametrize("source", sorted(loaders()))
def test_a_loader_says_what_it_reads_maps_and_drops_and_what_it_feeds(source: str) -> None:
    loader = loaders()[source]
    doc = loader.__doc__ or ""
    assert [heading for heading in HEADINGS if not re.search(rf"^{heading}\b", doc, re.MULTILINE)] == []
    assert loader.PROVIDER
    assert loader.LATENESS.total_seconds() >= 0
    for part in ("detect", "extract", "transform"):
        assert getattr(loader, part).__doc__, part
    fed = {table for data in FIXTURES[source].values() for table, frame in Loaded(data).frames.items() if frame.height}
    assert fed == loader.FEEDS


DOCS = Path(__file__).resolve().parents[1] / "docs" / "sources.md"


def test_the_documents_tell_of_every_source_how_to_export_it_and_what_it_cannot_show() -> None:
    sections = dict(re.findall(r"(?ms)^## (\S+)\n(.*?)(?=^## |\Z)", DOCS.read_text(encoding="utf-8")))
    assert list(sections) == sorted(loaders())
    for source, text in sections.items():
        said = re.findall(r"(?m)^\*\*([A-Z][a-z ]+)\.\*\* \S", text)
        assert said == ["Export", "Permissions", "Lateness", "Cannot show"], source


@pytest.mark.parametrize(("source", "name"), CASES)
def test_a_file_is_recognised_by_its_own_loader(source: str, name: str) -> None:
    found = recognise(member(FIXTURES[source][name]).sample)
    assert found is not None
    assert found[0] == source


@pytest.mark.parametrize(("source", "name"), CASES)
def test_no_other_loader_takes_it_for_its_own(source: str, name: str) -> None:
    sample = member(FIXTURES[source][name]).sample
    assert [other for other, loader in loaders().items() if loader.detect(sample)] == [source]


def _chunks(source: str, name: str) -> Iterator[tuple[Loader, Member, Chunk]]:
    """The loader's chunks of a fixture; a chunk may be transformed as often as one likes."""
    document, loader = member(FIXTURES[source][name]), loaders()[source]
    match = loader.detect(document.sample)
    assert match is not None
    document.shape = match.shape
    for chunk in loader.extract(document):
        yield loader, document, chunk


@pytest.mark.parametrize(("source", "name"), CASES)
def test_seen_is_what_was_understood_and_what_was_not(source: str, name: str) -> None:
    seen = 0
    for loader, document, chunk in _chunks(source, name):
        batch = loader.transform(chunk, document)
        assert len(chunk.raws) + len(chunk.faults) == len(batch.record_ids) + len(batch.faults)
        assert all(list(frame.columns) == list(tables.ALL[table].schema) for table, frame in batch.frames.items())
        seen += len(batch.record_ids)
    assert seen


@pytest.mark.parametrize(("source", "name"), CASES)
def test_records_that_break_are_counted_once_and_leave_no_rows(source: str, name: str) -> None:
    for loader, document, chunk in _chunks(source, name):
        for broken in (b"{}", b'{"a": [1]}', b'{"a": "b"}'):
            chunk.raws = [broken] * len(chunk.raws)
            batch = loader.transform(chunk, document)
            assert len(batch.record_ids) + len(batch.faults) == len(chunk.raws) + len(chunk.faults)
            assert _rows(batch).keys() <= {table for table, frame in batch.frames.items() if len(batch.record_ids)}


@pytest.mark.parametrize(("source", "name"), CASES)
def test_order_and_repetition_change_no_row(source: str, name: str) -> None:
    for loader, document, chunk in _chunks(source, name):
        straight = _rows(loader.transform(chunk, document))
        tags = list(chunk.tags)
        chunk.raws, chunk.tags = list(chunk.raws)[::-1], tags[::-1]
        assert _rows(loader.transform(chunk, document)) == straight
        chunk.raws, chunk.tags = list(chunk.raws) * 2, list(chunk.tags) * 2
        assert _rows(loader.transform(chunk, document)) == straight


def _rows(batch: Batch) -> dict[str, set[str]]:
    """Distinct rows by table, without where they stood."""
    return {table: {_without_place(row) for row in frame.to_dicts()}
            for table, frame in batch.frames.items() if frame.height}


def _without_place(row: dict[str, object]) -> str:
    return json.dumps({key: value for key, value in row.items() if key != "raw_ref"}, default=str, sort_keys=True)


@pytest.mark.parametrize(("source", "name"), CASES)
def test_rows_fit_their_tables_and_carry_the_record_they_come_from(source: str, name: str) -> None:
    found = Loaded(FIXTURES[source][name])
    assert found.ids
    for table, frame in found.frames.items():
        assert tables.closed_value_faults(frame, tables.ALL[table]) == []
        assert set(frame["record_id"]) <= set(found.ids), table
        if table != "coverage":  # there the source is the one that is expected
            assert set(frame["source"]) <= {source}, table
        if "raw_ref" in frame.columns and table != "identity_facts":  # a seen identity points to its event's row
            assert frame["raw_ref"].struct.field("file_sha256").null_count() == 0, table


@pytest.mark.parametrize(("source", "name"), CASES)
def test_the_same_bytes_give_the_same_rows(source: str, name: str) -> None:
    first, second = (Loaded(FIXTURES[source][name]) for _ in range(2))
    assert first.ids == second.ids
    assert all(frame.equals(second[table]) for table, frame in first.frames.items())


@pytest.mark.parametrize(("source", "name"), CASES)
def test_any_cut_is_counted_and_never_an_error(source: str, name: str) -> None:
    data = FIXTURES[source][name]
    for part in range(1, 12):
        cut = data[: len(data) * part // 12]
        found = recognise(member(cut).sample)
        if found is not None:
            loaded = Loaded(cut)
            assert all(fault.reason and fault.detail for fault in loaded.faults)


def test_prose_pictures_and_foreign_records_are_nobodys() -> None:
    for data in (b"", b"hello", b"\x89PNG\r\n\x1a\n", b"{}", b"[]", b"[1, 2]", b'{"a": 1}', b"a,b\n1,2\n", b"null"):
        assert recognise(member(data).sample) is None, data


BINARY = (b"PAR1", b"ElfFile", b"PK", b"Obj\x01")
MARKS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")
TEXT_CASES = [(source, name) for source, name in CASES if not FIXTURES[source][name].startswith((*BINARY, *MARKS))]


def _reread(document: Member) -> list[str]:
    found = recognise(document.sample)
    assert found is not None
    document.shape = found[1].shape
    loader = loaders()[found[0]]
    return sorted(i for chunk in loader.extract(document) for i in loader.transform(chunk, document).record_ids)


@pytest.mark.parametrize(("source", "name"), TEXT_CASES)
def test_ids_are_the_same_with_a_byte_order_mark_in_utf_16_and_with_crlf(source: str, name: str) -> None:
    data = FIXTURES[source][name]
    plain = _reread(member(data))
    assert _reread(member(b"\xef\xbb\xbf" + data)) == plain
    assert _reread(member(b"\xff\xfe" + data.decode().encode("utf-16-le"))) == plain
    assert _reread(member(data.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"))) == plain


@pytest.mark.parametrize(("source", "name"), CASES)
def test_ids_are_the_same_out_of_gzip_without_a_suffix(source: str, name: str, tmp_path: Path) -> None:
    data = FIXTURES[source][name]
    (tmp_path / "export").write_bytes(gzip.compress(data))
    ids = [i for m in members(InputFile(tmp_path / "export", "export", 1), "0") if isinstance(m, Member)
           for i in _reread(m)]
    assert sorted(ids) == _reread(member(data))


@pytest.mark.parametrize(("source", "name"), CASES)
def test_times_lie_between_2000_and_2089(source: str, name: str) -> None:
    for table, frame in Loaded(FIXTURES[source][name]).frames.items():
        for column in frame.select(pl.selectors.datetime()).iter_columns():
            for time in column.drop_nulls():
                assert datetime(1990, 1, 1, tzinfo=UTC) < time < datetime(2090, 1, 1, tzinfo=UTC), (table, column.name)


CANARY = "CanaryS3cret0123456789abcdefABCDEF"
SECRETS = {"password": CANARY, "clientSecret": CANARY, "accessToken": CANARY, "Authorization": f"Bearer {CANARY}",
           "private_key": f"-----BEGIN PRIVATE KEY-----{CANARY}"}


def _changed(chunk: Chunk, change: Callable[[dict[str, Any]], None]) -> None:
    """Every record of the chunk after ``change`` has been at it."""
    values = [json.loads(bytes(memoryview(raw))) for raw in chunk.raws]
    for value in values:
        change(value)
    chunk.raws = [json.dumps(value).encode() for value in values]


def _objects(value: object) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _objects(inner)


WRITTEN = "pineapple-canary-77"


def _write(record: dict[str, Any]) -> None:
    for found in list(_objects(record)):
        found.update(PromptText=WRITTEN, Remark=WRITTEN, Snippet={"inner": [WRITTEN]}, Text=WRITTEN)


@pytest.mark.parametrize(("source", "name"), RETICENT)
def test_what_people_wrote_under_new_keys_is_stored_nowhere(source: str, name: str) -> None:
    for loader, document, chunk in _chunks(source, name):
        _changed(chunk, _write)
        batch = loader.transform(chunk, document)
        assert len(batch.record_ids) + len(batch.faults) > 0
        assert WRITTEN not in json.dumps([frame.to_dicts() for frame in batch.frames.values()], default=str)
        assert WRITTEN not in str(batch.drift) + str(batch.faults)


def _plant(record: dict[str, Any]) -> None:
    for found in list(_objects(record)):
        found.update(SECRETS)


@pytest.mark.parametrize(("source", "name"), CASES)
def test_a_secret_under_any_object_of_a_record_is_stored_nowhere(source: str, name: str) -> None:
    for loader, document, chunk in _chunks(source, name):
        _changed(chunk, _plant)
        batch = loader.transform(chunk, document)
        held = json.dumps([frame.to_dicts() for frame in batch.frames.values()], default=str)
        assert CANARY not in held
        assert all(CANARY not in fault.detail for fault in batch.faults)


HOSTILE = "</script><img src=x onerror=alert(1)>\u202e\u0000=cmd|' /C calc'!A0 \u2028'; DROP TABLE x;--"
LEAVES = 60


def _leaves(value: object, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if isinstance(value, str):
        yield path
    for key, inner in (value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()):
        yield from _leaves(inner, (*path, key))


def _poison(path: tuple[Any, ...]) -> Callable[[dict[str, Any]], None]:
    def change(record: dict[str, Any]) -> None:
        at: Any = record
        try:
            for key in path[:-1]:
                at = at[key]
            if isinstance(at[path[-1]], str):
                at[path[-1]] += HOSTILE
        except (KeyError, IndexError, TypeError):
            return
    return change


@pytest.mark.parametrize(("source", "name"), CASES)
def test_hostile_text_in_any_field_is_data_and_loses_no_other_record(source: str, name: str) -> None:
    for loader, document, chunk in _chunks(source, name):
        if not chunk.raws:
            continue
        first, raws, tags = json.loads(bytes(memoryview(chunk.raws[0]))), chunk.raws, chunk.tags
        for path in list(_leaves(first))[:LEAVES]:
            chunk.raws, chunk.tags = raws, tags
            _changed(chunk, _poison(path))
            batch = loader.transform(chunk, document)
            assert len(batch.record_ids) + len(batch.faults) == len(raws) + len(chunk.faults), path
