"""GitHub, where engineers and a coding agent change what runs: pull requests, reviews, keys, tokens, seats."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lineage_analytics.simulation.chapters import _github_admin, _github_pulls
from lineage_analytics.simulation.chapters._github_cast import Cast, Repository
from lineage_analytics.simulation.model import Account, Deed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from lineage_analytics.simulation.dice import Dice
    from lineage_analytics.simulation.model import Person, World

AUDIT = "github_audit"
_DEPARTMENTS = ("Engineering", "Operations", "Security")
_REPOSITORIES = ("storefront", "billing", "platform", "infrastructure")


def begin(world: World, dice: Dice) -> None:
    """The organisation's accounts; pull requests of all the days; what its owners decided."""
    cast = _founded(world, dice)
    world.accounts += cast.everybody
    world.cast["github"] = cast
    _github_pulls.tell(world, dice, cast)
    _github_admin.tell(world, dice, cast)


def _founded(world: World, dice: Dice) -> Cast:
    """Engineers who are still there; two with administrative accounts own the organisation."""
    number = dice.whole(10_000_000, 19_000_000)

    def another() -> int:
        nonlocal number
        number += dice.whole(11, 997)
        return number

    organisation = another()
    staff = [p for p in world.persons if p.department in _DEPARTMENTS and p.left_on is None]
    people = [_account(organisation, another(), _login(p), "human", person=p) for p in staff]
    owners = [account for account in people if account.person is not None and account.person.admin_id][:2]
    engineers = [a for a in people if a.person is not None and a.person.declared and a not in owners]
    names = [p.name for p in world.principals if p.federated and p.session == "GitHubActions"
             and p is not world.cast["deploy"]][:4]
    return Cast(
        organisation, people, owners, engineers[0],
        _account(organisation, another(), "patch-pilot-synthetic", "ai_agent"),
        _account(organisation, another(), "actions-runner-synthetic[bot]", "app"),
        Account("github", str(organisation), "deploy_key", "deploy_key", "api_key"),
        _account(organisation, another(), "contractor-synthetic", "human"),
        [Repository(name, another()) for name in (*_REPOSITORIES, *names)])


def _login(person: Person) -> str:
    return person.login.partition("@")[0].replace(".", "-")


def _account(organisation: int, number: int, name: str, kind: str, person: Person | None = None) -> Account:
    return Account("github", str(organisation), str(number), name, kind, person=person, logged=True)


def day(world: World, day: datetime, dice: Dice) -> Iterator[Deed]:
    """Clones and pushes of engineers at work; what the runner fetches every night."""
    cast: Cast = world.cast["github"]
    if day.weekday() < 5:
        for account in cast.people:
            if dice.chance(0.06):
                yield _git(dice, dice.moment(day, 7, 17), account, dice.early(cast.repositories),
                           dice.weighted((("git.clone", 2.0), ("git.fetch", 2.0), ("git.push", 3.0))))
        if dice.chance(0.4):
            yield _git(dice, dice.moment(day, 8, 16), cast.outsider, cast.repositories[0], "git.clone")
    yield _git(dice, dice.moment(day, 1, 3), cast.actions, dice.pick(cast.repositories), "git.fetch")


def _git(dice: Dice, time: datetime, who: Account, repository: Repository, action: str) -> Deed:
    return Deed(time, AUDIT, dice.base32(22), who, action, details={
        "repo": repository, "transport_protocol_name": "ssh", "operation_type": "access"})
