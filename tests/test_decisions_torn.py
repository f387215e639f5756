"""Records that were torn, told twice or never written: conflicts, cut files and a log switched off."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from lineage_analytics import tables
from lineage_analytics.facts import Facts
from lineage_analytics.graphs.decisions import DecisionLineage, decision_lineage
from tests._decisions import ACCOUNT, AS_OF, at, case, covered, facts, frame, gaps, lineage, pim, states, step

if TYPE_CHECKING:
    from datetime import datetime

Row = dict[str, Any]
CHAIN = (pim("request", -30), pim("decision", -10), pim("action"))


# --- A03: one record told in two ways -------------------------------------------------------------------------------------

def test_A03_a_decision_told_in_two_ways_contradicts_the_case() -> None:  # noqa: N802
    for rows in ((*CHAIN, pim("decision", -10, verdict="deny")), (pim("decision", -10, verdict="deny"), *CHAIN)):
        found = lineage(*rows)
        made = case(found)
        assert (made["approval_verdict"], made["approver_id"]) == ("contradicted", None)
        assert gaps(found)["decision"] == "contradicted"
        assert states(found)["approver"] == (
            "missing", "contradicted: two deliveries of one record say different things")
        assert found.steps.height == 3


def test_A03_an_action_told_in_two_ways_is_a_fault_of_its_execution() -> None:  # noqa: N802
    found = lineage(*CHAIN, pim("action", effect_key="revoke(x)"))
    assert gaps(found)["execution"] == "contradicted"


def test_A02_the_same_record_again_is_no_conflict() -> None:  # noqa: N802
    assert lineage(*CHAIN).cases.equals(lineage(*CHAIN, *CHAIN, *CHAIN).cases)
    assert lineage(*CHAIN, *CHAIN).gaps.equals(lineage(*CHAIN).gaps)


# --- A26: a file that was cut off -----------------------------------------------------------------------------------------

def cut(first: datetime | None, last: datetime | None, *, source: str = "entra_audit", torn: bool = True) -> DecisionLineage:
    known = facts([pim("request", -30), pim("action")], coverage=covered())
    row = {"file_sha256": "0" * 64, "file": "f", "source": source, "truncated": torn, "first": first, "last": last}
    ledger = frame([row], tables.LEDGER).lazy()
    return decision_lineage(Facts({**known.tables, "ledger": ledger}, AS_OF))


@pytest.mark.parametrize(("first", "last", "reason"), [
    (at(-600), at(-60), "truncated"), (at(60), at(600), "truncated"), (None, None, "truncated"),
    (at(-9000), at(-3000), "absent"), (at(3000), at(9000), "absent")])
def test_A26_nothing_is_called_absent_around_a_cut_file(  # noqa: N802
    first: datetime | None, last: datetime | None, reason: str,
) -> None:
    found = cut(first, last)
    assert gaps(found)["decision"] == reason
    assert case(found)["approval_verdict"] == ("absent" if reason == "absent" else "unknown")


def test_A26_a_whole_file_or_a_cut_one_of_another_source_is_no_matter() -> None:  # noqa: N802
    assert gaps(cut(at(-600), at(-60), torn=False))["decision"] == "absent"
    assert gaps(cut(at(-600), at(-60), source="m365_audit"))["decision"] == "absent"


# --- A27: logging switched off --------------------------------------------------------------------------------------------

def switch(name: str, when: float, trail: str = "t1", **more: Any) -> Row:
    target = f"aws:{ACCOUNT}:trail/{trail}"
    return step(name, when, operation=f"cloudtrail:{name.split('-', maxsplit=1)[0]}Logging", target_key=target,
                effect_key=f"x({target})", **more)


def dark(found: DecisionLineage) -> set[str]:
    return {event for event, case_id in found.cases.select("anchor_event_id", "case_id").iter_rows()
            if gaps(found, case_id).get("correlation") == "outside_coverage"}


def test_A27_what_happened_while_a_trail_was_off_says_so() -> None:  # noqa: N802
    found = lineage(step("before", -10), switch("Stop", 0), step("during", 10), switch("Start", 20), step("after", 30))
    assert dark(found) == {"e-during"}
    said = found.gaps.filter(found.gaps["element"] == "correlation")["effect_on_verdict"].item()
    assert said == "a trail stood switched off since 2026-06-10 12:00:00Z: records may be missing"


def test_A27_every_trail_must_be_on_again_and_other_accounts_are_untouched() -> None:  # noqa: N802
    found = lineage(switch("Stop-1", 0), switch("Stop-2", 5, "t2"), switch("Start-2", 8, "t2"), step("during", 10),
                    step("elsewhere", 10, tenant="999"), switch("Start-1", 20), step("after", 30))
    assert dark(found) == {"e-during"}


def test_A27_a_refused_stop_switches_nothing_off() -> None:  # noqa: N802
    found = lineage(switch("Stop", 0, kind="attempt", status="failed"), step("during", 10))
    assert dark(found) == set()
