"""Microsoft Purview beside the audit log: how open the sites are, what Activity Explorer and mailbox copies tell.

Activity Explorer tells the interactions of the last thirty days again, with flags in place of lists; of the days that
the audit export lacks it tells alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from lineage_analytics.simulation import names
from lineage_analytics.simulation.chapters import _purview_changes, _purview_sites
from lineage_analytics.simulation.chapters._purview_changes import EXPLORER, MIDNIGHT, thread
from lineage_analytics.simulation.model import Access, Conversation, Deed, Interaction, Person, Story

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lineage_analytics.simulation.chapters._purview_sites import Exposure
    from lineage_analytics.simulation.dice import Dice
    from lineage_analytics.simulation.model import Happened, World

_KEPT = 30
"""Days that Activity Explorer looks back."""


@dataclass
class Cast:
    """What the writers need of this chapter. ``able``: people on the list who are still there, administrators apart."""

    exposure: Exposure
    able: list[Person]
    custodians: list[Person] = field(default_factory=list)


def begin(world: World, dice: Dice) -> None:
    """The sites as the reports find them; conversations of three people, some of them on the lost days; changes."""
    able = [p for p in world.persons if p.left_on is None and p.declared and not p.admin_id]
    cast = Cast(_purview_sites.opened(world, dice), able, dice.some(able, 3))
    world.cast["purview"] = cast
    _talks(world, dice, cast)
    _lost_days(world, dice, cast)
    _purview_changes.tell(world, dice, able, cast.exposure)


def day(world: World, day: datetime, dice: Dice) -> Iterator[Deed]:
    """Labels put on documents of one's own device, and policies that matched: what no other log here tells."""
    if not _recent(day):
        return
    able = world.cast["purview"].able
    for _ in range(dice.whole(0, 2) if day.weekday() > 4 else dice.whole(1, 4)):
        who, time = dice.pick(able), dice.moment(day, 7, 18)
        action = dice.weighted((("LabelApplied", 5.0), ("LabelChanged", 2.0), ("DLPRuleMatch", 2.0),
                                ("FileCopiedToRemovableMedia", 1.0)))
        details: dict[str, Any] = {"name": f"{dice.pick(names.TOPICS)} draft {dice.whole(1, 400)}.docx"}
        if action == "DLPRuleMatch":
            details = {"file": dice.early(who.files)}
        elif action.startswith("Label"):
            details["label"] = dice.pick([*names.LABELS.values()])
        yield Deed(time, EXPLORER, dice.guid(), who, action, details=details)


def echo(world: World, happened: Happened, dice: Dice) -> Iterator[Deed]:  # noqa: ARG001  (the chapters' form)
    """Every interaction of the last thirty days again, under the id that the audit log has it by."""
    if _recent(happened.day):
        for asked in happened.asked:
            yield Deed(asked.time, EXPLORER, asked.event_id, asked.person, "CopilotInteraction",
                       details={"asked": asked})


def _recent(day: datetime) -> bool:
    return (MIDNIGHT - day).days < _KEPT


def asks(
    world: World, dice: Dice, time: datetime, who: Person, host: str, in_thread: str, **apart: str
) -> Interaction:
    """A turn of a conversation, answered from documents its user works on; on a lost day the audit log lacks it."""
    audited = time.replace(hour=0, minute=0, second=0) not in world.silent
    accessed = [Access(file, xpia=False) for file in dice.some(who.files[:4], dice.whole(0, 2))] if audited else None
    asked = Interaction(time, who, dice.guid(), host, in_thread, accessed, jailbreak=False, apart=apart,
                        audited=audited)
    world.interactions.append(asked)
    return asked


def _talk(world: World, dice: Dice, who: Person, back: int) -> None:
    """A conversation of two or three turns, which mailbox copies hold too."""
    host, about, time = dice.pick(("BizChat", "Word", "Excel", "Teams")), thread(dice), dice.moment(
        MIDNIGHT - timedelta(days=back), 8, 15)
    turns = [asks(world, dice, time + timedelta(minutes=7 * turn), who, host, about)
             for turn in range(dice.whole(2, 3))]
    world.conversations.append(Conversation(who, host, about, tuple(turns)))


def _talks(world: World, dice: Dice, cast: Cast) -> None:
    for who in cast.custodians:
        for back in (2, 9, 13, 24, 37, 52):
            if back + 1 < world.days:
                _talk(world, dice, who, back - dice.whole(0, 1))


def _lost_days(world: World, dice: Dice, cast: Cast) -> None:
    """What happened on the days the audit export lacks, as other exports know it."""
    lost = sorted(world.silent)
    ids = [asks(world, dice, dice.moment(day, 8, 16), who, "BizChat", thread(dice)).event_id
           for day in lost for who in dice.some(cast.able, 3)]
    if lost:
        _talk(world, dice, cast.custodians[0], (MIDNIGHT - lost[1]).days)
        talk = world.conversations[-1]
        ids += [turn.event_id for turn in talk.turns]
        world.stories.append(Story(
            "lost_days_seen_from_the_side", "On the three days without any Microsoft 365 export people did talk with "
            "Copilot: Activity Explorer knows of it, and a mailbox holds one conversation.", ids,
            "The days are missing from the audit log; the interactions stand without a list of resources.",
            ["COP-09", "VIS-09"]))
