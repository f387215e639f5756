"""Numbers in words: never more digits than the data bears, and unknown as a word (design, reading.md 2)."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

from lineage_analytics.metrics.catalog import catalogue
from lineage_analytics.metrics.pace_words import of_pace

if TYPE_CHECKING:
    from collections.abc import Mapping

    Row = Mapping[str, Any]

REASONS = {
    "no_source": "no source for it is loaded",
    "source_stale": "the inventory is too old",
    "denominator_below_min": "fewer than 10 are known",
    "coverage_below_min": "too much of it is unknown",
    "lookback_too_short": "the logs do not reach back far enough",
    "definition_not_met": "the records lack the field that would say",
    "no_baseline": "there is nothing to compare with",
}
_PROVISIONAL = {
    "denominator_below_min": "fewer than 30 are known",
    "coverage_below_min": "part of it cannot be seen",
    "source_stale": "the inventory is older than a week",
}
_NAMES = {"p10": "10th percentile", "p50": "median", "p90": "90th percentile", "p95": "95th percentile",
          "max": "at most",
          "median_hops": "median", "min_hops": "shortest", "human": "people: 95th percentile",
          "service_account": "service accounts: 95th percentile", "workload": "workloads: 95th percentile",
          "app": "applications: 95th percentile", "ai": "agents and assistants: 95th percentile"}
_WHOLE_BELOW = 100
_RARE, _NEARLY = 0.25, 0.95
_FRACTIONS = sorted({Fraction(k, n) for n in (2, 3, 4, 5, 10) for k in range(1, n)})
_PER = {"per_100": "of 100", "per_1000": "of 1,000", "per_10000": "of 10,000"}


def reason_words(reason: str | None, metric_id: str | None = None) -> str:
    """A reason code in words; with the metric's id, the source that is lacking by name."""
    known = catalogue().get(metric_id or "")
    if reason == "no_source" and known:
        return f"no source for {known.needs}"
    return REASONS.get(reason or "", "no reason given")


def measure_words(row: Row) -> str:
    """Any measure in words: share, count, rate, median, or why it is not scored."""
    if row["status"] == "not_scored":
        return _not_scored(row)
    told = of_pace(row)
    if told is not None:
        return told + _unknown(row) + _provisional(row)
    if row["unit"] == "count" and row["numerator"] is not None:
        return _count(row) + _provisional(row)
    if row["unit"] == "per_day":
        return _rate(row) + _provisional(row)
    if row["unit"] == "per_100" and row["ci_method"] != "wilson":
        return _flow(row) + _provisional(row)
    if row["unit"] == "points":
        return _points(row) + _provisional(row)
    if row["numerator"] is None:
        return _statistic(row) + _provisional(row)
    return share_words(row)


def share_words(row: Row) -> str:
    """``12 of 31 (about 2 in 5; between 24 % and 56 %)``, ``none of 12 (could be up to 24 %)`` or why not scored."""
    if row["status"] == "not_scored":
        return _not_scored(row)
    k, n, unit = row["numerator"], row["denominator"], row["unit"]
    low, high = row["ci_low"], row["ci_high"]
    if low is None:  # one computed number, no sample
        return f"{_of(k, n)} ({_percent(k / n, n)})" + _unknown(row) + _provisional(row)
    if unit in _PER:
        per = _PER[unit]
        between = f"{_number(row['value'])} {per}; between {_number(low)} and {_number(high)}"
        said = f"{_of(k, n)} ({between})" if k else f"none of {n:,.0f} (could be up to {_number(high)} {per})"
    elif not k:
        said = f"none of {n:,.0f} (could be up to {_percent(high, n)})"
    elif k == n:
        said = f"all {n:,.0f} (could be as few as {_percent(low, n)})"
    else:
        about = _percent(k / n, n) if n >= _WHOLE_BELOW else "" if k == 1 else _fraction(k / n)
        said = f"{_of(k, n)} ({about}{'; ' * bool(about)}between {_percent(low, n)} and {_percent(high, n)})"
    return said + _unknown(row) + _provisional(row)


def percent(row: Row) -> str:
    """The value of a share alone, as a percentage with no more digits than its denominator bears; or "not scored"."""
    if row["status"] == "not_scored" or row["value"] is None:
        return "not scored"
    return _percent(row["value"], row["denominator"] or 0)


def _not_scored(row: Row) -> str:
    reason = reason_words(row["reason"], row["metric_id"])
    if row["reason"] == "denominator_below_min" and not row["denominator"]:
        if row["n_excluded"]:
            return f"not scored: none to judge, {row['n_excluded']:,} excluded"
        return "not scored: there was none in this period" if row["window_start"] else "not scored: there is none"
    if row["reason"] == "denominator_below_min" and row["numerator"] is not None:
        return f"{_of(row['numerator'], row['denominator'])}; not scored: {reason}"
    return f"not scored: {reason}"


def _count(row: Row) -> str:
    k, unknown = row["numerator"], row["n_unknown"]
    said = "none" if not k else f"{k:,.0f}"
    if row["denominator"]:
        said += f" of {row['denominator']:,.0f}"
    return said + (f"; {unknown:,} more could not be judged" if unknown else "")


def _rate(row: Row) -> str:
    if not row["numerator"]:
        return f"none in {row['denominator']:,.0f} days (could be up to {_number(row['ci_high'])} a day)"
    return f"{_number(row['value'])} a day (between {_number(row['ci_low'])} and {_number(row['ci_high'])})"


def _flow(row: Row) -> str:
    """``7 in the window: 1.4 for each 100 of 500 (between 0.9 and 2)``; what would not be told apart comes behind."""
    between = f"between {_number(row['ci_low'])} and {_number(row['ci_high'])}"
    said = (f"{row['numerator']:+,.0f}" if row["scope"] == "net" else f"{row['numerator']:,.0f}") + (
        f" in the window: {_number(row['value'])} for each 100 of {row['denominator']:,.0f} ({between})")
    return said + (f"; {row['n_unknown']:,} more could not be judged" if row["n_unknown"] else "")


def _points(row: Row) -> str:
    between = f"between {_number(row['ci_low'])} and {_number(row['ci_high'])}"
    said = f"{_NAMES.get(row['scope'], row['scope'])} {_number(row['value'])} of 100 points"
    if row["numerator"] is not None:  # what is unknown of it is a weight, no number of accounts
        return f"{said} ({between})"
    return f"{said} over {row['denominator']:,.0f} ({between}){_unknown(row)}"


def _statistic(row: Row) -> str:
    scope = row["scope"].partition("/")[0]
    name = _NAMES.get(scope, scope.replace("_", " "))
    if row["unit"] not in ("ratio", "share"):
        unit = "" if row["unit"] == "count" else row["unit"].removesuffix("s") if row["value"] == 1 else row["unit"]
        return " ".join(f"{name} {_number(row['value'])} {unit} over {row['denominator']:,.0f}".split())
    n = row["denominator"]
    if row["ci_low"] is None:
        return f"{name} {_percent(row['value'], n)} over {n:,.0f}"
    between = f"between {_percent(row['ci_low'], n)} and {_percent(row['ci_high'], n)}"
    return f"{name} {_percent(row['value'], n)} over {n:,.0f} ({between})"


def _unknown(row: Row) -> str:
    return f"; {row['n_unknown']:,} more unknown" if row["n_unknown"] else ""


def _provisional(row: Row) -> str:
    if row["status"] != "provisional":
        return ""
    return f"; provisional: {_PROVISIONAL.get(row['reason'], reason_words(row['reason'], row['metric_id']))}"


def _of(k: float, n: float) -> str:
    return f"{'none' if not k else f'{k:,.0f}'} of {n:,.0f}"


def _percent(share: float, n: float) -> str:
    """Whole percents below a hundred objects; one decimal above, where it says something."""
    value = share * 100
    digits = 0 if n < _WHOLE_BELOW else 1
    return f"{f'{value:.{digits}f}'.removesuffix('.0')} %"


def _fraction(share: float) -> str:
    """The simplest near fraction in words, ``about 2 in 5``; at the ends ``about 1 in 20`` or ``nearly all``."""
    if share < _RARE:
        return f"about 1 in {round(1 / share)}"
    if share > _NEARLY:
        return "nearly all"
    near = min(_FRACTIONS, key=lambda f: (abs(float(f) - share) + f.denominator * 0.002, f.denominator))
    return f"about {near.numerator} in {near.denominator}"


def _number(value: float) -> str:
    """Two significant digits below a hundred, whole above."""
    if value == 0:
        return "0"
    text = f"{value:,.0f}" if abs(value) >= _WHOLE_BELOW else f"{value:.2g}"
    return text if "e" not in text else f"{value:.4f}"
