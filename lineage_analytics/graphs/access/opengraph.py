"""Edges of BloodHound OpenGraph files: their kinds are followed where ``graphs/data/opengraph_rights.csv`` says so.

A kind that the data file does not know leads nowhere, for what its collector means by it is not known; one that is by
its own word a membership is. That a repository may assume a role is conditional, since the file does not say on which
branch: the trust policy of the role does, where it is loaded. The owners of an organisation are known by the name of
their role and control the node of the organisation.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import polars as pl

from lineage_analytics.errors import ConfigurationError
from lineage_analytics.graphs.access.tier0 import is_tier0
from lineage_analytics.permissions.datafiles import rows
from lineage_analytics.permissions.memberships import in_force
from lineage_analytics.permissions.opengraph import HEADER, SOURCE
from lineage_analytics.tables import EDGES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lineage_analytics.facts import Facts
    from lineage_analytics.graphs.access.parts import Builder


class Right(NamedTuple):
    """What a kind of edge means."""

    rel: str
    proved: bool
    technique: str
    followed: bool = True


_MEMBER = Right("member_of", proved=True, technique="be a member")


@lru_cache(maxsize=1)
def rights() -> Mapping[str, Right]:
    """The data file by kind in lower case; ConfigurationError for a relation or state that is none."""
    closed = {column.name: column.values for column in EDGES.columns}
    found = {}
    for row in rows("opengraph_rights", HEADER, room="graphs"):
        if row["rel"] not in closed["rel"] or row["state"] not in closed["state"]:
            raise ConfigurationError(f"Wanted a relation and a state of the access graph for {row['kind']}",
                                     f"found {row['rel']} and {row['state']}", "mend opengraph_rights.csv")
        found[row["kind"].casefold()] = Right(
            row["rel"], row["state"] == "proved", row["technique"], row["followed"] == "yes")
    return found


def edges(facts: Facts, build: Builder) -> None:
    """Every edge of the files; organisations and their owners as tier 0."""
    _nodes(facts, build)
    held = facts.frame("entitlements").filter((pl.col("source") == SOURCE) & in_force(facts)).select(
        "principal_id", "privilege", "scope", "record_id", "grant_kind").drop_nulls(
        ["principal_id", "privilege", "scope"])
    for src, kind, dst, record, sort in held.unique().sort(pl.all(), nulls_last=True).iter_rows():
        right = rights().get(kind.casefold()) or (_MEMBER if sort == "membership" else None)
        if right is not None and right.followed:
            build.edge(src, right.rel, dst, f"{kind}: {right.technique}", [record], proved=right.proved, followed=True,
                       technique=right.technique)


def _nodes(facts: Facts, build: Builder) -> None:
    """Nodes that are no identities, and tier 0."""
    listed = facts.frame("resources").filter(pl.col("source") == SOURCE).select(
        "id", "kind", "display_name", "tenant").sort(pl.all(), nulls_last=True)
    for identity, kind, label, tenant in listed.iter_rows():
        build.node(identity, "resource", label, tenant, "opengraph")
        if is_tier0("opengraph", "node", kind or ""):
            build.tier0(identity)
    known = set(listed["id"])
    roles = facts.frame("identities").filter((pl.col("provider") == "opengraph") & (pl.col("kind") == "role")).select(
        "id", "subkind", "display_name", "tenant", "record_ids").sort("id")
    for identity, subkind, label, tenant, records in roles.iter_rows():
        if is_tier0("opengraph", "role", label or "") and (subkind or "").casefold().endswith("orgrole"):
            build.tier0(identity)
            organisation = f"opengraph::{tenant}"
            if organisation in known:
                build.edge(identity, "controls", organisation, f"{label} owns the organisation", records or [],
                           technique="change everything in the organisation")
