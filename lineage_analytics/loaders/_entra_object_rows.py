"""Rows out of directory objects: principals, their credentials, what they hold and own (sources 3.8)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from lineage_analytics import tables
from lineage_analytics.loaders._entra_agents import Agent, agent_of
from lineage_analytics.loaders._entra_objects import native_id
from lineage_analytics.loaders._entra_opened import flattened
from lineage_analytics.loaders._entra_people import alt_rows, alternatives
from lineage_analytics.loaders._governance import odata_type, when
from lineage_analytics.loaders.common.ids import identity_id
from lineage_analytics.loaders.common.values import (
    Fields,
    embedded,
    flag,
    guid,
    name,
    native,
    obj,
    objects,
    state_hash,
    text,
)

if TYPE_CHECKING:
    from datetime import datetime

    from lineage_analytics.loaders.common.assembly import Entry

PROVIDER = "entra"
# The directory that owns Microsoft's own applications.
_MICROSOFT = frozenset({"f8cdef31-a31e-4b4a-93e4-5f571e91255a"})
_SIGN_IN_TIMES = ("lastsignindatetime", "lastnoninteractivesignindatetime", "lastsuccessfulsignindatetime")
_MEMBER_TYPES = {"user": ("human", "user"), "group": ("group", None), "serviceprincipal": ("app", "service_principal")}
DEFAULT_ACCESS = "default access"


def identity(entry: Entry, native_value: object) -> str | None:
    """The identity id of an object; None for nobody."""
    found = native(name(native_value))
    return identity_id(PROVIDER, entry.tenant, found) if found else None


def user(entry: Entry, row: Fields, leftover: str | None) -> None:
    """A user, who is a person unless its type says that it is an agent's account."""
    found = native_id(row)
    agent = agent_of(row) or (Agent("ai_agent", "agent_user", "identityParentId") if name(row.get("identityparentid"))
                              else None)
    guest = (text(row.get("usertype")) or "").lower() == "guest"
    login = _address(row.get("userprincipalname"))
    kind = agent or Agent("human", "guest" if guest else "user", "a user object")
    last = last_use(row.get("signinactivity"))
    _fact(entry, found, kind, row, leftover, label=name(row.get("userprincipalname")) or text(row.get("displayname")),
          alt=(("upn", login), ("login", login), ("email", _address(row.get("mail"))),
               ("sid", (name(row.get("onpremisessecurityidentifier")) or "").upper() or None)),
          enabled=flag(row.get("accountenabled")), parent_id=identity(entry, row.get("identityparentid")),
          last_seen_at=last, last_seen_basis="signin" if last else None)
    changed = when(row.get("lastpasswordchangedatetime"))
    if changed is not None:
        entry.add(tables.CREDENTIALS, identity_id=identity(entry, found), credential_id=f"{found}/password",
                  kind="password", created_at=changed)
    holdings(entry, row, found)


def service_principal(entry: Entry, row: Fields, leftover: str | None) -> None:
    """An application's principal, a managed identity or an agent identity."""
    found = native_id(row)
    sort = (text(row.get("serviceprincipaltype")) or "").lower()
    owner = native(name(row.get("appownerorganizationid")))
    kind = agent_of(row) or _service_kind(sort, row, owner)
    _fact(entry, found, kind, row, leftover, label=name(row.get("displayname")) or name(row.get("appdisplayname")),
          alt=(("app_id", guid(name(row.get("appid")))),), enabled=flag(row.get("accountenabled")),
          parent_id=identity(entry, row.get("agentidentityblueprintid")),
          excluded_reason="provider_managed" if owner in _MICROSOFT else None)
    if owner is not None:
        entry.add(tables.RESOURCES, id=identity_id(PROVIDER, entry.tenant, f"publisher/{found}"), kind="publisher",
                  parent_id=identity(entry, found), attributes=_json({"directory": owner}))
    keys(entry, row, found)
    _app_roles(entry, row, found)
    holdings(entry, row, found)


def _service_kind(sort: str, row: Fields, owner: str | None) -> Agent:
    if sort == "managedidentity":
        names = [str(held).lower() for held in _listed(row.get("alternativenames"))]
        own = {"isexplicit=true": "managed_identity_user", "isexplicit=false": "managed_identity_system"}
        subkind = next((own[held] for held in names if held in own), "managed_identity")
        return Agent("workload", subkind, "servicePrincipalType ManagedIdentity")
    if owner in _MICROSOFT:
        return Agent("app", "first_party", "owned by the provider's directory (appOwnerOrganizationId)")
    return Agent("app", "service_principal", f"servicePrincipalType {sort[:40]}" if sort else "a service principal")


def _listed(value: object) -> list[Any]:
    found = embedded(value)
    return found if isinstance(found, list) else []


def application(entry: Entry, row: Fields, leftover: str | None) -> None:
    """An application or the blueprint of agents, with the keys that its principals sign in with."""
    found = native_id(row)
    kind = agent_of(row) or Agent("app", "application", "an application object")
    _fact(entry, found, kind, row, leftover, label=name(row.get("displayname")),
          alt=(("app_id", guid(name(row.get("appid")))),))
    keys(entry, row, found)
    for held in objects(row.get("federatedidentitycredentials")):
        federated(entry, held, found)
    holdings(entry, row, found)


def group(entry: Entry, row: Fields, leftover: str | None) -> None:
    """A group with the members and owners its export expands."""
    found = native_id(row)
    subkind = "role_assignable" if flag(row.get("isassignabletorole")) else None
    _fact(entry, found, Agent("group", subkind, "a group object"), row, leftover, label=name(row.get("displayname")),
          alt=(("email", _address(row.get("mail"))),))
    holdings(entry, row, found)


def _fact(
    entry: Entry, native_value: str | None, kind: Agent, row: Fields, leftover: str | None, *, label: str | None,
    alt: tuple[tuple[str, str | None], ...], **more: Any
) -> None:
    owners = _owners(entry, row)
    entry.add(
        tables.IDENTITY_FACTS, id=identity(entry, native_value), kind=kind.kind, subkind=kind.subkind,
        display_name=label, alt_ids=alt_rows(alternatives(("object_id", native_value), *alt)), owner=owners or None,
        kind_basis=kind.basis, basis="inventory", created_at=when(row.get("createddatetime")),
        deleted_at=when(row.get("deleteddatetime")), unmapped=leftover, **more)


def _owners(entry: Entry, row: Fields) -> list[dict[str, str]]:
    stated = [(found, basis) for key, basis in (("owners", "owner"), ("sponsors", "sponsor"), ("manager", "manager"))
              for held in objects(row.get(key)) if (found := identity(entry, native_id(held))) is not None]
    return [{"id": found, "basis": basis} for found, basis in sorted(set(stated))]


def _address(value: object) -> str | None:
    found = name(value)
    return found.casefold() if found and "@" in found else None


def last_use(value: object) -> datetime | None:
    """The last sign-in that is known to have succeeded, else the last of any sort."""
    held = obj(value)
    good = when(held.get(_SIGN_IN_TIMES[2]))
    return good or max((found for key in _SIGN_IN_TIMES if (found := when(held.get(key)))), default=None)


def keys(entry: Entry, row: Fields, holder: str | None) -> None:
    """Secrets and certificates: ids and dates, never values, hints or names."""
    for column, kind in (("passwordcredentials", "secret"), ("keycredentials", "cert")):
        for held in objects(row.get(column)):
            found = native(name(held.get("keyid")))
            if found is not None:
                entry.add(
                    tables.CREDENTIALS, identity_id=identity(entry, holder), credential_id=found, kind=kind,
                    created_at=when(held.get("startdatetime") or held.get("startdate")),
                    expires_at=when(held.get("enddatetime") or held.get("enddate")))


def federated(entry: Entry, held: Fields, holder: str | None) -> None:
    """Whose tokens an application takes for its own."""
    found = native(name(held.get("id")) or name(held.get("name")))
    if found is not None and holder is not None:
        entry.add(tables.CREDENTIALS, identity_id=identity(entry, holder), credential_id=found, kind="federated",
                  issuer=text(held.get("issuer")), subject=text(held.get("subject")))


def _app_roles(entry: Entry, row: Fields, holder: str | None) -> None:
    """The application permissions a resource offers, by which assignments can be read."""
    for held in objects(row.get("approles")):
        found, value = guid(name(held.get("id"))), name(held.get("value"))
        if found is not None and value is not None:
            kinds = sorted(str(kind) for kind in _listed(held.get("allowedmembertypes")))
            entry.add(
                tables.RESOURCES, id=identity_id(PROVIDER, entry.tenant, f"app_role/{holder}/{found}"), kind="app_role",
                display_name=value, parent_id=identity(entry, holder),
                attributes=_json({"value": value, "for": kinds, "enabled": flag(held.get("isenabled"))}))


def holdings(entry: Entry, row: Fields, found: str | None) -> None:
    """What the export of an object expands: members, owners, memberships, assignments."""
    for held in objects(row.get("members")):
        member(entry, held, found)
    for held in objects(row.get("owners")):
        owner_grant(entry, native_id(held), found)
    for held in objects(row.get("memberof")):
        container(entry, found, flattened(held))
    for column, way in (("approleassignments", None), ("approleassignedto", None),
                        ("inheritedapproleassignments", row.get("agentidentityblueprintid"))):
        for held in objects(row.get(column)):
            app_role(entry, held, None, blueprint=identity(entry, way))
    for column, way in (("oauth2permissiongrants", None),
                        ("inheritedoauth2permissiongrants", row.get("agentidentityblueprintid"))):
        for held in objects(row.get(column)):
            delegated(entry, held, None, blueprint=identity(entry, way))


def member(entry: Entry, held: Fields, group_id: str | None, origin: str = "direct") -> None:
    """A member of a group."""
    found = identity(entry, native_id(held))
    if found is not None and group_id is not None:
        entry.add(tables.ENTITLEMENTS, principal_id=found, grant_kind="membership", privilege="member",
                  scope=identity(entry, group_id), effect="allow", origin=origin)


def owner_grant(entry: Entry, owner: str | None, owned: str | None) -> None:
    """Who owns an object may change it."""
    if owner is not None and owned is not None:
        entry.add(tables.ENTITLEMENTS, principal_id=identity(entry, owner), grant_kind="owner", privilege="owner",
                  scope=identity(entry, owned), effect="allow", origin="direct")


def container(entry: Entry, found: str | None, held: Fields) -> None:
    """What an object is a member of: a group, or a directory role."""
    where = native_id(held)
    sort = odata_type(held)
    if found is None or where is None or sort == "administrativeunit":
        return
    if sort == "directoryrole":
        role_grant(entry, found, name(held.get("displayname")) or where)
    else:
        member(entry, {"id": found}, where)


def role_grant(entry: Entry, principal: str | None, privilege: str | None, scope: str = "/") -> None:
    """A directory role somebody has at the time of the export; whether it ends is not said."""
    if principal is not None:
        entry.add(tables.ENTITLEMENTS, principal_id=identity(entry, principal), grant_kind="role", privilege=privilege,
                  scope=scope, effect="allow", origin="direct")


def role(entry: Entry, row: Fields, leftover: str | None) -> None:
    """A directory role with the members its export expands."""
    template = native(name(row.get("roletemplateid"))) or native_id(row)
    label = name(row.get("displayname"))
    entry.add(tables.RESOURCES, id=identity_id(PROVIDER, entry.tenant, f"role/{template}"), kind="role",
              display_name=label, unmapped=leftover,
              attributes=_json({"object_id": native_id(row), "template_id": template}))
    for held in objects(row.get("members")):
        role_grant(entry, native_id(held), label or template)


def unit(entry: Entry, row: Fields, leftover: str | None) -> None:
    """An administrative unit; who is in it holds nothing by that, who has a role over it does."""
    found = native_id(row)
    entry.add(tables.RESOURCES, id=identity_id(PROVIDER, entry.tenant, f"administrativeunit/{found}"),
              kind="administrative_unit", display_name=name(row.get("displayname")), unmapped=leftover,
              attributes=_json({"restricted": flag(row.get("ismembermanagementrestricted"))}))
    for held in objects(row.get("scopedrolemembers")):
        unit_role(entry, held, None)


def unit_role(entry: Entry, row: Fields, leftover: str | None) -> None:
    """A directory role over an administrative unit."""
    where, who = native(name(row.get("administrativeunitid"))), obj(row.get("rolememberinfo"))
    principal = identity(entry, who.get("id"))
    if where is not None and principal is not None:
        entry.add(tables.ENTITLEMENTS, principal_id=principal, grant_kind="role",
                  privilege=native(name(row.get("roleid"))), scope=f"/administrativeUnits/{where}", effect="allow",
                  grant_id=text(row.get("id")), origin="direct", unmapped=leftover)


def app_role(entry: Entry, row: Fields, leftover: str | None, *, blueprint: str | None = None) -> None:
    """An application permission a principal holds; it stands until somebody takes it away."""
    principal, resource = identity(entry, row.get("principalid")), identity(entry, row.get("resourceid"))
    if principal is None or resource is None:
        return
    _named(entry, principal, text(row.get("principaltype")), row.get("principaldisplayname"))
    _named(entry, resource, "ServicePrincipal", row.get("resourcedisplayname"))
    entry.add(
        tables.ENTITLEMENTS, principal_id=principal, grant_kind="app_role",
        privilege=native(name(row.get("approleid"))) or DEFAULT_ACCESS, scope=resource, effect="allow",
        state="standing",
        granted_at=when(row.get("createddatetime") or row.get("creationtimestamp")), grant_id=text(row.get("id")),
        via=[blueprint] if blueprint else None, origin="blueprint_inherited" if blueprint else "direct",
        unmapped=leftover)


def delegated(entry: Entry, row: Fields, leftover: str | None, *, blueprint: str | None = None) -> None:
    """What a client may do for users, one row per permission."""
    client, resource = identity(entry, row.get("clientid")), identity(entry, row.get("resourceid"))
    whom = identity(entry, row.get("principalid"))
    everyone = (text(row.get("consenttype")) or "").lower() == "allprincipals"
    if client is None or resource is None:
        return
    via = ["ALL_PRINCIPALS"] if everyone else [whom] if whom else None
    for scope in sorted(set((text(row.get("scope")) or "").split())):
        entry.add(
            tables.ENTITLEMENTS, principal_id=client, grant_kind="delegated", privilege=scope, scope=resource,
            effect="allow", state="standing", grant_id=text(row.get("id")),
            via=[*(via or []), *([blueprint] if blueprint else [])] or None,
            origin="blueprint_inherited" if blueprint else "direct", unmapped=leftover)


def _named(entry: Entry, found: str, sort: str | None, label: object) -> None:
    kind, subkind = _MEMBER_TYPES.get((sort or "").lower(), ("unknown", None))
    entry.add(tables.IDENTITY_FACTS, id=found, kind=kind, subkind=subkind, display_name=name(label), basis="seen",
              kind_basis=f"principalType {sort}" if kind != "unknown" else None,
              alt_ids=alt_rows(alternatives(("object_id", guid(found.rsplit(":", 1)[-1])))))


def policy(entry: Entry, row: Fields, leftover: str | None) -> None:
    """A Conditional Access policy: its state, dates and the hash of what it demands of whom."""
    found = native(name(row.get("id")))
    states = {"enabledforreportingbutnotenforced": "report_only", "enabled": "enabled", "disabled": "disabled"}
    stated = text(row.get("state")) or ""
    rules = {key: embedded(row.get(key)) for key in ("conditions", "grantcontrols", "sessioncontrols")}
    entry.add(
        tables.RESOURCES, id=identity_id(PROVIDER, entry.tenant, f"policy/{found}"), kind="conditional_access_policy",
        display_name=name(row.get("displayname")), unmapped=leftover, attributes=_json({
            "state": states.get(stated.lower(), stated or None), "created_at": text(row.get("createddatetime")),
            "modified_at": text(row.get("modifieddatetime")), "template_id": native(name(row.get("templateid"))),
            "rules_sha256": state_hash(rules)}))


def device(entry: Entry, row: Fields, leftover: str | None) -> None:
    """A device, as a thing that policies speak of."""
    found = native_id(row) or native(name(row.get("deviceid")))
    entry.add(tables.RESOURCES, id=identity_id(PROVIDER, entry.tenant, f"device/{found}"), kind="device",
              display_name=name(row.get("displayname")), unmapped=leftover, attributes=_json({
                  "device_id": native(name(row.get("deviceid"))), "system": name(row.get("operatingsystem")),
                  "trust": name(row.get("trusttype")), "compliant": flag(row.get("iscompliant")),
                  "managed": flag(row.get("ismanaged")), "enabled": flag(row.get("accountenabled"))}))


def _json(value: dict[str, Any]) -> str:
    return msgspec.json.encode(value, order="sorted").decode()
