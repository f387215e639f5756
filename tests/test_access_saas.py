"""Edges of Okta, GitHub, Google Workspace and OpenGraph files: who holds or reaches what, and how sure that is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import networkx as nx
import numpy as np
import polars as pl
import pytest

from lineage_analytics.facts import Facts
from lineage_analytics.graphs.access import AccessLineage, access_lineage
from lineage_analytics.graphs.access.okta import edges
from lineage_analytics.graphs.access.opengraph import rights
from lineage_analytics.graphs.access.parts import Builder
from lineage_analytics.permissions import opengraph
from lineage_analytics.permissions.okta import decide
from lineage_analytics.tables import ACTIVITY, ENTITLEMENTS, IDENTITIES, RESOURCES, Table, conform

AS_OF = datetime(2026, 6, 30, tzinfo=UTC)


def table(rows: list[dict[str, Any]] | None, of: Table) -> pl.DataFrame:
    return conform(pl.DataFrame(rows, infer_schema_length=None), of) if rows else of.empty()


def graph(grants: list[dict[str, Any]], people: dict[str, str], activity: list[dict[str, Any]] | None = None,
          resources: list[dict[str, Any]] | None = None) -> AccessLineage:
    named = [{"id": who, "kind": kind, "provider": who.split(":", maxsplit=1)[0], "tenant": who.split(":")[1] or None}
             for who, kind in people.items()]
    return access_lineage(Facts.of(AS_OF, identities=table(named, IDENTITIES), entitlements=table(grants, ENTITLEMENTS),
                                   activity=table(activity, ACTIVITY), resources=table(resources, RESOURCES)))


def role(who: str, name: str, scope: str) -> dict[str, Any]:
    return {"principal_id": who, "grant_kind": "role", "privilege": name, "scope": scope, "effect": "allow",
            "state": "standing", "granted_at": AS_OF - timedelta(days=9), "provider": who.split(":", maxsplit=1)[0],
            "record_id": f"rec-{name}"}


def member(who: str, of: str) -> dict[str, Any]:
    return {"principal_id": who, "grant_kind": "membership", "scope": of, "effect": "allow", "record_id": "rec-member",
            "provider": who.split(":", maxsplit=1)[0]}


def reached(lineage: AccessLineage, src: str, dst: str) -> str | None:
    found = lineage.blast_radius(src).filter(pl.col("node_id") == dst)
    return str(found["state"].item()) if found.height else None


def admin(lineage: AccessLineage, who: str) -> bool | None:
    found = lineage.permissions.filter(pl.col("principal_id") == who)["admin_equivalent"].item()
    assert found is None or isinstance(found, bool)
    return found


OKTA = {"okta:o:ann": "human", "okta:o:bob": "human", "okta:o:team": "group", "okta:o:app": "app",
        "okta:other:eve": "human"}


def test_a_super_administrator_is_tier_0_and_controls_everybody_of_its_organisation_only() -> None:
    lineage = graph([role("okta:o:ann", "Super administrator", "okta:o:org")], OKTA)
    assert admin(lineage, "okta:o:ann") is True
    assert [reached(lineage, "okta:o:ann", who) for who in OKTA] == [None, "proved", "proved", "proved", None]
    assert admin(lineage, "okta:o:bob") is None  # what else is granted is not known


@pytest.mark.parametrize(("name", "bob", "team", "app"), [
    ("Help Desk administrator", "conditional", None, None),
    ("Group administrator", "conditional", "conditional", None),
    ("Application administrator (all)", None, None, "proved"),
    ("Application administrator (Payroll)", None, None, "conditional"),
    ("Read only admin", None, None, None),
])
def test_what_other_administrators_of_okta_control(name: str, bob: str | None, team: str | None,
                                                   app: str | None) -> None:
    lineage = graph([role("okta:o:ann", name, "okta:o:org")], OKTA)
    assert [reached(lineage, "okta:o:ann", who) for who in ("okta:o:bob", "okta:o:team", "okta:o:app")] == [
        bob, team, app]


def test_who_changes_the_members_of_a_group_reaches_what_the_group_holds() -> None:
    lineage = graph([role("okta:o:ann", "Group membership admin", "okta:o:org"),
                     role("okta:o:team", "Super administrator", "okta:o:org"), member("okta:o:bob", "okta:o:team")], OKTA)
    assert admin(lineage, "okta:o:bob") is True
    assert reached(lineage, "okta:o:ann", "okta:o:org") == "conditional"


GITHUB = {"github:7:1": "human", "github:7:2": "human", "github:7:team/5": "group"}
SHOP = "github:7:repo/42"


def test_a_team_that_may_write_lets_its_members_write_workflows() -> None:
    lineage = graph([role("github:7:team/5", "write", SHOP), member("github:7:1", "github:7:team/5")], GITHUB)
    assert (reached(lineage, "github:7:1", SHOP), reached(lineage, "github:7:2", SHOP)) == ("proved", None)


def test_a_reader_controls_nothing() -> None:
    assert reached(graph([role("github:7:1", "read", SHOP)], GITHUB), "github:7:1", SHOP) is None


def test_an_owner_controls_the_repositories_of_the_organisation() -> None:
    pulls = [{"time": AS_OF, "actor_id": "github:7:2", "action": "pull_request.create", "provider": "github",
              "resource_id": "github:7:pull_request/acme/shop#3", "extra_resource_ids": [SHOP], "outcome": "success"}]
    lineage = graph([role("github:7:1", "admin", "github:7:org/7")], GITHUB, pulls)
    assert reached(lineage, "github:7:1", SHOP) == "proved"
    assert admin(lineage, "github:7:1") is True
    assert lineage.nodes.filter(pl.col("node_id") == SHOP)["label"].item() == "repository acme/shop"


def test_a_push_that_succeeded_proves_the_past_and_is_a_condition_now() -> None:
    pushes = [{"time": AS_OF - timedelta(days=days), "actor_id": "github:7:1", "action": "git.push", "outcome": outcome,
               "provider": "github", "resource_id": SHOP, "record_id": f"rec-{days}"}
              for days, outcome in ((9, "success"), (4, "success"), (1, "denied"))]
    lineage = graph([], GITHUB, pushes)
    assert reached(lineage, "github:7:1", SHOP) == "conditional"
    [found] = lineage.edges.filter(pl.col("dst") == SHOP).to_dicts()
    assert (found["record_ids"], found["reason"]) == (
        ["rec-4"], "pushed to it on 2026-06-26; whether it still may is not loaded")


def test_a_super_admin_of_workspace_is_tier_0_and_one_over_a_unit_is_not_proved_to_be() -> None:
    people = {"gworkspace:C1:ann": "human", "gworkspace:C1:bob": "human"}
    whole = graph([role("gworkspace:C1:ann", "_SEED_ADMIN_ROLE", "gworkspace:C1:customer")], people)
    assert (admin(whole, "gworkspace:C1:ann"), reached(whole, "gworkspace:C1:ann", "gworkspace:C1:bob")) == (
        True, "proved")


@pytest.mark.parametrize(("scope", "tier0", "bob", "group"), [
    ("admin.directory.user", True, "proved", "proved"),
    ("admin.directory.group.member", None, None, "proved"),
    ("gmail.readonly", None, "conditional", None),
    ("drive.readonly", None, None, None),
])
def test_a_client_that_may_act_as_anybody_controls_what_its_scopes_give(
        scope: str, tier0: bool | None, bob: str | None, group: str | None) -> None:
    people = {"gworkspace:C1:client": "app", "gworkspace:C1:bob": "human", "gworkspace:C1:team": "group"}
    given = {"principal_id": "gworkspace:C1:client", "grant_kind": "delegated", "scope": "gworkspace:C1:customer",
             "privilege": f"https://x.example/other https://www.googleapis.com/auth/{scope}", "effect": "allow",
             "via": ["ALL_PRINCIPALS"], "provider": "gworkspace", "record_id": "rec-given"}
    lineage = graph([given], people)
    assert (admin(lineage, "gworkspace:C1:client"), reached(lineage, "gworkspace:C1:client", "gworkspace:C1:bob"),
            reached(lineage, "gworkspace:C1:client", "gworkspace:C1:team")) == (tier0, bob, group)
    one = graph([given | {"via": ["gworkspace:C1:bob"]}], people)  # let in by one user, for that user
    assert reached(one, "gworkspace:C1:client", "gworkspace:C1:bob") is None


# --- OpenGraph -------------------------------------------------------------------------------------------------------

PEOPLE = {"opengraph::ann": "unknown", "opengraph::bob": "unknown", "opengraph::team": "group",
          "opengraph::shop_write": "role"}


def of_file(src: str, kind: str, dst: str, sort: str = "right") -> dict[str, Any]:
    return {"principal_id": f"opengraph::{src}", "grant_kind": sort, "privilege": kind, "scope": f"opengraph::{dst}",
            "provider": "opengraph", "source": "ad_opengraph", "record_id": f"rec-{kind}"}


def test_a_team_with_a_role_that_writes_controls_the_repository_through_known_kinds() -> None:
    lineage = graph([of_file("ann", "GH_MemberOf", "team", "membership"), of_file("team", "GH_HasRole", "shop_write"),
                     of_file("shop_write", "GH_WriteRepoContents", "shop")], PEOPLE)
    assert (reached(lineage, "opengraph::ann", "opengraph::shop"),
            reached(lineage, "opengraph::bob", "opengraph::shop")) == ("proved", None)


@pytest.mark.parametrize(("kind", "answer"), [("GH_ReadRepoContents", False), ("XX_Whatever", None)])
def test_a_kind_that_gives_no_control_leads_nowhere_and_one_that_is_not_known_leaves_tier_0_open(
        kind: str, answer: bool | None) -> None:
    node = {"id": "opengraph::shop", "kind": "GH_Organization", "source": "ad_opengraph", "provider": "opengraph"}
    lineage = graph([of_file("ann", kind, "shop")], PEOPLE, resources=[node])
    assert reached(lineage, "opengraph::ann", "opengraph::shop") is None
    assert admin(lineage, "opengraph::ann") is answer


def test_owners_are_tier_0_by_the_name_of_their_role() -> None:
    named = [{"id": "opengraph::ann", "kind": "unknown", "provider": "opengraph"},
             {"id": "opengraph::o_owners", "kind": "role", "subkind": "GH_OrgRole", "display_name": "acme\\Owners",
              "provider": "opengraph", "tenant": "O_1"}]
    node = {"id": "opengraph::O_1", "kind": "GH_Organization", "source": "ad_opengraph", "provider": "opengraph"}
    lineage = access_lineage(Facts.of(
        AS_OF, identities=table(named, IDENTITIES), resources=table([node], RESOURCES),
        entitlements=table([of_file("ann", "GH_HasRole", "o_owners")], ENTITLEMENTS)))
    assert reached(lineage, "opengraph::ann", "opengraph::O_1") == "proved"
    assert admin(lineage, "opengraph::ann") is True


def test_a_right_of_a_file_is_allowed_through_teams_and_roles_and_what_is_not_in_it_is_unknown() -> None:
    grants = [of_file("ann", "GH_MemberOf", "team", "membership"), of_file("team", "GH_HasRole", "shop_write"),
              of_file("shop_write", "GH_WriteRepoContents", "shop"), of_file("team", "GH_HasRole", "team")]
    held = Facts.of(AS_OF, entitlements=table(grants, ENTITLEMENTS), identities=table(
        [{"id": who, "kind": kind, "provider": "opengraph"} for who, kind in PEOPLE.items()], IDENTITIES))
    found = opengraph.decide(held, "opengraph::ann", "opengraph:GH_WriteRepoContents", "opengraph::shop")
    assert (found.verdict, found.because[0].record_ids) == (
        "allowed", ("rec-GH_WriteRepoContents", "rec-GH_MemberOf", "rec-GH_HasRole"))
    for who, action, resource in (("bob", "GH_WriteRepoContents", "shop"), ("ann", "GH_AdminTo", "shop"),
                                  ("ann", "GH_WriteRepoContents", "other")):
        assert opengraph.decide(held, f"opengraph::{who}", f"opengraph:{action}", resource).verdict == "unknown"
    rows = {row["principal_id"]: (row["granted"], row["used"]) for row in opengraph.permission_rows(held).to_dicts()}
    assert rows == {"opengraph::ann": (1, None), "opengraph::bob": (0, None)}


def test_known_kinds_reach_what_networkx_reaches_over_the_same_rows() -> None:
    kinds = ["GH_MemberOf", "GH_HasRole", "GH_AdminTo", "GH_ReadRepoContents", "Okta_ResetPassword", "XX_Odd"]
    grants = [of_file(f"n{at * 7 % 30}", kinds[at % len(kinds)], f"n{(at * 11 + 3) % 30}") for at in range(120)]
    lineage = graph(grants, {f"opengraph::n{at}": "unknown" for at in range(30)})
    plain = nx.DiGraph()
    plain.add_nodes_from(f"opengraph::n{at}" for at in range(30))
    plain.add_edges_from((row["principal_id"], row["scope"]) for row in grants
                         if (right := rights().get(row["privilege"].casefold())) is not None and right.followed)
    for node in plain:
        assert set(lineage.blast_radius(node)["node_id"]) == nx.descendants(plain, node) - {node}


def test_the_same_rows_in_any_order_give_the_same_edges() -> None:
    people = {**OKTA, **GITHUB, **PEOPLE}
    grants = [role("okta:o:ann", "Super administrator", "okta:o:org"), role("okta:o:team", "Help Desk admin", "okta:o:org"),
              member("okta:o:bob", "okta:o:team"), role("github:7:1", "admin", "github:7:org/7"),
              role("github:7:team/5", "write", SHOP), member("github:7:2", "github:7:team/5"),
              of_file("ann", "GH_HasRole", "shop_write"), of_file("shop_write", "GH_AdminTo", "shop")]
    first = graph(grants, people)
    for seed in range(5):
        dice, listed = np.random.default_rng(seed), sorted(people.items())
        again = graph([grants[at] for at in dice.permutation(len(grants))],
                      dict(listed[at] for at in dice.permutation(len(listed))))
        assert again.edges.equals(first.edges)
        assert again.nodes.equals(first.nodes)


def test_groups_nested_ten_thousand_deep_and_in_a_circle_end() -> None:
    groups = [f"okta:o:g{at}" for at in range(10_000)]
    grants = [member(low, high) for low, high in pairwise([*groups, groups[0]])]
    held = Facts.of(AS_OF, entitlements=table([
        *grants, member("okta:o:ann", groups[0]), role(groups[-1], "Super administrator", "okta:o:org")], ENTITLEMENTS))
    build = Builder()
    edges(held, build)
    assert build.edges().filter(pl.col("rel") == "member_of").height == 10_001
    assert decide(held, "okta:o:ann", "okta.roles.manage", "*").verdict == "allowed"
