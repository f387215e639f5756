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
from lineage_analytics.graphs.decisions.delegations import Delegations
from lineage_analytics.graphs.decisions.elements import Found, elements, gaps
from lineage_analytics.graphs.decisions.findings import Denials, Seen, cyclic, findings, to_and_fro
from lineage_analytics.graphs.decisions.frames import Gathered
from lineage_analytics.graphs.decisions.kept import Keeping
from lineage_analytics.graphs.decisions.links import (
    case_links,
    doubted,
    rejects,
    rollback_links,
    rollback_rejects,
)
from lineage_analytics.graphs.decisions.places import Places
from lineage_analytics.graphs.decisions.reads import Reads, as_links, as_steps
from lineage_analytics.graphs.decisions.replay import sealed
from lineage_analytics.graphs.decisions.rollbacks import undone
from lineage_analytics.graphs.decisions.rules import Rules
from lineage_analytics.graphs.decisions.silence import Silence
from lineage_analytics.graphs.decisions.steps import people, steps
from lineage_analytics.graphs.decisions.summary import case_row, said_of_elements, status, step_row
from lineage_analytics.graphs.decisions.taken import Rollbacks, flapping
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
    scene = Scene(known, Coverage(facts, places), Clocks(found), Rules(facts), Accounts(facts, made, known),
                  Delegations(facts, made, known, places))
    reads = Reads(facts, made)
    pairs = undone(made, scene.clocks)
    judge = _Judge(scene, reads, Rollbacks(made, pairs, facts.as_of), found, Silence(made), facts)
    rows = Gathered(tables.ALL[name] for name in _ORDER)
    for case in found:
        judge.write(case, rows)
    rows.add("decision_findings", scene.delegations.findings(found))
    rows.add("decision_findings", to_and_fro(flapping(pairs), made, judge.home) + cyclic(doubts, judge.home))
    rows.add("links", rollback_links(pairs, scene.clocks))
    rows.add("link_rejects", rollback_rejects(pairs) + doubted(doubts))
    frames = with_workflows({name: rows.frame(name, *order) for name, order in _ORDER.items()}, facts)
    return DecisionLineage(**sealed(frames), facts=facts)


class _Judge:
    """Writes the rows of one case after another; holds what all of them need."""

    def __init__(self, scene: Scene, reads: Reads, back: Rollbacks, found: Sequence[Case],
                 silence: Silence, facts: Facts) -> None:
        self._scene, self._reads = scene, reads
        self._keeping = Keeping(facts, scene.covered)
        self._back = back
        self.home = {step.id: case.id for case in found for step in case.steps}
        self._silence = silence
        self._born, self._batches, self._denials = _born(found), batches(found), Denials(found)
        self._as_of = facts.as_of

    def write(self, case: Case, rows: Gathered) -> None:
        approved = approval(case, self._scene)
        part = verdicts.involvement(case, approved)
        read = self._reads.of(case)
        links = case_links(case, approved, self._scene.clocks) + as_links(case, read)
        found = Found(
            case, approved, part, initiator=initiator(case), read=read,
            undone=self._back.undone.get(case.anchor.id), earlier=self._back.pairs.stood.get(case.anchor.id),
            born_here=self._born_here(case.anchor), known=self._scene.known, dark=self._silence.at(case.anchor),
            root=self._scene.root(case), unkept=self._keeping.lack(case))
        states = elements(found)
        row = case_row(case, approved, part, self._scene, self._batches.get(case.id))
        rows.add("decision_findings", findings(Seen(
            case, approved, self._scene, self._as_of, self._denials, found.dark, row["per_item_review"])))
        rows.add("elements", states)
        rows.add("gaps", gaps(found, states))
        rows.add("links", links)
        rows.add("link_rejects", rejects(case, approved) + self._reads.rejects(case))
        rows.add("steps", [step_row(step, case.id, undoes=self._back.undoes(step)) for step in case.steps])
        rows.add("steps", as_steps(case, read))
        rows.add("cases", [{
            **row, **said_of_elements(states, links),
            **self._back.row(case.anchor, self.home, executed=row["executed"]),
            "status": status(case, approved, rolled_back=self._back.in_full(case.anchor))}])

    def _born_here(self, anchor: Step) -> bool:
        """Whether the log shows the target being created before: then no earlier value can stand unseen."""
        born = self._born.get((anchor.tenant, (anchor.target or "").partition("|")[0]))
        return born is not None and born <= anchor.time


def _born(found: Sequence[Case]) -> dict[tuple[str | None, str], datetime]:
    """When targets were first created in the log."""
    born: dict[tuple[str | None, str], datetime] = {}
    for case in found:
        for step in case.of("action", "rollback"):
            if step.target is not None and (step.effect or "").startswith("create("):
                born[step.tenant, step.target] = min(step.time, born.get((step.tenant, step.target), step.time))
    return born
