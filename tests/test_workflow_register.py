"""The register shows each workflow as declared beside as observed; its class is never understated."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineage_analytics import tables
from lineage_analytics.facts import Facts
from lineage_analytics.graphs.decisions import DecisionLineage, from_frames, workflows
from lineage_analytics.graphs.decisions.workflows import CLASSES, RANK, observed_id, span
from lineage_analytics.graphs.workflow_register import DATA_ACCESS, workflow_register
from lineage_analytics.reporting import exports
from tests._decisions import AS_OF, BO, BOT, DAN, POLICY, TENANT, Row, at, covered, frame, identity, pim, step
from tests._workflows import AGENT, PEOPLE, Q, alone, asked, declared, flow, found, read, register, world

if TYPE_CHECKING:
    from pathlib import Path

COVER = covered()
UNKNOWN = ("executes_approved or executes_autonomous", "advises or drafts", "none, or any: not known", None)


def made(*classes: tuple[str, str | None], stated: str = "drafts", **columns: Any) -> Row:
    """The register's row of a workflow declared to draft, of whose cases the class is as given."""
    rows = [{"case_id": f"dec-{n}", "involvement_class": name, "involvement_bounds": bounds, "executed": True,
             "change_class": "grant", "time": at(n), **columns} for n, (name, bounds) in enumerate(classes)]
    steps = [{"step_id": f"step-{n}", "case_id": f"dec-{n}", "kind": "action", "agent_ids": [BOT], "time": at(n),
              "agent_class": "ai_agent", "record_ids": [f"rec-{n}"], "source": "aws_cloudtrail"}
             for n in range(len(classes))]
    facts = Facts.of(AS_OF, resources=declared(flow("w", declared_class=stated)))
    told = frame(steps, tables.STEPS)
    frames = {table.name: table.empty() for table in tables.ALL.values()} | {
        "steps": told, "cases": workflows.attributed(frame(rows, tables.CASES), told, facts)}
    lineage = from_frames(facts, frames)
    [row] = workflow_register(facts, lineage).to_dicts()
    return row


def test_the_observed_class_is_the_most_powerful_one_proved_not_the_commonest() -> None:
    row = made(*[("drafts", None)] * 9, ("executes_approved", None))
    assert (row["class_observed"], row["class_at_least"], row["class_at_most"]) == ("executes_approved",) * 3
    assert (row["n_drafts"], row["n_executes_approved"], row["class_creep"], row["creep_cases"]) == (9, 1, True, 1)


def test_an_unknown_case_widens_what_may_be_and_proves_what_it_surely_was() -> None:
    row = made(("drafts", None), ("unknown", "executes_approved or executes_autonomous"))
    assert (row["class_observed"], row["class_at_least"], row["class_at_most"]) == (
        "drafts", "executes_approved", "executes_autonomous")
    assert (row["n_unknown"], row["class_creep"]) == (1, True)


def test_creep_is_not_known_where_an_unknown_case_may_exceed_and_false_where_none_can() -> None:
    assert made(("drafts", None), ("unknown", None))["class_creep"] is None
    assert made(("drafts", None), ("unknown", "advises or drafts"))["class_creep"] is False
    assert made(("none", None))["class_creep"] is False


@given(st.lists(st.one_of(st.sampled_from([(name, None) for name in RANK]),
                          st.sampled_from([("unknown", bounds) for bounds in UNKNOWN])), min_size=1, max_size=6), st.data())
@settings(max_examples=60, deadline=None)
def test_whatever_the_unknown_cases_were_the_class_is_never_understated(
    classes: list[tuple[str, str | None]], data: st.DataObject,
) -> None:
    row = made(*classes)
    truth = [data.draw(st.sampled_from([one for one in RANK if RANK[s.least] <= RANK[one] <= RANK[s.most]]))
             for s in (span(*one) for one in classes)]
    real = max(RANK[one] for one in truth)
    assert RANK[row["class_at_least"]] <= real <= RANK[row["class_at_most"]]
    assert RANK[row["class_observed"] or "none"] <= RANK[row["class_at_least"]]
    if row["class_creep"] is not None:
        assert row["class_creep"] == (real > RANK["drafts"])
    counted = Counter(name for name, _ in classes)
    assert {name: row[f"n_{name}"] for name in (*RANK, "unknown")} == {name: counted[name] for name in (*RANK, "unknown")}
    assert row["to_executor"] + row["to_approver"] + row["to_nobody"] + row["to_unknown"] == row["cases"] == len(classes)


@pytest.mark.parametrize(("classes", "hand_over"), [
    ([("advises", None)], "executor"), ([("drafts", None), ("unknown", "advises or drafts")], "executor"),
    ([("drafts", None), ("executes_approved", None)], "approver"),
    ([("executes_approved", None), ("executes_autonomous", None)], "nobody"),
    ([("unknown", "executes_approved or executes_autonomous")], "unknown"), ([("none", None)], "unknown"),
])
def test_authority_passes_where_the_most_powerful_class_has_it(
    classes: list[tuple[str, str | None]], hand_over: str,
) -> None:
    assert made(*classes)["hand_over"] == hand_over


def test_declared_and_observed_stand_side_by_side() -> None:
    facts = world(
        [*asked("x"), *asked("y", 100, approved=False)],
        flow("roles", identity=AGENT, assistant="Helper", approver="the lead", data="tickets;groups", stage="production",
             runs_by="it ops", owner="ana", workstream="support"),
        identities=[*PEOPLE, identity(AGENT, "ai_agent", display_name="Access helper")], coverage=COVER)
    row = register(facts)["roles"]
    assert (row["declared"], row["runs_by"], row["assistant"], row["approver"], row["data_declared"], row["stage"],
            row["workstream"], row["workstreams"]) == (
        True, "it ops", "Helper", "the lead", ["tickets", "groups"], "production", "support", ["support"])
    assert (row["runner_ids"], row["assistants"], row["approver_ids"], row["identity_ids"]) == (
        [BO], ["Access helper"], [DAN], [AGENT])
    assert (row["class_declared"], row["class_observed"], row["hand_over"], row["to_approver"], row["to_nobody"]) == (
        "executes_approved", "executes_autonomous", "nobody", 1, 1)
    assert (row["cases"], row["first"], row["last"], row["logged_by"]) == (2, at(), at(120), ["entra_audit"])
    assert set(row["record_ids"]) >= {"rec-x-a", "rec-y-a"}


def test_a_declared_workflow_that_no_log_shows_says_nothing_of_what_it_did() -> None:
    row = register(world([step("a", actor_class="human")], flow("silent")))["silent"]
    assert {row[name] for name in ("class_observed", "class_at_least", "class_at_most", "class_creep", "hand_over",
                                   "resources_read", "first")} == {None}
    assert (row["cases"], row["logged_by"], row["record_ids"] != []) == (0, [], True)


def test_an_undeclared_workflow_is_named_by_its_assistant_and_what_it_does() -> None:
    listed = [identity(BOT, "ai_agent", display_name="Tidy bot")]
    rows = register(world([alone("a"), step("b", 9, actor_class="human", via_assistant_id=Q, target_key=f"{POLICY}b",
                                            effect_key=f"revoke({POLICY}b)")], identities=listed))
    assert set(rows) == {"Tidy bot: grants access", "Amazon Q Developer: takes access away"}
    assert {row["declared"] for row in rows.values()} == {False}
    assert {(row["class_declared"], row["class_creep"]) for row in rows.values()} == {(None, None)}


def test_an_assistant_that_only_read_is_a_workflow_without_a_decision() -> None:
    [row] = register(world([], access=[read("1"), read("2"), read("2", resource_id="res-1")])).values()
    assert (row["workflow_id"], row["name"]) == (observed_id(Q, DATA_ACCESS), "Amazon Q Developer: reads for its users")
    assert (row["cases"], row["resources_read"], row["runner_ids"], row["hand_over"]) == (0, 2, [BO], None)


def test_what_an_assistant_read_is_shown_at_its_workflow_by_place() -> None:
    reads = [read(str(n), agent_id=None, site_url=f"https://x.example/sites/{'A' if n < 3 else 'B'}/f{n}.docx")
             for n in range(4)]
    rows = register(world([step("a", actor_class="human", via_assistant_id=Q)], access=reads))
    assert [row["data_observed"] for row in rows.values()] == [
        ["https://x.example/sites/A", "https://x.example/sites/B"]]
    assert [(row["resources_read"], row["logged_by"]) for row in rows.values()] == [(4, ["aws_cloudtrail", "m365_audit"])]


def test_a_log_without_lists_of_what_was_read_is_not_read_as_nothing() -> None:
    silent = read("1", resource_id=None, role="none", completeness="absent")
    assert [row["resources_read"] for row in register(world([], access=[silent])).values()] == [None]
    empty = read("2", resource_id=None, role="none", completeness="empty")
    assert [row["resources_read"] for row in register(world([], access=[empty])).values()] == [0]


def test_reads_of_a_declared_assistant_are_its_workflows() -> None:
    rows = register(world([], flow("help", identity="", assistant="Amazon Q"), access=[read("1")]))
    assert [(name, row["resources_read"], row["assistant_ids"]) for name, row in rows.items()] == [("help", 1, [Q])]


def test_an_agent_inside_an_assistant_reads_as_itself() -> None:
    name = "Copilot.MicrosoftCopilot.BizChat"
    rows = register(world([], flow("files", identity="", assistant="Microsoft 365 Copilot"), access=[
        read("1", name), read("2", name, agent_id="CopilotStudio.Declarative.7")]))
    assert {key: row["resources_read"] for key, row in rows.items()} == {
        "files": 1, "CopilotStudio.Declarative.7: reads for its users": 1}


def test_one_product_in_two_tenants_is_two_workflows() -> None:
    name = "Copilot.MicrosoftCopilot.BizChat"
    rows = workflow_register(*_both(world([], access=[read("1", name, tenant="t-1"), read("2", name, tenant="t-2")])))
    assert sorted(rows["workflow_id"]) == sorted(
        observed_id(f"m365:{tenant}:{name}", DATA_ACCESS) for tenant in ("t-1", "t-2"))


def _both(facts: Facts) -> tuple[Facts, DecisionLineage]:
    return facts, found(facts)


def test_a_case_that_fits_two_declared_workflows_is_shared_and_proves_nothing_of_either() -> None:
    facts = world(asked("x", approved=False), flow("one", identity=AGENT), flow("two", identity=AGENT), coverage=COVER,
                  identities=PEOPLE)
    for row in register(facts).values():
        assert (row["cases"], row["shared_cases"], row["class_observed"], row["class_at_least"]) == (0, 1, None, None)
        assert (row["class_at_most"], row["class_creep"]) == ("executes_autonomous", None)


def test_an_experiment_counts_what_it_changed_in_production() -> None:
    listed = [identity("aws:111122223333:AROA1", "workload", environment="prod", alt_ids=[
        {"kind": "arn", "value": "arn:aws:iam::111122223333:role/etl"}])]
    steps = [alone("a"), alone("b", 30), alone("c", 60, target_key="aws:111122223333:role/other", effect_key=None)]
    row = register(world(steps, flow("trial", stage="experimental"), identities=listed))["trial"]
    assert (row["cases"], row["experimental_writes"], row["environments"]) == (3, 2, ["prod"])


def test_counts_agree_with_the_cases_one_by_one() -> None:
    steps = [*asked("x"), *asked("y", 100, approved=False), *asked("z", 200), alone("a", 300), alone("b", 330, kind="draft"),
             step("c", 400, actor_class="human", target_key=f"{POLICY}c"),
             pim("request", 500, name="r", key="req-r", actor_id=AGENT, actor_class="ai_agent")]
    facts = world(steps, flow("roles", identity=AGENT), coverage=COVER, identities=PEOPLE)
    lineage = found(facts)
    rows = workflow_register(facts, lineage)
    own = [case for case in lineage.cases.iter_rows(named=True) if case["workflow_id"]]
    assert rows["cases"].sum() == len(own) == 6
    for row in rows.iter_rows(named=True):
        held = [case for case in own if case["workflow_id"] == row["workflow_id"]]
        counted = Counter(case["involvement_class"] for case in held)
        assert {name: row[f"n_{name}"] for name in (*RANK, "unknown")} == {
            name: counted[name] for name in (*RANK, "unknown")}
        assert set(row["approver_ids"]) == {case["approver_id"] for case in held} - {None}
        proved = [RANK[case["involvement_class"]] for case in held if case["involvement_class"] in CLASSES]
        assert RANK[row["class_observed"] or "none"] == max(proved, default=0)


@given(st.permutations(range(6)), st.integers(0, 5))
@settings(max_examples=20, deadline=None)
def test_order_and_repetition_of_records_give_the_same_register(order: list[int], again: int) -> None:
    steps = [*asked("x"), alone("a", 300), alone("b", 330, actor_id=AGENT), step("c", 400, actor_class="human")]
    reads = [read(str(n), Q if n % 2 else BOT, site_url=f"https://x.example/sites/{n}") for n in range(6)]
    plain = workflow_register(*_both(world(steps, flow("one"), flow("two", identity=AGENT), access=reads)))
    mixed = workflow_register(*_both(world(
        [steps[i] for i in [*order, again]], flow("two", identity=AGENT), flow("one"),
        access=[reads[i] for i in [*order, again]])))
    assert mixed.equals(plain)


def test_nothing_loaded_is_an_empty_register() -> None:
    rows = workflow_register(*_both(world([])))
    assert rows.is_empty()
    assert rows.schema == tables.WORKFLOWS.schema


def test_values_are_of_their_closed_lists() -> None:
    facts = world([*asked("x"), alone("a", 90)], flow("roles", stage="experimental", workstream="other"),
                  access=[read("1")])
    assert tables.closed_value_faults(workflow_register(*_both(facts)), tables.WORKFLOWS) == []


def test_the_run_folder_holds_the_register_as_csv_and_json(tmp_path: Path) -> None:
    facts = world([*asked("x"), alone("a", 90)], flow("=cmd|' /C calc'!A0"), flow("roles", identity=AGENT),
                  access=[read("1")], identities=PEOPLE)
    rows = workflow_register(*_both(facts))
    exports.register(rows, tmp_path)
    text = (tmp_path / "workflow_register.csv").read_text(encoding="utf-8-sig")
    told = list(csv.DictReader(io.StringIO(text)))
    assert [line["workflow_id"] for line in told] == sorted(rows["workflow_id"].to_list())
    assert {line["name"][0] for line in told} <= {"'", "r", "A"}
    document = json.loads((tmp_path / "workflow_register.json").read_text(encoding="utf-8"))["workflows"]
    assert [one["workflow_id"] for one in document] == rows["workflow_id"].to_list()
    assert [set(one) for one in document] == [set(tables.WORKFLOWS.schema)] * rows.height
    assert {one["class_creep"] for one in document} <= {True, False, None}
    assert document[1]["first"] == "2026-06-10T12:00:00Z"


def test_an_empty_register_is_written_too(tmp_path: Path) -> None:
    exports.register(tables.WORKFLOWS.empty(), tmp_path)
    assert json.loads((tmp_path / "workflow_register.json").read_text()) == {"workflows": []}
    assert (tmp_path / "workflow_register.csv").read_text(encoding="utf-8-sig").count("\n") == 1


def test_tenants_and_people_are_ids_beside_their_names() -> None:
    row = register(world(asked("x"), flow("roles", identity=AGENT), identities=[
        *PEOPLE[:1], identity(DAN, person_id="p-dan", display_name="Dan")]))["roles"]
    assert (row["approver_ids"], row["approvers"], row["runners"]) == ([DAN], ["Dan"], ["bo"])
    assert all(one.startswith(f"entra:{TENANT}:") for one in row["runner_ids"])


def test_a_frame_of_the_register_may_be_read_by_polars_again(tmp_path: Path) -> None:
    rows = workflow_register(*_both(world([alone("a")], flow("w"))))
    rows.write_parquet(tmp_path / "w.parquet")
    assert pl.read_parquet(tmp_path / "w.parquet").equals(rows)
