"""A principal as a record names it, and the identity fact that makes: for loaders whose records name many."""

from __future__ import annotations

from typing import Any, NamedTuple

_CLASSES = {"human": "human", "service_account": "workload", "workload": "workload", "ai_agent": "ai_agent",
            "group": "group"}


class Principal(NamedTuple):
    """Who a name stands for, and how that is known."""

    id: str
    kind: str
    subkind: str | None
    label: str
    alt_ids: tuple[tuple[str, str], ...]
    basis: str
    managed: bool = False
    parent: str | None = None

    @property
    def agent_class(self) -> str:
        """The class of somebody who acts; from type evidence only."""
        return _CLASSES.get(self.kind, "unknown")

    @property
    def authority(self) -> str:
        """With whose authority somebody of that kind acts when nothing says otherwise."""
        return {"human": "self", "workload": "own_identity", "ai_agent": "own_identity"}.get(
            self.agent_class, "unknown")


def fact(found: Principal, **more: Any) -> dict[str, Any]:
    """The columns of IDENTITY_FACTS for a principal that a record names."""
    return {
        "id": found.id, "kind": found.kind, "subkind": found.subkind, "display_name": found.label,
        "alt_ids": [{"kind": kind, "value": value} for kind, value in found.alt_ids], "kind_basis": found.basis,
        "basis": "seen", "excluded_reason": "provider_managed" if found.managed else None, "parent_id": found.parent,
        **more,
    }
