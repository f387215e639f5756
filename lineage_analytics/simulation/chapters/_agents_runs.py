"""Runs of the support agent as its traces tell them, and the messages it exchanges with the server of its tools."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from lineage_analytics.simulation.model import Account, Deed

if TYPE_CHECKING:
    from lineage_analytics.simulation.dice import Dice
    from lineage_analytics.simulation.model import File, Person, World

TRACES, MESSAGES = "otel_genai", "mcp_jsonrpc"
SERVICE, SERVER, CLIENT = "support-agent-synthetic", "desk-tools-synthetic", "support-agent"
SHADOW = "triage-lab"
TOOLS = {"find_ticket": True, "unlock_account": False, "reset_token": False}
"""Whether each only reads."""
_MODEL = {"gen_ai.provider.name": "northwind.inference", "gen_ai.request.model": "nw-small-2"}


@dataclass
class Cast:
    """Who takes part: the agent somebody answers for, one nobody knows of, and those the tools' server names."""

    agent: Account
    shadow: Account
    client: Account
    server: Account
    users: dict[int, Account]
    people: list[Person]


def cast(world: World, dice: Dice) -> Cast:
    here = [p for p in world.persons if p.declared and p.left_on is None and not p.admin_id]
    people = sorted(here, key=lambda p: p.department != "Support")[:6]
    made = Cast(
        Account("otel", SERVICE, dice.guid(), "Support agent", "ai_agent", listed=True, logged=True),
        Account("otel", SERVICE, SHADOW, "Triage lab", "ai_agent", listed=False, logged=True),
        Account("mcp", SERVER, CLIENT, CLIENT, "app"), Account("mcp", SERVER, "server", SERVER, "unknown"),
        {p.number: Account("mcp", SERVER, f"user/{p.login}", p.login, "unknown", p) for p in people}, people)
    world.accounts += [made.agent, made.shadow, made.client, made.server, *made.users.values()]
    return made


@dataclass
class Talk:
    """One session of client and server."""

    dice: Dice
    cast: Cast
    session: str
    user: Person | None
    deeds: list[Deed] = field(default_factory=list)
    _ids: dict[str, int] = field(default_factory=lambda: {"client": 0, "server": 0})

    def greet(self, time: datetime) -> None:
        self.ask(time, "initialize", {"protocolVersion": "2025-06-18", "capabilities": {},
                                      "clientInfo": {"name": CLIENT, "version": "1.4"}},
                 {"protocolVersion": "2025-06-18", "capabilities": {}, "serverInfo": {"name": SERVER, "version": "2"}})
        self._add(time + timedelta(seconds=1), "client", "notifications/initialized",
                  {"jsonrpc": "2.0", "method": "notifications/initialized"}, self._caller)

    def list_tools(self, time: datetime) -> None:
        self.ask(time, "tools/list", {}, {"tools": [
            {"name": name, "description": "synthetic", "inputSchema": {"type": "object"},
             "annotations": {"readOnlyHint": reads}} for name, reads in TOOLS.items()]})

    def call(self, time: datetime, tool: str, trace: str, *, seconds: int = 1, failed: bool = False) -> str:
        """A tool is called, within a trace; its event id."""
        result: dict[str, Any] = {"content": [{"type": "text", "text": "synthetic"}], "isError": failed}
        return self.ask(time, "tools/call", {
            "name": tool, "arguments": {"case": self.dice.whole(1000, 9999)},
            "_meta": {"traceparent": f"00-{trace}-{self.dice.hexadecimal(16)}-01"}}, result, seconds=seconds)

    def read(self, time: datetime, uri: str) -> str:
        return self.ask(time, "resources/read", {"uri": uri}, {"contents": [{"uri": uri, "text": "synthetic"}]},
                        bare_assistant=True, found=1)

    def elicit(self, time: datetime, what: str, answer: str) -> str:
        """The server asks the user, who answers within half a minute."""
        return self.ask(time, "elicitation/create", {"message": what, "requestedSchema": {"type": "object"}},
                        {"action": answer, "content": {}}, side="server", seconds=self.dice.whole(6, 30))

    @property
    def _caller(self) -> Account:
        return self.cast.users[self.user.number] if self.user else self.cast.client

    def ask(self, time: datetime, method: str, params: dict[str, Any], result: dict[str, Any], side: str = "client",
            seconds: int = 1, **details: Any) -> str:
        number = self._ids[side]
        self._ids[side] += 1
        event = f"{self.session}/{side}/{number}"
        who = self._caller if side == "client" else self.cast.server
        self._add(time, side, event, {"jsonrpc": "2.0", "id": number, "method": method, "params": params}, who, details)
        self._add(time + timedelta(seconds=seconds), "server" if side == "client" else "client", event,
                  {"jsonrpc": "2.0", "id": number, "result": result}, None)
        return event

    def _add(self, time: datetime, side: str, event: str, body: dict[str, Any], who: Account | None,
             details: dict[str, Any] | None = None) -> None:
        self.deeds.append(Deed(time, MESSAGES, event, who, str(body.get("method", "answer")), details={
            "session": self.session, "side": side, "body": body, "user": self.user.login if self.user else None,
            **(details or {})}))


@dataclass
class Run:
    """One trace; it names people by the id the directory has for them."""

    dice: Dice
    world: World
    agent: Account
    user: Person | None
    start: datetime
    trace: str = ""
    root: str = ""
    deeds: list[Deed] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.trace, self.conversation = self.dice.hexadecimal(32), self.dice.guid()
        self.root = self.span(0, f"invoke_agent {self.agent.name}", {
            "gen_ai.operation.name": "invoke_agent", "gen_ai.agent.id": self.agent.native_id,
            "gen_ai.agent.name": self.agent.name, **_MODEL}, seconds=40)

    def span(self, after: float, name: str, attributes: dict[str, Any], *, seconds: float = 1.0, failed: bool = False,
             **details: Any) -> str:
        """A span some seconds after the start, inside the root one; its event id is trace and span."""
        own = self.dice.hexadecimal(16)
        held = dict(attributes)
        if self.user is not None:
            held |= {"enduser.id": f"entra:{self.world.tenant}:{self.user.object_id}",
                     "gen_ai.conversation.id": self.conversation}
        event = f"{self.trace}/{own}"
        self.deeds.append(Deed(
            self.start + timedelta(seconds=int(after)), TRACES, event, self.agent, name,
            "failure" if failed else "success", {
                "trace": self.trace, "span": own, "parent": self.root.partition("/")[2] if self.root else "",
                "attributes": held, "seconds": seconds, **details}))
        return event

    def chat(self, after: float) -> None:
        self.span(after, "chat nw-small-2", {
            "gen_ai.operation.name": "chat", **_MODEL, "gen_ai.usage.input_tokens": self.dice.whole(200, 4000),
            "gen_ai.usage.output_tokens": self.dice.whole(20, 600)}, seconds=3)

    def retrieve(self, after: float, files: list[File], address: Any) -> str:
        found = [{"id": address(file), "score": round(0.9 - 0.1 * place, 2)} for place, file in enumerate(files)]
        return self.span(after, "retrieval support-index", {
            "gen_ai.operation.name": "retrieval", "gen_ai.data_source.id": "support-index",
            "gen_ai.retrieval.documents": found}, bare_assistant=True, found=len(found))

    def tool(self, after: float, tool: str, session: str, *, seconds: float = 1.0, failed: bool = False,
             **stated: Any) -> str:
        return self.span(after, f"execute_tool {tool}", {
            "gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": tool, "gen_ai.tool.type": "extension",
            "mcp.method.name": "tools/call", "mcp.session.id": session,
            **({"error.type": "tool_error"} if failed else {}), **stated}, seconds=seconds, failed=failed)
