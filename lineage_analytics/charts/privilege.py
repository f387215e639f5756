"""How over-privileged, by which definition; and what is granted and never used."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any

import altair as alt
import polars as pl

from lineage_analytics.charts.layout import (
    MAX_ROWS_DRAWN,
    Margins,
    beside,
    frame,
    halo,
    many,
    nothing,
    percent,
    plot_width,
    row_names,
    share_axis,
    sheet,
    y_title,
)
from lineage_analytics.charts.segments import Segment, bars, legend
from lineage_analytics.charts.theme import THEME

if TYPE_CHECKING:
    from collections.abc import Mapping

NHI_KINDS = ("service_account", "workload", "app", "api_key", "ai_agent", "ai_assistant")
KIND_WORDS = {
    "human": "People", "service_account": "Service accounts", "workload": "Workloads", "app": "Apps",
    "api_key": "API keys", "ai_agent": "AI agents", "ai_assistant": "AI assistants", "group": "Groups",
    "role": "Roles", "unknown": "Kind unknown",
}
# An industry group's 2025 figure; unit and definition status print beside it (metrics.md 5).
EXTERNAL_SHARE = 0.97
EXTERNAL_CAPTION = "97 %, external: vendor telemetry of 2025, definition unpublished"
DEFINITIONS = {
    "a": (0.0, "any unused permission, or a wildcard"), "b": (0.5, "half of it unused, or a sensitive one"),
    "c": (1.0, "holds or reaches admin control"),
}
_CODE = re.compile(r"^[a-z]+(?:_[a-z]+)+: ")
_STEPS = 100


def excess_sweep(permissions: pl.DataFrame, measures: pl.DataFrame, lookback_days: int = 90) -> alt.LayerChart:
    """Share of service accounts with an unused share above each threshold, and the three definitions of PRV-01.

    Parameters
    ----------
    permissions : columns of ``tables.PERMISSIONS`` and ``kind``. Accounts of human or unknown kind, and those with an
        ``excluded_reason`` where that column is given, are left out.
    measures : columns of ``tables.MEASURES``; PRV-01 in scopes a, b and c gives the points.
    lookback_days : the look-back that "unused" is about.
    """
    question = "How over-privileged are we, and by which definition?"
    held = _accounts(permissions)
    shares = _unused_shares(held)
    points = {row["scope"]: row for row in measures.filter(pl.col("metric_id") == "PRV-01").iter_rows(named=True)}
    scored = {scope: points[scope] for scope in DEFINITIONS if scope in points and points[scope]["value"] is not None}
    if shares.is_empty() and not scored:
        return nothing(question, _why(held))
    margins = Margins(left=52, right=24, top=34, bottom=52)
    x = alt.X("x:Q", scale=alt.Scale(domain=[0, 1], nice=False),
              axis=share_axis("threshold: more than this share of what it was granted went unused", grid=False))
    y = alt.Y("y:Q", scale=alt.Scale(domain=[0, 1], nice=False),
              axis=share_axis("share of accounts", **y_title(margins.left)))
    layers = [*_curve(shares, x, y), *_external(x, y), *_points(scored, shares, x, y, plot_width(margins))]
    absent = [f"{scope} not scored" for scope in DEFINITIONS if scope not in scored]
    drawn = many(shares.height, "service account")
    return sheet(
        layers, title=_finding(scored, question), height=300, margins=margins,
        source=f"{drawn} with permissions and use known, look-back {lookback_days} days; band: what cannot be observed "
               f"counted both ways{f'; {len(held) - shares.height:,} not known' if len(held) > shares.height else ''}"
               f"{'; ' if absent else ''}{', '.join(absent)}",
        description=_description(shares, scored),
    )


def _accounts(permissions: pl.DataFrame) -> pl.DataFrame:
    kept = permissions.filter(pl.col("kind").is_in(NHI_KINDS))
    return kept.filter(pl.col("excluded_reason").is_null()) if "excluded_reason" in kept.columns else kept


def _unused_shares(held: pl.DataFrame) -> pl.DataFrame:
    """``share`` over what is observable, ``low`` and ``high`` with the unobservable counted as used and as unused."""
    unseen = pl.col("unobservable").fill_null(0)
    known = pl.col("used") + pl.col("unused")
    return held.filter(pl.col("used").is_not_null() & pl.col("unused").is_not_null() & (known + unseen > 0)).select(
        share=pl.when(known > 0).then(pl.col("unused") / known),
        low=pl.col("unused") / (known + unseen), high=(pl.col("unused") + unseen) / (known + unseen),
    )


def _why(held: pl.DataFrame) -> str:
    """The reason that most have, in words: the code before it is for programs."""
    reasons = Counter(_CODE.sub("", reason) for reason in held["reason"].to_list() if reason)
    if held.is_empty():
        return "no service account with permissions was loaded"
    return min(reasons, key=lambda reason: (-reasons[reason], reason)) if reasons else "no use of permissions is known"


def _curve(shares: pl.DataFrame, x: alt.X, y: alt.Y) -> list[alt.Chart]:
    if shares.is_empty():
        return []
    steps = [step / _STEPS for step in range(_STEPS + 1)]
    known = shares["share"].drop_nulls()

    def above(values: pl.Series) -> list[float]:
        return [float((values > step).sum()) / max(values.len(), 1) for step in steps]

    band = alt.Chart(frame(x=steps, y=above(shares["low"]), y2=above(shares["high"])))
    layers = [band.mark_area(color=THEME.light.wash, interpolate="linear").encode(x=x, y=y, y2="y2:Q")]
    if known.len():
        line = alt.Chart(frame(x=steps, y=above(known)))
        layers.append(line.mark_line(color=THEME.light.accent, strokeWidth=2.5).encode(x=x, y=y))
    return layers


def _external(x: alt.X, y: alt.Y) -> list[alt.Chart]:
    line = alt.Chart(frame(x=[1.0], y=[EXTERNAL_SHARE], words=[EXTERNAL_CAPTION]))
    muted = THEME.light.muted
    return [
        line.mark_rule(color=muted, strokeDash=[5, 4]).encode(y=y),
        *halo(line.encode(x=x, y=y, text="words:N"), align="right", baseline="bottom", dy=-14,
              fontSize=THEME.chart_small, color=muted),
    ]


def _points(
    scored: Mapping[str, dict[str, Any]], shares: pl.DataFrame, x: alt.X, y: alt.Y, width: int
) -> list[alt.Chart]:
    layers: list[alt.Chart] = []
    colours = THEME.light
    shapes = {"a": "circle", "b": "square", "c": "diamond"}
    for scope, row in scored.items():
        at, words = DEFINITIONS[scope]
        said = f"{scope}  {percent(row['value'])}  {words}"
        data = alt.Chart(frame(x=[at], y=[row["value"]], y2=[_or(row["worst_case"], row["value"])],
                               y1=[_or(row["best_case"], row["value"])], words=[said]))
        right = at > DEFINITIONS["b"][0]
        under = _label_under(row["value"], shares, {"a": 0.25, "b": 0.75, "c": 0.75}[scope])
        layers += [
            data.mark_rule(color=colours.ink, strokeWidth=1.5).encode(x=x, y=alt.Y("y1:Q"), y2="y2:Q"),
            data.mark_point(shape=shapes[scope], fill=colours.ink, stroke=colours.paper, strokeWidth=1.5, size=110,
                            opacity=1).encode(x=x, y=y),
            *halo(data.encode(x=x, y=y, text="words:N"), align="right" if right else "left", fontWeight="bold",
                  dx=-10 if right else 10, dy=22 if under else -14, limit=width),
        ]
    return layers


def _label_under(value: float, shares: pl.DataFrame, middle: float) -> bool:
    """Whether a label has more room under its point than over it: away from the curve and the external line."""
    known = shares["share"].drop_nulls()
    curve = float((known > middle).sum()) / known.len() if known.len() else 0.0
    return value > 0.85 or (value > 0.12 and abs(value - 0.07 - curve) > abs(value + 0.05 - curve))


def _or(value: float | None, other: float) -> float:
    return other if value is None else value


def _finding(scored: Mapping[str, dict[str, Any]], question: str) -> str:
    if not scored:
        return question
    low = min(scored.values(), key=lambda row: row["value"])
    high = max(scored.values(), key=lambda row: row["value"])
    n = max(int(row["denominator"] or 0) for row in scored.values())
    accounts = many(n, "service account")
    if low is high or percent(low["value"]) == percent(high["value"]):
        return f"{percent(high['value'])} of {accounts} hold too much"
    return f"{percent(low['value'])} or {percent(high['value'])} of {accounts} hold too much: the definition decides"


def _description(shares: pl.DataFrame, scored: Mapping[str, dict[str, Any]]) -> str:
    said = [f"definition {scope}, {DEFINITIONS[scope][1]}: {percent(row['value'])} "
            f"({row['numerator']:,.0f} of {row['denominator']:,.0f})" for scope, row in scored.items()]
    known = shares["share"].drop_nulls()
    if known.len():
        said.append(f"{percent(float((known > 0.5).sum()) / known.len())} have more than half of it unused")
    return (f"Share of service accounts by share of permissions unused. {'; '.join(said)}. "
            f"Dashed: {EXTERNAL_CAPTION}.")


USE_STATES = ("used", "unused", "unobservable", "too_young")
_USE_MARGINS = Margins(left=160, right=158, top=30)
_ROW, _BAR = 36, 22


def use_states(permissions: pl.DataFrame, lookback_days: int = 90) -> alt.LayerChart:
    """What is granted, used and never used, by kind of identity; what cannot be seen is drawn apart.

    Parameters
    ----------
    permissions : columns of ``tables.PERMISSIONS`` and ``kind``; identities whose grants or use are unknown are
        counted in the source line and not drawn. Groups, roles of people and what the provider manages are left out.
    lookback_days : the look-back that "used" is about.
    """
    question = "What is granted and never used?"
    counted = permissions.filter(~pl.col("kind").is_in(["group", "role"]).fill_null(value=False))
    if "excluded_reason" in counted.columns:
        counted = counted.filter(pl.col("excluded_reason").is_null())
    drawn = counted.filter(pl.col("granted").is_not_null() & pl.col("used").is_not_null())
    known_kind = pl.when(pl.col("kind").is_in(list(KIND_WORDS))).then("kind").otherwise(pl.lit("unknown"))
    kinds = drawn.group_by(known_kind.alias("kind")).agg(
        pl.len().alias("identities"), *(pl.col(state).fill_null(0).sum() for state in USE_STATES)
    ).with_columns(total=pl.sum_horizontal(USE_STATES)).filter(pl.col("total") > 0).sort(
        "total", "kind", descending=[True, False]).head(MAX_ROWS_DRAWN)
    if kinds.is_empty():
        return nothing(question, _why(counted))
    rows = kinds.to_dicts()
    names = [KIND_WORDS[row["kind"]] for row in rows]
    y = alt.Y("row:N", sort=names, axis=None, scale=alt.Scale(paddingInner=0, paddingOuter=0))
    width = plot_width(_USE_MARGINS)
    segments = []
    for name, row in zip(names, rows, strict=True):
        at = 0.0
        for state in USE_STATES:
            size = row[state] / row["total"] * width
            segments.append(Segment(name, state, at, at + size, percent(row[state] / row["total"])))
            at += size
    present = [state for state in USE_STATES if any(row[state] for row in rows)]
    notes = [[f"{row['total']:,} granted", many(row["identities"], "identity", "identities")] for row in rows]
    total, unused = sum(row["total"] for row in rows), sum(row["unused"] for row in rows)
    left = counted.height - drawn.height
    said = [f"{name}: " + ", ".join(f"{row[s]:,} {THEME.states[s].word}" for s in USE_STATES)
            for name, row in zip(names, rows, strict=True)]
    return sheet(
        [*row_names(names, y, _USE_MARGINS.left), *legend(present), *bars(segments, y, width, _BAR),
         *beside(names, notes, y, width + 16, size=THEME.chart_small, colour=THEME.light.muted)],
        title=f"{percent(unused / total)} of {many(total, 'granted permission')} went unused in {lookback_days} days",
        source=f"{many(drawn.height, 'identity', 'identities')} in all, look-back {lookback_days} days; not used: the "
               f"logs would show it{f'; {left:,} more whose grants or use are unknown' if left else ''}",
        description=f"Permissions granted by kind of identity. {'; '.join(said)}.",
        height=_ROW * len(rows), margins=_USE_MARGINS,
    )
