"""Levels: floor, ceiling, caps and what would raise them, on hand-made measures."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from lineage_analytics import maturity
from lineage_analytics.maturity import scoring
from lineage_analytics.maturity.model import LEVELS, Cap, Model, Rule, model
from lineage_analytics.metrics import intervals
from lineage_analytics.tables import MEASURES


def census(metric_id: str, percent: float, scope: str = "all", *, worst: float | None = None,
           best: float | None = None, n: int = 100, **more: Any) -> dict[str, Any]:
    """A scored census; worst and best default to the value."""
    share = percent / 100
    low, high = intervals.wilson(share * n, n) if share <= 1 else (share, share)
    return {"metric_id": metric_id, "scope": scope, "kind": "census", "numerator": share * n, "denominator": float(n),
            "n_unknown": 0, "n_excluded": 0, "value": share, "ci_low": low, "ci_high": high,
            "worst_case": share if worst is None else worst / 100, "best_case": share if best is None else best / 100,
            "status": "scored", "unit": "share"} | more


def process(metric_id: str, k: int, n: int, scope: str = "all", **more: Any) -> dict[str, Any]:
    return census(metric_id, 100 * k / n, scope, n=n, kind="process") | more


def missing(metric_id: str, scope: str = "all", reason: str = "no_source") -> dict[str, Any]:
    return {"metric_id": metric_id, "scope": scope, "kind": "census", "status": "not_scored", "reason": reason,
            "unit": "share", "n_unknown": 0, "n_excluded": 0}


def levels(*rows: dict[str, Any]) -> maturity.Levels:
    return maturity.score(pl.DataFrame(list(rows), schema=MEASURES.schema) if rows else MEASURES.empty())


def domain(found: maturity.Levels, name: str) -> dict[str, Any]:
    return next(one for one in found.document["domains"] if one["domain"] == name)


D2 = (census("VIS-04", 85), census("VIS-16", 8), census("VIS-17", 10, "90"), census("VIS-08", 15),
      census("VIS-18", 0, "p90", value=20.0, worst_case=20.0, best_case=20.0, unit="days"))


def test_the_model_has_seven_domains_and_32_measures() -> None:
    held = model()
    assert list(held.domains) == ["D1", "D2", "D3", "D4", "D5", "D6", "D7"]
    assert len(held.rules) == 32
    assert {rule.metric_id for rule in held.rules} == set(held.sources)
    for rule in held.rules:
        known = [limit for limit in rule.limits if limit is not None]
        assert known == sorted(known, reverse=not rule.higher), rule


def test_all_of_level_3_met_is_level_3() -> None:
    found = domain(levels(*D2), "D2")
    assert (found["floor"], found["ceiling"], found["status"]) == (3, 3, "scored")
    assert found["undetermined"] == []


def test_level_2_met_and_one_of_level_3_undetermined_is_level_2_could_be_up_to_3() -> None:
    rules = tuple(Rule("D", f"X-{n}", "all", n < 3, True, (10.0, 50.0, 80.0, 95.0), "percent") for n in range(4))
    held = Model({"D": "Test"}, rules, (), {})
    rows = {("X-0", "all"): census("X-0", 60), ("X-1", "all"): census("X-1", 60),
            ("X-2", "all"): census("X-2", 60, worst=40, best=85), ("X-3", "all"): census("X-3", 70)}
    found = scoring.standing(held, "D", rows)
    assert (found.floor, found.ceiling, found.undetermined) == (2, 3, ["X-2"])


def test_one_of_three_core_metrics_scored_is_not_scored() -> None:
    found = domain(levels(census("PRV-01", 20, "b"), missing("PRV-06", "human"), census("PRV-18", 0)), "D3")
    assert (found["status"], found["floor"], found["ceiling"]) == ("not_scored", None, None)
    assert {need["metric_id"] for need in found["raise"]} == {"PRV-03", "PRV-06"}
    assert all(need["source_missing"] for need in found["raise"])


def test_two_of_three_core_metrics_scored_is_scored_with_the_third_undetermined() -> None:
    found = domain(levels(census("PRV-01", 20, "b"), census("PRV-06", 20, "human"), census("PRV-18", 0)), "D3")
    assert (found["floor"], found["ceiling"]) == (1, 4)
    assert found["undetermined"] == ["PRV-03"]
    need = next(n for n in found["raise"] if n["metric_id"] == "PRV-03")
    assert (need["need"], need["objects"]) == ("not measured yet", None)


def test_a_provisional_measure_is_undetermined() -> None:
    provisional = census("VIS-04", 85) | {"status": "provisional", "reason": "denominator_below_min"}
    found = domain(levels(provisional, *D2[1:]), "D2")
    assert (found["floor"], found["ceiling"], found["undetermined"]) == (1, 3, ["VIS-04"])


def test_unknowns_both_ways_widen_a_census_to_2_to_4() -> None:
    found = domain(levels(census("VIS-04", 80, worst=60, best=96), census("VIS-16", 2), census("VIS-17", 4, "90"),
                          census("VIS-08", 5), D2[4] | {"value": 5.0, "worst_case": 5.0, "best_case": 5.0}), "D2")
    assert (found["floor"], found["ceiling"], found["undetermined"]) == (2, 4, ["VIS-04"])


def test_a_process_is_tested_by_its_interval() -> None:
    rule = next(rule for rule in model().rules if rule.metric_id == "LIN-02")
    assert scoring.verdict(rule, 3, process("LIN-02", 52, 100)) == scoring.OPEN
    assert scoring.verdict(rule, 3, process("LIN-02", 700, 1000)) == scoring.MET
    assert scoring.verdict(rule, 3, process("LIN-02", 300, 1000)) == scoring.NOT_MET


@pytest.mark.parametrize(("k", "n", "unknown", "answer"), [
    (0, 30, 0, scoring.MET), (0, 29, 0, scoring.OPEN), (1, 1000, 0, scoring.NOT_MET), (0, 100, 1, scoring.OPEN),
])
def test_a_limit_of_zero_is_tested_on_the_count(k: int, n: int, unknown: int, answer: str) -> None:
    rule = next(rule for rule in model().rules if rule.metric_id == "LIN-06")
    assert scoring.verdict(rule, 5, process("LIN-06", k, n, n_unknown=unknown)) == answer


def test_no_measures_at_all_score_nothing_and_say_what_is_missing() -> None:
    found = levels()
    assert {one["status"] for one in found.document["domains"]} == {"not_scored"}
    assert found.document["assessed"] == {"domains": [0, 7], "metrics": [0, 32]}
    assert (found.document["weakest_floor"], found.document["median_floor"]) == (None, None)
    assert found.frame["note"].null_count() == 0


def _everything(percent_higher: float = 97, percent_lower: float = 2) -> list[dict[str, Any]]:
    rows = []
    for rule in model().rules:
        scale = 1 if rule.unit in ("percent", "per_100") else 100
        value = 4 if rule.unit == "ratio" else (percent_higher if rule.higher else percent_lower) * scale
        kind = "process" if rule.metric_id[:3] in ("LIN", "COP") else "census"
        unit = "days" if rule.unit == "days" else "share"
        rows.append(census(rule.metric_id, value, rule.scope, n=10_000, kind=kind, unit=unit))
    return rows


def test_seven_scored_domains_have_a_weakest_and_a_median_floor() -> None:
    found = levels(*_everything())
    assert found.document["assessed"] == {"domains": [7, 7], "metrics": [32, 32]}
    floors = sorted(one["floor"] for one in found.document["domains"])
    assert found.document["weakest_floor"] == floors[0]
    assert found.document["median_floor"] == floors[3]


def test_four_scored_domains_make_no_overall_statement() -> None:
    kept = [row for row in _everything() if row["metric_id"][:3] in ("VIS", "PRV")]
    found = levels(*kept)
    assert found.document["assessed"]["domains"] == [4, 7]
    assert (found.document["weakest_floor"], found.document["median_floor"]) == (None, None)


def test_g3_incomplete_inventory_caps_privilege_and_containment_at_3() -> None:
    rows = [row for row in _everything(percent_lower=0.5) if row["metric_id"] != "VIS-01"]
    free, capped = levels(*rows, process("VIS-01", 9900, 10000)), levels(*rows, process("VIS-01", 7000, 10000))
    for name in ("D3", "D4"):
        assert domain(free, name)["floor"] > 3
        assert (domain(capped, name)["floor"], domain(capped, name)["ceiling"]) == (3, 3)
        assert domain(capped, name)["caps"] == ["G3"]


def test_g6_a_short_lookback_makes_privilege_not_scored() -> None:
    rows = [row for row in _everything() if (row["metric_id"], row["scope"]) != ("PRV-01", "b")]
    found = domain(levels(*rows, missing("PRV-01", "b", "lookback_too_short")), "D3")
    assert (found["status"], found["caps"]) == ("not_scored", ["G6"])


def test_g2_and_g5_cap_at_2_by_the_upper_limit() -> None:
    rows = [row for row in _everything() if row["metric_id"] not in ("COP-08", "LIN-04")]
    found = levels(*rows, process("COP-08", 4000, 10000), process("LIN-04", 8000, 10000))
    assert domain(found, "D5")["caps"] == ["G2"]
    assert domain(found, "D6")["caps"] == ["G5"]
    assert domain(found, "D6")["ceiling"] == 2


def test_a_cap_without_a_measure_never_applies() -> None:
    assert all(cap.when for cap in model().caps)
    cap = Cap("G9", "D", "ceiling", 2, "", "", "", "", "shown by nothing yet")
    rules = (Rule("D", "X-0", "all", True, True, (10.0, 50.0, 80.0, 95.0), "percent"),)
    found = scoring.standing(Model({"D": "Test"}, rules, (cap,), {}), "D", {("X-0", "all"): census("X-0", 99)})
    assert (found.floor, found.caps) == (5, [])


@pytest.mark.parametrize(("k", "n", "unknown", "caps", "floor"), [
    (4, 5, 0, ["G1"], 2), (0, 1, 9, ["G1"], 2), (5, 5, 0, [], 3), (0, 0, 0, [], 3), (5, 5, 1, [], 2)])
def test_g1_one_change_of_tier_0_by_ai_without_approval_caps_however_few_there_are(
    k: int, n: int, unknown: int, caps: list[str], floor: int,
) -> None:
    rows = [row for row in _everything() if (row["metric_id"], row["scope"]) != ("LIN-05", "tier0")]
    few = process("LIN-05", 1, 1, "tier0", numerator=float(k), denominator=float(n), n_unknown=unknown, value=None,
                  status="not_scored", reason="denominator_below_min")
    found = domain(levels(*rows, few), "D6")
    assert (found["caps"], found["floor"]) == (caps, floor)


@pytest.mark.parametrize(("k", "n", "unknown", "caps", "ceiling"), [
    (0, 4, 0, ["G4"], 2), (1, 4, 3, [], 5), (0, 4, 2, [], 5), (0, 0, 0, [], 5)])
def test_g4_no_rollback_of_any_kind_of_change_caps_pace_at_2(
    k: int, n: int, unknown: int, caps: list[str], ceiling: int,
) -> None:
    rows = [row for row in _everything() if row["metric_id"] != "LIN-17"]
    found = domain(levels(*rows, process("LIN-17", k, n or 1, denominator=float(n), n_unknown=unknown, status="not_scored",
                                         reason="denominator_below_min")), "D7")
    assert (found["caps"], found["ceiling"]) == (caps, ceiling)


def test_on_the_line_names_the_measure_a_tenth_away() -> None:
    rows = (census("VIS-04", 82), *D2[1:3], census("VIS-08", 12), D2[4])
    found = domain(levels(*rows), "D2")
    assert found["floor"] == 3
    assert found["on_the_line"] == ["VIS-04"]  # 82 is under 88; no other is within a tenth of its limit


def test_raise_counts_the_objects_to_fix() -> None:
    found = domain(levels(census("VIS-04", 70), *D2[1:]), "D2")
    assert found["floor"] == 2
    need = next(n for n in found["raise"] if n["metric_id"] == "VIS-04")
    assert need["objects"] == 10
    assert need["need"] == "level 3: at least 80 %, now 70"
    assert need["source_missing"] is None


def test_a_level_is_never_claimed_above_the_ceiling() -> None:
    for one in levels(*_everything()).document["domains"]:
        assert 1 <= one["floor"] <= one["ceiling"] <= LEVELS[-1]


@pytest.mark.parametrize("inventory", [70, 97])
def test_removing_a_measure_never_raises_a_floor(inventory: int) -> None:
    """Also not the one whose cap it was: a cap that may hold still lowers the floor."""
    rows = [*(row for row in _everything(percent_lower=0.5) if row["metric_id"] != "VIS-01"),
            process("VIS-01", inventory * 100, 10_000)]
    whole = {one["domain"]: one["floor"] or 0 for one in levels(*rows).document["domains"]}
    for left_out in range(len(rows)):
        for one in levels(*rows[:left_out], *rows[left_out + 1:]).document["domains"]:
            assert (one["floor"] or 0) <= whole[one["domain"]]


def test_the_document_has_exactly_the_names_of_the_contract() -> None:
    document = levels(*D2).document
    assert set(document) == {"domains", "weakest_floor", "median_floor", "assessed"}
    for one in document["domains"]:
        assert set(one) == {"domain", "name", "status", "floor", "ceiling", "undetermined", "caps", "on_the_line", "raise"}
        for need in one["raise"]:
            assert set(need) == {"metric_id", "need", "objects", "source_missing"}


def test_levels_read_as_text_and_as_a_table() -> None:
    found = levels(*D2)
    assert "Ownership and lifecycle" in repr(found)
    assert "level 3" in repr(found)
    assert "1 of 7 domains, 5 of 32 metrics scored" in repr(found)
    assert "<td>level 3</td>" in found._repr_html_()
    assert found.frame.columns == ["domain", "name", "status", "floor", "ceiling", "note", "scored_metrics",
                                   "listed_metrics"]
