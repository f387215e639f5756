"""Subscriptions of Azure: what there is, and who holds which role over it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from lineage_analytics.simulation.model import END, Account, Assignment
from lineage_analytics.simulation.names import group_id

if TYPE_CHECKING:
    from lineage_analytics.simulation.dice import Dice
    from lineage_analytics.simulation.model import Person, World

MIDNIGHT = END.replace(hour=0, minute=0, second=0)
ROLES = {
    "Owner": "8e3af657-a8ff-443c-a75c-2fe8c4bcb635", "Contributor": "b24988ac-6180-42a0-ab88-20f7382dd24c",
    "Reader": "acdd72a7-3385-48ef-bd42-f606fba81ae7",
    "User Access Administrator": "18d7d88d-d35e-4fb5-a5c3-7773c20a72d9",
    "Key Vault Secrets User": "4633458b-17de-408a-b874-0445c86b69e6",
}


@dataclass(frozen=True)
class Held:
    """A role somebody holds over a scope. ``sort``: User, Group, ServicePrincipal."""

    name: str
    holder: str
    label: str
    sort: str
    role: str
    scope: str
    since: datetime
    by: str


@dataclass
class Activation:
    """An eligible role, activated for some hours after an approval."""

    request_id: str
    stage_id: str
    person: Person
    approver: Person
    asked: datetime
    approved: datetime
    event_id: str
    correlation: str

    @property
    def noted(self) -> datetime:
        """When the request says it was made: just after the log's whole second."""
        return self.asked + timedelta(milliseconds=330)

    @property
    def started(self) -> datetime:
        return self.approved + timedelta(seconds=6)


@dataclass
class Azure:
    """The cast. Assignments over ``production`` are also listed with whether they end; ``sandbox`` has plain ones."""

    production: str
    sandbox: str
    vault: str
    storage: str
    terraform: Account
    app_id: str
    engineers: list[Person]
    night: datetime
    held: list[Held] = field(default_factory=list)
    eligible: list[Held] = field(default_factory=list)
    activations: list[Activation] = field(default_factory=list)


def founded(world: World, dice: Dice) -> Azure:
    """Two subscriptions, a vault, a storage account and an application that nobody lists and that deploys to both."""
    production, sandbox = (f"/subscriptions/{dice.guid()}" for _ in range(2))
    group = f"{production}/resourceGroups/ledger-synthetic/providers"
    terraform = Account("entra", world.tenant, dice.guid(), "terraform (synthetic)", "app", listed=False, logged=True)
    world.accounts.append(terraform)
    staff = [p for p in world.persons if p.left_on is None and not p.admin_id]
    engineers = [p for p in staff if p.department in ("Engineering", "Operations")][:6] or staff[:3]
    made = Azure(production, sandbox, f"{group}/Microsoft.KeyVault/vaults/kv-ledger",
                 f"{group}/Microsoft.Storage/storageAccounts/stledger", terraform, dice.guid(), engineers,
                 MIDNIGHT - timedelta(days=17))
    _roles(world, dice, made)
    return made


def hold(
    world: World, made: Azure, name: str, holder: Person | Account | str, role: str, scope: str, since: datetime,
    by: str, *, admin: bool = False,
) -> None:
    """An assignment. Whether it ends is on record over production alone."""
    if isinstance(holder, Account):
        row = Held(name, holder.native_id, holder.name, "ServicePrincipal", role, scope, since, by)
    elif isinstance(holder, str):
        row = Held(name, holder, "Operations (synthetic)", "Group", role, scope, since, by)
    else:
        native, login = (holder.admin_id, holder.admin_login) if admin else (holder.object_id, holder.login)
        row = Held(name, native, login, "User", role, scope, since, by)
    made.held.append(row)
    if not isinstance(holder, str):
        world.assignments.append(Assignment(
            row.holder, role, "standing" if scope == made.production else "unknown", over=scope.lower(),
            software=isinstance(holder, Account)))


def _roles(world: World, dice: Dice, made: Azure) -> None:
    admins = [p for p in world.persons if p.admin_id]

    def ago() -> datetime:
        return dice.moment(MIDNIGHT - timedelta(days=dice.whole(160, 800)), 8, 16)

    hold(world, made, dice.guid(), made.terraform, "Contributor", made.production, ago(), admins[0].admin_id)
    hold(world, made, dice.guid(), made.terraform, "Owner", made.sandbox, ago(), admins[0].admin_id)
    hold(world, made, dice.guid(), group_id("Operations"), "Reader", made.production, ago(), admins[0].admin_id)
    for person in made.engineers[:3]:
        hold(world, made, dice.guid(), person, "Contributor", made.sandbox, ago(), admins[0].admin_id)
    hold(world, made, dice.guid(), made.engineers[0], "Reader", made.production, ago(), admins[0].admin_id)
    for person in admins[1:3]:
        made.eligible.append(Held(dice.guid(), person.admin_id, person.admin_login, "User", "Owner", made.production,
                                  ago(), admins[0].admin_id))
        world.assignments.append(Assignment(person.admin_id, "Owner", "eligible", over=made.production.lower()))
