"""AzureHound collections: Entra principals and Azure resources, and who holds what over them (sources 9.2).

A record is one entry ``{"kind": "AZ...", "data": {...}}``: an object, a relation, or all holders of something at once.

Shapes  one mixed file ``{"data": [...], "meta": {"type": "azure"}}``, or the entries as lines or as an array.
Maps    users, groups, applications and service principals to ``identity_facts``, their keys, secrets and federations to
        ``credentials``; memberships, owners, directory roles (also eligible ones), Azure roles, application roles,
        delegated permissions, vault policies, managed identities and containment to ``entitlements``; tenants, roles,
        activation policies and Azure resources to ``resources``.
Drops   descriptions and notes; contents of profiles; relation kinds without a rule and without an id of their own,
        rejected as ``out_of_scope`` by name.
Schema  AzureHound 1 and 2; other kinds with an id are resources and noted as unknown record types; unknown keys are
        ``unmapped``, texts in them not stored.

Ids are those of the directory (``entra:<tenant>:<object id>``); Azure resources go by their resource id in lower case.
Relations state no directory: their ids have none, and are the same principals by their object id. An application that
a relation names by its client id has that as its id.

AzureHound leaves out what is false: ``enabled`` is true or null, and so is ``requires_approval``. The rules of a role's
activation stand in another record than the eligibility; ``settle`` brings them together, with the names of roles.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING

import polars as pl

from lineage_analytics.loaders._ad_ids import content_hash
from lineage_analytics.loaders._azurehound_grants import HOLDERS, read_grants
from lineage_analytics.loaders._azurehound_objects import PRINCIPALS, read_policy, read_principal, read_resource
from lineage_analytics.loaders.common.assembly import Entry, RecordFault, assemble
from lineage_analytics.loaders.common.contract import Batch, Chunk, Match
from lineage_analytics.loaders.common.packings import json_or_array_chunks
from lineage_analytics.loaders.common.values import fold, guid, obj, text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lineage_analytics.loaders.common.contract import Document, Sample

PROVIDER = "entra"
LATENESS = timedelta(0)
FEEDS = frozenset({"credentials", "entitlements", "identity_facts", "resources"})
SOURCE = "ad_azurehound"

_KIND = re.compile(r"AZ[A-Za-z0-9]{2,60}")
_HEAD_KIND = re.compile(rb'"kind"\s{0,20}:\s{0,20}"AZ[A-Za-z]{2,60}"')
_META = re.compile(rb'"type"\s{0,20}:\s{0,20}"azure"')
_NOT_STATE = frozenset({"description", "notes", "aboutme"})
_POLICY = "AZRoleManagementPolicyAssignment"


def detect(sample: Sample) -> Match | None:
    """Entries whose kind begins with AZ, or an empty list with the collector's meta."""
    if sample.first is not None:
        entry = fold(sample.first)
        if _KIND.fullmatch(text(entry.get("kind")) or "") and isinstance(entry.get("data"), dict | list):
            return Match("entries", 0.95, "entries with a kind that begins with AZ")
        return None
    if sample.wrapper == "data" and (_HEAD_KIND.search(sample.head) or (
            _META.search(sample.head[:4_096]) and b'"meta"' in sample.head[:4_096])):
        return Match("entries", 0.9, "a collector's list with kinds that begin with AZ, or its meta of type azure")
    return None


def extract(document: Document) -> Iterator[Chunk]:
    """The entries as they stand in the file."""
    return json_or_array_chunks(document)


def transform(chunk: Chunk, document: Document) -> Batch:
    """Identities, credentials, grants and resources of one chunk."""
    return assemble(chunk, document, SOURCE, _read)


def _read(entry: Entry) -> None:
    record = fold(entry.fields)
    kind, data = text(record.get("kind")) or "", obj(record.get("data"))
    if not _KIND.fullmatch(kind):
        raise RecordFault("unknown_object", "wanted an entry with a kind that begins with AZ")
    ruled = kind == _POLICY or kind in PRINCIPALS or HOLDERS.search(kind)
    if not ruled and text(data.get("id")) is None and text(data.get("tenantid")) is None:
        raise RecordFault("out_of_scope", f"no rule for the kind {kind}", "rejected")
    entry.identify(PROVIDER, guid(text(data.get("tenantid"))), f"{kind}/{content_hash(entry.fields, _NOT_STATE)}",
                   within="")
    if kind in PRINCIPALS:
        read_principal(entry, kind, data)
    elif kind == _POLICY:
        read_policy(entry, data)
    elif HOLDERS.search(kind):
        read_grants(entry, kind, data)
    else:
        read_resource(entry, kind, data)


def settle(tables: Mapping[str, pl.LazyFrame]) -> dict[str, pl.LazyFrame]:
    """Eligible roles get what their activation asks for, and all roles the name the directory lists them under."""
    found = dict(tables)
    if "entitlements" not in found or "resources" not in found:
        return found
    resources = found["resources"].filter(pl.col("source") == SOURCE)
    names = resources.filter(pl.col("kind") == "role").select(
        tenant="tenant", _role=pl.col("id").str.extract(r":role_definition/([^:]*)$"), _name="display_name",
    ).drop_nulls().group_by("tenant", "_role").agg(pl.col("_name").min())
    rules = resources.filter(pl.col("kind") == "role_policy").select(
        tenant="tenant", _role=pl.col("parent_id").str.extract(r":role_definition/([^:]*)$"),
        _asks=pl.col("attributes").str.json_path_match("$.approval_required") == "true",
    ).drop_nulls().group_by("tenant", "_role").agg(pl.col("_asks").max())
    mine = (pl.col("source") == SOURCE) & (pl.col("grant_kind") == "role")
    frame = found["entitlements"].with_columns(_role=pl.when(mine).then("privilege"))
    for other in (names, rules):
        frame = frame.join(other, on=["tenant", "_role"], how="left", maintain_order="left")
    found["entitlements"] = frame.with_columns(
        privilege=pl.coalesce("_name", "privilege"),
        requires_approval=pl.when(pl.col("state") == "eligible").then(pl.coalesce("requires_approval", "_asks"))
        .otherwise("requires_approval"),
    ).drop("_role", "_name", "_asks")
    return found
