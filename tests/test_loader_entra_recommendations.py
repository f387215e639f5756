"""Recommendations of the directory's own service. All records here are made up."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests._documents import Loaded
from tests._microsoft import as_csv

Json = dict[str, Any]
TENANT, ANA = "7a1b0000-0000-4000-8000-00000000000a", "11111111-0000-4000-8000-000000000001"
ADVICE = f"{TENANT}_Microsoft.Identity.IAM.Insights.StaleAppCreds"
CANARY = "pineapple-canary-77"


def recommendation(status: str = "active", **more: Any) -> Json:
    return {"id": ADVICE, "recommendationType": "staleAppCreds", "displayName": "Remove unused credentials",
            "category": "identityBestPractice", "impactType": "applications", "priority": "medium", "status": status,
            "createdDateTime": "2026-02-01T08:00:00Z", "lastCheckedDateTime": "2026-03-01T08:00:00Z",
            "lastModifiedDateTime": "2026-02-20T09:00:00Z", "lastModifiedBy": "Ana Example", "insights": CANARY,
            "benefits": CANARY, "actionSteps": [{"stepNumber": 1, "text": CANARY}], "impactedResources": []} | more


def impacted(status: str = "active", **more: Any) -> Json:
    return {"id": f"{ADVICE}_1", "recommendationId": ADVICE, "resourceType": "ServicePrincipal", "displayName": "etl",
            "subjectId": ANA.upper(), "status": status, "addedDateTime": "2026-02-02T08:00:00Z",
            "lastModifiedDateTime": "2026-02-21T09:00:00Z", "lastModifiedBy": "Ana Example", "owner": None,
            "additionalDetails": [{"key": "why", "value": CANARY}]} | more


CONTRACT_FILES: dict[str, bytes] = {
    "page": json.dumps({"@odata.context": "x#directory/recommendations", "value": [
        recommendation("dismissed", impactedResources=[impacted()])]}).encode(),
    "array": json.dumps([recommendation(impactedResources=[impacted()])]).encode(),
    "lines": b"\n".join(json.dumps(one).encode() for one in (
        recommendation("completedBySystem", impactedResources=[impacted("dismissed")]), recommendation())),
    "csv": as_csv([recommendation("postponed", impactedResources=[impacted()])]),
}
STEPS = ("kind", "verdict", "capacity", "actor_id", "decided_value")


@pytest.mark.parametrize(("status", "wanted"), [
    ("active", []), ("dismissed", [("decision", "deny", "reviewer", None, "dismissed")]),
    ("postponed", [("decision", "modify", "reviewer", None, "postponed")]),
    ("completedByUser", [("decision", "approve", "reviewer", None, "completedByUser")]),
    ("completedBySystem", [("outcome", None, None, None, "completedbysystem")]), ("somethingNew", []),
])
def test_advice_is_a_rules_and_its_status_the_answer_by_nobody_the_object_identifies(
    status: str, wanted: list[Any],
) -> None:
    steps = Loaded([recommendation(status)])["decision_steps"]
    [advice] = steps.filter(kind="recommendation").to_dicts()
    assert (advice["origin"], advice["recommended_value"], advice["actor_class"]) == ("rule", "staleAppCreds", "automation")
    assert advice["decided_value"] == (None if status == "active" else status)
    assert [row for row in Loaded([recommendation(status)]).rows("decision_steps", *STEPS)
            if row[0] != "recommendation"] == wanted
    assert set(steps["native_key"]) == {ADVICE}
    assert set(steps["tenant"]) == {TENANT}


def test_a_resource_it_is_about_is_a_signal_and_may_be_answered_alone() -> None:
    inside = Loaded([recommendation(impactedResources=[impacted("dismissed")])])
    alone = Loaded([impacted("dismissed")])
    wanted = [("decision", "deny", "dismissed"), ("signal", None, None)]
    said = ("kind", "verdict", "decided_value")
    assert alone.rows("decision_steps", *said) == wanted
    assert [row for row in inside.rows("decision_steps", *said) if row[0] != "recommendation"] == wanted
    assert set(alone["decision_steps"]["target_key"]) == {f"entra:{TENANT}:service_principal/{ANA}"}
    assert set(alone["decision_steps"]["native_key"]) == {ADVICE}
    assert alone.rows("identity_facts", "id", "kind") == [(f"entra:{TENANT}:{ANA}", "app")]


@pytest.mark.parametrize("name", CONTRACT_FILES)
def test_nothing_anybody_wrote_is_kept(name: str) -> None:
    found = Loaded(CONTRACT_FILES[name])
    assert found.faults == []
    assert CANARY not in json.dumps([frame.to_dicts() for frame in found.frames.values()], default=str)


def test_an_unchanged_recommendation_is_one_record_and_a_changed_one_another() -> None:
    first, again, later = (Loaded([recommendation(status)]).ids for status in ("active", "active", "dismissed"))
    assert first == again != later
