"""Steps without a provider's key: correlation, quoted keys and windows, and what stays unlinked."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineage_analytics.graphs.decisions.engine import build
from tests._decisions import OTHER_ROLE, ROLE, TENANT, at, case, facts, lineage, links, pim, states, step

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    from lineage_analytics.graphs.decisions import DecisionLineage

Row = dict[str, Any]
CHG = ["CHG0030192"]


def rejects(found: DecisionLineage) -> set[tuple[str, str, str]]:
    return {(src.removeprefix("step-"), rel, reason)
            for src, rel, reason in found.link_rejects.select("src", "rel", "reason").iter_rows()}


# --- the provider's correlation id ---------------------------------------------------------------------------------

def test_correlation_and_target_prove_without_a_request_id() -> None:
    same: Row = {"key": None, "correlation_id": "c-1"}
    found = lineage(pim("request", -30, **same), pim("decision", -10, **same), pim("action", **same),
                    pim("expiry", 480, **same))
    assert links(found) == {("decision", "request", "about", 4), ("action", "request", "requested_by", 4),
                            ("action", "decision", "authorised_by", 4), ("expiry", "action", "ends", 4)}
    assert case(found)["approval_verdict"] == "approved_before"
    assert set(found.links["rule_id"]) == {"correlation-and-target"}


def test_A21_correlation_over_another_target_links_nothing() -> None:  # noqa: N802
    found = lineage(pim("decision", -10, key=None, correlation_id="c-1", target_key=OTHER_ROLE,
                        effect_key=f"grant({OTHER_ROLE})"), pim("action", key=None, correlation_id="c-1"))
    assert found.cases.height == 2
    assert found.links.height == 0


def test_A20_one_correlation_id_in_two_tenants_links_nothing() -> None:  # noqa: N802
    found = lineage(pim("decision", -10, key=None, correlation_id="c-1", tenant="t-2"),
                    pim("action", key=None, correlation_id="c-1"))
    assert found.cases.height == 2
    assert found.links.height == 0


def test_two_changes_under_one_correlation_id_are_two_cases() -> None:
    found = lineage(step("a", correlation_id="c"), step("b", 5, correlation_id="c"))
    assert found.cases.height == 2


def test_two_steps_of_one_record_are_one_case_at_tier_five() -> None:
    found = lineage(pim("decision", key=None, record_id="rec-1"), pim("action", key=None, record_id="rec-1"))
    assert links(found) == {("action", "decision", "authorised_by", 5)}
    assert case(found)["approval_verdict"] == "order_uncertain"


# --- keys in texts ---------------------------------------------------------------------------------------------------

def quoting(kind: str, when: float, **more: Any) -> Row:
    return pim(kind, when, key=None, effect_key=None, quoted_keys=CHG, **more)


def test_a_key_that_both_texts_quote_is_inferred_never_an_approval() -> None:
    found = lineage(quoting("decision", -10), quoting("action", 0))
    made = case(found)
    assert links(found) == {("action", "decision", "authorised_by", 2)}
    assert (made["approval_verdict"], made["approver_id"], made["accountable_rule"]) == ("unknown", None, "by_initiation")
    assert states(found)["approver"][0] == "inferred"
    assert made["weakest_tier"] == 2


def test_A19_typing_a_ticket_number_never_forges_a_proved_approval() -> None:  # noqa: N802
    """However it looks: same target, same effect, same window, same number."""
    found = lineage(pim("decision", -10, key=None, quoted_keys=CHG), pim("action", key=None, quoted_keys=CHG))
    assert found.links["tier"].to_list() == [2]
    assert case(found)["approval_verdict"] == "unknown"
    titled = lineage(pim("decision", -10, key=None, title="CHG0030192", target_key=OTHER_ROLE),
                     pim("action", key=None, title="CHG0030192"))
    assert titled.links.height == 0


def test_A18_a_ticket_reused_for_several_approvals_is_ambiguous() -> None:  # noqa: N802
    found = lineage(quoting("decision", -10, name="d1"), quoting("decision", -5, name="d2"), quoting("action", 0))
    assert found.links.height == 0
    assert ("action", "authorised_by", "ambiguous") in rejects(found)


def test_A14_a_quoted_key_about_another_target_is_kept_as_considered() -> None:  # noqa: N802
    found = lineage(quoting("decision", -10, target_key=OTHER_ROLE), quoting("action", 0))
    assert found.links.height == 0
    assert rejects(found) == {("action", "authorised_by", "target_differs")}


# --- windows ---------------------------------------------------------------------------------------------------------

def test_one_approval_and_one_change_of_one_effect_are_inferred() -> None:
    found = lineage(pim("request", -60, key=None), pim("decision", -10, key=None), pim("action", key=None))
    assert links(found) == {("decision", "request", "about", 1), ("action", "request", "requested_by", 1),
                            ("action", "decision", "authorised_by", 1)}
    assert states(found)["approver"][0] == states(found)["initiator"][0] == "inferred"
    assert case(found)["order_verdict"] == "none"


@pytest.mark.parametrize(("minutes", "linked"), [(-1440, True), (-1441, False), (4, True), (6, False)])
def test_the_window_of_an_approval_is_a_day_and_the_clocks_five_minutes(minutes: float, *, linked: bool) -> None:
    found = lineage(pim("decision", minutes, key=None), pim("action", key=None))
    assert (found.links.height == 1) is linked
    assert found.cases.height == (1 if linked else 2)


def test_two_changes_after_one_approval_are_ambiguous_and_nearest_in_time_breaks_no_tie() -> None:
    found = lineage(pim("decision", -10, key=None), pim("action", key=None, name="a1"),
                    pim("action", 600, key=None, name="a2"))
    assert found.links.height == 0
    assert rejects(found) == {("a1", "authorised_by", "ambiguous"), ("a2", "authorised_by", "ambiguous")}


def test_a_denial_or_a_request_answered_elsewhere_is_no_candidate() -> None:
    denied = lineage(pim("decision", -10, key=None, verdict="deny"), pim("action", key=None))
    assert denied.links.height == 0
    answered = lineage(pim("request", -30), pim("decision", -20, verdict="deny"), pim("action", key=None))
    assert answered.cases.filter(pl.col("status") == "executed")["approval_verdict"].to_list() == ["unknown"]
    assert answered.cases.height == 2


def test_a_proved_link_stops_the_search() -> None:
    found = lineage(pim("decision", -10), pim("action"), pim("decision", -5, key=None, name="other"))
    assert links(found) == {("action", "decision", "authorised_by", 4)}


def test_an_end_without_a_key_ends_the_grant_that_stated_it() -> None:
    found = lineage(pim("action", expires_at=at(480)), pim("expiry", 480, key=None))
    assert links(found) == {("expiry", "action", "ends", 1)}
    assert case(found)["status"] == "executed"
    other = lineage(pim("action", expires_at=at(480)), pim("expiry", 300, key=None))
    assert other.links.height == 0


def test_no_target_or_no_effect_is_nothing_to_compare() -> None:
    lacks: list[Row] = [{"target_key": None}, {"effect_key": None}]
    for lack in lacks:
        found = lineage(pim("decision", -10, key=None, **lack), pim("action", key=None, **lack))
        assert found.links.height == 0


# --- properties ------------------------------------------------------------------------------------------------------

KINDS = ("request", "decision", "action", "expiry", "attempt", "rollback")


@st.composite
def mixed(draw: st.DrawFn) -> list[Row]:
    """Steps of few keys, targets, correlation ids and moments, so that they meet."""
    made = []
    for number in range(draw(st.integers(1, 12))):
        target = draw(st.sampled_from((ROLE, OTHER_ROLE, None)))
        kind = draw(st.sampled_from(KINDS))
        made.append(pim(
            kind, draw(st.sampled_from((-1500, -20, -10, 0, 0.01, 10, 300))), name=f"s{number}",
            key=draw(st.sampled_from((None, None, "k1"))), tenant=draw(st.sampled_from((TENANT, "t-2"))),
            target_key=target, effect_key=f"grant({target})" if target and draw(st.booleans()) else None,
            correlation_id=draw(st.sampled_from((None, "c1"))), quoted_keys=draw(st.sampled_from(([], CHG))),
            expires_at=draw(st.sampled_from((None, at(300)))),
            verdict=draw(st.sampled_from(("approve", "deny"))) if kind == "decision" else None))
    return made


@settings(max_examples=150, deadline=None)
@given(mixed(), st.randoms(use_true_random=False))
def test_A01_order_and_repetition_change_nothing(rows: list[Row], random: Any) -> None:  # noqa: N802
    shuffled = [*rows, *random.choices(rows, k=len(rows))]
    random.shuffle(shuffled)
    one, other = lineage(*rows), lineage(*shuffled)
    for name in ("cases", "steps", "links", "link_rejects", "gaps", "elements"):
        assert getattr(one, name).equals(getattr(other, name)), name


@settings(max_examples=150, deadline=None)
@given(mixed())
def test_every_step_is_in_one_case_and_no_link_leaves_its_tenant_or_tier(rows: list[Row]) -> None:
    found = lineage(*rows)
    assert sorted(found.steps["step_id"]) == sorted(row["step_id"] for row in rows)
    assert found.cases["case_id"].is_unique().all()
    where = {row["step_id"]: row for row in rows}
    for src, dst, tier, method in found.links.select("src", "dst", "tier", "method").iter_rows():
        one, other = where[src], where[dst]
        assert one["tenant"] == other["tenant"]
        if method in ("quoted_key", "window"):
            assert tier <= 2
            assert one["target_key"] == other["target_key"]


# --- many steps on one key -------------------------------------------------------------------------------------------

def _work(rows: list[Row]) -> int:
    """Instructions that the room's own code runs for one lineage: work, not time."""
    made = facts(rows)
    count = 0

    def counted(frame: FrameType, event: str, _: object) -> Any:
        nonlocal count
        if "graphs/decisions" not in frame.f_code.co_filename.replace("\\", "/"):
            return None
        frame.f_trace_opcodes = True
        count += event == "opcode"
        return counted

    before = sys.gettrace()
    sys.settrace(counted)
    try:
        build(made)
    finally:
        sys.settrace(before)
    return count


def _collision(pairs: int) -> list[Row]:
    return [row for number in range(pairs) for row in (
        pim("decision", number / 60, key=None, name=f"d{number}", quoted_keys=CHG),
        pim("action", number / 60 + 1, key=None, name=f"a{number}", quoted_keys=CHG))]


def _flapping(pairs: int) -> list[Row]:
    return [step(f"s{n}", n * 5.0, operation="iam:AttachRolePolicy" if n % 2 == 0 else "iam:DetachRolePolicy")
            for n in range(2 * pairs)]


def _ending(pairs: int) -> list[Row]:
    return [row for n in range(pairs) for row in (
        pim("action", n * 10.0, key=f"k{n}", name=f"g{n}"), pim("expiry", n * 10.0 + 5, key=f"x{n}", name=f"x{n}"))]


def _tries(pairs: int) -> list[Row]:
    return [step(f"s{n}", n / 10, kind="attempt" if n % 50 else "action", status="failed" if n % 50 else "succeeded")
            for n in range(2 * pairs)]


@pytest.mark.parametrize("made", [_collision, _flapping, _ending, _tries])
def test_A44_twice_the_steps_on_one_key_are_twice_the_work(made: Callable[[int], list[Row]]) -> None:  # noqa: N802
    few, many = _work(made(150)), _work(made(300))
    assert many / few < 2.15


def test_A44_a_key_shared_by_all_is_ambiguous_and_shows_few() -> None:  # noqa: N802
    found = lineage(*_collision(40))
    assert found.links.height == 0
    assert found.link_rejects["reason"].unique().to_list() == ["ambiguous"]
    assert found.link_rejects["candidates"].list.len().max() == 5
