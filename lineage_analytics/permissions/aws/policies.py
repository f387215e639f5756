"""Grants of AWS read into policies: who holds which policy, and what each of its statements says."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import TYPE_CHECKING

import polars as pl

from lineage_analytics.permissions.aws.catalogue import catalogue
from lineage_analytics.permissions.patterns import contains, disjoint, is_pattern, matches

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

_VARIABLE = re.compile(r"\$\{[^}]*\}")
_USERNAME = re.compile(r"\$\{aws:username\}", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Scope:
    """Resources a statement is about: those the patterns match, or with ``inverted`` all others (NotResource)."""

    patterns: tuple[str, ...]
    inverted: bool = False

    @property
    def everything(self) -> bool:
        return not self.inverted and "*" in self.patterns

    def matches(self, resource: str) -> bool:
        return any(matches(pattern, resource) for pattern in self.patterns) != self.inverted

    def contains(self, other: Scope) -> bool:
        """Is every resource of ``other`` surely one of these? False where that is not shown."""
        if self.everything or self == other:
            return True
        if other.inverted:
            return self.inverted and all(any(contains(o, p) for o in other.patterns) for p in self.patterns)
        if self.inverted:
            return all(disjoint(mine, theirs) for mine in self.patterns for theirs in other.patterns)
        return all(any(contains(mine, theirs) for mine in self.patterns) for theirs in other.patterns)

    def disjoint(self, other: Scope) -> bool:
        """Is surely no resource in both? False where that is not shown."""
        if self.inverted and other.inverted:
            return False
        if self.inverted or other.inverted:
            outer, inner = (self, other) if self.inverted else (other, self)
            return all(any(contains(out, pattern) for out in outer.patterns) for pattern in inner.patterns)
        return all(disjoint(mine, theirs) for mine in self.patterns for theirs in other.patterns)


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement of a policy; ``wildcard``: its actions or resources are open-ended as written.

    ``condition`` is its text, empty where there is none. An action that knows no resources is asked about ``*`` alone:
    a statement that names some says nothing of it, so its bit is not in ``mask``.
    """

    policy_id: str
    policy: str
    allow: bool
    mask: int
    scope: Scope
    conditional: bool
    wildcard: bool
    record_id: str
    variables: bool = False
    condition: str = ""

    def for_user(self, name: str | None) -> Statement:
        """The statement with ``${aws:username}`` filled in; other variables stand for anything, conditionally."""
        if not self.variables:
            return self
        patterns = self.scope.patterns
        if name is not None:
            patterns = tuple(_USERNAME.sub(lambda _: name, pattern) for pattern in patterns)
        opened = tuple(_VARIABLE.sub("*", pattern) for pattern in patterns)
        return replace(self, scope=Scope(opened, self.scope.inverted),
                       conditional=self.conditional or opened != patterns)

    def says(self, mask: int, limit: int = 4) -> str:
        """The statement in words, for the actions of ``mask``."""
        named = catalogue().actions(mask & self.mask)
        some = ", ".join(named[:limit]) + (f" and {len(named) - limit} more" if len(named) > limit else "")
        what = "every action" if self.mask == catalogue().every else some
        where = ("all but " if self.scope.inverted else "") + ", ".join(self.scope.patterns[:3])
        return f"policy {self.policy} {'allows' if self.allow else 'denies'} {what} on {where}"

    def asks(self) -> str:
        """What has to hold besides, in words; empty when nothing."""
        if self.condition:
            return f"if {self.condition}"
        return "if a variable in it fits" if self.conditional else ""


@dataclass(frozen=True, slots=True)
class Held:
    """A policy some principal holds, and since when (null: not stated)."""

    policy_id: str
    name: str
    via: str
    granted_at: datetime | None
    record_id: str


@dataclass
class Grants:
    """All AWS grants of an estate, indexed by holder. ``broken``: policies with a statement that says nothing clear;
    ``known``: principals and groups that hold something or are listed."""

    statements: dict[str, list[Statement]] = field(default_factory=lambda: defaultdict(list))
    broken: set[str] = field(default_factory=set)
    held: dict[str, list[Held]] = field(default_factory=lambda: defaultdict(list))
    boundaries: dict[str, list[Held]] = field(default_factory=lambda: defaultdict(list))
    groups: dict[str, list[tuple[str, str, str]]] = field(default_factory=lambda: defaultdict(list))
    known: set[str] = field(default_factory=set)

    def readable(self, policy_id: str) -> bool:
        return policy_id in self.statements and policy_id not in self.broken


RESOURCE_POLICY = ":resource-policy/"
NEEDED = ("principal_id", "grant_kind", "privilege", "scope", "effect", "actions", "not_actions", "resources",
           "not_resources", "condition", "granted_at", "origin", "record_id")


def read_grants(entitlements: pl.DataFrame, listed: Iterable[str] = ()) -> Grants:
    """Policies, holders and memberships out of the table ``entitlements``; same rows in any order give the same.

    ``listed`` are the ids the inventory lists: a group outside it that holds nothing is a group we know nothing of.
    """
    wanted = ("statement", "attachment", "boundary", "membership")
    rows = entitlements.filter(
        pl.col("grant_kind").is_in(wanted) & (pl.col("provider").fill_null("aws") == "aws")
        & pl.col("principal_id").is_not_null() & ~pl.col("principal_id").str.contains(RESOURCE_POLICY, literal=True)
    ).select(NEEDED).unique(maintain_order=False)
    grants = Grants(known=set(listed))
    names = dict(rows.filter(pl.col("grant_kind").is_in(("attachment", "boundary")))
                 .sort("scope", "privilege").select("scope", "privilege").iter_rows())
    for row in rows.sort(pl.col("grant_kind"), pl.col("principal_id"), pl.col("scope"), pl.col("record_id"),
                         pl.col("privilege"), nulls_last=True).iter_rows():
        principal, kind, privilege, scope = row[0], row[1], row[2], row[3]
        if kind == "statement":
            _statement(grants, row, names.get(principal) or privilege or principal)
            continue
        grants.known.add(principal)
        if scope is None:
            grants.held[principal].append(Held("", privilege or "unnamed", kind, None, row[12] or ""))
        elif kind == "membership":
            grants.groups[principal].append((scope, privilege or scope, row[12] or ""))
        else:
            index = grants.held if kind == "attachment" else grants.boundaries
            index[principal].append(Held(scope, privilege or scope, row[11] or "direct", row[10], row[12] or ""))
    for statements in grants.statements.values():
        statements.sort(key=lambda s: (s.record_id, s.allow, s.mask, s.scope.patterns, s.scope.inverted, s.conditional))
    return grants


def has_condition(condition: object) -> bool:
    """Does a grant carry a condition? An empty one is none."""
    return condition is not None and str(condition) not in {"", "{}", "null"}


def _statement(grants: Grants, row: tuple[object, ...], name: str) -> None:
    made = statement(row, name)
    if made is None:
        grants.broken.add(str(row[0]))
    else:
        grants.statements[made.policy_id].append(made)


def statement(row: tuple[object, ...], name: str) -> Statement | None:
    """One statement from a row of ``NEEDED``; None where it does not say clearly what it allows or denies."""
    (principal, _, _, _, effect, actions, not_actions, resources, not_resources, condition, _, _, record) = row
    if effect not in {"allow", "deny"} or (actions is None) == (not_actions is None) or (
            resources is None and not_resources is None):
        return None
    mask, open_ended = actions_of(_tuple(actions), _tuple(not_actions))
    scope = Scope(_tuple(resources if resources is not None else not_resources), inverted=resources is None)
    if not scope.matches("*"):
        mask &= ~catalogue().resourceless
    text, conditioned = "".join(scope.patterns), has_condition(condition)
    return Statement(
        str(principal), name, effect == "allow", mask, scope, conditioned,
        effect == "allow" and not conditioned and (open_ended or scope.everything or scope.inverted),
        str(record or ""), "${" in text, str(condition) if conditioned else "")


def _tuple(values: object) -> tuple[str, ...]:
    return () if values is None else tuple(sorted(values))  # type: ignore[call-overload]


@lru_cache(maxsize=65536)
def actions_of(actions: tuple[str, ...], not_actions: tuple[str, ...]) -> tuple[int, bool]:
    """Mask of the statement's actions, and whether they are open-ended: a wildcard, or NotAction."""
    if not_actions:
        return catalogue().every & ~catalogue().union(not_actions), True
    return catalogue().union(actions), any(is_pattern(action) for action in actions)


def narrowest(records: Iterable[str], limit: int = 20) -> list[str]:
    """Distinct record ids, sorted, at most ``limit``."""
    return sorted({record for record in records if record})[:limit]
