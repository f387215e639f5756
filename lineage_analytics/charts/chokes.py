"""What to cut first: how many principals still reach tier 0 after each cut."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import altair as alt

from lineage_analytics.charts.layout import (
    Margins,
    beside,
    frame,
    label,
    many,
    nothing,
    percent,
    pixels,
    plot_width,
    sentence,
    sheet,
    text_width,
    wrapped,
)
from lineage_analytics.charts.theme import THEME

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl

CUTS_DRAWN = 10
_MARGINS = Margins(left=330, right=104, top=8)
_ROW = 50
_QUESTION = "What to cut first?"


def choke_points(cuts: pl.DataFrame, *, names: bool = True, period: str = "") -> alt.LayerChart:
    """How many principals can still reach tier 0 after each cut, with what is cut at each step.

    Parameters
    ----------
    cuts : columns of ``AccessLineage.choke_points``, one row per cut of a proved edge: ``rank`` (1: cut first),
        ``src_label, dst_label`` (ends of the edge; null: ``src, dst`` stand for them), ``technique``, ``removed``
        (principals that no longer reach tier 0 by this cut) and ``remaining`` (those that still do). Each cut is on top
        of those before it.
    names : False: numbers in place of names.
    period : the time of the inventories, in words, for the source line; empty: not stated.

    The first 10 cuts are drawn; the rest is counted in words.
    """
    if cuts.is_empty():
        return nothing(_QUESTION, "no proved way to tier 0 was found in what is loaded, so there is nothing to cut")
    rows = cuts.sort("rank").to_dicts()
    exposed, drawn = rows[0]["removed"] + rows[0]["remaining"], rows[:CUTS_DRAWN]
    keys = [str(at) for at in range(len(drawn) + 1)]
    y = alt.Y("row:N", sort=keys, axis=None, scale=alt.Scale(paddingInner=0, paddingOuter=0))
    left = [exposed, *(row["remaining"] for row in drawn)]
    return sheet(
        [*_stairs(left, keys, y), *_names(drawn, keys, y, names=names), *_counts(left, keys, y)],
        title=_finding(exposed, rows), source=_source(rows, period), height=_ROW * len(keys), margins=_MARGINS,
        description=_description(exposed, drawn, rows, names=names),
    )


def _stairs(left: Sequence[int], keys: Sequence[str], y: alt.Y) -> list[alt.Chart]:
    """Per cut a bar of those that remain, and in outline what it took; the steps joined by a line."""
    width, colours = plot_width(_MARGINS), THEME.light
    unit = width / max(left[0], 1)
    ends = [count * unit for count in left]
    x = pixels(width)
    zero = [0.0] * len(keys)
    taken = [(key, ends[at], ends[at - 1]) for at, key in enumerate(keys) if at and ends[at - 1] > ends[at]]
    layers = [alt.Chart(frame(row=keys, x=zero, x2=ends)).mark_bar(height=22, fill=colours.accent).encode(
        x=x, x2="x2:Q", y=y)]
    if taken:
        rows, starts, stops = zip(*taken, strict=True)
        layers.append(alt.Chart(frame(row=rows, x=starts, x2=stops)).mark_bar(
            height=21, fill=colours.paper, stroke=colours.unknown_line, strokeWidth=1, strokeDash=[2, 2],
        ).encode(x=x, x2="x2:Q", y=y))
    return layers


def _names(rows: Sequence[dict[str, Any]], keys: Sequence[str], y: alt.Y, *, names: bool) -> list[alt.Chart]:
    room = _MARGINS.left - 26
    edges, takes = [["As it is"]], [["nothing cut"]]
    for row in rows:
        edges.append(wrapped(_edge(row, names=names), room, THEME.chart_text, 1, bold=True))
        takes.append(wrapped(sentence(label(row["technique"] or "not told", 80)), room, THEME.chart_small, 1))
    up, down = [-8.0] * len(keys), [9.0] * len(keys)
    return [
        *beside(keys[1:], [[str(row["rank"])] for row in rows], y, -_MARGINS.left, dy=up[1:], weight="bold",
                colour=THEME.light.accent),
        *beside(keys, edges, y, 22 - _MARGINS.left, dy=up, weight="bold"),
        *beside(keys, takes, y, 22 - _MARGINS.left, dy=down, size=THEME.chart_small, colour=THEME.light.muted),
    ]


def _edge(row: dict[str, Any], *, names: bool) -> str:
    """The edge by its ends, each with room to be told from others."""
    if not names:
        return f"Cut {row['rank']}"
    src, dst = (label(row[f"{end}_label"] or str(row[end]).split(":", 2)[-1]) for end in ("src", "dst"))
    room = _MARGINS.left - 52
    long, other = (text_width(name, THEME.chart_text, bold=True) for name in (src, dst))
    return f"{_short(src, max(room / 2, room - other))} → {_short(dst, max(room / 2, room - long))}"


def _short(name: str, room: float) -> str:
    """The name, or as many of its letters as there is room for: the end of a name may be what tells it from others."""
    kept = name
    while kept and text_width(kept if kept == name else f"{kept}…", THEME.chart_text, bold=True) > room:
        kept = kept[:-1]
    return kept if kept == name else f"{kept}…"


def _counts(left: Sequence[int], keys: Sequence[str], y: alt.Y) -> list[alt.Chart]:
    at = plot_width(_MARGINS) + 14
    first = [[f"{count:,} left" if n else f"{count:,}"] for n, count in enumerate(left)]
    second = [["reach tier 0"], *([f"{before - after:,} fewer"] for before, after in pairwise(left))]
    return [
        *beside(keys, first, y, at, dy=[-8.0] * len(keys), weight="bold"),
        *beside(keys, second, y, at, dy=[9.0] * len(keys), size=THEME.chart_small, colour=THEME.light.muted),
    ]


def _finding(exposed: int, rows: Sequence[dict[str, Any]]) -> str:
    whom = many(exposed, "principal")
    first, last = rows[0]["removed"], exposed - rows[-1]["remaining"]
    if not last:
        return f"No cut alone keeps any of {whom} from tier 0"
    if not first:
        return f"No cut alone keeps any of {whom} from tier 0, {len(rows):,} cuts {_all(last, exposed)}"
    if len(rows) == 1 or first == last:
        return f"One cut keeps {_of(first, exposed)} from tier 0"
    return f"One cut keeps {_of(first, exposed)} from tier 0, {len(rows):,} cuts {_all(last, exposed)}"


def _of(some: int, exposed: int) -> str:
    if some == exposed:
        return f"all {many(exposed, 'principal')}" if exposed > 1 else "the only principal with a way"
    return f"{some:,} of {many(exposed, 'principal')}"


def _all(some: int, exposed: int) -> str:
    return "all" if some == exposed else f"{some:,}"


def _source(rows: Sequence[dict[str, Any]], period: str) -> str:
    parts = ["principals outside tier 0 with a proved way to it" + (f", {period}" if period else ""),
             "each cut on top of those before, the one that takes most first"]
    if len(rows) > CUTS_DRAWN:
        more = rows[CUTS_DRAWN - 1]["remaining"] - rows[-1]["remaining"]
        parts.append(f"{many(len(rows) - CUTS_DRAWN, 'further cut')} would take {more:,} more")
    return "; ".join(parts)


def _description(exposed: int, drawn: Sequence[dict[str, Any]], rows: Sequence[dict[str, Any]], *, names: bool) -> str:
    said = [f"{row['rank']}, {_edge(row, names=names)}, {label(row['technique'] or 'not told', 80)}: "
            f"{row['removed']:,} fewer, {row['remaining']:,} left" for row in drawn]
    share = percent(1 - rows[-1]["remaining"] / exposed) if exposed else "none"
    return f"{_finding(exposed, rows)}, which is {share}. Cuts in order: {'; '.join(said)}."
