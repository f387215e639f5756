"""Bytes as a loader gets them, without a file."""

from __future__ import annotations

import io
import json
from typing import IO, TYPE_CHECKING, Any, cast

import polars as pl

from lineage_analytics import tables
from lineage_analytics.loaders import loaders, recognise
from lineage_analytics.loaders.common.containers import Member

if TYPE_CHECKING:
    from lineage_analytics.loaders.common.contract import Fault

SHA = "0" * 64


def member(data: bytes | str | object, name: str = "export") -> Member:
    """A document of these bytes, of this text, or of this value as JSON."""
    raw = data if isinstance(data, bytes) else data.encode() if isinstance(data, str) else json.dumps(data).encode()
    return Member(name, None, SHA, cast("IO[bytes]", io.BytesIO(raw)))


def json_values(data: bytes) -> list[Any]:
    """The JSON values of a file, one after another; empty where it is anything else."""
    decoder, found = json.JSONDecoder(), list[Any]()
    try:
        text = data.decode("utf-8-sig").strip()
        while text:
            value, end = decoder.raw_decode(text)
            found.append(value)
            text = text[end:].lstrip()
    except ValueError:
        return []
    return found


class Loaded:
    """What the recognised loader made of a document."""

    def __init__(self, data: bytes | str | object) -> None:
        document = member(data)
        found = recognise(document.sample)
        assert found is not None, "no loader knows it"
        self.source, match = found
        document.shape = match.shape
        loader = loaders()[self.source]
        self.faults: list[Fault] = []
        self.ids: list[str] = []
        self.truncated = False
        frames: dict[str, list[pl.DataFrame]] = {}
        self.sequences = tables.SEQUENCES.empty()
        for chunk in loader.extract(document):
            batch = loader.transform(chunk, document)
            self.faults += batch.faults
            self.ids += batch.record_ids.to_list()
            self.truncated |= chunk.truncated
            if batch.sequences is not None:
                self.sequences = pl.concat([self.sequences, batch.sequences])
            for table, frame in batch.frames.items():
                frames.setdefault(table, []).append(tables.conform(frame, tables.ALL[table]))
        self.frames = {name: pl.concat(parts) for name, parts in frames.items()}

    def __getitem__(self, table: str) -> pl.DataFrame:
        return self.frames.get(table, tables.ALL[table].empty())

    def rows(self, table: str, *columns: str) -> list[tuple[Any, ...]]:
        """Distinct rows of these columns, sorted."""
        return sorted(self[table].select(columns).unique().rows(), key=repr)
