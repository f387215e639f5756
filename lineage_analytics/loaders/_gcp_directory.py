"""Directory events in Cloud Audit Logs: users, groups and administrators of Cloud Identity (sources 7.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from lineage_analytics.loaders._gcp_entry import listed, squeezed
from lineage_analytics.loaders.common.values import name, text

if TYPE_CHECKING:
    from lineage_analytics.loaders._gcp_entry import LogEntry

SERVICES = frozenset({"admin.googleapis.com", "login.googleapis.com", "cloudidentity.googleapis.com"})
_USER, _GROUP, _PROFILE = ("user_email", "affected_email_address"), ("group_email",), ("inbound_sso_profile_name",)


class _Effect(NamedTuple):
    verb: str
    kind: str
    whose: tuple[str, ...]
    what: tuple[str, ...] = ()
    fixed: str = ""


# Last part of a method name -> what it does to whom; ``what`` names the parameter that says the rest.
_EFFECTS = {
    "addgroupmember": _Effect("grant", "group", _GROUP, ("user_email",)),
    "removegroupmember": _Effect("revoke", "group", _GROUP, ("user_email",)),
    "creategroup": _Effect("create", "group", _GROUP), "deletegroup": _Effect("delete", "group", _GROUP),
    "createuser": _Effect("create", "user", _USER), "deleteuser": _Effect("delete", "user", _USER),
    "undeleteuser": _Effect("create", "user", _USER), "suspenduser": _Effect("disable", "user", _USER),
    "unsuspenduser": _Effect("enable", "user", _USER),
    "assignrole": _Effect("grant", "user", _USER, ("role_name",)),
    "unassignrole": _Effect("revoke", "user", _USER, ("role_name",)),
    "grantadminprivilege": _Effect("grant", "user", _USER, fixed="super_admin"),
    "revokeadminprivilege": _Effect("revoke", "user", _USER, fixed="super_admin"),
    "changepassword": _Effect("set", "user", _USER, fixed="password"),
    "turnoff2stepverification": _Effect("disable", "user", _USER, fixed="2sv"),
    "accountdisabledgeneric": _Effect("disable", "user", _USER),
    "accountdisabledhijacked": _Effect("disable", "user", _USER),
    "accountdisabledspamming": _Effect("disable", "user", _USER),
    "accountdisabledspammingthroughrelay": _Effect("disable", "user", _USER),
    "accountdisabledpasswordleak": _Effect("disable", "user", _USER),
    "inboundssoprofilecreated": _Effect("create", "sso_profile", _PROFILE),
    "inboundssoprofileupdated": _Effect("set", "sso_profile", _PROFILE),
    "inboundssoprofiledeleted": _Effect("delete", "sso_profile", _PROFILE),
}
# What people do to their own account: the caller is whose it is.
_OWN = {"passwordedit": ("set", "password"), "2svenroll": ("enable", "2sv"), "2svdisable": ("disable", "2sv")}


def effect(found: LogEntry, word: str) -> tuple[str, str | None] | None:
    """Verb and target of a directory event, the target None where its parameters do not say; None for others."""
    if word in _OWN:
        verb, what = _OWN[word]
        own = name(squeezed(found.audit.get("authenticationinfo")).get("principalemail"))
        return verb, f"gcp::user/{own.lower()}|{what}" if own else None
    known = _EFFECTS.get(word)
    if known is None:
        return None
    stated = parameters(found)
    whose = next((stated[key] for key in known.whose if key in stated), None)
    what_said = known.fixed or next((stated[key] for key in known.what if key in stated), "")
    if whose is None or (known.what and not what_said):
        return known.verb, None
    suffix = f"|{what_said.lower()}" if what_said else ""
    return known.verb, f"gcp::{known.kind}/{whose.lower()}{suffix}"


def parameters(found: LogEntry) -> dict[str, str]:
    """The parameters of the events a record carries, by name in lower case; the first value of each."""
    stated: dict[str, str] = {}
    for event in listed(squeezed(found.audit.get("metadata")).get("event")):
        for parameter in listed(event.get("parameter")):
            if (value := name(parameter.get("value"))) is not None:
                stated.setdefault((text(parameter.get("name")) or "").lower(), value)
    return stated


def qualifier(found: LogEntry) -> str | None:
    """The id the directory's own reports give the event."""
    metadata = squeezed(found.audit.get("metadata"))
    return name(squeezed(metadata.get("activityid")).get("uniqqualifier"))
