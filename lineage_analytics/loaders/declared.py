"""What a customer writes by hand, as CSV or JSON: owners, persons, AI workflows, rules of approval and more.

A record is one row. Each list is recognised by its columns:

    owners              identity, owner, confirmed_on, purpose, basis (owner, sponsor or manager)
    persons             person, account, display_name, status (active or left), left_on
    crown_jewels        id, kind (role, resource, policy or identity), reason
    workflows           workflow, runs_by (who runs it), assistant, identity (accounts it acts with, several apart by
                        ``;``), declared_class (advises, drafts, executes_approved or executes_autonomous; "executes
                        with approval" and "executes alone" say the same as the last two), approver, data (what it may
                        read, several apart by ``;``), stage (experimental or production), workstream
                        (identity_operations, development, support or other), owner, description, evidence (the
                        source in which what its assistant read and advised is recorded of each run)
    expected_sources    source, tenant, since
    environments        identity, environment (prod or non-prod)
    organisation        organisation, synthetic (yes or no)
    tenants             organisation, tenant: tenants of one organisation, across which keys may link
    configuration_items ci (its sys_id or key in the ticket system), instance (of that system), target (the resource,
                        role or account that it is)
    break_glass         account, review_within_hours: accounts for emergencies, and until when their use is reviewed
    approval_rules      target (a resource, an account, a role, or ``*``: everything), approvers_required, reason

Shapes  CSV with ``,``, ``;`` or tab, columns in any order and case, words joined by blanks, hyphens or underscores,
        also below the ``sep=`` line of a spreadsheet; JSON objects whose values are plain, alone, in an array, on
        lines, or in one object with a list under each list's name (``{"owners": [...], "persons": [...]}``); in JSON
        a person may have ``accounts``, a list.
Maps    owners, persons, environments and the accounts that assistants and emergencies have to ``identity_facts``;
        crown jewels, workflows, the organisation, its tenants, configuration items, accounts for emergencies and
        rules of approval to ``resources``, what is stated as JSON in ``attributes``, where an empty cell is null;
        expected sources to ``coverage``.
Drops   empty rows, and the rows of a template in which every cell stands in ``<`` and ``>``: they are no records.
        Columns not listed are kept in ``unmapped``, where the table has it.
Schema  ours; new lists and columns are added, none changes its meaning.

Identities and accounts are given as ARN, Entra object id, SID, Google Cloud member, Kubernetes service account, login
or ``<provider>:<tenant>:<id>``. Dates have the year first. An empty cell is unknown: a person without a status is
neither active nor gone. ``templates`` gives an empty file of each list.
"""

from __future__ import annotations

import csv
import io
import json
import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast

import msgspec

from lineage_analytics import tables
from lineage_analytics.loaders._declared_cells import (
    CellError,
    Cells,
    date,
    identity_of,
    name,
    one_of,
    shown,
    wanted,
)
from lineage_analytics.loaders._inventory_rows import NOT_UTF8, REPLACED, Text
from lineage_analytics.loaders._lookahead import expanded
from lineage_analytics.loaders.common.assembly import Entry, RecordFault, assemble
from lineage_analytics.loaders.common.contract import Match
from lineage_analytics.loaders.common.leftovers import unmapped
from lineage_analytics.loaders.common.packings import csv_columns, json_or_array_chunks, row_chunks
from lineage_analytics.loaders.common.sampling import decode_object

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from lineage_analytics.loaders.common.contract import Batch, Chunk, Document, Sample

__all__ = ["CLASSES", "FEEDS", "LATENESS", "PROVIDER", "detect", "extract", "identity_of", "templates", "transform"]

PROVIDER = "declared"
LATENESS = timedelta(0)
FEEDS = frozenset({"coverage", "identity_facts", "resources"})
SOURCE = "declared"

CLASSES = ("advises", "drafts", "executes_approved", "executes_autonomous")
STAGES = ("experimental", "production")
WORKSTREAMS = ("identity_operations", "development", "support", "other")
_ROWS_PER_CHUNK = 8_192
_WHO = "<ARN or object id or SID or login or provider:tenant:id>"
# Each list's columns with what belongs in them, as its template shows them.
COLUMNS: dict[str, dict[str, str]] = {
    "workflows": {"workflow": "<name of the workflow>", "runs_by": "<who runs it>",
                  "assistant": "<product or agent>", "identity": _WHO[:-1] + "; several apart by ;>",
                  "declared_class": f"<{' or '.join(CLASSES)}>", "approver": "<who approves what it proposes>",
                  "data": "<what it may read; several apart by ;>", "stage": f"<{' or '.join(STAGES)}>",
                  "workstream": f"<{' or '.join(WORKSTREAMS)}>", "owner": "<who answers for it>",
                  "description": "<what it does>",
                  "evidence": "<source that records of each run what was read and advised>"},
    "persons": {"person": "<personnel number or other lasting id>", "account": _WHO, "display_name": "<name>",
                "status": "<active or left>", "left_on": "<YYYY-MM-DD>"},
    "crown_jewels": {"id": _WHO, "kind": "<role or resource or policy or identity>", "reason": "<why it matters>"},
    "owners": {"identity": _WHO, "owner": "<who answers for it>", "confirmed_on": "<YYYY-MM-DD>",
               "purpose": "<what it is for>", "basis": "<owner or sponsor or manager>"},
    "expected_sources": {"source": "<name in lineage loaders>", "tenant": "<account or directory or organisation id>",
                         "since": "<YYYY-MM-DD>"},
    "environments": {"identity": _WHO, "environment": "<prod or non-prod>"},
    "organisation": {"organisation": "<name>", "synthetic": "<yes or no>"},
    "tenants": {"organisation": "<name>", "tenant": "<account or directory or organisation id>"},
    "configuration_items": {"ci": "<sys_id or key in the ticket system>", "instance": "<of the ticket system>",
                            "target": _WHO},
    "break_glass": {"account": _WHO, "review_within_hours": "<hours>"},
    "approval_rules": {"target": "<id of a resource or account or role; * for everything>",
                       "approvers_required": "<number>", "reason": "<why>"},
}
# By what each list is recognised, the first whose columns are all there: a workflow has an owner too.
_NEEDED = {
    "workflows": ("workflow", "declared_class"),
    "persons": ("person", "account"),
    "crown_jewels": ("id", "kind", "reason"),
    "owners": ("identity", "owner"),
    "expected_sources": ("source", "since"),
    "environments": ("identity", "environment"),
    "organisation": ("organisation", "synthetic"),
    "tenants": ("organisation", "tenant"),
    "configuration_items": ("ci", "target"),
    "break_glass": ("account", "review_within_hours"),
    "approval_rules": ("target", "approvers_required"),
}
_SPELLINGS = {"organization": "organisation", "accounts": "account", "run_by": "runs_by"}
_LISTS = "lists"
_LIST_OPENS = re.compile(rb'"([^"\\]{1,60})"\s{0,64}:\s{0,64}\[\s{0,64}(?=\{)')
_NUMBER = re.compile(r"[0-9]{1,6}(\.[0-9]{1,3})?")
_YES_NO = {"true": "yes", "y": "yes", "1": "yes", "false": "no", "n": "no", "0": "no"}
_ENVIRONMENTS = {"production": "prod", **dict.fromkeys(
    ("nonprod", "non_production", "development", "dev", "test", "staging", "qa", "uat", "sandbox"), "non-prod")}


_CLASSES = {"advise": "advises", "draft": "drafts", "executes_alone": "executes_autonomous",
            **dict.fromkeys(("executes_with_approval", "executes_after_approval"), "executes_approved"),
            "executes_autonomously": "executes_autonomous"}
_STAGES = {**dict.fromkeys(("experiment", "pilot", "trial"), "experimental"), "prod": "production"}


def templates() -> dict[str, str]:
    """The CSV template of each list by its name: the header, and below it a row of hints that loads to nothing."""
    found = {}
    for shape, columns in sorted(COLUMNS.items()):
        out = io.StringIO()
        csv.writer(out, lineterminator="\n").writerows((columns.keys(), columns.values()))
        found[shape] = out.getvalue()
    return found


def detect(sample: Sample) -> Match | None:
    """A CSV header, or the keys of a JSON object, that holds all needed columns of one list; or lists by their name."""
    columns = {_column(column) for column in csv_columns(sample)}
    if not columns:
        named = sorted(shape for key in sample.keys if (shape := _column(key)) in COLUMNS)
        if sample.wrapper == "object" and named and _holds_lists(sample):
            return Match(_LISTS, 0.6, f"lists {', '.join(named)}")
        first = sample.first or {}
        if not all(_is_plain(key, value) for key, value in first.items()):
            return None
        columns = {_column(key) for key in first}
    return next((Match(shape, 0.6, f"columns {', '.join(needed)}") for shape, needed in _NEEDED.items()
                 if set(needed) <= columns), None)


def _column(column: str) -> str:
    found = name(column)
    return _SPELLINGS.get(found, found)


def _is_plain(key: str, value: object) -> bool:
    if isinstance(value, list):
        return name(key) == "accounts" and not any(isinstance(item, dict | list) for item in value)
    return value is None or isinstance(value, str | int | float)


def _holds_lists(sample: Sample) -> bool:
    """Whether the object's lists hold rows of the list they are named for; a head that is cut shows its first row."""
    if sample.first is None:
        return _first_row(sample.head)
    rows = [(_column(key), held[0]) for key, held in sample.first.items() if isinstance(held, list) and held]
    return bool(rows) and all(_is_row(shape, row) for shape, row in rows)


def _is_row(shape: str, row: object) -> bool:
    return shape in _NEEDED and isinstance(row, dict) and set(_NEEDED[shape]) <= {_column(key) for key in row}


def _first_row(head: bytes) -> bool:
    """Whether the first list in a head that ends inside the object holds rows of the list it is named for."""
    opened = _LIST_OPENS.search(head)
    if opened is None:
        return False
    try:
        row, _ = json.JSONDecoder().raw_decode(head[opened.end():].decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return False
    return _is_row(_column(opened[1].decode("utf-8", "replace")), row)


def extract(document: Document) -> Iterator[Chunk]:
    """The rows of the CSV, or the JSON objects; without those that say nothing."""
    if csv_columns(document.sample):
        return expanded(row_chunks(cast("Document", _Utf8(document))), _rows, _ROWS_PER_CHUNK)
    rows = _listed if document.shape == _LISTS else _rows
    return expanded(json_or_array_chunks(document), rows, _ROWS_PER_CHUNK)


class _Utf8(Text):
    """A list whatever its encoding, with the sample it was recognised by."""

    def __init__(self, document: Document) -> None:
        super().__init__(document)
        self.sample = document.sample


def _rows(raw: bytes | msgspec.Raw) -> list[bytes]:
    """The row; none for one that is empty or a template's; several for a person with several accounts."""
    row = decode_object(raw)
    if row is None:
        return [bytes(raw)]
    held = [value for value in row.values() if value not in (None, "") and str(value).strip()]
    hints = [value for value in held if isinstance(value, str) and _is_hint(value)]
    if row and len(hints) == len(held):
        return []
    listed = next((key for key in row if name(key) == "accounts" and isinstance(row[key], list)), None)
    if listed is None:
        return [bytes(raw)]
    return [msgspec.json.encode({**{key: value for key, value in row.items() if key != listed}, "account": account})
            for account in row[listed]]


def _is_hint(value: str) -> bool:
    return value.strip().startswith("<") and value.strip().endswith(">")


def _listed(raw: bytes | msgspec.Raw) -> list[bytes]:
    """The rows of every list in the object, each with the name of its list."""
    found = []
    for key, rows in (decode_object(raw) or {}).items():
        for row in rows if isinstance(rows, list) else ():
            inner = _rows(msgspec.json.encode(row))
            found += [msgspec.json.encode({"list": _column(key), "row": msgspec.Raw(one)}) for one in inner]
    return found or [bytes(raw)]


def transform(chunk: Chunk, document: Document) -> Batch:
    """Identity facts, resources and expected coverage out of the rows."""
    return assemble(chunk, document, SOURCE, lambda entry: _read(entry, document.shape))


def _read(entry: Entry, shape: str) -> None:
    try:
        row: Any = entry.fields
        if shape == _LISTS:
            shape, row = str(row.get("list")), row.get("row")
        if shape not in _READERS:
            raise CellError(f"wanted a row of one of the lists {', '.join(sorted(_READERS))}, found {shown(shape)}")
        cells = _cells(row if isinstance(row, dict) else {})
        made = _READERS[shape](cells)
    except CellError as error:
        raise RecordFault("unclear_cell", str(error)) from None
    entry.identify(PROVIDER, None, f"{shape}#{msgspec.json.encode(cells, order='sorted').decode()}")
    others = {key: value for key, value in cells.items() if key not in COLUMNS[shape] and value}
    left = unmapped(others, ())
    for table, stated in made:
        entry.add(table, **stated, **({"unmapped": left} if "unmapped" in table.schema else {}))


def _cells(row: Mapping[str, Any]) -> Cells:
    cells: Cells = {}
    for key, value in row.items():
        column = _column(key)
        if isinstance(value, dict | list):
            raise CellError(f"wanted a plain value in column {shown(column)}, found a nested one")
        held = "" if value is None else ("yes" if value else "no") if isinstance(value, bool) else str(value).strip()
        cells[column] = cells.get(column) or held
    if any(REPLACED in value for value in cells.values()):
        raise CellError(NOT_UTF8)
    return cells


Made = list[tuple[tables.Table, dict[str, Any]]]


def _fact(cell: str, **stated: Any) -> tuple[tables.Table, dict[str, Any]]:
    identity, alt_ids = identity_of(cell)
    return tables.IDENTITY_FACTS, {"id": identity, "kind": "unknown", "alt_ids": alt_ids, "basis": "declared", **stated}


def _owner(cells: Cells) -> Made:
    owner = cells.get("owner", "")
    basis = one_of(cells, "basis", ("owner", "sponsor", "manager")) if cells.get("basis") else "owner"
    return [_fact(wanted(cells, "identity"), owner=[{"id": owner, "basis": basis}] if owner else None,
                  owner_confirmed_at=date(cells, "confirmed_on"), purpose=cells.get("purpose") or None)]


def _person(cells: Cells) -> Made:
    status = one_of(cells, "status", ("active", "left")) if cells.get("status") else None
    left_on = date(cells, "left_on")
    return [_fact(wanted(cells, "account"), kind="human", kind_basis="declared as a person's account",
                  person_id=f"person:{wanted(cells, 'person')}", display_name=cells.get("display_name") or None,
                  enabled=None if status is None else status == "active",
                  deleted_at=None if status == "active" else left_on)]


def _jewel(cells: Cells) -> Made:
    kind = one_of(cells, "kind", ("role", "resource", "policy", "identity"))
    identity, _ = identity_of(wanted(cells, "id"))
    return [(tables.RESOURCES, {"id": identity, "kind": "crown_jewel", "tier0": True,
                                "attributes": _json({"kind": kind, "reason": cells.get("reason") or None})})]


def _workflow(cells: Cells) -> Made:
    label, declared = wanted(cells, "workflow"), one_of(cells, "declared_class", CLASSES, _CLASSES)
    accounts = _several(cells, "identity")
    identities = [identity_of(account)[0] for account in accounts]
    made: Made = [(tables.RESOURCES, {
        "id": f"declared::workflow/{label}", "kind": "workflow", "display_name": label, "attributes": _json({
            "assistant": cells.get("assistant") or None, "identity": identities[0] if identities else None,
            "identities": identities, "declared_class": declared, "runs_by": cells.get("runs_by") or None,
            "approver": cells.get("approver") or None, "data": _several(cells, "data") or None,
            "stage": one_of(cells, "stage", STAGES, _STAGES) if cells.get("stage") else None,
            "workstream": one_of(cells, "workstream", WORKSTREAMS) if cells.get("workstream") else None,
            "owner": cells.get("owner") or None, "description": cells.get("description") or None,
            "evidence": [name(source) for source in _several(cells, "evidence")] or None})})]
    return made + [_fact(account, kind="ai_agent", kind_basis="declared in the workflow register")
                   for account in accounts]


def _several(cells: Cells, column: str) -> list[str]:
    """What a cell lists, in its order, each once."""
    return list(dict.fromkeys(part.strip() for part in cells.get(column, "").split(";") if part.strip()))


def _expected(cells: Cells) -> Made:
    return [(tables.COVERAGE, {"basis": "expected", "source": name(wanted(cells, "source")),
                               "tenant": cells.get("tenant") or None, "first": date(cells, "since")})]


def _environment(cells: Cells) -> Made:
    environment = one_of(cells, "environment", ("prod", "non-prod"), _ENVIRONMENTS)
    return [_fact(wanted(cells, "identity"), environment=environment)]


def _organisation(cells: Cells) -> Made:
    made_up = one_of(cells, "synthetic", ("yes", "no"), _YES_NO) == "yes"
    label = wanted(cells, "organisation")
    return [(tables.RESOURCES, {"id": f"declared::organisation/{label}", "kind": "organisation",
                                "display_name": label, "attributes": _json({"synthetic": made_up})})]


def _tenant(cells: Cells) -> Made:
    organisation, tenant = wanted(cells, "organisation"), wanted(cells, "tenant")
    return [_stated("tenant", f"{organisation}/{tenant}", {"organisation": organisation, "tenant": tenant}, tenant)]


def _configuration_item(cells: Cells) -> Made:
    item, target, instance = wanted(cells, "ci"), wanted(cells, "target"), cells.get("instance") or None
    return [_stated("configuration_item", f"{instance or ''}/{item}", {
        "ci": item, "instance": instance, "target": identity_of(target)[0], "target_written": target}, item)]


def _break_glass(cells: Cells) -> Made:
    account = wanted(cells, "account")
    identity, _ = identity_of(account)
    return [_stated("break_glass", identity, {
        "account": identity, "review_within_hours": _number(cells, "review_within_hours", least=0.01)}, account),
        _fact(account, purpose="emergency access")]


def _approval_rule(cells: Cells) -> Made:
    target = wanted(cells, "target")
    meant = target if target == "*" else identity_of(target)[0]
    required = _number(cells, "approvers_required", least=0, whole=True)
    if required is None:
        wanted(cells, "approvers_required")
    return [_stated("approval_rule", meant, {
        "target": meant, "target_written": target, "approvers_required": required,
        "reason": cells.get("reason") or None}, target)]


def _stated(kind: str, key: str, attributes: dict[str, Any], label: str) -> tuple[tables.Table, dict[str, Any]]:
    return tables.RESOURCES, {"id": f"declared::{kind}/{key}", "kind": kind, "display_name": label,
                              "attributes": _json(attributes)}


def _number(cells: Cells, column: str, least: float, *, whole: bool = False) -> float | int | None:
    """A plain decimal number; null for an empty cell."""
    text = cells.get(column, "")
    if not text:
        return None
    found = float(text) if _NUMBER.fullmatch(text) else None
    if found is None or found < least or (whole and not found.is_integer()):
        asked = f"wanted a {'whole ' if whole else ''}number of at least {least:g} in column {column}"
        raise CellError(f"{asked}, found {shown(text)}")
    return int(found) if found.is_integer() else found


def _json(value: dict[str, Any]) -> str:
    return msgspec.json.encode(value, order="sorted").decode()


_READERS: dict[str, Callable[[Cells], Made]] = {
    "owners": _owner, "persons": _person, "crown_jewels": _jewel, "workflows": _workflow,
    "expected_sources": _expected, "environments": _environment, "organisation": _organisation, "tenants": _tenant,
    "configuration_items": _configuration_item, "break_glass": _break_glass, "approval_rules": _approval_rule,
}
