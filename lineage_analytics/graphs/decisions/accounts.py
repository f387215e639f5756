"""What the estate shows of accounts that decide: since when they exist, whether they stood under suspicion, who gave
them their rights, and who has an interest in the account that acts (decision-lineage 15, A10 to A12)."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from datetime import timedelta
from typing import TYPE_CHECKING

import polars as pl

from lineage_analytics.graphs.decisions.steps import AI

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from lineage_analytics.facts import Facts
    from lineage_analytics.graphs.decisions.steps import Person, Step

NEW = timedelta(hours=24)
FLAGGED = timedelta(hours=24)
APPOINTED = timedelta(days=180)
_BIRTHS = frozenset({"create", "enable", "restore"})
_OWNING = ("owner", "membership")
_ACCOUNTS = frozenset({"user", "service_principal", "service_account", "member"})
_SAFE = ("dismissed", "remediated", "confirmedsafe", "none")


class Accounts:
    """Looked up by account; every answer names the steps or owners behind it."""

    def __init__(self, facts: Facts, steps: Sequence[Step], known: Mapping[str, Person]) -> None:
        self._births: dict[str, list[tuple[datetime, Step]]] = defaultdict(list)
        self._flags: dict[str, list[tuple[datetime, Step]]] = defaultdict(list)
        self._grants: dict[tuple[str, str], list[tuple[datetime, Step]]] = defaultdict(list)
        for step in steps:
            self._note(step)
        self._created = {identity: person.created for identity, person in known.items() if person.created is not None}
        acting = {step.actor for step in steps if step.actor is not None and step.agent_class in AI} | {
            step.assistant for step in steps if step.assistant is not None}
        self._owners = _interests(facts, acting, known)

    def _note(self, step: Step) -> None:
        if step.target is None:
            return
        if step.kind == "signal":
            account = _account(step.target)
            if account is not None and not any(word in step.operation.casefold() for word in _SAFE):
                self._flags[account].append((step.time, step))
        elif step.kind in ("action", "rollback"):
            verb = (step.effect or "").partition("(")[0]
            if verb in _BIRTHS and (account := _account(step.target)) is not None:
                self._births[account].append((step.time, step))
            giver, taker = step.initiator or step.actor, step.beneficiary
            if verb == "grant" and giver is not None and taker is not None and giver != taker:
                self._grants[giver, taker].append((step.time, step))

    def new(self, account: str, moment: datetime) -> list[Step] | None:
        """Steps that made or woke the account within a day before; None for an older one, empty where an inventory
        states the date."""
        found = _within(self._births.get(account, ()), moment - NEW, moment)
        created = self._created.get(account)
        if not found and created is not None and timedelta(0) <= moment - created < NEW:
            return []
        return found or None

    def flagged(self, account: str, moment: datetime) -> list[Step]:
        """Signs of risk on the account within a day before."""
        return _within(self._flags.get(account, ()), moment - FLAGGED, moment)

    def appointed(self, account: str, by: str, moment: datetime) -> list[Step]:
        """Grants to the account by the other, within half a year before."""
        return _within(self._grants.get((by, account), ()), moment - APPOINTED, moment)

    def interested(self, account: str, agent: str | None) -> str | None:
        """In what an account has an interest in an AI agent's acting; None: none on record."""
        return self._owners.get(agent or "", {}).get(account)


def _within(found: Sequence[tuple[datetime, Step]], first: datetime, last: datetime) -> list[Step]:
    times = [time for time, _ in found]
    return [step for _, step in found[bisect_left(times, first):bisect_right(times, last)]]


def _account(target: str) -> str | None:
    """The identity that a target of the kind user or service principal is."""
    provider, _, rest = target.partition(":")
    tenant, _, what = rest.partition(":")
    kind, _, native = what.partition("|")[0].partition("/")
    return f"{provider}:{tenant}:{native}" if kind in _ACCOUNTS and native else None


def _interests(facts: Facts, agents: Iterable[str], known: Mapping[str, Person]) -> dict[str, dict[str, str]]:
    """Per agent, the accounts that own or sponsor it, or own a group it is in, and in which way."""
    wanted = sorted(agents)
    if not wanted:
        return {}
    stated = {(agent, owner.id): f"{owner.basis} of the agent that acted" for agent in wanted if agent in known
              for owner in known[agent].owners}
    listed = facts["entitlements"].filter(pl.col("grant_kind").is_in(_OWNING))
    groups = listed.filter((pl.col("grant_kind") == "membership") & pl.col("principal_id").is_in(wanted)).select(
        agent="principal_id", scope="scope")
    owned = listed.filter(pl.col("grant_kind") == "owner").select(owner="principal_id", scope="scope")
    direct = owned.filter(pl.col("scope").is_in(wanted)).select(
        agent="scope", owner="owner", said=pl.lit("owner of the agent that acted"))
    through = groups.join(owned, on="scope").select(
        "agent", "owner", said=pl.lit("owner of a group that the agent is in"))
    rows = pl.concat([direct, through]).unique().sort("agent", "owner", "said").collect()
    found: dict[str, dict[str, str]] = defaultdict(dict)
    for agent, owner, said in [*((a, o, s) for (a, o), s in sorted(stated.items())), *rows.iter_rows()]:
        found[agent].setdefault(owner, said)
    return found
