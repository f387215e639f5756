"""Accounts of one person or workload: what joins them, and how sure that is (decision-lineage 6).

Two accounts stay two principals, each with its own access. They are of one person where the customer says so, or where
one provider's record holds the other's identifier: a directory's on-premises SID, the name a SAML provider hands over.
An equal address proves nothing: it is listed as inferred, and gives no account a person.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import polars as pl

from lineage_analytics import tables
from lineage_analytics.identities.groups import Groups

if TYPE_CHECKING:
    from collections.abc import Iterator

TIERS = {"declared": 3, "on_premises_sid": 4, "external_id": 4, "equal_address": 2}
PROVED_FROM = 3

_ADDRESSES = frozenset({"upn", "email", "login"})
_NOT_PEOPLE = frozenset({"group", "role", "app", "workload", "service_account", "api_key", "ai_assistant", "ai_agent"})
_RECORDS_SHOWN = 20


class _Link(NamedTuple):
    """Two accounts and what joins them."""

    one: str
    other: str
    rule: str
    shared: str


def accounts(identities: pl.DataFrame) -> pl.DataFrame:
    """The ACCOUNTS rows of resolved identities: every account that some evidence joins to another, or to a person."""
    declared = dict(identities.filter(pl.col("person_id").is_not_null()).select("id", "person_id").iter_rows())
    stated = _stated(identities)
    proved = [*_by_sid(stated), *_by_external_id(stated)]
    groups, person = Groups(), dict(declared)
    for account, named in sorted(declared.items()):
        groups.join(f"\0{named}", account)  # what begins with NUL stands for a declared person, and sorts first
    used = []
    for link in sorted(proved):
        persons = {groups.of(account) for account in (link.one, link.other) if groups.of(account).startswith("\0")}
        if len(persons) < 2:  # a record that joins two declared persons contradicts the declaration: left alone
            groups.join(link.one, link.other)
            used.append(link)
    for members in groups.members():
        real = [member for member in members if not member.startswith("\0")]
        name = members[0].removeprefix("\0") if members[0].startswith("\0") else f"person:{real[0]}"
        person |= dict.fromkeys(real, name)
    rows = [(account, named, "declared", named) for account, named in declared.items()]
    for link in used:
        rows += [(account, person[account], link.rule, link.shared) for account in (link.one, link.other)
                 if account not in declared]
    rows += _inferred(stated, person)
    found = pl.DataFrame(sorted(set(rows)), schema=["account_id", "person_id", "rule", "evidence"], orient="row") \
        if rows else pl.DataFrame(schema=dict.fromkeys(("account_id", "person_id", "rule", "evidence"), pl.String))
    return tables.conform(
        found.with_columns(tier=pl.col("rule").replace_strict(TIERS, return_dtype=pl.Int8)).join(
            identities.select(account_id="id", record_ids=pl.col("record_ids").list.head(_RECORDS_SHOWN)),
            on="account_id", how="left"), tables.ACCOUNTS).sort("person_id", "account_id", "rule", "evidence")


def with_persons(identities: pl.DataFrame, found: pl.DataFrame) -> pl.DataFrame:
    """The identities with the person that proved joins give them."""
    proved = found.filter(pl.col("tier") >= PROVED_FROM).group_by("account_id").agg(
        joined=pl.col("person_id").first())
    return identities.join(proved, left_on="id", right_on="account_id", how="left").with_columns(
        person_id=pl.coalesce("person_id", "joined")).drop("joined").sort("id")


class _Account(NamedTuple):
    id: str
    provider: str
    tenant: str
    kind: str
    names: frozenset[tuple[str, str]]

    def values(self, *kinds: str) -> Iterator[str]:
        return (value for kind, value in sorted(self.names) if kind in kinds)


def _stated(identities: pl.DataFrame) -> list[_Account]:
    return [
        _Account(identity, provider, tenant or "", kind, frozenset(
            (alt["kind"], alt["value"].casefold()) for alt in alt_ids or [] if alt["value"]))
        for identity, provider, tenant, kind, alt_ids in identities.select(
            "id", "provider", "tenant", "kind", "alt_ids").iter_rows()
    ]


def _by_sid(stated: list[_Account]) -> Iterator[_Link]:
    """A directory user that states the SID of an account it is synchronised from."""
    there = {account.id.split(":", 2)[2].casefold(): account.id for account in stated if account.provider == "ad"}
    for account in stated:
        for sid in account.values("sid"):
            if account.provider != "ad" and sid in there:
                yield _Link(account.id, there[sid], "on_premises_sid", sid.upper())


def _by_external_id(stated: list[_Account]) -> Iterator[_Link]:
    """An account that states the name its identity provider knows it by; only where one account there has that name."""
    logins: dict[str, set[str]] = {}
    for account in stated:
        for login in account.values("upn", "login"):
            logins.setdefault(login, set()).add(account.id)
    for account in stated:
        for name in account.values("external_id"):
            others = sorted(other for other in logins.get(name, set()) if not other.startswith(f"{account.provider}:"))
            if len(others) == 1:
                yield _Link(account.id, others[0], "external_id", name)


def _inferred(stated: list[_Account], person: dict[str, str]) -> list[tuple[str, str, str, str]]:
    """Accounts of different directories with one address, as far as nothing better joins them."""
    by_address: dict[str, dict[str, _Account]] = {}
    for account in stated:
        if account.kind not in _NOT_PEOPLE:
            for address in account.values(*_ADDRESSES):
                if "@" in address:
                    by_address.setdefault(address, {})[account.id] = account
    rows = []
    for address, found in by_address.items():
        if len({(account.provider, account.tenant) for account in found.values()}) < 2:
            continue
        persons = sorted({person[identity] for identity in found if identity in person})
        named = persons[0] if len(persons) == 1 else f"person:{min(found)}" if not persons else None
        if named is not None:
            rows += [(identity, named, "equal_address", address) for identity in found
                     if person.get(identity) is None]
    return rows
