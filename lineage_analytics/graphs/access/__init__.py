"""Access lineage: who holds what, through which grants, each edge with its reason.

Nodes are the identities, groups, roles, policies, credentials, services and tier-0 resources; two sorts are ours:
``aws:<account>:account`` (kind resource, tier 0) stands for control over everybody in an account, and
``aws:<account>:scope:...`` (kind scope) for "all roles this wildcard covers", so that a hundred holders of one wildcard
over a hundred roles make two hundred edges. Passing through a scope is part of a hop, no hop of its own. Reach follows
``may_assume`` and ``controls``, and what is held directly where that is tier 0 itself.

``controls`` means the holder can change another principal's permissions or credentials by an IAM action of
``permissions/data/control_actions.csv``. A role handed to a service that runs code (iam:PassRole) is one its holder may
assume (``permissions/data/escalations.csv``). Of resources' own policies only trust policies are followed.
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
    from collections.abc import Sequence

    import networkx as nx

    from lineage_analytics.facts import Facts

PATHS = pl.Schema([("principal_id", pl.String), ("hops", pl.Int64), ("state", pl.String), ("path", tables.TEXTS),
                   ("techniques", tables.TEXTS), ("evidence", tables.TEXTS), ("record_ids", tables.TEXTS)])
BLAST = pl.Schema([("node_id", pl.String), ("kind", pl.String), ("label", pl.String), ("tier0", pl.Boolean),
                   ("hops", pl.Int64), ("state", pl.String)])


EXPOSURE = pl.Schema([("principal_id", pl.String), ("kind", pl.String), ("exposed", pl.Boolean), ("hops", pl.Int64)])
RADII = pl.Schema([("principal_id", pl.String), ("kind", pl.String), ("reached", pl.Int64), ("weight", pl.Float64),
                   ("share", pl.Float64), ("tier0_reached", pl.Boolean), ("share_with_conditional", pl.Float64)])
CHOKES = pl.Schema([("rank", pl.Int64), ("src", pl.String), ("dst", pl.String), ("src_label", pl.String),
                    ("dst_label", pl.String), ("technique", pl.String), ("reason", pl.String), ("removed", pl.Int64),
                    ("remaining", pl.Int64), ("cumulative_share", pl.Float64), ("record_ids", tables.TEXTS)])


@dataclass(frozen=True)
class CutSize:
    """``entry_edges``: distinct edges by which somebody outside enters tier 0; ``cut_size``: the fewest grants whose
    removal leaves nobody a way, null where none does; ``median_hops`` and ``min_hops`` of the shortest ways, null where
    there is none."""

    entry_edges: int
    cut_size: int | None
    median_hops: float | None
    min_hops: int | None


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

    def paths(self, to: str | Sequence[str] = "tier0") -> pl.DataFrame:
        """The shortest way of each principal to a target, proved ways before conditional ones.

        Parameters
        ----------
        to : ``tier0`` for the nearest tier-0 node, or the id or label of one node, or several: the nearest of them.

        Returns
        -------
        frame : ``principal_id``; ``hops`` (0: is itself a target); ``state`` proved or conditional; ``path`` (node
            ids); ``techniques`` (words, one per hop); ``evidence`` (reasons, one per edge); ``record_ids``. Nearest
            first; of a way longer than 50 hops the first 50. Principals are identities, roles and accounts not loaded,
            as far as they have a path.

        Raises
        ------
        UsageError : no such node.
        """
        targets = None if to == "tier0" else [self.node(name) for name in ([to] if isinstance(to, str) else to)]
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
        found = self.reach.blast(self.node(principal_id))
        return pl.DataFrame(found, schema=BLAST, orient="row").sort("hops", "node_id")

    def blast_radii(self, hops: int = 4) -> pl.DataFrame:
        """How much each principal reaches within so many hops (PRV-13).

        Returns
        -------
        frame : ``principal_id kind``; ``reached``, nodes over proved edges; ``weight``, the sum of their criticality;
            ``share`` of the weight of everything besides itself, 0 to 1; ``tier0_reached``; ``share_with_conditional``,
            the share if every condition holds. Largest share first.
        """
        return pl.DataFrame(self.reach.radii(hops), schema=RADII, orient="row").sort(
            "share", "share_with_conditional", "principal_id", descending=[True, True, False])

    def exposure(self) -> pl.DataFrame:
        """Per principal outside tier 0, whether it has a way in (PRV-09). Who holds a tier-0 role, or may activate it,
        or is a member of a tier-0 group is inside.

        Returns
        -------
        frame : ``principal_id kind``; ``exposed``, null where only a conditional way leads there, false where no
            way is known (of whom nothing is listed, ``permissions.granted`` is null); ``hops`` of the shortest way,
            null where there is none.
        """
        return pl.DataFrame(self.reach.exposure(), schema=EXPOSURE, orient="row").sort("principal_id")

    def choke_points(self, top: int = 10) -> pl.DataFrame:
        """What to cut first: the proved edges, one after another, each the one whose removal leaves fewest principals
        outside tier 0 a way in (PRV-11).

        Returns
        -------
        frame : ``rank``; ``src dst src_label dst_label technique reason`` of the edge; ``removed``, the exposed
            principals it closes; ``remaining`` after it; ``cumulative_share`` closed so far, 0 to 1; ``record_ids``.
            Where everybody has two ways, an edge that closes nobody may come first: the one that most have on their
            shortest way, so that the next one can.
        """
        return pl.DataFrame(self.reach.chokes(top), schema=CHOKES, orient="row").sort("rank")

    def cut_size(self) -> CutSize:
        """How many proved ways in there are, counted in edges, and how many cuts would close them all (PRV-10)."""
        return CutSize(*self.reach.cut_size())

    def node(self, name: str) -> str:
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
