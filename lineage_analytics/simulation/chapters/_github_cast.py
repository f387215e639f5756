"""Who works on GitHub in the made-up organisation, and on which repositories."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lineage_analytics.simulation.model import Account

ORGANISATION = "northwind-synthetic"


@dataclass(frozen=True)
class Repository:
    """``full_name`` is ``owner/name``."""

    name: str
    number: int

    @property
    def full_name(self) -> str:
        return f"{ORGANISATION}/{self.name}"


@dataclass
class Cast:
    """Who is there. ``owners`` run the organisation, ``lead`` approves what the agent writes."""

    organisation: int
    people: list[Account]
    owners: list[Account]
    lead: Account
    agent: Account
    actions: Account
    deploy_key: Account
    outsider: Account
    repositories: list[Repository]

    @property
    def everybody(self) -> list[Account]:
        return [*self.people, self.agent, self.actions, self.deploy_key, self.outsider]
