"""The directory of Entra records that do not state one."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import polars as pl

from lineage_analytics import tables
from lineage_analytics.loaders._entra_directory import directory, with_directory
from lineage_analytics.workspace import rollup
from tests._microsoft import Json, as_json, load
from tests.test_loader_entra_audit import ANA, CHAIN, ROLE, TENANT, audit, target

if TYPE_CHECKING:
    from collections.abc import Sequence


def facts(*files: Sequence[Json]) -> dict[str, pl.LazyFrame]:
    """The tables of files as a workspace holds them."""
    parts: dict[str, list[pl.DataFrame]] = {}
    for file in files:
        found = load(as_json(list(file)))
        activity = found.frames["activity"]
        for name, frame in (*found.frames.items(), ("coverage", rollup.coverage(activity, 7200)),
                            ("usage", rollup.usage(activity))):
            parts.setdefault(name, []).append(frame)
    return {name: pl.concat(frames).lazy() for name, frames in parts.items()}


def test_a_graph_record_of_the_core_directory_takes_the_one_directory_that_is_named() -> None:
    before = facts(CHAIN)
    assert directory(before["coverage"]) == TENANT
    after = with_directory(before)
    key = f"entra:{TENANT}:role/{ROLE}|{ANA}"
    steps = after["decision_steps"].collect()
    assert steps["target_key"].unique().to_list() == [key]
    assert set(steps["effect_key"]) == {f"grant({key})", f"revoke({key})"}
    for name, frame in after.items():
        made = frame.collect()
        assert made.schema == tables.ALL[name].schema
        assert made["tenant"].to_list() == [TENANT] * made.height, name
        assert "entra::" not in str(made.drop("raw_ref" if "raw_ref" in made.columns else []).to_dicts()), name


def test_how_an_export_is_cut_changes_nothing() -> None:
    whole, cut = with_directory(facts(CHAIN)), with_directory(facts(*([record] for record in CHAIN[::-1])))
    for name in ("activity", "decision_steps"):
        first, second = (found[name].drop("raw_ref").collect().sort("record_id") for found in (whole, cut))
        assert first.equals(second), name


def test_two_directories_or_none_leave_it_open() -> None:
    core = audit(1, "Disable account", targetResources=[target("User", ANA)])
    other = [{**CHAIN[0], "id": "PIM_other", "additionalDetails": [{"key": "tid", "value": "another"}],
              "targetResources": []}]
    for files in ([[core]], [[core], CHAIN[:1], other]):
        before = facts(*files)
        assert directory(before["coverage"]) is None
        assert f"entra::{ANA}" in with_directory(before)["activity"].collect()["actor_id"].to_list()


def test_other_providers_keep_a_missing_tenant() -> None:
    row = pl.DataFrame({"time": [datetime(2026, 3, 1, tzinfo=UTC)], "actor_id": ["entra::x"], "provider": ["m365"]})
    found = with_directory({**facts(CHAIN), "activity": tables.conform(row, tables.ACTIVITY).lazy()})
    assert found["activity"].collect().select("actor_id", "tenant").row(0) == ("entra::x", None)
