"""Roles a provider knows by name and whose grants only its log shows: Okta, GitHub, Google Workspace.

A log states what changed since its first day. A grant it saw, and saw nobody take back, stands; one it did not see may
stand since before: unknown, never denied. Of a provider that lets one hold a single role in a place, the last says what
is held.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, cast

import polars as pl

from lineage_analytics import tables
from lineage_analytics.permissions.datafiles import rows
from lineage_analytics.permissions.memberships import taken_back
from lineage_analytics.permissions.patterns import matches
from lineage_analytics.permissions.roles import Assignment, Block, Book, Held, statements

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime

    from lineage_analytics.facts import Facts

_RECORDS = 20
_SHOWN = 3
_HEADER = ("role", "names", "complete", "weight", "actions", "controls")
_LIMITED = re.compile(r"(.*?)\s*\(([^()]*)\)", re.DOTALL)
_WHOLE = frozenset({"all", "all groups", "all apps", "everyone"})


@dataclass(frozen=True, slots=True)
class Role:
    """A role of the data file. ``controls``: pairs of what its holder can take over and how."""

    name: str
    complete: bool
    weight: int
    block: Block
    controls: tuple[tuple[str, str], ...]


@lru_cache(maxsize=8)
def sheet(name: str) -> Mapping[str, Role]:
    """Roles of a data file by every name they go by, in lower case; a prefix such as ``repo:`` belongs to each name."""
    found: dict[str, Role] = {}
    for row in rows(name, _HEADER):
        block = Block(tuple(row["actions"].split()), (), (), deny=False, condition=None, record_id="")
        controls = tuple((what, how) for part in row["controls"].split("|") if part
                         for what, _, how in (part.partition("="),))
        role = Role(row["role"], row["complete"] == "yes", int(row["weight"]), block, controls)
        prefix = row["role"].partition(":")[0] + ":" if ":" in row["role"] else ""
        for known in (row["role"].removeprefix(prefix), *row["names"].split("|")):
            found.setdefault(prefix + known.casefold(), role)
    return found


def split_name(stated: str) -> tuple[str, str | None]:
    """A role as the log writes it, and what limits it: ``Group administrator (Sales)`` is over Sales; None: nothing."""
    found = _LIMITED.fullmatch(stated.strip())
    if found is None:
        return stated.strip(), None
    return found[1], None if found[2].strip().casefold() in _WHOLE else found[2].strip()


@dataclass(frozen=True)
class Sort:
    """What tells one such provider from another.

    ``prefix`` of a role's name in the data file, by scope; ``within`` as ``roles.Rules`` has it; ``key`` is what a
    later step takes back, null: nothing does; ``single``: one holds one role in a place; ``log`` in words.
    """

    provider: str
    data: str
    log: str
    prefix: Callable[[str | None], str]
    within: Callable[[str, str | None], bool | None]
    key: Callable[[Assignment], str | None]
    single: bool = False


class Rules:
    """As the engine of roles asks."""

    def __init__(self, facts: Facts, sort: Sort) -> None:
        self._facts, self.sort = facts, sort
        self.providers = frozenset({sort.provider})
        self._statements = statements(facts, self.providers)

    def matches(self, pattern: str, action: str) -> bool:
        return matches(pattern, action)

    def within(self, resource: str, scope: str | None) -> bool | None:
        return self.sort.within(resource, scope)

    def role(self, assignment: Assignment) -> Role | None:
        """The role of the data file; None: it is a custom one."""
        return sheet(self.sort.data).get(self.sort.prefix(assignment.scope) + split_name(assignment.role)[0].casefold())

    def blocks(self, assignment: Assignment) -> tuple[Block, ...] | None:
        stated = self._statements.get(assignment.role)
        if stated:
            return tuple(stated)
        known = self.role(assignment)
        return None if known is None else (known.block,)

    def everybody(self, principal: str) -> tuple[str, ...]:  # noqa: ARG002  (others have such groups)
        return ()

    def missing(self, principal: str, resource: str) -> str | None:  # noqa: ARG002  (others look at it)
        return None if principal in self.listed else self.unlisted

    @property
    def unlisted(self) -> str:
        return f"no list of roles is loaded, only {self.sort.log}: what was granted before its first day is not in it"

    @cached_property
    def listed(self) -> frozenset[str]:
        """Principals of which an inventory states every grant."""
        known = self._facts.frame("identities").filter(
            (pl.col("provider") == self.sort.provider) & pl.col("grants_listed").fill_null(value=False))
        return frozenset(known["id"])


class NamedBook(Book):
    """Assignments that still stand: not taken back by a later step, nor replaced by a later role in the same place."""

    def __init__(self, facts: Facts, sort: Sort) -> None:
        self.named = Rules(facts, sort)
        super().__init__(facts, self.named)
        given = _given(facts, sort.provider)
        ends, back = _ends(facts, sort.provider), frozenset(taken_back(facts))
        self.assignments = {holder: kept for holder, held in self.assignments.items()
                            if (kept := _standing(held, sort, given, ends, back))}

    def whole(self, assignment: Assignment) -> bool:
        known = self.named.role(assignment)
        return known is None or known.complete

    def held(self, principal: str) -> Iterator[Held]:
        """As the engine has it; what limits a role in its name limits it to a place that is not loaded."""
        for held in super().held(principal):
            limit = split_name(held.assignment.role)[1]
            if limit is None:
                yield held
            else:
                one = held.assignment
                yield Held(Assignment(one.holder, one.role, f"{one.scope}/{limit}", one.deny, one.condition, one.state,
                                      one.record_id, one.provider), held.groups, held.records, held.conditional)


def named_book(facts: Facts, sort: Sort) -> NamedBook:
    """Standing assignments of the estate, read once."""
    if sort.data not in facts.parts:
        facts.parts[sort.data] = NamedBook(facts, sort)
    return cast("NamedBook", facts.parts[sort.data])


def role_of_holder(one: Assignment) -> str:
    """A later ``revoke(<provider>:<tenant>:role/<role>|<holder>)`` takes it back."""
    provider, tenant, native = one.holder.split(":", 2)
    return f"{provider}:{tenant}:role/{one.role.lower()}|{native}"


def _given(facts: Facts, provider: str) -> dict[str, datetime]:
    found = facts.frame("entitlements").filter(
        (pl.col("provider") == provider) & pl.col("granted_at").is_not_null()
    ).group_by("record_id").agg(pl.col("granted_at").min()).drop_nulls()
    return dict(found.iter_rows())


def _ends(facts: Facts, provider: str) -> dict[str, datetime]:
    """When each thing was last revoked, by what the effect names."""
    found = facts["decision_steps"].filter(
        (pl.col("provider") == provider) & (pl.col("kind") == "action") & (pl.col("time") <= facts.as_of)
        & (pl.col("status").fill_null("succeeded") == "succeeded") & pl.col("effect_key").str.starts_with("revoke(")
    ).group_by(pl.col("effect_key").str.slice(7).str.strip_suffix(")")).agg(pl.col("time").max()).drop_nulls().collect()
    return dict(found.iter_rows())


def _standing(held: list[Assignment], sort: Sort, given: Mapping[str, datetime],
              ends: Mapping[str, datetime], back: frozenset[str]) -> list[Assignment]:
    several = Counter(one.record_id for one in held)  # a record may grant several roles, and one of them be taken back
    last: dict[str | None, datetime] = {}
    for one in held:
        when = given.get(one.record_id)
        if when is not None and (one.scope not in last or when > last[one.scope]):
            last[one.scope] = when
    kept = []
    for one in held:
        when, end = given.get(one.record_id), ends.get(sort.key(one) or "")
        replaced = sort.single and when is not None and when < last[one.scope]
        if one.record_id in back and several[one.record_id] == 1:
            continue
        if not replaced and (when is None or end is None or end <= when):
            kept.append(one)
    return kept


def permission_rows(facts: Facts, book: NamedBook) -> pl.DataFrame:
    """``tables.PERMISSIONS`` of the identities of one such provider.

    ``granted`` counts roles with their places, basis ``assigned``, where an inventory lists them; from a log alone it
    is null, for what was granted before the log began counts too. What is known to be held still tells ``weight_max``
    when it is the highest, and ``wildcard`` when true. ``used`` is null: no data says which events use which role.
    """
    provider = book.named.sort.provider
    people = facts.frame("identities").filter(
        (pl.col("provider") == provider) & (pl.col("kind").fill_null("unknown") != "group"))["id"].unique().sort()
    last = dict(facts["usage"].filter(
        (pl.col("provider") == provider) & (pl.col("successes") > 0) & (pl.col("first") <= facts.as_of)
    ).group_by("actor_id").agg(pl.col("last").max()).drop_nulls().collect().iter_rows())
    found = [_row(book, person, facts, last.get(person)) for person in people]
    frame = pl.DataFrame(found, schema_overrides=dict(tables.PERMISSIONS.schema), infer_schema_length=None,
                         schema=None if found else tables.PERMISSIONS.schema)
    return tables.conform(frame, tables.PERMISSIONS)


def _row(book: NamedBook, principal: str, facts: Facts, last: datetime | None) -> dict[str, Any]:
    held = list(book.held(principal))
    known = [(one, book.named.role(one.assignment)) for one in held]
    heaviest = max((role.weight for _, role in known if role is not None), default=0)
    wild = any(role is not None and role.complete and split_name(one.assignment.role)[1] is None
               and not one.assignment.eligible for one, role in known)
    conditional = any(one.conditional or one.assignment.condition or one.assignment.eligible for one in held)
    records = sorted({record for one in held for record in (one.assignment.record_id, *one.records) if record})
    row: dict[str, Any] = {
        "principal_id": principal, "last_used_at": None if last is None else min(last, facts.as_of),
        "record_ids": records[:_RECORDS]}
    custom = sorted({one.assignment.role for one, role in known if role is None})
    if principal not in book.named.listed:
        reason = f"no_source: {book.named.unlisted}"
        return row | {"reason": reason, "wildcard": wild or None, "conditional": conditional or None,
                      "weight_max": heaviest if heaviest == 10 else None}
    pairs = {(one.assignment.role, one.assignment.scope) for one in held}
    reason = f"role_missing: what {', '.join(custom[:_SHOWN])} allows is not loaded" if custom else (
        "no_mapping: which events use which role is in no data that is read")
    return row | {"granted": len(pairs), "granted_basis": "assigned", "reason": reason, "conditional": conditional,
                  "wildcard": wild or (None if custom else False),
                  "weight_max": heaviest if heaviest == 10 or not custom else None}
