"""The Entra directory audit log. Records here are made up, except those under ``shared_data``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineage_analytics.loaders._entra_pim import phase_of
from lineage_analytics.loaders._entra_record import clean_activity
from lineage_analytics.loaders._entra_steps import EFFECTS
from tests._documents import Loaded
from tests._microsoft import Json, as_csv, as_json, as_lines, load, same

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

TENANT = "7a1b0000-0000-4000-8000-00000000000a"
ANA, BO = "11111111-0000-4000-8000-000000000001", "22222222-0000-4000-8000-000000000002"
ROLE, REQUEST = "62e90394-69f5-4237-9190-012177145e10", "33333333-0000-4000-8000-000000000003"
GROUP, APP = "44444444-0000-4000-8000-000000000004", "55555555-0000-4000-8000-000000000005"
CLIENT = "66666666-0000-4000-8000-000000000006"
THREAD = "19:lgojcxwbvhJnfU3IhUJW5M-nSX2U7t@thread.v2"
CANARY = "pineapple-canary-77"

PERSON: Json = {"user": {"id": ANA, "displayName": "Ana", "userPrincipalName": "Ana@Contoso.com",
                         "ipAddress": "198.51.100.7", "roles": []}}
APPROVER: Json = {"user": {"id": BO, "displayName": "Bo", "userPrincipalName": "bo@contoso.com", "ipAddress": None}}
SERVICE: Json = {"app": {"appId": None, "displayName": "MS-PIM", "servicePrincipalId": None}}


def audit(number: int, activity: str, by: Json | None = None, **more: Any) -> Json:
    """A synthetic directory audit of the core directory."""
    return {
        "id": f"Directory_{number}", "category": "UserManagement", "correlationId": f"{REQUEST[:-1]}{number % 10}",
        "result": "success", "resultReason": "", "activityDisplayName": activity,
        "activityDateTime": f"2026-03-01T10:00:{number % 60:02d}.1234567Z", "loggedByService": "Core Directory",
        "operationType": "Update", "initiatedBy": PERSON if by is None else by, "targetResources": [],
        "additionalDetails": [],
    } | more


def target(kind: str, native: str | None, label: str | None = None, **changed: Any) -> Json:
    """A target; ``changed`` maps property names (``__`` for a dot) to a new value or to a pair of old and new."""
    properties = []
    for key, value in changed.items():
        old, new = value if isinstance(value, tuple) else (None, value)
        properties.append({"displayName": key.replace("__", "."), "oldValue": old if old is None else json.dumps(old),
                           "newValue": new if new is None else json.dumps(new)})
    return {"id": native, "displayName": label, "type": kind, "modifiedProperties": properties}


def pim(number: int, activity: str, by: Json | None = None, details: Json | None = None, **more: Any) -> Json:
    """A synthetic record of Privileged Identity Management, laid out as the real one in the shared samples."""
    held = {"RoleDefinitionOriginId": ROLE, "RoleDefinitionOriginType": "BuiltInRole", "TemplateId": ROLE,
            "StartTime": "2026-03-01T10:00:00Z", "ExpirationTime": "2026-03-01T18:00:00Z",
            "Justification": f"{CANARY}, see CHG0031337 and {THREAD}", "tid": TENANT, "RequestId": REQUEST}
    held |= details or {}
    return audit(
        number, activity, by, id=f"PIM_{number}", category="RoleManagement", loggedByService="PIM",
        resultReason=held["Justification"] or "", correlationId=REQUEST,
        targetResources=[target("Role", "99999999-0000-4000-8000-000000000009", "Global Administrator"),
                         target("Request", REQUEST), target("User", ANA, "Ana"), target("Directory", TENANT, "Contoso")],
        additionalDetails=[{"key": key, "value": value} for key, value in held.items()]) | more


CHAIN = [
    pim(1, "Add member to role requested (PIM activation)"),
    pim(2, "Add member to role request approved (PIM activation)", APPROVER),
    pim(3, "Add member to role completed (PIM activation)"),
    audit(4, "Add member to role", SERVICE, category="RoleManagement", operationType="Assign", correlationId=REQUEST,
          targetResources=[target("User", ANA, "Ana", Role__TemplateId=ROLE, Role__DisplayName="Global Administrator")]),
    pim(5, "Remove member from role (PIM activation expired)", SERVICE),
]
RECORDS = [*CHAIN[:3], CHAIN[4], pim(6, "Update role setting in PIM")]


def envelope(record: Json) -> Json:
    return {
        "time": record["activityDateTime"], "resourceId": f"/tenants/{TENANT}/providers/Microsoft.aadiam",
        "operationName": record["activityDisplayName"], "operationVersion": "1.0", "category": "AuditLogs",
        "tenantId": TENANT, "resultSignature": "None", "durationMs": 0, "callerIpAddress": None, "Level": 4,
        "correlationId": "another-one", "identity": "Ana", "properties": record,
    }


def sentinel(record: Json) -> Json:
    return {
        "TenantId": "a-workspace-not-a-directory", "TimeGenerated": record["activityDateTime"], "Type": "AuditLogs",
        "SourceSystem": "Azure AD", "OperationName": record["activityDisplayName"], "Category": record["category"],
        "CorrelationId": record["correlationId"], "Result": record["result"], "ResultReason": record["resultReason"],
        "Id": record["id"], "LoggedByService": record["loggedByService"], "AADTenantId": TENANT,
        "AADOperationType": record["operationType"], "ActivityDisplayName": record["activityDisplayName"],
        "ActivityDateTime": record["activityDateTime"], "InitiatedBy": json.dumps(record["initiatedBy"]),
        "TargetResources": json.dumps(record["targetResources"]),
        "AdditionalDetails": json.dumps(record["additionalDetails"]),
    }


SHAPES: dict[str, Callable[[list[Json]], bytes]] = {
    "graph_page": lambda records: as_json({"@odata.context": "x#auditLogs/directoryAudits", "value": records}),
    "array": as_json,
    "lines": as_lines,
    "graph_pages": lambda records: as_lines([{"@odata.context": "x", "value": records[:2]},
                                             {"@odata.context": "x", "value": records[2:]}]),
    "diagnostic_lines": lambda records: as_lines([envelope(r) for r in records]),
    "diagnostic_records": lambda records: as_json({"records": [envelope(r) for r in records]}),
    "diagnostic_text": lambda records: as_lines([envelope(r) | {"properties": json.dumps(r)} for r in records]),
    "sentinel_lines": lambda records: as_lines([sentinel(r) for r in records]),
    "sentinel_csv": lambda records: as_csv([sentinel(r) for r in records]),
    "test_suite": lambda records: as_lines([{"_origin": {"test": "made up"}, "log": envelope(r)} for r in records]),
    "byte_order_mark": lambda records: b"\xef\xbb\xbf" + as_json(records),
    "utf16": lambda records: json.dumps(records).encode("utf-16"),
    "crlf": lambda records: as_lines(records).replace(b"\n", b"\r\n"),
    "lower_case_keys": lambda records: as_lines([{k.lower(): v for k, v in r.items()} for r in records]),
}

# For the sweep over all loaders: good files by shape name, every one with the same records.
CONTRACT_FILES: dict[str, bytes] = {name: write(RECORDS) for name, write in SHAPES.items()}


@pytest.mark.parametrize("shape", SHAPES)
def test_the_same_records_give_the_same_rows_in_every_packaging(shape: str) -> None:
    plain, packed = load(as_json(RECORDS)), load(SHAPES[shape](RECORDS))
    assert packed.source == "entra_audit"
    assert packed.faults == []
    assert sorted(packed.record_ids) == sorted(plain.record_ids)
    for table in ("activity", "identity_facts", "decision_steps", "entitlements"):
        assert same(packed.frames[table]) == same(plain.frames[table]), table


def test_a_graph_record_without_a_directory_is_still_the_record_of_the_diagnostic_setting() -> None:
    one = audit(1, "Disable account", targetResources=[target("User", BO)])
    graph, diagnostic = load(as_json([one])), load(as_lines([envelope(one)]))
    assert graph.record_ids == diagnostic.record_ids
    assert (graph.rows("activity")[0]["tenant"], diagnostic.rows("activity")[0]["tenant"]) == (None, TENANT)
    assert graph.rows("activity")[0]["actor_id"] == f"entra::{ANA}"
    [alt] = [a["value"] for a in graph.rows("identity_facts")[0]["alt_ids"] if a["kind"] == "object_id"]
    assert alt == ANA


def steps(*records: Json) -> list[Json]:
    return load(as_lines([envelope(r) for r in records])).rows("decision_steps")


def test_a_synthetic_activation_gives_request_approval_execution_and_expiry_of_one_request() -> None:
    asked, approved, done, mirror, expired = steps(*CHAIN)
    key = f"entra:{TENANT}:role/{ROLE}|{ANA}"
    person, approver = f"entra:{TENANT}:{ANA}", f"entra:{TENANT}:{BO}"
    assert [s["kind"] for s in (asked, approved, done, expired)] == ["request", "decision", "action", "expiry"]
    assert {s["target_key"] for s in (asked, approved, done, mirror, expired)} == {key}
    assert [s["effect_key"] for s in (asked, approved, done, mirror)] == [f"grant({key})"] * 4
    assert expired["effect_key"] == f"revoke({key})"
    assert {(s["native_key_kind"], s["native_key"]) for s in (asked, approved, done, expired)} == {
        ("pim_request_id", REQUEST)}
    assert (approved["verdict"], asked["verdict"], done["verdict"]) == ("approve", None, None)
    assert [(s["initiator_id"], s["actor_id"], s["actor_class"]) for s in (asked, approved, done)] == [
        (person, person, "human"), (person, approver, "human"), (person, person, "human")]
    assert (expired["initiator_id"], expired["actor_class"]) == (None, "automation")
    assert done["expires_at"].isoformat() == "2026-03-01T18:00:00+00:00"
    assert expired["expires_at"] is None


def test_the_core_directory_copy_of_an_activation_is_marked_with_the_correlation_id() -> None:
    done, mirror = steps(CHAIN[2], CHAIN[3])
    assert (mirror["native_key_kind"], mirror["native_key"], mirror["actor_class"]) == (
        "pim_mirror", REQUEST, "automation")
    assert mirror["correlation_id"] == done["correlation_id"] == mirror["native_key"]
    [direct] = steps(CHAIN[3] | {"initiatedBy": PERSON})
    assert (direct["native_key_kind"], direct["actor_class"], direct["effect_key"]) == (
        None, "human", done["effect_key"])


def test_the_reason_itself_is_never_kept_only_the_keys_in_it() -> None:
    found = load(as_lines([envelope(r) for r in CHAIN]))
    kept = " ".join(str(frame.to_dicts()) for frame in found.frames.values())
    assert CANARY not in kept
    asked = found.rows("decision_steps")[0]
    assert asked["quoted_keys"] == [THREAD, "CHG0031337"]
    assert asked["justification_present"] is True
    [failed] = load(as_lines([pim(7, CHAIN[0]["activityDisplayName"], result="failure")])).rows("activity")
    assert (failed["outcome"], failed["error_code"]) == ("failure", "failure")


@pytest.mark.parametrize(("written", "keys"), [
    ("INC0012345 / RITM0099999", ["INC0012345", "RITM0099999"]), ("fix SEC-42, please", ["SEC-42"]),
    ("change 12345", []), ("", []),
])
def test_quoted_keys_are_ticket_and_conversation_keys(written: str, keys: list[str]) -> None:
    [found] = steps(pim(1, CHAIN[0]["activityDisplayName"], details={"Justification": written}))
    assert found["quoted_keys"] == keys
    assert found["justification_present"] is bool(written)


def test_a_ticket_in_its_own_field_is_a_stated_key_and_no_field_means_unknown() -> None:
    [found] = steps(pim(1, CHAIN[0]["activityDisplayName"], details={"Justification": "", "TicketNumber": "CHG0000777"}))
    assert (found["stated_keys"], found["quoted_keys"]) == (["ticket:CHG0000777"], [])
    [core] = steps(audit(1, "Disable account", targetResources=[target("User", BO)]))
    assert core["justification_present"] is None


def test_the_request_target_stands_in_for_a_missing_request_id() -> None:
    record = pim(1, CHAIN[0]["activityDisplayName"], details={"RequestId": ""})
    [found] = steps(record)
    assert (found["native_key_kind"], found["native_key"]) == ("pim_request_id", REQUEST)
    record["targetResources"] = [t for t in record["targetResources"] if t["type"] != "Request"]
    assert steps(record)[0]["native_key"] is None


# Activity, step kind, verdict, verb, state. The rows of the table in the source reference, in its order.
PHASES = [
    ("Add member to role requested (PIM activation)", "request", None, "grant", "activated"),
    ("Add member to role approval requested (PIM activation)", "request", None, "grant", "activated"),
    ("Add member to role request approved (PIM activation)", "decision", "approve", "grant", "activated"),
    ("Add member to role request denied (PIM activation)", "decision", "deny", "grant", "activated"),
    ("Add member to role completed (PIM activation)", "action", None, "grant", "activated"),
    ("Add member to role canceled (PIM activation)", "decision", "withdraw", "grant", "activated"),
    ("Cancel request", "decision", "withdraw", "grant", None),
    ("Remove request", "decision", "withdraw", "grant", None),
    ("PIM activation request expired", "expiry", None, "request", None),
    ("Remove member from role (PIM activation expired)", "expiry", None, "revoke", "activated"),
    ("Remove member from role requested (PIM deactivate)", "request", None, "revoke", "activated"),
    ("Remove member from role completed (PIM deactivate)", "rollback", None, "revoke", "activated"),
    ("Add member to role in PIM requested (timebound)", "request", None, "grant", "timebound"),
    ("Add member to role in PIM requested (permanent)", "request", None, "grant", "standing"),
    ("Add member to role in PIM requested (renew)", "request", None, "grant", "timebound"),
    ("Add member to role in PIM completed (timebound)", "action", None, "grant", "timebound"),
    ("Add member to role in PIM completed (permanent)", "action", None, "grant", "standing"),
    ("Add member to role in PIM canceled (timebound)", "decision", "withdraw", "grant", "timebound"),
    ("Add eligible member to role in PIM requested (permanent)", "request", None, "grant", "eligible"),
    ("Add eligible member to role in PIM completed (timebound)", "action", None, "grant", "eligible"),
    ("Add eligible member to role in PIM canceled (renew)", "decision", "withdraw", "grant", "eligible"),
    ("Remove member from role in PIM requested (timebound)", "request", None, "revoke", "timebound"),
    ("Remove member from role in PIM completed (timebound)", "rollback", None, "revoke", "timebound"),
    ("Remove eligible member from role in PIM completed (permanent)", "rollback", None, "revoke", "eligible"),
    ("Remove permanent direct role assignment", "rollback", None, "revoke", "standing"),
    ("Remove permanent eligible role assignment", "rollback", None, "revoke", "eligible"),
    ("Restore member from role", "rollback", None, "grant", "standing"),
    ("Restore member from role in PIM completed", "rollback", None, "grant", "standing"),
    ("Restore eligible member from role in PIM completed", "rollback", None, "grant", "eligible"),
    ("Restore permanent direct role assignment", "rollback", None, "grant", "standing"),
    ("Update member in PIM approved by admin (extend/renew)", "decision", "approve", "grant", "timebound"),
    ("Update member in PIM denied by admin (extend/renew)", "decision", "deny", "grant", "timebound"),
    ("Update eligible member in PIM requested (extend)", "request", None, "grant", "eligible"),
    ("Update member in PIM canceled (extend)", "decision", "withdraw", "grant", "timebound"),
    ("Add member to role outside of PIM (permanent)", "action", None, "grant", "standing"),
    ("Approve request - direct role assignment", "decision", "approve", "grant", "standing"),
    ("Process request", "outcome", None, "grant", None),
    ("Process role removal request", "outcome", None, "revoke", None),
    ("Update role setting in PIM", "action", None, "set", None),
    ("PIM policy removed", "action", None, "delete", None),
    ("Triggered PIM alert", "signal", None, "raise", None),
    ("Resolve PIM alert", "decision", "modify", "close", None),
    ("Disable PIM alert", "action", None, "disable", None),
    ("Enable PIM alert", "action", None, "enable", None),
]


@pytest.mark.parametrize(("activity", "kind", "verdict", "verb", "state"), PHASES)
def test_every_pim_activity_is_its_phase(activity: str, kind: str, verdict: str | None, verb: str, state: str | None) -> None:
    phase = phase_of(activity.casefold())
    assert phase is not None
    assert (phase.kind, phase.verdict, phase.verb, phase.state) == (kind, verdict, verb, state)
    [found] = steps(pim(1, activity.upper(), details={"ExpirationTime": "2026-04-01T00:00:00Z"}))
    assert (found["kind"], found["verdict"]) == (kind, verdict)
    assert (found["expires_at"] is not None) == (verb == "grant" and kind in ("request", "action"))


@pytest.mark.parametrize("activity", [*EFFECTS, "update user", "add member to administrative unit", ""])
def test_a_core_directory_activity_is_no_pim_phase(activity: str) -> None:
    assert phase_of(activity) is None


def test_an_awaited_approval_is_pending_and_a_failed_grant_an_attempt() -> None:
    waiting, failed = steps(
        pim(1, "Add member to role approval requested (PIM activation)"),
        pim(2, "Add member to role completed (PIM activation)", result="failure"))
    assert (waiting["kind"], waiting["status"]) == ("request", "pending")
    assert (failed["kind"], failed["status"]) == ("attempt", "failed")


@pytest.mark.parametrize("written", [
    "Update application – Certificates and secrets management", "Update application – Certificates and secrets management ",
    "Update application - Certificates  and secrets management", "UPDATE application − Certificates and secrets management",
])
def test_spellings_of_an_activity_collapse(written: str) -> None:
    cleaned = clean_activity(written)
    assert cleaned is not None
    assert cleaned.casefold() == "update application - certificates and secrets management"


def test_pim_for_groups_assigns_a_group_and_not_a_role() -> None:
    targets = [target("Role", "r", "Member"), target("Request", REQUEST), target("User", ANA), target("Group", GROUP)]
    [member] = steps(pim(1, CHAIN[2]["activityDisplayName"], category="GroupManagement", targetResources=targets))
    assert member["target_key"] == f"entra:{TENANT}:group/{GROUP}|{ANA}"
    targets[0] = target("Role", "r", "Owner")
    [owner] = steps(pim(1, CHAIN[2]["activityDisplayName"], category="GroupManagement", targetResources=targets))
    assert owner["target_key"] == f"entra:{TENANT}:group/{GROUP}/owner|{ANA}"


def test_a_scope_below_the_directory_is_part_of_the_target() -> None:
    [whole] = steps(pim(1, CHAIN[2]["activityDisplayName"], details={"DirectoryScopeId": "/"}))
    [unit] = steps(pim(2, CHAIN[2]["activityDisplayName"], details={"DirectoryScopeId": "/administrativeUnits/1"}))
    assert whole["target_key"] == f"entra:{TENANT}:role/{ROLE}|{ANA}"
    assert unit["target_key"] == whole["target_key"] + "|/administrativeUnits/1"


@pytest.mark.parametrize(("by", "native", "kind", "agent_class"), [
    (PERSON, ANA, "human", "human"),
    ({"user": {"id": None, "userPrincipalName": "Ana@Contoso.com"}}, "ana@contoso.com", "human", "human"),
    ({"user": {"id": ANA.upper(), "userPrincipalName": None}, "app": None}, ANA, "human", "human"),
    ({"app": {"servicePrincipalId": APP, "appId": CLIENT, "displayName": "Deployer"}}, APP, "app", "workload"),
    ({"app": {"servicePrincipalId": None, "appId": CLIENT, "displayName": "Deployer"}}, CLIENT, "app", "workload"),
    ({"app": {"displayName": "Deployer"}}, "Deployer", "app", "workload"),
    ({"app": {"servicePrincipalId": APP, "displayName": "MS-PIM"}}, APP, "app", "workload"),
    (SERVICE, "MS-PIM", "app", "automation"), ({"app": {"displayName": "Azure AD PIM"}}, "Azure AD PIM", "app", "automation"),
    ({"app": {"displayName": "Microsoft Approval Management"}}, "Microsoft Approval Management", "app", "automation"),
    ({"app": {"servicePrincipalId": APP, "@odata.type": "#microsoft.graph.agentIdentity"}}, APP, "ai_agent", "ai_agent"),
    ({"app": {"servicePrincipalId": APP, "servicePrincipalType": "ServiceIdentity"}}, APP, "ai_agent", "ai_agent"),
    ({"user": {"id": ANA, "agentType": "agenticAppInstance"}}, ANA, "ai_agent", "ai_agent"),
    ({"user": {"id": ANA, "agentType": "notAgentic"}}, ANA, "human", "human"),
    ({"app": {"servicePrincipalId": APP, "displayName": "Copilot agent bot"}}, APP, "app", "workload"),
])
def test_the_actor_is_who_the_record_states_by_type_and_never_by_name(
    by: Json, native: str, kind: str, agent_class: str
) -> None:
    found = load(as_lines([envelope(audit(1, "Disable account", by, targetResources=[target("User", BO)]))]))
    assert found.rows("activity")[0]["actor_id"] == f"entra:{TENANT}:{native}"
    facts = {row["id"]: row for row in found.rows("identity_facts")}
    assert facts[f"entra:{TENANT}:{native}"]["kind"] == kind
    assert found.rows("decision_steps")[0]["actor_class"] == agent_class
    managed = facts[f"entra:{TENANT}:{native}"]["excluded_reason"] == "provider_managed"
    assert managed == (agent_class == "automation")


@pytest.mark.parametrize("by", [{}, {"user": None, "app": None}, {"user": {"id": "", "userPrincipalName": "<null>"}},
                                {"app": {"servicePrincipalId": "00000000-0000-0000-0000-000000000000"}}])
def test_nobody_named_stays_unknown(by: Json) -> None:
    found = load(as_json([audit(1, "Disable account", by, targetResources=[target("User", BO)])]))
    assert found.rows("activity")[0]["actor_id"] is None
    assert found.rows("decision_steps")[0]["actor_class"] == "unknown"


@pytest.mark.parametrize(("by", "actor"), [
    ({"Type": "system", "Id": "", "Name": "Provisioner"}, "Provisioner"), ({"Type": "user", "Id": BO, "Name": "Bo"}, BO)])
@pytest.mark.parametrize(("status", "outcome"), [("success", "success"), ("failure", "failure"), ("skipped", "unknown")])
def test_a_provisioning_record_names_who_acted_on_whom_and_how_it_ended(
    by: Json, actor: str, status: str, outcome: str
) -> None:
    record = {"id": "p-1", "activityDateTime": "2026-03-01T10:00:00Z", "action": "Create", "jobId": "j", "changeId": "c",
              "initiatedBy": by, "sourceIdentity": {"identityType": "User", "Id": ANA, "Name": "Ana", "details": {}},
              "targetIdentity": {"identityType": "urn:x", "Id": "elsewhere"}, "provisioningAction": "create",
              "provisioningStatusInfo": {"Status": status}, "modifiedProperties": [{"displayName": "a", "newValue": CANARY}]}
    found = load(as_lines([{
        "category": "ProvisioningLogs", "time": "2026-03-01T10:00:00Z", "operationName": "Provisioning activity",
        "tenantId": TENANT, "resultType": status.title(), "properties": record}]))
    [row] = found.rows("activity")
    assert (row["actor_id"], row["resource_id"], row["outcome"], row["unmapped"]) == (
        f"entra:{TENANT}:{actor}", f"entra:{TENANT}:{ANA}", outcome, None)
    assert CANARY not in str([frame.to_dicts() for frame in found.frames.values()])


def test_an_agent_acting_through_a_user_stays_the_users_act_with_the_agent_as_the_way() -> None:
    both = {"user": PERSON["user"], "app": {"servicePrincipalId": APP, "servicePrincipalType": "ServiceIdentity"}}
    found = load(as_lines([envelope(audit(1, "Disable account", both, targetResources=[target("User", BO)]))]))
    [row], [step] = found.rows("activity"), found.rows("decision_steps")
    assert (row["actor_id"], row["via_assistant_id"], row["delegation_kind"]) == (
        f"entra:{TENANT}:{ANA}", f"entra:{TENANT}:{APP}", "platform_field")
    assert (step["actor_class"], step["via_assistant_id"], step["authority_mode"]) == (
        "human", f"entra:{TENANT}:{APP}", "obo_user")
    assert row["delegation_trust"] == "provider_asserted"
    facts = {fact["id"]: fact["kind"] for fact in found.rows("identity_facts")}
    assert facts[f"entra:{TENANT}:{APP}"] == "ai_agent"


def test_whom_a_change_is_about_is_seen_too() -> None:
    found = load(as_lines([envelope(audit(1, "Add service principal", targetResources=[
        target("ServicePrincipal", APP, "Deployer")]))]))
    fact = next(row for row in found.rows("identity_facts") if row["id"] == f"entra:{TENANT}:{APP}")
    assert (fact["kind"], fact["basis"], fact["created_at"]) == ("app", "seen", found.rows("activity")[0]["time"])


def changed(number: int, activity: str, *targets: Json, **more: Any) -> Json:
    return audit(number, activity, targetResources=list(targets), **more)


SCOPES = {"ServicePrincipal__ObjectID": CLIENT}
KEYS = "[KeyIdentifier=%s,KeyType=Password,KeyUsage=Verify,DisplayName=canary]"
PAIRS = [
    ("role/" + ROLE + "|" + ANA,
     changed(1, "Add member to role", target("User", ANA, Role__TemplateId=ROLE)),
     changed(2, "Remove member from role", target("User", ANA, Role__TemplateId=(ROLE, None)))),
    ("group/" + GROUP + "|" + ANA,
     changed(1, "Add member to group", target("User", ANA, Group__ObjectID=GROUP), target("Group", GROUP)),
     changed(2, "Remove member from group", target("User", ANA, Group__ObjectID=(GROUP, None)), target("Group", GROUP))),
    ("group/" + GROUP + "/owner|" + ANA,
     changed(1, "Add owner to group", target("User", ANA, Group__ObjectID=GROUP), target("Group", GROUP)),
     changed(2, "Remove owner from group", target("User", ANA, Group__ObjectID=(GROUP, None)), target("Group", GROUP))),
    ("application/" + APP + "/owner|" + ANA,
     changed(1, "Add owner to application", target("User", ANA), target("Application", APP)),
     changed(2, "Remove owner from application", target("Application", APP), target("User", ANA))),
    ("service_principal/" + APP + "|" + CLIENT + "|" + ROLE,
     changed(1, "Add app role assignment to service principal",
             target("ServicePrincipal", APP, AppRole__Id=ROLE, ServicePrincipal__ObjectID=CLIENT),
             target("ServicePrincipal", CLIENT)),
     changed(2, "Remove app role assignment from service principal",
             target("ServicePrincipal", APP, AppRole__Id=(ROLE, None), ServicePrincipal__ObjectID=(CLIENT, None)))),
    ("delegated_grant/" + CLIENT + "|" + APP + "|Mail.Read+User.Read",
     changed(1, "Add delegated permission grant",
             target("ServicePrincipal", APP, DelegatedPermissionGrant__Scope="User.Read Mail.Read", **SCOPES)),
     changed(2, "Remove delegated permission grant",
             target("ServicePrincipal", APP, DelegatedPermissionGrant__Scope=("Mail.Read User.Read", None), **SCOPES))),
    ("service_principal/" + APP + "|key-1",
     changed(1, "Add service principal credentials", target("ServicePrincipal", APP, KeyDescription=([], [KEYS % "key-1"]))),
     changed(2, "Remove service principal credentials",
             target("ServicePrincipal", APP, KeyDescription=([KEYS % "key-1"], [])))),
    ("user/" + ANA, changed(1, "Disable account", target("User", ANA)), changed(2, "Enable account", target("User", ANA))),
    ("user/" + ANA, changed(1, "Delete user", target("User", ANA)), changed(2, "Restore user", target("User", ANA))),
    ("policy/p1", changed(1, "Add conditional access policy", target("Policy", "p1")),
     changed(2, "Delete conditional access policy", target("Policy", "p1"))),
    ("mfa_bypass/" + ANA, changed(1, "Add bypass user", target("User", ANA)),
     changed(2, "Remove bypassed user", target("User", ANA))),
]


@pytest.mark.parametrize(("key", "forward", "inverse"), PAIRS, ids=[p[1]["activityDisplayName"] for p in PAIRS])
def test_both_halves_of_an_inverse_pair_name_one_target(key: str, forward: Json, inverse: Json) -> None:
    first, second = steps(forward, inverse)
    assert first["target_key"] == second["target_key"] == f"entra:{TENANT}:{key}"
    assert first["effect_key"] != second["effect_key"]
    assert {first["kind"], second["kind"]} == {"action"}


def test_an_eligible_assignment_is_another_effect_than_an_active_one() -> None:
    eligible, active, removed = steps(
        pim(1, "Add eligible member to role in PIM completed (permanent)"),
        pim(2, "Add member to role in PIM completed (permanent)"),
        pim(3, "Remove eligible member from role in PIM completed (permanent)"))
    assert eligible["target_key"] == active["target_key"] == removed["target_key"]
    assert eligible["effect_key"].replace("grant", "revoke") == removed["effect_key"]
    assert active["effect_key"] != eligible["effect_key"]


def test_a_policy_put_back_has_its_earlier_state_whatever_the_time_of_writing() -> None:
    def update(number: int, old: str, new: str) -> Json:
        values = tuple(json.dumps({"id": "p1", "state": s, "modifiedDateTime": f"{number}{s}"}) for s in (old, new))
        return changed(number, "Update Conditional Access policy", target("Policy", "p1", ConditionalAccessPolicy=values),
                       category="Policy", loggedByService="Conditional Access")

    off, on = steps(update(1, "enabled", "disabled"), update(2, "disabled", "enabled"))
    assert (off["before_state"], off["after_state"]) == (on["after_state"], on["before_state"])
    assert off["before_state"] != off["after_state"]


@pytest.mark.parametrize(("activity", "before", "after", "kind"), [
    ("Add", None, "enabledForReportingButNotEnforced", "draft"), ("Add", None, "disabled", "draft"),
    ("Add", None, "enabled", "action"), ("Add", None, None, "action"),
    ("Update", "enabledForReportingButNotEnforced", "enabled", "action"),
    ("Update", "enabled", "enabledForReportingButNotEnforced", "action"), ("Update", "enabled", "disabled", "action"),
    ("Update", "disabled", "enabledForReportingButNotEnforced", "draft"), ("Update", None, "disabled", "action"),
    ("Update", "enabled", "enabled", "action"), ("Delete", "enabledForReportingButNotEnforced", None, "action"),
])
def test_a_policy_that_enforces_nothing_is_a_draft_until_it_is_enforced(
    activity: str, before: str | None, after: str | None, kind: str,
) -> None:
    own, core = (json.dumps({"id": "p1", "state": s}) if s else "" for s in (before, after)), [
        json.dumps([json.dumps({"State": {"enabledForReportingButNotEnforced": "Reporting"}.get(s, s.title()),
                                "Conditions": {}, "Controls": []})]) if s else "" for s in (before, after)]
    [found] = steps(changed(1, f"{activity} conditional access policy", target(
        "Policy", "p1", ConditionalAccessPolicy=tuple(own)), category="Policy", loggedByService="Conditional Access"))
    [copy] = steps(changed(2, f"{activity} policy", target("Policy", "p1", PolicyDetail=tuple(core)), category="Policy"))
    assert (found["kind"], found["applied_value"], copy["kind"]) == (kind, after, kind)


def test_the_core_copy_of_a_conditional_access_change_is_marked() -> None:
    detail = json.dumps([json.dumps({"Version": 1, "State": "Enabled", "Conditions": {}, "Controls": []})])
    [copy] = steps(changed(1, "Update policy", target("Policy", "p1", PolicyDetail=("[]", detail)), category="Policy"))
    [own] = steps(changed(2, "Update policy", target("Policy", "p2", TokenLifetime=("1", "2")), category="Policy"))
    assert (copy["native_key_kind"], copy["native_key"]) == ("ca_mirror", copy["correlation_id"])
    assert own["native_key_kind"] is None


def test_credentials_are_known_by_id_and_their_names_are_not_kept() -> None:
    record = changed(1, "Update application – Certificates and secrets management ",
                     target("Application", APP, KeyDescription=([KEYS % "old"], [KEYS % "old", KEYS % "new"])))
    [found] = steps(record)
    assert found["effect_key"] == f"create(entra:{TENANT}:application/{APP}|new)"
    assert "canary" not in str(found)


def test_unlisted_changes_of_roles_and_policies_are_steps_and_profile_edits_are_not() -> None:
    [rules] = steps(changed(1, "Update authentication methods policy", target("Policy", "m1"), category="Policy"))
    assert rules["effect_key"] == f"set(entra:{TENANT}:policy/m1)"
    assert steps(changed(2, "Update user", target("User", ANA), category="UserManagement")) == []


def test_a_dismissed_recommendation_is_a_decision_on_a_rule() -> None:
    [found] = steps(changed(1, "Dismiss recommendation", target("Recommendation", "rec-1")))
    assert (found["native_key_kind"], found["native_key"]) == ("entra_recommendation", "rec-1")
    assert (found["kind"], found["verdict"], found["origin"]) == ("decision", "deny", "rule")


def grants(*records: Json) -> list[Json]:
    return load(as_lines([envelope(r) for r in records])).rows("entitlements")


@pytest.mark.parametrize(("activity", "state"), [(a, s) for a, k, _, v, s in PHASES
                                                 if v == "grant" and k in ("action", "rollback")])
def test_completed_assignments_are_entitlements_with_their_state(activity: str, state: str) -> None:
    [found] = grants(pim(1, activity))
    assert (found["principal_id"], found["grant_kind"], found["privilege"], found["scope"], found["state"]) == (
        f"entra:{TENANT}:{ANA}", "role", "Global Administrator", "/", state)
    assert (found["origin"], found["grant_id"], found["effect"], found["as_of"]) == ("pim", REQUEST, "allow", None)
    assert found["granted_at"].isoformat() == "2026-03-01T10:00:01.123456+00:00"
    assert found["expires_at"].isoformat() == "2026-03-01T18:00:00+00:00"


def test_requests_failures_removals_and_direct_changes_leave_no_entitlement() -> None:
    kinds = [pim(n, a) for n, (a, k, _, v, _) in enumerate(PHASES) if v != "grant" or k not in ("action", "rollback")]
    assert grants(*kinds, pim(99, CHAIN[2]["activityDisplayName"], result="failure"), CHAIN[3],
                  CHAIN[3] | {"initiatedBy": PERSON, "id": "Directory_8"}) == []


SIGN_IN: Json = {
    "time": "2026-03-01T11:00:00Z", "resourceId": f"/tenants/{TENANT}/providers/Microsoft.aadiam", "category": "SignInLogs",
    "tenantId": TENANT, "operationName": "Sign-in activity", "resultType": "0",
    "properties": {"id": "s-1", "createdDateTime": "2026-03-01T10:59:00Z", "userId": ANA, "appId": APP,
                   "isInteractive": True, "status": {"errorCode": 0}},
}
REQUEST_LOG: Json = SIGN_IN | {"category": "MicrosoftGraphActivityLogs", "properties": {
    "requestId": "q-1", "timeGenerated": "2026-03-01T11:01:00Z", "requestMethod": "GET", "responseStatusCode": 200,
    "requestUri": "https://graph.microsoft.com/v1.0/users", "userId": ANA, "appId": APP}}
DETECTION: Json = SIGN_IN | {"category": "UserRiskEvents", "properties": {
    "id": "d-1", "riskEventType": "leakedCredentials", "riskState": "atRisk", "riskLevel": "high", "userId": ANA,
    "detectedDateTime": "2026-03-01T11:02:00Z"}}
PROVISIONING: Json = SIGN_IN | {"category": "ProvisioningLogs", "properties": {"id": "p-1"}}


@pytest.mark.parametrize(("order", "reader"), [
    ([*CHAIN[:2], SIGN_IN, REQUEST_LOG, PROVISIONING, DETECTION], "entra_audit"),
    ([SIGN_IN, SIGN_IN | {"properties": SIGN_IN["properties"] | {"id": "s-2"}}, REQUEST_LOG, PROVISIONING, DETECTION,
      CHAIN[0]], "entra_signins"),
])
def test_a_file_of_several_logs_loses_none_and_each_record_is_booked_under_its_own(order: list[Json], reader: str) -> None:
    packed = [record if "category" in record and "properties" in record else envelope(record) for record in order]
    found = load(as_lines(packed))
    assert (found.source, found.seen, len(found.record_ids)) == (reader, 6, 5)
    [fault] = found.faults
    assert (fault.position, fault.reason, fault.disposition) == (packed.index(PROVISIONING), "out_of_scope", "rejected")
    assert "ProvisioningLogs" in fault.detail
    by_category = {"AuditLogs": "entra_audit", "SignInLogs": "entra_signins", "UserRiskEvents": "entra_risk",
                   "MicrosoftGraphActivityLogs": "entra_graph_activity"}
    wanted = {(by_category[r["category"]], at) for at, r in enumerate(packed) if r["category"] in by_category}
    activity = found.rows("activity")
    assert {(row["source"], row["raw_ref"]["offset"]) for row in activity} == wanted
    assert [row["record_id"] for row in activity] == found.record_ids
    for at, record in enumerate(packed):
        alone = load(as_lines([record, record]))
        if alone.source is not None:
            [row] = [row for row in activity if row["raw_ref"]["offset"] == at]
            assert {**row, "raw_ref": None} == {**alone.rows("activity")[0], "raw_ref": None}


def portal(record: Json) -> Json:
    """The row a download shows of a record."""
    user, app = (record["initiatedBy"].get(key) or {} for key in ("user", "app"))
    row = {"Date (UTC)": record["activityDateTime"][:19] + "Z", "CorrelationId": record["correlationId"],
           "Service": record["loggedByService"], "Category": record["category"], "Activity": record["activityDisplayName"],
           "Result": record["result"], "ResultReason": record["resultReason"], "User Agent": "",
           "ActorType": "User" if user else "Application", "ActorDisplayName": (user or app).get("displayName"),
           "ActorObjectId": user.get("id"), "ActorUserPrincipalName": user.get("userPrincipalName"),
           "IPAddress": user.get("ipAddress"), "ActorServicePrincipalId": app.get("servicePrincipalId")}
    for t in range(1, 5):
        held = record["targetResources"][t - 1] if t <= len(record["targetResources"]) else {}
        row |= {f"Target{t}Type": held.get("type"), f"Target{t}DisplayName": held.get("displayName"),
                f"Target{t}ObjectId": held.get("id"), f"Target{t}UserPrincipalName": None}
        for p in range(1, 6):
            changed = held.get("modifiedProperties", [])[p - 1:p] or [{}]
            row |= {f"Target{t}ModifiedProperty{p}Name": changed[0].get("displayName"),
                    f"Target{t}ModifiedProperty{p}OldValue": changed[0].get("oldValue"),
                    f"Target{t}ModifiedProperty{p}NewValue": changed[0].get("newValue")}
    for number, detail in enumerate(record["additionalDetails"], 1):
        row |= {f"AdditionalDetail{number}Key": detail["key"], f"AdditionalDetail{number}Value": detail["value"]}
    return row


CONTRACT_FILES["portal_csv"] = as_csv([portal(r) for r in RECORDS])


def test_a_download_of_the_portal_says_the_same_but_for_the_record_id() -> None:
    plain, shown = load(as_json(RECORDS)), load(as_csv([portal(r) for r in RECORDS]))
    assert (shown.source, shown.faults) == ("entra_audit", [])
    steps = ("kind", "operation", "verdict", "actor_id", "target_key", "effect_key", "native_key", "quoted_keys",
             "justification_present", "expires_at", "initiator_id", "correlation_id")
    for table, columns in (("decision_steps", steps), ("activity", ("actor_id", "action", "resource_id", "outcome", "ip"))):
        rows = [[[row[c] for c in columns] for row in found.rows(table)] for found in (plain, shown)]
        assert rows[0] == rows[1]
    assert CANARY not in str([frame.to_dicts() for frame in shown.frames.values()])


def test_a_query_result_saved_as_csv_is_the_same_record() -> None:
    rows = [{f"{key} [UTC]" if key in ("TimeGenerated", "ActivityDateTime") else key: value
             for key, value in sentinel(record).items()} for record in RECORDS]
    for row in rows:
        row["ActivityDateTime [UTC]"] = f"3/1/2026, {row['ActivityDateTime [UTC]'][11:26]} AM"
    plain, saved = load(as_lines([envelope(r) for r in RECORDS])), load(as_csv(rows))
    assert (saved.source, saved.faults, saved.record_ids) == ("entra_audit", [], plain.record_ids)
    assert same(saved.frames["activity"]) == same(plain.frames["activity"])


def test_what_an_access_change_set_is_kept_and_of_other_changes_only_the_names() -> None:
    role = changed(1, "Add member to role", target("User", ANA, Role__TemplateId=ROLE, Description="hunter2",
                                                   ClientSecret="hunter2", Scope='{"password": "hunter2", "a": "b"}'))
    user = changed(2, "Update user", target("User", BO, Mobile="hunter2"))
    found = load(as_lines([envelope(role), envelope(user)])).rows("activity")
    assert "hunter2" not in str(found)
    first = json.loads(found[0]["effect_delta"])
    assert {"target": f"user/{ANA}", "property": "role.templateid", "before": None, "after": ROLE} in first
    assert json.loads(found[1]["effect_delta"]) == [{"target": f"user/{BO}", "property": "mobile"}]
    [plain] = load(as_json([audit(3, "Disable account", targetResources=[target("User", BO)])])).rows("activity")
    assert plain["effect_delta"] is None


def test_credentials_in_what_changed_are_ids() -> None:
    record = changed(1, "Add service principal credentials",
                     target("ServicePrincipal", APP, KeyDescription=([], [KEYS % "new"])))
    [row] = load(as_json([record])).rows("activity")
    assert json.loads(row["effect_delta"]) == [
        {"target": f"serviceprincipal/{APP}", "property": "keydescription", "before": None, "after": ["new"]}]


def test_targets_beside_the_first_are_named_too() -> None:
    [row] = load(as_lines([envelope(CHAIN[0])])).rows("activity")
    assert row["resource_id"] == f"entra:{TENANT}:role/99999999-0000-4000-8000-000000000009"
    assert row["extra_resource_ids"] == sorted([
        f"entra:{TENANT}:{ANA}", f"entra:{TENANT}:request/{REQUEST}", f"entra:{TENANT}:directory/{TENANT}"])


@pytest.mark.parametrize(("agent_type", "kind", "subkind"), [
    ("agenticApp", "app", "agent_blueprint"), ("agenticAppInstance", "ai_agent", "agent_identity"),
    ("agentIDuser", "ai_agent", "agent_user"), ("agentIdentityBlueprintPrincipal", "ai_agent", "agent_blueprint_principal"),
    ("notAgentic", "app", "service_principal"),
])
def test_targets_say_which_sort_of_agent_they_are(agent_type: str, kind: str, subkind: str) -> None:
    about = target("ServicePrincipal", APP) | {"agentType": agent_type, "blueprintId": CLIENT}
    found = load(as_lines([envelope(audit(1, "Add service principal", targetResources=[about]))]))
    fact = next(row for row in found.rows("identity_facts") if row["id"] == f"entra:{TENANT}:{APP}")
    assert (fact["kind"], fact["subkind"]) == (kind, subkind)
    assert fact["parent_id"] == (f"entra:{TENANT}:{CLIENT}" if agent_type != "notAgentic" else None)


PACKAGE = "88888888-0000-4000-8000-000000000008"
GOVERNANCE = [
    ("User requests access package assignment", "request", None, "grant", "requester", "succeeded"),
    ("User requests to remove access package assignment", "request", None, "revoke", "requester", "succeeded"),
    ("User requests access package assignment on behalf of service principal", "request", None, "grant", "requester",
     "succeeded"),
    ("Approve access package assignment request", "decision", "approve", "grant", "approver", "succeeded"),
    ("Auto approve access package assignment request", "decision", "approve", "grant", "policy", "succeeded"),
    ("Deny access package assignment request", "decision", "deny", "grant", "approver", "succeeded"),
    ("Cancel access package assignment request", "decision", "withdraw", "grant", "requester", "succeeded"),
    ("Access package assignment request timed out (no approver action taken)", "expiry", None, "request", None, "succeeded"),
    ("Ready to fulfill access package assignment request", "outcome", None, "grant", None, "pending"),
    ("Fulfill access package assignment request", "action", None, "grant", None, "succeeded"),
    ("Failed access package assignment request", "attempt", None, "grant", None, "failed"),
    ("Administrator directly assigns user to access package", "action", None, "grant", None, "succeeded"),
    ("Remove access package assignment", "action", None, "revoke", None, "succeeded"),
]


@pytest.mark.parametrize(("activity", "kind", "verdict", "verb", "capacity", "status"), GOVERNANCE)
def test_requests_for_access_packages_are_their_phases_and_share_the_request(
    activity: str, kind: str, verdict: str | None, verb: str, capacity: str | None, status: str
) -> None:
    targets = [target("AccessPackageAssignmentRequest", REQUEST), target("AccessPackage", PACKAGE), target("User", ANA)]
    [found] = steps(audit(1, activity, category="EntitlementManagement", loggedByService="Entitlement Management",
                          targetResources=targets))
    assert (found["kind"], found["verdict"], found["capacity"], found["status"]) == (kind, verdict, capacity, status)
    assert (found["native_key_kind"], found["native_key"]) == ("access_package_request_id", REQUEST)
    assert found["effect_key"] == f"{verb}(entra:{TENANT}:access_package/{PACKAGE}|{ANA})"


def test_a_request_whose_record_names_neither_package_nor_request_has_neither() -> None:
    [found] = steps(audit(1, "User requests access package assignment", category="EntitlementManagement"))
    assert (found["kind"], found["target_key"], found["native_key"]) == ("request", None, None)


@pytest.mark.parametrize(("activity", "kind", "verdict", "capacity"), [
    ("Approve decision", "decision", "approve", "reviewer"), ("Deny decision", "decision", "deny", "reviewer"),
    ("Reset decision", "decision", "withdraw", "reviewer"), ("Apply decision", "action", None, None),
    ("Auto review", "decision", "modify", "system"), ("Request denied", "decision", "deny", "approver"),
])
def test_what_reviewers_decide_is_decided_in_the_audit_too(
    activity: str, kind: str, verdict: str | None, capacity: str | None
) -> None:
    [found] = steps(audit(1, activity, loggedByService="Access Reviews", targetResources=[target("AccessReview", GROUP)]))
    assert (found["kind"], found["verdict"], found["capacity"]) == (kind, verdict, capacity)
    assert found["target_key"] == f"entra:{TENANT}:access_review/{GROUP}"
    assert steps(audit(2, activity, loggedByService="Core Directory")) == []


def test_a_failed_decision_stays_a_decision_and_the_approver_of_an_activation_has_that_capacity() -> None:
    [failed] = steps(audit(1, "Approve decision", loggedByService="Access Reviews", result="failure"))
    assert (failed["kind"], failed["status"]) == ("decision", "failed")
    asked, approved = steps(*CHAIN[:2])
    assert (asked["capacity"], approved["capacity"]) == (None, "approver")


@pytest.mark.parametrize(("result", "outcome"), [
    ("success", "success"), ("failure", "failure"), ("timeout", "failure"), ("unknownFutureValue", "unknown"), (None, "unknown"),
])
def test_outcomes_follow_result(result: str | None, outcome: str) -> None:
    found = load(as_json([audit(1, "Disable account", result=result, targetResources=[target("User", BO)])]))
    assert found.rows("activity")[0]["outcome"] == outcome
    assert found.rows("decision_steps")[0]["status"] == {"success": "succeeded", "failure": "failed"}.get(outcome, "unknown")


@pytest.mark.parametrize("shape", ["array", "lines", "graph_page", "diagnostic_lines"])
def test_a_first_record_longer_than_the_head_is_recognised(shape: str) -> None:
    long = pim(9, CHAIN[0]["activityDisplayName"], additionalDetails=[{"key": f"k{n}", "value": "x" * 99} for n in range(900)])
    found = load(SHAPES[shape]([long, *RECORDS]))
    assert (found.source, len(found.record_ids), found.faults) == ("entra_audit", 6, [])


def test_a_record_without_a_time_is_quarantined_with_its_place() -> None:
    found = load(as_json([CHAIN[0], audit(2, "Add user", activityDateTime="yesterday")]))
    assert [(f.position, f.reason, f.disposition) for f in found.faults] == [(1, "no_time", "quarantined")]
    assert found.seen == 2


_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8)
    | st.sampled_from(["", "[]", "{}", "[{}]", '"x"', '["a"]', "\\", "\x00", ANA, "User", "Role"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["id", "type", "user", "app", "key", "value", "displayName", "modifiedProperties", "oldValue",
                         "newValue"]), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from([*EFFECTS, *(p[0] for p in PHASES)]), st.dictionaries(st.sampled_from([
    "id", "category", "correlationId", "result", "resultReason", "activityDateTime", "loggedByService", "operationType",
    "initiatedBy", "targetResources", "additionalDetails", "userAgent", "properties", "tenantId", "resourceId",
]), _values, max_size=8))
def test_any_value_anywhere_is_counted_and_never_an_error(activity: str, fields: Json) -> None:
    found = load(as_json([CHAIN[0], audit(1, activity) | fields, pim(2, activity) | fields]))
    assert found.seen == 3


# Real records, where they stand beside the project.

def test_every_shared_entra_file_is_read_and_audits_are_counted_wherever_they_stand(shared_data: Path) -> None:
    from lineage_analytics.loaders.common.containers import InputFile, Skipped, input_files, members

    sources: list[str] = []
    for file in input_files([shared_data / "entra"]):
        assert isinstance(file, InputFile)
        for member in members(file, "0" * 64):
            assert not isinstance(member, Skipped)
            data = b"".join(member.chunks())
            found = load(data)
            assert found.source is not None, file.name
            assert found.faults == [], file.name
            assert found.seen == len(found.rows("activity"))
            sources += [row["source"] for row in found.rows("activity")]
            audits = [row for row in found.rows("activity") if row["source"] == "entra_audit"]
            raw = [json.loads(line) for line in data.splitlines()] if data.count(b"\n{") else [json.loads(data)]
            inner = [{k.lower(): v for k, v in r.get("properties", r).items()} for r in (r.get("log", r) for r in raw)]
            known = [r for r in inner if r.keys() & {"initiatedby", "targetresources", "activitydisplayname"}]
            assert len(audits) == len(known), file.name
            assert {row["event_id"] for row in audits if row["event_id"] in str(inner)} == {r["id"] for r in known
                                                                                           if r.get("id")}, file.name
            assert sum(row["outcome"] == "success" for row in audits) == sum(r.get("result") == "success" for r in known)
    assert {source: sources.count(source) for source in set(sources)} == {
        "entra_audit": 50, "entra_signins": 20, "entra_graph_activity": 1, "entra_risk": 1}


def test_the_real_pim_request_is_a_request_for_its_beneficiary(shared_data: Path) -> None:
    found = load((shared_data / "entra" / "panther" / "Azure.Audit.tests.jsonl").read_bytes())
    [asked] = [row for row in found.rows("decision_steps") if row["native_key_kind"] == "pim_request_id"]
    assert (asked["kind"], asked["operation"], asked["native_key"]) == (
        "request", "Add member to role in PIM requested (permanent)", "111111111111")
    assert asked["target_key"] == "entra:12345:role/123412351|12345"
    assert asked["justification_present"] is True
    assert "test assign" not in str(asked)


def test_a_page_of_few_selected_properties_is_known_by_the_name_and_time_of_the_activity() -> None:
    found = Loaded({"value": [{"id": "Directory_1", "activityDisplayName": "Add user", "result": "success",
                               "activityDateTime": "2026-03-01T10:00:00Z"}]})
    assert (found.source, found.faults) == ("entra_audit", [])
    assert found["activity"].select("action", "outcome").rows() == [("Add user", "success")]
