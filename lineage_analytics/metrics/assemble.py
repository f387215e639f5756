"""From populations to measures and evidence: counts, intervals, bounds and gates are applied here and nowhere else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from lineage_analytics import tables
from lineage_analytics.metrics import gates, intervals
from lineage_analytics.metrics.population import Population, population

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from lineage_analytics.metrics.catalog import Metric
    from lineage_analytics.metrics.context import Context
    from lineage_analytics.metrics.population import Figure

SCALE = {"per_100": 100.0, "per_1000": 1_000.0, "per_10000": 10_000.0, "points": 100.0}
_STATISTICS = {"median": intervals.median, "p90": intervals.p90, "p95": intervals.p95, "min": intervals.least,
               "max": intervals.most}
_EXTREMES = ("min", "max")
_FLOWS = ("flow", "balance")
_BOUNDED = ("share", "ratio", "points")
_NUMBERS = ("value", "ci_low", "ci_high", "worst_case", "best_case")


def assemble(metrics: Iterable[Metric], context: Context) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Measures and evidence of every metric and scope; one whose source is missing has its row all the same."""
    rows, evidence = [], []
    for metric in metrics:
        found: Mapping[str, Population] = metric.function(context)
        for scope in metric.scopes:
            people = found.get(scope) or Population(_nobody(), lack="no_source")
            rows.append(_row(metric, scope, people, context))
            evidence.append(_evidence(metric, scope, people.frame))
    measures = pl.DataFrame(rows, schema=tables.MEASURES.schema, orient="row")
    return measures, tables.concat(evidence, tables.EVIDENCE)


def _nobody() -> pl.DataFrame:
    schema = {"object_id": pl.String, "object_kind": pl.String, "state": pl.String}
    return population(pl.DataFrame(schema=schema)).frame


def _row(metric: Metric, scope: str, people: Population, context: Context) -> dict[str, Any]:
    unit = people.unit or metric.unit
    numbers = _numbers(people, higher_is_better=metric.higher_is_better)
    age = context.snapshot_age(metric.snapshot)
    known, unknown = _gate_counts(people)
    verdict = gates.judge(
        known=known, unknown=unknown, lack=people.lack, lack_of_unknown=_lack_of_unknown(people.frame), age=age,
        counted=people.how in ("rate", "figure", *_FLOWS)
        or (people.how in ("count", *_EXTREMES) and known + people.base > 0),
        doubt=people.doubt)
    scale = SCALE.get(unit, 1.0)
    for name in _NUMBERS:
        kept = verdict.status != "not_scored" and numbers[name] is not None
        numbers[name] = numbers[name] * scale if kept else None
    if people.lack == "no_source":
        numbers |= {"numerator": None, "denominator": None}
    return {
        **dict.fromkeys(tables.MEASURES.schema.names()),
        "metric_id": metric.metric_id, "definition_version": metric.version, "scope": scope, "kind": metric.kind,
        **numbers, "ci_method": numbers["ci_method"] if numbers["ci_low"] is not None else None,
        "status": verdict.status, "reason": verdict.reason, "unit": unit,
        "window_start": people.since or context.start_of(metric.kind), "window_end": context.facts.as_of,
        "sources": context.sources(metric.tables), "snapshot_at": context.snapshot_of(metric.snapshot),
    }


def _gate_counts(people: Population) -> tuple[float, float]:
    """Known and unknown objects; for weighted shares of single events the weights are the events."""
    frame = people.frame
    if people.how in ("share", "part"):
        return float(frame["den"].sum()), float(frame["unk"].sum())
    states = frame["state"]
    return float(states.is_in(["in", "out"]).sum()), float((states == "unknown").sum())


def _lack_of_unknown(frame: pl.DataFrame) -> str | None:
    """The code that most unknown objects lack, when it is most of them."""
    unknown = frame.filter(pl.col("state") == "unknown")
    counts = unknown["lack"].drop_nulls().value_counts(sort=True).sort(["count", "lack"], descending=[True, False])
    if counts.is_empty() or counts["count"][0] * 2 < unknown.height:
        return None
    return str(counts["lack"][0])


def _numbers(people: Population, *, higher_is_better: bool) -> dict[str, Any]:
    if people.how in _STATISTICS:
        return _statistic(people, higher_is_better=higher_is_better)
    sums = people.frame.select(pl.col("num", "den", "unk", "exc").sum()).row(0)
    num, den, unknown, excluded = (float(value) for value in sums)
    found: dict[str, Any] = {
        "numerator": num, "denominator": den, "n_unknown": round(unknown), "n_excluded": round(excluded)}
    if people.how == "count":
        return found | _limits(num, None, "", num + unknown, num)
    if people.how == "figure":
        return found | _figure(people.figure)
    if people.how in _FLOWS:
        return found | {"denominator": people.base} | _flow(people)
    if people.how == "rate":
        return found | {"denominator": float(people.days)} | _rate(people, num, unknown)
    if not den:
        return found | _limits(None, None, "", None, None)
    interval, method = _share_interval(people, num, den)
    low, high = num / (den + unknown), (num + unknown) / (den + unknown)
    worst, best = (low, high) if higher_is_better else (high, low)
    return found | _limits(num / den, interval, method, worst, best)


def _figure(found: Figure | None) -> dict[str, Any]:
    if found is None:
        return {"numerator": None, "denominator": None} | _limits(None, None, "", None, None)
    limits = None if found.low is None or found.high is None else (found.low, found.high)
    return {"numerator": found.numerator, "denominator": found.denominator} | _limits(
        found.value, limits, found.method or "", found.worst, found.best)


def _share_interval(people: Population, num: float, den: float) -> tuple[tuple[float, float] | None, str]:
    if people.how == "part":
        return None, ""
    if people.how == "share" and _plain(people.frame):
        return intervals.wilson(num, den), "wilson"
    known = people.frame.filter(pl.col("den") > 0)
    return intervals.bootstrap_ratio(known["num"].to_list(), known["den"].to_list()), "bootstrap"


def _plain(frame: pl.DataFrame) -> bool:
    """Every object weighs one, so that they are trials of one kind."""
    return bool(frame.select(pl.col("den").is_in([0.0, 1.0]).all() & pl.col("num").is_in([0.0, 1.0]).all()).item())


def _rate(people: Population, num: float, unknown: float) -> dict[str, Any]:
    """Per day over all days of the window, also those on which nothing happened.

    None at all still allows for some: the exact Poisson limit then, since no resample of zeros shows it.
    """
    if not num:
        most = intervals.poisson_limit_of_none() / people.days
        return _limits(0.0, (0.0, most), "poisson", unknown / people.days, 0.0)
    counted = people.frame.filter(pl.col("num") > 0).group_by("cluster").agg(pl.col("num").sum())["num"].to_list()
    daily = [*counted, *[0.0] * max(people.days - len(counted), 0)]
    interval = intervals.bootstrap(daily, intervals.mean)
    return _limits(num / people.days, interval, "bootstrap", (num + unknown) / people.days, num / people.days)


def _flow(people: Population) -> dict[str, Any]:
    """Events less their opposites per object of the base. The interval resamples days, quiet ones among them."""
    frame, base = people.frame, people.base
    if not base:
        return _limits(None, None, "", None, None)
    num = float(frame["num"].sum())
    bounds = (float(frame[side].fill_null(0.0).sum()) for side in ("worst", "best"))
    worst, best = ((num + more) / base for more in bounds)
    daily = frame.filter(pl.col("state") == "in").group_by("cluster").agg(pl.col("num").sum())["num"].to_list()
    if not daily:
        limit = intervals.poisson_limit_of_none() / base
        return _limits(0.0, (-limit if people.how == "balance" else 0.0, limit), "poisson", worst, best)
    days = [*daily, *[0.0] * max(people.days - len(daily), 0)]
    low, high = (end * len(days) / base for end in intervals.bootstrap(days, intervals.mean))
    return _limits(num / base, (low, high), "bootstrap", worst, best)


def _statistic(people: Population, *, higher_is_better: bool) -> dict[str, Any]:
    """A median or percentile over objects; an unknown object is worst or best of all, where there is a worst of all."""
    frame, statistic = people.frame, _STATISTICS[people.how]
    known = frame.filter(pl.col("value").is_not_null())
    unknown = int((frame["state"] == "unknown").sum())
    found: dict[str, Any] = {
        "numerator": None, "denominator": float(known.height), "n_unknown": unknown,
        "n_excluded": int((frame["state"] == "excluded").sum())}
    if known.is_empty():
        return found | _limits(None, None, "", None, None)
    bad, good = (0.0, 1.0) if higher_is_better else (1.0, 0.0)
    values = known["value"].to_list()
    worst, best = ([*known[side].to_list(), *[extreme] * unknown] for side, extreme in (("worst", bad), ("best", good)))
    value, low, high = (float(statistic(pl.Series(v).sort().to_numpy())[0]) for v in (values, worst, best))
    if people.how in _EXTREMES:  # no resample goes beyond what was found
        return found | _limits(value, None, "", low, high)
    if people.unit not in _BOUNDED and unknown:
        return found | _limits(value, intervals.bootstrap(values, statistic), "bootstrap", None, None)
    return found | _limits(value, intervals.bootstrap(values, statistic), "bootstrap", low, high)


def _limits(
    value: float | None, interval: tuple[float, float] | None, method: str, worst: float | None, best: float | None
) -> dict[str, Any]:
    low, high = interval or (None, None)
    return {"value": value, "ci_low": low, "ci_high": high, "ci_method": method or None, "worst_case": worst,
            "best_case": best}


def _evidence(metric: Metric, scope: str, frame: pl.DataFrame) -> pl.DataFrame:
    """Every object in its set; one in the numerator stands in the denominator as well."""
    named = frame.with_columns(metric_id=pl.lit(metric.metric_id), scope=pl.lit(scope))
    sets = {"numerator": ["in"], "denominator": ["in", "out"], "unknown": ["unknown"], "excluded": ["excluded"]}
    parts = [named.filter(pl.col("state").is_in(states)).with_columns(set=pl.lit(name))
             for name, states in sets.items()]
    return pl.concat(parts).select(tables.EVIDENCE.schema.names()).cast(tables.EVIDENCE.schema)
