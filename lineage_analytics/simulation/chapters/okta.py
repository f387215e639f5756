"""Okta in front of the sales and support applications: sign-ins, tokens of two clients, access asked for and given."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from lineage_analytics.simulation.model import END, Account, Decision, Deed, Link, Story

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lineage_analytics.simulation.dice import Dice
    from lineage_analytics.simulation.model import World

SOURCE = "okta_system_log"
_APPS = ("Ledger CRM", "Support Desk", "Quote Builder", "Call Centre")


def begin(world: World, dice: Dice) -> None:
    """Accounts of the people who work there, two clients, the provider's own hand; requests of the last weeks."""
    staff = [p for p in world.persons if p.department in ("Sales", "Support") and p.left_on is None]
    admins = [p for p in world.persons if p.admin_id][:2]
    accounts = [_account(dice, "00u", person.login, "human", person=person) for person in (*admins, *staff)]
    clients = [_account(dice, "0oa", name, "app", person=None) for name in ("Ledger CRM sync", "Call export")]
    system = _account(dice, "00s", "Okta System", "app", person=None)
    apps = [{"id": "0oa" + dice.base32(17), "name": name} for name in _APPS]
    world.accounts += [*accounts, *clients, system]
    world.cast["okta"] = {"people": accounts, "clients": clients, "system": system, "apps": apps}
    _requests(world, dice, accounts[: len(admins)], accounts[len(admins):], apps, system)
    _privileges(world, dice, accounts)


def _account(dice: Dice, prefix: str, name: str, kind: str, person: Any) -> Account:
    return Account("okta", "", prefix + dice.base32(17), name, kind, person=person, logged=True)


def day(world: World, day: datetime, dice: Dice) -> Iterator[Deed]:
    """Sign-ins of the people at work, hourly tokens of the clients."""
    cast = world.cast["okta"]
    for account in cast["people"]:
        if day.weekday() < 5 and dice.chance(0.3):
            app, session = dice.pick(cast["apps"]), dice.base32(20)
            time = dice.moment(day, 7, 16)
            yield _deed(dice, time, account, "user.session.start", session=session)
            outcome = "failure" if dice.chance(0.03) else "success"
            yield _deed(dice, time + timedelta(seconds=4), account, "user.authentication.sso", outcome=outcome,
                        session=session, targets=[("AppInstance", app["id"], app["name"])])
    for client in cast["clients"]:
        yield _deed(dice, dice.moment(day), client, "app.oauth2.as.token.grant.access_token")


def _deed(dice: Dice, time: datetime, who: Account, action: str, outcome: str = "success", **details: Any) -> Deed:
    return Deed(time, SOURCE, dice.guid(), who, action, outcome, {"transaction": dice.base32(20), **details})


def _requests(
    world: World, dice: Dice, approvers: list[Account], staff: list[Account], apps: list[dict[str, str]],
    system: Account,
) -> None:
    """Access to an application is asked for, approved by somebody else, and given by the provider."""
    first = END.replace(hour=0, minute=0, second=0)
    for back in (back for back in (2, 5, 9, 14, 20, 27, 41, 66) if back < world.days):
        who, app, approver = dice.pick(staff), dice.pick(apps), dice.pick(approvers)
        request = "req" + dice.base32(17)
        targets = [("AppAccessRequest", request, f"Request for {app['name']}"), ("AppInstance", app["id"], app["name"]),
                   ("User", who.native_id, who.name)]
        at = dice.moment(first - timedelta(days=back), 8, 12)
        asked = _deed(dice, at, who, "app.access_request.request", targets=targets)
        answer = _deed(dice, at + timedelta(minutes=dice.whole(5, 200)), approver,
                       "app.access_request.approver.approve", targets=targets)
        given = _deed(dice, answer.time + timedelta(seconds=20), system, "app.access_request.grant", targets=targets)
        world.deeds += [asked, answer, given]
        world.links += [Link(answer.event_id, asked.event_id, "about", provable=True),
                        Link(given.event_id, asked.event_id, "requested_by", provable=True),
                        Link(given.event_id, answer.event_id, "authorised_by", provable=True)]
        world.decisions.append(Decision(
            given.event_id, given.time, given.action, "none", initiator="proved", approver="proved",
            rollback="unknown", provider="okta", approved="proved", self_approved=None, approvals=1))


def _privileges(world: World, dice: Dice, accounts: list[Account]) -> None:
    """An administrator makes a colleague one too, past any request."""
    admin, other = accounts[0], accounts[-1]
    at = dice.moment(END.replace(hour=0, minute=0, second=0) - timedelta(days=8), 18, 20)
    made = _deed(dice, at, admin, "user.account.privilege.grant", targets=[("User", other.native_id, other.name)],
                 debug={"privilegeGranted": "Super administrator"})
    world.deeds.append(made)
    world.decisions.append(Decision(made.event_id, made.time, made.action, "none", initiator="proved",
                                    approver="unknown", rollback="unknown", provider="okta"))
    world.stories.append(Story(
        "okta_super_administrator_in_the_evening", f"{other.name} was made super administrator of Okta in the evening, "
        "without a request.", [made.event_id, other.native_id],
        "The grant is listed with who made it; no approval of it is on record.", ["LIN-05"]))
