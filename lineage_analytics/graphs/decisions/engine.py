"""The engine: steps to cases, verdicts, links, gaps and elements, as frames."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lineage_analytics import tables
from lineage_analytics.graphs.decisions import DecisionLineage, verdicts
from lineage_analytics.graphs.decisions.accounts import Accounts
from lineage_analytics.graphs.decisions.approvals import Scene, approval, initiator
from lineage_analytics.graphs.decisions.batches import batches
from lineage_analytics.graphs.decisions.cases import cases
from lineage_analytics.graphs.decisions.clocks import Clocks
from lineage_analytics.graphs.decisions.coverage import Coverage
from lineage_analytics.graphs.decisions.elements import Found, elements, gaps
from lineage_analytics.graphs.decisions.frames import Gathered
from lineage_analytics.graphs.decisions.links import (
    Quotes,
    case_links,
    doubted,
    rejects,
    rollback_links,
    rollback_rejects,
)
from lineage_analytics.graphs.decisions.places import Places
from lineage_analytics.graphs.decisions.replay import sealed
from lineage_analytics.graphs.decisions.rollbacks import Pairs, undone
from lineage_analytics.graphs.decisions.rules import Rules
from lineage_analytics.graphs.decisions.silence import Silence
from lineage_analytics.graphs.decisions.steps import people, steps
from lineage_analytics.graphs.decisions.summary import case_row, said_of_elements, status, step_row
from lineage_analytics.graphs.decisions.workflows import with_workflows

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from lineage_analytics.facts import Facts
    from lineage_analytics.graphs.decisions.case import Case
    from lineage_analytics.graphs.decisions.steps import Step

Row = dict[str, Any]
_ORDER = {
    "cases": ("time", "case_id"), "steps": ("time", "step_id"), "links": ("src", "dst", "rel"),
    "link_rejects": ("src", "rel", "reason", "candidates"), "gaps": ("case_id", "element"),
    "decision_findings": ("case_id", "finding", "agent_id", "reading"),
    "elements": ("case_id", "element"),
}


def build(facts: Facts) -> DecisionLineage:
    """The lineage of all steps up to ``as_of``."""
    known, places = people(facts), Places(facts)
    made = steps(facts, known)
    gathered, doubts = cases(made, places)
    found = sorted(gathered, key=lambda case: (case.anchor.time, case.id))
    scene = Scene(known, Coverage(facts, places), Clocks(found), Rules(facts), Accounts(facts, made, known))
    quotes = Quotes(facts, made)
    pairs = undone(made)
    judge = _Judge(scene, quotes, pairs, found, Silence(made))
    rows = Gathered(tables.ALL[name] for name in _ORDER)
    for case in found:
        judge.write(case, rows)
    rows.add("links", rollback_links(pairs))
    rows.add("link_rejects", rollback_rejects(pairs) + doubted(doubts))
    frames = with_workflows({name: rows.frame(name, *order) for name, order in _ORDER.items()}, facts)
    return DecisionLineage(**sealed(frames), facts=facts)


class _Judge:
    """Writes the rows of one case after another; holds what all of them need."""

    def __init__(self, scene: Scene, quotes: Quotes, pairs: Pairs, found: Sequence[Case], silence: Silence) -> None:
        self._scene, self._quotes = scene, quotes
        self._undone = {pair.undone.id: pair for pair in pairs.made}
        self._proved = {pair.undone.id: pair for pair in pairs.made if pair.proved}
        self._undoing = {pair.undoing.id: pair for pair in pairs.made if pair.proved}
        self._home = {step.id: case.id for case in found for step in case.steps}
        self._stood, self._silence = pairs.stood, silence
        self._born, self._batches = _born(found), batches(found)

    def write(self, case: Case, rows: Gathered) -> None:
        approved = approval(case, self._scene)
        part = verdicts.involvement(case, approved)
        links = case_links(case, approved, self._scene.clocks) + self._quotes.links(case)
        found = Found(
            case, approved, part, initiator=initiator(case), quoted=self._quotes.of(case),
            undone=self._undone.get(case.anchor.id), earlier=self._stood.get(case.anchor.id),
            born_here=self._born_here(case.anchor), known=self._scene.known, dark=self._silence.at(case.anchor))
        states = elements(found)
        rows.add("elements", states)
        rows.add("gaps", gaps(found, states))
        rows.add("links", links)
        rows.add("link_rejects", rejects(case, approved) + self._quotes.rejects(case))
        rows.add("steps", [step_row(step, case.id, undoes=step.id in self._undoing) for step in case.steps])
        rows.add("steps", self._quotes.steps(case))
        rows.add("cases", [{
            **case_row(case, approved, part, self._scene, self._batches.get(case.id)),
            **said_of_elements(states, links), **self._rolled_back(case.anchor),
            "status": status(case, approved, rolled_back=case.anchor.id in self._proved)}])

    def _born_here(self, anchor: Step) -> bool:
        """Whether the log shows the target being created before: then no earlier value can stand unseen."""
        born = self._born.get((anchor.tenant, (anchor.target or "").partition("|")[0]))
        return born is not None and born <= anchor.time

    def _rolled_back(self, anchor: Step) -> Row:
        undone_by, undoes = self._proved.get(anchor.id), self._undoing.get(anchor.id)
        return {
            "rolled_back_by": self._home[undone_by.undoing.id] if undone_by else None,
            "rolled_back_at": undone_by.undoing.time if undone_by else None,
            "rollback_kind": undone_by.kind if undone_by else None,
            "rollback_share": 1.0 if undone_by else None, "rollback_tested": None,
            "rolls_back": self._home[undoes.undone.id] if undoes else None,
        }


def _born(found: Sequence[Case]) -> dict[tuple[str | None, str], datetime]:
    """When targets were first created in the log."""
    born: dict[tuple[str | None, str], datetime] = {}
    for case in found:
        for step in case.of("action", "rollback"):
            if step.target is not None and (step.effect or "").startswith("create("):
                born[step.tenant, step.target] = min(step.time, born.get((step.tenant, step.target), step.time))
    return born
