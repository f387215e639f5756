"""Records out of EVTX, the binary format of Windows event logs: one block of 64 KiB at a time."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, cast

from lineage_analytics.loaders.common.contract import Chunk, Fault
from lineage_analytics.loaders.common.records import RECORDS_PER_CHUNK, tagged_chunks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lineage_analytics.loaders.common.contract import Document
    from lineage_analytics.loaders.common.records import Tagged

MAGIC = b"ElfFile\0"
_BLOCK_MAGIC = b"ElfChnk\0"
_HEADER_BYTES = 4_096
_BLOCK_BYTES = 65_536
_BLOCK_COUNT = slice(42, 44)
_BROKEN_IN_A_BLOCK = 64
EXTRA = "EVTX needs the package evtx: pip install 'lineage-analytics[evtx]', or export the log as JSON"



def _parser() -> Callable[[io.BytesIO, int], Any] | None:
    """The library's parser; None where the extra is not installed."""
    try:
        from evtx import PyEvtxParser  # noqa: PLC0415  (heavy, and only for this format)
    except ImportError:
        return None
    return cast("Callable[[io.BytesIO, int], Any]", PyEvtxParser)


def evtx_chunks(document: Document) -> Iterator[Chunk]:
    """Every event as JSON. A broken record is a fault in its place; a file that ends inside a block is cut."""
    parser = _parser()
    if parser is None:
        yield Chunk(0, [], faults=[Fault(None, "missing_extra", EXTRA)])
    else:
        yield from tagged_chunks(_events(parser, document), document, RECORDS_PER_CHUNK)


def _events(parser: Callable[[io.BytesIO, int], Any], document: Document) -> Iterator[Tagged]:
    last = b""
    for header, block in _blocks(document):
        last = block
        for raw in _records(parser, header, block):
            yield Fault(None, "broken_record", raw) if isinstance(raw, str) else ("", raw)
    if len(last) < _BLOCK_BYTES and getattr(document, "damage", None) is None:
        yield Fault(None, "truncated", "the log ends inside a block")


def _blocks(document: Document) -> Iterator[tuple[bytes, bytes]]:
    """The file's header, changed to announce one block, with each block; a log may be larger than memory."""
    held = bytearray()
    header = b""
    for piece in document.chunks():
        held += piece
        if not header and len(held) >= _HEADER_BYTES:
            first = held[:_HEADER_BYTES]
            first[_BLOCK_COUNT] = (1).to_bytes(2, "little")
            header = bytes(first)
            del held[:_HEADER_BYTES]
        while header and len(held) >= _BLOCK_BYTES:
            yield header, bytes(held[:_BLOCK_BYTES])
            del held[:_BLOCK_BYTES]
    if header and held:
        yield header, bytes(held)


def _records(parser: Callable[[io.BytesIO, int], Any], header: bytes, block: bytes) -> Iterator[bytes | str]:
    """The events of a block as JSON, in the order of the log; text where one cannot be read."""
    if not block.strip(b"\0"):  # room that the log has not used yet
        return
    if not block.startswith(_BLOCK_MAGIC[: len(block)]):
        yield "a block that is none of an event log"
        return
    broken = 0
    try:
        found = iter(parser(io.BytesIO(header + block.ljust(_BLOCK_BYTES, b"\0")), 1).records_json())
        while broken < _BROKEN_IN_A_BLOCK:
            try:
                yield cast("str", next(found)["data"]).encode()
            except StopIteration:
                return
            except (RuntimeError, ValueError):
                broken += 1
                yield "an event that cannot be decoded"
    except (RuntimeError, ValueError, OSError):
        yield "a block that cannot be decoded"
