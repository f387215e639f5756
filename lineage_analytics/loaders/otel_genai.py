"""OpenTelemetry traces of AI agents: GenAI and MCP spans (sources 11.1, 11.2).

Shapes  OTLP/JSON, one request a line or one object; Jaeger's JSON; spans exported alone, one a line or in an array, as
        SDKs print them; attributes as typed lists, tags or objects, names with dots or underscores; test-suite
        envelopes.
Maps    every GenAI and MCP span to ``activity`` (``gen_ai.operation.name``, or the MCP method); agents and users to
        ``identity_facts``; retrievals, data sources and MCP resources read to ``assistant_access``; ``lineage.step``
        with ``lineage.case_id target effect approver evidence_ref verdict request_id``, on a span or its events, to
        ``decision_steps``; the runs of agents (``invoke_agent``), by whom each was started and with which stated
        ``lineage.scopes``, to ``delegations``.
Drops   prompts, completions, messages, instructions, tool arguments and results, query texts, model parameters and
        token counts; texts of attributes without a rule (numbers, flags and ids of them are kept). Other spans
        (databases, HTTP) are rejected as ``out_of_scope``.
Schema  GenAI conventions of every version: ``gen_ai.system`` and ``gen_ai.provider.name``, OpenInference and Traceloop
        kinds. They are in development: unknown operations are activity.

A span without an agent of its own has that of the nearest enclosing span in the same file, at most one chunk later; it
stays without an actor where none encloses it. A user id on a span is what the application says: caller asserted. A
stated step carries the trace and, where it is a call, the ids that providers gave the requests made inside it, also by
spans that are out of scope themselves; ``lineage.request_id`` states one that no provider's attribute is for, such as a
role request of Entra.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from lineage_analytics import tables
from lineage_analytics.loaders import _otel_names as names
from lineage_analytics.loaders._lookahead import Recent, expanded, one_ahead
from lineage_analytics.loaders._otel_runs import RUN, Runs, started, used
from lineage_analytics.loaders._otel_spans import Span, is_trace, parts, span_of
from lineage_analytics.loaders._otel_steps import PROVIDER, principal, requests_of, states_step, steps
from lineage_analytics.loaders.common.assembly import Entry, RecordFault, assemble
from lineage_analytics.loaders.common.contract import Match
from lineage_analytics.loaders.common.ids import identity_id
from lineage_analytics.loaders.common.leftovers import unmapped
from lineage_analytics.loaders.common.packings import head_keys, json_or_array_chunks
from lineage_analytics.loaders.common.records import json_chunks
from lineage_analytics.loaders.common.sampling import decode_object
from lineage_analytics.loaders.common.stated import MOST
from lineage_analytics.loaders.common.values import embedded, fold, guid, name, obj, objects

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lineage_analytics.loaders.common.contract import Batch, Chunk, Document, Sample

__all__ = ["FEEDS", "LATENESS", "PROVIDER", "detect", "extract", "transform"]

LATENESS = timedelta(hours=1)
FEEDS = frozenset({"activity", "assistant_access", "decision_steps", "delegations", "identity_facts"})
SOURCE = "otel_genai"
_SPANS_PER_CHUNK = 8_192
_ANCESTORS = 64
_DENIALS = frozenset({"403", "permissiondenied", "permission_denied", "accessdenied", "accessdeniedexception",
                      "forbidden", "unauthorized"})
_Known = tuple["str | None", "str | None", bool]  # a span's parent, its own agent, whether it states a step
_Place = tuple[str, "str | None", str]  # a span by its key, with its trace and the span that is looked up for it
_Started = tuple[str, "str | None", "str | None", str]  # a run by its key, with its trace, its parent and its agent


# What only log records and metrics have, which some exporters write into the file of the spans.
_SIGNALS = frozenset({"resourcelogs", "resource_logs", "resourcemetrics", "resource_metrics", "hrtime", "_body", "body",
                      "descriptor", "datapoints", "data_points", "observedtimeunixnano"})
_LINES_TRIED = 20


def detect(sample: Sample) -> Match | None:
    """Spans in one of the shapes traces are exported in."""
    if sample.columns:
        return None
    if sample.wrapper == "events" and _is_printed({key.lower() for key in sample.keys}):
        return Match("printed", 0.9, "a printed span; what looks like a list of records are its events")
    if sample.first is None:
        keys = head_keys(sample)
        long = {"resourcespans", "scopespans"} <= keys or {"traceid", "spans", "operationname"} <= keys
        return Match("json", 0.8, "spans in a first record longer than the head") if long else None
    first = fold(sample.first)
    shape = is_trace(first) or is_trace(obj(first.get("log")))
    if shape is None and sample.wrapper == "lines" and first.keys() & _SIGNALS:
        lines = (decode_object(line) for line in sample.head.split(b"\n", _LINES_TRIED)[:_LINES_TRIED])
        later = next((found for line in lines if line is not None and (found := is_trace(fold(line)))), None)
        return Match("json", 0.7, f"trace spans behind a log record or metric, shape {later}") if later else None
    return Match("json", 0.9, f"trace spans, shape {shape}") if shape else None


def _is_printed(keys: set[str]) -> bool:
    ids = keys & {"context", "spancontext", "traceid", "trace_id"}
    return bool(ids) and "attributes" in keys and bool(keys & {"start_time", "starttime", "starttimeunixnano"})


def extract(document: Document) -> Iterator[Chunk]:
    """One raw record per span; each chunk knows the enclosing agents of its spans."""
    seen = Recent[_Known]()
    calls, runs = _Calls(seen), Runs(seen)

    def note(chunk: Chunk) -> tuple[list[_Place], list[_Place], list[_Started]]:
        places, stating, begun = list[_Place](), list[_Place](), list[_Started]()
        for span in _spans(chunk):
            agent, states = _agent(span, _service(span)), states_step(span)
            seen.put((span.trace, span.id), (span.parent, agent, states))
            if agent is None and span.parent is not None:
                places.append((_key(span), span.trace, span.parent))
            if agent is not None and _operation(span) == RUN:
                runs.put(span, agent)
                begun.append((_key(span), span.trace, span.parent, agent))
            if states and span.id is not None:
                stating.append((_key(span), span.trace, span.id))
            else:
                calls.note(span)
        return places, stating, begun

    def context(noted: tuple[list[_Place], list[_Place], list[_Started]]) -> Mapping[str, Any]:
        places, stating, begun = noted
        calls.settle()
        return {"agents": {key: agent for key, trace, parent in places
                           if (agent := _enclosing(trace, parent, seen)) is not None},
                "around": {key: run for key, trace, parent, own in begun
                           if (run := runs.around(trace, parent, own)) is not None},
                "runs": {key: run for key, trace, own in stating if (run := runs.around(trace, own)) is not None},
                "requests": {key: made for key, trace, own in stating if (made := calls.made(trace, own))}}

    printed = document.shape == "printed"
    chunks = json_chunks(document, wrappers=()) if printed else json_or_array_chunks(document)
    return one_ahead(expanded(chunks, parts, _SPANS_PER_CHUNK), note, context)


class _Calls:
    """Ids of requests that spans made which state no step, for the step around them.

    A call ends before what made it, so that its span often stands before the one that encloses it.
    """

    def __init__(self, seen: Recent[_Known]) -> None:
        self._seen = seen
        self._made: Recent[set[str]] = Recent()
        self._new: list[tuple[str | None, str, list[str]]] = []
        self._waiting: list[tuple[str | None, str, list[str]]] = []

    def note(self, span: Span) -> None:
        found = requests_of(span)
        if found and span.parent is not None:
            self._new.append((span.trace, span.parent, found))

    def settle(self) -> None:
        """Hand what is waiting to its step; what has waited for a whole chunk is given up."""
        for call in self._waiting:
            self._handed(*call)
        self._waiting = [call for call in self._new if not self._handed(*call)]
        self._new = []

    def _handed(self, trace: str | None, span: str | None, found: list[str]) -> bool:
        for _ in range(_ANCESTORS):
            if span is None or (held := self._seen.get((trace, span))) is None:
                return False
            parent, _agent_of, states = held
            if states:
                made = self._made.get((trace, span)) or set()
                if len(made) < MOST:
                    made.update(found)
                self._made.put((trace, span), made)
                return True
            span = parent
        return True

    def made(self, trace: str | None, span: str) -> list[str]:
        return sorted(self._made.get((trace, span)) or ())


def _spans(chunk: Chunk) -> Iterator[Span]:
    for raw in chunk.raws:
        fields = decode_object(raw)
        span = span_of(fields) if fields is not None else None
        if span is not None:
            yield span


def _key(span: Span) -> str:
    return f"{span.trace or ''}/{span.id or ''}"


def _enclosing(trace: str | None, span: str | None, seen: Recent[_Known]) -> str | None:
    """The agent of the span, or of the nearest around it."""
    for _ in range(_ANCESTORS):
        if span is None or (held := seen.get((trace, span))) is None:
            return None
        span, agent, _ = held
        if agent is not None:
            return agent
    return None


def transform(chunk: Chunk, document: Document) -> Batch:
    """Activity, agents, accesses and stated steps of one chunk."""
    return assemble(chunk, document, SOURCE, _read)


def _read(entry: Entry) -> None:
    span = span_of(entry.fields)
    if span is None:
        if _SIGNALS & set(fold(entry.fields)):
            raise RecordFault("out_of_scope", "a log record or metric among the spans", "rejected")
        raise RecordFault("not_a_span", "an object without the ids of a span")
    method, operation = span.text(*names.METHOD), _operation(span)
    if operation is None and method is None and not any(key.startswith(names.OURS) for key in span.flat) and not any(
            flat.lower().startswith("lineage") for _, _, held in span.events for flat in held):
        raise RecordFault("out_of_scope", "a span of something other than an assistant, agent or tool", "rejected")
    time = entry.moment(span.time.isoformat() if span.time else None, "start")
    service = _service(span)
    event = _key(span)
    entry.identify(PROVIDER, service, event if span.id else None, within="")
    own = _agent(span, service)
    held: Mapping[str, str] = entry.context.get("agents", {})
    agent = own or held.get(event)
    user = span.text(*names.USER)
    user_id = principal(user, service) if user else None
    _identities(entry, span, service, own, user)
    _activity(entry, span, time, event, method or operation or "span", agent, user_id)
    for access in _accesses(span, service, operation, method):
        entry.add(tables.ASSISTANT_ACCESS, time=time, user_id=user_id, assistant_id=agent, agent_id=agent,
                  interaction_id=event, thread_id=span.text(*names.CONVERSATION),
                  model_provider=span.text(*names.PROVIDER_NAME), trigger="unknown", policy_outcome="unknown",
                  access_status="failure" if span.status == "error" else None, event_id=event, **access)
    requests: Mapping[str, list[str]] = entry.context.get("requests", {})
    told = [(part, cells) for part, cells in steps(span, service, agent, requests.get(event, ()))
            if cells["time"] is not None]
    for part, cells in told:
        entry.step(part, event_id=event, on_behalf_of_id=user_id, **cells)
    if own is not None and operation == RUN and span.id is not None:
        started(entry, span, event, time, own, user_id)
    used(entry, event, time, [part for part, _ in told])


def _service(span: Span) -> str | None:
    return name(span.resource.get("service.name")) or name(span.resource.get("service_name"))


def _agent(span: Span, service: str | None) -> str | None:
    """The agent a span names: by id, else by name within its service."""
    stated = span.text(*names.AGENT_ID) or span.text(*names.AGENT_NAME)
    if stated is None and (span.text(*names.KIND) or "").lower() == "agent":
        stated = span.text("traceloop.entity.name")
    return None if stated is None else identity_id(PROVIDER, service, guid(stated) or stated)


def _operation(span: Span) -> str | None:
    """The operation as stated, by another instrumentation's kind, or by the span's name where it begins with one."""
    stated = span.text(*names.OPERATION)
    if stated is None:
        kind = (span.text(*names.KIND) or "").lower()
        stated = names.KINDS.get(kind)
    if stated is None and any(key.startswith("gen_ai_") for key in span.flat):
        first = (span.name or "").split(" ", 1)[0]
        stated = first if first in names.OPERATIONS else None
    return stated


def _identities(entry: Entry, span: Span, service: str | None, agent: str | None, user: str | None) -> None:
    if agent is not None:
        label = span.text(*names.AGENT_NAME)
        created = _operation(span) == "create_agent" and span.status != "error"
        entry.add(tables.IDENTITY_FACTS, id=agent, kind="ai_agent", kind_basis="OTel gen_ai.agent", basis="seen",
                  display_name=label, alt_ids=[], created_at=span.time if created else None)
    if user is not None:
        found = principal(user, service)
        alt_ids = [{"kind": "login", "value": user.lower()}] if found.startswith(f"{PROVIDER}:") else []
        entry.add(tables.IDENTITY_FACTS, id=found, kind="unknown", kind_basis="a user id an application wrote",
                  basis="seen", alt_ids=alt_ids)


def _activity(entry: Entry, span: Span, time: object, event: str, action: str, agent: str | None,
              user: str | None) -> None:
    failed = span.status == "error" or span.text(*names.ERROR[:1]) is not None
    error = span.text(*names.ERROR) if failed else None
    outcome = "success" if not failed else "denied" if (error or "").lower() in _DENIALS else "failure"
    named = _resources(span, _service(span))
    read = True if action in names.READS else False if action in names.WRITES else None
    entry.add(
        tables.ACTIVITY, time=time, actor_id=agent or user, on_behalf_of_id=user if agent else None,
        actor_session_id=span.text(*names.MCP_SESSION) or span.text(*names.CONVERSATION),
        delegation_kind="platform_field" if agent and user else None,
        delegation_trust="caller_asserted" if agent and user else None,
        action=action, resource_id=named[0] if named else None, extra_resource_ids=named[1:] or None,
        outcome=outcome, error_code=error, is_read=read,
        ip=span.text("client.address", "net.peer.ip", "network.peer.address"),
        client=span.text("user_agent.original", "http.user_agent"), correlation_id=span.trace, event_id=event,
        unmapped=_leftovers(span))


def _leftovers(span: Span) -> str | None:
    known = {key for key in span.attributes if names.KNOWN.fullmatch(key.lower().replace(".", "_")) or
             names.CONTENTS.match(key.lower().replace(".", "_"))}
    return unmapped(span.attributes, known, texts=False)


def _resources(span: Span, service: str | None) -> list[str]:
    tool = span.text(*names.TOOL)
    found = [identity_id(PROVIDER, service, f"tool/{tool}")] if tool else []
    others = (span.text(*names.MCP_RESOURCE), span.text(*names.DATA_SOURCE))
    return [*found, *(held for held in others if held)]


def _accesses(span: Span, service: str | None, operation: str | None, method: str | None) -> Iterator[dict[str, Any]]:
    """What was read: the documents of a retrieval, else the source it searched, an MCP resource, a datastore tool."""
    source, documents = span.text(*names.DATA_SOURCE), _documents(span)
    datastore = operation == "execute_tool" and (span.text(*names.TOOL_TYPE) or "").lower() == "datastore"
    common = {"role": "accessed", "action": "read", "completeness": "listed"}
    if method == "resources/read" and (uri := span.text(*names.MCP_RESOURCE)):
        yield {**common, "resource_id": uri, "resource_id_kind": None, "resource_type": "mcp_resource"}
    elif documents:
        yield from ({**common, "resource_id": found, "resource_id_kind": "data_source", "resource_type": "document",
                     "site_url": None} for found in documents)
    elif source is not None:
        yield {**common, "resource_id": source, "resource_id_kind": "data_source", "resource_type": "data_source"}
    elif datastore and (tool := span.text(*names.TOOL)):
        yield {**common, "resource_id": identity_id(PROVIDER, service, f"tool/{tool}"), "resource_id_kind": "tool",
               "resource_type": "tool"}
    elif operation in names.RETRIEVALS:
        yield {"role": "none", "action": "read", "completeness": "absent" if documents is None else "empty"}


def _documents(span: Span) -> list[str] | None:
    """Ids of the documents found; None where the span has no such list."""
    listed = embedded(span.value(*names.DOCUMENTS))
    places = {place: found for key, held in span.flat.items()
              if (place := names.document_place(key)) is not None and (found := name(held))}
    if not isinstance(listed, list) and not places:
        return None
    ids = [held for item in objects(listed) if (held := name(item.get("id")) or name(item.get("document.id")))]
    return list(dict.fromkeys([*ids, *(places[place] for place in sorted(places))]))
