"""AWS CloudTrail: activity, seen identities, identity changes and assistant use (sources 2.1 to 2.6).

Every record with a time is accepted into ``activity``. Shapes: ``Records`` files, bare arrays, single objects,
newline-delimited objects (also with pipeline fields added, or a page of records on each line), lookup-events output,
EventBridge envelopes, CloudWatch Logs (subscription, filter, query and export to S3), search-engine exports, test-suite
envelopes, and rows of Athena or Lake tables (keys in lower case, values as JSON or structure text, JSON or CSV). The
console's event-history CSV is not read: it holds neither request nor caller.
"""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import msgspec
import polars as pl

from lineage_analytics import tables
from lineage_analytics.loaders._cloudtrail_actor import Actor, Actors
from lineage_analytics.loaders._cloudtrail_record import Record, as_flag, decode
from lineage_analytics.loaders._cloudtrail_shapes import form, unpacked
from lineage_analytics.loaders._cloudtrail_steps import Change, is_change, steps
from lineage_analytics.loaders.common.contract import Batch, Fault, Match
from lineage_analytics.loaders.common.ids import record_ids
from lineage_analytics.loaders.common.sampling import decode_object
from lineage_analytics.loaders.common.times import parse_time

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from lineage_analytics.loaders.common.contract import Chunk, Document, Sample

PROVIDER = "aws"
LATENESS = timedelta(hours=1)

_DENIED = ["AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "Client.UnauthorizedOperation"]
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
    actors = [_actors.resolve(r.user_identity, r.account) for r, _, _ in kept]
    frame = _columns(kept, actors, document)
    good = frame["time"].is_not_null() & frame["time"].is_between(_EARLIEST, _LATEST, closed="left")
    if not good.all():
        faults += [_time_fault(position, frame["time"][row]) for row, (_, _, position) in enumerate(kept)
                   if not good[row]]
        keep = good.arg_true().to_list()
        kept, actors, frame = [kept[i] for i in keep], [actors[i] for i in keep], frame.filter(good)
    activity = tables.conform(frame.drop("from_console"), tables.ACTIVITY)
    frames = {
        "activity": activity,
        "identity_facts": _identity_facts(actors, activity, kept),
        "decision_steps": _steps(kept, actors, activity),
        "assistant_access": _assistant_access(kept, activity),
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


def _columns(kept: Sequence[Kept], actors: Sequence[Actor], document: Document) -> pl.DataFrame:
    """The columns of the activity table, built as lists: no dict per record."""
    found = [record for record, _, _ in kept]

    def text(pick: Callable[[Record], str | None]) -> pl.Series:
        return pl.Series([pick(r) for r in found], dtype=pl.String)

    accounts = [r.account or a.account for r, a in zip(found, actors, strict=True)]
    natives = [r.event_id or _synthetic_id(r) for r in found]
    frame = pl.DataFrame({
        "time": _times([r.event_time for r in found]),
        "actor_id": pl.Series([a.id for a in actors], dtype=pl.String),
        "actor_session_id": pl.Series([a.session for a in actors], dtype=pl.String),
        "on_behalf_of_id": pl.Series([a.on_behalf_of for a in actors], dtype=pl.String),
        "via_assistant_id": pl.Series([a.via_assistant for a in actors], dtype=pl.String),
        "delegation_kind": pl.Series([a.delegation for a in actors], dtype=pl.String),
        "event_source": text(lambda r: r.event_source),
        "event_name": text(lambda r: r.event_name),
        "resource_id": pl.Series([_resource(r) for r in found], dtype=pl.String),
        "error_code": pl.Series([_error(r) for r in found], dtype=pl.String),
        "is_read": pl.Series([as_flag(r.read_only) for r in found], dtype=pl.Boolean),
        "is_dry_run": pl.Series([_dry_run(r) for r in found], dtype=pl.Boolean),
        "ip": text(lambda r: r.source_ip),
        "client": text(lambda r: r.user_agent),
        "credential_id": pl.Series([a.credential for a in actors], dtype=pl.String),
        "correlation_id": text(lambda r: r.shared_event_id or r.request_id),
        "event_id": pl.Series(natives, dtype=pl.String),
        "unmapped": pl.Series([unmapped for _, unmapped, _ in kept], dtype=pl.String),
        "tenant": pl.Series(accounts, dtype=pl.String),
        "record_id": record_ids(PROVIDER, accounts, natives),
        "offset": pl.Series([position for _, _, position in kept], dtype=pl.Int64),
        "from_console": pl.Series([as_flag(r.from_console) is True for r in found], dtype=pl.Boolean),
    })
    return frame.with_columns(
        pl.format("{}:{}", pl.col("event_source").str.split(".").list.first().fill_null("unknown"),
                  pl.col("event_name").fill_null("unknown")).alias("action"),
        pl.when(pl.col("error_code").is_null()).then(pl.lit("success"))
        .when(pl.col("error_code").is_in(_DENIED)).then(pl.lit("denied"))
        .otherwise(pl.lit("failure")).alias("outcome"),
        pl.lit(PROVIDER).alias("provider"),
        pl.lit("aws_cloudtrail").alias("source"),
        pl.struct(pl.lit(document.file_sha256).alias("file_sha256"),
                  pl.lit(document.member, dtype=pl.String).alias("member"), "offset").alias("raw_ref"),
    ).drop("event_source", "event_name", "offset")


def _times(values: Sequence[str | None]) -> pl.Series:
    texts = pl.Series(values, dtype=pl.String)
    times = texts.str.to_datetime("%Y-%m-%dT%H:%M:%SZ", time_unit="us", time_zone="UTC", strict=False)
    odd = (times.is_null() & texts.is_not_null()).arg_true()
    return times.scatter(odd, [parse_time(texts[int(i)]) for i in odd]) if len(odd) else times


def _synthetic_id(record: Record) -> str:
    """An id for a record that has none: the same content gives the same id."""
    said = [bytes(value) if isinstance(value, msgspec.Raw) else repr(value).encode() for value in
            msgspec.structs.astuple(record)]
    return "content:" + hashlib.sha256(b"\0".join(said)).hexdigest()[:32]


class _Named(msgspec.Struct, gc=False, rename={"upper": "ARN", "lower": "arn"}):
    upper: str | None = None
    lower: str | None = None


# A column of structures as a query engine prints it: ``[{arn=..., accountid=...}]``.
_NAMED_IN_TEXT = re.compile(rb"\barn=([^,}\]]+)", re.IGNORECASE)
_named = msgspec.json.Decoder(list[_Named] | None)


def _resource(record: Record) -> str | None:
    if len(memoryview(record.resources)) <= len(b"null"):
        return None
    try:
        listed = _named.decode(record.resources) or []
    except msgspec.DecodeError:
        found = _NAMED_IN_TEXT.search(record.resources)
        return found[1].decode("utf-8", "replace") if found else None
    return next((named.upper or named.lower for named in listed if named.upper or named.lower), None)


def _error(record: Record) -> str | None:
    """The error, also where a record carries it only in a body: a console sign-in or a gateway call."""
    if record.error_code:
        return record.error_code
    if record.event_name == "ConsoleLogin" and b'"Failure"' in bytes(record.response):
        return "ConsoleLoginFailure"
    if record.event_source == "bedrock-agentcore.amazonaws.com":
        body = decode_object(record.response) or {}
        inner = body.get("body")
        status = str(body.get("statusCode"))
        if (isinstance(inner, dict) and inner.get("error")) or (status.isdecimal() and int(status[:6]) >= 400):
            return "JsonRpcError"
    return None


def _dry_run(record: Record) -> bool | None:
    if b'"dryRun"' not in bytes(record.request):
        return None
    return as_flag((decode_object(record.request) or {}).get("dryRun"))


def _steps(kept: Sequence[Kept], actors: Sequence[Actor], activity: pl.DataFrame) -> pl.DataFrame:
    changes = [
        Change(row, action, actors[row], kept[row][0])
        for row, (action, read, dry) in enumerate(
            zip(activity["action"], activity["is_read"], activity["is_dry_run"], strict=True))
        if not dry and is_change(action, read)
    ]
    provenance = activity.select("time", "tenant", "provider", "source", "record_id", "raw_ref")
    return steps(changes, provenance[[change.position for change in changes]])


def _identity_facts(actors: Sequence[Actor], activity: pl.DataFrame, kept: Sequence[Kept]) -> pl.DataFrame:
    """One row per distinct caller, with the smallest record id, so that a split of the input changes nothing."""
    best: dict[tuple[str, str], tuple[str, Actor, str]] = {}
    for actor, record_id, (record, _, _) in zip(actors, activity["record_id"], kept, strict=True):
        if actor.id is None:
            continue
        kind, basis = _person_evidence(actor, record)
        key = (actor.id, kind)
        if key not in best or record_id < best[key][0]:
            best[key] = (record_id, actor, basis)
    rows = [
        {
            "id": actor_id, "kind": kind, "subkind": actor.subkind, "display_name": actor.name,
            "alt_ids": [{"kind": "arn", "value": actor.arn}] if actor.arn else [], "kind_basis": basis,
            "basis": "seen", "tenant": actor.account, "provider": PROVIDER, "source": "aws_cloudtrail",
            "record_id": record_id,
            "excluded_reason": "provider_managed" if "/aws-service-role/" in (actor.arn or "")
            or actor.subkind == "aws_service" else None,
        }
        for (actor_id, kind), (record_id, actor, basis) in sorted(best.items())
    ]
    schema = tables.IDENTITY_FACTS.schema
    return tables.conform(
        pl.DataFrame(rows, schema={k: schema[k] for k in rows[0]}) if rows else tables.IDENTITY_FACTS.empty(),
        tables.IDENTITY_FACTS,
    )


def _person_evidence(actor: Actor, record: Record) -> tuple[str, str]:
    """A person is proved by console credentials or a browser's console sign-in; a scripted sign-in proves none."""
    if actor.kind != "unknown" or actor.subkind != "iam_user":
        return actor.kind, actor.kind_basis
    if as_flag(record.from_console):
        return "human", "used credentials of a console session"
    if record.event_name == "ConsoleLogin" and _error(record) is None and (record.user_agent or "").startswith(
        "Mozilla/"
    ):
        return "human", "signed in to the console with a browser"
    return actor.kind, actor.kind_basis


_CHATS = frozenset({"SendMessage", "StartConversation", "PassRequest"})


def _assistant_access(kept: Sequence[Kept], activity: pl.DataFrame) -> pl.DataFrame:
    """Conversations with the console assistant: it lists no resources, so completeness is absent."""
    rows = [row for row, (r, _, _) in enumerate(kept)
            if r.event_source == "q.amazonaws.com" and r.event_name in _CHATS - {"PassRequest"}]
    if not rows:
        return tables.ASSISTANT_ACCESS.empty()
    requests = [decode_object(kept[row][0].request) or {} for row in rows]
    threads = [str(found) if (found := request.get("conversationId")) else None for request in requests]
    frame = activity[rows].select(
        "time", pl.col("actor_id").alias("user_id"), pl.lit("aws:assistant:q-developer").alias("assistant_id"),
        pl.lit("console").alias("app_host"), pl.col("record_id").alias("interaction_id"),
        pl.Series("thread_id", threads, dtype=pl.String), pl.lit("none").alias("role"),
        pl.lit("unknown").alias("action"), pl.lit("unknown").alias("policy_outcome"),
        pl.lit("user").alias("trigger"), pl.lit("absent").alias("completeness"), "event_id",
        "tenant", "provider", "source", "record_id", "raw_ref",
    )
    return tables.conform(frame, tables.ASSISTANT_ACCESS)
