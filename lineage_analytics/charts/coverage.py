"""What did we see, and was everything understood: days received per source, and the fate of every record."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import groupby
from typing import NamedTuple

import altair as alt
import polars as pl

from lineage_analytics.charts.layout import (
    MAX_ROWS_DRAWN,
    Margins,
    beside,
    frame,
    many,
    nothing,
    plot_width,
    row_names,
    sheet,
    unique_labels,
)
from lineage_analytics.charts.theme import THEME
from lineage_analytics.source_days import source_days, window_days

_DAYS_DRAWN = 120
_CELLS_DRAWN = 1_500
_MARGINS = Margins(left=170, right=150, top=44)
_ROW, _ROW_DENSE, _ROOMY = 40, 32, 12
_BAR = 20
_QUESTION = "What did we see?"
_DAY = timedelta(days=1)


@dataclass(frozen=True)
class _Strip:
    """One source: its state on each day of the window, and runs of equal state to draw."""

    name: str
    runs: list[tuple[date, date, str]]
    received: int
    expected: int
    late: int
    untold: int
    only: date | None


class _Day(NamedTuple):
    day: date
    records: int
    state: str
    due: bool | None


def coverage_calendar(coverage: pl.DataFrame, window: tuple[datetime, datetime]) -> alt.LayerChart:
    """Source by day: received, partial, missing, may still arrive.

    Parameters
    ----------
    coverage : columns of ``tables.COVERAGE``. A day is partial with fewer than 10 % of the source's median records,
        late while its source may still deliver it (``lateness_seconds``), missing when neither and nothing came.
        Blank are days before a source's first record, and those without one of a source that has records on fewer
        than half of its days, unless it was declared as expected: see ``source_days``.
    window : start and end of the reporting window (UTC); counts on the right are of its days.
    """
    end, length = window[1], max(round((window[1] - window[0]) / _DAY), 1)
    opening, last = window_days(end.astimezone(UTC), length)
    every, first = _strips(coverage, opening, last, end)
    if not every:
        return nothing(_QUESTION, "no source was loaded and none is declared as expected")
    strips = _drawn(every)
    more, row = len(every) - len(strips), _ROW if len(strips) <= _ROOMY else _ROW_DENSE
    names = [strip.name for strip in strips]
    y = alt.Y("row:N", sort=names, axis=None, scale=alt.Scale(paddingInner=0, paddingOuter=0))
    x = _x(first, last)
    days = f"{first:%-d %b %Y} to {last:%-d %b %Y}, UTC days"
    layers = [*row_names(names, y, _MARGINS.left), *_window(opening, last, x), *_runs(strips, x, y),
              *_counts(strips, y)]
    return sheet(
        layers, title=_finding(every, length), description=_description(strips, days),
        source=f"{days}; low bar: under 10 % of the source's usual day; thin line: nothing received; dotted: may still "
               "arrive; blank: before its first record, or too quiet to tell"
               f"{f'; and {more} more sources' if more else ''}",
        height=row * len(strips), margins=_MARGINS,
    )


def _strips(
    coverage: pl.DataFrame, opening: date, last: date, end: datetime
) -> tuple[list[_Strip], date]:
    oldest = last - timedelta(days=_DAYS_DRAWN - 1)
    days = source_days(coverage, min(oldest, opening), last, end)
    first = min([opening, *days.filter((pl.col("records") > 0) | pl.col("due"))["day"]])
    rows = days.filter(pl.col("day") >= first).group_by("source", "tenant", maintain_order=True).agg(
        "day", "records", "state", "due")
    keys = [(source or "", tenant or "") for source, tenant in rows.select("source", "tenant").iter_rows()]
    return [
        _strip(name, [_Day(*one) for one in zip(*held, strict=True)], opening)
        for name, held in zip(unique_labels(_names(keys)), rows.drop("source", "tenant").iter_rows(), strict=True)
    ], first


def _drawn(strips: list[_Strip]) -> list[_Strip]:
    """As many as can be read, those that lack days before the others; in their own order."""
    kept: list[int] = []
    cells = 0
    for place in sorted(range(len(strips)), key=lambda at: (strips[at].received >= strips[at].expected, at)):
        cells += len(strips[place].runs)
        if kept and (len(kept) == MAX_ROWS_DRAWN or cells > _CELLS_DRAWN):
            break
        kept.append(place)
    return [strips[place] for place in sorted(kept)]


def _names(keys: list[tuple[str, str]]) -> list[str]:
    sources = [source for source, _ in keys]
    return [f"{source} {tenant}" if tenant and sources.count(source) > 1 else source for source, tenant in keys]


def _strip(name: str, days: list[_Day], opening: date) -> _Strip:
    runs = [
        (members[0].day, members[-1].day + _DAY, state)
        for state, group in groupby(days, key=lambda one: one.state) if (members := list(group))
    ]
    states = [one.state for one in days if one.day >= opening and one.due is not False]
    late, untold = states.count("late"), states.count("untold")
    with_records = [one.day for one in days if one.records]
    return _Strip(name, runs, states.count("received"), len(states) - late - untold, late, untold,
                  with_records[0] if len(with_records) == 1 else None)


def _ms(day: date) -> int:
    return int(datetime.combine(day, time(), UTC).timestamp() * 1000)


def _x(first: date, last: date) -> alt.X:
    span = (last - first).days + 1
    return alt.X(
        "x:T", scale=alt.Scale(type="utc", domain=[_ms(first), _ms(last + _DAY)], nice=False),
        axis=alt.Axis(orient="top", title=None, format="%-d %b", tickCount="week" if span <= 45 else "month",
                      grid=True, labelOverlap="greedy", labelPadding=24, labelFlush=False),
    )


def _window(opening: date, last: date, x: alt.X) -> list[alt.Chart]:
    """The reporting window: a line under the axis labels and its name."""
    base = alt.Chart(frame(x=[_ms(opening)], x2=[_ms(last + _DAY)], name=["reporting window"]))
    muted = THEME.light.muted
    return [
        base.mark_rule(color=muted, strokeWidth=1.5).encode(x=x, x2="x2:T", y=alt.value(-6)),
        base.mark_text(align="right", baseline="bottom", fontSize=THEME.chart_small, color=muted, dy=-2).encode(
            x=alt.X("x2:T"), y=alt.value(-8), text="name:N"),
    ]


def _runs(strips: list[_Strip], x: alt.X, y: alt.Y) -> list[alt.Chart]:
    colours = THEME.light
    rows = [
        {"row": strip.name, "x": _ms(start), "x2": _ms(stop), "state": state}
        for strip in strips for start, stop, state in strip.runs
    ]

    def of(state: str) -> alt.Chart:
        return alt.Chart(alt.InlineData(values=[row for row in rows if row["state"] == state]))

    half = _BAR / 2
    return [
        of("received").mark_bar(color=colours.accent_soft, height=_BAR).encode(x=x, x2="x2:T", y=y),
        of("partial").mark_bar(color=colours.adverse, height=6, yOffset=half - 3).encode(x=x, x2="x2:T", y=y),
        of("missing").mark_bar(color=colours.adverse, height=2, yOffset=half - 1).encode(x=x, x2="x2:T", y=y),
        of("late").mark_bar(
            fill=colours.unknown_fill, stroke=colours.unknown_line, strokeDash=[2, 2], height=_BAR
        ).encode(x=x, x2="x2:T", y=y),
    ]


def _counts(strips: list[_Strip], y: alt.Y) -> list[alt.Chart]:
    names, at = [strip.name for strip in strips], plot_width(_MARGINS) + 16
    return [
        *beside(names, [[_said(strip)] for strip in strips], y, at, weight="bold",
                dy=[-8.0 if _note(strip) else 0.0 for strip in strips]),
        *beside(names, [[note] if (note := _note(strip)) else [] for strip in strips], y, at,
                dy=[8.0] * len(names), size=THEME.chart_small, colour=THEME.light.muted),
    ]


def _note(strip: _Strip) -> str:
    if strip.untold and strip.late:
        return f"{strip.untold} too quiet, {strip.late} may come"
    if strip.untold:
        return f"{strip.untold} too quiet to tell"
    return f"{strip.late} may still arrive" if strip.late else ""


def _said(strip: _Strip) -> str:
    if strip.only is not None:
        return f"on {strip.only:%-d %b} only"
    if strip.untold and strip.received == strip.expected:
        return f"on {many(strip.received, 'day')}"
    if not strip.expected:
        return "no day due yet"
    return f"{strip.received} of {many(strip.expected, 'day')}" if strip.received else "nothing received"


def _finding(strips: list[_Strip], length: int) -> str:
    lacking = sorted((s for s in strips if s.received < s.expected), key=lambda s: (s.received - s.expected, s.name))
    if not lacking:
        return f"Every source was received on every day of the {many(length, 'day')}"
    worst = lacking[0]
    if not worst.received:
        return f"Nothing received from {worst.name} in the {many(length, 'day')}" + (
            f"; {len(lacking)} of {len(strips)} sources lack days" if len(lacking) > 1 else "")
    if len(lacking) == 1:
        return f"{worst.name} lacks {many(worst.expected - worst.received, 'day')} of {worst.expected}"
    return (f"{len(lacking)} of {many(len(strips), 'source')} lack days; {worst.name} most, "
            f"{worst.expected - worst.received} of {worst.expected}")


def _description(strips: list[_Strip], days: str) -> str:
    said = [
        f"{strip.name}: {_said(strip)}" + (f", {note}" if (note := _note(strip)) else "")
        for strip in strips
    ]
    return f"Days received per source in the reporting window, drawn for {days}. {'; '.join(said)}."


_FATES = ("accepted", "duplicate", "quarantined", "rejected")
_FATE_MARGINS = Margins(left=170, right=8, top=30)


def source_counts(counts: pl.DataFrame) -> alt.LayerChart:
    """What became of every record seen, per source: accepted, duplicate, quarantined, rejected.

    Parameters
    ----------
    counts : ``source`` (text) and ``accepted, duplicate, quarantined, rejected`` (records), one row per source.
    """
    question = "Was everything understood?"
    rows = [row for row in counts.sort("source").iter_rows(named=True) if sum(row[f] or 0 for f in _FATES)]
    if not rows:
        return nothing(question, "no record was loaded")
    drawn = sorted(rows, key=lambda row: -sum(row[f] or 0 for f in _FATES))[:MAX_ROWS_DRAWN]
    names = unique_labels([row["source"] for row in drawn])
    y = alt.Y("row:N", sort=names, axis=None, scale=alt.Scale(paddingInner=0, paddingOuter=0))
    totals = {fate: sum(row[fate] or 0 for row in rows) for fate in _FATES}
    seen = sum(totals.values())
    more = len(rows) - len(drawn)
    said = [f"{name}: " + ", ".join(f"{row[f] or 0:,} {f}" for f in _FATES)
            for name, row in zip(names, drawn, strict=True)]
    return sheet(
        [*row_names(names, y, _FATE_MARGINS.left), *_fates(drawn, names, y)],
        title=_understood(totals, seen),
        source=f"{many(seen, 'record')} seen in {many(len(rows), 'source')}: accepted + duplicate + quarantined + "
               f"rejected{f'; and {more} more sources' if more else ''}",
        description=f"Records per source by what became of them. {'; '.join(said)}.",
        height=32 * len(drawn), margins=_FATE_MARGINS,
    )


def _understood(totals: dict[str, int], seen: int) -> str:
    """What is not for us is understood, too: it is no fault of a log that most of it is about something else."""
    odd, foreign = totals["quarantined"], totals["rejected"]
    said = f"All {many(seen, 'record')} were understood" if seen > 1 else "The one record was understood"
    if odd:
        said = f"{odd:,} of {many(seen, 'record')} {'was' if odd == 1 else 'were'} not understood"
    return f"{said}; {foreign:,} {'is' if foreign == 1 else 'are'} not for us" if foreign else said


def _fates(rows: list[dict[str, int]], names: list[str], y: alt.Y) -> list[alt.Chart]:
    """A bar of shares and one column of numbers per fate, headed in words."""
    colours = THEME.light
    paint = {"accepted": colours.accent, "duplicate": colours.accent_soft, "quarantined": colours.adverse,
             "rejected": colours.unknown_line}
    bar_width, column = 170.0, 82
    layers: list[alt.Chart] = []
    for at, fate in enumerate(_FATES):
        values = []
        for name, row in zip(names, rows, strict=True):
            total = sum(row[f] or 0 for f in _FATES)
            before = sum(row[f] or 0 for f in _FATES[:at])
            if row[fate]:
                values.append({"row": name, "x": before / total * bar_width,
                               "x2": (before + row[fate]) / total * bar_width})
        scale = alt.Scale(domain=[0, plot_width(_FATE_MARGINS)], nice=False)
        layers.append(alt.Chart(alt.InlineData(values=values)).mark_bar(color=paint[fate], height=14).encode(
            x=alt.X("x:Q", scale=scale, axis=None), x2="x2:Q", y=y))
        right = bar_width + 8 + column * (at + 1)
        layers += beside(names, [[f"{row[fate]:,}"] if row[fate] else [] for row in rows], y, right, align="right")
        layers += beside(names, [[] if row[fate] else ["0"] for row in rows], y, right, align="right",
                         colour=colours.muted)
        layers.append(alt.Chart(frame(x=[right - 24], x2=[right])).mark_rule(color=paint[fate], strokeWidth=4).encode(
            x=alt.X("x:Q", scale=scale, axis=None), x2="x2:Q", y=alt.value(-2)))
        layers.append(alt.Chart(frame(words=[fate])).mark_text(
            align="right", baseline="bottom", fontSize=THEME.chart_small, color=colours.muted,
        ).encode(x=alt.value(right), y=alt.value(-8), text="words:N"))
    return layers
