"""What all charts share: the sheet of fixed width, hatching, row labels, and the state with nothing to show.

A chart here has its margins set, not measured, so that every picture is exactly as wide as the next and text beside
the plot has a known place.
"""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import altair as alt

from lineage_analytics.charts.theme import SUBTITLE_LEADING, THEME, TITLE_LEADING
from lineage_analytics.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import polars as pl

Layer = alt.Chart | alt.LayerChart
MAX_ROWS_DRAWN = 30
_TITLE_CHARACTERS = 76
_SUBTITLE_CHARACTERS = 124


@dataclass(frozen=True)
class Margins:
    """Px kept free around the plot for axis labels and direct labels; the title is added on top."""

    left: int = 0
    right: int = 0
    top: int = 0
    bottom: int = 8


def sheet(
    layers: Sequence[Layer], *, title: str, source: str, description: str, height: int, margins: Margins
) -> alt.LayerChart:
    """The layers as one chart of the theme's width.

    ``title`` is the finding or question, ``source`` the line with n and period under it, ``description`` the
    alternative text.
    """
    heading, caption = wrapped(title, _TITLE_CHARACTERS), wrapped(source, _SUBTITLE_CHARACTERS)
    head = len(heading) * TITLE_LEADING + 6 + len(caption) * SUBTITLE_LEADING + 16
    return cast("alt.LayerChart", alt.layer(*layers).properties(
        width=THEME.width - margins.left - margins.right, height=height,
        autosize=alt.AutoSizeParams(type="none", contains="content"),
        padding={"left": margins.left, "right": margins.right, "top": head + margins.top, "bottom": margins.bottom},
        title=alt.TitleParams(text=heading, subtitle=caption, dx=-margins.left, offset=16),
        description=description,
    ))


def plot_width(margins: Margins) -> int:
    """Width of the plot itself in px."""
    return THEME.width - margins.left - margins.right


def nothing(question: str, reason: str) -> alt.LayerChart:
    """The chart when nothing can be drawn: the question, and in words why there is no answer."""
    said = f"nothing assessable: {reason}"
    lines = wrapped(said, 86)
    height = 48 + 18 * len(lines)
    box = frame(x=[0.0], x2=[1.0], y=[0.0], y2=[1.0])
    across = alt.Scale(domain=[0, 1])
    outline = alt.Chart(box).mark_rect(
        fill=THEME.light.unknown_fill, stroke=THEME.light.unknown_line, strokeDash=[4, 4], cornerRadius=4
    ).encode(
        x=alt.X("x:Q", scale=across, axis=None), x2="x2:Q", y=alt.Y("y:Q", scale=across, axis=None), y2="y2:Q",
    )
    words = alt.Chart(frame(x=[0.5], y=[0.5], words=["\n".join(lines)])).mark_text(
        color=THEME.light.muted, lineBreak="\n", lineHeight=18, align="center", baseline="middle",
        dy=-9 * (len(lines) - 1),
    ).encode(x=alt.X("x:Q", scale=across, axis=None), y=alt.Y("y:Q", scale=across, axis=None), text="words:N")
    return sheet([outline, words], title=question, source="not scored", description=f"{question} {said}.",
                 height=height, margins=Margins())


def frame(**columns: Iterable[Any]) -> alt.InlineData:
    """Inline data from columns of equal length; every value a plain number, text or null."""
    names = list(columns)
    rows = [dict(zip(names, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    return alt.InlineData(values=rows)


def inline(rows: pl.DataFrame) -> alt.InlineData:
    """Inline data from a small frame."""
    return alt.InlineData(values=rows.to_dicts())


def hatch(
    bars: Iterable[tuple[str, float, float]], px_per_unit: float, height: float, step: float = 6.0
) -> list[dict[str, Any]]:
    """Diagonal strokes that fill bars: rows ``row, x, x2`` for ``hatched``.

    ``bars`` are (row label, start, end) in units of the x scale; a stroke that does not fit is left out, so that none
    leaves its bar.
    """
    strokes = []
    for row, start, end in bars:
        first, last = start * px_per_unit + 2, end * px_per_unit - height - 1
        at = first
        while at <= last:
            strokes.append({"row": row, "x": at / px_per_unit, "x2": (at + height) / px_per_unit})
            at += step
    return strokes


def hatched(strokes: list[dict[str, Any]], y: alt.Y, x: alt.X, height: float) -> alt.Chart:
    """The layer that draws the strokes of ``hatch`` over bars of ``height`` px on a banded y."""
    made: alt.Chart = alt.Chart(alt.InlineData(values=strokes)).mark_rule(
        color=THEME.light.rule, strokeWidth=1, yOffset=height / 2 - 1, y2Offset=-height / 2 + 1,
    ).encode(x=x, x2="x2:Q", y=y, y2="row:N")
    return made


def beside(
    rows: Sequence[str], lines: Sequence[Sequence[str]], y: alt.Y, x: float, *, dy: Sequence[float] | None = None,
    size: int = THEME.chart_text, colour: str = THEME.light.ink, weight: str = "normal", align: str = "left",
) -> list[alt.Chart]:
    """Text of one or more lines at ``x`` px beside banded rows, centred on each row and then moved by ``dy`` px."""
    leading = size + 2
    groups: dict[tuple[int, float], list[dict[str, str]]] = {}
    for at, (row, words) in enumerate(zip(rows, lines, strict=True)):
        if any(words):
            key = len(words), dy[at] if dy else 0.0
            groups.setdefault(key, []).append({"row": row, "words": "\n".join(words)})
    return [
        alt.Chart(alt.InlineData(values=values)).mark_text(
            align=align, baseline="middle", fontSize=size, color=colour, fontWeight=weight, lineBreak="\n",  # type: ignore[arg-type]
            lineHeight=leading, dy=shift - (count - 1) * leading / 2,
        ).encode(x=alt.value(x), y=y, text="words:N")
        for (count, shift), values in sorted(groups.items())
    ]


def row_names(rows: Sequence[str], y: alt.Y, left: int) -> list[alt.Chart]:
    """The names of banded rows, flush with the left edge of the sheet, in at most two lines."""
    characters = max(round((left - 16) / 6.5), 4)
    return beside(rows, [wrapped(row, characters, 2) for row in rows], y, -left)


def label(value: object, limit: int = 60) -> str:
    """A name from a log as a label: one line, hidden characters made visible, bounded."""
    return printable("not named" if value is None or value == "" else value, limit)


def unique_labels(values: Sequence[object], limit: int = 60) -> list[str]:
    """Labels for the values, told apart by a number where two would read the same."""
    seen: dict[str, int] = {}
    made = []
    for value in values:
        text = label(value, limit)
        seen[text] = seen.get(text, 0) + 1
        made.append(text if seen[text] == 1 else f"{text} ({seen[text]})")
    return made


def wrapped(text: str, characters: int, lines: int = 4) -> list[str]:
    """The text in lines of at most ``characters``, cut with an ellipsis after ``lines``."""
    return textwrap.wrap(
        text, characters, max_lines=lines, placeholder=" …", break_long_words=True, break_on_hyphens=False
    ) or [""]


def percent(share: float) -> str:
    """A share of 0 to 1 in whole percents; a share that only rounds to none or all says so."""
    whole = round(share * 100)
    if whole == 0 and share > 0:
        return "under 1 %"
    if whole == 100 and share < 1:
        return "over 99 %"
    return f"{whole} %"


def sentence(text: str) -> str:
    """The text with a capital first letter; names that start a sentence keep theirs."""
    return text[:1].upper() + text[1:]


def many(count: float, one: str, more: str | None = None) -> str:
    """A count with its noun: ``1 account``, ``1,204 accounts``."""
    return f"{count:,.0f} {one if count == 1 else more or f'{one}s'}"
