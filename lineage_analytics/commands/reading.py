"""``lineage measures``, ``explain`` and ``trace``: numbers, decisions and the records behind them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lineage_analytics.commands import console
from lineage_analytics.errors import UsageError, did_you_mean
from lineage_analytics.text import ascii_only, printable

if TYPE_CHECKING:
    import argparse

    from lineage_analytics.analysis import Analysis

_NEW = {"record_type": "record type", "key": "new key", "type": "changed type of", "revision": "revision:"}
_FILES = {"matches": "match", "differs": "differ", "not_loaded": "not loaded", "not_hashed": "loaded without a hash"}
_HOLES = 5


def analysed(given: argparse.Namespace) -> Analysis:
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

    frame = analysed(given).measured.measures
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
    decisions = analysed(given).decisions
    if given.json:
        console.document(decisions.explained(given.id, given.records))
    else:
        print(decisions.explain(given.id, given.records))
    return 0


def trace(given: argparse.Namespace) -> int:
    from lineage_analytics.metrics import trace as tracing

    found = analysed(given)
    traced: dict[str, Any] = tracing.trace(
        found.measured, found.estate, given.metric_id, given.scope or None, given.limit)
    if given.json:
        console.document(traced)
    else:
        print(tracing.as_text(traced))
    return 0


def sources(given: argparse.Namespace) -> int:
    import polars as pl

    from lineage_analytics import analysis

    estate = analysis.open(given.workspace, given.as_of, given.window, given.lookback)
    found, new = estate.sources, estate.new_in_formats
    if given.json:
        console.document({"sources": found.to_dicts(), "sequence_gaps": estate.sequence_gaps.to_dicts(),
                          "new_in_formats": new.to_dicts()})
        return 0
    print("\n".join(console.table(
        ["source", "tenant", "period", "days", "missing", "records", "not used", "new in format"],
        [[row["source"], printable(row["tenant"] or "", 36), _period(row), str(row["days"] or ""),
          _gaps(row), f"{row['records'] or 0:,}",
          str((row["quarantined"] or 0) + (row["rejected"] or 0)), str(row["drift"])]
         for row in found.iter_rows(named=True)])))
    for row in found.filter(pl.col("log_files").is_not_null()).iter_rows(named=True):
        print(f"{row['source']} {row['tenant']}: log files against their digests: "
              + ", ".join(f"{one['count']:,} {_FILES[one['verdict']]}" for one in row["log_files"]))
    for row in estate.sequence_gaps.filter(pl.col("missing") > 0).iter_rows(named=True):
        numbers = "1 record number" if row["missing"] == 1 else f"{row['missing']:,} record numbers"
        print(f"{row['source']} {printable(row['stream'], 80)}: {numbers} between {row['first_number']:,} and "
              f"{row['last_number']:,} in no file: {_holes(row['gaps'])}")
    for row in new.iter_rows(named=True):
        form = f" ({row['found']})" if row["found"] else ""
        print(f"{row['source']}: {_NEW[row['kind']]} {printable(row['name'], 60)}{form} in {row['records']:,} records, "
              f"first in {printable(row['first'], 120)}")
    return 0


def _period(row: dict[str, Any]) -> str:
    if row["state"] == "missing":
        return "expected, never received"
    return f"{row['first']:%Y-%m-%d} to {row['last']:%Y-%m-%d}" if row["first"] else "no dated records"


def _holes(gaps: list[dict[str, int]]) -> str:
    said = [f"{gap['first']:,}" + (f" to {gap['last']:,}" if gap["last"] > gap["first"] else "") for gap in gaps]
    return ", ".join(said[:_HOLES]) + (f" and {len(said) - _HOLES} more" if len(said) > _HOLES else "")


def _gaps(row: dict[str, Any]) -> str:
    days = row["missing_days"]
    if not days:
        return ""
    run = (days[-1] - days[0]).days == len(days) - 1
    said = f"{days[0]:%m-%d}" if len(days) == 1 else (
        f"{days[0]:%m-%d} to {days[-1]:%m-%d}" if run else f"between {days[0]:%m-%d} and {days[-1]:%m-%d}")
    quiet = row["quiet_days"]
    return f"{len(days)}{':' if run else ''} {said}" + (
        f", {'all' if quiet == len(days) else quiet} maybe quiet" if quiet else "")


def who(given: argparse.Namespace) -> int:
    from lineage_analytics import analysis

    found = analysis.open(given.workspace).who(given.name)
    if given.json:
        console.document({"asked": found.asked, "accounts": found.accounts.to_dicts()})
    else:
        print(found)
    return 0
