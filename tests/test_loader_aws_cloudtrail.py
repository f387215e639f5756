"""CloudTrail: who really acted, what changed, and what an assistant did for whom. Synthetic records."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests._documents import Loaded
from tests._trail import ACCOUNT, event

CONTRACT_FILES = {"records": json.dumps({"Records": [
    *(event(n) for n in range(3)),
    event(3, eventSource="q.amazonaws.com", eventName="SendMessage", requestParameters={"conversationId": "c-1"}),
]}).encode()}
STS = f"arn:aws:sts::{ACCOUNT}:assumed-role"
ROLE = "AROAEXAMPLE000000001"


def _session(**more: Any) -> dict[str, Any]:
    return {
        "type": "AssumedRole", "principalId": f"{ROLE}:deploy-9", "arn": f"{STS}/deploy/deploy-9", "accountId": ACCOUNT,
        "sessionContext": {"sessionIssuer": {
            "type": "Role", "principalId": ROLE, "accountId": ACCOUNT, "userName": "deploy",
            "arn": f"arn:aws:iam::{ACCOUNT}:role/ci/deploy"}, "webIdFederationData": {}}, **more}


def _loaded(**more: Any) -> Loaded:
    return Loaded({"Records": [event(1, **more)]})


ACTORS = {
    "user": (event(1)["userIdentity"], f"aws:{ACCOUNT}:AIDAEXAMPLE000000001", None),
    "role session": (_session(), f"aws:{ACCOUNT}:{ROLE}", "deploy-9"),
    "session with a user's type": (_session(type="IAMUser"), f"aws:{ACCOUNT}:{ROLE}", "deploy-9"),
    "root": ({"type": "Root", "principalId": ACCOUNT, "arn": f"arn:aws:iam::{ACCOUNT}:root", "accountId": ACCOUNT},
             f"aws:{ACCOUNT}:root", None),
    "service": ({"type": "AWSService", "invokedBy": "lambda.amazonaws.com"}, "aws:service:lambda.amazonaws.com", None),
    "identity center": ({"type": "IdentityCenterUser", "accountId": ACCOUNT, "onBehalfOf": {
        "userId": "u-1", "identityStoreArn": f"arn:aws:identitystore::{ACCOUNT}:identitystore/d-1"}},
        "aws:d-1:u-1", None),
    "federated": ({"type": "FederatedUser", "principalId": f"{ACCOUNT}:bo", "accountId": ACCOUNT, "sessionContext": {
        "sessionIssuer": {"type": "IAMUser", "principalId": "AIDAEXAMPLE000000001"}}},
        f"aws:{ACCOUNT}:AIDAEXAMPLE000000001", None),
    "nobody": ({}, f"aws:{ACCOUNT}:account", None),
}


@pytest.mark.parametrize("name", ACTORS)
def test_a_session_is_its_role_and_every_caller_has_its_own_id(name: str) -> None:
    identity, actor, session = ACTORS[name]
    [row] = _loaded(userIdentity=identity)["activity"].select("actor_id", "actor_session_id").rows()
    assert row == (actor, session)


def test_the_role_of_a_session_keeps_the_path_its_session_drops() -> None:
    [row] = _loaded(userIdentity=_session())["identity_facts"].to_dicts()
    assert row["alt_ids"] == [{"kind": "arn", "value": f"arn:aws:iam::{ACCOUNT}:role/ci/deploy"}]
    assert (row["kind"], row["basis"]) == ("unknown", "seen")


def test_a_federated_workload_is_software_and_an_empty_federation_nothing() -> None:
    session = _session()
    session["sessionContext"]["webIdFederationData"] = {"federatedProvider": "token.actions.example"}
    assert _loaded(userIdentity=session)["identity_facts"]["kind"].to_list() == ["workload"]


@pytest.mark.parametrize(("agent", "kind"), [("Mozilla/5.0 (X11)", "human"), ("aws-cli/2.1 Python/3.11", "unknown")])
def test_a_browser_at_the_console_is_a_person_and_a_script_is_not(agent: str, kind: str) -> None:
    found = _loaded(eventSource="signin.amazonaws.com", eventName="ConsoleLogin", userAgent=agent,
                    responseElements={"ConsoleLogin": "Success"})
    assert found["identity_facts"]["kind"].to_list() == [kind]


@pytest.mark.parametrize(("more", "outcome"), [
    ({}, "success"), ({"errorCode": "AccessDenied"}, "denied"), ({"errorCode": "NoSuchEntityException"}, "failure"),
    ({"eventName": "ConsoleLogin", "eventSource": "signin.amazonaws.com",
      "responseElements": {"ConsoleLogin": "Failure"}}, "failure"),
])
def test_outcomes(more: dict[str, Any], outcome: str) -> None:
    assert _loaded(**more)["activity"]["outcome"].to_list() == [outcome]


def test_a_change_is_an_action_and_a_refused_one_an_attempt() -> None:
    done, refused = _loaded()["decision_steps"], _loaded(errorCode="AccessDenied")["decision_steps"]
    assert done.select("kind", "operation", "target_key", "effect_key").rows() == [(
        "action", "iam:AttachRolePolicy", f"aws:{ACCOUNT}:role/etl|arn:aws:iam::aws:policy/P1",
        f"grant(aws:{ACCOUNT}:role/etl|arn:aws:iam::aws:policy/P1)")]
    assert refused["kind"].to_list() == ["attempt"]


@pytest.mark.parametrize("name", ["GetRole", "ListUsers", "SimulatePrincipalPolicy", "GenerateCredentialReport"])
def test_reads_are_no_decisions(name: str) -> None:
    assert _loaded(eventName=name)["decision_steps"].is_empty()


def test_a_dry_run_changes_nothing() -> None:
    found = _loaded(requestParameters={"roleName": "etl", "dryRun": True})
    assert found["activity"]["is_dry_run"].to_list() == [True]
    assert found["decision_steps"].is_empty()


def test_equal_documents_have_equal_states_however_they_are_written() -> None:
    plain = '{"Version":"2012-10-17","Statement":[]}'
    states = [_loaded(eventName="PutRolePolicy", requestParameters={
        "roleName": "etl", "policyName": "p", "policyDocument": text})["decision_steps"]["after_state"][0]
        for text in (plain, '{ "Statement": [], "Version": "2012-10-17" }', "%7B%22Version%22%3A%222012-10-17%22%2C"
                     "%22Statement%22%3A%5B%5D%7D")]
    assert states[0] is not None
    assert len(set(states)) == 1


def test_amazon_q_acts_for_the_person_of_the_session() -> None:
    identity = {**event(1)["userIdentity"], "invokedBy": "q.amazonaws.com"}
    found = _loaded(userIdentity=identity, sourceIPAddress="q.amazonaws.com", userAgent="q.amazonaws.com")
    assert found["activity"].select("actor_id", "via_assistant_id", "delegation_kind").rows() == [
        (f"aws:{ACCOUNT}:AIDAEXAMPLE000000001", "aws:assistant:q-developer", "forward_access_session")]
    assert found["decision_steps"]["authority_mode"].to_list() == ["obo_user"]


def test_a_chat_with_amazon_q_lists_no_resources_and_says_so() -> None:
    found = _loaded(eventSource="q.amazonaws.com", eventName="SendMessage",
                    requestParameters={"conversationId": "c-1", "message": "***"})
    assert found["assistant_access"].select("thread_id", "completeness", "resource_id", "jailbreak").rows() == [
        ("c-1", "absent", None, None)]


def test_fields_nobody_knows_are_named_and_lower_case_keys_are_read() -> None:
    record = {key.lower(): value for key, value in event(1, somethingNew={"a": 1}).items()}
    found = Loaded({"Records": [record]})
    assert found["activity"].select("action", "unmapped").rows() == [("iam:AttachRolePolicy", '{"somethingnew":{"a":1}}')]


def test_text_where_an_object_was_expected_is_read_as_what_it_says() -> None:
    record = event(1)
    record["requestParameters"] = '{"roleName": "etl", "policyArn": "arn:aws:iam::aws:policy/P1"}'
    record["useridentity"] = record.pop("userIdentity")
    assert Loaded([record])["decision_steps"]["target_key"].to_list() == [
        f"aws:{ACCOUNT}:role/etl|arn:aws:iam::aws:policy/P1"]


def test_a_record_without_an_id_has_one_of_its_content() -> None:
    record = event(1)
    del record["eventID"]
    first, second = Loaded([record, event(2)]), Loaded([record])
    assert first.ids[0] == second.ids[0]


def test_accounts_are_text_with_their_leading_zeros() -> None:
    assert _loaded(recipientAccountId="012345678901")["activity"]["tenant"].to_list() == ["012345678901"]


def test_no_request_or_response_reaches_a_column() -> None:
    canary = "canary-7f3a"
    found = _loaded(eventName="CreateAccessKey", requestParameters={"userName": "bo", "note": canary},
                    responseElements={"accessKey": {"accessKeyId": "AKIAEXAMPLE", "secretAccessKey": canary}})
    for table, frame in found.frames.items():
        assert canary not in frame.write_json(), table
