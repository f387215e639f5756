"""Access lineage: who holds what, through which grants, each edge with its reason.

Nodes are the identities, groups, roles, policies, credentials, services and tier-0 resources; two sorts are ours:
``aws:<account>:account`` (kind resource, tier 0) stands for control over everybody in an account, and
``aws:<account>:scope:...`` (kind scope) for "all roles this wildcard covers", so that a hundred holders of one wildcard
over a hundred roles make two hundred edges. Passing through a scope is part of a hop, no hop of its own. Reach follows
``may_assume`` and ``controls``, and what is held directly where that is tier 0 itself.

``controls`` means the holder can change another principal's permissions or credentials by an IAM action of
``permissions/data/control_actions.csv``. Passing a role to a service that runs code (iam:PassRole) is not followed yet,
nor are resource policies and organisation policies.
"""

from __future__ import annotations

import html
import importlib
import pkgutil
from dataclasses import dataclass
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any, Protocol, cast

import polars as pl

from lineage_analytics import tables
from lineage_analytics.errors import UsageError, did_you_mean
from lineage_analytics.graphs.access.parts import Builder
from lineage_analytics.graphs.access.reachability import Reachability
from lineage_analytics.permissions.table import permission_table
from lineage_analytics.text import printable

if TYPE_CHECKING:
    import networkx as nx

    from lineage_analytics.tables import Facts

PATHS = pl.Schema([("principal_id", pl.String), ("hops", pl.Int64), ("state", pl.String), ("path", tables.TEXTS),
                   ("techniques", tables.TEXTS), ("evidence", tables.TEXTS), ("record_ids", tables.TEXTS)])
BLAST = pl.Schema([("node_id", pl.String), ("kind", pl.String), ("label", pl.String), ("tier0", pl.Boolean),
                   ("hops", pl.Int64), ("state", pl.String)])


@dataclass(frozen=True)
class AccessLineage:
    """Nodes, edges and per-principal permissions, with the columns of ``tables.NODES EDGES PERMISSIONS``."""

    nodes: pl.DataFrame
    edges: pl.DataFrame
    permissions: pl.DataFrame

    @cached_property
    def reach(self) -> Reachability:
        return Reachability.of(self.nodes, self.edges)

    @cached_property
    def graph(self) -> nx.MultiDiGraph:
        """The whole graph as networkx has it, built when first asked for: node attributes ``kind label tier0``, edge
        attributes ``rel state reason``."""
        import networkx as nx  # noqa: PLC0415  (slow to import, rarely wanted)

        graph = nx.MultiDiGraph()
        graph.add_nodes_from((n["node_id"], n) for n in self.nodes.iter_rows(named=True))
        graph.add_edges_from((e["src"], e["dst"], e["rel"], e) for e in self.edges.iter_rows(named=True))
        return graph

    def paths(self, to: str = "tier0") -> pl.DataFrame:
        """The shortest way of each principal to a target, proved ways before conditional ones.

        Parameters
        ----------
        to : ``tier0`` for the nearest tier-0 node, or the id or label of one node.

        Returns
        -------
        frame : ``principal_id``; ``hops`` (0: is itself a target); ``state`` proved or conditional; ``path`` (node
            ids); ``techniques`` (words, one per hop); ``evidence`` (reasons, one per edge); ``record_ids``. Nearest
            first. Principals are identities, roles and accounts not loaded, as far as they have a path.

        Raises
        ------
        UsageError : no such node.
        """
        targets = None if to == "tier0" else [self._node(to)]
        return pl.DataFrame(self.reach.paths(targets), schema=PATHS, orient="row").sort("hops", "state", "principal_id",
                                                                                   descending=[False, True, False])

    def blast_radius(self, principal_id: str) -> pl.DataFrame:
        """Everything one principal reaches over ``may_assume`` and ``controls``, nearest first.

        Returns
        -------
        frame : ``node_id kind label tier0``; ``hops`` from the principal, which is not listed itself; ``state`` proved
            when some way needs no unevaluated condition, else conditional.

        Raises
        ------
        UsageError : no such node.
        """
        found = self.reach.blast(self._node(principal_id))
        return pl.DataFrame(found, schema=BLAST, orient="row").sort("hops", "node_id")

    def _node(self, name: str) -> str:
        """The node of an id or, when exactly one has it, of a label."""
        if name in self.reach.index:
            return name
        named = self.nodes.filter(pl.col("label") == name)["node_id"].to_list()
        if len(named) == 1:
            return cast("str", named[0])
        found = f"{len(named)} nodes have this label" if named else "there is none of that id or label"
        raise UsageError(f"Wanted one node of the access graph, got {printable(name)}", found,
                         f"use one of the ids {', '.join(map(printable, named[:3]))}" if named else
                         did_you_mean(name, self.nodes["label"].drop_nulls().unique().to_list()[:5000]))

    def __repr__(self) -> str:
        admins = self.permissions["admin_equivalent"]
        known = self.permissions["granted"].is_not_null().sum()
        return (f"AccessLineage: {self.nodes.height:,} nodes, {self.edges.height:,} edges; permissions known for "
                f"{known:,} of {self.permissions.height:,} principals; "
                f"{int(admins.fill_null(value=False).sum()):,} hold or reach tier 0, {admins.null_count():,} unknown")

    def _repr_html_(self) -> str:
        kinds = self.nodes.group_by("kind").len().sort("len", "kind", descending=[True, False]).iter_rows()
        rels = self.edges.group_by("rel").len().sort("len", "rel", descending=[True, False]).iter_rows()
        return (f"<p>{html.escape(repr(self))}</p><p>nodes: {html.escape(_counts(kinds))}<br>"
                f"edges: {html.escape(_counts(rels))}</p>")


def _counts(pairs: Any) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in pairs)


class EdgeBuilder(Protocol):
    """A module of this room that adds what its subject says."""

    def edges(self, facts: Facts, build: Builder) -> None: ...


@cache
def builders() -> list[EdgeBuilder]:
    """Every module of this room that defines ``edges``: a new kind of edge is one new file."""
    found = [importlib.import_module(f"{__name__}.{module.name}") for module in pkgutil.iter_modules(__path__)]
    return [cast("EdgeBuilder", module) for module in found if hasattr(module, "edges")]


def access_lineage(facts: Facts) -> AccessLineage:
    """The access lineage of an estate, computed once and kept in ``facts.parts``.

    Tier 0 is what ``declared/crown_jewels.csv`` names, plus by default identities that hold every action or ``iam:*``
    on every resource without a condition, and what ``graphs/data/tier0.csv`` names.
    ``admin_equivalent`` (PRV-01 c) is true for what is tier 0 or reaches it over proved edges, null when only a
    conditional edge leads there or grants are unknown, else false; ``admin_reason`` holds the statement or path.
    """
    if "access" not in facts.parts:
        build = Builder()
        for module in builders():
            module.edges(facts, build)
        nodes, edges = build.nodes(), build.edges()
        lineage = AccessLineage(nodes, edges, permission_table(facts))
        facts.parts["access"] = AccessLineage(nodes, edges, _with_admin(lineage))
    return cast("AccessLineage", facts.parts["access"])


def _with_admin(lineage: AccessLineage) -> pl.DataFrame:
    """The permission table with who holds or reaches tier 0."""
    answer = lineage.reach.admin()
    known = pl.col("granted").is_not_null()
    ids = lineage.permissions["principal_id"].to_list()
    return lineage.permissions.with_columns(
        pl.Series("_state", [answer[i][0] if i in answer else None for i in ids], dtype=pl.String),
        pl.Series("admin_reason", [answer[i][1] if i in answer else None for i in ids], dtype=pl.String),
    ).with_columns(
        admin_equivalent=pl.when(pl.col("_state") == "proved").then(pl.lit(value=True))
        .when(pl.col("_state").is_null() & known).then(pl.lit(value=False)),
    ).select(tables.PERMISSIONS.schema.names())
