"""Rows out of directory-audit records: activity, identity facts, decision steps and PIM entitlements."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import polars as pl

from lineage_analytics import tables
from lineage_analytics.loaders._entra_actor import PRINCIPALS, Actor, actor_of, as_fact, target_fact
from lineage_analytics.loaders._entra_delta import effect_delta
from lineage_analytics.loaders._entra_record import (
    PROVIDER,
    NoRecordError,
    Record,
    decode,
    kind_of,
    target_id,
)
from lineage_analytics.loaders._entra_steps import change_of, entitlement, step
from lineage_analytics.loaders.common import origin
from lineage_analytics.loaders.common.columns import frame, plausible, raw_refs, times
from lineage_analytics.loaders.common.contract import Batch, Chunk, Fault
from lineage_analytics.loaders.common.ids import identity_id, record_ids
from lineage_analytics.loaders.common.values import first, text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from lineage_analytics.loaders._entra_steps import Change
    from lineage_analytics.loaders.common.contract import Document

SOURCE = "entra_audit"

_OUTCOMES = {"success": "success", "failure": "failure", "timeout": "failure"}
_CODE = re.compile(r"[A-Za-z0-9_.]{1,80}")
_WRITES = frozenset({"add", "assign", "update", "unassign", "delete", "create", "remove", "restore", "activate"})
_READS = frozenset({"get", "read", "list", "download"})
_CREATIONS = frozenset({"add user", "add service principal", "add group"})


def read_chunk(chunk: Chunk, document: Document) -> Batch:
    """Activity, identity facts, decision steps and PIM entitlements of one chunk."""
    kept: list[Record] = []
    faults, owner = list(chunk.faults), origin.owner_of(document)
    for position, raw in chunk.placed():
        try:
            record = decode(raw, position)
        except NoRecordError as error:
            faults.append(Fault(position, error.reason, error.detail, error.disposition))
            continue
        if owner is not None and owner.contradicts(PROVIDER, record.tenant):
            faults.append(Fault(position, origin.REASON, origin.why(record.tenant, owner.tenant)))
        else:
            kept.append(record)
    when = times([record.time for record in kept])
    good = plausible(when, (record.time for record in kept))
    if not good.all():
        faults += [_time_fault(record, at) for record, at, ok in zip(kept, when, good, strict=True) if not ok]
        kept = [record for record, ok in zip(kept, good, strict=True) if ok]
        when = when.filter(good)
    if not kept:
        return Batch(pl.Series("record_id", [], dtype=pl.String), {}, faults)
    actors = [actor_of(record) for record in kept]
    changes = [change_of(record, actor) for record, actor in zip(kept, actors, strict=True)]
    activity = _activity(kept, actors, changes, when, document)
    steps, entitlements = _decisions(kept, actors, changes, activity)
    frames = {
        "activity": activity, "identity_facts": _identity_facts(kept, actors, activity),
        "decision_steps": steps, "entitlements": entitlements,
    }
    return Batch(activity["record_id"], frames, faults)


def _time_fault(record: Record, time: datetime | None) -> Fault:
    if time is None:
        return Fault(record.position, "no_time", "activityDateTime is not a time in ISO form")
    return Fault(record.position, "implausible_time", f"activityDateTime {time.isoformat()}, wanted 2000 to 2089")


def _activity(
    kept: Sequence[Record], actors: Sequence[Actor], changes: Sequence[Change | None], when: pl.Series,
    document: Document,
) -> pl.DataFrame:
    natives = [record.native_id for record in kept]
    outcomes = [_OUTCOMES.get(record.result, "unknown") for record in kept]

    def column(values: Sequence[str | None]) -> pl.Series:
        return pl.Series(values, dtype=pl.String)

    found = pl.DataFrame({
        "time": when,
        "actor_id": column([actor.id for actor in actors]),
        "via_assistant_id": column([actor.via for actor in actors]),
        "delegation_kind": column(["platform_field" if actor.via else None for actor in actors]),
        "delegation_trust": column(["provider_asserted" if actor.via else None for actor in actors]),
        "action": column([record.activity for record in kept]),
        "resource_id": column([next(iter(_resources(record)), None) for record in kept]),
        "extra_resource_ids": pl.Series([_resources(record)[1:] or None for record in kept], dtype=tables.TEXTS),
        "effect_delta": column([effect_delta(record, changes=change is not None)
                                for record, change in zip(kept, changes, strict=True)]),
        "outcome": column(outcomes),
        "error_code": column([_error(record, outcome) for record, outcome in zip(kept, outcomes, strict=True)]),
        "is_read": pl.Series([_is_read(record) for record in kept], dtype=pl.Boolean),
        "ip": column([record.ip for record in kept]),
        "client": column([text(record.fields.get("useragent")) or first(record.details, "user-agent")
                          for record in kept]),
        "correlation_id": column([record.correlation for record in kept]),
        "event_id": column(natives),
        "unmapped": column([record.unmapped for record in kept]),
        "tenant": column([record.tenant for record in kept]),
        # With the activity: where ids are masked, one stands for several records.
        "record_id": record_ids(PROVIDER, [None] * len(kept), [f"{r.native_id}|{r.operation}" for r in kept]),
        "raw_ref": raw_refs(document, [record.position for record in kept]),
    }).with_columns(pl.lit(PROVIDER).alias("provider"), pl.lit(SOURCE).alias("source"))
    return tables.conform(found, tables.ACTIVITY)


def _resources(record: Record) -> list[str]:
    """The targets, each once: a principal by its identity id, anything else by type and id."""
    named = [(target_id(target), kind_of(target)) for target in record.targets]
    ids = [identity_id(PROVIDER, record.tenant, found if kind in PRINCIPALS else f"{kind or 'object'}/{found}")
           for found, kind in named if found is not None]
    return ids[:1] + sorted(set(ids[1:]) - set(ids[:1]))


def _error(record: Record, outcome: str) -> str | None:
    """A code, never a sentence: the reason field of a failure may hold what somebody wrote."""
    if outcome != "failure":
        return None
    reason = text(record.fields.get("resultreason")) or ""
    return reason if _CODE.fullmatch(reason) else record.result


def _is_read(record: Record) -> bool | None:
    if record.operation_type in _READS:
        return True
    return False if record.operation_type in _WRITES else None


def _identity_facts(kept: Sequence[Record], actors: Sequence[Actor], activity: pl.DataFrame) -> pl.DataFrame:
    """One row per distinct statement about a principal, under the smallest record id that makes it."""
    best: dict[str, dict[str, Any]] = {}
    for record, actor, record_id, time in zip(kept, actors, activity["record_id"], activity["time"], strict=True):
        facts = [as_fact(actor)] if actor.id is not None else []
        targets = len(facts)
        facts += [fact for target in record.targets if (fact := target_fact(target, record.tenant)) is not None]
        if record.operation in _CREATIONS and record.result == "success" and len(facts) > targets:
            facts[targets]["created_at"] = time
        if actor.via_fact is not None:
            facts.append(as_fact(actor.via_fact))
        for fact in facts:
            key = repr([fact[name] for name in ("id", "kind", "kind_basis", "alt_ids", "created_at", "parent_id")])
            if key not in best or record_id < best[key]["record_id"]:
                best[key] = fact | {
                    "tenant": record.tenant, "provider": PROVIDER, "source": SOURCE, "record_id": record_id,
                }
    rows = [best[key] for key in sorted(best)]
    return tables.conform(frame(rows, tables.IDENTITY_FACTS.schema), tables.IDENTITY_FACTS)


def _decisions(
    kept: Sequence[Record], actors: Sequence[Actor], changes: Sequence[Change | None], activity: pl.DataFrame
) -> tuple[pl.DataFrame, pl.DataFrame]:
    steps: list[dict[str, Any]] = []
    steps_at: list[int] = []
    grants: list[dict[str, Any]] = []
    grants_at: list[int] = []
    for row, (record, actor, change, record_id, outcome) in enumerate(
        zip(kept, actors, changes, activity["record_id"], activity["outcome"], strict=True)
    ):
        if change is None:
            continue
        steps.append(step(record, actor, change, record_id, outcome))
        steps_at.append(row)
        granted = entitlement(record, change, actor, outcome)
        if granted is not None:
            grants.append(granted)
            grants_at.append(row)
    provenance = ("tenant", "provider", "source", "raw_ref")
    return (
        _joined(steps, activity[steps_at].select("time", *provenance), tables.DECISION_STEPS),
        _joined(grants, activity[grants_at].select(pl.col("time").alias("granted_at"), "record_id", *provenance),
                tables.ENTITLEMENTS),
    )


def _joined(rows: Sequence[Mapping[str, Any]], provenance: pl.DataFrame, table: tables.Table) -> pl.DataFrame:
    if not rows:
        return table.empty()
    return tables.conform(pl.concat([frame(rows, table.schema), provenance], how="horizontal"), table)
