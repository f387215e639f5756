"""Which principal signs in with the keys that an application holds, and which blueprint an agent was made from.

In Entra most keys lie on the application object, while its service principal, another object, signs in with them. One
record names only the application's id, so the two are brought together over all that is loaded: where exactly one
principal of the same directory has the application's id, it uses the keys and the application holds them. Agents name
their blueprint by its application id too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Mapping

SOURCE = "entra_directory"
_HOLDERS = ("application", "agent_blueprint")


def with_users_of_keys(tables: Mapping[str, pl.LazyFrame]) -> dict[str, pl.LazyFrame]:
    """The fact tables with ``identity_id`` of an application's keys the principal and ``held_by_id`` the application,
    and with the blueprint itself as ``parent_id`` of its agents."""
    found = dict(tables)
    if "identity_facts" not in found:
        return found
    facts = found["identity_facts"].filter((pl.col("source") == SOURCE) & (pl.col("basis") == "inventory")).select(
        "id", "tenant", "subkind", pl.col("subkind").is_in(_HOLDERS).fill_null(value=False).alias("holder"),
        pl.col("alt_ids").list.eval(pl.element().filter(pl.element().struct.field("kind") == "app_id"))
        .list.first().struct.field("value").alias("app_id"),
    ).filter(pl.col("app_id").is_not_null())
    if "credentials" in found:
        found["credentials"] = _used(found["credentials"], facts)
    found["identity_facts"] = _descended(found["identity_facts"], facts)
    return found


def _used(held: pl.LazyFrame, facts: pl.LazyFrame) -> pl.LazyFrame:
    users = facts.filter(~pl.col("holder")).group_by("tenant", "app_id").agg(
        pl.col("id").unique().alias("user")).filter(pl.col("user").list.len() == 1).with_columns(
        pl.col("user").list.first())
    pairs = facts.filter("holder").select("id", "tenant", "app_id").unique().join(
        users, on=["tenant", "app_id"], nulls_equal=True).select(identity_id="id", user="user").unique("identity_id")
    columns = held.collect_schema().names()
    own = (pl.col("source") == SOURCE) & pl.col("user").is_not_null()
    return held.join(pairs, on="identity_id", how="left").with_columns(
        held_by_id=pl.when(own).then("identity_id").otherwise("held_by_id"),
        identity_id=pl.when(own).then("user").otherwise("identity_id")).select(columns)


def _descended(stated: pl.LazyFrame, facts: pl.LazyFrame) -> pl.LazyFrame:
    blueprints = facts.filter(pl.col("subkind") == "agent_blueprint").select(
        pl.concat_str(pl.lit("entra:"), pl.col("tenant").fill_null(""), pl.lit(":"), "app_id").alias("parent_id"),
        pl.col("id").alias("blueprint")).group_by("parent_id").agg(pl.col("blueprint").unique()).filter(
        pl.col("blueprint").list.len() == 1).with_columns(pl.col("blueprint").list.first())
    columns = stated.collect_schema().names()
    return stated.join(blueprints, on="parent_id", how="left").with_columns(
        parent_id=pl.coalesce("blueprint", "parent_id")).select(columns)
