"""CloudTrail in every packing it is met in: the same records, callers, changes and ids. Synthetic."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any

import pytest

from lineage_analytics.loaders import recognise
from tests._documents import Loaded, member
from tests._trail import ACCOUNT, event

if TYPE_CHECKING:
    from collections.abc import Iterable

ROLE = "AROAEXAMPLE000000001"
SESSION = {
    "type": "AssumedRole", "principalId": f"{ROLE}:run=7, of 9", "accountId": ACCOUNT, "accessKeyId": "ASIAEXAMPLE",
    "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/deploy/run=7, of 9", "sessionContext": {
        "attributes": {"mfaAuthenticated": "false"}, "webIdFederationData": None, "sessionIssuer": {
            "type": "Role", "principalId": ROLE, "accountId": ACCOUNT, "userName": "deploy",
            "arn": f"arn:aws:iam::{ACCOUNT}:role/ci/deploy"}}}
EVENTS = [event(0), event(1, userIdentity=SESSION), event(2, errorCode="AccessDenied", readOnly=False),
          event(3, resources=[{"ARN": f"arn:aws:iam::{ACCOUNT}:role/etl", "type": "AWS::IAM::Role"}])]
_COMPARED = ("event_id", "record_id", "time", "actor_id", "actor_session_id", "action", "resource_id", "outcome",
             "error_code", "credential_id", "tenant", "unmapped")


def _text(value: object) -> str:
    return json.dumps(value)


def _lines(values: Iterable[object], between: str = "\n") -> str:
    return between.join(map(_text, values))


def _lower(value: Any) -> Any:
    """Keys in lower case all the way down."""
    if isinstance(value, dict):
        return {key.lower(): _lower(inner) for key, inner in value.items()}
    return [_lower(inner) for inner in value] if isinstance(value, list) else value


def _row(record: dict[str, Any], caller: Any) -> dict[str, Any]:
    """A row of a query engine's table: names in lower case, request and response as JSON text."""
    row = {key.lower(): _text(value) if key == "requestParameters" else value for key, value in record.items()}
    return {**row, "useridentity": caller(record["userIdentity"]), "resources": _lower(row.get("resources", []))}


def _structure(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key.lower()}={_structure(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_structure, value)) + "]"
    return "null" if value is None else str(value)


def _csv(rows: list[dict[str, Any]]) -> str:
    buffer = io.StringIO()
    names = sorted({name for row in rows for name in row})
    table = csv.DictWriter(buffer, names, quoting=csv.QUOTE_ALL)
    table.writeheader()
    table.writerows(rows)
    return buffer.getvalue()


def _logs(events: list[dict[str, Any]]) -> dict[str, Any]:
    return {"messageType": "DATA_MESSAGE", "owner": ACCOUNT, "logGroup": "trail", "subscriptionFilters": ["all"],
            "logEvents": [{"id": str(n), "timestamp": 1, "message": _text(e)} for n, e in enumerate(events)]}


SHAPES = {
    "records": _text({"Records": EVENTS}),
    "records behind other keys": _text({"note": "Records", "Records": EVENTS}),
    "records, several documents": _text({"Records": EVENTS[:1]}) + _text({"Records": EVENTS[1:]}),
    "records on lines": _lines([{"Records": EVENTS[:1]}, {"Records": EVENTS[1:]}]),
    "array": _text(EVENTS),
    "lines": _lines(EVENTS),
    "lines of another system": _lines(EVENTS, "\r\n"),
    "values without a break": _lines(EVENTS, ""),
    "pretty values": "\n".join(json.dumps(e, indent=2) for e in EVENTS),
    "lookup-events, epoch float": _text({"NextToken": "x", "Events": [
        {"EventId": e["eventID"], "EventTime": 1780000000.123, "ReadOnly": "true", "Username": "ana", "Resources": [],
         "CloudTrailEvent": _text(e)} for e in EVENTS]}),
    "EventBridge array": _text([{"version": "0", "detail-type": "AWS API Call", "detail": e} for e in EVENTS]),
    "EventBridge stream": _lines(({"version": "0", "detail-type": "x", "detail": e} for e in EVENTS), ""),
    "subscription": _text(_logs(EVENTS)),
    "subscription, several deliveries": _text(_logs(EVENTS[:2])) + _text(_logs(EVENTS[2:])),
    "subscription on lines": _lines([_logs(EVENTS[:2]), _logs(EVENTS[2:])]),
    "filter-log-events": _text({"events": [{"timestamp": 1, "message": _text(e)} for e in EVENTS]}),
    "message as object": _text({"logEvents": [{"message": e} for e in EVENTS]}),
    "query result": _text([{"@timestamp": "2026-01-01 00:00:00.000", "@message": _text(e)} for e in EVENTS]),
    "export to S3": "\n".join(f"2026-06-01T10:00:00.000Z {_text(e)}" for e in EVENTS),
    "search export": _lines({"_index": "trail", "_source": e} for e in EVENTS),
    "test envelope": _lines({"_origin": {"file": "x"}, "log": e} for e in EVENTS),
    "pipeline fields": _lines({"@version": "1", "p_event_time": "x", **e} for e in EVENTS),
    "all keys in lower case": _lines(map(_lower, EVENTS)),
    "rows with structures": _lines(_row(e, _lower) for e in EVENTS),
    "rows with JSON text": _lines(_row(e, lambda who: _text(_lower(who))) for e in EVENTS),
    "CSV with JSON text": _csv([
        {**_row(e, lambda who: _text(_lower(who))), "resources": _text(e.get("resources", []))} for e in EVENTS]),
    "CSV with structure text": _csv([
        {**_row(e, _structure), "resources": _structure(e.get("resources", []))} for e in EVENTS]),
}


def _said(loaded: Loaded) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
    return (loaded.rows("activity", *_COMPARED),
            loaded.rows("decision_steps", "step_id", "kind", "target_key", "effect_key", "actor_id"))


@pytest.mark.parametrize("name", SHAPES)
def test_every_shape_says_the_same(name: str) -> None:
    plain, found = Loaded(SHAPES["records"]), Loaded(SHAPES[name])
    assert found.faults == []
    assert _said(found) == _said(plain)
    assert [row[3] for row in _said(plain)[0]].count(f"aws:{ACCOUNT}:{ROLE}") == 1


def test_a_control_message_of_the_pipeline_is_none_of_ours() -> None:
    logs = _logs(EVENTS)
    logs["logEvents"].append({"id": "c", "message": "CWL CONTROL MESSAGE: Checking health of destination Firehose."})
    found = Loaded(logs)
    assert [(fault.reason, fault.disposition) for fault in found.faults] == [("out_of_scope", "rejected")]
    assert len(found.ids) == len(EVENTS)


def test_an_envelope_without_a_record_is_a_fault_in_its_place() -> None:
    logs = _logs(EVENTS)
    logs["logEvents"][1:1] = [{"message": "no record"}, {"message": 5}, {"other": 1}]
    found = Loaded(logs)
    assert [(fault.position, fault.reason) for fault in found.faults] == [
        (1, "broken_json"), (2, "broken_json"), (3, "broken_json")]
    assert found["activity"]["raw_ref"].struct.field("offset").sort().to_list() == [0, 4, 5, 6]


def test_a_first_record_longer_than_the_head_does_not_hide_the_file() -> None:
    long = event(9, requestParameters={"policyDocument": "x" * 200_000})
    for text in (_text({"Records": [long, event(1)]}), _text([long, event(1)]), _lines([long, event(1)])):
        assert len(Loaded(text).ids) == 2


@pytest.mark.parametrize("odd", ['{"a": 1e400}', '{"n": ' + "9" * 5000 + ".e}", '{"a": "\\ud800"}', "5", "[1]"])
def test_an_odd_first_record_does_not_hide_the_file(odd: str) -> None:
    text = '{"Records": [' + odd + "," + _text(event(1)) + "]}"
    assert recognise(member(text).sample) is not None


TYPES: list[Any] = [None, 5, 1.5, True, "x", "", [], [None], [{}], {}, {"a": []}, {"sessionContext": {"a": 1}}]
FIELDS = ("userIdentity", "eventName", "eventSource", "resources", "requestParameters", "responseElements", "readOnly",
          "recipientAccountId", "errorCode", "userAgent", "eventID", "sessionCredentialFromConsole", "sharedEventID")


@pytest.mark.parametrize("field", FIELDS)
def test_a_field_of_any_type_costs_no_record(field: str) -> None:
    found = Loaded({"Records": [event(n, **{field: value}) for n, value in enumerate(TYPES)]})
    assert found.faults == []
    assert len(found.ids) == len(TYPES)


@pytest.mark.parametrize("value", [*TYPES, "abc", "404", [404], {"error": 1}])
def test_a_response_of_any_type_costs_no_record(value: Any) -> None:
    found = Loaded([event(1, eventSource="bedrock-agentcore.amazonaws.com", responseElements={
        "statusCode": value, "body": value})])
    assert len(found.ids) == 1
    assert found["activity"]["outcome"].to_list() == ["failure" if value in ("404", {"error": 1}) else "success"]


@pytest.mark.parametrize("operation", ["PutRolePolicy", "UpdateAccessKey", "CreateAccessKey", "CreatePolicy"])
def test_a_request_of_any_type_costs_no_record(operation: str) -> None:
    requests = [*TYPES, {"roleName": {"a": 1}}, {"roleName": "{userName}", "policyName": "{x|y}"}, {
        "roleName": "r", "policyName": "p", "policyDocument": "%7B%"}, *({"userName": v, "roleName": v} for v in TYPES)]
    found = Loaded({"Records": [
        event(n, eventName=operation, requestParameters=value) for n, value in enumerate(requests)]})
    assert (len(found.ids), found.faults) == (len(requests), [])


def test_an_unreadable_caller_is_nobody_not_the_account() -> None:
    text = _text({"Records": [event(1, userIdentity={"userName": "@@"})]}).encode().replace(b"@@", b"\xff\xff")
    assert Loaded(text)["activity"]["actor_id"].to_list() == [None]


def test_a_federation_that_names_nothing_proves_no_workload() -> None:
    session = json.loads(_text(SESSION))
    session["sessionContext"]["webIdFederationData"] = {"federatedProvider": None, "attributes": None}
    assert Loaded([event(1, userIdentity=session)])["identity_facts"]["kind"].to_list() == ["unknown"]


FLAT_CALLER = {"type": "AssumedRole", "principalId": "AROAEXAMPLE000000002:ana", "accountId": "111122223333",
               "arn": "arn:aws:sts::111122223333:assumed-role/etl/ana", "accessKeyId": "ASIAEXAMPLE000000002"}
FLAT_ISSUER = {"type": "Role", "principalId": "AROAEXAMPLE000000002", "accountId": "111122223333", "userName": "etl",
               "arn": "arn:aws:iam::111122223333:role/data/etl"}
FLAT_ASKED = {"userName": "bo", "policyArn": "arn:aws:iam::aws:policy/ReadOnlyAccess"}
FLAT_CALL = {"eventID": "e-1", "eventSource": "iam.amazonaws.com", "eventName": "AttachUserPolicy",
             "eventVersion": "1.08", "recipientAccountId": "111122223333", "readOnly": "false"}
FLAT_DOTTED = {
    **FLAT_CALL, "eventTime": "2026-06-01T10:00:00Z", "responseElements": "",
    **{f"userIdentity.{key}": held for key, held in FLAT_CALLER.items()},
    **{f"userIdentity.sessionContext.sessionIssuer.{key}": held for key, held in FLAT_ISSUER.items()},
    **{f"requestParameters.{key}": held for key, held in FLAT_ASKED.items()}}
FLAT_SENTINEL = {
    "TenantId": "w-1", "SourceSystem": "", "TimeGenerated [UTC]": "6/1/2026, 10:00:00.000 AM", "AwsEventId": "e-1",
    "EventSource": "iam.amazonaws.com", "EventName": "AttachUserPolicy", "EventVersion": "1.08", "ErrorCode": "",
    "RecipientAccountId": "111122223333", "ReadOnly": "false", "RequestParameters": json.dumps(FLAT_ASKED),
    "UserIdentityType": "AssumedRole", "UserIdentityPrincipalid": FLAT_CALLER["principalId"],
    "UserIdentityArn": FLAT_CALLER["arn"], "UserIdentityAccountId": "111122223333", "UserIdentityInvokedBy": "",
    "UserIdentityAccessKeyId": FLAT_CALLER["accessKeyId"], "Type": "AWSCloudTrail", "Category": "Management",
    **{f"SessionIssuer{key[0].upper()}{key[1:]}": held for key, held in FLAT_ISSUER.items()}}
FLAT_NESTED = {
    **FLAT_CALL, "eventTime": "2026-06-01T10:00:00Z", "requestParameters": FLAT_ASKED,
    "userIdentity": {**FLAT_CALLER, "sessionContext": {"sessionIssuer": FLAT_ISSUER}}}


def _as_csv(row: dict[str, str]) -> str:
    out = io.StringIO()
    writer = csv.DictWriter(out, list(row))
    writer.writeheader()
    writer.writerow(row)
    return out.getvalue()


@pytest.mark.parametrize("packed", [
    [FLAT_DOTTED], _as_csv(FLAT_DOTTED), [FLAT_SENTINEL], _as_csv(FLAT_SENTINEL)],
    ids=["dotted json", "dotted csv", "sentinel json", "sentinel csv"])
def test_fields_that_became_columns_say_the_same_as_the_record_they_are_from(packed: object) -> None:
    flat, nested = Loaded(packed), Loaded([FLAT_NESTED])
    assert not flat.faults
    for table in ("activity", "identity_facts", "decision_steps"):
        kept = [column for column in flat[table].columns if column not in ("raw_ref", "schema_version")]
        assert flat.rows(table, *kept) == nested.rows(table, *kept)


def test_columns_glued_to_their_parent_name_the_caller_and_no_error_is_none() -> None:
    flat = Loaded(
        "eventID,eventTime,eventName,eventSource,eventVersion,userIdentitytype,userIdentityaccountId,"
        "userIdentityprincipalId,userIdentityarn,userIdentityuserName,errorCode,requestParametersinstanceType\n"
        "e-1,2026-06-01T10:00:00Z,RunInstances,ec2.amazonaws.com,1.05,IAMUser,111122223333.0,AIDAEXAMPLE000000003,"
        "arn:aws:iam::111122223333:user/cy,cy,NoError,m5.large\n")
    [row] = flat["activity"].to_dicts()
    assert (row["actor_id"], row["outcome"], row["error_code"], row["unmapped"]) == (
        "aws:111122223333:AIDAEXAMPLE000000003", "success", None, None)


def test_a_record_in_a_cell_or_behind_a_search_is_the_record() -> None:
    lines = [json.dumps(event(n)) for n in range(2)]
    packed = {
        "insights csv": "".join(_as_csv({"@timestamp": "2026-06-01 10:00:00.000", "@message": line}) if n == 0 else
                                _as_csv({"@timestamp": "2026-06-01 10:00:01.000", "@message": line}).split("\n", 1)[1]
                                for n, line in enumerate(lines)),
        "search export": "\n".join(json.dumps({"preview": False, "result": {"_raw": line, "_time": "1"}})
                                   for line in lines),
        "raw": [{"_raw": line} for line in lines],
    }
    wanted = Loaded({"Records": [event(n) for n in range(2)]})
    for found in (Loaded(each) for each in packed.values()):
        assert not found.faults
        assert sorted(found.ids) == sorted(wanted.ids)
        assert found.rows("activity", "actor_id", "action", "time") == wanted.rows(
            "activity", "actor_id", "action", "time")


def test_an_event_without_an_id_goes_by_what_it_says_however_it_is_written() -> None:
    told = event(0, eventID=None)
    written = [json.dumps(told, separators=(",", ":")), json.dumps(told, indent=4),
               json.dumps({key: told[key] for key in reversed(told)}, ensure_ascii=False),
               _text({**told, "requestParameters": dict(reversed(told["requestParameters"].items()))})]
    assert len({tuple(Loaded(text).ids) for text in written}) == 1
    assert Loaded(event(1, eventID=None)).ids != Loaded(told).ids
