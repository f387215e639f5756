"""Keys of records of other systems, out of fields that are made for them: ``DECISION_STEPS.stated_keys``.

    stated(commit=(merge_sha, head_sha), run="acme/site/900")     -> ["commit:<sha>", "run:acme/site/900"]
    stated(ticket=fields.get("ticketnumber"))                     -> ["ticket:CHG0030192"]

Written by systems are ``commit``, ``run``, ``trace``, ``request``, ``session`` and ``recommendation``; a ``ticket`` is
typed by people, though into a field of its own; a ``tag`` is a ticket in a tag that whoever acts chooses freely. What
does not look like a key of its kind is none: a sentence in a ticket field is free text, and what it quotes belongs into
``quoted_keys``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from lineage_analytics.loaders.common.values import name, native

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

MOST, LONGEST = 20, 200
"""Keys of one step, and characters of one key. A field that anybody may fill must not decide how large a step is."""

_SHA = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_RUN = re.compile(r"[^\s/]+/[^\s/]+/[0-9]+|[^\s/]+/[0-9]+")
_TRACE = re.compile(r"[0-9a-f]{32}")
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}(?:-.*)?")
_TICKET = re.compile(r"(?=[^0-9]*[0-9])[A-Z0-9][A-Z0-9_./#:-]{2,39}")
_ONE_WORD = re.compile(r"\S+")
_ID = re.compile(r"[0-9A-F]{8}-?(?:[0-9A-F]{4}-?){3}[0-9A-F]{12}")
_BETWEEN = re.compile(r"[\s,;|]+")


def stated(**found: object) -> list[str]:
    """``<kind>:<value>`` of every value that is a key of its kind, sorted, each once, at most ``MOST``.

    A value is text or a collection of texts; null and what is no key are left out. A ticket field may hold several
    tickets between commas, semicolons or blanks; where one part of it is no ticket, it is prose and states none.
    """
    keys = {f"{kind}:{key}" for kind, value in found.items() for held in _several(value) for key in _READ[kind](held)}
    return sorted(key for key in keys if len(key) <= LONGEST)[:MOST]


def _several(value: object) -> Iterable[str]:
    items = value if isinstance(value, (list, tuple, set, frozenset)) else (value,)
    return [held for item in items if (held := name(item)) is not None and len(held) <= LONGEST * MOST]


def _tickets(value: str) -> list[str]:
    parts = [part for part in _BETWEEN.split(value.upper()) if part]
    return parts if all(_TICKET.fullmatch(part) and not _ID.fullmatch(part) for part in parts) else []


def _trace(value: str) -> list[str]:
    low = value.lower()
    parent = _TRACEPARENT.fullmatch(low)
    found = parent[1] if parent else low
    return [found] if _TRACE.fullmatch(found) and found.strip("0") else []


def _shaped(shape: re.Pattern[str], *, lower: bool) -> Callable[[str], list[str]]:
    def read(value: str) -> list[str]:
        held = value.lower() if lower else native(value) or ""
        return [held] if shape.fullmatch(held) else []
    return read


_READ: dict[str, Callable[[str], list[str]]] = {
    "commit": _shaped(_SHA, lower=True), "run": _shaped(_RUN, lower=True), "trace": _trace,
    "request": _shaped(_ONE_WORD, lower=False), "session": _shaped(_ONE_WORD, lower=False),
    "recommendation": _shaped(_ONE_WORD, lower=False), "ticket": _tickets, "tag": _tickets,
}
