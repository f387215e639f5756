"""The analytics project on Google Cloud: its accounts and role bindings, and the hand that writes down what happens."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from lineage_analytics.simulation.model import END, Account, Decision, Deed, Key, Link, OwnerRow

if TYPE_CHECKING:
    from lineage_analytics.simulation.dice import Dice
    from lineage_analytics.simulation.model import Person, World

AUDIT, ADVICE = "gcp_audit", "gcp_recommender"
PROJECT, NUMBER = "northwind-synthetic-data", "730112233445"
ON_PROJECT = f"projects/{PROJECT}"
BUCKET = "projects/_/buckets/northwind-synthetic-exports"
POOL = f"projects/{NUMBER}/locations/global/workloadIdentityPools/github"
REPOSITORY = f"principal://iam.googleapis.com/{POOL}/subject/repo:northwind-synthetic/infrastructure:ref:refs/heads/main"
AGENT = (f"principal://agents.global.org-556677889900.system.id.goog/resources/aiplatform/projects/{NUMBER}"
         "/locations/europe-west1/reasoningEngines/4402217700113")
ADVISER = f"projects/{NUMBER}/locations/global/recommenders/google.iam.policy.Recommender/recommendations"
INSIGHTS = f"projects/{NUMBER}/locations/global/insightTypes/google.iam.policy.Insight/insights"
_SETS_POLICIES = (("cloudresourcemanager.googleapis.com", "SetIamPolicy"),
                  ("storage.googleapis.com", "storage.setIamPermissions"))
_LAST = END.replace(hour=0, minute=0, second=0)


class Binding(NamedTuple):
    """A role somebody holds on a resource; ``until`` is the end its condition states."""

    over: str
    role: str
    member: str
    until: datetime | None = None


class Change(NamedTuple):
    """A binding given or taken at a moment."""

    time: datetime
    added: bool
    binding: Binding


@dataclass
class Advice:
    """A recommendation to take a role away, with the insight it rests on. ``states`` are those of its snapshots."""

    name: str
    insight: str
    binding: Binding
    instead: str
    states: tuple[tuple[datetime, str], ...]


@dataclass
class Project:
    """Who is there and what changed; the writers of its inventories read it at the end."""

    world: World
    dice: Dice
    team: list[Account] = field(default_factory=list)
    services: dict[str, Account] = field(default_factory=dict)
    others: dict[str, Account] = field(default_factory=dict)
    at_first: list[Binding] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    advice: list[Advice] = field(default_factory=list)
    made_keys: dict[str, str] = field(default_factory=dict)
    """The record of each key's making, by its id."""

    # --- accounts --------------------------------------------------------------------------------------------------

    # The project's inventory lists its service accounts and nobody else, and the log tells every day of them.

    def person(self, person: Person) -> Account:
        return self._add(Account("gcp", "", f"user:{person.login}", person.login, "human", person=person, listed=False))

    def service(self, name: str, shown: str, **more: Any) -> Account:
        """A service account with its number, listed unless said otherwise."""
        made = self._add(Account("gcp", "", "1" + _digits(self.dice, 20), email(name), "service_account",
                                 **{"listed": True, "enabled": True, "logged": True, **more}))
        made.details["shown"] = shown
        self.services.setdefault(name, made)
        return made

    def federated(self, name: str, subject: str, kind: str) -> Account:
        self.others[name] = self._add(Account("gcp", "", subject, subject, kind, listed=False))
        return self.others[name]

    def managed(self, name: str, address: str) -> Account:
        self.others[name] = self._add(Account("gcp", "", f"serviceAccount:{address}", address, "service_account",
                                              listed=False, excluded="provider_managed"))
        return self.others[name]

    def _add(self, account: Account) -> Account:
        self.world.accounts.append(account)
        return account

    def key(self, account: Account, days_ago: int) -> Key:
        made = Key(self.dice.hexadecimal(40), "key", self.day(days_ago, 9, 11))
        account.keys.append(made)
        return made

    def told_key(self, account: Account, key: Key, who: Account, end: datetime | None = None) -> Deed:
        """A key comes to be, or at ``end`` is no more, on record."""
        assert key.created is not None  # noqa: S101  (narrows the type)
        verb, own = "Delete" if end else "Create", f"projects/-/serviceAccounts/{account.native_id}"
        full = f"{ON_PROJECT}/serviceAccounts/{account.name}/keys/{key.key_id}"
        said: dict[str, Any] = {} if end else {"response": {"name": full}}
        made = self.told(deed(
            self.dice, end or key.created, who, "iam.googleapis.com", f"google.iam.admin.v1.{verb}ServiceAccountKey",
            f"{own}/keys/{key.key_id}" if end else own, account=account, **said))
        self.decided(made)
        if end:
            self.world.undo(self.made_keys[key.key_id], made.event_id)
        self.made_keys.setdefault(key.key_id, made.event_id)
        return made

    def owner(self, account: Account, owner: Account, days_ago: int | None, state: str, purpose: str) -> None:
        """A row of the owners' inventory; without ``days_ago`` nobody has ever confirmed it."""
        confirmed = "" if days_ago is None else (END - timedelta(days=days_ago)).date().isoformat()
        self.world.owners.append(OwnerRow(account.ref, owner.name, confirmed, purpose))
        account.owner_state, account.purpose = state, purpose

    # --- what happens ----------------------------------------------------------------------------------------------

    def day(self, back: int, first: float, last: float) -> datetime:
        return self.dice.moment(_LAST - timedelta(days=back), first, last)

    def told(self, made: Deed) -> Deed:
        self.world.deeds.append(made)
        return made

    def decided(self, made: Deed, *, involvement: str = "none", initiator: str = "proved",
                rollback: str = "unknown") -> None:
        """A change that took effect: no source of approvals is loaded, and no way back is known for its operation."""
        self.world.decisions.append(Decision(made.event_id, made.time, made.action, involvement, initiator=initiator,
                                             approver="unknown", rollback=rollback, provider="gcp"))

    def policy(self, time: datetime, who: Account, given: tuple[Binding, ...] = (), taken: tuple[Binding, ...] = (), *,
               refused: bool = False, involvement: str = "none", initiator: str = "proved",
               chain: tuple[Account, ...] = ()) -> Deed:
        """A new policy for a resource: each binding given or taken is a decision of its own."""
        over = (given + taken)[0].over
        deltas = [*(("ADD", b) for b in given), *(("REMOVE", b) for b in taken)]
        service, method = _SETS_POLICIES["_" in over]
        made = self.told(deed(self.dice, time, who, service, method, over, chain=chain,
                              deltas=[] if refused else deltas, outcome="denied" if refused else "success"))
        for action, binding in () if refused else deltas:
            self.changes.append(Change(time, action == "ADD", binding))
            self.decided(made, involvement=involvement, initiator=initiator,
                         rollback="proved" if action == "ADD" and binding.until else "unknown")
        return made

    def link(self, source: Deed | str, target: Deed | str, rel: str, *, provable: bool) -> None:
        first, second = (end.event_id if isinstance(end, Deed) else end for end in (source, target))
        self.world.links.append(Link(first, second, rel, provable))

    def bindings(self) -> list[Binding]:
        """Those in force at the end."""
        held = dict.fromkeys(self.at_first)
        for change in sorted(self.changes, key=lambda c: (c.time, c.binding.role, c.binding.member)):
            if change.added:
                held[change.binding] = None
            else:
                held.pop(change.binding, None)
        return list(held)


def email(name: str) -> str:
    return f"{name}@{PROJECT}.iam.gserviceaccount.com"


def member(account: Account) -> str:
    """As role bindings name an account."""
    return account.native_id if ":" in account.native_id else f"serviceAccount:{account.name}"


def deed(dice: Dice, time: datetime, who: Account, service: str, method: str, resource: str, *,
         outcome: str = "success", **details: Any) -> Deed:
    """A call of a service of Google Cloud."""
    return Deed(time, AUDIT, dice.base32(13).lower(), who, method, outcome,
                {"service": service, "resource": resource, **details})


def _digits(dice: Dice, count: int) -> str:
    return "".join(str(dice.whole(0, 9)) for _ in range(count))
