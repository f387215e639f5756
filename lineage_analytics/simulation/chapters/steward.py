"""An agent that tidies up rights in the clouds: its traces hold the ids by which the providers know its calls.

Its reasons, and what people let it do, stand in the trace alone; what it did stands in the provider's log. The id of
the request (AWS) or of the trace (Google Cloud) is the only thing both have.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from lineage_analytics.simulation.chapters import _agents_runs as runs
from lineage_analytics.simulation.chapters._agents_runs import Run
from lineage_analytics.simulation.chapters._google_cloud_project import ON_PROJECT, PROJECT, Binding, Project, member
from lineage_analytics.simulation.model import (
    AWS_ACCOUNT,
    END,
    Account,
    AwsEvent,
    Decision,
    Link,
    OwnerRow,
    Policy,
    Principal,
    Statement,
    Story,
)
from lineage_analytics.simulation.organisation import allow, arn, long_ago

if TYPE_CHECKING:
    from datetime import datetime

    from lineage_analytics.simulation.dice import Dice
    from lineage_analytics.simulation.model import Person, World

_LAST = END.replace(hour=0, minute=0, second=0)
_PURPOSE = "Takes rights away that nobody uses (synthetic)"
_POLICY = f"arn:aws:iam::{AWS_ACCOUNT}:policy/synthetic-errand"


def begin(world: World, dice: Dice) -> None:
    made = _Steward(world, dice)
    world.cast["more tenants"] = [runs.SERVICE, *world.cast.get("more tenants", ())]
    _approved(made)
    _alone(made)
    _late(made)
    _in_google_cloud(made)


@dataclass
class _Told:
    """One errand: what was advised, answered and done in the trace, and the provider's record of it."""

    advice: str
    answer: str
    done: str
    event: str


class _Steward:
    """The agent, the role it uses in AWS, and the pen that writes its errands."""

    def __init__(self, world: World, dice: Dice) -> None:
        self.world, self.dice = world, dice
        self.admins = [p for p in world.persons if p.admin_id and p.declared and p.left_on is None]
        self.agent = Account("otel", runs.SERVICE, dice.guid(), "Cloud steward", "ai_agent", listed=True, logged=True)
        world.accounts.append(self.agent)
        world.owners.append(OwnerRow(self.agent.ref, self.admins[0].login, "2026-05-12", _PURPOSE))
        self.agent.owner_state, self.agent.purpose = "true", _PURPOSE
        self.role = Principal(
            "cloud-steward", dice.aws_id("AROA"), arn("role", "cloud-steward"), long_ago(dice), "workload",
            is_role=True, archetype="steward", session="cloud-steward", purpose=_PURPOSE, environment="prod",
            policies=[Policy("steward", (Statement(("iam:AttachRolePolicy", "iam:DetachRolePolicy"), ("*",)),))],
            trust=[allow("sts:AssumeRole", {"Service": "ecs-tasks.amazonaws.com"})])
        world.principals.append(self.role)
        self.targets = [p for p in world.principals if p.is_role and p.is_nhi and p.created < world.start
                        and p.archetype in ("deployer", "parameters", "etl", "queue")]

    def at(self, back: int) -> datetime:
        return self.dice.moment(_LAST - timedelta(days=back), 9, 14)

    def backs(self, *backs: int) -> list[int]:
        return [back for back in backs if back < self.world.days - 2]

    def errand(self, at: datetime, approver: Person | None, *, answered: float = 240, operation: str =
               "AttachRolePolicy") -> _Told:
        """The agent looks at a role, advises, perhaps asks a person, and makes the call. ``answered``: seconds until
        the answer; the call is made after 400."""
        dice, target = self.dice, self.dice.pick(self.targets)
        run = Run(dice, self.world, self.agent, None, at)
        verb = "grant" if operation.startswith("Attach") else "revoke"
        about = {"lineage.case_id": f"STEWARD-{dice.hexadecimal(6)}",
                 "lineage.target": f"aws:{AWS_ACCOUNT}:role/{target.name}|{_POLICY}", "lineage.effect": verb}
        run.chat(2)
        advice = run.span(6, "plan", {"gen_ai.operation.name": "plan", "lineage.step": "recommendation", **about})
        answer = "" if approver is None else self._answer(run, answered, approver, about)
        request = dice.guid()
        done = run.span(700, f"execute_tool {operation}", {
            "gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": operation, "gen_ai.tool.type": "extension",
            "aws.request_id": request, "lineage.step": "execution", **about}, seconds=3)
        event = AwsEvent(
            at + timedelta(seconds=701), self.role, "iam", operation, dice.guid(), read_only=False,
            request={"roleName": target.name, "policyArn": _POLICY}, request_id=request, region="us-east-1",
            on_time=True)
        self.world.aws.append(event)
        self.world.deeds += run.deeds
        told = _Told(advice, answer, done, event.event_id)
        self._links(told)
        return told

    def _answer(self, run: Run, after: float, approver: Person, about: dict[str, Any]) -> str:
        return run.span(after, "ask a person", {
            "gen_ai.operation.name": "human_review", "lineage.step": "approval",
            "lineage.approver": f"entra:{self.world.tenant}:{approver.admin_id}", **about})

    def _links(self, told: _Told) -> None:
        """The call in the trace set off what the provider records."""
        links = [Link(told.event, told.done, "triggered_by", provable=True)]
        if told.answer:
            links += [Link(told.answer, told.advice, "about", provable=True),
                      *(Link(end, told.answer, "authorised_by", provable=True) for end in (told.event, told.done))]
        self.world.links += links

    def decided(self, told: _Told, time: datetime, answered: Person | None, involvement: str, **fields: Any) -> None:
        state = "proved" if answered else "unknown"
        self.world.decisions.append(Decision(
            told.event, time, "iam:AttachRolePolicy", involvement, **{
                "initiator": "unknown", "approver": state, "rollback": "proved", "provider": "aws", "approved": state,
                "approved_by": answered.ref if answered else "", "self_approved": False,
                "approvals": int(answered is not None), "recommendation": "proved", **fields}))


def _approved(made: _Steward) -> None:
    told = []
    for back, approver in zip(made.backs(25, 18, 11, 4), made.admins * 4, strict=False):
        at = made.at(back)
        errand = made.errand(at, approver)
        made.decided(errand, at + timedelta(seconds=701), approver, "executes_approved", self_approved=None)
        told.append(errand)
    made.world.stories.append(Story(
        "steward_acts_as_approved", "The cloud steward changed roles in AWS that an administrator had approved in its "
        "trace.", [found for one in told for found in (one.advice, one.answer, one.done, one.event)],
        "Each call in AWS is the agent's, advised and approved, joined by the id of the request.", ["LIN-05"]))


def _alone(made: _Steward) -> None:
    """Nobody is asked. The trace would hold an answer; that none was given elsewhere, no record shows."""
    told = []
    for back in made.backs(21, 7):
        at = made.at(back)
        errand = made.errand(at, None)
        made.decided(errand, at + timedelta(seconds=701), None, "unknown", really="executes_autonomous",
                     self_approved=False)
        told.append(errand)
    made.world.stories.append(Story(
        "steward_acts_alone", "Twice the cloud steward changed a role in AWS and its trace holds no approval.",
        [found for one in told for found in (one.advice, one.done, one.event)],
        "The calls are the agent's; whether a person let it is unknown.", ["LIN-05", "ACC-01"]))


def _late(made: _Steward) -> None:
    """The answer comes an hour after the call."""
    at = made.at(13)
    errand = made.errand(at, made.admins[1], answered=4_000)
    made.decided(errand, at + timedelta(seconds=701), made.admins[1], "executes_autonomous", approver="missing",
                 approved="missing", retroactive=True, self_approved=None)
    made.world.stories.append(Story(
        "steward_is_approved_too_late", "An administrator approved in the trace what the steward had done an hour "
        "before in AWS.", [errand.advice, errand.answer, errand.done, errand.event],
        "It does not count as approved before.", ["LIN-05"]))


def _in_google_cloud(made: _Steward) -> None:
    """Google Cloud keeps the trace a call came from."""
    project: Project = made.world.cast["gcp"]
    dice, world, approver = made.dice, made.world, made.admins[2]
    world.cast["more tenants"].append(PROJECT)
    at = made.at(10)
    binding = Binding(ON_PROJECT, "roles/logging.viewer", member(project.team[2]))
    run = Run(dice, world, made.agent, None, at)
    about = {"lineage.case_id": f"STEWARD-{dice.hexadecimal(6)}", "lineage.effect": "grant",
             "lineage.target": f"gcp::binding/cloudresourcemanager.googleapis.com/{ON_PROJECT}|{binding.role}|"
                               f"{binding.member}"}
    advice = run.span(6, "plan", {"gen_ai.operation.name": "plan", "lineage.step": "recommendation", **about})
    answer = run.span(200, "ask a person", {
        "gen_ai.operation.name": "human_review", "lineage.step": "approval",
        "lineage.approver": f"entra:{world.tenant}:{approver.admin_id}", **about})
    before = len(world.decisions)
    change = project.policy(at + timedelta(seconds=600), project.others["agent"], given=(binding,),
                            involvement="executes_approved", initiator="unknown")
    change.details["trace"] = run.trace
    for decision in world.decisions[before:]:
        decision.approver = decision.approved = "proved"
        decision.approved_by, decision.approvals, decision.self_approved = approver.ref, 1, False
        decision.recommendation = "proved"
    world.deeds += run.deeds
    world.links += [Link(answer, advice, "about", provable=True),
                    Link(change.event_id, answer, "authorised_by", provable=True)]
    world.stories.append(Story(
        "steward_in_google_cloud", "The steward gave a role in Google Cloud after an administrator had agreed in its "
        "trace, which the entry names.", [advice, answer, change.event_id],
        "The entry's trace joins it to the advice and the approval.", ["LIN-05"]))

