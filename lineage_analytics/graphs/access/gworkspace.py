"""Edges of Google Workspace: administrator roles, and clients that may act as anybody in the customer account."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import polars as pl

from lineage_analytics.graphs.access.role_control import accounts_of, organisation, part_of, role_edges
from lineage_analytics.permissions.datafiles import rows
from lineage_analytics.permissions.gworkspace import PROVIDER, book
from lineage_analytics.permissions.memberships import in_force, taken_back

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lineage_analytics.facts import Facts
    from lineage_analytics.graphs.access.parts import Builder


class Scope(NamedTuple):
    """What a scope gives a client that may act as anybody."""

    controls: str
    proved: bool
    technique: str


@lru_cache(maxsize=1)
def scopes() -> Mapping[str, Scope]:
    """The data file by scope."""
    found = rows("workspace_scopes", ("scope", "controls", "state", "technique"))
    return {row["scope"]: Scope(row["controls"], row["state"] == "proved", row["technique"]) for row in found}


def edges(facts: Facts, build: Builder) -> None:
    """Who holds which role, which clients act as anybody, and what that controls."""
    role_edges(facts, build, book(facts))
    given = facts.frame("entitlements").filter(
        (pl.col("provider") == PROVIDER) & (pl.col("grant_kind") == "delegated") & in_force(facts)
        & pl.col("via").list.contains("ALL_PRINCIPALS").fill_null(value=False)
        & ~pl.col("record_id").fill_null("").is_in(taken_back(facts))
    ).select("principal_id", "privilege", "record_id").drop_nulls(["principal_id", "privilege"]).unique()
    people = accounts_of(facts, PROVIDER) if given.height else {}
    for client, stated, record in given.sort(pl.all(), nulls_last=True).iter_rows():
        build.node(client, "app")
        customer = client.split(":", 2)[1]
        for scope in (scopes()[one] for one in stated.split() if one in scopes()):
            over = (organisation(build, PROVIDER, customer, people) if scope.controls == "org" else
                    part_of(build, PROVIDER, customer, scope.controls, people))
            build.edge(client, "controls", over, f"{scope.technique}: may act as anybody in the account",
                       [record], proved=scope.proved, technique=scope.technique)
