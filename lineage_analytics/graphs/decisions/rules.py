"""What a customer declares of decisions: accounts for emergencies, and how many must approve what."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

import polars as pl

from lineage_analytics.graphs.decisions.places import names_of, spelled

if TYPE_CHECKING:
    from lineage_analytics.facts import Facts
    from lineage_analytics.graphs.decisions.steps import Step

_EVERYTHING = "*"
_REVIEW_HOURS = 72.0
"""Until when a use is reviewed where the declaration does not say."""


class Required(NamedTuple):
    """How many people must approve, and the record that says so."""

    approvers: int
    record_id: str


class Rules:
    """Declared emergency accounts and approval rules; a display name makes neither (decision-lineage 15, A33)."""

    def __init__(self, facts: Facts) -> None:
        listed = facts.frame("resources").filter(
            pl.col("kind").is_in(["break_glass", "approval_rule"]) & pl.col("attributes").is_not_null()).select(
            "kind", "attributes", "record_id").sort("kind", "attributes", "record_id", nulls_last=True)
        self._emergency: dict[str, timedelta] = {}
        self._required: dict[str, Required] = {}
        self.any_emergency = False
        for kind, text, record in listed.iter_rows():
            said = json.loads(text)
            if kind == "break_glass":
                self.any_emergency = True
                hours = said.get("review_within_hours")
                self._emergency[str(said["account"])] = timedelta(hours=_REVIEW_HOURS if hours is None else hours)
            else:
                self._require(said, str(record or ""))
        aliases = facts.frame("aliases").filter(pl.col("alias").is_in(sorted(self._emergency)))
        self._emergency |= {found: self._emergency[alias] for alias, found in aliases.select("alias", "id").iter_rows()}

    def _require(self, said: dict[str, object], record: str) -> None:
        wanted = Required(int(str(said["approvers_required"])), record)
        names = {spelled(str(name)) for name in (said.get("target"), said.get("target_written")) if name}
        for name in names:
            held = self._required.get(name)
            self._required[name] = wanted if held is None or wanted.approvers > held.approvers else held

    def review_within(self, actor: str | None) -> timedelta | None:
        """How soon a use of an emergency account must be reviewed; None for any other account."""
        return self._emergency.get(actor) if actor is not None else None

    def required(self, step: Step) -> Required | None:
        """The strictest rule on what a step changes: one on the thing itself before one on everything."""
        if not self._required:
            return None
        named = [self._required[name] for name in (names_of(step.target) if step.target else ())
                 if name in self._required]
        return max(named, default=self._required.get(_EVERYTHING))
