"""OCSF events become activity, principals, changes and assistant access, whoever produced them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from lineage_analytics.loaders import ocsf
from lineage_analytics.loaders.common.containers import InputFile, Member, members
from lineage_analytics.loaders.common.ids import record_id
from lineage_analytics.workspace import Store, load, open_estate
from tests._documents import Loaded

if TYPE_CHECKING:
    from pathlib import Path

TIME = 1764000000000  # 2025-11-24T16:00:00Z


def event(class_uid: int, activity_id: int, uid: str, **more: Any) -> dict[str, Any]:
    return {"class_uid": class_uid, "category_uid": class_uid // 1000, "activity_id": activity_id,
            "type_uid": class_uid * 100 + activity_id, "severity_id": 1, "time": TIME, "status_id": 1,
            "metadata": {"uid": uid, "version": "1.4.0", "product": {"name": "Directory", "vendor_name": "Northwind"},
                         "tenant_uid": "t1"},
            "actor": {"user": {"uid": "u-1", "name": "Ana", "type_id": 1}}, **more}


GRANT = event(3005, 3, "e1", user={"uid": "u-2", "name": "Bo"}, roles=[{"uid": "r-9"}],
              src_endpoint={"ip": "192.0.2.7"})
REVOKE = event(3005, 4, "e2", user={"uid": "u-2", "name": "Bo"}, roles=[{"uid": "r-9"}])
AGENT = event(6005, 4, "e3", ai_agent={"uid": "agent-1", "instance_uid": "run-1", "name": "Helper"},
              ai_model={"ai_provider": "northwind", "name": "m"}, table={"uid": "tbl-1"},
              message_context={"uid": "msg-1", "prompt": "whose salary"}, vendor_extra={"a": 1})
FINDING = event(2008, 1, "e4", finding_info={"uid": "f-1", "title": "Unused access"}, resources=[{"uid": "role-x"}],
                remediation={"desc": "remove it"})
INVENTORY = event(5003, 2, "e5", user={"uid": "u-3", "name": "svc", "type_id": 4})
LAKE: dict[str, Any] = {
    "class_uid": 6003, "category_uid": 6, "activity_id": 1, "activity_name": "Create", "type_uid": 600301,
    "type_name": "API Activity: Create", "time": TIME, "status": "Failure", "status_id": 2,
    "metadata": {"uid": "a552c487-0000-4000-8000-000000000001", "version": "1.1.0",
                 "product": {"name": "CloudTrail", "vendor_name": "AWS", "feature": {"name": "Management"}}},
    "cloud": {"provider": "AWS", "region": "us-east-1", "account": {"uid": "111122223333"}},
    "actor": {"user": {"type": "AssumedRole", "uid": "arn:aws:sts::111122223333:assumed-role/deploy/s1",
                       "uid_alt": "AROAEXAMPLEEXAMPLE:s1", "credential_uid": "ASIAEXAMPLE",
                       "account": {"uid": "111122223333"}}},
    "api": {"operation": "CreateUser", "service": {"name": "iam.amazonaws.com"}, "request": {"uid": "req-1"},
            "response": {"error": "AccessDenied"}},
    "unmapped": [["requestParameters.userName", "x"]],
}
ALL = [GRANT, REVOKE, AGENT, FINDING, INVENTORY, LAKE]
LINES = "\n".join(map(json.dumps, ALL))
LENT = AGENT | {"class_uid": 3005, "category_uid": 3, "activity_id": 3, "type_uid": 300503, "roles": [{"uid": "r-9"}],
                "metadata": AGENT["metadata"] | {"uid": "e7"}, "user": {"uid": "u-2"}, "delegation": {
                    "uid": "dlg-2", "parent_uid": "dlg-1", "issuer_uid": "sts", "scopes": ["roles.write"],
                    "audience": "https://directory.example", "created_time": TIME, "expiration_time": TIME + 3_600_000}}
CONTRACT_FILES = {"lent": json.dumps(LENT).encode(), "lines": LINES.encode(), "array": json.dumps(ALL, indent=1).encode(),
                  "lake": json.dumps(LAKE).encode()}


def _shown(found: Loaded) -> dict[str, list[str]]:
    return {table: sorted({repr(row) for row in frame.drop("raw_ref").rows()}) for table, frame in found.frames.items()}


@pytest.mark.parametrize("packed", [
    json.dumps(ALL), json.dumps({"records": ALL}), json.dumps({"events": ALL}),
    "\n".join(json.dumps({"_origin": "x", "log": one}) for one in ALL),
    "\n".join(json.dumps({"specversion": "1.0", "id": str(n), "data": one}) for n, one in enumerate(ALL)),
    "\n".join(json.dumps({key.upper(): held for key, held in one.items()}) for one in ALL),
    "\n".join(json.dumps({**one, "class_uid": str(one["class_uid"]), "time": str(one["time"])}) for one in ALL),
    "\n".join(json.dumps({**one, "time": None, "time_dt": "2025-11-24T16:00:00Z"}) for one in ALL),
])
def test_every_packaging_gives_the_same_rows(packed: str) -> None:
    assert _shown(Loaded(packed)) == _shown(Loaded(LINES))


def test_a_grant_and_its_inverse_name_the_same_target() -> None:
    steps = Loaded([GRANT, REVOKE])
    assert steps.rows("decision_steps", "kind", "effect_key", "actor_id") == [
        ("action", "grant(ocsf:t1:user/u-2|role/r-9)", "ocsf:t1:u-1"),
        ("action", "revoke(ocsf:t1:user/u-2|role/r-9)", "ocsf:t1:u-1")]


def test_time_is_milliseconds_and_the_address_is_kept() -> None:
    [(time, ip, outcome)] = Loaded(GRANT).rows("activity", "time", "ip", "outcome")
    assert (f"{time:%Y-%m-%dT%H:%M:%S}", ip, outcome) == ("2025-11-24T16:00:00", "192.0.2.7", "success")


def test_a_user_is_no_person_for_being_called_user_and_a_service_is_a_machine() -> None:
    found = Loaded([GRANT, INVENTORY])
    assert found.rows("identity_facts", "id", "kind", "basis") == [
        ("ocsf:t1:u-1", "unknown", "seen"), ("ocsf:t1:u-2", "unknown", "seen"),
        ("ocsf:t1:u-3", "service_account", "inventory")]


def test_an_agent_with_a_user_acts_through_the_users_session() -> None:
    found = Loaded(AGENT)
    assert found.rows("activity", "actor_id", "via_assistant_id", "delegation_kind", "is_read", "resource_id") == [
        ("ocsf:t1:u-1", "ocsf:t1:agent-1", "platform_field", True, "tbl-1")]
    assert found.rows("assistant_access", "user_id", "agent_id", "resource_id", "action", "model_provider") == [
        ("ocsf:t1:u-1", "ocsf:t1:agent-1", "tbl-1", "read", "northwind")]
    assert ("ocsf:t1:agent-1", "ai_agent") in found.rows("identity_facts", "id", "kind")


def test_an_agent_without_a_user_acts_itself() -> None:
    found = Loaded({**AGENT, "actor": {}})
    assert found.rows("activity", "actor_id", "via_assistant_id") == [("ocsf:t1:agent-1", None)]
    assert found.rows("assistant_access", "user_id", "agent_id") == [(None, "ocsf:t1:agent-1")]


def test_prompts_are_not_stored_and_unknown_fields_are() -> None:
    found = Loaded(AGENT)
    assert "salary" not in json.dumps([f.to_dicts() for f in found.frames.values()], default=str)
    assert found.rows("activity", "unmapped") == [('{"vendor_extra":{"a":1}}',)]


def test_a_finding_is_a_signal_and_its_remediation_a_rules_recommendation() -> None:
    assert Loaded(FINDING).rows("decision_steps", "kind", "origin", "native_key", "target_key") == [
        ("recommendation", "rule", "f-1", "ocsf:t1:resource/role-x"), ("signal", None, "f-1", "ocsf:t1:resource/role-x")]


def test_the_status_of_a_finding_is_no_outcome_and_a_resolved_one_has_ended() -> None:
    worked_on = event(2004, 2, "f1", finding_info={"uid": "f-1"}) | {"status_id": 2}
    resolved = event(2001, 2, "f2", finding={"uid": "f-2", "remediation": {"desc": "close it"}}, state_id=4)
    open_still = event(2001, 1, "f3", finding={"uid": "f-3", "remediation": {"desc": "close it"}}, state_id=1)
    found = Loaded([worked_on, resolved, open_still])
    assert found.rows("activity", "outcome") == [("unknown",)]
    assert found.rows("decision_steps", "native_key", "kind") == [
        ("f-1", "signal"), ("f-2", "outcome"), ("f-3", "recommendation"), ("f-3", "signal")]


def test_a_cloudtrail_row_of_a_lake_is_the_record_and_the_role_of_the_cloudtrail_loader() -> None:
    found = Loaded(LAKE)
    assert found.ids == [record_id("aws", "111122223333", "a552c487-0000-4000-8000-000000000001")]
    assert found.rows("activity", "actor_id", "actor_session_id", "action", "outcome", "error_code", "provider",
                      "credential_id", "correlation_id") == [
        ("aws:111122223333:AROAEXAMPLEEXAMPLE", "s1", "iam:CreateUser", "denied", "AccessDenied",
         "aws", "ASIAEXAMPLE", "req-1")]
    assert json.loads(found["activity"]["unmapped"][0]) == {"unmapped": {"requestParameters.userName": "x"}}


@pytest.mark.parametrize(("more", "outcome", "kind"), [
    ({"status_id": 2}, "failure", "attempt"), ({"status_id": 2, "status_code": "403"}, "denied", "attempt"),
    ({"status_id": 1}, "success", "action"), ({"status_id": 0}, "unknown", "action"),
    ({"status_id": None, "status": "Success"}, "success", "action"), ({"disposition_id": 2}, "denied", "attempt"),
])
def test_what_failed_is_an_attempt(more: dict[str, Any], outcome: str, kind: str) -> None:
    found = Loaded({**GRANT, **more})
    assert (found.rows("activity", "outcome"), found.rows("decision_steps", "kind")) == ([(outcome,)], [(kind,)])


def test_an_activity_of_a_younger_number_is_read_by_its_caption() -> None:
    found = Loaded({**GRANT, "class_uid": 3007, "activity_id": 57, "activity_name": "Revoke Privileges",
                    "privileges": ["b", "a"]})
    assert found.rows("decision_steps", "effect_key") == [("revoke(ocsf:t1:user/u-2|privilege/a,b)",)]


def test_network_events_are_out_of_scope_unless_an_agent_acts() -> None:
    network = event(4001, 1, "n1")
    found = Loaded([network, {**network, "metadata": {"uid": "n2"}, "ai_agent": {"uid": "agent-1"}}])
    assert [(f.reason, f.disposition) for f in found.faults] == [("out_of_scope", "rejected")]
    assert found["activity"].height == 1


def test_an_unknown_class_is_activity() -> None:
    found = Loaded(event(6999, 1, "x1", class_name="Some Activity", activity_name="Do"))
    assert found.rows("activity", "action", "is_read") == [("Some Activity: Do", None)]


def test_a_restore_is_the_rollback_the_record_names() -> None:
    found = Loaded(event(7001, 3, "x2", resources=[{"uid": "host-1"}]))
    assert found.rows("decision_steps", "kind", "effect_key") == [("rollback", "restore(ocsf:t1:resource/host-1)")]


def test_an_event_without_time_is_kept_and_of_no_day() -> None:
    found = Loaded([GRANT, {**REVOKE, "time": None}])
    assert (found.faults, found["activity"]["time"].null_count()) == ([], 1)
    assert found.rows("decision_steps", "effect_key") == [("grant(ocsf:t1:user/u-2|role/r-9)",)]


@pytest.mark.parametrize("held", [[["requestParameters.password", "hunter2"]],
                                  [{"key": "requestParameters.password", "value": "hunter2"}],
                                  {"requestParameters": '{"password": "hunter2"}'}])
def test_a_secret_among_the_unmapped_fields_of_a_lake_is_not_stored(held: object) -> None:
    [(kept,)] = Loaded({**LAKE, "unmapped": held}).rows("activity", "unmapped")
    assert "requestParameters" in kept
    assert "hunter2" not in kept


def lake(operation: str, request: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A CloudTrail event as lakes have it: no status, the account in what was left unmapped."""
    return {**LAKE, "cloud": {"provider": "AWS"}, "status": None, "status_id": 99, "api": {
        "operation": operation, "service": {"name": "iam.amazonaws.com"}, "request": {"data": json.dumps(request)},
        "response": {"error": None}}, "unmapped": {"recipientAccountId": "111122223333"}, **more}


_TRAIL = {
    "eventVersion": "1.08", "eventID": LAKE["metadata"]["uid"], "eventTime": "2025-11-24T16:00:00Z",
    "eventSource": "iam.amazonaws.com", "eventName": "AttachRolePolicy", "recipientAccountId": "111122223333",
    "userIdentity": {"type": "AssumedRole", "principalId": "AROAEXAMPLEEXAMPLE:s1", "accountId": "111122223333",
    "arn": "arn:aws:sts::111122223333:assumed-role/deploy/s1"},
    "requestParameters": {"roleName": "etl", "policyArn": "arn:aws:iam::aws:policy/ReadOnlyAccess"}}


def test_a_change_in_a_lake_is_the_change_of_the_cloudtrail_loader() -> None:
    attach = lake("AttachRolePolicy", {"roleName": "etl", "policyArn": "arn:aws:iam::aws:policy/ReadOnlyAccess"},
                  user={"name": "somebody"})
    columns = ("kind", "operation", "target_key", "effect_key", "actor_id", "status", "record_id")
    assert Loaded(attach).rows("decision_steps", *columns) == Loaded({"Records": [_TRAIL]}).rows(
        "decision_steps", *columns)
    said = ("actor_id", "actor_session_id", "action", "outcome", "tenant", "resource_id", "error_code", "time")
    assert Loaded(attach).rows("activity", *said) == Loaded({"Records": [_TRAIL]}).rows("activity", *said)


def test_a_change_in_a_lake_states_the_keys_it_states_in_the_trail() -> None:
    attach = lake("AttachRolePolicy", {"roleName": "etl", "policyArn": "arn:aws:iam::aws:policy/ReadOnlyAccess"})
    attach["api"]["request"]["uid"] = "R-1"
    actor = {**attach["actor"], "user": {**attach["actor"]["user"], "credential_uid": "ASIAEXAMPLE000000001"}}
    trail = {**_TRAIL, "requestID": "R-1", "userIdentity": {
        **_TRAIL["userIdentity"], "accessKeyId": "ASIAEXAMPLE000000001"}}
    found = [Loaded(data)["decision_steps"]["stated_keys"].to_list() for data in (
        {**attach, "actor": actor}, {"Records": [trail]})]
    assert found[0] == found[1] == [["request:R-1", "session:ASIAEXAMPLE000000001"]]


@pytest.mark.parametrize("first", ["lake", "trail"])
def test_a_call_in_a_lake_file_beside_events_of_other_kinds_is_counted_once_with_its_trail(
    first: str, tmp_path: Path
) -> None:
    attach = lake("AttachRolePolicy", {"roleName": "etl", "policyArn": "arn:aws:iam::aws:policy/ReadOnlyAccess"},
                  user={"name": "somebody"})
    files = {"lake": "\n".join(map(json.dumps, [FINDING, INVENTORY, attach])), "trail": json.dumps({"Records": [_TRAIL]})}
    for name in sorted(files, reverse=first == "trail"):
        (tmp_path / name).write_text(files[name])
        result = load([tmp_path / name], Store.create(tmp_path / "w"))
    counts = result.counts["aws_cloudtrail" if first == "lake" else "ocsf"]
    assert (counts.accepted, counts.duplicate) == ((0, 1) if first == "lake" else (2, 1))
    estate = open_estate(tmp_path / "w")
    assert estate.frame("activity").filter(pl.col("action") == "iam:AttachRolePolicy").height == 1
    assert estate.new_in_formats.filter(pl.col("kind") == "revision").is_empty()


@pytest.mark.parametrize("first", ["lake", "trail"])
def test_what_two_sources_say_otherwise_of_one_event_is_kept_and_is_no_revision(first: str, tmp_path: Path) -> None:
    files = {"lake": json.dumps(lake("DetachRolePolicy", {"roleName": "etl"}, user={"name": "somebody"})),
             "trail": json.dumps({"Records": [_TRAIL]})}
    for name in sorted(files, reverse=first == "trail"):
        (tmp_path / name).write_text(files[name])
        load([tmp_path / name], Store.create(tmp_path / "w"))
    again = load([tmp_path / name for name in files], Store.create(tmp_path / "w"))
    estate = open_estate(tmp_path / "w")
    assert sorted(estate.frame("activity")["action"]) == ["iam:AttachRolePolicy", "iam:DetachRolePolicy"]
    assert estate.new_in_formats.filter(pl.col("kind") == "revision").is_empty()
    assert {name: count.accepted for name, count in again.counts.items()} == {"aws_cloudtrail": 0, "ocsf": 0}


def test_an_aws_service_in_a_lake_is_the_caller_and_managed_by_the_provider() -> None:
    found = Loaded(lake("AssumeRole", {}, actor={"invoked_by": "ec2.amazonaws.com", "user": {"type": None}}))
    said = {"eventVersion": "1.08", "eventID": LAKE["metadata"]["uid"], "eventTime": "2025-11-24T16:00:00Z",
            "eventSource": "iam.amazonaws.com", "eventName": "AssumeRole", "recipientAccountId": "111122223333",
            "userIdentity": {"type": "AWSService", "invokedBy": "ec2.amazonaws.com"}}
    trail = Loaded({"Records": [said]})
    for table, columns in (("activity", ("actor_id", "action", "outcome", "record_id")),
                           ("identity_facts", ("id", "kind", "subkind", "excluded_reason", "tenant"))):
        assert found.rows(table, *columns) == trail.rows(table, *columns)
    assert found.rows("identity_facts", "id", "excluded_reason") == [
        ("aws:service:ec2.amazonaws.com", "provider_managed")]


def test_a_row_of_the_release_candidates_names_its_caller_by_the_arn_in_uuid_and_its_subject_as_user() -> None:
    found = Loaded(event(
        3001, 1, "e1", metadata={"uid": "e1", "product": {"name": "CloudTrail", "vendor_name": "AWS"}},
        actor={"user": {"type": "IAMUser", "name": "ana", "uid": "111122223333", "account_uid": "111122223333",
                        "uuid": "arn:aws:iam::111122223333:user/ana"}, "session": {}},
        api={"operation": "CreateUser", "service": {"name": "iam.amazonaws.com"}, "response": {}},
        user={"name": "bo", "uid": "AIDABOBOBOBO"}, unmapped={"recipientAccountId": "111122223333"}))
    assert found.rows("activity", "actor_id") == [("aws:111122223333:arn:aws:iam::111122223333:user/ana",)]
    assert found.rows("decision_steps", "effect_key") == [("create(aws:111122223333:user/bo)",)]


def test_a_read_in_a_lake_is_no_change_and_a_failed_login_failed() -> None:
    found = Loaded([lake("ListUsers", {}, activity_id=2), lake("ConsoleLogin", {}, class_uid=3002, metadata={
        **LAKE["metadata"], "uid": "e9"}, api={"operation": "ConsoleLogin", "response": {
            "data": {"ConsoleLogin": "Failure"}}})])
    assert found["decision_steps"].is_empty()
    assert found.rows("activity", "action", "outcome") == [("ConsoleLogin", "failure"), ("iam:ListUsers", "success")]


def test_a_class_of_the_release_candidates_is_read_by_its_name() -> None:
    found = Loaded({**event(3005, 2, "x9", class_name="API Activity", api={"operation": "listThings"})})
    assert found["decision_steps"].is_empty()
    assert found.rows("activity", "action", "is_read") == [("listThings", True)]


def test_what_a_policy_stopped_an_agent_from_is_blocked() -> None:
    found = Loaded({**AGENT, "disposition_id": 2, "policy": {"uid": "p-1"}})
    assert found.rows("assistant_access", "policy_outcome") == [("blocked",)]
    assert found["assistant_access"]["policy_ids"].to_list() == [["p-1"]]


def test_an_arn_where_the_account_should_be_is_the_account_in_it() -> None:
    arn = "arn:aws:sts::111122223333:assumed-role/nodes/i-1"
    assert Loaded({**GRANT, "cloud": {"account": {"uid": arn}}}).rows("activity", "tenant") == [("111122223333",)]


def test_a_parquet_file_of_a_lake_says_the_same_as_its_json(tmp_path: Path) -> None:
    rows = [{**lake("AttachRolePolicy", {"roleName": "etl", "policyArn": "arn:aws:iam::aws:policy/x"}),
             "unmapped": [{"key": "recipientAccountId", "value": "111122223333"}]},
            {**LAKE, "unmapped": [{"key": "recipientAccountId", "value": "111122223333"}], "cloud": {"provider": "AWS"},
             "metadata": {**LAKE["metadata"], "uid": "e2"}}]
    pl.DataFrame(rows, infer_schema_length=None).write_parquet(tmp_path / "part-0")
    [document] = members(InputFile(tmp_path / "part-0", "part-0", 1), "0")
    assert isinstance(document, Member)
    match = ocsf.detect(document.sample)
    assert match is not None
    document.shape = match.shape
    batches = [ocsf.transform(chunk, document) for chunk in ocsf.extract(document)]
    columns = ("time", "actor_id", "action", "outcome", "event_id", "tenant", "record_id")
    found = pl.concat([batch.frames["activity"] for batch in batches]).select(columns).rows()
    assert sorted(found) == Loaded("\n".join(map(json.dumps, rows))).rows("activity", *columns)
