"""When the log itself was switched off: what happened then may have left no record (decision-lineage 15, A27)."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from typing import TYPE_CHECKING

from lineage_analytics.graphs.decisions.inverse import folded

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from lineage_analytics.graphs.decisions.steps import Step

_SWITCHES = {"cloudtrail:stoplogging": False, "cloudtrail:startlogging": True}


class Silence:
    """Per tenant, since when a trail stood switched off; a trail that was never seen to be switched counts as on."""

    def __init__(self, steps: Iterable[Step]) -> None:
        """``steps`` come in time order within a tenant."""
        off: dict[str | None, dict[str | None, datetime]] = defaultdict(dict)
        self._times: dict[str | None, list[datetime]] = defaultdict(list)
        self._since: dict[str | None, list[datetime | None]] = defaultdict(list)
        for step in steps:
            on = _SWITCHES.get(folded(step.operation))
            if on is None or step.kind not in ("action", "rollback"):
                continue
            dark = off[step.tenant]
            if on:
                dark.pop(step.target, None)
            else:
                dark.setdefault(step.target, step.time)
            self._times[step.tenant].append(step.time)
            self._since[step.tenant].append(min(dark.values(), default=None))

    def at(self, step: Step) -> datetime | None:
        """Since when logging was off just before a step; None when it was on, and for the switches themselves."""
        times = self._times.get(step.tenant)
        if times is None or folded(step.operation) in _SWITCHES:
            return None
        position = bisect_left(times, step.time)
        return self._since[step.tenant][position - 1] if position else None
