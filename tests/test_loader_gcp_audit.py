"""Cloud Audit Logs. Records here are made up, except those under ``shared_data``."""

from __future__ import annotations

import base64
import csv
import io
import json
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest

from tests._documents import Loaded

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

Json = dict[str, Any]

PROJECT, CLUSTER = "shop-prod", "shop-prod/europe-west1/kitchen"
BOT = f"deployer@{PROJECT}.iam.gserviceaccount.com"
KEY_NAME = f"//iam.googleapis.com/projects/{PROJECT}/serviceAccounts/{BOT}/keys/0123abcd"
RM, IAM, AI = "cloudresourcemanager.googleapis.com", "iam.googleapis.com", "aiplatform.googleapis.com"
MODEL = f"projects/{PROJECT}/locations/europe-west1/publishers/google/models/gemini-2.0-flash-001"
CANARY = "pineapple-canary-77"


def entry(number: int, service: str, method: str, resource_name: str, /, *, log: str = "activity", **payload: Any) -> Json:
    """A synthetic audit entry of Ana's."""
    return {
        "insertId": f"ins-{number}", "logName": f"projects/{PROJECT}/logs/cloudaudit.googleapis.com%2F{log}",
        "timestamp": f"2026-03-01T10:00:{number % 60:02d}.123456789Z",
        "receiveTimestamp": f"2026-03-01T10:01:{number % 60:02d}.5Z", "severity": "NOTICE",
        "resource": {"type": "project", "labels": {"project_id": PROJECT}},
        "protoPayload": {
            "@type": "type.googleapis.com/google.cloud.audit.AuditLog", "serviceName": service, "methodName": method,
            "resourceName": resource_name, "status": {},
            "authenticationInfo": {"principalEmail": "Ana@Shop.example", "principalSubject": "user:Ana@Shop.example"},
            "requestMetadata": {"callerIp": "198.51.100.7", "callerSuppliedUserAgent": "gcloud/1.2"}, **payload,
        },
    }


def policy(number: int, *deltas: tuple[str, str, str], **payload: Any) -> Json:
    """A synthetic SetIamPolicy on the project with its deltas."""
    stated = [{"action": action, "role": role, "member": member} for action, role, member in deltas]
    return entry(number, RM, "SetIamPolicy", f"projects/{PROJECT}", **{
        "serviceData": {"@type": "type.googleapis.com/google.iam.v1.logging.AuditData",
                        "policyDelta": {"bindingDeltas": stated}},
        "request": {"policy": {"bindings": [], "etag": "x"}}, **payload})


def gke(number: int, method: str, resource_name: str, email: str = "ana@shop.example", **payload: Any) -> Json:
    """A synthetic GKE audit entry."""
    found = entry(number, "k8s.io", method, resource_name, **payload)
    found["protoPayload"]["authenticationInfo"] = {"principalEmail": email}
    found["resource"] = {"type": "k8s_cluster", "labels": {
        "project_id": PROJECT, "location": "europe-west1", "cluster_name": "kitchen"}}
    return found


BINDING = {"kind": "ClusterRoleBinding", "metadata": {"name": "cooks", "uid": "b-1"},
           "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
           "subjects": [{"kind": "ServiceAccount", "name": "oven", "namespace": "kitchen"},
                        {"kind": "Group", "name": "cooks"}]}

LOG: list[Json] = [
    policy(1, ("ADD", "roles/editor", f"serviceAccount:{BOT}"), ("REMOVE", "roles/viewer", "user:Bo@Shop.example")),
    policy(2, ("ADD", "roles/owner", "user:eve@shop.example"), status={"code": 7, "message": CANARY}),
    entry(3, IAM, "google.iam.admin.v1.CreateServiceAccount", f"projects/{PROJECT}",
          response={"email": BOT, "uniqueId": "111222333", "name": f"projects/{PROJECT}/serviceAccounts/{BOT}"},
          request={"account_id": "deployer"}),
    entry(4, IAM, "google.iam.admin.v1.CreateServiceAccountKey", f"projects/-/serviceAccounts/{BOT}",
          response={"name": f"projects/{PROJECT}/serviceAccounts/{BOT}/keys/0123abcd", "private_key_data": CANARY}),
    entry(5, IAM, "google.iam.admin.v1.DeleteServiceAccountKey",
          f"projects/-/serviceAccounts/{BOT}/keys/0123abcd"),
    entry(6, AI, "google.cloud.aiplatform.v1.PredictionService.GenerateContent", MODEL, log="data_access",
          request={"model": MODEL, "contents": CANARY}),
    entry(7, "storage.googleapis.com", "storage.objects.get", "projects/_/buckets/menus/objects/a", log="data_access",
          authenticationInfo={
              "principalEmail": BOT, "serviceAccountKeyName": KEY_NAME, "serviceAccountDelegationInfo": [
                  {"firstPartyPrincipal": {"principalEmail": "cy@shop.example"},
                   "principalSubject": "user:cy@shop.example"},
                  {"firstPartyPrincipal": {"principalEmail": f"hop@{PROJECT}.iam.gserviceaccount.com"}}]}),
    gke(8, "io.k8s.authorization.rbac.v1.clusterrolebindings.create",
        "rbac.authorization.k8s.io/v1/clusterrolebindings/cooks", request=BINDING),
    gke(9, "io.k8s.core.v1.pods.exec.create", "core/v1/namespaces/kitchen/pods/stove/exec",
        "system:serviceaccount:kitchen:oven", status={"code": 7}),
]


def lines(records: list[Json]) -> bytes:
    return "\n".join(map(json.dumps, records)).encode()


def pubsub(records: list[Json]) -> bytes:
    """As ``gcloud pubsub subscriptions pull --format=json``."""
    return json.dumps([{"ackId": "a", "message": {
        "data": base64.b64encode(json.dumps(record).encode()).decode(), "messageId": "1"}} for record in records]).encode()


def bigquery(records: list[Json]) -> bytes:
    """As rows of a log sink's table: payload renamed, bodies as JSON text, times with a blank and a zone name."""
    made = []
    for record in records:
        payload = {key: held for key, held in record["protoPayload"].items() if key not in (
            "request", "response", "serviceData", "@type")}
        for key in ("request", "response"):
            if key in record["protoPayload"]:
                payload[f"{key}Json"] = json.dumps(record["protoPayload"][key])
        if "serviceData" in record["protoPayload"]:
            payload["servicedata_v1_iam"] = record["protoPayload"]["serviceData"]
        made.append({**{key: held for key, held in record.items() if key != "protoPayload"},
                     "timestamp": record["timestamp"].replace("T", " ").replace("Z", " UTC"),
                     "protopayload_auditlog": payload})
    return lines(made)


def lowered(records: list[Json]) -> bytes:
    """All keys in lower case and ``@type`` renamed, as some pipelines do, with the payload as text."""
    made = []
    for record in records:
        low = {key.lower(): held for key, held in record.items()}
        payload = {key.lower().replace("@", "at_sign_"): json.dumps(held) if isinstance(held, dict) else held
                   for key, held in record["protoPayload"].items()}
        made.append({**low, "protopayload": json.dumps(payload), "p_log_type": "GCP.AuditLog"})
    return json.dumps(made).encode()


def _paths(value: Any, path: str = "") -> Json:
    """Every leaf of a record under its path; a list's items under their number."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else None
    if inner is None:
        return {path: value}
    found: Json = {}
    for key, held in inner:
        at = f"[{key}]" if isinstance(value, list) else f".{key}" if path else str(key)
        found |= _paths(held, path + at)
    return found


def table(records: list[Json]) -> bytes:
    """As the CSV of the Logs Explorer: a column for every path any record has."""
    rows = [_paths(record) for record in records]
    columns = sorted({column for row in rows for column in row})
    out = io.StringIO()
    writer = csv.DictWriter(out, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue().encode()


PACKINGS: dict[str, Callable[[list[Json]], bytes]] = {
    "array": lambda records: json.dumps(records, indent=1).encode(), "lines": lines, "pubsub": pubsub,
    "bigquery": bigquery, "lowered": lowered, "table": table, "paths": lambda records: lines(list(map(_paths, records))),
    "envelopes": lambda records: lines([{"_origin": {"test": "x"}, "log": record} for record in records]),
    "entries": lambda records: json.dumps({"entries": [], "records": records}).encode(),
    "single": lambda records: json.dumps(records[0]).encode(),
}
CHAINED = entry(4, IAM, "google.iam.admin.v1.CreateServiceAccountKey", f"projects/-/serviceAccounts/{BOT}",
                response={"name": f"projects/{PROJECT}/serviceAccounts/{BOT}/keys/0123abcd"}, authenticationInfo={
                    "principalEmail": BOT, "serviceAccountDelegationInfo": [
                        {"firstPartyPrincipal": {"principalEmail": "cy@shop.example"},
                         "principalSubject": "user:cy@shop.example"},
                        {"firstPartyPrincipal": {"principalEmail": f"hop@{PROJECT}.iam.gserviceaccount.com"}}]})
CONTRACT_FILES = {name: pack(LOG) for name, pack in PACKINGS.items()} | {"chained": lines([CHAINED])}


@pytest.fixture(scope="module")
def log() -> Loaded:
    return Loaded(lines(LOG))


@pytest.mark.parametrize("packing", [name for name in PACKINGS if name != "single"])
def test_every_packing_gives_the_same_rows(log: Loaded, packing: str) -> None:
    found = Loaded(PACKINGS[packing](LOG))
    assert sorted(found.ids) == sorted(log.ids)
    for table in ("activity", "decision_steps", "entitlements", "credentials", "assistant_access", "identity_facts"):
        columns = [name for name in log[table].columns if name != "raw_ref"]
        assert found.rows(table, *columns) == log.rows(table, *columns)


def test_a_binding_delta_becomes_a_step_each_and_the_added_one_a_grant(log: Loaded) -> None:
    over = f"cloudresourcemanager.googleapis.com/projects/{PROJECT}"
    steps = log["decision_steps"].filter(log["decision_steps"]["event_id"] == "ins-1")
    assert sorted(zip(steps["kind"], steps["effect_key"], strict=True)) == [
        ("action", f"grant(gcp::binding/{over}|roles/editor|serviceAccount:{BOT})"),
        ("action", f"revoke(gcp::binding/{over}|roles/viewer|user:bo@shop.example)")]
    assert log.rows("entitlements", "principal_id", "privilege", "scope", "provider", "granted_by")[0] == (
        f"gcp::serviceAccount:{BOT}", "roles/editor", over, "gcp", "gcp::user:ana@shop.example")
    delta = json.loads(log["activity"].filter(log["activity"]["event_id"] == "ins-1")["effect_delta"][0])
    assert [one["role"] for one in delta["added"]] == ["roles/editor"]
    assert [one["role"] for one in delta["removed"]] == ["roles/viewer"]


def test_a_refused_change_is_an_attempt_and_grants_nothing(log: Loaded) -> None:
    steps = log["decision_steps"].filter(log["decision_steps"]["event_id"] == "ins-2")
    assert steps.select("kind", "status").rows() == [("attempt", "failed")]
    assert "gcp::user:eve@shop.example" not in log["entitlements"]["principal_id"]


def test_removing_what_was_added_names_the_same_target() -> None:
    added = policy(1, ("ADD", "roles/editor", f"serviceAccount:{BOT.upper()}"))
    removed = policy(2, ("REMOVE", "roles/editor", f"serviceAccount:{BOT}"))
    grant, revoke = Loaded([added, removed])["decision_steps"].sort("time")["effect_key"]
    assert grant.removeprefix("grant") == revoke.removeprefix("revoke")


def test_a_condition_with_an_end_makes_the_grant_timebound_and_its_description_is_not_kept() -> None:
    record = policy(1, ("ADD", "roles/editor", "user:bo@shop.example"))
    record["protoPayload"]["serviceData"]["policyDelta"]["bindingDeltas"][0]["condition"] = {
        "expression": 'request.time < timestamp("2026-03-02T00:00:00Z")', "title": "a day", "description": CANARY}
    found = Loaded([record, record])
    assert found["entitlements"]["state"][0] == "timebound"
    assert found["entitlements"]["expires_at"][0].isoformat() == "2026-03-02T00:00:00+00:00"
    assert CANARY not in json.dumps(found["entitlements"].to_dicts(), default=str)


def test_the_same_role_under_another_condition_is_another_grant() -> None:
    record = policy(1, *[("ADD", "roles/editor", "user:bo@shop.example")] * 3)
    deltas = record["protoPayload"]["serviceData"]["policyDelta"]["bindingDeltas"]
    deltas[1]["condition"] = {"expression": "a == b", "title": "one"}
    deltas[2]["condition"] = {"expression": "a == c", "title": "one"}
    assert Loaded([record, record])["entitlements"]["grant_id"].n_unique() == 3


def test_an_account_that_is_deleted_and_undeleted_is_known_by_its_number() -> None:
    gone = entry(1, IAM, "google.iam.admin.v1.DeleteServiceAccount", f"projects/-/serviceAccounts/{BOT}")
    gone["resource"]["labels"] |= {"unique_id": "777", "email_id": BOT}
    back = entry(2, IAM, "google.iam.admin.v1.UndeleteServiceAccount", "projects/-/serviceAccounts/777")
    assert Loaded([gone, back])["decision_steps"].sort("time")["effect_key"].to_list() == [
        "delete(gcp::service_account/777)", "create(gcp::service_account/777)"]


def test_an_address_given_twice_names_two_accounts_each_with_its_own_time() -> None:
    def made(number: int, unique: str) -> Json:
        return entry(number, IAM, "google.iam.admin.v1.CreateServiceAccount", f"projects/{PROJECT}",
                     response={"email": BOT, "uniqueId": unique})
    gone = entry(2, IAM, "google.iam.admin.v1.DeleteServiceAccount", f"projects/-/serviceAccounts/{BOT}")
    gone["resource"]["labels"] |= {"unique_id": "777001", "email_id": BOT}
    facts = Loaded([made(1, "777001"), gone, made(3, "777002")])["identity_facts"].to_dicts()
    first, second = ([row for row in facts if row["id"] == f"gcp::{unique}"] for unique in ("777001", "777002"))
    assert [sum(row[when] is not None for row in first) for when in ("created_at", "deleted_at")] == [1, 1]
    assert [sum(row[when] is not None for row in second) for when in ("created_at", "deleted_at")] == [1, 0]


def test_a_policy_set_without_deltas_is_known_by_the_hash_of_its_bindings_whatever_its_etag() -> None:
    def put(number: int, etag: str) -> Json:
        return entry(number, "iap.googleapis.com", "google.cloud.iap.v1.X.SetIamPolicy", "projects/1/iap_web",
                     request={"policy": {"bindings": [{"role": "r", "members": ["user:a@b.c"]}], "etag": etag}})
    states = Loaded([put(1, "one"), put(2, "two")])["decision_steps"]["after_state"].to_list()
    assert states[0] is not None
    assert states[0] == states[1]


def test_creating_and_deleting_a_key_name_the_same_target_and_the_key_is_a_credential_without_its_value(
    log: Loaded,
) -> None:
    keys = {event: effect for event, effect in log.rows("decision_steps", "event_id", "effect_key")
            if event in ("ins-4", "ins-5")}
    assert keys == {"ins-4": f"create(gcp::service_account/{BOT}|key/0123abcd)",
                    "ins-5": f"delete(gcp::service_account/{BOT}|key/0123abcd)"}
    assert log.rows("credentials", "identity_id", "credential_id", "kind", "status") == [
        (f"gcp::serviceAccount:{BOT}", "0123abcd", "key", "active"),
        (f"gcp::serviceAccount:{BOT}", "0123abcd", "key", "revoked")]
    held = json.dumps([frame.to_dicts() for frame in log.frames.values()], default=str)
    assert CANARY not in held


def test_a_key_that_ends_is_revoked_from_then_on_and_belongs_to_the_number_the_entry_states() -> None:
    switched, ended = (entry(number, IAM, f"google.iam.admin.v1.{word}ServiceAccountKey",
                             "projects/-/serviceAccounts/111222333/keys/0123abcd") for number, word in (
                                 (1, "Disable"), (2, "Delete")))
    ended["resource"] = {"type": "service_account", "labels": {"email_id": BOT, "unique_id": "111222333"}}
    refused = entry(3, IAM, "google.iam.admin.v1.DeleteServiceAccountKey",
                    "projects/-/serviceAccounts/111222333/keys/4567ef", status={"code": 7})
    log = Loaded(lines([switched, ended, refused]))
    assert log.rows("credentials", "identity_id", "credential_id", "created_at", "status", "snapshot_at") == [
        ("gcp::111222333", "0123abcd", None, "inactive", datetime.fromisoformat(switched["timestamp"])),
        ("gcp::111222333", "0123abcd", None, "revoked", datetime.fromisoformat(ended["timestamp"]))]


def test_a_new_service_account_is_known_by_its_number_with_the_address_as_a_name(log: Loaded) -> None:
    facts = log["identity_facts"].filter(log["identity_facts"]["id"] == "gcp::111222333")
    assert facts["created_at"].is_not_null().all()
    assert {"kind": "principal_id", "value": f"serviceAccount:{BOT}"} in facts["alt_ids"][0].to_list()


def test_a_delegated_call_keeps_the_account_that_called_and_whose_authority_it_was(log: Loaded) -> None:
    row = log["activity"].filter(log["activity"]["event_id"] == "ins-7").to_dicts()[0]
    assert (row["actor_id"], row["on_behalf_of_id"]) == (f"gcp::serviceAccount:{BOT}", "gcp::user:cy@shop.example")
    assert (row["delegation_kind"], row["delegation_trust"]) == ("delegation_chain", "provider_asserted")
    assert row["credential_id"] == "0123abcd"
    assert row["extra_resource_ids"] == [f"gcp::serviceAccount:hop@{PROJECT}.iam.gserviceaccount.com"]
    assert row["is_read"] is True


def test_a_call_of_a_model_is_assistant_access_and_what_was_said_is_nowhere(log: Loaded) -> None:
    assert log.rows("assistant_access", "user_id", "assistant_id", "model_provider", "completeness", "role") == [
        ("gcp::user:ana@shop.example", "gcp::assistant/model/google/gemini-2.0-flash-001", "google", "absent", "none")]


def test_a_plain_prediction_endpoint_is_no_assistant() -> None:
    record = entry(1, AI, "google.cloud.aiplatform.v1.PredictionService.Predict",
                   f"projects/{PROJECT}/locations/x/endpoints/12", log="data_access")
    assert Loaded([record, record])["assistant_access"].height == 0


@pytest.mark.parametrize(("method", "rows"), [("TaskCompletionService.CompleteTask", 2), ("X.CreateCodeRepositoryIndex", 0)])
def test_setting_an_assistant_up_is_not_using_it(method: str, rows: int) -> None:
    service = "cloudaicompanion.googleapis.com"
    record = entry(1, service, f"google.cloud.cloudaicompanion.v1.{method}", f"projects/{PROJECT}/locations/x")
    assert Loaded([record, record])["assistant_access"].height == rows


def test_gke_calls_are_read_here_with_the_names_of_kubernetes(log: Loaded) -> None:
    rows = {event: (actor, action, outcome) for event, actor, action, outcome in log.rows(
        "activity", "event_id", "actor_id", "action", "outcome") if event in ("ins-8", "ins-9")}
    assert rows == {
        "ins-8": ("gcp::user:ana@shop.example", "k8s:create:rbac.authorization.k8s.io/clusterrolebindings", "success"),
        "ins-9": (f"k8s:{CLUSTER}:system:serviceaccount:kitchen:oven", "k8s:create:core/pods/exec", "denied")}
    assert log.rows("entitlements", "provider", "principal_id", "privilege")[1:] == [
        ("k8s", f"k8s:{CLUSTER}:group:cooks", "clusterroles/cluster-admin"),
        ("k8s", f"k8s:{CLUSTER}:system:serviceaccount:kitchen:oven", "clusterroles/cluster-admin")]


@pytest.mark.parametrize(("email", "subject", "kind"), [
    ("a@b.c", "user:a@b.c", "human"), ("a@b.c", None, "unknown"), (BOT, None, "service_account"),
    (None, "principal://iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/subject/s", "workload"),
    (None, "principal://iam.googleapis.com/locations/global/workforcePools/p/subject/s", "human"),
    (None, "principal://agents.global.org-1.system.id.goog/resources/aiplatform/x/reasoningEngines/2", "ai_agent"),
    ("gemini-agent@shop.example", None, "unknown"),
])
def test_the_kind_of_a_caller_comes_from_its_type_and_never_from_its_name(
    email: str | None, subject: str | None, kind: str,
) -> None:
    record = entry(1, IAM, "x.Get", "r", authenticationInfo={"principalEmail": email, "principalSubject": subject})
    assert Loaded([record, record])["identity_facts"]["kind"].unique().to_list() == [kind]


def test_nobody_is_named_where_the_caller_is_redacted() -> None:
    record = entry(1, IAM, "x.Get", "r", authenticationInfo={})
    found = Loaded([record, record])
    assert found["activity"]["actor_id"].to_list() == [None, None]
    assert found["identity_facts"].height == 0


def test_a_deleted_account_and_the_one_that_got_its_address_are_two() -> None:
    found = Loaded([policy(1, ("REMOVE", "roles/editor", f"deleted:serviceAccount:{BOT}?uid=987"),
                           ("ADD", "roles/editor", f"serviceAccount:{BOT}"))] * 2)
    ids = {row[0] for row in found.rows("identity_facts", "id")}
    assert {"gcp::987", f"gcp::serviceAccount:{BOT}"} <= ids
    assert found["identity_facts"].filter(found["identity_facts"]["id"] == "gcp::987")["alt_ids"][0].to_list() == []


@pytest.mark.parametrize(("changed", "wanted"), [
    ({"status": {}}, "success"), ({"status": {"code": 0}}, "success"), ({"status": {"code": 7}}, "denied"),
    ({"status": {"code": 5}}, "failure"), ({"status": None}, "success"),
    ({"status": {}, "authorizationInfo": [{"permission": "a", "granted": False}]}, "success"),
])
def test_the_status_decides_the_outcome(changed: Json, wanted: str) -> None:
    record = entry(1, IAM, "x.Get", "r", **changed)
    assert Loaded([record, record])["activity"]["outcome"][0] == wanted


def test_without_a_status_a_refused_permission_is_a_denial() -> None:
    record = entry(1, IAM, "x.Get", "r", authorizationInfo=[{"permission": "a", "granted": False}])
    del record["protoPayload"]["status"]
    assert Loaded([record, record])["activity"]["outcome"][0] == "denied"


def test_an_operation_that_has_only_begun_has_no_outcome_yet() -> None:
    begun = entry(1, IAM, "x.Do", "r") | {"operation": {"id": "op-1", "first": True}}
    ended = entry(2, IAM, "x.Do", "r") | {"operation": {"id": "op-1", "last": True}}
    found = Loaded([begun, ended])["activity"].sort("time")
    assert found["outcome"].to_list() == ["unknown", "success"]
    assert found["correlation_id"].to_list() == ["op-1", "op-1"]


def test_the_beginning_of_an_operation_asks_and_its_end_is_the_change_under_one_key() -> None:
    pool = entry(1, IAM, "google.iam.v1.WorkloadIdentityPools.CreateWorkloadIdentityPool", "projects/1/locations/global/x")
    begun, ended = (pool | {"insertId": str(n), "operation": {"id": "op-1", part: True}}
                    for n, part in enumerate(("first", "last")))
    steps = Loaded([begun, ended])["decision_steps"].sort("event_id")
    assert steps.select("kind", "status", "native_key_kind", "native_key").rows() == [
        ("request", "pending", "gcp_operation", "op-1"), ("action", "succeeded", "gcp_operation", "op-1")]


def test_what_a_pipeline_adds_does_not_make_another_record() -> None:
    nameless = {key: held for key, held in LOG[0].items() if key != "insertId"}
    assert len(set(Loaded([nameless, nameless | {"p_parse_time": "x"}]).ids)) == 1


def test_a_delegated_change_was_asked_for_by_the_first_of_the_chain() -> None:
    record = policy(1, ("ADD", "roles/editor", "user:bo@shop.example"), authenticationInfo=LOG[6]["protoPayload"][
        "authenticationInfo"])
    row = Loaded([record, record])["decision_steps"].to_dicts()[0]
    assert (row["actor_id"], row["initiator_id"]) == (f"gcp::serviceAccount:{BOT}", "gcp::user:cy@shop.example")
    assert (row["actor_class"], row["authority_mode"]) == ("workload", "obo_user")


def directory(number: int, method: str, service: str = "admin", **parameters: str) -> Json:
    """A synthetic event of the directory as Cloud Logging holds it."""
    return entry(number, f"{service}.googleapis.com", f"google.{service}.X.{method}", "organizations/1", metadata={
        "activityId": {"uniqQualifier": f"q-{number}"}, "event": [{"eventName": method, "parameter": [
            {"name": name, "value": value} for name, value in parameters.items()]}]})


def test_directory_events_say_whom_they_are_about_and_what_undoes_them() -> None:
    found = Loaded([
        directory(1, "addGroupMember", USER_EMAIL="Bo@shop.example", GROUP_EMAIL="cooks@shop.example"),
        directory(2, "removeGroupMember", USER_EMAIL="bo@shop.example", GROUP_EMAIL="cooks@shop.example"),
        directory(3, "assignRole", USER_EMAIL="bo@shop.example", ROLE_NAME="_HELP_DESK"),
        directory(4, "accountDisabledHijacked", "login", affected_email_address="bo@shop.example"),
        directory(5, "passwordEdit", "login"), directory(6, "assignRole", USER_EMAIL="bo@shop.example")])
    steps = found["decision_steps"].sort("time")
    assert steps["effect_key"].to_list() == [
        "grant(gcp::group/cooks@shop.example|bo@shop.example)", "revoke(gcp::group/cooks@shop.example|bo@shop.example)",
        "grant(gcp::user/bo@shop.example|_help_desk)", "disable(gcp::user/bo@shop.example)",
        "set(gcp::user/ana@shop.example|password)", None]
    assert found["activity"].sort("time")["correlation_id"].to_list() == [f"q-{number}" for number in range(1, 7)]
    assert {"gcp::user:bo@shop.example", "gcp::group:cooks@shop.example"} <= set(found["identity_facts"]["id"])


def test_elevation_grants_are_asked_for_and_decided_under_one_key() -> None:
    grant = f"projects/{PROJECT}/locations/global/entitlements/e/grants/g"
    service, prefix = "privilegedaccessmanager.googleapis.com", "google.cloud.privilegedaccessmanager.v1.X."
    found = Loaded([entry(1, service, prefix + "CreateGrant", grant.rpartition("/grants")[0], response={"name": grant}),
                    entry(2, service, prefix + "ApproveGrant", grant, request={"reason": CANARY}),
                    entry(3, service, prefix + "DenyGrant", grant)])
    steps = found["decision_steps"].sort("time").select("kind", "verdict", "native_key_kind", "native_key").rows()
    assert steps == [("request", None, "pam_grant", grant), ("decision", "approve", "pam_grant", grant),
                     ("decision", "deny", "pam_grant", grant)]


def test_entries_of_other_logs_are_rejected_by_the_name_of_their_log() -> None:
    flow = {"insertId": "f", "logName": f"projects/{PROJECT}/logs/compute.googleapis.com%2Fvpc_flows",
            "timestamp": "2026-03-01T10:00:00Z", "resource": {"type": "gce_subnetwork"}, "jsonPayload": {"a": 1}}
    found = Loaded([LOG[0], flow])
    assert [(fault.reason, fault.disposition) for fault in found.faults] == [("out_of_scope", "rejected")]
    assert "vpc_flows" in found.faults[0].detail
    assert len(found.ids) == 1


def test_an_entry_without_time_is_of_no_day_and_one_without_insert_id_is_known_by_its_content() -> None:
    untimed = {key: held for key, held in LOG[0].items() if key != "timestamp"}
    nameless = {key: held for key, held in LOG[0].items() if key != "insertId"}
    found = Loaded([untimed, nameless, nameless])
    assert found.faults == []
    assert len(found.ids) == 3
    assert len(set(found.ids)) == 2
    assert found["activity"]["time"].null_count() == 1


def test_keys_nobody_knows_are_kept() -> None:
    record = entry(1, IAM, "x.Get", "r", policyNews={"a": 1}) | {"newTop": 2}
    assert json.loads(Loaded([record, record])["activity"]["unmapped"][0]) == {"newtop": 2, "payload.policynews": {"a": 1}}


def _raw(path: Path) -> list[Json]:
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".jsonl":
        return [json.loads(line)["log"] for line in text.splitlines() if line.strip()]
    found = json.loads(text)
    return found if isinstance(found, list) else [found]


def _part(value: Any) -> Json:
    """A part of a payload, which some exports hold as text."""
    found = json.loads(value) if isinstance(value, str) and value.startswith("{") else value
    return found if isinstance(found, dict) else {}


def _key(record: Json, *names: str) -> Any:
    return next((held for key, held in record.items() if key.lower() in names and held), None)


@pytest.mark.parametrize("folder", ["gcp_security_analytics", "sekoia/Google_Cloud_Audit"])
def test_of_real_entries_each_audit_record_is_accepted_with_its_method_caller_and_outcome(
    shared_data: Path, folder: str,
) -> None:
    wanted, got, others = [], [], 0
    for path in sorted((shared_data / "gcp_audit" / folder).iterdir()):
        for record in _raw(path):
            payload = _key(record, "protopayload", "protopayload_auditlog")
            if payload is None:
                others += 1
                continue
            code = (payload.get("status") or {}).get("code", 0)
            failed = code != 0 or payload["methodName"].endswith("loginFailure")
            email = payload.get("authenticationInfo", {}).get("principalEmail")
            wanted.append((record["insertId"], payload["methodName"], email.lower() if email else None,
                           "denied" if code == 7 else "failure" if failed else "success"))
        found = Loaded(path.read_bytes())
        assert not [fault for fault in found.faults if fault.disposition == "quarantined"]
        others -= len(found.faults)
        got += [(event, action, actor.rpartition(":")[2] if actor else None, outcome) for event, action, actor, outcome
                in found.rows("activity", "event_id", "action", "actor_id", "outcome")]
    assert others == 0
    assert sorted(got, key=repr) == sorted(wanted, key=repr)


def test_container_and_event_logs_of_gke_are_recognised_and_rejected_by_the_name_of_their_log(shared_data: Path) -> None:
    for path in sorted((shared_data / "k8s_audit" / "sekoia" / "Google_Kubernetes_Engine").iterdir()):
        found = Loaded(path.read_bytes())
        assert (found.source, found.ids, [fault.reason for fault in found.faults]) == ("gcp_audit", [], ["out_of_scope"])


def test_of_the_rule_tests_all_with_a_payload_are_accepted(shared_data: Path) -> None:
    path = shared_data / "gcp_audit" / "panther" / "GCP.AuditLog.tests.jsonl"
    timed = untimed = emails = deltas = 0
    for record in _raw(path):
        payload = _key(record, "protopayload")
        if not isinstance(payload, dict):
            continue
        requested = _part(_part(payload.get("requestMetadata")).get("requestAttributes"))
        if not (_key(record, "timestamp", "p_event_time") or payload.get("timestamp") or requested.get("time")):
            untimed += 1
        timed += 1
        emails += bool(_part(payload.get("authenticationInfo")).get("principalEmail"))
        changed = _part(_part(payload.get("serviceData")).get("policyDelta")).get("bindingDeltas") or []
        deltas += sum(delta.get("action") in ("ADD", "REMOVE") for delta in changed)
    found = Loaded(path.read_bytes())
    assert len(found.ids) == timed > 100
    assert found["activity"]["time"].null_count() == untimed
    assert found["activity"]["actor_id"].drop_nulls().len() >= emails > 60
    per_delta = found["decision_steps"]["title"].str.contains(" for ", literal=True)
    assert per_delta.sum() == deltas > 5


def test_a_row_of_a_workspace_is_the_entry_it_was_made_from() -> None:
    whole = entry(1, IAM, "google.iam.admin.v1.CreateServiceAccount", f"projects/{PROJECT}")
    payload = whole["protoPayload"]
    row = {
        "TenantId": "w-1", "TimeGenerated": "2026-03-01T10:02:00Z", "Timestamp": "2026-03-01T10:00:01.123456Z",
        "InsertId": "ins-1", "LogName": whole["logName"], "ProjectId": PROJECT, "ServiceName": IAM, "Severity": "NOTICE",
        "MethodName": payload["methodName"], "GCPResourceName": payload["resourceName"], "GCPResourceType": "project",
        "PrincipalEmail": "ana@shop.example", "AuthenticationInfo": json.dumps(payload["authenticationInfo"]),
        "AuthorizationInfo": "", "RequestMetadata": json.dumps(payload["requestMetadata"]), "Request": "{}",
        "Response": "{}", "Status": "{}", "StatusMessage": "", "NumResponseItems": "", "Type": "GCPAuditLogs"}
    saved = {f"{key} [UTC]" if key.startswith("Time") else key: held for key, held in row.items()}
    saved["Timestamp [UTC]"] = "3/1/2026, 10:00:01.123456 AM"
    out = io.StringIO()
    writer = csv.DictWriter(out, list(saved))
    writer.writeheader()
    writer.writerow(saved)
    wanted = Loaded([whole])
    for found in (Loaded([row]), Loaded(out.getvalue())):
        assert (found.source, found.faults, found.ids) == ("gcp_audit", [], wanted.ids)
        columns = ("time", "tenant", "actor_id", "action", "resource_id", "outcome", "ip", "event_id", "unmapped")
        assert found.rows("activity", *columns) == wanted.rows("activity", *columns)


def test_answers_of_the_api_and_exports_of_a_search_hold_the_same_entries() -> None:
    entries = [entry(number, IAM, "google.iam.admin.v1.ListRoles", f"projects/{PROJECT}") for number in range(3)]
    packed = (
        {"entries": entries, "nextPageToken": "t"}, [{"_index": "i", "_source": one} for one in entries],
        "\n".join(json.dumps({"preview": False, "result": {"_raw": json.dumps(one)}}) for one in entries),
        "\n".join(json.dumps({"entries": [one]}) for one in entries))
    for found in map(Loaded, packed):
        assert (found.source, found.faults, sorted(found.ids)) == ("gcp_audit", [], sorted(Loaded(entries).ids))


def test_permissions_that_were_checked_and_granted_are_kept_and_refused_ones_are_not() -> None:
    record = entry(1, IAM, "x.Get", "r", authorizationInfo=[
        {"permission": "storage.objects.get", "granted": True}, {"permission": "storage.objects.delete", "granted": False},
        {"permission": "storage.objects.get", "granted": True}, {"permission": "storage.objects.list"}])
    silent = entry(2, IAM, "x.Get", "r")
    assert Loaded([record, silent])["activity"].sort("time")["permissions"].to_list() == [["storage.objects.get"], None]
