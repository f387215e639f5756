"""A small table for reading: escaped, captioned, never longer than a glance."""

from __future__ import annotations

import html
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from lineage_analytics.text import printable

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    import polars as pl

LIMIT = 10
_CELL = 120


class Shown(str):
    """HTML that a notebook shows as it is; everything in it was escaped."""

    __slots__ = ()

    def _repr_html_(self) -> str:
        return str(self)


def table(
    frame: pl.DataFrame, caption: str, limit: int = LIMIT, names: Mapping[str, str] | None = None,
    total: int | None = None, withhold: Collection[str] = (),
) -> Shown:
    """The first rows of a frame as an HTML table with a caption, and in words how many more there are.

    Parameters
    ----------
    frame : the rows in the order to show.
    caption : what the rows are, in words.
    limit : most rows shown, at most 10.
    names : headings by column; a column not named has its own name with spaces.
    total : how many rows there are where ``frame`` is only the first of them.
    withhold : columns whose values are left out, with that word in their place: names, in a pack for a board.
    """
    shown = frame.head(max(min(limit, LIMIT), 0))
    numeric = {name for name, dtype in frame.schema.items() if dtype.is_numeric()}
    heads = "".join(
        f'<th scope="col"{_right(name in numeric)}>{_text((names or {}).get(name, name.replace("_", " ")))}</th>'
        for name in frame.columns
    )
    cells = (
        "".join(f"<td{_right(n in numeric)}>{_text('withheld' if n in withhold else v)}</td>" for n, v in row.items())
        for row in shown.iter_rows(named=True)
    )
    rows = "".join(f"<tr>{row}</tr>" for row in cells)
    if not shown.height:
        rows = f'<tr><td colspan="{max(frame.width, 1)}">none</td></tr>'
    more = (frame.height if total is None else total) - shown.height
    foot = f'<p class="la-more">and {more:,} more</p>' if more > 0 else ""
    return Shown(
        f'<div class="la-table"><table><caption>{_text(caption)}</caption><thead><tr>{heads}</tr></thead>'
        f"<tbody>{rows}</tbody></table>{foot}</div>"
    )


def _right(numeric: bool) -> str:
    return ' class="la-number"' if numeric else ""


def _text(value: Any) -> str:
    return html.escape(printable(_plain(value), _CELL))


def _plain(value: Any) -> object:
    if value is None:
        return "unknown"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:,.2f}".rstrip("0").rstrip(".")
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M} UTC"
    if isinstance(value, date):
        return f"{value:%Y-%m-%d}"
    if isinstance(value, list | tuple):
        return ", ".join(str(_plain(item)) for item in value)
    return value
