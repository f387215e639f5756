"""Expressions that the measures of privilege share: what is unknown of an account, why, and the age guard."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from lineage_analytics.metrics.context import Context


def young(context: Context) -> pl.Expr:
    """The age guard: what exists for less than the look-back had no time to be used."""
    return (pl.col("created_at") > context.facts.lookback_start).fill_null(value=False)


def part(some: pl.Expr, whole: pl.Expr) -> pl.Expr:
    """Share of the whole; null of nothing."""
    return pl.when(whole > 0).then(some / whole)


def decided(yes: pl.Expr, no: pl.Expr) -> pl.Expr:
    """True, false, or null where neither is shown."""
    return pl.when(yes).then(pl.lit(value=True)).when(no).then(pl.lit(value=False))


def doubt(otherwise: str) -> pl.Expr:
    """What the permission table says is unknown, in words."""
    return pl.coalesce(pl.col("doubt"), pl.lit(otherwise))


def lack(known: pl.Expr, assessable: pl.Expr) -> pl.Expr:
    """Why an unknown account is unknown: no inventory of its permissions, or no log over the look-back."""
    code = pl.when(pl.col("doubt_code").is_in(["no_source", "lookback_too_short"])).then("doubt_code")
    unread = pl.when(pl.col("doubt").is_null()).then(pl.lit("no_source"))
    return pl.when(~known).then(pl.coalesce(code, unread)).when(~assessable).then(
        pl.coalesce(code, pl.lit("lookback_too_short")))


def privileged() -> pl.Expr:
    """Holds a sensitive permission of weight 10, or reaches administrator control; null where it may."""
    yes = (pl.col("weight_max") >= 10) | pl.col("admin_equivalent")
    known = pl.all_horizontal(pl.col("granted", "admin_equivalent", "weight_max").is_not_null())
    return decided(yes.fill_null(value=False), known)
