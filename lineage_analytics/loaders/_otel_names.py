"""Attribute names of GenAI and MCP spans, today's and those before, and what is never kept (sources 11.1, 11.2)."""

from __future__ import annotations

import re

OPERATION = ("gen_ai.operation.name", "llm.request.type")
PROVIDER_NAME = ("gen_ai.provider.name", "gen_ai.system", "llm.provider", "llm.system", "llm.vendor")
AGENT_ID = ("gen_ai.agent.id",)
AGENT_NAME = ("gen_ai.agent.name", "agent.name")
CONVERSATION = ("gen_ai.conversation.id", "gen_ai.thread.id", "gen_ai.session.id", "session.id")
USER = ("enduser.id", "user.id", "gen_ai.caller.id")
TOOL = ("gen_ai.tool.name", "tool.name", "mcp.tool.name")
TOOL_TYPE = ("gen_ai.tool.type",)
CALL_ID = ("gen_ai.tool.call.id", "tool_call.id")
DATA_SOURCE = ("gen_ai.data_source.id",)
DOCUMENTS = ("gen_ai.retrieval.documents", "retrieval.documents")
METHOD = ("mcp.method.name", "mcp.method")
MCP_SESSION = ("mcp.session.id", "mcp.session_id")
MCP_RESOURCE = ("mcp.resource.uri",)
ERROR = ("error.type", "rpc.response.status_code", "rpc.jsonrpc.error_code")

# What other instrumentations call the same kinds of span.
KINDS = {
    "tool": "execute_tool", "agent": "invoke_agent", "workflow": "invoke_workflow", "retriever": "retrieval",
    "llm": "chat", "embedding": "embeddings", "reranker": "retrieval", "task": "task", "chain": "chain",
    "guardrail": "guardrail", "evaluator": "evaluator", "prompt": "prompt",
}
KIND = ("openinference.span.kind", "traceloop.span.kind")
OPERATIONS = frozenset({
    "create_agent", "invoke_agent", "invoke_workflow", "execute_tool", "chat", "text_completion", "generate_content",
    "embeddings", "retrieval", "create_memory", "search_memory", "update_memory", "delete_memory", "plan",
})
RETRIEVALS = frozenset({"retrieval", "search_memory"})
READS = frozenset({
    "retrieval", "search_memory", "tools/list", "resources/list", "resources/read", "resources/templates/list",
    "prompts/list", "prompts/get", "ping", "completion/complete",
})
WRITES = frozenset({"create_agent", "create_memory", "update_memory", "delete_memory"})

OURS = ("gen_ai", "mcp_", "llm_", "lineage_", "openinference_", "traceloop_", "retrieval_documents")
_DOCUMENT = re.compile(r"retrieval_documents_(\d{1,6})_document_id")

# Attributes that are read, or that say how a model was called and how much it wrote: not kept, not drift.
KNOWN = re.compile(
    r"gen_ai_(?:operation_name|provider_name|system|agent_\w+|conversation_id|thread_id|session_id|caller_\w+|tool_\w+"
    r"|data_source_id|retrieval_\w+|request_\w+|response_\w+|usage_\w+|output_type|token_type|workflow_name"
    r"|evaluation_\w+|openai_\w+|azure_\w+|prompt_name|prompt_version)|mcp_\w+|llm_\w+|lineage_\w+|openinference_\w+"
    r"|traceloop_\w+|retrieval_\w+|enduser_\w+|user_id|session_id|error\w*|otel_\w+|span_kind|internal_span_format"
    r"|rpc_\w+|jsonrpc_\w+|network_\w+|client_\w+|server_\w+|peer_\w+|http_\w+|url_\w+|net_\w+|thread_\w+|code_\w+"
    r"|telemetry_\w+|service_\w+|sampler_\w+|tool_name|tool_call_id|agent_name|metadata|tag_tags|input_\w+|output_\w+"
    r"|tool_\w+|embedding_\w+|reranker_\w+|exception_\w+|event_name|azure_resource_provider_namespace|aws_\w+"
)

# Attributes that hold what people or models wrote: no part of them is kept, whatever their type.
CONTENTS = re.compile(
    r"gen_ai_(?:prompt|completion|input|output|system_instructions|tool_definitions|event|choice|user_message"
    r"|assistant_message|content)|llm_(?:prompts?|completions?|input|output)|input_|output_|traceloop_entity_(?:in|out)put"
    r"|(?:db|query|search)_\w*(?:text|statement)|message|prompt|completion|body")


def document_place(flat: str) -> int | None:
    """Which document of a flattened list an attribute names the id of."""
    found = _DOCUMENT.fullmatch(flat)
    return int(found.group(1)) if found else None
