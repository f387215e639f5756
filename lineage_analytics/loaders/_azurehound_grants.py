"""Relations in an AzureHound collection: one record lists all holders of something."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from lineage_analytics import tables
from lineage_analytics.loaders._azurehound_objects import (
    moment,
    read_federations,
    resource_id,
    role_id,
    see,
)
from lineage_analytics.loaders.common.assembly import Entry, RecordFault
from lineage_analytics.loaders.common.values import Fields, embedded, name, native, obj, objects, text

if TYPE_CHECKING:
    from collections.abc import Callable

HOLDERS = re.compile(
    r"(?:Member|Owner|RoleAssignment|Contributor|UserAccessAdmin|AdminLogin|AccessPolicy|Descendant|PermissionGrant"
    r"|EligibilityScheduleInstance|FederatedIdentityCredential|AppFIC)\Z")
"""Kinds that are relations, by how they end."""

# Built-in roles over Azure resources, the same everywhere.
_AZURE_ROLES = {
    "8e3af657-a8ff-443c-a75c-2fe8c4bcb635": "Owner", "b24988ac-6180-42a0-ab88-20f7382dd24c": "Contributor",
    "18d7d88d-d35e-4fb5-a5c3-7773c20a72d9": "User Access Administrator",
    "acdd72a7-3385-48ef-bd42-f606fba81ae7": "Reader",
    "9980e02c-c2be-4d73-94e8-173b1dc7cf3c": "Virtual Machine Contributor",
    "1c0163c0-47e6-4577-8991-ea5c82e286e4": "Virtual Machine Administrator Login",
    "f25e0fa2-a7c8-4377-a976-54943a77a395": "Key Vault Contributor",
    "00482a5a-887f-4fb3-b363-3b7fe8e74483": "Key Vault Administrator",
    "de139f84-1756-47ae-9be6-808fbbe84772": "Website Contributor",
    "87a39d53-fc1b-424a-814c-f7e04687dc9e": "Logic App Contributor",
    "f353d9bd-d4a6-484e-a77a-8050b599b867": "Automation Contributor",
}
_SUFFIX = re.compile(r"/\{?([0-9a-fA-F-]{36})\}?\Z")


def read_grants(entry: Entry, kind: str, data: Fields) -> None:
    """The grants of a relation; one that names nobody is a relation of nobody, not a fault."""
    _RULES.get(kind, _azure_roles)(entry, kind, data)


def _grant(entry: Entry, **cells: Any) -> None:
    if cells.get("principal_id") and cells.get("scope"):
        entry.add(tables.ENTITLEMENTS, **{"effect": "allow", **cells})


def _members(entry: Entry, _: str, data: Fields) -> None:
    stated = _stated(data, "groupid", "appid")
    group = see(entry, stated, "group")
    for item in objects(data.get("members")) or [data]:
        member = see(entry, item.get("member"))
        _grant(entry, principal_id=member, grant_kind="membership", scope=group, state="standing", origin="direct")


def _owners(entry: Entry, kind: str, data: Fields) -> None:
    """Owners of groups, service principals and devices by object id, of applications by client id."""
    by_client = kind == "AZAppOwner"
    sorts = {"AZGroupOwner": "group", "AZServicePrincipalOwner": "serviceprincipal", "AZDeviceOwner": "device",
             "AZAppOwner": "application"}
    stated = _stated(data, "groupid", "serviceprincipalid", "deviceid", "appid", "appobjectid")
    owned = see(entry, stated, sorts[kind], alt="app_id" if by_client else "object_id")
    for item in objects(data.get("owners")) or [data]:
        _grant(entry, principal_id=see(entry, item.get("owner")), grant_kind="owner", privilege="Owner", scope=owned,
               state="standing", origin="direct")


def _stated(data: Fields, *keys: str) -> str:
    found = next((held for key in keys if (held := name(data.get(key))) is not None), None)
    if found is None:
        raise RecordFault("no_id", f"wanted one of {', '.join(keys)}")
    return found


def _directory_roles(entry: Entry, _: str, data: Fields) -> None:
    for item in objects(data.get("roleassignments")) or [data]:
        role = role_id(item.get("roledefinitionid")) or role_id(data.get("roledefinitionid"))
        label = name(obj(item.get("roledefinition")).get("displayname"))
        holder = see(entry, item.get("principal") or item.get("principalid"))
        _grant(entry, principal_id=holder, grant_kind="role" if role else None, privilege=label or role,
               scope=directory_scope(item) if role else None, grant_id=name(item.get("id")), origin="direct")


def directory_scope(item: Fields) -> str:
    """The part of the directory a role is held over; ``/`` for all of it."""
    stated = text(item.get("directoryscopeid")) or text(item.get("appscopeid")) or "/"
    found = _SUFFIX.search(stated)
    if found is None:
        return stated
    unit = "/administrativeUnits" if stated.lower().startswith("/administrativeunits/") else stated[: found.start()]
    return f"{unit}/{found[1].lower()}"


def _eligible(entry: Entry, _: str, data: Fields) -> None:
    role = role_id(data.get("roledefinitionid"))
    if role is None:
        raise RecordFault("no_id", "an eligibility that names no role")
    _grant(entry, principal_id=see(entry, data.get("principal") or data.get("principalid")), grant_kind="role",
           privilege=name(obj(data.get("roledefinition")).get("displayname")) or role, scope=directory_scope(data),
           state="eligible", granted_at=moment(data.get("startdatetime")), expires_at=moment(data.get("enddatetime")),
           grant_id=name(data.get("id")), origin="pim")


def _app_roles(entry: Entry, _: str, data: Fields) -> None:
    for item in objects(data.get("approleassignments")) or [data]:
        holder = see(entry, item.get("principalid"), text(item.get("principaltype")))
        resource = see(entry, item.get("resourceid"), "serviceprincipal")
        _grant(entry, principal_id=holder, grant_kind="app_role", privilege=native(name(item.get("approleid"))),
               scope=resource, state="standing", grant_id=name(item.get("id")), origin="direct",
               granted_at=moment(item.get("createddatetime")) or moment(item.get("creationtimestamp")))


def _delegated(entry: Entry, _: str, data: Fields) -> None:
    client, resource = see(entry, data.get("clientid"), "serviceprincipal"), see(entry, data.get("resourceid"),
                                                                                "serviceprincipal")
    everyone = (text(data.get("consenttype")) or "").lower() == "allprincipals"
    person = see(entry, data.get("principalid"), "user")
    for scope in sorted(set((text(data.get("scope")) or "").split())):
        _grant(entry, principal_id=client, grant_kind="delegated", privilege=scope, scope=resource, state="standing",
               via=["ALL_PRINCIPALS"] if everyone else [person] if person else None, grant_id=name(data.get("id")),
               expires_at=moment(data.get("expirytime")), origin="direct")


def _vault(entry: Entry, _: str, data: Fields) -> None:
    holder, vault = see(entry, data.get("objectid")), resource_id(entry.tenant, data.get("keyvaultid"))
    for kind, allowed in sorted(obj(data.get("permissions")).items()):
        held = embedded(allowed)
        for right in sorted({found.lower() for item in (held if isinstance(held, list) else [])
                             if (found := name(item)) is not None}):
            _grant(entry, principal_id=holder, grant_kind="right", privilege=f"{kind}/{right}", scope=vault,
                   state="standing", origin="access_policy")


def _descendants(entry: Entry, _: str, data: Fields) -> None:
    parent = obj(obj(data.get("properties")).get("parent"))
    _grant(entry, principal_id=resource_id(entry.tenant, parent.get("id")), grant_kind="right", privilege="Contains",
           scope=resource_id(entry.tenant, data.get("id")), state="standing", origin="structure")


def _azure_roles(entry: Entry, kind: str, data: Fields) -> None:
    """Role assignments over Azure resources, whatever the list and the wrapper of one are called."""
    over = next((held for key, held in data.items() if key.endswith("id") and (text(held) or "").startswith("/")), None)
    for held in data.values():
        for item in objects(held):
            assignment = next((found for inner in item.values() if (found := obj(inner)) and obj(
                found.get("properties")).get("principalid")), item)
            properties = obj(assignment.get("properties")) or assignment
            role = role_id(properties.get("roledefinitionid")) or role_id(item.get("roledefinitionid"))
            holder = see(entry, properties.get("principalid"), text(properties.get("principaltype")))
            scope = resource_id(entry.tenant, properties.get("scope"))
            seat = resource_id(entry.tenant, over)
            scope = scope or seat
            _grant(entry, principal_id=holder, grant_kind="role", scope=scope,
                   privilege=_AZURE_ROLES.get(role or "", role) or kind.removeprefix("AZ"),
                   grant_id=name(assignment.get("id")), condition=text(properties.get("condition")),
                   origin="direct" if seat in (None, scope) else "scope_inherited")


def _federations(entry: Entry, _: str, data: Fields) -> None:
    read_federations(entry, data)


_RULES: dict[str, Callable[[Entry, str, Fields], None]] = {
    "AZGroupMember": _members, "AZAppMember": _members, "AZGroupOwner": _owners, "AZAppOwner": _owners,
    "AZServicePrincipalOwner": _owners, "AZDeviceOwner": _owners, "AZRoleAssignment": _directory_roles,
    "AZRoleEligibilityScheduleInstance": _eligible, "AZAppRoleAssignment": _app_roles,
    "AZOAuth2PermissionGrant": _delegated, "AZKeyVaultAccessPolicy": _vault,
    "AZManagementGroupDescendant": _descendants, "AZFederatedIdentityCredential": _federations,
    "AZAppFIC": _federations,
}
