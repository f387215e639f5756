"""Ways through the access graph, ready to draw: which are chosen, what each step takes, and where each node stands."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

NODES_DRAWN = 60
# A column is no higher than a screen.
_ROWS_DRAWN = 8
_SWEEPS = 6
_GAP = "\0steps left out: "
_UNTOLD = "a step that is not told"
Row = dict[str, Any]
# A node of a drawn way: how many steps in, and its id. The same node at two distances is drawn twice.
Place = tuple[int, str]


@dataclass(frozen=True)
class Hop:
    """One step: what it takes, whether only under a condition, and why it is possible (empty: not stated)."""

    start: Place
    end: Place
    technique: str
    conditional: bool
    reason: str


@dataclass(frozen=True)
class Ways:
    """Ways of one identity: its rows, shortest first; nodes in columns by distance; the steps in order of the ways.

    ``nodes`` has the rows of ``tables.NODES`` of what is drawn, as far as they are known; ``left`` counts ways that are
    not drawn.
    """

    rows: list[Row]
    columns: list[list[str]]
    hops: list[Hop]
    nodes: Mapping[str, Row]
    left: int


def ways_of(principal: str, paths: pl.DataFrame, nodes: pl.DataFrame, edges: pl.DataFrame) -> Ways:
    """All ways that ``paths`` states of the principal, as many as are at most 60 nodes, 8 of them at one distance."""
    rows = paths.filter(pl.col("principal_id") == principal).sort(
        "hops", "state", pl.col("path").list.join("\0"), descending=[False, True, False]).to_dicts()
    chosen, left = _chosen(rows)
    passed = sorted({node for row in chosen for node in row["path"]})
    known = {row["node_id"]: row for row in nodes.filter(
        pl.col("node_id").is_in(passed) | (pl.col("kind") == "scope")).iter_rows(named=True)}
    wildcards = [node for node, row in known.items() if row["kind"] == "scope"]
    steps = _Steps.of(passed, wildcards, edges)
    return Ways(rows, _arranged([row["path"] for row in chosen]), _hops(chosen, steps), known, left)


def steps_left_out(node: str) -> int:
    """How many steps this node of a way stands for: none, unless it fills the middle of a way too long to draw."""
    return int(node.removeprefix(_GAP)) if node.startswith(_GAP) else 0


def _chosen(rows: Sequence[Row]) -> tuple[list[Row], int]:
    chosen: list[Row] = []
    places: set[Place] = set()
    left = 0
    for row in rows:
        drawn = row if chosen else _shortened(row)
        more = places | set(enumerate(drawn["path"]))
        if chosen and (len(more) > NODES_DRAWN or max(Counter(at for at, _ in more).values()) > _ROWS_DRAWN):
            left += 1
        else:
            chosen.append(drawn)
            places = more
    return chosen, left


def _shortened(row: Row) -> Row:
    """The way with its middle left out where it has too many nodes to draw, or with what ``hops`` counts beyond it."""
    path, takes = row["path"], list(row["techniques"] or ())
    beyond = row["hops"] - len(path) + 1
    if beyond > 0 and len(path) < NODES_DRAWN:
        return {**row, "path": [*path, f"{_GAP}{beyond}"]}
    if len(path) <= NODES_DRAWN:
        return row
    half = NODES_DRAWN // 2
    gone = len(path) - 2 * half + 2
    return {**row, "path": [*path[:half], f"{_GAP}{gone}", *path[-half + 1:]],
            "techniques": [*takes[: half - 1], "", "", *takes[-half + 2:]]}


def _hops(rows: Sequence[Row], steps: _Steps) -> list[Hop]:
    found: dict[tuple[Place, Place], Hop] = {}
    for row in rows:
        takes = row["techniques"] or ()
        for at, (src, dst) in enumerate(pairwise(row["path"])):
            ends = (at, src), (at + 1, dst)
            if ends not in found:
                said = takes[at] if at < len(takes) else None
                technique, conditional, reason = steps.between(src, dst, said or "", row["state"] == "conditional")
                found[ends] = Hop(*ends, technique, conditional, reason)
    return list(found.values())


@dataclass(frozen=True)
class _Steps:
    """Edges of the graph by their ends, and the wildcards one gets into from each node."""

    edges: Mapping[tuple[str, str], list[Row]]
    wildcards: Mapping[str, list[str]]

    @staticmethod
    def of(passed: Sequence[str], wildcards: Sequence[str], edges: pl.DataFrame) -> _Steps:
        ends = [*passed, *wildcards]
        rows = edges.filter(pl.col("src").is_in(ends) & pl.col("dst").is_in(ends)).select(
            "src", "dst", "rel", "state", "technique", "followed", "reason").sort(pl.all())
        found: dict[tuple[str, str], list[Row]] = {}
        into: dict[str, list[str]] = {}
        wild = set(wildcards)
        for row in rows.iter_rows(named=True):
            found.setdefault((row["src"], row["dst"]), []).append(row)
            if row["dst"] in wild:
                into.setdefault(row["src"], []).append(row["dst"])
        return _Steps(found, into)

    def between(self, src: str, dst: str, said: str, conditional: bool) -> tuple[str, bool, str]:
        """Technique, condition and reason of a step: of the edge that takes what the way says, proved ones first.

        A step through a wildcard is two edges and has both reasons. Where the graph has no such edge, what the way
        says is all there is.
        """
        choices = [[edge] for edge in self.edges.get((src, dst), ())]
        for wildcard in dict.fromkeys(self.wildcards.get(src, ())):
            outs = self.edges.get((wildcard, dst), ())
            choices += [[into, out] for into in self.edges[src, wildcard] for out in outs]
        if not choices:
            return said or _UNTOLD, conditional, ""
        best = min(choices, key=lambda edges: (
            edges[0]["technique"] != said, not edges[0]["followed"], any(e["state"] != "proved" for e in edges),
            len(edges)))
        reasons = dict.fromkeys(edge["reason"] for edge in best if edge["reason"])
        return (said or best[0]["technique"] or _UNTOLD, any(edge["state"] != "proved" for edge in best),
                " and ".join(reasons))


def _arranged(ways: Sequence[Sequence[str]]) -> list[list[str]]:
    """Nodes in columns by distance, ordered so that few steps cross: barycentres, swept to and fro, ties by id."""
    columns = [sorted({way[at] for way in ways if len(way) > at}) for at in range(max(map(len, ways), default=0))]
    ahead: dict[Place, list[str]] = {}
    behind: dict[Place, list[str]] = {}
    for at, src, dst in sorted({(at, way[at], way[at + 1]) for way in ways for at in range(len(way) - 1)}):
        ahead.setdefault((at, src), []).append(dst)
        behind.setdefault((at + 1, dst), []).append(src)
    for sweep in range(_SWEEPS):
        onward = sweep % 2 == 0
        near, back = (behind, -1) if onward else (ahead, 1)
        for at in range(1, len(columns)) if onward else range(len(columns) - 2, -1, -1):
            _reorder(columns, at, at + back, near)
    return columns


def _reorder(columns: list[list[str]], at: int, other: int, near: Mapping[Place, list[str]]) -> None:
    place = {node: order for order, node in enumerate(columns[other])}
    centre = {}
    for order, node in enumerate(columns[at]):
        beside = [place[neighbour] for neighbour in near.get((at, node), ())]
        centre[node] = sum(beside) / len(beside) if beside else float(order)
    columns[at].sort(key=lambda node: (centre[node], node))
