"""Rows of an XML export of ServiceNow as objects, read as a stream by a parser that follows no entity and no file."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from xml.parsers import expat

import msgspec

from lineage_analytics.loaders.common import xmls
from lineage_analytics.loaders.common.contract import Chunk, Fault

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lineage_analytics.loaders.common.contract import Document

ROWS_PER_CHUNK = 8_192
_ROW_BYTES = 16 << 20
_DEPTH = 8
_HEAD = re.compile(
    rb"\s{0,64}(?:<\?xml[^>]{0,200}\?>\s{0,64})?<(?:unload|xml)\b[^<>]{0,300}>\s{0,64}<([a-z][a-z0-9_]{1,80})\b")


def table_of(head: bytes) -> str | None:
    """The table of the first row, where the text is an export of rows with a sys_id; else None."""
    found = _HEAD.match(head)
    return found.group(1).decode() if found is not None and b"<sys_id" in head else None


class _Rows:
    """Rows as expat meets them: the second level of elements, their children the fields."""

    def __init__(self) -> None:
        self.done: list[tuple[str, bytes]] = []
        self._path: list[str] = []
        self._row: dict[str, Any] = {}
        self._text: list[str] = []
        self._size = 0
        self._display: str | None = None

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        self._path.append(tag)
        if len(self._path) > _DEPTH:
            raise xmls.RefusedError("elements too deep")
        if len(self._path) == 2:
            self._row, self._size = {}, 0
        elif len(self._path) == 3:
            self._text, self._display = [], attributes.get("display_value")

    def data(self, text: str) -> None:
        if len(self._path) >= 3:
            self._size += len(text)
            if self._size > _ROW_BYTES:
                raise xmls.RefusedError("a row too large")
            self._text.append(text)

    def end(self, tag: str) -> None:
        if len(self._path) == 3:
            value = "".join(self._text)
            self._row[tag] = value if self._display is None else {"value": value, "display_value": self._display}
        elif len(self._path) == 2:
            self.done.append((tag, msgspec.json.encode(self._row)))
        self._path.pop()


def chunks(document: Document) -> Iterator[Chunk]:
    """The rows, each tagged with its table; what cannot be read further is one fault behind them."""
    rows = _Rows()
    parser = xmls.parser(rows)
    start, fault = 0, None
    try:
        for piece in document.chunks():
            parser.Parse(piece, False)
            while len(rows.done) >= ROWS_PER_CHUNK:
                part, rows.done = rows.done[:ROWS_PER_CHUNK], rows.done[ROWS_PER_CHUNK:]
                yield Chunk(start, [raw for _, raw in part], [tag for tag, _ in part])
                start += len(part)
        parser.Parse(b"", True)
    except expat.ExpatError as error:
        ended = error.code in (3, 5) or getattr(document, "damage", None) is not None  # no element; unclosed token
        fault = Fault(start + len(rows.done), "truncated" if ended else "broken_xml",
                      f"the document cannot be read further: {expat.ErrorString(error.code)}")
    except (xmls.RefusedError, UnicodeError) as error:
        fault = Fault(start + len(rows.done), "refused_xml", str(error)[:200])
    yield Chunk(start, [raw for _, raw in rows.done], [tag for tag, _ in rows.done], [fault] if fault else [],
                truncated=fault is not None)
