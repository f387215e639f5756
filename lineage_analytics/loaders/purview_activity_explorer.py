"""Activity Explorer of Purview data security: labels, policy matches and assistants at work (sources 4.1).

Shapes  the result of ``Export-ActivityExplorerData`` (rows as text in ``ResultData``), the rows alone as array, lines,
        pages (``Records``, which PowerShell writes as one object when there is but one) or CSV, headings in any case;
        the portal's CSV as far as it goes.
Maps    every row to ``activity``, a change of label with the labels before and after; the user to
        ``identity_facts``; interactions with assistants also to ``assistant_access``: resources where the row lists
        them, else one row per sensitivity label it says was referenced, else one without a resource.
Drops   names of files and subjects of mail, receivers, what classifiers found, and every text of unknown fields.
Schema  the rows of 2025 and 2026; unknown activities are activity, unknown keys ``unmapped`` without their texts.

The rows repeat what the unified audit log holds, later, for 30 days back. Where both are loaded, an interaction has the
same id in both (thread and prompt), so it counts once; activity rows are two, with the same ``event_id``. That a row
says no file was referenced is no list of resources: ``completeness`` stays ``absent``. The outcome is not stated.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from lineage_analytics import tables
from lineage_analytics.loaders._m365_activity import relabelled
from lineage_analytics.loaders._m365_actor import actor_of, as_fact
from lineage_analytics.loaders._m365_copilot import accesses, agent_of, assistant_of
from lineage_analytics.loaders._m365_record import PROVIDER, Record, user_type
from lineage_analytics.loaders._m365_types import NAMES
from lineage_analytics.loaders._m365_urls import site_address
from lineage_analytics.loaders._purview_rows import by_heading, headings, rows
from lineage_analytics.loaders.common.assembly import RecordFault, assemble
from lineage_analytics.loaders.common.contract import Batch, Chunk, Match
from lineage_analytics.loaders.common.ids import identity_id
from lineage_analytics.loaders.common.leftovers import unmapped
from lineage_analytics.loaders.common.sampling import decode_object
from lineage_analytics.loaders.common.spread import spread
from lineage_analytics.loaders.common.values import embedded, flag, guid, name, native, obj, objects, text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lineage_analytics.loaders._m365_actor import Actor
    from lineage_analytics.loaders.common.assembly import Entry
    from lineage_analytics.loaders.common.contract import Document, Sample

__all__ = ["PROVIDER"]

LATENESS = timedelta(hours=24)
FEEDS = frozenset({"activity", "assistant_access", "identity_facts"})
SOURCE = "purview_activity_explorer"

_RESULT = frozenset({"resultdata", "watermark", "lastpage", "totalresultcount"})
_TIMES = ("happened", "timestamp", "creationtime", "creationdate")
_INTERACTIONS = {NAMES[number].lower(): number for number in (261, 284, 328, 334)}
# Parts of an interaction that stand beside or inside CopilotEventData.
_EVENT = ("apphost", "threadid", "conversationid", "messages", "contexts", "accessedresources", "aisystemplugin",
          "modeltransparencydetails", "dlpevaluationdeferred", "appidentity", "agentid", "agentname",
          "targetplatformagentid", "targetagentname", "automationid", "triggermode")
KNOWN = {
    **dict.fromkeys(("recordidentity", "activity", "activityid", "user", "userkey", "userid", "organizationid", *_TIMES,
                     "clientip", "workload", "location", "dataplatform", "filepath", "filepathurl", "itemname",
                     "filename", "apphost", "applocation", "purviewaiapplocation", "purviewaiappname", "threadid",
                     "conversationid", "appidentity", "appidentitycategory", "appidentitygroup", "licensetype",
                     "enrichedcopilotthreadorcorrelationid", "agentid", "agentname", "useragent"), "string number"),
    **dict.fromkeys(("usertype", "copiloteventdata", "accessedresources", "messages", "contexts", "aisystemplugin",
                     "modeltransparencydetails", "haswebsearchquery", "arefilesreferenced",
                     "aresensitivefilesreferenced", "sensitivitylabelidsreferenced", "dlpevaluationdeferred",
                     "memoryupdated", "policymatchinfo", "emailinfo", "sensitiveinfotypedata", "attachmentdetails",
                     "sensitiveinfotypebucketsdata", "enrichedllmmessageids", "targetplatformagentid",
                     "targetagentname", "automationid", "triggermode", "sensitivitylabel", "oldsensitivitylabel"), ""),
}


def detect(sample: Sample) -> Match | None:
    """Rows by ``RecordIdentity`` with an activity, or the result object of the export command."""
    keys = frozenset(key.lower() for key in sample.keys)
    if "resultdata" in keys and len(keys & _RESULT) > 1:
        return Match("results", 0.95, "ResultData of Export-ActivityExplorerData")
    first = sample.first
    found = headings(sample)
    if isinstance(one := (first or {}).get("Records"), dict):
        found = frozenset(by_heading(one))
    shape = "csv" if first is None else "results"
    if {"recordidentity", "activity"} <= found or {"recordidentity", "activityid"} <= found:
        return Match(shape, 0.95, "RecordIdentity and Activity of Activity Explorer")
    if {"activity", "happened", "user"} <= found and found & {"workload", "location", "dataplatform", "activityid"}:
        return Match(shape, 0.85, "Activity, Happened and User of Activity Explorer")
    return None


def extract(document: Document) -> Iterator[Chunk]:
    """The rows, out of ``ResultData`` and ``Records`` where they are packed."""
    return rows(document) if document.shape == "csv" else spread(rows(document), _unpacked)


def _unpacked(raw: bytes | msgspec.Raw) -> list[bytes | msgspec.Raw]:
    """The rows inside a result or page; the object itself when it is a row."""
    held = memoryview(raw)
    if not any(mark in bytes(held[:65_536]) for mark in (b'"ResultData"', b'"Records"', b'"resultdata"', b'"records"')):
        return [raw]
    cells = by_heading(decode_object(raw) or {})
    if cells.keys() & {"recordidentity", "activity"}:
        return [raw]
    listed = embedded(cells.get("resultdata", cells.get("records")))
    items = listed if isinstance(listed, list) else [listed]
    return [msgspec.json.encode(item) for item in items if item is not None]


def transform(chunk: Chunk, document: Document) -> Batch:
    """Activity, assistant access and users of one chunk."""
    return assemble(chunk, document, SOURCE, _read)


def _read(entry: Entry) -> None:
    cells = by_heading(entry.fields)
    activity = name(cells.get("activityid")) or name(cells.get("activity"))
    if activity is None:
        raise RecordFault("not_an_activity", "no Activity and no ActivityId")
    tenant = guid(name(cells.get("organizationid")))
    record = _record(entry, cells, activity, tenant)
    entry.identify(PROVIDER, tenant, record.native_id or None)
    time = entry.time(record.time, "Happened")
    actor = actor_of(record)
    is_interaction = record.record_type is not None
    via = _through(record) if is_interaction else None
    entry.leftovers(KNOWN, cells)
    entry.add(
        tables.ACTIVITY, time=time, actor_id=actor.id, action=f"{PROVIDER}:{record.operation}",
        resource_id=None if is_interaction else _resource(cells), outcome="unknown",
        effect_delta=None if is_interaction else relabelled(cells), ip=name(cells.get("clientip")),
        via_assistant_id=via, delegation_kind=via and "platform_field", delegation_trust=via and "provider_asserted",
        event_id=record.native_id or entry.record_id, unmapped=unmapped(cells, KNOWN, texts=False))
    if actor.id is not None:
        entry.add(tables.IDENTITY_FACTS, **as_fact(actor))
    if is_interaction:
        for row in _accesses(record, cells, actor):
            entry.add(tables.ASSISTANT_ACCESS, time=time, **{
                **row, "interaction_id": row["interaction_id"] or entry.record_id,
                "event_id": record.native_id or entry.record_id})


def _record(entry: Entry, cells: Mapping[str, Any], activity: str, tenant: str | None) -> Record:
    """The row as an audit record, so that an interaction reads the same in both exports."""
    inside = obj(cells.get("copiloteventdata"))
    fields = {key: held for key in _EVENT if (held := cells.get(key, inside.get(key))) not in (None, "")}
    fields.setdefault("threadid", cells.get("enrichedcopilotthreadorcorrelationid"))
    interaction = _INTERACTIONS.get(activity.replace(" ", "").lower())
    login = name(cells.get("user")) or name(cells.get("userid"))
    time = next((found for key in _TIMES if (found := text(cells.get(key))) is not None), None)
    return Record(
        position=entry.position, fields=fields | {"userid": login, "userkey": cells.get("userkey")},
        native_id=native(name(cells.get("recordidentity"))) or "", tenant=tenant, time=time,
        operation=NAMES[interaction] if interaction else activity, record_type=interaction,
        login=login.casefold() if login else None, user_type=user_type(cells.get("usertype")), context={},
        unmapped=None)


def _through(record: Record) -> str | None:
    found = agent_of(record, record.fields) or assistant_of(record, record.fields)
    return identity_id(PROVIDER, record.tenant, found) if found else None


def _resource(cells: Mapping[str, Any]) -> str | None:
    """The address of a file; other paths lie on somebody's device."""
    return site_address(name(cells.get("filepathurl"))) or site_address(name(cells.get("filepath")))


def _accesses(record: Record, cells: Mapping[str, Any], actor: Actor) -> Iterator[dict[str, Any]]:
    """Rows of an interaction, with the flags and labels that stand for the lists this export leaves out."""
    found = list(accesses(record, actor))
    web = flag(cells.get("haswebsearchquery"))
    policies = sorted({native(held) or held for one in objects(cells.get("policymatchinfo"))
                       if (held := name(one.get("policyid"))) is not None}) or None
    labels = _labels(cells) if all(row["role"] == "none" for row in found) else []
    for row in found:
        stated = {**row, "web_grounding": web if row["web_grounding"] is None else row["web_grounding"],
                  "policy_ids": row["policy_ids"] or policies}
        for label in labels or [row["label_id"]]:
            yield {**stated, "label_id": label}


def _labels(cells: Mapping[str, Any]) -> list[str]:
    listed = embedded(cells.get("sensitivitylabelidsreferenced"))
    items = listed if isinstance(listed, list) else (text(listed) or "").replace(";", ",").split(",")
    return sorted({found for item in items if (found := guid(text(item))) is not None})
