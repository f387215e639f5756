"""Ways to tier 0 and reach (PRV-09 to PRV-13), and whose permissions are resolved (VIS-12), on hand-made graphs."""

from __future__ import annotations

from typing import Any

import networkx as nx
import pytest

from lineage_analytics.metrics import words
from tests.test_metrics_estates import counts, edge, grant, held, identity, measured, members, node, permission, row

Rows = list[dict[str, Any]]


def _graph(names: str, edges: Rows, permissions: Rows | None = None, tier0: tuple[str, ...] = ("root",),
           entitlements: Rows | None = None, identities: Rows | None = None, **more: Any) -> Any:
    people = names.split()
    held_by = {p["principal_id"]: p for p in permissions or []}
    return measured(
        identities=identities or [identity(name) for name in people],
        permissions=[held_by.get(f"aws:1:{name}", permission(name, 1, 1)) for name in people],
        nodes=[*(node(name, tier0=name in tier0) for name in people),
               *(node(name, "resource", tier0=True, weight=10) for name in tier0 if name not in people)],
        edges=edges, entitlements=entitlements or [grant()], **more)


def test_prv09_of_5_outside_2_have_a_way_1_only_under_a_condition_1_is_not_read_and_1_has_none() -> None:
    dark = permission("dark", None, None, granted=None, admin_equivalent=None, reason="policy_missing: arn:x")
    found = _graph("a b maybe dark calm", [edge("a", "root"), edge("b", "a"), edge("maybe", "root", "conditional")],
                   [dark])
    assert counts(found, "PRV-09") == (2, 3, 2, 0)
    assert members(found, "PRV-09", "numerator") == {
        "a": "1 steps: to root: take it over", "b": "2 steps: to a: take it over; to root: take it over"}
    assert members(found, "PRV-09", "unknown") == {
        "dark": "arn:x", "maybe": "only if a condition holds: to root: take it over"}


def test_prv09_what_is_tier_0_itself_is_not_outside_it() -> None:
    found = _graph("king a", [edge("a", "king")], tier0=("king",))
    assert members(found, "PRV-09", "denominator").keys() == {"a"}


def test_prv10_of_two_ways_in_through_one_door_the_cut_is_1_and_with_a_door_each_2() -> None:
    one = _graph("a b door", [edge("a", "door"), edge("b", "door"), edge("door", "root")])
    assert [row(one, "PRV-10", scope)["value"] for scope in ("entry_edges", "cut_size", "min_hops")] == [1, 1, 1]
    two = _graph("a b c d", [edge("a", "c"), edge("c", "root"), edge("b", "d"), edge("d", "root")])
    assert [row(two, "PRV-10", scope)["value"] for scope in ("entry_edges", "cut_size", "min_hops")] == [2, 2, 1]
    assert words.measure_words(row(two, "PRV-10", "cut_size")) == "2"


def test_prv10_no_way_at_all_is_none_and_not_unknown() -> None:
    calm = _graph("a b", [])
    assert [row(calm, "PRV-10", scope)["status"] for scope in ("entry_edges", "cut_size")] == ["scored", "scored"]
    assert words.measure_words(row(calm, "PRV-10", "cut_size")) == "none"


def test_prv10_median_of_1_2_3_steps_is_2() -> None:
    names = " ".join(f"n{n:02}" for n in range(12))
    chain = [edge("n00", "root"), *(edge(f"n{n:02}", "n00") for n in range(1, 12))]
    held_row = row(_graph(names, chain), "PRV-10", "median_hops")
    assert (held_row["value"], held_row["denominator"], held_row["unit"]) == (2.0, 12.0, "hops")


def test_prv11_the_first_cut_takes_9_of_12_and_the_ten_best_take_all_12() -> None:
    many, few = [f"m{n}" for n in range(8)], ["f0", "f1"]
    edges = [edge("hub", "root"), *(edge(m, "hub") for m in many), edge("side", "root"),
             *(edge(f, "side") for f in few)]
    found = _graph(" ".join(["hub", "side", *many, *few]), edges)
    assert (row(found, "PRV-11", "first")["numerator"], row(found, "PRV-11", "first")["denominator"]) == (9, 12)
    assert row(found, "PRV-11", "top10")["value"] == 1.0
    assert words.measure_words(row(found, "PRV-11", "first")) == "9 of 12 (75 %); provisional: fewer than 30 are known"
    assert members(found, "PRV-11", "numerator", "first") == {
        "01|hub|aws:1:root": "cut 1: 9 of 12 exposed lose their way, 3 are left; hub to root: hub may take over root"}
    graph = nx.DiGraph((e["src"], e["dst"]) for e in edges)
    graph.remove_edge("aws:1:hub", "aws:1:root")
    assert len(nx.ancestors(graph, "aws:1:root")) == 3


def test_prv12_a_way_of_3_steps_is_a_shadow_admin_of_4_is_not_and_a_declared_one_is_not() -> None:
    edges = [edge("s1", "root"), edge("s2", "s1"), edge("s3", "s2"), edge("s4", "s3"), edge("admin", "root")]
    rows = [permission(name, 1, 1, weight_max=10, admin_equivalent=True) for name in ("s1", "s2", "s3", "s4", "admin")]
    listed = {"principal_id": "aws:1:admin", "grant_kind": "attachment", "effect": "allow", "provider": "aws",
              "privilege": "AdministratorAccess", "record_id": "rec-x",
              "scope": "aws:aws:arn:aws:iam::aws:policy/AdministratorAccess"}
    found = _graph("s1 s2 s3 s4 admin", edges, rows, entitlements=[grant(), listed])
    assert members(found, "PRV-12", "numerator").keys() == {"s1", "s2", "s3"}
    assert members(found, "PRV-12", "denominator")["admin"] == "declared: policy AdministratorAccess"
    assert members(found, "PRV-12", "denominator")["s4"] == "its way to tier 0 takes 4 steps"
    assert members(found, "PRV-12", "numerator")["s2"] == "2 steps: to s1: take it over; to root: take it over"
    assert counts(found, "PRV-12") == (3, 5, 0, 0)


def test_prv12_a_member_of_a_declared_group_is_declared_through_any_nesting() -> None:
    groups = [identity("Admins", "group"), identity("inner", "group")]
    member = [{"principal_id": f"aws:1:{who}", "grant_kind": "membership", "scope": f"aws:1:{group}", "provider": "aws",
               "effect": "allow", "record_id": f"rec-{who}"} for who, group in (("a", "inner"), ("inner", "Admins"))]
    rows = [permission("a", 1, 1, weight_max=10, admin_equivalent=True)]
    found = _graph("a", [edge("a", "root")], rows, entitlements=[grant(), *member], identities=[identity("a"), *groups])
    assert members(found, "PRV-12", "denominator") == {"a": "declared: group Admins"}


def test_prv12_per_100_of_3_in_30_is_10() -> None:
    names = [f"s{n:02}" for n in range(30)]
    rows = [permission(name, 1, 1, weight_max=10) for name in names]
    held_row = row(_graph(" ".join(names), [edge(n, "root") for n in names[:3]], rows), "PRV-12")
    assert (held_row["value"], held_row["unit"], held_row["status"]) == (10.0, "per_100", "scored")


def test_prv13_within_4_steps_and_no_further_weighed_and_an_unread_account_is_unknown() -> None:
    chain = [edge(f"c{n}", f"c{n + 1}") for n in range(6)]
    names = [f"c{n}" for n in range(7)]
    dark = permission("dark", None, None, granted=None, reason="policy_missing: x")
    found = _graph(" ".join([*names, "dark"]), chain, [dark])
    # Eight accounts of weight 2 and the root of 10; without oneself 24. Four others of weight 2 are a third.
    assert members(found, "PRV-13", "denominator", "max")["c0"] == "reaches 4 others, 33.3 % of all criticality"
    assert members(found, "PRV-13", "unknown", "max") == {"dark": "x"}
    assert row(found, "PRV-13", "max")["reason"] == "denominator_below_min" or row(found, "PRV-13", "max")["value"]


def test_prv13_kinds_apart() -> None:
    found = _graph("a b", [edge("a", "b")], identities=[identity("a", "human"), identity("b", "workload")])
    assert members(found, "PRV-13", "denominator", "human").keys() == {"a"}
    assert members(found, "PRV-13", "denominator", "workload").keys() == {"b"}
    assert members(found, "PRV-13", "denominator", "app") == {}


@pytest.mark.parametrize("metric_id", ["PRV-09", "PRV-10", "PRV-11", "PRV-12", "PRV-13"])
def test_without_an_inventory_of_permissions_nothing_is_scored(metric_id: str) -> None:
    found = measured(identities=[identity(f"s{n}") for n in range(40)])
    kept = [one for one in found.measures.iter_rows(named=True) if one["metric_id"] == metric_id]
    assert {(one["status"], one["reason"], one["numerator"]) for one in kept} == {("not_scored", "no_source", None)}


# --- VIS-12 ----------------------------------------------------------------------------------------------------------

def test_vis12_effective_counts_assigned_is_reported_apart_unread_is_not_resolved_unlisted_is_unknown() -> None:
    rows = [permission("full", 1, 1, granted_basis="effective"),
            permission("half", None, None, granted=3, granted_basis="assigned", reason="role_missing: roles/x"),
            permission("torn", None, None, granted=None, reason="policy_missing: arn:x"),
            permission("dark", None, None, granted=None, reason="no_source: no export lists it")]
    names = ("full", "half", "torn", "dark")
    found = measured(identities=[identity(name) for name in names], permissions=rows, entitlements=[held("full", "s3:*")])
    assert counts(found, "VIS-12") == (1, 3, 1, 0)
    assert counts(found, "VIS-12", "assigned") == (1, 3, 1, 0)
    assert members(found, "VIS-12", "numerator", "assigned") == {"half": "3 assignments known; roles/x"}
    assert members(found, "VIS-12", "unknown") == {"dark": "no export lists it"}
