"""Who acted in a Google Workspace activity: user, key, application or AI agent, as its actor object says."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from lineage_analytics.loaders._event_rows import NOBODY, Who
from lineage_analytics.loaders.common.values import Fields, flag, name, obj, text

if TYPE_CHECKING:
    from collections.abc import Sequence

PROVIDER = "gworkspace"
# The profile id that stands for nobody in particular.
_PLACEHOLDER = "105250506097979753968"
_SERVICE_ACCOUNTS = ".gserviceaccount.com"


class Acting(NamedTuple):
    """The actor, whose authority it used, and how the record says so."""

    actor: Who
    on_behalf_of: str | None = None
    via: str | None = None
    delegation: str | None = None
    principals: Sequence[Who] = ()


def actor_of(fields: Fields, customer: str | None) -> Acting:
    """An agent or an impersonating application acts for the user beside it; else the user, key or application."""
    said = obj(fields.get("actor"))
    user = _user(said, customer)
    agent = obj(said.get("agentattributioninfo")) or obj(fields.get("agentattributioninfo"))
    start = f"{PROVIDER}:{customer or ''}:"
    if name(agent.get("agentid")):
        owner = name(obj(agent.get("agentowner")).get("email"))
        who = Who(f"{start}{name(agent.get('agentid'))}", "ai_agent", "agentAttributionInfo",
                  name(agent.get("agentname")), (), name(agent.get("agenttype")),
                  owner=f"{start}{owner.lower()}" if owner else None)
        return Acting(who, user.id, None, "platform_field" if user.id else None, (who, user))
    application = obj(said.get("applicationinfo"))
    client = name(application.get("oauthclientid"))
    if client is not None and (flag(application.get("impersonation")) is True or user.id is None):
        who = Who(f"{start}{client.lower()}", "app", "applicationInfo", name(application.get("applicationname")),
                  (("app_id", client.lower()),))
        return Acting(who, user.id, None, "impersonation" if user.id else None, (who, user))
    return Acting(user, principals=(user,))


def _user(said: Fields, customer: str | None) -> Who:
    caller = (text(said.get("callertype")) or "").upper()
    profile, mail = name(said.get("profileid")), name(said.get("email"))
    profile = None if profile == _PLACEHOLDER else profile
    key = name(said.get("key"))
    if profile is None and mail is None:
        if key is None or "ANONYMOUS" in key.upper():
            return NOBODY
        system = key.upper() == "SYSTEM"
        return Who(f"{PROVIDER}:{customer or ''}:{key.lower()}", "app" if system else "unknown",
                   "callerType KEY, the key of the system" if system else None, key, (), "key", system)
    kind, basis = _kind(caller, profile, mail)
    return Who(f"{PROVIDER}:{customer or ''}:{profile or (mail or '').lower()}", kind, basis, mail,
               (("email", mail.lower()),) if mail else (), caller.lower() or None)


def _kind(caller: str, profile: str | None, mail: str | None) -> tuple[str, str | None]:
    if mail is not None and mail.lower().endswith(_SERVICE_ACCOUNTS):
        return "service_account", "an address in the domain Google keeps for service accounts"
    if caller == "USER":
        return "human", "callerType USER"
    if caller == "APPLICATION":
        return "app", "callerType APPLICATION"
    return ("human", "a Workspace profile id") if profile is not None and not caller else ("unknown", None)


def named(value: object, kind: str, basis: str, customer: str | None) -> Who:
    """An account that a parameter names by its address."""
    mail = name(value)
    if mail is None or "@" not in mail:
        return NOBODY
    low = mail.lower()
    if low.endswith(_SERVICE_ACCOUNTS):
        kind, basis = "service_account", "an address in the domain Google keeps for service accounts"
    return Who(f"{PROVIDER}:{customer or ''}:{low}", kind, basis, mail, (("email", low),))
