"""Records that hold records: pages of an API, deliveries of a hub, an activity with its events."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from lineage_analytics.loaders.common.contract import Chunk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    import msgspec

    Raw = bytes | msgspec.Raw


def spread(chunks: Iterable[Chunk], inside: Callable[[Raw], Sequence[Raw]]) -> Iterator[Chunk]:
    """Every raw as the records inside it, which may be the raw itself; the faults of a chunk come behind them."""
    return tagged_spread(chunks, lambda raw: (inside(raw), ""))


def tagged_spread(chunks: Iterable[Chunk], inside: Callable[[Raw], tuple[Sequence[Raw], str]]) -> Iterator[Chunk]:
    """As ``spread``, the records of one raw all with the tag given for it."""
    position = 0
    for chunk in chunks:
        raws: list[Raw] = []
        tags: list[str] = []
        for raw in chunk.raws:
            found, tag = inside(raw)
            raws += found
            tags += [tag] * len(found)
        faults = [replace(fault, position=at) for at, fault in enumerate(chunk.faults, position + len(raws))]
        yield Chunk(position, raws, tags, faults, chunk.truncated)
        position += len(raws) + len(faults)
