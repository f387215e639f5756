"""What everybody does from day to day: calls to AWS, work on documents, questions to Copilot."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from lineage_analytics.simulation.dice import Dice
from lineage_analytics.simulation.model import END, Access, Actor, AwsEvent, EntraEvent, FileEvent, Interaction

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lineage_analytics.simulation.model import File, Person, Principal, World

_READS = ("Get", "List", "Describe", "Lookup", "BatchGet")
_DENIED = ("kms:ListKeys", "iam:ListUsers", "organizations:DescribeOrganization", "s3:ListBuckets")
HOSTS = ("Word", "Excel", "Teams", "BizChat", "Outlook", "PowerPoint", "M365App", "SharePoint")


def live(world: World) -> None:
    """Fill the world's event lists with everyday life."""
    _software(world, Dice(world.seed, "software"))
    _people_on_aws(world, Dice(world.seed, "people on aws"))
    _services(world, Dice(world.seed, "services"))
    _office(world, Dice(world.seed, "office"))
    _directory(world, Dice(world.seed, "directory"))


def is_read(name: str) -> bool:
    return name.startswith(_READS)


def call(dice: Dice, time: datetime, who: Principal, action: str, error: str = "") -> AwsEvent:
    """One call by a principal."""
    service, _, name = action.partition(":")
    return AwsEvent(time, who, service, name, dice.guid(), read_only=is_read(name), error=error)


def _active_days(world: World, who: Principal) -> Iterator[datetime]:
    """The days a principal's rhythm makes it work on; none before it was created."""
    last = {"stopped60": 60, "stopped100": 100}.get(who.rhythm, -1)
    for day in world.midnights:
        back = (END - day).days
        if who.rhythm in ("never", "") or back < last or day <= who.created:
            continue
        if who.rhythm == "weekly" and day.weekday() != 1:
            continue
        if who.rhythm in ("weekday", "stopped60", "stopped100") and day.weekday() > 4:
            continue
        yield day


def _software(world: World, dice: Dice) -> None:
    for who in world.principals:
        if not who.rhythm:
            continue
        days = list(_active_days(world, who))
        hour = dice.share() * 22
        busy = min(dice.around(0.4, 0.7), 3.0)
        for day in days:
            for _ in range(int(busy + dice.share())):
                if who.uses:
                    world.aws.append(call(dice, dice.moment(day, hour, hour + 1.5), who, dice.early(who.uses, 1.5)))
            if who.uses and dice.chance(0.008):
                world.aws.append(call(dice, dice.moment(day, hour, hour + 1.5), who, dice.pick(_DENIED),
                                      "AccessDenied"))
        if days and who.uses:  # the last working day always leaves a trace, and everything habitual was used once
            world.aws.append(call(dice, dice.moment(days[-1], hour, hour + 1.5), who, who.uses[0]))
        if days and who.archetype in ("queue", "mover", "tables"):
            who.stated_use = dice.moment(days[-1], hour, hour + 1.5)


def _people_on_aws(world: World, dice: Dice) -> None:
    engineers = [p for p in world.persons if p.department in ("Engineering", "Operations", "Security")
                 and p.left_on is None and p.declared]
    for role, share in ((world.cast["sso_developer"], 0.25), (world.cast["sso_reader"], 0.12)):
        for person in engineers:
            if not dice.chance(0.6):
                continue
            for day in world.midnights:
                if day.weekday() < 5 and dice.chance(share):
                    for _ in range(dice.whole(1, 2)):
                        event = call(dice, dice.moment(day, 7, 17), role, dice.early((
                            "ec2:DescribeInstances", "cloudformation:DescribeStacks", "logs:DescribeLogGroups",
                            "ec2:DescribeSecurityGroups", "cloudformation:ListStacks")))
                        event.person = person
                        world.aws.append(event)
    humans = [p for p in world.principals if p.archetype == "human"]
    for who in humans:
        for day in world.midnights:
            if day.weekday() > 4 or not dice.chance(0.3) or (who.quiet and (END - day).days < 95):
                continue
            time = dice.moment(day, 7, 15)
            login = call(dice, time, who, "signin:ConsoleLogin")
            login.read_only, login.response, login.region = False, {"ConsoleLogin": "Success"}, "us-east-1"
            world.aws.append(login)
            if who.password is not None:
                who.password.last_used = time
            for _ in range(dice.whole(0, 2)):
                event = call(dice, time + timedelta(seconds=dice.whole(20, 5000)), who, dice.early((
                    "ec2:DescribeInstances", "cloudformation:DescribeStacks", "iam:ListAccessKeys",
                    "iam:GetUser", "logs:DescribeLogGroups")))
                event.console = True
                world.aws.append(event)


def _services(world: World, dice: Dice) -> None:
    """Service-linked roles at work, and AWS services that fetch a role's session."""
    linked = [p for p in world.principals if p.archetype == "linked"]
    fetched = [p for p in world.principals if p.is_role and p.is_nhi and p.session.startswith("i-0")]
    for day in world.midnights:
        event = call(dice, dice.moment(day), dice.pick(linked), "ec2:DescribeInstances")
        event.invoked_by = event.principal.trust[0]["Principal"]["Service"] if event.principal else ""
        world.aws.append(event)
        alive = [p for p in fetched if p.created < day]
        if alive and dice.chance(0.7):
            who = dice.pick(alive)
            world.aws.append(AwsEvent(dice.moment(day), None, "sts", "AssumeRole", dice.guid(),
                                      request={"roleArn": who.arn, "roleSessionName": who.session},
                                      invoked_by="ec2.amazonaws.com"))


def _office(world: World, dice: Dice) -> None:
    everybody = [*world.persons, *world.guests]
    for person in everybody:
        own = [f for f in world.files if f.site == person.department or dice.chance(0.08)]
        diligence = 0.1 if person in world.guests else min(dice.around(0.42, 0.5), 0.95)
        copilot = dice.chance(0.55) and person not in world.guests
        seen: list[File] = []
        for day in world.midnights:
            if day in world.silent or (person.left_on is not None and day >= person.left_on):
                continue
            works = diligence * (0.35 if day.weekday() > 4 else 1.0)
            if not dice.chance(works):
                continue
            for _ in range(dice.whole(1, 2)):
                file = dice.early(own)
                operation = dice.weighted((("FileAccessed", 6.0), ("FileModified", 2.0), ("FileDownloaded", 1.0)))
                world.file_events.append(FileEvent(dice.moment(day, 6, 19), person, operation, file, dice.guid()))
                seen.append(file)
            if copilot and dice.chance(0.3):
                found = [dice.pick(own)] if dice.chance(0.2) else []  # an assistant finds what its user did not open
                recent = list(dict.fromkeys([*seen[-12:], *found]))
                world.interactions.append(interaction(dice, dice.moment(day, 7, 18), person, recent))


def interaction(dice: Dice, time: datetime, person: Person, files: list[File]) -> Interaction:
    """An ordinary question to Copilot, mostly answered from documents its user has opened."""
    form = dice.weighted((("listed", 62.0), ("empty", 30.0), ("absent", 8.0)))
    deferred = dice.chance(0.015)  # a deferral is of the whole interaction
    accessed: list[Access] | None = None if form == "absent" else []
    if form == "listed" and accessed is not None:
        for file in dice.some(files, dice.whole(1, 3)):
            outcome = dice.weighted((("none", 94.0), ("blocked", 3.0), ("audited", 3.0)))
            accessed.append(Access(file, "deferred" if deferred else outcome,
                                   xpia=False if dice.chance(0.6) else None))
    return Interaction(
        time, person, dice.guid(), dice.early(HOSTS, 1.3), "" if dice.chance(0.02) else dice.thread(), accessed,
        context=dice.pick(files) if files and dice.chance(0.3) else None,
        jailbreak=False if dice.chance(0.75) else None,
        web=dice.weighted(((True, 2.0), (False, 5.0), (None, 3.0))),
    )


def _directory(world: World, dice: Dice) -> None:
    """Devices checking in: records that change no access, every day of the week."""
    everybody = [p for p in world.persons if p.left_on is None]
    for day in world.midnights:
        for _ in range(dice.whole(4, 7)):
            person = dice.pick(everybody)
            device = {"id": dice.guid(), "displayName": f"NWS-{dice.whole(1000, 9999)}", "type": "Device"}
            world.entra.append(EntraEvent(
                dice.moment(day), "Update device", Actor(person), "Directory_" + dice.hexadecimal(24), dice.guid(),
                "Core Directory", "Device", "Update", [device], []))


def signing_key(event: AwsEvent) -> str:
    """The key a user's call was signed with: the newest that existed then; console and assistant calls name none."""
    who = event.principal
    if who is None or who.is_role or event.console or event.via_q or event.name == "ConsoleLogin":
        return ""
    fit = [k for k in who.keys if k.created is None or k.created <= event.time]
    return fit[-1].key_id if fit else ""


def note_last_use(world: World) -> None:
    """What the inventory will state as last use, taken a few hours before the end: of keys, and of some roles."""
    until = END - timedelta(hours=4)
    for event in world.aws:
        who = event.principal
        if who is None or event.time > until:
            continue
        key_id = signing_key(event)
        for key in who.keys:
            if key.key_id == key_id and (key.last_used is None or key.last_used < event.time):
                key.last_used = event.time
        if who.is_role and who.is_nhi and (who.stated_use is None or who.stated_use < event.time):
            who.stated_use = event.time
    for who in world.principals:
        if who.stated_use is not None and who.stated_use > until:
            who.stated_use = until
        if who.stated_use is not None and who.keys:
            last = who.keys[-1].last_used
            who.keys[-1].last_used = max(last, who.stated_use) if last else who.stated_use
