"""IAM inventories: who is listed, what they hold, and what the export cannot tell. All fixtures are synthetic."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineage_analytics.loaders import recognise
from lineage_analytics.workspace import Store, load, open_estate
from tests._documents import Loaded, member

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
MANAGED = {"access_levels": ["Read"], "arn": "arn:aws:iam::aws:policy/job-function/Auditor", "name": "Auditor",
           "document": _policy(_allow(["s3:List*", "iam:Get*"]))}
SECOND_PAGE = {"IsTruncated": False, "UserDetailList": [USER | {"Arn": f"{IAM}:user/bo", "UserId": "AIDABO"}],
               "RoleDetailList": []}
ORG = f"arn:aws:organizations::{A}"
SCP = {"Id": "p-1", "Arn": f"{ORG}:policy/o-1/service_control_policy/p-1", "Name": "no lambda", "Description": "x",
       "Type": "SERVICE_CONTROL_POLICY", "AwsManaged": False,
       "Content": _policy({"Effect": "Deny", "Action": "lambda:*", "Resource": "*"})}
MEMBER = {"Id": "444455556666", "Arn": f"{ORG}:account/o-1/444455556666", "Email": "root@northwind.example",
          "Name": "build", "Status": "ACTIVE", "JoinedTimestamp": "2020-01-01T00:00:00Z"}
TREE = {"Id": "r-1", "Arn": f"{ORG}:root/o-1/r-1", "Name": "Root", "Policies": [], "Children": [
    {"Id": "ou-1", "Arn": f"{ORG}:ou/o-1/ou-1", "Name": "prod", "Policies": [SCP], "Children": [MEMBER]}]}
TOTALS = {"SummaryMap": {"Users": 3, "AccountMFAEnabled": 0, "AccountAccessKeysPresent": 1}}
BUCKET = [{"Resource": "arn:aws:s3:::reports", "Account": A, "Policy": _policy(
    _allow("s3:GetObject", Principal={"AWS": "arn:aws:iam::444455556666:root"}))}]
CONTRACT_FILES = {
    "organisation": json.dumps(TREE).encode(), "totals": json.dumps(TOTALS).encode(),
    "resource_policies": json.dumps(BUCKET).encode(), "accounts": json.dumps({"Accounts": [MEMBER]}).encode(),
    "details": json.dumps(DETAILS).encode(), "report": REPORT.encode(), "managed": json.dumps(MANAGED).encode(),
    "pages": json.dumps([DETAILS, SECOND_PAGE]).encode(),
    "envelope": json.dumps({"Content": base64.b64encode(REPORT.encode()).decode(), "ReportFormat": "text/csv",
                            "GeneratedTime": "2026-06-30T01:02:03Z"}).encode()}


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
    ({"Federated": f"{IAM}:oidc-provider/accounts.google.com"}, "unknown", None),
    ({"Federated": f"{IAM}:oidc-provider/northwind.okta.com/oauth2/default"}, "unknown", None),
    ({"Federated": f"{IAM}:oidc-provider/notokta.com"}, "workload", None),
    ({"Federated": f"{IAM}:oidc-provider/oidc.eks.eu-west-1.amazonaws.com/id/ABC"}, "workload", None),
    ({"Federated": f"{IAM}:saml-provider/people", "AWS": A}, "role", "human_role"),
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


@pytest.mark.parametrize(("trust", "said"), [
    ("%%%", "missing or could not be read"),
    (None, "missing or could not be read"),
    (_policy(), "allows nobody"),
    (_policy({"Effect": "Deny", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}),
     "allows nobody"),
    (_trust({"AWS": "*"}), "names every principal only"),
    (_trust({"AWS": A}), "names accounts, users or roles only"),
    (_trust({"Federated": "cognito-identity.amazonaws.com"}), "people and software alike only"),
])
def test_the_reason_for_an_unknown_kind_is_what_the_trust_policy_says(trust: Any, said: str) -> None:
    [(kind, basis)] = Loaded({"RoleDetailList": [_role("r", trust)]}).rows("identity_facts", "kind", "kind_basis")
    assert kind == "unknown"
    assert said in basis


def test_a_trust_in_everybody_but_some_is_kept_as_conditional() -> None:
    trust = _policy({"Effect": "Allow", "NotPrincipal": {"AWS": f"{IAM}:user/ana"}, "Action": "sts:AssumeRole"})
    assert Loaded({"RoleDetailList": [_role("r", trust)]}).rows("entitlements", "principal_id", "condition") == [
        ("aws::*", '{"NotPrincipal":{"AWS":"arn:aws:iam::111122223333:user/ana"}}')]


@pytest.mark.parametrize("statement", [
    {"Effect": "Allow", "Action": {"a": 1}, "Resource": "*"}, {"Effect": "Allow", "Action": [["a"]], "Resource": "*"},
    "text", 5,
])
def test_a_statement_that_says_nothing_clear_has_no_actions(statement: Any) -> None:
    found = Loaded({"RoleDetailList": [_role("r", _trust({"Service": "x"}), RolePolicyList=[
        {"PolicyName": "odd", "PolicyDocument": {"Statement": [statement]}}])]})
    assert found["entitlements"].filter(pl.col("grant_kind") == "statement")["actions"].to_list() == [None]


@pytest.mark.parametrize("document", [
    {"Statement": _allow("s3:GetObject")}, {"Statement": [_allow(["s3:GetObject"], ["*"])]},
    json.dumps({"Statement": _allow("s3:GetObject")}), quote(json.dumps({"Statement": _allow("s3:GetObject")}, indent=1)),
    quote("\n" + json.dumps({"Statement": _allow("s3:GetObject")})),
])
def test_one_or_many_and_any_encoding_are_one_statement(document: Any) -> None:
    found = Loaded({"RoleDetailList": [_role("r", _trust({"Service": "x"}), RolePolicyList=[
        {"PolicyName": "own", "PolicyDocument": document}])]})
    statements = found["entitlements"].filter(pl.col("grant_kind") == "statement")
    assert statements.select("effect", "actions", "resources").rows() == [("allow", ["s3:GetObject"], ["*"])]


def test_an_unreadable_policy_does_not_pass_for_empty() -> None:
    found = Loaded({"RoleDetailList": [_role("r", _trust({"Service": "x"}), RolePolicyList=[
        {"PolicyName": "odd", "PolicyDocument": "not a document"}])]})
    statements = found["entitlements"].filter(pl.col("grant_kind") == "statement")
    assert statements.select("privilege", "effect", "actions").rows() == [("odd", None, None)]


def test_a_broken_entry_is_quarantined_with_its_position_and_its_neighbours_stay() -> None:
    found = Loaded({"UserDetailList": [USER, {"UserName": "no arn"}, USER | {"Arn": f"{IAM}:user/bo", "UserId": "AIDABO"}]})
    assert [(f.position, f.reason) for f in found.faults] == [(1, "incomplete")]
    assert len(found.ids) == 2


@pytest.mark.parametrize(("odd", "said"), [
    ({"UserPolicyList": [{"PolicyDocument": {}}]}, "wanted PolicyName"),
    ({"UserPolicyList": ["x"]}, "wanted objects in UserPolicyList"),
    ({"AttachedManagedPolicies": [{"PolicyName": "x"}]}, "wanted PolicyArn"),
    ({"UserName": ["a"]}, "wanted text in UserName, found list"),
    ({"PermissionsBoundary": "x"}, "wanted an object in PermissionsBoundary"),
    ({"Arn": "ana"}, "wanted an ARN"), ({"Arn": None}, "wanted Arn, found none"),
])
def test_an_odd_entry_is_counted_once_says_why_and_leaves_no_row(odd: dict[str, Any], said: str) -> None:
    found = Loaded({"UserDetailList": [USER | odd, USER | {"Arn": f"{IAM}:user/bo", "UserId": "AIDABO"}]})
    [fault] = found.faults
    assert (fault.position, fault.reason) == (0, "incomplete")
    assert said in fault.detail
    assert (len(found.ids), found["identity_facts"].height, set(found["entitlements"]["record_id"])) == (
        1, 1, set(found.ids))


def test_a_list_that_is_none_costs_only_itself() -> None:
    found = Loaded({"UserDetailList": {"a": 1}, "GroupDetailList": None, "RoleDetailList": DETAILS["RoleDetailList"]})
    assert [(f.position, f.reason, f.detail) for f in found.faults] == [
        (0, "not_a_list", "wanted a list in UserDetailList")]
    assert found["identity_facts"].select(pl.col("raw_ref").struct.field("offset")).rows() == [(1,)]


@pytest.mark.parametrize("pages", [
    json.dumps([DETAILS, SECOND_PAGE]), json.dumps(DETAILS) + json.dumps(SECOND_PAGE),
    json.dumps(DETAILS, indent=2) + "\n" + json.dumps(SECOND_PAGE, indent=2) + "\n",
    json.dumps(DETAILS) + "\n" + json.dumps(SECOND_PAGE) + "\n",
])
def test_pages_in_one_file_are_all_read(pages: str) -> None:
    apart = {*Loaded(DETAILS).ids, *Loaded(SECOND_PAGE).ids}
    found = Loaded(pages)
    assert (set(found.ids), len(found.ids), found.faults) == (apart, 5, [])


def test_a_page_of_something_else_is_named() -> None:
    assert [f.reason for f in Loaded(json.dumps(DETAILS) + json.dumps({"a": 1})).faults] == ["not_details"]


def test_text_between_and_after_pages_is_named_in_its_place() -> None:
    found = Loaded(f"{json.dumps(DETAILS)} mend {json.dumps(SECOND_PAGE)} end")
    assert [(f.position, f.reason) for f in found.faults] == [(4, "broken_json"), (6, "broken_json")]
    assert len(found.ids) == 5


def test_a_list_that_breaks_costs_no_other() -> None:
    found = Loaded(json.dumps(DETAILS).replace('"GroupName": "ops"', '"GroupName": {{{ "ops"', 1))
    assert {f.reason for f in found.faults} == {"broken_json"}
    assert len(found.ids) == 3


def test_no_entries_are_no_records_and_no_fault() -> None:
    found = Loaded({"UserDetailList": [], "GroupDetailList": [], "RoleDetailList": [], "Policies": []})
    assert (found.ids, found.faults) == ([], [])


def test_keys_in_lower_case_are_the_same_keys() -> None:
    def lowered(value: Any) -> Any:
        if isinstance(value, dict):
            return {key if key in ("Bool", "x") else key.lower(): lowered(item) for key, item in value.items()}
        return [lowered(item) for item in value] if isinstance(value, list) else value

    plain, low = Loaded(DETAILS), Loaded(lowered(DETAILS))
    assert (plain.ids, low.faults) == (low.ids, [])
    assert plain["entitlements"].equals(low["entitlements"])


@pytest.mark.parametrize("broken", ["[" * 5000 + "]" * 5000, '"\\ud800"', "tru", "1e"])
def test_an_entry_no_parser_takes_is_one_fault_and_its_neighbours_stay(broken: str) -> None:
    data = json.dumps(DETAILS).replace('"Path": "/"', f'"Path": {broken}', 1)
    found = Loaded(data)
    assert [f.position for f in found.faults] == [0]
    assert len(found.ids) == 3


@pytest.mark.parametrize("lost", range(1, 1810, 67))
def test_a_cut_anywhere_is_said_and_whole_entries_stay(lost: int) -> None:
    data = json.dumps(DETAILS)
    found = Loaded(data[:-lost])
    assert [f.reason for f in found.faults] == ["truncated"]
    assert found.truncated
    assert set(found.ids) <= set(Loaded(DETAILS).ids)
    assert [f.position for f in found.faults] == [len(found.ids)]


@settings(deadline=None)
@given(st.permutations(range(4)), st.integers(1, 3))
def test_order_paging_and_repetition_of_entries_change_nothing(order: list[int], size: int) -> None:
    named = [(name, entry) for name, entries in DETAILS.items() for entry in entries]  # type: ignore[attr-defined]
    mixed = [named[i] for i in order]
    pages = [mixed[i:i + size] for i in range(0, len(mixed), size)] + [mixed[:1]]
    wanted = Loaded(DETAILS)
    loaded = [Loaded({"UserDetailList": [], **{name: [e for n, e in page if n == name] for name, _ in page}})
              for page in pages]
    assert {i for one in loaded for i in one.ids} == set(wanted.ids)
    for table in ("identity_facts", "entitlements", "resources"):
        def rows(found: list[Loaded], table: str = table) -> list[str]:
            return sorted({repr(r) for one in found for r in one[table].drop("raw_ref").rows()})
        assert rows(loaded) == rows([wanted])


def test_the_order_inside_an_entry_is_not_a_change() -> None:
    def turned(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: turned(item) for key, item in reversed(list(value.items()))}
        return [turned(item) for item in reversed(value)] if isinstance(value, list) else value

    role = _role("r", _trust({"AWS": [A, f"{IAM}:user/ana"]}, Condition={"StringLike": {"k": ["b", "a"]}}))
    exported = DETAILS | {"RoleDetailList": [role]}
    plain, other = Loaded(exported), Loaded(turned(exported))
    assert sorted(plain.ids) == sorted(other.ids)
    for table in ("identity_facts", "entitlements", "resources"):
        assert {repr(r) for r in plain[table].drop("raw_ref").rows()} == {
            repr(r) for r in other[table].drop("raw_ref").rows()}


def test_a_managed_policy_that_states_its_arn_is_the_policy_accounts_attach() -> None:
    found = Loaded(MANAGED)
    attached = Loaded({"UserDetailList": [USER | {"AttachedManagedPolicies": [
        {"PolicyName": "Auditor", "PolicyArn": MANAGED["arn"]}]}]})
    scopes = [scope for kind, scope in attached.rows("entitlements", "grant_kind", "scope") if kind == "attachment"]
    [policy] = found["resources"].to_dicts()
    assert policy["id"] in scopes
    assert (policy["kind"], policy["display_name"], policy["tenant"]) == ("policy", "Auditor", None)
    assert found.rows("entitlements", "principal_id", "actions") == [(policy["id"], ["iam:Get*", "s3:List*"])]


@pytest.mark.parametrize("left_out", ["arn", "document"])
def test_a_policy_that_does_not_state_enough_is_nobodys(left_out: str) -> None:
    kept = {key: value for key, value in MANAGED.items() if key != left_out}
    assert recognise(member(kept).sample) is None


def test_a_cut_export_keeps_its_whole_entries() -> None:
    data = json.dumps(DETAILS).encode()
    found = Loaded(data[: data.index(b"RoleDetailList") + 40])
    assert len(found.ids) == 2
    assert [f.reason for f in found.faults] == ["truncated"]


@pytest.mark.parametrize("envelope", [
    REPORT, REPORT.replace("\n", "\r\n"), "\ufeff" + REPORT, REPORT.upper().split("\n")[0] + REPORT[len(COLUMNS):],
    {"Content": base64.b64encode(REPORT.encode()).decode(), "ReportFormat": "text/csv"},
    {"Content": base64.encodebytes(REPORT.encode()).decode(), "ReportFormat": "text/csv"},
    {"Content": REPORT, "ReportFormat": "text/csv"},
    {"content": REPORT, "reportformat": "text/csv"},
])
def test_every_form_of_the_report_gives_the_same_accounts(envelope: Any) -> None:
    found = Loaded(envelope)
    assert found.rows("identity_facts", "display_name", "kind") == [
        ("ana", "human"), ("none", "unknown"), ("root", "human"), ("svc", "service_account")]
    assert found.rows("credentials", "credential_id", "kind", "status", "last_used_basis") == [
        (f"aws:{A}:{IAM}:user/ana/access-key-1", "key", "active", "report"),
        (f"aws:{A}:{IAM}:user/ana/password", "password", "active", "report"),
        (f"aws:{A}:{IAM}:user/svc/access-key-1", "key", "active", "never")]


def test_never_used_is_said_only_of_credentials_younger_than_the_record_of_use() -> None:
    found = Loaded("\n".join([COLUMNS, _row("old", key="2015-04-21T00:00:00+00:00", active="true"),
                              _row("new", key="2015-04-23T00:00:00+00:00", active="true"),
                              _row("undated", key="no_information", active="true")]))
    assert found.rows("credentials", "credential_id", "last_used_basis", "last_used_at") == [
        (f"aws:{A}:{IAM}:user/new/access-key-1", "never", None), (f"aws:{A}:{IAM}:user/old/access-key-1", None, None),
        (f"aws:{A}:{IAM}:user/undated/access-key-1", None, None)]


def test_a_password_the_report_does_not_speak_of_is_not_a_missing_one() -> None:
    [(kind, basis)] = Loaded("\n".join([COLUMNS, _row("x", enabled="not_supported", key="2025-01-01T00:00:00Z",
                                                      active="true")])).rows("identity_facts", "kind", "kind_basis")
    assert kind == "unknown"
    assert "does not say" in basis


def test_an_inactive_key_is_a_key_and_an_empty_slot_is_none() -> None:
    found = Loaded("\n".join([COLUMNS, _row("x", key="2025-01-01T00:00:00Z", active="false"), _row("y")]))
    assert found.rows("credentials", "identity_id", "status") == [(f"aws:{A}:{IAM}:user/x", "inactive")]


def test_rows_after_a_broken_one_keep_their_position() -> None:
    lines = REPORT.split("\n")
    found = Loaded("\n".join([*lines[:2], "broken,row", *lines[2:]]))
    assert [f.position for f in found.faults] == [1]
    assert found["identity_facts"].select("display_name", pl.col("raw_ref").struct.field("offset")).rows() == [
        ("root", 0), ("ana", 2), ("svc", 3), ("none", 4)]


def test_a_row_in_another_encoding_is_named_and_the_rest_is_read() -> None:
    found = Loaded(REPORT.replace("none,", "ren\xe9,").encode("latin-1"))
    assert [(f.position, f.detail) for f in found.faults] == [
        (3, "wanted UTF-8 text, found other bytes; save the file as UTF-8")]
    assert len(found.ids) == 3


@pytest.mark.parametrize("content", ["", "aGVsbG8=", "a,b,c\n1,2,3\n", None])
def test_an_envelope_around_something_else_is_one_fault(content: str | None) -> None:
    found = Loaded({"Content": content, "ReportFormat": "text/csv"})
    assert (found.ids, [f.reason for f in found.faults]) == ([], ["broken_json"])


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


def test_real_policies_of_aws_are_each_read(shared_data: Path) -> None:
    files = sorted((shared_data / "aws_iam").rglob("*.json"))
    sources = {path.name: (recognise(member(path.read_bytes()).sample) or (None,))[0] for path in files}
    policies = {p.name for p in files if p.parent.name == "aws_managed_policies_iam-dataset"}
    assert len(policies) == 25
    assert set(sources.values()) == {"aws_iam"}
    for path in files:
        if path.name in policies:
            found = Loaded(path.read_bytes())
            stated = json.loads(path.read_bytes())
            statements = stated["document"]["Statement"]
            assert found["entitlements"].height == (len(statements) if isinstance(statements, list) else 1)
            assert found["resources"]["id"].to_list() == [f"aws:aws:{stated['arn']}"]


def test_real_inventories_load_without_a_fault(shared_data: Path, tmp_path: Path) -> None:
    result = load([shared_data / "aws_iam"], Store.create(tmp_path / "w"))
    count = result.counts["aws_iam"]
    assert (count.quarantined, count.rejected) == (0, 0)
    assert count.accepted > 70


def test_accounts_lie_in_their_unit_and_units_in_their_root() -> None:
    assert Loaded(TREE).rows("resources", "id", "kind", "display_name", "parent_id") == [
        (f"aws:{A}:ou-1", "organizational_unit", "prod", f"aws:{A}:r-1"),
        (f"aws:{A}:r-1", "organization_root", "Root", None),
        (f"aws:{A}:scp/p-1", "service_control_policy", "no lambda", f"aws:{A}:account"),
        ("aws:444455556666:account", "account", "build", f"aws:{A}:ou-1")]
    assert "root@northwind.example" not in str(Loaded(TREE)["resources"].rows())


def test_a_service_control_policy_bounds_what_it_is_attached_to() -> None:
    assert Loaded(TREE).rows("entitlements", "grant_kind", "principal_id", "scope", "effect", "actions") == [
        ("boundary", f"aws:{A}:ou-1", f"aws:{A}:scp/p-1", None, None),
        ("statement", f"aws:{A}:scp/p-1", None, "deny", ["lambda:*"])]


@pytest.mark.parametrize("export", [
    {"Policy": {"PolicySummary": {k: v for k, v in SCP.items() if k != "Content"}, "Content": json.dumps(SCP["Content"])}},
    {"policy": {"policysummary": {k.lower(): v for k, v in SCP.items() if k != "Content"},
                "content": json.dumps(SCP["Content"])}},
])
def test_a_policy_of_the_organisation_alone_is_the_one_that_is_attached(export: Any) -> None:
    found = Loaded(export) if "Policy" in export else Loaded(json.dumps(export).replace("policysummary", "PolicySummary"))
    assert found.faults == []
    assert found.rows("entitlements", "principal_id", "actions") == [(f"aws:{A}:scp/p-1", ["lambda:*"])]


def test_a_list_of_the_organisation_s_policies_says_nothing_of_their_content() -> None:
    listed = {key: value for key, value in SCP.items() if key != "Content"}
    found = Loaded({"Policies": [listed]})
    assert found.rows("resources", "id", "kind") == [(f"aws:{A}:scp/p-1", "service_control_policy")]
    assert found["entitlements"].is_empty()


def test_an_account_in_a_list_is_the_account_of_the_tree() -> None:
    [row] = Loaded({"Accounts": [MEMBER]})["resources"].to_dicts()
    assert (row["id"], row["display_name"], row["parent_id"]) == ("aws:444455556666:account", "build", None)


def test_a_node_without_an_id_is_set_aside_and_the_others_stay() -> None:
    found = Loaded({"Accounts": [MEMBER, {"Name": "x", "Arn": f"{ORG}:account/o-1/1"}, 5]})
    assert (len(found.ids), [fault.reason for fault in found.faults]) == (1, ["incomplete", "incomplete"])


def test_totals_are_kept_though_their_account_is_not_named() -> None:
    [row] = Loaded(TOTALS)["resources"].to_dicts()
    assert (row["id"], row["tenant"], json.loads(row["attributes"])["AccountAccessKeysPresent"]) == (
        "aws::account-summary", None, 1)


def test_a_policy_of_a_resource_is_a_statement_for_those_it_names() -> None:
    [row] = Loaded(BUCKET)["entitlements"].to_dicts()
    assert (row["principal_id"], row["actions"]) == (f"aws:{A}:resource-policy/arn:aws:s3:::reports", ["s3:GetObject"])
    assert json.loads(row["condition"]) == {"Principal": {"AWS": "arn:aws:iam::444455556666:root"}}


def test_keys_nobody_knows_stay_with_the_user() -> None:
    [row] = [row for row in Loaded(DETAILS | {"UserDetailList": [USER | {"RiskScore": 7}]})["identity_facts"].to_dicts()
             if row["display_name"] == "ana"]
    assert row["unmapped"] == '{"RiskScore":7}'
    assert Loaded(DETAILS)["identity_facts"]["unmapped"].drop_nulls().to_list() == []


def test_real_exports_of_accounts_and_organisations_are_all_read(shared_data: Path) -> None:
    for path in sorted((shared_data / "aws_iam").rglob("*.json")):
        said = json.loads(path.read_text())
        found = Loaded(path.read_bytes())
        assert (found.source, found.faults) == ("aws_iam", []), path.name
        if isinstance(said, dict) and "Children" in said:
            waiting, nodes = [said], []
            while waiting:
                nodes.append(waiting.pop())
                waiting += nodes[-1].get("Children", [])
            assert len(found.ids) == len(nodes)
            bounds = found["entitlements"].filter(pl.col("grant_kind") == "boundary")
            assert bounds.height == sum(len(node["Policies"]) for node in nodes)


def test_an_answer_about_users_or_one_role_is_read_like_the_details_it_is_part_of() -> None:
    user = {"UserName": "ana", "UserId": "AIDAEXAMPLE000000001", "Arn": f"{IAM}:user/ana", "Path": "/",
            "CreateDate": "2026-01-01T00:00:00Z", "PasswordLastUsed": "2026-05-01T00:00:00Z"}
    role = {"RoleName": "etl", "RoleId": "AROAEXAMPLE000000001", "Arn": f"{IAM}:role/etl", "Path": "/",
            "CreateDate": "2026-01-01T00:00:00Z", "MaxSessionDuration": 3600, "AssumeRolePolicyDocument": _policy({
                "Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"})}
    users, one = Loaded({"Users": [user], "IsTruncated": False}), Loaded({"Role": role})
    assert (users.source, users.faults, one.source, one.faults) == ("aws_iam", [], "aws_iam", [])
    assert users.ids + one.ids == Loaded({"UserDetailList": [user], "RoleDetailList": [role]}).ids
    assert users.rows("identity_facts", "id", "unmapped") == [(f"aws:{A}:AIDAEXAMPLE000000001", None)]
    assert one.rows("identity_facts", "kind") == [("workload",)]
    assert one.rows("entitlements", "grant_kind", "principal_id") == [("trust", "aws:service:ec2.amazonaws.com")]


def test_only_the_details_say_what_all_is_granted_and_a_list_or_report_leaves_it_unknown() -> None:
    user = {"UserName": "ana", "UserId": "AIDAEXAMPLE000000001", "Arn": f"{IAM}:user/ana", "Path": "/"}
    details = Loaded({"UserDetailList": [user | {"GroupList": [], "AttachedManagedPolicies": []}]})
    assert details.rows("identity_facts", "grants_listed") == [(True,)]
    assert set(Loaded({"Users": [user]}).rows("identity_facts", "grants_listed")) == {(None,)}
    assert set(Loaded(REPORT).rows("identity_facts", "grants_listed")) == {(None,)}


def test_an_answer_about_a_group_says_who_is_in_it() -> None:
    user = {"UserName": "ana", "UserId": "AIDAEXAMPLE000000001", "Arn": f"{IAM}:user/ana", "Path": "/"}
    group = {key: GROUP[key] for key in ("GroupName", "GroupId", "Arn", "Path")}
    found = Loaded({"Users": [user], "Group": group, "IsTruncated": False})
    assert (len(found.ids), found.faults) == (2, [])
    assert found.rows("entitlements", "grant_kind", "principal_id", "scope") == [
        ("membership", f"aws:{A}:AIDAEXAMPLE000000001", f"aws:{A}:{IAM}:group/ops")]
    assert f"{IAM}:group/ops" in [a["value"] for row in found["identity_facts"]["alt_ids"] for a in row]


def test_a_list_of_policies_does_not_make_those_known_elsewhere_unreadable() -> None:
    found = Loaded({"Policies": [{key: BASE[key] for key in ("PolicyName", "Arn", "DefaultVersionId")}]})
    assert (found.rows("resources", "kind"), found["entitlements"].height) == ([("policy",)], 0)


@pytest.mark.parametrize(("answer", "count", "said"), [
    ({"AccessKeyMetadata": [{"UserName": "ana", "AccessKeyId": "AKIAEXAMPLE000000001", "Status": "Active"}] * 2}, 2,
     "the credential report"),
    ({"AttachedPolicies": [{"PolicyName": "Base", "PolicyArn": f"{IAM}:policy/Base"}], "IsTruncated": False}, 1,
     "get-account-authorization-details"),
    ({"PolicyNames": ["own", "other"]}, 2, "get-account-authorization-details"),
    ({"PolicyVersion": {"Document": _policy(_allow("*")), "VersionId": "v1", "IsDefaultVersion": True}}, 1, '"arn"'),
    ({"UserName": "ana", "PolicyName": "own", "PolicyDocument": _policy(_allow("*"))}, 1, "account"),
    ({"UserName": "ana", "AccessKeyLastUsed": {"Region": "N/A", "ServiceName": "N/A"}}, 1, "the credential report"),
    ({"MFADevices": [{"UserName": "ana", "SerialNumber": f"{IAM}:mfa/ana"}]}, 1, "the credential report"),
    ({"PolicyGroups": [], "PolicyUsers": [{"UserName": "ana", "UserId": "AIDA1"}], "PolicyRoles": []}, 1, "a policy"),
    ({"LoginProfile": {"UserName": "ana", "CreateDate": "2026-01-01T00:00:00Z"}}, 1, "the credential report"),
    ({"PolicyNames": []}, 1, "get-account-authorization-details"),
])
def test_an_answer_that_does_not_say_whose_it_is_is_set_aside_with_what_would_do(
    answer: dict[str, Any], count: int, said: str,
) -> None:
    found = Loaded(answer)
    assert found.source == "aws_iam"
    assert {fault.reason for fault in found.faults} == {"out_of_scope"}
    assert [fault.position for fault in found.faults] == list(range(count))
    assert all(said in fault.detail and fault.disposition == "rejected" for fault in found.faults)
    assert (found.ids, all(frame.is_empty() for frame in found.frames.values())) == ([], True)


def test_what_else_stands_beside_such_a_key_is_nobodys() -> None:
    assert recognise(member({"PolicyNames": ["a"], "rules": []}).sample) is None


def test_users_of_another_directory_are_not_those_of_iam() -> None:
    found = recognise(member({"Users": [{"UserName": "ana", "UserId": "u-1", "Arn": "arn:aws:other::1:user/a"}]}).sample)
    assert found is None or found[0] != "aws_iam"
