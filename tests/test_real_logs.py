"""Real captures and inventories, where they stand beside the project."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl
import pytest

from lineage_analytics.loaders._cloudtrail_steps import is_change
from lineage_analytics.workspace import Estate, Store, load, open_estate

if TYPE_CHECKING:
    from pathlib import Path

    from lineage_analytics.workspace import Result


@pytest.fixture(scope="module")
def capture(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Result, Estate]:
    workspace = tmp_path_factory.mktemp("invictus") / "w"
    result = load([shared_data / "aws_cloudtrail" / "invictus-ir_aws_dataset"], Store.create(workspace))
    return result, open_estate(workspace)


@pytest.fixture(scope="module")
def everything(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Result, Estate]:
    workspace = tmp_path_factory.mktemp("all") / "w"
    return load([shared_data], Store.create(workspace)), open_estate(workspace)


def test_the_capture_gives_2900_records_of_at_most_30_actors(capture: tuple[Result, Estate]) -> None:
    result, estate = capture
    count = result.counts["aws_cloudtrail"]
    assert (count.seen, count.accepted, count.duplicate, count.quarantined, count.rejected) == (2900, 2900, 0, 0, 0)
    assert estate.frame("activity")["actor_id"].drop_nulls().n_unique() <= 30


def test_the_capture_has_two_human_operators(capture: tuple[Result, Estate]) -> None:
    humans = capture[1].frame("identities").filter(pl.col("kind") == "human")
    assert sorted(humans["display_name"]) == ["benjamin", "bert-jan"]


def test_every_identity_change_of_the_capture_is_a_decision_step(capture: tuple[Result, Estate]) -> None:
    estate = capture[1]
    events = estate.frame("activity").filter(~pl.col("is_dry_run").fill_null(value=False))
    changes = {event for event, action, read in events.select("event_id", "action", "is_read").iter_rows()
               if is_change(action, read)}
    steps = estate.frame("decision_steps")
    assert set(steps["event_id"]) == changes
    created = events.filter(pl.col("action") == "iam:CreateRole", pl.col("outcome") == "success")
    assert steps.filter(pl.col("operation") == "iam:CreateRole", pl.col("kind") == "action").height == created.height


def test_all_shared_files_load_with_every_record_counted(everything: tuple[Result, Estate], shared_data: Path) -> None:
    result, estate = everything
    files = [path for path in shared_data.rglob("*") if path.is_file()]
    assert len(files) >= 694
    assert sum(count.files for count in result.counts.values()) >= len(files)
    for row in estate.counts:
        assert row["seen"] == row["accepted"] + row["duplicate"] + row["quarantined"] + row["rejected"]
    unknown = [fault for fault in result.faults if fault["source"] == "unrecognised"]
    assert len(unknown) == result.counts["unrecognised"].rejected
    assert all(fault["detail"] for fault in result.faults)


def test_what_was_not_used_stands_in_the_quarantine_with_its_reason(everything: tuple[Result, Estate]) -> None:
    estate = everything[1]
    quarantine = estate.frame("quarantine")
    assert quarantine["records"].sum() == sum(row["quarantined"] + row["rejected"] for row in estate.counts)
    assert quarantine["reason"].null_count() == 0


def test_loading_everything_again_changes_nothing(
    everything: tuple[Result, Estate], shared_data: Path
) -> None:
    _, before = everything
    assert before.directory is not None
    again = load([shared_data], Store.open(before.directory))
    assert sum(count.accepted for count in again.counts.values()) == 0
    assert open_estate(before.directory).frame("activity").height == before.frame("activity").height
