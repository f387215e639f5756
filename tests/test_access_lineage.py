"""The access graph: who may assume and control whom, ways to tier 0, and agreement with networkx."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import networkx as nx
import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineage_analytics.errors import LineageError
from lineage_analytics.facts import Facts
from lineage_analytics.graphs.access import BLAST, PATHS, AccessLineage, access_lineage
from lineage_analytics.graphs.reach import Csr, search, walk
from lineage_analytics.tables import (
    EDGES,
    ENTITLEMENTS,
    IDENTITIES,
    NODES,
    PERMISSIONS,
    closed_value_faults,
    conform,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

AS_OF = datetime(2026, 6, 30, tzinfo=UTC)
A, B = "111122223333", "444455556666"


def identity(native: str, name: str, sort: str = "role", account: str = A, **more: Any) -> dict[str, Any]:
    kind = {"role": "workload", "user": "human", "group": "group"}[sort]
    return {"id": f"aws:{account}:{native}", "kind": kind, "display_name": name, "tenant": account, "provider": "aws",
            "alt_ids": [{"kind": "arn", "value": f"arn:aws:iam::{account}:{sort}/{name}"}], "inventoried": True,
            "created_at": AS_OF - timedelta(days=400), "sources": ["aws_iam"],
            "owner": None, "grants_listed": True, **more}


ANN, BOB = identity("AIDA1", "ann", "user"), identity("AIDA2", "bob", "user")
DEPLOY, ADMIN, APP = identity("AROA1", "deploy"), identity("AROA2", "admin"), identity("AROA3", "app")
OPS = identity("AGPA1", "ops", "group")
EVERYONE = [ANN, BOB, DEPLOY, ADMIN, APP, OPS]


def arn(who: dict[str, Any]) -> str:
    return str(who["alt_ids"][0]["value"])


def row(kind: str, principal: str, **more: Any) -> dict[str, Any]:
    return {"principal_id": principal, "grant_kind": kind, "effect": "allow", "provider": "aws", "tenant": A,
            "record_id": f"rec-{kind}-{principal[-6:]}", **more}


def allows(who: dict[str, Any], actions: Sequence[str], resources: Sequence[str] = ("*",), policy: str = "",
           **more: Any) -> list[dict[str, Any]]:
    """Rows of a policy that the principal holds, customer managed when it has a name, else inline."""
    account = who["tenant"]
    scope = f"aws:{account}:arn:aws:iam::{account}:policy/{policy}" if policy else f"{who['id']}/inline/own"
    return [row("attachment", who["id"], privilege=policy or "own", scope=scope),
            row("statement", scope, actions=list(actions), resources=list(resources), **more)]


def trusts(role: dict[str, Any], trusted: str, **more: Any) -> list[dict[str, Any]]:
    return [row("trust", trusted, scope=role["id"], privilege="sts:AssumeRole", **more)]


def account_trusts(role: dict[str, Any], account: str = A, **more: Any) -> list[dict[str, Any]]:
    return trusts(role, f"aws:{account}:arn:aws:iam::{account}:root", **more)


def facts(*grants: list[dict[str, Any]], identities: Sequence[dict[str, Any]] = EVERYONE, **frames: Any) -> Facts:
    rows = [r for rows in grants for r in rows]
    made = conform(pl.DataFrame(rows, infer_schema_length=None), ENTITLEMENTS) if rows else ENTITLEMENTS.empty()
    people = conform(pl.DataFrame(list(identities), infer_schema_length=None), IDENTITIES) if identities else IDENTITIES.empty()
    return Facts.of(AS_OF, identities=people, entitlements=made, **frames)


def build(*grants: list[dict[str, Any]], **more: Any) -> AccessLineage:
    return access_lineage(facts(*grants, **more))


def edge(lineage: AccessLineage, src: dict[str, Any] | str, rel: str, dst: dict[str, Any] | str) -> dict[str, Any] | None:
    ends = [end if isinstance(end, str) else end["id"] for end in (src, dst)]
    found = lineage.edges.filter((pl.col("src") == ends[0]) & (pl.col("rel") == rel) & (pl.col("dst") == ends[1]))
    return found.row(0, named=True) if found.height else None


def reaches(lineage: AccessLineage, src: dict[str, Any], dst: dict[str, Any]) -> str | None:
    """Proved, conditional, or None when there is no way."""
    found = lineage.blast_radius(src["id"]).filter(pl.col("node_id") == dst["id"])
    return str(found["state"].item()) if found.height else None


def admin(lineage: AccessLineage, who: dict[str, Any]) -> bool | None:
    answer = lineage.permissions.filter(pl.col("principal_id") == who["id"])["admin_equivalent"].item()
    assert answer is None or isinstance(answer, bool)
    return answer


IS_ADMIN = allows(ADMIN, ["*"])

# --- may assume ------------------------------------------------------------------------------------------------------


def test_a_user_named_by_the_trust_policy_of_its_account_needs_nothing_else() -> None:
    found = edge(build(trusts(DEPLOY, ANN["id"])), ANN, "may_assume", DEPLOY)
    assert found is not None
    assert (found["state"], found["reason"]) == ("proved", "the role's trust policy names it")
    assert found["record_ids"] == [f"rec-trust-{ANN['id'][-6:]}"]


def test_a_user_named_but_denied_may_not_assume() -> None:
    lineage = build(trusts(DEPLOY, ANN["id"]), allows(ANN, ["sts:*"], effect="deny"))
    assert edge(lineage, ANN, "may_assume", DEPLOY) is None


def test_trusting_the_account_is_not_enough_without_a_policy_of_ones_own() -> None:
    lineage = build(account_trusts(DEPLOY), allows(ANN, ["sts:AssumeRole"], [arn(DEPLOY)]))
    assert reaches(lineage, ANN, DEPLOY) == "proved"
    assert reaches(lineage, BOB, DEPLOY) is None


def test_a_policy_of_ones_own_is_not_enough_without_trust() -> None:
    assert reaches(build(allows(ANN, ["sts:AssumeRole"])), ANN, DEPLOY) is None


def test_a_wildcard_policy_reaches_every_role_that_trusts_the_account_and_no_other() -> None:
    lineage = build(account_trusts(DEPLOY), account_trusts(ADMIN), allows(ANN, ["sts:AssumeRole*"]))
    assert [reaches(lineage, ANN, r) for r in (DEPLOY, ADMIN, APP)] == ["proved", "proved", None]
    assert lineage.blast_radius(ANN["id"])["hops"].to_list() == [1, 1]


def test_a_condition_of_the_trust_or_of_the_policy_makes_the_edge_conditional() -> None:
    assert reaches(build(trusts(DEPLOY, ANN["id"], condition='{"Bool":{}}')), ANN, DEPLOY) == "conditional"
    lineage = build(account_trusts(DEPLOY), allows(ANN, ["sts:AssumeRole"], condition='{"Bool":{}}'))
    assert reaches(lineage, ANN, DEPLOY) == "conditional"


def test_a_deny_on_one_role_leaves_the_others() -> None:
    lineage = build(account_trusts(DEPLOY), account_trusts(ADMIN), allows(ANN, ["sts:AssumeRole"]),
                    allows(ANN, ["sts:AssumeRole"], [arn(ADMIN)], policy="no", effect="deny"))
    assert [reaches(lineage, ANN, r) for r in (DEPLOY, ADMIN)] == ["proved", None]


def test_a_boundary_without_the_action_blocks_what_the_account_would_allow() -> None:
    limit = [row("boundary", ANN["id"], privilege="limit", scope="limit"),
             row("statement", "limit", actions=["s3:*"], resources=["*"])]
    assert reaches(build(account_trusts(DEPLOY), allows(ANN, ["sts:AssumeRole"]), limit), ANN, DEPLOY) is None


@pytest.mark.parametrize(("who", "state"), [(ANN, "proved"), (APP, None)])
def test_a_boundary_limits_a_role_named_by_the_trust_policy_and_not_a_user(who: dict[str, Any], state: str) -> None:
    limit = [row("boundary", who["id"], privilege="limit", scope="limit"),
             row("statement", "limit", actions=["s3:*"], resources=["*"])]
    assert reaches(build(trusts(DEPLOY, who["id"]), limit), who, DEPLOY) == state


def test_a_boundary_that_cannot_be_read_leaves_what_a_role_may_assume_conditional() -> None:
    lineage = build(trusts(DEPLOY, APP["id"]), [row("boundary", APP["id"], privilege="gone", scope="gone")])
    assert reaches(lineage, APP, DEPLOY) == "conditional"


def test_a_user_assumes_through_its_group() -> None:
    member = [row("membership", ANN["id"], privilege="ops", scope=OPS["id"])]
    lineage = build(account_trusts(DEPLOY), member, allows(OPS, ["sts:AssumeRole"], [arn(DEPLOY)]))
    assert reaches(lineage, ANN, DEPLOY) == "proved"
    assert edge(lineage, ANN, "member_of", OPS) is not None


def test_an_account_that_is_not_loaded_becomes_an_unknown_node() -> None:
    lineage = build(account_trusts(DEPLOY, B))
    node = f"aws:{B}:arn:aws:iam::{B}:root"
    assert lineage.nodes.filter(pl.col("node_id") == node)["kind"].item() == "unknown"
    found = edge(lineage, node, "may_assume", DEPLOY)
    assert found is not None
    assert "whose own policies are not loaded" in found["reason"]


def test_a_user_of_another_account_needs_its_own_policy_too() -> None:
    zoe = identity("AIDA9", "zoe", "user", B)
    named = trusts(DEPLOY, zoe["id"])
    assert reaches(build(named, identities=[*EVERYONE, zoe]), zoe, DEPLOY) is None
    both = build(named, allows(zoe, ["sts:AssumeRole"], [arn(DEPLOY)]), identities=[*EVERYONE, zoe])
    assert reaches(both, zoe, DEPLOY) == "proved"
    stranger = edge(build(trusts(DEPLOY, f"aws:{B}:{arn(zoe)}")), f"aws:{B}:{arn(zoe)}", "may_assume", DEPLOY)
    assert stranger is not None
    assert stranger["state"] == "conditional"


def test_a_trust_on_everyone_lets_the_account_and_strangers_in() -> None:
    lineage = build(trusts(ADMIN, "aws::*"), IS_ADMIN)
    assert reaches(lineage, BOB, ADMIN) == "proved"
    assert edge(lineage, "aws::*", "may_assume", ADMIN) is not None
    assert "aws::*" in lineage.paths()["principal_id"]


def test_services_and_federation_become_nodes_of_their_kind() -> None:
    provider = f"aws:{A}:arn:aws:iam::{A}:oidc-provider/token.example.org"
    lineage = build(trusts(APP, "aws:service:lambda.amazonaws.com"), trusts(APP, provider, condition='{"x":{}}'))
    kinds = dict(lineage.nodes.select("node_id", "kind").rows())
    assert (kinds["aws:service:lambda.amazonaws.com"], kinds[provider]) == ("service", "federation")
    assert [e["state"] for e in (edge(lineage, "aws:service:lambda.amazonaws.com", "may_assume", APP),
                                 edge(lineage, provider, "may_assume", APP)) if e] == ["proved", "conditional"]


def test_a_service_seen_in_the_log_is_still_a_service() -> None:
    ec2 = identity("x", "x", account="service", sources=["aws_cloudtrail"], excluded_reason="provider_managed")
    ec2 |= {"id": "aws:service:ec2.amazonaws.com", "alt_ids": None, "inventoried": False}
    lineage = build(trusts(APP, ec2["id"]), identities=[*EVERYONE, ec2])
    found = edge(lineage, ec2, "may_assume", APP)
    assert found is not None
    assert found["state"] == "proved"
    assert lineage.nodes.filter(pl.col("node_id") == ec2["id"])["kind"].item() == "service"
    assert "acts by the roles it is given" in lineage.permissions.filter(
        pl.col("principal_id") == ec2["id"])["reason"].item()


def test_a_denied_trust_leaves_no_edge_proved() -> None:
    lineage = build(trusts(DEPLOY, ANN["id"]), trusts(DEPLOY, BOB["id"], effect="deny"))
    assert (reaches(lineage, ANN, DEPLOY), reaches(lineage, BOB, DEPLOY)) == ("conditional", None)


# --- controls, tier 0, administrators ----------------------------------------------------------------------------------


def test_whoever_holds_star_on_star_is_tier_0_by_default() -> None:
    lineage = build(IS_ADMIN)
    assert set(lineage.nodes.filter("tier0")["node_id"]) == {ADMIN["id"], f"aws:{A}:account"}
    assert (admin(lineage, ADMIN), admin(lineage, ANN)) == (True, False)


@pytest.mark.parametrize(("actions", "more"), [
    (["*"], {"condition": '{"Bool":{}}'}), (["iam:*"], {"condition": '{"Bool":{}}'})])
def test_a_star_under_a_condition_is_neither_tier_0_nor_surely_an_administrator(
    actions: list[str], more: dict[str, str]
) -> None:
    lineage = build(allows(ADMIN, actions, **more))
    assert not lineage.nodes.filter(pl.col("node_id") == ADMIN["id"])["tier0"].item()
    assert admin(lineage, ADMIN) is None


def test_a_star_within_a_boundary_is_tier_0_only_if_the_boundary_lets_all_of_iam_through() -> None:
    for limit, whole in ((["*"], True), (["s3:*", "iam:CreateAccessKey"], False), (["s3:*"], False)):
        lineage = build(IS_ADMIN, [row("boundary", ADMIN["id"], privilege="limit", scope="limit"),
                                   row("statement", "limit", actions=limit, resources=["*"])])
        assert lineage.nodes.filter(pl.col("node_id") == ADMIN["id"])["tier0"].item() is whole
        assert admin(lineage, ADMIN) is (limit != ["s3:*"])


def test_everything_but_iam_is_no_administrator() -> None:
    power = [row("attachment", ADMIN["id"], privilege="P", scope="p"),
             row("statement", "p", not_actions=["iam:*", "organizations:*", "account:*", "sso*:*", "identitystore:*",
                                                "sts:*", "rolesanywhere:*"], resources=["*"])]
    assert admin(build(power), ADMIN) is False


def test_star_beside_a_deny_of_everything_is_no_administrator() -> None:
    assert admin(build(IS_ADMIN, allows(ADMIN, ["*"], policy="no", effect="deny")), ADMIN) is False


def test_an_action_of_weight_ten_on_everything_is_an_administrator() -> None:
    lineage = build(allows(APP, ["iam:AttachRolePolicy"]))
    assert admin(lineage, APP) is True
    reason = lineage.permissions.filter(pl.col("principal_id") == APP["id"])["admin_reason"].item()
    assert reason == f"to AWS account {A}: change who may do what: policy own allows iam:AttachRolePolicy on *"


def test_control_of_every_role_by_pattern_is_control_of_the_account() -> None:
    assert admin(build(allows(APP, ["iam:PutRolePolicy"], [f"arn:aws:iam::{A}:role/*"])), APP) is True
    assert admin(build(allows(APP, ["iam:PutRolePolicy"], [f"arn:aws:iam::{B}:role/*"])), APP) is False


def test_control_of_a_tier_0_role_makes_an_administrator_and_of_another_role_does_not() -> None:
    lineage = build(IS_ADMIN, allows(APP, ["iam:UpdateAssumeRolePolicy"], [arn(ADMIN)]),
                    allows(DEPLOY, ["iam:UpdateAssumeRolePolicy"], [arn(APP).replace("app", "other")]))
    assert (admin(lineage, APP), admin(lineage, DEPLOY)) == (True, False)
    found = edge(lineage, APP, "controls", ADMIN)
    assert found is not None
    assert found["reason"] == ("rewrite who may assume the role: policy own allows iam:UpdateAssumeRolePolicy on "
                               f"{arn(ADMIN)}")


def test_control_of_the_wrong_sort_of_target_is_none() -> None:
    assert edge(build(allows(APP, ["iam:CreateAccessKey"], [arn(DEPLOY)])), APP, "controls", DEPLOY) is None


def test_a_pattern_over_some_roles_controls_exactly_those() -> None:
    lineage = build(allows(ANN, ["iam:PutRolePolicy"], [f"arn:aws:iam::{A}:role/a*"]),
                    allows(BOB, ["iam:PutRolePolicy"], [f"arn:aws:iam::{A}:role/a*"]))
    for user in (ANN, BOB):
        assert [reaches(lineage, user, role) for role in (ADMIN, APP, DEPLOY)] == ["proved", "proved", None]
    assert lineage.edges.filter(pl.col("rel") == "controls").height == 4


def test_a_deny_on_one_target_leaves_the_others() -> None:
    lineage = build(allows(ANN, ["iam:PutRolePolicy"], [f"arn:aws:iam::{A}:role/a*"]),
                    allows(ANN, ["iam:*"], [arn(ADMIN)], policy="no", effect="deny"))
    assert [reaches(lineage, ANN, role) for role in (ADMIN, APP)] == [None, "proved"]


def test_raising_oneself_is_control_of_the_account() -> None:
    assert admin(build(allows(ANN, ["iam:PutUserPolicy"], [f"arn:aws:iam::{A}:user/${{aws:username}}"])), ANN) is True
    assert admin(build(allows(APP, ["iam:AttachRolePolicy"], [arn(APP)])), APP) is True
    assert admin(build(allows(ANN, ["iam:CreateAccessKey"], [arn(ANN)])), ANN) is False


def test_rewriting_a_policy_one_holds_is_control_of_the_account() -> None:
    policy = f"arn:aws:iam::{A}:policy/mine"
    assert admin(build(allows(ANN, ["iam:CreatePolicyVersion"], [policy], policy="mine")), ANN) is True
    member = [row("membership", BOB["id"], privilege="ops", scope=OPS["id"])]
    through = build(member, allows(OPS, ["s3:GetObject"], policy="mine"), allows(BOB, ["iam:CreatePolicyVersion"], [policy]))
    assert admin(through, BOB) is True


def test_rewriting_a_policy_controls_whoever_holds_it_but_holding_it_controls_nobody() -> None:
    shared = f"arn:aws:iam::{A}:policy/shared"
    lineage = build(allows(APP, ["s3:GetObject"], policy="shared"), allows(DEPLOY, ["s3:GetObject"], policy="shared"),
                    allows(ANN, ["iam:CreatePolicyVersion"], [shared]))
    assert [reaches(lineage, ANN, role) for role in (APP, DEPLOY)] == ["proved", "proved"]
    assert reaches(lineage, APP, DEPLOY) is None


def test_within_a_boundary_raising_oneself_is_only_conditional() -> None:
    limit = [row("boundary", APP["id"], privilege="limit", scope="limit"),
             row("statement", "limit", actions=["iam:AttachRolePolicy", "s3:*"], resources=["*"])]
    assert admin(build(allows(APP, ["iam:AttachRolePolicy"], [arn(APP)]), limit), APP) is None


def test_administrators_are_reached_over_several_hops_and_the_reason_is_the_way() -> None:
    lineage = build(IS_ADMIN, trusts(ADMIN, DEPLOY["id"]), trusts(DEPLOY, ANN["id"]))
    assert [admin(lineage, who) for who in (ANN, DEPLOY, BOB)] == [True, True, False]
    reason = lineage.permissions.filter(pl.col("principal_id") == ANN["id"])["admin_reason"].item()
    assert reason == ("to deploy: the role's trust policy names it -> to admin: the role's trust policy names it")
    path = lineage.paths().row(by_predicate=pl.col("principal_id") == ANN["id"], named=True)
    assert (path["hops"], path["path"]) == (2, [ANN["id"], DEPLOY["id"], ADMIN["id"]])
    assert path["techniques"] == ["assume the role", "assume the role"]


def test_a_way_over_a_conditional_edge_is_unknown_not_true() -> None:
    lineage = build(IS_ADMIN, trusts(ADMIN, ANN["id"], condition='{"Bool":{}}'))
    assert admin(lineage, ANN) is None
    reason = lineage.permissions.filter(pl.col("principal_id") == ANN["id"])["admin_reason"].item()
    assert reason.startswith("only if a condition holds: to admin")


def test_a_proved_way_counts_although_a_conditional_one_is_shorter() -> None:
    lineage = build(IS_ADMIN, trusts(ADMIN, ANN["id"], condition="{1}"), trusts(ADMIN, DEPLOY["id"]),
                    trusts(DEPLOY, ANN["id"]))
    assert admin(lineage, ANN) is True
    assert lineage.paths().filter(pl.col("principal_id") == ANN["id"])["hops"].item() == 2


def test_an_unreadable_policy_leaves_the_answer_open_unless_a_way_is_proved() -> None:
    missing = [row("attachment", who["id"], privilege="Gone", scope="gone") for who in (ANN, BOB)]
    lineage = build(IS_ADMIN, missing, trusts(ADMIN, ANN["id"]))
    assert (admin(lineage, ANN), admin(lineage, BOB)) == (True, None)


def test_a_declared_crown_jewel_is_tier_0_by_arn() -> None:
    jewels = pl.DataFrame([{"id": f"aws:{A}:{arn(DEPLOY)}", "kind": "role", "tier0": True, "provider": "declared"}])
    lineage = build(trusts(DEPLOY, ANN["id"]), resources=jewels)
    assert (admin(lineage, DEPLOY), admin(lineage, ANN), admin(lineage, BOB)) == (True, True, False)


def test_holding_a_policy_declared_tier_0_is_holding_tier_0() -> None:
    held = allows(APP, ["s3:GetObject"], policy="jewel")
    jewels = pl.DataFrame([{"id": held[0]["scope"], "kind": "policy", "tier0": True, "provider": "declared"}])
    assert admin(build(held, resources=jewels), APP) is True


def test_directory_roles_are_held_when_active_and_conditional_when_eligible() -> None:
    people = [{"id": f"entra:t:{n}", "kind": "human", "display_name": n, "tenant": "t", "provider": "entra",
               "inventoried": True, "alt_ids": None, "created_at": None, "sources": ["entra_audit"], "owner": None}
              for n in ("ava", "ben", "cam", "dan")]
    ids = [str(p["id"]) for p in people]
    role = "Global Administrator"
    over = [("standing", "/", None), ("eligible", "/", None), ("standing", "/administrativeUnits/1", None),
            ("activated", "/", AS_OF - timedelta(days=1))]
    grants = [{**row("role", who, privilege=role, scope=scope, state=state, expires_at=end), "provider": "entra",
               "tenant": "t"} for who, (state, scope, end) in zip(ids, over, strict=True)]
    lineage = build(grants, identities=people)
    answers = dict(lineage.permissions.select("principal_id", "admin_equivalent").rows())
    assert [answers[who] for who in ids] == [True, None, None, None]
    assert lineage.paths()["state"].to_list() == ["proved", "conditional"]


def test_an_owner_stated_by_address_is_the_person_who_has_it() -> None:
    mail = {**identity("u1", "eve", "user"), "id": "entra:t:u1", "provider": "entra", "tenant": "t",
            "alt_ids": [{"kind": "upn", "value": "eve@example.org"}]}
    owned = {**APP, "owner": [{"id": "Eve@Example.org", "basis": "tag"}, {"id": "gone@example.org", "basis": "tag"}]}
    lineage = build(identities=[mail, owned])
    assert lineage.edges.select("src", "rel", "dst", "reason").rows() == [
        ("entra:t:u1", "owns", APP["id"], "stated as tag: Eve@Example.org"),
        ("gone@example.org", "owns", APP["id"], "stated as tag: gone@example.org")]


def test_owners_and_credentials_are_edges_that_give_no_reach() -> None:
    owned = {**APP, "owner": [{"id": ANN["id"], "basis": "tag"}]}
    keys = pl.DataFrame([{"identity_id": APP["id"], "credential_id": "AKIA1", "kind": "key", "status": "active",
                          "tenant": A, "provider": "aws", "record_id": "rec-k"}])
    lineage = build(IS_ADMIN, identities=[ANN, owned, ADMIN], credentials=keys)
    assert edge(lineage, ANN, "owns", APP) is not None
    assert edge(lineage, APP, "authenticates_with", f"aws:{A}:credential:AKIA1") is not None
    assert lineage.blast_radius(ANN["id"]).height == 0


# --- the object ------------------------------------------------------------------------------------------------------

STORY = (IS_ADMIN, trusts(ADMIN, DEPLOY["id"]), account_trusts(DEPLOY), allows(ANN, ["sts:AssumeRole"]),
         allows(BOB, ["iam:PutRolePolicy"], [f"arn:aws:iam::{A}:role/a*"]), trusts(APP, "aws:service:ec2.amazonaws.com"))


def test_the_tables_have_their_columns_and_closed_values() -> None:
    for lineage in (build(*STORY), build(identities=[]), access_lineage(Facts.of(AS_OF))):
        for frame, table in ((lineage.nodes, NODES), (lineage.edges, EDGES), (lineage.permissions, PERMISSIONS)):
            assert frame.schema == table.schema
            assert closed_value_faults(frame, table) == []
        assert (lineage.paths().schema, lineage.graph.number_of_nodes()) == (PATHS, lineage.nodes.height)


def test_every_end_of_an_edge_is_a_node_once() -> None:
    lineage = build(*STORY)
    assert lineage.nodes["node_id"].is_unique().all()
    assert set(lineage.edges["src"]) | set(lineage.edges["dst"]) <= set(lineage.nodes["node_id"])
    assert lineage.edges.select("src", "rel", "dst").is_unique().all()


def test_two_callers_compute_once() -> None:
    estate = facts(*STORY)
    assert access_lineage(estate) is access_lineage(estate)


@given(st.randoms(use_true_random=False))
@settings(max_examples=15, deadline=None)
def test_the_order_and_repetition_of_rows_change_nothing(random: Any) -> None:
    rows = [r for rows in STORY for r in rows]
    people = list(EVERYONE)
    shuffled = [*rows, *rows]
    random.shuffle(shuffled)
    random.shuffle(people)
    one, two = build(rows), build(shuffled, identities=people)
    for name in ("nodes", "edges", "permissions"):
        assert getattr(one, name).equals(getattr(two, name)), name
    assert one.paths().equals(two.paths())


def test_repr_says_what_there_is_and_escapes_for_html() -> None:
    lineage = build(*STORY, identities=[*EVERYONE, identity("AIDA7", "<b>", "user")])
    assert repr(lineage).startswith("AccessLineage: ")
    assert "4 hold or reach tier 0, 0 unknown" in repr(lineage)
    assert "may_assume" in lineage._repr_html_()


def test_a_node_is_found_by_its_label_and_an_unknown_one_is_refused() -> None:
    lineage = build(*STORY)
    assert lineage.blast_radius("ann").equals(lineage.blast_radius(ANN["id"]))
    assert lineage.blast_radius("bob").schema == BLAST
    with pytest.raises(LineageError, match="Did you mean deploy"):
        lineage.blast_radius("deplay")


def test_ways_may_lead_to_any_node() -> None:
    found = dict(build(*STORY).paths(to="deploy").select("principal_id", "hops").rows())
    assert found == {DEPLOY["id"]: 0, ANN["id"]: 1, ADMIN["id"]: 1, BOB["id"]: 2}


# --- arrays against networkx -----------------------------------------------------------------------------------------

GRAPHS = st.integers(2, 14).flatmap(lambda n: st.tuples(
    st.just(n), st.lists(st.tuples(st.integers(0, n - 1), st.integers(0, n - 1)), max_size=40),
    st.sets(st.integers(0, n - 1), min_size=1, max_size=3)))


@given(GRAPHS)
@settings(max_examples=300, deadline=None)
def test_search_agrees_with_networkx_cycles_and_all(drawn: tuple[int, list[tuple[int, int]], set[int]]) -> None:
    count, pairs, starts = drawn
    tails, heads = (np.array([p[i] for p in pairs], dtype=np.int32) for i in (0, 1))
    found = search(Csr.of(tails, heads, count), np.array(sorted(starts), dtype=np.int32))
    graph = nx.DiGraph(pairs)
    graph.add_nodes_from(range(count))
    wanted = nx.multi_source_dijkstra_path_length(graph, starts, weight=None)
    assert {n: int(h) for n, h in enumerate(found.hops) if h >= 0} == dict(wanted)
    for node in wanted:
        path = walk(found, tails, node)
        assert len(path) == wanted[node]
        assert [int(heads[e]) for e in path] == ([node, *(int(tails[e]) for e in path)])[: len(path)]


@given(GRAPHS)
@settings(max_examples=200, deadline=None)
def test_free_nodes_cost_nothing_as_zero_weights_do_in_networkx(
    drawn: tuple[int, list[tuple[int, int]], set[int]]
) -> None:
    count, pairs, starts = drawn
    free = {n for n in range(count) if n % 3 == 2} - starts
    pairs = [p for p in pairs if not (p[0] in free and p[1] in free)]
    tails, heads = (np.array([p[i] for p in pairs], dtype=np.int32) for i in (0, 1))
    flags = np.isin(np.arange(count), sorted(free))
    found = search(Csr.of(tails, heads, count), np.array(sorted(starts), dtype=np.int32), flags)
    graph = nx.DiGraph()
    graph.add_nodes_from(range(count))
    graph.add_weighted_edges_from((a, b, 0 if b in free else 1) for a, b in pairs)
    wanted = nx.multi_source_dijkstra_path_length(graph, starts)
    assert {n: int(h) for n, h in enumerate(found.hops) if h >= 0} == dict(wanted)


def test_ten_thousand_roles_in_a_row_are_followed_to_the_end() -> None:
    tails = np.arange(10_000, dtype=np.int32)
    found = search(Csr.of(tails, tails + 1, 10_001), np.array([0], dtype=np.int32))
    assert found.hops[-1] == 10_000


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5), st.booleans()), max_size=14))
@settings(max_examples=60, deadline=None)
def test_reach_over_random_trusts_is_what_networkx_reaches(trusted: list[tuple[int, int, bool]]) -> None:
    roles = [identity(f"AROA{i}", f"r{i}") for i in range(6)]
    grants = [r for a, b, sure in trusted if a != b
              for r in trusts(roles[b], roles[a]["id"], condition=None if sure else "{1}")]
    lineage = build(grants, allows(roles[5], ["*"]), identities=roles)
    for sure in (True, False):
        graph = nx.DiGraph((e["src"], e["dst"]) for e in lineage.graph.edges.values()
                           if e["rel"] in ("may_assume", "controls") and (e["state"] == "proved" or not sure))
        graph.add_nodes_from(r["id"] for r in roles)
        wanted = {r["id"] for r in roles if nx.has_path(graph, r["id"], roles[5]["id"])}
        states = ["proved"] if sure else ["proved", "conditional"]
        assert set(lineage.paths().filter(pl.col("state").is_in(states))["principal_id"]) == wanted


# --- real inventories ------------------------------------------------------------------------------------------------


def opened(path: Path, tmp_path: Path) -> Facts:
    from lineage_analytics.analysis import load
    from lineage_analytics.workspace.estate import open_estate

    load([path], tmp_path / "w")
    return open_estate(tmp_path / "w", "2024-01-01")


def loaded(path: Path, tmp_path: Path) -> AccessLineage:
    return access_lineage(opened(path, tmp_path))


@pytest.mark.parametrize(("name", "verdict"), [
    ("basic-allow", "allowed"), ("basic-deny", "denied"), ("role-boundary-deny", "denied"),
    ("role-boundary-no-policies", "denied"), ("user-boundary-allow", "allowed"), ("user-boundary-deny", "denied")])
def test_iamspy_cases_are_reproduced(name: str, verdict: str, shared_data: Path, tmp_path: Path) -> None:
    from lineage_analytics.permissions.aws.catalogue import catalogue
    from lineage_analytics.permissions.aws.table import permissions

    estate = opened(shared_data / "aws_iam" / "iamspy" / f"{name}.json", tmp_path)
    (found,) = permissions(estate).effective.values()
    bit = catalogue().mask("lambda:InvokeFunction")
    assert found.allows(bit, "arn:aws:lambda:eu-west-1:123456789012:function:helloworld") == verdict
    assert bool(found.granted & bit) is (verdict == "allowed")


def test_cloudmapper_demo_lets_everyone_become_the_role_that_trusts_everyone(shared_data: Path, tmp_path: Path) -> None:
    lineage = loaded(shared_data / "aws_iam" / "cloudmapper_demo", tmp_path)
    account = lineage.permissions.filter(pl.col("principal_id").str.contains("123456789012:(AROA|arn)"))
    assert account["admin_equivalent"].to_list() == [True] * account.height
    assert account.height == 6


def test_cloudsplaining_account_has_the_administrators_its_policies_make(shared_data: Path, tmp_path: Path) -> None:
    lineage = loaded(shared_data / "aws_iam" / "cloudsplaining" / "example-authz-details.json", tmp_path)
    labels = dict(lineage.nodes.select("node_id", "label").rows())
    admins = {labels[i] for i in lineage.permissions.filter("admin_equivalent")["principal_id"]}
    assert admins == {"admin", "obama", "userwithlotsofpermissions", "OverprivilegedEC2"}
    assert lineage.permissions["granted"].null_count() == 0
