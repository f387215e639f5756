"""Role-based permissions: who holds which role where, through which groups, and what the role allows.

Azure, Entra, Google Cloud, Kubernetes, Okta and GitHub all grant this way: a principal, or a group it is in through any
nesting, holds a role over a scope; the role allows actions; a deny, where the provider knows one, comes first. What
differs is how an action is written, which scopes lie in which, and which groups everybody is in: a provider states that
as ``Rules``.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import polars as pl

from lineage_analytics.permissions.decision import ALLOWED, CONDITIONAL, DENIED, UNKNOWN, Because, Decision
from lineage_analytics.permissions.memberships import Memberships, in_force, memberships

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from lineage_analytics.facts import Facts

ACTIVE = ("standing", "timebound", "activated")
_REASONS = 20


@dataclass(frozen=True, slots=True)
class Assignment:
    """A role, or the denial of one, as a record states it. ``state`` null: listed without one, which is active;
    ``doubt``: what has to hold besides before it counts, in words; null: nothing."""

    holder: str
    role: str
    scope: str | None
    deny: bool
    condition: str | None
    state: str | None
    record_id: str
    provider: str
    doubt: str | None = None

    @property
    def eligible(self) -> bool:
        return self.state == "eligible"


@dataclass(frozen=True, slots=True)
class Block:
    """One statement of a role: action patterns, less the excluded ones."""

    actions: tuple[str, ...]
    excluded: tuple[str, ...]
    resources: tuple[str, ...]
    deny: bool
    condition: str | None
    record_id: str


@dataclass(frozen=True, slots=True)
class Held:
    """An assignment as it reaches a principal: ``groups`` it comes through, outermost last, with their records."""

    assignment: Assignment
    groups: tuple[str, ...]
    records: tuple[str, ...]
    conditional: bool

    def says(self) -> str:
        """The assignment in words."""
        held = self.assignment
        verb = "is denied" if held.deny else "is eligible for" if held.eligible else "holds"
        over = f" over {held.scope}" if held.scope else ""
        via = f", through {' in '.join(self.groups)}" if self.groups else ""
        when = f", if {held.condition}" if held.condition else ""
        return f"{verb} {held.role}{over}{via}{when}"


class Rules(Protocol):
    """What a provider states about its roles."""

    providers: frozenset[str]

    def matches(self, pattern: str, action: str) -> bool:
        """Does a role's action pattern cover the action?"""
        ...

    def within(self, resource: str, scope: str | None) -> bool | None:
        """Does the resource lie in the scope? None: what is loaded cannot tell."""
        ...

    def blocks(self, assignment: Assignment) -> tuple[Block, ...] | None:
        """What the role of an assignment says; None: its definition is not loaded and no data file knows it."""
        ...

    def everybody(self, principal: str) -> tuple[str, ...]:
        """Groups nobody is listed in, because everybody of a sort is: their ids."""
        ...

    def missing(self, principal: str, resource: str) -> str | None:
        """What would have to be loaded before no grant means denied, as a sentence; None: all of it is loaded."""
        ...


def assignments(facts: Facts, providers: Iterable[str]) -> dict[str, list[Assignment]]:
    """Roles in force or eligible at as_of, by holder; rows of grant_kind role, and denials of grant_kind right."""
    rows = facts.frame("entitlements").filter(
        pl.col("provider").is_in(list(providers)) & in_force(facts)
        & ((pl.col("grant_kind") == "role") | ((pl.col("grant_kind") == "right") & (pl.col("effect") == "deny")))
        & pl.col("state").fill_null("standing").is_in([*ACTIVE, "eligible"])
    ).select("principal_id", "privilege", "scope", pl.col("effect") == "deny", "condition", "state", "record_id",
             "provider").drop_nulls(["principal_id", "privilege"]).unique()
    found: dict[str, list[Assignment]] = defaultdict(list)
    for holder, role, scope, deny, condition, state, record, provider in rows.sort(
            "principal_id", "privilege", "scope", "record_id", "state", nulls_last=True).iter_rows():
        found[holder].append(Assignment(holder, role, scope, bool(deny), condition, state, record or "", provider))
    return dict(found)


def statements(facts: Facts, providers: Iterable[str]) -> dict[str, list[Block]]:
    """What role definitions say, by the id and by the name of the role, rows of grant_kind statement."""
    rows = facts.frame("entitlements").filter(
        pl.col("provider").is_in(list(providers)) & (pl.col("grant_kind") == "statement")
    ).select("principal_id", "privilege", "effect", "actions", "not_actions", "resources", "condition",
             "record_id").drop_nulls("principal_id").unique().sort("principal_id", "record_id", "privilege")
    found: dict[str, list[Block]] = defaultdict(list)
    for role, label, effect, actions, excluded, resources, condition, record in rows.iter_rows():
        block = Block(tuple(actions or ()), tuple(excluded or ()), tuple(resources or ()), effect == "deny", condition,
                      record or "")
        for name in dict.fromkeys((role, label)):
            if name:
                found[name].append(block)
    return dict(found)


class Book:
    """Assignments and memberships of an estate, read for one provider's rules."""

    # Whom the last question was about, and what reaches it: several in a row are about one principal.
    _last: tuple[str | None, tuple[Held, ...]] = (None, ())

    def __init__(self, facts: Facts, rules: Rules) -> None:
        self.rules = rules
        self.groups: Memberships = memberships(facts, rules.providers)
        self.assignments = assignments(facts, rules.providers)

    def held(self, principal: str) -> Iterator[Held]:
        """Every assignment that reaches the principal: its own, those of its groups, those of everybody."""
        if self._last[0] != principal:
            self._last = (principal, tuple(self._through_groups(principal)))
        yield from self._last[1]

    def _through_groups(self, principal: str) -> Iterator[Held]:
        for assignment in self.assignments.get(principal, ()):
            yield Held(assignment, (), (), conditional=False)
        above = self.groups.above(principal)
        for group in above:
            if group in self.assignments:
                chain = self.groups.chain(principal, group)
                for assignment in self.assignments[group]:
                    yield Held(assignment, tuple(step.group for step in chain),
                               tuple(step.record_id for step in chain), any(step.conditional for step in chain))
        for group in self.rules.everybody(principal):
            for assignment in self.assignments.get(group, ()):
                yield Held(assignment, (group,), (), conditional=False)

    def decide(self, principal: str, action: str, resource: str) -> Decision:
        """A deny that surely holds denies; else an allow that surely holds allows, unless a deny may hold; then what
        hangs on a condition, then what is not known; and denied where everything that could grant it is loaded. Whether
        a scope covers the resource, where that is not loaded, is not known: no condition of the grant."""
        found: dict[str, list[Because]] = {
            "deny": [], "maybe_deny": [], "unread_deny": [], "allow": [], "maybe_allow": [], "unread": []}
        for held in self.held(principal):
            self._weigh(held, action, resource, found)
        if found["deny"]:
            verdict, because = DENIED, found["deny"]
        elif found["allow"] and found["unread_deny"]:
            verdict, because = UNKNOWN, found["unread_deny"] + found["allow"]
        elif found["allow"] and not found["maybe_deny"]:
            verdict, because = ALLOWED, found["allow"]
        elif found["allow"] or found["maybe_allow"]:
            verdict, because = CONDITIONAL, found["allow"] + found["maybe_allow"] + found["maybe_deny"]
        else:
            missing = self.rules.missing(principal, resource)
            because = found["unread"] + ([Because("missing", missing)] if missing else [])
            verdict = UNKNOWN if because else DENIED
            because = because or [Because("missing", "no role that is assigned allows it")]
        if verdict == CONDITIONAL:
            because = because + found["unread_deny"] + found["unread"]
        return Decision(principal, action, resource, verdict, tuple(because[:_REASONS]))

    def _weigh(self, held: Held, action: str, resource: str, found: dict[str, list[Because]]) -> None:
        assignment = held.assignment
        inside = self.rules.within(resource, assignment.scope)
        if inside is False:
            return
        blocks = self.rules.blocks(assignment)
        records = tuple(dict.fromkeys(r for r in (assignment.record_id, *held.records) if r))
        if blocks is None:
            does = "denies" if assignment.deny else "allows"
            found["unread_deny" if assignment.deny else "unread"].append(
                Because("missing", f"{held.says()}: what this role {does} is not loaded", records))
            return
        covering = [block for block in blocks if self.covers(block, action, resource)]
        if not covering and not self.whole(assignment):
            says = f"{held.says()}: not all that this role allows is known"
            found["unread"].append(Because("missing", says, records))
        for block in covering:
            deny = assignment.deny or block.deny
            behind = tuple(dict.fromkeys(record for record in (*records, block.record_id) if record))
            if inside is None:
                says = f"{held.says()}: whether its scope covers the resource is not loaded"
                found["unread_deny" if deny else "unread"].append(Because("missing", says, behind))
                continue
            doubts = _doubts(held, block)
            says = held.says() + (f": {'; '.join(doubts)}" if doubts else "")
            kind = ("maybe_" if doubts else "") + ("deny" if deny else "allow")
            effect = "condition" if doubts else "deny" if deny else "allow"
            found[kind].append(Because(effect, says, behind))

    def covers(self, block: Block, action: str, resource: str) -> bool:  # noqa: ARG002  (others look at it, too)
        """Does the statement speak of the action? A provider whose statements name resources looks at those, too."""
        return any(self.rules.matches(pattern, action) for pattern in block.actions) and not any(
            self.rules.matches(pattern, action) for pattern in block.excluded)

    def whole(self, assignment: Assignment) -> bool:  # noqa: ARG002  (others look at it)
        """Are the blocks of the role all that it allows? Where not, what they leave out is not known."""
        return True


def _doubts(held: Held, block: Block) -> list[str]:
    """What has to hold besides, and was not evaluated."""
    doubts = []
    if held.assignment.eligible:
        doubts.append("it must be activated first")
    if held.assignment.doubt:
        doubts.append(held.assignment.doubt)
    if held.assignment.condition or block.condition:
        doubts.append("under a condition that was not evaluated")
    if held.conditional:
        doubts.append("a membership it comes through has a condition or must be activated first")
    return doubts
