"""Wildcards of policies: ``*`` is any run of characters, ``?`` exactly one, everything else itself."""

from __future__ import annotations

import re
from functools import lru_cache


@lru_cache(maxsize=65536)
def compiled(pattern: str) -> re.Pattern[str]:
    """The pattern as a regular expression for ``fullmatch``, whose work grows with the text, never with its powers."""
    return re.compile(_regex(pattern, any_one="."), re.DOTALL)


@lru_cache(maxsize=65536)
def _containing(pattern: str) -> re.Pattern[str]:
    """As ``compiled``, for a text that is itself a pattern: ``?`` never stands for the ``*`` of that text."""
    return re.compile(_regex(pattern, any_one="[^*]"), re.DOTALL)


def _regex(pattern: str, any_one: str) -> str:
    """The first place a middle part fits is as good as any later one, so what it took is never given back."""
    first, *others = (
        "".join(any_one if sign == "?" else re.escape(sign) for sign in part) for part in re.split(r"\*+", pattern))
    if not others:
        return first
    return first + "".join(f"(?>.*?{part})" for part in others[:-1]) + f".*{others[-1]}"


def is_pattern(text: str) -> bool:
    """Does the text hold a wildcard?"""
    return "*" in text or "?" in text


def literal_prefix(pattern: str) -> str:
    """The text before the first wildcard."""
    cut = min((at for at in (pattern.find("*"), pattern.find("?")) if at >= 0), default=len(pattern))
    return pattern[:cut]


def matches(pattern: str, text: str) -> bool:
    """Does the pattern match this one text?"""
    if pattern in {"*", text}:
        return True
    return is_pattern(pattern) and compiled(pattern).fullmatch(text) is not None


def contains(outer: str, inner: str) -> bool:
    """Is everything ``inner`` can match surely matched by ``outer``? False where that is not shown."""
    if outer in {"*", inner}:
        return True
    return is_pattern(outer) and _containing(outer).fullmatch(inner) is not None


def disjoint(one: str, other: str) -> bool:
    """Can surely no text match both? False where that is not shown."""
    if not is_pattern(one):
        return not matches(other, one)
    if not is_pattern(other):
        return not matches(one, other)
    first, second = literal_prefix(one), literal_prefix(other)
    return not (first.startswith(second) or second.startswith(first))
