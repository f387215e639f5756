"""Permissions of Google Workspace: administrator roles, as the activity reports show them assigned.

An action is ``gworkspace:`` with what "About prebuilt administrator roles" calls it (``data/workspace_roles.csv``). A
role over an organisational unit covers what lies in it, which the reports do not list.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lineage_analytics.permissions import named_roles
from lineage_analytics.permissions.named_roles import Sort, named_book, role_of_holder

if TYPE_CHECKING:
    import polars as pl

    from lineage_analytics.facts import Facts
    from lineage_analytics.permissions.decision import Decision
    from lineage_analytics.permissions.named_roles import NamedBook

PROVIDER = "gworkspace"
PROVIDERS = frozenset({PROVIDER})


def _within(resource: str, scope: str | None) -> bool | None:
    if scope is None:
        return None
    customer, whole = scope.split(":", 2)[1], scope.endswith(":customer")
    if resource.startswith(f"{PROVIDER}:") and not resource.startswith(f"{PROVIDER}:{customer}:"):
        return False
    if whole or resource == scope:
        return True
    return False if resource == "*" else None


SORT = Sort(PROVIDER, "workspace_roles", "the activity reports", lambda _: "", _within, role_of_holder)


def book(facts: Facts) -> NamedBook:
    """Standing assignments of the estate, read once."""
    return named_book(facts, SORT)


def decide(facts: Facts, principal: str, action: str, resource: str) -> Decision:
    """The verdict by the roles the reports saw assigned; what they did not see is unknown, not denied."""
    return book(facts).decide(principal, action, resource)


def permission_rows(facts: Facts) -> pl.DataFrame:
    """``tables.PERMISSIONS`` of the accounts of Google Workspace."""
    return named_roles.permission_rows(facts, book(facts))
