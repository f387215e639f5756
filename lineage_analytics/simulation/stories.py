"""What is planted: each story with where it stands and what a good report says of it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from lineage_analytics.simulation import names
from lineage_analytics.simulation.activity import call, interaction
from lineage_analytics.simulation.dice import Dice
from lineage_analytics.simulation.model import (
    AWS_ACCOUNT,
    END,
    PARTNER_ACCOUNT,
    Access,
    Actor,
    AwsEvent,
    Key,
    Policy,
    Principal,
    Statement,
    Story,
)
from lineage_analytics.simulation.organisation import allow, arn, long_ago
from lineage_analytics.simulation.owners import declare
from lineage_analytics.simulation.pim import eligible_roles

if TYPE_CHECKING:
    from datetime import datetime

    from lineage_analytics.simulation.aws_changes import Changes
    from lineage_analytics.simulation.model import Person, World
    from lineage_analytics.simulation.pim import Requests


def cast(world: World) -> None:
    """The principals of the stories; call before owners are assigned and before anybody acts."""
    dice = Dice(world.seed, "cast")
    _deploy_role(world, dice)
    _orphan(world, dice)
    _dormant(world)
    _strangers(world, dice)


def tell(world: World) -> None:
    """The events of the stories; call after everyday life and changes."""
    _deploy_story(world, Dice(world.seed, "story deploy"))
    _orphan_story(world, Dice(world.seed, "story orphan"))
    _copilot_story(world, Dice(world.seed, "story copilot"))
    _approval_stories(world, Dice(world.seed, "story approvals"))
    _rollback_story(world, Dice(world.seed, "story rollback"))
    _assistant_story(world, Dice(world.seed, "story q"))
    _stranger_story(world, Dice(world.seed, "story strangers"))
    _last_event(world, Dice(world.seed, "last"))


def _deploy_role(world: World, dice: Dice) -> None:
    role = Principal("deploy-pipeline", dice.aws_id("AROA"), arn("role", "deploy-pipeline"), long_ago(dice),
                     "workload", is_role=True, archetype="deploy", session="GitHubActions", rhythm="weekday",
                     purpose="Deploys every application from its repository", environment="prod",
                     uses=("cloudformation:DescribeStacks", "cloudformation:UpdateStack", "ecs:UpdateService"))
    role.policies = [world.policies["AdministratorAccess"]]
    role.federated = f"arn:aws:iam::{AWS_ACCOUNT}:oidc-provider/token.actions.githubusercontent.com"
    accounts = [p for p in world.principals if p.is_nhi and p.archetype in ("deployer", "parameters", "etl")
                and p.created < world.start]
    human = next(p for p in world.principals if p.archetype == "human")
    role.may_be_assumed_by = [*[p for p in accounts if not p.is_role][:2], *[p for p in accounts if p.is_role][:2],
                              human]
    role.trust = [
        allow("sts:AssumeRoleWithWebIdentity", {"Federated": role.federated}) | {"Condition": {"StringLike": {
            "token.actions.githubusercontent.com:sub": "repo:northwind-synthetic/*"}}},
        allow("sts:AssumeRole", {"AWS": [p.arn for p in role.may_be_assumed_by]}),
    ]
    owner = next(p for p in reversed(world.persons) if p.declared and p.left_on is None)
    declare(world, role, owner, 610, valid=False)
    role.owner_state = "set:false"
    helper = Principal("release-helper", dice.aws_id("AROA"), arn("role", "release-helper"), long_ago(dice), "workload",
                       is_role=True, archetype="helper", session="release-helper", rhythm="weekly",
                       purpose="Edits who may deploy", environment="prod", uses=("iam:GetRole",),
                       trust=[allow("sts:AssumeRole", {"Service": "lambda.amazonaws.com"})])
    helper.policies = [Policy("edit-deploy-trust", (
        Statement(("iam:GetRole", "iam:UpdateAssumeRolePolicy"), (role.arn,)),))]
    world.principals += [role, helper]
    world.cast |= {"deploy": role, "helper": helper}


def _orphan(world: World, dice: Dice) -> None:
    user = Principal("svc-legacy-sync", dice.aws_id("AIDA"), arn("user", "svc-legacy-sync"),
                     (END - timedelta(days=1460)).replace(hour=9, minute=12, second=0), "service_account",
                     archetype="orphan", rhythm="weekly", uses=("iam:ListUsers", "ec2:DescribeInstances"),
                     owner_state="set:false")
    user.keys = [Key(dice.aws_id("AKIA"), "key", user.created + timedelta(minutes=4))]
    user.policies = [world.policies["AdministratorAccess"]]
    world.principals.append(user)
    world.cast["orphan"] = user


def _dormant(world: World) -> None:
    """Privileged accounts that stopped work more than the look-back ago: one of software, one of a person."""
    powerful = [p for p in world.principals if p.is_nhi and p.created < world.start
                and p.archetype in ("iam", "admin", "deployer")]
    software = min(powerful, key=lambda p: ("iam", "admin", "deployer").index(p.archetype))
    software.rhythm = "stopped100"
    if software.archetype == "deployer":  # a small organisation may have drawn no powerful account
        software.policies = [*software.policies, world.policies["synthetic-iam-manager"]]
    person = next(p for p in world.principals if p.quiet)
    world.stories.append(Story(
        "dormant_privileged_accounts", "An account that may manage identities and an administrator's account have not "
        "been used for more than 90 days.", [software.arn, person.arn],
        "Both stand among the privileged accounts nobody used.", ["PRV-18", "VIS-17"]))


def _strangers(world: World, dice: Dice) -> None:
    """Principals that logs name and no inventory lists."""
    gone = Principal("temp-migration", dice.aws_id("AIDA"), arn("user", "temp-migration"), long_ago(dice), "unknown",
                     archetype="stranger", inventoried=False, keys=[Key(dice.aws_id("AKIA"), "key", None)])
    partner = Principal("partner-scanner", dice.aws_id("AROA"), arn("role", "partner-scanner", account=PARTNER_ACCOUNT),
                        long_ago(dice), "unknown", is_role=True, archetype="stranger", inventoried=False,
                        session="scan", account=PARTNER_ACCOUNT)
    world.principals += [gone, partner]
    world.cast |= {"gone": gone, "partner": partner}


def _deploy_story(world: World, dice: Dice) -> None:
    role: Principal = world.cast["deploy"]
    changes: Changes = world.cast["changes"]
    human = role.may_be_assumed_by[-1]
    edit = changes.make(dice.moment(END.replace(hour=0) - timedelta(days=21), 9, 11), human, "UpdateAssumeRolePolicy",
                        {"roleName": role.name, "policyDocument": "{\"Version\":\"2012-10-17\",\"Statement\":[]}"},
                        console=True)
    world.stories.append(Story(
        "over_privileged_deploy_role",
        "The role deploy-pipeline may do everything, uses three actions, and five others may become it.",
        [role.arn, world.cast["helper"].arn, *[p.arn for p in role.may_be_assumed_by], edit.event_id],
        "It is named first among excess privileges, with those who reach it and by which edge.",
        ["PRV-01", "PRV-05"]))


def _orphan_story(world: World, dice: Dice) -> None:
    user: Principal = world.cast["orphan"]
    for _ in range(4):
        world.aws.append(call(dice, dice.moment(END.replace(hour=0, minute=0, second=0)
                                                - timedelta(days=dice.whole(1, 25)), 1, 4), user, "iam:ListUsers"))
    world.stories.append(Story(
        "service_account_nobody_owns", "svc-legacy-sync holds AdministratorAccess, its key is four years old and no "
        "owner is stated anywhere.", [user.arn],
        "It stands among the accounts without a valid owner, as admin-equivalent, with its old key.",
        ["VIS-04", "PRV-01", "VIS-08"]))


def _copilot_story(world: World, dice: Dice) -> None:
    """One person's Copilot reads labelled documents that the person has never opened."""
    able = [p for p in world.persons if p.left_on is None and p.declared and not p.admin_id]
    person = next((p for p in able if p.department == "Sales"), able[0])
    opened = set(person.files)  # nobody opens any other
    never = [f for f in world.files if f.label in (names.LABELS["Confidential"], names.LABELS["Highly Confidential"])
             and f.site in ("Finance", "People", "Legal", "Board") and f not in opened]
    ids = []
    for back in (2, 3, 6, 8, 10, 13, 15, 22, 24):
        day = END.replace(hour=0, minute=0, second=0) - timedelta(days=back)
        if day in world.silent:
            continue
        asked = interaction(dice, dice.moment(day, 8, 16), person, [])
        asked.accessed = [Access(f, xpia=False) for f in dice.some(never, 3)]
        asked.thread, asked.jailbreak = dice.thread(), False
        world.interactions.append(asked)
        ids.append(asked.event_id)
    flagged = []
    for back in (4, 9, 16):
        day = END.replace(hour=0, minute=0, second=0) - timedelta(days=back)
        asked = interaction(dice, dice.moment(day, 8, 16), dice.pick(world.persons[:20]), [])
        asked.jailbreak, asked.accessed = back != 9, [Access(dice.pick(world.files), xpia=back == 9)]
        world.interactions.append(asked)
        flagged.append(asked.event_id)
    world.stories += [
        Story("copilot_reads_what_its_user_never_opened", f"Copilot read labelled documents for {person.login} that "
              "this person never opened.", [person.login, *ids],
              "The person stands out in what Copilot reached beyond the person's own reading.", ["COP-07"]),
        Story("injection_flags", "Two attempts to talk Copilot out of its rules, one document with an injected prompt.",
              flagged, "The flagged interactions are listed by id.", ["COP-11"]),
    ]


def _approval_stories(world: World, dice: Dice) -> None:
    requests: Requests = world.cast["requests"]
    agent = Actor(agent=world.agents[0])
    admins = [p for p in world.persons if p.admin_id]
    staff = [p for p in world.persons if p.left_on is None and not p.admin_id]

    def day(back: int, first: float, last: float) -> datetime:
        return dice.moment(END.replace(hour=0, minute=0, second=0) - timedelta(days=back), first, last)

    own: list[str] = []
    for back, who in ((12, admins[2]), (5, admins[3])):
        made = requests.run("activation", day(back, 8, 11), Actor(who, admin=True), who, Actor(who), dwell=20,
                            justification="On call", admin=True, role=eligible_roles(who)[0])
        own += [e.event_id for e in made]
    beneficiary = admins[1]
    made = requests.run("assignment", day(7, 8, 11), agent, beneficiary, Actor(beneficiary), dwell=9,
                        justification="Requested in chat", held=timedelta(days=20))
    own += [e.event_id for e in made]
    late: list[str] = []
    for back in (11, 6, 3):
        made = requests.run("assignment", day(back, 8, 12), agent, dice.pick(staff), Actor(admins[0]), dwell=5400,
                            late=True, justification="Requested in chat", held=timedelta(days=10))
        late += [e.event_id for e in made]
    waiting = requests.run("assignment", day(0, 23.2, 23.6), agent, staff[0], None, denied=True,
                           justification="Requested in chat", held=timedelta(days=7))
    bare = [d.event_id for d in world.decisions
            if d.executed and d.involvement == "executes_autonomous" and not d.approvals]
    world.stories += [
        Story("rubber_stamps", f"The agent's requests grow to a handful a day while {admins[0].login} approves ever "
              "faster: hours at first, seconds at the end.", [admins[0].login, world.agents[0].object_id],
              "Time to approve falls as volume grows; most approvals come from one person within seconds.",
              ["LIN-05", "ACC-01"]),
        Story("self_approval", "Two people approved their own activation from a second account; one beneficiary "
              "approved the agent's request for them.", own, "Each is listed as approved by the same person.",
              ["LIN-06"]),
        Story("approval_after_the_fact", "Three of the agent's assignments were approved an hour and a half after they "
              "were made.", late, "They do not count as approved before execution.", ["LIN-05"]),
        Story("request_still_open", "The agent's last request was made minutes before the end; nobody has answered it.",
              [e.event_id for e in waiting], "It is pending, neither approved nor missing an approval.", ["LIN-05"]),
        Story("agent_acts_without_approval", "The agent made assignments that nobody approved.", bare,
              "Each is named as executed by an AI agent without approval.", ["LIN-05", "ACC-04"]),
    ]


def _rollback_story(world: World, dice: Dice) -> None:
    changes: Changes = world.cast["changes"]
    admins = [p for p in world.persons if p.admin_id]
    sso: Principal = world.cast["sso_administratoraccess"]
    target = next(p for p in world.principals if p.is_role and p.is_nhi and p.created < world.start)
    at = dice.moment(END.replace(hour=0, minute=0, second=0) - timedelta(days=9), 13, 15)
    request = {"roleName": target.name, "policyArn": f"arn:aws:iam::{AWS_ACCOUNT}:policy/synthetic-power-user"}
    first = changes.make(at, sso, "AttachRolePolicy", request, person=admins[4])
    refused = changes.make(at + timedelta(minutes=38), next(p for p in world.principals if p.archetype == "human"),
                           "DetachRolePolicy", dict(request), console=True, error="AccessDenied")
    second = changes.make(at + timedelta(minutes=52), sso, "DetachRolePolicy", dict(request), person=admins[1])
    changes.undo(first, second)
    world.stories.append(Story(
        "change_rolled_back", "A policy was attached to a role and detached 52 minutes later by another person; a "
        "first attempt to detach it was refused.", [first.event_id, refused.event_id, second.event_id],
        "The attachment reads as rolled back after 52 minutes by another person; the refused call is an attempt.",
        ["LIN-01"]))


def _assistant_story(world: World, dice: Dice) -> None:
    """Amazon Q makes changes for a person: the record names the person, and Q as the caller."""
    changes: Changes = world.cast["changes"]
    human = [p for p in world.principals if p.archetype == "human"][1]
    targets = [p for p in world.principals if p.is_role and p.is_nhi and p.created < world.start]
    ids = []
    for back in (back for back in (70, 48, 26, 19, 12, 4) if back < world.days):
        at = dice.moment(END.replace(hour=0, minute=0, second=0) - timedelta(days=back), 9, 14)
        chat = AwsEvent(at, human, "q", "SendMessage", dice.guid(), read_only=False, console=True, request={
            "conversationId": dice.guid(), "conversationState": "***", "source": "CONSOLE"})
        world.aws.append(chat)
        policy = f"arn:aws:iam::{AWS_ACCOUNT}:policy/synthetic-errand"
        made = changes.make(at + timedelta(seconds=25), human, "AttachRolePolicy",
                            {"roleName": dice.pick(targets).name, "policyArn": policy}, via_q=True)
        undone = changes.make(at + timedelta(hours=3), human, "DetachRolePolicy", dict(made.request or {}),
                              console=True)
        changes.undo(made, undone)
        ids.append(made.event_id)
    world.stories.append(Story(
        "amazon_q_changes_access", "Amazon Q attached policies for a person who asked in the console chat.", ids,
        "The changes are shown as made through Amazon Q for that person; no approval source is loaded for AWS.",
        ["LIN-05"]))


def _stranger_story(world: World, dice: Dice) -> None:
    gone: Principal = world.cast["gone"]
    partner: Principal = world.cast["partner"]
    changes: Changes = world.cast["changes"]
    for back in range(4, 28):
        day = END.replace(hour=0, minute=0, second=0) - timedelta(days=back)
        if dice.chance(0.5):
            world.aws.append(call(dice, dice.moment(day, 0, 5), gone, "iam:ListRoles"))
        if back % 3 == 0:
            world.aws.append(call(dice, dice.moment(day, 2, 3), partner, "ec2:DescribeInstances"))
    target = next(p for p in world.principals if p.kind == "service_account")
    at = dice.moment(END.replace(hour=0, minute=0, second=0) - timedelta(days=5), 2, 4)
    key = {"accessKeyId": dice.aws_id("AKIA"), "userName": target.name, "status": "Active"}
    made = changes.make(at, gone, "CreateAccessKey", {"userName": target.name}, response={"accessKey": key})
    sso: Principal = world.cast["sso_administratoraccess"]
    admins: list[Person] = [p for p in world.persons if p.admin_id]
    undone = changes.make(at + timedelta(hours=8), sso, "DeleteAccessKey",
                          {"userName": target.name, "accessKeyId": key["accessKeyId"]}, person=admins[0])
    changes.undo(made, undone)
    changes.make(at + timedelta(hours=9), sso, "DeleteUser", {"userName": gone.name}, person=admins[0])
    world.stories.append(Story(
        "actors_nobody_lists", "temp-migration made a key for another account and is in no inventory any more; a "
        "partner's role reads the machines; guests and undeclared people work on documents.",
        [gone.arn, partner.arn, *[g.login for g in world.guests]],
        "They are listed as unknown actors with what they did.", ["VIS-01", "VIS-02"]))


def _last_event(world: World, dice: Dice) -> None:
    """A call in the last second: the report's moment."""
    who = next(p for p in world.principals if p.rhythm == "daily" and p.uses and p.is_nhi)
    world.aws.append(call(dice, END, who, who.uses[0]))


