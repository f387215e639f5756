"""BloodHound OpenGraph: nodes and edges of any system, such as GitHub, Okta or Jamf (sources 9.3).

A record is one node or one edge.

Shapes  ``{"graph": {"nodes": [...], "edges": [...]}, "metadata": {...}}``, in any order, also several in
        one file; what a cut or broken document still holds of both lists.
Maps    nodes of users, groups, roles, applications and machines to ``identity_facts``, all others to ``resources``;
        edges to ``entitlements``: membership, owner, or a right named as the edge is.
Drops   texts among a node's properties but for names and addresses, as they may hold anything, and the properties of
        edges; ``lastseen``, which BloodHound itself overwrites.
Schema  OpenGraph of BloodHound 8 and later; unknown keys of nodes and edges are ``unmapped``, texts not stored.

Ids are ``opengraph::<node id>``, as edges name nodes by nothing else; a node whose id is a SID is that account of
Active Directory, and one whose id is the ARN of a role or user is that principal of AWS. An edge may name its ends by
name or by properties: what they mean is only known when all is loaded, so ``settle`` puts in the one node that has
this name or address and kind, also out of a SharpHound collection. Where none or several have, the end stays as it was
named.

A kind says what a node is only as far as its own word does: a node of kind User is an account, whose use is unknown.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from lineage_analytics import tables
from lineage_analytics.loaders import _ad_ids as ids
from lineage_analytics.loaders._opengraph_file import graph_chunks
from lineage_analytics.loaders._opengraph_match import placeholder, settle
from lineage_analytics.loaders.common.assembly import Entry, RecordFault, assemble
from lineage_analytics.loaders.common.contract import Batch, Chunk, Match
from lineage_analytics.loaders.common.ids import identity_id
from lineage_analytics.loaders.common.leftovers import unmapped
from lineage_analytics.loaders.common.times import parse_time
from lineage_analytics.loaders.common.values import Fields, embedded, flag, fold, guid, name, obj, text

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from lineage_analytics.loaders.common.contract import Document, Sample

__all__ = ["FEEDS", "LATENESS", "PROVIDER", "detect", "extract", "settle", "transform"]

PROVIDER = "opengraph"
LATENESS = timedelta(0)
FEEDS = frozenset({"entitlements", "identity_facts", "resources"})
SOURCE = "ad_opengraph"

NODE = {"id": "string", "kinds": "array", "properties": "object"}
EDGE = {"kind": "string", "start": "object", "end": "object", "properties": "object"}
_OPENING = re.compile(rb'"graph"\s{0,40}:\s{0,40}\{\s{0,40}"(?:nodes|edges)"\s{0,40}:\s{0,40}\[')
_EVIDENCE = re.compile(rb'"(?:kinds|match_by|property_matchers|source_kind)"|"start"\s{0,40}:\s{0,40}\{')
_PREFIX = re.compile(r"^(?:[A-Za-z0-9]{1,20}_|AZ(?=[A-Z]))")
_ARN = re.compile(r"arn:aws[a-z-]{0,20}:iam::(\d{12}):(?:role|user)/\S{1,512}")
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
# By the last word of a kind, as in GH_OrgRole; the more telling words first.
_KINDS = {
    "serviceaccount": "service_account", "account": "unknown", "person": "human", "user": "unknown", "group": "group",
    "team": "group", "role": "role", "application": "app", "app": "app", "principal": "app", "integration": "app",
    "computer": "workload", "vm": "workload", "machine": "workload", "identity": "unknown", "agent": "unknown",
}
_MEMBER = frozenset({"memberof", "ismemberof"})
_OWNER = frozenset({"owns", "owner", "isownerof", "ownerof"})
_TENANTS = ("environmentid", "environment_id", "domainsid", "tenantid", "org_id", "organization_id")
_ALT = {"email": "email", "mail": "email", "login": "login", "username": "username", "userprincipalname": "upn",
        "upn": "upn", "node_id": "node_id", "samaccountname": "username", "appid": "app_id", "app_id": "app_id"}
_NOT_STATE = frozenset({"description", "lastseen", "lastcollected"})


def detect(sample: Sample) -> Match | None:
    """A graph with lists of nodes and edges as BloodHound takes them."""
    keys = {key.lower() for key in sample.keys}
    opens = "graph" in keys and _OPENING.search(sample.head)
    if opens and _EVIDENCE.search(sample.head):
        return Match("graph", 0.92, "a graph with nodes or edges, and kinds or ends")
    return None


def extract(document: Document) -> Iterator[Chunk]:
    """All nodes, then all edges, tagged as such."""
    return graph_chunks(document)


def transform(chunk: Chunk, document: Document) -> Batch:
    """Identities, resources and grants of one chunk."""
    return assemble(chunk, document, SOURCE, _read)


def _read(entry: Entry) -> None:
    record = fold(entry.fields)
    if entry.tag == "edges":
        _edge(entry, record)
    else:
        _node(entry, record)


def node_id(value: object) -> str | None:
    """The id of the node with this id; a SID is an account of Active Directory, an ARN a principal of AWS."""
    stated = name(value)
    if stated is None:
        return None
    if ids.is_sid(stated):
        return ids.object_id(stated)
    if (arn := _ARN.fullmatch(stated)) is not None:
        return identity_id("aws", arn[1], stated)
    return identity_id(PROVIDER, None, guid(stated) or stated)


def _node(entry: Entry, record: Fields) -> None:
    here = node_id(record.get("id"))
    if here is None:
        raise RecordFault("no_id", "wanted a node with an id")
    properties = obj(record.get("properties"))
    tenant = next((found for key in _TENANTS if (found := name(properties.get(key))) is not None), None)
    content = ids.content_hash(entry.fields, _NOT_STATE)
    entry.identify(here.split(":", 1)[0], tenant, f"node/{here}/{content}", within="")
    listed = embedded(record.get("kinds"))
    kinds = [found for item in (listed if isinstance(listed, list) else [listed]) if (found := name(item)) is not None]
    subkind = kinds[0] if kinds else None
    entry.leftovers(NODE)
    left = unmapped({key: held for key, held in record.items() if key not in NODE}, (), texts=False)
    label = name(properties.get("name")) or name(properties.get("displayname"))
    sorts = [(kind, sort) for kind in kinds if (sort := _sort(kind)) is not None]
    if not sorts:
        entry.add(tables.RESOURCES, id=here, kind=subkind or "node", display_name=label, unmapped=left,
                  attributes=_facts(properties))
        return
    entry.add(
        tables.IDENTITY_FACTS, id=here, kind=sorts[0][1], subkind=subkind, kind_basis=f"a node of kind {sorts[0][0]}",
        basis="inventory", display_name=label, enabled=flag(properties.get("enabled")), unmapped=left,
        created_at=_moment(properties.get("created_at")) or _moment(properties.get("whencreated")),
        alt_ids=_alt_ids(here, properties))


def _sort(kind: str) -> str | None:
    """What sort of identity a kind of node is, by its last word; None for what is none."""
    words = [word.lower() for word in _WORD.findall(_PREFIX.sub("", kind))]
    if words[-2:] == ["service", "account"]:
        return "service_account"
    return _KINDS.get(words[-1]) if words else None


def _alt_ids(here: str, properties: Fields) -> list[dict[str, str]]:
    found = {(kind, value.lower() if kind in ("email", "upn", "login", "username") else value)
             for key, kind in _ALT.items() if (value := name(properties.get(key))) is not None}
    native = here.split(":", 2)[2]
    if guid(native):
        found.add(("object_id", native))
    elif ids.is_sid(native):
        found.add(("sid", native))
    elif _ARN.fullmatch(native):
        found.add(("arn", native))
    return [{"kind": kind, "value": value} for kind, value in sorted(found)]


def _facts(properties: Fields) -> str | None:
    """The properties that are no texts: flags and counts."""
    stated = {key: held for key, held in properties.items() if isinstance(held, bool | int | float)}
    return msgspec.json.encode(stated, order="sorted").decode() if stated else None


def _moment(value: object) -> datetime | None:
    found = parse_time(value)
    return found if found is not None and 1990 <= found.year < 2090 else None


def _end(value: object) -> str | None:
    """The node at an end of an edge, or what stands for it until all nodes are known."""
    held = obj(value)
    by = (text(held.get("match_by")) or "id").lower()
    if by == "id":
        return node_id(held.get("value"))
    return placeholder(by, name(held.get("kind")), held)


def _edge(entry: Entry, record: Fields) -> None:
    kind, start, end = name(record.get("kind")), _end(record.get("start")), _end(record.get("end"))
    if kind is None or start is None or end is None:
        raise RecordFault("no_ends", "wanted an edge with a kind, a start and an end")
    entry.identify(PROVIDER, None, f"edge/{ids.content_hash(entry.fields, _NOT_STATE)}", within="")
    entry.leftovers(EDGE)
    bare = _PREFIX.sub("", kind).lower()
    sort = "membership" if bare in _MEMBER else "owner" if bare in _OWNER else "right"
    entry.add(
        tables.ENTITLEMENTS, principal_id=start, grant_kind=sort, privilege=kind, scope=end, effect="allow",
        origin="direct", unmapped=_unmapped_edge(record))


def _unmapped_edge(record: Fields) -> str | None:
    odd: dict[str, Any] = {key: held for key, held in record.items() if key not in EDGE}
    return unmapped(odd, (), texts=False)
