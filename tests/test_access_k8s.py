"""Ways through Kubernetes clusters: what roles let one take over, and the ways in from a cloud and out to it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import networkx as nx
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lineage_analytics as la
from lineage_analytics.graphs.access import access_lineage
from lineage_analytics.graphs.access.k8s_techniques import techniques
from lineage_analytics.permissions import k8s
from lineage_analytics.permissions.k8s.table import weight
from lineage_analytics.tables import EDGES, NODES, closed_value_faults
from tests.test_permissions_k8s import binds, facts, member, role, who

if TYPE_CHECKING:
    from lineage_analytics.graphs.access import AccessLineage
    from tests.test_permissions_k8s import Row

RBAC = "rbac.authorization.k8s.io"
ADMIN, RUNNER, FRONT = "system:serviceaccount:ops:admin", "system:serviceaccount:data:runner", "system:serviceaccount:web:front"
PEOPLE = ("eve", "ana", RUNNER, FRONT, ADMIN, "system:node:n1")
CLUSTER, NODES_OF = who("cluster"), who("nodes")
TIER0 = binds(ADMIN, "clusterroles/cluster-admin")


def build(*grants: Row, people: tuple[str, ...] = PEOPLE) -> AccessLineage:
    return access_lineage(facts(*grants, people=people))


def eve(*actions: str, over: str | None = None, names: tuple[str, ...] = ("*",), **more: Any) -> list[Row]:
    """Eve holds a role with these actions, over a namespace or the cluster."""
    name = f"clusterroles/eve-{over}-{'-'.join(names)}-{len(actions)}-{actions[0]}"
    return [role(name, *actions, names=names), binds("eve", name, over, **more)]


def reaches(lineage: AccessLineage, what: str, start: str = "eve") -> str | None:
    """Proved, conditional, or None when there is no way."""
    found = lineage.blast_radius(who(start)).filter(pl.col("node_id") == what)
    return str(found["state"].item()) if found.height else None


RUNS = ("k8s:create:core/pods", "k8s:patch:apps/deployments", "k8s:create:batch/jobs", "k8s:update:batch/cronjobs",
        "k8s:create:core/serviceaccounts/token", "k8s:impersonate:core/serviceaccounts")
THERE = ("k8s:create:core/pods/exec", "k8s:get:core/pods/exec", "k8s:get:core/secrets", "k8s:list:core/secrets",
         "k8s:patch:core/pods/ephemeralcontainers")


@pytest.mark.parametrize(("action", "state"), [*((one, "proved") for one in RUNS), *((one, "conditional") for one in THERE)])
def test_who_runs_pods_or_gets_tokens_in_a_namespace_becomes_its_service_accounts(action: str, state: str) -> None:
    lineage = build(*eve(action, over="data"))
    assert reaches(lineage, who(RUNNER)) == state
    assert reaches(lineage, who(FRONT)) != "proved"


def test_over_the_whole_cluster_it_is_every_service_account() -> None:
    lineage = build(TIER0, *eve("k8s:create:core/pods"))
    assert [reaches(lineage, who(one)) for one in (RUNNER, FRONT, ADMIN)] == ["proved"] * 3
    assert reaches(lineage, CLUSTER) == "proved"
    way = lineage.paths().filter(pl.col("principal_id") == who("eve")).row(0, named=True)
    assert way["techniques"] == ["run a pod as the service account", "do everything in the cluster"]
    assert way["path"] == [who("eve"), who(ADMIN), CLUSTER]
    assert any("holds clusterroles/cluster-admin over k8s:prod:cluster" in one for one in way["evidence"])


@pytest.mark.parametrize(("actions", "reached"), [
    (["k8s:*:*/*"], "proved"),
    ([f"k8s:bind:{RBAC}/clusterroles", f"k8s:create:{RBAC}/clusterrolebindings"], "proved"),
    ([f"k8s:escalate:{RBAC}/clusterroles", f"k8s:patch:{RBAC}/clusterroles"], "proved"),
    (["k8s:impersonate:core/users", "k8s:impersonate:core/groups"], "proved"),
    (["k8s:create:admissionregistration.k8s.io/mutatingwebhookconfigurations"], "proved"),
    # The API server lets nobody give what he does not hold.
    ([f"k8s:*:{RBAC}/clusterrolebindings", f"k8s:*:{RBAC}/rolebindings"], None),
    ([f"k8s:update:{RBAC}/clusterroles", f"k8s:patch:{RBAC}/clusterroles"], None),
    ([f"k8s:bind:{RBAC}/clusterroles"], None),
    ([f"k8s:escalate:{RBAC}/clusterroles"], None),
    (["k8s:impersonate:core/groups"], None),
    (["k8s:get:core/pods", "k8s:list:core/configmaps"], None),
])
def test_what_gives_control_of_the_cluster(actions: list[str], reached: str | None) -> None:
    assert reaches(build(*eve(*actions)), CLUSTER) == reached


def test_halves_of_a_technique_may_come_from_two_roles() -> None:
    one = eve(f"k8s:bind:{RBAC}/clusterroles")
    two = [role("clusterroles/two", f"k8s:create:{RBAC}/clusterrolebindings"), binds("group:g", "clusterroles/two")]
    assert reaches(build(*one, *two), CLUSTER) is None
    assert reaches(build(*one, *two, member(who("group:g"), who("eve"))), CLUSTER) == "proved"


def test_in_a_namespace_they_give_the_namespace_only() -> None:
    lineage = build(TIER0, *eve(f"k8s:bind:{RBAC}/clusterroles", f"k8s:create:{RBAC}/rolebindings", over="data"))
    assert reaches(lineage, who("namespaces/data")) == "proved"
    assert reaches(lineage, who(RUNNER)) == "proved"
    assert reaches(lineage, CLUSTER) is None


@pytest.mark.parametrize(("name", "reached"), [("cluster-admin", "proved"), ("view", None)])
def test_to_bind_one_role_by_name_gives_no_more_than_that_role(name: str, reached: str | None) -> None:
    lineage = build(*eve(f"k8s:bind:{RBAC}/clusterroles", names=(name,)), *eve(f"k8s:create:{RBAC}/clusterrolebindings"))
    assert reaches(lineage, CLUSTER) == reached


def test_impersonation_by_name_reaches_that_user_only() -> None:
    lineage = build(*eve("k8s:impersonate:core/users", names=("ana",)))
    assert (reaches(lineage, who("ana")), reaches(lineage, who("system:node:n1"))) == ("proved", None)
    assert reaches(build(*eve("k8s:impersonate:core/users")), who("system:node:n1")) == "proved"


def test_a_certificate_for_anybody_takes_all_three_rights() -> None:
    api = "certificates.k8s.io"
    rights = [f"k8s:create:{api}/certificatesigningrequests", f"k8s:update:{api}/certificatesigningrequests/approval"]
    signer = eve(f"k8s:approve:{api}/signers", names=("kubernetes.io/kube-apiserver-client",))
    assert reaches(build(*eve(*rights), *signer), who("ana")) == "proved"
    assert reaches(build(*eve(*rights)), who("ana")) is None
    kubelet = eve(f"k8s:approve:{api}/signers", names=("kubernetes.io/kube-apiserver-client-kubelet",))
    assert reaches(build(*eve(*rights), *kubelet), who("ana")) is None


def test_nodes_hold_tokens_of_pods_that_no_dump_names() -> None:
    lineage = build(TIER0, *eve("k8s:get:core/nodes/proxy"))
    assert reaches(lineage, NODES_OF) == "proved"
    assert reaches(lineage, CLUSTER) == "conditional"
    assert reaches(build(*eve("k8s:create:core/pods", over="data")), NODES_OF) == "conditional"


def test_a_role_of_the_api_server_leads_where_its_rights_lead() -> None:
    aggregator = "system:serviceaccount:kube-system:clusterrole-aggregation-controller"
    bound = binds(aggregator, "clusterroles/system:controller:clusterrole-aggregation-controller")
    lineage = build(bound, binds("eve", "clusterroles/edit", "kube-system"), people=(*PEOPLE, aggregator))
    assert reaches(lineage, CLUSTER) == "proved"


def test_members_of_masters_control_the_cluster() -> None:
    lineage = build(member(who("group:system:masters"), who("eve")))
    assert reaches(lineage, CLUSTER) == "proved"
    assert lineage.nodes.filter(pl.col("node_id") == who("group:system:masters"))["tier0"].item() is True


def test_who_writes_the_map_of_aws_principals_controls_a_cluster_that_has_one() -> None:
    writes = eve("k8s:patch:core/configmaps", over="kube-system")
    entry = {"principal_id": "aws:1:AIDA1", "grant_kind": "trust", "scope": who("ana"), "origin": "aws_auth",
             "provider": "k8s", "record_id": "rec-map"}
    assert reaches(build(*writes), CLUSTER) is None
    assert reaches(build(*writes, entry), CLUSTER) == "proved"


def test_a_principal_of_aws_enters_as_its_user_and_in_its_groups() -> None:
    entry = {"principal_id": "aws:1:AROA1", "grant_kind": "trust", "scope": who("ana"), "origin": "access_entry",
             "provider": "k8s", "record_id": "rec-entry"}
    lineage = build(entry, member(who("group:ops"), who("ana")), binds("group:ops", "clusterroles/cluster-admin"))
    found = lineage.paths().filter(pl.col("principal_id") == "aws:1:AROA1").row(0, named=True)
    assert (found["state"], found["path"]) == ("proved", ["aws:1:AROA1", who("ana"), CLUSTER])


ROLE = "aws:1:AROAJOB"
IRSA = {"principal_id": who(RUNNER), "grant_kind": "trust", "privilege": "irsa", "scope": ROLE, "origin": "irsa",
        "effect": "allow", "state": "standing", "provider": "k8s", "record_id": "rec-irsa"}


def trusts(subject: str | None, operator: str = "StringEquals") -> Row:
    said = {operator: {"oidc.eks/id/1:sub": subject}} if subject else {}
    return {"principal_id": "aws:1:arn:aws:iam::1:oidc-provider/oidc.eks/id/1", "grant_kind": "trust", "scope": ROLE,
            "privilege": "sts:AssumeRoleWithWebIdentity", "effect": "allow", "provider": "aws", "record_id": "rec-trust",
            "condition": json.dumps(said) if said else None}


@pytest.mark.parametrize(("trust", "state"), [
    (None, "conditional"), (trusts(RUNNER), "proved"), (trusts("system:serviceaccount:data:*", "StringLike"), "proved"),
    (trusts("system:serviceaccount:data:*"), None), (trusts(FRONT), None), (trusts(None), "proved")])
def test_a_service_account_becomes_a_role_of_aws_where_that_role_agrees(trust: Row | None, state: str | None) -> None:
    lineage = build(IRSA, *([trust] if trust else []))
    found = lineage.edges.filter((pl.col("src") == who(RUNNER)) & (pl.col("dst") == ROLE))
    assert (found["state"].to_list() or [None]) == [state]


def test_edges_are_the_same_in_any_order_and_of_closed_values() -> None:
    grants = [TIER0, IRSA, *eve("k8s:create:core/pods", over="data"), *eve("k8s:get:core/nodes/proxy"),
              binds("group:system:serviceaccounts:web", "clusterroles/edit", "data")]
    one, two = build(*grants), build(*reversed(grants))
    assert one.edges.equals(two.edges)
    assert one.nodes.equals(two.nodes)
    assert closed_value_faults(one.edges, EDGES) + closed_value_faults(one.nodes, NODES) == []
    assert one.edges.filter(pl.col("src").str.starts_with("k8s:") & (pl.col("reason") == "")).is_empty()


def test_a_hundred_holders_over_a_hundred_accounts_make_two_hundred_edges_not_ten_thousand() -> None:
    people = (*(f"u{i}" for i in range(100)), *(f"system:serviceaccount:data:s{i}" for i in range(100)))
    held = [role("clusterroles/run", "k8s:create:core/serviceaccounts/token"),
            *(binds(f"u{i}", "clusterroles/run", "data") for i in range(100))]
    edges = build(*held, people=people).edges.filter(pl.col("rel") == "may_assume")
    assert edges.height == 200


def test_every_action_of_a_technique_is_a_sensitive_one() -> None:
    # Reading or writing a role alone gives nothing, so only the first need of each has to weigh.
    assert [one.needs[0] for one in techniques() if not any(weight(action) for action in one.needs[0])
            and "certificatesigningrequests" not in one.needs[0][0]] == []


def test_the_ways_of_the_sample_are_those_a_plain_search_finds() -> None:
    lineage = access_lineage(la.open(la.sample()))
    followed = lineage.edges.filter("followed")
    graph = nx.DiGraph(followed.select("src", "dst").rows())
    tier0 = set(lineage.nodes.filter("tier0")["node_id"])
    mine = [one for one in lineage.nodes["node_id"] if one.startswith("k8s:")]
    wanted = {one for one in mine if one in graph and (nx.descendants(graph, one) | {one}) & tier0}
    kinds = dict(lineage.nodes.select("node_id", "kind").rows())
    wanted = {one for one in wanted if kinds[one] not in ("scope", "resource", "group")}
    found = {one for one in lineage.paths()["principal_id"] if one.startswith("k8s:")}
    assert found == wanted
    assert len(found) >= 5


# --- edges and decisions are one reading ------------------------------------------------------------------------------

_ISSUE = "k8s:create:core/serviceaccounts/token"
_RULES = ((_ISSUE,), ("k8s:create:core/serviceaccounts",), ("k8s:*:core/serviceaccounts/token",), ("k8s:create:core/*",))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(("eve", "group:g", "group:system:authenticated")), st.integers(0, 3),
                          st.sampled_from((("*",), ("runner",), ("front",))), st.sampled_from(("data", "web", None))),
                max_size=4), st.sampled_from((None, "rec-if", "rec-sure")))
def test_a_token_edge_is_proved_where_the_decision_is_allowed(
    held: list[tuple[str, int, tuple[str, ...], str | None]], joined: str | None,
) -> None:
    rows: list[Row] = []
    for holder, number, names, over in held:
        name = f"clusterroles/r{number}-{names[0].strip('*') or 'all'}"
        rows += [role(name, *_RULES[number], names=names), binds(holder, name, over)]
    rows += [member(who("group:g"), who("eve"), condition="{}" if joined == "rec-if" else None)] if joined else []
    estate = facts(*rows, people=PEOPLE)
    verdict = k8s.decide(estate, who("eve"), _ISSUE, "serviceaccounts/data/runner").verdict
    edges = access_lineage(estate).edges.filter((pl.col("src") == who("eve")) & pl.col("reason").str.contains("have a token"))
    ends = [who(RUNNER), who("scope:serviceaccounts:data"), who("scope:serviceaccounts:*")]
    states = set(edges.filter(pl.col("dst").is_in(ends) & pl.col("reason").str.contains("issued"))["state"])
    state = "proved" if "proved" in states else "conditional" if states else None
    assert state == {"allowed": "proved", "conditional": "conditional"}.get(verdict)
