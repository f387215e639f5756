"""What principals of Entra and Azure may do: roles with scope, groups, activation, permissions, owners, denials."""

from __future__ import annotations

import fnmatch
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineage_analytics.permissions.asking import allowed
from lineage_analytics.permissions.entra import datafiles, decide, permission_rows
from lineage_analytics.permissions.entra.languages import azure_covers, directory_covers, language
from lineage_analytics.permissions.entra.scopes import Scopes
from lineage_analytics.tables import PERMISSIONS, closed_value_faults
from tests._entra import (
    AS_OF,
    GRAPH_APP,
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
    from lineage_analytics.facts import Facts
    from tests._entra import Row

RESET = "microsoft.directory/users/password/update"
ADD_KEY = "microsoft.directory/applications/credentials/update"
JOIN = "microsoft.directory/groups/members/update"
DELETE = "Microsoft.Compute/virtualMachines/delete"
ASSIGN = "Microsoft.Authorization/roleAssignments/write"
MG = "/providers/microsoft.management/managementgroups/"
ANN, BOB, GA = user("ann"), user("bob"), user("chief")
CHIEF = holds("chief", "Global Administrator")


def verdict(made: Facts, action: str, resource: str = "*", who: str = "ann") -> str:
    return decide(made, oid(who), action, resource).verdict


def why(made: Facts, action: str, resource: str = "*", who: str = "ann") -> str:
    return "; ".join(one.says for one in decide(made, oid(who), action, resource).because)


# --- the languages ---------------------------------------------------------------------------------------------------

COVERS = [
    ("microsoft.directory/users/allProperties/allTasks", "microsoft.directory/users/create", True),
    ("microsoft.directory/users/allProperties/allTasks", RESET, True),
    ("microsoft.directory/users/allProperties/update", RESET, True),
    ("microsoft.directory/users/allProperties/read", RESET, False),
    ("microsoft.directory/users/password/update", "microsoft.directory/users/create", False),
    ("microsoft.directory/users/create", "microsoft.directory/users/sub/create", False),
    ("microsoft.directory/groups/members/update", "microsoft.directory/groups.unified/members/update", True),
    ("microsoft.directory/groups.unified/members/update", JOIN, False),
    ("microsoft.directory/groups/members/update", "microsoft.directory/groupsAssignableToRoles/members/update", False),
    ("microsoft.azure.supportTickets/allEntities/allTasks", "microsoft.azure.supportTickets/tickets/create", True),
    ("Microsoft.Directory/Users/Password/Update", RESET, True),
    ("microsoft.directory/users/basic", "microsoft.directory/users/basic/update", False),
    ("*", RESET, True),
]


@pytest.mark.parametrize(("pattern", "action", "covered"), COVERS)
def test_a_directory_permission_covers_property_sets_and_tasks_as_it_is_written(
        pattern: str, action: str, covered: bool) -> None:
    assert directory_covers(pattern, action) is covered


@settings(deadline=None, max_examples=200)
@given(st.text("ab*/", min_size=1, max_size=8), st.text("AB/", min_size=1, max_size=8))
def test_azure_patterns_match_as_shell_patterns_do_whatever_the_case(pattern: str, action: str) -> None:
    assert azure_covers(pattern, action) == fnmatch.fnmatchcase(action.lower(), pattern.lower())


def test_an_action_is_of_the_language_it_is_written_in() -> None:
    assert [language(one) for one in (
        RESET, DELETE, "User.Read.All", "microsoft.insights/allEntities/allProperties/allTasks",
        "Microsoft.Insights/diagnosticSettings/write", "full_access_as_app")] == [
        "directory", "azure", "permission", "directory", "azure", "permission"]


def test_the_data_files_hold_each_role_and_permission_once_and_ids_in_lower_case() -> None:
    for table in (datafiles.directory_roles(), datafiles.graph_permissions()):
        names = [power.name for power in {id(power): power for power in table.values()}.values()]
        assert len(names) == len(set(names)) > 50
        assert all(key == key.casefold() for key in table)
    roles = {power.name for power in datafiles.directory_roles().values()}
    resetting = {by for found in datafiles.resets().values() for by in found}
    assert resetting <= roles
    assert {role for role in datafiles.role_actions() if not role.startswith("owner")} <= {r.casefold() for r in roles}


# --- the directory ---------------------------------------------------------------------------------------------------

APP, SP = app("app", "a1", "application"), app("sp", "a1")
UNIT = "/administrativeUnits/u1"
DIRECTORY: list[tuple[str, list[Row], list[Row], str, str, str]] = [
    ("a global administrator may do anything", [holds("ann", "Global Administrator")], [BOB], RESET, oid("bob"),
     "allowed"),
    ("a role held by its template id is that role", [holds("ann", "729827e3-9c14-49f7-bb1b-9608f156bbb8")], [BOB],
     RESET, "bob", "allowed"),
    ("a helpdesk administrator does not reach an administrator", [holds("ann", "Helpdesk Administrator"), CHIEF], [GA],
     RESET, oid("chief"), "denied"),
    ("... but a privileged authentication administrator does",
     [holds("ann", "Privileged Authentication Administrator"), CHIEF], [GA], RESET, oid("chief"), "allowed"),
    ("a helpdesk administrator reaches another", [holds("ann", "Helpdesk Administrator"),
     holds("bob", "Helpdesk Administrator")], [BOB], RESET, oid("bob"), "allowed"),
    ("all roles of the user must allow it", [holds("ann", "Helpdesk Administrator"),
     holds("bob", "Helpdesk Administrator"), holds("bob", "Groups Administrator")], [BOB], RESET, oid("bob"), "denied"),
    ("a role that is only eligible protects nobody yet", [holds("ann", "Helpdesk Administrator"),
     holds("bob", "Global Administrator", state="eligible")], [BOB], RESET, oid("bob"), "allowed"),
    ("a role held through a group protects", [holds("ann", "Helpdesk Administrator"), member("bob", "g"),
     holds("g", "Global Administrator")], [BOB, group("g")], RESET, oid("bob"), "denied"),
    ("membership of a group that roles can be assigned to protects", [holds("ann", "Helpdesk Administrator"),
     member("bob", "g")], [BOB, group("g", subkind="role_assignable")], RESET, oid("bob"), "denied"),
    ("a group's role reaches its member", [member("ann", "g"), holds("g", "Global Administrator")], [group("g")],
     RESET, "*", "allowed"),
    ("a group in a group passes no directory role on", [member("ann", "h"), member("h", "g"),
     holds("g", "Global Administrator")], [group("g"), group("h")], RESET, "*", "denied"),
    ("... unless the inner group may activate its membership", [member("ann", "h"), member("h", "g", state="eligible"),
     holds("g", "Global Administrator")], [group("g"), group("h")], RESET, "*", "conditional"),
    ("a membership to be activated is a condition", [member("ann", "g", state="eligible"),
     holds("g", "Global Administrator")], [group("g")], RESET, "*", "conditional"),
    ("an eligible role is a condition", [holds("ann", "Global Administrator", state="eligible")], [], RESET, "*",
     "conditional"),
    ("an activated role is held", [holds("ann", "Global Administrator", state="activated", expires_at=AS_OF + days(1))],
     [], RESET, "*", "allowed"),
    ("... until it ends", [holds("ann", "Global Administrator", state="activated", expires_at=AS_OF)], [], RESET, "*",
     "denied"),
    ("an expired or pending role is none", [holds("ann", "Global Administrator", state="expired"),
     holds("ann", "Global Administrator", state="pending")], [], RESET, "*", "denied"),
    ("a role over a unit reaches its members", [holds("ann", "User Administrator", UNIT),
     member("bob", "x", scope=oid("administrativeunit/u1"))], [BOB], RESET, oid("bob"), "allowed"),
    ("... and nobody else", [holds("ann", "User Administrator", UNIT),
     member("bob", "x", scope=oid("administrativeunit/u1"))], [GA], RESET, oid("chief"), "denied"),
    ("... and a unit whose members are not loaded leaves it unknown", [holds("ann", "User Administrator", UNIT)], [BOB],
     RESET, oid("bob"), "unknown"),
    ("a role over one application reaches that", [holds("ann", "Application Administrator", "/app")], [APP], ADD_KEY,
     oid("app"), "allowed"),
    ("... and no other", [holds("ann", "Application Administrator", "/other")], [APP], ADD_KEY, oid("app"), "denied"),
    ("an owner may add a secret to the application", [owns("ann", "app")], [APP], ADD_KEY, oid("app"), "allowed"),
    ("... to that one only", [owns("ann", "app")], [APP, app("b", "b1", "application")], ADD_KEY, oid("b"), "denied"),
    ("an owner of the application does not change users", [owns("ann", "app")], [APP, BOB], RESET, oid("bob"),
     "denied"),
    ("an owner of a group adds members", [owns("ann", "g")], [group("g")], JOIN, oid("g"), "allowed"),
    ("... also to a group that holds roles", [owns("ann", "g"), holds("g", "Global Administrator")], [group("g")], JOIN,
     oid("g"), "allowed"),
    ("a user administrator does not, to a group that holds roles", [holds("ann", "User Administrator"),
     holds("g", "Global Administrator"), member("bob", "g")], [BOB, group("g")], JOIN, oid("g"), "denied"),
    ("a role nobody defines leaves it unknown", [holds("ann", "Own role")], [BOB], RESET, oid("bob"), "unknown"),
    ("a role of which a part is known is unknown beyond it", [holds("ann", "Helpdesk Administrator")], [BOB],
     "microsoft.directory/devices/enable", "*", "unknown"),
    ("what everybody may read by default is never denied", [], [BOB], "microsoft.directory/users/standard/read",
     oid("bob"), "unknown"),
    ("nothing granted is denied where the inventory is loaded", [], [BOB], RESET, oid("bob"), "denied"),
    ("the condition of a role is neither true nor false", [holds("ann", "Global Administrator", condition='"x"')], [],
     RESET, "*", "conditional"),
]


@pytest.mark.parametrize(("grants", "people", "action", "resource", "answer"), [row[1:] for row in DIRECTORY],
                         ids=[row[0] for row in DIRECTORY])
def test_directory_decisions(grants: list[Row], people: list[Row], action: str, resource: str, answer: str) -> None:
    made = facts(grants, [ANN, *people])
    assert verdict(made, action, resource) == answer, decide(made, oid("ann"), action, resource)


def test_a_loaded_definition_counts_before_the_data_file_and_its_exclusions_with_it() -> None:
    own = says("role_definition/r1", "Helpdesk Administrator", ["microsoft.directory/users/allProperties/allTasks"],
               source="entra_pim")
    less = {**own, "effect": "deny", "actions": [RESET]}
    made = facts([holds("ann", "Helpdesk Administrator"), own, less], [ANN, BOB])
    assert (verdict(made, "microsoft.directory/users/create", "*"), verdict(made, RESET, oid("bob"))) == (
        "allowed", "denied")


def test_two_definitions_of_one_name_leave_a_role_held_by_name_unknown() -> None:
    both = [says(f"role_definition/r{n}", "Own role", [RESET], source="entra_pim") for n in (1, 2)]
    assert verdict(facts([holds("ann", "Own role"), *both], [ANN, BOB]), RESET, oid("bob")) == "unknown"


def test_nothing_is_denied_where_no_inventory_of_the_sort_is_loaded() -> None:
    bare = facts([], [ANN, BOB], listed=False)
    assert [verdict(bare, action) for action in (RESET, DELETE, "Mail.Read")] == ["unknown"] * 3
    assert why(bare, RESET) == ("no inventory of directory role assignments (directoryRoles with members, or "
                                   f"roleAssignments) of directory {T} is loaded")
    seen = facts([holds("somebody", "Reports Reader", source="entra_audit")], [ANN, BOB], listed=False)
    assert verdict(seen, RESET) == "unknown"  # a log of assignments is no list of them


def test_a_group_whose_members_are_not_loaded_may_hold_anybody() -> None:
    made = facts([holds("g", "Global Administrator")], [ANN, group("g")])
    assert (verdict(made, RESET), why(made, RESET)) == (
        "unknown", "it is granted to groups whose members are not loaded: g")
    assert verdict(facts([holds("g", "Reports Reader"), member("bob", "g")], [ANN, BOB, group("g")]), RESET) == "denied"


def test_a_denial_says_what_is_granted_elsewhere_and_an_approval_is_named() -> None:
    made = facts([holds("ann", "Helpdesk Administrator"), CHIEF], [ANN, GA])
    assert why(made, RESET, oid("chief")) == (
        "holds Helpdesk Administrator over /: it does not reach who holds Global Administrator")
    eligible = facts([holds("ann", "Global Administrator", state="eligible", requires_approval=True)], [ANN])
    assert why(eligible, RESET) == ("is eligible for Global Administrator over /: it must be activated first; "
                                       "activating it needs an approval")


def test_a_role_taken_back_is_no_more() -> None:
    steps = pl.DataFrame([
        {"step_id": f"s{n}", "kind": "action", "time": AS_OF - days(9 - n), "record_id": f"rec-{verb}",
         "effect_key": f"{verb}(entra:{T}:role/ga|ann)", "status": "succeeded"} for n, verb in enumerate(("grant", "revoke"))])
    held = [holds("ann", "Global Administrator", source="entra_audit", record_id="rec-grant")]
    assert (verdict(facts(held, [ANN]), RESET), verdict(facts(held, [ANN], decision_steps=steps), RESET)) == (
        "allowed", "denied")


# --- permissions of applications -------------------------------------------------------------------------------------


def test_an_application_holds_the_permission_it_is_granted_by_id_or_by_name() -> None:
    made = facts([permits("sp", "741f803b-c850-494e-b5df-cde7c675a1ca"), permits("sp", "Mail.Read")], [SP])
    asked = [("User.ReadWrite.All", "*"), ("user.readwrite.all", GRAPH_APP), ("Mail.Read", "graph"), ("Mail.Send", "*"),
             ("Mail.Read", "sp")]
    assert [verdict(made, action, api, "sp") for action, api in asked] == [
        "allowed", "allowed", "allowed", "denied", "denied"]
    assert verdict(made, "Mail.Read", "an API nobody loaded", "sp") == "unknown"


def test_an_app_role_of_another_api_is_named_by_what_that_api_offers() -> None:
    offered = {"id": f"entra:{T}:app_role/api/r1", "kind": "app_role", "display_name": "Orders.Write",
               "parent_id": oid("api")}
    held = grant("app_role", "sp", privilege="r1", scope=oid("api"))
    made = facts([held], [SP, app("api", "x9")], [offered])
    assert (verdict(made, "Orders.Write", "api", "sp"), verdict(made, "Orders.Write", "graph", "sp")) == (
        "allowed", "denied")


def test_a_delegated_permission_hangs_on_a_signed_in_user() -> None:
    everybody = grant("delegated", "sp", privilege="Mail.Read", scope=oid("graph"), via=["ALL_PRINCIPALS"])
    one = grant("delegated", "sp", privilege="Mail.Send", scope=oid("graph"), via=[oid("bob")])
    made = facts([everybody, one], [SP, BOB])
    assert (verdict(made, "Mail.Read", who="sp"), verdict(made, "Mail.Send", who="sp")) == ("conditional", "conditional")
    assert "for everybody" in why(made, "Mail.Read", who="sp")
    assert "for bob" in why(made, "Mail.Send", who="sp")


def test_an_application_permission_is_what_it_allows_in_the_directory() -> None:
    made = facts([permits("sp", "Application.ReadWrite.All"), permits("sq", "Mail.ReadWrite"),
                  permits("sr", "Directory.ReadWrite.All"), permits("ss", "User.Read.All"),
                  permits("st", "UserAuthenticationMethod.ReadWrite.All"), CHIEF],
                 [SP, app("sq"), app("sr"), app("ss"), app("st"), APP, BOB, GA])
    assert [verdict(made, ADD_KEY, oid("app"), who) for who in ("sp", "sq", "sr", "ss")] == [
        "allowed", "denied", "unknown", "denied"]
    method = "microsoft.directory/users/authenticationMethods/create"
    assert verdict(made, method, oid("chief"), "st") == "allowed"
    assert "not all that this role allows is known" in why(made, ADD_KEY, oid("app"), "sr")


# --- Azure -----------------------------------------------------------------------------------------------------------

GET = "Microsoft.KeyVault/vaults/secrets/getSecret/action"
OWN = says("azure_role/r1", "Operators", ["Microsoft.Compute/*", "*/read"], but=["Microsoft.Compute/*/delete"])
VAULT_DATA = says("azure_role/r2", "Secrets User (data)", [GET])
AZURE: list[tuple[str, list[Row], str, str, str]] = [
    ("an owner of the subscription, whatever the case", [azure("ann", "Owner")], DELETE.lower(), VM.upper(), "allowed"),
    ("not in another subscription", [azure("ann", "Owner"), azure("bob", "Reader", OTHER)], DELETE, f"{OTHER}/x", "denied"),
    ("a subscription of which nothing is listed is unknown", [azure("ann", "Owner")], DELETE, f"{OTHER}/x", "unknown"),
    ("a name that only begins alike is another scope", [azure("ann", "Owner", f"{SUB}/resourcegroups/rg")], DELETE,
     f"{SUB}/resourcegroups/rg2/x", "denied"),
    ("a contributor assigns no roles", [azure("ann", "Contributor")], ASSIGN, SUB, "denied"),
    ("a contributor deletes machines", [azure("ann", "Contributor")], DELETE, VM, "allowed"),
    ("a reader deletes nothing", [azure("ann", "Reader")], DELETE, VM, "denied"),
    ("a role held by its id", [azure("ann", "8e3af657-a8ff-443c-a75c-2fe8c4bcb635")], DELETE, VM, "allowed"),
    ("actions less what is taken from them", [azure("ann", "Operators"), OWN], DELETE, VM, "denied"),
    ("... and nothing else", [azure("ann", "Operators"), OWN], "Microsoft.Compute/virtualMachines/start/action", VM,
     "allowed"),
    ("... taken from that role only", [azure("ann", "Operators"), OWN, azure("ann", "Contributor")], DELETE, VM, "allowed"),
    ("a role nobody defines", [azure("ann", "Own role")], DELETE, VM, "unknown"),
    ("an eligible owner", [azure("ann", "Owner", state="eligible")], DELETE, VM, "conditional"),
    ("an owner under a condition", [azure("ann", "Owner", condition='"@Resource"')], DELETE, VM, "conditional"),
    ("an owner through groups in groups", [azure("g", "Owner"), member("h", "g"), member("ann", "h")], DELETE, VM,
     "allowed"),
    ("an owner of a wildcard reads no data", [azure("ann", "Owner")], GET, f"{SUB}/x", "denied"),
    ("a role on data does", [azure("ann", "Secrets User"), VAULT_DATA], GET, f"{SUB}/x", "allowed"),
    ("a role on data does nothing else", [azure("ann", "Secrets User"), VAULT_DATA], DELETE, VM, "denied"),
    ("a denial for everyone comes first", [azure("ann", "Owner"), *denial("everyone", ["*/delete"])], DELETE, VM, "denied"),
    ("... denies what it names only", [azure("ann", "Owner"), *denial("everyone", ["*/delete"])], ASSIGN, SUB, "allowed"),
    ("... where it lies only", [azure("ann", "Owner"), *denial("everyone", ["*"], f"{SUB}/resourcegroups/rg2")], DELETE,
     VM, "allowed"),
    ("... spares its exceptions", [azure("ann", "Owner"),
     *denial("everyone", ["*"], condition='{"except":["ann"]}')], DELETE, VM, "allowed"),
    ("... and groups among them", [azure("ann", "Owner"), member("ann", "g"),
     *denial("everyone", ["*"], condition='{"except":["g"]}')], DELETE, VM, "allowed"),
    ("... nobody else", [azure("ann", "Owner"), *denial("everyone", ["*"], condition='{"except":["bob"]}')], DELETE, VM,
     "denied"),
    ("a denial of which nothing is loaded leaves an owner unknown", [azure("ann", "Owner"), denial("ann", ["*"])[0]],
     DELETE, VM, "unknown"),
    ("the root holds everything", [azure("ann", "User Access Administrator", "/")], ASSIGN, "*", "allowed"),
    ("a subscription is not every resource", [azure("ann", "Owner")], DELETE, "*", "denied"),
    ("a path is needed", [azure("ann", "Owner")], DELETE, "vm1", "unknown"),
    ("the root management group holds every subscription", [azure("ann", "Owner", MG + T)], DELETE, VM, "allowed"),
    ("a management group whose subscriptions are not loaded", [azure("ann", "Owner", f"{MG}m1"), azure("b", "Reader")],
     DELETE, VM, "unknown"),
]


@pytest.mark.parametrize(("grants", "action", "resource", "answer"), [row[1:] for row in AZURE],
                         ids=[row[0] for row in AZURE])
def test_azure_decisions(grants: list[Row], action: str, resource: str, answer: str) -> None:
    made = facts(grants, [ANN, BOB, group("g"), group("h")])
    assert verdict(made, action, resource) == answer, decide(made, oid("ann"), action, resource)


def under(*pairs: tuple[str, str | None]) -> list[Row]:
    return [{"id": child, "kind": "management_group", "parent_id": parent} for child, parent in pairs]


def test_management_groups_pass_roles_down_and_a_complete_hierarchy_denies() -> None:
    tree = under((SUB, f"{MG}m2"), (f"{MG}m2", f"{MG}m1"), (f"{MG}m1", MG + T), (f"{MG}m3", MG + T))
    held = [azure("ann", "Owner", f"{MG}m1"), azure("bob", "Owner", f"{MG}m3")]
    made = facts(held, [ANN, BOB], tree)
    assert (verdict(made, DELETE, VM), verdict(made, DELETE, VM, "bob"), verdict(made, DELETE, f"{MG}m2")) == (
        "allowed", "denied", "allowed")


def test_a_listing_of_descendants_states_the_hierarchy_too() -> None:
    contains = [{"principal_id": f"{MG}m1", "grant_kind": "right", "privilege": "Contains", "scope": SUB,
                 "provider": "entra", "source": "ad_azurehound", "record_id": "rec-c"}]
    assert verdict(facts([azure("ann", "Owner", f"{MG}m1"), *contains], [ANN]), DELETE, VM) == "allowed"


def test_a_cycle_and_ten_thousand_management_groups_take_bounded_time() -> None:
    chain = [(f"{MG}g{n}", f"{MG}g{n + 1}") for n in range(10_000)]
    scopes = Scopes(facts([], [], under((SUB, f"{MG}g0"), *chain)))
    assert scopes.within(VM, f"{MG}g10000", T) is True
    assert scopes.within(VM, f"{MG}elsewhere", T) is None
    ring = Scopes(facts([], [], under((SUB, f"{MG}a"), (f"{MG}a", f"{MG}b"), (f"{MG}b", f"{MG}a"))))
    assert ring.within(VM, f"{MG}elsewhere", T) is False


def test_ten_thousand_groups_in_groups_and_a_cycle_of_them_take_bounded_time() -> None:
    nested = [member(f"g{n}", f"g{n + 1}") for n in range(10_000)]
    made = facts([member("ann", "g0"), *nested, member("g10000", "g0"), azure("g10000", "Owner")], [ANN])
    assert verdict(made, DELETE, VM) == "allowed"


def test_the_answer_is_the_same_whatever_the_order_of_records() -> None:
    rows = [*(row for case in AZURE for row in case[1]), *(row for case in DIRECTORY for row in case[1])]
    people = [ANN, BOB, GA, group("g"), group("h"), APP]
    asked = [(DELETE, VM), (ASSIGN, SUB), (RESET, oid("bob")), (ADD_KEY, oid("app")), (JOIN, oid("g"))]
    answers, tables = [], []
    for _ in range(3):
        rows = [*rows[1::2][::-1], *rows[::2]]
        made = facts(rows, people)
        answers.append([decide(made, oid("ann"), *one) for one in asked])
        tables.append(permission_rows(made))
    assert answers[0] == answers[1] == answers[2]
    assert tables[0].equals(tables[1])
    assert tables[0].equals(tables[2])


def test_every_reason_carries_the_records_behind_it() -> None:
    made = facts([azure("g", "Owner"), member("ann", "g")], [ANN, group("g")])
    (because,) = decide(made, oid("ann"), DELETE, VM).because
    assert because.record_ids == ("rec-role-g-Owner", "rec-membership-ann-member")


def test_allowed_finds_the_provider_by_the_principal() -> None:
    assert allowed(facts([azure("ann", "Owner")], [ANN]), "ann", DELETE, VM).verdict == "allowed"
    assert allowed(facts([], [ANN]), "nobody", DELETE, VM).verdict == "unknown"


# --- the table -------------------------------------------------------------------------------------------------------


def row(made: Facts, who: str = "ann") -> Row:
    return permission_rows(made).row(by_predicate=pl.col("principal_id") == oid(who), named=True)


def logged(*events: tuple[str, str, str], first: int = 120, last: int = 1, who: str = "ann") -> dict[str, Any]:
    """An activity log of so many days back, with events of (action, resource, outcome) ten days ago."""
    activity = pl.DataFrame([
        {"time": AS_OF - days(10), "actor_id": oid(who), "action": action.lower(), "resource_id": resource,
         "outcome": outcome, "source": "azure_activity", "provider": "entra", "tenant": T, "record_id": f"rec-e{n}"}
        for n, (action, resource, outcome) in enumerate(events)], infer_schema_length=None)
    coverage = pl.DataFrame([{"basis": "received", "source": "azure_activity", "tenant": T, "provider": "entra",
                              "first": AS_OF - days(first), "last": AS_OF - days(last), "records": 9}])
    return {"activity": activity, "coverage": coverage}


STARTED = ("Microsoft.Compute/virtualMachines/start/action", VM, "success")
OLD: dict[str, Any] = {"granted_at": AS_OF - days(400)}


def test_granted_counts_patterns_and_permissions_by_scope_and_says_when_it_is_of_roles_only() -> None:
    own = says("role_definition/r1", "Own role", [RESET, ADD_KEY], source="entra_pim")
    made = facts([holds("ann", "Own role"), holds("ann", "Own role", UNIT), own, holds("bob", "Helpdesk Administrator"),
                  permits("sp", "Mail.Read"), permits("sp", "User.ReadWrite.All")], [ANN, BOB, SP])
    assert [(row(made, who)["granted"], row(made, who)["granted_basis"]) for who in ("ann", "bob", "sp")] == [
        (4, "effective"), (1, "assigned"), (2, "effective")]
    assert closed_value_faults(permission_rows(made), PERMISSIONS) == []


def test_an_azure_pattern_for_reading_and_changing_is_two_and_the_read_is_not_observable() -> None:
    made = facts([azure("ann", "Owner", **OLD)], [ANN], **logged(STARTED))
    found = row(made)
    assert {name: found[name] for name in ("granted", "used", "unused", "unobservable", "too_young", "reason")} == {
        "granted": 2, "used": 1, "unused": 0, "unobservable": 1, "too_young": 0, "reason": None}


def test_what_the_log_would_show_and_does_not_is_unused() -> None:
    made = facts([azure("ann", "Operators", **OLD), says("azure_role/r1", "Operators", [
        DELETE, "Microsoft.Compute/virtualMachines/start/action", "Microsoft.Compute/virtualMachines/read"])], [ANN],
        **logged(STARTED, (DELETE, VM, "denied"), (DELETE, f"{OTHER}/x", "success")))
    found = row(made)
    assert {name: found[name] for name in ("used", "unused", "unobservable", "sensitive_unused")} == {
        "used": 1, "unused": 1, "unobservable": 1, "sensitive_unused": 1}
    assert found["unused_sensitive_actions"] == [DELETE]


def test_a_subscription_without_a_single_record_shows_nothing() -> None:
    made = facts([azure("ann", "Contributor", **OLD)], [ANN], **logged((DELETE, f"{OTHER}/x", "success"), who="bob"))
    assert {name: row(made)[name] for name in ("used", "unused", "unobservable")} == {
        "used": None, "unused": None, "unobservable": 2}


def test_a_young_grant_is_not_unused_and_an_unknown_age_is_not_guessed() -> None:
    log = logged(STARTED, who="bob")
    states = [row(facts([azure("ann", "Contributor", granted_at=since)], [user("ann", created_at=created)], **log))
              for since, created in ((AS_OF - days(5), None), (None, AS_OF - days(400)), (None, None))]
    assert [(one["unused"], one["too_young"]) for one in states] == [(0, 1), (1, 0), (None, None)]
    assert states[2]["reason"].startswith("age_unknown: ")


def test_a_log_that_is_too_short_or_absent_says_so() -> None:
    held = [azure("ann", "Owner", **OLD)]
    short = row(facts(held, [ANN], **logged(STARTED, first=30)))
    assert (short["used"], short["unobservable"], short["reason"][:19]) == (None, None, "lookback_too_short:")
    none = row(facts(held, [ANN]))
    assert (none["used"], none["unobservable"], none["reason"]) == (
        None, 2, f"no_source: no Azure activity log of directory {T} is loaded")


def test_use_of_directory_roles_and_permissions_is_never_called_unused() -> None:
    found = row(facts([permits("sp", "Mail.Read")], [SP], **logged(STARTED)), "sp")
    assert (found["granted"], found["unused"], found["unobservable"], found["reason"][:10]) == (1, None, 1, "no_source:")


def test_weights_and_wildcards_are_those_of_the_data_files() -> None:
    made = facts([holds("ann", "Helpdesk Administrator"), holds("bob", "Global Administrator"), permits("sp", "Mail.Read"),
                  permits("sq", "Application.ReadWrite.All"), azure("chief", "Reader"),
                  azure("dora", "Contributor", f"{SUB}/resourcegroups/rg"), azure("emil", "Contributor"),
                  azure("fred", "Contributor", condition='"x"')],
                 [ANN, BOB, GA, SP, app("sq"), user("dora"), user("emil"), user("fred")])
    assert {who: (row(made, who)["weight_max"], row(made, who)["wildcard"]) for who in (
        "ann", "bob", "chief", "sp", "sq", "dora", "emil", "fred")} == {
        "ann": (10, False), "bob": (10, True), "chief": (0, False), "sp": (3, False), "sq": (10, True),
        "dora": (10, False), "emil": (10, True), "fred": (10, False)}


def test_a_wildcard_is_unknown_where_a_role_is_not_defined() -> None:
    assert row(facts([azure("ann", "Own role")], [ANN]))["wildcard"] is None


def test_what_is_only_eligible_is_granted_under_a_condition() -> None:
    made = facts([holds("ann", "Helpdesk Administrator", state="eligible"), holds("bob", "Helpdesk Administrator")],
                 [ANN, BOB])
    assert [(row(made, who)["granted"], row(made, who)["conditional"]) for who in ("ann", "bob")] == [
        (1, True), (1, False)]


def test_a_denial_of_a_whole_pattern_takes_it_away() -> None:
    made = facts([azure("ann", "Operators"), says("azure_role/r1", "Operators", [DELETE, ASSIGN]),
                  *denial("everyone", ["*/delete"])], [ANN])
    assert row(made)["granted"] == 1


def test_without_an_inventory_nothing_is_known_but_what_a_log_shows_at_its_heaviest() -> None:
    seen = holds("ann", "Global Administrator", source="entra_audit")
    found = row(facts([seen], [ANN], listed=False))
    assert (found["granted"], found["weight_max"], found["reason"][:33]) == (
        None, 10, "no_source: no inventory of direct")
    assert row(facts([], [ANN], listed=False))["weight_max"] is None


def test_an_application_is_named_as_what_holds_nothing_and_a_principal_without_grants_holds_nothing() -> None:
    made = facts([], [APP, SP])
    assert (row(made, "app")["granted"], row(made, "sp")["granted"]) == (None, 0)
    assert row(made, "app")["reason"].startswith("no_source: an application signs in as its service principal")


# --- vaults ----------------------------------------------------------------------------------------------------------

VAULT = f"{SUB}/resourcegroups/rg/providers/microsoft.keyvault/vaults/kv"
LISTS = grant("right", "ann", privilege="secrets/get", scope=VAULT, origin="access_policy", source="ad_azurehound")


@pytest.mark.parametrize(("grants", "roles", "answer"), [
    ([LISTS], False, "allowed"), ([LISTS], None, "conditional"), ([LISTS], True, "denied"),
    ([{**LISTS, "principal_id": oid("g")}, member("ann", "g")], False, "allowed"),
    ([{**LISTS, "principal_id": oid("bob")}], False, "denied"), ([], False, "unknown"), ([], None, "unknown"),
    ([], True, "denied"), ([azure("ann", "Secrets User"), VAULT_DATA], None, "allowed"),
    ([azure("ann", "Secrets User"), VAULT_DATA], False, "unknown")])
def test_a_vault_with_access_policies_grants_by_those(grants: list[Row], roles: bool | None, answer: str) -> None:
    stated = {"id": VAULT, "kind": "key_vault", "attributes": f'{{"rbac":{str(roles).lower()}}}'}
    made = facts(grants, [ANN, BOB, group("g")], [] if roles is None else [stated])
    assert verdict(made, GET, f"{VAULT}/secrets/s1") == answer


def test_what_software_may_do_in_the_directory_needs_the_listing_of_its_permissions() -> None:
    made = facts([holds("ann", "Reports Reader")], [ANN, SP, APP], listed=False)
    assert (verdict(made, ADD_KEY, oid("app"), "sp"), verdict(made, RESET, oid("bob"))) == ("unknown", "unknown")
    assert "appRoleAssignments" in why(made, ADD_KEY, oid("app"), "sp")
    assert verdict(facts([CHIEF, member("x", "y")], [ANN, GA], listed=False), ADD_KEY) == "denied"


def test_who_is_only_seen_in_a_log_and_granted_nothing_is_not_said_to_hold_nothing() -> None:
    made = facts([holds("bob", "Reports Reader")], [user("ann", inventoried=False), user("bob", inventoried=False)])
    assert (row(made)["granted"], row(made)["reason"]) == (
        None, "no_source: no inventory lists it, and none grants it anything")
    assert row(made, "bob")["granted"] == 1


@pytest.mark.parametrize("attributes", ["[1]", "{", "null", '{"object_id":7,"privileged":"yes"}', '"\\ud800"'])
def test_attributes_that_are_not_as_expected_are_no_fault(attributes: str) -> None:
    odd = [{"id": oid("role_definition/r1"), "kind": "role", "display_name": "Own role", "attributes": attributes},
           {"id": VAULT, "kind": "key_vault", "attributes": attributes}]
    made = facts([holds("ann", "Own role")], [ANN], odd)
    assert (verdict(made, RESET), verdict(made, GET, VAULT)) == ("unknown", "unknown")


def test_a_role_over_a_unit_is_named_by_the_object_of_the_role_in_that_directory() -> None:
    activated = {"id": oid("role/fe930be7-5e62-47db-91af-98c3a49a38b1"), "kind": "role",
                 "display_name": "User Administrator", "attributes": '{"object_id":"obj-1"}'}
    made = facts([holds("ann", "obj-1", UNIT), member("bob", "x", scope=oid("administrativeunit/u1"))], [ANN, BOB],
                 [activated])
    assert (verdict(made, RESET, oid("bob")), why(made, RESET, oid("bob"))) == (
        "allowed", f"holds User Administrator over {UNIT}")
