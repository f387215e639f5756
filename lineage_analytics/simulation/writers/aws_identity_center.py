"""Identity Center as the command line prints it: users in pages that overlap, groups, members, sets, assignments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lineage_analytics.simulation.model import AWS_ACCOUNT
from lineage_analytics.simulation.writers.files import as_json, pretty, put, zulu

if TYPE_CHECKING:
    from pathlib import Path

    from lineage_analytics.simulation.chapters._aws_center import Center, PermissionSet
    from lineage_analytics.simulation.model import Account, World

Row = dict[str, Any]
_PAGE, _OVERLAP = 100, 2


def write(directory: Path, world: World) -> int:
    """All lists; the number of distinct entries."""
    center: Center | None = world.cast.get("aws_center")
    if center is None:
        return 0
    instance = f"arn:aws:sso:::instance/{center.instance}"
    put(directory / "list-instances.json", pretty({"Instances": [{
        "InstanceArn": instance, "IdentityStoreId": center.store, "OwnerAccountId": AWS_ACCOUNT,
        "Name": "northwind-synthetic", "CreatedDate": "2023-02-01T08:00:00Z", "Status": "ACTIVE"}]}))
    users = [_user(center, user) for user in center.users.values()]
    starts = range(0, len(users), _PAGE)
    for number, start in enumerate(starts, 1):
        page: Row = {"Users": users[max(start - _OVERLAP, 0):start + _PAGE]}
        put(directory / f"list-users-{number}.json.gz", as_json(
            page | ({"NextToken": f"synthetic-{number}"} if number < len(starts) else {})))
    put(directory / "list-groups.json", pretty({"Groups": [
        {"GroupId": group.native_id, "DisplayName": group.name, "Description": "Synthetic group",
         "IdentityStoreId": center.store} for group in center.groups.values()]}))
    for name, group in center.groups.items():
        put(directory / f"list-group-memberships-{name}.json.gz", as_json({"GroupMemberships": [
            {"IdentityStoreId": center.store, "MembershipId": _membership(group, user), "GroupId": group.native_id,
             "MemberId": {"UserId": user.native_id}} for of, user in center.members if of is group]}))
    for held in center.sets:
        put(directory / f"describe-permission-set-{held.name}.json", pretty({"PermissionSet": _set(held)}))
        put(directory / f"list-account-assignments-{held.name}.json", pretty({"AccountAssignments": [
            {"AccountId": AWS_ACCOUNT, "PermissionSetArn": held.arn, "PrincipalId": who.native_id,
             "PrincipalType": "GROUP" if who.kind == "group" else "USER"}
            for of, who in center.assigned if of is held]}))
        put(directory / f"policies-in-permission-set-{held.name}.json", pretty(_policies(held)))
    put(directory / "again" / "users.ndjson.gz", b"".join(as_json(user) + b"\n" for user in users[:20]))
    return (1 + len(users) + len(center.groups) + len(center.members) + 2 * len(center.sets) + len(center.assigned))


def _user(center: Center, user: Account) -> Row:
    assert user.person is not None  # noqa: S101  (narrows the type)
    given, _, family = user.person.name.partition(" ")
    return {
        "UserName": user.name, "UserId": user.native_id, "IdentityStoreId": center.store,
        "Name": {"FamilyName": family, "GivenName": given}, "DisplayName": user.person.name, "UserStatus": "ENABLED",
        "Emails": [{"Value": user.name, "Type": "work", "Primary": True}],
    }


def _membership(group: Account, user: Account) -> str:
    """An id of its own, made of both."""
    return group.native_id[:18] + user.native_id[18:]


def _set(held: PermissionSet) -> Row:
    return {"Name": held.name, "PermissionSetArn": held.arn, "Description": "Synthetic permission set",
            "CreatedDate": zulu(held.created), "SessionDuration": "PT8H"}


def _policies(held: PermissionSet) -> Row:
    """Its policy: one of AWS by ARN, one of the account by name."""
    [policy] = held.role.policies
    of_aws = ":aws:policy/" in policy.arn
    return {
        "PermissionSetArn": held.arn,
        "AttachedManagedPolicies": [{"Name": policy.name, "Arn": policy.arn}] if of_aws else [],
        "CustomerManagedPolicyReferences": [] if of_aws else [{"Name": policy.name, "Path": "/"}]}
