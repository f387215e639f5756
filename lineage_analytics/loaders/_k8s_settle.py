"""Of which cluster a dump of RBAC objects is, which it never says: of the one whose log knows its service accounts.

The API server gives every service account a number of its own and logs it with each call. A dump that lists a number
which calls of one named cluster bear is of that cluster, and so is all else in its file; no name proves that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from lineage_analytics.loaders._k8s_names import NUMBER, PROVIDER

if TYPE_CHECKING:
    from collections.abc import Mapping

_IDS = {"identity_facts": ("id",), "entitlements": ("principal_id", "scope"), "resources": ("id",)}
_NAMELESS = f"{PROVIDER}::"


def with_clusters(tables: Mapping[str, pl.LazyFrame], source: str) -> dict[str, pl.LazyFrame]:
    """The tables with the cluster in the rows of each dump that lists numbers of exactly one."""
    found = dict(tables)
    if not _IDS.keys() <= found.keys():
        return found
    clusters = _clusters(found["identity_facts"], source)
    if clusters.is_empty():
        return found
    placed = pl.concat([found[name].filter(pl.col("source") == source).select(
        "record_id", file=pl.col("raw_ref").struct.field("file_sha256")) for name in _IDS]).drop_nulls().unique()
    records = placed.join(clusters.lazy(), on="file").select("record_id", "_cluster")
    for name, columns in _IDS.items():
        found[name] = _named(found[name], records, columns, source)
    return found


def _clusters(facts: pl.LazyFrame, source: str) -> pl.DataFrame:
    """The cluster by file, of files whose numbers one named cluster has logged."""
    numbered = facts.filter(pl.col("provider") == PROVIDER).select(
        "tenant", "source", "alt_ids", file=pl.col("raw_ref").struct.field("file_sha256")).explode("alt_ids").unnest(
        "alt_ids").filter(pl.col("kind") == NUMBER).unique().collect()
    listed = numbered.filter((pl.col("source") == source) & pl.col("tenant").is_null() & pl.col("file").is_not_null())
    heard = numbered.filter(pl.col("tenant").is_not_null()).select("value", _cluster="tenant").unique()
    told = listed.select("file", "value").join(heard, on="value").select("file", "_cluster").unique()
    return told.filter(pl.col("_cluster").n_unique().over("file") == 1).sort("file")


def _named(frame: pl.LazyFrame, records: pl.LazyFrame, columns: tuple[str, ...], source: str) -> pl.LazyFrame:
    """The rows of these records with their cluster, also in ids."""
    schema = frame.collect_schema().names()
    lacking = pl.col("_cluster").is_not_null() & (pl.col("source") == source) & pl.col("tenant").is_null()
    changes = {
        name: pl.when(lacking & pl.col(name).str.starts_with(_NAMELESS)).then(pl.concat_str(
            pl.lit(f"{PROVIDER}:"), "_cluster", pl.lit(":"), pl.col(name).str.slice(len(_NAMELESS))))
        .otherwise(pl.col(name)) for name in columns}
    return frame.join(records, on="record_id", how="left", maintain_order="left").with_columns(
        **changes, tenant=pl.when(lacking).then("_cluster").otherwise("tenant")).select(schema)
