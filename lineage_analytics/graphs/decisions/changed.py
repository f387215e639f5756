"""What a change touched: production or not, tier 0 or not, by the ids its target names."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import polars as pl

from lineage_analytics.graphs.access.tier0 import is_tier0
from lineage_analytics.permissions.entra.datafiles import directory_roles

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from lineage_analytics.facts import Facts

_TARGET = re.compile(r"(?P<provider>[^:]+):(?P<tenant>[^:]*):(?P<kind>[^/|]+)/(?P<rest>.*)", re.DOTALL)
_ARN = re.compile(r"arn:[^:]*:[^:]*:[^:]*:(?P<account>[^:]*):(?P<kind>[a-z-]+)/(?:.*/)?(?P<name>[^/]+)", re.DOTALL)
_SERVICE_ACCOUNT = re.compile(r"system:serviceaccount:([^:]+):([^:]+)")
_FOLDED = ("entra", "m365", "gworkspace")
# Kinds of target whose id is that of an identity. Of others, e.g. teams, the number is one of their own.
_OF_IDENTITIES = frozenset({
    "user", "service_principal", "application", "group", "service_account", "device", "user_password", "user_lockout"})
_UNNAMED = frozenset({"clusterrolebindings", "rolebindings", "role_assignment", "access_package", "ci", "item"})
"""Kinds of target that stand for something which the target's id does not name."""


class Target(NamedTuple):
    """The parts of a target key: ``<provider>:<tenant>:<kind>/<first>|<second>...``"""

    provider: str
    tenant: str
    kind: str
    pieces: tuple[str, ...]


def target_of(key: str | None) -> Target | None:
    parts = _TARGET.fullmatch(key or "")
    if parts is None:
        return None
    return Target(parts["provider"], parts["tenant"], parts["kind"], tuple(parts["rest"].split("|")))


class Touched:
    """Environment and tier of targets. Looks at each distinct target once."""

    def __init__(self, facts: Facts) -> None:
        self._environments = _environments(facts)
        self._jewels = _jewels(facts)
        self._roles = _role_names(facts)

    def frame(self, targets: Iterable[str | None]) -> pl.DataFrame:
        """One row a distinct target: ``target_key, environment, tier0``."""
        found = sorted({target for target in targets if target is not None})
        return pl.DataFrame(
            {"target_key": found, "environment": [self.environment(one) for one in found],
             "tier0": [self.tier0(one) for one in found]},
            schema={"target_key": pl.String, "environment": pl.String, "tier0": pl.Boolean})

    def environment(self, key: str) -> str | None:
        """``prod`` where any identity the target names is in production, ``non-prod`` where those known are not; null
        where none of them says."""
        named = {self._environments[one] for one in _tokens(key) if one in self._environments}
        return "prod" if "prod" in named else next(iter(named), None)

    def tier0(self, key: str) -> bool | None:
        """Whether the target is tier 0 by the customer's list or by default; null where its id does not tell."""
        if any(token in self._jewels for token in (key.casefold(), *_tokens(key))):
            return True
        target = target_of(key)
        return None if target is None else self._by_default(target)

    def _by_default(self, target: Target) -> bool | None:
        provider, kind, pieces = target.provider, target.kind, target.pieces
        first = pieces[0]
        if provider == "entra" and kind in ("role", "role_definition"):
            return self._directory_role(target)
        if provider == "aws":
            return any(is_tier0("aws", "policy", piece) for piece in pieces)
        if provider == "gcp" and kind == "binding" and len(pieces) > 1:
            return first.startswith("cloudresourcemanager.googleapis.com/organizations/") and is_tier0(
                "gcp", "role", pieces[1])
        if provider == "ad":
            return is_tier0("ad", "group", first) or is_tier0("ad", "account", first)
        if kind in _UNNAMED:
            return None
        if provider == "k8s":
            return is_tier0("k8s", "role", f"{kind}/{first}")
        return kind == "role" and is_tier0(provider, "directory_role", first.strip("_").replace("_", " "))

    def _directory_role(self, target: Target) -> bool | None:
        """A role of the directory by its id, over all of it; or one of Azure over the root."""
        role, scope = target.pieces[0], (target.pieces[2:] or ("/",))[0]
        if scope == "azure-root" or scope.startswith(("/subscriptions/", "/providers/")):
            role = self._roles.get(("azure", role.casefold()), role)
            return scope == "azure-root" and is_tier0("azure", "role", role)
        known = directory_roles().get(role.casefold())
        name = known.name if known is not None else self._roles.get(("entra", role.casefold()))
        return None if name is None else scope in ("", "/") and is_tier0("entra", "directory_role", name)


@lru_cache(maxsize=65_536)
def _tokens(key: str) -> tuple[str, ...]:
    """What a target names, each as ``<provider>|<tenant>|<id>``, comparable with those of identities."""
    target = target_of(key)
    if target is None:
        return ()
    found = []
    for place, piece in enumerate(target.pieces):
        arn = _ARN.fullmatch(piece)
        if arn is not None:
            found.append(_token("aws", arn["account"], f"{arn['kind']}/{arn['name']}"))
        elif place or target.kind in _OF_IDENTITIES:
            found.append(_token(target.provider, target.tenant, piece))
        if not place:
            found.append(_token(target.provider, target.tenant, f"{target.kind}/{piece}"))
    return tuple(found)


def _token(provider: str, tenant: str, native: str) -> str:
    return f"{provider}|{tenant}|{native.casefold() if provider in _FOLDED else native}"


def _tokens_of(identity: str, alternatives: Iterable[str]) -> Iterator[str]:
    """The tokens by which a target may name an identity."""
    provider, _, rest = identity.partition(":")
    tenant, _, native = rest.partition(":")
    yield _token(provider, tenant, native)
    for name in (native, *alternatives):
        arn = _ARN.fullmatch(name)
        account = _SERVICE_ACCOUNT.fullmatch(name)
        if arn is not None:
            yield _token("aws", arn["account"], f"{arn['kind']}/{arn['name']}")
        elif account is not None:
            yield _token(provider, tenant, f"serviceaccounts/{account[1]}/{account[2]}")
        elif provider in ("gcp", "gworkspace"):  # their change logs name members, not ids
            yield _token(provider, tenant, name)


def _environments(facts: Facts) -> Mapping[str, str]:
    """Environment by token, of the identities that state one; production where two of one token differ."""
    rows = facts.frame("identities").filter(pl.col("environment").is_not_null()).select("id", "environment", "alt_ids")
    found: dict[str, str] = {}
    for identity, environment, alternatives in rows.iter_rows():
        for token in _tokens_of(identity, [alt["value"] for alt in alternatives or () if alt["value"]]):
            if found.get(token) != "prod":
                found[token] = environment
    return found


def _jewels(facts: Facts) -> frozenset[str]:
    """Tokens of what is declared tier 0, as written and as resolved."""
    stated = set(facts.frame("resources").filter(pl.col("tier0").fill_null(value=False))["id"].drop_nulls())
    if not stated:
        return frozenset()
    aliases = facts.frame("aliases").filter(pl.col("alias").is_in(sorted(stated)))["id"].drop_nulls()
    names = stated | set(aliases)
    others = facts.frame("identities").filter(pl.col("id").is_in(sorted(names))).select("id", "alt_ids")
    alternatives = {identity: [alt["value"] for alt in held or () if alt["value"]]
                    for identity, held in others.iter_rows()}
    tokens = {token for name in names for token in _tokens_of(name, alternatives.get(name, ()))}
    return frozenset(tokens | {name.casefold() for name in names})


def _role_names(facts: Facts) -> Mapping[tuple[str, str], str]:
    """Names of roles of the directory and of Azure by their ids, as inventories list them."""
    rows = facts.frame("resources").filter(
        (pl.col("kind") == "role") & (pl.col("provider") == "entra") & pl.col("display_name").is_not_null()).select(
        "id", "display_name").sort("id", "display_name")
    found: dict[tuple[str, str], str] = {}
    for identity, name in rows.iter_rows():
        kind, _, role = identity.split(":", 2)[-1].partition("/")
        found[("azure" if kind == "azure_role" else "entra"), role.casefold()] = name
    return found
