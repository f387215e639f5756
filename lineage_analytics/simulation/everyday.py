"""Everyday life, made one day at a time and never held: calls to AWS, work on documents, questions to Copilot.

A day depends on the seed, the day and who is there, not on the days before it, so that an organisation of any size and
age is told in the memory of one day.
"""

from __future__ import annotations

from collections import deque
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from lineage_analytics.simulation.activity import call, interaction
from lineage_analytics.simulation.dice import Dice
from lineage_analytics.simulation.model import END, Actor, AwsEvent, EntraEvent, FileEvent, Happened

if TYPE_CHECKING:
    from lineage_analytics.simulation.model import File, Person, Principal, World

_DENIED = ("kms:ListKeys", "iam:ListUsers", "organizations:DescribeOrganization", "s3:ListBuckets")
_DESK = 60
_RECENT = 12


def settle_in(world: World) -> None:
    """Give everybody habits: when software works and how much, what people work on."""
    dice = Dice(world.seed, "habits of software")
    for who in world.principals:
        if who.rhythm:
            who.hour, who.busy = dice.share() * 22, min(dice.around(0.3, 0.7), 3.0)
            who.last_day = next((day for day in reversed(world.midnights) if works(who, day)), None)
            if who.last_day is not None and who.uses and who.archetype in ("queue", "mover", "tables"):
                who.stated_use = dice.moment(who.last_day, who.hour, who.hour + 1.5)
    _desks(world, Dice(world.seed, "desks"))


def _desks(world: World, dice: Dice) -> None:
    by_site: dict[str, list[File]] = {}
    for file in world.files:
        by_site.setdefault(file.site, []).append(file)
    for person in (*world.persons, *world.guests):
        own = dice.some(by_site.get(person.department, world.files), _DESK // 2)
        others = [dice.pick(world.files) for _ in range(_DESK - len(own))]
        person.files = tuple(dict.fromkeys([*own, *others]))
        guest = "#EXT#" in person.login
        person.diligence = 0.1 if guest else min(dice.around(0.245, 0.5), 0.95)
        person.copilot = dice.chance(0.55) and not guest


class Life:
    """Tells the days in order; all it remembers are the documents each person opened last."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._opened: dict[int, deque[File]] = {}
        self._engineers = [p for p in world.persons if p.department in ("Engineering", "Operations", "Security")
                           and p.left_on is None and p.declared]
        share = Dice(world.seed, "engineers on aws")
        self._on_aws = [(world.cast[role], chance, [p for p in self._engineers if share.chance(0.6)])
                        for role, chance in (("sso_developer", 0.25), ("sso_reader", 0.12))]
        self._humans = [p for p in world.principals if p.archetype == "human"]
        self._linked = [p for p in world.principals if p.archetype == "linked"]
        self._fetched = [p for p in world.principals if p.is_role and p.is_nhi and p.session.startswith("i-0")]

    def day(self, day: datetime) -> Happened:
        """Everything ordinary of one day."""
        happened = Happened(day)
        self._software(happened, self._dice("software", day))
        self._people_on_aws(happened, self._dice("people on aws", day))
        self._services(happened, self._dice("services", day))
        if day not in self._world.silent:
            self._office(happened, self._dice("office", day))
        self._devices(happened, self._dice("devices", day))
        return happened

    def _dice(self, subject: str, day: datetime) -> Dice:
        return Dice(self._world.seed, f"{subject} {day:%Y-%m-%d}")

    def _software(self, happened: Happened, dice: Dice) -> None:
        day = happened.day
        for who in self._world.principals:
            if not who.uses or not works(who, day):
                continue
            until = who.hour + 1.5
            for _ in range(int(who.busy + dice.share())):
                happened.aws.append(call(dice, dice.moment(day, who.hour, until), who, dice.early(who.uses, 1.5)))
            if dice.chance(0.008):
                happened.aws.append(call(dice, dice.moment(day, who.hour, until), who, dice.pick(_DENIED),
                                         "AccessDenied"))
            if day == who.last_day:  # the last working day always leaves a trace
                happened.aws.append(call(dice, dice.moment(day, who.hour, until), who, who.uses[0]))

    def _people_on_aws(self, happened: Happened, dice: Dice) -> None:
        day = happened.day
        if day.weekday() > 4:
            return
        for role, share, people in self._on_aws:
            for person in people:
                if dice.chance(share):
                    for _ in range(dice.whole(1, 2)):
                        event = call(dice, dice.moment(day, 7, 17), role, dice.early((
                            "ec2:DescribeInstances", "cloudformation:DescribeStacks", "logs:DescribeLogGroups",
                            "ec2:DescribeSecurityGroups", "cloudformation:ListStacks")))
                        event.person = person
                        happened.aws.append(event)
        for who in self._humans:
            if dice.chance(0.3) and not (who.quiet and (END - day).days < 95):
                self._console(happened, dice, who)

    def _console(self, happened: Happened, dice: Dice, who: Principal) -> None:
        time = dice.moment(happened.day, 7, 15)
        login = call(dice, time, who, "signin:ConsoleLogin")
        login.read_only, login.response, login.region = False, {"ConsoleLogin": "Success"}, "us-east-1"
        happened.aws.append(login)
        for _ in range(dice.whole(0, 2)):
            event = call(dice, time + timedelta(seconds=dice.whole(20, 5000)), who, dice.early((
                "ec2:DescribeInstances", "cloudformation:DescribeStacks", "iam:ListAccessKeys",
                "iam:GetUser", "logs:DescribeLogGroups")))
            event.console = True
            happened.aws.append(event)

    def _services(self, happened: Happened, dice: Dice) -> None:
        """Service-linked roles at work, and AWS services that fetch a role's session."""
        day = happened.day
        event = call(dice, dice.moment(day), dice.pick(self._linked), "ec2:DescribeInstances")
        event.invoked_by = event.principal.trust[0]["Principal"]["Service"] if event.principal else ""
        happened.aws.append(event)
        alive = [p for p in self._fetched if p.created < day]
        if alive and dice.chance(0.7):
            who = dice.pick(alive)
            happened.aws.append(AwsEvent(dice.moment(day), None, "sts", "AssumeRole", dice.guid(),
                                         request={"roleArn": who.arn, "roleSessionName": who.session},
                                         invoked_by="ec2.amazonaws.com"))

    def _office(self, happened: Happened, dice: Dice) -> None:
        day = happened.day
        for person in (*self._world.persons, *self._world.guests):
            if person.left_on is not None and day >= person.left_on:
                continue
            if not dice.chance(person.diligence * (0.35 if day.weekday() > 4 else 1.0)):
                continue
            opened = self._opened.setdefault(person.number, deque(maxlen=_RECENT))
            for _ in range(dice.whole(1, 2)):
                file = dice.early(person.files)
                operation = dice.weighted((("FileAccessed", 6.0), ("FileModified", 2.0), ("FileDownloaded", 1.0)))
                happened.files.append(FileEvent(dice.moment(day, 6, 19), person, operation, file, dice.guid()))
                opened.append(file)
            if person.copilot and dice.chance(0.3):
                # An assistant finds what its user did not open.
                found = [dice.pick(person.files)] if dice.chance(0.2) else []
                recent = list(dict.fromkeys([*opened, *found]))
                happened.asked.append(interaction(dice, dice.moment(day, 7, 18), person, recent))

    def _devices(self, happened: Happened, dice: Dice) -> None:
        """Devices checking in: records that change no access, every day of the week."""
        for _ in range(dice.whole(4, 7)):
            person = _somebody(dice, self._world.persons)
            device = {"id": dice.guid(), "displayName": f"NWS-{dice.whole(1000, 9999)}", "type": "Device"}
            happened.entra.append(EntraEvent(
                dice.moment(happened.day), "Update device", Actor(person), "Directory_" + dice.hexadecimal(24),
                dice.guid(), "Core Directory", "Device", "Update", [device], []))


def works(who: Principal, day: datetime) -> bool:
    """Whether a principal's rhythm makes it work on a day; none before it was created."""
    back = (END - day).days
    last = {"stopped60": 60, "stopped100": 100}.get(who.rhythm, -1)
    if who.rhythm in ("never", "") or back < last or day <= who.created:
        return False
    if who.rhythm == "weekly":
        return day.weekday() == 1
    return who.rhythm == "daily" or day.weekday() < 5


def _somebody(dice: Dice, persons: list[Person]) -> Person:
    while True:
        person = dice.pick(persons)
        if person.left_on is None:
            return person
