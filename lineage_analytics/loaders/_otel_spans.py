"""Spans out of every shape traces are exported in, brought to one form before anything is read from them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from lineage_analytics.loaders.common.sampling import decode_object
from lineage_analytics.loaders.common.times import parse_time
from lineage_analytics.loaders.common.values import Fields, embedded, fold, name, obj, objects, text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

_VALUES = ("stringvalue", "intvalue", "doublevalue", "boolvalue", "bytesvalue")
_HEX = re.compile(r"[0-9a-fA-F]{8,32}")
_INTEGER = re.compile(r"-?[0-9]{1,18}")
_LISTS = ("scopespans", "scope_spans", "instrumentationlibraryspans", "instrumentation_library_spans")


class Span(NamedTuple):
    """One span: ids in lower case, attributes by name as written, and by name with underscores in lower case."""

    trace: str | None
    id: str | None
    parent: str | None
    name: str | None
    time: datetime | None
    status: str
    attributes: dict[str, Any]
    flat: dict[str, Any]
    resource: dict[str, Any]
    events: list[tuple[datetime | None, str | None, dict[str, Any]]]

    def text(self, *names: str) -> str | None:
        """The first stated attribute of these, named with dots."""
        return next((found for key in names if (found := name(self.flat.get(flat_name(key)))) is not None), None)

    def value(self, *names: str) -> object:
        return next((held for key in names if (held := self.flat.get(flat_name(key))) is not None), None)


def flat_name(key: str) -> str:
    return key.lower().replace(".", "_")


def is_trace(record: Mapping[str, Any]) -> str | None:
    """In which shape an object with folded keys holds spans; None when it holds none."""
    if isinstance(record.get("resourcespans"), list) or isinstance(record.get("resource_spans"), list):
        return "otlp"
    if isinstance(record.get("spans"), list) and {"traceid", "processes"} & set(record):
        return "jaeger"
    where = obj(record.get("context")) or obj(record.get("spancontext")) or record
    ids = {"traceid", "trace_id"} & set(where), {"spanid", "span_id"} & set(where)
    return "span" if all(ids) and {"attributes", "tags"} & set(record) else None


def parts(raw: bytes | msgspec.Raw) -> list[bytes]:
    """The spans inside one exported object, each with its resource; an object without any as it stands."""
    whole = decode_object(raw)
    record = fold(whole) if whole is not None else {}
    shape = is_trace(record)
    if shape is None and (inner := obj(record.get("log"))):
        record, shape = inner, is_trace(inner)
    if shape == "otlp":
        return [msgspec.json.encode(found) for found in _otlp(record)]
    if shape == "jaeger":
        return [msgspec.json.encode(found) for found in _jaeger(record)]
    return [bytes(raw)]


def _listed(value: object) -> list[Any]:
    found = embedded(value)
    return found if isinstance(found, list) else []


def _otlp(record: Fields) -> Iterator[dict[str, Any]]:
    for resource in objects(record.get("resourcespans", record.get("resource_spans"))):
        about = obj(resource.get("resource")).get("attributes")
        for key in _LISTS:
            for scope in objects(resource.get(key)):
                for span in _listed(scope.get("spans")):
                    yield {"span": span, "resource": about}


def _jaeger(record: Fields) -> Iterator[dict[str, Any]]:
    processes = embedded(record.get("processes"))
    known = processes if isinstance(processes, dict) else {}
    for span in _listed(record.get("spans")):
        held = fold(span) if isinstance(span, dict) else {}
        process = obj(held.get("process")) or obj(known.get(text(held.get("processid")) or ""))
        about = [*_listed(process.get("tags")), {"key": "service.name", "value": process.get("servicename")}]
        yield {"span": span, "resource": about}


def span_of(fields: Mapping[str, Any]) -> Span | None:
    """The span of a record as ``parts`` hands it on, or of a span exported alone; None when it is none."""
    record = fold(fields)
    if obj(record.get("span")):
        span, about = obj(record.get("span")), record.get("resource")
    else:
        span = obj(record.get("log")) or record
        about = obj(span.get("resource")).get("attributes", span.get("resource"))
    where = obj(span.get("context")) or obj(span.get("spancontext"))
    ids = {**span, **where}
    trace = _hex(ids.get("traceid", ids.get("trace_id")))
    own = _hex(ids.get("spanid", ids.get("span_id")))
    held = attributes_of(span.get("attributes", span.get("tags")))
    if own is None and trace is None:
        return None
    flat = {flat_name(key): value for key, value in held.items()}
    return Span(trace, own, _parent(span), name(span.get("name")) or name(span.get("operationname")), _start(span),
                _status(span, flat), held, flat, attributes_of(about), _events(span))


def _hex(value: object) -> str | None:
    """A trace or span id: hexadecimal in lower case; some exporters write base64, which keeps its case."""
    found = (name(value) or "").removeprefix("0x")
    return (found.lower() if _HEX.fullmatch(found) else found) or None


def _parent(span: Fields) -> str | None:
    for key in ("parentspanid", "parent_span_id", "parent_id", "parentid"):
        if (found := _hex(span.get(key))) is not None:
            return found
    parent = obj(span.get("parentspancontext"))
    if parent:
        return _hex(parent.get("spanid", parent.get("span_id")))
    for reference in objects(span.get("references")):
        if (text(reference.get("reftype")) or "").upper() == "CHILD_OF":
            return _hex(reference.get("spanid"))
    return None


def _start(span: Fields) -> datetime | None:
    for key in ("starttimeunixnano", "start_time_unix_nano", "starttime", "start_time", "timestamp"):
        value = span.get(key)
        if isinstance(value, list) and len(value) == 2 and all(isinstance(part, int) for part in value):
            value = f"{value[0]}.{value[1]:09d}"[:20]  # seconds and nanoseconds
        if (found := parse_time(value)) is not None:
            return found
    return None


def _status(span: Fields, flat: Mapping[str, Any]) -> str:
    """``error``, ``ok``, or ``unset``, which instrumentations leave on what went well."""
    held = obj(span.get("status"))
    code = name(held.get("code", held.get("status_code", held.get("statuscode")))) or name(span.get("status")) or name(
        flat.get("otel_status_code")) or ""
    low = code.lower().removeprefix("status_code_").removeprefix("statuscode.")
    if low in ("2", "error") or (text(flat.get("error")) or "").lower() == "true":
        return "error"
    return "ok" if low in ("1", "ok") else "unset"


def _events(span: Fields) -> list[tuple[datetime | None, str | None, dict[str, Any]]]:
    found = []
    for event in objects(span.get("events", span.get("logs"))):
        held = attributes_of(event.get("attributes", event.get("fields")))
        when = parse_time(event.get("timeunixnano") or event.get("time_unix_nano") or event.get("timestamp"))
        found.append((when, name(event.get("name")) or name(held.get("event")), held))
    return found


def attributes_of(value: object) -> dict[str, Any]:
    """Attributes as a plain object, out of OTLP's typed list, Jaeger's tags or an object."""
    found = embedded(value)
    if isinstance(found, dict):
        return {key: _plain(held) for key, held in found.items()}
    held: dict[str, Any] = {}
    for item in objects(found):
        key = text(item.get("key"))
        if key is not None:
            held[key] = _plain(item.get("value"))
    return held


def _plain(value: object, depth: int = 6) -> Any:
    """OTLP's typed value as the value itself."""
    if not isinstance(value, dict) or depth == 0:
        return value
    folded = {key.lower().replace("_", ""): held for key, held in value.items()}
    for key in _VALUES:
        if key in folded:
            held = folded[key]  # whole numbers come as text
            return int(held) if key == "intvalue" and isinstance(held, str) and _INTEGER.fullmatch(held) else held
    if "arrayvalue" in folded:
        return [_plain(item, depth - 1) for item in _listed(obj(folded["arrayvalue"]).get("values"))]
    if "kvlistvalue" in folded:
        return {text(item.get("key")) or "": _plain(item.get("value"), depth - 1)
                for item in objects(obj(folded["kvlistvalue"]).get("values"))}
    return value
