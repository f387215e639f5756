"""Entitlement management of Entra. Records here are made up."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests import _odd_values
from tests._documents import Loaded
from tests._microsoft import Json, as_csv, as_json, as_lines

if TYPE_CHECKING:
    from collections.abc import Callable

    import polars as pl

ANA, BO = "11111111-0000-4000-8000-000000000001", "22222222-0000-4000-8000-000000000002"
PACKAGE, REQUEST = "44444444-0000-4000-8000-000000000004", "33333333-0000-4000-8000-000000000003"
SUBJECT = "55555555-0000-4000-8000-000000000005"
CANARY = "pineapple-canary-77"
TARGET = f"entra::access_package/{PACKAGE}|{ANA}"


def subject(object_id: str = ANA, label: str = "Ana") -> Json:
    return {"id": SUBJECT, "objectId": object_id, "displayName": label, "subjectType": "user",
            "principalName": f"{label}@contoso.com", "email": f"{label}@contoso.com"}


def request(number: int = 3, **changed: Any) -> Json:
    return {
        "id": f"33333333-0000-4000-8000-00000000000{number}", "requestType": "userAdd", "state": "delivered",
        "status": "Delivered", "createdDateTime": "2026-03-01T10:00:00.1Z", "completedDateTime": "2026-03-01T12:00:00Z",
        "justification": f"{CANARY} CHG0031337", "answers": [{"value": CANARY}],
        "schedule": {"startDateTime": "2026-03-01T12:00:00Z", "expiration": {
            "type": "afterDateTime", "endDateTime": "2026-06-01T00:00:00Z"}},
        "requestor": subject(), "accessPackage": {"id": PACKAGE.upper(), "displayName": "Finance"},
        "assignment": {"id": "a1", "target": subject()},
    } | changed


def assignment(**changed: Any) -> Json:
    return {
        "id": "a1", "state": "delivered", "status": "Delivered", "expiredDateTime": None, "target": subject(),
        "accessPackage": {"id": PACKAGE, "displayName": "Finance"},
        "schedule": {"startDateTime": "2026-03-01T12:00:00Z", "expiration": {"type": "noExpiration"}},
    } | changed


REQUESTS = [request(), request(4, state="pendingApproval", completedDateTime=None), request(5, state="denied")]
PACKAGES = [{"id": PACKAGE, "displayName": "Finance", "description": CANARY, "isHidden": False,
             "modifiedDateTime": "2026-01-01T00:00:00Z", "resourceRoleScopes": [
                 {"role": {"displayName": "Member", "originSystem": "AadGroup"}, "scope": {"originId": BO}}]}]
POLICIES = [{"id": "p1", "displayName": "Everyone", "allowedTargetScope": "allMemberUsers", "requestorSettings": {},
             "expiration": {"type": "noExpiration"}, "accessPackage": {"id": PACKAGE}, "requestApprovalSettings": {
                 "isApprovalRequiredForAdd": True, "stages": [{"primaryApprovers": [{"userId": BO}]}]}}]
APPROVALS = {
    "@odata.context": "x/$metadata#identityGovernance/entitlementManagement/accessPackageAssignmentApprovals",
    "value": [{"id": REQUEST, "stages": [{
        "id": "s1", "reviewResult": "Approve", "status": "Completed", "reviewedDateTime": "2026-03-01T11:00:00Z",
        "justification": "", "reviewedBy": {"id": BO, "displayName": "Bo", "userPrincipalName": "bo@contoso.com"}}]}]}
SHAPES: dict[str, Callable[[list[Json]], bytes]] = {
    "array": as_json,
    "lines": as_lines,
    "page": lambda values: as_json({"@odata.context": "x#assignmentRequests", "value": values}),
    "pages_on_lines": lambda values: as_lines([{"value": values[:1]}, {"value": values[1:]}]),
    "csv": lambda values: as_csv([{k: json.dumps(v) if isinstance(v, dict | list) else v for k, v in value.items()}
                                  for value in values]),
    "powershell": lambda values: as_json([{k[0].upper() + k[1:]: v for k, v in value.items()} for value in values]),
    "test_suite": lambda values: as_lines([{"_origin": {"test": 1}, "log": value} for value in values]),
}
CONTRACT_FILES: dict[str, bytes] = {
    **{name: write(REQUESTS) for name, write in SHAPES.items()}, "assignments": as_json({"value": [assignment()]}),
    "packages": as_json(PACKAGES), "policies": as_json(POLICIES), "approvals": as_json(APPROVALS),
}


def steps(*records: Json) -> pl.DataFrame:
    return Loaded(list(records))["decision_steps"]


@pytest.mark.parametrize("shape", SHAPES)
def test_the_same_requests_give_the_same_rows_in_every_packaging(shape: str) -> None:
    plain, packed = Loaded(as_json(REQUESTS)), Loaded(SHAPES[shape](REQUESTS))
    assert packed.faults == []
    assert sorted(packed.ids) == sorted(plain.ids)
    for table in plain.frames:
        columns = [c for c in plain[table].columns if c != "raw_ref"]
        assert packed.rows(table, *columns) == plain.rows(table, *columns), table


def test_a_delivered_request_is_a_request_and_an_action_of_the_requests_id() -> None:
    found = steps(request())
    assert found.select("kind", "native_key_kind", "native_key", "effect_key", "initiator_id").rows() == [
        (kind, "access_package_request_id", REQUEST, f"grant({TARGET})", f"entra::{ANA}") for kind in ("request", "action")]
    assert found["actor_class"].to_list() == ["human", "automation"]  # the service delivers, whoever asked
    assert found["quoted_keys"].to_list() == [["CHG0031337"]] * 2
    assert CANARY not in str(found.to_dicts())


@pytest.mark.parametrize(("state", "kinds"), [
    ("pendingApproval", [("request", None, "pending")]), ("scheduled", [("request", None, "succeeded")]),
    ("denied", [("request", None, "succeeded"), ("decision", "deny", "succeeded")]),
    ("canceled", [("request", None, "succeeded"), ("decision", "withdraw", "succeeded")]),
    ("deliveryFailed", [("request", None, "succeeded"), ("attempt", None, "failed")]),
    ("somethingNew", [("request", None, "succeeded")]),
])
def test_the_state_says_what_became_of_a_request(state: str, kinds: list[tuple[str, str | None, str]]) -> None:
    assert steps(request(state=state)).select("kind", "verdict", "status").rows() == kinds


@pytest.mark.parametrize(("sort", "verb"), [
    ("userRemove", "revoke"), ("systemRemove", "revoke"), ("UserExtend", "grant"), ("adminUpdate", "set"),
    ("onBehalfAdd", "grant"),
])
def test_a_removal_revokes_what_a_request_granted(sort: str, verb: str) -> None:
    assert set(steps(request(requestType=sort))["effect_key"]) == {f"{verb}({TARGET})"}


def test_a_request_of_the_beta_names_the_same_target() -> None:
    beta = {"id": REQUEST, "requestType": "UserAdd", "requestState": "Delivered", "requestStatus": "Fulfilled",
            "createdDateTime": "2026-03-01T10:00:00Z", "completedDate": "2026-03-01T12:00:00Z", "isValidationOnly": False,
            "requestor": subject(), "accessPackageAssignment": {"accessPackageId": PACKAGE, "targetId": ANA}}
    found = steps(beta)
    assert found["kind"].to_list() == ["request", "action"]
    assert set(found["target_key"]) == {TARGET}
    assert str(found["time"][1]) == "2026-03-01 12:00:00+00:00"


def test_an_administrator_who_assigns_is_not_whom_it_is_for() -> None:
    admin = request(requestType="adminAdd", requestor=subject(BO, "Bo"))
    assert steps(admin).select("initiator_id", "target_key").unique().rows() == [(f"entra::{BO}", TARGET)]
    unknown = request(requestType="adminAdd", requestor=subject(BO, "Bo"), assignment=None)
    assert set(steps(unknown)["target_key"]) == {None}
    assert set(steps(request(assignment=None))["target_key"]) == {TARGET}


def test_what_the_service_asks_for_itself_is_automation() -> None:
    found = steps(request(requestType="systemRemove", requestor=None))
    assert found.filter(kind="request").select("actor_class", "capacity", "initiator_id").rows() == [
        ("automation", "system", None)]


def test_a_subjects_own_id_is_no_principal() -> None:
    assert SUBJECT not in str(Loaded([request()])["identity_facts"].to_dicts())


def test_an_approval_joins_its_request_by_the_requests_id() -> None:
    found = Loaded(APPROVALS)
    assert found.source == "entra_entitlement"
    assert found["decision_steps"].select("kind", "verdict", "native_key_kind", "native_key", "actor_id").rows() == [
        ("decision", "approve", "access_package_request_id", REQUEST, f"entra::{BO}")]


@pytest.mark.parametrize(("changed", "state"), [
    ({}, "standing"), ({"schedule": {"expiration": {"endDateTime": "2026-06-01T00:00:00Z"}}}, "timebound"),
    ({"state": "expired"}, "expired"), ({"schedule": None}, None), ({"state": "unknownFutureValue"}, None),
])
def test_an_assignment_is_a_right_to_its_package(changed: Json, state: str | None) -> None:
    found = Loaded([assignment(**changed)])["entitlements"]
    assert found.select("principal_id", "grant_kind", "scope", "state", "origin").rows() == [
        (f"entra::{ANA}", "right", f"entra::access_package/{PACKAGE}", state, "access_package")]


def test_packages_and_policies_are_resources() -> None:
    package, policy = (Loaded(held)["resources"] for held in (PACKAGES, POLICIES))
    assert json.loads(package["attributes"][0])["grants"] == [f"AadGroup:Member:{BO}"]
    held = json.loads(policy["attributes"][0])
    assert (held["approval_required"], held["approvers"], held["stages"]) == (True, [BO], 1)
    assert CANARY not in str(package.to_dicts())


def test_a_key_unknown_today_is_kept_with_its_value() -> None:
    assert Loaded([request(riskScore=7)]).rows("resources", "kind", "unmapped") == [
        ("access_package_request", '{"riskscore":7}')]


def test_requests_that_only_validate_are_left_and_counted() -> None:
    loaded = Loaded([request(), request(4, isValidationOnly=True)])
    assert [(fault.reason, fault.disposition) for fault in loaded.faults] == [("out_of_scope", "rejected")]


@pytest.mark.parametrize("name", ["array", "assignments", "packages", "policies", "approvals"])
def test_any_value_anywhere_is_counted_and_never_an_error(name: str) -> None:
    assert _odd_values.check("entra_entitlement", CONTRACT_FILES[name]) > 50
