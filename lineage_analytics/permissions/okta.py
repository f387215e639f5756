"""Permissions of Okta: administrator roles of users, groups and applications, as its System Log shows them (sources 5).

An action is a permission of Okta, such as ``okta.users.credentials.resetPassword``. A resource is an id of Okta, or
``*``. A role that the log limits (``Group administrator (Sales)``) covers what lies in that place, which is not loaded.
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

PROVIDER = "okta"
PROVIDERS = frozenset({PROVIDER})


def _within(resource: str, scope: str | None) -> bool | None:
    """The whole organisation covers everything in it; a part of it is not loaded."""
    if scope is None:
        return None
    organisation, _, place = scope.partition(":org")
    inside = resource == "*" or resource.startswith(f"{organisation}:") or not resource.startswith(f"{PROVIDER}:")
    return (None if place and resource != "*" else not place) if inside else False


SORT = Sort(PROVIDER, "okta_roles", "the System Log", lambda _: "", _within, role_of_holder)


def book(facts: Facts) -> NamedBook:
    """Standing assignments of the estate, read once."""
    return named_book(facts, SORT)


def decide(facts: Facts, principal: str, action: str, resource: str) -> Decision:
    """The verdict by the roles the log saw granted; what it did not see is unknown, not denied."""
    return book(facts).decide(principal, action, resource)


def permission_rows(facts: Facts) -> pl.DataFrame:
    """``tables.PERMISSIONS`` of the users and applications of Okta."""
    return named_roles.permission_rows(facts, book(facts))


