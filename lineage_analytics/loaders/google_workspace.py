"""Google Workspace activity reports: activity, administration, app authorisations, Gemini use (Admin SDK reports).

Shapes  pages of ``activities.list`` (``items``), also one page a line; arrays; lines; single objects; one event a
        record, as shippers send it (``events`` is the event) and as SIEMs do (``type``, ``name`` and ``parameters``
        beside ``id``), also with flattened names (``id.time``); records in ``log`` or in Splunk or Elastic search
        results; rows of the tables ``GoogleWorkspaceReports`` and ``GWorkspace_ReportsAPI_..._CL`` of a Log Analytics
        workspace, as JSON or CSV.
Maps    every event with a time to ``activity``; actors and accounts named by parameters to ``identity_facts``;
        administration of users, groups, roles, API clients and settings, and app authorisations, to ``decision_steps``;
        assigned roles, memberships and authorised apps to ``entitlements``; Gemini use to ``assistant_access``.
Drops   titles, subjects, message details, device and call details, network.
Schema  Admin SDK reports_v1; events without a rule are activity.

A record is an event: an activity with several events gives several, so that both forms give the same rows. Its id is
the activity's (application, time, qualifier) with the event's name and parameters. Sharing in Drive is activity with
what changed in ``effect_delta`` and no decision step: everybody shares all day.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from lineage_analytics import tables
from lineage_analytics.loaders import _workspace_steps as steps
from lineage_analytics.loaders._event_rows import (
    ENVELOPES,
    Event,
    Who,
    delta,
    listed,
    nested,
    page_records,
    seen,
    unwrapped,
)
from lineage_analytics.loaders._query_export import names_of, renamed, untyped
from lineage_analytics.loaders._workspace_actor import PROVIDER, actor_of, named
from lineage_analytics.loaders.common.assembly import RecordFault, assemble
from lineage_analytics.loaders.common.contract import Batch, Chunk, Match
from lineage_analytics.loaders.common.packings import csv_columns, json_or_array_chunks, row_chunks
from lineage_analytics.loaders.common.records import json_chunks
from lineage_analytics.loaders.common.sampling import WRAPPERS, decode_object
from lineage_analytics.loaders.common.spread import spread
from lineage_analytics.loaders.common.values import Fields, embedded, fold, name, obj, objects, state_hash, text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lineage_analytics.loaders.common.assembly import Entry
    from lineage_analytics.loaders.common.contract import Document, Sample

__all__ = ["FEEDS", "LATENESS", "PROVIDER", "detect", "extract", "transform"]

LATENESS = timedelta(hours=24)
FEEDS = frozenset({"activity", "assistant_access", "decision_steps", "entitlements", "identity_facts"})
SOURCE = "google_workspace"
KNOWN = {"kind": "string", "id": "object", "etag": "string", "actor": "object", "ownerdomain": "string",
         "ipaddress": "string", "networkinfo": "object", "type": "string", "name": "string", "event": "object",
         "parameters": "object array", "resourcedetails": "", "_page": "object", "userdeviceinfo": "object"}
_KINDS = frozenset({"admin#reports#activity", "audit#activity"})
_PAGES = ("items",)
_WRAPPERS = tuple(key for key in WRAPPERS if key != "events")  # those of an activity are not the records of the file
_READS = frozenset({"view", "download", "preview", "print", "sheets_import_range", "source_copy", "view_item_content"})
_WRITES = frozenset({"edit", "create", "upload", "rename", "delete", "trash", "untrash", "move", "change_user_access",
                     "change_document_visibility", "change_owner", "change_acl_editors"})
_SHOWN = ("old_value", "new_value", "visibility", "old_visibility", "visibility_change", "role_name", "privilege_name",
          "setting_name", "org_unit_name", "application_name", "scope", "api_scopes")
_VALUES = ("value", "intvalue", "boolvalue", "multivalue", "multiintvalue", "multiboolvalue", "messagevalue",
           "multimessagevalue")
_STATED = {"succeeded": "success", "success": "success", "succeeded_with_warnings": "success", "failed": "failure",
           "failure": "failure", "denied": "denied"}
_TEXT = 200
# Columns of GoogleWorkspaceReports; its others repeat parameters.
_TABLE = {
    "kind": "kind", "etag": "etag", "ownerdomain": "ownerdomain", "srcipaddr": "ipaddress", "idtime": "id.time",
    "idapplicationname": "id.applicationname", "idcustomerid": "id.customerid",
    "iduniquequalifier": "id.uniquequalifier", "actoremail": "actor.email", "actorcallertype": "actor.callertype",
    "actorprofileid": "actor.profileid", "actorkey": "actor.key",
    "actorapplicationinfooauthclientid": "actor.applicationinfo.oauthclientid",
    "actorapplicationinfoapplicationname": "actor.applicationinfo.applicationname",
    "actorapplicationinfoimpersonation": "actor.applicationinfo.impersonation", "eventtype": "type",
    "eventname": "name", "eventparameters": "parameters",
}
_ROW = {"idapplicationname", "idtime", "eventname"}
_OLDER = {"id_applicationname_s", "id_time_t", "event_name_s"}
_OF_ACTIVITY = {"event_name": "name", "event_type": "type", "kind": "kind", "etag": "etag",
                "ownerdomain": "ownerdomain", "ipaddress": "ipaddress"}
_HEAD = 4_096


def detect(sample: Sample) -> Match | None:
    """Activities by their kind, or by an id with an application beside an actor, events or an event type."""
    columns = names_of(csv_columns(sample))
    if columns >= _ROW or columns >= _OLDER:
        return Match("csv", 0.95, "columns of a table of activities")
    if sample.wrapper == "events" and sample.keys >= {"id", "actor"} and b'"applicationName"' in sample.head[:_HEAD]:
        return Match("json", 0.95, "an activity with its events")
    page = listed(sample.first, *_PAGES)
    first = page[0] if page else sample.first or {}
    row = _opened(first)
    if not _is_activity(row):
        return None
    return Match("pages" if page is not None else "json", 0.95, "activities with id.applicationName and events")


def _opened(record: Mapping[str, Any]) -> Fields:
    row = unwrapped(record, *ENVELOPES)
    if row.keys() >= _ROW:
        row = renamed(row, _TABLE)
        row["parameters"] = embedded(row.get("parameters"))
        if "E+" in str(row.get("id.uniquequalifier")).upper():  # a spreadsheet rounded it: no id any more
            del row["id.uniquequalifier"]
    elif row.keys() >= _OLDER:
        row = _older(row)
    return nested(row) if any(key.startswith("id.") for key in row) else row


def _older(row: Fields) -> Fields:
    """The activity in a row of a GWorkspace_ReportsAPI table, in which every parameter of an event is a column."""
    found: Fields = {"ipaddress": row.get("ipaddress"), "parameters": {}}
    for key, held in untyped(row, dotted=False).items():
        if key.startswith(("id_", "actor_")):
            found[key.replace("_", ".")] = held
        elif key in _OF_ACTIVITY:
            found[_OF_ACTIVITY[key]] = held
        else:
            found["parameters"][key] = embedded(held)
    return found


def _is_activity(row: Mapping[str, Any]) -> bool:
    held = obj(row.get("id"))
    return "applicationname" in held and (text(row.get("kind")) in _KINDS or bool(
        row.keys() & {"actor", "events", "type", "parameters"}))


def extract(document: Document) -> Iterator[Chunk]:
    """One raw record an event, whatever the file lists."""
    if document.shape == "csv":
        chunks = row_chunks(document)
    elif document.shape == "pages":
        chunks = page_records(document, *_PAGES)
    elif document.sample.first is None:
        chunks = json_or_array_chunks(document)
    else:
        chunks = json_chunks(document, _WRAPPERS)
    return spread(chunks, _events)


def _events(raw: bytes | msgspec.Raw) -> list[bytes | msgspec.Raw]:
    """The events of an activity, each with what the activity says of all."""
    held = decode_object(raw)
    row = unwrapped(held, *ENVELOPES) if held is not None else {}
    events = row.get("events")
    events = [events] if isinstance(events, dict) else events  # a shipper sends one record an event
    if not isinstance(events, list) or not events or not all(isinstance(event, dict) for event in events):
        return [raw]
    rest = {key: value for key, value in row.items() if key != "events"}
    return [msgspec.json.encode({**rest, "event": event}) for event in events]


def transform(chunk: Chunk, document: Document) -> Batch:
    """Activity, identity facts, decision steps, entitlements and Gemini use of one chunk."""
    return assemble(chunk, document, SOURCE, _read)


def _read(entry: Entry) -> None:
    fields = _opened(entry.fields)
    about = fold(obj(fields.get("id")))
    said = obj(fields.get("event")) or fields
    application = (name(about.get("applicationname")) or "unknown").lower()
    action = name(said.get("name")) or name(said.get("type"))
    if action is None and not about:
        raise RecordFault("no_event", "neither an id nor the name of an event")
    action = action or "unknown"
    parameters = parameters_of(said.get("parameters"))
    customer = name(about.get("customerid"))
    native = name(about.get("uniquequalifier")) or name(about.get("uniqqualifier"))
    entry.fields = {key: held for key, held in fields.items() if key != "_page"}
    time = entry.moment(about.get("time") or fields.get("p_event_time"), "id.time")
    parts = (application, time.isoformat() if time else "", native, action, state_hash(parameters))
    entry.identify(PROVIDER, customer, "/".join(part or "" for part in parts) if native else None, within="")
    who = actor_of(fields, customer)
    event = Event(time, action, _outcome(action, said), who.actor, native, None, who.on_behalf_of, who.via)
    target, changed = steps.steps_of(entry, event, application, parameters, customer)
    resource = target or _resource(parameters, customer)
    entry.add(
        tables.ACTIVITY, time=time, actor_id=who.actor.id, on_behalf_of_id=who.on_behalf_of, via_assistant_id=who.via,
        delegation_kind=who.delegation, delegation_trust="provider_asserted" if who.delegation else None, action=action,
        resource_id=resource, effect_delta=_delta(application, said, parameters), outcome=event.outcome,
        is_read=False if changed or action in _WRITES else True if action in _READS or action.startswith(
            "view_") else None,
        ip=name(fields.get("ipaddress")), credential_id=None, event_id=native,
        unmapped=entry.leftovers(KNOWN, entry.fields))
    if application.startswith("gemini"):
        _gemini(entry, event, parameters, customer)
    for principal in (*who.principals, *_accounts(parameters, customer)):
        seen(entry, principal)


def parameters_of(said: object) -> Fields:
    """Parameters by folded name, from the list of the API and from the object of a SIEM alike; values as text."""
    if isinstance(said, dict):
        return {key: shown for key, held in fold(said).items() if (shown := _shown(held)) is not None}
    found: Fields = {}
    for item in objects(said):
        key = text(item.get("name"))
        value = next((item[field] for field in _VALUES if item.get(field) is not None), None)
        if key is not None and (shown := _shown(value)) is not None:
            found[key.lower()] = shown
    return found


def _shown(value: object) -> object:
    if isinstance(value, list):
        return [shown for item in value if (shown := _shown(item)) is not None] or None
    return value if isinstance(value, dict) else text(value)


def _outcome(action: str, said: Fields) -> str:
    stated = text(obj(said.get("status")).get("eventstatus"))
    if stated is not None:
        return _STATED.get(stated.lower(), "unknown")
    low = action.lower()
    if low.endswith(("_failure", "_failed")):
        return "failure"
    if "deny" in low or "denied" in low:
        return "unknown" if "monitor" in low else "denied"
    return "success"


def _resource(parameters: Fields, customer: str | None) -> str | None:
    start = f"{PROVIDER}:{customer or ''}:"
    for key, what in (("doc_id", "doc/"), ("group_email", ""), ("group_id", ""), ("user_email", ""), ("client_id", ""),
                      ("resource_id", "resource/"), ("calendar_id", "calendar/"), ("meeting_code", "meeting/")):
        found = name(parameters.get(key))
        if found is not None:
            return f"{start}{what}{found if what else found.lower()}"
    return None


def _delta(application: str, said: Fields, parameters: Fields) -> str | None:
    """What changed, of changes of access and of administration only: elsewhere values are titles."""
    if application != "admin" and "acl" not in (text(said.get("type")) or "").lower() and application != "token":
        return None
    held = {key: parameters.get(key) for key in _SHOWN}
    return delta({key: value for key, value in held.items() if len(str(value)) <= _TEXT})


def _accounts(parameters: Fields, customer: str | None) -> list[Who]:
    found = [named(parameters.get(key), kind, f"parameter {key.upper()}", customer) for key, kind in (
        ("user_email", "human"), ("group_email", "group"))]
    client = name(parameters.get("client_id"))
    if client is not None and name(parameters.get("app_name")) is not None:
        found.append(Who(f"{PROVIDER}:{customer or ''}:{client.lower()}", "app", "parameter client_id of an app",
                         name(parameters.get("app_name"))))
    return found


def _gemini(entry: Entry, event: Event, parameters: Fields, customer: str | None) -> None:
    """Use of Gemini in an application: who and where; what it read is not in these reports."""
    assistant = Who(f"{PROVIDER}:{customer or ''}:gemini", "ai_assistant", "the Gemini report", "Gemini")
    entry.add(
        tables.ASSISTANT_ACCESS, time=event.time, user_id=event.on_behalf_of or event.actor.id,
        assistant_id=assistant.id, agent_id=event.actor.id if event.actor.kind == "ai_agent" else None,
        app_host=name(parameters.get("app_name")),
        interaction_id=entry.record_id, role="none", action="unknown", policy_outcome="unknown", trigger="unknown",
        completeness="absent", event_id=event.event_id)
    seen(entry, assistant)
