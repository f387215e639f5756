"""Access packages: asked for, approved in stages, delivered, expired - and given past those who approve."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from lineage_analytics.simulation import names
from lineage_analytics.simulation.model import END, Decision, Link, Story

if TYPE_CHECKING:
    from lineage_analytics.simulation.dice import Dice
    from lineage_analytics.simulation.model import Person, World

MIDNIGHT = END.replace(hour=0, minute=0, second=0)
_EVERY = 3
_OLDEST = 110


@dataclass(frozen=True)
class Package:
    """What can be asked for, and who approves it, stage after stage."""

    package_id: str
    policy_id: str
    name: str
    group: str
    approvers: tuple[Person, ...]
    days: int | None
    """How long it is given; None: for good."""


@dataclass
class Stage:
    stage_id: str
    approver: Person
    time: datetime
    approved: bool


@dataclass
class Request:
    """``sort`` and ``state`` in the provider's words; ``asker`` None: the service itself. ``until``: end of access."""

    request_id: str
    assignment_id: str
    sort: str
    state: str
    package: Package
    asker: Person | None
    person: Person
    asked: datetime
    done: datetime | None = None
    until: datetime | None = None
    stages: list[Stage] = field(default_factory=list)


@dataclass
class Packages:
    packages: list[Package]
    requests: list[Request]


def begin(world: World, dice: Dice) -> Packages:
    """A request every third day, and those of the stories."""
    admins = [p for p in world.persons if p.admin_id]
    packages = [
        Package(dice.guid(), dice.guid(), "Project workspace (synthetic)", "Projects", (admins[1],), 30),
        Package(dice.guid(), dice.guid(), "Payroll data (synthetic)", "Finance", (admins[2], admins[3]), None),
        Package(dice.guid(), dice.guid(), "Vendor access (synthetic)", "Sales", (admins[4],), 14),
    ]
    found = Packages(packages, [])
    staff = [p for p in world.persons if p.left_on is None and not p.admin_id]
    for back in range(3, min(world.days, _OLDEST), _EVERY):
        package = dice.weighted(((packages[0], 5.0), (packages[1], 3.0), (packages[2], 2.0)))
        who = dice.pick(world.guests if package is packages[2] else staff)
        state = dice.weighted((("delivered", 8.0), ("denied", 1.0), ("canceled", 0.5), ("deliveryFailed", 0.5)))
        found.requests.append(_asked(dice, package, who, dice.moment(MIDNIGHT - timedelta(days=back), 8, 11), state))
    _past_approvers(world, dice, found, staff[0], admins[5])
    waiting = _asked(dice, packages[1], staff[1], dice.moment(MIDNIGHT, 20, 22), "pendingApproval")
    found.requests += [waiting, *_ended(dice, found.requests)]
    found.requests.sort(key=lambda r: (r.asked, r.request_id))
    for request in found.requests:
        _decide(world, request)
    return found


def _asked(dice: Dice, package: Package, who: Person, at: datetime, state: str) -> Request:
    """One request of somebody for themselves, with the stages it went through."""
    made = Request(dice.guid(), dice.guid(), "userAdd", state, package, who, who, at)
    if package.days is not None:
        made.until = at + timedelta(days=package.days)
    if state == "canceled":
        made.done = at + timedelta(minutes=dice.whole(10, 90))
        return made
    moment = at
    stages = package.approvers[:1] if state == "pendingApproval" else package.approvers
    for number, approver in enumerate(stages, 1):
        moment += timedelta(minutes=dice.whole(8, 170))
        made.stages.append(Stage(dice.guid(), approver, moment, approved=state != "denied" or number < len(stages)))
    if state == "pendingApproval":
        made.stages = [stage for stage in made.stages if stage.time < END and len(package.approvers) > 1]
    else:
        made.done = moment + timedelta(seconds=dice.whole(40, 400))
    return made


def _past_approvers(world: World, dice: Dice, found: Packages, who: Person, admin: Person) -> None:
    """Denied in the morning, given by an administrator in the afternoon."""
    package = found.packages[1]
    at = dice.moment(MIDNIGHT - timedelta(days=10), 8, 9)
    denied = _asked(dice, package, who, at, "denied")
    given = Request(dice.guid(), dice.guid(), "adminAdd", "delivered", package, admin, who, at + timedelta(hours=7))
    given.done = given.asked + timedelta(seconds=70)
    found.requests += [denied, given]
    world.links.append(Link(given.request_id, denied.request_id, "informed_by", provable=False))
    world.stories.append(Story(
        "package_given_past_its_approvers", f"{who.login} was denied {package.name} in the morning; {admin.login} "
        "assigned it directly seven hours later.", [denied.request_id, given.request_id],
        "The assignment is listed with who made it; no approval of it is on record.", ["LIN-05"]))


def _ended(dice: Dice, requests: list[Request]) -> list[Request]:
    """The service takes back what has run out."""
    made = []
    for request in requests:
        if request.state == "delivered" and request.until is not None and request.until < END - timedelta(hours=1):
            removal = Request(dice.guid(), request.assignment_id, "systemRemove", "delivered", request.package, None,
                              request.person, request.until + timedelta(minutes=2))
            removal.done = removal.asked + timedelta(seconds=50)
            made.append(removal)
    return made


def _decide(world: World, request: Request) -> None:
    links = [Link(stage.stage_id, request.request_id, "about", provable=True) for stage in request.stages]
    if request.state == "delivered" and request.done is not None:
        links += [Link(request.request_id, stage.stage_id, "authorised_by", provable=True)
                  for stage in request.stages[-1:]]
        approver = request.stages[-1].approver if request.stages else None
        world.decisions.append(Decision(
            request.request_id, request.done, request.sort, "none",
            initiator="proved" if request.asker else "unknown", approver="proved" if approver else "unknown",
            rollback="proved" if request.until else "unknown", provider="entra",
            approved="proved" if approver else "unknown", approved_by=approver.ref if approver else "",
            self_approved=False if request.person.declared else None, approvals=int(approver is not None)))
    world.links += links


def group_of(package: Package) -> str:
    """The directory group a package puts people into."""
    return names.group_id(package.group)
