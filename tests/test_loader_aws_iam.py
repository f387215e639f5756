"""IAM inventories: who is listed, what they hold, and what the export cannot tell. All fixtures are synthetic."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import polars as pl
import pytest

from lineage_analytics.workspace import Store, load, open_estate
from tests._documents import Loaded

if TYPE_CHECKING:
    from pathlib import Path

A = "111122223333"
IAM = f"arn:aws:iam::{A}"


def _policy(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def _allow(action: Any, resource: Any = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def _trust(principal: Any, **more: Any) -> dict[str, Any]:
    return _policy({"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole", **more})


def _role(name: str, trust: Any, **more: Any) -> dict[str, Any]:
    return {"RoleName": name, "RoleId": f"AROA{name.upper():0<17}", "Arn": f"{IAM}:role/{name}", "Path": "/",
            "CreateDate": "2025-01-01T00:00:00Z", "AssumeRolePolicyDocument": trust, **more}


USER = {
    "UserName": "ana", "UserId": "AIDAEXAMPLE000000001", "Arn": f"{IAM}:user/ana", "Path": "/",
    "CreateDate": "2025-02-01T10:00:00+00:00", "GroupList": ["ops"],
    "Tags": [{"Key": "Owner", "Value": "bo@northwind.example"}, {"Key": "env", "Value": "Production"},
             {"Key": "purpose", "Value": "nightly export"}],
    "UserPolicyList": [{"PolicyName": "own", "PolicyDocument": _policy(_allow("s3:GetObject", f"{IAM}:x"))}],
    "AttachedManagedPolicies": [{"PolicyName": "Base", "PolicyArn": f"{IAM}:policy/Base"}],
    "PermissionsBoundary": {"PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": f"{IAM}:policy/Edge"},
}
GROUP = {"GroupName": "ops", "GroupId": "AGPAEXAMPLE000000001", "Arn": f"{IAM}:group/teams/ops", "Path": "/teams/",
         "CreateDate": "2024-01-01T00:00:00Z", "GroupPolicyList": [], "AttachedManagedPolicies": []}
BASE = {"PolicyName": "Base", "Arn": f"{IAM}:policy/Base", "DefaultVersionId": "v2", "PolicyVersionList": [
    {"VersionId": "v1", "IsDefaultVersion": False, "Document": _policy(_allow("*"))},
    {"VersionId": "v2", "IsDefaultVersion": True, "Document": _policy(
        {"Effect": "Deny", "NotAction": "iam:*", "NotResource": ["b", "a"], "Condition": {"Bool": {"x": "true"}}})}]}
DETAILS = {"UserDetailList": [USER], "GroupDetailList": [GROUP],
           "RoleDetailList": [_role("etl", _trust({"Service": "lambda.amazonaws.com"}))], "Policies": [BASE]}
COLUMNS = ("user,arn,user_creation_time,password_enabled,password_last_used,password_last_changed,"
           "password_next_rotation,mfa_active,access_key_1_active,access_key_1_last_rotated,"
           "access_key_1_last_used_date,access_key_1_last_used_region,access_key_1_last_used_service,"
           "access_key_2_active,access_key_2_last_rotated,access_key_2_last_used_date,access_key_2_last_used_region,"
           "access_key_2_last_used_service,cert_1_active,cert_1_last_rotated,cert_2_active,cert_2_last_rotated")


def _row(name: str, enabled: str = "false", key: str = "N/A", used: str = "N/A", active: str = "false") -> str:
    return (f"{name},{IAM}:user/{name},2025-01-01T00:00:00+00:00,{enabled},2026-06-01T00:00:00+00:00,"
            f"2025-01-01T00:00:00+00:00,N/A,false,{active},{key},{used},N/A,N/A,false,N/A,N/A,N/A,N/A,false,N/A,false,N/A")


REPORT = "\n".join([
    COLUMNS,
    f"<root_account>,arn:aws:iam::{A}:root,2020-01-01T00:00:00+00:00,not_supported,no_information,not_supported,"
    "not_supported,true,false,N/A,N/A,N/A,N/A,false,N/A,N/A,N/A,N/A,false,N/A,false,N/A",
    _row("ana", enabled="true", key="2026-01-01T00:00:00+00:00", used="2026-06-29T00:00:00+00:00", active="true"),
    _row("svc", key="2025-05-01T00:00:00+00:00", active="true"), _row("none")])
CONTRACT_FILES = {"details": json.dumps(DETAILS).encode(), "report": REPORT.encode()}


def test_four_entries_are_four_records() -> None:
    loaded = Loaded(DETAILS)
    assert loaded.source == "aws_iam"
    assert (len(loaded.ids), len(set(loaded.ids)), loaded.faults) == (4, 4, [])


def test_a_user_keeps_owner_purpose_environment_and_never_a_guessed_kind() -> None:
    [row] = Loaded(DETAILS)["identity_facts"].filter(pl.col("id") == f"aws:{A}:AIDAEXAMPLE000000001").to_dicts()
    assert row["kind"] == "unknown"
    assert row["owner"] == [{"id": "bo@northwind.example", "basis": "tag"}]
    assert (row["purpose"], row["environment"]) == ("nightly export", "prod")
    assert row["snapshot_at"] is None


def test_grants_name_their_policies_and_groups_by_their_last_name() -> None:
    found = Loaded(DETAILS)
    assert found.rows("entitlements", "grant_kind", "scope", "origin")[:4] == [
        ("attachment", f"aws:{A}:AIDAEXAMPLE000000001/inline/own", "inline"),
        ("attachment", f"aws:{A}:{IAM}:policy/Base", "managed"),
        ("boundary", f"aws:{A}:{IAM}:policy/Edge", "boundary"),
        ("membership", f"aws:{A}:{IAM}:group/ops", "direct")]
    [group] = found["identity_facts"].filter(pl.col("kind") == "group").to_dicts()
    assert {"kind": "arn", "value": f"{IAM}:group/ops"} in group["alt_ids"]


def test_only_the_default_version_counts_and_not_forms_are_kept() -> None:
    rows = Loaded(DETAILS)["entitlements"].filter(pl.col("principal_id") == f"aws:{A}:{IAM}:policy/Base").to_dicts()
    assert [(r["effect"], r["actions"], r["not_actions"], r["resources"], r["not_resources"], r["condition"])
            for r in rows] == [("deny", None, ["iam:*"], None, ["a", "b"], '{"Bool":{"x":"true"}}')]


@pytest.mark.parametrize(("trust", "kind", "excluded"), [
    ({"Service": "ec2.amazonaws.com"}, "workload", None),
    ({"Service": ["ec2.amazonaws.com", "lambda.amazonaws.com"]}, "workload", None),
    ({"Federated": f"{IAM}:oidc-provider/token.actions.example"}, "workload", None),
    ({"Federated": f"{IAM}:saml-provider/people"}, "role", "human_role"),
    ({"Federated": f"{IAM}:saml-provider/people", "Service": "ec2.amazonaws.com"}, "workload", None),
    ({"AWS": f"{IAM}:root"}, "unknown", None),
    ({"AWS": [A, f"{IAM}:role/other"]}, "unknown", None),
    ("*", "unknown", None),
    ({"Federated": "cognito-identity.amazonaws.com"}, "unknown", None),
])
def test_a_trust_policy_shows_software_people_or_neither(trust: Any, kind: str, excluded: str | None) -> None:
    found = Loaded({"RoleDetailList": [_role("r", _trust(trust))], "UserDetailList": []})
    assert found.rows("identity_facts", "kind", "excluded_reason") == [(kind, excluded)]


def test_a_service_linked_role_is_the_providers() -> None:
    role = _role("AWSServiceRoleForX", _trust({"Service": "x.amazonaws.com"}),
                 ) | {"Arn": f"{IAM}:role/aws-service-role/x.amazonaws.com/AWSServiceRoleForX"}
    assert Loaded({"RoleDetailList": [role]}).rows("identity_facts", "excluded_reason") == [("provider_managed",)]


def test_trusted_accounts_arns_and_services_are_told_apart() -> None:
    found = Loaded({"RoleDetailList": [_role("r", _trust(
        {"AWS": [A, f"{IAM}:user/ana", "*"], "Service": "ec2.amazonaws.com"}, Condition={"Bool": {"m": "true"}}))]})
    assert found.rows("entitlements", "principal_id", "scope", "condition") == [
        (principal, f"aws:{A}:AROAR0000000000000000", '{"Bool":{"m":"true"}}')
        for principal in ("aws:111122223333:arn:aws:iam::111122223333:root",
                          "aws:111122223333:arn:aws:iam::111122223333:user/ana", "aws::*",
                          "aws:service:ec2.amazonaws.com")]


def test_url_encoded_documents_give_the_same_records_and_rows() -> None:
    encoded = json.loads(json.dumps(DETAILS))
    encoded["RoleDetailList"][0]["AssumeRolePolicyDocument"] = quote(json.dumps(
        DETAILS["RoleDetailList"][0]["AssumeRolePolicyDocument"]))  # type: ignore[index]
    encoded["UserDetailList"][0]["UserPolicyList"][0]["PolicyDocument"] = quote(json.dumps(
        USER["UserPolicyList"][0]["PolicyDocument"]))  # type: ignore[index]
    plain, coded = Loaded(DETAILS), Loaded(encoded)
    assert plain.ids == coded.ids
    assert plain["entitlements"].equals(coded["entitlements"])


def test_an_unreadable_policy_does_not_pass_for_empty() -> None:
    found = Loaded({"RoleDetailList": [_role("r", _trust({"Service": "x"}), RolePolicyList=[
        {"PolicyName": "odd", "PolicyDocument": "not a document"}])]})
    statements = found["entitlements"].filter(pl.col("grant_kind") == "statement")
    assert statements.select("privilege", "effect", "actions").rows() == [("odd", None, None)]


def test_a_broken_entry_is_quarantined_with_its_position_and_its_neighbours_stay() -> None:
    found = Loaded({"UserDetailList": [USER, {"UserName": "no arn"}, USER | {"Arn": f"{IAM}:user/bo", "UserId": "AIDABO"}]})
    assert [(f.position, f.reason) for f in found.faults] == [(1, "incomplete")]
    assert len(found.ids) == 2


def test_a_cut_export_keeps_its_whole_entries() -> None:
    data = json.dumps(DETAILS).encode()
    found = Loaded(data[: data.index(b"RoleDetailList") + 40])
    assert len(found.ids) == 2
    assert [f.reason for f in found.faults] == ["truncated"]


@pytest.mark.parametrize("envelope", [
    REPORT, REPORT.replace("\n", "\r\n"), "\ufeff" + REPORT, REPORT.upper().split("\n")[0] + REPORT[len(COLUMNS):],
    {"Content": base64.b64encode(REPORT.encode()).decode(), "ReportFormat": "text/csv"},
    {"Content": REPORT, "ReportFormat": "text/csv"},
])
def test_every_form_of_the_report_gives_the_same_accounts(envelope: Any) -> None:
    found = Loaded(envelope)
    assert found.rows("identity_facts", "display_name", "kind") == [
        ("ana", "human"), ("none", "unknown"), ("root", "human"), ("svc", "service_account")]
    assert found.rows("credentials", "credential_id", "kind", "status", "last_used_basis") == [
        (f"aws:{A}:{IAM}:user/ana/access-key-1", "key", "active", "report"),
        (f"aws:{A}:{IAM}:user/ana/password", "password", "active", "report"),
        (f"aws:{A}:{IAM}:user/svc/access-key-1", "key", "active", "never")]


def test_the_time_a_report_was_generated_dates_its_rows() -> None:
    found = Loaded({"Content": REPORT, "ReportFormat": "text/csv", "GeneratedTime": "2026-06-30T01:02:03Z"})
    assert {f"{row[0]:%H:%M:%S}" for row in found.rows("credentials", "snapshot_at")} == {"01:02:03"}


def test_no_secret_could_be_loaded() -> None:
    assert not any("secret" in column for table in Loaded(REPORT).frames.values() for column in table.columns)


def test_details_and_report_meet_in_one_user(tmp_path: Path) -> None:
    for name, data in CONTRACT_FILES.items():
        (tmp_path / name).write_bytes(data)
    load([tmp_path / "details", tmp_path / "report"], Store.create(tmp_path / "w"))
    estate = open_estate(tmp_path / "w", as_of="2026-06-30")
    ana = estate.frame("identities").filter(pl.col("display_name") == "ana")
    assert ana.select("id", "kind", "inventoried").rows() == [(f"aws:{A}:AIDAEXAMPLE000000001", "human", True)]
    member = estate.frame("entitlements").filter(pl.col("grant_kind") == "membership")
    assert member["scope"].to_list() == [f"aws:{A}:AGPAEXAMPLE000000001"]


def test_real_inventories_load_without_a_fault(shared_data: Path, tmp_path: Path) -> None:
    result = load([shared_data / "aws_iam"], Store.create(tmp_path / "w"))
    count = result.counts["aws_iam"]
    assert (count.quarantined, count.rejected) == (0, 0)
    assert count.accepted > 70
