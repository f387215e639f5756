"""The same actor under many names: aliases, kinds, owners, persons.

Sources state facts about identities under the ids they know. What proves two ids to be one principal makes them one:
an ARN, an object id, a login in the same tenant. A label never does, and an ARN that two immutable ids carry (deleted
and created again) belongs to the one the inventory lists, or to each in its time where those are stated.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING, Any

import polars as pl

from lineage_analytics.identities.aliases import aliases
from lineage_analytics.identities.merge import merged
from lineage_analytics.identities.persons import accounts, with_persons
from lineage_analytics.identities.who import Who, who

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lineage_analytics.facts import Facts

__all__ = ["Resolution", "Who", "apply_aliases", "resolve", "who"]


@dataclass(frozen=True)
class Resolution:
    """``identities``, ``aliases`` and ``accounts`` with the columns of ``tables.IDENTITIES ALIASES ACCOUNTS``."""

    identities: pl.DataFrame
    aliases: pl.DataFrame
    accounts: pl.DataFrame


def resolve(facts: Facts) -> Resolution:
    """One row per principal, and every id that means it, from ``identity_facts``. Order and split change nothing."""
    stated = facts.frame("identity_facts")
    known = aliases(stated)
    found = merged(stated, current(known))
    joined = accounts(found)
    return Resolution(with_persons(found, joined), known, joined)


def apply_aliases(
    frame: pl.LazyFrame, columns: Sequence[str], aliases: pl.DataFrame, time: str | None = None
) -> pl.LazyFrame:
    """The frame with ids in the named columns replaced by the principals they mean; other ids stay.

    ``time`` names the column that says when, for ids that meant one principal after another; without it they mean the
    last.
    """
    if not aliases.height:
        return frame
    timed = aliases.filter(pl.col("valid_from").is_not_null() | pl.col("valid_to").is_not_null())
    lasting = current(aliases)
    if time is None or not timed.height:
        return frame.with_columns(pl.col(column).replace(lasting["alias"], lasting["id"]) for column in columns)
    lasting = lasting.join(timed, on="alias", how="anti")
    return frame.with_columns(
        reduce(lambda found, row: _in_time(found, column, time, row), timed.iter_rows(named=True),
               pl.col(column).replace(lasting["alias"], lasting["id"])).alias(column)
        for column in columns)


def _in_time(found: pl.Expr, column: str, time: str, row: dict[str, Any]) -> pl.Expr:
    holds: pl.Expr = pl.col(column) == row["alias"]
    if row["valid_from"] is not None:
        holds &= pl.col(time) >= row["valid_from"]
    if row["valid_to"] is not None:
        holds &= pl.col(time) < row["valid_to"]
    return pl.when(holds).then(pl.lit(row["id"])).otherwise(found)


def current(aliases: pl.DataFrame) -> pl.DataFrame:
    """Of each alias the principal it means last."""
    return aliases.sort("alias", "valid_from", nulls_last=False).unique("alias", keep="last", maintain_order=True)
