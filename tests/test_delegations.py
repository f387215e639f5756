"""Chains of delegations: who began them, and what in them is not as it must be (decision-lineage 7)."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from lineage_analytics import tables
from lineage_analytics.facts import Facts
from lineage_analytics.graphs.decisions.cases import cases
from lineage_analytics.graphs.decisions.delegations import DEEPEST, Chain, Delegations
from lineage_analytics.graphs.decisions.places import Places
from lineage_analytics.graphs.decisions.steps import Step, people, steps
from tests import _decisions as d

if TYPE_CHECKING:
    from collections.abc import Sequence

Row = dict[str, Any]
HUMAN, ROLE, AGENT, CHILD = (f"aws:{d.ACCOUNT}:{name}" for name in ("AIDAANA", "AROAROLE", "AROAAGENT", "AROACHILD"))


def lent(uid: str, parent: str | None = None, **fields: Any) -> Row:
    """A delegation of the account, stated by the provider at noon; ``fields`` replace or add columns."""
    return {"uid": uid, "kind": "stated", "time": d.NOON, "principal_id": HUMAN, "delegate_id": AGENT,
            "trust": "provider_asserted", "parent_uid": parent, "tenant": d.ACCOUNT, "provider": "aws",
            "source": "aws_cloudtrail", "record_id": f"rec-{uid}", **fields}


class World(NamedTuple):
    """Delegations made of rows, with the steps and cases that use them."""

    delegations: Delegations
    steps: dict[str, Step]
    findings: list[Row]

    def chain(self, name: str = "act") -> Chain:
        found = self.delegations.chain(self.steps[f"step-{name}"])
        assert found is not None
        return found

    def root(self, name: str = "act") -> str | None:
        found = self.delegations.root_human(self.steps[f"step-{name}"])
        return found.id if found else None

    @property
    def names(self) -> set[str]:
        return {row["finding"] for row in self.findings}


def world(told: Sequence[Row], acts: Sequence[Row] = (), *, as_of: datetime = d.AS_OF, more: Sequence[Row] = ()) -> World:
    """The delegations behind ``acts``: one action in session ``leaf`` at noon and five minutes unless given."""
    acts = acts or [act()]
    facts = Facts.of(
        as_of, decision_steps=d.frame(acts, tables.DECISION_STEPS), delegations=d.frame(told, tables.DELEGATIONS),
        identities=d.frame([d.identity(HUMAN), *more], tables.IDENTITIES))
    known, places = people(facts), Places(facts)
    made = steps(facts, known)
    found = Delegations(facts, made, known, places)
    return World(found, {step.id: step for step in made}, found.findings(cases(made, places)[0]))


def act(name: str = "act", session: str | None = "leaf", when: float = 5, **fields: Any) -> Row:
    return d.step(name, when, stated_keys=[f"session:{session}"] if session else [], actor_id=AGENT, **fields)


def test_the_person_behind_a_chain_of_sessions_is_named_with_the_records_of_every_link() -> None:
    found = world([lent("first"), lent("leaf", "first", principal_id=AGENT, delegate_id=CHILD)])
    assert [link.uid for link in found.chain().links] == ["leaf", "first"]
    assert (found.chain().depth, found.chain().end, found.root()) == (2, "root", HUMAN)
    root = found.delegations.root_human(found.steps["step-act"])
    assert root is not None
    assert root.records == ["rec-first", "rec-leaf"]
    assert found.findings == []


def test_a_30_child_that_may_more_than_its_parent_is_a_finding_of_the_case_that_used_it() -> None:
    found = world([lent("first", scopes=["mail.read"]),
                   lent("leaf", "first", kind="spawned", scopes=["mail.read", "mail.send"])])
    assert [(row["finding"], row["step_ids"], row["record_ids"]) for row in found.findings] == [
        ("scope_amplification", ["step-act"], ["rec-act", "rec-first", "rec-leaf"])]
    assert "mail.send" in found.findings[0]["reading"]


def test_a_31_circle_of_delegations_is_reported_and_names_nobody() -> None:
    found = world([lent("a", "b"), lent("b", "leaf"), lent("leaf", "a")])
    assert (found.chain().end, found.chain().depth, found.root()) == ("cycle", None, None)
    assert found.names == {"delegation_cycle"}


def test_a_chain_of_ten_thousand_is_followed_to_its_root_and_is_a_finding() -> None:
    deep = [lent(f"n{i}", f"n{i + 1}", principal_id=f"aws:{d.ACCOUNT}:AROA{i + 1}", delegate_id=f"aws:{d.ACCOUNT}:AROA{i}")
            for i in range(9_999)]
    found = world([*deep, lent("n9999")], [act(session="n0")])
    assert (found.chain().depth, found.root(), len(found.chain().links)) == (10_000, HUMAN, DEEPEST)
    assert found.names == {"delegation_too_deep"}


