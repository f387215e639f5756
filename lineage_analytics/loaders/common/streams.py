"""Decompressed bytes as they come: every stream gives all it holds before it says that it breaks off."""

from __future__ import annotations

import bz2
import io
from typing import IO, TYPE_CHECKING, Any

import polars as pl
from isal import isal_zlib

if TYPE_CHECKING:
    from collections.abc import Iterator

_GZIP_WINDOW, _FEED_BYTES = 31, 1 << 18
_ROWS = 5_000


class Source(io.RawIOBase):
    """A readable stream made of ``read``."""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        piece = self.read(len(buffer)) or b""
        buffer[: len(piece)] = piece
        return len(piece)


class Peeked(Source):
    """A stream whose first bytes have been looked at; where it breaks off among them, reading on tells."""

    def __init__(self, stream: IO[bytes], count: int) -> None:
        self._stream = stream
        self._broken: Exception | None = None
        self.head = b""
        while len(self.head) < count and (piece := self._more(count - len(self.head))):
            self.head += piece
        self._held = self.head

    def _more(self, size: int) -> bytes:
        if self._broken is not None:
            return b""
        try:
            return self._stream.read(size)
        except Exception as error:  # raised again once all before it has been given
            self._broken = error
            return b""

    def read(self, size: int = -1) -> bytes:
        if self._held:
            held = self._held if size < 0 else self._held[:size]
            self._held = self._held[len(held) :]
            return held + self._more(size - len(held) if size >= 0 else size) if len(held) != size else held
        if self._broken is not None:
            raise self._broken
        return self._stream.read(size)


class Gzip(Source):
    """A gzip stream, members one after another. A cut or broken one gives all it holds before it raises."""

    def __init__(self, raw: IO[bytes]) -> None:
        self._raw = raw
        self._member: Any = isal_zlib.decompressobj(wbits=_GZIP_WINDOW)
        self._rest = b""
        self._started = False

    def read(self, size: int = -1) -> bytes:
        """At most ``size`` bytes, b"" at the end; EOFError where the stream is cut."""
        while True:
            if self._member.eof:
                self._rest = self._member.unused_data.lstrip(b"\0")
                self._member, self._started = isal_zlib.decompressobj(wbits=_GZIP_WINDOW), False
            fed = self._rest or self._member.unconsumed_tail or self._raw.read(_FEED_BYTES)
            self._rest = b""
            piece: bytes = self._member.decompress(fed, max(size, 0)) if fed or self._started else b""
            if piece:
                self._started = True
                return piece
            if not fed:
                if self._started:
                    raise EOFError("the gzip stream ends early")
                return b""
            self._started = True


class Bzip2(Source):
    """A bzip2 stream, members one after another; EOFError where it is cut."""

    def __init__(self, raw: IO[bytes]) -> None:
        self._raw = raw
        self._member = bz2.BZ2Decompressor()
        self._fed = False

    def read(self, size: int = -1) -> bytes:
        while True:
            if self._member.eof:
                rest = self._member.unused_data
                self._member, self._fed = bz2.BZ2Decompressor(), False
            else:
                rest = b""
            fed = rest or (self._raw.read(_FEED_BYTES) if self._member.needs_input else b"")
            if not fed and self._member.needs_input:
                if self._fed:
                    raise EOFError("the bzip2 stream ends early")
                return b""
            self._fed = True
            piece = self._member.decompress(fed, size)
            if piece:
                return piece


def zstandard(raw: IO[bytes]) -> IO[bytes]:
    """A Zstandard stream, frames one after another."""
    import zstandard as zstd  # noqa: PLC0415  (few files need it)

    found: IO[bytes] = zstd.ZstdDecompressor(max_window_size=1 << 27).stream_reader(raw, read_across_frames=True)
    return found


class ParquetRows(Source):
    """The rows of a Parquet file as JSON objects on lines, some thousand at a time; binary cells as text or base64."""

    def __init__(self, file: Any) -> None:
        self._rows = _json_lines(file)
        self._held = b""

    def read(self, size: int = -1) -> bytes:
        if not self._held:
            self._held = next(self._rows, b"")
        if size < 0 or size >= len(self._held):
            piece, self._held = self._held, b""
        else:
            piece, self._held = self._held[:size], self._held[size:]
        return piece


def _json_lines(file: Any) -> Iterator[bytes]:
    try:
        for batch in pl.scan_parquet(file).collect_batches(chunk_size=_ROWS, maintain_order=True):
            yield _texts(batch).write_ndjson().encode()
    except pl.exceptions.PolarsError as error:
        raise ValueError(f"a Parquet file that cannot be read: {type(error).__name__}") from error


def _texts(batch: pl.DataFrame) -> pl.DataFrame:
    """The batch with binary columns as text; in base64 where one is none."""
    for name in (name for name, dtype in batch.schema.items() if dtype == pl.Binary):
        try:
            column = batch[name].cast(pl.String)
        except pl.exceptions.ComputeError:
            column = batch[name].bin.encode("base64")
        batch = batch.with_columns(column)
    return batch
