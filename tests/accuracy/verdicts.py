"""What is said of each change beside what is true of it: order, class, approval, rollback."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.accuracy.links import PROVED
from tests.accuracy.table import Row, Tally

if TYPE_CHECKING:
    from tests.accuracy.organisations import Organisation

Case = dict[str, Any]
_POWER = ("none", "advises", "drafts", "executes_approved", "executes_autonomous")
_WITH_AI = _POWER[1:]


@dataclass
class Verdicts:
    """Counts of all organisations taken so far. The cases of a change are those that hold an action its record
    states."""

    missing: Tally = field(default_factory=lambda: Tally(
        "changes found", "executed changes that are a case", least=1.0))
    order: Tally = field(default_factory=lambda: Tally(
        "order", "approval before, after or none, as it was; where the clocks can tell", least=1.0))
    uncertain: Tally = field(default_factory=lambda: Tally(
        "order left open", "approvals that lie within the clocks' difference and are called so", least=1.0))
    approval: Tally = field(default_factory=lambda: Tally(
        "approval verdict", "as planted, of changes with a verdict to be said", least=1.0))
    ai: Tally = field(default_factory=lambda: Tally(
        "class", "advises, drafts, executes approved or alone, as it was; unknown is not right", least=0.98))
    no_ai: Tally = field(default_factory=lambda: Tally(
        "class without AI", "none, of changes that records show free of AI", least=0.98))
    open: Tally = field(default_factory=lambda: Tally(
        "class left open", "unknown, of changes whose records cannot tell", least=0.98))
    under: Tally = field(default_factory=lambda: Tally(
        "class under-stated", "a class of less power than the true one, of all changes", none=True))
    accountable: Tally = field(default_factory=lambda: Tally(
        "accountable by decision", "the person who approved, of changes another person approved before", least=0.98))
    effect: Tally = field(default_factory=lambda: Tally(
        "effect beside approval", "exact, narrower, broader or different, as planted", least=0.98))
    undone: Tally = field(default_factory=lambda: Tally(
        "rollbacks recall", "changes undone with a usable id, whose case names what undid them", least=0.99))
    kind: Tally = field(default_factory=lambda: Tally(
        "rollback kind", "exact, state restoring or partial, as planted", least=0.99))
    claimed: Tally = field(default_factory=lambda: Tally(
        "rollbacks precision", "proved pairs that are true", least=1.0))

    def take(self, one: Organisation) -> None:
        cases = _cases(one)
        true = {(row["from_event_id"], row["to_event_id"]): row["provable"] == "true"
                for row in one.truth("links") if row["rel"] == "rolls_back"}
        people = {row["native_id"]: row["person_or_workload"] for row in one.truth("identities")}
        grouped: dict[str, list[dict[str, str]]] = defaultdict(list)
        for row in one.truth("decisions"):
            if row["executed"] == "true":
                grouped[row["event_id"]].append(row)
        undone_by = {undone: undoing for (undoing, undone), provable in true.items() if provable}
        for event, rows in grouped.items():
            found = cases.get(event, [])
            where = f"seed {one.seed}: {event} {found[0]['operation'] if found else ''}"
            _judge(self.missing, bool(found), where, "no case")
            if found:
                self._told(rows, found, where, people)
        self._rollbacks(one, cases, undone_by, true)

    def _told(self, rows: list[dict[str, str]], found: list[Case], where: str, people: dict[str, str]) -> None:
        """One record may state several changes; then what is said of them is compared as a whole."""
        row = rows[0]
        order, said = row["order_verdict"], {case["order_verdict"] for case in found}
        if order:
            _judge(self.uncertain if order == "order_uncertain" else self.order, said == {order}, where,
                   f"{sorted(said)}, wanted {order}")
        if row["approval_verdict"]:
            _same(self.approval, found, "approval_verdict", row["approval_verdict"], where)
        kind = row["involvement_class"]
        _same(self.ai if kind in _WITH_AI else self.open if kind == "unknown" else self.no_ai, found,
              "involvement_class", kind, where)
        low = [case for case in found if _below(case, row["really"] or kind)]
        self.under.count(bool(low), 1, [f"{where}: {low[0]['involvement_class']}, was {row['really'] or kind}"]
                         if low else [])
        if row["effect_match"]:
            _same(self.effect, found, "effect_match", row["effect_match"], where)
        if row["accountable"]:
            persons = {people.get(str(case["accountable_id"]).split(":", 2)[-1]) for case in found
                       if case["accountable_rule"] == "by_decision"}
            _judge(self.accountable, persons == {row["accountable"]}, where, f"{persons}, wanted {row['accountable']}")
        if row["rollback_kind"]:
            _same(self.kind, found, "rollback_kind", row["rollback_kind"], where)

    def _rollbacks(self, one: Organisation, cases: dict[str, list[Case]], undone_by: dict[str, str],
                   true: dict[tuple[str, str], bool]) -> None:
        home = {case["case_id"]: event for event, found in cases.items() for case in found}
        for undone, undoing in undone_by.items():
            by = {home.get(case["rolled_back_by"]) for case in cases.get(undone, [])}
            _judge(self.undone, undoing in by, f"seed {one.seed}: {undone}", f"by {by}, wanted {undoing}")
        events = dict(one.lineage.steps.select("step_id", "event_id").iter_rows())
        for src, dst, rel, tier in one.lineage.links.select("src", "dst", "rel", "tier").iter_rows():
            if rel == "rolls_back" and tier >= PROVED:
                pair = events[src], events[dst]
                _judge(self.claimed, pair in true, f"seed {one.seed}", f"{pair[0]} undid {pair[1]}")

    def rows(self) -> list[Row]:
        return [value.row for value in vars(self).values() if isinstance(value, Tally)]


def _cases(one: Organisation) -> dict[str, list[Case]]:
    """Cases by the native ids of the actions they hold."""
    by_id = {case["case_id"]: case for case in one.lineage.cases.iter_rows(named=True)}
    found: dict[str, dict[str, Case]] = defaultdict(dict)
    for event, case_id, kind in one.lineage.steps.select("event_id", "case_id", "kind").iter_rows():
        if kind in ("action", "rollback"):
            found[event][case_id] = by_id[case_id]
    return {event: list(held.values()) for event, held in found.items()}


def _judge(tally: Tally, right: object, where: str, why: str) -> None:
    tally.count(bool(right), 1, [] if right else [f"{where}: {why}"])


def _same(tally: Tally, found: list[Case], column: str, wanted: str, where: str) -> None:
    said = {case[column] for case in found}
    _judge(tally, said == {wanted}, where, f"{sorted(map(str, said))}, wanted {wanted}")


def _below(case: Case, kind: str) -> bool:
    """Whether less power is said than there was; of a class left open, whether its bounds leave the true one out."""
    if kind == "unknown":
        return False
    said = case["involvement_class"]
    if said == "unknown":
        return kind not in (case["involvement_bounds"] or "") and "any" not in (case["involvement_bounds"] or "")
    return _POWER.index(said) < _POWER.index(kind)
