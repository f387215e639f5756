"""Which tenants are one organisation, and what a ticket's configuration item stands for: as the customer declares.

Without a declaration every tenant stands alone, and no key of one is followed into another (decision-lineage 1, 6).
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from lineage_analytics.facts import Facts

_ARN = 6
"""Parts of an ARN: the last names the thing within its account."""
_OBJECT_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Places:
    """Declared organisations of tenants, and declared targets of configuration items."""

    def __init__(self, facts: Facts) -> None:
        listed = facts.frame("resources").filter(
            pl.col("kind").is_in(["tenant", "configuration_item"]) & pl.col("attributes").is_not_null()
            & (pl.col("provider") == "declared"))
        said = [(kind, json.loads(text)) for kind, text in listed.select("kind", "attributes").sort(
            "kind", "attributes").iter_rows()]
        self._organisation: dict[str, str] = {
            str(row["tenant"]): str(row["organisation"]) for kind, row in said if kind == "tenant"}
        self._items: dict[str, set[str]] = {}
        for kind, row in said:
            if kind == "configuration_item" and row.get("ci") and row.get("target"):
                self._items.setdefault(str(row["ci"]).casefold(), set()).update(
                    str(name) for name in (row["target"], row.get("target_written")) if name)
        written = sorted(set().union(*self._items.values()))
        aliases = facts.frame("aliases").filter(pl.col("alias").is_in(written)) if written else None
        known = dict(aliases.select("alias", "id").iter_rows()) if aliases is not None else {}
        self._meant = {item: frozenset(spelled(name) for one in names for name in (one, known.get(one, one)))
                       for item, names in self._items.items()}

    def organisation(self, tenant: str | None) -> str | None:
        """The organisation of a tenant: the tenant itself where none is declared."""
        return self._organisation.get(tenant, tenant) if tenant is not None else None

    def stands_for(self, item: str) -> frozenset[str]:
        """Every spelling of what a configuration item is; empty where the customer has not declared it."""
        return self._meant.get(item.rpartition("/")[2].casefold(), frozenset())


def spelled(name: str) -> str:
    """A name as compared: in lower case, an ARN as account and thing without its path, an object id bare."""
    text = name.strip().casefold()
    parts = text.split(":", _ARN - 1)
    if parts[0] == "arn" and len(parts) == _ARN:
        kind, _, rest = parts[-1].partition("/")
        return f"aws:{parts[4]}:{kind}/{rest.rpartition('/')[2]}" if rest else text
    return parts[-1] if _OBJECT_ID.fullmatch(parts[-1]) else text


def names_of(target: str) -> frozenset[str]:
    """What a target key names: all of it, the thing alone, and each of its parameters (a principal, a policy)."""
    provider, _, rest = target.partition(":")
    tenant, _, what = rest.partition(":")
    thing, *parameters = what.split("|")
    native = thing.partition("/")[2]
    found = [target, f"{provider}:{tenant}:{thing}", *(f"{provider}:{tenant}:{one}" for one in parameters if one),
             *(one for one in (native, *parameters) if one.startswith("arn:") or _OBJECT_ID.fullmatch(one.casefold()))]
    return frozenset(spelled(name) for name in found)
