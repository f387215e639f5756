"""Cases, verdicts, links, elements and gaps on hand-sized decisions."""

from __future__ import annotations

import polars as pl

from lineage_analytics import tables
from lineage_analytics.graphs.decisions import from_frames
from tests._decisions import (
    ANA,
    DAN,
    case,
    facts,
    lineage,
    links,
    people,
    pim,
    states,
    step,
)

REQUEST, DECISION, ACTION = pim("request", -30), pim("decision", -10), pim("action")
MAPPED = people(ana="p-ana", dan="p-dan")


# --- one approved activation -------------------------------------------------------------------------------------------

def test_request_approval_and_completion_of_one_key_are_one_case_with_three_links() -> None:
    found = lineage(REQUEST, DECISION, ACTION, identities=MAPPED)
    made = case(found)
    assert (made["approval_verdict"], made["order_verdict"], made["independent"]) == ("approved_before", "prior", "yes")
    assert (made["approver_id"], made["initiator_id"], made["status"], made["executed"]) == (DAN, ANA, "executed", True)
    assert (made["accountable_id"], made["accountable_rule"]) == (DAN, "by_decision")
    assert links(found) == {("decision", "request", "about", 4), ("action", "request", "requested_by", 4),
                            ("action", "decision", "authorised_by", 4)}
    assert made["weakest_tier"] == 4


def test_an_approved_change_by_a_person_lacks_nothing() -> None:
    found = lineage(REQUEST, DECISION, ACTION, identities=MAPPED)
    assert {name: state for name, (state, _) in states(found).items()} == {
        "initiator": "proved", "inputs": "not_required", "recommendation": "not_required", "approver": "proved",
        "action": "proved", "rollback": "proved"}
    assert found.gaps.height == 0
    assert case(found)["completeness"] == 1.0


def test_every_statement_names_records_and_closed_columns_hold_their_values() -> None:
    found = lineage(REQUEST, DECISION, ACTION, pim("expiry", 480), step("aws"), identities=MAPPED)
    for table in (tables.CASES, tables.STEPS, tables.LINKS, tables.GAPS, tables.ELEMENTS):
        assert tables.closed_value_faults(getattr(found, table.name), table) == []
    assert found.links["record_ids"].list.len().min() == 2
    proved = found.elements.filter(pl.col("state") == "proved")
    assert proved["record_ids"].list.len().min() == 1


def test_kept_frames_give_the_same_lineage_back() -> None:
    known = facts([REQUEST, DECISION, ACTION], MAPPED)
    found = lineage(REQUEST, DECISION, ACTION, identities=MAPPED)
    names = ("cases", "steps", "links", "link_rejects", "gaps", "elements")
    kept = from_frames(known, {name: getattr(found, name) for name in names})
    assert kept.explain("e-action") == found.explain("e-action")
