"""Two subscriptions of Azure: what is deployed, who reads the vault, and one night in the month of the report."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from lineage_analytics.simulation.chapters._subscriptions import (
    MIDNIGHT,
    ROLES,
    Activation,
    Azure,
    founded,
    hold,
)
from lineage_analytics.simulation.model import Decision, Deed, Link, Story

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from lineage_analytics.simulation.dice import Dice
    from lineage_analytics.simulation.model import Account, Person, World

SOURCE = "azure_activity"
_AUTHORIZATION = "/providers/Microsoft.Authorization/"
_DEPLOY = "Microsoft.Resources/deployments/write"
_ASSIGN = "Microsoft.Authorization/roleAssignments/write"
_SECRETS = ("ledger-database", "payment-api", "signing-key")


def begin(world: World, dice: Dice) -> None:
    """The cast, activations with approval, and what is planted."""
    made = founded(world, dice)
    world.cast["azure"] = made
    for back in (back for back in (6, 13, 40) if back < world.days):
        _activate(world, dice, made, back)
    _night(world, dice, made)
    _elevated(world, dice, made)
    _refused(world, dice, made)
    world.deeds.append(_record(dice, dice.moment(MIDNIGHT - timedelta(days=4), 3, 4), None,
                               "Microsoft.Advisor/recommendations/available/action", made.storage,
                               category="Recommendation", status="Active"))


def day(world: World, day: datetime, dice: Dice) -> Iterator[Deed]:
    """Deployments, machines started by engineers, a machine that reads its secret."""
    made: Azure = world.cast["azure"]
    if day.weekday() < 5 and dice.chance(0.7):
        over = made.production if dice.chance(0.5) else made.sandbox
        yield from _call(dice, dice.moment(day, 8, 17), made.terraform, _DEPLOY,
                         f"{over}/resourceGroups/ledger-synthetic/providers/Microsoft.Resources/deployments/"
                         f"release-{dice.whole(100, 999)}")
    if day.weekday() < 5 and dice.chance(0.5):
        yield _record(dice, dice.moment(day, 7, 16), dice.pick(made.engineers),
                      "Microsoft.Compute/virtualMachines/start/action",
                      f"{made.sandbox}/resourceGroups/lab-synthetic/providers/Microsoft.Compute/virtualMachines/vm-lab")
    if day == made.night + timedelta(days=1):  # the vault's log was switched off in the night
        return
    host = _machine(world)
    if host is not None:
        yield _secret(dice, dice.moment(day, 4, 6), host, made, _SECRETS[0])
    if day.weekday() < 5 and dice.chance(0.4):
        yield Deed(dice.moment(day, 9, 17), SOURCE, dice.guid(), dice.pick(made.engineers), "GetBlob", details={
            "log": "storage", "resource": made.storage, "object": f"exports/ledger-{day:%Y%m%d}.csv",
            "correlation": dice.guid()})


def _machine(world: World) -> Account | None:
    """The managed identity of the machine that writes the reports."""
    directory = world.cast.get("directory")
    return directory.managed[0] if directory is not None else None


def _record(
    dice: Dice, time: datetime, who: Account | Person | None, action: str, resource: str, *, outcome: str = "success",
    admin: bool = False, **details: Any,
) -> Deed:
    """One record of a subscription's activity log."""
    return Deed(time, SOURCE, dice.guid(), who, action, outcome, admin=admin, details={
        "log": "activity", "resource": resource, "correlation": dice.guid(), "category": "Administrative",
        "status": "Succeeded" if outcome == "success" else "Failed", **details})


def _call(
    dice: Dice, time: datetime, who: Account | Person, action: str, resource: str, *, admin: bool = False,
    body: dict[str, Any] | None = None,
) -> list[Deed]:
    """Begun and done: two records of one correlation."""
    ended = _record(dice, time, who, action, resource, admin=admin, body=body)
    begun = _record(dice, time - timedelta(seconds=3), who, action, resource, admin=admin, body=body,
                    status="Started", correlation=ended.details["correlation"])
    return [begun, ended]


def _secret(dice: Dice, time: datetime, who: Account | Person, made: Azure, name: str) -> Deed:
    return Deed(time, SOURCE, dice.guid(), who, "SecretGet", details={
        "log": "vault", "resource": made.vault, "object": f"https://kv-ledger.vault.azure.example/secrets/{name}/"
        + dice.hexadecimal(32), "correlation": dice.guid()})


def _decide(world: World, deed: Deed) -> Deed:
    """A change somebody made by a call: who is known, an approval is in no log, the way back in no table."""
    world.deeds.append(deed)
    world.decisions.append(Decision(deed.event_id, deed.time, deed.action.lower(), "none", initiator="proved",
                                    approver="unknown", rollback="unknown", provider="entra"))
    return deed


def _assigned(dice: Dice, name: str, time: datetime, who: Person, to: Person, role: str, scope: str) -> list[Deed]:
    body = {"Id": name, "Properties": {
        "PrincipalId": to.object_id, "PrincipalType": "User", "Scope": scope,
        "RoleDefinitionId": f"{scope}{_AUTHORIZATION}roleDefinitions/{ROLES[role]}"}}
    return _call(dice, time, who, _ASSIGN, f"{scope}{_AUTHORIZATION}roleAssignments/{name}", admin=True, body=body)


def _activate(world: World, dice: Dice, made: Azure, back: int) -> None:
    """A role over production, activated by an administrator after another approved it."""
    admins = [p for p in world.persons if p.admin_id]
    person, approver = admins[1:3] if back != 13 else admins[2:0:-1]
    request = dice.guid()
    asked = dice.moment(MIDNIGHT - timedelta(days=back), 8, 12)
    body = {"Properties": {"PrincipalId": person.admin_id, "RequestType": "SelfActivate", "Justification": "synthetic",
                           "RoleDefinitionId": f"{made.production}{_AUTHORIZATION}roleDefinitions/{ROLES['Owner']}"}}
    deed = _record(dice, asked, person, "Microsoft.Authorization/roleAssignmentScheduleRequests/write",
                   f"{made.production}{_AUTHORIZATION}roleAssignmentScheduleRequests/{request}", admin=True, body=body)
    one = Activation(request, dice.guid(), person, approver, asked, asked + timedelta(minutes=dice.whole(11, 70)),
                     deed.event_id, deed.details["correlation"])
    made.activations.append(one)
    world.deeds.append(deed)
    world.decisions.append(Decision(
        request, one.started, "SelfActivate", "none", initiator="proved", approver="proved", rollback="proved",
        provider="entra", approved="proved", approved_by=approver.ref, approvals=1))
    world.links += [Link(one.stage_id, deed.event_id, "about", provable=True),
                    Link(request, deed.event_id, "requested_by", provable=True),
                    Link(request, one.stage_id, "authorised_by", provable=True)]


def _night(world: World, dice: Dice, made: Azure) -> None:
    """Owner past any request, the vault opened, its secrets read, its log switched off until the morning."""
    admins = [p for p in world.persons if p.admin_id]
    thief, evening = made.engineers[-1], made.night
    name = dice.guid()
    begun, granted = _assigned(dice, name, dice.moment(evening, 23, 23.6), admins[2], thief, "Owner", made.production)
    world.deeds.append(begun)
    _decide(world, granted)
    hold(world, made, name, thief, "Owner", made.production, granted.time, admins[2].admin_id)
    at = dice.moment(evening + timedelta(days=1), 2, 2.3)
    opened = _decide(world, _record(dice, at, thief, "Microsoft.KeyVault/vaults/accessPolicies/write",
                                    f"{made.vault}/accessPolicies/add"))
    reads = [_secret(dice, at + timedelta(minutes=2, seconds=9 * n), thief, made, secret)
             for n, secret in enumerate(_SECRETS)]
    world.deeds += reads
    setting = f"{made.vault}/providers/Microsoft.Insights/diagnosticSettings/to-storage"
    off = _decide(world, _record(dice, at + timedelta(minutes=5), thief, "Microsoft.Insights/diagnosticSettings/delete",
                                 setting))
    on = _decide(world, _record(dice, dice.moment(evening + timedelta(days=1), 8, 9), admins[1],
                                "Microsoft.Insights/diagnosticSettings/write", setting, admin=True))
    world.links += [Link(on.event_id, off.event_id, "rolls_back", provable=False)]
    world.stories.append(Story(
        "vault_read_at_night", f"{thief.login} was made owner of a subscription late in the evening, past any request, "
        "opened the vault at two, read three secrets and deleted the setting that sends the vault's log away; the next "
        "morning an administrator put it back.",
        [granted.event_id, opened.event_id, *(r.details["correlation"] for r in reads), off.event_id, on.event_id,
         thief.object_id],
        "The grant is a change without an approval on record and an owner for good; the reads stand in the vault's log "
        "under the same person.", ["PRV-06", "LIN-05"]))


def _elevated(world: World, dice: Dice, made: Azure) -> None:
    """An administrator gives itself access to all subscriptions, and keeps it."""
    admin = [p for p in world.persons if p.admin_id][3]
    deed = _decide(world, _record(dice, dice.moment(MIDNIGHT - timedelta(days=26), 17, 18), admin,
                                  "Microsoft.Authorization/elevateAccess/action", "/providers/Microsoft.Authorization",
                                  admin=True))
    hold(world, made, dice.guid(), admin, "User Access Administrator", "/", deed.time, admin.admin_id, admin=True)
    world.stories.append(Story(
        "elevated_and_kept", f"{admin.admin_login} elevated its access to all subscriptions a month ago and still has "
        "it.", [deed.event_id, admin.admin_id], "The elevation is listed with who made it and no approval.",
        ["LIN-05", "PRV-06"]))


def _refused(world: World, dice: Dice, made: Azure) -> None:
    """Somebody without the right tries to give a role: an attempt, not a change."""
    who = made.engineers[0]
    name = dice.guid()
    _, tried = _assigned(dice, name, dice.moment(MIDNIGHT - timedelta(days=9), 10, 15), who, who, "Owner",
                         made.production)
    tried.outcome, tried.admin = "failure", False
    tried.details["status"] = "Failed"
    world.deeds.append(tried)
