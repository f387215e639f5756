"""JSON objects out of a stream of any size, cut or broken anywhere, one record in memory at a time.

Brackets outside strings are found with array operations over each piece; the nesting depth, an open string and a
trailing backslash carry over to the next piece.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

_PIECE = 1 << 20
_OPEN = np.zeros(256, dtype=np.int8)
_OPEN[[ord("{"), ord("[")]] = 1
_OPEN[[ord("}"), ord("]")]] = -1
_BLANK = b" \t\r\n,"
_KEY_BYTES = 200


Found = tuple[bytes, str | None]


@dataclass
class _State:
    depth: int = 0
    in_string: bool = False
    escaped: bool = False


def elements(pieces: Iterator[bytes], kind: str, limit: int) -> Iterator[Found]:
    """``(raw value, None)`` in order, or ``(b"", reason)`` for text that is none.

    ``kind`` is ``object`` (bare values one after another), ``array``, or the key whose array holds the records. Several
    documents one after another are read to the last; one without the key is a single ``no_records``.
    """
    scan = _Scan(kind, limit)
    state = _State()
    for piece in _small(pieces):
        for part, depth, step in _parts(piece, state, scan.base):
            if depth < 0:
                yield b"", "broken_json"
                return
            yield from scan.take(part, depth, step)
    if state.depth > 0:
        yield b"", "truncated"
    elif _junk(scan.pending):
        yield b"", "broken_json"


class _Scan:
    """Where the scan stands: inside a list of records or not, and the text since the last record."""

    def __init__(self, kind: str, limit: int) -> None:
        self.base = {"object": 0, "array": 1}.get(kind, 2)
        self.pending = bytearray()
        self._limit = limit
        self._key = re.compile(rb'"' + re.escape(kind.encode()) + rb'"\s*:\s*\[\Z') if self.base == 2 else None
        self._inside = self.base == 0
        self._listed = self._skipping = False

    def take(self, part: bytes, depth: int, step: int) -> Iterator[Found]:
        """The next text, which ends at a bracket that left the depth at ``depth``; ``step`` 0: at no bracket."""
        self.pending += part
        if self._inside and step < 0 and depth == self.base:
            yield from self._record()
        elif self._inside and depth < self.base:
            if _junk(self.pending[:-1]):
                yield b"", "broken_json"
            self._inside, self._listed = False, True
            self.pending.clear()
        elif not self._inside:
            yield from self._outside(depth, step)
        if self.base and step < 0 and depth == 0:
            if not self._listed:
                yield b"", "no_records"
            self._inside = self._listed = False
        if len(self.pending) > self._limit:
            if self._inside and not self._skipping:
                yield b"", "record_too_large" if depth > self.base else "broken_json"
            self._skipping = self._inside and depth > self.base
            self.pending.clear()

    def _record(self) -> Iterator[Found]:
        if not self._skipping:
            starts = [at for at in (self.pending.find(b"{"), self.pending.find(b"[")) if at >= 0]
            start = min(starts, default=0)
            if _junk(self.pending[:start]):
                yield b"", "broken_json"
            yield bytes(self.pending[start:]), None
        self._skipping = False
        self.pending.clear()

    def _outside(self, depth: int, step: int) -> Iterator[Found]:
        if depth == 1 and step > 0 and _junk(self.pending[:-1]):
            yield b"", "broken_json"
            del self.pending[:-1]
        self._inside = step > 0 and depth == self.base and self._opens()
        if self._inside or (step < 0 and depth < self.base):
            self.pending.clear()

    def _opens(self) -> bool:
        """Whether the list of records begins with the last bracket of the text."""
        if self.pending[-1:] != b"[":
            return False
        return self._key is None or self._key.search(self.pending, max(len(self.pending) - _KEY_BYTES, 0)) is not None


def _junk(text: bytearray) -> bool:
    return bool(text.strip(_BLANK))


def _small(pieces: Iterator[bytes]) -> Iterator[bytes]:
    for piece in pieces:
        for start in range(0, len(piece), _PIECE):
            yield piece[start : start + _PIECE]


def _parts(piece: bytes, state: _State, base: int) -> Iterator[tuple[bytes, int, int]]:
    """The piece cut after every bracket at the record depth or above it, with the depth then and its step (0: none)."""
    data = np.frombuffer(piece, dtype=np.uint8)
    steps = np.where(_outside_strings(data, state), _OPEN[data], 0)
    at = np.flatnonzero(steps)
    depths = state.depth + np.cumsum(steps[at])
    before = depths - steps[at]
    shallow = np.minimum(depths, before) <= base
    start = 0
    for end, depth, previous in zip(at[shallow] + 1, depths[shallow], before[shallow], strict=True):
        yield piece[start:end], int(depth), int(depth - previous)
        start = int(end)
    if at.size:
        state.depth = int(depths[-1])
    if start < len(piece):
        yield piece[start:], state.depth, 0


def _outside_strings(data: np.ndarray[tuple[int], np.dtype[np.uint8]], state: _State) -> np.ndarray[
    tuple[int], np.dtype[np.bool_]
]:
    """True where a byte stands outside any string; quotes escaped by an odd run of backslashes do not count."""
    quotes = np.flatnonzero(data == ord('"'))
    slashes = data == ord("\\")
    if slashes.any() or state.escaped:
        index = np.arange(data.size)
        last_other = np.maximum.accumulate(np.where(slashes, -1, index))
        run = np.where(quotes > 0, quotes - 1 - last_other[np.maximum(quotes - 1, 0)], 0)
        from_start = (quotes == 0) | (last_other[np.maximum(quotes - 1, 0)] < 0)
        carried = from_start & state.escaped
        quotes = quotes[(run + carried) % 2 == 0]
        tail = data.size - 1 - int(last_other[-1])
        state.escaped = bool((tail + (state.escaped and last_other[-1] < 0)) % 2)
    toggles = np.zeros(data.size, dtype=np.int8)
    toggles[quotes] = 1
    inside = (np.cumsum(toggles, dtype=np.int64) + state.in_string) % 2 == 1
    state.in_string = bool(inside[-1]) if data.size else state.in_string
    outside: np.ndarray[tuple[int], np.dtype[np.bool_]] = ~inside
    return outside
