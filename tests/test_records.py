"""Records out of text in pieces: the same whatever the cuts, and everything else counted."""

from __future__ import annotations

import io
import itertools
import json
from typing import IO, Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineage_analytics.loaders.common import records, windows
from lineage_analytics.loaders.common.containers import Member
from lineage_analytics.loaders.common.contract import Chunk, Fault
from lineage_analytics.loaders.common.scan import elements

LIMIT = 1 << 24
_awkward = st.text(alphabet='ab"\\{}[],:é\n', max_size=6)
_values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | _awkward,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_awkward, inner, max_size=3), max_leaves=8)
_records = st.lists(st.dictionaries(_awkward, _values, max_size=3), min_size=1, max_size=4)


def _text(kind: str, found: list[dict[str, Any]], *, indent: int | None, plain: bool) -> bytes:
    def dumped(value: object) -> str:
        return json.dumps(value, indent=indent, ensure_ascii=plain)

    if kind == "object":
        return "\n".join(map(dumped, found)).encode()
    return dumped(found if kind == "array" else {"a": '"Records":[', "b": [{"c": [1]}], kind: found, "z": {"y": []}}
                  ).encode()


def _scanned(pieces: list[bytes], kind: str) -> tuple[list[Any], list[str]]:
    found = list(elements(iter(pieces), kind, LIMIT))
    return [json.loads(raw) for raw, reason in found if reason is None], [r for _, r in found if r is not None]


@settings(max_examples=150, deadline=None)
@given(_records, st.sampled_from(["Records", "array", "object"]), st.sampled_from([None, 1]), st.booleans(),
       st.lists(st.integers(0, 400), max_size=8))
def test_any_pieces_give_the_records_of_the_whole(
    found: list[dict[str, Any]], kind: str, indent: int | None, plain: bool, cuts: list[int]
) -> None:
    text = _text(kind, found, indent=indent, plain=plain)
    places = sorted({0, *(cut % len(text) for cut in cuts), len(text)})
    pieces = [text[a:b] for a, b in itertools.pairwise(places)]
    assert _scanned(pieces, kind) == (found, [])


@settings(max_examples=150, deadline=None)
@given(_records, st.sampled_from(["Records", "array", "object"]), st.floats(0, 1, exclude_max=True))
def test_any_cut_keeps_the_good_beginning_and_never_invents(
    found: list[dict[str, Any]], kind: str, part: float
) -> None:
    text = _text(kind, found, indent=None, plain=True)
    cut = text[: int(part * len(text))]
    kept, reasons = _scanned([cut], kind)
    assert kept == found[: len(kept)]
    if kind != "object" and cut:
        assert reasons == ["truncated"]


@settings(max_examples=200, deadline=None)
@given(_records, st.sampled_from(["Records", "value", "array"]), st.sampled_from([None, 1]), st.integers(1, 90),
       st.integers(3, 60))
def test_windows_of_any_size_give_every_record_once(
    found: list[dict[str, Any]], kind: str, indent: int | None, window: int, size: int
) -> None:
    """The border between windows is guessed: strings and nested lists here look like it on purpose."""
    listed = [{"k": value, "z": [{"k": value}, '},{"k":']} for value in found]
    text = json.dumps(listed if kind == "array" else {kind: listed, "end": 1}, indent=indent).encode()
    document = _member(text)
    pieces = [text[at : at + size] for at in range(0, len(text), size)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(windows, "WINDOW_BYTES", window)
        patch.setattr(document, "chunks", lambda: iter(pieces))
        chunks = list(records.json_chunks(document))
    assert [json.loads(bytes(raw)) for chunk in chunks for raw in chunk.raws] == listed
    assert [at for chunk in chunks for at, _ in chunk.placed()] == list(range(len(listed)))
    assert _faults(chunks) == []


SEVERAL = {
    "documents one after another": (b'{"Records":[{"a":1}]}{"Records":[{"a":2}]}', "Records", [1, 2], []),
    "lists one after another": (b'[{"a":1}]\n[{"a":2}]', "array", [1, 2], []),
    "text after the last": (b'{"Records":[{"a":1}]} and more', "Records", [1], ["broken_json"]),
    "text before the first": (b'noise {"Records":[{"a":1}]}', "Records", [1], ["broken_json"]),
    "text between two": (b'{"Records":[{"a":1}, x {"a":2}]}', "Records", [1, 2], ["broken_json"]),
    "one without records": (b'{"Records":[{"a":1}]}{"other":[3]}', "Records", [1], ["no_records"]),
    "more closed than opened": (b'{"a":1}]{"a":2}', "object", [1], ["broken_json"]),
    "no list end": (b'{"Records":[{"a":1}', "Records", [1], ["truncated"]),
}


@pytest.mark.parametrize("name", SEVERAL)
def test_nothing_in_a_file_is_passed_over(name: str) -> None:
    text, kind, values, reasons = SEVERAL[name]
    for size in (1, 2, 5, 1000):
        found = _scanned([text[at : at + size] for at in range(0, len(text), size)], kind)
        assert found == ([{"a": value} for value in values], reasons), size


def test_a_record_above_the_limit_is_one_fault_and_its_neighbours_stay() -> None:
    text = json.dumps({"Records": [{"a": 1}, {"b": "x" * 90, "c": [{}, {}]}, {"a": 2}]}).encode()
    found = list(elements(iter([text[at : at + 7] for at in range(0, len(text), 7)]), "Records", 40))
    assert [reason for _, reason in found] == [None, "record_too_large", None]


def _member(text: bytes) -> Member:
    return Member("f", None, "0" * 64, cast("IO[bytes]", io.BytesIO(text)))


def _chunks(text: bytes, **options: Any) -> list[Chunk]:
    return list(records.json_chunks(_member(text), **options))


def _faults(chunks: list[Chunk]) -> list[tuple[int | None, str]]:
    return [(fault.position, fault.reason) for chunk in chunks for fault in chunk.faults]


def test_a_large_document_gives_the_same_chunks_as_a_small_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "RECORDS_PER_CHUNK", 3)
    text = json.dumps({"Records": [{"a": n} for n in range(8)]}).encode()
    whole = [(chunk.start, [bytes(raw) for raw in chunk.raws]) for chunk in _chunks(text)]
    monkeypatch.setattr(records, "WHOLE_BYTES", 10)
    assert [(chunk.start, [bytes(raw) for raw in chunk.raws]) for chunk in _chunks(text)] == whole
    assert [start for start, _ in whole if _] == [0, 3, 6]


def test_records_behind_a_fault_keep_their_own_ordinal() -> None:
    [chunk] = _chunks(b'{"a":0}\n{"a":\n{"a":2}\n5\n{"a":4}\n')
    assert _faults([chunk]) == [(1, "broken_json"), (3, "not_an_object")]
    assert [(at, bytes(raw)) for at, raw in chunk.placed()] == [(0, b'{"a":0}'), (2, b'{"a":2}'), (4, b'{"a":4}')]


def test_halves_of_a_chunk_hold_every_record_and_fault_once_in_its_place() -> None:
    faults = [Fault(1, "x", "x"), Fault(4, "x", "x"), Fault(6, "x", "x")]
    chunk = Chunk(0, [b"0", b"2", b"3", b"5"], list("abcd"), faults, truncated=True)
    one, two = chunk.halves()
    assert [*one.placed(), *two.placed()] == list(chunk.placed()) == [(0, b"0"), (2, b"2"), (3, b"3"), (5, b"5")]
    assert [*one.faults, *two.faults] == faults
    assert [*one.tags, *two.tags] == list("abcd")


def test_a_broken_last_line_without_end_is_cut_and_one_with_an_end_is_broken() -> None:
    [cut], [broken] = _chunks(b'{"a":1}\n{"a":'), _chunks(b'{"a":1}\n{"a":\n')
    assert (_faults([cut]), cut.truncated) == ([(1, "truncated")], True)
    assert (_faults([broken]), broken.truncated) == ([(1, "broken_json")], False)


def test_pages_on_lines_count_through_their_records() -> None:
    pages = b'{"value":[{"a":0},{"a":1}]}\nno\n{"value":[7,{"a":4}]}\n'
    [chunk] = _chunks(pages)
    assert _faults([chunk]) == [(2, "broken_json"), (3, "not_an_object")]
    assert [(at, bytes(raw)) for at, raw in chunk.placed()] == [(0, b'{"a":0}'), (1, b'{"a":1}'), (4, b'{"a":4}')]


def test_an_array_of_pages_gives_the_records_of_the_pages_on_lines() -> None:
    pages = [{"value": [{"a": 0}, {"a": 1}], "@odata.nextLink": "x"}, {"@odata.context": "y", "value": [{"a": 2}]}]
    on_lines = b"\n".join(json.dumps(page).encode() for page in pages)
    for array in (json.dumps(pages), json.dumps(pages, indent=1)):
        assert [json.loads(bytes(raw)) for chunk in _chunks(array.encode()) for raw in chunk.raws] == [
            json.loads(bytes(raw)) for chunk in _chunks(on_lines) for raw in chunk.raws] == [{"a": n} for n in range(3)]
        assert _member(array.encode()).sample.first == {"a": 0}


def test_records_that_hold_a_list_beside_others_are_no_pages() -> None:
    records_with_lists = json.dumps([{"name": "x", "value": [{"a": 0}]}, {"id": 7, "items": [{"a": 1}]}]).encode()
    found = [json.loads(bytes(raw)) for chunk in _chunks(records_with_lists) for raw in chunk.raws]
    assert found == json.loads(records_with_lists)


def test_csv_rows_that_are_odd_cost_no_other() -> None:
    text = b'a,b\n1,2\nonly one\n\xff\xfe,4\n"5, with comma\nand line","6"\n'
    [chunk] = list(records.csv_chunks(_member(text)))
    assert [json.loads(bytes(raw)) for raw in chunk.raws] == [
        {"a": "1", "b": "2"}, {"a": "5, with comma\nand line", "b": "6"}]
    assert _faults([chunk]) == [(1, "broken_csv"), (2, "broken_csv")]


def test_rows_and_cells_that_a_spreadsheet_leaves_empty_are_none() -> None:
    rows = [{"a": "1", "b": "2"}, {"a": "3", "b": ""}, {"a": "", "b": "4"}]
    for text in (b'\r\n  \r\na;b\r\n1;2\r\n3;\r\n;4\r\n;\r\n \r\n', b"a,b,,\n1,2,,\n3,,,\n,4\n,,,\n"):
        [chunk] = list(records.csv_chunks(_member(text)))
        assert ([json.loads(bytes(raw)) for raw in chunk.raws], chunk.faults) == (rows, [])
    [chunk] = list(records.csv_chunks(_member(b"a,b,\n1,2,3\n")))
    assert _faults([chunk]) == [(0, "broken_csv")]
