"""Packings that need more than a look at the head: pages on lines, arrays with a huge first record, CSV preambles."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import msgspec

from lineage_analytics.loaders.common.records import csv_chunks, json_chunks
from lineage_analytics.loaders.common.sampling import csv_header
from lineage_analytics.loaders.common.spread import spread
from lineage_analytics.loaders.common.times import shown_time

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from lineage_analytics.loaders.common.contract import Chunk, Document, Sample


class _Page(msgspec.Struct, gc=False):
    value: list[msgspec.Raw] | None = None
    records: list[msgspec.Raw] | None = None


_page = msgspec.json.Decoder(_Page)
_row = msgspec.json.Decoder(dict[str, str])


def page_chunks(document: Document) -> Iterator[Chunk]:
    """Records out of a file with one page of an API (``value``) or one delivery of a hub (``records``) per line."""
    return spread(json_chunks(document, wrappers=()), _records_of)


def _records_of(raw: bytes | msgspec.Raw) -> Sequence[bytes | msgspec.Raw]:
    held = _page.decode(raw)
    listed = held.value if held.value is not None else held.records
    return [raw] if listed is None else listed


def is_page(first: Mapping[str, Any] | None) -> bool:
    """Whether a line of a file is a page of records rather than a record."""
    return first is not None and any(isinstance(first.get(key), list) for key in ("value", "records"))


_KEY = re.compile(rb'"([A-Za-z]{2,40})"\s{0,4}:')


def head_keys(sample: Sample) -> frozenset[str]:
    """Keys seen anywhere in the head of a JSON file whose first record is too large to be seen whole; else empty."""
    if sample.first is not None or sample.head[:1] not in (b"[", b"{"):
        return frozenset()
    return frozenset(key.decode().lower() for key in _KEY.findall(sample.head))


def json_or_array_chunks(document: Document) -> Iterator[Chunk]:
    """The JSON objects of a document, also of an array that the head is too short to show as one."""
    if document.sample.first is None and document.sample.head[:1] == b"[":
        found = _View(document)
        found.sample = replace(document.sample, wrapper="array", columns=())
        return json_chunks(cast("Document", found))
    return json_chunks(document)


_PREAMBLES = (b"#TYPE", b"sep=")
_UTC = " [utc]"


def csv_columns(sample: Sample) -> frozenset[str]:
    """The header of a CSV in lower case, also under the line that PowerShell or a spreadsheet writes above it, and
    without the ``[UTC]`` of a saved query."""
    columns = sample.columns
    if sample.head.startswith(_PREAMBLES):
        lines = sample.head.split(b"\n", 2)
        columns = tuple(csv_header(lines[1].decode("utf-8", "replace").rstrip("\r"))) if len(lines) > 1 else ()
    return frozenset(column.strip().lower().removesuffix(_UTC) for column in columns)


def row_chunks(document: Document) -> Iterator[Chunk]:
    """The rows of a CSV as objects, without the line some programs write above the header. Of a saved query with plain
    names, and the times that a browser showed in ISO form."""
    chunks = csv_chunks(
        cast("Document", _Below(document)) if document.sample.head.startswith(_PREAMBLES) else document)
    queried = any(column.strip().lower().endswith(_UTC) for column in document.sample.columns)
    return map(_plain_times, chunks) if queried else chunks


def _plain_times(chunk: Chunk) -> Chunk:
    chunk.raws = [msgspec.json.encode(dict(map(_plain_cell, _row.decode(raw).items()))) for raw in chunk.raws]
    return chunk


def _plain_cell(cell: tuple[str, str]) -> tuple[str, str]:
    name, held = cell
    return (name[: -len(_UTC)], shown_time(held) or held) if name.lower().endswith(_UTC) else cell


def chunks_by_shape(document: Document) -> Iterator[Chunk]:
    """Rows and records as they stand in the file; CSV rows as objects, pages opened."""
    if document.shape == "csv":
        return row_chunks(document)
    return page_chunks(document) if document.shape == "pages" else json_or_array_chunks(document)


class _View:
    """A document with something about it changed."""

    sample: Sample

    def __init__(self, document: Document) -> None:
        self._document = document

    def __getattr__(self, attribute: str) -> Any:
        return getattr(self._document, attribute)


class _Below(_View):
    """A document without its first line."""

    def chunks(self) -> Iterator[bytes]:
        pieces = self._document.chunks()
        for piece in pieces:
            _, line_end, rest = piece.partition(b"\n")
            if line_end:
                yield rest
                break
        yield from pieces
