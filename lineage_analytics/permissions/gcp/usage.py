"""What the audit logs of Google Cloud say of the use of permissions, and what they could not show.

An entry states the permissions that were checked and granted, in the log of the project, folder or organization that
holds the resource: the tenant of a log is that container. A use counts for a grant when it is in the log of the
container that holds the granted scope, or of one that lies in it; a use elsewhere was by another grant.

Calls that read or write data are not logged unless somebody turned that on, service by service and kind by kind. What
nobody was seen to do in the look-back may be what the log never shows: a permission counts as shown once anybody's
permission of its class is in it, whatever the outcome. Classes are as fine as service, resource and kind of verb, since
changes of buckets are always logged and those of objects are not.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING

import polars as pl

from lineage_analytics.permissions.gcp.hierarchy import MANAGER, PROVIDER
from lineage_analytics.permissions.gcp.rules import permission
from lineage_analytics.permissions.lookback import States, too_short

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from lineage_analytics.facts import Facts
    from lineage_analytics.permissions.gcp.hierarchy import Hierarchy
    from lineage_analytics.permissions.roles import Held

LOG = "gcp_audit"
_READS = frozenset({"get", "list"})
_WRITES = frozenset({"create", "delete", "undelete", "update"})
_CONTAINERS = tuple(f"{MANAGER}/{kind}/" for kind in ("projects", "folders", "organizations"))
_SETS_POLICIES = "setIamPolicy"

Class = tuple[str, str, str]


class Age(IntEnum):
    """Was a grant made before the look-back? Of several grants of one permission the greatest counts."""

    YOUNG = 0
    UNKNOWN = 1
    OLD = 2


@dataclass(frozen=True)
class Log:
    """The log of one container: why it cannot answer for the look-back (null: it can), and what it shows."""

    reason: str | None
    shown: frozenset[Class]


def class_of(name: str) -> Class:
    """What a log tells apart: the service, the resource, and reading, writing or the verb where it is another."""
    service, _, rest = name.partition(".")
    resource, _, verb = rest.rpartition(".")
    return service, resource, "read" if verb in _READS else "write" if verb in _WRITES else verb


@dataclass
class Usage:
    """Use by actor and what the logs show, of one estate.

    ``done``: permissions with a success in the look-back, with the containers in whose logs; ``last``: the last success
    in all loaded logs. ``logged_in``: containers of what a log saw a policy of, where the hierarchy does not tell.
    """

    facts: Facts
    places: Hierarchy
    logs: dict[str, Log] = field(default_factory=dict)
    done: dict[str, dict[str, set[str]]] = field(default_factory=dict)
    last: dict[str, datetime] = field(default_factory=dict)
    logged_in: dict[str, str] = field(default_factory=dict)
    containers: frozenset[str] = frozenset()
    _made: dict[tuple[str, str, str], datetime] = field(default_factory=dict)
    _joined: dict[str, datetime] = field(default_factory=dict)
    _born: dict[str, datetime] = field(default_factory=dict)
    _homes: dict[str, str | None] = field(default_factory=dict)
    _shown: dict[tuple[str, ...], frozenset[Class]] = field(default_factory=dict)
    _within: dict[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)

    # --- where -------------------------------------------------------------------------------------------------------

    def container(self, tenant: str) -> str:
        """The container that a log names: a project's id or number, ``folders/1``, ``organizations/1``."""
        return self.places.name(tenant if "/" in tenant else f"projects/{tenant}")

    def home(self, scope: str) -> str | None:
        """The container in whose log calls on a scope stand; null: not known."""
        if scope not in self._homes:
            full = self.places.name(scope)
            held = next((one for one in (full, *self.places.above(full)[0]) if one.startswith(_CONTAINERS)), None)
            self._homes[scope] = held or self.logged_in.get(full)
        return self._homes[scope]

    def holding(self, name: str, scope: str) -> tuple[str, ...]:
        """Containers in whose logs the use of a permission over a scope would stand; empty: not known. Over a folder or
        an organization these are the known projects in it, or the known containers that the permission is about."""
        home = self.home(scope)
        if home is None or home.startswith(_CONTAINERS[0]):
            return (home,) if home else ()
        kind = name.split(".")[1]
        sort = next((one for one in _CONTAINERS[1:] if one.endswith(f"/{kind}/")), _CONTAINERS[0])
        if (home, sort) not in self._within:
            self._within[home, sort] = tuple(sorted(one for one in {home, *self.containers} if one.startswith(sort)
                                                    and self.places.within(one, home)))
        return self._within[home, sort]

    def did(self, principal: str, name: str, scopes: Iterable[str | None]) -> bool:
        """Did it use the permission where one of the scopes lets it? Where the hierarchy cannot tell, it did."""
        seen = self.done.get(principal, {}).get(name, set())
        for scope in scopes if seen else ():
            home = self.home(scope) if scope is not None else None
            if scope is None or home is None or home in seen:
                return True
            if any(self.places.within(one, self.places.name(scope)) is not False for one in seen):
                return True
        return False

    # --- when --------------------------------------------------------------------------------------------------------

    def age(self, principal: str, held: Held) -> Age:
        """When what reaches a principal was granted to it.

        An inventory does not say when a binding was made, but changes of policies are always logged: one that the log
        of its container would have shown, and did not, is older. Through groups it is as young as the membership.
        """
        start = self.facts.lookback_start
        if self._born.get(principal, start) > start:
            return Age.YOUNG
        one = held.assignment
        scope = self.places.name(one.scope) if one.scope is not None else None
        made = self._made.get((one.holder, one.role, scope)) if scope is not None else None
        found = self._unstated(scope) if made is None else Age.YOUNG if made > start else Age.OLD
        for record in held.records:
            joined = self._joined.get(record)
            found = min(found, Age.UNKNOWN if joined is None else Age.YOUNG if joined > start else Age.OLD)
        return found

    def _unstated(self, scope: str | None) -> Age:
        log = self.logs.get(self.home(scope) or "") if scope is not None else None
        if scope is None or log is None or log.reason is not None:
            return Age.UNKNOWN
        service = permission(f"{scope.partition('/')[0]}/x.y").partition(".")[0]
        changes = any(one[0] == service and one[2] == _SETS_POLICIES for one in log.shown)
        return Age.OLD if changes else Age.UNKNOWN

    # --- states ------------------------------------------------------------------------------------------------------

    def states(self, principal: str, granted: Mapping[str, Mapping[str | None, Age]]) -> States:
        """The four states of what a principal is granted: permissions with their scopes and the ages of these.

        Used and unused are null where no log of what the scopes lie in is loaded, or none of them spans the look-back;
        unobservable is everything in the first case, and null in the second.
        Of a permission over several scopes all the logs that its use would stand in have to show its class.
        """
        every = frozenset(granted)
        over = {name: [self.holding(name, scope) if scope is not None else () for scope in scopes]
                for name, scopes in granted.items()}
        homes = sorted({one for found in {found for held in over.values() for found in held} for one in found})
        logs = [self.logs[one] for one in homes if one in self.logs]
        if not any(log.reason is None for log in logs):
            reason = next((log.reason for log in logs), None)
            return States(None, None, None, None if reason else every, reason or _no_log(homes))
        used = frozenset(name for name, scopes in granted.items() if self.did(principal, name, scopes))
        shown = frozenset(name for name in every - used
                          if all(class_of(name) in self._shown_by_all(found) for found in over[name]))
        ages = {name: max(granted[name].values()) for name in shown}
        hidden = every - used - shown
        if Age.UNKNOWN in ages.values():
            return States(used, None, None, hidden, "age_unknown: neither a binding nor a log says when it was made")
        young = frozenset(name for name, age in ages.items() if age == Age.YOUNG)
        return States(used, shown - young, young, hidden, None)

    def _shown_by_all(self, containers: tuple[str, ...]) -> frozenset[Class]:
        """Classes that the logs of all the containers show; none where there is no container."""
        if containers not in self._shown:
            logs = [self.logs.get(one) for one in containers]
            shown = [log.shown if log is not None and log.reason is None else frozenset[Class]() for log in logs]
            self._shown[containers] = shown[0].intersection(*shown[1:]) if shown else frozenset()
        return self._shown[containers]


def _no_log(homes: list[str]) -> str:
    if not homes:
        return "no_source: what the granted scopes lie in is not loaded, so neither is known whose log would show use"
    return f"no_source: no audit log of {homes[0].removeprefix(f'{MANAGER}/')} is loaded"


def usage(facts: Facts, places: Hierarchy) -> Usage:
    """Use and logs of an estate."""
    found = Usage(facts, places)
    _read_logs(facts, found)
    _read_use(facts, found)
    _read_ages(facts, found)
    known = {one for pair in places.parents.items() for one in pair} | found.logs.keys()
    found.containers = frozenset(one for one in known if one.startswith(_CONTAINERS))
    return found


def _calls(facts: Facts) -> pl.LazyFrame:
    return facts["permission_use"].filter((pl.col("provider") == PROVIDER) & (pl.col("first") <= facts.as_of))


def _look_back(facts: Facts) -> pl.Expr:
    return (pl.col("last") > facts.lookback_start) & (pl.col("first") <= facts.as_of)


def _read_logs(facts: Facts, found: Usage) -> None:
    shown: dict[str, set[Class]] = {}
    seen = _calls(facts).filter(_look_back(facts)).select("tenant", "permission").unique().drop_nulls().collect()
    for tenant, name in seen.iter_rows():
        shown.setdefault(found.container(tenant), set()).add(class_of(permission(name)))
    spans: dict[str, tuple[datetime | None, datetime | None]] = {}
    stated = facts.frame("coverage").filter(
        (pl.col("source") == LOG) & (pl.col("basis") == "received") & pl.col("tenant").is_not_null()
    ).group_by("tenant").agg(pl.col("first").min(), pl.col("last").max()).sort("tenant")
    for tenant, first, last in stated.iter_rows():
        one = found.container(tenant)
        before = spans.get(one, (None, None))
        spans[one] = (min((t for t in (first, before[0]) if t is not None), default=None),
                      max((t for t in (last, before[1]) if t is not None), default=None))
    for one, span in spans.items():
        named = one.removeprefix(f"{MANAGER}/")
        found.logs[one] = Log(too_short(facts, named, *span), frozenset(shown.get(one, ())))


def _read_use(facts: Facts, found: Usage) -> None:
    successes = _calls(facts).filter((pl.col("successes") > 0) & _look_back(facts)).select(
        "actor_id", "permission", "tenant").unique().drop_nulls().collect()
    for actor, name, tenant in successes.iter_rows():
        found.done.setdefault(actor, {}).setdefault(permission(name), set()).add(found.container(tenant))
    last = facts["usage"].filter(
        (pl.col("provider") == PROVIDER) & (pl.col("successes") > 0) & (pl.col("first") <= facts.as_of)
    ).group_by("actor_id").agg(pl.col("last").max()).drop_nulls().collect()
    found.last = {actor: min(time, facts.as_of) for actor, time in last.iter_rows()}


def _read_ages(facts: Facts, found: Usage) -> None:
    """When bindings were last made, when members joined, when principals were created, and where logs saw policies."""
    grants = facts.frame("entitlements").filter(pl.col("effect").fill_null("allow") == "allow")
    roles = grants.filter((pl.col("provider") == PROVIDER) & (pl.col("grant_kind") == "role")
                          & pl.col("scope").is_not_null())
    made = roles.filter(pl.col("granted_at") <= facts.as_of).group_by("principal_id", "privilege", "scope").agg(
        pl.col("granted_at").max()).drop_nulls()
    for holder, role, scope, time in made.iter_rows():
        key = (holder, role, found.places.name(scope))
        found._made[key] = max(time, found._made.get(key, time))
    found._joined = dict(grants.filter(
        (pl.col("grant_kind") == "membership") & (pl.col("granted_at") <= facts.as_of)).group_by("record_id").agg(
            pl.col("granted_at").max()).drop_nulls().iter_rows())
    found._born = dict(facts.frame("identities").filter(
        (pl.col("provider") == PROVIDER) & pl.col("created_at").is_not_null()).select("id", "created_at").iter_rows())
    for scope, tenant in roles.filter(pl.col("source") == LOG).select("scope", "tenant").drop_nulls().unique().sort(
            "scope", "tenant").iter_rows():
        found.logged_in.setdefault(found.places.name(scope), found.container(tenant))
