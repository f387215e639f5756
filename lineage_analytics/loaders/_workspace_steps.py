"""Administration of Google Workspace and app authorisations as decision steps and grants."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from lineage_analytics import tables
from lineage_analytics.loaders._event_rows import step
from lineage_analytics.loaders._workspace_actor import PROVIDER
from lineage_analytics.loaders.common.values import Fields, name, text

if TYPE_CHECKING:
    from lineage_analytics.loaders._event_rows import Event
    from lineage_analytics.loaders.common.assembly import Entry


class Effect(NamedTuple):
    """The verb, the object and the parameter of an event; names in braces are its parameters, ``a/b`` alternatives."""

    verb: str
    target: str
    parameter: str = ""
    kind: str = "action"
    verdict: str | None = None


_ADMIN = {
    "ASSIGN_ROLE": Effect("grant", "role/{role_name}", "{user_email}"),
    "UNASSIGN_ROLE": Effect("revoke", "role/{role_name}", "{user_email}"),
    "ADD_PRIVILEGE": Effect("grant", "role/{role_name}", "{privilege_name}"),
    "REMOVE_PRIVILEGE": Effect("revoke", "role/{role_name}", "{privilege_name}"),
    "CREATE_ROLE": Effect("create", "role/{role_name}"), "DELETE_ROLE": Effect("delete", "role/{role_name}"),
    "RENAME_ROLE": Effect("set", "role/{role_name}"), "UPDATE_ROLE": Effect("set", "role/{role_name}"),
    "GRANT_ADMIN_PRIVILEGE": Effect("grant", "role/admin", "{user_email}"),
    "REVOKE_ADMIN_PRIVILEGE": Effect("revoke", "role/admin", "{user_email}"),
    "GRANT_DELEGATED_ADMIN_PRIVILEGES": Effect("grant", "role/delegated admin", "{user_email}"),
    "REVOKE_DELEGATED_ADMIN_PRIVILEGES": Effect("revoke", "role/delegated admin", "{user_email}"),
    "ADD_GROUP_MEMBER": Effect("grant", "group/{group_email}", "{user_email}"),
    "REMOVE_GROUP_MEMBER": Effect("revoke", "group/{group_email}", "{user_email}"),
    "UPDATE_GROUP_MEMBER": Effect("set", "group/{group_email}", "{user_email}"),
    "CREATE_GROUP": Effect("create", "group/{group_email}"), "DELETE_GROUP": Effect("delete", "group/{group_email}"),
    "CHANGE_GROUP_SETTING": Effect("set", "group/{group_email}", "{setting_name}"),
    "CREATE_USER": Effect("create", "user/{user_email}"), "DELETE_USER": Effect("delete", "user/{user_email}"),
    "UNDELETE_USER": Effect("create", "user/{user_email}"), "RENAME_USER": Effect("set", "user/{user_email}"),
    "SUSPEND_USER": Effect("disable", "user/{user_email}"), "UNSUSPEND_USER": Effect("enable", "user/{user_email}"),
    "CHANGE_PASSWORD": Effect("set", "user/{user_email}", "password"),
    "TURN_OFF_2_STEP_VERIFICATION": Effect("disable", "user/{user_email}", "2sv"),
    "AUTHORIZE_API_CLIENT_ACCESS": Effect("grant", "api_client/{api_client_name}", "{domain_name?}"),
    "REMOVE_API_CLIENT_ACCESS": Effect("revoke", "api_client/{api_client_name}", "{domain_name?}"),
    "ADD_TO_TRUSTED_OAUTH2_APPS": Effect("grant", "trusted_app/{oauth2_app_id}"),
    "REMOVE_FROM_TRUSTED_OAUTH2_APPS": Effect("revoke", "trusted_app/{oauth2_app_id}"),
}
# Settings of all kinds: the first word of the event says what happens to them.
_SETTINGS = {"CHANGE": "set", "UPDATE": "set", "CREATE": "create", "DELETE": "delete", "ENABLE": "enable",
             "DISABLE": "disable", "ENFORCE": "enable", "ALLOW": "set", "TOGGLE": "set", "ADD": "create",
             "REMOVE": "delete"}
_GROUPS = {
    "add_member": Effect("grant", "group/{group_id}", "{member_id}"),
    "remove_member": Effect("revoke", "group/{group_id}", "{member_id}"),
    "add_member_role": Effect("grant", "group/{group_id}", "{member_id}/{member_role?}"),
    "remove_member_role": Effect("revoke", "group/{group_id}", "{member_id}/{member_role?}"),
    "create_group": Effect("create", "group/{group_id}"), "delete_group": Effect("delete", "group/{group_id}"),
    "request_to_join": Effect("grant", "group/{group_id}", "{member_id}", "request"),
    "approve_join_request": Effect("grant", "group/{group_id}", "{member_id}", "decision", "approve"),
    "reject_join_request": Effect("grant", "group/{group_id}", "{member_id}", "decision", "deny"),
}
_ACCOUNTS = {
    "2sv_enroll": Effect("enable", "user/{actor}", "2sv"), "2sv_disable": Effect("disable", "user/{actor}", "2sv"),
    "titanium_enroll": Effect("enable", "user/{actor}", "advanced_protection"),
    "titanium_unenroll": Effect("disable", "user/{actor}", "advanced_protection"),
    "password_edit": Effect("set", "user/{actor}", "password"),
}
_TOKENS = {"authorize": Effect("grant", "app_grant/{client_id}", "{actor}"),
           "revoke": Effect("revoke", "app_grant/{client_id}", "{actor}")}
_BY_APPLICATION = {"admin": _ADMIN, "groups_enterprise": _GROUPS, "groups": _GROUPS, "user_accounts": _ACCOUNTS,
                   "login": _ACCOUNTS, "token": _TOKENS}
_STATE = 80


def steps_of(entry: Entry, event: Event, application: str, parameters: Fields,
             customer: str | None) -> tuple[str | None, bool]:
    """Adds the step and the grant of an event; its target and whether it changes access or the rules on it."""
    effect = _BY_APPLICATION.get(application, {}).get(event.operation)
    setting = name(parameters.get("setting_name"))
    if effect is None and application == "admin" and setting is not None:
        verb = _SETTINGS.get(event.operation.partition("_")[0])
        effect = Effect(verb, "setting/{application_name?}/{setting_name}", "{org_unit_name?}") if verb else None
    if effect is None:
        return None, False
    actor = event.actor.id.split(":", 2)[2] if event.actor.id else None
    held = {**parameters, "actor": actor} if actor else parameters
    target = _key(effect, held, customer)
    decided = effect.kind == "decision"
    step(entry, event, "change", effect.kind, verb=effect.verb, target=target,
         verdict=effect.verdict, capacity="approver" if decided else None,
         initiator_id=event.actor.id if effect.kind == "request" else None,
         before_state=_short(parameters.get("old_value")), after_state=_short(parameters.get("new_value")))
    if effect.verb == "grant" and effect.kind == "action" and target and not event.failed:
        _entitlement(entry, event, effect, parameters, customer)
    return target, True


def _key(effect: Effect, held: Fields, customer: str | None) -> str | None:
    target, parameter = _filled(effect.target, held), _filled(effect.parameter, held)
    if target is None or parameter is None:
        return None
    return f"{PROVIDER}:{customer or ''}:{target}" + (f"|{parameter}" if parameter else "")


def _filled(pattern: str, held: Fields) -> str | None:
    """The pattern with its parameters, in lower case; a name with ``?`` may be missing, else None when one is."""
    parts = []
    for piece in pattern.split("{"):
        key, closed, rest = piece.partition("}")
        if not closed:
            parts.append(piece)
            continue
        found = name(held.get(key.rstrip("?")))
        if found is None and not key.endswith("?"):
            return None
        parts.append((found or "").lower() + rest)
    return "".join(parts).strip("/")


def _short(value: object) -> str | None:
    found = name(value[0] if isinstance(value, list) and len(value) == 1 else value)
    return found if found is not None and len(found) <= _STATE else None


def _entitlement(entry: Entry, event: Event, effect: Effect, parameters: Fields, customer: str | None) -> None:
    start = f"{PROVIDER}:{customer or ''}:"
    common = {"effect": "allow", "state": "standing", "granted_at": event.time, "granted_by": event.actor.id,
              "origin": "direct"}
    user = (name(parameters.get("user_email")) or name(parameters.get("member_id")) or "").lower()
    what = effect.target.partition("/")[0]
    if what == "role" and user:
        role = name(parameters.get("role_name")) or effect.target.partition("/")[2]
        unit = name(parameters.get("org_unit_name"))
        entry.add(tables.ENTITLEMENTS, principal_id=f"{start}{user}", grant_kind="role", privilege=role,
                  scope=f"{start}org_unit/{unit}" if unit else f"{start}customer", **common)
    elif what == "group" and user:
        group = (name(parameters.get("group_email")) or name(parameters.get("group_id")) or "").lower()
        entry.add(tables.ENTITLEMENTS, principal_id=f"{start}{user}", grant_kind="membership", privilege="member",
                  scope=f"{start}{group}", **common)
    elif what == "api_client" and (client := name(parameters.get("api_client_name"))):
        scopes = parameters.get("api_scopes")
        held = " ".join(map(str, scopes)) if isinstance(scopes, list) else text(scopes) or ""
        entry.add(tables.ENTITLEMENTS, principal_id=f"{start}{client.lower()}", grant_kind="delegated",
                  privilege=" ".join(sorted(set(re.split(r"[\s,]+", held.strip())) - {""})) or None,
                  scope=f"{start}customer", via=["ALL_PRINCIPALS"], **common)
    elif what == "app_grant":
        scopes = parameters.get("scope")
        stated = " ".join(sorted(map(str, scopes))) if isinstance(scopes, list) else name(scopes)
        client = (name(parameters.get("client_id")) or "").lower()
        entry.add(tables.ENTITLEMENTS, principal_id=f"{start}{client}", grant_kind="delegated", privilege=stated,
                  scope=f"{start}customer", via=[event.actor.id] if event.actor.id else None, **common)
