"""Each right over each kind of object, inheritance, policies, replication, trusts: hand-sized, the answer in the name."""

from __future__ import annotations

import itertools
import json
import random
import time
from typing import Any

import networkx as nx
import polars as pl
import pytest

from lineage_analytics.graphs.access.ad import edges
from lineage_analytics.graphs.access.ad_together import Together
from lineage_analytics.graphs.access.parts import Builder
from lineage_analytics.permissions.datafiles import rows
from tests._ad import DOMAIN, PRINCIPALS, behind, ends, facts, made, object_, principal, says, sid
from tests._entra import AS_OF, days

ROWS = rows("ad_rights", ("right", "on", "rel", "sure", "technique", "needs"), room="graphs")
KINDS = ("user", "computer", "group", "gpo", "ou", "container", "domain", "cert_template", "enterprise_ca",
         "nt_auth_store", "root_ca", "aia_ca", "issuance_policy")
GIVEN = {(row["right"], row["on"]): row for row in ROWS}
NAMES = sorted({row["right"] for row in ROWS} - {"Contains"})


def kind_row(name: str, kind: str) -> dict[str, Any]:
    return principal(name, kind) if kind in PRINCIPALS else object_(name, kind)


def test_every_row_is_over_a_kind_the_loader_writes_and_each_right_over_a_kind_once() -> None:
    assert {row["on"] for row in ROWS} <= {*KINDS, "*"}
    assert len(GIVEN) == len(ROWS)
    assert {row["rel"] for row in ROWS} == {"controls", "may_assume"}
    assert all((row["sure"] == "no") == bool(row["needs"]) for row in ROWS)


@pytest.mark.parametrize(("right", "kind"), list(itertools.product(NAMES, KINDS)))
def test_a_right_gives_the_edge_its_row_says_over_its_kind_and_none_over_another(right: str, kind: str) -> None:
    build = made(says("a", right, "x"), of=(kind_row("x", kind), principal("a")))
    row = GIVEN.get((right, kind)) or GIVEN.get((right, "*"))
    found = build.edges().select("src", "rel", "dst", "state", "technique", "followed", "record_ids").rows()
    assert found == ([] if row is None else [
        (sid("a"), row["rel"], sid("x"), "proved" if row["sure"] == "yes" else "conditional", row["technique"], True,
         [f"rec-a-{right}-x"])])


@pytest.mark.parametrize("right", ["GetChanges", "Enroll", "PublishedTo", "SeBackupPrivilege"])
def test_a_right_without_a_row_gives_no_edge_by_itself(right: str) -> None:
    assert made(says("a", right, "x"), of=(principal("x"),)).edges().is_empty()


def test_the_case_of_a_right_means_nothing_and_a_right_over_itself_gives_nothing() -> None:
    build = made(says("a", "genericALL", "x"), says("x", "GenericAll", "x"), of=(principal("x"),))
    assert ends(build) == {("a", "x", "proved")}


def test_a_right_that_ended_gives_nothing() -> None:
    assert made(says("a", "GenericAll", "x", expires_at=AS_OF - days(1))).edges().is_empty()


# Inheritance.

def inside(kind: str, *, protected: bool | None, held: str = "ou") -> set[tuple[str, str, str]]:
    terms = None if protected is None else json.dumps({"protected": protected})
    return ends(made(says("u", "Contains", "x", condition=terms), of=(kind_row("x", kind), object_("u", held))))


@pytest.mark.parametrize("kind", KINDS)
def test_what_lies_in_a_unit_follows_surely_if_told_unprotected_and_conditionally_if_not_told(kind: str) -> None:
    assert inside(kind, protected=False) == {("u", "x", "proved")}
    assert inside(kind, protected=None) == {("u", "x", "conditional")}


@pytest.mark.parametrize("kind", KINDS)
def test_protected_objects_do_not_follow_but_accounts_and_units_by_a_policy_conditionally(kind: str) -> None:
    takes_policies = kind in {"user", "computer", "ou", "container"}
    assert inside(kind, protected=True) == ({("u", "x", "conditional")} if takes_policies else set())


def test_protection_that_the_object_itself_states_counts_too() -> None:
    build = made(says("u", "Contains", "x"), of=(object_("x", "gpo", isaclprotected=True),))
    assert ends(build) == set()
    build = made(says("u", "Contains", "x"), of=(object_("x", "gpo", isaclprotected=False),))
    assert ends(build) == {("u", "x", "proved")}


def test_a_policy_reaches_a_computer_through_the_unit_it_is_linked_to_in_two_hops() -> None:
    build = made(says("a", "GenericWrite", "p"), says("p", "GPLink", "u"),
                 says("u", "Contains", "c", condition='{"protected":false}'),
                 of=(object_("p", "gpo"), object_("u", "ou"), principal("c", "computer")))
    assert ends(build) == {("a", "p", "proved"), ("p", "u", "conditional"), ("u", "c", "proved")}


# What takes two rights.

def test_replication_through_two_groups_carries_the_records_of_that_principal_and_of_no_other() -> None:
    build = made(says("g", "GetChanges", "d"), says("h", "GetChangesAll", "d"), says("a", None, "f"),
                 says("f", None, "g"), says("a", None, "h"), says("b", None, "g"), says("c", "GetChanges", "d"),
                 of=(object_("d", "domain"),))
    assert ends(build) == {("a", "d", "proved")}
    assert behind(build, "a", "d") == {"rec-g-GetChanges-d", "rec-h-GetChangesAll-d", "rec-a-None-f", "rec-f-None-g",
                                       "rec-a-None-h"}


def test_members_of_a_group_that_holds_both_follow_by_membership_so_one_edge() -> None:
    build = made(says("g", "GetChanges", "d"), says("g", "GetChangesAll", "d"), says("a", None, "g"),
                 says("a", "GetChanges", "d"), of=(object_("d", "domain"),))
    assert ends(build) == {("g", "d", "proved")}


def test_replication_over_two_domains_does_not_add_up() -> None:
    build = made(says("a", "GetChanges", "d"), says("a", "GetChangesAll", "e"),
                 of=(object_("d", "domain"), object_("e", "domain")))
    assert ends(build) == set()


def test_two_groups_in_each_other_that_hold_one_half_each_give_an_edge_for_each_way_in() -> None:
    build = made(says("g", None, "h"), says("h", None, "g"), says("g", None, "x"), says("h", None, "y"),
                 says("x", "GetChanges", "d"), says("y", "GetChangesAll", "d"), of=(object_("d", "domain"),))
    assert ends(build) == {("g", "d", "proved")}  # h is in g and follows by its membership


def together_by_networkx(memberships: list[tuple[str, str]], *sides: set[str]) -> set[str]:
    graph: nx.DiGraph[str] = nx.DiGraph(memberships)
    graph.add_nodes_from(set().union(*sides))
    return {one for one in graph if all(({one} | nx.descendants(graph, one)) & side for side in sides)}


def test_who_holds_all_of_two_or_three_lists_equals_networkx_on_200_graphs_with_cycles() -> None:
    pick = random.Random(7)  # noqa: S311  (small graphs, no secret)
    for _ in range(200):
        names = [f"n{i}" for i in range(pick.randint(2, 9))]
        pairs = [(pick.choice(names), pick.choice(names)) for _ in range(pick.randint(1, 16))]
        sides = [set(pick.sample(names, pick.randint(1, 2))) for _ in range(pick.choice((2, 3)))]
        wanted = together_by_networkx(pairs, *sides)
        found = {one.rpartition("-")[2] for one, _ in Together(facts(*(says(m, None, g) for m, g in pairs)))(
            *({sid(one): f"rec-{one}" for one in side} for side in sides))}
        graph: nx.DiGraph[str] = nx.DiGraph(pairs)
        graph.add_nodes_from(names)
        # What is named, with all its members, is exactly who holds all.
        assert found <= wanted
        assert found | {below for one in found for below in nx.ancestors(graph, one)} == wanted


def test_nesting_of_10000_groups_with_the_halves_at_the_ends_of_two_chains_takes_under_5_seconds() -> None:
    chains = [says(f"{name}{i}", None, f"{name}{i + 1}") for name in "gh" for i in range(10_000)]
    begun = time.process_time()
    build = made(*chains, says("g10000", "GetChanges", "d"), says("h10000", "GetChangesAll", "d"), says("a", None, "g0"),
                 says("a", None, "h0"), *(says(f"b{i}", None, "g0") for i in range(1000)), of=(object_("d", "domain"),))
    assert time.process_time() - begun < 5
    assert ends(build) == {("a", "d", "proved")}


# Who is who.

def test_a_session_makes_the_computer_a_way_to_the_user_conditionally() -> None:
    build = made(says("c", "HasSession", "u"), of=(principal("c", "computer"), principal("u")))
    assert ends(build, "may_assume") == {("c", "u", "conditional")}


def test_delegation_to_anything_is_a_way_from_a_computer_and_no_news_of_a_domain_controller() -> None:
    grants = (says("c", "UnconstrainedDelegation", DOMAIN), says("dc", "UnconstrainedDelegation", DOMAIN),
              says("dc", None, "516"))
    assert ends(made(*grants, of=(object_(DOMAIN, "domain"),))) == {("c", "domain", "conditional")}


def test_a_protected_account_says_so_in_the_reason() -> None:
    build = made(says("u", "Contains", "x", condition='{"protected":true}'), of=(principal("x"), object_("u", "ou")))
    assert build.edges()["reason"].to_list() == [
        "have a policy applied to what lies in it: it lies in it, protected from inherited rights, which takes a policy "
        "that may be linked above it"]


AUTH, ALL = "ad::CORP.LOCAL-S-1-5-11", "ad::CORP.LOCAL-S-1-1-0"
NAMED = (object_(DOMAIN, "domain", "CORP.LOCAL"), principal("513", "group"), principal("515", "group"))


def test_domain_users_and_computers_are_authenticated_users_and_those_everyone_in_three_edges() -> None:
    build = made(says(AUTH, "GenericAll", "x"), says(ALL, "CanRDP", "y"), of=NAMED)
    assert ends(build, "member_of") == {("513", AUTH, "proved"), ("515", AUTH, "proved"), (AUTH, ALL, "proved")}


def test_authenticated_users_of_another_domain_take_no_members_from_this_one() -> None:
    build = made(says("ad::OTHER.LOCAL-S-1-5-11", "GenericAll", "x"), of=NAMED)
    assert ends(build, "member_of") == set()


def test_halves_held_by_a_group_and_by_authenticated_users_come_together_in_domain_users() -> None:
    build = made(says(AUTH, "GetChanges", DOMAIN), says("513", "GetChangesAll", DOMAIN), of=NAMED)
    assert ends(build) == {("513", "domain", "proved")}
    assert behind(build, "513", DOMAIN) == {f"rec-{AUTH}-GetChanges-{DOMAIN}", f"rec-513-GetChangesAll-{DOMAIN}"}


def test_a_principal_of_another_domain_and_one_nobody_lists_are_nodes_of_unknown_kind() -> None:
    foreign = "ad:S-1-5-21-9-9-9:S-1-5-21-9-9-9-1104"
    build = made(says(foreign, None, "g"), says("gone", "AddMember", "g"), of=(principal("g", "group"),))
    assert ends(build, "member_of") == {(foreign, "g", "proved")}
    assert ends(build) == {("gone", "g", "proved")}
    kinds = dict(build.nodes().select("node_id", "kind").iter_rows())
    assert kinds[foreign] == kinds[sid("gone")] == "unknown"


def test_a_cycle_of_groups_ends_and_keeps_its_three_memberships() -> None:
    build = made(says("a", None, "b"), says("b", None, "c"), says("c", None, "a"))
    assert len(ends(build, "member_of")) == 3


def test_an_owner_is_limited_to_a_condition_where_the_object_says_what_owners_may_do() -> None:
    owner = says("a", "Owns", "x", grant_kind="owner")
    assert ends(made(owner, of=(principal("x"),))) == {("a", "x", "proved")}
    limit = says("ad::CORP.LOCAL-S-1-3-4", "ReadLAPSPassword", "x")
    assert ends(made(owner, limit, of=(principal("x"),))) == {("a", "x", "conditional")}


@pytest.mark.parametrize(("terms", "state"), [
    ({"type": "ParentChild", "sid_filtering": False}, "proved"), ({"type": "ParentChild"}, "proved"),
    ({"type": "CrossLink", "sid_filtering": True}, "conditional"),
    ({"type": "External", "sid_filtering": False}, "conditional"), ({"type": "External", "sid_filtering": True}, None),
    ({"type": "Forest"}, None), (None, None)])
def test_a_trust_is_a_way_within_a_forest_and_elsewhere_only_where_identifiers_are_stated_unfiltered(
        terms: dict[str, Any] | None, state: str | None) -> None:
    other = "ad:S-1-5-21-9-9-9:S-1-5-21-9-9-9"
    build = made(says(other, "TrustedBy", DOMAIN, condition=json.dumps(terms) if terms else None))
    assert ends(build) == ({(other, "domain", state)} if state else set())


# What is tier 0.

@pytest.mark.parametrize(("row", "high"), [
    (object_(DOMAIN, "domain"), True), (object_("n", "nt_auth_store"), True), (object_("e", "enterprise_ca"), True),
    (object_("s", "container", "ADMINSDHOLDER@CORP.LOCAL"), True), (object_("s", "container", "USERS@CORP.LOCAL"), False),
    (object_("s", "ou", "ADMINSDHOLDER@CORP.LOCAL"), False), (object_("t", "cert_template"), False),
    (principal("512", "group"), True), (principal("521", "group"), True), (principal("513", "group"), False),
    (principal("1512", "group"), False), (principal("512"), False), (principal("500"), True),
    (principal("502"), True), (principal("1500"), False), (principal("ad::CORP.LOCAL-S-1-5-32-544", "group"), True),
    (principal("ad::CORP.LOCAL-S-1-5-32-545", "group"), False)])
def test_tier_0_is_what_its_file_names(row: dict[str, Any], high: bool) -> None:
    build = made(says("a", "GenericAll", row["id"]), of=(row,))
    nodes = dict(build.nodes().select("node_id", "tier0").iter_rows())
    assert nodes[row["id"]] is high


def test_the_order_of_the_records_changes_nothing() -> None:
    grants = [says("g", "GetChanges", "d"), says("h", "GetChangesAll", "d"), says("a", None, "g"), says("a", None, "h"),
              says("a", "Owns", "x", grant_kind="owner"), says("u", "Contains", "x", condition='{"protected":true}'),
              says("u", "Contains", "x", record_id="other")]
    tables = []
    for order in (grants, grants[::-1]):
        build = Builder()
        edges(facts(*order, of=(object_("d", "domain"), principal("x"), object_("u", "ou"))), build)
        tables.append(build.edges())
    assert tables[0].equals(tables[1])
    assert tables[0].filter(pl.col("rel") == "controls").height == 3
