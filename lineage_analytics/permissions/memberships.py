"""Who is in which group, through any nesting: cycles and depth cost nothing but their edges."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from lineage_analytics.tables import Facts


@dataclass(frozen=True, slots=True)
class Step:
    """From a member to a group: the group, the member it was reached from, and the record that says so."""

    group: str
    member: str
    record_id: str
    conditional: bool


class Memberships:
    """Direct memberships in force, by member."""

    def __init__(self, direct: Mapping[str, list[Step]]) -> None:
        self._direct = direct
        self._above: dict[str, dict[str, Step]] = {}

    def above(self, principal: str) -> dict[str, Step]:
        """Every group the principal is in, nearest first, each with the last step towards it."""
        if principal not in self._above:
            found: dict[str, Step] = {}
            level = [principal]
            while level:
                steps = [step for member in level for step in self._direct.get(member, ())]
                level = []
                for step in steps:
                    if step.group not in found and step.group != principal:
                        found[step.group] = step
                        level.append(step.group)
            self._above[principal] = found
        return self._above[principal]

    def chain(self, principal: str, group: str) -> list[Step]:
        """The steps from the principal to one of its groups, in that order; none for the principal itself."""
        found: list[Step] = []
        above = self.above(principal)
        while group != principal:
            found.append(above[group])
            group = above[group].member
        return found[::-1]


def memberships(facts: Facts, providers: Iterable[str]) -> Memberships:
    """Memberships in force at as_of that records of these providers state: eligible, pending and expired ones are not;
    one under a condition counts and says so."""
    rows = facts.frame("entitlements").filter(
        (pl.col("grant_kind") == "membership") & pl.col("provider").is_in(list(providers))
        & (pl.col("effect").fill_null("allow") == "allow")
        & pl.col("state").fill_null("standing").is_in(["standing", "timebound", "activated"])
        & in_force(facts)
    ).select("principal_id", "scope", "record_id", pl.col("condition").is_not_null()).drop_nulls(
        ["principal_id", "scope"]).unique().sort("principal_id", "scope", "condition", "record_id")
    direct: dict[str, list[Step]] = defaultdict(list)
    for member, group, record, conditional in rows.iter_rows():
        direct[member].append(Step(group, member, record or "", conditional))
    return Memberships(direct)


def in_force(facts: Facts) -> pl.Expr:
    """On entitlements: begun by as_of, as far as a begin is stated, and not ended."""
    return ((pl.col("granted_at").is_null() | (pl.col("granted_at") <= facts.as_of))
            & (pl.col("expires_at").is_null() | (pl.col("expires_at") > facts.as_of)))
