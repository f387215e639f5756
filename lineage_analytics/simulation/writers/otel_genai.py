"""OpenTelemetry traces: OTLP requests a month, one line a batch; the last days again as Jaeger gives them out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lineage_analytics.simulation.chapters._agents_runs import SERVICE, TRACES
from lineage_analytics.simulation.writers.files import Packed, as_json, put

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from lineage_analytics.simulation.model import Deed, Happened, World

SOURCE = TRACES
_AGAIN = 3


class Log:
    """Spans of a day by trace, in order of their start."""

    def __init__(self, directory: Path, world: World) -> None:
        self._directory = directory
        self._last = max(world.midnights)
        self._month: tuple[str, Packed] | None = None
        self._jaeger: list[dict[str, Any]] = []

    def day(self, happened: Happened) -> None:
        traces: dict[str, list[Deed]] = {}
        for deed in happened.deeds.get(SOURCE, ()):
            traces.setdefault(deed.details["trace"], []).append(deed)
        for spans in traces.values():
            self._packed(happened.day).write(as_json(_request(spans)) + b"\n")
        if (self._last - happened.day).days < _AGAIN:
            self._jaeger += [_trace(trace, spans) for trace, spans in traces.items()]

    def _packed(self, day: datetime) -> Packed:
        month = f"{day:%Y-%m}"
        if self._month is None or self._month[0] != month:
            if self._month is not None:
                self._month[1].close()
            self._month = month, Packed(self._directory / f"traces-{month}.jsonl.gz")
        return self._month[1]

    def end(self) -> None:
        if self._month is not None:
            self._month[1].close()
        put(self._directory / "jaeger-last-days.json.gz", as_json(
            {"data": self._jaeger, "total": 0, "limit": 0, "offset": 0, "errors": None}))


def _request(spans: list[Deed]) -> dict[str, Any]:
    return {"resourceSpans": [{
        "resource": {"attributes": [_pair("service.name", SERVICE), _pair("telemetry.sdk.language", "python")]},
        "scopeSpans": [{"scope": {"name": "northwind.agents", "version": "0.9"}, "spans": [_span(d) for d in spans]}]}]}


def _span(deed: Deed) -> dict[str, Any]:
    details = deed.details
    start = int(deed.time.timestamp()) * 1_000_000_000
    parent = {"parentSpanId": details["parent"]} if details["parent"] else {}
    return {
        "traceId": details["trace"], "spanId": details["span"], **parent, "name": deed.action,
        "kind": 3 if "mcp.session.id" in details["attributes"] else 1, "startTimeUnixNano": str(start),
        "endTimeUnixNano": str(start + int(details["seconds"] * 1_000_000_000)),
        "attributes": [_pair(key, held) for key, held in details["attributes"].items()],
        "status": {"code": 2} if deed.outcome == "failure" else {}}


def _pair(key: str, held: Any) -> dict[str, Any]:
    return {"key": key, "value": _typed(held)}


def _typed(held: Any) -> dict[str, Any]:
    if isinstance(held, bool):
        return {"boolValue": held}
    if isinstance(held, int):
        return {"intValue": str(held)}
    if isinstance(held, float):
        return {"doubleValue": held}
    if isinstance(held, list):
        return {"arrayValue": {"values": [_typed(item) for item in held]}}
    if isinstance(held, dict):
        return {"kvlistValue": {"values": [_pair(key, inner) for key, inner in held.items()]}}
    return {"stringValue": held}


def _trace(trace: str, spans: list[Deed]) -> dict[str, Any]:
    return {"traceID": trace, "spans": [_jaeger_span(deed) for deed in spans],
            "processes": {"p1": {"serviceName": SERVICE, "tags": []}}, "warnings": None}


def _jaeger_span(deed: Deed) -> dict[str, Any]:
    details = deed.details
    failed = [_tag("otel.status_code", "ERROR"), _tag("error", held=True)] if deed.outcome == "failure" else []
    return {
        "traceID": details["trace"], "spanID": details["span"], "operationName": deed.action,
        "references": [{"refType": "CHILD_OF", "traceID": details["trace"], "spanID": details["parent"]}]
        if details["parent"] else [],
        "startTime": int(deed.time.timestamp()) * 1_000_000, "duration": int(details["seconds"] * 1_000_000),
        "tags": [*(_tag(key, held) for key, held in details["attributes"].items()), *failed], "logs": [],
        "processID": "p1"}


def _tag(key: str, held: Any) -> dict[str, Any]:
    kind = "bool" if isinstance(held, bool) else "int64" if isinstance(held, int) else "string"
    return {"key": key, "type": kind, "value": held if kind != "string" else held if isinstance(held, str)
            else as_json(held).decode()}
