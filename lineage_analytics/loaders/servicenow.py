"""ServiceNow tables: changes, approvals, catalogue requests, audit rows, users, groups (sources 10).

Shapes  Table API JSON (``result``), with values, display values or both; arrays and lines of such rows; CSV list
        exports headed by labels or by field names; XML unloads and XML list exports; test-suite envelopes.
Maps    ``change_request``, ``sc_request``, ``sc_req_item``, ``sysapproval_approver``, ``sysapproval_group`` and the
        state changes in ``sys_audit`` and ``sys_history_line`` to ``decision_steps`` and ``activity``; ``sys_user``
        and ``sys_user_group`` to ``identity_facts``; ``sys_user_grmember`` and ``sys_user_has_role`` to
        ``entitlements``. Rows of other task tables are activity.
Drops   descriptions, justifications, comments, plans and journals, but for whether there is a justification and the
        ticket keys quoted; texts of fields without a rule.
Schema  the base system's tables in any release; custom fields (``u_...``) are kept without their texts.

A case is named by the ticket's number (``change_number``, ``request_number``). Rows are states, not events: a row is
one record per ``sys_mod_count``. An approval row's time is when it was last touched, later than the decision where
somebody edited it since; ``sys_audit`` holds the true moment and is preferred where it is loaded (``settle``). A
standard change is approved by policy. Values are UTC; display values and CSV are in the zone of the exporting user,
which no export states, and are read as UTC; their steps say so (``time_zone``).
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from lineage_analytics import tables
from lineage_analytics.loaders import _servicenow_people as people
from lineage_analytics.loaders import _servicenow_tasks as tasks
from lineage_analytics.loaders import _servicenow_xml as xml
from lineage_analytics.loaders._inventory_rows import csv_chunks
from lineage_analytics.loaders._servicenow_row import PROVIDER, Row, field_name
from lineage_analytics.loaders._servicenow_settle import settle
from lineage_analytics.loaders.common.assembly import Entry, RecordFault, assemble
from lineage_analytics.loaders.common.contract import Match
from lineage_analytics.loaders.common.leftovers import unmapped
from lineage_analytics.loaders.common.packings import head_keys, json_or_array_chunks
from lineage_analytics.loaders.common.values import obj, objects, text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lineage_analytics.loaders.common.contract import Batch, Chunk, Document, Sample

__all__ = ["FEEDS", "LATENESS", "PROVIDER", "detect", "extract", "settle", "transform"]

LATENESS = timedelta(hours=24)
FEEDS = frozenset({"activity", "decision_steps", "entitlements", "identity_facts"})
SOURCE = "servicenow"
_BESIDE = frozenset({"sys_class_name", "sys_created_on", "sys_updated_on", "sys_mod_count", "number", "approver",
                     "documentkey", "user_name", "update_time"})
_CSV = ({"number", "short_description"}, {"approver", "sysapproval"}, {"approver", "document_id", "state"},
        {"sys_id", "sys_created_on"}, {"sys_id", "sys_updated_on"}, {"sys_id", "number"}, {"sys_id", "user_name"},
        {"tablename", "documentkey", "fieldname"})
_MOMENTS = ("opened_at", "sys_created_on", "approval_set", "work_start", "work_end", "closed_at")
_PEOPLE = {"sys_user": people.user, "sys_user_group": people.group, "sys_user_grmember": people.grant,
           "sys_user_has_role": people.grant}
# Read above, or of the base system and of no meaning here.
KNOWN = frozenset({
    "action_status", "active", "activity_due", "additional_assignee_list", "approval", "approval.user_name",
    "approval_column", "approval_history", "approval_journal_column", "approval_set", "approval_source", "approver",
    "approver.user_name", "assigned_to", "assignment_group", "backordered", "backout_plan", "billable",
    "business_duration", "business_service", "cab_date", "cab_date_time", "cab_delegate", "cab_recommendation",
    "cab_required", "calendar_duration", "calendar_stc", "cat_item", "category", "change_plan", "change_request",
    "change_task_type", "chg_model", "close_code", "close_notes", "closed_at", "closed_by", "cmdb_ci", "comments",
    "comments_and_work_notes", "company", "configuration_item", "conflict_last_run", "conflict_status",
    "contact_type", "context", "contract", "correlation_display", "correlation_id", "created_from",
    "delivery_address", "delivery_plan", "delivery_task", "description", "document_id", "documentkey", "due_date",
    "email", "end_date", "escalation", "estimated_delivery", "expected_start", "field", "fieldname", "flow_context",
    "follow_up", "granted_by", "group", "group_list", "identity_type", "impact", "impact_plan", "implementation_plan",
    "inherited", "internal_checkpoint", "internal_integration_user", "iteration_order", "justification", "knowledge",
    "label", "last_login", "last_login_time", "location", "locked_out", "made_sla", "manager", "name", "new",
    "new_value", "newvalue", "number", "old", "old_value", "oldvalue", "on_hold", "on_hold_reason", "on_hold_task",
    "opened_at", "opened_by", "order", "order_guide", "outside_maintenance_schedule", "parent", "phase",
    "phase_state", "planned_end_date", "planned_start_date", "price", "priority", "process_step", "production_system",
    "quantity", "reason", "reassignment_count", "received", "record_checkpoint", "recurring_frequency",
    "recurring_price", "relationship", "request", "request_state", "requested_by", "requested_by_date",
    "requested_date", "requested_for", "review_comments", "review_date", "review_status", "risk",
    "risk_impact_analysis", "risk_value", "role", "route_reason", "sc_catalog", "scope", "service_offering", "set",
    "set.id", "set.table", "short_description", "sla_due", "source_table", "special_instructions", "stage",
    "start_date", "state", "state_reason", "std_change_producer_version", "sys_class_name", "sys_created_by",
    "sys_created_on", "sys_domain", "sys_domain_path", "sys_id", "sys_mod_count", "sys_tags", "sys_updated_by",
    "sys_updated_on", "sysapproval", "sysapproval.number", "table_name", "tablename", "task_effective_number",
    "test_plan", "time_worked", "type", "type_name", "unauthorized", "universal_request", "update", "update_time",
    "upon_approval", "upon_reject", "urgency", "user", "user_id", "user_input", "user_name", "variables",
    "watch_list", "web_service_access_only", "wf_activity", "work_end", "work_notes", "work_notes_list", "work_start",
})


def detect(sample: Sample) -> Match | None:
    """Rows with a ``sys_id`` beside fields every table has, list exports by their labels, XML of rows."""
    if sample.head[:1] == b"<":
        table = xml.table_of(sample.head)
        return Match("xml", 0.9, f"XML rows of {table}") if table else None
    if sample.columns:
        columns = {field_name(column, labels=True) for column in sample.columns}
        found = next((needed for needed in _CSV if needed <= columns), None)
        return Match("csv", 0.85, f"columns {', '.join(sorted(found))}") if found else None
    if sample.first is None:
        return Match("json", 0.8, "sys_id in a first row longer than the head") if {
            "sys_id", "sys_created_on"} <= head_keys(sample) else None
    paged = next(iter(objects(sample.first.get("result"))), {})
    return next((match for fields in (sample.first, obj(sample.first.get("log")), paged) if (
        match := _match({field_name(key, labels=False) for key in fields}, fields))), None)


def _match(held: set[str], fields: Any) -> Match | None:
    if ("sys_id" in held and held & _BESIDE) or {"documentkey", "fieldname", "tablename"} <= held:
        return Match("json", 0.95, "sys_id with fields of every ServiceNow table")
    row = Row(fields)
    if row.instance is not None and row.table is not None:
        return Match("json", 0.85, "references with a link into an instance")
    return None


def extract(document: Document) -> Iterator[Chunk]:
    """The rows of the export."""
    if document.shape == "csv":
        return csv_chunks(document)
    return xml.chunks(document) if document.shape == "xml" else json_or_array_chunks(document)


def transform(chunk: Chunk, document: Document) -> Batch:
    """Activity, steps, people and grants of one chunk."""
    labelled = document.shape == "csv"
    return assemble(chunk, document, SOURCE, lambda entry: _read(entry, labelled=labelled))


def _read(entry: Entry, *, labelled: bool) -> None:
    fields = entry.fields
    if set(fields) <= {"log", "_origin"}:
        fields = obj(fields.get("log"))
    if set(fields) == {"result"}:  # the answer to a question for one row
        fields = obj(fields["result"])
    row = Row(fields, labels=labelled)
    row.table = entry.tag or row.table
    if row.table is None:
        raise RecordFault("unknown_table", "a row that shows no field by which its table could be told")
    native = row.id("sys_id") or row.text("number")
    entry.identify(PROVIDER, row.instance, _version(row, native), within="")
    left = _leftovers(row)
    keep = _PEOPLE.get(row.table)
    if keep is not None:
        _checked(row, native)
        keep(entry, row, left)
        return
    event = row.id("sys_id")
    table, document = tasks.document_of(row) if row.table in ("sys_audit", "sys_history_line") else (None, None)
    action, time, actor = _act(row, table)
    entry.moment(time.isoformat() if time else row.text(*_MOMENTS, "sys_updated_on", "update_time"), "the row's time")
    for principal, label in _seen(row, actor):
        entry.add(tables.IDENTITY_FACTS, id=principal, kind="unknown", kind_basis="named in a row", basis="seen",
                  display_name=label, alt_ids=_login(row, principal))
    entry.add(
        tables.ACTIVITY, time=time, actor_id=actor, action=action, resource_id=_resource(row, native, table, document),
        outcome="success", is_read=False, event_id=event, unmapped=left,
        correlation_id=row.text("internal_checkpoint", "record_checkpoint"))
    if row.table == "change_request":
        tasks.change(entry, row, event)
    elif row.table in ("sc_request", "sc_req_item"):
        tasks.catalogue_request(entry, row, event)
    elif row.table == "sysapproval_approver":
        tasks.approval(entry, row, event)
    elif row.table == "sysapproval_group":
        tasks.group_approval(entry, row, event)
    elif table is not None:
        tasks.audited(entry, row, event, table, document)
    elif row.table not in ("sys_audit", "sys_history_line"):
        entry.unknown_type(row.table)


def _version(row: Row, native: str | None) -> str | None:
    """A row as it stood: rows change in place, and each state of one is a record of its own."""
    if native is None:
        return None
    count = (row.text("sys_mod_count") or "").replace(",", "")  # displayed with a mark for thousands
    state = count or (str(found) if (found := row.time("sys_updated_on")) else None)
    return f"{row.table}/{native}@{state}" if state else None


def _checked(row: Row, native: str | None) -> None:
    if row.table in ("sys_user_grmember", "sys_user_has_role"):
        second = "group" if row.table == "sys_user_grmember" else "role"
        if row.principal("user") is None or (row.id(second) or row.label(second)) is None:
            raise RecordFault("no_holder", f"a row of {row.table} without its user or {second}")
    elif native is None and row.text("user_name", "name") is None:
        raise RecordFault("no_id", f"a row of {row.table} without sys_id or name")


def _act(row: Row, table: str | None) -> tuple[str, Any, str | None]:
    """What the row says was done, when and by whom."""
    if row.table == "sysapproval_approver":
        decided = row.word("state") in tasks.VERDICTS
        return (f"sysapproval_approver:{row.word('state') or 'unknown'}", row.time("sys_updated_on", "sys_created_on"),
                row.principal("approver") if decided else row.login("sys_updated_by"))
    if row.table == "sysapproval_group":
        return (f"sysapproval_group:{row.word('approval') or 'unknown'}", row.time("sys_updated_on", "sys_created_on"),
                row.login("sys_updated_by"))
    if row.table in ("sys_audit", "sys_history_line"):
        field = row.word("fieldname") or row.word("field") or "unknown"
        actor = row.principal("user_id") if row.id("user_id") else row.login("user") or row.login("user_name")
        return f"{table or row.table}:update {field}", row.time("sys_created_on", "update_time"), actor
    return _written(row)


def _written(row: Row) -> tuple[str, Any, str | None]:
    """A version of a task was written by whoever updated it last; without that, it is as late as anything it tells."""
    updated = row.time("sys_updated_on")
    creator = row.principal("opened_by") or row.login("sys_created_by") or row.principal("requested_by")
    if updated is None:
        told = [found for key in _MOMENTS if (found := row.time(key)) is not None]
        return f"{row.table}:create", max(told, default=None), creator
    first = row.text("sys_mod_count") == "0" or updated == row.time("sys_created_on")
    return f"{row.table}:{'create' if first else 'update'}", updated, creator if first else row.login("sys_updated_by")


def _resource(row: Row, native: str | None, table: str | None, document: str | None) -> str | None:
    if table is not None or document is not None:
        return f"{PROVIDER}:{row.instance or ''}:{table or 'record'}/{document}" if document else None
    return tasks.resource(row, native)


def _seen(row: Row, actor: str | None) -> list[tuple[str, str | None]]:
    """Everybody a task row names, with the label it gives them."""
    found = {row.principal(key): row.label(key) for key in (
        "opened_by", "requested_by", "requested_for", "assigned_to", "closed_by", "approver")}
    found.setdefault(actor, None)
    return sorted((principal, label) for principal, label in found.items() if principal is not None)


def _login(row: Row, principal: str) -> list[dict[str, str]]:
    """A principal known by a user name only can be matched by it."""
    for key in ("sys_created_by", "sys_updated_by", "user", "user_name"):
        if row.login(key) == principal and (stated := text(row.text(key))) is not None:
            return [{"kind": "login", "value": stated.lower()}]
    return []


def _leftovers(row: Row) -> str | None:
    """Fields without a rule that say something; their texts may be what people wrote and are not kept."""
    told = {key: held for key, held in row.fields.items() if row.text(key) is not None or isinstance(held, list)}
    return unmapped(told, KNOWN, texts=False)
