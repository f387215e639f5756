"""Entra role management: who holds or may activate a role, who asked, who approved (sources 3.4).

Shapes  Graph objects in pages (``value``), arrays, lines or alone, also from PowerShell (``ConvertTo-Json``, keys in
        any case) and as CSV with nested values as JSON text: schedule requests, schedules and schedule instances for
        assignment and eligibility, of directory roles and of groups (``accessId``, ``groupId``); role assignments; role
        definitions; role management policies and their assignments with rules; approvals with stages.
Maps    requests to ``decision_steps``: the request, the denial or withdrawal, what it brought about; approval stages to
        decisions; schedules, instances and assignments to ``entitlements``; role definitions to ``resources`` and
        statements; policies to ``resources``; principals, as far as expanded, to ``identity_facts``.
Drops   reasons (only whether one was given and the ticket keys in it); requests that only validate, rejected as
        ``out_of_scope``.
Schema  Graph v1.0 and beta; unknown keys of grants and resources are ``unmapped``.

The key of a case is the request's id, as in the directory audit (``pim_request_id``). When all is loaded (``settle``)
an approval's steps get the key of the request that names the approval, else the approval's own id stands, which is
documented to be the request's; and eligibilities get ``requires_approval`` from the policy on their role or group.

Whether a request without ``@odata.type`` and page is about assignment or eligibility cannot be told for administrators'
actions; its steps then have a target and no effect. ``roleAssignments`` list active assignments without saying whether
they end; their ``state`` is null, schedule instances say it.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING

from lineage_analytics.loaders._governance import PROVIDER, first_of, keys_of, odata_type, opened, raw_chunks
from lineage_analytics.loaders._pim_objects import read_approval, read_definition, read_policy
from lineage_analytics.loaders._pim_schedules import read_grant, read_request
from lineage_analytics.loaders._pim_settled import with_approval, with_requests
from lineage_analytics.loaders.common.assembly import RecordFault, assemble
from lineage_analytics.loaders.common.contract import Match

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import polars as pl

    from lineage_analytics.loaders.common.assembly import Entry
    from lineage_analytics.loaders.common.contract import Batch, Chunk, Document, Sample
    from lineage_analytics.loaders.common.values import Fields

__all__ = ["LATENESS", "PROVIDER", "detect", "extract", "settle", "transform"]

LATENESS = timedelta(0)
FEEDS = frozenset({"decision_steps", "entitlements", "identity_facts", "resources"})
SOURCE = "entra_pim"

_CONTEXT = re.compile(
    rb'"@odata\.context"\s{0,4}:\s{0,4}"[^"]{0,200}(?:#|/)(?:roleManagement/directory/|identityGovernance/'
    rb'privilegedAccess/group/)?(\w{5,60})', re.IGNORECASE)
_CONTEXT_READ = 4_096
_GRANT_EVIDENCE = frozenset({
    "directoryscopeid", "appscopeid", "groupid", "assignmenttype", "membertype", "roleassignmentscheduleid",
    "roleeligibilityscheduleid", "roleassignmentoriginid",
})


def _kind(keys: frozenset[str]) -> str | None:
    """What sort of object has these keys."""
    if "principalid" in keys and ("roledefinitionid" in keys or {"groupid", "accessid"} <= keys):
        if "action" in keys and keys & {"status", "scheduleinfo", "targetscheduleid", "createddatetime"}:
            return "request"
        return "grant" if keys & _GRANT_EVIDENCE and "principaltype" not in keys else None
    if "rolepermissions" in keys and keys & {"isbuiltin", "templateid", "displayname"}:
        return "definition"
    if {"scopeid", "scopetype"} <= keys and keys & {"policyid", "rules", "isorganizationdefault"}:
        return "policy"
    return "approval" if keys & {"stages", "steps"} and len(keys) <= 8 and "id" in keys else None


def detect(sample: Sample) -> Match | None:
    """Objects of role management by the keys only they have together."""
    keys = keys_of(sample)
    kind = _kind(frozenset(key for key in keys if "@" not in key))
    if kind is None:
        return None
    if kind == "approval":
        return _approval(sample)
    return Match(kind, 0.93, f"keys of a role management {kind}")


def _approval(sample: Sample) -> Match | None:
    """Approvals look alike everywhere; those of entitlement management and of consent say so in their page."""
    row = first_of(sample)
    stages = row.get("stages", row.get("steps"))
    reviews = isinstance(stages, list) and any(isinstance(s, dict) and {"reviewResult", "reviewedBy", "ReviewResult"}
                                               & set(s) for s in stages)
    head = sample.head[:_CONTEXT_READ].lower()
    if not reviews or b"entitlementmanagement" in head or b"accesspackage" in head or b"appconsent" in head:
        return None
    return Match("approval", 0.85, "an approval with reviewed stages")


def extract(document: Document) -> Iterator[Chunk]:
    """Objects as they stand in the file, with the entity set its page names."""
    found = _CONTEXT.search(document.sample.head[:_CONTEXT_READ])
    entity = found.group(1).decode().lower() if found else ""
    for chunk in raw_chunks(document):
        chunk.context = {"entity": entity}
        yield chunk


_READERS: dict[str, Callable[[Entry, Fields, str], None]] = {
    "request": read_request, "grant": read_grant, "definition": read_definition, "policy": read_policy,
    "approval": read_approval,
}


def transform(chunk: Chunk, document: Document) -> Batch:
    """Steps, entitlements, resources and identities out of role management objects."""
    return assemble(chunk, document, SOURCE, _read)


def _read(entry: Entry) -> None:
    row = opened(entry.fields)
    kind = _kind(frozenset(key for key in row if "@" not in key))
    if kind is None:
        raise RecordFault("unknown_object", "not an object of role management that this loader knows")
    _READERS[kind](entry, row, odata_type(row) or str(entry.context.get("entity", "")))


def settle(tables: Mapping[str, pl.LazyFrame]) -> dict[str, pl.LazyFrame]:
    """Approvals get the key of the request that names them, eligibilities what their policy says of approval."""
    found = dict(tables)
    if "decision_steps" in found:
        found["decision_steps"] = with_requests(found["decision_steps"])
    if {"entitlements", "resources"} <= found.keys():
        found["entitlements"] = with_approval(found["entitlements"], found["resources"])
    return found
