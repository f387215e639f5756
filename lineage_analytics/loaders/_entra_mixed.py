"""Files that hold several Entra logs: each record goes to the reader of its own log.

A loader reads its chunk; the records it calls out of scope are offered to the sister readers, and what they understand
is booked under their names. So a file of all categories loses nothing, whichever loader takes it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import polars as pl

from lineage_analytics.loaders import _entra_audit_rows, _entra_graph_rows, _entra_risk_rows, _entra_signin_rows
from lineage_analytics.loaders._entra_opened import family_of, opened
from lineage_analytics.loaders.common.contract import Batch, Chunk, Fault
from lineage_analytics.loaders.common.sampling import decode_object

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import msgspec

    from lineage_analytics.loaders.common.contract import Document

READERS: dict[str, Callable[[Chunk, Document], Batch]] = {
    "audit": _entra_audit_rows.read_chunk, "signin": _entra_signin_rows.read_chunk,
    "graph": _entra_graph_rows.read_chunk, "risk": _entra_risk_rows.read_chunk,
}


@dataclass
class _Part(Chunk):
    """Some records of a chunk, each with the ordinal it has in the file."""

    places: Sequence[int] = field(default_factory=tuple)

    def placed(self) -> Iterator[tuple[int, bytes | msgspec.Raw]]:
        yield from zip(self.places, self.raws, strict=True)


def transform(chunk: Chunk, document: Document, family: str) -> Batch:
    """The batch of a chunk: its own records, then those of the sister logs."""
    own = READERS[family](chunk, document)
    strays = {fault.position for fault in own.faults if fault.reason == "out_of_scope"}
    if not strays:
        return own
    parts: dict[str, list[tuple[int, bytes | msgspec.Raw]]] = {}
    for position, raw in chunk.placed():
        if position in strays and (fields := decode_object(raw)) is not None:
            found = family_of(opened(fields))
            if found is not None and found != family:
                parts.setdefault(found, []).append((position, raw))
    batches = [own]
    for name in (name for name in READERS if name in parts):
        places, raws = zip(*parts[name], strict=True)
        batches.append(READERS[name](_Part(chunk.start, raws, places=places), document))
        strays.difference_update(places)
    own.faults = [fault for fault in own.faults if fault.reason != "out_of_scope" or fault.position in strays]
    return _joined(batches)


def _joined(batches: Sequence[Batch]) -> Batch:
    frames: dict[str, list[pl.DataFrame]] = {}
    faults: list[Fault] = []
    for batch in batches:
        faults += batch.faults
        for name, frame in batch.frames.items():
            frames.setdefault(name, []).append(frame)
    return Batch(
        pl.concat([batch.record_ids for batch in batches]), {name: pl.concat(held) for name, held in frames.items()},
        faults, [drift for batch in batches for drift in batch.drift])
