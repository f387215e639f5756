"""Microsoft 365 unified audit log: activity, seen identities, assistant use, sharing changes (sources 4.1 to 4.4).

Shapes  the portal's CSV and ``Search-UnifiedAuditLog`` rows (an ``AuditData`` cell), Management API arrays, lines and
        single objects, Graph audit-query records (``auditData`` object or text), Sentinel ``OfficeActivity``,
        ``CopilotActivity`` and ``LLMActivity`` rows, Defender ``CloudAppEvents`` with ``RawEventData``, test-suite
        envelopes. One record gives the same rows in all of them.
Maps    every record with an operation and a time to ``activity``; users and applications to ``identity_facts``;
        interactions with assistants, Security Copilot and agents among them, to ``assistant_access``; sharing, access
        requests and settings to ``decision_steps``.
Drops   what was asked or answered, and every other text people wrote; the decisions in record types 8, 9 and 15, which
        the directory's own log holds; Defender rows of other applications, rejected as ``out_of_scope``.
Schema  the Management Activity schema as of 2026; unknown operations and record types are activity, the types noted as
        drift, unknown keys ``unmapped`` without their texts.

A row whose only time is one in figures, as PowerShell writes ``CreationDate`` in the language of its reader, is read
where day and month cannot be taken for each other, and is ``no_time`` elsewhere; ``AuditData`` that is cut is
``broken_json``, because a part of a record would pass for the whole.
A user is their login in lower case within the organisation; an empty ``UserId`` leaves the actor null. The declared
lateness is that of interaction records, 72 h; other workloads deliver within 24 h.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import polars as pl

from lineage_analytics import tables
from lineage_analytics.loaders._m365_activity import activity as activity_rows
from lineage_analytics.loaders._m365_actor import Actor, actor_of, as_fact
from lineage_analytics.loaders._m365_copilot import (
    ASSISTANT_APPS,
    accesses,
    acting_assistant,
    agent_of,
    assistant_of,
    is_interaction,
    named_agent,
    payload_of,
)
from lineage_analytics.loaders._m365_record import KNOWN, PAYLOADS, PROVIDER, NoRecordError, Record, decode
from lineage_analytics.loaders._m365_steps import step
from lineage_analytics.loaders._m365_types import NAMES
from lineage_analytics.loaders.common import origin, secrets
from lineage_analytics.loaders.common.columns import frame, plausible, times
from lineage_analytics.loaders.common.contract import Batch, Chunk, Fault, Match
from lineage_analytics.loaders.common.ids import identity_id
from lineage_analytics.loaders.common.leftovers import Drift, changed_types
from lineage_analytics.loaders.common.packings import chunks_by_shape, csv_columns, head_keys, is_page
from lineage_analytics.loaders.common.values import embedded, fold, guid, name, text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from lineage_analytics.loaders.common.contract import Document, Sample

__all__ = ["LATENESS", "PROVIDER", "detect", "extract", "transform"]

LATENESS = timedelta(hours=72)
FEEDS = frozenset({"activity", "assistant_access", "decision_steps", "identity_facts"})
SOURCE = "m365_audit"

_TYPED = {key: types for key, types in KNOWN.items() if types}


def detect(sample: Sample) -> Match | None:
    """Unified audit by its ``AuditData`` wrapper, or by ``Operation`` beside ``RecordType``, ``Workload`` or a time."""
    columns = csv_columns(sample)
    if "auditdata" in columns:
        return Match("csv", 0.95, "a CSV with an AuditData column")
    if {"raweventdata", "actiontype"} <= columns:
        return Match("csv", 0.9, "CloudAppEvents rows with RawEventData")
    if {"timegenerated", "recordtype", "llmeventdata"} <= columns:
        return Match("csv", 0.95, "CopilotActivity rows: TimeGenerated, RecordType and LLMEventData")
    if {"timegenerated", "operation", "userid"} <= columns:
        return Match("csv", 0.85, "OfficeActivity rows: TimeGenerated, Operation and UserId")
    keys = head_keys(sample)
    if {"operation", "recordtype"} <= keys and {"workload", "organizationid", "userkey"} & keys:
        return Match("json", 0.8, "Operation and RecordType in a first record longer than the head")
    why = _why(sample.first, depth=3) if sample.first is not None else None
    pages = sample.wrapper == "lines" and is_page(sample.first)
    return Match("pages" if pages else "json", why[0], why[1]) if why else None


def _why(first: Mapping[str, Any], depth: int) -> tuple[float, str] | None:
    row = fold(first)
    if "auditlogrecordtype" in row and "auditdata" in row:
        return 0.95, "audit query records: auditLogRecordType with auditData"
    if text(row.get("operation")) and "recordtype" in row and {"workload", "organizationid", "userkey"} & set(row):
        return 0.95, "Operation and RecordType with Workload, OrganizationId or UserKey"
    if text(row.get("operation")) and {"timegenerated", "userid"} <= set(row):
        return 0.85, "OfficeActivity rows: TimeGenerated, Operation and UserId"
    if {"timegenerated", "recordtype"} <= set(row) and {"llmeventdata", "actoruserid"} & set(row):
        return 0.95, "CopilotActivity rows: TimeGenerated and RecordType with LLMEventData or ActorUserId"
    if {"raweventdata", "actiontype"} <= set(row):
        return 0.85, "CloudAppEvents rows with RawEventData"
    if "auditdata" in row and {"operation", "operations", "recordtype", "creationdate"} & set(row):
        return 0.95, "rows with AuditData"
    for key in (*PAYLOADS, "value"):
        inner = embedded(row.get(key))
        if key == "value" and isinstance(inner, list):
            inner = next(iter(inner), None)
        if depth and isinstance(inner, dict) and (found := _why(inner, depth - 1)) is not None:
            return found[0], f"{found[1]}, inside {key}"
    return None


def extract(document: Document) -> Iterator[Chunk]:
    """Rows and records as they stand in the file; CSV rows as objects."""
    return chunks_by_shape(document)


def transform(chunk: Chunk, document: Document) -> Batch:
    """Activity, identity facts, assistant access and decision steps of one chunk."""
    kept, faults = _decoded(chunk, origin.owner_of(document))
    when = times([record.time for record in kept])
    good = plausible(when, (record.time for record in kept))
    faults = [*chunk.faults, *faults]
    if not good.all():
        faults += [_time_fault(record, at) for record, at, ok in zip(kept, when, good, strict=True) if not ok]
        kept = [record for record, ok in zip(kept, good, strict=True) if ok]
        when = when.filter(good)
    if not kept:
        return Batch(pl.Series("record_id", [], dtype=pl.String), {}, faults)
    actors = [actor_of(record) for record in kept]
    activity = activity_rows(kept, actors, when, document, SOURCE)
    frames = {
        "activity": activity,
        "identity_facts": _identity_facts(kept, actors, activity),
        "decision_steps": _steps(kept, actors, activity),
        "assistant_access": _assistant_access(kept, actors, activity),
    }
    secret = pl.col(pl.String).str.replace_all(secrets.SHAPES, secrets.MARKER)
    return Batch(activity["record_id"], {table: held.with_columns(secret) for table, held in frames.items()}, faults,
                 list(_drift(kept)))


def _drift(kept: Sequence[Record]) -> Iterator[Drift]:
    """Record types that are not listed, and known keys of another JSON type."""
    for record in kept:
        if record.record_type not in NAMES and (stated := text(record.fields.get("recordtype"))) is not None:
            yield Drift(record.position, "record_type", stated[:80])
        yield from changed_types({key: record.fields.get(key) for key in _TYPED}, _TYPED, record.position)


def _decoded(chunk: Chunk, owner: origin.Owner | None) -> tuple[list[Record], list[Fault]]:
    kept: list[Record] = []
    faults: list[Fault] = []
    for position, raw in chunk.placed():
        try:
            record = decode(raw, position)
        except NoRecordError as error:
            faults.append(Fault(position, error.reason, error.detail, error.disposition))
            continue
        if owner is not None and owner.contradicts(PROVIDER, record.tenant):
            faults.append(Fault(position, origin.REASON, origin.why(record.tenant, owner.tenant)))
        else:
            kept.append(record)
    return kept, faults


def _time_fault(record: Record, time: datetime | None) -> Fault:
    if time is None:
        return Fault(record.position, "no_time", "CreationTime is no time, or one in which day and month may be either")
    return Fault(record.position, "implausible_time", f"CreationTime {time.isoformat()}, wanted 2000 to 2089")


def _identity_facts(
    kept: Sequence[Record], actors: Sequence[Actor], activity: pl.DataFrame
) -> pl.DataFrame:
    """One row per distinct statement about a principal, under the smallest record id that makes it."""
    best: dict[tuple[str, str, str, str], dict[str, Any]] = {}
    for record, actor, record_id in zip(kept, actors, activity["record_id"], strict=True):
        facts = [as_fact(actor)] if actor.id else []
        if is_interaction(record):
            facts += _assistants(record)
        else:
            facts += _helpers(record)
        for fact in facts:
            key = (fact["id"], fact["kind"], fact["kind_basis"], repr(fact["alt_ids"]))
            if key not in best or record_id < best[key]["record_id"]:
                best[key] = fact | {
                    "tenant": record.tenant, "provider": PROVIDER, "source": SOURCE, "record_id": record_id,
                }
    rows = [best[key] for key in sorted(best)]
    return tables.conform(frame(rows, tables.IDENTITY_FACTS.schema), tables.IDENTITY_FACTS)


def _helpers(record: Record) -> Iterator[dict[str, Any]]:
    """The agent, or the application of an assistant, that a record names though it is no interaction."""
    agent, app = named_agent(record), acting_assistant(record)
    if agent is not None:
        yield _assistant(record, agent, "ai_agent", name(record.fields.get("agentname")))
    if app is not None:
        yield _assistant(record, app, "ai_assistant", ASSISTANT_APPS[app])


def _assistants(record: Record) -> Iterator[dict[str, Any]]:
    """The assistant and the agent an interaction names."""
    payload = payload_of(record)
    agent, assistant = agent_of(record, payload), assistant_of(record, payload)
    label = name(record.fields.get("agentname")) or name(payload.get("targetagentname"))
    for found, kind, shown in ((agent, "ai_agent", label), (assistant, "ai_assistant", None)):
        if found is not None and not (kind == "ai_assistant" and found == agent):
            yield _assistant(record, found, kind, shown)


def _assistant(record: Record, found: str, kind: str, shown: str | None) -> dict[str, Any]:
    return {
        "id": identity_id(PROVIDER, record.tenant, found), "kind": kind, "subkind": None,
        "display_name": shown or found, "alt_ids": [{"kind": "app_id" if guid(found) else "agent_id", "value": found}],
        "kind_basis": "published application id" if found in ASSISTANT_APPS else
                      "named by an interaction record" if is_interaction(record) else "named as an agent by a record",
        "basis": "seen", "excluded_reason": None,
    }


def _steps(kept: Sequence[Record], actors: Sequence[Actor], activity: pl.DataFrame) -> pl.DataFrame:
    rows: list[dict[str, Any]] = []
    at: list[int] = []
    for row, (record, actor, record_id, outcome) in enumerate(
        zip(kept, actors, activity["record_id"], activity["outcome"], strict=True)
    ):
        found = step(record, actor, record_id, outcome)
        if found is not None:
            rows.append(found)
            at.append(row)
    provenance = activity[at].select("time", "tenant", "provider", "source", "raw_ref")
    return tables.conform(
        pl.concat([frame(rows, tables.DECISION_STEPS.schema), provenance], how="horizontal")
        if rows else tables.DECISION_STEPS.empty(), tables.DECISION_STEPS)


def _assistant_access(kept: Sequence[Record], actors: Sequence[Actor], activity: pl.DataFrame) -> pl.DataFrame:
    rows: list[dict[str, Any]] = []
    at: list[int] = []
    for row, (record, actor) in enumerate(zip(kept, actors, strict=True)):
        if is_interaction(record):
            found = list(accesses(record, actor))
            rows += found
            at += [row] * len(found)
    if not rows:
        return tables.ASSISTANT_ACCESS.empty()
    provenance = activity[at].select("time", "tenant", "provider", "source", "record_id", "raw_ref")
    joined = pl.concat([frame(rows, tables.ASSISTANT_ACCESS.schema), provenance], how="horizontal")
    return tables.conform(
        joined.with_columns(interaction_id=pl.coalesce("interaction_id", "record_id")), tables.ASSISTANT_ACCESS)
