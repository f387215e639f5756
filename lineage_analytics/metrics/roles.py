"""Which person held which part of a decision: request, approve, execute, verify."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from lineage_analytics.metrics.context import NHI_KINDS

if TYPE_CHECKING:
    from lineage_analytics.metrics.context import Context

_PARTS = {"request": "initiator_id", "approve": "approver_id", "execute": "executor_id", "verify": "verifier_id"}
_SHARED = ("role", "group")


def conflicts(context: Context) -> pl.DataFrame:
    """Per case ``roles`` (how many are known), ``conflict`` (one person holds two of them; null: may be) and
    ``conflict_why``. Who calls without having asked holds the part of executing alone."""
    return context.once("conflicts", lambda: _conflicts(context))


def _conflicts(context: Context) -> pl.DataFrame:
    held = _parts(context)
    per_case = held.group_by("case_id").agg(roles=pl.len())
    people = held.filter(~pl.col("software"))
    several = people.group_by("case_id", "person").agg(parts=pl.col("part").unique().sort()).filter(
        pl.col("person").is_not_null() & (pl.col("parts").list.len() > 1)).sort("case_id", "person").group_by(
        "case_id", maintain_order=True).agg(why=pl.col("parts").first().list.join(" and "))
    open_ = people.group_by("case_id").agg(
        accounts=pl.col("account").n_unique(), unmapped=pl.col("mapped").not_().any())
    return per_case.join(several, on="case_id", how="left").join(open_, on="case_id", how="left").select(
        "case_id", "roles",
        conflict=pl.when(pl.col("why").is_not_null()).then(pl.lit(value=True)).when(
            (pl.col("accounts").fill_null(0) > 1) & pl.col("unmapped")).then(None).otherwise(pl.lit(value=False)),
        conflict_why=pl.when(pl.col("why").is_not_null()).then(pl.format("one person had the parts: {}", "why")).when(
            (pl.col("accounts").fill_null(0) > 1) & pl.col("unmapped")).then(
            pl.lit("different accounts; whether different people is not known")).otherwise(
            pl.lit("each part was held by somebody else"))).sort("case_id")


def _parts(context: Context) -> pl.DataFrame:
    """One row a case and part that is known: ``account, software, person`` (null: the account may be anyone's),
    ``mapped`` (to a person)."""
    cases = context.decisions.cases.filter(pl.col("executed").fill_null(value=False)).join(
        _self_service(context), on="case_id", how="left")
    asked = pl.when(pl.col("requested_at").is_not_null()).then("initiator_id")
    same = (pl.col("initiator_id") == pl.col("executor_id")) & pl.col("self_service").fill_null(value=False)
    done = pl.when(~same.fill_null(value=False)).then("executor_id")
    rows = cases.select("case_id", request=asked, approve="approver_id", execute=done, verify="verifier_id").unpivot(
        list(_PARTS), index="case_id", variable_name="part", value_name="account").drop_nulls("account")
    kinds = context.facts.frame("identities").select(account="id", kind="kind", mapped_to="person_id").unique("account")
    shared = pl.col("kind").is_in(_SHARED).fill_null(value=False)
    return rows.join(kinds, on="account", how="left").with_columns(
        software=pl.col("kind").is_in(NHI_KINDS).fill_null(value=False),
        person=pl.when(~shared).then(pl.coalesce("mapped_to", "account")),
        mapped=pl.col("mapped_to").is_not_null())


def _self_service(context: Context) -> pl.DataFrame:
    """Cases whose request and change were recorded by one system, which carries out what it was asked for."""
    steps = context.decisions.steps.filter(pl.col("case_id").is_not_null())
    sources = steps.group_by("case_id").agg(
        asked=pl.col("source").filter(pl.col("kind") == "request").unique(),
        done=pl.col("source").filter(pl.col("kind").is_in(["action", "rollback"])).unique())
    return sources.select("case_id", self_service=pl.col("asked").list.set_intersection("done").list.len() > 0)
