"""An OpenGraph document: its two lists, from a whole document or from what is left of one."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

from lineage_analytics.loaders.common import records
from lineage_analytics.loaders.common.contract import Chunk, Fault
from lineage_analytics.loaders.common.sampling import decode_object
from lineage_analytics.loaders.common.scan import elements

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lineage_analytics.loaders.common.contract import Document

LISTS = ("nodes", "edges")
_OPENINGS = {key: re.compile(rb'"' + key.encode() + rb'"\s{0,40}:\s{0,40}\[') for key in LISTS}
_RECORDS_PER_CHUNK = 8_192


class _Graph(msgspec.Struct, gc=False):
    nodes: list[msgspec.Raw] | None = None
    edges: list[msgspec.Raw] | None = None


class _Whole(msgspec.Struct, gc=False):
    graph: _Graph


_whole = msgspec.json.Decoder(_Whole)


def graph_chunks(document: Document) -> Iterator[Chunk]:
    """Nodes and edges in order, each with its list as tag; what is no object is a fault in its place."""
    return records.tagged_chunks(list(_items(records.whole(document))), document, _RECORDS_PER_CHUNK)


def _items(data: bytes) -> Iterator[records.Tagged]:
    try:
        graph = _whole.decode(data).graph
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        several = _several(data)
        for part in several:
            yield from _items(part)
        if not several:
            yield from _salvaged(data)
        return
    for key, listed in (("nodes", graph.nodes), ("edges", graph.edges)):
        for raw in listed or ():
            if bytes(memoryview(raw)[:1]) == b"{":
                yield key, raw
            else:
                yield Fault(None, "not_an_object", f"an entry of {key} that is not a JSON object")


def _several(data: bytes) -> list[bytes]:
    """The graphs of a file in which several stand one after another or in an array; none where it is no such file."""
    kind = "array" if data.lstrip()[:1] == b"[" else "object"
    found = list(elements(iter((data,)), kind, len(data) + 1))
    whole = [bytes(memoryview(raw)) for raw, reason in found if reason is None and len(raw) < len(data.strip())]
    return whole if len(whole) == len(found) else []


def _salvaged(data: bytes) -> Iterator[records.Tagged]:
    """What whole entries a cut or broken document still holds, and at least one fault."""
    said = False
    opened = sorted((found.start(), key) for key, opening in _OPENINGS.items() if (found := opening.search(data)))
    ends = [start for start, _ in opened[1:]] + [len(data)]
    for (start, key), end in zip(opened, ends, strict=True):
        last = end == len(data)
        piece = b"{" + data[start:end] + (b"" if last else b"}")
        for raw, reason in elements(iter((piece,)), key, records.RECORD_BYTES):
            if reason is None and decode_object(raw) is not None:
                yield key, raw
                continue
            said = True
            cut = last and reason == "truncated"
            yield Fault(None, "truncated" if cut else "broken_json",
                        f"an entry of {key} that " + ("the document ends in" if cut else "cannot be read"))
    if not said:
        yield Fault(None, "truncated", "the document ends early or breaks outside its entries")
