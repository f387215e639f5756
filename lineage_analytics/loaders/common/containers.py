"""Input files as streams: folders, gzip, zip, tar and tar.gz, told apart by content, never extracted to disk."""

from __future__ import annotations

import codecs
import hashlib
import io
import os
import stat
import tarfile
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

from isal import isal_zlib

from lineage_analytics.errors import LimitError
from lineage_analytics.loaders.common.sampling import HEAD_BYTES, sample

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from lineage_analytics.loaders.common.contract import Sample

SKIPPED_FOLDERS = frozenset({"truth"})
READ_BYTES = 1 << 20
MEMBERS = 100_000
DECOMPRESSED_BYTES = 64 << 30
RATIO, RATIO_FROM_BYTES = 200, 100 << 20

_UTF16 = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}
_GZIP_WINDOW, _FEED_BYTES = 31, 1 << 18
_BROKEN_STREAM: tuple[type[Exception], ...] = (
    EOFError, cast("type[Exception]", isal_zlib.error), zipfile.BadZipFile, tarfile.TarError, OSError,
    NotImplementedError, RuntimeError, ValueError)


@dataclass(frozen=True)
class InputFile:
    """A file to read and the name it goes by in every output: relative to the path that was given."""

    path: Path
    name: str
    size: int

    def sha256(self) -> str:
        with self.path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()


@dataclass(frozen=True)
class Skipped:
    """Something under a given path that is not read, and why."""

    name: str
    reason: str


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

    def __post_init__(self) -> None:
        pieces: list[bytes] = []
        while sum(map(len, pieces)) < HEAD_BYTES and (piece := self._next()):
            pieces.append(piece)
        self._head = b"".join(pieces)
        complete = len(self._head) < HEAD_BYTES and self.damage is None
        self._encoding = next((name for bom, name in _UTF16.items() if self._head.startswith(bom)), None)
        text = next(self._decoded(iter((self._head[:HEAD_BYTES],)), final=complete), b"")
        self.sample = sample(text, complete=complete)

    def chunks(self) -> Iterator[bytes]:
        """The document as UTF-8 without byte order mark, in pieces of about a mebibyte. Once only."""
        return self._decoded(self._pieces(), final=True)

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
        yield decoder.decode(first[2:]).encode()
        for piece in pieces:
            yield decoder.decode(piece).encode()
        yield decoder.decode(b"", final=final).encode()


def input_files(paths: Iterable[Path]) -> Iterator[InputFile | Skipped]:
    """Every regular file under the paths, in name order; links, devices and ``truth`` folders are named, not read."""
    for given in paths:
        if given.is_file():
            yield InputFile(given, given.name, given.stat().st_size)
            continue
        closed: list[OSError] = []
        for folder, folders, files in os.walk(given, onerror=closed.append):
            here = Path(folder)
            for name in sorted(folders):
                if name in SKIPPED_FOLDERS:
                    yield Skipped((here / name).relative_to(given).as_posix(), "known answers, never read")
                elif (here / name).is_symlink():
                    yield Skipped((here / name).relative_to(given).as_posix(), "a link to a folder, not followed")
            folders[:] = sorted(set(folders) - SKIPPED_FOLDERS)
            for name in sorted(files):
                yield _entry(here / name, given)
        for error in closed:
            name = Path(os.fsdecode(error.filename)).relative_to(given).as_posix()
            yield Skipped(name, f"cannot be read: {error.strerror}")


def _entry(path: Path, root: Path) -> InputFile | Skipped:
    name = path.relative_to(root).as_posix()
    try:
        status = path.lstat()
        if not stat.S_ISREG(status.st_mode):
            return Skipped(name, "not a regular file")
        path.open("rb").close()
    except OSError as error:
        return Skipped(name, f"cannot be read: {error.strerror}")
    return InputFile(path, name, status.st_size)


def members(source: InputFile, file_sha256: str) -> Iterator[Member | Skipped]:
    """The documents inside a file. One layer of archive, each member possibly gzipped."""
    with source.path.open("rb") as raw:
        magic = raw.read(512)
        raw.seek(0)
        if magic[:2] == b"\x1f\x8b":
            yield from _gzip(source, file_sha256, raw)
        elif magic[:4] in (b"PK\x03\x04", b"PK\x05\x06"):
            yield from _zip(source, file_sha256, raw)
        elif magic[257:262] == b"ustar":
            yield from _tar(source, file_sha256, raw)
        else:
            yield Member(source.name, None, file_sha256, raw)


class _Gzip(io.RawIOBase):
    """A gzip stream, members one after another. A cut or broken one gives all it holds before it raises."""

    def __init__(self, raw: IO[bytes]) -> None:
        self._raw = raw
        self._member: Any = isal_zlib.decompressobj(wbits=_GZIP_WINDOW)
        self._rest = b""
        self._started = False

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        """At most ``size`` bytes, b"" at the end; EOFError where the stream is cut."""
        while True:
            if self._member.eof:
                self._rest = self._member.unused_data.lstrip(b"\0")
                self._member, self._started = isal_zlib.decompressobj(wbits=_GZIP_WINDOW), False
            fed = self._rest or self._member.unconsumed_tail or self._raw.read(_FEED_BYTES)
            self._rest = b""
            if not fed:
                if self._started:
                    raise EOFError("the gzip stream ends early")
                return b""
            self._started = True
            piece: bytes = self._member.decompress(fed, max(size, 0))
            if piece:
                return piece

    def readinto(self, buffer: Any) -> int:
        piece = self.read(len(buffer))
        buffer[: len(piece)] = piece
        return len(piece)


def _gzip(source: InputFile, digest: str, raw: IO[bytes]) -> Iterator[Member | Skipped]:
    try:
        magic = _Gzip(raw).read(512)
    except _BROKEN_STREAM:
        magic = b""
    raw.seek(0)
    if magic[257:262] == b"ustar":
        yield from _tar(source, digest, cast("IO[bytes]", io.BufferedReader(_Gzip(raw))))
    else:
        yield Member(source.name, None, digest, cast("IO[bytes]", _Gzip(raw)), compressed=source.size)


def _inner(source: InputFile, name: str, digest: str, stream: IO[bytes], compressed: int) -> Member:
    """A member of an archive, unzipped once more when it is gzip."""
    buffered = io.BufferedReader(stream) if isinstance(stream, io.RawIOBase) else stream
    head = buffered.peek(2)[:2] if hasattr(buffered, "peek") else b""
    inner = cast("IO[bytes]", _Gzip(buffered)) if head == b"\x1f\x8b" else buffered
    return Member(source.name, name, digest, inner, compressed=compressed)


def _zip(source: InputFile, digest: str, raw: IO[bytes]) -> Iterator[Member | Skipped]:
    try:
        archive = zipfile.ZipFile(raw)
    except _BROKEN_STREAM as error:
        yield Skipped(source.name, f"a zip that cannot be opened: {type(error).__name__}")
        return
    with archive:
        entries = [entry for entry in archive.infolist() if not entry.is_dir()]
        if len(entries) > MEMBERS:
            yield Skipped(source.name, f"limit_exceeded: more than {MEMBERS} members")
            return
        for entry in sorted(entries, key=lambda e: e.filename):
            try:
                with archive.open(entry) as stream:
                    yield _inner(source, entry.filename, digest, stream, entry.compress_size)
            except _BROKEN_STREAM as error:
                yield Skipped(f"{source.name}!{entry.filename}", f"cannot be read: {type(error).__name__}")


def _tar(source: InputFile, digest: str, raw: IO[bytes]) -> Iterator[Member | Skipped]:
    try:
        with tarfile.open(fileobj=raw, mode="r|") as archive:
            for count, entry in enumerate(archive):
                if count >= MEMBERS:
                    yield Skipped(source.name, f"limit_exceeded: more than {MEMBERS} members")
                    return
                if entry.isdir():
                    continue
                stream = archive.extractfile(entry) if entry.isreg() else None
                if stream is None:
                    yield Skipped(f"{source.name}!{entry.name}", "a link or special member")
                    continue
                yield _inner(source, entry.name, digest, stream, 0)
    except _BROKEN_STREAM as error:
        yield Skipped(source.name, f"truncated: the archive breaks off ({type(error).__name__})")
