"""Edges that records state as such: membership, policies held, boundaries, credentials, owners, roles."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from lineage_analytics.graphs.access.tier0 import is_tier0
from lineage_analytics.permissions.aws.principals import is_service, native
from lineage_analytics.permissions.memberships import in_force, taken_back
from lineage_analytics.permissions.roles import ACTIVE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lineage_analytics.facts import Facts
    from lineage_analytics.graphs.access.parts import Builder

# Providers whose roles and memberships have a module of their own in this room.
_WITH_MODULES = ("ad", "entra")


def edges(facts: Facts, build: Builder) -> None:
    """Nodes of all identities and crown jewels, and the edges their records state."""
    for identity, kind, label, tenant, provider in facts.frame("identities").select(
            "id", "kind", "display_name", "tenant", "provider").iter_rows():
        sort = "service" if is_service(identity) else kind or "unknown"
        build.node(identity, sort, label, None if sort == "service" else tenant, provider)
    _credentials(facts, build)
    _owners(facts, build)
    _memberships(facts, build)
    _held(facts, build)
    _roles(facts, build)
    _crown_jewels(facts, build)


def _credentials(facts: Facts, build: Builder) -> None:
    rows = facts.frame("credentials").select("identity_id", "credential_id", "kind", "status", "tenant", "provider",
                                             "record_id").drop_nulls(["identity_id", "credential_id"])
    for identity, credential, kind, status, tenant, provider, record in rows.sort(pl.all()).iter_rows():
        node = build.node(f"{provider}:{tenant or ''}:credential:{credential}", "credential", f"{kind} {credential}",
                          tenant, provider)
        said = f"{status} {kind}" if status else str(kind)
        build.edge(identity, "authenticates_with", node, f"has the {said} {credential}", [record])


def _owners(facts: Facts, build: Builder) -> None:
    rows = facts.frame("identities").select("id", "owner", "record_ids").drop_nulls("owner").sort("id")
    names = _named(facts) if rows.height else {}
    for identity, owners, records in rows.iter_rows():
        for owner in owners:
            if owner["id"]:
                known = names.get(owner["id"].casefold(), owner["id"])
                build.node(known, "unknown")
                build.edge(known, "owns", identity, f"stated as {owner['basis'] or 'owner'}: {owner['id']}",
                           records or [])


def _named(facts: Facts) -> dict[str, str]:
    """Identity by id, login or address, case folded; of several a person's comes first, in a directory before AWS."""
    found: dict[str, str] = {}
    rows = facts.frame("identities").filter(pl.col("kind") != "group").select(
        (pl.col("kind") != "human").alias("machine"), (pl.col("provider") == "aws").alias("aws"), "id", "alt_ids",
    ).sort("machine", "aws", "id", nulls_last=True)
    for _, _, identity, alt_ids in rows.iter_rows():
        for name in (identity, *(alt["value"] for alt in alt_ids or () if alt["value"])):
            found.setdefault(name.casefold(), identity)
    return found


def _memberships(facts: Facts, build: Builder) -> None:
    for principal, group, _, condition, record in _rows(facts, "membership"):
        build.node(group, "group")
        build.edge(principal, "member_of", group, f"is a member of {_label(group)}", [record], proved=not condition)


def _held(facts: Facts, build: Builder) -> None:
    for kind, rel, words in (("attachment", "holds_policy", "holds policy"),
                             ("boundary", "bounded_by", "is limited by the boundary")):
        for principal, policy, name, condition, record in _rows(facts, kind):
            build.node(policy, "policy", name)
            build.edge(principal, rel, policy, f"{words} {name or _label(policy)}", [record], proved=not condition)


def _roles(facts: Facts, build: Builder) -> None:
    """Roles of providers without a module of their own: active ones are held, eligible ones conditional.

    A role over a part of the tenant is another node than the role over all of it; only the latter is tier 0.
    """
    rows = facts.frame("entitlements").filter(
        (pl.col("grant_kind") == "role") & pl.col("state").fill_null("standing").is_in((*ACTIVE, "eligible"))
        & ~pl.col("provider").fill_null("").is_in(_WITH_MODULES) & in_force(facts)
        & ~pl.col("record_id").fill_null("").is_in(taken_back(facts))
    ).select("principal_id", "privilege", "scope", "state", "condition", "tenant", "provider", "record_id")
    for principal, role, scope, state, condition, tenant, provider, record in rows.drop_nulls(
            ["principal_id", "privilege"]).sort(pl.all()).iter_rows():
        whole = scope in {None, "", "/"}
        node = build.node(f"{provider}:{tenant or ''}:directory_role:{role}" + ("" if whole else f":{scope}"),
                          "directory_role", role if whole else f"{role} over {scope}", tenant, provider)
        if whole and is_tier0(provider or "", "directory_role", role):
            build.tier0(node)
        held = state != "eligible"
        words = "holds" if held else "is eligible for"
        build.edge(principal, "holds_policy", node, f"{words} the role {role}" + ("" if whole else f" over {scope}"),
                   [record], proved=held and not condition)


def _crown_jewels(facts: Facts, build: Builder) -> None:
    """Declared tier 0: a node of the same id or ARN where there is one, else a node of its own."""
    rows = facts.frame("resources").filter(pl.col("tier0").fill_null(value=False))
    if rows.is_empty():
        return
    arns = arn_index(facts)
    for identity, kind, label, tenant, provider in rows.select(
            "id", "kind", "display_name", "tenant", "provider").sort(pl.all()).iter_rows():
        known = identity if build.has(identity) else arns.get(native(identity)[1]) or arns.get(identity)
        sort = kind if kind in {"policy", "role"} else "resource"
        build.tier0(known or build.node(identity, sort, label, tenant, provider))


def arn_index(facts: Facts) -> Mapping[str, str]:
    """Identity by ARN and by other stated ids."""
    found: dict[str, str] = {}
    for identity, alt_ids in facts.frame("identities").select("id", "alt_ids").sort("id", descending=True).iter_rows():
        for alt in alt_ids or ():
            if alt["value"]:
                found[alt["value"]] = identity
    return found


def _rows(facts: Facts, kind: str) -> list[tuple[str, str, str | None, str | None, str | None]]:
    rows = facts.frame("entitlements").filter(
        (pl.col("grant_kind") == kind) & ~pl.col("provider").fill_null("").is_in(_WITH_MODULES)).select(
        "principal_id", "scope", "privilege", "condition", "record_id").drop_nulls(["principal_id", "scope"])
    return rows.sort(pl.all(), nulls_last=True).rows()


def _label(identity: str) -> str:
    return native(identity)[1].rsplit("/", 1)[-1]
