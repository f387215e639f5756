"""The measures against the known answers of a made-up organisation, which were not computed by them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from lineage_analytics import analysis
from lineage_analytics.simulation import simulate

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(("seed", "people", "days"), [(7, 30, 120), (11, 25, 100), (3, 30, 45)])
def test_every_known_answer_is_measured(seed: int, people: int, days: int, tmp_path: Path) -> None:
    simulate(tmp_path / "logs", seed=seed, people=people, days=days)
    estate = analysis.read(tmp_path / "logs", workspace=tmp_path / "workspace")
    found = {(row["metric_id"], row["scope"]): row for row in analysis.measure(estate).iter_rows(named=True)}
    truth: list[dict[str, Any]] = json.loads((tmp_path / "logs/truth/measures.json").read_text())["measures"]
    assert len(truth) > 40
    differing = {
        key: (known["numerator"], known["denominator"], found[key]["numerator"], found[key]["denominator"])
        for known in truth if (key := (known["metric_id"], known["scope"]))
        and (known["numerator"], known["denominator"]) != (found[key]["numerator"], found[key]["denominator"])}
    assert differing == {}
