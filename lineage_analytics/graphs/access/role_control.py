"""What administrators hold through roles that a provider knows by name: shared by Okta, GitHub, Google Workspace.

A role is a node, held by its assignment and followed. What it gives control of stands in the data file of its provider:
the whole organisation (``<provider>:<tenant>:org``, tier 0), its users, groups, applications, or one place. Whom a role
may not touch, such as super administrators, is not all known from a log: such edges are conditional.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from lineage_analytics.graphs.access.tier0 import is_tier0
from lineage_analytics.permissions.named_roles import split_name

if TYPE_CHECKING:
    from lineage_analytics.facts import Facts
    from lineage_analytics.graphs.access.parts import Builder
    from lineage_analytics.permissions.named_roles import NamedBook, Role
    from lineage_analytics.permissions.roles import Assignment

_KINDS = {"users": ("human", "unknown"), "groups": ("group",), "apps": ("app",)}
_SPARED = {"users": "whether it is a super administrator, whom this role may not touch, is not loaded",
           "groups": "whether it holds an administrator role itself, which this role may not touch, is not loaded"}
PLACES = frozenset({"repo"})


def role_edges(facts: Facts, build: Builder, book: NamedBook) -> None:
    """Roles, what they control, and memberships of groups, which are followed."""
    provider = book.named.sort.provider
    for step in book.groups.steps():
        build.node(step.group, "group")
        build.edge(step.member, "member_of", step.group, f"is a member of {_native(step.group).rsplit('/', 1)[-1]}",
                   [step.record_id], proved=not step.conditional, followed=True, technique="be a member")
    people = accounts_of(facts, provider)
    for holder in sorted(book.assignments):
        for one in book.assignments[holder]:
            if not one.deny:
                _role(build, one, book.named.role(one), people)


def organisation(build: Builder, provider: str, tenant: str, people: dict[tuple[str, str], list[str]]) -> str:
    """The node for everything in an organisation, with an edge to everybody in it."""
    node = f"{provider}:{tenant}:org"
    if not build.has(node):
        build.node(node, "resource", f"everything in {tenant}, {provider}", tenant, provider)
        build.tier0(node)
        for kind in sorted({kind for where, kind in people if where == tenant}):
            for identity in people[tenant, kind]:
                build.edge(node, "controls", identity, "it is an account of the organisation",
                           technique="act as its administrator")
    return node


def _role(build: Builder, one: Assignment, role: Role | None, people: dict[tuple[str, str], list[str]]) -> None:
    tenant, scope = one.holder.split(":", 2)[1], one.scope or ""
    node = build.node(f"{one.provider}:{tenant}:directory_role:{one.role}" + (f":{scope}" if scope else ""),
                      "directory_role", f"{one.role} over {scope}" if scope else one.role, tenant, one.provider)
    limit = split_name(one.role)[1]
    sure = not (one.eligible or one.condition or limit)
    verb = "is eligible for" if one.eligible else "holds"
    build.edge(one.holder, "holds_policy", node, f"{verb} the role {one.role}" + (f" over {scope}" if scope else ""),
               [one.record_id], proved=not (one.eligible or one.condition), followed=True, technique="hold the role")
    for what, how in role.controls if role is not None else ():
        _controls(build, node, one, role, what, how, people, sure=sure)


def _controls(build: Builder, node: str, one: Assignment, role: Role | None, what: str, how: str,
              people: dict[tuple[str, str], list[str]], *, sure: bool) -> None:
    tenant, says = one.holder.split(":", 2)[1], f"{how}: {one.role} may"
    if what == "org":
        whole = organisation(build, one.provider, tenant, people)
        if sure and role is not None and is_tier0(one.provider, "directory_role", role.name):
            build.tier0(node)
        build.edge(node, "controls", whole, says, proved=sure, technique=how)
    elif what in PLACES and one.scope:
        build.node(one.scope, "resource")
        build.edge(node, "controls", one.scope, says, [one.record_id], proved=sure, technique=how)
    elif what in _KINDS:
        spared = _SPARED.get(what)
        over = part_of(build, one.provider, tenant, what, people)
        limited = split_name(one.role)[1]
        doubts = [doubt for doubt in (spared, limited and f"what lies in {limited} is not loaded") if doubt]
        build.edge(node, "controls", over, "; ".join([says, *doubts]), proved=sure and not doubts, technique=how)


def part_of(build: Builder, provider: str, tenant: str, what: str, people: dict[tuple[str, str], list[str]]) -> str:
    """The node for all users, groups or applications of an organisation."""
    over = f"{provider}:{tenant}:scope:{what}"
    if not build.has(over):
        build.node(over, "scope", f"{what} of {tenant}", tenant, provider)
        for kind in _KINDS[what]:
            for identity in people.get((tenant, kind), ()):
                build.edge(over, "controls", identity, f"it is one of the {what} of the organisation")
    return over


def accounts_of(facts: Facts, provider: str) -> dict[tuple[str, str], list[str]]:
    """Identities of a provider by tenant and kind."""
    found: dict[tuple[str, str], list[str]] = {}
    rows = facts.frame("identities").filter((pl.col("provider") == provider) & pl.col("deleted_at").is_null()).select(
        "id", pl.col("kind").fill_null("unknown")).sort("id")
    for identity, kind in rows.iter_rows():
        found.setdefault((identity.split(":", 2)[1], kind), []).append(identity)
    return found


def _native(identity: str) -> str:
    return identity.split(":", 2)[2]
