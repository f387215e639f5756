"""Cloud Audit Logs of Google Cloud: activity, callers, access changes, keys, use of models, GKE calls (sources 7.1).

Shapes  LogEntry objects as array, lines, single objects or pages (``entries`` of the API among them); Pub/Sub envelopes
        with Base64 data; rows out of BigQuery and Log Analytics (``protopayload_auditlog``, ``requestJson``, lower
        case, underscores); payload parts as JSON text; keys that are paths, also as columns of a CSV; Sentinel's
        GCPAuditLogs; ``@type`` renamed; envelopes of search engines and test suites.
Maps    every audit entry with a time to ``activity``; callers, delegates and members to ``identity_facts``; binding
        deltas, service accounts, keys, roles, pools, organisation policies, log sinks, elevation grants, users and
        groups of the directory to ``decision_steps``; the accounts through which such a change came to
        ``delegations``; added bindings to ``entitlements``; keys made, switched and deleted to ``credentials``; calls
        of publisher models, Gemini and agent engines to ``assistant_access``. The recommender's action log, mixed in,
        is read as ``gcp_recommender`` reads it.
Drops   request and response bodies but for targets, deltas and hashes of what was set; prompts and answers; entries of
        other logs (flows, load balancers, containers), rejected as ``out_of_scope`` by the name of their log.
Schema  google.cloud.audit.AuditLog and LogEntry v2; unknown keys of entry and payload are kept in ``unmapped``.

GKE calls (``io.k8s.*``) are entries of the same log and are read here, never by ``k8s_audit``: action, actor and target
are those of Kubernetes, the cluster named ``<project>/<location>/<cluster>``.

The address of the caller may be redacted: then nobody is named. With a delegation chain the actor is the service
account that called and ``on_behalf_of_id`` the first of the chain, whose authority it was; the accounts between stand
in ``extra_resource_ids``. An operation that has begun and not ended (``operation.first`` alone) has outcome unknown.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from lineage_analytics.loaders import _gcp_entries, _k8s_events
from lineage_analytics.loaders._gcp_entry import (
    WORKSPACE,
    is_action_log,
    is_entry,
    parse,
)
from lineage_analytics.loaders._gcp_members import PROVIDER
from lineage_analytics.loaders._gcp_pages import paged
from lineage_analytics.loaders._k8s_shapes import is_event as is_kubernetes_event
from lineage_analytics.loaders._k8s_shapes import opened
from lineage_analytics.loaders._query_export import names_of
from lineage_analytics.loaders.common.assembly import Entry, RecordFault, assemble
from lineage_analytics.loaders.common.contract import Batch, Chunk, Match
from lineage_analytics.loaders.common.packings import chunks_by_shape, csv_columns, head_keys, is_page

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lineage_analytics.loaders.common.contract import Document, Sample

__all__ = ["FEEDS", "LATENESS", "PROVIDER", "detect", "extract", "transform"]

LATENESS = timedelta(hours=1)
FEEDS = frozenset({"activity", "assistant_access", "credentials", "decision_steps", "delegations", "entitlements",
                   "identity_facts"})
SOURCE = "gcp_audit"

_ENTRIES = "entries"
_PAYLOAD_COLUMNS = ("protopayload.", "protopayload_auditlog.", "proto_payload.")


def detect(sample: Sample) -> Match | None:
    """Entries of Cloud Logging by ``protoPayload``, or ``logName`` with a payload; not the recommender's own log."""
    first = sample.first
    columns = csv_columns(sample)
    paths = any(column.startswith(_PAYLOAD_COLUMNS) for column in columns)
    if paths and columns & {"logname", "insertid", "timestamp"}:
        return Match("csv", 0.95, "columns of a log entry with protoPayload")
    if names_of(columns) >= WORKSPACE:
        return Match("csv", 0.95, "columns of Sentinel's GCPAuditLogs")
    if _ENTRIES in sample.keys and b'"protoPayload"' in sample.head and sample.wrapper in ("object", "lines"):
        return Match(_ENTRIES, 0.95, "answers of entries.list with protoPayload")
    if first is None:
        keys = head_keys(sample)
        long = "protopayload" in keys and bool(keys & {"logname", "methodname", "insertid"})
        return Match("json", 0.8, "protoPayload in a first record longer than the head") if long else None
    pages = sample.wrapper == "lines" and is_page(first)
    if pages:
        listed_in = (item for key in ("value", "records") for item in first.get(key) or ())
        first = next((item for item in listed_in if isinstance(item, dict)), None)
    if not is_entry(first) or (is_action_log(first) and b"protoPayload" not in sample.head):
        return None
    return Match("pages" if pages else "json", 0.95, "LogEntry of Cloud Logging: protoPayload, or logName and payload")


def extract(document: Document) -> Iterator[Chunk]:
    """Entries as they stand in the file; envelopes are opened record by record."""
    return paged(document, (_ENTRIES,)) if document.shape == _ENTRIES else chunks_by_shape(document)


def transform(chunk: Chunk, document: Document) -> Batch:
    """Activity, identities, steps, grants, keys and assistant use of one chunk."""
    return assemble(chunk, document, SOURCE, _read)


def _read(entry: Entry) -> None:
    """An entry; among them an event as a Kubernetes API server writes it, of no cluster that the file would name."""
    try:
        found = parse(entry)
    except RecordFault:
        if not is_kubernetes_event(opened(entry.fields)[0]):
            raise
        entry.tag = ""
        _k8s_events.read(entry)
    else:
        _gcp_entries.told(entry, found)
