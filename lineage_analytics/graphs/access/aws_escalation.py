"""Roles of AWS that a principal acts as by way of a service: ``permissions/data/escalations.csv``.

A role handed to a service that runs code (``iam:PassRole`` and what starts the service), something that already runs
with a role, and the roles that permission sets of Identity Center make. The parts may come from different policies and
groups of one principal. An edge is proved where every part is sure: each action allowed without a condition left open,
the role may be passed to that service, its trust policy names the service, and nothing else is wanted.

Roles that several principals reach alike stand behind one node, ``aws:<account>:scope:pass:<service>:<digest of the
roles>``, so that a hundred holders over a hundred roles make two hundred edges. Principals who surely control the whole
account have no such edges: they need none.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from functools import lru_cache, reduce
from operator import or_
from typing import TYPE_CHECKING

from lineage_analytics.graphs.access.aws_needs import Together, together
from lineage_analytics.graphs.access.aws_passing import PASSING, PassRules, Takers
from lineage_analytics.graphs.access.aws_trust import read_trusts
from lineage_analytics.permissions.aws.catalogue import catalogue
from lineage_analytics.permissions.aws.datafiles import Escalation, escalations, sensitive
from lineage_analytics.permissions.aws.passed_to import fits
from lineage_analytics.permissions.aws.principals import native
from lineage_analytics.permissions.aws.table import permissions

if TYPE_CHECKING:
    from lineage_analytics.facts import Facts
    from lineage_analytics.graphs.access.parts import Builder
    from lineage_analytics.permissions.aws.effective import Effective, Grant
    from lineage_analytics.permissions.aws.policies import Statement
    from lineage_analytics.permissions.aws.principals import Principal
    from lineage_analytics.permissions.aws.table import Permissions

_SETS = "aws::scope:roles of permission sets"
_SET_ROLE = re.compile(r"(?:.*/)?AWSReservedSSO_.{1,64}_[0-9a-f]{16}", re.DOTALL)
_UNPROFILED = "no instance profile of the export holds the role"
_OPEN = "a condition on passing it is left open"
_UNKNOWN_ROLE = "which role it runs with is not loaded"


_Targets = list[tuple[frozenset[str], tuple[str, ...]]]


def edges(facts: Facts, build: Builder) -> None:
    """May-assume edges over services, and controls edges over permission sets."""
    have = permissions(facts)
    ways = Ways(have, Takers.of(facts, have, read_trusts(facts)), build)
    for principal in have.principals.values():
        if principal.sort != "other":
            ways.edges(principal, principal.id, have.effective[principal.id])


@lru_cache(maxsize=1)
def needed() -> int:
    """Every action some way needs."""
    return reduce(or_, (bit for way in escalations() for bit in way.needs), 0)


def _controls_account(found: Effective) -> bool:
    heavy = sensitive().by_weight[10]
    return any(grant.sure & heavy and (grant.statement.scope.everything or grant.statement.scope.inverted)
               for grant in found.grants)


@dataclass
class Ways:
    """The edges of every principal; what is said alike about passing is looked up once."""

    have: Permissions
    takers: Takers
    build: Builder
    _targets_of: dict[tuple[PassRules, str, str, str], _Targets] = field(default_factory=dict)
    _scopes: dict[tuple[str, str, frozenset[str]], str] = field(default_factory=dict)
    _says: dict[tuple[int, int], tuple[Statement, str]] = field(default_factory=dict)

    def edges(self, principal: Principal, src: str, found: Effective) -> None:
        """Edges of one principal, from the node ``src`` by the permissions ``found``."""
        if found.granted & needed() and not _controls_account(found):
            rules = PassRules.of(found)
            for way in escalations():
                if all(found.granted & bit for bit in way.needs):
                    self._take(principal, src, found, rules, way)

    def _take(self, principal: Principal, src: str, found: Effective, rules: PassRules, way: Escalation) -> None:
        if way.over == "sets":
            self._sets(principal, src, found, way)
            return
        if not any(self.takers.trusting(principal.account, service) for service in way.services) or (
                way.over != "running" and not found.granted & catalogue().mask(PASSING)):
            return
        parts = _together(principal, found, way)
        if parts is None:
            return
        for service in way.services:
            for roles, doubts in self._targets(principal.account, rules, way, service):
                self._lead(principal, src, found, way, service, parts, roles, doubts)

    def _targets(self, account: str, rules: PassRules, way: Escalation, service: str) -> _Targets:
        """Roles one comes to, apart by what is not sure about them."""
        key = (rules, account, service, way.over)
        if key not in self._targets_of:
            self._targets_of[key] = [(roles, doubts) for roles, doubts in self._found(*key) if roles]
        return self._targets_of[key]

    def _found(self, rules: PassRules, account: str, service: str, over: str) -> _Targets:
        trusting = self.takers.trusting(account, service)
        if over == "running":
            return [(frozenset(trusting), (_UNKNOWN_ROLE,))]
        sure, perhaps = rules.passable(self.takers, account, service)
        if over == "passed":
            return [(sure, ()), (perhaps, (_OPEN,))]
        inside = frozenset(role for role in sure | perhaps if trusting[role].profiled)
        return [(sure & inside, ()), (perhaps & inside, (_OPEN,)), (sure - inside, (_UNPROFILED,)),
                (perhaps - inside, (_OPEN, _UNPROFILED))]

    def _lead(self, principal: Principal, src: str, found: Effective, way: Escalation, service: str, parts: Together,
              roles: frozenset[str], doubts: tuple[str, ...]) -> None:
        if roles == {principal.id}:
            return
        said, records = self._said(found, way, service, parts)
        trusting = self.takers.trusting(principal.account, service)
        wanted = [*doubts, *([parts.doubt] if parts.doubt else []), *([f"it also takes {way.besides}"] if way.besides
                                                                    else [])]
        proved, reason = parts.proved and not wanted, "; ".join([said, *wanted])
        if len(roles) == 1:
            taker = trusting[next(iter(roles))]
            self.build.edge(src, "may_assume", taker.role, f"{reason}; {_trust(service, taker.proved)}",
                            [*records, *taker.records], proved=proved and taker.proved, technique=_technique(way))
            return
        self.build.edge(src, "may_assume", self._scope(principal.account, service, roles), reason, records,
                        proved=proved, technique=_technique(way))

    def _scope(self, account: str, service: str, roles: frozenset[str]) -> str:
        """The node that stands for several roles that trust a service."""
        key = (account, service, roles)
        if key in self._scopes:
            return self._scopes[key]
        ordered = sorted(roles)
        digest = hashlib.sha256("\n".join(ordered).encode()).hexdigest()[:12]
        node = self._scopes[key] = f"aws:{account}:scope:pass:{service}:{digest}"
        if not self.build.has(node):
            self.build.node(node, "scope", f"{len(ordered)} roles that trust {service}", account, "aws")
            for role in ordered:
                taker = self.takers.trusting(account, service)[role]
                self.build.edge(node, "may_assume", role, _trust(service, taker.proved), taker.records,
                                proved=taker.proved)
        return node

    def _said(self, found: Effective, way: Escalation, service: str, parts: Together) -> tuple[str, list[str]]:
        """The statements in words, and their records."""
        bit, said = catalogue().mask(PASSING), []
        records = {grant.statement.record_id for grant in parts.grants}
        if way.over in {"passed", "profile"}:
            for grant in found.grants:
                statement = grant.statement
                if grant.mask & bit and fits(statement.condition, service, conditional=statement.conditional) != "no":
                    said.append((not grant.sure & bit, self._words(grant, bit)))
                    records.add(statement.record_id)
        words = [text for _, text in sorted(said)[:2]]
        masks: dict[int, int] = {}
        for grant, need in zip(parts.grants, way.needs, strict=True):
            masks[id(grant)] = masks.get(id(grant), 0) | need
        words += [self._words(grant, masks.pop(id(grant))) for grant in parts.grants if id(grant) in masks]
        return f"{way.technique}: {' and '.join(words)}", sorted(records)

    def _words(self, grant: Grant, mask: int) -> str:
        """The statement of a grant in words, kept: many hold the same."""
        key = (id(grant.statement), mask)
        if key not in self._says:
            self._says[key] = grant.statement, grant.statement.says(mask)
        return self._says[key][1] + (f", held through {grant.via}" if grant.via.startswith("group ") else "")

    def _sets(self, principal: Principal, src: str, found: Effective, way: Escalation) -> None:
        parts = _together(principal, found, way)
        roles = self._set_roles()
        if parts is None or not roles:
            return
        if not self.build.has(_SETS):
            self.build.node(_SETS, "scope", "roles that permission sets make", None, "aws")
            for role in roles:
                self.build.edge(_SETS, "controls", role, "a permission set makes it")
        said, records = self._said(found, way, "", parts)
        self.build.edge(src, "controls", _SETS, f"{said}; it also takes that {way.besides}", records,
                        proved=False, technique=_technique(way))

    def _set_roles(self) -> list[str]:
        return [p.id for p in self.have.principals.values()
                if any(name and _SET_ROLE.fullmatch(name) for name in (p.label, p.arn, native(p.id)[1]))]


def _together(principal: Principal, found: Effective, way: Escalation) -> Together | None:
    return together(found, way.needs, principal.account, (principal.arn or "arn:aws").split(":")[1])


def _trust(service: str, proved: bool) -> str:
    return f"the role's trust policy names {service}" + ("" if proved else ", under a condition")


def _technique(way: Escalation) -> str:
    """What it takes, and by which actions."""
    passed = [PASSING] if way.over in {"passed", "profile"} else []
    return f"{way.technique} ({', '.join([*passed, *way.actions])})"
