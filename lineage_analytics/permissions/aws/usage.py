"""Granted, used, unused, unobservable: what the loaded logs say of the use of a grant, and what they could not show."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import polars as pl

from lineage_analytics.permissions.aws.catalogue import catalogue
from lineage_analytics.permissions.aws.datafiles import data_plane, iam_action
from lineage_analytics.permissions.lookback import too_short

if TYPE_CHECKING:
    from datetime import datetime

    from lineage_analytics.facts import Facts

LOG = "aws_cloudtrail"


@dataclass(frozen=True)
class Log:
    """The CloudTrail log of one account: which actions it would show, or why it cannot answer for the look-back."""

    reason: str | None
    observable: int


@dataclass
class Used:
    """Per actor: mask of actions with a success in the look-back, and the last success in all loaded logs."""

    masks: dict[str, int] = field(default_factory=dict)
    last: dict[str, datetime] = field(default_factory=dict)


@dataclass(frozen=True)
class States:
    """The granted actions of one principal by state, as masks; null masks where the log cannot answer."""

    used: int | None
    unused: int | None
    too_young: int | None
    unobservable: int | None
    reason: str | None


def account_logs(facts: Facts) -> dict[str, Log]:
    """Per account with a CloudTrail log: does it span the look-back, and which actions would it show.

    Data events count as shown for a service once one data event of that service was accepted.
    """
    spans = facts.frame("coverage").filter(
        (pl.col("source") == LOG) & (pl.col("basis") == "received") & pl.col("tenant").is_not_null()
    ).group_by("tenant").agg(pl.col("first").min(), pl.col("last").max())
    seen = _data_services(facts)
    logs = {}
    for tenant, first, last in spans.iter_rows():
        shown = catalogue().every & ~(data_plane().data_events | data_plane().no_event)
        for service in seen.get(tenant, ()):
            shown |= data_plane().data_events & catalogue().mask(f"{service}:*")
        logs[tenant] = Log(too_short(facts, f"account {tenant}", first, last), shown)
    return logs


def _look_back(facts: Facts) -> pl.Expr:
    return (pl.col("last") > facts.lookback_start) & (pl.col("first") <= facts.as_of)


def _aws_usage(facts: Facts) -> pl.LazyFrame:
    return facts["usage"].filter((pl.col("provider") == "aws") & (pl.col("first") <= facts.as_of))


def _data_services(facts: Facts) -> dict[str, list[str]]:
    """Per account the services whose data events were received in the look-back, whatever their outcome."""
    pairs = _aws_usage(facts).filter(_look_back(facts)).select("tenant", "action").unique().drop_nulls().collect()
    services = defaultdict(set)
    for tenant, event in pairs.iter_rows():
        action = iam_action(event)
        if action is not None and catalogue().mask(action) & data_plane().data_events:
            services[tenant].add(action.split(":", 1)[0])
    return {tenant: sorted(found) for tenant, found in services.items()}


def used(facts: Facts) -> Used:
    """Successful use by actor. Days are the grain of the roll-up: ``last`` is the last event of the last such day."""
    successes = _aws_usage(facts).filter(pl.col("successes") > 0)
    actions = successes.filter(_look_back(facts)).select("actor_id", "action").unique().drop_nulls().collect()
    result = Used()
    for actor, event in actions.iter_rows():
        action = iam_action(event)
        if action is not None:
            result.masks[actor] = result.masks.get(actor, 0) | catalogue().mask(action)
    last = successes.group_by("actor_id").agg(pl.col("last").max()).drop_nulls().collect()
    result.last = {actor: min(time, facts.as_of) for actor, time in last.iter_rows()}
    return result


def unmapped_events(facts: Facts) -> pl.DataFrame:
    """CloudTrail events that stand for no action of the catalogue, so that they prove use of none.

    Returns
    -------
    frame : ``action`` (text, as in ``activity``), ``events`` (count in all loaded logs), most frequent first.
    """
    counts = _aws_usage(facts).group_by("action").agg(pl.col("events").sum()).drop_nulls().collect()
    odd = [action for action in counts["action"] if iam_action(action) is None]
    return counts.filter(pl.col("action").is_in(odd)).sort("events", "action", descending=[True, False])


def split(granted: int, seen: int, log: Log | None, account: str, created_at: datetime | None, old: int,
          start: datetime) -> States:
    """The four states of a principal's granted actions.

    Parameters
    ----------
    granted, seen : masks: what it may do, and what it did with success in the look-back.
    log : of its account; null: none is loaded, then nothing granted is observable.
    created_at, old : when it was created (null: not known), and the actions some grant older than ``start`` gives:
        what is younger than the look-back is ``too_young``, never unused (metrics 1.2, age guard).
    """
    if log is None:
        return States(None, None, None, granted, f"no_source: no CloudTrail log of account {account} is loaded")
    if log.reason is not None:
        return States(None, None, None, None, log.reason)
    did = granted & seen
    rest = granted & log.observable & ~did
    unobservable = granted & ~log.observable & ~did
    if created_at is None:
        return States(did, None, None, unobservable, "age_unknown: no creation date, so what is young is not known")
    young = rest if created_at > start else rest & ~old
    return States(did, rest & ~young, young, unobservable, None)
