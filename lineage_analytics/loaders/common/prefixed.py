"""JSON lines as loggers deliver them: each behind a time, the prefix of syslog or that of a container runtime.

What the prefix says (when the line was passed on, from which host) is the logger's and no part of the record. A line
without a prefix stays as it is; lines that a runtime cut in parts are joined, so every record keeps its ordinal.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from lineage_analytics.loaders.common.records import RECORD_BYTES
from lineage_analytics.loaders.common.sampling import decode_object

if TYPE_CHECKING:
    from collections.abc import Iterator

_LINES_TRIED = 5
_PRIORITY = rb"<\d{1,3}>"
_ISO = rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[\d.]{0,10}(?:Z|[+-]\d\d:?\d\d)"
_MONTH_DAY = rb"[A-Z][a-z]{2} [ \d]\d (?:\d{4} )?\d\d:\d\d:\d\d"
# RFC 5424 with its structured data; RFC 3164 and what relays make of it; a runtime's stream, with P where more follows.
_FULL = _PRIORITY + rb"1 (?:\S{1,255} ){5}(?:-|(?:\[(?:[^\]\\]|\\.){0,4000}\])+) ?(?:\xef\xbb\xbf)?(?=\{)"
_OLD = rb"(?:" + _PRIORITY + rb")?(?:" + _MONTH_DAY + rb"|" + _ISO + rb") [^\s\[]{1,255} [^\s:]{1,128}: ?(?=\{)"
_RUNTIME = _ISO + rb" (?P<stream>stdout|stderr) (?P<part>[FP])(?::[^ ]{1,20})? "
_TIME = rb"\d{4}-\d\d-\d\dT[\d:.]{5,20}Z? (?=\{)"  # alone, as CloudWatch Logs exports to S3
_PREFIX = re.compile(rb"(?:" + _FULL + rb"|" + _OLD + rb"|" + _RUNTIME + rb"|" + _TIME + rb")")


def is_prefixed(head: bytes) -> bool:
    """Whether the first line, or most of the first, are a prefix and an object, or the first part of one."""
    if head[:1] in (b"{", b"["):
        return False
    tried = [line for line in head.split(b"\n", _LINES_TRIED)[:_LINES_TRIED] if line.strip()]
    return bool(tried) and (_is_record(tried[0]) or 2 * sum(map(_is_record, tried)) > len(tried))


def _is_record(line: bytes) -> bool:
    found = _PREFIX.match(line)
    if found is None:
        return False
    return found["part"] == b"P" or decode_object(line[found.end():]) is not None


def lines(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """The lines without their prefixes, many at a time; the last as it ends, so that a cut stays one."""
    parts: dict[bytes, list[bytes]] = {}
    rest = b""
    for piece in pieces:
        *whole, rest = (rest + piece).split(b"\n")
        found = [line for held in whole if (line := _plain(held, parts)) is not None]
        if found:
            yield b"\n".join(found) + b"\n"
        if len(rest) > RECORD_BYTES:  # one line to whoever reads on, and too large for it
            yield rest
            rest = b""
    last = _plain(rest, parts) or b""
    if left := b"\n".join(b"".join(held) for held in parts.values() if held):
        last = left + b"\n" + last if last else left
    if last:
        yield last


def _plain(line: bytes, parts: dict[bytes, list[bytes]]) -> bytes | None:
    """The line without its prefix; None for a part that others follow."""
    found = _PREFIX.match(line)
    if found is None:
        return line
    text, stream = line[found.end():], found["stream"]
    if stream is None:
        return text
    held = parts.setdefault(stream, [])
    held.append(text.removesuffix(b"\r"))
    if found["part"] == b"P" and sum(map(len, held)) <= RECORD_BYTES:
        return None
    del parts[stream]
    return b"".join(held)
