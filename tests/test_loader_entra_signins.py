"""Entra sign-ins. Records here are made up, except those under ``shared_data``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineage_analytics.loaders._entra_signin_rows import DENIED, INTERRUPTED
from tests._documents import Loaded
from tests._microsoft import Json, as_csv, as_json, as_lines, load, same

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

TENANT = "7a1b0000-0000-4000-8000-00000000000a"
ANA, BOT = "11111111-0000-4000-8000-000000000001", "22222222-0000-4000-8000-000000000002"
APP, GRAPH = "33333333-0000-4000-8000-000000000003", "00000003-0000-0000-c000-000000000000"
GRAPH_PRINCIPAL, POLICY = "44444444-0000-4000-8000-000000000004", "55555555-0000-4000-8000-000000000005"
KEY, BLUEPRINT = "66666666-0000-4000-8000-000000000006", "77777777-0000-4000-8000-000000000007"
CATEGORIES = {"interactiveUser": "SignInLogs", "nonInteractiveUser": "NonInteractiveUserSignInLogs",
              "servicePrincipal": "ServicePrincipalSignInLogs", "managedIdentity": "ManagedIdentitySignInLogs"}


def signin(number: int, sort: str = "interactiveUser", **more: Any) -> Json:
    """A synthetic sign-in as the beta API gives it."""
    user = sort in ("interactiveUser", "nonInteractiveUser")
    return {
        "id": f"{number:08d}-aaaa-4000-8000-000000000000", "createdDateTime": f"2026-03-01T10:00:{number % 60:02d}Z",
        "userDisplayName": "Ana" if user else None, "userPrincipalName": "ana@contoso.com" if user else None,
        "userId": ANA if user else "", "userType": "member" if user else None, "appId": APP, "appDisplayName": "Console",
        "ipAddress": "198.51.100.7", "clientAppUsed": "Browser", "userAgent": "Mozilla/5.0",
        "correlationId": f"{number:08d}-bbbb-4000-8000-000000000000", "conditionalAccessStatus": "success",
        "isInteractive": sort == "interactiveUser", "status": {"errorCode": 0, "failureReason": "Other."},
        "appliedConditionalAccessPolicies": [{"id": POLICY, "displayName": "MFA", "result": "success"},
                                             {"id": KEY, "displayName": "Off", "result": "notApplied"}],
        "riskDetail": "none", "riskLevelAggregated": "none", "riskLevelDuringSignIn": "none", "riskState": "none",
        "riskEventTypes_v2": [], "resourceDisplayName": "Microsoft Graph", "resourceId": GRAPH,
        "resourceServicePrincipalId": GRAPH_PRINCIPAL, "signInEventTypes": [sort], "sessionId": KEY if user else None,
        "servicePrincipalId": "" if user else BOT, "servicePrincipalName": None if user else "Deployer",
        "clientCredentialType": "none", "servicePrincipalCredentialKeyId": KEY if sort == "servicePrincipal" else None,
        "uniqueTokenIdentifier": f"Tok-{number}", "agent": {"agentType": "notAgentic", "parentAppId": None},
        "managedServiceIdentity": {"msiType": "systemAssigned", "associatedResourceId": "/subscriptions/S/vm/A"}
        if sort == "managedIdentity" else None,
    } | more


RECORDS = [signin(1), signin(2, "nonInteractiveUser"), signin(3, "servicePrincipal"), signin(4, "managedIdentity"),
           signin(5, status={"errorCode": 53003, "failureReason": "Blocked"}),
           signin(6, riskState="atRisk", riskLevelDuringSignIn="high", riskEventTypes_v2=["leakedCredentials"])]


def envelope(record: Json) -> Json:
    [sort] = record["signInEventTypes"]
    return {
        "time": "2026-03-01T10:07:00.1234567Z", "resourceId": f"/tenants/{TENANT}/providers/Microsoft.aadiam",
        "operationName": "Sign-in activity", "operationVersion": "1.0", "category": CATEGORIES[sort], "tenantId": TENANT,
        "resultType": str(record["status"]["errorCode"]), "resultSignature": "None", "durationMs": 0,
        "callerIpAddress": record["ipAddress"], "correlationId": record["correlationId"], "identity": "Ana", "Level": 4,
        "location": "FR", "properties": {key: value for key, value in record.items() if key != "signInEventTypes"},
    }


def table(record: Json) -> Json:
    """A row of Log Analytics: other names, dynamic columns as text."""
    [sort] = record["signInEventTypes"]
    kind = "SigninLogs" if sort == "interactiveUser" else f"AAD{CATEGORIES[sort]}"
    renamed = {"appliedConditionalAccessPolicies": "ConditionalAccessPolicies", "resourceId": "ResourceIdentity",
               "ipAddress": "IPAddress", "signInEventTypes": None}
    row = {new: json.dumps(value) if isinstance(value, dict | list) else value for key, value in record.items()
           if (new := renamed.get(key, key[0].upper() + key[1:])) is not None}
    return {"TenantId": "a-workspace", "TimeGenerated": record["createdDateTime"], "AADTenantId": TENANT,
            "ResultType": str(record["status"]["errorCode"]), "Category": CATEGORIES[sort],
            "OperationName": "Sign-in activity", "ResourceId": f"/tenants/{TENANT}/providers/Microsoft.aadiam",
            "Type": kind, **row}


SHAPES: dict[str, Callable[[list[Json]], bytes]] = {
    "diagnostic_lines": lambda records: as_lines([envelope(r) for r in records]),
    "diagnostic_records": lambda records: as_json({"records": [envelope(r) for r in records]}),
    "diagnostic_text": lambda records: as_lines([envelope(r) | {"properties": json.dumps(envelope(r)["properties"])}
                                                 for r in records]),
    "table_lines": lambda records: as_lines([table(r) for r in records]),
    "table_csv": lambda records: as_csv([table(r) for r in records]),
    "test_suite": lambda records: as_lines([{"_origin": {"test": "made up"}, "log": envelope(r)} for r in records]),
    "lower_case_keys": lambda records: as_lines([{k.lower(): v for k, v in envelope(r).items()} for r in records]),
}
GRAPH_SHAPES: dict[str, Callable[[list[Json]], bytes]] = {
    "array": as_json,
    "graph_page": lambda records: as_json({"@odata.context": "x#auditLogs/signIns", "value": records}),
    "graph_pages": lambda records: as_lines([{"@odata.context": "x", "value": records[:2]},
                                             {"@odata.context": "x", "value": records[2:]}]),
    "lines": as_lines,
}


def portal(record: Json) -> Json:
    code = record["status"]["errorCode"]
    return {"Date (UTC)": record["createdDateTime"], "Request ID": record["id"], "User agent": record["userAgent"],
            "Correlation ID": record["correlationId"], "User ID": record["userId"], "User": record["userDisplayName"],
            "Username": record["userPrincipalName"], "User type": "Member", "Incoming token type": "None",
            "Unique token identifier": record["uniqueTokenIdentifier"], "Application": "Console",
            "Application ID ": record["appId"], "Resource": "Microsoft Graph", "Resource ID ": record["resourceId"],
            "IP address": record["ipAddress"], "Location": "Lyon, FR", "Status": "Success" if code == 0 else "Failure",
            "Sign-in error code": code or "None", "Failure reason": "Other.", "Client app": "Browser",
            "Autonomous system  number": "1", "Session ID": record["sessionId"]}


CONTRACT_FILES: dict[str, bytes] = {name: write(RECORDS) for name, write in (SHAPES | GRAPH_SHAPES).items()}
CONTRACT_FILES["agent"] = as_json([signin(7, "nonInteractiveUser", agent={
    "agentType": "agenticAppInstance", "parentAppId": KEY})])
CONTRACT_FILES["portal_csv"] = as_csv([portal(r) for r in (RECORDS[0], RECORDS[1], RECORDS[4])])


def lines(*records: Json) -> bytes:
    return as_lines([envelope(r) for r in records])


@pytest.mark.parametrize("shape", [s for s in SHAPES if s != "diagnostic_lines"])
def test_the_same_sign_ins_give_the_same_rows_in_every_packaging(shape: str) -> None:
    plain, packed = load(SHAPES["diagnostic_lines"](RECORDS)), load(SHAPES[shape](RECORDS))
    assert (packed.source, packed.faults) == ("entra_signins", [])
    for name in ("activity", "identity_facts", "decision_steps"):
        assert same(packed.frames[name]) == same(plain.frames[name]), name


@pytest.mark.parametrize("shape", GRAPH_SHAPES)
def test_a_graph_sign_in_without_a_directory_is_the_record_of_the_diagnostic_setting(shape: str) -> None:
    plain, packed = load(SHAPES["diagnostic_lines"](RECORDS)), load(GRAPH_SHAPES[shape](RECORDS))
    assert packed.record_ids == plain.record_ids
    assert {row["tenant"] for row in packed.rows("activity")} == {None}
    filled = [{**row, "tenant": TENANT} for row in packed.rows("activity")]
    known = json.loads(json.dumps(filled, default=str).replace("entra::", f"entra:{TENANT}:"))
    assert known == json.loads(json.dumps(plain.rows("activity"), default=str))


def test_each_of_the_four_types_has_its_actor_session_and_credential() -> None:
    rows = load(lines(*RECORDS[:4])).rows("activity")
    assert [(r["action"], r["actor_id"], r["actor_session_id"], r["credential_id"]) for r in rows] == [
        ("signin:interactiveUser", f"entra:{TENANT}:{ANA}", KEY, "Tok-1"),
        ("signin:nonInteractiveUser", f"entra:{TENANT}:{ANA}", KEY, "Tok-2"),
        ("signin:servicePrincipal", f"entra:{TENANT}:{BOT}", "Tok-3", KEY),
        ("signin:managedIdentity", f"entra:{TENANT}:{BOT}", "Tok-4", "Tok-4")]
    first = rows[0]
    assert first["resource_id"] == f"entra:{TENANT}:application/{GRAPH}"
    assert first["extra_resource_ids"] == sorted([
        f"entra:{TENANT}:application/{APP}", f"entra:{TENANT}:{GRAPH_PRINCIPAL}", f"entra:{TENANT}:policy/{POLICY}"])
    assert "azure::/subscriptions/s/vm/a" in rows[3]["extra_resource_ids"]


@pytest.mark.parametrize(("sort", "more", "kind", "subkind", "excluded"), [
    ("interactiveUser", {}, "human", "user", None), ("interactiveUser", {"userType": "guest"}, "human", "guest", None),
    ("servicePrincipal", {"servicePrincipalName": "Copilot agent"}, "app", "service_principal", None),
    ("managedIdentity", {}, "workload", "managed_identity_system", None),
    ("managedIdentity", {"managedServiceIdentity": {"msiType": "userAssigned"}}, "workload", "managed_identity_user", None),
    ("managedIdentity", {"managedServiceIdentity": None}, "workload", "managed_identity", None),
    ("servicePrincipal", {"agent": {"agentType": "agenticAppInstance"}}, "ai_agent", "agent_identity", None),
    ("servicePrincipal", {"agent": {"agentType": "agentIdentityBlueprintPrincipal"}}, "ai_agent",
     "agent_blueprint_principal", None),
    ("servicePrincipal", {"agent": {"agentType": "unknownFutureValue"}}, "app", "service_principal", None),
    ("servicePrincipal", {"agent": {"agentType": "somethingNew"}}, "ai_agent", None, None),
    ("nonInteractiveUser", {"agent": {"agentType": "agentIDuser"}}, "ai_agent", "agent_user", None),
    ("nonInteractiveUser", {"agent": {"agentType": "notAgentic", "agentSubjectType": "agentIDuser"}}, "ai_agent",
     "agent_user", None),
])
def test_kinds_come_from_type_fields(sort: str, more: Json, kind: str, subkind: str | None, excluded: str | None) -> None:
    [fact] = load(lines(signin(1, sort, **more))).rows("identity_facts")
    assert (fact["kind"], fact["subkind"], fact["excluded_reason"], fact["basis"]) == (kind, subkind, excluded, "seen")


def test_services_of_the_provider_are_marked_by_their_category() -> None:
    row = envelope(signin(1, "servicePrincipal")) | {"category": "MicrosoftServicePrincipalSignInLogs"}
    [fact] = load(as_lines([row])).rows("identity_facts")
    assert (fact["subkind"], fact["excluded_reason"]) == ("first_party", "provider_managed")


def test_an_agent_through_which_a_user_signs_in_is_the_way_and_not_the_actor() -> None:
    agent = {"agentType": "agenticAppInstance", "parentAppId": BLUEPRINT}
    found = load(lines(signin(1, "nonInteractiveUser", agent=agent, servicePrincipalId=BOT)))
    [row] = found.rows("activity")
    assert (row["actor_id"], row["via_assistant_id"], row["delegation_kind"], row["delegation_trust"]) == (
        f"entra:{TENANT}:{ANA}", f"entra:{TENANT}:{BOT}", "platform_field", "provider_asserted")
    facts = {fact["id"]: fact for fact in found.rows("identity_facts")}
    assert (facts[f"entra:{TENANT}:{BOT}"]["kind"], facts[f"entra:{TENANT}:{BOT}"]["parent_id"]) == (
        "ai_agent", f"entra:{TENANT}:{BLUEPRINT}")
    assert facts[f"entra:{TENANT}:{ANA}"]["kind"] == "human"


@pytest.mark.parametrize(("code", "outcome"), [
    (0, "success"), ("0", "success"), (50126, "failure"), (53003, "denied"), (50105, "denied"), (50140, "unknown"),
    (50074, "unknown"), (7000215, "failure"), (None, "unknown"),
])
def test_outcomes_follow_the_error_code(code: int | str | None, outcome: str) -> None:
    record = envelope(signin(1)) | {"resultType": None}
    record["properties"]["status"] = {"errorCode": code}
    [row] = load(as_lines([record])).rows("activity")
    assert row["outcome"] == outcome
    assert row["error_code"] == (str(code) if outcome != "success" and code is not None else None)


def test_a_code_is_denied_or_interrupted_and_never_both() -> None:
    assert not DENIED & INTERRUPTED


def test_a_name_typed_into_a_failed_sign_in_is_nobody() -> None:
    typed = {"userId": "00000000-0000-0000-0000-000000000000", "userPrincipalName": "root@evil.example"}
    found = load(lines(signin(1, **typed, status={"errorCode": 50034})))
    assert found.rows("activity")[0]["actor_id"] is None
    assert found.rows("identity_facts") == []
    [row] = load(lines(signin(1, **typed))).rows("activity")
    assert row["actor_id"] == f"entra:{TENANT}:root@evil.example"


def test_the_home_address_of_a_guest_is_no_login_here() -> None:
    [fact] = load(lines(signin(1, userType="guest", userPrincipalName="Ana@Partner.example"))).rows("identity_facts")
    assert {alt["kind"]: alt["value"] for alt in fact["alt_ids"]} == {"email": "ana@partner.example", "object_id": ANA}


def test_version_1_0_without_event_types_has_the_same_types() -> None:
    plain = [{k: v for k, v in r.items() if k not in ("signInEventTypes", "agent")} for r in RECORDS[:4]]
    assert [r["action"] for r in load(as_json(plain)).rows("activity")] == [
        r["action"] for r in load(as_json(RECORDS[:4])).rows("activity")]


def test_a_sign_in_at_risk_is_a_signal_known_by_the_sign_in() -> None:
    [step] = load(lines(*RECORDS)).rows("decision_steps")
    assert (step["kind"], step["native_key_kind"], step["native_key"], step["target_key"]) == (
        "signal", "signin_id", RECORDS[5]["id"], f"entra:{TENANT}:user/{ANA}")


def test_a_download_of_the_portal_is_the_same_sign_in() -> None:
    plain = load(as_json([RECORDS[0], RECORDS[4]])).rows("activity")
    shown = load(as_csv([portal(RECORDS[0]), portal(RECORDS[4])])).rows("activity")
    for column in ("record_id", "time", "actor_id", "actor_session_id", "outcome", "error_code", "ip", "credential_id",
                   "resource_id", "event_id", "correlation_id", "client"):
        assert [r[column] for r in shown] == [r[column] for r in plain], column
    assert {r["action"] for r in shown} == {"signin"}
    assert [r["unmapped"] for r in shown] == [None, None]


@pytest.mark.parametrize(("written", "read"), [
    ("3/1/2026, 10:00:01.000 AM", "2026-03-01T10:00:01+00:00"), ("3/1/2026, 12:00:01 PM", "2026-03-01T12:00:01+00:00"),
    ("12/1/2026 12:00:01 AM", "2026-12-01T00:00:01+00:00"), ("2026-03-01T10:00:01Z", "2026-03-01T10:00:01+00:00"),
    ("1/3/2026, 10:00:01", None),
])
def test_a_result_saved_as_csv_has_its_times_in_utc_where_the_order_of_day_and_month_is_known(
    written: str, read: str | None
) -> None:
    row = {f"{key} [UTC]" if key in ("TimeGenerated", "CreatedDateTime") else key: value
           for key, value in table(signin(1)).items()}
    found = load(as_csv([row | {"CreatedDateTime [UTC]": written}]))
    assert found.source == "entra_signins"
    assert [r["time"].isoformat() for r in found.rows("activity")] == ([read] if read else [])
    assert [f.reason for f in found.faults] == ([] if read else ["no_time"])


def test_a_sign_in_out_of_powershell_is_the_same_sign_in() -> None:
    record = signin(1, "nonInteractiveUser", agent={"agentType": "agentIDuser"})
    shown = {key[0].upper() + key[1:]: value for key, value in record.items() if key != "agent"}
    shown |= {"CreatedDateTime": "/Date(1772359201000)/", "AdditionalProperties": {"agent": record["agent"]}}
    plain, found = load(as_json([record])), load(as_json([shown]))
    assert found.record_ids == plain.record_ids
    for name in ("activity", "identity_facts"):
        assert same(found.frames[name]) == same(plain.frames[name]), name


def test_where_ids_are_masked_one_id_stands_for_several_sign_ins() -> None:
    masked = signin(1)["id"]
    first, again, other = load(lines(signin(1), signin(1), signin(2, id=masked))).record_ids
    assert first == again != other


def test_new_fields_are_kept_and_known_ones_are_not_told_as_new() -> None:
    rows = load(lines(signin(1), signin(2, brandNew={"a": 1}))).rows("activity")
    assert [row["unmapped"] for row in rows] == [None, '{"brandnew":{"a":1}}']


def test_a_federation_server_states_the_known_fields_of_a_sign_in_too() -> None:
    [row] = load(lines(signin(1, redirectUrl="", sourceAppClientId=""))).rows("activity")
    assert row["unmapped"] is None


def test_a_sign_in_without_id_and_time_is_kept_and_another_log_is_out_of_scope() -> None:
    found = load(as_lines([envelope(signin(1)), {"category": "ProvisioningLogs", "properties": {"id": "1"}},
                           {"category": "SignInLogs", "properties": {"userId": ANA}}]))
    assert [(f.position, f.reason, f.disposition) for f in found.faults] == [
        (1, "out_of_scope", "rejected")]
    assert found.frames["activity"]["time"].null_count() == 1


_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8)
    | st.sampled_from(["", "[]", "{}", "[{}]", '"x"', '["a"]', "\\", "\x00", ANA, "atRisk", "http://[", "1e999"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["id", "agentType", "errorCode", "result", "msiType", "associatedResourceId"]), inner, max_size=3),
    max_leaves=6)
_KEYS = [*signin(1), "requestUri", "requestMethod", "responseStatusCode", "signInActivityId", "riskEventType", "riskDetail",
         "detectedDateTime", "lastUpdatedDateTime", "timeGenerated", "requestId", "C_Idtyp", "initiatedBy", "resultType"]


@settings(max_examples=200, deadline=None)
@given(st.sampled_from([*CATEGORIES.values(), "UserRiskEvents", "RiskyUsers", "MicrosoftGraphActivityLogs", "AuditLogs", "x"]),
       st.dictionaries(st.sampled_from(_KEYS), _values, max_size=8))
def test_any_value_in_any_log_is_counted_and_never_an_error(category: str, fields: Json) -> None:
    odd = envelope(signin(2)) | {"category": category}
    odd["properties"] = odd["properties"] | fields
    found = load(as_lines([*map(envelope, RECORDS[:3]), odd, odd | {"properties": fields}]))
    assert (found.source, found.seen) == ("entra_signins", 5)


# Real records, where they stand beside the project.

def raw_sign_ins(path: Path) -> list[Json]:
    """Envelopes or bare sign-ins of a shared file, by plain means."""
    text = path.read_text()
    rows = [json.loads(line) for line in text.splitlines() if line.strip()] if path.suffix == ".jsonl" else [json.loads(text)]
    rows = [row.get("log", row) for row in rows]
    return [row for row in rows if "SignInLogs" in row.get("category", "") or "createdDateTime" in row]


def test_every_shared_sign_in_is_read_with_its_ids_actors_and_outcomes(shared_data: Path) -> None:
    seen = 0
    for path in sorted((shared_data / "entra").rglob("*.json*")):
        wanted = raw_sign_ins(path)
        if not wanted:
            continue
        found = load(path.read_bytes())
        assert found.source == "entra_signins", path
        rows = [row for row in found.rows("activity") if row["source"] == "entra_signins"]
        assert [f for f in found.faults if f.disposition == "quarantined"] == [], path
        inner = [row.get("properties", row) for row in wanted]
        ids = {p["id"] for p in inner if p.get("id") and not p["id"].startswith("00000000")}
        assert {row["event_id"] for row in rows if row["event_id"]} == ids, path
        actors = {p.get("userId") or p.get("servicePrincipalId") for p in inner}
        assert {row["actor_id"].split(":", 2)[2] for row in rows} == actors, path
        codes = [p.get("status", {}).get("errorCode", {"0": 0, "Success": 0}.get(str(row.get("resultType"))))
                 for p, row in zip(inner, wanted, strict=True)]
        assert sum(row["outcome"] == "success" for row in rows) == codes.count(0), path
        assert len(rows) == len(wanted), path
        seen += len(rows)
    assert seen == 20


@pytest.mark.parametrize("selected", [
    ("id", "createdDateTime", "userId", "status"), ("id", "createdDateTime", "appId", "status"),
    ("createdDateTime", "userPrincipalName", "status"),
])
def test_a_page_of_few_selected_properties_is_known_by_the_code_of_its_status(selected: tuple[str, ...]) -> None:
    whole = {"id": "s-1", "createdDateTime": "2026-03-01T10:00:00Z", "userPrincipalName": "ann@example.org",
             "userId": "00000002-0000-4000-8000-000000000000", "appId": "00000005-0000-4000-8000-000000000000",
             "status": {"errorCode": 53003}}
    found = Loaded({"value": [{key: whole[key] for key in selected}]})
    assert (found.source, found.faults) == ("entra_signins", [])
    assert found["activity"]["outcome"].to_list() == ["denied"]
