"""CloudTrail: who really acted, what changed, and what an assistant did for whom. Synthetic records."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from lineage_analytics import tables
from lineage_analytics.loaders import recognise
from lineage_analytics.loaders.aws_cloudtrail import settle
from tests._documents import Loaded, member
from tests._trail import ACCOUNT, event

if TYPE_CHECKING:
    from pathlib import Path

HISTORY = (
    b"User name,AWS access key,Event time,Event source,Event name,AWS region,Source IP address,User agent,Error code,"
    b"Resources,Request ID,Event ID,Read-only,Event type\n"
    b"ana,AKIAEXAMPLE000000001,2026-06-01T10:00:00Z,iam.amazonaws.com,AttachRolePolicy,us-east-1,192.0.2.1,aws-cli/2.1,"
    b"AccessDenied,\"[{\"\"resourceType\"\":\"\"AWS::IAM::Role\"\",\"\"resourceName\"\":\"\"etl\"\"},"
    b"{\"\"resourceName\"\":\"\"P1\"\"}]\",r-1,e-1,false,AwsApiCall\n"
    b",,2026-06-01T10:00:01Z,kms.amazonaws.com,RotateKey,us-east-1,kms.amazonaws.com,,,,,e-2,true,AwsServiceEvent\n"
)
CONTRACT_FILES = {"event_history": HISTORY, "records": json.dumps({"Records": [
    *(event(n) for n in range(3)),
    event(3, eventSource="q.amazonaws.com", eventName="SendMessage", requestParameters={"conversationId": "c-1"}),
    event(4, eventSource="sts.amazonaws.com", eventName="AssumeRole", requestParameters={
        "roleArn": f"arn:aws:iam::{ACCOUNT}:role/ci/deploy", "roleSessionName": "narrow",
        "policy": '{"Statement": [{"Effect": "Allow", "Action": "s3:Get*", "Resource": "*"}]}',
        "policyArns": [{"arn": "arn:aws:iam::aws:policy/ReadOnlyAccess"}]}, responseElements={
        "assumedRoleUser": {"arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/deploy/narrow",
                            "assumedRoleId": "AROAEXAMPLE000000001:narrow"},
        "credentials": {"expiration": "Jun 1, 2026, 1:00:00 PM"}}),
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


def test_the_policies_a_session_was_started_with_limit_that_session() -> None:
    found = Loaded(json.loads(CONTRACT_FILES["records"]))["entitlements"]
    limits = found.filter(pl.col("grant_kind") == "boundary").sort("privilege")
    session = f"aws:{ACCOUNT}:arn:aws:sts::{ACCOUNT}:assumed-role/deploy/narrow"
    assert limits.select("principal_id", "privilege", "origin").rows() == [
        (session, "ReadOnlyAccess", "session_policy"), (session, "session policy", "session_policy")]
    assert limits["scope"][0] == "aws:aws:arn:aws:iam::aws:policy/ReadOnlyAccess"
    said = found.filter(pl.col("grant_kind") == "statement")
    assert said.select("principal_id", "actions", "resources").rows() == [(limits["scope"][1], ["s3:Get*"], ["*"])]


ACTORS = {
    "user": (event(1)["userIdentity"], f"aws:{ACCOUNT}:AIDAEXAMPLE000000001", None),
    "role session": (_session(), f"aws:{ACCOUNT}:{ROLE}", "deploy-9"),
    "session with a user's type": (_session(type="IAMUser"), f"aws:{ACCOUNT}:{ROLE}", "deploy-9"),
    "session whose ids were rewritten": (
        _session(principalId="AIDAEXAMPLE000000009", sessionContext={"sessionIssuer": {
            "type": "Role", "principalId": "AIDAEXAMPLE000000009"}}), f"aws:{ACCOUNT}:AIDAEXAMPLE000000009",
        "deploy-9"),
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
    "anonymous": ({"type": "Unknown", "principalId": "Anonymous"}, None, None),
    "anonymous account": ({"type": "AWSAccount", "principalId": "", "accountId": "ANONYMOUS_PRINCIPAL"}, None, None),
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


def test_a_session_that_names_no_issuer_still_tells_the_arn_of_its_role() -> None:
    [row] = _loaded(userIdentity=_session(sessionContext=None))["identity_facts"].to_dicts()
    assert row["alt_ids"] == [{"kind": "arn", "value": f"arn:aws:iam::{ACCOUNT}:role/deploy"}]


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


def test_a_change_states_its_request_and_a_temporary_key_but_no_key_that_is_kept_for_good() -> None:
    temporary = _loaded(requestID="r-1", userIdentity=_session(accessKeyId="ASIAEXAMPLE000000001"))
    lasting = _loaded(requestID="r-1", userIdentity=_session(accessKeyId="AKIAEXAMPLE000000001"))
    assert temporary["decision_steps"]["stated_keys"].to_list() == [["request:r-1", "session:ASIAEXAMPLE000000001"]]
    assert lasting["decision_steps"]["stated_keys"].to_list() == [["request:r-1"]]


def test_a_session_s_name_and_a_resource_s_tags_quote_a_ticket_and_state_none() -> None:
    named = _loaded(userIdentity=_session(principalId=f"{ROLE}:CHG0030192"))["decision_steps"]
    tagged = _loaded(eventName="CreateRole", requestParameters={"roleName": "etl", "tags": [
        {"key": "change-ticket", "value": "CHG0030193"}, {"key": "note", "value": "CHG0030194"}]})["decision_steps"]
    assert (named["quoted_keys"][0].to_list(), named["stated_keys"][0].to_list()) == (["CHG0030192"], [])
    assert (tagged["quoted_keys"][0].to_list(), tagged["stated_keys"][0].to_list()) == (["CHG0030193"], [])


def _opening(tags: Any, name: str = "AssumeRole", key: str = "tags") -> dict[str, Any]:
    return event(1, eventSource="sts.amazonaws.com", eventName=name, requestParameters={
        "roleArn": f"arn:aws:iam::{ACCOUNT}:role/ci/deploy", "roleSessionName": "x", key: tags},
        responseElements={"credentials": {"accessKeyId": "ASIAEXAMPLE000000001"}})


@pytest.mark.parametrize(("tags", "keys"), [
    ([{"key": "TicketNumber", "value": "chg0030192"}], ["tag:CHG0030192"]),
    ([{"key": "itsm:change_request", "value": "SEC-12"}], ["tag:SEC-12"]),
    ([{"key": "Department", "value": "CHG0030192"}], []),
    ([{"key": "ticket", "value": "because the boss said so"}], []),
])
def test_the_ticket_a_caller_opened_a_session_under_is_a_tag_of_its_changes(tags: Any, keys: list[str]) -> None:
    used = event(2, userIdentity=_session(accessKeyId="ASIAEXAMPLE000000001"))
    other = event(3, userIdentity=_session(accessKeyId="ASIAEXAMPLE000000002"))
    steps = Loaded({"Records": [_opening(tags), used, other]})["decision_steps"]
    found = settle({"decision_steps": steps.lazy()})["decision_steps"].collect()
    assert dict(found.select("event_id", "stated_keys").rows()) == {
        "e-2": ["session:ASIAEXAMPLE000000001", *keys], "e-3": ["session:ASIAEXAMPLE000000002"]}
    assert found.schema == tables.DECISION_STEPS.schema


def test_a_ticket_that_the_identity_provider_signed_is_stated_by_the_session_s_changes() -> None:
    used = event(2, userIdentity=_session(accessKeyId="ASIAEXAMPLE000000001"))
    opened = _opening({"ticket": "CHG0030192"}, "AssumeRoleWithWebIdentity", "principalTags")
    steps = Loaded({"Records": [opened, used]})["decision_steps"]
    found = settle({"decision_steps": steps.lazy()})["decision_steps"].collect()
    assert found["stated_keys"].to_list() == [["session:ASIAEXAMPLE000000001", "ticket:CHG0030192"]]


def test_a_commit_of_a_session_counts_where_the_identity_provider_says_it_and_not_where_the_caller_does() -> None:
    used, sha = event(2, userIdentity=_session(accessKeyId="ASIAEXAMPLE000000001")), "A1" * 20
    said = [_opening({"git_commit": sha}, "AssumeRoleWithWebIdentity", "principalTags"),
            _opening([{"key": "Commit", "value": sha}])]
    keys = [settle({"decision_steps": Loaded({"Records": [one, used]})["decision_steps"].lazy()})[
        "decision_steps"].collect()["stated_keys"].to_list() for one in said]
    assert keys == [[[f"commit:{sha.lower()}", "session:ASIAEXAMPLE000000001"]], [["session:ASIAEXAMPLE000000001"]]]


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


def test_the_event_history_of_the_console_is_activity_and_proves_no_caller() -> None:
    found = Loaded(HISTORY)
    assert (found.source, found.faults, len(found.ids)) == ("aws_cloudtrail", [], 2)
    assert found.rows("activity", "event_id", "actor_id", "action", "outcome", "resource_id", "extra_resource_ids",
                      "credential_id", "is_read", "tenant") == [
        ("e-1", "aws::history-name/ana", "iam:AttachRolePolicy", "denied", "etl", ["P1"], "AKIAEXAMPLE000000001", False,
         None),
        ("e-2", None, "kms:RotateKey", "success", None, None, None, True, None)]
    assert found["identity_facts"].select("display_name", "kind").rows() == [("ana", "unknown")]
    assert found["decision_steps"].is_empty()


def test_the_event_history_never_takes_the_place_of_a_trail_s_record() -> None:
    assert set(Loaded(HISTORY).ids).isdisjoint(Loaded({"Records": [event(1)]}).ids)


def test_headings_in_another_order_are_read_and_other_lists_of_events_are_not_taken() -> None:
    lines = (HISTORY.decode().splitlines()[0], "ana,AKIA,2026-06-01T10:00:00Z,s3.amazonaws.com,ListBuckets" + "," * 9)
    order = [4, 3, 2, 0, *range(5, 14), 1]
    turned = "\n".join(",".join(line.split(",")[at] for at in order) for line in lines)
    assert Loaded(turned)["activity"]["action"].to_list() == ["s3:ListBuckets"]
    assert recognise(member("Event name,Event source,Event time,Calendar\na,b,c,d\n").sample) is None


@pytest.mark.parametrize(("more", "expected"), [
    ({}, (None, None)),
    ({"resources": [{"ARN": "arn:aws:s3:::b/k", "type": "AWS::S3::Object"}]}, ("arn:aws:s3:::b/k", None)),
    ({"resources": [{"ARN": "arn:aws:s3:::b/k"}, {"accountId": ACCOUNT, "arn": "arn:aws:s3:::b"}, {"ARN": "arn:x"}]},
     ("arn:aws:s3:::b/k", ["arn:aws:s3:::b", "arn:x"])),
    ({"resources": "[{arn=arn:aws:s3:::b/k, accountid=null}, {arn=arn:aws:s3:::b}]"},
     ("arn:aws:s3:::b/k", ["arn:aws:s3:::b"])),
])
def test_every_resource_a_record_names_is_kept(more: dict[str, Any], expected: tuple[Any, Any]) -> None:
    found = Loaded({"Records": [event(1, **more), event(2)]})["activity"].filter(pl.col("event_id") == "e-1")
    assert found.select("resource_id", "extra_resource_ids").row(0) == expected


SOURCE_IDENTITY = _session()
SOURCE_IDENTITY["sessionContext"]["sourceIdentity"] = "ana"


@pytest.mark.parametrize(("identity", "expected"), [
    (event(1)["userIdentity"], (None, None, None)),
    ({**event(1)["userIdentity"], "invokedBy": "athena.amazonaws.com"},
     (None, "forward_access_session", "provider_asserted")),
    (SOURCE_IDENTITY, (f"aws:{ACCOUNT}:source-identity/ana", "role_chain", "caller_asserted")),
    (_session(onBehalfOf={"userId": "u-1", "identityStoreArn": f"arn:aws:identitystore::{ACCOUNT}:identitystore/d-1"}),
     ("aws:d-1:u-1", "platform_field", "provider_asserted")),
])
def test_who_asserts_a_delegation_is_said_with_it(identity: dict[str, Any], expected: tuple[Any, ...]) -> None:
    found = _loaded(userIdentity=identity)["activity"]
    assert found.select("on_behalf_of_id", "delegation_kind", "delegation_trust").row(0) == expected


ADDENDUM = {"reason": "UPDATED_DATA", "updatedFields": "responseElements, errorCode", "originalEventID": "e-1"}


def test_a_record_that_updates_another_is_kept_beside_it_and_makes_no_second_step() -> None:
    found = Loaded({"Records": [event(1), event(1, errorCode="AccessDenied", addendum=ADDENDUM)]})
    assert len(set(found.ids)) == 2
    revised = found["activity"].filter(pl.col("effect_delta").is_not_null())
    assert json.loads(revised["effect_delta"][0]) == {
        "revises": "e-1", "reason": "UPDATED_DATA", "updated_fields": ["errorCode", "responseElements"]}
    assert revised.select("event_id", "outcome").rows() == [("e-1", "denied")]
    assert found["decision_steps"]["kind"].to_list() == ["action"]


def test_a_late_record_is_a_record_like_any_other() -> None:
    late = event(1, addendum={"reason": "DELIVERY_DELAY"})
    assert Loaded([late]).ids == Loaded([event(1)]).ids
    assert Loaded([late])["decision_steps"].height == 1


def test_results_of_insights_are_recognised_and_are_no_calls() -> None:
    insight = {"eventVersion": "1.08", "eventTime": "2026-06-01T10:00:00Z", "eventID": "i-1", "awsRegion": "eu-west-1",
               "eventType": "AwsCloudTrailInsight", "recipientAccountId": ACCOUNT, "sharedEventID": "s-1",
               "insightDetails": {"state": "Start", "eventName": "GetBucketPolicy"}, "eventCategory": "Insight"}
    for data in ({"Records": [insight]}, insight, {key.lower(): value for key, value in insight.items()}):
        found = Loaded(data)
        assert (found.source, found.ids) == ("aws_cloudtrail", [])
        assert [(fault.reason, fault.disposition) for fault in found.faults] == [("out_of_scope", "rejected")]


CHANGE_SET = f"arn:aws:cloudformation:eu-west-1:{ACCOUNT}:changeSet/next/1-2"
CASES: list[tuple[str, str, dict[str, Any], dict[str, Any], tuple[Any, ...]]] = [
    ("cloudformation", "CreateChangeSet", {"stackName": "net", "changeSetName": "next"}, {"id": CHANGE_SET},
     ("draft", "change_set_id", CHANGE_SET, None, f"aws:{ACCOUNT}:stack/net")),
    ("cloudformation", "ExecuteChangeSet",
     {"stackName": f"arn:aws:cloudformation:eu-west-1:{ACCOUNT}:stack/net/1-2", "changeSetName": CHANGE_SET}, {},
     ("action", "change_set_id", CHANGE_SET, None, f"aws:{ACCOUNT}:stack/net")),
    ("cloudformation", "ExecuteChangeSet", {"stackName": "net", "changeSetName": "next"}, {},
     ("action", None, None, None, f"aws:{ACCOUNT}:stack/net")),
    ("codepipeline", "PutApprovalResult", {"pipelineName": "p", "result": {"status": "Approved", "summary": "CHG0001234"}},
     {}, ("decision", None, None, "approve", f"aws:{ACCOUNT}:pipeline/p")),
    ("codepipeline", "PutApprovalResult", {"pipelineName": "p", "result": {"status": "Rejected", "summary": ""}}, {},
     ("decision", None, None, "deny", f"aws:{ACCOUNT}:pipeline/p")),
    ("ssm", "StartChangeRequestExecution", {"documentName": "Patch", "changeDetails": "x"}, {"automationExecutionId": "a-1"},
     ("request", "automation_execution_id", "a-1", None, f"aws:{ACCOUNT}:runbook/Patch")),
    ("ssm", "SendAutomationSignal", {"automationExecutionId": "a-1", "signalType": "Approve", "payload": {
        "Comment": ["as agreed"]}}, {}, ("decision", "automation_execution_id", "a-1", "approve", None)),
    ("ssm", "SendAutomationSignal", {"automationExecutionId": "a-1", "signalType": "StopStep"}, {},
     ("action", "automation_execution_id", "a-1", None, None)),
    ("access-analyzer", "GenerateFindingRecommendation", {"id": "f-1", "analyzerArn": "x"}, {},
     ("recommendation", "access_finding_id", "f-1", None, None)),
]


@pytest.mark.parametrize(("service", "name", "request_", "response", "expected"), CASES)
def test_change_sets_requests_and_approvals_are_parts_of_a_case(
    service: str, name: str, request_: dict[str, Any], response: dict[str, Any], expected: tuple[Any, ...],
) -> None:
    found = _loaded(eventSource=f"{service}.amazonaws.com", eventName=name, requestParameters=request_,
                    responseElements=response)["decision_steps"]
    assert found.select("kind", "native_key_kind", "native_key", "verdict", "target_key").rows() == [expected]


def test_of_an_approval_s_words_only_the_ticket_is_kept() -> None:
    [row] = _loaded(eventSource="codepipeline.amazonaws.com", eventName="PutApprovalResult", requestParameters={
        "pipelineName": "p", "result": {"status": "Approved", "summary": "per CHG0001234, call Bo"}},
    )["decision_steps"].to_dicts()
    assert (row["quoted_keys"], row["justification_present"], row["capacity"]) == (["CHG0001234"], True, "approver")
    assert "call Bo" not in str(row)


def test_a_refused_approval_decides_nothing() -> None:
    found = _loaded(eventSource="codepipeline.amazonaws.com", eventName="PutApprovalResult", errorCode="AccessDenied",
                    requestParameters={"pipelineName": "p", "result": {"status": "Approved"}})["decision_steps"]
    assert found.select("kind", "verdict").rows() == [("attempt", None)]


def test_a_call_of_an_agent_is_the_use_of_an_assistant() -> None:
    alias = f"arn:aws:bedrock:eu-west-1:{ACCOUNT}:agent-alias/AG1/AL1"
    found = _loaded(eventSource="bedrock.amazonaws.com", eventName="InvokeAgent", resources=[{"ARN": alias}],
                    requestParameters={"agentId": "AG1", "agentAliasId": "AL1", "sessionId": "s-1"})["assistant_access"]
    assert found.select("assistant_id", "agent_id", "thread_id", "completeness", "trigger").rows() == [
        (f"aws:{ACCOUNT}:{alias}", "AG1", "s-1", "absent", "unknown")]


def _caller(identity: dict[str, Any]) -> str | None:
    """Who called, told without the loader: the role of a session, else the principal, else the service."""
    issuer = (identity.get("sessionContext") or {}).get("sessionIssuer") or {}
    native = issuer.get("principalId") or (identity.get("principalId") or "").split(":")[0]
    return "root" if identity.get("type") == "Root" else native or identity.get("invokedBy")


def test_a_real_capture_has_the_callers_outcomes_and_resources_that_counting_by_hand_gives(shared_data: Path) -> None:
    files = sorted((shared_data / "aws_cloudtrail" / "invictus-ir_aws_dataset").rglob("*.json*"))
    assert files
    for path in files:
        data = path.read_bytes()
        raw = gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
        said = json.loads(raw)["Records"]
        found = Loaded(raw)
        rows = found["activity"]
        assert (found.faults, len(found.ids)) == ([], len(said))
        assert set(rows["event_id"]) == {record["eventID"] for record in said}
        assert {actor.rpartition(":")[2] for actor in rows["actor_id"].drop_nulls()} == {
            caller for record in said if (caller := _caller(record["userIdentity"])) is not None}
        assert (rows["outcome"] == "success").sum() == sum(
            "errorCode" not in record and (record.get("responseElements") or {}).get("ConsoleLogin") != "Failure"
            for record in said)
        named = {record["eventID"]: [r["ARN"] for r in record.get("resources") or () if "ARN" in r] for record in said}
        held = {event_id: ([first] if first else []) + (more or []) for event_id, first, more in rows.select(
            "event_id", "resource_id", "extra_resource_ids").iter_rows()}
        assert held == named


def test_every_real_test_event_is_used_but_one_with_an_unreadable_time(shared_data: Path) -> None:
    path = shared_data / "aws_cloudtrail" / "panther" / "AWS.CloudTrail.tests.jsonl"
    said = [json.loads(line)["log"] for line in path.read_text().splitlines() if line.strip()]
    found = Loaded(path.read_bytes())
    stated = [str(record.get("eventTime") or record.get("p_event_time") or "") for record in said]
    timed = [record for record, time in zip(said, stated, strict=True) if not time or time.startswith("20")]
    assert len(found.ids) == len(timed)
    assert found["activity"]["time"].null_count() == stated.count("")
    assert {fault.reason for fault in found.faults} <= {"no_time"}
    assert {code for code in found["activity"]["error_code"].drop_nulls() if not code.startswith(("JsonRpc", "ConsoleLogin"))
            } == {record["errorCode"] for record in timed if record.get("errorCode")}


ENTRY = f"arn:aws:iam::{ACCOUNT}:role/ops"
POLICY = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy"
PAIRS = {
    "a cluster's access entry": (
        "eks.amazonaws.com", ("CreateAccessEntry", {"name": "c-1", "principalArn": ENTRY}),
        ("DeleteAccessEntry", {"name": "c-1", "principalArn": ENTRY.replace(":", "%3A").replace("/", "%2F")}),
        f"aws:{ACCOUNT}:cluster/c-1|{ENTRY}"),
    "an access policy": (
        "eks.amazonaws.com", ("AssociateAccessPolicy", {"name": "c-1", "principalArn": ENTRY, "policyArn": POLICY}),
        ("DisassociateAccessPolicy", {"name": "c-1", "principalArn": ENTRY, "policyArn": POLICY}),
        f"aws:{ACCOUNT}:cluster/c-1|{ENTRY}|{POLICY}"),
    "a function's permission": (
        "lambda.amazonaws.com", ("AddPermission20150331v2", {"functionName": "f-1", "statementId": "s-1"}),
        ("RemovePermission20150331v2", {"functionName": "f-1", "statementId": "s-1"}),
        f"aws:{ACCOUNT}:functionName/f-1|statement/s-1"),
}


@pytest.mark.parametrize("name", PAIRS)
def test_what_a_grant_gives_its_inverse_takes(name: str) -> None:
    service, (given, asked), (taken, back), target = PAIRS[name]
    found = Loaded({"Records": [event(1, eventSource=service, eventName=given, requestParameters=asked),
                                event(2, eventSource=service, eventName=taken, requestParameters=back)]})
    assert found.rows("decision_steps", "effect_key") == [(f"grant({target})",), (f"revoke({target})",)]
