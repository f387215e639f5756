"""Organisations that some records name by login or not at all, once all that is loaded tells which they are.

Decided over everything loaded, so that the answer does not depend on how an export was cut.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Mapping

_IDS = frozenset({
    "id", "actor_id", "on_behalf_of_id", "via_assistant_id", "initiator_id", "resource_id", "target_key", "parent_id",
    "principal_id", "scope", "granted_by", "identity_id", "held_by_id", "user_id", "assistant_id", "agent_id",
})
_LISTS = frozenset({"extra_resource_ids", "via"})


def moved(tables: Mapping[str, pl.LazyFrame], provider: str,
          tenants: Mapping[str | None, str]) -> dict[str, pl.LazyFrame]:
    """The tables with the provider's rows of every tenant in ``tenants`` under its other name, in every id too."""
    found = dict(tables)
    for old, new in tenants.items():
        found = {name: _renamed(frame, provider, old, new) for name, frame in found.items()}
    return found


def only(coverage: pl.LazyFrame, provider: str) -> str | None:
    """The one tenant that the provider's received records name; None when they name none or several."""
    named = coverage.filter(
        (pl.col("provider") == provider) & (pl.col("basis") == "received") & pl.col("tenant").is_not_null()
    ).select(pl.col("tenant").unique()).collect()["tenant"].to_list()
    return named[0] if len(named) == 1 else None


def _renamed(frame: pl.LazyFrame, provider: str, old: str | None, new: str) -> pl.LazyFrame:
    columns = set(frame.collect_schema().names())
    if not columns >= {"tenant", "provider"}:
        return frame
    concerned = (pl.col("provider") == provider) & (
        pl.col("tenant").is_null() if old is None else pl.col("tenant") == old)
    prefix, named = f"{provider}:{old or ''}:", pl.lit(f"{provider}:{new}:")

    def full(held: pl.Expr) -> pl.Expr:
        return pl.when(held.str.starts_with(prefix)).then(
            pl.concat_str(named, held.str.slice(len(prefix)))).otherwise(held)

    effect = rf"^(\w+\(){re.escape(prefix)}"
    changes = {name: full(pl.col(name)) for name in columns & _IDS}
    changes |= {name: pl.col(name).list.eval(full(pl.element())) for name in columns & _LISTS}
    if "effect_key" in columns:
        held = pl.col("effect_key")
        changes["effect_key"] = pl.when(held.str.contains(effect)).then(pl.concat_str(
            held.str.extract(effect, 1), named, held.str.replace(effect, ""))).otherwise(held)
    changes["tenant"] = pl.lit(new)
    return frame.with_columns(**{
        name: pl.when(concerned).then(change).otherwise(pl.col(name)) for name, change in sorted(changes.items())})
