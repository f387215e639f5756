"""The one condition that says to which service a role may be passed: ``iam:PassedToService``.

It is decided where a service is asked about; every other key of a condition is neither assumed true nor false.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

import msgspec

from lineage_analytics.permissions.patterns import matches

Fit = Literal["no", "maybe", "yes"]
_KEY = "iam:passedtoservice"
_EQUALS = frozenset({"stringequals", "stringequalsignorecase"})
_DIFFERS = frozenset({"stringnotequals", "stringnotequalsignorecase"})


@lru_cache(maxsize=65536)
def fits(condition: str, service: str, *, conditional: bool) -> Fit:
    """Does a statement speak of passing a role to the service?

    Parameters
    ----------
    condition : text of the statement's condition, empty where it has none; ``conditional`` as the statement has it.

    Examples
    --------
    >>> fits('{"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}}', "ec2.amazonaws.com", conditional=True)
    'yes'
    """
    if not condition:
        return "maybe" if conditional else "yes"
    try:
        said = msgspec.json.decode(condition, type=dict[str, dict[str, msgspec.Raw]])
    except msgspec.DecodeError:
        return "maybe"
    answers = {_operator(operator, key, raw, service) for operator, keys in said.items() for key, raw in keys.items()}
    return "no" if "no" in answers else "maybe" if "maybe" in answers or not answers else "yes"


def _operator(operator: str, key: str, raw: msgspec.Raw, service: str) -> Fit:
    name = operator.lower().removesuffix("ifexists")
    if key.lower() != _KEY:
        return "maybe"
    try:
        stated = msgspec.json.decode(raw, type=str | list[str])
    except msgspec.DecodeError:
        return "maybe"
    values = [value.lower() for value in ([stated] if isinstance(stated, str) else stated)]
    if any("${" in value for value in values):
        return "maybe"
    if name in _EQUALS or name in _DIFFERS:
        holds = service in values
    elif name in {"stringlike", "stringnotlike"}:
        holds = any(matches(value, service) for value in values)
    else:
        return "maybe"
    return "yes" if holds != ("not" in name) else "no"
