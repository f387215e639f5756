"""How much each of many sources reaches: 64 of them in one machine word, a bit each.

Without a limit of hops, nodes that reach each other are one first (strongly connected components, scipy), so that
cycles cost nothing; the words then run down the acyclic rest once. With a limit they run over the edges level by level.
Only what some source reaches is looked at.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from lineage_analytics.graphs.reach import Graph, search

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lineage_analytics.graphs.reach import Flags, Ints

Words = npt.NDArray[np.uint64]
Floats = npt.NDArray[np.float64]
_BITS = 64
_BLOCK = 1 << 15  # nodes whose bits are spread out at a time: 16 MB


@dataclass(frozen=True)
class Spread:
    """Per source: how many nodes it reaches, itself not counted, and the sums of the columns of ``weights`` over them,
    one column each."""

    reached: npt.NDArray[np.int64]
    sums: Floats


def spread(
    graph: Graph, sources: Ints, weights: Floats, *, hops: int | None = None, free: Flags | None = None,
) -> Spread:
    """What each source reaches.

    Parameters
    ----------
    weights : one row a node, one column a sum.
    hops : at most so many; null: no limit.
    free : nodes that cost no hop to enter and are not counted; no two of them may be neighbours.
    """
    reached = np.zeros(len(sources), dtype=np.int64)
    sums = np.zeros((len(sources), weights.shape[1]))
    counted = np.ones(graph.nodes) if free is None else (~free).astype(np.float64)
    columns = np.column_stack((counted, weights * counted[:, None]))
    condensed = Condensed.of(graph, sources, columns) if hops is None and len(sources) else None
    for start in range(0, len(sources), _BITS):
        batch = sources[start:start + _BITS]
        found = (condensed.sums(batch) if condensed is not None else
                 _limited(graph, batch, columns, hops or 0, free))
        found -= columns[batch]
        reached[start:start + _BITS] = found[:, 0].round().astype(np.int64)
        sums[start:start + _BITS] = found[:, 1:]
    return Spread(reached, sums)


def _seeds(nodes: int, batch: Ints) -> Words:
    words = np.zeros(nodes, dtype=np.uint64)
    np.bitwise_or.at(words, batch, np.uint64(1) << np.arange(len(batch), dtype=np.uint64))
    return words


def _summed(words: Words, columns: Floats, count: int) -> Floats:
    """Per bit the sums of the columns over the nodes that have it."""
    kept = np.flatnonzero(words)
    found = np.zeros((count, columns.shape[1]))
    for first in range(0, len(kept), _BLOCK):
        some = kept[first:first + _BLOCK]
        bits = np.unpackbits(words[some].astype("<u8").view(np.uint8).reshape(-1, 8), axis=1, bitorder="little")
        found += bits[:, :count].astype(np.float64).T @ columns[some]
    return found


def _limited(graph: Graph, batch: Ints, columns: Floats, hops: int, free: Flags | None) -> Floats:
    words = _seeds(graph.nodes, batch)
    frontier = np.unique(batch)
    fresh = words.copy()
    for _ in range(hops):
        if not len(frontier):
            break
        came = _pushed(graph, frontier, fresh)
        if free is not None:
            through = np.flatnonzero(free & ((came & ~words) != 0)).astype(np.int32)
            if len(through):
                came |= _pushed(graph, through, came & ~words)
        fresh = came & ~words
        words |= fresh
        frontier = np.flatnonzero(fresh).astype(np.int32)
    return _summed(words, columns, len(batch))


def _pushed(graph: Graph, frontier: Ints, words: Words) -> Words:
    """The words of the frontier at the far ends of the edges that leave it."""
    came = np.zeros(graph.nodes, dtype=np.uint64)
    edges = graph.forward.leaving(frontier)
    np.bitwise_or.at(came, graph.dst[edges], words[graph.src[edges]])
    return came


@dataclass(frozen=True)
class Condensed:
    """What a set of sources reaches, as components: ``label`` is the component of each node (-1: not reached),
    ``columns`` the sums over each component's nodes, ``down`` the edges between them in batches, each edge after all
    that lead to its tail."""

    label: Ints
    columns: Floats
    down: list[tuple[Ints, Ints]]

    @staticmethod
    def of(graph: Graph, sources: Ints, columns: Floats) -> Condensed:
        inside = search(graph.forward, sources).hops >= 0
        part = np.flatnonzero(inside)
        number = np.full(graph.nodes, -1, dtype=np.int64)
        number[part] = np.arange(len(part))
        edges = inside[graph.src] & inside[graph.dst]
        src, dst = number[graph.src[edges]], number[graph.dst[edges]]
        count, found = components(src, dst, len(part))
        label = np.full(graph.nodes, -1, dtype=np.int32)
        label[part] = found
        crossing = found[src] != found[dst]
        totals = [np.bincount(found, values, minlength=count) for values in columns[part].T]
        sums = np.column_stack(totals).astype(np.float64)
        return Condensed(label, sums, list(_downwards(found[src[crossing]], found[dst[crossing]], count)))

    def sums(self, batch: Ints) -> Floats:
        """Per source of the batch the sums of the columns over what it reaches."""
        words = np.zeros(len(self.columns), dtype=np.uint64)
        np.bitwise_or.at(words, self.label[batch], np.uint64(1) << np.arange(len(batch), dtype=np.uint64))
        for tails, heads in self.down:
            np.bitwise_or.at(words, heads, words[tails])
        return _summed(words, self.columns, len(batch))


def components(src: npt.NDArray[np.int64], dst: npt.NDArray[np.int64], nodes: int) -> tuple[int, npt.NDArray[np.int32]]:
    """Number of strongly connected components, and the component of each node."""
    from scipy.sparse import coo_array  # noqa: PLC0415  (slow to import, and few callers need it)
    from scipy.sparse.csgraph import connected_components  # noqa: PLC0415

    matrix = coo_array((np.ones(len(src), dtype=np.int8), (src, dst)), shape=(nodes, nodes)).tocsr()
    count, label = connected_components(matrix, directed=True, connection="strong")
    return int(count), label


def _downwards(tails: npt.NDArray[np.int32], heads: npt.NDArray[np.int32], count: int) -> Iterator[tuple[Ints, Ints]]:
    """The edges of an acyclic graph in batches, each edge after all that lead to its tail."""
    graph = Graph.of(tails.astype(np.int32), heads.astype(np.int32), count)
    waiting = np.bincount(graph.dst, minlength=count)
    ready = np.flatnonzero(waiting == 0).astype(np.int32)
    while len(ready):
        edges = graph.forward.leaving(ready)
        far = graph.dst[edges]
        yield graph.src[edges], far
        np.subtract.at(waiting, far, 1)
        far = np.unique(far)
        ready = far[waiting[far] == 0]
