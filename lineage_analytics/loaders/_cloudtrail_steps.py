"""Identity changes in CloudTrail as decision steps (sources 2.6, decision-lineage 3 and 9)."""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import unquote

import msgspec
import polars as pl

from lineage_analytics import tables
from lineage_analytics.loaders._cloudtrail_cases import PARTS, cells
from lineage_analytics.loaders._cloudtrail_keys import quoted, stated_keys
from lineage_analytics.loaders.common.ids import derived_ids
from lineage_analytics.loaders.common.sampling import decode_object

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lineage_analytics.loaders._cloudtrail_actor import Actor
    from lineage_analytics.loaders._cloudtrail_record import Record

IDENTITY_SOURCES = frozenset({
    "iam", "sso", "sso-directory", "identitystore", "organizations", "rolesanywhere", "verifiedpermissions",
    "access-analyzer",
})
"""Every call of these services that is not a read changes identities, access or the rules on it."""

OTHER_CHANGES = frozenset({
    "s3:PutBucketPolicy", "s3:DeleteBucketPolicy", "s3:PutBucketAcl", "s3:PutBucketPublicAccessBlock",
    "kms:CreateGrant", "kms:RevokeGrant", "kms:RetireGrant", "kms:PutKeyPolicy", "kms:EnableKey", "kms:DisableKey",
    "kms:ScheduleKeyDeletion", "kms:CancelKeyDeletion", "cloudtrail:StopLogging", "cloudtrail:StartLogging",
    "cloudtrail:DeleteTrail", "cloudtrail:UpdateTrail", "cloudtrail:PutEventSelectors",
    "secretsmanager:PutResourcePolicy", "secretsmanager:DeleteResourcePolicy", "ec2:ModifySnapshotAttribute",
    "ec2:ModifyImageAttribute", "ec2:AuthorizeSecurityGroupIngress", "ec2:RevokeSecurityGroupIngress",
    "ec2:AuthorizeSecurityGroupEgress", "ec2:RevokeSecurityGroupEgress", "rds:ModifyDBSnapshotAttribute",
    "sts:GetFederationToken", "ec2:AssociateIamInstanceProfile", "ec2:ReplaceIamInstanceProfileAssociation",
    "ec2:DisassociateIamInstanceProfile", "sns:AddPermission", "sqs:AddPermission",
    "eks:CreateAccessEntry", "eks:UpdateAccessEntry", "eks:DeleteAccessEntry", "eks:AssociateAccessPolicy",
    "eks:DisassociateAccessPolicy",
})
_NO_CHANGE = ("Get", "List", "Describe", "Generate", "Simulate", "Validate", "Check", "Search", "Lookup")
_DATED = re.compile(r"\d{8}(?:v\d)?$")  # older services name the version of their API: ``AddPermission20150331v2``
_LAMBDA_CHANGES = ("lambda:AddPermission", "lambda:RemovePermission")


class Effect(NamedTuple):
    """How to read one operation: the verb, the object, the parameter and the value that was set."""

    verb: str
    target: str
    parameter: str = ""
    value: str = ""


EFFECTS: dict[str, Effect] = {
    "iam:AttachRolePolicy": Effect("grant", "role/{roleName}", "{policyArn}"),
    "iam:DetachRolePolicy": Effect("revoke", "role/{roleName}", "{policyArn}"),
    "iam:AttachUserPolicy": Effect("grant", "user/{userName}", "{policyArn}"),
    "iam:DetachUserPolicy": Effect("revoke", "user/{userName}", "{policyArn}"),
    "iam:AttachGroupPolicy": Effect("grant", "group/{groupName}", "{policyArn}"),
    "iam:DetachGroupPolicy": Effect("revoke", "group/{groupName}", "{policyArn}"),
    "iam:PutRolePolicy": Effect("set", "role/{roleName}", "inline/{policyName}", "policyDocument"),
    "iam:DeleteRolePolicy": Effect("delete", "role/{roleName}", "inline/{policyName}"),
    "iam:PutUserPolicy": Effect("set", "user/{userName}", "inline/{policyName}", "policyDocument"),
    "iam:DeleteUserPolicy": Effect("delete", "user/{userName}", "inline/{policyName}"),
    "iam:PutGroupPolicy": Effect("set", "group/{groupName}", "inline/{policyName}", "policyDocument"),
    "iam:DeleteGroupPolicy": Effect("delete", "group/{groupName}", "inline/{policyName}"),
    "iam:AddUserToGroup": Effect("grant", "group/{groupName}", "user/{userName}"),
    "iam:RemoveUserFromGroup": Effect("revoke", "group/{groupName}", "user/{userName}"),
    "iam:CreateAccessKey": Effect("create", "user/{userName}", "{accessKeyId}"),
    "iam:DeleteAccessKey": Effect("delete", "user/{userName}", "{accessKeyId}"),
    "iam:UpdateAccessKey": Effect("set", "user/{userName}", "{accessKeyId}", "status"),
    "iam:CreateLoginProfile": Effect("create", "user/{userName}", "password"),
    "iam:DeleteLoginProfile": Effect("delete", "user/{userName}", "password"),
    "iam:UpdateLoginProfile": Effect("set", "user/{userName}", "password"),
    "iam:AddRoleToInstanceProfile": Effect("grant", "instance-profile/{instanceProfileName}", "role/{roleName}"),
    "iam:RemoveRoleFromInstanceProfile": Effect("revoke", "instance-profile/{instanceProfileName}", "role/{roleName}"),
    "iam:PutRolePermissionsBoundary": Effect("set", "role/{roleName}", "boundary", "permissionsBoundary"),
    "iam:DeleteRolePermissionsBoundary": Effect("delete", "role/{roleName}", "boundary"),
    "iam:PutUserPermissionsBoundary": Effect("set", "user/{userName}", "boundary", "permissionsBoundary"),
    "iam:DeleteUserPermissionsBoundary": Effect("delete", "user/{userName}", "boundary"),
    "iam:UpdateAssumeRolePolicy": Effect("set", "role/{roleName}", "trust", "policyDocument"),
    "iam:CreatePolicyVersion": Effect("set", "policy/{policyArn}", "", "policyDocument"),
    "iam:SetDefaultPolicyVersion": Effect("set", "policy/{policyArn}", "", "versionId"),
    "iam:CreatePolicy": Effect("create", "policy/{policyArn|arn}"),
    "iam:DeletePolicy": Effect("delete", "policy/{policyArn}"),
    "iam:CreateUser": Effect("create", "user/{userName}"),
    "iam:DeleteUser": Effect("delete", "user/{userName}"),
    "iam:CreateRole": Effect("create", "role/{roleName}"),
    "iam:DeleteRole": Effect("delete", "role/{roleName}"),
    "iam:CreateGroup": Effect("create", "group/{groupName}"),
    "iam:DeleteGroup": Effect("delete", "group/{groupName}"),
    "iam:CreateInstanceProfile": Effect("create", "instance-profile/{instanceProfileName}"),
    "iam:DeleteInstanceProfile": Effect("delete", "instance-profile/{instanceProfileName}"),
    "iam:EnableMFADevice": Effect("enable", "user/{userName}", "{serialNumber}"),
    "iam:DeactivateMFADevice": Effect("disable", "user/{userName}", "{serialNumber}"),
    "sso:CreateAccountAssignment": Effect("grant", "account/{targetId}", "{permissionSetArn}/{principalId}"),
    "sso:DeleteAccountAssignment": Effect("revoke", "account/{targetId}", "{permissionSetArn}/{principalId}"),
    "sso:AttachManagedPolicyToPermissionSet": Effect("grant", "{permissionSetArn}", "{managedPolicyArn}"),
    "sso:DetachManagedPolicyFromPermissionSet": Effect("revoke", "{permissionSetArn}", "{managedPolicyArn}"),
    "organizations:AttachPolicy": Effect("grant", "target/{targetId}", "{policyId}"),
    "organizations:DetachPolicy": Effect("revoke", "target/{targetId}", "{policyId}"),
    "kms:EnableKey": Effect("enable", "key/{keyId}"),
    "kms:DisableKey": Effect("disable", "key/{keyId}"),
    "kms:ScheduleKeyDeletion": Effect("delete", "key/{keyId}"),
    "kms:CancelKeyDeletion": Effect("enable", "key/{keyId}"),
    "kms:CreateGrant": Effect("grant", "key/{keyId}", "{grantId}"),
    "kms:RevokeGrant": Effect("revoke", "key/{keyId}", "{grantId}"),
    "kms:RetireGrant": Effect("revoke", "key/{keyId}", "{grantId}"),
    "s3:PutBucketPolicy": Effect("set", "bucket/{bucketName}", "policy", "bucketPolicy"),
    "s3:DeleteBucketPolicy": Effect("delete", "bucket/{bucketName}", "policy"),
    "lambda:AddPermission": Effect("grant", "functionName/{functionName}", "statement/{statementId}"),
    "lambda:RemovePermission": Effect("revoke", "functionName/{functionName}", "statement/{statementId}"),
    "eks:CreateAccessEntry": Effect("grant", "cluster/{name|clusterName}", "{principalArn}"),
    "eks:UpdateAccessEntry": Effect("set", "cluster/{name|clusterName}", "{principalArn}", "kubernetesGroups"),
    "eks:DeleteAccessEntry": Effect("revoke", "cluster/{name|clusterName}", "{principalArn}"),
    "eks:AssociateAccessPolicy": Effect("grant", "cluster/{name|clusterName}", "{principalArn}|{policyArn}"),
    "eks:DisassociateAccessPolicy": Effect("revoke", "cluster/{name|clusterName}", "{principalArn}|{policyArn}"),
    "cloudtrail:StopLogging": Effect("disable", "trail/{name}"),
    "cloudtrail:StartLogging": Effect("enable", "trail/{name}"),
    "ec2:AuthorizeSecurityGroupIngress": Effect("grant", "security-group/{groupId}", "ingress", "ipPermissions"),
    "ec2:RevokeSecurityGroupIngress": Effect("revoke", "security-group/{groupId}", "ingress", "ipPermissions"),
    "ec2:AuthorizeSecurityGroupEgress": Effect("grant", "security-group/{groupId}", "egress", "ipPermissions"),
    "ec2:RevokeSecurityGroupEgress": Effect("revoke", "security-group/{groupId}", "egress", "ipPermissions"),
}
_ANY_TARGET = ("roleName", "userName", "groupName", "policyArn", "instanceProfileName", "permissionSetArn", "keyId",
               "bucketName", "secretId", "functionName", "snapshotId", "imageId", "dBSnapshotIdentifier",
               "trailName", "profileId", "trustAnchorId", "name", "arn", "resourceArn", "targetId", "groupId")


class Change(NamedTuple):
    """One identity change with what its record says; ``position`` is its row in the chunk's columns."""

    position: int
    action: str
    actor: Actor
    record: Record


@lru_cache(maxsize=10_000)
def is_change(action: str, read_only: bool | None) -> bool:
    """Whether a call changes identities, access or the rules on it (or tried to), asks for that or decides on it."""
    service, _, name = action.partition(":")
    if action in OTHER_CHANGES or action in PARTS or action.startswith(_LAMBDA_CHANGES):
        return True
    return service in IDENTITY_SOURCES and read_only is not True and not name.startswith(_NO_CHANGE)


def steps(changes: Sequence[Change], provenance: pl.DataFrame) -> pl.DataFrame:
    """The DECISION_STEPS rows of the changes; ``provenance`` holds tenant, record_id, raw_ref, time per change."""
    if not changes:
        return tables.DECISION_STEPS.empty()
    rows = list(map(_row, changes, provenance["tenant"]))
    schema = {name: dtype for name, dtype in tables.DECISION_STEPS.schema.items() if any(name in row for row in rows)}
    frame = pl.DataFrame(rows, schema=schema, orient="row")
    ids = derived_ids("step", ((record_id, "action") for record_id in provenance["record_id"]))
    return tables.conform(pl.concat([frame, provenance], how="horizontal").with_columns(pl.Series("step_id", ids)),
                          tables.DECISION_STEPS)


def _row(change: Change, tenant: str | None) -> dict[str, Any]:
    record, actor = change.record, change.actor
    request, response = decode_object(record.request) or {}, decode_object(record.response) or {}
    target, value, verb = _effect(change, request, response, tenant)
    failed = bool(record.error_code)
    actor_class, basis = _actor_class(change)
    row: dict[str, Any] = {
        "kind": "attempt" if failed else "action",
        "operation": change.action,
        "status": "failed" if failed else "succeeded",
        "initiator_id": actor.on_behalf_of,
        "actor_id": actor.id,
        "actor_class": actor_class,
        "actor_class_basis": basis,
        "on_behalf_of_id": actor.on_behalf_of,
        "via_assistant_id": actor.via_assistant,
        "authority_mode": _authority(actor, actor_class),
        "target_key": target,
        "effect_key": f"{verb}({target})" if target else None,
        "after_state": value,
        "correlation_id": record.request_id,
        "quoted_keys": quoted(actor.session, request),
        "stated_keys": stated_keys(record.request_id, actor.credential),
        "title": f"{change.action.partition(':')[2]} {(target or '').partition(':')[2].partition(':')[2]}".strip(),
        "event_id": record.event_id,
    }
    part = PARTS.get(change.action)
    if part is not None:
        said = cells(part, request, response, tenant)
        row |= {name: value for name, value in said.items() if value is not None or name.startswith("native_key")}
        row |= {"kind": "attempt", "verdict": None, "capacity": None} if failed else {}
        row["title"] = f"{change.action.partition(':')[2]} {(row['target_key'] or '').partition('/')[2]}".strip()
    return row


def _effect(change: Change, request: dict[str, Any], response: dict[str, Any],
            tenant: str | None) -> tuple[str | None, str | None, str]:
    """Target key, hash of the value that was set, and the verb."""
    effect = EFFECTS.get(change.action) or EFFECTS.get(_DATED.sub("", change.action))
    lookup = _Lookup(request, response, change.actor.name)
    if effect is None:
        name = next((key for key in _ANY_TARGET if lookup.stated(key)), None)
        return (f"aws:{tenant or ''}:{name}/{lookup[name]}" if name else None), None, "set"
    target = lookup.fill(effect.target)
    parameter = lookup.fill(effect.parameter) if effect.parameter else ""
    if target is None or parameter is None:
        return None, None, effect.verb
    key = f"aws:{tenant or ''}:{target}" + (f"|{parameter}" if parameter else "")
    return key, _state(lookup.value(effect.value)) if effect.value else None, effect.verb


class _Lookup:
    """A value by field name: from the request, then anywhere one or two levels down the response."""

    def __init__(self, request: dict[str, Any], response: dict[str, Any], caller: str | None) -> None:
        inner = [value for value in response.values() if isinstance(value, dict)]
        self._places: Sequence[dict[str, Any]] = (request, response, *inner)
        self._caller = caller
        self._lowered: Sequence[dict[str, Any]] | None = None

    def stated(self, name: str) -> str:
        """The value the record states, also under a key that a pipeline put in lower case; empty when none."""
        found = _text(self._places, name)
        if not found:
            if self._lowered is None:
                self._lowered = [{key.lower(): value for key, value in place.items()} for place in self._places]
            found = _text(self._lowered, name.lower())
        return found

    def value(self, name: str) -> object:
        """What the request sets, of any type; None when it does not state it."""
        request = self._places[0]
        return request[name] if name in request else request.get(name.lower())

    def __getitem__(self, name: str) -> str:
        """As ``stated``; a call that names no user is about its caller."""
        return self.stated(name) or (self._caller or "" if name == "userName" else "")

    def fill(self, template: str) -> str | None:
        """The template with ``{name}`` or ``{first|second}`` replaced; None when a value is missing."""
        filled = template
        while (start := filled.find("{")) >= 0:
            end = filled.index("}", start)
            value = next((found for name in filled[start + 1 : end].split("|") if (found := self[name])), "")
            if not value:
                return None
            value = unquote(value) if "%3A" in value else value  # what stood in the path of the call
            filled = filled[:start] + value.replace("{", "(").replace("}", ")") + filled[end + 1 :]
        return filled


def _text(places: Sequence[dict[str, Any]], name: str) -> str:
    return next((value for place in places if isinstance(value := place.get(name), str) and value), "")


def _state(value: object) -> str | None:
    """Hash of a value in canonical form, so that a restored document compares equal however it was written."""
    if value is None:
        return None
    document = decode_object(unquote(value).encode()) if isinstance(value, str) else value
    canonical = msgspec.json.encode(document if document is not None else value, order="sorted")
    return hashlib.sha256(canonical).hexdigest()


def _actor_class(change: Change) -> tuple[str, str]:
    """Class from type evidence in this record; the inventory may prove more later (decision-lineage 3.2)."""
    actor = change.actor
    if actor.kind == "human":
        return "human", actor.kind_basis
    if actor.kind in ("workload", "service_account"):
        return "workload", actor.kind_basis
    if str(change.record.from_console).lower() == "true":
        return "human", "the session's credentials came from the console"
    if "AWSReservedSSO_" in (actor.arn or ""):
        return "human", "a permission-set role, which only people assume"
    return "unknown", actor.kind_basis


def _authority(actor: Actor, actor_class: str) -> str:
    if actor.via_assistant:
        return "obo_user"
    if actor.session is not None:
        return "service_chain"
    return "self" if actor_class == "human" else "unknown"
