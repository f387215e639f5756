"""Small EVTX files for tests: one block, elements written out without templates."""

from __future__ import annotations

import struct
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_EPOCH = datetime(1601, 1, 1, tzinfo=UTC)
_BLOCK_BYTES = 65_536
_HEADER = struct.Struct("<8sQQQIHHHH")
Element = tuple[str, "Mapping[str, str]", "Sequence[Element] | str"]


class _Block:
    def __init__(self) -> None:
        self.data = bytearray(512)

    def _name(self, name: str) -> bytes:
        return struct.pack("<IHH", 0, 0, len(name)) + name.encode("utf-16-le") + b"\0\0"

    def _named(self, name: str) -> None:
        self.data += struct.pack("<I", len(self.data) + 4) + self._name(name)

    def _value(self, text: str) -> None:
        self.data += b"\x05\x01" + struct.pack("<H", len(text)) + text.encode("utf-16-le")

    def element(self, element: Element) -> None:
        name, attributes, inner = element
        self.data += b"\x41" if attributes else b"\x01"  # outside templates no dependency id follows
        size_at = len(self.data)
        self.data += b"\0\0\0\0"
        self._named(name)
        if attributes:
            list_at = len(self.data)
            self.data += b"\0\0\0\0"
            for number, (key, value) in enumerate(attributes.items()):
                self.data += b"\x46" if number + 1 < len(attributes) else b"\x06"
                self._named(key)
                self._value(value)
            struct.pack_into("<I", self.data, list_at, len(self.data) - list_at - 4)
        self.data += b"\x02"
        if isinstance(inner, str):
            self._value(inner)
        else:
            for held in inner:
                self.element(held)
        self.data += b"\x04"
        struct.pack_into("<I", self.data, size_at, len(self.data) - size_at - 4)

    def record(self, number: int, time: datetime, root: Element) -> None:
        start = len(self.data)
        ticks = int((time - _EPOCH).total_seconds()) * 10_000_000
        self.data += struct.pack("<IIQQ", 0x2A2A, 0, number, ticks) + b"\x0f\x01\x01\x00"
        self.element(root)
        self.data += b"\x00"
        size = len(self.data) - start + 4
        self.data += struct.pack("<I", size)
        struct.pack_into("<I", self.data, start + 4, size)


def evtx(events: Sequence[tuple[int, datetime, Element]]) -> bytes:
    """A log of these events: record number, time and the root element."""
    block = _Block()
    last = 512
    for number, time, root in events:
        last = len(block.data)
        block.record(number, time, root)
    free = len(block.data)
    count = len(events)
    struct.pack_into("<8sQQQQIIII", block.data, 0, b"ElfChnk\0", 1, count, events[0][0], events[-1][0], 128, last, free, 0)
    header = _HEADER.pack(b"ElfFile\0", 0, 0, count + 1, 128, 1, 3, 4096, 1)
    return header.ljust(4096, b"\0") + bytes(block.data).ljust(_BLOCK_BYTES, b"\0")
