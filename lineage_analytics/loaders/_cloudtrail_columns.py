"""CloudTrail records as the columns of the activity table, built as lists: no dict per record, no row of objects."""

from __future__ import annotations

import hashlib
import re
from bisect import bisect_right
from functools import lru_cache
from itertools import accumulate
from operator import attrgetter
from typing import TYPE_CHECKING

import msgspec
import polars as pl

from lineage_analytics import tables
from lineage_analytics.loaders._cloudtrail_record import Record, as_flag
from lineage_analytics.loaders.common.ids import record_ids
from lineage_analytics.loaders.common.sampling import decode_object
from lineage_analytics.loaders.common.times import parse_time

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lineage_analytics.loaders._cloudtrail_actor import Actor
    from lineage_analytics.loaders.common.contract import Document

PROVIDER = "aws"
SOURCE = "aws_cloudtrail"

_DENIED = frozenset({
    "AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "Client.UnauthorizedOperation"})
_FIELDS = attrgetter("event_id", "event_time", "event_source", "event_name", "account", "source_ip", "user_agent",
                     "read_only", "request_id", "shared_event_id", "request", "resources", "addendum")
_ACTOR_COLUMNS = {
    "actor_id": attrgetter("id"), "actor_session_id": attrgetter("session"),
    "on_behalf_of_id": attrgetter("on_behalf_of"), "via_assistant_id": attrgetter("via_assistant"),
    "delegation_kind": attrgetter("delegation"), "delegation_trust": attrgetter("trust"),
    "credential_id": attrgetter("credential"),
}
_DRY_RUN = b'"dryRun"'
_ABSENT, _NO_ADDENDUM = Record().resources, Record().addendum


def activity(
    found: Sequence[Record], actors: Sequence[Actor], unmapped: Sequence[str | None], offsets: Sequence[int],
    document: Document,
) -> pl.DataFrame:
    """The ACTIVITY rows of these records, in order; ``time`` is null where a record has none that can be read."""
    ids, times, sources, names, owners, ips, agents, reads, request_ids, shared, requests, resources, addenda = zip(
        *map(_FIELDS, found), strict=True)
    accounts = [owner or actor.account for owner, actor in zip(owners, actors, strict=True)]
    natives = [native or synthetic_id(record) for native, record in zip(ids, found, strict=True)]
    revised = {} if addenda.count(_NO_ADDENDUM) == len(addenda) else _revisions(addenda)
    further: dict[int, list[str]] = {}
    frame = _by_actor(actors).with_columns(
        _times(times).alias("time"),
        _repeated("action", list(map(_action, sources, names))),
        _repeated("resource_id", [None if raw is _ABSENT else _resource(raw, row, further)
                                  for row, raw in enumerate(resources)]),
        (code := _repeated("error_code", list(map(error, found)))),
        pl.select(_outcome(code)).to_series(),
        pl.Series("is_read", [v if v is None or v is True or v is False else as_flag(v) for v in reads],
                  dtype=pl.Boolean),
        _dry_runs(requests),
        _repeated("ip", ips),
        _repeated("client", agents),
        pl.Series("correlation_id", [s or r for s, r in zip(shared, request_ids, strict=True)], dtype=pl.String),
        pl.Series("event_id", natives, dtype=pl.String),
        pl.Series("unmapped", unmapped, dtype=pl.String),
        _repeated("tenant", accounts),
        pl.lit(PROVIDER).alias("provider"),
        pl.lit(SOURCE).alias("source"),
        record_ids(PROVIDER, accounts, natives if not revised else [
            f"{native}#{revised[row]}" if row in revised else native for row, native in enumerate(natives)]),
        *_sparse("extra_resource_ids", further, len(found)),
        *_sparse("effect_delta", revised, len(found)),
        pl.struct(pl.lit(document.file_sha256).alias("file_sha256"),
                  pl.lit(document.member, dtype=pl.String).alias("member"),
                  pl.Series("offset", offsets, dtype=pl.Int64)).alias("raw_ref"),
    )
    return tables.conform(frame, tables.ACTIVITY)


def _sparse(name: str, values: Mapping[int, object], height: int) -> list[pl.Series]:
    """The column with values in few rows; none at all where no row has one."""
    if not values:
        return []
    return [pl.Series(name, [values.get(row) for row in range(height)], dtype=tables.ACTIVITY.schema[name])]


def _revisions(addenda: Sequence[msgspec.Raw]) -> dict[int, str]:
    """Per row that tells an earlier record anew, what it replaces, as JSON text. Late records replace none."""
    found = {}
    for row, raw in enumerate(addenda):
        said = decode_object(raw) or {}
        stated = {key.lower(): value for key, value in said.items() if isinstance(value, str)}
        if stated.get("reason", "").upper() == "UPDATED_DATA" or stated.get("updatedfields"):
            found[row] = msgspec.json.encode({
                "revises": stated.get("originaleventid"), "reason": stated.get("reason"),
                "updated_fields": sorted(filter(None, stated.get("updatedfields", "").replace(" ", "").split(",")))},
                order="sorted").decode()
    return found


def _by_actor(actors: Sequence[Actor]) -> pl.DataFrame:
    """The columns that depend on the caller alone, made once per caller."""
    callers = {id(actor): actor for actor in actors}
    place = {key: number for number, key in enumerate(callers)}
    rows = pl.Series([place[id(actor)] for actor in actors], dtype=pl.UInt32)
    columns = {name: list(map(pick, callers.values())) for name, pick in _ACTOR_COLUMNS.items()}
    return pl.DataFrame({name: pl.Series(values, dtype=pl.String) for name, values in columns.items()
                         if name == "actor_id" or any(values)})[rows]


def _repeated(name: str, values: Sequence[str | None]) -> pl.Series:
    """A text column whose few values repeat: memory holds each text once, not once a row."""
    place = {value: number for number, value in enumerate(dict.fromkeys(values))}
    return pl.Series(name, list(place), dtype=pl.String).gather(
        pl.Series(list(map(place.__getitem__, values)), dtype=pl.UInt32))


def _outcome(code: pl.Series) -> pl.Expr:
    return (pl.when(code.is_null()).then(pl.lit("success")).when(code.is_in(_DENIED)).then(pl.lit("denied"))
            .otherwise(pl.lit("failure")).alias("outcome"))


def outcome_of(code: str | None) -> str:
    """The outcome that one error code means."""
    return "success" if code is None else "denied" if code in _DENIED else "failure"


@lru_cache(maxsize=10_000)
def _action(source: str | None, name: str | None) -> str:
    return f"{'unknown' if source is None else source.split('.')[0]}:{'unknown' if name is None else name}"


def _times(values: Sequence[str | None]) -> pl.Series:
    texts = pl.Series(values, dtype=pl.String)
    times = texts.str.to_datetime("%Y-%m-%dT%H:%M:%SZ", time_unit="us", time_zone="UTC", strict=False)
    odd = (times.is_null() & texts.is_not_null()).arg_true()
    return times.scatter(odd, [parse_time(texts[int(i)]) for i in odd]) if len(odd) else times


def _canonical(raw: msgspec.Raw) -> bytes:
    """The JSON value as text that does not depend on how it was written."""
    try:
        return msgspec.json.encode(msgspec.json.decode(raw), order="sorted")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return bytes(raw)


def synthetic_id(record: Record) -> str:
    """An id for a record that has none: the same content gives the same id, however it is written."""
    said = [_canonical(value) if isinstance(value, msgspec.Raw) else repr(value).encode() for value in
            msgspec.structs.astuple(record)]
    return "content:" + hashlib.sha256(b"\0".join(said)).hexdigest()[:32]


class _Named(msgspec.Struct, gc=False, rename={"upper": "ARN", "lower": "arn"}):
    upper: str | None = None
    lower: str | None = None


# A column of structures as a query engine prints it: ``[{arn=..., accountid=...}]``.
_NAMED_IN_TEXT = re.compile(rb"\barn=([^,}\]]+)", re.IGNORECASE)
_named = msgspec.json.Decoder(list[_Named] | None)


def _resource(raw: msgspec.Raw, row: int, further: dict[int, list[str]]) -> str | None:
    """The first resource named; those after it are noted in ``further``."""
    try:
        listed = _named.decode(raw) or []
    except msgspec.DecodeError:
        found = [text.decode("utf-8", "replace") for text in _NAMED_IN_TEXT.findall(raw)]
    else:
        found = [name for named in listed if (name := named.upper or named.lower)]
    if len(found) > 1:
        further[row] = found[1:]
    return found[0] if found else None


def error(record: Record) -> str | None:
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


def _dry_runs(requests: Sequence[msgspec.Raw]) -> pl.Series:
    flags: list[bool | None] = [None] * len(requests)
    for row in _rows_with(_DRY_RUN, requests):
        flags[row] = as_flag((decode_object(requests[row]) or {}).get("dryRun"))
    return pl.Series("is_dry_run", flags, dtype=pl.Boolean)


def _rows_with(text: bytes, raws: Sequence[msgspec.Raw]) -> list[int]:
    """The raws that hold a text, found by one search over all of them: few do, and copying each to look costs more."""
    joined = b"\n".join(raws)
    at = joined.find(text)
    if at < 0:
        return []
    ends = list(accumulate(len(memoryview(raw)) + 1 for raw in raws))
    rows = []
    while at >= 0:
        row = bisect_right(ends, at)
        rows.append(row)
        at = joined.find(text, ends[row])
    return rows
