"""Access reviews: what a rule advised, what reviewers decided, what was applied."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from lineage_analytics.simulation import names
from lineage_analytics.simulation.model import END, Decision, Story

if TYPE_CHECKING:
    from lineage_analytics.simulation.dice import Dice
    from lineage_analytics.simulation.model import EntraEvent, Person, World

MIDNIGHT = END.replace(hour=0, minute=0, second=0)
OPERATION = "accessReviewDecision"
_DAYS = 14
_CLOSED = (15, 106)
"""How many days ago the quarterly reviews ended."""


@dataclass
class Item:
    """Whether one person keeps access. ``reviewer`` None with a time of review: the review's settings decided."""

    item_id: str
    person: Person
    advice: str
    advised: datetime
    seen: datetime | None
    decision: str = "NotReviewed"
    reviewer: Person | None = None
    reviewed: datetime | None = None
    applied: datetime | None = None
    applier: Person | None = None
    result: str = "New"

    @property
    def carried_out(self) -> bool:
        return self.result == "AppliedSuccessfully" and self.decision == "Deny"


@dataclass
class Review:
    """One round of a review over ``kind`` (group, servicePrincipal)."""

    definition_id: str
    review_id: str
    name: str
    kind: str
    resource_id: str
    resource: str
    reviewer: Person
    start: datetime
    automatic: bool
    items: list[Item] = field(default_factory=list)

    @property
    def end(self) -> datetime:
        return self.start + timedelta(days=_DAYS)

    @property
    def status(self) -> str:
        return "InProgress" if self.end > END else "Applied" if self.automatic else "Completed"


def begin(world: World, dice: Dice) -> list[Review]:
    """Two quarterly reviews, of a group and of an application, and one that still runs."""
    admins = [p for p in world.persons if p.admin_id]
    hasty, careful, third = admins[:3]
    staff = [p for p in world.persons if p.left_on is None and not p.admin_id]
    group, app, running = dice.guid(), dice.guid(), dice.guid()
    application = world.cast.get("ledger_crm", dice.guid())
    made = []
    for back in reversed(_CLOSED):
        start = MIDNIGHT - timedelta(days=back + _DAYS)
        projects = Review(group, dice.guid(), "Members of Projects, quarterly (synthetic)", "group",
                          names.group_id("Projects"), "Projects (synthetic)", hasty, start, automatic=True)
        _stamped(dice, projects, dice.some(staff, 9))
        ledger = Review(app, dice.guid(), "Users of Ledger CRM, quarterly (synthetic)", "servicePrincipal",
                        application, "Ledger CRM (synthetic)", careful, start + timedelta(days=1), automatic=False)
        _weighed(dice, ledger, dice.some(staff, 6), third)
        made += [projects, ledger]
    open_one = Review(running, dice.guid(), "Members of Board (synthetic)", "group", names.group_id("Board"),
                      "Board (synthetic)", careful, MIDNIGHT - timedelta(days=3), automatic=True)
    open_one.items = [_item(dice, open_one, person) for person in dice.some(staff, 4)]
    _decide(world, made)
    _tell(world, made[-2], made[-1])
    return [*made, open_one]


def _item(dice: Dice, review: Review, person: Person) -> Item:
    active = dice.chance(0.6)
    idle = dice.whole(1, 25) if active else dice.whole(35, 300)
    seen = review.start - timedelta(days=idle, seconds=dice.whole(0, 80_000))
    return Item(dice.guid(), person, "Approve" if active else "Deny", review.start + timedelta(minutes=5),
                seen if active or dice.chance(0.7) else None)


def _stamped(dice: Dice, review: Review, people: list[Person]) -> None:
    """One reviewer says to everything what was advised, in seconds each; the last item nobody looks at."""
    at = dice.moment(review.start + timedelta(days=_DAYS - 2), 15, 17)
    applied = review.end + timedelta(hours=2)
    for number, person in enumerate(people):
        item = _item(dice, review, person)
        if number < 2:
            item.advice = "Deny"
        item.decision, item.reviewer, item.reviewed = item.advice, review.reviewer, at
        at += timedelta(seconds=dice.whole(3, 8))
        if number == len(people) - 1:
            item.advice, item.decision, item.reviewer, item.reviewed = "Deny", "Deny", None, review.end
        item.applied, item.result = applied + timedelta(seconds=number), "AppliedSuccessfully"
        review.items.append(item)


def _weighed(dice: Dice, review: Review, people: list[Person], applier: Person) -> None:
    """A reviewer who thinks: keeps one against the advice, does not know of one; a removal is never applied."""
    at = dice.moment(review.start + timedelta(days=4), 9, 10)
    for number, person in enumerate(people):
        item = _item(dice, review, person)
        item.advice = ("Deny", "Deny", "Deny", "Approve", "Approve", "Approve")[number]
        item.decision = ("Deny", "Deny", "Approve", "Approve", "DontKnow", "Deny")[number]
        item.reviewer, item.reviewed = review.reviewer, at
        at += timedelta(minutes=dice.whole(2, 45))
        if item.decision == "Deny" and number != 1:
            item.applied = review.end + timedelta(days=1, hours=9, minutes=number)
            item.applier, item.result = applier, "AppliedSuccessfully"
        review.items.append(item)


def _decide(world: World, reviews: list[Review]) -> None:
    added = _added(world)
    for review in reviews:
        for item in review.items:
            if not item.carried_out or item.applied is None:
                continue
            person = item.reviewer
            named = person is not None and (item.applier is not None or item.person.declared)
            world.decisions.append(Decision(
                item.item_id, item.applied, OPERATION, "none", initiator="proved" if item.applier else "unknown",
                approver="proved" if person else "missing", rollback="unknown", provider="entra",
                approved="proved" if person else "missing", self_approved=False if named else None,
                approved_by=person.ref if person else "", approvals=int(person is not None),
                by_policy=person is None))
            earlier = [e for e in added.get((review.resource_id, item.person.object_id), ()) if e.time < item.applied]
            if earlier:  # the review does not name the change it takes back: who was in which group does
                world.undo(earlier[-1].event_id, item.item_id)


def _added(world: World) -> dict[tuple[str, str], list[EntraEvent]]:
    """Who was added to which group directly, in order of time."""
    found: dict[tuple[str, str], list[EntraEvent]] = {}
    for event in sorted(world.entra, key=lambda e: (e.time, e.event_id)):
        if event.activity == "Add member to group":
            target = event.targets[0]
            group = str(target["modifiedProperties"][0]["newValue"]).strip('"')
            found.setdefault((group, target["id"]), []).append(event)
    return found


def _tell(world: World, projects: Review, ledger: Review) -> None:
    stamped = [item for item in projects.items if item.reviewer is not None]
    left = projects.items[-1]
    open_one = ledger.items[1]
    world.stories += [
        Story("review_by_rubber_stamp", f"{projects.reviewer.login} decided {len(stamped)} memberships in under a "
              "minute, each as the rule advised.", [item.item_id for item in stamped],
              "Every decision equals the recommendation and came within seconds of the one before.", ["LIN-06"]),
        Story("review_nobody_did", f"Nobody reviewed the membership of {left.person.login}; the review removed it by "
              "its settings.", [left.item_id], "The removal reads as let through by a rule, not by a person.",
              ["LIN-05"]),
        Story("review_denied_and_not_applied", f"Access of {open_one.person.login} to Ledger CRM was denied and the "
              "denial never applied.", [open_one.item_id],
              "It stands as decided and not executed: the access is still there.", []),
    ]
