"""Entra directory objects: who exists, what signs in with which key, who holds, owns and sponsors what (sources 3.8).

Shapes  Graph objects in pages (``value``), arrays, lines or alone, also from PowerShell (keys in any case) and as CSV
        with nested values as JSON text: users, service principals, applications, groups, directory roles,
        administrative units and roles over them, app role assignments, delegated permission grants, federated
        credentials, Conditional Access policies, devices; agent users, agent identities, blueprints and their
        principals; members, owners and sponsors, expanded in the object or as a page that names whose they are; users
        in rows of Defender's and Sentinel's table IdentityInfo.
Maps    principals and groups to ``identity_facts``; secrets, certificates, federated credentials and passwords to
        ``credentials``, ids and dates only; memberships, roles, app roles, delegated permissions and ownership to
        ``entitlements``; roles, units, policies, devices and the app roles a resource offers to ``resources``.
Drops   contact data, descriptions and notes, hints and names of keys; objects of other sorts in the same list, rejected
        as ``out_of_scope``.
Schema  Graph v1.0 and beta; unknown keys are ``unmapped``, their texts are not kept.

An export states neither its time nor its directory: ``snapshot_at`` and ``as_of`` are null, and the directory is filled
in over all that is loaded (``_entra_directory``). An object exported again is the same record while nothing changed in
it. IdentityInfo names roles and groups but gives no ids: a role is held by its name, a group is not read.
A page of members says whose they are only in its next link, or where its context names it; without that the objects
are read and the membership is not known. Members of a role or group may hold it for a time only: their ``state`` is
null. Keys mostly lie on the application while its service principal signs in: once all is loaded the principal has them
and the application is ``held_by_id`` (``_entra_keys``).
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from lineage_analytics import tables
from lineage_analytics.loaders import _entra_object_rows as rows
from lineage_analytics.loaders._entra_hunting import IDENTITY, as_user
from lineage_analytics.loaders._entra_keys import with_users_of_keys as settle
from lineage_analytics.loaders._entra_object_rows import PROVIDER
from lineage_analytics.loaders._entra_objects import KINDS, KNOWN, native_id, object_kind, page_of
from lineage_analytics.loaders._entra_opened import flattened
from lineage_analytics.loaders._governance import first_of, opened, raw_chunks, revision, without_annotations
from lineage_analytics.loaders.common.assembly import RecordFault, assemble
from lineage_analytics.loaders.common.contract import Match
from lineage_analytics.loaders.common.leftovers import unmapped
from lineage_analytics.loaders.common.packings import csv_columns, head_keys
from lineage_analytics.loaders.common.values import name, native, text
from lineage_analytics.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lineage_analytics.loaders.common.assembly import Entry
    from lineage_analytics.loaders.common.contract import Batch, Chunk, Document, Sample
    from lineage_analytics.loaders.common.values import Fields

__all__ = ["LATENESS", "PROVIDER", "detect", "extract", "settle", "transform"]

LATENESS = timedelta(0)
FEEDS = frozenset({"credentials", "entitlements", "identity_facts", "resources"})
SOURCE = "entra_directory"
_ANY_ID = "00000000-0000-0000-0000-000000000001"

_READERS: dict[str, Callable[[Entry, Fields, str | None], None]] = {
    "user": rows.user, "service_principal": rows.service_principal, "application": rows.application,
    "group": rows.group, "role": rows.role, "unit": rows.unit, "unit_role": rows.unit_role, "app_role": rows.app_role,
    "delegated": rows.delegated, "policy": rows.policy, "device": rows.device,
}


def detect(sample: Sample) -> Match | None:
    """Directory objects by type, by the entity their page names, or by keys only such objects have together."""
    page = page_of(sample.head)
    if sample.first is None and not sample.columns:  # an empty page, or a first object longer than the head
        kind = object_kind({}, page.entity) or _by_columns(head_keys(sample), page.entity)
    elif columns := csv_columns(sample):
        kind = "user" if columns >= IDENTITY else _by_columns(columns, "")
    else:
        row = as_user(flattened(first_of(sample)))
        kind = object_kind(row, page.entity)
        if kind is None and page.entity == "directoryobjects" and "@odata.type" in row:
            kind = "other"
    return None if kind is None else Match(kind, 0.92, f"directory objects: {kind.replace('_', ' ')}")


def _by_columns(columns: frozenset[str], entity: str) -> str | None:
    """What has these keys; an id among them is taken for one."""
    row: Fields = dict.fromkeys(columns, "")
    return object_kind(row | {key: _ANY_ID for key in ("id", "objectid", "object id") if key in columns}, entity)


def extract(document: Document) -> Iterator[Chunk]:
    """Objects as they stand in the file, with what their page says of them."""
    context = page_of(document.sample.head).as_context()
    for chunk in raw_chunks(document):
        chunk.context = context
        yield chunk


def transform(chunk: Chunk, document: Document) -> Batch:
    """Identities, credentials, entitlements and resources out of directory objects."""
    return assemble(chunk, document, SOURCE, _read)


def _read(entry: Entry) -> None:
    stated = flattened(opened(entry.fields))
    row = as_user(stated)
    page = entry.context
    kind = object_kind(row, str(page.get("entity", "")))
    if kind is None:
        sort = text(row.get("@odata.type")) or "an object without a type"
        raise RecordFault("out_of_scope", f"no directory object that is read: {printable(sort, 80)}", "rejected")
    found = native_id(row)
    if found is None and kind in KINDS[:6]:
        raise RecordFault("no_id", f"a {kind.replace('_', ' ')} without an object id")
    parent, relation = str(page.get("parent", "")), str(page.get("relation", ""))
    place = f"{kind}@{relation}/{parent}" if parent else kind
    tenant = native(name(stated.get("accounttenantid")))  # of Defender's table; Graph objects state none
    entry.identify(PROVIDER, tenant, revision(found or text(row.get("id")), place, row))
    known = without_annotations(row)
    leftover = unmapped(known, KNOWN, texts=False)
    if kind == "federated":
        rows.federated(entry, row, parent or None)
    else:
        _READERS[kind](entry, row, leftover)
    _related(entry, kind, found, parent, relation)


def _related(entry: Entry, kind: str, found: str | None, parent: str, relation: str) -> None:
    """What the page says: the object is a member, an owner, a sponsor of its parent, or its parent is in it."""
    if not parent or found is None:
        return
    of = str(entry.context.get("parent_kind", ""))
    if relation in ("members", "transitivemembers"):
        if of == "groups":
            rows.member(entry, {"id": found}, parent, "direct" if relation == "members" else "transitive")
        elif of == "directoryroles":
            rows.role_grant(entry, found, parent)
    elif relation == "memberof":
        sort = {"role": "directoryrole", "unit": "administrativeunit"}.get(kind, "group")
        rows.container(entry, parent, {"id": found, "@odata.type": sort,
                                       "displayname": opened(entry.fields).get("displayname")})
    elif relation in ("owners", "sponsors"):
        basis = relation.removesuffix("s")
        if basis == "owner":
            rows.owner_grant(entry, found, parent)
        entry.add(tables.IDENTITY_FACTS, id=rows.identity(entry, parent), kind="unknown", basis="seen", alt_ids=[
            {"kind": "object_id", "value": parent}], owner=[{"id": rows.identity(entry, found), "basis": basis}])
