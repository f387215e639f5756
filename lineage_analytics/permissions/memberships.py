"""Who is in which group, through any nesting: cycles and depth cost nothing but their edges."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from lineage_analytics.facts import Facts

_MOST = 1_000_000


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
        self._kept = 0
        self._doubts = any(step.conditional for steps in direct.values() for step in steps)

    def above(self, principal: str) -> dict[str, Step]:
        """Every group the principal is in, each with the last step towards it: those it is surely in first, by sure
        steps only, nearest first."""
        if principal not in self._above:
            found: dict[str, Step] = {}
            for sure in (True, False) if self._doubts else (True,):
                level = [principal, *found]
                while level:
                    steps = [step for member in level for step in self._direct.get(member, ())]
                    level = []
                    for step in steps:
                        if not (sure and step.conditional) and step.group not in found and step.group != principal:
                            found[step.group] = step
                            level.append(step.group)
            # Of deep nesting everybody's groups together are the square of its depth: only the last asked are kept.
            self._kept += len(found)
            if self._kept > _MOST:
                self._above.clear()
                self._kept = len(found)
            self._above[principal] = found
        return self._above[principal]

    def steps(self) -> Iterator[Step]:
        """Every direct membership, in order of the member."""
        for member in sorted(self._direct):
            yield from self._direct[member]

    def joined(self, more: Mapping[str, list[Step]]) -> Memberships:
        """These memberships and more besides, such as another directory states of the same groups."""
        return Memberships({member: [*self._direct.get(member, ()), *more.get(member, ())]
                            for member in (*self._direct, *more)})

    def chain(self, principal: str, group: str) -> list[Step]:
        """The steps from the principal to one of its groups, in that order; none for the principal itself."""
        found: list[Step] = []
        above = self.above(principal)
        while group != principal:
            found.append(above[group])
            group = above[group].member
        return found[::-1]


def memberships(facts: Facts, providers: Iterable[str], *, eligible: bool = False) -> Memberships:
    """Memberships in force at as_of that records of these providers state: pending and expired ones are not, eligible
    ones only where asked for; one under a condition or still to be activated counts and says so."""
    states = ["standing", "timebound", "activated", *(["eligible"] if eligible else [])]
    rows = facts.frame("entitlements").filter(
        (pl.col("grant_kind") == "membership") & pl.col("provider").is_in(list(providers))
        & (pl.col("effect").fill_null("allow") == "allow")
        & pl.col("state").fill_null("standing").is_in(states) & in_force(facts)
        & ~pl.col("record_id").fill_null("").is_in(taken_back(facts))
    ).select("principal_id", "scope", "record_id",
             pl.col("condition").is_not_null() | (pl.col("state") == "eligible").fill_null(value=False)).drop_nulls(
        ["principal_id", "scope"]).unique().sort("principal_id", "scope", "condition", "record_id")
    direct: dict[str, list[Step]] = defaultdict(list)
    for member, group, record, conditional in rows.iter_rows():
        direct[member].append(Step(group, member, record or "", conditional))
    return Memberships(direct)


def in_force(facts: Facts) -> pl.Expr:
    """On entitlements: begun by as_of, as far as a begin is stated, and not ended."""
    return ((pl.col("granted_at").is_null() | (pl.col("granted_at") <= facts.as_of))
            & (pl.col("expires_at").is_null() | (pl.col("expires_at") > facts.as_of)))


def taken_back(facts: Facts) -> list[str]:
    """Records of grants that a later record revokes: ``revoke(x)`` after ``grant(x)``."""
    if "taken_back" not in facts.parts:
        steps = facts["decision_steps"].filter(
            pl.col("effect_key").is_not_null() & (pl.col("time") <= facts.as_of)
            & (pl.col("status").fill_null("succeeded") == "succeeded")
        ).select("record_id", "time", pl.col("effect_key").str.extract_groups(r"^(?<verb>grant|revoke)(?<of>\(.*)$")
                 .alias("effect")).unnest("effect").drop_nulls(["verb", "of"]).collect()
        ends = steps.filter(pl.col("verb") == "revoke").group_by("of").agg(until=pl.col("time").max())
        given = steps.filter(pl.col("verb") == "grant").join(ends, on="of").filter(pl.col("until") > pl.col("time"))
        facts.parts["taken_back"] = given["record_id"].unique().drop_nulls().sort().to_list()
    return cast("list[str]", facts.parts["taken_back"])
