"""Delegations as records of each source carry them (decision-lineage 7)."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineage_analytics.facts import Facts
from lineage_analytics.graphs.decisions.cases import cases
from lineage_analytics.graphs.decisions.delegations import Delegations
from lineage_analytics.graphs.decisions.places import Places
from lineage_analytics.graphs.decisions.steps import people, steps
from lineage_analytics.workspace import Store, load, open_estate
from tests import _decisions as d
from tests import test_loader_gcp_audit as gcp
from tests import test_loader_k8s_audit as k8s
from tests import test_loader_otel_genai as otel
from tests._documents import Loaded
from tests._trail import ACCOUNT, event
from tests.test_delegations import azure

if TYPE_CHECKING:
    from pathlib import Path

    from lineage_analytics.graphs.decisions.steps import Step

Row = dict[str, Any]
ANA = event(1)["userIdentity"]
STS = f"arn:aws:sts::{ACCOUNT}:assumed-role"


def session(role: str, key: str, name: str = "s") -> Row:
    """The caller that a session of the role is."""
    return {"type": "AssumedRole", "principalId": f"AROA{role}:{name}", "arn": f"{STS}/{role.lower()}/{name}",
            "accountId": ACCOUNT, "accessKeyId": key, "sessionContext": {"sessionIssuer": {
                "type": "Role", "principalId": f"AROA{role}", "accountId": ACCOUNT, "userName": role.lower(),
                "arn": f"arn:aws:iam::{ACCOUNT}:role/{role.lower()}"}}}


def opened(number: int, role: str, key: str, caller: Row = ANA, call: str = "AssumeRole", *,
           ends: str | None = "Jun 2, 2026, 11:00:00 AM", request: Row | None = None, response: Row | None = None,
           **more: Any) -> Row:
    """A call by which ``caller`` takes on a role; ``key`` is the temporary key it is answered with."""
    return event(
        number, eventSource="sts.amazonaws.com", eventName=call, eventTime="2026-06-02T10:00:00Z", userIdentity=caller,
        requestParameters={"roleArn": f"arn:aws:iam::{ACCOUNT}:role/{role.lower()}", "roleSessionName": "s",
                           "durationSeconds": 900, **(request or {})},
        responseElements={"credentials": {"accessKeyId": key, "sessionToken": "x", "expiration": ends},
                          "assumedRoleUser": {"assumedRoleId": f"AROA{role}:s", "arn": f"{STS}/{role.lower()}/s"},
                          **(response or {})}, **more)


def delegations(*records: Row) -> list[Row]:
    return Loaded({"Records": list(records)})["delegations"].sort("event_id").to_dicts()


def test_taking_on_a_role_is_a_delegation_from_the_caller_with_its_session_as_parent() -> None:
    first, second = delegations(
        opened(1, "DEPLOY", "ASIAONE", ANA | {"accessKeyId": "AKIALONG"}),
        opened(2, "ADMIN", "ASIATWO", session("DEPLOY", "ASIAONE"), request={"sourceIdentity": "ana"}))
    assert (first["uid"], first["parent_uid"], first["kind"]) == ("ASIAONE", None, "assumed"), "a long-lived key is none"
    assert (first["principal_id"], first["delegate_id"]) == (f"aws:{ACCOUNT}:AIDAEXAMPLE000000001", f"aws:{ACCOUNT}:AROADEPLOY")
    assert (first["created_at"], first["expires_at"]) == (datetime(2026, 6, 2, 10, tzinfo=UTC),
                                                          datetime(2026, 6, 2, 11, tzinfo=UTC))
    assert (second["uid"], second["parent_uid"]) == ("ASIATWO", "ASIAONE")
    assert (second["principal_id"], second["origin_id"]) == (f"aws:{ACCOUNT}:AROADEPLOY",
                                                             f"aws:{ACCOUNT}:source-identity/ana")
    assert (first["scopes"], first["trust"], first["issuer"]) == (None, "provider_asserted", "sts.amazonaws.com")


@pytest.mark.parametrize(("written", "minute"), [
    ("Jun 2, 2026, 10:30:00 AM", 30), ("Jun 2, 2026 10:30:00 AM", 30), ("2026-06-02T10:30:00Z", 30), (None, 15),
    ("not a time", None),
])
def test_a_session_ends_when_its_answer_says_or_after_the_time_asked_for(written: str | None, minute: int | None) -> None:
    [row] = delegations(opened(1, "DEPLOY", "ASIAONE", ends=written))
    assert row["expires_at"] == (None if minute is None else datetime(2026, 6, 2, 10, minute, tzinfo=UTC))


@pytest.mark.parametrize(("call", "more", "delegate", "kind", "issuer"), [
    ("AssumeRoleWithSAML", {"issuer": "https://idp.example"}, "AROADEPLOY", "federated", "https://idp.example"),
    ("AssumeRoleWithWebIdentity", {"provider": "token.example"}, "AROADEPLOY", "federated", "token.example"),
    ("GetFederationToken", {"assumedRoleUser": None, "federatedUser": {"arn": f"arn:aws:sts::{ACCOUNT}:federated-user/bo"}},
     f"arn:aws:sts::{ACCOUNT}:federated-user/bo", "federated", "sts.amazonaws.com"),
])
def test_federated_sessions_name_who_vouches(call: str, more: Row, delegate: str, kind: str, issuer: str) -> None:
    [row] = delegations(opened(1, "DEPLOY", "ASIAONE", call=call, response=more))
    assert (row["delegate_id"], row["kind"], row["issuer"]) == (f"aws:{ACCOUNT}:{delegate}", kind, issuer)


def test_policies_a_session_was_started_with_are_its_scopes() -> None:
    [row] = delegations(opened(1, "DEPLOY", "ASIAONE", request={
        "policy": "{}", "policyArns": [{"arn": "arn:aws:iam::aws:policy/ReadOnlyAccess"}]}))
    assert row["scopes"] == ["arn:aws:iam::aws:policy/ReadOnlyAccess", "session-policy/e-1"]


def test_a_session_that_was_refused_is_none_and_no_key_that_is_not_temporary_is_its_id() -> None:
    assert delegations(opened(1, "DEPLOY", "ASIAONE", errorCode="AccessDenied")) == []
    [row] = delegations(opened(1, "DEPLOY", "1111"))
    assert row["uid"].startswith("dlg-")


def test_bodies_in_lower_case_as_text_or_structures_say_the_same() -> None:
    record = opened(1, "DEPLOY", "ASIAONE", request={"sourceIdentity": "ana"})
    wanted = delegations(record)
    columns = ("uid", "delegate_id", "origin_id", "expires_at", "parent_uid", "principal_id")

    def lowered(value: Any) -> Any:
        return {key.lower(): lowered(held) for key, held in value.items()} if isinstance(value, dict) else value

    bodies = ("requestParameters", "responseElements")
    for write in (lowered, json.dumps, lambda body: json.dumps(lowered(body))):
        told = delegations({key: write(held) if key in bodies else held for key, held in record.items()})
        assert [[row[name] for name in columns] for row in told] == [[row[name] for name in columns] for row in wanted]


def test_every_session_opened_in_the_real_capture_is_a_delegation(shared_data: Path) -> None:
    records = [record for path in sorted(shared_data.glob("aws_cloudtrail/invictus-ir_aws_dataset/CloudTrail/*.json"))
               for record in json.loads(path.read_text(encoding="utf-8"))["Records"]]
    wanted = {(record["eventID"], record["responseElements"]["credentials"]["accessKeyId"]) for record in records
              if record["eventName"] == "AssumeRole" and not record.get("errorCode")}
    found = Loaded({"Records": records})["delegations"]
    assert len(wanted) > 30
    assert set(found.select("event_id", "uid").rows()) == wanted
    assert found.filter(pl.col("expires_at") <= pl.col("created_at")).is_empty()
    assert found["delegate_id"].str.contains(":AROA|:arn:aws:iam::[0-9]{12}:role/").all(), "by ARN where no id is told"


# --- from files to the person --------------------------------------------------------------------------------------------------

def behind(facts: Facts) -> tuple[Delegations, list[Step], list[Row]]:
    known, places = people(facts), Places(facts)
    made = steps(facts, known)
    found = Delegations(facts, made, known, places)
    return found, made, found.findings(cases(made, places)[0])


def test_the_person_who_began_a_chain_of_roles_is_found_from_the_files(tmp_path: Path) -> None:
    login = event(8, eventSource="signin.amazonaws.com", eventName="ConsoleLogin", userAgent="Mozilla/5.0 (X11)",
                  responseElements={"ConsoleLogin": "Success"})
    grant = event(9, eventTime="2026-06-02T10:10:00Z", userIdentity=session("ADMIN", "ASIATWO"))
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.json").write_text(json.dumps({"Records": [
        opened(1, "DEPLOY", "ASIAONE"), opened(2, "ADMIN", "ASIATWO", session("DEPLOY", "ASIAONE")), login, grant]}))
    store = Store.create(tmp_path / "workspace")
    load([folder], store)
    found, made, findings = behind(open_estate(tmp_path / "workspace"))
    [step] = [step for step in made if step.event == "e-9"]
    root = found.root_human(step)
    assert root is not None
    assert root.id == f"aws:{ACCOUNT}:AIDAEXAMPLE000000001"
    assert len(root.records) == 2
    assert findings == []


def test_A30_an_agent_that_starts_an_agent_with_more_than_it_has_is_found_in_its_traces() -> None:  # noqa: N802
    told = {"gen_ai.operation.name": "invoke_agent", "lineage.scopes": "users.read"}
    first = otel.span(1, None, told | {"gen_ai.agent.id": "planner", "enduser.id": "ana@northwind.example"})
    same = otel.span(2, 1, told | {"gen_ai.agent.id": "planner"})
    child = otel.span(3, 2, told | {"gen_ai.agent.id": "doer", "lineage.scopes": json.dumps(["users.read", "users.write"])})
    act = otel.span(4, 3, {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "grant", "lineage.step": "execution",
                           "lineage.target": "entra:t:role/r|u", "lineage.effect": "grant"})
    loaded = Loaded(otel.otlp([act, child, same, first]))
    rows = loaded["delegations"].filter(pl.col("delegate_id").is_not_null()).sort("uid").to_dicts()
    assert [(row["kind"], row["principal_id"], row["delegate_id"]) for row in rows] == [
        ("stated", "otel:helpdesk:ana@northwind.example", "otel:helpdesk:planner"),
        ("stated", None, "otel:helpdesk:planner"), ("spawned", "otel:helpdesk:planner", "otel:helpdesk:doer")]
    facts = Facts.of(datetime(2026, 1, 1, tzinfo=UTC), decision_steps=loaded["decision_steps"],
                     delegations=loaded["delegations"])
    found, [step], findings = behind(facts)
    chain = found.chain(step)
    assert chain is not None
    assert [link.delegate for link in chain.links] == ["otel:helpdesk:doer", "otel:helpdesk:planner"]
    assert [(row["finding"], row["step_ids"]) for row in findings] == [("scope_amplification", [step.id])]


def test_a_chain_of_accounts_in_google_cloud_is_told_link_by_link() -> None:
    loaded = Loaded(gcp.lines([gcp.CHAINED]))
    rows = loaded["delegations"].to_dicts()
    assert [(row["principal_id"].rpartition(":")[2], row["delegate_id"].rpartition(":")[2]) for row in rows] == [
        ("cy@shop.example", f"hop@{gcp.PROJECT}.iam.gserviceaccount.com"),
        (f"hop@{gcp.PROJECT}.iam.gserviceaccount.com", gcp.BOT)]
    assert rows[1]["parent_uid"] == rows[0]["uid"]
    assert [row["step_id"] for row in rows] == [None, *loaded["decision_steps"]["step_id"]]
    assert loaded["decision_steps"]["authority_mode"].to_list() == ["obo_user"]


def test_impersonation_in_kubernetes_goes_back_to_the_one_who_really_called() -> None:
    loaded = Loaded(k8s.lines([k8s.AS_BOB]))
    [row], [step] = loaded["delegations"].to_dicts(), loaded["decision_steps"].to_dicts()
    assert (row["kind"], row["step_id"]) == ("impersonation", step["step_id"])
    assert (row["principal_id"], row["delegate_id"]) == (step["on_behalf_of_id"], step["actor_id"])


# --- who is an agent --------------------------------------------------------------------------------------------------------------

NAMES = st.one_of(st.sampled_from(["AI agent", "Microsoft 365 Copilot", "Alice Smith", "GPT-5 bot", "claude-code/1.0",
                                   "Mozilla/5.0", "agentType agenticAppInstance", "ai_agent", "svc-deploy"]),
                  st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=20))


@settings(max_examples=60, deadline=None)
@given(NAMES, NAMES, NAMES)
def test_A42_no_name_session_or_client_makes_a_caller_of_aws_an_agent(  # noqa: N802
        user: str, client: str, said: str) -> None:
    def classes(user: str, client: str, said: str) -> list[tuple[Any, ...]]:
        grant = event(1, userAgent=client, userIdentity=session("DEPLOY", "ASIAONE", said) | {"userName": user})
        found = Loaded({"Records": [grant, event(2, userAgent=client, userIdentity=ANA | {"userName": user})]})
        return found["decision_steps"].sort("event_id").select(
            "actor_id", "actor_class", "authority_mode", "via_assistant_id", "on_behalf_of_id").rows()

    assert classes(user, client, said) == classes("plain", "plain", "plain")


@settings(max_examples=60, deadline=None)
@given(NAMES, NAMES, NAMES, st.sampled_from(["user", "app"]), st.booleans())
def test_A42_no_name_of_a_token_s_bearer_or_application_changes_a_class(  # noqa: N802
        label: str, app: str, client: str, sort: str, agent: bool) -> None:
    facets = {"xms_act_fct": "11", "xms_sub_fct": "11"} if agent else {}

    def told(label: str, app: str, client: str) -> list[tuple[Any, ...]]:
        found = azure({"idtyp": sort, "name": label, "app_displayname": app, "ver": client, **facets})
        return found["decision_steps"].select(
            "actor_id", "actor_class", "authority_mode", "via_assistant_id").rows() + found["identity_facts"].select(
                "id", "kind", "subkind").sort("id").rows()

    assert told(label, app, client) == told("plain", "plain", "1.0")


@settings(max_examples=60, deadline=None)
@given(NAMES, NAMES, st.sampled_from(["human", "ai_agent", "service_account", "unknown"]))
def test_A42_no_label_of_an_identity_or_title_of_a_step_changes_a_class(  # noqa: N802
        label: str, title: str, kind: str) -> None:
    def told(label: str, title: str) -> list[tuple[Any, ...]]:
        found = d.lineage(d.step("x", actor_id=d.BOT, title=title),
                          identities=[d.identity(d.BOT, kind, display_name=label)])
        return found.steps.select("agent_class", "authority_mode").rows() + found.cases.select(
            "involvement_class", "involvement_bounds").rows()

    assert told(label, title) == told("plain", "plain")


def test_the_application_agents_are_made_from_is_software_and_no_agent() -> None:
    record = {
        "id": "a-1", "category": "ApplicationManagement", "result": "success", "activityDisplayName": "Add service principal",
        "activityDateTime": "2026-03-01T10:00:00Z", "correlationId": "c-1", "loggedByService": "Core Directory",
        "operationType": "Add", "additionalDetails": [], "initiatedBy": {"app": {
            "appId": "66666666-7777-4888-8999-000000000000", "displayName": "Helper", "agentType": "agenticApp",
            "servicePrincipalId": "11111111-2222-4333-8444-555555555555"}},
        "targetResources": [{"id": "22222222-2222-4333-8444-555555555555", "type": "ServicePrincipal", "displayName": "x",
                             "modifiedProperties": []}]}
    found = Loaded([record])
    assert set(found["decision_steps"]["actor_class"]) == {"workload"}
    assert "agent_blueprint" in found["identity_facts"]["subkind"].to_list()
