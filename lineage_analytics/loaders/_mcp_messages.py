"""JSON-RPC messages out of whatever envelope a proxy, client or server logs them in (sources 11.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from lineage_analytics.loaders.common.sampling import decode_object
from lineage_analytics.loaders.common.times import parse_time
from lineage_analytics.loaders.common.values import CONTENT, Fields, embedded, fold, name, obj, state_hash, text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

_MESSAGE = ("message", "payload", "data", "body", "rpc", "msg", "event", "jsonrpc_message", "log", "content")
_PAIR = (("request", "response"), ("request_body", "response_body"), ("requestbody", "responsebody"))
_TIMES = ("timestamp", "time", "ts", "@timestamp", "at_sign_timestamp", "created_at", "createdat", "datetime", "date")
_SESSIONS = ("session_id", "sessionid", "session", "mcp_session_id", "mcp-session-id", "mcpsessionid", "connection_id")
_SIDES = ("direction", "dir", "from", "sender", "origin")
_SERVERS = ("server_name", "servername", "server", "mcp_server", "mcpserver", "server_id")
_CLIENTS = ("client_name", "clientname", "client", "mcp_client", "client_id", "clientid")
_USERS = ("user_id", "userid", "user", "sub", "principal", "subject", "username")
_INNER = ("metadata", "meta", "context", "headers", "claims", "identity", "auth")
_SENT_BY_SERVER = frozenset({"elicitation/create", "sampling/createmessage", "roots/list"})
_BODY = ("jsonrpc", "id", "method", "params", "result", "error")
ENVELOPE = frozenset((
    *_MESSAGE, *_TIMES, *_SESSIONS, *_SIDES, *_SERVERS, *_CLIENTS, *_USERS, *_INNER, *_BODY,
    *(key for pair in _PAIR for key in pair), "level", "type", "transport", "duration_ms"))


class Message(NamedTuple):
    """One JSON-RPC message with what its envelope says of it. ``side`` is who sent it, where that is known."""

    body: Fields
    method: str | None
    id: str | None
    session: str | None
    side: str | None
    time: datetime | None
    server: str | None
    client: str | None
    user: str | None

    @property
    def key(self) -> str:
        """What the message is known by: the same in any envelope, without what people wrote."""
        said = {key: self.body[key] for key in _BODY if key in self.body}
        when = self.time.isoformat() if self.time else None
        return f"content:{state_hash({**said, 'asker': self.asker, 'session': self.session, 'time': when}, CONTENT)}"

    @property
    def params(self) -> Fields:
        return obj(self.body.get("params"))

    @property
    def result(self) -> Fields:
        return obj(self.body.get("result"))

    @property
    def is_answer(self) -> bool:
        return self.method is None and ("result" in self.body or "error" in self.body)

    @property
    def asker(self) -> str:
        """The side that asked, for a question its own, for an answer the other; by method or form where unstated."""
        if self.is_answer:
            if self.side is not None:
                return "server" if self.side == "client" else "client"
            elicited = (text(self.result.get("action")) or "").lower() in ("accept", "decline", "cancel")
            return "server" if elicited or "roots" in self.result or "stopreason" in self.result else "client"
        return self.side or ("server" if (self.method or "").lower() in _SENT_BY_SERVER else "client")

    @property
    def question(self) -> tuple[str | None, str, str | None]:
        """What a question and its answer share: ids restart per session, and each side counts its own."""
        return self.session, self.asker, self.id


def body_of(record: Mapping[str, Any], depth: int = 2) -> Fields | None:
    """The JSON-RPC message in an object with folded keys, itself or in its envelope; None when it holds none."""
    if text(record.get("jsonrpc")) == "2.0" and {"method", "result", "error"} & set(record):
        return dict(record)
    for key in _MESSAGE if depth else ():
        inner = embedded(record.get(key))
        if isinstance(inner, dict) and (found := body_of(fold(inner), depth - 1)) is not None:
            return found
    return None


def parts(raw: bytes | msgspec.Raw) -> list[bytes]:
    """The messages of one logged object: a question with its answer and a batch are several, anything else is one."""
    whole = decode_object(raw)
    record = fold(whole) if whole is not None else {}
    for asked, answered in _PAIR:
        pair = [obj(record.get(key)) for key in (asked, answered)]
        if any(body_of(one) for one in pair):
            rest = {key: held for key, held in record.items() if key not in (asked, answered)}
            return [msgspec.json.encode({**rest, "message": one}) for one in pair if body_of(one)]
    for key in _MESSAGE:
        batch = embedded(record.get(key))
        if isinstance(batch, list) and batch and all(isinstance(one, dict) for one in batch):
            return [msgspec.json.encode({**record, key: one}) for one in batch]
    return [bytes(raw)]


def message_of(fields: Fields) -> Message | None:
    """The message of a logged object; None when it holds none."""
    record = fold(fields)
    body = body_of(record)
    if body is None:
        return None
    layers = list(_layers(record, body))
    number = body.get("id")
    return Message(
        body, name(body.get("method")), None if number is None else text(number), _first(layers, _SESSIONS),
        _side(_first(layers, _SIDES)), next((found for layer in layers for key in _TIMES
                                             if (found := parse_time(layer.get(key))) is not None), None),
        _named(layers, _SERVERS), _named(layers, _CLIENTS), _named(layers, _USERS))


def _layers(record: Fields, body: Fields) -> Iterator[Fields]:
    """The envelope from the outside in, without the message's own parts."""
    outer: Fields | None = record
    for _ in range(3):
        if outer is None:
            return
        yield outer
        yield from (inner for key in _INNER if (inner := obj(outer.get(key))))
        if outer is body or text(outer.get("jsonrpc")) == "2.0":
            return
        outer = next((inner for key in _MESSAGE if (inner := obj(outer.get(key))) and body_of(inner)), None)


def _first(layers: list[Fields], keys: tuple[str, ...]) -> str | None:
    return next((found for layer in layers for key in keys if (found := name(layer.get(key))) is not None), None)


def _named(layers: list[Fields], keys: tuple[str, ...]) -> str | None:
    """A name or id under any of the keys, also of an object there."""
    for layer in layers:
        for key in keys:
            held = obj(layer.get(key))
            found = (name(held.get("id")) or name(held.get("sub")) or name(held.get("name"))) if held else name(
                layer.get(key))
            if found is not None:
                return found
    return None


def _side(stated: str | None) -> str | None:
    """Who sent it. ``in`` and ``out`` say it only to who knows which side kept the log."""
    low = (stated or "").lower()
    if low.startswith(("client", "c2s")):
        return "client"
    return "server" if low.startswith(("server", "s2c")) else None
