"""AWS IAM Identity Center: who has a permission set over an account may become the role it made there (sources 2.4).

An assignment names a permission set and an account; the role is ``AWSReservedSSO_<set>_<16 hex digits>`` in that
account, which authorization details or the log list. Where neither does, or the name of the set is not loaded, a role
of our own stands for it: ``aws:<account>:permission_set:<arn>``.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import msgspec
import polars as pl

from lineage_analytics.identities.persons import PROVED_FROM
from lineage_analytics.permissions.aws.principals import native
from lineage_analytics.permissions.memberships import in_force

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from lineage_analytics.facts import Facts
    from lineage_analytics.graphs.access.parts import Builder

SOURCE = "aws_identity_center"
_ROLE = re.compile(r"(?:.*/)?AWSReservedSSO_(.{1,64})_[0-9a-f]{16}", re.DOTALL)
_ADMIN = ("/AdministratorAccess", "/IAMFullAccess")
_DIRECTORIES = frozenset({"entra", "okta", "ad", "gworkspace"})


@dataclass
class PermissionSet:
    """What is loaded of one set: ``name`` null where only its ARN is."""

    arn: str
    name: str | None = None
    policies: set[str] = field(default_factory=set)
    records: set[str] = field(default_factory=set)

    def says(self) -> str:
        return self.name or self.arn.rsplit("/", 1)[-1]


class _Role(NamedTuple):
    id: str
    listed: bool


def edges(facts: Facts, build: Builder) -> None:
    """``may_assume`` from users and groups to the roles of their permission sets; their memberships, followed."""
    assigned = facts.frame("entitlements").filter(
        (pl.col("source") == SOURCE) & (pl.col("grant_kind") == "role") & in_force(facts)
        & (pl.col("effect").fill_null("allow") == "allow")
    ).select("principal_id", "privilege", "scope", "record_id").drop_nulls(
        ["principal_id", "privilege", "scope"]).unique().sort(pl.all(), nulls_last=True)
    if assigned.is_empty():
        return
    sets, roles, disabled = permission_sets(facts), _roles(facts), _disabled(facts)
    off = _members(facts, build, set(assigned["principal_id"]), disabled)
    for holder, arn, scope, record in assigned.iter_rows():
        held = sets.get(arn) or PermissionSet(arn)
        account = native(scope)[0]
        found = roles.get((account, held.name), []) if held.name else []
        doubts = ["several roles of the account carry its name"] if len(found) > 1 else []
        for role in _targets(build, held, account, found):
            _assume(build, holder, held, account, role, [record], [
                *doubts, *(["the user is disabled"] if holder in disabled else [])])
            for member, joined in off.get(holder, ()):
                _assume(build, member, held, account, role, [record, joined], [*doubts, "the user is disabled"])
    _signed_in_elsewhere(facts, build)


def permission_sets(facts: Facts) -> dict[str, PermissionSet]:
    """Every permission set that is loaded, by its ARN."""
    rows = facts.frame("resources").filter(pl.col("kind") == "permission_set").select(
        "id", "display_name", "attributes", "record_id").sort(pl.all(), nulls_last=True)
    found: dict[str, PermissionSet] = {}
    for identity, label, attributes, record in rows.iter_rows():
        arn = native(identity)[1]
        held = found.setdefault(arn, PermissionSet(arn))
        held.name = held.name or label
        stated = msgspec.json.decode(attributes) if attributes else {}
        held.policies.update(stated.get("policies") or ())
        held.records.update([record] if record else [])
    return found


def _roles(facts: Facts) -> dict[tuple[str, str], list[_Role]]:
    """Roles that permission sets made, by account and set; those an inventory lists before those only seen."""
    found: dict[tuple[str, str], set[_Role]] = defaultdict(set)
    rows = facts.frame("identities").filter((pl.col("provider") == "aws") & pl.col("deleted_at").is_null()).select(
        "id", "display_name", "tenant", "alt_ids", pl.col("grants_listed").fill_null(value=False))
    for identity, label, tenant, alt_ids, listed in rows.iter_rows():
        names = [label, *(alt["value"] for alt in alt_ids or () if alt["kind"] == "arn"), native(identity)[1]]
        made = next((hit[1] for name in names if name and (hit := _ROLE.fullmatch(name))), None)
        if made is not None:
            found[tenant or native(identity)[0], made].add(_Role(identity, listed))
    return {key: sorted(role for role in held if role.listed or not any(one.listed for one in held))
            for key, held in found.items()}


def _disabled(facts: Facts) -> frozenset[str]:
    rows = facts.frame("identities").filter(
        pl.col("enabled").eq_missing(other=False) & (pl.col("provider") == "aws"))["id"]
    return frozenset(rows)


def _targets(build: Builder, held: PermissionSet, account: str, found: list[_Role]) -> list[_Role]:
    """The roles of a set in an account; one that stands for it where none is listed, and what the set says of it."""
    targets = found or [_Role(build.node(
        f"aws:{account}:permission_set:{held.arn}", "role",
        f"role of permission set {held.says()} in {account}, in no file that is read", account, "aws"), listed=False)]
    admin = sorted(policy for policy in held.policies if policy.endswith(_ADMIN))
    for role in targets:
        if admin and not role.listed:
            whole = build.node(f"aws:{account}:account", "resource", f"AWS account {account}", account, "aws")
            build.tier0(whole)
            build.edge(role.id, "controls", whole, f"the permission set {held.says()} attaches {admin[0]}; whether a "
                       "boundary or an organisation policy limits its role is not loaded", held.records, proved=False,
                       technique="change who may do what")
    return targets


def _assume(build: Builder, holder: str, held: PermissionSet, account: str, role: _Role,
            records: Iterable[str | None], doubts: Iterable[str]) -> None:
    said = [f"has the permission set {held.says()} over account {account}", *doubts]
    build.edge(holder, "may_assume", role.id, "; ".join(said), [*records, *held.records], proved=len(said) == 1,
               technique="sign in to Identity Center and choose the permission set")


def _members(facts: Facts, build: Builder, holders: set[str],
             disabled: frozenset[str]) -> dict[str, list[tuple[str, str | None]]]:
    """Members act with what their group is assigned: the membership is a step of the way, but of the members who are
    disabled, which are returned by group."""
    rows = facts.frame("entitlements").filter(
        (pl.col("source") == SOURCE) & (pl.col("grant_kind") == "membership") & pl.col("scope").is_in(list(holders))
    ).select("principal_id", "scope", "record_id").drop_nulls(["principal_id", "scope"]).sort(pl.all(), nulls_last=True)
    off: dict[str, list[tuple[str, str | None]]] = defaultdict(list)
    for member, group, record in rows.iter_rows():
        if member in disabled:
            off[group].append((member, record))
        else:
            build.edge(member, "member_of", group, f"is a member of {native(group)[1]}", [record], followed=True,
                       technique="be a member")
    return off


def _signed_in_elsewhere(facts: Facts, build: Builder) -> None:
    """A person's account of a directory signs in as the user of Identity Center, if that is its identity source."""
    users: Mapping[str, list[str]] = _by_person(facts, pl.col("subkind") == "idc_user")
    for person, accounts in sorted(_by_person(facts, pl.col("provider").is_in(list(_DIRECTORIES))).items()):
        for user in users.get(person, ()):
            for account in accounts:
                build.edge(account, "may_assume", user, "both are accounts of one person; whether Identity Center lets "
                           "this directory sign its users in is not loaded", _records(facts, account, user),
                           proved=False, technique="sign in through the directory, if it is the identity source")


def _by_person(facts: Facts, which: pl.Expr) -> dict[str, list[str]]:
    """Accounts by person, as far as a declaration or a record joins them."""
    joined = facts.frame("accounts").filter(pl.col("tier") >= PROVED_FROM).select("account_id", "person_id").unique()
    people = facts.frame("identities").filter(which & (pl.col("kind") == "human")).select("id").join(
        joined, left_on="id", right_on="account_id").sort(pl.all())
    found: dict[str, list[str]] = defaultdict(list)
    for identity, person in people.select("id", "person_id").iter_rows():
        found[person].append(identity)
    return found


def _records(facts: Facts, *accounts: str) -> list[str]:
    rows = facts.frame("accounts").filter(pl.col("account_id").is_in(accounts) & (pl.col("tier") >= PROVED_FROM))
    return sorted({record for found in rows["record_ids"].to_list() for record in found or ()})
