"""What activity is rolled up to while it is loaded."""

from __future__ import annotations

from datetime import UTC, datetime

import polars as pl

from lineage_analytics import tables
from lineage_analytics.workspace import rollup

Call = tuple[str, list[str] | None, str]


def _calls(*rows: Call) -> pl.DataFrame:
    return tables.conform(pl.DataFrame([{
        "actor_id": actor, "permissions": stated, "outcome": outcome, "provider": "gcp", "source": "gcp_audit",
        "time": datetime(2026, 6, 1, 12, tzinfo=UTC)} for actor, stated, outcome in rows],
        schema_overrides={"permissions": tables.TEXTS}), tables.ACTIVITY)


def test_stated_permissions_are_counted_by_actor_permission_and_day_whatever_the_split() -> None:
    rows: list[Call] = [("a", ["p", "q", "p"], "success"), ("a", ["p"], "denied"), ("b", None, "success")]
    parts = pl.concat([rollup.permission_use(_calls(row)) for row in rows])
    whole = rollup.merged_permission_use(parts.lazy()).collect().sort("permission")
    assert whole.select("actor_id", "permission", "events", "successes").rows() == [("a", "p", 2, 1), ("a", "q", 1, 1)]
    assert whole.equals(rollup.permission_use(_calls(*rows)).sort("permission"))
