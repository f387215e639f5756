"""Kubernetes audit. Records here are made up, except those under ``shared_data``."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any

import pytest

from tests._documents import Loaded

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

Json = dict[str, Any]

RBAC, CANARY = "rbac.authorization.k8s.io", "pineapple-canary-77"
OVEN = "system:serviceaccount:kitchen:oven"


def event(number: int, verb: str, ref: Json | None, username: str = "ana", **more: Any) -> Json:
    """A synthetic event that succeeded."""
    return {
        "kind": "Event", "apiVersion": "audit.k8s.io/v1", "level": "RequestResponse", "auditID": f"a-{number}",
        "stage": "ResponseComplete", "requestURI": f"/api/v1/x?n={number}", "verb": verb,
        "user": {"username": username, "groups": ["system:authenticated"]}, "sourceIPs": ["198.51.100.7", "10.0.0.1"],
        "userAgent": "kubectl/v1.32", "objectRef": ref, "responseStatus": {"metadata": {}, "code": 200},
        "requestReceivedTimestamp": f"2026-03-01T10:00:{number % 60:02d}.123456Z",
        "stageTimestamp": f"2026-03-01T10:00:{number % 60:02d}.223456Z",
        "annotations": {"authorization.k8s.io/decision": "allow"}, **more,
    }


def ref(resource: str, name: str | None = None, namespace: str | None = None, **more: str) -> Json:
    found = {"resource": resource, "apiVersion": "v1", "name": name, "namespace": namespace, **more}
    return {key: held for key, held in found.items() if held is not None}


def binding(role: str = "cluster-admin") -> Json:
    return {"kind": "ClusterRoleBinding", "metadata": {"name": "cooks"},
            "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": role},
            "subjects": [{"kind": "ServiceAccount", "name": "oven", "namespace": "kitchen"},
                         {"kind": "User", "name": "bo"}]}


def signing(kind: str | None) -> Json:
    return {"metadata": {"name": "csr-1"}, "status": {"conditions": [
        {"type": kind, "reason": "KubectlApprove", "message": CANARY}]} if kind else {}}


CSR = {"apiGroup": "certificates.k8s.io"}
LOG: list[Json] = [
    event(1, "get", ref("secrets", "till", "kitchen"), OVEN,
          responseObject={"kind": "Secret", "data": {"till": CANARY}}),
    event(2, "create", ref("clusterrolebindings", "cooks", apiGroup=RBAC), requestObject=binding()),
    event(3, "delete", ref("clusterrolebindings", "cooks", apiGroup=RBAC)),
    event(4, "list", ref("pods", namespace="kitchen"), "system:admin", impersonatedUser={"username": "bob"},
          responseStatus={"code": 403, "reason": "Forbidden", "message": CANARY}),
    event(5, "create", ref("certificatesigningrequests", "csr-1", **CSR), "cy", requestObject=signing(None)),
    event(6, "update", ref("certificatesigningrequests", "csr-1", subresource="approval", **CSR),
          requestObject=signing("Approved")),
    event(7, "create", ref("serviceaccounts", "oven", "kitchen", subresource="token"), responseObject={
        "status": {"token": f"{CANARY}.x.y", "expirationTimestamp": "2026-03-01T11:00:00Z"}},
        annotations={"authentication.kubernetes.io/issued-credential-id": "JTI=1b2c"}),
    event(8, "get", None, "system:kube-scheduler", requestURI=f"/healthz?token={CANARY}"),
    event(9, "create", ref("pods", "stove", "kitchen", subresource="exec"), user={
        "username": "kubernetes-admin", "uid": "aws-iam-authenticator:111122223333:AROAEXAMPLEEXAMPLE01", "extra": {
            "arn": ["arn:aws:sts::111122223333:assumed-role/Ops/ana"], "accessKeyId": ["ASIAEXAMPLE"],
            "canonicalArn": ["arn:aws:iam::111122223333:role/Ops"]}}),
    event(10, "get", ref("pods", "x", "kitchen"), user={"username": OVEN, "extra": {
        "authentication_kubernetes_io_slash_pod-name": ["oven-1"],
        "authentication.kubernetes.io/credential-id": ["JTI=1b2c"]}}),
]


def lines(records: list[Json]) -> bytes:
    return "\n".join(map(json.dumps, records)).encode()


def cloudwatch(records: list[Json]) -> Json:
    """A subscription envelope of an EKS control-plane log group."""
    return {"messageType": "DATA_MESSAGE", "logGroup": "/aws/eks/bistro/cluster", "logStream": "kube-apiserver-audit-1",
            "logEvents": [{"id": str(n), "timestamp": n, "message": json.dumps(one)} for n, one in enumerate(records)]}


def aks(records: list[Json]) -> list[Json]:
    return [{"category": "kube-audit", "time": "2026-03-01T10:00:00Z", "operationName": "Microsoft.ContainerService",
             "resourceId": "/SUBSCRIPTIONS/1/RESOURCEGROUPS/R/PROVIDERS/MICROSOFT.CONTAINERSERVICE/MANAGEDCLUSTERS/BISTRO",
             "properties": {"log": json.dumps(one), "stream": "stdout", "pod": "kube-apiserver-1"}} for one in records]


def analytics(record: Json) -> Json:
    """A row of the AKSAudit table: other names for the times, dynamic columns as text."""
    renamed = {"requestReceivedTimestamp": "RequestReceivedTime", "stageTimestamp": "StageReceivedTime"}
    return {renamed.get(key, key[0].upper() + key[1:]): json.dumps(held) if isinstance(held, dict | list) else held
            for key, held in record.items()}


def table(records: list[Json]) -> bytes:
    out = io.StringIO()
    writer = csv.DictWriter(out, sorted({key for record in records for key in record}), lineterminator="\n")
    writer.writeheader()
    writer.writerows(records)
    return out.getvalue().encode()


def queried(records: list[Json]) -> bytes:
    """As ``aws logs get-query-results``."""
    return json.dumps({"status": "Complete", "results": [
        [{"field": "@timestamp", "value": "2026-03-01 10:00:00.000"}, {"field": "@message", "value": json.dumps(one)},
         {"field": "@ptr", "value": "x"}] for one in records]}).encode()


PACKINGS: dict[str, Callable[[list[Json]], bytes]] = {
    "lines": lines, "array": lambda records: json.dumps(records).encode(),
    "batch": lambda records: json.dumps({"kind": "EventList", "apiVersion": "audit.k8s.io/v1", "metadata": {},
                                         "items": records}, indent=1).encode(),
    "batches": lambda records: lines([{"kind": "EventList", "apiVersion": "audit.k8s.io/v1", "items": [one]}
                                      for one in records]),
    "envelopes": lambda records: lines([{"_origin": {"test": "x"}, "log": one} for one in records]),
    "filtered": lambda records: json.dumps({"events": [
        {"logStreamName": "kube-apiserver-audit-1", "timestamp": 1, "message": json.dumps(one)} for one in records]}).encode(),
    "exported": lambda records: "".join(f"2026-03-01T10:00:00.000Z {json.dumps(one)}\n" for one in records).encode(),
    "queried": queried, "table": lambda records: table([analytics(one) for one in records]),
    "messages": lambda records: table([{"@timestamp": "x", "@message": json.dumps(one)} for one in records]),
    "legacy": lambda records: table([{"Category": "kube-audit", "log_s": json.dumps(one)} for one in records]),
    "analytics": lambda records: json.dumps([analytics(one) for one in records]).encode(),
}
NAMED: dict[str, Callable[[list[Json]], bytes]] = {
    "cloudwatch": lambda records: json.dumps(cloudwatch(records)).encode(),
    "cloudwatch_lines": lambda records: lines([cloudwatch([one]) for one in records]),
    "aks_lines": lambda records: lines(aks(records)),
    "aks_records": lambda records: json.dumps({"records": aks(records)}).encode(),
}
AS_BOB = event(2, "create", ref("clusterrolebindings", "cooks", apiGroup=RBAC), "system:admin", requestObject=binding(),
               impersonatedUser={"username": "bob"})
CONTRACT_FILES = {name: pack(LOG) for name, pack in (PACKINGS | NAMED).items()} | {"impersonated": lines([AS_BOB])}
TABLES = ("activity", "decision_steps", "entitlements", "credentials", "identity_facts")


@pytest.fixture(scope="module")
def log() -> Loaded:
    return Loaded(lines(LOG))


def rows_of(found: Loaded) -> list[object]:
    return [found.rows(table, *[name for name in found[table].columns if name != "raw_ref"]) for table in TABLES]


@pytest.mark.parametrize("packing", sorted(PACKINGS))
def test_every_packing_gives_the_same_rows(log: Loaded, packing: str) -> None:
    assert rows_of(Loaded(PACKINGS[packing](LOG))) == rows_of(log)


@pytest.mark.parametrize("packing", sorted(NAMED))
def test_packings_that_name_the_cluster_give_the_same_records_with_it(log: Loaded, packing: str) -> None:
    found = Loaded(NAMED[packing](LOG))
    assert sorted(found.ids) == sorted(log.ids)
    assert {tenant.lower() for tenant in found["activity"]["tenant"]} == {"bistro"}
    assert all(actor.lower().startswith("k8s:bistro:") for actor in found["activity"]["actor_id"])


def test_concatenated_cloudwatch_envelopes_lose_no_event(log: Loaded) -> None:
    found = Loaded("".join(json.dumps(cloudwatch([one])) for one in LOG))
    assert sorted(found.ids) == sorted(log.ids)


def test_with_impersonation_the_rights_are_the_impersonated_users_and_the_caller_is_kept(log: Loaded) -> None:
    row = log["activity"].filter(log["activity"]["event_id"] == "a-4").to_dicts()[0]
    assert (row["actor_id"], row["on_behalf_of_id"]) == ("k8s::bob", "k8s::system:admin")
    assert (row["delegation_kind"], row["delegation_trust"], row["outcome"]) == (
        "impersonation", "provider_asserted", "denied")


def test_a_binding_and_its_deletion_name_the_same_target_and_it_grants_its_role_to_each_subject(log: Loaded) -> None:
    effects = {event: effect for event, effect in log.rows("decision_steps", "event_id", "effect_key")
               if event in ("a-2", "a-3")}
    assert effects == {"a-2": "create(k8s::clusterrolebindings/cooks)", "a-3": "delete(k8s::clusterrolebindings/cooks)"}
    assert log.rows("entitlements", "principal_id", "privilege", "scope") == [
        ("k8s::bo", "clusterroles/cluster-admin", "k8s::cluster"),
        (f"k8s::{OVEN}", "clusterroles/cluster-admin", "k8s::cluster")]
    delta = json.loads(log["activity"].filter(log["activity"]["event_id"] == "a-2")["effect_delta"][0])
    assert delta["roleref"]["name"] == "cluster-admin"


def test_the_same_rules_written_twice_leave_the_same_state() -> None:
    found = Loaded(lines([event(n, "update", ref("clusterrolebindings", "cooks", apiGroup=RBAC), requestObject=binding(role))
                          for n, role in enumerate(("view", "edit", "view"))]))
    first, second, third = found["decision_steps"].sort("time")["after_state"]
    assert first == third != second


def test_a_signing_request_and_its_approval_share_their_key(log: Loaded) -> None:
    steps = log["decision_steps"].filter(log["decision_steps"]["native_key_kind"] == "k8s_csr").sort("time")
    assert steps.select("kind", "verdict", "capacity", "native_key").rows() == [
        ("request", None, None, "k8s::certificatesigningrequests/csr-1"),
        ("decision", "approve", "approver", "k8s::certificatesigningrequests/csr-1")]


@pytest.mark.parametrize(("condition", "verdict"), [("Approved", "approve"), ("Denied", "deny"), ("Other", None)])
def test_the_verdict_on_a_signing_request_is_its_condition(condition: str, verdict: str | None) -> None:
    record = event(1, "patch", ref("certificatesigningrequests", "c", subresource="approval", **CSR),
                   responseObject=signing(condition))
    assert Loaded(lines([record, record]))["decision_steps"]["verdict"][0] == verdict


def test_an_issued_token_and_its_use_share_the_credential_id_and_the_token_is_nowhere(log: Loaded) -> None:
    assert log.rows("credentials", "identity_id", "credential_id", "kind") == [(f"k8s::{OVEN}", "JTI=1b2c", "token")]
    used = log["activity"].filter(log["activity"]["event_id"] == "a-10").to_dicts()[0]
    assert (used["credential_id"], used["actor_session_id"]) == ("JTI=1b2c", "pod/oven-1")
    assert CANARY not in json.dumps([frame.to_dicts() for frame in log.frames.values()], default=str)


def test_a_token_a_node_fetches_for_a_pod_is_a_credential_and_no_step_and_one_a_user_makes_is_both() -> None:
    routine = LOG[6] | {"auditID": "n", "user": {"username": "system:node:n1"}}
    found = Loaded(lines([routine, LOG[6]]))
    assert found["credentials"].height == 2
    assert found.rows("decision_steps", "event_id", "effect_key") == [
        ("a-7", "create(k8s::serviceaccounts/kitchen/oven|token)")]


def test_behind_a_user_of_eks_stands_the_cloud_principal_with_its_session_and_key(log: Loaded) -> None:
    row = log["activity"].filter(log["activity"]["event_id"] == "a-9").to_dicts()[0]
    assert row["actor_id"] == "k8s::kubernetes-admin"
    assert row["actor_session_id"] == "arn:aws:sts::111122223333:assumed-role/Ops/ana"
    assert (row["credential_id"], row["is_read"]) == ("ASIAEXAMPLE", False)
    facts = log["identity_facts"].filter(log["identity_facts"]["id"] == "k8s::kubernetes-admin")
    assert facts["parent_id"].to_list() == ["aws:111122223333:AROAEXAMPLEEXAMPLE01"]


def test_kinds_come_from_reserved_names_only(log: Loaded) -> None:
    kinds = dict(log.rows("identity_facts", "id", "kind"))
    assert kinds["k8s::ana"] == kinds["k8s::bob"] == kinds["k8s::kubernetes-admin"] == "unknown"
    assert kinds[f"k8s::{OVEN}"] == "service_account"
    assert kinds["k8s::system:kube-scheduler"] == "workload"


def test_a_call_without_an_object_is_known_by_its_path_without_the_query(log: Loaded) -> None:
    row = log["activity"].filter(log["activity"]["event_id"] == "a-8").to_dicts()[0]
    assert (row["action"], row["resource_id"]) == ("k8s:get:/healthz", "/healthz")


@pytest.mark.parametrize("stage", ["RequestReceived", "ResponseStarted"])
def test_stages_before_the_answer_are_rejected_by_name_and_the_answer_counts_once(stage: str) -> None:
    found = Loaded(lines([LOG[0] | {"stage": stage}, LOG[0]]))
    assert [(fault.reason, fault.disposition, stage in fault.detail) for fault in found.faults] == [
        ("out_of_scope", "rejected", True)]
    assert len(found.ids) == 1


@pytest.mark.parametrize(("changed", "outcome"), [
    ({"responseStatus": {"code": 201}}, "success"), ({"responseStatus": {"code": 403}}, "denied"),
    ({"responseStatus": {"code": 401}}, "failure"), ({"responseStatus": {"code": 409}}, "failure"),
    ({"responseStatus": None}, "unknown"), ({"stage": "Panic", "responseStatus": None}, "failure"),
    ({"annotations": {"authorization.k8s.io/decision": "forbid"}}, "denied"),
])
def test_the_answer_decides_the_outcome(changed: Json, outcome: str) -> None:
    record = LOG[0] | changed
    assert Loaded(lines([record, record]))["activity"]["outcome"][0] == outcome


def test_what_was_refused_is_an_attempt_and_a_dry_run_is_no_step() -> None:
    refused = LOG[1] | {"auditID": "r", "responseStatus": {"code": 403}}
    tried = LOG[1] | {"auditID": "d", "requestURI": "/apis/x?dryRun=All"}
    found = Loaded(lines([refused, tried]))
    assert found.rows("decision_steps", "event_id", "kind", "status") == [("r", "attempt", "failed")]
    assert found["entitlements"].height == 0
    assert dict(found.rows("activity", "event_id", "is_dry_run")) == {"r": False, "d": True}


def test_old_versions_have_their_time_under_another_name() -> None:
    old = {key: held for key, held in LOG[0].items() if key not in ("requestReceivedTimestamp", "stageTimestamp")}
    old |= {"apiVersion": "audit.k8s.io/v1alpha1", "timestamp": "2017-09-11T19:55:05Z"}
    assert Loaded(lines([old, old]))["activity"]["time"][0].isoformat() == "2017-09-11T19:55:05+00:00"


def test_other_logs_of_the_control_plane_in_the_same_group_are_rejected_by_name() -> None:
    envelope = cloudwatch(LOG[:1])
    envelope["logEvents"].insert(0, {"id": "t", "timestamp": 1, "message": "I0301 scheduler started"})
    other = aks(LOG[:1])[0] | {"category": "kube-scheduler", "properties": {"log": "started"}}
    for found in (Loaded(envelope), Loaded(lines([*aks(LOG[:1]), other]))):
        assert [(fault.reason, fault.disposition) for fault in found.faults] == [("out_of_scope", "rejected")]
        assert len(found.ids) == 1


def test_an_event_without_time_is_kept_and_of_no_day() -> None:
    untimed = {key: held for key, held in LOG[0].items() if key not in ("requestReceivedTimestamp", "stageTimestamp")}
    found = Loaded(lines([untimed, LOG[0]]))
    assert (found.faults, len(found.ids), found["activity"]["time"].null_count()) == ([], 2, 1)


def _raw(path: Path) -> list[Json]:
    found = path.read_text(encoding="utf-8")
    try:
        return [json.loads(found)]
    except json.JSONDecodeError:
        return [json.loads(line) for line in found.splitlines() if line.strip()]


def _timed(record: Json) -> bool:
    return any(record.get(key) for key in ("requestReceivedTimestamp", "timestamp", "stageTimestamp", "p_event_time"))


@pytest.mark.parametrize("folder", ["audit2rbac", "falco", "sekoia/audit-log", "panther"])
def test_of_real_logs_finished_events_are_accepted_with_their_user_and_outcome(
    shared_data: Path, folder: str,
) -> None:
    total = 0
    for path in sorted((shared_data / "k8s_audit" / folder).iterdir()):
        records = [record.get("log", record) for record in _raw(path)]
        records = [one for one in records if one.get("stage") not in ("RequestReceived", "ResponseStarted")]
        records = [one for one in records if "auditID" in one or "verb" in one or one.get("kind") == "Event"]
        found = Loaded(path.read_bytes())
        total += len(records)
        assert len(found.ids) == len(records)
        users = {((one.get("impersonatedUser") or one.get("user") or {}).get("username")) for one in records}
        assert {actor.partition("::")[2] for actor in found["activity"]["actor_id"].drop_nulls()} == users - {None}
        assert set(found["activity"]["event_id"].drop_nulls()) == {one["auditID"] for one in records if "auditID" in one}
        refused = [one for one in records if (one.get("responseStatus") or {}).get("code") == 403]
        assert (found["activity"]["outcome"] == "denied").sum() == len(refused)
        assert not [one for one in found.faults if one.disposition == "quarantined"]
        assert found["activity"]["time"].null_count() == sum(not _timed(one) for one in records)
    assert total >= {"audit2rbac": 37, "falco": 19, "sekoia/audit-log": 4, "panther": 121}[folder]


def test_the_demo_log_is_one_administrator_impersonating_three(shared_data: Path) -> None:
    found = Loaded((shared_data / "k8s_audit" / "audit2rbac" / "demo.log").read_bytes())
    assert set(found["activity"]["on_behalf_of_id"]) == {"k8s::system:admin"}
    assert found["activity"]["actor_id"].n_unique() == 3


def test_an_event_behind_a_search_is_the_event() -> None:
    one = event(1, "get", ref("pods", "oven-1", "kitchen"))
    wanted = Loaded([one]).ids
    for packed in ([{"_index": "i", "_source": one}], [{"preview": False, "result": {"_raw": json.dumps(one)}}]):
        assert (Loaded(packed).source, Loaded(packed).ids) == ("k8s_audit", wanted)


def test_the_log_of_a_manager_in_front_of_clusters_is_no_audit_event() -> None:
    call = {"auditID": "a-1", "requestURI": "/v3/projects", "user": {"name": "u-1"}, "method": "POST",
            "responseCode": 201}
    found = Loaded([event(1, "get", ref("pods")), call])
    assert [fault.reason for fault in found.faults] == ["no_event"]
