"""The objects a metric is about, each in one of four states, with what it weighs and the records behind it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from datetime import datetime

# What a population may hold beside its state; a metric gives the columns it needs.
_DEFAULTS: dict[str, pl.Expr] = {
    "reason": pl.lit(None, dtype=pl.String),
    "source_rows": pl.lit([], dtype=pl.List(pl.String)),
    "lack": pl.lit(None, dtype=pl.String),
    "num": (pl.col("state") == "in").cast(pl.Float64),
    "den": pl.col("state").is_in(["in", "out"]).cast(pl.Float64),
    "unk": (pl.col("state") == "unknown").cast(pl.Float64),
    "exc": (pl.col("state") == "excluded").cast(pl.Float64),
    "value": pl.lit(None, dtype=pl.Float64),
    "worst": pl.col("value"),
    "best": pl.col("value"),
    "cluster": pl.lit(None, dtype=pl.String),
}
COLUMNS = ("object_id", "object_kind", "state", *_DEFAULTS)
HOW = ("share", "part", "pooled", "count", "median", "p90", "p95", "min", "max", "rate", "flow", "balance", "figure")


@dataclass(frozen=True)
class Figure:
    """A number that is no share of its objects: a factor, a gap, a quantile of durations, with its 95 % limits and what
    it is with all that is unknown counted as bad and as good. Null: there is no such limit or bound."""

    value: float
    low: float | None = None
    high: float | None = None
    method: str | None = None
    worst: float | None = None
    best: float | None = None
    numerator: float | None = None
    denominator: float | None = None


@dataclass(frozen=True)
class Population:
    """The objects of one metric and scope.

    ``frame`` has ``object_id, object_kind, state`` (in, out, unknown, excluded), ``reason`` (why it is in that set),
    ``source_rows`` (record ids), ``lack`` (for unknown: the code of what is lacking), the weights ``num den unk exc``
    (an object counts once unless stated) and, for medians and percentiles, ``value worst best``.

    ``how``: share (num over den), part (a share without an interval: one computed number), pooled (a share over
    clusters of unlike weight), count (num; none is a finding too where ``base`` says that the listing is loaded),
    median, p90, p95 (of value), min, max (of value, without an interval), rate (num per day over ``days``), flow (the
    sum of num, events, per object of ``base``: ``worst`` and ``best`` are what an unknown event adds, ``cluster`` is
    its day), balance (a flow whose events may count -1), figure (``figure`` holds the numbers, the frame the objects
    they rest on; null: there is none, and ``lack`` says why). ``unit`` overrides the metric's; ``lack`` says why
    nothing of it may be scored, whatever the counts, ``doubt`` why it is provisional at best; ``since`` is where its
    window starts, if elsewhere than the report's.
    """

    frame: pl.DataFrame
    how: str = "share"
    unit: str | None = None
    lack: str | None = None
    days: int = 1
    doubt: str | None = None
    base: float = 0.0
    figure: Figure | None = None
    since: datetime | None = None


def population(
    frame: pl.DataFrame, how: str = "share", *, unit: str | None = None, lack: str | None = None, days: int = 1,
    doubt: str | None = None, base: float = 0.0, figure: Figure | None = None, since: datetime | None = None,
) -> Population:
    """A population from a frame with ``object_id object_kind`` and either ``state`` or ``truth``.

    ``truth`` (Boolean, null: cannot be known) becomes the state; an ``excluded`` column (text, null: counted) goes
    before it and is then the reason. Rows are sorted, so that the order of the facts changes nothing.
    """
    if "state" not in frame.columns:
        out = pl.col("excluded").is_not_null() if "excluded" in frame.columns else pl.lit(value=False)
        frame = frame.with_columns(
            state=pl.when(out).then(pl.lit("excluded")).when(pl.col("truth").is_null()).then(pl.lit("unknown"))
            .when(pl.col("truth")).then(pl.lit("in")).otherwise(pl.lit("out")))
    if "excluded" in frame.columns:
        reason = pl.col("reason") if "reason" in frame.columns else pl.lit(None, dtype=pl.String)
        frame = frame.with_columns(reason=pl.coalesce("excluded", reason))
    for name, default in _DEFAULTS.items():
        if name not in frame.columns:
            frame = frame.with_columns(default.alias(name))
    return Population(frame.select(COLUMNS).sort("object_id", "object_kind", "state"), how, unit, lack, days, doubt,
                      base, figure, since)


def split(frame: pl.DataFrame, scopes: dict[str, pl.Expr]) -> dict[str, Population]:
    """One population per scope, each of the rows its expression keeps."""
    return {scope: population(frame.filter(keep)) for scope, keep in scopes.items()}
