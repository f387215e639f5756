"""Changes in AWS that are taken back, in every way that is one and in some that are none."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from lineage_analytics.simulation.model import AWS_ACCOUNT, END, Story

if TYPE_CHECKING:
    from datetime import datetime

    from lineage_analytics.simulation.aws_changes import Changes
    from lineage_analytics.simulation.dice import Dice
    from lineage_analytics.simulation.model import AwsEvent, Person, Principal, World

_LAST = END.replace(hour=0, minute=0, second=0)
_POLICY = f"arn:aws:iam::{AWS_ACCOUNT}:policy/synthetic-errand"
_PAIRS: tuple[tuple[str, str, dict[str, str]], ...] = (
    ("AttachUserPolicy", "DetachUserPolicy", {"userName": "fro-user", "policyArn": _POLICY}),
    ("AttachGroupPolicy", "DetachGroupPolicy", {"groupName": "fro-group", "policyArn": _POLICY}),
    ("AddUserToGroup", "RemoveUserFromGroup", {"groupName": "fro-group", "userName": "fro-user"}),
    ("AddRoleToInstanceProfile", "RemoveRoleFromInstanceProfile",
     {"instanceProfileName": "fro-profile", "roleName": "fro-role"}),
)
"""Operations that the reference of the IAM API gives as each other's opposite, and what they are called with."""


def begin(world: World, dice: Dice) -> None:
    told = _Told(world, dice)
    _exact(told)
    _again(told)
    _refused(told)
    _earlier_value(told)
    _another_target(told)


class _Told:
    """An administrator's calls of IAM, some minutes apart."""

    def __init__(self, world: World, dice: Dice) -> None:
        self.world, self._dice = world, dice
        self._changes: Changes = world.cast["changes"]
        self._sso: Principal = world.cast["sso_administratoraccess"]
        self.admin: Person = [p for p in world.persons if p.admin_id][1]

    def at(self, back: int) -> datetime:
        return self._dice.moment(_LAST - timedelta(days=back), 9, 14)

    def call(self, at: datetime, operation: str, request: dict[str, Any], error: str = "") -> AwsEvent:
        made = self._changes.make(at, self._sso, operation, dict(request), person=self.admin, error=error)
        made.on_time = True
        self.world.decisions[-1].rollback = "proved"
        return made

    def undo(self, undone: AwsEvent, undoing: AwsEvent, kind: str = "exact_inverse") -> None:
        self._changes.undo(undone, undoing, kind)

    def story(self, name: str, what: str, events: list[AwsEvent], says: str) -> None:
        self.world.stories.append(Story(name, what, [event.event_id for event in events], says, ["LIN-16"]))


def _exact(told: _Told) -> None:
    events = []
    for number, (forward, back, request) in enumerate(_PAIRS):
        at = told.at(23 - number)
        first = told.call(at, forward, request)
        second = told.call(at + timedelta(minutes=35), back, request)
        told.undo(first, second)
        events += [first, second]
    told.story("given_and_taken_back", "Four grants were taken back after half an hour, each by its opposite.", events,
               "Each reads as rolled back, exactly.")


def _again(told: _Told) -> None:
    """Given, taken, given again and taken again: last in, first out."""
    request = {"roleName": "fro-again", "policyArn": _POLICY}
    at = told.at(18)
    events = [told.call(at + timedelta(minutes=30 * n), ("AttachRolePolicy", "DetachRolePolicy")[n % 2], request)
              for n in range(4)]
    told.undo(events[0], events[1])
    told.undo(events[2], events[3])
    told.story("to_and_fro", "A policy was attached and detached twice within two hours.", events,
               "Two rollbacks, each of the attachment before it.")


def _refused(told: _Told) -> None:
    """The way back fails, and nobody tries once more."""
    request = {"roleName": "fro-stays", "policyArn": _POLICY}
    at = told.at(12)
    events = [told.call(at, "AttachRolePolicy", request),
              told.call(at + timedelta(minutes=20), "DetachRolePolicy", request, error="AccessDenied")]
    told.story("rollback_that_failed", "A policy was attached; taking it back was refused.", events,
               "The attachment stands: an attempt takes nothing back.")


def _earlier_value(told: _Told) -> None:
    """A trust policy is set, set to another, and set to the first again."""
    documents = [json.dumps({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": f"{service}.amazonaws.com"}}]},
        separators=(",", ":")) for service in ("lambda", "ec2", "lambda")]
    at = told.at(10)
    events = [told.call(at + timedelta(minutes=40 * n), "UpdateAssumeRolePolicy",
                        {"roleName": "fro-trust", "policyDocument": document}) for n, document in enumerate(documents)]
    told.world.decisions[-3].rollback = "unknown"  # what stood before the first is older than the log
    told.undo(events[1], events[2], "state_restoring")
    told.story("earlier_value_set_again", "Who may become a role was changed, and changed back an hour later.", events,
               "The second change reads as rolled back by the third, which restored the value of the first.")


def _another_target(told: _Told) -> None:
    """The opposite on another role, and with another policy: neither takes anything back."""
    at = told.at(15)
    events = [told.call(at, "AttachRolePolicy", {"roleName": "fro-one", "policyArn": _POLICY}),
              told.call(at + timedelta(minutes=20), "DetachRolePolicy", {"roleName": "fro-two", "policyArn": _POLICY}),
              told.call(at + timedelta(minutes=30), "DetachRolePolicy", {
                  "roleName": "fro-one", "policyArn": f"arn:aws:iam::{AWS_ACCOUNT}:policy/synthetic-power-user"})]
    told.story("opposites_that_undo_nothing", "A policy was attached to one role; the same was detached from another, "
               "and another policy from the first.", events, "Nothing was rolled back.")
