"""Google Workspace activity reports. Records here are made up, except those under ``shared_data``."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any

import pytest

from lineage_analytics.loaders.google_workspace import parameters_of
from tests._documents import Loaded

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

Json = dict[str, Any]
ANA: Json = {"callerType": "USER", "email": "Ana@example.com", "profileId": "111"}
CANARY = "pineapple-canary"


def event(name: str, kind: str = "T", **parameters: object) -> Json:
    """An event of the API: every value under the key of its type."""
    held = []
    for key, value in parameters.items():
        field = "boolValue" if isinstance(value, bool) else "intValue" if isinstance(value, int) else (
            "multiValue" if isinstance(value, list) else "value")
        held.append({"name": key, field: str(value) if field == "intValue" else value})
    return {"type": kind, "name": name, "parameters": held}


def activity(number: int, application: str, *events: Json, actor: Json = ANA, **more: Any) -> Json:
    """A synthetic activity."""
    return {"kind": "admin#reports#activity", "etag": '"x"', "actor": actor, "ipAddress": "198.51.100.7",
            "id": {"time": f"2026-03-01T10:00:{number:02d}.123Z", "uniqueQualifier": f"-{number}",
                   "applicationName": application, "customerId": "C01"}, "events": list(events), **more}


ASSIGN = event("ASSIGN_ROLE", "DELEGATED_ADMIN_SETTINGS", ROLE_NAME="_SEED_ADMIN_ROLE", USER_EMAIL="Bo@example.com")
RECORDS = [
    activity(1, "admin", ASSIGN),
    activity(2, "groups_enterprise", event("add_user", group_id="team@example.com", member_id="bo@example.com"),
             event("add_member", group_id="team@example.com", member_id="bo@example.com"),
             actor={"callerType": "KEY", "key": "SYSTEM"}),
    activity(3, "drive", event("change_user_access", "acl_change", doc_id="d1", doc_title=CANARY, billable=True,
                               old_value=["none"], new_value=["can_edit"], target_user="x@other.example")),
    activity(4, "login", event("login_failure", "login", login_challenge_method=["password"])),
    activity(5, "gemini_in_workspace_apps", event("feature_utilization", app_name="docs", action="summarize")),
    activity(6, "token", event("authorize", "auth", client_id="App.apps.example", app_name="Planner",
                               scope=["mail.read", "drive"])),
]


def as_array(records: list[Json]) -> bytes:
    return json.dumps(records).encode()


def as_lines(records: list[Json]) -> bytes:
    return b"".join(json.dumps(held).encode() + b"\n" for held in records)


def page(records: list[Json]) -> Json:
    return {"kind": "admin#reports#activities", "etag": "e", "items": records, "nextPageToken": "n"}


def siem(records: list[Json]) -> list[Json]:
    """One event a record, parameters as an object, times in another form."""
    found = []
    for held in records:
        for said in held["events"]:
            values = {item["name"]: next(value for key, value in item.items() if key != "name")
                      for item in said["parameters"]}
            rest = {key: value for key, value in held.items() if key != "events"}
            found.append({**rest, "id": {**held["id"], "time": held["id"]["time"].replace("T", " ")[:-1] + "000000"},
                          "type": said["type"], "name": said["name"], "parameters": values, "p_log_type": "x"})
    return found


def flattened(records: list[Json]) -> bytes:
    rows = []
    for held in siem(records):
        outer = {f"{key}.{inner}": value for key in ("id", "actor") for inner, value in held.pop(key).items()}
        rows.append({**held, **outer})
    return as_lines(rows)


def tabled(records: list[Json]) -> list[Json]:
    """Rows of the table of a Log Analytics workspace."""
    return [{"TimeGenerated": held["id"]["time"], "Type": "GoogleWorkspaceReports", "Kind": held["kind"],
             "SrcIpAddr": held["ipAddress"], "EventType": held["type"], "EventName": held["name"],
             "EventParameters": json.dumps(held["parameters"]), "AppName": "repeated",
             **{f"Id{key[0].upper()}{key[1:]}": value for key, value in held["id"].items()},
             **{f"Actor{key[0].upper()}{key[1:]}": value for key, value in held["actor"].items()}}
            for held in siem(records)]


def saved(records: list[Json]) -> bytes:
    rows = tabled(records)
    out = io.StringIO()
    writer = csv.DictWriter(out, sorted({key for row in rows for key in row}))
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue().encode()


SHAPES: Mapping[str, Callable[[list[Json]], bytes]] = {
    "splunk": lambda records: as_lines([{"preview": False, "result": {"_time": "1", "_raw": json.dumps(held)}}
                                       for held in records]),
    "array": as_array, "lines": as_lines, "page": lambda records: json.dumps(page(records)).encode(),
    "pages": lambda records: as_lines([page(records[:3]), page(records[3:])]),
    "records": lambda records: json.dumps({"records": records}).encode(),
    "array_of_pages": lambda records: as_array([page(records[:3]), page(records[3:])]),
    "concatenated": lambda records: b"\n".join(json.dumps(held, indent=1).encode() for held in records),
    "events_first": lambda records: as_lines([{"events": held["events"], **held} for held in records]),
    "table": lambda records: as_array(tabled(records)), "saved_table": saved,
    "shipped": lambda records: as_lines([{**held, "events": one} for held in records for one in held["events"]]),
    "siem": lambda records: as_lines([{"_origin": {}, "log": held} for held in siem(records)]), "flattened": flattened}
CONTRACT_FILES: dict[str, bytes] = {name: write(RECORDS) for name, write in SHAPES.items()}
TABLES = ("activity", "identity_facts", "decision_steps", "entitlements", "assistant_access")


@pytest.mark.parametrize("shape", SHAPES)
def test_the_same_events_give_the_same_rows_in_every_packaging(shape: str) -> None:
    plain, packed = Loaded(as_array(RECORDS)), Loaded(SHAPES[shape](RECORDS))
    assert (packed.source, packed.faults) == ("google_workspace", [])
    assert len(plain.ids) == 7
    for table in TABLES:
        assert plain[table].height, table
        held = [sorted(found[table].drop([c for c in ("raw_ref",) if c in found[table].columns]).rows(), key=repr)
                for found in (packed, plain)]
        assert held[0] == held[1], table


def steps(*records: Json) -> list[Json]:
    return Loaded(as_array(list(records)))["decision_steps"].sort("time").to_dicts()


def test_an_assigned_role_is_a_grant_and_its_removal_the_inverse() -> None:
    given, taken = steps(RECORDS[0], activity(9, "admin", {**ASSIGN, "name": "UNASSIGN_ROLE"}))
    target = "gworkspace:C01:role/_seed_admin_role|bo@example.com"
    assert (given["effect_key"], taken["effect_key"]) == (f"grant({target})", f"revoke({target})")
    assert Loaded(as_array([RECORDS[0]])).rows("entitlements", "principal_id", "grant_kind", "privilege", "as_of") == [
        ("gworkspace:C01:bo@example.com", "role", "_SEED_ADMIN_ROLE", None)]


def test_an_activity_with_two_events_is_two_records_and_one_change() -> None:
    found = Loaded(as_array([RECORDS[1]]))
    assert len(set(found.ids)) == 2
    assert found.rows("activity", "action", "actor_id") == [
        ("add_member", "gworkspace:C01:system"), ("add_user", "gworkspace:C01:system")]
    assert found.rows("decision_steps", "effect_key", "actor_class") == [
        ("grant(gworkspace:C01:group/team@example.com|bo@example.com)", "automation")]


@pytest.mark.parametrize(("actor", "found"), [
    (ANA, ("gworkspace:C01:111", "human")), ({"email": "a@b.c", "profileId": "5"}, ("gworkspace:C01:5", "human")),
    ({"email": "A@b.c"}, ("gworkspace:C01:a@b.c", "unknown")),
    ({"email": "", "profileId": "105250506097979753968"}, (None, None)),
    ({"callerType": "KEY", "key": "HANGOUTS_EXTERNAL_OR_ANONYMOUS"}, (None, None)),
    ({"callerType": "KEY", "key": "SYSTEM"}, ("gworkspace:C01:system", "app")),
    ({"callerType": "USER", "email": "bot@p.iam.gserviceaccount.com"},
     ("gworkspace:C01:bot@p.iam.gserviceaccount.com", "service_account")), ({}, (None, None))])
def test_what_an_actor_is_follows_from_what_the_report_says_of_it(actor: Json, found: tuple[str | None, ...]) -> None:
    loaded = Loaded(as_array([activity(1, "login", event("login_success"), actor=actor)]))
    [row] = loaded["activity"].to_dicts()
    assert (row["actor_id"], dict(loaded.rows("identity_facts", "id", "kind")).get(row["actor_id"])) == found


def test_an_agent_acts_for_the_user_beside_it_and_has_the_owner_that_is_stated() -> None:
    agent: Json = {"agentId": "ag1", "agentName": "Helper", "agentType": "custom", "agentOwner": {"email": "Bo@example.com"}}
    loaded = Loaded(as_array([activity(1, "drive", event("edit", "access"), actor={**ANA, "agentAttributionInfo": agent})]))
    [row] = loaded["activity"].to_dicts()
    assert (row["actor_id"], row["on_behalf_of_id"], row["delegation_kind"], row["delegation_trust"]) == (
        "gworkspace:C01:ag1", "gworkspace:C01:111", "platform_field", "provider_asserted")
    [fact] = [fact for fact in loaded["identity_facts"].to_dicts() if fact["id"] == "gworkspace:C01:ag1"]
    assert (fact["kind"], fact["owner"]) == ("ai_agent", [{"id": "gworkspace:C01:bo@example.com", "basis": "owner"}])


def test_an_application_that_impersonates_acts_on_behalf_of_the_user() -> None:
    actor = {**ANA, "applicationInfo": {"oauthClientId": "123", "applicationName": "Sync", "impersonation": True}}
    [row] = Loaded(as_array([activity(1, "drive", event("edit", "access"), actor=actor)]))["activity"].to_dicts()
    assert (row["actor_id"], row["on_behalf_of_id"], row["delegation_kind"]) == (
        "gworkspace:C01:123", "gworkspace:C01:111", "impersonation")


@pytest.mark.parametrize(("name", "outcome"), [
    ("login_failure", "failure"), ("login_success", "success"), ("ACCESS_DENY_EVENT", "denied"),
    ("MONITOR_MODE_ACCESS_DENY_EVENT", "unknown"), ("view", "success")])
def test_the_outcome_follows_from_the_event(name: str, outcome: str) -> None:
    assert Loaded(as_array([activity(1, "login", event(name))]))["activity"]["outcome"].to_list() == [outcome]


def test_an_authorised_app_is_delegated_by_the_user_until_revoked() -> None:
    loaded = Loaded(as_array([RECORDS[5]]))
    assert loaded.rows("entitlements", "principal_id", "grant_kind", "privilege", "via") == [
        ("gworkspace:C01:app.apps.example", "delegated", "drive mail.read", ["gworkspace:C01:111"])]
    [gone] = steps(activity(9, "token", event("revoke", "auth", client_id="App.apps.example", app_name="Planner")))
    assert gone["effect_key"] == "revoke(gworkspace:C01:app_grant/app.apps.example|111)"


def test_a_client_that_may_act_as_anybody_is_delegated_for_everybody_with_its_scopes() -> None:
    given = event("AUTHORIZE_API_CLIENT_ACCESS", "DOMAIN_SETTINGS", API_CLIENT_NAME="123.apps.example",
                  API_SCOPES="https://x/b,https://x/a", DOMAIN_NAME="example.com")
    assert Loaded(as_array([activity(1, "admin", given)])).rows(
        "entitlements", "principal_id", "grant_kind", "privilege", "via") == [
            ("gworkspace:C01:123.apps.example", "delegated", "https://x/a https://x/b", ["ALL_PRINCIPALS"])]


def test_a_setting_is_named_by_application_setting_and_unit_with_its_values() -> None:
    [found] = steps(activity(1, "admin", event("CHANGE_APPLICATION_SETTING", "APPLICATION_SETTINGS", SETTING_NAME="X",
                                               APPLICATION_NAME="Gmail", OLD_VALUE="true", NEW_VALUE="false")))
    assert (found["effect_key"], found["before_state"], found["after_state"]) == (
        "set(gworkspace:C01:setting/gmail/x)", "true", "false")


def test_sharing_is_activity_with_its_change_and_without_the_title() -> None:
    loaded = Loaded(as_array([RECORDS[2]]))
    [row] = loaded["activity"].to_dicts()
    assert (row["resource_id"], row["is_read"]) == ("gworkspace:C01:doc/d1", False)
    assert json.loads(row["effect_delta"]) == {"old_value": ["none"], "new_value": ["can_edit"]}
    assert loaded["decision_steps"].height == 0
    assert CANARY not in json.dumps([frame.to_dicts() for frame in loaded.frames.values()], default=str)


def test_gemini_use_tells_who_and_where_and_lists_no_resource() -> None:
    assert Loaded(as_array([RECORDS[4]])).rows(
        "assistant_access", "user_id", "assistant_id", "app_host", "completeness", "resource_id") == [
        ("gworkspace:C01:111", "gworkspace:C01:gemini", "docs", "absent", None)]


def test_both_forms_of_parameters_read_alike() -> None:
    listed = [{"name": "A", "boolValue": True}, {"name": "B", "intValue": "7"}, {"name": "C", "multiValue": ["x"]},
              {"name": "D"}]
    assert parameters_of(listed) == parameters_of({"A": True, "B": 7, "C": ["x"], "D": None}) == {
        "a": "true", "b": "7", "c": ["x"]}


def test_a_qualifier_that_a_spreadsheet_rounded_is_no_id() -> None:
    first, second = tabled(RECORDS[:1]), tabled(RECORDS[3:4])
    rows = [held | {"IdUniqueQualifier": "-4.32E+18"} for held in (*first, *second)]
    found = Loaded(as_array(rows))
    assert (len(set(found.ids)), found["activity"]["event_id"].null_count()) == (2, 2)


def test_an_activity_without_time_is_kept_and_of_no_day() -> None:
    broken = {**RECORDS[0], "id": {"applicationName": "admin"}}
    found = Loaded(as_array([RECORDS[3], broken]))
    assert found.faults == []
    assert found["activity"]["time"].null_count() == 1


def test_real_activities_are_all_recognised_and_counted(shared_data: Path) -> None:
    files = sorted((shared_data / "google_workspace").rglob("*.json*"))
    assert len(files) == 27
    for file in files:
        text = file.read_text()
        raws = [json.loads(line) for line in text.splitlines()] if file.suffix == ".jsonl" else [json.loads(text)]
        logs = [raw.get("log", raw) for raw in raws]
        events = [(log, said) for log in logs for said in log.get("events") or [log]]
        timed = events
        found = Loaded(file.read_bytes())
        assert found.source == "google_workspace"
        assert len(found.ids) == len(timed)
        assert found.faults == []
        rows = found["activity"]
        assert sorted(rows["action"]) == sorted(said.get("name") or said["type"] for _, said in timed)
        actors = {who for log, _ in timed if (who := _actor(log.get("actor") or {}))}
        assert {actor.split(":", 2)[2] for actor in rows["actor_id"].drop_nulls()} == actors
        fails = sum((said.get("name") or "").endswith("_failure") for _, said in timed)
        assert (rows["outcome"] == "failure").sum() == fails


def _actor(said: Json) -> str | None:
    """Independent of the loader."""
    profile = said.get("profileId")
    if profile == "105250506097979753968":
        profile = None
    key = said.get("key", "")
    return profile or (said.get("email") or "").lower() or (key.lower() if key and "ANONYMOUS" not in key else None)
