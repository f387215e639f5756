"""Edges of AWS that follow from policies: who may assume which role, who controls whom."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import defaultdict
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

from lineage_analytics.graphs.access.aws_trust import Trusts, read_trusts, trust_edges
from lineage_analytics.permissions.aws.catalogue import catalogue
from lineage_analytics.permissions.aws.datafiles import Control as Line
from lineage_analytics.permissions.aws.datafiles import controls, sensitive
from lineage_analytics.permissions.aws.principals import arn_of, native
from lineage_analytics.permissions.aws.table import permissions
from lineage_analytics.permissions.patterns import compiled, contains, is_pattern, literal_prefix, matches

if TYPE_CHECKING:
    from lineage_analytics.facts import Facts
    from lineage_analytics.graphs.access.parts import Builder
    from lineage_analytics.permissions.aws.effective import Effective, Grant
    from lineage_analytics.permissions.aws.policies import Scope
    from lineage_analytics.permissions.aws.principals import Principal
    from lineage_analytics.permissions.aws.table import Permissions


@dataclass
class Targets:
    """ARNs of one sort in one account, found by pattern: written out in a dictionary, wildcards within their prefix."""

    by_arn: dict[str, str] = field(default_factory=dict)
    _memo: dict[str, list[tuple[str, str]]] = field(default_factory=dict)

    @cached_property
    def _sorted(self) -> list[str]:
        return sorted(self.by_arn)

    def matching(self, pattern: str) -> list[tuple[str, str]]:
        """``(arn, id)`` of every target the pattern covers, by ARN."""
        if not is_pattern(pattern):
            return [(pattern, self.by_arn[pattern])] if pattern in self.by_arn else []
        if pattern not in self._memo:
            prefix, fits = literal_prefix(pattern), compiled(pattern).fullmatch
            found, at = [], bisect_left(self._sorted, prefix)
            while at < len(self._sorted) and self._sorted[at].startswith(prefix):
                if fits(self._sorted[at]):
                    found.append((self._sorted[at], self.by_arn[self._sorted[at]]))
                at += 1
            self._memo[pattern] = found
        return self._memo[pattern]


class Accounts:
    """What can be controlled, by account and sort: user, role, group, policy, provider."""

    def __init__(self, have: Permissions, trusts: Trusts) -> None:
        self._targets: dict[tuple[str, str], Targets] = defaultdict(Targets)
        for principal in have.principals.values():
            for arn in {principal.arn, *principal.arns} - {None} if not _kept(principal) else ():
                self._targets[principal.account, principal.sort].by_arn[str(arn)] = principal.id
        for policy in have.grants.statements:
            arn = arn_of(policy)
            if arn is not None and ":policy/" in arn and arn.split(":")[4] != "aws":
                self._targets[native(policy)[0], "policy"].by_arn[arn] = policy
        for account, arn, node in trusts.providers:
            self._targets[account, "provider"].by_arn[arn] = node
        self.holders: dict[str, list[str]] = defaultdict(list)
        for holder, held in have.grants.held.items():
            for grant in held:
                insort(self.holders[grant.policy_id], holder)

    def matching(self, account: str, sort: str, pattern: str) -> list[tuple[str, str]]:
        return self._targets[account, sort].matching(pattern)


def edges(facts: Facts, build: Builder) -> None:
    """May-assume and controls edges of every AWS user, role and group, and the tier-0 default."""
    have, trusts = permissions(facts), read_trusts(facts)
    trust_edges(have, trusts, build)
    accounts = Accounts(have, trusts)
    for principal in have.principals.values():
        found = have.effective[principal.id]
        if principal.sort != "other" and found.grants:
            Control(principal, principal.id, found, have, accounts, build).edges()


def _kept(principal: Principal) -> bool:
    """Is it a role that AWS keeps for itself, which IAM lets nobody change? Those of Identity Center are as well."""
    return principal.service_linked or any(":role/aws-reserved/" in arn for arn in principal.arns)


@dataclass
class Control:
    """The controls edges of one principal, from the node ``src`` by the permissions ``found``."""

    principal: Principal
    src: str
    found: Effective
    have: Permissions
    accounts: Accounts
    build: Builder

    def edges(self) -> None:
        heavy = sensitive().by_weight[10]
        for grant in self.found.grants:
            left = grant.mask & ~self._denied_everywhere
            if not left & (heavy | _control_mask()):
                continue
            whole = left & heavy & self._unbounded
            if whole and (grant.statement.scope.everything or grant.statement.scope.inverted):
                self._account(grant, whole, "change who may do what")
                self._tier0(grant)
            for control in controls():
                bit = catalogue().mask(control.action)
                if left & bit and not (grant.statement.scope.everything and whole & bit):
                    self._controls(grant, control)

    def _account(self, grant: Grant, mask: int, words: str, *, limited: bool = False) -> None:
        """Control over everybody in the account."""
        account = self.principal.account
        node = self.build.node(f"aws:{account}:account", "resource", f"AWS account {account}", account, "aws")
        self.build.tier0(node)
        proved = bool(grant.sure & mask) and not limited
        shown = (grant.sure & mask if proved else grant.mask & mask)
        reason = f"{words}: {grant.statement.says(shown)}{self._how(grant)}"
        self.build.edge(self.src, "controls", node, reason, [grant.statement.record_id], proved=proved)

    def _tier0(self, grant: Grant) -> None:
        """The default tier 0: every action, or every IAM action, on every resource without a condition."""
        whole = catalogue().mask("iam:*")
        statement = grant.statement
        left = grant.sure & whole & ~self._denied_everywhere
        if statement.scope.everything and statement.mask & whole == whole and left & sensitive().by_weight[10] and (
                self.found.bounds is None or left == whole):
            self.build.tier0(self.src)

    def _controls(self, grant: Grant, control: Line) -> None:
        bit = catalogue().mask(control.action)
        if grant.statement.scope.inverted:
            return  # covered by the account edge
        account = self.principal.account
        for pattern in grant.statement.scope.patterns:
            if bit & self._unbounded and contains(pattern, f"{self._iam}{control.target}/*"):
                self._account(grant, bit, f"{control.technique} of any {control.target}" if control.target == "policy"
                              else control.technique)
                continue
            found = self.accounts.matching(account, control.target, pattern)
            if is_pattern(pattern) and len(found) > 1 and not self._narrowed(bit):
                self._through_scope(grant, control, bit, pattern, found)
                found = [(arn, target) for arn, target in self._own if control.raises and matches(pattern, arn)]
            for arn, target in found:
                self._one_target(grant, control, bit, arn, target)

    def _one_target(self, grant: Grant, control: Line, bit: int, arn: str, target: str) -> None:
        verdict = self.found.allows(bit, arn)
        if verdict == "denied":
            return
        if control.raises and (arn, target) in self._own:
            self._account(grant, bit, f"{control.technique} it holds or is itself",
                          limited=self.found.bounds is not None or verdict == "conditional")
        else:
            self._edge(grant, control, bit, target, proved=verdict == "allowed")

    def _narrowed(self, bit: int) -> bool:
        """Does a deny or a boundary speak of this action, so that each target must be looked at by itself?"""
        return self.found.bounds is not None or any(d.mask & bit for d in self.found.denies)

    @cached_property
    def _unbounded(self) -> int:
        """Actions that every limit lets through on more than what it names one by one."""
        left = catalogue().every
        for wall in self.found.within:
            wide = 0
            for bound in wall:
                if bound.allow:
                    wide |= bound.mask & (catalogue().every if bound.scope.inverted else self._covered(bound.scope))
            left &= wide
        return left

    def _covered(self, scope: Scope) -> int:
        """Actions for which the patterns of a scope cover everything of the account they can be about."""
        if any(contains(pattern, f"{self._iam}*") for pattern in scope.patterns):
            return catalogue().every if scope.everything else catalogue().mask("iam:*")
        return catalogue().union(control.action for control in controls() if any(
            contains(pattern, f"{self._iam}{control.target}/*") for pattern in scope.patterns))

    @cached_property
    def _iam(self) -> str:
        """How the ARN of everything of IAM in the account begins."""
        return f"arn:{(self.principal.arn or 'arn:aws').split(':')[1]}:iam::{self.principal.account}:"

    @cached_property
    def _denied_everywhere(self) -> int:
        """Actions of IAM that some deny takes away on everything of the account, though its text leaves something."""
        denied = 0
        for deny in self.found.denies:
            if not deny.conditional and not deny.scope.inverted:
                denied |= deny.mask & self._covered(deny.scope)
        return denied

    @cached_property
    def _own(self) -> list[tuple[str, str]]:
        """ARN and id of itself, its groups, and the policies any of these hold."""
        grants = self.have.grants
        mine = [self.principal.id, *(group for group, _, _ in grants.groups.get(self.principal.id, []))]
        arns = [(arn, who) for who in mine if who in self.have.principals for arn in self.have.principals[who].arns]
        held = {policy.policy_id for who in mine for policy in grants.held.get(who, [])}
        return [*arns, *((arn, policy) for policy in sorted(held) if (arn := arn_of(policy)) is not None)]

    def _edge(self, grant: Grant, control: Line, bit: int, target: str, *, proved: bool) -> None:
        reason = f"{control.technique}: {grant.statement.says(bit)}{self._how(grant)}"
        self.build.edge(self.src, "controls", target, reason, [grant.statement.record_id], proved=proved)
        if control.target == "policy":
            self.build.edge(self.src, "controls", self._holders(target), reason, [grant.statement.record_id],
                            proved=proved)

    def _through_scope(self, grant: Grant, control: Line, bit: int, pattern: str,
                       matching: list[tuple[str, str]]) -> None:
        account = self.principal.account
        node = f"aws:{account}:scope:{control.target}:{pattern}"
        if not self.build.has(node):
            self.build.node(node, "scope", f"{control.target} {pattern}", account, "aws")
            for _, target in matching:
                self.build.edge(node, "controls", target, f"the pattern {pattern} covers it")
                for holder in self.accounts.holders.get(target, ()) if control.target == "policy" else ():
                    self.build.edge(node, "controls", holder, f"it holds a policy that the pattern {pattern} covers")
        reason = f"{control.technique}: {grant.statement.says(bit)}{self._how(grant)}"
        self.build.edge(self.src, "controls", node, reason, [grant.statement.record_id],
                        proved=bool(grant.sure & bit))

    def _holders(self, policy: str) -> str:
        """The node for everybody who holds a policy: who rewrites it decides what they may do."""
        node = f"aws:{self.principal.account}:scope:holders:{policy}"
        if not self.build.has(node):
            self.build.node(node, "scope", f"holders of {policy}", self.principal.account, "aws")
            for holder in self.accounts.holders.get(policy, ()):
                self.build.edge(node, "controls", holder, "holds the policy")
        return node

    def _how(self, grant: Grant) -> str:
        return f", held through {grant.via}" if grant.via.startswith("group ") else ""


@lru_cache(maxsize=1)
def _control_mask() -> int:
    return catalogue().union(control.action for control in controls())
