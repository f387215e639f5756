"""Which directory a record belongs to that does not say so, once everything loaded is known.

A Graph ``directoryAudits`` object of the core directory states no tenant; records of PIM, of diagnostic settings and
of Sentinel do. One record or one file cannot decide it without making the answer depend on how an export was cut, so
it is decided over all that is loaded: if the Entra records name exactly one directory, those that name none are of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Mapping

_PREFIX = "entra::"
_IDS = frozenset({
    "id", "actor_id", "on_behalf_of_id", "via_assistant_id", "initiator_id", "resource_id", "target_key",
    "principal_id", "scope", "granted_by", "identity_id", "parent_id", "held_by_id",
})
_LISTS = frozenset({"via", "extra_resource_ids"})
_EFFECT = r"^(\w+\()entra::"


def directory(coverage: pl.LazyFrame) -> str | None:
    """The one directory that received Entra records name; None when they name none or several."""
    named = coverage.filter(
        (pl.col("provider") == "entra") & (pl.col("basis") == "received") & pl.col("tenant").is_not_null()
    ).select(pl.col("tenant").unique()).collect()["tenant"].to_list()
    return named[0] if len(named) == 1 else None


def with_directory(tables: Mapping[str, pl.LazyFrame]) -> dict[str, pl.LazyFrame]:
    """The fact tables with the directory filled in, in ``tenant`` and in every id, where it follows (see above).

    To be called on tables as stored, before usage and coverage are merged and identities resolved. Rows that state
    their directory, and rows of other providers, stay as they are; so does everything when several directories are
    loaded.
    """
    found = directory(tables["coverage"]) if "coverage" in tables else None
    if found is None:
        return dict(tables)
    return {name: _filled(frame, found) for name, frame in tables.items()}


def _filled(frame: pl.LazyFrame, tenant: str) -> pl.LazyFrame:
    columns = frame.collect_schema().names()
    if not {"tenant", "provider"} <= set(columns):
        return frame
    lacking = (pl.col("provider") == "entra") & pl.col("tenant").is_null()
    named = pl.lit(f"entra:{tenant}:")
    changes = {
        name: pl.when(lacking & pl.col(name).str.starts_with(_PREFIX))
        .then(pl.concat_str(named, pl.col(name).str.slice(len(_PREFIX)))).otherwise(pl.col(name))
        for name in columns if name in _IDS
    }
    for name in sorted(_LISTS.intersection(columns)):
        element = pl.element()
        filled = pl.when(element.str.starts_with(_PREFIX)).then(
            pl.concat_str(named, element.str.slice(len(_PREFIX)))).otherwise(element)
        changes[name] = pl.when(lacking).then(pl.col(name).list.eval(filled)).otherwise(pl.col(name))
    if "owner" in columns:
        owner = pl.element().struct.field("id")
        full = pl.when(owner.str.starts_with(_PREFIX)).then(
            pl.concat_str(named, owner.str.slice(len(_PREFIX)))).otherwise(owner)
        changes["owner"] = pl.when(lacking).then(pl.col("owner").list.eval(pl.struct(
            full.alias("id"), pl.element().struct.field("basis")))).otherwise(pl.col("owner"))
    if "effect_key" in columns:
        effect = pl.col("effect_key")
        changes["effect_key"] = pl.when(lacking & effect.str.contains(_EFFECT)).then(
            pl.concat_str(effect.str.extract(_EFFECT, 1), named, effect.str.replace(_EFFECT, ""))).otherwise(effect)
    tenants = pl.when(lacking).then(pl.lit(tenant)).otherwise(pl.col("tenant"))
    return frame.with_columns(**changes, tenant=tenants)
