"""A support agent built at home: its traces, the tools it works with over MCP, and what people let it do."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count
from typing import TYPE_CHECKING
from urllib.parse import quote

from lineage_analytics.simulation import names
from lineage_analytics.simulation.chapters import _agents_runs as runs
from lineage_analytics.simulation.chapters._agents_runs import Run, Talk
from lineage_analytics.simulation.model import END, SITES, Decision, Link, OwnerRow, Story

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lineage_analytics.simulation.dice import Dice
    from lineage_analytics.simulation.model import Deed, File, Person, World

_LAST = END.replace(hour=0, minute=0, second=0)


def begin(world: World, dice: Dice) -> None:
    """The agents and their users, and what is told of the last weeks."""
    made = runs.cast(world, dice)
    world.cast["support agent"] = made
    owner = made.people[0]
    world.owners.append(OwnerRow(made.agent.ref, owner.login, (END - timedelta(days=47)).date().isoformat(),
                                 "Answers support questions and unlocks accounts (synthetic)"))
    made.agent.owner_state, made.agent.purpose = "true", "Answers support questions and unlocks accounts (synthetic)"
    _unlocks(world, dice, made)
    _failed_call(world, dice, made)
    _shadow(world, dice, made)


def day(world: World, day: datetime, dice: Dice) -> Iterator[Deed]:
    """Every night a digest; on working days questions of the support staff."""
    made: runs.Cast = world.cast["support agent"]
    night = Run(dice, world, made.agent, None, dice.moment(day, 3, 4))
    night.chat(4)
    yield from night.deeds
    for _ in range(dice.whole(0, 2) if day.weekday() < 5 else 0):
        yield from _question(world, made, dice.moment(day, 7, 16), dice)


def address(file: File) -> str:
    return f"{SITES}/sites/{file.site}/Shared%20Documents/{quote(file.name)}"


def _question(world: World, made: runs.Cast, at: datetime, dice: Dice) -> list[Deed]:
    """Somebody asks; the agent looks things up and looks at a ticket."""
    who = dice.pick(made.people)
    run = Run(dice, world, made.agent, who, at)
    talk = Talk(dice, made, dice.guid(), who)
    run.chat(1)
    run.retrieve(5, dice.some(who.files[:4], dice.whole(1, 3)), address)
    talk.greet(at + timedelta(seconds=8))
    if dice.chance(0.2):
        talk.list_tools(at + timedelta(seconds=10))
    run.tool(12, "find_ticket", talk.session)
    talk.call(at + timedelta(seconds=12), "find_ticket", run.trace)
    if dice.chance(0.15):
        talk.read(at + timedelta(seconds=15), f"desk://handbook/{dice.whole(1, 9)}")
    run.chat(16)
    return [*run.deeds, *talk.deeds]


def _day(dice: Dice, back: int) -> datetime:
    return dice.moment(_LAST - timedelta(days=back), 8, 15)


@dataclass
class _Unlock:
    """One wish to unlock an account, and what stands of it on record."""

    asked: str
    answer: str = ""
    done: str = ""
    elicited: str = ""


def _unlocks(world: World, dice: Dice, made: runs.Cast) -> None:
    admins = [p for p in world.persons if p.admin_id and p.declared and p.left_on is None]
    staff = [p for p in world.persons if p.declared and p.left_on is None and not p.admin_id]
    numbers = count(4101)

    def told(back: int, approver: Person | None, *, denied: bool = False, asks: str = "accept", verb: str = "enable",
             target: Person | None = None) -> _Unlock:
        whom = target or dice.pick(staff)
        return _unlock(world, dice, made, _day(dice, back), whom, f"SUP-{next(numbers)}", approver, denied=denied,
                       answer=asks, verb=verb)

    approved = [told(back, admins[place % 2]) for place, back in enumerate((3, 8, 15, 22))]
    alone = [told(back, None, asks="") for back in (5, 18)]
    refused = told(12, admins[0], denied=True)
    declined = told(10, admins[1], asks="decline")
    same = staff[-1]
    first = told(14, admins[0], target=same)
    back_again = told(13, admins[1], verb="disable", target=same)
    world.links.append(Link(back_again.done, first.done, "rolls_back", provable=False))
    world.stories += [
        Story("support_agent_unlocks_with_approval", "The support agent unlocked accounts that an administrator had "
              "approved by name, and asked the user once more before it did.",
              [made.agent.native_id, *(found for u in approved for found in (u.asked, u.answer, u.done, u.elicited))],
              "Each is an action of an AI agent that a person approved before.", ["LIN-05", "ACC-01"]),
        Story("support_agent_unlocks_alone", "Twice it unlocked an account and its trace holds no approval.",
              [found for u in alone for found in (u.asked, u.done)],
              "Nothing shows whether a person let it: unknown, not autonomous.", ["LIN-05", "ACC-01"]),
        Story("support_agent_was_stopped", "One wish was denied by an administrator; one was approved, and declined by "
              "the user whom the server of the tools asked.",
              [refused.asked, refused.answer, declined.asked, declined.answer, declined.elicited],
              "Neither was carried out.", ["LIN-05"]),
    ]


def _unlock(
    world: World, dice: Dice, made: runs.Cast, at: datetime, target: Person, case: str, approver: Person | None, *,
    denied: bool, answer: str, verb: str,
) -> _Unlock:
    """A run that wants to unlock somebody's account. ``answer``: of the user, whom the tools' server asks; empty: not
    asked."""
    user = dice.pick(made.people)
    run, talk = Run(dice, world, made.agent, user, at), Talk(dice, made, dice.guid(), user)
    about = {"lineage.case_id": case, "lineage.target": f"entra:{world.tenant}:user/{target.object_id}",
             "lineage.effect": verb}
    talk.greet(at + timedelta(seconds=2))
    run.chat(2)
    found = _Unlock(run.span(6, "plan", {
        "gen_ai.operation.name": "plan", "lineage.step": "request", "lineage.justified": True,
        "lineage.evidence_ref": f"{case} of {user.login}", **about}))
    if approver is not None:
        found.answer = run.span(240, "ask a person", {
            "gen_ai.operation.name": "human_review", "lineage.step": "denial" if denied else "approval",
            "lineage.approver": f"entra:{world.tenant}:{approver.admin_id}", **about})
        world.links.append(Link(found.answer, found.asked, "about", provable=True))
    if not denied:
        stopped = answer == "decline"
        tool = "unlock_account" if verb == "enable" else "reset_token"
        call = talk.call(at + timedelta(seconds=300), tool, run.trace, seconds=45 if answer else 2, failed=stopped)
        if answer:
            found.elicited = talk.elicit(at + timedelta(seconds=303), "Go on? (synthetic)", answer)
        found.done = run.tool(300, tool, talk.session, seconds=46, failed=stopped,
                              **{"lineage.step": "execution", **about})
        world.links.append(Link(found.done, call, "informed_by", provable=False))
        if found.elicited and not stopped:
            world.links.append(Link(found.done, found.elicited, "authorised_by", provable=False))
        if not stopped:
            _decided(world, at + timedelta(seconds=300), found)
    world.deeds += [*run.deeds, *talk.deeds]
    return found


def _decided(world: World, time: datetime, found: _Unlock) -> None:
    world.links.append(Link(found.done, found.asked, "requested_by", provable=True))
    if found.answer:
        world.links.append(Link(found.done, found.answer, "authorised_by", provable=True))
    state = "proved" if found.answer else "unknown"
    world.decisions.append(Decision(
        found.done, time, "lineage.execution", "executes_approved" if found.answer else "unknown", initiator="proved",
        approver=state, rollback="unknown", provider="otel", approved=state, self_approved=False,
        approvals=int(bool(found.answer))))


def _failed_call(world: World, dice: Dice, made: runs.Cast) -> None:
    at, user = _day(dice, 4), made.people[1]
    run, talk = Run(dice, world, made.agent, user, at), Talk(dice, made, dice.guid(), user)
    talk.greet(at)
    talk.list_tools(at + timedelta(seconds=2))
    span = run.tool(6, "reset_token", talk.session, failed=True)
    call = talk.call(at + timedelta(seconds=6), "reset_token", run.trace, failed=True)
    world.deeds += [*run.deeds, *talk.deeds]
    world.stories.append(Story(
        "tool_call_that_failed", "A call of reset_token failed; the trace and the server's log both say so.",
        [span, call], "The call reads as a failure in both.", []))


def _shadow(world: World, dice: Dice, made: runs.Cast) -> None:
    """An agent of the same service that nobody answers for reads confidential documents."""
    secret = [f for f in world.files if f.label in (names.LABELS["Confidential"], names.LABELS["Highly Confidential"])]
    ids = []
    for back in (2, 9, 17):
        run = Run(dice, world, made.shadow, None, _day(dice, back))
        ids.append(run.retrieve(3, dice.some(secret, 3), address))
        world.deeds += run.deeds
    world.stories.append(Story(
        "agent_nobody_answers_for", f"The agent {runs.SHADOW} of the support service is on no list and read "
        "confidential documents.", [made.shadow.native_id, *ids],
        "It stands among the actors in no inventory.", ["VIS-01", "VIS-02"]))
