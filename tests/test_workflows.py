"""Cases belong to the workflow whose agent has a part in them, by ids on record; what was changed has its place."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineage_analytics import tables
from lineage_analytics.graphs.decisions import workflows
from lineage_analytics.graphs.decisions.changed import Touched, target_of
from lineage_analytics.graphs.decisions.workflows import CLASSES, RANK, Declared, observed_id, span
from tests._decisions import ACCOUNT, ANA, BO, BOT, POLICY, ROLE, TENANT, Row, case, covered, identity, pim, step
from tests._documents import Loaded
from tests._workflows import AGENT, PEOPLE, Q, alone, asked, declared, flow, found, read, world


def workflow_of(steps: list[Row], *register: dict[str, str], **more: Any) -> str | None:
    held = case(found(world(steps, *register, **more)))["workflow_id"]
    assert held is None or isinstance(held, str)
    return held


def test_a_case_belongs_to_the_workflow_declared_for_the_account_that_acted() -> None:
    assert workflow_of([alone("a")], flow("roles")) == "declared::workflow/roles"


def test_the_declared_account_may_be_named_by_another_id_of_it() -> None:
    arn = f"arn:aws:iam::{ACCOUNT}:user/bot"
    alias = {"alias": f"aws:{ACCOUNT}:{arn}", "id": BOT, "rule": "arn", "tier": 4}
    assert workflow_of([alone("a")], flow("roles", identity=arn), aliases=[alias]) == "declared::workflow/roles"


def test_any_of_several_declared_accounts_is_the_workflows() -> None:
    assert workflow_of([alone("a")], flow("roles", identity=f"{AGENT};{BOT}")) == "declared::workflow/roles"


def test_a_workflow_without_an_account_is_met_by_its_published_assistant() -> None:
    made = [step("a", actor_class="human", via_assistant_id=Q)]
    assert workflow_of(made, flow("help", identity="", assistant="amazon q developer")) == "declared::workflow/help"
    assert workflow_of(made, flow("help", identity="", assistant=Q)) == "declared::workflow/help"


def test_a_workflow_with_an_account_is_not_met_by_its_assistant_alone() -> None:
    made = [step("a", actor_class="human", via_assistant_id=Q)]
    assert workflow_of(made, flow("help", identity=AGENT, assistant="Amazon Q Developer")) == observed_id(Q, "grant")


def test_a_display_name_attributes_nothing() -> None:
    named = [identity(BOT, "ai_agent", display_name="Helper")]
    assert workflow_of([alone("a")], flow("help", identity="", assistant="Helper"), identities=named) == observed_id(
        BOT, "grant")


def test_the_agent_that_acts_comes_before_the_one_that_advised() -> None:
    key: Row = {"native_key_kind": "change", "native_key": "chg-1"}
    made = [alone("draft", -5, kind="draft", actor_id=AGENT, **key), alone("act", **key)]
    both = flow("acts"), flow("drafts", identity=AGENT)
    assert workflow_of(made, *both) == "declared::workflow/acts"
    assert workflow_of([made[0], step("act", actor_class="human", **key)], *both) == "declared::workflow/drafts"


def test_where_two_declared_workflows_fit_alike_the_case_is_of_none_and_both_are_named() -> None:
    facts = world([alone("a")], flow("one"), flow("two"))
    lineage = found(facts)
    assert case(lineage)["workflow_id"] is None
    assert workflows.parts(lineage.cases, lineage.steps, facts)["fitting"].to_list() == [
        ["declared::workflow/one", "declared::workflow/two"]]


def test_the_assistant_tells_two_workflows_of_one_account_apart() -> None:
    made = [alone("a", via_assistant_id=Q)]
    assert workflow_of(made, flow("one", assistant="Amazon Q"), flow("two")) == "declared::workflow/one"


def test_what_no_declaration_fits_is_one_observed_workflow_per_assistant_and_kind_of_change() -> None:
    made = [alone("a"), alone("b", 30, target_key=f"{POLICY}b", effect_key=f"grant({POLICY}b)"),
            alone("c", 60, operation="iam:DetachRolePolicy", effect_key=f"revoke({POLICY})"),
            alone("d", 90, actor_id=AGENT, target_key=f"{POLICY}d")]
    lineage = found(world(made))
    assert sorted(lineage.cases["workflow_id"]) == sorted([
        observed_id(BOT, "grant"), observed_id(BOT, "grant"), observed_id(BOT, "revoke"), observed_id(AGENT, "grant")])


def test_a_late_record_changes_no_id_of_an_observed_workflow() -> None:
    before = found(world([alone("a")])).cases
    after = found(world([alone("a"), alone("b", -600, target_key=f"{POLICY}b")])).cases
    assert set(before["workflow_id"]) <= set(after["workflow_id"])


def test_a_change_without_any_part_of_ai_has_no_workflow() -> None:
    assert workflow_of([step("a", actor_class="human")], flow("roles")) is None


def test_a_person_whose_account_an_assistant_is_declared_to_act_with_cannot_be_told_from_it() -> None:
    row = case(found(world([pim("action", actor_id=ANA)], flow("roles", identity=ANA), identities=[identity(ANA)])))
    assert (row["workflow_id"], row["involvement_class"]) == ("declared::workflow/roles", "unknown")


def test_every_account_of_a_declared_workflow_is_one_an_assistant_acts_with() -> None:
    people = [identity(ANA), identity(BO)]
    for who in (ANA, BO):
        row = case(found(world([pim("action", actor_id=who)], flow(identity=f"{ANA};{BO}"), identities=people)))
        assert (row["workflow_id"], row["involvement_class"]) == ("declared::workflow/roles", "unknown")


def test_an_account_that_resolves_to_two_identities_is_both() -> None:
    aliases = [{"alias": "declared::bot", "id": one, "rule": "login", "tier": 4} for one in (BOT, AGENT)]
    for who in (BOT, AGENT):
        assert workflow_of([alone("a", actor_id=who)], flow(identity="bot"), aliases=aliases) == (
            "declared::workflow/roles")


def test_a_conversation_that_a_person_quotes_makes_the_case_no_assistants() -> None:
    made = [step("a", actor_class="human", quoted_keys=["thread-1"])]
    talk = read("r", thread_id="thread-1", tenant=ACCOUNT)
    lineage = found(world(made, access=[talk]))
    assert "data_access" in lineage.steps["kind"]
    assert case(lineage)["workflow_id"] is None


@pytest.mark.parametrize(("provider", "target", "stream"), [
    ("aws", POLICY, "identity_operations"), ("entra", ROLE, "identity_operations"),
    ("github", "github:7:repo/8", "development"), ("jira", None, "support"),
    ("servicenow", "servicenow:dev1:ci/1", "support"), ("otel", ROLE, "identity_operations"), ("otel", None, "other"),
    ("openai", "openai::api_key/1", "other"), ("windows", None, "other"),
])
def test_the_workstream_is_that_of_what_was_changed_else_of_what_logged_it(
    provider: str, target: str | None, stream: str,
) -> None:
    row = case(found(world([step("a", provider=provider, target_key=target, effect_key=None)])))
    assert row["workstream"] == stream


def test_a_declared_workstream_holds_whatever_system_was_changed() -> None:
    assert case(found(world([alone("a")], flow(workstream="support"))))["workstream"] == "support"


# --- what was changed ----------------------------------------------------------------------------------------------

_ROLE_ARN = {"kind": "arn", "value": f"arn:aws:iam::{ACCOUNT}:role/path/etl"}
_PROD = identity(f"aws:{ACCOUNT}:AROA1", "workload", environment="prod", alt_ids=[_ROLE_ARN])
_TEST = identity(f"aws:{ACCOUNT}:AROA2", "workload", environment="non-prod",
                 alt_ids=[{"kind": "arn", "value": f"arn:aws:iam::{ACCOUNT}:role/lab"}])
_USER = identity(f"entra:{TENANT}:0a", environment="prod")
_NUMBER = identity("github:7:42", environment="prod")
_POD = identity("k8s::system:serviceaccount:ci:deployer", "workload", environment="non-prod")
_MEMBER = identity("gcp::118", "workload", environment="prod", alt_ids=[
    {"kind": "principal_id", "value": "serviceAccount:etl@p.iam.gserviceaccount.com"}])


@pytest.mark.parametrize(("target", "environment"), [
    (POLICY, "prod"), (f"aws:{ACCOUNT}:role/etl", "prod"), (f"aws:{ACCOUNT}:role/lab|x", "non-prod"),
    (f"aws:{ACCOUNT}:role/unseen", None), ("aws:999900001111:role/etl", None),
    (f"aws:{ACCOUNT}:account/{ACCOUNT}|arn:aws:iam::{ACCOUNT}:role/etl", "prod"),
    (f"entra:{TENANT}:role/reader|0a", "prod"), (f"entra:{TENANT}:user/0A", "prod"), ("entra:t-2:user/0a", None),
    ("github:7:team/42", None), ("github:7:team/9|42", "prod"), ("k8s::serviceaccounts/ci/deployer|token", "non-prod"),
    ("gcp::binding/projects/p|roles/viewer|serviceAccount:etl@p.iam.gserviceaccount.com", "prod"),
    ("gcp::service_account/118", "prod"), ("not a key", None), ("a:b", None),
])
def test_the_environment_is_that_of_the_identities_a_target_names(target: str, environment: str | None) -> None:
    facts = world([], identities=[_PROD, _TEST, _USER, _NUMBER, _POD, _MEMBER])
    assert Touched(facts).environment(target) == environment


def test_what_touches_production_among_others_is_in_production() -> None:
    facts = world([], identities=[_PROD, _TEST])
    both = f"aws:{ACCOUNT}:role/lab|arn:aws:iam::{ACCOUNT}:role/etl"
    assert Touched(facts).environment(both) == "prod"


_JEWELS = Loaded(f"id,kind,reason\narn:aws:iam::{ACCOUNT}:role/deploy,role,x\nana@northwind.example,identity,x\n"
                 f"arn:aws:iam::{ACCOUNT}:policy/keys,policy,x\n")["resources"]
_GLOBAL, _HELPDESK = "62e90394-69f5-4237-9190-012177145e10", "729827e3-9c14-49f7-bb1b-9608f156bbb8"
_OWNER = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635"


@pytest.mark.parametrize(("target", "tier0"), [
    (f"aws:{ACCOUNT}:role/deploy|arn:aws:iam::aws:policy/Read", True), (f"aws:{ACCOUNT}:role/deploy", True),
    (f"aws:{ACCOUNT}:role/etl|arn:aws:iam::{ACCOUNT}:policy/keys", True), (POLICY, False),
    (f"aws:{ACCOUNT}:role/etl|arn:aws:iam::aws:policy/AdministratorAccess", True),
    (f"aws:{ACCOUNT}:role/AdministratorAccess", False), ("aws:999900001111:role/deploy", False),
    (f"entra:{TENANT}:role/{_GLOBAL}|0b", True), (f"entra:{TENANT}:role/{_GLOBAL}|0b|/administrativeUnits/7", False),
    (f"entra:{TENANT}:role/{_HELPDESK}|0b", False), (f"entra:{TENANT}:role/0000-unlisted|0b", None),
    (f"entra:{TENANT}:role/{_OWNER}|0b|azure-root", True), (f"entra:{TENANT}:role/{_OWNER}|0b|/subscriptions/1", False),
    (f"entra:{TENANT}:user/0a", True), (f"entra:{TENANT}:role/{_HELPDESK}|0a", True),
    (f"entra:{TENANT}:role_assignment/7", None),
    ("gcp::binding/cloudresourcemanager.googleapis.com/organizations/1|roles/owner|user:a@b", True),
    ("gcp::binding/cloudresourcemanager.googleapis.com/projects/1|roles/owner|user:a@b", False),
    ("ad:S-1-5-21-1-2-3:group/S-1-5-21-1-2-3-512|S-1-5-21-1-2-3-1104", True),
    ("ad:S-1-5-21-1-2-3:group/S-1-5-21-1-2-3-1200|S-1-5-21-1-2-3-512", False),
    ("okta:o:role/super administrator|00u1", True), ("gworkspace:c:role/_seed_admin_role|a@b", False),
    ("k8s::clusterroles/cluster-admin", True), ("k8s::clusterrolebindings/any", None), ("servicenow:d:ci/1", None),
    ("github:7:pull_request/a/b#1", False), ("not a key", None),
])
def test_tier_0_is_what_is_declared_or_so_by_default_and_unknown_where_the_target_does_not_tell(
    target: str, tier0: bool | None,
) -> None:
    role = {"id": f"entra:{TENANT}:azure_role/{_OWNER}", "kind": "role", "display_name": "Owner", "provider": "entra"}
    listed = tables.conform(pl.DataFrame([role]), tables.RESOURCES)
    facts = world([], resources=pl.concat([_JEWELS, listed]), aliases=[
        {"alias": "declared::ana@northwind.example", "id": f"entra:{TENANT}:0a", "rule": "upn", "tier": 4}])
    assert Touched(facts).tier0(target) is tier0


def test_a_case_without_a_target_says_neither_environment_nor_tier() -> None:
    row = case(found(world([alone("a", target_key=None, effect_key=None)])))
    assert (row["environment"], row["tier0"]) == (None, None)


def test_a_target_falls_into_its_parts() -> None:
    assert target_of("aws:1:role/a|b|c") == ("aws", "1", "role", ("a", "b", "c"))
    assert target_of(None) is None


# --- spans and findings --------------------------------------------------------------------------------------------

@pytest.mark.parametrize(("name", "bounds", "least", "most"), [
    ("drafts", None, "drafts", "drafts"), ("none", None, "none", "none"),
    ("unknown", "executes_approved or executes_autonomous", "executes_approved", "executes_autonomous"),
    ("unknown", "advises or drafts", "advises", "drafts"), ("unknown", None, "none", "executes_autonomous"),
    ("unknown", "none, executes_approved or executes_autonomous", "none", "executes_autonomous"),
    ("unknown", "none, or any: nothing shows whether a person, software or AI acted", "none", "executes_autonomous"),
    (None, None, "none", "executes_autonomous"), ("unknown", "words without a class", "none", "executes_autonomous"),
])
def test_the_span_of_a_class_never_leaves_out_what_it_may_be(
    name: str | None, bounds: str | None, least: str, most: str,
) -> None:
    assert span(name, bounds) == (least, most)


def findings(steps: list[Row], *register: dict[str, str], **more: Any) -> dict[str, Row]:
    rows = found(world(steps, *register, **more)).decision_findings.filter(
        pl.col("finding").is_in(["class_exceeded", "experimental_in_production"]))
    return {row["finding"]: row for row in rows.iter_rows(named=True)}


def test_a_workflow_that_executes_where_it_may_only_draft_is_told_with_its_records() -> None:
    row = findings([alone("a")], flow("roles", declared_class="drafts"))["class_exceeded"]
    assert (row["agent_id"], row["step_ids"], row["record_ids"]) == (BOT, ["step-a"], ["rec-a"])
    assert row["reading"] == ("the assistant executes with approval or does more; declared for the workflow roles: the "
                              "assistant drafts")


def test_what_may_be_within_what_is_declared_is_no_finding() -> None:
    assert findings([alone("a")], flow(declared_class="executes_approved")) == {}
    assert findings([alone("a")], flow(declared_class="executes_autonomous")) == {}
    assert findings([alone("a")]) == {}


def test_executing_alone_where_approval_is_declared_is_a_finding_once_silence_is_covered() -> None:
    made = asked("x", approved=False, agent=AGENT)
    told = findings(made, flow(identity=AGENT), coverage=covered(), identities=PEOPLE)
    assert told["class_exceeded"]["reading"].startswith("the assistant executes alone; declared")
    assert findings(asked("x"), flow(identity=AGENT), coverage=covered(), identities=PEOPLE) == {}


def test_a_name_of_several_lines_is_a_name() -> None:
    resources = Loaded([{"workflow": "a\nb\u0000, c", "identity": BOT, "declared_class": "advises"}])["resources"]
    assert "the workflow a\nb" in findings([alone("a")], resources=resources)["class_exceeded"]["reading"]


def test_of_two_workflows_that_fit_alike_the_one_that_may_more_counts() -> None:
    fitting = flow("one", declared_class="advises"), flow("two", declared_class="executes_approved")
    assert findings([alone("a")], *fitting) == {}
    told = findings([alone("a")], fitting[0], flow("two", declared_class="drafts"))
    assert "the workflow one or the workflow two" in told["class_exceeded"]["reading"]


@pytest.mark.parametrize(("environment", "stage", "made", "told"), [
    ("prod", "experimental", alone("a"), True), ("prod", "production", alone("a"), False),
    ("prod", "", alone("a"), False), ("non-prod", "experimental", alone("a"), False),
    (None, "experimental", alone("a"), False), ("prod", "experimental", alone("a", kind="attempt", status="failed"), False),
    ("prod", "experimental", alone("a", kind="draft"), False),
])
def test_an_experiment_that_changed_production_itself_is_told(
    environment: str | None, stage: str, made: Row, told: bool,
) -> None:
    listed = [identity(f"aws:{ACCOUNT}:AROA1", "workload", environment=environment, alt_ids=[_ROLE_ARN])]
    assert ("experimental_in_production" in findings([made], flow(stage=stage), identities=listed)) is told


# --- pure, and of one reading of the list --------------------------------------------------------------------------

@settings(max_examples=25, deadline=None)
@given(st.permutations(range(8)), st.lists(st.integers(0, 7), max_size=4))
def test_order_and_repetition_of_records_change_nothing(order: list[int], again: list[int]) -> None:
    made = [alone("a"), alone("b", 40, actor_id=AGENT, target_key=ROLE, effect_key=f"grant({ROLE})"),
            step("c", 60, actor_class="human", via_assistant_id=Q, target_key=f"{POLICY}c"), *asked("x", 100),
            step("d", 500, actor_class="human", target_key=f"{POLICY}d"), alone("e", 600, kind="draft")]
    register = flow("one"), flow("two", declared_class="advises"), flow("three", identity=AGENT, stage="experimental")
    plain, mixed = (found(world(rows, *register)) for rows in (made, [made[i] for i in [*order, *again]]))
    assert mixed.cases.equals(plain.cases)
    assert mixed.decision_findings.equals(plain.decision_findings)


def test_only_the_new_columns_of_cases_are_filled_and_their_order_stays() -> None:
    facts = world([alone("a"), *asked("x", 30)], flow())
    cases = found(facts).cases
    bare = cases.with_columns(pl.lit(None, dtype=cases.schema[name]).alias(name)
                              for name in ("workflow_id", "workstream", "environment", "tier0"))
    assert workflows.attributed(bare, found(facts).steps, facts).equals(cases)


def test_rows_of_one_name_are_one_workflow_of_the_smaller_class() -> None:
    one, other = flow("a", declared_class="drafts", stage="production", data="x", workstream="support"), flow(
        "a", identity=AGENT, declared_class="executes_approved", stage="experimental", data="y", workstream="other")
    facts = world([], one, other)
    [merged] = workflows.declared(facts).values()
    assert (set(merged.identities), merged.declared_class, merged.stage, set(merged.data), merged.workstream) == (
        {BOT, AGENT}, "drafts", "experimental", {"x", "y"}, None)
    assert len(merged.record_ids) == 2


def test_an_older_register_without_the_new_columns_is_read() -> None:
    facts = world([alone("a")], resources=Loaded(
        f"workflow,assistant,identity,declared_class,owner,description\nold,Helper,{BOT},advises,bo,\n")["resources"])
    [old] = workflows.declared(facts).values()
    assert (old.identities, old.stage, old.data) == ((BOT,), None, ())
    assert case(found(facts))["workflow_id"] == "declared::workflow/old"


def test_a_register_kept_by_an_earlier_version_names_one_identity() -> None:
    held = declared(flow()).with_columns(attributes=pl.lit(
        f'{{"assistant":null,"declared_class":"advises","description":null,"identity":"{BOT}","owner":null}}'))
    [old] = workflows.declared(world([], resources=held)).values()
    assert old.identities == (BOT,)


@given(st.sampled_from([None, Q, BOT]), st.lists(st.sampled_from([BOT, AGENT, BO]), max_size=2))
def test_an_account_outranks_an_assistant_and_both_outrank_one(assistant: str | None, agents: list[str]) -> None:
    both = Declared("w", "w", identities=(BOT,), assistants=(workflows._assistant("Amazon Q"),))
    score = both.fits(assistant, agents)
    by_account = BOT in [assistant, *agents]
    assert score == (0 if not by_account else 3 if assistant == Q else 2)


def test_the_ranks_run_from_none_to_alone() -> None:
    assert list(RANK) == ["none", *CLASSES]
