"""Windows events as XML text: saved by the event viewer, queried by ``wevtutil``, or an event a line."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from xml.parsers import expat

import msgspec

from lineage_analytics.loaders.common import xmls
from lineage_analytics.loaders.common.contract import Chunk, Fault
from lineage_analytics.loaders.common.records import RECORD_BYTES, RECORDS_PER_CHUNK, Tagged, tagged_chunks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lineage_analytics.loaders.common.contract import Document

_NAMESPACE = b"schemas.microsoft.com/win/2004/08/events/event"
_EVENT = re.compile(rb"<Event(?=[\s>])")
_END = b"</Event>"
_SYSTEM, _DATA, _USER = ["Event", "System"], ["Event", "EventData"], ["Event", "UserData"]


def is_events(head: bytes) -> bool:
    # What is copied out of a browser has a dash before each element that can be folded.
    return head.lstrip(b"- ")[:1] == b"<" and _NAMESPACE in head and _EVENT.search(head) is not None


def xml_chunks(document: Document) -> Iterator[Chunk]:
    """Every event as an object, as converters of XML write them; one that is no XML is a fault in its place."""
    return tagged_chunks(map(_event, _events(document.chunks())), document, RECORDS_PER_CHUNK)


def _event(text: bytes) -> Tagged:
    cut = not text.endswith(_END)
    found = None if cut else _read(text)
    if found is None:
        return Fault(None, "truncated" if cut else "broken_record", "an event that is no whole XML")
    return "", msgspec.json.encode(found)


def _events(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """The text of each event, from its tag to the tag that ends it; what begins and does not end comes last."""
    held = b""
    for piece in pieces:
        *whole, held = (held + piece).split(_END)
        for text in whole:
            if (begun := _EVENT.search(text)) is not None:
                yield text[begun.start():] + _END
        if len(held) > RECORD_BYTES:
            held = b""
    if (begun := _EVENT.search(held)) is not None:
        yield held[begun.start():]


class _Fields:
    """What expat meets in one event."""

    def __init__(self) -> None:
        self.system: dict[str, Any] = {}
        self.named: dict[str, str] = {}
        self.user: dict[str, dict[str, str]] = {}
        self._path: list[str] = []
        self._text: list[str] = []
        self._name: str | None = None

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        if self._path == _SYSTEM and attributes:
            self.system[tag] = dict(attributes)
        self._name = attributes.get("Name") if self._path == _DATA else None
        self._path.append(tag)
        self._text = []

    def data(self, text: str) -> None:
        self._text.append(text)

    def end(self, tag: str) -> None:
        self._path.pop()
        said = "".join(self._text)
        if self._path == _SYSTEM and said:
            self.system[tag] = said
        elif self._path == _DATA and self._name is not None:
            self.named[self._name] = said
        elif len(self._path) == 3 and self._path[:2] == _USER:
            self.user.setdefault(self._path[2], {})[tag] = said
        self._text = []


def _read(text: bytes) -> dict[str, Any] | None:
    fields = _Fields()
    try:
        xmls.parser(fields).Parse(text, True)
    except (expat.ExpatError, xmls.RefusedError, UnicodeError):
        return None
    return {"Event": {"System": fields.system, "EventData": fields.named, "UserData": fields.user}}
