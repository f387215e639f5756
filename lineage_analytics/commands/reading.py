"""``lineage measures``, ``explain`` and ``trace``: numbers, decisions and the records behind them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lineage_analytics.commands import console
from lineage_analytics.errors import UsageError, did_you_mean
from lineage_analytics.text import ascii_only

if TYPE_CHECKING:
    import argparse

    from lineage_analytics.analysis import Analysis


def _analysis(given: argparse.Namespace) -> Analysis:
    from lineage_analytics import analysis

    estate = analysis.open(given.workspace, given.as_of, given.window, given.lookback)
    if estate.organisation[1]:
        console.note("Synthetic data: no real person, company or account")
    return analysis.analyse(estate)


def measures(given: argparse.Namespace) -> int:
    import polars as pl

    from lineage_analytics import metrics
    from lineage_analytics.metrics import words
    from lineage_analytics.reporting.records import measure_records

    frame = _analysis(given).measured.measures
    known = sorted(set(frame["metric_id"]))
    for wanted in given.metric:
        if wanted not in known:
            raise UsageError("Wanted a metric that is measured", f"found {ascii_only(wanted, 40)!r}",
                             did_you_mean(wanted, known))
    if given.metric:
        frame = frame.filter(pl.col("metric_id").is_in(given.metric))
    if given.json:
        console.document({"measures": measure_records(frame)})
        return 0
    rows = [
        [row["metric_id"], row["scope"], metrics.title(row["metric_id"]), words.measure_words(row)]
        for row in frame.iter_rows(named=True)
    ]
    print("\n".join(console.table(["id", "scope", "measure", "value"], rows)))
    return 0


def explain(given: argparse.Namespace) -> int:
    decisions = _analysis(given).decisions
    if given.json:
        console.document(decisions.explained(given.id))
    else:
        print(decisions.explain(given.id))
    return 0


def trace(given: argparse.Namespace) -> int:
    from lineage_analytics.metrics import trace as tracing

    found = _analysis(given)
    traced: dict[str, Any] = tracing.trace(
        found.measured, found.estate, given.metric_id, given.scope or None, given.limit)
    if given.json:
        console.document(traced)
    else:
        print(tracing.as_text(traced))
    return 0
