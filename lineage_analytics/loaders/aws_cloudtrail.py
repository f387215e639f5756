"""AWS CloudTrail: activity, seen identities, identity changes and assistant use (sources 2.1 to 2.6).

Shapes  ``Records`` files, bare arrays, single objects, newline-delimited objects (also with pipeline fields added, or a
        page of records on each line), lookup-events output, EventBridge envelopes, CloudWatch Logs (subscription,
        filter, query, also as CSV, and export to S3), exports of Splunk and other search engines, test-suite
        envelopes, rows of Athena or Lake tables (keys in lower case, values as JSON or structure text, JSON or CSV);
        rows whose nested fields became columns (``userIdentity.arn``, ``userIdentityarn``, Sentinel's AWSCloudTrail);
        the console's event history as CSV.
Maps    every record to ``activity`` (one that states no time is of no day); callers to ``identity_facts``; changes of
        identities, access and the rules on it, and change sets, change requests and pipeline approvals, to
        ``decision_steps``; conversations with the console assistant and calls of agents to ``assistant_access``;
        policies that a session was started with to ``entitlements``; the opening of a session to ``delegations``.
Drops   request and response bodies but for the target and the hash of what was set; results of CloudTrail Insights,
        which are rates and no calls, rejected as ``out_of_scope``.
Schema  event versions 1.02 to 1.11; fields this version does not know are kept in ``unmapped``.

A row of the event history has a name but no caller, no request and often no account: it becomes activity alone, under
an id of its own. Where another record tells the same event, by its id, the row is superseded: it counts as loaded and
nowhere else. A record with an
``addendum`` that updates an earlier one is kept beside it, as activity: ``effect_delta`` says which record it revises
and in which fields; the step stays that of the first record. One that is merely late is a record like any other.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import msgspec
import polars as pl

from lineage_analytics import tables
from lineage_analytics.loaders import _cloudtrail_columns as columns
from lineage_analytics.loaders import _cloudtrail_console as console
from lineage_analytics.loaders._cloudtrail_actor import Actor, Actors
from lineage_analytics.loaders._cloudtrail_assistants import assistant_access
from lineage_analytics.loaders._cloudtrail_console import superseded
from lineage_analytics.loaders._cloudtrail_delegations import delegations
from lineage_analytics.loaders._cloudtrail_identities import identity_facts
from lineage_analytics.loaders._cloudtrail_keys import opened_under, settle
from lineage_analytics.loaders._cloudtrail_record import Record, decode
from lineage_analytics.loaders._cloudtrail_sessions import session_limits
from lineage_analytics.loaders._cloudtrail_shapes import form, unpacked
from lineage_analytics.loaders._cloudtrail_steps import Change, is_change, steps
from lineage_analytics.loaders.common import origin
from lineage_analytics.loaders.common.assembly import assemble
from lineage_analytics.loaders.common.columns import plausible
from lineage_analytics.loaders.common.contract import Batch, Fault, Match

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lineage_analytics.loaders.common.contract import Chunk, Document, Sample

__all__ = ["FEEDS", "LATENESS", "PROVIDER", "detect", "extract", "settle", "superseded", "transform"]

PROVIDER = columns.PROVIDER
LATENESS = timedelta(hours=1)
FEEDS = frozenset({"activity", "assistant_access", "decision_steps", "delegations", "entitlements", "identity_facts"})

_actors = Actors()


def detect(sample: Sample) -> Match | None:
    """CloudTrail by ``eventName`` and ``eventSource`` with what only its records have, in any packing."""
    found = form(sample)
    if found is not None and found.shape == console.SHAPE:
        return Match(found.shape, 0.9, "a CSV with the headings of the console's event history")
    return None if found is None else Match(
        found.shape, 0.95, "eventName and eventSource with userIdentity, eventVersion or recipientAccountId")


def extract(document: Document) -> Iterator[Chunk]:
    """Raw CloudTrail records, taken out of their envelopes."""
    return unpacked(document)


def transform(chunk: Chunk, document: Document) -> Batch:
    """Activity, identity facts, decision steps and assistant access of one chunk."""
    if document.shape == console.SHAPE:
        return assemble(chunk, document, columns.SOURCE, console.read)
    kept, faults = _of_the_account(*_decoded(chunk), document)
    faults = [*chunk.faults, *faults]
    if not kept:
        return Batch(pl.Series("record_id", [], dtype=pl.String), {}, faults)
    found, unmapped, positions = map(list, zip(*kept, strict=True))
    actors = _actors.resolve(found)
    activity = columns.activity(found, actors, unmapped, positions, document)
    good = plausible(activity["time"], (record.event_time for record in found))
    if not good.all():
        faults += [_time_fault(position, activity["time"][row]) for row, position in enumerate(positions)
                   if not good[row]]
        keep = good.arg_true().to_list()
        found, actors, activity = [found[i] for i in keep], [actors[i] for i in keep], activity.filter(good)
    frames = {
        "activity": activity,
        "identity_facts": identity_facts(found, actors, activity),
        "decision_steps": tables.concat([_steps(found, actors, activity), opened_under(found, activity)],
                                        tables.DECISION_STEPS),
        "assistant_access": assistant_access(found, activity),
        "entitlements": session_limits(found, activity),
        "delegations": delegations(found, actors, activity),
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
            faults.append(_no_call(record, position))
        else:
            kept.append((record, unmapped, position))
    return kept, faults


def _of_the_account(kept: list[Kept], faults: list[Fault], document: Document) -> tuple[list[Kept], list[Fault]]:
    """Without the records that say they are of another account than the one whose folder they lie in."""
    owner = origin.owner_of(document)
    if owner is None or {record.account for record, _, _ in kept} <= {owner.tenant, None}:
        return kept, faults
    foreign = [at for at, (record, _, _) in enumerate(kept) if owner.contradicts(PROVIDER, record.account)]
    faults += [Fault(kept[at][2], origin.REASON, origin.why(kept[at][0].account, owner.tenant)) for at in foreign]
    strange = set(foreign)
    return [one for at, one in enumerate(kept) if at not in strange], faults


def _no_call(record: Record, position: int) -> Fault:
    if record.event_type == "AwsCloudTrailInsight" or record.event_category == "Insight":
        return Fault(position, "out_of_scope", "a result of CloudTrail Insights: rates of calls, no call", "rejected")
    return Fault(position, "not_cloudtrail", "neither eventName nor eventSource")


def _time_fault(position: int, time: datetime | None) -> Fault:
    if time is None:
        return Fault(position, "no_time", "eventTime is not a time")
    return Fault(position, "implausible_time", f"eventTime {time.isoformat()}, wanted 2000 to 2089")


def _steps(found: Sequence[Record], actors: Sequence[Actor], activity: pl.DataFrame) -> pl.DataFrame:
    calls = activity.select(
        "action", "is_read", dry=pl.col("is_dry_run").fill_null(value=False) | pl.col("effect_delta").is_not_null())
    changing = [call for call in calls.unique().iter_rows() if not call[2] and is_change(*call[:2])]
    chosen = calls.with_row_index("row").join(
        pl.DataFrame(changing, schema=calls.schema, orient="row"), on=calls.columns, nulls_equal=True,
        maintain_order="left")
    changes = [Change(row, action, actors[row], found[row]) for row, action in chosen.select("row", "action").rows()]
    provenance = activity.select("time", "tenant", "provider", "source", "record_id", "raw_ref")
    return steps(changes, provenance[[change.position for change in changes]])
