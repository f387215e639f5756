"""The people, groups, policies, users and roles of the made-up organisation."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from lineage_analytics.simulation import names
from lineage_analytics.simulation.archetypes import (
    ARCHETYPES,
    STATEMENTS,
    UNREADABLE,
    Archetype,
    inline,
    managed_arn,
)
from lineage_analytics.simulation.dice import Dice
from lineage_analytics.simulation.model import (
    AWS_ACCOUNT,
    DOMAIN,
    END,
    Agent,
    File,
    Group,
    Key,
    Person,
    Policy,
    Principal,
    World,
)

DAY = timedelta(days=1)
LOOKBACK = timedelta(days=90)


def founded(seed: int, people: int, days: int) -> World:
    """A world with everybody in it and nothing done yet."""
    dice = Dice(seed, "world")
    world = World(seed=seed, days=days, tenant=dice.guid())
    _people(world, Dice(seed, "people"), people)
    _policies(world, Dice(seed, "policies"))
    _groups(world, Dice(seed, "groups"))
    _human_users(world, Dice(seed, "human users"), people)
    _service_accounts(world, Dice(seed, "service accounts"), 3 * people)
    _other_roles(world, Dice(seed, "roles"), people)
    _documents(world, Dice(seed, "documents"), people)
    world.agents = [Agent("Access Assistant (synthetic AI agent)", dice.guid(), dice.guid())]
    return world


def arn(kind: str, name: str, path: str = "/", account: str = AWS_ACCOUNT) -> str:
    return f"arn:aws:iam::{account}:{kind}{path}{name}"


def long_ago(dice: Dice) -> datetime:
    """A creation moment well before any look-back."""
    return days_ago(dice, 130, 1500)


def days_ago(dice: Dice, low: int, high: int) -> datetime:
    """A moment of the working day, between ``low`` and ``high`` days before the last midnight."""
    return dice.moment(END.replace(hour=0, minute=0, second=0) - timedelta(days=dice.whole(low, high)), 7, 17)


def _people(world: World, dice: Dice, count: int) -> None:
    taken: set[str] = set()
    for number in range(1, count + 4):
        name = _fresh_name(dice, taken)
        login = name.lower().replace(" ", ".") + "@" + DOMAIN
        person = Person(number, name, login, dice.guid(), dice.weighted(names.DEPARTMENTS),
                        declared=number <= 8 or not dice.chance(0.03))
        if number <= max(6, count // 20):
            person.department = "Security" if number <= 3 else "Operations"
            person.admin_id, person.admin_login = dice.guid(), "adm-" + login
        elif dice.chance(0.05):
            person.left_on = (END - timedelta(days=dice.whole(5, 300))).replace(hour=0, minute=0, second=0)
            person.declared = True
        (world.persons if number <= count else world.guests).append(person)
    for guest in world.guests:
        guest.declared, guest.left_on, guest.department = False, None, "Sales"
        guest.login = guest.login.split("@", maxsplit=1)[0] + f"_partner-synthetic.example#EXT#@{DOMAIN}"


def _fresh_name(dice: Dice, taken: set[str]) -> str:
    while True:
        name = f"{dice.pick(names.GIVEN)} {dice.pick(names.FAMILY)}"
        if name in taken and len(taken) > 400:
            name += f" {dice.pick(names.FAMILY)}"
        if name not in taken:
            taken.add(name)
            return name


def _policies(world: World, dice: Dice) -> None:
    for name in (*STATEMENTS, *UNREADABLE):
        world.policies[name] = Policy(name, STATEMENTS.get(name, ()), managed_arn(name), dice.aws_id("ANPA"),
                                      long_ago(dice), readable=name in STATEMENTS)


def _groups(world: World, dice: Dice) -> None:
    for name, policies in (("developers", ("synthetic-developers", "synthetic-self-service")),
                           ("administrators", ("AdministratorAccess",)),
                           ("operators", ("synthetic-compute-operator",))):
        world.groups.append(Group(name, dice.aws_id("AGPA"), arn("group", name), long_ago(dice),
                                  [world.policies[p] for p in policies]))


def _user(dice: Dice, name: str, kind: str, created: datetime, path: str = "/") -> Principal:
    return Principal(name, dice.aws_id("AIDA"), arn("user", name, path), created, kind, path=path)


def _role(dice: Dice, name: str, kind: str, created: datetime, path: str = "/") -> Principal:
    return Principal(name, dice.aws_id("AROA"), arn("role", name, path), created, kind, path=path, is_role=True)


def _key(dice: Dice, created: datetime) -> Key:
    """A key rotated at some time after its user was created, a third of them in the last 90 days."""
    age = (END - created).days
    recent = dice.chance(0.35) or age < 92
    rotated = days_ago(dice, 2, min(80, max(age - 1, 2))) if recent else days_ago(dice, 91, max(age, 91))
    return Key(dice.aws_id("AKIA"), "key", max(created, rotated))


def _human_users(world: World, dice: Dice, count: int) -> None:
    staff = [p for p in world.persons if p.department in ("Engineering", "Operations", "Security") and not p.left_on
             and p.declared]
    for place, person in enumerate(dice.some(staff, max(5, count // 14))):
        user = _user(dice, person.login.split("@", maxsplit=1)[0], "human", long_ago(dice))
        user.person, user.archetype = person, "human"
        user.password = Key("", "password", max(user.created, days_ago(dice, 10, 200)))
        if place % 2 == 0:
            user.keys.append(_key(dice, user.created))
        user.groups = [world.groups[0]] if place % 4 else [world.groups[1]]
        user.quiet = place == 4
        world.principals.append(user)


def _service_accounts(world: World, dice: Dice, count: int) -> None:
    taken: set[str] = set()
    for _ in range(count - 2):  # two more come with the stories
        archetype = dice.weighted([(a, a.weight) for a in ARCHETYPES])
        app = dice.early(names.APPS, 1.4) + "-" + dice.pick(names.ROLES_OF_SOFTWARE)
        name = f"{app}-{archetype.name}"
        number = 2
        while name in taken:
            name, number = f"{app}-{archetype.name}-{number:02d}", number + 1
        taken.add(name)
        world.principals.append(service_account(world, dice, archetype, app, name))


def service_account(world: World, dice: Dice, archetype: Archetype, app: str, name: str) -> Principal:
    """One service account of an archetype: an IAM user with keys, or a role only software assumes."""
    young = dice.chance(0.07)
    created = days_ago(dice, 8, 85) if young else long_ago(dice)
    role = dice.chance(0.55)
    made = _role(dice, name, "workload", created) if role else _user(dice, "svc-" + name, "service_account", created)
    made.archetype, made.uses = archetype.name, archetype.uses
    made.policies = [*inline(archetype, app), *(world.policies[p] for p in archetype.managed)]
    made.boundary = world.policies[archetype.boundary] if archetype.boundary else None
    made.purpose = archetype.purpose.format(app=app)
    made.environment = "non-prod" if dice.chance(0.25) else "prod"
    made.rhythm = "daily" if young else dice.weighted(
        (("daily", 22.0), ("weekday", 34.0), ("weekly", 22.0), ("stopped60", 5.0), ("stopped100", 8.0), ("never", 9.0)))
    if role:
        trusted(made, dice)
    else:
        made.keys = [_key(dice, created)]
        if dice.chance(0.12):
            made.keys.append(_key(dice, created))
        if dice.chance(0.04):
            made.keys[0].created = None
    return made


def trusted(role: Principal, dice: Dice) -> None:
    """A trust policy that shows software: an AWS service, or a federated workload."""
    service, session = dice.weighted((
        (("ecs-tasks.amazonaws.com", dice.hexadecimal(32)), 4.0), (("lambda.amazonaws.com", role.name), 4.0),
        (("ec2.amazonaws.com", "i-0" + dice.hexadecimal(16)), 3.0), (("", "GitHubActions"), 2.0),
    ))
    if service:
        role.trust = [allow("sts:AssumeRole", {"Service": service})]
    else:
        provider = f"arn:aws:iam::{AWS_ACCOUNT}:oidc-provider/token.actions.githubusercontent.com"
        role.federated = provider
        role.trust = [allow("sts:AssumeRoleWithWebIdentity", {"Federated": provider}) | {"Condition": {
            "StringEquals": {"token.actions.githubusercontent.com:sub":
                             f"repo:northwind-synthetic/{role.name}:ref:refs/heads/main"}}}]
    role.session = session


def allow(action: str, principal: dict[str, Any]) -> dict[str, Any]:
    return {"Effect": "Allow", "Principal": principal, "Action": action}


def _other_roles(world: World, dice: Dice, count: int) -> None:
    saml = f"arn:aws:iam::{AWS_ACCOUNT}:saml-provider/AWSSSO_synthetic_DO_NOT_DELETE"
    for name, policy in (("AdministratorAccess", "AdministratorAccess"), ("Developer", "synthetic-developers"),
                         ("Reader", "synthetic-wide-reader")):
        path = "/aws-reserved/sso.amazonaws.com/eu-west-1/"
        role = _role(dice, f"AWSReservedSSO_{name}_{dice.hexadecimal(16)}", "role", long_ago(dice), path)
        role.trust = [allow("sts:AssumeRoleWithSAML", {"Federated": saml})]
        role.policies, role.excluded, role.archetype = [world.policies[policy]], "human_role", "sso"
        world.principals.append(role)
        world.cast[f"sso_{name.lower()}"] = role
    for name, service in (("Support", "support"), ("TrustedAdvisor", "trustedadvisor"), ("RDS", "rds"),
                          ("ElasticLoadBalancing", "elasticloadbalancing"), ("ECS", "ecs")):
        role = _role(dice, f"AWSServiceRoleFor{name}", "workload", long_ago(dice),
                     f"/aws-service-role/{service}.amazonaws.com/")
        role.trust = [allow("sts:AssumeRole", {"Service": f"{service}.amazonaws.com"})]
        role.excluded, role.archetype, role.session = "provider_managed", "linked", f"{name}Session"
        role.policies = [world.policies["synthetic-wide-reader"]]
        world.principals.append(role)
    for number in range(1, max(2, count // 40) + 1):
        role = _role(dice, f"legacy-access-{number:02d}", "unknown", long_ago(dice))
        role.trust = [allow("sts:AssumeRole", {"AWS": f"arn:aws:iam::{AWS_ACCOUNT}:root"})]
        role.policies, role.archetype = [world.policies["synthetic-wide-reader"]], "unclear"
        world.principals.append(role)
    for number in range(1, max(2, count // 40) + 1):
        user = _user(dice, f"legacy-user-{number:02d}", "unknown", long_ago(dice))
        user.archetype, user.in_report = "unclear", number % 2 == 0
        user.policies = [world.policies["synthetic-self-service"]]
        world.principals.append(user)


def _documents(world: World, dice: Dice, people: int) -> None:
    for number in range(max(120, 2 * people)):
        site = dice.pick(names.SITE_NAMES)
        sensitive = site in ("Finance", "People", "Legal", "Board")
        label = dice.weighted((("", 30.0), ("General", 30.0), ("Confidential", 30.0 if sensitive else 12.0),
                               ("Highly Confidential", 12.0 if sensitive else 1.0), ("Public", 6.0)))
        suffix = dice.pick(("docx", "xlsx", "pptx", "pdf"))
        world.files.append(File(f"{dice.pick(names.TOPICS)} {site} {number:03d}.{suffix}", site,
                                names.LABELS.get(label, ""), dice.guid()))
