"""Rows become frames part by part, whatever their number and lists."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineage_analytics import tables
from lineage_analytics.graphs.decisions import frames
from tests._decisions import NOON

REJECT = tables.LINK_REJECTS


@given(st.lists(st.lists(st.text(), max_size=4), max_size=12))
def test_lists_of_texts_are_kept_as_they_are(values: list[list[str]]) -> None:
    rows = [{"src": str(n), "rel": "about", "candidates": value, "reason": "ambiguous"} for n, value in enumerate(values)]
    made = frames.as_frame(rows, REJECT)
    assert made.schema == REJECT.schema
    assert made["candidates"].to_list() == values
    assert made["src"].to_list() == [row["src"] for row in rows]


@pytest.mark.parametrize("count", [0, 1, 2, 3, 7])
def test_parts_lose_and_repeat_nothing(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frames, "PART", 3)
    rows: list[dict[str, Any]] = [
        {"src": f"s{n % 2}", "rel": f"r{n}", "candidates": [], "reason": None} for n in range(count)]
    gathered = frames.Gathered([REJECT])
    for row in rows:
        gathered.add("link_rejects", [row])
    made = gathered.frame("link_rejects", "src", "rel")
    assert made.to_dicts() == sorted(rows, key=lambda row: (row["src"], row["rel"]))


def test_times_and_numbers_have_the_dtypes_of_their_table() -> None:
    row = dict.fromkeys(tables.CASES.schema, None) | {"case_id": "dec-1", "time": NOON, "completeness": 1, "executed": True}
    made = frames.as_frame([row], tables.CASES)
    assert made.schema == tables.CASES.schema
    assert made.select("time", "completeness", "executed").row(0) == (NOON, 1.0, True)
    assert made.select(pl.all_horizontal(pl.col("title", "weakest_tier").is_null())).item()
