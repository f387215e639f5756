"""Model Context Protocol as logged: the JSON-RPC messages between clients and servers of tools (sources 11.2).

Shapes  JSON messages on lines, in arrays or alone, bare or in an envelope (``message``, ``payload``, ``body`` ...)
        with time, session, direction, server, client and user; ``request`` and ``response`` in one object; batches;
        test-suite envelopes. Messages may be text. The text log of a desktop client (``Message from client: ...``).
Maps    every question and notification to ``activity`` with the outcome of its answer; resources read to
        ``assistant_access``; clients and users to ``identity_facts``; what a server asked the user (``elicitation``)
        as a request, and the user's answer as a decision, to ``decision_steps``.
Drops   arguments (their hash is kept), results, contents, elicited forms, texts of unknown envelope fields. An answer
        gives its row to its question; one whose question is not in the file, and lines without a message, are rejected
        as ``out_of_scope``.
Schema  MCP 2024-11-05 to 2025-11-25; unknown methods are activity.

Question and answer belong together by session, asking side and id inside one file, at most a chunk apart. Who acts is
the client that introduced itself in the session: a name the caller wrote. Whether a tool only reads is known where the
server said so in ``tools/list``. A message logged without any time is kept, of no day, and is no step.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from lineage_analytics import tables
from lineage_analytics.loaders._lookahead import Recent, expanded, one_ahead
from lineage_analytics.loaders._mcp_desktop import desktop_chunks, is_desktop
from lineage_analytics.loaders._mcp_messages import ENVELOPE, Message, body_of, message_of, parts
from lineage_analytics.loaders.common.assembly import Entry, RecordFault, assemble
from lineage_analytics.loaders.common.contract import Match
from lineage_analytics.loaders.common.ids import identity_id
from lineage_analytics.loaders.common.leftovers import unmapped
from lineage_analytics.loaders.common.packings import head_keys, json_or_array_chunks
from lineage_analytics.loaders.common.sampling import decode_object
from lineage_analytics.loaders.common.stated import stated
from lineage_analytics.loaders.common.values import flag, fold, name, obj, objects, state_hash, text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lineage_analytics.loaders.common.contract import Batch, Chunk, Document, Sample

__all__ = ["FEEDS", "LATENESS", "PROVIDER", "detect", "extract", "transform"]

PROVIDER = "mcp"
LATENESS = timedelta(minutes=15)
FEEDS = frozenset({"activity", "assistant_access", "decision_steps", "identity_facts"})
SOURCE = "mcp_jsonrpc"
_MESSAGES_PER_CHUNK = 8_192
_LINES_TRIED = 20
_METHOD = re.compile(rb'\\{0,3}"method\\{0,3}"\s{0,4}:\s{0,4}\\{0,3}"([A-Za-z_$/]{2,60})\\{0,3}"')
_OURS = re.compile(rb"initialize|ping|(?:tools|resources|prompts|notifications|elicitation|sampling|roots|completion"
                   rb"|logging|tasks|server)/\w+(?:/\w+)*")
_READS = frozenset({"tools/list", "resources/list", "resources/read", "resources/templates/list", "prompts/list",
                    "prompts/get", "roots/list", "completion/complete", "ping", "tasks/get", "tasks/list"})
_DENIALS = frozenset({"401", "403"})
_VERDICTS = {"accept": "approve", "decline": "deny", "cancel": "withdraw"}
Told = dict[str, Any]
_Place = tuple[str, "str | None"]  # a message's key and its session


def detect(sample: Sample) -> Match | None:
    """JSON-RPC 2.0 with methods of the protocol."""
    if sample.wrapper in ("csv", "unknown") and is_desktop(sample.head):
        return Match("desktop", 0.95, "messages between client and servers as a desktop client logs them")
    if sample.columns or not _holds_message(sample):
        return None
    methods = _METHOD.findall(sample.head)
    if any(_OURS.fullmatch(method) for method in methods):
        return Match("json", 0.9, "JSON-RPC 2.0 with methods of the Model Context Protocol")
    return None if methods else Match("json", 0.5, "JSON-RPC 2.0 answers")


def _holds_message(sample: Sample) -> bool:
    if sample.first is None:
        return "jsonrpc" in head_keys(sample)
    lines = sample.head.split(b"\n", _LINES_TRIED)[:_LINES_TRIED] if sample.wrapper == "lines" else []
    firsts = [sample.first, *(found for line in lines if (found := decode_object(line)) is not None)]
    return any(_is_message(fold(first)) for first in firsts)


def _is_message(record: Mapping[str, Any]) -> bool:
    return body_of(record) is not None or any(
        body_of(obj(record.get(key))) is not None for key in ("request", "request_body", "response"))


def extract(document: Document) -> Iterator[Chunk]:
    """One raw record per message; each chunk knows the answers to its questions and who speaks in its sessions."""
    talk = _Talk()
    whole = desktop_chunks(document) if document.shape == "desktop" else json_or_array_chunks(document)
    chunks = expanded(whole, parts, _MESSAGES_PER_CHUNK)
    return one_ahead(chunks, talk.note, talk.context)


class _Talk:
    """What the messages of one file say of each other."""

    def __init__(self) -> None:
        self._open: Recent[tuple[Message, str] | None] = Recent()
        self._early: Recent[tuple[Message, str] | None] = Recent()
        self._answers: Recent[Told] = Recent()
        self._questions: Recent[Told] = Recent()
        self._sessions: Recent[Told] = Recent()

    def note(self, chunk: Chunk) -> list[_Place]:
        places = []
        for message in _messages(chunk):
            key = message.key
            if message.is_answer:
                self._answer(message, key)
            else:
                self._question(message, key)
            places.append((key, message.session))
        return places

    def context(self, places: list[_Place]) -> Mapping[str, Any]:
        answers, questions, sessions = {}, {}, {}
        for key, session in places:
            if (told := self._sessions.get(session)) is not None:
                sessions[session] = told
            if (answer := self._answers.get(key)) is not None:
                answers[key] = answer
            if (question := self._questions.get(key)) is not None:
                questions[key] = question
        known = {session: {**told, "tools": dict(told["tools"])} for session, told in sessions.items()}
        return {"answers": answers, "questions": questions, "sessions": known}

    def _question(self, message: Message, key: str) -> None:
        if message.method == "initialize":
            self._session(message)["client"] = name(obj(message.params.get("clientinfo")).get("name"))
        if message.id is None or self._answers.get(key) is not None:
            return
        early = self._early.get(message.question)
        if early is not None:
            self._early.put(message.question, None)
            self._join((message, key), early)
        else:
            self._open.put(message.question, (message, key))

    def _answer(self, message: Message, key: str) -> None:
        if self._questions.get(key) is not None:
            return
        question = self._open.get(message.question)
        if question is None:
            self._early.put(message.question, (message, key))
            return
        self._open.put(message.question, None)
        self._join(question, (message, key))

    def _join(self, asked: tuple[Message, str], answered: tuple[Message, str]) -> None:
        (question, asked_key), (answer, answered_key) = asked, answered
        self._answers.put(asked_key, _outcome(answer))
        self._questions.put(answered_key, {"method": question.method, "time": question.time})
        if question.method == "initialize":
            self._session(question)["server"] = name(obj(answer.result.get("serverinfo")).get("name"))
        if question.method == "tools/list":
            told = self._session(question)["tools"]
            for tool in objects(answer.result.get("tools")):
                hint = flag(obj(tool.get("annotations")).get("readonlyhint"))
                if hint is not None and (label := name(tool.get("name"))) is not None:
                    told[label] = hint

    def _session(self, message: Message) -> Told:
        told = self._sessions.get(message.session)
        if told is None:
            told = {"client": None, "server": None, "tools": {}}
            self._sessions.put(message.session, told)
        return told


def _messages(chunk: Chunk) -> Iterator[Message]:
    for raw in chunk.raws:
        fields = decode_object(raw)
        message = message_of(fields) if fields is not None else None
        if message is not None:
            yield message


def _outcome(answer: Message) -> Told:
    error = obj(answer.body.get("error"))
    if error or "result" not in answer.body:
        code = text(error.get("code"))
        return {"outcome": "denied" if code in _DENIALS else "failure", "error": code}
    failed = flag(answer.result.get("iserror")) is True
    return {"outcome": "failure" if failed else "success", "error": "isError" if failed else None}


def transform(chunk: Chunk, document: Document) -> Batch:
    """Activity, accesses and elicited decisions of one chunk."""
    return assemble(chunk, document, SOURCE, _read)


def _read(entry: Entry) -> None:
    message = message_of(entry.fields)
    if message is None:
        raise RecordFault("out_of_scope", "a line without a JSON-RPC message", "rejected")
    told: Told = entry.context.get("sessions", {}).get(message.session, {})
    server, client = message.server or told.get("server"), message.client or told.get("client")
    key = message.key
    question: Told | None = entry.context.get("questions", {}).get(key)
    elicited = _verdict(message, question)
    if message.is_answer and question is None and elicited is None:
        raise RecordFault("out_of_scope", "an answer whose question is not in the file", "rejected")
    said = message.time or (question or {}).get("time")
    time = entry.moment(said.isoformat() if said else None, "time")
    entry.identify(PROVIDER, server, key, within="")
    client_id = identity_id(PROVIDER, server, client) if client else None
    user_id = identity_id(PROVIDER, server, f"user/{message.user}") if message.user else None
    who = {"time": time, "event_id": _event(message)}
    keys = stated(trace=_trace(message))
    _identities(entry, client_id, client, user_id, message.user)
    if elicited is not None and time is not None:
        _decision(entry, message, elicited, user_id, client_id, {**who, "stated_keys": keys})
    if message.is_answer:
        return
    answer: Told = entry.context.get("answers", {}).get(key, {})
    _activity(entry, message, client_id, user_id, told, answer, who, server)
    if message.method == "resources/read" and (uri := name(message.params.get("uri"))):
        entry.add(tables.ASSISTANT_ACCESS, **who, user_id=user_id, assistant_id=client_id, thread_id=message.session,
                  interaction_id=_event(message) or key, resource_id=uri, resource_type="mcp_resource",
                  role="accessed", action="read", completeness="listed", policy_outcome="unknown", trigger="unknown")
    if message.method == "elicitation/create" and time is not None:
        entry.step("request", kind="request", **who, stated_keys=keys, operation=message.method, status="pending",
                   native_key_kind="mcp_request", native_key=_event(message), title="a server asks the user",
                   initiator_id=None, actor_id=identity_id(PROVIDER, server, "server") if server else None,
                   actor_class="workload", actor_class_basis="an MCP server")


def _event(message: Message) -> str | None:
    return None if message.id is None else f"{message.session or ''}/{message.asker}/{message.id}"


def _verdict(message: Message, question: Told | None) -> str | None:
    """What the user answered a server; None for other messages."""
    if not message.is_answer or (question is not None and question["method"] != "elicitation/create"):
        return None
    return _VERDICTS.get((text(message.result.get("action")) or "").lower())


def _decision(entry: Entry, message: Message, verdict: str, user: str | None, client: str | None,
              who: Mapping[str, Any]) -> None:
    entry.step("decision", kind="decision", **who, operation="elicitation/create", verdict=verdict, capacity="approver",
               actor_id=user, via_assistant_id=client, native_key_kind="mcp_request", native_key=_event(message),
               title=f"the user's answer: {verdict}")


def _identities(entry: Entry, client_id: str | None, client: str | None, user_id: str | None,
                user: str | None) -> None:
    if client_id is not None:
        entry.add(tables.IDENTITY_FACTS, id=client_id, kind="app", kind_basis="an MCP client", basis="seen",
                  display_name=client, alt_ids=[])
    if user_id is not None and user is not None:
        entry.add(tables.IDENTITY_FACTS, id=user_id, kind="unknown", kind_basis="a user the log names", basis="seen",
                  alt_ids=[{"kind": "login", "value": user.lower()}])


def _activity(entry: Entry, message: Message, client: str | None, user: str | None, told: Told, answer: Told,
              who: Mapping[str, Any], server: str | None) -> None:
    method, label = message.method or "unknown", name(message.params.get("name"))
    resource = name(message.params.get("uri"))
    if label is not None and method in ("tools/call", "prompts/get"):
        resource = identity_id(PROVIDER, server, f"{'tool' if method == 'tools/call' else 'prompt'}/{label}")
    from_server = message.asker == "server"
    via = client if user is not None and not from_server else None
    arguments = state_hash(message.params.get("arguments"))
    entry.add(
        tables.ACTIVITY, **who,
        actor_id=(identity_id(PROVIDER, server, "server") if server else None) if from_server else user or client,
        actor_session_id=message.session, via_assistant_id=via, delegation_kind="platform_field" if via else None,
        delegation_trust="caller_asserted" if via else None, action=method, resource_id=resource,
        outcome=answer.get("outcome", "unknown"), error_code=answer.get("error"),
        is_read=True if method in _READS else told.get("tools", {}).get(label) if method == "tools/call" else None,
        effect_delta=f'{{"arguments_sha256":"{arguments}"}}' if arguments else None,
        correlation_id=_trace(message), unmapped=unmapped(fold(entry.fields), ENVELOPE, texts=False))


def _trace(message: Message) -> str | None:
    """The trace that the caller's context names (W3C traceparent)."""
    said = (text(obj(message.params.get("_meta")).get("traceparent")) or "").split("-")
    return said[1].lower() if len(said) == 4 and len(said[1]) == 32 else None
