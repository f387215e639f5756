"""Principals of sign-ins, Graph activity and risk records, and the facts these state about them (sources 3.7, 13.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from lineage_analytics import tables
from lineage_analytics.loaders._entra_opened import PROVIDER
from lineage_analytics.loaders.common.ids import identity_id
from lineage_analytics.loaders.common.values import guid, name, native, text

if TYPE_CHECKING:
    from lineage_analytics.loaders.common.assembly import Entry


class Principal(NamedTuple):
    """A principal as a record states it; ``native`` is its object id, or the best the record holds."""

    native: str
    kind: str
    subkind: str | None
    basis: str
    label: str | None = None
    alt_ids: tuple[tuple[str, str], ...] = ()
    parent: str | None = None
    excluded: str | None = None

    def id(self, tenant: str | None) -> str:
        return identity_id(PROVIDER, tenant, self.native)


def alternatives(*found: tuple[str, str | None]) -> tuple[tuple[str, str], ...]:
    """Alternative ids, sorted, without those that are not stated."""
    return tuple(sorted({(kind, value) for kind, value in found if value}))


def user(object_id: str | None, login: object, label: object, *, guest: bool = False) -> Principal | None:
    """A user object. The address of a guest is its home's, which is no login here."""
    address = (name(login) or "").casefold()
    address = address if "@" in address else ""
    own = None if guest else address
    found = object_id or own
    if not found:
        return None
    alt = alternatives(("object_id", guid(object_id)), ("login", own), ("upn", own),
                       ("email", address if guest else None))
    return Principal(found, "human", "guest" if guest else "user", "a user object",
                     name(login) if address else text(label), alt)


def service_principal(object_id: str | None, app_id: str | None, label: object) -> Principal | None:
    """A service principal, by its object id, else by its application's."""
    found = object_id or app_id
    if found is None:
        return None
    return Principal(found, "app", "service_principal", "a service principal", name(label),
                     alternatives(("object_id", guid(object_id)), ("app_id", guid(app_id))))


def state(entry: Entry, principal: Principal, **more: Any) -> None:
    """The row of IDENTITY_FACTS of a principal seen in a log."""
    parent = identity_id(PROVIDER, entry.tenant, principal.parent) if principal.parent else None
    entry.add(
        tables.IDENTITY_FACTS, id=principal.id(entry.tenant), kind=principal.kind, subkind=principal.subkind,
        display_name=principal.label, alt_ids=alt_rows(principal.alt_ids), kind_basis=principal.basis, basis="seen",
        parent_id=parent, excluded_reason=principal.excluded, **more)


def alt_rows(pairs: tuple[tuple[str, str], ...]) -> list[dict[str, str]]:
    """Alternative ids as the column holds them."""
    return [{"kind": kind, "value": value} for kind, value in pairs]


def application(tenant: str | None, app_id: object) -> str | None:
    """The resource id of an application known by its application id."""
    found = native(name(app_id))
    return identity_id(PROVIDER, tenant, f"application/{found}") if found else None


# What envelopes and tables put around a record, in lower case; of any type.
ENVELOPE: dict[str, str] = dict.fromkeys((
    "time", "resourceid", "operationname", "operationversion", "category", "tenantid", "aadtenantid", "resulttype",
    "resultsignature", "resultdescription", "durationms", "calleripaddress", "correlationid", "identity", "level",
    "properties", "log", "timegenerated", "type", "sourcesystem", "_resourceid", "_itemid", "_billedsize",
    "_isbillable", "mg", "tablename"), "")


def known(keys: str, **types: str) -> dict[str, str]:
    """Top-level keys in lower case with their JSON types; ``keys`` are those of which any type will do."""
    return ENVELOPE | dict.fromkeys(keys.split(), "") | types
