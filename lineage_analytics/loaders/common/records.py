"""Raw records out of files: JSON in every packaging, and CSV rows.

Every raw handed on is one well-formed JSON object; anything else becomes a Fault with its position, and the records
around it are kept. Files up to ``WHOLE_BYTES`` are split by one decoder call; larger, cut or broken ones by a
streaming scan that holds one record at a time.
"""

from __future__ import annotations

import codecs
import csv
from typing import TYPE_CHECKING

import msgspec

from lineage_analytics.errors import LimitError
from lineage_analytics.loaders.common.contract import Chunk, Fault
from lineage_analytics.loaders.common.sampling import WRAPPERS, delimiter_of
from lineage_analytics.loaders.common.scan import elements

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from lineage_analytics.loaders.common.contract import Document

WHOLE_BYTES = 64 * 1024 * 1024
RECORDS_PER_CHUNK = 4_096
RECORD_BYTES = 16 * 1024 * 1024
Raws = list[msgspec.Raw] | list[bytes]


def json_chunks(document: Document, wrappers: Sequence[str] = WRAPPERS) -> Iterator[Chunk]:
    """The JSON objects of a document, unwrapped from a key in ``wrappers``, an array, lines or bare values.

    A cut document yields its good prefix and a last chunk with ``truncated`` set.
    """
    wrapper = document.sample.wrapper
    kind = wrapper if wrapper in wrappers or wrapper in ("array", "lines") else "object"
    pieces = document.chunks()
    head, complete = _up_to(pieces, WHOLE_BYTES)
    if complete and not getattr(document, "damage", None):
        raws = _split_whole(head, kind)
        if raws is not None:
            yield from _checked(raws, wrappers)
            return
    yield from _checked_stream(document, _joined(head, pieces), kind, wrappers)


def csv_chunks(document: Document) -> Iterator[Chunk]:
    """Every CSV row as a JSON object keyed by the header's names; rows of another width become Faults."""
    csv.field_size_limit(RECORD_BYTES)
    text = _Text(document.chunks())
    first = text.peek_line()
    reader = csv.reader(text, delimiter=delimiter_of(first), strict=True)
    header: list[str] | None = None
    rows: list[bytes] = []
    faults: list[Fault] = []
    start = position = 0
    while True:
        try:
            row = next(reader)
        except StopIteration:
            break
        except (csv.Error, UnicodeDecodeError) as error:
            faults.append(Fault(position, "broken_csv", str(error)[:200]))
            position += 1
            if isinstance(error, UnicodeDecodeError):
                break
            continue
        if header is None:
            header = [name.strip() for name in row]
            continue
        if not row:
            continue
        if len(row) != len(header):
            faults.append(Fault(position, "broken_csv", f"wanted {len(header)} cells, found {len(row)}"))
        else:
            rows.append(msgspec.json.encode(dict(zip(header, row, strict=True))))
        position += 1
        if len(rows) >= RECORDS_PER_CHUNK:
            yield Chunk(start, rows, faults=faults)
            start, rows, faults = position, [], []
    yield Chunk(start, rows, faults=faults, truncated=_damaged(document, faults, position))


def whole(document: Document) -> bytes:
    """The whole document; for formats that are one object, such as an account's authorization details."""
    data, complete = _up_to(document.chunks(), WHOLE_BYTES * 8)
    if not complete:
        raise LimitError(f"Wanted {document.file} whole in memory", "it is larger than 512 MiB",
                         "export it in pages")
    return data


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


_WRAPPED = {
    name: msgspec.json.Decoder(msgspec.defstruct(f"Wrapped_{name}", [(name, list[msgspec.Raw])], gc=False))
    for name in WRAPPERS
}
_LIST = msgspec.json.Decoder(list[msgspec.Raw])
_RAW = msgspec.json.Decoder(msgspec.Raw)


def _split_whole(data: bytes, kind: str) -> Raws | None:
    """All raw records by one decoder call, or None when the text is not clean JSON of that kind."""
    try:
        if kind == "lines":
            return [line for line in data.split(b"\n") if line.strip()]
        if kind == "array":
            return _LIST.decode(data)
        if kind == "object":
            return [_RAW.decode(data)]
        raws: list[msgspec.Raw] = getattr(_WRAPPED[kind].decode(data), kind)
    except (msgspec.DecodeError, RecursionError):
        return None
    return raws


def _checked(raws: Raws, wrappers: Sequence[str]) -> Iterator[Chunk]:
    for start in range(0, max(len(raws), 1), RECORDS_PER_CHUNK):
        yield _chunk(start, raws[start : start + RECORDS_PER_CHUNK], wrappers)


def _chunk(start: int, raws: Iterable[msgspec.Raw | bytes], wrappers: Sequence[str]) -> Chunk:
    good: list[msgspec.Raw | bytes] = []
    faults: list[Fault] = []
    for position, raw in enumerate(raws, start):
        fault = _fault(position, raw)
        if fault is None:
            good.append(raw)
        else:
            faults.append(fault)
    if not wrappers or not good or not _is_wrapped(good[0], wrappers):
        return Chunk(start, good, faults=faults)
    return Chunk(start, [inner for raw in good for inner in _unwrap(raw, wrappers)], faults=faults)


def _is_wrapped(raw: msgspec.Raw | bytes, wrappers: Sequence[str]) -> bool:
    head = bytes(memoryview(raw)[:40]).lstrip(b"{ \t\r\n")
    return any(head.startswith(b'"' + name.encode() + b'"') for name in wrappers)


def _unwrap(raw: msgspec.Raw | bytes, wrappers: Sequence[str]) -> Raws | list[bytes | msgspec.Raw]:
    for name in wrappers:
        try:
            inner: list[msgspec.Raw] = getattr(_WRAPPED[name].decode(raw), name)
        except (msgspec.DecodeError, RecursionError):
            continue
        return inner
    return [raw]


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


def _checked_stream(
    document: Document, pieces: Iterator[bytes], kind: str, wrappers: Sequence[str]
) -> Iterator[Chunk]:
    source = _stream_lines(pieces) if kind == "lines" else elements(pieces, kind, RECORD_BYTES)
    start = position = 0
    raws: list[bytes] = []
    faults: list[Fault] = []
    cut = False
    for raw, reason in source:
        if reason == "truncated":
            cut = True
            faults.append(Fault(position, "truncated", "the document ends inside this record"))
        elif reason is not None:
            faults.append(Fault(position, reason, "text that is not a JSON object"))
        elif (fault := _fault(position, raw)) is not None:
            last = kind == "lines" and getattr(document, "damage", None) is not None
            faults.append(fault if not last else Fault(position, "broken_json", fault.detail))
        else:
            raws.append(raw)
        position += 1
        if len(raws) >= RECORDS_PER_CHUNK:
            yield _with_faults(start, raws, faults, wrappers)
            start, raws, faults = position, [], []
    chunk = _with_faults(start, raws, faults, wrappers)
    chunk.truncated = _damaged(document, chunk.faults, position) or cut
    yield chunk


def _with_faults(start: int, raws: list[bytes], faults: list[Fault], wrappers: Sequence[str]) -> Chunk:
    chunk = _chunk(start, raws, wrappers)
    chunk.faults.extend(faults)
    return chunk


def _stream_lines(pieces: Iterator[bytes]) -> Iterator[tuple[bytes, str | None]]:
    rest = b""
    for piece in pieces:
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            if line.strip():
                yield line, None
        if len(rest) > RECORD_BYTES:
            yield b"", "record_too_large"
            rest = b""
    if rest.strip():
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
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._pieces = pieces
        self._lines: list[str] = []
        self._rest = ""
        self._ended = False

    def peek_line(self) -> str:
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
