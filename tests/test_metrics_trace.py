"""From a number to its objects to the records behind them."""

from __future__ import annotations

import json
from typing import Any

import polars as pl
import pytest

from lineage_analytics import metrics
from lineage_analytics.errors import UsageError
from lineage_analytics.metrics import trace as tracing
from lineage_analytics.reporting.records import measure_records
from lineage_analytics.tables import ALL
from tests.test_metrics_estates import event, identity, inputs

RAW = {"file_sha256": "ab12", "member": "day1.json", "offset": 17}


def _traced(metric_id: str = "VIS-01", scope: str | None = None, limit: int = 20) -> dict[str, Any]:
    given = inputs(
        identities=[identity("svc"), identity("b", record_ids=["rec-b"])],
        activity=[event("svc", 1, raw_ref=RAW), event("evil\u202e\n", 2)],
        ledger=[{"file_sha256": "ab12", "file": "logs/one.zip", "source": "aws_cloudtrail"}])
    return tracing.trace(metrics.measure(*given), given[0], metric_id, scope, limit)


def test_vis01_leads_from_the_number_to_the_actor_to_the_place_of_its_record() -> None:
    found = _traced(scope="all")
    held = found["scopes"][0]
    assert (held["numerator"], held["denominator"]) == (1, 2)
    one = held["sets"]["numerator"]["objects"][0]
    assert one["object_id"] == "aws:1:svc"
    assert one["records"] == [{
        "record_id": "rec-event-svc-1-0", "source": "aws_cloudtrail", "file": "logs/one.zip", "member": "day1.json",
        "offset": 17, "file_sha256": "ab12", "time": "2026-06-29T12:00:00Z"}]
    assert held["sets"]["denominator"]["count"] == 2
    assert len(held["sets"]["denominator"]["objects"]) == 1


def test_the_text_is_printable_ascii_with_untrusted_names_escaped() -> None:
    text = tracing.as_text(_traced())
    assert "logs/one.zip > day1.json #17" in text
    assert "\\u{202e}" in text
    assert all(line.isascii() and line.isprintable() for line in text.split("\n"))


def test_an_unknown_metric_or_scope_is_a_usage_error_with_a_suggestion() -> None:
    with pytest.raises(UsageError, match="VIS-01"):
        _traced("VIS01")
    with pytest.raises(UsageError, match="human"):
        _traced("VIS-01", "humans")
    assert _traced("vis-01")["metric_id"] == "VIS-01"


def test_a_limit_cuts_the_objects_and_the_count_tells_all() -> None:
    held = _traced("VIS-04", limit=1)["scopes"][0]["sets"]["denominator"]
    assert (held["count"], len(held["objects"])) == (2, 1)
    assert "and 1 more" in tracing.as_text(_traced("VIS-04", limit=1))


def test_a_measure_without_source_is_traced_to_what_it_needs() -> None:
    given = inputs()
    found = tracing.trace(metrics.measure(*given), given[0], "COP-07")
    assert found["needs"] == "assistant interaction logs of the window"
    assert "not scored: no source for assistant interaction logs" in tracing.as_text(found)


def test_measures_as_json_have_the_names_of_the_contract() -> None:
    frame = metrics.measure(*inputs(identities=[identity("svc")])).measures
    text = json.dumps(measure_records(frame.filter(pl.col("metric_id") == "VIS-04")))
    assert '"numerator": 0, "denominator": 1' in text
    assert list(ALL["measures"].schema) == frame.columns
