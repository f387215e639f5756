"""One account signed in by another directory: hybrid accounts, and applications that hand over roles of AWS.

A cloud account that states the SID of an on-premises one, or is declared of the same person and called the same, has
its password where password hashes are synchronised or sign-in is passed through; which of both, if any, no export that
is read states: conditional. An application of Entra that signs in to AWS by SAML hands over pairs of role and provider,
which its app roles name (Microsoft, "AWS Single-Account Access"): who is assigned one becomes the role, and so do the
direct members of a group that is, for nested ones are not assigned.
"""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING

import msgspec
import polars as pl

from lineage_analytics.graphs.access.records import arn_index
from lineage_analytics.graphs.access.workflows import conditions
from lineage_analytics.permissions.aws.principals import native
from lineage_analytics.permissions.memberships import in_force, taken_back

if TYPE_CHECKING:
    from lineage_analytics.facts import Facts
    from lineage_analytics.graphs.access.parts import Builder

_PAIR = re.compile(r"arn:aws[a-z-]{0,20}:iam::\d{12}:(?:role|saml-provider)/[\w+=,.@/-]{1,600}?(?=,arn:|\s|$)")
_AMAZON = re.compile(r"\baws\b|amazon", re.IGNORECASE)


def edges(facts: Facts, build: Builder) -> None:
    """Edges between accounts of different directories."""
    _hybrid(facts, build)
    _through_entra(facts, build)
    _through_okta(facts, build)


def _hybrid(facts: Facts, build: Builder) -> None:
    """Both ways between an on-premises account and the cloud account that is synchronised from it."""
    rows = facts.frame("identities").filter(pl.col("provider").is_in(["ad", "entra"])).select(
        "id", "provider", "alt_ids", "person_id", "record_ids").sort("id")
    homes: dict[str, tuple[str, list[str]]] = {}
    named: dict[tuple[str, str], tuple[str, list[str]]] = {}
    for identity, provider, alt_ids, person, told in rows.iter_rows():
        if provider == "ad":
            homes[native(identity)[1].casefold()] = identity, told or []
            named |= {(person, name): (identity, told or []) for name in _values(alt_ids, "upn") if person}
    for cloud, provider, alt_ids, person, said in rows.iter_rows():
        stated = _values(alt_ids, "sid") if provider == "entra" else []
        for sid in (sid for sid in stated if sid in homes):
            _both_ways(build, homes[sid], cloud, said or [], f"the cloud account is synchronised from {sid.upper()}")
        names = _values(alt_ids, "upn") if provider == "entra" and not stated and person else []
        for name in (name for name in names if (person, name) in named):
            _both_ways(build, named[person, name], cloud, said or [], f"both are accounts of {person} and called {name}"
                       "; whether one is synchronised from the other is not loaded")


def _values(alt_ids: list[dict[str, str]] | None, kind: str) -> list[str]:
    return sorted({alt["value"].casefold() for alt in alt_ids or () if alt["kind"] == kind and alt["value"]})


def _both_ways(build: Builder, at_home: tuple[str, list[str]], cloud: str, said: list[str], since: str) -> None:
    home, told = at_home
    build.edge(home, "may_assume", cloud, f"{since}; whether its password is synchronised or passed through is not "
               "loaded", [*told, *said], proved=False, technique="sign in to the cloud with its on-premises password, "
               "if hashes are synchronised or sign-in is passed through")
    build.edge(cloud, "controls", home, f"{since}; whether a password set in the cloud is written back is not loaded",
               [*told, *said], proved=False, technique="set its password in the cloud, if passwords are written back")


def _providers(facts: Facts) -> dict[str, dict[str, bool]]:
    """By role the SAML providers its trust policy names, and whether nothing else is asked."""
    rows = facts.frame("entitlements").filter(
        (pl.col("grant_kind") == "trust") & pl.col("principal_id").str.contains(":saml-provider/", literal=True)
        & (pl.col("effect").fill_null("allow") == "allow")
    ).select("principal_id", "scope", "condition").drop_nulls(["principal_id", "scope"]).unique().sort(pl.all())
    denied = set(facts.frame("entitlements").filter(
        (pl.col("grant_kind") == "trust") & (pl.col("effect") == "deny"))["scope"])
    found: dict[str, dict[str, bool]] = defaultdict(dict)
    for provider, role, condition in rows.iter_rows():
        held = found[role]
        arn = native(provider)[1]
        held[arn] = held.get(arn, False) or (_only_audience(condition) and role not in denied)
    return found


def _only_audience(condition: str | None) -> bool:
    """The audience of a SAML sign-in is AWS itself, so that condition always holds."""
    asked = conditions(condition)
    if asked is None:
        return False
    keys = [key.casefold() for said in asked.values() if isinstance(said, dict) for key in said]
    return len(keys) >= len(asked) and all(key == "saml:aud" for key in keys)


def _through_entra(facts: Facts, build: Builder) -> None:
    offered = facts.frame("resources").filter(
        (pl.col("kind") == "app_role") & pl.col("attributes").str.contains(":saml-provider/", literal=True)
    ).select("id", "parent_id", "attributes", "record_id").sort(pl.all(), nulls_last=True)
    if offered.is_empty():
        return
    providers, arns = _providers(facts), arn_index(facts)
    roles: dict[tuple[str, str], list[tuple[str, str, str | None]]] = defaultdict(list)
    for identity, application, attributes, record in offered.iter_rows():
        named = _PAIR.findall(str(msgspec.json.decode(attributes).get("value") or ""))
        arn = next((one for one in named if ":role/" in one), None)
        provider = next((one for one in named if ":saml-provider/" in one), None)
        if arn and provider:
            roles[application, identity.rsplit("/", 1)[-1].casefold()].append((arn, provider, record))
    assigned = facts.frame("entitlements").filter(
        (pl.col("grant_kind") == "app_role") & (pl.col("provider") == "entra") & in_force(facts)
    ).select("principal_id", "scope", "privilege", "record_id").drop_nulls(
        ["principal_id", "scope", "privilege"]).unique().sort(pl.all(), nulls_last=True)
    groups = set(facts.frame("identities").filter(pl.col("kind") == "group")["id"])
    members = _direct_members(facts, set(assigned["principal_id"]) & groups, groups)
    for holder, application, role_id, record in assigned.iter_rows():
        for arn, provider, said in roles.get((application, role_id.casefold()), ()):
            role = arns.get(arn) or f"aws:{arn.split(':')[4]}:{arn}"
            build.node(role, "role", arn)
            sure = providers.get(role, {}).get(provider)
            src = _members_node(build, holder, members[holder]) if holder in groups else holder
            build.edge(src, "may_assume", role, f"is assigned {arn} of an application of Entra that signs in by "
                       f"{provider}" + ("" if sure else "; that the role trusts it without a condition is not loaded"),
                       [record, said], proved=bool(sure), technique="sign in to AWS through the application")


def _direct_members(facts: Facts, wanted: set[str], groups: set[str]) -> dict[str, list[tuple[str, bool, str | None]]]:
    """Members of groups that are no groups themselves, each with whether the membership holds for sure."""
    rows = facts.frame("entitlements").filter(
        (pl.col("grant_kind") == "membership") & pl.col("scope").is_in(sorted(wanted)) & in_force(facts)
        & pl.col("state").fill_null("standing").is_in(["standing", "timebound", "activated"])
        & ~pl.col("record_id").fill_null("").is_in(taken_back(facts))
    ).select("principal_id", "scope", "condition", "record_id").drop_nulls(["principal_id", "scope"])
    found: dict[str, list[tuple[str, bool, str | None]]] = defaultdict(list)
    for member, group, condition, record in rows.unique().sort(pl.all(), nulls_last=True).iter_rows():
        if member not in groups:
            found[group].append((member, condition is None, record))
    return found


def _members_node(build: Builder, group: str, members: list[tuple[str, bool, str | None]]) -> str:
    """The node for the direct members of a group: members of groups in it are not assigned, but who may change its
    members can make a direct one."""
    _, tenant, native_id = group.split(":", 2)
    node = f"entra:{tenant}:scope:members:{native_id}"
    if not build.has(node):
        build.node(node, "scope", f"direct members of {native_id}", tenant, "entra")
        for member, sure, record in members:
            build.edge(member, "may_assume", node, f"is a direct member of {native_id}", [record], proved=sure,
                       technique="be a member")
        build.edge(group, "may_assume", node, "members of groups in it are not assigned; who may change its members "
                   "can make a direct one", proved=False, technique="be made a direct member")
    return node


def _through_okta(facts: Facts, build: Builder) -> None:
    """Users of an application of Okta that is named after AWS: which provider it is, and which roles it hands over, is
    in no file that is read."""
    names = facts.frame("identities").filter((pl.col("provider") == "okta") & (pl.col("kind") == "app")).select(
        "id", "display_name").drop_nulls()
    applications = {identity: label for identity, label in names.iter_rows() if _AMAZON.search(label)}
    providers = sorted({trusted for trusted in facts.frame("entitlements").filter(
        (pl.col("grant_kind") == "trust") & pl.col("principal_id").str.contains("(?i):saml-provider/.*okta")
    )["principal_id"] if trusted})
    if not applications or not providers:
        return
    rows = facts.frame("entitlements").filter(
        (pl.col("grant_kind") == "app_role") & pl.col("scope").is_in(sorted(applications)) & in_force(facts)
    ).select("principal_id", "scope", "record_id").drop_nulls(["principal_id", "scope"]).unique()
    for user, application, record in rows.sort(pl.all(), nulls_last=True).iter_rows():
        for provider in providers:
            build.node(provider, "federation", native(provider)[1])
            build.edge(user, "may_assume", provider, f"is assigned {applications[application]} of Okta; whether that "
                       f"is {native(provider)[1]}, and which roles it hands over, is not loaded", [record],
                       proved=False, technique="sign in to AWS through the application")
