"""How CloudTrail records are packed: recognised from the head of a file, and taken out of their envelopes."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from lineage_analytics.loaders import _cloudtrail_console as console
from lineage_analytics.loaders._cloudtrail_flat import is_caller
from lineage_analytics.loaders.common import records
from lineage_analytics.loaders.common.contract import Chunk, Fault
from lineage_analytics.loaders.common.sampling import LINES, decode_object

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lineage_analytics.loaders.common.contract import Document, Sample

Raw = bytes | msgspec.Raw
CSV = "athena_csv"
CSV_CELLS = "record_in_cell_csv"

# Envelopes by the key that holds the record, as an object or as JSON text.
_ENVELOPES = {
    "CloudTrailEvent": "lookup_events", "detail": "eventbridge", "message": "cloudwatch_export",
    "@message": "cloudwatch_insights", "_source": "search_export", "log": "envelope", "_raw": "splunk_raw",
    "result": "splunk_export",
}
_PAGES = ("Records", "logEvents", "Events", "events")
_PACKAGINGS = {"Records": "records_json", "array": "array", "lines": "ndjson"}
_KEY = re.compile(rb'"([A-Za-z]{2,40})"\s{0,4}:')
_CELL_KEY = re.compile(rb'""([A-Za-z]{2,40})""\s{0,4}:')
_CELLS = frozenset({"@message", "message", "_raw", "cloudtrailevent"})
_CONTROL = "CWL CONTROL MESSAGE"
_SPLUNK = "result"
_NEEDED = frozenset({"eventname", "eventsource"})
_TELLING = frozenset({"useridentity", "eventversion", "recipientaccountid"})
_INSIGHT = frozenset({"insightdetails", "eventtype", "eventid"})


class Form(NamedTuple):
    """``page``: the key of a list of records in each object; ``envelope``: the key of the record in each entry."""

    shape: str
    page: str | None = None
    envelope: str | None = None


def form(sample: Sample) -> Form | None:
    """How the records of the file are packed; None when they are not CloudTrail's."""
    if sample.columns:
        if _is_record(sample.columns):
            return Form(CSV)
        return Form(console.SHAPE) if console.is_history(sample.columns) else _cell_form(sample)
    first = sample.first
    if first is None:
        return _cut_form(sample)
    page = None
    if sample.wrapper in (LINES, "array"):
        page = next((key for key in _PAGES if _holds_objects(first.get(key))), None)
    entry = first if page is None else first[page][0]
    if _is_record(entry):
        shape = _PACKAGINGS.get(sample.wrapper, "object")
        return Form(shape if page is None else f"{shape}_pages", page)
    for envelope, shape in _ENVELOPES.items():
        held = entry.get(envelope)
        record = decode_object(held.encode("utf-8", "replace")) if isinstance(held, str) else held
        if envelope == _SPLUNK and isinstance(record, dict) and isinstance(record.get("_raw"), str):
            record = decode_object(record["_raw"].encode("utf-8", "replace"))
        if isinstance(record, dict) and _is_record(record):
            return Form(shape, page, envelope)
    return None


def _cell_form(sample: Sample) -> Form | None:
    """A CSV that holds whole records, one in a cell of each row, as log groups and search engines save them."""
    keys = tuple(key.decode() for key in _CELL_KEY.findall(sample.head))
    held = next((column for column in sample.columns if column.lower() in _CELLS), None)
    return Form(CSV_CELLS, envelope=held) if held is not None and _is_record(keys) else None


def _cut_form(sample: Sample) -> Form | None:
    """The form of a file whose first record is larger than its head; by the keys that a record begins with."""
    if sample.wrapper not in (*_PACKAGINGS, "object"):
        return None
    keys = tuple(key.decode() for key in _KEY.findall(sample.head))
    return Form(_PACKAGINGS.get(sample.wrapper, "object")) if _is_record(keys) else None


def _is_record(names: Mapping[str, Any] | tuple[str, ...]) -> bool:
    keys = {name.lower() for name in names}
    told = not keys.isdisjoint(_TELLING) or any(is_caller(name) for name in names)
    return (keys >= _NEEDED and told) or keys >= _INSIGHT


def _holds_objects(value: object) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict)


def unpacked(document: Document) -> Iterator[Chunk]:
    """Raw CloudTrail records, out of pages and envelopes."""
    packed = form(document.sample) or Form("object")
    if packed.shape in (CSV, console.SHAPE):
        yield from records.csv_chunks(document)
        return
    if packed.shape == CSV_CELLS:
        chunks = records.csv_chunks(document)
    else:
        chunks = records.json_chunks(document, wrappers=()) if packed.page else records.json_chunks(document)
    if packed.page is None and packed.envelope is None:
        yield from chunks
        return
    start = 0
    for chunk in chunks:
        opened = _opened(chunk, packed, start)
        start += len(opened.raws) + len(opened.faults)
        yield opened


def _opened(chunk: Chunk, packed: Form, start: int) -> Chunk:
    """The chunk's records, counted from ``start``; what was a fault already keeps its place between them."""
    page = _field(packed.page, list[msgspec.Raw]) if packed.page else None
    envelope = _field(packed.envelope, msgspec.Raw) if packed.envelope else None
    raw = _field("_raw", msgspec.Raw) if packed.envelope == _SPLUNK else None
    raws: list[Raw] = []
    faults: list[Fault] = []
    known = {fault.position: fault for fault in chunk.faults}
    held = dict(chunk.placed())
    for position in sorted({*known, *held}, key=lambda p: -1 if p is None else p):
        if position is None or position in known:
            faults.append(replace(known[position], position=start + len(raws) + len(faults)))
            continue
        for entry in _entries(held[position], page):
            record = entry if envelope is None else _inner(entry, envelope, raw)
            if isinstance(record, Fault):
                faults.append(replace(record, position=start + len(raws) + len(faults)))
            else:
                raws.append(record)
    return Chunk(start, raws, faults=faults, truncated=chunk.truncated)


def _field(key: str, kind: Any) -> msgspec.json.Decoder[Any]:
    """A decoder of the one field ``inner``, written as ``key``."""
    return msgspec.json.Decoder(msgspec.defstruct("Field", [("inner", kind)], rename={"inner": key}, gc=False))


def _entries(raw: Raw, page: msgspec.json.Decoder[Any] | None) -> list[Raw]:
    if page is None:
        return [raw]
    try:
        listed: list[Raw] = page.decode(raw).inner
    except (msgspec.DecodeError, UnicodeDecodeError):
        return [raw]
    return listed


def _inner(entry: Raw, envelope: msgspec.json.Decoder[Any], raw: msgspec.json.Decoder[Any] | None) -> Raw | Fault:
    try:
        inner = envelope.decode(entry).inner
        if raw is not None:
            inner = raw.decode(inner).inner
        if bytes(memoryview(inner)[:1]) != b'"':
            text: Raw = inner
        else:
            said = msgspec.json.decode(inner, type=str)
            if said.startswith(_CONTROL):
                return Fault(None, "out_of_scope", "a control message of the log pipeline", "rejected")
            text = said.encode()
    except (msgspec.DecodeError, UnicodeError) as error:
        return Fault(None, "broken_json", f"no record in this envelope: {str(error)[:150]}")
    if decode_object(text) is None:
        return Fault(None, "broken_json", "what the envelope holds is no JSON object")
    return text
