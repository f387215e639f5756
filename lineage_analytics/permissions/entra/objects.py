"""The objects of a directory by any of their ids, and what roles and permissions are called."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
import polars as pl

from lineage_analytics.permissions.entra.datafiles import azure_roles, directory_roles, graph_permissions
from lineage_analytics.permissions.entra.languages import AZURE

if TYPE_CHECKING:
    from lineage_analytics.facts import Facts

GRAPH_APP = "00000003-0000-0000-c000-000000000000"
_APPLICATIONS = frozenset({"application", "agent_blueprint"})


def tenant_of(identity: str) -> str:
    """The directory in an id ``entra:<tenant>:<native>``."""
    return identity.split(":", 2)[1] if identity.count(":") >= 2 else ""


def native_of(identity: str) -> str:
    """The directory's own id of an object."""
    return identity.split(":", 2)[-1]


def fields(attributes: str | None) -> dict[str, Any]:
    """The attributes of a resource, empty where they are no object."""
    try:
        found = msgspec.json.decode(attributes or "{}")
    except (msgspec.DecodeError, UnicodeDecodeError):
        return {}
    return found if isinstance(found, dict) else {}


@dataclass(frozen=True, slots=True)
class Object:
    """An object of the directory; ``app_id`` null: none stated."""

    id: str
    kind: str
    subkind: str | None
    label: str | None
    parent: str | None
    app_id: str | None
    records: tuple[str, ...]

    @property
    def sort(self) -> str:
        """application, service principal, group, user or object, where its kind does not say more."""
        if self.kind == "group":
            return "group"
        if self.subkind in _APPLICATIONS:
            return "application"
        if self.kind == "human" or self.subkind == "agent_user":
            return "user"
        return "service principal" if self.kind in {"app", "workload", "ai_agent"} else "object"


class Objects:
    """Objects of all loaded directories."""

    def __init__(self, facts: Facts) -> None:
        rows = facts.frame("identities").filter(pl.col("provider") == "entra").select(
            "id", "kind", "subkind", "display_name", "parent_id", "alt_ids", "record_ids").sort("id")
        self.by_id: dict[str, Object] = {}
        self.by_app: dict[tuple[str, str], list[Object]] = defaultdict(list)
        self._names: dict[tuple[str, str], list[str]] = defaultdict(list)
        for identity, kind, subkind, label, parent, alt_ids, records in rows.iter_rows():
            values = [(alt["kind"], alt["value"]) for alt in alt_ids or () if alt["value"]]
            app = next((value for sort, value in values if sort == "app_id"), None)
            found = Object(identity, kind or "unknown", subkind, label, parent, app, tuple(records or ()))
            self.by_id[identity] = found
            tenant = tenant_of(identity)
            if app is not None:
                self.by_app[tenant, app].append(found)
            named = [native_of(identity), *(value for _, value in values), *([label] if label else [])]
            for name in dict.fromkeys(named):
                self._names[tenant, name.casefold()].append(identity)

    def meant(self, tenant: str, name: str) -> list[str]:
        """Ids of the objects of a directory that a name, an address or an id means."""
        if name in self.by_id:
            return [name]
        stated = native_of(name) if name.startswith("entra:") else name
        return self._names.get((tenant, stated.casefold()), [])

    def parent(self, child: Object) -> Object | None:
        """What an agent derives from: agents name their blueprint by its object or by its application id."""
        if child.parent is None:
            return None
        if child.parent in self.by_id:
            return self.by_id[child.parent]
        named = self.by_app.get((tenant_of(child.id), native_of(child.parent)), [])
        return next((one for one in named if one.sort == "application"), named[0] if named else None)

    def app_of(self, identity: str) -> str | None:
        found = self.by_id.get(identity)
        return found.app_id if found else None


class Names:
    """What roles and permissions are called: exports name them by id, by template or by name."""

    def __init__(self, facts: Facts) -> None:
        rows = facts.frame("resources").filter(
            (pl.col("provider") == "entra") & pl.col("kind").is_in(["role", "app_role"])).select(
            "id", "kind", "display_name", "attributes", "parent_id").drop_nulls(["id", "display_name"]).sort(
            "id", "display_name", "attributes", nulls_last=True)
        self._roles: dict[tuple[str, str], str] = {}
        self._permissions: dict[tuple[str, str], str] = {}
        self.privileged: set[tuple[str, str]] = set()
        for identity, kind, label, attributes, parent in rows.iter_rows():
            tenant, last = tenant_of(identity), identity.rsplit("/", 1)[-1]
            if kind == "app_role":
                self._permissions.setdefault((parent or "", last), label)
                continue
            said = fields(attributes)
            self._roles.setdefault((tenant, last), label)
            if isinstance(object_id := said.get("object_id"), str):
                self._roles.setdefault((tenant, object_id), label)
            if said.get("privileged") is True:
                self.privileged.add((tenant, label.casefold()))

    def role(self, tenant: str, stated: str, language: str) -> str:
        """The name of a role that a grant states by name or id."""
        known = azure_roles() if language == AZURE else directory_roles()
        built_in = known.get(stated.casefold())
        if built_in is not None:
            return built_in.name
        return self._roles.get((tenant, stated)) or self._roles.get(("", stated)) or stated

    def permission(self, resource: str, app_id: str | None, stated: str) -> str:
        """The value of an application permission of a resource."""
        listed = self._permissions.get((resource, stated))
        if listed is not None:
            return listed
        built_in = graph_permissions().get(stated) if app_id in (None, GRAPH_APP) else None
        return built_in.name if built_in is not None else stated
