"""AWS CloudTrail: activity, seen identities, identity changes and assistant use (sources 2.1 to 2.6).

Shapes  ``Records`` files, bare arrays, single objects, newline-delimited objects (also with pipeline fields added, or a
        page of records on each line), lookup-events output, EventBridge envelopes, CloudWatch Logs (subscription,
        filter, query and export to S3), search-engine exports, test-suite envelopes, rows of Athena or Lake tables
        (keys in lower case, values as JSON or structure text, JSON or CSV).
Maps    every record with a time to ``activity``; callers to ``identity_facts``; changes of identities, access and the
        rules on it to ``decision_steps``; conversations with the console assistant to ``assistant_access``.
Drops   request and response bodies but for the target and the hash of what was set; resources after the first; the
        console's event-history CSV, which holds neither request nor caller, is not read.
Schema  event versions 1.02 to 1.11; fields this version does not know are kept in ``unmapped``.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import msgspec
import polars as pl

from lineage_analytics import tables
from lineage_analytics.loaders import _cloudtrail_columns as columns
from lineage_analytics.loaders._cloudtrail_actor import Actor, Actors
from lineage_analytics.loaders._cloudtrail_identities import identity_facts
from lineage_analytics.loaders._cloudtrail_record import Record, decode
from lineage_analytics.loaders._cloudtrail_shapes import form, unpacked
from lineage_analytics.loaders._cloudtrail_steps import Change, is_change, steps
from lineage_analytics.loaders.common.contract import Batch, Fault, Match
from lineage_analytics.loaders.common.sampling import decode_object

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lineage_analytics.loaders.common.contract import Chunk, Document, Sample

PROVIDER = columns.PROVIDER
LATENESS = timedelta(hours=1)
FEEDS = frozenset({"activity", "assistant_access", "decision_steps", "identity_facts"})

_EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
# Not the clock: one mistyped year must not become the newest record of an estate.
_LATEST = datetime(2090, 1, 1, tzinfo=UTC)
_actors = Actors()


def detect(sample: Sample) -> Match | None:
    """CloudTrail by ``eventName`` and ``eventSource`` with what only its records have, in any packing."""
    found = form(sample)
    return None if found is None else Match(
        found.shape, 0.95, "eventName and eventSource with userIdentity, eventVersion or recipientAccountId")


def extract(document: Document) -> Iterator[Chunk]:
    """Raw CloudTrail records, taken out of their envelopes."""
    return unpacked(document)


def transform(chunk: Chunk, document: Document) -> Batch:
    """Activity, identity facts, decision steps and assistant access of one chunk."""
    kept, faults = _decoded(chunk)
    faults = [*chunk.faults, *faults]
    if not kept:
        return Batch(pl.Series("record_id", [], dtype=pl.String), {}, faults)
    found, unmapped, positions = map(list, zip(*kept, strict=True))
    actors = _actors.resolve(found)
    activity = columns.activity(found, actors, unmapped, positions, document)
    good = activity["time"].is_between(_EARLIEST, _LATEST, closed="left").fill_null(value=False)
    if not good.all():
        faults += [_time_fault(position, activity["time"][row]) for row, position in enumerate(positions)
                   if not good[row]]
        keep = good.arg_true().to_list()
        found, actors, activity = [found[i] for i in keep], [actors[i] for i in keep], activity.filter(good)
    frames = {
        "activity": activity,
        "identity_facts": identity_facts(found, actors, activity),
        "decision_steps": _steps(found, actors, activity),
        "assistant_access": _assistant_access(found, activity),
    }
    return Batch(activity["record_id"], frames, faults)


Kept = tuple[Record, str | None, int]


def _decoded(chunk: Chunk) -> tuple[list[Kept], list[Fault]]:
    kept: list[Kept] = []
    faults: list[Fault] = []
    for position, raw in chunk.placed():
        try:
            record, unmapped = decode(raw)
        except msgspec.DecodeError as error:
            faults.append(Fault(position, "broken_json", str(error)[:200]))
            continue
        if record.event_name is None and record.event_source is None:
            faults.append(Fault(position, "not_cloudtrail", "neither eventName nor eventSource"))
        else:
            kept.append((record, unmapped, position))
    return kept, faults


def _time_fault(position: int, time: datetime | None) -> Fault:
    if time is None:
        return Fault(position, "no_time", "eventTime is missing or not a time")
    return Fault(position, "implausible_time", f"eventTime {time.isoformat()}, wanted 2000 to 2089")


def _steps(found: Sequence[Record], actors: Sequence[Actor], activity: pl.DataFrame) -> pl.DataFrame:
    calls = activity.select("action", "is_read", dry=pl.col("is_dry_run").fill_null(value=False))
    changing = [call for call in calls.unique().iter_rows() if not call[2] and is_change(*call[:2])]
    chosen = calls.with_row_index("row").join(
        pl.DataFrame(changing, schema=calls.schema, orient="row"), on=calls.columns, nulls_equal=True,
        maintain_order="left")
    changes = [Change(row, action, actors[row], found[row]) for row, action in chosen.select("row", "action").rows()]
    provenance = activity.select("time", "tenant", "provider", "source", "record_id", "raw_ref")
    return steps(changes, provenance[[change.position for change in changes]])


_CHATS = frozenset({"SendMessage", "StartConversation", "PassRequest"})


def _assistant_access(found: Sequence[Record], activity: pl.DataFrame) -> pl.DataFrame:
    """Conversations with the console assistant: it lists no resources, so completeness is absent."""
    rows = [row for row, r in enumerate(found)
            if r.event_source == "q.amazonaws.com" and r.event_name in _CHATS - {"PassRequest"}]
    if not rows:
        return tables.ASSISTANT_ACCESS.empty()
    requests = [decode_object(found[row].request) or {} for row in rows]
    threads = [str(thread) if (thread := request.get("conversationId")) else None for request in requests]
    frame = activity[rows].select(
        "time", pl.col("actor_id").alias("user_id"), pl.lit("aws:assistant:q-developer").alias("assistant_id"),
        pl.lit("console").alias("app_host"), pl.col("record_id").alias("interaction_id"),
        pl.Series("thread_id", threads, dtype=pl.String), pl.lit("none").alias("role"),
        pl.lit("unknown").alias("action"), pl.lit("unknown").alias("policy_outcome"),
        pl.lit("user").alias("trigger"), pl.lit("absent").alias("completeness"), "event_id",
        "tenant", "provider", "source", "record_id", "raw_ref",
    )
    return tables.conform(frame, tables.ASSISTANT_ACCESS)
