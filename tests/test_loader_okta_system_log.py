"""The Okta System Log. Records here are made up, except those under ``shared_data``."""

from __future__ import annotations

import csv
import io
import json
from datetime import datetime
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from lineage_analytics import tables
from lineage_analytics.loaders._okta_principals import who
from lineage_analytics.loaders.okta_system_log import settle
from tests._documents import Loaded

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

Json = dict[str, Any]
ANA: Json = {"id": "00uana", "type": "User", "alternateId": "Ana@example.com", "displayName": "Ana", "detailEntry": None}
BO: Json = {"id": "00ubo", "type": "User", "alternateId": "bo@example.com", "displayName": "Bo"}
ADMINS: Json = {"id": "00gadm", "type": "UserGroup", "alternateId": "unknown", "displayName": "Admins"}
APP: Json = {"id": "0oaapp", "type": "AppInstance", "alternateId": "Payroll", "displayName": "Payroll"}
SYSTEM: Json = {"id": "system", "type": "SystemPrincipal", "alternateId": "system@okta.com", "displayName": "Okta System"}
REQUEST: Json = {"id": "req1", "type": "AccessRequest", "displayName": "Payroll for Ana"}
ITEM: Json = {"id": "rvi1", "type": "ReviewItem"}


def event(number: int, kind: str, *targets: Json, actor: Json = ANA, result: str = "SUCCESS", **more: Any) -> Json:
    """A synthetic System Log event."""
    return {
        "uuid": f"aaaaaaaa-0000-4000-8000-{number:012d}", "published": f"2026-03-01T10:00:{number:02d}.000Z",
        "eventType": kind, "version": "0", "severity": "INFO", "displayMessage": "made up", "actor": actor,
        "client": {"ipAddress": "198.51.100.7", "id": None, "userAgent": {"rawUserAgent": "Mozilla/5.0"}},
        "outcome": {"result": result, "reason": None}, "target": list(targets) or None,
        "transaction": {"id": f"tx{number}", "type": "WEB", "detail": {}},
        "debugContext": {"debugData": {"requestId": f"rq{number}"}},
        "authenticationContext": {"externalSessionId": "sess1", "authenticationStep": 0},
    } | more


def debug(**held: str) -> Json:
    return {"debugContext": {"debugData": held}}


RECORDS = [
    event(1, "user.session.start"),
    event(2, "user.account.privilege.grant", BO, **debug(privilegeGranted="Super administrator, App admin (a, b)")),
    event(3, "group.user_membership.add", BO, ADMINS),
    event(4, "system.api_token.create", {"id": "00Tkey", "type": "Token", "displayName": "ci"}),
    event(5, "access.request.create", REQUEST, APP, ANA),
    event(6, "app.access_request.approver.approve", APP, ANA, actor=BO),
    event(7, "user.authentication.sso", APP, result="FAILURE",
          outcome={"result": "FAILURE", "reason": "INVALID_CREDENTIALS"}),
]


def as_array(records: list[Json]) -> bytes:
    return json.dumps(records).encode()


def as_lines(records: list[Json]) -> bytes:
    return b"".join(json.dumps(record).encode() + b"\n" for record in records)


def lowered(records: list[Json]) -> bytes:
    """As a SIEM hands it on: keys in lower case at the top, debug data as text."""
    moved = [{key.lower(): value for key, value in record.items()} for record in records]
    for record in moved:
        record["debugcontext"] = {"debugData": json.dumps(record["debugcontext"]["debugData"])}
        record["p_log_type"] = "Okta.SystemLog"
    return as_lines(moved)


def streamed(records: list[Json], source: str = "aws.partner/other") -> bytes:
    return as_lines([{"version": "0", "id": "x", "detail-type": "SystemLog", "source": source, "account": "1",
                      "detail": record} for record in records])


def hooked(records: list[Json]) -> bytes:
    return as_lines([{"eventType": "com.okta.event_hook", "eventId": "e", "source": "hook",
                      "data": {"events": records[at:at + 2]}} for at in range(0, len(records), 2)])


def suite(records: list[Json]) -> bytes:
    return as_lines([{"_origin": {"test": "t"}, "log": record} for record in records])


def typed(records: list[Json]) -> list[Json]:
    """Rows of a custom table: a column a leaf with its type behind the name, lists as JSON text."""
    def leaves(held: object, path: str) -> Json:
        if isinstance(held, dict) and held:
            return {key: leaf for inner, value in held.items() for key, leaf in leaves(value, f"{path}_{inner}").items()}
        kind = {"published": "t", "uuid": "g"}.get(path, "d" if isinstance(held, int) else "s")
        return {f"{path}_{kind}": json.dumps(held, indent=1) if isinstance(held, list | dict) else held or ""}
    return [{"TenantId": "t", "Type": "Okta_CL", "RawData": "", **{
        key: leaf for part, value in record.items() for key, leaf in leaves(value, part).items()}} for record in records]


def saved(records: list[Json]) -> bytes:
    """Those rows as a query saves them: times as Americans write them."""
    held = [{key.replace("published_t", "published_t [UTC]"): value for key, value in row.items()}
            for row in typed(records)]
    for row in held:
        at = datetime.fromisoformat(row["published_t [UTC]"])
        row["published_t [UTC]"] = f"{at.month}/{at.day}/{at.year}, {at:%I:%M:%S}.{at:%f} {at:%p}".replace(", 0", ", ")
    out = io.StringIO()
    writer = csv.DictWriter(out, sorted({key for row in held for key in row}))
    writer.writeheader()
    writer.writerows(held)
    return out.getvalue().encode()


def younger(records: list[Json]) -> list[Json]:
    """Rows of the table of the younger connector."""
    return [{
        "TenantId": "t", "Type": "OktaV2_CL", "EventResult": "Success", "ActorUsername": "ana",
        "TimeGenerated": held["published"], "EventOriginalType": held["eventType"], "EventOriginalUid": held["uuid"],
        "EventMessage": held["displayMessage"], "OriginalUserId": held["actor"]["id"],
        "OriginalUserType": held["actor"]["type"], "OriginalActorAlternateId": held["actor"]["alternateId"],
        "ActorDisplayName": held["actor"]["displayName"], "SrcIpAddr": held["client"]["ipAddress"],
        "HttpUserAgent": held["client"]["userAgent"]["rawUserAgent"], "OriginalTarget": held["target"],
        "OriginalOutcomeResult": held["outcome"]["result"],
        "EventOriginalResultDetails": held["outcome"]["reason"], "TransactionId": held["transaction"]["id"],
        "TransactionDetail": held["transaction"]["detail"], "DebugData": held["debugContext"]["debugData"],
        "ActorSessionId": held["authenticationContext"]["externalSessionId"]} for held in records]


SHAPES: Mapping[str, Callable[[list[Json]], bytes]] = {
    "splunk": lambda records: as_lines([{"preview": False, "result": {"_time": "1", "_raw": json.dumps(held)}}
                                       for held in records]),
    "array": as_array, "lines": as_lines, "lowered": lowered, "streamed": streamed, "hooked": hooked, "suite": suite,
    "table": lambda records: as_array(typed(records)), "saved_table": saved,
    "younger_table": lambda records: as_array(younger(records))}


def as_csv(records: list[Json]) -> bytes:
    rows = [{
        "timestamp": record["published"], "uuid": record["uuid"], "event_type": record["eventType"],
        "actor.id": record["actor"]["id"], "actor.type": record["actor"]["type"],
        "actor.alternate_id": record["actor"]["alternateId"], "actor.display_name": record["actor"]["displayName"],
        "client.ip_address": record["client"]["ipAddress"], "outcome.result": record["outcome"]["result"],
        "outcome.reason": record["outcome"]["reason"] or "",
        "transaction.id": record["transaction"]["id"],
        "target0.id": (record["target"] or [{}])[0].get("id", ""),
        "target0.type": (record["target"] or [{}])[0].get("type", ""),
        "target1.id": (record["target"] or [{}, {}])[1:][0].get("id", "") if len(record["target"] or []) > 1 else "",
        "target1.type": (record["target"] or [{}, {}])[1]["type"] if len(record["target"] or []) > 1 else "",
    } for record in records]
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue().encode()


CONTRACT_FILES: dict[str, bytes] = {name: write(RECORDS) for name, write in SHAPES.items()} | {"csv": as_csv(RECORDS)}


def rows(found: Loaded, table: str) -> list[tuple[Any, ...]]:
    frame = found[table].drop([c for c in ("raw_ref",) if c in found[table].columns])
    return sorted(frame.rows(), key=repr)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_same_events_give_the_same_rows_in_every_packaging(shape: str) -> None:
    plain, packed = Loaded(as_array(RECORDS)), Loaded(SHAPES[shape](RECORDS))
    assert packed.source == "okta_system_log"
    assert packed.faults == []
    assert sorted(packed.ids) == sorted(plain.ids)
    for table in ("activity", "identity_facts", "decision_steps", "entitlements", "credentials"):
        assert plain[table].height, table
        assert rows(packed, table) == rows(plain, table), table


def test_the_csv_of_the_console_gives_the_same_events_actors_and_outcomes() -> None:
    plain, table = Loaded(as_array(RECORDS)), Loaded(as_csv(RECORDS))
    columns = ("record_id", "time", "actor_id", "action", "outcome", "resource_id", "ip", "correlation_id")
    assert table.rows("activity", *columns) == plain.rows("activity", *columns)


def steps(*records: Json) -> list[dict[str, Any]]:
    return sorted(Loaded(as_array(list(records)))["decision_steps"].to_dicts(), key=lambda s: (s["time"], s["operation"]))


def test_privileges_granted_together_are_a_step_and_a_standing_role_each() -> None:
    found = Loaded(as_array([RECORDS[1]]))
    assert found.rows("decision_steps", "kind", "effect_key", "actor_id") == [
        ("action", "grant(okta::role/app admin (a, b)|00ubo)", "okta::00uana"),
        ("action", "grant(okta::role/super administrator|00ubo)", "okta::00uana")]
    assert found.rows("entitlements", "principal_id", "grant_kind", "privilege", "state", "as_of") == [
        ("okta::00ubo", "role", "App admin (a, b)", "standing", None),
        ("okta::00ubo", "role", "Super administrator", "standing", None)]


def test_a_removal_names_the_same_target_as_the_addition_it_undoes() -> None:
    added, removed = steps(event(1, "group.user_membership.add", BO, ADMINS),
                           event(2, "group.user_membership.remove", ADMINS, BO))
    assert (added["effect_key"], removed["effect_key"]) == ("grant(okta::group/00gadm|00ubo)",
                                                            "revoke(okta::group/00gadm|00ubo)")
    assert removed["kind"] == "action"


def test_a_grant_that_failed_is_an_attempt_and_grants_nothing() -> None:
    found = Loaded(as_array([event(1, "group.privilege.grant", ADMINS, result="DENY", **debug(privilegeGranted="X"))]))
    assert found.rows("decision_steps", "kind", "status") == [("attempt", "failed")]
    assert found["entitlements"].height == 0
    assert found["activity"]["outcome"].to_list() == ["denied"]


@pytest.mark.parametrize(("result", "outcome"), [
    ("SUCCESS", "success"), ("ALLOW", "success"), ("DENY", "denied"), ("FAILURE", "failure"), ("CHALLENGE", "unknown"),
    ("SKIPPED", "unknown"), ("UNANSWERED", "unknown"), ("something new", "unknown")])
def test_every_result_has_its_outcome_and_new_ones_are_unknown(result: str, outcome: str) -> None:
    assert Loaded(as_array([event(1, "user.session.start", result=result)]))["activity"]["outcome"].to_list() == [outcome]


def test_a_resolved_request_is_an_approval_only_where_the_event_says_so() -> None:
    silent, approved, denied = steps(
        event(1, "access.request.resolve", REQUEST, actor=BO),
        event(2, "access.request.resolve", REQUEST, actor=BO, **debug(decision="APPROVED")),
        event(3, "access.request.resolve", REQUEST, actor=BO, **debug(decision="DENIED")))
    assert [(s["kind"], s["verdict"]) for s in (silent, approved, denied)] == [
        ("outcome", None), ("decision", "approve"), ("decision", "deny")]
    assert {(s["native_key_kind"], s["native_key"]) for s in (silent, approved, denied)} == {
        ("okta_access_request", "req1")}


def test_a_request_resolved_by_the_system_is_decided_by_automation() -> None:
    [found] = steps(event(1, "access.request.resolve", REQUEST, actor=SYSTEM, **debug(decision="APPROVED")))
    assert (found["actor_class"], found["capacity"], found["verdict"]) == ("automation", "system", "approve")


def test_an_application_request_goes_from_request_over_each_approver_to_the_grant() -> None:
    found = steps(event(1, "app.access_request.request", APP, ANA),
                  event(2, "app.access_request.approver.approve", APP, ANA, actor=BO),
                  event(3, "app.access_request.grant", APP, ANA, actor=SYSTEM))
    assert [(s["kind"], s["verdict"], s["capacity"]) for s in found] == [
        ("request", None, None), ("decision", "approve", "approver"), ("action", None, None)]
    assert {s["effect_key"] for s in found} == {"grant(okta::application/0oaapp|00uana)"}
    assert found[0]["initiator_id"] == "okta::00uana"


def test_a_review_decision_and_its_remediation_are_joined_by_the_review_item() -> None:
    kept, removed, done = steps(
        event(1, "access.review.action", ITEM, APP, ANA, actor=BO, **debug(decision="APPROVE")),
        event(2, "access.review.action", ITEM, APP, ANA, actor=BO, **debug(decision="REVOKE")),
        event(3, "access.review.remediate", ITEM, APP, ANA, actor=SYSTEM))
    assert [(s["kind"], s["verdict"], s["native_key"]) for s in (kept, removed, done)] == [
        ("decision", "approve", "rvi1"), ("decision", "approve", "rvi1"), ("action", None, "rvi1")]
    assert [s["decided_value"] for s in (kept, removed)] == ["APPROVE", "REVOKE"]
    assert kept["effect_key"] is None
    assert removed["effect_key"] == done["effect_key"] == "revoke(okta::application/0oaapp|00uana)"


@pytest.mark.parametrize(("kind", "target", "effect"), [
    ("user.mfa.factor.deactivate", BO, "disable(okta::user/00ubo|factor)"),
    ("user.mfa.factor.activate", BO, "enable(okta::user/00ubo|factor)"),
    ("user.account.reset_password", BO, "set(okta::user/00ubo|password)"),
    ("user.lifecycle.suspend", BO, "disable(okta::user/00ubo)"),
    ("user.lifecycle.unsuspend", BO, "enable(okta::user/00ubo)"),
    ("user.lifecycle.delete.completed", BO, "delete(okta::user/00ubo)"),
    ("policy.lifecycle.update", {"id": "p1", "type": "PolicyEntity"}, "set(okta::policy/p1)"),
    ("policy.rule.deactivate", {"id": "r1", "type": "PolicyRule"}, "disable(okta::rule/r1)"),
    ("application.lifecycle.delete", APP, "delete(okta::application/0oaapp)"),
    ("app.keys.rotate", APP, "rotate(okta::application/0oaapp|key)"),
    ("app.oauth2.client.lifecycle.create", {"id": "0oac", "type": "PublicClientApp"}, "create(okta::client/0oac)"),
    ("system.api_token.revoke", {"id": "00T", "type": "Token"}, "revoke(okta::token/00T)"),
    ("user.session.impersonation.grant", BO, "grant(okta::impersonation/00ubo)"),
    ("group.lifecycle.delete", ADMINS, "delete(okta::group/00gadm)"),
    ("access.request.condition.update", {"id": "c1", "type": "Condition"}, "set(okta::access_condition/c1)")])
def test_changes_have_comparable_effects(kind: str, target: Json, effect: str) -> None:
    [found] = steps(event(1, kind, target))
    assert (found["kind"], found["effect_key"]) == ("action", effect)


@pytest.mark.parametrize("kind", ["user.session.start", "user.authentication.sso", "user.account.lock", "policy.evaluate_sign_on"])
def test_signing_in_is_activity_and_no_step(kind: str) -> None:
    assert steps(event(1, kind, APP)) == []


@pytest.mark.parametrize(("kind", "found"), [
    ("User", "human"), ("UserGroup", "group"), ("PublicClientApp", "app"), ("SystemPrincipal", "app"),
    ("AIAgent", "ai_agent"), ("AI_AGENT", "ai_agent"), ("WorkloadPrincipal", "workload"), ("NewPrincipal", "unknown")])
def test_what_a_principal_is_follows_from_its_type(kind: str, found: str) -> None:
    assert who({"id": "x", "type": kind}, None).kind == found


@pytest.mark.parametrize("kind", ["ADAgent", "IP address", "Token", None])
def test_connectors_addresses_and_tokens_are_no_principals(kind: str | None) -> None:
    assert who({"id": "x", "type": kind}, None).id is None


def test_a_login_typed_for_an_account_that_does_not_exist_is_nobody() -> None:
    assert who({"id": "unknown", "type": "User", "alternateid": "root@example.com"}, None).id is None
    assert who({"type": "User", "alternateid": "Ana@example.com"}, None).id == "okta::ana@example.com"


def test_a_name_that_says_agent_makes_no_agent() -> None:
    [fact] = Loaded(as_array([event(1, "user.session.start", actor={**ANA, "displayName": "AI Agent 7"})]))[
        "identity_facts"].to_dicts()
    assert fact["kind"] == "human"


def test_support_staff_act_on_behalf_of_the_user_they_impersonate() -> None:
    [row] = Loaded(as_array([event(1, "user.session.impersonation.initiate", BO)]))["activity"].to_dicts()
    assert (row["actor_id"], row["on_behalf_of_id"], row["delegation_kind"]) == (
        "okta::00uana", "okta::00ubo", "impersonation")


def test_a_token_granted_to_an_agent_for_a_user_is_delegated_by_the_user() -> None:
    agent = {"id": "wlp1", "type": "AIAgent", "displayName": "helper"}
    [row] = Loaded(as_array([event(1, "app.oauth2.as.token.grant.access_token", BO, actor=agent)]))["activity"].to_dicts()
    assert (row["actor_id"], row["on_behalf_of_id"], row["delegation_kind"]) == ("okta::wlp1", "okta::00ubo", "obo_token")


def test_an_api_token_is_known_by_its_id_its_maker_and_its_end() -> None:
    token = {"id": "00Tkey", "type": "Token", "displayName": "ci"}
    found = Loaded(as_array([event(1, "system.api_token.create", token), event(2, "system.api_token.revoke", token, actor=BO)]))
    assert found.rows("credentials", "credential_id", "identity_id", "kind", "status") == [
        ("00Tkey", "okta::00uana", "token", "active"), ("00Tkey", None, "token", "revoked")]


def test_a_revoked_token_belongs_to_who_made_it_however_the_file_was_cut() -> None:
    token = {"id": "00Tkey", "type": "Token", "displayName": "ci"}
    made, ended = (Loaded(as_array([record]))["credentials"].lazy() for record in (
        event(1, "system.api_token.create", token), event(2, "system.api_token.revoke", token, actor=BO)))
    found = settle({"credentials": pl.concat([ended, made])})["credentials"].collect()
    assert found["identity_id"].to_list() == ["okta::00uana", "okta::00uana"]


def test_events_that_name_no_organisation_are_of_the_one_that_the_others_name() -> None:
    plain = Loaded(as_array([RECORDS[2]]))
    def covered(*tenants: str | None) -> pl.LazyFrame:
        rows = [{"basis": "received", "provider": "okta", "tenant": tenant} for tenant in tenants]
        return tables.conform(pl.DataFrame(rows, orient="row"), tables.COVERAGE).lazy()
    held = {"decision_steps": plain["decision_steps"].lazy(), "entitlements": plain["entitlements"].lazy()}
    one = settle({**held, "coverage": covered("acme.okta.com", None)})
    [step] = one["decision_steps"].collect().to_dicts()
    assert (step["tenant"], step["actor_id"], step["effect_key"]) == (
        "acme.okta.com", "okta:acme.okta.com:00uana", "grant(okta:acme.okta.com:group/00gadm|00ubo)")
    assert one["entitlements"].collect()["scope"].to_list() == ["okta:acme.okta.com:00gadm"]
    two = settle({**held, "coverage": covered("a.okta.com", "b.okta.com")})
    assert two["decision_steps"].collect()["tenant"].to_list() == [None]


@pytest.mark.parametrize(("source", "org"), [
    ("aws.partner/okta.com/acme/stream1", "acme"), ("https://acme.okta.com/api/v1/eventHooks/w", "acme.okta.com"),
    ("https://evil.example/acme.okta.com", None), ("https://[", None)])
def test_the_organisation_is_the_one_the_delivery_names(source: str, org: str | None) -> None:
    found = Loaded(streamed([RECORDS[0]], source))
    assert found["activity"]["tenant"].to_list() == [org]
    assert found["activity"]["actor_id"].to_list() == [f"okta:{org or ''}:00uana"]
    assert found.ids == Loaded(as_array([RECORDS[0]])).ids


def test_a_record_without_id_and_time_is_quarantined_and_one_without_time_is_of_no_day() -> None:
    found = Loaded(as_array([RECORDS[0], {"actor": ANA}, {k: v for k, v in RECORDS[0].items() if k != "published"}]))
    assert [(fault.position, fault.reason) for fault in found.faults] == [(1, "no_event")]
    assert found["activity"]["time"].null_count() == 1


def test_real_events_are_all_recognised_and_counted(shared_data: Path) -> None:
    files = sorted((shared_data / "okta").rglob("*.json*"))
    assert len(files) == 6
    for file in files:
        text = file.read_text()
        raws = [json.loads(line) for line in text.splitlines()] if file.suffix == ".jsonl" else [json.loads(text)]
        logs = [{k.lower(): v for k, v in raw.get("log", raw).items()} for raw in raws]
        timed = [log for log in logs if log.get("published") or log.get("p_event_time") or log.get("eventtype")]
        found = Loaded(file.read_bytes())
        assert found.source == "okta_system_log"
        assert len(found.ids) == len(timed)
        assert {fault.reason for fault in found.faults} <= {"no_event"}
        activity = found["activity"]
        assert set(activity["event_id"].drop_nulls()) == {log["uuid"] for log in timed if log.get("uuid")}
        assert set(activity["action"]) == {log["eventtype"] for log in timed}
        actors = {log["actor"]["id"] for log in timed
                  if log.get("actor", {}).get("type") not in (None, "IP address")} - {"unknown"}
        assert {actor.split(":", 2)[2] for actor in activity["actor_id"].drop_nulls()} == actors
        wins = sum((log.get("outcome") or {}).get("result") in ("SUCCESS", "ALLOW") for log in timed)
        assert (activity["outcome"] == "success").sum() == wins
