"""Privilege on hand-sized estates."""

from __future__ import annotations

from typing import Any

import pytest

from tests.test_metrics_estates import (
    counts,
    day,
    grant,
    identity,
    logs,
    measured,
    members,
    permission,
    row,
    use,
)

Rows = list[dict[str, Any]]


def _held(*permissions: dict[str, Any], identities: Rows | None = None) -> Any:
    names = [p["principal_id"].removeprefix("aws:1:") for p in permissions]
    return measured(identities=identities or [identity(name) for name in names], permissions=list(permissions),
                    entitlements=[grant()], coverage=logs(120))


# --- PRV-01 ----------------------------------------------------------------------------------------------------------

def test_prv01_one_unused_permission_is_broad_excess_and_not_standard() -> None:
    found = _held(permission("a", used=9, unused=1), permission("b", used=9, unused=0))
    assert members(found, "PRV-01", "numerator", "a").keys() == {"a"}
    assert members(found, "PRV-01", "numerator", "b") == {}
    assert counts(found, "PRV-01", "a") == (1, 2, 0, 0)


def test_prv01_a_wildcard_is_broad_excess_even_when_everything_is_used() -> None:
    found = _held(permission("a", used=3, unused=0, wildcard=True))
    assert counts(found, "PRV-01", "a") == (1, 1, 0, 0)
    assert counts(found, "PRV-01", "b") == (0, 1, 0, 0)


def test_prv01_half_unused_or_one_sensitive_unused_is_standard_excess() -> None:
    found = _held(permission("half", used=5, unused=5), permission("less", used=6, unused=4),
                  permission("key", used=9, unused=1, sensitive_granted=1, sensitive_unused=1))
    assert members(found, "PRV-01", "numerator", "b").keys() == {"half", "key"}


def test_prv01_what_logs_cannot_show_is_unknown_when_it_could_tip_the_answer() -> None:
    found = _held(permission("dark", used=2, unused=0, hidden=3), permission("clear", used=8, unused=0, hidden=1),
                  permission("sensitive", used=8, unused=0, hidden=1, sensitive_granted=1))
    assert members(found, "PRV-01", "unknown", "a").keys() == {"dark", "clear", "sensitive"}
    assert members(found, "PRV-01", "unknown", "b").keys() == {"dark", "sensitive"}
    assert members(found, "PRV-01", "denominator", "b").keys() == {"clear"}


def test_prv01_the_hidden_permission_cannot_tip_it_when_every_sensitive_one_was_seen() -> None:
    found = _held(permission("seen", used=8, unused=0, hidden=1, sensitive_granted=2, sensitive_used=2),
                  permission("young", used=8, unused=0, hidden=1, sensitive_granted=2, sensitive_used=1,
                             sensitive_too_young=1),
                  permission("dark", used=8, unused=0, hidden=1, sensitive_granted=2, sensitive_used=1))
    assert members(found, "PRV-01", "denominator", "b").keys() == {"seen", "young"}
    assert members(found, "PRV-01", "unknown", "b").keys() == {"dark"}


def test_prv01_admin_equivalence_needs_no_log_and_carries_its_path() -> None:
    found = _held(permission("root", None, None, granted=100, admin_equivalent=True, admin_reason="allows * on *",
                             reason="lookback_too_short: 30 days"),
                  permission("plain", None, None, granted=5, reason="lookback_too_short: 30 days"))
    assert members(found, "PRV-01", "numerator", "c") == {"root": "allows * on *"}
    assert counts(found, "PRV-01", "c") == (1, 2, 0, 0)
    assert row(found, "PRV-01", "b")["reason"] == "lookback_too_short"
    assert members(found, "PRV-01", "unknown", "b") == dict.fromkeys(("root", "plain"), "30 days")


def test_prv01_unreadable_policies_are_unknown_with_their_reason() -> None:
    found = _held(permission("a", None, None, granted=None, admin_equivalent=None, reason="policy_missing: arn:x"))
    assert counts(found, "PRV-01", "c") == (0, 0, 1, 0)
    assert members(found, "PRV-01", "unknown", "c") == {"a": "arn:x"}


def test_prv01_people_groups_unknown_kinds_and_provider_accounts_are_no_service_accounts() -> None:
    found = _held(permission("a", 1, 1), identities=[
        identity("a"), identity("ada", "human"), identity("team", "group"), identity("odd", "unknown"),
        identity("linked", "workload", excluded_reason="provider_managed"),
        identity("sso", "role", excluded_reason="human_role"), identity("seen", inventoried=False)])
    assert counts(found, "PRV-01", "a") == (1, 1, 0, 3)
    assert members(found, "PRV-01", "excluded", "a") == {
        "odd": "kind unknown", "linked": "managed by the provider",
        "sso": "a role that only people assume: an entitlement of theirs"}


def test_prv01_of_31_with_12_and_4_unknown_has_the_bounds_of_the_contract() -> None:
    found = _held(*(permission(f"s{n}", used=0 if n < 12 else 9, unused=9 if n < 12 else 0) for n in range(31)),
                  *(permission(f"u{n}", None, None, granted=None, reason="policy_missing: x") for n in range(4)))
    held = row(found, "PRV-01", "b")
    assert (held["numerator"], held["denominator"], held["n_unknown"], held["status"]) == (12, 31, 4, "scored")
    assert [held[n] for n in ("value", "ci_low", "ci_high", "worst_case", "best_case")] == pytest.approx(
        [0.3871, 0.2373, 0.5618, 0.4571, 0.3429], abs=5e-5)
    assert (held["ci_method"], held["unit"], held["sources"]) == ("wilson", "share", ["aws_iam"])


# --- PRV-02 ----------------------------------------------------------------------------------------------------------

def test_prv02_of_10_granted_2_unobservable_1_young_2_used_is_5_of_7_with_2_unknown_1_excluded() -> None:
    found = _held(permission("a", used=2, unused=5, hidden=2, young=1))
    assert counts(found, "PRV-02", "pooled") == (5, 7, 2, 1)


def test_prv02_median_and_p90_are_over_accounts_pooled_over_permissions() -> None:
    found = _held(*(permission(f"s{n:02}", used=10 - n, unused=n) for n in range(11)), *(
        permission(f"t{n}", used=0, unused=100) for n in range(20)))
    median, p90, pooled = (row(found, "PRV-02", scope) for scope in ("median", "p90", "pooled"))
    assert (median["value"], p90["value"]) == (1.0, 1.0)
    assert pooled["value"] == pytest.approx(2055 / 2110)
    assert (median["numerator"], median["denominator"], median["unit"]) == (None, 31, "ratio")
    assert pooled["ci_method"] == median["ci_method"] == "bootstrap"
    assert pooled["ci_low"] < pooled["value"] < pooled["ci_high"]


def test_prv02_unobservable_widens_both_ways_and_nine_accounts_are_not_scored() -> None:
    found = _held(*(permission(f"s{n:02}", used=5, unused=5, hidden=10) for n in range(30)))
    held = row(found, "PRV-02", "median")
    assert (held["best_case"], held["value"], held["worst_case"]) == (0.25, 0.5, 0.75)
    few = _held(*(permission(f"s{n}", used=5, unused=500) for n in range(9)))
    assert row(few, "PRV-02", "pooled")["reason"] == "denominator_below_min"


def test_prv02_accounts_with_nothing_granted_or_nothing_observable_have_no_share() -> None:
    found = _held(permission("none", used=0, unused=0), permission("dark", used=0, unused=0, hidden=4),
                  permission("new", used=0, unused=0, young=4))
    assert members(found, "PRV-02", "excluded", "median").keys() == {"none", "new"}
    assert members(found, "PRV-02", "unknown", "median").keys() == {"dark"}


# --- PRV-05, PRV-06, PRV-18 --------------------------------------------------------------------------------------------

def test_prv05_wildcards_are_counted_among_accounts_whose_permissions_are_known() -> None:
    found = _held(permission("wide", 1, 1, wildcard=True), permission("tight", 1, 1),
                  permission("dark", None, None, granted=None, wildcard=None, reason="policy_missing: x"))
    assert counts(found, "PRV-05") == (1, 2, 1, 0)


def _role(who: str, role: str, state: str, **more: Any) -> dict[str, Any]:
    return {"principal_id": who, "grant_kind": "role", "privilege": role, "scope": "/", "effect": "allow",
            "state": state, "source": "entra_audit", "record_id": f"rec-{who}-{role}-{state}"} | more


def test_prv06_counts_permanent_of_people_and_of_service_accounts_apart() -> None:
    ada, app = "entra:t:ada", "entra:t:app"
    found = measured(
        identities=[identity("ada", "human", id=ada), identity("app", "app", id=app), identity("svc")],
        permissions=[permission("svc", 1, 1, weight_max=10)],
        entitlements=[_role(ada, "Global Administrator", "standing", as_of=day(0)),
                      _role(ada, "User Administrator", "eligible", as_of=day(0)),
                      _role(ada, "user administrator", "activated", as_of=day(0), expires_at=day(-1)),
                      _role(ada, "Security Administrator", "timebound", as_of=day(0), expires_at=day(3)),
                      _role(ada, "Printer Technician", "standing", as_of=day(0)),
                      _role(app, "Application Administrator", "timebound", as_of=day(0), expires_at=day(-9))])
    assert counts(found, "PRV-06", "human") == (1, 2, 0, 0)
    assert members(found, "PRV-06", "numerator", "nhi") == {
        "svc|aws policies": "AWS policies give it a sensitive permission of weight 10 for good"}
    assert counts(found, "PRV-06", "nhi") == (1, 2, 0, 0)


def test_prv06_from_change_logs_alone_is_provisional_and_what_was_taken_back_is_gone() -> None:
    who = [f"entra:t:p{n}" for n in range(40)]
    found = measured(
        identities=[identity(w, "human", id=w) for w in who],
        entitlements=[_role(w, "Global Administrator", "standing", granted_at=day(20)) for w in who],
        decision_steps=[
            {"step_id": f"s{n}", "kind": "action", "time": day(20), "status": "succeeded", "source": "entra_audit",
             "effect_key": f"grant(role/ga|{w})", "record_id": f"rec-{w}-Global Administrator-standing"}
            for n, w in enumerate(who)] + [
            {"step_id": f"r{n}", "kind": "action", "time": day(9), "status": "succeeded", "source": "entra_audit",
             "effect_key": f"revoke(role/ga|{w})", "record_id": f"rec-revoke-{n}"} for n, w in enumerate(who[:8])])
    held = row(found, "PRV-06", "human")
    assert (held["numerator"], held["denominator"]) == (32, 32)
    assert (held["status"], held["reason"]) == ("provisional", "coverage_below_min")


def test_prv06_a_role_given_directly_past_pim_stands_until_it_is_removed() -> None:
    def given(number: int, verb: str, back: int, key: str | None = None) -> dict[str, Any]:
        role = "62e90394-69f5-4237-9190-012177145e10"
        return {"step_id": f"s{number}-{verb}", "kind": "action", "time": day(back), "status": "succeeded",
                "effect_key": f"{verb}(entra:t:role/{role}|p{number})", "target_key": f"entra:t:role/{role}|p{number}",
                "native_key_kind": key, "source": "entra_audit", "record_id": f"rec-{number}-{verb}"}

    found = measured(
        identities=[identity(f"p{n}", "human", id=f"entra:t:p{n}") for n in range(4)],
        aliases=[{"alias": "entra:t:p1", "id": "entra:t:p0", "rule": "declared", "tier": 3}],
        decision_steps=[given(0, "grant", 9), given(1, "grant", 8), given(2, "grant", 9), given(2, "revoke", 3),
                        given(3, "grant", 9, "pim_mirror")])
    assert members(found, "PRV-06", "numerator", "human").keys() == {"entra:t:p0|Global Administrator|/"}


def test_prv18_dormant_is_no_event_and_no_stated_use_in_90_days() -> None:
    names = ["idle", "busy", "stated", "new", "plain", "reaches"]
    found = measured(
        identities=[identity(n, created_at=day(10) if n == "new" else day(900),
                             last_seen_at=day(20) if n == "stated" else None) for n in names],
        permissions=[permission(n, 1, 1, weight_max=1 if n in ("plain", "reaches") else 10,
                                admin_equivalent=n == "reaches") for n in names],
        entitlements=[grant()], coverage=logs(120), usage=[use("busy", 89), use("idle", 91)])
    assert members(found, "PRV-18", "numerator") == {
        "idle": "last used on 2026-03-31", "reaches": "never seen in use"}
    assert members(found, "PRV-18", "denominator").keys() == {"idle", "busy", "stated", "reaches"}
    assert members(found, "PRV-18", "excluded") == {"new": "younger than the look-back"}


def test_prv18_of_whom_permissions_are_listed_and_the_way_to_control_is_open_it_is_unknown_whether_privileged() -> None:
    unseen = "no_source: no log names the permission by which something was done"
    found = measured(
        identities=[identity(n) for n in ("listed", "unlisted", "held")], entitlements=[grant()], coverage=logs(120),
        permissions=[permission("listed", 0, 0, weight_max=1, admin_equivalent=None, reason=unseen),
                     permission("unlisted", 0, 0, granted=None, weight_max=None, admin_equivalent=None, reason=unseen),
                     permission("held", 1, 1, weight_max=10)])
    held = row(found, "PRV-18")
    assert (held["denominator"], held["n_unknown"]) == (1, 1)
    assert members(found, "PRV-18", "excluded").keys() == {"unlisted"}


def test_prv18_89_days_of_logs_are_too_short() -> None:
    found = measured(identities=[identity(f"s{n}") for n in range(40)], entitlements=[grant()], coverage=logs(89),
                     permissions=[permission(f"s{n}", 1, 1, weight_max=10) for n in range(40)])
    held = row(found, "PRV-18")
    assert (held["status"], held["reason"], held["denominator"]) == ("not_scored", "lookback_too_short", 0)


def test_prv18_a_cluster_that_nothing_names_has_the_log_that_nothing_names_either() -> None:
    unnamed = [entry | {"tenant": None} for entry in logs(120)]
    found = measured(
        identities=[identity("idle", tenant=None), identity("busy", tenant=None)], entitlements=[grant()],
        permissions=[permission(name, 1, 1, weight_max=10) for name in ("idle", "busy")],
        coverage=unnamed, usage=[use("busy", 1), use("idle", 91)])
    assert members(found, "PRV-18", "numerator").keys() == {"idle"}
    assert members(found, "PRV-18", "denominator").keys() == {"idle", "busy"}


def test_a_snapshot_of_40_days_ago_is_stale() -> None:
    old = grant() | {"as_of": day(40)}
    found = measured(identities=[identity(f"s{n}") for n in range(40)], entitlements=[old],
                     permissions=[permission(f"s{n}", 1, 1) for n in range(40)])
    assert row(found, "PRV-05")["reason"] == "source_stale"
    assert row(found, "PRV-05")["snapshot_at"] == day(40)


def test_prv02_roles_where_actions_are_not_known_are_no_permissions_to_add_up() -> None:
    found = _held(permission("known", used=1, unused=3), permission(
        "roles", used=2, unused=7, granted_basis="assigned", reason="role_missing: roles/x"))
    assert counts(found, "PRV-02", "pooled") == (3, 4, 1, 0)
    assert members(found, "PRV-02", "unknown", "median") == {"roles": "roles/x"}


def test_prv01_what_is_counted_as_assigned_says_so() -> None:
    found = _held(permission("a", used=1, unused=3, granted_basis="assigned"))
    assert members(found, "PRV-01", "numerator", "a")["a"].endswith(
        "; counted as assigned, since what a role allows is not all known")
