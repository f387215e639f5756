"""The same actor under many names: aliases, kinds, owners, persons.

Sources state facts about identities under the ids they know. What proves two ids to be one principal makes them one:
an ARN, an object id, a login in the same tenant. A label never does, and an ARN that two immutable ids carry (deleted
and created again) belongs to the one the inventory lists.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from lineage_analytics.identities.aliases import aliases
from lineage_analytics.identities.merge import merged

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lineage_analytics.tables import Facts


@dataclass(frozen=True)
class Resolution:
    """``identities`` and ``aliases`` with the columns of ``tables.IDENTITIES ALIASES``."""

    identities: pl.DataFrame
    aliases: pl.DataFrame


def resolve(facts: Facts) -> Resolution:
    """One row per principal, and every id that means it, from ``identity_facts``. Order and split change nothing."""
    stated = facts.frame("identity_facts")
    known = aliases(stated)
    return Resolution(merged(stated, known), known)


def apply_aliases(frame: pl.LazyFrame, columns: Sequence[str], aliases: pl.DataFrame) -> pl.LazyFrame:
    """The frame with ids in the named columns replaced by the principals they mean; other ids stay."""
    if not aliases.height:
        return frame
    old, new = aliases["alias"], aliases["id"]
    return frame.with_columns(pl.col(column).replace(old, new) for column in columns)
