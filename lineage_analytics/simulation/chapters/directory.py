"""The directory at work: people and software sign in, applications ask Microsoft Graph, risks are seen and judged.

Guests sign in at home and are left out. The token given with a sign-in is made of the id of its record; requests to
Microsoft Graph name it.
"""

from __future__ import annotations

import base64
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from lineage_analytics.simulation.chapters._directory_cast import MIDNIGHT, active, cast
from lineage_analytics.simulation.model import Deed, Link, Story

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from lineage_analytics.simulation.chapters._directory_cast import App, Directory
    from lineage_analytics.simulation.dice import Dice
    from lineage_analytics.simulation.model import Account, Agent, Happened, Person, World

SIGNINS, GRAPH_LOG, RISK = "entra_signins", "entra_graph_activity", "entra_risk"
OFFICE, VPN, STRANGER, CLOUD = "198.51.100.9", "203.0.113.77", "192.0.2.66", "203.0.113.140"
_FRESH, _SILENT = 0.014, 0.008
"""Of a working day's people: who gives a password, and whose application renews its token."""


def begin(world: World, dice: Dice) -> None:
    """Everybody in the directory, the agent's own requests, and what is planted."""
    found = cast(world, dice)
    world.cast["directory"] = found
    _agent(world, dice)
    _leaked(world, dice, found)
    _travel(world, dice, found)
    _listed(world, found)


def token(event_id: str) -> str:
    """The token of a sign-in, by which later requests name it: the id of the sign-in in other letters."""
    return base64.urlsafe_b64encode(UUID(event_id).bytes_le).decode().rstrip("=")


def _signed_in(
    dice: Dice, time: datetime, who: Account | Agent | Person | None, kind: str, app: App | None = None, *,
    admin: bool = False, **details: Any,
) -> Deed:
    """``kind``: user, silent (a token renewed), principal, managed."""
    code = details.get("code", 0)
    outcome = "success" if code == 0 else "failure"
    return Deed(time, SIGNINS, dice.guid(), who, kind, outcome, admin=admin, details={
        "app": app, "ip": OFFICE, "code": code, "correlation": dice.guid(), **details})


def _asked(
    dice: Dice, time: datetime, who: Account | Agent | Person, app_id: str, method: str, path: str, *,
    signed_in: Deed, status: int = 200,
) -> Deed:
    """A request to Microsoft Graph with the token of a sign-in."""
    return Deed(time, GRAPH_LOG, dice.guid(), who, f"{method} {path}", "success" if status < 400 else "failure", {
        "app_id": app_id, "ip": signed_in.details["ip"], "status": status, "token": token(signed_in.event_id),
        "correlation": signed_in.details["correlation"]})


# --- every day -----------------------------------------------------------------------------------------------------


def day(world: World, day: datetime, dice: Dice) -> Iterator[Deed]:
    """Software by its rhythm; an application that reads mail for people; names that somebody tries."""
    found: Directory = world.cast["directory"]
    for host in found.managed[: 2 if day.weekday() < 5 else 1]:
        yield _signed_in(dice, dice.moment(day, 1, 4), host, "managed", ip=CLOUD)
    for app in found.apps.values():
        yield from _software(world, dice, day, app)
    staff = active(world)
    if day.weekday() < 5 and dice.chance(0.5):
        yield from _notes(dice, dice.moment(day, 9, 16), dice.pick(staff), found.apps["Meeting Notes Helper"])
    if day in world.silent:  # nobody is seen at documents on these days
        for who in dice.some(staff, 4):
            yield _signed_in(dice, dice.moment(day, 7, 10), who, "user", found.apps["Staff Portal"])
    if dice.chance(0.1):
        who = dice.pick(staff)
        signed_in = _signed_in(dice, dice.moment(day, 6, 20), who, "user", found.apps["Staff Portal"], ip=VPN)
        yield signed_in
        yield _detection(dice, signed_in, who, "unfamiliarFeatures", "low", "remediated",
                         "userPerformedSecuredPasswordReset", signed_in.time + timedelta(minutes=50))
    if dice.chance(0.08):
        yield _signed_in(dice, dice.moment(day), None, "user", found.apps["Staff Portal"], code=50034, ip=STRANGER,
                         typed=dice.pick(("backup", "scanner", "info")))


def _software(world: World, dice: Dice, day: datetime, app: App) -> Iterator[Deed]:
    works = {"daily": True, "weekday": day.weekday() < 5, "weekly": day.weekday() == 2}.get(app.rhythm, False)
    born = app.principal.created
    if not works or (born is not None and day <= born):
        return
    signed_in = _signed_in(dice, dice.moment(day, 2, 6), app.principal, "principal", app, ip=CLOUD)
    yield signed_in
    if app.name == "HR Sync":
        yield _asked(dice, signed_in.time + timedelta(seconds=2), app.principal, app.app_id, "GET", "/v1.0/users",
                     signed_in=signed_in)
        if dice.chance(0.3):
            who = dice.pick(active(world))
            yield _asked(dice, signed_in.time + timedelta(seconds=9), app.principal, app.app_id, "PATCH",
                         f"/v1.0/users/{who.object_id}", signed_in=signed_in, status=204)


def _notes(dice: Dice, time: datetime, who: Person, app: App) -> Iterator[Deed]:
    """An application reads a person's mail, on what an administrator consented to for everybody."""
    signed_in = _signed_in(dice, time, who, "silent", app, ip=CLOUD)
    yield signed_in
    yield _asked(dice, time + timedelta(seconds=3), who, app.app_id, "GET", f"/v1.0/users/{who.object_id}/messages",
                 signed_in=signed_in)


def echo(world: World, happened: Happened, dice: Dice) -> Iterator[Deed]:
    """Before people work on documents, in AWS or as administrators, some of them sign in; others still are."""
    found: Directory = world.cast["directory"]
    first: dict[int, tuple[datetime, Person]] = {}
    worked = [*((e.person, e.time) for e in happened.files), *((e.person, e.time) for e in happened.asked)]
    for person, time in worked:
        if "#EXT#" not in person.login:
            held = first.get(person.number, (time, person))
            first[person.number] = min(held[0], time), person
    portal, sales = found.apps["Staff Portal"], found.apps["Ledger CRM"]
    for _, (time, who) in sorted(first.items()):
        roll, before = dice.share(), _before(dice, happened.day, time)
        if roll < _FRESH:
            app = sales if who.department == "Sales" else portal
            yield _signed_in(dice, before, who, "user", app, code=50126 if roll < 0.0006 else 0)
        elif roll < _FRESH + _SILENT:
            yield _signed_in(dice, before, who, "silent", portal)
    for call in happened.aws:
        if call.person is not None and dice.chance(0.02):
            yield _signed_in(dice, _before(dice, happened.day, call.time), call.person, "user", name="AWS (synthetic)")
    for change in happened.entra:
        actor = change.actor
        if actor.person is not None and actor.admin and dice.chance(0.1):
            yield _signed_in(dice, _before(dice, happened.day, change.time), actor.person, "user", portal, admin=True)


def _before(dice: Dice, day: datetime, time: datetime) -> datetime:
    return max(time - timedelta(seconds=dice.whole(40, 1500)), day)


# --- the agent, and risks --------------------------------------------------------------------------------------------


def _agent(world: World, dice: Dice) -> None:
    """Each of the agent's role requests came over Microsoft Graph, with a token it had just been given."""
    agent = world.agents[0]
    for event in world.entra:
        if event.actor.agent is not agent or "requested" not in event.activity:
            continue
        signed_in = _signed_in(dice, event.time - timedelta(seconds=dice.whole(3, 40)), agent, "principal", ip=CLOUD)
        asked = _asked(dice, event.time - timedelta(seconds=1), agent, agent.app_id, "POST",
                       "/v1.0/roleManagement/directory/roleAssignmentScheduleRequests", signed_in=signed_in,
                       status=201)
        world.deeds += [signed_in, asked]
        world.links.append(Link(event.event_id, asked.event_id, "triggered_by", provable=False))


def _detection(
    dice: Dice, signed_in: Deed | None, who: Person | App, kind: str, level: str, state: str, detail: str,
    updated: datetime, *, event_id: str = "", detected: datetime | None = None,
) -> Deed:
    """A detection as it stands at its last update; another state of it is another record under the same id."""
    seen = detected or (signed_in.time + timedelta(minutes=6) if signed_in else updated)
    return Deed(updated, RISK, event_id or dice.guid(), None, kind, "unknown", {
        "of": who, "level": level, "state": state, "detail": detail, "detected": seen, "signed_in": signed_in})


def _leaked(world: World, dice: Dice, found: Directory) -> None:
    """A secret of an application was published; a stranger signs in with it until the service notices."""
    app = found.apps["Invoice Export"]
    nights = []
    for back in (6, 5, 4):
        signed_in = _signed_in(dice, dice.moment(MIDNIGHT - timedelta(days=back), 1, 3), app.principal, "principal",
                               app, ip=STRANGER)
        asked = _asked(dice, signed_in.time + timedelta(seconds=5), app.principal, app.app_id, "GET", "/v1.0/users",
                       signed_in=signed_in)
        world.deeds += [signed_in, asked]
        nights += [signed_in.event_id, asked.event_id]
    noticed = dice.moment(MIDNIGHT - timedelta(days=3), 5, 6)
    seen = _detection(dice, None, app, "leakedCredentials", "high", "atRisk", "none", noticed)
    state = Deed(noticed + timedelta(minutes=4), RISK, app.principal.native_id, None, "risky", "unknown", {
        "of": app, "level": "high", "state": "atRisk", "detail": "none"})
    world.deeds += [seen, state]
    world.links += [Link(seen.event_id, signed_in, "informed_by", provable=False) for signed_in in nights[::2]]
    key = app.key
    world.stories.append(Story(
        "leaked_credential_of_an_application", f"The old secret of {app.name} leaked: it signed in at night from an "
        "address never seen before, read all users, and Identity Protection found the secret published. It still "
        "works, and who owned the application has left or was never named.",
        [app.principal.native_id, key.key_id if key else "", seen.event_id, *nights],
        "The detection is a signal nobody has answered; the secret stands among those over age.",
        ["VIS-08", "VIS-04"]))


def _travel(world: World, dice: Dice, found: Directory) -> None:
    """A person is in the office and, forty minutes later, seems to be far away; an analyst knows of the VPN."""
    who = next(p for p in active(world)[8:] if not p.admin_id)
    portal, morning = found.apps["Staff Portal"], dice.moment(MIDNIGHT - timedelta(days=13), 8, 9)
    here = _signed_in(dice, morning, who, "user", portal)
    away = _signed_in(dice, morning + timedelta(minutes=40), who, "user", portal, ip=VPN,
                      risk=("atRisk", "medium", "unlikelyTravel"))
    seen = _detection(dice, away, who, "unlikelyTravel", "medium", "atRisk", "none", away.time + timedelta(minutes=7))
    judged = morning + timedelta(days=1, minutes=25)
    verdict = _detection(dice, away, who, "unlikelyTravel", "none", "dismissed", "adminDismissedAllRiskForUser",
                         judged, event_id=seen.event_id)
    states = [Deed(time, RISK, who.object_id, None, "risky", "unknown", {
        "of": who, "level": level, "state": state, "detail": detail}) for time, level, state, detail in (
        (seen.time + timedelta(minutes=1), "medium", "atRisk", "none"),
        (judged + timedelta(seconds=2), "none", "dismissed", "adminDismissedAllRiskForUser"))]
    world.deeds += [here, away, seen, verdict, *states]
    world.stories.append(Story(
        "impossible_travel_dismissed", f"{who.login} signed in at the office and, forty minutes later, through a VPN "
        "far away; an analyst dismissed the risk the next morning.", [here.event_id, away.event_id, seen.event_id],
        "The signal of the sign-in, the detection and its dismissal stand in one case; who dismissed it is not on "
        "record."))


def _listed(world: World, found: Directory) -> None:
    """What stands in the export alone."""
    helper, newsletter = found.apps["Meeting Notes Helper"], found.apps["Old Newsletter"]
    broad = found.consents[0]
    world.stories += [
        Story("consented_for_everybody", f"An administrator consented for everybody that {helper.name} reads and "
              "writes mail and files and acts as its user in the directory; its secret states no beginning.",
              [broad.grant_id, helper.principal.native_id],
              "The grant is listed for all principals; the age of the secret is not known.", ["VIS-07"]),
        Story("agent_user_without_agent", f"{found.orphan.name} is the user of an agent that was deleted; nobody "
              "answers for it.", [found.orphan.native_id, found.orphan.details["parent"]],
              "It is an AI agent without a valid owner that nobody used.", ["VIS-04", "VIS-17"]),
        Story("application_nobody_uses", f"{newsletter.name} may do anything on every site, its certificate ended, and "
              "it has not signed in.", [newsletter.principal.native_id],
              "It stands among the accounts enabled and unused.", ["VIS-17", "VIS-08"]),
    ]


