"""Raw records out of files: JSON in every packaging, and CSV rows.

Every raw handed on is one well-formed JSON object; anything else becomes a Fault with its position, and the records
around it are kept. Long lists are split window by window (``windows``). What remains is split by one decoder call up
to ``WHOLE_BYTES``; what is larger, cut or broken by a streaming scan that holds one record at a time.
"""

from __future__ import annotations

import codecs
import csv
from dataclasses import replace
from functools import cache
from itertools import islice
from typing import TYPE_CHECKING, Any

import msgspec

from lineage_analytics.errors import LimitError
from lineage_analytics.loaders.common.contract import Chunk, Fault
from lineage_analytics.loaders.common.sampling import LINES, WRAPPERS, decode_object, delimiter_of, page_key
from lineage_analytics.loaders.common.scan import elements
from lineage_analytics.loaders.common.windows import Windows

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from lineage_analytics.loaders.common.contract import Document

WHOLE_BYTES = 64 * 1024 * 1024
RECORDS_PER_CHUNK = 8_192
RECORD_BYTES = 16 * 1024 * 1024
_BRACE = ord("{")
Raws = list[msgspec.Raw] | list[bytes]
Tagged = tuple[str, bytes | msgspec.Raw] | Fault


def json_chunks(document: Document, wrappers: Sequence[str] = WRAPPERS) -> Iterator[Chunk]:
    """The JSON objects of a document, unwrapped from a key in ``wrappers``, an array, lines or bare values.

    A cut document yields its good prefix and a last chunk with ``truncated`` set.
    """
    wrapper = document.sample.wrapper
    kind = wrapper if wrapper in wrappers or wrapper in ("array", LINES) else "object"
    chunks = _Chunks(() if kind in wrappers else wrappers)
    pieces = document.chunks()
    if kind == "array" or kind in wrappers:
        windows = Windows(pieces, kind)
        for window in windows:
            yield from chunks.records(window)
        pieces = windows.rest()
    head, complete = _up_to(pieces, WHOLE_BYTES)
    if complete and not getattr(document, "damage", None):
        raws = _split_whole(head, kind)
        if raws is not None:
            yield from chunks.records(raws)
            yield chunks.last(cut=kind == LINES and not head.endswith(b"\n"))
            return
    joined = _joined(head, pieces)
    source = elements(joined, kind, RECORD_BYTES) if kind != LINES else _stream_lines(joined)
    for raw, reason in source:
        if reason is None:
            yield from chunks.records((raw,))
        else:
            chunks.fault(reason, _REASONS[reason])
    yield chunks.last(damage=getattr(document, "damage", None))


def csv_chunks(document: Document) -> Iterator[Chunk]:
    """Every CSV row as a JSON object keyed by the header's names; rows of another width become Faults.

    Rows without a value are none, and empty cells beyond the header's last name, as spreadsheets leave, no cells.
    """
    csv.field_size_limit(RECORD_BYTES)
    text = _Text(document.chunks())
    reader = csv.reader(text, delimiter=delimiter_of(text.first_line()), strict=True)
    header: list[str] | None = None
    rows: list[bytes] = []
    faults: list[Fault] = []
    start = position = 0
    while True:
        try:
            row = next(reader)
        except StopIteration:
            break
        except csv.Error as error:
            faults.append(Fault(position, "broken_csv", str(error)[:200]))
            position += 1
            continue
        if not any(map(str.strip, row)):
            continue
        if header is None:
            names = [name.strip().encode("utf-8", "replace").decode() for name in row]
            header = names[:_filled(names)]
            continue
        if len(row) > len(header):
            row = row[:max(len(header), _filled(row))]
        if len(row) != len(header):
            faults.append(Fault(position, "broken_csv", f"wanted {len(header)} cells, found {len(row)}"))
        elif not _is_text(row):
            faults.append(Fault(position, "broken_csv", "a cell that is no UTF-8 text"))
        else:
            rows.append(msgspec.json.encode(dict(zip(header, row, strict=True))))
        position += 1
        if len(rows) >= RECORDS_PER_CHUNK:
            yield Chunk(start, rows, faults=faults)
            start, rows, faults = position, [], []
    yield Chunk(start, rows, faults=faults, truncated=_damaged(document, faults, position))


def _filled(row: list[str]) -> int:
    """How many cells there are up to the last that is not empty."""
    return next((at for at in range(len(row), 0, -1) if row[at - 1]), 0)


def _is_text(row: list[str]) -> bool:
    try:
        "".join(row).encode()
    except UnicodeEncodeError:  # bytes that were not UTF-8 came through as surrogates
        return False
    return True


def whole(document: Document) -> bytes:
    """The whole document; for formats that are one object, such as an account's authorization details."""
    data, complete = _up_to(document.chunks(), WHOLE_BYTES * 8)
    if not complete:
        raise LimitError(f"Wanted {document.file} whole in memory", "it is larger than 512 MiB",
                         "export it in pages")
    return data


def lone(document: Document, wanted: str) -> dict[str, Any] | Chunk:
    """The one object that the whole document is; where it is none, a chunk that says so."""
    data = whole(document).strip()
    found = decode_object(data)
    if found is not None:
        return found
    cut = bool(getattr(document, "damage", None)) or not data.endswith(b"}")
    return Chunk(0, [], faults=[Fault(0, "truncated" if cut else "broken_json", f"wanted {wanted}")], truncated=cut)


def tagged_chunks(items: Iterable[Tagged], document: Document, size: int) -> Iterator[Chunk]:
    """Chunks of up to ``size`` items, each a raw with its tag or a Fault in its place; at least one chunk.

    The damage of a document that none of the items tells is a last Fault ``truncated``.
    """
    start, told, left = 0, False, iter(items)
    while True:
        part = list(islice(left, size))
        told = told or any(isinstance(item, Fault) and item.reason == "truncated" for item in part)
        ended, damage = len(part) < size, getattr(document, "damage", None)
        if ended and damage and not told:
            part.append(Fault(None, "truncated", str(damage)))
        if part or not start:
            yield _tagged(part, start)
        if ended:
            return
        start += len(part)


def _tagged(part: list[Tagged], start: int) -> Chunk:
    kept = [item for item in part if not isinstance(item, Fault)]
    faults = [replace(item, position=position) for position, item in enumerate(part, start) if isinstance(item, Fault)]
    return Chunk(start, [raw for _, raw in kept], [tag for tag, _ in kept], faults,
                 truncated=any(fault.reason == "truncated" for fault in faults))


def _up_to(pieces: Iterator[bytes], limit: int) -> tuple[bytes, bool]:
    """At least the first ``limit`` bytes, and whether that was everything."""
    kept: list[bytes] = []
    size = 0
    for piece in pieces:
        kept.append(piece)
        size += len(piece)
        if size > limit:
            return b"".join(kept), False
    return (kept[0] if len(kept) == 1 else b"".join(kept)), True


def _joined(head: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield head
    yield from rest


@cache
def _wrapped(name: str) -> msgspec.json.Decoder[Any]:
    """The decoder of an object with a list of records under the key."""
    return msgspec.json.Decoder(msgspec.defstruct(f"Wrapped_{name}", [(name, list[msgspec.Raw])], gc=False))


_LIST = msgspec.json.Decoder(list[msgspec.Raw])
_RAW = msgspec.json.Decoder(msgspec.Raw)
_KEYS = msgspec.json.Decoder(dict[str, msgspec.Raw])


def _split_whole(data: bytes, kind: str) -> Raws | None:
    """All raw records by one decoder call, or None when the text is not clean JSON of that kind."""
    try:
        if kind == LINES:
            return [line for line in data.split(b"\n") if line.strip()]
        if kind == "array":
            return _LIST.decode(data)
        if kind == "object":
            return [_RAW.decode(data)]
        raws: list[msgspec.Raw] = getattr(_wrapped(kind).decode(data), kind)
    except (msgspec.DecodeError, RecursionError):
        return None
    return raws


_REASONS = {
    "truncated": "the document ends inside this record",
    "broken_json": "text that is not a JSON object",
    "record_too_large": f"more than {RECORD_BYTES} bytes",
    "no_records": "an object without the list of records the others have",
}


class _Chunks:
    """Raw records as chunks of bounded size; every record and every fault takes one ordinal of the document."""

    def __init__(self, wrappers: Sequence[str]) -> None:
        self._wrappers = wrappers
        self._key: str | None = None
        self._asked = not wrappers
        self._start = self._next = 0
        self._raws: list[msgspec.Raw | bytes] = []
        self._faults: list[Fault] = []

    def records(self, raws: Iterable[msgspec.Raw | bytes]) -> Iterator[Chunk]:
        """The full chunks that these complete."""
        if isinstance(raws, list) and self._plain(raws):
            yield from self._objects(raws)
            return
        for raw in raws:
            found = _fault(self._next, raw)
            if found is not None:
                self._faults.append(found)
                self._next += 1
            else:
                self._keep(raw)
            if self._next - self._start >= RECORDS_PER_CHUNK:
                yield self._chunk()

    def _plain(self, raws: list[Any]) -> bool:
        """Whether all are objects of usual size that a decoder has checked, and none holds a page of records."""
        if not raws or not isinstance(raws[0], msgspec.Raw):
            return False
        if not self._asked:
            self._asked, self._key = True, _wrapper_of(raws[0], self._wrappers)
        if self._key is not None:
            return False
        for raw in raws:
            view = memoryview(raw)
            if view[0] != _BRACE or view.nbytes > RECORD_BYTES:
                return False
        return True

    def _objects(self, raws: list[msgspec.Raw]) -> Iterator[Chunk]:
        """As ``records``, many at a time."""
        at = 0
        while at < len(raws):
            part = raws[at : at + RECORDS_PER_CHUNK - (self._next - self._start)]
            self._raws += part
            self._next += len(part)
            at += len(part)
            if self._next - self._start >= RECORDS_PER_CHUNK:
                yield self._chunk()

    def fault(self, reason: str, detail: str) -> None:
        self._faults.append(Fault(self._next, reason, detail))
        self._next += 1

    def last(self, *, cut: bool = False, damage: object = None) -> Chunk:
        """What remains. ``cut``: a line without end, if it is broken, is cut; ``damage``: the container broke off."""
        ended = self._faults[-1] if self._faults and self._faults[-1].position == self._next - 1 else None
        if ended is not None and ended.reason == "broken_json" and (cut or damage is not None):
            self._faults[-1] = Fault(ended.position, "truncated", _REASONS["truncated"])
        elif damage is not None and (ended is None or ended.reason != "truncated"):
            self.fault("truncated", str(damage))
        truncated = any(fault.reason == "truncated" for fault in self._faults)
        chunk = self._chunk()
        chunk.truncated = truncated
        return chunk

    def _chunk(self) -> Chunk:
        chunk = Chunk(self._start, self._raws, faults=self._faults)
        self._start, self._raws, self._faults = self._next, [], []
        return chunk

    def _keep(self, raw: msgspec.Raw | bytes) -> None:
        if not self._asked:
            self._asked, self._key = True, _wrapper_of(raw, self._wrappers)
        if self._key is None:
            self._raws.append(raw)
            self._next += 1
            return
        for inner in _unwrap(raw, self._key):
            found = _fault(self._next, inner)
            self._next += 1
            if found is None:
                self._raws.append(inner)
            else:
                self._faults.append(found)


def _wrapper_of(raw: msgspec.Raw | bytes, wrappers: Sequence[str]) -> str | None:
    """The wrapper that is the first key of the object, or the list of what is a page by its keys."""
    head = bytes(memoryview(raw)[:40]).lstrip(b"{ \t\r\n")
    first = next((name for name in wrappers if head.startswith(b'"' + name.encode() + b'"')), None)
    if first is not None or not wrappers:
        return first
    try:
        key = page_key(_KEYS.decode(raw))
    except (msgspec.DecodeError, RecursionError):
        return None
    return key if key in wrappers else None


def _unwrap(raw: msgspec.Raw | bytes, key: str) -> Raws | list[bytes | msgspec.Raw]:
    try:
        inner: list[msgspec.Raw] = getattr(_wrapped(key).decode(raw), key)
    except (msgspec.DecodeError, RecursionError):
        return [raw]
    return inner


def _fault(position: int, raw: msgspec.Raw | bytes) -> Fault | None:
    """Why this raw text is not one JSON object, or None when it is. Raw values were syntax-checked already."""
    if isinstance(raw, bytes):
        try:
            _RAW.decode(raw)
        except (msgspec.DecodeError, RecursionError) as error:
            return Fault(position, "broken_json", str(error)[:200])
    view = memoryview(raw)
    if len(view) > RECORD_BYTES:
        return Fault(position, "record_too_large", f"{len(view)} bytes, at most {RECORD_BYTES}")
    if bytes(view[:1]) == b"{" or bytes(view[:64]).lstrip()[:1] == b"{":
        return None
    return Fault(position, "not_an_object", "wanted a JSON object")


def _stream_lines(pieces: Iterator[bytes]) -> Iterator[tuple[bytes, str | None]]:
    rest, skipping = b"", False
    for piece in pieces:
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            if not skipping and line.strip():
                yield line, None
            skipping = False
        if len(rest) > RECORD_BYTES:
            if not skipping:
                yield b"", "record_too_large"
            rest, skipping = b"", True
    if not skipping and rest.strip():
        yield rest, None


def _damaged(document: Document, faults: list[Fault], position: int) -> bool:
    """Whether the container broke off; then a fault says so, unless the cut record already does."""
    damage = getattr(document, "damage", None)
    if damage is None:
        return False
    if not any(fault.reason == "truncated" for fault in faults):
        faults.append(Fault(position, "truncated", str(damage)))
    return True


class _Text:
    """The document's lines as text, for the csv reader."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
        self._pieces = pieces
        self._lines: list[str] = []
        self._rest = ""
        self._ended = False

    def first_line(self) -> str:
        """The first line that is not blank, which stays to be read."""
        self._fill()
        while self._lines and not self._lines[0].strip():
            self._lines.pop(0)
            self._fill()
        return self._lines[0] if self._lines else ""

    def _fill(self) -> None:
        while not self._lines and not self._ended:
            piece = next(self._pieces, None)
            self._ended = piece is None
            text = self._rest + self._decoder.decode(piece or b"", final=self._ended)
            lines = text.split("\n")
            self._rest = "" if self._ended else lines.pop()
            self._lines = [line + "\n" for line in lines]
            if self._ended and self._lines and self._lines[-1] == "\n":
                self._lines.pop()

    def __next__(self) -> str:
        self._fill()
        if not self._lines:
            raise StopIteration
        return self._lines.pop(0)

    def __iter__(self) -> _Text:
        return self
