"""IAM Identity Center: people and groups that may become the account's AWSReservedSSO roles."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from lineage_analytics.simulation.model import AWS_ACCOUNT, END, Account, Story

if TYPE_CHECKING:
    from lineage_analytics.simulation.aws_changes import Changes
    from lineage_analytics.simulation.dice import Dice
    from lineage_analytics.simulation.model import Person, Principal, World

_AT_WORK = ("Engineering", "Operations", "Security")
_SETS = (("AdministratorAccess", "aws-administrators"), ("Developer", "aws-developers"), ("Reader", "aws-developers"))


@dataclass(frozen=True)
class PermissionSet:
    """A set and the role that assigning it made in the account."""

    name: str
    arn: str
    role: Principal
    created: datetime


@dataclass
class Center:
    """``assigned`` are pairs of a set and the user or group that has it over the account."""

    instance: str
    store: str
    users: dict[int, Account] = field(default_factory=dict)
    """By number of the person."""
    groups: dict[str, Account] = field(default_factory=dict)
    members: list[tuple[Account, Account]] = field(default_factory=list)
    """Groups with a user each."""
    sets: list[PermissionSet] = field(default_factory=list)
    assigned: list[tuple[PermissionSet, Account]] = field(default_factory=list)


def assign(world: World, dice: Dice) -> None:
    """Everybody at work on AWS has a user and may develop and read; who administers is in a group of its own."""
    center = Center(f"ssoins-{dice.hexadecimal(16)}", f"d-{dice.hexadecimal(10)}")
    world.cast["aws_center"] = center
    admins = [p for p in world.persons if p.admin_id]
    at_work = [p for p in world.persons if p.department in _AT_WORK and p.left_on is None]
    for name in ("aws-administrators", "aws-developers"):
        center.groups[name] = Account("aws", center.store, dice.guid(), name, "group", listed=True)
    for group, people in (("aws-administrators", admins), ("aws-developers", at_work)):
        for person in people:
            _user(center, dice, person, group)
    for name, group in _SETS:
        role: Principal = world.cast[f"sso_{name.lower()}"]
        made = PermissionSet(name, f"arn:aws:sso:::permissionSet/{center.instance}/ps-{dice.hexadecimal(16)}", role,
                             role.created - timedelta(minutes=3))
        center.sets.append(made)
        center.assigned.append((made, center.groups[group]))
    _left_in_group(world, center, dice)
    _past_the_group(world, center, dice, [p for p in at_work if not p.admin_id])
    world.accounts += [*center.users.values(), *center.groups.values()]


def _user(center: Center, dice: Dice, person: Person, group: str) -> Account:
    """The person's user, made when there is none yet, as a member of the group."""
    if person.number not in center.users:
        center.users[person.number] = Account("aws", center.store, dice.guid(), person.login, "human", person=person,
                                              listed=True, enabled=True)
    user = center.users[person.number]
    center.members.append((center.groups[group], user))
    return user


def _left_in_group(world: World, center: Center, dice: Dice) -> None:
    """Somebody left, and is still an enabled user of the administrators' group."""
    gone = [p for p in world.persons if p.left_on is not None and not p.admin_id]
    if not gone:
        return
    person = max(gone, key=lambda p: (p.department in _AT_WORK, -p.number))
    user = _user(center, dice, person, "aws-administrators")
    world.stories.append(Story(
        "left_and_still_administrator", f"{person.login} left and is still an enabled user of Identity Center, in the "
        "group that administers AWS.", [user.native_id, center.groups["aws-administrators"].native_id],
        "The user is listed as enabled beside the person who left."))


def _past_the_group(world: World, center: Center, dice: Dice, able: list[Person]) -> None:
    """An administrator gives a developer the administrators' set directly, in the evening, and leaves it there."""
    changes: Changes = world.cast["changes"]
    admin = [p for p in world.persons if p.admin_id][1]
    held, user = center.sets[0], center.users[dice.pick(able).number]
    made = changes.make(
        dice.moment(END.replace(hour=0, minute=0, second=0) - timedelta(days=13), 19, 21), held.role,
        "CreateAccountAssignment", {
            "instanceArn": f"arn:aws:sso:::instance/{center.instance}", "targetId": AWS_ACCOUNT,
            "targetType": "AWS_ACCOUNT", "permissionSetArn": held.arn, "principalType": "USER",
            "principalId": user.native_id}, person=admin, service="sso",
        response={"accountAssignmentCreationStatus": {"status": "IN_PROGRESS", "requestId": dice.guid()}})
    made.on_time = True
    center.assigned.append((held, user))
    world.stories.append(Story(
        "administrator_past_the_group", f"{admin.login} gave {user.name} the permission set AdministratorAccess "
        "directly, past the group, and nobody took it back.", [made.event_id, user.native_id, held.arn],
        "The assignment is listed with who made it; a way back is known, an approval is not on record.", ["LIN-05"]))
