"""The records of a long list, a mebibyte at a time: each window is split by one decoder call.

Where a window may end is guessed (before the text every record so far begins with) and then proved: what lies before
must decode as a list. Text is read from left to right, so what decodes from the start of a record on is what stands
there. The first window that does not decode ends this; it and all after it are left to slower and more patient ways.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator

WINDOW_BYTES = 1 << 20
_BLANK = b" \t\r\n"
_COMMA = ord(",")
_FIRST_KEY = re.compile(rb'\s*(\{\s*"(?:[^"\\]|\\.)*"\s*:)')
_records = msgspec.json.Decoder(list[msgspec.Raw])


class Windows:
    """Iterate for the records of all windows but the last; then ``rest`` is a document of the same form."""

    def __init__(self, pieces: Iterator[bytes], kind: str) -> None:
        """``kind`` is ``array``, or the key that opens the document and whose list holds the records."""
        self._pieces = pieces
        self._pattern = rb"\s*\[" if kind == "array" else rb'\s*\{\s*"' + re.escape(kind.encode()) + rb'"\s*:\s*\['
        self._held = b""

    def __iter__(self) -> Iterator[list[msgspec.Raw]]:
        self._held = next(self._pieces, b"")
        opening = re.match(self._pattern, self._held)
        first = _FIRST_KEY.match(self._held, opening.end()) if opening else None
        if opening is None or first is None:
            return
        begins, held = first[1], bytearray(self._held[opening.end() :])
        for piece in self._pieces:
            held += piece
            if len(held) < WINDOW_BYTES:
                continue
            end = held.rfind(begins, 1)
            raws = _split(held, end) if end > 0 else None
            if raws is None:
                break
            del held[:end]
            yield raws
        self._held = opening[0] + held

    def rest(self) -> Iterator[bytes]:
        """What was not split, behind the opening of the document."""
        yield self._held
        yield from self._pieces


def _split(held: bytearray, end: int) -> list[msgspec.Raw] | None:
    """The records before ``end``, where the next one begins; None when what stands there is no part of a list."""
    while end and held[end - 1] in _BLANK:
        end -= 1
    if not end or held[end - 1] != _COMMA:
        return None
    with memoryview(held) as view, view[: end - 1] as listed:
        text = b"".join((b"[", listed, b"]"))  # the one copy: records point into it
    try:
        return _records.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return None
