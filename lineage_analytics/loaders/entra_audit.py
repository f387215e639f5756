"""Entra directory audit log: activity, seen identities, PIM phases and directory changes (sources 3.1 to 3.3).

Shapes  Graph ``directoryAudits`` pages, arrays, lines and single objects; diagnostic-settings envelopes (``records`` or
        lines, the record in ``properties``); Sentinel ``AuditLogs`` rows, JSON or CSV, with dynamic columns as text;
        test-suite envelopes.
Maps    every audit record with a time to ``activity``, the action with plain hyphens and single spaces; actors and
        targets to ``identity_facts``; changes and PIM phases to ``decision_steps``; the assignments that completed PIM
        phases leave to ``entitlements``.
Drops   reasons people gave, but for whether there was one and the ticket or conversation keys quoted in it; sign-ins
        and other categories in the same file, rejected as ``out_of_scope`` by name.
Schema  Graph v1.0 and beta ``directoryAudit``; unknown activities are activity, unknown keys ``unmapped``.

The record id does not depend on the directory's id, because Graph objects of the core directory state none and the
native id is unique without it: the same record from Graph and from a diagnostic setting is one record. Which directory
such objects belong to is decided later, over all that is loaded (``_entra_directory.with_directory``).

``entitlements`` are read from events: what was assigned before the log begins is not among them, and what ended shows
in the decision steps (revoke, expiry), not here. ``as_of`` is therefore null.

Core-directory records that repeat a change which PIM or Conditional Access logs itself are steps with
``native_key_kind`` ``pim_mirror`` or ``ca_mirror`` and the correlation id as ``native_key``.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import polars as pl

from lineage_analytics import tables
from lineage_analytics.loaders._entra_actor import PRINCIPALS, Actor, actor_of, as_fact, target_fact
from lineage_analytics.loaders._entra_directory import with_directory as settle
from lineage_analytics.loaders._entra_record import (
    PROVIDER,
    NoRecordError,
    Record,
    decode,
    kind_of,
    target_id,
)
from lineage_analytics.loaders._entra_steps import change_of, entitlement, step
from lineage_analytics.loaders.common.columns import frame, raw_refs, times
from lineage_analytics.loaders.common.contract import Batch, Chunk, Fault, Match
from lineage_analytics.loaders.common.ids import identity_id, record_ids
from lineage_analytics.loaders.common.packings import (
    csv_columns,
    head_keys,
    is_page,
    json_or_array_chunks,
    page_chunks,
    row_chunks,
)
from lineage_analytics.loaders.common.values import embedded, first, fold, text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from lineage_analytics.loaders.common.contract import Document, Sample

__all__ = ["LATENESS", "PROVIDER", "detect", "extract", "settle", "transform"]

LATENESS = timedelta(hours=2)
FEEDS = frozenset({"activity", "decision_steps", "entitlements", "identity_facts"})
SOURCE = "entra_audit"

_EARLIEST, _LATEST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2090, 1, 1, tzinfo=UTC)
_OUTCOMES = {"success": "success", "failure": "failure", "timeout": "failure"}
_CODE = re.compile(r"[A-Za-z0-9_.]{1,80}")
_WRITES = frozenset({"add", "assign", "update", "unassign", "delete", "create", "remove", "restore", "activate"})
_READS = frozenset({"get", "read", "list", "download"})
_CREATIONS = frozenset({"add user", "add service principal", "add group"})


def detect(sample: Sample) -> Match | None:
    """Directory audit by ``activityDisplayName`` with who and what: alone, in envelopes, among other categories."""
    columns = csv_columns(sample)
    if {"activitydisplayname", "initiatedby", "targetresources"} <= columns:
        return Match("csv", 0.95, "AuditLogs rows: ActivityDisplayName, InitiatedBy and TargetResources")
    if sample.first is None:
        long = {"activitydisplayname", "initiatedby"} <= head_keys(sample)
        return Match("json", 0.8, "activityDisplayName in a first record longer than the head") if long else None
    pages = sample.wrapper == "lines" and is_page(sample.first)
    why = _why(sample.first, sample.head, depth=3)
    return Match("pages" if pages else "json", why[0], why[1]) if why else None


def _why(first_record: Mapping[str, Any], head: bytes, depth: int) -> tuple[float, str] | None:
    row = fold(first_record)
    if text(row.get("activitydisplayname")) and {"initiatedby", "targetresources", "loggedbyservice"} & set(row):
        return 0.95, "activityDisplayName with initiatedBy, targetResources or loggedByService"
    if "microsoft.aadiam" in (text(row.get("resourceid")) or "").lower():
        audit = text(row.get("category")) or ""
        if audit.lower() == "auditlogs" or b'"activityDisplayName"' in head:
            return 0.9, "Microsoft.aadiam envelopes with audit records among them"
    for key in ("properties", "log", "value", "records"):
        inner = embedded(row.get(key))
        if key in ("value", "records") and isinstance(inner, list):
            inner = next(iter(inner), None)
        if depth and isinstance(inner, dict) and (found := _why(inner, head, depth - 1)) is not None:
            return found[0], f"{found[1]}, inside {key}"
    return None


def extract(document: Document) -> Iterator[Chunk]:
    """Rows and records as they stand in the file; CSV rows as objects."""
    if document.shape == "csv":
        yield from row_chunks(document)
    elif document.shape == "pages":
        yield from page_chunks(document)
    else:
        yield from json_or_array_chunks(document)


def transform(chunk: Chunk, document: Document) -> Batch:
    """Activity, identity facts, decision steps and PIM entitlements of one chunk."""
    kept: list[Record] = []
    faults = list(chunk.faults)
    for position, raw in chunk.placed():
        try:
            kept.append(decode(raw, position))
        except NoRecordError as error:
            faults.append(Fault(position, error.reason, error.detail, error.disposition))
    when = times([record.time for record in kept])
    good = when.is_not_null() & when.is_between(_EARLIEST, _LATEST, closed="left")
    if not good.all():
        faults += [_time_fault(record, at) for record, at, ok in zip(kept, when, good, strict=True) if not ok]
        kept = [record for record, ok in zip(kept, good, strict=True) if ok]
        when = when.filter(good)
    if not kept:
        return Batch(pl.Series("record_id", [], dtype=pl.String), {}, faults)
    actors = [actor_of(record) for record in kept]
    activity = _activity(kept, actors, when, document)
    steps, entitlements = _decisions(kept, actors, activity)
    frames = {
        "activity": activity, "identity_facts": _identity_facts(kept, actors, activity),
        "decision_steps": steps, "entitlements": entitlements,
    }
    return Batch(activity["record_id"], frames, faults)


def _time_fault(record: Record, time: datetime | None) -> Fault:
    if time is None:
        return Fault(record.position, "no_time", "activityDateTime is missing or not a time in ISO form")
    return Fault(record.position, "implausible_time", f"activityDateTime {time.isoformat()}, wanted 2000 to 2089")


def _activity(
    kept: Sequence[Record], actors: Sequence[Actor], when: pl.Series, document: Document
) -> pl.DataFrame:
    natives = [record.native_id for record in kept]
    outcomes = [_OUTCOMES.get(record.result, "unknown") for record in kept]

    def column(values: Sequence[str | None]) -> pl.Series:
        return pl.Series(values, dtype=pl.String)

    found = pl.DataFrame({
        "time": when,
        "actor_id": column([actor.id for actor in actors]),
        "via_assistant_id": column([actor.via for actor in actors]),
        "delegation_kind": column(["platform_field" if actor.via else None for actor in actors]),
        "action": column([record.activity for record in kept]),
        "resource_id": column([_resource(record) for record in kept]),
        "outcome": column(outcomes),
        "error_code": column([_error(record, outcome) for record, outcome in zip(kept, outcomes, strict=True)]),
        "is_read": pl.Series([_is_read(record) for record in kept], dtype=pl.Boolean),
        "ip": column([record.ip for record in kept]),
        "client": column([text(record.fields.get("useragent")) or first(record.details, "user-agent")
                          for record in kept]),
        "correlation_id": column([record.correlation for record in kept]),
        "event_id": column(natives),
        "unmapped": column([record.unmapped for record in kept]),
        "tenant": column([record.tenant for record in kept]),
        "record_id": record_ids(PROVIDER, [None] * len(kept), natives),
        "raw_ref": raw_refs(document, [record.position for record in kept]),
    }).with_columns(pl.lit(PROVIDER).alias("provider"), pl.lit(SOURCE).alias("source"))
    return tables.conform(found, tables.ACTIVITY)


def _resource(record: Record) -> str | None:
    """The first target: a principal by its identity id, anything else by type and id."""
    for target in record.targets:
        found, kind = target_id(target), kind_of(target)
        if found is not None:
            return identity_id(PROVIDER, record.tenant, found if kind in PRINCIPALS else f"{kind or 'object'}/{found}")
    return None


def _error(record: Record, outcome: str) -> str | None:
    """A code, never a sentence: the reason field of a failure may hold what somebody wrote."""
    if outcome != "failure":
        return None
    reason = text(record.fields.get("resultreason")) or ""
    return reason if _CODE.fullmatch(reason) else record.result


def _is_read(record: Record) -> bool | None:
    if record.operation_type in _READS:
        return True
    return False if record.operation_type in _WRITES else None


def _identity_facts(kept: Sequence[Record], actors: Sequence[Actor], activity: pl.DataFrame) -> pl.DataFrame:
    """One row per distinct statement about a principal, under the smallest record id that makes it."""
    best: dict[str, dict[str, Any]] = {}
    for record, actor, record_id, time in zip(kept, actors, activity["record_id"], activity["time"], strict=True):
        facts = [as_fact(actor)] if actor.id is not None else []
        facts += [fact for target in record.targets if (fact := target_fact(target, record.tenant)) is not None]
        if record.operation in _CREATIONS and record.result == "success" and len(facts) > 1:
            facts[1]["created_at"] = time
        for fact in facts:
            key = repr((fact["id"], fact["kind"], fact["kind_basis"], fact["alt_ids"], fact["created_at"]))
            if key not in best or record_id < best[key]["record_id"]:
                best[key] = fact | {
                    "tenant": record.tenant, "provider": PROVIDER, "source": SOURCE, "record_id": record_id,
                }
    rows = [best[key] for key in sorted(best)]
    return tables.conform(frame(rows, tables.IDENTITY_FACTS.schema), tables.IDENTITY_FACTS)


def _decisions(
    kept: Sequence[Record], actors: Sequence[Actor], activity: pl.DataFrame
) -> tuple[pl.DataFrame, pl.DataFrame]:
    steps: list[dict[str, Any]] = []
    steps_at: list[int] = []
    grants: list[dict[str, Any]] = []
    grants_at: list[int] = []
    for row, (record, actor, record_id, outcome) in enumerate(
        zip(kept, actors, activity["record_id"], activity["outcome"], strict=True)
    ):
        change = change_of(record, actor)
        if change is None:
            continue
        steps.append(step(record, actor, change, record_id, outcome))
        steps_at.append(row)
        granted = entitlement(record, change, actor, outcome)
        if granted is not None:
            grants.append(granted)
            grants_at.append(row)
    provenance = ("tenant", "provider", "source", "raw_ref")
    return (
        _joined(steps, activity[steps_at].select("time", *provenance), tables.DECISION_STEPS),
        _joined(grants, activity[grants_at].select(pl.col("time").alias("granted_at"), "record_id", *provenance),
                tables.ENTITLEMENTS),
    )


def _joined(rows: Sequence[Mapping[str, Any]], provenance: pl.DataFrame, table: tables.Table) -> pl.DataFrame:
    if not rows:
        return table.empty()
    return tables.conform(pl.concat([frame(rows, table.schema), provenance], how="horizontal"), table)
