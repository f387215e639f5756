"""What a principal of Active Directory may do: rights over objects, held itself or through nested groups.

An action is a right by its name in SharpHound's collection (``GenericAll``, ``ForceChangePassword``, ``GetChanges``) or
``member``. Full control implies every right, all extended rights the extended ones ([MS-ADTS] 5.1.3.2). What nobody
collected is unknown.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, cast

import polars as pl

from lineage_analytics import tables
from lineage_analytics.permissions.datafiles import rows
from lineage_analytics.permissions.decision import ALLOWED, DENIED, UNKNOWN, Because, Decision
from lineage_analytics.permissions.memberships import Memberships, in_force, memberships

if TYPE_CHECKING:
    from lineage_analytics.tables import Facts

PROVIDERS = frozenset({"ad"})
_PROVIDER = "ad"
_FULL = "genericall"
_EXTENDED = frozenset({"forcechangepassword", "getchanges", "getchangesall", "getchangesinfilteredset", "enroll",
                       "readlapspassword", "synclapspassword"})
# What only says where something lies or what is linked to what is no right anybody holds.
_STRUCTURE = frozenset({"contains", "gplink", "publishedto", "hostscaservice", "trustedby", "hassession"})
_SHOWN, _MOST = 20, 20
_UNSEEN = "no_source: no log that is read here names the right by which something was done"
_ABSENT = "no_source: no collection of its domain's rights is loaded"


@dataclass(frozen=True)
class _Held:
    """One right over one object, with its record."""

    right: str
    over: str
    record: str


@dataclass(frozen=True)
class _Book:
    """Rights by holder, memberships, objects collected with their rights, and domains with any."""

    rights: dict[str, list[_Held]]
    groups: Memberships
    collected: frozenset[str]
    domains: frozenset[str]
    labels: dict[str, str]

    def of(self, principal: str) -> list[tuple[_Held, str | None]]:
        """Rights that reach the principal, each with the group it comes through."""
        found: list[tuple[_Held, str | None]] = [(one, None) for one in self.rights.get(principal, ())]
        for group in self.groups.above(principal):
            found += [(one, group) for one in self.rights.get(group, ())]
        return found


def _book(facts: Facts) -> _Book:
    if "permissions:ad" not in facts.parts:
        grants = facts.frame("entitlements").filter(
            (pl.col("provider") == _PROVIDER) & pl.col("grant_kind").is_in(["right", "owner"])
            & (pl.col("effect").fill_null("allow") == "allow") & in_force(facts)
        ).select("principal_id", pl.coalesce("privilege", pl.lit("Owns")), "scope", "record_id").drop_nulls(
            ["principal_id", "scope"]).unique().sort(pl.all(), nulls_last=True)
        rights: dict[str, list[_Held]] = defaultdict(list)
        for holder, right, over, record in grants.iter_rows():
            if right.lower() not in _STRUCTURE:
                rights[holder].append(_Held(right, over, record or ""))
        named = pl.concat([facts.frame("identities").select("id", "display_name", "provider"),
                           facts.frame("resources").select("id", "display_name", "provider")])
        labels = dict(named.filter(pl.col("provider") == _PROVIDER).select("id", "display_name").drop_nulls().rows())
        collected = frozenset(one.over for held in rights.values() for one in held)
        facts.parts["permissions:ad"] = _Book(
            dict(rights), memberships(facts, [_PROVIDER]), collected,
            frozenset(over.split(":")[1] for over in collected) - {""}, labels)
    return cast("_Book", facts.parts["permissions:ad"])


def decide(facts: Facts, principal: str, action: str, resource: str) -> Decision:
    """Whether a principal holds a right over an object, given by its id or name."""
    book = _book(facts)
    objects = {resource} if resource in book.labels or resource in book.collected else {
        identity for identity, label in book.labels.items() if label.casefold() == resource.casefold()}
    if action.lower() == "member":
        return _member(book, principal, resource, objects)
    because = [Because("allow", f"{one.right} over {book.labels.get(one.over, one.over)}"
                       + (f", through {book.labels.get(group, group)}" if group else ""), _records(book, principal,
                                                                                                 one, group))
               for one, group in book.of(principal)
               if (one.over in objects or resource == "*") and implies(one.right, action)]
    if because:
        return Decision(principal, action, resource, ALLOWED, tuple(because[:_SHOWN]))
    if not objects & book.collected or resource == "*":
        return Decision(principal, action, resource, UNKNOWN, (
            Because("missing", "no collection that is loaded states the rights over this object"),))
    return Decision(principal, action, resource, DENIED, (
        Because("missing", "none of the collected rights over it is held, itself or through a group"),))


def _records(book: _Book, principal: str, one: _Held, group: str | None) -> tuple[str, ...]:
    steps = book.groups.chain(principal, group) if group else []
    return tuple(dict.fromkeys(record for record in (one.record, *(step.record_id for step in steps)) if record))


def _member(book: _Book, principal: str, resource: str, objects: set[str]) -> Decision:
    above = book.groups.above(principal)
    found = sorted(objects & above.keys())
    if found:
        steps = book.groups.chain(principal, found[0])
        said = " in ".join(["a member", *(book.labels.get(step.group, step.group) for step in steps)])
        records = tuple(step.record_id for step in steps if step.record_id)
        return Decision(principal, "member", resource, ALLOWED, (Because("allow", said, records),))
    if not objects:
        return Decision(principal, "member", resource, UNKNOWN, (
            Because("missing", "no collection that is loaded lists this group"),))
    return Decision(principal, "member", resource, DENIED, (Because("missing", "no membership leads there"),))


def implies(held: str, asked: str) -> bool:
    """Does one right include another?"""
    held, asked = held.lower(), asked.lower()
    return held in {asked, _FULL} or (held == "allextendedrights" and asked in _EXTENDED)


@lru_cache(maxsize=1)
def _controlling() -> frozenset[str]:
    """Rights that give control over some kind of object."""
    table = rows("ad_rights", ("right", "on", "rel", "sure", "technique", "needs"), room="graphs")
    return frozenset(row["right"].lower() for row in table if row["sure"] == "yes") - _STRUCTURE


def permission_rows(facts: Facts) -> pl.DataFrame:
    """``tables.PERMISSIONS`` of the principals of Active Directory: ``granted`` counts distinct pairs of right and
    object, through groups too, where rights of its domain were collected; no log names the right that was used."""
    book = _book(facts)
    found = [_row(book, identity) for identity in facts.frame("identities").filter(
        pl.col("provider") == _PROVIDER)["id"].sort()]
    frame = pl.DataFrame(found, schema_overrides=dict(tables.PERMISSIONS.schema), infer_schema_length=None,
                         schema=None if found else tables.PERMISSIONS.schema)
    return tables.conform(frame, tables.PERMISSIONS)


def _row(book: _Book, identity: str) -> dict[str, object]:
    if identity.split(":")[1] not in book.domains:
        return {"principal_id": identity, "reason": _ABSENT}
    held = [one for one, _ in book.of(identity)]
    pairs = {(one.right.lower(), one.over) for one in held}
    strong = {pair for pair in pairs if pair[0] in _controlling()}
    return {
        "principal_id": identity, "granted": len(pairs), "granted_basis": "effective", "unobservable": len(pairs),
        "sensitive_granted": len(strong), "weight_max": 3 if strong else 0, "wildcard": any(
            right in {_FULL, "owns", "allextendedrights"} for right, _ in pairs), "conditional": False,
        "reason": _UNSEEN if pairs else None, "record_ids": sorted({one.record for one in held if one.record})[:_MOST]}
