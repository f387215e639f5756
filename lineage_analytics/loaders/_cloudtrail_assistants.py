"""Calls by which somebody uses an assistant or an agent of AWS: which one, in which conversation (sources 2.5)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import polars as pl

from lineage_analytics import tables
from lineage_analytics.loaders.common.sampling import decode_object

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lineage_analytics.loaders._cloudtrail_record import Record


class Use(NamedTuple):
    """``assistant``: its id, or the request's key that names it; ``thread``: the key of the conversation."""

    assistant: str
    host: str | None
    thread: str
    trigger: str


_Q = Use("aws:assistant:q-developer", "console", "conversationId", "user")
_AGENT = Use("agentId", "bedrock", "sessionId", "unknown")
USES = {
    "q:SendMessage": _Q, "q:StartConversation": _Q, "bedrock:InvokeAgent": _AGENT,
    "bedrock-agentcore:InvokeAgentRuntime": Use("agentRuntimeArn", "bedrock-agentcore", "runtimeSessionId", "unknown"),
}


def assistant_access(found: Sequence[Record], activity: pl.DataFrame) -> pl.DataFrame:
    """One row per call. None lists what the assistant read, so completeness is absent."""
    rows = activity["action"].is_in(list(USES)).arg_true().to_list()
    if not rows:
        return tables.ASSISTANT_ACCESS.empty()
    calls = activity[rows]
    said = [_said(USES[action], found[row], resource, tenant) for row, action, resource, tenant in zip(
        rows, calls["action"], calls["resource_id"], calls["tenant"], strict=True)]
    frame = calls.select(
        "time", pl.col("actor_id").alias("user_id"), pl.col("record_id").alias("interaction_id"),
        pl.lit("none").alias("role"), pl.lit("unknown").alias("action"), pl.lit("unknown").alias("policy_outcome"),
        pl.lit("absent").alias("completeness"), "event_id", "tenant", "provider", "source", "record_id", "raw_ref",
    ).hstack(pl.DataFrame(said, schema=dict.fromkeys(
        ("assistant_id", "agent_id", "app_host", "thread_id", "trigger"), pl.String)))
    return tables.conform(frame, tables.ASSISTANT_ACCESS)


def _said(use: Use, record: Record, resource: str | None, tenant: str | None) -> dict[str, Any]:
    request = {key.lower(): value for key, value in (decode_object(record.request) or {}).items()}
    named, agent = use.assistant, None
    if not use.assistant.startswith("aws:"):
        agent = request.get(use.assistant.lower())
        agent = str(agent) if agent else None
        named = f"aws:{tenant or ''}:{resource or agent}" if resource or agent else ""
    thread = request.get(use.thread.lower())
    return {"assistant_id": named or None, "agent_id": agent, "app_host": use.host, "trigger": use.trigger,
            "thread_id": str(thread) if thread else None}
