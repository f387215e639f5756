"""The GitHub audit log. Records here are made up, except those under ``shared_data``."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from lineage_analytics.loaders._github_names import number, pull_key
from tests._documents import Loaded

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

Json = dict[str, Any]
AT = 1_772_359_200_000
PULL = "https://github.com/Acme/Web/pull/12"


def row(number: int, action: str, **more: Any) -> Json:
    """A synthetic audit row of a person in the organisation."""
    held = {"@timestamp": AT + number * 1000, "_document_id": f"doc{number}", "action": action, "actor": "Ana",
            "actor_id": 11, "actor_is_bot": False, "actor_ip": "198.51.100.7", "org": "Acme", "org_id": 77,
            "created_at": AT + number * 1000, "operation_type": "modify", "repo": "Acme/Web", "repo_id": 5,
            "user_agent": "Mozilla/5.0", "request_id": f"rq{number}"}
    return {key: value for key, value in (held | more).items() if value is not None}


AGENT: Json = {"actor": "Copilot", "actor_id": 198982749, "actor_is_agent": True, "actor_is_bot": True,
               "agent_session_id": "sess-1", "user": "ana", "user_id": 11}
USAGE: Json = {"type": "request", "user_id": 11, "enterprise_id": 9, "endpoint": "/chat/completions",
               "body": "{\"prompt\": \"tell me the pineapple secret\"}", "@timestamp": AT, "event_id": "use1",
               "github_request_id": "gh1"}
HASHED = {"hashed_token": "aGFzaA=="}
RECORDS = [
    row(1, "pull_request.create", pull_request_url=PULL, **AGENT),
    row(2, "pull_request.merge", pull_request_url=PULL),
    row(3, "org.add_member", user="bo", user_id=12, permission="admin"),
    row(4, "personal_access_token.access_granted", user="bo", user_id=12, user_programmatic_access_id=501),
    row(5, "git.clone", programmatic_access_type="Personal access token (classic)", **HASHED, token_id=9),
    row(6, "copilot.cfb_seat_assignment_created", user="bo", user_id=12),
]


def as_array(records: list[Json]) -> bytes:
    return json.dumps(records).encode()


def as_lines(records: list[Json]) -> bytes:
    return b"".join(json.dumps(held).encode() + b"\n" for held in records)


def renamed(records: list[Json]) -> bytes:
    """As a pipeline hands it on: no ``@``, ISO times, ids as text."""
    moved = []
    for record in records:
        held: Json = {key: str(value) if key.endswith("_id") else value for key, value in record.items()}
        when = datetime.fromtimestamp(held.pop("@timestamp") / 1000, UTC)
        held["at_sign_timestamp"] = held["created_at"] = f"{when:%Y-%m-%d %H:%M:%S}.000000000"
        moved.append({"_origin": {"test": "t"}, "log": held | {"p_log_type": "GitHub.Audit"}})
    return as_lines(moved)


def typed(records: list[Json]) -> list[Json]:
    """Rows of a custom table: a column a key with its type behind the name."""
    kinds = {bool: "b", int: "d", str: "s"}
    return [{"TenantId": "t", "Type": "GitHubAuditLogPolling_CL", "TimeGenerated": "2026-03-01T10:00:00Z", **{
        f"{key.replace('@', '_')}_{kinds[type(value)]}": value for key, value in held.items()}} for held in records]


def saved(records: list[Json]) -> bytes:
    rows, out = typed(records), io.StringIO()
    writer = csv.DictWriter(out, sorted({key for row in rows for key in row}))
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue().encode()


SHAPES: Mapping[str, Callable[[list[Json]], bytes]] = {
    "splunk": lambda records: as_lines([{"preview": False, "result": {"_time": "1", "_raw": json.dumps(held)}}
                                       for held in records]),
    "array": as_array, "stream": as_lines, "renamed": renamed,
    "table": lambda records: as_array(typed(records)), "saved_table": saved,
    "floats": lambda records: as_lines([held | {"@timestamp": float(held["@timestamp"])} for held in records])}


def as_csv(records: list[Json]) -> bytes:
    out = io.StringIO()
    columns = ["action", "actor", "actor_id", "user", "user_id", "actor_location.country_code", "org", "org_id", "repo",
               "repo_id", "created_at", "_document_id", "data.team", "actor_is_bot", "actor_is_agent"]
    writer = csv.DictWriter(out, columns, extrasaction="ignore")
    writer.writeheader()
    writer.writerows(records)
    return out.getvalue().encode()


CONTRACT_FILES: dict[str, bytes] = {name: write(RECORDS) for name, write in SHAPES.items()} | {
    "csv": as_csv(RECORDS), "usage": as_lines([*RECORDS, USAGE])}
# Every table that the loader feeds is fed by some fixture; the last one has the usage stream.
TABLES = ("activity", "identity_facts", "decision_steps", "entitlements", "credentials")


@pytest.mark.parametrize("shape", SHAPES)
def test_the_same_rows_come_out_of_every_packaging(shape: str) -> None:
    plain, packed = Loaded(as_array(RECORDS)), Loaded(SHAPES[shape](RECORDS))
    assert (packed.source, packed.faults) == ("github_audit", [])
    for table in TABLES:
        assert plain[table].height, table
        assert sorted(packed[table].drop("raw_ref").rows(), key=repr) == sorted(
            plain[table].drop("raw_ref").rows(), key=repr), table


def test_the_csv_of_the_ui_gives_the_same_events_and_actors() -> None:
    plain, table = Loaded(as_array(RECORDS)), Loaded(as_csv(RECORDS))
    columns = ("record_id", "time", "actor_id", "on_behalf_of_id", "action", "outcome", "tenant")
    assert table.rows("activity", *columns) == plain.rows("activity", *columns)


def steps(*records: Json) -> list[Json]:
    return sorted(Loaded(as_array(list(records)))["decision_steps"].to_dicts(), key=lambda s: (s["time"], s["kind"]))


def test_on_an_agents_row_the_user_is_the_person_who_started_it() -> None:
    found = Loaded(as_array([RECORDS[0]]))
    [held] = found["activity"].to_dicts()
    assert (held["actor_id"], held["on_behalf_of_id"], held["actor_session_id"], held["delegation_trust"]) == (
        "github:77:198982749", "github:77:11", "sess-1", "provider_asserted")
    assert dict(found.rows("identity_facts", "id", "kind"))["github:77:198982749"] == "ai_agent"
    assert found.rows("decision_steps", "kind", "origin", "initiator_id", "actor_class", "authority_mode") == [
        ("draft", "ai", "github:77:11", "ai_agent", "obo_user"),
        ("request", None, "github:77:11", "ai_agent", "obo_user")]


def test_elsewhere_the_user_is_the_account_affected() -> None:
    [held] = Loaded(as_array([RECORDS[2]]))["activity"].to_dicts()
    assert held["on_behalf_of_id"] is None
    assert "github:77:12" in held["extra_resource_ids"]


@pytest.mark.parametrize(("more", "kind"), [
    ({}, "human"), ({"actor_is_bot": True}, "app"), ({"actor_is_bot": None}, "unknown"),
    ({"actor_is_bot": None, "actor": "copilot-swe-agent[bot]"}, "unknown"),
    ({"actor_is_bot": None, "programmatic_access_type": "GitHub App server-to-server token"}, "app"),
    ({"actor_is_bot": None, "programmatic_access_type": "GitHub App user-to-server token"}, "human"),
    ({"actor_is_bot": None, "actor": "deploy_key", "actor_id": 0}, "api_key"),
    ({"actor_is_agent": "true"}, "ai_agent"), ({"actor_is_bot": None, "actor_id": 77, "actor": "Acme"}, "group")])
def test_what_an_actor_is_follows_from_flags_and_credentials_never_from_the_login(more: Json, kind: str) -> None:
    found = Loaded(as_array([row(1, "git.push", **more)]))
    actor = found["activity"]["actor_id"][0]
    assert dict(found.rows("identity_facts", "id", "kind"))[actor] == kind


def test_a_pull_request_is_one_case_from_request_to_merge() -> None:
    found = steps(row(1, "pull_request.create", pull_request_url=PULL), row(2, "pull_request_review.submit",
                  pull_request_url=f"{PULL}#pullrequestreview-1"), RECORDS[1] | {"@timestamp": AT + 9000})
    assert [(s["kind"], s["verdict"], s["native_key"]) for s in found] == [
        ("request", None, "acme/web#12"), ("signal", None, "acme/web#12"), ("action", None, "acme/web#12")]


@pytest.mark.parametrize(("url", "key"), [
    ("https://github.com/Acme/Web/pull/12", "acme/web#12"),
    ("https://api.github.com/repos/Acme/Web/pulls/12", "acme/web#12"),
    ("https://ghe.example/api/v3/repos/Acme/Web/pulls/12/reviews", "acme/web#12"),
    ("https://github.com/Acme/Web/issues/12", None), ("http://[bad", None), (None, None)])
def test_a_pull_request_has_one_key_in_every_address(url: str | None, key: str | None) -> None:
    assert pull_key(url) == key


def test_a_rejected_push_is_a_denied_attempt_and_an_override_an_action_with_its_reasons() -> None:
    found = Loaded(as_array([
        row(1, "protected_branch.rejected_ref_update", branch="refs/heads/main"),
        row(2, "protected_branch.policy_override", branch="refs/heads/main",
            reasons=[{"code": "review_policy_not_satisfied", "message": "CANARY"}])]))
    assert found.rows("decision_steps", "operation", "kind", "status", "target_key") == [
        ("protected_branch.policy_override", "action", "succeeded", "github:77:branch/5|refs/heads/main"),
        ("protected_branch.rejected_ref_update", "attempt", "failed", "github:77:branch/5|refs/heads/main")]
    delta = found["activity"].sort("time")["effect_delta"].to_list()[1]
    assert "review_policy_not_satisfied" in delta
    assert "CANARY" not in delta
    assert found["activity"].sort("time")["outcome"].to_list() == ["denied", "success"]


def test_a_granted_token_is_a_decision_and_an_action_of_its_request() -> None:
    asked, *granted, gone = steps(
        row(1, "personal_access_token.request_created", actor="bo", actor_id=12, user_programmatic_access_id=501),
        RECORDS[3], row(9, "personal_access_token.access_revoked", user_programmatic_access_id=501))
    assert (asked["kind"], asked["initiator_id"], asked["native_key"]) == ("request", "github:77:12", "501")
    assert [(s["kind"], s["verdict"], s["effect_key"], s["native_key"]) for s in granted] == [
        ("action", None, "grant(github:77:token/501)", "501"),
        ("decision", "approve", "grant(github:77:token/501)", "501")]
    assert (gone["kind"], gone["effect_key"]) == ("action", "revoke(github:77:token/501)")


def test_the_token_that_authenticated_is_not_the_token_that_was_granted() -> None:
    found = Loaded(as_array([row(1, "personal_access_token.access_revoked", token_id=9, **HASHED,
                                 programmatic_access_type="OAuth access token")]))
    assert found["credentials"].height == 0
    assert found["activity"]["credential_id"].to_list() == ["9"]


@pytest.mark.parametrize(("grant", "revoke", "target"), [
    ("org.add_member", "org.remove_member", "org/77|12"), ("team.add_member", "team.remove_member", "team/acme/ops|12"),
    ("team.add_repository", "team.remove_repository", "team/acme/ops|5"), ("repo.add_member", "repo.remove_member", "repo/5|12"),
    ("copilot.cfb_seat_assignment_created", "copilot.cfb_seat_assignment_unassigned", "copilot_seat/77|12")])
def test_a_removal_names_the_target_of_the_addition(grant: str, revoke: str, target: str) -> None:
    about: Json = {"user": "bo", "user_id": 12, "team": "Acme/ops"}
    first, second = steps(row(1, grant, **about), row(2, revoke, **about))
    assert (first["effect_key"], second["effect_key"]) == (f"grant(github:77:{target})", f"revoke(github:77:{target})")


@pytest.mark.parametrize(("action", "effect"), [
    ("org.disable_two_factor_requirement", "disable(github:77:org/77|two_factor_requirement)"),
    ("org.enable_two_factor_requirement", "enable(github:77:org/77|two_factor_requirement)"),
    ("repository_ruleset.destroy", "delete(github:77:repository_ruleset/31)"), ("repo.access", "set(github:77:repo/5|access)"),
    ("hook.create", "create(github:77:hook/41)"), ("integration_installation.create", "create(github:77:app/Bot)"),
    ("audit_log_streaming.update", "set(github:77:audit_log_streaming/51)")])
def test_changes_of_rules_and_settings_have_comparable_effects(action: str, effect: str) -> None:
    [found] = steps(row(1, action, ruleset_id=31, hook_id=41, integration="Bot", audit_log_stream_id=51))
    assert found["effect_key"] == effect


@pytest.mark.parametrize("action", ["git.push", "repo.add_topic", "workflows.created_workflow_run", "something.new",
                                    "secret_scanning_alert.create", "organization_default_label.create"])
def test_ordinary_work_is_activity_and_no_step(action: str) -> None:
    found = Loaded(as_array([row(1, action)]))
    assert found["decision_steps"].height == 0
    assert found["activity"]["action"].to_list() == [action]


def test_an_app_of_somebody_else_is_asked_for_and_decided() -> None:
    asked, given, refused = steps(*(row(at, f"org.oauth_app_access_{end}", oauth_application_id=61)
                                    for at, end in enumerate(("requested", "approved", "denied"))))
    assert [(s["kind"], s["verdict"], s["effect_key"]) for s in (asked, given, refused)] == [
        ("request", None, "grant(github:77:oauth_app/61)"), ("decision", "approve", "grant(github:77:oauth_app/61)"),
        ("decision", "deny", "grant(github:77:oauth_app/61)")]


@pytest.mark.parametrize(("method", "status", "outcome", "read"), [
    ("GET", 200, "success", True), ("DELETE", "403", "denied", False), ("POST", 404, "failure", None),
    ("GET", None, "success", True)])
def test_a_call_of_the_api_ended_as_its_status_says(method: str, status: Any, outcome: str, read: bool | None) -> None:
    held = row(1, "api.request", request_method=method, status_code=status, route="/repos/{owner}/{repo}")
    assert Loaded(as_array([held])).rows("activity", "outcome", "is_read") == [(outcome, read)]


def test_the_visibility_of_a_repository_is_the_state_after_a_change_of_it_alone() -> None:
    merge, access = steps(row(1, "repo.change_merge_setting", visibility="internal"),
                          row(2, "repo.access", visibility="internal", previous_visibility="private"))
    assert (merge["after_state"], access["after_state"]) == (None, "internal")


def test_the_commit_reviewed_and_the_head_merged_stand_on_their_steps_where_a_row_holds_them() -> None:
    head, merged = "C" * 40, "d" * 40
    seen, merge = steps(row(1, "pull_request_review.submit", pull_request_url=PULL, state="approved", commit_id=head),
                        row(2, "pull_request.merge", pull_request_url=PULL, head_sha=head, merge_commit_sha=merged))
    assert (seen["decided_value"], merge["applied_value"]) == (head, head)
    assert (seen["stated_keys"], merge["stated_keys"]) == (
        ["request:rq1"], [f"commit:{head.lower()}", f"commit:{merged}", "request:rq2"])


def test_a_decision_on_a_run_states_the_run_and_its_commit_the_way_others_name_them() -> None:
    [found] = steps(row(1, "workflows.approve_workflow_job", workflow_run_id=900, head_sha="c" * 40))
    assert found["stated_keys"] == [f"commit:{'c' * 40}", "request:rq1", "run:acme/web/900"]


def test_what_an_agent_did_states_the_session_it_did_it_in() -> None:
    drafted, asked = steps(row(1, "pull_request.create", pull_request_url=PULL, **AGENT))
    assert drafted["stated_keys"] == asked["stated_keys"] == ["request:rq1", "session:sess-1"]


def test_a_deployment_is_approved_or_rejected_by_who_the_row_names() -> None:
    where: Json = {"workflow_run_id": 900, "environment_name": "prod"}
    yes, no = steps(row(1, "workflows.approve_workflow_job", **where), row(2, "workflows.reject_workflow_job", **where))
    assert [(s["kind"], s["verdict"], s["capacity"], s["native_key"]) for s in (yes, no)] == [
        ("decision", "approve", "approver", "5/900"), ("decision", "deny", "approver", "5/900")]


def test_a_seat_and_a_membership_are_entitlements_from_the_event_not_a_snapshot() -> None:
    found = Loaded(as_array([RECORDS[2], RECORDS[5]]))
    assert found.rows("entitlements", "principal_id", "grant_kind", "privilege", "scope", "as_of") == [
        ("github:77:12", "app_role", "copilot_seat", "github:77:copilot", None),
        ("github:77:12", "role", "admin", "github:77:org/77", None)]


def test_a_changed_role_and_a_repository_of_a_team_are_entitlements_and_a_change_that_names_no_role_is_none() -> None:
    team: Json = {"team": "Acme/core", "team_id": 9}
    found = Loaded(as_array([
        row(1, "org.update_member", user="bea", user_id=12, permission="admin", old_permission="read"),
        row(2, "org.update_member", user="bea", user_id=12),
        row(3, "team.add_repository", **team, permission="push"),
        row(4, "team.update_repository_permission", **team, permission="admin", old_permission="push"),
        row(5, "team.remove_repository", **team)]))
    assert found.rows("entitlements", "principal_id", "grant_kind", "privilege", "scope", "as_of") == [
        ("github:77:12", "role", "admin", "github:77:org/77", None),
        ("github:77:team/9", "role", "admin", "github:77:repo/5", None),
        ("github:77:team/9", "role", "push", "github:77:repo/5", None)]


def test_the_copilot_usage_stream_tells_who_asked_and_stores_no_word() -> None:
    found = Loaded(as_lines([USAGE, USAGE | {"type": "response", "event_id": "use2"}]))
    assert found.rows("assistant_access", "user_id", "assistant_id", "completeness", "resource_id") == [
        ("github:9:11", "github:9:copilot", "absent", None)]
    assert found["activity"].height == 2
    assert "pineapple" not in json.dumps([frame.to_dicts() for frame in found.frames.values()], default=str)


def test_ticket_keys_in_titles_are_hints_and_the_title_is_not_stored() -> None:
    [found] = steps(row(1, "pull_request.create", pull_request_url=PULL, pull_request_title="OPS-31: pineapple"))
    assert found["quoted_keys"] == ["OPS-31"]
    assert "pineapple" not in json.dumps(found, default=str)


def test_without_an_organisation_id_its_login_is_the_tenant_and_without_an_account_id_the_login_the_account() -> None:
    [held] = Loaded(as_array([row(1, "git.push", org_id=None, actor_id=None)]))["activity"].to_dicts()
    assert (held["tenant"], held["actor_id"]) == ("acme", "github:acme:ana")


def _stated(log: Json) -> datetime | None:
    """Independent of the loader: epoch milliseconds or ISO text, the first that states a time."""
    for key in ("@timestamp", "at_sign_timestamp", "created_at", "p_event_time"):
        value = log.get(key)
        if isinstance(value, int | float):
            return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=value)
        if value:
            return datetime.fromisoformat(value[:19]).replace(tzinfo=UTC)
    return None


def test_real_rows_are_all_recognised_and_counted(shared_data: Path) -> None:
    files = sorted((shared_data / "github_audit").rglob("*.json*"))
    assert len(files) == 5
    for file in files:
        text = file.read_text()
        raws = [json.loads(line) for line in text.splitlines()] if file.suffix == ".jsonl" else [json.loads(text)]
        logs = [raw.get("log", raw) for raw in raws]
        timed = logs
        found = Loaded(file.read_bytes())
        assert found.source == "github_audit"
        assert len(found.ids) == len(timed)
        assert found.faults == []
        assert found["activity"]["time"].null_count() == sum(not _stated(log) for log in logs)
        activity = found["activity"]
        assert set(activity["event_id"].drop_nulls()) == {log["_document_id"] for log in timed if "_document_id" in log}
        assert sorted(activity["action"]) == sorted(log["action"] for log in timed)
        actors = {str(log.get("actor_id") or log["actor"].lower()) for log in timed if log.get("actor")}
        assert {actor.split(":", 2)[2] for actor in activity["actor_id"].drop_nulls()} == actors
        assert set(activity["outcome"]) == {"success"}


@pytest.mark.parametrize(("value", "found"), [
    (12, "12"), ("12", "12"), (12.0, "12"), (0, None), ("0", None), (None, None), ("", None), ("1.23E+17", None)])
def test_an_id_is_its_number_and_what_a_spreadsheet_made_of_it_is_none(value: object, found: str | None) -> None:
    assert number(value) == found


@pytest.mark.parametrize(("action", "more", "found"), [
    ("public_key.create", {"fingerprint": "SHA256:abc"}, ("SHA256:abc", "ssh_key", "active", "github:77:11")),
    ("public_key.delete", {"fingerprint": "SHA256:abc"}, ("SHA256:abc", "ssh_key", "revoked", None)),
    ("oauth_access.create", {"oauth_access_id": 31}, ("31", "token", "active", "github:77:11")),
    ("org_credential_authorization.revoke", {"credential_authorization_id": 41, "user": "bo", "user_id": 12},
     ("41", "token", "revoked", "github:77:12"))])
def test_keys_and_tokens_are_known_by_id_holder_and_end(action: str, more: Json, found: tuple[str | None, ...]) -> None:
    held = Loaded(as_array([row(1, action, **more)]))
    assert held.rows("credentials", "credential_id", "kind", "status", "identity_id") == [found]


def test_a_closed_app_request_says_not_how_it_ended_and_the_installation_is_what_was_asked_for() -> None:
    asked, closed, done = steps(*(row(at, action, integration="Planner") for at, action in (
        (1, "integration_installation_request.create"), (2, "integration_installation_request.close"),
        (3, "integration_installation.create"))))
    assert [(s["kind"], s["verdict"]) for s in (asked, closed, done)] == [
        ("request", None), ("outcome", None), ("action", None)]
    assert asked["effect_key"] == done["effect_key"] == "create(github:77:app/Planner)"
    assert asked["native_key"] is closed["native_key"] is None


def test_the_identity_provider_names_of_an_account_are_other_names_of_it() -> None:
    found = Loaded(as_array([row(1, "git.push", external_identity_nameid="Ana@example.com")]))
    [fact] = [fact for fact in found["identity_facts"].to_dicts() if fact["id"] == "github:77:11"]
    assert fact["alt_ids"] == [{"kind": "email", "value": "ana@example.com"},
                               {"kind": "external_id", "value": "ana@example.com"}, {"kind": "login", "value": "ana"}]
