"""Records inside what search engines put around them: a hit of Elasticsearch, a result or an event of Splunk.

    {"_index": ..., "_source": {"event": {"original": "{...}"}}}       {"preview": false, "result": {"_raw": "{...}"}}

What is inside is the record as its provider wrote it, so that no loader need know who stored it in between. Where it is
kept no longer, what the engine made of it stays as it is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import msgspec

from lineage_analytics.loaders.common.answers import Broken
from lineage_analytics.loaders.common.records import csv_chunks, json_chunks
from lineage_analytics.loaders.common.sampling import decode_object
from lineage_analytics.loaders.common.values import fold, obj

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lineage_analytics.loaders.common.contract import Chunk, Document, Sample

_DEPTH = 3
_RESULT = frozenset({"preview", "offset", "lastrow"})
_EVENT = frozenset({"time", "host", "source", "sourcetype", "index", "event", "fields"})
_SHIPPED = frozenset({"ecs", "agent", "input", "@version"})
_ORIGINAL = "event.original"
_CELLS = frozenset({"_raw", _ORIGINAL, f"_source.{_ORIGINAL}"})
# A cell of a CSV that holds JSON or an event of Windows.
_WHOLE_CELL = re.compile(rb'(?:^|[,;\t])(?:"\s*\{\s*""|"?\s*<Event[ >])', re.MULTILINE)
_XML = re.compile(r"\s*<Event[\s>]")


def is_wrapped(sample: Sample) -> bool:
    """Whether the records of a file are inside such envelopes, by its first one."""
    if sample.columns:
        named = {column.lower() for column in sample.columns}
        return not _CELLS.isdisjoint(named) and _WHOLE_CELL.search(sample.head) is not None
    return sample.first is not None and _inside(sample.first) is not None


@dataclass
class Outside:
    """A document as it stands in the file, while what is in its envelopes becomes the document."""

    document: Any
    sample: Sample
    pieces: Iterator[bytes]

    def chunks(self) -> Iterator[bytes]:
        return self.pieces

    @property
    def damage(self) -> str | None:
        found: str | None = self.document.damage
        return found


def lines(outside: Outside) -> Iterator[bytes]:
    """The records inside the envelopes, each a line; one without stays; what is no record is a line that is none.

    Raises
    ------
    Broken : behind the records before it.
    """
    document = cast("Document", outside)
    for chunk in csv_chunks(document) if outside.sample.columns else json_chunks(document):
        yield from _lines(chunk)
        if chunk.truncated:
            raise Broken("the document ends inside a record")


def _lines(chunk: Chunk) -> Iterator[bytes]:
    raws = dict(chunk.placed())
    for position in sorted({*raws, *(fault.position for fault in chunk.faults if fault.position is not None)}):
        yield _line(raws[position]) if position in raws else b"!\n"


def _line(raw: bytes | msgspec.Raw) -> bytes:
    record = decode_object(raw)
    if record is None:
        return b"!\n"
    inside = _inside(record)
    if isinstance(inside, str):
        return inside.encode("utf-8", "replace") + b"\n"
    return msgspec.json.encode(record if inside is None else inside) + b"\n"


def _inside(record: Mapping[str, Any], depth: int = _DEPTH) -> dict[str, Any] | str | None:
    """The record in an envelope, also in one inside another, or the XML of it; None when it is no envelope."""
    found = _opened(fold(record))
    if isinstance(found, dict) and depth:
        return _inside(found, depth - 1) or found
    return found


def _opened(fields: Mapping[str, Any]) -> dict[str, Any] | str | None:
    if "winlog" in fields:  # Winlogbeat tells more beside the text of an event than in it
        return None
    if isinstance(fields.get("_source"), dict) and fields.keys() & {"_index", "_id"}:
        return _held(fields["_source"])
    if isinstance(fields.get("result"), dict) and fields.keys() & _RESULT:
        return _held(fields["result"])
    if "_raw" in fields:
        return _held(fields["_raw"])
    if "event" in fields and "time" in fields and fields.keys() <= _EVENT:
        return _held(fields["event"])
    original = fields.get(_ORIGINAL, fields.get(f"_source.{_ORIGINAL}", obj(fields.get("event")).get("original")))
    if original is not None:
        return _held(original)
    return _held(fields.get("message")) if "@timestamp" in fields and fields.keys() & _SHIPPED else None


def _held(value: object) -> dict[str, Any] | str | None:
    if isinstance(value, dict):
        return value
    if not isinstance(value, str):
        return None
    return decode_object(value.encode("utf-8", "replace")) or (value if _XML.match(value) else None)
