"""Directory roles that people activate under a ticket whose number stands in the field for it, rightly or not.

The role asks for no approval of its own, so that the ticket's is the only one. What the number proves depends on the
ticket: that it is about this role, that nobody used it for another, and that it was open then.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from lineage_analytics.simulation.chapters._tickets_servicenow import HOST, LAST, Change, Desk, Plan
from lineage_analytics.simulation.model import AWS_ACCOUNT, Actor, Link, Story

if TYPE_CHECKING:
    from datetime import datetime

    from lineage_analytics.simulation.dice import Dice
    from lineage_analytics.simulation.model import Account, EntraEvent, Person, World

Role = tuple[str, str]
Votes = tuple[tuple["Account", timedelta, str], ...]


def begin(world: World, dice: Dice) -> None:
    """Tenants and items are declared, then each way in which a ticket is used."""
    told = _Told(world, dice)
    world.cast["tenants"] = [world.tenant, AWS_ACCOUNT, HOST, *world.cast.get("more tenants", ())]
    world.cast["configuration_items"] = told.items
    world.cast["declared accounts"] = [(person, told.desk.account(person)) for person in told.admins]
    _approved(told)
    _late_and_close(told)
    _refused(told)
    _own(told)
    _reused(told)
    _not_theirs(told)
    _closed(told)
    _bulk(told)


@dataclass
class _Use:
    """An activation with the ticket whose number it states."""

    change: Change
    asked: EntraEvent
    done: EntraEvent
    request_id: str


class _Told:
    """Who is there, and the pen that writes tickets and activations. Those who ask for tickets are mapped to no person,
    so that nothing on record shows whether the approver asked."""

    def __init__(self, world: World, dice: Dice) -> None:
        self.world, self.dice = world, dice
        self.desk: Desk = world.cast["servicenow"]
        self.admins = [p for p in world.persons if p.declared and p.left_on is None and p.admin_id]
        staff = [p for p in world.persons if p.declared and p.left_on is None and not p.admin_id]
        self.staff = staff
        self.askers = [self.desk.account(p) for p in staff[:6]]
        self.items: list[tuple[str, str, str]] = []
        self._listed: set[str] = set()

    def at(self, back: int, first: float = 9, last: float = 14) -> datetime:
        return self.dice.moment(LAST - timedelta(days=back), first, last)

    def backs(self, *backs: int) -> list[int]:
        return [back for back in backs if back < self.world.days - 4]

    def role(self, who: Person, place: int = 0) -> Role:
        from lineage_analytics.simulation.pim import eligible_roles  # noqa: PLC0415  (a cycle through the chapters)

        return eligible_roles(who)[place]

    def change(self, at: datetime, who: Person, role: Role, votes: Votes, *, asked_before: float = 20.0,
               declared: bool = True, work: bool = True) -> Change:
        """A ticket about a role, worked on around a moment; the role is a declared item. The directory's record of the
        change is the decision, the ticket's own is its shadow."""
        item = self.desk.item(f"directory role {role[0]}" if declared else "payroll batch")
        if declared and item.native_id not in self._listed:
            self._listed.add(item.native_id)
            self.items.append((item.native_id, HOST, f"entra:{self.world.tenant}:role/{role[1]}"))
        asked_at = at - timedelta(hours=asked_before)
        plan = Plan(self.dice.pick(self.askers), self.desk.account(who), f"Work that needs {role[0]}", item, votes,
                    timedelta(hours=asked_before) - timedelta(minutes=2) if work else None)
        return self.desk.change(asked_at, plan)

    def use(self, at: datetime, who: Person, role: Role, change: Change, **more: Any) -> _Use:
        """The role is activated, with the ticket's number in its field; nobody approves in the directory."""
        world = self.world
        made = world.cast["requests"].run(
            "activation", at, Actor(who, admin=True), who, None, admin=True, justification="Planned change",
            held=timedelta(hours=4), role=role, ticket=change.number, **more)
        done = made[-1]
        return _Use(change, made[0], done, world.role_requests[-1].request_id)

    def proved(self, use: _Use, *, authorised: bool = True) -> None:
        """What the ticket is to the change of access, by records of both forms in which the directory tells it."""
        self.link(use, provable=True, authorised=authorised)
        self.shadow(use.change)
        if authorised:
            self.decided(use, planted_match="unknown")

    def link(self, use: _Use, *, provable: bool, authorised: bool = True) -> None:
        for end in (use.done.event_id, use.request_id):
            self.world.links.append(Link(end, use.change.native_id, "requested_by", provable))
            if authorised:
                self.world.links.append(Link(end, use.change.authority, "authorised_by", provable))

    def shadow(self, change: Change) -> None:
        """The ticket's own account of the work is of the same change: one decision, not two."""
        self.world.decisions[:] = [d for d in self.world.decisions if d.event_id != change.native_id]

    def decided(self, use: _Use, **fields: Any) -> None:
        place = next(n for n, d in enumerate(self.world.decisions) if d.event_id == use.done.event_id)
        self.world.decisions[place] = replace(self.world.decisions[place], **fields)

    def story(self, name: str, what: str, uses: list[_Use], says: str) -> None:
        ids = [found for use in uses for found in (use.change.number, use.change.native_id, use.done.event_id)]
        self.world.stories.append(Story(name, what, ids, says, ["LIN-05"]))


def _pairs(told: _Told) -> list[tuple[Person, Person]]:
    return [(who, told.admins[(n + 1) % len(told.admins)]) for n, who in enumerate(told.admins)]


def _before(told: _Told, approver: Person, hours: float = 4.0) -> Votes:
    return ((told.desk.account(approver), timedelta(hours=hours), "approved"),)


def _approved(told: _Told) -> None:
    uses = []
    for back, (who, other) in zip(told.backs(27, 17, 8, 2), _pairs(told), strict=False):
        at, role = told.at(back), told.role(who)
        use = told.use(at, who, role, told.change(at, who, role, _before(told, other)))
        told.proved(use)
        told.decided(use, approver="proved", approved="proved", approved_by=other.ref, approvals=1,
                     self_approved=None)
        uses.append(use)
    told.story("activated_under_an_approved_ticket", "Roles were activated with the number of a ticket about that role "
               "in the field for it; the ticket had been approved.", uses,
               "Each reads as approved before, by the ticket's approver, proved by the number and the role.")


def _late_and_close(told: _Told) -> None:
    """One vote comes hours after the activation, one so shortly before that the clocks of two systems cannot tell."""
    (who, other), (second, third) = _pairs(told)[1:3]
    at, role = told.at(12), told.role(who)
    late = told.use(at, who, role, told.change(at, who, role, _before(told, other, 23)))
    told.proved(late)
    told.decided(late, approved="missing", retroactive=True, approvals=1, approved_by=other.ref, self_approved=None)
    told.story("ticket_approved_after_the_activation", f"{who.admin_login} activated a role under "
               f"{late.change.number}, which {other.login} approved three hours later.", [late],
               "It does not count as approved before.")
    at, role = told.at(9), told.role(second)
    close = told.use(at, second, role, told.change(at, second, role, _before(told, third, 20 - 110 / 3600)))
    told.proved(close)
    told.decided(close, approved="unknown", approver="unknown", approvals=1, approved_by=third.ref,
                 stated_order="order_uncertain", self_approved=None)
    told.story("ticket_approved_within_the_clocks", f"{close.change.number} was approved two minutes before a role was "
               "activated under it: less than clocks of two systems may differ.", [close],
               "Neither approved before nor after: the order is uncertain.")


def _refused(told: _Told) -> None:
    who, other = _pairs(told)[3 % len(told.admins)]
    at, role = told.at(14), told.role(who)
    change = told.change(at, who, role, ((told.desk.account(other), timedelta(hours=3), "rejected"),), work=False)
    use = told.use(at, who, role, change)
    told.proved(use, authorised=False)
    told.decided(use, approved="missing", stated_order="prior", verdict="denied", self_approved=False)
    told.story("activated_under_a_refused_ticket", f"{change.number} was rejected; {who.admin_login} activated the "
               "role all the same, with its number.", [use], "It reads as denied and done.")


def _own(told: _Told) -> None:
    """The ticket is approved from the second account of the person who activates."""
    who = told.admins[0]
    at, role = told.at(6), told.role(who)
    use = told.use(at, who, role, told.change(at, who, role, _before(told, who)))
    told.proved(use)
    told.decided(use, approved="proved", approvals=1, self_approved=True, approved_by=who.ref)
    told.story("ticket_approved_from_a_second_account", f"{who.login} approved {use.change.number} and activated the "
               "role under it as administrator.", [use], "It is listed as approved by the same person.")


def _reused(told: _Told) -> None:
    """One number for three roles of three people; it is about the first."""
    people = told.admins[:3]
    at, about = told.at(19, 8, 9), told.role(people[0])
    change = told.change(at, people[0], about, _before(told, told.admins[-1]))
    uses = []
    for number, (who, place) in enumerate(zip(people, (0, 1, 1), strict=True)):
        role = told.role(who, place)
        uses.append(told.use(at + timedelta(minutes=25 * number), who, role, change))
        if role == about:
            told.link(uses[-1], provable=False)
            told.decided(uses[-1], approved="unknown", approver="unknown", self_approved=None)
    told.story("ticket_used_three_times", f"Three people activated different roles with {change.number}.", uses,
               "The number is used for what it is not about: it proves no approval of any of them.")


def _not_theirs(told: _Told) -> None:
    """Numbers of tickets that are about something else, typed by somebody who has none."""
    who, other = _pairs(told)[1]
    uses = []
    for back, declared in ((16, True), (5, False)):
        at = told.at(back)
        about = told.role(other) if told.role(other) != told.role(who, 1) else told.role(who)
        change = told.change(at, other, about, _before(told, told.admins[-1]), declared=declared)
        uses.append(told.use(at + timedelta(minutes=3), who, told.role(who, 1), change))
    told.story("ticket_numbers_of_others", f"{who.admin_login} activated roles with the numbers of tickets about "
               "something else.", uses, "No link joins them: nothing on record approves the activations.")


def _closed(told: _Told) -> None:
    """A ticket of last week's, about this very role, is used once more after it was closed."""
    who, other = _pairs(told)[2]
    role = told.role(who)
    worked = told.at(22)
    change = told.change(worked, who, role, _before(told, other))
    use = told.use(worked + timedelta(days=6), who, role, change)
    told.link(use, provable=False)
    told.decided(use, approved="unknown", approver="unknown", self_approved=None)
    told.story("ticket_used_after_it_was_closed", f"{who.admin_login} activated a role with {change.number}, closed "
               "six days before.", [use], "What was approved was over: the number proves no approval.")


def _bulk(told: _Told) -> None:
    """The agent gives one role to six people under one ticket, which does not say to whom."""
    agent, approver = told.world.agents[0], told.admins[2]
    role = told.role(told.admins[1])
    at = told.at(4, 9, 11)
    change = told.change(at, told.admins[1], role, _before(told, approver))
    uses = []
    for number, person in enumerate(told.dice.some(told.staff, 6)):
        made = told.world.cast["requests"].run(
            "assignment", at + timedelta(seconds=40 * number), Actor(agent=agent), person, None,
            justification="Requested in chat", held=timedelta(days=9), role=role, ticket=change.number)
        use = _Use(change, made[0], made[-1], told.world.role_requests[-1].request_id)
        told.link(use, provable=False)
        told.decided(use, involvement="unknown", really="executes_approved", approved="unknown", approver="unknown",
                     self_approved=None)
        uses.append(use)
    told.story("one_ticket_for_six_people", f"The agent gave {role[0]} to six people under {change.number}, which is "
               "about the role and names none of them.", uses,
               "One approval for six changes, none looked at by itself; that it covers each is inferred.")
