"""Which roles a principal may pass to a service, and who of the account's roles the service may act as.

A role is passed where ``iam:PassRole`` on it is allowed for that service (``iam:PassedToService`` is decided); it is of
use only where its trust policy names the service. Roles that a service keeps for itself are not passed.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import polars as pl

from lineage_analytics.graphs.access.aws import Targets
from lineage_analytics.permissions.aws.catalogue import catalogue
from lineage_analytics.permissions.aws.passed_to import fits
from lineage_analytics.permissions.aws.principals import is_service, native

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from lineage_analytics.facts import Facts
    from lineage_analytics.graphs.access.aws_trust import Trusts
    from lineage_analytics.permissions.aws.effective import Effective
    from lineage_analytics.permissions.aws.policies import Scope, Statement
    from lineage_analytics.permissions.aws.table import Permissions

PASSING = "iam:PassRole"


@dataclass(frozen=True)
class Taker:
    """A role that trusts a service: ``proved`` where its trust policy asks for nothing more, ``profiled`` where an
    instance profile of the export holds it."""

    role: str
    proved: bool
    profiled: bool
    records: tuple[str, ...]


@dataclass
class Takers:
    """Roles by account and by the service they trust."""

    _by: dict[tuple[str, str], dict[str, Taker]] = field(default_factory=lambda: defaultdict(dict))
    _arns: dict[tuple[str, str], Targets] = field(default_factory=dict)

    @staticmethod
    def of(facts: Facts, have: Permissions, trusts: Trusts) -> Takers:
        """From trust policies; the export states an instance profile within the entry of its role, so both rest on one
        record."""
        profiles = set(facts.frame("resources").filter(pl.col("kind") == "instance_profile")["record_id"].drop_nulls())
        made = Takers()
        found: dict[tuple[str, str, str], list[tuple[bool, str]]] = defaultdict(list)
        for trust in trusts.others:
            principal, service = have.principals.get(trust.role), native(trust.trusted)[1].lower()
            if principal is not None and is_service(trust.trusted) and not principal.service_linked:
                found[principal.account, service, trust.role].append((trust.conditional, trust.record))
        for (account, service, role), said in found.items():
            records = tuple(sorted({record for _, record in said if record}))
            made._by[account, service][role] = Taker(role, not all(conditional for conditional, _ in said),
                                                     not profiles.isdisjoint(records), records)
        made._index(have)
        return made

    def _index(self, have: Permissions) -> None:
        for key, roles in self._by.items():
            self._arns[key] = Targets({str(have.principals[role].arn or native(role)[1]): role for role in roles})

    def trusting(self, account: str, service: str) -> Mapping[str, Taker]:
        """By role."""
        return self._by.get((account, service), {})

    def matching(self, account: str, service: str, scopes: Iterable[Scope]) -> list[tuple[str, str]]:
        """``(arn, role)`` of those that some scope covers."""
        targets = self._arns.get((account, service))
        if targets is None:
            return []
        found: set[tuple[str, str]] = set()
        for scope in scopes:
            if scope.inverted:
                return sorted(targets.by_arn.items())
            found.update(pair for pattern in scope.patterns for pair in targets.matching(pattern))
        return sorted(found)


@dataclass(frozen=True)
class _Rule:
    """What of a statement matters for passing."""

    scope: Scope
    condition: str
    conditional: bool

    def fits(self, service: str) -> str:
        return fits(self.condition, service, conditional=self.conditional)


@dataclass(frozen=True)
class PassRules:
    """Everything that is said to one principal about passing roles. Equal where the same is said, whoever holds it."""

    allows: frozenset[_Rule]
    denies: frozenset[_Rule]
    within: tuple[frozenset[_Rule], ...]

    @staticmethod
    def of(found: Effective) -> PassRules:
        bit = catalogue().mask(PASSING)
        return PassRules(
            _rules(grant.statement for grant in found.grants if grant.mask & bit),
            _rules(deny for deny in found.denies if deny.mask & bit),
            tuple(_rules(bound for bound in wall if bound.allow and bound.mask & bit) for wall in found.within))

    def passable(self, takers: Takers, account: str, service: str) -> tuple[frozenset[str], frozenset[str]]:
        """Roles that trust the service and may be passed to it: surely, and perhaps."""
        allows = [rule for rule in self.allows if rule.fits(service) != "no"]
        sure: set[str] = set()
        perhaps: set[str] = set()
        for arn, role in takers.matching(account, service, (rule.scope for rule in allows)):
            verdict = self._verdict(arn, service)
            if verdict is not None:
                (sure if verdict else perhaps).add(role)
        return frozenset(sure), frozenset(perhaps)

    def _verdict(self, arn: str, service: str) -> bool | None:
        """True: surely, False: perhaps, None: not."""
        answers = {rule.fits(service) for rule in self.denies if rule.scope.matches(arn)}
        if "yes" in answers:
            return None
        certain = "maybe" not in answers
        for wall in (self.allows, *self.within):
            found = {rule.fits(service) for rule in wall if rule.scope.matches(arn)} - {"no"}
            if not found:
                return None
            certain = certain and "yes" in found
        return certain


def _rules(statements: Iterable[Statement]) -> frozenset[_Rule]:
    return frozenset(_Rule(s.scope, s.condition, s.conditional) for s in statements)
