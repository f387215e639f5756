"""Questions to a directory: each language of action has its rules, all read the same grants and memberships."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, cast

import polars as pl

from lineage_analytics.permissions.decision import DENIED, UNKNOWN, Because, Decision
from lineage_analytics.permissions.entra.assignments import EVERYONE, PROVIDER, read_grants, subscription
from lineage_analytics.permissions.entra.datafiles import on_data
from lineage_analytics.permissions.entra.definitions import DataBlock, Definitions, permitted
from lineage_analytics.permissions.entra.languages import AZURE, DIRECTORY, PERMISSION, azure_covers, directory_covers
from lineage_analytics.permissions.entra.objects import GRAPH_APP, Names, Objects, native_of, tenant_of
from lineage_analytics.permissions.entra.protected import Protected
from lineage_analytics.permissions.entra.scopes import Scopes, path_of
from lineage_analytics.permissions.entra.vaults import Vaults
from lineage_analytics.permissions.memberships import memberships
from lineage_analytics.permissions.roles import Block, Book, Held

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lineage_analytics.facts import Facts
    from lineage_analytics.permissions.roles import Assignment

UNITS = "/administrativeunits/"
_WANTED = {DIRECTORY: "directory role assignments (directoryRoles with members, or roleAssignments)",
           PERMISSION: "application permissions (appRoleAssignments, oauth2PermissionGrants)",
           AZURE: "Azure role assignments"}
_NAMED, _MOST = 3, 20
# What the permissions of Microsoft Graph that speak of the directory begin with.
_OF_DIRECTORY = frozenset({
    "administrativeunit", "agentidentity", "agentidentityblueprint", "application", "approleassignment",
    "delegatedpermissiongrant", "device", "directory", "domain", "group", "groupmember", "identityprovider",
    "organization", "policy", "privilegedaccess", "rolemanagement", "roleassignmentschedule", "roleeligibilityschedule",
    "rolemanagementpolicy", "user", "user-passwordprofile", "userauthenticationmethod"})


class Estate:
    """What is loaded of Entra and Azure, read once and kept in ``facts.parts``."""

    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        self.objects = Objects(facts)
        self.names = Names(facts)
        self.grants = read_grants(facts, self.objects, self.names)
        self.definitions = Definitions(facts)
        self.scopes = Scopes(facts)
        self.groups = memberships(facts, [PROVIDER], eligible=True)
        self.protected = Protected(self.objects, self.grants, self.groups)
        self.vaults = Vaults(facts, self.groups)
        self.books = {language: EntraBook(self, language) for language in (DIRECTORY, AZURE, PERMISSION)}

    @cached_property
    def members(self) -> dict[str, list[str]]:
        """Who is listed in a group or an administrative unit, by its id in lower case."""
        rows = self.facts.frame("entitlements").filter(
            (pl.col("provider") == PROVIDER) & (pl.col("grant_kind") == "membership")
        ).select("scope", "principal_id").drop_nulls().unique().sort(pl.all())
        found: dict[str, list[str]] = defaultdict(list)
        for scope, member in rows.iter_rows():
            found[native_of(scope).rsplit("/", 1)[-1].lower()].append(member)
        return dict(found)


def estate(facts: Facts) -> Estate:
    """The estate's Entra and Azure grants, read once."""
    if "entra" not in facts.parts:
        facts.parts["entra"] = Estate(facts)
    return cast("Estate", facts.parts["entra"])


class Asked:
    """The rules of one language (``roles.Rules``)."""

    providers = frozenset({PROVIDER})

    def __init__(self, have: Estate, language: str) -> None:
        self.have = have
        self.language = language

    def matches(self, pattern: str, action: str) -> bool:
        if self.language == AZURE:
            return azure_covers(pattern, action)
        return directory_covers(pattern, action) if self.language == DIRECTORY else (
            pattern.casefold() == action.casefold())

    def within(self, resource: str, scope: str | None) -> bool | None:
        tenant, _, place = resource.partition("|")
        if self.language == AZURE:
            return None if scope is None else self.have.scopes.within(place, path_of(scope), tenant)
        if self.language == PERMISSION:
            return place in {"*", scope}
        return self._in_directory(place, scope or "/")

    def _in_directory(self, resource: str, scope: str) -> bool | None:
        """Over the directory, an administrative unit, or one object."""
        if scope == "/":
            return True
        if resource == "*":
            return False
        last = native_of(scope).rsplit("/", 1)[-1].lower()
        if not scope.lower().startswith(UNITS):
            return native_of(resource).lower() == last
        listed = self.have.members.get(last)
        return None if listed is None else resource in listed

    def blocks(self, assignment: Assignment) -> tuple[Block, ...] | None:
        return self.said(assignment)[0]

    def said(self, assignment: Assignment) -> tuple[tuple[Block, ...] | None, bool]:
        """What the role allows, and whether that is all of it."""
        if self.language == AZURE:
            return self.have.definitions.azure(assignment)
        if self.language == PERMISSION:
            return (Block((assignment.role,), (), (), deny=False, condition=None, record_id=""),), True
        if assignment.scope is None:  # an application permission, which covers the whole directory
            return permitted(assignment.role), False
        return self.have.definitions.directory(assignment)

    def everybody(self, principal: str) -> tuple[str, ...]:
        return (f"{PROVIDER}:{tenant_of(principal)}:{EVERYONE}",) if self.language == AZURE else ()

    def missing(self, principal: str, resource: str) -> str | None:
        tenant, place = tenant_of(principal), resource.partition("|")[2]
        known = self.have.objects.by_id.get(principal)
        software = self.language == DIRECTORY and (known is None or known.sort not in {"user", "group"})
        for language in (self.language, *([PERMISSION] if software else [])):
            if tenant not in self.have.grants.inventoried[language]:
                return f"no inventory of {_WANTED[language]} of directory {tenant or 'not stated'} is loaded"
        within = subscription(place) if self.language == AZURE else None
        if within is not None and (tenant, within) not in self.have.grants.subscriptions:
            return f"no inventory of role assignments of {within} is loaded"
        return None


class EntraBook(Book):
    """Grants of one language, with what only directories know: who is protected, and which groups pass roles on."""

    def __init__(self, have: Estate, language: str) -> None:
        self.have = have
        self.language = language
        self.rules = self._asked = Asked(have, language)
        self.groups = have.groups
        self.assignments = have.grants.held[language]
        if language == DIRECTORY:  # what an application may call is what it may do in the directory
            self.assignments = {holder: list(found) for holder, found in self.assignments.items()}
            for holder, found in have.grants.held[PERMISSION].items():
                self.assignments.setdefault(holder, []).extend(
                    replace(one, scope=None) for one in found if speaks_of_directory(have.objects, one))

    def held(self, principal: str) -> Iterator[Held]:
        """As ``Book.held``; a denial spares its exceptions, and groups in groups pass on Azure roles only: a directory
        role or a permission of a group reaches its members, and whoever may activate the membership of one of them."""
        for held in super().held(principal):
            spared = self.have.grants.excepted.get(held.assignment.record_id) if held.assignment.deny else None
            if spared and spared & {native_of(one) for one in (principal, *self.groups.above(principal))}:
                continue
            if self.language != AZURE and len(held.groups) > 1:
                chain = self.groups.chain(principal, held.assignment.holder)
                if not all(step.conditional for step in chain[1:]):
                    continue
            yield held

    def whole(self, assignment: Assignment) -> bool:
        return self._asked.said(assignment)[1]

    def covers(self, block: Block, action: str, resource: str) -> bool:
        if self.language == AZURE and isinstance(block, DataBlock) != on_data(action) and (
                not isinstance(block, DataBlock) or "*" in "".join(block.actions)):
            return False
        return super().covers(block, action, resource)

    def _weigh(self, held: Held, action: str, resource: str, found: dict[str, list[Because]]) -> None:
        if self._guard(held, action, resource) is None and not (
                self.language == DIRECTORY and held.assignment.scope is None and not writes(held.assignment.role)
                and not action.casefold().endswith("read")):
            super()._weigh(held, action, resource, found)

    def _guard(self, held: Held, action: str, resource: str) -> str | None:
        """What keeps a role from an object in its scope."""
        if self.language != DIRECTORY:
            return None
        return self.have.protected.against(held.assignment.role, action, resource.partition("|")[2])

    def decide(self, principal: str, action: str, resource: str) -> Decision:
        """The verdict; where it would be denied, groups whose members are not loaded leave it unknown. A denial for
        want of a grant names what is granted elsewhere."""
        found = super().decide(principal, action, resource)
        if found.verdict != DENIED or found.because[0].effect == "deny":
            return found
        unlisted = self._unlisted(action, resource)
        if unlisted:
            more = f" and {len(unlisted) - _NAMED} more" if len(unlisted) > _NAMED else ""
            named = ", ".join(unlisted[:_NAMED])
            return replace(found, verdict=UNKNOWN, because=(
                Because("missing", f"it is granted to groups whose members are not loaded: {named}{more}"),))
        elsewhere = tuple(self._elsewhere(principal, action, resource))[:_MOST]
        return replace(found, because=elsewhere or found.because)

    def _elsewhere(self, principal: str, action: str, resource: str) -> Iterator[Because]:
        """Grants of the action that do not reach the resource."""
        for held in self.held(principal):
            if held.assignment.deny or not any(
                    self.covers(block, action, resource) for block in self.rules.blocks(held.assignment) or ()):
                continue
            guard = self._guard(held, action, resource) or "the resource lies outside of that"
            records = tuple(record for record in (held.assignment.record_id, *held.records) if record)
            yield Because("limit", f"{held.says()}: {guard}", records)

    def _unlisted(self, action: str, resource: str) -> list[str]:
        """Groups that are granted the action and whose members no record lists."""
        named = []
        for holder in self.assignments:
            known = self.have.objects.by_id.get(holder)
            if known is not None and known.kind == "group" and native_of(holder).lower() not in self.have.members:
                weighed: dict[str, list[Because]] = defaultdict(list)
                for held in self.held(holder):
                    self._weigh(held, action, resource, weighed)
                if weighed["allow"] or weighed["maybe_allow"] or weighed["unread"]:
                    named.append(known.label or holder)
        return sorted(named)


def speaks_of_directory(objects: Objects, assignment: Assignment) -> bool:
    """Is it a permission of Microsoft Graph over objects of the directory?"""
    graph = objects.app_of(assignment.scope or "") in (None, GRAPH_APP)
    return graph and assignment.role.casefold().split(".", 1)[0] in _OF_DIRECTORY


def writes(permission: str) -> bool:
    """May a permission change something? Those that only read stand for no change in the directory."""
    return ".read." not in f"{permission.casefold()}."
