"""The log that a desktop client keeps of its MCP servers: a time, the server and what was said, a line each."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import msgspec

from lineage_analytics.loaders.common.contract import Chunk, Fault
from lineage_analytics.loaders.common.records import RECORD_BYTES, RECORDS_PER_CHUNK, Tagged, tagged_chunks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lineage_analytics.loaders.common.contract import Document

_LINES_TRIED = 50
# The server stands before or behind the level, depending on which of its files the client writes.
_LINE = re.compile(r"(\d{4}-\d\d-\d\dT[\d:.]{5,20}Z) \[([^\]]{1,200})\] \[([^\]]{1,200})\] (.*)", re.DOTALL)
_LEVELS = frozenset({"debug", "info", "warn", "warning", "error"})
_SAID = re.compile(r"Message from (client|server): (?=\{)")
_DECODER = json.JSONDecoder()


def is_desktop(head: bytes) -> bool:
    """Whether one of the first lines is a message as such a client logs it."""
    return any((found := _LINE.match(line.decode("utf-8", "replace"))) and _SAID.match(found[4])
               for line in head.split(b"\n", _LINES_TRIED)[:_LINES_TRIED])


def desktop_chunks(document: Document) -> Iterator[Chunk]:
    """The lines with a time as objects with an envelope. Lines without one are what a server printed beside it."""
    return tagged_chunks(_said(document), document, RECORDS_PER_CHUNK)


def _said(document: Document) -> Iterator[Tagged]:
    for line in _lines(document.chunks()):
        found = _LINE.match(line.decode("utf-8", "replace"))
        if found is not None:
            record = _record(found)
            yield Fault(None, "out_of_scope", record, "rejected") if isinstance(record, str) else (
                "", msgspec.json.encode(record))


def _lines(pieces: Iterator[bytes]) -> Iterator[bytes]:
    rest = b""
    for piece in pieces:
        *lines, rest = (rest + piece).split(b"\n")
        yield from lines
        if len(rest) > RECORD_BYTES:
            rest = b""
    yield rest


def _record(line: re.Match[str]) -> dict[str, Any] | str:
    """The message with its envelope; in words why there is none. A client cuts long answers, so that they say
    nothing of how the call went."""
    said = _SAID.match(line[4])
    if said is None:
        return "a line without a JSON-RPC message"
    try:
        message, _ = _DECODER.raw_decode(line[4], said.end())
    except (ValueError, RecursionError):
        return f"a message of the {said[1]} that the client cut when it wrote it"
    server = line[3] if line[2].lower() in _LEVELS else line[2]
    return {"timestamp": line[1], "server": server, "session_id": server, "direction": said[1], "message": message}
