"""Which ids mean the same principal, and what proves it."""

from __future__ import annotations

import re
from typing import NamedTuple

import polars as pl

from lineage_analytics import tables

_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_AWS_UNIQUE = re.compile(r"A(IDA|ROA|GPA|NPA|NVA|PKA)[A-Z0-9]{5,}|root")
_LOGINS = frozenset({"upn", "login"})
_MICROSOFT = frozenset({"entra", "m365"})
_TIERS = {"arn": 5, "object_id": 5, "login_in_tenant": 4, "declared": 3}


class _Key(NamedTuple):
    """Something that two ids may share; ``rule`` says what sharing it proves."""

    rule: str
    text: str


def aliases(facts: pl.DataFrame) -> pl.DataFrame:
    """The ALIASES rows of identity facts: every id that is not the principal's own, with rule and tier."""
    keys, listed = _keys(facts)
    groups = _Groups()
    rules: dict[str, str] = {}
    for key in sorted(keys):
        ids = _one_principal(keys[key], listed)
        for other in ids[1:]:
            groups.join(ids[0], other)
        for identity in ids:
            if rules.get(identity, "") in ("", "declared"):
                rules[identity] = key.rule
    rows = []
    for members in groups.members():
        best = min(members, key=lambda identity: _rank(identity, listed))
        rows += [(identity, best, rules[identity], _TIERS[rules[identity]]) for identity in members if identity != best]
    return pl.DataFrame(rows, schema=tables.ALIASES.schema, orient="row").sort("alias")


def _keys(facts: pl.DataFrame) -> tuple[dict[_Key, set[str]], frozenset[str]]:
    """Ids by the keys they carry, and the ids an inventory lists."""
    keys: dict[_Key, set[str]] = {}
    addressed: dict[str, set[str]] = {}
    declared: dict[str, set[str]] = {}
    columns = facts.select("id", "provider", "tenant", "alt_ids").unique().iter_rows()
    for identity, provider, tenant, alt_ids in columns:
        native = _native(identity)
        stated = {(alt["kind"], alt["value"]) for alt in alt_ids or [] if alt["value"]}
        if _GUID.fullmatch(native) and (provider in _MICROSOFT or identity.startswith("entra:")):
            stated.add(("object_id", native))
        for kind, value in stated:
            if kind == "arn":
                key = _Key("arn", value)
                keys.setdefault(key, set()).add(identity)
                if not value.endswith(":root"):  # trusting an account's root means the account, not its root user
                    keys[key].add(_arn_id(value))
            elif kind == "object_id":
                keys.setdefault(_Key("object_id", value.lower()), set()).add(identity)
            elif kind in _LOGINS:
                login = value.casefold()
                if provider in _MICROSOFT and tenant:
                    keys.setdefault(_Key("login_in_tenant", f"{tenant.lower()} {login}"), set()).add(identity)
                    addressed.setdefault(login, set()).add(tenant.lower())
                else:
                    declared.setdefault(login, set()).add(identity)
    for login, ids in declared.items():
        tenants = addressed.get(login, set())
        if len(tenants) == 1:  # the same address in two tenants names nobody
            keys[_Key("login_in_tenant", f"{next(iter(tenants))} {login}")] |= ids
        elif len(ids) > 1:
            keys.setdefault(_Key("declared", login), set()).update(ids)
    inventory = facts.filter(pl.col("basis") == "inventory")["id"]
    return keys, frozenset(inventory)


def _one_principal(ids: set[str], listed: frozenset[str]) -> list[str]:
    """The ids of a key that are one principal. Two immutable ids of one provider are two principals: then the key
    belongs to the one that is listed, or to none."""
    immutable = sorted(identity for identity in ids if _is_immutable(identity))
    by_provider: dict[str, list[str]] = {}
    for identity in immutable:
        by_provider.setdefault(identity.split(":", 1)[0], []).append(identity)
    crowded = [found for found in by_provider.values() if len(found) > 1]
    if not crowded:
        return sorted(ids)
    out = {identity for found in crowded for identity in found}
    kept = [identity for found in crowded for identity in found if identity in listed]
    return sorted((ids - out) | set(kept)) if len(kept) == 1 else []


def _native(identity: str) -> str:
    parts = identity.split(":", 2)
    return parts[2] if len(parts) == 3 else ""


def _arn_id(arn: str) -> str:
    """The id of a principal of which only the ARN is known."""
    parts = arn.split(":")
    return f"aws:{parts[4] if len(parts) > 4 else ''}:{arn}"


def _is_immutable(identity: str) -> bool:
    provider, native = identity.split(":", 1)[0], _native(identity)
    return bool(_AWS_UNIQUE.fullmatch(native)) if provider == "aws" else bool(
        provider == "entra" and identity.split(":", 2)[1] and _GUID.fullmatch(native))


def _rank(identity: str, listed: frozenset[str]) -> tuple[bool, bool, int, str]:
    """Smallest first: the provider's immutable id, listed before seen, the directory before its applications."""
    order = ("aws", "entra", "m365")
    provider = identity.split(":", 1)[0]
    return (not _is_immutable(identity), identity not in listed,
            order.index(provider) if provider in order else len(order), identity)


class _Groups:
    """Disjoint sets of ids."""

    def __init__(self) -> None:
        self._parent: dict[str, str] = {}

    def _root(self, identity: str) -> str:
        parent = self._parent.setdefault(identity, identity)
        while parent != self._parent[parent]:
            self._parent[identity] = self._parent[parent]
            identity = parent = self._parent[parent]
        return parent

    def join(self, one: str, other: str) -> None:
        first, second = sorted((self._root(one), self._root(other)))
        self._parent[second] = first

    def members(self) -> list[list[str]]:
        found: dict[str, list[str]] = {}
        for identity in sorted(self._parent):
            found.setdefault(self._root(identity), []).append(identity)
        return list(found.values())
