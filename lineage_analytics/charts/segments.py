"""Horizontal bars of states: the same state looks the same in every chart, in colour and in grey."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import altair as alt

from lineage_analytics.charts.layout import frame, hatch, pixels, text_width
from lineage_analytics.charts.theme import THEME

if TYPE_CHECKING:
    from collections.abc import Sequence

_GAP = 1.5


@dataclass(frozen=True)
class Segment:
    """Part of a row's bar: from ``start`` to ``end`` px, in the manner of a state, with a label if it has room."""

    row: str
    state: str
    start: float
    end: float
    label: str = ""


def bars(segments: Sequence[Segment], y: alt.Y, width: int, height: int) -> list[alt.Chart]:
    """The layers that draw the segments on banded rows; the plot is ``width`` px wide, a bar ``height`` px high."""
    shown = [s for s in segments if s.end > s.start]
    x = pixels(width)
    layers: list[alt.Chart] = []
    layers += [
        _fill(state, [s for s in shown if s.state == state], x, y, height)
        for state in THEME.states if any(s.state == state for s in shown)
    ]
    layers += hatch([_bare(s) for s in shown if THEME.states[s.state].pattern == "hatched"], height, x, y)
    return layers + _labels(shown, x, y)


def legend(states: Sequence[str], y: float = -14) -> list[alt.Chart]:
    """The states in words above the plot, each beside a piece of its bar."""
    layers: list[alt.Chart] = []
    at, size = 0.0, 12
    for state in states:
        manner = THEME.states[state]
        layers.append(alt.Chart(frame(x=[at], x2=[at + 18])).mark_rect(**_paint(state)).encode(
            x=alt.value(at), x2=alt.value(at + 18), y=alt.value(y - size / 2), y2=alt.value(y + size / 2)))
        if manner.pattern == "hatched":
            low = y + size / 2
            layers += [
                alt.Chart(frame(k=[0])).mark_rule(color=THEME.light.rule, strokeWidth=1).encode(
                    x=alt.value(at + a), x2=alt.value(at + b), y=alt.value(low - c), y2=alt.value(low - d))
                for a, b, c, d in ((0, 6, 6, 12), (0, 12, 0, 12), (6, 18, 0, 12), (12, 18, 0, 6))
            ]
        layers.append(alt.Chart(frame(words=[manner.word])).mark_text(
            align="left", baseline="middle", fontSize=THEME.chart_small, color=THEME.light.muted,
        ).encode(x=alt.value(at + 24), y=alt.value(y), text="words:N"))
        at += 24 + text_width(manner.word, THEME.chart_small) + 16
    return layers


def _paint(state: str) -> dict[str, Any]:
    manner, colours = THEME.states[state], THEME.light
    role = getattr(colours, manner.role)
    if manner.pattern in {"solid", "soft"}:
        return {"fill": role}
    if manner.pattern == "hatched":
        return {"fill": colours.unknown_fill, "stroke": role, "strokeWidth": 1}
    return {"fill": colours.paper, "stroke": role, "strokeWidth": 1,
            **({"strokeDash": [2, 2]} if manner.pattern == "dotted" else {})}


def _fill(state: str, parts: list[Segment], x: alt.X, y: alt.Y, height: int) -> alt.Chart:
    data = frame(row=[s.row for s in parts], x=[s.start for s in parts],
                 x2=[max(s.end - _GAP, s.start + 0.5) for s in parts])
    made: alt.Chart = alt.Chart(data).mark_bar(height=height, **_paint(state)).encode(x=x, x2="x2:Q", y=y)
    return made


def _room(segment: Segment) -> float:
    return text_width(segment.label, THEME.chart_small) + 12


def _fits(segment: Segment) -> bool:
    return bool(segment.label) and segment.end - segment.start >= _room(segment)


def _bare(segment: Segment) -> tuple[str, float, float]:
    """The part of a segment to hatch: what its label leaves free."""
    start = segment.start + _room(segment) - 4 if _fits(segment) else segment.start
    return segment.row, start, segment.end - _GAP


def _labels(shown: Sequence[Segment], x: alt.X, y: alt.Y) -> list[alt.Chart]:
    layers: list[alt.Chart] = []
    colours = THEME.light
    for colour, patterns in ((colours.on_mark, {"solid"}), (colours.ink, {"soft", "hatched", "outlined", "dotted"})):
        chosen = [s for s in shown if _fits(s) and THEME.states[s.state].pattern in patterns]
        if chosen:
            layers.append(alt.Chart(frame(
                row=[s.row for s in chosen], x=[s.start for s in chosen], words=[s.label for s in chosen],
            )).mark_text(align="left", baseline="middle", dx=6, color=colour, fontSize=THEME.chart_small).encode(
                x=x, y=y, text="words:N"))
    return layers
