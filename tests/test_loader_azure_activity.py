"""The activity log of Azure and resource logs. Records here are made up, except those under ``shared_data``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests import _odd_values
from tests._documents import Loaded
from tests._microsoft import Json, as_csv, as_json, as_lines

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

TENANT = "7a1b0000-0000-4000-8000-00000000000a"
ANA, BO = "11111111-0000-4000-8000-000000000001", "22222222-0000-4000-8000-000000000002"
SUBSCRIPTION = "/subscriptions/99999999-0000-4000-8000-000000000009"
ASSIGNMENT = f"{SUBSCRIPTION}/providers/Microsoft.Authorization/roleAssignments/aaaaaaaa-0000-4000-8000-00000000000a"
OWNER = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635"
CANARY = "pineapple-canary-77"
URL = "http://schemas.microsoft.com/identity/claims/"
CLAIMS = {"aud": "https://management.azure.com/", "iss": f"https://sts.windows.net/{TENANT}/", "appid": BO,
          f"{URL}objectidentifier": ANA.upper(), f"{URL}tenantid": TENANT, f"{URL}scope": "user_impersonation",
          "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn": "Ana@Contoso.com", "name": "Ana", "uti": "u-T_1",
          "ipaddr": "198.51.100.9", "puid": "10032001"}
BODY = json.dumps({"Id": "x", "Properties": {"PrincipalId": BO, "PrincipalType": "ServicePrincipal",
                                             "RoleDefinitionId": f"/x/roleDefinitions/{OWNER}", "Note": CANARY}})


def value(said: str) -> Json:
    return {"value": said, "localizedValue": said}


def rest(number: int = 1, operation: str = "Microsoft.Authorization/roleAssignments/write", **changed: Any) -> Json:
    return {
        "authorization": {"action": operation, "scope": ASSIGNMENT}, "caller": "ana@contoso.com", "channels": "Operation",
        "claims": CLAIMS, "correlationId": f"c{number}", "eventDataId": f"77777777-0000-4000-8000-00000000000{number}",
        "eventName": value("EndRequest"), "category": value("Administrative"),
        "eventTimestamp": "2026-03-01T10:00:00.1234567Z", "submissionTimestamp": "2026-03-01T10:01:00Z",
        "operationName": value(operation), "resourceId": ASSIGNMENT, "status": value("Succeeded"),
        "subStatus": value("Created"), "subscriptionId": SUBSCRIPTION.rsplit("/", 1)[-1], "level": "Informational",
        "httpRequest": {"clientIpAddress": "198.51.100.7", "method": "PUT"},
        "properties": {"statusCode": "Created", "requestbody": BODY}, "relatedEvents": [],
    } | changed


def row(record: Json) -> Json:
    """The record as a row of AzureActivity."""
    return {
        "TenantId": "00000000-1111-4000-8000-000000000000", "TimeGenerated": record["eventTimestamp"],
        "Type": "AzureActivity", "OperationNameValue": record["operationName"]["value"].upper(),
        "ActivityStatusValue": record["status"]["value"], "ActivitySubstatusValue": record["subStatus"]["value"],
        "CategoryValue": record["category"]["value"], "Caller": record["caller"], "CorrelationId": record["correlationId"],
        "EventDataId": record["eventDataId"], "EventSubmissionTimestamp": record["submissionTimestamp"],
        "Authorization": json.dumps(record["authorization"]), "Claims": json.dumps(record["claims"]),
        "Properties": json.dumps(record["properties"]), "HTTPRequest": json.dumps(record["httpRequest"]),
        "_ResourceId": record["resourceId"].lower(), "Level": record["level"],
    }


def hub(operation: str = "MICROSOFT.AUTHORIZATION/LOCKS/DELETE", **changed: Any) -> Json:
    """A record as a diagnostic setting delivers it."""
    return {
        "time": "2026-03-01T11:00:00.0000000Z", "resourceId": f"{SUBSCRIPTION}/X".upper(), "operationName": operation,
        "category": "Administrative", "resultType": "Success", "resultSignature": "Succeeded.OK", "durationMs": 3,
        "callerIpAddress": "203.0.113.5", "correlationId": "c9", "level": "Information", "tenantId": TENANT,
        "identity": {"authorization": {"action": operation}, "claims": CLAIMS}, "properties": {},
    } | changed


def vault(operation: str = "SecretGet", code: int = 200, **changed: Any) -> Json:
    return {
        "time": "2026-03-01T12:00:00Z", "category": "AuditEvent", "operationName": operation, "resultType": "Success",
        "resultDescription": CANARY, "correlationId": "k1", "callerIpAddress": "203.0.113.6",
        "identity": {"claim": {"oid": ANA, "appid": BO, "scp": "user_impersonation", "upn": "ana@contoso.com"}},
        "properties": {"id": "https://v.vault.azure.net/secrets/db/0123", "clientInfo": "agent/1", "httpStatusCode": code,
                       "requestUri": "https://v.vault.azure.net/secrets/db?api-version=7.0"},
        "resourceId": f"{SUBSCRIPTION}/RESOURCEGROUPS/G/PROVIDERS/MICROSOFT.KEYVAULT/VAULTS/V",
        "resultSignature": "OK" if code < 400 else "Forbidden",
    } | changed


DIAGNOSTICS = {
    "TenantId": "00000000-1111-4000-8000-000000000000", "TimeGenerated": "2026-03-01T12:00:00Z", "Type": "AzureDiagnostics",
    "ResourceId": f"{SUBSCRIPTION}/RESOURCEGROUPS/G/PROVIDERS/MICROSOFT.KEYVAULT/VAULTS/V", "Category": "AuditEvent",
    "ResourceProvider": "MICROSOFT.KEYVAULT", "SubscriptionId": "x", "OperationName": "SecretGet", "ResultType": "Success",
    "CorrelationId": "k1", "ResultSignature": "Forbidden", "CallerIPAddress": "203.0.113.6", "httpStatusCode_d": "403",
    "identity_claim_http_schemas_microsoft_com_identity_claims_objectidentifier_g": ANA, "identity_claim_appid_g": BO,
    "identity_claim_http_schemas_xmlsoap_org_ws_2005_05_identity_claims_upn_s": "ana@contoso.com",
    "id_s": "https://v.vault.azure.net/secrets/db/0123", "clientInfo_s": "agent/1",
}
VAULT_LOG = {
    "TenantId": "x", "TimeGenerated": "2026-03-01T12:00:00Z", "OperationName": "SecretGet", "ResultType": "Success",
    "_ResourceId": DIAGNOSTICS["ResourceId"].lower(), "Category": "AuditEvent", "HttpStatusCode": 403, "RequestUri": "u",
    "Identity": json.dumps({"claim": {"oid": ANA, "appid": BO, "upn": "ana@contoso.com"}}), "CorrelationId": "k1",
    "Id": "https://v.vault.azure.net/secrets/db/0123", "CallerIpAddress": "203.0.113.6", "ResultSignature": "Forbidden",
}

RECORDS = [rest(), rest(2, "Microsoft.Authorization/roleAssignments/delete"),
           rest(3, "Microsoft.Compute/virtualMachines/read", status=value("Failed"), subStatus=value(
               "Forbidden (HTTP Status Code: 403)"), properties={"statusCode": "Forbidden"})]
SHAPES: dict[str, Callable[[list[Json]], bytes]] = {
    "array": as_json,
    "page": lambda records: as_json({"value": records}),
    "lines": as_lines,
    "pages_on_lines": lambda records: as_lines([{"value": records[:1]}, {"value": records[1:]}]),
    "rows": lambda records: as_lines([row(r) for r in records]),
    "rows_csv": lambda records: as_csv([row(r) for r in records]),
    "test_suite": lambda records: as_lines([{"_origin": {"test": 1}, "log": r} for r in records]),
    "lower_case_keys": lambda records: as_lines([{k.lower(): v for k, v in r.items()} for r in records]),
}
HUB = [hub(), hub("MICROSOFT.KEYVAULT/VAULTS/WRITE", resultType="Start", resultSignature="Started.")]
CONTRACT_FILES: dict[str, bytes] = {
    **{name: write(RECORDS) for name, write in SHAPES.items()},
    "hub_records": as_json({"records": HUB}), "hub_lines": as_lines(HUB),
    "vault_csv": as_csv([DIAGNOSTICS]), "vault_rows": as_lines([VAULT_LOG, DIAGNOSTICS]),
    "vault": as_lines([vault(), vault("SecretSet"), vault("SecretDelete", 403)]),
    "agent": as_lines([hub(identity={"claims": CLAIMS | {"idtyp": "user", "appid": BO, "xms_act_fct": "3 9 11"}})]),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_the_same_events_are_the_same_in_every_packaging(shape: str) -> None:
    plain, packed = Loaded(as_json(RECORDS)), Loaded(SHAPES[shape](RECORDS))
    assert packed.faults == []
    assert sorted(packed.ids) == sorted(plain.ids)
    for table, left in (("activity", ("unmapped",)), ("decision_steps", ()), ("identity_facts", ())):
        columns = [c for c in plain[table].columns if c not in ("raw_ref", *left)]
        assert packed.rows(table, *columns) == plain.rows(table, *columns), table


def test_a_caller_is_the_object_of_the_token_in_its_directory() -> None:
    loaded = Loaded([rest()])
    assert loaded.rows("activity", "actor_id", "action", "outcome", "ip", "credential_id", "resource_id") == [
        (f"entra:{TENANT}:{ANA}", "microsoft.authorization/roleassignments/write", "success", "198.51.100.7", "u-T_1",
         ASSIGNMENT.lower())]
    assert loaded.rows("identity_facts", "id", "kind", "display_name") == [
        (f"entra:{TENANT}:{ANA}", "human", "ana@contoso.com"), (f"entra:{TENANT}:{BO}", "app", None)]


@pytest.mark.parametrize(("claims", "kind"), [
    ({"oid": ANA, "idtyp": "app"}, "app"), ({"oid": ANA, "idtyp": "user"}, "human"), ({"oid": ANA}, "unknown"),
    ({"oid": ANA, "xms_mirid": "/subscriptions/x", "idtyp": "app"}, "workload"), ({"oid": ANA, "name": "Ana"}, "unknown"),
    ({"oid": ANA, "appid": BO, "appidacr": "2"}, "app"), ({"appid": BO}, "unknown"),
])
def test_the_sort_of_a_caller_is_what_the_token_says(claims: Json, kind: str) -> None:
    facts = Loaded([hub(identity={"claims": claims})])["identity_facts"]
    assert facts["kind"].to_list() == [kind]


def test_an_event_without_an_id_is_the_same_record_in_every_packaging() -> None:
    plain = Loaded(as_json(HUB)).ids
    for data in (as_json({"records": HUB}), as_lines(HUB), as_lines([{"_origin": {}, "log": r} for r in HUB]),
                 as_lines([{k.lower(): v for k, v in r.items()} for r in HUB])):
        assert sorted(Loaded(data).ids) == sorted(plain)


@pytest.mark.parametrize("record", [DIAGNOSTICS, VAULT_LOG])
@pytest.mark.parametrize("write", [lambda r: as_lines([r, r]), lambda r: as_csv([r])])
def test_a_vaults_record_out_of_a_workspace_is_that_of_the_vault(record: Json, write: Callable[[Json], bytes]) -> None:
    said = ("actor_id", "action", "outcome", "resource_id", "extra_resource_ids", "ip")
    wanted = Loaded([vault("SecretGet", 403, callerIpAddress="203.0.113.6")]).rows("activity", *said)
    assert Loaded(write(record)).rows("activity", *said) == wanted


def test_a_storage_row_out_of_a_workspace_names_the_requester() -> None:
    row = {"TimeGenerated": "2026-03-01T12:00:00Z", "OperationName": "GetBlob", "Category": "StorageRead",
           "AccountName": "a", "ObjectKey": "/a/c/x", "RequesterObjectId": ANA, "RequesterTenantId": TENANT,
           "StatusCode": "200", "StatusText": "Success", "CallerIpAddress": "203.0.113.6:99",
           "_ResourceId": f"{SUBSCRIPTION}/x"}
    assert Loaded(as_csv([row])).rows("activity", "actor_id", "outcome", "is_read", "extra_resource_ids") == [
        (f"entra:{TENANT}:{ANA}", "success", True, ["/a/c/x"])]


def test_nobody_named_is_nobody() -> None:
    loaded = Loaded([hub(identity={})])
    assert loaded.rows("activity", "actor_id") == [(None,)]
    assert loaded["identity_facts"].is_empty()


@pytest.mark.parametrize(("status", "signature", "outcome"), [
    ("Success", "Succeeded.OK", "success"), ("Succeeded", None, "success"), ("Start", "Started.", "unknown"),
    ("Accept", "Accepted.Accepted", "unknown"), ("Failure", "Failed.Forbidden", "denied"), ("Failed", "403", "denied"),
    ("Failed", None, "failure"), ("Failure", "Failed.Conflict", "failure"), (None, None, "unknown"),
])
def test_outcomes_follow_the_status(status: str | None, signature: str | None, outcome: str) -> None:
    assert Loaded([hub(resultType=status, resultSignature=signature)]).rows("activity", "outcome") == [(outcome,)]


def test_a_refused_call_that_a_vault_calls_success_is_denied() -> None:
    loaded = Loaded(as_lines([vault("SecretGet", 403), vault("SecretGet", 200)]))
    assert loaded.rows("activity", "outcome", "error_code", "is_read") == [
        ("denied", "Forbidden", True), ("success", None, True)]
    assert loaded.rows("activity", "extra_resource_ids") == [(["https://v.vault.azure.net/secrets/db/0123"],)]


def test_a_role_assignment_and_its_deletion_are_inverse() -> None:
    steps = Loaded(RECORDS)["decision_steps"].sort("event_id")
    target = f"entra:{TENANT}:role_assignment/aaaaaaaa-0000-4000-8000-00000000000a"
    assert steps.select("kind", "effect_key", "initiator_id").rows() == [
        ("action", f"{verb}({target})", f"entra:{TENANT}:{ANA}") for verb in ("grant", "revoke")]
    assert f"{OWNER} for {BO}" in steps["title"][0]


def test_an_american_time_in_an_envelope_is_in_utc() -> None:
    found = Loaded(hub(time="3/1/2026 1:05:09 PM"))
    assert found["activity"]["time"].item().isoformat() == "2026-03-01T13:05:09+00:00"


def test_the_directory_may_stand_in_the_path_alone() -> None:
    event = hub(tenantId=None, identity={}, resourceId=f"/TENANTS/{TENANT.upper()}/PROVIDERS/MICROSOFT.X")
    assert Loaded([hub(), event])["activity"]["tenant"].to_list() == [TENANT, TENANT]


@pytest.mark.parametrize("held", [
    lambda value: {"Content": value}, lambda value: [{"Key": key, "Value": each} for key, each in value.items()]])
def test_an_event_out_of_powershell_is_the_same_event(held: Callable[[Json], object]) -> None:
    event = rest()
    shown = {key[0].upper() + key[1:]: said["value"] if isinstance(said, dict) and "localizedValue" in said else said
             for key, said in event.items() if key != "relatedEvents"} | {
        "Claims": held(CLAIMS), "Properties": held(event["properties"]), "EventChannels": None}
    plain, powershell = Loaded([event]), Loaded([shown])
    assert (powershell.source, powershell.ids) == (plain.source, plain.ids)
    columns = ("actor_id", "action", "resource_id", "outcome", "unmapped")
    assert powershell.rows("activity", *columns) == plain.rows("activity", *columns)
    assert powershell.rows("decision_steps", "target_key", "effect_key") == plain.rows(
        "decision_steps", "target_key", "effect_key")


def test_what_an_alert_rule_sends_is_the_event_itself() -> None:
    event = rest() | {"operationName": "Microsoft.Authorization/roleAssignments/write", "status": "Succeeded",
                      "subStatus": "Created", "claims": json.dumps(CLAIMS), "eventSource": "Administrative"}
    sent = {"schemaId": "Microsoft.Insights/activityLogs", "data": {
        "status": "Activated", "context": {"activityLog": event}, "properties": {}}}
    plain, alerted = Loaded([rest()]), Loaded(sent)
    assert (alerted.source, alerted.faults, alerted.ids) == ("azure_activity", [], plain.ids)
    columns = ("actor_id", "action", "resource_id", "outcome", "time", "unmapped")
    assert alerted.rows("activity", *columns) == plain.rows("activity", *columns)


def test_begun_work_is_no_step_and_failed_work_an_attempt() -> None:
    assert Loaded([hub(resultType="Start", resultSignature="Started.")])["decision_steps"].is_empty()
    failed = Loaded([hub(resultType="Failed", resultSignature="403")])["decision_steps"]
    assert failed.select("kind", "status").rows() == [("attempt", "failed")]


def test_one_of_microsofts_own_services_is_nobodys_account() -> None:
    address = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress"
    loaded = Loaded([hub(identity={"claims": {address: "Microsoft.Advisor"}})])
    assert loaded.rows("identity_facts", "id", "kind", "excluded_reason") == [
        (f"entra:{TENANT}:microsoft.advisor", "unknown", "provider_managed")]
    assert Loaded([hub()]).rows("identity_facts", "excluded_reason") == [(None,)]


def test_a_deployment_tried_out_is_a_dry_run() -> None:
    tried = Loaded([hub("MICROSOFT.RESOURCES/DEPLOYMENTS/WHATIF/ACTION")])
    assert tried.rows("activity", "is_dry_run", "is_read") == [(True, None)]


def test_elevation_has_the_target_the_directory_audit_gives_it() -> None:
    steps = Loaded([hub("Microsoft.Authorization/elevateAccess/action")])["decision_steps"]
    assert steps["effect_key"].to_list() == [f"grant(entra:{TENANT}:role/user access administrator|{ANA}|azure-root)"]


def test_objects_of_a_vault_are_changed_whatever_their_version() -> None:
    steps = Loaded(as_lines([vault("SecretSet"), vault("SecretDelete", properties={
        "id": "https://V.vault.azure.net/secrets/db", "httpStatusCode": 200})]))["decision_steps"]
    assert steps["effect_key"].to_list() == [f"{verb}(entra::secret/v.vault.azure.net/db)" for verb in ("set", "delete")]


def test_a_request_of_privileged_management_carries_the_requests_id_and_its_ticket() -> None:
    path = f"{SUBSCRIPTION}/providers/Microsoft.Authorization/roleAssignmentScheduleRequests/{BO}"
    held = {"Properties": {"PrincipalId": ANA, "RoleDefinitionId": f"/x/{OWNER}", "RequestType": "SelfActivate",
                           "Justification": f"{CANARY} CHG0031337", "TicketInfo": {"TicketNumber": "4711"}}}
    loaded = Loaded([rest(1, "Microsoft.Authorization/roleAssignmentScheduleRequests/write", resourceId=path,
                          properties={"requestbody": json.dumps(held)})])
    assert loaded.rows("decision_steps", "kind", "native_key_kind", "native_key", "stated_keys", "quoted_keys",
                       "target_key") == [
        ("request", "pim_request_id", BO, ["session:u-T_1", "ticket:4711"], ["CHG0031337"],
         f"entra:{TENANT}:role/{OWNER}|{ANA}|{SUBSCRIPTION}")]


def test_advice_and_alerts_are_what_a_change_may_go_back_to() -> None:
    advice = hub("Microsoft.Advisor/recommendations/available/action", category="Recommendation", resultType="Active")
    alert = hub("Microsoft.Security/locations/alerts/activate/action", category="Security", resultType="Active")
    assert [Loaded([r])["decision_steps"]["kind"].to_list() for r in (advice, alert)] == [["recommendation"], ["signal"]]


def test_no_body_description_or_signed_address_is_stored() -> None:
    storage = {"time": "2026-03-01T12:00:00Z", "category": "StorageRead", "operationName": "GetBlob", "statusCode": 200,
               "uri": f"https://x.blob.core.windows.net/a?sig={CANARY}", "callerIpAddress": "203.0.113.5:4312",
               "properties": {"objectKey": "/x/a", "userAgentHeader": "curl"}, "identity": {"type": "SAS"}}
    for records in (RECORDS, [vault()], [storage]):
        loaded = Loaded(as_lines(records))
        assert CANARY not in str({table: frame.to_dicts() for table, frame in loaded.frames.items()})
    assert Loaded([storage]).rows("activity", "ip", "outcome", "is_read", "actor_id") == [
        ("203.0.113.5", "success", True, None)]


def test_a_clusters_records_among_others_are_rejected_by_name() -> None:
    cluster = hub("Microsoft.ContainerService/managedClusters/diagnosticLogs/Read", category="kube-audit")
    loaded = Loaded(as_lines([hub(), cluster]))
    assert [(fault.reason, fault.disposition) for fault in loaded.faults] == [("out_of_scope", "rejected")]


def _logs(path: Path) -> list[Json]:
    if path.suffix == ".jsonl":
        return [json.loads(line)["log"] for line in path.read_text("utf-8").splitlines()]
    return [json.loads(path.read_text("utf-8"))]


def _code(log: Json) -> int | None:
    held = log.get("properties", {}).get("httpStatusCode", log.get("statusCode"))
    return int(held) if held else int(log["resultSignature"]) if str(log.get("resultSignature")).isdigit() else None


def _denied(log: Json) -> bool:
    return _code(log) == 403


def _actor(log: Json) -> str | None:
    identity = log.get("identity", {})
    claims = log.get("claims") or identity.get("claims") or identity.get("claim") or {}
    short = {key.rsplit("/", 1)[-1]: held for key, held in claims.items()}
    names = ("objectidentifier", "oid", "upn", "emailaddress", "appid", "name")
    return next((short[key].lower() for key in names if short.get(key)), None)


def test_every_real_file_is_recognised_and_its_counts_are_those_of_plain_python(shared_data: Path) -> None:
    files = sorted(p for p in (shared_data / "azure_activity").rglob("*") if p.is_file())
    assert len(files) == 25
    for path in files:
        logs = _logs(path)
        kept = [log for log in logs if log.get("category") != "kube-audit"]
        loaded = Loaded(path.read_bytes())
        assert loaded.source == "azure_activity", path.name
        assert [f for f in loaded.faults if f.disposition == "quarantined"] == [], path.name
        assert (len(loaded.ids), len(loaded.faults)) == (len(kept), len(logs) - len(kept)), path.name
        activity = loaded["activity"]
        assert activity["outcome"].to_list().count("denied") == sum(map(_denied, kept)), path.name
        actors = {found.split(":", 2)[2].lower() for found in activity["actor_id"].drop_nulls()}
        assert actors == {found for log in kept if (found := _actor(log))}, path.name
        assert activity["correlation_id"].n_unique() == len({log.get("correlationId") for log in kept}), path.name


@pytest.mark.parametrize("name", ["array", "rows", "hub_lines", "vault"])
def test_any_value_anywhere_is_counted_and_never_an_error(name: str) -> None:
    assert _odd_values.check("azure_activity", CONTRACT_FILES[name]) > 50
