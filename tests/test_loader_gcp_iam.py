"""The IAM inventory of Google Cloud. All records here are made up."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from tests._documents import Loaded
from tests.test_loader_gcp_audit import BOT as LOGGED_BOT
from tests.test_loader_gcp_audit import policy as logged_policy

Json = dict[str, Any]

PROJECT, CANARY = "shop-prod", "pineapple-canary-77"
BOT = f"deployer@{PROJECT}.iam.gserviceaccount.com"
ACCOUNT_NAME = f"projects/{PROJECT}/serviceAccounts/{BOT}"
OVER = f"cloudresourcemanager.googleapis.com/projects/{PROJECT}"

POLICY: Json = {"version": 3, "etag": "BwX=", "bindings": [
    {"role": "roles/editor", "members": [f"serviceAccount:{BOT}", "user:Ana@Shop.example", "allUsers"]},
    {"role": "roles/viewer", "members": [f"deleted:serviceAccount:{BOT}?uid=987", "group:cooks@shop.example"],
     "condition": {"expression": 'request.time < timestamp("2026-04-01T00:00:00Z")', "title": "spring",
                   "description": CANARY}}]}
ACCOUNT: Json = {"name": ACCOUNT_NAME, "email": BOT, "uniqueId": "111222333", "displayName": "Deployer",
                 "projectId": PROJECT, "etag": "x", "oauth2ClientId": "111222333", "description": CANARY}
KEY: Json = {"name": f"{ACCOUNT_NAME}/keys/0123abcd", "keyType": "USER_MANAGED", "keyOrigin": "GOOGLE_PROVIDED",
             "validAfterTime": "2025-01-01T00:00:00Z", "validBeforeTime": "9999-12-31T23:59:59Z"}
SYSTEM_KEY = KEY | {"name": f"{ACCOUNT_NAME}/keys/ffff", "keyType": "SYSTEM_MANAGED"}
ROLE: Json = {"name": f"projects/{PROJECT}/roles/oven", "title": "Oven", "stage": "GA", "etag": "y", "description": CANARY,
              "includedPermissions": ["storage.objects.get", "storage.objects.list"]}
PERIOD = {"startTime": "2025-12-01T08:00:00Z", "endTime": "2026-03-01T08:00:00Z"}
LAST: Json = {"activityType": "serviceAccountLastAuthentication", "fullResourceName": f"//iam.googleapis.com/{ACCOUNT_NAME}",
              "observationPeriod": PERIOD, "activity": {
                  "lastAuthenticatedTime": "2026-02-20T08:00:00Z", "serviceAccount": {
                      "serviceAccountId": "111222333", "projectNumber": "42",
                      "fullResourceName": f"//iam.googleapis.com/{ACCOUNT_NAME}"}}}
LAST_KEY: Json = {"activityType": "serviceAccountKeyLastAuthentication", "observationPeriod": PERIOD,
                  "fullResourceName": f"//iam.googleapis.com/{ACCOUNT_NAME}/keys/0123abcd",
                  "activity": {"lastAuthenticatedTime": "2026-02-21T08:00:00Z"}}
DENY: Json = {"name": f"policies/cloudresourcemanager.googleapis.com%2Fprojects%2F{PROJECT}/denypolicies/no-keys",
              "kind": "DenyPolicy", "etag": "z", "rules": [{"denyRule": {
                  "deniedPrincipals": ["principalSet://goog/public:all", "principal://goog/subject/bo@shop.example"],
                  "exceptionPrincipals": ["principalSet://goog/group/keepers@shop.example"],
                  "deniedPermissions": ["iam.googleapis.com/serviceAccountKeys.create"]}}]}
SEARCHED: Json = {"resource": f"//{OVER}", "assetType": "cloudresourcemanager.googleapis.com/Project",
                  "project": "projects/42", "organization": "organizations/1", "policy": POLICY}
EXPORTED: Json = {"name": f"//{OVER}", "asset_type": "cloudresourcemanager.googleapis.com/Project",
                  "iam_policy": POLICY, "ancestors": ["projects/42", "organizations/1"],
                  "update_time": "2026-02-01T00:00:00Z"}
ASSET: Json = {"name": f"//iam.googleapis.com/{ACCOUNT_NAME}", "assetType": "iam.googleapis.com/ServiceAccount",
               "resource": {"version": "v1", "data": ACCOUNT}}
DISK: Json = {"name": "//compute.googleapis.com/x", "assetType": "compute.googleapis.com/Disk",
              "resource": {"data": {"sizeGb": "10"}}}
MINE: Json = {"projectId": PROJECT, "projectNumber": "42", "name": "Shop", "lifecycleState": "ACTIVE",
              "parent": {"type": "folder", "id": "7"}}


BINDING: Json = {"role": "roles/editor", "members": ["group:cooks@shop.example", f"serviceAccount:{BOT}"]}
ANALYSED: Json = {
    "attachedResourceFullName": f"//{OVER}", "iamBinding": BINDING, "fullyExplored": True,
    "accessControlLists": [{"resources": [{"fullResourceName": f"//{OVER}"}], "accesses": [{"role": "roles/editor"}]}],
    "identityList": {"identities": [{"name": "group:cooks@shop.example"}, {"name": "user:bo@shop.example"}],
                     "groupEdges": [{"sourceNode": "group:cooks@shop.example", "targetNode": "user:bo@shop.example"}]}}
ANSWER: Json = {"fullyExplored": True, "mainAnalysis": {"analysisQuery": {"scope": "organizations/1"},
                                                        "analysisResults": [ANALYSED], "fullyExplored": True},
                "serviceAccountImpersonationAnalysis": [{"analysisResults": [ANALYSED | {
                    "attachedResourceFullName": f"//iam.googleapis.com/{ACCOUNT_NAME}"}]}]}
SHOWN: Json = {"ACLs": [{"identities": ["group:cooks@shop.example"], "resources": [f"//{OVER}"]}],
               "policy": {"attachedResource": f"//{OVER}", "binding": BINDING}}


def in_yaml(*documents: object) -> bytes:
    text: str = yaml.safe_dump_all(documents, explicit_start=len(documents) > 1)
    return text.encode()


def lines(records: list[Json]) -> bytes:
    return "\n".join(map(json.dumps, records)).encode()


ALL = [SEARCHED, ACCOUNT, KEY, ROLE, LAST, LAST_KEY, DENY, MINE]
CONTRACT_FILES: dict[str, bytes] = {
    "policy": json.dumps(POLICY, indent=1).encode(), "searched": json.dumps([SEARCHED]).encode(),
    "results": json.dumps({"results": [SEARCHED]}).encode(), "exported": lines([EXPORTED, EXPORTED | {"name": "//x.y/z"}]),
    "ancestors": json.dumps([{"id": PROJECT, "policy": POLICY, "type": "project"}]).encode(),
    "accounts": json.dumps([ACCOUNT]).encode(), "accounts_page": json.dumps({"accounts": [ACCOUNT]}).encode(),
    "keys": json.dumps([KEY]).encode(), "keys_page": json.dumps({"keys": [KEY]}).encode(),
    "roles": json.dumps([ROLE]).encode(), "role": json.dumps(ROLE).encode(),
    "activities": json.dumps({"activities": [LAST, LAST_KEY]}).encode(), "deny": json.dumps(DENY).encode(),
    "assets": json.dumps({"readTime": "2026-03-01T00:00:00Z", "assets": [ASSET, DISK]}).encode(),
    "projects": json.dumps([MINE]).encode(), "mixed": lines(ALL), "analysis": json.dumps(ANSWER, indent=2).encode(),
    "yaml_policy": in_yaml(POLICY), "yaml_accounts": in_yaml(ACCOUNT, ACCOUNT | {"uniqueId": "4", "email": f"x{BOT}"}),
    "yaml_role": in_yaml(ROLE), "yaml_mixed": in_yaml(*ALL), "yaml_list": in_yaml(ALL), "yaml_analysis": in_yaml(SHOWN),
}


def test_every_member_of_a_binding_holds_its_role_once() -> None:
    found = Loaded(POLICY).rows("entitlements", "principal_id", "privilege", "scope", "state")
    assert found == [
        ("gcp::987", "roles/viewer", None, "timebound"), ("gcp::allUsers", "roles/editor", None, "standing"),
        ("gcp::group:cooks@shop.example", "roles/viewer", None, "timebound"),
        (f"gcp::serviceAccount:{BOT}", "roles/editor", None, "standing"),
        ("gcp::user:ana@shop.example", "roles/editor", None, "standing")]


@pytest.mark.parametrize(("written", "same"), [
    ("yaml_policy", POLICY), ("yaml_role", ROLE), ("yaml_mixed", ALL), ("yaml_list", ALL)])
def test_what_gcloud_writes_as_yaml_gives_the_rows_of_json(written: str, same: object) -> None:
    found, wanted = Loaded(CONTRACT_FILES[written]), Loaded(same)
    assert sorted(found.ids) == sorted(wanted.ids)
    for table, frame in wanted.frames.items():
        columns = [name for name in frame.columns if name != "raw_ref"]
        assert found.rows(table, *columns) == wanted.rows(table, *columns), table


def test_an_analysis_is_the_bindings_that_were_asked_for_and_who_is_in_their_groups() -> None:
    found = Loaded(ANSWER)
    held = [(f"gcp::{one}", "roles/editor", over) for one in ("group:cooks@shop.example", f"serviceAccount:{BOT}")
            for over in (OVER, f"iam.googleapis.com/serviceAccounts/{BOT}")]
    member = ("gcp::user:bo@shop.example", "cooks@shop.example", "gcp::group:cooks@shop.example")
    assert found.rows("entitlements", "principal_id", "privilege", "scope") == sorted([*held, member])
    assert (len(found.ids), found.faults) == (2, [])
    shown = Loaded(CONTRACT_FILES["yaml_analysis"]).rows("entitlements", "principal_id", "privilege", "scope", "grant_id")
    searched = Loaded([SEARCHED | {"policy": {"etag": "x", "bindings": [BINDING]}}])
    assert shown == searched.rows("entitlements", "principal_id", "privilege", "scope", "grant_id")


def test_a_policy_is_of_the_project_that_its_resource_names_as_logs_do_not_of_its_number() -> None:
    bucket = SEARCHED | {"resource": "//storage.googleapis.com/projects/_/buckets/menus"}
    for stated, tenant in ((SEARCHED, PROJECT), (EXPORTED, PROJECT), (bucket, "42")):
        assert set(Loaded(lines([stated]))["entitlements"]["tenant"]) == {tenant}, stated


@pytest.mark.parametrize("packed", [
    [SEARCHED], {"results": [SEARCHED]}, [EXPORTED], [{"id": PROJECT, "policy": POLICY, "type": "project"}]])
def test_where_an_export_names_the_resource_it_is_the_scope(packed: object) -> None:
    grants = Loaded(packed)["entitlements"]
    assert grants["scope"].unique().to_list() == [OVER]
    assert grants.height == 5


def test_a_grant_of_an_inventory_and_the_delta_that_made_it_have_the_same_id() -> None:
    logged = Loaded([logged_policy(1, ("ADD", "roles/editor", f"serviceAccount:{LOGGED_BOT}"))] * 2)["entitlements"]
    listed = Loaded([SEARCHED])["entitlements"]
    assert logged["grant_id"][0] in listed["grant_id"].to_list()


def test_a_service_account_is_its_number_and_its_address_a_name() -> None:
    row = Loaded([ACCOUNT])["identity_facts"].to_dicts()[0]
    assert (row["id"], row["kind"], row["basis"], row["enabled"]) == (
        "gcp::111222333", "service_account", "inventory", True)
    assert row["alt_ids"] == [{"kind": "email", "value": BOT}, {"kind": "principal_id", "value": f"serviceAccount:{BOT}"}]
    assert Loaded([ACCOUNT | {"disabled": True}])["identity_facts"]["enabled"].to_list() == [False]


def test_a_key_that_never_ends_has_no_end_and_keys_google_holds_are_rejected_by_their_type() -> None:
    found = Loaded([KEY, SYSTEM_KEY])
    assert found.rows("credentials", "credential_id", "expires_at", "status") == [("0123abcd", None, "active")]
    assert [(fault.reason, fault.disposition) for fault in found.faults] == [("out_of_scope", "rejected")]
    assert "SYSTEM_MANAGED" in found.faults[0].detail


def test_last_authentication_is_the_reports_with_the_window_it_looked_at() -> None:
    found = Loaded({"activities": [LAST, LAST_KEY]})
    row = found["identity_facts"].filter(found["identity_facts"]["basis"] == "inventory").to_dicts()[0]
    assert (row["id"], row["last_seen_basis"], row["last_seen_window_days"]) == ("gcp::111222333", "report", 90)
    assert row["last_seen_at"].isoformat() == "2026-02-20T08:00:00+00:00"
    assert found["credentials"]["last_used_at"][0].isoformat() == "2026-02-21T08:00:00+00:00"


def test_an_account_that_was_not_seen_in_the_window_is_not_said_to_be_never_used() -> None:
    row = Loaded({"activities": [LAST | {"activity": {}}]})["identity_facts"].to_dicts()[0]
    assert (row["last_seen_at"], row["last_seen_basis"], row["last_seen_window_days"]) == (None, None, 90)


def test_a_role_is_a_statement_of_its_permissions_under_the_name_grants_use() -> None:
    row = Loaded(ROLE)["entitlements"].to_dicts()[0]
    assert (row["principal_id"], row["grant_kind"], row["privilege"]) == (
        f"gcp::projects/{PROJECT}/roles/oven", "statement", f"projects/{PROJECT}/roles/oven")
    assert row["actions"] == ["storage.objects.get", "storage.objects.list"]


def test_a_deny_policy_denies_each_principal_by_the_id_allow_policies_use_and_keeps_whom_it_spares() -> None:
    found = Loaded(DENY)
    assert found["entitlements"]["effect"].unique().to_list() == ["deny"]
    attached = found["entitlements"].filter(found["entitlements"]["grant_kind"] == "attachment")
    assert sorted(attached["principal_id"]) == ["gcp::allUsers", "gcp::user:bo@shop.example"]
    statement = found["entitlements"].filter(found["entitlements"]["grant_kind"] == "statement").to_dicts()[0]
    assert statement["resources"] == [OVER]
    assert "keepers@shop.example" in statement["condition"]


def test_an_asset_list_states_when_it_was_read_and_assets_without_access_are_rejected_by_their_type() -> None:
    found = Loaded(CONTRACT_FILES["assets"])
    assert found["identity_facts"]["snapshot_at"][0].isoformat() == "2026-03-01T00:00:00+00:00"
    assert [(fault.reason, "Disk" in fault.detail) for fault in found.faults] == [("out_of_scope", True)]


def test_a_gcloud_list_states_no_time() -> None:
    assert Loaded([SEARCHED])["entitlements"]["as_of"].null_count() == 5


def test_the_two_names_of_a_project_stand_together() -> None:
    assert Loaded([MINE]).rows("resources", "id", "attributes") == [(f"gcp::{OVER}", '{"number":"42"}')]


def test_descriptions_are_not_stored_and_unknown_keys_are_kept() -> None:
    found = Loaded(lines([*ALL, ACCOUNT | {"uniqueId": "5", "newKey": 1}]))
    assert CANARY not in json.dumps([frame.to_dicts() for frame in found.frames.values()], default=str)
    assert '{"newKey":1}' in found["identity_facts"]["unmapped"].to_list()
    assert not found.faults


def test_whoever_may_ask_for_elevation_is_eligible_and_holds_nothing_yet() -> None:
    own = "projects/shop-prod/locations/global/entitlements/break-glass"
    offered = {
        "name": own, "createTime": "2026-01-01T00:00:00Z", "state": "AVAILABLE", "etag": "e-1",
        "maxRequestDuration": "14400s", "requesterJustificationConfig": {"unstructured": {}},
        "eligibleUsers": [{"principals": ["user:ana@shop.example", "group:ops@shop.example"]}],
        "approvalWorkflow": {"manualApprovals": {"steps": [
            {"approvers": [{"principals": ["user:bo@shop.example"]}], "approvalsNeeded": 1}]}},
        "privilegedAccess": {"gcpIamAccess": {
            "resourceType": "cloudresourcemanager.googleapis.com/Project",
            "resource": "//cloudresourcemanager.googleapis.com/projects/shop-prod",
            "roleBindings": [{"role": "roles/owner"}]}}}
    ended = {**offered, "name": f"{own}-2", "state": "DELETED"}
    for found in (Loaded([offered, ended]), Loaded({"entitlements": [offered, ended]})):
        assert (found.source, found.faults, len(found.ids)) == ("gcp_iam", [], 2)
        assert found.rows("entitlements", "principal_id", "privilege", "scope", "state", "requires_approval") == [
            (who, "roles/owner", "cloudresourcemanager.googleapis.com/projects/shop-prod", "eligible", True)
            for who in ("gcp::group:ops@shop.example", "gcp::user:ana@shop.example")]
        assert found.rows("resources", "unmapped") == [(None,)]
