"""Trusts, activations, holders, drift, environments, reuse, people and others' software (PRV-07, 08, 14 to 17, 19, 20)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lineage_analytics.metrics import words
from lineage_analytics.metrics.trusts import ties
from tests.test_metrics_estates import (
    activation,
    counts,
    day,
    decision,
    edge,
    event,
    grant,
    identity,
    logs,
    measured,
    members,
    node,
    permission,
    row,
    step,
    trust,
)

Rows = list[dict[str, Any]]
ROOT = "aws:222222222222:arn:aws:iam::222222222222:root"
OIDC = "aws:111122223333:arn:aws:iam::111122223333:oidc-provider/token.actions.githubusercontent.com"
ROLE = "aws:111122223333:AROA1"


# --- PRV-20 ----------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize(("condition", "tied"), [
    ({"StringEquals": {"sts:ExternalId": "x"}}, "sts:ExternalId"),
    ({"StringEquals": {"STS:externalid": ["x", "y"]}}, "STS:externalid"),
    ({"StringLike": {"token.actions.githubusercontent.com:sub": "repo:acme/*"}},
     "token.actions.githubusercontent.com:sub"),
    ({"StringEquals": {"token.actions.githubusercontent.com:aud": "sts.amazonaws.com"}},
     "token.actions.githubusercontent.com:aud"),
    ({"StringEquals": {"SAML:aud": "https://signin.aws.amazon.com/saml"}}, "SAML:aud"),
    ({"ForAnyValue:StringLike": {"accounts.google.com:sub": "1"}}, "accounts.google.com:sub"),
    ({"StringEquals": {"aws:PrincipalOrgID": "o-1"}}, "aws:PrincipalOrgID"),
    ({"StringLike": {"sts:ExternalId": "*"}}, None),
    ({"StringLike": {"x:sub": ["repo:a", "*"]}}, None),
    ({"StringNotEquals": {"sts:ExternalId": "x"}}, None),
    ({"StringEqualsIfExists": {"sts:ExternalId": "x"}}, None),
    ({"StringEqualsIfExists": {"x:sub": "repo:a"}}, "x:sub"),
    ({"Bool": {"aws:MultiFactorAuthPresent": "true"}}, None),
    ({"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}}, None),
    ({"Null": {"sts:ExternalId": "false"}}, None),
    ("no json", None), (None, None), ([1], None),
])
def test_what_ties_a_trust_to_somebody(condition: Any, tied: str | None) -> None:
    assert ties(condition if condition is None or isinstance(condition, str) else json.dumps(condition)) == tied


def test_prv20_of_4_across_a_boundary_2_are_open_services_and_the_own_account_are_no_other_side() -> None:
    rows = [
        trust("open", ROOT, scope=ROLE), trust("tied", ROOT, '{"StringEquals":{"sts:ExternalId":"x"}}', scope=f"{ROLE}2"),
        trust("any", "aws:111122223333:*", scope=f"{ROLE}3"),
        trust("ci", OIDC, '{"StringLike":{"token.actions.githubusercontent.com:sub":"repo:acme/*"}}',
              scope=f"{ROLE}4", privilege="sts:AssumeRoleWithWebIdentity"),
        trust("svc", "aws:service:lambda.amazonaws.com", scope=f"{ROLE}5"),
        trust("own", "aws:111122223333:arn:aws:iam::111122223333:root", scope=f"{ROLE}6")]
    found = measured(entitlements=rows)
    assert counts(found, "PRV-20") == (2, 4, 0, 0)
    assert set(members(found, "PRV-20", "numerator").values()) == {
        "account 222222222222: no condition on an external id, an audience or a subject",
        "everybody: no condition on an external id, an audience or a subject"}


def test_prv20_of_two_statements_for_one_pair_the_open_one_counts_and_deny_is_no_trust() -> None:
    tied = trust("a", ROOT, '{"StringEquals":{"sts:ExternalId":"x"}}', scope=ROLE, record_id="rec-1")
    found = measured(entitlements=[tied, trust("a", ROOT, scope=ROLE, record_id="rec-2"),
                                   trust("b", ROOT, scope=f"{ROLE}2", effect="deny")])
    assert counts(found, "PRV-20") == (1, 1, 0, 0)


def test_prv20_trusts_inside_the_account_alone_are_none_and_no_trust_policy_is_no_source() -> None:
    inside = measured(entitlements=[trust("own", "aws:111122223333:arn:aws:iam::111122223333:root", scope=ROLE)])
    assert row(inside, "PRV-20")["reason"] == "denominator_below_min"
    assert row(measured(entitlements=[grant()]), "PRV-20")["reason"] == "no_source"


def test_prv20_a_whole_pool_of_google_cloud_is_unknown_and_a_subject_ties() -> None:
    pool = "gcp::principalSet://iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/"
    rows = [{"principal_id": f"{pool}{who}", "grant_kind": "role", "privilege": "roles/iam.workloadIdentityUser",
             "scope": f"sa-{n}", "effect": "allow", "provider": "gcp", "source": "gcp_iam", "record_id": f"rec-{n}"}
            for n, who in enumerate(("*", "attribute.repository/acme/x"))]
    assert counts(measured(entitlements=rows), "PRV-20") == (0, 1, 1, 0)


# --- PRV-07 ----------------------------------------------------------------------------------------------------------

def _activated(*made: dict[str, Rows]) -> Any:
    parts = {name: [one for each in made for one in each[name]] for name in ("cases", "steps", "decision_steps")}
    return measured(cases=parts["cases"], steps=parts["steps"], decision_steps=parts["decision_steps"])


def test_prv07_of_6_activations_1_is_good_3_are_not_2_cannot_be_told() -> None:
    found = _activated(
        activation("good", 1), activation("own", 1, independent="no"),
        activation("nobody", 1, independent="unknown", verdict="absent"), activation("silent", 1, why=False),
        activation("twin", 1, independent="by_account_only"), activation("fieldless", 1, why=None),
        activation("long ago", 31))
    assert counts(found, "PRV-07") == (1, 4, 2, 0)
    assert members(found, "PRV-07", "denominator")["dec-silent"] == "approved by somebody else, without a reason"
    assert members(found, "PRV-07", "unknown").keys() == {"dec-twin", "dec-fieldless"}


# --- PRV-08 ----------------------------------------------------------------------------------------------------------

def _top(who: str, state: str = "standing", **more: Any) -> dict[str, Any]:
    return {"principal_id": f"entra:t:{who}", "grant_kind": "role", "privilege": "Global Administrator", "scope": "/",
            "effect": "allow", "state": state, "as_of": day(0), "provider": "entra", "tenant": "t",
            "source": "entra_directory", "record_id": f"rec-{who}"} | more


def _people(*names: str, kind: str = "human") -> Rows:
    return [identity(name, kind, id=f"entra:t:{name}", provider="entra", tenant="t") for name in names]


def test_prv08_active_eligible_and_group_members_count_once_each_and_a_group_without_members_is_unknown() -> None:
    member = {"principal_id": "entra:t:cy", "grant_kind": "membership", "scope": "entra:t:admins", "effect": "allow",
              "provider": "entra", "record_id": "rec-member", "source": "entra_directory"}
    found = measured(
        identities=[*_people("ada", "bo", "cy"), *_people("admins", "dark", kind="group"), *_people("bot", kind="app")],
        entitlements=[_top("ada"), _top("ada", "eligible"), _top("bo", "eligible"), _top("bot"), _top("admins"),
                      _top("dark"), member, _top("bo", privilege="Reader")])
    held_row = row(found, "PRV-08")
    assert (held_row["value"], held_row["n_unknown"], held_row["status"]) == (4, 1, "scored")
    assert members(found, "PRV-08", "numerator")["entra:t:cy"] == "permanent, through the group entra:t:admins"
    assert row(found, "PRV-08", "break_glass")["reason"] == "definition_not_met"


def test_prv08_nobody_is_none_where_a_listing_is_loaded_and_not_scored_where_none_is() -> None:
    listing = measured(identities=_people("ada"), entitlements=[_top("ada", privilege="Security Reader")])
    assert words.measure_words(row(listing, "PRV-08")) == "none"
    assert row(measured(identities=_people("ada")), "PRV-08")["reason"] == "no_source"


# --- PRV-19 ----------------------------------------------------------------------------------------------------------

def _drifted(*changes: tuple[str, str, str], people: int = 100, expires: dict[str, int] | None = None) -> Any:
    cases = [decision(name, 3, change_class=verb, target_key=target, operation="op") for name, verb, target in changes]
    ends = [{"step_id": f"step-{name}", "kind": "action", "time": day(3), "record_id": f"rec-{name}",
             "source": "entra_audit", "expires_at": day(back)} for name, back in (expires or {}).items()]
    return measured(cases=cases, steps=[step(name) for name, _, _ in changes], decision_steps=ends,
                    identities=[identity(f"s{n}") for n in range(people)])


GA, READER = "entra:t:role/62e90394-69f5-4237-9190-012177145e10|p", "entra:t:role/no such role|p"


def test_prv19_3_grants_less_1_removal_over_100_identities_is_2_per_100_and_both_flows_show() -> None:
    found = _drifted(("a", "grant", GA), ("b", "grant", f"{GA}2"), ("c", "grant", f"{GA}3"), ("d", "revoke", f"{GA}4"))
    assert [row(found, "PRV-19", scope)["value"] for scope in ("grants", "removals", "net")] == [3.0, 1.0, 2.0]
    net = row(found, "PRV-19", "net")
    assert (net["numerator"], net["denominator"], net["unit"], net["status"]) == (2, 100, "per_100", "scored")
    assert words.measure_words(net).startswith("+2 in the window: 2 for each 100 of 100 (between ")


def test_prv19_what_cannot_be_weighed_is_unknown_and_widens_each_side_by_its_sign() -> None:
    found = _drifted(("a", "grant", GA), ("b", "revoke", f"{GA}2"), ("u", "grant", READER), ("v", "revoke", READER))
    net = row(found, "PRV-19", "net")
    assert (net["value"], net["worst_case"], net["best_case"], net["n_unknown"]) == (0.0, 1.0, -1.0, 2)


def test_prv19_a_grant_that_ended_in_the_window_is_a_removal_unless_somebody_removed_it_before() -> None:
    ended = _drifted(("a", "grant", GA), expires={"a": 1})
    assert [row(ended, "PRV-19", scope)["numerator"] for scope in ("grants", "removals", "net")] == [1, 1, 0]
    assert members(ended, "PRV-19", "numerator", "removals") == {
        "dec-a|ended": "ended on its own: role Global Administrator"}


def test_prv19_activations_are_excluded_and_9_identities_are_too_few() -> None:
    found = _activated(activation("x", 2))
    assert row(found, "PRV-19", "net")["reason"] == "no_source"
    few = _drifted(("a", "grant", GA), people=9)
    assert row(few, "PRV-19", "net")["reason"] == "denominator_below_min"


# --- PRV-14, PRV-15, PRV-16, PRV-17 --------------------------------------------------------------------------------------

def test_prv14_use_or_grant_in_both_environments_one_of_which_none_is_known_is_unknown() -> None:
    found = measured(
        identities=[identity("p", environment="prod"), identity("t", environment="non-prod"), identity("user"),
                    identity("holder", environment="non-prod"), identity("dark"), identity("maybe", environment="prod")],
        nodes=[node(n) for n in ("p", "t", "holder", "maybe")],
        edges=[edge("holder", "p"), edge("maybe", "t", "conditional")], entitlements=[grant()], coverage=logs(120),
        activity=[event("user", 3, resource_id="aws:1:p"), event("user", 4, resource_id="aws:1:t"),
                  event("p", 3, resource_id="aws:1:t", outcome="denied")])
    assert members(found, "PRV-14", "numerator") == {
        "holder": "non-prod (itself); prod (may become or control p)", "user": "non-prod (used t); prod (used p)"}
    assert counts(found, "PRV-14") == (2, 5, 1, 0)


def test_prv15_a_fleet_of_one_app_in_one_network_is_one_workload_two_networks_or_apps_are_two() -> None:
    def used(key: str, *ways: tuple[str | None, str | None]) -> Rows:
        return [event("svc", n + 1, number, credential_id=key, client=client, ip=ip)
                for number, (n, (client, ip)) in enumerate(enumerate(ways), start=sum(map(ord, key)))]

    found = measured(identities=[identity("svc")], coverage=logs(120), activity=[
        *used("AKIAFLEET", ("Boto3/1.1", "198.51.100.7"), ("Boto3/1.2", "198.51.100.9")),
        *used("AKIAPRIV", ("Boto3/1.1", "10.1.2.3"), ("Boto3/1.1", "10.200.2.3")),
        *used("AKIANETS", ("Boto3/1.1", "198.51.100.7"), ("Boto3/1.1", "203.0.113.7")),
        *used("AKIAAPPS", ("Boto3/1.1", "198.51.100.7"), ("aws-cli/2", "198.51.100.7")),
        *used("AKIADARK", (None, None)), *used("ASIASESSION", ("a", "198.51.100.7"), ("b", "203.0.113.7"))])
    assert members(found, "PRV-15", "numerator").keys() == {"AKIANETS", "AKIAAPPS"}
    assert counts(found, "PRV-15") == (2, 4, 1, 0)


def test_prv16_a_console_sign_in_or_a_browser_is_a_person_a_name_is_not_and_no_log_is_unknown() -> None:
    found = measured(
        identities=[identity("console"), identity("browser"), identity("john.smith"), identity("failed"),
                    identity("ada", "human"), identity("far", tenant="2")],
        coverage=logs(120), activity=[
            event("console", 1, action="signin:ConsoleLogin"), event("browser", 2, client="Mozilla/5.0 (X11)"),
            event("john.smith", 3, client="Boto3/1.34"), event("failed", 4, action="signin:ConsoleLogin", outcome="failure"),
            event("ada", 5, action="signin:ConsoleLogin"), event("console", 40, action="signin:ConsoleLogin")])
    assert counts(found, "PRV-16") == (2, 4, 1, 0)
    assert members(found, "PRV-16", "numerator")["console"] == (
        "1 sessions of people, the first on 2026-06-29: signed in to the console")


def test_prv17_another_directorys_application_is_external_an_unlisted_publisher_is_unknown() -> None:
    def app(name: str) -> dict[str, Any]:
        return identity(name, "app", id=f"entra:t:{name}", provider="entra", tenant="t", subkind="service_principal")

    def publisher(name: str, directory: str) -> dict[str, Any]:
        return {"id": f"entra:t:publisher/{name}", "kind": "publisher", "parent_id": f"entra:t:{name}",
                "attributes": json.dumps({"directory": directory}), "provider": "entra", "record_id": f"rec-p-{name}"}

    names = ("ours", "theirs", "harmless", "unlisted")
    rows = [permission(name, 1, 1, weight_max=0 if name == "harmless" else 10) | {"principal_id": f"entra:t:{name}"}
            for name in names]
    found = measured(identities=[app(name) for name in names], permissions=rows, entitlements=[grant()],
                     resources=[publisher("ours", "t"), publisher("theirs", "x"), publisher("harmless", "x")])
    assert counts(found, "PRV-17") == (1, 2, 1, 0)
    assert members(found, "PRV-17", "numerator") == {
        "entra:t:theirs": "its application belongs to directory x: holds sensitive permissions (weight 10)"}


def test_prv17_a_role_for_an_outside_account_is_a_suppliers_under_an_external_id_else_unknown() -> None:
    roles = [identity(name, "workload", id=f"aws:111122223333:{name}", tenant="111122223333") for name in ("v", "w", "own")]
    rows = [permission(name, 1, 1, weight_max=10) | {"principal_id": f"aws:111122223333:{name}"} for name in ("v", "w", "own")]
    found = measured(identities=roles, permissions=rows, entitlements=[
        trust("v", ROOT, '{"StringEquals":{"sts:ExternalId":"x"}}', scope="aws:111122223333:v"),
        trust("w", ROOT, scope="aws:111122223333:w"),
        trust("own", "aws:111122223333:arn:aws:iam::111122223333:root", scope="aws:111122223333:own")])
    assert counts(found, "PRV-17") == (1, 1, 1, 0)
