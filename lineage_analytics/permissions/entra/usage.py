"""What the Azure activity log shows: which operations succeeded where, and for which subscriptions it could tell."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

import polars as pl

from lineage_analytics.permissions.entra.assignments import subscription
from lineage_analytics.permissions.entra.languages import azure_covers
from lineage_analytics.permissions.entra.scopes import path_of
from lineage_analytics.permissions.lookback import too_short

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from lineage_analytics.facts import Facts
    from lineage_analytics.permissions.entra.scopes import Scopes

LOG = "azure_activity"


@dataclass
class Uses:
    """Successful operations in the look-back by actor, and what of the log is loaded.

    ``last`` holds the last successful event of an actor in all loaded logs of Microsoft.
    """

    facts: Facts
    scopes: Scopes
    done: dict[str, list[tuple[str, str]]] = field(default_factory=lambda: defaultdict(list))
    logged: set[str] = field(default_factory=set)
    last: dict[str, datetime] = field(default_factory=dict)
    spans: dict[str, tuple[datetime | None, datetime | None]] = field(default_factory=dict)

    def reason(self, tenant: str) -> str | None:
        """Why the log of a directory's callers cannot answer for the look-back; None: it can."""
        if tenant not in self.spans:
            return f"no_source: no Azure activity log of directory {tenant or 'not stated'} is loaded"
        return too_short(self.facts, f"Azure activity in directory {tenant}", *self.spans[tenant])

    def did(self, actor: str, pattern: str, excluded: Iterable[str], scope: str, tenant: str, *,
            changes: bool) -> bool:
        """Did the actor succeed with an operation a pattern covers, in the scope: a change, or a read?"""
        return any(
            operation.endswith("/read") != changes and azure_covers(pattern, operation)
            and not any(azure_covers(less, operation) for less in excluded)
            and self.scopes.within(resource, scope, tenant) is True
            for operation, resource in self.done.get(actor, ()))

    def shows(self, scope: str, tenant: str, known: Iterable[tuple[str, str]]) -> bool:
        """Would the log show a change in a scope? Of a subscription: where it has a record of it at all; of what lies
        above subscriptions: where it has of every one that is known."""
        within = subscription(scope)
        if within is not None:
            return within in self.logged
        wanted = {place for of, place in known if of == tenant and subscription(place) == place}
        return bool(wanted) and wanted <= self.logged


def uses(facts: Facts, scopes: Scopes) -> Uses:
    """The log as loaded; read once."""
    if "entra_uses" in facts.parts:
        return cast("Uses", facts.parts["entra_uses"])
    found = Uses(facts, scopes)
    spans = facts.frame("coverage").filter(
        (pl.col("source") == LOG) & (pl.col("basis") == "received") & pl.col("tenant").is_not_null()
    ).group_by("tenant").agg(pl.col("first").min(), pl.col("last").max())
    found.spans = {tenant: (first, last) for tenant, first, last in spans.iter_rows()}
    log = facts["activity"].filter((pl.col("source") == LOG) & (pl.col("time") <= facts.as_of))
    places = log.select(pl.col("resource_id").drop_nulls().unique()).collect()["resource_id"]
    found.logged = {place for one in places if (place := subscription(one)) is not None}
    operations = log.filter(
        (pl.col("outcome") == "success") & (pl.col("time") > facts.lookback_start)
        & pl.col("action").str.contains("/", literal=True)
    ).select("actor_id", "action", "resource_id").drop_nulls().unique().collect().sort(pl.all())
    for actor, action, resource in operations.iter_rows():
        found.done[actor].append((action.lower(), path_of(resource)))
    last = facts["usage"].filter(
        pl.col("provider").is_in(["entra", "m365"]) & (pl.col("successes") > 0) & (pl.col("first") <= facts.as_of)
    ).group_by("actor_id").agg(pl.col("last").max()).drop_nulls().collect()
    found.last = {actor: min(time, facts.as_of) for actor, time in last.iter_rows()}
    facts.parts["entra_uses"] = found
    return found
