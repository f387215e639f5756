"""IAM inventory of Google Cloud: policies, service accounts, keys, roles, last use, deny policies (sources 7.2).

Shapes  Answers of gcloud (arrays and single objects) and of the APIs (pages under ``results``, ``accounts``, ``keys``,
        ``roles``, ``activities``, ``policies``, ``projects``, ``assets``, ``entitlements``); asset-inventory exports of
        policies and of IAM resources, one asset a line; answers of Policy Analyzer, as gcloud shows them, too; mixed on
        lines, in one array or as YAML documents.
Maps    bindings, members of groups, role permissions, deny rules and who may ask for elevation to ``entitlements``;
        service accounts and last authentications to ``identity_facts``; keys to ``credentials``; roles, projects,
        offers of elevation and resources with a policy to ``resources``.
Drops   descriptions; keys that Google holds itself and assets that are none of identity or access, rejected as
        ``out_of_scope``.
Schema  IAM v1 and v2 (deny), Cloud Asset v1, Policy Analyzer v1; unknown keys are kept in ``unmapped``.

``get-iam-policy`` does not say of what it is the policy: the scope of its grants is null. ``as_of`` is the time an
export states it was read, else null. A service account's identity is its numeric id, its address one of its names; a
deleted member keeps its own id, so an address that lives again is another principal. An analysis answers a question: it
holds the bindings that were asked for, and members of groups where it was told to expand them.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from lineage_analytics.loaders import _gcp_inventory as rows
from lineage_analytics.loaders._gcp_entry import is_entry, listed, squeezed
from lineage_analytics.loaders._gcp_members import PROVIDER
from lineage_analytics.loaders._gcp_pages import inner, paged
from lineage_analytics.loaders.common.assembly import Entry, RecordFault, assemble
from lineage_analytics.loaders.common.contract import Batch, Chunk, Match
from lineage_analytics.loaders.common.packings import head_keys
from lineage_analytics.loaders.common.times import parse_time
from lineage_analytics.loaders.common.values import Fields, embedded, text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lineage_analytics.loaders.common.contract import Document, Sample

__all__ = ["FEEDS", "LATENESS", "PROVIDER", "detect", "extract", "transform"]

LATENESS = timedelta(0)
FEEDS = frozenset({"credentials", "entitlements", "identity_facts", "resources"})
SOURCE = "gcp_iam"

_PAGES = ("results", "accounts", "keys", "roles", "activities", "policies", "projects", "assets",
          "entitlements", "analysisResults")


def detect(sample: Sample) -> Match | None:
    """Inventory objects by the keys that only they have together."""
    if sample.first is None:
        keys = head_keys(sample)
        asset = {"bindings", "members", "role"} <= keys and bool(keys & {"etag", "iampolicy", "assettype"})
        long = asset or {"includedpermissions", "title"} <= keys
        return Match("objects", 0.75, "an IAM policy or role longer than the head") if long else None
    first = inner(sample.first, _PAGES)
    kind = _kind(squeezed(first)) if first is not None and not is_entry(first) else None
    return Match("objects", 0.95, f"a Google Cloud {kind.replace('_', ' ')}") if kind else None


def _kind(fields: Fields) -> str | None:
    """What sort of inventory object it is; None when it is none."""
    keys = fields.keys()
    inside = squeezed(fields.get("policy")) or squeezed(fields.get("iampolicy"))
    if _is_policy(inside) and keys & {"resource", "name", "id"}:
        return "policy_of_a_resource"
    if "assettype" in keys and ("policy" in keys or "iampolicy" in keys or squeezed(fields.get("resource"))):
        return "asset"
    if rows.analysed(fields) is not None:
        return "analysis"
    if _is_policy(fields) and not keys & {"kind", "apiversion", "protopayload"}:
        return "policy"
    if "uniqueid" in keys and (text(fields.get("email")) or "").endswith("gserviceaccount.com"):
        return "service_account"
    if "/serviceAccounts/" in (text(fields.get("name")) or "") and keys & {"keytype", "keyorigin", "validaftertime"}:
        return "key"
    if "fullresourcename" in keys and keys & {"activity", "activitytype"}:
        return "last_authentication"
    if any("denyrule" in rule for rule in listed(fields.get("rules"))):
        return "deny_policy"
    if {"privilegedaccess", "maxrequestduration"} <= keys:
        return "elevation"
    if _is_role(fields):
        return "role"
    return "project" if {"projectid", "projectnumber"} <= keys else None


def _is_policy(fields: Fields) -> bool:
    stated = embedded(fields.get("bindings"))
    if not isinstance(stated, list) or not ("etag" in fields or "version" in fields or stated):
        return False
    held = listed(stated)
    return all("role" in one and "members" in one for one in held) and (bool(held) or "etag" in fields)


def _is_role(fields: Fields) -> bool:
    own = text(fields.get("name")) or ""
    named = own.startswith("roles/") or "/roles/" in own
    return named and bool(fields.keys() & {"includedpermissions", "title", "stage"})


def extract(document: Document) -> Iterator[Chunk]:
    """Objects out of arrays, lines and pages."""
    return paged(document, _PAGES)


def transform(chunk: Chunk, document: Document) -> Batch:
    """Grants, identities, keys and resources of one chunk."""
    return assemble(chunk, document, SOURCE, read)


def read(entry: Entry) -> None:
    """One object of the inventory, also inside the asset that carries it."""
    fields = squeezed(entry.fields)
    kind = _kind(fields)
    if kind == "asset":
        fields, kind = _asset(fields)
    as_of = parse_time(entry.tag) if entry.tag else None
    if kind in ("policy", "policy_of_a_resource"):
        stated = squeezed(fields.get("policy")) or squeezed(fields.get("iampolicy")) or fields
        rows.policy(entry, fields if kind == "policy_of_a_resource" else {}, stated, as_of)
    elif kind == "analysis":
        rows.analysis(entry, fields)
    elif kind == "service_account":
        rows.account(entry, fields, as_of)
    elif kind == "key":
        rows.key(entry, fields, as_of)
    elif kind == "role":
        rows.role(entry, fields, as_of)
    elif kind == "last_authentication":
        rows.activity(entry, fields)
    elif kind == "deny_policy":
        rows.deny(entry, fields, as_of)
    elif kind == "elevation":
        rows.elevation(entry, fields, as_of)
    elif kind == "project":
        rows.project(entry, fields, as_of)
    else:
        raise RecordFault("no_inventory_object", "wanted a policy, service account, key, role, activity or project")


def _asset(fields: Fields) -> tuple[Fields, str | None]:
    """The object an asset carries; RecordFault when it is none of identity or access."""
    held = squeezed(squeezed(fields.get("resource")).get("data"))
    kind = _kind(held) if held else None
    if kind is None:
        kind_of = text(fields.get("assettype")) or "unnamed"
        raise RecordFault("out_of_scope", f"an asset of type {kind_of[:100]}", "rejected")
    return held, kind
