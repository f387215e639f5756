"""JSON objects out of a stream of any size, cut or broken anywhere, one record in memory at a time.

Brackets outside strings are found with array operations over each piece; the nesting depth, an open string and a
trailing backslash carry over to the next piece.
"""

from __future__ import annotations

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


@dataclass
class _State:
    depth: int = 0
    in_string: bool = False
    escaped: bool = False


def elements(pieces: Iterator[bytes], kind: str, limit: int) -> Iterator[tuple[bytes, str | None]]:
    """``(raw object, None)`` in order, or ``(b"", reason)`` for text that is none.

    ``kind`` is ``object`` (bare values one after another), ``array``, or the key whose array holds the records.
    """
    base = {"object": 0, "array": 1}.get(kind, 2)
    opening = None if base < 2 else b'"' + kind.encode() + b'"'
    state = _State()
    pending = bytearray()
    started = opening is None
    for piece in _small(pieces):
        for part, depth_after, closes in _parts(piece, state, base):
            pending += part
            if not started:
                at = pending.find(opening or b"")
                started = depth_after >= base and at >= 0
                if started:
                    del pending[: pending.index(b"[", at) + 1]
            if started and depth_after < base:
                return
            if started and closes:
                raw, junk = _trim(pending, base)
                if junk:
                    yield b"", "broken_json"
                yield raw, None
                pending.clear()
            if len(pending) > limit:
                yield b"", "record_too_large"
                pending.clear()
    if pending.strip(_BLANK + b"[]{}") or state.depth > 0:
        yield b"", "truncated"


def _trim(pending: bytearray, base: int) -> tuple[bytes, bool]:
    """The object at the end of ``pending``, and whether something else stood before it."""
    start = pending.find(b"{")
    lead = pending[: max(start, 0)].strip(_BLANK)
    if base == 1 and lead[:1] == b"[":
        lead = lead[1:].strip(_BLANK)
    return bytes(pending[max(start, 0) :]), bool(lead)


def _small(pieces: Iterator[bytes]) -> Iterator[bytes]:
    for piece in pieces:
        for start in range(0, len(piece), _PIECE):
            yield piece[start : start + _PIECE]


def _parts(piece: bytes, state: _State, base: int) -> Iterator[tuple[bytes, int, bool]]:
    """The piece cut after every bracket that opens or closes at the record depth."""
    data = np.frombuffer(piece, dtype=np.uint8)
    steps = np.where(_outside_strings(data, state), _OPEN[data], 0)
    at = np.flatnonzero(steps)
    depths = state.depth + np.cumsum(steps[at])
    before = depths - steps[at]
    shallow = np.minimum(depths, before) <= base
    start = 0
    for end, depth, previous in zip(at[shallow] + 1, depths[shallow], before[shallow], strict=True):
        yield piece[start:end], int(depth), bool(depth == base and previous == base + 1)
        start = int(end)
    if at.size:
        state.depth = int(depths[-1])
    if start < len(piece):
        yield piece[start:], state.depth, False


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
        carried = (last_other[np.maximum(quotes - 1, 0)] < 0) & state.escaped
        quotes = quotes[(run + carried) % 2 == 0]
        tail = data.size - 1 - int(last_other[-1])
        state.escaped = bool((tail + (state.escaped and last_other[-1] < 0)) % 2)
    toggles = np.zeros(data.size, dtype=np.int8)
    toggles[quotes] = 1
    inside = (np.cumsum(toggles, dtype=np.int64) + state.in_string) % 2 == 1
    state.in_string = bool(inside[-1]) if data.size else state.in_string
    outside: np.ndarray[tuple[int], np.dtype[np.bool_]] = ~inside
    return outside
