"""Entra directory objects. All of them are made up: the shared samples hold none."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineage_analytics import tables
from lineage_analytics.loaders._entra_directory import with_directory
from lineage_analytics.loaders._entra_keys import with_users_of_keys
from tests._documents import Loaded
from tests._microsoft import Json, as_csv, as_json, as_lines, load, same

if TYPE_CHECKING:
    from collections.abc import Callable

GRAPH = "https://graph.microsoft.com/v1.0"
ANA, GUEST, AGENT_USER = (f"1111111{n}-0000-4000-8000-000000000001" for n in (1, 2, 3))
SP, MANAGED, AGENT, PRINCIPAL = (f"2222222{n}-0000-4000-8000-000000000002" for n in (1, 2, 3, 4))
APP, BLUEPRINT, APP_ID, BLUEPRINT_APP = (f"3333333{n}-0000-4000-8000-000000000003" for n in (1, 2, 3, 4))
GROUP, ROLE, TEMPLATE, UNIT = (f"4444444{n}-0000-4000-8000-000000000004" for n in (1, 2, 3, 4))
KEY, CERT, APP_ROLE, POLICY = (f"5555555{n}-0000-4000-8000-000000000005" for n in (1, 2, 3, 4))
NOBODY = "00000000-0000-0000-0000-000000000000"
CANARY = "pineapple-canary-77"

USERS: list[Json] = [
    {"id": ANA, "displayName": "Ana", "userPrincipalName": "Ana@Contoso.com", "mail": "ana@mail.example", "userType": "Member",
     "accountEnabled": True, "createdDateTime": "2024-01-01T00:00:00Z", "jobTitle": CANARY, "mobilePhone": CANARY,
     "lastPasswordChangeDateTime": "2025-01-01T00:00:00Z", "onPremisesSecurityIdentifier": "s-1-5-21-1-2-3-1001",
     "signInActivity": {"lastSignInDateTime": "2026-02-03T00:00:00Z", "lastNonInteractiveSignInDateTime":
                        "2026-02-04T00:00:00Z", "lastSuccessfulSignInDateTime": "2026-02-02T00:00:00Z"}},
    {"id": GUEST, "displayName": "Guest", "userPrincipalName": "g_x.example#EXT#@contoso.com", "mail": None,
     "userType": "Guest", "accountEnabled": False, "createdDateTime": "2024-01-02T00:00:00Z", "jobTitle": None},
    {"@odata.type": "#microsoft.graph.agentUser", "id": AGENT_USER, "displayName": "Helper",
     "userPrincipalName": "helper@contoso.com", "accountEnabled": True, "identityParentId": AGENT, "userType": "Member",
     "createdDateTime": "2026-01-02T00:00:00Z"},
]
PRINCIPALS: list[Json] = [
    {"id": SP, "appId": APP_ID, "displayName": "Deployer", "servicePrincipalType": "Application", "accountEnabled": True,
     "appOwnerOrganizationId": TEMPLATE, "owners": [{"@odata.type": "#microsoft.graph.user", "id": ANA}],
     "passwordCredentials": [{"keyId": KEY, "startDateTime": "2025-01-01T00:00:00Z", "endDateTime": "2027-01-01T00:00:00Z",
                              "hint": "pin", "displayName": CANARY, "secretText": CANARY}],
     "keyCredentials": [{"keyId": CERT, "startDateTime": "2025-02-01T00:00:00Z", "type": "AsymmetricX509Cert",
                         "endDateTime": "2026-02-01T00:00:00Z", "key": CANARY}],
     "appRoles": [{"id": APP_ROLE, "value": "Files.Read.All", "isEnabled": True, "allowedMemberTypes": ["Application"],
                   "description": CANARY}], "notes": CANARY},
    {"id": MANAGED, "appId": KEY, "displayName": "vm-1", "servicePrincipalType": "ManagedIdentity",
     "alternativeNames": ["isExplicit=False", "/subscriptions/s/vm-1"], "accountEnabled": True},
    {"@odata.type": "#microsoft.graph.agentIdentity", "id": AGENT, "appId": AGENT, "displayName": "Helper",
     "servicePrincipalType": "ServiceIdentity", "agentIdentityBlueprintId": BLUEPRINT_APP, "accountEnabled": True,
     "createdByAppId": BLUEPRINT_APP, "sponsors": [{"id": ANA}],
     "inheritedAppRoleAssignments": [{"id": "i-1", "principalId": AGENT, "resourceId": SP, "appRoleId": APP_ROLE}]},
    {"@odata.type": "#microsoft.graph.agentIdentityBlueprintPrincipal", "id": PRINCIPAL, "appId": BLUEPRINT_APP,
     "displayName": "Helper blueprint", "servicePrincipalType": "Application"},
    {"id": CERT, "appId": "00000003-0000-0000-c000-000000000000", "displayName": "Microsoft Graph",
     "servicePrincipalType": "Application", "appOwnerOrganizationId": "f8cdef31-a31e-4b4a-93e4-5f571e91255a"},
]
APPLICATIONS: list[Json] = [
    {"id": APP, "appId": APP_ID, "displayName": "Deployer", "signInAudience": "AzureADMyOrg", "keyCredentials": [],
     "passwordCredentials": [{"keyId": APP_ROLE, "startDateTime": "2025-03-01T00:00:00Z", "endDateTime": None}],
     "federatedIdentityCredentials": [{"id": POLICY, "name": "ci", "issuer": "https://token.actions.githubusercontent.com",
                                       "subject": "repo:contoso/web:ref:refs/heads/main", "audiences": ["a"]}]},
    {"@odata.type": "#microsoft.graph.agentIdentityBlueprint", "id": BLUEPRINT, "appId": BLUEPRINT_APP,
     "displayName": "Helper blueprint", "passwordCredentials": [{"keyId": UNIT, "startDateTime": "2026-01-01T00:00:00Z"}]},
]
GROUPS: list[Json] = [
    {"id": GROUP, "displayName": "Admins", "groupTypes": [], "securityEnabled": True, "mailEnabled": False, "mail": None,
     "isAssignableToRole": True, "createdDateTime": "2024-05-01T00:00:00Z", "owners": [{"id": GUEST}],
     "members": [{"@odata.type": "#microsoft.graph.user", "id": ANA},
                 {"@odata.type": "#microsoft.graph.servicePrincipal", "id": SP}]},
]
ROLES: list[Json] = [{"id": ROLE, "displayName": "Global Administrator", "roleTemplateId": TEMPLATE,
                      "members": [{"id": ANA}]}]
ASSIGNMENTS: list[Json] = [
    {"id": "a-1", "appRoleId": APP_ROLE, "createdDateTime": "2025-06-01T00:00:00Z", "principalId": SP,
     "principalType": "ServicePrincipal", "principalDisplayName": "Deployer", "resourceId": CERT,
     "resourceDisplayName": "Microsoft Graph"},
    {"id": "a-2", "appRoleId": NOBODY, "createdDateTime": "2025-06-02T00:00:00Z", "principalId": GROUP,
     "principalType": "Group", "principalDisplayName": "Admins", "resourceId": SP, "resourceDisplayName": "Deployer"},
]
GRANTS: list[Json] = [
    {"id": "g-1", "clientId": SP, "consentType": "AllPrincipals", "principalId": None, "resourceId": CERT,
     "scope": " User.Read Mail.Read User.Read"},
    {"id": "g-2", "clientId": SP, "consentType": "Principal", "principalId": ANA, "resourceId": CERT, "scope": "Files.Read"},
]
POLICIES: list[Json] = [
    {"id": POLICY, "displayName": "Block legacy", "state": "enabledForReportingButNotEnforced", "templateId": None,
     "createdDateTime": "2026-01-01T00:00:00Z", "modifiedDateTime": None, "conditions": {"users": {"includeUsers": ["All"]}},
     "grantControls": {"operator": "OR", "builtInControls": ["block"]}, "sessionControls": None},
]
UNITS: list[Json] = [{"@odata.type": "#microsoft.graph.administrativeUnit", "id": UNIT, "displayName": "Lyon",
                      "scopedRoleMembers": [{"id": "s-1", "roleId": ROLE, "administrativeUnitId": UNIT,
                                             "roleMemberInfo": {"id": ANA}}]}]
DEVICES: list[Json] = [{"id": UNIT, "deviceId": ROLE, "displayName": "laptop", "operatingSystem": "Windows",
                        "trustType": "AzureAd", "isCompliant": True, "accountEnabled": True}]
LISTS: dict[str, list[Json]] = {
    "users": USERS, "servicePrincipals": PRINCIPALS, "applications": APPLICATIONS, "groups": GROUPS,
    "directoryRoles": ROLES, "appRoleAssignments": ASSIGNMENTS, "oauth2PermissionGrants": GRANTS,
    "identity/conditionalAccess/policies": POLICIES, "directory/administrativeUnits": UNITS, "devices": DEVICES,
}


def page(entity: str, objects: list[Json], **more: Any) -> Json:
    return {"@odata.context": f"{GRAPH}/$metadata#{entity}", **more, "value": objects}


SHAPES: dict[str, Callable[[list[Json]], bytes]] = {
    "array": as_json, "lines": as_lines,
    "pretty": lambda objects: json.dumps({"value": objects}, indent=2).encode(),
    "powershell": lambda objects: as_json([{key[0].upper() + key[1:] if key[0] != "@" else key: value
                                            for key, value in found.items()} for found in objects]),
    "test_suite": lambda objects: as_lines([{"_origin": {"a": 1}, "log": found} for found in objects]),
}


def sheet(objects: list[Json]) -> bytes:
    """Objects as a script exports them: nested values as JSON text."""
    columns = dict.fromkeys(key for found in objects for key in found)
    return as_csv([{key: json.dumps(found[key]) if isinstance(found.get(key), dict | list) else found.get(key)
                    for key in columns} for found in objects])


CONTRACT_FILES: dict[str, bytes] = {
    **{f"page_{entity.rpartition('/')[2]}": as_json(page(entity, objects)) for entity, objects in LISTS.items()},
    **{shape: write(USERS + GROUPS) for shape, write in SHAPES.items()},
    "csv_users": sheet(USERS), "csv_assignments": sheet(ASSIGNMENTS),
    "members": as_json(page("directoryObjects", [{"@odata.type": "#microsoft.graph.user", "id": ANA}], **{
        "@odata.nextLink": f"{GRAPH}/groups/{GROUP}/members?$skiptoken=1"})),
}


def identity(native: str) -> str:
    return f"entra::{native}"


@pytest.mark.parametrize("entity", LISTS)
@pytest.mark.parametrize("shape", SHAPES)
def test_a_list_gives_the_same_rows_in_every_packaging(entity: str, shape: str) -> None:
    plain, packed = load(as_json(page(entity, LISTS[entity]))), load(SHAPES[shape](LISTS[entity]))
    assert (plain.source, packed.source, packed.faults) == ("entra_directory", "entra_directory", [])
    assert packed.record_ids == plain.record_ids
    assert packed.frames.keys() == plain.frames.keys()
    for name, frame in plain.frames.items():
        assert same(packed.frames[name]) == same(frame), name


@pytest.mark.parametrize("entity", ["users", "servicePrincipals", "applications", "groups", "appRoleAssignments"])
def test_a_sheet_says_what_the_page_says(entity: str) -> None:
    plain, shown = load(as_json(page(entity, LISTS[entity]))), load(sheet(LISTS[entity]))
    assert (shown.source, shown.faults) == ("entra_directory", [])
    assert shown.record_ids == plain.record_ids
    for name, frame in plain.frames.items():
        assert same(shown.frames[name]) == same(frame), name


def facts(objects: list[Json]) -> dict[str, Json]:
    return {row["id"].rpartition(":")[2]: row for row in load(as_json(objects)).rows("identity_facts")
            if row["basis"] == "inventory"}


def test_users_are_people_unless_their_type_says_agent() -> None:
    found = facts(USERS)
    assert {key: (row["kind"], row["subkind"], row["enabled"]) for key, row in found.items()} == {
        ANA: ("human", "user", True), GUEST: ("human", "guest", False), AGENT_USER: ("ai_agent", "agent_user", True)}
    assert found[AGENT_USER]["parent_id"] == identity(AGENT)
    assert {alt["kind"]: alt["value"] for alt in found[ANA]["alt_ids"]} == {
        "object_id": ANA, "upn": "ana@contoso.com", "login": "ana@contoso.com", "email": "ana@mail.example",
        "sid": "S-1-5-21-1-2-3-1001"}
    [typeless] = facts([{k: v for k, v in USERS[2].items() if k != "@odata.type"}]).values()
    assert (typeless["kind"], typeless["kind_basis"]) == ("ai_agent", "identityParentId")


def test_the_last_use_is_the_last_sign_in_that_succeeded_and_absent_is_not_never() -> None:
    found = facts(USERS)
    assert found[ANA]["last_seen_at"].isoformat() == "2026-02-02T00:00:00+00:00"
    assert (found[GUEST]["last_seen_at"], found[GUEST]["last_seen_basis"]) == (None, None)
    old = USERS[0] | {"signInActivity": {"lastSignInDateTime": "2026-02-03T00:00:00Z", "lastNonInteractiveSignInDateTime":
                                         "0001-01-01T00:00:00Z"}}
    assert facts([old])[ANA]["last_seen_at"].isoformat() == "2026-02-03T00:00:00+00:00"


def test_service_principals_are_what_their_type_says() -> None:
    found = facts(PRINCIPALS)
    assert {key: (row["kind"], row["subkind"], row["excluded_reason"]) for key, row in found.items()} == {
        SP: ("app", "service_principal", None), MANAGED: ("workload", "managed_identity_system", None),
        AGENT: ("ai_agent", "agent_identity", None), PRINCIPAL: ("ai_agent", "agent_blueprint_principal", None),
        CERT: ("app", "first_party", "provider_managed")}
    assert found[SP]["owner"] == [{"id": identity(ANA), "basis": "owner"}]
    assert found[AGENT]["owner"] == [{"id": identity(ANA), "basis": "sponsor"}]
    assert found[AGENT]["parent_id"] == identity(BLUEPRINT_APP)
    assert found[MANAGED]["owner"] is None
    blueprints = facts(APPLICATIONS)
    assert {key: row["subkind"] for key, row in blueprints.items()} == {APP: "application", BLUEPRINT: "agent_blueprint"}


def test_a_service_principal_without_its_type_is_still_no_application() -> None:
    [fact] = facts([{"id": "77777777-0000-4000-8000-000000000007", "appId": "88888888-0000-4000-8000-000000000008",
                     "appOwnerOrganizationId": "99999999-0000-4000-8000-000000000009", "publisherName": "Contoso",
                     "servicePrincipalNames": [], "keyCredentials": [], "passwordCredentials": []}]).values()
    assert (fact["subkind"], fact["unmapped"]) == ("service_principal", None)


def test_an_agent_identity_on_its_own_has_no_application_id() -> None:
    agent = {"id": "77777777-0000-4000-8000-000000000007", "displayName": "Helper", "servicePrincipalType": "ServiceIdentity",
             "createdDateTime": "2026-01-01T00:00:00Z", "createdByAppId": "88888888-0000-4000-8000-000000000008",
             "agentIdentityBlueprintId": "88888888-0000-4000-8000-000000000008", "accountEnabled": True, "tags": []}
    found = load(as_json(agent))
    [fact] = [row for row in found.rows("identity_facts") if row["id"].endswith(agent["id"])]
    assert (found.source, fact["kind"], fact["subkind"]) == ("entra_directory", "ai_agent", "agent_identity")


def test_credentials_are_ids_and_dates_of_the_object_that_lists_them() -> None:
    rows = load(as_json(PRINCIPALS[:1])).rows("credentials") + load(as_json(APPLICATIONS)).rows("credentials")
    shown = {row["credential_id"]: (row["identity_id"], row["kind"], row["issuer"], row["status"]) for row in rows}
    issuer = "https://token.actions.githubusercontent.com"
    assert shown == {
        KEY: (identity(SP), "secret", None, None), CERT: (identity(SP), "cert", None, None),
        APP_ROLE: (identity(APP), "secret", None, None), POLICY: (identity(APP), "federated", issuer, None),
        UNIT: (identity(BLUEPRINT), "secret", None, None)}
    dates = {row["credential_id"]: (row["created_at"], row["expires_at"]) for row in rows}
    assert [str(value) for value in dates[KEY]] == ["2025-01-01 00:00:00+00:00", "2027-01-01 00:00:00+00:00"]
    assert dates[APP_ROLE][1] is None
    [password] = load(as_json(USERS)).rows("credentials")
    assert (password["credential_id"], password["kind"]) == (f"{ANA}/password", "password")


def test_no_secret_hint_or_description_is_stored() -> None:
    for objects in LISTS.values():
        assert CANARY not in str([frame.to_dicts() for frame in load(as_json(objects)).frames.values()])


def held(objects: list[Json]) -> set[tuple[Any, ...]]:
    return {tuple(row[c] for c in ("principal_id", "grant_kind", "privilege", "scope", "state"))
            for row in load(as_json(objects)).rows("entitlements")}


def test_memberships_roles_and_ownership_are_grants_without_a_claim_how_long() -> None:
    assert held(GROUPS) == {
        (identity(ANA), "membership", "member", identity(GROUP), None),
        (identity(SP), "membership", "member", identity(GROUP), None), (identity(GUEST), "owner", "owner", identity(GROUP), None)}
    assert held(ROLES) == {(identity(ANA), "role", "Global Administrator", "/", None)}
    assert held(UNITS) == {(identity(ANA), "role", ROLE, f"/administrativeUnits/{UNIT}", None)}


def test_application_permissions_stand_and_the_zero_role_is_default_access() -> None:
    assert held(ASSIGNMENTS) == {
        (identity(SP), "app_role", APP_ROLE, identity(CERT), "standing"),
        (identity(GROUP), "app_role", "default access", identity(SP), "standing")}
    first = load(as_json(ASSIGNMENTS)).rows("entitlements")[0]
    assert (first["granted_at"].isoformat(), first["grant_id"], first["as_of"]) == (
        "2025-06-01T00:00:00+00:00", "a-1", None)


def test_delegated_permissions_are_one_row_each_with_those_they_are_for() -> None:
    rows = load(as_json(GRANTS)).rows("entitlements")
    assert [(r["privilege"], r["via"], r["principal_id"], r["scope"]) for r in rows] == [
        ("Mail.Read", ["ALL_PRINCIPALS"], identity(SP), identity(CERT)),
        ("User.Read", ["ALL_PRINCIPALS"], identity(SP), identity(CERT)),
        ("Files.Read", [identity(ANA)], identity(SP), identity(CERT))]


def test_what_an_agent_inherits_comes_through_its_blueprint() -> None:
    [row] = load(as_json(PRINCIPALS[2:3])).rows("entitlements")
    assert (row["principal_id"], row["via"], row["origin"]) == (
        identity(AGENT), [identity(BLUEPRINT_APP)], "blueprint_inherited")


def test_a_policy_that_only_reports_says_so_and_its_rules_compare() -> None:
    def attributes(policy: Json) -> Json:
        found: Json = json.loads(load(as_json([policy])).rows("resources")[0]["attributes"])
        return found

    draft, enforced = attributes(POLICIES[0]), attributes(POLICIES[0] | {"state": "enabled"})
    assert (draft["state"], enforced["state"]) == ("report_only", "enabled")
    assert draft["rules_sha256"] == enforced["rules_sha256"]
    assert draft["rules_sha256"] != attributes(POLICIES[0] | {"conditions": {}})["rules_sha256"]


def test_app_roles_a_resource_offers_can_be_looked_up() -> None:
    [row] = [one for one in load(as_json(PRINCIPALS)).rows("resources") if one["kind"] == "app_role"]
    assert (row["id"], row["display_name"], row["parent_id"]) == (
        f"entra::app_role/{SP}/{APP_ROLE}", "Files.Read.All", identity(SP))


def test_whose_application_a_service_principal_is_can_be_looked_up() -> None:
    listed = [one for one in load(as_json(PRINCIPALS)).rows("resources") if one["kind"] == "publisher"]
    assert listed
    for one in listed:
        assert (one["id"], json.loads(one["attributes"]).keys()) == (
            f"entra::publisher/{one['parent_id'].rpartition(':')[2]}", {"directory"})


@pytest.mark.parametrize(("link", "grant", "owner"), [
    (f"groups/{GROUP}/members", ("membership", "member", identity(GROUP)), None),
    (f"directoryRoles/{GROUP}/members", ("role", GROUP, "/"), None),
    (f"administrativeUnits/{GROUP}/members", None, None),
    (f"applications/{GROUP}/owners", ("owner", "owner", identity(GROUP)), "owner"),
    (f"servicePrincipals/{GROUP}/microsoft.graph.agentIdentity/sponsors", None, "sponsor"),
])
def test_a_page_whose_link_names_the_parent_tells_the_relation(
    link: str, grant: tuple[str, str, str] | None, owner: str | None
) -> None:
    people = [{"@odata.type": "#microsoft.graph.user", "id": ANA}]
    found = load(as_json(page("directoryObjects", people, **{"@odata.nextLink": f"{GRAPH}/{link}?$skiptoken=1"})))
    assert [(r["principal_id"], r["grant_kind"], r["privilege"], r["scope"]) for r in found.rows("entitlements")] == (
        [(identity(ANA), *grant)] if grant else [])
    owners = [row["owner"] for row in found.rows("identity_facts") if row["id"] == identity(GROUP)]
    assert owners == ([[{"id": identity(ANA), "basis": owner}]] if owner else [])


def test_one_member_on_the_pages_of_two_groups_is_two_records() -> None:
    people = [{"@odata.type": "#microsoft.graph.user", "id": ANA}]
    ids = [load(as_json(page("directoryObjects", people, **{"@odata.nextLink": f"{GRAPH}/groups/{group}/members"}))).record_ids
           for group in (GROUP, UNIT)]
    assert ids[0] != ids[1]
    assert load(as_json(page("directoryObjects", people))).rows("entitlements") == []


def test_what_a_user_is_member_of_is_a_group_or_a_role() -> None:
    both = [{"@odata.type": "#microsoft.graph.group", "id": GROUP},
            {"@odata.type": "#microsoft.graph.directoryRole", "id": ROLE, "displayName": "Global Reader",
             "roleTemplateId": TEMPLATE}, UNITS[0]]
    wanted = {(identity(ANA), "membership", "member", identity(GROUP), None),
              (identity(ANA), "role", "Global Reader", "/", None)}
    assert held([USERS[0] | {"memberOf": both}]) == wanted
    listed = load(as_json(page("directoryObjects", both, **{"@odata.nextLink": f"{GRAPH}/users/{ANA}/memberOf?x=1"})))
    assert wanted <= {tuple(row[c] for c in ("principal_id", "grant_kind", "privilege", "scope", "state"))
                      for row in listed.rows("entitlements")}


def test_powershell_writes_dates_its_own_way_and_the_rest_under_additional_properties() -> None:
    user = {"Id": ANA, "DisplayName": "Ana", "UserPrincipalName": "ana@contoso.com", "AccountEnabled": True,
            "CreatedDateTime": "/Date(1704067200000)/", "SignInActivity": {"LastSuccessfulSignInDateTime":
                                                                          "/Date(-62135596800000)/"}}
    member = {"Id": AGENT_USER, "DeletedDateTime": None, "AdditionalProperties": {
        "@odata.type": "#microsoft.graph.agentUser", "displayName": "Helper", "userPrincipalName": "helper@contoso.com"}}
    found = facts([user, member])
    assert found[ANA]["created_at"].isoformat() == "2024-01-01T00:00:00+00:00"
    assert found[ANA]["last_seen_at"] is None
    assert (found[AGENT_USER]["kind"], found[AGENT_USER]["display_name"]) == ("ai_agent", "helper@contoso.com")
    assert load(as_json([member])).source == "entra_directory"


def test_an_object_exported_again_is_the_same_record_until_it_changes() -> None:
    one, again = load(as_json(USERS[:1])).record_ids, load(as_lines(USERS[:1])).record_ids
    changed = load(as_json([USERS[0] | {"accountEnabled": False}])).record_ids
    assert one == again != changed


def test_objects_of_other_sorts_in_a_list_are_rejected_by_name_and_an_object_without_id_is_not_understood() -> None:
    contact = {"@odata.type": "#microsoft.graph.orgContact", "id": ANA}
    found = load(as_json(page("directoryObjects", [USERS[2], contact, {**USERS[2], "id": None}])))
    assert [(f.position, f.reason, f.disposition) for f in found.faults] == [
        (1, "out_of_scope", "rejected"), (2, "no_id", "quarantined")]
    assert "orgContact" in found.faults[0].detail


def test_an_empty_page_is_recognised_and_holds_nothing() -> None:
    found = load(as_json(page("users", [])))
    assert (found.source, found.seen) == ("entra_directory", 0)


def test_fields_nobody_knows_are_kept_without_what_people_wrote() -> None:
    [row] = facts([USERS[0] | {"extension_1_costCenter": CANARY, "extension_1_flag": True}]).values()
    assert json.loads(row["unmapped"]) == {"extension_1_costcenter": "[content not stored]", "extension_1_flag": True}


def stored(*lists: list[Json]) -> dict[str, pl.LazyFrame]:
    """The tables of several files as a workspace holds them."""
    parts: dict[str, list[pl.DataFrame]] = {}
    for objects in lists:
        for name, frame in load(as_json(objects)).frames.items():
            parts.setdefault(name, []).append(frame)
    return {name: pl.concat(frames).lazy() for name, frames in parts.items()}


def users_of_keys(*lists: list[Json]) -> dict[str, tuple[str, str | None]]:
    frame = with_users_of_keys(stored(*lists))["credentials"].collect()
    assert frame.schema == tables.CREDENTIALS.schema
    return {row["credential_id"]: (row["identity_id"], row["held_by_id"]) for row in frame.to_dicts()}


def test_keys_of_an_application_are_its_principals_and_the_application_holds_them() -> None:
    found = users_of_keys(PRINCIPALS, APPLICATIONS)
    assert found == {
        KEY: (identity(SP), None), CERT: (identity(SP), None), APP_ROLE: (identity(SP), identity(APP)),
        POLICY: (identity(SP), identity(APP)), UNIT: (identity(PRINCIPAL), identity(BLUEPRINT))}
    assert found == users_of_keys(APPLICATIONS[::-1], PRINCIPALS[::-1])


def test_keys_stay_with_the_application_where_no_principal_or_more_than_one_has_its_id() -> None:
    assert users_of_keys(APPLICATIONS)[APP_ROLE] == (identity(APP), None)
    twins = [PRINCIPALS[0], PRINCIPALS[0] | {"id": TEMPLATE}]
    assert users_of_keys(APPLICATIONS, twins)[APP_ROLE] == (identity(APP), None)


def test_the_parent_of_an_agent_is_its_blueprint_once_that_is_listed() -> None:
    def parents(*lists: list[Json]) -> dict[str, str]:
        frame = with_users_of_keys(stored(*lists))["identity_facts"].collect()
        assert frame.schema == tables.IDENTITY_FACTS.schema
        return {row["id"]: row["parent_id"] for row in frame.to_dicts() if row["parent_id"]}

    assert parents(PRINCIPALS, APPLICATIONS) == {identity(AGENT): identity(BLUEPRINT)}
    assert parents(PRINCIPALS) == {identity(AGENT): identity(BLUEPRINT_APP)}
    assert parents(USERS, APPLICATIONS) == {identity(AGENT_USER): identity(AGENT)}


def test_the_directory_is_filled_in_wherever_an_id_stands() -> None:
    held = stored(USERS, PRINCIPALS, APPLICATIONS, GROUPS, GRANTS)
    held["coverage"] = pl.LazyFrame([{"basis": "received", "source": "entra_audit", "tenant": TEMPLATE, "provider": "entra"}],
                                    schema=tables.COVERAGE.schema)
    for name, frame in with_directory(held).items():
        made = frame.collect()
        assert made.schema == tables.ALL[name].schema
        assert "entra::" not in str(made.to_dicts()), name
    [agent] = with_directory(held)["identity_facts"].filter(pl.col("subkind") == "agent_identity").collect().to_dicts()
    assert agent["owner"] == [{"id": f"entra:{TEMPLATE}:{ANA}", "basis": "sponsor"}]
    assert agent["parent_id"] == f"entra:{TEMPLATE}:{BLUEPRINT_APP}"
    vias = with_directory(held)["entitlements"].filter(pl.col("grant_kind") == "delegated").collect()["via"].to_list()
    assert sorted(vias) == [["ALL_PRINCIPALS"], ["ALL_PRINCIPALS"], [f"entra:{TEMPLATE}:{ANA}"]]


_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8)
    | st.sampled_from(["", "[]", "{}", "[{}]", '"x"', '["a"]', "\\", "\x00", ANA, NOBODY, "2026-01-01T00:00:00Z"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["id", "keyId", "value", "startDateTime", "principalId", "resourceId", "@odata.type"]), inner,
        max_size=3),
    max_leaves=6)
_KEYS = sorted({key for objects in LISTS.values() for found in objects for key in found})


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(sorted(LISTS)), st.dictionaries(st.sampled_from(_KEYS), _values, max_size=8))
def test_any_value_anywhere_is_counted_and_never_an_error(entity: str, fields: Json) -> None:
    objects = [LISTS[entity][0], LISTS[entity][0] | fields, LISTS[entity][-1]]
    assert load(as_json(page(entity, objects))).seen == 3


def test_users_of_whom_only_the_login_was_selected_are_known_where_nothing_else_is_said() -> None:
    row = {"id": "00000002-0000-4000-8000-000000000000", "userPrincipalName": "ann@example.org"}
    assert Loaded({"value": [row]}).source == "entra_directory"
    with pytest.raises(AssertionError, match="no loader"):
        Loaded({"value": [row | {"isMfaRegistered": True}]})
