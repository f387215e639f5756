"""Access Analyzer: findings as signals, what became of them, and what was recommended. Synthetic."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

import lineage_analytics as la
from lineage_analytics.workspace import Store, load, open_estate
from tests._documents import Loaded
from tests._trail import event

if TYPE_CHECKING:
    from pathlib import Path

ACCOUNT = "111122223333"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/etl/nightly"
USER = f"arn:aws:iam::{ACCOUNT}:user/ana"


def listed(number: int, kind: str = "UnusedPermission", **more: Any) -> dict[str, Any]:
    return {
        "analyzedAt": "2026-06-02T00:00:00Z", "createdAt": "2026-06-01T00:00:00Z", "id": f"f-{number}",
        "resource": ROLE, "resourceType": "AWS::IAM::Role", "resourceOwnerAccount": ACCOUNT, "status": "ACTIVE",
        "updatedAt": "2026-06-03T00:00:00Z", "findingType": kind, **more}


def detailed(number: int, kind: str, details: dict[str, Any], **more: Any) -> dict[str, Any]:
    return listed(number, kind, findingDetails=[details], **more)


PERMISSION = detailed(1, "UnusedPermission", {"unusedPermissionDetails": {
    "serviceNamespace": "s3", "lastAccessed": "2026-05-01T00:00:00Z", "actions": [
        {"action": "s3:PutObject", "lastAccessed": "2026-05-01T00:00:00Z"}, {"action": "DeleteObject"}]}})
KEY = detailed(2, "UnusedIAMUserAccessKey", {"unusedIamUserAccessKeyDetails": {
    "accessKeyId": "AKIAEXAMPLE000000001", "lastAccessed": "2026-01-01T00:00:00Z"}}, resource=USER,
    resourceType="AWS::IAM::User")
PASSWORD = detailed(3, "UnusedIAMUserPassword", {"unusedIamUserPasswordDetails": {}}, resource=USER,
                    resourceType="AWS::IAM::User")
UNUSED = detailed(4, "UnusedIAMRole", {"unusedIamRoleDetails": {"lastAccessed": "2026-02-01T00:00:00Z"}},
                  status="RESOLVED")
OLDER = {"id": "f-5", "principal": {"AWS": "*"}, "action": ["s3:GetObject"], "resource": "arn:aws:s3:::reports",
         "isPublic": True, "resourceType": "AWS::S3::Bucket", "condition": {}, "createdAt": "2026-06-01T00:00:00Z",
         "analyzedAt": "2026-06-02T00:00:00Z", "updatedAt": "2026-06-03T00:00:00Z", "status": "ARCHIVED",
         "resourceOwnerAccount": ACCOUNT, "sources": [{"type": "POLICY"}]}
POLICY = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}]}
ADVICE = {
    "startedAt": "2026-06-04T00:00:00Z", "completedAt": "2026-06-04T00:01:00Z", "resourceArn": ROLE,
    "recommendationType": "UnusedPermissionRecommendation", "status": "SUCCEEDED", "recommendedSteps": [
        {"unusedPermissionsRecommendedStep": {
            "recommendedAction": "DETACH_POLICY", "existingPolicyId": "arn:aws:iam::aws:policy/AmazonS3FullAccess"}},
        {"unusedPermissionsRecommendedStep": {
            "recommendedAction": "CREATE_POLICY", "existingPolicyId": "arn:aws:iam::aws:policy/AmazonEC2FullAccess",
            "recommendedPolicy": json.dumps(POLICY), "policyUpdatedAt": "2026-01-01T00:00:00Z"}}]}
ALL = [PERMISSION, KEY, PASSWORD, UNUSED]
CONTRACT_FILES = {
    "list": json.dumps({"findings": [listed(1), listed(2, "ExternalAccess")], "nextToken": None}).encode(),
    "get": json.dumps(PERMISSION).encode(), "older": json.dumps({"findings": [OLDER]}).encode(),
    "lines": b"\n".join(json.dumps(one).encode() for one in (*ALL, ADVICE)), "recommendation": json.dumps(ADVICE).encode(),
}
SHAPES = {
    "array": json.dumps(ALL).encode(), "lines": b"\n".join(json.dumps(one).encode() for one in ALL),
    "page": json.dumps({"findings": ALL}).encode(),
    "events": b"\n".join(json.dumps({"detail-type": "Access Analyzer Finding", "source": "aws.access-analyzer",
                                     "detail": one}).encode() for one in ALL),
    "lower_case": json.dumps([{key.lower(): value for key, value in one.items()} for one in ALL]).encode(),
}
TABLES = ("decision_steps", "entitlements", "credentials", "identity_facts", "resources")


@pytest.mark.parametrize("shape", SHAPES)
def test_every_packing_gives_the_same_rows(shape: str) -> None:
    found, plain = Loaded(SHAPES[shape]), Loaded(SHAPES["array"])
    assert (found.source, found.faults) == ("aws_access_analyzer", [])
    for table in TABLES:
        assert sorted(map(str, found[table].drop("raw_ref").rows())) == sorted(
            map(str, plain[table].drop("raw_ref").rows())), table


def test_a_finding_is_a_signal_when_it_came_up_and_an_outcome_once_it_is_over() -> None:
    assert Loaded([PERMISSION, UNUSED, OLDER]).rows(
        "decision_steps", "native_key", "kind", "time", "target_key", "decided_value") == [
        ("f-1", "signal", datetime(2026, 6, 1, tzinfo=UTC), f"aws:{ACCOUNT}:role/nightly", None),
        ("f-4", "outcome", datetime(2026, 6, 3, tzinfo=UTC), f"aws:{ACCOUNT}:role/nightly", "RESOLVED"),
        ("f-4", "signal", datetime(2026, 6, 1, tzinfo=UTC), f"aws:{ACCOUNT}:role/nightly", None),
        ("f-5", "outcome", datetime(2026, 6, 3, tzinfo=UTC), f"aws:{ACCOUNT}:bucket/reports", "ARCHIVED"),
        ("f-5", "signal", datetime(2026, 6, 1, tzinfo=UTC), f"aws:{ACCOUNT}:bucket/reports", None)]


def test_the_older_call_for_one_finding_gives_the_same_as_the_older_list() -> None:
    alone, listed_one = Loaded({"finding": OLDER}), Loaded({"findings": [OLDER]})
    assert (alone.ids, alone.faults) == (listed_one.ids, [])
    assert alone.rows("decision_steps", "kind", "target_key") == listed_one.rows("decision_steps", "kind", "target_key")


def test_an_unused_permission_has_the_last_use_that_is_stated_and_no_other() -> None:
    assert Loaded([PERMISSION]).rows("entitlements", "principal_id", "grant_kind", "privilege", "last_used_at", "as_of") == [
        (f"aws:{ACCOUNT}:{ROLE}", "right", "s3:DeleteObject", None, datetime(2026, 6, 2, tzinfo=UTC)),
        (f"aws:{ACCOUNT}:{ROLE}", "right", "s3:PutObject", datetime(2026, 5, 1, tzinfo=UTC),
         datetime(2026, 6, 2, tzinfo=UTC))]
    assert Loaded([listed(1)])["entitlements"].is_empty()


def test_a_service_without_listed_actions_is_unused_as_a_whole() -> None:
    whole = detailed(1, "UnusedPermission", {"unusedPermissionDetails": {"serviceNamespace": "sqs"}})
    assert Loaded([whole]).rows("entitlements", "privilege", "last_used_at") == [("sqs", None)]


def test_unused_keys_and_passwords_are_credentials_and_a_missing_last_use_is_not_never() -> None:
    assert Loaded([KEY, PASSWORD]).rows("credentials", "credential_id", "kind", "last_used_at", "last_used_basis") == [
        ("AKIAEXAMPLE000000001", "key", datetime(2026, 1, 1, tzinfo=UTC), "report"),
        (f"aws:{ACCOUNT}:{USER}/password", "password", None, None)]


def test_an_unused_role_has_the_last_use_the_finding_states() -> None:
    assert Loaded([UNUSED]).rows("identity_facts", "id", "last_seen_at", "basis", "kind") == [
        (f"aws:{ACCOUNT}:{ROLE}", datetime(2026, 2, 1, tzinfo=UTC), "seen", "unknown")]


def test_a_recommendation_is_by_rule_and_its_policy_stands_only_as_a_hash() -> None:
    found = Loaded(json.dumps(ADVICE))
    policies = "arn:aws:iam::aws:policy"
    assert found.rows("decision_steps", "kind", "origin", "recommended_value", "effect_key", "native_key") == [
        ("recommendation", "rule", "CREATE_POLICY", None, None),
        ("recommendation", "rule", "DETACH_POLICY",
         f"revoke(aws:{ACCOUNT}:role/nightly|{policies}/AmazonS3FullAccess)", None)]
    hashes = found["decision_steps"]["after_state"].drop_nulls().to_list()
    spaced = json.loads(json.dumps(ADVICE))
    spaced["recommendedSteps"][1]["unusedPermissionsRecommendedStep"]["recommendedPolicy"] = json.dumps(POLICY, indent=4)
    assert hashes == Loaded(json.dumps(spaced))["decision_steps"]["after_state"].drop_nulls().to_list()
    assert len(hashes) == 1
    assert "2012-10-17" not in str(found["decision_steps"].rows())


def test_a_recommendation_saved_with_its_finding_is_of_the_same_case() -> None:
    found = Loaded([PERMISSION, {"id": "f-1", **ADVICE}])
    assert found["decision_steps"]["native_key"].unique().to_list() == ["f-1"]


@pytest.mark.parametrize(("status", "shown"), [("FAILED", "failed"), ("IN_PROGRESS", "pending")])
def test_a_recommendation_that_did_not_come_recommends_nothing(status: str, shown: str) -> None:
    advice = {**ADVICE, "status": status, "recommendedSteps": []}
    assert Loaded(json.dumps(advice)).rows("decision_steps", "kind", "status", "recommended_value") == [
        ("recommendation", shown, None)]


def test_a_finding_of_a_new_type_is_kept_and_noted_with_its_details() -> None:
    odd = detailed(9, "DormantAgent", {"dormantAgentDetails": {"days": 9}})
    found = Loaded([odd])
    assert found["decision_steps"]["operation"].to_list() == ["access-analyzer:DormantAgent"]
    assert json.loads(found["resources"]["unmapped"][0])["dormantagentdetails"]["days"] == 9


def test_each_state_of_a_finding_is_a_record_and_the_same_state_is_one() -> None:
    assert len(set(Loaded([listed(1), listed(1, status="RESOLVED"), listed(1)]).ids)) == 2


def test_findings_without_id_or_time_are_set_aside() -> None:
    found = Loaded([listed(1), listed(2, id=None), listed(3, createdAt=None, updatedAt=None, analyzedAt=None)])
    assert sorted(fault.reason for fault in found.faults) == ["no_id", "no_time"]


def test_a_finding_its_recommendation_and_who_asked_for_it_are_one_case(tmp_path: Path) -> None:
    asked = event(1, eventTime="2026-06-03T23:59:00Z", eventSource="access-analyzer.amazonaws.com",
                  eventName="GenerateFindingRecommendation", requestParameters={"id": "f-1", "analyzerArn": "x"})
    for name, value in {"list": {"findings": [listed(1)]}, "trail": {"Records": [asked]},
                        "end": {"findings": [listed(1, status="RESOLVED")]}, "advice": {"id": "f-1", **ADVICE}}.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(value))
    load([tmp_path], Store.create(tmp_path / "w"))
    steps = la.decision_lineage(open_estate(tmp_path / "w", as_of="2026-06-30")).steps
    assert steps["case_id"].n_unique() == 1
    assert set(steps["kind"]) == {"signal", "recommendation", "outcome"}
    assert f"aws:{ACCOUNT}:AIDAEXAMPLE000000001" in {agent for agents in steps["agent_ids"] for agent in agents}


@pytest.mark.parametrize("record", [listed(1), ADVICE])
def test_keys_nobody_knows_stay_with_their_record(record: dict[str, Any]) -> None:
    assert Loaded([{**record, "riskScore": 7}])["resources"]["unmapped"].to_list() == ['{"riskscore":7}']


def bus(kind: str, **detail: Any) -> dict[str, Any]:
    return {"version": "0", "id": "b-1", "detail-type": kind, "source": "aws.access-analyzer", "account": ACCOUNT,
            "time": "2026-06-04T00:00:00Z", "region": "eu-west-1", "detail": detail,
            "resources": [f"arn:aws:access-analyzer:eu-west-1:{ACCOUNT}:analyzer/org"]}


def test_an_event_of_unused_access_is_a_finding_though_it_spells_its_id_otherwise() -> None:
    unused = {key: held for key, held in listed(7).items() if key not in ("id", "resourceOwnerAccount")}
    found = Loaded(bus("Unused Access Finding for IAM entities", findingId="f-7", accountId=ACCOUNT,
                       previousStatus="", **unused))
    assert not found.faults
    assert found.rows("decision_steps", "native_key", "target_key") == [("f-7", f"aws:{ACCOUNT}:role/nightly")]
    [row] = found["resources"].to_dicts()
    assert json.loads(row["attributes"])["analyzer"] == f"arn:aws:access-analyzer:eu-west-1:{ACCOUNT}:analyzer/org"
    assert row["unmapped"] is None


def test_an_event_of_the_older_kind_is_of_outside_access_and_a_preview_is_no_finding() -> None:
    denied = {key: held for key, held in OLDER.items() if key not in ("principal", "isPublic", "sources")}
    preview = bus("Access Preview State Change", accessPreviewId="p-1", configuredResources=["arn:aws:s3:::reports"],
                  createdAt="2026-06-01T00:00:00Z", status="CREATING")
    found = Loaded([preview, bus("Access Analyzer Finding", error="ACCESS_DENIED", **denied)])
    assert [(fault.reason, fault.disposition) for fault in found.faults] == [("out_of_scope", "rejected")]
    assert found.rows("resources", "display_name") == [("ExternalAccess",)]
