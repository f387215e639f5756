"""Hand-made decision steps, identities and coverage, synthetic."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import polars as pl

from lineage_analytics import tables
from lineage_analytics.facts import Facts
from lineage_analytics.graphs.decisions import DecisionLineage, decision_lineage

if TYPE_CHECKING:
    from collections.abc import Sequence

Row = dict[str, Any]
AS_OF = datetime(2026, 6, 30, tzinfo=UTC)
NOON = datetime(2026, 6, 10, 12, tzinfo=UTC)
TENANT, ACCOUNT = "t-1", "111122223333"
ANA, BO, DAN = (f"entra:{TENANT}:{name}" for name in ("ana", "bo", "dan"))
ROLE = f"entra:{TENANT}:role/reader|ana"
OTHER_ROLE = f"entra:{TENANT}:role/admin|ana"
POLICY = f"aws:{ACCOUNT}:role/etl|arn:aws:iam::aws:policy/Read"
BOT = f"aws:{ACCOUNT}:AIDABOT"


def at(minutes: float = 0.0, **more: float) -> datetime:
    return NOON + timedelta(minutes=minutes, **more)


def step(name: str, when: datetime | float = 0.0, **fields: Any) -> Row:
    """An AWS grant by a caller of unknown kind; ``when`` in minutes after noon; ``fields`` replace or add columns."""
    return {
        "step_id": f"step-{name}", "kind": "action", "time": when if isinstance(when, datetime) else at(when),
        "operation": "iam:AttachRolePolicy", "status": "succeeded", "actor_id": f"aws:{ACCOUNT}:AROACALLER",
        "actor_class": "unknown", "authority_mode": "unknown", "target_key": POLICY, "effect_key": f"grant({POLICY})",
        "quoted_keys": [], "title": name, "event_id": f"e-{name}", "record_id": f"rec-{name}", "tenant": ACCOUNT,
        "provider": "aws", "source": "aws_cloudtrail", **fields,
    }


_OPERATIONS = {
    "request": "Add member to role requested (PIM activation)",
    "decision": "Add member to role request approved (PIM activation)",
    "action": "Add member to role completed (PIM activation)",
    "expiry": "Remove member from role (PIM activation expired)",
    "attempt": "Add member to role completed (PIM activation)",
    "rollback": "Remove member from role completed (PIM deactivate)",
}


def pim(kind: str, when: datetime | float = 0.0, *, name: str = "", key: str | None = "req-1", **fields: Any) -> Row:
    """A phase of a role activation that Ana asks for and Dan approves; ``key`` is its request id."""
    made = {
        "kind": kind, "operation": _OPERATIONS[kind], "actor_id": DAN if kind == "decision" else ANA,
        "initiator_id": None if kind in ("decision", "expiry") else ANA, "actor_class": "human",
        "authority_mode": "self", "verdict": "approve" if kind == "decision" else None,
        "target_key": ROLE, "effect_key": f"{'revoke' if kind in ('expiry', 'rollback') else 'grant'}({ROLE})",
        "native_key_kind": "pim_request_id" if key else None, "native_key": key, "tenant": TENANT, "provider": "entra",
        "source": "entra_audit",
    }
    return step(name or kind, when, **{**made, **fields})


def identity(which: str, kind: str = "human", **fields: Any) -> Row:
    return {"id": which, "kind": kind, "kind_basis": f"listed as {kind}", "inventoried": True, "sources": [],
            "record_ids": [], **fields}


def people(**persons: str) -> list[Row]:
    """Accounts mapped to persons: ``ana="p-ana"``."""
    return [identity(f"entra:{TENANT}:{name}", person_id=person) for name, person in persons.items()]


def covered(source: str = "entra_audit", tenant: str = TENANT, *, first: date = date(2026, 6, 1),
            last: date = date(2026, 6, 29), lateness: int = 7_200, without: Sequence[date] = ()) -> list[Row]:
    """Received every day from ``first`` to ``last``, but for the days ``without``."""
    days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    return [{
        "basis": "received", "source": source, "tenant": tenant, "provider": "entra", "day": day, "records": 10,
        "first": datetime(day.year, day.month, day.day, tzinfo=UTC),
        "last": datetime(day.year, day.month, day.day, 23, 59, 59, tzinfo=UTC), "lateness_seconds": lateness,
        "record_id": f"rec-cover-{day}",
    } for day in days if day not in without]


def frame(rows: Sequence[Row], table: tables.Table) -> pl.DataFrame:
    made = {name: table.schema[name] for row in rows for name in row}
    return tables.conform(pl.DataFrame(list(rows), schema=made), table)


def facts(steps: Sequence[Row], identities: Sequence[Row] = (), coverage: Sequence[Row] = (),
          access: Sequence[Row] = (), as_of: datetime = AS_OF) -> Facts:
    return Facts.of(
        as_of, decision_steps=frame(steps, tables.DECISION_STEPS), identities=frame(identities, tables.IDENTITIES),
        coverage=frame(coverage, tables.COVERAGE), assistant_access=frame(access, tables.ASSISTANT_ACCESS))


def lineage(*steps: Row, identities: Sequence[Row] = (), coverage: Sequence[Row] = (), access: Sequence[Row] = (),
            as_of: datetime = AS_OF) -> DecisionLineage:
    return decision_lineage(facts(steps, identities, coverage, access, as_of))


def case(found: DecisionLineage, event: str | None = None) -> Row:
    """The only case, or the one anchored on an event."""
    cases = found.cases if event is None else found.cases.filter(pl.col("anchor_event_id") == event)
    assert cases.height == 1, cases
    return cases.row(0, named=True)


def states(found: DecisionLineage, case_id: str | None = None) -> dict[str, tuple[str, str]]:
    """State and reason by element of one case."""
    wanted = case_id or case(found)["case_id"]
    rows = found.elements.filter(pl.col("case_id") == wanted).select("element", "state", "reason").iter_rows()
    return {element: (state, reason) for element, state, reason in rows}


def gaps(found: DecisionLineage, case_id: str | None = None) -> dict[str, str]:
    wanted = case_id or case(found)["case_id"]
    return dict(found.gaps.filter(pl.col("case_id") == wanted).select("element", "reason").iter_rows())


def links(found: DecisionLineage) -> set[tuple[str, str, str, int]]:
    """Source, destination, relation and tier, names without their prefix."""
    return {(src.removeprefix("step-"), dst.removeprefix("step-"), rel, tier)
            for src, dst, rel, tier in found.links.select("src", "dst", "rel", "tier").iter_rows()}


def pairs(found: DecisionLineage) -> set[tuple[str, str]]:
    """What undid what, as (undoing, undone)."""
    return {(src, dst) for src, dst, rel, _ in links(found) if rel == "rolls_back"}
