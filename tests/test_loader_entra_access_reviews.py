"""Access reviews of Entra. Records here are made up."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from lineage_analytics.workspace import Store, load, open_estate
from tests import _odd_values
from tests._documents import Loaded
from tests._microsoft import Json, as_csv, as_json, as_lines

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ANA, BO = "11111111-0000-4000-8000-000000000001", "22222222-0000-4000-8000-000000000002"
GROUP, REVIEW = "44444444-0000-4000-8000-000000000004", "77777777-0000-4000-8000-000000000007"
NOBODY = {"id": "00000000-0000-0000-0000-000000000000", "displayName": "", "userPrincipalName": ""}
CANARY = "pineapple-canary-77"
TARGET = f"entra::group/{GROUP}|{ANA}"


def item(number: int = 1, **changed: Any) -> Json:
    return {
        "id": f"88888888-0000-4000-8000-00000000000{number}", "accessReviewId": REVIEW,
        "reviewedDateTime": "2026-03-02T09:00:00.5Z", "decision": "Deny", "recommendation": "Deny",
        "justification": f"{CANARY} JIRA-42", "appliedDateTime": "2026-03-05T01:00:00Z",
        "applyResult": "AppliedSuccessfully", "principalLink": f"https://graph.microsoft.com/v1.0/users/{ANA}",
        "resourceLink": f"https://graph.microsoft.com/v1.0/groups/{GROUP}",
        "reviewedBy": {"id": BO, "displayName": "Bo", "userPrincipalName": "bo@contoso.com"}, "appliedBy": NOBODY,
        "resource": {"id": GROUP, "displayName": "Ops Admins", "type": "group"},
        "principal": {"@odata.type": "#microsoft.graph.userIdentity", "id": ANA, "displayName": "Ana",
                      "userPrincipalName": "ana@contoso.com", "type": "user"},
    } | changed


OPEN = item(2, decision="NotReviewed", reviewedDateTime=None, appliedDateTime=None, applyResult="New",
            reviewedBy=NOBODY, justification="")
KEPT = item(3, decision="Approve", appliedDateTime=None, applyResult="New")
ITEMS = [item(), OPEN, KEPT]
DEFINITIONS = [{
    "id": "99999999-0000-4000-8000-000000000009", "displayName": "Quarterly", "status": "InProgress",
    "createdDateTime": "2026-01-01T00:00:00Z", "descriptionForAdmins": CANARY, "scope": {"query": "/groups"},
    "createdBy": {"id": BO, "displayName": "Bo"}, "reviewers": [], "settings": {
        "recommendationsEnabled": True, "autoApplyDecisionsEnabled": False, "defaultDecision": "None"}}]
INSTANCES = [{"id": REVIEW, "startDateTime": "2026-03-01T00:00:00Z", "endDateTime": "2026-03-04T00:00:00Z",
              "status": "Applied", "scope": {"query": "x"}, "reviewers": [], "fallbackReviewers": []}]
SHAPES: dict[str, Callable[[list[Json]], bytes]] = {
    "array": as_json,
    "lines": as_lines,
    "page": lambda values: as_json({"@odata.context": "x/decisions", "@odata.count": 3, "value": values}),
    "pages_on_lines": lambda values: as_lines([{"value": values[:1]}, {"value": values[1:]}]),
    "csv": lambda values: as_csv([{k: json.dumps(v) if isinstance(v, dict | list) else v for k, v in value.items()}
                                  for value in values]),
    "powershell": lambda values: as_json([{k[0].upper() + k[1:]: v for k, v in value.items()} for value in values]),
    "test_suite": lambda values: as_lines([{"_origin": {"test": 1}, "log": value} for value in values]),
}
def guid(number: int) -> str:
    return f"{number:08d}-0000-4000-8000-000000000000"


def reported(number: int = 1, **changed: Any) -> Json:
    """A row of the review history report, with the columns that Microsoft documents."""
    return {
        "AccessReviewId": guid(700), "AccessReviewSeriesId": guid(0), "ReviewType": "Group",
        "ResourceDisplayName": "Admins", "ResourceId": guid(20), "ReviewName": "Q2",
        "CreatedDateTime": "2026-04-01T00:00:00Z", "ReviewStartDate": "2026-04-01T00:00:00Z",
        "ReviewEndDate": "2026-04-20T00:00:00Z", "ReviewStatus": "Applied", "OwnerId": guid(3), "OwnerName": "Own",
        "OwnerUPN": "own@example.org", "PrincipalId": guid(number), "PrincipalName": "Bob",
        "PrincipalUPN": "bob@example.org", "PrincipalType": "User", "ReviewDate": "2026-04-10T09:00:00Z",
        "ReviewResult": "Deny", "Justification": "left, see CHG0001234", "ReviewerId": guid(5), "ReviewerName": "Ann",
        "ReviewerUPN": "ann@example.org", "ReviewerEmailAddress": "", "AppliedByName": "", "AppliedByUPN": "",
        "AppliedByEmailAddress": "", "AppliedDate": "2026-04-20T01:00:00Z", "AccessRecommendation": "Deny",
        "SubmissionResult": "Applied"} | changed


CONTRACT_FILES: dict[str, bytes] = {"history_csv": as_csv([reported(1), reported(2, ReviewResult="Not reviewed")]),
                                    **{name: write(ITEMS) for name, write in SHAPES.items()},
                                    "definitions": as_json(DEFINITIONS), "instances": as_json({"value": INSTANCES})}


def steps(*records: Json) -> pl.DataFrame:
    return Loaded(list(records))["decision_steps"]


@pytest.mark.parametrize("shape", SHAPES)
def test_the_same_decisions_give_the_same_rows_in_every_packaging(shape: str) -> None:
    plain, packed = Loaded(as_json(ITEMS)), Loaded(SHAPES[shape](ITEMS))
    assert packed.faults == []
    assert sorted(packed.ids) == sorted(plain.ids)
    for table, frame in plain.frames.items():
        order = pl.all().exclude(pl.List, pl.List(pl.Struct))
        assert packed[table].drop("raw_ref").sort(order).equals(frame.drop("raw_ref").sort(order)), table


def test_one_item_is_a_recommendation_a_decision_and_an_action_under_its_own_id() -> None:
    found = steps(item())
    assert found.select("kind", "verdict", "recommended_value", "decided_value", "applied_value", "origin").rows() == [
        ("recommendation", None, "Deny", None, None, "rule"),
        ("decision", "approve", "Deny", "Deny", "AppliedSuccessfully", None),
        ("action", None, "Deny", "Deny", "AppliedSuccessfully", None)]
    assert set(found["native_key"]) == {"88888888-0000-4000-8000-000000000001"}
    assert set(found["correlation_id"]) == {REVIEW}
    assert set(found["effect_key"]) == {f"revoke({TARGET})"}
    assert found.select("actor_id", "actor_class").rows() == [
        (None, "automation"), (f"entra::{BO}", "human"), (None, "automation")]
    assert found.filter(kind="decision").select("capacity", "quoted_keys", "justification_present").rows() == [
        ("reviewer", ["JIRA-42"], True)]
    assert CANARY not in str(found.to_dicts())


@pytest.mark.parametrize(("advice", "decision", "verdict", "effect"), [
    ("Deny", "Deny", "approve", f"revoke({TARGET})"), ("Deny", "Approve", "deny", f"revoke({TARGET})"),
    ("Approve", "Approve", "approve", None), ("Approve", "Deny", "approve", f"revoke({TARGET})"),
    ("NoInfoAvailable", "Approve", "approve", None), ("Deny", "DontKnow", None, None),
])
def test_a_verdict_is_about_the_removal(advice: str, decision: str, verdict: str | None, effect: str | None) -> None:
    found = steps(item(recommendation=advice, decision=decision)).filter(kind="decision")
    assert found.select("verdict", "effect_key", "decided_value").rows() == [(verdict, effect, decision)]


def test_an_item_nobody_reviewed_has_a_recommendation_and_no_decision() -> None:
    assert steps(OPEN).select("kind", "time").rows() == [("recommendation", None)]
    assert steps(OPEN | {"recommendation": "NoInfoAvailable"}).is_empty()
    assert len(Loaded([OPEN | {"recommendation": "NoInfoAvailable"}]).ids) == 1


def test_an_item_without_a_resource_is_titled_by_whom_it_reviews_alone() -> None:
    [title] = steps(OPEN | {"resource": None, "resourceLink": None})["title"]
    assert title == "recommended deny: ana@contoso.com"


def test_an_all_zero_reviewer_is_nobody_and_the_services_own_name_is_the_system() -> None:
    nobody = steps(item(reviewedBy=NOBODY)).filter(kind="decision")
    assert nobody.select("actor_id", "actor_class", "capacity").rows() == [(None, "unknown", None)]
    service = steps(item(reviewedBy=NOBODY | {"displayName": "AAD Access Reviews"})).filter(kind="decision")
    assert service.select("actor_id", "actor_class", "capacity").rows() == [(None, "automation", "system")]


@pytest.mark.parametrize(("result", "kind", "status"), [
    ("AppliedWithUnknownFailure", "attempt", "failed"),
    ("AppliedSuccessfullyButObjectNotFound", "attempt", "unknown"),
])
def test_an_application_that_failed_is_an_attempt(result: str, kind: str, status: str) -> None:
    assert steps(item(applyResult=result)).select("kind", "status").rows()[-1] == (kind, status)


@pytest.mark.parametrize("result", ["New", "ApplyNotSupported"])
def test_a_decision_not_applied_leaves_no_action(result: str) -> None:
    assert steps(item(applyResult=result))["kind"].to_list() == ["recommendation", "decision"]


def test_confirmed_access_leaves_no_action_even_when_applied() -> None:
    assert "action" not in steps(item(decision="Approve"))["kind"].to_list()


def test_items_of_the_beta_and_of_links_alone_name_the_same_target() -> None:
    beta = item(principal=None, principalLink=None, target={
        "@odata.type": "#microsoft.graph.accessReviewInstanceDecisionItemUserTarget", "userId": ANA,
        "userDisplayName": "Ana", "userPrincipalName": "ana@contoso.com"})
    links = item(principal=None, resource=None)
    assert set(steps(beta)["target_key"]) == set(steps(links)["target_key"]) == {TARGET}
    assert set(steps(item(resource=None, resourceLink=None))["target_key"]) == {None}


def test_what_a_reviewed_package_policy_gives_is_the_package_that_requests_name() -> None:
    package = {"id": REVIEW, "type": "accessPackageAssignmentPolicy", "accessPackageId": GROUP.upper(),
               "accessPackageDisplayName": "Finance"}
    found = steps(item(resource=package))
    assert set(found["target_key"]) == {f"entra::access_package/{GROUP}|{ANA}"}
    assert "Finance" in found["title"][0]


def test_who_is_reviewed_is_a_person_only_by_type() -> None:
    facts = Loaded([item(principal={"id": ANA, "displayName": "Ana"})])["identity_facts"]
    kinds = dict(facts.select("id", "kind").rows())
    assert kinds[f"entra::{ANA}"] == "unknown"
    assert kinds[f"entra::{BO}"] == "human"
    agent = item(principal={"@odata.type": "#microsoft.graph.agentUser", "id": ANA})
    assert (f"entra::{ANA}", "ai_agent") in Loaded([agent])["identity_facts"].select("id", "kind").rows()


def test_a_definition_is_a_resource_with_its_settings_and_without_its_descriptions() -> None:
    found = Loaded(DEFINITIONS)["resources"]
    assert found.select("kind", "display_name").rows() == [("access_review", "Quarterly")]
    held = json.loads(found["attributes"][0])
    assert (held["recommendationsEnabled"], held["autoApplyDecisionsEnabled"]) == (True, False)
    assert CANARY not in str(found.to_dicts())


def test_insights_are_signals_and_date_the_recommendation() -> None:
    shown = [{"@odata.type": "#microsoft.graph.userSignInInsight", "id": "i1", "lastSignInDateTime": None,
              "insightCreatedDateTime": "2026-03-01T00:00:00Z"}, {"id": "undated"}]
    found = steps(OPEN | {"insights": shown})
    assert [(kind, str(time)) for kind, time in found.select("kind", "time").rows()] == [
        ("signal", "2026-03-01 00:00:00+00:00"), ("recommendation", "2026-03-01 00:00:00+00:00")]


def test_a_key_unknown_today_is_kept_with_its_value() -> None:
    loaded = Loaded([item(riskScore=7)])
    assert loaded.rows("resources", "kind", "unmapped") == [("access_review_decision", '{"riskscore":7}')]
    assert Loaded([item()])["resources"].is_empty()


def test_an_item_exported_before_and_after_its_review_is_two_records_of_one_case() -> None:
    before, after = item(decision="NotReviewed", reviewedDateTime=None), item()
    assert Loaded([before]).ids != Loaded([after]).ids
    assert set(steps(before, after)["native_key"]) == {"88888888-0000-4000-8000-000000000001"}


def test_a_row_of_the_history_report_is_the_decision_its_item_would_be() -> None:
    found = Loaded(as_csv([reported()]))
    assert found.faults == []
    target = f"entra::group/{guid(20)}|{guid(1)}"
    assert found["decision_steps"].select("kind", "verdict", "target_key", "effect_key", "actor_id").rows() == [
        ("recommendation", None, target, f"revoke({target})", None),
        ("decision", "approve", target, f"revoke({target})", f"entra::{guid(5)}"),
        ("action", None, target, f"revoke({target})", None)]
    assert found["decision_steps"]["quoted_keys"].to_list()[1] == ["CHG0001234"]
    assert "left, see" not in repr([frame.to_dicts() for frame in found.frames.values()])


def test_a_reported_review_nobody_did_or_that_was_not_applied_leaves_no_decision_or_no_action() -> None:
    undone = reported(ReviewResult="Not reviewed", ReviewDate="", SubmissionResult="Not applied", AppliedDate="")
    assert steps(undone)["kind"].to_list() == ["recommendation"]
    kept = reported(SubmissionResult="Not applied")
    assert steps(kept)["kind"].to_list() == ["recommendation", "decision"]


@pytest.mark.parametrize("reversed_", [False, True])
def test_a_decision_that_an_item_and_the_report_tell_is_one_and_one_the_report_alone_tells_stays(
    tmp_path: Path, reversed_: bool,
) -> None:
    same: Json = {"AccessReviewId": REVIEW, "ResourceId": GROUP}
    files = [as_json([item()]), as_csv([reported(PrincipalId=ANA, **same), reported(PrincipalId=BO, **same)])]
    for number, data in enumerate(files[::-1] if reversed_ else files):
        (tmp_path / f"{number}").write_bytes(data)
    load([tmp_path / "0", tmp_path / "1"], Store.create(tmp_path / "w"))
    found = open_estate(tmp_path / "w").frame("decision_steps").filter(pl.col("kind") == "decision")
    assert sorted(found["native_key"]) == sorted([item()["id"], f"{REVIEW}/{BO}/{GROUP}"])


def test_a_reported_row_without_a_review_or_a_principal_has_no_id() -> None:
    [fault] = Loaded([reported(), reported(PrincipalId="")]).faults
    assert (fault.position, fault.reason) == (1, "no_id")


@pytest.mark.parametrize("name", ["array", "definitions", "history_csv"])
def test_any_value_anywhere_is_counted_and_never_an_error(name: str) -> None:
    assert _odd_values.check("entra_access_reviews", CONTRACT_FILES[name]) > 50
