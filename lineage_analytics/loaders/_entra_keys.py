"""Which principal signs in with the keys that an application holds.

In Entra most keys lie on the application object, while its service principal, another object, signs in with them. One
record names only the application's id, so the two are brought together over all that is loaded: where exactly one
principal of the same directory has the application's id, it uses the keys and the application holds them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Mapping

SOURCE = "entra_directory"
_HOLDERS = ("application", "agent_blueprint")


def with_users_of_keys(tables: Mapping[str, pl.LazyFrame]) -> dict[str, pl.LazyFrame]:
    """The fact tables with ``identity_id`` of an application's keys the principal, ``held_by_id`` the application."""
    found = dict(tables)
    if not {"credentials", "identity_facts"} <= set(found):
        return found
    facts = found["identity_facts"].filter((pl.col("source") == SOURCE) & (pl.col("basis") == "inventory")).select(
        "id", "tenant", pl.col("subkind").is_in(_HOLDERS).fill_null(value=False).alias("holder"),
        pl.col("alt_ids").list.eval(pl.element().filter(pl.element().struct.field("kind") == "app_id"))
        .list.first().struct.field("value").alias("app_id"),
    ).filter(pl.col("app_id").is_not_null())
    users = facts.filter(~pl.col("holder")).group_by("tenant", "app_id").agg(
        pl.col("id").unique().alias("user")).filter(pl.col("user").list.len() == 1).with_columns(
        pl.col("user").list.first())
    pairs = facts.filter("holder").select("id", "tenant", "app_id").unique().join(
        users, on=["tenant", "app_id"], nulls_equal=True).select(identity_id="id", user="user").unique("identity_id")
    held = found["credentials"]
    columns = held.collect_schema().names()
    own = (pl.col("source") == SOURCE) & pl.col("user").is_not_null()
    found["credentials"] = held.join(pairs, on="identity_id", how="left").with_columns(
        held_by_id=pl.when(own).then("identity_id").otherwise("held_by_id"),
        identity_id=pl.when(own).then("user").otherwise("identity_id")).select(columns)
    return found
