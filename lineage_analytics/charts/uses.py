"""What is granted and never used, by kind of identity."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import altair as alt
import polars as pl

from lineage_analytics.charts.kinds import KIND_WORDS, commonest, counted, several
from lineage_analytics.charts.layout import (
    Margins,
    beside,
    many,
    nothing,
    percent,
    plot_width,
    row_names,
    sentence,
    sheet,
)
from lineage_analytics.charts.segments import Segment, bars, legend
from lineage_analytics.charts.theme import THEME

if TYPE_CHECKING:
    from collections.abc import Sequence

USE_STATES = ("used", "unused", "unobservable", "too_young")
_MARGINS = Margins(left=160, right=172, top=30)
_ROW, _BAR = 40, 22
_QUESTION = "What is granted and never used?"
Row = dict[str, Any]


def use_states(permissions: pl.DataFrame, lookback_days: int = 90) -> alt.LayerChart:
    """What is granted, used and never used, by kind of identity; what cannot be seen is drawn apart.

    Parameters
    ----------
    permissions : one row per identity with ``kind`` and ``granted, used, unused, unobservable, too_young, reason`` as
        in ``tables.PERMISSIONS``. Identities whose grants or use are unknown (null) are counted in words beside their
        kind and not drawn. Groups, roles of people and those with an ``excluded_reason``, where that column is given,
        are left out.
    lookback_days : the look-back that "used" is about.
    """
    held = counted(permissions.filter(~pl.col("kind").is_in(["group", "role"]).fill_null(value=False)))
    rows = _rows(held)
    if not any(row["total"] for row in rows):
        return nothing(_QUESTION, commonest(held["reason"].to_list(), "no use of permissions is known") if held.height
                       else "no identity with permissions was loaded")
    names = [sentence(several(row["kind"])) for row in rows]
    y = alt.Y("row:N", sort=names, axis=None, scale=alt.Scale(paddingInner=0, paddingOuter=0))
    width = plot_width(_MARGINS)
    present = [state for state in USE_STATES if any(row[state] for row in rows)]
    total, unused = sum(row["total"] for row in rows), sum(row["unused"] for row in rows)
    known, unknown = sum(row["known"] for row in rows), sum(row["unknown"] for row in rows)
    blind = [name for name, row in zip(names, rows, strict=True) if not row["total"]]
    words = [["use or grants unknown" if row["unknown"] else "nothing granted"] for row in rows if not row["total"]]
    return sheet(
        [*row_names(names, y, _MARGINS.left), *legend(present), *bars(_segments(names, rows, width), y, width, _BAR),
         *beside(blind, words, y, 0, size=THEME.chart_small, colour=THEME.light.muted),
         *beside(names, list(map(_note, rows)), y, width + 16, size=THEME.chart_small, colour=THEME.light.muted)],
        title=f"{percent(unused / total)} of {many(total, 'granted permission')} went unused in {lookback_days} days",
        source=f"{many(known, 'identity', 'identities')} whose grants and use are known, look-back {lookback_days} days"
               f"{f'; of {unknown:,} more they are not' if unknown else ''}; not used: the logs would show it",
        description=f"Permissions granted by kind of identity. {_said(names, rows)}.",
        height=_ROW * len(rows), margins=_MARGINS,
    )


def _rows(held: pl.DataFrame) -> list[Row]:
    """Per kind: how many identities are known and unknown, and the permissions of the known by state; most first."""
    known = pl.col("granted").is_not_null() & pl.col("used").is_not_null()
    kind = pl.when(pl.col("kind").is_in(list(KIND_WORDS))).then("kind").otherwise(pl.lit("unknown"))
    return held.group_by(kind.alias("kind")).agg(
        known.sum().alias("known"), (~known).sum().alias("unknown"),
        *(pl.col(state).filter(known).fill_null(0).sum() for state in USE_STATES),
    ).with_columns(total=pl.sum_horizontal(USE_STATES)).sort(
        "total", "unknown", "kind", descending=[True, True, False]).to_dicts()


def _segments(names: Sequence[str], rows: Sequence[Row], width: int) -> list[Segment]:
    segments = []
    for name, row in zip(names, rows, strict=True):
        at = 0.0
        for state in USE_STATES if row["total"] else ():
            size = row[state] / row["total"] * width
            segments.append(Segment(name, state, at, at + size, percent(row[state] / row["total"])))
            at += size
    return segments


def _note(row: Row) -> list[str]:
    whom = many(row["known"], "identity", "identities")
    if not row["total"]:
        return [f"{many(row['unknown'] or row['known'], 'identity', 'identities')}"]
    return [f"{row['total']:,} granted", whom + (f", {row['unknown']:,} unknown" if row["unknown"] else "")]


def _said(names: Sequence[str], rows: Sequence[Row]) -> str:
    said = []
    for name, row in zip(names, rows, strict=True):
        parts = [f"{row[state]:,} {THEME.states[state].word}" for state in USE_STATES] if row["total"] else []
        if row["unknown"]:
            parts.append(f"grants or use of {many(row['unknown'], 'identity', 'identities')} unknown")
        said.append(f"{name}: {', '.join(parts) or 'nothing granted'}")
    return "; ".join(said)
