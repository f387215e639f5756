"""Tolerant reading of log records: keys in any case, JSON inside text, lists of name and value.

Nothing here guesses: what is not stated comes back as None.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Any

import msgspec

from lineage_analytics.loaders.common.ids import record_ids

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Fields = dict[str, Any]

_GUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_ZERO_GUID = "00000000-0000-0000-0000-000000000000"
_NOTHING = frozenset({"", "<null>", "null", "none", "n/a", "unknown", "not available", _ZERO_GUID})
_FLAGS = {"true": True, "1": True, "false": False, "0": False}
# Keys whose value is what somebody wrote to or got from an assistant, or why somebody asked: never stored or hashed.
CONTENT = frozenset({
    "prompttext", "prompt", "responsetext", "response", "text", "content", "body", "subject", "messagetext", "query",
    "querytext", "searchquery", "searchquerytext", "resultreason", "resultdescription", "justification", "comments",
    "llmeventdata",
})


def fold(value: Mapping[str, Any]) -> Fields:
    """The object with keys in lower case; where two keys differ only in case, the first that states something."""
    folded = {key.lower(): held for key, held in value.items()}
    if len(folded) == len(value):
        return folded
    for key, held in reversed(list(value.items())):
        if held not in (None, ""):
            folded[key.lower()] = held
    return folded


def text(value: object) -> str | None:
    """The value as trimmed text; None for null, empty text, objects and lists."""
    if isinstance(value, str):
        return value.strip() or None
    if value is None or isinstance(value, dict | list):
        return None
    return str(value).lower() if isinstance(value, bool) else str(value)


def name(value: object) -> str | None:
    """A name or id; None also for the ways logs write 'nobody' (``<null>``, ``Not Available``, an all-zero GUID)."""
    found = text(value)
    return None if found is None or found.lower() in _NOTHING else found


def guid(value: str | None) -> str | None:
    """The GUID in lower case without braces, or None when the text is no GUID."""
    if value is None:
        return None
    low = value.strip().strip("{}").lower()
    return low if _GUID.fullmatch(low) else None


def native(value: str | None) -> str | None:
    """An id as it is compared: a GUID in lower case, any other text as it stands."""
    return guid(value) or value


def flag(value: object) -> bool | None:
    """A boolean, also written as text or 0 and 1; None for anything else."""
    if isinstance(value, bool):
        return value
    return _FLAGS.get(str(value).strip().lower()) if isinstance(value, str | int) else None


def embedded(value: object, depth: int = 3) -> object:
    """JSON text inside a string becomes what it says, also when encoded more than once; other values stay."""
    for _ in range(depth):
        if not isinstance(value, str):
            break
        stripped = value.strip()
        if stripped[:1] not in ("{", "[", '"'):
            break
        try:
            value = msgspec.json.decode(stripped)
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            break
    return value


def obj(value: object) -> Fields:
    """The object, folded, also out of JSON text; empty when it is none."""
    found = embedded(value)
    return fold(found) if isinstance(found, dict) else {}


def objects(value: object) -> list[Fields]:
    """The objects of a list (or a lone object), folded, also out of JSON text."""
    found = embedded(value)
    listed = found if isinstance(found, list) else [found]
    return [fold(item) for item in map(embedded, listed) if isinstance(item, dict)]


def texts(value: object) -> list[str]:
    """The texts of a list, sorted, each once, also out of JSON text; empty when it is none."""
    found = embedded(value)
    return sorted({held for item in found if (held := text(item)) is not None}) if isinstance(found, list) else []


def pairs(value: object) -> dict[str, list[str]]:
    """A list of name and value as values by folded name; names repeat, values may be of any type."""
    found: dict[str, list[str]] = {}
    for item in objects(value):
        key = text(item.get("name", item.get("key", item.get("displayname"))))
        if key is not None:
            held = item.get("value")
            shown = text(held) if not isinstance(held, dict | list) else msgspec.json.encode(held).decode()
            found.setdefault(key.lower(), []).append(shown or "")
    return found


def first(values: Mapping[str, Sequence[str]], *keys: str) -> str | None:
    """The first stated value under any of the keys."""
    return next((held for key in keys for held in values.get(key, ()) if name(held) is not None), None)


def state_hash(value: object, ignore: frozenset[str] = frozenset()) -> str | None:
    """SHA-256 of a value in canonical form, so that a restored setting compares equal; None when nothing is stated.

    ``ignore`` are folded keys that change with every write, such as a modification time.
    """
    found = embedded(value)
    if found in (None, "", [], {}):
        return None
    canonical = msgspec.json.encode(_without(found, ignore), order="sorted")
    return hashlib.sha256(canonical).hexdigest()


def _without(value: object, ignore: frozenset[str]) -> object:
    if isinstance(value, dict):
        return {k: _without(embedded(v), ignore) for k, v in value.items() if k.lower() not in ignore}
    if isinstance(value, list):
        return [_without(embedded(item), ignore) for item in value]
    return value


def synthetic_id(provider: str, fields: Fields) -> str:
    """An id for a record that has none: the same content gives the same id. Written text does not enter it."""
    canonical = msgspec.json.encode(_without(fields, CONTENT), order="sorted").decode()
    return f"content:{record_ids(provider, [None], [canonical])[0]}"
