"""Edges of GitHub: roles over repositories and organisations; who pushed to what; owners over all repositories.

Whoever can push to a repository writes its workflows, and so acts as what trusts them. Who can is stated in part only:
a push the log shows proves that its actor could then, and is a condition now.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from lineage_analytics.graphs.access.role_control import role_edges
from lineage_analytics.graphs.access.workflows import repositories
from lineage_analytics.permissions.github import PROVIDER, book

if TYPE_CHECKING:
    from lineage_analytics.facts import Facts
    from lineage_analytics.graphs.access.parts import Builder


def edges(facts: Facts, build: Builder) -> None:
    """Who controls which repository."""
    role_edges(facts, build, book(facts))
    for name, ids in repositories(facts).items():
        for repository in ids:
            if repository.startswith(f"{PROVIDER}:"):
                build.node(repository, "resource", f"repository {name}")
                owner = f"{PROVIDER}:{repository.split(':', 2)[1]}:org"
                if build.has(owner):
                    build.edge(owner, "controls", repository, "it is a repository of the organisation",
                               technique="change its settings and who may push to it")
    _pushes(facts, build)


def _pushes(facts: Facts, build: Builder) -> None:
    rows = facts["activity"].filter(
        (pl.col("provider") == PROVIDER) & (pl.col("action") == "git.push") & (pl.col("outcome") == "success")
        & (pl.col("time") <= facts.as_of)
    ).select("actor_id", "resource_id", "time", "record_id").drop_nulls(["actor_id", "resource_id"]).sort(
        "time", "record_id").group_by("actor_id", "resource_id").agg(
        pl.col("time").last(), pl.col("record_id").last()).sort("actor_id", "resource_id").collect()
    for actor, repository, time, record in rows.iter_rows():
        if repository.split(":", 2)[-1].startswith("repo/"):
            build.node(repository, "resource")
            build.edge(actor, "controls", repository, f"pushed to it on {time:%Y-%m-%d}; whether it still may is not "
                       "loaded", [record], proved=False, technique="push a workflow to it")
