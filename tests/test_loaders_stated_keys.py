"""Keys of records elsewhere, out of the fields made for them: what each source states, and what is never one."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineage_analytics.loaders.common.stated import LONGEST, MOST, stated
from tests import test_loader_azure_activity as azure
from tests import test_loader_gcp_audit as gcp
from tests import test_loader_gcp_recommender as advice
from tests import test_loader_jira as jira
from tests import test_loader_k8s_audit as k8s
from tests import test_loader_m365_audit as m365
from tests import test_loader_mcp_jsonrpc as mcp
from tests import test_loader_okta_system_log as okta
from tests import test_loader_otel_genai as otel
from tests import test_loader_servicenow as snow
from tests._documents import Loaded

SHA, TRACE = "a1" * 20, "0af7651916cd43dd8448eb211c80319c"


@pytest.mark.parametrize(("kind", "value", "keys"), [
    ("commit", SHA.upper(), [f"commit:{SHA}"]), ("commit", "a1b2c3d", []), ("commit", None, []),
    ("run", "Acme/Web/900", ["run:acme/web/900"]), ("run", "900", []),
    ("trace", f"00-{TRACE}-b7ad6b7169203331-01", [f"trace:{TRACE}"]), ("trace", TRACE.upper(), [f"trace:{TRACE}"]),
    ("trace", "0" * 32, []), ("request", " R-1 ", ["request:R-1"]), ("request", "two words", []),
    ("request", "ABCDEF00-0000-4000-8000-00000000000A", ["request:abcdef00-0000-4000-8000-00000000000a"]),
    ("ticket", "chg0030192", ["ticket:CHG0030192"]), ("ticket", "CHG1234, SEC-7;4711",
                                                      ["ticket:4711", "ticket:CHG1234", "ticket:SEC-7"]),
    ("ticket", "approved in CHG0030192", []), ("ticket", "n/a", []), ("ticket", "12", []),
    ("ticket", "abcdef00-0000-4000-8000-00000000000a", []), ("ticket", "a" * 41 + "1", []),
])
def test_a_key_looks_like_its_kind_or_is_none(kind: str, value: str | None, keys: list[str]) -> None:
    assert stated(**{kind: value}) == keys


def test_a_field_that_anybody_fills_does_not_decide_how_large_a_step_is() -> None:
    assert len(stated(ticket=", ".join(f"CHG{n:07d}" for n in range(300)))) == MOST
    assert stated(request="x" * LONGEST) == []


@given(st.lists(st.text(max_size=60), max_size=40))
def test_keys_are_sorted_each_once_bounded_and_without_blanks(values: list[str]) -> None:
    found = stated(ticket=values, request=values, commit=values, session=tuple(values), trace=values, run=values)
    assert found == sorted(set(found)) == stated(
        ticket=values[::-1], request=values[::-1], commit=values[::-1], session=values[::-1], trace=values[::-1],
        run=values[::-1])
    assert len(found) <= MOST
    assert all(len(key) <= LONGEST and not any(mark.isspace() for mark in key) for key in found)


def _keys(data: Any, kind: str | None = None) -> list[list[str]]:
    steps = Loaded(data)["decision_steps"]
    assert steps.height
    chosen = steps if kind is None else steps.filter(pl.col("kind") == kind)
    return sorted(chosen["stated_keys"].to_list())


def test_a_cluster_names_the_session_of_the_cloud_a_call_came_with() -> None:
    call = k8s.event(2, "create", k8s.ref("clusterrolebindings", "cooks", apiGroup=k8s.RBAC), user={
        "username": "kubernetes-admin", "extra": {"accessKeyId": ["ASIAEXAMPLE000000001"]}})
    assert _keys([call]) == [["session:ASIAEXAMPLE000000001"]]
    assert _keys([k8s.event(2, "create", k8s.ref("clusterrolebindings", "cooks", apiGroup=k8s.RBAC))]) == [[]]


def test_an_entry_of_google_cloud_states_its_trace() -> None:
    change = gcp.policy(1, ("ADD", "roles/editor", "user:bo@shop.example"))
    assert _keys([{**change, "trace": f"projects/{gcp.PROJECT}/traces/{TRACE}"}]) == [[f"trace:{TRACE}"]]
    assert _keys([change]) == [[]]


def test_an_insight_of_several_recommendations_states_each() -> None:
    others = [f"{advice.ADVICE}{n}" for n in (1, 2)]
    said = advice.insight(associatedRecommendations=[{"recommendation": one} for one in others])
    assert _keys([said]) == [[f"recommendation:{one}" for one in others]]
    assert _keys([advice.insight()]) == [[]], "with one it bears that name itself"


def test_a_change_in_azure_states_the_request_and_the_token_it_came_with() -> None:
    properties = {**azure.rest()["properties"], "serviceRequestId": "BBBBBBBB-0000-4000-8000-00000000000B"}
    assert _keys([azure.rest(properties=properties)]) == [
        ["request:bbbbbbbb-0000-4000-8000-00000000000b", "session:u-T_1"]]


def test_a_change_in_microsoft_365_states_the_token_it_came_with() -> None:
    record = m365.record(3, "Add-MailboxPermission", RecordType=1, Workload="Exchange", ResultStatus="True", Parameters=[
        {"Name": "Identity", "Value": "finance"}, {"Name": "User", "Value": "Bo"},
        {"Name": "AccessRights", "Value": "FullAccess"}], AppAccessContext={"UniqueTokenId": "u-T_1"})
    assert _keys([record]) == [["session:u-T_1"]]


def test_a_ticket_states_the_tickets_it_belongs_to_and_quotes_those_in_its_text() -> None:
    change = snow.linked({**snow.CHANGE, "correlation_id": "OPS-12"})
    change["parent"] = {"display_value": "PRB0040001", "value": "c" * 32}
    found = Loaded({"result": [change]})["decision_steps"]
    assert set(map(tuple, found["stated_keys"].to_list())) == {("ticket:OPS-12", "ticket:PRB0040001")}
    assert set(map(tuple, found["quoted_keys"].to_list())) == {("INC0010009",)}


def test_an_approval_row_keeps_its_place_among_others_where_it_states_one() -> None:
    row = snow.linked({**snow.DECIDED, "order": "200"})
    assert Loaded({"result": [row]}).rows("decision_steps", "kind", "seq", "decided_value") == [
        ("decision", 200, "approved")]


def test_an_issue_states_the_issues_it_is_linked_to() -> None:
    found = Loaded(jira.ISSUE)["decision_steps"].filter(pl.col("operation") == "issue:create")
    assert found["stated_keys"].to_list() == [["ticket:OPS-3"]]


@pytest.mark.parametrize(("attributes", "keys"), [
    ({"aws.request_id": "79b9da39-b7ae-508a-a6bc-864b2829c622"}, ["request:79b9da39-b7ae-508a-a6bc-864b2829c622"]),
    ({"az.service_request_id": "R-2"}, ["request:R-2"]), ({"lineage.request_id": "R-4"}, ["request:R-4"]),
    ({"http.response.header.x-amzn-requestid": "R-3"}, ["request:R-3"]), ({}, []),
])
def test_a_step_of_an_agent_states_its_trace_and_the_requests_it_made(attributes: Any, keys: list[str]) -> None:
    step = {**otel.STEP, "attributes": {**otel.STEP["attributes"], **attributes}, "events": ()}
    assert _keys(otel.otlp([step])) == [[*keys, f"trace:{otel.TRACE}"]]


def test_what_a_server_asks_the_user_states_the_trace_the_message_names() -> None:
    asked = mcp.ask(5, 0, "elicitation/create", side="server", message="x", _meta={
        "traceparent": f"00-{TRACE}-b7ad6b7169203331-01"})
    assert _keys([asked], "request") == [[f"trace:{TRACE}"]]


def test_a_change_in_okta_states_the_request_its_caller_got_back() -> None:
    change = okta.event(1, "group.user_membership.add", okta.BO, okta.ADMINS, **okta.debug(requestId="Y-1"))
    assert _keys([change]) == [["request:Y-1"]]


@pytest.mark.parametrize("backwards", [False, True])
def test_a_call_inside_an_agent_s_step_is_the_call_of_that_step_whichever_span_ended_first(backwards: bool) -> None:
    step = {**otel.STEP, "events": [("lineage.approval", {"lineage.approver": "boss"})]}
    client = otel.span(20, 8, {"rpc.system": "aws-api", "aws.request_id": "R-9"})
    deeper = otel.span(21, 20, {"http.request.method": "POST", "http.response.header.x-amzn-requestid": "R-10"})
    elsewhere = otel.span(22, 1, {"aws.request_id": "R-11"})
    spans = [otel.INVOKE, step, client, deeper, elsewhere]
    found = Loaded(otel.otlp(spans[::-1] if backwards else spans))["decision_steps"]
    assert dict(found.select("kind", "stated_keys").rows()) == {
        "action": ["request:R-10", "request:R-9", f"trace:{otel.TRACE}"], "decision": [f"trace:{otel.TRACE}"]}
