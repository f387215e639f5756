"""Steps as records state them, made ready: deduplicated, in order, their agents known by kind."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

import polars as pl

from lineage_analytics import tables

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from lineage_analytics.facts import Facts

SKEW_INSIDE, SKEW_BETWEEN = timedelta(seconds=2), timedelta(seconds=300)
SOFTWARE = frozenset({"workload", "automation"})
AI = frozenset({"ai_agent", "ai_instance"})
_KIND_CLASS = {
    "human": "human", "role": "human", "ai_agent": "ai_agent", "service_account": "workload", "workload": "workload",
    "app": "workload", "api_key": "workload", "group": "group", "ai_assistant": "ai_instance",
}

_REMOVED = {
    "github_workflow_run": 1, "github_pull_request": 2, "lineage_case": 3, "mcp_request": 3, "change_number": 4,
    "request_number": 4, "issue_key": 4, "issue_id": 4, "approval_sys_id": 4,
}


@dataclass(slots=True)
class Step:
    """One step. ``mirrors``: records that repeat it; ``approved_by`` and the like live on the case, not here."""

    id: str
    kind: str
    time: datetime
    operation: str
    verdict: str | None
    status: str
    initiator: str | None
    actor: str | None
    agent_class: str
    class_basis: str | None
    on_behalf_of: str | None
    assistant: str | None
    authority: str
    target: str | None
    effect: str | None
    before: str | None
    after: str | None
    key_kind: str | None
    key: str | None
    correlation: str | None
    quoted: tuple[str, ...]
    expires: datetime | None
    title: str
    event: str | None
    tenant: str | None
    provider: str
    source: str
    records: list[str] = field(default_factory=list)
    justified: bool | None = None
    conflict: bool = False
    stated: tuple[str, ...] = ()
    capacity: str | None = None
    origin: str | None = None
    recommended: str | None = None
    decided: str | None = None
    applied: str | None = None
    seq: int | None = None
    zone_assumed: bool = False
    remove: int = 0
    """How far from the change itself the system stands that tells of the step: 0 it is where access changes."""

    @property
    def with_ai(self) -> bool:
        return self.assistant is not None or self.agent_class in AI

    @property
    def beneficiary(self) -> str | None:
        """Who a grant is for: the parameter of ``<provider>:<tenant>:role/<role>|<principal>``; null elsewhere."""
        if self.provider != "entra" or self.target is None or "|" not in self.target:
            return None
        native = self.target.split(":", 2)[2] if self.target.count(":") >= 2 else ""
        kind = native.split("/", 1)[0]
        return f"entra:{self.tenant or ''}:{native.split('|')[1]}" if kind in ("role", "group") else None


class Owner(NamedTuple):
    """Who is stated to own an account, as an identity where the name is known to be one; basis owner, sponsor ..."""

    id: str
    basis: str


@dataclass(frozen=True)
class Person:
    """What identities say of an agent."""

    kind: str = "unknown"
    basis: str | None = None
    person: str | None = None
    owner: str | None = None
    role_of_people: bool = False
    lent: bool = False
    """Declared as the account an assistant acts with."""
    owners: tuple[Owner, ...] = ()
    created: datetime | None = None


def people(facts: Facts) -> Mapping[str, Person]:
    """Identities by id."""
    frame = facts.frame("identities").select(
        "id", "kind", "kind_basis", "person_id", "owner", "excluded_reason", "created_at")
    lent, named = _lent(facts), _owner_names(facts, frame)
    found = {}
    for identity, kind, basis, person, owners, excluded, created in frame.iter_rows():
        stated = tuple(Owner(named.get(owner["id"], owner["id"]), owner["basis"] or "owner")
                       for owner in owners or () if owner["id"])
        found[identity] = Person(kind, basis, person, stated[0].id if stated else None, excluded == "human_role",
                                 identity in lent, stated, created)
    return found


def _owner_names(facts: Facts, frame: pl.DataFrame) -> Mapping[str, str]:
    """The identity behind each name that owners are stated by, where exactly one bears it."""
    names = frame.select(pl.col("owner").explode(empty_as_null=True, keep_nulls=False).struct.field("id")).drop_nulls()
    aliases = facts.frame("aliases").filter(pl.col("alias").is_in(names["id"].unique().implode())).select(
        "alias", "id").unique()
    return dict(aliases.filter(pl.col("alias").is_unique()).iter_rows())


def _lent(facts: Facts) -> frozenset[str]:
    """Accounts that declared workflows act with, as resolved."""
    declared = facts.frame("resources").filter(
        (pl.col("kind") == "workflow") & pl.col("attributes").is_not_null())["attributes"]
    accounts = declared.str.json_decode(pl.Struct({"identity": pl.String, "identities": tables.TEXTS})).struct.unnest()
    stated = {*accounts["identity"].drop_nulls(), *accounts["identities"].explode().drop_nulls()}
    if not stated:
        return frozenset()
    aliases = facts.frame("aliases").filter(pl.col("alias").is_in(sorted(stated)))
    resolved = dict(aliases.select("alias", "id").iter_rows())
    return frozenset(resolved.get(identity, identity) for identity in stated)


def steps(facts: Facts, known: Mapping[str, Person]) -> list[Step]:
    """All steps up to ``as_of`` by tenant, time and id. The same record delivered often is one step."""
    plain = [name for name, dtype in tables.DECISION_STEPS.schema.items() if not dtype.is_nested()]
    frame = facts["decision_steps"].filter(pl.col("time") <= facts.as_of).sort(
        "tenant", "time", "step_id", *plain, nulls_last=True).unique(
        "step_id", keep="first", maintain_order=True).collect()
    made = [_step(row, known) for row in frame.iter_rows(named=True)]
    torn = _conflicts(facts, plain)
    for step in made if torn else ():
        step.conflict = step.id in torn
    return _folded(made)


def _conflicts(facts: Facts, plain: Sequence[str]) -> frozenset[str]:
    """Steps that two deliveries of one record tell differently."""
    told = facts["decision_steps"].filter((pl.col("time") <= facts.as_of) & pl.col("step_id").is_duplicated())
    torn = told.unique(plain).filter(pl.col("step_id").is_duplicated()).select("step_id")
    return frozenset(torn.collect()["step_id"])


def _step(row: Mapping[str, Any], known: Mapping[str, Person]) -> Step:
    actor = row["actor_id"]
    agent_class, basis = _class(row["actor_class"] or "unknown", row["actor_class_basis"], known.get(actor or ""))
    return Step(
        row["step_id"], row["kind"], row["time"], row["operation"], row["verdict"], row["status"] or "unknown",
        row["initiator_id"], actor, agent_class, basis, row["on_behalf_of_id"], row["via_assistant_id"],
        _authority(row["authority_mode"] or "unknown", agent_class, known.get(actor or "")), row["target_key"],
        row["effect_key"],
        row["before_state"], row["after_state"], row["native_key_kind"], row["native_key"], row["correlation_id"],
        tuple(row["quoted_keys"] or ()), row["expires_at"], row["title"] or row["operation"], row["event_id"],
        row["tenant"], row["provider"], row["source"], [row["record_id"]],
        row["justification_present"], stated=tuple(row["stated_keys"] or ()), capacity=row["capacity"],
        origin=row["origin"], recommended=row["recommended_value"], decided=row["decided_value"],
        applied=row["applied_value"], seq=row["seq"], zone_assumed=row["time_zone"] == "assumed",
        remove=_REMOVED.get(row["native_key_kind"] or "", 0),
    )


def _class(stated: str, basis: str | None, identity: Person | None) -> tuple[str, str | None]:
    """Class from type evidence: the record's, then an inventory's; a declared agent outranks mere software."""
    if identity is None:
        return stated, basis
    listed = "human" if identity.role_of_people else _KIND_CLASS.get(identity.kind, "unknown")
    if stated == "unknown" or (stated in SOFTWARE and listed in AI):
        return (listed, identity.basis) if listed != "unknown" else (stated, basis)
    return stated, basis


def _authority(stated: str, agent_class: str, identity: Person | None) -> str:
    """``masked``: a person's account with which, as declared, an assistant acts; the record cannot tell which did."""
    if agent_class == "human" and identity is not None and identity.lent and stated in ("unknown", "self"):
        return "masked"
    if stated in ("unknown", "self") and agent_class in AI:
        return "own_identity"
    return "self" if stated == "unknown" and agent_class == "human" else stated


def _folded(made: list[Step]) -> list[Step]:
    """Records in which the directory repeats what its own service logged become records of that step."""
    originals: dict[tuple[str | None, str | None, str | None], Step] = {
        (s.tenant, s.correlation, s.target): s for s in made
        if s.correlation and s.kind in ("action", "rollback", "draft") and not _mirror(s)
    }
    kept = []
    for step in made:
        original = originals.get((step.tenant, step.correlation, step.target)) if _mirror(step) else None
        if original is None:
            kept.append(step)
        else:
            original.records = sorted({*original.records, *step.records})
    return kept


def _mirror(step: Step) -> bool:
    return (step.key_kind or "").endswith("_mirror")


def skew(one: Step, other: Step) -> timedelta:
    """How far the clocks of two steps may lie apart (decision-lineage 5.3)."""
    return SKEW_INSIDE if one.source == other.source else SKEW_BETWEEN
