"""Kubernetes RBAC objects. All records here are made up."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from tests._documents import Loaded
from tests.test_loader_k8s_audit import LOG as AUDIT
from tests.test_loader_k8s_audit import event, lines, ref

Json = dict[str, Any]

RBAC, CREATED, CANARY = "rbac.authorization.k8s.io", "2026-01-05T08:00:00Z", "pineapple-canary-77"
ARN = "arn:aws:iam::111122223333:role/Oven"
CLUSTER_ROLE = {"apiGroup": RBAC, "kind": "ClusterRole", "name": "cluster-admin"}


def thing(kind: str, name: str, namespace: str | None = None, /, *, annotations: Json | None = None,
          labels: Json | None = None, **more: Any) -> Json:
    """A synthetic object as kubectl writes it."""
    meta = {"name": name, "namespace": namespace, "uid": f"uid-{name}", "creationTimestamp": CREATED,
            "resourceVersion": "7", "annotations": annotations, "labels": labels}
    return {"apiVersion": "v1" if kind == "ServiceAccount" else f"{RBAC}/v1", "kind": kind,
            "metadata": {key: held for key, held in meta.items() if held is not None}, **more}


OVEN = thing("ServiceAccount", "oven", "kitchen", annotations={
    "eks.amazonaws.com/role-arn": ARN, "iam.gke.io/gcp-service-account": "Oven@shop.iam.gserviceaccount.com"})
READER = thing("Role", "reader", "kitchen", rules=[
    {"apiGroups": [""], "resources": ["pods", "pods/log"], "verbs": ["get", "list"]},
    {"apiGroups": [""], "resources": ["secrets"], "resourceNames": ["till"], "verbs": ["get"]}])
ADMIN = thing("ClusterRole", "cluster-admin", labels={"kubernetes.io/bootstrapping": "rbac-defaults"}, rules=[
    {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}, {"nonResourceURLs": ["*"], "verbs": ["*"]}])
COMPUTED = thing("ClusterRole", "all-views", aggregationRule={"clusterRoleSelectors": [{}]}, rules=[
    {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["get"]}])
LOCAL = thing("RoleBinding", "readers", "kitchen", roleRef={"apiGroup": RBAC, "kind": "Role", "name": "reader"}, subjects=[
    {"kind": "ServiceAccount", "name": "oven"}, {"kind": "User", "apiGroup": RBAC, "name": "ana"}])
WIDE = thing("ClusterRoleBinding", "cooks", roleRef=CLUSTER_ROLE, subjects=[
    {"kind": "Group", "apiGroup": RBAC, "name": "cooks"}, {"kind": "ServiceAccount", "name": "oven", "namespace": "kitchen"}])
NARROWED = thing("RoleBinding", "helpers", "kitchen", roleRef=CLUSTER_ROLE, subjects=[{"kind": "User", "name": "bo"}])
EMPTY = thing("ClusterRoleBinding", "nobody", roleRef=CLUSTER_ROLE)
SECRET = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "till"}, "data": {"till": CANARY}}
ENTRY: Json = {"accessEntry": {
    "clusterName": "bistro", "principalArn": ARN, "kubernetesGroups": ["cooks"], "username": "ana", "type": "STANDARD",
    "accessEntryArn": "arn:aws:eks:eu-west-1:111122223333:access-entry/bistro/role/x/Oven/1", "createdAt": CREATED}}
POLICIES: Json = {"clusterName": "bistro", "principalArn": ARN, "associatedAccessPolicies": [
    {"policyArn": "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy", "associatedAt": CREATED,
     "accessScope": {"type": "cluster", "namespaces": []}},
    {"policyArn": "arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy", "associatedAt": CREATED,
     "accessScope": {"type": "namespace", "namespaces": ["kitchen"]}}]}
BAKER = "arn:aws:iam::111122223333:user/bakers/Bea"
NODES: Json = {"rolearn": "arn:aws:iam::111122223333:role/Nodes", "username": "system:node:{{EC2PrivateDNSName}}",
               "groups": ["system:nodes"]}
AWS_AUTH: Json = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "aws-auth", "namespace": "kube-system"},
                  "data": {"mapRoles": yaml.safe_dump([{"rolearn": ARN, "username": "ana", "groups": ["cooks"]}, NODES]),
                           "mapUsers": yaml.safe_dump([{"userarn": BAKER, "groups": ["system:masters"]}]),
                           "mapAccounts": '- "044445555666"\n'}}
ALL = [OVEN, READER, ADMIN, COMPUTED, LOCAL, WIDE, NARROWED, EMPTY]


def listing(items: list[Json]) -> bytes:
    return json.dumps({"apiVersion": "v1", "items": items, "kind": "List", "metadata": {"resourceVersion": ""}},
                      indent=4).encode()


def answered(items: list[Json]) -> bytes:
    """As the API answers: the list states the kind, its items do not."""
    bare = [{key: held for key, held in item.items() if key not in ("kind", "apiVersion")} for item in items]
    return json.dumps({"kind": f"{items[0]['kind']}List", "apiVersion": f"{RBAC}/v1", "metadata": {}, "items": bare}).encode()


def in_yaml(items: list[Json]) -> bytes:
    text: str = yaml.safe_dump({"apiVersion": "v1", "items": items, "kind": "List", "metadata": {"resourceVersion": ""}})
    return text.encode()


def documents(items: list[Json]) -> bytes:
    text: str = yaml.safe_dump_all(items, explicit_start=True)
    return b"# of the bistro\n" + text.encode()


CONTRACT_FILES: dict[str, bytes] = {
    "list": listing(ALL), "bindings": listing([LOCAL, WIDE]), "lines": lines(ALL), "array": json.dumps(ALL).encode(),
    "answered": answered([WIDE, EMPTY]), "one": json.dumps(READER).encode(), "account": json.dumps(OVEN).encode(),
    "secret_first": listing([SECRET, *ALL]), "access_entry": json.dumps(ENTRY, indent=4).encode(),
    "access_policies": json.dumps(POLICIES, indent=4).encode(), "aws_auth": json.dumps(AWS_AUTH).encode(),
    "yaml_list": in_yaml(ALL), "yaml_documents": documents(ALL), "yaml_secret_first": documents([SECRET, *ALL]),
    "yaml_aws_auth": documents([AWS_AUTH]),
    "lists_on_lines": lines([json.loads(listing(ALL[:3])), json.loads(listing(ALL[3:]))]),
    "array_of_lists": json.dumps([json.loads(listing([SECRET, *ALL[:5]])), json.loads(listing(ALL[5:]))]).encode(),
    "answers_on_lines": lines([json.loads(answered([READER])), json.loads(answered([WIDE, EMPTY]))]),
}


@pytest.fixture(scope="module")
def dump() -> Loaded:
    return Loaded(listing(ALL))


@pytest.mark.parametrize("packing", ["lines", "array", "secret_first", "yaml_list", "yaml_documents",
                                     "yaml_secret_first", "lists_on_lines", "array_of_lists"])
def test_every_packing_gives_the_same_rows(dump: Loaded, packing: str) -> None:
    found = Loaded(CONTRACT_FILES[packing])
    for table in ("entitlements", "identity_facts", "resources"):
        columns = [name for name in dump[table].columns if name != "raw_ref"]
        assert found.rows(table, *columns) == dump.rows(table, *columns)


def test_lists_on_lines_give_each_its_kind_to_its_items() -> None:
    found = Loaded(CONTRACT_FILES["answers_on_lines"])
    assert found.faults == []
    assert sorted(found.ids) == sorted(Loaded(lines([READER, WIDE, EMPTY])).ids)


def test_items_take_the_kind_of_their_list() -> None:
    columns = ("principal_id", "privilege", "scope", "record_id")
    assert Loaded(answered([WIDE, EMPTY])).rows("entitlements", *columns) == Loaded(
        listing([WIDE, EMPTY])).rows("entitlements", *columns)


def test_each_subject_holds_the_role_over_the_namespace_or_the_cluster(dump: Loaded) -> None:
    held = dump["entitlements"].filter(dump["entitlements"]["grant_kind"] == "role")
    assert sorted(held.select("principal_id", "privilege", "scope").rows()) == [
        ("k8s::ana", "roles/kitchen/reader", "k8s::namespaces/kitchen"),
        ("k8s::bo", "clusterroles/cluster-admin", "k8s::namespaces/kitchen"),
        ("k8s::group:cooks", "clusterroles/cluster-admin", "k8s::cluster"),
        ("k8s::system:serviceaccount:kitchen:oven", "clusterroles/cluster-admin", "k8s::cluster"),
        ("k8s::system:serviceaccount:kitchen:oven", "roles/kitchen/reader", "k8s::namespaces/kitchen")]
    assert {time.isoformat() for time in held["granted_at"]} == {"2026-01-05T08:00:00+00:00"}


def test_a_rule_is_a_statement_in_the_words_of_the_audit_log(dump: Loaded) -> None:
    said = dump["entitlements"].filter(dump["entitlements"]["grant_kind"] == "statement")
    rules = {(row["principal_id"], tuple(row["actions"]), tuple(row["resources"])) for row in said.to_dicts()}
    assert ("k8s::roles/kitchen/reader", ("k8s:get:core/pods", "k8s:get:core/pods/log", "k8s:list:core/pods",
                                          "k8s:list:core/pods/log"), ("*",)) in rules
    assert ("k8s::roles/kitchen/reader", ("k8s:get:core/secrets",), ("till",)) in rules
    assert {rule for rule in rules if rule[0].endswith("cluster-admin")} == {
        ("k8s::clusterroles/cluster-admin", ("k8s:*:*/*",), ("*",)), ("k8s::clusterroles/cluster-admin", ("k8s:*:*",), ("*",))}
    logged = set(Loaded(lines(AUDIT))["activity"]["action"])
    assert "k8s:get:core/secrets" in logged


def test_the_role_a_grant_names_is_the_one_that_says_what_it_may(dump: Loaded) -> None:
    rows = dump["entitlements"].to_dicts()
    said = {row["principal_id"] for row in rows if row["grant_kind"] == "statement"}
    assert {f"k8s::{row['privilege']}" for row in rows if row["grant_kind"] == "role"} <= said


def test_roles_tell_who_made_them(dump: Loaded) -> None:
    origins = {row["privilege"]: row["origin"] for row in dump["entitlements"].to_dicts()
               if row["grant_kind"] == "statement"}
    assert origins == {"roles/kitchen/reader": "custom", "clusterroles/cluster-admin": "managed",
                       "clusterroles/all-views": "aggregated"}


def test_a_service_account_is_inventory_under_the_name_it_is_logged_with_and_its_cloud_roles_are_trust(
    dump: Loaded,
) -> None:
    listed = dump["identity_facts"].filter(dump["identity_facts"]["basis"] == "inventory").to_dicts()
    assert [(row["id"], row["kind"], row["created_at"].isoformat()) for row in listed] == [
        ("k8s::system:serviceaccount:kitchen:oven", "service_account", "2026-01-05T08:00:00+00:00")]
    assert listed[0]["id"] in set(Loaded(lines(AUDIT))["activity"]["actor_id"])
    trust = dump["entitlements"].filter(dump["entitlements"]["grant_kind"] == "trust")
    assert sorted(trust["scope"]) == [f"aws:111122223333:{ARN}", "gcp::serviceAccount:oven@shop.iam.gserviceaccount.com"]


def test_a_grant_that_was_logged_with_its_answer_and_the_listed_binding_bear_one_number() -> None:
    sent = {"metadata": {"name": "cooks"}, **{key: WIDE[key] for key in ("kind", "roleRef", "subjects")}}
    logged = Loaded([event(1, "create", ref("clusterrolebindings", "cooks", apiGroup=RBAC), requestObject=sent,
                           responseObject=WIDE)] * 2)
    assert logged.rows("entitlements", "principal_id", "grant_id") == Loaded(
        listing([WIDE])).rows("entitlements", "principal_id", "grant_id")


def test_an_access_entry_lets_a_cloud_role_be_a_user_of_its_groups_in_a_named_cluster() -> None:
    found = Loaded(ENTRY).rows("entitlements", "grant_kind", "principal_id", "scope", "tenant")
    assert found == [("membership", "k8s:bistro:ana", "k8s:bistro:group:cooks", "bistro"),
                     ("trust", f"aws:111122223333:{ARN}", "k8s:bistro:ana", "bistro")]


@pytest.mark.parametrize("packing", ["aws_auth", "yaml_aws_auth"])
def test_the_map_of_a_cluster_says_which_cloud_principal_is_which_user_of_which_groups(packing: str) -> None:
    found = Loaded(CONTRACT_FILES[packing]).rows("entitlements", "grant_kind", "principal_id", "scope", "origin")
    assert found == [
        ("membership", "aws:111122223333:arn:aws:iam::111122223333:role/Nodes", "k8s::group:system:nodes", "aws_auth"),
        ("membership", "k8s::ana", "k8s::group:cooks", "aws_auth"),
        ("membership", f"k8s::{BAKER}", "k8s::group:system:masters", "aws_auth"),
        ("trust", "aws:044445555666:arn:aws:iam::044445555666:root", "k8s::cluster", "aws_auth"),
        ("trust", f"aws:111122223333:{ARN}", "k8s::ana", "aws_auth"),
        ("trust", f"aws:111122223333:{BAKER}", f"k8s::{BAKER}", "aws_auth")]


def test_a_user_whom_two_cloud_roles_become_derives_from_neither() -> None:
    shared = [{"rolearn": ARN, "username": "ana"}, {"rolearn": f"{ARN}2", "username": "ana"},
              {"rolearn": f"{ARN}3", "username": "bo"}]
    found = Loaded(AWS_AUTH | {"data": {"mapRoles": yaml.safe_dump(shared)}})
    assert found.rows("identity_facts", "id", "parent_id") == [
        ("k8s::ana", None), ("k8s::bo", f"aws:111122223333:{ARN}3")]


def test_a_map_that_is_no_yaml_is_counted_and_gives_no_grant() -> None:
    found = Loaded(AWS_AUTH | {"data": {"mapRoles": "- rolearn: [\n", "mapUsers": AWS_AUTH["data"]["mapUsers"]}})
    assert [(fault.reason, fault.disposition) for fault in found.faults] == [("broken_yaml", "quarantined")]
    assert found["entitlements"].is_empty()


def test_access_policies_are_roles_over_the_cluster_or_a_namespace_of_it() -> None:
    assert Loaded(POLICIES).rows("entitlements", "principal_id", "privilege", "scope") == [
        (f"aws:111122223333:{ARN}", "AmazonEKSClusterAdminPolicy", "k8s:bistro:cluster"),
        (f"aws:111122223333:{ARN}", "AmazonEKSViewPolicy", "k8s:bistro:namespaces/kitchen")]


def test_other_objects_are_rejected_by_kind_and_nothing_of_a_secret_is_stored() -> None:
    found = Loaded(listing([SECRET, *ALL]))
    assert [(fault.reason, fault.disposition, "Secret" in fault.detail) for fault in found.faults] == [
        ("out_of_scope", "rejected", True)]
    assert len(found.ids) == len(ALL)
    assert CANARY not in json.dumps([frame.to_dicts() for frame in found.frames.values()], default=str)
