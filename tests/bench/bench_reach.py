"""Reach beside networkx: ``python -m tests.bench.bench_reach [--rounds N] [--scale S] [--json F]``.

Three questions, each from the same table of edges with ids like those of AWS: who reaches tier 0 (1,000,000 edges), how
much each of 200 principals reaches in a graph with large cycles (500,000), and how many come only by each edge
(500,000). networkx answers the last with a node in the middle of every edge and the dominators of the reversed graph;
the second it answers only once, since that takes minutes. The sides take turns, one thread each, their answers are
compared whole, CPU of the process (user and system) is measured, imports and reading the table left out.
Exit 1 when a target is missed.
"""

# ruff: noqa: T201  (a command: its results are printed)
from __future__ import annotations

import argparse
import ctypes
import gc
import importlib.metadata
import json
import os
import platform
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

os.environ["POLARS_MAX_THREADS"] = "1"  # read when polars is imported

import networkx as nx
import numpy as np
import polars as pl
import psutil

from lineage_analytics.graphs.chokes import bridges
from lineage_analytics.graphs.reach import Graph, Ints, search
from lineage_analytics.graphs.spread import spread

if TYPE_CHECKING:
    from collections.abc import Callable

ROUNDS, FASTER, BYTES = 5, 20, 16
SOURCES, TARGETS = 200, 3
Runs = dict[str, dict[str, list[float]]]


@dataclass(frozen=True)
class Question:
    """A table of edges, whom it is about, and the two ways to the answer; networkx has at most ``turns`` turns."""

    name: str
    edges: pl.DataFrame
    about: list[str]
    ours: Callable[[pl.DataFrame, list[str]], Any]
    theirs: Callable[[pl.DataFrame, list[str]], Any]
    turns: int = ROUNDS


def main() -> int:
    options = _options()
    held, growth = _bytes_an_edge(options.scale)
    runs: Runs = {}
    for question in _questions(options.scale):
        runs[question.name] = {"ours": [], "networkx": []}
        _warm(question)
        for number in range(options.rounds):
            if not _turn(question, runs[question.name], number < max(question.turns, 1)):
                print(f"{question.name}: the sides disagree, nothing is compared.")
                return 1
    met = _print(runs) and max(held, growth) <= BYTES
    print(f"bytes an edge, both directions: {held:.1f} held, {growth:.1f} by which the process grew (at most {BYTES})")
    print(", ".join(f"{name} {version}" for name, version in _versions().items()))
    if options.json:
        report = {"versions": _versions(), "scale": options.scale, "bytes_an_edge": {"held": held, "growth": growth},
                  "cpu_seconds": runs}
        options.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    return 0 if met else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.bench_reach", description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"turns of every side (default {ROUNDS})")
    parser.add_argument("--scale", type=float, default=1.0, help="of the number of edges (default 1)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every single measurement here")
    return parser.parse_args()


def _turn(question: Question, runs: dict[str, list[float]], both: bool) -> bool:
    """One turn of our side, and of the other when it has one; false when they disagree."""
    ours, spent = _timed(question.ours, question)
    runs["ours"].append(spent)
    if not both:
        return True
    theirs, longer = _timed(question.theirs, question)
    runs["networkx"].append(longer)
    return bool((set(ours) if isinstance(theirs, set) else ours) == theirs)


def _warm(question: Question) -> None:
    """What is imported at a first call is imported before the first turn."""
    few = question.edges.head(20)
    for ask in (question.ours, question.theirs):
        ask(few, few["dst"].unique().sort().to_list()[:2])


def _timed(ask: Callable[[pl.DataFrame, list[str]], Any], question: Question) -> tuple[Any, float]:
    gc.collect()
    before = time.process_time()
    found = ask(question.edges, question.about)
    return found, time.process_time() - before


def _print(runs: Runs) -> bool:
    """The table; whether every question meets its target."""
    met = True
    print(f"{'CPU, median (min to max), s':<34}{'ours':>24}{'networkx':>30}{'faster':>9}")
    for name, found in runs.items():
        faster = median(found["networkx"]) / median(found["ours"])
        met &= faster >= FASTER
        cells = [f"{median(found[side]):.3f} ({min(found[side]):.3f} to {max(found[side]):.3f})" for side in found]
        print(f"{name:<34}{cells[0]:>24}{cells[1]:>30}{faster:>9.1f}  {'met' if faster >= FASTER else 'MISSED'}, "
              f"at least {FASTER}")
    return met


def _versions() -> dict[str, str]:
    libraries = {name: importlib.metadata.version(name)
                 for name in ("polars", "numpy", "scipy", "rustworkx", "networkx")}
    return {"python": platform.python_version(), **libraries, "cores": str(os.cpu_count())}


def _questions(scale: float) -> list[Question]:
    dice = np.random.default_rng(11)
    wide = _table(*_random(dice, int(200_000 * scale), int(1_000_000 * scale)))
    cycles = _table(*_cyclic(dice, int(100_000 * scale), int(500_000 * scale)))
    trees = _table(*_crowned(dice, int(100_000 * scale), int(500_000 * scale)))
    return [
        Question("who reaches tier 0", wide, _some(wide, TARGETS), _who, _who_networkx),
        Question("blast radius of 200, large cycles", cycles, _some(cycles, SOURCES), _radii, _radii_networkx, turns=1),
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


def _digraph(edges: pl.DataFrame) -> nx.DiGraph:
    graph = nx.DiGraph()
    graph.add_edges_from(zip(edges["src"].to_list(), edges["dst"].to_list(), strict=True))
    return graph


def _who_networkx(edges: pl.DataFrame, about: list[str]) -> set[str]:
    graph = _digraph(edges)
    graph.add_edges_from((target, "tier 0") for target in about)
    found: set[str] = nx.ancestors(graph, "tier 0") - set(about)
    return found


def _radii(edges: pl.DataFrame, about: list[str]) -> dict[str, int]:
    graph, ids, sources = _graph(edges, about)
    found = spread(graph, sources, np.empty((graph.nodes, 0)))
    return dict(zip(ids.gather(sources), found.reached.tolist(), strict=True))


def _radii_networkx(edges: pl.DataFrame, about: list[str]) -> dict[str, int]:
    graph = _digraph(edges)
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
    pairs = list(zip(edges["src"].to_list(), edges["dst"].to_list(), strict=True))
    graph.add_edges_from((pair[1], pair) for pair in pairs)
    graph.add_edges_from((pair, pair[0]) for pair in pairs)
    graph.add_edges_from(("tier 0", target) for target in about)
    above = nx.immediate_dominators(graph, "tier 0")
    depth_first = list(nx.dfs_postorder_nodes(nx.DiGraph(
        (over, node) for node, over in above.items() if over is not None and over != node), "tier 0"))
    behind = {node: int(isinstance(node, str) and node not in about and node != "tier 0") for node in depth_first}
    for node in depth_first[:-1]:
        behind[above[node]] += behind[node]
    return {node: count for node, count in behind.items() if isinstance(node, tuple) and count}


def _bytes_an_edge(scale: float) -> tuple[float, float]:
    """Of the graph of the first question with both directions: what its arrays hold, and what the process grew by."""
    src, dst = (end.astype(np.int32) for end in _random(
        np.random.default_rng(11), int(200_000 * scale), int(1_000_000 * scale)))
    _held(src[:1000] % 100, dst[:1000] % 100, 100)
    before = _resident()
    graph = _held(src, dst, int(200_000 * scale))
    grown = _resident() - before
    return graph.nbytes / len(src), grown / len(src)


def _resident() -> int:
    """Bytes the process has in memory, after giving back what is free (glibc keeps freed blocks for later)."""
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
    return int(psutil.Process().memory_info().rss)


def _held(src: Ints, dst: Ints, nodes: int) -> Graph:
    graph = Graph.of(src, dst, nodes)
    assert len(graph.forward.heads) == len(graph.backward.heads)
    return graph


if __name__ == "__main__":
    sys.exit(main())
