"""Every value of a record replaced by what a log should never hold there, one at a time."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from lineage_analytics import tables
from lineage_analytics.loaders import loaders
from tests._documents import member

if TYPE_CHECKING:
    from collections.abc import Iterator

_ODD: tuple[Any, ...] = (
    None, 0, True, 10**30, "", "x", "{", '{"a":1}', "0001-01-01T00:00:00Z", [], [None], [{"id": [1]}], {}, {"value": {}})


def _paths(value: object, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if path:
        yield path
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from _paths(inner, (*path, key))


def _variants(record: object) -> Iterator[bytes]:
    for path in _paths(record):
        for odd in _ODD:
            copy: Any = json.loads(json.dumps(record))
            at = copy
            for key in path[:-1]:
                at = at[key]
            at[path[-1]] = odd
            yield json.dumps(copy).encode()


def check(source: str, data: bytes) -> int:
    """Reads every variant of a fixture's first record: each must be counted, and closed columns hold. Gives how many."""
    document, loader, count = member(data), loaders()[source], 0
    match = loader.detect(document.sample)
    assert match is not None
    document.shape = match.shape
    for chunk in loader.extract(document):
        for record in [json.loads(bytes(memoryview(raw))) for raw in chunk.raws][:1]:
            chunk.raws, chunk.tags, chunk.faults = list(_variants(record)), (), []
            batch = loader.transform(chunk, document)
            assert len(batch.record_ids) + len(batch.faults) == len(chunk.raws)
            for table, frame in batch.frames.items():
                assert tables.closed_value_faults(frame, tables.ALL[table]) == []
            count += len(chunk.raws)
    return count
