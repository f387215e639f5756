"""Answers of Google APIs saved as they came: one object with its list under a name of its own, page after page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from lineage_analytics.loaders.common.packings import json_or_array_chunks
from lineage_analytics.loaders.common.spread import tagged_spread

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from lineage_analytics.loaders.common.contract import Chunk, Document


# Pages in a page, as Policy Analyzer answers: the analysis asked for, and one per account that may be impersonated.
_ANALYSES = ("mainAnalysis", "serviceAccountImpersonationAnalysis")


def inner(record: Mapping[str, Any] | None, keys: Sequence[str]) -> Mapping[str, Any] | None:
    """The first record of a page, or the record itself when it is none."""
    if record is not None and isinstance(record.get(_ANALYSES[0]), dict):
        record = record[_ANALYSES[0]]
    for key in keys if record is not None else ():
        held = record.get(key) if record is not None else None
        if isinstance(held, list) and held and isinstance(held[0], dict):
            return dict(held[0])
    return record


def paged(document: Document, keys: Sequence[str]) -> Iterator[Chunk]:
    """Records out of objects, arrays and lines; an object with a list of objects under one of the keys is a page.

    Each record is tagged with what the page says of the time it was read (``readTime``), else with nothing.
    """
    lists_of = [(key, msgspec.Raw, msgspec.Raw(b"null")) for key in (*keys, *_ANALYSES)]
    page = msgspec.json.Decoder(msgspec.defstruct("Page", [*lists_of, ("readTime", str | None, None)], gc=False))
    lists = msgspec.json.Decoder(list[msgspec.Raw])
    return tagged_spread(json_or_array_chunks(document), lambda raw: _opened(raw, page, lists, keys))


def _opened(
    raw: bytes | msgspec.Raw, page: msgspec.json.Decoder[Any], lists: msgspec.json.Decoder[Any], keys: Sequence[str],
) -> tuple[list[bytes | msgspec.Raw], str]:
    try:
        found = page.decode(raw)
        analyses = [part for key in _ANALYSES for part in _parts(getattr(found, key), lists)]
        if analyses:
            return [one for part in analyses for one in _opened(part, page, lists, keys)[0]], found.readTime or ""
        for key in keys:
            held = bytes(memoryview(getattr(found, key))).lstrip()
            if held[:1] == b"[" and held[1:].lstrip()[:1] in (b"{", b"]"):
                return lists.decode(held), found.readTime or ""
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return [raw], ""
    return [raw], ""


def _parts(held: msgspec.Raw, lists: msgspec.json.Decoder[Any]) -> list[bytes | msgspec.Raw]:
    """The objects of a list, or a lone object."""
    text = bytes(held).lstrip()
    found: list[bytes | msgspec.Raw] = lists.decode(held) if text[:1] == b"[" else [held] if text[:1] == b"{" else []
    return found
