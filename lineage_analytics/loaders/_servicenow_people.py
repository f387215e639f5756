"""Users, groups, memberships and roles of a ServiceNow instance as an inventory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lineage_analytics import tables
from lineage_analytics.loaders._servicenow_row import PROVIDER, Row
from lineage_analytics.loaders.common.ids import identity_id

if TYPE_CHECKING:
    from lineage_analytics.loaders.common.assembly import Entry

_TYPES = {"human": "human", "person": "human", "machine": "service_account", "ai_agent": "ai_agent",
          "integration": "service_account", "service": "service_account"}


def user(entry: Entry, row: Row, unmapped: str | None) -> None:
    """A row of ``sys_user``. An account is a machine's or a person's only where the row says which."""
    native = row.id("sys_id") or (row.text("user_name") or "").lower()
    kind, basis = _kind(row)
    active, locked = row.flag("active"), row.flag("locked_out")
    seen = row.time("last_login_time", "last_login")
    entry.add(
        tables.IDENTITY_FACTS, id=identity_id(PROVIDER, row.instance, native), kind=kind, kind_basis=basis,
        basis="inventory", display_name=row.text("name") or row.text("user_name"), alt_ids=_alternatives(row),
        owner=_owner(row.principal("manager"), "manager"), enabled=None if active is None else active and not locked,
        created_at=row.time("sys_created_on"), last_seen_at=seen, last_seen_basis="signin" if seen else None,
        unmapped=unmapped)


def _kind(row: Row) -> tuple[str, str]:
    stated = _TYPES.get(row.word("identity_type"))
    if stated is not None:
        return stated, f"identity_type {row.word('identity_type')}"
    for key in ("web_service_access_only", "internal_integration_user"):
        if row.flag(key):
            return "service_account", key
    return "unknown", "the row does not say whether a person or a machine"


def _alternatives(row: Row) -> list[dict[str, str]]:
    found = (("login", row.text("user_name")), ("email", row.text("email")))
    return [{"kind": kind, "value": value.lower()} for kind, value in found if value]


def _owner(principal: str | None, basis: str) -> list[dict[str, str]] | None:
    return [{"id": principal, "basis": basis}] if principal else None


def group(entry: Entry, row: Row, unmapped: str | None) -> None:
    """A row of ``sys_user_group``."""
    native = row.id("sys_id") or (row.text("name") or "").lower()
    entry.add(
        tables.IDENTITY_FACTS, id=identity_id(PROVIDER, row.instance, native), kind="group",
        kind_basis="sys_user_group", basis="inventory",
        display_name=row.text("name"), alt_ids=[], owner=_owner(row.principal("manager"), "manager"),
        enabled=row.flag("active"), created_at=row.time("sys_created_on"), unmapped=unmapped)


def grant(entry: Entry, row: Row, unmapped: str | None) -> None:
    """A membership (``sys_user_grmember``) or a role held (``sys_user_has_role``)."""
    inherited = row.flag("inherited")
    shared: dict[str, Any] = {
        "principal_id": row.principal("user"), "effect": "allow", "state": "standing",
        "granted_at": row.time("sys_created_on"), "granted_by": row.login("sys_created_by"),
        "grant_id": row.id("sys_id"), "unmapped": unmapped}
    if row.table == "sys_user_grmember":
        entry.add(tables.ENTITLEMENTS, grant_kind="membership", privilege=row.label("group"),
                  scope=row.principal("group"), origin="direct", **shared)
        return
    through = row.principal("granted_by")
    entry.add(tables.ENTITLEMENTS, grant_kind="role", privilege=row.label("role") or row.id("role"), scope="/",
              origin="group_inherited" if inherited or through else "direct", via=[through] if through else None,
              **shared)
