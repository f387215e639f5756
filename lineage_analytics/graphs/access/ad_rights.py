"""Rights over objects of Active Directory, as records state them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import polars as pl

from lineage_analytics.permissions.memberships import in_force

if TYPE_CHECKING:
    from lineage_analytics.facts import Facts

PROVIDER = "ad"


class Held(NamedTuple):
    """One right as a record states it."""

    holder: str
    right: str
    over: str
    record: str
    condition: str | None


def rights(facts: Facts) -> list[Held]:
    """Rights and ownership in force, each once, in a fixed order."""
    found = facts.frame("entitlements").filter(
        (pl.col("provider") == PROVIDER) & pl.col("grant_kind").is_in(["right", "owner"])
        & (pl.col("effect").fill_null("allow") == "allow") & in_force(facts)
    ).select("principal_id", pl.coalesce("privilege", pl.lit("Owns")), "scope", "record_id", "condition").drop_nulls(
        ["principal_id", "scope"]).unique().sort(pl.all(), nulls_last=True)
    return [Held(holder, right, over, record or "", condition)
            for holder, right, over, record, condition in found.iter_rows() if holder != over]
