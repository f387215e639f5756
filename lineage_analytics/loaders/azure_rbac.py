"""Azure role-based access control: who holds or may activate which role over what, and what is denied (sources 3.4).

Shapes  ``az role assignment list`` and ``az role definition list`` (flat), ARM REST pages (``value``, ``properties``),
        Resource Graph rows of ``authorizationresources`` (``data``), ``Get-AzRoleAssignment`` and
        ``Get-AzRoleDefinition`` as JSON or CSV; arrays, lines, keys in any case. Of the same resource provider also
        eligibility and assignment schedules with their instances and requests, role management policies, approvals.
Maps    assignments, schedules and instances to ``entitlements``; definitions to ``resources`` and statements; deny
        assignments to rights with effect deny and statements; policies to ``resources``; requests and reviewed stages
        to ``decision_steps``; principals with their stated type to ``identity_facts``.
Drops   descriptions, reasons (only whether one was given and the ticket keys in it); other objects of the same
        provider, such as locks and policies on resources, rejected as ``out_of_scope``.
Schema  Microsoft.Authorization 2015-07-01 to 2022-05-01; unknown keys beside ``properties`` are ``unmapped``.

Principals are those of Entra; an export that names no tenant leaves it open (``entra::<object id>``). Scopes and roles
are compared in lower case. A plain assignment does not say whether it ends or is a running activation: its ``state`` is
null, schedule instances say it. An assignment is not use: ``last_used_at`` stays null.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from lineage_analytics.loaders import _azure_objects as objects
from lineage_analytics.loaders import _governance as gov
from lineage_analytics.loaders._governance import PROVIDER
from lineage_analytics.loaders.common.assembly import RecordFault, assemble
from lineage_analytics.loaders.common.contract import Match
from lineage_analytics.loaders.common.values import Fields, guid, text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lineage_analytics.loaders.common.assembly import Entry
    from lineage_analytics.loaders.common.contract import Batch, Chunk, Document, Sample

__all__ = ["LATENESS", "PROVIDER", "detect", "extract", "transform"]

LATENESS = timedelta(0)
FEEDS = frozenset({"decision_steps", "entitlements", "identity_facts", "resources"})
SOURCE = "azure_rbac"

_READERS: dict[str, Callable[[Entry, Fields, str], None]] = {
    **dict.fromkeys((
        "roleassignments", "roleassignmentschedules", "roleassignmentscheduleinstances", "roleeligibilityschedules",
        "roleeligibilityscheduleinstances"), objects.read_assignment),
    "roledefinitions": objects.read_definition, "denyassignments": objects.read_deny,
    "roleassignmentschedulerequests": objects.read_request, "roleeligibilityschedulerequests": objects.read_request,
    "rolemanagementpolicies": objects.read_policy, "rolemanagementpolicyassignments": objects.read_policy,
    "roleassignmentapprovals": objects.read_approval,
}
_CSV = (frozenset({"principalid", "roledefinitionid", "scope"}), frozenset({"objectid", "objecttype", "scope"}),
        frozenset({"principalname", "roledefinitionname", "scope"}))


def detect(sample: Sample) -> Match | None:
    """Objects of Microsoft.Authorization by their type, else by keys only role assignments of one tool have."""
    row = gov.first_of(sample)
    keys = gov.keys_of(sample)
    if not row:
        wide = any(needed <= keys for needed in _CSV) and "directoryscopeid" not in keys
        return Match("roleassignments", 0.9, "columns of role assignments") if wide else None
    if "operationname" in row or "operationnamevalue" in row or ("kind" in row and isinstance(row.get("data"), dict)):
        return None
    found = objects.type_of(row)
    if found not in _READERS or "directoryscopeid" in row:
        return None
    return Match(found, 0.93, f"an object of type Microsoft.Authorization/{found}")


def extract(document: Document) -> Iterator[Chunk]:
    """Objects as they stand in the file."""
    return gov.raw_chunks(document)


def transform(chunk: Chunk, document: Document) -> Batch:
    """Entitlements, resources, steps and identities out of role-based access control."""
    return assemble(chunk, document, SOURCE, _read)


def _read(entry: Entry) -> None:
    row = gov.opened(entry.fields)
    sort = objects.type_of(row)
    if sort is None:
        raise RecordFault("unknown_object", "not an object of role-based access control that this loader knows")
    if sort not in _READERS:
        raise RecordFault("out_of_scope", "an object of the same provider that grants nothing", "rejected")
    found = gov.revision(objects.native_of(row), sort, row)
    entry.identify(PROVIDER, guid(text(row.get("tenantid"))), found, within="")
    _READERS[sort](entry, objects.merged(row), sort)
