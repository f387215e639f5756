"""Ways across providers: Identity Center, workflows of repositories, hybrid accounts, sign-in by another directory."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from itertools import product
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lineage_analytics as la
from lineage_analytics.facts import Facts
from lineage_analytics.graphs.access import AccessLineage, access_lineage
from lineage_analytics.graphs.access.workflows import covers
from lineage_analytics.tables import ACCOUNTS, CREDENTIALS, ENTITLEMENTS, IDENTITIES, RESOURCES, Table, conform

if TYPE_CHECKING:
    from pathlib import Path

AS_OF = datetime(2026, 6, 30, tzinfo=UTC)
ACCOUNT = "111122223333"
SET = "arn:aws:sso:::permissionSet/ssoins-1/ps-1"
ANN, TEAM = "aws:d-1:ann", "aws:d-1:team"
ROLE = f"aws:{ACCOUNT}:AROA1"
ROLE_ARN = f"arn:aws:iam::{ACCOUNT}:role/aws-reserved/sso.amazonaws.com/eu-west-1/AWSReservedSSO_My_Admins_0123456789abcdef"


def table(rows: list[dict[str, Any]], of: Table) -> pl.DataFrame:
    return conform(pl.DataFrame(rows, infer_schema_length=None), of) if rows else of.empty()


def facts(entitlements: list[dict[str, Any]] = [], identities: list[dict[str, Any]] = [],  # noqa: B006
          **others: list[dict[str, Any]]) -> Facts:
    shapes = {"resources": RESOURCES, "accounts": ACCOUNTS, "credentials": CREDENTIALS}
    frames: dict[str, Any] = {name: table(rows, shapes[name]) for name, rows in others.items()}
    return Facts.of(AS_OF, entitlements=table(entitlements, ENTITLEMENTS), identities=table(identities, IDENTITIES),
                    **frames)


def graph(*args: Any, **more: Any) -> AccessLineage:
    return access_lineage(facts(*args, **more))


def edge(lineage: AccessLineage, src: str, dst: str) -> dict[str, Any] | None:
    found = lineage.edges.filter((pl.col("src") == src) & (pl.col("dst") == dst))
    return found.row(0, named=True) if found.height else None


def reached(lineage: AccessLineage, src: str, dst: str) -> str | None:
    found = lineage.blast_radius(src).filter(pl.col("node_id") == dst)
    return str(found["state"].item()) if found.height else None


# --- Identity Center -------------------------------------------------------------------------------------------------


def assigned(holder: str, arn: str = SET) -> dict[str, Any]:
    return {"principal_id": holder, "grant_kind": "role", "privilege": arn, "scope": f"aws:{ACCOUNT}:account",
            "effect": "allow", "state": "standing", "provider": "aws", "source": "aws_identity_center",
            "record_id": f"rec-assign-{holder[-4:]}"}


def member(who: str, group: str, source: str = "aws_identity_center", provider: str = "aws") -> dict[str, Any]:
    return {"principal_id": who, "grant_kind": "membership", "scope": group, "effect": "allow", "state": "standing",
            "provider": provider, "source": source, "record_id": f"rec-member-{who[-4:]}"}


def user(identity: str, kind: str = "human", **more: Any) -> dict[str, Any]:
    provider, tenant, _ = identity.split(":", 2)
    return {"id": identity, "kind": kind, "provider": provider, "tenant": tenant, **more}


def role(identity: str = ROLE, arn: str = ROLE_ARN, **more: Any) -> dict[str, Any]:
    return user(identity, "role", display_name=arn.rsplit("/", 1)[-1], alt_ids=[{"kind": "arn", "value": arn}], **more)


def permission_set(name: str | None = "My_Admins", **attributes: Any) -> dict[str, Any]:
    return {"id": f"aws:ssoins-1:{SET}", "kind": "permission_set", "display_name": name, "record_id": "rec-set",
            "provider": "aws", "attributes": msgspec.json.encode(attributes).decode() if attributes else None}


def test_a_user_becomes_the_role_its_permission_set_made_in_the_account() -> None:
    found = edge(graph([assigned(ANN)], [user(ANN), role()], resources=[permission_set()]), ANN, ROLE)
    assert found is not None
    assert (found["rel"], found["state"]) == ("may_assume", "proved")
    assert found["reason"] == f"has the permission set My_Admins over account {ACCOUNT}"
    assert found["record_ids"] == ["rec-assign-:ann", "rec-set"]


def test_members_of_a_group_become_its_role_and_others_do_not() -> None:
    lineage = graph([assigned(TEAM), member(ANN, TEAM)], [user(ANN), user("aws:d-1:bob"), user(TEAM, "group"), role()],
                    resources=[permission_set()])
    assert reached(lineage, ANN, ROLE) == "proved"
    assert reached(lineage, "aws:d-1:bob", ROLE) is None


def test_a_set_of_another_name_or_a_role_of_another_account_is_not_the_one() -> None:
    other = "aws:444455556666:AROA2"
    roles = [role(other, ROLE_ARN.replace(ACCOUNT, "444455556666")),
             role(f"aws:{ACCOUNT}:AROA3", ROLE_ARN.replace("My_Admins", "Admins"))]
    lineage = graph([assigned(ANN)], [user(ANN), *roles], resources=[permission_set()])
    assert reached(lineage, ANN, other) is None
    assert reached(lineage, ANN, f"aws:{ACCOUNT}:AROA3") is None


def test_a_role_in_no_file_is_stood_for_and_reaches_the_account_only_if_nothing_limits_it() -> None:
    lineage = graph([assigned(ANN)], [user(ANN)], resources=[
        permission_set(policies=["arn:aws:iam::aws:policy/AdministratorAccess"])])
    standing = f"aws:{ACCOUNT}:permission_set:{SET}"
    assert reached(lineage, ANN, standing) == "proved"
    assert reached(lineage, ANN, f"aws:{ACCOUNT}:account") == "conditional"


def test_a_set_whose_name_is_not_loaded_is_no_role_that_is_listed() -> None:
    lineage = graph([assigned(ANN)], [user(ANN), role()])
    assert reached(lineage, ANN, ROLE) is None
    assert reached(lineage, ANN, f"aws:{ACCOUNT}:permission_set:{SET}") == "proved"


def test_two_roles_of_one_set_are_both_only_possible_unless_an_inventory_lists_one() -> None:
    again = role(f"aws:{ACCOUNT}:AROA9", ROLE_ARN.replace("0123456789abcdef", "fedcba9876543210"))
    both = graph([assigned(ANN)], [user(ANN), role(), again], resources=[permission_set()])
    assert {reached(both, ANN, ROLE), reached(both, ANN, again["id"])} == {"conditional"}
    listed = graph([assigned(ANN)], [user(ANN), role(grants_listed=True), again], resources=[permission_set()])
    assert (reached(listed, ANN, ROLE), reached(listed, ANN, again["id"])) == ("proved", None)


def test_a_disabled_user_gets_there_only_when_it_is_enabled() -> None:
    lineage = graph([assigned(TEAM), member(ANN, TEAM)], [user(ANN, enabled=False), role()],
                    resources=[permission_set()])
    assert reached(lineage, ANN, ROLE) == "conditional"


def test_an_account_of_the_same_person_signs_in_as_the_user_only_if_its_directory_is_the_source() -> None:
    people = [user(ANN, subkind="idc_user"), user("entra:t:ann"), role()]
    joined = [{"account_id": who, "person_id": "ann", "rule": "declared", "tier": 3, "record_ids": ["rec-declared"]}
              for who in (ANN, "entra:t:ann")]
    lineage = graph([assigned(ANN)], people, resources=[permission_set()], accounts=joined)
    assert reached(lineage, "entra:t:ann", ROLE) == "conditional"
    guessed = [{**row, "tier": 2, "rule": "equal_address"} for row in joined]
    assert reached(graph([assigned(ANN)], people, resources=[permission_set()], accounts=guessed),
                   "entra:t:ann", ROLE) is None


def test_who_reaches_which_role_is_what_the_files_say_when_read_by_hand(tmp_path: Path) -> None:
    dice = np.random.default_rng(11)
    users, groups = [f"{at:08d}-aaaa-bbbb-cccc-000000000000" for at in range(40)], [
        f"{at:08d}-dddd-eeee-ffff-000000000000" for at in range(5)]
    sets = {f"arn:aws:sso:::permissionSet/ssoins-0123456789abcdef/ps-{at:016x}": f"Set_{at}" for at in range(4)}
    members = [(group, user) for group in groups for user in dice.permutation(users)[:6].tolist()]
    assigned = [(arn, str(dice.choice(held)), sort) for arn in sets for held, sort in ((groups, "GROUP"), (users, "USER"))]
    roles = {name: (f"AROA{at:016d}", f"arn:aws:iam::{ACCOUNT}:role/aws-reserved/sso.amazonaws.com/"
                    f"AWSReservedSSO_{name}_{at:016x}") for at, name in enumerate(sets.values())}
    store = {"IdentityStoreId": "d-0123456789"}
    write = {
        "users.json": {"Users": [{"UserId": one, "UserName": f"u{one[:8]}", **store} for one in users]},
        "groups.json": {"Groups": [{"GroupId": one, "DisplayName": one, **store} for one in groups]},
        "members.json": {"GroupMemberships": [
            {"GroupId": group, "MemberId": {"UserId": user}, "MembershipId": f"{group}{user}", **store}
            for group, user in members]},
        **{f"set{at}.json": {"PermissionSet": {"PermissionSetArn": arn, "Name": name}}
           for at, (arn, name) in enumerate(sets.items())},
        "assigned.json": {"AccountAssignments": [
            {"AccountId": ACCOUNT, "PermissionSetArn": arn, "PrincipalId": who, "PrincipalType": sort}
            for arn, who, sort in assigned]},
        "iam.json": {"UserDetailList": [], "GroupDetailList": [], "Policies": [], "RoleDetailList": [
            {"RoleName": arn.rsplit("/", 1)[-1], "RoleId": native, "Arn": arn, "Path": "/", "RolePolicyList": [],
             "CreateDate": "2024-01-01T00:00:00Z", "AttachedManagedPolicies": [], "AssumeRolePolicyDocument": {
                 "Version": "2012-10-17", "Statement": []}} for native, arn in roles.values()]}}
    for name, content in write.items():
        (tmp_path / name).write_bytes(msgspec.json.encode(content))
    lineage = la.access_lineage(la.read(tmp_path, as_of=AS_OF))
    for user_id in users:
        mine = {user_id, *(group for group, one in members if one == user_id)}
        wanted = {roles[sets[arn]][0] for arn, who, _ in assigned if who in mine}
        found = lineage.blast_radius(f"aws:d-0123456789:{user_id}").filter(pl.col("state") == "proved")["node_id"]
        assert {node.rsplit(":", 1)[-1] for node in found if ":AROA" in node} == wanted


# --- workflows of repositories ---------------------------------------------------------------------------------------

DEPLOY = f"aws:{ACCOUNT}:AROADEPLOY"
OIDC = f"aws:{ACCOUNT}:arn:aws:iam::{ACCOUNT}:oidc-provider/token.actions.githubusercontent.com"
REPO = "github:7:repo/42"


def trust(condition: str | None, target: str = DEPLOY, trusted: str = OIDC, **more: Any) -> dict[str, Any]:
    return {"principal_id": trusted, "grant_kind": "trust", "privilege": "sts:AssumeRoleWithWebIdentity",
            "scope": target, "effect": "allow", "condition": condition, "provider": "aws", "record_id": "rec-trust",
            **more}


def subject(value: str, operator: str = "StringLike", **more: str) -> str:
    key = "token.actions.githubusercontent.com"
    return msgspec.json.encode({operator: {f"{key}:sub": value, f"{key}:aud": "sts.amazonaws.com", **more}}).decode()


def repository(identity: str = REPO, label: str = "Acme/shop") -> dict[str, Any]:
    return {"id": identity, "kind": "repository", "display_name": label, "provider": "github"}


def from_repo(condition: str | None, **more: Any) -> dict[str, Any]:
    lineage = graph([trust(condition, **more)], [role(DEPLOY, f"arn:aws:iam::{ACCOUNT}:role/deploy")],
                    resources=[repository()])
    known = lineage.nodes["node_id"].to_list()
    return {node: state for node in (REPO, "github::anybody") if node in known
            and (state := reached(lineage, node, DEPLOY)) is not None}


def test_any_workflow_of_the_repository_acts_as_a_role_that_trusts_all_it_runs() -> None:
    assert from_repo(subject("repo:acme/shop:*")) == {REPO: "proved"}


def test_a_subject_that_names_a_branch_is_a_condition() -> None:
    assert from_repo(subject("repo:acme/shop:ref:refs/heads/main", "StringEquals")) == {REPO: "conditional"}


def test_another_condition_beside_the_subject_is_kept() -> None:
    assert from_repo(subject("repo:acme/shop:*", **{"token.actions.githubusercontent.com:actor": "ann"})) == {
        REPO: "conditional"}


def test_a_pattern_covers_the_repositories_of_the_owner_it_names() -> None:
    assert from_repo(subject("repo:acme/*")) == {REPO: "proved"}
    assert from_repo(subject("repo:acme/web*:*")) == {}


def test_a_pattern_whose_end_asks_for_a_branch_is_a_condition_of_every_repository_it_covers() -> None:
    assert from_repo(subject("repo:acme/*main")) == {REPO: "conditional"}
    assert from_repo(subject("repo:acme/*:environment:prod")) == {REPO: "conditional"}


def test_a_subject_that_names_nothing_that_runs_is_one_no_token_has() -> None:
    assert from_repo(subject("repo:acme/shop")) == {}


@settings(max_examples=300, deadline=None)
@given(st.text("ab*?:/", min_size=1, max_size=8), st.sampled_from(["a", "ab", "b/a", "a/b"]))
def test_a_pattern_covers_a_repository_when_a_regular_expression_finds_a_subject_it_matches(
        pattern: str, name: str) -> None:
    fits = re.compile("".join(".*" if sign == "*" else "." if sign == "?" else re.escape(sign) for sign in pattern))
    tails = [f"{name}:{''.join(tail)}" for size in range(8) for tail in product("ab:/", repeat=min(size, 3))]
    some = [tail for tail in tails if fits.fullmatch(tail)]
    answer = covers(pattern, name)
    if answer is None:
        assert not some
    if some:
        assert answer is not None
    if answer:
        assert len(some) == len(tails)


def test_an_owner_left_open_lets_anybody_at_github_in_and_the_reason_says_so() -> None:
    assert from_repo(subject("repo:*")) == {REPO: "proved", "github::anybody": "proved"}
    assert from_repo(subject("repo:acme*/shop:*")) == {REPO: "proved", "github::anybody": "conditional"}
    assert from_repo(None) == {REPO: "proved", "github::anybody": "proved"}
    lineage = graph([trust(subject("repo:*"))], resources=[repository()])
    found = lineage.edges.filter(pl.col("dst") == DEPLOY)["reason"].to_list()
    assert any("anybody can name an owner and a repository so" in reason for reason in found)


def test_a_wildcard_the_operator_takes_to_the_letter_lets_nobody_in() -> None:
    assert from_repo(subject("repo:acme/*", "StringEquals")) == {}


@pytest.mark.parametrize("condition", ["{", "[1]", '"text"', '{"StringLike":[]}', '{"StringEquals":{"x":["a"]}}'])
def test_a_condition_that_cannot_be_read_or_is_of_another_form_is_never_met_for_sure(condition: str) -> None:
    assert from_repo(condition) == {REPO: "conditional", "github::anybody": "conditional"}
    assert reached(through_entra(app_role("entra:t:ann"), condition=condition), "entra:t:ann",
                   f"aws:{ACCOUNT}:AROAOPS") == "conditional"


def test_a_role_whose_trust_policy_also_denies_is_conditional() -> None:
    lineage = graph([trust(subject("repo:acme/shop:*")), trust(None, effect="deny")], resources=[repository()])
    assert reached(lineage, REPO, DEPLOY) == "conditional"


def test_a_repository_no_file_lists_is_a_node_of_its_own() -> None:
    lineage = graph([trust(subject("repo:acme/other:*"))], resources=[repository()])
    assert reached(lineage, "github:acme:repo/acme/other", DEPLOY) == "proved"


def test_a_federated_credential_of_an_application_is_such_a_trust() -> None:
    lineage = graph(resources=[repository()], credentials=[
        {"identity_id": "entra:t:app", "kind": "federated", "issuer": "https://token.actions.githubusercontent.com",
         "subject": "repo:acme/shop:environment:prod", "record_id": "rec-cred"}])
    assert reached(lineage, REPO, "entra:t:app") == "conditional"


# --- hybrid accounts and applications that sign in to AWS ------------------------------------------------------------


def test_a_synchronised_account_is_reached_from_its_home_only_under_a_condition() -> None:
    sid = "S-1-5-21-1-2-3-1104"
    lineage = graph([], [user(f"ad:S-1-5-21-1-2-3:{sid}"), user("entra:t:ann", alt_ids=[{"kind": "sid", "value": sid}])])
    assert reached(lineage, f"ad:S-1-5-21-1-2-3:{sid}", "entra:t:ann") == "conditional"
    assert reached(lineage, "entra:t:ann", f"ad:S-1-5-21-1-2-3:{sid}") == "conditional"


@pytest.mark.parametrize(("person", "name", "answer"), [
    ("ann", "ann@acme.com", "conditional"), ("ann", "ann-admin@acme.com", None), ("bob", "ann@acme.com", None),
    (None, "ann@acme.com", None)])
def test_accounts_declared_of_one_person_may_be_one_account_where_they_have_one_name(
        person: str | None, name: str, answer: str | None) -> None:
    home, cloud = "ad:S-1-5-21-1-2-3:S-1-5-21-1-2-3-1104", "entra:t:ann"
    lineage = graph([], [user(home, person_id="ann", alt_ids=[{"kind": "upn", "value": "Ann@acme.com"}]),
                         user(cloud, person_id=person, alt_ids=[{"kind": "upn", "value": name}])])
    assert reached(lineage, home, cloud) == answer


SAML = f"arn:aws:iam::{ACCOUNT}:saml-provider/Entra"
ROLE_PLAIN = f"arn:aws:iam::{ACCOUNT}:role/Ops"


def through_entra(*grants: dict[str, Any], condition: str | None = None, trusts: bool = True) -> AccessLineage:
    offered = {"id": "entra:t:app_role/sp/r-1", "kind": "app_role", "parent_id": "entra:t:sp", "provider": "entra",
               "attributes": f'{{"value":"{ROLE_PLAIN},{SAML}"}}', "record_id": "rec-offered"}
    held = [trust(condition, f"aws:{ACCOUNT}:AROAOPS", f"aws:{ACCOUNT}:{SAML}")] if trusts else []
    return graph([*grants, *held], [role(f"aws:{ACCOUNT}:AROAOPS", ROLE_PLAIN), user("entra:t:ann"),
                                    user("entra:t:inner", "group"), user("entra:t:group", "group")],
                 resources=[offered])


def app_role(holder: str) -> dict[str, Any]:
    return {"principal_id": holder, "grant_kind": "app_role", "privilege": "r-1", "scope": "entra:t:sp",
            "effect": "allow", "provider": "entra", "record_id": "rec-assigned"}


def test_who_is_assigned_the_pair_of_role_and_provider_becomes_the_role() -> None:
    ops = f"aws:{ACCOUNT}:AROAOPS"
    assert reached(through_entra(app_role("entra:t:ann")), "entra:t:ann", ops) == "proved"
    audience = '{"StringEquals":{"SAML:aud":"https://signin.aws.amazon.com/saml"}}'
    assert reached(through_entra(app_role("entra:t:ann"), condition=audience), "entra:t:ann", ops) == "proved"
    asked = '{"StringEquals":{"SAML:sub":"somebody"}}'
    assert reached(through_entra(app_role("entra:t:ann"), condition=asked), "entra:t:ann", ops) == "conditional"
    assert reached(through_entra(app_role("entra:t:ann"), trusts=False), "entra:t:ann", ops) == "conditional"


def test_direct_members_of_an_assigned_group_become_it() -> None:
    inside = member("entra:t:ann", "entra:t:group", "entra_directory", "entra")
    ops = f"aws:{ACCOUNT}:AROAOPS"
    assert reached(through_entra(app_role("entra:t:group"), inside), "entra:t:ann", ops) == "proved"
    deeper = [member("entra:t:ann", "entra:t:inner", "entra_directory", "entra"),
              member("entra:t:inner", "entra:t:group", "entra_directory", "entra")]
    # Groups in groups are not assigned; who can change the members of the group is.
    assert reached(through_entra(app_role("entra:t:group"), *deeper), "entra:t:ann", ops) == "conditional"
    assert reached(through_entra(app_role("entra:t:group")), "entra:t:group", ops) == "conditional"


def test_a_role_that_also_denies_is_reached_through_an_application_only_under_a_condition() -> None:
    ops = f"aws:{ACCOUNT}:AROAOPS"
    denies = trust('{"Bool":{"aws:MultiFactorAuthPresent":"false"}}', ops, "aws::*", effect="deny")
    assert reached(through_entra(app_role("entra:t:ann"), denies), "entra:t:ann", ops) == "conditional"


def test_an_application_of_okta_named_after_aws_leads_to_the_provider_only_under_a_condition() -> None:
    provider = f"aws:{ACCOUNT}:arn:aws:iam::{ACCOUNT}:saml-provider/Okta"
    assigned_app = {"principal_id": "okta:o:ann", "grant_kind": "app_role", "privilege": "user", "scope": "okta:o:app",
                    "provider": "okta", "record_id": "rec-app"}
    lineage = graph([trust(None, DEPLOY, provider), assigned_app],
                    [user("okta:o:ann"), user("okta:o:app", "app", display_name="AWS Account Federation")])
    assert reached(lineage, "okta:o:ann", DEPLOY) == "conditional"


def test_the_same_rows_in_any_order_give_the_same_edges() -> None:
    grants = [assigned(ANN), assigned(TEAM), member(ANN, TEAM), trust(subject("repo:acme/*")), app_role("entra:t:ann"),
              trust(subject("repo:acme/shop:*"), ROLE), trust(None, DEPLOY, f"aws:{ACCOUNT}:{SAML}")]
    people = [user(ANN, subkind="idc_user"), user(TEAM, "group"), role(), role(DEPLOY, ROLE_PLAIN), user("entra:t:ann")]
    stated = [repository(), permission_set(), repository("opengraph::R_1", "acme/shop")]
    first = graph(grants, people, resources=stated)
    for seed in range(5):
        dice = np.random.default_rng(seed)
        rows = [[held[at] for at in dice.permutation(len(held))] for held in (grants, people, stated)]
        again = graph(rows[0], rows[1], resources=rows[2])
        assert again.edges.equals(first.edges)
        assert again.nodes.equals(first.nodes)
