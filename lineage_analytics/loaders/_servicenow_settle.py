"""What only all ServiceNow tables together tell: the number behind a ticket's sys_id, the instance, the true moment.

An approval may name its ticket by sys_id alone, an audit row its approval by sys_id alone; the rows they point to hold
the number. A row without any link names no instance; when all others name one, it is of that one. An approval row says
when it was last touched; where the audit log holds the decision itself, that one stands. What a workflow concluded of
the votes is no decision beside the last vote, where that one is loaded: the people who voted decided.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import polars as pl

from lineage_analytics.loaders._one_tenant import renamed, with_one_tenant
from lineage_analytics.loaders._servicenow_row import PROVIDER

if TYPE_CHECKING:
    from collections.abc import Mapping

_OURS = pl.col("provider") == PROVIDER
_APPROVAL = _OURS & (pl.col("operation") == "sysapproval_approver")
_CONCLUSION = _OURS & pl.col("operation").is_in(["change_request:approval", "sysapproval_group"])
_VOTE = _OURS & pl.col("operation").is_in(["sysapproval_approver", "sysapproval_approver:state"])
_CONCLUDED_WITHIN = timedelta(minutes=5)
_NUMBERED = pl.col("native_key_kind").is_in(("change_number", "request_number"))


def settle(tables: Mapping[str, pl.LazyFrame]) -> dict[str, pl.LazyFrame]:
    """The fact tables with cases named by number, decisions once, and the instance filled in where it follows."""
    found = dict(tables)
    steps = found.get("decision_steps")
    if steps is not None and not steps.filter(_OURS).limit(1).collect().is_empty():
        found["decision_steps"] = _decided(_once(_named(steps), steps))
    return with_one_tenant(found, PROVIDER)


def _named(steps: pl.LazyFrame) -> pl.LazyFrame:
    steps = renamed(steps, steps.filter(_OURS & _NUMBERED & ~_APPROVAL), PROVIDER, "ticket_sys_id")
    return renamed(steps, steps.filter(_APPROVAL), PROVIDER, "approval_sys_id")


def _once(steps: pl.LazyFrame, stored: pl.LazyFrame) -> pl.LazyFrame:
    """Without the decisions of approval rows that the audit log, as stored, holds with their true moment."""
    audited = stored.filter(_OURS & (pl.col("native_key_kind") == "approval_sys_id")).select(
        event_id="native_key", verdict="verdict", operation=pl.lit("sysapproval_approver"),
        provider=pl.lit(PROVIDER)).unique()
    return steps.join(audited, on=["event_id", "verdict", "operation", "provider"], how="anti")


def _decided(steps: pl.LazyFrame) -> pl.LazyFrame:
    """Without the conclusions that follow from a vote of the same case and verdict at most minutes before or after."""
    case = ("native_key_kind", "native_key", "verdict")
    votes = steps.filter(_VOTE & pl.col("native_key").is_not_null()).select(*case, voted="time")
    near = (pl.col("time") - pl.col("voted")).abs() <= _CONCLUDED_WITHIN
    drawn = steps.filter(_CONCLUSION).join(votes, on=case).filter(near).select("step_id").unique()
    return steps.join(drawn, on="step_id", how="anti")
