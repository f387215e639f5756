"""Runs of agents: which span runs an agent, and inside which other run it stands. An agent that runs inside another's
run was started by it, with what authority the other had."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lineage_analytics import tables
from lineage_analytics.loaders._lookahead import Recent
from lineage_analytics.loaders.common.ids import derived_id
from lineage_analytics.loaders.common.values import embedded, name, text, texts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from lineage_analytics.loaders._otel_spans import Span
    from lineage_analytics.loaders.common.assembly import Entry

Known = tuple["str | None", "str | None", bool]
"""A span's parent, its own agent, and whether it states a step."""
Run = tuple[str, str]
"""The key of the span that runs an agent, and the agent."""
RUN = "invoke_agent"
_ANCESTORS = 64
_SCOPES = ("lineage.scopes", "oauth.scopes", "oauth.scope")


class Runs:
    """Spans that run an agent, as far as the file was read; ``seen`` knows the parents of all spans."""

    def __init__(self, seen: Recent[Known]) -> None:
        self._seen = seen
        self._agents: Recent[str] = Recent()

    def put(self, span: Span, agent: str) -> None:
        self._agents.put((span.trace, span.id), agent)

    def around(self, trace: str | None, span: str | None, own: str | None = None) -> Run | None:
        """The run at or around a span; with ``own`` one of another agent: libraries nest the spans of one run."""
        for _ in range(_ANCESTORS):
            if span is None:
                return None
            agent = self._agents.get((trace, span))
            if agent is not None and agent != own:
                return f"{trace or ''}/{span}", agent
            held = self._seen.get((trace, span))
            if held is None:
                return None
            span = held[0]
        return None


def started(entry: Entry, span: Span, event: str, time: datetime | None, agent: str, user: str | None) -> None:
    """The run of an agent as a delegation: from the agent around it, else from the user that the span names."""
    by: Run | None = entry.context.get("around", {}).get(event)
    stated = span.value(*_SCOPES)
    listed = texts(stated) if isinstance(embedded(stated), list) else (text(stated) or "").split()
    entry.add(tables.DELEGATIONS, uid=event, kind="spawned" if by else "stated", time=time,
              principal_id=by[1] if by else user, delegate_id=agent, parent_uid=by[0] if by else None,
              trust="caller_asserted", scopes=sorted({held for one in listed if (held := name(one))}) or None,
              created_at=time, event_id=event)


def used(entry: Entry, event: str, time: datetime | None, parts: Sequence[str]) -> None:
    """The run in which a span's steps were taken."""
    runs: Mapping[str, Run] = entry.context.get("runs", {})
    run = runs.get(event)
    for part in parts if run is not None else ():
        cells: dict[str, Any] = {"uid": run[0] if run else None, "time": time, "trust": "caller_asserted"}
        entry.add(tables.DELEGATIONS, **cells, step_id=derived_id("step", entry.record_id, part), event_id=event)
