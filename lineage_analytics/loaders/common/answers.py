"""What a search engine answers a query with, as JSON objects on lines: its records, without what it says of itself.

Log Analytics answers with columns and rows, of which every row becomes an object; Defender, Splunk and PowerShell list
objects under ``results``, Elasticsearch under ``hits`` in ``hits``.
"""

from __future__ import annotations

import re
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any

import msgspec

from lineage_analytics.loaders.common.records import RECORD_BYTES
from lineage_analytics.loaders.common.scan import elements

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

HELD_BYTES = 512 << 20
"""An answer is held as a whole up to this size; what a larger one lists is read as that of a broken one."""

_COLUMNS = re.compile(rb'"[Cc]olumns"\s*:\s*(\[[^\[\]]*\])\s*,\s*"[Rr]ows"\s*:\s*\[')
# How an answer begins, and how the list of its records opens; of several tables the first is what was asked for.
_LISTS = tuple((re.compile(begins), opening) for begins, opening in (
    (rb'\s*\{\s*"[Tt]ables"\s*:\s*\[\s*\{', _COLUMNS),
    (rb'\s*\{\s*"(?:took|timed_out|_scroll_id|pit_id|_shards)"', re.compile(rb'"hits"\s*:\s*\[')),
    (rb'\s*\{\s*(?:"preview"\s*:\s*\w+\s*,\s*)?"init_offset"', re.compile(rb'"results"\s*:\s*\[')),
    (rb'\s*\{\s*(?:"@odata\.context"\s*:\s*"[^"]*"\s*,\s*)?"(?:schema|Schema|Stats)"\s*:\s*[\[{]',
     re.compile(rb'"[Rr]esults"\s*:\s*\[')),
    (rb'\s*\{\s*"Results"\s*:\s*\[', re.compile(rb'"Results"\s*:\s*\[')),
))
_CELLS = msgspec.json.Decoder(list[msgspec.Raw])


class _Table(msgspec.Struct, gc=False):
    rows: list[msgspec.Raw] | None = None
    older: list[msgspec.Raw] | None = msgspec.field(default=None, name="Rows")


class _Hits(msgspec.Struct, gc=False):
    hits: list[msgspec.Raw]


class _Answer(msgspec.Struct, gc=False):
    tables: list[_Table] | None = None
    older: list[_Table] | None = msgspec.field(default=None, name="Tables")
    results: list[msgspec.Raw] | None = None
    hunted: list[msgspec.Raw] | None = msgspec.field(default=None, name="Results")
    hits: _Hits | None = None

    def listed(self) -> list[msgspec.Raw] | None:
        table = next(iter(self.tables or self.older or ()), None)
        if table is not None:
            return table.rows if table.rows is not None else table.older
        return self.hits.hits if self.hits is not None else self.results if self.results is not None else self.hunted


_answer = msgspec.json.Decoder(_Answer)


class Broken(ValueError):  # noqa: N818  (named as what it becomes: how a document ends)
    """The answer breaks off; the records before it stand."""


def is_answer(head: bytes) -> bool:
    """Whether the head of a file is that of an answer."""
    return _opening(head) is not None


def lines(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Each record as a line of JSON; what is no record as a line that is none.

    Raises
    ------
    Broken : behind the records before it.
    """
    held: list[bytes] = []
    for piece in pieces:
        held.append(piece)
        if sum(map(len, held)) > HELD_BYTES:
            yield from _scanned(b"".join(held), pieces)
            return
    for text in _apart(b"".join(held)):
        yield from _records(text)


def _opening(text: bytes) -> re.Match[bytes] | None:
    found = (opening.search(text) for begins, opening in _LISTS if begins.match(text))
    return next(filter(None, found), None)


def _apart(text: bytes) -> Sequence[bytes]:
    """The answers in a text: one, or one a line."""
    begun = [line for line in text.split(b"\n") if line.strip()]
    return begun if len(begun) > 1 and all(map(is_answer, begun)) else (text,)


def _records(text: bytes) -> Iterator[bytes]:
    opening = _opening(text)
    try:
        listed = _answer.decode(text).listed() if opening is not None else None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        listed = None
    if opening is None or listed is None:
        yield from _scanned(text, iter(()))
        return
    line = _line_of(opening)
    for raw in listed:
        yield _safe(line, raw)


def _scanned(text: bytes, more: Iterator[bytes]) -> Iterator[bytes]:
    """The records of an answer that cannot be read as a whole, as far as its list is whole."""
    opening = _opening(text)
    if opening is not None:
        line = _line_of(opening)
        for raw, reason in elements(chain((b"[", text[opening.end():]), more), "array", RECORD_BYTES):
            if reason is not None:
                break
            yield _safe(line, raw)
    raise Broken("an answer that is not whole")


def _line_of(opening: re.Match[bytes]) -> Callable[[bytes | msgspec.Raw], bytes]:
    """What makes a line of a record: of a row, under the names of the columns."""
    if opening.re is not _COLUMNS:
        return _compact
    columns: list[dict[str, Any]] = msgspec.json.decode(opening[1])
    stated = [{key.lower(): held for key, held in column.items()} for column in columns]
    return partial(_row, [msgspec.json.encode(str(found.get("columnname", found.get("name")))) for found in stated])


def _compact(record: bytes | msgspec.Raw) -> bytes:
    return msgspec.json.format(bytes(record), indent=-1)


def _row(names: Sequence[bytes], row: bytes | msgspec.Raw) -> bytes:
    """An empty cell says no more of a record than that others of the table have something there."""
    stated = ((name, bytes(cell)) for name, cell in zip(names, _CELLS.decode(row), strict=True))
    return b"{" + b",".join(name + b":" + cell for name, cell in stated if cell != b"null") + b"}"


def _safe(line: Callable[[bytes | msgspec.Raw], bytes], raw: bytes | msgspec.Raw) -> bytes:
    try:
        return line(raw) + b"\n"
    except (msgspec.DecodeError, ValueError, RecursionError):
        return b"!\n"
