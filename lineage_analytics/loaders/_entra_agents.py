"""Agents of Entra Agent ID, known by their type fields; names prove nothing (sources 3.7, 3.8, 13.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from lineage_analytics.loaders.common.values import flag, text

if TYPE_CHECKING:
    from lineage_analytics.loaders.common.values import Fields

_NO_AGENT = frozenset({"", "notagentic", "none", "unknownfuturevalue"})
_BY_AGENT_TYPE = {
    "agenticapp": ("app", "agent_blueprint"),
    "agentidentityblueprint": ("app", "agent_blueprint"),
    "agenticappinstance": ("ai_agent", "agent_identity"),
    "agentidentity": ("ai_agent", "agent_identity"),
    "agentidentityblueprintprincipal": ("ai_agent", "agent_blueprint_principal"),
    "agentiduser": ("ai_agent", "agent_user"),
    "agentuser": ("ai_agent", "agent_user"),
}


class Agent(NamedTuple):
    """An agent: identity kind, subkind (None: not stated which sort) and the evidence in words."""

    kind: str
    subkind: str | None
    basis: str


def by_agent_type(value: object) -> Agent | None:
    """The agent an ``agentType`` names; None for ``notAgentic`` and for values that say nothing."""
    stated = text(value) or ""
    if stated.lower() in _NO_AGENT:
        return None
    kind, subkind = _BY_AGENT_TYPE.get(stated.lower(), ("ai_agent", None))
    return Agent(kind, subkind, f"agentType {stated[:60]}")


def by_odata_type(value: object) -> Agent | None:
    """The agent an ``@odata.type`` names."""
    stated = (text(value) or "").rsplit(".", 1)[-1].removeprefix("#")
    found = _BY_AGENT_TYPE.get(stated.lower())
    return None if found is None else Agent(*found, f"@odata.type {stated}")


def agent_of(who: Fields) -> Agent | None:
    """What an object with folded keys says of itself."""
    if (found := by_odata_type(who.get("@odata.type")) or by_agent_type(who.get("agenttype"))) is not None:
        return found
    if (text(who.get("serviceprincipaltype")) or "").lower() == "serviceidentity":
        return Agent("ai_agent", "agent_identity", "servicePrincipalType ServiceIdentity")
    return Agent("ai_agent", None, "isAgent") if flag(who.get("isagent")) else None
