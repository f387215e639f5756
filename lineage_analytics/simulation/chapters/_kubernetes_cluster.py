"""The organisation's own cluster: its accounts and role bindings, and the hand that writes down what is called."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from lineage_analytics.simulation.model import END, Account, Decision, Deed, Link, OwnerRow

if TYPE_CHECKING:
    from datetime import datetime

    from lineage_analytics.simulation.dice import Dice
    from lineage_analytics.simulation.model import Person, World

AUDIT = "k8s_audit"
CLUSTER = "nws-synthetic-own-01"
RBAC, CERTIFICATES = "rbac.authorization.k8s.io", "certificates.k8s.io"
LOST = (44, 45)
"""Days before the end whose audit files were rotated away before anybody shipped them."""
_LAST = END.replace(hour=0, minute=0, second=0)


class Subject(NamedTuple):
    kind: str
    name: str
    namespace: str = ""


@dataclass
class Thing:
    """An object of the cluster that says who may do what; ``holds`` are the parts that only its kind has."""

    kind: str
    name: str
    namespace: str
    created: datetime
    uid: str
    holds: dict[str, Any] = field(default_factory=dict)
    built_in: bool = False


@dataclass
class Cluster:
    """Who is there and what stands at the end; the writer of the listing reads it."""

    world: World
    dice: Dice
    people: list[Account] = field(default_factory=list)
    services: dict[str, Account] = field(default_factory=dict)
    others: dict[str, Account] = field(default_factory=dict)
    things: list[Thing] = field(default_factory=list)

    # --- accounts --------------------------------------------------------------------------------------------------

    def person(self, person: Person) -> Account:
        """A user of the identity provider: a name, which proves no kind."""
        return self._add(Account("k8s", "", f"oidc:{person.login}", person.login, "unknown", person=person))

    def service(self, namespace: str, name: str, created: datetime) -> Account:
        made = self._add(Account("k8s", "", f"system:serviceaccount:{namespace}:{name}", name, "service_account",
                                 listed=True, created=created, details={"namespace": namespace}))
        self.services[name] = made
        return made

    def other(self, name: str, kind: str, *, excluded: str = "") -> Account:
        self.others[name] = self._add(Account("k8s", "", name, name, kind, excluded=excluded))
        return self.others[name]

    def _add(self, account: Account) -> Account:
        account.logged = self.world.days - 1 not in LOST
        self.world.accounts.append(account)
        return account

    def owner(self, account: Account, owner: Account, days_ago: int | None, state: str, purpose: str) -> None:
        confirmed = "" if days_ago is None else (END - timedelta(days=days_ago)).date().isoformat()
        self.world.owners.append(OwnerRow(account.ref, owner.name, confirmed, purpose))
        account.owner_state, account.purpose = state, purpose

    # --- objects ---------------------------------------------------------------------------------------------------

    def thing(self, kind: str, name: str, namespace: str, created: datetime, *, built_in: bool = False,
              **holds: Any) -> Thing:
        made = Thing(kind, name, namespace, created, self.dice.guid(), holds, built_in)
        self.things.append(made)
        return made

    def binding(self, name: str, namespace: str, created: datetime, role: str, subjects: tuple[Subject, ...], *,
                built_in: bool = False) -> Thing:
        """A role binding, of the whole cluster when it has no namespace."""
        kind = "RoleBinding" if namespace else "ClusterRoleBinding"
        return self.thing(kind, name, namespace, created, built_in=built_in, roleRef={
            "apiGroup": RBAC, "kind": "ClusterRole", "name": role}, subjects=[_subject(s) for s in subjects])

    # --- what happens ----------------------------------------------------------------------------------------------

    def day(self, back: int, first: float, last: float) -> datetime:
        return self.dice.moment(_LAST - timedelta(days=back), first, last)

    def told(self, made: Deed) -> Deed:
        self.world.deeds.append(made)
        return made

    def made(self, who: Account, thing: Thing, *, acting_as: Account | None = None) -> Deed:
        """The call that made an object: the body stands in the request, and with its number in the answer."""
        return self.told(call(self.dice, thing.created, who, "create", *_place(thing), code=201, acting_as=acting_as,
                              request=as_object(thing, bare=True), response=as_object(thing)))

    def removed(self, who: Account, thing: Thing, time: datetime) -> Deed:
        self.things.remove(thing)
        return self.told(call(self.dice, time, who, "delete", *_place(thing)))

    def decided(self, made: Deed, *, involvement: str = "unknown", initiator: str = "unknown",
                approver: str = "unknown", approved: str = "unknown") -> None:
        """A change that took effect. A user name proves no kind: whether a person acted is then on no record."""
        about = "/".join(part for part in (made.details["resource"], made.details["sub"]) if part)
        self.world.decisions.append(Decision(
            made.event_id, made.time, f"{made.action} {about}", involvement, initiator=initiator, approver=approver,
            rollback="unknown", provider="k8s", approved=approved, by_policy=approved == "missing"))

    def link(self, source: Deed, target: Deed, rel: str, *, provable: bool) -> None:
        self.world.links.append(Link(source.event_id, target.event_id, rel, provable))


def _subject(subject: Subject) -> dict[str, str]:
    stated = {"kind": subject.kind, "name": subject.name}
    if subject.kind == "ServiceAccount":
        return stated | {"namespace": subject.namespace}
    return stated | {"apiGroup": RBAC}


def user(account: Account) -> Subject:
    return Subject("User", account.native_id)


def service(account: Account) -> Subject:
    return Subject("ServiceAccount", account.name, account.details["namespace"])


def _place(thing: Thing) -> tuple[str, str, str, str]:
    """Resource, namespace, name and API group of an object."""
    return thing.kind.lower() + "s", thing.namespace, thing.name, "" if thing.kind == "ServiceAccount" else RBAC


def as_object(thing: Thing, *, bare: bool = False) -> dict[str, Any]:
    """An object as the API writes it; ``bare``: as it was sent, before it had a number and a time."""
    meta: dict[str, Any] = {"name": thing.name} | ({"namespace": thing.namespace} if thing.namespace else {})
    if not bare:
        meta |= {"uid": thing.uid, "creationTimestamp": thing.created.strftime("%Y-%m-%dT%H:%M:%SZ"),
                 "resourceVersion": str(1_000 + int(thing.uid[:6], 16))}
    meta["labels"] = {"kubernetes.io/bootstrapping": "rbac-defaults"} if thing.built_in else {
        "app.kubernetes.io/part-of": "northwind-synthetic"}
    version = "v1" if thing.kind == "ServiceAccount" else f"{RBAC}/v1"
    return {"apiVersion": version, "kind": thing.kind, "metadata": meta, **thing.holds}


def call(dice: Dice, time: datetime, who: Account, verb: str, resource: str, namespace: str = "", name: str = "",
         group: str = "", *, sub: str = "", code: int = 200, acting_as: Account | None = None, **details: Any) -> Deed:
    """A request to the API server. The one impersonated is who acts; the caller stands beside."""
    outcome = "denied" if code == 403 else "success"
    return Deed(time, AUDIT, dice.guid(), acting_as or who, verb, outcome, {
        "resource": resource, "namespace": namespace, "name": name, "group": group, "sub": sub, "code": code,
        "caller": who, "impersonated": acting_as is not None, **details})
