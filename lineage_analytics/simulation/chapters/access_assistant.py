"""Traces of the agent that asks for directory roles: what it looked up, what it advised, which request it then made.

The collector takes the first traces of a day and no more. While the agent makes few requests that is nearly each of
them; as it makes more, ever more of its requests stand in the directory's log alone, and what they were based on was
not kept.
"""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING

from lineage_analytics.simulation.chapters import _agents_runs as runs
from lineage_analytics.simulation.chapters._agents_runs import Run
from lineage_analytics.simulation.dice import Dice
from lineage_analytics.simulation.model import Account, Link, OwnerRow, Story

if TYPE_CHECKING:
    from datetime import date

    from lineage_analytics.simulation.model import RoleRequest, World

_DAILY = 2
"""Traces of a day that the collector takes."""
_TAKEN = 0.97
_LEAD = timedelta(seconds=24)
_PURPOSE = "Asks for directory roles that people want (synthetic)"


def begin(world: World, dice: Dice) -> None:
    agent = Account("otel", runs.SERVICE, dice.guid(), "Access assistant", "ai_agent", listed=True, logged=True,
                    owner_state="true", purpose=_PURPOSE)
    world.accounts.append(agent)
    world.owners.append(OwnerRow(agent.ref, world.persons[0].login, "2026-03-20", _PURPOSE))
    world.cast["traced agent"] = agent


def conclude(world: World) -> None:
    """A trace for each request that the collector still took; what all of them were based on is told accordingly."""
    dice = Dice(world.seed, "traces of role requests")
    agent = world.agents[0]
    asked = sorted((one for one in world.role_requests if one.requester.agent is agent),
                   key=lambda one: (one.asked.time, one.asked.event_id))
    decisions = {decision.event_id: decision for decision in world.decisions}
    taken: Counter[date] = Counter()
    kept, lost = list[str](), list[str]()
    for one in asked:
        day = one.asked.time.date()
        traced = one is asked[-1] or (taken[day] < _DAILY and dice.chance(_TAKEN))
        decision = decisions[(one.done or one.asked).event_id]
        if traced:
            taken[day] += 1
            kept.append(_trace(world, dice, one))
            decision.inputs = decision.recommendation = "proved"
        else:
            # A thread quoted in the reason still hints at what was read; and who decided must be known to ask for it.
            hinted = decision.quoted or decision.involvement == "unknown"
            decision.inputs = decision.recommendation = "unknown" if hinted else "missing"
            lost += [] if hinted else [decision.event_id]
    world.stories.append(Story(
        "traces_fall_behind", f"Of the agent's {len(asked)} role requests {len(kept)} have a trace: nearly each at "
        f"first; at most about {_DAILY} a day later, while it asks for more.", [*kept[:3], *lost[-3:]],
        "What later requests were based on was not kept: the gap between pace and assurance opens, by its evidence.",
        ["ACC-04", "ACC-05", "LIN-01"]))


def _trace(world: World, dice: Dice, one: RoleRequest) -> str:
    """What the agent looked up, what it advised, and the request that came of it, by the id the directory gave it."""
    run = Run(dice, world, world.cast["traced agent"], None, one.asked.time - _LEAD)
    case = {"lineage.case_id": f"ROLE-{dice.hexadecimal(8)}"}
    read = run.span(4, "retrieval role-catalogue", {
        "gen_ai.operation.name": "retrieval", "gen_ai.data_source.id": "role-catalogue"}, bare_assistant=True, found=1)
    advice = run.span(12, "plan", {"gen_ai.operation.name": "plan", "lineage.step": "recommendation", **case})
    call = run.span(22, "execute_tool request_role", {
        "gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "request_role", "gen_ai.tool.type": "extension",
        "lineage.step": "request", "lineage.request_id": one.request_id, **case}, seconds=3)
    world.deeds += run.deeds
    world.links.append(Link(advice, read, "read", provable=True))
    if one.answer is not None:
        world.links.append(Link(one.answer.event_id, advice, "about", provable=True))
    if one.done is not None:
        world.links.append(Link(one.done.event_id, call, "requested_by", provable=True))
    return call
