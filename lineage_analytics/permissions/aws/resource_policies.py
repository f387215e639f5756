"""Policies on resources: whom they allow or deny what, by name, through its account, or everybody."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import msgspec
import polars as pl

from lineage_analytics.permissions.aws.policies import NEEDED, RESOURCE_POLICY, has_condition, statement
from lineage_analytics.permissions.aws.principals import account_of

if TYPE_CHECKING:
    from lineage_analytics.facts import Facts
    from lineage_analytics.permissions.aws.policies import Statement
    from lineage_analytics.permissions.aws.principals import Principal

BY_NAME, BY_ACCOUNT, EVERYBODY = "name", "account", "everybody"


@dataclass(frozen=True, slots=True)
class Named:
    """One statement of a resource's policy and whom it speaks of; ``inverted``: of all others."""

    statement: Statement
    principals: tuple[str, ...]
    inverted: bool

    def names(self, principal: Principal, session: str | None) -> str | None:
        """How it means the principal: BY_NAME, BY_ACCOUNT or EVERYBODY; None: not at all."""
        how = self._listed(principal, session)
        if self.inverted:
            return None if how is not None else EVERYBODY
        return how

    def _listed(self, principal: Principal, session: str | None) -> str | None:
        own = {*principal.arns, principal.arn, principal.id.rsplit(":", 1)[-1]}
        if any(name in own or (session is not None and name == session) for name in self.principals):
            return BY_NAME
        if any(name in {principal.account, f"arn:aws:iam::{principal.account}:root"}
               or (name.endswith(":root") and account_of(name) == principal.account) for name in self.principals):
            return BY_ACCOUNT
        return EVERYBODY if "*" in self.principals else None


@dataclass(frozen=True)
class ResourcePolicy:
    """The policy of one resource. ``unread``: it, or a statement of it, cannot be read."""

    resource: str
    account: str
    statements: tuple[Named, ...]
    unread: bool


class ResourcePolicies:
    """The loaded policies of resources, by what they lie on."""

    def __init__(self, facts: Facts) -> None:
        rows = facts.frame("entitlements").filter(
            (pl.col("provider") == "aws") & (pl.col("grant_kind") == "statement")
            & pl.col("principal_id").str.contains(RESOURCE_POLICY, literal=True))
        said: dict[str, list[Named | None]] = defaultdict(list)
        for row in rows.select(NEEDED).unique().sort("principal_id", "record_id", "effect", "condition",
                                                     nulls_last=True).iter_rows():
            said[row[0]].append(_named(row))
        self._by_arn: dict[str, ResourcePolicy] = {}
        for key, statements in said.items():
            before, _, arn = key.partition(RESOURCE_POLICY)
            self._by_arn[arn] = ResourcePolicy(arn, before.partition(":")[2], tuple(s for s in statements if s),
                                               None in statements)

    def of(self, resource: str) -> ResourcePolicy | None:
        """The policy on the resource, or on what holds it: an object's bucket."""
        if resource in self._by_arn:
            return self._by_arn[resource]
        holder = resource.split("/", 1)[0] if resource.startswith("arn:") and ":s3:" in resource else None
        return self._by_arn.get(holder) if holder is not None else None


def _named(row: tuple[Any, ...]) -> Named | None:
    """A statement with the principals that its row keeps beside the condition."""
    made = statement(row, row[2] or "of the resource")
    try:
        said = msgspec.json.decode(row[9]) if row[9] else {}
    except msgspec.DecodeError:
        return None
    if made is None or not isinstance(said, dict):
        return None
    condition = said.get("Condition")
    text = msgspec.json.encode(condition, order="sorted").decode() if condition else ""
    conditional = has_condition(text or None)
    who = said.get("NotPrincipal") or said.get("Principal")
    return Named(replace(made, conditional=conditional, condition=text if conditional else ""), tuple(_principals(who)),
                 "NotPrincipal" in said)


def _principals(said: object) -> list[str]:
    """AWS principals named; services and federated ones are nobody of an estate's own."""
    if isinstance(said, str):
        return [said]
    held = said.get("AWS") if isinstance(said, dict) else None
    return [str(one) for one in (held if isinstance(held, list) else [held] if held is not None else [])]
