"""Edges of Entra: membership, directory roles and what they control, application permissions, owners, agents.

A role, and a permission of Microsoft Graph that gives control, is one node that its holders hold and that controls what
``permissions/data`` says; a role over a part of the directory controls what is listed in that part. Membership is
followed, and so is holding what controls something. Eligible roles and memberships are conditional: they must be
activated. Entra lets no group be a member of a group that holds directory roles, so that membership is followed
through any nesting.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from lineage_analytics.graphs.access.entra_targets import Targets
from lineage_analytics.graphs.access.tier0 import is_tier0
from lineage_analytics.permissions.entra.assignments import OWNER
from lineage_analytics.permissions.entra.book import UNITS, estate
from lineage_analytics.permissions.entra.datafiles import directory_power, directory_roles, graph_permissions
from lineage_analytics.permissions.entra.languages import DIRECTORY, PERMISSION
from lineage_analytics.permissions.entra.objects import GRAPH_APP, native_of, tenant_of

if TYPE_CHECKING:
    from lineage_analytics.facts import Facts
    from lineage_analytics.graphs.access.parts import Builder
    from lineage_analytics.permissions.entra.book import Estate
    from lineage_analytics.permissions.entra.datafiles import Reach
    from lineage_analytics.permissions.roles import Assignment

_OWNING = {"application": "add a credential to the application", "group": "join the group",
           "service principal": "add a credential to the service principal"}


def edges(facts: Facts, build: Builder) -> None:
    """All edges of Entra principals; those over Azure resources are in ``azure``."""
    have = estate(facts)
    targets = Targets(have, build)
    _memberships(have, build)
    for held in have.grants.held[DIRECTORY].values():
        for one in held:
            if one.role.startswith(OWNER):
                _owner(have, build, one)
            else:
                _role(have, build, targets, one)
    for held in have.grants.held[PERMISSION].values():
        for one in held:
            _permission(have, build, targets, one)
    _applications(have, build)
    _sponsors(facts, have, build)


def _memberships(have: Estate, build: Builder) -> None:
    for step in have.groups.steps():
        build.node(step.group, "group")
        label = _label(have, step.group)
        words = f"is a member of {label}" if not step.conditional else f"may become a member of {label}"
        build.edge(step.member, "member_of", step.group, words, [step.record_id], proved=not step.conditional,
                   technique="activate the membership" if step.conditional else "be a member", followed=True)


def _label(have: Estate, identity: str) -> str:
    known = have.objects.by_id.get(identity)
    return known.label if known is not None and known.label else native_of(identity)


def _owner(have: Estate, build: Builder, one: Assignment) -> None:
    owned = have.objects.by_id.get(one.scope or "")
    if one.scope is None:
        return
    technique = _OWNING.get(owned.sort if owned else "", "change it as its owner")
    build.edge(one.holder, "controls", one.scope, f"{technique}: owns {_label(have, one.scope)}", [one.record_id],
               proved=_sure(one), technique=technique)


def _sure(one: Assignment) -> bool:
    return not (one.eligible or one.doubt or one.condition)


def _role(have: Estate, build: Builder, targets: Targets, one: Assignment) -> None:
    """The role as a node that its holder holds."""
    tenant, scope = tenant_of(one.holder), one.scope or "/"
    whole = scope == "/"
    node = f"entra:{tenant}:directory_role:{one.role}" + ("" if whole else f":{scope}")
    if not build.has(node):
        build.node(node, "directory_role", one.role if whole else f"{one.role} over {scope}", tenant, "entra")
        if whole and is_tier0("entra", "directory_role", one.role):
            build.tier0(node)
        _reach_of_role(have, build, targets, one, node)
    over = "" if whole else f" over {scope}"
    words, technique = ("is eligible for", "activate the role") if one.eligible else ("holds", "hold the role")
    build.edge(one.holder, "holds_policy", node, f"{words} the directory role {one.role}{over}"
               + (f", {one.doubt}" if one.doubt else ""), [one.record_id], proved=_sure(one), technique=technique,
               followed=True)


def _reaches(have: Estate, one: Assignment) -> tuple[Reach, ...]:
    """What a role gives control of: built-in ones by the data file, others by the actions of their definition."""
    built_in = directory_roles().get(one.role.casefold())
    if built_in is not None:
        return built_in.reaches
    blocks = have.definitions.loaded(tenant_of(one.holder), DIRECTORY, one.role) or ()
    found = {reach for block in blocks for pattern in block.actions for power in directory_power(pattern)
             for reach in power.reaches}
    return tuple(sorted(found, key=lambda reach: (reach.what, not reach.sure, reach.technique)))


def _reach_of_role(have: Estate, build: Builder, targets: Targets, one: Assignment, node: str) -> None:
    tenant, scope = tenant_of(one.holder), one.scope or "/"
    for reach in _reaches(have, one):
        says = f"{reach.technique}: {one.role} may"
        if scope == "/":
            for target, sure in targets.reached(tenant, one.role, reach):
                build.edge(node, "controls", target, says, proved=sure, technique=reach.technique)
            continue
        for identity in _inside(have, tenant, scope):
            known = have.objects.by_id.get(identity)
            if known is not None and targets.covers(known, one.role, reach):
                build.edge(node, "controls", identity, f"{says} over {scope}", proved=reach.sure,
                           technique=reach.technique)


def _inside(have: Estate, tenant: str, scope: str) -> list[str]:
    """What lies in a part of the directory: the listed members of a unit, or the one object."""
    last = native_of(scope).rsplit("/", 1)[-1].lower()
    return have.members.get(last, []) if scope.lower().startswith(UNITS) else [f"entra:{tenant}:{last}"]


def _permission(have: Estate, build: Builder, targets: Targets, one: Assignment) -> None:
    """A permission of Microsoft Graph as a node; delegated ones work through a signed-in user: conditional."""
    power = graph_permissions().get(one.role.casefold())
    if power is None or not power.reaches or have.objects.app_of(one.scope or "") not in (None, GRAPH_APP):
        return
    tenant = tenant_of(one.holder)
    node = f"entra:{tenant}:permission:{power.name}"
    if not build.has(node):
        build.node(node, "policy", f"Microsoft Graph {power.name}", tenant, "entra")
        for reach in power.reaches:
            for target, sure in targets.reached(tenant, power.name, reach):
                build.edge(node, "controls", target, f"{reach.technique}: {power.name} may", proved=sure,
                           technique=reach.technique)
    build.edge(one.holder, "holds_policy", node, f"holds the permission {power.name} of Microsoft Graph"
               + (f", {one.doubt}" if one.doubt else ""), [one.record_id], proved=_sure(one),
               technique="call Microsoft Graph", followed=True)


def _applications(have: Estate, build: Builder) -> None:
    """Who signs in with whose credentials: an application as its service principals, a blueprint as its agents, an
    agent as its user."""
    for (_, app), found in sorted(have.objects.by_app.items()):
        registered = [one for one in found if one.sort == "application"]
        for one in registered:
            for other in found:
                if other.sort == "service principal" and other.subkind != "agent_identity":
                    build.edge(one.id, "may_assume", other.id, f"both have the application id {app}",
                               [*one.records, *other.records], technique="sign in as its service principal")
    for one in have.objects.by_id.values():
        parent = have.objects.parent(one)
        if parent is not None and one.kind == "ai_agent" and parent.id != one.id:
            technique = ("sign in as its user account" if one.subkind == "agent_user" else
                         "sign in as the agent with its blueprint's credentials")
            says = f"{_label(have, one.id)} derives from {_label(have, parent.id)}"
            build.edge(parent.id, "may_assume", one.id, says, one.records, technique=technique)


def _sponsors(facts: Facts, have: Estate, build: Builder) -> None:
    """Sponsors of agents decide on their lifecycle, owners on their credentials, too."""
    rows = facts.frame("identities").filter((pl.col("provider") == "entra") & pl.col("owner").is_not_null()).select(
        "id", "owner", "record_ids").sort("id")
    for identity, owners, records in rows.iter_rows():
        known = have.objects.by_id[identity]
        if known.kind != "ai_agent" and known.subkind != "agent_blueprint":
            continue
        for owner in owners:
            if owner["id"] and owner["basis"] in {"owner", "sponsor"}:
                sponsor = owner["basis"] == "sponsor"
                technique = "decide on its lifecycle as its sponsor" if sponsor else "change it as its owner"
                says = f"{technique}: {owner['basis']} of {_label(have, identity)}"
                build.edge(owner["id"], "controls", identity, says, records or [], proved=not sponsor,
                           technique=technique)
