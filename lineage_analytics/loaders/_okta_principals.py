"""Who is who in an Okta event: by the type Okta writes, never by a name (sources 5, 13.3)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from lineage_analytics.loaders._event_rows import NOBODY, Who
from lineage_analytics.loaders.common.values import Fields, fold, name, obj, text

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

# Type in lower case without blanks: kind and subkind.
PRINCIPALS = {
    "user": ("human", "user"), "usergroup": ("group", None), "appinstance": ("app", "app_instance"),
    "publicclientapp": ("app", "oauth_app"), "clientapp": ("app", "oauth_app"), "serviceapp": ("app", "oauth_app"),
    "systemprincipal": ("app", "system_principal"),
}
_NO_PRINCIPAL = frozenset({"ipaddress", "code", "token", "appuser", "policy", "rule", "role", "access_token"})
# Connectors to on-premise directories are called agents too; only types that say AI or agent identity count.
_AI_AGENT = re.compile(r"ai[_-]?agent|agent[_-]?(?:identity|user|principal)")
_WORKLOAD = re.compile(r"workload")


def who(said: Fields, org: str | None) -> Who:
    """The principal an actor or target object names; NOBODY for addresses, tokens, policies and the like."""
    kind = re.sub(r"\s", "", text(said.get("type")) or "").lower()
    login = name(said.get("alternateid"))
    stated = text(said.get("id"))
    # An id that reads unknown is an account that does not exist: its login is what somebody typed.
    native = name(stated) or (login.lower() if login and stated is None else None)
    found = _kind(kind)
    if native is None or found is None:
        return NOBODY
    alt = (("login", login.lower()),) if login and found[0] != "app" else ()
    label = name(said.get("displayname")) or login
    basis = f"type {text(said.get('type'))}" if kind and found[0] != "unknown" else None
    return Who(f"okta:{org or ''}:{native}", found[0], basis, label, alt, found[1], kind == "systemprincipal")


def _kind(kind: str) -> tuple[str, str | None] | None:
    if kind in PRINCIPALS:
        return PRINCIPALS[kind]
    if _AI_AGENT.search(kind):
        return "ai_agent", kind
    if _WORKLOAD.search(kind):
        return "workload", kind
    return None if kind in _NO_PRINCIPAL or not kind else ("unknown", kind) if kind.endswith("principal") else None


def org_of(record: Mapping[str, Any]) -> str | None:
    """The organisation that a delivery names in its ``source``: the host of a hook, the partner path of a stream."""
    held = fold(record)
    source = text(held.get("source")) or text(obj(held.get("_page")).get("source")) or ""
    if source.startswith("aws.partner/okta.com/"):
        return name(source.split("/")[2].lower())
    try:
        host = urlsplit(source).hostname if source.startswith("https://") else None
    except ValueError:  # no address at all
        return None
    return host if host and host.endswith((".okta.com", ".oktapreview.com", ".okta-emea.com", ".okta.mil")) else None
