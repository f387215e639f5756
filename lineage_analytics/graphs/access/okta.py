"""Edges of Okta: administrator roles, and what each gives control of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lineage_analytics.graphs.access.role_control import role_edges
from lineage_analytics.permissions.okta import book

if TYPE_CHECKING:
    from lineage_analytics.facts import Facts
    from lineage_analytics.graphs.access.parts import Builder


def edges(facts: Facts, build: Builder) -> None:
    """Who holds which role, and what it controls."""
    role_edges(facts, build, book(facts))
