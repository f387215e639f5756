"""The map of workflows says who decides, where authority passes, and what goes beyond what is declared."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from lineage_analytics import charts, tables
from lineage_analytics.charts import render

Row = dict[str, Any]


def flow(name: str = "roles", **fields: Any) -> Row:
    """A declared workflow with four decisions, all approved before its assistant acted."""
    return {"workflow_id": name, "name": name, "declared": True, "assistant": "Helper", "assistants": ["Helper"],
            "class_declared": "executes_approved", "class_observed": "executes_approved",
            "class_at_least": "executes_approved", "class_at_most": "executes_approved", "class_creep": False,
            "creep_cases": 0, "approvers": ["Dan"], "data_observed": [], "resources_read": None, "inputs": [],
            "logged_by": ["entra_audit"], "to_executor": 0, "to_approver": 4, "to_nobody": 0, "to_unknown": 0,
            "cases": 4, "shared_cases": 0, "experimental_writes": 0, **fields}


def drawn(*rows: Row) -> dict[str, Any]:
    frame = pl.DataFrame(list(rows), schema={name: tables.WORKFLOWS.schema[name] for name in rows[0]})
    return render.spec(charts.workflow_map(tables.conform(frame, tables.WORKFLOWS)))


def title(*rows: Row) -> str:
    return " ".join(drawn(*rows)["title"]["text"])


def words(*rows: Row) -> list[str]:
    """Every text drawn, the names of stations and marks among them."""
    return [row["words"] for values in drawn(*rows)["datasets"].values() for row in values if "words" in row]


def shapes(*rows: Row) -> list[str]:
    """The shape of each mark below the legend, once a mark."""
    document = drawn(*rows)
    return [layer["mark"]["shape"] for layer in document["layer"] if layer["mark"].get("shape")
            for row in document["datasets"][layer["data"]["name"]] if row["y"] > 60]


CREEP: Row = {"class_declared": "drafts", "class_creep": True, "creep_cases": 3}
BARE: Row = {"declared": False, "class_declared": None, "class_creep": None}


@pytest.mark.parametrize(("rows", "said"), [
    ([flow()], "1 declared workflow stayed within what is declared"),
    ([flow(**CREEP), flow("b")], "1 of 2 declared workflows did more than declared"),
    ([flow(class_creep=None)], "Whether 1 declared workflow stayed within what is declared is not known"),
    ([flow(**BARE)], "1 workflow with a part in decisions is not declared"),
    ([flow(**CREEP), flow("b", **BARE), flow("c", **BARE)],
     "1 of 1 declared workflow did more than declared; 2 more take part in decisions and are not declared"),
    ([flow(experimental_writes=2)], "1 experiment wrote in production"),
    ([flow(cases=0, to_approver=0, class_creep=None)],
     "None of 1 workflow has a part in a decision on record"),
])
def test_the_title_is_what_the_register_shows(rows: list[Row], said: str) -> None:
    assert title(*rows) == said


@pytest.mark.parametrize(("fields", "said"), [
    ({}, "4 of 4"), ({"to_approver": 3, "to_nobody": 1}, "3 of 4"), ({"to_approver": 1, "to_unknown": 3}, "1–4 of 4"),
    ({"to_approver": 0, "to_unknown": 4}, "not known"), ({"to_approver": 0, "to_executor": 4}, "4 of 4"),
    ({"to_approver": 0, "to_nobody": 4}, "0 of 4"),
])
def test_in_how_many_a_person_decided_spans_what_is_not_known(fields: Row, said: str) -> None:
    assert said in words(flow(**fields))


@pytest.mark.parametrize(("fields", "marks"), [
    ({}, {"diamond": 1, "square": 1, "triangle-down": 0}),
    ({"to_approver": 0, "to_executor": 4}, {"diamond": 1, "square": 2, "triangle-down": 0}),
    ({"to_approver": 3, "to_nobody": 1}, {"diamond": 1, "square": 0, "triangle-down": 1}),
    ({"to_approver": 0, "to_nobody": 4}, {"diamond": 0, "square": 0, "triangle-down": 1}),
    ({"to_approver": 0, "to_unknown": 4}, {"diamond": 0, "square": 0, "triangle-down": 0}),
])
def test_a_diamond_stands_where_authority_passes_and_a_triangle_where_nobody_decided(
    fields: Row, marks: dict[str, int],
) -> None:
    found = shapes(flow(**fields))
    assert {shape: found.count(shape) for shape in marks} == marks


@pytest.mark.parametrize(("read", "said"), [(None, "not logged"), (0, "none"), (1_200, "1,200")])
def test_what_was_read_is_a_number_none_or_not_logged(read: int | None, said: str) -> None:
    assert said in words(flow(resources_read=read))


def test_an_assistant_that_only_reads_is_one_line_below_the_others() -> None:
    reads = flow("b", **BARE, assistants=["Reader"], cases=0, to_approver=0, resources_read=3, data_observed=["https://x/sites/A"])
    told = words(reads, flow("a"))
    assert told.index("a") < told.index("Reader")
    assert "read 3 resources, from sites/A; logged by entra_audit" in told


def test_a_declared_workflow_without_a_trace_is_drawn_and_says_so() -> None:
    told = words(flow(cases=0, to_approver=0, logged_by=[], class_creep=None, approvers=[], approver="the lead"))
    assert {"no decision of it on record", "declared approver: the lead", "in no log that is loaded"} <= set(told)


def test_thirty_are_drawn_and_the_rest_counted() -> None:
    many = [flow(f"flow {n:02}") for n in range(33)]
    assert "and 3 more workflows" in words(*many)
    assert sum(text.startswith("flow ") for text in words(*many)) == 30


def test_what_needs_review_comes_first() -> None:
    told = words(flow("z", **CREEP), flow("a"), flow("m", **BARE))
    assert sorted("zma", key=told.index) == ["z", "m", "a"]


def test_the_description_says_declared_and_seen_in_words() -> None:
    said = drawn(flow(**CREEP, class_at_most="executes_autonomous"))["description"]
    assert ("roles: 3 decisions above what is declared, declared as drafts, seen as executes with approval, at most "
            "executes alone, a person decided in 4 of 4 decisions") in said
