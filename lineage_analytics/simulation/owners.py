"""Who is said to own what: confirmed, stale, by people who left, only in a tag, or by nobody."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from lineage_analytics.simulation.dice import Dice
from lineage_analytics.simulation.model import END, OwnerRow

if TYPE_CHECKING:
    from lineage_analytics.simulation.model import Account, Person, Principal, World

_BOILERPLATE = ("service account", "n/a", "tbd", "")
_STATES = (("confirmed", 46.0), ("stale", 12.0), ("left", 7.0), ("tag", 15.0), ("none", 20.0))


def assign(world: World) -> None:
    """Owners, purposes and environments of every non-human identity; truth lands in ``Principal.owner_state``."""
    dice = Dice(world.seed, "owners")
    active = [p for p in world.persons if p.declared and p.left_on is None]
    left = [p for p in world.persons if p.left_on is not None]
    for account in world.principals:
        if account.is_nhi and not account.owner_state.startswith("set:"):
            _one(world, dice, account, active, left)
        account.owner_state = account.owner_state.removeprefix("set:")
        if account.environment and dice.chance(0.4):
            account.tags["environment"] = account.environment


def _one(world: World, dice: Dice, account: Principal, active: list[Person], left: list[Person]) -> None:
    state = dice.weighted(_STATES)
    owner = dice.early(left if state == "left" and left else active)
    if state == "tag":
        account.tags["owner"], account.owner_state, account.purpose = owner.login, "unknown", ""
        return
    if state == "none" or (state == "left" and not left):
        account.purpose = ""
        return
    age = dice.whole(400, 900) if state == "stale" else dice.whole(5, 330)
    roll = dice.share()
    if roll < 0.1:
        account.purpose = dice.pick(_BOILERPLATE)
    elif roll < 0.14:
        account.purpose = account.name
    declare(world, account, owner, age, valid=state == "confirmed")


def declare(world: World, account: Principal, owner: Person, age_days: int, *, valid: bool) -> None:
    """A row of the owners' inventory, confirmed ``age_days`` before the end."""
    confirmed = (END - timedelta(days=age_days)).date().isoformat()
    world.owners.append(OwnerRow(account.arn, owner.login, confirmed, account.purpose))
    account.owner_state = "true" if valid else "false"


def purpose_stated(account: Principal | Account) -> bool:
    """A purpose that is neither blank, nor boilerplate, nor the account's own name."""
    return account.purpose not in _BOILERPLATE and account.purpose != account.name
