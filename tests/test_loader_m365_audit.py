"""The Microsoft 365 unified audit log. Records here are made up, except those under ``shared_data``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineage_analytics.loaders._m365_copilot import canonical_agent
from lineage_analytics.loaders._m365_urls import resource_key
from tests._microsoft import Json, as_csv, as_json, as_lines, load, same

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ORG = "408e31c8-8f05-410a-9221-84335f0ce512"
PERSON = "12d24f71-64c7-49b3-821f-f8884f3f373e"
CANARY = "pineapple-canary-77"
SITE = "https://contoso.sharepoint.com/sites/HR"


def record(number: int, operation: str, **more: Any) -> Json:
    """A synthetic audit record."""
    return {
        "CreationTime": f"2026-03-0{number % 9 + 1}T10:00:00", "Id": f"00000000-0000-4000-8000-{number:012d}",
        "Operation": operation, "OrganizationId": ORG, "RecordType": 6, "UserKey": "100320015858b802", "UserType": 0,
        "Version": 1, "Workload": "SharePoint", "UserId": "Ana.Silva@Contoso.com",
    } | more


def interaction(number: int = 1, event: Json | None = None, **more: Any) -> Json:
    """A synthetic CopilotInteraction record."""
    data: Json = {
        "AppHost": "Word", "ThreadId": "19:abcdefgh@thread.v2",
        "Messages": [{"Id": "1715187560311", "isPrompt": True}, {"Id": "1715187561014", "isPrompt": False}],
    }
    return record(number, "CopilotInteraction", RecordType=261, Workload="Copilot", UserKey=PERSON,
                  CopilotEventData=data | (event or {})) | more


def resource(**more: Any) -> Json:
    return {"Id": "01ABCDEF", "SiteUrl": f"{SITE}/Shared%20Documents/Pay.xlsx?web=1", "Name": "Pay.xlsx",
            "Type": "xlsx", "Action": "Read"} | more


def accesses(*resources: Json, **event: Any) -> list[Json]:
    """The assistant_access rows of one interaction that lists these resources."""
    return load(as_json([interaction(event={"AccessedResources": list(resources)} | event)])).rows("assistant_access")


RECORDS = [
    interaction(1, {"AccessedResources": [resource()], "AISystemPlugin": [{"Id": "BingWebSearch"}],
                    "Contexts": [{"Id": f"{SITE}/Shared Documents/Plan.docx", "Type": "docx"}]}),
    record(2, "FileAccessed", ObjectId=f"{SITE}/Shared Documents/Pay.xlsx", ClientIP="[2001:db8::5]:443"),
    record(3, "Add-MailboxPermission", RecordType=1, Workload="Exchange", ResultStatus="True", Parameters=[
        {"Name": "Identity", "Value": "finance"}, {"Name": "User", "Value": "Bo"},
        {"Name": "AccessRights", "Value": "FullAccess"}]),
    record(4, "Add member to role.", RecordType=8, Workload="AzureActiveDirectory", ResultStatus="Success"),
]


def portal_csv(records: list[Json]) -> bytes:
    return as_csv([{
        "RecordId": r["Id"], "CreationDate": r["CreationTime"] + ".0000000Z", "RecordType": r["RecordType"],
        "Operation": r["Operation"], "UserId": r["UserId"], "AuditData": json.dumps(r, indent=1),
        "AssociatedAdminUnits": "", "AssociatedAdminUnitsNames": "",
    } for r in records])


def powershell_rows(records: list[Json]) -> list[Json]:
    names = {261: "CopilotInteraction", 6: "SharePointFileOperation", 1: "ExchangeAdmin", 8: "AzureActiveDirectory"}
    return [{
        "RecordType": names[r["RecordType"]], "CreationDate": "3/1/2026 10:00:00 AM", "UserIds": r["UserId"],
        "Operations": r["Operation"], "AuditData": json.dumps(r), "ResultIndex": 1, "ResultCount": len(records),
        "Identity": r["Id"], "IsValid": True, "ObjectState": "Unchanged",
    } for r in records]


def graph_rows(records: list[Json], *, as_text: bool = False) -> list[Json]:
    return [{
        "id": r["Id"], "createdDateTime": r["CreationTime"] + "Z", "auditLogRecordType": "copilotInteraction",
        "operation": r["Operation"], "organizationId": r["OrganizationId"], "userType": "regular",
        "userId": r["UserId"], "userPrincipalName": r["UserId"], "service": r["Workload"], "clientIp": None,
        "administrativeUnits": [],
        "auditData": json.dumps(r) if as_text else {"@odata.type": "#microsoft.graph.security.auditData"} | r,
    } for r in records]


SHAPES: dict[str, Callable[[list[Json]], bytes]] = {
    "management_api": as_json,
    "lines": as_lines,
    "portal_csv": portal_csv,
    "powershell_csv": lambda records: as_csv(powershell_rows(records)),
    "powershell_5_csv": lambda records: (b"#TYPE Selected.System.Management.Automation.PSCustomObject\r\n"
                                         + as_csv(powershell_rows(records))),
    "powershell_lines": lambda records: as_lines(powershell_rows(records)),
    "graph_query": lambda records: as_json({"@odata.context": "x#auditLogRecords", "value": graph_rows(records)}),
    "graph_query_text": lambda records: as_json(graph_rows(records, as_text=True)),
    "graph_pages": lambda records: as_lines([{"@odata.context": "x", "value": graph_rows(records[:2])},
                                             {"@odata.context": "x", "value": graph_rows(records[2:])}]),
    "defender_rows": lambda records: as_lines([
        {"Timestamp": "x", "ActionType": r["Operation"], "Application": "Office", "RawEventData": r} for r in records]),
    "defender_csv": lambda records: as_csv([{
        "Timestamp": "x", "ActionType": r["Operation"], "Application": "Microsoft Exchange Online",
        "RawEventData": json.dumps(r)} for r in records]),
    "test_suite": lambda records: as_lines([{"_origin": {"test": "made up"}, "log": r} for r in records]),
    "byte_order_mark": lambda records: b"\xef\xbb\xbf" + as_json(records),
    "utf16": lambda records: json.dumps(records).encode("utf-16"),
    "crlf": lambda records: as_lines(records).replace(b"\n", b"\r\n"),
    "lower_case_keys": lambda records: as_lines([{k.lower(): v for k, v in r.items()} for r in records]),
}

def ai_table(record: Json, table: str = "CopilotActivity") -> Json:
    """A record as Sentinel's tables of assistants have it; its TenantId is a workspace."""
    return {
        "TenantId": "a-workspace", "TimeGenerated": record["CreationTime"] + "Z", "RecordId": record["Id"],
        "RecordType": "CopilotInteraction", "Workload": "Copilot", "OrganizationId": record["OrganizationId"],
        "ActorName": record["UserId"], "ActorUserId": record["UserKey"], "ActorUserType": "Regular", "AgentId": "1.0.3",
        "AgentName": "", "AIModelName": "", "AppHost": "Word", "AppIdentity": "", "SrcIpAddr": "", "Type": table,
        "LLMEventData": record["CopilotEventData"], "SourceSystem": "Azure",
    }


AI_ROWS = [ai_table(RECORDS[0])]
# For the sweep over all loaders: good files by shape name, every one of SHAPES with the same records.
CONTRACT_FILES: dict[str, bytes] = {name: write(RECORDS) for name, write in SHAPES.items()} | {
    "copilot_activity": as_lines(AI_ROWS),
    "copilot_activity_csv": as_csv([row | {"LLMEventData": json.dumps(row["LLMEventData"])} for row in AI_ROWS]),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_the_same_records_give_the_same_rows_in_every_packaging(shape: str) -> None:
    plain, packed = load(as_json(RECORDS)), load(SHAPES[shape](RECORDS))
    assert packed.source == "m365_audit"
    assert packed.faults == []
    assert sorted(packed.record_ids) == sorted(plain.record_ids)
    for table in ("activity", "identity_facts", "assistant_access", "decision_steps"):
        assert same(packed.frames[table]) == same(plain.frames[table]), table


@pytest.mark.parametrize("write", [as_json, as_lines, lambda records: as_json({"value": graph_rows(records)})])
def test_a_first_record_longer_than_the_head_is_recognised(write: Callable[[list[Json]], bytes]) -> None:
    folders = [{"Id": "x" * 200, "Path": f"\\Inbox {n}"} for n in range(500)]
    long = record(9, "MailItemsAccessed", RecordType=50, Workload="Exchange", Folders=folders)
    found = load(write([long, *RECORDS]))
    assert (found.source, len(found.record_ids), found.faults) == ("m365_audit", 5, [])


def test_a_graph_record_completes_what_its_audit_data_leaves_out() -> None:
    whole = RECORDS[1]
    kept = {k: whole[k] for k in ("RecordType", "UserKey", "UserType", "ObjectId", "ClientIP", "Workload", "Version")}
    [row] = graph_rows([whole])
    found, plain = load(as_json([row | {"auditData": kept}])), load(as_json([whole]))
    assert same(found.frames["activity"]) == same(plain.frames["activity"])


def test_office_activity_rows_are_read_as_far_as_they_go() -> None:
    row = {"TenantId": "a-workspace", "TimeGenerated": "2026-03-01T10:00:00Z", "Operation": "FileAccessed",
           "OrganizationId": ORG, "UserId": "Ana@Contoso.com", "UserType": "Regular", "RecordType": "6",
           "OfficeWorkload": "SharePoint", "OfficeId": "00000000-0000-4000-8000-000000000002", "Type": "OfficeActivity",
           "OfficeObjectId": f"{SITE}/Shared%20Documents/Pay.xlsx", "Client_IPAddress": "10.0.0.1"}
    [found] = load(as_lines([row])).rows("activity")
    assert (found["tenant"], found["actor_id"], found["ip"]) == (ORG, f"m365:{ORG}:ana@contoso.com", "10.0.0.1")
    assert (found["event_id"], found["resource_id"]) == (row["OfficeId"], f"{SITE}/Shared Documents/Pay.xlsx")
    assert found["record_id"] == load(as_json([RECORDS[1]])).record_ids[0]
    bare = as_csv([{"TimeGenerated": "2026-03-01T10:00:00Z", "UserId": "", "ClientIP": "", "Operation": "Set-Mailbox",
                    "Parameters": '[\n {"Name": "Identity", "Value": "x"}\n]'}])
    [nobody] = load(bare).rows("activity")
    assert (nobody["actor_id"], nobody["tenant"], nobody["event_id"][:8]) == (None, None, "content:")


@pytest.mark.parametrize("name", ["copilot_activity", "copilot_activity_csv"])
def test_a_row_of_sentinels_assistant_tables_is_the_same_interaction(name: str) -> None:
    plain, found = load(as_json(RECORDS[:1])), load(CONTRACT_FILES[name])
    assert (found.source, found.record_ids) == ("m365_audit", plain.record_ids)
    for table in ("activity", "assistant_access", "identity_facts"):
        assert same(found.frames[table]) == same(plain.frames[table]), table
    settings_row = ai_table(RECORDS[0]) | {"RecordType": "UpdateCopilotSettings", "LLMEventData": {
        "Operation": "UpdateTenantSettings"}}
    assert [row["action"] for row in load(as_lines([settings_row])).rows("activity")] == ["m365:UpdateTenantSettings"]


def test_defender_rows_without_the_audit_record_are_read_as_far_as_they_go() -> None:
    rows = [{"Timestamp": "2026-03-01T10:00:00Z", "ActionType": "FileAccessed", "Application": app, "UserId": "Ana@x.example",
             "IPAddress": "10.0.0.1", "ReportId": f"1_2_{PERSON.upper()}", "RawEventData": raw}
            for app, raw in (("Office 365", None), ("Active Directory", ""), ("Okta", {"eventType": "x"}))]
    found = load(as_lines(rows))
    [row] = found.rows("activity")
    assert (row["action"], row["actor_id"], row["ip"], row["event_id"]) == (
        "m365:FileAccessed", "m365::ana@x.example", "10.0.0.1", PERSON)
    assert [(fault.reason, fault.disposition) for fault in found.faults] == [("out_of_scope", "rejected")] * 2


def test_a_single_object_and_any_order_give_the_same_rows() -> None:
    one = load(as_json(RECORDS[0]))
    assert (one.source, len(one.record_ids)) == ("m365_audit", 1)
    turned = load(as_json(RECORDS[::-1]))
    assert same(turned.frames["activity"]) == same(load(as_json(RECORDS)).frames["activity"])


def test_users_fold_by_case_and_nobody_stays_nobody() -> None:
    found = load(as_json([record(1, "FileAccessed", UserId="ana.silva@contoso.COM"), record(2, "FileAccessed"),
                          record(3, "FileAccessed", UserId=""), record(4, "FileAccessed", UserId="Not Available")]))
    assert [row["actor_id"] for row in found.rows("activity")] == [
        f"m365:{ORG}:ana.silva@contoso.com"] * 2 + [None, None]
    assert {row["id"] for row in found.rows("identity_facts")} == {f"m365:{ORG}:ana.silva@contoso.com"}


@pytest.mark.parametrize(("login", "user_type", "kind"), [
    ("ana@contoso.com", 0, "human"), ("adm@contoso.com", 2, "human"), ("guest_x#EXT#@contoso.com", 10, "human"),
    ("ana@contoso.com", None, "unknown"), ("partner@msp.example", 9, "unknown"),
    ("app@sharepoint", 0, "app"), ("ServicePrincipal_1b2c", 4, "workload"), ("x@contoso.com", 5, "app"),
    ("94c63fef-13a3-47bc-8074-75af8c65887a", 0, "app"), ("NT AUTHORITY\\SYSTEM (w3wp)", 3, "workload"),
    ("SHAREPOINT\\system", 0, "workload"), ("SecurityComplianceAlerts", 4, "workload"),
    ("NAMPRD06\\Administrator (Microsoft.Office.Datacenter.Torus.PowerShellWorker)", None, "workload"),
])
def test_kind_follows_what_the_record_says_and_not_the_name(login: str, user_type: int | None, kind: str) -> None:
    [fact] = load(as_json([record(1, "FileAccessed", UserId=login, UserType=user_type)])).rows("identity_facts")
    assert fact["kind"] == kind
    assert fact["basis"] == "seen"
    assert (fact["excluded_reason"] == "provider_managed") == (kind == "workload")


def test_an_application_with_its_own_access_is_not_the_owner_of_the_mailbox_it_read() -> None:
    app = "5c0ffee0-0000-4000-8000-000000000005"
    own = record(1, "AttachmentAccess", UserId="ana@contoso.com", UserType=5, UserKey=app, ClientAppId=app)
    [fact] = load(as_json([own])).rows("identity_facts")
    assert (fact["id"], fact["kind"], fact["alt_ids"]) == (
        f"m365:{ORG}:{app}", "app", [{"kind": "app_id", "value": app}])
    [other] = load(as_json([own | {"ClientAppId": "another"}])).rows("identity_facts")
    assert other["id"] == f"m365:{ORG}:ana@contoso.com"


def test_windows_itself_is_no_person_whatever_the_user_type() -> None:
    [fact] = load(as_json([record(1, "Create", UserId="S-1-5-18", UserKey="S-1-5-18", UserType=0)])).rows("identity_facts")
    assert (fact["kind"], fact["excluded_reason"]) == ("workload", "provider_managed")


def test_documented_fields_of_a_workload_are_not_told_as_new() -> None:
    rows = load(as_json([record(1, "AlertTriggered", AlertId="a", Severity="Low", Data="{}"),
                         record(2, "FileAccessed", BrandNew=1)])).rows("activity")
    assert [row["unmapped"] for row in rows] == [None, '{"brandnew":1}']


def test_user_key_becomes_an_object_id_or_a_puid_by_its_shape() -> None:
    def alts(one: Json) -> dict[str, str]:
        [fact] = load(as_json([one])).rows("identity_facts")
        return {alt["kind"]: alt["value"] for alt in fact["alt_ids"]}

    login = {"login": "ana.silva@contoso.com", "upn": "ana.silva@contoso.com"}
    assert alts(interaction()) == login | {"object_id": PERSON}
    puid = {"puid": "10037ffea94e7503"}
    assert alts(record(1, "FileAccessed", UserKey="i:0h.f|membership|10037FFEA94E7503@live.com")) == login | puid
    assert alts(record(1, "FileAccessed", UserKey="10037FFEA94E7503")) == login | puid
    assert alts(record(1, "FileAccessed", UserKey="Ana")) == login


@pytest.mark.parametrize(("status", "outcome", "error"), [
    (None, "success", None), ("Succeeded", "success", None), ("True", "success", None), ("TRUE", "success", None),
    ("PartiallySucceeded", "partial", "PartiallySucceeded"), ("Failed", "failure", "Failed"),
    ("False", "failure", "False"), ("Pondering", "unknown", "Pondering"),
])
def test_outcomes_follow_result_status(status: str | None, outcome: str, error: str | None) -> None:
    [row] = load(as_json([record(1, "FileAccessed", ResultStatus=status)])).rows("activity")
    assert (row["outcome"], row["error_code"]) == (outcome, error)


def test_a_sign_in_that_only_http_calls_a_success_is_a_failure() -> None:
    [row] = load(as_json([record(1, "UserLoginFailed", RecordType=15, ResultStatus="Success",
                                 LogonError="InvalidUserNameOrPassword")])).rows("activity")
    assert (row["outcome"], row["error_code"]) == ("failure", "InvalidUserNameOrPassword")


@pytest.mark.parametrize(("stated", "kept"), [
    ("10.1.2.3:443", "10.1.2.3"), ("[2001:db8::1]:443", "2001:db8::1"), ("ffff:10.11.0.229", "10.11.0.229"),
    ("::ffff:10.0.0.1", "10.0.0.1"), ("2001:db8::7", "2001:db8::7"), ("<null>", None), ("", None),
])
def test_addresses_lose_port_brackets_and_mapping(stated: str, kept: str | None) -> None:
    [row] = load(as_json([record(1, "FileAccessed", ClientIP=stated)])).rows("activity")
    assert row["ip"] == kept


def test_a_file_has_one_id_whether_opened_by_a_person_or_by_copilot() -> None:
    opened = load(as_json([record(1, "FileAccessed", ObjectId="https://Contoso.SharePoint.com/sites/HR/Shared Documents/Pay.xlsx")]))
    [read] = accesses(resource())
    assert opened.rows("activity")[0]["resource_id"] == read["resource_id"] == f"{SITE}/Shared Documents/Pay.xlsx"
    assert read["site_url"] == read["resource_id"]


@pytest.mark.parametrize(("stated", "key"), [
    ("https://Contoso.SharePoint.com/sites/HR/A%20b.docx?web=1", f"{SITE}/A b.docx"),
    (f"{SITE}/C# notes.docx", f"{SITE}/C# notes.docx"),
    (f"{SITE}/", SITE),
    ("{9FDE1491-B079-4180-9B1E-B87F4ACA19F7}", "9fde1491-b079-4180-9b1e-b87f4aca19f7"),
    ("AAAAAEYE2GAA", "AAAAAEYE2GAA"),
    ("http://[bad", "http://[bad"),
    ("  ", None),
])
def test_addresses_have_one_normal_form_and_other_ids_stay(stated: str, key: str | None) -> None:
    assert resource_key(stated) == key


def test_two_documents_behind_the_viewer_page_stay_two() -> None:
    page = f"{SITE}/_layouts/15/Doc.aspx?file=a.docx&sourcedoc="
    first, second = (resource_key(page + f"%7B9FDE1491-B079-4180-9B1E-B87F4ACA19F{n}%7D") for n in (1, 2))
    assert first == f"{SITE}/_layouts/15/Doc.aspx#9fde1491-b079-4180-9b1e-b87f4aca19f1"
    assert first != second


def test_a_resource_that_names_only_its_site_goes_by_its_listed_id() -> None:
    [row] = accesses(resource(SiteUrl=SITE + "/", Name="Pay"))
    assert (row["resource_id"], row["site_url"]) == ("01ABCDEF", SITE)
    [bare] = accesses({"ID": "x1"})
    assert (bare["resource_id"], bare["resource_type"], bare["label_id"], bare["action"]) == ("x1", None, None, "unknown")


@pytest.mark.parametrize(("event", "completeness", "outcome"), [
    ({}, "absent", "unknown"), ({"AccessedResources": None}, "absent", "unknown"),
    ({"AccessedResources": []}, "empty", "none"), ({"AccessedResources": "[]"}, "empty", "none"),
])
def test_an_empty_resource_list_is_an_answer_and_a_missing_one_is_not(
    event: Json, completeness: str, outcome: str
) -> None:
    [row] = load(as_json([interaction(event=event)])).rows("assistant_access")
    assert (row["role"], row["resource_id"]) == ("none", None)
    assert (row["completeness"], row["policy_outcome"]) == (completeness, outcome)


def test_accessed_and_open_resources_are_told_apart() -> None:
    rows = accesses(resource(), resource(), Contexts=[{"Id": f"{SITE}/Plan.docx", "Type": "docx"}])
    assert [(row["role"], row["action"], row["resource_type"], row["completeness"]) for row in rows] == [
        ("accessed", "read", "xlsx", "listed"), ("context", "unknown", "docx", "listed")]


@pytest.mark.parametrize(("more", "found", "kind"), [
    ({}, f"{SITE}/Shared Documents/Pay.xlsx", "spo_url"),
    ({"SiteUrl": None, "Id": "{9FDE1491-B079-4180-9B1E-B87F4ACA19F7}"}, "9fde1491-b079-4180-9b1e-b87f4aca19f7",
     "list_item_id"),
    ({"SiteUrl": None, "Id": "opaque", "listItemUniqueId": "opaque"}, "opaque", "list_item_id"),
    ({"SiteUrl": None, "Id": None, "listItemUniqueId": "opaque"}, "opaque", "list_item_id"),
    ({"SiteUrl": None, "Id": "19:meeting_x@thread.v2"}, "19:meeting_x@thread.v2", "teams_id"),
    ({"SiteUrl": None, "Id": "AAMkAGI2TG93AAA-abcdefghijkl="}, "AAMkAGI2TG93AAA-abcdefghijkl=", "message_id"),
    ({"SiteUrl": None, "Id": "01BYE5RZ6QN3ZWBTUFOFD3GSPGOHDJD36K"}, "01BYE5RZ6QN3ZWBTUFOFD3GSPGOHDJD36K", "graph_id"),
    ({"SiteUrl": "https://eu-api.asyncgw.teams.microsoft.com/v1/objects/0-x/views/original", "Id": None, "Name": None},
     "https://eu-api.asyncgw.teams.microsoft.com/v1/objects/0-x/views/original", "teams_id"),
    ({"SiteUrl": None, "Id": None}, "Pay.xlsx", "name_only"),
    ({"SiteUrl": None, "Id": None, "Name": CANARY}, None, None),
    ({"SiteUrl": None, "Id": None, "Name": f"{CANARY}.x", "Type": "EmailMessage"}, None, None),
    ({"SiteUrl": None, "Id": f"{CANARY} two words", "Type": "WebSearchQuery"}, None, None),
    ({"SiteUrl": None, "Id": "opaque"}, "opaque", None),
])
def test_a_resource_id_says_what_sort_it_is_and_is_never_what_somebody_wrote(
    more: Json, found: str | None, kind: str | None
) -> None:
    [row] = accesses(resource(**more))
    assert (row["resource_id"], row["resource_id_kind"]) == (found, kind)


def test_what_was_open_in_teams_has_an_id_of_teams() -> None:
    rows = accesses(Contexts=[{"Id": "abc", "Type": "TeamsChat"}, {"Id": "def", "Type": "docx"}])
    assert [(row["resource_id"], row["resource_id_kind"]) for row in rows] == [("abc", "teams_id"), ("def", None)]


def test_conversation_model_provider_status_and_policies_are_kept() -> None:
    details = [{"PolicyId": "B", "Rules": []}, {"PolicyId": PERSON.upper()}, {"PolicyId": "B"}, {"PolicyName": "n"}]
    [row] = accesses(resource(Status="Failure", PolicyDetails=details), ConversationId="c-1", ModelTransparencyDetails=[
        {"ModelProviderName": "OpenAI", "ModelName": "x"}, {"ModelProviderName": "Anthropic"}, {"ModelName": "y"}])
    assert (row["conversation_id"], row["model_provider"], row["access_status"], row["policy_ids"]) == (
        "c-1", "Anthropic, OpenAI", "failure", [PERSON, "B"])
    [bare] = accesses(resource(), ModelTransparencyDetails=[{"ModelName": "DEEP_LEO"}])
    assert (bare["conversation_id"], bare["model_provider"], bare["access_status"], bare["policy_ids"]) == (None,) * 4


def rule(mode: str, *actions: str) -> Json:
    return {"RuleId": "r", "RuleName": "n", "Severity": "High", "RuleMode": mode, "Actions": list(actions)}


DETAILS = {"PolicyId": "p", "PolicyName": "n"}


@pytest.mark.parametrize(("more", "outcome"), [
    ({}, "none"), ({"PolicyDetails": ""}, "none"), ({"PolicyDetails": None}, "none"), ({"PolicyDetails": []}, "none"),
    ({"PolicyDetails": {}}, "none"), ({"Status": "failure"}, "none"),
    ({"PolicyDetails": DETAILS | {"Rules": [rule("Audit only", "BlockAccess")]}}, "audited"),
    ({"PolicyDetails": [DETAILS]}, "audited"),
    ({"PolicyDetails": [DETAILS | {"Rules": [rule("Audit only")]}], "Status": "Failure"}, "blocked"),
    ({"PolicyDetails": [DETAILS | {"Rules": [rule("Audit only"), rule("enforce", "NotifyUser", "BlockAccess")]}]},
     "blocked"),
    ({"PolicyDetails": json.dumps([DETAILS | {"Rules": [rule("Enforce", "Block")]}])}, "blocked"),
    ({"PolicyDetails": [DETAILS | {"Rules": [rule("Enforce", "NotifyUser")]}]}, "audited"),
    ({"PolicyDetails": "see portal"}, "unknown"),
])
def test_policy_outcome_of_a_synthetic_resource(more: Json, outcome: str) -> None:
    [row] = accesses(resource(**more))
    assert row["policy_outcome"] == outcome


@pytest.mark.parametrize(("mask", "outcome"), [(0, "none"), (4, "deferred"), ("8", "deferred"), ("Grounding", "deferred"),
                                               (16, "none"), ("", "none"), (None, "none")])
def test_a_deferred_evaluation_is_neither_pass_nor_block(mask: object, outcome: str) -> None:
    assert accesses(resource(), DLPEvaluationDeferred=mask)[0]["policy_outcome"] == outcome
    [beside] = load(as_json([interaction(event={"AccessedResources": [resource()]}, DLPEvaluationDeferred=mask)])).rows(
        "assistant_access")
    assert beside["policy_outcome"] == outcome


def test_a_block_outweighs_a_deferral() -> None:
    blocked = {"PolicyDetails": [DETAILS | {"Rules": [rule("Enforce", "BlockAccess")]}]}
    assert accesses(resource(**blocked), DLPEvaluationDeferred=4)[0]["policy_outcome"] == "blocked"


@pytest.mark.parametrize(("flags", "jailbreak"), [
    ([{}], None), ([{"JailbreakDetected": False}], False), ([{}, {"JailbreakDetected": True}], True),
    ([{"JailbreakDetected": "False"}, {"jailbreakDetected": "True"}], True), ([{"JailbreakDetected": None}], None),
])
def test_jailbreak_is_unknown_where_no_message_has_the_flag(flags: list[Json], jailbreak: bool | None) -> None:
    messages = [{"ID": "1", "IsPrompt": True} | found for found in flags]
    assert accesses(resource(), Messages=messages)[0]["jailbreak"] is jailbreak


def test_cross_prompt_flag_is_of_its_resource() -> None:
    rows = accesses(resource(Name="a", Id="a", XPIADetected=True, SiteUrl=None),
                    resource(Name="b", Id="b", SiteUrl=None))
    assert [row["xpia"] for row in rows] == [True, None]


@pytest.mark.parametrize(("plugins", "web"), [
    ([{"Id": "bingwebsearch"}], True), ([{"Id": "other"}, {"Id": "BingWebSearch"}], True), ([], False),
    ([{"Id": "other"}], False), (None, None), ("", None), ({"Id": "BingWebSearch"}, True),
])
def test_web_grounding_is_unknown_without_the_plugin_list(plugins: object, web: bool | None) -> None:
    assert accesses(resource(), AISystemPlugin=plugins)[0]["web_grounding"] is web
    assert accesses(resource())[0]["web_grounding"] is None


@pytest.mark.parametrize(("more", "agent"), [
    ({"AgentId": "SharePointAgents.Declarative.SPO_abc.def"}, "SPO_abc.def"), ({"AgentId": "SPO_abc.def"}, "SPO_abc.def"),
    ({"AgentId": f"T_{PERSON}.{ORG.upper()}"}, ORG), ({"AgentId": ORG.upper()}, ORG),
    ({"AgentId": "CopilotStudio.Declarative.x.y"}, "CopilotStudio.Declarative.x.y"),
    ({"AgentId": "", "AppIdentity": f"Copilot.Studio.Default-{ORG}-cr1_helper"}, "cr1_helper"),
    ({"AppIdentity": f"Copilot.Studio.{ORG}-cr1_helper"}, "cr1_helper"),
    ({"AppIdentity": f"Copilot.Studio.CustomEngine.T_{PERSON}"}, f"T_{PERSON}"),
    ({"AppIdentity": "Copilot.M365Copilot.CoworkChat"}, "Copilot.M365Copilot.CoworkChat"),
    ({"AppIdentity": "Copilot.MicrosoftCopilot.BizChat"}, None), ({}, None),
])
def test_an_agent_has_one_id_however_the_record_names_it(more: Json, agent: str | None) -> None:
    [row] = load(as_json([interaction(**more)])).rows("assistant_access")
    assert row["agent_id"] == agent
    assert row["assistant_id"] == more.get("AppIdentity")
    facts = {fact["id"]: fact["kind"] for fact in load(as_json([interaction(**more)])).rows("identity_facts")}
    assert (facts.get(f"m365:{ORG}:{agent}") == "ai_agent") == (agent is not None)


def test_agent_fields_may_stand_inside_the_payload_and_the_stated_id_comes_first() -> None:
    inside = interaction(event={"AgentId": "SPO_1", "TargetPlatformAgentId": "P_2"})
    fallback = interaction(event={"TargetPlatformAgentId": "P_2"})
    found = [load(as_json([one])).rows("assistant_access")[0]["agent_id"] for one in (inside, fallback)]
    assert found == ["SPO_1", "P_2"]
    assert canonical_agent(" sharepointagents.declarative.SPO_1 ") == "SPO_1"


def test_a_turn_logged_by_host_and_by_runtime_is_one_interaction() -> None:
    rows = load(as_json([interaction(1), interaction(2)])).rows("assistant_access")
    assert {row["interaction_id"] for row in rows} == {"19:abcdefgh@thread.v2/1715187560311"}
    [without] = load(as_json([interaction(event={"Messages": []})])).rows("assistant_access")
    assert without["interaction_id"] == without["record_id"]


@pytest.mark.parametrize("flatten", [
    lambda one: {k: v for k, v in one.items() if k != "CopilotEventData"} | one["CopilotEventData"],
    lambda one: {k: v for k, v in one.items() if k != "CopilotEventData"} | {
        f"CopilotEventData.{k}": v for k, v in one["CopilotEventData"].items()},
    lambda one: one | {"CopilotEventData": json.dumps(one["CopilotEventData"])},
])
def test_a_flattened_payload_gives_the_same_rows(flatten: Callable[[Json], Json]) -> None:
    nested = interaction(event={"AccessedResources": [resource()]})
    plain, flat = load(as_json([nested])), load(as_json([flatten(nested)]))
    assert same(flat.frames["assistant_access"]) == same(plain.frames["assistant_access"])


def test_only_a_person_asking_is_a_user_trigger() -> None:
    triggers = [load(as_json([one])).rows("assistant_access")[0]["trigger"] for one in (
        interaction(), interaction(UserType=4), interaction(AutomationId="a-1"), interaction(Operation="AIExecuteTool"))]
    assert triggers == ["user", "unknown", "schedule", "unknown"]


@pytest.mark.parametrize(("number", "trigger"), [(363, "schedule"), (373, "automation"), (383, "agent")])
def test_work_that_nobody_began_says_what_did_where_the_record_holds_an_interaction(number: int, trigger: str) -> None:
    with_one = interaction(1, RecordType=number, Operation="Run", UserType=4)
    without = record(2, "Run", RecordType=number)
    found = load(as_json([with_one, without]))
    assert [(row["trigger"], row["event_id"]) for row in found.rows("assistant_access")] == [(trigger, with_one["Id"])]
    assert len(found.rows("activity")) == 2


@pytest.mark.parametrize("operation", ["AIInvokeAgent", "AIExecuteTool", "AIInferenceCall"])
def test_agents_at_work_are_interactions_whatever_their_record_type(operation: str) -> None:
    found = load(as_json([record(1, operation, RecordType=999, AgentId="P_9")]))
    assert [(row["agent_id"], row["trigger"]) for row in found.rows("assistant_access")] == [("P_9", "unknown")]


def test_activity_says_through_which_agent_or_assistant_and_on_what() -> None:
    read = interaction(1, {"AccessedResources": [resource(), resource(Id="b", SiteUrl=None), resource()]}, AgentId="SPO_1")
    host = interaction(2, AppIdentity="Copilot.Security.SecurityCopilot")
    for_agent = record(3, "FileModified", AgentId="SharePointAgents.Declarative.SPO_1", ObjectId=f"{SITE}/a.docx")
    plain = record(4, "FileMoved", ObjectId=f"{SITE}/a.docx", SiteUrl=f"{SITE}/", DestinationRelativeUrl="Shared Documents/Old",
                   DestinationFileName="b.docx")
    admin = record(5, "UpdateCopilotAgent", RecordType=384, AgentID="SPO_1")
    rows = load(as_json([read, host, for_agent, plain, admin])).rows("activity")
    agent = f"m365:{ORG}:SPO_1"
    assert [row["via_assistant_id"] for row in rows] == [
        agent, f"m365:{ORG}:Copilot.Security.SecurityCopilot", agent, None, None]
    assert [(row["delegation_kind"], row["delegation_trust"]) for row in rows] == [
        ("platform_field", "provider_asserted")] * 3 + [(None, None)] * 2
    assert [(row["resource_id"], row["extra_resource_ids"]) for row in rows] == [
        (f"{SITE}/Shared Documents/Pay.xlsx", ["b"]), (None, None), (f"{SITE}/a.docx", None),
        (f"{SITE}/a.docx", [f"{SITE}/Shared Documents/Old/b.docx"]), (None, None)]
    assert {row["actor_id"] for row in rows} == {f"m365:{ORG}:ana.silva@contoso.com"}


@pytest.mark.parametrize(("fields", "delta"), [
    ({"SensitivityLabelEventData": {"OldSensitivityLabelId": "", "SensitivityLabelId": ORG.upper(), "JustificationText": CANARY}},
     {"label": {"before": None, "after": ORG}}),
    ({"SensitivityLabelId": PERSON, "OldSensitivityLabelId": ORG}, {"label": {"before": ORG, "after": PERSON}}),
    ({"SensitivityLabelId": ORG}, {"label": {"after": ORG}}), ({"SensitivityLabelId": ""}, None), ({}, None),
])
def test_a_label_action_says_the_label_before_and_after(fields: Json, delta: Json | None) -> None:
    [row] = load(as_json([record(1, "SensitivityLabelUpdated", RecordType=83, **fields)])).rows("activity")
    assert (json.loads(row["effect_delta"]) if row["effect_delta"] else None) == delta
    assert CANARY not in str(row)


def test_a_status_that_is_a_sentence_is_no_error_code() -> None:
    written = f"It failed, because {CANARY}; see <the portal>"
    [row] = load(as_json([record(1, "FileAccessed", ResultStatus=written)])).rows("activity")
    assert (row["outcome"], row["error_code"]) == ("unknown", None)


@pytest.mark.parametrize(("app", "via"), [
    ("FB8D773D-7EF8-4EC0-A117-179F88ADD510", "fb8d773d-7ef8-4ec0-a117-179f88add510"), (PERSON, None), ("", None),
])
def test_a_call_with_a_token_of_copilots_application_is_the_persons_through_copilot(app: str, via: str | None) -> None:
    one = record(1, "FileAccessed", AppAccessContext={"ClientAppId": app, "AADSessionId": "s-1", "UniqueTokenId": "t-1"})
    found = load(as_json([one]))
    [row] = found.rows("activity")
    assert (row["actor_id"], row["actor_session_id"], row["credential_id"]) == (
        f"m365:{ORG}:ana.silva@contoso.com", "s-1", "t-1")
    assert row["via_assistant_id"] == (f"m365:{ORG}:{via}" if via else None)
    kinds = {fact["kind"]: fact["kind_basis"] for fact in found.rows("identity_facts") if fact["kind"] != "human"}
    assert kinds == ({"ai_assistant": "published application id"} if via else {})


def test_record_types_without_a_rule_and_changed_json_types_are_drift() -> None:
    from lineage_analytics.loaders import loaders
    from lineage_analytics.loaders.common.contract import Chunk
    from tests._documents import member

    loader = loaders()["m365_audit"]
    records = [record(1, "X", RecordType=9999), record(2, "Y", RecordType="unknownFutureValue"), record(3, "FileAccessed"),
               record(4, "Z", RecordType="SharePointSharingOperation"), record(5, "FileAccessed", UserKey={"id": 1})]
    batch = loader.transform(Chunk(0, [as_json(one) for one in records]), member(b"[]"))
    assert len(batch.record_ids) == 5
    assert [(found.position, found.kind, found.name, found.found) for found in batch.drift] == [
        (0, "record_type", "9999", ""), (1, "record_type", "unknownFutureValue", ""), (4, "type", "userkey", "object")]


def test_nothing_anybody_wrote_to_an_assistant_is_kept() -> None:
    written = {"Id": "1", "isPrompt": True, "Text": CANARY, "Content": {"body": CANARY}}
    records = [
        interaction(1, {"Messages": [written], "PromptText": CANARY, "Odd": CANARY}, PromptText=CANARY, Surprise=CANARY),
        record(2, "ScheduledPrompt", RecordType=363, PromptText=CANARY, TriggerMode="0 9 * * 1"),
        record(3, "SearchQueryPerformed", SearchQueryText=CANARY, EventData=f"<q>{CANARY}</q>"),
        record(4, "CopilotInteraction", RecordType=261, PromptText=CANARY, Messages=[written]),
        {"Operation": "CopilotInteraction", "RecordType": 261, "UserKey": "k", "CreationTime": "2026-03-01T00:00:00",
         "PromptText": CANARY},
        {"Operation": "CopilotInteraction", "RecordType": 261, "UserKey": "k", "PromptText": CANARY},
    ]
    for data in (as_json(records), portal_csv([r | {"Id": str(n), "CreationTime": "2026-03-01T00:00:00", "UserId": ""}
                                               for n, r in enumerate(records)])):
        found = load(data)
        assert found.seen == len(records)
        kept = " ".join(str(frame.to_dicts()) for frame in found.frames.values()) + str(found.faults)
        assert CANARY not in kept
        assert "surprise" in kept


WRITTEN = {"Prompt": CANARY, "promptText": CANARY, "Text": CANARY, "Body": {"content": CANARY}, "Snippet": CANARY,
           "Subject": CANARY, "ResponseText": [CANARY], "Description": CANARY}


@pytest.mark.parametrize("name", CONTRACT_FILES)
def test_text_planted_into_any_object_of_any_shape_is_stored_nowhere(name: str) -> None:
    from tests.test_loaders_contract import _changed, _chunks, _objects

    def plant(value: Json) -> None:
        for key in ("AuditData", "auditData", "RawEventData", "LLMEventData"):
            if isinstance(value.get(key), str) and value[key].lstrip().startswith("{"):
                inner = json.loads(value[key])
                plant(inner)
                value[key] = json.dumps(inner)
        for held in list(_objects(value)):
            held.update(WRITTEN)

    for loader, document, chunk in _chunks("m365_audit", name):
        _changed(chunk, plant)
        batch = loader.transform(chunk, document)
        assert len(batch.record_ids) > 0
        assert CANARY not in json.dumps([frame.to_dicts() for frame in batch.frames.values()], default=str)
        assert CANARY not in str(batch.drift) + str(batch.faults)


def test_an_agent_named_outside_an_interaction_is_seen_as_an_agent() -> None:
    facts = load(as_json([record(1, "FileModified", AgentId="SPO_1", AgentName="Helper")])).rows("identity_facts")
    assert {(fact["id"], fact["kind"], fact["display_name"]) for fact in facts} == {
        (f"m365:{ORG}:SPO_1", "ai_agent", "Helper"),
        (f"m365:{ORG}:ana.silva@contoso.com", "human", "Ana.Silva@Contoso.com")}


def test_a_secret_by_its_form_is_stored_in_no_field() -> None:
    token = "ghp_" + "a1B2" * 10
    found = load(as_json([record(1, "FileAccessed", UserAgent=f"tool {token}", ObjectId=token), interaction(
        2, {"AccessedResources": [{"Id": token}], "AppHost": token})]))
    kept = " ".join(str(frame.to_dicts()) for frame in found.frames.values())
    assert token not in kept
    assert "[secret removed]" in kept


def test_a_prompt_does_not_enter_the_id_of_a_record_without_one() -> None:
    bare = {"Operation": "CopilotInteraction", "RecordType": 261, "UserKey": "k", "CreationTime": "2026-03-01T00:00:00"}
    first, second = (load(as_json([bare | {"PromptText": text}])).record_ids for text in ("a", "b"))
    assert first == second != load(as_json([bare | {"AppHost": "Word"}])).record_ids


def steps(*records: Json) -> list[Json]:
    return load(as_json(list(records))).rows("decision_steps")


def exchange(number: int, operation: str, **parameters: str) -> Json:
    return record(number, operation, RecordType=1, Workload="Exchange", ResultStatus="True", UserType=2,
                  Parameters=[{"Name": key, "Value": value} for key, value in parameters.items()])


@pytest.mark.parametrize(("forward", "inverse"), [
    (exchange(1, "Add-MailboxPermission", Identity="finance", User="Bo", AccessRights="FullAccess"),
     exchange(2, "Remove-MailboxPermission", Identity="finance", User="bo", AccessRights="FullAccess")),
    (exchange(1, "Add-RecipientPermission", Identity="finance", Trustee="Bo", AccessRights="SendAs"),
     exchange(2, "Remove-RecipientPermission", Identity="finance", Trustee="Bo", AccessRights="SendAs")),
    (record(1, "SharingSet", RecordType=14, ObjectId=f"{SITE}/a.docx", TargetUserOrGroupName="Bo@x.example"),
     record(2, "SharingRevoked", RecordType=14, ObjectId=f"{SITE}/a.docx", TargetUserOrGroupName="bo@x.example")),
    (record(1, "AddedToGroup", RecordType=14, SiteUrl=SITE, TargetUserOrGroupName="Bo", EventData="<Group>Owners</Group>"),
     record(2, "RemovedFromGroup", RecordType=14, SiteUrl=SITE, TargetUserOrGroupName="Bo",
            EventData="<Group>Owners</Group>")),
    (record(1, "SiteCollectionAdminAdded", RecordType=14, SiteUrl=SITE, TargetUserOrGroupName="Bo"),
     record(2, "SiteCollectionAdminRemoved", RecordType=14, SiteUrl=SITE, TargetUserOrGroupName="Bo")),
])
def test_a_grant_and_its_removal_name_the_same_target(forward: Json, inverse: Json) -> None:
    grant, revoke = steps(forward, inverse)
    assert grant["target_key"] == revoke["target_key"] is not None
    assert (grant["effect_key"], revoke["effect_key"]) == (
        f"grant({grant['target_key']})", f"revoke({grant['target_key']})")
    assert (grant["kind"], grant["status"], grant["actor_class"], grant["authority_mode"]) == (
        "action", "succeeded", "human", "self")


def test_a_request_for_access_its_answer_and_the_sharing_are_about_one_effect() -> None:
    file, bo = f"{SITE}/a.docx", "Bo@x.example"
    asked, denied, granted, shared = steps(
        record(1, "AccessRequestCreated", RecordType=14, ObjectId=file, UserId=bo),
        record(2, "AccessRequestDenied", RecordType=14, ObjectId=file, TargetUserOrGroupName=bo),
        record(3, "AccessRequestApproved", RecordType=14, ObjectId=file, TargetUserOrGroupName=bo.lower()),
        record(4, "SharingSet", RecordType=14, ObjectId=file, TargetUserOrGroupName=bo,
               EventData="<Permissions granted>Contribute</Permissions granted>"))
    assert {step["effect_key"] for step in (asked, denied, granted, shared)} == {
        f"grant(m365:{ORG}:sharing/{file}|bo@x.example)"}
    assert [(step["kind"], step["verdict"], step["capacity"]) for step in (asked, denied, granted, shared)] == [
        ("request", None, "requester"), ("decision", "deny", "approver"), ("decision", "approve", "approver"),
        ("action", None, None)]
    assert asked["initiator_id"] == asked["actor_id"] == f"m365:{ORG}:bo@x.example"
    assert shared["applied_value"] == "Contribute"


def test_a_link_is_paired_by_its_sharing_id_and_its_use_is_no_change() -> None:
    link = {"RecordType": 14, "ObjectId": f"{SITE}/a.docx", "UniqueSharingId": PERSON}
    found = steps(record(1, "AnonymousLinkCreated", **link), record(2, "AnonymousLinkUsed", **link),
                  record(3, "AnonymousLinkRemoved", **link))
    assert [step["effect_key"].partition("(")[0] for step in found] == ["grant", "revoke"]
    assert len({step["target_key"] for step in found}) == 1
    assert {step["native_key"] for step in found} == {None}


@pytest.mark.parametrize(("number", "effect"), [
    (310, "create(m365:{}:copilot_plugin/p-1)"), (316, "set(m365:{}:copilot_workspace/p-1)"),
    (323, "enable(m365:{}:copilot_prompt_book/p-1)"), (325, "set(m365:{}:copilot_settings/p-1)"),
])
def test_record_types_that_name_a_change_of_assistants_are_that_change(number: int, effect: str) -> None:
    [found] = steps(record(1, "Whatever", RecordType=number, ObjectId="p-1"))
    assert found["effect_key"] == effect.format(ORG)


def test_a_policy_written_back_to_its_earlier_form_has_the_earlier_state() -> None:
    def policy(number: int, state: str, updated: str) -> Json:
        body = json.dumps({"State": state, "LastUpdatedTimestamp": updated})
        return exchange(number, "Set-ConditionalAccessPolicy", Identity="contoso\\p1", PolicyDetails=body)

    first, second, third = steps(policy(1, "Enabled", "a"), policy(2, "Disabled", "b"), policy(3, "Enabled", "c"))
    assert first["after_state"] == third["after_state"] != second["after_state"]
    assert {s["effect_key"] for s in (first, second, third)} == {f"set(m365:{ORG}:conditional_access/contoso\\p1)"}


def test_stated_values_before_and_after_are_kept_as_hashes() -> None:
    [found] = steps(record(1, "SharingPolicyChanged", RecordType=14, SiteUrl=SITE, ModifiedProperties=[
        {"Name": "Sharing", "OldValue": "Disabled", "NewValue": "Anyone"}]))
    assert found["before_state"] != found["after_state"]
    assert len(found["before_state"]) == len(found["after_state"]) == 64


def test_a_failed_change_is_an_attempt_and_a_plain_setting_is_no_decision() -> None:
    failed = exchange(1, "Add-MailboxPermission", Identity="finance", User="Bo") | {"ResultStatus": "False"}
    [attempt] = steps(failed)
    assert (attempt["kind"], attempt["status"]) == ("attempt", "failed")
    assert steps(exchange(2, "Set-Mailbox", Identity="finance", Language="sv")) == []
    [delegates] = steps(exchange(3, "Set-Mailbox", Identity="finance", GrantSendOnBehalfTo="Bo"))
    assert delegates["effect_key"] == f"set(m365:{ORG}:mailbox_delegates/finance)"


def test_entra_records_of_the_unified_log_are_activity_only() -> None:
    found = load(as_json([record(1, "Add member to role.", RecordType=8, Workload="AzureActiveDirectory")]))
    assert [row["action"] for row in found.rows("activity")] == ["m365:Add member to role."]
    assert found.rows("decision_steps") == []


def test_what_cannot_be_read_is_counted_with_its_reason_and_place() -> None:
    good = RECORDS[1]
    rows = as_csv([
        {"RecordId": "1", "Operation": "FileAccessed", "AuditData": json.dumps(good)},
        {"RecordId": "2", "Operation": "FileAccessed", "AuditData": '{"Id": "2", "Operation": "File'},
        {"RecordId": "3", "Operation": "FileAccessed", "AuditData": ""},
        {"RecordId": "4", "Operation": "FileAccessed", "AuditData": json.dumps(good | {"CreationTime": "12/11/2023 17:12"})},
        {"RecordId": "5", "Operation": "FileAccessed", "AuditData": json.dumps(good | {"CreationTime": "1601-01-01T00:00:00"})},
        {"RecordId": "6", "Operation": "FileAccessed", "AuditData": json.dumps(good | {"CreationTime": "1999-01-01T00:00:00"})},
        {"RecordId": "7", "Operation": "FileAccessed", "AuditData": json.dumps({"Id": "7"})},
    ])
    found = load(rows)
    assert (len(found.record_ids), found.seen) == (2, 7)
    assert found.frames["activity"]["time"].null_count() == 1  # the record that states no time at all
    assert sorted((fault.position, fault.reason, fault.disposition) for fault in found.faults) == [
        (1, "broken_json", "quarantined"), (2, "broken_json", "quarantined"), (3, "no_time", "quarantined"),
        (4, "no_time", "quarantined"), (5, "implausible_time", "quarantined")]


@pytest.mark.parametrize(("stated", "read"), [
    ("3/31/2026 1:05:00 PM", "2026-03-31T13:05:00+00:00"), ("31/03/2026 13:05:00", "2026-03-31T13:05:00+00:00"),
    ("4/4/2026 10:00:00 AM", "2026-04-04T10:00:00+00:00"), ("3/4/2026 10:00:00 AM", None), ("03/04/2026 10:00:00", None),
])
def test_a_row_that_alone_tells_the_time_is_read_where_its_day_cannot_be_another(stated: str, read: str | None) -> None:
    timeless = {key: held for key, held in RECORDS[1].items() if key != "CreationTime"}
    found = load(as_csv([{
        "CreationDate": stated, "Operations": "FileAccessed", "Identity": timeless["Id"],
        "AuditData": json.dumps(timeless)}]))
    assert [row["time"].isoformat() for row in found.rows("activity")] == ([read] if read else [])
    assert [fault.reason for fault in found.faults] == ([] if read else ["no_time"])


@pytest.mark.parametrize("share", [0.2, 0.5, 0.8, 0.99])
def test_a_cut_file_keeps_its_good_records_and_says_so(share: float) -> None:
    whole = as_json([record(n, "FileAccessed") for n in range(200)])
    found = load(whole[: int(len(whole) * share) + 11])  # inside a record
    assert int(200 * share) - 1 <= len(found.record_ids) <= int(200 * share) + 1
    assert [fault.reason for fault in found.faults] == ["truncated"]


@pytest.mark.parametrize("data", [
    b'[{"activityDisplayName":"Add user","initiatedBy":{}}]', b"Name,Value\r\na,b\r\n", b"<html>Sign in</html>",
    b'[{"Operation":"x"}]', b'{"eventName":"x","eventSource":"y","userIdentity":{}}', b"[]", b"",
])
def test_other_files_are_not_claimed(data: bytes) -> None:
    assert load(data).source != "m365_audit"


_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8)
    | st.sampled_from(["", "[]", "{}", "[{}]", "<null>", "true", '"x"', "\\", "\x00"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["Id", "Name", "Value", "Rules", "Actions", "isPrompt", "SiteUrl", "PolicyDetails"]), inner,
        max_size=3),
    max_leaves=6,
)


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(st.sampled_from([
    "CreationTime", "Id", "OrganizationId", "UserId", "UserKey", "UserType", "RecordType", "ResultStatus", "ClientIP",
    "ObjectId", "AppAccessContext", "Parameters", "ModifiedProperties", "ExtendedProperties", "Members", "AgentId",
    "CopilotEventData", "AccessedResources", "Contexts", "Messages", "AISystemPlugin", "DLPEvaluationDeferred",
    "Operation", "EventData", "LogonError", "auditData",
]), _values, max_size=8))
def test_any_value_anywhere_is_counted_and_never_an_error(fields: Json) -> None:
    found = load(as_json([interaction(), record(1, "Add-MailboxPermission") | fields, interaction() | fields]))
    assert found.seen == 3


# Real records, where they stand beside the project.

def test_every_shared_unified_audit_file_is_read_and_counted(shared_data: Path) -> None:
    from lineage_analytics.loaders import recognise
    from lineage_analytics.loaders.common.containers import InputFile, Skipped, input_files, members

    counted = {}
    for file in input_files([shared_data / "o365_ual", shared_data / "ai_copilot" / "ms_docs"]):
        assert isinstance(file, InputFile)
        for member in members(file, "0" * 64):
            assert not isinstance(member, Skipped)
            if recognise(member.sample) is not None:
                found = load(b"".join(member.chunks()))
                assert found.source == "m365_audit"
                assert {(fault.reason, fault.disposition) for fault in found.faults} <= {("out_of_scope", "rejected")}
                counted[file.name] = (len(found.record_ids), len(found.faults))
    assert len(counted) == 52
    assert sum(kept for kept, _ in counted.values()) == 1334 + 1 + 4 + 17 + 38 + 2 + 2
    assert sum(other for _, other in counted.values()) == 7


def test_the_exchange_demo_is_mostly_policy_changes_by_nobody(shared_data: Path) -> None:
    found = load((shared_data / "o365_ual" / "msticpy" / "demo_exchange_data.csv").read_bytes())
    activity = found.frames["activity"]
    assert (activity.height, activity["actor_id"].null_count()) == (1_334, 1_090)
    assert activity.filter(activity["action"] == "m365:Set-ConditionalAccessPolicy").height == 889
    assert activity["record_id"].n_unique() == 1_308  # rows without an id that say the same are one record
    assert {row["kind"] for row in found.rows("identity_facts")} == {"workload", "unknown"}


def test_the_published_interactions_read_as_published(shared_data: Path) -> None:
    path = shared_data / "ai_copilot" / "ms_docs" / "copilot_interaction_examples.as_published.jsonl"
    word, bing = load(path.read_bytes()).rows("assistant_access")
    assert (word["role"], word["app_host"], word["completeness"], word["web_grounding"], word["jailbreak"]) == (
        "context", "Word", "empty", False, None)
    assert (bing["role"], bing["app_host"], bing["label_id"], bing["web_grounding"], bing["action"]) == (
        "accessed", "Bing", "f41ab342-8706-4188-bd11-ebb85995028c", True, "read")
    assert bing["resource_id"].endswith("/Shared Documents/SPOPPE/Document transformation services/"
                                        "Crawled Word documents/IW/Document1.docx")
    assert word["user_id"] == bing["user_id"] == f"m365:{ORG}:admin@moderncomms975184.onmicrosoft.com"


def test_ids_actors_operations_and_outcomes_equal_a_plain_count_of_the_raw_records(shared_data: Path) -> None:
    """Counted apart from the loader: JSON read whole, keys compared as the schema writes them."""
    nobody = {"", "<null>", "not available", "unknown", "n/a", "null"}
    words = {"succeeded": "success", "success": "success", "true": "success", "partiallysucceeded": "partial",
             "failed": "failure", "false": "failure", "failure": "failure"}
    for path in sorted((shared_data / "o365_ual").rglob("*.json*")):
        raw = path.read_text(encoding="utf-8-sig")
        try:
            whole = json.loads(raw)
        except ValueError:
            whole = [json.loads(line) for line in raw.splitlines() if line.strip()]
        records = whole if isinstance(whole, list) else [whole]
        found = load(path.read_bytes())
        if found.source is None:  # telemetry of web pages stands among them
            assert not any("Operation" in r for r in records), path.name
            continue
        activity = found.frames["activity"]
        assert activity.height == len(records), path.name
        named = [r for r in records if r.get("Id")]
        assert {i for i in activity["event_id"] if not i.startswith("content:")} == {r["Id"].lower() if len(
            r["Id"]) == 36 else r["Id"] for r in named}, path.name
        logins = {str(r.get("UserId") or "").strip().casefold() for r in records} - nobody
        assert {i.split(":", 2)[2] for i in activity["actor_id"].drop_nulls()} == logins, path.name
        assert sorted(activity["action"]) == sorted(f"m365:{r['Operation'].strip()}" for r in records), path.name
        plain = [r for r in records if r.get("RecordType") != 15 and r["Operation"] != "UserLoginFailed"
                 and not r.get("LogonError") and "IsSuccess" not in r]
        wanted = sorted(words.get(str(r["ResultStatus"]).lower(), "unknown") if r.get("ResultStatus") else "success"
                        for r in plain)
        ids = {r["Id"].lower() for r in plain if r.get("Id")}
        if len(ids) == len(plain):
            assert sorted(activity.filter(activity["event_id"].str.to_lowercase().is_in(ids))["outcome"]) == wanted, path.name
