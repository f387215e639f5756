"""What a directory audit says was changed, as JSON text, without secrets and without what people wrote."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec

from lineage_analytics.loaders._entra_record import kind_of, properties_of, target_id
from lineage_analytics.loaders.common.secrets import MARKER, cleaned, is_secret_key
from lineage_analytics.loaders.common.values import CONTENT, embedded

if TYPE_CHECKING:
    from lineage_analytics.loaders._entra_record import Record

_WRITTEN = re.compile(r"description|justification|comment|notes?$|reason|message|password|secret", re.IGNORECASE)
# The directory's own list of what changed, and its own names of target and actor, which the record states elsewhere.
_ECHOES = frozenset({"included updated properties", "targetid.useridtype", "targetid.serviceprincipalnames",
                     "actorid.serviceprincipalnames", "spn"})
_KEY_ID = re.compile(r"KeyIdentifier=([^,\]]{1,64})", re.IGNORECASE)
_DEPTH = 4


def effect_delta(record: Record, *, changes: bool) -> str | None:
    """``[{"target", "property", "before", "after"}]``; null when the record states no property.

    Values are kept where the record changes access or the rules on it (``changes``); of anything else, such as a
    person's attributes, the names of the properties are.
    """
    found = []
    for target in record.targets:
        about = target_id(target)
        named = f"{kind_of(target) or 'object'}/{about}" if about else None
        for key, (before, after) in properties_of(target).items():
            if key in _ECHOES or (before, after) == (None, None):
                continue
            made: dict[str, Any] = {"target": named, "property": key}
            if changes:
                made |= {"before": _value(key, before), "after": _value(key, after)}
            found.append(made)
    return msgspec.json.encode(found, order="sorted").decode() if found else None


def _value(key: str, value: object) -> object:
    if value in (None, "", [], {}):
        return None
    if key == "keydescription":
        texts = value if isinstance(value, list) else [value]
        return sorted({i for item in texts if isinstance(item, str) for i in _KEY_ID.findall(item)})
    if is_secret_key(key.replace(".", "_")) or _WRITTEN.search(key):
        return MARKER
    return cleaned(_plain(value, _DEPTH), _CONTENT)


_CONTENT = CONTENT | {"description", "displaynote", "notes", "comment", "message"}


def _plain(value: object, depth: int) -> object:
    """JSON text inside the value becomes what it says."""
    value = embedded(value)
    if depth and isinstance(value, dict):
        return {key: _plain(held, depth - 1) for key, held in value.items()}
    if depth and isinstance(value, list):
        return [_plain(item, depth - 1) for item in value]
    return value
