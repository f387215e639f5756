"""Reach beside networkx: ``python -m tests.bench.bench_reach [--rounds N] [--scale S] [--json F]``.

Three questions, each from the same table of edges with ids like those of AWS: who reaches tier 0 (1,000,000 edges), how
much each of 200 principals reaches in a graph with large cycles (500,000), and how many come only by each edge
(500,000). networkx answers the last with a node in the middle of every edge and the dominators of the reversed graph.
The sides take turns, their answers are compared (a column of ids here, a set there), CPU of the process is measured.
Exit 1 when a target is missed.
"""

# ruff: noqa: T201  (a command: its results are printed)
from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import networkx as nx
import numpy as np
import polars as pl

from lineage_analytics.graphs.chokes import bridges
from lineage_analytics.graphs.reach import Graph, Ints, search
from lineage_analytics.graphs.spread import spread

if TYPE_CHECKING:
    from collections.abc import Callable

ROUNDS, FASTER, BYTES = 5, 20, 16
SOURCES, TARGETS = 200, 3


@dataclass(frozen=True)
class Question:
    """A table of edges, whom it is about, and the two ways to the answer."""

    name: str
    edges: pl.DataFrame
    about: list[str]
    ours: Callable[[pl.DataFrame, list[str]], Any]
    theirs: Callable[[pl.DataFrame, list[str]], Any]


def main() -> int:
    options = _options()
    runs: dict[str, list[dict[str, float]]] = {}
    for question in _questions(options.scale):
        for _ in range(options.rounds):
            ours, spent = _timed(question.ours, question)
            theirs, longer = _timed(question.theirs, question)
            if (set(ours) if isinstance(theirs, set) else ours) != theirs:
                print(f"{question.name}: the sides disagree, nothing is compared.")
                return 1
            runs.setdefault(question.name, []).append({"ours": spent, "networkx": longer})
    weight = _bytes_an_edge(options.scale)
    met = weight <= BYTES
    print(f"{'question':<34}{'ours, s':>10}{'networkx, s':>14}{'faster':>10}   at least {FASTER}")
    for name, found in runs.items():
        ours, theirs = (median(run[side] for run in found) for side in ("ours", "networkx"))
        met &= theirs / ours >= FASTER
        print(f"{name:<34}{ours:>10.3f}{theirs:>14.2f}{theirs / ours:>10.1f}")
    print(f"bytes an edge, both directions: {weight:.1f} (at most {BYTES})")
    if options.json:
        Path(options.json).write_text(json.dumps({"bytes_an_edge": weight, "runs": runs}, indent=1))
    return 0 if met else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--scale", type=float, default=1.0, help="of the number of edges")
    parser.add_argument("--json", help="where to keep every run")
    return parser.parse_args()


def _timed(ask: Callable[[pl.DataFrame, list[str]], Any], question: Question) -> tuple[Any, float]:
    before = time.process_time()
    found = ask(question.edges, question.about)
    return found, time.process_time() - before


def _questions(scale: float) -> list[Question]:
    dice = np.random.default_rng(11)
    wide = _table(*_random(dice, int(200_000 * scale), int(1_000_000 * scale)))
    cycles = _table(*_cyclic(dice, int(100_000 * scale), int(500_000 * scale)))
    trees = _table(*_crowned(dice, int(100_000 * scale), int(500_000 * scale)))
    return [
        Question("who reaches tier 0", wide, _some(wide, TARGETS), _who, _who_networkx),
        Question("blast radius of 200, large cycles", cycles, _some(cycles, SOURCES), _radii, _radii_networkx),
        Question("how many come only by each edge", trees, _some(trees, TARGETS), _cuts, _cuts_networkx),
    ]


def _random(dice: np.random.Generator, nodes: int, edges: int) -> tuple[Any, Any]:
    return dice.integers(0, nodes, edges), dice.integers(0, nodes, edges)


def _cyclic(dice: np.random.Generator, nodes: int, edges: int) -> tuple[Any, Any]:
    """Four rings, each a fourth of the nodes, with chords inside them and few edges from one to the next."""
    ring = np.arange(nodes)
    size = nodes // 4
    part = ring // size
    tails = dice.integers(0, nodes, edges - nodes)
    heads = np.minimum(tails // size * size + dice.integers(0, size, len(tails)), nodes - 1)
    bridge = dice.random(len(tails)) < 0.001
    heads[bridge] = np.minimum(heads[bridge] + size, nodes - 1)
    return np.concatenate((ring, tails)), np.concatenate((np.where(part == 4, ring, part * size + (ring + 1) % size), heads))


def _crowned(dice: np.random.Generator, nodes: int, edges: int) -> tuple[Any, Any]:
    """Most edges lead to few nodes, as grants do."""
    return dice.integers(0, nodes, edges), (dice.pareto(1.0, edges) * 20).astype(np.int64) % nodes


def _table(src: Any, dst: Any) -> pl.DataFrame:
    """The edges, each pair once, with ids for numbers."""
    pairs = pl.DataFrame({"src": src, "dst": dst}).unique(maintain_order=True)
    return pairs.select(pl.format("aws:111122223333:AIDA{}", pl.col(end).cast(pl.String).str.zfill(17)).alias(end)
                        for end in ("src", "dst"))


def _some(edges: pl.DataFrame, count: int) -> list[str]:
    found: list[str] = edges["dst"].unique().sort().head(count).to_list()
    return found


def _graph(edges: pl.DataFrame, about: list[str]) -> tuple[Graph, pl.Series, Ints]:
    graph, ids = Graph.of_table(edges)
    return graph, ids, ids.is_in(about).arg_true().to_numpy().astype(np.int32)


def _who(edges: pl.DataFrame, about: list[str]) -> pl.Series:
    graph, ids, targets = _graph(edges, about)
    return ids.filter(pl.Series(search(graph.backward, targets).hops > 0))


def _who_networkx(edges: pl.DataFrame, about: list[str]) -> set[str]:
    graph = nx.DiGraph(edges.iter_rows())
    graph.add_edges_from((target, "tier 0") for target in about)
    found: set[str] = nx.ancestors(graph, "tier 0") - set(about)
    return found


def _radii(edges: pl.DataFrame, about: list[str]) -> dict[str, int]:
    graph, ids, sources = _graph(edges, about)
    found = spread(graph, sources, np.empty((graph.nodes, 0)))
    return dict(zip(ids.gather(sources), found.reached.tolist(), strict=True))


def _radii_networkx(edges: pl.DataFrame, about: list[str]) -> dict[str, int]:
    graph = nx.DiGraph(edges.iter_rows())
    return {source: len(nx.descendants(graph, source)) for source in about}


def _cuts(edges: pl.DataFrame, about: list[str]) -> dict[tuple[str, str], int]:
    graph, ids, targets = _graph(edges, about)
    counted = np.ones(graph.nodes, dtype=bool)
    counted[targets] = False
    found = bridges(graph, targets, counted)
    worth = np.flatnonzero(found)
    ends = zip(ids.gather(graph.src[worth]), ids.gather(graph.dst[worth]), strict=True)
    return dict(zip(ends, found[worth].tolist(), strict=True))


def _cuts_networkx(edges: pl.DataFrame, about: list[str]) -> dict[tuple[str, str], int]:
    graph = nx.DiGraph()
    for edge in edges.iter_rows():
        graph.add_edge(edge[1], edge)
        graph.add_edge(edge, edge[0])
    graph.add_edges_from(("tier 0", target) for target in about)
    above = nx.immediate_dominators(graph, "tier 0")
    depth_first = list(nx.dfs_postorder_nodes(nx.DiGraph(
        (over, node) for node, over in above.items() if over is not None and over != node), "tier 0"))
    behind = {node: int(isinstance(node, str) and node not in about and node != "tier 0") for node in depth_first}
    for node in depth_first[:-1]:
        behind[above[node]] += behind[node]
    return {node: count for node, count in behind.items() if isinstance(node, tuple) and count}


def _bytes_an_edge(scale: float) -> float:
    graph, _ = Graph.of_table(_table(*_random(np.random.default_rng(11), int(200_000 * scale), int(1_000_000 * scale))))
    return graph.nbytes / len(graph.src)


if __name__ == "__main__":
    sys.exit(main())
