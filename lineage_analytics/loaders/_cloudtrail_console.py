"""The console's event history as CSV: flat rows under display headings, without caller, request or response."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import polars as pl

from lineage_analytics import tables as canonical
from lineage_analytics.loaders._aws_names import account
from lineage_analytics.loaders._cloudtrail_columns import outcome_of
from lineage_analytics.loaders.common.assembly import RecordFault
from lineage_analytics.loaders.common.ids import identity_id, record_ids
from lineage_analytics.loaders.common.leftovers import unmapped
from lineage_analytics.loaders.common.values import embedded, flag, fold, name, objects, text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from lineage_analytics.loaders.common.assembly import Entry

SHAPE = "event_history_csv"
_PROVIDER = "aws"
_NEEDED = frozenset({"eventname", "eventsource", "eventtime", "username"})
_TELLING = frozenset({"awsaccesskey", "sourceipaddress", "awsregion", "eventid", "readonly"})
KNOWN = (*_NEEDED, *_TELLING, "useragent", "errorcode", "errormessage", "resourcetype", "resourcename", "resources",
         "requestid", "sharedeventid", "eventtype", "eventcategory", "recipientaccountid", "accountid", "eventrecord",
         "eventversion", "usertype")
_NOT_LETTERS = re.compile(r"[^a-z]")


def heading(column: str) -> str:
    """A heading as it is looked up: ``Source IP address`` as ``sourceipaddress``."""
    return _NOT_LETTERS.sub("", column.lower())


def is_history(columns: Iterable[str]) -> bool:
    """Whether these are the columns of an event history; a query's own columns have no blanks between words."""
    said = list(columns)
    found = {heading(column) for column in said}
    return any(" " in column.strip() for column in said) and found >= _NEEDED and len(found & _TELLING) > 1


def read(entry: Entry) -> None:
    """One row as activity. Its user name is a user's or a session's: it proves no identity, and the row does not say
    which account it is from. The id therefore differs from that of the record which a trail delivers, and only the id
    of the event tells that it is one: see ``superseded``."""
    said = {heading(key): value for key, value in fold(entry.fields).items()}
    source, operation = name(said.get("eventsource")), name(said.get("eventname"))
    if source is None and operation is None:
        raise RecordFault("not_cloudtrail", "neither event name nor event source")
    tenant = account(said.get("recipientaccountid")) or account(said.get("accountid"))
    time = entry.time(said.get("eventtime"), "Event time")
    native, who = name(said.get("eventid")), name(said.get("username"))
    entry.identify(_PROVIDER, tenant, _row_id(native) if native else None)
    actor = identity_id(_PROVIDER, tenant, f"history-name/{who}") if who else None
    if actor is not None:
        entry.add(canonical.IDENTITY_FACTS, id=actor, kind="unknown", display_name=who, alt_ids=[], basis="seen",
                  kind_basis="a name in the console's event history: a user's or a session's")
    code = name(said.get("errorcode"))
    named = _resources(said.get("resources")) or _resources(said.get("resourcename"))
    entry.add(
        canonical.ACTIVITY, time=time, actor_id=actor, outcome=outcome_of(code), error_code=code,
        action=f"{(source or 'unknown').split('.')[0]}:{operation or 'unknown'}",
        resource_id=named[0] if named else None, extra_resource_ids=named[1:] or None,
        is_read=flag(said.get("readonly")), ip=text(said.get("sourceipaddress")), client=text(said.get("useragent")),
        credential_id=name(said.get("awsaccesskey")), event_id=native or entry.record_id,
        correlation_id=name(said.get("sharedeventid")) or name(said.get("requestid")), unmapped=unmapped(said, KNOWN))


def _row_id(event_id: str) -> str:
    """The native id of a row, which no record of a trail has."""
    return f"history/{event_id}"


def superseded(tables: Mapping[str, pl.LazyFrame]) -> pl.Series:
    """Rows of an event history whose event another record tells, too, with its caller and all it did."""
    shaped = tables["ledger"].filter(pl.col("shape").str.contains(SHAPE, literal=True))
    files = shaped.select("file_sha256").collect()["file_sha256"]
    if files.is_empty():
        return pl.Series("record_id", [], dtype=pl.String)
    told = tables["activity"].filter(pl.col("provider") == _PROVIDER).select("record_id", "event_id")
    held = tables["activity"].filter(pl.col("raw_ref").struct.field("file_sha256").is_in(files.implode())).select(
        "record_id", "event_id", "tenant").collect()
    rows = held.filter(held["record_id"] == record_ids(
        _PROVIDER, held["tenant"].to_list(), [_row_id(event) for event in held["event_id"]]))
    better = told.filter(
        pl.col("event_id").is_in(rows["event_id"].implode()) & ~pl.col("record_id").is_in(rows["record_id"].implode()))
    return rows.join(better.select("event_id").collect(), on="event_id", how="semi")["record_id"]


def _resources(value: object) -> list[str]:
    """Names of resources: a JSON list of objects, or names with commas between."""
    found = embedded(value)
    if isinstance(found, list):
        named = [text(item.get("resourcename")) or text(item.get("arn")) or text(item.get("name"))
                 for item in objects(found)]
        return [stated for stated in named if stated]
    return [part.strip() for part in (text(value) or "").split(",") if part.strip() and part.strip() not in ("[]", "-")]
