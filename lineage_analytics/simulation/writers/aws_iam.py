"""IAM: account authorization details, paged in two files, and the credential report."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from lineage_analytics.simulation.model import AWS_ACCOUNT, World
from lineage_analytics.simulation.writers.files import as_csv, as_json, put

if TYPE_CHECKING:
    from pathlib import Path

    from lineage_analytics.simulation.model import Group, Key, Policy, Principal

_COLUMNS = (
    "user", "arn", "user_creation_time", "password_enabled", "password_last_used", "password_last_changed",
    "password_next_rotation", "mfa_active", "access_key_1_active", "access_key_1_last_rotated",
    "access_key_1_last_used_date", "access_key_1_last_used_region", "access_key_1_last_used_service",
    "access_key_2_active", "access_key_2_last_rotated", "access_key_2_last_used_date",
    "access_key_2_last_used_region", "access_key_2_last_used_service", "cert_1_active", "cert_1_last_rotated",
    "cert_2_active", "cert_2_last_rotated",
)


def write(directory: Path, world: World) -> None:
    listed = [p for p in world.principals if p.inventoried]
    users = [_user(p) for p in listed if not p.is_role]
    roles = [_role(p) for p in listed if p.is_role]
    half = len(roles) // 2
    groups = [_group(g) for g in world.groups]
    policies = [_policy(p, listed) for p in world.policies.values() if p.readable]
    put(directory / "account-authorization-details-1.json.gz", as_json(
        {"UserDetailList": users, "GroupDetailList": groups, "RoleDetailList": roles[:half], "Policies": [],
         "IsTruncated": True}))
    put(directory / "account-authorization-details-2.json.gz", as_json(
        {"UserDetailList": [], "GroupDetailList": [], "RoleDetailList": roles[half:], "Policies": policies,
         "IsTruncated": False}))
    rows = [_root(), *(_report(p) for p in listed if not p.is_role and p.in_report)]
    put(directory / "credential-report.csv.gz", as_csv(_COLUMNS, rows))


def _offset(time: datetime) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S+00:00")


def _common(who: Principal) -> dict[str, Any]:
    body: dict[str, Any] = {
        "Path": who.path, "CreateDate": _offset(who.created), "Arn": who.arn,
        "AttachedManagedPolicies": [{"PolicyName": p.name, "PolicyArn": p.arn} for p in who.policies if p.arn],
    }
    if who.boundary is not None:
        body["PermissionsBoundary"] = {"PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": who.boundary.arn}
    if who.tags:
        body["Tags"] = [{"Key": key, "Value": value} for key, value in sorted(who.tags.items())]
    return body


def _inline(policies: list[Policy]) -> list[dict[str, Any]]:
    return [{"PolicyName": p.name, "PolicyDocument": p.document()} for p in policies if not p.arn]


def _user(who: Principal) -> dict[str, Any]:
    body = {"UserName": who.name, "UserId": who.native_id} | _common(who)
    body["GroupList"] = [g.name for g in who.groups]
    if _inline(who.policies):
        body["UserPolicyList"] = _inline(who.policies)
    return body


def _role(who: Principal) -> dict[str, Any]:
    body = {"RoleName": who.name, "RoleId": who.native_id} | _common(who)
    body |= {
        "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": who.trust},
        "InstanceProfileList": [], "RolePolicyList": _inline(who.policies),
        "RoleLastUsed": {"LastUsedDate": _offset(who.stated_use), "Region": "eu-west-1"} if who.stated_use else {},
    }
    return body


def _group(group: Group) -> dict[str, Any]:
    return {
        "Path": "/", "GroupName": group.name, "GroupId": group.group_id, "Arn": group.arn,
        "CreateDate": _offset(group.created), "GroupPolicyList": [],
        "AttachedManagedPolicies": [{"PolicyName": p.name, "PolicyArn": p.arn} for p in group.policies],
    }


def _policy(policy: Policy, listed: list[Principal]) -> dict[str, Any]:
    return {
        "PolicyName": policy.name, "PolicyId": policy.policy_id, "Arn": policy.arn, "Path": "/",
        "DefaultVersionId": "v2", "AttachmentCount": sum(policy in p.policies for p in listed),
        "PermissionsBoundaryUsageCount": sum(policy is p.boundary for p in listed), "IsAttachable": True,
        "CreateDate": _offset(policy.created), "UpdateDate": _offset(policy.created),
        "PolicyVersionList": [
            {"Document": policy.document(), "VersionId": "v2", "IsDefaultVersion": True,
             "CreateDate": _offset(policy.created)},
            {"Document": {"Version": "2012-10-17", "Statement": [
                {"Effect": "Allow", "Action": "support:*", "Resource": "*"}]},
             "VersionId": "v1", "IsDefaultVersion": False, "CreateDate": _offset(policy.created)},
        ],
    }


def _root() -> list[str]:
    created = _offset(datetime(2021, 2, 3, 8, 30, tzinfo=UTC))
    return ["<root_account>", f"arn:aws:iam::{AWS_ACCOUNT}:root", created, "not_supported", "no_information",
            "not_supported", "not_supported", "true", "false", "N/A", "N/A", "N/A", "N/A",
            "false", "N/A", "N/A", "N/A", "N/A", "false", "N/A", "false", "N/A"]


def _report(who: Principal) -> list[str]:
    row = [who.name, who.arn, _offset(who.created)]
    if who.password is None:
        row += ["false", "N/A", "N/A", "N/A", "false"]
    else:
        used = _offset(who.password.last_used) if who.password.last_used else "no_information"
        row += ["true", used, _offset(who.password.created) if who.password.created else "N/A", "N/A", "true"]
    for place in (0, 1):
        row += _key(who.keys[place] if place < len(who.keys) else None)
    return [*row, "false", "N/A", "false", "N/A"]


def _key(key: Key | None) -> list[str]:
    if key is None:
        return ["false", "N/A", "N/A", "N/A", "N/A"]
    used = _offset(key.last_used) if key.last_used else "N/A"
    return ["true" if key.active else "false", _offset(key.created) if key.created else "N/A", used,
            "eu-west-1" if key.last_used else "N/A", "sts" if key.last_used else "N/A"]
