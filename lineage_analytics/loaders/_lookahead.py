"""What one record says about another of the same file: chunks handed on once the chunk behind them has been read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

from lineage_analytics.loaders.common.contract import Chunk, Fault

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping

    import msgspec

GENERATION = 200_000
V = TypeVar("V")


class Recent(Generic[V]):
    """The latest entries by key: at least ``GENERATION`` of them, at most twice as many."""

    def __init__(self, generation: int = GENERATION) -> None:
        self._generation = generation
        self._young: dict[Hashable, V] = {}
        self._old: dict[Hashable, V] = {}

    def put(self, key: Hashable, value: V) -> None:
        if len(self._young) >= self._generation:
            self._young, self._old = {}, self._young
        self._young[key] = value

    def get(self, key: Hashable) -> V | None:
        found = self._young.get(key)
        return self._old.get(key) if found is None else found


def one_ahead(
    chunks: Iterable[Chunk], note: Callable[[Chunk], V], context: Callable[[V], Mapping[str, object]]
) -> Iterator[Chunk]:
    """Every chunk with its ``context``, made of what ``note`` gave for it once the chunk behind it is noted too."""
    waiting: tuple[Chunk, V] | None = None
    for chunk in chunks:
        noted = note(chunk)
        if waiting is not None:
            yield _told(waiting[0], context(waiting[1]))
        waiting = chunk, noted
    if waiting is not None:
        yield _told(waiting[0], context(waiting[1]))


def _told(chunk: Chunk, context: Mapping[str, object]) -> Chunk:
    chunk.context = context
    return chunk


def expanded(
    chunks: Iterable[Chunk], parts: Callable[[bytes | msgspec.Raw], list[bytes]], size: int
) -> Iterator[Chunk]:
    """The chunks with every raw record replaced by the records inside it, at most about ``size`` in each."""
    start = position = 0
    raws: list[bytes | msgspec.Raw] = []
    faults: list[Fault] = []
    truncated = False
    for chunk in chunks:
        truncated |= chunk.truncated
        for raw in _in_order(chunk):
            if isinstance(raw, Fault):
                faults.append(Fault(position, raw.reason, raw.detail, raw.disposition))
                position += 1
                continue
            found = parts(raw)
            raws += found
            position += len(found)
            if len(raws) >= size:
                yield Chunk(start, raws, faults=faults)
                start, raws, faults = position, [], []
    yield Chunk(start, raws, faults=faults, truncated=truncated)


def _in_order(chunk: Chunk) -> Iterator[bytes | msgspec.Raw | Fault]:
    """Raw records and faults of a chunk as they stand in the file; a fault of the whole member last."""
    placed: list[tuple[int, bytes | msgspec.Raw | Fault]] = [
        *chunk.placed(), *((fault.position, fault) for fault in chunk.faults if fault.position is not None)]
    placed.sort(key=lambda pair: pair[0])
    yield from (raw for _, raw in placed)
    yield from (fault for fault in chunk.faults if fault.position is None)
