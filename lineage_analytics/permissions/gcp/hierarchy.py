"""Where a resource of Google Cloud lies: in which resource, project, folders and organization.

Resources are full names, such as ``cloudresourcemanager.googleapis.com/projects/p``. What is above one is what an
inventory states as its parent, else what its own name holds: the project in its path, or in the address of a service
account. Where neither tells, the way up ends there, and whether something further up covers the resource is not known.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from lineage_analytics.facts import Facts

PROVIDER = "gcp"
MANAGER = "cloudresourcemanager.googleapis.com"
ACCOUNTS = "iam.googleapis.com/serviceAccounts/"
_CONTAINERS = re.compile(rf"{re.escape(MANAGER)}/(projects|folders|organizations)/([^/]+)")
_SHORT = re.compile(r"(projects|folders|organizations)/[^/]+")
_OF_PROJECT = re.compile(r"[^@]+@(?:([a-z0-9.:-]+)\.iam|developer|appspot)\.gserviceaccount\.com")
_NUMBERED = re.compile(r"(\d{1,20})-compute@")
_AGENT = re.compile(r"(?:service-)?(\d{1,20})@(?:gcp-sa-[a-z0-9-]+\.iam|cloudservices|cloudbuild)"
                    r"\.gserviceaccount\.com$")
_DEEPEST = 64


def bare(identity: str) -> str:
    """The native part of an id."""
    return identity.removeprefix(f"{PROVIDER}::")


@dataclass
class Hierarchy:
    """What lies in what. ``numbers``: project ids by their number; ``emails``: service accounts by numeric id."""

    parents: dict[str, str] = field(default_factory=dict)
    numbers: dict[str, str] = field(default_factory=dict)
    emails: dict[str, str] = field(default_factory=dict)
    _above: dict[str, tuple[tuple[str, ...], bool]] = field(default_factory=dict)

    def name(self, stated: str) -> str:
        """One name for each resource, however it is written: without ``//``, objects by their bucket, a project by
        its id and a service account by its address where these are known."""
        full = bare(stated).removeprefix("//").strip("/")
        if _SHORT.fullmatch(full):
            full = f"{MANAGER}/{full}"
        host, _, path = full.partition("/")
        parts = path.split("/")
        if "serviceAccounts" in parts[:-1]:
            return ACCOUNTS + self.account(parts[parts.index("serviceAccounts") + 1])
        if host == "storage.googleapis.com":
            return f"{host}/buckets/{path.removeprefix('projects/_/').removeprefix('buckets/').split('/')[0]}"
        if "projects" in parts[:-1]:
            at = parts.index("projects") + 1
            parts[at] = self.project(parts[at])
        return "/".join([host, *parts]) if path else full

    def project(self, stated: str) -> str:
        return self.numbers.get(stated, stated)

    def account(self, stated: str) -> str:
        return self.emails.get(stated, stated.lower())

    def project_of(self, email: str) -> str | None:
        """The project a service account lies in, by its address; None where that does not say, as of service agents,
        which lie in projects of Google."""
        found = _OF_PROJECT.fullmatch(email)
        if found is None or (found[1] or "").startswith("gcp-sa-"):
            return None
        if found[1]:
            return found[1]
        number = _NUMBERED.match(email)
        return self.project(number[1]) if number else email.partition("@")[0]

    def served_by(self, email: str) -> str | None:
        """The project that a service agent of Google works for, by the number in its address; None: it is none."""
        found = _AGENT.match(email)
        return self.project(found[1]) if found else None

    def _parent(self, full: str) -> str | None:
        """What a resource lies in, one step up; None: an organization, or not known."""
        if full in self.parents:
            return self.parents[full]
        if _CONTAINERS.fullmatch(full):
            return None
        if full.startswith(ACCOUNTS):
            project = self.project_of(full.removeprefix(ACCOUNTS))
            return f"{MANAGER}/projects/{project}" if project else None
        host, _, path = full.partition("/")
        parts = path.split("/")
        if len(parts) >= 4 and parts[0] in ("projects", "folders", "organizations"):
            up = parts[:-2] if len(parts) % 2 == 0 else parts[:-1]
            return f"{MANAGER}/{'/'.join(up)}" if len(up) == 2 else f"{host}/{'/'.join(up)}"
        return f"{MANAGER}/{'/'.join(parts[:2])}" if len(parts) == 3 and parts[0] == "projects" else None

    def above(self, full: str) -> tuple[tuple[str, ...], bool]:
        """Everything the resource lies in, nearest first, and whether that goes up to an organization."""
        if full not in self._above:
            found: list[str] = []
            up = self._parent(full)
            while up is not None and up not in found and up != full and len(found) < _DEEPEST:
                found.append(up)
                up = self._parent(up)
            top = found[-1] if found else full
            self._above[full] = tuple(found), top.startswith(f"{MANAGER}/organizations/")
        return self._above[full]

    def within(self, resource: str, scope: str) -> bool | None:
        """Does the resource lie in the scope? Both as ``name`` writes them. None: the way up is not loaded."""
        if resource == "*":
            return scope.startswith(f"{MANAGER}/organizations/")
        above, whole = self.above(resource)
        if scope == resource or scope in above:
            return True
        over = _CONTAINERS.fullmatch(scope)
        if whole or over is None:
            return False
        project = next((one for one in (resource, *above) if one.startswith(f"{MANAGER}/projects/")), None)
        if over[1] != "projects" or project is None:
            return None if not (over[1] == "projects" and resource.startswith((f"{MANAGER}/folders/",))) else False
        mine, theirs = project.rpartition("/")[2], over[2]
        return None if mine.isdigit() != theirs.isdigit() else False


def hierarchy(facts: Facts) -> Hierarchy:
    """The hierarchy the inventory of an estate states."""
    found = Hierarchy()
    listed = facts.frame("resources").filter(pl.col("provider") == PROVIDER).select(
        "id", "kind", "parent_id", "attributes", "tenant").unique().sort("id", "parent_id", "kind", nulls_last=True)
    for identity, kind, _, attributes, _ in listed.iter_rows():
        number = _number(attributes) if kind == "project" else None
        if number:
            found.numbers.setdefault(number, bare(identity).rpartition("/")[2])
    for identity, alt_ids in facts.frame("identities").filter(
            pl.col("provider") == PROVIDER).select("id", "alt_ids").sort("id").iter_rows():
        email = next((alt["value"] for alt in alt_ids or () if alt["kind"] == "email"), None)
        if email and bare(identity).isdigit():
            found.emails.setdefault(bare(identity), email.lower())
    for identity, kind, parent, _, tenant in listed.iter_rows():
        own = found.name(identity)
        if kind == "role" or "/" not in own:
            continue
        if parent is not None:
            found.parents.setdefault(own, found.name(parent))
        elif tenant and own.startswith("storage.googleapis.com/buckets/"):
            found.parents.setdefault(own, f"{MANAGER}/projects/{found.project(tenant)}")
    return found


def _number(attributes: str | None) -> str | None:
    try:
        stated = json.loads(attributes or "{}")
    except ValueError:
        return None
    return str(stated["number"]) if isinstance(stated, dict) and stated.get("number") else None
