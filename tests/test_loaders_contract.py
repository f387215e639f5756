"""What every loader promises, swept over all there are: a new one without fixtures fails here."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from lineage_analytics import tables
from lineage_analytics.loaders import loaders, recognise
from tests import test_loader_aws_iam, test_loader_declared, test_loader_entra_audit, test_loader_m365_audit
from tests._documents import Loaded, member
from tests._trail import event

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lineage_analytics.loaders.common.containers import Member
    from lineage_analytics.loaders.common.contract import Batch, Chunk, Loader

FIXTURES: Mapping[str, Mapping[str, bytes]] = {
    "aws_cloudtrail": {"records": json.dumps({"Records": [event(n) for n in range(3)]}).encode()},
    "aws_iam": test_loader_aws_iam.CONTRACT_FILES,
    "declared": test_loader_declared.CONTRACT_FILES,
    "entra_audit": test_loader_entra_audit.CONTRACT_FILES,
    "m365_audit": test_loader_m365_audit.CONTRACT_FILES,
}
CASES = [(source, name) for source, files in FIXTURES.items() for name in files]


def test_every_loader_has_fixtures_and_says_what_it_reads() -> None:
    assert set(loaders()) == set(FIXTURES)
    for name, loader in loaders().items():
        assert len(loader.__doc__ or "") > 40, name
        assert loader.PROVIDER, name
        assert loader.LATENESS.total_seconds() >= 0, name
        for part in ("detect", "extract", "transform"):
            assert callable(getattr(loader, part)), f"{name}.{part}"
            assert getattr(loader, part).__doc__, f"{name}.{part}"


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
