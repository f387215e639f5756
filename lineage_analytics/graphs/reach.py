"""Who reaches what: breadth-first search over edge arrays.

A graph is two int32 arrays; the rows of each node stand together in a CSR index built by ``argsort`` and ``bincount``.
A search advances a whole level at a time, so its cost is that of the edges it crosses, cycles or not. Answers agree
with networkx (``single_source_shortest_path_length`` on the same or the reversed graph).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int32]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Csr:
    """Neighbours of each node: those of node ``i`` are ``heads[starts[i]:starts[i + 1]]``, by edges ``edges[...]``."""

    starts: npt.NDArray[np.int64]
    heads: Ints
    edges: Ints

    @staticmethod
    def of(tails: Ints, heads: Ints, nodes: int) -> Csr:
        order = np.argsort(tails, kind="stable").astype(np.int32)
        starts = np.zeros(nodes + 1, dtype=np.int64)
        np.cumsum(np.bincount(tails, minlength=nodes), out=starts[1:])
        return Csr(starts, heads[order], order)


@dataclass(frozen=True)
class Reached:
    """Per node: hops to the nearest start (-1: not reached) and the edge it was reached by (-1: a start, or none)."""

    hops: Ints
    by: Ints


def search(graph: Csr, starts: Ints, free: Flags | None = None) -> Reached:
    """Breadth-first search from all ``starts`` at once.

    Of several edges that reach a node in the same level, the one of lowest number counts. To enter a node of ``free``
    costs no hop; no two such nodes may be neighbours.
    """
    count = len(graph.starts) - 1
    hops = np.full(count, -1, dtype=np.int32)
    by = np.full(count, -1, dtype=np.int32)
    frontier = np.unique(starts).astype(np.int32)
    hops[frontier] = 0
    level = 0
    while len(frontier):
        level += 1
        heads, edges = _unseen(graph, frontier, hops)
        if free is not None and free[heads].any():
            passed = free[heads]
            _mark(heads[passed], edges[passed], by)
            hops[heads[passed]] = level - 1
            more_heads, more_edges = _unseen(graph, np.unique(heads[passed]), hops)
            heads = np.concatenate((heads[~passed], more_heads))
            edges = np.concatenate((edges[~passed], more_edges))
        _mark(heads, edges, by)
        frontier = np.unique(heads)
        hops[frontier] = level
    return Reached(hops, by)


def _unseen(graph: Csr, frontier: Ints, hops: Ints) -> tuple[Ints, Ints]:
    heads, edges = _out(graph, frontier)
    fresh = hops[heads] < 0
    return heads[fresh], edges[fresh]


def _mark(heads: Ints, edges: Ints, by: Ints) -> None:
    """Notes for each head the lowest edge that reaches it."""
    order = np.argsort(edges, kind="stable")[::-1]
    by[heads[order]] = edges[order]


def _out(graph: Csr, frontier: Ints) -> tuple[Ints, Ints]:
    """Heads and numbers of all edges that leave the frontier."""
    first = graph.starts[frontier]
    sizes = graph.starts[frontier + 1] - first
    total = int(sizes.sum())
    offsets = np.repeat(first - np.concatenate(([0], np.cumsum(sizes)[:-1])), sizes) if total else first[:0]
    at = offsets + np.arange(total)
    return graph.heads[at], graph.edges[at]


def walk(reached: Reached, towards: Ints, node: int) -> list[int]:
    """Edges from ``node`` back to the start that reached it; ``towards`` gives each edge's end nearer the start."""
    path = []
    while reached.by[node] >= 0:
        edge = int(reached.by[node])
        path.append(edge)
        node = int(towards[edge])
    return path
