"""Permissions of every principal of an estate, whichever provider it is of."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from lineage_analytics import tables
from lineage_analytics.permissions.providers import providers

if TYPE_CHECKING:
    from lineage_analytics.facts import Facts


def permission_table(facts: Facts) -> pl.DataFrame:
    """``tables.PERMISSIONS`` without the answers that need the access graph (``admin_equivalent``, ``admin_reason``).

    One row per identity of the estate. Of a provider that no module reads, ``granted`` is null and ``reason`` says so.
    """
    asked = sorted({id(module): module for module in providers().values()}.values(), key=lambda m: sorted(m.PROVIDERS))
    found = tables.concat([module.permission_rows(facts) for module in asked], tables.PERMISSIONS)
    others = facts.frame("identities").select("id", "provider").join(
        found, left_on="id", right_on="principal_id", how="anti").select(
        principal_id="id", reason=pl.format("no_source: no inventory of what {} permits is read",
                                            pl.col("provider").fill_null("its provider")))
    return tables.concat([found, tables.conform(others, tables.PERMISSIONS)], tables.PERMISSIONS).sort("principal_id")
