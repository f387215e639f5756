"""Archives that can be written in one way only: zip, entries stored, in order of their names, at one fixed time.

Since the same entries give the same bytes everywhere, an archive is as it was written if and only if writing its
entries again gives its bytes: no name twice, nothing before, between or behind entries, nothing that unpacks to more
than it is. Any zip tool opens one.
"""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING, NamedTuple

from lineage_analytics.errors import LimitError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

BYTES = 512 << 20
"""Largest archive that is written or read: one is held in memory."""
ENTRIES = 60_000

_LOCAL, _CENTRAL, _END = b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06"
_VERSION, _UNIX, _UTF8, _STORED = 20, 3 << 8, 1 << 11, 0
_TIME, _DATE = 0, 1 << 5 | 1  # 1980-01-01 00:00, the first moment a zip can tell
_MODE = 0o100644 << 16
_HEAD = struct.Struct("<4s5H3I2H")
_LISTED = struct.Struct("<4s6H3I5H2I")
_TAIL = struct.Struct("<4s4H2IH")
_NAME_MOST = 1_000


class Opened(NamedTuple):
    """The entries of an archive, and what is wrong with the bytes around them; empty when nothing is."""

    entries: dict[str, bytes]
    fault: str


def pack(entries: Mapping[str, bytes]) -> bytes:
    """The archive of these entries; LimitError when it would be larger than BYTES or hold more than ENTRIES."""
    if len(entries) > ENTRIES or sum(map(len, entries.values())) > BYTES:
        raise LimitError(f"Wanted a bundle of at most {ENTRIES:,} files and {BYTES >> 20} MiB",
                         f"found {len(entries):,} files and {sum(map(len, entries.values())) >> 20:,} MiB",
                         "leave out --records, or bundle a case with fewer records")
    return b"".join(_pieces(entries))


def _pieces(entries: Mapping[str, bytes]) -> Iterator[bytes]:
    """The bytes of the archive in order."""
    listed: list[bytes] = []
    at = 0
    for name, data in sorted(entries.items()):
        text, size, check = name.encode(), len(data), zlib.crc32(data)
        head = _HEAD.pack(_LOCAL, _VERSION, _UTF8, _STORED, _TIME, _DATE, check, size, size, len(text), 0) + text
        listed.append(_LISTED.pack(_CENTRAL, _UNIX | _VERSION, _VERSION, _UTF8, _STORED, _TIME, _DATE, check, size,
                                   size, len(text), 0, 0, 0, 0, _MODE, at) + text)
        yield head
        yield data
        at += len(head) + size
    directory = b"".join(listed)
    yield directory
    yield _TAIL.pack(_END, 0, 0, len(listed), len(listed), len(directory), at, 0)


def _gives(entries: Mapping[str, bytes], data: bytes) -> bool:
    """Whether writing the entries gives these bytes, without writing them."""
    view, at = memoryview(data), 0
    for piece in _pieces(entries):
        if view[at:at + len(piece)] != piece:
            return False
        at += len(piece)
    return at == len(data)


def unpack(data: bytes) -> Opened:
    """The entries as far as they can be read from the front, and the first thing that is not as ``pack`` writes it."""
    entries: dict[str, bytes] = {}
    at, fault = 0, ""
    while not fault and data[at:at + len(_LOCAL)] == _LOCAL:
        if len(data) - at < _HEAD.size:
            fault = f"it breaks off in the head of entry {len(entries) + 1}"
            break
        *_, packed, size, long, _extra = _HEAD.unpack_from(data, at)
        begin = at + _HEAD.size + long
        if long > _NAME_MOST or packed != size or begin + size > len(data):
            fault = f"entry {len(entries) + 1} has sizes that it cannot have, or is cut off"
            break
        try:
            name = data[at + _HEAD.size:begin].decode()
        except UnicodeDecodeError:
            fault = f"the name of entry {len(entries) + 1} is no text"
            break
        if name in entries:
            fault = "a name stands in it twice"
        elif len(entries) >= ENTRIES:
            fault = f"it holds more than {ENTRIES:,} entries"
        else:
            entries[name] = data[begin:begin + size]
            at = begin + size
    if not fault and not _gives(entries, data):
        fault = "its bytes are not those that its entries give"
    return Opened(entries, fault)
