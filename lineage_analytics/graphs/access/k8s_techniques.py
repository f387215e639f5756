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
    from collections.abc import Iterator, Mapping

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
    sure: bool

    @property
    def proved(self) -> bool:
        return self.sure and self.technique.proved


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
        whole = by_namespace.pop(None)
        for technique in techniques():
            everywhere = self._surest(technique, whole, None)
            yield from everywhere
            if technique.over == "cluster" or any(one.names == _ALL and one.sure for one in everywhere):
                continue
            for namespace in sorted(by_namespace, key=str):
                there = by_namespace[namespace]
                if any(need in self.met(one.assignment) for one in there for need in technique.needs):
                    yield from self._surest(technique, [*there, *whole], namespace)

    def _surest(self, technique: Technique, held: list[Held], namespace: str | None) -> list[Found]:
        """The technique by assignments that surely hold, and by all where that gives more."""
        sure = self._usable(technique, [one for one in held if not one.conditional], namespace)
        if (sure is not None and sure.names == _ALL) or not any(one.conditional for one in held):
            return [sure] if sure is not None else []
        some = self._usable(technique, held, namespace)
        return [one for one in (sure, some) if one is not None]

    def _usable(self, technique: Technique, held: list[Held], namespace: str | None) -> Found | None:
        """The technique by these assignments; None: some need is not met."""
        names: frozenset[str] = _ALL
        by: list[Held] = []
        for need in technique.needs:
            usable = [(one, met[need]) for one in held
                      if need in (met := self.met(one.assignment)) and _useful(technique, need, met[need])]
            if not usable:
                return None
            whole = next((one for one, found in usable if found == _ALL), None)
            if whole is not None or technique.target not in ("accounts", "users") or "signers" in need[0]:
                by.append(whole or usable[0][0])
            else:
                by += [one for one, _ in usable]
                names = frozenset().union(*(found for _, found in usable))
        sure = not any(one.conditional for one in by)
        return Found(technique, namespace, names, tuple(dict.fromkeys(by)), sure)


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
