"""What each principal may do and did, worked out from the thought-up organisation with sets of action names.

Definitions: metrics 2 and 3.1. Only the data lists of sensitive and data-plane actions and the catalogue of AWS
actions (policy_sentry) are shared with the rest of the package, no code.
"""

from __future__ import annotations

import csv
import fnmatch
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING

from lineage_analytics.simulation.model import END, Policy, Principal, Statement, World

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lineage_analytics.simulation.observed import Observed

LOOKBACK = timedelta(days=90)
Actions = frozenset[str]
_Names = tuple[tuple[str, ...], tuple[str, ...]]
"""Actions and not-actions of a statement."""


@dataclass
class Rights:
    """One principal. ``granted`` None: a policy of it could not be read. Actions are lower case."""

    principal: Principal
    granted: Actions | None
    used: Actions = frozenset()
    wildcard: bool = False
    young: bool = False
    admin: bool | None = False
    """Holds administrator control or leads there; None: only by way of a machine or function of which no export shows
    the role it works as."""
    last_use: datetime | None = None
    successes: set[str] = field(default_factory=set)

    @property
    def hidden(self) -> Actions:
        """Not used as far as the logs reach, which would not show the use of these."""
        return ((self.granted or frozenset()) & unlogged_actions()) - self.used

    @property
    def unused(self) -> Actions:
        return (self.granted or frozenset()) - self.used - unlogged_actions()

    @property
    def privileged(self) -> bool | None:
        """Holds a permission of weight 10 or reaches one; None when that cannot be known."""
        if self.granted is None:
            return None
        return True if self.granted & tier0_actions() else self.admin


@lru_cache(maxsize=1)
def _catalogue() -> Actions:
    from policy_sentry.querying.all import get_all_actions  # noqa: PLC0415  (slow to import)

    return frozenset(action.lower() for action in get_all_actions())


@lru_cache(maxsize=4096)
def _matching(pattern: str) -> Actions:
    lowered = pattern.lower()
    if lowered == "*":
        return _catalogue()
    if "*" not in lowered:
        return frozenset({lowered}) & _catalogue()
    return frozenset(fnmatch.filter(_catalogue(), lowered))


def _union(patterns: Iterable[str]) -> Actions:
    return frozenset().union(*(_matching(p) for p in patterns))


@lru_cache(maxsize=16)
def listed(name: str) -> tuple[dict[str, str], ...]:
    """Rows of a data list, which is all that is shared."""
    text = (files("lineage_analytics.permissions") / "data" / name).read_text(encoding="utf-8")
    return tuple(csv.DictReader(line for line in text.splitlines() if line and not line.startswith("#")))


@lru_cache(maxsize=1)
def sensitive_actions() -> Actions:
    return _union(row["pattern"] for row in listed("sensitive_actions.csv"))


@lru_cache(maxsize=1)
def tier0_actions() -> Actions:
    return _union(row["pattern"] for row in listed("sensitive_actions.csv") if row["weight"] == "10")


@lru_cache(maxsize=1)
def unlogged_actions() -> Actions:
    """Data-plane actions; the simulated trail records management events only."""
    return _union(row["pattern"] for row in listed("data_plane_actions.csv"))


def _covers(statement: Statement) -> Actions:
    return _named(statement.actions, statement.not_actions)


@lru_cache(maxsize=4096)
def _named(actions: tuple[str, ...], not_actions: tuple[str, ...]) -> Actions:
    return _catalogue() - _union(not_actions) if not_actions else _union(actions)


def _policies(who: Principal) -> list[Policy]:
    return [*who.policies, *(p for g in who.groups for p in g.policies)]


def _granted(who: Principal) -> Actions | None:
    policies = _policies(who)
    if not all(p.readable for p in policies):
        return None
    statements = [s for p in policies for s in p.statements]
    return _allowed(
        tuple((s.actions, s.not_actions) for s in statements if s.effect == "Allow"),
        tuple((s.actions, s.not_actions) for s in statements if s.effect == "Deny" and not s.condition),
        None if who.boundary is None else tuple((s.actions, s.not_actions) for s in who.boundary.statements))


@lru_cache(maxsize=4096)
def _allowed(
    allows: tuple[_Names, ...], denies: tuple[_Names, ...], bounds: tuple[_Names, ...] | None
) -> Actions:
    """Kept, because most people hold the policies that others hold: thousands of people have few of these sets."""
    allowed = frozenset().union(*(_named(*names) for names in allows))
    if bounds is not None:
        allowed &= frozenset().union(*(_named(*names) for names in bounds))
    return allowed - frozenset().union(*(_named(*names) for names in denies))


def _wild(who: Principal) -> bool:
    """An action or scope wildcard without a narrowing condition."""
    return any(s.effect == "Allow" and not s.condition and (
        bool(s.not_actions) or any("*" in a for a in s.actions) or "*" in s.resources)
        for p in _policies(who) for s in p.statements)


def _holds_control(who: Principal, granted: Actions, tier0_arns: frozenset[str]) -> bool:
    """Weight-10 control over everything, or over a declared tier-0 role."""
    for policy in _policies(who):
        for s in policy.statements:
            if s.effect == "Allow" and not s.condition and (
                    "*" in s.resources or tier0_arns & frozenset(s.resources)) \
                    and _covers(s) & granted & tier0_actions():
                return True
    return False


def rights(world: World, observed: Observed) -> dict[str, Rights]:
    """By native id, for every listed principal."""
    found = {p.native_id: _one(p) for p in world.principals if p.inventoried}
    for native_id, own in found.items():
        logged = observed.last_use.get(native_id)
        if logged is not None:
            own.last_use = max(own.last_use or logged, logged)
        own.successes = observed.successes.get(native_id, set())
        _used(own)
    _reach(world, found)
    return found


def _one(who: Principal) -> Rights:
    stated = [k.last_used for k in who.keys if k.last_used is not None]
    if who.password is not None and who.password.last_used is not None:
        stated.append(who.password.last_used)
    if who.stated_use is not None:
        stated.append(who.stated_use)
    granted = _granted(who)
    return Rights(who, granted, wildcard=granted is not None and _wild(who), young=who.created > END - LOOKBACK,
                  last_use=max(stated, default=None))


def _used(own: Rights) -> None:
    if own.granted is not None:
        own.used = own.granted & own.successes


def _reach(world: World, found: dict[str, Rights]) -> None:
    """Who holds tier-0 control, and who may become such a principal by the trust of a role."""
    tier0 = frozenset({world.cast["deploy"].arn})
    for own in found.values():
        own.admin = own.granted is not None and _holds_control(own.principal, own.granted, tier0)
    grown = True
    while grown:
        grown = False
        for own in list(found.values()):
            if own.admin:
                for other in own.principal.may_be_assumed_by:
                    if not found[other.native_id].admin:
                        found[other.native_id].admin = grown = True
    _perhaps(found)


def _perhaps(found: dict[str, Rights]) -> None:
    """Who may take over what a service runs leads to the roles that the service may become, if that is one of them."""
    rows = [row for row in listed("escalations.csv") if row["over"] == "running"]
    grown = True
    while grown:
        grown = False
        leading = [own for own in found.values() if own.admin is not False]
        served = {service for own in leading for statement in own.principal.trust
                  for service in [statement["Principal"].get("Service", "")] if service}
        further = {other.native_id for own in leading for other in own.principal.may_be_assumed_by}
        for native, own in found.items():
            taken = any(served & set(row["service"].split()) and _union(row["needs"].split()) <= own.granted
                        for row in rows if own.granted)
            if own.admin is False and (native in further or taken):
                own.admin, grown = None, True

