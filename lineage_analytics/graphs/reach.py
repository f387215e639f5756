"""Who reaches what: breadth-first search over edge arrays.

A graph is two int32 columns sorted by target, so that the edges into a node stand together as they are (who reaches
tier 0 is asked backwards); a third int32 column, made when it is needed, lists the edges by source. That is 12 bytes an
edge and 8 a node for both directions. A search advances a whole level at a time, so its cost is that of the edges it
crosses, cycles or not; a level of few edges is crossed without arrays, so that a long chain costs little more. Answers
agree with networkx (``single_source_shortest_path_length`` on the same or the reversed graph).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

Ints = npt.NDArray[np.int32]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Csr:
    """Edges by the node they leave: of node ``i`` those of ``starts[i]`` to ``starts[i + 1]``.

    ``heads`` is where each leads, by edge number where ``order`` is null, else ``order`` lists the edge numbers.
    """

    starts: Ints
    heads: Ints
    order: Ints | None = None

    @staticmethod
    def of(tails: Ints, heads: Ints, nodes: int) -> Csr:
        """Of edges in any order, which keep their numbers."""
        order = np.argsort(tails, kind="stable").astype(np.int32)
        return Csr(_starts(tails, nodes), heads, order)

    def leaving(self, nodes: Ints) -> Ints:
        """Numbers of all edges that leave the nodes."""
        first = self.starts[nodes].astype(np.int64)
        sizes = self.starts[nodes + 1] - first
        total = int(sizes.sum())
        if not total:
            return np.empty(0, dtype=np.int32)
        at = np.repeat(first - np.concatenate(([0], np.cumsum(sizes)[:-1])), sizes) + np.arange(total)
        return (at if self.order is None else self.order[at]).astype(np.int32)


@dataclass(frozen=True)
class Graph:
    """A directed graph over the nodes 0 to ``nodes`` - 1, its edges numbered in order of their target."""

    nodes: int
    src: Ints
    dst: Ints

    @staticmethod
    def of(src: Ints, dst: Ints, nodes: int) -> Graph:
        """Of edges in any order, which are numbered anew."""
        if len(dst) and (np.diff(dst) < 0).any():
            order = np.argsort(dst, kind="stable")
            src, dst = src[order], dst[order]
        return Graph(nodes, src, dst)

    @staticmethod
    def of_table(edges: pl.DataFrame, src: str = "src", dst: str = "dst") -> tuple[Graph, pl.Series]:
        """Of a table of ids, none of them null, in any order; and the ids, each at the number of its node."""
        ends, ids = _numbered(pl.concat([edges[src], edges[dst]]))
        key = np.sort((ends[edges.height:] << 32) | ends[:edges.height])
        return Graph(len(ids), (key & 0xFFFFFFFF).astype(np.int32), (key >> 32).astype(np.int32)), ids

    @cached_property
    def backward(self) -> Csr:
        return Csr(_starts(self.dst, self.nodes), self.src)

    @cached_property
    def forward(self) -> Csr:
        # Sorting source and number as one integer is twice as fast as sorting the numbers by their source.
        key = self.src.astype(np.int64) << 32
        key |= np.arange(len(self.src))
        key.sort()
        return Csr(_starts(self.src, self.nodes), self.dst, key.astype(np.int32))

    @property
    def nbytes(self) -> int:
        """Bytes held for the edges and both directions."""
        parts = (self.src, self.dst, self.forward.starts, self.backward.starts, self.forward.order)
        return sum(part.nbytes for part in parts if part is not None)

    def without(self, edges: Ints | Flags) -> Graph:
        """The graph without the edges of these numbers, or where the flags are set; the rest is numbered anew."""
        return Graph(self.nodes, np.delete(self.src, edges), np.delete(self.dst, edges))


def _numbered(names: pl.Series) -> tuple[npt.NDArray[np.int64], pl.Series]:
    """For each name its number, and the distinct names by number.

    Each row stands for its name by the row that its hash leads to: a fifth of the work of numbering texts. That no two
    names share a hash is checked.
    """
    hashed = names.hash().to_numpy()
    slots = np.uint64((1 << max(len(hashed).bit_length(), 1)) - 1)
    slot = (hashed & slots).astype(np.int64)
    stands = np.empty(int(slots) + 1, dtype=np.int32)
    stands[slot] = np.arange(len(hashed), dtype=np.int32)
    row = stands[slot]
    shared = np.flatnonzero(hashed[row] != hashed)
    row[shared] = _first_of_each(hashed[shared], shared)
    numbers, distinct = _by_row(names, row)
    if not names.equals(distinct.gather(numbers)):
        codes = names.rank("dense").to_numpy()
        numbers, distinct = _by_row(names, _first_of_each(codes, np.arange(len(codes))))
    return numbers, distinct


def _first_of_each(values: npt.NDArray[Any], rows: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """For each value one of the rows that have it."""
    distinct, at = np.unique(values, return_inverse=True)
    first = np.empty(len(distinct), dtype=np.int64)
    first[at] = rows
    return first[at]


def _by_row(names: pl.Series, row: npt.NDArray[np.integer]) -> tuple[npt.NDArray[np.int64], pl.Series]:
    """Numbers of names, each told by the row that stands for it."""
    chosen = np.zeros(len(row), dtype=bool)
    chosen[row] = True
    number = np.cumsum(chosen, dtype=np.int64) - 1
    return number[row], names.gather(np.flatnonzero(chosen))


def _starts(tails: Ints, nodes: int) -> Ints:
    starts = np.zeros(nodes + 1, dtype=np.int32)
    np.cumsum(np.bincount(tails, minlength=nodes), out=starts[1:])
    return starts


@dataclass(frozen=True)
class Reached:
    """Per node: hops to the nearest start (-1: not reached) and the edge it was reached by (-1: a start, or none)."""

    hops: Ints
    by: Ints


_NONE = np.iinfo(np.int32).max
_THIN = 24


def search(graph: Csr, starts: Ints, free: Flags | None = None, limit: int | None = None) -> Reached:
    """Breadth-first search from all ``starts`` at once, over at most ``limit`` hops.

    Of several edges that reach a node in the same level, the one of lowest number counts. To enter a node of ``free``
    costs no hop; no two such nodes may be neighbours.
    """
    count = len(graph.starts) - 1
    hops, by = np.full(count, -1, dtype=np.int32), np.full(count, _NONE, dtype=np.int32)
    place = np.empty(count, dtype=np.int32)
    frontier = np.unique(starts).astype(np.int32)
    hops[frontier] = level = 0
    while len(frontier) and (limit is None or level <= limit):
        if len(frontier) <= _THIN:
            level, frontier = _thin(graph, frontier, hops, by, free, level, limit)
            if not len(frontier):
                break
        level += 1
        edges, heads = _fresh(graph, frontier, hops)
        if free is not None and free[heads].any():
            passed = free[heads]
            through = _mark(edges[passed], heads[passed], by, place)
            hops[through] = level - 1
            more_edges, more_heads = _fresh(graph, through, hops)
            edges = np.concatenate((edges[~passed], more_edges))
            heads = np.concatenate((heads[~passed], more_heads))
        if limit is not None and level > limit:
            break
        frontier = _mark(edges, heads, by, place)
        hops[frontier] = level
    by[by == _NONE] = -1
    return Reached(hops, by)


def _thin(
    graph: Csr, frontier: Ints, hops: Ints, by: Ints, free: Flags | None, level: int, limit: int | None,
) -> tuple[int, Ints]:
    """As many levels as have few edges and meet no free node; the level reached and its frontier."""
    starts, heads, order = graph.starts, graph.heads, graph.order
    nodes: list[int] = frontier.tolist()
    while nodes and (limit is None or level < limit):
        rows = [(int(starts[node]), int(starts[node + 1])) for node in nodes]
        if sum(end - first for first, end in rows) > _THIN:
            break
        edges = sorted(at if order is None else int(order[at]) for first, end in rows for at in range(first, end))
        fresh: dict[int, int] = {}
        for edge in edges:
            head = int(heads[edge])
            if hops[head] < 0:
                fresh.setdefault(head, edge)
        if free is not None and any(free[head] for head in fresh):
            break
        level += 1
        for head, edge in fresh.items():
            hops[head], by[head] = level, edge
        nodes = list(fresh)
    return level, np.array(nodes, dtype=np.int32)


def _fresh(graph: Csr, frontier: Ints, hops: Ints) -> tuple[Ints, Ints]:
    """The edges from the frontier to nodes not reached yet, and those nodes."""
    edges = graph.leaving(frontier)
    heads = graph.heads[edges]
    kept = hops[heads] < 0
    return edges[kept], heads[kept]


def _mark(edges: Ints, heads: Ints, by: Ints, place: Ints) -> Ints:
    """The heads, each once, having noted the lowest edge that reaches each."""
    np.minimum.at(by, heads, edges)
    at = np.arange(len(heads), dtype=np.int32)
    place[heads] = at
    first: Ints = heads[place[heads] == at]
    return first


def walk(reached: Reached, towards: Ints, node: int, longest: int | None = None) -> list[int]:
    """Edges from ``node`` back to the start that reached it, at most the ``longest`` first; ``towards`` gives each
    edge's end nearer the start."""
    path: list[int] = []
    while reached.by[node] >= 0 and (longest is None or len(path) < longest):
        edge = int(reached.by[node])
        path.append(edge)
        node = int(towards[edge])
    return path
