"""What only all exports of privileged identity management together can tell: of the directory and of Azure alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import polars as pl

from lineage_analytics.loaders._azure_objects import BUILT_IN as AZURE_ROLES
from lineage_analytics.loaders._entra_roles import BUILT_IN

if TYPE_CHECKING:
    from collections.abc import Iterator

_SOURCES = ("entra_pim", "azure_rbac")
_EVERYWHERE = ("/", "")


def with_requests(steps: pl.LazyFrame) -> pl.LazyFrame:
    """The steps, with those of approvals under the key of the request that names the approval."""
    ours = pl.col("source").is_in(_SOURCES)
    asked = steps.filter(
        ours & (pl.col("kind") == "request") & pl.col("correlation_id").is_not_null()
        & (pl.col("correlation_id") != pl.col("native_key"))
    ).group_by("correlation_id").agg(pl.col("native_key").min()).collect()
    if asked.is_empty():
        return steps
    of_approval = ours & (pl.col("kind") == "decision") & (pl.col("operation") == "approval")
    key = pl.col("native_key")
    named = key.replace(asked["correlation_id"], asked["native_key"])
    return steps.with_columns(native_key=pl.when(of_approval).then(named).otherwise(key))


def with_approval(entitlements: pl.LazyFrame, resources: pl.LazyFrame) -> pl.LazyFrame:
    """Eligible grants with whether activating them needs an approval, where the policy on the role says so."""
    held = resources.filter(pl.col("source").is_in(_SOURCES) & pl.col("kind").is_in(["policy", "role"])).select(
        "tenant", "kind", "id", "display_name", "attributes").collect()
    rows = sorted(set(_needed(held)), key=repr)
    if not rows:
        return entitlements
    needed = pl.DataFrame(rows, schema={"_tenant": pl.String, "_role": pl.String, "_over": pl.String,
                                        "_needed": pl.Boolean}, orient="row")
    # Policies that contradict each other (exports of different days) say nothing.
    needed = needed.group_by("_tenant", "_role", "_over").agg(pl.col("_needed").min(), _n=pl.len()).filter(
        pl.col("_n") == 1).drop("_n")
    grouped = pl.col("grant_kind").is_in(["membership", "owner"])
    role = pl.when(grouped).then(
        pl.when(pl.col("grant_kind") == "owner").then(pl.lit("owner")).otherwise(pl.lit("member"))
    ).otherwise(pl.col("privilege").str.to_lowercase())
    over = pl.when(grouped).then(pl.col("scope").str.split(":").list.last()).otherwise(
        pl.when(pl.col("scope").str.starts_with("/subscriptions/") | pl.col("scope").str.starts_with("/providers/"))
        .then(pl.col("scope").str.to_lowercase()).otherwise(pl.lit("/")))
    joined = entitlements.with_columns(_tenant=pl.col("tenant").fill_null(""), _role=role, _over=over).join(
        needed.lazy(), on=["_tenant", "_role", "_over"], how="left", maintain_order="left")
    stated = pl.col("requires_approval")
    return joined.with_columns(requires_approval=pl.when((pl.col("state") == "eligible") & stated.is_null()).then(
        pl.col("_needed")).otherwise(stated)).drop("_tenant", "_role", "_over", "_needed")


def _needed(held: pl.DataFrame) -> Iterator[tuple[str, str, str, bool]]:
    """Tenant, role as grants name it, scope, and whether an approval is needed."""
    names = {identity.rsplit("/", 1)[-1]: label for identity, kind, label in held.select(
        "id", "kind", "display_name").iter_rows() if kind == "role" and label}
    for tenant, attributes in held.filter(pl.col("kind") == "policy").select("tenant", "attributes").iter_rows():
        said: dict[str, Any] = msgspec.json.decode(attributes or "{}")
        role, asked = said.get("role"), said.get("approval_required")
        if not isinstance(role, str) or not isinstance(asked, bool):
            continue
        scope = said.get("scope")
        for label in {role, names.get(role, role), BUILT_IN.get(role, role), AZURE_ROLES.get(role, role)}:
            yield tenant or "", label.lower(), "/" if scope in _EVERYWHERE else str(scope).lower(), asked
