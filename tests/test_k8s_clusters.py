"""Which cluster a dump of RBAC objects is of, and calls of GKE among events of other clusters. Records are made up."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from lineage_analytics.workspace import Store, load, open_estate
from tests._documents import Loaded
from tests.test_loader_gcp_audit import gke
from tests.test_loader_gcp_audit import lines as entries
from tests.test_loader_k8s_audit import OVEN, cloudwatch, event, lines, ref
from tests.test_loader_k8s_rbac import ALL, AWS_AUTH, RBAC, listing

if TYPE_CHECKING:
    from pathlib import Path

Json = dict[str, Any]
NUMBER, OTHER = "6f9619ff-8b86-4d01-b42d-00cf4fc964ff", "0a9619ff-8b86-4d01-b42d-00cf4fc964ff"


def dump(number: str) -> bytes:
    """A dump whose service account has the number; other objects have numbers of their own."""
    items = [json.loads(json.dumps(item)) for item in ALL]
    for place, item in enumerate(items):
        item["metadata"]["uid"] = number if item["kind"] == "ServiceAccount" else f"{number[:-4]}{place:04d}"
    return listing(items)


def called(cluster: str, number: str) -> bytes:
    """The log of a named cluster in which the service account calls."""
    found = event(1, "get", ref("secrets", "till", "kitchen"), auditID=f"{cluster}-1",
                  user={"username": OVEN, "uid": number})
    envelope = cloudwatch([found, event(2, "get", ref("secrets", "till", "kitchen"), auditID=f"{cluster}-2")])
    return json.dumps(envelope | {"logGroup": f"/aws/eks/{cluster}/cluster"}).encode()


def _clusters(tmp_path: Path, *files: bytes) -> dict[str, set[str]]:
    """The clusters in the ids of what the dumps grant and list, by table."""
    for number, data in enumerate(files):
        (tmp_path / f"{number}.json").write_bytes(data)
    load([tmp_path], Store.create(tmp_path / "w"))
    estate = open_estate(tmp_path / "w")
    found = {"grants": estate.frame("entitlements")["principal_id"].to_list(),
             "scopes": estate.frame("entitlements")["scope"].drop_nulls().to_list(),
             "identities": estate.frame("identities")["id"].to_list(),
             "roles": estate.frame("resources")["id"].to_list()}
    return {name: {one.split(":")[1] for one in ids if one.startswith("k8s:")} for name, ids in found.items()}


def test_a_dump_is_of_the_cluster_whose_log_knows_the_number_of_its_service_account(tmp_path: Path) -> None:
    assert _clusters(tmp_path, dump(NUMBER), called("bistro", NUMBER)) == {
        "grants": {"bistro"}, "scopes": {"bistro"}, "identities": {"bistro"}, "roles": {"bistro"}}
    estate = open_estate(tmp_path / "w")
    listed = estate.frame("identities").filter(estate.frame("identities")["inventoried"])
    assert listed["id"].to_list() == [f"k8s:bistro:{OVEN}"]
    assert set(estate.frame("entitlements")["tenant"]) == {"bistro"}


def test_a_dump_is_of_the_cluster_whose_log_has_the_answer_that_made_one_of_its_bindings(tmp_path: Path) -> None:
    made = next(item for item in json.loads(dump(NUMBER))["items"] if item["kind"] == "ClusterRoleBinding")
    eks = cloudwatch([event(1, "create", ref("clusterrolebindings", "cooks", apiGroup=RBAC), auditID=f"made-{number}",
                            responseObject=made) for number in range(2)])
    assert _clusters(tmp_path, dump(NUMBER), json.dumps(eks).encode())["scopes"] == {"bistro"}


def test_a_dump_of_gke_is_of_the_cluster_its_audit_log_names(tmp_path: Path) -> None:
    made = next(item for item in json.loads(dump(NUMBER))["items"] if item["kind"] == "ClusterRoleBinding")
    logged = gke(8, "io.k8s.authorization.rbac.v1.clusterrolebindings.create",
                 f"{RBAC}/v1/clusterrolebindings/cooks", response=made)
    [cluster] = {one.split(":")[1] for one in Loaded(entries([logged]))["entitlements"]["principal_id"]}
    assert cluster
    assert _clusters(tmp_path, dump(NUMBER), entries([logged]))["roles"] == {cluster}


@pytest.mark.parametrize("order", [1, -1])
def test_the_map_of_a_cluster_is_found_among_other_configuration(order: int) -> None:
    other = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "coredns", "namespace": "kube-system"},
             "data": {"Corefile": "x"}}
    found = Loaded(listing([other, AWS_AUTH][::order]))
    assert (found.source, len(found.ids), [fault.reason for fault in found.faults]) == ("k8s_rbac", 1, ["out_of_scope"])


@pytest.mark.parametrize(("files", "named"), [
    ((dump(NUMBER), called("bistro", OTHER)), {"bistro"}),
    ((dump(NUMBER), called("bistro", NUMBER), called("cafe", NUMBER)), {"bistro", "cafe"}),
    ((dump(NUMBER), lines([event(1, "get", ref("secrets"), user={"username": OVEN, "uid": NUMBER})] * 2)), set()),
])
def test_equal_names_several_clusters_and_a_log_without_a_name_prove_no_cluster(
    files: tuple[bytes, ...], named: set[str], tmp_path: Path
) -> None:
    found = _clusters(tmp_path, *files)
    assert (found["grants"], found["scopes"], found["roles"]) == ({""}, {""}, {""})
    assert found["identities"] == {"", *named}


def test_two_dumps_go_each_to_its_own_cluster(tmp_path: Path) -> None:
    found = _clusters(tmp_path, dump(NUMBER), dump(OTHER), called("bistro", NUMBER), called("cafe", OTHER))
    assert found == {key: {"bistro", "cafe"} for key in ("grants", "scopes", "identities", "roles")}


def test_a_list_of_who_may_enter_some_cluster_is_set_aside_with_what_would_do() -> None:
    found = Loaded({"accessEntries": ["arn:aws:iam::111122223333:role/Oven"], "nextToken": "t"})
    assert (found.source, found.ids) == ("k8s_rbac", [])
    assert [(fault.reason, fault.disposition, "describe-access-entry" in fault.detail) for fault in found.faults] == [
        ("out_of_scope", "rejected", True)]


def test_calls_of_gke_among_events_and_events_among_entries_are_read_as_what_they_are() -> None:
    plain = event(1, "get", ref("secrets", "till", "kitchen"), OVEN)
    called_there = gke(2, "io.k8s.core.v1.secrets.get", "core/v1/namespaces/kitchen/secrets/till")
    alone = {"k8s": Loaded(lines([plain, event(9, "get", None)])), "gcp": Loaded(entries([called_there, called_there]))}
    columns = ("record_id", "actor_id", "action", "resource_id", "tenant", "provider")
    wanted = {row for found in alone.values() for row in found.rows("activity", *columns)}
    for mixed in ([plain, event(9, "get", None), called_there], [called_there, plain, event(9, "get", None)]):
        found = Loaded(lines(mixed))
        assert (found.faults, set(found.rows("activity", *columns))) == ([], wanted)
