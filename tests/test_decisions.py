"""Cases, verdicts, links, elements and gaps on hand-sized decisions."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from lineage_analytics import tables
from lineage_analytics.graphs.decisions import decision_lineage, from_frames
from lineage_analytics.workspace import Store, load, open_estate
from tests._decisions import (
    ACCOUNT,
    ANA,
    BO,
    BOT,
    DAN,
    POLICY,
    ROLE,
    TENANT,
    at,
    case,
    covered,
    facts,
    gaps,
    identity,
    lineage,
    links,
    people,
    pim,
    states,
    step,
)

if TYPE_CHECKING:
    from pathlib import Path

REQUEST, DECISION, ACTION = pim("request", -30), pim("decision", -10), pim("action")
MAPPED = people(ana="p-ana", dan="p-dan")
FRAMES = ("cases", "steps", "links", "link_rejects", "decision_findings", "gaps", "elements")


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
    authorised = found.links.row(by_predicate=pl.col("rel") == "authorised_by", named=True)
    assert (authorised["delta_seconds"], authorised["skew_band_s"], authorised["confidence"]) == (-600.0, 2.0, 0.95)


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
    steps = [REQUEST, DECISION, ACTION]
    found = lineage(*steps, identities=MAPPED)
    kept = from_frames(facts(steps, MAPPED), {name: getattr(found, name) for name in FRAMES})
    assert kept.explain("e-action") == found.explain("e-action")


def test_a_change_in_aws_is_a_case_whose_approval_source_is_not_collected_never_absent() -> None:
    found = lineage(step("x"), coverage=covered("aws_cloudtrail", ACCOUNT))
    made = case(found)
    assert (made["approval_verdict"], made["independent"], made["approver_id"]) == ("unknown", "unknown", None)
    assert gaps(found)["decision"] == "not_collected"
    assert states(found)["approver"][0] == "unknown"


def test_a_direct_role_change_outside_pim_may_be_approved_in_a_ticket_that_is_not_loaded() -> None:
    found = lineage(pim("action", key=None, operation="Add member to role"), coverage=covered())
    assert gaps(found) == {"decision": "not_collected", "approver_identity": "not_collected"}
    assert found.gaps["expected_source"].to_list() == ["a ticket or change system"] * 2


def test_a_directory_record_that_repeats_the_service_is_a_record_of_its_step_not_a_second_grant() -> None:
    mirror = pim("action", name="mirror", native_key_kind="pim_mirror", key="c-1", correlation_id="c-1",
                 operation="Add member to role")
    mirror["native_key_kind"] = "pim_mirror"
    found = lineage({**ACTION, "correlation_id": "c-1"}, mirror)
    assert case(found)["anchor_event_id"] == "e-action"
    assert found.steps["record_ids"].to_list() == [["rec-action", "rec-mirror"]]
    assert found.explained("e-mirror")["case"]["case_id"] == case(found)["case_id"]
    alone = lineage(mirror)
    assert (alone.cases.height, case(alone)["executed"]) == (1, True)


# --- absent needs coverage ----------------------------------------------------------------------------------------------

ASKED = pim("request", at(days=-3))


@pytest.mark.parametrize(("coverage", "verdict", "reason", "state"), [
    ([], "unknown", "not_collected", "unknown"),
    (covered(), "absent", "absent", "missing"),
    (covered(tenant="another"), "unknown", "not_collected", "unknown"),
    (covered("m365_audit"), "unknown", "not_collected", "unknown"),
    ([{**row, "basis": "expected"} for row in covered()], "unknown", "not_collected", "unknown"),
    (covered(first=date(2026, 6, 8)), "unknown", "outside_coverage", "unknown"),
    (covered(without=[date(2026, 6, 9)]), "unknown", "outside_coverage", "unknown"),
    (covered(last=date(2026, 6, 9)), "unknown", "outside_coverage", "unknown"),
    (covered(without=[date(2026, 6, 1), date(2026, 6, 20)]), "absent", "absent", "missing"),
], ids=["none", "whole", "tenant", "source", "expected", "late", "hole", "stopped", "hole-elsewhere"])
def test_an_approval_is_absent_only_where_its_source_covers_the_whole_chain(
    coverage: list[dict[str, Any]], verdict: str, reason: str, state: str
) -> None:
    found = lineage(ASKED, ACTION, coverage=coverage)
    assert case(found)["approval_verdict"] == verdict
    assert gaps(found)["decision"] == reason
    assert states(found)["approver"][0] == state


def test_without_a_request_on_record_the_day_before_must_be_covered_too() -> None:
    for first, verdict in ((date(2026, 6, 10), "unknown"), (date(2026, 6, 9), "absent")):
        assert case(lineage(ACTION, coverage=covered(first=first)))["approval_verdict"] == verdict


def test_an_approval_that_may_still_arrive_is_pending_and_says_until_when() -> None:
    early = at(hours=1)
    coverage = covered(last=date(2026, 6, 10), lateness=7_200)
    found = lineage(REQUEST, ACTION, coverage=coverage, as_of=early)
    assert gaps(found)["decision"] == "pending"
    assert states(found)["approver"][0] == "pending"
    assert found.gaps["expected_by"].to_list() == [at(hours=2)] * 2  # the decision, and who took it
    later = lineage(REQUEST, ACTION, coverage=coverage, as_of=at(hours=3))
    assert gaps(later)["decision"] == "absent"


def test_what_came_after_the_moment_of_the_report_is_not_known_to_it() -> None:
    late = pim("decision", 60)
    found = lineage(REQUEST, ACTION, late, as_of=at(30))
    assert found.steps.height == 2
    assert case(lineage(REQUEST, ACTION, late))["approval_verdict"] == "retroactive"


# --- who answers --------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize(("fields", "identities", "accountable", "rule"), [
    ({"actor_id": ANA, "actor_class": "human"}, [], ANA, "by_initiation"),
    ({"on_behalf_of_id": ANA}, [identity(ANA)], ANA, "by_initiation"),
    ({"actor_id": BOT, "actor_class": "workload"}, [identity(BOT, "workload", owner=[{"id": BO, "basis": "tag"}])], BO,
     "by_automation_owner"),
    ({"actor_id": BOT, "actor_class": "workload"}, [identity(BOT, "ai_agent", owner=[{"id": BO, "basis": "tag"}])], BO,
     "by_sponsorship"),
    ({"actor_id": BOT, "actor_class": "workload"}, [], None, "none"),
    ({"actor_id": None}, [], None, "none"),
], ids=["caller", "session", "owner", "sponsor", "software", "nobody"])
def test_the_accountable_human_and_the_rule_that_found_them(
    fields: dict[str, Any], identities: list[dict[str, Any]], accountable: str | None, rule: str
) -> None:
    made = case(lineage(step("x", **fields), identities=identities))
    assert (made["accountable_id"], made["accountable_rule"]) == (accountable, rule)


@pytest.mark.parametrize(("fields", "initiator", "state", "said"), [
    ({"actor_id": ANA, "actor_class": "human"}, ANA, "proved", "a person made the call"),
    ({"on_behalf_of_id": ANA, "actor_class": "workload"}, ANA, "proved", "the session names the person it was for"),
    ({"actor_class": "workload"}, None, "unknown", "not_collected: software made the call; who set it off is in no loaded source"),
    ({"actor_class": "ai_agent"}, None, "unknown",
     "not_collected: an assistant's account made the call; who set it off is in no loaded source"),
    ({}, None, "unknown", "not_collected: a caller of unknown kind made the call; who set it off is in no loaded source"),
    ({"actor_id": None}, None, "unknown", "not_recorded_by_provider: the record names no caller"),
], ids=["person", "session", "software", "assistant", "unknown", "nobody"])
def test_who_asked_is_a_person_on_record_or_unknown(
    fields: dict[str, Any], initiator: str | None, state: str, said: str
) -> None:
    found = lineage(step("x", **fields))
    assert case(found)["initiator_id"] == initiator
    assert states(found)["initiator"] == (state, said)


# --- what part AI had ----------------------------------------------------------------------------------------------------

AGENT = [identity(ANA), identity(DAN), identity(BOT, "ai_agent")]
BY_AGENT = pim("action", actor_id=BOT, actor_class="workload", initiator_id=None)


@pytest.mark.parametrize(("steps", "coverage", "name", "bounds"), [
    ([REQUEST, DECISION, BY_AGENT], [], "executes_approved", None),
    ([REQUEST, BY_AGENT], covered(), "executes_autonomous", None),
    ([REQUEST, BY_AGENT], [], "unknown", "executes_approved or executes_autonomous"),
    ([REQUEST, pim("decision", 10), BY_AGENT], [], "executes_autonomous", None),
    ([REQUEST, pim("decision", at(seconds=-1)), BY_AGENT], [], "unknown", "executes_approved or executes_autonomous"),
    ([REQUEST, pim("decision", -10, actor_id=ANA), BY_AGENT], [], "executes_autonomous", None),
    ([REQUEST, pim("decision", -10, verdict="deny"), BY_AGENT], [], "executes_autonomous", None),
    ([pim("request", -30, actor_id=BOT, actor_class="workload", initiator_id=BOT), DECISION, ACTION], [], "drafts",
     None),
    ([REQUEST, DECISION, ACTION], [], "none", None),
    ([pim("action", actor_id=None, actor_class="unknown", initiator_id=None)], [], "unknown",
     "none, or any: nothing shows whether a person, software or AI acted"),
], ids=["approved", "autonomous", "unseen", "after", "order", "self", "denied", "asks", "people", "nobody"])
def test_the_part_of_a_declared_agent_follows_the_approval(
    steps: list[dict[str, Any]], coverage: list[dict[str, Any]], name: str, bounds: str | None
) -> None:
    made = case(lineage(*steps, identities=AGENT, coverage=coverage))
    assert (made["involvement_class"], made["involvement_bounds"]) == (name, bounds)


def test_a_call_through_amazon_q_is_an_assistants_whoever_signed_in() -> None:
    found = lineage(step("q", actor_id=ANA, actor_class="human", on_behalf_of_id=ANA, authority_mode="obo_user",
                         via_assistant_id="aws::q.amazonaws.com"))
    made = case(found)
    assert (made["involvement_class"], made["involvement_bounds"]) == (
        "unknown", "executes_approved or executes_autonomous")
    assert (made["accountable_id"], made["accountable_rule"]) == (ANA, "by_initiation")
    assert found.steps["authority_mode"].to_list() == ["obo_user"]


@pytest.mark.parametrize("kind", ["ai_agent", "ai_assistant"])
def test_a_declared_agent_outranks_software_and_unknown_but_not_a_person(kind: str) -> None:
    known = [identity(BOT, kind)]
    classes = {stated: lineage(step("x", actor_id=BOT, actor_class=stated), identities=known).steps["agent_class"][0]
               for stated in ("workload", "automation", "unknown", "human")}
    ai = {"ai_agent": "ai_agent", "ai_assistant": "ai_instance"}[kind]
    assert classes == {"workload": ai, "automation": ai, "unknown": ai, "human": "human"}


def test_an_assistants_inputs_and_advice_are_unknown_never_missing_and_not_required_of_people() -> None:
    found = lineage(REQUEST, DECISION, BY_AGENT, identities=AGENT)
    for element in ("inputs", "recommendation"):
        assert states(found)[element][0] == "unknown"
        assert states(lineage(REQUEST, DECISION, ACTION))[element][0] == "not_required"
    assert gaps(found) == {"data_inputs": "not_collected", "recommendation": "not_collected", "signal": "not_collected",
                           "outcome": "not_collected", "rationale": "not_recorded_by_provider"}


def _talk(name: str, minutes: float, thread: str = "19:abc@thread.v2", tenant: str = TENANT) -> dict[str, Any]:
    return {"time": at(minutes), "user_id": ANA, "thread_id": thread, "event_id": f"e-{name}", "tenant": tenant,
            "record_id": f"rec-{name}", "provider": "m365", "source": "m365_audit", "assistant_id": "m365:copilot"}


def test_a_conversation_quoted_in_a_request_is_inferred_at_tier_2() -> None:
    quoting = pim("request", -30, quoted_keys=["19:abc@thread.v2"])
    talks = [_talk("early", -90), _talk("last", -45), _talk("after", -20), _talk("foreign", -40, tenant="t-2")]
    found = lineage(quoting, DECISION, BY_AGENT, identities=AGENT, access=[*talks, talks[1]])
    assert states(found)["inputs"][0] == states(found)["recommendation"][0] == "inferred"
    quoted = found.links.filter(pl.col("rel") == "informed_by")
    assert quoted.select("method", "tier").rows() == [("quoted_key", 2)]
    assert found.steps.filter(pl.col("kind") == "data_access")["record_ids"].to_list() == [["rec-last"]]
    assert case(found)["weakest_tier"] == 4


def test_a_conversation_that_began_after_the_text_was_written_is_no_input_of_it() -> None:
    quoting = pim("request", -30, quoted_keys=["19:abc@thread.v2"])
    found = lineage(quoting, DECISION, BY_AGENT, identities=AGENT, access=[_talk("after", -20)])
    assert states(found)["inputs"][0] == "unknown"
    assert found.link_rejects.select("rel", "reason").rows() == [("informed_by", "outside_window")]


# --- the way back ----------------------------------------------------------------------------------------------------------

TRUST = f"aws:{ACCOUNT}:role/etl|trust"
INLINE = f"aws:{ACCOUNT}:role/etl|inline/p"
ETL = f"aws:{ACCOUNT}:role/etl"
BORN = step("born", -60, operation="iam:CreateRole", target_key=ETL, effect_key=f"create({ETL})")


def _trust(name: str, minutes: float = 0.0, **fields: Any) -> dict[str, Any]:
    return step(name, minutes, operation="iam:UpdateAssumeRolePolicy", target_key=TRUST, effect_key=f"set({TRUST})",
                **{"after_state": name, **fields})


def _inline(name: str, minutes: float, value: str | None = "v") -> dict[str, Any]:
    verb, operation = ("set", "iam:PutRolePolicy") if value else ("delete", "iam:DeleteRolePolicy")
    return step(name, minutes, operation=operation, target_key=INLINE, effect_key=f"{verb}({INLINE})", after_state=value)


@pytest.mark.parametrize(("steps", "state", "said"), [
    ([step("x")], "proved", "iam:DetachRolePolicy on the recorded target takes it back"),
    ([step("x", target_key=None)], "unknown", "not_recorded_by_provider: the record does not name the target"),
    ([_trust("x")], "unknown", "outside_coverage: what stood before this value is older than the log"),
    ([_trust("x", before_state="was")], "proved", "the value that stood before is on record"),
    ([_trust("earlier", -10), _trust("x")], "proved", "the value that stood before is on record"),
    ([BORN, _trust("x")], "missing", "it overwrites, and no earlier value is on record since the target was made"),
    ([BORN, _inline("x", 0)], "missing", "it overwrites, and no earlier value is on record since the target was made"),
    ([_inline("gone", -10, value=None), _inline("x", 0)], "proved",
     "no value stood before; iam:DeleteRolePolicy takes it back"),
    ([step("x", operation="iam:DeleteAccessKey")], "missing",
     "cannot be undone in full, and no second approver is on record"),
    ([step("x", operation="lambda:AddPermission20150331v2")], "unknown",
     "not_recorded_by_provider: the inverse table does not know the operation"),
    ([pim("action", name="x", key=None, operation="Add member to role completed", expires_at=at(60))], "proved",
     "the grant ends by itself at a recorded time"),
    ([pim("attempt", name="x", status="failed")], "not_required", "nothing was executed"),
], ids=["pair", "target", "older", "before", "set", "born", "inline", "first", "final", "hearsay", "ends", "attempt"])
def test_the_way_back_is_on_record_missing_or_unknown(steps: list[dict[str, Any]], state: str, said: str) -> None:
    found = lineage(*steps)
    assert states(found, case(found, "e-x")["case_id"])["rollback"] == (state, said)


def test_a_change_that_was_rolled_back_names_the_record_that_did() -> None:
    found = lineage(step("x"), step("back", 10, operation="iam:DetachRolePolicy", effect_key=f"revoke({POLICY})"))
    case_id = case(found, "e-x")["case_id"]
    assert states(found, case_id)["rollback"] == ("proved", "rolled back by iam:DetachRolePolicy")
    row = found.elements.row(by_predicate=(pl.col("case_id") == case_id) & (pl.col("element") == "rollback"), named=True)
    assert row["record_ids"] == ["rec-back"]


def test_a_change_whose_success_is_not_stated_is_not_proved_to_have_happened() -> None:
    found = lineage(step("x", status="unknown"))
    assert states(found)["action"] == ("unknown", "not_recorded_by_provider: the record does not say whether it took effect")


# --- what never ran ----------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize(("steps", "status", "verdict"), [
    ([REQUEST], "pending", "unknown"),
    ([REQUEST, DECISION], "pending", "unknown"),
    ([REQUEST, pim("decision", -10, verdict="deny")], "denied", "denied"),
    ([REQUEST, pim("decision", -10, actor_id=ANA, verdict="withdraw")], "denied", "denied"),
    ([REQUEST, pim("expiry", 60, operation="PIM activation request expired", effect_key=f"request({ROLE})")], "expired", "unknown"),
    ([pim("attempt", status="failed")], "attempted", "unknown"),
], ids=["asked", "approved", "denied", "withdrawn", "lapsed", "failed"])
def test_a_request_that_led_to_nothing_has_its_status_and_needs_no_action(
    steps: list[dict[str, Any]], status: str, verdict: str
) -> None:
    found = lineage(*steps)
    made = case(found)
    assert (made["status"], made["executed"], made["approval_verdict"]) == (status, False, verdict)
    assert states(found)["action"][0] == states(found)["rollback"][0] == "not_required"
    assert "missing" not in {state for state, _ in states(found).values()}


# --- pace ---------------------------------------------------------------------------------------------------------------------

def test_approval_timing_takes_approvals_by_people_that_were_given() -> None:
    found = lineage(
        REQUEST, DECISION, ACTION,
        pim("request", 0, name="r2", key="req-2"), pim("decision", 5, name="d2", key="req-2", status="failed"),
        pim("decision", 6, name="d3", key="req-2", actor_class="automation"),
        pim("decision", 7, name="d4", key="req-2", verdict="deny"), pim("decision", 8, name="d5", key="req-3"))
    timing = found.approval_timing()
    assert timing.select("time", "dwell_seconds", "approver").rows() == [(at(-10), 1200.0, DAN), (at(8), None, DAN)]
    assert timing["ai"].to_list() == [False, False]


# --- real logs -------------------------------------------------------------------------------------------------------------------

PAIRS = {  # what the capture's own tear-down took back, by the operation it undid
    "iam:CreateRole": 13, "iam:AttachRolePolicy": 5, "iam:CreateUser": 4, "iam:PutRolePolicy": 4,
    "iam:AddRoleToInstanceProfile": 3, "iam:CreateInstanceProfile": 3, "iam:CreateAccessKey": 2,
    "iam:CreateLoginProfile": 2, "iam:CreatePolicy": 2, "iam:AttachUserPolicy": 1, "s3:PutBucketPolicy": 1,
    "rolesanywhere:CreateTrustAnchor": 1, "rolesanywhere:CreateProfile": 1,
}


@pytest.mark.usefixtures("shared_data")
class TestRealCapture:
    """The invictus capture: an attack simulation that makes its roles and users and removes them."""

    @pytest.fixture(scope="class")
    def found(self, shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
        workspace = tmp_path_factory.mktemp("invictus")
        load([shared_data / "aws_cloudtrail" / "invictus-ir_aws_dataset"], Store.create(workspace))
        return decision_lineage(open_estate(workspace))

    def test_every_identity_change_is_a_step_of_one_case(self, found: Any) -> None:
        assert found.steps["kind"].value_counts(sort=True).rows() == [("action", 70), ("rollback", 42), ("attempt", 12)]
        assert found.steps["step_id"].n_unique() == found.steps.height == 124
        assert found.cases.height == 120  # four failed tries of deleting a login profile or starting a trail join success
        assert found.cases["case_id"].n_unique() == 120

    def test_what_was_made_and_deleted_is_rolled_back(self, found: Any) -> None:
        undone = found.cases.filter(pl.col("status") == "rolled_back")
        assert dict(undone["operation"].value_counts().iter_rows()) == PAIRS
        links = found.links.filter(pl.col("rel") == "rolls_back").join(
            found.steps.select("step_id", "operation"), left_on="dst", right_on="step_id")
        assert links.filter(pl.col("tier") == 4).height == sum(PAIRS.values())
        # The records of a function's permission do not say which statement: likely taken back, not proved.
        assert links.filter(pl.col("tier") < 4)["operation"].to_list() == ["lambda:AddPermission20150331v2"]

    def test_every_deletion_of_a_role_or_user_takes_a_creation_back(self, found: Any) -> None:
        gone = found.cases.filter(pl.col("operation").is_in(["iam:DeleteRole", "iam:DeleteUser"]) & pl.col("executed"))
        assert (gone.height, gone["rolls_back"].null_count()) == (17, 0)

    def test_a_revoked_ipv4_rule_is_not_taken_back_by_a_grant_of_ipv4_and_ipv6(self, found: Any) -> None:
        egress = found.cases.filter(pl.col("operation").str.contains("Egress") & pl.col("executed"))
        assert egress["status"].to_list() == ["executed", "executed"]

    def test_no_approval_is_counted_and_every_gap_says_its_source_is_not_collected(self, found: Any) -> None:
        assert found.cases["approval_verdict"].unique().to_list() == ["unknown"]
        assert found.cases["approver_id"].null_count() == 120
        decision = found.gaps.filter(pl.col("element") == "decision")
        assert decision["reason"].value_counts().rows() == [("not_collected", 120)]
        assert found.elements.filter(pl.col("element") == "approver")["state"].unique().to_list() == ["unknown"]

    def test_every_case_is_explained_in_printable_ascii(self, found: Any) -> None:
        for event in found.cases["anchor_event_id"]:
            text = found.explain(event)
            assert all(line.isascii() and line.isprintable() for line in text.split("\n"))
            assert "not_collected" in text
            assert ".json" in text
