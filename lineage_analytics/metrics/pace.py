"""The gap told: week by week, leg by leg, in a sentence, with everything a picture of it needs (design section 4)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import polars as pl

from lineage_analytics.metrics import cohorts, words
from lineage_analytics.metrics.cohorts import LEGS, POLICY
from lineage_analytics.metrics.comparison import Comparison, comparison, gap_figure, policy_figure
from lineage_analytics.metrics.gap import band, opening
from lineage_analytics.metrics.intervals import wilson
from lineage_analytics.metrics.lineage import UNITS
from lineage_analytics.metrics.pace_words import factor, percent

if TYPE_CHECKING:
    from datetime import date

    from lineage_analytics.metrics.context import Context

LEG_WORDS = {
    "evidence": "what a change was based on was not kept, or only later",
    "approval": "approvals that came after the change, from who asked for it, or not at all",
    "rollback": "no way back on record",
}
_BANDS = {
    "keeping pace": "Keeping pace: a gap beyond 5 % is ruled out, and nine changes in ten are assured.",
    "watch": "Watch: neither proved to keep pace nor proved to be open.",
    "gap open": "The gap is open.",
    "stop": "Stop: AI had a part in a change of tier 0 whose approval is not valid, whatever the gap.",
}
_POLICY_BANDS = {
    "keeping pace": "Policy is kept, as far as the numbers tell.",
    "watch": "Watch: the gap to policy is neither ruled out nor proved to be open.",
    "gap open": "The gap to policy is open.",
    "stop": _BANDS["stop"],
}
WEEKS = {"week": pl.Date, "executed": pl.Int64, "assured": pl.Int64, "failed": pl.Int64, "unknown": pl.Int64,
         "standard": pl.Float64, "low": pl.Float64, "high": pl.Float64, "shortfall": pl.Float64, "opened": pl.Boolean,
         "complete": pl.Boolean}
LEG_ROWS = {"leg": pl.String, "contribution": pl.Float64, "low": pl.Float64, "high": pl.Float64}


def weekly(context: Context) -> pl.DataFrame:
    """AI-assisted decisions week by week, from the first to as_of: columns of ``WEEKS``.

    ``assured`` + ``failed`` + ``unknown`` are ``executed``; what may still be completed is in none. ``standard`` is how
    many of the known ones the baseline's share would have assured and ``shortfall`` what is lacking of that, both null
    without a scored comparison; ``low`` and ``high`` are 95 % limits of the assured share of the known (null: none
    known); ``opened`` marks the week in which the gap opened, ``complete`` those that are over.
    """
    return context.once("weekly", lambda: _weekly(context))


def _weekly(context: Context) -> pl.DataFrame:
    found = comparison(context)
    q0 = found.figures["q0"] if found.figures is not None and found.lack is None else None
    return _by_week(context, cohorts.assured(context), q0)


def _by_week(context: Context, decisions: pl.DataFrame, q0: float | None) -> pl.DataFrame:
    """Columns of ``WEEKS`` of the AI-assisted ones among decisions, beside a share that was held or is asked for."""
    rows = decisions.filter((pl.col("group") == "ai") & ~pl.col("waits"))
    if rows.is_empty():
        return pl.DataFrame(schema=WEEKS)
    state = pl.col("assured")
    counted = rows.group_by("week").agg(
        executed=pl.len().cast(pl.Int64), assured=state.sum().cast(pl.Int64), failed=state.not_().sum().cast(pl.Int64),
        unknown=state.null_count().cast(pl.Int64))
    first = rows["week"].min()
    last = context.facts.as_of.date()
    weeks = pl.DataFrame({"week": pl.date_range(first, last, "1w", eager=True)})  # type: ignore[arg-type]
    full = weeks.join(counted, on="week", how="left").with_columns(
        pl.col("executed", "assured", "failed", "unknown").fill_null(0)).sort("week")
    pairs = [(float(good), float(good + bad)) for good, bad in full.select("assured", "failed").iter_rows()]
    place = None if q0 is None else opening(pairs, q0)
    ends = [wilson(good, known) if known else (None, None) for good, known in pairs]
    standard = [None if q0 is None else q0 * known for _, known in pairs]
    return full.with_columns(
        standard=pl.Series(standard, dtype=pl.Float64), low=pl.Series([low for low, _ in ends], dtype=pl.Float64),
        high=pl.Series([high for _, high in ends], dtype=pl.Float64),
        opened=pl.Series([number == place for number in range(full.height)], dtype=pl.Boolean),
    ).with_columns(
        shortfall=pl.col("standard") - pl.col("assured"),
        complete=pl.col("week") + timedelta(days=6) <= last).select(list(WEEKS))


def opened(weeks: pl.DataFrame) -> date | None:
    """The Monday of the week in which the gap opened; None: it has not."""
    found = weeks.filter("opened")["week"].to_list()
    return found[0] if found else None


@dataclass(frozen=True)
class Pace:
    """The acceleration gap of an estate, ready to be drawn and said.

    ``weeks`` and ``legs`` are small frames (``weekly``; leg, contribution to the gap with its limits). ``why_not`` says
    in words why the gap is not scored; then all numbers of the gap are null. ``band``: keeping pace, watch, gap open or
    stop; ``stopped`` are the cases that are the reason to stop. ``q0 q1 af kf ag ux`` as the design names them, ``ux``
    per window, ``late`` the share assured only within seven days; ``n1 n0`` decisions of known assurance, ``unknown``
    those of both sides that could not be judged, ``days`` of the window.

    Where the gap is not scored and enough of the AI-assisted decisions, or of those of one workstream, can be judged,
    they are put beside the policy instead: ``policy`` is true, ``unit`` the workstream in words (null: all of them),
    ``q0`` what policy asks for, ``ag`` the gap to it, ``weeks legs n1 unknown opened band`` of those decisions alone;
    ``why_not`` still says why nothing was compared, and what only a comparison has is null.
    """

    weeks: pl.DataFrame
    legs: pl.DataFrame
    baseline: str | None
    why_not: str | None
    band: str | None
    stopped: list[str]
    days: int
    n1: int
    n0: int
    unknown: int
    opened: date | None = None
    q0: float | None = None
    q1: float | None = None
    af: float | None = None
    kf: float | None = None
    ag: float | None = None
    ag_low: float | None = None
    ag_high: float | None = None
    ux: float | None = None
    ux_low: float | None = None
    ux_high: float | None = None
    late: float | None = None
    policy: bool = False
    unit: str | None = None

    @property
    def numbers(self) -> dict[str, Any]:
        """What a picture says of the gap besides weeks and legs; of the cases that are a reason to stop how many."""
        names = ("why_not", "ag", "ag_low", "ag_high", "af", "q0", "q1", "ux", "days", "n1", "n0", "unknown", "band",
                 "baseline", "policy", "unit")
        return {name: getattr(self, name) for name in names} | {"stopped": len(self.stopped)}

    @property
    def verdict(self) -> str:
        """The band in words, what the numbers are compared with, and over how long."""
        bands = _POLICY_BANDS if self.policy else _BANDS
        band_ = bands[self.band] if self.band else "The gap is not scored, so it has no band either."
        if self.policy:
            asked = f"Compared with: policy, which asks for {percent(POLICY)}."
            return f"{band_} {asked} The window is of {self.days} days."
        against = f"Compared with: {self.baseline}." if self.baseline else "There is nothing to compare with."
        return f"{band_} {against} The window is of {self.days} days."

    def sentence(self) -> str:
        """What a board is told: pace, what grew with it, what is no longer met, why, and on what it rests."""
        if self.policy:
            compared = f"A comparison with changes without AI is not scored: {self.why_not}."
            return " ".join(part for part in (self._to_policy(), self._cause(), compared) if part)
        if self.why_not is not None or self.ag is None:
            why = self.why_not or "nothing to compare"
            return f"Whether assurance keeps up with AI is not scored: {why}.{self._rest()}"
        return " ".join(part for part in (self._growth(), self._met(), self._cause(), self._rest().strip()) if part)

    def headline(self) -> str | None:
        """Pace and what is no longer met, in two sentences; None where the gap is not scored."""
        if self.policy:
            return self._to_policy()
        return None if self.why_not is not None or self.ag is None else f"{self._growth()} {self._met()}"

    def _to_policy(self) -> str:
        assert self.q1 is not None and self.ag is not None  # noqa: S101, PT018  (scored against policy)
        where = f" in {self.unit}" if self.unit else ""
        dark = f" ({self.unknown:,} more cannot be judged)" if self.unknown else ""
        said = (f"{percent(self.q1)} of {self.n1:,} AI-assisted changes{where} in {self.days} days can be defended"
                f"{dark}; policy asks for {percent(POLICY)}.")
        low, high = self.ag_low or 0.0, self.ag_high or 0.0
        if low <= 0:
            return f"{said} The gap to policy is not proved (between {percent(low)} and {percent(high)})."
        since = f", open since the week of {self.opened:%-d %B %Y}" if self.opened else ""
        return f"{said} The gap to policy is {percent(self.ag)} (between {percent(low)} and {percent(high)}){since}."

    def _growth(self) -> str:
        assert self.af is not None and self.kf is not None  # noqa: S101, PT018  (scored)
        if self.af < 1:
            return (f"AI made {factor(self.af)} times as many identity changes as were made without it, and "
                    f"{factor(self.kf)} times as many that can be proved.")
        return (f"AI made identity changes {factor(self.af)} times faster. Provable changes grew {factor(self.kf)} "
                "times.")

    def _met(self) -> str:
        assert self.ag is not None and self.ux is not None  # noqa: S101, PT018  (scored)
        more = f"{self.ux:,.0f} more changes in {self.days} days that could not be defended" if self.ux >= 1 else (
            f"no more changes in {self.days} days that could not be defended than before")
        low, high = self.ag_low or 0.0, self.ag_high or 0.0
        between = f"between {percent(low)} and {percent(high)}"
        if low > 0:
            return (f"{percent(self.ag)} of the standard held before is no longer met ({between}), which is {more}.")
        if high < 0:
            return f"The standard held before is exceeded by {percent(-self.ag)}; there are {more}."
        return f"The standard held before is met as far as the numbers tell (the gap is {between}); there are {more}."

    def _cause(self) -> str:
        if not (self.ag_low or 0) > 0:
            return ""
        main = self.legs.sort("contribution", descending=True)["leg"][0]
        return f"Main cause: {LEG_WORDS[main]}."

    def _rest(self) -> str:
        counted = f" Based on {self.n1:,} AI-assisted and {self.n0:,} other decisions"
        dark = f"; {self.unknown:,} could not be judged" if self.unknown else ""
        return f"{counted}{dark}." if self.n1 else ""


def pace(context: Context) -> Pace:
    """The acceleration gap of all decisions of a context."""
    found = comparison(context)
    held = found.held
    known1, known0 = (int(rows["assured"].is_not_null().sum()) for rows in (held.assisted, held.others))
    unknown = held.assisted.height + held.others.height - known1 - known0
    stopped = stops(context)
    bare = Pace(
        weeks=weekly(context), legs=pl.DataFrame(schema=LEG_ROWS), baseline=held.baseline, why_not=None,
        band="stop" if stopped else None, stopped=stopped, days=held.days, n1=known1, n0=known0, unknown=unknown,
        opened=opened(weekly(context)))
    figure, numbers = gap_figure(found), found.figures
    if found.lack is not None or numbers is None or figure is None:
        bare = replace(bare, why_not=_why_not(found, known1, known0))
        return _beside_policy(context, bare) or bare
    low, high = figure.low or 0.0, figure.high or 0.0
    kind = band(low, high, numbers["q1"], wilson(round(numbers["q1"] * numbers["n1"]), numbers["n1"])[1])
    ux_low, ux_high = found.limits("ux")
    return replace(
        bare, legs=_legs(found), band=bare.band or kind, q0=numbers["q0"], q1=numbers["q1"], af=numbers["af"],
        kf=numbers["kf"], ag=numbers["ag"], ag_low=low, ag_high=high, ux=numbers["ux"], ux_low=ux_low, ux_high=ux_high,
        late=numbers["lag"])


def _legs(found: Comparison) -> pl.DataFrame:
    assert found.figures is not None  # noqa: S101  (scored)
    rows = [(leg, found.figures[leg], *found.limits(leg)) for leg in LEGS]
    return pl.DataFrame(rows, schema=LEG_ROWS, orient="row")


def _beside_policy(context: Context, bare: Pace) -> Pace | None:
    """The AI-assisted decisions beside policy: all of them, else those of the largest workstream of which enough can
    be judged; None where there is none."""
    every = cohorts.cohorts(context).assisted
    parts = [(unit, every.filter(pl.col("workstream") == unit)) for unit in UNITS]
    parts.sort(key=lambda part: -part[1].height)
    scored = ((unit, rows, figure) for unit, rows in ((None, every), *parts)
              for figure, lack in (policy_figure(rows),) if figure is not None and lack is None)
    unit, rows, figure = next(scored, (None, every, None))
    if figure is None:
        return None
    decisions = cohorts.assured(context)
    weeks = _by_week(context, decisions if unit is None else decisions.filter(pl.col("workstream") == unit), POLICY)
    known = rows.filter(pl.col("assured").is_not_null())
    kept = int(known["assured"].sum())
    low, high = figure.low or 0.0, figure.high or 0.0
    return replace(
        bare, policy=True, unit=None if unit is None else unit.replace("_", " "), weeks=weeks,
        legs=_policy_legs(known, max(figure.value, 0.0)), opened=opened(weeks), n1=known.height, n0=0,
        unknown=rows.height - known.height, q0=POLICY, q1=kept / known.height, ag=figure.value, ag_low=low,
        ag_high=high, band=bare.band or band(low, high, kept / known.height, wilson(kept, known.height)[1]))


def _policy_legs(known: pl.DataFrame, gap: float) -> pl.DataFrame:
    """The gap to policy shared out by what the decisions fail by; the failing legs of one share it equally."""
    failed = known.filter(pl.col("assured").not_()).select(pl.col(leg).not_().fill_null(value=False) for leg in LEGS)
    counts = failed.select(pl.col(leg).cast(pl.Float64) / pl.sum_horizontal(LEGS) for leg in LEGS).sum()
    rows = [(leg, gap * float(counts[leg][0]) / failed.height if failed.height else 0.0, None, None) for leg in LEGS]
    return pl.DataFrame(rows, schema=LEG_ROWS, orient="row")


def stops(context: Context) -> list[str]:
    """AI-assisted changes of tier 0 in the window whose approval is known not to be valid."""
    since, _ = cohorts.window(context)
    return cohorts.assured(context).filter(
        (pl.col("group") == "ai") & (pl.col("time") > since) & pl.col("tier0").fill_null(value=False) & ~pl.col("waits")
        & pl.col("approval").not_().fill_null(value=False))["case_id"].to_list()


def _why_not(found: Comparison, known1: int, known0: int) -> str:
    held = found.held
    if not held.assisted.height:
        return "no AI-assisted change was executed"
    if found.lack == "coverage_below_min":
        dark = held.assisted.height - known1, held.others.height - known0
        return (f"{dark[0]:,} of {held.assisted.height:,} AI-assisted and {dark[1]:,} of {held.others.height:,} other "
                "changes cannot be judged")
    if found.lack == "denominator_below_min":
        return f"fewer than 30 AI-assisted changes can be judged ({known1:,})"
    if held.baseline is None:
        return "fewer than 30 changes without AI can be judged, so there is nothing to compare with"
    return words.REASONS["no_baseline"] + ": other changes are of other kinds, or none of them could be defended"
