"""Records out of Jira exports: an issue's creation, each entry of its history, each approval (sources 10)."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import msgspec

from lineage_analytics.loaders._jira_steps import is_gated
from lineage_analytics.loaders.common.sampling import decode_object
from lineage_analytics.loaders.common.times import parse_time
from lineage_analytics.loaders.common.values import Fields, embedded, fold, name, obj, objects, text

if TYPE_CHECKING:
    from collections.abc import Iterator

KEY = re.compile(r"[A-Z][A-Z0-9_]{1,19}-[0-9]{1,9}")
_IN_ADDRESS = re.compile(r"/(?:issue|request)/([A-Z][A-Z0-9_]{1,19}-[0-9]{1,9})(?:/|$)")
_ISSUE_ID = re.compile(r"/(?:issue|request)/([0-9]{1,15})(?:/|$)")
# 01/Mar/26 10:00 AM, as CSV exports and the interface print a time in English.
_PRINTED = re.compile(r"(\d{1,2})/([A-Za-z]{3})/(\d{2,4}) (\d{1,2}):(\d{2})(?::\d{2})?(?: ?([AaPp][Mm]))?")
_MONTHS = {month: number for number, month in enumerate(
    ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"), 1)}


def parts(raw: bytes | msgspec.Raw) -> list[bytes]:
    """The records of one exported object; an object that is none of Jira's as it stands."""
    whole = decode_object(raw)
    record = fold(whole) if whole is not None else {}
    record = obj(record.get("log")) or record
    found = [msgspec.json.encode(one) for one in _records(record)]
    return found or [bytes(raw)]


def _records(record: Fields) -> Iterator[dict[str, Any]]:
    if is_webhook(record):
        yield from _of_webhook(record)
    elif is_issue(record):
        yield from _of_issue(record)
    elif issues := [one for one in objects(record.get("issues")) if is_issue(one)]:
        for one in issues:
            yield from _of_issue(one)
    elif isinstance(logs := embedded(record.get("issuechangelogs")), list):
        for one in objects(logs):
            about = {"id": text(one.get("issueid")), "self": None}
            yield from ({"kind": "history", "issue": about, "history": entry}
                        for entry in _listed(one.get("changehistories")))
    elif (shape := page_of(record)) is not None:
        for entry in _listed(record.get("values")):
            links = (obj(record.get("_links")), obj(fold(entry).get("_links")))
            stated = (record.get("self"), *(link.get("self") for link in links))
            address = next((found for held in stated if (found := text(held)) is not None and (
                _IN_ADDRESS.search(found) or _ISSUE_ID.search(found))), None)
            about = {"self": address, "key": _found(_IN_ADDRESS, address), "id": _found(_ISSUE_ID, address)}
            yield {"kind": shape, "issue": about, shape: entry}


def is_issue(record: Fields) -> bool:
    """An issue, also one asked for without its fields, of which the history alone is told."""
    told = isinstance(record.get("fields"), dict) or isinstance(obj(record.get("changelog")).get("histories"), list)
    return told and KEY.fullmatch(text(record.get("key")) or "") is not None


def is_webhook(record: Fields) -> bool:
    event = text(record.get("webhookevent"))
    return event is not None and (event.startswith("jira:") or bool(obj(record.get("issue"))))


def page_of(record: Fields) -> str | None:
    """Of what a page of ``values`` is: ``history`` or ``approval``; None for other pages."""
    first = next(iter(objects(record.get("values"))), {}) if isinstance(embedded(record.get("values")), list) else {}
    if "items" in first and "created" in first:
        return "history"
    return "approval" if {"finaldecision", "approvers"} <= set(first) else None


def _of_issue(record: Fields) -> Iterator[dict[str, Any]]:
    fields = obj(record.get("fields"))
    histories = _listed(obj(record.get("changelog")).get("histories"))
    approvals = [entry for held in fields.values() if isinstance(held, list)
                 for entry in held if isinstance(entry, dict) and {"finaldecision", "approvers"} <= set(fold(entry))]
    about = {"id": text(record.get("id")), "key": text(record.get("key")), "self": text(record.get("self")),
             "gated": bool(approvals) or is_gated(fields, histories)}
    if isinstance(record.get("fields"), dict):
        yield {"kind": "issue", "issue": about, "fields": record["fields"]}
    elif not histories:
        yield {"kind": "nothing", "issue": about}
    yield from ({"kind": "history", "issue": about, "history": entry} for entry in histories)
    yield from ({"kind": "approval", "issue": about, "approval": entry} for entry in approvals)


def _of_webhook(record: Fields) -> Iterator[dict[str, Any]]:
    """What happened to an issue: its creation, or the entry of its history that the event is about."""
    issue, change = obj(record.get("issue")), obj(record.get("changelog"))
    history = {"id": text(change.get("id")), "author": record.get("user"), "created": record.get("timestamp"),
               "items": change.get("items")}
    told = {**issue, "changelog": {"histories": [history] if _listed(change.get("items")) else []}}
    wanted = {"history"} | ({"issue"} if text(record.get("webhookevent")) == "jira:issue_created" else set())
    found = [one for one in _of_issue(told) if one["kind"] in wanted]
    yield from found or [{"kind": "nothing", "issue": {"key": text(issue.get("key"))}}]


def _listed(value: object) -> list[dict[str, Any]]:
    found = embedded(value)
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


def _found(pattern: re.Pattern[str], address: str | None) -> str | None:
    match = pattern.search(address or "")
    return match.group(1) if match else None


def site_of(*addresses: object) -> str | None:
    """The site in an address of its API: the name before ``atlassian.net``, else the host."""
    for address in addresses:
        try:
            host = (urlsplit(text(address) or "").hostname or "").lower()
        except ValueError:
            continue
        if host and host != "api.atlassian.com":
            return host.removesuffix(".atlassian.net")
    return None


def when(value: object) -> datetime | None:
    """A time as the API, Service Management (an object) or a CSV export writes it; without a zone: UTC."""
    held = obj(value)
    if held:
        return parse_time(held.get("epochmillis")) or parse_time(held.get("iso8601")) or parse_time(held.get("jira"))
    return parse_time(value) or _printed(text(value) or "")


def _printed(value: str) -> datetime | None:
    match = _PRINTED.fullmatch(value.strip())
    month = _MONTHS.get(match.group(2).lower()) if match else None
    if match is None or month is None:
        return None
    day, _, year, hour, minute, half = match.groups()
    hours = int(hour) if half is None else int(hour) % 12 + (12 if half.lower() == "pm" else 0)
    try:
        return datetime(int(year) + (2000 if len(year) == 2 else 0), month, int(day), hours, int(minute), tzinfo=UTC)
    except ValueError:
        return None


def row_record(fields: Fields) -> dict[str, Any] | None:
    """The record of a CSV row: of an issue list, or of the history a data pipeline exports."""
    held = {key.strip().lower().replace(" ", "_"): value for key, value in fields.items()}
    if {"from_string", "to_string", "field"} <= set(held):
        item = {"field": held["field"], "fromString": held["from_string"], "toString": held["to_string"]}
        author = {"accountId": held.get("author_id") or held.get("author_key"), "displayName": held.get("author_name")}
        about = {"id": name(held.get("issue_id")), "key": name(held.get("issue_key"))}
        history = {"id": held.get("changelog_id") or held.get("id"), "author": author, "items": [item],
                   "created": held.get("created_date") or held.get("created")}
        return {"kind": "history", "issue": about, "history": history}
    key = name(held.get("issue_key"))
    if key is None:
        return None
    issue = {"created": held.get("created"), "summary": held.get("summary"), "description": held.get("description"),
             "creator": _person(held, "creator"), "reporter": _person(held, "reporter")}
    gated = is_gated({"issuetype": {"name": held.get("issue_type")}, "status": {"name": held.get("status")}}, [])
    return {"kind": "issue", "issue": {"id": name(held.get("issue_id")), "key": key, "gated": gated}, "fields": issue}


def _person(held: Fields, role: str) -> dict[str, Any]:
    return {"accountId": name(held.get(f"{role}_id")), "displayName": name(held.get(role))}
