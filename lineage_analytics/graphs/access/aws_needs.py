"""Actions that are needed together: which statements of one principal give them, from whatever policies and groups."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import islice, product
from typing import TYPE_CHECKING, Literal

from lineage_analytics.permissions.aws.catalogue import catalogue
from lineage_analytics.permissions.patterns import contains, is_pattern, literal_prefix, matches

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lineage_analytics.permissions.aws.effective import Effective, Grant
    from lineage_analytics.permissions.aws.policies import Scope

_TRIES = 256
_SEVERAL = frozenset({"ec2"})  # one call of these is about resources of several types, and each has to be allowed
Shown = Literal["no", "unshown", "yes"]


@dataclass(frozen=True)
class Together:
    """A choice of one grant per action; ``proved`` where no condition is in it and their resources surely go together.

    ``doubt`` says what is not shown, empty where nothing is.
    """

    grants: tuple[Grant, ...]
    proved: bool
    doubt: str


def together(found: Effective, needs: tuple[int, ...], account: str, partition: str) -> Together | None:
    """The surest choice of grants for all of the actions (masks of one bit); None where some action is not allowed, or
    only on resources that cannot go together.

    The resource is one the principal makes or chooses, so it suffices that some resource may be meant.
    """
    options = []
    for bit in needs:
        ranked = [(not grant.sure & bit, grant_shows != "yes", at, grant, grant_shows)
                  for at, grant in enumerate(found.grants) if grant.mask & bit
                  and (grant_shows := _usable(found, grant.statement.scope, bit, account, partition)) != "no"]
        if not ranked:
            return None
        options.append([(grant, shows) for *_, grant, shows in sorted(ranked)])
    best: Together | None = None
    for choice in islice(product(*options), _TRIES):
        grants_of = tuple(grant for grant, _ in choice)
        shown = [shows for _, shows in choice] + list(_pairs(grants_of, needs))
        if "no" in shown:
            continue
        sure = all(grant.sure & bit for grant, bit in zip(grants_of, needs, strict=True))
        doubt = "whether the resources it names suffice is not shown" if "unshown" in shown else ""
        if best is None or (sure and not doubt):
            best = Together(grants_of, sure and not doubt, doubt)
        if best.proved:
            break
    return best


@lru_cache(maxsize=4096)
def service_of(bit: int) -> str:
    return catalogue().actions(bit)[0].split(":", 1)[0]


def _usable(found: Effective, scope: Scope, bit: int, account: str, partition: str) -> Shown:
    """May the grant be about some resource of the action's service in this account, and does no deny take all of it?"""
    service = service_of(bit)
    whole = f"arn:{partition}:{service}:*:{account}:*"
    shown = _about(scope, service, account, whole)
    for deny in found.denies:
        if not deny.mask & bit or deny.scope.disjoint(scope):
            continue
        if not deny.conditional and not deny.scope.inverted and any(contains(p, whole) for p in deny.scope.patterns):
            return "no"
        shown = "unshown" if shown == "yes" else shown
    return shown


def _about(scope: Scope, service: str, account: str, whole: str) -> Shown:
    if scope.everything or (scope.inverted and not any(contains(pattern, whole) for pattern in scope.patterns)):
        return "yes"
    if scope.inverted:
        return "no"
    best: Shown = "no"
    for pattern in scope.patterns:
        parts = pattern.split(":", 5)
        if contains(pattern, whole):
            return "yes"
        if len(parts) < 6:
            best = "unshown"  # a wildcard that swallows colons, or no ARN
        elif (parts[4] and not matches(parts[4], account)) or not matches(parts[1], whole.split(":")[1]):
            continue
        elif matches(parts[2], service) and service not in _SEVERAL:
            return "yes"
        else:
            best = "unshown"
    return best


def _pairs(grants: tuple[Grant, ...], needs: tuple[int, ...]) -> Iterator[Shown]:
    """For every two actions of one service: may they be about one resource?"""
    for at, (one, bit) in enumerate(zip(grants, needs, strict=True)):
        for other, other_bit in zip(grants[at + 1:], needs[at + 1:], strict=True):
            if service_of(bit) == service_of(other_bit):
                yield _one_resource(one.statement.scope, other.statement.scope)


@lru_cache(maxsize=65536)
def _one_resource(one: Scope, other: Scope) -> Shown:
    if not one.disjoint(other):
        return "yes"
    types = [{_type(pattern) for pattern in scope.patterns} for scope in (one, other)]
    return "no" if None not in types[0] | types[1] and types[0] == types[1] and len(types[0]) == 1 else "unshown"


def _type(pattern: str) -> str | None:
    """Type of resource a pattern names, such as ``function``; None where it leaves it open."""
    parts = pattern.split(":", 5)
    if len(parts) < 6:
        return None
    name = parts[5].replace(":", "/").split("/", 1)[0]
    return None if is_pattern(name) and literal_prefix(name) == "" else name
