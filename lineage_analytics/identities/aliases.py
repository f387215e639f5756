"""Which ids mean the same principal, what proves it, and from when to when."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import polars as pl

from lineage_analytics import tables
from lineage_analytics.identities.groups import Groups

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    # As in ALIASES: alias, id, rule, tier, valid from, valid to.
    _Row = tuple[str, str, str, int, datetime | None, datetime | None]

_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_IMMUTABLE = {
    "aws": re.compile(r"A(IDA|ROA|GPA|NPA|NVA|PKA)[A-Z0-9]{5,}|root"), "entra": _GUID, "gcp": re.compile(r"\d{6,}"),
    "okta": re.compile(r"00[A-Za-z0-9]{18}|0o[A-Za-z0-9]{18}"), "github": re.compile(r"\d+"),
    "ad": re.compile(r"(.+-)?S-1-[0-9-]+"), "gworkspace": re.compile(r"\d{10,}"),
}
"""How an id that a provider never gives twice looks; a name, an address or an ARN may come again."""

_MICROSOFT = frozenset({"entra", "m365"})
_LOGINS = frozenset({"upn", "login", "username"})
_NO_PRINCIPAL = frozenset({"application", "agent_blueprint"})
"""Objects that carry the application id of the principals made from them, and are none themselves."""

TIERS = {"arn": 5, "object_id": 5, "principal_id": 5, "sid": 5, "app_id_in_tenant": 4, "login_in_tenant": 4,
         "native_id": 4, "app_id": 4, "declared": 3}
"""What shares it proves: 5 the provider states both ids in one record, 4 a name that is unique in its tenant, or an id
stated without its tenant, 3 the customer says so."""

# Where an address that is declared without its directory belongs, first found first.
_DIRECTORIES = ("microsoft", "okta", "gworkspace", "gcp", "ad", "aws", "github")


class _Key(NamedTuple):
    """Something that two ids may share; ``rule`` says what sharing it proves."""

    rule: str
    text: str


class _Life(NamedTuple):
    created: datetime | None
    deleted: datetime | None


def aliases(facts: pl.DataFrame) -> pl.DataFrame:
    """The ALIASES rows of identity facts: every id that is not the principal's own, with rule, tier and validity.

    Of two principals that carry one name after another, each has it for its own time, where creation and deletion are
    stated; where they are not, the name belongs to the one an inventory lists, or to none.
    """
    held = _Held(frozenset(facts.filter(pl.col("basis") == "inventory")["id"]), _by_application(facts))
    keys = _keys(facts, held)
    lives = _lives(facts)
    groups = Groups()
    rules: dict[str, str] = {}
    timed: list[_Row] = []
    for key in sorted(keys):
        turns = _by_turns(keys[key], lives, key.rule, held)
        timed += turns
        ids = [] if turns else _one_principal(keys[key], held)
        for other in ids[1:]:
            groups.join(ids[0], other)
        for identity in ids:
            if rules.get(identity, "") in ("", "declared"):
                rules[identity] = key.rule
    rows: list[_Row] = []
    for members in groups.members():
        best = min(members, key=lambda identity: _rank(identity, held))
        rows += [(identity, best, rules[identity], TIERS[rules[identity]], None, None)
                 for identity in members if identity != best]
    taken = {row[0] for row in rows}
    rows += sorted({row for row in timed if row[0] not in taken}, key=repr)
    return pl.DataFrame(rows, schema=tables.ALIASES.schema, orient="row").sort("alias", "valid_from")


class _Held(NamedTuple):
    """What is known of ids beside what they look like."""

    listed: frozenset[str]
    by_application: frozenset[str]
    """Ids made of an application's id, which looks like an object's."""

    def immutable(self, identity: str) -> bool:
        return identity not in self.by_application and _is_immutable(identity)


def _by_application(facts: pl.DataFrame) -> frozenset[str]:
    columns = facts.filter(pl.col("provider").is_in(list(_MICROSOFT))).select("id", "alt_ids").unique().iter_rows()
    return frozenset(identity for identity, alt_ids in columns
                     if {"kind": "app_id", "value": _native(identity).lower()} in (alt_ids or []))


def _keys(facts: pl.DataFrame, held: _Held) -> dict[_Key, set[str]]:
    """Ids by the keys they carry."""
    keys: dict[_Key, set[str]] = {}
    addressed: dict[str, dict[str, set[str]]] = {}
    declared: dict[str, set[str]] = {}
    columns = facts.select("id", "provider", "tenant", "subkind", "alt_ids").unique().iter_rows()
    for identity, provider, tenant, subkind, alt_ids in columns:
        for kind, value in _stated(identity, provider, alt_ids, held):
            key = _key(kind, value, provider, tenant, subkind)
            if key is None and kind in _LOGINS and (provider == "declared" or provider in _MICROSOFT):
                declared.setdefault(value.casefold(), set()).add(identity)
            elif key is not None:
                keys.setdefault(key, set()).add(identity)
            if kind == "arn" and not value.endswith(":root"):  # an account's root stands for the account, not its user
                keys[_Key("arn", value)].add(_arn_id(value))
                if (short := _as_sessions_say(value)) != value:
                    keys.setdefault(_Key("arn", short), set()).update({identity, _arn_id(short)})
            if key is not None and key.rule == "login_in_tenant":
                addressed.setdefault(value.casefold(), {}).setdefault(_family(provider), set()).add(key.text)
    for login, ids in declared.items():
        where = addressed.get(login, {})
        found = next((where[family] for family in _DIRECTORIES if family in where), set())
        if len(found) == 1:  # the same address in two tenants of a directory names nobody
            keys[_Key("login_in_tenant", next(iter(found)))] |= ids
        elif len(ids) > 1:
            keys.setdefault(_Key("declared", login), set()).update(ids)
    return keys | _without_tenant(facts["id"].unique()) | _applications_without_tenant(facts, held)


def _stated(
    identity: str, provider: str, alt_ids: Iterable[dict[str, str]] | None, held: _Held
) -> set[tuple[str, str]]:
    native = _native(identity)
    stated = {(alt["kind"], alt["value"]) for alt in alt_ids or [] if alt["value"]}
    if identity in held.by_application:
        stated -= {("object_id", native)}
    elif _GUID.fullmatch(native) and (provider in _MICROSOFT or identity.startswith("entra:")):
        stated.add(("object_id", native))
    if provider == "gcp" and ":" in native:
        stated.add(("principal_id", native))
    return stated


def _family(provider: str) -> str:
    return "microsoft" if provider in _MICROSOFT else provider


def _key(kind: str, value: str, provider: str, tenant: str | None, subkind: str | None) -> _Key | None:
    """The key an alternative id is; None for one that proves nothing by itself."""
    if kind == "arn":
        return _Key("arn", value)
    if kind == "object_id":
        return _Key("object_id", value.lower())
    if kind == "sid":
        return _Key("sid", value.upper()) if provider == "ad" else None
    if kind in ("principal_id", "node_id", "puid"):
        return _Key("principal_id", f"{_family(provider)} {kind} {value.casefold()}")
    if kind == "app_id":
        of = "application" if subkind in _NO_PRINCIPAL else "principal"
        return _Key("app_id_in_tenant", f"{tenant.lower()} {of} {value.lower()}") if (
            provider in _MICROSOFT and tenant) else None
    if kind in _LOGINS and provider != "declared" and tenant:
        return _Key("login_in_tenant", f"{_family(provider)} {tenant.lower()} {value.casefold()}")
    return None


def _without_tenant(ids: pl.Series) -> dict[_Key, set[str]]:
    """Immutable ids that one export states with and another without the tenant: one where only one tenant has it."""
    tenants: dict[tuple[str, str], set[str]] = {}
    for identity in ids:
        provider, tenant, native = (*identity.split(":", 2), "", "")[:3]
        if _is_immutable(identity, whatever_tenant=True):
            tenants.setdefault((provider, native), set()).add(tenant)
    return {
        _Key("native_id", f"{provider} {native}"): {f"{provider}:{tenant}:{native}" for tenant in found}
        for (provider, native), found in tenants.items() if len(found) == 2 and "" in found
    }


def _applications_without_tenant(facts: pl.DataFrame, held: _Held) -> dict[_Key, set[str]]:
    """Application ids where an export leaves out the tenant: with the principal that states one, if the estate knows
    one principal of that application and no second directory that could hold another."""
    known = facts.filter(pl.col("provider").is_in(list(_MICROSOFT)) & ~pl.col("subkind").is_in(
        list(_NO_PRINCIPAL)).fill_null(value=False))
    if known.filter(pl.col("provider") == "entra")["tenant"].drop_nulls().str.to_lowercase().n_unique() > 1:
        return {}
    ids: dict[str, set[str]] = {}
    for identity, alt_ids in known.select("id", "alt_ids").unique().iter_rows():
        for alt in alt_ids or []:
            if alt["kind"] == "app_id" and alt["value"]:
                ids.setdefault(alt["value"].lower(), set()).add(identity)
    return {
        _Key("app_id", app): found for app, found in ids.items()
        if len({_native(identity).lower() for identity in found - held.by_application}) == 1
        and any(identity.split(":", 2)[1] == "" for identity in found)
    }


def _one_principal(ids: set[str], held: _Held) -> list[str]:
    """The ids of a key that are one principal. Two immutable ids of one provider are two principals: then the key
    belongs to the one that is listed, or to none."""
    crowded = _crowded(ids, held)
    if not crowded:
        return sorted(ids)
    out = {identity for found in crowded for identity in found}
    kept = [identity for found in crowded for identity in found if identity in held.listed]
    return sorted((ids - out) | set(kept)) if len(kept) == 1 else []


def _crowded(ids: set[str], held: _Held) -> list[list[str]]:
    by_provider: dict[str, list[str]] = {}
    for identity in sorted(filter(held.immutable, ids)):
        by_provider.setdefault(identity.split(":", 1)[0], []).append(identity)
    return [found for found in by_provider.values() if len(found) > 1]


def _by_turns(ids: set[str], lives: dict[str, _Life], rule: str, held: _Held) -> list[_Row]:
    """The name of principals that had it one after another, for each in its time; nothing where times are not stated
    or overlap."""
    crowded = _crowded(ids, held)
    names = sorted(identity for identity in ids if not held.immutable(identity))
    if len(crowded) != 1 or not names:
        return []
    known = [(identity, lives[identity]) for identity in crowded[0]]
    older = [life for _, life in known if life.created is None]  # than what is told: the first, if its end is told
    if len(older) > 1 or any(life.deleted is None for life in older):
        return []
    turns = sorted(((life.created, life.deleted, identity) for identity, life in known),
                   key=lambda turn: (turn[0] is not None, str(turn[0]), turn[2]))
    spans = [(identity, created, deleted or (turns[at + 1][0] if at + 1 < len(turns) else None))
             for at, (created, deleted, identity) in enumerate(turns)]
    overlap = any(end is None or start is None or end > start
                  for (*_, end), (_, start, _) in pairwise(spans))
    return [] if overlap else [
        (name, identity, rule, TIERS[rule], start, end) for name in names for identity, start, end in spans]


def _lives(facts: pl.DataFrame) -> dict[str, _Life]:
    found = facts.group_by("id").agg(pl.col("created_at").min(), pl.col("deleted_at").max())
    return {identity: _Life(created, deleted) for identity, created, deleted in found.iter_rows()}


def _native(identity: str) -> str:
    parts = identity.split(":", 2)
    return parts[2] if len(parts) == 3 else ""


def _arn_id(arn: str) -> str:
    """The id of a principal of which only the ARN is known."""
    parts = arn.split(":")
    return f"aws:{parts[4] if len(parts) > 4 else ''}:{arn}"


def _as_sessions_say(arn: str) -> str:
    """The ARN of a role without its path: a session's ARN drops it, and a name is unique in its account."""
    head, sort, path = arn.partition(":role/")
    return f"{head}{sort}{path.rpartition('/')[2]}" if sort else arn


def _is_immutable(identity: str, *, whatever_tenant: bool = False) -> bool:
    provider, tenant, native = (*identity.split(":", 2), "", "")[:3]
    looks = _IMMUTABLE.get(provider)
    placed = whatever_tenant or provider == "gcp" or bool(tenant)
    return looks is not None and placed and looks.fullmatch(native) is not None


def _rank(identity: str, held: _Held) -> tuple[bool, bool, bool, int, str]:
    """Smallest first: the provider's immutable id, listed before seen, the directory before its applications."""
    order = ("aws", "entra", "m365")
    provider, tenant = (*identity.split(":", 2), "")[:2]
    return (not held.immutable(identity), not tenant and provider != "gcp", identity not in held.listed,
            order.index(provider) if provider in order else len(order), identity)
