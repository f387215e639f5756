"""Links that were found beside those that are true."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.accuracy.table import Row, Tally

if TYPE_CHECKING:
    from tests.accuracy.organisations import Organisation

PROVED = 3
Pair = frozenset[str]


@dataclass
class Links:
    """Counts of all organisations taken so far. Links are compared as pairs of records: which end names the other is
    a matter of form, and records that tell one act stand for each other; that a proved link has the right relation is part of the recall. Between systems a change may be
    joined to a ticket over its approval."""

    invented: Tally = field(default_factory=lambda: Tally(
        "false proved links", "links of tier 3 to 5 that are not true, of all proved", none=True))
    guessed: Tally = field(default_factory=lambda: Tally(
        "false inferred links", "links of tier 1 and 2 that are not true, of all inferred", most=0.02))
    recalled: Tally = field(default_factory=lambda: Tally(
        "proved recall", "true links with a usable id, found at tier 3 to 5", least=0.98))
    across: Tally = field(default_factory=lambda: Tally(
        "proved recall across systems", "the same, of links between records of two tenants", least=0.98))
    honest: Tally = field(default_factory=lambda: Tally(
        "honest misses", "true links without a usable id that are not called proved", least=1.0))

    def take(self, one: Organisation) -> None:
        events = {step: (event, tenant) for step, event, tenant in
                  one.lineage.steps.select("step_id", "event_id", "tenant").iter_rows()}
        told = [(events[src][0], events[dst][0], rel, tier) for src, dst, rel, tier in
                one.lineage.links.select("src", "dst", "rel", "tier").iter_rows()]
        act = {row["event_id"]: row["tells_again"] for row in one.truth("tellings")}
        told = [(act.get(src, src), act.get(dst, dst), rel, tier) for src, dst, rel, tier in told]
        told = [link for link in told if link[0] != link[1]]  # two steps of one act
        tenants = {act.get(event, event): tenant for event, tenant in events.values()}
        planted = {(act.get(row["from_event_id"], row["from_event_id"]), act.get(row["to_event_id"], row["to_event_id"]),
                    row["rel"]): row["provable"] == "true" for row in one.truth("links")}
        true = {frozenset(link[:2]) for link in planted}
        proved = {(frozenset((src, dst)), rel) for src, dst, rel, tier in told if tier >= PROVED}
        self._claimed(one, told, true)
        self._recalled(one, planted, proved, tenants)

    def _claimed(self, one: Organisation, told: list[tuple[str, str, str, int]], true: set[Pair]) -> None:
        for tally, links in ((self.invented, [x for x in told if x[3] >= PROVED]),
                             (self.guessed, [x for x in told if x[3] < PROVED])):
            false = [x for x in links if frozenset(x[:2]) not in true]
            tally.count(len(false), len(links), [f"seed {one.seed}: {src} {rel} {dst} at tier {tier}"
                                                 for src, dst, rel, tier in false])

    def _recalled(self, one: Organisation, planted: dict[tuple[str, str, str], bool], proved: set[tuple[Pair, str]],
                  tenants: dict[str, str]) -> None:
        pairs = {pair for pair, _ in proved}
        beside: dict[str, set[str]] = defaultdict(set)
        for one_end, other in (tuple(pair) for pair in pairs):
            beside[one_end].add(other)
            beside[other].add(one_end)
        for (src, dst, rel), provable in planted.items():
            pair, place = frozenset((src, dst)), f"seed {one.seed}: {src} {rel} {dst}"
            if not provable:
                kept = pair not in pairs
                self.honest.count(kept, 1, [] if kept else [place])
                continue
            between = (tenants.get(src, "no step"), tenants.get(dst, "no step"))
            hit = (pair, rel) in proved or (between[0] != between[1] and bool(beside[src] & beside[dst]))
            missed = [] if hit else [f"{place} ({between[0]} to {between[1]})"]
            self.recalled.count(hit, 1, missed)
            if between[0] != between[1]:
                self.across.count(hit, 1, missed)

    def rows(self) -> list[Row]:
        return [t.row for t in (self.invented, self.guessed, self.recalled, self.across, self.honest)]
