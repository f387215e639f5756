"""Measures and manifests as the documents other programs read (the contracts' names)."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from typing import TYPE_CHECKING, Any

import polars as pl

from lineage_analytics import __version__, metrics
from lineage_analytics.errors import did_you_mean
from lineage_analytics.loaders import loaders
from lineage_analytics.reporting.manifest import canonical

if TYPE_CHECKING:
    from lineage_analytics.analysis import Analysis
    from lineage_analytics.workspace.estate import Estate

_FACT_TABLES = ("activity", "assistant_access", "coverage", "credentials", "decision_steps", "delegations",
                "entitlements", "identity_facts", "ledger", "permission_use", "quarantine", "resources", "usage")
_RUN_ID = 16


def stamp(moment: datetime) -> str:
    """ISO 8601 in UTC; microseconds only where there are any."""
    text = moment.strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}.{moment.microsecond:06d}Z" if moment.microsecond else f"{text}Z"


def measure_records(measures: pl.DataFrame) -> list[dict[str, Any]]:
    """Rows of ``measures.json``: numbers as numbers, whole ones as integers, times as text, null where unknown."""
    return [{key: _plain(value) for key, value in row.items()} for row in measures.iter_rows(named=True)]


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return stamp(value)
    if isinstance(value, float):
        return int(value) if value.is_integer() and abs(value) < 2**53 and value not in (0.0, 1.0) else _rounded(value)
    return value


def _rounded(value: float) -> float | int:
    """Ten significant digits: sums in another order give the same text."""
    rounded = float(f"{value:.10g}")
    return int(rounded) if rounded.is_integer() else rounded


def body(analysis: Analysis, profile: str) -> dict[str, Any]:
    """All that a manifest says besides outputs and head; the run id is a digest of it."""
    estate = analysis.estate
    said: dict[str, Any] = {
        "as_of": stamp(estate.as_of), "window_days": estate.window_days, "lookback_days": estate.lookback_days,
        "profile": profile, "definition_version": metrics.DEFINITION_VERSION, "package_version": __version__,
        "sources": estate.counts, "inputs": inputs(estate),
        "tables": {name: version for name, version in sorted(estate.versions.items()) if name in _FACT_TABLES},
        "checks": checks(analysis), "status": "degraded" if degradation(estate) else "complete", "key_id": None,
    }
    return {"run_id": hashlib.sha256(canonical(said)).hexdigest()[:_RUN_ID], **said}


def inputs(estate: Estate) -> list[dict[str, Any]]:
    """Every file read, once, by the name it had under the path that was given."""
    ledger = estate.frame("ledger").select(
        pl.col("file").alias("name"), pl.col("file_sha256").alias("sha256"), "bytes").unique().sort("name", "sha256")
    return ledger.to_dicts()


def degradation(estate: Estate) -> list[str]:
    """Why a run is less than complete, in words; empty when it is complete."""
    reasons = [f"{row['source']}: {row['quarantined']:,} quarantined, {row['rejected']:,} rejected"
               for row in estate.counts if row["quarantined"] or row["rejected"]]
    received = {row["source"] for row in estate.counts}
    missing = estate.sources.filter(pl.col("state") == "missing").select("source", "tenant")
    return reasons + [
        f"{source}{f' {tenant}' if tenant else ''}: declared, nothing loaded{_misnamed(source)}"
        for source, tenant in missing.iter_rows() if tenant or source not in received]


def _misnamed(source: str) -> str:
    """What to say beside a declared source that no loader is named for."""
    known = loaders()
    return "" if source in known else f". No loader has that name. {did_you_mean(source, known)}"


def checks(analysis: Analysis) -> list[dict[str, Any]]:
    """What the run checked of itself."""
    measures, evidence = analysis.measured.measures, analysis.measured.evidence
    counts = analysis.estate.counts
    shares = measures.filter((pl.col("unit") == "share") & pl.col("value").is_not_null())
    numerators = evidence.filter(pl.col("set") == "numerator").select("metric_id", "scope", "object_id")
    denominators = evidence.filter(pl.col("set") == "denominator").select("metric_id", "scope", "object_id")
    stray = numerators.join(denominators, on=["metric_id", "scope", "object_id"], how="anti")
    found = {
        "seen is accepted, duplicate, quarantined and rejected": all(
            row["seen"] == row["accepted"] + row["duplicate"] + row["quarantined"] + row["rejected"] for row in counts),
        "every share lies between 0 and 1": bool(shares.select(pl.col("value").is_between(0, 1).all()).item()),
        "every numerator object stands in its denominator": not stray.height,
        "what is not scored says why": not measures.filter(
            (pl.col("status") == "not_scored") & pl.col("reason").is_null()).height,
    }
    return [{"check": name, "ok": ok} for name, ok in found.items()]


def as_json(document: Any) -> bytes:
    """Indented JSON in ASCII, ending with a newline: equal content gives equal bytes."""
    return (json.dumps(document, indent=2, ensure_ascii=True) + "\n").encode()
