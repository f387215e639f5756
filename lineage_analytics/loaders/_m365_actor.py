"""Who stands behind the ``UserId`` of a unified-audit record, and what sort of principal that is (sources 4.2)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from lineage_analytics.loaders._m365_record import PROVIDER
from lineage_analytics.loaders.common.ids import identity_id
from lineage_analytics.loaders.common.values import guid, name

if TYPE_CHECKING:
    from lineage_analytics.loaders._m365_record import Record

INTERACTIONS = frozenset({261, 284, 328, 334})
_PUID = re.compile(r"[0-9a-f]{16}")
_SERVICE_LOGINS = ("nt authority\\", "nt service\\", "sharepoint\\system", "securitycompliancealerts")
_BUILT_IN = frozenset({"s-1-5-18", "s-1-5-19", "s-1-5-20"})  # of a Windows system itself
_APP_LOGINS = ("app@sharepoint", "serviceprincipal_", "i:0i.t|", "spo_app")
_PEOPLE = {0: "Regular", 2: "Admin", 10: "Guest"}
_SERVICES = {3: "DcAdmin", 4: "System", 7: "CustomPolicy", 8: "SystemPolicy"}
_APPS = {5: "Application", 6: "ServicePrincipal"}


class Actor(NamedTuple):
    """The principal of a record; ``id`` is None where the record names nobody."""

    id: str | None
    kind: str
    subkind: str | None
    basis: str
    label: str | None
    alt_ids: tuple[tuple[str, str], ...]
    provider_managed: bool


_NOBODY = Actor(None, "unknown", None, "the record names no user", None, (), False)


def actor_of(record: Record) -> Actor:
    """The actor of a record, by what its fields say about type; of names, only built-in ones prove anything."""
    login = record.login
    if login is None:
        return _NOBODY
    app = _acting_app(record, login)
    if app is not None:
        return Actor(identity_id(PROVIDER, record.tenant, app), "app", None, f"UserType {_APPS[record.user_type or 0]}",
                     name(record.fields.get("applicationdisplayname")), (("app_id", app),), False)
    kind, subkind, basis = _kind(login, record.user_type)
    return Actor(
        identity_id(PROVIDER, record.tenant, login), kind, subkind, basis, name(record.fields.get("userid")),
        _alt_ids(record, login, kind), subkind == "provider_service",
    )


def _acting_app(record: Record, login: str) -> str | None:
    """The application whose key a record of its own access holds; beside it ``UserId`` is whose mailbox it was."""
    key = guid(name(record.fields.get("userkey")))
    if record.user_type not in _APPS or "@" not in login or login.startswith(_APP_LOGINS) or key is None:
        return None
    return key if key in {guid(name(record.fields.get(stated))) for stated in ("appid", "clientappid")} else None


def _kind(login: str, user_type: int | None) -> tuple[str, str | None, str]:
    if login in _BUILT_IN or login.startswith(_SERVICE_LOGINS) or user_type in _SERVICES or _is_process(login):
        stated = _SERVICES.get(user_type) if user_type is not None else None
        return "workload", "provider_service", f"UserType {stated}" if stated else "a built-in system account"
    if login.startswith(_APP_LOGINS) or user_type in _APPS:
        stated = _APPS.get(user_type) if user_type is not None else None
        return "app", None, f"UserType {stated}" if stated else "an application's own login"
    if guid(login):
        return "app", None, "UserId is a GUID, as applications have it"
    if user_type in _PEOPLE:
        return "human", "guest" if user_type == 10 else None, f"a user account (UserType {_PEOPLE[user_type]})"
    return "unknown", None, "UserType is not stated" if user_type is None else f"UserType {user_type}"


def _is_process(login: str) -> bool:
    r"""``DOMAIN\Account (Process)``: how Exchange names the datacenter process that acted."""
    return "\\" in login and " (" in login and login.endswith(")")


def _alt_ids(record: Record, login: str, kind: str) -> tuple[tuple[str, str], ...]:
    found = {("login", login)}
    if guid(login):
        found.add(("app_id", login))
    elif "@" in login and kind in ("human", "unknown"):
        found.add(("upn", login))
    key = name(record.fields.get("userkey"))
    if key is not None and (alt := _user_key(key, record.record_type)) is not None:
        found.add(alt)
    return tuple(sorted(found))


def _user_key(key: str, record_type: int | None) -> tuple[str, str] | None:
    """``UserKey`` by its shape: an object id (interactions), a PUID, alone or in a membership claim; else nothing."""
    if (found := guid(key)) is not None:
        return ("object_id", found) if record_type in INTERACTIONS else ("user_key", found)
    low = key.casefold().rsplit("|", 1)[-1].split("@", 1)[0]
    return ("puid", low) if _PUID.fullmatch(low) else None


def as_fact(actor: Actor) -> dict[str, Any]:
    """The columns of IDENTITY_FACTS an actor fills."""
    return {
        "id": actor.id, "kind": actor.kind, "subkind": actor.subkind, "display_name": actor.label,
        "alt_ids": [{"kind": kind, "value": value} for kind, value in actor.alt_ids],
        "kind_basis": actor.basis, "basis": "seen",
        "excluded_reason": "provider_managed" if actor.provider_managed else None,
    }
