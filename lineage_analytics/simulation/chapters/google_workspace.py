"""A part of the organisation that works in Google Workspace: documents, Gemini, apps let in, administration."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from lineage_analytics.simulation.model import END, Account, Decision, Deed, Link, Story

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from lineage_analytics.simulation.dice import Dice
    from lineage_analytics.simulation.model import World

SOURCE = "google_workspace"
_DEPARTMENTS = ("People", "Legal", "Support")
_MIDNIGHT = END.replace(hour=0, minute=0, second=0)
_SUPER = "_SEED_ADMIN_ROLE"
_SCOPES = ("https://www.googleapis.com/auth/drive.readonly", "https://www.googleapis.com/auth/gmail.readonly")


@dataclass
class Cast:
    """Who is there. ``notes`` is an app that people let in, ``backup`` a client that may act as anybody."""

    customer: str
    people: list[Account]
    admins: list[Account]
    notes: Account
    backup: Account
    agent: Account
    documents: list[str]


def begin(world: World, dice: Dice) -> None:
    """Accounts; what administrators did; apps that were let in; an agent that works for people."""
    cast = _founded(world, dice)
    world.accounts += [*cast.people, cast.notes, cast.backup, cast.agent]
    world.cast[SOURCE] = cast
    deeds = _Deeds(world, dice)
    _administration(deeds, dice, cast)
    _joining(world, deeds, dice, cast)
    _apps(world, deeds, dice, cast)
    _delegated(world, deeds, dice, cast)
    _agent(world, deeds, dice, cast)


def _founded(world: World, dice: Dice) -> Cast:
    customer = "C0synth" + dice.base32(3).lower()
    staff = [p for p in world.persons if p.department in _DEPARTMENTS and p.left_on is None and p.declared]
    others = [p for p in world.persons if not p.admin_id and p.left_on is None and p.declared
              and p.department not in _DEPARTMENTS]
    staff += others[: max(6 - len(staff), 0)]  # a small organisation may have drawn hardly anybody
    admins = [p for p in world.persons if p.admin_id][2:4]

    def account(native: str, name: str, kind: str, **more: Any) -> Account:
        return Account("gworkspace", customer, native, name, kind, logged=True, **more)

    def profile() -> str:
        return f"1{dice.whole(10 ** 9, 10 ** 10 - 1)}{dice.whole(10 ** 9, 10 ** 10 - 1)}"

    people = [account(profile(), p.login, "human", person=p) for p in (*admins, *staff)]
    return Cast(
        customer, people, people[:2],
        account(f"{dice.whole(10 ** 11, 10 ** 12 - 1)}-notes.apps.example", "Meeting Notes AI (synthetic)", "app"),
        account(f"{dice.whole(10 ** 11, 10 ** 12 - 1)}-backup.apps.example", "Tenant Backup (synthetic)", "app"),
        account("agent-" + dice.hexadecimal(12), "Case Sorter (synthetic)", "ai_agent"),
        ["1syn" + dice.base32(20) for _ in range(80)])


class _Deeds:
    """Events of administrators and people, and the decisions some of them are."""

    def __init__(self, world: World, dice: Dice) -> None:
        self._world, self._dice = world, dice

    def told(self, back: int) -> bool:
        return back < self._world.days

    def at(self, back: int, first: float = 8, last: float = 16) -> datetime:
        return self._dice.moment(_MIDNIGHT - timedelta(days=back), first, last)

    def record(self, time: datetime, who: Account, application: str, action: str, /, **parameters: Any) -> Deed:
        deed = made(self._dice, time, who, application, action, **parameters)
        self._world.deeds.append(deed)
        return deed

    def change(self, time: datetime, who: Account, application: str, action: str, /, **parameters: Any) -> Deed:
        deed = self.record(time, who, application, action, **parameters)
        self.decide(deed)
        return deed

    def decide(self, deed: Deed, involvement: str = "none", initiator: str = "proved") -> None:
        self._world.decisions.append(Decision(
            deed.event_id, deed.time, deed.action, involvement, initiator=initiator, approver="unknown",
            rollback="unknown", provider="gworkspace"))


def made(dice: Dice, time: datetime, who: Account, application: str, action: str, /, **parameters: Any) -> Deed:
    """One event; ``acting_for`` is the user whose authority an app or agent uses."""
    details = {"application": application, "acting_for": parameters.pop("acting_for", None),
               "bare_assistant": application.startswith("gemini"), "parameters": parameters}
    return Deed(time, SOURCE, f"-{dice.whole(10 ** 17, 9 * 10 ** 17)}", who, action, details=details)


def day(world: World, day: datetime, dice: Dice) -> Iterator[Deed]:
    """Sign-ins, documents, Gemini; what the backup client reads as the people whose files it keeps."""
    cast: Cast = world.cast[SOURCE]
    for who in cast.people if day.weekday() < 5 else ():
        if dice.chance(0.09):
            yield made(dice, dice.moment(day, 7, 9), who, "login", "login_success", login_type="saml")
        if dice.chance(0.14):
            yield made(dice, dice.moment(day, 8, 17), who, "drive", dice.weighted((
                ("view", 5.0), ("edit", 4.0), ("download", 1.0))), doc_id=dice.early(cast.documents),
                doc_type="document", doc_title="synthetic", visibility="private")
        if dice.chance(0.04):
            yield made(dice, dice.moment(day, 8, 17), who, "gemini_in_workspace_apps", "feature_utilization",
                       app_name=dice.pick(("docs", "gmail", "sheets")), action=dice.pick(("summarize", "draft")))
    owner = dice.pick(cast.people)
    yield made(dice, dice.moment(day, 2, 3), cast.backup, "drive", "download", acting_for=owner,
               doc_id=dice.pick(cast.documents), doc_type="document", doc_title="synthetic")


def _administration(deeds: _Deeds, dice: Dice, cast: Cast) -> None:
    """The ordinary work of administrators."""
    people = cast.people[2:]
    for back in (back for back in (71, 60, 44, 38, 27, 23, 18, 12, 7, 2) if deeds.told(back)):
        who, user = dice.pick(cast.admins), dice.pick(people).name
        action, parameters = dice.weighted((
            (("ADD_GROUP_MEMBER", {"USER_EMAIL": user, "GROUP_EMAIL": _group("people")}), 3.0),
            (("CHANGE_PASSWORD", {"USER_EMAIL": user}), 2.0),
            (("TURN_OFF_2_STEP_VERIFICATION", {"USER_EMAIL": user}), 1.0),
            (("CHANGE_APPLICATION_SETTING", {
                "APPLICATION_NAME": "Drive and Docs", "SETTING_NAME": "SHARING_OUTSIDE_DOMAIN",
                "OLD_VALUE": "DENIED", "NEW_VALUE": "ALLOWED"}), 1.0)))
        deeds.change(deeds.at(back), who, "admin", action, **parameters)


def _group(name: str) -> str:
    return f"{name}@northwind-synthetic.example"


def _joining(world: World, deeds: _Deeds, dice: Dice, cast: Cast) -> None:
    """People ask to join a group and an administrator lets them: three records that share no key but the membership."""
    for back, who in zip((25, 9), dice.some(cast.people[2:], 2), strict=True):
        shared = {"group_id": _group("legal-cases"), "member_id": who.name}
        asked = deeds.record(deeds.at(back, 8, 10), who, "groups_enterprise", "request_to_join", **shared)
        admin = dice.pick(cast.admins)
        let = deeds.record(asked.time + timedelta(minutes=dice.whole(20, 200)), admin, "groups_enterprise",
                           "approve_join_request", **shared)
        done = deeds.record(let.time + timedelta(minutes=8), admin, "groups_enterprise", "add_member", **shared)
        deeds.decide(done, initiator="unknown")  # who asked is only inferred from the same membership
        world.links += [Link(let.event_id, asked.event_id, "about", provable=False),
                        Link(done.event_id, asked.event_id, "requested_by", provable=False),
                        Link(done.event_id, let.event_id, "authorised_by", provable=False)]


def _apps(world: World, deeds: _Deeds, dice: Dice, cast: Cast) -> None:
    """An assistant from outside is let in by one person after another, until an administrator looks at it."""
    app = {"client_id": cast.notes.native_id, "app_name": cast.notes.name, "scope": list(_SCOPES)}
    backs = [back for back in (28, 27, 26, 24, 24, 22, 21) if deeds.told(back)]
    fans = dice.some(cast.people[2:], 4)
    let_in = [deeds.change(deeds.at(back), dice.pick(fans), "token", "authorize", **app) for back in backs]
    deeds.change(deeds.at(20, 15, 17), cast.admins[0], "admin", "CHANGE_APPLICATION_SETTING",
                 APPLICATION_NAME="Security", SETTING_NAME="THIRD_PARTY_APP_ACCESS", OLD_VALUE="ALLOW_ALL",
                 NEW_VALUE="TRUSTED_ONLY")
    gone = deeds.change(deeds.at(19, 9, 12), fans[0], "token", "revoke", **app)
    own = sorted((deed.time, deed.event_id) for deed in let_in if deed.who is fans[0])
    if own:
        world.undo(own[-1][1], gone.event_id)
    world.stories.append(Story(
        "meeting_notes_let_in", f"{cast.notes.name} may read mail and documents of everybody who let it in; one person "
        "took it back.", [cast.notes.native_id, *(deed.event_id for deed in let_in), gone.event_id],
        "The app is listed with what it may read and who let it in.", ["LIN-05"]))


def _delegated(world: World, deeds: _Deeds, dice: Dice, cast: Cast) -> None:
    """The backup client may act as anybody; late one evening somebody became super administrator."""
    given = deeds.change(deeds.at(29, 11, 13), cast.admins[1], "admin", "AUTHORIZE_API_CLIENT_ACCESS",
                         API_CLIENT_NAME=cast.backup.native_id, API_SCOPES=_SCOPES[0],
                         DOMAIN_NAME="northwind-synthetic.example")
    user = dice.pick(cast.people[2:])
    role = deeds.change(deeds.at(11, 21, 23), cast.admins[0], "admin", "ASSIGN_ROLE", ROLE_NAME=_SUPER,
                        USER_EMAIL=user.name)
    world.stories += [
        Story("backup_acts_as_anybody", f"{cast.backup.name} was given the right to act as anybody and reads one "
              "person's documents every night.", [given.event_id, cast.backup.native_id],
              "What it reads is listed as done by the client, for the person.", ["VIS-02"]),
        Story("super_administrator_by_night", f"{user.name} was made super administrator of the Workspace late in the "
              "evening, without a request.", [role.event_id, user.native_id],
              "The grant is listed with who made it; no approval of it is on record.", ["LIN-05"])]


def _agent(world: World, deeds: _Deeds, dice: Dice, cast: Cast) -> None:
    """An agent sorts documents for people, and once adds somebody to a group for an administrator."""
    for back in range(1, 30, 2):
        owner = dice.pick(cast.people[2:])
        deeds.record(deeds.at(back, 6, 20), cast.agent, "drive", "edit", acting_for=owner,
                     doc_id=dice.pick(cast.documents), doc_type="document", doc_title="synthetic")
    done = deeds.record(deeds.at(13, 10, 15), cast.agent, "admin", "ADD_GROUP_MEMBER", acting_for=cast.admins[0],
                        USER_EMAIL=dice.pick(cast.people[2:]).name, GROUP_EMAIL=_group("legal-cases"))
    deeds.decide(done, "unknown")  # whether anybody approved is in no source
    world.stories.append(Story(
        "agent_adds_a_member", f"The agent {cast.agent.name} added somebody to a group, in the name of "
        f"{cast.admins[0].name}.", [done.event_id, cast.agent.native_id],
        "The change is shown as made by the agent for that person; who approved it is unknown.", ["ACC-01"]))
