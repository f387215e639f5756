"""Documents inside input files: gzip, zip, tar, zstd, bzip2, Parquet, workbooks, one in another, told apart by content.

Nothing is extracted to disk, and nothing is trusted to end well or to stay small.
"""

from __future__ import annotations

import codecs
import io
import tarfile
import zipfile
from dataclasses import dataclass, field
from itertools import chain
from typing import IO, TYPE_CHECKING, NamedTuple, cast

from isal import isal_zlib

from lineage_analytics.errors import LimitError
from lineage_analytics.loaders.common import answers, envelopes, prefixed, streams, workbooks
from lineage_analytics.loaders.common.inputs import InputFile, Skipped
from lineage_analytics.loaders.common.places import input_files
from lineage_analytics.loaders.common.sampling import HEAD_BYTES, is_yaml, sample

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lineage_analytics.loaders.common.contract import Sample

    # Where it is, the stream with its first bytes looked at, and the stream itself for formats read from their end.
    _Unpack = Callable[["_At", IO[bytes], IO[bytes]], Iterator["Member | Skipped"]]

__all__ = ["InputFile", "Member", "Skipped", "input_files", "members"]

READ_BYTES = 1 << 20
MEMBERS = 100_000
DEPTH = 4
HELD_BYTES = 128 << 20
"""An archive inside another that cannot be read from front to back is held in memory, up to this size."""
DECOMPRESSED_BYTES = 64 << 30
RATIO, RATIO_FROM_BYTES = 200, 100 << 20

_UTF16 = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}
_UNMARKED_BYTES = 8
_PEEKED_BYTES = 512
_BROKEN_STREAM: tuple[type[Exception], ...] = (
    EOFError, cast("type[Exception]", isal_zlib.error), zipfile.BadZipFile, tarfile.TarError, OSError,
    NotImplementedError, RuntimeError, ValueError)


@dataclass
class Member:
    """One document inside an input file; satisfies ``contract.Document``.

    ``damage`` is set while reading when the container breaks off; what was read until then stays good.
    """

    file: str
    member: str | None
    file_sha256: str
    _stream: IO[bytes]
    compressed: int = 0
    shape: str = ""
    damage: str | None = None
    sample: Sample = field(init=False)
    _head: bytes = field(init=False, default=b"")
    _encoding: str | None = field(init=False, default=None)
    _read: int = field(init=False, default=0)
    _lines: Iterator[bytes] | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        pieces: list[bytes] = []
        while sum(map(len, pieces)) < HEAD_BYTES and (piece := self._next()):
            pieces.append(piece)
        self._head = b"".join(pieces)
        complete = len(self._head) < HEAD_BYTES and self.damage is None
        self._encoding = _utf16(self._head)
        text = next(self._decoded(iter((self._head[:HEAD_BYTES],)), final=complete), b"")
        if is_yaml(text):
            text, complete = self._from(self._yaml_lines()) or (text, complete)
        elif prefixed.is_prefixed(text):
            text, complete = self._from(prefixed.lines(self.chunks())) or (text, complete)
        elif answers.is_answer(text):
            text, complete = self._from(self._until_broken(answers.lines(self.chunks()))) or (text, complete)
        self.sample = sample(text[:HEAD_BYTES], complete=complete)
        if envelopes.is_wrapped(self.sample):
            inside = envelopes.lines(envelopes.Outside(self, self.sample, self.chunks()))
            text, complete = self._from(self._until_broken(inside)) or (text, complete)
            self.sample = sample(text[:HEAD_BYTES], complete=complete)

    def _from(self, lines: Iterator[bytes]) -> tuple[bytes, bool] | None:
        """The head of the lines that are the document from now on, and whether it is all; None: it has none."""
        held: list[bytes] = []
        while sum(map(len, held)) < HEAD_BYTES and (line := next(lines, b"")):
            held.append(line)
        head = b"".join(held)
        self._lines = chain((head,), lines)
        return (head, len(head) < HEAD_BYTES) if head else None

    def _yaml_lines(self) -> Iterator[bytes]:
        from lineage_analytics.loaders.common import yamls  # noqa: PLC0415  (few files need it)

        try:
            yield from yamls.lines(self._decoded(self._pieces(), final=True))
        except yamls.Refused as error:
            self.damage = str(error)

    def _until_broken(self, lines: Iterator[bytes]) -> Iterator[bytes]:
        try:
            yield from lines
        except answers.Broken as error:
            self.damage = self.damage or str(error)

    def chunks(self) -> Iterator[bytes]:
        """The document as UTF-8 without byte order mark, in pieces of about a mebibyte, once only. As JSON lines: YAML,
        answers of search engines, lines behind a logger's prefix, and records that stand in envelopes."""
        return self._decoded(self._pieces(), final=True) if self._lines is None else self._lines

    def raw(self) -> Iterator[bytes]:
        """The document's own bytes, unpacked but not decoded, in pieces. Once only, instead of ``chunks``."""
        return self._pieces()

    def read(self) -> bytes:
        """The whole document; LimitError above 512 MiB."""
        data = b"".join(self.chunks())
        if len(data) > 512 << 20:
            raise LimitError(f"Wanted {self.file} whole in memory", "it is larger than 512 MiB", "export it in pages")
        return data

    def _pieces(self) -> Iterator[bytes]:
        yield self._head
        while piece := self._next():
            yield piece

    def _next(self) -> bytes:
        if self.damage is not None:
            return b""
        try:
            piece = self._stream.read(READ_BYTES)
        except _BROKEN_STREAM as error:
            self.damage = f"the container breaks off: {type(error).__name__}"
            return b""
        self._read += len(piece)
        if self._read > DECOMPRESSED_BYTES or (
            self.compressed and self._read > RATIO_FROM_BYTES and self._read > RATIO * self.compressed
        ):
            self.damage = "limit_exceeded: it unpacks to far more than its size"
            return b""
        return piece

    def _decoded(self, pieces: Iterator[bytes], *, final: bool) -> Iterator[bytes]:
        first = next(pieces, b"")
        if self._encoding is None:
            yield first.removeprefix(codecs.BOM_UTF8)
            yield from pieces
            return
        decoder = codecs.getincrementaldecoder(self._encoding)("replace")
        yield decoder.decode(first).encode().removeprefix(codecs.BOM_UTF8)
        for piece in pieces:
            yield decoder.decode(piece).encode()
        yield decoder.decode(b"", final=final).encode()


def _utf16(head: bytes) -> str | None:
    """The UTF-16 that a text begins in, by its mark or, without one, by every other byte being zero."""
    marked = next((name for bom, name in _UTF16.items() if head.startswith(bom)), None)
    if marked is not None or len(head) < _UNMARKED_BYTES:
        return marked
    even, odd = set(head[:_UNMARKED_BYTES:2]), set(head[1:_UNMARKED_BYTES:2])
    if odd == {0} and 0 not in even:
        return "utf-16-le"
    return "utf-16-be" if even == {0} and 0 not in odd else None


class _At(NamedTuple):
    """Where a stream stands: in which file and member, how deep, and the compressed bytes it comes from."""

    file: str
    member: str | None
    sha256: str
    compressed: int
    depth: int = 0

    def inside(self, name: str | None = None, compressed: int | None = None) -> _At:
        return _At(self.file, self.member if name is None else "/".join(filter(None, (self.member, name))),
                   self.sha256, self.compressed if compressed is None else compressed, self.depth + 1)

    @property
    def name(self) -> str:
        return self.file if self.member is None else f"{self.file}!{self.member}"


def members(source: InputFile, file_sha256: str) -> Iterator[Member | Skipped]:
    """The documents inside a file, through up to ``DEPTH`` layers of archives and compression."""
    with source.open() as raw:
        yield from _documents(_At(source.name, None, file_sha256, 0), raw, source.size)


def _documents(at: _At, stream: IO[bytes], size: int) -> Iterator[Member | Skipped]:
    """``size`` is that of the stream as it stands, for what unpacks from it; 0 when not known."""
    peeked = streams.Peeked(stream, _PEEKED_BYTES)
    unpack = next((unpack for looks, unpack in _PACKINGS if looks(peeked.head)), None)
    if unpack is None:
        yield Member(at.file, at.member, at.sha256, cast("IO[bytes]", peeked), compressed=at.compressed)
    elif at.depth >= DEPTH:
        yield Skipped(at.name, f"limit_exceeded: packed more than {DEPTH} times")
    else:
        yield from unpack(at._replace(compressed=at.compressed or size), cast("IO[bytes]", peeked), stream)


def _stream(opened: Callable[[IO[bytes]], object]) -> _Unpack:
    """How to unpack a format that holds one stream."""
    def unpack(at: _At, peeked: IO[bytes], _: IO[bytes]) -> Iterator[Member | Skipped]:
        yield from _documents(at.inside(), cast("IO[bytes]", opened(peeked)), 0)
    return unpack


def _seekable(at: _At, peeked: IO[bytes], stream: IO[bytes]) -> IO[bytes] | Skipped:
    """The stream for a format that is read from its end: as it is, or held in memory when it cannot go back."""
    if at.depth == 0 and stream.seekable():
        stream.seek(0)
        return stream
    held = io.BytesIO()
    try:
        while piece := peeked.read(READ_BYTES):
            held.write(piece)
            if held.tell() > HELD_BYTES:
                return Skipped(at.name, f"limit_exceeded: an archive in an archive of more than {HELD_BYTES >> 20} MiB")
    except _BROKEN_STREAM as error:
        return Skipped(at.name, f"cannot be read: {type(error).__name__}")
    held.seek(0)
    return held


def _zip(at: _At, peeked: IO[bytes], stream: IO[bytes]) -> Iterator[Member | Skipped]:
    raw = _seekable(at, peeked, stream)
    if isinstance(raw, Skipped):
        yield raw
        return
    try:
        archive = zipfile.ZipFile(raw)
    except _BROKEN_STREAM as error:
        yield Skipped(at.name, f"a zip that cannot be opened: {type(error).__name__}")
        return
    with archive:
        entries = [entry for entry in archive.infolist() if not entry.is_dir()]
        if len(entries) > MEMBERS:
            yield Skipped(at.name, f"limit_exceeded: more than {MEMBERS} members")
            return
        if workbooks.is_workbook(entries):
            yield from _workbook(at, raw, entries)
            return
        for entry in sorted(entries, key=lambda e: e.filename):
            inside = at.inside(entry.filename, entry.compress_size)
            try:
                with archive.open(entry) as opened:
                    yield from _documents(inside, opened, entry.compress_size)
            except _BROKEN_STREAM as error:
                yield Skipped(inside.name, f"cannot be read: {type(error).__name__}")


def _workbook(at: _At, raw: IO[bytes], entries: list[zipfile.ZipInfo]) -> Iterator[Member | Skipped]:
    try:
        for name, rows in workbooks.sheets(raw, entries):
            inside = at.inside(name)
            yield Member(inside.file, inside.member, inside.sha256, io.BytesIO(rows), compressed=at.compressed)
    except workbooks.Refused as error:
        yield Skipped(at.name, str(error))
    except _BROKEN_STREAM as error:
        yield Skipped(at.name, f"cannot be read: {type(error).__name__}")


def _tar(at: _At, peeked: IO[bytes], _: IO[bytes]) -> Iterator[Member | Skipped]:
    try:
        with tarfile.open(fileobj=peeked, mode="r|") as archive:
            for count, entry in enumerate(archive):
                if count >= MEMBERS:
                    yield Skipped(at.name, f"limit_exceeded: more than {MEMBERS} members")
                    return
                if entry.isdir():
                    continue
                inside = at.inside(entry.name, 0)
                opened = archive.extractfile(entry) if entry.isreg() else None
                if opened is None:
                    yield Skipped(inside.name, "a link or special member")
                    continue
                yield from _documents(inside, opened, entry.size)
    except _BROKEN_STREAM as error:
        yield Skipped(at.name, f"truncated: the archive breaks off ({type(error).__name__})")


def _parquet(at: _At, peeked: IO[bytes], stream: IO[bytes]) -> Iterator[Member | Skipped]:
    raw = _seekable(at, peeked, stream)
    if isinstance(raw, Skipped):
        yield raw
    else:
        yield Member(at.file, at.member, at.sha256, cast("IO[bytes]", streams.ParquetRows(raw)))


_PACKINGS: tuple[tuple[Callable[[bytes], bool], _Unpack], ...] = (
    (lambda head: head.startswith(b"\x1f\x8b"), _stream(streams.Gzip)),
    (lambda head: head.startswith(b"\x28\xb5\x2f\xfd"), _stream(streams.zstandard)),
    (lambda head: head.startswith(b"BZh") and head[4:10] == b"1AY&SY", _stream(streams.Bzip2)),
    (lambda head: head.startswith((b"PK\x03\x04", b"PK\x05\x06")), _zip),
    (lambda head: head[257:262] == b"ustar", _tar),
    (lambda head: head.startswith(b"PAR1"), _parquet),
)
