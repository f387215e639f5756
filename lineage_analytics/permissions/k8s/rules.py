"""What RBAC of Kubernetes means: actions, places, roles and who is in which group, for the engine of roles.

An action is ``k8s:<verb>:<group>/<resource>[/<sub>]`` or ``k8s:<verb>:<path>``, as audit events and rules of roles are
loaded. A rule's resource ``*`` covers subresources, ``pods`` does not cover ``pods/log``, ``*/scale`` covers that
subresource of every resource; a path may end in ``*``. A resource is ``k8s:<cluster>:<resource>/<namespace>/<name>``,
``k8s:<cluster>:namespaces/<namespace>`` for all in a namespace, or ``*`` for all in the cluster; the cluster in front
may be left out.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, NamedTuple, cast

import polars as pl

from lineage_analytics.permissions.datafiles import rows
from lineage_analytics.permissions.memberships import in_force
from lineage_analytics.permissions.roles import Assignment, Block, Book, Held, statements

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lineage_analytics.facts import Facts

PROVIDER = "k8s"
MASTERS = "system:masters"
DUMP = "k8s_rbac"
_ID = re.compile(r"k8s:([^:]*):(.*)", re.DOTALL)
_ACTION = re.compile(r"k8s:[^:/\s]+:\S+")
_ACCOUNT = re.compile(r"system:serviceaccount:([^:]+):([^:]+)")
# Resources that lie in no namespace, of the API groups every cluster has.
_OF_CLUSTER = frozenset({
    "nodes", "namespaces", "persistentvolumes", "componentstatuses", "clusterroles", "clusterrolebindings",
    "customresourcedefinitions", "apiservices", "certificatesigningrequests", "storageclasses", "volumeattachments",
    "csidrivers", "csinodes", "priorityclasses", "runtimeclasses", "ingressclasses", "mutatingwebhookconfigurations",
    "validatingwebhookconfigurations", "validatingadmissionpolicies", "validatingadmissionpolicybindings",
    "mutatingadmissionpolicies", "mutatingadmissionpolicybindings", "flowschemas", "prioritylevelconfigurations",
    "tokenreviews", "subjectaccessreviews", "selfsubjectaccessreviews", "selfsubjectrulesreviews",
    "selfsubjectreviews", "signers", "users", "groups", "clustertrustbundles",
})
# What EKS calls its own roles, by the cluster role each is like.
_EKS_POLICIES = {"AmazonEKSClusterAdminPolicy": "cluster-admin", "AmazonEKSAdminPolicy": "admin",
                 "AmazonEKSEditPolicy": "edit", "AmazonEKSViewPolicy": "view"}


class Action(NamedTuple):
    """A verb on a resource of an API group, or on a path; of a rule, each may be ``*``."""

    verb: str
    group: str
    resource: str
    path: str


class Place(NamedTuple):
    """Where an action is asked about; ``whole``: all of the cluster, ``namespace`` None: an object in no namespace."""

    cluster: str | None
    namespace: str | None
    name: str | None
    whole: bool


def is_action(text: str) -> bool:
    return _ACTION.fullmatch(text) is not None


@lru_cache(maxsize=65536)
def action(text: str) -> Action:
    """The parts of an action; the resource with its subresource."""
    _, verb, over = (*text.split(":", 2), "", "")[:3]
    if over.startswith("/") or "/" not in over:
        return Action(verb, "", "", over)
    group, _, resource = over.partition("/")
    return Action(verb, group, resource, "")


@lru_cache(maxsize=262144)
def matches(pattern: str, asked: str) -> bool:
    """Does an action of a rule cover the action?"""
    rule, call = action(pattern), action(asked)
    if rule.verb not in ("*", call.verb):
        return False
    if call.path or rule.path:
        prefix = rule.path[:-1] if rule.path.endswith("*") else None
        return bool(call.path) and (rule.path == call.path or (prefix is not None and call.path.startswith(prefix)))
    if rule.group not in ("*", call.group):
        return False
    sub = call.resource.partition("/")[2]
    return rule.resource in ("*", call.resource) or bool(sub and rule.resource == f"*/{sub}")


def split(identity: str) -> tuple[str, str]:
    """Cluster and name of an id; of what is none of Kubernetes the text itself as name."""
    found = _ID.fullmatch(identity)
    return (found[1], found[2]) if found else ("", identity)


@lru_cache(maxsize=8192)
def place(resource: str) -> Place:
    """What a resource means, whatever action it is asked about."""
    found = _ID.fullmatch(resource)
    cluster, own = (found[1], found[2]) if found else (None, resource)
    if own in ("*", "cluster", ""):
        return Place(cluster, None, None, whole=True)
    kind, _, rest = own.partition("/")
    first, _, second = rest.partition("/")
    if not rest:
        return Place(cluster, kind, None, whole=False)
    if second:
        return Place(cluster, first, second, whole=False)
    if kind == "namespaces":
        return Place(cluster, first, None, whole=False)
    return Place(cluster, None, first, whole=False) if kind in _OF_CLUSTER else Place(cluster, first, None, whole=False)


def namespace_of(scope: str | None) -> str | None:
    """The namespace a role is held over; None: the whole cluster."""
    own = split(scope or "")[1]
    return own.partition("/")[2] if own.startswith("namespaces/") else None


def group_id(cluster: str, name: str) -> str:
    return f"{PROVIDER}:{cluster}:group:{name}"


def everybody(principal: str) -> tuple[str, ...]:
    """The groups the API server puts everybody of a sort in."""
    cluster, own = split(principal)
    if own.startswith("group:") or not principal.startswith(f"{PROVIDER}:"):
        return ()
    names = ["system:unauthenticated" if own == "system:anonymous" else "system:authenticated"]
    account = _ACCOUNT.fullmatch(own)
    if account:
        names += ["system:serviceaccounts", f"system:serviceaccounts:{account[1]}"]
    elif own.startswith("system:node:"):
        names.append("system:nodes")
    return tuple(group_id(cluster, name) for name in names)


def is_account(principal: str) -> bool:
    return _ACCOUNT.fullmatch(split(principal)[1]) is not None


@dataclass(frozen=True)
class DefaultRole:
    """A role of the API server itself, and whether that is all it allows."""

    blocks: tuple[Block, ...]
    complete: bool


@lru_cache(maxsize=1)
def default_roles() -> Mapping[str, DefaultRole]:
    """``k8s_default_roles.csv`` by the name of the cluster role."""
    found: dict[str, list[Block]] = {}
    complete: dict[str, bool] = {}
    for row in rows("k8s_default_roles", ("role", "complete", "verbs", "groups", "resources", "names")):
        actions = tuple(f"k8s:{verb}:{group}/{resource}" if group else f"k8s:{verb}:{resource}"
                        for verb in row["verbs"].split() for group in row["groups"].split() or ("",)
                        for resource in row["resources"].split())
        found.setdefault(row["role"], []).append(
            Block(actions, (), tuple(row["names"].split()) or ("*",), deny=False, condition=None, record_id=""))
        complete[row["role"]] = complete.get(row["role"], True) and row["complete"] == "yes"
    return {role: DefaultRole(tuple(blocks), complete[role]) for role, blocks in found.items()}


class Listing(NamedTuple):
    """What the dumps of a cluster list: does one hold bindings of the whole cluster, and of which namespaces."""

    whole: bool
    namespaces: frozenset[str]


class Rules:
    """RBAC as the engine of roles asks about it."""

    providers = frozenset({PROVIDER})

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self._statements = statements(facts, self.providers)

    def matches(self, pattern: str, action: str) -> bool:
        return matches(pattern, action)

    def within(self, resource: str, scope: str | None) -> bool | None:
        if scope is None:
            return None
        over, where = namespace_of(scope), place(resource)
        return over is None or (not where.whole and where.namespace == over)

    def blocks(self, assignment: Assignment) -> tuple[Block, ...] | None:
        """What the cluster's own dump says of the role, else what the API server makes of it."""
        held = self._statements.get(self._role_id(assignment))
        if held:
            return tuple(held)
        default = self._default(assignment)
        return None if default is None else default.blocks

    def whole(self, assignment: Assignment) -> bool:
        if self._statements.get(self._role_id(assignment)):
            return True
        default = self._default(assignment)
        return default is not None and default.complete

    def _role_id(self, assignment: Assignment) -> str:
        return f"{PROVIDER}:{split(assignment.scope or assignment.holder)[0]}:{assignment.role}"

    def _default(self, assignment: Assignment) -> DefaultRole | None:
        kind, _, name = assignment.role.partition("/")
        known = name if kind == "clusterroles" else _EKS_POLICIES.get(assignment.role)
        return default_roles().get(known) if known else None

    def everybody(self, principal: str) -> tuple[str, ...]:
        return everybody(principal)

    def missing(self, principal: str, resource: str) -> str | None:
        cluster, own = split(principal)
        where = place(resource)
        listing = self.listings.get(cluster)
        if listing is None or not listing.whole:
            return "no dump of this cluster with its ClusterRoleBindings is loaded"
        if where.namespace is not None and not (where.namespace in listing.namespaces or len(listing.namespaces) > 1):
            return f"no dump with the RoleBindings of namespace {where.namespace} is loaded"
        if own.startswith("system:node:"):
            return "what a node may do is decided for each node beside RBAC, by what runs on it"
        if is_account(principal) or own.startswith("group:") or principal in self.signed_in:
            return None
        return "the groups of a user come with its sign-in and stand in no dump"

    @cached_property
    def listings(self) -> dict[str, Listing]:
        """By cluster, what its dumps list."""
        scopes = self._facts.frame("entitlements").filter(
            (pl.col("provider") == PROVIDER) & (pl.col("source") == DUMP) & (pl.col("grant_kind") == "role")
            & pl.col("privilege").str.contains("/")
        )["scope"].drop_nulls().unique().sort()
        found: dict[str, tuple[list[bool], set[str]]] = {}
        for scope in scopes:
            whole, namespaces = found.setdefault(split(scope)[0], ([], set()))
            over = namespace_of(scope)
            if over is None:
                whole.append(True)
            else:
                namespaces.add(over)
        return {cluster: Listing(bool(whole), frozenset(held)) for cluster, (whole, held) in found.items()}

    @cached_property
    def entering(self) -> dict[str, list[tuple[str, str]]]:
        """By user, the principals of AWS accounts that enter the cluster as it, each with its record."""
        trusts = self._facts.frame("entitlements").filter(
            (pl.col("provider") == PROVIDER) & (pl.col("grant_kind") == "trust") & in_force(self._facts)
            & pl.col("origin").is_in(["access_entry", "aws_auth"])
        ).select("scope", "principal_id", "record_id").drop_nulls(["scope", "principal_id"]).unique().sort(pl.all())
        found: dict[str, list[tuple[str, str]]] = {}
        for user, principal, record in trusts.iter_rows():
            found.setdefault(user, []).append((principal, record or ""))
        return found

    @cached_property
    def signed_in(self) -> frozenset[str]:
        """Users whose groups an access entry or ``aws-auth`` states."""
        return frozenset(self.entering)


class KubernetesBook(Book):
    """Bindings of every cluster; what the log says was deleted or written anew no longer counts as it was."""

    rules: Rules

    def __init__(self, facts: Facts) -> None:
        super().__init__(facts, Rules(facts))
        gone = taken_back(facts)
        if gone:
            self.assignments = {holder: kept for holder, held in self.assignments.items()
                                if (kept := [one for one in held if one.record_id not in gone])}

    def covers(self, block: Block, action: str, resource: str) -> bool:
        """A rule with names speaks of these objects only, never of all or of new ones."""
        named = block.resources not in ((), ("*",))
        if named and place(resource).name not in block.resources:
            return False
        return super().covers(block, action, resource)

    def whole(self, assignment: Assignment) -> bool:
        return self.rules.whole(assignment)

    def held(self, principal: str) -> Iterator[Held]:
        """Also what EKS itself gives the principal of AWS that enters as this user; of several only one did."""
        yield from super().held(principal)
        entering = self.rules.entering.get(principal, [])
        cluster = split(principal)[0]
        for who, record in entering:
            for assignment in self.assignments.get(who, ()):
                if split(assignment.scope or "")[0] == cluster:
                    yield Held(assignment, (who,), (record,), conditional=len({one for one, _ in entering}) > 1)

    def masters(self, principal: str) -> tuple[str, ...] | None:
        """Records by which the principal is in the group that passes RBAC by; None where none says so."""
        group = group_id(split(principal)[0], MASTERS)
        if principal == group:
            return ()
        if group not in self.groups.above(principal):
            return None
        return tuple(step.record_id for step in self.groups.chain(principal, group) if step.record_id)


def book(facts: Facts) -> KubernetesBook:
    """The bindings of the estate, read once and kept in ``facts.parts``."""
    if "k8s_book" not in facts.parts:
        facts.parts["k8s_book"] = KubernetesBook(facts)
    return cast("KubernetesBook", facts.parts["k8s_book"])


def taken_back(facts: Facts) -> frozenset[str]:
    """Records of bindings that are no longer as they say: deleted since, or written anew with other subjects.

    A binding has a number that no later one gets, so a dump that lists the number of a deleted one is the older.
    """
    steps = facts["decision_steps"].filter(
        pl.col("target_key").str.contains(r"^k8s:[^:]*:(?:cluster)?rolebindings/") & (pl.col("time") <= facts.as_of)
        & (pl.col("status") == "succeeded")
    ).select("target_key", "time", "record_id", verb=pl.col("effect_key").str.extract(r"^(\w+)\(")).collect()
    if steps.is_empty():
        return frozenset()
    grants = facts.frame("entitlements").filter(
        (pl.col("provider") == PROVIDER) & (pl.col("grant_kind") == "role")).select("record_id", "grant_id").unique()
    writes = steps.join(grants, on="record_id").filter(pl.col("verb") != "delete")
    ends = steps.filter(pl.col("verb") == "delete").group_by("target_key").agg(ended=pl.col("time").max())
    last = writes.group_by("target_key").agg(written=pl.col("time").max())
    joined = writes.join(ends, on="target_key", how="left").join(last, on="target_key")
    deleted = joined.filter(pl.col("ended") > pl.col("time"))
    numbers = deleted.filter(pl.col("grant_id").str.contains("-"))["grant_id"].unique()
    listed = grants.filter(pl.col("grant_id").is_in(numbers.implode()))["record_id"]
    older = joined.filter(pl.col("written") > pl.col("time"))["record_id"]
    return frozenset(deleted["record_id"]) | frozenset(older) | frozenset(listed)
