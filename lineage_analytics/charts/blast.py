"""Who could do the most harm: how much each identity can reach, as a distribution, and the few that reach most."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import altair as alt
import polars as pl

from lineage_analytics.charts.kinds import one, several
from lineage_analytics.charts.layout import (
    Margins,
    beside,
    frame,
    label,
    many,
    nothing,
    percent,
    pixels,
    plot_width,
    sentence,
    sheet,
    wrapped,
)
from lineage_analytics.charts.theme import THEME

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# Bands of the share reached, the most first: the band is over its lower bound, and up to that of the one before.
BANDS = ((0.5, "over half"), (0.25, "25 to 50 %"), (0.1, "10 to 25 %"), (0.03, "3 to 10 %"), (0.01, "1 to 3 %"),
         (0.0, "up to 1 %"), (-1.0, "nothing"))
NAMED = 5
_MARGINS = Margins(left=150, right=256, top=8)
_ROW = 42
_BAR, _THIN = 16, 5
_QUESTION = "Who could do the most harm?"
Row = dict[str, Any]


def blast_radius(
    radii: pl.DataFrame, nodes: pl.DataFrame | None = None, *, hops: int = 4, names: bool = True,
    weight: str = "what is reached counts by its criticality", period: str = "",
) -> alt.LayerChart:
    """How many identities reach how large a share of everything, with the median, the 95th percentile and the most.

    Parameters
    ----------
    radii : columns of ``AccessLineage.blast_radii``, one row per identity: ``principal_id, kind``, ``share`` (0 to 1,
        of the weight of everything else, over proved edges; null: not known), ``share_with_conditional`` (the same if
        every condition held), ``tier0_reached`` (tier-0 nodes among what is reached, a count or a flag).
    nodes : rows of ``tables.NODES`` for the names; default: the last part of the id.
    hops : within how many steps.
    names : False: kinds in place of names.
    weight : what is weighed, in words, for the source line.
    period : the time of the inventories, in words, for the source line; empty: not stated.
    """
    known = radii.filter(pl.col("share").is_not_null())
    if known.is_empty():
        return nothing(_QUESTION, "no identity is loaded of which it is known what it reaches")
    rows = known.with_columns(pl.col("share", "share_with_conditional").cast(pl.Float64)).with_columns(
        wider=pl.max_horizontal("share", "share_with_conditional")).sort(
        "share", "wider", "principal_id", descending=[True, True, False]).to_dicts()
    called = _called(rows[:NAMED], nodes, names=names)
    marks = [(mark, _quantile([row["share"] for row in rows], part)) for mark, part in (("p50", 0.5), ("p95", 0.95))]
    surely, perhaps = ([_band(row[column]) for row in rows] for column in ("share", "wider"))
    keys = {at: BANDS[at][1] for at in range(min(*surely, *perhaps), max(*surely, *perhaps) + 1)}
    y = alt.Y("row:N", sort=list(keys.values()), axis=None, scale=alt.Scale(paddingInner=0, paddingOuter=0))
    conditional = surely != perhaps
    return sheet(
        [*_labels(marks if len(rows) > 1 else [], keys, y), *_bars(surely, perhaps if conditional else [], keys, y),
         *_few(rows, called, keys, y)],
        title=_finding(rows, called, marks[0][1], hops), height=_ROW * len(keys), margins=_MARGINS,
        source=_source(len(rows), radii.height - len(rows), hops, weight, period, conditional=conditional),
        description=_description(rows, surely, marks, called, hops),
    )


def _called(rows: Sequence[Row], nodes: pl.DataFrame | None, *, names: bool) -> list[str]:
    """The first identities by name; a kind with a number where names are withheld."""
    if not names:
        return [f"{one(row['kind'])} {number}" for number, row in enumerate(rows, 1)]
    ids = [row["principal_id"] for row in rows]
    found = {} if nodes is None else dict(nodes.filter(pl.col("node_id").is_in(ids)).select("node_id", "label").rows())
    return [label(found.get(identity) or identity.split(":", 2)[-1], 40) for identity in ids]


def _quantile(shares: Sequence[float], part: float) -> float:
    return float(pl.Series(shares).quantile(part, "linear") or 0.0)


def _band(share: float) -> int:
    return next(at for at, (over, _) in enumerate(BANDS) if share > over)


def _labels(marks: Sequence[tuple[str, float]], keys: Mapping[int, str], y: alt.Y) -> list[alt.Chart]:
    """Each band in words, and under it the percentiles that fall into it."""
    said = [", ".join(f"{mark} {percent(share)}" for mark, share in marks if _band(share) == at) for at in keys]
    up = [-8.0 if words else 0.0 for words in said]
    rows = list(keys.values())
    return [
        *beside(rows, [[sentence(row)] for row in rows], y, -_MARGINS.left, dy=up),
        *beside(rows, [[words] if words else [] for words in said], y, -_MARGINS.left, dy=[9.0] * len(rows),
                size=THEME.chart_small, weight="bold"),
    ]


def _bars(surely: Sequence[int], perhaps: Sequence[int], keys: Mapping[int, str], y: alt.Y) -> list[alt.Chart]:
    """How many identities are in each band, and in outline how many if every condition held."""
    width, colours = plot_width(_MARGINS) - 52, THEME.light
    counts = [[bands.count(at) for at in keys] for bands in (surely, perhaps)]
    unit = width / max(*counts[0], *counts[1], 1)
    names = list(keys.values())
    x = pixels(plot_width(_MARGINS))

    def bars(values: Sequence[int], height: int, dy: float, **paint: Any) -> list[alt.Chart]:
        shown = [(key, 0.0, max(count * unit, 1.5)) for key, count in zip(names, values, strict=True) if count]
        if not shown:
            return []
        rows, starts, stops = zip(*shown, strict=True)
        return [alt.Chart(frame(row=rows, x=starts, x2=stops)).mark_bar(height=height, yOffset=dy, **paint).encode(
            x=x, x2="x2:Q", y=y)]

    thin = bars(counts[1], _THIN, (_BAR + _THIN) / 2 + 1, fill=colours.paper, stroke=colours.unknown_line,
                strokeWidth=1, strokeDash=[2, 2])
    ends = [count * unit for count in counts[0]]
    layers = [*bars(counts[0], _BAR, 0, fill=colours.accent), *thin]
    shown = [at for at in range(len(names)) if counts[0][at]]
    layers.append(alt.Chart(frame(
        row=[names[at] for at in shown], x=[ends[at] for at in shown], words=[f"{counts[0][at]:,}" for at in shown],
    )).mark_text(align="left", baseline="middle", dx=6, fontSize=THEME.chart_small).encode(x=x, y=y, text="words:N"))
    return layers


def _few(rows: Sequence[Row], called: Sequence[str], keys: Mapping[int, str], y: alt.Y) -> list[alt.Chart]:
    """Beside each band the names of those in it that reach most of all, and how many more there are."""
    said: dict[int, list[str]] = {}
    for row, name in zip(rows, called, strict=False):
        if row["share"]:
            said.setdefault(_band(row["share"]), []).append(f"{name}: {_reached(row)}")
    bands = [_band(row["share"]) for row in rows]
    lines = [_shown(said.get(at, []), bands.count(at)) for at in keys]
    return beside(list(keys.values()), lines, y, plot_width(_MARGINS) + 8, size=THEME.chart_small)


def _shown(names: Sequence[str], count: int) -> list[str]:
    """As many of the names as two lines hold, with how many more there are; one name at least."""
    for kept in range(len(names), 0, -1):
        more = [f"and {count - kept:,} more"] if count > kept else []
        lines = wrapped("; ".join([*names[:kept], *more]), _MARGINS.right - 8, THEME.chart_small, 2)
        if not lines[-1].endswith("…"):
            return lines
    return wrapped(names[0], _MARGINS.right - 8, THEME.chart_small, 2) if names else []


def _reached(row: Row) -> str:
    sure, wider = percent(row["share"]), percent(row["wider"])
    return f"{sure}{f' (up to {wider})' if wider != sure else ''}{', tier 0' if row['tier0_reached'] else ''}"


def _finding(rows: Sequence[Row], called: Sequence[str], middle: float, hops: int) -> str:
    whom, top = many(len(rows), "identity", "identities"), rows[0]["share"]
    within = f"within {many(hops, 'step')}"
    if not top:
        return f"None of {whom} reaches anything {within}" if len(rows) > 1 else f"{called[0]} reaches nothing {within}"
    most = [row for row in rows if row["share"] == top]
    who = f"{called[0]} reaches" if len(most) == 1 else f"{len(most):,} identities reach"
    if len(most) == len(rows):
        return f"{who if len(rows) == 1 else f'All {whom} reach'} {percent(top)} {within}"
    usual = f"up to {percent(middle)}" if round(middle * 100) else "under 1 %" if middle else "nothing"
    return f"{who} {percent(top)} {within}; half of {whom} reach {usual}"


def _source(
    identities: int, unknown: int, hops: int, weight: str, period: str, *, conditional: bool
) -> str:
    whom = f"{many(identities, 'identity', 'identities')}{f', {period}' if period else ''}"
    parts = [f"{whom}, share of the weight of everything else within {many(hops, 'step')}: {weight}"]
    if identities > 1:
        parts.append("p50: half reach no more, p95: 1 in 20 reaches more")
    if conditional:
        parts.append("outline: if every condition held")
    if unknown:
        parts.append(f"of {unknown:,} more it is not known")
    return "; ".join(parts)


def _description(
    rows: Sequence[Row], bands: Sequence[int], marks: Sequence[tuple[str, float]], called: Sequence[str], hops: int
) -> str:
    counts = "; ".join(f"{words}: {bands.count(at):,}" for at, (_, words) in enumerate(BANDS))
    spread = ", ".join(f"{mark} {percent(share)}" for mark, share in marks)
    few = "; ".join(f"{name}: {_reached(row)}" for row, name in zip(rows, called, strict=False) if row["share"])
    most: dict[str, float] = {}
    for row in rows:
        kind = several(row["kind"])
        most[kind] = max(most.get(kind, 0.0), row["share"])
    by_kind = "; ".join(f"{kind} up to {percent(share)}" for kind, share in sorted(most.items()))
    return (f"Identities by the share they reach within {many(hops, 'step')}: {counts}. {spread}. "
            f"Most: {few or 'none'}. By kind: {by_kind}.")
