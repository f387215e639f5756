"""Hand-made Entra and Azure: rows as the loaders write them, in few words."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import polars as pl

from lineage_analytics.facts import Facts
from lineage_analytics.tables import ENTITLEMENTS, IDENTITIES, RESOURCES, conform

if TYPE_CHECKING:
    from collections.abc import Sequence

Row = dict[str, Any]
T = "72f0c3a0-0000-4000-8000-000000000001"
AS_OF = datetime(2026, 6, 30, tzinfo=UTC)
SUB = "/subscriptions/aaaaaaaa-0000-4000-8000-000000000001"
OTHER = "/subscriptions/aaaaaaaa-0000-4000-8000-000000000002"
VM = f"{SUB}/resourcegroups/rg/providers/microsoft.compute/virtualmachines/vm1"
GRAPH_APP = "00000003-0000-0000-c000-000000000000"


def oid(name: str) -> str:
    return f"entra:{T}:{name}"


def user(name: str, **more: Any) -> Row:
    return identity(name, "human", subkind="user", **more)


def group(name: str, **more: Any) -> Row:
    return identity(name, "group", **more)


def app(name: str, app_id: str | None = None, subkind: str = "service_principal", kind: str = "app", **more: Any) -> Row:
    alt = [{"kind": "app_id", "value": app_id}] if app_id else None
    return identity(name, kind, subkind=subkind, alt_ids=alt, **more)


def identity(name: str, kind: str, **more: Any) -> Row:
    return {"id": oid(name), "kind": kind, "display_name": name, "provider": "entra", "tenant": T, "inventoried": True,
            "record_ids": [f"rec-{name}"], **more}


GRAPH = app("graph", GRAPH_APP, "first_party")


def grant(kind: str, holder: str, **more: Any) -> Row:
    return {"principal_id": oid(holder), "grant_kind": kind, "effect": "allow", "provider": "entra", "tenant": T,
            "source": "entra_directory", "record_id": f"rec-{kind}-{holder}-{more.get('privilege')}", **more}


def holds(holder: str, role: str, scope: str = "/", **more: Any) -> Row:
    """A directory role."""
    return grant("role", holder, privilege=role, scope=scope, **more)


def azure(holder: str, role: str, scope: str = SUB, **more: Any) -> Row:
    """A role over Azure resources."""
    return grant("role", holder, privilege=role, scope=scope, **{"source": "azure_rbac", **more})


def member(who: str, of: str, **more: Any) -> Row:
    return grant("membership", who, privilege="member", **{"scope": oid(of), **more})


def permits(holder: str, permission: str, **more: Any) -> Row:
    """An application permission of Microsoft Graph."""
    return grant("app_role", holder, privilege=permission, scope=oid("graph"), state="standing", **more)


def owns(who: str, what: str, **more: Any) -> Row:
    return grant("owner", who, privilege="owner", scope=oid(what), **more)


def says(role: str, name: str, actions: Sequence[str], *, but: Sequence[str] = (), **more: Any) -> Row:
    """What a role definition says; ``role`` such as ``azure_role/1``."""
    return {"principal_id": oid(role), "grant_kind": "statement", "privilege": name, "effect": "allow",
            "actions": list(actions), "not_actions": list(but) or None, "provider": "entra", "tenant": T,
            "source": "azure_rbac", "record_id": f"rec-{role}", **more}


def denial(holder: str, actions: Sequence[str], scope: str = SUB, **more: Any) -> list[Row]:
    """A deny assignment: the right taken away and the statement of what is, of one record."""
    record = {"record_id": f"rec-deny-{holder}-{scope}", "source": "azure_rbac"}
    right = grant("right", holder, privilege="locked", scope=scope, **{**record, "effect": "deny", **more})
    return [right, {**says("azure_deny_assignment/1", "locked", actions), **record, "effect": "deny"}]


# What makes an inventory of the three sorts of assignments be there, held by a principal nobody else is.
LISTED = [holds("somebody", "Reports Reader"), permits("somebody-app", "User.Read.All"), azure("somebody", "Reader")]


def facts(grants: Sequence[Row] = (), people: Sequence[Row] = (), resources: Sequence[Row] = (), *,
          listed: bool = True, **frames: Any) -> Facts:
    rows = [*grants, *(LISTED if listed else ())]
    everyone = [*people, GRAPH, *([user("somebody"), app("somebody-app")] if listed else ())]
    made: dict[str, Any] = {"identities": conform(pl.DataFrame(everyone, infer_schema_length=None), IDENTITIES),
            "entitlements": conform(pl.DataFrame(rows, infer_schema_length=None), ENTITLEMENTS) if rows
            else ENTITLEMENTS.empty()}
    if resources:
        made["resources"] = conform(pl.DataFrame(
            [{"provider": "entra", "tenant": T, **row} for row in resources], infer_schema_length=None), RESOURCES)
    return Facts.of(AS_OF, **made, **frames)


def days(count: int) -> timedelta:
    return timedelta(days=count)
