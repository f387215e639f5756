"""What a loader is: a module of ``loaders/`` with ``detect``, ``extract`` and ``transform``.

    detect(sample) -> Match | None          looks at the head of a file, never at its name
    extract(document) -> Iterator[Chunk]    touches bytes: yields raw records, a bounded number at a time
    transform(chunk, document) -> Batch     pure: raw records in, canonical tables out

It says who provides the log (``PROVIDER``), how late it may deliver (``LATENESS``), which tables it feeds (``FEEDS``),
and in its docstring under ``Shapes``, ``Maps``, ``Drops`` and ``Schema`` what it reads, what becomes of it, what it
leaves and which versions of the format it was written for.

A loader may also define ``settle(tables)``, for what only all files together tell, and ``superseded(tables)``, for
records of which another tells the same event better; see ``loaders``.

A record is what one could count in the export: an event, a role, a report row. For every chunk
``seen = len(batch.record_ids) + len(batch.faults)``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import timedelta

    import msgspec
    import polars as pl

    from lineage_analytics.loaders.common.leftovers import Drift


@dataclass(frozen=True)
class Sample:
    """The head of a file, decoded to UTF-8 without a byte order mark.

    ``first`` is the first record, unwrapped (``Records[0]``, ``value[0]``, the first line ...), ``wrapper`` how it
    was wrapped: a key such as ``Records``, ``array``, ``object``, ``lines`` or ``csv``; ``keys`` are the keys of the
    outermost object as far as the head shows them; ``columns`` the header of a CSV.
    """

    head: bytes
    wrapper: str
    keys: frozenset[str] = frozenset()
    first: Mapping[str, Any] | None = None
    columns: tuple[str, ...] = ()


@dataclass(frozen=True)
class Match:
    """A loader recognises the file: which shape, how sure (0 to 1), and why in words."""

    shape: str
    confidence: float
    why: str


@dataclass(frozen=True)
class Fault:
    """A record, or with position None the whole member, that was not used.

    ``disposition`` is ``quarantined`` (belongs to this source, not understood) or ``rejected`` (not for us).
    ``detail`` is printable and holds no value that could be secret.
    """

    position: int | None
    reason: str
    detail: str
    disposition: str = "quarantined"


@dataclass
class Chunk:
    """Raw records in file order. ``start`` is the ordinal of the first; ``tags`` say which list each came from."""

    start: int
    raws: Sequence[bytes | msgspec.Raw]
    tags: Sequence[str] = ()
    faults: list[Fault] = field(default_factory=list)
    truncated: bool = False
    context: Mapping[str, Any] = field(default_factory=dict)

    def placed(self) -> Iterator[tuple[int, bytes | msgspec.Raw]]:
        """Every raw record with its ordinal in the file; those that are faults already have taken theirs."""
        taken = {fault.position for fault in self.faults}
        position = self.start
        for raw in self.raws:
            while position in taken:
                position += 1
            yield position, raw
            position += 1

    def halves(self) -> tuple[Chunk, Chunk]:
        """The chunk as two, every record and fault with the ordinal it had; wants two records or more."""
        middle = len(self.raws) // 2
        border = list(self.placed())[middle][0]
        sooner = [fault for fault in self.faults if fault.position is None or fault.position < border]
        later = [fault for fault in self.faults if fault.position is not None and fault.position > border]
        return (Chunk(self.start, self.raws[:middle], self.tags[:middle], sooner, context=self.context),
                Chunk(border, self.raws[middle:], self.tags[middle:], later, self.truncated, self.context))


@dataclass
class Batch:
    """Canonical frames of one chunk, and the ids of the records they come from.

    Every row of every frame carries the ``record_id`` it came from; ``record_ids`` lists each understood record once
    per occurrence, so a repeat inside the chunk is counted as a duplicate by whoever stores it. ``drift`` tells of
    record types and JSON types the loader did not expect; new keys are told by the ``unmapped`` columns themselves.
    ``sequences`` are rows of ``tables.SEQUENCES`` of all records read, also those that are not for us; null where the
    provider counts nothing.
    """

    record_ids: pl.Series
    frames: dict[str, pl.DataFrame]
    faults: list[Fault] = field(default_factory=list)
    drift: list[Drift] = field(default_factory=list)
    sequences: pl.DataFrame | None = None


class Document(Protocol):
    """One member of one input file, opened for reading."""

    file: str
    member: str | None
    file_sha256: str
    sample: Sample
    shape: str

    def chunks(self) -> Iterator[bytes]:
        """Decompressed bytes as delivered, in pieces of bounded size."""

    def read(self) -> bytes:
        """The whole member as UTF-8 without a byte order mark; LimitError above the configured size."""


class Loader(Protocol):
    """The shape of a loader module."""

    PROVIDER: str
    LATENESS: timedelta
    FEEDS: frozenset[str]

    def detect(self, sample: Sample) -> Match | None: ...
    def extract(self, document: Document) -> Iterator[Chunk]: ...
    def transform(self, chunk: Chunk, document: Document) -> Batch: ...
