"""What a principal of Active Directory may do: rights over objects, held itself or through nested groups.

An action is a right by its name in SharpHound's collection (``GenericAll``, ``ForceChangePassword``, ``GetChanges``) or
``member``. Full control includes every right of an access list, all extended rights the extended ones, writing in
general each written property, and an owner may change the access list ([MS-ADTS] 5.1.3.2, 5.1.3.3). A right is denied
only over an object of which rights of that sort were collected: an access list, or the local groups of a computer; what
nobody collected, and a name that no collection has, is unknown.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple, cast

import polars as pl

from lineage_analytics import tables
from lineage_analytics.permissions.aws.principals import native
from lineage_analytics.permissions.datafiles import rows
from lineage_analytics.permissions.decision import ALLOWED, DENIED, UNKNOWN, Because, Decision
from lineage_analytics.permissions.memberships import Memberships, Step, in_force, memberships
from lineage_analytics.permissions.signed_in import signed_in

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from lineage_analytics.facts import Facts

PROVIDERS = frozenset({"ad"})
_PROVIDER = "ad"
_EXTENDED = frozenset({"forcechangepassword", "getchanges", "getchangesall", "getchangesinfilteredset", "enroll",
                       "readlapspassword", "synclapspassword"})
_WRITTEN = frozenset({"addmember", "addself", "writespn", "addkeycredentiallink", "addallowedtoact", "writegplink",
                      "writeaccountrestrictions", "writealtsecurityidentities", "writepublicinformation",
                      "writepkinameflag", "writepkienrollmentflag"})
_LISTED = _EXTENDED | _WRITTEN | {"genericall", "genericwrite", "writedacl", "writeowner", "owns", "allextendedrights",
                                  "readgmsapassword", "manageca", "managecertificates"}
_IMPLIED = {"genericall": _LISTED - {"owns", "manageca", "managecertificates"}, "allextendedrights": _EXTENDED,
            "genericwrite": _WRITTEN, "owns": frozenset({"writedacl"})}
_LOCAL = frozenset({"adminto", "canrdp", "executedcom", "canpsremote"})
# What only says where something lies or what is linked to what is no right anybody holds.
_STRUCTURE = frozenset({"contains", "gplink", "publishedto", "hostscaservice", "trustedby", "hassession"})
_WIDE = frozenset({"genericall", "owns", "allextendedrights"})
_SHOWN, _MOST = 20, 20
_CONTROL, _TIER0 = 3, 10
_UNSEEN = "no_source: no log that is read here names the right by which something was done"
_ABSENT = "no_source: no collection of its domain's rights is loaded"


class _Held(NamedTuple):
    """One right over one object, with its record."""

    right: str
    over: str
    record: str


@dataclass(frozen=True)
class _Book:
    """Rights by holder, memberships, objects of which access lists and local groups were collected, SIDs and names of
    domains with any, and what objects are: their label, their kind, whether they are tier 0 or listed as groups."""

    rights: dict[str, list[_Held]]
    groups: Memberships
    listed: frozenset[str]
    local: frozenset[str]
    domains: frozenset[str]
    labels: dict[str, str]
    kinds: dict[str, str]
    tier0: frozenset[str]
    known_groups: frozenset[str]

    def of(self, principal: str) -> list[tuple[_Held, str | None]]:
        """Rights that reach the principal, each with the group it comes through."""
        found: list[tuple[_Held, str | None]] = [(one, None) for one in self.rights.get(principal, ())]
        for group in self.groups.above(principal):
            found += [(one, group) for one in self.rights.get(group, ())]
        return found

    def label(self, identity: str) -> str:
        return self.labels.get(identity) or native(identity)[1]

    def weight(self, right: str, over: str) -> int:
        """What a right is worth: 10 where it gives control over tier 0, 3 where over anything else, else 0."""
        kind = self.kinds.get(over)
        gives = bool({(right, kind), (right, "*"), (right if kind is None else None, None)} & _controlling())
        return 0 if not gives else _TIER0 if over in self.tier0 else _CONTROL


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
        facts.parts["permissions:ad"] = _written(facts, dict(rights))
    return cast("_Book", facts.parts["permissions:ad"])


def _written(facts: Facts, rights: dict[str, list[_Held]]) -> _Book:
    people = facts.frame("identities").filter(pl.col("provider") == _PROVIDER)
    objects = facts.frame("resources").filter(pl.col("provider") == _PROVIDER)
    labels = dict(pl.concat([people.select("id", "display_name"), objects.select("id", "display_name")]).drop_nulls()
                  .unique().sort(pl.all()).iter_rows())
    kinds = dict(objects.select("id", "kind").drop_nulls().sort(pl.all()).iter_rows())
    kinds |= {identity: "group" if kind == "group" else "computer" if subkind == "computer" else "user"
              for identity, kind, subkind in people.select("id", "kind", "subkind").iter_rows()}
    everyone: dict[str, list[Step]] = defaultdict(list)
    for member, group, _ in signed_in(facts):
        everyone[member].append(Step(group, member, "", conditional=False))
    held = [(one.right.lower(), one.over) for some in rights.values() for one in some]
    overs = {over for _, over in held}
    sids = frozenset(native(over)[0] for over in overs) - {""}
    declared = objects.filter(pl.col("tier0").fill_null(value=False))["id"]
    return _Book(
        rights, memberships(facts, [_PROVIDER]).joined(everyone),
        frozenset(over for right, over in held if right in _LISTED),
        frozenset(over for right, over in held if right in _LOCAL),
        sids | {label.upper() for one, label in labels.items()
                if kinds.get(one) == "domain" and native(one)[1] in sids},
        labels, kinds,
        frozenset(one for one in overs if _is_tier0(one, kinds.get(one), labels.get(one))) | frozenset(declared),
        frozenset(people.filter((pl.col("kind") == "group") & pl.col("inventoried").fill_null(value=True))["id"]))


def decide(facts: Facts, principal: str, action: str, resource: str) -> Decision:
    """Whether a principal holds a right over an object, given by its id or name; ``*`` for any object."""
    book = _book(facts)
    known = {*book.listed, *book.local}
    objects = {resource} if resource in book.labels or resource in known else {
        identity for identity, label in book.labels.items() if label.casefold() == resource.casefold()}
    if action.lower() == "member":
        return _member(book, principal, resource, objects)
    because = [Because("allow", f"{one.right} over {book.label(one.over)}"
                       + (f", through {book.label(group)}" if group else ""), _records(book, principal, one, group))
               for one, group in book.of(principal)
               if (one.over in objects or resource == "*") and implies(one.right, action)]
    if because:
        return Decision(principal, action, resource, ALLOWED, tuple(because[:_SHOWN]))
    asked = action.lower()
    collected = book.listed if asked in _LISTED else book.local if asked in _LOCAL else frozenset[str]()
    if resource == "*" or not objects or not objects <= collected:
        return Decision(principal, action, resource, UNKNOWN, (
            Because("missing", "no collection that is loaded states rights of this sort over this object"),))
    return Decision(principal, action, resource, DENIED, (
        Because("missing", "none of the collected rights over it is held, itself or through a group"),))


def _records(book: _Book, principal: str, one: _Held, group: str | None) -> tuple[str, ...]:
    steps = book.groups.chain(principal, group) if group else []
    return tuple(dict.fromkeys(record for record in (one.record, *(step.record_id for step in steps)) if record))


def _member(book: _Book, principal: str, resource: str, objects: set[str]) -> Decision:
    above = book.groups.above(principal)
    found = sorted((objects or {resource}) & above.keys())
    if found:
        steps = book.groups.chain(principal, found[0])
        said = " in ".join(["a member", *(book.label(step.group) for step in steps)])
        records = tuple(step.record_id for step in steps if step.record_id)
        return Decision(principal, "member", resource, ALLOWED, (Because("allow", said, records),))
    if not objects & book.known_groups:
        return Decision(principal, "member", resource, UNKNOWN, (
            Because("missing", "no collection that is loaded lists this group"),))
    return Decision(principal, "member", resource, DENIED, (Because("missing", "no membership leads there"),))


def implies(held: str, asked: str) -> bool:
    """Does one right include another?"""
    held, asked = held.lower(), asked.lower()
    return held == asked or asked in _IMPLIED.get(held, frozenset())


@lru_cache(maxsize=1)
def _controlling() -> frozenset[tuple[str | None, str | None]]:
    """Rights that surely give control, each with the kind of object it does so over; with none where that is not told.
    """
    table = rows("ad_rights", ("right", "on", "rel", "sure", "technique", "needs"), room="graphs")
    return frozenset((row["right"].lower(), kind) for row in table for kind in (row["on"], None)
                     if row["sure"] == "yes" and row["right"].lower() not in _STRUCTURE)


@lru_cache(maxsize=1)
def _tier0_rules() -> tuple[tuple[str, re.Pattern[str]], ...]:
    table = rows("tier0", ("provider", "kind", "match", "reason"), room="graphs")
    return tuple((row["kind"], re.compile(re.escape(row["match"].casefold()).replace(r"\*", ".*"), re.DOTALL))
                 for row in table if row["provider"] == _PROVIDER)


def _is_tier0(identity: str, kind: str | None, label: str | None) -> bool:
    """Is an object tier 0 by default: a group or account by its SID, a container by its name, others by their kind?"""
    name = native(identity)[1]
    told = {"group": name, "account": name, "container": label or "", "object": kind or ""}
    sort = {"user": ("account",), "group": ("group",), "container": ("container", "object"), None: ("group",)}.get(
        kind, ("object",))
    return any(rule in sort and pattern.fullmatch(told[rule].casefold()) for rule, pattern in _tier0_rules())


def permission_rows(facts: Facts) -> pl.DataFrame:
    """``tables.PERMISSIONS`` of the principals of Active Directory: ``granted`` counts distinct pairs of right and
    object, through groups too, where rights of its domain were collected; ``weight_max`` is 10 for a right that gives
    control over tier 0, 3 for one that does over anything else; no log names the right that was used."""
    book = _book(facts)
    identities = facts.frame("identities").filter(pl.col("provider") == _PROVIDER)["id"].unique().sort()
    groups = sorted({step.group for step in book.groups.steps()} & book.rights.keys())
    above = _holding_above(book, groups)
    by_mask: dict[int, list[str]] = defaultdict(list)
    for identity in identities:
        by_mask[above.get(identity, 0)].append(identity)
    found: list[dict[str, object]] = []
    for mask, members in sorted(by_mask.items()):
        shared = _pairs(one for group in _bits(mask) for one in book.rights[groups[group]])
        summed = _summed(book, shared)
        found += [_row(book, identity, shared, summed) for identity in members]
    frame = pl.DataFrame(found, schema_overrides=dict(tables.PERMISSIONS.schema), infer_schema_length=None,
                         schema=None if found else tables.PERMISSIONS.schema)
    return tables.conform(frame, tables.PERMISSIONS).sort("principal_id")


def _holding_above(book: _Book, groups: list[str]) -> dict[str, int]:
    """By principal, which of some groups it is in, as the bits of a number. Groups come before their members in the
    order of the walk, so that one pass does where there is no cycle."""
    direct: dict[str, list[str]] = defaultdict(list)
    for step in book.groups.steps():
        direct[step.member].append(step.group)
    own = {group: 1 << at for at, group in enumerate(groups)}
    order = _groups_first(direct)
    found: dict[str, int] = {}
    changed = True
    while changed:
        changed = False
        for member in order:
            mask = 0
            for group in direct[member]:
                mask |= found.get(group, 0) | own.get(group, 0)
            if mask != found.get(member, 0):
                found[member], changed = mask, True
    return found


def _groups_first(direct: dict[str, list[str]]) -> list[str]:
    order: list[str] = []
    seen: set[str] = set()
    for start in sorted(direct):
        walk: list[tuple[str, Iterator[str]]] = []
        if start not in seen:
            seen.add(start)
            walk.append((start, iter(direct[start])))
        while walk:
            member, left = walk[-1]
            group = next((one for one in left if one in direct and one not in seen), None)
            if group is None:
                order.append(member)
                walk.pop()
            else:
                seen.add(group)
                walk.append((group, iter(direct[group])))
    return order


def _bits(mask: int) -> Iterator[int]:
    while mask:
        low = mask & -mask
        yield low.bit_length() - 1
        mask ^= low


def _pairs(held: Iterable[_Held]) -> dict[tuple[str, str], str]:
    """Pairs of right and object, each with the first of its records."""
    found: dict[tuple[str, str], str] = {}
    for one in held:
        pair = (one.right.lower(), one.over)
        found[pair] = min(found.get(pair, one.record), one.record)
    return found


def _row(
    book: _Book, identity: str, shared: dict[tuple[str, str], str], summed: dict[str, object]
) -> dict[str, object]:
    sid, name = native(identity)
    own = _pairs(book.rights.get(identity, ()))
    # A well-known principal names its domain before its SID.
    if (sid or name.rpartition("-S-1-")[0].upper()) not in book.domains:
        return {"principal_id": identity, "reason": _ABSENT}
    return {"principal_id": identity, **(_summed(book, shared | own) if own else summed)}


def _summed(book: _Book, pairs: dict[tuple[str, str], str]) -> dict[str, object]:
    weights = [book.weight(right, over) for right, over in pairs]
    return {
        "granted": len(pairs), "granted_basis": "effective", "unobservable": len(pairs),
        "sensitive_granted": sum(weight > 0 for weight in weights), "weight_max": max(weights, default=0),
        "wildcard": any(right in _WIDE for right, _ in pairs), "conditional": False,
        "reason": _UNSEEN if pairs else None,
        "record_ids": sorted({record for record in pairs.values() if record})[:_MOST]}
