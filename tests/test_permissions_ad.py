"""What principals of Active Directory may do: hand-sized cases, the answer in the name."""

from __future__ import annotations

import time
from typing import Any

import networkx as nx
import pytest

from lineage_analytics.permissions.ad import decide, implies, permission_rows
from lineage_analytics.tables import PERMISSIONS
from tests._ad import DOMAIN, facts, object_, principal, says, sid

AUTH = "ad::CORP.LOCAL-S-1-5-11"


def verdict(action: str, over: str, *grants: dict[str, Any], of: tuple[dict[str, Any], ...] = (),
            who: str = "a") -> str:
    return decide(facts(*grants, of=of), sid(who), action, over).verdict


def test_a_right_held_itself_is_allowed_by_id_and_by_name_with_its_record() -> None:
    held = facts(says("a", "ForceChangePassword", "x"), of=(principal("x", label="X@CORP.LOCAL"),))
    for over in (sid("x"), "x@corp.local"):
        found = decide(held, sid("a"), "forcechangepassword", over)
        assert (found.verdict, found.because[0].record_ids) == ("allowed", ("rec-a-ForceChangePassword-x",))
    assert found.because[0].says == "ForceChangePassword over X@CORP.LOCAL"


def test_a_right_held_through_two_groups_is_allowed_with_the_three_records_that_lead_there() -> None:
    found = decide(facts(says("g", "AddMember", "x"), says("a", None, "f"), says("f", None, "g"),
                         of=(principal("g", "group", "G@CORP.LOCAL"),)), sid("a"), "AddMember", sid("x"))
    assert found.verdict == "allowed"
    assert found.because[0].record_ids == ("rec-g-AddMember-x", "rec-a-None-f", "rec-f-None-g")
    assert found.because[0].says.endswith("through G@CORP.LOCAL")


def test_domain_users_have_what_authenticated_users_have() -> None:
    named = (object_(DOMAIN, "domain", "CORP.LOCAL"), principal("513", "group"))
    assert verdict("Enroll", sid("x"), says(AUTH, "Enroll", "x"), says("a", None, "513"), of=named) == "allowed"


@pytest.mark.parametrize(("held", "asked", "included"), [
    ("GenericAll", "ForceChangePassword", True), ("GenericAll", "WriteDacl", True), ("GenericAll", "AddMember", True),
    ("GenericAll", "AdminTo", False), ("GenericAll", "HasSession", False), ("GenericAll", "Owns", False),
    ("GenericAll", "ManageCA", False), ("AllExtendedRights", "GetChangesAll", True), ("AllExtendedRights", "Enroll", True),
    ("AllExtendedRights", "WriteDacl", False), ("AllExtendedRights", "AddMember", False),
    ("GenericWrite", "AddMember", True), ("GenericWrite", "WriteSPN", True), ("GenericWrite", "WriteDacl", False),
    ("GenericWrite", "ForceChangePassword", False), ("Owns", "WriteDacl", True), ("Owns", "GenericAll", False),
    ("WriteDacl", "GenericAll", False), ("GetChanges", "GetChangesAll", False), ("genericall", "GENERICALL", True)])
def test_what_one_right_includes(held: str, asked: str, included: bool) -> None:
    assert implies(held, asked) is included
    assert (verdict(asked, sid("x"), says("a", held, "x")) == "allowed") is included


@pytest.mark.parametrize(("action", "grants", "answer"), [
    ("GenericAll", (), "unknown"), ("GenericAll", (says("b", "Owns", "x"),), "denied"),
    ("GenericAll", (says("b", "Owns", "y"),), "unknown"), ("GenericAll", (says("b", "AdminTo", "x"),), "unknown"),
    ("AdminTo", (says("b", "Owns", "x"),), "unknown"), ("AdminTo", (says("b", "CanRDP", "x"),), "denied"),
    ("HasSession", (says("b", "Owns", "x"),), "unknown"), ("FlyToTheMoon", (says("b", "Owns", "x"),), "unknown"),
    ("GenericAll", (says("b", "Contains", "x"),), "unknown")])
def test_denied_only_where_rights_of_that_sort_over_the_object_were_collected(
        action: str, grants: tuple[dict[str, Any], ...], answer: str) -> None:
    assert verdict(action, sid("x"), *grants, of=(principal("x", "computer"),)) == answer


def test_an_object_nobody_lists_and_any_object_are_unknown_unless_held() -> None:
    assert verdict("GenericAll", "nobody", says("b", "Owns", "x")) == "unknown"
    assert verdict("GenericAll", "*", says("b", "Owns", "x")) == "unknown"
    assert verdict("GenericAll", "*", says("a", "GenericAll", "x")) == "allowed"


def test_membership_is_allowed_through_nesting_denied_in_a_listed_group_and_else_unknown() -> None:
    groups = (principal("g", "group", "G@CORP.LOCAL"), principal("h", "group"))
    grants = (says("a", None, "f"), says("f", None, "g"))
    found = decide(facts(*grants, of=groups), sid("a"), "member", "g@corp.local")
    assert (found.verdict, found.because[0].record_ids) == ("allowed", ("rec-a-None-f", "rec-f-None-g"))
    assert verdict("member", sid("h"), *grants, of=groups) == "denied"
    assert verdict("member", sid("z"), *grants, of=groups) == "unknown"
    assert verdict("member", sid("f"), *grants, of=groups) == "allowed"


# Counts.

def table(*grants: dict[str, Any], of: tuple[dict[str, Any], ...]) -> dict[str, dict[str, Any]]:
    frame = permission_rows(facts(*grants, of=of))
    assert frame.schema == PERMISSIONS.schema
    return {row["principal_id"].rpartition("-")[2]: row for row in frame.iter_rows(named=True)}


def test_three_pairs_one_own_and_two_by_groups_the_one_held_twice_counts_once() -> None:
    found = table(says("a", "AddMember", "x"), says("g", "AddMember", "x"), says("g", "Enroll", "y"),
                  says("h", "GetChanges", "z"), says("a", None, "g"), says("g", None, "h"),
                  of=(principal("a"), principal("g", "group"), principal("x", "group")))
    row = found["a"]
    assert (row["granted"], row["granted_basis"], row["unobservable"], row["used"]) == (3, "effective", 3, None)
    assert row["sensitive_granted"] == 1  # joining the group; enrolling and half of replication give no control
    assert row["record_ids"] == ["rec-a-AddMember-x", "rec-g-Enroll-y", "rec-h-GetChanges-z"]
    assert row["reason"].startswith("no_source")
    assert found["g"]["granted"] == 3
    assert (found["x"]["granted"], found["x"]["weight_max"], found["x"]["reason"]) == (0, 0, None)


@pytest.mark.parametrize(("right", "over", "weight"), [
    ("GenericAll", principal("512", "group"), 10), ("AddMember", principal("512", "group"), 10),
    ("ForceChangePassword", principal("500"), 10), ("GenericAll", object_(DOMAIN, "domain"), 10),
    ("GenericWrite", object_(DOMAIN, "domain"), 0), ("GetChanges", object_(DOMAIN, "domain"), 0),
    ("WriteDacl", object_("s", "container", "ADMINSDHOLDER@CORP.LOCAL"), 10),
    ("WriteDacl", object_("s", "container", "USERS@CORP.LOCAL"), 3), ("AddMember", principal("1512", "group"), 3),
    ("AddMember", principal("512"), 0), ("ForceChangePassword", principal("x"), 3),
    ("ForceChangePassword", principal("x", "group"), 0), ("Enroll", object_("t", "cert_template"), 0),
    ("Owns", {**object_("j", "gpo"), "tier0": True}, 10), ("Owns", object_("j", "gpo"), 3),
    ("HasSession", principal("500"), 0), ("AdminTo", principal("x", "computer"), 3)])
def test_the_weight_is_10_for_control_over_tier_0_and_3_for_control_over_anything_else(
        right: str, over: dict[str, Any], weight: int) -> None:
    assert table(says("a", right, over["id"]), says("b", "Owns", "q"), of=(principal("a"), over))["a"][
        "weight_max"] == weight


def test_full_control_ownership_and_all_extended_rights_are_wildcards_and_others_not() -> None:
    rights = ("GenericAll", "Owns", "AllExtendedRights", "GenericWrite", "WriteDacl")
    found = table(*(says(str(at), right, "x") for at, right in enumerate(rights)),
                  of=tuple(principal(str(at)) for at in range(5)))
    assert [found[str(at)]["wildcard"] for at in range(5)] == [True, True, True, False, False]


def test_a_principal_of_a_domain_without_collected_rights_has_no_counts_and_says_so() -> None:
    foreign = "ad:S-1-5-21-9-9-9:S-1-5-21-9-9-9-1104"
    row = table(says("a", "Owns", "x"), of=(principal(foreign),))["1104"]
    assert (row["granted"], row["weight_max"]) == (None, None)
    assert "no collection of its domain" in row["reason"]


def test_a_well_known_group_is_of_the_domain_it_names_and_has_0_rights_there_and_unknown_elsewhere() -> None:
    groups = (principal(AUTH, "group"), principal("ad::OTHER.LOCAL-S-1-5-32-555", "group"))
    found = table(says("a", "Owns", "x"), of=(object_(DOMAIN, "domain", "CORP.LOCAL"), *groups))
    assert (found["11"]["granted"], found["555"]["granted"]) == (0, None)


def test_counts_in_a_cycle_and_across_random_groups_equal_networkx() -> None:
    pairs = [(f"n{i}", f"n{(i * 7 + 3) % 40}") for i in range(40)] + [(f"n{i}", f"n{(i + 11) % 29}") for i in range(29)]
    held = [(f"n{i}", f"x{i % 5}") for i in range(0, 40, 3)]
    found = table(*(says(m, None, g) for m, g in pairs), *(says(m, "Owns", x) for m, x in held),
                  of=tuple(principal(f"n{i}") for i in range(40)))
    graph: nx.DiGraph[str] = nx.DiGraph(pairs)
    for i in range(40):
        reach = {f"n{i}"} | nx.descendants(graph, f"n{i}")
        assert found[f"n{i}"]["granted"] == len({x for m, x in held if m in reach})


def test_10000_nested_groups_with_a_right_at_each_hundredth_take_under_5_seconds_and_the_last_member_has_100() -> None:
    chain = [says(f"n{i}", None, f"n{i + 1}") for i in range(10_000)]
    rights = [says(f"n{i}", "Owns", f"x{i}") for i in range(100, 10_001, 100)]
    everyone = tuple(principal(f"n{i}", "group") for i in range(10_001))
    held = facts(*chain, *rights, of=everyone)
    begun = time.process_time()
    frame = permission_rows(held)
    answer = decide(held, sid("n0"), "Owns", sid("x10000"))
    assert time.process_time() - begun < 5
    counts = dict(frame.select("principal_id", "granted").iter_rows())
    assert (counts[sid("n0")], counts[sid("n9999")], counts[sid("n10000")]) == (100, 1, 1)
    assert answer.verdict == "allowed"
