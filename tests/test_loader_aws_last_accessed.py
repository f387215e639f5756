"""Service-last-accessed reports: the last use that is stated, of the holder that is stated. Synthetic."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from tests._documents import Loaded

ACCOUNT = "111122223333"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/etl/nightly"
USER = f"arn:aws:iam::{ACCOUNT}:user/ana"
USED = datetime(2026, 5, 1, 10, tzinfo=UTC)
MADE = datetime(2026, 6, 1, 0, 0, 9, tzinfo=UTC)


def report(arn: str | None = ROLE, **more: Any) -> dict[str, Any]:
    said = {
        "JobStatus": "COMPLETED", "JobType": "ACTION_LEVEL", "JobCreationDate": "2026-06-01T00:00:00Z",
        "JobCompletionDate": "2026-06-01T00:00:09Z", "IsTruncated": False, "ServicesLastAccessed": [
            {"ServiceName": "Amazon S3", "ServiceNamespace": "s3", "LastAuthenticated": "2026-05-01T10:00:00Z",
             "LastAuthenticatedEntity": arn or ROLE, "LastAuthenticatedRegion": "eu-west-1",
             "TotalAuthenticatedEntities": 1, "TrackedActionsLastAccessed": [
                 {"ActionName": "PutObject", "LastAccessedEntity": arn or ROLE, "LastAccessedRegion": "eu-west-1",
                  "LastAccessedTime": "2026-05-01T10:00:00Z"}, {"ActionName": "GetObject"}]},
            {"ServiceName": "AWS IAM", "ServiceNamespace": "iam", "TotalAuthenticatedEntities": 0}], **more}
    return ({"Arn": arn} if arn else {}) | said


ENTITIES = {
    "JobStatus": "COMPLETED", "JobCreationDate": "2026-06-01T00:00:00Z", "JobCompletionDate": "2026-06-01T00:00:09Z",
    "EntityDetailsList": [
        {"EntityInfo": {"Arn": USER, "Name": "ana", "Type": "USER", "Id": "AIDAEXAMPLE000000001", "Path": "/"},
         "LastAuthenticated": "2026-05-01 10:00:00+00:00"},
        {"EntityInfo": {"Arn": ROLE, "Name": "nightly", "Type": "ROLE", "Id": "AROAEXAMPLE000000001", "Path": "/etl/"}}],
    "IsTruncated": False}
SHAPES = {
    "object": json.dumps(report()).encode(), "array": json.dumps([report()]).encode(),
    "by_arn": json.dumps({ROLE: report(None)}).encode(),
    "job_metadata": json.dumps({**report(None), "JobMetadata": {"Arn": ROLE}}).encode(),
    "nested": json.dumps({"Arn": ROLE, "Report": report(None)}).encode(),
    "lower_case": json.dumps({key.lower(): value for key, value in report().items()}).encode(),
}
CONTRACT_FILES = {
    "object": SHAPES["object"], "lines": b"\n".join(json.dumps(report(arn)).encode() for arn in (ROLE, USER)),
    "by_arn": json.dumps({ROLE: report(None), USER: report(None)}).encode(),
    "entities": json.dumps(ENTITIES).encode(), "nameless": json.dumps(report(None)).encode(),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_every_packing_that_names_the_role_gives_it_the_same_uses(shape: str) -> None:
    found = Loaded(SHAPES[shape])
    assert (found.source, found.faults) == ("aws_last_accessed", [])
    holder = f"aws:{ACCOUNT}:{ROLE}"
    assert found.rows("entitlements", "principal_id", "grant_kind", "privilege", "last_used_at", "as_of") == [
        (holder, "right", "iam", None, MADE), (holder, "right", "s3", USED, MADE),
        (holder, "right", "s3:GetObject", None, MADE), (holder, "right", "s3:PutObject", USED, MADE)]
    assert found.rows("identity_facts", "id", "last_seen_at", "last_seen_basis", "basis") == [
        (holder, USED, "report", "seen")]
    assert found.ids == Loaded(SHAPES["object"]).ids


def test_without_the_arn_the_holder_is_unknown_and_only_the_named_last_user_is_told_of() -> None:
    found = Loaded(json.dumps(report(None)))
    assert found["entitlements"]["principal_id"].null_count() == found["entitlements"].height == 4
    assert found.rows("identity_facts", "id", "last_seen_at", "kind_basis") == [
        (f"aws:{ACCOUNT}:{ROLE}", USED, "named as the last to use a service")]


def test_a_group_is_not_its_member_that_used_the_service_last() -> None:
    group = f"arn:aws:iam::{ACCOUNT}:group/ops"
    said = report(group)
    said["ServicesLastAccessed"][0]["LastAuthenticatedEntity"] = USER
    said["ServicesLastAccessed"][0]["TrackedActionsLastAccessed"] = []
    assert Loaded(json.dumps(said)).rows("identity_facts", "id", "subkind", "last_seen_at") == [
        (f"aws:{ACCOUNT}:{group}", "iam_group", None), (f"aws:{ACCOUNT}:{USER}", "iam_user", USED)]


def test_a_policy_holds_rights_and_is_no_identity() -> None:
    policy = f"arn:aws:iam::{ACCOUNT}:policy/Base"
    said = report(policy)
    for service in said["ServicesLastAccessed"]:
        service.pop("LastAuthenticatedEntity", None)
        service.pop("TrackedActionsLastAccessed", None)
    found = Loaded(json.dumps(said))
    assert found["entitlements"]["principal_id"].unique().to_list() == [f"aws:{ACCOUNT}:{policy}"]
    assert found["identity_facts"].is_empty()


def test_entities_come_with_their_immutable_id_and_no_last_use_is_not_never() -> None:
    found = Loaded(json.dumps(ENTITIES))
    assert found.rows("identity_facts", "id", "last_seen_at") == [
        (f"aws:{ACCOUNT}:AIDAEXAMPLE000000001", USED), (f"aws:{ACCOUNT}:AROAEXAMPLE000000001", None)]
    assert found["entitlements"].is_empty()


@pytest.mark.parametrize("status", ["FAILED", "IN_PROGRESS"])
def test_a_report_that_is_not_there_says_nothing(status: str) -> None:
    found = Loaded(json.dumps(report(JobStatus=status)))
    assert [(fault.reason, fault.disposition) for fault in found.faults] == [("out_of_scope", "rejected")]
    assert found.ids == []


def test_two_reports_of_a_role_are_two_records_and_a_repeat_is_one() -> None:
    later = report(JobCompletionDate="2026-06-02T00:00:00Z")
    assert len(set(Loaded([report(), later, report()]).ids)) == 2


@pytest.mark.parametrize(("arn", "table"), [(ROLE, "identity_facts"), (None, "entitlements")])
def test_keys_nobody_knows_stay_with_whom_the_report_is_of(arn: str | None, table: str) -> None:
    found = Loaded(json.dumps(report(arn, TrackingDays=400)))[table]["unmapped"]
    assert found.drop_nulls().unique().to_list() == ['{"trackingdays":400}']
