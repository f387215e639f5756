"""Callers seen in CloudTrail as identity facts, and what shows that a person stands behind one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from lineage_analytics import tables
from lineage_analytics.loaders._cloudtrail_columns import PROVIDER, error
from lineage_analytics.loaders._cloudtrail_record import as_flag

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lineage_analytics.loaders._cloudtrail_actor import Actor
    from lineage_analytics.loaders._cloudtrail_record import Record


def identity_facts(found: Sequence[Record], actors: Sequence[Actor], activity: pl.DataFrame) -> pl.DataFrame:
    """One row per distinct caller, with the smallest record id, so that a split of the input changes nothing."""
    best: dict[tuple[str, str], tuple[str, Actor, str]] = {}
    for record_id, row in _telling(found, actors, activity["record_id"]):
        actor = actors[row]
        if actor.id is not None:
            kind, basis = _person_evidence(actor, found[row])
            best.setdefault((actor.id, kind), (record_id, actor, basis))
    rows = [
        {
            "id": actor_id, "kind": kind, "subkind": actor.subkind, "display_name": actor.name,
            "alt_ids": [{"kind": "arn", "value": actor.arn}] if actor.arn else [], "kind_basis": basis,
            "basis": "seen", "tenant": actor.account, "provider": PROVIDER, "source": "aws_cloudtrail",
            "record_id": record_id,
            "excluded_reason": "provider_managed" if "/aws-service-role/" in (actor.arn or "")
            or actor.subkind == "aws_service" else None,
        }
        for (actor_id, kind), (record_id, actor, basis) in sorted(best.items())
    ]
    schema = tables.IDENTITY_FACTS.schema
    return tables.conform(
        pl.DataFrame(rows, schema={k: schema[k] for k in rows[0]}) if rows else tables.IDENTITY_FACTS.empty(),
        tables.IDENTITY_FACTS,
    )


def _telling(found: Sequence[Record], actors: Sequence[Actor], record_ids: pl.Series) -> list[tuple[str, int]]:
    """Record id and row, in order of id, of every record that may say more than its caller's first: few of many."""
    speaking = [row for row, record in enumerate(found)
                if record.from_console is not None or record.event_name == "ConsoleLogin"]
    others = pl.DataFrame({"actor": list(map(id, actors)), "record_id": record_ids}).with_row_index("row").filter(
        ~pl.col("row").is_in(speaking))
    first = others.group_by("actor").agg(pl.col("row").get(pl.col("record_id").arg_min()))["row"]
    return sorted((record_ids[row], row) for row in (*first, *speaking))


def _person_evidence(actor: Actor, record: Record) -> tuple[str, str]:
    """A person is proved by console credentials or a browser's console sign-in; a scripted sign-in proves none."""
    if actor.kind != "unknown" or actor.subkind != "iam_user":
        return actor.kind, actor.kind_basis
    if as_flag(record.from_console):
        return "human", "used credentials of a console session"
    if record.event_name == "ConsoleLogin" and error(record) is None and (record.user_agent or "").startswith(
        "Mozilla/"
    ):
        return "human", "signed in to the console with a browser"
    return actor.kind, actor.kind_basis
