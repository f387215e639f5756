"""Are approvals real: the time from request to approval, week by week, AI-assisted and other apart."""

from __future__ import annotations

from math import log10
from typing import TYPE_CHECKING, Any

import altair as alt
import polars as pl

from lineage_analytics.charts.layout import Margins, frame, halo, inline, many, nothing, sheet, y_title
from lineage_analytics.charts.theme import THEME

if TYPE_CHECKING:
    from collections.abc import Sequence

_MARGINS = Margins(left=64, right=96, top=34, bottom=40)
_POINTS_DRAWN = 1_600
_SHORTEST = 1.0
_REVIEW_SECONDS = 10.0
_BURST, _BURST_SECONDS = 5, 60
_BURST_DRAWN, _BURST_ROWS = 40, 300
_TICKS = ((1, "1 s"), (10, "10 s"), (60, "1 min"), (600, "10 min"), (3_600, "1 h"), (86_400, "1 d"),
          (604_800, "7 d"), (2_592_000, "30 d"))
_GROUPS = ("AI-assisted", "other", "unknown")


def approval_timing(approvals: pl.DataFrame) -> alt.LayerChart:
    """Time from request to approval on a log axis, one mark an approval, with the weekly median of each group; five or
    more by one approver within a minute are joined by a line.

    Parameters
    ----------
    approvals : ``time`` (UTC, of the approval), ``dwell_seconds`` (approval less request; null: no request on record),
        ``ai`` (of an AI-assisted change; null: unknown), ``approver`` (id; null: unknown), ``verdict``.
    """
    question = "Are approvals real?"
    timed = approvals.filter(pl.col("dwell_seconds").is_not_null() & pl.col("time").is_not_null())
    if timed.is_empty():
        return nothing(question, "no approval with its request on record was loaded")
    placed = timed.select(
        "time", "approver", seconds=pl.col("dwell_seconds").cast(pl.Float64).clip(lower_bound=_SHORTEST),
        group=pl.when(pl.col("ai").is_null()).then(pl.lit("unknown")).when("ai").then(pl.lit(_GROUPS[0])).otherwise(
            pl.lit(_GROUPS[1])),
    ).sort("time", "seconds", "group").with_columns(y=pl.col("seconds").log10())
    weekly = placed.group_by("group", week=pl.col("time").dt.truncate("1w")).agg(
        y=pl.col("y").median(), seconds=pl.col("seconds").median(), n=pl.len()).sort("group", "week")
    bursts = _bursts(placed)
    return sheet(
        [*_linked(bursts, placed), *_marks(placed), *_floor(placed), *_medians(weekly, placed)],
        title=_finding(weekly, question), source=_source(timed, approvals.height - timed.height, len(bursts)),
        height=300, margins=_MARGINS,
        description=f"Time from request to approval. {_said(weekly)}{_burst_words(len(bursts))}",
    )


def _axes(placed: pl.DataFrame) -> tuple[alt.X, alt.Y]:
    low, high = placed["time"].min(), placed["time"].max()
    span = [_ms(low) - 86_400_000, _ms(high) + 86_400_000]
    days = (span[1] - span[0]) / 86_400_000
    top = max(*placed["y"].to_list(), log10(600)) + 0.2
    words = {round(log10(seconds), 6): word for seconds, word in _TICKS if log10(seconds) <= top}
    return (
        alt.X("x:T", scale=alt.Scale(type="utc", domain=span, nice=False), axis=alt.Axis(
            title=None, format="%-d %b", tickCount="week" if days <= 70 else "month", labelOverlap="greedy")),
        alt.Y("y:Q", scale=alt.Scale(domain=[-0.15, top], nice=False), axis=alt.Axis(
            title="request to approval", values=list(words), labelExpr=_TICK_WORDS, **y_title(_MARGINS.left))),
    )


# A constant expression: the words of the fixed ticks.
_TICK_WORDS = "{" + ", ".join(f"'{log10(s):.2f}': '{word}'" for s, word in _TICKS) + "}[format(datum.value, '.2f')]"


def _ms(moment: Any) -> int:
    return int(moment.timestamp() * 1000)


def _floor(placed: pl.DataFrame) -> list[alt.Chart]:
    """The span in which an approval can hardly be more than a click."""
    x, y = _axes(placed)
    line = alt.Chart(frame(x=[_ms(placed["time"].min()) - 86_400_000], y=[log10(_REVIEW_SECONDS)],
                           words=["needs review: under 10 s"]))
    return [
        line.mark_rule(color=THEME.light.adverse, strokeDash=[5, 4]).encode(y=y),
        *halo(line.encode(x=x, y=y, text="words:N"), align="left", baseline="top", dx=4, dy=5,
              fontSize=THEME.chart_small, color=THEME.light.adverse),
    ]


def _marks(placed: pl.DataFrame) -> list[alt.Chart]:
    x, y = _axes(placed)
    if placed.height > _POINTS_DRAWN:
        placed = placed.gather_every(placed.height // _POINTS_DRAWN + 1)
    rows = placed.select(pl.col("time").dt.timestamp("ms").alias("x"), pl.col("y").round(3), "group")
    colours = THEME.light
    looks: dict[str, dict[str, Any]] = {
        "AI-assisted": {"shape": "circle", "fill": colours.accent, "stroke": colours.paper, "strokeWidth": 0.5},
        "other": {"shape": "square", "filled": False, "stroke": colours.muted, "strokeWidth": 1.2},
        "unknown": {"shape": "diamond", "filled": False, "stroke": colours.unknown_line, "strokeDash": [2, 2]},
    }
    return [
        alt.Chart(inline(chosen.drop("group"))).mark_point(size=28, opacity=0.65, **looks[group]).encode(x=x, y=y)
        for group in _GROUPS if (chosen := rows.filter(pl.col("group") == group)).height
    ]


def _medians(weekly: pl.DataFrame, placed: pl.DataFrame) -> list[alt.Chart]:
    layers: list[alt.Chart] = []
    colours = {"AI-assisted": THEME.light.accent, "other": THEME.light.muted, "unknown": THEME.light.unknown_line}
    ends = []
    for group in _GROUPS:
        chosen = weekly.filter(pl.col("group") == group)
        if chosen.is_empty():
            continue
        rows = chosen.select(
            (pl.col("week").dt.timestamp("ms") + 302_400_000).clip(_ms(placed["time"].min()), _ms(placed["time"].max()))
            .alias("x"), "y")
        layers.append(alt.Chart(inline(rows)).mark_line(
            color=colours[group], strokeWidth=2.5, strokeDash=[1, 0] if group == "AI-assisted" else [6, 3],
        ).encode(x=alt.X("x:T"), y=alt.Y("y:Q")))
        ends.append((float(rows["y"][-1]), group))
    for y, group in _apart(ends):
        label = alt.Chart(frame(y=[y], words=[group]))
        layers += halo(label.encode(x=alt.value(680 - _MARGINS.left - _MARGINS.right + 6), y=alt.Y("y:Q"),
                                    text="words:N"),
                       align="left", baseline="middle", color=colours[group], fontWeight="bold")
    return layers


def _apart(ends: Sequence[tuple[float, str]], gap: float = 0.32) -> list[tuple[float, str]]:
    """Label positions at least ``gap`` from each other, lowest first."""
    made: list[tuple[float, str]] = []
    for y, group in sorted(ends):
        made.append((max(y, made[-1][0] + gap) if made else y, group))
    return made


def _bursts(timed: pl.DataFrame) -> list[pl.DataFrame]:
    """Runs of approvals by one approver in which each is one of five or more within a minute: their rows, in order."""
    found = []
    known = timed.filter(pl.col("approver").is_not_null()).sort("approver", "time", "seconds", "group")
    for _, rows in known.group_by("approver", maintain_order=True):
        times = rows["time"].to_list()
        marked = [False] * len(times)
        for at in range(len(times) - _BURST + 1):
            if (times[at + _BURST - 1] - times[at]).total_seconds() <= _BURST_SECONDS:
                marked[at : at + _BURST] = [True] * _BURST
        start = None
        for at in range(len(times) + 1):
            inside = at < len(times) and marked[at]
            apart = inside and start is not None and (times[at] - times[at - 1]).total_seconds() > _BURST_SECONDS
            if start is not None and (not inside or apart):
                found.append(rows[start:at])
                start = None
            if inside and start is None:
                start = at
    return sorted(found, key=lambda rows: (rows["time"][0], rows["approver"][0]))


def _linked(bursts: Sequence[pl.DataFrame], placed: pl.DataFrame) -> list[alt.Chart]:
    """The approvals of each burst joined by a line, and at the largest how many they are."""
    if not bursts:
        return []
    x, y = _axes(placed)
    rows = [{"x": _ms(time), "y": round(at, 3), "burst": number, "order": order}
            for number, burst in enumerate(bursts)
            for order, (time, at) in enumerate(burst.head(_BURST_DRAWN).select("time", "y").iter_rows())]
    line = alt.Chart(alt.InlineData(values=rows[:_BURST_ROWS])).mark_line(
        color=THEME.light.adverse, strokeWidth=5, opacity=0.45, strokeCap="round",
    ).encode(x=x, y=y, detail="burst:N", order="order:Q")
    most = max(bursts, key=len)
    label = alt.Chart(frame(x=[_ms(most["time"][0])], y=[float(most["y"].to_list()[0])],
                            words=[f"{most.height} within a minute"]))
    return [line, *halo(label.encode(x=x, y=y, text="words:N"), align="right", baseline="middle", dx=-8,
                        fontSize=THEME.chart_small, color=THEME.light.adverse)]


def _time(seconds: float) -> str:
    for size, word in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:,.0f} {word}"
    return f"{seconds:,.0f} s"


def _ends(weekly: pl.DataFrame, group: str) -> tuple[float, float] | None:
    chosen = weekly.filter((pl.col("group") == group) & (pl.col("n") >= 3))
    return (float(chosen["seconds"][0]), float(chosen["seconds"][-1])) if chosen.height >= 2 else None


def _finding(weekly: pl.DataFrame, question: str) -> str:
    for group, words in (("AI-assisted", "AI-assisted changes"), ("other", "changes")):
        ends = _ends(weekly, group)
        if ends and ends[1] < ends[0] / 2:
            return f"Approvals of {words} sped up from {_time(ends[0])} to {_time(ends[1])}: needs review"
        if ends and ends[1] > ends[0] * 2:
            return f"Approvals of {words} take longer: {_time(ends[1])}, after {_time(ends[0])}"
        if ends:
            return f"Approvals of {words} take as long as before, about {_time(ends[1])}"
    return question


def _said(weekly: pl.DataFrame) -> str:
    said = []
    for group in _GROUPS:
        chosen = weekly.filter(pl.col("group") == group)
        if chosen.height:
            said.append(f"{group}: {many(int(chosen['n'].sum()), 'approval')}, weekly median "
                        f"{_time(float(chosen['seconds'][0]))} in the first week and "
                        f"{_time(float(chosen['seconds'][-1]))} in the last")
    return "; ".join(said) + "."


def _burst_words(bursts: int) -> str:
    return f" {many(bursts, 'burst')} of five or more approvals within a minute by one approver." if bursts else ""


def _source(timed: pl.DataFrame, without: int, bursts: int) -> str:
    times = timed["time"].sort().to_list()
    first, last = times[0], times[-1]
    parts = [f"{many(timed.height, 'approval')}, {first:%-d %b %Y} to {last:%-d %b %Y}", "lines: weekly median"]
    if bursts:
        parts.append(f"wide lines: {many(bursts, 'burst')} of five or more within a minute by one approver, "
                     "needs review")
    if without:
        parts.append(f"{without:,} without a request on record are not drawn")
    return "; ".join(parts)
