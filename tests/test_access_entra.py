"""Ways through Entra and Azure: what roles, permissions, owners, agents and scopes give control of."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineage_analytics.graphs.access import access_lineage
from lineage_analytics.permissions.asking import allowed
from lineage_analytics.tables import EDGES, NODES, closed_value_faults
from lineage_analytics.workspace.estate import open_estate
from lineage_analytics.workspace.ingest import load
from lineage_analytics.workspace.store import Store
from tests._entra import (
    OTHER,
    SUB,
    VM,
    T,
    app,
    azure,
    days,
    denial,
    facts,
    grant,
    group,
    holds,
    member,
    oid,
    owns,
    permits,
    says,
    user,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from lineage_analytics.graphs.access import AccessLineage
    from tests._entra import Row

ANN, BOB, CHIEF = user("ann"), user("bob"), user("chief")
IS_CHIEF = holds("chief", "Global Administrator")
APP, SP = app("app", "a1", "application"), app("sp", "a1")
RG = f"{SUB}/resourcegroups/rg"
DIRECTORY = f"entra:{T}:directory"
ROOT = f"entra:{T}:azure_root"
MACHINE = {"principal_id": VM, "grant_kind": "trust", "privilege": "ManagedIdentity", "scope": oid("mi"),
           "effect": "allow", "provider": "entra", "source": "ad_azurehound", "record_id": "rec-mi"}
VM_ROW = {"id": VM, "kind": "vm", "parent_id": RG, "display_name": "vm1"}


def build(grants: Sequence[Row], people: Sequence[Row] = (), resources: Sequence[Row] = (), **more: Any) -> AccessLineage:
    return access_lineage(facts(grants, [ANN, BOB, CHIEF, *people], resources, **more))


def reaches(lineage: AccessLineage, what: str, who: str = "ann") -> str | None:
    """Proved, conditional, or None when there is no way."""
    found = lineage.blast_radius(oid(who)).filter(pl.col("node_id") == what)
    return str(found["state"].item()) if found.height else None


def way(lineage: AccessLineage, who: str = "ann") -> tuple[str, list[str]] | None:
    """State and techniques of the way to tier 0."""
    found = lineage.paths().filter(pl.col("principal_id") == oid(who))
    return (found["state"].item(), found["techniques"].item().to_list()) if found.height else None


# --- the directory ---------------------------------------------------------------------------------------------------


def test_a_global_administrator_reaches_users_applications_groups_and_azure() -> None:
    lineage = build([holds("ann", "Global Administrator"), azure("bob", "Owner"), MACHINE], [APP, SP, group("g")], [VM_ROW])
    assert {reaches(lineage, one) for one in (oid("bob"), oid("app"), oid("sp"), oid("g"), DIRECTORY, ROOT, SUB, VM,
                                              oid("mi"))} == {"proved"}


def test_an_eligible_role_is_a_condition_and_an_expired_one_is_none() -> None:
    lineage = build([holds("ann", "Global Administrator", state="eligible"),
                     holds("bob", "Global Administrator", expires_at=None, state="expired")])
    assert way(lineage) == ("conditional", ["activate the role"])
    assert way(lineage, "bob") is None


@pytest.mark.parametrize(("role", "target", "state"), [
    ("Helpdesk Administrator", "bob", "proved"), ("Helpdesk Administrator", "chief", None),
    ("Privileged Authentication Administrator", "chief", "proved"), ("Groups Administrator", "g", "proved"),
    ("Groups Administrator", "powerful", None), ("Application Administrator", "app", "proved"),
    ("Application Administrator", "sp", "proved"), ("Application Administrator", "mi", None),
    ("Application Administrator", "bob", None), ("Domain Name Administrator", "chief", "conditional"),
    ("Exchange Administrator", "g", "conditional"), ("Agent ID Administrator", "blueprint", "proved"),
    ("Security Reader", "bob", None), ("Directory Writers", "g", "proved")])
def test_a_role_controls_what_the_data_file_says(role: str, target: str, state: str | None) -> None:
    people = [APP, SP, group("g"), group("powerful"), app("mi", "m1", "managed_identity", "workload"),
              app("blueprint", "b1", "agent_blueprint")]
    lineage = build([holds("ann", role), IS_CHIEF, holds("powerful", "Global Reader")], people)
    assert reaches(lineage, oid(target)) == state


def test_who_is_an_administrator_is_not_known_without_an_inventory_so_a_reset_is_a_condition() -> None:
    lineage = build([holds("ann", "Helpdesk Administrator", source="entra_audit")], listed=False)
    assert reaches(lineage, oid("bob")) == "conditional"


def test_a_role_over_a_part_controls_that_part_only() -> None:
    unit = "/administrativeUnits/u1"
    lineage = build([holds("ann", "User Administrator", unit), member("dora", "x", scope=oid("administrativeunit/u1")),
                     holds("bob", "Application Administrator", "/app"), holds("chief", "Global Administrator", unit)],
                    [APP, app("other", "o1", "application"), user("dora"), user("emil")])
    assert [reaches(lineage, oid(one)) for one in ("dora", "emil", "bob")] == ["proved", None, None]
    assert (reaches(lineage, oid("app"), "bob"), reaches(lineage, oid("other"), "bob")) == ("proved", None)
    assert way(lineage, "chief") is None


def test_a_custom_role_controls_what_its_actions_give_control_of() -> None:
    own = says("role_definition/r1", "Own role", ["microsoft.directory/applications/allProperties/allTasks"],
               source="entra_pim")
    lineage = build([holds("ann", "Own role"), own], [APP])
    assert (reaches(lineage, oid("app")), reaches(lineage, oid("bob"))) == ("proved", None)


def test_a_way_over_an_application_says_what_each_hop_takes() -> None:
    lineage = build([holds("ann", "Application Administrator"), permits("sp", "RoleManagement.ReadWrite.Directory")],
                    [APP, SP])
    assert way(lineage) == ("proved", ["hold the role", "add a credential to the application", "call Microsoft Graph",
                                       "assign itself any directory role"])
    found = lineage.paths().filter(pl.col("principal_id") == oid("ann")).row(0, named=True)
    assert {"rec-role-ann-Application Administrator", "rec-app_role-sp-RoleManagement.ReadWrite.Directory"} <= set(
        found["record_ids"])


@pytest.mark.parametrize(("permission", "target", "state"), [
    ("9e3f62cf-ca93-4989-b6ce-bf83c28f9fe8", DIRECTORY, "proved"), ("AppRoleAssignment.ReadWrite.All", DIRECTORY, "proved"),
    ("Application.ReadWrite.All", oid("app"), "proved"), ("GroupMember.ReadWrite.All", oid("g"), "proved"),
    ("GroupMember.ReadWrite.All", oid("powerful"), None),
    ("PrivilegedAccess.ReadWrite.AzureADGroup", oid("powerful"), "proved"),
    ("UserAuthenticationMethod.ReadWrite.All", oid("chief"), "proved"),
    ("User-PasswordProfile.ReadWrite.All", oid("bob"), "proved"), ("User-PasswordProfile.ReadWrite.All", oid("chief"), None),
    ("RoleEligibilitySchedule.ReadWrite.Directory", DIRECTORY, "conditional"), ("Mail.Read", DIRECTORY, None)])
def test_an_application_permission_controls_what_the_data_file_says(permission: str, target: str, state: str | None) -> None:
    lineage = build([permits("sp", permission), IS_CHIEF, holds("powerful", "Global Reader")],
                    [APP, SP, group("g"), group("powerful")])
    assert reaches(lineage, target, "sp") == state


def test_a_permission_of_another_api_is_none_of_microsoft_graph_and_a_delegated_one_is_a_condition() -> None:
    held = grant("app_role", "sp", privilege="RoleManagement.ReadWrite.Directory", scope=oid("api"))
    asked = grant("delegated", "sq", privilege="RoleManagement.ReadWrite.Directory", scope=oid("graph"),
                  via=["ALL_PRINCIPALS"])
    lineage = build([held, asked], [SP, app("sq", "q1"), app("api", "x9")])
    assert (way(lineage, "sp"), reaches(lineage, DIRECTORY, "sq")) == (None, "conditional")


def test_owners_act_as_what_they_own() -> None:
    lineage = build([owns("ann", "app"), owns("bob", "sp"), owns("chief", "g"), holds("g", "Global Administrator"),
                     permits("sp", "RoleManagement.ReadWrite.Directory")], [APP, SP, group("g")])
    assert way(lineage) == ("proved", ["add a credential to the application", "sign in as its service principal",
                                       "call Microsoft Graph", "assign itself any directory role"])
    assert way(lineage, "bob") == ("proved", ["add a credential to the service principal", "call Microsoft Graph",
                                              "assign itself any directory role"])
    assert way(lineage, "chief") == ("proved", ["join the group", "hold the role"])


def test_a_blueprint_acts_as_its_agents_and_they_as_their_users_whichever_id_names_it() -> None:
    agents = [app("blueprint", "b1", "agent_blueprint"), app("principal", "b1", "agent_blueprint_principal", "ai_agent"),
              app("agent", "i1", "agent_identity", "ai_agent", parent_id=oid("b1"),
                  owner=[{"id": oid("bob"), "basis": "owner"}, {"id": oid("chief"), "basis": "sponsor"}]),
              app("second", "i2", "agent_identity", "ai_agent", parent_id=oid("blueprint")),
              app("account", None, "agent_user", "ai_agent", parent_id=oid("agent"))]
    lineage = build([owns("ann", "blueprint")], agents)
    assert {one: reaches(lineage, oid(one)) for one in ("agent", "second", "account", "principal")} == dict.fromkeys(
        ("agent", "second", "account", "principal"), "proved")
    assert (reaches(lineage, oid("account"), "bob"), reaches(lineage, oid("account"), "chief")) == (
        "proved", "conditional")


def test_membership_is_followed_through_groups_and_one_to_be_activated_is_a_condition() -> None:
    lineage = build([member("ann", "h"), member("h", "g"), azure("g", "Owner"), member("bob", "g", state="eligible"),
                     member("chief", "g", state="expired")], [group("g"), group("h")])
    assert [reaches(lineage, SUB, who) for who in ("ann", "bob", "chief")] == ["proved", "conditional", None]
    assert lineage.edges.filter((pl.col("rel") == "member_of") & (pl.col("dst") == oid("g")))["state"].to_list() == [
        "conditional", "proved"]


# --- Azure -----------------------------------------------------------------------------------------------------------


def test_who_owns_a_subscription_acts_as_what_runs_in_it() -> None:
    lineage = build([azure("ann", "Owner"), MACHINE, permits("mi", "RoleManagement.ReadWrite.Directory")],
                    [app("mi", "m1", "managed_identity", "workload")], [VM_ROW])
    assert way(lineage) == ("proved", [
        "assign itself any role over it", "control it through what it lies in", "run code on it and sign in as its identity",
        "call Microsoft Graph", "assign itself any directory role"])


@pytest.mark.parametrize(("held", "state"), [
    ([azure("ann", "Contributor")], "proved"), ([azure("ann", "Contributor", RG)], "proved"),
    ([azure("ann", "Virtual Machine Contributor")], "proved"), ([azure("ann", "Virtual Machine Contributor", VM)], "proved"),
    ([azure("ann", "Virtual Machine Administrator Login", RG)], "proved"), ([azure("ann", "Reader")], None),
    ([azure("ann", "Website Contributor")], None), ([azure("ann", "Owner", OTHER)], None),
    ([azure("ann", "Owner", f"{SUB}/resourcegroups/rg2")], None), ([azure("ann", "Owner", state="eligible")], "conditional"),
    ([azure("ann", "Owner", condition='"x"')], "conditional"), ([azure("ann", "Own role")], None),
    ([azure("ann", "Operators"), says("azure_role/r1", "Operators", ["Microsoft.Compute/virtualMachines/*"])], "proved"),
    ([azure("ann", "Operators"), says("azure_role/r1", "Operators", ["Microsoft.Compute/virtualMachines/*"],
                                      but=["*/write", "*/runCommand/action"])], None),
    ([azure("ann", "Owner"), *denial("everyone", ["*"])], None),
    ([azure("ann", "Owner"), *denial("everyone", ["*"], OTHER)], "proved")])
def test_a_machine_is_reached_by_who_may_change_what_runs_on_it(held: list[Row], state: str | None) -> None:
    lineage = build([*held, MACHINE], [app("mi", "m1", "managed_identity", "workload")], [VM_ROW])
    assert reaches(lineage, oid("mi")) == state


def test_the_root_is_tier_0_to_who_assigns_roles_there_and_not_to_who_only_changes_resources() -> None:
    lineage = build([azure("ann", "User Access Administrator", "/"), azure("bob", "Contributor", "/"),
                     azure("chief", "Owner")], [], [VM_ROW])
    assert [way(lineage, who) for who in ("ann", "bob", "chief")] == [
        ("proved", ["assign itself any role over it"]), None, None]
    assert (reaches(lineage, VM, "bob"), reaches(lineage, ROOT, "bob")) == ("proved", None)
    assert build([azure("bob", "Contributor", "/")]).nodes.filter(pl.col("node_id") == ROOT)["tier0"].item() is False


def test_a_management_group_passes_control_down() -> None:
    top = "/providers/microsoft.management/managementgroups/m1"
    tree = [{"id": SUB, "kind": "subscription", "parent_id": top}, VM_ROW]
    lineage = build([azure("ann", "Owner", top)], [], tree)
    assert (reaches(lineage, VM), reaches(lineage, OTHER)) == ("proved", None)


def test_a_declared_crown_jewel_is_a_resource_by_its_path() -> None:
    jewel = {"id": VM, "kind": "crown_jewel", "tier0": True, "provider": "declared"}
    lineage = build([azure("ann", "Owner")], [], [VM_ROW, jewel])
    assert way(lineage) == ("proved", ["assign itself any role over it", "control it through what it lies in"])


def test_cycles_and_deep_nesting_of_management_groups_take_bounded_time() -> None:
    group_of = "/providers/microsoft.management/managementgroups/"
    deep = [{"id": f"{group_of}g{n}", "kind": "management_group", "parent_id": f"{group_of}g{n + 1}"} for n in range(3_000)]
    ring = [{"id": f"{group_of}r{n}", "kind": "management_group", "parent_id": f"{group_of}r{(n + 1) % 3}"} for n in range(3)]
    lineage = build([azure("ann", "Owner", f"{group_of}g3000"), azure("bob", "Owner", f"{group_of}r0")], [], [*deep, *ring])
    assert reaches(lineage, f"{group_of}g0") == "proved"
    assert reaches(lineage, f"{group_of}r2", "bob") == "proved"


# --- the whole -------------------------------------------------------------------------------------------------------


def test_a_hundred_holders_over_a_thousand_users_make_edges_for_each_and_not_for_each_pair() -> None:
    people = [user(f"u{n}") for n in range(1_000)]
    holders = [holds(f"u{n}", role) for n in range(100) for role in ("Helpdesk Administrator", "User Administrator")]
    assert build(holders, people).edges.height < 2 * 1_000 + 2 * 100 + 50


def test_tables_have_closed_values_and_the_same_rows_whatever_the_order() -> None:
    rows = [holds("ann", "User Administrator"), IS_CHIEF, permits("sp", "Application.ReadWrite.All"), owns("bob", "app"),
            azure("ann", "Owner"), azure("bob", "Contributor", "/"), member("ann", "g"), azure("g", "Owner", OTHER), MACHINE]
    one, other = (build(order, [APP, SP, group("g")], [VM_ROW]) for order in (rows, rows[::-1]))
    assert one.nodes.equals(other.nodes)
    assert one.edges.equals(other.edges)
    assert closed_value_faults(one.edges, EDGES) == closed_value_faults(one.nodes, NODES) == []
    assert one.edges.filter(pl.col("followed") & (pl.col("record_ids").list.len() == 0) & ~pl.col("src").str.contains(
        ":scope:|:directory|:permission:|#in|azure_root|^/")).is_empty()


PEOPLE = [f"p{n}" for n in range(5)]
GROUPS = [f"g{n}" for n in range(4)]
pairs = st.lists(st.tuples(st.sampled_from(PEOPLE + GROUPS), st.sampled_from(GROUPS)), max_size=8)


@settings(deadline=None, max_examples=60)
@given(members=pairs, owners=st.lists(st.tuples(st.sampled_from(PEOPLE), st.sampled_from(GROUPS)), max_size=5),
       roles=st.lists(st.sampled_from(GROUPS + PEOPLE), max_size=2), expired=st.sets(st.integers(0, 7)))
def test_who_reaches_the_directory_is_who_a_plain_search_over_the_records_finds(
        members: list[tuple[str, str]], owners: list[tuple[str, str]], roles: list[str], expired: set[int]) -> None:
    grants = [member(a, b, record_id=f"rec-{n}", expires_at=facts().as_of - days(1) if n in expired else None)
              for n, (a, b) in enumerate(members)]
    grants += [owns(a, b) for a, b in owners] + [holds(who, "Global Administrator") for who in roles]
    lineage = build(grants, [*map(user, PEOPLE), *map(group, GROUPS)])
    steps = [(a, b) for n, (a, b) in enumerate(members) if n not in expired] + owners
    reached: set[str] = set(roles)
    before: set[str] = set()
    while reached != before:
        before = set(reached)
        reached |= {a for a, b in steps if b in reached}
    found = {one.rsplit(":", 1)[-1] for one in lineage.paths()["principal_id"]}
    assert found & set(PEOPLE) == reached & set(PEOPLE)


# --- from files ------------------------------------------------------------------------------------------------------

COLLECTED = "7a1b0000-0000-4000-8000-00000000000a"
ANA, OPS, HELPER, BOT, CLIENT, API = (f"{n}1111111-0000-4000-8000-00000000000{n}" for n in range(1, 7))
PATH = "/subscriptions/99999999-0000-4000-8000-000000000009"
OWNER_ROLE = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635"


def entry(kind: str, **data: Any) -> Row:
    return {"kind": kind, "data": data}


COLLECTION = [
    entry("AZTenant", id=f"/tenants/{COLLECTED}", tenantId=COLLECTED, displayName="Contoso"),
    entry("AZUser", id=ANA, tenantId=COLLECTED, displayName="Ana", userPrincipalName="ana@contoso.example"),
    entry("AZGroup", id=OPS, tenantId=COLLECTED, displayName="Ops"),
    entry("AZServicePrincipal", id=HELPER, appId=CLIENT, tenantId=COLLECTED, displayName="Helper",
          servicePrincipalType="ManagedIdentity"),
    entry("AZServicePrincipal", id=API, appId="00000003-0000-0000-c000-000000000000", tenantId=COLLECTED,
          displayName="Microsoft Graph", servicePrincipalType="Application"),
    entry("AZSubscription", id=PATH, subscriptionId=PATH.rsplit("/", 1)[-1], tenantId=COLLECTED, displayName="Prod"),
    entry("AZVM", id=f"{PATH}/resourceGroups/RG1/providers/Microsoft.Compute/virtualMachines/VM1", name="VM1",
          tenantId=COLLECTED, resourceGroupId=f"{PATH}/resourceGroups/RG1", identity={"principalId": HELPER}),
    entry("AZGroupMember", groupId=OPS, members=[{"groupId": OPS, "member": {"id": ANA, "@odata.type": "#microsoft.graph.user"}}]),
    entry("AZSubscriptionRoleAssignment", subscriptionId=PATH, roleAssignments=[{"subscriptionId": PATH, "roleAssignment": {
        "id": f"{PATH}/providers/Microsoft.Authorization/roleAssignments/1", "properties": {
            "principalId": OPS, "scope": PATH.upper(), "principalType": "Group",
            "roleDefinitionId": f"{PATH}/providers/Microsoft.Authorization/roleDefinitions/{OWNER_ROLE}"}}}]),
    entry("AZAppRoleAssignment", id="r1", appRoleId="9e3f62cf-ca93-4989-b6ce-bf83c28f9fe8", principalId=HELPER,
          principalType="ServicePrincipal", resourceId=API, tenantId=COLLECTED),
    entry("AZRoleAssignment", roleDefinitionId="729827e3-9c14-49f7-bb1b-9608f156bbb8", tenantId=COLLECTED,
          roleAssignments=[{"id": "a1", "roleDefinitionId": "729827e3-9c14-49f7-bb1b-9608f156bbb8", "principalId": BOT,
                            "directoryScopeId": "/"}]),
]


def test_a_collection_as_a_file_gives_the_way_from_a_group_over_a_machine_to_the_directory(tmp_path: Path) -> None:
    file = tmp_path / "in" / "azurehound.json"
    file.parent.mkdir()
    file.write_text(json.dumps({"data": COLLECTION, "meta": {"type": "azure", "version": 5, "count": len(COLLECTION)}}))
    load([file], Store.create(tmp_path / "ws"))
    estate = open_estate(tmp_path / "ws", as_of="2026-06-30")
    found = access_lineage(estate).paths().filter(pl.col("principal_id") == f"entra:{COLLECTED}:{ANA}")
    assert found["state"].to_list() == ["proved"]
    assert found["techniques"].item().to_list() == [
        "be a member", "assign itself any role over it", "control it through what it lies in",
        "run code on it and sign in as its identity", "call Microsoft Graph", "assign itself any directory role"]
    start = f"{PATH}/resourceGroups/RG1/providers/Microsoft.Compute/virtualMachines/VM1"
    assert allowed(estate, "ana@contoso.example", "Microsoft.Compute/virtualMachines/runCommand/action", start).verdict == (
        "allowed")
