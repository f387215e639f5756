"""Models on Amazon Bedrock: who calls which, as the invocation log has it, and each call in the trail as well."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from lineage_analytics.simulation.everyday import works
from lineage_analytics.simulation.model import END, AwsEvent, Deed, Story

if TYPE_CHECKING:
    from datetime import datetime

    from lineage_analytics.simulation.dice import Dice
    from lineage_analytics.simulation.model import Principal, World

SOURCE = "aws_bedrock"
_MODELS = ("anthropic.claude-sonnet-4-20250514-v1:0", "amazon.nova-lite-v1:0", "mistral.mistral-large-2407-v1:0")
_LAST = END.replace(hour=0, minute=0, second=0)
_MOST_SOFTWARE = 3


def begin(world: World, dice: Dice) -> None:
    """Calls of the few who may, a person and software that may do everything; and of one who may not."""
    _people(world, dice)
    _software(world, dice)
    _refused(world, dice)
    _guardrail(world, dice)


def _invoke(
    world: World, dice: Dice, time: datetime, who: Principal, *, error: str = "", intervened: bool = False,
) -> AwsEvent:
    """One call in both logs, under one request id. An invocation lists no resources."""
    model = dice.early(_MODELS)
    event = AwsEvent(time, who, "bedrock", "InvokeModel", dice.guid(), request={"modelId": model}, error=error,
                     request_id=dice.guid(), on_time=True)
    world.aws.append(event)
    world.deeds.append(Deed(time, SOURCE, event.request_id, who, event.action, "denied" if error else "success", {
        "model": model, "intervened": intervened, "bare_assistant": True,
        "tokens": (dice.whole(40, 900), 0 if error else dice.whole(20, 400))}))
    return event


def _administrator(world: World) -> Principal:
    """The one person's IAM user that may call a model; the log names single sign-on roles without their path."""
    return next(p for p in world.principals if p.archetype == "human" and p.groups == [world.groups[1]] and not p.quiet)


def _people(world: World, dice: Dice) -> None:
    """An administrator tries models from a laptop."""
    user = _administrator(world)
    for day in world.midnights:
        if day.weekday() < 5 and dice.chance(0.3):
            time = dice.moment(day, 8, 15)
            for number in range(dice.whole(1, 3)):
                _invoke(world, dice, time + timedelta(seconds=40 * number), user)


def _software(world: World, dice: Dice) -> None:
    """Emergency automation summarises what it finds, on the days it works."""
    powerful = world.policies["AdministratorAccess"]
    able = [p for p in world.principals if p.is_nhi and powerful in p.policies and p.archetype == "admin"
            and p.rhythm in ("daily", "weekday", "weekly")]
    for who in able[:_MOST_SOFTWARE]:
        for day in world.midnights:
            if works(who, day) and dice.chance(0.8 if who.rhythm == "weekly" else 0.3):
                _invoke(world, dice, dice.moment(day, who.hour, who.hour + 1.5), who)


def _refused(world: World, dice: Dice) -> None:
    """A role without any right to models tries one at night, five times in a minute, and is refused."""
    who = next(p for p in world.principals if p.is_role and p.is_nhi and p.created < world.start
               and p.rhythm in ("daily", "weekday") and p.archetype in ("deployer", "parameters", "etl", "snapshots"))
    at = dice.moment(_LAST - timedelta(days=6), 2, 3)
    tried = [_invoke(world, dice, at + timedelta(seconds=11 * number), who, error="AccessDeniedException")
             for number in range(5)]
    world.stories.append(Story(
        "model_refused_at_night", f"{who.name}, which nobody allowed any model, tried to call one five times at night.",
        [who.arn, *(event.event_id for event in tried), *(event.request_id for event in tried)],
        "The refused calls stand in both logs under one request id each, and count as no use of a permission.",
        ["VIS-02"]))


def _guardrail(world: World, dice: Dice) -> None:
    """A guardrail steps in twice."""
    user = _administrator(world)
    stopped = [_invoke(world, dice, dice.moment(_LAST - timedelta(days=back), 9, 15), user, intervened=True)
               for back in (10, 3)]
    world.stories.append(Story(
        "guardrail_stepped_in", f"A guardrail stepped in on two of {user.name}'s calls of a model.",
        [user.arn, *(event.request_id for event in stopped)], "Both are shown as blocked."))
