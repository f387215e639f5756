"""Edges of Kubernetes: who can act as whom in a cluster, and who comes to control it (metrics 3.1).

Nodes of ours, per cluster: ``k8s:<cluster>:cluster`` (tier 0) and ``k8s:<cluster>:namespaces/<namespace>`` for control
over all in them, ``k8s:<cluster>:nodes`` for its machines, and scopes for all service accounts of a namespace or of the
cluster and for all users. A service account is taken over where one may run a pod as it; which pods run, what secrets
hold and what admission forbids is in no dump, so what needs that is conditional.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from lineage_analytics.graphs.access.k8s_clouds import cloud_edges
from lineage_analytics.graphs.access.k8s_techniques import Found, Powers
from lineage_analytics.graphs.access.tier0 import is_tier0
from lineage_analytics.permissions.k8s.rules import MASTERS, PROVIDER, book, group_id, is_account, namespace_of, split

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lineage_analytics.facts import Facts
    from lineage_analytics.graphs.access.parts import Builder
    from lineage_analytics.permissions.k8s.rules import KubernetesBook
    from lineage_analytics.permissions.roles import Held

_AWS_AUTH = ("k8s:update:core/configmaps", "k8s:patch:core/configmaps")


def edges(facts: Facts, build: Builder) -> None:
    """May-assume and controls edges of every principal of every cluster."""
    have = book(facts)
    clusters = _Clusters(facts, have, build)
    powers = Powers(have)
    for principal in clusters.principals:
        cluster = clusters.cluster_of(principal)
        masters = have.masters(principal)
        if masters is not None:
            clusters.controls(principal, cluster, f"pass every check: is in {MASTERS}", masters, proved=True)
        usable = _needed(list(powers.of(principal)))
        for found in usable:
            _edge(clusters, principal, found)
        if [one.technique.target for one in usable] == ["cluster"]:
            continue
        for held in have.held(principal):
            _by_role(clusters, principal, held)
            _by_aws_auth(clusters, principal, held)
    cloud_edges(facts, have, build)


def _needed(found: list[Found]) -> list[Found]:
    """Without what the control of the cluster, or of the namespace, surely gives anyhow."""
    whole = next((one for one in found if one.technique.target == "cluster" and one.proved), None)
    if whole is not None:
        return [whole]  # the rest adds nothing
    owned: dict[str | None, Found] = {}
    for one in found:
        if one.technique.target == "namespace" and one.proved:
            owned.setdefault(one.namespace, one)
    return [one for one in found if owned.get(one.namespace) is one
            or one.technique.target not in ("namespace", "accounts") or one.namespace not in owned]


def _says(words: str, by: Iterable[Held]) -> tuple[str, list[str]]:
    held = list(by)
    records = sorted({record for one in held for record in (one.assignment.record_id, *one.records) if record})
    return f"{words}: {' and '.join(dict.fromkeys(one.says() for one in held))}", records


def _by_role(clusters: _Clusters, principal: str, held: Held) -> None:
    """A role that is tier 0 by its name, held over the whole cluster."""
    one = held.assignment
    if is_tier0(PROVIDER, "role", one.role) and one.scope is not None and namespace_of(one.scope) is None:
        reason, records = _says("hold a role that is tier 0", [held])
        clusters.controls(principal, split(one.scope)[0], reason, records, proved=not held.conditional)


def _by_aws_auth(clusters: _Clusters, principal: str, held: Held) -> None:
    """Who may write the map of AWS principals decides who is in ``system:masters``, where the cluster has that map."""
    one, have = held.assignment, clusters.have
    cluster = split(one.scope or "")[0]
    if cluster not in clusters.mapped or namespace_of(one.scope) not in (None, "kube-system"):
        return
    for block in have.rules.blocks(one) or ():
        if any(have.covers(block, action, "configmaps/kube-system/aws-auth") for action in _AWS_AUTH):
            reason, records = _says("write who of AWS enters the cluster", [held])
            clusters.controls(principal, cluster, reason, records, proved=not held.conditional)


def _edge(clusters: _Clusters, principal: str, found: Found) -> None:
    technique = found.technique
    cluster = split(found.by[0].assignment.scope or principal)[0]
    reason, records = _says(technique.words, found.by)
    if technique.target == "cluster":
        clusters.controls(principal, cluster, reason, records, proved=found.proved)
        return
    for target in clusters.targets(technique.target, cluster, found.namespace, found.names):
        if target != principal:
            clusters.build.edge(principal, "controls" if technique.target in ("namespace", "nodes") else "may_assume",
                                target, reason, records, proved=found.proved, technique=technique.words)


class _Clusters:
    """Principals by cluster, and the nodes that stand for what can be taken over."""

    def __init__(self, facts: Facts, have: KubernetesBook, build: Builder) -> None:
        self.have, self.build = have, build
        rows = facts.frame("entitlements").filter(pl.col("provider") == PROVIDER)
        joined = rows.filter(pl.col("grant_kind") == "membership")
        members = [*joined["principal_id"].drop_nulls(), *joined["scope"].drop_nulls()]
        known = facts.frame("identities").filter(
            (pl.col("provider") == PROVIDER) & pl.col("id").str.starts_with("k8s:"))["id"]
        self.principals = sorted({*known, *have.assignments, *members})
        self.mapped = {split(scope)[0] for scope in rows.filter(pl.col("origin") == "aws_auth")["scope"].drop_nulls()}
        self._accounts: dict[str, dict[str, list[str]]] = {}
        self._users: dict[str, list[str]] = {}
        self._clusters: dict[str, str] = {}
        for principal in self.principals:
            if not principal.startswith("k8s:"):
                continue
            cluster, own = split(principal)
            if is_account(principal):
                self._accounts.setdefault(cluster, {}).setdefault(own.split(":")[2], []).append(principal)
            elif not own.startswith("group:"):
                self._users.setdefault(cluster, []).append(principal)

    def cluster_of(self, principal: str) -> str:
        if principal.startswith("k8s:"):
            return split(principal)[0]
        scopes = [one.scope for one in self.have.assignments.get(principal, ()) if one.scope]
        groups = [group for group in self.have.groups.above(principal) if group.startswith("k8s:")]
        return next((split(one)[0] for one in (*scopes, *groups)), "")

    def controls(self, principal: str, cluster: str, reason: str, records: Iterable[str], *, proved: bool) -> None:
        self.build.edge(principal, "controls", self.cluster(cluster), reason, records, proved=proved)
        if is_tier0(PROVIDER, "group", split(principal)[1].removeprefix("group:")) and principal == group_id(
                cluster, MASTERS):
            self.build.tier0(principal)

    def targets(self, sort: str, cluster: str, namespace: str | None, names: frozenset[str]) -> list[str]:
        """The nodes a technique reaches; none where nothing of that sort is known."""
        if sort == "nodes":
            return [self.nodes(cluster)]
        if sort == "namespace":
            return [self.cluster(cluster) if namespace is None else self.namespace(cluster, namespace)]
        if sort == "users":
            named = self._users.get(cluster, ())
            return [self.users(cluster)] if "*" in names and named else [
                one for one in named if split(one)[1] in names]
        held = self._accounts.get(cluster, {})
        if not (held if namespace is None else held.get(namespace)):
            return []
        if "*" not in names:
            return [one for one in self._there(cluster, namespace) if one.rpartition(":")[2] in names]
        return [self.accounts(cluster, namespace)]

    def _there(self, cluster: str, namespace: str | None) -> list[str]:
        held = self._accounts[cluster]
        return held[namespace] if namespace is not None else [one for at in sorted(held) for one in held[at]]

    def accounts(self, cluster: str, namespace: str | None) -> str:
        node = f"k8s:{cluster}:scope:serviceaccounts:{namespace or '*'}"
        if not self.build.has(node):
            there = self._there(cluster, namespace)
            where = f"namespace {namespace}" if namespace else "the cluster"
            self.build.node(node, "scope", f"all service accounts of {where}", cluster, PROVIDER)
            for account in there:
                self.build.edge(node, "may_assume", account, f"is a service account of {where}")
        return node

    def users(self, cluster: str) -> str:
        node = f"k8s:{cluster}:scope:users"
        if not self.build.has(node):
            self.build.node(node, "scope", "all users of the cluster", cluster, PROVIDER)
            for user in self._users.get(cluster, ()):
                self.build.edge(node, "may_assume", user, "is a user of the cluster")
        return node

    def nodes(self, cluster: str) -> str:
        """The machines: who has one has the tokens of what runs on it, which no dump says."""
        node = f"k8s:{cluster}:nodes"
        if not self.build.has(node):
            self.build.node(node, "resource", "nodes of the cluster", cluster, PROVIDER)
            for scope in self.targets("accounts", cluster, None, frozenset({"*"})):
                self.build.edge(node, "may_assume", scope, "has the tokens of the pods that run on it", proved=False,
                                technique="read the tokens of the pods on the node")
            for user in self._users.get(cluster, ()):
                if split(user)[1].startswith("system:node:"):
                    self.build.edge(node, "may_assume", user, "has the credentials of the node",
                                    technique="use the credentials of the node")
        return node

    def namespace(self, cluster: str, namespace: str) -> str:
        node = f"k8s:{cluster}:namespaces/{namespace}"
        if not self.build.has(node):
            self.build.node(node, "resource", f"namespace {namespace}", cluster, PROVIDER)
            for scope in self.targets("accounts", cluster, namespace, frozenset({"*"})):
                self.build.edge(node, "may_assume", scope, "whoever controls the namespace runs pods as any of them",
                                technique="run a pod as the service account")
        return node

    def cluster(self, cluster: str) -> str:
        node = f"k8s:{cluster}:cluster"
        if not self.build.has(node):
            self.build.node(node, "resource", f"Kubernetes cluster {cluster}".strip(), cluster, PROVIDER)
            self.build.tier0(node)
            said = "whoever controls the cluster acts as everybody in it"
            for sort in ("accounts", "users"):
                for scope in self.targets(sort, cluster, None, frozenset({"*"})):
                    self.build.edge(node, "may_assume", scope, said, technique="act as anybody in the cluster")
            self.build.edge(node, "controls", self.nodes(cluster), said, technique="run pods on every node")
        return node
