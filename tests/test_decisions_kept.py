"""Where a workflow declares its evidence to be kept: missing only where that source is covered, else unknown."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from lineage_analytics.graphs.decisions import DecisionLineage, decision_lineage
from tests._decisions import TENANT, Row, case, covered, pim, states, step
from tests._decisions import gaps as gaps_of
from tests._workflows import AGENT, flow, world

TRACES = "otel_genai"
TRACE = "0af7651916cd43dd8448eb211c80319c"


def asked(**fields: Any) -> list[Row]:
    """The agent asks for a role for Ana, Dan approves, and it is given."""
    own = {"actor_id": AGENT, "initiator_id": AGENT, "actor_class": "ai_agent", "authority_mode": "own_identity"}
    return [pim("request", 0, **{**own, **fields}), pim("decision", 20),
            pim("action", 21, **{**own, **fields})]


def told(*more: Row, evidence: str = TRACES, coverage: list[Row] | None = None, **fields: Any) -> DecisionLineage:
    return decision_lineage(world(
        [*asked(**fields), *more], flow(identity=AGENT, evidence=evidence),
        coverage=[*covered(), *(covered(TRACES) if coverage is None else coverage)]))


def trace(kind: str, minutes: float, **fields: Any) -> Row:
    return step(f"t-{kind}", minutes, **{
        "kind": kind, "operation": f"lineage.{kind}", "actor_id": "otel:svc:helper", "actor_class": "ai_agent",
        "target_key": None, "effect_key": None, "native_key_kind": "lineage_case", "native_key": "ROLE-1",
        "correlation_id": TRACE, "tenant": TENANT, "provider": "otel", "source": TRACES,
        "origin": "ai" if kind == "recommendation" else None, **fields})


@pytest.mark.parametrize("element", ["inputs", "recommendation"])
def test_a_run_without_the_trace_its_workflow_declares_is_missing_it_where_traces_are_covered(element: str) -> None:
    state, reason = states(told())[element]
    assert (state, reason.partition(":")[0]) == ("missing", "absent")
    assert TRACES in reason
    assert gaps_of(told())["data_inputs" if element == "inputs" else element] == "absent"


@pytest.mark.parametrize(("evidence", "coverage", "reason"), [
    ("", None, "not_collected"), (TRACES, [], "not_collected"),
    (TRACES, covered(TRACES, without=[date(2026, 6, 10)]), "outside_coverage"),
    (TRACES, covered(TRACES, tenant="elsewhere"), "not_collected"),
    ("mcp_jsonrpc", None, "not_collected"), (f"{TRACES}; mcp_jsonrpc", None, "not_collected"),
])
def test_without_a_declaration_or_a_covered_source_it_is_unknown(
        evidence: str, coverage: list[Row] | None, reason: str) -> None:
    found = told(evidence=evidence, coverage=coverage)
    for element in ("inputs", "recommendation"):
        assert (states(found)[element][0], states(found)[element][1].partition(":")[0]) == ("unknown", reason)


def test_another_account_is_not_asked_for_traces() -> None:
    found = told(actor_id=f"entra:{TENANT}:another", initiator_id=f"entra:{TENANT}:another")
    assert states(found)["inputs"][0] == "unknown"


def test_workflows_of_one_account_that_declare_different_sources_declare_none() -> None:
    found = decision_lineage(world(asked(), flow(identity=AGENT, evidence=TRACES), flow("more", identity=AGENT),
                                   coverage=[*covered(), *covered(TRACES)]))
    assert states(found)["inputs"][0] == "unknown"


def test_the_trace_that_names_the_request_proves_what_was_advised() -> None:
    steps = [trace("recommendation", -2), trace("request", -1, stated_keys=["request:req-1"])]
    found = told(*steps)
    assert case(found)["completeness"] is not None
    assert states(found)["recommendation"][0] == "proved"
    apart = told(*(one | {"stated_keys": []} for one in steps))
    assert states(apart, case(apart, "e-action")["case_id"])["recommendation"][0] == "missing"
