"""The OpenAI audit log. Records here are made up, except those under ``shared_data``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from tests._documents import Loaded

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

Json = dict[str, Any]
USER: Json = {"type": "session", "session": {"user": {"id": "user-ana", "email": "Ana@example.com"},
                                             "ip_address": "198.51.100.7", "user_agent": "Mozilla/5.0"}}
KEY: Json = {"type": "api_key", "api_key": {"type": "service_account", "id": "key-ci",
                                            "service_account": {"id": "svc-1"}}}
BARE: Json = {"type": "api_key", "api_key": {"id": "key-bare"}}
ASSIGNED = "role_assignment_role-api-organization-owner__api-organization__org-x_user-bo"


def record(number: int, kind: str, detail: Json | None = None, actor: Json = USER, **more: Any) -> Json:
    """A synthetic audit record; the details under the type with underscores."""
    held = {kind.replace(".", "_"): detail} if detail is not None else {}
    return {"id": f"audit_log-{number}", "type": kind, "effective_at": 1_772_359_200 + number,
            "object": "organization.audit_log", "actor": actor, **held, **more}


GRANT: Json = {"id": ASSIGNED, "principal_id": "user-bo", "principal_type": "user", "resource_id": "org-x",
               "resource_type": "api.organization"}
RECORDS = [
    record(1, "role.assignment.created", GRANT),
    record(2, "api_key.created", {"id": "key-new", "data": {"name": "ci key", "scopes": ["models:read"]}}, KEY,
           project={"id": "proj_1", "name": "p"}),
    record(3, "login.failed", {"error_code": "invalid_credentials", "error_message": "wrong password hunter2"}),
    record(4, "service_account.created", {"id": "svc-2", "data": {"role": "member"}}),
]


def as_array(records: list[Json]) -> bytes:
    return json.dumps(records).encode()


def as_lines(records: list[Json]) -> bytes:
    return b"".join(json.dumps(held).encode() + b"\n" for held in records)


def page(records: list[Json]) -> Json:
    return {"object": "list", "data": records, "first_id": "a", "last_id": "b", "has_more": False}


def dotted(records: list[Json]) -> bytes:
    """As the API reference shows it: the details under the type itself, and every other type's key null."""
    return as_array([{(record["type"] if key == record["type"].replace(".", "_") else key): value
                      for key, value in record.items()} | {"invite.sent": None} for record in records])


SHAPES: Mapping[str, Callable[[list[Json]], bytes]] = {
    "splunk": lambda records: as_lines([{"preview": False, "result": {"_time": "1", "_raw": json.dumps(held)}}
                                       for held in records]),
    "array": as_array, "lines": as_lines, "dotted": dotted,
    "page": lambda records: json.dumps(page(records)).encode(),
    "pages": lambda records: as_lines([page(records[:2]), page(records[2:])]),
    "suite": lambda records: as_lines([{"_origin": {}, "log": held} for held in records]),
}
CONTRACT_FILES: dict[str, bytes] = {name: write(RECORDS) for name, write in SHAPES.items()}
TABLES = ("activity", "identity_facts", "decision_steps", "entitlements", "credentials")


@pytest.mark.parametrize("shape", SHAPES)
def test_the_same_records_give_the_same_rows_in_every_packaging(shape: str) -> None:
    plain, packed = Loaded(as_array(RECORDS)), Loaded(SHAPES[shape](RECORDS))
    assert (packed.source, packed.faults) == ("openai_audit", [])
    for table in TABLES:
        assert plain[table].height
        assert sorted(packed[table].drop("raw_ref").rows(), key=repr) == sorted(
            plain[table].drop("raw_ref").rows(), key=repr), table


def test_an_assignment_is_a_grant_of_the_role_its_id_names_and_its_end_the_inverse() -> None:
    found = Loaded(as_array([RECORDS[0], record(9, "role.assignment.deleted", {
        "id": ASSIGNED, "principal_id": "user-bo", "principal_type": "user"})]))
    assert found.rows("decision_steps", "kind", "effect_key") == [
        ("action", f"grant(openai::role_assignment/{ASSIGNED})"),
        ("action", f"revoke(openai::role_assignment/{ASSIGNED})")]
    assert found.rows("entitlements", "principal_id", "grant_kind", "privilege", "scope") == [
        ("openai::user-bo", "role", "role-api-organization-owner", "openai::api.organization/org-x")]


@pytest.mark.parametrize(("actor", "found"), [
    (USER, ("openai::user-ana", "human", None)), (KEY, ("openai::svc-1", "service_account", "key-ci")),
    (BARE, ("openai::key-bare", "api_key", "key-bare")), ({}, (None, None, None))])
def test_who_acted_is_the_user_or_service_account_behind_a_key(actor: Json, found: tuple[str | None, ...]) -> None:
    loaded = Loaded(as_array([record(1, "login.succeeded", actor=actor)]))
    [row] = loaded["activity"].to_dicts()
    kinds = dict(loaded.rows("identity_facts", "id", "kind"))
    assert (row["actor_id"], kinds.get(row["actor_id"]), row["credential_id"]) == found


def test_a_failed_login_is_a_failure_with_its_code_and_without_its_sentence() -> None:
    loaded = Loaded(as_array([RECORDS[2]]))
    [row] = loaded["activity"].to_dicts()
    assert (row["outcome"], row["error_code"], row["action"]) == ("failure", "invalid_credentials", "login.failed")
    assert "hunter2" not in json.dumps(row, default=str)
    assert loaded["decision_steps"].height == 0


def test_a_key_is_known_with_its_scopes_and_ends_with_its_deletion() -> None:
    loaded = Loaded(as_array([RECORDS[1], record(9, "api_key.deleted", {"id": "key-new"})]))
    assert loaded.rows("credentials", "identity_id", "credential_id", "status", "scopes") == [
        ("openai::key-new", "key-new", "active", ["models:read"]), ("openai::key-new", "key-new", "revoked", None)]


@pytest.mark.parametrize(("kind", "detail", "effect"), [
    ("ip_allowlist.config.deactivated", {"configs": [{"id": "ip1"}]}, "disable(openai::ip_allowlist/ip1)"),
    ("ip_allowlist.created", {"id": "ip1", "allowed_ips": ["0.0.0.0/0"]}, "create(openai::ip_allowlist/ip1)"),
    ("user.updated", {"id": "user-bo", "changes_requested": {"role": "owner"}}, "set(openai::user/user-bo|role)"),
    ("project.archived", {"id": "p1"}, "disable(openai::project/p1)"), ("scim.enabled", None, None)])
def test_changes_have_comparable_effects(kind: str, detail: Json | None, effect: str | None) -> None:
    [found] = Loaded(as_array([record(1, kind, detail)]))["decision_steps"].to_dicts()
    assert (found["kind"], found["effect_key"]) == ("action", effect)


def test_a_record_without_time_is_of_no_day_and_a_new_type_is_activity() -> None:
    found = Loaded(as_array([record(1, "something.quite.new", {"x": 1}),
                             {k: v for k, v in RECORDS[0].items() if k != "effective_at"}]))
    assert found.faults == []
    assert found["activity"].select("action", pl.col("time").is_null()).rows()[0] == ("something.quite.new", False)
    assert found["activity"]["time"].null_count() == 1


def test_real_records_are_all_recognised_and_counted(shared_data: Path) -> None:
    file = shared_data / "ai_copilot" / "panther" / "OpenAI.Audit.tests.jsonl"
    logs = [json.loads(line)["log"] for line in file.read_text().splitlines()]
    found = Loaded(file.read_bytes())
    assert found.source == "openai_audit"
    assert (len(found.ids), found.faults) == (len(logs), [])
    activity = found["activity"]
    assert set(activity["event_id"]) == {log["id"] for log in logs}
    assert (activity["outcome"] == "failure").sum() == sum(log["type"] == "login.failed" for log in logs)
    users = {(log["actor"].get("session") or log["actor"]["api_key"])["user"]["id"] for log in logs}
    assert {actor.split(":", 2)[2] for actor in activity["actor_id"]} == users
    changes = sum(not log["type"].startswith("login.") for log in logs)
    assert found["decision_steps"].height == changes
