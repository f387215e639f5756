"""Disjoint sets of ids."""

from __future__ import annotations


class Groups:
    """Ids joined pair by pair; the smallest id of a group stands for it."""

    def __init__(self) -> None:
        self._parent: dict[str, str] = {}

    def of(self, identity: str) -> str:
        """The id that stands for the group of this one."""
        parent = self._parent.setdefault(identity, identity)
        while parent != self._parent[parent]:
            self._parent[identity] = self._parent[parent]
            identity = parent = self._parent[parent]
        return parent

    def join(self, one: str, other: str) -> None:
        first, second = sorted((self.of(one), self.of(other)))
        self._parent[second] = first

    def members(self) -> list[list[str]]:
        """Every group, its ids in order."""
        found: dict[str, list[str]] = {}
        for identity in sorted(self._parent):
            found.setdefault(self.of(identity), []).append(identity)
        return list(found.values())
