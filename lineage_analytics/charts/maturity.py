"""How far are we, and how sure: floor and ceiling per domain."""

from __future__ import annotations

from statistics import median_low
from typing import Any

import altair as alt
import polars as pl

from lineage_analytics.charts.layout import (
    MAX_ROWS_DRAWN,
    Margins,
    beside,
    frame,
    hatch,
    inline,
    label,
    many,
    nothing,
    plot_width,
    row_names,
    sheet,
    unique_labels,
    wrapped,
)
from lineage_analytics.charts.theme import THEME

LEVELS = ("Ad hoc", "Emerging", "Defined", "Measured", "Assured")
# A constant expression: which words stand at each level.
_LEVEL_NAMES = f"[format(datum.value, 'd'), {list(LEVELS)}[datum.value - 1]]"
_QUESTION = "How far are we, and how sure?"
_MARGINS = Margins(left=176, right=266, top=42)
_ROW = 64
_BAR = 12
_ENOUGH_FOR_THE_WHOLE = 5


def maturity_profile(levels: pl.DataFrame, previous: pl.DataFrame | None = None) -> alt.LayerChart:
    """Floor and ceiling of each domain on levels 1 to 5, and in words what is not scored.

    Parameters
    ----------
    levels : ``domain, name`` (text), ``status`` (scored, not_scored), ``floor, ceiling`` (1 to 5; null when not
        scored), ``note`` (text; null: none), one row per domain in the order to show.
    previous : the same of the last run, drawn as a ghost where the floor moved; default: none.
    """
    if levels.is_empty():
        return nothing(_QUESTION, "no domain was measured")
    shown = levels.head(MAX_ROWS_DRAWN)
    rows = shown.with_columns(row=pl.Series(unique_labels(shown["name"].to_list())), scored=_scored())
    order = rows["row"].to_list()
    y = alt.Y("row:N", sort=order, axis=None, scale=alt.Scale(paddingInner=0, paddingOuter=0))
    return sheet(
        [*row_names(order, y, _MARGINS.left), *_levels(rows, y), *_ghosts(rows, previous, y), *_words(rows, y)],
        title=_finding(levels), source=_source(levels, previous is not None), description=_description(levels),
        height=_ROW * rows.height, margins=_MARGINS,
    )


def _scored() -> pl.Expr:
    return (pl.col("status") == "scored") & pl.col("floor").is_not_null() & pl.col("ceiling").is_not_null()


def _x() -> alt.X:
    return alt.X(
        "x:Q", scale=alt.Scale(domain=[1, 5], nice=False, zero=False),
        axis=alt.Axis(orient="top", values=[1, 2, 3, 4, 5], labelExpr=_LEVEL_NAMES, title=None,
                      grid=True, labelPadding=22, labelOverlap=False, labelBound=False, labelFlush=False),
    )


def _levels(rows: pl.DataFrame, y: alt.Y) -> list[alt.Chart]:
    scored, not_scored = rows.filter("scored"), rows.filter(~pl.col("scored"))
    colours = THEME.light
    spans = frame(row=not_scored["row"], x=[1.0] * not_scored.height, x2=[5.0] * not_scored.height)
    width = plot_width(_MARGINS)
    strokes = hatch([(row, 0.0, float(width)) for row in not_scored["row"]], _BAR + 2, _x(), y,
                    per_unit=width / 4, origin=1)
    dots = scored.select("row", pl.col("ceiling").cast(pl.Float64).alias("x"))
    floors = scored.select("row", pl.col("floor").cast(pl.Float64).alias("x"))
    line = scored.select("row", pl.col("floor").cast(pl.Float64).alias("x"),
                         pl.col("ceiling").cast(pl.Float64).alias("x2"))
    return [
        alt.Chart(spans).mark_bar(fill=colours.unknown_fill, stroke=colours.rule, strokeWidth=1, height=_BAR).encode(
            x=_x(), x2="x2:Q", y=y),
        *strokes,
        alt.Chart(inline(line)).mark_rule(color=colours.accent, strokeWidth=3).encode(x=_x(), x2="x2:Q", y=y),
        alt.Chart(inline(dots)).mark_point(
            shape="circle", size=130, filled=True, fill=colours.paper, stroke=colours.accent, strokeWidth=2.5,
            opacity=1).encode(x=_x(), y=y),
        alt.Chart(inline(floors)).mark_point(
            shape="circle", size=150, filled=True, fill=colours.accent, opacity=1).encode(x=_x(), y=y),
    ]


def _ghosts(rows: pl.DataFrame, previous: pl.DataFrame | None, y: alt.Y) -> list[alt.Chart]:
    if previous is None or previous.is_empty():
        return []
    moved = rows.join(previous.select("domain", before="floor"), on="domain").filter(
        pl.col("before").is_not_null() & pl.col("before").ne_missing(pl.col("floor")))
    data = inline(moved.select("row", pl.col("before").cast(pl.Float64).alias("x")))
    return [alt.Chart(data).mark_point(
        shape="circle", size=130, filled=False, stroke=THEME.light.unknown_line, strokeWidth=1.5, strokeDash=[2, 2],
        opacity=1).encode(x=_x(), y=y)]


def _words(rows: pl.DataFrame, y: alt.Y) -> list[alt.Chart]:
    names, x = rows["row"].to_list(), plot_width(_MARGINS) + 24
    said = [label(note, 200) if note else "" for note in rows["note"]]
    notes = [wrapped(note, _MARGINS.right - 26, THEME.chart_small, 3) if note else [] for note in said]
    words = [[_level(row)] for row in rows.iter_rows(named=True)]
    up = [(0.0, -9.0, -16.0, -23.0)[len(note)] for note in notes]
    return [
        *beside(names, words, y, x, dy=up, weight="bold"),
        *beside(names, notes, y, x, dy=[8.0] * len(names), size=THEME.chart_small, colour=THEME.light.muted),
    ]


def _level(row: dict[str, Any]) -> str:
    if not row["scored"]:
        return "Not scored"
    if row["floor"] == row["ceiling"]:
        return f"Level {row['floor']}"
    return f"Level {row['floor']}, could be up to {row['ceiling']}"


def _finding(levels: pl.DataFrame) -> str:
    scored = levels.filter(_scored())
    if scored.is_empty():
        return f"None of {many(levels.height, 'domain')} can be scored yet: the data that would do it is not loaded"
    weakest = min(scored["floor"].to_list())
    names = unique_labels(scored.filter(pl.col("floor") == weakest)["name"].to_list())
    if len(names) == scored.height and scored.height > 1:
        return f"All {scored.height} scored domains stand at level {weakest}"
    if len(names) > 2:
        return f"{len(names)} of {many(scored.height, 'scored domain')} stand at level {weakest}, the lowest"
    verb = "stands" if len(names) == 1 else "stand"
    return f"{' and '.join(names)} {verb} lowest, at level {weakest}"


def _source(levels: pl.DataFrame, ghosts: bool) -> str:
    scored = levels.filter(_scored())
    parts = [f"{scored.height} of {levels.height} domains scored"]
    if scored.height:
        if scored.height >= _ENOUGH_FOR_THE_WHOLE:
            parts.append(f"median floor {median_low(scored['floor'].to_list())}")
        parts.append("filled: proved; open: could be, if what is unknown turns out well")
    if scored.height < levels.height:
        parts.append("hatched: not scored")
    if ghosts:
        parts.append("dashed: last run")
    if levels.height > MAX_ROWS_DRAWN:
        parts.append(f"and {levels.height - MAX_ROWS_DRAWN} more domains")
    return "; ".join(parts)


def _description(levels: pl.DataFrame) -> str:
    rows = levels.with_columns(scored=_scored()).head(MAX_ROWS_DRAWN).iter_rows(named=True)
    names = unique_labels(levels.head(MAX_ROWS_DRAWN)["name"].to_list())
    said = [f"{name}: {_level(row).lower()}" for name, row in zip(names, rows, strict=True)]
    return f"Maturity per domain on levels 1 to 5. {'; '.join(said)}."
