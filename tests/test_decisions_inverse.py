"""What undoes what: every row of the inverse table, and what is no rollback."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from lineage_analytics.graphs.decisions.inverse import PROVING, Inverse, inverses, reversibility, table
from tests._decisions import ACCOUNT, POLICY, ROLE, at, case, lineage, pairs, pim, states, step
from tests._written import verb

if TYPE_CHECKING:
    from datetime import datetime

    from lineage_analytics.graphs.decisions import DecisionLineage

PAIRED = [row for row in table() if row.inverse and row.kind != "compound"]
FINAL = [row for row in table() if not row.inverse]
OPPOSITE = {"grant": {"revoke", "disable", "delete"}, "revoke": {"grant"}, "create": {"delete", "revoke"}, "enable": {"disable"},
            "delete": {"set", "create", "restore", "enable"}, "set": {"delete", "set"},
            "disable": {"enable"}, "restore": {"delete"}}
ROLE_ITSELF, TRUST = f"aws:{ACCOUNT}:role/etl", f"aws:{ACCOUNT}:role/etl|trust"
KEY = f"aws:{ACCOUNT}:user/ana|AKIA1"


def _name(row: Inverse) -> str:
    return f"{row.kind}:{row.forward}->{row.inverse or 'nothing'}".replace(" ", "-")


def _two(row: Inverse, minutes: float = 10.0) -> tuple[dict[str, Any], dict[str, Any]]:
    """The forward change, and its inverse some minutes later."""
    common: dict[str, Any] = {"provider": row.provider, "target_key": f"{row.provider}:t:thing/1|parameter"}
    verbs = ("grant", "revoke") if row.kind == "delta" else (
        verb(row.provider, row.forward), verb(row.provider, row.inverse))
    if row.kind == "set" and row.forward == row.inverse:
        verbs = "create", "delete"
    changes: list[dict[str, Any]] = [{"effect_key": f"{word}({common['target_key']})"} for word in verbs]
    first, second = changes
    if row.kind == "state":
        first |= {"before_state": "old", "after_state": None if verbs[0] == "delete" else "new"}
        second |= {"before_state": first["after_state"], "after_state": "old"}
    elif row.kind == "valued":
        first["after_state"] = second["after_state"] = "tcp/22"
    elif row.kind == "value":
        first["after_state"] = second["before_state"] = "v1"
    elif row.kind == "keyed":
        common |= {"native_key_kind": "change", "native_key": "c1"}
    return (step("does", operation=row.forward, **{**common, **first}),
            step("undoes", minutes, operation=row.inverse, **{**common, **second}))


# --- every row -------------------------------------------------------------------------------------------------------

# All rows at once, each in a tenant of its own, as 500 runs would take minutes.

def _rows(change: str = "", value: str | None = None) -> DecisionLineage:
    return lineage(*(made for number, row in enumerate(PAIRED) for made in _changed(row, f"t{number}", change, value)))


def _changed(row: Inverse, tenant: str, change: str, value: str | None) -> list[dict[str, Any]]:
    """The two steps of a row, named ``does-<tenant>`` and ``undoes-<tenant>``; ``change``: what of them is otherwise."""
    does, undoes = _two(row, -10.0 if change == "before" else 10.0)
    ways: dict[str, dict[str, Any]] = {
        "elsewhere": {"target_key": f"{row.provider}:t:thing/2|parameter"},
        "part": {"target_key": f"{row.provider}:t:thing/1|other"}, "no_target": {"target_key": None, "effect_key": None},
        "tried": {"kind": "attempt", "status": "failed"}, "value": {"after_state": value}}
    other = ways.get(change, {})
    if row.kind == "keyed" and change in ("elsewhere", "part", "no_target"):
        other = {"native_key": "c2"}
    undoes |= other
    if change == "never_done":
        does |= {"kind": "attempt", "status": "failed"}
    return [{**made, "step_id": f"step-{name}-{tenant}", "event_id": f"e-{name}-{tenant}", "tenant": f"{tenant}{over}",
             "record_id": f"rec-{name}-{tenant}"}
            for name, made, over in (("does", does, ""), ("undoes", undoes, "+" if change == "tenant" else ""))]


@pytest.fixture(scope="module")
def all_rows() -> dict[str, Any]:
    """Links, cases and kinds of steps by event of every row."""
    found = _rows()
    cases = {row["anchor_event_id"]: row for row in found.cases.iter_rows(named=True)}
    links = {row["src"]: row for row in found.links.filter(pl.col("rel") == "rolls_back").iter_rows(named=True)}
    assert len(links) == found.links.filter(pl.col("rel") == "rolls_back").height
    return {"cases": cases, "links": links, "kinds": dict(found.steps.select("step_id", "kind").iter_rows())}


@pytest.mark.parametrize("number", range(len(PAIRED)), ids=[_name(row) for row in PAIRED])
def test_the_inverse_on_the_same_target_takes_it_back(number: int, all_rows: dict[str, Any]) -> None:
    row, link = PAIRED[number], all_rows["links"][f"step-undoes-t{number}"]
    assert link["dst"] == f"step-does-t{number}"
    assert link["rule_id"] == ("state_restoring" if row.kind == "state" else "exact_inverse")
    assert link["record_ids"] == [f"rec-does-t{number}", f"rec-undoes-t{number}"]
    assert link["tier"] == (4 if row.status in PROVING else 2)
    done = all_rows["cases"][f"e-does-t{number}"]
    if row.status not in PROVING:  # hearsay: an inferred link, and the case says nothing
        assert (done["status"], done["rolled_back_by"], done["rollback_share"]) == ("executed", None, None)
        return
    undone = all_rows["cases"][f"e-undoes-t{number}"]
    assert (done["status"], done["rolled_back_by"], done["rolled_back_at"]) == (
        "rolled_back", undone["case_id"], undone["time"])
    assert (done["rollback_kind"], done["rollback_share"], done["rollback_tested"]) == (link["rule_id"], 1.0, True)
    assert (undone["status"], undone["rolls_back"]) == ("executed", done["case_id"])
    assert done["reversibility"] == row.reversibility
    kinds = (all_rows["kinds"][f"step-{name}-t{number}"] for name in ("does", "undoes"))
    assert tuple(kinds) == ("action", "rollback")


@pytest.mark.parametrize("change", ["elsewhere", "part", "no_target", "tenant"])
def test_the_inverse_on_another_target_or_in_another_tenant_takes_nothing_back(change: str) -> None:
    assert pairs(_rows(change)) == set()


def test_what_came_before_a_change_cannot_take_it_back() -> None:
    assert [pair for pair in pairs(_rows("before")) if pair[0].startswith("undoes")] == []


def test_a_failed_inverse_is_an_attempt_and_takes_nothing_back() -> None:
    found = _rows("tried")
    assert pairs(found) == set()
    assert set(found.link_rejects.select("src", "rel", pl.col("candidates").list.first(), "reason").iter_rows()) == {
        (f"step-undoes-t{number}", "rolls_back", f"step-does-t{number}", "failed") for number in range(len(PAIRED))}
    assert found.cases.filter(pl.col("anchor_event_id").str.starts_with("e-does"))["status"].unique().to_list() == [
        "executed"]


def test_a_failed_change_is_not_there_to_be_taken_back() -> None:
    assert pairs(_rows("never_done")) == set()


@pytest.mark.parametrize("value", ["third", None])
def test_another_value_than_the_one_changed_takes_nothing_back(value: str | None) -> None:
    back = {int(done.partition("-t")[2]) for _, done in pairs(_rows("value", value))}
    assert {PAIRED[number].kind for number in back}.isdisjoint({"state", "valued"})


@pytest.mark.parametrize("row", FINAL, ids=_name)
def test_what_nothing_undoes_is_kept_as_such(row: Inverse) -> None:
    found = lineage(step("ends", operation=row.forward, provider=row.provider, target_key=KEY))
    assert case(found)["reversibility"] == row.reversibility
    assert row.reversibility in ("irreversible", "reversible_with_loss")
    assert states(found)["rollback"][0] == ("missing" if row.status in PROVING else "unknown")
    assert case(found)["rollback_tested"] is False


@pytest.mark.parametrize("row", table(), ids=_name)
def test_both_operations_of_a_row_are_changes_that_a_loader_writes(row: Inverse) -> None:
    assert verb(row.provider, row.forward) is not None
    assert not row.inverse or verb(row.provider, row.inverse) is not None


@pytest.mark.parametrize("row", PAIRED, ids=_name)
def test_the_loaders_write_opposite_verbs_for_a_pair(row: Inverse) -> None:
    assert verb(row.provider, row.inverse) in OPPOSITE[verb(row.provider, row.forward) or ""]


def test_a_pair_that_proves_names_the_sample_or_the_reference_that_attests_it() -> None:
    assert [row for row in table() if bool(row.reference) != (row.status in PROVING)] == []
    assert {row.status for row in table()} == {"sampled", "documented", "general_knowledge"}
    assert {row.reversibility for row in table()} == {"reversible", "reversible_with_loss", "irreversible", "unknown"}
    assert {row.kind for row in table() if row.reversibility == "unknown"} == {"keyed"}  # it may be any change


def test_no_pair_stands_twice_and_an_operation_is_reversible_in_one_way() -> None:
    named = [(row.provider, row.forward.lower(), row.inverse.lower(), row.kind) for row in table()]
    assert len(named) == len(set(named))
    ways = {(row.forward.lower(), row.reversibility) for row in table()}
    assert len(ways) == len({forward for forward, _ in ways})


def test_names_are_compared_without_capitals_or_spaces_around() -> None:
    assert inverses(" add CONDITIONAL  access policy ")[0].inverse == "Delete conditional access policy"


def test_an_unknown_operation_is_unknown_never_irreversible() -> None:
    assert reversibility("iam:InventSomething") == "unknown"
    assert inverses("Remove bypass user") == ()
    found = lineage(step("x", operation="iam:InventSomething"))
    assert states(found)["rollback"] == ("unknown", "not_recorded_by_provider: the inverse table does not know the operation")


# --- order and pairing ------------------------------------------------------------------------------------------------

ATTACH, DETACH = "iam:AttachRolePolicy", "iam:DetachRolePolicy"


def _attached(name: str, minutes: float, **more: Any) -> dict[str, Any]:
    return step(name, minutes, operation=ATTACH, **more)


def _detached(name: str, minutes: datetime | float, **more: Any) -> dict[str, Any]:
    return step(name, minutes, operation=DETACH, effect_key=f"revoke({POLICY})", **more)


def test_of_two_grants_the_last_is_taken_back_first() -> None:
    first = (_attached("a1", 0), _attached("a2", 5), _detached("d1", 10))
    assert pairs(lineage(*first)) == {("d1", "a2")}
    assert pairs(lineage(*first, _detached("d2", 15))) == {("d1", "a2"), ("d2", "a1")}


def test_A38_flapping_pairs_each_grant_with_the_removal_after_it_and_the_last_grant_stands() -> None:  # noqa: N802
    found = lineage(_attached("a1", 0), _detached("d1", 5), _attached("a2", 10), _detached("d2", 15), _attached("a3", 20))
    assert pairs(found) == {("d1", "a1"), ("d2", "a2")}
    assert case(found, "e-a3")["status"] == "executed"


def test_a_removal_that_the_log_begins_with_is_taken_back_by_the_grant_after_it() -> None:
    assert pairs(lineage(_detached("d", 0), _attached("a", 10))) == {("a", "d")}


def test_two_seconds_apart_the_order_of_a_pair_that_works_both_ways_is_not_known() -> None:
    found = lineage(_attached("a", 0), _detached("d", at(seconds=2)))
    assert pairs(found) == set()
    assert found.link_rejects.select("src", "rel", "reason").rows() == [("step-d", "rolls_back", "ambiguous")]
    assert pairs(lineage(_attached("a", 0), _detached("d", at(seconds=3)))) == {("d", "a")}


def test_made_and_deleted_in_one_second_is_in_that_order_whatever_the_ids() -> None:
    for names in (("a", "z"), ("z", "a")):
        made = step(names[0], operation="iam:CreateRole", target_key=ROLE_ITSELF, effect_key=f"create({ROLE_ITSELF})")
        gone = step(names[1], operation="iam:DeleteRole", target_key=ROLE_ITSELF, effect_key=f"delete({ROLE_ITSELF})")
        assert pairs(lineage(made, gone)) == {(names[1], names[0])}


def test_deleted_and_made_anew_in_one_second_is_ambiguous() -> None:
    def role(name: str, minutes: float, verb: str) -> dict[str, Any]:
        return step(name, minutes, operation=f"iam:{verb.title()}Role", target_key=ROLE_ITSELF, effect_key=f"{verb}({ROLE_ITSELF})")
    assert pairs(lineage(role("old", 0, "create"), role("gone", 10, "delete"), role("new", 10, "create"))) == set()


def test_undoing_after_half_a_year_is_another_decision() -> None:
    assert pairs(lineage(_attached("a", -180 * 1440), _detached("d", 0))) == {("d", "a")}
    found = lineage(_attached("a", -180 * 1440 - 1), _detached("d", 0))
    assert pairs(found) == set()
    assert found.link_rejects["reason"].to_list() == ["outside_window"]


def test_an_inverse_whose_success_is_not_stated_takes_nothing_back_for_sure() -> None:
    found = lineage(_attached("a", 0), _detached("d", 10, status="unknown"))
    assert pairs(found) == set()
    assert found.link_rejects["reason"].to_list() == ["ambiguous"]


def test_a_key_switched_off_before_it_is_deleted_is_still_taken_back() -> None:
    def key(name: str, minutes: float, operation: str, verb: str, value: str | None = None) -> dict[str, Any]:
        return step(name, minutes, operation=operation, target_key=KEY, effect_key=f"{verb}({KEY})", after_state=value)
    found = lineage(key("made", 0, "iam:CreateAccessKey", "create"), key("off", 5, "iam:UpdateAccessKey", "set", "Inactive"),
                    key("gone", 10, "iam:DeleteAccessKey", "delete"))
    assert pairs(found) == {("gone", "made")}


def test_a_grant_on_a_role_of_the_same_name_made_later_is_not_taken_back() -> None:
    made = step("again", 5, operation="iam:CreateRole", target_key=ROLE_ITSELF, effect_key=f"create({ROLE_ITSELF})")
    assert pairs(lineage(_attached("a", 0), made, _detached("d", 10))) == set()
    made_with = {**made, "time": at()}
    assert pairs(lineage(_attached("a", 0), made_with, _detached("d", 10))) == {("d", "a")}


# --- values -----------------------------------------------------------------------------------------------------------

def _trust(name: str, minutes: float, value: str | None, **more: Any) -> dict[str, Any]:
    return step(name, minutes, operation="iam:UpdateAssumeRolePolicy", target_key=TRUST, effect_key=f"set({TRUST})",
                after_state=value, **more)


def _inline(name: str, minutes: float, value: str | None) -> dict[str, Any]:
    target = f"{ROLE_ITSELF}|inline/p"
    verb, operation = ("set", "iam:PutRolePolicy") if value else ("delete", "iam:DeleteRolePolicy")
    return step(name, minutes, operation=operation, target_key=target, effect_key=f"{verb}({target})", after_state=value)


def test_setting_the_value_that_stood_before_takes_the_change_between_back() -> None:
    assert pairs(lineage(_trust("one", 0, "v1"), _trust("two", 5, "v2"), _trust("back", 10, "v1"))) == {("back", "two")}


def test_a_value_before_the_log_began_is_not_known_and_nothing_is_claimed() -> None:
    assert pairs(lineage(_trust("two", 5, "v2"), _trust("back", 10, "v1"))) == set()


def test_putting_a_value_back_after_it_was_restored_is_a_new_change() -> None:
    steps = [_trust("one", 0, "v1"), _trust("two", 5, "v2"), _trust("back", 10, "v1"), _trust("again", 15, "v2")]
    assert pairs(lineage(*steps)) == {("back", "two")}
    assert pairs(lineage(*steps, _trust("back2", 20, "v1"))) == {("back", "two"), ("back2", "again")}


def test_a_change_that_states_another_value_before_it_shows_one_unseen_between() -> None:
    assert pairs(lineage(_trust("one", 0, "v1"), _trust("two", 5, "v2"), _trust("back", 10, "v1", before_state="v3"))) == set()


def test_deleting_a_policy_undoes_putting_it_only_where_none_stood_before() -> None:
    assert pairs(lineage(_inline("put", 0, "v1"), _inline("gone", 5, None))) == {("gone", "put")}
    found = lineage(_inline("put", 0, "v1"), _inline("over", 5, "v2"), _inline("gone", 10, None))
    assert pairs(found) == set()
    back = lineage(_inline("put", 0, "v1"), _inline("over", 5, "v2"), _inline("gone", 10, None), _inline("back", 15, "v2"))
    assert pairs(back) == {("back", "gone")}


def test_a_rule_stated_elsewhere_than_in_its_list_is_never_matched() -> None:
    empty = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
    group = f"aws:{ACCOUNT}:security-group/sg-1|ingress"
    rule: dict[str, Any] = {"target_key": group, "after_state": empty}
    found = lineage(step("open", operation="ec2:AuthorizeSecurityGroupIngress", **rule),
                    step("shut", 5, operation="ec2:RevokeSecurityGroupIngress", **rule))
    assert pairs(found) == set()
    assert found.link_rejects["reason"].to_list() == ["ambiguous"]


# --- endings that are no rollback ---------------------------------------------------------------------------------------

def test_expiry_is_never_a_rollback() -> None:
    found = lineage(pim("action"), pim("expiry", 480))
    assert pairs(found) == set()
    made = case(found)
    assert (made["status"], made["rolled_back_by"]) == ("executed", None)
    assert {(rel, src) for src, rel in found.links.select("src", "rel").iter_rows()} == {("ends", "step-expiry")}


def test_a_grant_that_has_run_out_is_not_there_to_be_taken_back() -> None:
    leave = pim("rollback", 600, key="req-2")
    assert pairs(lineage(pim("action"), leave)) == {("rollback", "action")}
    assert pairs(lineage(pim("action"), pim("expiry", 480), leave)) == set()
    assert pairs(lineage(pim("action", expires_at=at(480)), leave)) == set()


def test_leaving_a_role_early_is_a_rollback_with_a_case_of_its_own() -> None:
    found = lineage(pim("action", expires_at=at(480)), pim("rollback", 60, key="req-2"))
    assert pairs(found) == {("rollback", "action")}
    assert case(found, "e-action")["rolled_back_by"] == case(found, "e-rollback")["case_id"]
    assert states(found, case(found, "e-rollback")["case_id"])["approver"][0] == "not_required"


def test_an_eligible_assignment_is_not_taken_back_by_leaving_the_active_one() -> None:
    eligible = pim("action", name="eligible", key="req-0", operation="Add eligible member to role in PIM completed (permanent)",
                   effect_key=f"grant({ROLE}|eligible)")
    found = lineage(eligible, pim("action", 10), pim("rollback", 60, key="req-2"))
    assert pairs(found) == {("rollback", "action")}
    removed = pim("rollback", 90, name="removed", key="req-3", effect_key=f"revoke({ROLE}|eligible)",
                  operation="Remove eligible member from role in PIM completed (permanent)")
    assert pairs(lineage(eligible, pim("action", 10), removed)) == {("removed", "eligible")}


def test_an_activation_that_runs_out_leaves_the_eligible_assignment_behind_it_in_force() -> None:
    eligible = pim("action", name="eligible", key="req-0", effect_key=f"grant({ROLE}|eligible)", expires_at=at(days=90),
                   operation="Add eligible member to role in PIM completed (timebound)")
    removed = pim("rollback", 900, name="removed", key="req-3", effect_key=f"revoke({ROLE}|eligible)",
                  operation="Remove eligible member from role in PIM completed (timebound)")
    assert pairs(lineage(eligible, pim("action", 10), pim("expiry", 490), removed)) == {("removed", "eligible")}
