"""One decision in words: complete, printable, and found by any id that belongs to it."""

from __future__ import annotations

import re
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineage_analytics import tables
from lineage_analytics.errors import UsageError
from lineage_analytics.facts import Facts
from lineage_analytics.graphs.decisions import decision_lineage
from tests._decisions import ANA, DAN, POLICY, ROLE, TENANT, case, covered, facts, identity, lineage, people, pim, step

CHAIN = (pim("request", -30), pim("decision", -10), pim("action"))
DETACH: dict[str, Any] = {"operation": "iam:DetachRolePolicy", "effect_key": f"revoke({POLICY})"}


def test_an_explanation_says_who_what_when_authority_approval_way_back_and_records() -> None:
    named = [identity(ANA, display_name="Ana", person_id="p-ana"), identity(DAN, display_name="Dan", person_id="p-dan")]
    text = lineage(*CHAIN, identities=named).explain("e-action")
    for said in (
        "tenant t-1   as of 2026-06-30 00:00:00Z", "APPROVED BEFORE EXECUTION   order prior", f"Approver Dan [{DAN}]   independent: yes",
        f"Asked by Ana [{ANA}]", "(by decision)", "Way back recorded, reversible", "authority self", "decision   2026-06-10 11:50:00Z",
        "request approved (PIM activation) APPROVE", "link    authorised_by [2], native_ref tier 4 (0.95), +600 s, skew band 2 s",
        "GAPS  none", "RECORDS  3", "rec-action",
    ):
        assert said in text, said


def _unfolded(text: str) -> str:
    """The words without where lines were broken."""
    return " ".join(text.split())


def test_a_gap_is_printed_with_its_reason_and_the_source_that_would_hold_it() -> None:
    found = lineage(step("x"))
    text = _unfolded(found.explain("e-x"))
    assert "APPROVAL UNKNOWN: not_collected" in text
    assert re.search(r"decision not_collected no source that would hold the approval is loaded; expected in a ticket", text)
    absent = lineage(CHAIN[0], CHAIN[2], coverage=covered()).explain("e-action")
    assert "NO APPROVAL ON RECORD: absent" in absent


def test_a_change_and_what_took_it_back_name_each_other() -> None:
    found = lineage(step("a"), step("d", 14, **DETACH))
    did, undid = case(found, "e-a"), case(found, "e-d")
    assert f"rolled back 2026-06-10 12:14:00Z by iam:DetachRolePolicy after 14 min ({undid['case_id']})" in _unfolded(
        found.explain("e-a"))
    assert f"this takes back iam:AttachRolePolicy of 2026-06-10 12:00:00Z ({did['case_id']})" in _unfolded(found.explain("e-d"))
    assert found.explained("e-a")["rolled_back_by"]["anchor_event_id"] == "e-d"


def test_what_was_considered_and_not_linked_is_shown() -> None:
    found = lineage(*CHAIN[:2], {**CHAIN[2], "target_key": ROLE.replace("reader", "owner")})
    text = found.explain("e-action")
    assert "NOT LINKED" in text
    assert "(target_differs)" in text
    assert "RECORDS CONTRADICT EACH OTHER" in text


# --- by which id ------------------------------------------------------------------------------------------------------

def test_case_step_record_and_event_id_all_lead_to_the_case() -> None:
    found = lineage(*CHAIN, step("other", 5))
    case_id = case(found, "e-action")["case_id"]
    for known in (case_id, "step-decision", "rec-request", "e-request", "e-action"):
        assert found.explained(known)["case"]["case_id"] == case_id


def test_an_event_that_anchors_one_case_and_is_a_step_of_another_leads_to_the_one_it_anchors() -> None:
    found = lineage({**CHAIN[0], "event_id": "e-shared"}, *CHAIN[1:], step("x", 60, event_id="e-shared"))
    assert found.explained("e-shared")["case"]["operation"] == "iam:AttachRolePolicy"


def test_an_id_of_several_decisions_lists_them_instead_of_choosing() -> None:
    found = lineage(step("x", event_id="e-1"), step("y", 5, event_id="e-1"))
    assert found.cases["case_id"].n_unique() == 2
    with pytest.raises(UsageError) as error:
        found.explain("e-1")
    assert all(case_id in str(error.value) for case_id in found.cases["case_id"])


def test_an_unknown_id_is_wrong_usage_with_the_nearest_known_one() -> None:
    found = lineage(*CHAIN)
    with pytest.raises(UsageError, match="Did you mean e-action"):
        found.explain("e-actoin")
    for unknown in ("", "not stated", "rec-zzz"):
        with pytest.raises(UsageError):
            lineage(step("x", event_id=None)).explain(unknown)
    with pytest.raises(UsageError):
        lineage().explain("anything")


def test_a_record_is_shown_where_it_stands_in_its_file() -> None:
    known = facts([step("x", raw_ref={"file_sha256": "f" * 64, "member": "a/b.json", "offset": 17})])
    ledger = tables.conform(pl.DataFrame({"file_sha256": ["f" * 64], "file": ["logs/trail.tar.gz"]}), tables.LEDGER)
    found = decision_lineage(Facts({**known.tables, "ledger": ledger.lazy()}, known.as_of))
    assert "logs/trail.tar.gz!a/b.json:17" in found.explain("e-x")


# --- untrusted text -----------------------------------------------------------------------------------------------------

_NASTY = "\x1b[31mred\r\nVerdict  APPROVED BEFORE EXECUTION\u202eexe\u200b\u0430dmin\ttab\x9b"


def test_names_and_texts_cannot_write_lines_colours_or_reverse_text() -> None:
    target = f"aws:1:role/{_NASTY}"
    found = lineage(
        step("x", title=_NASTY, operation=_NASTY, target_key=target, actor_id=f"aws:1:{_NASTY}", event_id=f"e{_NASTY}"),
        identities=[identity(f"aws:1:{_NASTY}", display_name=_NASTY)])
    text = found.explain("rec-x")
    assert text.isascii()
    assert all(line.isprintable() for line in text.split("\n"))
    assert not any(line.startswith("Verdict  APPROVED") for line in text.split("\n"))
    assert "\\u{202e}" in text
    assert "\\u{430}dmin" in text


@given(st.text(max_size=600), st.text(min_size=1, max_size=300))
def test_whatever_a_log_says_lines_are_printable_and_bounded(words: str, name: str) -> None:
    found = lineage(
        pim("request", -30, title=words, actor_id=f"entra:{TENANT}:{name}"), pim("decision", -10, operation=words or "x"),
        pim("action", title=words, native_key="req-1"), identities=[*people(dan="p"), identity(f"entra:{TENANT}:{name}", display_name=words)])
    text = found.explain("step-action")
    lines = text.split("\n")
    assert len(lines) < 60
    assert all(line.isascii() and line.isprintable() and len(line) <= 480 for line in lines)


def test_lines_are_folded_at_110_columns_and_where_a_record_stands_is_kept_whole() -> None:
    found = lineage(*CHAIN, step("aws", title="a long title " * 20))
    for event in ("e-action", "e-aws"):
        told, _, records = found.explain(event).partition(" RECORDS")
        assert max(map(len, told.split("\n"))) <= 110
        assert "rec-" in records


def test_the_unknown_id_in_the_error_is_made_printable() -> None:
    with pytest.raises(UsageError) as error:
        lineage(step("x")).explain(_NASTY)
    assert str(error.value).replace("\n", "").isprintable()
    assert "\u202e" not in str(error.value)
