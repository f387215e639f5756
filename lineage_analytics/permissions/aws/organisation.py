"""Policies of an organisation: what whole accounts may do at most.

An action must be allowed by some service control policy at every level above an account (its own, its units', the
root's), and none may deny it. They do not bind the management account, nor service-linked roles (AWS Organizations
User Guide, "Service control policies"). Resource control policies deny at the resource's account in the same way.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from lineage_analytics.permissions.aws.policies import NEEDED, statement
from lineage_analytics.permissions.aws.principals import native

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lineage_analytics.facts import Facts
    from lineage_analytics.permissions.aws.policies import Statement

SERVICE, RESOURCE = "service_control_policy", "resource_control_policy"
_DEPTH = 16


@dataclass(frozen=True)
class Limit:
    """What one level allows and denies: ``name`` in words, its statements, ``unread`` why they are not all known."""

    name: str
    statements: tuple[Statement, ...]
    unread: str | None
    record_ids: tuple[str, ...]

    @property
    def allows(self) -> tuple[Statement, ...]:
        return tuple(s for s in self.statements if s.allow)

    @property
    def denies(self) -> tuple[Statement, ...]:
        return tuple(s for s in self.statements if not s.allow)


class Organisation:
    """The levels above each account, as far as the loaded export shows them."""

    def __init__(self, facts: Facts) -> None:
        resources = facts.frame("resources").filter(pl.col("provider") == "aws")
        nodes = resources.filter(pl.col("kind").is_in(["account", "organizational_unit", "organization_root",
                                                       "organization_node"])).sort("id", "parent_id", nulls_last=True)
        self._above = dict(nodes.select("id", "parent_id").drop_nulls().unique("id", keep="first").rows())
        self._names = dict(nodes.select("id", "display_name").drop_nulls().rows())
        self._owner = dict(nodes.select("id", "tenant").drop_nulls().rows())
        self._kinds = dict(resources.filter(pl.col("kind").str.ends_with("_policy")).select("id", "kind").rows())
        rows = facts.frame("entitlements").filter(pl.col("provider") == "aws")
        self._held: dict[str, list[tuple[str, str, str]]] = defaultdict(list)
        for node, scope, name, record in rows.filter(
                (pl.col("grant_kind") == "boundary") & (pl.col("origin") == SERVICE)).select(
                "principal_id", "scope", "privilege", "record_id").unique().sort(pl.all()).iter_rows():
            self._held[node].append((scope, name or scope, record or ""))
        self._said = _statements(rows)

    @property
    def loaded(self) -> bool:
        """Is any organisation policy loaded?"""
        return bool(self._held)

    def limits(self, account: str, kind: str = SERVICE) -> tuple[Limit, ...]:
        """The levels that limit an account, its own first; none for the management account and where no policy of
        that kind is known to be attached above it."""
        node = f"aws:{account}:account"
        if self._owner.get(node) == account:
            return ()
        chain: list[str] = []
        seen: set[str] = set()
        while node not in seen and len(chain) < _DEPTH:
            seen.add(node)
            chain.append(node)
            if node not in self._above:
                break
            node = self._above[node]
        if not any(self._of(level, kind) for level in chain):
            return ()
        found = [self._limit(level, kind) for level in chain]
        return tuple(limit for limit in found if kind == SERVICE or limit.statements or limit.unread)

    def _of(self, node: str, kind: str) -> list[tuple[str, str, str]]:
        return [held for held in self._held.get(node, ()) if self._kinds.get(held[0], SERVICE) == kind]

    def _limit(self, node: str, kind: str) -> Limit:
        held = self._of(node, kind)
        name = self._names.get(node) or native(node)[1]
        said: list[Statement] = []
        missing = []
        for scope, label, _ in held:
            statements = self._said.get(scope)
            if statements is None or None in statements:
                missing.append(label)
            said += [one for one in statements or () if one is not None]
        unread = f"policy {', '.join(missing)} of {name} is missing or unreadable in the export" if missing else (
            f"the export shows no policy attached to {name}" if not held and kind == SERVICE else None)
        return Limit(f"the organisation's policies at {name}", tuple(said), unread,
                     tuple(sorted({record for _, _, record in held if record})))


def _statements(rows: pl.DataFrame) -> Mapping[str, list[Statement | None]]:
    found: dict[str, list[Statement | None]] = defaultdict(list)
    said = rows.filter(
        (pl.col("grant_kind") == "statement") & pl.col("principal_id").str.contains(":scp/", literal=True))
    for row in said.select(NEEDED).unique().sort("principal_id", "record_id", "effect", "condition",
                                                 nulls_last=True).iter_rows():
        found[row[0]].append(statement(row, row[2] or row[0]))
    return found
