"""Ways through Active Directory: nested groups, rights over objects, delegation, sessions, policies.

Which right gives control over what is a data file (``graphs/data/ad_rights.csv``). Two rights that only together give
control (replicating every secret of a domain) make an edge where one principal has both, itself or through different
groups. Rights on a unit or container reach what lies in it unless the object is protected from inheritance; where that
is not told, on a condition.
"""

from __future__ import annotations

from collections import defaultdict
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import msgspec
import polars as pl

from lineage_analytics.graphs.access.ad_certificates import certificate_edges
from lineage_analytics.graphs.access.tier0 import is_tier0
from lineage_analytics.permissions.aws.principals import native
from lineage_analytics.permissions.datafiles import rows
from lineage_analytics.permissions.memberships import in_force, memberships

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from lineage_analytics.graphs.access.parts import Builder
    from lineage_analytics.tables import Facts

PROVIDER = "ad"
_REPLICATE = ("GetChanges", "GetChangesAll")
_EVERYBODY = "S-1-5-11"
_IN_EVERYBODY = ("-513", "-515")


class Right(NamedTuple):
    """What one right over one kind of object gives."""

    rel: str
    sure: bool
    technique: str
    needs: str


class Held(NamedTuple):
    """One right as a record states it."""

    holder: str
    right: str
    over: str
    record: str
    condition: str | None


@lru_cache(maxsize=1)
def _rights() -> Mapping[tuple[str, str], Right]:
    table = rows("ad_rights", ("right", "on", "rel", "sure", "technique", "needs"), room="graphs")
    return {(row["right"].lower(), row["on"]): Right(row["rel"], row["sure"] == "yes", row["technique"], row["needs"])
            for row in table}


_UNTOLD = "other"


def right_over(name: str, kind: str) -> Right | None:
    """What a right over an object of a kind gives; None: no control by itself. Over an object that was not collected
    it gives what it gives over the first kind it is known for, which the right itself tells."""
    known = _rights()
    if kind == _UNTOLD:
        return next((gives for (right, _), gives in known.items() if right == name.lower()), None)
    return known.get((name.lower(), kind)) or known.get((name.lower(), "*"))


def edges(facts: Facts, build: Builder) -> None:
    """Nodes of Active Directory's objects, memberships, and an edge per right that gives control."""
    kinds = object_kinds(facts)
    _nodes(facts, build, kinds)
    held = rights(facts)
    _members(facts, build)
    guarded = _protected(facts)
    for one in held:
        _edge(build, one, kinds.get(one.over, _UNTOLD), guarded.get(one.over))
    _replicating(facts, build, held)
    certificate_edges(facts, build, held, kinds)


def object_kinds(facts: Facts) -> dict[str, str]:
    """The kind of each object, as ``ad_rights.csv`` names them."""
    objects = facts.frame("resources").filter(pl.col("provider") == PROVIDER)
    found = dict(objects.select("id", "kind").drop_nulls().rows())
    for identity, kind, subkind in facts.frame("identities").filter(pl.col("provider") == PROVIDER).select(
            "id", "kind", "subkind").iter_rows():
        found[identity] = "group" if kind == "group" else "computer" if subkind == "computer" else "user"
    return found


def rights(facts: Facts) -> list[Held]:
    """Rights and ownership in force, each once, in a fixed order."""
    found = facts.frame("entitlements").filter(
        (pl.col("provider") == PROVIDER) & pl.col("grant_kind").is_in(["right", "owner"])
        & (pl.col("effect").fill_null("allow") == "allow") & in_force(facts)
    ).select("principal_id", pl.coalesce("privilege", pl.lit("Owns")), "scope", "record_id", "condition").drop_nulls(
        ["principal_id", "scope"]).unique().sort(pl.all(), nulls_last=True)
    return [Held(holder, right, over, record or "", condition)
            for holder, right, over, record, condition in found.iter_rows() if holder != over]


def _nodes(facts: Facts, build: Builder, kinds: Mapping[str, str]) -> None:
    objects = facts.frame("resources").filter(pl.col("provider") == PROVIDER).select(
        "id", "kind", "display_name", "tenant").sort(pl.all(), nulls_last=True)
    for identity, kind, label, tenant in objects.iter_rows():
        build.node(identity, "resource", label, tenant, PROVIDER)
        if is_tier0(PROVIDER, "object", kind or ""):
            build.tier0(identity)
    for identity, kind in kinds.items():
        named = "group" if kind == "group" else "account"
        if kind in {"group", "user"} and is_tier0(PROVIDER, named, native(identity)[1]):
            build.tier0(identity)


def _members(facts: Facts, build: Builder) -> None:
    """Groups, through any nesting; and everybody who signs in is an authenticated user."""
    found = facts.frame("entitlements").filter(
        (pl.col("provider") == PROVIDER) & (pl.col("grant_kind") == "membership") & in_force(facts)
    ).select("principal_id", "scope", "origin", "record_id").drop_nulls(["principal_id", "scope"]).unique().sort(
        pl.all(), nulls_last=True)
    names = dict(facts.frame("identities").filter(pl.col("provider") == PROVIDER).select("id", "display_name").rows())
    for member, group, origin, record in found.iter_rows():
        build.node(group, "group", names.get(group))
        if is_tier0(PROVIDER, "group", native(group)[1]):
            build.tier0(group)
        how = " by its primary group" if origin == "primary_group" else ""
        build.edge(member, "member_of", group, f"is a member of {names.get(group) or native(group)[1]}{how}", [record],
                   followed=True)
    for group, everybody in _signed_in(names):
        build.edge(group, "member_of", everybody, "every account that signs in is an authenticated user", followed=True)


def _signed_in(names: Mapping[str, str | None]) -> Iterable[tuple[str, str]]:
    """Domain Users and Domain Computers, each with the authenticated users of the same domain by name."""
    domains = {(label or "").rpartition("@")[2].upper(): identity for identity, label in sorted(names.items())
               if identity.endswith(f"-{_EVERYBODY}") and label}
    for identity, label in sorted(names.items()):
        everybody = domains.get((label or "").rpartition("@")[2].upper())
        if everybody is not None and identity.endswith(_IN_EVERYBODY):
            yield identity, everybody


def _protected(facts: Facts) -> dict[str, bool]:
    """Of the objects whose export tells it, whether they are protected from inherited rights."""
    held = facts.frame("resources").filter((pl.col("provider") == PROVIDER) & pl.col("attributes").is_not_null())
    found = {}
    for identity, attributes in held.select("id", "attributes").iter_rows():
        said = msgspec.json.decode(attributes)
        if isinstance(said, dict) and isinstance(said.get("isaclprotected"), bool):
            found[identity] = bool(said["isaclprotected"])
    return found


def _edge(build: Builder, one: Held, kind: str, protected: bool | None) -> None:
    gives = right_over(one.right, kind)
    if gives is None:
        return
    inherited = one.right == "Contains"
    if inherited and protected:
        return
    said = f"{one.right} over it" if not inherited else "it lies in it"
    needs = "an object that takes inherited rights" if inherited and protected is None else gives.needs
    reason = f"{gives.technique}: {said}" + (f", which takes {needs}" if needs else "")
    build.edge(one.holder, gives.rel, one.over, reason, [one.record], proved=gives.sure and not needs,
               technique=gives.technique)


def _replicating(facts: Facts, build: Builder, held: Iterable[Held]) -> None:
    """Both rights to replicate a domain, held together: then every secret of it can be read."""
    halves: dict[str, dict[str, dict[str, str]]] = defaultdict(lambda: defaultdict(dict))
    for one in held:
        if one.right in _REPLICATE:
            halves[one.over][one.right][one.holder] = one.record
    together = Both(facts)
    for domain, by_right in sorted(halves.items()):
        first, second = (by_right.get(right, {}) for right in _REPLICATE)
        for holder, records in together(first, second):
            build.edge(holder, "controls", domain, "replicate every secret of the domain: GetChanges and GetChangesAll "
                       "over it", records, technique="replicate every secret of the domain")


class Both:
    """Who holds one thing of each of two lists, itself or through its groups; of a group that has both its members
    follow by their membership."""

    def __init__(self, facts: Facts) -> None:
        self._groups = memberships(facts, [PROVIDER])
        self._members = sorted(set(facts.frame("entitlements").filter(
            (pl.col("provider") == PROVIDER) & (pl.col("grant_kind") == "membership"))["principal_id"].drop_nulls()))

    def __call__(self, first: Mapping[str, str], second: Mapping[str, str]) -> list[tuple[str, list[str]]]:
        direct = sorted(first.keys() & second.keys())
        found = [(holder, [first[holder], second[holder]]) for holder in direct]
        if not first or not second:
            return found
        for member in self._members:
            above = self._groups.above(member)
            if member in direct or any(group in above for group in direct):
                continue
            one, other = (next((h for h in (member, *above) if h in side), None) for side in (first, second))
            if one is not None and other is not None:
                found.append((member, [first[one], second[other]]))
        return found
