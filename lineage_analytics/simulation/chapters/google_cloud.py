"""A small analytics project on Google Cloud: service accounts, roles given and taken, advice followed and regretted."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from lineage_analytics.simulation.chapters import _google_cloud_project as gcp
from lineage_analytics.simulation.chapters._google_cloud_project import (
    ON_PROJECT,
    Advice,
    Binding,
    Project,
    deed,
    email,
    member,
)
from lineage_analytics.simulation.model import END, Deed, Key, Story

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lineage_analytics.simulation.dice import Dice
    from lineage_analytics.simulation.model import Account, World

_BIGQUERY, _STORAGE, _IAM = "bigquery.googleapis.com", "storage.googleapis.com", "iam.googleapis.com"
_VERTEX, _GEMINI = "aiplatform.googleapis.com", "cloudaicompanion.googleapis.com"
_JOBS = "google.cloud.bigquery.v2.JobService.InsertJob"
_MODEL = (f"projects/{gcp.PROJECT}/locations/europe-west1/publishers/google/models/gemini-2.5-flash")
_AGENT_OF_GOOGLE = f"service-{gcp.NUMBER}@gcp-sa-aiplatform.iam.gserviceaccount.com"
_EDITOR, _VIEWER = "roles/editor", "roles/bigquery.dataViewer"


def begin(world: World, dice: Dice) -> None:
    """The team and its service accounts, then what was decided in the last weeks."""
    project = Project(world, dice)
    world.cast["gcp"] = project
    _people(project)
    _services(project)
    _roles_at_first(project)
    _everyday_grants(project)
    _same_address_twice(project)
    _keys_taken_back(project)
    _impersonation(project)
    _advice(project)
    _pool(project)
    _agent(project)
    _elevation(project)


def _people(project: Project) -> None:
    able = [p for p in project.world.persons if p.declared and p.left_on is None and not p.admin_id]
    engineers = [p for p in able if p.department == "Engineering"]
    chosen = [*engineers, *(p for p in able if p not in engineers)][:6]
    project.team = [project.person(person) for person in chosen]


def _services(project: Project) -> None:
    team, world = project.team, project.world
    loader = project.service("orders-loader", "Loads orders every night")
    project.key(loader, 410)
    project.owner(loader, team[0], 60, "true", "Loads the orders of the day into BigQuery")
    export = project.service("report-export", "Exports reports")
    project.key(export, 610)
    project.owner(export, team[1], 480, "false", "Exports reports for auditors")
    project.service("dashboard", "Dashboards")
    deployer = project.service("ci-deployer", "Deploys from GitHub Actions")
    project.owner(deployer, team[2], None, "unknown", "Deploys the data pipelines from their repository")
    project.service("legacy-batch", "Old batch jobs", enabled=False)
    notes = project.service("gemini-notes", "Summaries of support calls")
    if world.days > 60:
        _created(project, notes, project.day(58, 9, 10), team[0])
        project.told_key(notes, project.key(notes, 55), team[0])
    project.owner(notes, team[0], 20, "true", "Summarises support calls with a model")
    project.federated("repository", gcp.REPOSITORY, "workload")
    project.federated("agent", gcp.AGENT, "ai_agent")
    project.managed("vertex", _AGENT_OF_GOOGLE)
    world.stories.append(Story(
        "gcp_key_never_used", f"{export.name} has a key of 610 days that was never used; the owner was last confirmed "
        "480 days ago.", [export.native_id, export.keys[0].key_id],
        "The key stands among those over the policy's age, the account among those without a valid owner.",
        ["VIS-08", "VIS-04"]))


def _keys_taken_back(project: Project) -> None:
    """Two keys are deleted: one within hours, one after the inventory was taken, which still lists it."""
    account, who = project.services["dashboard"], project.team[1]
    brief, listed = project.key(account, 12), project.key(account, 20)
    account.keys.clear()
    assert brief.created is not None  # noqa: S101  (narrows the type)
    told = [project.told_key(account, brief, who),
            project.told_key(account, brief, who, brief.created + timedelta(hours=5)),
            project.told_key(account, listed, who), project.told_key(account, listed, who, project.day(0, 9, 12))]
    account.details["keys listed too late"] = [listed]
    project.world.stories.append(Story(
        "gcp_key_deleted_after_the_listing", f"{who.name} deleted two keys of {account.name}; the inventory was taken "
        "before the second of them went.", [listed.key_id, told[-1].event_id, brief.key_id, told[1].event_id],
        "Neither stands among the keys in force: the log says that they ended.", ["VIS-07", "VIS-08"]))


def _created(project: Project, account: Account, time: datetime, who: Account) -> Deed:
    """A service account comes to be, with its number on record."""
    account.created = time
    made = project.told(deed(
        project.dice, time, who, _IAM, "google.iam.admin.v1.CreateServiceAccount", ON_PROJECT, account=account,
        response={"name": f"{ON_PROJECT}/serviceAccounts/{account.name}", "email": account.name,
                  "unique_id": account.native_id, "project_id": gcp.PROJECT}))
    project.decided(made)
    return made


def _roles_at_first(project: Project) -> None:
    services, team = project.services, project.team
    held = [("orders-loader", "roles/bigquery.dataEditor"), ("orders-loader", "roles/bigquery.jobUser"),
            ("report-export", _EDITOR), ("dashboard", _VIEWER), ("ci-deployer", "roles/run.admin"),
            ("ci-deployer", "roles/resourcemanager.projectIamAdmin"), ("legacy-batch", "roles/owner")]
    project.at_first = [
        *(Binding(ON_PROJECT, role, member(services[name])) for name, role in held),
        Binding(ON_PROJECT, "roles/owner", member(team[0])), Binding(ON_PROJECT, _EDITOR, member(team[1])),
        *(Binding(ON_PROJECT, "roles/bigquery.user", member(person)) for person in team[2:]),
        Binding(gcp.BUCKET, "roles/storage.objectAdmin", f"serviceAccount:{email('feed-sync')}"),
    ]


def _everyday_grants(project: Project) -> None:
    """Roles given, some for a time, some taken again; one refusal."""
    team, dice = project.team, project.dice
    for number, back in enumerate(back for back in (3, 8, 13, 17, 23, 29, 40, 62, 95) if back < project.world.days):
        who, other = team[number % 2], team[2 + number % (len(team) - 2)]
        at = project.day(back, 8, 15)
        until = at.replace(hour=18, minute=0, second=0) + timedelta(days=2) if number % 3 == 1 else None
        given = Binding(ON_PROJECT, ("roles/bigquery.dataEditor", "roles/logging.viewer", "roles/run.developer")[
            number % 3], member(other), until)
        first = project.policy(at, who, given=(given,))
        if number % 3 == 2:
            taken = project.policy(at + timedelta(hours=dice.whole(3, 20)), team[0], taken=(given,))
            project.world.undo(first.event_id, taken.event_id)
    project.policy(project.day(6, 9, 12), team[3], given=(Binding(ON_PROJECT, "roles/owner", member(team[3])),),
                   refused=True)


def _same_address_twice(project: Project) -> None:
    """A service account is deleted and made again under its address: two principals."""
    old = project.service("feed-sync", "Fetches feeds", listed=False, enabled=None)
    del project.services["feed-sync"]
    new = project.service("feed-sync", "Fetches feeds")
    project.owner(new, project.team[1], 30, "true", "Fetches the feeds of partners")
    at = project.day(14, 10, 12)
    gone = project.told(deed(project.dice, at, project.team[1], _IAM, "google.iam.admin.v1.DeleteServiceAccount",
                             f"projects/-/serviceAccounts/{old.native_id}", account=old))
    project.decided(gone)
    made = _created(project, new, at + timedelta(minutes=25), project.team[1])
    project.policy(made.time + timedelta(minutes=6), project.team[1],
                   given=(Binding(gcp.BUCKET, "roles/storage.objectAdmin", member(new)),))
    # The policy keeps the old one's binding under its number.
    held = project.at_first.pop()
    project.at_first.append(held._replace(member=f"deleted:{held.member}?uid={old.native_id}"))
    old.details["until"], project.others["old feed"] = at, old
    project.world.stories.append(Story(
        "gcp_same_address_two_accounts", f"{new.name} was deleted and made again 25 minutes later: the old account "
        "kept a role on the exports under its number.", [old.native_id, new.native_id, gone.event_id, made.event_id],
        "Two principals, the old one deleted and in no inventory: calls under the address before it are its, those "
        "after it the new one's, and so is neither's role the other's.", ["VIS-01", "VIS-02", "VIS-04"]))


def _impersonation(project: Project) -> None:
    """Two people act as the deployer to give a colleague a role; a repository does so at night, for nobody."""
    team, deployer = project.team, project.services["ci-deployer"]
    ids = []
    for back, who, other in ((21, team[2], team[3]), (4, team[3], team[4])):
        made = project.policy(project.day(back, 9, 14), deployer, chain=(who,),
                              given=(Binding(ON_PROJECT, "roles/storage.admin", member(other)),))
        ids.append(made.event_id)
    repository = project.others["repository"]
    alone = project.policy(project.day(11, 1, 4), deployer, initiator="unknown", chain=(repository,), given=(
        Binding(ON_PROJECT, "roles/iam.serviceAccountTokenCreator", member(project.services["dashboard"])),))
    project.world.stories += [
        Story("gcp_acting_as_a_service_account", f"{team[2].name} and {team[3].name} used {deployer.name} to give "
              "colleagues a role they could not have given themselves.", ids,
              "Each change names the service account as the one that acted and the person it acted for.", ["LIN-01"]),
        Story("gcp_role_given_by_software_at_night", f"{deployer.name}, called by a workflow, let another service "
              "account make tokens of any account, at night.", [alone.event_id, repository.native_id],
              "The change is listed with software as the caller for other software, and an unknown initiator.",
              ["LIN-01"]),
    ]


def _advice(project: Project) -> None:
    """The recommender's advice is followed, and two weeks later the role is given back; other advice is waved off."""
    team, services, dice = project.team, project.services, project.dice
    held = Binding(ON_PROJECT, _EDITOR, member(team[1]))
    instead = Binding(ON_PROJECT, _VIEWER, member(team[1]))
    claimed_at = project.day(24, 9, 11)
    taken = _recommended(project, held, _VIEWER, (
        (claimed_at - timedelta(days=3), "ACTIVE"), (END - timedelta(hours=17), "SUCCEEDED")))
    claim = _marked(project, claimed_at, team[0], taken, "CLAIMED")
    change = project.policy(claimed_at + timedelta(minutes=7), team[0], given=(instead,), taken=(held,))
    _marked(project, change.time + timedelta(minutes=1), team[0], taken, "SUCCEEDED")
    returned = project.policy(project.day(10, 16, 18), team[0], given=(held,))
    for source, target, rel in ((change, claim, "authorised_by"), (change, taken.name, "requested_by")):
        project.link(source, target, rel, provable=False)
    project.world.undo(change.event_id, returned.event_id)
    waved = _recommended(project, Binding(ON_PROJECT, _EDITOR, member(services["report-export"])), "", (
        (END - timedelta(days=30), "ACTIVE"), (END - timedelta(hours=17), "DISMISSED")))
    _marked(project, project.day(19, 13, 15), team[1], waved, "DISMISSED")
    for name, role in (("orders-loader", "roles/bigquery.dataEditor"), ("legacy-batch", "roles/owner"),
                       ("ci-deployer", "roles/run.admin")):
        _recommended(project, Binding(ON_PROJECT, role, member(services[name])), "roles/viewer" if dice.chance(
            0.5) else "", ((END - timedelta(hours=17), "ACTIVE"),))
    project.world.stories.append(Story(
        "gcp_advice_taken_and_taken_back", f"{team[0].name} claimed the advice to take {_EDITOR} from {team[1].name}, "
        "did so, marked it done, and gave the role back two weeks later.",
        [taken.insight, taken.name, claim.event_id, change.event_id, returned.event_id],
        "The advice, its claim and its outcome are one case; that the change carried it out, and that the role came "
        "back, is not joined by any key.", ["LIN-01"]))


def _recommended(
    project: Project, held: Binding, instead: str, states: tuple[tuple[datetime, str], ...],
) -> Advice:
    dice = project.dice
    made = Advice(f"{gcp.ADVISER}/{dice.guid()}", f"{gcp.INSIGHTS}/{dice.guid()}", held, instead, states)
    project.advice.append(made)
    project.link(made.name, made.insight, "informed_by", provable=True)
    return made


def _marked(project: Project, time: datetime, who: Account, advice: Advice, state: str) -> Deed:
    made = project.told(Deed(time, gcp.ADVICE, project.dice.base32(13).lower(), who, state, "success",
                             {"advice": advice.name}))
    if state != "SUCCEEDED":
        project.link(made, advice.name, "about", provable=True)
    return made


def _pool(project: Project) -> None:
    """A long-running operation leaves two entries: what was asked for and what came of it."""
    made = "google.iam.v1.WorkloadIdentityPools.CreateWorkloadIdentityPoolProvider"
    operation = f"projects/{gcp.PROJECT}/operations/{project.dice.base32(16).lower()}"
    asked, done = (project.told(deed(
        project.dice, time, project.team[2], _IAM, made, f"{gcp.POOL}/providers/github-actions",
        operation={"id": operation, "producer": _IAM, mark: True})) for time, mark in (
            (project.day(15, 9, 10), "first"), (project.day(15, 10.1, 10.2), "last")))
    project.decided(done)
    project.link(done, asked, "requested_by", provable=True)


def _agent(project: Project) -> None:
    """An agent of Agent Engine gives itself a role; whether anybody agreed is on no record."""
    agent = project.others["agent"]
    made = project.policy(project.day(7, 12, 13), agent, involvement="unknown", initiator="unknown",
                          given=(Binding(ON_PROJECT, "roles/bigquery.jobUser", gcp.AGENT),))
    project.world.stories.append(Story(
        "gcp_agent_gives_itself_a_role", "An AI agent on Agent Engine gave itself the right to run queries.",
        [made.event_id, gcp.AGENT], "The change is listed as made by an AI agent, its approval unknown.", ["ACC-01"]))


def _elevation(project: Project) -> None:
    """Somebody asks for more rights for an hour and a colleague agrees; nothing shows that they were used."""
    grant = f"projects/{gcp.PROJECT}/locations/global/entitlements/synthetic-owner/grants/{project.dice.guid()}"
    at = project.day(9, 8, 10)
    asked, agreed = (project.told(deed(
        project.dice, time, who, "privilegedaccessmanager.googleapis.com",
        f"google.cloud.privilegedaccessmanager.v1.PrivilegedAccessManager.{call}", grant, response={"name": grant}))
        for time, who, call in ((at, project.team[4], "CreateGrant"),
                                (at + timedelta(minutes=18), project.team[0], "ApproveGrant")))
    project.link(agreed, asked, "about", provable=True)


# --- every day -----------------------------------------------------------------------------------------------------


def day(world: World, day: datetime, dice: Dice) -> Iterator[Deed]:
    """Queries, transfers, deployments and calls of models."""
    project: Project = world.cast["gcp"]
    yield from _nightly(project, day, dice)
    if day.weekday() > 4:
        return
    for person in project.team:
        if dice.chance(0.12):
            yield _query(dice, dice.moment(day, 7, 16), person, "denied" if dice.chance(0.05) else "success")
        if dice.chance(0.08):
            yield deed(dice, dice.moment(day, 7, 16), person, _GEMINI,
                       "google.cloud.cloudaicompanion.v1.TaskCompletionService.CompleteTask",
                       f"projects/{gcp.PROJECT}/locations/global", log="data_access", bare_assistant=True)
    deployer, repository = project.services["ci-deployer"], project.others["repository"]
    if dice.chance(0.4):
        time = dice.moment(day, 9, 15)
        yield deed(dice, time, repository, "iamcredentials.googleapis.com", "GenerateAccessToken",
                   f"projects/-/serviceAccounts/{deployer.native_id}", log="data_access")
        yield deed(dice, time + timedelta(seconds=40), deployer, "run.googleapis.com",
                   "google.cloud.run.v1.Services.ReplaceService", f"namespaces/{gcp.PROJECT}/services/etl",
                   chain=(repository,))


def _nightly(project: Project, day: datetime, dice: Dice) -> Iterator[Deed]:
    services = project.services
    loader, notes, new, old = services["orders-loader"], services["gemini-notes"], services["feed-sync"], \
        project.others["old feed"]
    yield _query(dice, dice.moment(day, 2, 3), loader, key=loader.keys[0])
    feed = new if new.created is not None and day > new.created else old if day <= _midnight(old) else None
    if feed is not None:
        yield deed(dice, dice.moment(day, 3, 4), feed, _STORAGE, "storage.objects.create",
                   f"{gcp.BUCKET}/objects/feed-{day:%Y%m%d}.csv", log="data_access")
    if dice.chance(0.5):
        yield _query(dice, dice.moment(day, 5, 6), services["dashboard"])
    if (notes.created is None or day > notes.created) and dice.chance(0.5):
        yield deed(dice, dice.moment(day, 6, 7), notes, _VERTEX,
                   "google.cloud.aiplatform.v1.PredictionService.GenerateContent", _MODEL, log="data_access",
                   bare_assistant=True)
    if dice.chance(0.1):
        yield deed(dice, dice.moment(day), project.others["vertex"], _STORAGE, "storage.objects.get",
                   f"{gcp.BUCKET}/objects/model.bin", log="data_access")


def _midnight(account: Account) -> datetime:
    until: datetime = account.details["until"]
    return until.replace(hour=0, minute=0, second=0)


def _query(dice: Dice, time: datetime, who: Account, outcome: str = "success", key: Key | None = None) -> Deed:
    return deed(dice, time, who, _BIGQUERY, _JOBS, f"projects/{gcp.PROJECT}/jobs/synthetic-{dice.base32(8).lower()}",
                log="data_access", outcome=outcome, **({"key": key.key_id} if key else {}))
