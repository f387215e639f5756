"""Permissions of GitHub: roles over repositories and organisations, also of teams, as its audit log shows them.

An action is ``github:`` with what "Repository roles for organizations" calls it: ``github:push``, ``github:merge``,
``github:manage_settings`` (``data/github_roles.csv``). A resource is ``github:<organisation>:repo/<id>``,
``owner/name``, or ``*`` for everything in the organisation. One holds one role in a place: the last that is stated.
What everybody of an organisation may do in every repository by its base permission is not in the log.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, cast

import polars as pl

from lineage_analytics.permissions import named_roles
from lineage_analytics.permissions.named_roles import Sort, named_book

if TYPE_CHECKING:
    from lineage_analytics.facts import Facts
    from lineage_analytics.permissions.decision import Decision
    from lineage_analytics.permissions.named_roles import NamedBook
    from lineage_analytics.permissions.roles import Assignment

PROVIDER = "github"
PROVIDERS = frozenset({PROVIDER})
_KINDS = {"repo": "repo:", "org": "org:", "enterprise": "enterprise:", "business": "enterprise:"}


def kind_of(scope: str | None) -> str:
    """What a scope is: repo, org, enterprise."""
    return (scope or "::").split(":", 2)[2].partition("/")[0]


def _within(resource: str, scope: str | None) -> bool | None:
    if scope is None:
        return None
    if resource == scope:
        return True
    tenant, kind = scope.split(":", 2)[1], kind_of(scope)
    if kind == "repo":
        return False
    if resource == "*":
        return True
    if kind == "org":
        return resource.startswith(f"{PROVIDER}:{tenant}:")
    return None  # which organisations an enterprise holds is not loaded


def _key(one: Assignment) -> str | None:
    """A later removal of the member from the place, or of the repository from the team, takes it back."""
    holder, scope = one.holder.split(":", 2)[2], one.scope or "::"
    start = f"{PROVIDER}:{scope.split(':', 2)[1]}:"
    place = scope.split(":", 2)[2]
    return f"{start}{holder}|{place.partition('/')[2]}" if holder.startswith("team/") else f"{start}{place}|{holder}"


SORT = Sort(PROVIDER, "github_roles", "the audit log", lambda scope: _KINDS.get(kind_of(scope), ""), _within, _key,
            single=True)


def book(facts: Facts) -> NamedBook:
    """Standing assignments of the estate, read once."""
    return named_book(facts, SORT)


def repository_names(facts: Facts) -> dict[str, list[str]]:
    """Ids of repositories by ``owner/name`` in lower case: pull requests of the audit log name both."""
    if "github_repositories" not in facts.parts:
        pulls = facts["activity"].filter(
            (pl.col("provider") == PROVIDER) & pl.col("resource_id").str.contains(":pull_request/", literal=True)
        ).select(name=pl.col("resource_id").str.extract(r":pull_request/([^#]+)#"), repository=pl.col(
            "extra_resource_ids").list.first()).filter(pl.col("repository").str.contains(":repo/", literal=True))
        found: dict[str, list[str]] = {}
        for name, repository in pulls.drop_nulls().unique().sort("name", "repository").collect().iter_rows():
            found.setdefault(name, []).append(repository)
        facts.parts["github_repositories"] = found
    return cast("dict[str, list[str]]", facts.parts["github_repositories"])


def decide(facts: Facts, principal: str, action: str, resource: str) -> Decision:
    """The verdict by the roles the log saw given; what it did not see is unknown, not denied. A resource may be written
    ``owner/name`` where the log names one repository so."""
    named = repository_names(facts).get(resource.casefold(), []) if "/" in resource else []
    found = book(facts).decide(principal, action, named[0] if len(named) == 1 else resource)
    return replace(found, resource=resource)


def permission_rows(facts: Facts) -> pl.DataFrame:
    """``tables.PERMISSIONS`` of the accounts of GitHub."""
    return named_roles.permission_rows(facts, book(facts))
