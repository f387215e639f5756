"""Whose permissions we can tell: VIS-12 (design section 3.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from lineage_analytics.metrics.catalog import metric
from lineage_analytics.metrics.population import Population, population
from lineage_analytics.metrics.unknowns import doubt, lack

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lineage_analytics.metrics.context import Context


@metric(
    "VIS-12", title="Service accounts whose permissions are resolved",
    question="Do we know what each service account may do?",
    numerator="effective permissions are known: after denies, limits and groups. Scope assigned: only what it was "
              "assigned is known, since what some role of it allows is not loaded, which is half of it",
    denominator="non-human identities; unknown where no inventory of their permissions is loaded",
    kind="census", direction="higher", green=0.97, red=0.75, refs=("PR.AA-05",),
    needs="account inventories with all policies and roles", scopes=("all", "assigned"),
    tables=("identities", "entitlements"), snapshot="identities")
def entitlement_visibility(context: Context) -> Mapping[str, Population]:
    """An account whose policies could not all be read is known not to be resolved."""
    if not context.has("entitlements"):
        return {}
    known = pl.col("granted").is_not_null()
    assigned = known & (pl.col("granted_basis") == "assigned").fill_null(value=False)
    unread = ~known & pl.col("doubt").is_not_null() & (pl.col("doubt_code").fill_null("") != "no_source")
    frame = context.objects.with_columns(
        reason=pl.when(assigned).then(pl.concat_str(pl.format("{} assignments known", "granted"), pl.when(
            pl.col("doubt").is_not_null()).then(pl.format("; {}", "doubt")).otherwise(pl.lit(""))))
        .when(known).then(pl.format("{} permissions resolved", "granted"))
        .otherwise(doubt("no inventory of its permissions is loaded")),
        lack=pl.when(~unread).then(lack(known, known)), source_rows=pl.coalesce("grants", "source_rows"))
    truths = {"all": known & ~assigned, "assigned": assigned}
    return {scope: population(frame.with_columns(truth=pl.when(known | unread).then(truth)))
            for scope, truth in truths.items()}
