"""Is AI outrunning assurance: changes executed and assured week by week, when the gap opened, which leg broke."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import zip_longest
from math import ceil, floor, log10
from typing import TYPE_CHECKING, Any

import altair as alt
import polars as pl

from lineage_analytics.charts.layout import Margins, frame, halo, many, nothing, plot_width, sheet, wrapped
from lineage_analytics.charts.theme import THEME

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

    Numbers = Mapping[str, Any]

_MARGINS = Margins(left=44, right=118, top=30, bottom=4)
_QUESTION = "Is AI outrunning assurance?"
_TOP, _LEGS_AT, _ROW, _BAR = 210, 282, 30, 18
_LEG_LEFT = 150
LEGS = {"approval": "Approval", "evidence": "Evidence", "rollback": "The way back"}
_SHARES = ((0.9, "nearly all"), (0.7, "three quarters"), (0.6, "two thirds"), (0.45, "half"), (0.3, "a third"))


def acceleration_gap(weeks: pl.DataFrame, legs: pl.DataFrame, numbers: Numbers) -> alt.LayerChart:
    """AI-assisted changes executed and assured per week with what lies between shaded, and the three legs of the gap.

    Parameters
    ----------
    weeks : ``week`` (its Monday), ``executed assured failed unknown`` (counts), ``standard`` (how many the share of the
        baseline would have assured; null: not scored), ``opened`` (the week in which the gap opened), ``complete``.
    legs : ``leg`` (evidence, approval, rollback), ``contribution`` to the gap, ``low``, ``high``; empty: not scored.
    numbers : ``why_not`` (in words why the gap is not scored, else null), ``ag ag_low ag_high af q0 q1 ux days n1 n0
        unknown band baseline`` and ``stopped`` (how many changes are a reason to stop). ``policy``: beside what policy
        asks for (``q0``) instead of a baseline, then ``af ux`` are null and ``unit`` is the workstream or null.
    """
    whole = weeks.filter(pl.col("complete")).sort("week")
    shown = whole if whole.height else weeks.sort("week")
    if not shown["executed"].sum():
        return nothing(_QUESTION, "no AI-assisted change was executed, or no log of changes was loaded")
    drawn = _Drawn(shown, plot_width(_MARGINS), policy=bool(numbers.get("policy")))
    return sheet(
        [*drawn.grid(), *drawn.bands(), *drawn.lines(), *drawn.opening(), *drawn.labels(), *_legend(shown),
         *_legs(legs, numbers)],
        title=_finding(shown, legs, numbers), source=_source(shown, weeks.height - shown.height, numbers),
        description=_description(shown, legs, numbers), height=_LEGS_AT + _ROW * len(LEGS) + 8, margins=_MARGINS)


def _x() -> alt.X:
    return alt.X("x:Q", scale=alt.Scale(domain=[0, plot_width(_MARGINS)], nice=False), axis=None)


def _y() -> alt.Y:
    """Pixels from the top."""
    height = _LEGS_AT + _ROW * len(LEGS) + 8
    return alt.Y("y:Q", scale=alt.Scale(domain=[height, 0], nice=False), axis=None)


def _text(x: float, y: float, words: str, **mark: Any) -> alt.Chart:
    made: alt.Chart = alt.Chart(frame(x=[x], y=[y], words=[words])).mark_text(
        **{"align": "left", "baseline": "middle", "fontSize": THEME.chart_small, "color": THEME.light.muted, **mark},
    ).encode(x=_x(), y=_y(), text="words:N")
    return made


def _rule(x: float, x2: float, y: float, y2: float, **mark: Any) -> alt.Chart:
    made: alt.Chart = alt.Chart(frame(x=[x], x2=[x2], y=[y], y2=[y2])).mark_rule(**mark).encode(
        x=_x(), x2="x2:Q", y=_y(), y2="y2:Q")
    return made


@dataclass(frozen=True)
class _Drawn:
    """The weeks on their plot: ``weeks`` in order, ``width`` px wide."""

    weeks: pl.DataFrame
    width: int
    policy: bool = False

    @property
    def _ticks(self) -> list[int]:
        top = max(float(self.weeks["executed"].max() or 1), float(self.weeks["standard"].max() or 0))  # type: ignore[arg-type]
        rough = max(top / 4, 1)
        size = 10 ** floor(log10(rough))
        step = next(int(size * one) for one in (1, 2, 2.5, 5, 10) if size * one >= rough and (size * one) % 1 == 0)
        return [step * n for n in range(ceil(top / step) + 1)]

    def _at(self, count: float) -> float:
        return _TOP * (1 - count / self._ticks[-1])

    def _over(self, number: int) -> float:
        """The middle of a week."""
        return self.width * (number + 0.5) / self.weeks.height

    def grid(self) -> list[alt.Chart]:
        layers: list[alt.Chart] = []
        for tick in self._ticks:
            layers += [_rule(0, self.width, self._at(tick), self._at(tick), color=THEME.light.grid),
                       _text(-8, self._at(tick), f"{tick:,}", align="right")]
        layers.append(_text(-_MARGINS.left, -16, "changes a week"))
        for number, words in _months(self.weeks["week"].to_list(), self.width):
            layers += [_rule(self._over(number), self._over(number), _TOP, _TOP + 4, color=THEME.light.rule),
                       _text(self._over(number), _TOP + 14, words, align="center")]
        return layers

    def _line(self, counts: Sequence[float | None]) -> alt.InlineData:
        points = [(self._over(n), self._at(count)) for n, count in enumerate(counts) if count is not None]
        return frame(x=[x for x, _ in points], y=[y for _, y in points])

    def _band(self, low: pl.Series, high: pl.Series, **mark: Any) -> alt.Chart:
        rows = frame(x=[self._over(n) for n in range(len(low))], y=[self._at(v) for v in high],
                     y2=[self._at(v) for v in low])
        made: alt.Chart = alt.Chart(rows).mark_area(**mark).encode(x=_x(), y=_y(), y2="y2:Q")
        return made

    def bands(self) -> list[alt.Chart]:
        good, dark, done = (self.weeks[name] for name in ("assured", "unknown", "executed"))
        layers = [self._band(good + dark, done, color=THEME.light.adverse, opacity=0.18)]
        if dark.sum():
            layers.append(self._band(good, good + dark, color=THEME.light.unknown_fill, opacity=1))
            layers.append(self._edge(good + dark))
        return layers

    def _edge(self, counts: pl.Series) -> alt.Chart:
        made: alt.Chart = alt.Chart(self._line(counts.to_list())).mark_line(
            color=THEME.light.unknown_line, strokeWidth=1, strokeDash=[2, 2]).encode(x=_x(), y=_y())
        return made

    def lines(self) -> list[alt.Chart]:
        looks = (("standard", THEME.light.muted, [5, 4], 1.5), ("executed", THEME.light.adverse, [1, 0], 2.5),
                 ("assured", THEME.light.accent, [1, 0], 2.5))
        layers: list[alt.Chart] = []
        for name, colour, dash, width in looks:
            if self.weeks[name].is_not_null().any():
                line = alt.Chart(self._line(self.weeks[name].to_list()))
                layers.append(line.mark_line(color=colour, strokeDash=dash, strokeWidth=width).encode(x=_x(), y=_y()))
                if self.weeks.height == 1:
                    layers.append(line.mark_point(color=colour, size=50).encode(x=_x(), y=_y()))
        return layers

    def opening(self) -> list[alt.Chart]:
        places = [number for number, here in enumerate(self.weeks["opened"].to_list()) if here]
        if not places:
            return []
        gap = "gap to policy" if self.policy else "gap"
        x, words = self._over(places[0]), f"{gap} opens, week of {self.weeks['week'][places[0]]:%-d %b %Y}"
        left = x > self.width / 2
        label = alt.Chart(frame(x=[x], y=[10.0], words=[words]))
        return [_rule(x, x, 0, _TOP, color=THEME.light.ink, strokeDash=[3, 3]),
                *halo(label.encode(x=_x(), y=_y(), text="words:N"), align="right" if left else "left",
                      baseline="middle", dx=-6 if left else 6, fontSize=THEME.chart_small, color=THEME.light.ink)]

    def labels(self) -> list[alt.Chart]:
        last = self.weeks.row(self.weeks.height - 1, named=True)
        named = [("executed", THEME.light.adverse), ("assured", THEME.light.accent)]
        if last["standard"] is not None:
            named.append(("standard", THEME.light.muted))
        standard = "as policy asks" if self.policy else "as held before"
        words = {"executed": "executed", "assured": "assured", "standard": standard}
        ends = sorted((self._at(last[name]), name, colour) for name, colour in named)
        layers, above = [], -99.0
        for y, name, colour in ends:
            above = max(y, above + 15)
            layers.append(_text(self.width + 8, above, words[name], color=colour, fontSize=THEME.chart_text,
                                fontWeight="normal" if name == "standard" else "bold"))
        return layers


def _months(weeks: Sequence[date], width: int) -> list[tuple[int, str]]:
    """The weeks to name: the first of each month, or each week where there are few; as many as have room."""
    if len(weeks) <= 6:
        named = [(number, _day(week)) for number, week in enumerate(weeks)]
    else:
        years = weeks[0].year != weeks[-1].year
        named = [(number, f"{week:%b %Y}" if years else f"{week:%b}")
                 for number, week in enumerate(weeks) if not number or week.month != weeks[number - 1].month]
    kept = named[:: max(1, ceil(len(named) * 72 / width))]
    step = width / len(weeks)  # a month of which only the end is shown gives way to the next
    return [one for one, after in zip_longest(kept, kept[1:]) if after is None or (after[0] - one[0]) * step >= 48]


def _day(week: date) -> str:
    return f"{week:%-d %b}"


def _legend(weeks: pl.DataFrame) -> list[alt.Chart]:
    """The two bands in words, over the plot."""
    entries: list[tuple[str, str, float, str | None]] = [("cannot be defended", THEME.light.adverse, 0.18, None)]
    if weeks["unknown"].sum():
        entries.append(("cannot be judged", THEME.light.unknown_fill, 1.0, THEME.light.unknown_line))
    layers, x = [], 150.0
    for words, fill, opacity, line in entries:
        box = alt.Chart(frame(x=[x], x2=[x + 18], y=[-20.0], y2=[-8.0]))
        paint: dict[str, Any] = {"fill": fill, "fillOpacity": opacity}
        if line:
            paint |= {"stroke": line, "strokeWidth": 1, "strokeDash": [2, 2]}
        layers += [box.mark_rect(**paint).encode(x=_x(), x2="x2:Q", y=_y(), y2="y2:Q"), _text(x + 24, -14, words)]
        x += 150
    return layers


# --- the legs --------------------------------------------------------------------------------------------------------

def _legs(legs: pl.DataFrame, numbers: Numbers) -> list[alt.Chart]:
    head = _LEGS_AT - 24
    bold = {"color": THEME.light.ink, "fontSize": THEME.chart_text, "fontWeight": "bold"}
    if legs.is_empty():
        return [_text(-_MARGINS.left, head, "Which leg broke", **bold), *_not_scored(str(numbers["why_not"] or ""))]
    to = " to policy" if numbers.get("policy") else ""
    said = f"Which leg broke, of a gap{to} of {_points(numbers['ag'])} ({_points(numbers['ag_low'], bare=True)} to " \
           f"{_points(numbers['ag_high'], bare=True)})"
    rows = legs.sort("contribution", "leg", descending=[True, False])
    ends = [float(value) for name in ("contribution", "low", "high") for value in rows[name].drop_nulls()]
    low, high = min(0.0, *ends), max(0.05, *ends)
    left, right = _LEG_LEFT - _MARGINS.left, plot_width(_MARGINS) + 24
    at = _Scale(left, right, low, high)
    layers = [_text(-_MARGINS.left, head, said, **bold),
              _rule(at(0), at(0), _LEGS_AT - 8, _LEGS_AT + _ROW * rows.height - 6, color=THEME.light.rule)]
    for number, row in enumerate(rows.iter_rows(named=True)):
        layers += _leg(row, _LEGS_AT + _ROW * number + 6, at, first=number == 0)
    return layers


@dataclass(frozen=True)
class _Scale:
    left: float
    right: float
    low: float
    high: float

    def __call__(self, value: float) -> float:
        return self.left + (self.right - self.left) * (value - self.low) / (self.high - self.low)


def _leg(row: Mapping[str, Any], y: float, at: _Scale, *, first: bool) -> list[alt.Chart]:
    value = row["contribution"]
    start, end = sorted((at(0), at(value)))
    paint: dict[str, Any] = {"fill": THEME.light.adverse, "fillOpacity": 1.0 if first else 0.5}
    if value <= 0:
        paint = {"fill": THEME.light.accent_soft}
    layers = [
        _text(-_MARGINS.left, y, LEGS[row["leg"]], color=THEME.light.ink, fontSize=THEME.chart_text),
        alt.Chart(frame(x=[start], x2=[max(end, start + 1)], y=[y - _BAR / 2], y2=[y + _BAR / 2])).mark_rect(
            **paint).encode(x=_x(), x2="x2:Q", y=_y(), y2="y2:Q"),
    ]
    if row["low"] is not None:
        layers.append(_rule(at(row["low"]), at(row["high"]), y, y, color=THEME.light.ink, strokeWidth=1))
        end = max(end, at(row["high"]))
    return [*layers, _text(end + 8, y, _points(value), color=THEME.light.ink, fontWeight="bold")]


def _not_scored(reason: str) -> list[alt.Chart]:
    width = plot_width(_MARGINS) + _MARGINS.right
    lines = wrapped(f"not scored: {reason}", width + _MARGINS.left - 40, THEME.chart_text)[:3]
    box = alt.Chart(frame(x=[-_MARGINS.left + 1.0], x2=[width - 1.0], y=[_LEGS_AT - 6.0],
                          y2=[_LEGS_AT + _ROW * 3 - 6.0])).mark_rect(
        fill=THEME.light.unknown_fill, stroke=THEME.light.unknown_line, strokeDash=[4, 4], cornerRadius=4,
    ).encode(x=_x(), x2="x2:Q", y=_y(), y2="y2:Q")
    middle = _LEGS_AT + _ROW * 1.5 - 6
    return [box, *(_text(-_MARGINS.left + 20, middle + 18 * (number - (len(lines) - 1) / 2), line,
                         fontSize=THEME.chart_text) for number, line in enumerate(lines))]


# --- in words --------------------------------------------------------------------------------------------------------

def _points(share: float, *, bare: bool = False) -> str:
    value = round(share * 100)
    return f"{value}" if bare else f"{value} {'point' if abs(value) == 1 else 'points'}"


def _main(legs: pl.DataFrame) -> tuple[str, float]:
    """The leg that lost most, and its share of what the legs lost."""
    rows = legs.filter(pl.col("contribution") > 0).sort("contribution", "leg", descending=[True, False])
    if rows.is_empty():
        return "", 0.0
    return LEGS[rows["leg"][0]].lower(), float(rows["contribution"][0]) / float(rows["contribution"].sum())


def _finding(weeks: pl.DataFrame, legs: pl.DataFrame, numbers: Numbers) -> str:
    if numbers["stopped"]:
        changes = many(numbers["stopped"], "change of tier 0", "changes of tier 0")
        return f"Stop: AI had a part in {changes} without a valid approval"
    to_policy = bool(numbers.get("policy"))
    if numbers["ag"] is None or (numbers["why_not"] is not None and not to_policy):
        return f"{_QUESTION} Not scored"
    leg, share = _main(legs)
    part = next((words for least, words in _SHARES if share >= least), "")
    cause = f"; {leg} is {part + ' of it' if part else 'the largest part'}" if leg and numbers["ag_low"] > 0 else ""
    start = weeks.filter("opened")["week"].to_list()
    if to_policy:
        return _to_policy(start, cause, numbers)
    if start:
        return f"The gap opened in the week of {start[0]:%-d %B %Y}{cause}"
    if numbers["band"] == "keeping pace":
        return "Assurance keeps pace with AI"
    if numbers["ag_low"] > 0:
        return f"{round(numbers['ag'] * 100)} % of the standard held before is no longer met{cause}"
    if numbers["band"] == "gap open":
        return f"AI opened no gap, but only {round(numbers['q1'] * 100)} % of its changes can be defended"
    return "No gap is proved: assurance may have kept pace with AI, or not"


def _to_policy(start: list[date], cause: str, numbers: Numbers) -> str:
    if start:
        return f"The gap to policy opened in the week of {start[0]:%-d %B %Y}{cause}"
    if numbers["ag_low"] > 0:
        return f"{round(numbers['ag'] * 100)} % of what policy asks for is not met{cause}"
    return "No gap to policy is proved"


def _source(weeks: pl.DataFrame, left_out: int, numbers: Numbers) -> str:
    first, last = weeks["week"][0], weeks["week"][-1]
    counted = f"{many(int(weeks['executed'].sum()), 'AI-assisted change')} in {many(weeks.height, 'week')}"
    parts = [f"{counted}, from {first:%-d %b %Y}" + (f" to that of {last:%-d %b %Y}" if weeks.height > 1 else "")]
    if numbers.get("policy"):
        parts[0] += f", {numbers['unit']} alone" if numbers["unit"] else ""
        parts.append(f"last {numbers['days']} days: {round(numbers['q1'] * 100)} % of {numbers['n1']:,} assured, "
                     f"policy {round(numbers['q0'] * 100)} %; no comparison with other changes: {numbers['why_not']}")
    elif numbers["ag"] is not None:
        parts.append(f"last {numbers['days']} days: {_factor(numbers['af'])} as many changes as the baseline, "
                     f"{round(numbers['q1'] * 100)} % assured (baseline {round(numbers['q0'] * 100)} %), "
                     f"{abs(round(numbers['ux'])):,} {'more' if numbers['ux'] >= 0 else 'fewer'} not defensible")
        parts.append(f"baseline: {numbers['baseline']}, {numbers['n0']:,} known")
    if numbers["unknown"]:
        parts.append(f"{numbers['unknown']:,} could not be judged")
    if left_out:
        parts.append("the week that is not over is not drawn")
    return "; ".join(parts)


def _factor(value: float) -> str:
    return f"{value:,.1f} times" if value >= 1 else f"{value:.2f} times"


def _description(weeks: pl.DataFrame, legs: pl.DataFrame, numbers: Numbers) -> str:
    sums = {name: int(weeks[name].sum()) for name in ("executed", "assured", "failed", "unknown")}
    said = (f"AI-assisted changes by week: {sums['executed']:,} executed, {sums['assured']:,} assured, "
            f"{sums['failed']:,} not, {sums['unknown']:,} cannot be judged.")
    start = weeks.filter("opened")["week"].to_list()
    to = " to policy" if numbers.get("policy") else ""
    said += f" The gap{to} opened in the week of {start[0]:%-d %B %Y}." if start else ""
    if legs.is_empty():
        return f"{said} The gap is not scored: {numbers['why_not']}."
    parts = [f"{LEGS[leg].lower()} {_points(value)}" for leg, value in legs.select("leg", "contribution").iter_rows()]
    return (f"{said} Gap{to} {_points(numbers['ag'])}, between {_points(numbers['ag_low'])} and "
            f"{_points(numbers['ag_high'])}: {', '.join(parts)}.")
