"""The trust policy of a role: who may become it. A resource's policy that no permission of the caller replaces."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from lineage_analytics.permissions.aws.policies import has_condition
from lineage_analytics.permissions.aws.principals import account_of, native
from lineage_analytics.permissions.aws.resource_policies import BY_ACCOUNT, BY_NAME, EVERYBODY

if TYPE_CHECKING:
    from lineage_analytics.facts import Facts
    from lineage_analytics.permissions.aws.principals import Principal


@dataclass(frozen=True, slots=True)
class Trusted:
    """Whom one row of a trust policy names, and what it says of them."""

    principal: str
    allow: bool
    condition: str
    record_id: str

    def names(self, principal: Principal, session: str | None) -> str | None:
        """How it means the principal: BY_NAME, BY_ACCOUNT or EVERYBODY; None: not at all."""
        key = native(self.principal)[1]
        if self.principal == principal.id or key in principal.arns or (session is not None and key == session):
            return BY_NAME
        if key == principal.account or (key.endswith(":root") and account_of(key) == principal.account):
            return BY_ACCOUNT
        return EVERYBODY if key == "*" else None

    def says(self) -> str:
        """The row in words."""
        verb = "names" if self.allow else "denies"
        return f"the role's trust policy {verb} {native(self.principal)[1]}" + (
            f", if {self.condition}" if self.condition else "")


def trust_of(facts: Facts, role: str) -> list[Trusted]:
    """The rows of a role's trust policy that are about becoming it."""
    rows = facts.frame("entitlements").filter(
        (pl.col("provider") == "aws") & (pl.col("grant_kind") == "trust") & (pl.col("scope") == role)
        & (pl.col("privilege").is_null() | pl.col("privilege").str.contains(r"(?i)assumerole|\*"))
    ).select("principal_id", "effect", "condition", "record_id").drop_nulls("principal_id").unique()
    return [Trusted(who, effect != "deny", str(condition) if has_condition(condition) else "", record or "")
            for who, effect, condition, record in rows.sort(pl.all(), nulls_last=True).iter_rows()]
