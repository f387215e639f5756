"""What a record holds that its loader does not know: kept in ``unmapped``, and noted as drift.

A loader states the top-level keys it knows with the JSON types they come in: ``{"published": "string"}``, several types
with a blank between, ``""`` for any. What differs is not lost and not an error: formats grow.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from lineage_analytics.loaders.common.secrets import MARKER, NOT_STORED, cleaned
from lineage_analytics.loaders.common.values import CONTENT, guid

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    Known = Mapping[str, str]

# What pipelines add to a record is nobody's drift.
_PIPELINE = ("@", "p_", "at_sign_", "_origin")
_JSON_TYPES = {str: "string", bool: "boolean", int: "number", float: "number", dict: "object", list: "array"}


@dataclass(frozen=True)
class Drift:
    """One difference between a record and what its loader knows.

    ``kind`` is ``record_type`` (a type of record without a rule of its own), ``key`` (a new key) or ``type`` (a known
    key with another JSON type); ``name`` the type or key, ``found`` the JSON type found, empty for record types.
    """

    position: int
    kind: str
    name: str
    found: str = ""


def json_type(value: object) -> str:
    """``string number boolean object array`` or ``null``."""
    return _JSON_TYPES.get(type(value), "null")


def unmapped(fields: Mapping[str, Any], known: Collection[str], *, texts: bool = True) -> str | None:
    """The fields a loader does not know as JSON text, without secrets and written content; None when there are none.

    ``texts`` False: also without any text but ids, for records in which an unknown field may hold what people wrote.
    """
    odd = {key: held for key, held in fields.items() if key not in known and not key.startswith(_PIPELINE)}
    if not odd:
        return None
    kept = cleaned(odd, CONTENT)
    return msgspec.json.encode(kept if texts else _without_texts(kept), order="sorted").decode()


def _without_texts(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_texts(held) for key, held in value.items()}
    if isinstance(value, list):
        return [_without_texts(item) for item in value]
    return NOT_STORED if isinstance(value, str) and value != MARKER and guid(value) is None else value


def changed_types(fields: Mapping[str, Any], known: Known, position: int) -> Iterator[Drift]:
    """Known keys whose value has a JSON type its loader does not expect. Null is never one."""
    for key, held in fields.items():
        wanted = known.get(key)
        if wanted and held is not None and (found := json_type(held)) not in wanted:
            yield Drift(position, "type", key, found)


def new_keys(text: str, position: int) -> list[Drift]:
    """The keys in an ``unmapped`` text, with their JSON types; a format's own ``unmapped`` is its drawer, no news."""
    held = msgspec.json.decode(text)
    return [Drift(position, "key", key, json_type(value)) for key, value in held.items() if key != "unmapped"
            ] if isinstance(held, dict) else []
