"""Changes of access in AWS: who made them, what undid them, and what the records can prove of them."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from lineage_analytics.simulation.dice import Dice
from lineage_analytics.simulation.model import AWS_ACCOUNT, END, AwsEvent, Decision, Link

if TYPE_CHECKING:
    from datetime import datetime

    from lineage_analytics.simulation.model import Person, Principal, World

_PAIRED = frozenset({
    "AttachRolePolicy", "DetachRolePolicy", "AttachUserPolicy", "DetachUserPolicy", "CreateAccessKey",
    "UpdateAccessKey", "CreateUser", "CreateRole", "DeleteRolePolicy", "DeleteUserPolicy", "CreateAccountAssignment",
    "DeleteAccountAssignment",
})
"""Operations with a known way back whose target and parameter stand in the record."""

_LOST = frozenset({"DeleteAccessKey", "DeleteUser"})
"""Cannot be undone; without a second approver there is no way back."""


class Changes:
    """Writes change records into the world, each with the decision it is."""

    def __init__(self, world: World, dice: Dice) -> None:
        self._world, self._dice = world, dice
        self._written: set[tuple[str, ...]] = set()

    def make(
        self, time: datetime, who: Principal, operation: str, request: dict[str, Any], *,
        response: dict[str, Any] | None = None, person: Person | None = None, via_q: bool = False,
        console: bool = False, error: str = "", young_target: bool = False, service: str = "iam",
    ) -> AwsEvent:
        """One call, of IAM unless said otherwise, that changes access; ``error`` makes it an attempt."""
        event = AwsEvent(
            time, who, service, operation, self._dice.guid(), read_only=False, request=request, response=response,
            error=error, person=person, via_q=via_q, console=console, request_id=self._dice.guid(),
            region="us-east-1" if service == "iam" else "eu-west-1",
        )
        self._world.aws.append(event)
        proved = who.kind == "human" or person is not None or console or who.kind in ("service_account", "workload")
        self._world.decisions.append(Decision(
            event.event_id, time, event.action,
            involvement="unknown" if via_q or not proved else "none",
            initiator="proved" if who.kind == "human" or person is not None else "unknown",
            approver="unknown", rollback=self._rollback(operation, request, young_target=young_target),
            provider="aws", executed=not error,
        ))
        return event

    def _rollback(self, operation: str, request: dict[str, Any], *, young_target: bool) -> str:
        if operation in _PAIRED:
            return "proved"
        if operation in _LOST:
            return "missing"
        if operation in ("PutRolePolicy", "PutUserPolicy", "UpdateAssumeRolePolicy"):
            target = (operation, request.get("roleName") or request.get("userName") or "",
                      str(request.get("policyName", "")))
            earlier = target in self._written
            self._written.add(target)
            return "proved" if earlier else "missing" if young_target else "unknown"
        return "unknown"

    def undo(self, undone: AwsEvent, undoing: AwsEvent, kind: str = "exact_inverse") -> None:
        """The second change really undid the first."""
        self._world.links.append(Link(undoing.event_id, undone.event_id, "rolls_back", provable=True))
        for decision in self._world.decisions:
            if decision.event_id == undone.event_id:
                decision.rollback = "proved"
                decision.rolled_back_by, decision.rollback_kind = undoing.event_id, kind


def change(world: World) -> None:
    """Everyday changes: new accounts, rotated keys, grants for an errand taken back afterwards."""
    changes = Changes(world, Dice(world.seed, "aws changes"))
    world.cast["changes"] = changes
    dice = Dice(world.seed, "aws errands")
    admins = [p for p in world.persons if p.admin_id]
    sso: Principal = world.cast["sso_administratoraccess"]
    _births(world, changes, dice, sso, admins)
    _rotations(world, changes, dice, sso, admins)
    _errands(world, changes, dice, sso, admins)


def _births(world: World, changes: Changes, dice: Dice, sso: Principal, admins: list[Person]) -> None:
    for who in world.principals:
        if who.created < world.start or not who.is_nhi:
            continue
        person, at = dice.pick(admins), who.created
        kind = "Role" if who.is_role else "User"
        named = {f"{kind.lower()}Name": who.name}
        response = {kind.lower(): named | {"arn": who.arn, f"{kind.lower()}Id": who.native_id}}
        changes.make(at, sso, f"Create{kind}", dict(named), response=response, person=person)
        for policy in who.policies:
            at += timedelta(seconds=dice.whole(5, 90))
            if policy.arn:
                changes.make(at, sso, f"Attach{kind}Policy", named | {"policyArn": policy.arn}, person=person)
            else:
                changes.make(at, sso, f"Put{kind}Policy", named | {
                    "policyName": policy.name, "policyDocument": _text(policy.document())}, person=person,
                    young_target=True)


def _text(document: dict[str, Any]) -> str:
    import json  # noqa: PLC0415

    return json.dumps(document, separators=(",", ":"))


def _rotations(world: World, changes: Changes, dice: Dice, sso: Principal, admins: list[Person]) -> None:
    """Keys made within the log; some of the old ones deleted, a few only switched off."""
    users = [p for p in world.principals if p.kind == "service_account" and p.keys]
    for who in users:
        for key in who.keys:
            if key.created is None or key.created < world.start or key.created.date() < who.created.date():
                continue
            person, at = dice.pick(admins), key.created
            made = {"accessKeyId": key.key_id, "userName": who.name, "status": "Active"}
            changes.make(at, sso, "CreateAccessKey", {"userName": who.name}, response={"accessKey": made},
                         person=person)
            if who.created < world.start and dice.chance(0.4) and (END - at).days > 2:
                changes.make(at + timedelta(hours=dice.whole(20, 30)), sso, "DeleteAccessKey",
                             {"userName": who.name, "accessKeyId": dice.aws_id("AKIA")}, person=person)
    for who in dice.some([u for u in users if len(u.keys) > 1 and u.created < world.start], 4):
        key = who.keys[1]
        if key.created is not None and key.created < END - timedelta(days=12):
            key.active = False
            changes.make(END - timedelta(days=dice.whole(2, 10), hours=10), sso, "UpdateAccessKey",
                         {"userName": who.name, "accessKeyId": key.key_id, "status": "Inactive"},
                         person=dice.pick(admins))


def _errands(world: World, changes: Changes, dice: Dice, sso: Principal, admins: list[Person]) -> None:
    """A policy attached for an errand and detached again by the same hand; documents set anew; refused attempts."""
    roles = [p for p in world.principals if p.is_role and p.is_nhi and p.created < world.start]
    humans = [p for p in world.principals if p.archetype == "human" and not p.quiet]
    arn = f"arn:aws:iam::{AWS_ACCOUNT}:policy/synthetic-errand"
    for day in world.midnights:
        if day.weekday() > 4:
            continue
        if dice.chance(0.35):
            person, role = dice.pick(admins), dice.pick(roles)
            at = dice.moment(day, 8, 14)
            request = {"roleName": role.name, "policyArn": arn}
            first = changes.make(at, sso, "AttachRolePolicy", request, person=person)
            second = changes.make(at + timedelta(minutes=dice.whole(15, 200)), sso, "DetachRolePolicy", dict(request),
                                  person=person)
            changes.undo(first, second)
        if dice.chance(0.3):
            role = dice.pick(roles)
            policy = next((p for p in role.policies if not p.arn), None)
            if policy is not None:
                who = dice.pick(humans)
                changes.make(dice.moment(day, 8, 16), who, "PutRolePolicy", {
                    "roleName": role.name, "policyName": policy.name, "policyDocument": _text(policy.document())},
                    console=True)
        if dice.chance(0.12):
            changes.make(dice.moment(day, 8, 16), dice.pick(humans), "AttachRolePolicy",
                         {"roleName": dice.pick(roles).name, "policyArn": arn}, console=True, error="AccessDenied")
