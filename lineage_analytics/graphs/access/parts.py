"""The access graph while it is built: nodes and edges, each once, whatever order the facts come in."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import polars as pl

from lineage_analytics import tables
from lineage_analytics.graphs.access.tier0 import weight
from lineage_analytics.permissions.aws.principals import native

if TYPE_CHECKING:
    from collections.abc import Iterable

_REASONS, _RECORDS = 3, 20
FOLLOWED = frozenset({"may_assume", "controls"})
_TECHNIQUES = {"may_assume": "assume the role", "holds_policy": "hold the role or policy", "member_of": "be a member",
               "bounded_by": "be limited by it", "owns": "own it", "authenticates_with": "sign in with it"}


@dataclass
class Edge:
    """What is known of one edge: per reason its records and technique; proved once one reason needs no condition."""

    proved: dict[str, set[str]] = field(default_factory=dict)
    conditional: dict[str, set[str]] = field(default_factory=dict)
    techniques: dict[str, str] = field(default_factory=dict)
    followed: bool = False


@dataclass
class Builder:
    """Collects nodes and edges; an edge said twice keeps every reason, and is proved if one of them is."""

    _nodes: dict[str, tuple[str, str | None, str, str]] = field(default_factory=dict)
    _tier0: set[str] = field(default_factory=set)
    _edges: dict[tuple[str, str, str], Edge] = field(default_factory=dict)

    def node(self, identity: str, kind: str, label: str | None = None, tenant: str | None = None,
             provider: str | None = None) -> str:
        """Adds a node unless it is there; a kind of unknown gives way to a better one."""
        before = self._nodes.get(identity)
        if before is None or (before[0] == "unknown" and kind != "unknown"):
            parts = identity.split(":", 2)
            stated = parts[1] if len(parts) == 3 and parts[1] != "service" else ""
            self._nodes[identity] = (kind, label or native(identity)[1], tenant or stated,
                                     provider or (parts[0] if len(parts) == 3 else ""))
        return identity

    def tier0(self, identity: str) -> None:
        self._tier0.add(identity)

    def has(self, identity: str) -> bool:
        return identity in self._nodes

    def edge(self, src: str, rel: str, dst: str, reason: str, records: Iterable[str | None] = (), *,
             proved: bool = True, technique: str | None = None, followed: bool | None = None) -> None:
        """Adds a reason for an edge.

        ``technique`` says what it takes to go along it; ``followed`` whether one who acts as ``src`` can act as or over
        ``dst`` by it: so are ``may_assume`` and ``controls`` unless stated otherwise, others only where stated.
        """
        edge = self._edges.setdefault((src, rel, dst), Edge())
        edge.followed |= rel in FOLLOWED if followed is None else followed
        edge.techniques.setdefault(reason, technique or _TECHNIQUES.get(rel) or reason.split(":", 1)[0])
        into = edge.proved if proved else edge.conditional
        into.setdefault(reason, set()).update(record for record in records if record)

    def nodes(self) -> pl.DataFrame:
        """``tables.NODES``, by id; also ends of edges nobody described, with kind unknown."""
        for src, _, dst in self._edges:
            for end in (src, dst):
                if end not in self._nodes:
                    self.node(end, "unknown")
        rows = [(identity, kind, label, identity in self._tier0, weight(kind, tier0=identity in self._tier0),
                 tenant or None, provider or None)
                for identity, (kind, label, tenant, provider) in sorted(self._nodes.items())]
        return pl.DataFrame(rows, schema=tables.NODES.schema, orient="row")

    def edges(self) -> pl.DataFrame:
        """``tables.EDGES``, by ends and relation."""
        rows = []
        for (src, rel, dst), edge in sorted(self._edges.items()):
            said = edge.proved or edge.conditional
            reasons = sorted(said)
            more = f"; and {len(reasons) - _REASONS} more" if len(reasons) > _REASONS else ""
            records = sorted({record for reason in reasons for record in said[reason]})[:_RECORDS]
            rows.append((src, dst, rel, "proved" if edge.proved else "conditional", edge.techniques[reasons[0]],
                         edge.followed, "; ".join(reasons[:_REASONS]) + more, records))
        return pl.DataFrame(rows, schema=tables.EDGES.schema, orient="row")
