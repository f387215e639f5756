"""How over-privileged are we, and by which definition: the sweep of thresholds, with the three of PRV-01."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import altair as alt
import polars as pl

from lineage_analytics.charts.kinds import NHI_KINDS, commonest, counted
from lineage_analytics.charts.layout import (
    Margins,
    frame,
    halo,
    many,
    nothing,
    percent,
    plot_width,
    share_axis,
    sheet,
    text_width,
    y_title,
)
from lineage_analytics.charts.theme import THEME

if TYPE_CHECKING:
    from collections.abc import Mapping

# An industry group's 2025 figure; unit and definition status print beside it (metrics.md 5).
EXTERNAL_SHARE = 0.97
EXTERNAL_CAPTION = "97 %, external: vendor telemetry of 2025, definition unpublished"
DEFINITIONS = {
    "a": "anything unused, or a wildcard", "b": "half of it unused, or a sensitive one",
    "c": "holds or reaches admin control",
}
_ALONE = {"a": "left something unused, or hold a wildcard", "b": "left half unused, or a sensitive permission",
          "c": "hold or reach admin control"}
# Where a definition stands among the thresholds. c asks nothing of use, so it stands beside them.
_AT = {"a": 0.0, "b": 0.5, "c": 1.06}
_SHAPES = {"a": "circle", "b": "square", "c": "diamond"}
_RIGHT = 1.09
_STEPS = 100
_MARGINS = Margins(left=52, right=4, top=34, bottom=52)
_HEIGHT = 300
_BESIDE, _LABEL = 12, 17
_QUESTION = "How over-privileged are we, and by which definition?"


@dataclass(frozen=True)
class Shares:
    """Unused shares of the accounts of which use is known; how many are not known, and how many have nothing to use.

    ``known`` has ``share`` over what is observable (null: nothing is), and ``low`` and ``high`` with the unobservable
    counted as used and as unused.
    """

    known: pl.DataFrame
    unknown: int
    without: int

    def above(self, threshold: float) -> tuple[float, float, float]:
        """Share of accounts over the threshold, and the same with every unknown counted as under, and as over it."""
        total = self.known.height + self.unknown
        shares = self.known["share"].drop_nulls()
        return (float((shares > threshold).sum()) / max(shares.len(), 1),
                float((self.known["low"] > threshold).sum()) / max(total, 1),
                float((self.known["high"] > threshold).sum() + (self.unknown if threshold < 1 else 0)) / max(total, 1))


def excess_sweep(permissions: pl.DataFrame, measures: pl.DataFrame, lookback_days: int = 90) -> alt.LayerChart:
    """Share of service accounts with an unused share above each threshold, and the three definitions of PRV-01.

    Parameters
    ----------
    permissions : one row per identity with ``kind`` and ``used, unused, unobservable, reason`` as in
        ``tables.PERMISSIONS``: counts of permissions, null where use is not known. Accounts of human or unknown kind,
        and those with an ``excluded_reason`` where that column is given, are left out, and so are those with nothing
        old enough to have been used.
    measures : columns of ``tables.MEASURES``; PRV-01 in scopes a, b and c gives the points, ``worst_case`` and
        ``best_case`` the band of each, ``ci_low`` and ``ci_high`` its thin line. Unscored ones are named in words.
    lookback_days : the look-back that "unused" is about.
    """
    held = counted(permissions.filter(pl.col("kind").is_in(NHI_KINDS)))
    shares = unused_shares(held)
    points = {row["scope"]: row for row in measures.filter(pl.col("metric_id") == "PRV-01").iter_rows(named=True)}
    scored = {scope: points[scope] for scope in DEFINITIONS if scope in points and points[scope]["value"] is not None}
    if shares.known.is_empty() and not scored:
        return nothing(_QUESTION, commonest(held["reason"].to_list(), "no use of permissions is known") if held.height
                       else "no service account with permissions was loaded")
    x = alt.X("x:Q", scale=alt.Scale(domain=[0, _RIGHT], nice=False),
              axis=share_axis("threshold: more than this share of what it was granted went unused", grid=False,
                              titleAnchor="start"))
    y = alt.Y("y:Q", scale=alt.Scale(domain=[0, 1], nice=False),
              axis=share_axis("share of service accounts", **y_title(_MARGINS.left)))
    return sheet(
        [*_curve(shares, x, y), *_external(x, y), *_points(scored, shares, x, y)], title=_finding(scored),
        height=_HEIGHT, margins=_MARGINS, source=_source(shares, scored, lookback_days),
        description=_description(shares, scored),
    )


def unused_shares(held: pl.DataFrame) -> Shares:
    """What is known of each account's unused share."""
    unseen, seen = pl.col("unobservable").fill_null(0), pl.col("used") + pl.col("unused")
    known = held.with_columns(pl.col("used", "unused", "unobservable").cast(pl.Float64)).filter(seen.is_not_null())
    some = known.filter(seen + unseen > 0).select(
        share=pl.when(seen > 0).then(pl.col("unused") / seen),
        low=pl.col("unused") / (seen + unseen), high=(pl.col("unused") + unseen) / (seen + unseen))
    return Shares(some, held.height - known.height, known.height - some.height)


def _curve(shares: Shares, x: alt.X, y: alt.Y) -> list[alt.Chart]:
    if shares.known.is_empty():
        return [alt.Chart(frame(x=[0.5], y=[0.5], words=["unused shares are not known"])).mark_text(
            color=THEME.light.muted).encode(x=x, y=y, text="words:N")]
    steps = [step / _STEPS for step in range(_STEPS + 1)]
    shown, low, high = zip(*map(shares.above, steps), strict=True)
    band = alt.Chart(frame(x=steps, y=low, y2=high))
    layers = [band.mark_area(color=THEME.light.wash, interpolate="step-after").encode(x=x, y=y, y2="y2:Q")]
    if shares.known["share"].drop_nulls().len():
        line = alt.Chart(frame(x=steps, y=shown))
        layers.append(line.mark_line(color=THEME.light.accent, strokeWidth=2.5, interpolate="step-after").encode(
            x=x, y=y))
    return layers


def _external(x: alt.X, y: alt.Y) -> list[alt.Chart]:
    line = alt.Chart(frame(x=[0.0], x2=[1.0], y=[EXTERNAL_SHARE], words=[EXTERNAL_CAPTION]))
    muted = THEME.light.muted
    return [
        line.mark_rule(color=muted, strokeDash=[5, 4]).encode(x=x, x2="x2:Q", y=y),
        *halo(line.encode(x=alt.X("x2:Q"), y=y, text="words:N"), align="right", baseline="bottom", dy=-14,
              fontSize=THEME.chart_small, color=muted),
    ]


def _points(scored: Mapping[str, dict[str, Any]], shares: Shares, x: alt.X, y: alt.Y) -> list[alt.Chart]:
    layers: list[alt.Chart] = []
    colours = THEME.light
    words = {scope: f"{scope}  {percent(row['value'])}  {DEFINITIONS[scope]}" for scope, row in scored.items()}
    shifts = _shifts({scope: row["value"] for scope, row in scored.items()}, words, shares)
    for scope, row in scored.items():
        value = row["value"]
        data = alt.Chart(frame(
            x=[_AT[scope]], y=[value], words=[words[scope]],
            worst=[_or(row["worst_case"], value)], best=[_or(row["best_case"], value)],
            low=[_or(row["ci_low"], value)], high=[_or(row["ci_high"], value)]))
        right = scope == "c"
        layers += [
            data.mark_rule(color=colours.rule, strokeWidth=7).encode(x=x, y=alt.Y("best:Q"), y2="worst:Q"),
            data.mark_rule(color=colours.ink, strokeWidth=1.2).encode(x=x, y=alt.Y("low:Q"), y2="high:Q"),
            data.mark_point(shape=_SHAPES[scope], fill=colours.ink, stroke=colours.paper, strokeWidth=1.5,
                            size=110, opacity=1).encode(x=x, y=y),
            *halo(data.encode(x=x, y=y, text="words:N"), align="right" if right else "left", fontWeight="bold",
                  baseline="middle", dx=-_BESIDE if right else _BESIDE, dy=shifts[scope]),
        ]
    return layers


def _shifts(values: Mapping[str, float], words: Mapping[str, str], shares: Shares) -> dict[str, int]:
    """How many px under its point (over it: negative) each label stands: clear of each other, and of the curve."""
    scale = plot_width(_MARGINS) / _RIGHT
    placed: list[tuple[float, float, float]] = [(0, plot_width(_MARGINS), (1 - EXTERNAL_SHARE) * _HEIGHT)]
    found = {}
    for scope, value in values.items():
        wide = text_width(words[scope], THEME.chart_text, bold=True)
        start = _AT[scope] * scale + (-_BESIDE - wide if scope == "c" else _BESIDE)
        at = (1 - value) * _HEIGHT
        lines = [(1 - shares.above(min((start + wide * part) / scale, 1))[0]) * _HEIGHT for part in (0, 0.5, 1)]

        def crowded(shift: int) -> float:
            here = at + shift  # noqa: B023  (used at once)
            near = [y for left, right, y in placed if left < start + wide and right > start]  # noqa: B023
            off = here < 6 or here > _HEIGHT - 6
            return 1_000 * off + sum(100 for y in near if abs(y - here) < _LABEL) + sum(
                10 for y in lines if abs(y - here) < _LABEL) + abs(shift) / 10  # noqa: B023

        found[scope] = min((-16, 16, 0, 34, -34, 52, -52), key=crowded)
        placed.append((start, start + wide, at + found[scope]))
    return found


def _or(value: float | None, other: float) -> float:
    return other if value is None else value


def _source(shares: Shares, scored: Mapping[str, dict[str, Any]], lookback_days: int) -> str:
    drawn = many(shares.known.height, "service account")
    parts = [f"{drawn} whose permissions and use are known, look-back {lookback_days} days"]
    if shares.unknown:
        parts[0] += f"; of {shares.unknown:,} more they are not"
    if shares.without:
        parts.append(f"{many(shares.without, 'account')} without a permission old enough to tell left out")
    parts.append("band and grey bars: what is unknown counted both ways")
    if any(row["ci_low"] is not None for row in scored.values()):
        parts.append("thin line: 95 % interval, to compare periods")
    parts += [f"{scope} not scored" for scope in DEFINITIONS if scope not in scored]
    return "; ".join(parts)


def _finding(scored: Mapping[str, dict[str, Any]]) -> str:
    if not scored:
        return _QUESTION
    low = min(scored.values(), key=lambda row: row["value"])
    high = max(scored.values(), key=lambda row: row["value"])
    n = max(int(row["denominator"] or 0) for row in scored.values())
    accounts = many(n, "service account")
    if len(scored) == 1:
        return f"{percent(high['value'])} of {accounts} {_ALONE[high['scope']]}"
    if percent(low["value"]) == percent(high["value"]):
        return f"{percent(high['value'])} of {accounts} hold too much"
    return f"{percent(low['value'])} or {percent(high['value'])} of {accounts} hold too much: the definition decides"


def _description(shares: Shares, scored: Mapping[str, dict[str, Any]]) -> str:
    said = [f"definition {scope}, {DEFINITIONS[scope]}: {percent(row['value'])} "
            f"({row['numerator']:,.0f} of {row['denominator']:,.0f})" for scope, row in scored.items()]
    if shares.known["share"].drop_nulls().len():
        shown, low, high = map(percent, shares.above(0.5))
        said.append(f"{shown} have more than half of it unused, from {low} to {high} with the unknown counted both "
                    "ways")
    return (f"Share of service accounts by share of permissions unused. {'; '.join(said)}. "
            f"Dashed: {EXTERNAL_CAPTION}.")
