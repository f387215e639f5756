"""Edges of Google Cloud: who can act as which service account, and who decides who may do what (metrics 3.1).

Nodes of ours: the project, folder or organization by its full name, for control over its policy, and scopes for all
service accounts, projects or federated principals that a permission held further up covers, and for the holders of a
custom role. An organization is tier 0. To attach a service account (``iam.serviceAccounts.actAs``) gives its rights
only together with a permission to run code in its project; where a role is not known, that half is open.
"""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING

import polars as pl

from lineage_analytics.graphs.access.gcp_powers import Control, Power, Powers, controls
from lineage_analytics.graphs.access.records import arn_index
from lineage_analytics.graphs.access.tier0 import is_tier0
from lineage_analytics.graphs.access.workflows import repositories
from lineage_analytics.permissions.gcp.hierarchy import ACCOUNTS, MANAGER, PROVIDER, bare
from lineage_analytics.permissions.gcp.rules import book

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from lineage_analytics.facts import Facts
    from lineage_analytics.graphs.access.parts import Builder
    from lineage_analytics.permissions.gcp.rules import GcpBook
    from lineage_analytics.permissions.roles import Held

_ORGANIZATIONS = f"{MANAGER}/organizations/"
_POOL_OF = re.compile(r"principal(?:Set)?://iam\.googleapis\.com/projects/([^/]+)/", re.IGNORECASE)
_CUSTOM = re.compile(r"(projects|organizations)/[^/]+/roles/")
_REPOSITORY = re.compile(r"/workloadIdentityPools/[^/]+/(?:subject/repo:|attribute\.repository/)([^/:]+/[^/:]+)(?::|$)",
                         re.IGNORECASE)
_UNMAPPED = "which issuers its pool trusts and how it maps what they say is not loaded"
_AWS_ROLE = re.compile(r"/attribute\.[^/]+/arn:(aws[a-z-]*):sts::(\d{12}):assumed-role/([^/]+)$")


def edges(facts: Facts, build: Builder) -> None:
    """May-assume and controls edges of every principal that policies name or an inventory lists."""
    have = book(facts)
    cloud = _Cloud(facts, have, build)
    powers = Powers(have)
    for principal in cloud.principals:
        found, unread = powers.of(principal)
        for power in found:
            for control in controls()[power.name]:
                cloud.edge(principal, power, control)
        _attached(cloud, principal, found, unread)
        for held in have.held(principal):
            _by_role(cloud, principal, held)
    _from_aws(facts, cloud)
    _from_github(facts, cloud)


def _by_role(cloud: _Cloud, principal: str, held: Held) -> None:
    """A role that is tier 0 by its name, held over an organization."""
    one = held.assignment
    scope = cloud.have.rules.places.name(one.scope) if one.scope else ""
    if not one.deny and scope.startswith(_ORGANIZATIONS) and is_tier0(PROVIDER, "role", one.role):
        cloud.build.edge(principal, "controls", cloud.container(scope), f"hold a role that is tier 0: {held.says()}",
                         [one.record_id, *held.records], proved=not (held.conditional or one.condition or one.eligible))


def _attached(cloud: _Cloud, principal: str, found: list[Power], unread: list[Held]) -> None:
    """Service accounts the principal may attach, in projects where it may run code; nothing runs in an account."""
    running = [(power, control) for power in found for control in controls()[power.name]
               if control.target == "run" and not power.scope.startswith(ACCOUNTS)]
    attaching = [power for power in found if any(one.target == "attach" for one in controls()[power.name])]
    for power in attaching:
        for run, control in running:
            over = cloud.deeper(power.scope, run.scope)
            if over is not None:
                reason = f"run code as the service account in {control.words}: {power.says()} and {run.says()}"
                cloud.reach(principal, "may_assume", over, reason, [*power.records, *run.records],
                            proved=power.proved and run.proved and control.proved, less=power.less | run.less,
                            technique=f"run code as the service account in {control.words}")
        if not running and unread:
            reason = (f"run code as the service account, if {unread[0].assignment.role} allows that: "
                      f"{power.says()}; what that role allows is not loaded")
            cloud.reach(principal, "may_assume", power.scope, reason, power.records, proved=False, less=power.less,
                        technique="run code as the service account")
    if running and not attaching and unread:
        run, control = running[0]
        reason = (f"run code as the service account in {control.words}, if {unread[0].assignment.role} allows "
                  f"that, too: {run.says()}; what that role allows is not loaded")
        cloud.reach(principal, "may_assume", run.scope, reason, run.records, proved=False, less=run.less,
                    technique=f"run code as the service account in {control.words}")


def _from_aws(facts: Facts, cloud: _Cloud) -> None:
    """Roles of AWS that a set of federated principals names; that the pool maps roles so is in no export."""
    sets = [(one, found) for one in cloud.principals if (found := _AWS_ROLE.search(one))]
    arns: Mapping[str, str] = arn_index(facts) if sets else {}
    for principals, found in sets:
        arn = f"arn:{found[1]}:iam::{found[2]}:role/{found[3]}"
        if arn in arns:
            cloud.build.edge(arns[arn], "may_assume", principals, f"the set names the role; {_UNMAPPED}", proved=False,
                             technique="exchange a token of AWS")


def _from_github(facts: Facts, cloud: _Cloud) -> None:
    """Repositories of GitHub that federated principals name, by their subject or by an attribute."""
    named = [(one, found) for one in cloud.principals if (found := _REPOSITORY.search(one))]
    known = repositories(facts) if named else {}
    for principal, found in named:
        repository = found[1]
        for node in known.get(repository.lower(), ()):
            cloud.build.node(node, "resource", repository)
            cloud.build.edge(node, "may_assume", principal, f"the principal names the repository; {_UNMAPPED}",
                             proved=False, technique="run a workflow in the repository")


class _Cloud:
    """Principals, service accounts and containers of an estate, and the nodes that stand for all of some sort."""

    def __init__(self, facts: Facts, have: GcpBook, build: Builder) -> None:
        self.have, self.build, self.places = have, build, have.rules.places
        known = facts.frame("identities").filter(
            (pl.col("provider") == PROVIDER) & pl.col("id").str.starts_with("gcp::"))["id"]
        self.principals = sorted({*known, *have.assignments})
        self.accounts: dict[str, str] = {}
        below: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
        self.holders: dict[str, set[str]] = defaultdict(set)
        for principal in self.principals:
            own = bare(principal)
            address = own.removeprefix("serviceAccount:") if own.startswith("serviceAccount:") else ""
            email = self.places.emails.get(own) or address
            pool = _POOL_OF.match(own)
            if email.endswith(".gserviceaccount.com") and not have.deleted(principal):
                self.accounts[email] = principal
                for higher in self.places.above(ACCOUNTS + email)[0]:
                    below[higher]["accounts"].add(principal)
            elif pool:
                project = f"{MANAGER}/projects/{self.places.project(pool[1])}"
                for higher in (project, *self.places.above(project)[0]):
                    below[higher]["pools"].add(principal)
            for one in have.assignments.get(principal, ()):
                if _CUSTOM.match(one.role) and not one.deny and not one.eligible:
                    self.holders[one.role].add(principal)
        for place in sorted({*self.places.parents, *have.rules.policies}):
            for sort in ("projects", "folders"):
                if place.startswith(f"{MANAGER}/{sort}/"):
                    for higher in (place, *self.places.above(place)[0]):
                        below[higher][sort].add(place)
        self._below: Mapping[str, Mapping[str, set[str]]] = below
        self._agents = [(email, f"{MANAGER}/projects/{served}", account) for email, account in sorted(
            self.accounts.items()) if (served := self.places.served_by(email)) is not None]

    def deeper(self, one: str, other: str) -> str | None:
        """What lies in both: the deeper of two scopes; None where neither surely lies in the other."""
        if self.places.within(one, other):
            return one
        return other if self.places.within(other, one) else None

    def edge(self, principal: str, power: Power, control: Control) -> None:
        """The edge of one control, where it reaches something known."""
        reason, proved = f"{control.words}: {power.says()}", power.proved and control.proved
        kind, target = control.target, power.scope
        if kind in ("accounts", "keys"):
            self.reach(principal, "may_assume" if kind == "accounts" else "controls", target, reason, power.records,
                       proved=proved, technique=control.words, less=power.less)
        elif kind in ("projects", "folders", "organizations"):
            for node, sure in self._containers(kind, target, power.less):
                self.build.edge(principal, "controls", node, reason, power.records, proved=proved and sure,
                                technique=control.words)
        elif kind == "pools":
            federated = self._scope("federated", "pools", target, "federated principals", lambda found: found)
            if federated:
                self.build.edge(principal, "controls", federated, reason, power.records, proved=proved,
                                technique=control.words)
        elif kind == "roles":
            self._roles(principal, power, control, proved=proved)
        elif kind.startswith("agent:"):
            for email, served, account in self._agents:
                if email.endswith(kind.removeprefix("agent:")) and self.places.within(served, target):
                    self.build.edge(principal, "may_assume", account, reason, power.records, proved=proved,
                                    technique=control.words)

    def reach(self, principal: str, rel: str, over: str, reason: str, records: Iterable[str], *, proved: bool,
              technique: str, less: frozenset[tuple[str, bool]]) -> None:
        """An edge to the service account, or to all that the scope covers; where parts of it are denied, to each
        service account in what is left."""
        found: list[tuple[str, bool]] = []
        if over.startswith(ACCOUNTS):
            email = over.removeprefix(ACCOUNTS)
            found = [(self.accounts.get(email) or f"gcp::serviceAccount:{email}", True)]
        elif not less:
            node = self._scope("serviceaccounts", "accounts", over, "service accounts", lambda found: found)
            found = [(node, True)] if node else []
        else:
            emails = {account: email for email, account in self.accounts.items()}
            there = self._below[over]["accounts"] if over in self._below else ()
            found = [(one, left) for one in sorted(there)
                     if (left := self._left(ACCOUNTS + emails[one], less)) is not None]
        for target, sure in found:
            if target != principal:
                self.build.edge(principal, rel, target, reason, records, proved=proved and sure, technique=technique)

    def _left(self, place: str, less: frozenset[tuple[str, bool]]) -> bool | None:
        """Whether a place is surely outside what is denied; None: it is surely in it."""
        states = {sure for part, sure in less if self.places.within(place, part) is not False}
        return None if True in states else not states

    def _scope(self, name: str, sort: str, over: str, words: str, node_of: Callable[[str], str]) -> str | None:
        """The node for everything of a sort that a container covers; None where nothing is known there."""
        there = self._below[over][sort] if over in self._below else frozenset()
        if not there:
            return None
        node = f"gcp::scope:{name}:{over}"
        if not self.build.has(node):
            self.build.node(node, "scope", f"all {words} of {over.partition('/')[2]}", None, PROVIDER)
            for one in sorted(there):
                self.build.edge(node, "controls" if sort in ("projects", "folders") else "may_assume", node_of(one),
                                f"lies in {over.partition('/')[2]}")
        return node

    def _containers(self, sort: str, over: str, less: frozenset[tuple[str, bool]] = frozenset(),
                    ) -> list[tuple[str, bool]]:
        """The nodes of projects or folders that a permission on policies reaches from where it is held, each with
        whether it surely does."""
        if over.startswith(f"{MANAGER}/{sort}/"):
            return [(self.container(over), True)]
        if not over.startswith(f"{MANAGER}/") or sort == "organizations":
            return []
        if less:
            there = self._below[over][sort] if over in self._below else ()
            return [(self.container(one), left) for one in sorted(there)
                    if (left := self._left(one, less)) is not None]
        node = self._scope(sort, sort, over, sort, self.container)
        return [(node, True)] if node else []

    def container(self, over: str) -> str:
        """The node of a project, folder or organization: who controls it decides over all in it."""
        node = f"gcp::{over}"
        if not self.build.has(node):
            kind, _, own = over.partition("/")[2].partition("/")
            self.build.node(node, "resource", f"{kind.removesuffix('s')} {own}", None, PROVIDER)
            if kind == "organizations":
                self.build.tier0(node)
            said = f"whoever sets the policy of the {kind.removesuffix('s')} lets itself act as any of them"
            for scope in (self._scope("serviceaccounts", "accounts", over, "service accounts", lambda found: found),
                          *(one for one, _ in self._containers("projects", over) if kind != "projects")):
                if scope and scope != node:
                    self.build.edge(node, "controls", scope, said, technique="set the policy and act as it")
        return node

    def _roles(self, principal: str, power: Power, control: Control, *, proved: bool) -> None:
        """Custom roles that it may rewrite: who holds one holds what is written, itself among them."""
        for role in sorted(self.holders):
            place = self.places.name("/".join(role.split("/")[:2]))
            if not self.places.within(place, power.scope):
                continue
            reason = f"{control.words} {role}: {power.says()}"
            node = f"gcp::scope:holders:{role}"
            if not self.build.has(node):
                self.build.node(node, "scope", f"holders of {role}", None, PROVIDER)
                for holder in sorted(self.holders[role]):
                    self.build.edge(node, "controls", holder, "holds the role")
            self.build.edge(principal, "controls", node, reason, power.records, proved=proved, technique=control.words)
            for held in self.have.held(principal):
                one = held.assignment
                scope = self.places.name(one.scope) if one.scope else ""
                if one.role == role and not one.deny and scope.startswith(f"{MANAGER}/"):
                    sure = proved and not (held.conditional or one.condition or one.eligible)
                    self.build.edge(principal, "controls", self.container(scope), f"{reason}, which it holds itself: "
                                    f"{held.says()}", [*power.records, one.record_id], proved=sure,
                                    technique="rewrite the custom role it holds")
