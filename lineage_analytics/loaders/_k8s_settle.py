"""Of which cluster a dump of RBAC objects is, which it never says: of the one whose log knows the numbers in it.

The API server gives every object a number of its own. It logs that of a service account with each of its calls, and
that of a role binding in the answer that made it. A dump that lists a number which the log of one named cluster bears
is of that cluster, and so is all else in its file; no name proves that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from lineage_analytics.loaders._k8s_names import NUMBER, PROVIDER

if TYPE_CHECKING:
    from collections.abc import Mapping

_IDS = {"identity_facts": ("id",), "entitlements": ("principal_id", "scope"), "resources": ("id",)}
_NAMELESS = f"{PROVIDER}::"
_CLUSTER = f"^{PROVIDER}:([^:]+):"
_GUID = "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"


def with_clusters(tables: Mapping[str, pl.LazyFrame], source: str) -> dict[str, pl.LazyFrame]:
    """The tables with the cluster in the rows of each dump that lists numbers of exactly one."""
    found = dict(tables)
    if not _IDS.keys() <= found.keys():
        return found
    clusters = _clusters(pl.concat([_accounts(found["identity_facts"]), _bindings(found["entitlements"])]), source)
    if clusters.is_empty():
        return found
    placed = pl.concat([found[name].filter(pl.col("source") == source).select(
        "record_id", file=pl.col("raw_ref").struct.field("file_sha256")) for name in _IDS]).drop_nulls().unique()
    records = placed.join(clusters.lazy(), on="file").select("record_id", "_cluster")
    for name, columns in _IDS.items():
        found[name] = _named(found[name], records, columns, source)
    return found


def _accounts(facts: pl.LazyFrame) -> pl.LazyFrame:
    """The numbers of service accounts, with the ids that bear them."""
    return facts.filter(pl.col("id").str.starts_with(f"{PROVIDER}:")).select(
        "id", "source", "raw_ref", "alt_ids").explode("alt_ids").filter(
            pl.col("alt_ids").struct.field("kind") == NUMBER).select(
                "id", "source", "raw_ref", number=pl.col("alt_ids").struct.field("value"))


def _bindings(grants: pl.LazyFrame) -> pl.LazyFrame:
    """The numbers of role bindings, with the ids of those they bind."""
    bound = pl.col("principal_id").str.starts_with(f"{PROVIDER}:") & pl.col("grant_id").str.contains(_GUID)
    return grants.filter(bound).select("source", "raw_ref", id="principal_id", number="grant_id").select(
        "id", "source", "raw_ref", "number")


def _clusters(numbered: pl.LazyFrame, source: str) -> pl.DataFrame:
    """The cluster by file, of files whose numbers one named cluster has logged."""
    held = numbered.select("source", "number", file=pl.col("raw_ref").struct.field("file_sha256"),
                           _cluster=pl.col("id").str.extract(_CLUSTER)).unique().collect()
    listed = held.filter((pl.col("source") == source) & pl.col("_cluster").is_null() & pl.col("file").is_not_null())
    heard = held.filter(pl.col("_cluster").is_not_null()).select("number", "_cluster").unique()
    told = listed.select("file", "number").join(heard, on="number").select("file", "_cluster").unique()
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
