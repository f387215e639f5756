"""How sure something is, in four steps: parts that must all hold are as sure as the least, alternatives as the most."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lineage_analytics.permissions.aws.policies import Scope, Statement


class Sure(IntEnum):
    """``NO``: it surely does not hold. ``UNKNOWN``: what would say is not loaded or cannot be read. ``MAYBE``: it hangs
    on a condition that was not evaluated. ``YES``: it surely holds."""

    NO = 0
    UNKNOWN = 1
    MAYBE = 2
    YES = 3


def speaks(statement: Statement, bit: int, about: Scope) -> Sure:
    """How surely a statement speaks of an action (a mask of one bit) on all of the resources asked about."""
    if not statement.mask & bit or statement.scope.disjoint(about):
        return Sure.NO
    return Sure.YES if statement.scope.contains(about) and not statement.conditional else Sure.MAYBE


def strongest(statements: Iterable[Statement], bit: int, about: Scope) -> Sure:
    """The surest of several."""
    return max((speaks(statement, bit, about) for statement in statements), default=Sure.NO)
