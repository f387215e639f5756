"""Jira issues with their history, and approvals of Jira Service Management (sources 10).

Shapes  search results (``issues``) with ``changelog``, issues alone, in arrays or on lines; pages of one issue's
        history and the bulk form; approvals (``values``, or a field of the issue); CSV issue lists with repeated
        columns, CSV history of the data pipeline; webhooks; audit records of Cloud and Data Center; test-suite
        envelopes.
Maps    the creation of an issue, each entry of its history, each approval and each entry of the audit log are a record
        of their own in ``activity``; statuses reached, by the table in ``_jira_steps``, approvers' decisions, and
        members that an audit record adds to or removes from groups to ``decision_steps``; accounts to
        ``identity_facts``.
Drops   summaries, descriptions and comments, but for whether there is a description and the ticket keys quoted;
        values of history items other than statuses; texts of custom and other fields without a rule, whose ids, numbers
        and flags are kept.
Schema  Cloud REST v2 and v3, Data Center 8 and later.

A case is named by the issue's key (``issue_key``). An issue is a request only where its type, an approval or a status
shows it: others are activity alone, so that a backlog of defects is no pile of decisions. A site's own statuses must be
added to the table. An approver's own moment is not on record: the approval's completion stands for it, and a vote in an
approval still open is no step yet. CSV times are in the zone of the exporting user and are read as UTC; their steps say
so (``time_zone``).
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import msgspec
import polars as pl

from lineage_analytics import tables
from lineage_analytics.loaders._inventory_rows import csv_chunks
from lineage_analytics.loaders._jira_audit import KNOWN as AUDIT
from lineage_analytics.loaders._jira_audit import audited, audits, is_audit
from lineage_analytics.loaders._jira_records import (
    KEY,
    is_issue,
    is_webhook,
    page_of,
    parts,
    row_record,
    site_of,
    when,
)
from lineage_analytics.loaders._jira_steps import meaning
from lineage_analytics.loaders._lookahead import expanded
from lineage_analytics.loaders._one_tenant import renamed, with_one_tenant
from lineage_analytics.loaders.common.assembly import Entry, RecordFault, assemble
from lineage_analytics.loaders.common.contract import Match
from lineage_analytics.loaders.common.ids import identity_id
from lineage_analytics.loaders.common.leftovers import unmapped
from lineage_analytics.loaders.common.packings import head_keys, json_or_array_chunks
from lineage_analytics.loaders.common.sampling import decode_object
from lineage_analytics.loaders.common.stated import stated
from lineage_analytics.loaders.common.times import zone_of
from lineage_analytics.loaders.common.values import Fields, fold, name, obj, objects, text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from lineage_analytics.loaders.common.contract import Batch, Chunk, Document, Sample

__all__ = ["FEEDS", "LATENESS", "PROVIDER", "detect", "extract", "settle", "transform"]

PROVIDER = "jira"
LATENESS = timedelta(hours=24)
FEEDS = frozenset({"activity", "decision_steps", "identity_facts"})
SOURCE = "jira"
_RECORDS_PER_CHUNK = 8_192
_TEXT_READ = 65_536
_QUOTED = re.compile(r"\b(?:CHG|INC|RITM|REQ|SCTASK|TASK|PRB|CTASK)[0-9]{4,12}\b|\b[A-Z][A-Z0-9]{1,9}-[0-9]{1,7}\b")
_VERDICTS = {"approved": "approve", "declined": "deny", "rejected": "deny"}
# Fields of an issue and of an entry of its history that are read above, or that say nothing here.
_FIELDS = frozenset({
    "aggregateprogress", "aggregatetimeestimate", "aggregatetimeoriginalestimate", "aggregatetimespent", "assignee",
    "attachment", "comment", "components", "created", "creator", "description", "duedate", "environment", "fixversions",
    "issuelinks", "issuerestriction", "issuetype", "labels", "lastviewed", "parent", "priority", "progress", "project",
    "reporter", "resolution", "resolutiondate", "security", "status", "statuscategory", "statuscategorychangedate",
    "subtasks", "summary", "timeestimate", "timeoriginalestimate", "timespent", "timetracking", "updated", "versions",
    "votes", "watches", "worklog", "workratio",
})
_ENTRY = frozenset({"author", "created", "id", "items"})
_KINDS = {"app": ("app", "app"), "atlassian": ("human", None), "customer": ("human", "customer")}


def detect(sample: Sample) -> Match | None:
    """Issues with key and fields, pages of history or approvals, CSV by its headings."""
    if sample.columns:
        columns = {column.lower() for column in sample.columns}
        if {"issue key", "issue id"} <= columns or {"issue key", "status", "created"} <= columns:
            return Match("csv", 0.9, "columns Issue key with Issue id or Status and Created")
        history = {"field", "from_string", "to_string"} <= columns and {"issue_id", "issue_key"} & columns
        return Match("csv", 0.9, "columns field, from_string and to_string") if history else None
    if sample.first is None:
        keys = head_keys(sample)
        long = ({"key", "fields", "self", "issuetype"} <= keys
                or {"fromstring", "tostring", "items", "created"} <= keys)
        return Match("json", 0.85, "issues or history longer than the head") if long else None
    first = fold(sample.first)
    if any(True for _ in audits(first)) and ("affectedobjects" not in first or b"jira" in sample.head.lower()):
        return Match("audit", 0.9, "records of Jira's audit log")
    return next((Match("json", 0.95, why) for record in (first, obj(first.get("log"))) if (why := _why(record))), None)


def _why(record: Fields) -> str | None:
    if is_issue(record) or any(is_issue(one) for one in objects(record.get("issues"))):
        return "issue key with fields"
    if isinstance(record.get("issuechangelogs"), list):
        return "issueChangeLogs"
    if is_webhook(record):
        return "a webhook about an issue"
    shape = page_of(record)
    return f"a page of {shape}" if shape else None


def extract(document: Document) -> Iterator[Chunk]:
    """One raw record per issue created, entry of history and approval."""
    if document.shape == "csv":
        return csv_chunks(document)
    return expanded(json_or_array_chunks(document), _audit_parts if document.shape == "audit" else parts,
                    _RECORDS_PER_CHUNK)


def _audit_parts(raw: bytes | msgspec.Raw) -> list[bytes]:
    found = decode_object(raw)
    return [msgspec.json.encode(one["audit"]) for one in audits(fold(found or {}))] or [bytes(raw)]


def transform(chunk: Chunk, document: Document) -> Batch:
    """Activity, steps and accounts of one chunk."""
    if document.shape == "audit":
        return assemble(chunk, document, SOURCE, _audit)
    flat = document.shape == "csv"
    return assemble(chunk, document, SOURCE, lambda entry: _read(entry, flat=flat))


def settle(tables: Mapping[str, pl.LazyFrame]) -> dict[str, pl.LazyFrame]:
    """The fact tables with cases named by key where only an issue's id was known, and the one site filled in."""
    found = dict(tables)
    steps = found.get("decision_steps")
    ours = pl.col("provider") == PROVIDER
    if steps is not None and not steps.filter(ours & (pl.col("native_key_kind") == "issue_id")).limit(
            1).collect().is_empty():
        keyed = (pl.col("native_key_kind") == "issue_key") & (pl.col("operation") == "issue:create")
        known = steps.filter(ours & keyed)
        found["decision_steps"] = renamed(steps, known, PROVIDER, "issue_id")
    return with_one_tenant(found, PROVIDER)


class _Case:
    """The issue a record is about."""

    def __init__(self, about: Fields, *addresses: object) -> None:
        self.id, self.key = name(about.get("id")), name(about.get("key"))
        if self.key is not None and KEY.fullmatch(self.key) is None:
            self.key = None
        self.site = site_of(about.get("self"), *addresses)
        self.gated = about.get("gated") is True

    @property
    def native(self) -> dict[str, str | None]:
        kind = "issue_key" if self.key else "issue_id" if self.id else None
        return {"native_key_kind": kind, "native_key": self.key or self.id}

    @property
    def resource(self) -> str | None:
        return identity_id(PROVIDER, self.site, f"issue/{self.named}") if self.named else None

    @property
    def named(self) -> str | None:
        """The id, which every form of export but some CSV has and which a move to another project leaves as it is."""
        return self.id or self.key


def _read(entry: Entry, *, flat: bool) -> None:
    record = row_record(entry.fields) if flat else fold(entry.fields)
    kind = text((record or {}).get("kind"))
    if kind == "nothing":
        raise RecordFault("out_of_scope", "neither the creation of an issue nor anything of its history", "rejected")
    about = obj((record or {}).get("issue"))
    if record is None or kind not in _READERS or not (about.get("key") or about.get("id")):
        raise RecordFault("no_issue", "neither an issue nor an entry of one's history nor an approval of one")
    _READERS[kind](entry, record, about)


def _issue(entry: Entry, record: Fields, about: Fields) -> None:
    fields = obj(record.get("fields"))
    creator, reporter = obj(fields.get("creator")), obj(fields.get("reporter"))
    case = _Case(about, creator.get("self"), reporter.get("self"))
    time = entry.moment(_iso(when(fields.get("created"))) or text(fields.get("created")), "created")
    entry.identify(PROVIDER, case.site, f"issue/{case.named}")
    asked = _account(entry, case, reporter)
    actor = _account(entry, case, creator) or asked
    others = {key: held for key, held in fields.items() if held not in (None, "", [], {}) and not _is_approval(held)}
    _act(entry, case, time, "issue:create", actor, case.id, left=unmapped(others, _FIELDS, texts=False))
    if case.gated and time is not None:
        entry.step("request", kind="request", time=time, operation="issue:create", actor_id=actor, event_id=case.id,
                   time_zone=zone_of(fields.get("created")),
                   initiator_id=asked or actor, quoted_keys=_quoted(case, fields), stated_keys=_linked(case, fields),
                   **_class(creator), **case.native,
                   justification_present=fields.get("description") not in (None, "", {}),
                   title=f"{case.key or 'issue'} requested")


def _history(entry: Entry, record: Fields, about: Fields) -> None:
    history = obj(record.get("history"))
    author = obj(history.get("author"))
    case = _Case(about, author.get("self"))
    time = entry.moment(_iso(when(history.get("created"))) or text(history.get("created")), "created")
    native = name(history.get("id"))
    entry.identify(PROVIDER, case.site, f"history/{native}" if native else None)
    actor = _account(entry, case, author)
    items = objects(history.get("items"))
    moves = [(name(item.get("fromstring")), name(item.get("tostring"))) for item in items
             if (name(item.get("field")) or "").lower() == "status"]
    fields = sorted({found for item in items if (found := name(item.get("field")))})
    _act(entry, case, time, "issue:transition" if moves else f"issue:update {', '.join(fields)}".strip()[:200], actor,
         native, moves=moves, left=unmapped(history, _ENTRY, texts=False))
    for number, (_, after) in enumerate(moves):
        step = meaning(after)
        if step is not None and time is not None and (step.telling or case.gated):
            entry.step(f"status/{number}", kind=step.kind, verdict=step.verdict, status=step.status, time=time,
                       time_zone=zone_of(history.get("created")),
                       operation=f"issue:transition {after}"[:200], actor_id=actor, event_id=native, **_class(author),
                       **case.native, title=f"{case.key or 'issue'}: {after}"[:200])


def _approval(entry: Entry, record: Fields, about: Fields) -> None:
    approval = obj(record.get("approval"))
    link = obj(approval.get("_links")).get("self")
    case = _Case(about, link)
    final = (name(approval.get("finaldecision")) or "").lower()
    asked, ended = when(approval.get("createddate")), when(approval.get("completeddate"))
    time = entry.moment(_iso(ended or asked), "createdDate")
    native = name(approval.get("id"))
    entry.identify(PROVIDER, case.site, f"approval/{case.named}/{native}@{final}" if native else None)
    approvers = [(obj(one.get("approver")), (name(one.get("approverdecision")) or "").lower())
                 for one in objects(approval.get("approvers"))]
    decided = [(account, said) for account, said in approvers if said in _VERDICTS]
    accounts = [_account(entry, case, account) for account, _ in approvers]
    lone = _account(entry, case, decided[0][0]) if len(decided) == 1 else None
    _act(entry, case, time, f"approval:{final or 'unknown'}", lone if ended else None, native)
    shared = {"event_id": native, "operation": "approval", **case.native}
    if ended is None and asked is not None:
        entry.step("request", kind="request", status="pending", time=asked, **shared,
                   title=f"approval of {case.key or 'issue'} asked of {len(accounts)}")
    for account, said in decided if ended is not None else ():
        who, verdict = _account(entry, case, account), _VERDICTS[said]
        entry.step(f"decision/{who or ''}", kind="decision", verdict=verdict, capacity="approver", time=ended,
                   actor_id=who, decided_value=said, **_class(account), **shared,
                   title=f"{case.key or 'issue'}: {verdict}")


def _audit(entry: Entry) -> None:
    record = fold(entry.fields)
    if not is_audit(record):
        raise RecordFault("no_entry", "not an entry of the audit log")
    said = audited(record)
    case = _Case({"self": None}, f"https://{said.site}" if said.site else None)
    time = entry.moment(_iso(when(said.time)), "created")
    entry.identify(PROVIDER, case.site, f"audit/{said.id}" if said.id else None)
    actor = _account(entry, case, said.author)
    about = identity_id(PROVIDER, case.site, said.about) if said.about else None
    entry.add(tables.ACTIVITY, time=time, actor_id=actor, action=f"audit:{said.action}"[:200], outcome="success",
              resource_id=about, is_read=said.is_read, ip=said.address, event_id=said.id,
              unmapped=unmapped(record, AUDIT, texts=False))
    change = said.membership
    if change is not None and time is not None:
        verb, group, member = change
        _account(entry, case, member)
        target = identity_id(PROVIDER, case.site, f"group/{group.lower()}|{member['key']}")
        entry.step("action", kind="action", time=time, operation=f"audit:{said.action}", actor_id=actor,
                   initiator_id=actor, event_id=said.id, target_key=target, effect_key=f"{verb}({target})",
                   title=f"{said.action}: {group}"[:200])


_READERS = {"issue": _issue, "history": _history, "approval": _approval}


def _iso(found: datetime | None) -> str | None:
    return found.isoformat() if found else None


def _is_approval(held: object) -> bool:
    return isinstance(held, list) and any("approvers" in fold(item) for item in held if isinstance(item, dict))


def _act(entry: Entry, case: _Case, time: datetime | None, action: str, actor: str | None, event: str | None,
         moves: list[tuple[str | None, str | None]] | None = None, left: str | None = None) -> None:
    delta = msgspec.json.encode([{"field": "status", "from": before, "to": after} for before, after in moves]).decode(
        ) if moves else None
    entry.add(tables.ACTIVITY, time=time, actor_id=actor, action=action, resource_id=case.resource, outcome="success",
              is_read=False, effect_delta=delta, event_id=event, correlation_id=case.key, unmapped=left)


def _account(entry: Entry, case: _Case, account: Fields) -> str | None:
    """The account, with what the record says of it; by name only where the export has no id."""
    native = name(account.get("accountid")) or name(account.get("key")) or (
        name(account.get("name")) or name(account.get("displayname")) or "").lower()
    if not native:
        return None
    found = identity_id(PROVIDER, case.site, native)
    stated = (name(account.get("accounttype")) or "").lower()
    kind, subkind = _KINDS.get(stated, ("unknown", None))
    alt_ids = [{"kind": label, "value": value.lower()} for label, value in (
        ("login", name(account.get("name"))), ("email", name(account.get("emailaddress")))) if value]
    entry.add(tables.IDENTITY_FACTS, id=found, kind=kind, subkind=subkind, basis="seen", alt_ids=alt_ids,
              kind_basis=f"accountType {stated}" if stated in _KINDS else "the record states no account type",
              display_name=name(account.get("displayname")))
    return found


def _class(account: Fields) -> dict[str, Any]:
    stated = (name(account.get("accounttype")) or "").lower()
    kind = {"app": "automation", "atlassian": "human", "customer": "human"}.get(stated, "unknown")
    return {"actor_class": kind, "actor_class_basis": f"accountType {stated}" if kind != "unknown" else None,
            "authority_mode": "self" if kind == "human" else "own_identity" if kind == "automation" else "unknown"}


def _quoted(case: _Case, fields: Fields) -> list[str]:
    """Keys of other tickets in what people wrote; the texts go nowhere."""
    written = [fields.get(key) for key in ("summary", "description", "environment")]
    texts = [msgspec.json.encode(held).decode()[:_TEXT_READ] for held in written if held is not None]
    return sorted({key for held in texts for key in _QUOTED.findall(held)} - {case.key})


def _linked(case: _Case, fields: Fields) -> list[str]:
    """Issues this one is linked to or is a part of."""
    linked = [obj(link.get(side)).get("key") for link in objects(fields.get("issuelinks"))
              for side in ("inwardissue", "outwardissue")]
    found = stated(ticket=[*linked, obj(fields.get("parent")).get("key")])
    return [key for key in found if key != f"ticket:{case.key}"]
