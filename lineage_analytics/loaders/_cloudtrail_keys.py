"""Keys by which calls of AWS are tied to records elsewhere: request, session, and tickets (sources 2.6, 13.2).

The provider writes the id of the request and, for a session, its temporary access key. A ticket or a commit that a
session was opened for stands in a tag of the call that opened it and on none of the session's own calls: a step of that
call carries it as far as ``settle``, which gives it to the steps of the session. An identity provider vouches for the
tags that it signs; those that a caller chooses only quote a ticket (``tag``). What a session is called and what a
resource is tagged with is free text.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import polars as pl

from lineage_analytics import tables
from lineage_analytics.loaders.common.ids import derived_id
from lineage_analytics.loaders.common.sampling import decode_object
from lineage_analytics.loaders.common.stated import LONGEST, MOST, stated

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from lineage_analytics.loaders._cloudtrail_record import Record

STARTS = ("sts:AssumeRole", "sts:AssumeRoleWithSAML", "sts:AssumeRoleWithWebIdentity", "sts:GetFederationToken")
_QUOTED = re.compile(r"\b(?:CHG|INC|RITM|REQ|SCTASK|TASK|PRB|CTASK)[0-9]{4,12}\b|\b[A-Z][A-Z0-9]{1,9}-[0-9]{1,7}\b")
_TEXT_READ = 4_096
_TICKET = re.compile(r"(?:[a-z]+[:_.\-/ ])*(?:ticket|change|issue|incident|jira|servicenow|snow)"
                     r"(?:[:_.\- ]?(?:id|number|no|key|request|ticket))*", re.IGNORECASE)
_COMMIT = re.compile(r"(?:git|source|vcs)?[:_.\- ]?(?:commit|sha|revision)(?:[:_.\- ]?(?:id|sha|hash))?", re.IGNORECASE)
_TEMPORARY = "ASIA"
_TAGGED = b'ags"'
_OPENED = "a session opened under a ticket or for a commit"


def keys_in(text: str) -> list[str]:
    """Ticket keys in what somebody wrote."""
    return sorted(set(_QUOTED.findall(text[:_TEXT_READ])))


def stated_keys(request: str | None, credential: str | None) -> list[str]:
    """The keys the provider writes on every call."""
    found = [f"request:{request}"] if request and len(request) < LONGEST else []
    if credential and credential.startswith(_TEMPORARY):
        found.append(f"session:{credential}")
    return found


def quoted(session: str | None, request: Mapping[str, Any]) -> list[str]:
    """Ticket keys in the session's name and in tags that name one: anybody may choose both."""
    written = [session.replace(":", "/").rpartition("/")[2]] if session else []
    if "tags" in request:
        written += _tagged(request["tags"], _TICKET)
    return keys_in(" ".join(written)) if written else []


def _tagged(tags: object, wanted: re.Pattern[str]) -> Iterator[str]:
    """Values of the tags with such a key, out of a list of key and value or an object."""
    items = tags.items() if isinstance(tags, dict) else [
        (tag.get("key", tag.get("Key")), tag.get("value", tag.get("Value")))
        for tag in (tags if isinstance(tags, list) else ()) if isinstance(tag, dict)]
    return (value for key, value in items
            if isinstance(key, str) and isinstance(value, str) and wanted.fullmatch(key.strip()))


def opened_under(found: Sequence[Record], activity: pl.DataFrame) -> pl.DataFrame:
    """A step for each call that opened a session under a ticket or for a commit; empty where none did, as mostly."""
    calls = (activity["action"].is_in(STARTS) & (activity["outcome"] == "success")).arg_true().to_list()
    rows = [row for call in calls if _TAGGED in bytes(found[call].request)
            if (row := _opened(found[call], activity.row(call, named=True))) is not None]
    return tables.conform(pl.DataFrame(rows), tables.DECISION_STEPS) if rows else tables.DECISION_STEPS.empty()


def _opened(record: Record, event: Mapping[str, Any]) -> dict[str, Any] | None:
    request, response = decode_object(record.request) or {}, decode_object(record.response) or {}
    credentials = response.get("credentials")
    session = credentials.get("accessKeyId") if isinstance(credentials, dict) else None
    # Callers choose ``tags``; ``principalTags`` are in what the identity provider signed.
    signed = request.get("principalTags")
    keys = stated(ticket=list(_tagged(signed, _TICKET)), tag=list(_tagged(request.get("tags"), _TICKET)),
                  commit=list(_tagged(signed, _COMMIT)))
    if not keys or not isinstance(session, str):
        return None
    return {**{name: event[name] for name in ("time", "tenant", "provider", "source", "record_id", "raw_ref")},
            "step_id": derived_id("step", event["record_id"], "opened"), "kind": "signal", "status": "succeeded",
            "operation": event["action"], "actor_id": event["actor_id"], "actor_class": "unknown",
            "authority_mode": "unknown", "quoted_keys": [], "stated_keys": sorted([*keys, f"session:{session}"]),
            "title": _OPENED, "event_id": event["event_id"]}


def settle(found: Mapping[str, pl.LazyFrame]) -> dict[str, pl.LazyFrame]:
    """What sessions were opened for, on every step taken in them, in AWS and where a cluster names the session.

    The calls that opened the sessions are no steps then: opening one changes nothing.
    """
    steps = found.get("decision_steps")
    if steps is None:
        return dict(found)
    opening = (pl.col("provider") == "aws") & pl.col("operation").is_in(STARTS) & (pl.col("title") == _OPENED)
    said = steps.filter(opening).select("stated_keys").collect()
    if said.is_empty():
        return dict(found)
    known: dict[str, set[str]] = {}
    for keys in said["stated_keys"].to_list():
        for session in (key for key in keys if key.startswith("session:")):
            known.setdefault(session, set()).update(key for key in keys if not key.startswith("session:"))
    opened = pl.LazyFrame(
        {"_session": sorted(known), "_opened": [sorted(known[session]) for session in sorted(known)]},
        schema={"_session": pl.String, "_opened": pl.List(pl.String)})
    session = pl.col("stated_keys").list.eval(
        pl.element().filter(pl.element().str.starts_with("session:"))).list.first()
    joined = steps.filter(~opening | opening.is_null()).with_columns(_session=session).join(
        opened, on="_session", how="left", maintain_order="left")
    both = pl.col("stated_keys").list.concat("_opened").list.unique().list.sort().list.head(MOST)
    settled = joined.with_columns(
        stated_keys=pl.when(pl.col("_opened").is_null()).then("stated_keys").otherwise(both))
    return {**found, "decision_steps": settled.drop("_session", "_opened")}
