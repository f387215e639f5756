"""What records of a directory grant, in the three languages: roles, application permissions, ownership."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec
import polars as pl

from lineage_analytics.permissions.entra.datafiles import azure_roles, directory_roles
from lineage_analytics.permissions.entra.languages import AZURE, DIRECTORY, PERMISSION
from lineage_analytics.permissions.entra.objects import Names, Objects, native_of, tenant_of
from lineage_analytics.permissions.memberships import in_force, taken_back
from lineage_analytics.permissions.roles import ACTIVE, Assignment

if TYPE_CHECKING:
    from datetime import datetime

    from lineage_analytics.facts import Facts

PROVIDER = "entra"
INVENTORIES = {DIRECTORY: frozenset({"entra_directory", "entra_pim", "ad_azurehound"}),
               PERMISSION: frozenset({"entra_directory", "ad_azurehound"}),
               AZURE: frozenset({"azure_rbac", "ad_azurehound"})}
EVERYONE = "everyone"
OWNER = "owner of the "
_KINDS = ("role", "app_role", "delegated", "owner")
ON_BEHALF = "only on behalf of a signed-in user who may do it, for {}"


@dataclass
class Grants:
    """Assignments by language and holder, and what inventories of assignments are loaded.

    ``since`` holds when an assignment began, by its record, as far as stated. ``inventoried`` holds, per language, the
    directories an inventory of assignments is loaded for; ``subscriptions`` the scopes such an inventory of Azure
    speaks of. ``excepted`` holds, by record of a denial, the native ids it spares.
    """

    held: dict[str, dict[str, list[Assignment]]] = field(
        default_factory=lambda: {language: defaultdict(list) for language in (DIRECTORY, AZURE, PERMISSION)})
    since: dict[str, datetime] = field(default_factory=dict)
    inventoried: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    subscriptions: set[tuple[str, str]] = field(default_factory=set)
    excepted: dict[str, frozenset[str]] = field(default_factory=dict)


def read_grants(facts: Facts, objects: Objects, names: Names) -> Grants:
    """All grants in force or eligible at as_of, in the order of holder, privilege, scope and record."""
    rows = facts.frame("entitlements").filter(
        (pl.col("provider") == PROVIDER) & in_force(facts)
        & (pl.col("grant_kind").is_in(_KINDS) | ((pl.col("grant_kind") == "right") & (pl.col("effect") == "deny")))
        & pl.col("state").fill_null("standing").is_in([*ACTIVE, "eligible"])
        & ~pl.col("record_id").fill_null("").is_in(taken_back(facts))
    ).select("principal_id", "grant_kind", "privilege", "scope", "effect", "condition", "state", "via",
             "requires_approval", "granted_at", "record_id", "source").unique().sort(
        "principal_id", "grant_kind", "privilege", "scope", "record_id", "state", "condition", "requires_approval",
        nulls_last=True)
    grants = Grants()
    for row in rows.iter_rows(named=True):
        _add(grants, row, objects, names)
    return grants


def _add(grants: Grants, row: dict[str, Any], objects: Objects, names: Names) -> None:
    holder, stated, scope, record = row["principal_id"], row["privilege"], row["scope"], row["record_id"] or ""
    if holder is None or (stated is None and row["grant_kind"] != "owner"):
        return
    tenant, kind, doubt, condition = tenant_of(holder), row["grant_kind"], None, row["condition"]
    if kind in {"app_role", "delegated"}:
        language = PERMISSION
        stated = names.permission(scope or "", objects.app_of(scope or ""), stated)
        doubt = ON_BEHALF.format(_whom(row["via"])) if kind == "delegated" else None
    elif kind == "owner":
        owned = objects.by_id.get(scope or "")
        language, stated = DIRECTORY, f"{OWNER}{owned.sort if owned else 'object'}"
    else:
        language = AZURE if kind == "right" else language_of(stated, scope, row["source"])
        if kind == "role":
            stated = names.role(tenant, stated, language)
        scope = scope or ("/" if language == DIRECTORY else None)
    if kind == "right" and condition is not None:
        spared = _spared(condition)
        if spared is not None:
            grants.excepted[record], condition = spared, None
    if row["state"] == "eligible" and row["requires_approval"]:
        doubt = "activating it needs an approval"
    grants.held[language][holder].append(
        Assignment(holder, stated, scope, kind == "right", condition, row["state"], record, PROVIDER, doubt))
    if row["granted_at"] is not None:
        grants.since[record] = row["granted_at"]
    if kind != "owner" and row["source"] in INVENTORIES[language]:
        grants.inventoried[language].add(tenant)
        if language == AZURE:
            grants.subscriptions.add((tenant, subscription(scope) or (scope or "")))


def language_of(role: str, scope: str | None, source: str | None) -> str:
    """Whether a role is one of the directory or one over Azure resources."""
    place = (scope or "").lower()
    if place.startswith(("/subscriptions/", "/providers/")) or source == "azure_rbac":
        return AZURE
    named = role.casefold()
    return AZURE if place == "/" and named in azure_roles() and named not in directory_roles() else DIRECTORY


def subscription(path: str | None) -> str | None:
    """The subscription a path of the resource manager lies in; None for what lies in none."""
    parts = (path or "").lower().split("/")
    return "/".join(parts[:3]) if len(parts) > 2 and parts[1] == "subscriptions" else None


def _whom(via: list[str] | None) -> str:
    people = [one for one in via or () if one]
    if not people or "ALL_PRINCIPALS" in people:
        return "everybody" if people else "whom is not stated"
    return ", ".join(sorted(native_of(one) for one in people)[:3])


def _spared(condition: str) -> frozenset[str] | None:
    """Whom a denial spares, where that is all its condition says."""
    try:
        said = msgspec.json.decode(condition)
    except msgspec.DecodeError:
        return None
    if not isinstance(said, dict) or set(said) != {"except"} or not isinstance(said["except"], list):
        return None
    return frozenset(str(one) for one in said["except"])
