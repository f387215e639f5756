"""Who is in the directory besides people: applications and their principals, managed identities, agents, groups."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from lineage_analytics.simulation import names
from lineage_analytics.simulation.model import DOMAIN, END, Account, Key, OwnerRow

if TYPE_CHECKING:
    from datetime import datetime

    from lineage_analytics.simulation.dice import Dice
    from lineage_analytics.simulation.model import Person, World

MIDNIGHT = END.replace(hour=0, minute=0, second=0)
GRAPH = "00000003-0000-0000-c000-000000000000"
"""The application id of Microsoft Graph, the same in every directory."""
APP_ROLES = {
    "User.ReadWrite.All": "741f803b-c850-494e-b5df-cde7c675a1ca",
    "User.Read.All": "df021288-bdef-4463-88db-98f22de89214",
    "Mail.Read": "810c84a8-4a9e-49e6-bf7d-12d183f40d01",
    "Sites.FullControl.All": "a82116e5-55eb-4c41-a434-62fe8a61c773",
    "RoleManagement.ReadWrite.Directory": "9e3f62cf-ca93-4989-b6ce-bf83c28f9fe8",
}


@dataclass
class App:
    """An application: its principal, which signs in, and its registration, which mostly holds the keys."""

    name: str
    app_id: str
    principal: Account
    registration: Account | None
    rhythm: str = ""
    """Working days on which the principal signs in: daily, weekday, weekly; empty: never."""
    owner: Person | None = None
    """Whom the registration names."""
    federated: str = ""
    """Id of the credential by which it signs in with tokens of a code host."""
    roles: tuple[str, ...] = ()
    """Application permissions of Microsoft Graph."""

    @property
    def key(self) -> Key | None:
        """The key it signs in with: the newest."""
        held = [*(self.registration.keys if self.registration else ()), *self.principal.keys]
        return held[-1] if held else None


@dataclass(frozen=True)
class Consent:
    """What an application may do for users; ``whom`` None: for everybody."""

    grant_id: str
    app: App
    scope: str
    whom: Person | None = None


@dataclass
class Directory:
    """The cast; groups and their owners by the name of the site."""

    apps: dict[str, App]
    managed: list[Account]
    graph: Account
    blueprint: Account
    blueprint_principal: Account
    orphan: Account
    groups: dict[str, Account]
    group_owners: dict[str, Person]
    employee_since: dict[int, datetime]
    consents: list[Consent] = field(default_factory=list)

    @property
    def accounts(self) -> list[Account]:
        own = [a for app in self.apps.values() for a in (app.principal, app.registration) if a is not None]
        return [*own, *self.managed, self.graph, self.blueprint, self.blueprint_principal, self.orphan,
                *self.groups.values()]


def cast(world: World, dice: Dice) -> Directory:
    """Everybody, with keys and with owners as the export or the customer's list has them."""
    made = Directory(_apps(world, dice), _managed(world, dice), *_agents(world, dice), *_groups(world, dice),
                     {p.number: _ago(dice, 150, 2600) for p in world.persons})
    helper = made.apps["Meeting Notes Helper"]
    staff = active(world)
    made.consents = [
        Consent(_grant_id(dice), helper, "Mail.ReadWrite Files.ReadWrite.All Directory.AccessAsUser.All "
                "offline_access openid profile"),
        Consent(_grant_id(dice), made.apps["Staff Portal"], "User.Read openid profile"),
        *(Consent(_grant_id(dice), made.apps["Ticket Bridge"], "Mail.Read User.Read", who) for who in staff[8:11]),
    ]
    world.accounts += made.accounts
    return made


def active(world: World) -> list[Person]:
    """People on the list who are still there."""
    return [p for p in world.persons if p.declared and p.left_on is None]


def _ago(dice: Dice, low: int, high: int) -> datetime:
    return dice.moment(MIDNIGHT - timedelta(days=dice.whole(low, high)), 7, 17)


def _grant_id(dice: Dice) -> str:
    return dice.base32(20) + dice.hexadecimal(20)


def _entra(world: World, dice: Dice, name: str, kind: str, created: datetime, **more: object) -> Account:
    return Account("entra", world.tenant, dice.guid(), f"{name} (synthetic)", kind, listed=True, created=created,
                   logged=True, **more)  # type: ignore[arg-type]


def _secret(dice: Dice, made: int | None, days: int = 730) -> Key:
    """A secret made so many days ago; None: its listing states no beginning."""
    created = None if made is None else _ago(dice, made, made)
    return Key(dice.guid(), "secret", created, expires=(created or MIDNIGHT) + timedelta(days=days))


def _cert(dice: Dice, made: int, days: int) -> Key:
    created = _ago(dice, made, made)
    return Key(dice.guid(), "cert", created, expires=created + timedelta(days=days))


def _app(
    world: World, dice: Dice, name: str, keys: list[Key], rhythm: str = "", *, owner: Person | None = None,
    created: datetime | None = None, roles: tuple[str, ...] = (), registered: bool = True, federated: bool = False,
    enabled: bool = True,
) -> App:
    """Keys lie on the registration; on the principal itself where another directory has the registration."""
    born = created or _ago(dice, 900, 1500)
    registration = _entra(world, dice, name, "app", born) if registered else None
    principal = _entra(world, dice, name, "app", born + timedelta(seconds=2), enabled=enabled)
    if registration is not None:
        registration.excluded = "registration"
    holder = registration or principal
    holder.keys = keys
    if registration is not None and owner is not None and owner.left_on is None:
        registration.owner_state = "unknown"  # named in the export, which knows no confirmation
    return App(name, dice.guid(), principal, registration, rhythm, owner, dice.guid() if federated else "", roles)


def _apps(world: World, dice: Dice) -> dict[str, App]:
    staff = active(world)
    left = next((p for p in world.persons if p.left_on is not None), None)
    made = [
        _app(world, dice, "Staff Portal", [_secret(dice, 709)], owner=staff[6]),
        _app(world, dice, "HR Sync", [_cert(dice, 200, 365)], "weekday", owner=staff[4],
             roles=("User.ReadWrite.All",)),
        _app(world, dice, "Invoice Export", [_secret(dice, 1050, 1095)], "weekly", owner=left,
             roles=("Mail.Read", "User.Read.All")),
        _app(world, dice, "Ticket Bridge", [_secret(dice, 800), _secret(dice, 30, 180)], "weekly"),
        _app(world, dice, "Meeting Notes Helper", [_secret(dice, None)], owner=staff[9]),
        _app(world, dice, "Old Newsletter", [_cert(dice, 660, 365)], roles=("Sites.FullControl.All",)),
        _app(world, dice, "Deploy Bot", [], "weekday", owner=staff[5], federated=True),
        _app(world, dice, "Legacy Importer", [_secret(dice, 500)], registered=False, enabled=False),
        _app(world, dice, "Ledger CRM", [], registered=False),
        _app(world, dice, "Pilot Bot", [_secret(dice, 20, 90)], "daily", created=_ago(dice, 21, 21)),
    ]
    found = {app.name: app for app in made}
    world.cast["ledger_crm"] = found["Ledger CRM"].principal.native_id
    _own(world, found["HR Sync"].principal, staff[4], 40, "Keeps accounts in step with personnel (synthetic)")
    _own(world, found["Staff Portal"].principal, staff[6], 130, "Start page of the staff (synthetic)")
    _own(world, found["Ticket Bridge"].principal, staff[7], 610, "Puts mail into tickets (synthetic)")
    return found


def _own(world: World, account: Account, owner: Person, age_days: int, purpose: str) -> None:
    """A row of the customer's list of owners, confirmed so many days before the end."""
    confirmed = (END - timedelta(days=age_days)).date().isoformat()
    world.owners.append(OwnerRow(account.ref, owner.login, confirmed, purpose))
    account.owner_state, account.purpose = "true" if age_days <= 365 else "false", purpose


def _managed(world: World, dice: Dice) -> list[Account]:
    """One of a machine, which acts every day, and one of a function."""
    subscription = f"/subscriptions/{dice.guid()}/resourcegroups/reports-synthetic/providers"
    hosts = ((f"{subscription}/Microsoft.Compute/virtualMachines/vm-reports", "vm-reports", False),
             (f"{subscription}/Microsoft.ManagedIdentity/userAssignedIdentities/func-archive", "func-archive", True))
    made = [_entra(world, dice, name, "workload", _ago(dice, 200, 900), enabled=True,
                   details={"host": host, "explicit": explicit, "app_id": dice.guid()})
            for host, name, explicit in hosts]
    _own(world, made[0], active(world)[5], 75, "Writes the nightly reports (synthetic)")
    return made


def _agents(world: World, dice: Dice) -> tuple[Account, Account, Account, Account]:
    """Microsoft Graph; the blueprint the agent was made from, and its principal; a user whose agent is gone."""
    graph = _entra(world, dice, "Microsoft Graph", "app", _ago(dice, 2600, 2600), excluded="provider_managed")
    graph.name = "Microsoft Graph"
    born = _ago(dice, 300, 500)
    blueprint = _entra(world, dice, "Access Assistant blueprint", "app", born,
                       details={"app_id": dice.guid(), "federated": dice.guid()})
    blueprint.excluded = "registration"
    principal = _entra(world, dice, "Access Assistant blueprint", "ai_agent", born + timedelta(seconds=3),
                       enabled=True)
    orphan = _entra(world, dice, "Release Notes Agent", "ai_agent", _ago(dice, 200, 260), enabled=True, details={
        "login": f"release.notes.agent@{DOMAIN}", "parent": dice.guid()})
    world.agents[0].logged = True
    return graph, blueprint, principal, orphan


def _groups(world: World, dice: Dice) -> tuple[dict[str, Account], dict[str, Person]]:
    """A group for each site, and who owns it; nobody owns that of the board."""
    staff = active(world)
    groups = {site: Account("entra", world.tenant, names.group_id(site), f"{site} (synthetic)", "group", listed=True,
                            created=_ago(dice, 1500, 2500)) for site in names.SITE_NAMES}
    return groups, {site: dice.pick(staff) for site in names.SITE_NAMES if site != "Board"}
