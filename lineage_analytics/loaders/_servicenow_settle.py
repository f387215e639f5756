"""What only all ServiceNow tables together tell: the number behind a ticket's sys_id, the instance, the true moment.

An approval may name its ticket by sys_id alone, an audit row its approval by sys_id alone; the rows they point to hold
the number. A row without any link names no instance; when all others name one, it is of that one. An approval row says
when it was last touched; where the audit log holds the decision itself, that one stands.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from lineage_analytics.loaders._servicenow_row import PROVIDER

if TYPE_CHECKING:
    from collections.abc import Mapping

_PREFIX = f"{PROVIDER}::"
_IDS = frozenset({
    "id", "actor_id", "on_behalf_of_id", "via_assistant_id", "initiator_id", "resource_id", "target_key",
    "principal_id", "scope", "granted_by", "identity_id", "user_id",
})
_NUMBERS = ("change_number", "request_number")
_OURS = pl.col("provider") == PROVIDER


def settle(tables: Mapping[str, pl.LazyFrame]) -> dict[str, pl.LazyFrame]:
    """The fact tables with cases named by number, decisions once, and the instance filled in where it follows."""
    found = dict(tables)
    steps = found.get("decision_steps")
    if steps is not None and not steps.filter(_OURS).limit(1).collect().is_empty():
        found["decision_steps"] = _once(_named(steps), steps)
    instance = _instance(found.get("coverage"))
    return found if instance is None else {name: _filled(frame, instance) for name, frame in found.items()}


def _once(steps: pl.LazyFrame, stored: pl.LazyFrame) -> pl.LazyFrame:
    """Without the decisions of approval rows that the audit log, as stored, holds with their true moment."""
    audited = stored.filter(_OURS & (pl.col("native_key_kind") == "approval_sys_id")).select(
        event_id="native_key", verdict="verdict", operation=pl.lit("sysapproval_approver"),
        provider=pl.lit(PROVIDER)).unique()
    return steps.join(audited, on=["event_id", "verdict", "operation", "provider"], how="anti")


def _named(steps: pl.LazyFrame) -> pl.LazyFrame:
    ours = steps.filter(_OURS)
    tickets = ours.filter(pl.col("native_key_kind").is_in(_NUMBERS) & pl.col("event_id").is_not_null()
                          & (pl.col("operation") != "sysapproval_approver"))
    steps = _with(steps, tickets, "ticket_sys_id")
    approvals = steps.filter(_OURS & (pl.col("operation") == "sysapproval_approver")
                             & pl.col("native_key").is_not_null())
    return _with(steps, approvals, "approval_sys_id")


def _with(steps: pl.LazyFrame, known: pl.LazyFrame, kind: str) -> pl.LazyFrame:
    """The steps named by ``kind`` with the name that the rows they point to have; ids that point nowhere stay."""
    names = known.group_by("event_id").agg(
        pl.struct("native_key_kind", "native_key").sort().first().alias("_name")).rename({"event_id": "native_key"})
    joined = steps.join(names, on="native_key", how="left")
    lacking = _OURS & (pl.col("native_key_kind") == kind) & pl.col("_name").is_not_null()
    return joined.with_columns(
        native_key=pl.when(lacking).then(pl.col("_name").struct.field("native_key")).otherwise(pl.col("native_key")),
        native_key_kind=pl.when(lacking).then(pl.col("_name").struct.field("native_key_kind")).otherwise(
            pl.col("native_key_kind"))).drop("_name")


def _instance(coverage: pl.LazyFrame | None) -> str | None:
    """The one instance that received rows name; None when they name none or several."""
    if coverage is None:
        return None
    named = coverage.filter(_OURS & (pl.col("basis") == "received") & pl.col("tenant").is_not_null()).select(
        pl.col("tenant").unique()).collect()["tenant"].to_list()
    return named[0] if len(named) == 1 else None


def _filled(frame: pl.LazyFrame, instance: str) -> pl.LazyFrame:
    columns = frame.collect_schema().names()
    if not {"tenant", "provider"} <= set(columns):
        return frame
    lacking = _OURS & pl.col("tenant").is_null()
    named = pl.lit(f"{PROVIDER}:{instance}:")
    changes = {
        name: pl.when(lacking & pl.col(name).str.starts_with(_PREFIX))
        .then(pl.concat_str(named, pl.col(name).str.slice(len(_PREFIX)))).otherwise(pl.col(name))
        for name in columns if name in _IDS
    }
    return frame.with_columns(**changes, tenant=pl.when(lacking).then(pl.lit(instance)).otherwise(pl.col("tenant")))
