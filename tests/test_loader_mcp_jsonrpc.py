"""MCP messages become activity with the outcome of their answers; what users answer servers is a decision."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lineage_analytics.loaders import mcp_jsonrpc, recognise
from lineage_analytics.loaders.common.values import state_hash
from tests._documents import Loaded, member

WRITTEN = "the salary of Bo"
Message = dict[str, Any]


def ask(second: int, number: int | None, method: str, side: str = "client", session: str = "s1", **params: Any) -> Message:
    body: Message = {"jsonrpc": "2.0", "method": method, "params": params}
    if number is not None:
        body["id"] = number
    return wrap(second, body, side, session)


def reply(second: int, number: int, side: str = "server", session: str = "s1", **more: Any) -> Message:
    return wrap(second, {"jsonrpc": "2.0", "id": number, **more}, side, session)


def wrap(second: int, body: Message, side: str, session: str) -> Message:
    return {"timestamp": f"2026-03-01T10:00:{second:02d}.000Z", "session_id": session,
            "direction": "client_to_server" if side == "client" else "server_to_client", "message": body}


CALL = ask(4, 3, "tools/call", name="delete_user", arguments={"name": WRITTEN}, _meta={
    "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"})
TALK = [
    ask(0, 0, "initialize", clientInfo={"name": "desk", "version": "1"}, protocolVersion="2025-06-18"),
    reply(1, 0, result={"serverInfo": {"name": "directory"}, "capabilities": {}}),
    ask(1, None, "notifications/initialized"),
    ask(2, 1, "tools/list"),
    reply(2, 1, result={"tools": [{"name": "find_user", "annotations": {"readOnlyHint": True}},
                                  {"name": "delete_user", "annotations": {"readOnlyHint": False}}]}),
    ask(3, 2, "tools/call", name="find_user", arguments={}),
    reply(3, 2, result={"content": [{"type": "text", "text": WRITTEN}]}),
    CALL,
    ask(5, 0, "elicitation/create", side="server", message=WRITTEN, requestedSchema={"type": "object"}),
    reply(6, 0, side="client", result={"action": "accept", "content": {"why": WRITTEN}}),
    reply(7, 3, result={"isError": True, "content": [{"type": "text", "text": WRITTEN}]}),
    ask(8, 4, "resources/read", uri="file:///plan.md"),
    reply(9, 4, error={"code": 403, "message": WRITTEN}),
    ask(10, 5, "tools/call", name="unknown_tool"),
]
LINES = "\n".join(map(json.dumps, TALK))


def desktop(one: Message, server: str = "directory") -> str:
    """As a desktop client logs it, in the file of one server."""
    side = one["direction"].split("_")[0]
    return f"{one['timestamp']} [{server}] [info] Message from {side}: {json.dumps(one['message'])} {{ metadata: undefined }}"


DESKTOP = "\n".join(["2026-03-01T09:59:59.000Z [directory] [info] Server started and connected successfully",
                     *map(desktop, TALK)])
KEEPS_UNKNOWN_TEXTS = False
CONTRACT_FILES = {
    "lines": LINES.encode(), "array": json.dumps(TALK, indent=1).encode(), "desktop": DESKTOP.encode()}


def _shown(found: Loaded) -> dict[str, list[str]]:
    return {table: sorted({repr(row) for row in frame.drop("raw_ref").rows()}) for table, frame in found.frames.items()}


def flat(one: Message) -> Message:
    return {**one["message"], **{key: held for key, held in one.items() if key != "message"}}


@pytest.mark.parametrize("packed", [
    json.dumps(TALK), "\n".join(json.dumps(flat(one)) for one in TALK),
    "\n".join(json.dumps({**one, "message": json.dumps(one["message"])}) for one in TALK),
    "\n".join(json.dumps({"_origin": "x", "log": one}) for one in TALK),
    "\n".join(json.dumps({"payload" if k == "message" else k: v for k, v in one.items()}) for one in TALK),
    "\n".join(json.dumps({"ts": one["timestamp"], "metadata": {"sessionId": "s1"}, "from": one["direction"],
                          "body": one["message"]}) for one in TALK),
    '{"level": "info", "msg": "started"}\n' + LINES,
], ids=["array", "flat", "text", "log", "payload", "metadata", "preamble"])
def test_every_envelope_gives_the_same_rows(packed: str) -> None:
    assert _shown(Loaded(packed)) == _shown(Loaded(LINES))


def test_a_call_has_the_outcome_of_its_answer() -> None:
    assert Loaded(LINES).rows("activity", "action", "resource_id", "outcome", "error_code", "is_read") == sorted([
        ("initialize", None, "success", None, None), ("notifications/initialized", None, "unknown", None, None),
        ("tools/list", None, "success", None, True),
        ("tools/call", "mcp:directory:tool/find_user", "success", None, True),
        ("tools/call", "mcp:directory:tool/delete_user", "failure", "isError", False),
        ("elicitation/create", None, "success", None, None),
        ("resources/read", "file:///plan.md", "denied", "403", True),
        ("tools/call", "mcp:directory:tool/unknown_tool", "unknown", None, None)], key=repr)


def test_each_resource_read_is_an_exchange_of_its_own() -> None:
    found = Loaded([*TALK, ask(20, 6, "resources/read", uri="file:///plan.md")])
    assert found.rows("assistant_access", "interaction_id", "resource_id") == [
        ("s1/client/4", "file:///plan.md"), ("s1/client/6", "file:///plan.md")]


def test_the_client_acts_and_is_an_application_not_a_person() -> None:
    found = Loaded(LINES)
    assert {a for (a,) in found.rows("activity", "actor_id")} == {"mcp:directory:desk", "mcp:directory:server"}
    assert found.rows("identity_facts", "id", "kind") == [("mcp:directory:desk", "app")]


def test_a_user_the_log_names_acts_through_the_client() -> None:
    found = Loaded("\n".join(json.dumps({**one, "user": {"sub": "ana"}}) for one in TALK))
    assert ("mcp:directory:user/ana", "mcp:directory:desk", "caller_asserted") in found.rows(
        "activity", "actor_id", "via_assistant_id", "delegation_trust")


@pytest.mark.parametrize(("action", "verdict"), [("accept", "approve"), ("decline", "deny"), ("cancel", "withdraw")])
def test_what_the_user_answers_a_server_is_a_decision(action: str, verdict: str) -> None:
    talk = [ask(5, 9, "elicitation/create", side="server", message="sure?"),
            reply(6, 9, side="client", result={"action": action})]
    assert Loaded(talk).rows("decision_steps", "kind", "verdict", "capacity", "native_key", "actor_class") == [
        ("decision", verdict, "approver", "s1/server/9", "unknown"), ("request", None, None, "s1/server/9", "workload")]


def test_each_side_counts_its_own_ids() -> None:
    """The server's question 3 is answered in between, and the client's 3 keeps its own answer."""
    talk = [ask(1, 3, "tools/call", name="a"), ask(2, 3, "elicitation/create", side="server"),
            reply(3, 3, side="client", result={"action": "decline"}), reply(4, 3, result={"isError": False})]
    for stated in (talk, [{k: v for k, v in one.items() if k != "direction"} for one in talk]):
        assert Loaded(stated).rows("activity", "action", "outcome") == [
            ("elicitation/create", "success"), ("tools/call", "success")]
        assert Loaded(stated).rows("decision_steps", "verdict") == [("deny",), (None,)]


def test_ids_restart_in_a_session_and_from_session_to_session() -> None:
    talk = [ask(1, 1, "tools/call", name="a"), ask(1, 1, "tools/call", session="s2", name="b"),
            reply(2, 1, session="s2", error={"code": -32602}), reply(3, 1, result={}),
            ask(4, 1, "tools/call", name="c"), reply(5, 1, result={"isError": True})]
    assert Loaded(talk).rows("activity", "resource_id", "outcome") == [
        ("mcp::tool/a", "success"), ("mcp::tool/b", "failure"), ("mcp::tool/c", "failure")]


def test_an_answer_that_was_logged_first_still_belongs_to_its_question() -> None:
    talk = [reply(2, 1, error={"code": -1}), ask(1, 1, "tools/call", name="a")]
    assert Loaded(talk).rows("activity", "outcome") == [("failure",)]


def test_question_and_answer_in_one_object_are_two_records() -> None:
    one = {"timestamp": "2026-03-01T10:00:00Z", "metadata": {"serverName": "directory", "sessionId": "s1"},
           "request": {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "a"}},
           "response": {"jsonrpc": "2.0", "id": 1, "error": {"code": -32000}}}
    found = Loaded([one])
    assert (len(found.ids), found.rows("activity", "resource_id", "outcome")) == (
        2, [("mcp:directory:tool/a", "failure")])


def test_arguments_are_hashed_and_nothing_said_is_kept() -> None:
    found = Loaded(LINES)
    held = json.dumps([frame.to_dicts() for frame in found.frames.values()], default=str)
    assert "salary" not in held
    assert str(state_hash({"name": WRITTEN})) in held
    assert ("0af7651916cd43dd8448eb211c80319c",) in found.rows("activity", "correlation_id")


def test_an_answer_without_its_question_is_counted_and_gives_no_row() -> None:
    found = Loaded([ask(0, 1, "ping"), reply(1, 77, result={})])
    assert [(f.position, f.reason, f.disposition) for f in found.faults] == [(1, "out_of_scope", "rejected")]
    assert found["activity"].height == 1


def test_a_bare_message_without_any_time_is_kept_of_no_day_and_is_no_step() -> None:
    bare = [one["message"] for one in TALK]
    found = Loaded(bare)
    assert (found.faults, found["activity"]["time"].null_count()) == ([], found["activity"].height)
    assert found.rows("activity", "action", "outcome") == Loaded(LINES).rows("activity", "action", "outcome")
    assert found["decision_steps"].is_empty()


@pytest.mark.parametrize("message", [{"jsonrpc": "2.0", "id": 1, "method": "eth_call", "params": []},
                                     {"jsonrpc": "2.0", "method": "textDocument/didOpen", "params": {}}])
def test_other_protocols_over_json_rpc_are_not_taken(message: Message) -> None:
    assert recognise(member(json.dumps(message)).sample) is None


def test_questions_and_answers_find_each_other_across_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mcp_jsonrpc, "_MESSAGES_PER_CHUNK", 3)
    monkeypatch.setattr("lineage_analytics.loaders.common.records.RECORDS_PER_CHUNK", 1)
    assert _shown(Loaded(LINES)) == _shown(Loaded(json.dumps(TALK)))


def test_a_batch_in_one_envelope_is_several_messages() -> None:
    batch = {**CALL, "message": [CALL["message"], {"jsonrpc": "2.0", "id": 9, "method": "ping"}]}
    found = Loaded("\n".join([json.dumps(TALK[0]), json.dumps(batch)]))
    assert found.rows("activity", "action") == [("initialize",), ("ping",), ("tools/call",)]


def test_the_log_of_a_desktop_client_says_the_same_as_the_messages() -> None:
    columns = ("time", "actor_id", "action", "outcome", "error_code", "is_read", "effect_delta", "resource_id")
    wanted = Loaded("\n".join(json.dumps({**one, "server": "directory", "session_id": "directory"}) for one in TALK))
    found = Loaded(DESKTOP)
    assert found.rows("activity", *columns) == wanted.rows("activity", *columns)
    assert sorted(found.ids) == sorted(wanted.ids)
    assert [fault.reason for fault in found.faults] == ["out_of_scope"]
    assert WRITTEN not in repr(found.frames)


def test_in_the_log_of_all_servers_answers_find_the_question_to_their_own_server() -> None:
    def said(second: int, server: str, side: str, **body: Any) -> str:
        return f"2026-03-01T10:00:{second:02d}.000Z [info] [{server}] Message from {side}: {json.dumps(body)}"

    log = ["==> mcp.log <==", said(1, "a", "client", jsonrpc="2.0", id=3, method="tools/call", params={"name": "x"}),
           said(2, "b", "client", jsonrpc="2.0", id=3, method="tools/call", params={"name": "y"}),
           said(3, "b", "server", jsonrpc="2.0", id=3, result={"content": []}), "[03/01/26 10:00:03] INFO printed",
           said(4, "a", "server", jsonrpc="2.0", id=3, error={"code": -32601, "message": WRITTEN})]
    assert Loaded("\n".join(log)).rows("activity", "resource_id", "outcome") == [
        ("mcp:a:tool/x", "failure"), ("mcp:b:tool/y", "success")]


def test_an_answer_cut_by_the_client_leaves_open_how_the_call_went() -> None:
    cut = '2026-03-01T10:00:09.000Z [directory] [info] Message from server: {"jsonrpc":"2.0","id":3,"result":{"con...[99 chars'
    found = Loaded(desktop(CALL) + "\n" + cut)
    assert found["activity"]["outcome"].to_list() == ["unknown"]
    assert [(fault.reason, fault.disposition) for fault in found.faults] == [("out_of_scope", "rejected")]
