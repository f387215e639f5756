"""Principals, roles, activation policies and Azure resources in an AzureHound collection."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec

from lineage_analytics import tables
from lineage_analytics.loaders.common.assembly import Entry, RecordFault
from lineage_analytics.loaders.common.ids import identity_id
from lineage_analytics.loaders.common.leftovers import unmapped
from lineage_analytics.loaders.common.times import parse_time
from lineage_analytics.loaders.common.values import Fields, embedded, flag, guid, name, native, obj, objects, text

if TYPE_CHECKING:
    from datetime import datetime

PROVIDER = "entra"
PRINCIPALS = frozenset({"AZUser", "AZGroup", "AZServicePrincipal", "AZApp"})
# The directory in which Microsoft registers its own services.
_MICROSOFT = "f8cdef31-a31e-4b4a-93e4-5f571e91255a"
_TYPES = {
    "user": ("human", "user"), "group": ("group", None), "serviceprincipal": ("app", "service_principal"),
    "application": ("app", "application"), "device": ("unknown", "device"), "agentuser": ("ai_agent", "agent_user"),
    "agentidentity": ("ai_agent", "agent_identity"),
    "agentidentityblueprintprincipal": ("ai_agent", "agent_blueprint_principal"),
}
_OF_KIND = {"AZUser": "user", "AZGroup": "group", "AZServicePrincipal": "serviceprincipal", "AZApp": "application"}
_SERVICE_TYPES = {
    "managedidentity": ("workload", "managed_identity"), "serviceidentity": ("ai_agent", "agent_identity")}
_KNOWN = frozenset({
    "employeeorgdata", "mailboxsettings", "onpremisesextensionattributes", "passwordprofile", "parentalcontrolsettings",
    "samlsinglesignonsettings",
    "id", "tenantid", "tenantname", "displayname", "name", "accountenabled", "createddatetime", "deleteddatetime",
    "mail",
    "userprincipalname", "usertype", "onpremisessecurityidentifier", "onpremisessyncenabled", "jobtitle",
    "lastpasswordchangedatetime", "lastsuccessfulsignindatetime", "signinactivity", "description", "securityenabled",
    "securityidentifier", "isassignabletorole", "grouptypes", "membershiprule", "membershipruleprocessingstate",
    "serviceprincipaltype", "appownerorganizationid", "appdisplayname", "appdescription", "serviceprincipalnames",
    "alternativenames", "approles", "oauth2permissionscopes", "keycredentials", "passwordcredentials",
    "publisherdomain", "signinaudience", "identifieruris", "requiredresourceaccess", "web", "spa", "publicclient",
    "api", "optionalclaims", "info", "tags", "notes", "loginurl", "homepage", "replyurls", "logouturl", "appid",
    "verifiedpublisher", "properties", "type", "location", "identity", "kind", "sku", "resourcegroup",
    "resourcegroupid", "resourcegroupname", "subscriptionid", "zones", "plan", "managedby", "etag", "isbuiltin",
    "isenabled", "templateid", "rolepermissions", "version", "resourcescopes", "inheritspermissionsfrom",
    "tenantcategory", "tenanttype", "countrycode", "domains", "defaultdomain", "collected", "external", "state",
    "authorizationsource", "subscriptionpolicies", "deviceid", "operatingsystem", "operatingsystemversion",
    "trusttype", "profiletype", "ismanaged", "iscompliant", "mailenabled", "mailnickname", "proxyaddresses",
    "visibility", "addins", "applicationtemplateid", "systemdata", "@odata.type",
})
_RESOURCE_WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def principal_id(tenant: str | None, value: object) -> str | None:
    """``entra:<tenant>:<object id>``; None for nobody."""
    found = native(name(value))
    return identity_id(PROVIDER, tenant, found) if found else None


def resource_id(tenant: str | None, value: object) -> str | None:
    """An Azure resource by its resource id in lower case, anything else by its GUID in the directory."""
    found = name(value)
    if found is None:
        return None
    return found.lower().rstrip("/") if found.startswith("/") else principal_id(tenant, found)


def moment(value: object) -> datetime | None:
    found = parse_time(value)
    return found if found is not None and 1990 <= found.year < 2090 else None


def see(entry: Entry, value: object, sort: str | None = None, alt: str = "object_id") -> str | None:
    """The id of a principal that a relation names or expands, noted as seen."""
    held = obj(value)
    native_id = name(held.get("id")) if held else name(value)
    found = principal_id(entry.tenant, native_id)
    if found is None or native_id is None:
        return None
    stated = (text(held.get("@odata.type")) or "").lower().rsplit(".", 1)[-1] or (sort or "").lower()
    kind, subkind = _TYPES.get(stated, ("unknown", None))
    if stated == "serviceprincipal":
        kind, subkind = _SERVICE_TYPES.get((text(held.get("serviceprincipaltype")) or "").lower(), (kind, subkind))
    login = name(held.get("userprincipalname"))
    pairs = {(alt, guid(native_id)), ("app_id", guid(name(held.get("appid")))), ("upn", login and login.lower())}
    entry.add(tables.IDENTITY_FACTS, id=found, kind=kind, subkind=subkind, basis="seen",
              kind_basis=None if kind == "unknown" else f"type {stated} in a relation",
              display_name=name(held.get("displayname")), alt_ids=_sorted(pairs))
    return found


def _sorted(pairs: set[tuple[str, str | None]]) -> list[dict[str, str]]:
    return [{"kind": kind, "value": value} for kind, value in sorted((k, v) for k, v in pairs if v)]


def left(data: Fields) -> str | None:
    """Unknown keys; what stands in texts there is not stored."""
    return unmapped({key: held for key, held in data.items() if key not in _KNOWN}, (), texts=False)


def read_principal(entry: Entry, kind: str, data: Fields) -> None:
    """A user, group, application or service principal as the directory lists it, with its credentials."""
    found = principal_id(entry.tenant, data.get("id"))
    if found is None:
        raise RecordFault("no_id", f"an entry of kind {kind} without id")
    sort, subkind, basis = _kind(kind, data)
    login, mail = name(data.get("userprincipalname")), name(data.get("mail"))
    sid = name(data.get("onpremisessecurityidentifier"))
    activity = obj(data.get("signinactivity"))
    seen = [t for value in (data.get("lastsuccessfulsignindatetime"), activity.get("lastsuccessfulsignindatetime"),
                            activity.get("lastsignindatetime"), activity.get("lastnoninteractivesignindatetime"))
            if (t := moment(value)) is not None]
    own = guid(name(data.get("appownerorganizationid"))) == _MICROSOFT
    entry.add(
        tables.IDENTITY_FACTS, id=found, kind=sort, subkind=subkind, kind_basis=basis, basis="inventory",
        display_name=login or name(data.get("displayname")), enabled=flag(data.get("accountenabled")),
        alt_ids=_sorted({("object_id", guid(name(data.get("id")))), ("app_id", guid(name(data.get("appid")))),
                         ("upn", login and login.lower()), ("login", login and login.lower()),
                         ("email", mail and mail.lower()), ("sid", sid and sid.upper())}),
        created_at=moment(data.get("createddatetime")), deleted_at=moment(data.get("deleteddatetime")),
        last_seen_at=max(seen, default=None), last_seen_basis="signin" if seen else None,
        excluded_reason="provider_managed" if own else None, unmapped=left(data),
    )
    _credentials(entry, found, data)


def _kind(kind: str, data: Fields) -> tuple[str, str | None, str]:
    odata = (text(data.get("@odata.type")) or "").lower().rsplit(".", 1)[-1]
    stated = odata if odata.startswith("agent") and odata in _TYPES else _OF_KIND[kind]
    sort, subkind = _TYPES[stated]
    service = text(data.get("serviceprincipaltype"))
    if service and service.lower() in _SERVICE_TYPES:
        return (*_SERVICE_TYPES[service.lower()], f"servicePrincipalType {service}")
    if stated == "user" and (text(data.get("usertype")) or "").lower() == "guest":
        subkind = "guest"
    return sort, subkind, f"listed as {stated}"


def _credentials(entry: Entry, holder: str, data: Fields) -> None:
    changed = moment(data.get("lastpasswordchangedatetime"))
    if changed is not None:
        entry.add(tables.CREDENTIALS, identity_id=holder, credential_id=f"{holder}/password", kind="password",
                  created_at=changed)
    for key, kind in (("passwordcredentials", "secret"), ("keycredentials", "cert")):
        for held in objects(data.get(key)):
            native_id = native(name(held.get("keyid")))
            if native_id is not None:
                entry.add(tables.CREDENTIALS, identity_id=holder, credential_id=native_id, kind=kind,
                          created_at=moment(held.get("startdatetime")), expires_at=moment(held.get("enddatetime")))


def read_federations(entry: Entry, data: Fields) -> None:
    """Who else's tokens an application accepts; the application is named by its client id."""
    for item in objects(data.get("fics")) or [data]:
        held = obj(item.get("fic")) or item
        client = name(item.get("appid")) or name(data.get("appid"))
        native_id = native(name(held.get("id"))) or name(held.get("name"))
        if client is not None and native_id is not None:
            holder = see(entry, client, "application", alt="app_id")
            entry.add(tables.CREDENTIALS, identity_id=holder, credential_id=native_id, kind="federated",
                      issuer=text(held.get("issuer")), subject=text(held.get("subject")))


def read_policy(entry: Entry, data: Fields) -> None:
    """What activating a role asks for, and who may approve it."""
    role = role_id(data.get("roledefinitionid"))
    if role is None:
        raise RecordFault("no_id", "a role's activation policy that names no role")
    here = identity_id(PROVIDER, entry.tenant, f"role_definition/{role}")
    approvers = {key: sorted({found for value in _texts(data.get(f"enduserassignment{key}approvers"))
                              if (found := see(entry, value, key)) is not None}) for key in ("user", "group")}
    asked = {column: flag(data.get(f"enduserassignmentrequires{key}")) for column, key in (
        ("approval_required", "approval"), ("authentication_context", "capauthenticationcontext"), ("mfa", "mfa"),
        ("justification", "justification"), ("ticket", "ticketinformation"))}
    entry.add(
        tables.RESOURCES, id=identity_id(PROVIDER, entry.tenant, f"role_policy/{name(data.get('id')) or role}"),
        kind="role_policy", parent_id=here, display_name=None, attributes=_json({
            **asked, "approvers": [*approvers["user"], *approvers["group"]] or None}))
    for approver in (*approvers["user"], *approvers["group"]):
        entry.add(tables.ENTITLEMENTS, principal_id=approver, grant_kind="right", privilege="AZRoleApprover",
                  scope=here, effect="allow", origin="pim")


def role_id(value: object) -> str | None:
    """A role definition by its GUID, also at the end of a resource id."""
    found = name(value)
    return native(found.rstrip("/").rsplit("/", 1)[-1]) if found else None


def _texts(value: object) -> list[str]:
    held = embedded(value)
    return [found for item in (held if isinstance(held, list) else []) if (found := name(item)) is not None]


def read_resource(entry: Entry, kind: str, data: Fields) -> None:
    """Any other object; what it may act as is a trust."""
    properties = obj(data.get("properties"))
    stated = name(data.get("id")) or name(data.get("tenantid"))
    if kind == "AZRole":
        here: str | None = identity_id(PROVIDER, entry.tenant, f"role_definition/{role_id(stated)}")
    else:
        here = resource_id(entry.tenant, stated)
    if here is None:
        raise RecordFault("no_id", f"an entry of kind {kind} without id")
    sort = _RESOURCE_WORD.sub("_", kind[2:]).lower()
    if sort not in _SORTS:
        entry.unknown_type(kind)
    parent = name(data.get("resourcegroupid")) or name(data.get("subscriptionid"))
    entry.add(
        tables.RESOURCES, id=here, kind=sort, display_name=name(data.get("displayname")) or name(data.get("name")),
        parent_id=_parent(entry, here, parent), unmapped=left(data),
        attributes=_json({"built_in": flag(data.get("isbuiltin")), "enabled": flag(data.get("isenabled")),
                          "rbac": flag(properties.get("enablerbacauthorization"))}))
    _managed(entry, here, obj(data.get("identity")))


_SORTS = frozenset({
    "tenant", "role", "subscription", "management_group", "resource_group", "key_vault", "vm", "vmscale_set", "device",
    "storage_account", "storage_container", "automation_account", "logic_app", "function_app", "container_registry",
    "web_app", "managed_cluster", "domain_service"})


def _parent(entry: Entry, here: str, stated: str | None) -> str | None:
    if stated is None:
        return None
    found = resource_id(entry.tenant, stated if stated.startswith("/") else f"/subscriptions/{stated}")
    return None if found == here else found


def _managed(entry: Entry, here: str, identity: Fields) -> None:
    """Managed identities: whoever runs code on the resource acts as them."""
    listed = [identity, *(obj(held) for held in obj(identity.get("userassignedidentities")).values())]
    for held in listed:
        found = see(entry, held.get("principalid"))
        if found is not None:
            entry.add(tables.ENTITLEMENTS, principal_id=here, grant_kind="trust", privilege="ManagedIdentity",
                      scope=found, effect="allow", state="standing", origin="managed_identity")


def _json(value: dict[str, Any]) -> str | None:
    stated = {key: held for key, held in value.items() if held is not None}
    return msgspec.json.encode(stated, order="sorted").decode() if stated else None
