"""Records of other sources in a document: an event hub or a storage account writes several logs into one file.

What the loader of a document does not take is shown to the others, record by record, and handed to the one that is sure
of it. Records alike in their keys and category are asked about once.
"""

from __future__ import annotations

import io
from dataclasses import replace
from typing import IO, TYPE_CHECKING, NamedTuple, cast

import polars as pl

from lineage_analytics.loaders import loaders, recognise
from lineage_analytics.loaders.common.containers import Member
from lineage_analytics.loaders.common.sampling import decode_object, sample

if TYPE_CHECKING:
    from collections.abc import Iterator

    import msgspec

    from lineage_analytics.loaders.common.contract import Batch, Chunk, Sample

SURE = 0.9
TOGETHER = 8_192
KINDS = 1_000
"""Records whose keys are data must not have every loader asked about each of them."""
# Of records that are no records, or that their own loader found wanting in something else than what they are.
_NOT_ASKED = frozenset({"broken_json", "broken_csv", "broken_record", "not_an_object", "truncated", "record_too_large",
                        "too_deep", "no_time", "implausible_time", "tenant_mismatch", "unreadable"})
_CATEGORIES = ("category", "Category", "kind", "logName")


class Found(NamedTuple):
    """Records of one other source in the order of the document, with the ordinals they have there."""

    source: str
    positions: list[int]
    raws: list[bytes]

    def member(self, of: Member) -> Member:
        """The records as a document of their own, by the name of the one they stand in."""
        text = b"\n".join(raw.replace(b"\n", b" ").replace(b"\r", b" ") for raw in self.raws)
        return Member(of.file, of.member, of.file_sha256, cast("IO[bytes]", io.BytesIO(text)))

    def placed(self, batch: Batch) -> Batch:
        """The batch with the ordinals that its records have in the document they stand in."""
        ordinals = dict(enumerate(self.positions))
        place = pl.col("raw_ref").struct.with_fields(
            pl.field("offset").replace_strict(ordinals, default=None, return_dtype=pl.Int64))
        frames = {name: frame.with_columns(place) if "raw_ref" in frame.columns else frame
                  for name, frame in batch.frames.items()}
        faults = [fault if fault.position is None else replace(fault, position=ordinals.get(fault.position))
                  for fault in batch.faults]
        drift = [replace(one, position=ordinals.get(one.position, 0)) for one in batch.drift]
        return replace(batch, frames=frames, faults=faults, drift=drift)


class Strays:
    """What one loader did not take of a document, by the source that does."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._known: dict[tuple[object, ...], str | None] = {}
        self._held: dict[str, Found] = {}

    def sort_out(self, chunk: Chunk, batch: Batch) -> Iterator[Found]:
        """Take the faults of other sources' records out of the batch; gives what has become many."""
        asked = {fault.position for fault in batch.faults if fault.reason not in _NOT_ASKED} - {None}
        if not asked:
            return
        taken = set()
        for position, raw in chunk.placed():
            if position in asked and (source := self._source_of(raw)) is not None:
                found = self._held.setdefault(source, Found(source, [], []))
                found.positions.append(position)
                found.raws.append(bytes(memoryview(raw)))
                taken.add(position)
        batch.faults = [fault for fault in batch.faults if fault.position not in taken]
        for source in [name for name, found in self._held.items() if len(found.raws) >= TOGETHER]:
            yield self._held.pop(source)

    def rest(self) -> Iterator[Found]:
        yield from (found for _, found in sorted(self._held.items()))

    def _source_of(self, raw: bytes | msgspec.Raw) -> str | None:
        fields = decode_object(raw)
        if fields is None:
            return None
        alike = (*sorted(fields), *(str(fields.get(key)) for key in _CATEGORIES))
        if alike not in self._known and len(self._known) < KINDS:
            self._known[alike] = self._asked(sample(bytes(memoryview(raw)), complete=True))
        return self._known.get(alike)

    def _asked(self, record: Sample) -> str | None:
        """The source that is sure of it; None where that is nobody or the document's own loader knows it too."""
        found = recognise(record)
        sure = found is not None and found[1].confidence >= SURE
        return found[0] if found and sure and loaders()[self._source].detect(record) is None else None
