"""Roles of Okta and Google Workspace as their logs show them: what stands, what was taken back, what is not known."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from lineage_analytics.facts import Facts
from lineage_analytics.permissions import gworkspace, okta
from lineage_analytics.permissions import memberships as nested
from lineage_analytics.permissions.named_roles import sheet, split_name
from lineage_analytics.tables import DECISION_STEPS, ENTITLEMENTS, IDENTITIES, PERMISSIONS, conform

AS_OF = datetime(2026, 6, 30, tzinfo=UTC)
ANN, BOB, TEAM = "okta:acme:00uann", "okta:acme:00ubob", "okta:acme:00gteam"
RESET = "okta.users.credentials.resetPassword"


def granted(role: str, who: str = ANN, days: int = 10, **more: Any) -> dict[str, Any]:
    return {"principal_id": who, "grant_kind": "role", "privilege": role, "scope": "okta:acme:org", "effect": "allow",
            "state": "standing", "granted_at": AS_OF - timedelta(days=days), "provider": "okta",
            "record_id": f"rec-{days}", **more}


def step(verb: str, of: str, days: int, record: str, provider: str = "okta") -> dict[str, Any]:
    return {"kind": "action", "time": AS_OF - timedelta(days=days), "effect_key": f"{verb}({of})", "status": "succeeded",
            "provider": provider, "record_id": record}


def facts(*grants: dict[str, Any], steps: list[dict[str, Any]] | None = None, listed: bool | None = None,
          identities: tuple[str, ...] = (ANN, BOB)) -> Facts:
    people = [{"id": who, "kind": "human", "provider": who.split(":")[0], "grants_listed": listed} for who in identities]
    return Facts.of(
        AS_OF, identities=conform(pl.DataFrame(people), IDENTITIES),
        entitlements=conform(pl.DataFrame(list(grants), infer_schema_length=None), ENTITLEMENTS) if grants
        else ENTITLEMENTS.empty(),
        decision_steps=conform(pl.DataFrame(steps), DECISION_STEPS) if steps else DECISION_STEPS.empty())


def verdict(held: Facts, who: str = ANN, action: str = RESET, resource: str = BOB) -> str:
    return okta.decide(held, who, action, resource).verdict


@pytest.mark.parametrize(("role", "action", "answer"), [
    ("Super administrator", "okta.roles.manage", "allowed"),
    ("Super administrator", "okta.anything.at.all", "allowed"),
    ("Help Desk Admin", RESET, "allowed"),
    ("HELP_DESK_ADMIN", RESET, "allowed"),
    ("Help Desk Admin", "okta.apps.manage", "unknown"),
    ("Read only admin", RESET, "unknown"),
    ("Application administrator (all)", "okta.apps.assignment.manage", "allowed"),
    ("Group administrator (Sales)", RESET, "unknown"),
    ("Our own role", RESET, "unknown"),
])
def test_what_a_role_the_log_saw_granted_allows(role: str, action: str, answer: str) -> None:
    assert verdict(facts(granted(role)), action=action) == answer


def test_what_the_log_did_not_see_is_unknown_and_says_what_to_load() -> None:
    found = okta.decide(facts(), ANN, RESET, BOB)
    assert found.verdict == "unknown"
    assert "before its first day" in found.because[0].says


def test_of_a_listed_principal_no_role_is_denied() -> None:
    assert verdict(facts(listed=True)) == "denied"


def test_a_role_of_another_organisation_says_nothing_here() -> None:
    assert verdict(facts(granted("Super administrator", scope="okta:other:org"), listed=True)) == "denied"


def test_members_hold_the_role_of_their_group() -> None:
    joined = {"principal_id": ANN, "grant_kind": "membership", "scope": TEAM, "effect": "allow", "provider": "okta",
              "record_id": "rec-join"}
    held = facts(granted("Super administrator", TEAM), joined)
    found = okta.decide(held, ANN, RESET, BOB)
    assert (found.verdict, found.because[0].record_ids) == ("allowed", ("rec-10", "rec-join"))
    assert verdict(held, BOB) == "unknown"


def test_a_role_taken_back_later_is_gone_and_one_given_again_stands() -> None:
    key = "okta:acme:role/super administrator|00uann"
    gone = facts(granted("Super administrator"), steps=[
        step("grant", key, 10, "rec-10"), step("revoke", key, 5, "rec-5")])
    assert verdict(gone) == "unknown"
    again = facts(granted("Super administrator"), granted("Super administrator", days=1), steps=[
        step("grant", key, 10, "rec-10"), step("revoke", key, 5, "rec-5"), step("grant", key, 1, "rec-1")])
    assert verdict(again) == "allowed"


def test_of_two_roles_one_record_gave_the_other_stays_when_one_is_taken_back() -> None:
    grants = [granted("Super administrator"), granted("Read only admin")]
    steps = [step("grant", f"okta:acme:role/{role}|00uann", 10, "rec-10") for role in
             ("super administrator", "read only admin")]
    held = facts(*grants, steps=[*steps, step("revoke", "okta:acme:role/read only admin|00uann", 5, "rec-5")])
    assert [one.assignment.role for one in okta.book(held).held(ANN)] == ["Super administrator"]


def test_a_row_counts_roles_only_where_an_inventory_lists_them() -> None:
    seen = okta.permission_rows(facts(granted("Super administrator"))).row(0, named=True)
    assert (seen["granted"], seen["weight_max"], seen["wildcard"], seen["used"]) == (None, 10, True, None)
    assert seen["reason"].startswith("no_source: no list of roles is loaded")
    assert seen["record_ids"] == ["rec-10"]
    listed = okta.permission_rows(facts(granted("Read only admin"), listed=True)).row(0, named=True)
    assert (listed["granted"], listed["granted_basis"], listed["weight_max"]) == (1, "assigned", 1)
    assert okta.permission_rows(facts()).schema == PERMISSIONS.schema


def test_a_role_name_is_split_from_what_limits_it() -> None:
    assert split_name("Application administrator (all)") == ("Application administrator", None)
    assert split_name("Group administrator (Sales)") == ("Group administrator", "Sales")


@pytest.mark.parametrize("name", ["okta_roles", "github_roles", "workspace_roles"])
def test_data_files_hold_known_weights_and_targets(name: str) -> None:
    for role in sheet(name).values():
        assert role.weight in {0, 1, 3, 10}
        assert {what for what, how in role.controls if how} <= {"org", "users", "groups", "apps", "repo"}


def test_an_assigned_role_of_workspace_allows_over_the_customer_and_leaves_units_open() -> None:
    who = "gworkspace:C1:ann@x.example"
    base: dict[str, Any] = {"principal_id": who, "provider": "gworkspace"}
    whole = facts(granted("_HELP_DESK_ADMIN_ROLE", scope="gworkspace:C1:customer", **base), identities=(who,))
    assert gworkspace.decide(whole, who, "gworkspace:reset_passwords", "gworkspace:C1:bob@x.example").verdict == "allowed"
    assert gworkspace.decide(whole, who, "gworkspace:reset_passwords", "gworkspace:C2:eve@y.example").verdict == "unknown"
    unit = facts(granted("_HELP_DESK_ADMIN_ROLE", scope="gworkspace:C1:org_unit/Sales", **base), identities=(who,))
    assert gworkspace.decide(unit, who, "gworkspace:reset_passwords", "gworkspace:C1:bob@x.example").verdict == "unknown"


def test_groups_nested_a_thousand_deep_are_all_found_though_few_answers_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nested, "_MOST", 2500)
    chain = nested.Memberships({f"g{n}": [nested.Step(f"g{n + 1}", f"g{n}", f"r{n}", n == 500)] for n in range(1000)})
    for _ in range(2):
        assert [len(chain.above(f"g{n}")) for n in range(1000)] == [1000 - n for n in range(1000)]
    assert sum(map(len, chain._above.values())) <= 2500
    assert [step.record_id for step in chain.chain("g498", "g501")] == ["r498", "r499", "r500"]
