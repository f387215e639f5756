"""A SharpHound file: its objects under ``data``, and the type that ``meta`` states before or behind them."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from lineage_analytics.loaders._sharphound_types import TYPES
from lineage_analytics.loaders.common.contract import Match
from lineage_analytics.loaders.common.packings import head_keys
from lineage_analytics.loaders.common.records import WHOLE_BYTES, json_chunks
from lineage_analytics.loaders.common.sampling import decode_object

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lineage_analytics.loaders.common.contract import Chunk, Document, Sample

_EDGE_BYTES = 8_192
_META = re.compile(rb'(?<!\\)"meta"\s{0,40}:\s{0,40}(\{[^{}]{0,2000}\})')
SESSIONS = "sessions"
_OLD_OPENING = re.compile(rb'"(?:ObjectIdentifier|PrincipalSID|Properties|UserId|UserSID)"', re.IGNORECASE)
_KEYS = frozenset({"principalsid", "rightname", "objectidentifier", "objecttype", "properties", "aces", "domainsid",
                   "members", "isaclprotected"})


def meta_of(text: bytes) -> dict[str, Any]:
    """The collector's meta near the beginning or the end of a file; empty when it is not there."""
    for part in (text[:_EDGE_BYTES], text[-_EDGE_BYTES:]):
        for found in _META.finditer(part):
            meta = decode_object(found[1])
            if meta is not None and isinstance(meta.get("type"), str):
                return meta
    return {}


def list_key(sample: Sample) -> str | None:
    """The key of the list of objects: ``data``, or in collections up to version 3 the type of what it lists."""
    if sample.wrapper == "data":
        return "data"
    found = next((key for key in (*TYPES, SESSIONS) if key in sample.keys), None)
    return found if sample.wrapper == "object" and found and _OLD_OPENING.search(sample.head) else None


def first_object(sample: Sample) -> Mapping[str, Any] | None:
    """The first object of the list, where the head shows it whole."""
    if sample.wrapper == "data" or sample.first is None:
        return sample.first
    held = sample.first.get(list_key(sample) or "")
    return held[0] if isinstance(held, list) and held and isinstance(held[0], dict) else None


def head_match(sample: Sample) -> Match | None:
    """A file whose first object is longer than the head, or that holds none."""
    meta = meta_of(sample.head)
    old = list_key(sample) != "data"
    if meta.get("type") in (*TYPES, SESSIONS) and ("methods" in meta or "version" in meta or old):
        return Match("objects", 0.95, "a collector's meta with the type of its objects")
    if len(_KEYS & head_keys(sample)) > 2:
        return Match("objects", 0.85, "objects with ObjectIdentifier and rights")
    return None


class _Replayed:
    """A document of which some pieces were read already, with its objects under a key."""

    def __init__(self, document: Document, held: list[bytes], rest: Iterator[bytes], key: str) -> None:
        self._document, self._held, self._rest = document, held, rest
        self.sample = replace(document.sample, wrapper=key)

    def __getattr__(self, attribute: str) -> Any:
        return getattr(self._document, attribute)

    def chunks(self) -> Iterator[bytes]:
        while self._held:
            yield self._held.pop(0)
        yield from self._rest


def object_chunks(document: Document) -> Iterator[Chunk]:
    """The objects; the stated type as context where the file is short enough to look at its end first."""
    pieces = document.chunks()
    held: list[bytes] = []
    size, ended = 0, False
    while size <= WHOLE_BYTES and not ended:
        piece = next(pieces, None)
        ended = piece is None
        held.append(piece or b"")
        size += len(held[-1])
    stated = meta_of(_edges(held, ended=ended)).get("type")
    key = list_key(document.sample) or "data"
    stated = stated or (key if key in TYPES else None)
    for chunk in json_chunks(cast("Document", _Replayed(document, held, pieces, key)), wrappers=(key,)):
        chunk.context = {"type": stated.strip().lower() if stated else None}
        yield chunk


def _edges(held: list[bytes], *, ended: bool) -> bytes:
    """The first and, when the document ended, the last bytes of it."""
    if sum(map(len, held)) <= 2 * _EDGE_BYTES:
        return b"".join(held)
    last = b""
    for piece in reversed(held):
        last = piece[-_EDGE_BYTES:] + last
        if len(last) >= _EDGE_BYTES:
            break
    first = b"".join(held[:2])[:_EDGE_BYTES] if len(held[0]) < _EDGE_BYTES else held[0][:_EDGE_BYTES]
    return first + (last[-_EDGE_BYTES:] if ended else b"")
