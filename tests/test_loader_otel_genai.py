"""GenAI and MCP spans become activity of agents, in every shape traces are exported in, and nothing they said is kept."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lineage_analytics.loaders import recognise
from tests._documents import Loaded, member

TRACE = "5b8efff798038103d269b633813fc60c"
START = 1764000000
AGENT = "otel:helpdesk:agent-7"
WRITTEN = "the salary of Bo"

Span = dict[str, Any]


def span(number: int, parent: int | None, attributes: dict[str, Any], error: bool = False, **more: Any) -> Span:
    return {"id": f"{number:016x}", "parent": None if parent is None else f"{parent:016x}", "attributes": attributes,
            "second": START + number, "error": error, **more}


INVOKE = span(1, None, {"gen_ai.operation.name": "invoke_agent", "gen_ai.provider.name": "northwind",
                        "gen_ai.agent.id": "agent-7", "gen_ai.agent.name": "Helper", "gen_ai.conversation.id": "c-1",
                        "enduser.id": "ana@northwind.example", "gen_ai.input.messages": WRITTEN})
CHAT = span(2, 1, {"gen_ai.operation.name": "chat", "gen_ai.system": "northwind", "gen_ai.request.model": "m",
                   "gen_ai.usage.input_tokens": 12, "gen_ai.prompt": WRITTEN, "gen_ai.completion.0.content": WRITTEN})
HTTP = span(3, 2, {"http.request.method": "POST"})
TOOL = span(4, 3, {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "reset_password",
                   "gen_ai.tool.call.id": "call-1", "gen_ai.tool.call.arguments": {"who": WRITTEN},
                   "my.note": WRITTEN, "my.count": 3})
FAILED = span(5, 1, {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "grant", "error.type": "403"}, error=True)
RETRIEVAL = span(6, 1, {"gen_ai.operation.name": "retrieval", "gen_ai.data_source.id": "kb-1",
                        "gen_ai.retrieval.query.text": WRITTEN,
                        "gen_ai.retrieval.documents": json.dumps([{"id": "doc-1", "score": 0.9}, {"id": "doc-2"}])})
MCP = span(7, 1, {"mcp.method.name": "resources/read", "mcp.session.id": "s-1", "mcp.resource.uri": "file:///plan.md"})
STEP = span(8, 1, {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "grant", "lineage.step": "execution",
                   "lineage.case_id": "case-1", "lineage.target": "entra:t:role/r|u", "lineage.effect": "grant"},
            events=[("lineage.approval", {"lineage.case_id": "case-1", "lineage.approver": "entra:t:boss",
                                          "lineage.target": "entra:t:role/r|u", "lineage.effect": "grant",
                                          "lineage.evidence_ref": "see CHG0012345"})])
SPANS = [INVOKE, CHAT, HTTP, TOOL, FAILED, RETRIEVAL, MCP, STEP]


def typed(value: Any) -> dict[str, Any]:
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    if isinstance(value, dict):
        return {"kvlistValue": {"values": listed(value)}}
    return {"stringValue": value}


def listed(attributes: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"key": key, "value": typed(value)} for key, value in attributes.items()]


def otlp(spans: list[Span]) -> dict[str, Any]:
    return {"resourceSpans": [{"resource": {"attributes": listed({"service.name": "helpdesk"})}, "scopeSpans": [{
        "scope": {"name": "s"}, "spans": [{
            "traceId": TRACE, "spanId": one["id"], "parentSpanId": one["parent"] or "", "name": "x", "kind": 1,
            "startTimeUnixNano": f"{one['second']}000000000", "endTimeUnixNano": "0",
            "status": {"code": 2} if one["error"] else {}, "attributes": listed(one["attributes"]),
            "events": [{"timeUnixNano": f"{one['second']}500000000", "name": label, "attributes": listed(held)}
                       for label, held in one.get("events", ())]} for one in spans]}]}]}


def jaeger(spans: list[Span]) -> dict[str, Any]:
    def tags(attributes: dict[str, Any]) -> list[dict[str, Any]]:
        return [{"key": key, "type": "string", "value": json.dumps(held) if isinstance(held, dict) else held}
                for key, held in attributes.items()]

    return {"data": [{"traceID": TRACE, "processes": {"p1": {"serviceName": "helpdesk", "tags": []}}, "spans": [{
        "traceID": TRACE, "spanID": one["id"], "operationName": "x", "processID": "p1",
        "references": [{"refType": "CHILD_OF", "traceID": TRACE, "spanID": one["parent"]}] if one["parent"] else [],
        "startTime": one["second"] * 1_000_000, "duration": 5,
        "tags": tags(one["attributes"] | ({"error": True} if one["error"] else {})),
        "logs": [{"timestamp": one["second"] * 1_000_000 + 500_000, "fields": tags({"event": label, **held})}
                 for label, held in one.get("events", ())]} for one in spans]}]}


def printed(one: Span) -> dict[str, Any]:
    """As the Python SDK prints a span."""
    return {"name": "x", "context": {"trace_id": "0x" + TRACE, "span_id": "0x" + one["id"], "trace_state": "[]"},
            "kind": "SpanKind.INTERNAL", "parent_id": "0x" + one["parent"] if one["parent"] else None,
            "start_time": f"2025-11-24T16:00:{one['second'] - START:02d}.000000Z", "end_time": None,
            "status": {"status_code": "ERROR" if one["error"] else "UNSET"}, "attributes": one["attributes"],
            "events": [{"name": label, "timestamp": f"2025-11-24T16:00:{one['second'] - START:02d}.500000Z",
                        "attributes": held} for label, held in one.get("events", ())],
            "resource": {"attributes": {"service.name": "helpdesk"}, "schema_url": ""}}


def underscored(value: Any) -> Any:
    if isinstance(value, dict):
        return {key.replace(".", "_"): underscored(held) for key, held in value.items()}
    return value


LINES = "\n".join(json.dumps(otlp([one])) for one in reversed(SPANS))
KEEPS_UNKNOWN_TEXTS = False
CONTRACT_FILES = {"otlp": json.dumps(otlp(SPANS)).encode(), "lines": LINES.encode(),
                  "jaeger": json.dumps(jaeger(SPANS), indent=1).encode(),
                  "printed": "\n".join(json.dumps(printed(one)) for one in SPANS).encode(),
                  "console": "\n".join(json.dumps(printed(one), indent=4) for one in SPANS).encode()}


def _shown(found: Loaded) -> dict[str, list[str]]:
    return {table: sorted({repr(row) for row in frame.drop("raw_ref").rows()}) for table, frame in found.frames.items()}


@pytest.mark.parametrize("packed", [
    LINES, json.dumps(jaeger(SPANS)), json.dumps(jaeger(SPANS)["data"]), CONTRACT_FILES["printed"],
    "\n".join(json.dumps(printed(one), indent=4) for one in SPANS),
    json.dumps([printed(one) for one in SPANS]), json.dumps([underscored(printed(one)) for one in SPANS]),
    json.dumps(otlp(SPANS), indent=2), "\n".join(json.dumps({"_origin": "x", "log": otlp([one])}) for one in SPANS),
    json.dumps(otlp(SPANS)).replace("resourceSpans", "resource_spans").replace("scopeSpans", "scope_spans").replace(
        "startTimeUnixNano", "start_time_unix_nano").replace("timeUnixNano", "time_unix_nano").replace(
        "traceId", "trace_id").replace("parentSpanId", "parent_span_id").replace("spanId", "span_id").replace(
        "stringValue", "string_value").replace("intValue", "int_value").replace("kvlistValue", "kvlist_value"),
], ids=["lines", "jaeger", "traces", "printed", "console", "array", "underscores", "pretty", "envelopes", "snake"])
def test_every_shape_gives_the_same_rows(packed: str | bytes) -> None:
    wanted, found = _shown(Loaded(CONTRACT_FILES["otlp"])), _shown(Loaded(packed))
    for table in wanted:
        assert _without_unmapped(found[table]) == _without_unmapped(wanted[table]), table


def _without_unmapped(rows: list[str]) -> list[str]:
    return [row.replace("my_", "my.") for row in rows]


def test_a_tool_is_run_by_the_agent_around_it_and_other_spans_are_counted_as_out_of_scope() -> None:
    found = Loaded(CONTRACT_FILES["otlp"])
    assert [(f.position, f.reason, f.disposition) for f in found.faults] == [(2, "out_of_scope", "rejected")]
    assert found.rows("activity", "action", "actor_id", "resource_id", "outcome", "is_read") == sorted([
        ("invoke_agent", AGENT, None, "success", None), ("chat", AGENT, None, "success", None),
        ("execute_tool", AGENT, "otel:helpdesk:tool/reset_password", "success", None),
        ("execute_tool", AGENT, "otel:helpdesk:tool/grant", "denied", None),
        ("execute_tool", AGENT, "otel:helpdesk:tool/grant", "success", None),
        ("retrieval", AGENT, "kb-1", "success", True), ("resources/read", AGENT, "file:///plan.md", "success", True),
    ], key=repr)


def test_without_a_span_around_it_a_tool_has_no_actor() -> None:
    assert Loaded(otlp([TOOL])).rows("activity", "actor_id") == [(None,)]


def test_a_user_on_a_span_is_whose_authority_the_application_says_it_uses() -> None:
    [row] = Loaded(otlp([INVOKE]))["activity"].to_dicts()
    assert (row["on_behalf_of_id"], row["delegation_kind"], row["delegation_trust"]) == (
        "otel:helpdesk:ana@northwind.example", "platform_field", "caller_asserted")
    assert (row["correlation_id"], row["event_id"]) == (TRACE, f"{TRACE}/{INVOKE['id']}")


def test_agents_are_agents_and_users_are_unknown() -> None:
    assert Loaded(otlp(SPANS)).rows("identity_facts", "id", "kind", "display_name") == [
        (AGENT, "ai_agent", "Helper"), ("otel:helpdesk:ana@northwind.example", "unknown", None)]


def test_a_retrieval_is_one_access_per_document_and_an_mcp_resource_one() -> None:
    assert Loaded(otlp(SPANS)).rows("assistant_access", "resource_id", "completeness", "assistant_id") == [
        ("doc-1", "listed", AGENT), ("doc-2", "listed", AGENT), ("file:///plan.md", "listed", AGENT)]


@pytest.mark.parametrize(("attributes", "wanted"), [
    ({"gen_ai.retrieval.documents": "[]"}, [(None, "empty")]), ({}, [(None, "absent")]),
    ({"gen_ai.data_source.id": "kb"}, [("kb", "listed")]),
    ({"retrieval.documents.0.document.id": "a", "retrieval.documents.1.document.id": "b"},
     [("a", "listed"), ("b", "listed")]),
])
def test_a_list_that_is_absent_is_not_an_empty_one(attributes: dict[str, Any], wanted: list[Any]) -> None:
    found = Loaded(otlp([span(1, None, {"gen_ai.operation.name": "retrieval", **attributes})]))
    assert found.rows("assistant_access", "resource_id", "completeness") == wanted


@pytest.mark.parametrize(("attributes", "action", "provider"), [
    ({"gen_ai.operation.name": "text_completion", "gen_ai.system": "openai"}, "text_completion", "openai"),
    ({"openinference.span.kind": "RETRIEVER", "llm.provider": "cohere"}, "retrieval", "cohere"),
    ({"traceloop.span.kind": "tool", "traceloop.entity.name": "x"}, "execute_tool", None),
    ({"gen_ai.operation.name": "dream"}, "dream", None), ({"llm.request.type": "chat"}, "chat", None),
])
def test_historical_names_are_read(attributes: dict[str, Any], action: str, provider: str | None) -> None:
    found = Loaded(otlp([span(1, None, attributes)]))
    assert found.rows("activity", "action") == [(action,)]
    assert {p for (p,) in found.rows("assistant_access", "model_provider")} <= {provider}


def test_stated_steps_join_on_their_case_and_an_approval_is_the_approvers_decision() -> None:
    rows = Loaded(otlp(SPANS)).rows(
        "decision_steps", "kind", "verdict", "capacity", "actor_id", "actor_class", "native_key", "effect_key", "quoted_keys")
    assert rows == [
        ("action", None, None, AGENT, "ai_agent", "case-1", "grant(entra:t:role/r|u)", []),
        ("decision", "approve", "approver", "entra:t:boss", "unknown", "case-1", "grant(entra:t:role/r|u)", ["CHG0012345"])]


def test_a_step_that_failed_is_an_attempt_and_an_unknown_step_none() -> None:
    failed, odd = {**STEP, "error": True, "events": ()}, span(9, 1, {"lineage.step": "review", "lineage.case_id": "c"})
    assert Loaded(otlp([failed, odd])).rows("decision_steps", "kind", "status") == [("attempt", "failed")]


@pytest.mark.parametrize("name", CONTRACT_FILES)
def test_nothing_anybody_wrote_is_kept(name: str) -> None:
    found = Loaded(CONTRACT_FILES[name])
    assert "salary" not in json.dumps([frame.to_dicts() for frame in found.frames.values()], default=str)


def test_numbers_of_unknown_attributes_are_kept_and_their_texts_are_not() -> None:
    [(kept,)] = Loaded(otlp([TOOL])).rows("activity", "unmapped")
    assert json.loads(kept) == {"my.count": 3, "my.note": "[content not stored]"}


def test_an_agent_around_a_span_is_found_when_it_comes_later_in_the_file() -> None:
    found = Loaded("\n".join(json.dumps(otlp([one])) for one in (TOOL, HTTP, CHAT, INVOKE)))
    assert {actor for (actor,) in found.rows("activity", "actor_id")} == {AGENT}


def test_spans_of_machines_alone_are_still_recognised() -> None:
    data = json.dumps(otlp([HTTP]))
    assert recognise(member(data).sample) is not None
    assert [f.disposition for f in Loaded(data).faults] == ["rejected"]


def test_a_span_as_the_javascript_sdk_prints_it() -> None:
    one = {"traceId": TRACE, "id": "ignored", "spanContext": {"traceId": TRACE, "spanId": INVOKE["id"]}, "name": "x",
           "startTime": [START + 1, 500], "status": {"code": 0}, "attributes": INVOKE["attributes"], "events": [],
           "resource": {"attributes": {"service.name": "helpdesk"}}}
    wanted = ("time", "actor_id", "action", "outcome", "event_id", "record_id")
    assert Loaded(one).rows("activity", *wanted) == Loaded(otlp([INVOKE])).rows("activity", *wanted)


def test_ids_in_base64_keep_their_case() -> None:
    first, second = ({**printed(INVOKE), "context": {"trace_id": "W47/95gDgQPSabYzgT/GDA==", "span_id": span_id}}
                     for span_id in ("7uGbfsPBsXQ=", "7uGbfsPBsXq="))
    assert len(set(Loaded([first, second]).ids)) == 2


def test_a_span_without_a_start_is_kept_and_of_no_day() -> None:
    found = Loaded({**printed(STEP), "start_time": None})
    assert (found.faults, found["activity"]["time"].to_list()) == ([], [None])
    assert found.rows("decision_steps", "kind") == [("decision",)]  # its event states its own time


def test_log_records_and_metrics_in_the_file_of_the_spans_are_not_quarantined() -> None:
    span = {"traceId": "a" * 32, "spanId": "b" * 16, "name": "chat", "startTime": [1775934263, 0],
            "attributes": {"gen_ai.operation.name": "chat"}}
    log = {"hrTime": [1775934263, 0], "attributes": {"event.name": "gen_ai.client.inference"}, "_body": "said"}
    metric = {"descriptor": {"name": "gen_ai.client.token.usage"}, "dataPoints": []}
    for told in ((span, log, metric), (log, metric, span)):
        found = Loaded("\n".join(map(json.dumps, told)))
        assert (found.source, len(found.ids)) == ("otel_genai", 1)
        assert [fault.disposition for fault in found.faults] == ["rejected", "rejected"]
