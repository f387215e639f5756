"""Entra ID Protection. Records here are made up, except those under ``shared_data``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from lineage_analytics.loaders._entra_risk_rows import VERDICTS
from tests._microsoft import Json, as_csv, as_json, as_lines, load, same

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

TENANT = "7a1b0000-0000-4000-8000-00000000000a"
ANA, BOT = "11111111-0000-4000-8000-000000000001", "22222222-0000-4000-8000-000000000002"
SIGN_IN = "33333333-0000-4000-8000-000000000003"


def detection(number: int, **more: Any) -> Json:
    """A synthetic detection on a user, as Graph gives it."""
    return {
        "id": f"d{number}", "requestId": SIGN_IN, "correlationId": "c-1", "riskEventType": "unfamiliarFeatures",
        "riskState": "atRisk", "riskLevel": "medium", "riskDetail": "none", "source": "IdentityProtection",
        "detectionTimingType": "realtime", "activity": "signin", "ipAddress": "198.51.100.7",
        "activityDateTime": f"2026-03-01T10:00:{number:02d}Z", "detectedDateTime": f"2026-03-01T10:05:{number:02d}Z",
        "lastUpdatedDateTime": f"2026-03-01T10:06:{number:02d}Z", "userId": ANA, "userDisplayName": "Ana",
        "userPrincipalName": "Ana@Contoso.com", "additionalInfo": "[]",
    } | more


NOT_A_USER = {"userId": None, "userDisplayName": None, "userPrincipalName": None}
RECORDS = [
    detection(1), detection(2, riskState="dismissed", riskDetail="adminDismissedAllRiskForUser"),
    detection(3, **NOT_A_USER, servicePrincipalId=BOT, servicePrincipalDisplayName="Deployer"),
]
RISKY = {"id": ANA, "isDeleted": False, "isProcessing": False, "riskLevel": "high", "riskState": "atRisk",
         "riskDetail": "none", "riskLastUpdatedDateTime": "2026-03-02T00:00:00Z", "userDisplayName": "Ana",
         "userPrincipalName": "ana@contoso.com"}


def category(record: Json) -> str:
    return "ServicePrincipalRiskEvents" if record.get("servicePrincipalId") else "UserRiskEvents"


def envelope(record: Json, name: str | None = None) -> Json:
    return {
        "time": "12/13/2026 4:34:03 PM", "resourceId": f"/tenants/{TENANT}/providers/microsoft.aadiam",
        "operationName": "User Risk Detection", "operationVersion": "1.0", "category": name or category(record),
        "tenantId": TENANT, "resultSignature": "None", "durationMs": 0, "callerIpAddress": "198.51.100.7",
        "correlationId": "outer", "identity": "ana", "Level": "Information", "location": "fr", "properties": record,
    }


def table(record: Json) -> Json:
    return {"TenantId": "a-workspace", "AADTenantId": TENANT, "TimeGenerated": record["detectedDateTime"],
            "Type": "AAD" + category(record), "OperationName": "User Risk Detection",
            **{key[0].upper() + key[1:]: value for key, value in record.items()}}


SHAPES: dict[str, Callable[[list[Json]], bytes]] = {
    "lines": lambda records: as_lines([envelope(r) for r in records]),
    "hub": lambda records: as_json({"records": [envelope(r) for r in records]}),
    "table_lines": lambda records: as_lines([table(r) for r in records]),
    "table_csv": lambda records: as_csv([table(r | NOT_A_USER | r | {"servicePrincipalId": r.get("servicePrincipalId"),
        "servicePrincipalDisplayName": r.get("servicePrincipalDisplayName")}) for r in records]),
}
CONTRACT_FILES: dict[str, bytes] = {name: write(RECORDS) for name, write in SHAPES.items()} | {
    "graph_page": as_json({"@odata.context": "x#identityProtection/riskDetections", "value": RECORDS[:2]}),
    "array": as_json(RECORDS), "risky_users": as_json({"@odata.context": "x#identityProtection/riskyUsers", "value": [RISKY]}),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_the_same_detections_give_the_same_rows_in_every_packaging(shape: str) -> None:
    plain, packed = load(SHAPES["lines"](RECORDS)), load(SHAPES[shape](RECORDS))
    assert (packed.source, packed.faults) == ("entra_risk", [])
    for name in ("activity", "decision_steps", "identity_facts"):
        assert same(packed.frames[name]) == same(plain.frames[name]), name


def lines(*records: Json) -> bytes:
    return as_lines([envelope(r) for r in records])


def test_a_detection_is_a_signal_about_its_principal_and_nobodys_act() -> None:
    found = load(lines(RECORDS[0], RECORDS[2]))
    assert [(r["action"], r["actor_id"], r["resource_id"]) for r in found.rows("activity")] == [
        ("riskDetection:unfamiliarFeatures", None, f"entra:{TENANT}:{ANA}"),
        ("riskDetection:unfamiliarFeatures", None, f"entra:{TENANT}:{BOT}")]
    assert [(s["kind"], s["target_key"], s["native_key_kind"], s["native_key"]) for s in found.rows("decision_steps")] == [
        ("signal", f"entra:{TENANT}:user/{ANA}", "signin_id", SIGN_IN),
        ("signal", f"entra:{TENANT}:service_principal/{BOT}", "signin_id", SIGN_IN)]
    assert found.rows("activity")[0]["time"].isoformat() == "2026-03-01T10:05:01+00:00"


@pytest.mark.parametrize(("stated", "read"), [
    ("2026-03-01T9:05:01.25Z", "2026-03-01T09:05:01.250000+00:00"), (None, "2026-12-13T16:34:03+00:00")])
def test_an_hour_of_one_digit_and_the_envelopes_american_time_are_times(stated: str | None, read: str) -> None:
    record = detection(1, detectedDateTime=stated, activityDateTime=None, lastUpdatedDateTime=None)
    [row] = load(lines(record)).rows("activity")
    assert row["time"].isoformat() == read


def test_a_dismissed_risk_is_a_signal_and_its_denial() -> None:
    signal, verdict = load(lines(RECORDS[1])).rows("decision_steps")
    assert (signal["kind"], verdict["kind"], verdict["verdict"], verdict["capacity"], verdict["decided_value"]) == (
        "signal", "decision", "deny", "reviewer", "adminDismissedAllRiskForUser")
    assert verdict["time"].isoformat() == "2026-03-01T10:06:02+00:00"
    assert (verdict["actor_id"], verdict["actor_class"]) == (None, "unknown")


def test_a_verdict_of_the_service_is_no_persons() -> None:
    [_, verdict] = load(lines(detection(1, riskDetail="aiConfirmedSigninSafe", riskState="dismissed"))).rows("decision_steps")
    assert (verdict["actor_class"], verdict["capacity"]) == ("automation", "system")


@pytest.mark.parametrize("detail", sorted(VERDICTS))
def test_compromise_confirms_and_everything_else_denies(detail: str) -> None:
    assert VERDICTS[detail][0] == ("approve" if "compromised" in detail else "deny")


@pytest.mark.parametrize(("detail", "steps"), [("none", 1), ("hidden", 1), ("userPerformedSecuredPasswordReset", 1),
                                               ("adminConfirmedUserCompromised", 2)])
def test_only_a_verdict_is_a_decision(detail: str, steps: int) -> None:
    assert len(load(lines(detection(1, riskDetail=detail))).rows("decision_steps")) == steps


def test_a_later_state_of_a_detection_is_a_record_of_its_own_and_the_same_state_is_not() -> None:
    later = RECORDS[0] | {"lastUpdatedDateTime": "2026-03-05T00:00:00Z", "riskState": "remediated"}
    one, again, other = load(lines(RECORDS[0], RECORDS[0], later)).record_ids
    assert one == again != other


@pytest.mark.parametrize(("state", "kinds"), [
    ("atRisk", ["signal"]), ("confirmedCompromised", ["signal"]), ("none", []), ("remediated", [])])
def test_a_risky_principal_is_a_signal_while_it_is_at_risk(state: str, kinds: list[str]) -> None:
    found = load(as_json([RISKY | {"riskState": state}]))
    assert [step["kind"] for step in found.rows("decision_steps")] == kinds
    [row] = found.rows("activity")
    assert (row["action"], row["resource_id"]) == (f"riskState:{state}", f"entra::{ANA}")


def test_who_dismissed_stands_in_the_history_of_a_risky_user() -> None:
    item = RISKY | {"@odata.type": "#microsoft.graph.riskyUserHistoryItem", "userId": ANA, "initiatedBy": BOT,
                    "riskState": "dismissed", "riskDetail": "adminDismissedAllRiskForUser", "activity": {"eventTypes": []}}
    [verdict] = load(as_json([item])).rows("decision_steps")
    assert (verdict["kind"], verdict["actor_id"]) == ("decision", f"entra::{BOT}")


@pytest.mark.parametrize(("more", "kind"), [
    ({"@odata.type": "#microsoft.graph.riskyServicePrincipal", "appId": SIGN_IN, "displayName": "Deployer"}, "app"),
    ({"@odata.type": "#microsoft.graph.riskyAgent", "displayName": "Helper"}, "ai_agent"),
    ({}, "human"),
])
def test_the_type_of_a_risky_principal_says_what_it_is(more: Json, kind: str) -> None:
    plain = {key: value for key, value in RISKY.items() if not (more and key.startswith("user"))}
    [fact] = load(as_json([plain | more])).rows("identity_facts")
    assert (fact["id"], fact["kind"]) == (f"entra::{ANA}", kind)


def test_the_real_detection_is_read(shared_data: Path) -> None:
    path = shared_data / "entra" / "sekoia" / "azure-ad" / "user_risk_detection_3.json"
    found, raw = load(path.read_bytes()), json.loads(path.read_text())
    [row] = found.rows("activity")
    assert (found.source, row["event_id"], row["tenant"]) == ("entra_risk", raw["properties"]["id"], raw["tenantId"])
    assert [s["kind"] for s in found.rows("decision_steps")] == ["signal", "decision"]
    assert row["unmapped"] is None
