"""One person or workload on one page: every account, why it belongs, and how sure that is."""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

import polars as pl

from lineage_analytics.errors import UsageError, did_you_mean
from lineage_analytics.identities.persons import TIERS
from lineage_analytics.text import printable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lineage_analytics.facts import Facts

_COLUMNS: dict[str, Any] = {
    "account": pl.String, "person": pl.String, "provider": pl.String, "tenant": pl.String, "kind": pl.String,
    "name": pl.String, "joined_by": pl.String, "tier": pl.Int8, "why": pl.String, "enabled": pl.Boolean,
    "last_seen_at": pl.Datetime("us", "UTC"), "inventoried": pl.Boolean}
_NEAREST = 8
_INFERRED = TIERS["equal_address"]
SESSION = re.compile(r"(arn:[^:]+):sts::(\d*):assumed-role/([^/]+)(?:/.*)?")
_PATH = ":role/.*/"
_WORDS = {
    "asked": "this is what was asked for", "declared": "the customer declares it", "on_premises_sid":
    "its directory states the SID {}", "external_id": "it states the name {} of its identity provider",
    "equal_address": "only the address {} is the same: inferred, not proved",
    "name": "it carries the name {}", "shared_name":
    "it carries the name {}, as others do: a label, not a proof", "alias": "the id {} means it",
    "parent": "{} derives from it, as its directory states", "child": "it derives from {}, as its directory states",
}


@dataclass(frozen=True)
class Who:
    """The accounts that answer a question for somebody.

    ``accounts`` is a frame with columns ``account person provider tenant kind name joined_by tier why enabled
    last_seen_at inventoried``. ``tier`` 5 and 4 are proved by records, 3 declared, 2 inferred; ``person`` is null where
    nothing joins the account to another.
    """

    asked: str
    accounts: pl.DataFrame

    def __repr__(self) -> str:
        lines = [f"{printable(self.asked)}: {self.accounts.height} account{'s' * (self.accounts.height != 1)}"]
        for row in self.accounts.iter_rows(named=True):
            state = {True: "enabled", False: "disabled", None: "enabled or not: unknown"}[row["enabled"]]
            lines.append(f"  tier {row['tier']}  {printable(row['account'])}  ({row['kind']}, {state})")
            lines.append(f"          {printable(row['name'] or 'no name')}: {printable(row['why'])}")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{name}</th>" for name in ("tier", "account", "kind", "name", "why"))
        body = "".join(
            "<tr>" + "".join(f"<td>{escape(printable(str(row[name] if row[name] is not None else '')))}</td>"
                             for name in ("tier", "account", "kind", "name", "why")) + "</tr>"
            for row in self.accounts.iter_rows(named=True))
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def who(facts: Facts, asked: str) -> Who:
    """Every account of the person or workload that an id or a name means.

    Names are compared without case. A name that several principals carry (a deleted and a new account, one address in
    two systems) gives all, each only as sure as what else joins it. The ARN of a session means the role behind it. An
    agent comes with its blueprint, a blueprint with its agents: another principal, which the reason says.

    Raises
    ------
    UsageError : nobody goes by that id or name; with the nearest names.
    """
    identities = facts.frame("identities")
    joined = facts.frame("accounts")
    found = meant(identities, facts.frame("aliases"), asked)
    if not found:
        names = sorted({*identities["id"], *identities["display_name"].drop_nulls()})
        holding = [name for name in names if asked.casefold() in name.casefold()][:_NEAREST]
        raise UsageError("Wanted an account, person or name of this estate", f"found {printable(asked, 80)!r}",
                         did_you_mean(asked, holding or names))
    persons = joined.filter(pl.col("account_id").is_in(list(found)))["person_id"].unique()
    others = joined.filter(pl.col("person_id").is_in(persons.implode())).sort(
        "tier", descending=True, maintain_order=True)
    shared_name = len(found) > 1 and {rule for rule, _ in found.values()} == {"name"}
    rows = {account: (None, rule, _INFERRED, _WORDS["shared_name"].format(shared)) if shared_name else
            (None, rule, 5, _WORDS[rule].format(shared)) for account, (rule, shared) in found.items()}
    for row in others.unique("account_id", keep="first", maintain_order=True).iter_rows(named=True):
        asked_for = None if shared_name else rows.get(row["account_id"])
        why = _WORDS[row["rule"]].format(row["evidence"])
        rows[row["account_id"]] = (row["person_id"], *(asked_for[1:] if asked_for else (row["rule"], row["tier"], why)))
    rows |= _related(identities, {account: row[2] for account, row in rows.items()})
    table = pl.DataFrame([(account, *row) for account, row in rows.items()], orient="row",
                         schema=["account", "person", "joined_by", "tier", "why"])
    return Who(asked, table.join(
        identities.select("provider", "tenant", "kind", "enabled", "last_seen_at", "inventoried", account="id",
                          name="display_name"), on="account", how="left")
        .select(pl.col(name).cast(dtype) for name, dtype in _COLUMNS.items())
        .sort(pl.col("tier"), "account", descending=[True, False]))


def _related(identities: pl.DataFrame, tiers: Mapping[str, int]) -> dict[str, tuple[None, str, int, str]]:
    """What the accounts derive from and what derives from them, as sure as the account is: an agent's blueprint, a
    blueprint's agents."""
    held, known = identities.select("id", "parent_id").drop_nulls().sort("id"), identities.select(parent_id="id")
    above = held.filter(pl.col("id").is_in(list(tiers))).join(known, on="parent_id", how="semi", maintain_order="left")
    below = held.filter(pl.col("parent_id").is_in(list(tiers)))
    found = {parent: ("parent", child) for child, parent in above.iter_rows()}
    found |= {child: ("child", parent) for child, parent in below.iter_rows()}
    return {account: (None, rule, tiers[other], _WORDS[rule].format(other)) for account, (rule, other) in found.items()
            if account not in tiers}


def meant(identities: pl.DataFrame, aliases: pl.DataFrame, asked: str) -> dict[str, tuple[str, str]]:
    """The identities an id or a name means, each with the rule that says so: an id before an alias before a name."""
    if identities.filter(pl.col("id") == asked).height:
        return {asked: ("asked", asked)}
    by_alias = aliases.filter(pl.col("alias") == asked)["id"].unique().sort()
    if by_alias.len():
        return dict.fromkeys(by_alias, ("alias", asked))
    low = _role(asked).casefold()
    named = identities.filter(
        (pl.col("display_name").str.to_lowercase() == low) | (pl.col("person_id").str.to_lowercase() == low)
        | (pl.col("person_id").str.to_lowercase() == f"person:{low}")
        | pl.col("id").str.to_lowercase().str.ends_with(f":{low}")
        | pl.col("alt_ids").list.eval(
            pl.element().struct.field("value").str.to_lowercase().str.replace(_PATH, ":role/") == low).list.any())
    return dict.fromkeys(named["id"].sort(), ("name", asked))


def _role(asked: str) -> str:
    """The ARN of the role that a session's or a role's ARN means, without the path that sessions drop; other text as
    it is."""
    return re.sub(_PATH, ":role/", SESSION.sub(r"\1:iam::\2:role/\3", asked))
