"""Directory roles as role management exports them: links of its objects, and assignments older than the logs."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from lineage_analytics.simulation import names
from lineage_analytics.simulation.model import END, Assignment, Link, Story

if TYPE_CHECKING:
    from datetime import datetime

    from lineage_analytics.simulation.dice import Dice
    from lineage_analytics.simulation.model import RoleRequest, World


def begin(world: World, dice: Dice) -> None:
    """Roles that no log reaches back to."""
    _older(world, dice)


def conclude(world: World) -> None:
    """What the export adds to what the audit tells of the same requests."""
    for request in world.role_requests:
        _links(world, request)


def noted(request: RoleRequest, moment: datetime) -> datetime:
    """When the object says it was: a fraction of a second after the audit's whole one."""
    return moment + timedelta(milliseconds=100 + int(request.request_id[:2], 16))


def stage_id(request: RoleRequest) -> str:
    """The id of the stage of a request's approval."""
    return request.request_id[9:18] + request.request_id[:9] + request.request_id[18:]


def _links(world: World, request: RoleRequest) -> None:
    """The object's own completion and its approval stage belong to the request that the audit tells."""
    asked, answer = request.asked.event_id, request.answer
    if answer is not None:
        world.tellings.append((stage_id(request), answer.event_id))
    if request.done is not None:
        world.tellings.append((request.request_id, request.done.event_id))
    if answer is not None:
        world.links.append(Link(stage_id(request), asked, "about", provable=True))
    if request.done is not None:
        world.links.append(Link(request.request_id, asked, "requested_by", provable=True))
        if answer is not None:
            world.links.append(Link(request.request_id, answer.event_id, "authorised_by", provable=True))
    elif answer is not None:
        world.links.append(Link(request.request_id, asked, "about", provable=True))


def _older(world: World, dice: Dice) -> None:
    """Roles given for good long before any log that is still there."""
    staff = [p for p in world.persons if p.declared and not p.admin_id and p.left_on is None]
    held = list(zip(dice.some(staff, 4), [names.DIRECTORY_ROLES[n] for n in (1, 4, 5, 0)], strict=False))
    for person, (role, _) in held:
        since = dice.moment(END.replace(hour=0, minute=0, second=0) - timedelta(days=dice.whole(450, 1400)), 8, 16)
        world.assignments.append(Assignment(person.object_id, role, "standing", since=since))
    world.stories.append(Story(
        "roles_older_than_the_log", "Four directory roles were given for good years ago; no log reaches back to it.",
        [p.object_id for p, _ in held],
        "They stand among the privileged assignments that never end, known from the export of role management alone.",
        ["PRV-06"]))
