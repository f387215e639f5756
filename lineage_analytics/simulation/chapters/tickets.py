"""Tickets: changes asked for and approved in ServiceNow, access asked for in Jira; what some of them authorised stands
in other logs."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from lineage_analytics.simulation.chapters import _tickets_jira as jira
from lineage_analytics.simulation.chapters import _tickets_servicenow as servicenow
from lineage_analytics.simulation.chapters._tickets_servicenow import LAST, Change, Desk, Plan, user
from lineage_analytics.simulation.model import Actor, Link, Story

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from lineage_analytics.simulation.dice import Dice
    from lineage_analytics.simulation.model import Account, AwsEvent, Deed, Person, World

_SYSTEMS = ("ledger", "orders", "billing", "payments", "search", "portal", "warehouse")
_WORK = ("Patch {}", "Move {} to the new cluster", "Raise the memory of {}", "Renew the certificate of {}")
_ITEMS = ("Second screen", "Drawing software licence", "Access to the reading room", "Headset", "Translation licence")


def begin(world: World, dice: Dice) -> None:
    """The desk and its tickets; the access desk and its requests."""
    desk = Desk(world, dice)
    world.cast["servicenow"] = desk
    team = _Team(world, desk)
    for name, members in zip(servicenow.GROUPS, (team.board, team.agents, team.engineers[:6]), strict=True):
        desk.group(name, members)
    _everyday_changes(world, dice, desk, team)
    _behind_real_changes(world, dice, desk, team)
    _quoted_in_activations(world, dice, desk, team)
    _told_stories(world, dice, desk, team)
    jira.begin(world, dice)


class _Team:
    """Who asks, who works and who approves."""

    def __init__(self, world: World, desk: Desk) -> None:
        here = [p for p in world.persons if p.declared and p.left_on is None]
        others = [p for p in here if not p.admin_id]
        engineers = sorted(others, key=lambda p: p.department not in ("Engineering", "Operations"))
        support = sorted(others, key=lambda p: p.department != "Support")
        self.admins = [p for p in here if p.admin_id]
        self.board = [desk.account(p) for p in self.admins[:4]]
        self.engineers = [desk.account(p) for p in engineers[:12]]
        self.agents = [desk.account(p) for p in support[:4]]


def day(world: World, day: datetime, dice: Dice) -> Iterator[Deed]:
    """Things people order: asked one day, or seen only when they are done."""
    desk: Desk = world.cast["servicenow"]
    if day.weekday() > 4:
        return
    group = desk.groups[1]
    agents = [account for _, held, account in desk.members if held is group]
    staff = [a for a in desk.accounts.values() if a.listed and a.enabled]
    for place in range(dice.whole(0, 2)):
        who, agent, time = dice.pick(staff), dice.pick(agents), dice.moment(day, 7, 15)
        native_id, what = dice.hexadecimal(32), dice.pick(_ITEMS)
        fields: dict[str, servicenow.Cell] = {
            "number": f"RITM{(LAST - day).days * 10 + place + 71_000:07d}", "short_description": f"{what} (synthetic)",
            "opened_at": servicenow.stamp(time), "opened_by": user(who), "requested_for": user(who),
            "cat_item": servicenow.Ref("sc_cat_item", f"{_ITEMS.index(what) + 0xC0:032x}", what),
            "sys_created_on": servicenow.stamp(time), "sys_created_by": who.name}
        if dice.chance(0.3):
            yield desk.row(time, who, "sc_req_item", native_id, 0, fields | {"state": "1"})
            continue
        done = time + timedelta(minutes=dice.whole(20, 400))
        yield desk.row(done, agent, "sc_req_item", native_id, 4, fields | {
            "state": "3", "closed_at": servicenow.stamp(done), "closed_by": user(agent)})


def _backs(world: World, *backs: int) -> list[int]:
    return [back for back in backs if back < world.days - 4]


def _at(dice: Dice, back: int, first: float, last: float) -> datetime:
    return dice.moment(LAST - timedelta(days=back), first, last)


def _hours(dice: Dice, low: float, high: float) -> timedelta:
    return timedelta(seconds=int(3600 * (low + dice.share() * (high - low))))


def _everyday_changes(world: World, dice: Dice, desk: Desk, team: _Team) -> None:
    """Planned work with one or two votes before it, and the releases that are approved once and for all."""
    for day in world.midnights[3:-4]:
        if day.weekday() > 4:
            continue
        system = dice.pick(_SYSTEMS)
        if dice.chance(0.3):
            first, *second = dice.mixed(team.board)[:dice.whole(1, 2)]
            early = _hours(dice, 0.5, 4)
            votes = ((first, early, "approved"), *((who, early + _hours(dice, 0.2, 3), "approved") for who in second))
            desk.change(dice.moment(day, 8, 11), Plan(
                dice.pick(team.engineers[:6]), dice.pick(team.engineers[6:] or team.engineers[-1:]),
                dice.pick(_WORK).format(system), desk.item(system), votes, _hours(dice, 20, 30),
                edited=dice.chance(0.15), seen_before=dice.chance(0.2)))
        if dice.chance(0.25):
            desk.change(dice.moment(day, 6, 18), Plan(
                desk.machine, desk.machine, f"Release of {system}", desk.item(system), (), timedelta(minutes=2),
                kind="standard"))


def _behind_real_changes(world: World, dice: Dice, desk: Desk, team: _Team) -> None:
    """Approved changes that an administrator then made in AWS: no record there names the ticket."""
    first, last = world.midnights[4], LAST - timedelta(days=2)
    usable = sorted((e for e in world.aws if e.name in ("AttachRolePolicy", "AttachUserPolicy") and not e.error
                     and e.person in team.admins and first < e.time < last), key=lambda e: (e.time, e.event_id))
    told: list[tuple[AwsEvent, Change]] = []
    for event in usable[::-1][:24:4]:
        assert event.person is not None  # noqa: S101  (narrows the type)
        request = event.request or {}
        target = str(request.get("roleName") or request.get("userName"))
        worker = desk.account(event.person)
        asked_at = event.time - _hours(dice, 24, 40)
        approver = next(a for a in dice.mixed(team.board) if a is not worker)
        change = desk.change(asked_at, Plan(
            dice.pick(team.engineers), worker, f"Attach {request['policyArn'].rsplit('/', 1)[-1]} to {target}",
            desk.item(target), ((approver, _hours(dice, 1, 9), "approved"),),
            event.time - asked_at - timedelta(minutes=4),
            reason=f"Needed for an errand; event {event.event_id} (synthetic)"))
        world.links.append(Link(event.event_id, change.authority, "authorised_by", provable=False))
        told.append((event, change))
    world.stories.append(Story(
        "tickets_that_authorised_changes_in_aws", "Some policies were attached in AWS under approved changes of "
        "ServiceNow; no record of AWS names the ticket.",
        [found for event, change in told for found in (event.event_id, change.number, change.authority)],
        "Nothing proves which ticket belongs to which change in AWS; the changes there stay without an approval.",
        ["LIN-05"]))


def _quoted_in_activations(world: World, dice: Dice, desk: Desk, team: _Team) -> None:
    """Administrators name their ticket in the reason they give for activating a directory role."""
    from lineage_analytics.simulation.pim import eligible_roles  # noqa: PLC0415  (a cycle through the chapters)

    ids: list[str] = []
    for back, (who, other) in zip(_backs(world, 4, 11, 24), _pairs(team.admins), strict=False):
        at = _at(dice, back, 9, 14)
        asked_at = at - _hours(dice, 20, 26)
        change = desk.change(asked_at, Plan(
            team.engineers[0], desk.account(who), "Move mailboxes to the new region", desk.item("mail"),
            ((desk.account(other), _hours(dice, 1, 5), "approved"),), at - asked_at + timedelta(minutes=30)))
        made = world.cast["requests"].run(
            "activation", at, Actor(who, admin=True), who, Actor(other), dwell=600, admin=True,
            justification=f"{change.number} move of mailboxes", held=timedelta(hours=5), role=eligible_roles(who)[0])
        world.links.append(Link(made[0].event_id, change.authority, "authorised_by", provable=False))
        ids += [change.number, change.authority, made[0].event_id]
    world.stories.append(Story(
        "activations_that_quote_a_ticket", "Roles of the directory were activated with a ticket's number as reason.",
        ids, "The number is a text that its writer chose: it proves no approval, and the activation has its own.",
        ["LIN-05"]))


def _pairs(people: list[Person]) -> list[tuple[Person, Person]]:
    return [(people[n % len(people)], people[(n + 1) % len(people)]) for n in range(3)]


def _told_stories(world: World, dice: Dice, desk: Desk, team: _Team) -> None:
    asker, worker, (first, second) = team.engineers[0], team.engineers[1], team.board[:2]

    def change(back: int, kind: str, what: str, system: str, votes: tuple[tuple[Account, timedelta, str], ...],
               work: timedelta | None, by: Account = asker, pending: Account | None = None) -> Change:
        return desk.change(_at(dice, back, 8, 10), Plan(by, worker, what, desk.item(system), votes, work, kind,
                                                        pending=pending))

    late = change(9, "normal", "Open the firewall for a partner", "portal",
                  ((first, timedelta(hours=9), "approved"),), timedelta(hours=2))
    emergency = change(6, "emergency", "Restart payments with a hot fix", "payments", (), timedelta(minutes=20))
    own = change(13, "normal", "Give the board a new report", "ledger", ((second, timedelta(hours=2), "approved"),),
                 timedelta(hours=25), by=second)
    refused = change(16, "normal", "Switch off the audit trail of orders", "orders",
                     ((first, timedelta(hours=3), "rejected"),), None)
    waiting = change(3, "normal", "Replace the gateway", "portal", (), None, pending=first)
    hidden = next((p for p in world.persons if not p.declared and p.left_on is None), None)
    if hidden is not None:
        account = desk.account(hidden)
        unlisted = change(8, "normal", "Try a new search", "search", (), None, by=account)
        world.stories.append(Story(
            "ticket_of_somebody_nobody_lists", f"{account.name} opened a change and is in no list of users.",
            [account.native_id, unlisted.number, unlisted.native_id],
            "The account stands among the actors in no inventory.", ["VIS-01", "VIS-02"]))
    world.stories += [
        Story("ticket_approved_after_the_fact", f"{late.number} was approved seven hours after the work began.",
              [late.number, late.native_id, late.authority], "It does not count as approved before execution.",
              ["LIN-05"]),
        Story("emergency_without_approval", f"{emergency.number} was an emergency; nobody approved it, then or later.",
              [emergency.number, emergency.native_id], "It is listed with no approval on record.", ["LIN-05"]),
        Story("ticket_approved_by_who_asked", f"{own.number} was approved by the person who asked for it.",
              [own.number, own.native_id, own.authority], "It is listed as approved by the same person.", ["LIN-06"]),
        Story("ticket_refused_or_waiting", "One change was rejected and cancelled, one waits for an answer.",
              [refused.number, refused.authority, waiting.number], "Neither counts as executed.", ["LIN-05"]),
    ]
