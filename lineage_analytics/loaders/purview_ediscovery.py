"""Purview eDiscovery item report: that somebody talked with an assistant, in which application and when (sources 4.1).

The report lists copies of messages that compliance keeps in mailboxes. It is content and not an audit log, so this
loader takes ids, times, the application and the mailbox, and reads nothing else.

Shapes  the item report as CSV, 166 to 177 columns in any order, headings without regard to case and punctuation; the
        same rows as JSON.
Maps    every item whose ``Item class`` is an assistant's (``IPM.SkypeTeams.Message.Copilot.<host>`` and its kin) to
        ``assistant_access``; the mailbox it lies in to ``identity_facts``.
Drops   subjects, titles, names of files and folders, participants, recipients and senders, conversation names, paths
        within the export. Other mail and files are rejected as ``out_of_scope``: also a file whose row does not say
        that the conversation it was shared in was an assistant's.
Schema  the report of the unified eDiscovery experience (2025); classes of later assistants are taken by their form.

The report does not say which answer belongs to which prompt, and transcripts repeat both. All items of a thread are one
interaction, so counting them counts conversations. The thread is the one that audit records name where its id survived:
the report strips ``:``, ``@``, ``.`` and ``_``; of the 44 characters between them, fewer mean that some were lost.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from lineage_analytics import tables
from lineage_analytics.loaders._m365_urls import resource_key, site_address
from lineage_analytics.loaders._purview_rows import PROVIDER, by_heading, headings, login, rows
from lineage_analytics.loaders.common.assembly import RecordFault, assemble
from lineage_analytics.loaders.common.contract import Batch, Chunk, Match
from lineage_analytics.loaders.common.ids import identity_id
from lineage_analytics.loaders.common.values import guid, name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lineage_analytics.loaders.common.assembly import Entry
    from lineage_analytics.loaders.common.contract import Document, Sample

__all__ = ["PROVIDER"]

LATENESS = timedelta(hours=24)
FEEDS = frozenset({"assistant_access", "identity_facts"})
SOURCE = "purview_ediscovery"

_ALWAYS = frozenset({"itemclass", "immutableid"})
_USUAL = frozenset({"compoundpath", "locationsubtype", "emaildatesent", "sourceid", "targetpath", "addedby"})
_ASSISTANT = re.compile(
    r"ipm\.skypeteams\.(?:message\.)?(copilot|connectedaiapp|cloudaiapp|teamcopilot)(?:\.(.{1,200}))?", re.IGNORECASE)
_THREAD = re.compile(r"/teams/(19([a-z0-9_-]{20,120})(threadv2|threadtacv2|threadskype))/", re.IGNORECASE)
_WHOLE_THREAD = 44
_SUFFIX = {"threadv2": "@thread.v2", "threadtacv2": "@thread.tacv2", "threadskype": "@thread.skype"}
# Ids that tell an item from others where the report has no Immutable ID for it; nothing people wrote.
_STAND_INS = ("internetmessageid", "documentidindex", "locationid", "date", "itemclass")
_TIMES = ("date", "emaildatesent", "received", "created")


def detect(sample: Sample) -> Match | None:
    """An item report by ``Item class`` and ``Immutable ID`` beside the columns of mail items."""
    found = headings(sample)
    if not found >= _ALWAYS or len(found & _USUAL) < 2:
        return None
    return Match("json" if sample.first is not None else "csv", 0.95, "Item class and Immutable ID of an item report")


def extract(document: Document) -> Iterator[Chunk]:
    """The items listed."""
    yield from rows(document)


def transform(chunk: Chunk, document: Document) -> Batch:
    """Assistant access and the mailboxes of one chunk."""
    return assemble(chunk, document, SOURCE, _read)


def _read(entry: Entry) -> None:
    cells = by_heading(entry.fields)
    kind = name(cells.get("itemclass"))
    native = name(cells.get("immutableid"))
    found = _ASSISTANT.fullmatch(kind or "")
    if found is None:
        if "itemclass" not in cells and native is None:
            raise RecordFault("not_an_item", "no Item class and no Immutable ID")
        raise RecordFault("out_of_scope", "an item that is no message to or from an assistant", "rejected")
    time = next((cells[key] for key in _TIMES if name(cells.get(key)) is not None), None)
    if native is None:
        native = "/".join(filter(None, (name(cells.get(key)) for key in _STAND_INS))) or None
        if native is None:
            raise RecordFault("no_id", "no Immutable ID, and nothing that could stand for it")
    entry.identify(PROVIDER, None, native)
    user = _mailbox(cells)
    thread = _thread(native) or _thread(name(cells.get("modernattachmentparentid")) or "")
    entry.add(
        tables.ASSISTANT_ACCESS, time=entry.time(time, "Date"), user_id=user and identity_id(PROVIDER, None, user),
        app_host=name(found.group(2)), interaction_id=thread or entry.record_id, thread_id=thread,
        **_resource(cells), policy_outcome="unknown", trigger=_trigger(cells, user), completeness="absent",
        action="unknown", event_id=native)
    if user is not None:
        entry.add(
            tables.IDENTITY_FACTS, id=identity_id(PROVIDER, None, user), kind="unknown", display_name=user,
            alt_ids=[{"kind": "login", "value": user}, {"kind": "upn", "value": user}],
            kind_basis="a mailbox, of whatever kind", basis="seen")


def _mailbox(cells: dict[str, Any]) -> str | None:
    """The login of the mailbox the item lies in; a site has none."""
    return login(cells.get("itemsource")) or login(cells.get("sourceid"))


def _thread(native: str) -> str | None:
    """The thread in the id of a message, restored where no character of it was lost."""
    found = _THREAD.search(native)
    if found is None:
        return None
    squeezed, core, suffix = found.groups()
    return f"19:{core}{_SUFFIX[suffix.lower()]}" if len(core) == _WHOLE_THREAD else squeezed


def _trigger(cells: dict[str, Any], user: str | None) -> str:
    """``user`` for what the owner of the mailbox sent; an answer or a transcript does not say what began it."""
    return "user" if user is not None and login(cells.get("sender")) == user else "unknown"


def _resource(cells: dict[str, Any]) -> dict[str, Any]:
    """The file shared in the conversation, for the items that are one."""
    path = name(cells.get("compoundpath"))
    address = site_address(path)
    unique = guid(name(cells.get("spouniqueid")))
    if address is None and unique is None:
        return {"role": "none"}
    return {
        "role": "context", "resource_id": resource_key(path) if address else unique,
        "resource_id_kind": "spo_url" if address else "list_item_id", "resource_type": name(cells.get("fileextension")),
        "site_url": site_address(name(cells.get("sourceid"))), "label_id": guid(name(cells.get("sensitivitylabel"))),
    }
