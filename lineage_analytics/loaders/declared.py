"""What a customer writes by hand, as CSV or JSON: owners, persons, crown jewels, AI workflows, sources, environments.

A record is one row. Each list is recognised by its columns:

    owners            identity, owner, confirmed_on, purpose
    persons           person, account, display_name, status (active or left), left_on
    crown_jewels      id, kind (role, resource, policy or identity), reason
    workflows         workflow, assistant, identity, declared_class, owner, description
    expected_sources  source, tenant, since
    environments      identity, environment (prod or non-prod)
    organisation      organisation, synthetic (yes or no)

Shapes  CSV with ``,``, ``;`` or tab, columns in any order and case; JSON objects, in an array or on lines, whose values
        are all plain.
Maps    owners, persons, environments and the accounts assistants act with to ``identity_facts``; crown jewels,
        workflows and the organisation to ``resources``; expected sources to ``coverage``.
Drops   columns not listed here.
Schema  ours; new lists and columns are added, none changes its meaning.

Identities and accounts are given as ARN, Entra object id, login or ``<provider>:<tenant>:<id>``. Dates are ISO dates.
An empty cell is unknown: a person without a status is neither active nor gone.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec
import polars as pl

from lineage_analytics import tables
from lineage_analytics.loaders._inventory_rows import NOT_UTF8, REPLACED, csv_chunks
from lineage_analytics.loaders.common import records
from lineage_analytics.loaders.common.contract import Batch, Chunk, Fault, Match
from lineage_analytics.loaders.common.ids import guid, record_id
from lineage_analytics.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lineage_analytics.loaders.common.contract import Document, Sample

PROVIDER = "declared"
LATENESS = timedelta(0)
FEEDS = frozenset({"coverage", "identity_facts", "resources"})

CLASSES = ("advises", "drafts", "executes_approved", "executes_autonomous")
_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_FOLDED = ("entra:", "m365:")  # their ids and logins are the same in any case
_CANONICAL = re.compile(r"(aws|entra|m365|okta|github|gcp|k8s|ad|declared):[^:]*:.+")
# By what each list is recognised, the first whose columns are all there: a workflow has an owner too.
_NEEDED = {
    "workflows": ("workflow", "declared_class"),
    "persons": ("person", "account"),
    "crown_jewels": ("id", "kind", "reason"),
    "owners": ("identity", "owner"),
    "expected_sources": ("source", "since"),
    "environments": ("identity", "environment"),
    "organisation": ("organisation", "synthetic"),
}
Row = dict[str, Any]


class _CellError(ValueError):
    """A cell that does not say what its column wants."""


def _name(column: str) -> str:
    return column.strip().lower().replace(" ", "_").replace("-", "_")


def detect(sample: Sample) -> Match | None:
    """A CSV header, or the keys of a JSON object, that holds all needed columns of one list."""
    first = sample.first or {}
    if not all(value is None or isinstance(value, str | int | float) for value in first.values()):
        return None
    columns = {_name(c) for c in sample.columns} or {_name(k) for k in first}
    return next((Match(shape, 0.6, f"columns {', '.join(needed)}") for shape, needed in _NEEDED.items()
                 if set(needed) <= columns), None)


def extract(document: Document) -> Iterator[Chunk]:
    """The rows of the CSV, or the JSON objects."""
    yield from csv_chunks(document) if document.sample.columns else records.json_chunks(document)


def transform(chunk: Chunk, document: Document) -> Batch:
    """Identity facts, resources and expected coverage out of the rows."""
    read = _READERS[document.shape]
    ids: list[str] = []
    faults = list(chunk.faults)
    rows: dict[str, list[Row]] = {}
    for position, raw in chunk.placed():
        try:
            cells = _cells(raw)
            made = read(cells)
        except _CellError as error:
            faults.append(Fault(position, "unclear_cell", str(error)))
            continue
        identifier = record_id(PROVIDER, "", f"{document.shape}#{msgspec.json.encode(cells, order='sorted').decode()}")
        ids.append(identifier)
        where = {"provider": PROVIDER, "source": "declared", "record_id": identifier, "raw_ref": {
            "file_sha256": document.file_sha256, "member": document.member, "offset": position}}
        for table, row in made:
            known = tables.ALL[table].schema
            rows.setdefault(table, []).append({k: v for k, v in {**where, **row}.items() if k in known})
    frames = {name: pl.DataFrame(found, schema=tables.ALL[name].schema) for name, found in sorted(rows.items())}
    return Batch(pl.Series("record_id", ids, dtype=pl.String), frames, faults)


def _cells(raw: bytes | msgspec.Raw) -> dict[str, str]:
    try:
        found: dict[str, Any] = msgspec.json.decode(raw)
    except (msgspec.DecodeError, RecursionError):
        raise _CellError("wanted an object with a plain value for each column") from None
    cells = {}
    for key, value in found.items():
        if isinstance(value, dict | list):
            raise _CellError(f"wanted a plain value in column {printable(_name(key), 40)}, found a nested one")
        cells[_name(key)] = "" if value is None else str(value).strip()
    if any(REPLACED in value for value in cells.values()):
        raise _CellError(NOT_UTF8)
    return cells


def _wanted(cells: dict[str, str], column: str) -> str:
    if not cells.get(column):
        raise _CellError(f"wanted a value in column {column}, found none")
    return cells[column]


def _date(cells: dict[str, str], column: str) -> datetime | None:
    text = cells.get(column, "")
    if not text:
        return None
    try:
        parsed = datetime.fromisoformat(text)
        return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)
    except (ValueError, OverflowError):
        wanted = f"wanted an ISO date in column {column}, for example 2026-06-30"
        raise _CellError(f"{wanted}, found {_shown(text)}") from None


def _shown(text: str) -> str:
    return printable(text, 40)


def _one_of(cells: dict[str, str], column: str, values: tuple[str, ...]) -> str:
    text = _wanted(cells, column)
    found = {_name(value): value for value in values}.get(_name(text))
    if found is None:
        raise _CellError(f"wanted {' or '.join(values)} in column {column}, found {_shown(text)}")
    return found


def identity_of(cell: str) -> tuple[str, list[dict[str, str]]]:
    """The id a cell names, and what it can be matched by."""
    if _CANONICAL.fullmatch(cell):
        return (cell.lower() if cell.startswith(_FOLDED) else cell), []
    if cell.startswith("arn:"):
        account = cell.split(":")[4] if cell.count(":") >= 5 else ""
        native = "root" if cell.endswith(":root") else cell
        return f"aws:{account}:{native}", [{"kind": "arn", "value": cell}]
    if _GUID.fullmatch(guid(cell)):
        return f"entra::{guid(cell)}", [{"kind": "object_id", "value": guid(cell)}]
    login = cell.casefold()
    return f"declared::{login}", [{"kind": "login", "value": login}, {"kind": "upn", "value": login}]


def _fact(cell: str, **stated: Any) -> tuple[str, Row]:
    identity, alt_ids = identity_of(cell)
    return "identity_facts", {"id": identity, "kind": "unknown", "alt_ids": alt_ids, "basis": "declared", **stated}


def _owner(cells: dict[str, str]) -> list[tuple[str, Row]]:
    owner = cells.get("owner", "")
    return [_fact(_wanted(cells, "identity"), owner=[{"id": owner, "basis": "owner"}] if owner else None,
                  owner_confirmed_at=_date(cells, "confirmed_on"), purpose=cells.get("purpose") or None)]


def _person(cells: dict[str, str]) -> list[tuple[str, Row]]:
    status = _one_of(cells, "status", ("active", "left")) if cells.get("status") else None
    left_on = _date(cells, "left_on")
    return [_fact(_wanted(cells, "account"), kind="human", kind_basis="declared as a person's account",
                  person_id=f"person:{_wanted(cells, 'person')}", display_name=cells.get("display_name") or None,
                  enabled=None if status is None else status == "active",
                  deleted_at=None if status == "active" else left_on)]


def _jewel(cells: dict[str, str]) -> list[tuple[str, Row]]:
    kind = _one_of(cells, "kind", ("role", "resource", "policy", "identity"))
    identity, _ = identity_of(_wanted(cells, "id"))
    return [("resources", {"id": identity, "kind": "crown_jewel", "tier0": True,
                           "attributes": _json({"kind": kind, "reason": cells.get("reason") or None})})]


def _workflow(cells: dict[str, str]) -> list[tuple[str, Row]]:
    name, declared = _wanted(cells, "workflow"), _one_of(cells, "declared_class", CLASSES)
    cell = cells.get("identity", "")
    identity = identity_of(cell)[0] if cell else None
    made: list[tuple[str, Row]] = [("resources", {
        "id": f"declared::workflow/{name}", "kind": "workflow", "display_name": name, "attributes": _json({
            "assistant": cells.get("assistant") or None, "identity": identity, "declared_class": declared,
            "owner": cells.get("owner") or None, "description": cells.get("description") or None})})]
    if cell:
        made.append(_fact(cell, kind="ai_agent", kind_basis="declared in the workflow register"))
    return made


def _expected(cells: dict[str, str]) -> list[tuple[str, Row]]:
    return [("coverage", {"basis": "expected", "source": _wanted(cells, "source").lower(),
                          "tenant": cells.get("tenant") or None, "first": _date(cells, "since")})]


def _environment(cells: dict[str, str]) -> list[tuple[str, Row]]:
    return [_fact(_wanted(cells, "identity"), environment=_one_of(cells, "environment", ("prod", "non-prod")))]


def _organisation(cells: dict[str, str]) -> list[tuple[str, Row]]:
    made_up = _one_of(cells, "synthetic", ("yes", "no")) == "yes"
    name = _wanted(cells, "organisation")
    return [("resources", {"id": f"declared::organisation/{name}", "kind": "organisation", "display_name": name,
                           "attributes": _json({"synthetic": made_up})})]


def _json(value: dict[str, Any]) -> str:
    return msgspec.json.encode(value, order="sorted").decode()


_READERS: dict[str, Callable[[dict[str, str]], list[tuple[str, Row]]]] = {
    "owners": _owner, "persons": _person, "crown_jewels": _jewel, "workflows": _workflow,
    "expected_sources": _expected, "environments": _environment, "organisation": _organisation,
}
