"""Role management of Entra. Records here are made up."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from lineage_analytics import tables
from lineage_analytics.loaders.entra_pim import settle
from tests import _odd_values
from tests._documents import Loaded
from tests._microsoft import Json, as_csv, as_json, as_lines

if TYPE_CHECKING:
    from collections.abc import Callable

ANA, BO = "11111111-0000-4000-8000-000000000001", "22222222-0000-4000-8000-000000000002"
ROLE, REQUEST = "62e90394-69f5-4237-9190-012177145e10", "33333333-0000-4000-8000-000000000003"
GROUP, APPROVAL = "44444444-0000-4000-8000-000000000004", "55555555-0000-4000-8000-000000000005"
UNIT = "abcdefab-0000-4000-8000-00000000000a"
NOBODY = "00000000-0000-0000-0000-000000000000"
CANARY = "pineapple-canary-77"
CONTEXT = "https://graph.microsoft.com/v1.0/$metadata#roleManagement/directory/"


def request(number: int = 3, **changed: Any) -> Json:
    return {
        "id": f"33333333-0000-4000-8000-00000000000{number}", "status": "Provisioned",
        "createdDateTime": "2026-03-01T10:00:00.1Z", "completedDateTime": "2026-03-01T10:05:00Z",
        "approvalId": APPROVAL, "customData": None, "action": "selfActivate", "principalId": ANA,
        "roleDefinitionId": ROLE, "directoryScopeId": "/", "appScopeId": None, "isValidationOnly": False,
        "targetScheduleId": None, "justification": f"{CANARY} see CHG0031337",
        "createdBy": {"application": None, "device": None, "user": {"displayName": None, "id": ANA}},
        "scheduleInfo": {"startDateTime": "2026-03-01T10:05:00Z", "recurrence": None,
                         "expiration": {"type": "afterDuration", "endDateTime": None, "duration": "PT8H"}},
        "ticketInfo": {"ticketNumber": "4711", "ticketSystem": "made up"},
    } | changed


def instance(number: int = 1, **changed: Any) -> Json:
    return {
        "id": f"lAPpYvVpN0KRkAEhdxReEMmO{number}", "principalId": ANA, "roleDefinitionId": ROLE.upper(),
        "directoryScopeId": "/", "appScopeId": None, "startDateTime": "2026-01-01T00:00:00Z", "endDateTime": None,
        "assignmentType": "Assigned", "memberType": "Direct", "roleAssignmentOriginId": "x",
        "roleAssignmentScheduleId": "y",
    } | changed


def eligibility(**changed: Any) -> Json:
    held = instance(9, roleEligibilityScheduleId="z", **changed)
    return {k: v for k, v in held.items() if k not in ("assignmentType", "roleAssignmentOriginId",
                                                       "roleAssignmentScheduleId")}


REQUESTS = [request(), request(4, status="PendingApproval", completedDateTime=None), request(5, status="Denied")]
INSTANCES = [instance(), instance(2, endDateTime="2026-06-01T00:00:00Z"), instance(3, assignmentType="Activated")]
ASSIGNMENTS = [{"id": "a1", "principalId": ANA, "roleDefinitionId": ROLE, "directoryScopeId": "/", "principal": {
    "@odata.type": "#microsoft.graph.user", "id": ANA, "displayName": "Ana", "userPrincipalName": "Ana@Contoso.com"}}]
DEFINITIONS = [{"id": ROLE, "displayName": "Global Administrator", "isBuiltIn": True, "isEnabled": True,
                "templateId": ROLE, "description": "d", "rolePermissions": [
                    {"allowedResourceActions": ["microsoft.directory/users/allTasks"], "condition": None}]}]
RULES = [
    {"@odata.type": "#microsoft.graph.unifiedRoleManagementPolicyApprovalRule", "id": "Approval_EndUser_Assignment",
     "setting": {"isApprovalRequired": True, "approvalStages": [{"primaryApprovers": [{"userId": BO}]}]}},
    {"@odata.type": "#x", "id": "Expiration_EndUser_Assignment", "maximumDuration": "PT8H"},
    {"@odata.type": "#x", "id": "Expiration_Admin_Assignment", "isExpirationRequired": True},
    {"@odata.type": "#x", "id": "Enablement_EndUser_Assignment", "enabledRules": ["MultiFactorAuthentication"]},
]
POLICIES = [{"id": "Directory_1_2", "policyId": "Directory_1", "scopeId": "/", "scopeType": "DirectoryRole",
             "roleDefinitionId": ROLE, "policy": {"id": "Directory_1", "displayName": "p", "rules": RULES}}]
APPROVALS: list[Json] = [{"id": APPROVAL, "stages": [
    {"id": "s1", "assignedToMe": True, "displayName": None, "justification": "fine", "reviewResult": "Approve",
     "status": "Completed", "reviewedDateTime": "2026-03-01T10:04:00Z",
     "reviewedBy": {"id": BO, "displayName": "Bo", "userPrincipalName": "bo@contoso.com"}},
    {"id": "s2", "reviewResult": "NotReviewed", "status": "InProgress", "reviewedDateTime": None, "justification": "",
     "reviewedBy": {"id": NOBODY, "displayName": ""}}]}]
GROUP_GRANTS = [{"id": "g1", "principalId": ANA, "groupId": GROUP, "accessId": "member", "assignmentType": "activated",
                 "memberType": "direct", "startDateTime": "2026-03-01T10:00:00Z",
                 "endDateTime": "2026-03-01T18:00:00Z", "assignmentScheduleId": "s", "group": {
                     "id": GROUP, "displayName": "Ops Admins"}}]


def page(entity: str, values: list[Json]) -> bytes:
    return as_json({"@odata.context": CONTEXT + entity, "value": values})


SHAPES: dict[str, Callable[[list[Json]], bytes]] = {
    "array": as_json,
    "lines": as_lines,
    "page": lambda values: page("roleAssignmentScheduleRequests", values),
    "pages_on_lines": lambda values: as_lines([{"@odata.context": CONTEXT, "value": values[:1]}, {"value": values[1:]}]),
    "csv": lambda values: as_csv([{k: json.dumps(v) if isinstance(v, dict | list) else v for k, v in value.items()}
                                  for value in values]),
    "powershell": lambda values: as_json([{k[0].upper() + k[1:]: v for k, v in value.items()} for value in values]),
    "test_suite": lambda values: as_lines([{"_origin": {"test": 1}, "log": value} for value in values]),
}
OBJECTS = {
    "instances": page("roleAssignmentScheduleInstances", INSTANCES), "assignments": as_json(ASSIGNMENTS),
    "eligibility": page("roleEligibilityScheduleInstances", [eligibility()]), "definitions": as_json(DEFINITIONS),
    "policies": page("roleManagementPolicyAssignments", POLICIES), "approvals": as_json(APPROVALS),
    "group_grants": as_json(GROUP_GRANTS),
}
CONTRACT_FILES: dict[str, bytes] = {**{f"requests_{n}": write(REQUESTS) for n, write in SHAPES.items()}, **OBJECTS}


@pytest.mark.parametrize("shape", SHAPES)
def test_the_same_requests_give_the_same_rows_in_every_packaging(shape: str) -> None:
    plain, packed = Loaded(as_json(REQUESTS)), Loaded(SHAPES[shape](REQUESTS))
    assert packed.faults == []
    assert sorted(packed.ids) == sorted(plain.ids)
    for table, frame in plain.frames.items():
        assert packed[table].drop("raw_ref").sort(pl.all().exclude(pl.List)).equals(
            frame.drop("raw_ref").sort(pl.all().exclude(pl.List))), table


def test_an_activation_is_a_request_and_an_action_of_the_key_the_directory_audit_uses() -> None:
    steps = Loaded([request()])["decision_steps"]
    target = f"entra::role/{ROLE}|{ANA}"
    assert steps.select("kind", "native_key_kind", "native_key", "target_key", "effect_key").rows() == [
        (kind, "pim_request_id", REQUEST, target, f"grant({target})") for kind in ("request", "action")]
    assert steps["initiator_id"].to_list() == [f"entra::{ANA}"] * 2
    assert [str(t) for t in steps["expires_at"]] == ["2026-03-01 18:05:00+00:00"] * 2
    assert steps.select("stated_keys", "quoted_keys").rows() == [(["ticket:4711"], ["CHG0031337"])] * 2
    assert steps["justification_present"].all()
    assert CANARY not in str(steps.to_dicts())


def test_a_request_is_carried_out_in_the_name_of_its_maker_and_not_denied_by_them() -> None:
    said = ("kind", "actor_id", "actor_class")
    assert Loaded([request()]).rows("decision_steps", *said) == [
        ("action", f"entra::{ANA}", "human"), ("request", f"entra::{ANA}", "human")]
    assert Loaded([request(status="Denied")]).rows("decision_steps", *said) == [
        ("decision", None, "unknown"), ("request", f"entra::{ANA}", "human")]


def test_the_directory_audit_tells_the_same_activation_under_the_same_key() -> None:
    details = {"TemplateId": ROLE, "RequestId": REQUEST, "ExpirationTime": "2026-03-01T18:05:00Z"}
    audit = {"id": "PIM_1", "category": "RoleManagement", "result": "success", "loggedByService": "PIM",
             "activityDisplayName": "Add member to role completed (PIM activation)",
             "activityDateTime": "2026-03-01T10:05:00Z", "initiatedBy": {"user": {"id": ANA}},
             "targetResources": [{"id": "x", "type": "Role", "displayName": "Global Administrator"},
                                 {"id": REQUEST, "type": "Request"}, {"id": ANA, "type": "User"}],
             "additionalDetails": [{"key": key, "value": held} for key, held in details.items()]}
    said = ("native_key_kind", "native_key", "target_key", "effect_key", "initiator_id", "expires_at")
    logged = Loaded([audit])
    assert logged.source == "entra_audit"
    assert logged.rows("decision_steps", *said) == Loaded([request()]).rows("decision_steps", *said)


@pytest.mark.parametrize(("status", "kinds"), [
    ("PendingApproval", [("request", None, "pending")]),
    ("Denied", [("request", None, "succeeded"), ("decision", "deny", "succeeded")]),
    ("Canceled", [("request", None, "succeeded"), ("decision", "withdraw", "succeeded")]),
    ("Failed", [("request", None, "succeeded"), ("attempt", None, "failed")]),
    ("TimedOut", [("request", None, "succeeded"), ("expiry", None, "succeeded")]),
    ("somethingNew", [("request", None, "succeeded")]),
])
def test_the_status_says_what_became_of_a_request(status: str, kinds: list[tuple[str, str | None, str]]) -> None:
    assert Loaded([request(status=status)])["decision_steps"].select("kind", "verdict", "status").rows() == kinds


def test_a_granted_request_takes_effect_at_the_time_it_states_and_not_without_one() -> None:
    dated = Loaded([request(status="Granted")])["decision_steps"]
    assert dated.select("kind", pl.col("time").cast(pl.String).str.head(16)).rows() == [
        ("request", "2026-03-01 10:00"), ("action", "2026-03-01 10:05")]
    assert Loaded([request(status="Granted", completedDateTime=None)])["decision_steps"]["kind"].to_list() == ["request"]


def test_a_removal_is_a_rollback_that_revokes_what_was_granted() -> None:
    granted = Loaded([request()])["decision_steps"]["effect_key"][0]
    steps = Loaded([request(action="selfDeactivate")])["decision_steps"]
    assert steps["kind"].to_list() == ["request", "rollback"]
    assert steps["effect_key"].to_list() == [granted.replace("grant(", "revoke(")] * 2
    assert steps["expires_at"].null_count() == 2


def test_whether_an_administrators_request_is_for_eligibility_is_told_by_page_or_type_or_stays_unknown() -> None:
    assigned = [request(action="adminAssign")]
    target = f"entra::role/{ROLE}|{ANA}"

    def effects(data: object) -> set[str | None]:
        return set(Loaded(data)["decision_steps"]["effect_key"].to_list())

    assert effects(page("roleEligibilityScheduleRequests", assigned)) == {f"grant({target}|eligible)"}
    assert effects(page("roleAssignmentScheduleRequests", assigned)) == {f"grant({target})"}
    assert effects([{**assigned[0], "@odata.type": "#microsoft.graph.unifiedRoleEligibilityScheduleRequest"}]) == {
        f"grant({target}|eligible)"}
    assert effects(assigned) == {None}


def test_requests_that_only_validate_are_left_and_counted() -> None:
    loaded = Loaded([request(), request(4, isValidationOnly=True)])
    assert [(fault.reason, fault.disposition) for fault in loaded.faults] == [("out_of_scope", "rejected")]


def test_instances_say_whether_a_grant_stands_ends_or_was_activated() -> None:
    grants = Loaded(OBJECTS["instances"])["entitlements"].sort("grant_id")
    assert grants.select("state", "privilege", "scope", "principal_id").rows() == [
        (state, "Global Administrator", "/", f"entra::{ANA}") for state in ("standing", "timebound", "activated")]
    assert Loaded(OBJECTS["eligibility"])["entitlements"]["state"].to_list() == ["eligible"]


def test_a_plain_assignment_does_not_say_whether_it_ends() -> None:
    loaded = Loaded(ASSIGNMENTS)
    assert loaded["entitlements"].select("state", "granted_at", "as_of").rows() == [(None, None, None)]
    assert loaded["identity_facts"].select("kind", "display_name", "basis").rows() == [("human", "Ana", "seen")]


def test_without_a_type_the_kind_of_a_principal_is_unknown() -> None:
    assert Loaded([instance()])["identity_facts"]["kind"].to_list() == ["unknown"]


def test_a_group_under_privileged_management_is_a_membership_or_an_ownership() -> None:
    member = Loaded(GROUP_GRANTS)["entitlements"].select("grant_kind", "scope", "state", "privilege").rows()
    assert member == [("membership", f"entra::{GROUP}", "activated", "Ops Admins")]
    owner = Loaded([{**GROUP_GRANTS[0], "accessId": "owner"}])["entitlements"]["grant_kind"].to_list()
    assert owner == ["owner"]


def test_a_scope_below_the_directory_is_part_of_the_target() -> None:
    steps = Loaded([request(directoryScopeId=f"/administrativeUnits/{UNIT.upper()}")])["decision_steps"]
    assert set(steps["target_key"]) == {f"entra::role/{ROLE}|{ANA}|/administrativeUnits/{UNIT}"}


def test_definitions_are_resources_and_statements() -> None:
    loaded = Loaded(DEFINITIONS)
    assert loaded["resources"].select("id", "kind", "display_name").rows() == [
        (f"entra::role_definition/{ROLE}", "role", "Global Administrator")]
    assert loaded["entitlements"].select("grant_kind", "actions").rows() == [
        ("statement", ["microsoft.directory/users/allTasks"])]


def test_a_policy_says_what_an_activation_needs() -> None:
    attributes = json.loads(Loaded(OBJECTS["policies"])["resources"]["attributes"][0])
    assert attributes["approval_required"] is True
    assert attributes["approvers"] == [BO]
    assert (attributes["longest_activation"], attributes["standing_allowed"]) == ("PT8H", False)


def test_a_reviewed_stage_is_a_decision_and_an_open_one_is_none() -> None:
    steps = Loaded(APPROVALS)["decision_steps"]
    assert steps.select("kind", "verdict", "capacity", "actor_id", "actor_class", "native_key").rows() == [
        ("decision", "approve", "approver", f"entra::{BO}", "human", APPROVAL)]


def test_old_spellings_of_a_review_result_mean_the_same_and_the_all_zero_reviewer_is_nobody() -> None:
    stage = {**APPROVALS[0]["stages"][0], "reviewResult": "Denied", "reviewedBy": {"id": NOBODY, "displayName": "x"}}
    steps = Loaded([{"id": APPROVAL, "steps": [stage]}])["decision_steps"]
    assert steps.select("verdict", "actor_id", "actor_class").rows() == [("deny", None, "unknown")]


def test_an_approval_joins_the_request_that_names_it() -> None:
    steps = pl.concat([Loaded(APPROVALS)["decision_steps"], Loaded([request()])["decision_steps"]]).lazy()
    joined = settle({"decision_steps": steps})["decision_steps"].collect()
    assert set(joined["native_key"]) == {REQUEST}
    assert joined.columns == tables.DECISION_STEPS.empty().columns


def test_an_eligibility_needs_an_approval_where_its_policy_says_so() -> None:
    def settled(policies: list[Json]) -> list[bool | None]:
        held = {"entitlements": Loaded([eligibility(), instance()])["entitlements"].lazy(),
                "resources": Loaded(page("roleManagementPolicyAssignments", policies))["resources"].lazy()}
        frame = settle(held)["entitlements"].collect()
        assert frame.columns == tables.ENTITLEMENTS.empty().columns
        return frame.sort("state")["requires_approval"].to_list()

    free = json.loads(json.dumps(POLICIES).replace('"isApprovalRequired": true', '"isApprovalRequired": false'))
    assert settled(POLICIES) == [True, None]
    assert settled(free) == [False, None]
    assert settled([*POLICIES, *free]) == [None, None]
    assert settled([{**POLICIES[0], "roleDefinitionId": BO}]) == [None, None]


def test_a_group_eligibility_takes_the_policy_on_the_group() -> None:
    policy = [{**POLICIES[0], "scopeId": GROUP, "scopeType": "Group", "roleDefinitionId": "member"}]
    grant = {k: v for k, v in GROUP_GRANTS[0].items() if k not in ("assignmentType", "assignmentScheduleId")}
    held = {"entitlements": Loaded([grant | {"eligibilityScheduleId": "s"}])["entitlements"].lazy(),
            "resources": Loaded(policy)["resources"].lazy()}
    assert settle(held)["entitlements"].collect()["requires_approval"].to_list() == [True]


@pytest.mark.parametrize(("number", "stated", "quoted"), [
    ("4711", ["ticket:4711"], []), ("n/a", [], []), ("none", [], []), ("7", [], []), (None, [], []),
    (" chg0031337 ", ["ticket:CHG0031337"], []), ("see CHG0031337", [], ["CHG0031337"]),
    ("CHG0031337; SEC-12", ["ticket:CHG0031337", "ticket:SEC-12"], []),
])
def test_a_ticket_number_is_stated_only_where_it_looks_like_one(
    number: str | None, stated: list[str], quoted: list[str],
) -> None:
    found = Loaded([request(justification="", ticketInfo={"ticketNumber": number})])["decision_steps"]
    assert found.select("stated_keys", "quoted_keys").rows() == [(stated, quoted)] * 2


def test_a_key_unknown_today_is_kept_with_its_value() -> None:
    assert Loaded([request(riskScore=7)]).rows("resources", "kind", "unmapped") == [("role_request", '{"riskscore":7}')]
    assert Loaded([instance(riskScore=7)]).rows("entitlements", "unmapped") == [('{"riskscore":7}',)]


def test_an_unchanged_object_is_one_record_and_a_changed_one_another() -> None:
    first, again, later = (Loaded([made]).ids for made in (
        request(status="PendingApproval"), request(status="PendingApproval"), request()))
    assert first == again
    assert first != later


@pytest.mark.parametrize("name", ["requests_array", "instances", "policies", "approvals", "definitions", "group_grants"])
def test_any_value_anywhere_is_counted_and_never_an_error(name: str) -> None:
    assert _odd_values.check("entra_pim", CONTRACT_FILES[name]) > 50
