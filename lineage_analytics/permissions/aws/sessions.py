"""Policies a session was started with: of what its role may do they leave only what they allow as well."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from lineage_analytics.permissions.aws.organisation import Limit
from lineage_analytics.permissions.aws.policies import NEEDED, Statement, statement

if TYPE_CHECKING:
    from lineage_analytics.facts import Facts

_ORIGIN = "session_policy"


def session_limits(facts: Facts, session: str) -> tuple[Limit, ...]:
    """The policies of the newest session of that ARN on record that was started with any; none: no record of one.

    They are alternatives: what one of them allows the session may do.
    """
    rows = facts.frame("entitlements").filter(pl.col("provider") == "aws")
    held = rows.filter((pl.col("grant_kind") == "boundary") & (pl.col("origin") == _ORIGIN)
                       & pl.col("principal_id").str.ends_with(f":{session}"))
    newest = held.filter(pl.col("granted_at") == pl.col("granted_at").max()).select(
        "scope", "privilege", "record_id").drop_nulls("scope").unique().sort(pl.all())
    return tuple(_limit(rows, scope, name or scope, record or "") for scope, name, record in newest.iter_rows())


def _limit(rows: pl.DataFrame, policy: str, name: str, record: str) -> Limit:
    said = [statement(row, name) for row in rows.filter(
        (pl.col("grant_kind") == "statement") & (pl.col("principal_id") == policy)).select(NEEDED).unique().iter_rows()]
    read: list[Statement] = [one for one in said if one is not None]
    unread = None if said and None not in said else f"policy {name} of the session is missing or unreadable"
    return Limit(f"the session's policy {name}", tuple(read), unread, (record,) if record else ())
