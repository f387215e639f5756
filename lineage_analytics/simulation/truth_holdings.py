"""What accounts of other providers than AWS hold, worked out from the story without the package's own code.

Shared with the rest of the package are data lists only: which permissions a role of Google Cloud has, which roles the
API server of Kubernetes brings along, and which of these are sensitive.
"""

from __future__ import annotations

import fnmatch
from collections import defaultdict
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from lineage_analytics.simulation.chapters._ad_forest import BUILTIN_ADMINISTRATORS
from lineage_analytics.simulation.chapters._google_cloud_project import ON_PROJECT, member
from lineage_analytics.simulation.model import DOMAIN, END
from lineage_analytics.simulation.truth_access import LOOKBACK, listed
from lineage_analytics.simulation.writers.gcp_audit import NEEDS

if TYPE_CHECKING:
    from datetime import datetime

    from lineage_analytics.simulation.chapters._ad_forest import Forest
    from lineage_analytics.simulation.chapters._aws_center import Center
    from lineage_analytics.simulation.chapters._google_cloud_project import Project
    from lineage_analytics.simulation.chapters._kubernetes_cluster import Cluster, Thing
    from lineage_analytics.simulation.chapters.opengraph import Graph
    from lineage_analytics.simulation.model import Account, World
    from lineage_analytics.simulation.observed import Answer, Observed

Call = tuple[str, str, str]
"""Verb, API group and resource with its part."""
_READS = frozenset({"get", "list", "watch"})


@dataclass(frozen=True)
class Use:
    """How many permissions a log that covers the look-back showed in use, and how many not; of sensitive ones the
    unused and those the log would not show."""

    used: int
    unused: int
    sensitive_unused: int = 0
    sensitive_hidden: int = 0


@dataclass(frozen=True)
class Holding:
    """What an inventory lists of one; None: it cannot be told. ``hidden`` is how many permissions no log would show in
    use; what a role that is not known allows counts as one. Without ``use`` no log shows any."""

    hidden: int
    wildcard: Answer = False
    privileged: Answer = False
    admin: Answer = False
    use: Use | None = None


def elsewhere(world: World, observed: Observed) -> dict[str, Holding]:
    """By native id: of Google Cloud, Kubernetes, Active Directory and the graph of GitHub, where they are told."""
    return {**_google_cloud(world, observed), **_kubernetes(world, observed), **_active_directory(world),
            **_github(world), **_identity_center(world)}


# --- Google Cloud --------------------------------------------------------------------------------------------------


def _google_cloud(world: World, observed: Observed) -> dict[str, Holding]:
    """Of service accounts that hold a role. Of others nothing is known: the policy of the organisation, which no
    inventory has, may give them any. No role is held over the organisation, so nobody controls it."""
    project: Project | None = world.cast.get("gcp")
    if project is None:
        return {}
    found = {}
    for account in project.services.values():
        held = {(one.role, one.over) for one in project.bindings() if one.member == member(account)}
        young = {(change.binding.role, change.binding.over) for change in project.changes if change.added
                 and change.binding.member == member(account) and change.time > END - LOOKBACK}
        if held:
            found[account.native_id] = _by_roles(account, held, young, observed)
    return found


def _by_roles(account: Account, held: set[tuple[str, str]], young: set[tuple[str, str]],
              observed: Observed) -> Holding:
    """A change of a policy is always logged, so a role that no entry gave is older than the look-back."""
    table = {row["role"]: row for row in listed("gcp_roles.csv")}
    whole = all(table.get(role, {}).get("complete") == "yes" for role, _ in held)
    names, old = (frozenset(name for role, _ in roles for name in table.get(role, {"permissions": ""})[
        "permissions"].split()) for roles in (held, held - young))
    basic = any(role in ("roles/owner", "roles/editor") and over == ON_PROJECT for role, over in held)
    said = {(who, needed[0], succeeded) for who, method, succeeded in observed.project_calls
            if (needed := NEEDS[method]) is not None}
    used = {name for who, name, succeeded in said if succeeded and who == account.ref} & names
    shown = {_kind_of(name) for _, name, _ in said}
    unused = {name for name in names - used if _kind_of(name) in shown}
    hidden = names - used - unused
    unused &= old
    return Holding(
        len(hidden) if whole else 1, wildcard=True if basic else _if(whole),
        privileged=True if any(_heaviness(name) > 9 for name in names) else _if(whole), use=Use(
            len(used), len(unused), sum(_heaviness(name) > 0 for name in unused),
            sum(_heaviness(name) > 0 for name in hidden)) if whole else None)


def _kind_of(name: str) -> tuple[str, str]:
    """What a log tells apart: service and resource, and whether it is read or written, or the verb."""
    over, _, verb = name.rpartition(".")
    return over, {"get": "read", "list": "read", "create": "write", "delete": "write", "undelete": "write",
                  "update": "write"}.get(verb, verb)


@lru_cache(maxsize=4096)
def _heaviness(name: str) -> int:
    return max((int(row["weight"]) for row in listed("gcp_sensitive_permissions.csv")
                if fnmatch.fnmatchcase(name, row["pattern"])), default=0)


def _if(known: bool) -> Answer:
    return False if known else None


# --- Kubernetes ----------------------------------------------------------------------------------------------------


def _kubernetes(world: World, observed: Observed) -> dict[str, Holding]:
    cluster: Cluster | None = world.cast.get("k8s")
    if cluster is None:
        return {}
    roles = {(thing.kind, thing.namespace, thing.name): thing.holds["rules"]
             for thing in cluster.things if "rules" in thing.holds}
    every = _catalogue(roles.values(), observed)
    shown = {_class(call) for _, call, _ in observed.cluster_calls}
    return {account.native_id: _of_cluster(account, cluster, roles, every, shown, observed)
            for account in cluster.services.values()}


def _catalogue(roles: Any, observed: Observed) -> set[Call]:
    """What a wildcard stands for: all that a role of the cluster or of the API server names, or somebody did."""
    known = {call for rules in roles for rule in rules for call in _spelled(rule)}
    known |= {call for _, call, succeeded in observed.cluster_calls if succeeded}
    for row in listed("k8s_default_roles.csv"):
        known |= _product(row["verbs"].split(), row["groups"].split(), row["resources"].split())
    return {call for call in known if "*" not in "".join(call)}


def _product(verbs: list[str], groups: list[str], resources: list[str]) -> set[Call]:
    return {(verb, group or "core", resource) for verb in verbs for group in groups for resource in resources}


def _spelled(rule: dict[str, list[str]]) -> set[Call]:
    return _product(rule["verbs"], rule["apiGroups"], rule["resources"])


def _class(call: Call) -> tuple[bool, str, str]:
    """An audit policy tells apart reading and writing of a resource."""
    return (call[0] in _READS, call[1], call[2])


def _bound(account: Account, thing: Thing) -> bool:
    return any(one["kind"] == "ServiceAccount" and one["name"] == account.name
               and one["namespace"] == account.details["namespace"] for one in thing.holds.get("subjects", ()))


def _of_cluster(account: Account, cluster: Cluster, roles: dict[tuple[str, str, str], list[dict[str, list[str]]]],
                every: set[Call], shown: set[tuple[bool, str, str]], observed: Observed) -> Holding:
    since: dict[Call, datetime] = {}
    wildcard = master = False
    for thing in cluster.things:
        if not _bound(account, thing):
            continue
        role = thing.holds["roleRef"]
        master |= role["name"] == "cluster-admin" and thing.kind == "ClusterRoleBinding"
        for rule in roles[role["kind"], thing.namespace if role["kind"] == "Role" else "", role["name"]]:
            wild = "*" in rule["verbs"] + rule["resources"]
            wildcard |= wild
            for call in every if wild else _spelled(rule):
                since[call] = min(since.get(call, thing.created), thing.created)
    used = {call for who, call, succeeded in observed.cluster_calls if succeeded and who == account.ref} & since.keys()
    unused = {call for call in since.keys() - used if _class(call) in shown}
    hidden = since.keys() - used - unused
    unused = {call for call in unused if since[call] <= END - LOOKBACK}
    # Who may run a pod may run it as its node would, unless a rule of admission forbids it, which no listing shows.
    pods = any(call in since for call in (("create", "core", "pods"), ("create", "apps", "deployments"),
                                          ("create", "batch", "jobs")))
    admin: Answer = True if master else None if pods else False
    heaviest = max((_weight(call) for call in since), default=0)
    return Holding(len(hidden), wildcard, True if master or heaviest > 9 else admin, admin, Use(
        len(used), len(unused), sum(_weight(call) > 0 for call in unused), sum(_weight(call) > 0 for call in hidden)))


@lru_cache(maxsize=4096)
def _weight(call: Call) -> int:
    return max((int(row["weight"]) for row in listed("k8s_sensitive_actions.csv") if call[0] in row["verbs"].split()
                and call[1] in row["groups"].split() and call[2] in row["resources"].split()), default=0)


# --- Active Directory ----------------------------------------------------------------------------------------------

_TAKES_OVER = frozenset({"GenericAll", "Owns", "GenericWrite", "AddMember", "ForceChangePassword", "AdminTo"})
_UNBOUNDED = frozenset({"GenericAll", "Owns", "AllExtendedRights"})
_COPIES = ("GetChanges", "GetChangesAll")
Right = tuple[str, str, str]
"""Holder, right and object, by native id."""


def _active_directory(world: World) -> dict[str, Holding]:
    """Of everybody a collection lists. No log tells by which right something was done."""
    forest: Forest | None = world.cast.get("active_directory")
    if forest is None:
        return {}
    rights, groups = _rights_of(forest), _groups_of(forest)
    controlling = _controlling(forest, rights, groups)
    lent = {computer for computer, user in forest.sessions if user in controlling}
    # Whoever may sign in elsewhere with it, if that directory believes this one.
    further = _synced(world) | _leading(world)
    synced = {account.native_id for account in forest.people if account.person and account.person.number in further}
    found = {}
    for account in forest.accounts:
        own = {account.native_id, *groups[account.native_id]}
        held = {(right, over) for holder, right, over in rights if holder in own}
        admin: Answer = True if account.native_id in controlling else (
            None if account.native_id in lent | synced else False)
        found[account.native_id] = Holding(
            len(held), any(right in _UNBOUNDED for right, _ in held), privileged=admin, admin=admin)
    return found


def _rights_of(forest: Forest) -> set[Right]:
    """Also who administers computers, and domain controllers, to which whoever signs in lends his rights."""
    rights = {(holder, right, account.native_id) for account in forest.accounts
              for holder, right, _ in account.details["aces"]}
    rights |= {(holder, right, forest.sid) for holder, right in forest.over_domain}
    rights |= {(holder.native_id, "AdminTo", computer.native_id) for computer in forest.computers.values()
               for holder in forest.administrators(computer)}
    return rights | {(computer.native_id, "UnconstrainedDelegation", forest.sid)
                     for computer in forest.computers.values() if computer.name.startswith("DC")}


def _groups_of(forest: Forest) -> dict[str, set[str]]:
    """All groups of each, through others too; that of domain controllers is known by its number alone."""
    above: dict[str, set[str]] = defaultdict(set)
    for group in forest.groups.values():
        for one in group.details["members"]:
            above[one.native_id].add(group.native_id)
    for computer in forest.computers.values():
        above[computer.native_id].add(f"{forest.sid}-{516 if computer.name.startswith('DC') else 515}")
    grown = True
    while grown:
        grown = False
        for native, held in list(above.items()):
            further = {group for one in held for group in above.get(one, ())} - held
            above[native] = held | further
            grown |= bool(further)
    return above


def _controlling(forest: Forest, rights: set[Right], groups: dict[str, set[str]]) -> set[str]:
    """Who is an administrator of the domain, may make itself one, or may copy the secrets of everybody."""
    found = {f"{forest.sid}-{number}" for number in (500, 502, 512, 516, 518, 519)} | {
        BUILTIN_ADMINISTRATORS, forest.sid}
    copying = [{holder for holder, right, _ in rights if right == name} for name in _COPIES]
    found |= {account.native_id for account in forest.accounts
              if all({account.native_id, *groups[account.native_id]} & holders for holders in copying)}
    grown = True
    while grown:
        further = {holder for holder, right, over in rights if right in _TAKES_OVER and over in found}
        further |= {one for one, above in groups.items() if above & found}
        grown = bool(further - found)
        found |= further
    return found


# --- GitHub --------------------------------------------------------------------------------------------------------


def _github(world: World) -> dict[str, Holding]:
    """Everybody may write to a repository whose workflows may become the role that deploys everything."""
    graph: Graph | None = world.cast.get("opengraph")
    if graph is None:
        return {}
    return {user.native_id: Holding(1, wildcard=None, privileged=True, admin=True) for user in graph.users}


def _synced(world: World) -> set[int]:
    """Numbers of people who sign in to GitHub with an account of a directory, if that signs them in."""
    graph: Graph | None = world.cast.get("opengraph")
    return {user.person.number for user in graph.users
            if user.person is not None and user.person.login.endswith(f"@{DOMAIN}")} if graph else set()


# --- the directory, seen from on premises --------------------------------------------------------------------------

_LEADING = frozenset({"Helpdesk Administrator", "User Administrator", "Application Administrator"})


def _leading(world: World) -> set[int]:
    """Numbers of people whose cloud account may reset the password of an administrator of all subscriptions, or add a
    credential to the agent that assigns roles, or may be let to."""
    holders = {one.holder for one in world.assignments
               if one.role in _LEADING and not one.software and (one.until is None or one.until > END)}
    return {person.number for person in world.persons if person.declared and person.object_id in holders}


def perhaps(world: World) -> set[str]:
    """Object ids of people who lead to administrators if a password set in the cloud is taken over on premises, or who
    sign in to GitHub, on premises or by their name in the cloud, with an account that a listing shows."""
    forest: Forest | None = world.cast.get("active_directory")
    # A listing of the directory states who is the sponsor of the agent that assigns roles.
    sponsor = {world.persons[0].object_id} if "directory" in world.cast else set()
    leading = _synced(world) if forest is not None or "directory" in world.cast else set()
    if forest is not None:
        controlling = _controlling(forest, _rights_of(forest), _groups_of(forest))
        leading |= {account.person.number for account in forest.people
                    if account.person and account.native_id in controlling}
    return sponsor | {person.object_id for person in world.persons
                      if person.declared and person.left_on is None and person.number in leading}


# --- Identity Center -----------------------------------------------------------------------------------------------


def _identity_center(world: World) -> dict[str, Holding]:
    """Of users who may become the role that administers the account; no log is of the users themselves."""
    center: Center | None = world.cast.get("aws_center")
    if center is None:
        return {}
    holders = {who.native_id for held, who in center.assigned if held.name == "AdministratorAccess"}
    holders |= {user.native_id for group, user in center.members if group.native_id in holders}
    return {native: Holding(0, wildcard=None, privileged=True, admin=True) for native in holders}
