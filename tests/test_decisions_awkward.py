"""The awkward cases of the decision lineage in which keys, clocks, approvers and rules meet, by their number in the
design."""

from __future__ import annotations

import itertools
import json
import re
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from lineage_analytics import tables
from lineage_analytics.facts import Facts
from lineage_analytics.graphs.decisions import DecisionLineage, decision_lineage
from tests._decisions import (
    ACCOUNT,
    ANA,
    AS_OF,
    BO,
    DAN,
    NOON,
    POLICY,
    ROLE,
    TENANT,
    Row,
    at,
    case,
    covered,
    facts,
    frame,
    identity,
    lineage,
    links,
    people,
    pim,
    states,
    step,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

SNOW = "itsm.example"
CI = f"servicenow:{SNOW}:ci/ci-etl"
AGENT = f"entra:{TENANT}:agent"


def declared(*said: tuple[str, dict[str, Any]]) -> list[Row]:
    return [{"id": f"declared::{kind}/{number}", "kind": kind, "attributes": json.dumps(row), "provider": "declared",
             "source": "declared", "record_id": f"rec-declared-{number}"} for number, (kind, row) in enumerate(said)]


ONE_ORGANISATION = [("tenant", {"organisation": "northwind", "tenant": tenant}) for tenant in (ACCOUNT, SNOW, TENANT)]
ETL = ("configuration_item", {"ci": "ci-etl", "target": f"aws:{ACCOUNT}:arn:aws:iam::{ACCOUNT}:role/etl",
                              "target_written": f"arn:aws:iam::{ACCOUNT}:role/etl"})


def ticket(kind: str, when: float, *, key: str = "CHG0030192", name: str = "", **fields: Any) -> Row:
    """A step of a change request that Ana opens and Dan approves."""
    made = {"kind": kind, "operation": f"change_request:{kind}", "actor_id": DAN if kind == "decision" else ANA,
            "actor_class": "human", "verdict": "approve" if kind == "decision" else None, "target_key": CI,
            "effect_key": None, "native_key_kind": "change_number", "native_key": key, "tenant": SNOW,
            "provider": "servicenow", "source": "servicenow"}
    return step(name or f"{key}-{kind}", when, **{**made, **fields})


def grant(name: str = "grant", when: float = 0.0, **fields: Any) -> Row:
    """The AWS change that a ticket is about."""
    return step(name, when, **{"stated_keys": ["ticket:CHG0030192"], **fields})


def found(*steps: Row, said: Sequence[tuple[str, dict[str, Any]]] = (), identities: Sequence[Row] = (),
          coverage: Sequence[Row] = (), entitlements: Sequence[Row] = ()) -> DecisionLineage:
    whole = facts(steps, identities, coverage)
    more = {"resources": frame(declared(*said), tables.RESOURCES).lazy(),
            "entitlements": frame(list(entitlements), tables.ENTITLEMENTS).lazy()}
    return decision_lineage(Facts({**whole.tables, **more}, AS_OF))


def review(lineage: DecisionLineage, case_id: str | None = None) -> set[str]:
    rows = lineage.decision_findings
    return set(rows.filter(pl.col("case_id") == (case_id or rows["case_id"].first()))["finding"])


KEYED = [ticket("request", -60), ticket("decision", -30)]


# --- keys of another system ---------------------------------------------------------------------------------------------

def test_a_ticket_in_the_field_made_for_it_with_the_same_target_is_a_proved_approval() -> None:
    made = found(*KEYED, grant(), said=[*ONE_ORGANISATION, ETL])
    assert case(made)["approval_verdict"] == "approved_before"
    assert ("grant", "CHG0030192-decision", "authorised_by", 3) in links(made)
    assert case(made)["anchor_event_id"] == "e-grant"


def test_without_a_declaration_no_key_is_followed_from_one_tenant_into_another() -> None:
    made = found(*KEYED, grant(), said=[ETL])
    assert case(made, "e-grant")["approval_verdict"] == "unknown"
    assert made.cases.height == 2


OTHER = ("configuration_item", {"ci": "ci-etl", "target": f"aws:{ACCOUNT}:arn:aws:iam::{ACCOUNT}:role/other",
                                "target_written": f"arn:aws:iam::{ACCOUNT}:role/other"})


@pytest.mark.parametrize(("said", "reason"), [([], "ambiguous"), ([OTHER], "target_differs")],
                         ids=["not comparable", "about something else"])
def test_a_ticket_that_is_not_known_to_be_about_the_change_is_no_link_and_keeps_its_own_case(
    said: list[tuple[str, dict[str, Any]]], reason: str
) -> None:
    worked = ticket("action", -20, operation="change_request:implement")
    made = found(*KEYED, worked, grant(), said=[*ONE_ORGANISATION, *said])
    assert not {one for one in links(made) if one[0] == "grant"}
    assert made.link_rejects.select("src", "reason").rows() == [("step-grant", reason)]
    assert case(made, "e-CHG0030192-action")["approval_verdict"] == "approved_before"


def test_A18_a_ticket_named_by_three_unrelated_changes_proves_none_of_them() -> None:  # noqa: N802
    others = [grant(f"grant-{n}", n, target_key=f"aws:{ACCOUNT}:role/etl|policy-{n}",
                    effect_key=f"grant(aws:{ACCOUNT}:role/etl|policy-{n})") for n in range(3)]
    made = found(*KEYED, *others, said=[*ONE_ORGANISATION, ETL])
    told = made.cases.filter(pl.col("anchor_event_id").str.starts_with("e-grant"))
    assert told["approval_verdict"].to_list() == ["unknown"] * 3
    assert {tier for src, _, rel, tier in links(made) if rel == "authorised_by" and src.startswith("grant")} == {2}
    assert all("unsafe_key" in review(made, one) for one in told["case_id"])


@pytest.mark.parametrize("fields", [
    {"stated_keys": [], "quoted_keys": ["CHG0030192"]}, {"stated_keys": [], "quoted_keys": [], "title": "CHG0030192"},
    {"stated_keys": ["tag:CHG0030192"], "quoted_keys": []}], ids=["justification", "display name", "tag"])
def test_A19_a_number_that_people_type_reaches_tier_2_at_most(fields: dict[str, Any]) -> None:  # noqa: N802
    made = found(*KEYED, grant(**fields), said=[*ONE_ORGANISATION, ETL])
    assert all(tier <= 2 for src, _, _, tier in links(made) if src == "grant")
    assert case(made, "e-grant")["approval_verdict"] == "unknown"
    assert states(made, case(made, "e-grant")["case_id"])["approver"][0] != "proved"


CLOSED = ticket("outcome", -20, operation="change_request:close")


@pytest.mark.parametrize(("steps", "when", "tier"), [
    ([CLOSED, ticket("request", -10, name="again")], 0, 2), ([CLOSED, ticket("decision", -10, name="late")], -22, 3),
    ([CLOSED], 8_640, 2), ([CLOSED], -22, 3)], ids=["opened again", "a late vote", "six days after its end", "within"])
def test_a_ticket_proves_nothing_that_came_after_its_end(steps: list[Row], when: float, tier: int) -> None:
    made = found(*KEYED, *steps, grant(when=when), said=[*ONE_ORGANISATION, ETL])
    assert {t for src, _, rel, t in links(made) if src == "grant" and rel == "authorised_by"} == {tier}
    assert ("key_unsafe" in set(made.link_rejects["reason"])) is (tier == 2)
    assert case(made, "e-grant")["order_verdict"] == ("none" if tier == 2 else "prior")


def test_a_refused_ticket_is_linked_and_the_change_is_denied() -> None:
    made = found(ticket("request", -60), ticket("decision", -30, verdict="deny"), grant(), said=[*ONE_ORGANISATION, ETL])
    assert case(made)["approval_verdict"] == "denied"
    assert ("grant", "CHG0030192-request", "requested_by", 3) in links(made)


def test_a_request_that_led_to_nothing_keeps_apart_from_the_ticket_s_own_work_and_is_shown_its_decision() -> None:
    refused = [pim("request", -10, stated_keys=["ticket:CHG0030192"]), pim("decision", -5, verdict="deny")]
    role = ("configuration_item", {"ci": "ci-etl", "target": ROLE, "target_written": ROLE})
    made = found(*KEYED, ticket("action", -8, operation="change_request:implement"), *refused,
                 said=[*ONE_ORGANISATION, role])
    assert case(made, "e-CHG0030192-action")["approval_verdict"] == "approved_before"
    assert made.cases.height == 2


def test_a_trace_that_names_the_request_it_made_is_part_of_its_case() -> None:
    trace: dict[str, Any] = {"native_key_kind": "lineage_case", "native_key": "trace-1", "source": "otel_genai",
                             "provider": "otel", "tenant": SNOW, "target_key": None, "effect_key": None,
                             "actor_id": AGENT, "actor_class": "ai_agent"}
    advice = step("advice", -40, kind="recommendation", origin="ai", stated_keys=["request:req-1"], **trace)
    for steps in ([ASKED, pim("decision", -10), DONE], [ASKED]):
        made = found(advice, *steps, said=ONE_ORGANISATION, identities=STAFF)
        row = case(made)
        assert row["recommended_at"] == at(-40)
        assert row["anchor_event_id"] == f"e-{steps[-1]['title']}"
    done = found(advice, ASKED, pim("decision", -10), DONE, said=ONE_ORGANISATION, identities=STAFF)
    assert states(done)["recommendation"][0] == "proved"
    assert case(done)["involvement_class"] == "executes_approved"


def test_what_an_agent_s_trace_says_it_carried_out_is_the_agent_s_act() -> None:
    trace = {"native_key_kind": "lineage_case", "native_key": "trace-1", "source": "otel_genai", "provider": "otel",
             "tenant": SNOW, "target_key": None, "effect_key": None}
    made = found(
        step("asked", -3, kind="request", actor_id=AGENT, actor_class="ai_agent", **trace),
        step("let", -2, kind="decision", verdict="approve", actor_id=DAN, actor_class="human", **trace),
        step("ran", -0.01, actor_id=AGENT, actor_class="ai_agent", stated_keys=["request:r-1"], **trace),
        step("done", 0, actor_class="workload", stated_keys=["request:r-1"]), said=ONE_ORGANISATION,
        coverage=covered())
    row = case(made)
    assert (row["anchor_event_id"], row["involvement_class"]) == ("e-done", "unknown")
    assert row["order_verdict"] == "order_uncertain"
    earlier = found(
        step("let", -20, kind="decision", verdict="approve", actor_id=DAN, actor_class="human", **trace),
        step("ran", -0.01, actor_id=AGENT, actor_class="ai_agent", stated_keys=["request:r-1"], **trace),
        step("done", 0, actor_class="workload", stated_keys=["request:r-1"]), said=ONE_ORGANISATION)
    assert case(earlier)["involvement_class"] == "executes_approved"


def test_a_merge_and_the_run_that_states_its_commit_bring_their_approvals_to_the_change() -> None:
    repo = {"tenant": TENANT, "provider": "github", "source": "github_audit", "actor_class": "human"}
    pull = {**repo, "native_key_kind": "github_pull_request", "native_key": "org/app#4", "target_key": "github:t:pr/4"}
    steps = [
        step("asked", -50, kind="request", actor_id=ANA, **pull),
        step("reviewed", -40, kind="decision", verdict="approve", actor_id=BO, **pull),
        step("merged", -30, actor_id=DAN, stated_keys=["commit:abc1234"], **pull),
        step("ran", 0, stated_keys=["commit:abc1234"], tenant=ACCOUNT),
    ]
    made = found(*steps, said=ONE_ORGANISATION)
    assert case(made)["anchor_event_id"] == "e-ran"
    assert {("ran", "reviewed", "authorised_by", 4), ("ran", "merged", "triggered_by", 4),
            ("merged", "reviewed", "authorised_by", 4)} <= links(made)
    assert case(made)["accountable_id"] == BO


# --- A04: late records ----------------------------------------------------------------------------------------------------

def test_A04_an_approval_that_arrives_late_turns_pending_into_prior_under_the_same_id() -> None:  # noqa: N802
    request, action = pim("request", -30), pim("action")
    soon = NOON + timedelta(hours=1)
    first = lineage(request, action, coverage=covered(last=NOON.date()), as_of=soon)
    assert states(first)["approver"][0] == "pending"
    second = lineage(request, action, pim("decision", -10), coverage=covered())
    assert case(second)["order_verdict"] == "prior"
    assert case(first)["case_id"] == case(second)["case_id"]


def test_A04_an_id_that_a_later_record_replaced_still_leads_to_its_case() -> None:  # noqa: N802
    first = lineage(pim("request", -30))
    second = lineage(pim("request", -30), pim("decision", -10), pim("action"))
    old = case(first)["case_id"]
    assert old != case(second)["case_id"]
    assert second.explained(old)["case"]["case_id"] == case(second)["case_id"]


# --- A10 to A12: who approved ---------------------------------------------------------------------------------------------

ASKED = pim("request", -30, actor_id=AGENT, initiator_id=ANA, actor_class="ai_agent")
DONE = pim("action", actor_id=AGENT, initiator_id=ANA, actor_class="ai_agent")
STAFF = people(ana="p-ana", dan="p-dan", bo="p-bo")


@pytest.mark.parametrize(("identities", "entitlements"), [
    ([identity(AGENT, "ai_agent", owner=[{"id": DAN, "basis": "sponsor"}])], []),
    ([identity(AGENT, "ai_agent")], [{"principal_id": DAN, "grant_kind": "owner", "scope": AGENT}]),
    ([identity(AGENT, "ai_agent")], [{"principal_id": AGENT, "grant_kind": "membership", "scope": "g"},
                                     {"principal_id": DAN, "grant_kind": "owner", "scope": "g"}]),
], ids=["sponsor", "owner", "owner of its group"])
def test_A10_an_approver_with_an_interest_in_the_agent_counts_as_approved_not_as_independent(  # noqa: N802
    identities: list[Row], entitlements: list[Row]
) -> None:
    made = found(ASKED, pim("decision", -10), DONE, identities=[*STAFF, *identities], entitlements=entitlements)
    assert (case(made)["approval_verdict"], case(made)["independent"]) == ("approved_before", "interested")
    assert review(made) == {"interested_approver"}


def test_A11_an_approver_whom_the_requester_gave_rights_is_named_with_the_grant() -> None:  # noqa: N802
    target = f"entra:{TENANT}:role/approvers|dan"
    appointed = pim("action", -2000, name="appointed", key="req-0", actor_id=ANA, target_key=target,
                    effect_key=f"grant({target})")
    made = found(appointed, pim("request", -30), pim("decision", -10), pim("action"), identities=STAFF)
    told = made.decision_findings.row(by_predicate=pl.col("finding") == "approver_appointed_by_requester", named=True)
    assert (told["agent_id"], told["step_ids"]) == (DAN, ["step-appointed", "step-decision"])


def test_A12_an_approver_made_or_under_suspicion_within_the_day_is_a_finding_and_the_verdict_stays() -> None:  # noqa: N802
    user = f"entra:{TENANT}:user/dan"
    signal = {**pim("request", name="risk", key=None), "kind": "signal", "actor_id": None, "effect_key": None,
              "operation": "riskDetection:leakedCredentials", "target_key": user, "source": "entra_risk"}
    woken = pim("action", -300, name="woken", key=None, target_key=user, effect_key=f"enable({user})",
                operation="Enable account")
    case_steps = [pim("request", -30), pim("decision", -10), pim("action")]
    both = found(woken, {**signal, "time": at(-200)}, *case_steps, identities=STAFF)
    row = case(both, "e-action")
    assert row["approval_verdict"] == "approved_before"
    assert review(both, row["case_id"]) == {"new_approver", "flagged_approver"}
    day_before = found({**signal, "time": at(-1500)}, *case_steps, identities=STAFF)
    assert review(day_before, case(day_before, "e-action")["case_id"]) == set()


# --- A14 to A16: what was approved ----------------------------------------------------------------------------------------

@pytest.mark.parametrize(("approved", "done", "match", "verdict"), [
    ("|/sub/a", "|/sub/a", "exact", "approved_before"), ("|/sub/a", "|/sub/a/rg/b", "narrower", "approved_before"),
    ("|/sub/a/rg/b", "|/sub/a", "broader", "scope_exceeded"), ("|/sub/a", "", "broader", "scope_exceeded"),
    ("", "|/sub/a", "narrower", "approved_before"), ("|/sub/a", "|/sub/b", "different", "scope_exceeded"),
    ("|eligible", "", "broader", "scope_exceeded"), ("", "|eligible", "narrower", "approved_before"),
    ("|/sub/a", "|/sub/ab", "different", "scope_exceeded"),
])
def test_A14_what_ran_is_compared_with_what_was_approved_and_the_link_is_kept(  # noqa: N802
    approved: str, done: str, match: str, verdict: str
) -> None:
    made = lineage(pim("request", -30), pim("decision", -10, effect_key=f"grant({ROLE}{approved})"),
                   pim("action", effect_key=f"grant({ROLE}{done})"), identities=STAFF)
    assert (case(made)["effect_match"], case(made)["approval_verdict"]) == (match, verdict)
    assert ("action", "decision", "authorised_by", 4) in links(made)
    assert ("scope_exceeded" in review(made) if made.decision_findings.height else False) is (verdict != "approved_before")


def test_A14_a_grant_that_ends_later_than_was_approved_goes_beyond_it() -> None:  # noqa: N802
    made = lineage(pim("request", -30), pim("decision", -10, expires_at=at(60)), pim("action", expires_at=at(600)))
    assert case(made)["effect_match"] == "broader"


def test_A15_an_approval_of_an_earlier_head_is_stale() -> None:  # noqa: N802
    pull: dict[str, Any] = {"native_key_kind": "github_pull_request", "source": "github_audit", "actor_class": "human"}
    made = lineage(pim("request", -30, **pull), pim("decision", -10, decided_value="aaaaaaa1", **pull),
                   pim("action", applied_value="bbbbbbb2", **pull))
    assert (case(made)["approval_verdict"], case(made)["effect_match"]) == ("stale", "different")
    assert review(made) >= {"stale_approval"}
    same = lineage(pim("decision", -10, decided_value="AAAAAAA1", **pull), pim("action", applied_value="aaaaaaa1", **pull))
    assert case(same)["approval_verdict"] == "approved_before"


def test_A16_340_changes_under_one_ticket_are_a_batch_that_nobody_reviewed_item_by_item() -> None:  # noqa: N802
    items = [grant(f"grant-{n}", n / 60, target_key=POLICY, effect_key=f"grant({POLICY})") for n in range(340)]
    made = found(*KEYED, *items, said=[*ONE_ORGANISATION, ETL])
    rows = made.cases.filter(pl.col("anchor_event_id").str.starts_with("e-grant"))
    assert rows.height == 340
    assert rows["batch_id"].n_unique() == 1
    assert set(rows["batch_size"]) == {340}
    assert set(rows["approval_verdict"]) == {"approved_before"}
    assert set(rows["per_item_review"]) == {False}
    assert made.links.filter(pl.col("rel") == "authorised_by")["src"].n_unique() == 340
    assert "no_per_item_review" in review(made, rows["case_id"][0])


# --- A22: clocks ----------------------------------------------------------------------------------------------------------

def _two_sources(ahead: float, count: int, gap: float) -> list[Row]:
    """Activations that two logs tell, one of them with its clock ``ahead`` seconds; one approval only in that log."""
    rows = []
    for n in range(count):
        start = n * 60.0
        for source, shift in (("entra_audit", 0.0), ("entra_pim", ahead)):
            rows.append(pim("request", at(start, seconds=shift), name=f"{source}-request-{n}", key=f"req-{n}", source=source))
    rows += [pim("decision", at(count * 60, seconds=ahead - gap), name="approved", key="last", source="entra_pim"),
             pim("action", at(count * 60), name="done", key="last")]
    return rows


def test_A22_a_clock_that_runs_7_minutes_fast_is_estimated_and_the_order_judged_without_it() -> None:  # noqa: N802
    made = lineage(*_two_sources(420.0, 24, gap=60.0))
    row = made.links.row(by_predicate=(pl.col("src") == "step-done") & (pl.col("rel") == "authorised_by"), named=True)
    assert (row["clock_offset_s"], row["delta_seconds"], row["order"]) == (420.0, 360.0, "prior")
    assert case(made, "e-done")["approval_verdict"] == "approved_before"
    assert "clock_offset" in review(made, case(made, "e-done")["case_id"])


def test_A22_from_nineteen_pairs_no_clock_is_judged() -> None:  # noqa: N802
    made = lineage(*_two_sources(420.0, 19, gap=60.0))
    assert case(made, "e-done")["approval_verdict"] == "retroactive"
    assert set(made.links["clock_offset_s"]) == {0.0}


def test_A23_a_local_time_without_its_zone_orders_nothing_of_another_source() -> None:  # noqa: N802
    steps = [pim("request", -300), pim("decision", -200, source="portal", time_zone="assumed"), pim("action")]
    made = lineage(*steps)
    assert case(made)["order_verdict"] == "order_uncertain"
    assert ("time_order", "ambiguous") in made.gaps.select("element", "reason").rows()
    inside = lineage(pim("decision", -200, time_zone="assumed"), pim("action", time_zone="assumed"))
    assert case(inside)["order_verdict"] == "prior"
    assert ("time_order", "not_recorded_by_provider") in inside.gaps.select("element", "reason").rows()
    long_before = lineage(pim("decision", -1_000, source="portal", time_zone="assumed"), pim("action"))
    assert case(long_before)["order_verdict"] == "prior"


# --- A32, A33: emergencies --------------------------------------------------------------------------------------------------

EMERGENCY = ("break_glass", {"account": ANA, "review_within_hours": 24})


@pytest.mark.parametrize(("reviewed", "expected"), [
    (None, {"break_glass", "break_glass_unreviewed"}), (120, {"break_glass"}),
    (2000, {"break_glass", "break_glass_unreviewed"})], ids=["never", "in time", "too late"])
def test_A32_an_emergency_account_needs_a_review_afterwards_instead_of_an_approval(  # noqa: N802
    reviewed: float | None, expected: set[str]
) -> None:
    steps = [pim("action", 0), *([pim("decision", reviewed)] if reviewed is not None else [])]
    made = found(*steps, said=[EMERGENCY], coverage=covered())
    row = case(made)
    assert (row["approval_verdict"], row["break_glass"]) == ("not_required", True)
    assert review(made) == expected


def test_A33_a_display_name_makes_no_emergency_account() -> None:  # noqa: N802
    named = [identity(ANA, "human", display_name="break-glass 01")]
    made = found(pim("action"), said=[("break_glass", {"account": BO, "review_within_hours": 24})], identities=named,
                 coverage=covered())
    assert case(made)["break_glass"] is False
    assert case(made)["approval_verdict"] == "absent"


# --- A34 to A36, A41 --------------------------------------------------------------------------------------------------------

def test_A34_refused_then_approved_by_another_shows_both_and_says_so() -> None:  # noqa: N802
    refused = [pim("request", -400, name="first", key="req-0"),
               pim("decision", -380, name="refused", key="req-0", verdict="deny", actor_id=BO)]
    made = found(*refused, pim("request", -30), pim("decision", -10), pim("action"), identities=STAFF)
    row = case(made, "e-action")
    assert row["approval_verdict"] == "approved_before"
    told = made.decision_findings.row(by_predicate=pl.col("finding") == "approver_shopping", named=True)
    assert told["step_ids"] == ["step-refused", "step-decision"]
    same = found(*[{**r, "actor_id": DAN} if r["kind"] == "decision" else r for r in refused], pim("request", -30),
                 pim("decision", -10), pim("action"), identities=STAFF)
    assert "approver_shopping" not in set(same.decision_findings["finding"])


def test_A35_what_ran_after_its_approval_was_taken_back_is_named() -> None:  # noqa: N802
    made = lineage(pim("request", -30), pim("decision", -20), pim("decision", -10, name="back", verdict="withdraw"),
                   pim("action"))
    assert case(made)["approval_verdict"] == "denied"
    assert review(made) == {"executed_after_revocation"}


@pytest.mark.parametrize(("approvers", "verdict"), [((DAN,), "quorum_not_met"), ((DAN, BO), "approved_before"),
                                                    ((DAN, f"{DAN}-admin"), "quorum_not_met")])
def test_A36_two_must_approve_where_a_rule_says_so_and_two_accounts_of_one_person_are_one(  # noqa: N802
    approvers: tuple[str, ...], verdict: str
) -> None:
    decisions = [pim("decision", -10 - n, name=f"d{n}", actor_id=who) for n, who in enumerate(approvers)]
    rule = ("approval_rule", {"target": "*", "target_written": "*", "approvers_required": 2})
    staff = [*STAFF, identity(f"{DAN}-admin", person_id="p-dan")]
    made = found(pim("request", -30), *decisions, pim("action"), said=[rule], identities=staff)
    assert case(made)["approval_verdict"] == verdict
    assert ("quorum_not_met" in set(made.decision_findings["finding"])) is (verdict == "quorum_not_met")


def test_A36_without_a_rule_one_approver_is_enough() -> None:  # noqa: N802
    assert case(lineage(pim("request", -30), pim("decision", -10), pim("action")))["approval_verdict"] == "approved_before"


def test_A41_advice_that_was_dismissed_and_done_all_the_same_is_linked_and_named() -> None:  # noqa: N802
    advice = {"native_key_kind": "gcp_recommendation", "native_key": "rec-1", "source": "gcp_recommender",
              "tenant": ACCOUNT}
    made = lineage(
        step("advice", -60, kind="recommendation", origin="rule", actor_class="automation", **advice),
        step("dismissed", -50, kind="decision", verdict="deny", actor_class="human", actor_id=DAN, effect_key=None,
             target_key=None, **advice),
        step("done", 0, actor_class="human", actor_id=BO))
    row = case(made, "e-done")
    assert row["advice_verdict"] == "rejected"
    assert ("done", "advice", "informed_by", 1) in links(made)
    assert "against_recommendation" in review(made, row["case_id"])
    assert row["approval_verdict"] == "unknown"


@pytest.mark.parametrize("length", [2, 3, 1_000])
def test_A43_tickets_that_name_each_other_in_a_circle_are_told_and_the_explanation_ends(length: int) -> None:  # noqa: N802
    tickets = [ticket("request", n / 60, key=f"CHG{n}", stated_keys=[f"ticket:CHG{(n + 1) % length}"]) for n in range(length)]
    made = found(*tickets, said=ONE_ORGANISATION)
    assert made.decision_findings["finding"].to_list() == ["cyclic_claims"] * length
    assert set(made.link_rejects["reason"]) == {"cyclic"}
    assert str(made.explain(made.cases["case_id"][0])).isascii()


def test_A43_tickets_that_name_a_parent_are_no_circle() -> None:  # noqa: N802
    made = found(ticket("request", 0, key="CHG1", stated_keys=["ticket:CHG2"]), ticket("request", 1, key="CHG2"),
                 said=ONE_ORGANISATION)
    assert made.decision_findings.height == 0


def test_A38_a_change_made_undone_and_made_again_is_named_in_each_of_its_cases() -> None:  # noqa: N802
    back = {"operation": "iam:DetachRolePolicy", "effect_key": f"revoke({POLICY})"}
    made = lineage(step("on", 0), step("off", 10, **back), step("again", 20), step("out", 30, **back), step("last", 40))
    told = made.decision_findings.filter(pl.col("finding") == "flapping")
    assert told["case_id"].n_unique() == 5
    assert told["reading"].unique().to_list() == ["made 3 times and undone 2 times; it stands in the end"]


# --- all of them ------------------------------------------------------------------------------------------------------------

def test_declared_lists_in_any_order_give_the_same_lineage() -> None:
    said: list[tuple[str, dict[str, Any]]] = [*ONE_ORGANISATION, ETL, EMERGENCY]
    orders = itertools.islice(itertools.permutations(said), 0, 60, 11)
    told = [found(*KEYED, grant(), pim("action"), said=order) for order in orders]
    for name in ("cases", "links", "decision_findings", "gaps"):
        assert all(getattr(told[0], name).equals(getattr(other, name)) for other in told[1:]), name


def test_every_awkward_case_of_the_design_has_a_test_of_its_name() -> None:
    names = {name for path in Path(__file__).parent.glob("test_*.py")
             for name in re.findall(r"^def test_(A\d\d(?:_A\d\d)*)", path.read_text(encoding="utf-8"), re.MULTILINE)}
    told = {number for name in names for number in name.split("_")}
    assert {f"A{number:02}" for number in range(1, 49)} - told == set()
