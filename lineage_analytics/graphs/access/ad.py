"""Edges of Active Directory as SharpHound states them: memberships, and rights where ``ad_rights.csv`` follows them.

GetChanges and GetChangesAll over one domain are control of it only together, also through different groups. Ways over
trusts and certificate templates are not followed yet: a missing edge there does not say that there is no way.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import polars as pl

from lineage_analytics.errors import ConfigurationError
from lineage_analytics.graphs.access.tier0 import is_tier0
from lineage_analytics.permissions.aws.principals import native
from lineage_analytics.permissions.datafiles import rows
from lineage_analytics.permissions.memberships import in_force
from lineage_analytics.tables import EDGES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from lineage_analytics.graphs.access.parts import Builder
    from lineage_analytics.tables import Facts

SOURCE = "ad_sharphound"
HEADER = ("right", "followed", "rel", "state", "technique", "needs")


class Right(NamedTuple):
    """What a right over an object gives; ``needs`` is empty when nothing more has to hold."""

    rel: str
    proved: bool
    followed: bool
    technique: str
    needs: str


@lru_cache(maxsize=1)
def rights() -> Mapping[str, Right]:
    """The data file by right; ConfigurationError for a relation or state that is none."""
    closed = {column.name: column.values for column in EDGES.columns}
    found = {}
    for row in rows("ad_rights", HEADER, room="graphs"):
        if row["rel"] not in closed["rel"] or row["state"] not in closed["state"]:
            raise ConfigurationError(f"Wanted a relation and a state of the access graph for {row['right']}",
                                     f"found {row['rel']} and {row['state']}", "mend ad_rights.csv")
        found[row["right"]] = Right(row["rel"], row["state"] == "proved", row["followed"] == "yes", row["technique"],
                                    row["needs"])
    return found


def edges(facts: Facts, build: Builder) -> None:
    """Memberships and rights of SharpHound; groups and domains that are tier 0 by their SID."""
    held = facts.frame("entitlements").filter(
        (pl.col("source") == SOURCE) & (pl.col("effect").fill_null("allow") == "allow") & in_force(facts),
    ).select("principal_id", "grant_kind", "privilege", "scope", "condition", "record_id").drop_nulls(
        ["principal_id", "scope"]).sort(pl.all(), nulls_last=True)
    if held.is_empty():
        return
    _objects(facts, build)
    members: dict[str, set[str]] = {}
    replicates: dict[tuple[str, str], dict[str, str]] = {}
    for src, kind, right, dst, condition, record in held.iter_rows():
        if kind == "membership":
            build.edge(src, "member_of", dst, f"is a member of {native(dst)[1]}", [record], proved=not condition,
                       followed=True)
            if not condition:
                members.setdefault(dst, set()).add(src)
        elif right in {"GetChanges", "GetChangesAll"}:
            replicates.setdefault((dst, right), {})[src] = record or ""
        elif right in rights():
            _right(build, src, right, dst, record, conditional=bool(condition))
    _replication(build, members, replicates)
    for node in {end for row in held.select("principal_id", "scope").iter_rows() for end in row}:
        if is_tier0("ad", "group", native(node)[1]):
            build.tier0(node)


def _objects(facts: Facts, build: Builder) -> None:
    found = facts.frame("resources").filter(pl.col("source") == SOURCE).select("id", "kind", "display_name", "tenant")
    for identity, kind, label, tenant in found.sort(pl.all()).iter_rows():
        build.node(identity, "resource", label, tenant, "ad")
        if kind == "domain":
            build.tier0(identity)


def _right(build: Builder, src: str, name: str, dst: str, record: str | None, *, conditional: bool) -> None:
    right = rights()[name]
    needs = f"; it takes {right.needs}" if right.needs else ""
    build.edge(src, right.rel, dst, f"{name} over {native(dst)[1]}{needs}", [record],
               proved=right.proved and not conditional, technique=right.technique, followed=right.followed)


def _replication(build: Builder, members: Mapping[str, set[str]],
                 replicates: Mapping[tuple[str, str], Mapping[str, str]]) -> None:
    for domain in sorted({domain for domain, _ in replicates}):
        one, other = replicates.get((domain, "GetChanges"), {}), replicates.get((domain, "GetChangesAll"), {})
        for src in sorted(_within(members, one) & _within(members, other)):
            build.edge(src, "controls", domain, f"GetChanges and GetChangesAll over {native(domain)[1]}",
                       {*one.values(), *other.values()}, technique="replicate its password hashes")


def _within(members: Mapping[str, set[str]], holders: Iterable[str]) -> set[str]:
    """The holders and all who are members of one, at any depth."""
    found, waiting = set(holders), list(holders)
    while waiting:
        fresh = members.get(waiting.pop(), set()) - found
        found |= fresh
        waiting.extend(fresh)
    return found
