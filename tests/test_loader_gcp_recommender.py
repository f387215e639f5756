"""Recommendations, insights and the log of actions on them. All records here are made up."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests._documents import Loaded
from tests.test_loader_gcp_audit import pubsub

if TYPE_CHECKING:
    from collections.abc import Callable

Json = dict[str, Any]

PROJECT, CANARY = "shop-prod", "pineapple-canary-77"
BASE = f"projects/{PROJECT}/locations/global"
ADVICE = f"{BASE}/recommenders/google.iam.policy.Recommender/recommendations/r-1"
INSIGHT = f"{BASE}/insightTypes/google.iam.policy.Insight/insights/i-1"
BOT = f"serviceAccount:deployer@{PROJECT}.iam.gserviceaccount.com"
OVER = f"//cloudresourcemanager.googleapis.com/projects/{PROJECT}"
KEY = f"gcp::binding/cloudresourcemanager.googleapis.com/projects/{PROJECT}|roles/editor|{BOT}"


def recommendation(state: str = "ACTIVE", **more: Any) -> Json:
    return {
        "name": ADVICE, "description": CANARY, "recommenderSubtype": "REPLACE_ROLE", "priority": "P2",
        "lastRefreshTime": "2026-03-01T07:00:00Z", "primaryImpact": {"category": "SECURITY"}, "etag": '"e"',
        "content": {"overview": {"member": BOT, "removedRole": "roles/editor", "addedRoles": ["roles/viewer"],
                                 "resource": OVER, "minimumObservationPeriodInDays": "0"}, "operationGroups": []},
        "stateInfo": {"state": state, "stateMetadata": {"why": CANARY}}, "associatedInsights": [{"insight": INSIGHT}],
    } | more


def insight(**more: Any) -> Json:
    return {
        "name": INSIGHT, "insightSubtype": "PERMISSIONS_USAGE", "lastRefreshTime": "2026-03-01T06:00:00Z",
        "observationPeriod": "7776000s", "stateInfo": {"state": "ACTIVE"}, "targetResources": [OVER],
        "content": {"role": "roles/editor", "member": BOT, "exercisedPermissions": [], "inferredPermissions": []},
        "associatedRecommendations": [{"recommendation": ADVICE}],
    } | more


def action(number: int, state: Any, actor: str = "Ana@Shop.example", **payload: Any) -> Json:
    return {
        "insertId": f"act-{number}", "logName": f"projects/{PROJECT}/logs/recommender.googleapis.com%2Factions",
        "timestamp": f"2026-03-02T10:00:{number:02d}Z", "receiveTimestamp": f"2026-03-02T10:00:{number:02d}.5Z",
        "resource": {"type": "recommender", "labels": {"project_id": PROJECT}},
        "jsonPayload": {"@type": "type.googleapis.com/google.cloud.recommender.logging.v1.ActionLog", "actor": actor,
                        "state": state, "stateMetadata": {"note": CANARY}, "recommendationName": ADVICE, **payload},
    }


SNAPSHOT = [recommendation(), insight()]
ACTIONS = [action(1, "CLAIMED"), action(2, "SUCCEEDED"), action(3, "FAILED"), action(4, "DISMISSED", "bo@shop.example")]


def lines(records: list[Json]) -> bytes:
    return "\n".join(map(json.dumps, records)).encode()


def bigquery(records: list[Json]) -> bytes:
    """Names with underscores, content as text, associations as plain names."""
    renamed = {"recommenderSubtype": "recommender_subtype", "lastRefreshTime": "last_refresh_time",
               "stateInfo": "state_info", "associatedInsights": "associated_insights", "insightSubtype": "insight_subtype",
               "observationPeriod": "observation_period", "targetResources": "target_resources",
               "associatedRecommendations": "associated_recommendations", "primaryImpact": "primary_impact"}
    made = []
    for record in records:
        row = {renamed.get(key, key): held for key, held in record.items()}
        row["content"] = json.dumps(record["content"])
        row["associated_recommendations"] = [
            held["recommendation"] for held in record.get("associatedRecommendations", [])]
        made.append(row)
    return lines(made)


PACKINGS: dict[str, Callable[[list[Json]], bytes]] = {
    "array": lambda records: json.dumps(records, indent=1).encode(), "lines": lines, "bigquery": bigquery,
    "page": lambda records: json.dumps({"recommendations": records, "nextPageToken": "x"}).encode(),
    "pages": lambda records: lines([{"insights": [record]} for record in records]),
}
ENTRIES: dict[str, Callable[[list[Json]], bytes]] = {
    "actions": lines, "actions_array": lambda records: json.dumps(records).encode(), "actions_pubsub": pubsub}
CONTRACT_FILES = {name: pack(SNAPSHOT) for name, pack in PACKINGS.items()} | {
    name: pack(ACTIONS) for name, pack in ENTRIES.items()}
COLUMNS = ("step_id", "kind", "time", "verdict", "status", "actor_id", "target_key", "effect_key", "native_key_kind",
           "native_key", "recommended_value", "decided_value", "origin", "record_id", "tenant", "title")


@pytest.mark.parametrize("packing", sorted(PACKINGS))
def test_every_packing_of_a_snapshot_gives_the_same_steps(packing: str) -> None:
    assert Loaded(PACKINGS[packing](SNAPSHOT)).rows("decision_steps", *COLUMNS) == Loaded(
        lines(SNAPSHOT)).rows("decision_steps", *COLUMNS)


@pytest.mark.parametrize("packing", sorted(ENTRIES))
def test_every_packing_of_the_actions_gives_the_same_steps(packing: str) -> None:
    assert Loaded(ENTRIES[packing](ACTIONS)).rows("decision_steps", *COLUMNS) == Loaded(
        lines(ACTIONS)).rows("decision_steps", *COLUMNS)


def test_advice_is_a_recommendation_of_origin_rule_that_revokes_what_a_policy_change_would() -> None:
    row = Loaded([recommendation()] * 2)["decision_steps"].to_dicts()[0]
    assert (row["kind"], row["origin"], row["actor_class"]) == ("recommendation", "rule", "automation")
    assert row["effect_key"] == f"revoke({KEY})"
    assert row["recommended_value"] == "revoke roles/editor; grant roles/viewer"
    assert (row["native_key_kind"], row["native_key"], row["tenant"]) == ("gcp_recommendation", ADVICE, PROJECT)


def test_advice_on_a_conditional_binding_names_that_binding_and_not_the_plain_one() -> None:
    def removing(expression: str) -> Json:
        content = recommendation()["content"] | {"operationGroups": [{"operations": [
            {"action": "remove", "pathFilters": {"/iamPolicy/bindings/*/condition/expression": expression}}]}]}
        return recommendation(content=content)
    plain, narrowed = (Loaded([removing(said)] * 2)["decision_steps"]["target_key"][0] for said in ("", "a == b"))
    seen = insight(content=insight()["content"] | {"condition": {"expression": "a == b", "title": "t"}})
    assert plain == KEY
    assert narrowed == Loaded([seen, seen])["decision_steps"]["target_key"][0] != KEY


def test_an_insight_with_one_recommendation_is_a_signal_of_that_case_and_with_none_of_its_own() -> None:
    alone = insight(associatedRecommendations=[])
    joined, own = (Loaded([record] * 2)["decision_steps"].to_dicts()[0] for record in (insight(), alone))
    assert (joined["kind"], joined["native_key_kind"], joined["native_key"]) == ("signal", "gcp_recommendation", ADVICE)
    assert (own["native_key_kind"], own["native_key"]) == ("gcp_insight", INSIGHT)
    assert joined["target_key"] == KEY


@pytest.mark.parametrize(("state", "wanted"), [
    ("CLAIMED", ("decision", "approve", "succeeded")), ("DISMISSED", ("decision", "deny", "succeeded")),
    ("SUCCEEDED", ("outcome", None, "succeeded")), ("FAILED", ("attempt", None, "failed")),
    ("ACTIVE", ("decision", "withdraw", "succeeded")), (6, ("decision", "approve", "succeeded")),
])
def test_what_people_did_is_a_step_of_its_kind_under_the_name_of_the_recommendation(
    state: object, wanted: tuple[str, str | None, str],
) -> None:
    row = Loaded([action(1, state)] * 2)["decision_steps"].to_dicts()[0]
    assert (row["kind"], row["verdict"], row["status"]) == wanted
    assert (row["native_key_kind"], row["native_key"]) == ("gcp_recommendation", ADVICE)
    assert (row["actor_id"], row["actor_class"]) == ("gcp::user:ana@shop.example", "unknown")


def test_advice_named_by_the_number_of_its_project_and_the_answer_to_it_are_of_one_tenant() -> None:
    numbered = ADVICE.replace(PROJECT, "730112233445")
    advice = Loaded([recommendation(name=numbered)] * 2)["decision_steps"]
    answer = Loaded([action(1, "CLAIMED", recommendationName=numbered)] * 2)["decision_steps"]
    assert advice["tenant"].to_list()[:1] == answer["tenant"].to_list()[:1] == ["730112233445"]


def test_an_action_on_an_insight_is_joined_by_the_insight() -> None:
    record = action(1, "ACCEPTED")
    record["jsonPayload"] |= {
        "@type": "type.googleapis.com/google.cloud.recommender.logging.v1.InsightActionLog", "insight": INSIGHT}
    del record["jsonPayload"]["recommendationName"]
    row = Loaded([record, record])["decision_steps"].to_dicts()[0]
    assert (row["kind"], row["verdict"], row["native_key_kind"], row["native_key"]) == (
        "decision", "approve", "gcp_insight", INSIGHT)


def test_the_state_of_a_snapshot_is_kept_and_makes_no_decision() -> None:
    found = Loaded([recommendation("SUCCEEDED")] * 2)["decision_steps"]
    assert found["kind"].unique().to_list() == ["recommendation"]
    assert found["decided_value"][0] == "SUCCEEDED"


def test_a_later_snapshot_with_another_state_is_another_record_and_a_repeated_one_is_not() -> None:
    assert len(set(Loaded([recommendation(), recommendation("CLAIMED"), recommendation()]).ids)) == 2


def test_an_insight_on_a_service_account_says_when_it_was_last_seen() -> None:
    record = insight(name=INSIGHT.replace("policy", "serviceAccount"), content={
        "email": "old@x.iam.gserviceaccount.com", "serviceAccountId": "123", "lastAuthenticatedTime": "2025-11-01T00:00:00Z"})
    row = Loaded([record, record])["identity_facts"].to_dicts()[0]
    assert (row["id"], row["last_seen_basis"], row["last_seen_window_days"]) == ("gcp::123", "report", 90)


def test_advice_that_is_not_on_access_is_rejected_by_the_name_of_its_recommender() -> None:
    other = recommendation(name=ADVICE.replace("google.iam.policy.Recommender", "google.compute.disk.IdleRecommender"))
    found = Loaded([recommendation(), other])
    assert [(fault.reason, fault.disposition) for fault in found.faults] == [("out_of_scope", "rejected")]
    assert "google.compute" in found.faults[0].detail


def test_nothing_people_wrote_is_stored() -> None:
    for records in (SNAPSHOT, ACTIONS):
        held = json.dumps([frame.to_dicts() for frame in Loaded(lines(records)).frames.values()], default=str)
        assert CANARY not in held


def test_audit_entries_and_actions_in_one_file_are_read_by_the_audit_loader_alike() -> None:
    audit = {"insertId": "x", "logName": "projects/p/logs/cloudaudit.googleapis.com%2Factivity",
             "timestamp": "2026-03-02T10:00:00Z", "protoPayload": {"methodName": "m", "serviceName": "s"}}
    mixed = Loaded(lines([*ACTIONS, audit]))
    assert mixed.source == "gcp_audit"
    assert mixed.rows("decision_steps", *COLUMNS) == Loaded(lines(ACTIONS)).rows("decision_steps", *COLUMNS)
