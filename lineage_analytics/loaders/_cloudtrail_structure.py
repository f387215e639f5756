"""Structure text of query engines, ``{type=IAMUser, principalid=AIDA...}``, which is no JSON (sources 2.1)."""

from __future__ import annotations

import re
from typing import Any

import msgspec

_DEPTH = 8
_KEY = re.compile(r"[\s,]*([A-Za-z]+)=")
# A value may hold commas and equals signs (session names do), but no blank, word and equals sign after a comma.
_END = re.compile(r", [A-Za-z]+=|\}")


def structure(raw: bytes) -> dict[str, Any] | None:
    """What a JSON string of structure text says, as far as it can be read; None when it is none."""
    try:
        text = msgspec.json.decode(raw, type=str).strip()
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return _fields(text, 0, _DEPTH)[0] if text.startswith("{") else None


def _fields(text: str, at: int, depth: int) -> tuple[dict[str, Any], int]:
    """The fields from the brace at ``at``, and where they end."""
    found: dict[str, Any] = {}
    at += 1
    while (key := _KEY.match(text, at)) is not None:
        at = key.end()
        if text[at : at + 1] == "{" and depth:
            found[key[1]], at = _fields(text, at, depth - 1)
            continue
        end = _END.search(text, at)
        stop = end.start() if end else len(text)
        value = text[at:stop]
        found[key[1]] = None if value in ("null", "") else value
        at = stop
    return found, at + 1 if text[at : at + 1] == "}" else at
