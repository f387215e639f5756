"""AzureHound collections. All entries are made up: no real collection is at hand."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lineage_analytics import tables
from lineage_analytics.loaders import recognise
from lineage_analytics.loaders.ad_azurehound import settle
from tests._documents import Loaded, member

Json = dict[str, Any]
TENANT = "7a1b0000-0000-4000-8000-00000000000a"
ANA, GROUP, AGENT, APP, CLIENT, ROLE, GRAPH, POLICY = (
    f"{n}1111111-0000-4000-8000-00000000000{n}" for n in range(1, 9))
CANARY = "description-canary"
SUBSCRIPTION = "/subscriptions/99999999-0000-4000-8000-000000000009"
VAULT = f"{SUBSCRIPTION}/resourceGroups/RG1/providers/Microsoft.KeyVault/vaults/Keys"
OWNER = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635"


def listed(native: str) -> str:
    return f"entra:{TENANT}:{native}"


def named(native: str) -> str:
    """As relations name it, which state no directory."""
    return f"entra::{native}"


def entry(kind: str, **data: Any) -> Json:
    return {"kind": kind, "data": data}


def assignment(principal: str, role: str, scope: str) -> Json:
    return {"id": f"{scope}/providers/Microsoft.Authorization/roleAssignments/1", "name": "1", "type": "roleAssignments",
            "properties": {"principalId": principal.upper(), "scope": scope.upper(), "roleDefinitionId":
                           f"{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions/{role}"}}


OBJECTS = [
    entry("AZUser", id=ANA.upper(), tenantId=TENANT.upper(), displayName="Ana", userPrincipalName="Ana@Contoso.com",
          accountEnabled=True, userType="Member", mail="ana@contoso.com", onPremisesSecurityIdentifier="S-1-5-21-1-2-3-1101",
          createdDateTime="2024-01-02T03:04:05Z", lastPasswordChangeDateTime="2025-01-01T00:00:00Z",
          signInActivity={"lastSignInDateTime": "2026-03-01T00:00:00Z"}, aboutMe=CANARY),
    entry("AZGroup", id=GROUP, tenantId=TENANT, displayName="Ops", securityEnabled=True, description=CANARY),
    entry("AZApp", id=APP, appId=CLIENT, tenantId=TENANT, displayName="Bot", passwordCredentials=[
        {"keyId": POLICY, "startDateTime": "2025-01-01T00:00:00Z", "endDateTime": "2027-01-01T00:00:00Z",
         "secretText": CANARY}]),
    entry("AZServicePrincipal", id=AGENT, appId=CLIENT, tenantId=TENANT, displayName="Helper",
          servicePrincipalType="ServiceIdentity"),
    entry("AZServicePrincipal", id=GRAPH, appId="00000003-0000-0000-c000-000000000000", tenantId=TENANT,
          displayName="Microsoft Graph", servicePrincipalType="Application",
          appOwnerOrganizationId="f8cdef31-a31e-4b4a-93e4-5f571e91255a"),
    entry("AZRole", id=ROLE, templateId=ROLE, tenantId=TENANT, displayName="Global Administrator", isBuiltIn=True),
    entry("AZTenant", id=f"/tenants/{TENANT}", tenantId=TENANT, displayName="Contoso"),
    entry("AZKeyVault", id=VAULT, name="Keys", tenantId=TENANT, resourceGroup=f"{SUBSCRIPTION}/resourceGroups/RG1"),
    entry("AZVM", id=f"{SUBSCRIPTION}/virtualMachines/vm1", name="vm1", tenantId=TENANT,
          identity={"type": "SystemAssigned", "principalId": AGENT}),
    entry("AZQuantumThing", id=f"{SUBSCRIPTION}/q/1", name="q", tenantId=TENANT, memo=CANARY),
]
RELATIONS = [
    entry("AZGroupMember", groupId=GROUP.upper(), members=[
        {"groupId": GROUP, "member": {"@odata.type": "#microsoft.graph.user", "id": ANA.upper(), "displayName": "Ana"}}]),
    entry("AZGroupOwner", groupId=GROUP, owners=[{"groupId": GROUP, "owner": {"id": ANA}}]),
    entry("AZAppOwner", appId=CLIENT, owners=[{"appId": CLIENT, "owner": {"id": ANA}}]),
    entry("AZRoleAssignment", roleDefinitionId=ROLE.upper(), tenantId=TENANT, roleAssignments=[
        {"id": "a1", "roleDefinitionId": ROLE, "principalId": ANA.upper(), "directoryScopeId": "/"},
        {"id": "a2", "roleDefinitionId": ROLE, "principalId": GROUP,
         "directoryScopeId": f"/ADMINISTRATIVEUNITS/{POLICY.upper()}"}]),
    entry("AZRoleEligibilityScheduleInstance", id="e1", roleDefinitionId=ROLE, principalId=AGENT, directoryScopeId="/",
          startDateTime="2026-01-01T00:00:00Z", tenantId=TENANT),
    entry("AZRoleManagementPolicyAssignment", id="p1", roleDefinitionId=ROLE, tenantId=TENANT,
          endUserAssignmentRequiresApproval=True, endUserAssignmentUserApprovers=[ANA.upper()],
          endUserAssignmentRequiresMFA=True),
    entry("AZAppRoleAssignment", id="r1", appRoleId=POLICY, principalId=AGENT, principalType="ServicePrincipal",
          resourceId=GRAPH, createdDateTime="2025-02-03T00:00:00Z", appId=CLIENT, tenantId=TENANT),
    entry("AZOAuth2PermissionGrant", id="g1", clientId=AGENT, consentType="AllPrincipals", resourceId=GRAPH,
          scope="Mail.Read User.Read", tenantId=TENANT),
    entry("AZKeyVaultAccessPolicy", objectId=AGENT, tenantId=TENANT, keyVaultId=VAULT, permissions={"secrets": ["Get"]}),
    entry("AZFederatedIdentityCredential", appId=CLIENT, fics=[{"appId": CLIENT, "fic": {
        "id": ROLE, "name": "gh", "issuer": "https://token.actions.githubusercontent.com", "subject": "repo:a/b",
        "audiences": ["api://AzureADTokenExchange"]}}]),
    entry("AZManagementGroupDescendant", id=SUBSCRIPTION, type="/subscriptions", properties={
        "displayName": "Prod", "parent": {"id": "/providers/Microsoft.Management/managementGroups/root"}}),
]
NEW_ROLES = entry("AZKeyVaultRoleAssignment", objectId=VAULT.upper(), assignees=[
    {"objectId": VAULT, "roleDefinitionId": OWNER, "assignee": assignment(ANA, OWNER, SUBSCRIPTION)}])
OLD_ROLES = entry("AZKeyVaultRoleAssignment", virtualMachineId=VAULT, roleAssignments=[
    {"virtualMachineId": VAULT, "roleAssignment": assignment(ANA, OWNER, SUBSCRIPTION)}])
OLDEST_ROLES = entry("AZKeyVaultOwner", keyVaultId=VAULT, owners=[
    {"keyVaultId": VAULT, "owner": assignment(ANA, OWNER, SUBSCRIPTION)}])
ENTRIES = [*OBJECTS, *RELATIONS, NEW_ROLES, entry("AZSomething")]
META = {"type": "azure", "version": 5, "count": len(ENTRIES)}
WHOLE = json.dumps({"data": ENTRIES, "meta": META}).encode()
LINES = b"".join(json.dumps(item).encode() + b"\n" for item in ENTRIES)
CONTRACT_FILES = {"whole": WHOLE, "lines": LINES, "array": json.dumps(ENTRIES, indent=1).encode(),
                  "meta_first": json.dumps({"meta": META, "data": ENTRIES}).encode()}


def grants(loaded: Loaded) -> set[tuple[Any, ...]]:
    return set(loaded.rows("entitlements", "principal_id", "grant_kind", "privilege", "scope", "state"))


@pytest.mark.parametrize("name", sorted(CONTRACT_FILES))
def test_every_packaging_gives_the_same_rows(name: str) -> None:
    first, other = Loaded(WHOLE), Loaded(CONTRACT_FILES[name])
    assert other.ids == first.ids
    assert grants(other) == grants(first)
    assert [(fault.reason, fault.disposition) for fault in other.faults] == [("out_of_scope", "rejected")]


def test_principals_have_their_kind_from_their_type() -> None:
    found = {row["id"]: row for row in Loaded(WHOLE)["identity_facts"].to_dicts() if row["basis"] == "inventory"}
    assert {key: (row["kind"], row["subkind"]) for key, row in found.items()} == {
        listed(ANA): ("human", "user"), listed(GROUP): ("group", None), listed(APP): ("app", "application"),
        listed(AGENT): ("ai_agent", "agent_identity"), listed(GRAPH): ("app", "service_principal")}
    assert {"kind": "sid", "value": "S-1-5-21-1-2-3-1101"} in found[listed(ANA)]["alt_ids"]
    assert found[listed(GRAPH)]["excluded_reason"] == "provider_managed"
    assert (found[listed(ANA)]["enabled"], found[listed(GROUP)]["enabled"]) == (True, None)


def test_relations_name_the_principals_they_join() -> None:
    loaded = Loaded(WHOLE)
    assert (named(ANA), "membership", None, named(GROUP), "standing") in grants(loaded)
    assert (named(ANA), "owner", "Owner", named(GROUP), "standing") in grants(loaded)
    assert (named(ANA), "owner", "Owner", named(CLIENT), "standing") in grants(loaded)
    seen = {row["id"] for row in loaded["identity_facts"].to_dicts() if row["basis"] == "seen"}
    assert {named(ANA), named(GROUP), named(CLIENT)} <= seen


def test_roles_are_held_over_the_directory_or_a_part_of_it_or_eligible() -> None:
    assert {found for found in grants(Loaded(WHOLE)) if found[1] == "role" and found[2] == ROLE} == {
        (listed(ANA), "role", ROLE, "/", None),
        (listed(GROUP), "role", ROLE, f"/administrativeUnits/{POLICY}", None),
        (listed(AGENT), "role", ROLE, "/", "eligible")}


def test_permissions_of_applications_vaults_and_managed_identities_are_grants() -> None:
    found = grants(Loaded(WHOLE))
    vm = f"{SUBSCRIPTION}/virtualmachines/vm1"
    assert {(listed(AGENT), "app_role", POLICY, listed(GRAPH), "standing"),
            (listed(AGENT), "delegated", "Mail.Read", listed(GRAPH), "standing"),
            (listed(AGENT), "delegated", "User.Read", listed(GRAPH), "standing"),
            (listed(AGENT), "right", "secrets/get", VAULT.lower(), "standing"),
            (vm, "trust", "ManagedIdentity", listed(AGENT), "standing"),
            ("/providers/microsoft.management/managementgroups/root", "right", "Contains", SUBSCRIPTION, "standing"),
            } <= found


@pytest.mark.parametrize("old", [OLD_ROLES, OLDEST_ROLES])
def test_azure_roles_of_every_collector_version_read_the_same(old: Json) -> None:
    assert grants(Loaded({"data": [old], "meta": META})) == grants(Loaded({"data": [NEW_ROLES], "meta": META})) == {
        (named(ANA), "role", "Owner", SUBSCRIPTION, None)}


def test_credentials_are_ids_and_times() -> None:
    assert Loaded(WHOLE).rows("credentials", "identity_id", "kind", "credential_id", "issuer") == sorted([
        (listed(ANA), "password", f"{listed(ANA)}/password", None), (listed(APP), "secret", POLICY, None),
        (named(CLIENT), "federated", ROLE, "https://token.actions.githubusercontent.com")], key=repr)


def test_an_eligible_role_asks_for_approval_where_its_policy_says_so_and_roles_get_their_names() -> None:
    loaded = Loaded(WHOLE)
    frames = {name: tables.conform(loaded[name], tables.ALL[name]).lazy() for name in ("entitlements", "resources")}
    rows = settle(frames)["entitlements"].collect()
    assert rows.schema == tables.ENTITLEMENTS.schema
    roles = {(row["principal_id"], row["privilege"], row["requires_approval"]) for row in rows.to_dicts()
             if row["grant_kind"] == "role" and row["tenant"]}
    assert roles == {(listed(ANA), "Global Administrator", None), (listed(GROUP), "Global Administrator", None),
                     (listed(AGENT), "Global Administrator", True)}
    assert (listed(ANA), "right", "AZRoleApprover", listed(f"role_definition/{ROLE}"), None) in grants(loaded)


def test_what_people_wrote_and_secrets_are_stored_nowhere() -> None:
    loaded = Loaded(WHOLE)
    assert CANARY not in json.dumps([frame.to_dicts() for frame in loaded.frames.values()], default=str)
    [left] = [row["unmapped"] for row in loaded["resources"].to_dicts() if row["kind"] == "quantum_thing"]
    assert json.loads(left) == {"memo": "[content not stored]"}


def test_a_first_entry_longer_than_the_head_and_an_empty_collection_are_recognised() -> None:
    crowd = entry("AZGroupMember", groupId=GROUP, members=[
        {"groupId": GROUP, "member": {"id": f"{n:08d}-0000-4000-8000-000000000001"}} for n in range(1, 1001)])
    loaded = Loaded({"data": [crowd], "meta": META})
    assert (loaded.source, loaded["entitlements"].height) == ("ad_azurehound", 1000)
    found = recognise(member({"data": [], "meta": META}).sample)
    assert found is not None
    assert found[0] == "ad_azurehound"
