"""Ways through Active Directory: nested groups, rights over objects, delegation, sessions, policies.

Which right gives control over what is a data file (``graphs/data/ad_rights.csv``). Two rights that only together give
control (replicating every secret of a domain) make an edge where one principal has both, itself or through different
groups. Rights on a unit or container reach what lies in it unless the object is protected from inheritance; where that
is not told, on a condition. Accounts, computers and units take the policies of what they lie in even when they are
protected: then on the condition that a policy can be linked. Owning is full control but where the object says what its
owners may do. Trusts: within a forest each domain is a way to the others, elsewhere on a condition.

Not here, as what it takes is not collected or not kept: relayed sign-ins, passwords that LAPS keeps read by replication
of filtered attributes, and limits on what owners of computers may do that a forest sets as a whole.
"""

from __future__ import annotations

from collections import defaultdict
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import polars as pl

from lineage_analytics.graphs.access.ad_certificates import certificate_edges
from lineage_analytics.graphs.access.ad_rights import PROVIDER, rights
from lineage_analytics.graphs.access.ad_together import Together
from lineage_analytics.graphs.access.tier0 import is_tier0
from lineage_analytics.permissions.aws.principals import native
from lineage_analytics.permissions.datafiles import rows
from lineage_analytics.permissions.memberships import in_force
from lineage_analytics.permissions.signed_in import signed_in

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from lineage_analytics.facts import Facts
    from lineage_analytics.graphs.access.ad_rights import Held
    from lineage_analytics.graphs.access.parts import Builder

_REPLICATE = ("getchanges", "getchangesall")
_CONTAINS, _OWNING, _OWNERS = "contains", frozenset({"owns", "writeowner"}), "S-1-3-4"
_CONTROLLERS = "-516"
_TAKE_POLICIES = frozenset({"user", "computer", "ou", "container"})
# Kinds of trust between domains of one forest.
_WITHIN = frozenset({"ParentChild", "TreeRoot", "CrossLink"})


class Right(NamedTuple):
    """What one right over one kind of object gives."""

    rel: str
    sure: bool
    technique: str
    needs: str


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
    controllers = _members(facts, build)
    guarded, limited = _protected(facts, held), _limited(held)
    for one in held:
        kind, right = kinds.get(one.over, _UNTOLD), one.right.lower()
        if right == "unconstraineddelegation" and one.holder in controllers:
            continue
        if right == _CONTAINS:
            _inside(build, one, kind, guarded.get(one.over))
        elif right == "trustedby":
            _trusted(build, one)
        elif right in _OWNING and one.over in limited:
            build.edge(one.holder, "controls", one.over, f"have what owners may do there: {one.right} over it, which "
                       "takes rights that are given to owners", [one.record], proved=False,
                       technique="have what owners may do there")
        else:
            _edge(build, one, kind)
    together = Together(facts)
    _replicating(build, held, kinds, together)
    certificate_edges(facts, build, held, kinds, together)


def object_kinds(facts: Facts) -> dict[str, str]:
    """The kind of each object, as ``ad_rights.csv`` names them."""
    objects = facts.frame("resources").filter(pl.col("provider") == PROVIDER)
    found = dict(objects.select("id", "kind").drop_nulls().rows())
    for identity, kind, subkind in facts.frame("identities").filter(pl.col("provider") == PROVIDER).select(
            "id", "kind", "subkind").iter_rows():
        found[identity] = "group" if kind == "group" else "computer" if subkind == "computer" else "user"
    return found


def _nodes(facts: Facts, build: Builder, kinds: Mapping[str, str]) -> None:
    objects = facts.frame("resources").filter(pl.col("provider") == PROVIDER).select(
        "id", "kind", "display_name", "tenant").sort(pl.all(), nulls_last=True)
    for identity, kind, label, tenant in objects.iter_rows():
        build.node(identity, "resource", label, tenant, PROVIDER)
        if is_tier0(PROVIDER, "object", kind or "") or (kind == "container" and is_tier0(PROVIDER, kind, label or "")):
            build.tier0(identity)
    for identity, kind in kinds.items():
        named = "group" if kind == "group" else "account"
        if kind in {"group", "user"} and is_tier0(PROVIDER, named, native(identity)[1]):
            build.tier0(identity)


def _members(facts: Facts, build: Builder) -> set[str]:
    """Groups, through any nesting; and everybody who signs in is an authenticated user. Gives the domain controllers,
    which keep every ticket without anything besides."""
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
    for member, group, why in signed_in(facts):
        build.node(group, "group", names.get(group))
        build.edge(member, "member_of", group, why, followed=True)
    return {member for member, group, *_ in found.iter_rows() if group.endswith(_CONTROLLERS)}


def _protected(facts: Facts, held: Iterable[Held]) -> dict[str, bool]:
    """Of the objects whose export tells it, whether they are protected from inherited rights."""
    stated = facts.frame("resources").filter((pl.col("provider") == PROVIDER) & pl.col("attributes").is_not_null())
    said = [(identity, _fields(text).get("isaclprotected"))
            for identity, text in stated.select("id", "attributes").iter_rows()]
    said += [(one.over, _fields(one.condition).get("protected")) for one in held if one.right.lower() == _CONTAINS]
    return {identity: flag for identity, flag in sorted(said, key=str) if isinstance(flag, bool)}


def _fields(text: str | None) -> dict[str, Any]:
    """An object as JSON text; nothing where it is no object."""
    found = msgspec.json.decode(text) if text else None
    return found if isinstance(found, dict) else {}


def _edge(build: Builder, one: Held, kind: str) -> None:
    gives = right_over(one.right, kind)
    if gives is not None:
        reason = f"{gives.technique}: {one.right} over it" + (f", which takes {gives.needs}" if gives.needs else "")
        build.edge(one.holder, gives.rel, one.over, reason, [one.record], proved=gives.sure and not gives.needs,
                   technique=gives.technique)


def _inside(build: Builder, one: Held, kind: str, protected: bool | None) -> None:
    """What lies in a unit, container or domain takes its rights unless it is protected, and its policies even then."""
    gives = right_over(one.right, kind)
    if gives is None or (protected and kind not in _TAKE_POLICIES):
        return
    technique = gives.technique if not protected else "have a policy applied to what lies in it"
    needs = ("an object that takes inherited rights" if protected is None
             else "a policy that may be linked above it" if protected else gives.needs)
    where = "it lies in it, protected from inherited rights" if protected else "it lies in it"
    reason = f"{technique}: {where}" + (f", which takes {needs}" if needs else "")
    build.edge(one.holder, gives.rel, one.over, reason, [one.record], proved=gives.sure and not needs,
               technique=technique)


def _trusted(build: Builder, one: Held) -> None:
    """From a domain to one that trusts it: within a forest identifiers of the other domain can be claimed, elsewhere
    only where the trust is stated not to filter them."""
    terms = _fields(one.condition)
    filters, within = terms.get("sid_filtering"), terms.get("type") in _WITHIN
    if not within and filters is not False:
        return
    technique = "sign in to the trusting domain under an identifier of its own"
    needs = "" if within and not filters else "a trust that does not filter identifiers there"
    where = "a domain of the same forest trusts it" if within else "a domain trusts it"
    build.edge(one.holder, "controls", one.over, f"{technique}: {where}" + (f", which takes {needs}" if needs else ""),
               [one.record], proved=not needs, technique=technique)


def _limited(held: Iterable[Held]) -> set[str]:
    """Objects that say what their owners may do: there an owner has that, and not every right."""
    return {one.over for one in held if native(one.holder)[1].endswith(_OWNERS) and one.right.lower() not in _OWNING}


def _replicating(build: Builder, held: Iterable[Held], kinds: Mapping[str, str], together: Together) -> None:
    """Both rights to replicate a domain, held together: then every secret of it can be read."""
    halves: dict[str, dict[str, dict[str, str]]] = defaultdict(lambda: defaultdict(dict))
    for one in held:
        if one.right.lower() in _REPLICATE and kinds.get(one.over, "domain") == "domain":
            halves[one.over][one.right.lower()].setdefault(one.holder, one.record)
    for domain, by_right in sorted(halves.items()):
        for holder, records in together(*(by_right.get(right, {}) for right in _REPLICATE)):
            build.edge(holder, "controls", domain, "replicate every secret of the domain: GetChanges and GetChangesAll "
                       "over it", records, technique="replicate every secret of the domain")
