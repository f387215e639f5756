"""What was executed beside what was approved: the same, less, more or something else (decision-lineage 5.2).

An effect is ``verb(<provider>:<tenant>:<thing>|<who>[|<scope or eligible>])``. The thing, the principal and the verb
must be the same; of scopes, one that lies inside another is narrower; an assignment that must first be activated is
less than one that stands; one that ends later is more.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from lineage_analytics.graphs.decisions.steps import Step

EXCEEDS = frozenset({"broader", "different"})
_ELIGIBLE = "eligible"
_END_BAND = timedelta(minutes=5)
"""Ends are computed from starts by whoever grants: minutes between them are no longer grant."""


class Effect(NamedTuple):
    """An effect in its parts; ``scope`` is empty for everything the tenant holds."""

    verb: str
    thing: str
    who: str
    scope: str
    eligible: bool


def effect_of(key: str) -> Effect:
    """The parts of an effect key; what has no parameter is a thing alone."""
    verb, _, inner = key.partition("(")
    thing, *parameters = inner.removesuffix(")").split("|")
    eligible = _ELIGIBLE in parameters[1:]
    kept = [one for one in parameters if one != _ELIGIBLE] if eligible else parameters
    return Effect(verb, thing, kept[0] if kept else "", "|".join(kept[1:]), eligible)


def match(approved: Step, done: Step, asked: Sequence[Step] = ()) -> str:
    """exact, narrower, broader, different, or unknown where the records do not state both effects.

    ``asked``: the requests that the approval answers; what they ask for counts where the approval does not repeat it.
    """
    commit = of_commit(approved, done)
    if commit is not None:
        return "exact" if commit else "different"
    answered = [step for step in asked if (step.key_kind, step.key) == (approved.key_kind, approved.key)]
    effect = approved.effect or next((step.effect for step in answered if step.effect), None)
    if effect is None or done.effect is None:
        return "unknown"
    return _wider(_compared(effect_of(effect), effect_of(done.effect)), _ends(approved, done, answered))


def of_commit(approved: Step, done: Step) -> bool | None:
    """Whether what was reviewed is the commit that was applied; None where either states none."""
    if approved.decided is None or done.applied is None or not (_commit(approved.decided) and _commit(done.applied)):
        return None
    return approved.decided.casefold() == done.applied.casefold()


def _compared(approved: Effect, done: Effect) -> str:
    if (approved.verb, approved.thing, approved.who) != (done.verb, done.thing, done.who):
        return "different"
    scope = _inside(approved.scope, done.scope)
    state = "exact" if approved.eligible == done.eligible else "narrower" if done.eligible else "broader"
    return _wider(scope, state)


def _inside(approved: str, done: str) -> str:
    if approved == done:
        return "exact"
    outer, inner = approved.rstrip("/") + "/", done.rstrip("/") + "/"
    if not approved or inner.startswith(outer):
        return "narrower"
    return "broader" if not done or outer.startswith(inner) else "different"


def _ends(approved: Step, done: Step, asked: Iterable[Step]) -> str:
    ends = [approved.expires] if approved.expires else [step.expires for step in asked if step.expires]
    if not ends or done.expires is None:
        return "exact"
    return "broader" if done.expires - max(ends) > _END_BAND else "exact"


_ORDER = ("different", "broader", "narrower", "exact")


def _wider(one: str, other: str) -> str:
    """Of two comparisons the one that says more: what is broader in one respect is not saved by another."""
    return min(one, other, key=_ORDER.index)


def _commit(value: str) -> bool:
    return len(value) >= 7 and all(letter in "0123456789abcdef" for letter in value.casefold())
