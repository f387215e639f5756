"""The data files about AWS, each read once."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

from lineage_analytics.errors import ConfigurationError
from lineage_analytics.permissions.aws.catalogue import catalogue
from lineage_analytics.permissions.datafiles import rows
from lineage_analytics.permissions.patterns import matches

if TYPE_CHECKING:
    from collections.abc import Mapping

WEIGHTS = (10, 3, 1)
OVER = ("passed", "profile", "running", "sets")
_VERSION = re.compile(r"_?(?:\d{8}|\d{4}_\d{2}_\d{2})(?:v\d+)?$")


@dataclass(frozen=True)
class Sensitive:
    """Masks of sensitive actions by weight, each action under its heaviest only; ``every`` is their union."""

    by_weight: Mapping[int, int]
    every: int

    def weight(self, mask: int) -> int:
        """Heaviest weight in the mask; 0 when nothing in it is sensitive."""
        return next((weight for weight in WEIGHTS if mask & self.by_weight[weight]), 0)


@dataclass(frozen=True)
class DataPlane:
    """Masks of actions that management events do not show."""

    data_events: int
    no_event: int


@dataclass(frozen=True)
class Control:
    """One way to gain another's permissions: an action on a target, and whether it also raises one's own."""

    action: str
    target: str
    technique: str
    raises: bool


@dataclass(frozen=True)
class Escalation:
    """One way to act as a role by way of a service; a line of ``escalations.csv``, which says what each column means.

    ``needs`` are masks of one bit for the ``actions``, in the order of the file; ``besides`` is empty where nothing
    else is wanted.
    """

    id: str
    actions: tuple[str, ...]
    needs: tuple[int, ...] = field(repr=False)
    over: str
    services: tuple[str, ...]
    technique: str
    besides: str


@lru_cache(maxsize=1)
def sensitive() -> Sensitive:
    """``sensitive_actions.csv``: weight 10, 3 or 1 per action pattern, the heaviest counts (metrics 2)."""
    by_weight = dict.fromkeys(WEIGHTS, 0)
    for row in rows("sensitive_actions", ("pattern", "weight", "class", "reason")):
        if row["weight"] not in {"1", "3", "10"}:
            raise ConfigurationError("Wanted weight 1, 3 or 10 in sensitive_actions.csv", f"found {row['weight']!r}")
        by_weight[int(row["weight"])] |= catalogue().mask(row["pattern"])
    by_weight[3] &= ~by_weight[10]
    by_weight[1] &= ~(by_weight[10] | by_weight[3])
    return Sensitive(by_weight, by_weight[10] | by_weight[3] | by_weight[1])


@lru_cache(maxsize=1)
def data_plane() -> DataPlane:
    """``data_plane_actions.csv``: actions seen only as data events, and those without any event."""
    table = rows("data_plane_actions", ("pattern", "reason"))
    no_event = catalogue().union(row["pattern"] for row in table if row["reason"] == "no event")
    data_events = catalogue().union(row["pattern"] for row in table if row["reason"] == "data event")
    return DataPlane(data_events & ~no_event, no_event)


@lru_cache(maxsize=1)
def controls() -> tuple[Control, ...]:
    """``control_actions.csv``: actions that change another principal's permissions or credentials."""
    table = rows("control_actions", ("action", "target", "technique", "raises_self"))
    return tuple(Control(row["action"], row["target"], row["technique"], row["raises_self"] == "yes") for row in table)


@lru_cache(maxsize=1)
def escalations() -> tuple[Escalation, ...]:
    """``escalations.csv``: what one needs to act as a role that some service runs with.

    Raises
    ------
    ConfigurationError : an action the catalogue does not know, a kind of target that is none, or an id twice.
    """
    table = rows("escalations", ("id", "needs", "over", "service", "technique", "besides"))
    found = []
    for row in table:
        needs = tuple(catalogue().mask(action) for action in row["needs"].split())
        if not all(mask.bit_count() == 1 for mask in needs) or not needs or row["over"] not in OVER or (
                row["over"] == "running" and not row["besides"]):
            raise ConfigurationError(f"Wanted known actions and one of {', '.join(OVER)} in escalations.csv",
                                     f"found {row['id']}: {row['needs']} over {row['over']}", "mend the data file")
        found.append(Escalation(row["id"], tuple(row["needs"].split()), needs, row["over"],
                                tuple(row["service"].split()), row["technique"], row["besides"]))
    if len({one.id for one in found}) < len(found):
        raise ConfigurationError("Wanted every id of escalations.csv once", "found one twice", "mend the data file")
    return tuple(found)


@lru_cache(maxsize=1)
def _event_names() -> tuple[dict[str, str], tuple[tuple[str, str], ...]]:
    table = [(row["event"].lower(), row["action"]) for row in rows("event_names", ("event", "action"))]
    exact = {event: action for event, action in reversed(table) if "*" not in event}
    return exact, tuple((event, action) for event, action in table if "*" in event)


@lru_cache(maxsize=65536)
def iam_action(event: str) -> str | None:
    """The IAM action behind a CloudTrail event, as the catalogue writes it; None when there is none.

    Parameters
    ----------
    event : ``<service>:<event name>`` as ``activity.action`` has it.

    Examples
    --------
    >>> iam_action("lambda:CreateFunction20150331"), iam_action("s3:ListBuckets"), iam_action("signin:ConsoleLogin")
    ('lambda:CreateFunction', 's3:ListAllMyBuckets', None)
    """
    name = _VERSION.sub("", event).lower()
    exact, patterns = _event_names()
    action = exact.get(name) or next((a for pattern, a in patterns if matches(pattern, name)), name)
    if action.endswith(":*"):
        action = action[:-1] + name.split(":", 1)[-1]
    at = catalogue().index(action)
    return None if at is None else catalogue().names[at]
