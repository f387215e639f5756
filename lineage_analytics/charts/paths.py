"""How does one get to the top: the way of one identity to tier 0, step by step, from left to right."""

from __future__ import annotations

from dataclasses import dataclass
from math import hypot
from typing import TYPE_CHECKING, Any

import altair as alt
import polars as pl

from lineage_analytics.charts.kinds import one
from lineage_analytics.charts.layout import Margins, frame, label, many, nothing, sentence, sheet, wrapped
from lineage_analytics.charts.theme import THEME
from lineage_analytics.charts.ways import Hop, Place, Ways, steps_left_out, ways_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_TOLD = 12
_COLUMNS = 5
# Width of a card and of the gap after it, by columns.
_CARDS = {1: (280, 0), 2: (280, 120), 3: (176, 76), 4: (130, 53), 5: (104, 40)}
_CARD, _ROW, _BAND = 70, 86, 22
_PAD, _LEADING = 8, 15
_TEXT, _SMALL = THEME.chart_text, THEME.chart_small
# Where on a line its number may stand, the middle first.
_PARTS = (0.5, 0.4, 0.6, 0.3, 0.7, 0.2, 0.8, 0.1, 0.9, 0.03, 0.97)
_QUESTION = "How does one get to the top?"
_X = alt.X("x:Q", scale=alt.Scale(domain=[0, THEME.width], nice=False), axis=None)


def tier0_paths(
    paths: pl.DataFrame, nodes: pl.DataFrame, edges: pl.DataFrame, principal_id: str | None = None, *,
    names: bool = True, period: str = "",
) -> alt.LayerChart:
    """The ways of one identity to tier 0, each step numbered in the picture and told under it.

    Parameters
    ----------
    paths : columns of ``AccessLineage.paths``; several rows of the identity are several ways, drawn together. Where a
        way is given in part, ``hops`` says how long it is.
    nodes, edges : the access graph (``tables.NODES``, ``tables.EDGES``), for names, kinds, reasons, and conditions: a
        step is dashed where what makes it has a condition that was not evaluated.
    principal_id : whose way; default: the identity outside tier 0 that is nearest, proved before conditional.
    names : False: kinds and numbers in place of names, and no reasons, as these hold names.
    period : the time of the inventories, in words, for the source line; empty: not stated.

    At most 60 nodes are drawn and 12 steps told; what is left out is counted in words.
    """
    if paths.is_empty():
        return nothing(_QUESTION, "no way to tier 0 was found in what is loaded")
    ways = ways_of(principal_id or _nearest(paths), paths, nodes, edges)
    if not ways.rows:
        return nothing(_QUESTION, "this identity has no way to tier 0 in what is loaded")
    called = _called(ways, names=names)
    boxes, height = _boxes(ways.columns)
    steps = _numbered(ways.hops, names=names)
    told = _told(list(steps), height)
    y = alt.Y("y:Q", scale=alt.Scale(domain=[0, told.end], reverse=True, nice=False), axis=None)
    return sheet(
        [*_arrows(ways.hops, steps, boxes, y), *_cards(ways, boxes, called, y), *_words(told, y)],
        title=_finding(ways, called), source=_source(paths, ways, period), height=told.end, margins=Margins(top=4),
        description=_description(ways, called, names=names),
    )


def _nearest(paths: pl.DataFrame) -> str:
    order = paths.sort(pl.col("hops") == 0, "state", "hops", "principal_id", descending=[False, True, False, False])
    return str(order["principal_id"][0])


def _called(ways: Ways, *, names: bool) -> dict[str, str]:
    """What each node is called: by its label, or the last part of its id; or its kind and a number."""
    found: dict[str, str] = {}
    counts: dict[str, int] = {}
    for node in dict.fromkeys(node for column in ways.columns for node in column):
        known = ways.nodes.get(node, {})
        if left := steps_left_out(node):
            found[node] = f"and {many(left, 'more step')}"
        elif names:
            found[node] = label(known.get("label") or node.split(":", 2)[-1])
        else:
            kind = one(known.get("kind"))
            counts[kind] = counts.get(kind, 0) + 1
            found[node] = f"{sentence(kind)} {counts[kind]}"
    return found


@dataclass(frozen=True)
class _Box:
    """A card: its left and upper edge and width in px."""

    left: float
    top: float
    width: float

    @property
    def middle(self) -> float:
        return self.top + _CARD / 2


def _boxes(columns: Sequence[Sequence[str]]) -> tuple[dict[tuple[int, Place], _Box], int]:
    """Where each card stands, by band and place, and the height of all.

    Columns that do not fit go on in the next band, as a text does on the next line; the last column of a band stands
    again as the first of the next.
    """
    width, gap = _CARDS[min(len(columns), _COLUMNS)]
    boxes: dict[tuple[int, Place], _Box] = {}
    top = 0.0
    for band, first in enumerate(range(0, max(len(columns) - 1, 1), _COLUMNS - 1)):
        shown = range(first, min(first + _COLUMNS, len(columns)))
        rows = max(len(columns[at]) for at in shown)
        for at in shown:
            above = (rows - len(columns[at])) * _ROW / 2
            for row, node in enumerate(columns[at]):
                boxes[band, (at, node)] = _Box((at - first) * (width + gap), top + above + row * _ROW, width)
        top += rows * _ROW - (_ROW - _CARD) + _BAND
    return boxes, round(top - _BAND)


def _cards(ways: Ways, boxes: Mapping[tuple[int, Place], _Box], called: Mapping[str, str], y: alt.Y) -> list[alt.Chart]:
    colours = THEME.light
    looks: dict[str, dict[str, Any]] = {
        "start": {"fill": colours.paper, "stroke": colours.accent, "strokeWidth": 2},
        "tier0": {"fill": colours.accent, "stroke": colours.accent, "strokeWidth": 2},
        "known": {"fill": colours.paper, "stroke": colours.muted, "strokeWidth": 1},
        "unknown": {"fill": colours.unknown_fill, "stroke": colours.unknown_line, "strokeDash": [3, 3]},
    }
    layers = []
    for look, paint in looks.items():
        chosen = [(place[1], box) for (_, place), box in boxes.items() if _look(place, ways) == look]
        if not chosen:
            continue
        layers.append(alt.Chart(frame(
            x=[box.left for _, box in chosen], x2=[box.left + box.width for _, box in chosen],
            y=[box.top for _, box in chosen], y2=[box.top + _CARD for _, box in chosen],
        )).mark_rect(cornerRadius=4, **paint).encode(x=_X, x2="x2:Q", y=y, y2="y2:Q"))
        layers += _written(chosen, ways, called, y, on_mark=look == "tier0")
    return layers


def _look(place: Place, ways: Ways) -> str:
    node = ways.nodes.get(place[1], {})
    if node.get("tier0"):
        return "tier0"
    if place[0] == 0:
        return "start"
    return "known" if node.get("kind") not in {None, "unknown"} else "unknown"


def _written(
    cards: Sequence[tuple[str, _Box]], ways: Ways, called: Mapping[str, str], y: alt.Y, *, on_mark: bool
) -> list[alt.Chart]:
    """The name of each card in at most two lines and what it is in at most two, together in the middle.

    Each line is a mark of its own: of several lines in one mark the renderer takes right-to-left ones for one text.
    """
    names, sorts = [], []
    for node, box in cards:
        room = box.width - 2 * _PAD
        name = wrapped(called[node], room, _TEXT, 2, bold=True)
        sort = [] if steps_left_out(node) else wrapped(_sort(ways.nodes.get(node, {})), room, _SMALL, 2)
        top = box.middle - (len(name) + len(sort) - 1) * _LEADING / 2
        lines = [(box.left + _PAD, top + n * _LEADING, words) for n, words in enumerate((*name, *sort))]
        names += lines[: len(name)]
        sorts += lines[len(name):]
    strong, weak = (THEME.light.on_mark,) * 2 if on_mark else (THEME.light.ink, THEME.light.muted)
    return [*_texts(names, y, _TEXT, strong, "bold"), *_texts(sorts, y, _SMALL, weak)]


def _texts(lines: Sequence[tuple[float, float, str]], y: alt.Y, size: int, colour: str, weight: str = "normal"
           ) -> list[alt.Chart]:
    if not lines:
        return []
    x, at, words = zip(*lines, strict=True)
    return [alt.Chart(frame(x=x, y=at, words=words)).mark_text(
        align="left", baseline="middle", fontSize=size, color=colour, fontWeight=weight,  # type: ignore[arg-type]
    ).encode(x=_X, y=y, text="words:N")]


def _sort(node: Mapping[str, object]) -> str:
    kind = str(node["kind"]) if node.get("kind") else None
    words = "kind unknown" if kind in {None, "unknown"} else one(kind)
    return f"tier 0, {words}" if node.get("tier0") else words


@dataclass(frozen=True)
class _Step:
    """A step in words: what it takes, and why it is possible (empty: not told)."""

    words: str
    reason: str
    conditional: bool


def _numbered(hops: Sequence[Hop], *, names: bool) -> dict[_Step, list[Hop]]:
    """What is told of the hops, in order: those of which the same is told are one step and share its number."""
    found: dict[_Step, list[Hop]] = {}
    for hop in hops:
        reason = label(_why(hop), 400) if names and hop.reason else ""
        found.setdefault(_Step(_step(hop), reason, hop.conditional), []).append(hop)
    return found


def _why(hop: Hop) -> str:
    """The reason without the technique it may begin with, as that stands above it."""
    before, colon, rest = hop.reason.partition(": ")
    return rest if colon and rest and hop.technique.casefold().startswith(before.casefold()) else hop.reason


def _arrows(hops: Sequence[Hop], steps: Mapping[_Step, Sequence[Hop]], boxes: Mapping[tuple[int, Place], _Box], y: alt.Y
            ) -> list[alt.Chart]:
    """Each hop as a line with an arrow, dashed under a condition; those told below with their number."""
    colour = THEME.light.muted
    layers: list[alt.Chart] = []
    for dash in (False, True):
        turns = [(n, order, x, at) for n, hop in enumerate(hops) if hop.conditional == dash
                 for order, (x, at) in enumerate(_turns(hop, boxes))]
        if not turns:
            continue
        step, order, xs, ys = zip(*turns, strict=True)
        layers.append(alt.Chart(frame(step=step, order=order, x=xs, y=ys)).mark_line(
            color=colour, strokeWidth=1.6, strokeJoin="round", strokeDash=[5, 4] if dash else [1, 0],
        ).encode(x=_X, y=y, detail="step:N", order="order:Q"))
    ends = [_turns(hop, boxes)[-1] for hop in hops]
    if ends:
        layers.append(alt.Chart(frame(x=[x - 1 for x, _ in ends], y=[at for _, at in ends])).mark_point(
            shape="triangle-right", size=60, fill=colour, stroke=None, opacity=1).encode(x=_X, y=y))
    told = [(number, hop) for number, step in enumerate(list(steps)[:_TOLD], 1) for hop in steps[step]]
    spots = _spots([_turns(hop, boxes) for _, hop in told])
    return [*layers, *(layer for dashed in (False, True) for layer in _numbers(
        [(*spot, number) for spot, (number, hop) in zip(spots, told, strict=True) if hop.conditional == dashed], y,
        dashed=dashed))]


def _turns(hop: Hop, boxes: Mapping[tuple[int, Place], _Box]) -> list[tuple[float, float]]:
    """The points of a step's line: level out of one card, level into the next."""
    band = hop.start[0] // (_COLUMNS - 1)
    src, dst = boxes[band, hop.start], boxes[band, hop.end]
    out, into = src.left + src.width, dst.left - 4
    return [(out, src.middle), (out + 6, src.middle), (into - 8, dst.middle), (into, dst.middle)]


def _spots(lines: Sequence[Sequence[tuple[float, float]]]) -> list[tuple[float, float]]:
    """A place on each line for its number, apart from the numbers before."""
    found: list[tuple[float, float]] = []
    for (x, y), (x2, y2) in ((line[1], line[2]) for line in lines):
        places = [(x + (x2 - x) * part, y + (y2 - y) * part) for part in _PARTS]
        found.append(max(places, key=lambda place: min([hypot(place[0] - a, place[1] - b) for a, b in found] + [20.0])))
    return found


def _numbers(spots: Sequence[tuple[float, float, int]], y: alt.Y, *, dashed: bool) -> list[alt.Chart]:
    if not spots:
        return []
    xs, ys, numbers = zip(*spots, strict=True)
    data = alt.Chart(frame(x=xs, y=ys, words=map(str, numbers)))
    return [
        data.mark_point(shape="circle", size=300, fill=THEME.light.paper, stroke=THEME.light.ink, strokeWidth=1,
                        strokeDash=[3, 2] if dashed else [1, 0], opacity=1).encode(x=_X, y=y),
        data.mark_text(baseline="middle", align="center", fontSize=11, dy=0.5).encode(x=_X, y=y, text="words:N"),
    ]


@dataclass(frozen=True)
class _Told:
    """Lines of text under the picture, each with its place: what steps take, why they are possible; the numbers of
    those under a condition; where they end."""

    heads: list[tuple[float, float, str]]
    whys: list[tuple[float, float, str]]
    conditional: set[int]
    end: int


def _told(steps: Sequence[_Step], top: int) -> _Told:
    """The steps in words, from ``top`` px down."""
    if not steps:
        return _Told([], [], set(), top)
    at = float(top + _BAND)
    heads, whys = [], []
    for step in steps[:_TOLD]:
        heads.append((28.0, at, wrapped(step.words, THEME.width - 32, _TEXT, 1, bold=True)[0]))
        at += 18
        for line in wrapped(step.reason, THEME.width - 32, _SMALL, 2) if step.reason else ():
            whys.append((28.0, at, line))
            at += _LEADING + 1
        at += 6
    if len(steps) > _TOLD:
        whys.append((28.0, at, f"and {many(len(steps) - _TOLD, 'more step')}"))
        at += 18
    return _Told(heads, whys, {n for n, step in enumerate(steps, 1) if step.conditional}, round(at))


def _words(told: _Told, y: alt.Y) -> list[alt.Chart]:
    numbers = [layer for dashed in (False, True) for layer in _numbers(
        [(10.0, head, number) for number, (_, head, _) in enumerate(told.heads, 1)
         if (number in told.conditional) == dashed], y, dashed=dashed)]
    return [*numbers, *_texts(told.heads, y, _TEXT, THEME.light.ink, "bold"),
            *_texts(told.whys, y, _SMALL, THEME.light.muted)]


def _step(hop: Hop) -> str:
    return sentence(label(hop.technique, 80)) + (", if a condition holds" if hop.conditional else "")


def _finding(ways: Ways, called: Mapping[str, str]) -> str:
    first = ways.rows[0]
    start = called[first["path"][0]]
    if not first["hops"]:
        return f"{start} is tier 0 itself"
    ends = dict.fromkeys(row["path"][-1] for row in ways.rows if row["path"][-1] in called)
    top = any(ways.nodes.get(end, {}).get("tier0") for end in ends)
    whole = first["hops"] < len(first["path"])
    whither = "tier 0" if top or not whole else called[first["path"][-1]]
    if top and len(ends) == 1:
        whither += f", {called[first['path'][-1]]},"
    several = f", {len(ways.rows):,} ways" if len(ways.rows) > 1 else ""
    return (f"{start} reaches {whither} in {many(first['hops'], 'step')}{several}"
            + (", if a condition holds" if first["state"] == "conditional" else ""))


def _source(paths: pl.DataFrame, ways: Ways, period: str) -> str:
    whose = ", ".join(filter(None, (_others(paths) if ways.hops else "", period)))
    parts = [whose or "as declared or by default"]
    if ways.left:
        parts.append(f"{len(ways.rows) - ways.left:,} of {len(ways.rows):,} ways drawn")
    if any(hop.conditional for hop in ways.hops):
        parts.append("dashed: only if a condition holds that was not evaluated")
    return "; ".join(parts)


def _others(paths: pl.DataFrame) -> str:
    """How many have a way, those on a condition apart: they are no finding yet."""
    outside = paths.filter(pl.col("hops") > 0)
    proved = outside.filter(pl.col("state") == "proved")["principal_id"].n_unique()
    more = outside["principal_id"].n_unique() - proved
    if proved + more == 1:
        return "the only one with a way there in what is loaded"
    told = [f"{many(proved, 'principal')} with a proved way there"] if proved else []
    if more:
        told.append(f"{more:,} more only if a condition holds" if proved
                    else f"{many(more, 'principal')} with a way there, only if a condition holds")
    return ", ".join(told)


def _description(ways: Ways, called: Mapping[str, str], *, names: bool) -> str:
    told = []
    for number, hop in enumerate(ways.hops[:_TOLD], 1):
        why = f", because {label(_why(hop), 200)}" if names and hop.reason else ""
        told.append(f"{number}, from {called[hop.start[1]]} to {called[hop.end[1]]}: {_step(hop)}{why}")
    more = len(ways.hops) - _TOLD
    return f"{_finding(ways, called)}. {'; '.join(told)}{f'; and {more:,} more steps' if more > 0 else ''}."
