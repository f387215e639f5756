"""Which cut helps most: edges that some can only reach the targets by.

A search tree backwards from all targets at once, under one root, has dominators: the nodes every way of a node passes
(rustworkx). An edge is a bridge when all that lies behind its near end can come only by it: removing it cuts off
exactly those. Counts are of nodes cut off, never of ways, whose number explodes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from lineage_analytics.graphs.reach import Graph, search

if TYPE_CHECKING:
    from lineage_analytics.graphs.reach import Flags, Ints

Counts = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Dominators:
    """Of the nodes that reach a target: ``parent``, the next node every way of it passes (-1: none, it has its own ways
    to the targets), and ``behind``, how many counted nodes come only by it, itself included."""

    parent: Ints
    behind: Counts
    enter: Counts
    leave: Counts
    reaches: Flags


def dominators(graph: Graph, targets: Ints, counted: Flags) -> Dominators:
    """Dominators of everything that reaches a target, towards the targets."""
    import rustworkx as rx  # noqa: PLC0415  (slow to import, and few callers need it)

    reaches = search(graph.backward, targets).hops >= 0
    part = np.flatnonzero(reaches)
    number = np.full(graph.nodes, -1, dtype=np.int64)
    number[part] = np.arange(len(part))
    kept = reaches[graph.src] & reaches[graph.dst]
    root = len(part)
    tree = rx.PyDiGraph(multigraph=True)
    tree.add_nodes_from([None] * (root + 1))
    tails = np.concatenate((np.full(len(targets), root), number[graph.dst[kept]]))
    heads = np.concatenate((number[targets], number[graph.src[kept]]))
    tree.extend_from_edge_list(list(zip(tails.tolist(), heads.tolist(), strict=True)))
    above = rx.immediate_dominators(tree, root)
    parent = np.full(root + 1, root, dtype=np.int64)
    parent[np.fromiter(above.keys(), np.int64, len(above))] = np.fromiter(above.values(), np.int64, len(above))
    sizes, enter, leave = _tour(parent, root, np.append(counted[part], False))
    whole = [np.full(graph.nodes, -1, dtype=np.int64) for _ in range(3)]
    for values, found in zip(whole, (sizes, enter, leave), strict=True):
        values[part] = found[:root]
    far = np.full(graph.nodes, -1, dtype=np.int32)
    inner = parent[:root] != root
    far[part[inner]] = part[parent[:root][inner]]
    return Dominators(far, np.maximum(whole[0], 0), whole[1], whole[2], reaches)


def _tour(parent: Counts, root: int, counted: Flags) -> tuple[Counts, Counts, Counts]:
    """Of the tree of dominators: counted nodes in each subtree, and the interval each takes in a walk of the tree."""
    depth, order = _depths(parent, root)
    sizes, nodes = counted.astype(np.int64), np.ones(len(parent), dtype=np.int64)
    levels = np.split(order, np.flatnonzero(np.diff(depth[order])) + 1)
    for level in reversed(levels[1:]):
        np.add.at(sizes, parent[level], sizes[level])
        np.add.at(nodes, parent[level], nodes[level])
    enter = np.zeros(len(parent), dtype=np.int64)
    for level in levels[1:]:
        sorted_level = level[np.argsort(parent[level], kind="stable")]
        above = parent[sorted_level]
        before = np.cumsum(nodes[sorted_level]) - nodes[sorted_level]
        first = np.concatenate(([True], above[1:] != above[:-1]))
        enter[sorted_level] = enter[above] + 1 + before - before[np.maximum.accumulate(
            np.where(first, np.arange(len(above)), 0))]
    return sizes, enter, enter + nodes


def _depths(parent: Counts, root: int) -> tuple[Counts, Counts]:
    """Depth of each node below the root, by doubling the step towards it, and the nodes in order of depth."""
    depth = (np.arange(len(parent)) != root).astype(np.int64)
    far = parent.copy()
    while (far != root).any():
        depth += depth[far]
        far = far[far]
    return depth, np.argsort(depth, kind="stable")


def bridges(graph: Graph, targets: Ints, counted: Flags) -> Counts:
    """Per edge, how many counted nodes reach no target once it alone is removed."""
    found = dominators(graph, targets, counted)
    near, far = graph.src, graph.dst
    inside = found.reaches[near] & found.reaches[far]
    # An edge from behind its own near end is none by which anybody comes.
    loops = inside & (found.enter[near] <= found.enter[far]) & (found.enter[far] < found.leave[near])
    ways = np.bincount(near[inside & ~loops], minlength=graph.nodes)
    ways[targets] += 1
    cuts = inside & ~loops & (ways[near] == 1)
    return np.where(cuts, found.behind[near], 0)


@dataclass(frozen=True)
class Cut:
    """One step of a greedy series: the edges removed together, how many counted nodes that cut off, and how many are
    left."""

    edges: Ints
    removed: int
    remaining: int


def greedy(graph: Graph, targets: Ints, counted: Flags, groups: Ints, top: int) -> list[Cut]:
    """The ``top`` cuts one after another, each the one that leaves fewest, recomputed after each.

    ``groups`` gives each edge the thing that is cut when it is (a grant that makes several edges): edges of one number
    go together, and those of -1 cannot be cut. Of equal cuts the lowest number counts. Where no cut alone takes anybody
    off, since everybody has another way, the one that the most nodes have on their shortest way is cut, so that the
    next one may.
    """
    left = np.ones(len(graph.src), dtype=bool)
    made: list[Cut] = []
    exposed = _exposed(graph, targets, counted)
    while len(made) < top and exposed:
        kept = np.flatnonzero(left)
        part = Graph(graph.nodes, graph.src[kept], graph.dst[kept])
        group = _best(part, targets, counted, groups[kept])
        if group is None:
            break
        gone = np.flatnonzero(left & (groups == group)).astype(np.int32)
        left[gone] = False
        now = _exposed(Graph(graph.nodes, graph.src[left], graph.dst[left]), targets, counted)
        made.append(Cut(gone, exposed - now, now))
        exposed = now
    return made


def _exposed(graph: Graph, targets: Ints, counted: Flags) -> int:
    return int((counted & (search(graph.backward, targets).hops >= 0)).sum())


def _best(graph: Graph, targets: Ints, counted: Flags, groups: Ints) -> int | None:
    """The group to cut next; None: none can be."""
    yields = _together(graph, targets, counted, groups)
    if yields.max(initial=0) == 0:
        yields = _shortest(graph, targets, counted, groups)
    return int(yields.argmax()) if yields.max(initial=0) > 0 else None


def _together(graph: Graph, targets: Ints, counted: Flags, groups: Ints) -> Counts:
    """Per group, how many its removal cuts off: of groups of one edge by bridges, of the others by trying."""
    size = int(groups.max(initial=-1)) + 1
    single = bridges(graph, targets, counted)
    found = np.zeros(size, dtype=np.int64)
    allowed = groups >= 0
    np.maximum.at(found, groups[allowed], single[allowed])
    many = np.flatnonzero(np.bincount(groups[allowed], minlength=size) > 1)
    before = _exposed(graph, targets, counted)
    for group in many:
        left = groups != group
        found[group] = before - _exposed(Graph(graph.nodes, graph.src[left], graph.dst[left]), targets, counted)
    return found


def _shortest(graph: Graph, targets: Ints, counted: Flags, groups: Ints) -> Counts:
    """Per group, how many counted nodes have one of its edges on their shortest way."""
    reached = search(graph.backward, targets)
    order = np.argsort(reached.hops, kind="stable")[::-1]
    passing = counted.astype(np.int64)
    for node in order[reached.by[order] >= 0]:
        passing[graph.dst[reached.by[node]]] += passing[node]
    found = np.zeros(int(groups.max(initial=-1)) + 1, dtype=np.int64)
    nodes = np.flatnonzero(reached.by >= 0)
    nodes = nodes[groups[reached.by[nodes]] >= 0]
    np.add.at(found, groups[reached.by[nodes]], passing[nodes])
    return found


def smallest_cut(graph: Graph, sources: Flags, targets: Ints, fixed: Flags | None = None) -> int | None:
    """The fewest edges whose removal leaves no source a way to a target (maximum flow, each edge once).

    Edges with ``fixed`` set cannot be removed; None: then no cut leaves nobody a way.
    """
    from scipy.sparse import coo_array  # noqa: PLC0415
    from scipy.sparse.csgraph import maximum_flow  # noqa: PLC0415

    starts = np.flatnonzero(sources)
    if not len(starts) or not len(targets):
        return 0
    first, last, plenty = graph.nodes, graph.nodes + 1, len(graph.src) + 1
    src = np.concatenate((graph.src, np.full(len(starts), first), targets))
    dst = np.concatenate((graph.dst, starts, np.full(len(targets), last)))
    each = np.ones(len(graph.src)) if fixed is None else np.where(fixed, plenty, 1)
    room = np.concatenate((each, np.full(len(starts) + len(targets), plenty))).astype(np.int32)
    matrix = coo_array((room, (src, dst)), shape=(graph.nodes + 2, graph.nodes + 2)).tocsr()
    matrix.sum_duplicates()
    found = int(maximum_flow(matrix, first, last).flow_value)
    return found if found < plenty else None
