"""What the audit logs of Kubernetes clusters say of use, and what they could not show.

An audit policy drops much, by verb and resource. What nobody was seen to do in the look-back may be what the log never
shows: an action counts as shown once anybody read, or wrote, that resource in it, whatever the outcome.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import polars as pl

from lineage_analytics.permissions.k8s.rules import action, split
from lineage_analytics.permissions.lookback import States, too_short

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from lineage_analytics.facts import Facts

_READS = frozenset({"get", "list", "watch"})
_GKE_LOG, _LOG = "gcp_audit", "k8s_audit"

Class = tuple[str, str, str]


@dataclass(frozen=True)
class Log:
    """The audit log of one cluster: why it cannot answer for the look-back (null: it can), and what it shows."""

    reason: str | None
    shown: frozenset[Class]


@dataclass
class Used:
    """Per actor: actions with a success in the look-back, and the last success in all loaded logs."""

    actions: dict[str, set[str]] = field(default_factory=dict)
    last: dict[str, datetime] = field(default_factory=dict)


def class_of(name: str) -> Class:
    """What an audit policy tells apart: reading or writing, the API group, the resource; of paths the path."""
    found = action(name)
    return ("read" if found.verb in _READS else "write", found.group, found.resource or found.path)


def _calls(facts: Facts) -> pl.LazyFrame:
    """Calls of Kubernetes by actor, also those that Google logs; ``cluster`` as ids have it."""
    return facts["usage"].filter(
        pl.col("action").str.starts_with("k8s:") & pl.col("actor_id").is_not_null() & (pl.col("first") <= facts.as_of)
    ).with_columns(cluster=pl.when(pl.col("provider") == "k8s").then(pl.col("tenant").fill_null(""))
                   .otherwise(pl.col("actor_id").str.extract(r"^k8s:([^:]+):")))


def _look_back(facts: Facts) -> pl.Expr:
    return (pl.col("last") > facts.lookback_start) & (pl.col("first") <= facts.as_of)


def cluster_logs(facts: Facts) -> dict[str, Log]:
    """Per cluster with a log: does it span the look-back, and what does it show."""
    seen = _calls(facts).filter(_look_back(facts)).select("cluster", "action").unique().drop_nulls().collect()
    shown: dict[str, set[Class]] = {}
    for cluster, name in seen.iter_rows():
        shown.setdefault(cluster, set()).add(class_of(name))
    spans = facts.frame("coverage").filter(
        pl.col("source").is_in([_LOG, _GKE_LOG]) & (pl.col("basis") == "received")
    ).group_by("source", pl.col("tenant").fill_null("")).agg(pl.col("first").min(), pl.col("last").max())
    by_log = {(source, tenant): (first, last) for source, tenant, first, last in spans.iter_rows()}
    logs = {}
    for cluster in sorted(shown.keys() | {tenant for source, tenant in by_log if source == _LOG}):
        span = by_log.get((_LOG, cluster)) or by_log.get((_GKE_LOG, cluster.partition("/")[0]))
        if span is not None:
            named = f"cluster {cluster}" if cluster else "the cluster"
            logs[cluster] = Log(too_short(facts, named, *span), frozenset(shown.get(cluster, ())))
    return logs


def used(facts: Facts) -> Used:
    """Successful use by actor."""
    successes = _calls(facts).filter(pl.col("successes") > 0)
    result = Used()
    for actor, name in successes.filter(_look_back(facts)).select("actor_id", "action").unique().collect().iter_rows():
        result.actions.setdefault(actor, set()).add(name)
    last = successes.group_by("actor_id").agg(pl.col("last").max()).drop_nulls().collect()
    result.last = {actor: min(time, facts.as_of) for actor, time in last.iter_rows()}
    return result


def states(principal: str, granted: Mapping[str, datetime | None], did: set[str], log: Log | None,
           start: datetime) -> States:
    """The four states of what a principal is granted.

    Parameters
    ----------
    granted : actions with the time of their oldest grant; null: some grant does not say when it was made.
    did : actions with a success in the look-back.
    log : of its cluster; null: none is loaded, then nothing granted is observable.
    start : of the look-back: what was granted after it is ``too_young``, never unused (metrics 1.2, age guard).
    """
    every = frozenset(granted)
    cluster = split(principal)[0]
    if log is None:
        named = f"of cluster {cluster}" if cluster else "of the cluster"
        return States(None, None, None, every, f"no_source: no audit log {named} is loaded")
    if log.reason is not None:
        return States(None, None, None, None, log.reason)
    seen = every & did
    shown = frozenset(name for name in every - seen if class_of(name) in log.shown)
    hidden = every - seen - shown
    if any(granted[name] is None for name in shown):
        return States(seen, None, None, hidden, "age_unknown: a binding does not say when it was made")
    young = frozenset(name for name in shown if (granted[name] or start) > start)
    return States(seen, shown - young, young, hidden, None)
