"""Okta in front of the sales and support applications: sign-ins, tokens, access asked for, given and reviewed."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from lineage_analytics.simulation.model import END, Account, Decision, Deed, Key, Link, Story

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lineage_analytics.simulation.dice import Dice
    from lineage_analytics.simulation.model import World

SOURCE = "okta_system_log"
_APPS = ("Ledger CRM", "Support Desk", "Quote Builder", "Call Centre")


def begin(world: World, dice: Dice) -> None:
    """Accounts of the people who work there, two clients, the provider's own hand; requests of the last weeks."""
    there = [p for p in world.persons if p.left_on is None]
    staff = [p for p in there if p.department in ("Sales", "Support")]
    if len(staff) < 3:  # a small organisation may have drawn hardly anybody
        staff = [p for p in there if not p.admin_id][:6]
    admins = [p for p in world.persons if p.admin_id][:2]
    accounts = [_account(dice, "00u", person.login, "human", person=person) for person in (*admins, *staff)]
    clients = [_account(dice, "0oa", name, "app", person=None) for name in ("Ledger CRM sync", "Call export")]
    system = _account(dice, "00s", "Okta System", "app", person=None)
    apps = [{"id": "0oa" + dice.base32(17), "name": name} for name in _APPS]
    world.accounts += [*accounts, *clients, system]
    world.cast["okta"] = {"people": accounts, "clients": clients, "system": system, "apps": apps}
    _requests(world, dice, accounts[: len(admins)], accounts[len(admins):], apps, system)
    _privileges(world, dice, accounts)
    _tokens(world, dice, accounts[0], clients[1])
    _reviews(world, dice, accounts, apps, system)
    _support(world, dice, accounts[0])


def _account(dice: Dice, prefix: str, name: str, kind: str, person: Any) -> Account:
    return Account("okta", "", prefix + dice.base32(17), name, kind, person=person, logged=True)


def day(world: World, day: datetime, dice: Dice) -> Iterator[Deed]:
    """Sign-ins of the people at work, hourly tokens of the clients."""
    cast = world.cast["okta"]
    for account in cast["people"]:
        if day.weekday() < 5 and dice.chance(0.08):
            app, session = dice.pick(cast["apps"]), dice.base32(20)
            time = dice.moment(day, 7, 16)
            yield _deed(dice, time, account, "user.session.start", session=session)
            outcome = "failure" if dice.chance(0.03) else "success"
            yield _deed(dice, time + timedelta(seconds=4), account, "user.authentication.sso", outcome=outcome,
                        session=session, targets=[("AppInstance", app["id"], app["name"])])
    for client in cast["clients"]:
        yield _deed(dice, dice.moment(day), client, "app.oauth2.as.token.grant.access_token")
    yield _deed(dice, dice.moment(day, 1, 2), cast["people"][0], "user.authentication.sso", token=cast["token"])


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


def _at(dice: Dice, back: int, first: float, last: float) -> datetime:
    return dice.moment(END.replace(hour=0, minute=0, second=0) - timedelta(days=back), first, last)


def _change(world: World, deed: Deed) -> Deed:
    """By a person, approved on no record, with no way back that the records know."""
    world.deeds.append(deed)
    world.decisions.append(Decision(deed.event_id, deed.time, deed.action, "none", initiator="proved",
                                    approver="unknown", rollback="unknown", provider="okta"))
    return deed


def _tokens(world: World, dice: Dice, admin: Account, client: Account) -> None:
    """An API token from before the look-back that works every night, another that was made and revoked."""
    old, brief = "00T" + dice.base32(17), "00T" + dice.base32(17)
    first = world.days - 1
    made = _change(world, _deed(dice, _at(dice, first, 0, 0.5), admin, "system.api_token.create",
                                targets=[("Token", old, "nightly export (synthetic)")]))
    admin.keys.append(Key(old, "token", made.time))
    world.cast["okta"]["token"] = old
    tried = []
    for back, action in ((21, "create"), (20, "revoke")):
        tried.append(_change(world, _deed(dice, _at(dice, back, 10, 15), admin, f"system.api_token.{action}",
                             targets=[("Token", brief, "trial (synthetic)")])))
    world.undo(tried[0].event_id, tried[1].event_id)
    rotated = _change(world, _deed(dice, _at(dice, 33, 9, 12), admin, "app.keys.rotate",
                                   targets=[("AppInstance", client.native_id, client.name)]))
    client.keys.append(Key(f"{client.native_id}/key", "key", rotated.time))
    world.stories.append(Story(
        "okta_token_of_an_administrator", f"An API token with all rights of {admin.name} is as old as the logs and "
        "works every night.", [old, made.event_id], "It stands among the tokens with its maker and its age.",
        ["VIS-07", "VIS-08"]))


def _reviews(
    world: World, dice: Dice, accounts: list[Account], apps: list[dict[str, str]], system: Account,
) -> None:
    """Access to one application is reviewed: most may keep it; what is taken away Okta carries out by itself."""
    reviewer, app, campaign = accounts[1], apps[2], "iga" + dice.base32(17)
    shared = [("AccessReview", campaign, f"Review of {app['name']} (synthetic)")]
    start = _at(dice, 17, 8, 9)
    world.deeds += [_deed(dice, start, accounts[0], "access.review.create", targets=shared),
                    _deed(dice, start + timedelta(minutes=5), system, "access.review.start", targets=shared),
                    _deed(dice, start + timedelta(days=5), system, "access.review.close", targets=shared)]
    removed = []
    for place, who in enumerate(accounts[2:8]):
        item = "rvi" + dice.base32(17)
        targets = [("ReviewItem", item, who.name), ("AppInstance", app["id"], app["name"]),
                   ("User", who.native_id, who.name)]
        said = "REVOKE" if place % 3 == 2 else "APPROVE"
        answer = _deed(dice, start + timedelta(minutes=40 + place), reviewer, "access.review.action", targets=targets,
                       debug={"decision": said})
        world.deeds.append(answer)
        if said == "REVOKE":
            done = _deed(dice, answer.time + timedelta(hours=5), system, "access.review.remediate", targets=targets)
            world.deeds.append(done)
            world.links.append(Link(done.event_id, answer.event_id, "authorised_by", provable=True))
            world.decisions.append(Decision(
                done.event_id, done.time, done.action, "none", initiator="unknown", approver="proved",
                rollback="unknown", provider="okta", approved="proved", self_approved=None, approvals=1))
            removed.append(done.event_id)
    world.stories.append(Story(
        "okta_review_within_minutes", f"{reviewer.name} reviewed who may use {app['name']}, one person a minute; what "
        "was not kept was taken away hours later.", [campaign, reviewer.native_id, *removed],
        "Each removal is joined to the answer that decided it.", ["LIN-05"]))


def _support(world: World, dice: Dice, admin: Account) -> None:
    """An administrator lets the provider's support act with the administrator's own account."""
    support = _account(dice, "00u", "support@okta-synthetic.example", "human", person=None)
    world.accounts.append(support)
    own = [("User", admin.native_id, admin.name)]
    let = _change(world, _deed(dice, _at(dice, 6, 9, 12), admin, "user.session.impersonation.grant", targets=own))
    begun = _deed(dice, let.time + timedelta(hours=2), support, "user.session.impersonation.initiate", targets=own)
    ended = _deed(dice, begun.time + timedelta(minutes=50), support, "user.session.impersonation.end", targets=own)
    world.deeds += [begun, ended]
    world.stories.append(Story(
        "support_acts_as_an_administrator", f"{admin.name} let the provider's support in, which acted with that "
        "account for fifty minutes.", [let.event_id, begun.event_id, ended.event_id],
        "What support did is shown as done by support, for the administrator.", []))
