"""Escalation over AWS services: passing roles, what already runs with a role, permission sets, boundaries."""

from __future__ import annotations

import json
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.test_access_lineage import (
    ADMIN,
    ANN,
    APP,
    BOB,
    DEPLOY,
    EVERYONE,
    IS_ADMIN,
    OPS,
    A,
    B,
    account_trusts,
    admin,
    allows,
    arn,
    build,
    edge,
    identity,
    reaches,
    row,
    trusts,
)

LAMBDA = "lambda.amazonaws.com"
FUNCTION = ["lambda:CreateFunction", "lambda:InvokeFunction"]


def by_service(role: dict[str, Any], service: str = LAMBDA, **more: Any) -> list[dict[str, Any]]:
    return trusts(role, f"aws:service:{service}", **more)


def passed_to(*services: str, operator: str = "StringEquals") -> str:
    return json.dumps({operator: {"iam:PassedToService": list(services) if len(services) > 1 else services[0]}})


# --- the pair ----------------------------------------------------------------------------------------------------------


def test_passing_a_role_to_a_function_one_creates_and_calls_is_becoming_it() -> None:
    lineage = build(by_service(DEPLOY), allows(ANN, ["iam:PassRole"], [arn(DEPLOY)], policy="p"),
                    allows(ANN, FUNCTION, policy="f"))
    found = edge(lineage, ANN, "may_assume", DEPLOY)
    assert found is not None
    assert (found["state"], found["technique"]) == (
        "proved", "create a function that runs as the role and call it "
        "(iam:PassRole, lambda:CreateFunction, lambda:InvokeFunction)")
    assert found["reason"] == (
        "create a function that runs as the role and call it: "
        f"policy p allows iam:PassRole on {arn(DEPLOY)} and policy f allows lambda:CreateFunction, lambda:InvokeFunction "
        f"on *; the role's trust policy names {LAMBDA}")
    assert len(found["record_ids"]) == 3


def test_the_parts_may_come_from_a_group_and_from_the_users_own_policy() -> None:
    member = [row("membership", ANN["id"], privilege="ops", scope=OPS["id"])]
    lineage = build(by_service(DEPLOY), member, allows(OPS, ["iam:PassRole"]), allows(ANN, FUNCTION))
    found = edge(lineage, ANN, "may_assume", DEPLOY)
    assert found is not None
    assert found["state"] == "proved"
    assert "iam:PassRole on *, held through group ops" in found["reason"]
    assert reaches(lineage, OPS, DEPLOY) is None


@pytest.mark.parametrize("held", [["iam:PassRole"], FUNCTION, ["iam:PassRole", "lambda:CreateFunction"]])
def test_half_of_a_pair_leads_nowhere(held: list[str]) -> None:
    assert reaches(build(by_service(DEPLOY), allows(ANN, held)), ANN, DEPLOY) is None


def test_a_role_that_trusts_another_service_is_of_no_use_to_this_one() -> None:
    lineage = build(by_service(DEPLOY, "ec2.amazonaws.com"), account_trusts(ADMIN), allows(ANN, ["iam:PassRole", *FUNCTION]))
    assert [reaches(lineage, ANN, role) for role in (DEPLOY, ADMIN, APP)] == [None, None, None]


def test_a_trust_under_a_condition_makes_the_way_conditional() -> None:
    lineage = build(by_service(DEPLOY, condition='{"StringEquals":{"aws:SourceAccount":"1"}}'),
                    allows(ANN, ["iam:PassRole", *FUNCTION]))
    assert reaches(lineage, ANN, DEPLOY) == "conditional"


def test_a_service_linked_role_is_neither_passed_nor_changed() -> None:
    linked = identity("AROA9", "aws-service-role/lambda.amazonaws.com/AWSServiceRoleForLambda")
    lineage = build(by_service(linked), allows(ANN, ["iam:PassRole", *FUNCTION]), allows(BOB, ["iam:PutRolePolicy"], [arn(linked)]),
                    identities=[*EVERYONE, linked])
    assert [reaches(lineage, who, linked) for who in (ANN, BOB)] == [None, None]


@pytest.mark.parametrize(("condition", "state"), [
    (passed_to(LAMBDA), "proved"),
    (passed_to(LAMBDA, "ec2.amazonaws.com"), "proved"),
    (passed_to("ec2.amazonaws.com"), None),
    (passed_to("lambda.*", operator="StringLike"), "proved"),
    (passed_to("l?mbda.amazonaws.com", operator="StringLikeIfExists"), "proved"),
    (passed_to("ec2.amazonaws.com", operator="StringNotEquals"), "proved"),
    (passed_to(LAMBDA, operator="StringNotEquals"), None),
    (passed_to("${aws:PrincipalTag/service}"), "conditional"),
    (passed_to(LAMBDA, operator="ForAnyValue:StringEquals"), "conditional"),
    ('{"stringequals":{"IAM:PASSEDTOSERVICE":"LAMBDA.amazonaws.com"}}', "proved"),
    ('{"StringEquals":{"iam:PassedToService":"lambda.amazonaws.com","aws:RequestedRegion":"eu-west-1"}}', "conditional"),
    ('{"StringEquals":{"iam:PassedToService":"ec2.amazonaws.com"},"Bool":{"aws:MultiFactorAuthPresent":"true"}}', None),
    ('{"Bool":{"aws:MultiFactorAuthPresent":"true"}}', "conditional"),
    ("{1}", "conditional")])
def test_the_service_a_role_may_be_passed_to_is_decided_and_no_other_condition(condition: str, state: str | None) -> None:
    lineage = build(by_service(DEPLOY), allows(ANN, ["iam:PassRole"], policy="p", condition=condition), allows(ANN, FUNCTION))
    assert reaches(lineage, ANN, DEPLOY) == state


@pytest.mark.parametrize(("deny", "state"), [
    ({"actions": ["iam:PassRole"], "condition": passed_to(LAMBDA)}, None),
    ({"actions": ["iam:PassRole"], "condition": passed_to("ec2.amazonaws.com")}, "proved"),
    ({"actions": ["iam:PassRole"], "condition": '{"Bool":{"aws:MultiFactorAuthPresent":"false"}}'}, "conditional"),
    ({"actions": ["iam:PassRole"], "resources": [arn(DEPLOY)]}, None),
    ({"actions": ["iam:PassRole"], "resources": [arn(ADMIN)]}, "proved"),
    ({"actions": ["lambda:*"]}, None),
    ({"actions": ["lambda:*"], "resources": ["arn:aws:lambda:*:*:*"]}, None),
    ({"actions": ["lambda:CreateFunction"], "resources": ["arn:aws:lambda:*:*:function:prod-*"]}, "conditional"),
    ({"actions": ["*"]}, None)])
def test_a_deny_of_any_part_takes_the_way_or_leaves_it_open(deny: dict[str, Any], state: str | None) -> None:
    lineage = build(by_service(DEPLOY), allows(ANN, ["iam:PassRole", *FUNCTION]),
                    allows(ANN, **{"resources": ["*"], "policy": "no", "effect": "deny", **deny}))
    assert reaches(lineage, ANN, DEPLOY) == state


def limited_to(who: dict[str, Any], actions: list[str], resources: list[str] | None = None) -> list[dict[str, Any]]:
    return [row("boundary", who["id"], privilege="limit", scope="limit"),
            row("statement", "limit", actions=actions, resources=resources or ["*"])]


@pytest.mark.parametrize(("actions", "state"), [
    (["lambda:*"], None), (["iam:PassRole", "s3:*"], None), (["iam:PassRole", "lambda:*"], "proved")])
def test_a_boundary_without_a_part_takes_the_way(actions: list[str], state: str | None) -> None:
    lineage = build(by_service(DEPLOY), allows(ANN, ["iam:PassRole", *FUNCTION]), limited_to(ANN, actions))
    assert reaches(lineage, ANN, DEPLOY) == state


@pytest.mark.parametrize(("create", "invoke", "state"), [
    ("function:a*", "function:a*", "proved"),
    ("function:*", "function:b1", "proved"),
    ("function:a*", "function:b*", None),
    ("function:*", "*", "proved")])
def test_actions_on_one_resource_have_to_be_about_the_same(create: str, invoke: str, state: str | None) -> None:
    where = "arn:aws:lambda:eu-west-1:" + A + ":"
    lineage = build(by_service(DEPLOY), allows(ANN, ["iam:PassRole"], policy="p"),
                    allows(ANN, ["lambda:CreateFunction"], [where + create], policy="c"),
                    allows(ANN, ["lambda:InvokeFunction"], [where + invoke], policy="i"))
    assert reaches(lineage, ANN, DEPLOY) == state


def test_functions_of_another_account_are_none_of_ours() -> None:
    lineage = build(by_service(DEPLOY), allows(ANN, ["iam:PassRole"], policy="p"),
                    allows(ANN, FUNCTION, [f"arn:aws:lambda:*:{B}:function:*"]))
    assert reaches(lineage, ANN, DEPLOY) is None


def test_a_role_may_be_passed_only_where_the_pattern_covers_it() -> None:
    lineage = build(by_service(DEPLOY), by_service(ADMIN), by_service(APP),
                    allows(ANN, ["iam:PassRole"], [f"arn:aws:iam::{A}:role/a*"], policy="p"), allows(ANN, FUNCTION))
    assert [reaches(lineage, ANN, role) for role in (ADMIN, APP, DEPLOY)] == ["proved", "proved", None]
    assert lineage.blast_radius(ANN["id"])["hops"].to_list() == [1, 1]


@pytest.mark.parametrize("said", [
    {"actions": ["iam:Pass?ole", "lambda:Cr*Function", "lambda:InvokeFunct???"]},
    {"actions": ["IAM:passROLE", "LAMBDA:createfunction", "lambda:invokefunction"]},
    {"not_actions": ["s3:*", "iam:Put*", "iam:Attach*", "iam:Create*", "iam:Add*", "iam:Update*", "iam:Set*", "iam:Delete*",
                     "iam:Enable*", "sso*:*", "organizations:*", "account:*", "identitystore:*", "rolesanywhere:*", "sts:*"]},
    {"actions": ["*:*Role", "*:*Function"], "not_resources": ["arn:aws:s3:::logs/*"]}])
def test_actions_made_to_look_harmless_are_what_they_cover(said: dict[str, Any]) -> None:
    policy = [row("attachment", ANN["id"], privilege="own", scope="own"), row("statement", "own", **(
        said if "not_resources" in said else {**said, "resources": ["*"]}))]
    assert reaches(build(by_service(DEPLOY), policy), ANN, DEPLOY) == "proved"


# --- by instance, by what is there, by Identity Center -------------------------------------------------------------------

EC2 = "ec2.amazonaws.com"


def profile(role: dict[str, Any]) -> pl.DataFrame:
    return pl.DataFrame([{"id": f"aws:{A}:arn:aws:iam::{A}:instance-profile/p", "kind": "instance_profile", "tenant": A,
                          "provider": "aws", "record_id": by_service(role)[0]["record_id"]}])


def test_an_instance_runs_as_a_role_only_by_an_instance_profile() -> None:
    held = [by_service(DEPLOY, EC2), allows(ANN, ["iam:PassRole", "ec2:RunInstances"]),
            allows(BOB, ["iam:PassRole", "ec2:RunInstances", "iam:CreateInstanceProfile", "iam:AddRoleToInstanceProfile"])]
    without = build(*held)
    assert [reaches(without, who, DEPLOY) for who in (ANN, BOB)] == ["conditional", "proved"]
    found = edge(without, ANN, "may_assume", DEPLOY)
    assert found is not None
    assert "no instance profile of the export holds the role" in found["reason"]
    assert reaches(build(*held, resources=profile(DEPLOY)), ANN, DEPLOY) == "proved"


def test_a_spare_part_of_an_instance_is_not_shown_to_suffice() -> None:
    some = allows(ANN, ["ec2:RunInstances"], [f"arn:aws:ec2:*:{A}:instance/*"], policy="i")
    lineage = build(by_service(DEPLOY, EC2), allows(ANN, ["iam:PassRole"], policy="p"), some, resources=profile(DEPLOY))
    assert reaches(lineage, ANN, DEPLOY) == "conditional"


@pytest.mark.parametrize(("actions", "service"), [
    (["lambda:UpdateFunctionCode"], LAMBDA), (["glue:UpdateDevEndpoint"], "glue.amazonaws.com"),
    (["ssm:SendCommand"], EC2), (["ecs:ExecuteCommand"], "ecs-tasks.amazonaws.com"),
    (["cloudformation:UpdateStack"], "cloudformation.amazonaws.com"), (["codebuild:StartBuild"], "codebuild.amazonaws.com")])
def test_taking_over_what_already_runs_is_never_proved_since_its_role_is_not_loaded(
    actions: list[str], service: str
) -> None:
    found = edge(build(by_service(DEPLOY, service), allows(ANN, actions)), ANN, "may_assume", DEPLOY)
    assert found is not None
    assert found["state"] == "conditional"
    assert "which role it runs with is not loaded; it also takes " in found["reason"]


def test_changing_permission_sets_controls_the_roles_they_make_if_the_account_manages_them() -> None:
    made = identity("AROA8", "AWSReservedSSO_Admins_0123456789abcdef", account=B)
    instance = "arn:aws:sso:::permissionSet/ssoins-1/*"
    lineage = build(allows(ANN, ["sso:PutInlinePolicyToPermissionSet"], [instance]), identities=[*EVERYONE, made])
    assert [reaches(lineage, who, made) for who in (ANN, BOB)] == ["conditional", None]


@pytest.mark.parametrize("actions", [
    ["iam:DeactivateMFADevice", "iam:CreateVirtualMFADevice"], ["iam:CreateServiceLinkedRole"],
    ["secretsmanager:GetSecretValue", "ssm:GetParameter"], ["cloudformation:SetStackPolicy"], ["lambda:AddPermission"],
    ["iam:Get*", "iam:List*", "lambda:Get*", "lambda:List*", "ec2:Describe*"]])
def test_what_gives_nobodys_permissions_is_no_edge(actions: list[str]) -> None:
    services = (LAMBDA, EC2, "cloudformation.amazonaws.com")
    lineage = build(*(by_service(DEPLOY, service) for service in services), IS_ADMIN, allows(ANN, actions))
    assert lineage.blast_radius(ANN["id"]).height == 0


# --- boundaries that can be lifted ---------------------------------------------------------------------------------------


def test_a_boundary_one_may_lift_limits_nothing_that_stands_behind_it() -> None:
    lift = allows(ANN, ["iam:DeleteUserPermissionsBoundary"], [arn(ANN)], policy="lift")
    behind = allows(ANN, ["iam:PutRolePolicy"], [arn(ADMIN)], policy="b")
    limit = limited_to(ANN, ["s3:*", "iam:DeleteUserPermissionsBoundary"])
    lineage = build(IS_ADMIN, lift, behind, limit)
    assert admin(lineage, ANN) is True
    way = lineage.paths().row(by_predicate=pl.col("principal_id") == ANN["id"], named=True)
    assert way["techniques"] == ["take away or replace its own permissions boundary", "write a policy into the role"]
    assert [admin(build(IS_ADMIN, lift, limit), ANN), admin(build(IS_ADMIN, behind, limit), ANN)] == [False, False]


def test_roles_and_services_behind_a_boundary_count_as_well() -> None:
    lift = allows(APP, ["iam:PutRolePermissionsBoundary"], [arn(APP)], policy="lift")
    limit = limited_to(APP, ["iam:PutRolePermissionsBoundary"])
    lineage = build(lift, limit, allows(APP, ["sts:AssumeRole", "iam:PassRole", *FUNCTION], policy="b"),
                    account_trusts(DEPLOY), by_service(ADMIN))
    assert [reaches(lineage, APP, role) for role in (DEPLOY, ADMIN)] == ["proved", "proved"]


def test_a_boundary_that_does_not_let_itself_be_lifted_stands() -> None:
    lift = allows(ANN, ["iam:DeleteUserPermissionsBoundary", "iam:PutRolePolicy"], policy="lift")
    assert admin(build(IS_ADMIN, lift, limited_to(ANN, ["s3:*"])), ANN) is False
    other = [f"arn:aws:iam::{A}:user/other"]
    assert admin(build(IS_ADMIN, lift, limited_to(ANN, ["iam:DeleteUserPermissionsBoundary"], other)), ANN) is False


# --- stars and denies ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("resources", [["*"], ["arn:aws:iam::*:*"], [f"arn:aws:iam::{A}:*"]])
@pytest.mark.parametrize("held", [["iam:AttachRolePolicy"], ["iam:Put*Policy", "iam:Attach*"], ["iam:CreateAccessKey"]])
def test_a_deny_of_all_of_iam_beside_iam_on_everything_leaves_no_control(held: list[str], resources: list[str]) -> None:
    lineage = build(allows(ANN, held), allows(ANN, ["iam:*"], resources, policy="no", effect="deny"))
    assert lineage.blast_radius(ANN["id"]).height == 0


def test_a_deny_of_everything_beside_a_star_leaves_nothing() -> None:
    lineage = build(by_service(DEPLOY), allows(ANN, ["*"]), allows(ANN, ["*"], policy="no", effect="deny"))
    assert lineage.blast_radius(ANN["id"]).height == 0


def test_denied_on_every_role_the_control_of_roles_is_gone_and_that_of_users_stays() -> None:
    lineage = build(allows(ANN, ["iam:AttachRolePolicy"]),
                    allows(ANN, ["iam:*"], ["arn:aws:iam::*:role/*"], policy="no", effect="deny"),
                    allows(BOB, ["iam:AttachUserPolicy"]),
                    allows(BOB, ["iam:*"], ["arn:aws:iam::*:role/*"], policy="no2", effect="deny"))
    assert [admin(lineage, who) for who in (ANN, BOB)] == [False, True]


def test_within_a_boundary_over_one_user_a_star_controls_that_user_and_no_other() -> None:
    limit = limited_to(ANN, ["iam:CreateAccessKey"], [arn(BOB)])
    lineage = build(allows(ANN, ["iam:CreateAccessKey"]), limit)
    assert [edge(lineage, ANN, "controls", target) is not None for target in (BOB, ANN, f"aws:{A}:account")] == [
        True, False, False]


# --- together ------------------------------------------------------------------------------------------------------------


def test_three_steps_each_with_what_it_takes_and_its_evidence() -> None:
    lineage = build(IS_ADMIN, by_service(DEPLOY), allows(ANN, ["iam:PassRole"], [arn(DEPLOY)], policy="p"),
                    allows(ANN, FUNCTION, policy="f"), allows(DEPLOY, ["iam:CreatePolicyVersion"],
                                                             [f"arn:aws:iam::{A}:policy/shared"], policy="d"),
                    allows(APP, ["s3:GetObject"], policy="shared"), account_trusts(ADMIN),
                    allows(APP, ["sts:AssumeRole"], [arn(ADMIN)], policy="s"))
    way = lineage.paths().row(by_predicate=pl.col("principal_id") == ANN["id"], named=True)
    assert (way["hops"], way["state"]) == (3, "proved")
    assert way["path"] == [who["id"] for who in (ANN, DEPLOY, APP, ADMIN)]
    assert way["techniques"] == [
        "create a function that runs as the role and call it (iam:PassRole, lambda:CreateFunction, lambda:InvokeFunction)",
        "rewrite the policy", "assume the role"]
    assert all(part in " | ".join(way["evidence"]) for part in (
        "policy p allows iam:PassRole", "policy d allows iam:CreatePolicyVersion", "policy s allows sts:AssumeRole"))
    assert by_service(DEPLOY)[0]["record_id"] in way["record_ids"]


@pytest.mark.parametrize("narrowed", [False, True])
def test_three_hundred_holders_over_three_hundred_roles_make_edges_of_their_sum(narrowed: bool) -> None:
    users = [identity(f"AIDA{i:05}", f"u{i}", "user") for i in range(300)]
    roles = [identity(f"AROA{i:05}", f"r{i}") for i in range(300)]
    grants = [by_service(role) for role in roles] + [allows(user, ["iam:PassRole", *FUNCTION]) for user in users]
    if narrowed:
        grants += [allows(user, ["iam:PassRole"], [arn(roles[0])], policy=f"no{user['id'][-5:]}", effect="deny")
                   for user in users]
    lineage = build(*grants, identities=[*users, *roles])
    assert lineage.edges.filter("followed").height <= 300 + 300 + 300  # holders, roles, and the service each role trusts
    reached = lineage.blast_radius(users[7]["id"])
    assert (reached.height, set(reached["hops"]), set(reached["state"])) == (300 - narrowed, {1}, {"proved"})


def test_roles_that_may_pass_each_other_make_edges_of_their_number() -> None:
    roles = [identity(f"AROA{i:05}", f"r{i}") for i in range(200)]
    lineage = build(*(by_service(role) + allows(role, ["iam:PassRole", *FUNCTION]) for role in roles), identities=roles)
    assert lineage.edges.filter("followed").height <= 3 * 200
    assert lineage.blast_radius(roles[7]["id"]).height == 199


def test_a_role_that_may_pass_only_itself_gains_nothing() -> None:
    lineage = build(by_service(APP), allows(APP, ["iam:PassRole"], [arn(APP)], policy="p"), allows(APP, FUNCTION))
    assert lineage.blast_radius(APP["id"]).height == 0


@given(st.randoms(use_true_random=False))
@settings(max_examples=10, deadline=None)
def test_the_order_and_repetition_of_rows_change_nothing(random: Any) -> None:
    told = [*by_service(DEPLOY), *by_service(ADMIN, EC2), *by_service(APP), *account_trusts(ADMIN), *IS_ADMIN,
            *allows(ANN, ["iam:PassRole"], policy="p", condition=passed_to(LAMBDA)), *allows(ANN, FUNCTION, policy="f"),
            *allows(ANN, ["lambda:*", "ec2:RunInstances", "iam:PassRole"], policy="g"), *limited_to(BOB, ["iam:*Boundary"]),
            *allows(BOB, ["iam:DeleteUserPermissionsBoundary", "iam:PassRole", "ssm:*", "ecs:*"], policy="b")]
    shuffled = [*told, *told]
    random.shuffle(shuffled)
    one, two = build(told), build(shuffled)
    assert one.edges.equals(two.edges)
    assert one.nodes.equals(two.nodes)


def test_the_whole_account_needs_no_service() -> None:
    lineage = build(by_service(DEPLOY), by_service(APP), IS_ADMIN)
    assert lineage.edges.filter((pl.col("src") == ADMIN["id"]) & (pl.col("rel") == "may_assume")).height == 0


