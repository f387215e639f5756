"""The organisation's own cluster: software at work, roles bound, certificates approved, and one night."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from lineage_analytics.simulation.chapters._kubernetes_cluster import (
    CERTIFICATES,
    LOST,
    RBAC,
    Cluster,
    Subject,
    call,
    service,
    user,
)
from lineage_analytics.simulation.model import END, Deed, Key, Story

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lineage_analytics.simulation.dice import Dice
    from lineage_analytics.simulation.model import Account, World

_CSR = "certificatesigningrequests"
_MANAGER, _BREAK_GLASS = "system:kube-controller-manager", "kubernetes-admin"
_NODES = tuple(f"system:node:nws-node-{number}" for number in (1, 2, 3))
_FOUNDED = END.replace(hour=8, minute=20, second=0) - timedelta(days=610)
_SERVICES = (("argocd", "argocd-application-controller"), ("data", "orders-etl"), ("data", "feature-store"),
             ("monitoring", "prometheus"), ("ingress", "ingress-nginx"))


def begin(world: World, dice: Dice) -> None:
    """Users, service accounts and nodes; then what was bound, signed and done in the last weeks."""
    cluster = Cluster(world, dice)
    world.cast["k8s"] = cluster
    able = [p for p in world.persons if p.declared and p.left_on is None]
    chosen = [p for p in able if p.department in ("Operations", "Engineering")]
    cluster.people = [cluster.person(p) for p in [*chosen, *(p for p in able if p not in chosen)][:5]]
    for name in _NODES:
        cluster.other(name, "workload")
    cluster.other(_MANAGER, "workload", excluded="provider_managed")
    cluster.other(_BREAK_GLASS, "unknown")
    _at_first(cluster)
    _owners(cluster)
    _bindings_of_teams(cluster)
    _new_application(cluster)
    _certificates(cluster)
    _impersonation(cluster)
    _tokens(cluster)
    _night(cluster)


def _at_first(cluster: Cluster) -> None:
    for namespace, name in _SERVICES:
        made = cluster.service(namespace, name, _FOUNDED + timedelta(minutes=len(cluster.services)))
        assert made.created is not None  # noqa: S101  (narrows the type)
        cluster.thing("ServiceAccount", name, namespace, made.created)
    for role, rules in (("cluster-admin", [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]),
                        ("view", [{"apiGroups": ["", "apps"], "resources": ["pods", "deployments"],
                                   "verbs": ["get", "list", "watch"]}]),
                        ("edit", [{"apiGroups": ["", "apps", "batch"], "resources": ["pods", "deployments", "jobs"],
                                   "verbs": ["create", "delete", "get", "list", "patch", "update"]}])):
        cluster.thing("ClusterRole", role, "", _FOUNDED, built_in=True, rules=rules)
    cluster.thing("Role", "reads-its-config", "data", _FOUNDED, rules=[
        {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"]}])
    masters = Subject("Group", "system:masters")
    cluster.binding("cluster-admin", "", _FOUNDED, "cluster-admin", (masters,), built_in=True)
    services, people = cluster.services, cluster.people
    cluster.binding("argocd", "", _FOUNDED, "cluster-admin", (service(services["argocd-application-controller"]),))
    cluster.binding("prometheus", "", _FOUNDED, "view", (service(services["prometheus"]),))
    cluster.binding("etl", "data", _FOUNDED, "edit", (service(services["orders-etl"]), service(
        services["feature-store"])))
    cluster.binding("platform-team", "", _FOUNDED, "cluster-admin", (user(people[0]), user(people[1])))


def _owners(cluster: Cluster) -> None:
    services, people = cluster.services, cluster.people
    cluster.owner(services["argocd-application-controller"], people[0], 45, "true", "Applies what is in the repository")
    cluster.owner(services["orders-etl"], people[1], 500, "false", "Moves orders")
    cluster.owner(services["feature-store"], people[2], None, "unknown", "Serves features to models")
    cluster.world.stories.append(Story(
        "k8s_deployer_is_cluster_admin", "argocd-application-controller is cluster-admin by a binding of 610 days.",
        [services["argocd-application-controller"].native_id],
        "Its permissions are not worked out; the binding stands among the grants.", ["PRV-01"]))


def _bindings_of_teams(cluster: Cluster) -> None:
    """People of the platform team let colleagues into namespaces, and take some of it back; one tries without right."""
    people = cluster.people
    for number, back in enumerate(back for back in (5, 12, 20, 33, 62, 96) if back < cluster.world.days):
        who, other = people[number % 2], people[2 + number % (len(people) - 2)]
        bound = cluster.binding(f"{other.name.partition('@')[0]}-{back}", ("data", "monitoring", "ingress")[number % 3],
                                cluster.day(back, 8, 15), ("edit", "view")[number % 2], (user(other),))
        made = cluster.made(who, bound)
        cluster.decided(made)
        if number % 3 == 1:
            gone = cluster.removed(people[0], bound, bound.created + timedelta(hours=5, minutes=number))
            cluster.decided(gone)
            cluster.world.undo(made.event_id, gone.event_id)
    cluster.told(call(cluster.dice, cluster.day(9, 13, 14), people[3], "create", "clusterrolebindings", "",
                      "quick-test", RBAC, code=403))


def _new_application(cluster: Cluster) -> None:
    """The deployer makes an account and binds it a role; who merged that is on no record of the cluster."""
    deployer = cluster.services["argocd-application-controller"]
    account = cluster.service("data", "lookup", cluster.day(26, 10, 11))
    cluster.owner(account, cluster.people[1], 26, "true", "Looks up customers for the order pipeline")
    assert account.created is not None  # noqa: S101  (narrows the type)
    for thing in (cluster.thing("ServiceAccount", "lookup", "data", account.created),
                  cluster.binding("lookup", "data", account.created + timedelta(seconds=3), "view",
                                  (service(account),))):
        cluster.decided(cluster.made(deployer, thing), involvement="none")


def _certificates(cluster: Cluster) -> None:
    """A client certificate asked for, approved by a colleague and signed; one denied; a node's, let through by rule."""
    people, manager = cluster.people, cluster.others[_MANAGER]
    asked, agreed, signed = _signing(cluster, cluster.day(13, 9, 12), people[2], people[0])
    cluster.decided(signed, involvement="none", initiator="proved")
    _signing(cluster, cluster.day(16, 9, 12), people[4], people[1], agreed=False)
    _, _, by_rule = _signing(cluster, cluster.day(6, 3, 5), cluster.others[_NODES[1]], manager)
    cluster.decided(by_rule, involvement="none", initiator="proved", approver="missing", approved="missing")
    cluster.world.stories.append(Story(
        "k8s_certificate_approved", f"{people[2].name} asked for a client certificate, {people[0].name} approved it, "
        "the control plane signed it.", [asked.event_id, agreed.event_id, signed.event_id],
        "The three calls are one case; that the approver is a person is not proved by a user name.", ["LIN-05"]))


def _signing(cluster: Cluster, at: datetime, who: Account, approver: Account, *, agreed: bool = True) -> list[Deed]:
    """Request, answer and, when agreed, the signing; with what links them."""
    name = f"csr-{cluster.dice.base32(5).lower()}"
    manager = cluster.others[_MANAGER]
    condition = {"type": "Approved" if agreed else "Denied", "status": "True", "reason": "KubectlApprove"}

    def step(seconds: int, by: Account, verb: str, sub: str, code: int, body: dict[str, Any]) -> Deed:
        return cluster.told(call(cluster.dice, at + timedelta(seconds=seconds), by, verb, _CSR, "", name, CERTIFICATES,
                                 sub=sub, code=code, request={"metadata": {"name": name}, **body}))

    dwell = 2 if approver is manager else 1500
    asked = step(0, who, "create", "", 201, {"spec": {"signerName": "kubernetes.io/kube-apiserver-client",
                                                      "usages": ["client auth"]}})
    answer = step(dwell, approver, "update", "approval", 200, {"status": {"conditions": [condition]}})
    cluster.link(answer, asked, "about", provable=True)
    if not agreed:
        return [asked, answer]
    signed = step(dwell + 4, manager, "update", "status", 200, {"status": {"conditions": [condition]}})
    cluster.link(signed, asked, "requested_by", provable=True)
    cluster.link(signed, answer, "authorised_by", provable=True)
    return [asked, answer, signed]


def _impersonation(cluster: Cluster) -> None:
    """Somebody who may impersonate acts as the deployer."""
    who, deployer = cluster.people[1], cluster.services["argocd-application-controller"]
    bound = cluster.binding("hotfix", "ingress", cluster.day(4, 17, 18), "edit", (user(cluster.people[4]),))
    made = cluster.made(who, bound, acting_as=deployer)
    cluster.decided(made, involvement="none", initiator="proved")
    software, own = cluster.services["orders-etl"], cluster.binding(
        "synced", "data", cluster.day(3, 1, 4), "view", (service(cluster.services["feature-store"]),))
    synced = cluster.made(deployer, own, acting_as=software)
    cluster.decided(synced, involvement="none")
    cluster.world.stories.append(Story(
        "k8s_acting_as_the_deployer", f"{who.name} called with --as the deployer to let a colleague into a namespace.",
        [made.event_id, deployer.native_id],
        "The change names the deployer as the one whose rights decided and the user it was for.", ["LIN-01"]))
    cluster.world.stories.append(Story(
        "k8s_deployer_acting_as_an_application", f"The deployer called as {software.name} to bind a role, at night.",
        [synced.event_id, software.native_id],
        "The change was made by software for other software: who set it off is unknown.", ["LIN-01"]))


def _tokens(cluster: Cluster) -> None:
    """Two tokens asked for by hand: one for an hour, one for a season, which still works."""
    who, account = cluster.people[0], cluster.services["prometheus"]
    told = []
    for back, lasts in ((15, timedelta(hours=1)), (10, timedelta(days=90))):
        at, token = cluster.day(back, 9, 12), f"JTI={cluster.dice.guid()}"
        until = at + lasts
        made = cluster.told(call(
            cluster.dice, at, who, "create", "serviceaccounts", account.details["namespace"], account.name, sub="token",
            code=201, issued=token, request={"spec": {"expirationSeconds": int(lasts.total_seconds())}},
            response={"status": {"expirationTimestamp": until.strftime("%Y-%m-%dT%H:%M:%SZ")}}))
        cluster.decided(made)
        told += [token, made.event_id]
        if until > END:
            account.keys.append(Key(token, "token", at, expires=until))
    cluster.world.stories.append(Story(
        "k8s_token_for_a_season", f"{who.name} had two tokens of {account.name} made, for an hour and for 90 days.",
        told, "The longer one stands among the credentials in force, the shorter one has ended.", ["VIS-07", "VIS-08"]))


def _night(cluster: Cluster) -> None:
    """Break-glass credentials make a service account cluster-admin at night, read every secret and clean up."""
    who, account = cluster.others[_BREAK_GLASS], cluster.services["feature-store"]
    bound = cluster.binding("tmp-fix", "", cluster.day(8, 2, 2.9), "cluster-admin", (service(account),))
    made = cluster.made(who, bound)
    read = cluster.told(call(cluster.dice, made.time + timedelta(minutes=9), account, "list", "secrets"))
    gone = cluster.removed(who, bound, made.time + timedelta(minutes=38))
    for change in (made, gone):
        cluster.decided(change)
    cluster.world.undo(made.event_id, gone.event_id)
    cluster.world.stories.append(Story(
        "k8s_cluster_admin_for_38_minutes", f"{_BREAK_GLASS} made {account.name} cluster-admin at night; it listed "
        "every secret of the cluster, then the binding was deleted. No listing shows it.",
        [made.event_id, read.event_id, gone.event_id],
        "Both changes are listed with a caller of unknown kind; only the log has the grant.", ["ACC-01"]))


# --- every day -----------------------------------------------------------------------------------------------------


def day(world: World, day: datetime, dice: Dice) -> Iterator[Deed]:
    """Software at its work, nodes, people looking at pods; nothing of the days that were lost."""
    if (END - day).days in LOST:
        return
    cluster: Cluster = world.cast["k8s"]
    services = cluster.services
    yield call(dice, dice.moment(day), services["argocd-application-controller"], "patch", "deployments", "data",
               dice.pick(("lookup", "orders-etl")), "apps")
    yield call(dice, dice.moment(day), services["prometheus"], "list", "nodes")
    yield call(dice, dice.moment(day, 1, 3), services["orders-etl"], "create", "jobs", "data", f"orders-{day:%Y%m%d}",
               "batch", code=201)
    yield call(dice, dice.moment(day), cluster.others[dice.pick(_NODES)], "patch", "nodes", "", "nws-node-1",
               sub="status")
    if dice.chance(0.4):
        yield call(dice, dice.moment(day), services["feature-store"], "get", "configmaps", "data", "features")
    if dice.chance(0.3):
        yield call(dice, dice.moment(day), cluster.others[_MANAGER], "update", "endpoints", "data", "lookup")
    for person in cluster.people if day.weekday() < 5 else ():
        if dice.chance(0.2):
            yield _look(dice, dice.moment(day, 7, 16), person)


def _look(dice: Dice, time: datetime, who: Account) -> Deed:
    verb, resource, name, sub = dice.weighted((
        (("list", "pods", "", ""), 5.0), (("get", "pods", "lookup-0", "log"), 3.0),
        (("create", "pods", "lookup-0", "exec"), 1.0), (("get", "secrets", "orders-db", ""), 0.6)))
    return call(dice, time, who, verb, resource, "data", name, sub=sub, code=403 if resource == "secrets" else 200)
