"""What IAM of Google Cloud means: permissions, roles, denials and sets of principals, for the engine of roles.

A permission is ``service.resource.verb``; deny policies and some newer ones write it ``service.googleapis.com/resource.
verb``, which means the same. A binding holds over its resource and all that lies in it; a deny policy over what it is
attached to. Membership of everybody (``allUsers``), of a domain by the address, of a project's own sets by its basic
roles and of a whole identity pool is known; of a set by attribute it is not, since a pool's mapping is in no export.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import polars as pl

from lineage_analytics.permissions import patterns
from lineage_analytics.permissions.datafiles import rows
from lineage_analytics.permissions.gcp.hierarchy import MANAGER, PROVIDER, bare, hierarchy
from lineage_analytics.permissions.memberships import Memberships, Step, in_force, taken_back
from lineage_analytics.permissions.roles import Assignment, Block, Book, Held, statements

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lineage_analytics.facts import Facts

WORKSPACE = "gworkspace"
_PERMISSION = re.compile(r"[a-z][a-zA-Z0-9]*(?:\.[a-zA-Z0-9_]+)+|[a-z0-9.-]+/[a-zA-Z0-9_*]+\.[a-zA-Z0-9_*]+")
_SERVICES = {"cloudresourcemanager": "resourcemanager"}
_ONLY_UNTIL = re.compile(r"\s*request\.time\s*<=?\s*timestamp\(\s*[\"'][^\"']+[\"']\s*\)\s*")
# How deny policies write principals, and how ids begin that mean the same.
_DENY_FORMS = {"principal://goog/subject/": "user:", "principalset://goog/group/": "group:",
               "principal://iam.googleapis.com/projects/-/serviceaccounts/": "serviceAccount:"}
_BASIC = {"roles/owner": "projectOwner", "roles/editor": "projectEditor", "roles/viewer": "projectViewer"}
_POOL = re.compile(r"principal(?:set)?://iam\.googleapis\.com/(.+?/(?:workloadidentitypools|workforcepools)/[^/]+)/(.+)",
                   re.IGNORECASE)
_SET_OF = re.compile(rf"principalset://{re.escape(MANAGER)}/(projects|folders|organizations)/([^/]+)", re.IGNORECASE)


def is_permission(text: str) -> bool:
    return _PERMISSION.fullmatch(text) is not None


@lru_cache(maxsize=65536)
def permission(text: str) -> str:
    """The permission in its shorter form: ``iam.roles.update`` for ``iam.googleapis.com/roles.update``."""
    host, slash, rest = text.partition("/")
    if not slash:
        return text
    service = host.removesuffix(".googleapis.com")
    return f"{_SERVICES.get(service, service)}.{rest}"


def spared(stated: str) -> str:
    """The id of a principal that a deny policy excepts."""
    low = stated.lower()
    if low == "principalset://goog/public:all":
        return f"{PROVIDER}::allUsers"
    form = next((form for form in _DENY_FORMS if low.startswith(form)), None)
    return f"{PROVIDER}::{stated}" if form is None else f"{PROVIDER}::{_DENY_FORMS[form]}{low[len(form):]}"


class KnownRole(NamedTuple):
    """A role of Google as the data file has it: permissions, and whether these are all."""

    permissions: tuple[str, ...]
    complete: bool


@lru_cache(maxsize=1)
def known_roles() -> Mapping[str, KnownRole]:
    """``gcp_roles.csv`` by the name of the role."""
    return {row["role"]: KnownRole(tuple(row["permissions"].split()), row["complete"] == "yes")
            for row in rows("gcp_roles", ("role", "complete", "permissions"))}


@lru_cache(maxsize=1)
def _weights() -> tuple[tuple[str, int], ...]:
    table = rows("gcp_sensitive_permissions", ("pattern", "weight", "class", "reason"))
    return tuple(sorted(((row["pattern"], int(row["weight"])) for row in table), key=lambda pair: -pair[1]))


@lru_cache(maxsize=65536)
def weight(name: str) -> int:
    """Sensitivity of a permission: 10, 3, 1, or 0 when it is in no row of the data file."""
    return next((heavy for pattern, heavy in _weights() if patterns.matches(pattern, name)), 0)


class Rules:
    """IAM as the engine of roles asks about it."""

    providers = frozenset({PROVIDER})

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self.places = hierarchy(facts)
        self.denials: dict[str, tuple[Block, ...]] = {}
        self._statements = {role: [block for block in found if not block.deny]
                            for role, found in statements(facts, self.providers).items()}

    def matches(self, pattern: str, action: str) -> bool:
        return patterns.matches(permission(pattern), permission(action))

    def within(self, resource: str, scope: str | None) -> bool | None:
        if scope is None:
            return None
        return self.places.within(resource if resource == "*" else self.places.name(resource), self.places.name(scope))

    def blocks(self, assignment: Assignment) -> tuple[Block, ...] | None:
        """The inventory's own listing of the role, else the data file's."""
        if assignment.deny:
            return self.denials.get(assignment.role)
        held = self._statements.get(assignment.role)
        if held:
            return tuple(held)
        known = known_roles().get(assignment.role)
        return None if known is None else (Block(known.permissions, (), (), deny=False, condition=None, record_id=""),)

    def whole(self, assignment: Assignment) -> bool:
        if assignment.deny or self._statements.get(assignment.role):
            return True
        known = known_roles().get(assignment.role)
        return known is not None and known.complete

    def everybody(self, principal: str) -> tuple[str, ...]:
        own = bare(principal)
        kind, _, address = own.partition(":")
        if own.startswith("group:") or not principal.startswith(f"{PROVIDER}::"):
            return ()
        found = ["gcp::allUsers"]
        if own.isdigit() or kind in ("user", "serviceAccount"):
            found.append("gcp::allAuthenticatedUsers")
        if kind == "user" and "@" in address:
            found.append(f"gcp::domain:{address.rpartition('@')[2]}")
        return tuple(found)

    def missing(self, principal: str, resource: str) -> str | None:  # noqa: ARG002  (of the protocol)
        if resource == "*":
            return "whether nothing more is granted somewhere below is not known; ask about one resource"
        own = self.places.name(resource)
        above, whole = self.places.above(own)
        for place in (own, *above):
            if place not in self.policies and self._has_policy(place):
                return f"the policy of {place} is not loaded"
        if not whole:
            return f"what {(own, *above)[-1]} lies in is not loaded, nor the policies there"
        return None

    def _has_policy(self, place: str) -> bool:
        """Whether a policy can be expected there: on what is managed, and on what is asked about by its full name."""
        return place.startswith((f"{MANAGER}/", "storage.googleapis.com/", "iam.googleapis.com/"))

    @cached_property
    def policies(self) -> frozenset[str]:
        """Resources whose whole policy is listed. An answer of Policy Analyzer holds one binding, so a record with one
        role proves that only where an asset inventory lists it."""
        grants = self._facts.frame("entitlements").filter(
            (pl.col("provider") == PROVIDER) & (pl.col("source") == "gcp_iam") & (pl.col("grant_kind") == "role")
            & (pl.col("origin") == "direct") & pl.col("scope").is_not_null()
        ).group_by("scope", "record_id").agg(roles=pl.col("privilege").n_unique()).filter(pl.col("roles") > 1)["scope"]
        assets = self._facts.frame("resources").filter(
            (pl.col("provider") == PROVIDER) & pl.col("kind").str.contains("googleapis.com/", literal=True))["id"]
        return frozenset(self.places.name(one) for one in [*grants.unique(), *assets.unique()])


class GcpBook(Book):
    """Bindings and denials of an estate."""

    rules: Rules

    def __init__(self, facts: Facts) -> None:
        super().__init__(facts, Rules(facts))
        self._facts = facts
        gone = _taken_back(facts)
        self.assignments = {holder: kept for holder, held in self.assignments.items() if (
            kept := [_dated(one) for one in held if _key(one) not in gone])}
        self.groups = _with_workspace(facts, self.groups)
        self.exceptions: dict[str, frozenset[str]] = {}
        self._deny_policies(facts)
        self._sets = sorted(holder for holder in self.assignments if holder.lower().startswith("gcp::principalset:"))
        self._gone = frozenset(facts.frame("identities").filter(
            (pl.col("provider") == PROVIDER)
            & (pl.col("kind_basis").str.ends_with("deleted")
               | pl.col("kind_basis").str.starts_with("a deleted service account")))["id"])

    def deleted(self, principal: str) -> bool:
        """Whether policies name it as deleted: then it can do nothing, whatever it still holds."""
        return bare(principal).startswith("deleted:") or principal in self._gone

    def whole(self, assignment: Assignment) -> bool:
        return self.rules.whole(assignment)

    def held(self, principal: str) -> Iterator[Held]:
        """What reaches the principal, less the denials that spare it, with what its sets hold."""
        if self.deleted(principal):
            return
        for held in self._reaching(principal):
            spared = self._spared(principal, held.assignment.role) if held.assignment.deny else False
            if spared is None:
                yield Held(held.assignment, held.groups, held.records, conditional=True)
            elif not spared:
                yield held

    def _reaching(self, principal: str) -> Iterator[Held]:
        basic: set[str] = set()
        for held in super().held(principal):
            one = held.assignment
            if one.role in _BASIC and one.scope and not one.deny and not one.eligible and not one.condition:
                basic.add(f"gcp::{_BASIC[one.role]}:{self.rules.places.name(one.scope).rpartition('/')[2]}")
            yield held
        for group in sorted(basic):
            for assignment in self.assignments.get(group, ()):
                yield Held(assignment, (group,), (), conditional=False)
        for group in self._sets:
            inside = self.in_set(principal, group)
            if inside is not False and group != principal:
                for assignment in self.assignments[group]:
                    yield Held(assignment, (group,), (), conditional=inside is None)

    def in_set(self, principal: str, group: str) -> bool | None:
        """Is the principal in a set of principals? None: what is loaded cannot tell."""
        own, pool = _POOL.fullmatch(bare(principal)), _POOL.fullmatch(bare(group))
        if pool is not None:
            if own is None or own[1].casefold() != pool[1].casefold():
                return False
            return True if pool[2] == "*" else None
        over = _SET_OF.fullmatch(bare(group))
        email = self.rules.places.emails.get(bare(principal)) or bare(principal).removeprefix("serviceAccount:")
        if over is not None and over[1].lower() == "projects":
            project = self.rules.places.project_of(email)
            return project is not None and project == self.rules.places.project(over[2])
        return None

    def _spared(self, principal: str, rule: str) -> bool | None:
        """Whether a denial excepts the principal; None: it excepts a set that the principal may be in."""
        excepted = self.exceptions.get(rule, frozenset())
        if not excepted:
            return False
        mine = {principal, *self.groups.above(principal), *self.rules.everybody(principal)}
        if excepted & mine:
            return True
        sets = [self.in_set(principal, one) for one in sorted(excepted) if one.lower().startswith("gcp::principalset:")]
        return True if True in sets else None if None in sets else False

    def _deny_policies(self, facts: Facts) -> None:
        """Denials, each as an assignment of its rule to whom it denies, over what it is attached to."""
        held = facts.frame("entitlements").filter(
            (pl.col("provider") == PROVIDER) & (pl.col("origin") == "deny_policy")).select(
            "principal_id", "grant_kind", "scope", "actions", "resources", "condition", "record_id").unique(
            ).sort("principal_id", "record_id", "scope", nulls_last=True)
        alias = dict(facts.frame("aliases").select("alias", "id").sort("alias").iter_rows())
        over: dict[str, str | None] = {}
        for rule, _, _, actions, resources, condition, record in held.filter(
                pl.col("grant_kind") == "statement").iter_rows():
            stated = _json(condition)
            excepted = map(spared, map(str, stated.get("exceptionprincipals") or ()))
            self.exceptions[rule] = frozenset(alias.get(one, one) for one in excepted)
            self.rules.denials[rule] = (Block(
                tuple(actions or ()), tuple(map(str, stated.get("exceptionpermissions") or ())), (), deny=True,
                condition=str(stated["expression"]) if stated.get("expression") else None, record_id=record or ""),)
            over[rule] = resources[0] if resources else None
        for holder, _, rule, _, _, _, record in held.filter(pl.col("grant_kind") == "attachment").iter_rows():
            self.assignments.setdefault(holder, []).append(Assignment(
                holder, rule, over.get(rule), deny=True, condition=None, state=None, record_id=record or "",
                provider=PROVIDER))


def book(facts: Facts) -> GcpBook:
    """The bindings of the estate, read once and kept in ``facts.parts``."""
    if "gcp_book" not in facts.parts:
        facts.parts["gcp_book"] = GcpBook(facts)
    return cast("GcpBook", facts.parts["gcp_book"])


def _json(text: str | None) -> dict[str, Any]:
    try:
        found = json.loads(text or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _key(one: Assignment) -> tuple[str, str, str, str | None, str | None]:
    return one.record_id, one.holder, one.role, one.scope, one.condition


def _dated(assignment: Assignment) -> Assignment:
    """Without a condition that only says until when: the grant itself ends then."""
    if assignment.condition is None or assignment.state != "timebound":
        return assignment
    expression = _json(assignment.condition).get("expression")
    if not isinstance(expression, str) or not _ONLY_UNTIL.fullmatch(expression):
        return assignment
    return Assignment(assignment.holder, assignment.role, assignment.scope, assignment.deny, None, assignment.state,
                      assignment.record_id, assignment.provider, assignment.doubt)


def _taken_back(facts: Facts) -> frozenset[tuple[str, str, str, str | None, str | None]]:
    """Bindings that the log says were removed after they were made, or after the listing that has them was read."""
    ends = facts["decision_steps"].filter(
        pl.col("effect_key").str.starts_with("revoke(gcp::binding/") & (pl.col("time") <= facts.as_of)
        & (pl.col("status") == "succeeded")
    ).group_by(grant_id="target_key").agg(ended=pl.col("time").max()).collect()
    found = facts.frame("entitlements").filter(
        (pl.col("provider") == PROVIDER) & (pl.col("grant_kind") == "role") & pl.col("grant_id").is_not_null()
    ).join(ends, on="grant_id").filter(pl.col("ended") > pl.coalesce("granted_at", "as_of"))
    return frozenset(found.select("record_id", "principal_id", "privilege", "scope", "condition").iter_rows())


def _with_workspace(facts: Facts, groups: Memberships) -> Memberships:
    """Members of groups as Workspace states them: the same groups, by their addresses."""
    stated = facts.frame("entitlements").filter(
        (pl.col("provider") == WORKSPACE) & (pl.col("grant_kind") == "membership") & in_force(facts)
        & (pl.col("effect").fill_null("allow") == "allow")
        & ~pl.col("record_id").fill_null("").is_in(taken_back(facts))
    ).select("principal_id", "scope", "record_id").drop_nulls().unique().sort(pl.all())
    if stated.is_empty():
        return groups
    email = {}
    for identity, alt_ids in facts.frame("identities").filter(
            pl.col("provider") == WORKSPACE).select("id", "alt_ids").iter_rows():
        email[identity] = next((alt["value"].lower() for alt in alt_ids or () if alt["kind"] == "email"), None)
    ids = frozenset(facts.frame("identities")["id"])
    direct: dict[str, list[Step]] = defaultdict(list)
    for member, group, record in stated.iter_rows():
        above = f"gcp::group:{email.get(group) or group.rpartition(':')[2].lower()}"
        address = email.get(member) or member.rpartition(":")[2].lower()
        below = f"gcp::group:{address}" if f"gcp::group:{address}" in ids else f"gcp::user:{address}"
        direct[below].append(Step(above, below, record, conditional=False))
    return groups.joined(direct)
