"""Role-based access control of Azure. Records here are made up."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests import _odd_values
from tests._documents import Loaded
from tests._microsoft import Json, as_csv, as_json, as_lines

if TYPE_CHECKING:
    from collections.abc import Callable

TENANT = "7a1b0000-0000-4000-8000-00000000000a"
ANA, BO = "11111111-0000-4000-8000-000000000001", "22222222-0000-4000-8000-000000000002"
SUBSCRIPTION = "/subscriptions/99999999-0000-4000-8000-000000000009"
AUTHORIZATION = "/providers/Microsoft.Authorization/"
OWNER, CUSTOM = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635", "cccccccc-0000-4000-8000-00000000000c"
GRANT, REQUEST = "aaaaaaaa-0000-4000-8000-00000000000a", "33333333-0000-4000-8000-000000000003"
CANARY = "pineapple-canary-77"


def flat(**changed: Any) -> Json:
    """As ``az role assignment list`` writes it."""
    return {
        "condition": None, "conditionVersion": None, "createdBy": BO, "createdOn": "2025-09-10T15:45:12.439266+00:00",
        "delegatedManagedIdentityResourceId": None, "description": CANARY,
        "id": f"{SUBSCRIPTION}{AUTHORIZATION}roleAssignments/{GRANT}", "name": GRANT, "principalId": ANA,
        "principalName": "Ana@contoso.com", "principalType": "User",
        "roleDefinitionId": f"{SUBSCRIPTION}{AUTHORIZATION}roleDefinitions/{OWNER}", "roleDefinitionName": "Owner",
        "scope": SUBSCRIPTION.upper().replace("SUBSCRIPTIONS", "subscriptions"),
        "type": "Microsoft.Authorization/roleAssignments", "updatedBy": BO, "updatedOn": "2025-09-10T15:45:12Z",
    } | changed


OUTSIDE = ("id", "name", "type")


def nested(record: Json) -> Json:
    """As ARM writes it: everything but id, name and type in ``properties``, and no names."""
    held = {k: v for k, v in record.items() if k not in OUTSIDE and not k.endswith("Name")}
    return {"properties": held, **{k: record[k] for k in OUTSIDE}}


def graph(record: Json) -> Json:
    return nested(record) | {"tenantId": TENANT, "type": record["type"].lower(), "location": "", "kind": ""}


def arm(kind: str, number: int = 1, **properties: Any) -> Json:
    name = f"33333333-0000-4000-8000-00000000000{number}"
    return {"id": f"{SUBSCRIPTION}{AUTHORIZATION}{kind}/{name}", "name": name, "type": f"Microsoft.Authorization/{kind}",
            "properties": {"principalId": ANA, "principalType": "User", "scope": SUBSCRIPTION,
                           "roleDefinitionId": f"{AUTHORIZATION}roleDefinitions/{OWNER}"} | properties}


def request(number: int = 3, **properties: Any) -> Json:
    return arm("roleAssignmentScheduleRequests", number, **{
        "requestType": "SelfActivate", "status": "Provisioned", "createdOn": "2026-03-01T10:00:00Z", "requestorId": ANA,
        "justification": f"{CANARY} CHG0031337", "ticketInfo": {"ticketNumber": "4711"}, "approvalId": None,
        "scheduleInfo": {"startDateTime": "2026-03-01T10:05:00Z", "expiration": {
            "type": "AfterDuration", "duration": "PT8H"}}} | properties)


ASSIGNMENTS = [flat(), flat(name=BO, id=f"/x{AUTHORIZATION}roleAssignments/{BO}", principalId=BO, principalType="Group",
                            principalName="Ops", roleDefinitionName="Reader", scope="/")]
DEFINITION = {
    "id": f"{SUBSCRIPTION}{AUTHORIZATION}roleDefinitions/{CUSTOM}", "name": CUSTOM, "roleName": "Ops",
    "roleType": "CustomRole", "type": "Microsoft.Authorization/roleDefinitions", "assignableScopes": [SUBSCRIPTION],
    "description": CANARY, "permissions": [{"actions": ["*"], "notActions": ["Microsoft.Authorization/*/Write"],
                                            "dataActions": ["Microsoft.Storage/x/read"], "notDataActions": []}]}
DENY = {"id": f"{SUBSCRIPTION}{AUTHORIZATION}denyAssignments/{GRANT}", "name": GRANT,
        "type": "Microsoft.Authorization/denyAssignments", "properties": {
            "denyAssignmentName": "no deletes", "scope": SUBSCRIPTION, "permissions": [{"actions": ["*/delete"]}],
            "principals": [{"id": "00000000-0000-0000-0000-000000000000", "type": "SystemDefined"}],
            "excludePrincipals": [{"id": BO, "type": "User"}]}}
INSTANCES = [arm("roleAssignmentScheduleInstances", 1, assignmentType="Assigned", memberType="Direct",
                 startDateTime="2026-01-01T00:00:00Z"),
             arm("roleAssignmentScheduleInstances", 2, assignmentType="Assigned", endDateTime="2026-06-01T00:00:00Z"),
             arm("roleAssignmentScheduleInstances", 3, assignmentType="Activated", memberType="Group"),
             arm("roleEligibilityScheduleInstances", 4, memberType="Direct")]
POWERSHELL = [{"RoleAssignmentName": GRANT, "RoleAssignmentId": f"{SUBSCRIPTION}{AUTHORIZATION}roleAssignments/{GRANT}",
               "Scope": SUBSCRIPTION, "DisplayName": "Ana", "SignInName": "Ana@contoso.com", "RoleDefinitionName": "Owner",
               "RoleDefinitionId": OWNER, "ObjectId": ANA, "ObjectType": "User", "CanDelegate": False, "Condition": ""}]
APPROVALS = [{"id": f"{AUTHORIZATION}roleAssignmentApprovals/{REQUEST}", "name": REQUEST,
              "type": "Microsoft.Authorization/roleAssignmentApprovals", "properties": {"stages": [{
                  "id": "s", "properties": {"reviewResult": "Approve", "reviewedDateTime": "2026-03-01T10:04:00Z",
                                            "reviewedBy": {"principalId": BO, "principalType": "user",
                                                           "principalName": "Bo"}, "justification": ""}}]}}]
SHAPES: dict[str, Callable[[list[Json]], bytes]] = {
    "array": as_json,
    "lines": as_lines,
    "csv": lambda values: as_csv([{k: "" if v is None else v for k, v in value.items()} for value in values]),
    "test_suite": lambda values: as_lines([{"_origin": {"test": 1}, "log": value} for value in values]),
    "lower_case_keys": lambda values: as_lines([{k.lower(): v for k, v in value.items()} for value in values]),
}
CONTRACT_FILES: dict[str, bytes] = {
    **{name: write(ASSIGNMENTS) for name, write in SHAPES.items()},
    "arm": as_json({"value": [nested(r) for r in ASSIGNMENTS]}),
    "resource_graph": as_json({"count": 2, "data": [graph(r) for r in ASSIGNMENTS], "skip_token": None}),
    "powershell": as_json(POWERSHELL), "powershell_csv": as_csv(POWERSHELL), "definitions": as_json([DEFINITION]),
    "deny": as_json({"value": [DENY]}), "instances": as_json({"value": INSTANCES}),
    "requests": as_json({"value": [request()]}), "approvals": as_json({"value": APPROVALS}),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_the_same_assignments_give_the_same_rows_in_every_packaging(shape: str) -> None:
    plain, packed = Loaded(as_json(ASSIGNMENTS)), Loaded(SHAPES[shape](ASSIGNMENTS))
    assert packed.faults == []
    assert sorted(packed.ids) == sorted(plain.ids)
    for table in plain.frames:
        columns = [c for c in plain[table].columns if c != "raw_ref"]
        assert packed.rows(table, *columns) == plain.rows(table, *columns), table


def test_every_tool_tells_the_same_grant() -> None:
    said = ("principal_id", "grant_kind", "privilege", "scope", "effect", "state", "grant_id", "origin")
    expected = [(f"entra::{ANA}", "role", "Owner", SUBSCRIPTION, "allow", None, GRANT, "direct")]
    assert Loaded([flat()]).rows("entitlements", *said) == expected
    assert Loaded({"value": [nested(flat())]}).rows("entitlements", *said) == expected
    assert Loaded(POWERSHELL).rows("entitlements", *said) == expected
    tenant = [(f"entra:{TENANT}:{ANA}", *expected[0][1:])]
    assert Loaded({"data": [graph(flat())]}).rows("entitlements", *said) == tenant


def test_a_grant_keeps_who_gave_it_and_when_but_not_its_description() -> None:
    loaded = Loaded([flat(condition="@Resource[x] StringEquals 'y'")])
    row = loaded["entitlements"].to_dicts()[0]
    assert (row["granted_by"], str(row["granted_at"])) == (f"entra::{BO}", "2025-09-10 15:45:12.439266+00:00")
    assert json.loads(row["condition"]) == "@Resource[x] StringEquals 'y'"
    assert CANARY not in str({table: frame.to_dicts() for table, frame in loaded.frames.items()})


@pytest.mark.parametrize(("sort", "kind"), [
    ("User", "human"), ("Group", "group"), ("ServicePrincipal", "app"), ("ForeignGroup", "group"), ("Unknown", "unknown"),
    (None, "unknown"),
])
def test_principals_are_of_the_type_the_assignment_states(sort: str | None, kind: str) -> None:
    facts = Loaded([flat(principalType=sort)])["identity_facts"]
    assert dict(facts.select("id", "kind").rows())[f"entra::{ANA}"] == kind


def test_a_service_principals_application_id_is_no_name() -> None:
    facts = Loaded([flat(principalType="ServicePrincipal", principalName=CUSTOM, createdBy=None)])["identity_facts"]
    assert facts["display_name"].to_list() == [None]


def test_a_classic_administrator_is_known_by_address() -> None:
    classic = flat(id="NA(classic admins)", name="NA(classic admins)", principalId="NA(classic admins)",
                   roleDefinitionId="NA(classic admins)", roleDefinitionName="CoAdministrator", principalType="NA")
    assert Loaded([classic]).rows("entitlements", "principal_id", "privilege") == [
        ("entra::ana@contoso.com", "CoAdministrator")]


def test_instances_say_whether_a_grant_stands_ends_was_activated_or_may_be() -> None:
    grants = Loaded({"value": INSTANCES})["entitlements"].sort("grant_id")
    assert grants.select("state", "origin").rows() == [
        ("standing", "pim"), ("timebound", "pim"), ("activated", "group_inherited"), ("eligible", "pim")]
    assert grants["privilege"].unique().to_list() == ["Owner"]


def test_a_definition_is_a_resource_and_what_it_allows() -> None:
    for record in (DEFINITION, {**{k: DEFINITION[k] for k in OUTSIDE}, "properties": {
            "roleName": "Ops", "type": "CustomRole", "permissions": DEFINITION["permissions"],
            "assignableScopes": [SUBSCRIPTION]}}):
        loaded = Loaded([record])
        assert loaded.rows("resources", "id", "display_name") == [(f"entra::azure_role/{CUSTOM}", "Ops")]
        assert json.loads(loaded["resources"]["attributes"][0])["built_in"] is False
        assert loaded.rows("entitlements", "privilege", "actions", "not_actions", "resources") == [
            ("Ops (data)", ["Microsoft.Storage/x/read"], None, [SUBSCRIPTION]),
            ("Ops", ["*"], ["Microsoft.Authorization/*/Write"], [SUBSCRIPTION])]


def test_a_deny_assignment_takes_a_right_from_everyone_but_some() -> None:
    rows = Loaded({"value": [DENY]})["entitlements"]
    assert rows.filter(grant_kind="right").select("principal_id", "effect", "scope", "condition").rows() == [
        ("entra::everyone", "deny", SUBSCRIPTION, json.dumps({"except": [BO]}, separators=(",", ":")))]
    assert rows.filter(grant_kind="statement").select("effect", "actions").rows() == [("deny", ["*/delete"])]


def test_a_request_is_steps_under_the_key_the_activity_log_uses() -> None:
    steps = Loaded({"value": [request()]})["decision_steps"]
    target = f"entra::role/{OWNER}|{ANA}|{SUBSCRIPTION}"
    assert steps.select("kind", "native_key_kind", "native_key", "effect_key").rows() == [
        (kind, "pim_request_id", REQUEST, f"grant({target})") for kind in ("request", "action")]
    assert steps.select("stated_keys", "quoted_keys").row(0) == (["ticket:4711"], ["CHG0031337"])
    assert str(steps["time"][1]) == "2026-03-01 10:05:00+00:00"
    assert steps["actor_id"].to_list() == [f"entra::{ANA}"] * 2
    assert CANARY not in str(steps.to_dicts())


@pytest.mark.parametrize(("status", "kinds"), [
    ("PendingApproval", ["request"]), ("Denied", ["request", "decision"]), ("FailedAsResourceIsLocked", [
        "request", "attempt"]), ("TimedOut", ["request", "expiry"]), ("Accepted", ["request"]),
])
def test_the_status_says_what_became_of_a_request(status: str, kinds: list[str]) -> None:
    assert Loaded({"value": [request(status=status)]})["decision_steps"]["kind"].to_list() == kinds


def test_a_reviewed_stage_is_a_decision_of_the_request() -> None:
    steps = Loaded({"value": APPROVALS})["decision_steps"]
    assert steps.select("verdict", "native_key", "actor_id", "actor_class").rows() == [
        ("approve", REQUEST, f"entra::{BO}", "human")]


def test_what_a_role_asks_for_is_in_the_policy() -> None:
    rules = [{"id": "Approval_EndUser_Assignment", "setting": {"isApprovalRequired": True, "approvalStages": []}}]
    policy = arm("roleManagementPolicyAssignments", effectiveRules=rules)
    held = json.loads(Loaded({"value": [policy]})["resources"]["attributes"][0])
    assert (held["approval_required"], held["role"], held["scope"]) == (True, OWNER, SUBSCRIPTION)


def test_objects_of_the_same_provider_that_grant_nothing_are_left_and_counted() -> None:
    lock = {"id": f"{SUBSCRIPTION}{AUTHORIZATION}locks/l", "name": "l", "type": "Microsoft.Authorization/locks"}
    loaded = Loaded([flat(), lock])
    assert [(fault.reason, fault.disposition) for fault in loaded.faults] == [("out_of_scope", "rejected")]


@pytest.mark.parametrize("name", ["array", "arm", "powershell", "definitions", "deny", "instances", "requests", "approvals"])
def test_any_value_anywhere_is_counted_and_never_an_error(name: str) -> None:
    assert _odd_values.check("azure_rbac", CONTRACT_FILES[name]) > 50
