"""Users and roles that carry one unique id under several names, in one export: hand-made or anonymised files.

IAM gives an id once and never again. Where an export gives one to several, it names nobody: each is then known by its
own ARN, as is one whose id is not stated, so that none answers with the policies of another.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Mapping

_IDS = {"identity_facts": ("id",), "entitlements": ("principal_id", "scope"), "credentials": ("identity_id",)}
_SUBKINDS = ("iam_user", "iam_role")


def by_arn(tables: Mapping[str, pl.LazyFrame], source: str) -> dict[str, pl.LazyFrame]:
    """The tables with the ARN for the id in the rows of each such record, in policies of its own as well."""
    found = dict(tables)
    if "identity_facts" not in found:
        return found
    listed = found["identity_facts"].filter(
        (pl.col("source") == source) & pl.col("subkind").is_in(_SUBKINDS)
    ).select("id", "tenant", "record_id", file=pl.col("raw_ref").struct.field("file_sha256"),
             arn=pl.col("alt_ids").list.get(0, null_on_oob=True).struct.field("value")).drop_nulls().unique().collect()
    shared = listed.filter(pl.col("arn").n_unique().over("file", "id") > 1).select(
        "record_id", _old="id", _new=pl.format("aws:{}:{}", "tenant", "arn")).unique("record_id")
    if shared.is_empty():
        return found
    for name, columns in _IDS.items():
        if name in found:
            frame = found[name].join(shared.lazy(), on="record_id", how="left", maintain_order="left")
            found[name] = frame.with_columns(_renamed(column) for column in columns).drop("_old", "_new")
    return found


def _renamed(column: str) -> pl.Expr:
    held, old = pl.col(column), pl.col("_old")
    own = pl.concat_str("_new", held.str.slice(old.str.len_chars()))
    return pl.when(old.is_not_null() & ((held == old) | held.str.starts_with(pl.concat_str(old, pl.lit("/"))))).then(
        own).otherwise(held).alias(column)
