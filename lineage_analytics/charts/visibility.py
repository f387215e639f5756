"""How many service accounts do we fully know, and how old are their keys."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

import altair as alt
import polars as pl

from lineage_analytics.charts.layout import (
    Margins,
    beside,
    frame,
    halo,
    inline,
    many,
    nothing,
    percent,
    plot_width,
    row_names,
    share_axis,
    sheet,
)
from lineage_analytics.charts.segments import Segment, bars, legend
from lineage_analytics.charts.theme import THEME

if TYPE_CHECKING:
    from datetime import datetime

# In the order an account is asked: what must be there before the next question makes sense.
FACETS = {
    "inventoried": ("In an inventory", "an inventory entry"),
    "permissions_resolved": ("Permissions known", "known permissions"),
    "logged": ("Its log is loaded", "a log"), "usage_visible": ("Its use is visible", "visible use"),
    "credential_age": ("Key age known", "the age of its keys"), "owner": ("Valid owner", "a valid owner"),
    "purpose": ("Purpose stated", "a stated purpose"),
}
_MARGINS = Margins(left=160, right=150, top=30)
_ROW, _BAR = 34, 20


def facet_waterfall(facets: pl.DataFrame) -> alt.LayerChart:
    """How many accounts are left after each of seven facets; those lost because it fails or because it is unknown.

    Parameters
    ----------
    facets : columns of ``tables.FACETS``, one row per identity and facet. An identity without a row for a facet is
        unknown there. An account is lost at the first facet that does not hold.
    """
    accounts: dict[str, dict[str, str]] = defaultdict(dict)
    for identity, facet, state in facets.select("identity_id", "facet", "state").iter_rows():
        accounts[identity][facet] = state
    total = len(accounts)
    if not total:
        return nothing("How many service accounts do we fully know?", "no service account was inventoried")
    first, last = "All service accounts", "Fully visible"
    names = [first, *(words for words, _ in FACETS.values()), last]
    y = alt.Y("row:N", sort=names, axis=None, scale=alt.Scale(paddingInner=0, paddingOuter=0))
    unit = plot_width(_MARGINS) / total
    segments, said, left = [Segment(first, "held", 0, total * unit, f"{total:,}")], {}, list(accounts.values())
    for facet, (name, _) in FACETS.items():
        answers = Counter(states.get(facet, "unknown") for states in left)
        stay, fail, unknown = answers["true"], answers["false"], answers["unknown"]
        segments += [
            Segment(name, "held", 0, stay * unit, f"{stay:,}"),
            Segment(name, "fails", stay * unit, (stay + fail) * unit, f"{fail:,}"),
            Segment(name, "unknown", (stay + fail) * unit, (stay + fail + unknown) * unit, f"{unknown:,}"),
        ]
        said[name] = _lost(fail, unknown)
        left = [states for states in left if states.get(facet) == "true"]
    segments.append(Segment(last, "holds", 0, len(left) * unit, f"{len(left):,}"))
    said[last] = f"{len(left):,} of {total:,}, {percent(len(left) / total)}"
    present = [s for s in ("held", "fails", "unknown") if any(p.state == s and p.end > p.start for p in segments)]
    notes = beside(list(said), [[words] for words in said.values()], y, plot_width(_MARGINS) + 16,
                   size=THEME.chart_small, colour=THEME.light.muted)
    detail = "; ".join(f"{name}: {words}" for name, words in said.items())
    return sheet(
        [*row_names(names, y, _MARGINS.left), *legend(present), *bars(segments, y, plot_width(_MARGINS), _BAR), *notes],
        title=_finding(accounts, len(left)), height=_ROW * len(names), margins=_MARGINS,
        source=f"{many(total, 'service account')}; each is lost at the first facet that does not hold; unknown is "
               "drawn apart from no",
        description=f"Of {many(total, 'service account')}, lost at each of seven facets: {detail}.",
    )


def _lost(fail: int, unknown: int) -> str:
    parts = [f"{fail:,} without"] if fail else []
    parts += [f"{unknown:,} unknown"] if unknown else []
    return ", ".join(parts) or "none lost"


def _finding(accounts: dict[str, dict[str, str]], full: int) -> str:
    total = len(accounts)
    lacking = {f: sum(states.get(f) != "true" for states in accounts.values()) for f in FACETS}
    worst = max(FACETS, key=lambda facet: lacking[facet])
    head = f"{full:,} of {many(total, 'service account')} {'is' if full == 1 else 'are'} fully visible"
    if full == 0:
        head = f"None of {many(total, 'service account')} is fully visible"
    if not lacking[worst]:
        return head
    verb = "lacks" if lacking[worst] == 1 else "lack"
    return f"{head}; {lacking[worst]:,} {verb} {FACETS[worst][1]}, or it is unknown"


_AGES = (90, 180, 365)
_AGE_MARGINS = Margins(left=56, right=130, top=12, bottom=48)


def credential_age(credentials: pl.DataFrame, as_of: datetime) -> alt.LayerChart:
    """The share of credentials older than each age, with marks at 90, 180 and 365 days; unknown age as its own bar.

    Parameters
    ----------
    credentials : columns of ``tables.CREDENTIALS``; revoked and expired ones are left out.
    as_of : the moment ages are counted to.
    """
    live = credentials.filter(~pl.col("status").is_in(["revoked", "expired"]).fill_null(value=False))
    if live.is_empty():
        return nothing("How old are our keys?", "no credential was inventoried")
    ages = live.select(((pl.lit(as_of) - pl.col("created_at")).dt.total_seconds() / 86_400).alias("age"))["age"]
    known = ages.drop_nulls().clip(lower_bound=0).sort()
    total, unknown = live.height, live.height - known.len()
    if known.is_empty():
        return nothing("How old are our keys?", f"the age of all {many(total, 'credential')} is unknown")
    limit = max(float(known[-1]) * 1.05, 400.0)
    days = sorted({*(limit * k / 160 for k in range(161)), *map(float, _AGES)})
    older = [float((known > day).sum()) / known.len() for day in days]
    colours = THEME.light
    x = alt.X("x:Q", scale=alt.Scale(domain=[0, limit], nice=False),
              axis=alt.Axis(title="age in days since created or last rotated", grid=False, tickCount=6, format=",.0f"))
    y = alt.Y("y:Q", scale=alt.Scale(domain=[0, 1]),
              axis=share_axis(None))
    marks = pl.DataFrame({"x": [float(a) for a in _AGES], "y": [older[days.index(float(a))] for a in _AGES]})
    words = [f"{percent(share)} over {age} d" for age, share in zip(_AGES, marks["y"], strict=True)]
    marks = marks.with_columns(zero=pl.lit(0.0), words=pl.Series(words))
    curve = alt.Chart(frame(x=days, y=older))
    at = alt.Chart(inline(marks))
    share = unknown / total
    right = plot_width(_AGE_MARGINS) + 40
    side = alt.Chart(frame(y=[share], zero=[0.0], words=[f"{percent(share)} age unknown"]))
    layers = [
        curve.mark_area(color=colours.wash, interpolate="step-after").encode(x=x, y=y),
        curve.mark_line(color=colours.accent, strokeWidth=2, interpolate="step-after").encode(x=x, y=y),
        at.mark_rule(color=colours.muted, strokeDash=[3, 3]).encode(x=x, y=y, y2="zero:Q"),
        at.mark_point(fill=colours.accent, size=60, opacity=1).encode(x=x, y=y),
        *_mark_words(marks, limit, x, y),
    ]
    layers += [
        side.mark_bar(fill=colours.unknown_fill, stroke=colours.unknown_line, width=28).encode(
            x=alt.value(right), y=y, y2="zero:Q"),
        side.mark_text(align="center", baseline="bottom", dy=-6, fontSize=THEME.chart_small).encode(
            x=alt.value(right), y=y, text="words:N"),
    ] if unknown else []
    over = marks.filter(pl.col("x") == 90.0)["y"][0]
    return sheet(
        layers, title=f"Over 90 days old: {percent(over)} of {many(known.len(), 'key')} of known age",
        source=f"{many(total, 'credential')} at {as_of:%-d %b %Y}, of which {unknown:,} of unknown age, drawn apart",
        description=f"Age of {many(total, 'credential')}: {'; '.join(words)}; {unknown:,} of unknown age.",
        height=240, margins=_AGE_MARGINS,
    )


def _mark_words(marks: pl.DataFrame, limit: float, x: alt.X, y: alt.Y) -> list[alt.Chart]:
    """The words of each mark, right of its point and over it; under it where the one before would be met."""
    layers: list[alt.Chart] = []
    before = 1.0
    for row in marks.iter_rows(named=True):
        right, met = row["x"] < 0.6 * limit, before - row["y"] < 0.08
        layers += halo(alt.Chart(frame(x=[row["x"]], y=[row["y"]], words=[row["words"]])).encode(
            x=x, y=y, text="words:N"), align="left" if right else "right", dx=8 if right else -8,
            dy=14 if met else -10, fontWeight="bold")
        before = row["y"]
    return layers
