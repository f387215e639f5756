"""Hand-made registers of workflows, with the facts and the lineage they are met in, synthetic."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from lineage_analytics import tables
from lineage_analytics.facts import Facts
from lineage_analytics.graphs.decisions import DecisionLineage, decision_lineage
from lineage_analytics.graphs.workflow_register import workflow_register
from tests._decisions import AS_OF, BO, BOT, DAN, TENANT, Row, at, frame, identity, pim, step
from tests._documents import Loaded

if TYPE_CHECKING:
    from collections.abc import Sequence

COLUMNS = ("workflow", "runs_by", "assistant", "identity", "declared_class", "approver", "data", "stage", "workstream",
           "owner", "description", "evidence")
Q = "aws:assistant:q-developer"
AGENT = f"entra:{TENANT}:agent"


def declared(*rows: dict[str, str]) -> pl.DataFrame:
    """The resources that a list of these workflows loads to."""
    if not rows:
        return tables.RESOURCES.empty()
    lines = [",".join(row.get(name, "") for name in COLUMNS) for row in rows]
    return Loaded("\n".join([",".join(COLUMNS), *lines]) + "\n")["resources"]


def flow(name: str = "roles", **fields: str) -> dict[str, str]:
    """A workflow of the bot's account that executes with approval."""
    return {"workflow": name, "identity": BOT, "declared_class": "executes_approved", **fields}


def world(steps: Sequence[Row], *workflows: dict[str, str], identities: Sequence[Row] = (),
          aliases: Sequence[Row] = (), access: Sequence[Row] = (), resources: pl.DataFrame | None = None,
          coverage: Sequence[Row] = ()) -> Facts:
    """Facts with a register of workflows, and ``resources`` besides."""
    stated = [declared(*workflows), *([resources] if resources is not None else [])]
    return Facts.of(
        AS_OF, decision_steps=frame(steps, tables.DECISION_STEPS), identities=frame(identities, tables.IDENTITIES),
        aliases=frame(aliases, tables.ALIASES), resources=pl.concat(stated), coverage=frame(
            coverage, tables.COVERAGE), assistant_access=frame(access, tables.ASSISTANT_ACCESS))


def found(facts: Facts) -> DecisionLineage:
    return decision_lineage(facts)


def register(facts: Facts) -> dict[str, Row]:
    """Rows of the register by name."""
    return {row["name"]: row for row in workflow_register(facts, decision_lineage(facts)).iter_rows(named=True)}


def alone(name: str, when: float = 0.0, **fields: Any) -> Row:
    """A grant that the bot makes with its own credential."""
    return step(name, when, **{"actor_id": BOT, "actor_class": "ai_agent", "authority_mode": "own_identity", **fields})


def asked(name: str, when: float = 0.0, *, approved: bool = True, agent: str = AGENT) -> list[Row]:
    """An activation that Bo asks for, Dan approves (or nobody does) and an agent carries out."""
    key = f"req-{name}"
    made = [pim("request", when, name=f"{name}-r", key=key, actor_id=BO, initiator_id=BO),
            pim("action", when + 20, name=f"{name}-a", key=key, actor_id=agent, actor_class="ai_agent",
                initiator_id=BO)]
    return [*made, pim("decision", when + 10, name=f"{name}-d", key=key)] if approved else made


def read(name: str, assistant: str = Q, **fields: Any) -> Row:
    """One resource that an assistant read for Bo."""
    return {"time": at(), "user_id": BO, "assistant_id": assistant, "interaction_id": name, "resource_id": f"res-{name}",
            "role": "accessed", "action": "read", "policy_outcome": "none", "trigger": "user", "completeness": "listed",
            "tenant": TENANT, "provider": "m365", "source": "m365_audit", "record_id": f"rec-read-{name}", **fields}


PEOPLE = [identity(BO, person_id="p-bo"), identity(DAN, person_id="p-dan")]
