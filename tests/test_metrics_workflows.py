"""Workflows beside what they are declared to be: class creep and experiments in production, on hand-sized estates."""

from __future__ import annotations

from typing import Any

import pytest

from lineage_analytics.metrics import catalogue
from tests.test_metrics_estates import (
    counts,
    day,
    identity,
    logs,
    measured,
    members,
    merged,
    row,
    step,
    worked,
    workflow,
)


def _measured(*parts: dict[str, Any], flows: list[dict[str, Any]]) -> Any:
    held = merged(parts)
    return measured(coverage=logs(60), resources=flows, cases=held["cases"], steps=held["steps"],
                    element_rows=held["element_rows"])


def test_cop17_one_case_above_what_is_declared_makes_the_workflow_creep() -> None:
    found = _measured(worked("a", "one"), worked("b", "one", "executes_autonomous"), worked("c", "two"),
                      flows=[workflow("one"), workflow("two")])
    assert counts(found, "COP-17") == (1, 2, 0, 0)
    assert members(found, "COP-17", "numerator") == {
        "declared::workflow/one": "1 of 2 decisions above what is declared"}
    assert members(found, "COP-17", "denominator")["declared::workflow/two"] == "within what is declared"


def test_cop17_undeclared_workflows_are_unknown_and_listed() -> None:
    found = _measured(worked("a", "one"), worked("b", "stranger"), flows=[workflow("one")])
    assert counts(found, "COP-17") == (0, 1, 1, 0)
    assert list(members(found, "COP-17", "unknown").values()) == ["not declared"]


@pytest.mark.parametrize(("bounds", "declared", "state"), [
    ("executes_approved or executes_autonomous", "executes_approved", "unknown"),
    ("executes_approved or executes_autonomous", "drafts", "in"),
    ("executes_approved or executes_autonomous", "executes_autonomous", "out"), ("advises or drafts", "drafts", "out"),
    (None, "drafts", "unknown")])
def test_cop17_a_class_that_is_not_known_counts_by_what_it_may_be(bounds: str | None, declared: str, state: str) -> None:
    found = _measured(worked("a", "one", "unknown", involvement_bounds=bounds), flows=[workflow("one", declared)])
    want = {"in": (1, 1, 0, 0), "out": (0, 1, 0, 0), "unknown": (0, 0, 1, 0)}
    assert counts(found, "COP-17") == want[state]


def test_cop17_counts_the_workflows_of_the_window_only() -> None:
    found = _measured(worked("old", "one", "executes_autonomous", time=day(31)), worked("b", "two"),
                      flows=[workflow("one"), workflow("two"), workflow("idle")])
    assert counts(found, "COP-17") == (0, 1, 0, 0)


def test_cop17_a_case_that_two_workflows_fit_is_unknown_at_both() -> None:
    same = workflow("two") | {"attributes": workflow("one")["attributes"]}
    found = _measured(worked("a", "one", "executes_autonomous"), flows=[workflow("one"), same])
    assert counts(found, "COP-17") == (0, 0, 2, 0)


def test_cop17_and_lin20_without_any_log_of_changes_are_not_scored() -> None:
    found = measured(resources=[workflow("one")])
    for metric in ("COP-17", "LIN-20"):
        assert (row(found, metric)["status"], row(found, metric)["reason"]) == ("not_scored", "no_source")


def test_lin20_counts_what_an_experiment_changed_in_production_itself() -> None:
    flows = [workflow("trial", stage="experimental"), workflow("steady")]
    found = _measured(
        worked("a", "trial", environment="prod"), worked("b", "trial", "executes_autonomous", environment="prod"),
        worked("c", "trial", environment="non-prod"), worked("d", "trial", "drafts", environment="prod"),
        worked("e", "steady", environment="prod"), worked("f", "trial", environment="prod", executed=False),
        worked("g", "trial", environment="prod", time=day(31)), flows=flows)
    held = row(found, "LIN-20")
    assert (held["value"], held["status"], held["unit"], held["worst_case"]) == (2, "scored", "count", 2)
    assert members(found, "LIN-20", "numerator").keys() == {"dec-a", "dec-b"}


@pytest.mark.parametrize(("stage", "more", "state"), [
    ("experimental", {"environment": None}, "unknown"),
    ("experimental", {"environment": "prod", "cls": "unknown", "involvement_bounds": None}, "unknown"),
    ("experimental", {"environment": "prod", "cls": "unknown", "involvement_bounds": "advises or drafts"}, "out"),
    ("experimental", {"environment": "prod", "cls": "unknown", "involvement_bounds": "executes_approved or "
                      "executes_autonomous"}, "in"),
    (None, {"environment": "prod"}, "unknown"), (None, {"environment": "non-prod"}, "out"),
    ("production", {"environment": None}, "out")])
def test_lin20_what_is_not_stated_is_unknown_and_never_nothing(
    stage: str | None, more: dict[str, Any], state: str,
) -> None:
    found = _measured(worked("a", "one", **more), flows=[workflow("one", stage=stage), workflow("other")])
    assert {which for which in ("numerator", "denominator", "unknown") if members(found, "LIN-20", which)} == {
        "in": {"numerator", "denominator"}, "out": {"denominator"}, "unknown": {"unknown"}}[state]


def test_lin20_a_case_that_an_experiment_and_another_fit_is_unknown() -> None:
    trial = workflow("one", stage="experimental")
    found = _measured(worked("a", "one", environment="prod"), flows=[trial, workflow("two") | {"attributes":
                      workflow("one")["attributes"]}])
    assert members(found, "LIN-20", "unknown") == {"dec-a": "whether its workflow is experimental is not stated"}


def test_lin20_none_is_a_finding_where_stages_are_declared_and_not_scored_where_none_is() -> None:
    held = row(_measured(worked("a", "one"), flows=[workflow("one")]), "LIN-20")
    assert (held["value"], held["status"]) == (0, "scored")
    bare = row(_measured(worked("a", "one"), flows=[workflow("one", stage=None)]), "LIN-20")
    assert (bare["value"], bare["status"], bare["reason"]) == (None, "not_scored", "no_source")


def test_both_need_the_register_and_say_so() -> None:
    for metric in ("COP-17", "LIN-20"):
        assert "register" in catalogue()[metric].needs
    found = measured(coverage=logs(60), cases=worked("a", "x")["cases"], steps=[step("a")], identities=[
        identity("x")])
    assert row(found, "COP-17")["reason"] == "denominator_below_min"
    assert row(found, "LIN-20")["reason"] == "no_source"
