"""Assistants: what they read for their users, and how well it is logged (design section 3.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from lineage_analytics.metrics.catalog import metric
from lineage_analytics.metrics.context import RECORDS_SHOWN
from lineage_analytics.metrics.population import Population, population

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lineage_analytics.metrics.context import Context

_NEEDS = "assistant interaction logs of the window"
_TABLES = ("assistant_access",)


def _accesses(context: Context) -> pl.DataFrame:
    """Resources accessed, once per interaction and resource, as objects of a population."""
    return context.facts["assistant_access"].filter(
        context.in_window() & (pl.col("role") == "accessed") & pl.col("resource_id").is_not_null()
    ).group_by("interaction_id", "resource_id").agg(
        labelled=pl.col("label_id").is_not_null().any(),
        outcomes=pl.col("policy_outcome").unique(),
        source_rows=pl.col("record_id").unique().sort().head(RECORDS_SHOWN),
    ).collect().with_columns(
        object_id=pl.concat_str("interaction_id", "resource_id", separator="|", ignore_nulls=True),
        object_kind=pl.lit("access"))


def _interactions(context: Context) -> pl.DataFrame:
    """Interactions, once each, as objects of a population.

    A copy that shows a thread and not its turns, such as a mailbox item, tells nothing new of a thread whose turns are
    on record.
    """
    access = context.facts["assistant_access"]
    turns = access.filter(pl.col("thread_id").is_not_null() & (pl.col("interaction_id") != pl.col("thread_id")))
    copies = access.filter(pl.col("interaction_id") == pl.col("thread_id")).join(turns, on="thread_id", how="semi")
    full = (pl.col("user_id").is_not_null() & pl.col("app_host").is_not_null() & pl.col("thread_id").is_not_null())
    return access.filter(context.in_window()).join(
        copies.select("interaction_id").unique(), on="interaction_id", how="anti", nulls_equal=True).group_by(
        object_id="interaction_id").agg(
        named=full.any(), listed=(pl.col("completeness") != "absent").any(),
        jailbreak=pl.col("jailbreak").drop_nulls().max(), cross_prompt=pl.col("xpia").drop_nulls().max(),
        source_rows=pl.col("record_id").unique().sort().head(RECORDS_SHOWN),
    ).collect().with_columns(object_kind=pl.lit("interaction"))


@metric(
    "COP-07", title="Files labelled when an assistant read them", question="Was what assistants read classified?",
    numerator="accesses to a resource with a sensitivity label id on record",
    denominator="resources listed as accessed in assistant interactions of the window, each once per interaction. No "
                "label id means unlabelled or not evaluated",
    kind="process", direction="higher", green=0.90, red=0.50, refs=("A.7.5",), needs=_NEEDS, tables=_TABLES)
def labelled_at_access(context: Context) -> Mapping[str, Population]:
    if not context.has("assistant_access"):
        return {}
    return {"all": population(_accesses(context).with_columns(
        truth=pl.col("labelled"), reason=pl.when("labelled").then(pl.lit("has a label"))
        .otherwise(pl.lit("no label id on record"))))}


@metric(
    "COP-09", title="Assistant interactions that can be traced",
    question="Does each interaction say who, where, when and on what?",
    numerator="user, host application, thread and time on record, and a list of resources, which may be empty",
    denominator="assistant interactions of the window. An empty list is an answer, a missing field is not",
    kind="process", direction="higher", green=0.95, red=0.70, refs=("AU-3", "Art. 12"), needs=_NEEDS, tables=_TABLES)
def traceable_interactions(context: Context) -> Mapping[str, Population]:
    if not context.has("assistant_access"):
        return {}
    return {"all": population(_interactions(context).with_columns(
        truth=pl.col("named") & pl.col("listed"),
        reason=pl.when(pl.col("named").not_()).then(pl.lit("user, host application or thread is not on record"))
        .when("listed").then(pl.lit("user, host, thread, time and resources on record"))
        .otherwise(pl.lit("the record has no list of resources"))))}


@metric(
    "COP-10", title="Assistant accesses that a policy refused", question="How often did a policy stop an assistant?",
    numerator="accesses refused by a label, data-loss or discovery policy",
    denominator="accesses attempted in the window. Context only: many can mean good policy or bad hygiene",
    kind="context", unit="per_1000", direction="none", needs=_NEEDS, tables=_TABLES)
def blocked_accesses(context: Context) -> Mapping[str, Population]:
    if not context.has("assistant_access"):
        return {}
    blocked = pl.col("outcomes").list.contains("blocked")
    unclear = pl.col("outcomes").list.set_difference(["unknown", "deferred"]).list.drop_nulls().list.len() == 0
    return {"all": population(_accesses(context).with_columns(
        truth=pl.when(blocked).then(pl.lit(value=True)).when(~unclear).then(pl.lit(value=False)),
        reason=pl.when(blocked).then(pl.lit("refused by policy")).when(unclear).then(
            pl.lit("the record does not say what policy decided")).otherwise(pl.lit("not refused"))))}


@metric(
    "COP-11", title="Assistant interactions flagged as attacked",
    question="How often did the assistant notice an attack?",
    numerator="interactions flagged as a jailbreak, or (scope cross_prompt) with a resource flagged for cross-prompt "
              "injection",
    denominator="interactions of the window in which the flag is present; without the field it is unknown, not zero",
    kind="process", unit="per_10000", direction="lower", refs=("LLM01:2026", "ASI01"), needs=_NEEDS, tables=_TABLES,
    scopes=("jailbreak", "cross_prompt"))
def attack_flags(context: Context) -> Mapping[str, Population]:
    if not context.has("assistant_access"):
        return {}
    found = _interactions(context)
    return {
        scope: population(found.with_columns(
            truth=pl.col(scope), reason=pl.when(pl.col(scope).is_null()).then(pl.lit("the record has no such flag"))
            .when(scope).then(pl.lit("flagged")).otherwise(pl.lit("not flagged")),
            lack=pl.when(pl.col(scope).is_null()).then(pl.lit("definition_not_met"))))
        for scope in ("jailbreak", "cross_prompt")
    }
