"""Which tenant a row belongs to that names none, once everything loaded is known: the one that all others name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Mapping

_IDS = frozenset({
    "id", "actor_id", "on_behalf_of_id", "via_assistant_id", "initiator_id", "resource_id", "target_key",
    "principal_id", "scope", "granted_by", "identity_id", "user_id",
})


def with_one_tenant(tables: Mapping[str, pl.LazyFrame], provider: str) -> dict[str, pl.LazyFrame]:
    """The tables with the provider's tenant in ``tenant`` and in every id that lacks it; as they are when its received
    records name none or several."""
    coverage = tables.get("coverage")
    if coverage is None:
        return dict(tables)
    named = coverage.filter(
        (pl.col("provider") == provider) & (pl.col("basis") == "received") & pl.col("tenant").is_not_null()
    ).select(pl.col("tenant").unique()).collect()["tenant"].to_list()
    if len(named) != 1:
        return dict(tables)
    return {name: _filled(frame, provider, named[0]) for name, frame in tables.items()}


def _filled(frame: pl.LazyFrame, provider: str, tenant: str) -> pl.LazyFrame:
    columns = frame.collect_schema().names()
    if not {"tenant", "provider"} <= set(columns):
        return frame
    prefix = f"{provider}::"
    lacking = (pl.col("provider") == provider) & pl.col("tenant").is_null()
    changes = {
        name: pl.when(lacking & pl.col(name).str.starts_with(prefix))
        .then(pl.concat_str(pl.lit(f"{provider}:{tenant}:"), pl.col(name).str.slice(len(prefix))))
        .otherwise(pl.col(name)) for name in columns if name in _IDS
    }
    return frame.with_columns(**changes, tenant=pl.when(lacking).then(pl.lit(tenant)).otherwise(pl.col("tenant")))


def renamed(steps: pl.LazyFrame, known: pl.LazyFrame, provider: str, kind: str) -> pl.LazyFrame:
    """Steps whose case is named by ``kind``, an id, with the name of the case that the row of that id has.

    ``known`` are the steps of those rows: their ``event_id`` is the id, ``native_key_kind`` and ``native_key`` the
    name. Ids that point nowhere stay.
    """
    names = known.filter(pl.col("event_id").is_not_null() & pl.col("native_key").is_not_null()).group_by(
        "event_id").agg(pl.struct("native_key_kind", "native_key").sort().first().alias("_name")).rename(
        {"event_id": "native_key"})
    lacking = (pl.col("provider") == provider) & (pl.col("native_key_kind") == kind) & pl.col("_name").is_not_null()
    name = pl.col("_name").struct
    return steps.join(names, on="native_key", how="left").with_columns(
        native_key=pl.when(lacking).then(name.field("native_key")).otherwise(pl.col("native_key")),
        native_key_kind=pl.when(lacking).then(name.field("native_key_kind")).otherwise(pl.col("native_key_kind")),
    ).drop("_name")
