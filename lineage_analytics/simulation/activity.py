"""One call, one question: how single events are made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lineage_analytics.simulation.model import Access, AwsEvent, Interaction

if TYPE_CHECKING:
    from datetime import datetime

    from lineage_analytics.simulation.dice import Dice
    from lineage_analytics.simulation.model import File, Person, Principal

_READS = ("Get", "List", "Describe", "Lookup", "BatchGet")
HOSTS = ("Word", "Excel", "Teams", "BizChat", "Outlook", "PowerPoint", "M365App", "SharePoint")


def is_read(name: str) -> bool:
    return name.startswith(_READS)


def call(dice: Dice, time: datetime, who: Principal, action: str, error: str = "") -> AwsEvent:
    """One call by a principal."""
    service, _, name = action.partition(":")
    return AwsEvent(time, who, service, name, dice.guid(), read_only=is_read(name), error=error)


def interaction(dice: Dice, time: datetime, person: Person, files: list[File]) -> Interaction:
    """An ordinary question to Copilot, mostly answered from documents its user has opened."""
    form = dice.weighted((("listed", 62.0), ("empty", 30.0), ("absent", 8.0)))
    deferred = dice.chance(0.015)  # a deferral is of the whole interaction
    accessed: list[Access] | None = None if form == "absent" else []
    if form == "listed" and accessed is not None:
        for file in dice.some(files, dice.whole(1, 3)):
            outcome = dice.weighted((("none", 94.0), ("blocked", 3.0), ("audited", 3.0)))
            accessed.append(Access(file, "deferred" if deferred else outcome,
                                   xpia=False if dice.chance(0.6) else None))
    return Interaction(
        time, person, dice.guid(), dice.early(HOSTS, 1.3), "" if dice.chance(0.02) else dice.thread(), accessed,
        context=dice.pick(files) if files and dice.chance(0.3) else None,
        jailbreak=False if dice.chance(0.75) else None,
        web=dice.weighted(((True, 2.0), (False, 5.0), (None, 3.0))),
    )


def signing_key(event: AwsEvent) -> str:
    """The key a user's call was signed with: the newest that existed then; console and assistant calls name none."""
    who = event.principal
    if who is None or who.is_role or event.console or event.via_q or event.name == "ConsoleLogin":
        return ""
    fit = [k for k in who.keys if k.created is None or k.created <= event.time]
    return fit[-1].key_id if fit else ""
