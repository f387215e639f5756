"""One module per provider of permissions, found by its name: a new provider is one new file.

A provider module defines ``PROVIDERS`` (whose principals it answers for, as ids begin), ``decide(facts, principal,
action, resource) -> Decision`` and ``permission_rows(facts) -> DataFrame`` of ``tables.PERMISSIONS``, one row per
principal it knows something of.
"""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from typing import TYPE_CHECKING, Protocol, cast

if TYPE_CHECKING:
    import polars as pl

    from lineage_analytics.facts import Facts
    from lineage_analytics.permissions.decision import Decision


class Provider(Protocol):
    """What a provider module defines."""

    PROVIDERS: frozenset[str]

    def decide(self, facts: Facts, principal: str, action: str, resource: str) -> Decision: ...

    def permission_rows(self, facts: Facts) -> pl.DataFrame: ...


@cache
def providers() -> dict[str, Provider]:
    """Every provider module by the provider it answers for."""
    room = importlib.import_module("lineage_analytics.permissions")
    found: dict[str, Provider] = {}
    for module in sorted(pkgutil.iter_modules(room.__path__), key=lambda module: module.name):
        held = importlib.import_module(f"{room.__name__}.{module.name}")
        for name in getattr(held, "PROVIDERS", ()):
            if name in found:
                raise ValueError(f"two modules of {room.__name__} answer for {name}")
            found[name] = cast("Provider", held)
    return found
