"""One credential, several workloads: PRV-15 (design section 3.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from lineage_analytics.metrics.catalog import metric
from lineage_analytics.metrics.context import NHI_KINDS, RECORDS_SHOWN
from lineage_analytics.metrics.population import Population, population

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lineage_analytics.metrics.context import Context

_LASTING = ("key", "secret", "cert", "password", "token", "ssh_key")
# A report of AWS lists keys by their place; the log gives their ids, of which those of users begin so.
_LASTING_PREFIX = "AKIA"
_SHOWN = 3
_PRIVATE = r"^(10\.|192\.168\.|172\.(1[6-9]|2\d|3[01])\.|(?i)f[cd][0-9a-f]{2}:|127\.)"
_V4 = r"^(\d{1,3}\.\d{1,3}\.\d{1,3})\.\d{1,3}$"
_V6 = r"^([0-9a-fA-F]{1,4}:[0-9a-fA-F]{0,4}:[0-9a-fA-F]{0,4}):"


@metric(
    "PRV-15", title="Credentials that several workloads use",
    question="Which keys are shared, so that nobody can change them?",
    numerator="used by at least two workloads in the look-back",
    denominator="lasting credentials of non-human identities whose use the logs state by credential. A workload is a "
                "family of client (the user agent's product, without its version) in a network: the /24 of an address "
                "(/48 of IPv6), all private addresses together, or the host by its name. So a load-balanced fleet of "
                "one app in one network is one workload, and one behind several networks is counted as several. What a "
                "record does not state tells nothing apart; a credential whose records state neither is unknown",
    kind="process", direction="lower", green=0.02, red=0.15, refs=("NHI9:2025", "IA-9"),
    needs="activity logs that state the credential, and its holder", tables=("activity", "credentials", "identities"))
def reused_credentials(context: Context) -> Mapping[str, Population]:
    used = _workloads(context)
    if used.is_empty():
        return {}
    told = pl.col("families").list.len() + pl.col("networks").list.len() > 0
    several = pl.max_horizontal("pairs", pl.col("families").list.len(), pl.col("networks").list.len()) > 1
    names = pl.concat_list("families", "networks").list.head(2 * _SHOWN).list.join(", ")
    return {"all": population(used.with_columns(
        truth=pl.when(told).then(several),
        reason=pl.when(told).then(pl.format("{} events: {}", "events", names)).otherwise(
            pl.format("{} events that state neither client nor address", "events")),
        lack=pl.when(~told).then(pl.lit("definition_not_met"))))}


def _workloads(context: Context) -> pl.DataFrame:
    """Per credential with use: families of client, networks and pairs of both that its events state."""
    facts, address, client = context.facts, pl.col("ip"), pl.col("client")
    listed = facts["credentials"].filter(pl.col("kind").is_in(_LASTING)).select("credential_id").unique()
    network = (pl.when(address.str.contains(_PRIVATE)).then(pl.lit("private network"))
               .when(address.str.contains(_V4)).then(pl.concat_str(address.str.extract(_V4), pl.lit(".0/24")))
               .when(address.str.contains(_V6)).then(pl.concat_str(address.str.extract(_V6), pl.lit("::/48")))
               .otherwise(address))
    family = client.str.strip_chars().str.extract(r"^\[?([^\s/;(\[\]]+)").str.to_lowercase()
    acts = facts["activity"].filter(
        pl.col("credential_id").is_not_null() & (pl.col("time") > facts.lookback_start)
        & (pl.col("time") <= facts.as_of) & (pl.col("outcome") == "success")
    ).join(listed.with_columns(listed=pl.lit(value=True)), on="credential_id", how="left").filter(
        pl.col("listed") | pl.col("credential_id").str.starts_with(_LASTING_PREFIX)).select(
        "credential_id", "actor_id", "record_id", "time", family=family, network=network)
    # A pair in which one half is not stated says no more than the half that is.
    pair = pl.when(pl.col("family").is_not_null() & pl.col("network").is_not_null()).then(
        pl.concat_str("family", "network", separator="|"))
    found = acts.group_by("credential_id").agg(
        pl.col("actor_id").drop_nulls().min(), events=pl.len(),
        families=pl.col("family").drop_nulls().unique().sort(), networks=pl.col("network").drop_nulls().unique().sort(),
        pairs=pair.drop_nulls().n_unique(),
        source_rows=pl.col("record_id").sort_by("time", "record_id").unique(maintain_order=True).head(RECORDS_SHOWN),
    ).collect()
    holders = facts["credentials"].group_by("credential_id").agg(pl.col("identity_id").drop_nulls().min()).collect()
    known = context.identities.select("kind", "excluded", id="id")
    return found.join(holders, on="credential_id", how="left").with_columns(
        holder=pl.coalesce("identity_id", "actor_id")).join(known, left_on="holder", right_on="id",
                                                             how="left").with_columns(
        object_id=pl.col("credential_id"), object_kind=pl.lit("credential"),
        excluded=pl.coalesce("excluded", pl.when(pl.col("kind") == "human").then(pl.lit("of a person"))
                             .when(~pl.col("kind").is_in(list(NHI_KINDS)).fill_null(value=False)).then(
                                 pl.lit("the kind of its holder is unknown")))).sort("object_id")
