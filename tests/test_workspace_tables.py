"""Tables of Microsoft Sentinel and Defender: their rows are the records of the source they were made from, read by its
loader to the same rows however the query was saved. Columns as documented; all values are made up."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest

from tests._documents import Loaded

Row = dict[str, Any]
TIME, SHOWN = "2026-03-01T10:00:00Z", "3/1/2026, 10:00:00.000 AM"
APART = {"raw_ref", "unmapped", "observed_time"}


def n(number: int) -> str:
    return f"{number:08d}-0000-4000-8000-000000000000"


DIRECTORY, WORKSPACE = n(9), n(99)
OF_ENTRA: Row = {
    "TenantId": WORKSPACE, "SourceSystem": "Azure AD", "TimeGenerated": TIME, "AADTenantId": DIRECTORY,
    "ResourceId": f"/tenants/{DIRECTORY}/providers/Microsoft.aadiam", "OperationVersion": "1.0", "Level": "4"}


def envelope(category: str, properties: Row) -> Row:
    """The record as a diagnostic setting writes it."""
    return {"time": TIME, "category": category, "tenantId": DIRECTORY, "properties": properties,
            "resourceId": f"/tenants/{DIRECTORY}/providers/Microsoft.aadiam"}


SIGN_IN: Row = {
    "id": n(4), "createdDateTime": TIME, "userId": n(2), "userPrincipalName": "ann@example.org",
    "userDisplayName": "Ann", "appId": n(5), "appDisplayName": "Portal", "ipAddress": "192.0.2.1",
    "clientAppUsed": "Browser", "correlationId": n(6), "conditionalAccessStatus": "success", "isInteractive": True,
    "status": {"errorCode": 0}, "resourceId": n(7), "resourceDisplayName": "Graph", "userAgent": "UA",
    "signInEventTypes": ["interactiveUser"], "uniqueTokenIdentifier": "tok", "sessionId": n(34), "riskState": "none"}
WORKLOAD: Row = {
    "id": n(4), "createdDateTime": TIME, "appId": n(5), "servicePrincipalId": n(30), "servicePrincipalName": "app",
    "correlationId": n(6), "resourceId": n(7), "ipAddress": "192.0.2.1", "status": {"errorCode": 7000215},
    "signInEventTypes": ["servicePrincipal"], "conditionalAccessStatus": "notApplied"}
REQUEST: Row = {
    "timeGenerated": TIME, "requestId": n(20), "operationId": n(33), "requestUri": "https://graph.microsoft.com/v1.0/users",
    "requestMethod": "GET", "responseStatusCode": 200, "appId": n(5), "userId": n(2), "ipAddress": "192.0.2.1",
    "signInActivityId": "tok"}
RISK: Row = {
    "id": "r1", "requestId": n(21), "correlationId": n(6), "riskEventType": "unfamiliarFeatures", "riskState": "atRisk",
    "riskLevel": "medium", "riskDetail": "none", "detectedDateTime": TIME, "activityDateTime": TIME,
    "lastUpdatedDateTime": TIME, "userId": n(2), "userPrincipalName": "ann@example.org", "ipAddress": "192.0.2.1",
    "userDisplayName": "Ann", "activity": "signin"}
PROVISIONED: Row = {
    "id": "p1", "activityDisplayName": "Provisioning activity", "activityDateTime": TIME, "correlationId": n(6),
    "initiatedBy": {"app": {"displayName": "Provisioning Service"}}, "result": "success",
    "targetResources": [{"id": n(2), "displayName": "ann", "type": "User"}]}
EVENT: Row = {
    "uuid": n(15), "published": TIME, "eventType": "group.user_membership.add", "version": "0", "severity": "INFO",
    "displayMessage": "m", "actor": {"id": "00u1", "type": "User", "alternateId": "ann@example.org"},
    "client": {"ipAddress": "192.0.2.1"}, "outcome": {"result": "SUCCESS"}, "transaction": {"id": "t1", "type": "WEB"},
    "target": [{"id": "00u2", "type": "User", "alternateId": "bob@example.org"}, {"id": "00g1", "type": "UserGroup"}]}
ADDED: Row = {
    "@timestamp": 1772359200000, "_document_id": "d1", "action": "org.add_member", "actor": "ann", "actor_id": 1,
    "actor_is_bot": False, "org": "o", "org_id": 2, "user": "bob", "user_id": 3, "created_at": 1772359200000,
    "operation_type": "create", "permission": "read"}
ASSIGNED: Row = {
    "kind": "admin#reports#activity", "ipAddress": "192.0.2.1",
    "id": {"time": TIME, "uniqueQualifier": "-123", "applicationName": "admin", "customerId": "C1"},
    "actor": {"email": "ann@example.org", "profileId": "11", "callerType": "USER"},
    "events": [{"type": "DELEGATED_ADMIN_SETTINGS", "name": "ASSIGN_ROLE", "parameters": [
        {"name": "ROLE_NAME", "value": "R"}, {"name": "USER_EMAIL", "value": "bob@example.org"}]}]}
USER: Row = {
    "id": n(2), "userPrincipalName": "ann@example.org", "displayName": "Ann", "mail": "ann@example.org",
    "accountEnabled": True, "userType": "Member", "createdDateTime": TIME,
    "onPremisesSecurityIdentifier": "S-1-5-21-1-2-3-1105", "memberOf": [
        {"@odata.type": "#microsoft.graph.directoryRole", "id": n(50), "displayName": "Global Administrator"}]}

# Table: the loader, the native record, the row, and the cells that the table or the record alone states.
TABLES: dict[str, tuple[str, Row, Row, set[str]]] = {
    "EntraIdSignInEvents": ("entra_signins", SIGN_IN, {
        "Timestamp": TIME, "Application": "Portal", "ApplicationId": n(5), "LogonType": '["interactiveUser"]',
        "ErrorCode": 0, "CorrelationId": n(6), "SessionId": n(34), "AccountDisplayName": "Ann",
        "AccountObjectId": n(2), "AccountUpn": "ann@example.org", "IsExternalUser": 0, "IsGuestUser": False,
        "ResourceDisplayName": "Graph", "ResourceId": n(7), "RequestId": n(4), "ReportId": "x",
        "IPAddress": "192.0.2.1", "RiskState": 0, "RiskLevelDuringSignIn": 0, "ConditionalAccessStatus": 0,
        "ClientAppUsed": "Browser", "UserAgent": "UA", "UniqueTokenId": "tok", "Country": "DE"}, set()),
    "EntraIdSpnSignInEvents": ("entra_signins", WORKLOAD, {
        "Timestamp": TIME, "Application": "app", "ApplicationId": n(5), "IsManagedIdentity": False,
        "ErrorCode": 7000215, "CorrelationId": n(6), "ServicePrincipalName": "app", "ServicePrincipalId": n(30),
        "ResourceDisplayName": "Graph", "ResourceId": n(7), "IPAddress": "192.0.2.1", "RequestId": n(4),
        "ReportId": "x", "Country": "DE", "TenantId": WORKSPACE, "TimeGenerated": TIME}, set()),
    "AADServicePrincipalSignInLogs": ("entra_signins", envelope("ServicePrincipalSignInLogs", WORKLOAD), OF_ENTRA | {
        "OperationName": "Sign-in activity", "Category": "ServicePrincipalSignInLogs", "ResultType": "7000215",
        "CorrelationId": n(6), "AppId": n(5), "Id": n(4), "IPAddress": "192.0.2.1", "ResourceIdentity": n(7),
        "ServicePrincipalId": n(30), "ServicePrincipalName": "app", "Type": "AADServicePrincipalSignInLogs"}, set()),
    "AADNonInteractiveUserSignInLogs": (
        "entra_signins", envelope("NonInteractiveUserSignInLogs", SIGN_IN | {"signInEventTypes": None}), OF_ENTRA | {
            "Category": "NonInteractiveUserSignInLogs", "ResultType": "0", "CorrelationId": n(6), "AppId": n(5),
            "AppDisplayName": "Portal", "CreatedDateTime": TIME, "Id": n(4), "IPAddress": "192.0.2.1",
            "ResourceIdentity": n(7), "Status": '{"errorCode":0}', "UserId": n(2), "UserDisplayName": "Ann",
            "UserPrincipalName": "ann@example.org", "UniqueTokenIdentifier": "tok", "SessionId": n(34),
            "UserAgent": "UA", "RiskState": "none", "Type": "AADNonInteractiveUserSignInLogs"}, set()),
    "GraphAPIAuditEvents": ("entra_graph_activity", REQUEST, {
        "Timestamp": TIME, "ApplicationId": n(5), "IPAddress": "192.0.2.1", "EntityType": "user",
        "RequestUri": REQUEST["requestUri"], "AccountObjectId": n(2), "OperationId": n(33), "RequestDuration": "1",
        "RequestId": n(20), "RequestMethod": "GET", "ResponseStatusCode": "200", "UniqueTokenIdentifier": "tok",
        "TargetWorkload": "Microsoft.AAD", "ReportId": "x"}, set()),
    "MicrosoftGraphActivityLogs": ("entra_graph_activity", envelope("MicrosoftGraphActivityLogs", REQUEST), {
        "TenantId": WORKSPACE, "TimeGenerated": TIME, "AadTenantId": DIRECTORY, "AppId": n(5), "UserId": n(2),
        "IPAddress": "192.0.2.1", "OperationId": n(33), "RequestId": n(20), "RequestMethod": "GET",
        "RequestUri": REQUEST["requestUri"], "ResponseStatusCode": 200, "SignInActivityId": "tok",
        "Type": "MicrosoftGraphActivityLogs"}, set()),
    "AADUserRiskEvents": ("entra_risk", RISK, {
        "TenantId": WORKSPACE, "TimeGenerated": TIME, "Activity": "signin", "ActivityDateTime": TIME,
        "CorrelationId": n(6), "DetectedDateTime": TIME, "Id": "r1", "IpAddress": "192.0.2.1",
        "LastUpdatedDateTime": TIME, "RequestId": n(21), "RiskDetail": "none", "RiskEventType": "unfamiliarFeatures",
        "RiskLevel": "medium", "RiskState": "atRisk", "UserDisplayName": "Ann", "UserId": n(2),
        "UserPrincipalName": "ann@example.org", "OperationName": "User Risk Detection",
        "Type": "AADUserRiskEvents"}, set()),
    "AADProvisioningLogs": ("entra_audit", envelope("AuditLogs", PROVISIONED), OF_ENTRA | {
        "OperationName": "Provisioning activity", "Category": "ProvisioningLogs", "CorrelationId": n(6),
        "ResultType": "Success", "ProvisioningAction": "other", "ChangeId": "c", "CycleId": "y", "JobId": "j",
        "Id": "p1", "ActivityDateTime": TIME, "SourceIdentity": {"id": n(2), "name": "ann", "identityType": "User"},
        "InitiatedBy": {"id": "", "name": "Provisioning Service", "type": "system"},
        "Type": "AADProvisioningLogs"}, set()),
    "IdentityInfo": ("entra_directory", USER, {
        "TenantId": WORKSPACE, "TimeGenerated": TIME, "AccountObjectId": n(2), "AccountUPN": "ann@example.org",
        "AccountDisplayName": "Ann", "AccountCreationTime": TIME, "AccountSID": "S-1-5-21-1-2-3-1105",
        "AssignedRoles": ["Global Administrator"], "GroupMembership": ["All staff"], "IsAccountEnabled": True,
        "MailAddress": "ann@example.org", "UserType": "Member", "Manager": "Bob", "Type": "IdentityInfo"},
        {"record_id"}),
    "Okta_CL": ("okta_system_log", EVENT, {
        "TenantId": WORKSPACE, "TimeGenerated": TIME, "uuid_g": n(15), "published_t": TIME, "version_s": "0",
        "eventType_s": "group.user_membership.add", "severity_s": "INFO", "displayMessage_s": "m",
        "actor_id_s": "00u1", "actor_type_s": "User", "actor_alternateId_s": "ann@example.org",
        "client_ipAddress_s": "192.0.2.1", "outcome_result_s": "SUCCESS", "target_s": json.dumps(EVENT["target"]),
        "transaction_id_s": "t1", "transaction_type_s": "WEB", "Type": "Okta_CL"}, set()),
    "OktaV2_CL": ("okta_system_log", EVENT, {
        "TenantId": WORKSPACE, "TimeGenerated": TIME, "EventOriginalUid": n(15), "Version": "0",
        "EventOriginalType": "group.user_membership.add", "EventMessage": "m", "OriginalSeverity": "INFO",
        "OriginalUserId": "00u1", "OriginalUserType": "User", "OriginalActorAlternateId": "ann@example.org",
        "SrcIpAddr": "192.0.2.1", "OriginalOutcomeResult": "SUCCESS", "OriginalTarget": EVENT["target"],
        "TransactionId": "t1", "TransactionType": "WEB", "Type": "OktaV2_CL"}, set()),
    "OktaSystemLogs": ("okta_system_log", EVENT, {
        "TenantId": WORKSPACE, "TimeGenerated": TIME, "Type": "OktaSystemLogs",
        **{key[0].upper() + key[1:]: held for key, held in EVENT.items()}}, set()),
    "GitHubAuditLogPolling_CL": ("github_audit", ADDED, {
        "TenantId": WORKSPACE, "TimeGenerated": TIME, "_timestamp_d": 1772359200000.0, "_document_id_s": "d1",
        "action_s": "org.add_member", "actor_s": "ann", "actor_id_d": 1.0, "actor_is_bot_b": False, "org_s": "o",
        "org_id_d": 2.0, "user_s": "bob", "user_id_d": 3.0, "created_at_d": 1772359200000.0,
        "operation_type_s": "create", "permission_s": "read", "Type": "GitHubAuditLogPolling_CL"}, set()),
    "GitHubAuditLogsV2_CL": ("github_audit", ADDED, {
        "TenantId": WORKSPACE, "TimeGenerated": TIME, "CreatedAt": 1772359200000.0, "DocumentId": "d1",
        "Action": "org.add_member", "Actor": "ann", "ActorId": 1.0, "ActorIsBot": False, "Org": "o", "OrgId": 2.0,
        "User": "bob", "UserId": 3.0, "OperationType": "create", "Permission": "read", "CountryCode": "DE",
        "Type": "GitHubAuditLogsV2_CL"}, set()),
    "GWorkspace_ReportsAPI_admin_CL": ("google_workspace", ASSIGNED, {
        "TenantId": WORKSPACE, "TimeGenerated": TIME, "kind_s": "admin#reports#activity", "id_time_t": TIME,
        "id_uniqueQualifier_s": "-123", "id_applicationName_s": "admin", "id_customerId_s": "C1", "etag_s": "e",
        "actor_callerType_s": "USER", "actor_email_s": "ann@example.org", "actor_profileId_s": "11",
        "IPAddress": "192.0.2.1", "event_type_s": "DELEGATED_ADMIN_SETTINGS", "event_name_s": "ASSIGN_ROLE",
        "ROLE_NAME_s": "R", "USER_EMAIL_s": "bob@example.org", "Type": "GWorkspace_ReportsAPI_admin_CL"}, set()),
}


def saved(rows: list[Row], *, shown: bool) -> str:
    """The rows as the portal saves them, or as plain CSV."""
    text = io.StringIO()
    out = csv.writer(text)
    out.writerow([f"{key} [UTC]" if shown and held == TIME else key for key, held in rows[0].items()])
    for row in rows:
        out.writerow([SHOWN if shown and held == TIME else json.dumps(held) if isinstance(held, dict | list) else
                      str(held).lower() if isinstance(held, bool) else held for held in row.values()])
    return text.getvalue()


def answered(row: Row) -> Row:
    return {"tables": [{
        "name": "PrimaryResult", "columns": [{"name": key, "type": "string"} for key in row],
        "rows": [[json.dumps(held) if isinstance(held, dict | list) else held for held in row.values()]]}]}


def seen(found: Loaded, without: set[str]) -> dict[str, list[str]]:
    return {name: sorted({repr({key: held for key, held in row.items() if key not in without})
                          for row in frame.to_dicts()}) for name, frame in found.frames.items() if frame.height}


@pytest.mark.parametrize("table", TABLES)
def test_a_row_of_a_table_gives_the_rows_of_its_record(table: str) -> None:
    source, record, row, apart = TABLES[table]
    native, read = Loaded([record]), Loaded([row])
    assert (native.source, read.source, read.faults) == (source, source, [])
    assert seen(read, APART | apart | {"tenant"} if apart else APART) == seen(
        native, APART | apart | {"tenant"} if apart else APART)


@pytest.mark.parametrize("table", TABLES)
def test_a_row_of_a_table_is_one_record_however_the_query_was_saved(table: str) -> None:
    source, _, row, _ = TABLES[table]
    plain = Loaded([row])
    for packed in (saved([row], shown=True), saved([row], shown=False), json.dumps(answered(row))):
        read = Loaded(packed)
        assert (read.source, read.faults, read.ids) == (source, [], plain.ids)
        assert seen(read, {"raw_ref", "unmapped"}) == seen(plain, {"raw_ref", "unmapped"})


@pytest.mark.parametrize("table", TABLES)
def test_a_table_has_no_column_of_its_own_that_counts_as_news(table: str) -> None:
    _, _, row, _ = TABLES[table]
    read = Loaded([row])
    assert [held for frame in read.frames.values() if "unmapped" in frame.columns
            for held in frame["unmapped"].to_list() if held] == []
