"""What only a security lake holds: sign-ins at a remote-access gateway that no other log tells of."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from lineage_analytics.simulation.model import END, Account, Deed, Story

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from lineage_analytics.simulation.dice import Dice
    from lineage_analytics.simulation.model import World

SOURCE = "ocsf"
TENANT = "northwind-synthetic"
_LAST = END.replace(hour=0, minute=0, second=0)


def begin(world: World, dice: Dice) -> None:
    """Accounts at the gateway, and one that outlived its person's time here."""
    here = [p for p in world.persons if p.declared and p.left_on is None]
    staff = [*here[:4], *(p for p in here[4:] if p.department in ("Operations", "Engineering"))][:9]
    accounts = [_account(person.login, 1001 + place) for place, person in enumerate(staff)]
    for account, person in zip(accounts, staff, strict=True):
        account.person = person
    world.accounts += accounts
    world.cast["gateway"] = accounts
    _left_over(world, dice)
    _guessed(world, dice, accounts[-1])


def _account(login: str, number: int) -> Account:
    return Account("ocsf", TENANT, f"vpn-{number}", login, "unknown")


def day(world: World, day: datetime, dice: Dice) -> Iterator[Deed]:
    """People coming in from home, and going."""
    for account in world.cast["gateway"]:
        if day.weekday() < 5 and dice.chance(0.2):
            time = dice.moment(day, 6, 9)
            session = dice.guid()
            yield sign_in(dice, time, account, session)
            yield Deed(time + timedelta(minutes=dice.whole(60, 500)), SOURCE, dice.guid(), account, "Logoff",
                       details={"session": session})


def sign_in(dice: Dice, time: datetime, who: Account, session: str, outcome: str = "success") -> Deed:
    return Deed(time, SOURCE, dice.guid(), who, "Logon", outcome, {"session": session})


def _left_over(world: World, dice: Dice) -> None:
    left = [p for p in world.persons if p.left_on is not None and p.left_on < _LAST - timedelta(days=12)]
    if not left:
        return
    person = max(left, key=lambda p: (p.left_on, p.number))
    account = _account(person.login, 1000)
    account.person = person
    world.accounts.append(account)
    made = [sign_in(dice, dice.moment(_LAST - timedelta(days=back), 21, 23), account, dice.guid())
            for back in (4, 6, 11)]
    world.deeds += made
    world.stories.append(Story(
        "gateway_account_of_somebody_who_left", f"{person.login} left on {person.left_on:%Y-%m-%d}, and still came in "
        "through the remote-access gateway.", [account.native_id, *(deed.event_id for deed in made)],
        "The account is shown with the address of somebody who left; whether it is that person is inferred.",
        ["VIS-01"]))


def _guessed(world: World, dice: Dice, account: Account) -> None:
    """Many refused sign-ins in a row, then one that succeeds."""
    at = dice.moment(_LAST - timedelta(days=8), 1, 3)
    made = [sign_in(dice, at + timedelta(seconds=20 * n), account, dice.guid(), "failure") for n in range(12)]
    made.append(sign_in(dice, at + timedelta(minutes=9), account, dice.guid()))
    world.deeds += made
    world.stories.append(Story(
        "gateway_password_guessed", f"Twelve sign-ins of {account.name} failed within minutes, the next succeeded.",
        [account.native_id, *(deed.event_id for deed in made)], "The sign-ins stand with their outcomes.", []))
