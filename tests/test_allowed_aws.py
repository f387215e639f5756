"""la.allowed on AWS: each row of the table is a decision worked out by hand from the IAM User Guide's evaluation logic."""

from __future__ import annotations

import hashlib
import json
from fnmatch import fnmatchcase
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

import lineage_analytics as la
from lineage_analytics.errors import LineageError
from lineage_analytics.permissions.aws.catalogue import catalogue
from lineage_analytics.permissions.decision import VERDICTS
from tests._trail import event

if TYPE_CHECKING:
    from pathlib import Path

    from lineage_analytics.workspace.estate import Estate

HOME, OTHER, MANAGEMENT, FREE = "111111111111", "222222222222", "999999999999", "333333333333"
Statement = dict[str, Any]


def allow(action: object, resource: object = "*", **more: object) -> Statement:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def deny(action: object, resource: object = "*", **more: object) -> Statement:
    return {"Effect": "Deny", "Action": action, "Resource": resource, **more}


IP = {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}
BUCKET, OBJECT = "arn:aws:s3:::ledger", "arn:aws:s3:::ledger/2026/june.csv"
# name: (its statements, statements of its boundary or None, action, resource, verdict)
CASES: dict[str, tuple[list[Statement], list[Statement] | None, str, str, str]] = {
    "nothing granted is denied": ([], None, "s3:GetObject", OBJECT, "denied"),
    "an allow allows": ([allow("s3:GetObject", f"{BUCKET}/*")], None, "s3:GetObject", OBJECT, "allowed"),
    "another action is denied": ([allow("s3:GetObject", f"{BUCKET}/*")], None, "s3:PutObject", OBJECT, "denied"),
    "another resource is denied": ([allow("s3:GetObject", "arn:aws:s3:::other/*")], None, "s3:GetObject", OBJECT, "denied"),
    "the bucket is not its objects": ([allow("s3:ListBucket", f"{BUCKET}/*")], None, "s3:ListBucket", BUCKET, "denied"),
    "action names have no case": ([allow("S3:getobject", OBJECT)], None, "s3:GetObject", OBJECT, "allowed"),
    "the question's case means nothing either": ([allow("s3:GetObject", OBJECT)], None, "S3:GETOBJECT", OBJECT, "allowed"),
    "resource names have case": ([allow("s3:GetObject", OBJECT.upper())], None, "s3:GetObject", OBJECT, "denied"),
    "a star inside an action": ([allow("s3:Get*", OBJECT)], None, "s3:GetObject", OBJECT, "allowed"),
    "a star across a service": ([allow("s3:*", OBJECT)], None, "s3:DeleteObject", OBJECT, "allowed"),
    "a question mark is one character": ([allow("s3:Get?bject", OBJECT)], None, "s3:GetObject", OBJECT, "allowed"),
    "a question mark is not two": ([allow("s3:Get?ject", OBJECT)], None, "s3:GetObject", OBJECT, "denied"),
    "a question mark in a resource": ([allow("s3:GetObject", "arn:aws:s3:::ledge?/*")], None, "s3:GetObject", OBJECT, "allowed"),
    "a star goes over slashes": ([allow("s3:GetObject", "arn:aws:s3:::ledger/*.csv")], None, "s3:GetObject", OBJECT, "allowed"),
    "deny beats allow": ([allow("*"), deny("s3:GetObject")], None, "s3:GetObject", OBJECT, "denied"),
    "deny all beside a star leaves nothing": ([allow("*"), deny("*")], None, "iam:CreateUser", "*", "denied"),
    "a deny elsewhere leaves this": ([allow("s3:*"), deny("s3:*", "arn:aws:s3:::other/*")], None, "s3:GetObject", OBJECT, "allowed"),
    "a deny of some of a pattern leaves it open": ([allow("s3:*"), deny("s3:*", OBJECT)], None, "s3:GetObject", f"{BUCKET}/*", "conditional"),
    "an allow of some of a pattern": ([allow("s3:GetObject", OBJECT)], None, "s3:GetObject", f"{BUCKET}/*", "conditional"),
    "NotAction grants all others": ([{"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}], None, "s3:GetObject", OBJECT, "allowed"),
    "NotAction grants not the named": ([{"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}], None, "iam:CreateUser", "*", "denied"),
    "deny NotAction denies all others": ([allow("*"), {"Effect": "Deny", "NotAction": "s3:*", "Resource": "*"}], None, "iam:CreateUser", "*", "denied"),
    "deny NotAction spares the named": ([allow("*"), {"Effect": "Deny", "NotAction": "s3:*", "Resource": "*"}], None, "s3:GetObject", OBJECT, "allowed"),
    "NotResource grants on all others": ([{"Effect": "Allow", "Action": "s3:*", "NotResource": "arn:aws:s3:::other/*"}], None, "s3:GetObject", OBJECT, "allowed"),
    "NotResource grants not on the named": ([{"Effect": "Allow", "Action": "s3:*", "NotResource": f"{BUCKET}/*"}], None, "s3:GetObject", OBJECT, "denied"),
    "a condition is kept": ([allow("s3:GetObject", Condition=IP)], None, "s3:GetObject", OBJECT, "conditional"),
    "a condition beside a plain allow": ([allow("s3:GetObject", Condition=IP), allow("s3:GetObject")], None, "s3:GetObject", OBJECT, "allowed"),
    "a deny under a condition may hold": ([allow("s3:*"), deny("s3:*", Condition=IP)], None, "s3:GetObject", OBJECT, "conditional"),
    "a deny without condition beats one with": ([allow("s3:*"), deny("s3:*", Condition=IP), deny("s3:Get*")], None, "s3:GetObject", OBJECT, "denied"),
    "an empty condition is none": ([allow("s3:GetObject", Condition={})], None, "s3:GetObject", OBJECT, "allowed"),
    "a boundary allows too": ([allow("s3:*")], [allow("s3:Get*")], "s3:GetObject", OBJECT, "allowed"),
    "a boundary without it denies": ([allow("s3:*")], [allow("s3:Get*")], "s3:PutObject", OBJECT, "denied"),
    "a boundary grants nothing": ([], [allow("*")], "s3:GetObject", OBJECT, "denied"),
    "a boundary may deny": ([allow("s3:*")], [allow("*"), deny("s3:*")], "s3:GetObject", OBJECT, "denied"),
    "a boundary on another resource": ([allow("s3:*")], [allow("s3:*", "arn:aws:s3:::other/*")], "s3:GetObject", OBJECT, "denied"),
    "a boundary under a condition": ([allow("s3:*")], [allow("s3:*", Condition=IP)], "s3:GetObject", OBJECT, "conditional"),
    "an action that knows no resource needs a star": ([allow("ec2:DescribeInstances", "arn:aws:ec2:*:*:instance/*")], None, "ec2:DescribeInstances", "*", "denied"),
    "an action that knows no resource by a star": ([allow("ec2:Describe*")], None, "ec2:DescribeInstances", "arn:aws:ec2:eu-west-1:111111111111:instance/i-1", "allowed"),
    "a variable that is not known": ([allow("s3:GetObject", "arn:aws:s3:::ledger/${aws:PrincipalTag/team}/*")], None, "s3:GetObject", OBJECT, "conditional"),
    "a role elsewhere needs its trust too": ([allow("sts:AssumeRole")], None, "sts:AssumeRole", f"arn:aws:iam::{OTHER}:role/unseen", "unknown"),
    "a role that trusts the account": ([allow("sts:AssumeRole")], None, "sts:AssumeRole", f"arn:aws:iam::{HOME}:role/trusts-account", "allowed"),
    "a role that trusts the account, without asking": ([], None, "sts:AssumeRole", f"arn:aws:iam::{HOME}:role/trusts-account", "denied"),
    "a role that trusts nobody here": ([allow("*")], None, "sts:AssumeRole", f"arn:aws:iam::{HOME}:role/trusts-ec2", "denied"),
    "a role that trusts under a condition": ([allow("sts:*")], None, "sts:AssumeRole", f"arn:aws:iam::{HOME}:role/trusts-with-mfa", "conditional"),
    "a role in another account that trusts this one": ([allow("sts:AssumeRole")], None, "sts:AssumeRole", f"arn:aws:iam::{OTHER}:role/trusts-home", "allowed"),
    "the same without an own allow": ([], None, "sts:AssumeRole", f"arn:aws:iam::{OTHER}:role/trusts-home", "denied"),
    "a key whose policy is not loaded": ([allow("kms:*")], None, "kms:Decrypt", f"arn:aws:kms:eu-west-1:{HOME}:key/unseen", "unknown"),
    "a key whose policy trusts the account": ([allow("kms:Decrypt")], None, "kms:Decrypt", f"arn:aws:kms:eu-west-1:{HOME}:key/shared", "allowed"),
    "the same key without an own allow": ([], None, "kms:Decrypt", f"arn:aws:kms:eu-west-1:{HOME}:key/shared", "denied"),
    "another account's function nobody listed": ([allow("lambda:*")], None, "lambda:InvokeFunction", f"arn:aws:lambda:eu-west-1:{OTHER}:function:unseen", "unknown"),
    "another account's function that lets this account in": ([allow("lambda:*")], None, "lambda:InvokeFunction", f"arn:aws:lambda:eu-west-1:{OTHER}:function:open", "allowed"),
    "the same function without an own allow": ([], None, "lambda:InvokeFunction", f"arn:aws:lambda:eu-west-1:{OTHER}:function:open", "denied"),
    "a bucket that denies everybody": ([allow("s3:*")], None, "s3:GetObject", "arn:aws:s3:::sealed/x", "denied"),
    "a bucket that denies all but one": ([allow("s3:*")], None, "s3:GetObject", "arn:aws:s3:::members/x", "denied"),
    "a bucket open to everybody": ([], None, "s3:GetObject", "arn:aws:s3:::open/x", "allowed"),
    "a bucket open to everybody, within a boundary": ([], [allow("ec2:*")], "s3:GetObject", "arn:aws:s3:::open/x", "denied"),
    "a bucket open under a condition": ([], None, "s3:GetObject", "arn:aws:s3:::office/x", "conditional"),
    "an action nobody knows": ([allow("*")], None, "s3:MakeCoffee", OBJECT, "unknown"),
    "a statement without effect spoils its policy": ([{"Action": "s3:*", "Resource": "*"}, allow("s3:*")], None, "s3:GetObject", OBJECT, "unknown"),
}


def _role(name: str, account: str, statements: list[Statement], trust: list[Statement], boundary: str | None) -> dict[str, Any]:
    found: dict[str, Any] = {
        "Path": "/", "RoleName": name, "RoleId": f"AROA{hashlib.sha256(f'{account}/{name}'.encode()).hexdigest()[:17].upper()}",
        "Arn": f"arn:aws:iam::{account}:role/{name}", "CreateDate": "2026-01-01T00:00:00Z",
        "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": trust}, "InstanceProfileList": [],
        "RolePolicyList": [{"PolicyName": "own", "PolicyDocument": {"Version": "2012-10-17", "Statement": statements}}]
        if statements else [], "AttachedManagedPolicies": [], "Tags": []}
    if boundary is not None:
        found["PermissionsBoundary"] = {"PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": boundary}
    return found


def _policy(name: str, statements: list[Statement], account: str = HOME) -> dict[str, Any]:
    return {"PolicyName": name, "PolicyId": f"ANPA{name}", "Arn": f"arn:aws:iam::{account}:policy/{name}", "Path": "/",
            "DefaultVersionId": "v1", "AttachmentCount": 0, "IsAttachable": True, "CreateDate": "2026-01-01T00:00:00Z",
            "PolicyVersionList": [{"VersionId": "v1", "IsDefaultVersion": True, "Document": {
                "Version": "2012-10-17", "Statement": statements}}]}


def _trust(principal: object, **more: object) -> list[Statement]:
    return [{"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole", **more}]


def _details(roles: list[dict[str, Any]], policies: list[dict[str, Any]], users: list[dict[str, Any]] | None = None,
             groups: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    return {"UserDetailList": users or [], "GroupDetailList": groups or [], "RoleDetailList": roles, "Policies": policies}


def _scp(name: str, statements: list[Statement] | None) -> dict[str, Any]:
    found: dict[str, Any] = {
        "Id": f"p-{name}", "Arn": f"arn:aws:organizations::{MANAGEMENT}:policy/o-1/service_control_policy/p-{name}",
        "Name": name, "Type": "SERVICE_CONTROL_POLICY", "AwsManaged": False}
    if statements is not None:
        found["Content"] = {"Version": "2012-10-17", "Statement": statements}
    return found


def _account(number: str, *policies: dict[str, Any]) -> dict[str, Any]:
    return {"Id": number, "Arn": f"arn:aws:organizations::{MANAGEMENT}:account/o-1/{number}", "Name": f"account {number}",
            "Status": "ACTIVE", "Policies": list(policies), "Type": "Account"}


def _on(resource: str, account: str, *statements: Statement) -> dict[str, Any]:
    return {"Resource": resource, "Policy": {"Version": "2012-10-17", "Statement": list(statements)}, "Account": account}


RESOURCES = [
    _on(f"arn:aws:kms:eu-west-1:{HOME}:key/shared", HOME, allow("kms:*", Principal={"AWS": f"arn:aws:iam::{HOME}:root"})),
    _on(f"arn:aws:lambda:eu-west-1:{OTHER}:function:open", OTHER,
        allow("lambda:InvokeFunction", Principal={"AWS": f"arn:aws:iam::{HOME}:root"})),
    _on("arn:aws:s3:::sealed", HOME, deny("s3:*", ["arn:aws:s3:::sealed", "arn:aws:s3:::sealed/*"], Principal="*")),
    _on("arn:aws:s3:::members", HOME, {"Effect": "Deny", "NotPrincipal": {"AWS": [f"arn:aws:iam::{HOME}:role/member"]},
                                       "Action": "s3:*", "Resource": "arn:aws:s3:::members/*"}),
    _on("arn:aws:s3:::open", HOME, allow("s3:GetObject", "arn:aws:s3:::open/*", Principal="*")),
    _on("arn:aws:s3:::office", HOME, allow("s3:GetObject", "arn:aws:s3:::office/*", Principal="*", Condition=IP)),
]


@pytest.fixture(scope="module")
def estate(tmp_path_factory: pytest.TempPathFactory) -> Estate:
    folder = tmp_path_factory.mktemp("allowed")
    roles, policies = [], []
    for number, (statements, boundary, *_) in enumerate(CASES.values()):
        limit = None
        if boundary is not None:
            policies.append(_policy(f"limit{number}", boundary))
            limit = policies[-1]["Arn"]
        roles.append(_role(f"case{number}", HOME, statements, _trust({"Service": "ec2.amazonaws.com"}), limit))
    roles += [
        _role("trusts-account", HOME, [], _trust({"AWS": f"arn:aws:iam::{HOME}:root"}), None),
        _role("trusts-ec2", HOME, [], _trust({"Service": "ec2.amazonaws.com"}), None),
        _role("trusts-with-mfa", HOME, [], _trust({"AWS": HOME}, Condition={"Bool": {"aws:MultiFactorAuthPresent": "true"}}), None),
        _role("member", HOME, [allow("s3:*")], _trust({"Service": "ec2.amazonaws.com"}), None),
        _role("named-by-trust", HOME, [], _trust({"AWS": f"arn:aws:iam::{HOME}:role/member"}), None),
    ]
    user = {"Path": "/", "UserName": "ana", "UserId": "AIDA00000000000000001", "Arn": f"arn:aws:iam::{HOME}:user/ana",
            "CreateDate": "2026-01-01T00:00:00Z", "GroupList": ["readers"], "AttachedManagedPolicies": [
                {"PolicyName": "gone", "PolicyArn": f"arn:aws:iam::{HOME}:policy/gone"}]}
    tidy = user | {"UserName": "bea", "UserId": "AIDA00000000000000002", "Arn": f"arn:aws:iam::{HOME}:user/bea",
                   "AttachedManagedPolicies": [], "UserPolicyList": [{"PolicyName": "home", "PolicyDocument": {
                       "Version": "2012-10-17", "Statement": [allow("s3:GetObject", "arn:aws:s3:::home/${aws:username}/*")]}}]}
    group = {"Path": "/", "GroupName": "readers", "GroupId": "AGPA00000000000000001", "CreateDate": "2026-01-01T00:00:00Z",
             "Arn": f"arn:aws:iam::{HOME}:group/readers", "AttachedManagedPolicies": [], "GroupPolicyList": [
                 {"PolicyName": "read", "PolicyDocument": {"Version": "2012-10-17", "Statement": [allow("s3:List*")]}}]}
    _write(folder / "home.json", _details(roles, policies, [user, tidy], [group]))
    _write(folder / "other.json", _details([_role("trusts-home", OTHER, [], _trust({"AWS": f"arn:aws:iam::{HOME}:root"}), None)], []))
    _write(folder / "resources.json", RESOURCES)
    for owner, name in ((FREE, "free"), (MANAGEMENT, "management"), ("444444444444", "fenced"), ("555555555555", "blank")):
        _write(folder / f"{name}.json", _details([_role("worker", owner, [allow("*")], _trust({"Service": "ec2.amazonaws.com"}), None)], []))
    everything = _scp("Full", [allow("*")])
    _write(folder / "organisation.json", {
        "Id": "r-1", "Arn": f"arn:aws:organizations::{MANAGEMENT}:root/o-1/r-1", "Name": "Root",
        "Policies": [everything, _scp("NoLeaving", [deny("organizations:LeaveOrganization")])],
        "Children": [
            _account(MANAGEMENT, everything),
            {"Id": "ou-1", "Arn": f"arn:aws:organizations::{MANAGEMENT}:ou/o-1/ou-1", "Name": "Fenced",
             "Policies": [_scp("OnlyStorage", [allow(["s3:*", "sts:*"])])], "Children": [
                 _account("444444444444", everything, _scp("Region", [deny("s3:*", Condition={
                     "StringNotEquals": {"aws:RequestedRegion": "eu-west-1"}})]))]},
            _account(FREE, everything), _account("555555555555", _scp("Lost", None))]})
    return la.read(folder)


def _write(path: Path, content: object) -> None:
    path.write_text(json.dumps(content))


@pytest.mark.parametrize("name", CASES)
def test_each_decision_worked_out_by_hand(estate: Estate, name: str) -> None:
    *_, action, resource, verdict = CASES[name]
    decision = la.allowed(estate, f"arn:aws:iam::{HOME}:role/case{list(CASES).index(name)}", action, resource)
    assert decision.verdict == verdict, decision
    assert decision.because


ORGANISATION = {
    "nothing above limits a free account": (FREE, "ec2:RunInstances", "allowed"),
    "the root's deny binds every account": (FREE, "organizations:LeaveOrganization", "denied"),
    "the management account is bound by none": (MANAGEMENT, "organizations:LeaveOrganization", "allowed"),
    "a unit that allows only storage": ("444444444444", "ec2:RunInstances", "denied"),
    "a deny under a condition at the account": ("444444444444", "s3:GetObject", "conditional"),
    "what no level denies": ("444444444444", "sts:GetCallerIdentity", "allowed"),
    "a policy whose text is not in the export": ("555555555555", "ec2:RunInstances", "unknown"),
}


@pytest.mark.parametrize("name", ORGANISATION)
def test_organisation_policies(estate: Estate, name: str) -> None:
    account, action, verdict = ORGANISATION[name]
    decision = la.allowed(estate, f"arn:aws:iam::{account}:role/worker", action, "*")
    assert decision.verdict == verdict, decision


def test_the_username_fills_its_variable_and_nobody_elses(estate: Estate) -> None:
    bea = f"arn:aws:iam::{HOME}:user/bea"
    assert la.allowed(estate, bea, "s3:GetObject", "arn:aws:s3:::home/bea/x").verdict == "allowed"
    assert la.allowed(estate, bea, "s3:GetObject", "arn:aws:s3:::home/ana/x").verdict == "denied"


def test_what_a_group_allows_its_members_may_and_the_reason_names_it(estate: Estate) -> None:
    decision = la.allowed(estate, "bea", "s3:ListBucket", BUCKET)
    assert decision.verdict == "allowed"
    assert any("held through group readers" in reason.says for reason in decision.because)
    assert all(reason.record_ids for reason in decision.because)


def test_an_attached_policy_that_is_missing_makes_unknown_and_is_named(estate: Estate) -> None:
    decision = la.allowed(estate, "ana", "ec2:RunInstances", "*")
    assert decision.verdict == "unknown"
    assert any(reason.effect == "missing" and "policy gone" in reason.says for reason in decision.because)


def test_a_boundary_whose_text_is_missing_makes_unknown(tmp_path: Path) -> None:
    lost = _role("lost", HOME, [allow("s3:*")], _trust({"Service": "ec2.amazonaws.com"}), f"arn:aws:iam::{HOME}:policy/lost")
    _write(tmp_path / "lost.json", _details([lost], []))
    decision = la.allowed(la.read(tmp_path), "lost", "s3:GetObject", OBJECT)
    assert decision.verdict == "unknown"
    assert any("boundary lost is set but missing" in reason.says for reason in decision.because)


def test_one_named_by_a_trust_policy_of_its_account_needs_no_allow_of_its_own(estate: Estate) -> None:
    decision = la.allowed(estate, f"arn:aws:iam::{HOME}:role/member", "sts:AssumeRole", f"arn:aws:iam::{HOME}:role/named-by-trust")
    assert decision.verdict == "allowed"


def test_not_principal_spares_the_one_it_names(estate: Estate) -> None:
    decision = la.allowed(estate, f"arn:aws:iam::{HOME}:role/member", "s3:GetObject", "arn:aws:s3:::members/x")
    assert decision.verdict == "allowed"


def test_the_condition_stands_in_the_reason(estate: Estate) -> None:
    name = "a condition is kept"
    decision = la.allowed(estate, f"arn:aws:iam::{HOME}:role/case{list(CASES).index(name)}", "s3:GetObject", OBJECT)
    assert [reason.effect for reason in decision.because] == ["condition"]
    assert "10.0.0.0/8" in decision.because[0].says


def test_who_nobody_knows_is_unknown_and_no_error(estate: Estate) -> None:
    decision = la.allowed(estate, f"arn:aws:iam::{HOME}:role/nobody", "s3:GetObject", OBJECT)
    assert decision.verdict == "unknown"
    assert "no inventory" in decision.because[0].says


def test_a_session_is_asked_about_as_its_role(estate: Estate) -> None:
    at = list(CASES).index("an allow allows")
    decision = la.allowed(estate, f"arn:aws:sts::{HOME}:assumed-role/case{at}/session", "s3:GetObject", OBJECT)
    assert decision.verdict == "allowed"


def test_a_session_may_do_what_its_role_and_the_policy_it_was_started_with_allow(tmp_path: Path) -> None:
    role = _role("wide", HOME, [allow("s3:*")], _trust({"AWS": HOME}), None)
    _write(tmp_path / "details.json", _details([role], []))
    session = f"arn:aws:sts::{HOME}:assumed-role/wide/narrow"
    _write(tmp_path / "trail.json", {"Records": [event(
        1, eventSource="sts.amazonaws.com", eventName="AssumeRole", recipientAccountId=HOME, requestParameters={
            "roleArn": role["Arn"], "roleSessionName": "narrow",
            "policy": json.dumps({"Statement": [allow("s3:Get*"), deny("s3:GetObjectAcl")]})},
        responseElements={"assumedRoleUser": {"arn": session, "assumedRoleId": f"{role['RoleId']}:narrow"}})]})
    estate = la.read(tmp_path)
    verdicts = {action: la.allowed(estate, session, f"s3:{action}", OBJECT).verdict
                for action in ("GetObject", "PutObject", "GetObjectAcl")}
    assert verdicts == {"GetObject": "allowed", "PutObject": "denied", "GetObjectAcl": "denied"}
    assert la.allowed(estate, role["Arn"], "s3:PutObject", OBJECT).verdict == "allowed"
    assert la.allowed(estate, session.replace("narrow", "other"), "s3:PutObject", OBJECT).verdict == "allowed"


def test_a_user_of_identity_center_may_what_the_role_of_its_set_may(tmp_path: Path) -> None:
    store, instance = "d-1234567890", "ssoins-1111111111111111"
    ana, team = "aaaaaaaa-0000-4000-8000-000000000001", "aaaaaaaa-0000-4000-8000-000000000002"
    arn = f"arn:aws:sso:::permissionSet/{instance}/ps-2222222222222222"
    _write(tmp_path / "users.json", {"Users": [{"UserName": "ana", "UserId": ana, "DisplayName": "Ana", "IdentityStoreId": store}]})
    _write(tmp_path / "groups.json", {"Groups": [{"GroupId": team, "DisplayName": "Keepers", "IdentityStoreId": store}]})
    _write(tmp_path / "members.json", {"GroupMemberships": [{
        "IdentityStoreId": store, "MembershipId": "m-1", "GroupId": team, "MemberId": {"UserId": ana}}]})
    _write(tmp_path / "set.json", {"PermissionSet": {"Name": "Keeper", "PermissionSetArn": arn, "CreatedDate": "2026-01-01T00:00:00Z"}})
    _write(tmp_path / "assignments.json", {"AccountAssignments": [
        {"AccountId": HOME, "PermissionSetArn": arn, "PrincipalType": "GROUP", "PrincipalId": team}]})
    role = _role("AWSReservedSSO_Keeper_0123456789abcdef", HOME, [allow("s3:Get*")], _trust({"Federated": "x"}), None)
    _write(tmp_path / "details.json", _details([role], []))
    estate = la.read(tmp_path)
    decision = la.allowed(estate, "ana", "s3:GetObject", OBJECT)
    assert decision.verdict == "allowed"
    assert decision.because[0].says.startswith(f"permission set Keeper over account {HOME}, through group Keepers: policy own allows")
    assert la.allowed(estate, "ana", "s3:PutObject", OBJECT).verdict == "denied"


def test_two_roles_that_an_export_gives_one_id_answer_each_for_itself(tmp_path: Path) -> None:
    wide = _role("wide", HOME, [allow("*")], _trust({"AWS": HOME}), None)
    narrow = _role("narrow", HOME, [allow("s3:Get*")], _trust({"AWS": HOME}), None) | {"RoleId": wide["RoleId"]}
    _write(tmp_path / "details.json", _details([wide, narrow], []))
    estate = la.read(tmp_path)
    verdicts = [la.allowed(estate, role["Arn"], "s3:PutObject", OBJECT).verdict for role in (wide, narrow)]
    assert verdicts == ["allowed", "denied"]
    assert la.allowed(estate, narrow["Arn"], "s3:GetObject", OBJECT).verdict == "allowed"
    assert la.allowed(estate, wide["Arn"], "sts:AssumeRole", narrow["Arn"]).verdict == "allowed"


def test_a_name_that_several_carry_is_refused_with_their_ids(estate: Estate) -> None:
    with pytest.raises(LineageError, match="4 carry that name"):
        la.allowed(estate, "worker", "s3:GetObject")


def test_an_empty_question_is_refused(estate: Estate) -> None:
    with pytest.raises(LineageError, match="Wanted a principal and an action"):
        la.allowed(estate, "", "s3:GetObject")


def test_every_verdict_is_in_the_table() -> None:
    assert {case[-1] for case in CASES.values()} == set(VERDICTS)


# What IAMSpy's own tests expect of its files: true for allowed, false for not. It knows no unknown: what another
# account's resource says where no policy of it is loaded, it takes for no, and it does not see the missing one.
IAMSPY = [
    ("role-boundary-no-policies", "role/name", "function:helloworld", False, "denied"),
    ("user-boundary-allow", "user/PermissionBoundaryAllow", "function:helloworld", True, "allowed"),
    ("user-boundary-deny", "user/name", "function:helloworld", False, "unknown"),
    ("role-boundary-deny", "role/name", "function:helloworld", False, "denied"),
    ("basic-deny", "role/name", "function:helloworld", False, "denied"),
    ("basic-allow", "role/name", "function:helloworld", True, "allowed"),
    ("basic-allow", "role/name", "111111111111:function:helloworld", False, "unknown"),
    ("basic-allow cross-account-rp", "role/name", "111111111111:function:helloworld", True, "allowed"),
    ("basic-allow scp-deny-lambda", "role/name", "function:helloworld", False, "denied"),
    ("basic-allow scp-deny-lambda2", "role/name", "function:helloworld", True, "allowed"),
    ("allow-testing-s3 resource-s3-deny-testing2", "111111111111:role/testing2", "s3", False, "denied"),
    ("allow-testing-s3 resource-s3-deny-testing2", "111111111111:role/testing", "s3", False, "denied"),
]


@pytest.mark.parametrize(("files", "who", "what", "can", "verdict"), IAMSPY)
def test_iamspy_cases_come_out_as_iamspy_has_them(
    shared_data: Path, files: str, who: str, what: str, can: bool, verdict: str
) -> None:
    folder = shared_data / "aws_iam" / "iamspy"
    found = la.read(*(folder / f"{name}.json" for name in files.split()))
    account, _, name = who.rpartition(":")
    principal = f"arn:aws:iam::{account or '123456789012'}:{name}"
    owner, _, function = what.partition(":function:")
    action, resource = ("s3:ListBucket", "arn:aws:s3:::bucket") if what == "s3" else (
        "lambda:InvokeFunction", f"arn:aws:lambda:eu-west-1:{owner if owner.isdigit() else '123456789012'}:function:"
        f"{function or 'helloworld'}")
    decision = la.allowed(found, principal, action, resource)
    assert decision.verdict == verdict, decision
    assert (decision.verdict == "allowed") == can


def _listed(said: Any) -> list[Any]:
    return said if isinstance(said, list) else [said]


def _covers(patterns: Any, text: str) -> bool:
    return any(fnmatchcase(text, pattern) for pattern in _listed(patterns))


def _plainly(policies: list[Any], action: str, resource: str) -> str | None:
    """The verdict of identity policies in plain Python; none where a variable stands in one."""
    said = [one for policy in policies for one in _listed(policy["Statement"])]
    effects = [(one["Effect"], bool(one.get("Condition"))) for one in said if (
        _covers([name.lower() for name in _listed(one["Action"])], action.lower()) if "Action" in one else
        not _covers([name.lower() for name in _listed(one["NotAction"])], action.lower())) and (
        _covers(one["Resource"], resource) if "Resource" in one else not _covers(one["NotResource"], resource))]
    if "${" in json.dumps(said):
        return None
    if ("Deny", False) in effects or not any(effect == "Allow" for effect, _ in effects):
        return "denied"
    return "conditional" if ("Allow", False) not in effects or ("Deny", True) in effects else "allowed"


@pytest.mark.parametrize("name", ["example-authz-details", "example_authz_details_for_overrides_complete"])
def test_a_drawn_sample_of_a_real_account_is_decided_as_plain_python_does(shared_data: Path, name: str) -> None:
    path = shared_data / "aws_iam" / "cloudsplaining" / f"{name}.json"
    account, draw = json.loads(path.read_text()), Random(5)  # noqa: S311  (a drawn sample, no secret)
    texts = {one["Arn"]: version["Document"] for one in account["Policies"] for version in one["PolicyVersionList"]
             if version["IsDefaultVersion"]}
    estate, compared = la.read(path, as_of="2026-06-30"), set()
    roles = [role for role in account["RoleDetailList"] if "PermissionsBoundary" not in role
             and all(held["PolicyArn"] in texts for held in role["AttachedManagedPolicies"])]
    for _ in range(150):
        role = draw.choice(roles)
        policies = [*(texts[held["PolicyArn"]] for held in role["AttachedManagedPolicies"]),
                    *(held["PolicyDocument"] for held in role["RolePolicyList"])]
        named = [action for policy in policies for one in _listed(policy["Statement"]) for pattern in
                 _listed(one.get("Action", "*")) for action in catalogue().actions(catalogue().mask(pattern))[:3]]
        action = draw.choice([*named, "s3:GetObject", "ec2:RunInstances"])
        resource = draw.choice(["arn:aws:s3:::ledger/june.csv", "arn:aws:s3:::ledger"])
        if action.startswith(("sts:", "kms:")):
            continue
        alone = catalogue().mask(action) & catalogue().resourceless
        wanted = _plainly(policies, action, "*" if alone else resource)
        if wanted is not None:
            assert la.allowed(estate, role["Arn"], action, resource).verdict == wanted, (role["RoleName"], action)
            compared.add(wanted)
    assert {"allowed", "denied"} <= compared
