"""Kubernetes audit events out of their packings: batches, CloudWatch, Azure diagnostics, Log Analytics (sources 8)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec

from lineage_analytics.loaders.common.contract import Chunk, Match
from lineage_analytics.loaders.common.packings import csv_columns, head_keys, json_or_array_chunks, row_chunks
from lineage_analytics.loaders.common.records import json_chunks
from lineage_analytics.loaders.common.spread import tagged_spread
from lineage_analytics.loaders.common.values import Fields, embedded, fold, text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lineage_analytics.loaders.common.contract import Document, Sample

_INNER = ("log", "log_s", "message", "@message", "properties", "event", "requestmessage", "_source", "result", "_raw")
_LISTS = ("logEvents", "items", "records")
_EKS_GROUP = re.compile(r"^/aws/eks/([^/]{1,100})/cluster$")
_EKS_HEAD = re.compile(rb'"logGroup"\s{0,4}:\s{0,4}"/aws/eks/')
_AKS = re.compile(r"/managedclusters/([^/]{1,100})", re.IGNORECASE)
_DEPTH = 4


class _Cell(msgspec.Struct, gc=False):
    field: str = ""
    value: str = ""


class _Page(msgspec.Struct, gc=False):
    results: list[list[_Cell]] | None = None
    logEvents: list[msgspec.Raw] | None = None  # noqa: N815  (as CloudWatch writes it)
    items: list[msgspec.Raw] | None = None
    records: list[msgspec.Raw] | None = None
    logGroup: str | None = None  # noqa: N815


_page = msgspec.json.Decoder(_Page)


def match(sample: Sample) -> Match | None:
    """Which packing of audit events a file is; None when it holds none."""
    first = sample.first
    columns = csv_columns(sample)
    if {"auditid", "stage", "verb"} <= columns or (columns & set(_INNER) and b"audit.k8s.io" in sample.head):
        return Match("csv", 0.9, "rows with audit events of audit.k8s.io")
    if first is None:
        long = {"auditid", "stage"} <= head_keys(sample)
        return Match("json", 0.8, "auditID and stage in a first record longer than the head") if long else None
    queried = first.get("results")
    if isinstance(queried, list) and queried and isinstance(queried[0], list) and b"audit.k8s.io" in sample.head:
        return Match("pages", 0.9, "rows of a Logs Insights query with audit events")
    listed = next((key for key in _LISTS if isinstance(first.get(key), list)), None)
    if listed is not None and sample.wrapper not in _LISTS:
        held = next((item for item in first[listed] if isinstance(item, dict)), None)
        if held is not None and (is_event(opened(held)[0]) or _is_cluster_log(held, sample.head)):
            return Match("pages", 0.95, f"audit events in {listed}, page after page")
    if not is_event(opened(first)[0]) and not _is_cluster_log(first, sample.head):
        return None
    shape = "pages" if sample.wrapper == "logEvents" else "json"
    return Match(shape, 0.95, "auditID with stage, or kind Event of audit.k8s.io")


def _is_cluster_log(first: Mapping[str, Any], head: bytes) -> bool:
    """Whether a control-plane log that begins with something else holds audit events further on."""
    if "message" in first and _EKS_HEAD.search(head):
        return b"audit.k8s.io" in head or b"kube-apiserver-audit" in head
    row = fold(first)
    return b"kube-audit" in head and _AKS.search(text(row.get("resourceid")) or "") is not None


def unpacked(document: Document) -> Iterator[Chunk]:
    """Raw records; each tagged with the cluster its envelope names, else with nothing."""
    if document.shape != "pages":
        return row_chunks(document) if document.shape == "csv" else json_or_array_chunks(document)
    return tagged_spread(json_chunks(document, wrappers=()), _opened_page)


def _opened_page(raw: bytes | msgspec.Raw) -> tuple[list[bytes | msgspec.Raw], str]:
    try:
        page = _page.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return [raw], ""
    if page.results is not None:
        return [msgspec.json.encode({cell.field: cell.value for cell in row}) for row in page.results], ""
    listed = next((held for held in (page.logEvents, page.items, page.records) if held is not None), None)
    group = _EKS_GROUP.match(page.logGroup or "")
    return [raw] if listed is None else list(listed), group[1] if group else ""


def is_event(fields: Mapping[str, Any]) -> bool:
    """Whether the folded object is an audit event; an event object of the core API is none."""
    if "involvedobject" in fields or "protopayload" in fields or {"method", "responsecode"} <= fields.keys():
        return False  # an event of the core API, an entry of Cloud Logging, a call of a manager in front of clusters
    said = "objectref" in fields or "requesturi" in fields or "responsestatus" in fields
    if "auditid" in fields and ("stage" in fields or "verb" in fields or said):
        return True
    api = text(fields.get("apiversion")) or ""
    return text(fields.get("kind")) == "Event" and (api.startswith("audit.k8s.io") or ("verb" in fields and said))


def opened(record: Mapping[str, Any], depth: int = _DEPTH) -> tuple[Fields, str | None]:
    """The audit event inside a record, folded, and the cluster an envelope names; the record when there is none."""
    fields = fold(record)
    cluster = _AKS.search(text(fields.get("resourceid", fields.get("_resourceid"))) or "")
    named = cluster[1] if cluster else None
    if is_event(fields) or depth == 0:
        return fields, named
    for key in _INNER:
        inner = embedded(fields.get(key))
        if isinstance(inner, dict):
            found, inside = opened(inner, depth - 1)
            if is_event(found):
                return found, inside or named
    return fields, named
