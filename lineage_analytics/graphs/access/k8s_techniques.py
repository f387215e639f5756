"""What the roles of a Kubernetes principal let it take over, by the techniques of ``k8s_control_actions.csv``."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from typing import TYPE_CHECKING

from lineage_analytics.graphs.access.tier0 import is_tier0
from lineage_analytics.permissions.datafiles import rows
from lineage_analytics.permissions.k8s.rules import matches, namespace_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from lineage_analytics.permissions.k8s.rules import KubernetesBook
    from lineage_analytics.permissions.roles import Assignment, Held

_ALL = frozenset({"*"})
_RBAC = "rbac.authorization.k8s.io"
_SIGNER = "kubernetes.io/kube-apiserver-client"


@dataclass(frozen=True)
class Technique:
    """One row of the data file: each of ``needs`` is a set of actions of which one suffices."""

    needs: tuple[tuple[str, ...], ...]
    over: str
    target: str
    proved: bool
    words: str


@dataclass(frozen=True)
class Found:
    """A technique that a principal can use: where (None: in the whole cluster), on which names, by what it holds."""

    technique: Technique
    namespace: str | None
    names: frozenset[str]
    by: tuple[Held, ...]
    proved: bool


Meeting = dict[tuple[str, ...], "list[tuple[Held, frozenset[str]]]"]


@lru_cache(maxsize=1)
def techniques() -> tuple[Technique, ...]:
    """The data file, an action's verbs written out."""
    table = rows("k8s_control_actions", ("needs", "over", "target", "state", "technique"))
    return tuple(Technique(tuple(_written_out(need) for need in row["needs"].split()), row["over"], row["target"],
                           row["state"] == "proved", row["technique"]) for row in table)


def _written_out(need: str) -> tuple[str, ...]:
    _, verbs, over = need.split(":", 2)
    return tuple(f"k8s:{verb}:{over}" for verb in verbs.split("|"))


class Powers:
    """Which needs each role meets, each role looked at once."""

    def __init__(self, book: KubernetesBook) -> None:
        self.book = book
        self._needs = sorted({need for technique in techniques() for need in technique.needs})
        self._met: dict[tuple[str, str], Mapping[tuple[str, ...], frozenset[str]]] = {}

    def met(self, assignment: Assignment) -> Mapping[tuple[str, ...], frozenset[str]]:
        """The needs a role meets, with the names of the objects it meets them for, ``*`` for all."""
        key = (assignment.role, assignment.scope or assignment.holder)
        if key not in self._met:
            found: dict[tuple[str, ...], set[str]] = {}
            for block in self.book.rules.blocks(assignment) or ():
                names = set(block.resources) or {"*"}
                for need in self._needs:
                    if any(matches(pattern, action) for pattern, action in product(block.actions, need)):
                        found.setdefault(need, set()).update(names)
            self._met[key] = {need: _ALL if "*" in names else frozenset(names) for need, names in found.items()}
        return self._met[key]

    def of(self, principal: str) -> Iterator[Found]:
        """Every technique the principal can use; in a namespace only what it cannot use in the whole cluster."""
        held = [one for one in self.book.held(principal) if not one.assignment.deny and self.met(one.assignment)]
        if not held:
            return
        by_namespace: dict[str | None, list[Held]] = {None: []}
        for one in held:
            by_namespace.setdefault(namespace_of(one.assignment.scope), []).append(one)
        whole = self._meeting(by_namespace.pop(None))
        parts = {namespace: self._meeting(there) for namespace, there in by_namespace.items()}
        for technique in techniques():
            everywhere = self._usable(technique, whole, {}, None)
            if everywhere is not None:
                yield everywhere
            if technique.over == "cluster" or (everywhere is not None and everywhere.names == _ALL):
                continue
            for namespace in sorted(parts, key=str):
                if any(need in parts[namespace] for need in technique.needs):
                    here = self._usable(technique, parts[namespace], whole, namespace)
                    if here is not None:
                        yield here

    def _meeting(self, held: Iterable[Held]) -> Meeting:
        """By need, the assignments that meet it, with the names they meet it for; sure ones before conditional ones."""
        found: Meeting = {}
        for one in sorted(held, key=lambda one: one.conditional):
            for need, names in self.met(one.assignment).items():
                found.setdefault(need, []).append((one, names))
        return found

    def _usable(self, technique: Technique, first: Meeting, second: Meeting, namespace: str | None) -> Found | None:
        """The technique by these assignments; None: some need is not met."""
        names, by = _ALL, []
        for need in technique.needs:
            usable = [(one, found) for one, found in (*first.get(need, ()), *second.get(need, ()))
                      if _useful(technique, need, found)]
            if not usable:
                return None
            one, found = next(((one, found) for one, found in usable if found == _ALL), usable[0])
            by.append(one)
            if found != _ALL and technique.target in ("accounts", "users") and "signers" not in need[0]:
                names = frozenset().union(*(found for _, found in usable))
        proved = technique.proved and not any(one.conditional for one in by)
        return Found(technique, namespace, names, tuple(dict.fromkeys(by)), proved)


def _useful(technique: Technique, need: tuple[str, ...], names: frozenset[str]) -> bool:
    """Whether a need met for some names leads anywhere: what is created has no name yet, and to bind a role gives no
    more than that role."""
    if names == _ALL:
        return True
    verb, over = need[0].split(":", 2)[1:]
    if verb == "bind":
        return any(is_tier0("k8s", "role", f"clusterroles/{name}") for name in names)
    if verb == "approve":
        return _SIGNER in names
    if verb == "impersonate":
        return technique.target != "cluster" or "system:masters" in names or not over.endswith("groups")
    return over == "core/serviceaccounts/token" or over.startswith(_RBAC)
