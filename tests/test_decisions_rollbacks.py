"""What was taken back, how far, by whom, and what only looks like it (decision-lineage 9)."""

from __future__ import annotations

import json
import time
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineage_analytics.graphs.decisions import decision_lineage
from lineage_analytics.graphs.decisions.rollbacks import Pairs, undone
from lineage_analytics.graphs.decisions.steps import steps
from lineage_analytics.graphs.decisions.taken import Rollbacks, batches_back, flapping, taken_back
from lineage_analytics.workspace import Store, load, open_estate
from tests._decisions import ACCOUNT, AS_OF, BOT, POLICY, TENANT, at, case, facts, lineage, pairs, pim, states, step

if TYPE_CHECKING:
    from pathlib import Path

    from lineage_analytics.graphs.decisions import DecisionLineage

Row = dict[str, Any]
GROUP = f"entra:{TENANT}:group/g-1|ana"
ROLE = f"aws:{ACCOUNT}:role/etl"
REMOVED: Row = {"operation": "iam:DetachRolePolicy", "effect_key": f"revoke({POLICY})"}


def walked(*rows: Row) -> Pairs:
    return undone(steps(facts(rows), {}))


def entra(name: str, when: datetime | float, operation: str, target: str, verb: str = "grant", **more: Any) -> Row:
    return step(name, when, **{"operation": operation, "target_key": target, "effect_key": f"{verb}({target})",
                               "tenant": TENANT, "provider": "entra", "source": "entra_audit", **more})


def added(name: str, when: float = 0.0, **more: Any) -> Row:
    return entra(name, when, "Add member to group", GROUP, **more)


def removed(name: str, when: float = 10.0, **more: Any) -> Row:
    return entra(name, when, "Remove member from group", GROUP, "revoke", **more)


def reviewed(name: str, when: float = 10.0, **more: Any) -> Row:
    """The access review's own record of what it took away."""
    return entra(name, when, "accessReviewDecision", GROUP, "revoke", source="entra_access_reviews", **more)


def rejected(found: DecisionLineage) -> set[tuple[str, str, str]]:
    """Source, first candidate and reason of what was considered as a rollback and is none."""
    rows = found.link_rejects.filter(pl.col("rel") == "rolls_back")
    return set(rows.select(pl.col("src").str.strip_prefix("step-"), pl.col("candidates").list.first().str.strip_prefix(
        "step-"), "reason").iter_rows())


def back(found: DecisionLineage, event: str) -> tuple[str | None, float | None, str]:
    made = case(found, event)
    return made["rollback_kind"], made["rollback_share"], made["status"]


# --- the cases of section 15 -------------------------------------------------------------------------------------------

def test_A38_applied_undone_and_applied_again_is_flapping_and_the_last_one_stands() -> None:  # noqa: N802
    rows = [step("a1"), step("d1", 5, **REMOVED), step("a2", 10), step("d2", 15, **REMOVED), step("a3", 20)]
    found = walked(*rows)
    assert {(p.undoing.id, p.undone.id) for p in found.made} == {("step-d1", "step-a1"), ("step-d2", "step-a2")}
    run = flapping(found)
    assert [one.steps for one in run] == [("step-a1", "step-d1", "step-a2", "step-d2", "step-a3")]
    assert (run[0].applied, run[0].undone, run[0].standing) == (3, 2, True)
    gone = flapping(walked(*rows, step("d3", 25, **REMOVED)))
    assert [(one.steps[-1], one.applied, one.undone, one.standing) for one in gone] == [("step-d3", 3, 3, False)]


def test_A38_done_once_more_beside_what_stands_is_no_part_of_the_run() -> None:  # noqa: N802
    found = flapping(walked(step("a1"), step("d1", 5, **REMOVED), step("a2", 10), step("a3", 15)))
    assert [one.steps for one in found] == [("step-a1", "step-d1", "step-a2")]


def test_A38_no_flapping_where_it_was_not_done_again_or_much_later_or_is_a_role_for_a_time() -> None:  # noqa: N802
    assert flapping(walked(step("a1"), step("d1", 5, **REMOVED))) == []
    later = (step("a1", -20_000), step("d1", -19_000, **REMOVED), step("a2"))
    assert flapping(walked(*later)) == []
    assert len(flapping(walked(*later), timedelta(days=30))) == 1
    used = (pim("action", key="r1", name="a1"), pim("rollback", 30, key="r2", name="d1"),
            pim("action", 60, key="r3", name="a2"))
    assert flapping(walked(*used)) == []


def test_A38_a_value_set_back_and_set_again_is_flapping_and_another_value_is_not() -> None:  # noqa: N802
    def trust(name: str, minutes: float, value: str) -> Row:
        target = f"{ROLE}|trust"
        return step(name, minutes, operation="iam:UpdateAssumeRolePolicy", target_key=target,
                    effect_key=f"set({target})", after_state=value)
    rows = [trust("v1", 0, "1"), trust("v2", 5, "2"), trust("back", 10, "1")]
    assert [one.steps for one in flapping(walked(*rows, trust("again", 15, "2")))] == [
        ("step-v2", "step-back", "step-again")]
    assert flapping(walked(*rows, trust("other", 15, "3"))) == []


def test_A38_made_deleted_and_made_again_is_flapping_though_it_is_another_thing() -> None:  # noqa: N802
    found = walked(thing("u1", 0, "iam:CreateUser", "create"), thing("d1", 5, "iam:DeleteUser", "delete"),
                   thing("u2", 10, "iam:CreateUser", "create"))
    assert [one.steps for one in flapping(found)] == [("step-u1", "step-d1", "step-u2")]


@pytest.mark.parametrize("elsewhere", [
    {"target_key": POLICY.replace("role/etl", "role/etl-2"), "effect_key": "revoke"},
    {"target_key": POLICY.replace(ACCOUNT, "444455556666"), "tenant": "444455556666"},
    {"tenant": "444455556666"}, {"tenant": None}, {"provider": "gcp"},
    {"target_key": POLICY.replace("Read", "Read2")},
], ids=["thing", "account", "tenant", "no_tenant", "provider", "parameter"])
def test_A39_the_inverse_on_another_thing_of_the_same_name_is_no_rollback(elsewhere: Row) -> None:  # noqa: N802
    assert walked(step("a"), step("d", 5, **{**REMOVED, **elsewhere})).made == []


def test_A39_a_binding_made_anew_under_its_name_is_another_one() -> None:  # noqa: N802
    name = "k8s:c1:rolebindings/ns/admin"

    def binding(step_name: str, minutes: float, word: str, **more: Any) -> Row:
        return step(step_name, minutes, **{
            "operation": f"k8s:{word}:rbac.authorization.k8s.io/rolebindings", "target_key": name, "tenant": "c1",
            "effect_key": f"{word}({name})", "provider": "k8s", "source": "k8s_audit", **more})
    found = walked(binding("old", 0, "create"), binding("new", 10, "create"), binding("gone", 20, "delete"))
    assert {(p.undoing.id, p.undone.id) for p in found.made} == {("step-gone", "step-new")}


def test_A40_of_a_batch_of_340_changes_320_taken_back_are_partial_320_of_340() -> None:  # noqa: N802
    def target(n: int) -> str:
        return f"entra:{TENANT}:role/reader|u{n}"
    made = [pim("action", n / 60, name=f"a{n}", target_key=target(n), effect_key=f"grant({target(n)})",
                operation="Add member to role in PIM completed (permanent)") for n in range(340)]
    gone = [pim("rollback", 600 + n / 60, name=f"r{n}", key="req-2", target_key=target(n),
                effect_key=f"revoke({target(n)})", operation="Remove member from role in PIM completed (permanent)")
            for n in range(320)]
    found = lineage(*made, *gone)
    assert len(pairs(found)) == 320
    batch = case(found, "e-a0")["batch_id"]
    assert batch is not None
    row = batches_back(found.cases).filter(pl.col("batch_id") == batch).row(0, named=True)
    assert (row["back"], row["of"], row["partly"], row["kind"]) == (320, 340, 0, "partial")
    assert row["share"] == pytest.approx(320 / 340)
    assert batches_back(lineage(*made).cases).select("back", "share", "kind").rows() == [(0, 0.0, None)]
    all_back = [*made, *gone, *({**gone[0], "target_key": target(n), "effect_key": f"revoke({target(n)})",
                                 "step_id": f"step-r{n}", "record_id": f"rec-r{n}", "event_id": f"e-r{n}"}
                                for n in range(320, 340))]
    whole = batches_back(lineage(*all_back).cases).filter(pl.col("batch_id") == batch)
    assert whole.select("back", "of", "kind").rows() == [(340, 340, "exact_inverse")]


# --- a part of a set -----------------------------------------------------------------------------------------------------

def scopes(name: str, when: float, *held: str, take: bool = False, client: str = "app-1", **more: Any) -> Row:
    word, verb = ("Remove", "revoke") if take else ("Add", "grant")
    target = f"entra:{TENANT}:delegated_grant/{client}|graph|{'+'.join(held)}"
    return entra(name, when, f"{word} delegated permission grant", target, verb, **more)


def test_one_of_two_scopes_taken_back_is_half_of_the_change() -> None:
    found = lineage(scopes("a", 0, "Mail.Read", "Files.Read"), scopes("r", 10, "Mail.Read", take=True))
    assert pairs(found) == {("r", "a")}
    assert found.links["rule_id"].to_list() == ["partial"]
    assert back(found, "e-a") == ("partial", 0.5, "executed")
    assert case(found, "e-a")["rolled_back_by"] == case(found, "e-r")["case_id"]
    assert case(found, "e-r")["rolls_back"] == case(found, "e-a")["case_id"]
    assert "in part (50%)" in states(found, case(found, "e-a")["case_id"])["rollback"][1]


def test_the_rest_taken_back_later_makes_the_change_taken_back_in_full_by_the_last() -> None:
    found = lineage(scopes("a", 0, "Mail.Read", "Files.Read"), scopes("r1", 10, "Mail.Read", take=True),
                    scopes("r2", 20, "Files.Read", take=True))
    assert pairs(found) == {("r1", "a"), ("r2", "a")}
    assert back(found, "e-a") == ("exact_inverse", 1.0, "rolled_back")
    assert (case(found, "e-a")["rolled_back_by"], case(found, "e-a")["rolled_back_at"]) == (
        case(found, "e-r2")["case_id"], at(20))


def test_one_removal_may_take_back_several_changes_and_more_than_they_gave() -> None:
    found = lineage(scopes("a1", 0, "Mail.Read"), scopes("a2", 5, "Files.Read", "Sites.Read"),
                    scopes("r", 10, "Files.Read", "Mail.Read", "User.Read", take=True))
    assert pairs(found) == {("r", "a1"), ("r", "a2")}
    assert (back(found, "e-a1"), back(found, "e-a2")) == (("exact_inverse", 1.0, "rolled_back"),
                                                          ("partial", 0.5, "executed"))
    assert case(found, "e-r")["rolls_back"] == case(found, "e-a2")["case_id"]  # the newest of them


def test_a_scope_given_twice_is_taken_from_the_newer_change_first() -> None:
    found = walked(scopes("a1", 0, "x", "y"), scopes("a2", 5, "x"), scopes("r", 10, "x", take=True))
    assert {(p.undone.id, p.kind, p.members) for p in found.made} == {("step-a2", "exact_inverse", ("x",))}


def test_scopes_of_another_client_are_no_part() -> None:
    assert walked(scopes("a", 0, "x", "y"), scopes("r", 10, "x", take=True, client="app-2")).made == []


def test_a_sign_within_an_address_does_not_part_it() -> None:
    def members(name: str, when: float, operation: str, verb: str, who: str) -> Row:
        target = f"m365:{TENANT}:team/t-1|{who}"
        return step(name, when, operation=f"m365:{operation}", target_key=target, effect_key=f"{verb}({target})",
                    tenant=TENANT, provider="m365", source="m365_audit")
    found = walked(members("a", 0, "MemberAdded", "grant", "ana+home@x.example+bo@x.example"),
                   members("r", 5, "MemberRemoved", "revoke", "ana+home@x.example"))
    assert [(p.members, p.kind) for p in found.made] == [(("ana+home@x.example",), "partial")]
    assert found.size["step-a"] == 2


def consent(name: str = "c", when: float = 0.0, client: str = "app-1", **more: Any) -> Row:
    return entra(name, when, "Consent to application", f"entra:{TENANT}:consent/{client}",
                 **{"correlation_id": "corr-1", **more})


def role_to(name: str, when: float, role: str, verb: str = "grant", client: str = "app-1", **more: Any) -> Row:
    word = "Add app role assignment to" if verb == "grant" else "Remove app role assignment from"
    return entra(name, when, f"{word} service principal", f"entra:{TENANT}:service_principal/graph|{client}|{role}",
                 verb, **more)


def test_a_consent_is_taken_back_as_far_as_the_grants_it_made() -> None:
    made = (consent(), scopes("g1", 0, "Mail.Read", "Files.Read", correlation_id="corr-1"),
            role_to("g2", 0, "role-1", correlation_id="corr-1"))
    found = lineage(*made, scopes("r1", 10, "Mail.Read", take=True))
    assert ("r1", "c") in pairs(found)
    kind, share, status = back(found, "e-c")
    assert (kind, share, status) == ("partial", 1 / 3, "executed")
    whole = lineage(*made, scopes("r1", 10, "Mail.Read", "Files.Read", take=True), role_to("r2", 20, "role-1", "revoke"))
    assert back(whole, "e-c") == ("exact_inverse", 1.0, "rolled_back")
    assert case(whole, "e-c")["rolled_back_by"] == case(whole, "e-r2")["case_id"]


@pytest.mark.parametrize("other", [
    {"correlation_id": "corr-2"}, {"client": "app-2"}, {"correlation_id": None}, {"tenant": "t-2"},
], ids=["correlation", "client", "no_correlation", "tenant"])
def test_grants_of_another_consent_say_nothing_of_this_one(other: Row) -> None:
    grant = scopes("g", 0, "x", **{"correlation_id": "corr-1", **other})
    gone = scopes("r", 10, "x", take=True, **{k: v for k, v in other.items() if k != "correlation_id"})
    found = lineage(consent(), grant, gone)
    assert pairs(found) == {("r", "g")}
    assert back(found, "e-c") == (None, None, "executed")


# --- what is no rollback -------------------------------------------------------------------------------------------------

def thing(name: str, when: float, operation: str, verb: str, target: str = ROLE, **more: Any) -> Row:
    return step(name, when, operation=operation, target_key=target, effect_key=f"{verb}({target})", **more)


def test_deleting_the_role_supersedes_what_was_put_on_it_and_takes_back_its_creation_only() -> None:
    rows = (thing("made", 0, "iam:CreateRole", "create"), step("a", 5),
            thing("put", 6, "iam:PutRolePolicy", "set", f"{ROLE}|inline/p", after_state="v"),
            step("d", 7, **REMOVED), thing("gone", 10, "iam:DeleteRole", "delete"))
    found = lineage(*rows)
    assert pairs(found) == {("d", "a"), ("gone", "made")}
    assert rejected(found) == {("gone", "put", "superseded")}
    assert back(found, "e-put") == (None, None, "executed")


def test_what_a_deletion_made_moot_is_not_taken_back_by_what_comes_later() -> None:
    rows = (step("a"), thing("gone", 5, "iam:DeleteRole", "delete"), thing("made", 10, "iam:CreateRole", "create"),
            step("d", 15, **REMOVED))
    assert pairs(lineage(*rows)) == set()


def test_what_comes_back_from_deletion_brings_with_it_what_was_done_before() -> None:
    account, key = "gcp::service_account/1", "gcp::service_account/1|key/k"

    def gcp(name: str, when: float, word: str, verb: str, target: str) -> Row:
        return thing(name, when, f"google.iam.admin.v1.{word}", verb, target, tenant="p", provider="gcp",
                     source="gcp_audit")
    rows = (gcp("made", 0, "CreateServiceAccountKey", "create", key),
            gcp("gone", 5, "DeleteServiceAccount", "delete", account),
            gcp("back", 10, "UndeleteServiceAccount", "create", account),
            gcp("key_gone", 15, "DeleteServiceAccountKey", "delete", key))
    found = lineage(*rows)
    assert pairs(found) == {("back", "gone"), ("key_gone", "made")}
    assert rejected(found) == set()


def test_disabling_the_user_under_the_same_ticket_compensates_and_is_no_rollback() -> None:
    user = f"entra:{TENANT}:user/ana"
    grant = added("a", quoted_keys=["CHG0030192"])
    off = entra("off", 60, "Disable account", user, "disable", quoted_keys=["CHG0030192"])
    found = lineage(grant, off)
    links = found.links.filter(pl.col("rel") == "rolls_back")
    assert links.select("src", "dst", "tier", "rule_id").rows() == [("step-off", "step-a", 2, "compensating")]
    assert back(found, "e-a") == (None, None, "executed")


@pytest.mark.parametrize("other", [
    {"quoted_keys": []}, {"quoted_keys": ["CHG0030193"]}, {"target_key": f"entra:{TENANT}:user/bo"},
    {"tenant": "t-2"}, {"time": at(-60)}, {"kind": "attempt", "status": "failed"}, {"time": at(days=-181)},
], ids=["no_key", "key", "user", "tenant", "before", "tried", "long_before"])
def test_without_key_or_of_another_user_nothing_compensates(other: Row) -> None:
    off = entra("off", 60, "Disable account", f"entra:{TENANT}:user/ana", "disable", quoted_keys=["CHG0030192"])
    assert walked(added("a", quoted_keys=["CHG0030192"]), {**off, **other}).compensating == []


def test_half_a_year_later_nothing_compensates() -> None:
    off = entra("off", 0, "Disable account", f"entra:{TENANT}:user/ana", "disable", quoted_keys=["CHG0030192"])
    grant = added("a", quoted_keys=["CHG0030192"])
    assert len(walked({**grant, "time": at(days=-180)}, off).compensating) == 1
    assert walked({**grant, "time": at(-1, days=-180)}, off).compensating == []


def test_what_was_taken_back_before_needs_no_compensation() -> None:
    off = entra("off", 60, "Disable account", f"entra:{TENANT}:user/ana", "disable", quoted_keys=["CHG0030192"])
    assert walked(added("a", quoted_keys=["CHG0030192"]), removed("r"), off).compensating == []


def test_an_inverse_that_failed_is_noted_and_the_one_that_succeeded_counts() -> None:
    found = lineage(step("a"), step("t", 5, kind="attempt", status="failed", **REMOVED), step("d", 6, **REMOVED))
    assert pairs(found) == {("d", "a")}
    assert rejected(found) == {("t", "a", "failed")}
    assert back(found, "e-a") == ("exact_inverse", 1.0, "rolled_back")


def test_a_failed_call_on_what_nobody_changed_is_no_failed_rollback() -> None:
    tried = step("t", 5, kind="attempt", status="failed", **REMOVED)
    assert rejected(lineage(tried)) == set()
    assert rejected(lineage(step("a"), step("d", 1, **REMOVED), tried)) == set()


# --- one change in two logs ------------------------------------------------------------------------------------------------

def test_a_removal_that_two_logs_tell_takes_one_grant_back_and_both_say_so() -> None:
    rows = (added("a0", -100), added("a1"), removed("r"), reviewed("v", 11))
    found = lineage(*rows)
    assert pairs(found) == {("r", "a1"), ("v", "a1")}
    assert back(found, "e-a0") == (None, None, "executed")
    assert back(found, "e-a1") == ("exact_inverse", 1.0, "rolled_back")
    assert all(case(found, event)["rolls_back"] == case(found, "e-a1")["case_id"] for event in ("e-r", "e-v"))


def test_a_grant_that_two_logs_tell_is_taken_back_in_both_and_never_pairs_with_itself() -> None:
    told = pim("action", 1, name="told", source="entra_pim", operation="selfActivate")
    assert pairs(lineage(pim("action"), told)) == set()
    found = walked(pim("action"), told, pim("rollback", 60, key="req-2"))
    assert {(p.undoing.id, p.undone.id) for p in found.made} == {
        ("step-rollback", "step-action"), ("step-rollback", "step-told")}


@pytest.mark.parametrize("only", ["entra_audit", "entra_access_reviews"])
def test_a_removal_in_either_log_alone_takes_back_what_the_other_told(only: str) -> None:
    gone = removed("r") if only == "entra_audit" else reviewed("r")
    assert pairs(lineage(added("a"), gone)) == {("r", "a")}


def test_a_second_log_whose_clock_runs_a_minute_ahead_tells_the_same_two_changes() -> None:
    found = walked(added("a"), removed("r", 4), reviewed("v", 5), added("b", 6))
    assert {(p.undoing.id, p.undone.id) for p in found.made} == {("step-r", "step-a"), ("step-v", "step-a")}
    assert [link.again.id for link in found.again] == ["step-b"]


def test_a_second_log_seven_minutes_fast_is_read_by_one_clock_once_twenty_pairs_show_it() -> None:
    known = [pim("action", n * 60 + late, name=f"{source}-{n}", key=f"k{n}", source=source, target_key=f"entra:t:role/{n}|x",
                 effect_key=f"grant(entra:t:role/{n}|x)")
             for n in range(20) for source, late in (("entra_audit", 0), ("entra_pim", 7))]
    rows = (added("a"), removed("r", 3), added("told", 7, source="entra_pim"))
    assert pairs(lineage(*rows)) == {("r", "a")}
    found = lineage(*rows, *known)
    assert pairs(found) == {("r", "a"), ("r", "told")}
    assert case(found, "e-r")["time"] == at(3)
    assert found.links.filter(pl.col("dst") == "step-told")["delta_seconds"].to_list() == [240.0]  # as logged


def test_a_local_time_orders_no_pair_of_two_logs() -> None:
    assert pairs(lineage(added("a"), removed("r", time_zone="assumed"))) == {("r", "a")}
    found = lineage(added("a"), reviewed("r", 60, time_zone="assumed"))
    assert pairs(found) == set()
    assert pairs(lineage(added("a"), reviewed("r", 15 * 60, time_zone="assumed"))) == {("r", "a")}


def test_two_records_of_one_log_are_two_changes() -> None:
    elsewhere = reviewed("v", target_key="entra:t-1:group/g-9|ana")  # there are two logs
    found = walked(added("a0", -100), added("a1"), removed("r1"), removed("r2", 11), elsewhere)
    assert {(p.undoing.id, p.undone.id) for p in found.made} == {("step-r1", "step-a1"), ("step-r2", "step-a0")}


def test_what_another_log_tells_after_the_removal_is_the_change_made_anew_unless_an_id_ties_it() -> None:
    later = added("b", 3, source="entra_pim")
    rows = (added("a"), removed("r", 2), later, removed("r2", 60))
    assert {(p.undoing.id, p.undone.id) for p in walked(*rows).made} == {("step-r", "step-a"), ("step-r2", "step-b")}
    tied = [{**row, "correlation_id": "c"} if row["step_id"] in ("step-a", "step-b") else row for row in rows]
    assert {(p.undoing.id, p.undone.id) for p in walked(*tied).made} == {("step-r", "step-a"), ("step-r", "step-b")}


def test_each_telling_of_one_log_belongs_to_one_change_of_the_other_in_their_order() -> None:
    found = walked(added("a1"), added("told1", 0.5, source="entra_pim"), added("a2", 1),
                   added("told2", 1.5, source="entra_pim"), removed("r"))
    assert {(p.undoing.id, p.undone.id) for p in found.made} == {("step-r", "step-a2"), ("step-r", "step-told2")}


def test_a_change_taken_back_under_one_name_is_not_taken_back_again_under_its_other() -> None:
    def assigned(name: str, when: float) -> Row:
        return {**added(name, when, source="entra_pim"), "operation": "adminAssign"}
    found = walked(assigned("a0", -100), added("a1"), assigned("told", 1), removed("r"), reviewed("v", 60))
    assert {(p.undoing.id, p.undone.id) for p in found.made} == {
        ("step-r", "step-a1"), ("step-r", "step-told"), ("step-v", "step-a0")}


def test_values_that_two_logs_say_were_set_in_a_row_are_two_changes() -> None:
    def trust(name: str, when: float, value: str, source: str) -> Row:
        return thing(name, when, "iam:UpdateAssumeRolePolicy", "set", f"{ROLE}|trust", after_state=value, source=source)
    found = walked(trust("one", 0, "1", "aws_cloudtrail"), trust("two", 1, "2", "ocsf"),
                   trust("back", 10, "1", "aws_cloudtrail"))
    assert [(p.undoing.id, p.undone.id) for p in found.made] == [("step-back", "step-two")]


def test_an_inverse_of_what_only_one_of_two_logs_calls_it_takes_the_change_back() -> None:
    first = {**added("x", source="another_log"), "operation": "Grant by another name"}
    found = walked(first, added("a", 1), removed("r"))
    assert {(p.undoing.id, p.undone.id) for p in found.made} == {("step-r", "step-x"), ("step-r", "step-a")}


def test_more_than_five_minutes_apart_two_logs_tell_two_changes_unless_an_id_ties_them() -> None:
    rows = (added("a0", -100), added("a1"), removed("r"), reviewed("v", 20))
    assert {p.undone.id for p in walked(*rows).made} == {"step-a0", "step-a1"}
    tied = [{**row, "correlation_id": "c"} if row["step_id"] in ("step-r", "step-v") else row for row in rows]
    assert {p.undone.id for p in walked(*tied).made} == {"step-a1"}


def test_a_member_added_in_two_events_of_a_directory_pairs_each_with_its_own_inverse() -> None:
    group, guid = "ad:S-1-5-21-1:group/S-1-5-21-1-512|S-1-5-21-1-1100", "ad::object/0f|member/cn=ana"
    names = {"grant": "4728 A member was added to a security-enabled global group",
             "revoke": "4729 A member was removed from a security-enabled global group"}

    def ad(name: str, when: float, verb: str, *, attribute: bool = False) -> Row:
        state = {"after_state" if verb == "grant" else "before_state": "h"} if attribute else {}
        return thing(name, when, "5136 A directory service object was modified" if attribute else names[verb], verb,
                     guid if attribute else group, tenant="corp", provider="ad", source="windows_security", **state)
    rows = (ad("m1", 0, "grant"), ad("o1", 0, "grant", attribute=True), ad("m2", 10, "revoke"),
            ad("o2", 10, "revoke", attribute=True))
    assert pairs(lineage(*rows)) == {("m2", "m1"), ("o2", "o1")}
    assert pairs(lineage(*rows[:2])) == set()


def test_a_value_replaced_in_two_events_is_one_change_and_putting_it_back_restores_it() -> None:
    target = "ad::object/0f|scriptpath"

    def half(name: str, when: float, operation: str, **state: str) -> Row:
        return thing(name, when, "5136 A directory service object was modified", "set", target, tenant="corp",
                     provider="ad", source="windows_security", correlation_id=operation, **state)
    rows = (half("went1", 0, "op1", before_state="old"), half("came1", 0, "op1", after_state="new"),
            half("went2", 10, "op2", before_state="new"), half("came2", 10, "op2", after_state="old"))
    found = walked(*rows)
    assert {(p.undoing.id, p.undone.id, p.kind) for p in found.made} == {
        ("step-came2", "step-came1", "state_restoring"), ("step-came2", "step-went1", "state_restoring"),
        ("step-went2", "step-came1", "state_restoring")}
    other = (*rows[:3], half("came2", 10, "op2", after_state="third"))
    assert walked(*other).made == []
    lone = (half("came", 0, "op1", after_state="spn/x"), half("went", 10, "op2", before_state="spn/x"))
    assert [(p.undoing.id, p.kind) for p in walked(*lone).made] == [("step-went", "exact_inverse")]
    assert walked(lone[0], half("went", 10, "op2", before_state="spn/y")).made == []


# --- a policy of Google's cloud ----------------------------------------------------------------------------------------------

def bound(name: str, when: float, verb: str, **more: Any) -> Row:
    target = "gcp::binding/cloudresourcemanager.googleapis.com/projects/p|roles/owner|user:ana@x.example"
    return thing(name, when, more.pop("operation", "SetIamPolicy"), verb, target, tenant="p", provider="gcp",
                 source="gcp_audit", **more)


def test_a_binding_added_is_taken_back_by_the_call_that_removes_it_whatever_service_took_it() -> None:
    again = bound("x", 10, "revoke", operation="google.cloud.resourcemanager.v3.Projects.SetIamPolicy")
    assert pairs(lineage(bound("a", 0, "grant"), again)) == {("x", "a")}
    assert pairs(lineage(bound("a", 0, "grant"), bound("x", 10, "grant"))) == set()
    assert states(lineage(bound("a", 0, "grant")))["rollback"][0] == "proved"


# --- was it ever tried ---------------------------------------------------------------------------------------------------------

def test_a_way_back_is_tried_when_the_inverse_succeeded_in_the_tenant_within_180_days() -> None:
    new, used = step("a", 0), step("d", -10, target_key="aws:1:role/x|y", operation="iam:DetachRolePolicy")
    assert case(lineage(new, used), "e-a")["rollback_tested"] is True
    for other in ({"tenant": "444455556666"}, {"kind": "attempt", "status": "failed"}, {"status": "unknown"},
                  {"time": AS_OF - timedelta(days=181)}, {"operation": "iam:DetachUserPolicy"}):
        assert case(lineage(new, {**used, **other}), "e-a")["rollback_tested"] is False
    assert case(lineage(step("b", operation="iam:InventSomething")))["rollback_tested"] is None
    assert case(lineage(pim("request")))["rollback_tested"] is None


def test_who_decided_a_rollback_is_asked_of_its_own_case() -> None:
    found = lineage(step("a"), step("d", 30, actor_id=BOT, **REMOVED))
    undoing = case(found, case(found, "e-d")["anchor_event_id"])
    assert undoing["case_id"] == case(found, "e-a")["rolled_back_by"]
    assert (undoing["approval_verdict"], undoing["approver_id"], undoing["executor_id"]) == ("unknown", None, BOT)
    assert "decision" in set(found.gaps.filter(pl.col("case_id") == undoing["case_id"])["element"])
    assert case(found, "e-a")["rolled_back_at"] - case(found, "e-a")["time"] == timedelta(minutes=30)


# --- properties ------------------------------------------------------------------------------------------------------------------

_DRAWN = st.lists(st.tuples(st.sampled_from(["grant", "revoke"]), st.integers(0, 2), st.integers(1, 30)), max_size=25)


@settings(deadline=None, max_examples=60)
@given(_DRAWN, st.randoms(use_true_random=False))
def test_pairs_are_those_of_a_plain_stack_in_any_order_and_number_of_deliveries(drawn: Any, dice: Any) -> None:
    """Against an implementation of a few lines, for grants and removals more than two seconds apart."""
    rows, moment = [], 0.0
    for number, (verb, where, wait) in enumerate(drawn):
        moment += wait
        target = f"{ROLE}|p{where}"
        rows.append(thing(str(number), moment, "iam:AttachRolePolicy" if verb == "grant" else "iam:DetachRolePolicy",
                          verb, target))
    expected: set[tuple[str, str]] = set()
    open_: dict[tuple[int, str], list[str]] = {}
    for row, (verb, where, _) in zip(rows, drawn, strict=True):
        stack = open_.setdefault((where, {"grant": "revoke", "revoke": "grant"}[verb]), [])
        if stack:
            expected.add((row["step_id"], stack.pop()))
        else:
            open_.setdefault((where, verb), []).append(row["step_id"])
    mixed = [row for row in rows for _ in range(dice.randint(1, 3))]
    dice.shuffle(mixed)
    found = walked(*mixed)
    assert {(p.undoing.id, p.undone.id) for p in found.made} == expected
    assert len(found.made) == len(expected)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.booleans(), st.sets(st.sampled_from("abcd"), min_size=1), st.booleans()), max_size=20),
       st.randoms(use_true_random=False))
def test_no_more_is_taken_back_than_was_given_in_any_order(drawn: Any, dice: Any) -> None:
    rows = [scopes(str(n), n * 10.0, *sorted(held), take=take,
                   **({"source": "entra_pim"} if other else {})) for n, (take, held, other) in enumerate(drawn)]
    found = walked(*rows)
    taken = [(p.undone.id, member) for p in found.made for member in p.members]
    assert len(taken) == len(set(taken))
    assert all(0 < one.share <= 1 for one in taken_back(found).values())
    dice.shuffle(rows)
    again = walked(*rows)
    assert [(p.undoing.id, p.undone.id, p.members) for p in again.made] == [
        (p.undoing.id, p.undone.id, p.members) for p in found.made]
    assert flapping(again) == flapping(found)


def _flap(n: int) -> list[Row]:
    return [added(f"a{i}", i / 15, source=("entra_audit", "entra_pim")[i % 2]) if i % 4 < 2 else removed(
        f"r{i}", i / 15, source=("entra_audit", "entra_pim")[i % 2]) for i in range(n)]


def _held(n: int) -> list[Row]:
    """Many grants under one key, and then their user disabled as often."""
    return [added(f"a{i}", i / 600, quoted_keys=["CHG0030192"]) if i < n // 2 else entra(
        f"o{i}", 1 + i / 600, "Disable account", f"entra:{TENANT}:user/ana", "disable", quoted_keys=["CHG0030192"])
        for i in range(n)]


@pytest.mark.parametrize(("shape", "of_400"), [(_flap, 300), (_held, 200)], ids=["two_logs", "one_key"])
def test_four_times_the_records_take_no_more_than_about_four_times_the_work(shape: Any, of_400: int) -> None:
    def spent(n: int) -> float:
        made = steps(facts(shape(n)), {})
        best = []
        for _ in range(3):
            began = time.process_time()
            Rollbacks(made, undone(made), AS_OF)
            best.append(time.process_time() - began)
        return min(best)
    assert spent(16_000) < 10 * spent(4_000)
    found = walked(*shape(400))
    assert len(found.made) + len(found.compensating) == of_400


# --- real logs ---------------------------------------------------------------------------------------------------------------------

_MADE_AND_GONE = {  # call that undoes -> call it undoes, and what both name
    "DeleteUser": ("CreateUser", "userName"), "DeleteRole": ("CreateRole", "roleName"),
    "DeletePolicy": ("CreatePolicy", "policyArn"), "DeleteAccessKey": ("CreateAccessKey", "accessKeyId"),
    "DeleteLoginProfile": ("CreateLoginProfile", "userName"),
    "DeleteInstanceProfile": ("CreateInstanceProfile", "instanceProfileName"),
    "RemoveRoleFromInstanceProfile": ("AddRoleToInstanceProfile", "instanceProfileName roleName"),
    "DetachRolePolicy": ("AttachRolePolicy", "roleName policyArn"),
    "DetachUserPolicy": ("AttachUserPolicy", "userName policyArn"),
    "DeleteRolePolicy": ("PutRolePolicy", "roleName policyName"),
    "DeleteBucketPolicy": ("PutBucketPolicy", "bucketName"),
    "DeleteTrustAnchor": ("CreateTrustAnchor", "trustAnchorId"), "DeleteProfile": ("CreateProfile", "profileId"),
}


def _scanned(folder: Path) -> set[tuple[str, str]]:
    """Event ids of (undoing, undone) within the hour, by a plain reading of the files."""
    found: dict[str, Row] = {}
    for path in folder.rglob("*.json"):
        found |= {record["eventID"]: record for record in json.loads(path.read_text(encoding="utf-8"))["Records"]}

    def named(record: Row, keys: str) -> tuple[str, ...]:
        text = json.dumps([record["requestParameters"], record["responseElements"]])
        inner = {"policyArn": '"arn": "'}  # the answer to a creation names itself
        values = []
        for key in keys.split():
            place = text.find(f'"{key}": "')
            start = place + len(key) + 5 if place >= 0 else text.find(inner[key]) + len(inner[key])
            values.append(text[start: text.index('"', start)])
        return tuple(values)

    open_: dict[tuple[object, ...], list[Row]] = {}
    pairs_: set[tuple[str, str]] = set()
    order = sorted((r for r in found.values() if not r.get("errorCode")), key=lambda r: (
        r["eventTime"], r["eventName"].startswith("Delete"), r["eventID"]))
    forward = {name for name, _ in _MADE_AND_GONE.values()}
    keys = dict(_MADE_AND_GONE.values())
    services = ("iam.", "s3.", "rolesanywhere.")
    for record in (r for r in order if r["eventSource"].startswith(services)):
        name = record["eventName"]
        if name in forward:
            open_.setdefault((name, *named(record, keys[name])), []).append(record)
        elif name in _MADE_AND_GONE:
            undone_name, fields = _MADE_AND_GONE[name]
            stack = open_.get((undone_name, *named(record, fields)), [])
            while stack:
                made = stack.pop()
                apart = datetime.fromisoformat(record["eventTime"]) - datetime.fromisoformat(made["eventTime"])
                if apart <= timedelta(hours=1):
                    pairs_.add((record["eventID"], made["eventID"]))
                    break
    return pairs_


def test_every_pair_within_the_hour_of_the_capture_is_a_rollback_as_plain_python_finds_it(
    shared_data: Path, tmp_path: Path
) -> None:
    folder = shared_data / "aws_cloudtrail" / "invictus-ir_aws_dataset"
    load([folder], Store.create(tmp_path / "w"))
    found = decision_lineage(open_estate(tmp_path / "w"))
    events = dict(found.steps.select("step_id", "event_id").iter_rows())
    proved = found.links.filter((pl.col("rel") == "rolls_back") & (pl.col("tier") >= 3))
    linked = {(events[src], events[dst]) for src, dst in proved.select("src", "dst").iter_rows()}
    wanted = _scanned(folder)
    assert len(wanted) == 42
    assert linked == wanted
    undone_cases = found.cases.filter(pl.col("status") == "rolled_back")
    assert undone_cases.height == 42
    assert undone_cases["rollback_share"].unique().to_list() == [1.0]
    assert undone_cases["rollback_tested"].unique().to_list() == [True]


@pytest.fixture(scope="module")
def domain(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Security logs of attacks on a domain, as a step table and as lineage."""
    workspace = tmp_path_factory.mktemp("domain")
    folder = shared_data / "active_directory"
    load([folder / "evtx_to_mitre", folder / "otrf_windows"], Store.create(workspace))
    estate = open_estate(workspace)
    return estate.frame("decision_steps"), decision_lineage(estate)


def test_flags_of_an_account_set_and_set_back_in_real_logs_are_rollbacks(domain: Any) -> None:
    """Against a reading row by row: each change of flags whose new ones are those before the one ahead of it."""
    told, found = domain
    flags = told.filter(pl.col("operation").str.starts_with("4738") & pl.col("target_key").str.ends_with(
        "|useraccountcontrol")).unique("step_id").sort("target_key", "time")
    expected, standing = set(), None
    for row in flags.iter_rows(named=True):
        if (standing is not None and standing["target_key"] == row["target_key"]
                and standing["after_state"] == row["before_state"] and standing["before_state"] == row["after_state"]
                and row["time"] - standing["time"] > timedelta(seconds=2)):
            expected.add((row["step_id"], standing["step_id"]))
            standing = None
        else:
            standing = row
    restored = found.links.filter((pl.col("rel") == "rolls_back") & (pl.col("rule_id") == "state_restoring")).filter(
        pl.col("src").is_in(flags["step_id"].implode()))
    assert set(restored.select("src", "dst").iter_rows()) == expected
    assert len(expected) == 4


def test_in_real_logs_a_rollback_is_of_the_same_tenant_and_thing_and_never_before(domain: Any) -> None:
    _, found = domain
    ends = found.steps.select("step_id", "tenant", "target_key", "time")
    links = found.links.filter(pl.col("rel") == "rolls_back").join(ends, left_on="src", right_on="step_id").join(
        ends, left_on="dst", right_on="step_id", suffix="_undone")
    assert links.height == 9  # two accounts made and deleted, four sets of flags, one value in two events
    assert links.filter((pl.col("tenant") != pl.col("tenant_undone")) | (pl.col("time") < pl.col("time_undone")) | (
        pl.col("target_key") != pl.col("target_key_undone"))).height == 0
