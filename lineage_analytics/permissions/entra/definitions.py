"""What a role, a permission or ownership allows: loaded role definitions first, then the data files."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import polars as pl

from lineage_analytics.permissions.entra.assignments import OWNER, PROVIDER
from lineage_analytics.permissions.entra.datafiles import azure_roles, graph_permissions, role_actions
from lineage_analytics.permissions.entra.languages import AZURE, DIRECTORY
from lineage_analytics.permissions.entra.objects import tenant_of
from lineage_analytics.permissions.roles import Block

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lineage_analytics.facts import Facts
    from lineage_analytics.permissions.roles import Assignment

_DATA = " (data)"
_AZURE_ROLE, _DENIAL = ":azure_role/", ":azure_deny_assignment/"


class DataBlock(Block):
    """A statement about operations on data, which plain actions never cover."""

    __slots__ = ()


@dataclass
class _Found:
    """Statements under one name, by the id of the role that says them."""

    by_role: dict[str, list[Block]] = field(default_factory=lambda: defaultdict(list))

    def one(self) -> tuple[Block, ...] | None:
        """The statements, where a single role of the name says them."""
        return tuple(next(iter(self.by_role.values()))) if len(self.by_role) == 1 else None


class Definitions:
    """Statements of roles and of denials."""

    def __init__(self, facts: Facts) -> None:
        rows = facts.frame("entitlements").filter(
            (pl.col("provider") == PROVIDER) & (pl.col("grant_kind") == "statement")
        ).select("principal_id", "privilege", "effect", "actions", "not_actions", "resources", "condition",
                 "record_id").drop_nulls("principal_id").unique().sort(
            "principal_id", "record_id", "privilege", "effect", "actions", nulls_last=True)
        self._roles: dict[tuple[str, str, str], _Found] = defaultdict(_Found)
        self._denials: dict[str, list[Block]] = defaultdict(list)
        excluded: dict[tuple[str, str], list[str]] = defaultdict(list)
        taken = rows.filter((pl.col("effect") == "deny") & ~pl.col("principal_id").str.contains(_DENIAL, literal=True))
        for role, actions, record in taken.select("principal_id", "actions", "record_id").iter_rows():
            excluded[role, record or ""] += actions or ()
        for role, label, effect, actions, less, over, condition, record in rows.iter_rows():
            data, name = (label or "").endswith(_DATA), (label or "").removesuffix(_DATA)
            block = (DataBlock if data else Block)(
                tuple(actions or ()), (*(less or ()), *excluded.get((role, record or ""), ())), tuple(over or ()),
                effect == "deny", condition, record or "")
            if _DENIAL in role:
                self._denials[record or ""].append(block)
            elif effect != "deny":
                language = AZURE if _AZURE_ROLE in role else DIRECTORY
                for key in dict.fromkeys((name.casefold(), role.rsplit("/", 1)[-1])):
                    self._roles[tenant_of(role), language, key].by_role[role].append(block)

    def loaded(self, tenant: str, language: str, role: str) -> tuple[Block, ...] | None:
        """What a loaded definition says; None where none, or several of that name, are loaded."""
        for place in dict.fromkeys((tenant, "")):
            found = self._roles.get((place, language, role.casefold()))
            if found is not None:
                return found.one()
        return None

    def denial(self, record: str) -> tuple[Block, ...] | None:
        """What a denial takes away."""
        found = self._denials.get(record)
        return tuple(found) if found else None

    def azure(self, assignment: Assignment) -> tuple[tuple[Block, ...] | None, bool]:
        """Statements of an Azure role, and whether they are all that it says."""
        if assignment.deny:
            return self.denial(assignment.record_id), True
        loaded = self.loaded(tenant_of(assignment.holder), AZURE, assignment.role)
        if loaded is not None:
            return loaded, True
        known = azure_roles().get(assignment.role.casefold())
        if known is None:
            return None, True
        blocks = [_plain(known.actions, known.excluded)] if known.actions else []
        return tuple(blocks + ([DataBlock(known.data, (), (), False, None, "")] if known.data else [])), known.whole

    def directory(self, assignment: Assignment) -> tuple[tuple[Block, ...] | None, bool]:
        """Statements of a directory role or of ownership, and whether they are all that it says."""
        role = assignment.role.casefold()
        owned = role.startswith(OWNER)
        loaded = None if owned else self.loaded(tenant_of(assignment.holder), DIRECTORY, role)
        if loaded is not None:
            return loaded, True
        listed = role_actions().get(role)
        return ((_plain(listed),), owned or "*" in listed) if listed else (None, True)


def permitted(permission: str) -> tuple[Block, ...]:
    """The directory actions an application permission stands for, as far as listed."""
    listed = graph_permissions().get(permission.casefold())
    return (_plain(listed.actions),) if listed is not None and listed.actions else ()


def _plain(actions: Sequence[str], excluded: Sequence[str] = ()) -> Block:
    return Block(tuple(actions), tuple(excluded), (), deny=False, condition=None, record_id="")
