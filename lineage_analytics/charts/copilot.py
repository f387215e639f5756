"""What assistants read for their users, beside what the users opened themselves."""

from __future__ import annotations

from math import log10
from typing import TYPE_CHECKING

import altair as alt
import polars as pl

from lineage_analytics.charts.layout import Margins, frame, halo, inline, many, nothing, percent, sheet, y_title
from lineage_analytics.charts.theme import THEME

if TYPE_CHECKING:
    from collections.abc import Sequence

_ZERO, _UNKNOWN = -0.55, -1.1
_MARGINS = Margins(left=72, right=16, top=34, bottom=52)
_DOTS_DRAWN = 1_500
_TAIL_USERS = 20
# A constant expression: positions are logarithms, with a place of their own for none and for unknown.
_LABELS = "datum.value < -1 ? 'unknown' : datum.value < 0 ? '0' : format(pow(10, datum.value), ',')"


def copilot_reach(reach: pl.DataFrame, period: str = "") -> alt.LayerChart:
    """Per user, items an assistant accessed against those of them the user had not opened, on log axes.

    Parameters
    ----------
    reach : one row per user with ``accessed`` (distinct items an assistant accessed for the user), ``opened`` (distinct
        items the user opened; null: no log would show it), ``accessed_not_opened`` (of the accessed; null: unknown)
        and ``labelled`` (of the accessed, how many had a sensitivity label on record; null: unknown).
    period : the time the counts are of, in words, for the source line; empty: not stated.

    Users are drawn by their two counts only; those with equal counts are one dot, as large as they are many. How many
    items a user opened in all is not an axis: who opens much would look well served by an assistant that reads other
    things.
    """
    question = "What did assistants read that their users had not opened?"
    users = reach.filter(pl.col("accessed").is_not_null() & (pl.col("accessed") > 0))
    if users.is_empty():
        return nothing(question, "no interaction of an assistant with a named resource was loaded")
    dots = _dots(users)
    top = max(1.0, *dots["x"].to_list(), *dots["y"].to_list())
    ticks = [_ZERO, *range(int(top) + 2)]
    limit = [_ZERO - 0.2, top + 0.25]
    x = alt.X("x:Q", scale=alt.Scale(domain=[-0.25, top + 0.25], nice=False), axis=alt.Axis(
        title="items an assistant accessed for the user", values=ticks[1:], labelExpr=_LABELS))
    blind = users["accessed_not_opened"].null_count()
    if blind:
        ticks, limit = [_UNKNOWN, *ticks], [_UNKNOWN - 0.2, limit[1]]
    y = alt.Y("y:Q", scale=alt.Scale(domain=limit, nice=False), axis=alt.Axis(
        title="of these, items the user had not opened", values=ticks, labelExpr=_LABELS, **y_title(_MARGINS.left)))
    p95 = float(users["accessed"].quantile(0.95, "higher") or 0)
    lines = _lines(p95 if users.height >= _TAIL_USERS else None, top, limit, x, y)
    return sheet(
        [*lines, *_drawn(dots, x, y)], title=_finding(users), height=380, margins=_MARGINS,
        source=_source(users, blind, period), description=_description(users, blind, p95),
    )


def _place(name: str) -> pl.Expr:
    return pl.when(pl.col(name) > 0).then(pl.col(name).cast(pl.Float64).log10()).otherwise(_ZERO)


def _dots(users: pl.DataFrame) -> pl.DataFrame:
    placed = users.select(
        x=_place("accessed"),
        y=pl.when(pl.col("accessed_not_opened").is_null()).then(_UNKNOWN).otherwise(_place("accessed_not_opened")),
        state=pl.when(pl.col("accessed_not_opened").is_null()).then(pl.lit("unknown")).when(
            pl.col("accessed_not_opened") > 0).then(pl.lit("some")).otherwise(pl.lit("none")),
    )
    for digits in (3, 2, 1):
        dots = placed.with_columns(pl.col("x", "y").round(digits)).group_by("x", "y", "state").agg(
            users=pl.len()).sort("x", "y", "state")
        if dots.height <= _DOTS_DRAWN:
            break
    return dots.with_columns(size=40.0 * pl.col("users").cast(pl.Float64).sqrt())


def _lines(p95: float | None, top: float, limit: Sequence[float], x: alt.X, y: alt.Y) -> list[alt.Chart]:
    muted = THEME.light.muted
    same = alt.Chart(frame(x=[0.0], y=[0.0], x2=[top + 0.2], y2=[top + 0.2]))
    layers: list[alt.Chart] = [
        same.mark_rule(color=THEME.light.rule, strokeDash=[2, 3]).encode(x=x, y=y, x2="x2:Q", y2="y2:Q"),
    ]
    if p95 is None:
        return layers
    mark = alt.Chart(frame(x=[log10(p95)], y=[limit[1]], words=[f"1 user in 20 is beyond {p95:,.0f}"]))
    left = log10(p95) > top * 0.6
    return [
        *layers,
        mark.mark_rule(color=muted, strokeDash=[5, 4]).encode(x=x),
        *halo(mark.encode(x=x, y=y, text="words:N"), align="right" if left else "left", baseline="top",
              dx=-6 if left else 6, dy=6, fontSize=THEME.chart_small, color=muted),
    ]


def _drawn(dots: pl.DataFrame, x: alt.X, y: alt.Y) -> list[alt.Chart]:
    size = alt.Size("size:Q", scale=None)
    some, none, blind = (dots.filter(pl.col("state") == state).drop("state") for state in ("some", "none", "unknown"))
    colours = THEME.light
    return [
        alt.Chart(inline(blind)).mark_point(shape="diamond", filled=False, stroke=colours.unknown_line,
                                            strokeWidth=1.2, opacity=0.9).encode(x=x, y=y, size=size),
        alt.Chart(inline(none)).mark_point(fill=colours.accent_soft, stroke=colours.paper, strokeWidth=0.5,
                                           opacity=0.8).encode(x=x, y=y, size=size),
        alt.Chart(inline(some)).mark_point(fill=colours.accent, stroke=colours.paper, strokeWidth=0.5,
                                           opacity=0.85).encode(x=x, y=y, size=size),
    ]


def _finding(users: pl.DataFrame) -> str:
    known = users.filter(pl.col("accessed_not_opened").is_not_null())
    if known.is_empty():
        return f"Whether {many(users.height, 'user')} had opened what assistants read for them is unknown"
    some = known.filter(pl.col("accessed_not_opened") > 0).height
    if not some:
        return f"Assistants read nothing that {many(known.height, 'user')} had not opened"
    whom = f"all {known.height:,}" if some == known.height and some > 1 else f"{some:,} of {known.height:,}"
    return f"For {whom} users, assistants read items the user had not opened"


def _source(users: pl.DataFrame, blind: int, period: str) -> str:
    parts = [f"{many(users.height, 'user')}{f', {period}' if period else ''}", "dotted: none of it had been opened",
             "larger dot: more users"]
    labelled = users.filter(pl.col("labelled").is_not_null())
    accessed, with_label = int(labelled["accessed"].sum()), int(labelled["labelled"].sum())
    if accessed:
        parts.append(f"{percent(1 - with_label / accessed)} of what was read had no label on record")
    if blind:
        parts.append(f"open: no log shows what {many(blind, 'user')} opened")
    return "; ".join(parts)


def _description(users: pl.DataFrame, blind: int, p95: float) -> str:
    middle = float(users["accessed"].median() or 0)  # type: ignore[arg-type]
    unknown = f" For {many(blind, 'user')} what was opened is unknown." if blind else ""
    return (f"Items an assistant accessed against those the user had not opened, for {many(users.height, 'user')}: "
            f"median {middle:,.0f} accessed, 95th percentile {p95:,.0f}. {_finding(users)}.{unknown}")
