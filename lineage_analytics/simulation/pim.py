"""Directory roles: people activate theirs, an AI agent assigns them, approvers approve - ever faster."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from lineage_analytics.simulation import names
from lineage_analytics.simulation.activity import interaction
from lineage_analytics.simulation.dice import Dice
from lineage_analytics.simulation.model import END, Actor, Assignment, Decision, EntraEvent, Link, RoleRequest

if TYPE_CHECKING:
    from lineage_analytics.simulation.model import Agent, Person, World

_REQUESTED = {
    "activation": "Add member to role requested (PIM activation)",
    "assignment": "Add member to role in PIM requested (timebound)",
    "eligibility": "Add eligible member to role in PIM requested (permanent)",
}
_APPROVED = {
    "activation": "Add member to role request approved (PIM activation)",
    "assignment": "Approve request - direct role assignment",
}
_COMPLETED = {
    "activation": "Add member to role completed (PIM activation)",
    "assignment": "Add member to role in PIM completed (timebound)",
    "eligibility": "Add eligible member to role in PIM completed (permanent)",
}
_STATE = {"activation": "activated", "assignment": "timebound", "eligibility": "eligible"}
_DENIED = "Add member to role request denied (PIM activation)"
_EXPIRED = "Remove member from role (PIM activation expired)"
PIM_SERVICE = "MS-PIM"


class Requests:
    """Writes PIM requests into the world, each with its records, its true links and the decision it is."""

    def __init__(self, world: World, dice: Dice) -> None:
        self._world, self._dice = world, dice

    def run(
        self, flow: str, time: datetime, requester: Actor, beneficiary: Person, approver: Actor | None, *,
        dwell: float = 60.0, late: bool = False, denied: bool = False, justification: str = "", admin: bool = False,
        quoted: str = "", fold: bool = False, held: timedelta | None = timedelta(hours=8),
        role: tuple[str, str] | None = None, ticket: str = "",
    ) -> list[EntraEvent]:
        """One request from asking to expiry.

        ``approver`` None: it is carried out without any approval. ``late``: the approval comes after the role was
        given. ``denied``: it is not carried out; without an approver nobody has answered it yet. ``dwell``: seconds the
        approver took. ``fold``: the directory writes its own copy of the grant. ``ticket`` stands in the field for it.
        """
        dice = self._dice
        role = role or dice.early(names.DIRECTORY_ROLES, 1.6)
        until = time + held if held is not None else None
        shared = _Shared(self._world, dice, role, beneficiary, justification, until, admin=admin,
                         ticket=ticket)
        asked = shared.event(time, _REQUESTED[flow], requester)
        made = [asked]
        done_at = time + timedelta(seconds=dice.whole(3, 8))
        answer = None
        if approver is not None and not late:
            answered_at = time + timedelta(seconds=max(int(dwell), 3))
            answer = shared.event(answered_at, _DENIED if denied else _APPROVED[flow], approver)
            done_at = answered_at + timedelta(seconds=dice.whole(3, 6))
            made.append(answer)
        done = None
        if not denied:
            done = shared.event(done_at, _COMPLETED[flow], requester)
            made.append(done)
            self._world.assignments.append(Assignment(
                beneficiary.admin_id if admin else beneficiary.object_id, role[0], _STATE[flow], until, done_at))
            if approver is not None and late:
                answer = shared.event(done_at + timedelta(seconds=int(dwell)), _APPROVED[flow], approver)
                made.append(answer)
            if fold:
                shared.copy(done_at + timedelta(seconds=1))
            if flow == "activation" and until is not None and until < END:
                ended = shared.event(until, _EXPIRED, Actor(service=PIM_SERVICE))
                self._link(ended, done, "ends")
        self._links(asked, answer, done)
        self._decide(requester, beneficiary, approver, asked, done, late=late, denied=denied, quoted=bool(quoted))
        if quoted and done is not None:
            self._world.links.append(Link(asked.event_id, quoted, "informed_by", provable=False))
        self._world.entra.extend(shared.events)
        self._world.role_requests.append(RoleRequest(
            shared.request, flow, requester, beneficiary, admin, role, asked, answer, done, until,
            justification, denied, ticket))
        return made

    def _link(self, source: EntraEvent, target: EntraEvent, rel: str) -> None:
        self._world.links.append(Link(source.event_id, target.event_id, rel, provable=True))

    def _links(self, asked: EntraEvent, answer: EntraEvent | None, done: EntraEvent | None) -> None:
        if answer is not None:
            self._link(answer, asked, "about")
        if done is not None:
            self._link(done, asked, "requested_by")
            if answer is not None:
                self._link(done, answer, "authorised_by")

    def _decide(
        self, requester: Actor, beneficiary: Person, approver: Actor | None, asked: EntraEvent,
        done: EntraEvent | None, *, late: bool, denied: bool, quoted: bool,
    ) -> None:
        person = approver.person if approver else None
        own = person is not None and person in (requester.person, beneficiary)
        before = approver is not None and not late
        involvement = "none" if requester.agent is None else "executes_approved" if before and not own \
            else "executes_autonomous"
        anchor = done or asked
        mapped: bool | None = own if beneficiary.declared else None
        self._world.decisions.append(Decision(
            anchor.event_id, anchor.time, anchor.activity, involvement, initiator="proved",
            approver="proved" if before and not own else "missing", rollback="proved", provider="entra",
            executed=done is not None, approved="proved" if before else "missing",
            approved_by=person.ref if person else "", self_approved=False if denied else mapped,
            approvals=int(approver is not None and not denied), quoted=quoted,
            retroactive=late and approver is not None,
        ))


class _Shared:
    """What all records of one request have in common."""

    def __init__(
        self, world: World, dice: Dice, role: tuple[str, str], beneficiary: Person, justification: str,
        until: datetime | None, *, admin: bool, ticket: str = "",
    ) -> None:
        self._world, self._dice = world, dice
        self.events: list[EntraEvent] = []
        self._correlation, self.request = dice.guid(), dice.guid()
        target = beneficiary.admin_id if admin else beneficiary.object_id
        login = beneficiary.admin_login if admin else beneficiary.login
        self._role, self._target, self._reason = role, target, justification
        self._targets: list[dict[str, Any]] = [
            {"id": role[1], "displayName": role[0], "type": "Role"},
            {"id": self.request, "type": "Request"},
            {"id": target, "displayName": beneficiary.name, "type": "User", "userPrincipalName": login},
            {"id": world.tenant, "displayName": "Northwind (synthetic)", "type": "Directory"},
        ]
        self._details = [
            ("RoleDefinitionOriginId", role[1]), ("RoleDefinitionOriginType", "BuiltInRole"), ("TemplateId", role[1]),
            ("Justification", justification), ("tid", world.tenant), ("RequestId", self.request),
        ]
        if ticket:
            self._details += [("TicketNumber", ticket), ("TicketSystem", "ServiceNow (synthetic)")]
        if until is not None:
            self._details.append(("ExpirationTime", until.strftime("%Y-%m-%dT%H:%M:%S.0000000Z")))

    def event(self, time: datetime, activity: str, actor: Actor) -> EntraEvent:
        made = EntraEvent(time, activity, actor, "PIM_" + self._dice.hexadecimal(24), self._correlation, "PIM",
                          "RoleManagement", "Update", self._targets, self._details, self._reason)
        self.events.append(made)
        return made

    def copy(self, time: datetime) -> None:
        """The directory's own record of the same grant, by the PIM service."""
        targets = [self._targets[2] | {"modifiedProperties": [
            {"displayName": "Role.DisplayName", "oldValue": None, "newValue": f'"{self._role[0]}"'},
            {"displayName": "Role.TemplateId", "oldValue": None, "newValue": f'"{self._role[1]}"'},
        ]}]
        self.events.append(EntraEvent(
            time, "Add member to role", Actor(service=PIM_SERVICE), "Directory_" + self._dice.hexadecimal(24),
            self._correlation, "Core Directory", "RoleManagement", "Assign", targets, []))


def decide(world: World) -> None:
    """All requests of the simulated time, by people and by the agent."""
    dice = Dice(world.seed, "pim")
    requests = Requests(world, dice)
    world.cast["requests"] = requests
    admins = [p for p in world.persons if p.admin_id]
    for admin in admins[1:]:  # the first administrator makes the others eligible at the start
        for role in eligible_roles(admin):
            requests.run("eligibility", dice.moment(world.midnights[dice.whole(0, 4)], 8, 15),
                         Actor(admins[0], admin=True), admin, None, justification="Joiner", admin=True, held=None,
                         role=role)
    for number, day in enumerate(world.midnights):
        if (END - day).days < 1:
            continue
        if day.weekday() < 5:
            _activations(requests, dice, day, admins)
        _assignments(world, requests, dice, day, admins, number / world.days)
    direct_changes(world, Dice(world.seed, "direct"), admins)


def eligible_roles(admin: Person) -> list[tuple[str, str]]:
    """The directory roles an administrator may activate."""
    count = len(names.DIRECTORY_ROLES)
    return [names.DIRECTORY_ROLES[admin.number % count], names.DIRECTORY_ROLES[(admin.number * 2 + 1) % count]]


def _activations(requests: Requests, dice: Dice, day: datetime, admins: list[Person]) -> None:
    for _ in range(dice.whole(1, 3)):
        who, other = dice.some(admins, 2) if dice.chance(0.5) else dice.some(admins, 2)[::-1]
        approver = None if dice.chance(0.06) else Actor(other)
        requests.run("activation", dice.moment(day, 7, 12), Actor(who, admin=True), who, approver,
                     dwell=min(dice.around(2400, 0.9), 14_000), denied=approver is not None and dice.chance(0.05),
                     justification=dice.pick(("Ticket follow-up", "Mailbox repair", "Access review", "On call")),
                     admin=True, fold=dice.chance(0.2), held=timedelta(hours=5), role=dice.pick(eligible_roles(who)))


def _assignments(
    world: World, requests: Requests, dice: Dice, day: datetime, admins: list[Person], progress: float
) -> None:
    """The agent's requests: two a week at first, a handful every day at the end; approvals from hours to seconds."""
    agent: Agent = world.agents[0]
    staff = [p for p in world.persons if p.left_on is None and not p.admin_id]
    hasty = admins[0]
    expected = (0.3 + 3.6 * progress**2) * (0.4 if day.weekday() > 4 else 1.0)
    for _ in range(int(expected + dice.share())):
        who = dice.pick(staff)
        approver = hasty if dice.chance(0.7) else dice.pick(admins[1:])
        quoted = ""
        if dice.chance(0.12):
            quoted = _recent_question(world, dice, day, admins)
        dwell = dice.around(9000.0 * (1.0 - progress) ** 3 + 5.0, 0.45)
        requests.run(
            "assignment", dice.moment(day, 6, 15), Actor(agent=agent), who,
            None if dice.chance(0.08) else Actor(approver), dwell=min(dwell, 30_000),
            justification="Requested in chat" + (f", Copilot thread {quoted.split('|')[1]}" if quoted else ""),
            quoted=quoted.split("|")[0], held=timedelta(days=dice.whole(5, 30)),
        )


def _recent_question(world: World, dice: Dice, day: datetime, admins: list[Person]) -> str:
    """Event id and thread of a question an administrator put to Copilot in the days before; empty when none."""
    before = day - timedelta(days=dice.whole(1, 3))
    who = dice.pick([p for p in admins if p.left_on is None or p.left_on > before])
    if before in world.silent or before < world.start:
        return ""
    asked = interaction(dice, dice.moment(before, 8, 16), who, list(who.files[:5]))
    asked.thread = asked.thread or dice.thread()
    world.interactions.append(asked)
    return f"{asked.event_id}|{asked.thread}"


def direct_changes(world: World, dice: Dice, admins: list[Person]) -> None:
    """Group memberships and roles given directly, outside of any request."""
    staff = [p for p in world.persons if p.left_on is None and not p.admin_id]
    for day in world.midnights:
        if day.weekday() > 4 or (END - day).days < 1:
            continue
        if dice.chance(0.5):
            _direct(world, dice, dice.moment(day, 7, 15), dice.pick(admins), dice.pick(staff), "group")
        if dice.chance(0.15):
            _direct(world, dice, dice.moment(day, 7, 15), dice.pick(admins), dice.pick(staff), "role")


def _direct(world: World, dice: Dice, time: datetime, admin: Person, who: Person, what: str) -> None:
    name, object_id = dice.early(names.DIRECTORY_ROLES, 1.6)
    target = {"id": who.object_id, "displayName": who.name, "type": "User", "userPrincipalName": who.login}
    if what == "role":
        changed = [("Role.DisplayName", name), ("Role.TemplateId", object_id), ("Role.ObjectID", object_id)]
        activity, category = "Add member to role", "RoleManagement"
        world.assignments.append(Assignment(who.object_id, name, "standing", since=time))
    else:
        group = dice.early(names.SITE_NAMES)
        changed = [("Group.ObjectID", names.group_id(group)),
                   ("Group.DisplayName", f"{group} (synthetic)")]
        activity, category = "Add member to group", "GroupManagement"
    target["modifiedProperties"] = [  # type: ignore[assignment]
        {"displayName": key, "oldValue": None, "newValue": f'"{value}"'} for key, value in changed]
    event = EntraEvent(time, activity, Actor(admin, admin=True), "Directory_" + dice.hexadecimal(24), dice.guid(),
                       "Core Directory", category, "Assign", [target], [])
    world.entra.append(event)
    world.decisions.append(Decision(event.event_id, time, activity, "none", "proved", "unknown", "proved", "entra"))
