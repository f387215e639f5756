"""GitHub as a graph collector sees it: the same people as in GitHub's own log, their teams and roles, and which
repositories may become a role in AWS.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lineage_analytics.simulation.model import Account, Story

if TYPE_CHECKING:
    from lineage_analytics.simulation.dice import Dice
    from lineage_analytics.simulation.model import Person, World

ORGANISATION = "northwind-synthetic"
_DEPARTMENTS = ("Engineering", "Operations")
_TEAMS = ("platform", "applications", "everyone")
_RIGHTS = {"read": "GH_ReadRepoContents", "write": "GH_WriteRepoContents", "admin": "GH_AdminTo"}
_MOST = 24


@dataclass
class Graph:
    """The nodes. ``may_become`` are the roles in AWS that workflows of a repository may become, by its node id."""

    organisation: str
    users: list[Account]
    owners: Account
    teams: dict[str, Account]
    repositories: dict[str, str] = field(default_factory=dict)
    """Node ids by name."""
    may_become: dict[str, list[str]] = field(default_factory=dict)
    roles: dict[tuple[str, str], Account] = field(default_factory=dict)
    edges: list[tuple[str, str, str]] = field(default_factory=list)
    """Kind, start and end by node id."""


def begin(world: World, dice: Dice) -> None:
    """The people and repositories of GitHub's own chapter where it is told, else engineers and what AWS trusts."""
    native = "O_kgDO" + dice.base32(6)
    graph = Graph(native, _users(world, dice), _node(f"{ORGANISATION}\\Owners", "role", f"{native}_owners"),
                  {name: _node(name, "group", "T_kwDO" + dice.base32(6)) for name in _TEAMS})
    _repositories(world, graph, dice)
    _edges(world, graph, dice)
    world.accounts += [*graph.users, *graph.teams.values(), graph.owners, *graph.roles.values()]
    world.cast["opengraph"] = graph
    open_to_all = next(iter(graph.repositories))
    world.stories.append(Story(
        "github_everyone_may_deploy", f"The team everyone may write to {open_to_all}, whose workflows may become the "
        "role that deploys everything.", [graph.teams["everyone"].native_id,
                                          graph.roles[open_to_all, "write"].native_id, world.cast["deploy"].arn],
        "The team's role on the repository stands beside what its workflows may become."))


def _users(world: World, dice: Dice) -> list[Account]:
    told = world.cast.get("github")
    people: list[tuple[str, Person | None, int]] = [
        (a.name, a.person, int(a.native_id)) for a in (told.people[:_MOST] if told else ())]
    if not people:
        staff = [p for p in world.persons if p.department in _DEPARTMENTS and p.left_on is None and p.declared]
        people = [(p.login.partition("@")[0].replace(".", "-"), p, dice.whole(10**6, 10**8))
                  for p in staff[:_MOST]]
    made = [_node(login, "unknown", "U_kgDO" + dice.base32(6), person) for login, person, _ in people]
    for user, (*_, number) in zip(made, people, strict=True):
        user.details["number"] = number
    return made


def _repositories(world: World, graph: Graph, dice: Dice) -> None:
    """Every repository may become the deploying role, as its trust names them all; some have one of their own."""
    told = world.cast.get("github")
    federated = {p.name: p.arn for p in world.principals if p.federated and p.inventoried}
    for name in [r.name for r in told.repositories] if told else ["infrastructure", *sorted(federated)[:4]]:
        native = "R_kgDO" + dice.base32(6)
        graph.repositories[name] = native
        graph.may_become[native] = sorted({world.cast["deploy"].arn, *([federated[name]] if name in federated else [])})
        for right in _RIGHTS:
            graph.roles[name, right] = _node(f"{name}\\{right}", "role", f"{native}_{right}")


def _node(name: str, kind: str, native: str, person: Person | None = None) -> Account:
    return Account("opengraph", "", native, name, kind, person=person, listed=True)


def _edges(world: World, graph: Graph, dice: Dice) -> None:
    told = world.cast.get("github")
    owners = {a.name for a in told.owners} if told else {user.name for user in graph.users[:2]}
    for user in graph.users:
        graph.edges.append(("GH_MemberOf", user.native_id, graph.teams["everyone"].native_id))
        if user.name in owners:
            graph.edges.append(("GH_HasRole", user.native_id, graph.owners.native_id))
        team = dice.pick(("platform", "applications"))
        graph.edges.append(("GH_MemberOf", user.native_id, graph.teams[team].native_id))
    for place, (name, native) in enumerate(graph.repositories.items()):
        graph.edges.append(("GH_Owns", graph.organisation, native))
        teams = ("applications", "everyone", "platform") if place == 0 else ("everyone", "applications", "platform")
        for (right, edge), team in zip(_RIGHTS.items(), teams, strict=True):
            role = graph.roles[name, right].native_id
            graph.edges += [("GH_HasRole", graph.teams[team].native_id, role), (edge, role, native)]
        graph.edges += [("GH_CanAssumeAWSRole", native, arn) for arn in graph.may_become[native]]
