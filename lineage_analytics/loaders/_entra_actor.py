"""Who stands behind a directory-audit record: user, application, PIM itself or an agent (sources 3.2, 13.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from lineage_analytics.loaders._entra_agents import Agent, agent_of, by_agent_type
from lineage_analytics.loaders._entra_record import PROVIDER, kind_of, target_id
from lineage_analytics.loaders.common.ids import identity_id
from lineage_analytics.loaders.common.values import Fields, guid, name, native, obj

if TYPE_CHECKING:
    from lineage_analytics.loaders._entra_record import Record

# First-party services that carry out what PIM decided; they come by name, often without any id.
_PIM_NAMES = frozenset({"ms-pim", "ms-pim-fic", "azure ad pim", "microsoft approval management"})
_PIM_APPS = frozenset({"01fc33a7-78ba-4d2f-a4b7-768e336e890e"})
_TARGET_KINDS = {
    "user": ("human", "user", "a user object (targetResources type User)"),
    "serviceprincipal": ("app", "service_principal", "targetResources type ServicePrincipal"),
    "group": ("group", None, "targetResources type Group"),
    "agentidentity": ("ai_agent", "agent_identity", "targetResources type agentIdentity"),
    "agentuser": ("ai_agent", "agent_user", "targetResources type agentUser"),
    "agentidentityblueprintprincipal": ("ai_agent", "agent_blueprint_principal", "targetResources type"),
}
PRINCIPALS = frozenset(_TARGET_KINDS)


class Actor(NamedTuple):
    """The principal of a record; ``id`` is None where the record names nobody."""

    id: str | None
    kind: str
    subkind: str | None
    basis: str
    label: str | None
    alt_ids: tuple[tuple[str, str], ...]
    agent_class: str
    is_pim: bool = False
    via: str | None = None
    via_fact: Actor | None = None
    parent: str | None = None


def actor_of(record: Record) -> Actor:
    """The user where one is named, else the application, else nobody (which the directory's own jobs leave)."""
    app = _app(record)
    user = _user(record)
    if user is None:
        return app or Actor(None, "unknown", None, "initiatedBy names nobody", None, (), "unknown")
    return user._replace(via=app.id, via_fact=app) if app is not None and app.kind == "ai_agent" else user


def _user(record: Record) -> Actor | None:
    object_id, login = native(name(record.user.get("id"))), name(record.user.get("userprincipalname"))
    login = login.casefold() if login else None
    native_id = object_id or login
    if native_id is None:
        return None
    alt = _alt(("object_id", guid(object_id)), ("login", login), ("upn", login if login and "@" in login else None))
    found = identity_id(PROVIDER, record.tenant, native_id)
    label = name(record.user.get("userprincipalname")) or name(record.user.get("displayname"))
    agent = _agent_evidence(record.user, record)
    if agent is not None:
        return Actor(found, "ai_agent", "agent_user", agent.basis, label, alt, "ai_agent",
                     parent=_blueprint(record.user, record))
    return Actor(found, "human", "user", "a user object acted (initiatedBy.user)", label, alt, "human")


def _app(record: Record) -> Actor | None:
    principal, application = name(record.app.get("serviceprincipalid")), name(record.app.get("appid"))
    label = name(record.app.get("displayname")) or name(record.app.get("serviceprincipalname"))
    native_id = native(principal or application) or label
    if native_id is None:
        return None
    alt = _alt(("object_id", native(principal)), ("app_id", native(application)))
    found = identity_id(PROVIDER, record.tenant, native_id)
    agent = _agent_evidence(record.app, record)
    if agent is not None:
        sort = "ai_agent" if agent.kind == "ai_agent" else "workload"  # the application agents are made from is none
        return Actor(found, agent.kind, agent.subkind or "agent_identity", agent.basis, label, alt, sort,
                     parent=_blueprint(record.app, record))
    if native(application) in _PIM_APPS or (
        principal is None and application is None and (label or "").casefold() in _PIM_NAMES
    ):
        return Actor(found, "app", "first_party", "a first-party PIM service", label, alt, "automation", is_pim=True)
    return Actor(found, "app", "service_principal", "an application acted (initiatedBy.app)", label, alt, "workload")


def _alt(*found: tuple[str, str | None]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((kind, value) for kind, value in found if value))


def _agent_evidence(who: Fields, record: Record) -> Agent | None:
    """A type field that says agent; names prove nothing."""
    own = agent_of(who)
    if own is not None:
        return own
    for holder in (obj(who.get("agent")), obj(record.fields.get("agent"))):
        if (found := by_agent_type(holder.get("agenttype")) or agent_of(holder)) is not None:
            return found
    return None


def _blueprint(who: Fields, record: Record) -> str | None:
    """The blueprint an agent was made from, where the record names it."""
    found = native(name(who.get("blueprintid")))
    return identity_id(PROVIDER, record.tenant, found) if found else None


def as_fact(actor: Actor) -> dict[str, Any]:
    """The columns of IDENTITY_FACTS an actor fills."""
    return {
        "id": actor.id, "kind": actor.kind, "subkind": actor.subkind, "display_name": actor.label,
        "alt_ids": [{"kind": kind, "value": value} for kind, value in actor.alt_ids], "kind_basis": actor.basis,
        "basis": "seen", "created_at": None, "excluded_reason": "provider_managed" if actor.is_pim else None,
        "parent_id": actor.parent,
    }


def target_fact(target: Fields, tenant: str | None) -> dict[str, Any] | None:
    """What a record says of a principal it is about; None for targets that are no principals."""
    kind, found = _TARGET_KINDS.get(kind_of(target)), target_id(target)
    agent = agent_of(target)
    if agent is not None:
        kind = (agent.kind, agent.subkind, agent.basis)
    if kind is None or found is None:
        return None
    blueprint = native(name(target.get("blueprintid")))
    login = name(target.get("userprincipalname"))
    login = login.casefold() if login else None
    alt = _alt(("object_id", guid(found)), ("login", login), ("upn", login if login and "@" in login else None))
    return {
        "id": identity_id(PROVIDER, tenant, found), "kind": kind[0], "subkind": kind[1],
        "display_name": name(target.get("userprincipalname")) or name(target.get("displayname")),
        "alt_ids": [{"kind": k, "value": v} for k, v in alt], "kind_basis": kind[2], "basis": "seen",
        "created_at": None, "excluded_reason": None,
        "parent_id": identity_id(PROVIDER, tenant, blueprint) if agent is not None and blueprint else None,
    }
