"""Calls of generative models and assistants in Cloud Audit Logs (sources 7.3): who used which, never what was said."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from lineage_analytics.loaders._gcp_changes import last_part
from lineage_analytics.loaders._principals import Principal
from lineage_analytics.loaders.common.values import text

if TYPE_CHECKING:
    from lineage_analytics.loaders._gcp_entry import LogEntry

_MODEL = re.compile(r"publishers/([a-z0-9_-]{1,60})/models/([A-Za-z0-9@._-]{1,120})")
_ENGINE = re.compile(r"projects/[^/]{1,80}/locations/[^/]{1,60}/reasoningEngines/[0-9a-z-]{1,80}")
_MODEL_CALLS = frozenset({
    "generatecontent", "streamgeneratecontent", "predict", "rawpredict", "streamrawpredict", "serverstreamingpredict",
    "bidigeneratecontent", "chatcompletions",
})
_ENGINE_CALLS = frozenset({"queryreasoningengine", "streamqueryreasoningengine", "query", "streamquery"})
_ASSISTANTS = {"cloudaicompanion.googleapis.com": "gemini_for_google_cloud",
               "geminidataanalytics.googleapis.com": "gemini_data_analytics"}
# Calls that set an assistant up or list what there is, rather than use it.
_ADMINISTRATION = ("create", "delete", "update", "patch", "set", "get", "list", "test", "fetch")


def assistant_row(found: LogEntry, service: str | None, method: str) -> tuple[dict[str, Any], Principal] | None:
    """The ASSISTANT_ACCESS columns of a call of an assistant, and the assistant; None for other calls.

    A plain prediction endpoint is none: nothing says that what it serves is generative.
    """
    word, stated = last_part(method), text(found.audit.get("resourcename")) or ""
    agent = provider = None
    if service == "aiplatform.googleapis.com":
        model, engine = _MODEL.search(stated), _ENGINE.search(stated)
        if engine is not None and word in _ENGINE_CALLS:
            agent, assistant = f"gcp::{engine[0]}", "vertex_ai_agent_engine"
        elif model is not None and word in _MODEL_CALLS:
            provider, assistant = model[1], f"model/{model[1]}/{model[2]}"
        elif word in ("generatecontent", "streamgeneratecontent"):
            assistant = "model/tuned"
        else:
            return None
    elif service in _ASSISTANTS and not word.startswith(_ADMINISTRATION):
        assistant = _ASSISTANTS[service]
    else:
        return None
    listed = Principal(f"gcp::assistant/{assistant}", "ai_assistant", "model" if provider else None, assistant, (),
                       f"calls of {service}")
    return {
        "assistant_id": listed.id, "agent_id": agent, "app_host": service, "model_provider": provider, "role": "none",
        "action": "unknown", "policy_outcome": "unknown", "trigger": "unknown", "completeness": "absent",
    }, listed
