"""What all charts share: the sheet of fixed width, hatching, row labels, and the state with nothing to show.

A chart here has its margins set, not measured, so that every picture is exactly as wide as the next and text beside
the plot has a known place.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import altair as alt

from lineage_analytics.charts.theme import SUBTITLE_LEADING, THEME, TITLE_LEADING
from lineage_analytics.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import polars as pl

Layer = alt.Chart | alt.LayerChart
MAX_ROWS_DRAWN = 30
_HATCH = 6
# Advance widths of the theme's font in thousandths of an em, by width; other letters are drawn as wide as an em.
_WIDTHS = {
    letter: width for width, letters in {
        222: "ijl", 260: "|'", 278: " .,:;!/\\[]ftI", 333: "()-{}r`", 355: '"', 469: "^", 500: "ckvxyzsJ",
        556: "abdeghnopqu0123456789L_$?#–", 584: "+<>=~×≥≤", 611: "FTZ", 667: "ABEKPSVXY&", 722: "CDHNRUw", 778: "GOQ",
        833: "mM", 889: "%", 944: "W",
    }.items() for letter in letters
}


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
    heading, caption = balanced(title, THEME.width, THEME.chart_title, bold=True), wrapped(
        source, THEME.width, THEME.chart_small)
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
    lines = wrapped(said, THEME.width - 60, THEME.chart_text)
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
    bars: Iterable[tuple[str, float, float]], height: int, x: alt.X, y: alt.Y, *, per_unit: float = 1, origin: float = 0
) -> list[alt.Chart]:
    """Layers of diagonal strokes that fill bars of ``height`` px; ``bars`` are (row label, start, end) in px.

    ``per_unit`` px are one unit of the x scale, which begins at ``origin``. Strokes lie on a grid of ``_HATCH`` px, so
    that those cut by the ends of a bar fall into few groups, each a layer: a mark's vertical offsets are constants.
    """
    tall = (height - 2) // _HATCH * _HATCH
    groups: dict[tuple[int, int], list[dict[str, Any]]] = {}
    for row, start, end in bars:
        wide = int((end - start - 2) // _HATCH) * _HATCH
        left = (start + end - wide) / 2
        for foot in range(_HATCH - tall, wide, _HATCH):
            first, last = max(foot, 0), min(foot + tall, wide)
            if last > first:
                stroke = {"row": row, "x": origin + (left + first) / per_unit, "x2": origin + (left + last) / per_unit}
                groups.setdefault((first - foot, last - foot), []).append(stroke)
    return [
        alt.Chart(alt.InlineData(values=strokes)).mark_rule(
            color=THEME.light.rule, strokeWidth=1, yOffset=tall / 2 - low, y2Offset=tall / 2 - high,
        ).encode(x=x, x2="x2:Q", y=y, y2="row:N")
        for (low, high), strokes in sorted(groups.items())
    ]


def pixels(width: int) -> alt.X:
    """An x whose values are px of a plot ``width`` px wide."""
    return alt.X("x:Q", scale=alt.Scale(domain=[0, width], nice=False), axis=None)


def beside(
    rows: Sequence[str], lines: Sequence[Sequence[str]], y: alt.Y, x: float, *, dy: Sequence[float] | None = None,
    size: int = THEME.chart_text, colour: str = THEME.light.ink, weight: str = "normal", align: str = "left",
) -> list[alt.Chart]:
    """Text of one or more lines at ``x`` px beside banded rows, centred on each row and then moved by ``dy`` px.

    Each line is a mark of its own: of several lines in one mark the renderer takes right-to-left ones for one text.
    """
    groups: dict[float, list[dict[str, str]]] = {}
    for at, (row, words) in enumerate(zip(rows, lines, strict=True)):
        top = (dy[at] if dy else 0.0) - (len(words) - 1) * (size + 2) / 2
        for number, line in enumerate(words):
            if line:
                groups.setdefault(top + number * (size + 2), []).append({"row": row, "words": line})
    return [
        alt.Chart(alt.InlineData(values=values)).mark_text(
            align=align, baseline="middle", fontSize=size, color=colour, fontWeight=weight, dy=shift,  # type: ignore[arg-type]
        ).encode(x=alt.value(x), y=y, text="words:N")
        for shift, values in sorted(groups.items())
    ]


def row_names(rows: Sequence[str], y: alt.Y, left: int) -> list[alt.Chart]:
    """The names of banded rows, flush with the left edge of the sheet, in at most two lines."""
    return beside(rows, [wrapped(row, left - 18, THEME.chart_text, 2) for row in rows], y, -left)


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


def text_width(text: str, size: float, *, bold: bool = False) -> float:
    """How many px the text takes in the theme's font."""
    return sum(_WIDTHS.get(letter, 1_000) for letter in text) / 1_000 * size * (1.07 if bold else 1.0)


def wrapped(text: str, width: float, size: float, lines: int = 4, *, bold: bool = False) -> list[str]:
    """The text in lines of at most ``width`` px at font size ``size``, cut with an ellipsis after ``lines``."""
    made, line = [], ""
    for word in _words(text, width, size, bold):
        longer = f"{line} {word}" if line else word
        if text_width(longer, size, bold=bold) <= width:
            line = longer
        else:
            made.append(line)
            line = word
    made.append(line)
    if len(made) <= lines:
        return made
    last = made[lines - 1]
    while last and text_width(f"{last} …", size, bold=bold) > width:
        last = last.rpartition(" ")[0] or last[:-1]
    return [*made[: lines - 1], f"{last.rstrip()} …"]


def _words(text: str, width: float, size: float, bold: bool) -> Iterator[str]:
    """Words, those too long for a line in pieces."""
    for word in text.split():
        piece = ""
        for character in word:
            if text_width(piece + character, size, bold=bold) > width:
                yield piece
                piece = ""
            piece += character
        yield piece


def balanced(text: str, width: float, size: float, *, bold: bool = False) -> list[str]:
    """As ``wrapped``, with lines of about equal length: for titles."""
    lines = wrapped(text, width, size, bold=bold)
    narrower = (wrapped(text, width * share / 20, size, bold=bold) for share in range(8, 20))
    return next((made for made in narrower if len(made) == len(lines) and not made[-1].endswith(" …")), lines)


def halo(texts: alt.Chart, **mark: Any) -> list[alt.Chart]:
    """A text layer twice: first as a wide outline in the colour of the paper, so that lines under it stay legible."""
    return [
        texts.mark_text(**{**mark, "color": THEME.light.paper}, stroke=THEME.light.paper, strokeWidth=4,
                        strokeJoin="round"),
        texts.mark_text(**mark),
    ]


def share_axis(title: str | None, **options: Any) -> alt.Axis:
    """An axis for shares of 0 to 1, labelled in percent."""
    return alt.Axis(title=title, values=[0, 0.25, 0.5, 0.75, 1], labelExpr="format(datum.value * 100, 'd') + ' %'",
                    **options)


def y_title(left: int) -> dict[str, Any]:
    """Axis options that set the title of a y axis level, over the axis, flush with the left edge of the sheet."""
    return {"titleAngle": 0, "titleAlign": "left", "titleAnchor": "end", "titleX": -left, "titleY": -14,
            "titleBaseline": "bottom"}


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
