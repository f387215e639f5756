"""Activity Explorer exports. All rows here are made up."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lineage_analytics.loaders import recognise
from tests._documents import Loaded, member
from tests._microsoft import as_csv, as_json, as_lines, same

CANARY = "pineapple-canary-77"
LABEL, OTHER = "f41ab342-8706-4188-bd11-ebb85995028c", "00000002-aaaa-4bbb-8ccc-dddddddddddd"
SITE = "https://contoso.sharepoint.com/sites/HR"
THREAD = "19:abcdefgh@thread.v2"
Json = dict[str, Any]


def row(number: int, activity: str, **more: Any) -> Json:
    return {
        "RecordIdentity": f"00000000-0000-4000-8000-{number:012d}", "Activity": activity, "ActivityId": activity.title().replace(" ", ""),
        "Happened": f"2026-03-0{number}T10:00:00Z", "User": "Ana.Silva@Contoso.com", "UserType": "Regular",
        "Workload": "Copilot", "ClientIP": "10.0.0.1", "DataPlatform": "Purview",
    } | more


def interaction(number: int = 1, **more: Any) -> Json:
    return row(number, "Copilot interaction", AppHost="Word", ThreadId=THREAD, AppIdentity="Copilot.M365Copilot.Apps", Messages=[
        {"Id": "1715187560311", "isPrompt": True, "JailbreakDetected": False}], HasWebsearchQuery=True,
        AreFilesReferenced=True, SensitivityLabelIdsReferenced=[LABEL, OTHER]) | more


ROWS = [
    interaction(1),
    row(2, "DLP rule matched", FilePath=f"{SITE}/Docs/Pay%20list.xlsx", ItemName=CANARY, EmailInfo={"Subject": CANARY},
        PolicyMatchInfo={"PolicyId": "p-1", "PolicyName": CANARY, "RuleActions": ["BlockAccess"]}),
    row(3, "File read", FilePath="C:\\Users\\ana\\x.docx", SomethingNew=CANARY, SomethingCounted=3),
]


def packed_text(rows: list[Json]) -> Json:
    """What the export command returns."""
    return {"TotalResultCount": len(rows), "RecordCount": len(rows), "ResultData": json.dumps(rows), "WaterMark": "w", "LastPage": True}


def cells(one: Json) -> Json:
    """The row under the headings of all rows, lists and objects as text."""
    every: Json = {key: "" for other in ROWS for key in other}
    return every | {key: json.dumps(held) if isinstance(held, list | dict) else held for key, held in one.items()}


KEEPS_UNKNOWN_TEXTS = False
CONTRACT_FILES: dict[str, bytes] = {
    "array": as_json(ROWS),
    "lines": as_lines(ROWS),
    "result": as_json(packed_text(ROWS)),
    "results": as_lines([packed_text(ROWS[:2]), packed_text(ROWS[2:])]),
    "pages": as_json({"PageNumber": 1, "Records": ROWS}),
    "single_record_pages": as_lines([{"PageNumber": n, "Records": one} for n, one in enumerate(ROWS)]),
    "csv": as_csv([cells(one) for one in ROWS]),
    "upper_case": as_lines([{key.upper(): held for key, held in one.items()} for one in ROWS]),
}


@pytest.mark.parametrize("shape", CONTRACT_FILES)
def test_every_packaging_gives_the_same_rows(shape: str) -> None:
    plain, found = Loaded(CONTRACT_FILES["array"]), Loaded(CONTRACT_FILES[shape])
    assert (found.source, found.faults) == ("purview_activity_explorer", [])
    assert sorted(found.ids) == sorted(plain.ids)
    for table in ("assistant_access", "identity_facts"):
        assert same(found[table]) == same(plain[table]), table
    assert same(found["activity"].drop("unmapped")) == same(plain["activity"].drop("unmapped"))


def access(**more: Any) -> list[Json]:
    return Loaded(as_json([interaction(**more)]))["assistant_access"].to_dicts()


def test_labels_stand_for_the_resources_the_export_leaves_out() -> None:
    rows = access()
    assert sorted(one["label_id"] for one in rows) == [OTHER, LABEL]
    assert {(one["role"], one["resource_id"], one["completeness"], one["app_host"], one["thread_id"], one["web_grounding"],
             one["jailbreak"], one["trigger"]) for one in rows} == {
        ("none", None, "absent", "Word", THREAD, True, False, "user")}
    assert {one["user_id"] for one in rows} == {"m365::ana.silva@contoso.com"}


def test_listed_resources_are_rows_of_their_own() -> None:
    event = {"ConversationId": "c-1", "AccessedResources": [{"SiteUrl": f"{SITE}/Docs/a.docx", "Action": "Read"}]}
    [one] = access(CopilotEventData=event)
    assert (one["resource_id"], one["role"], one["action"], one["conversation_id"], one["completeness"]) == (
        f"{SITE}/Docs/a.docx", "accessed", "read", "c-1", "listed")


def test_an_interaction_has_the_id_it_has_in_the_audit_log() -> None:
    audit = {"Id": "x", "CreationTime": "2026-03-01T10:00:00", "Operation": "CopilotInteraction", "RecordType": 261,
             "Workload": "Copilot", "UserKey": "k", "CopilotEventData": {
                 "ThreadId": THREAD, "Messages": [{"Id": "1715187560311", "isPrompt": True}]}}
    [(one,)] = Loaded(as_json([audit])).rows("assistant_access", "interaction_id")
    assert {row["interaction_id"] for row in access()} == {one}


@pytest.mark.parametrize(("more", "web"), [({"HasWebsearchQuery": "False"}, False), ({"HasWebsearchQuery": None}, None),
                                           ({"AISystemPlugin": [{"Id": "BingWebSearch"}], "HasWebsearchQuery": None}, True)])
def test_web_grounding_is_the_flag_where_no_plugins_are_listed(more: Json, web: bool | None) -> None:
    assert {one["web_grounding"] for one in access(**more)} == {web}


@pytest.mark.parametrize(("mask", "outcome"), [(4, "deferred"), (0, "unknown"), (None, "unknown")])
def test_a_deferred_evaluation_is_told(mask: int | None, outcome: str) -> None:
    assert {one["policy_outcome"] for one in access(DLPEvaluationDeferred=mask)} == {outcome}


def test_every_row_is_activity_and_only_addresses_are_resources() -> None:
    assert Loaded(CONTRACT_FILES["array"]).rows("activity", "action", "resource_id", "outcome", "via_assistant_id") == [
        ("m365:CopilotInteraction", None, "unknown", "m365::Copilot.M365Copilot.Apps"),
        ("m365:DlpRuleMatched", f"{SITE}/Docs/Pay list.xlsx", "unknown", None),
        ("m365:FileRead", None, "unknown", None)]


def test_nothing_people_wrote_is_kept() -> None:
    written = interaction(1, Messages=[{"Id": "1", "isPrompt": True, "Text": CANARY}], PromptText=CANARY, ResponseText=CANARY)
    for data in (*CONTRACT_FILES.values(), as_json([written])):
        found = Loaded(data)
        kept = json.dumps([frame.to_dicts() for frame in found.frames.values()], default=str) + str(found.faults)
        assert CANARY not in kept
    [odd] = [json.loads(text) for (text,) in Loaded(CONTRACT_FILES["array"]).rows("activity", "unmapped") if text]
    assert odd == {"somethingcounted": 3, "somethingnew": "[content not stored]"}


def test_rows_without_activity_or_time_are_quarantined() -> None:
    found = Loaded(as_json([*ROWS, {"RecordIdentity": "x"}, row(4, "File read", Happened="")]))
    assert [(fault.reason, fault.position, fault.disposition) for fault in found.faults] == [
        ("not_an_activity", 3, "quarantined"), ("no_time", 4, "quarantined")]


def test_a_broken_result_is_counted_once() -> None:
    found = Loaded(as_lines([packed_text(ROWS), {"ResultData": '[{"Rec', "WaterMark": "w"}]))
    assert (len(found.ids), [(fault.reason, fault.position) for fault in found.faults]) == (3, [("broken_json", 3)])


def test_the_portals_csv_is_read_as_far_as_it_goes() -> None:
    data = as_csv([{"Activity": "Label applied", "File": CANARY, "Location": "SharePoint", "User": "Bo@x.example",
                    "Happened": "2026-03-01T10:00:00Z"}])
    assert Loaded(data).rows("activity", "action", "actor_id") == [("m365:Label applied", "m365::bo@x.example")]


@pytest.mark.parametrize("data", [b"Activity,User,Time\na,b,c\n", b'[{"Activity":"x","User":"y"}]'])
def test_other_activity_lists_are_not_claimed(data: bytes) -> None:
    assert recognise(member(data).sample) is None


def test_a_changed_label_tells_the_labels_before_and_after_and_neither_is_news() -> None:
    labels = {"OldSensitivityLabel": LABEL, "SensitivityLabel": OTHER}
    changed = Loaded(as_json([row(1, "Sensitivity label changed", **labels)]))
    assert json.loads(changed["activity"]["effect_delta"][0]) == {"label": {"before": LABEL, "after": OTHER}}
    assert changed["activity"]["unmapped"].to_list() == [None]
