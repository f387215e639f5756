"""Directory objects as Graph lists them: people, principals, registrations, groups, roles, what is granted.

People are those with a personnel number; the list has neither guests nor whoever came in past personnel. Pages overlap;
the first people stand again as PowerShell writes them, with keys in its own case.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lineage_analytics.simulation import names
from lineage_analytics.simulation.chapters._directory_cast import APP_ROLES, GRAPH
from lineage_analytics.simulation.chapters._directory_groups import members
from lineage_analytics.simulation.model import END
from lineage_analytics.simulation.writers.entra_signins import stamp
from lineage_analytics.simulation.writers.files import as_json, put

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from lineage_analytics.simulation.chapters._directory_cast import App, Directory
    from lineage_analytics.simulation.model import Account, Key, Person, World

Row = dict[str, Any]
_API = "https://graph.microsoft.com/v1.0"
_PEOPLE = "users?$filter=userType eq 'Member' and employeeId ge '1'"
_PAGE = 100
_AGAIN = 12
_MICROSOFT = "f8cdef31-a31e-4b4a-93e4-5f571e91255a"


def write(directory: Path, world: World) -> int:
    """Every list; overlaps and the copy count once."""
    found: Directory = world.cast["directory"]
    people = [*_people(world, found), _agent_user(found.orphan)]
    for number, start in enumerate(range(0, len(people), _PAGE), 1):
        following = f"{_API}/{_PEOPLE}&$skiptoken={number}" if start + _PAGE < len(people) else ""
        _put(directory / f"users-{number:02d}.json.gz", "users", people[max(start - 1, 0):start + _PAGE], following)
    put(directory / "powershell" / "users.json", as_json([
        {key[0].upper() + key[1:]: held for key, held in row.items()} for row in people[:_AGAIN]]))
    lists: dict[str, tuple[str, list[Row]]] = {
        "service-principals": ("servicePrincipals", _principals(world, found)),
        "applications": ("applications(owners())", _registrations(world, found)),
        "groups": ("groups(members(),owners())", _groups(world, found)),
        "directory-roles": ("directoryRoles(members())", _roles(world)),
        "app-role-assignments": (f"servicePrincipals('{found.graph.native_id}')/appRoleAssignedTo",
                                 _app_roles(world, found)),
        "delegated-grants": ("oauth2PermissionGrants", _grants(found)),
    }
    bot = found.apps["Deploy Bot"]
    if bot.registration is not None and bot.owner is not None:
        lists["deploy-bot-owners"] = f"applications('{bot.registration.native_id}')/owners", [
            {"@odata.type": "#microsoft.graph.user", **_person(found, bot.owner)}]
    for name, (entity, rows) in lists.items():
        _put(directory / f"{name}.json.gz", entity, rows)
    return len(people) + sum(len(rows) for _, rows in lists.values())


def _put(path: Path, entity: str, rows: Sequence[Row], following: str = "") -> None:
    page: Row = {"@odata.context": f"{_API}/$metadata#{entity}"}
    if following:
        page["@odata.nextLink"] = following
    put(path, as_json(page | {"value": rows}))


def _people(world: World, found: Directory) -> list[Row]:
    rows = []
    for person in world.persons:
        if person.declared:
            rows.append(_person(found, person))
            if person.admin_id:
                rows.append(_person(found, person) | {
                    "id": person.admin_id, "displayName": f"{person.name} (admin)", "mail": None,
                    "userPrincipalName": person.admin_login} | dict.fromkeys(
                        ("onPremisesSecurityIdentifier", "onPremisesSyncEnabled")))
    return rows


def _person(found: Directory, person: Person) -> Row:
    synchronised = {"onPremisesSecurityIdentifier": person.sid, "onPremisesSyncEnabled": True} if person.sid else {}
    return {"id": person.object_id, "displayName": person.name, "userPrincipalName": person.login,
            "mail": person.login, "accountEnabled": person.left_on is None, "userType": "Member",
            "employeeId": str(person.number), "createdDateTime": stamp(found.employee_since[person.number]),
            **synchronised}


def _agent_user(account: Account) -> Row:
    return {"@odata.type": "#microsoft.graph.agentUser", "id": account.native_id, "displayName": account.name,
            "userPrincipalName": account.details["login"], "accountEnabled": account.enabled, "userType": "Member",
            "identityParentId": account.details["parent"], **_born(account)}


def _born(account: Account) -> Row:
    return {"createdDateTime": stamp(account.created)} if account.created else {}


def _principals(world: World, found: Directory) -> list[Row]:
    agent, blueprint = world.agents[0], found.blueprint
    return [
        *(_principal(world, app) for app in found.apps.values()),
        *({"id": host.native_id, "appId": host.details["app_id"], "displayName": host.name, "accountEnabled": True,
           "servicePrincipalType": "ManagedIdentity", "alternativeNames": [
               f"isExplicit={host.details['explicit']}", host.details["host"]], **_born(host)}
          for host in found.managed),
        {"id": found.graph.native_id, "appId": GRAPH, "displayName": found.graph.name, "accountEnabled": True,
         "servicePrincipalType": "Application", "appOwnerOrganizationId": _MICROSOFT, **_born(found.graph),
         "appRoles": [{"id": guid, "value": value, "displayName": value, "allowedMemberTypes": ["Application"],
                       "isEnabled": True} for value, guid in APP_ROLES.items()]},
        {"@odata.type": "#microsoft.graph.agentIdentityBlueprintPrincipal", "id": found.blueprint_principal.native_id,
         "appId": blueprint.details["app_id"], "displayName": found.blueprint_principal.name, "accountEnabled": True,
         "servicePrincipalType": "Application", "appOwnerOrganizationId": world.tenant,
         **_born(found.blueprint_principal)},
        {"@odata.type": "#microsoft.graph.agentIdentity", "id": agent.object_id, "appId": agent.app_id,
         "displayName": agent.name, "accountEnabled": True, "servicePrincipalType": "ServiceIdentity",
         "agentIdentityBlueprintId": blueprint.details["app_id"], **_born(blueprint),
         "sponsors": [_member(world.persons[0].object_id)]},
    ]


def _principal(world: World, app: App) -> Row:
    return {"id": app.principal.native_id, "appId": app.app_id, "displayName": app.principal.name,
            "accountEnabled": app.principal.enabled, "servicePrincipalType": "Application",
            "appOwnerOrganizationId": world.tenant if app.registration else "0e1d2c3b-0103-4c0a-a000-5f6e7d8c9b01",
            **_born(app.principal), **_keys(app.principal.keys)}


def _keys(keys: Sequence[Key]) -> Row:
    """Secrets and certificates; nobody can read their values again."""
    dated = [(key, {"keyId": key.key_id, "startDateTime": stamp(key.created) if key.created else None,
                    "endDateTime": stamp(key.expires) if key.expires else None, "displayName": "synthetic"})
             for key in keys]
    return {"passwordCredentials": [held | {"hint": None, "secretText": None} for key, held in dated
                                    if key.kind == "secret"],
            "keyCredentials": [held | {"type": "AsymmetricX509Cert", "usage": "Verify", "key": None}
                               for key, held in dated if key.kind == "cert"]}


def _registrations(world: World, found: Directory) -> list[Row]:
    """Registrations with their owners; that of the bot of deployments has them on a page of its own."""
    rows = []
    for app in found.apps.values():
        if app.registration is None:
            continue
        row = {"id": app.registration.native_id, "appId": app.app_id, "displayName": app.registration.name,
               "signInAudience": "AzureADMyOrg", "publisherDomain": "northwind-synthetic.example",
               **_born(app.registration), **_keys(app.registration.keys)}
        if app.federated:
            row["federatedIdentityCredentials"] = [{
                "id": app.federated, "name": "code-host-main", "issuer": "https://token.actions.githubusercontent.com",
                "subject": "repo:northwind-synthetic/orders-api:ref:refs/heads/main",
                "audiences": ["api://AzureADTokenExchange"]}]
        else:
            row["owners"] = [_member(app.owner.object_id)] if app.owner else []
        rows.append(row)
    blueprint = found.blueprint
    return [*rows, {
        "@odata.type": "#microsoft.graph.agentIdentityBlueprint", "id": blueprint.native_id,
        "appId": blueprint.details["app_id"], "displayName": blueprint.name, "signInAudience": "AzureADMyOrg",
        **_born(blueprint), "federatedIdentityCredentials": [{
            "id": blueprint.details["federated"], "name": "host-of-the-agent", "issuer":
            f"https://login.microsoftonline.com/{world.tenant}/v2.0", "subject": found.managed[1].native_id,
            "audiences": ["api://AzureADTokenExchange"]}]}]


def _member(object_id: str) -> Row:
    return {"@odata.type": "#microsoft.graph.user", "id": object_id}


def _groups(world: World, found: Directory) -> list[Row]:
    inside = members(world)
    return [{"id": group.native_id, "displayName": group.name, "groupTypes": ["Unified"], "securityEnabled": True,
             "mailEnabled": True, "mail": f"{site.lower()}@northwind-synthetic.example", **_born(group),
             "members": [_member(p.object_id) for p in inside[group.native_id]],
             "owners": [_member(found.group_owners[site].object_id)] if site in found.group_owners else []}
            for site, group in found.groups.items()]


def _roles(world: World) -> list[Row]:
    """Directory roles with whoever holds them at the end; who could activate one is not in this list."""
    rows = []
    for role, template in names.DIRECTORY_ROLES:
        holders = {a.holder for a in world.assignments if a.role == role and a.over == "/" and not a.software
                   and a.state not in ("eligible", "unknown") and (a.until is None or a.until > END)}
        rows.append({"id": template[::-1].replace("-", "")[:8] + template[8:], "displayName": role,
                     "roleTemplateId": template, "members": [_member(holder) for holder in sorted(holders)]})
    return rows


def _app_roles(world: World, found: Directory) -> list[Row]:
    agent = world.agents[0]
    held = [(app.principal.native_id, app.principal.name, role) for app in found.apps.values() for role in app.roles]
    held.append((agent.object_id, agent.name, "RoleManagement.ReadWrite.Directory"))
    return [{"id": f"{principal[:8]}{APP_ROLES[role][:8]}synthetic", "createdDateTime": "2025-11-03T09:00:00Z",
             "appRoleId": APP_ROLES[role], "principalId": principal, "principalType": "ServicePrincipal",
             "principalDisplayName": name, "resourceId": found.graph.native_id,
             "resourceDisplayName": "Microsoft Graph"} for principal, name, role in held]


def _grants(found: Directory) -> list[Row]:
    return [{"id": consent.grant_id, "clientId": consent.app.principal.native_id,
             "consentType": "Principal" if consent.whom else "AllPrincipals",
             "principalId": consent.whom.object_id if consent.whom else None, "resourceId": found.graph.native_id,
             "scope": consent.scope} for consent in found.consents]
