"""Identity Center: people and groups by id, and what they hold where. Synthetic."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from lineage_analytics.workspace import Store, load, open_estate
from tests._documents import Loaded

if TYPE_CHECKING:
    from pathlib import Path

STORE, ACCOUNT = "d-1234567890", "111122223333"
ANA, OPS = "94482488-3041-7005-a8cf-000000000001", "94482488-3041-7005-a8cf-000000000002"
SET = "arn:aws:sso:::permissionSet/ssoins-1234567890abcdef/ps-1234567890abcdef"
USERS = {"Users": [
    {"UserName": "Ana@northwind.example", "UserId": ANA, "IdentityStoreId": STORE, "DisplayName": "Ana Lund",
     "Name": {"FamilyName": "Lund", "GivenName": "Ana"}, "UserStatus": "ENABLED",
     "Emails": [{"Value": "Ana.Lund@northwind.example", "Type": "work", "Primary": True}],
     "PhoneNumbers": [{"Value": "+47 555 0100"}], "ExternalIds": [{"Issuer": "scim", "Id": "x-1"}]},
    {"UserName": "bo", "UserId": ANA[:-1] + "3", "IdentityStoreId": STORE}]}
GROUPS = {"Groups": [{"GroupId": OPS, "DisplayName": "ops", "Description": "on call", "IdentityStoreId": STORE}]}
MEMBERS = {"GroupMemberships": [{"IdentityStoreId": STORE, "MembershipId": "m-1", "GroupId": OPS,
                                 "MemberId": {"UserId": ANA}}]}
ASSIGNMENTS = {"AccountAssignments": [
    {"AccountId": ACCOUNT, "PermissionSetArn": SET, "PrincipalType": "GROUP", "PrincipalId": OPS},
    {"AccountId": ACCOUNT, "PermissionSetArn": SET, "PrincipalType": "USER", "PrincipalId": ANA}]}
DESCRIBED = {"PermissionSet": {"Name": "Operators", "PermissionSetArn": SET, "Description": "x",
                               "CreatedDate": "2026-01-01T00:00:00Z", "SessionDuration": "PT8H"}}
POLICIES = {"PermissionSetArn": SET, "AttachedManagedPolicies": [
    {"Name": "ReadOnlyAccess", "Arn": "arn:aws:iam::aws:policy/ReadOnlyAccess"}]}
INSTANCES = {"Instances": [{"InstanceArn": "arn:aws:sso:::instance/ssoins-1234567890abcdef", "OwnerAccountId": ACCOUNT,
                            "IdentityStoreId": STORE, "Status": "ACTIVE"}]}
CONTRACT_FILES = {name: json.dumps(value).encode() for name, value in {
    "users": USERS, "groups": GROUPS, "memberships": MEMBERS, "assignments": ASSIGNMENTS, "described": DESCRIBED,
    "sets": {"PermissionSets": [SET]}, "policies": POLICIES, "instances": INSTANCES}.items()}


def _shapes(page: dict[str, Any], key: str) -> dict[str, bytes]:
    one, *more = page[key]
    return {
        "page": json.dumps(page).encode(), "pretty": json.dumps(page, indent=1).encode(),
        "entries": json.dumps(page[key]).encode(), "lines": b"\n".join(json.dumps(e).encode() for e in page[key]),
        "pages": json.dumps({key: [one]}).encode() + json.dumps({key: more, "NextToken": None}).encode(),
        "pages on lines": b"\n".join(json.dumps({key: [e]}).encode() for e in page[key]),
        "lower case": json.dumps({key.lower(): [{k.lower(): v for k, v in e.items()} for e in page[key]]}).encode(),
    }


CASES = [pytest.param(key, data, id=f"{key} {shape}") for key, page in (("Users", USERS), ("AccountAssignments", ASSIGNMENTS))
         for shape, data in _shapes(page, key).items()]


@pytest.mark.parametrize(("key", "data"), CASES)
def test_every_packing_gives_the_same_entries(key: str, data: bytes) -> None:
    found, plain = Loaded(data), Loaded(_shapes(USERS if key == "Users" else ASSIGNMENTS, key)["page"])
    assert (found.source, found.faults, len(found.ids)) == ("aws_identity_center", [], 2)
    for table in ("identity_facts", "entitlements"):
        columns = [column for column in found[table].columns if column not in ("raw_ref", "record_id")]
        assert found.rows(table, *columns) == plain.rows(table, *columns)


def test_a_user_is_listed_by_id_with_the_names_it_signs_in_by() -> None:
    [row] = [row for row in Loaded(USERS)["identity_facts"].to_dicts() if row["display_name"] == "Ana Lund"]
    assert (row["id"], row["kind"], row["basis"], row["enabled"]) == (f"aws:{STORE}:{ANA}", "human", "inventory", True)
    assert {(alt["kind"], alt["value"]) for alt in row["alt_ids"]} == {
        ("object_id", ANA), ("login", "ana@northwind.example"), ("email", "ana.lund@northwind.example")}
    assert "555 0100" not in str(Loaded(USERS)["identity_facts"].rows())


def test_a_user_without_a_status_is_neither_enabled_nor_disabled() -> None:
    assert Loaded(USERS).rows("identity_facts", "display_name", "enabled") == [("Ana Lund", True), ("bo", None)]


def test_an_assignment_is_the_permission_set_over_the_account() -> None:
    assert Loaded(ASSIGNMENTS).rows("entitlements", "principal_id", "grant_kind", "privilege", "scope", "state") == [
        (f"aws::{ANA}", "role", SET, f"aws:{ACCOUNT}:account", "standing"),
        (f"aws::{OPS}", "role", SET, f"aws:{ACCOUNT}:account", "standing")]
    assert Loaded(ASSIGNMENTS).rows("identity_facts", "id", "kind", "basis") == [
        (f"aws::{ANA}", "human", "seen"), (f"aws::{OPS}", "group", "seen")]


def test_a_membership_is_of_the_user_in_the_group() -> None:
    assert Loaded(MEMBERS).rows("entitlements", "principal_id", "grant_kind", "scope", "grant_id") == [
        (f"aws:{STORE}:{ANA}", "membership", f"aws:{STORE}:{OPS}", "m-1")]


def test_permission_sets_are_known_by_arn_and_their_policies_only_where_the_file_says_whose_they_are() -> None:
    found = Loaded("\n".join(json.dumps(one) for one in ({"PermissionSets": [SET]}, DESCRIBED, POLICIES)))
    assert found.rows("resources", "id", "kind", "display_name") == [
        (f"aws:ssoins-1234567890abcdef:{SET}", "permission_set", "Operators"),
        (f"aws:ssoins-1234567890abcdef:{SET}", "permission_set", None)]
    assert [json.loads(text)["policies"] for text in found["resources"]["attributes"].drop_nulls()
            if "policies" in json.loads(text)] == [["arn:aws:iam::aws:policy/ReadOnlyAccess"]]


def test_the_principal_of_an_assignment_is_the_user_of_the_directory(tmp_path: Path) -> None:
    for name, page in (("users", USERS), ("assignments", ASSIGNMENTS), ("groups", GROUPS)):
        (tmp_path / f"{name}.json").write_text(json.dumps(page))
    load([tmp_path], Store.create(tmp_path / "w"))
    estate = open_estate(tmp_path / "w", as_of="2026-06-30")
    assert sorted(estate.frame("identities")["id"]) == [f"aws:{STORE}:{key}" for key in (ANA, OPS, ANA[:-1] + "3")]
    holders = set(estate.frame("entitlements")["principal_id"])
    assert holders == {f"aws:{STORE}:{ANA}", f"aws:{STORE}:{OPS}"}


def test_a_cut_list_keeps_its_whole_entries() -> None:
    found = Loaded(json.dumps(ASSIGNMENTS)[:-20])
    assert (len(found.ids), [fault.reason for fault in found.faults], found.truncated) == (1, ["truncated"], True)


def test_an_entry_that_names_nobody_is_set_aside() -> None:
    found = Loaded({"AccountAssignments": [*ASSIGNMENTS["AccountAssignments"], {"AccountId": ACCOUNT}]})
    assert (len(found.ids), [fault.reason for fault in found.faults]) == (2, ["incomplete"])


@pytest.mark.parametrize(("page", "key", "table"), [
    (USERS, "Users", "identity_facts"), (GROUPS, "Groups", "identity_facts"), (MEMBERS, "GroupMemberships", "entitlements"),
    (ASSIGNMENTS, "AccountAssignments", "entitlements"), (INSTANCES, "Instances", "resources")])
def test_keys_nobody_knows_stay_with_their_entry(page: dict[str, Any], key: str, table: str) -> None:
    found = Loaded({key: [{**page[key][0], "RiskScore": 7}]})
    assert found[table]["unmapped"].drop_nulls().to_list() == ['{"riskscore":7}']
