"""Changes, requests and approvals as decision steps (sources 10, 13.1)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from lineage_analytics.loaders._servicenow_row import PROVIDER, Row
from lineage_analytics.loaders.common.ids import identity_id

if TYPE_CHECKING:
    from datetime import datetime

    from lineage_analytics.loaders.common.assembly import Entry

CHANGE_STATES = {"-5": "new", "-4": "assess", "-3": "authorize", "-2": "scheduled", "-1": "implement", "0": "review",
                 "3": "closed", "4": "canceled", "cancelled": "canceled"}
VERDICTS = {"approved": "approve", "rejected": "deny"}
_BACKED_OUT = re.compile(r"back(?:ed)?[ _-]?out|roll(?:ed)?[ _-]?back")


def case_key(number: str | None, sys_id: str | None, table: str | None) -> tuple[str | None, str | None]:
    """What names the case: the ticket's number; its sys_id until a row of the ticket tells the number."""
    if number is not None:
        change = number.startswith("CHG") or (table == "change_request" and not number.startswith(("RITM", "REQ")))
        return ("change_number" if change else "request_number"), number
    return ("ticket_sys_id", sys_id) if sys_id is not None else (None, None)


def change(entry: Entry, row: Row, event: str | None) -> None:
    """The steps one row of ``change_request`` states: asked, decided, carried out, ended."""
    kind, key = case_key(row.number("number"), row.id("sys_id"), "change_request")
    asked, opened = row.principal("requested_by") or row.principal("opened_by"), row.time("opened_at", "sys_created_on")
    shared = {"native_key_kind": kind, "native_key": key, "event_id": event, "target_key": _target(row),
              "quoted_keys": row.quoted("short_description", "justification", "description"),
              "stated_keys": row.stated(), "initiator_id": asked}
    label = f"{row.word('type') or 'change'} {key or ''}".strip()
    state = CHANGE_STATES.get(row.word("state"), row.word("state"))
    if opened is not None:
        reason = row.text("justification", "reason") is not None if {"justification", "reason"} & set(
            row.fields) else None
        entry.step("request", kind="request", time=opened, operation="change_request", actor_id=asked,
                   time_zone=row.zone("opened_at", "sys_created_on"),
                   justification_present=reason, title=f"{label}: requested", **shared)
    _decided(entry, row, opened, label, shared)
    _carried_out(entry, row, label, shared)
    if state == "canceled" and (when := row.time("closed_at", "sys_updated_on")) is not None:
        entry.step("cancelled", kind="decision", verdict="withdraw", time=when, operation="change_request:cancel",
                   time_zone=row.zone("closed_at", "sys_updated_on"),
                   actor_id=row.principal("closed_by"), title=f"{label}: cancelled", **shared)


def _decided(entry: Entry, row: Row, opened: datetime | None, label: str, shared: dict[str, Any]) -> None:
    """A standard change is approved by policy; of others the row tells only what its workflow concluded, and when."""
    if row.word("type") == "standard":
        if opened is not None:
            entry.step("policy", kind="decision", verdict="approve", capacity="policy", time=opened,
                       time_zone=row.zone("opened_at", "sys_created_on"),
                       operation="change_request:standard", actor_class="automation",
                       actor_class_basis="a standard change is approved beforehand", title=f"{label}: pre-approved",
                       **shared)
        return
    verdict, when = VERDICTS.get(row.word("approval")), row.time("approval_set")
    if verdict is not None and when is not None:
        entry.step("concluded", kind="decision", verdict=verdict, capacity="system", time=when,
                   time_zone=row.zone("approval_set"),
                   operation="change_request:approval", title=f"{label}: {row.word('approval')}", **shared)


def _carried_out(entry: Entry, row: Row, label: str, shared: dict[str, Any]) -> None:
    code, began = row.word("close_code"), row.time("work_start")
    ended = row.time("work_end", "closed_at")
    failed = code.startswith(("unsuccessful", "failed"))
    backed_out = _BACKED_OUT.search(code) is not None
    who = row.principal("assigned_to")
    if began is not None or (code and ended is not None and CHANGE_STATES.get(row.word("state")) != "canceled"):
        entry.step("action", kind="attempt" if failed else "action", time=began or ended, actor_id=who,
                   time_zone=row.zone("work_start", "work_end", "closed_at"),
                   operation="change_request:implement",
                   status="failed" if failed else "succeeded" if code else "unknown",
                   title=f"{label}: carried out", **shared)
    if code and ended is not None:
        entry.step("outcome", kind="outcome", time=ended, operation="change_request:close",
                   actor_id=row.principal("closed_by"), time_zone=row.zone("work_end", "closed_at"),
                   status="failed" if failed or backed_out else "succeeded", title=f"{label}: {code}", **shared)
    if backed_out and ended is not None:
        entry.step("rollback", kind="rollback", time=ended, operation="change_request:back_out", actor_id=who,
                   time_zone=row.zone("work_end", "closed_at"),
                   title=f"{label}: backed out", **shared)


def _target(row: Row) -> str | None:
    native = row.id("cmdb_ci") or row.label("cmdb_ci")
    return f"{PROVIDER}:{row.instance or ''}:ci/{native}" if native else None


def catalogue_request(entry: Entry, row: Row, event: str | None) -> None:
    """A catalogue request or one of its items: asked, and how it ended."""
    kind, key = case_key(row.number("number"), row.id("sys_id"), row.table)
    asked = row.principal("requested_for") or row.principal("opened_by")
    item = row.id("cat_item") or row.label("cat_item")
    shared = {"native_key_kind": kind, "native_key": key, "event_id": event, "initiator_id": asked,
              "target_key": f"{PROVIDER}:{row.instance or ''}:item/{item}" if item else None,
              "quoted_keys": row.quoted("short_description", "description"), "stated_keys": row.stated()}
    label = f"{row.table} {key or ''}".strip()
    opened, closed = row.time("opened_at", "sys_created_on"), row.time("closed_at")
    if opened is not None:
        entry.step("request", kind="request", time=opened, operation=row.table, actor_id=row.principal("opened_by"),
                   time_zone=row.zone("opened_at", "sys_created_on"),
                   title=f"{label}: requested", **shared)
    ended = {"3": "succeeded", "closed_complete": "succeeded", "4": "failed", "closed_incomplete": "failed"}.get(
        row.word("state"))
    if ended is not None and closed is not None:
        entry.step("outcome", kind="outcome", time=closed, operation=f"{row.table}:close", status=ended,
                   time_zone=row.zone("closed_at"),
                   actor_id=row.principal("closed_by"), title=f"{label}: closed", **shared)


def approval(entry: Entry, row: Row, event: str | None) -> None:
    """One approver's row: a decision, or a request for one that is still open. It says what is so now."""
    state = row.word("state")
    where = "sysapproval" if row.fields.get("sysapproval") not in (None, "") else "document_id"
    number = row.number(where) or row.number("sysapproval.number")
    kind, key = case_key(number, row.id(where), row.text("source_table"))
    shared = {"native_key_kind": kind, "native_key": key, "event_id": event, "operation": "sysapproval_approver",
              "expires_at": None}
    if state in VERDICTS and (when := row.time("sys_updated_on", "sys_created_on")) is not None:
        actor, capacity = _decider(row)
        entry.step("decision", kind="decision", verdict=VERDICTS[state], capacity=capacity, time=when, actor_id=actor,
                   justification_present=row.text("comments") is not None if "comments" in row.fields else None,
                   seq=row.whole("order"), decided_value=row.text("state"),
                   time_zone=row.zone("sys_updated_on", "sys_created_on"),
                   title=f"{state} {key or ''}".strip(), **shared)
    elif state == "requested" and (when := row.time("sys_created_on", "sys_updated_on")) is not None:
        entry.step("request", kind="request", status="pending", time=when, **shared,
                   time_zone=row.zone("sys_created_on", "sys_updated_on"),
                   title=f"approval of {key or 'a ticket'} asked")


def _decider(row: Row) -> tuple[str | None, str]:
    """The approver; whoever else changed the row last, where the export shows that it was somebody else."""
    expected, changed = (row.text("approver.user_name") or "").lower(), (row.text("sys_updated_by") or "").lower()
    if expected and changed and changed not in (expected, "system"):
        return row.login("sys_updated_by"), "delegate"
    return row.principal("approver"), "approver"


def group_approval(entry: Entry, row: Row, event: str | None) -> None:
    """What a group's approval came to; its members have rows of their own."""
    verdict, when = VERDICTS.get(row.word("approval")), row.time("sys_updated_on", "sys_created_on")
    if verdict is None or when is None:
        return
    kind, key = case_key(row.number("parent"), row.id("parent"), None)
    entry.step("decision", kind="decision", verdict=verdict, capacity="system", time=when, event_id=event,
               time_zone=row.zone("sys_updated_on", "sys_created_on"),
               operation="sysapproval_group", actor_id=row.principal("assignment_group"), actor_class="group",
               actor_class_basis="a group approval", native_key_kind=kind, native_key=key,
               title=f"group {row.word('approval')} {key or ''}".strip())


def audited(entry: Entry, row: Row, event: str | None, table: str | None, document: str | None) -> None:
    """A logged change of an approval's state: the moment of the decision, which the approval row loses."""
    field = row.word("fieldname") or row.word("field")
    new = row.word("newvalue") or row.word("new_value") or row.word("new")
    when = row.time("sys_created_on", "update_time")
    if table != "sysapproval_approver" or field != "state" or new not in VERDICTS or when is None:
        return
    actor = row.principal("user_id") if row.id("user_id") else row.login("user") or row.login("user_name")
    entry.step("decision", kind="decision", verdict=VERDICTS[new], capacity="approver", time=when, event_id=event,
               time_zone=row.zone("sys_created_on", "update_time"),
               operation="sysapproval_approver:state", actor_id=actor, native_key_kind="approval_sys_id" if document
               else None, native_key=document, title=f"{new}, as audited")


def document_of(row: Row) -> tuple[str | None, str | None]:
    """Table and sys_id of the record an audit row is about."""
    table = row.text("tablename", "set.table")
    document = row.id("documentkey") or row.id("set.id")
    return (table.lower() if table else None), document


def resource(row: Row, native: str | None) -> str | None:
    return identity_id(PROVIDER, row.instance, f"{row.table}/{native}") if native else None
