"""What IAM Access Analyzer found in the account: roles and rights nobody used, a role open to the outside."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from lineage_analytics.simulation.model import AWS_ACCOUNT, END, AwsEvent, Link, Story

if TYPE_CHECKING:
    from lineage_analytics.simulation.aws_changes import Changes
    from lineage_analytics.simulation.dice import Dice
    from lineage_analytics.simulation.model import Person, Principal, World

ANALYZER = f"arn:aws:access-analyzer:eu-west-1:{AWS_ACCOUNT}:analyzer/synthetic-unused-access"
_LAST = END.replace(hour=0, minute=0, second=0)
EXPORTED = (_LAST - timedelta(days=15) + timedelta(hours=6), _LAST + timedelta(hours=6))
"""When the findings were exported: an earlier and the last time."""
_MOST_ROLES, _MOST_RIGHTS = 30, 8


@dataclass
class Finding:
    """``unused`` are actions by service; ``over`` the policy that gives what nobody uses. Resolved or archived it has
    ``ended``."""

    finding_id: str
    kind: str
    about: Principal
    created: datetime
    unused: dict[str, tuple[str, ...]] = field(default_factory=dict)
    status: str = "ACTIVE"
    ended: datetime | None = None

    def standing(self, at: datetime) -> tuple[str, datetime]:
        """Status and last update as an export of that moment has them."""
        return (self.status, self.ended) if self.ended and self.ended <= at else ("ACTIVE", self.created)


@dataclass(frozen=True)
class Advice:
    """What the analyzer recommended when somebody asked it: to detach a policy."""

    finding: Finding
    asked: datetime
    policy: str


@dataclass
class Findings:
    found: list[Finding] = field(default_factory=list)
    advice: list[Advice] = field(default_factory=list)


def find(world: World, dice: Dice) -> None:
    """Findings about who is there already, and what was done about two of them."""
    made = Findings()
    world.cast["aws_findings"] = made
    _unused_roles(world, made, dice)
    _unused_rights(world, made, dice)
    _unused_password(world, made, dice)
    _advice_followed(world, made, dice)
    _outside_accepted(world, made, dice)


def _at(dice: Dice, back: int, first: float, last: float) -> datetime:
    return dice.moment(_LAST - timedelta(days=back), first, last)


def _unused_roles(world: World, made: Findings, dice: Dice) -> None:
    """Roles of software that never worked, or stopped more than 90 days before they were found."""
    idle = [p for p in world.principals if p.is_role and p.is_nhi and p.rhythm in ("never", "stopped100")
            and p.created < _LAST - timedelta(days=130)]
    for role in idle[:_MOST_ROLES]:
        back = dice.whole(2, 6) if role.rhythm == "stopped100" else dice.whole(2, 33)
        made.found.append(Finding(dice.guid(), "UnusedIAMRole", role, _at(dice, back, 2, 5)))


def _unused_rights(world: World, made: Findings, dice: Dice) -> None:
    """Roles at work that hold more than they use, known for each action: what their own policies name."""
    busy = [p for p in world.principals if p.is_role and p.is_nhi and p.rhythm in ("daily", "weekday")
            and p.archetype in ("snapshots", "rotator") and p.created < world.start]
    for role in busy[:_MOST_RIGHTS]:
        unused: dict[str, tuple[str, ...]] = {}
        for action in (a for p in role.policies for s in p.statements for a in s.actions if a not in role.uses):
            service = action.partition(":")[0]
            unused[service] = (*unused.get(service, ()), action)
        if unused:
            at = _at(dice, dice.whole(3, 33), 2, 5)
            made.found.append(Finding(dice.guid(), "UnusedPermission", role, at, unused))


def _unused_password(world: World, made: Findings, dice: Dice) -> None:
    for user in (p for p in world.principals if p.quiet and p.password is not None):
        made.found.append(Finding(dice.guid(), "UnusedIAMUserPassword", user, _at(dice, 3, 2, 5)))


def _call(world: World, dice: Dice, time: datetime, person: Person, name: str, request: dict[str, Any]) -> AwsEvent:
    event = AwsEvent(time, world.cast["sso_administratoraccess"], "access-analyzer", name, dice.guid(),
                     read_only=False, request={"analyzerArn": ANALYZER} | request, person=person,
                     request_id=dice.guid(), on_time=True)
    world.aws.append(event)
    return event


def _advice_followed(world: World, made: Findings, dice: Dice) -> None:
    """Somebody asks what to do about a role's unused rights, and detaches the policy the day after."""
    changes: Changes = world.cast["changes"]
    admins = [p for p in world.persons if p.admin_id]
    able = [p for p in world.principals if p.is_role and p.is_nhi and p.created < world.start and p.policies
            and p.rhythm in ("daily", "weekday") and p.archetype in ("reader", "deployer", "etl", "parameters")]
    role, policy = able[-1], world.policies["synthetic-compute-operator"]
    finding = Finding(dice.guid(), "UnusedPermission", role, _at(dice, 24, 2, 5),
                      {"ec2": ("ec2:RunInstances", "ec2:StartInstances", "ec2:StopInstances")})
    asked = _call(world, dice, _at(dice, 12, 8, 14), admins[2], "GenerateFindingRecommendation",
                  {"id": finding.finding_id})
    changed = changes.make(asked.time + timedelta(hours=23), world.cast["sso_administratoraccess"], "DetachRolePolicy",
                           {"roleName": role.name, "policyArn": policy.arn}, person=admins[2])
    changed.on_time = True
    finding.status, finding.ended = "RESOLVED", (changed.time + timedelta(days=1)).replace(hour=3, minute=20, second=7)
    made.found.append(finding)
    made.advice.append(Advice(finding, asked.time, policy.arn))
    world.links += [Link(asked.event_id, finding.finding_id, "informed_by", provable=True),
                    Link(changed.event_id, asked.event_id, "informed_by", provable=False)]
    world.stories.append(Story(
        "analyzer_advice_followed", f"Access Analyzer found that {role.name} does not use what a policy gives it; "
        f"{admins[2].login} asked what to do and detached the policy the next day; the finding was resolved.",
        [finding.finding_id, asked.event_id, changed.event_id, role.arn],
        "Finding, advice and outcome are one case; that the change carried out the advice is joined by no key.",
        ["LIN-01"]))


def _outside_accepted(world: World, made: Findings, dice: Dice) -> None:
    """The role that deploys everything is open to the pipelines of a whole organisation; somebody archives that."""
    changes: Changes = world.cast["changes"]
    admin = next(p for p in world.persons if p.admin_id)
    finding = Finding(dice.guid(), "ExternalAccess", world.cast["deploy"], _at(dice, 29, 2, 5))
    archived = changes.make(
        _at(dice, 8, 15, 17), world.cast["sso_administratoraccess"], "UpdateFindings",
        {"analyzerArn": ANALYZER.replace("unused", "outside"), "ids": [finding.finding_id], "status": "ARCHIVED",
         "clientToken": dice.guid()}, person=admin, service="access-analyzer")
    archived.on_time = True
    finding.status, finding.ended = "ARCHIVED", archived.time
    made.found.append(finding)
    world.links.append(Link(finding.finding_id, archived.event_id, "resulted_in", provable=True))
    world.stories.append(Story(
        "outside_access_waved_off", f"Access Analyzer found that pipelines of a whole organisation may become "
        f"{finding.about.name}; {admin.login} archived the finding.",
        [finding.finding_id, archived.event_id, finding.about.arn],
        "The archiving is listed as a change without an approval on record; the role stays open.", ["LIN-05"]))
