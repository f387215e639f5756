"""The Anthropic compliance activity feed. Records here are made up, except those under ``shared_data``."""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest

from lineage_analytics.loaders._query_export import plain
from lineage_analytics.loaders.common.times import parse_time
from tests._documents import Loaded

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

Json = dict[str, Any]
USER: Json = {"type": "user_actor", "email_address": "Ana@example.com", "user_id": "user_ana",
              "ip_address": "198.51.100.7", "user_agent": "Mozilla/5.0"}


def record(number: int, kind: str, actor: Json = USER, **more: Any) -> Json:
    """A synthetic activity."""
    return {"id": f"activity_{number}", "created_at": f"2026-03-01T10:00:{number:02d}Z", "organization_id": "org_1",
            "type": kind, "actor": actor, **more}


GRANTED: Json = {"target_id": "user_bo", "target_type": "organization_member", "role": "chat_project:viewer",
                 "resource_type": "chat_project", "resource_id": "claude_proj_1"}
RECORDS = [
    record(1, "role_assignment_granted", **GRANTED),
    record(2, "admin_api_key_created", admin_api_key_id="apikey_1"),
    record(3, "claude_chat_created", claude_chat_id="claude_chat_1"),
    record(4, "claude_chat_access_failed", {"type": "api_actor", "api_key_id": "key_1", "ip_address": "10.0.0.1"},
           claude_chat_id="chat_2"),
]


def as_array(records: list[Json]) -> bytes:
    return json.dumps(records).encode()


def as_lines(records: list[Json]) -> bytes:
    return b"".join(json.dumps(held).encode() + b"\n" for held in records)


def page(records: list[Json]) -> Json:
    return {"data": records, "has_more": True, "first_id": "a", "last_id": "b"}


def saved(records: list[Json]) -> bytes:
    """Rows as a query over a workspace's custom table saves them."""
    rows = ["TimeGenerated [UTC],Type,id_CF,type_CF,created_at [UTC],organization_id,actor,claude_chat_id,role,"
            "target_id,target_type,resource_type,resource_id,admin_api_key_id"]
    for held in records:
        actor = json.dumps(held["actor"]).replace('"', '""')
        more = ",".join(held.get(key, "") for key in rows[0].split(",")[7:])
        rows.append(f'"3/2/2026, 9:00:00.000 AM",Activities_CL,{held["id"]},{held["type"]},'
                    f'"3/1/2026, 10:00:{held["created_at"][17:19]}.000 AM",org_1,"{actor}",{more}')
    return "\n".join(rows).encode()


SHAPES: Mapping[str, Callable[[list[Json]], bytes]] = {
    "splunk": lambda records: as_lines([{"preview": False, "result": {"_time": "1", "_raw": json.dumps(held)}}
                                       for held in records]),
    "array": as_array, "lines": as_lines, "page": lambda records: json.dumps(page(records)).encode(),
    "pages": lambda records: as_lines([page(records[:2]), page(records[2:])]),
    "saved": saved, "suite": lambda records: as_lines([{"_origin": {}, "log": held} for held in records]),
}
CONTRACT_FILES: dict[str, bytes] = {name: write(RECORDS) for name, write in SHAPES.items()}
TABLES = ("activity", "identity_facts", "decision_steps", "entitlements", "credentials")


@pytest.mark.parametrize("shape", SHAPES)
def test_the_same_records_give_the_same_rows_in_every_packaging(shape: str) -> None:
    plain, packed = Loaded(as_array(RECORDS)), Loaded(SHAPES[shape](RECORDS))
    assert (packed.source, packed.faults) == ("anthropic_compliance", [])
    for table in TABLES:
        assert plain[table].height
        assert sorted(packed[table].drop("raw_ref").rows(), key=repr) == sorted(
            plain[table].drop("raw_ref").rows(), key=repr), table


def test_a_granted_role_is_a_grant_on_its_resource_and_its_revocation_the_inverse() -> None:
    found = Loaded(as_array([RECORDS[0], record(9, "role_assignment_revoked", **GRANTED)]))
    target = "anthropic:org_1:role/chat_project:viewer|user_bo|claude_proj_1"
    assert found.rows("decision_steps", "kind", "effect_key") == [
        ("action", f"grant({target})"), ("action", f"revoke({target})")]
    assert found.rows("entitlements", "principal_id", "privilege", "scope", "granted_by") == [
        ("anthropic:org_1:user_bo", "chat_project:viewer", "anthropic:org_1:chat_project/claude_proj_1",
         "anthropic:org_1:user_ana")]


@pytest.mark.parametrize(("actor", "found"), [
    (USER, ("anthropic:org_1:user_ana", "human")),
    ({"type": "api_actor", "api_key_id": "key_1"}, ("anthropic:org_1:key_1", "api_key")),
    ({"type": "admin_api_key_actor", "admin_api_key_id": "k2"}, ("anthropic:org_1:k2", "api_key")),
    ({"type": "scim_directory_sync_actor", "directory_id": "d"}, ("anthropic:org_1:scim_directory_sync", "app")),
    ({"type": "something_actor", "id": "x"}, ("anthropic:org_1:x", "unknown")),
    ({"type": "unauthenticated_user_actor", "unauthenticated_email_address": "a@b.c"}, (None, None))])
def test_what_an_actor_is_follows_from_its_type(actor: Json, found: tuple[str | None, str | None]) -> None:
    loaded = Loaded(as_array([record(1, "sso_login_initiated", actor)]))
    [row] = loaded["activity"].to_dicts()
    assert (row["actor_id"], dict(loaded.rows("identity_facts", "id", "kind")).get(row["actor_id"])) == found


@pytest.mark.parametrize(("kind", "more", "effect"), [
    ("primary_owner_transferred", {}, "set(anthropic:org_1:organization/org_1|primary_owner)"),
    ("claude_artifact_sharing_updated", {"claude_artifact_id": "a1", "audience": [{"type": "public"}]},
     "set(anthropic:org_1:claude_artifact/a1|sharing)"),
    ("admin_api_key_deleted", {"admin_api_key_id": "k"}, "delete(anthropic:org_1:admin_api_key/k)"),
    ("group_member_added", {"group_id": "g1", "user_id": "u1"}, "grant(anthropic:org_1:group/g1|member|u1)"),
    ("rbac_role_unassigned", {"role_id": "r1", "principal_id": "u1"}, "revoke(anthropic:org_1:rbac_role/r1|u1)"),
    ("platform_workspace_member_removed", {"workspace_id": "w1", "user_id": "u1"},
     "revoke(anthropic:org_1:workspace/w1|member|u1)"),
    ("mcp_tool_policy_updated", {"mcp_server_id": "m1", "tool_name": "list"},
     "set(anthropic:org_1:mcp_server/m1|tool_policy|list)"),
    ("org_user_deleted", {"deleted_user_id": "u1"}, "delete(anthropic:org_1:user/u1)"),
    ("org_sso_toggled", {"enabled": False}, "disable(anthropic:org_1:organization/org_1|sso)"),
    ("service_key_revoked", {}, None)])
def test_changes_of_access_are_steps_with_comparable_effects(kind: str, more: Json, effect: str | None) -> None:
    [found] = Loaded(as_array([record(1, kind, **more)]))["decision_steps"].to_dicts()
    assert (found["kind"], found["effect_key"]) == ("action", effect)


@pytest.mark.parametrize(("kind", "more", "found"), [
    ("org_join_request_created", {}, ("request", None)),
    ("org_join_request_instant_approved", {}, ("decision", "approve")),
    ("org_join_requests_bulk_dismissed", {}, ("decision", "deny")),
    ("admin_connector_request_resolved", {"decision": "approved"}, ("decision", "approve")),
    ("org_join_proposal_decided", {"approved": False}, ("decision", "deny")),
    ("admin_connector_request_resolved", {"decision": "postponed"}, ("outcome", None))])
def test_a_request_is_decided_as_its_type_or_else_the_record_says(kind: str, more: Json, found: tuple[str, str]) -> None:
    assert Loaded(as_array([record(1, kind, **more)])).rows("decision_steps", "kind", "verdict") == [found]


def test_members_and_holders_of_roles_have_what_they_were_given() -> None:
    found = Loaded(as_array([
        record(1, "group_member_added", group_id="g1", user_id="u1"),
        record(2, "rbac_role_assigned", role_id="r1", principal_id="g1", principal_type="group"),
        record(3, "platform_service_account_workspace_member_added", service_account_id="s1", workspace_id="w1")]))
    start = "anthropic:org_1:"
    assert found.rows("entitlements", "principal_id", "grant_kind", "privilege", "scope") == [
        (f"{start}g1", "role", "r1", f"{start}organization/org_1"), (f"{start}s1", "role", "member", f"{start}workspace/w1"),
        (f"{start}u1", "membership", "member", f"{start}group/g1")]
    assert set(found.rows("identity_facts", "id", "kind")) >= {
        (f"{start}g1", "group"), (f"{start}s1", "service_account"), (f"{start}u1", "unknown")}


@pytest.mark.parametrize(("written", "read"), [
    ("7/4/2026, 2:37:10.906 PM", "2026-07-04T14:37:10.906000"), ("07/04/2026, 14:37:10", "2026-04-07T14:37:10"),
    ("07/24/2026, 14:37:10", "2026-07-24T14:37:10"), ("7/4/2026, 12:05:00 AM", "2026-07-04T00:05:00")])
def test_a_saved_time_is_american_with_am_or_pm_and_else_begins_with_the_day(written: str, read: str) -> None:
    held = plain({"created_at [UTC]": written})["created_at"]
    assert parse_time(held) == datetime.fromisoformat(f"{read}+00:00")


def test_work_in_chats_is_activity_and_no_step() -> None:
    found = Loaded(as_array([record(1, "claude_chat_created"), record(2, "claude_chat_viewed"),
                             record(3, "claude_file_uploaded")]))
    assert found["decision_steps"].height == 0
    assert dict(found.rows("activity", "action", "is_read"))["claude_chat_viewed"] is True


def test_failed_access_is_a_failure() -> None:
    [row] = Loaded(as_array([RECORDS[3]]))["activity"].to_dicts()
    assert (row["outcome"], row["credential_id"], row["actor_id"]) == ("failure", "key_1", "anthropic:org_1:key_1")
    assert row["resource_id"] == "anthropic:org_1:claude_chat/chat_2"


def test_a_record_without_time_is_kept_and_of_no_day() -> None:
    found = Loaded(as_array([RECORDS[0], {k: v for k, v in RECORDS[1].items() if k != "created_at"}]))
    assert found.faults == []
    assert found["activity"]["time"].null_count() == 1


def test_real_records_are_all_recognised_and_counted(shared_data: Path) -> None:
    file = shared_data / "ai_copilot" / "panther" / "Anthropic.Activity.tests.jsonl"
    logs = [json.loads(line)["log"] for line in file.read_text().splitlines()]
    found = Loaded(file.read_bytes())
    assert found.source == "anthropic_compliance"
    assert (len(found.ids), found.faults) == (len(logs), [])
    activity = found["activity"]
    assert set(activity["event_id"]) == {log["id"] for log in logs}
    actors = {log["actor"].get("user_id") or log["actor"]["api_key_id"] for log in logs}
    assert {actor.split(":", 2)[2] for actor in activity["actor_id"]} == actors
    assert (activity["outcome"] == "failure").sum() == sum(log["type"].endswith("_failed") for log in logs)
    changes = sum(not log["type"].startswith("claude_chat") for log in logs)
    assert found["decision_steps"].height == changes
