"""Who is in the forest: people, their administrative accounts, service accounts, computers, groups, and their rights.

Of each account ``details`` hold what Active Directory states of it: ``sort`` (user, group, computer), ``sam``,
``guid``, ``aces`` as principal, right and whether inherited, ``members`` of groups, ``spns``, ``seen``, ``unit``; and
``rhythm``, when it works.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from lineage_analytics.simulation.model import DOMAIN, END, Account, Key, OwnerRow, Person

if TYPE_CHECKING:
    from lineage_analytics.simulation.dice import Dice
    from lineage_analytics.simulation.model import World

REALM = DOMAIN.upper()
NETBIOS = "NORTHWIND"
BUILTIN_ADMINISTRATORS = f"{REALM}-S-1-5-32-544"
MIDNIGHT = END.replace(hour=0, minute=0, second=0)
_ON_PREMISES = frozenset({"Operations", "Security", "Finance", "Legal", "People"})
_SERVICES = (  # name, service, rhythm, days since its owner confirmed it (None: nobody stated), what for
    ("svc-sql", "MSSQLSvc/srv-sql01.{d}:1433", "daily", 120, "Runs the ledger database"),
    ("svc-backup", "backup/srv-file01.{d}", "daily", 500, "Backs up file servers"),
    ("svc-legacyscan", "scan/srv-file01.{d}", "weekly", None, ""),
    ("svc-intranet", "HTTP/intranet.{d}", "weekday", 40, "Runs the intranet"),
    ("svc-fax", "fax/srv-file01.{d}", "stopped100", None, ""),
)
COMPUTERS = ("DC01", "DC02", "SRV-SQL01", "SRV-FILE01", "PAW-01")
_GROUPS = ("Helpdesk", "Finance Readers", "Legal Readers", "Backup Operators T0", "Tier 0 Infrastructure", "All Staff")


@dataclass
class Forest:
    """The cast. ``people`` are the accounts of ``Person.sid``; ``system`` is Windows on the first domain controller."""

    sid: str
    guid: str
    system: Account
    people: list[Account] = field(default_factory=list)
    admins: list[Account] = field(default_factory=list)
    services: dict[str, Account] = field(default_factory=dict)
    computers: dict[str, Account] = field(default_factory=dict)
    groups: dict[str, Account] = field(default_factory=dict)
    others: list[Account] = field(default_factory=list)
    units: dict[str, str] = field(default_factory=dict)
    """Object ids of organisational units, by name."""
    rid: int = 1102

    def next(self) -> str:
        self.rid += 1
        return f"{self.sid}-{self.rid}"

    @property
    def accounts(self) -> list[Account]:
        """Everybody a collection lists, in order."""
        return [*self.others, *self.people, *self.admins, *self.services.values(), *self.computers.values(),
                *self.groups.values()]

    @property
    def over_domain(self) -> list[tuple[str, str]]:
        """Who holds which right over the domain itself: besides administrators two accounts may copy its secrets."""
        sync, scanner = self.others[-1].native_id, self.services["svc-legacyscan"].native_id
        return [(who, right) for who in (BUILTIN_ADMINISTRATORS, sync, scanner)
                for right in ("GetChanges", "GetChangesAll")]

    def administrators(self, computer: Account) -> list[Account]:
        """Who administers a computer; whoever backs up the file server does."""
        helper = [self.services["svc-backup"]] if computer.name == "SRV-FILE01$" else []
        return [self.groups["Domain Admins"], *helper]

    @property
    def sessions(self) -> list[tuple[str, str]]:
        """Computer and user: an administrator of the domain left a session on the file server."""
        return [(self.computers["SRV-FILE01"].native_id, self.admins[0].native_id)]


def founded(world: World, dice: Dice) -> Forest:
    """The forest with everybody in it, before anything is done there."""
    sid = "S-1-5-21-" + "-".join(str(dice.whole(10**8, 4 * 10**9)) for _ in range(3))
    first = COMPUTERS[0]
    system = Account("ad", "", f"{first}.{REALM}-S-1-5-18", f"SYSTEM on {first}", "service_account", listed=None,
                     excluded="provider_managed", details={"sam": f"{first}$"})
    forest = Forest(sid, dice.guid(), system)
    forest.units = {name: dice.guid() for name in ("Staff", "Tier 0", "Service Accounts", "Servers")}
    _builtin(forest, dice)
    taken: set[str] = set()
    for person in world.persons:
        if person.department in _ON_PREMISES:
            _person(world, forest, dice, person, taken)
    for person in [p for p in world.persons if p.admin_id][:3]:
        made = _user(forest, dice, "t0-" + _short(person, taken), person=person)
        forest.admins.append(made)
    _services(world, forest, dice)
    _computers(forest, dice)
    _groups(forest, dice)
    _rights(forest)
    world.accounts += [*forest.accounts, forest.system]
    return forest


def account(forest: Forest, dice: Dice, sam: str, native: str, sort: str, kind: str, **more: Any) -> Account:
    """One object of the forest; ``more`` are fields of the account, everything else goes to its details."""
    created = MIDNIGHT - timedelta(days=dice.whole(400, 2400), seconds=dice.whole(0, 80_000))
    made = Account("ad", forest.sid, native, sam, kind, listed=True, created=created, logged=True,
                   **{key: more.pop(key) for key in ("person", "enabled", "excluded") if key in more})
    made.details = {"sort": sort, "sam": sam, "guid": dice.guid(), "aces": [], "members": [], "spns": [], "seen": None,
                    "unit": "", **more}
    return made


def password(made: Account, changed: datetime) -> None:
    """A collection states when the password was set."""
    made.keys = [Key(f"{made.ref}/password", "password", max(changed, made.created or changed))]


def _user(forest: Forest, dice: Dice, sam: str, kind: str = "unknown", **more: Any) -> Account:
    native = more.pop("native", None) or forest.next()
    made = account(forest, dice, sam, native, "user", kind, **{"enabled": True, "unit": "Tier 0", **more})
    password(made, MIDNIGHT - timedelta(days=dice.whole(3, 380), seconds=dice.whole(0, 80_000)))
    made.details["seen"] = MIDNIGHT - timedelta(days=dice.whole(4, 13), seconds=dice.whole(0, 40_000))
    return made


def _builtin(forest: Forest, dice: Dice) -> None:
    made = [_user(forest, dice, "Administrator", native=f"{forest.sid}-500", unit="Users"),
            _user(forest, dice, "Guest", native=f"{forest.sid}-501", enabled=False, unit="Users"),
            _user(forest, dice, "krbtgt", "service_account", native=f"{forest.sid}-502", enabled=False, unit="Users",
                  excluded="provider_managed", spns=["kadmin/changepw"])]
    made[1].keys, made[2].keys = [], []  # never set, and the provider's own
    for other in made:
        other.details["seen"] = None
    sync = _user(forest, dice, "MSOL_" + dice.hexadecimal(12), unit="Users")
    forest.others = [*made, sync]


def _short(person: Person, taken: set[str]) -> str:
    given, *_, family = person.name.lower().split()
    name = f"{given[0]}{family}"
    while name in taken:
        name = f"{given[0]}{family}{len(taken)}"
    taken.add(name)
    return name


def _person(world: World, forest: Forest, dice: Dice, person: Person, taken: set[str]) -> None:
    gone = person.left_on
    made = _user(forest, dice, _short(person, taken), person=person, unit="Staff", enabled=gone is None,
                 email=person.login)
    if gone is not None:
        made.details["seen"] = gone - timedelta(days=dice.whole(1, 9))
        password(made, min(made.keys[0].created or gone, gone - timedelta(days=20)))
    elif dice.chance(0.06) and not person.admin_id:  # a joiner of the time told
        made.created = dice.moment(MIDNIGHT - timedelta(days=dice.whole(3, max(world.days - 8, 4))), 7, 9)
        made.details["joined"] = made.created
        password(made, made.created)
    person.sid = made.native_id
    forest.people.append(made)


def _services(world: World, forest: Forest, dice: Dice) -> None:
    owners = [p for p in world.persons if p.declared and p.left_on is None]
    for name, spn, rhythm, age, purpose in _SERVICES:
        made = _user(forest, dice, name, "service_account", spns=[spn.format(d=DOMAIN)], unit="Service Accounts",
                     rhythm=rhythm, hour=dice.share() * 20)
        password(made, MIDNIGHT - timedelta(days=dice.whole(200, 2300), seconds=dice.whole(0, 80_000)))
        _own(world, made, dice.pick(owners), age, purpose)
        forest.services[name] = made
    joiner = _user(forest, dice, "gmsa-joiner$", "service_account", unit="Service Accounts", gmsa=True,
                   rhythm="weekday", hour=dice.share() * 3 + 2)
    password(joiner, MIDNIGHT - timedelta(days=dice.whole(1, 28), seconds=dice.whole(0, 80_000)))
    _own(world, joiner, dice.pick(owners), 60, "Makes accounts for people who join")
    forest.services["gmsa-joiner$"] = joiner
    for made in forest.services.values():
        stopped = made.details["rhythm"] == "stopped100"
        made.details["seen"] = MIDNIGHT - timedelta(days=104 if stopped else 14, hours=3)


def _own(world: World, made: Account, owner: Person, age: int | None, purpose: str) -> None:
    made.purpose = purpose
    if age is not None:
        confirmed = (END - timedelta(days=age)).date().isoformat()
        world.owners.append(OwnerRow(made.ref, owner.login, confirmed, f"{purpose} (synthetic)"))
        made.owner_state = "true" if age < 365 else "false"


def _computers(forest: Forest, dice: Dice) -> None:
    for name in COMPUTERS:
        made = account(forest, dice, f"{name}$", forest.next(), "computer", "workload", enabled=True,
                       unit="Tier 0" if name.startswith(("DC", "PAW")) else "Servers", rhythm="daily",
                       hour=dice.share() * 22, host=f"{name}.{DOMAIN}".lower())
        password(made, MIDNIGHT - timedelta(days=dice.whole(1, 29), seconds=dice.whole(0, 80_000)))
        made.details["seen"] = MIDNIGHT - timedelta(days=14, hours=2)
        forest.computers[name] = made


def _groups(forest: Forest, dice: Dice) -> None:
    known = {"Domain Admins": 512, "Domain Users": 513, "Domain Computers": 515, "Enterprise Admins": 519}
    for name in (*known, *_GROUPS):
        native = f"{forest.sid}-{known[name]}" if name in known else forest.next()
        forest.groups[name] = account(forest, dice, name, native, "group", "group", unit="Tier 0")
    administrators = account(forest, dice, "Administrators", BUILTIN_ADMINISTRATORS, "group", "group", unit="Tier 0")
    administrators.tenant = ""
    forest.groups["Administrators"] = administrators

    def join(group: str, *members: Account) -> None:
        forest.groups[group].details["members"] += members

    operators = [a for a in forest.people if a.person and a.person.department == "Operations" and a.enabled]
    join("Helpdesk", *(operators[3:8] or operators))
    join("Finance Readers", *(a for a in forest.people if a.person and a.person.department == "Finance" and a.enabled))
    join("Legal Readers", *(a for a in forest.people if a.person and a.person.department == "Legal" and a.enabled))
    join("All Staff", forest.groups["Finance Readers"], forest.groups["Legal Readers"], forest.groups["Helpdesk"])
    join("Backup Operators T0", forest.services["svc-backup"])
    join("Tier 0 Infrastructure", forest.groups["Backup Operators T0"])
    join("Domain Admins", forest.others[0], *forest.admins[:2])
    join("Enterprise Admins", forest.others[0])
    join("Administrators", forest.groups["Domain Admins"], forest.groups["Enterprise Admins"])


def _rights(forest: Forest) -> None:
    """What any forest has, and what should not be: the way from the help desk to the administrators of the domain."""
    admins, helpdesk = forest.groups["Domain Admins"].native_id, forest.groups["Helpdesk"].native_id
    for made in forest.accounts:
        made.details["aces"] += [(admins, "Owns", False), (admins, "GenericAll", made.details["sort"] != "group")]
    for made in forest.people:
        made.details["aces"].append((helpdesk, "ForceChangePassword", True))
    forest.services["svc-backup"].details["aces"].append((helpdesk, "GenericWrite", False))
    infrastructure = forest.groups["Tier 0 Infrastructure"].native_id
    forest.groups["Domain Admins"].details["aces"].append((infrastructure, "AddMember", False))
