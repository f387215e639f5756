"""The acceleration gap: does assurance keep up with the pace (design section 4, ACC-03 and ACC-05 to ACC-10)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from lineage_analytics.metrics import cohorts, intervals
from lineage_analytics.metrics.approvals import approval_groups
from lineage_analytics.metrics.catalog import metric
from lineage_analytics.metrics.cohorts import LEGS, POLICY, Cohorts
from lineage_analytics.metrics.gap import FIELDS, MIN_DECISIONS, STRATA_LEFT_OUT, compared, limits
from lineage_analytics.metrics.gates import FULL_COVERAGE
from lineage_analytics.metrics.lineage import TABLES, UNITS, loaded
from lineage_analytics.metrics.population import Figure, Population, population
from lineage_analytics.metrics.review import compression, hours, small, waits

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lineage_analytics.metrics.context import Context
    from lineage_analytics.metrics.gap import Numbers

NEEDS = "approvals and evidence of at least 30 AI-assisted and 30 other changes"
_LARGE_SHARE = 0.2


@dataclass(frozen=True)
class Comparison:
    """One comparison of cohorts. ``figures`` (None: nothing to compare) as of ``gap.compared``, ``worst`` and ``best``
    with every unknown decision counted against and for AI-assisted ones, ``drawn`` the same of each resample of whole
    clusters. ``lack`` says why the gap is not scored."""

    held: Cohorts
    figures: Mapping[str, float] | None
    worst: Mapping[str, float]
    best: Mapping[str, float]
    drawn: Mapping[str, Numbers]
    lack: str | None
    by_cluster: bool

    def limits(self, name: str) -> tuple[float | None, float | None]:
        """95 % limits of a figure, by resamples."""
        value = self.figures[name] if self.figures else None
        found = intervals.percentile_limits(self.drawn[name]) if self.drawn else None
        return (min(found[0], value), max(found[1], value)) if found and value is not None else (None, None)

    def figure(self, name: str, scale: float = 1.0, **more: float | None) -> Figure | None:
        if self.figures is None or not np.isfinite(self.figures[name]):
            return None
        low, high = self.limits(name)
        numbers = {"value": self.figures[name], "low": low, "high": high, "worst": self.worst.get(name),
                   "best": self.best.get(name)}
        made = {key: None if number is None or not np.isfinite(number) else number * scale
                for key, number in numbers.items()}
        return Figure(**{**made, "method": "bootstrap", **more})  # type: ignore[arg-type]


def comparison(context: Context, unit: str | None = None) -> Comparison:
    """The comparison of all decisions, or of those of one workstream; computed once."""
    return context.once(f"comparison:{unit or ''}", lambda: compare(cohorts.cohorts(context, unit)))


def compare(held: Cohorts) -> Comparison:
    """Figures of the cohorts with their bounds, resamples and gates."""
    assisted, others = held.assisted, held.others
    strata = sorted({*assisted["stratum"], *others["stratum"]})
    if held.baseline is None or not assisted.height:
        return Comparison(held, None, {}, {}, {}, "no_baseline" if assisted.height else "denominator_below_min", False)
    kinds = [_clusters(rows, group, strata) for group, rows in ((0, others), (1, assisted))]
    clusters, times = (np.concatenate([kind[place] for kind in kinds]) for place in (0, 1))
    plain = {name: float(value) for name, value in compared(_cells(times @ clusters, strata)).items()}
    drawn = compared(_cells(intervals.resampled_sums(clusters, times), strata))
    worst, best = (_bound(assisted, others, strata, against=against) for against in (True, False))
    by_flow = assisted["workflow_id"].drop_nulls().value_counts()["count"].max()
    return Comparison(held, plain, worst, best, drawn, _lack(held, plain),
                      isinstance(by_flow, int) and by_flow > _LARGE_SHARE * assisted.height)


def _lack(held: Cohorts, figures: Mapping[str, float]) -> str | None:
    """Why the gap is not scored: too few, too much unknown, nothing alike to compare with, nothing assured before."""
    for rows in (held.assisted, held.others):
        known = int(rows["assured"].is_not_null().sum())
        if known < FULL_COVERAGE * rows.height:
            return "coverage_below_min"
        if known < MIN_DECISIONS:
            return "denominator_below_min"
    if figures["n1"] < MIN_DECISIONS or figures["left_out"] > STRATA_LEFT_OUT or not figures["q0"]:
        return "no_baseline"
    return None


def _clusters(rows: pl.DataFrame, group: int, strata: list[str]) -> tuple[Numbers, Numbers]:
    """One row a kind of cluster, one column a group, stratum and field; and how many clusters are of each kind."""
    counted = _counted(rows).group_by("cluster", "stratum").agg(pl.col(FIELDS).sum()).sort("cluster", "stratum")
    kinds = counted.group_by("cluster", maintain_order=True).agg(
        kind=pl.concat_str("stratum", *FIELDS, separator="|").str.join(";")).group_by("kind").agg(
        pl.col("cluster").min(), times=pl.len()).sort("cluster")
    names = {name: place for place, name in enumerate(kinds["cluster"])}
    places = {name: place for place, name in enumerate(strata)}
    made = np.zeros((len(names), 2, len(strata), len(FIELDS)))
    for cluster, stratum, *values in counted.join(kinds, on="cluster", how="semi").iter_rows():
        made[names[cluster], group, places[stratum]] = values
    return made.reshape(len(names), -1), kinds["times"].to_numpy().astype(np.float64)


def _counted(rows: pl.DataFrame) -> pl.DataFrame:
    """Each decision as what it adds to the fields of ``gap.FIELDS``."""
    failing = pl.sum_horizontal(pl.col(leg).not_().fill_null(value=False).cast(pl.Float64) for leg in LEGS)
    known, late = pl.col("assured").is_not_null(), pl.col("late").is_not_null()
    return rows.select(
        "cluster", "stratum", executed=pl.lit(1.0), known=known.cast(pl.Float64),
        assured=pl.col("assured").fill_null(value=False).cast(pl.Float64),
        **{leg: pl.when(known & pl.col(leg).not_().fill_null(value=False)).then(1.0 / failing).otherwise(0.0)
           for leg in LEGS},
        lag_known=(known & late).cast(pl.Float64),
        lag_gained=(pl.col("late") & pl.col("assured").not_()).fill_null(value=False).cast(pl.Float64))


def _cells(sums: Numbers, strata: list[str]) -> Numbers:
    return sums.reshape(*sums.shape[:-1], 2, len(strata), len(FIELDS))


def _bound(assisted: pl.DataFrame, others: pl.DataFrame, strata: list[str], *, against: bool) -> dict[str, float]:
    """The figures with every unknown decision as it would be worst, or best, for the AI-assisted ones."""
    parts = [_clusters(rows.with_columns(
        pl.col("assured").fill_null(value=assumed), pl.col("late").fill_null(value=not against)), group, strata)
        for group, rows, assumed in ((0, others, against), (1, assisted, not against))]
    sums = sum((times @ clusters for clusters, times in parts), np.zeros(2 * len(strata) * len(FIELDS)))
    return {name: float(value) for name, value in compared(_cells(sums, strata)).items()
            if name in ("ag", "ux", "q0", "q1", "lag")}


def _objects(found: Comparison) -> pl.DataFrame:
    """Decisions of both cohorts as evidence: which were assured, what they were compared with."""
    baseline = found.held.baseline or "nothing"
    rows = pl.concat([found.held.assisted.with_columns(reason=pl.format("AI-assisted: {}", "reason")),
                      found.held.others.with_columns(reason=pl.format("{}: {}", pl.lit(baseline), "reason"))])
    return rows.select("object_id", "object_kind", "source_rows", "reason", truth="assured")


def _with(found: Comparison, figure: Figure | None, lack: str | None = None, **more: Any) -> Population:
    lack = lack or found.lack or (None if figure else "no_baseline")
    return population(_objects(found), "figure", figure=figure, lack=lack, since=found.held.since, **more)


def of_units(context: Context, one: Any) -> dict[str, Population]:
    """One population a workstream; none may be scored where no decision has one."""
    told = cohorts.assured(context)["workstream"].is_not_null().any()
    made = {f"unit:{unit}": one(comparison(context, unit)) for unit in UNITS}
    return made if told else {name: replace(found, lack="definition_not_met") for name, found in made.items()}


@metric(
    "ACC-03", title="Times as many changes with AI", question="By how much does AI speed changes up?",
    numerator="executed AI-assisted decisions",
    denominator="executed decisions of the baseline in an equal window: other changes of the same window, or the same "
                "workflows before AI was switched on. Bounds: changes of unknown involvement all on the one side, or "
                "all on the other",
    kind="process", unit="ratio", direction="none", needs=NEEDS, tables=TABLES)
def acceleration(context: Context) -> Mapping[str, Population]:
    if not loaded(context):
        return {}
    found = comparison(context)
    if found.figures is None:
        return {"all": _with(found, None)}
    x0, x1, dark = found.figures["x0"], found.figures["x1"], found.held.unknown.height
    figure = found.figure("af", numerator=x1, denominator=x0)
    kept = replace(figure, worst=(x1 + dark) / x0, best=x1 / (x0 + dark)) if figure else None
    unknown = found.held.unknown.select(
        "object_id", "object_kind", "source_rows", reason=pl.lit("involvement unknown"), state=pl.lit("unknown"))
    rows = pl.concat([_objects(found).drop("truth").with_columns(state=pl.lit("in")), unknown])
    return {"all": population(rows, "figure", figure=kept, since=found.held.since, **small(min(x0, x1)))}


@metric(
    "ACC-05", title="Gap between pace and assurance", question="Is AI outrunning what we can defend?",
    numerator="one less the assured share of AI-assisted decisions in units of the baseline's, the latter in the mix "
              "of kinds of change and tiers that AI makes",
    denominator="decisions of known assurance on both sides, at least 30 each and four fifths of all. Never read "
                "without ACC-03, ACC-04 and ACC-06. Scope policy: against the target of 95 %, which is no "
                "acceleration; scope stop: AI-assisted changes of tier 0 without a valid approval, named. A unit is "
                "compared with the same baseline as the whole",
    kind="process", unit="ratio", direction="lower", refs=("GV.OV-03", "MEASURE 3.1", "MANAGE 4.1"), needs=NEEDS,
    tables=TABLES, scopes=("all", "policy", "stop", *(
        f"{tail}unit:{unit}" for tail in ("", "policy/") for unit in UNITS)))
def acceleration_gap(context: Context) -> Mapping[str, Population]:
    if not loaded(context):
        return {}
    found = comparison(context)
    beside = {f"policy/{scope}": held for scope, held in of_units(context, _policy).items()}
    return {"all": _gap(found), "policy": _policy(found), "stop": _stop(context)} | of_units(context, _gap) | beside


def _gap(found: Comparison) -> Population:
    return _with(found, gap_figure(found))


def gap_figure(found: Comparison) -> Figure | None:
    """The gap with its limits: by the ratio of shares, or by clusters where one workflow holds over a fifth of the
    decisions."""
    figures = found.figures
    if figures is None or found.lack is not None:
        return None
    if found.by_cluster:
        made = found.figure("ag", denominator=figures["n1"])
        return made if made is None else replace(made, numerator=None)
    low, high = limits(figures["q0"], figures["n0"], figures["q1"], figures["n1"])
    worst, best = found.worst["ag"], found.best["ag"]
    return Figure(figures["ag"], low, high, "katz", worst if np.isfinite(worst) else None,
                  best if np.isfinite(best) else None, denominator=figures["n1"])


def _policy(found: Comparison) -> Population:
    """What is lacking of the target that was set, whatever was before."""
    rows = found.held.assisted.select("object_id", "object_kind", "source_rows", "reason", truth="assured")
    figure, lack = policy_figure(found.held.assisted)
    return population(rows, "figure", figure=figure, lack=lack, since=found.held.since)


def policy_figure(assisted: pl.DataFrame) -> tuple[Figure | None, str | None]:
    """The gap to policy of decisions, None where none of them can be judged; and why it is not scored, else None."""
    unknown = assisted["assured"].null_count()
    kept, known = int(assisted["assured"].sum()), assisted.height - unknown
    lack = "coverage_below_min" if known < FULL_COVERAGE * assisted.height else (
        "denominator_below_min" if known < MIN_DECISIONS else None)
    if not known:
        return None, lack
    low, high = intervals.wilson(kept, known)
    shares = kept / known, high, low, kept / assisted.height, (kept + unknown) / assisted.height
    value, least, most, worst, best = (1 - share / POLICY for share in shares)
    return Figure(value, least, most, "wilson", worst, best, denominator=float(known)), lack


def _stop(context: Context) -> Population:
    """AI-assisted changes of tier 0 whose approval is not valid: by their names."""
    since, _ = cohorts.window(context)
    rows = cohorts.assured(context).filter(
        (pl.col("group") == "ai") & (pl.col("time") > since) & ~pl.col("waits"))
    dark = pl.col("tier0").is_null()
    kept = rows.filter(pl.col("tier0").fill_null(value=True) & ~(dark & pl.col("approval").fill_null(value=False)))
    return population(kept.with_columns(
        truth=pl.when(~dark).then(pl.col("approval").not_()),
        reason=pl.when(dark).then(pl.lit("the record does not name what was changed")).otherwise("approved_why")),
        "count", unit="count", base=float(rows.height), since=since)


@metric(
    "ACC-06", title="Additional changes we cannot defend", question="How many more changes are not defensible now?",
    numerator="unassured AI-assisted decisions less unassured ones of the baseline, in an equal window",
    denominator="a day of the window (scope day), the window (scope window)",
    kind="process", direction="lower", unit="count", needs=NEEDS, tables=TABLES, scopes=("window", "day"))
def excess(context: Context) -> Mapping[str, Population]:
    if not loaded(context):
        return {}
    found = comparison(context)
    figure = found.figure("ux") if found.lack is None else None
    daily = found.figure("ux", 1 / found.held.days) if found.lack is None else None
    return {"window": _with(found, figure), "day": _with(found, daily, unit="per_day")}


@metric(
    "ACC-07", title="What the gap is made of", question="Which leg broke: evidence, approval, or the way back?",
    numerator="what a leg lost more than in the baseline, in units of the baseline's assured share; the failing legs "
              "of a decision share it equally, so that the three add up to the gap",
    denominator="as of the gap", kind="process", unit="ratio", direction="lower", needs=NEEDS, tables=TABLES,
    scopes=LEGS)
def legs(context: Context) -> Mapping[str, Population]:
    if not loaded(context):
        return {}
    found = comparison(context)
    return {leg: _with(found, replace(figure, worst=None, best=None) if found.lack is None and (
        figure := found.figure(leg)) else None) for leg in LEGS}


@metric(
    "ACC-08", title="Since when the gap is open", question="When did it open, and what has it cost?",
    numerator="days since the first of three weeks in a row whose assured share, at its upper limit, lies below the "
              "baseline; 0: it has not opened. Scope shortfall: decisions that would be assured had the share of the "
              "baseline held, less those that are, over all weeks",
    denominator="weeks with AI-assisted decisions", kind="process", unit="days", direction="lower", needs=NEEDS,
    tables=TABLES, scopes=("opened", "shortfall"))
def since_when(context: Context) -> Mapping[str, Population]:
    from lineage_analytics.metrics.pace import opened, weekly  # noqa: PLC0415  (it reads this module)

    if not loaded(context):
        return {}
    found = comparison(context)
    if found.lack is not None:
        return {scope: _with(found, None) for scope in ("opened", "shortfall")}
    weeks = weekly(context)
    start = opened(weeks)
    days = 0.0 if start is None else float((context.facts.as_of.date() - start).days + 1)
    missing = float(weeks["shortfall"].sum())
    q0, dark = found.figures["q0"] if found.figures else 0.0, float(weeks["unknown"].sum())
    return {
        "opened": _with(found, Figure(days, denominator=float(weeks.height))),
        "shortfall": _with(found, Figure(missing, worst=missing + q0 * dark, best=missing - (1 - q0) * dark,
                                         denominator=float(weeks["executed"].sum())), unit="count"),
    }


@metric(
    "ACC-09", title="Assured late, not lost", question="How much of the gap is only late?",
    numerator="assured by the seventh day after, by evidence or an approval that came after the change, and not at it",
    denominator="AI-assisted decisions of which both are known; repairable by process, and never counted as assured",
    kind="process", direction="none", unit="share", needs=NEEDS, tables=TABLES)
def lag(context: Context) -> Mapping[str, Population]:
    if not loaded(context):
        return {}
    found = comparison(context)
    rows = found.held.assisted.with_columns(
        truth=pl.when(pl.col("assured").is_not_null()).then(pl.col("late") & pl.col("assured").not_()),
        reason=pl.when(pl.col("late") & pl.col("assured").not_()).then(
            pl.lit("assured within seven days after it ran")).otherwise("reason"))
    return {"all": population(rows.select("object_id", "object_kind", "source_rows", "reason", "truth"),
                              since=found.held.since)}


@metric(
    "ACC-10", title="Review compressed", question="Do people look as long, and at as few at a time, as before?",
    numerator="scope time: median time to approve without AI, in units of that with AI; scope load: approvals in a "
              "busy hour of one approver with AI, in units of those without",
    denominator="approvals by people in the window", kind="process", unit="ratio", direction="band",
    refs=("ASI09", "Art. 14(4)(b)"), needs="approvals with request times", tables=TABLES, scopes=("time", "load"))
def review(context: Context) -> Mapping[str, Population]:
    if not loaded(context):
        return {}
    given = approval_groups(context)
    busy = {scope: hours(rows.filter(pl.col("agent_class") == "human")) for scope, rows in given.items()}
    values = {scope: rows["value"].drop_nulls().sort().to_numpy() for scope, rows in busy.items()}
    count = min(len(found) for found in values.values())
    rows = pl.concat([part.with_columns(object_id=pl.format("{}|{}", "object_id", pl.lit(scope)))
                      for scope, part in busy.items()])
    figure = None
    if count:
        value = float(intervals.p95(values["all"])[0] / intervals.p95(values["non_ai"])[0])
        low, high = _load_limits(values["all"], values["non_ai"])
        figure = Figure(value, min(low, value), max(high, value), "bootstrap", denominator=float(rows.height))
    return {"time": compression(waits(context, "non_ai"), waits(context, "all")),
            "load": population(rows, "figure", figure=figure, **small(count))}


def _load_limits(assisted: Numbers, others: Numbers) -> tuple[float, float]:
    source = np.random.default_rng(intervals.SEED)
    drawn = [intervals.p95(source.choice(held, size=(intervals.RESAMPLES, held.size))) for held in (assisted, others)]
    low, high = np.quantile(drawn[0] / drawn[1], [0.025, 0.975])
    return float(low), float(high)
