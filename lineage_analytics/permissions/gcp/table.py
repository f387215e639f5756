"""Permissions of every principal of Google Cloud: what the loaded policies grant it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import polars as pl

from lineage_analytics import tables
from lineage_analytics.permissions.gcp.hierarchy import MANAGER, PROVIDER, bare
from lineage_analytics.permissions.gcp.rules import book, permission, weight
from lineage_analytics.permissions.gcp.usage import usage

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lineage_analytics.facts import Facts
    from lineage_analytics.permissions.gcp.rules import GcpBook
    from lineage_analytics.permissions.gcp.usage import Age, Usage
    from lineage_analytics.permissions.roles import Held

_HEAVIEST, _MOST = 10, 20
_BASIC = frozenset({"roles/owner", "roles/editor"})


@dataclass
class Granted:
    """What reaches one principal: permissions with the scopes they are held over and since when, and what is not
    known of them; ``own``: where something is granted that is not everybody's."""

    scopes: dict[str, dict[str | None, Age]] = field(default_factory=dict)
    pairs: set[tuple[str, str | None]] = field(default_factory=set)
    records: set[str] = field(default_factory=set)
    unread: set[str] = field(default_factory=set)
    own: set[str | None] = field(default_factory=set)
    wildcard: bool = False
    conditional: bool = False

    @property
    def permissions(self) -> list[str]:
        return sorted(self.scopes)


def granted(have: GcpBook, principal: str, uses: Usage) -> Granted:
    """What a principal holds, less what is surely denied over all of the scope; what must be activated first is not
    held."""
    found, denials, everybody = Granted(), [], have.rules.everybody(principal)
    for held in have.held(principal):
        one = held.assignment
        if one.deny:
            denials.append(held)
            continue
        if one.eligible:
            continue
        found.pairs.add((one.role, one.scope))
        age = uses.age(principal, held)
        if not held.groups or held.groups[0] not in everybody:
            found.own.add(one.scope)
        found.records.update(record for record in (one.record_id, *held.records) if record)
        found.conditional |= held.conditional or one.condition is not None
        blocks = have.rules.blocks(one)
        if blocks is None or not have.whole(one):
            found.unread.add(one.role)
        names = {permission(name) for block in blocks or () for name in block.actions}
        found.wildcard |= one.condition is None and _everywhere(have, one.role, one.scope, names)
        for name in names:
            since = found.scopes.setdefault(name, {})
            since[one.scope] = max(age, since.get(one.scope, age))
    for held in denials:
        _take(have, found, held)
    return found


def _everywhere(have: GcpBook, role: str, scope: str | None, names: set[str]) -> bool:
    """A basic role over a project or more, or control over a folder or more."""
    if scope is None:
        return False
    over = have.rules.places.name(scope)
    if not over.startswith(f"{MANAGER}/"):
        return False
    return role in _BASIC or (not over.startswith(f"{MANAGER}/projects/")
                              and any(weight(name) == _HEAVIEST for name in names))


def _take(have: GcpBook, found: Granted, held: Held) -> None:
    for block in have.rules.blocks(held.assignment) or ():
        sure = not held.conditional and block.condition is None
        for name in [name for name in found.scopes if have.covers(block, name, "*")]:
            for scope in sorted(found.scopes[name], key=str):
                inside = have.rules.within(scope, held.assignment.scope) if scope is not None else None
                if inside and sure:
                    del found.scopes[name][scope]
                elif inside is not False:
                    found.conditional = True
            if not found.scopes[name]:
                del found.scopes[name]


def permission_rows(facts: Facts) -> pl.DataFrame:
    """``tables.PERMISSIONS`` of the people, service accounts and federated principals of Google Cloud.

    ``granted`` counts permissions where all that the roles allow is known (``effective``), else pairs of role and scope
    (``assigned``); null where nothing but everybody's is granted and not every policy that could is loaded, and where a
    log shows a grant over what no loaded policy is of. Use is counted of ``effective`` permissions, as ``Usage.states``
    tells; all that is ``assigned`` is unobservable. ``reason`` begins with a code: ``no_source``, ``role_missing``,
    ``lookback_too_short``, ``age_unknown``.
    """
    have = book(facts)
    uses = usage(facts, have.rules.places)
    principals = facts.frame("identities").filter(
        (pl.col("provider") == PROVIDER) & (pl.col("kind") != "group") & pl.col("id").str.starts_with("gcp::")
    )["id"].unique().sort()
    found = [_row(have, principal, uses) for principal in principals]
    frame = pl.DataFrame(found, schema_overrides=dict(tables.PERMISSIONS.schema), infer_schema_length=None,
                         schema=None if found else tables.PERMISSIONS.schema)
    return tables.conform(frame, tables.PERMISSIONS)


def _row(have: GcpBook, principal: str, uses: Usage) -> dict[str, Any]:
    row: dict[str, Any] = {"principal_id": principal, "last_used_at": uses.last.get(principal)}
    found = granted(have, principal, uses)
    if not found.own:
        missing = None if have.deleted(principal) else _unlisted(have, principal)
        nothing = {"granted": 0, "granted_basis": "effective", "sensitive_granted": 0, "unobservable": 0,
                   "weight_max": 0, "wildcard": False, "conditional": False}
        if missing or not found.pairs:
            return row | ({"reason": f"no_source: {missing}"} if missing else nothing)
    row["record_ids"] = sorted(found.records)[:_MOST]
    heaviest = max(map(weight, found.permissions), default=0)
    partly = sorted(str(scope) for scope in found.own
                    if scope is None or have.rules.places.name(scope) not in have.rules.policies)
    if partly:
        return row | {
            "reason": f"no_source: a log shows grants, the policy of {partly[0]} is not loaded",
            "wildcard": found.wildcard or None, "conditional": found.conditional or None,
            "weight_max": heaviest if heaviest == _HEAVIEST else None}
    if found.unread:
        return row | {
            "granted": len(found.pairs), "granted_basis": "assigned", "unobservable": len(found.pairs),
            "wildcard": found.wildcard or None, "conditional": found.conditional or None,
            "weight_max": heaviest if heaviest == _HEAVIEST else None,
            "reason": f"role_missing: not all is known of {', '.join(sorted(found.unread)[:3])}"}
    return row | {
        "granted": len(found.scopes), "granted_basis": "effective", "sensitive_granted": _sensitive(found.scopes),
        "weight_max": heaviest, "wildcard": found.wildcard, "conditional": found.conditional,
        **_used(principal, found, uses)}


def _used(principal: str, found: Granted, uses: Usage) -> dict[str, Any]:
    held = uses.states(principal, found.scopes)
    row: dict[str, Any] = {name: None if names is None else len(names) for name, names in (
        ("used", held.used), ("unused", held.unused), ("too_young", held.too_young),
        ("unobservable", held.unobservable))}
    row["reason"] = held.reason
    if held.unused is None or held.used is None or held.too_young is None:
        return row
    idle = sorted((name for name in held.unused if weight(name)), key=lambda name: (-weight(name), name))
    return row | {"sensitive_unused": len(idle), "unused_sensitive_actions": idle[:_MOST],
                  "sensitive_used": _sensitive(held.used), "sensitive_too_young": _sensitive(held.too_young)}


def _sensitive(names: Iterable[str]) -> int:
    return sum(weight(name) > 0 for name in names)


def _unlisted(have: GcpBook, principal: str) -> str | None:
    """What is missing before no grant means none: of a service account the policies of its project and above."""
    places = have.rules.places
    email = places.emails.get(bare(principal)) or bare(principal).removeprefix("serviceAccount:")
    project = places.project_of(email) if email.endswith(".gserviceaccount.com") else None
    if project is not None:
        return have.rules.missing(principal, f"{MANAGER}/projects/{project}")
    return "no loaded policy grants it anything, and which policies there are is not known"

