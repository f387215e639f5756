"""Permissions of every Entra principal: what is granted, and what the Azure activity log shows of its use."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import polars as pl

from lineage_analytics import tables
from lineage_analytics.permissions.entra.assignments import OWNER, PROVIDER
from lineage_analytics.permissions.entra.book import estate
from lineage_analytics.permissions.entra.datafiles import (
    azure_weight,
    directory_power,
    directory_roles,
    permission_weight,
)
from lineage_analytics.permissions.entra.definitions import DataBlock
from lineage_analytics.permissions.entra.languages import AZURE, DIRECTORY, PERMISSION, azure_covers
from lineage_analytics.permissions.entra.objects import tenant_of
from lineage_analytics.permissions.entra.scopes import GROUPS, ROOT, path_of
from lineage_analytics.permissions.entra.usage import Uses, uses

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from lineage_analytics.facts import Facts
    from lineage_analytics.permissions.entra.book import Estate
    from lineage_analytics.permissions.roles import Block, Held

_MOST = 20
READ, CHANGE = "read", "change"
_APPLICATION = ("no_source: an application signs in as its service principal, which is what permissions are granted to")
_UNLISTED = "no_source: no inventory lists it, and none grants it anything"
_NO_LOG = "no_source: no log that is read names the permission by which something was done"


@dataclass(frozen=True, slots=True)
class Unit:
    """One permission: an action pattern, a permission or a role, over a scope.

    An Azure pattern that covers reading and changing is two, since the activity log shows changes only; ``part`` says
    which, empty for what is no Azure action.
    """

    language: str
    name: str
    scope: str
    part: str = ""
    data: bool = False


@dataclass
class Seen:
    """What is known of a unit: its weight, whether it is sure, when it began, the exclusions that go with it."""

    weight: int
    sure: bool = False
    since: list[datetime | None] = field(default_factory=list)
    excluded: tuple[str, ...] = ()


@dataclass
class Effective:
    """What a principal is granted."""

    units: dict[Unit, Seen] = field(default_factory=dict)
    whole: bool = True
    unread: bool = False
    conditional: bool = False
    wildcard: bool = False
    weight: int = 0
    records: set[str] = field(default_factory=set)


def permission_rows(facts: Facts) -> pl.DataFrame:
    """``tables.PERMISSIONS`` of the Entra identities of the estate.

    ``granted`` counts distinct pairs of an action pattern, an application permission, an ownership or (where what it
    allows is not known: ``granted_basis`` assigned) a role, and a scope; an Azure pattern that covers reading and
    changing counts as two. It is null for who is only seen in logs and granted nothing, and where no inventory of role
    assignments, and for service principals of application permissions, of the directory is loaded. ``used`` and
    ``unused`` speak of changes by Azure patterns in subscriptions whose activity log spans the look-back; everything
    else granted is ``unobservable``. ``reason`` begins with ``no_source``, ``lookback_too_short`` or ``age_unknown``.
    """
    have = estate(facts)
    people = facts.frame("identities").filter(pl.col("provider") == PROVIDER).select(
        "id", "created_at", pl.col("inventoried").fill_null(value=False)).sort("id")
    if people.is_empty():
        return tables.PERMISSIONS.empty()
    log = uses(facts, have.scopes)
    rows = [_row(have, log, identity, created, listed=listed) for identity, created, listed in people.iter_rows()]
    frame = pl.DataFrame(rows, schema_overrides=dict(tables.PERMISSIONS.schema), infer_schema_length=None)
    return tables.conform(frame, tables.PERMISSIONS)


def effective(have: Estate, principal: str) -> Effective:
    """What a principal is granted in the three languages, after denials that take away whole patterns."""
    found = Effective()
    denied = []
    for language in (DIRECTORY, PERMISSION, AZURE):
        book = have.books[language]
        for held in book.held(principal):
            if held.assignment.deny:
                denied += [(held, block) for block in book.rules.blocks(held.assignment) or ()]
            elif not (language == DIRECTORY and held.assignment.scope is None):
                _add(have, found, held, language)
    for unit in list(found.units) if denied else ():
        if unit.language == AZURE and any(_takes(have, held, block, unit) for held, block in denied):
            del found.units[unit]
    return found


def _takes(have: Estate, held: Held, block: Block, unit: Unit) -> bool:
    """Does a denial surely take away all of a unit?"""
    over = path_of(held.assignment.scope or "")
    return (isinstance(block, DataBlock) == unit.data and not block.excluded and not held.conditional
            and not held.assignment.condition
            and any(azure_covers(pattern, unit.name) for pattern in block.actions)
            and have.scopes.within(unit.scope, over, tenant_of(held.assignment.holder)) is True)


def _add(have: Estate, found: Effective, held: Held, language: str) -> None:
    one = held.assignment
    sure = not (one.eligible or one.doubt or one.condition or held.conditional)
    found.conditional |= not sure
    found.records.update(record for record in (one.record_id, *held.records) if record)
    scope = path_of(one.scope or "") if language == AZURE else one.scope or "/"
    for unit, weight, excluded in _units(have, found, held, language, scope):
        seen = found.units.setdefault(unit, Seen(weight, excluded=excluded))
        seen.weight = max(seen.weight, weight)
        seen.sure |= sure
        seen.excluded = tuple(sorted(set(seen.excluded) & set(excluded)))
        seen.since.append(have.grants.since.get(one.record_id))
        found.weight = max(found.weight, weight)
        found.wildcard |= sure and _wild(unit)


def _units(have: Estate, found: Effective, held: Held, language: str,
           scope: str) -> Iterator[tuple[Unit, int, tuple[str, ...]]]:
    one = held.assignment
    if language == PERMISSION:
        yield Unit(language, one.role, scope), permission_weight(one.role), ()
        return
    if language == DIRECTORY:
        built_in = directory_roles().get(one.role.casefold())
        if built_in is not None:
            found.weight = max(found.weight, built_in.weight)
        elif (tenant_of(one.holder), one.role.casefold()) in have.names.privileged:
            found.weight = 10
    if one.role.startswith(OWNER):
        assignable = one.scope in have.protected.assignable
        yield Unit(language, one.role, scope), 3 if one.role.endswith("group") and not assignable else 10, ()
        return
    book = have.books[language]
    blocks = book.rules.blocks(one)
    if blocks is None or not book.whole(one):
        found.whole = False
        found.unread |= blocks is None
        yield Unit(language, one.role, scope), _known_weight(one.role, language, blocks or ()), ()
        return
    for block in blocks:
        for pattern in block.actions:
            if language == DIRECTORY:
                weight = 10 if pattern == "*" else max((power.weight for power in directory_power(pattern)), default=0)
                yield Unit(language, pattern, scope), weight, ()
            else:
                data = isinstance(block, DataBlock)
                weight = azure_weight(pattern, data)
                yield from ((Unit(language, pattern, scope, part, data), weight if part == CHANGE or data else 0,
                             block.excluded) for part in _parts(pattern))


def _known_weight(role: str, language: str, blocks: tuple[Block, ...]) -> int:
    if language == DIRECTORY:
        known = directory_roles().get(role.casefold())
        return known.weight if known is not None else 0
    return max((azure_weight(pattern, isinstance(block, DataBlock)) for block in blocks for pattern in block.actions),
               default=0)


def _parts(pattern: str) -> tuple[str, ...]:
    """Whether an Azure pattern covers reading, changing or both."""
    last = pattern.casefold().rsplit("/", 1)[-1]
    if last == "read":
        return (READ,)
    return (CHANGE,) if last in {"write", "delete", "action"} else (READ, CHANGE)


def _wild(unit: Unit) -> bool:
    """An action wildcard over a subscription or more, everything in the directory, or a permission to write all."""
    if unit.language == AZURE:
        wide = unit.scope == ROOT or unit.scope.startswith(GROUPS) or unit.scope.count("/") == 2
        return wide and not unit.data and unit.part == CHANGE and unit.name.casefold() in {"*", "*/write", "*/*"}
    if unit.language == DIRECTORY:
        return unit.name == "*" and unit.scope == "/"
    named = unit.name.casefold()
    return named.endswith(".all") and (".readwrite." in named or ".fullcontrol." in named)


def _row(have: Estate, log: Uses, identity: str, created: datetime | None, *, listed: bool) -> dict[str, Any]:
    tenant, known = tenant_of(identity), have.objects.by_id[identity]
    row: dict[str, Any] = {"principal_id": identity, "last_used_at": log.last.get(identity)}
    if known.sort == "application":
        return row | {"reason": _APPLICATION}
    found = effective(have, identity)
    row["record_ids"] = sorted(found.records)[:_MOST]
    says = have.books[DIRECTORY].rules.missing(identity, f"{tenant}|*")
    if says is not None:
        return row | {"reason": f"no_source: {says}", "wildcard": found.wildcard or None,
                      "conditional": found.conditional or None, "weight_max": 10 if found.weight == 10 else None}
    if not listed and not found.units:
        return row | {"reason": _UNLISTED}
    sensitive = {unit for unit, seen in found.units.items() if seen.weight}
    row |= {"granted": len(found.units), "granted_basis": "effective" if found.whole else "assigned",
            "sensitive_granted": len(sensitive), "weight_max": found.weight, "conditional": found.conditional,
            "wildcard": None if found.unread and not found.wildcard else found.wildcard}
    return row | _states(have, log, found, sensitive, tenant, created, identity)


def _states(have: Estate, log: Uses, found: Effective, sensitive: set[Unit], tenant: str, created: datetime | None,
            identity: str) -> dict[str, Any]:
    """Used, unused, too young and unobservable among what is granted."""
    azure = {unit for unit in found.units if unit.language == AZURE}
    if not azure:
        return {"unobservable": len(found.units), "reason": _NO_LOG}
    if (short := log.reason(tenant)) is not None:
        missing = short.startswith("no_source")
        return {"reason": short, "unobservable": len(found.units) if missing else None}
    used = {unit for unit in azure if log.did(identity, unit.name, found.units[unit].excluded, unit.scope, tenant,
                                              changes=unit.part == CHANGE) and not unit.data}
    shown = {unit for unit in azure - used if unit.part == CHANGE and not unit.data
             and log.shows(unit.scope, tenant, have.grants.subscriptions)}
    if not used and not shown:
        return {"unobservable": len(found.units), "reason": _NO_LOG}
    row: dict[str, Any] = {"used": len(used), "unobservable": len(found.units) - len(used) - len(shown)}
    ages = {unit: _old(found.units[unit].since, created, have.facts.lookback_start) for unit in shown}
    if None in ages.values():
        return row | {"reason": "age_unknown: when a role was assigned, and when its holder was created, is not stated"}
    unused = {unit for unit, old in ages.items() if old}
    idle = sorted(unused & sensitive, key=lambda unit: (-found.units[unit].weight, unit.name, unit.scope))
    return row | {"unused": len(unused), "too_young": len(shown) - len(unused), "sensitive_unused": len(idle),
                  "sensitive_used": len(used & sensitive), "sensitive_too_young": len((shown - unused) & sensitive),
                  "unused_sensitive_actions": list(dict.fromkeys(unit.name for unit in idle))[:_MOST]}


def _old(since: list[datetime | None], created: datetime | None, start: datetime) -> bool | None:
    """Was it granted before the look-back? A grant without a date is as old as its holder."""
    dates = [one for one in since if one is not None]
    if any(one <= start for one in dates):
        return True
    if len(dates) == len(since):
        return False
    return None if created is None else created <= start
