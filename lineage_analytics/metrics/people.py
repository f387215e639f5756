"""People who use service accounts by hand: PRV-16 (design section 3.1)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import polars as pl

from lineage_analytics.metrics.catalog import metric
from lineage_analytics.metrics.context import NHI_KINDS, RECORDS_SHOWN, VISIBLE_SHARE
from lineage_analytics.metrics.lists import listed
from lineage_analytics.metrics.population import Population, population

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lineage_analytics.metrics.context import Context


@metric(
    "PRV-16", title="Service accounts used by people",
    question="Which service accounts does somebody sit behind?",
    numerator="at least one successful interactive session, or one from a client that only people use, in the window; "
              "the list of both is data. A name is no evidence",
    denominator="non-human identities whose log of use was received in the window. One without such a session is "
                "unknown where the log was received on fewer than nine days of ten, or not at all",
    kind="process", direction="lower", green=0.0, red=0.05, refs=("NHI10:2025", "PR.AA-03"),
    needs="an account inventory, and sign-in or activity logs of the window", tables=("identities", "activity"))
def human_use(context: Context) -> Mapping[str, Population]:
    if context.nhis.is_empty() or not context.has("activity"):
        return {}
    seen = _sessions(context)
    frame = context.with_logs_of_use(context.nhis.select(
        "provider", "tenant", object_id="id", object_kind="kind", excluded="excluded", source_rows="record_ids")).join(
        seen, left_on="object_id", right_on="actor_id", how="left")
    shown, received = pl.col("shows").is_not_null(), pl.col("in_window").fill_null(0.0)
    unlogged = ~shown & (received == 0)
    return {"all": population(frame.with_columns(
        excluded=pl.coalesce("excluded", pl.when(~pl.col("object_kind").is_in(list(NHI_KINDS))).then(
            pl.lit("kind unknown"))),
        truth=pl.when(shown).then(pl.lit(value=True)).when(received >= VISIBLE_SHARE).then(pl.lit(value=False)),
        reason=pl.when(shown).then(pl.format("{} sessions of people, the first on {}: {}", "sessions",
                                             pl.col("first").dt.date(), "shows"))
        .when(unlogged).then(pl.lit("no log of its account or directory was received in the window"))
        .when(received < VISIBLE_SHARE).then(
            pl.format("its log was received on {} % of the days of the window",
                      (received * 100).round(0).cast(pl.Int64)))
        .otherwise(pl.lit("no session of a person")),
        lack=pl.when(unlogged).then(pl.lit("no_source")).when(~shown & (received < VISIBLE_SHARE)).then(
            pl.lit("coverage_below_min")),
        source_rows=pl.coalesce("session_rows", "source_rows")))}


def _sessions(context: Context) -> pl.DataFrame:
    """Per actor the events of the window that show a person, and what shows it."""
    shows = pl.concat_list(
        pl.when(pl.col(row["field"]).str.contains(_pattern(row["pattern"]))).then(pl.lit(row["shows"]))
        for row in listed("human_clients")).list.drop_nulls().list.unique().list.sort()
    return context.facts["activity"].filter(
        context.in_window() & (pl.col("outcome") == "success") & pl.col("actor_id").is_not_null()
    ).select("actor_id", "time", "record_id", shows=shows).filter(pl.col("shows").list.len() > 0).group_by(
        "actor_id").agg(
        sessions=pl.len(), first=pl.col("time").min(),
        shows=pl.col("shows").explode().unique().sort().str.join(", "),
        session_rows=pl.col("record_id").sort_by("time", "record_id").head(RECORDS_SHOWN)).collect()


def _pattern(text: str) -> str:
    return "(?i)^" + re.escape(text).replace(r"\*", ".*") + "$"
