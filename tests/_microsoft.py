"""Files in memory, read as a load reads them: sniffed, extracted, transformed."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import polars as pl

from lineage_analytics import tables
from lineage_analytics.loaders import loaders, recognise
from lineage_analytics.loaders.common.containers import Member

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lineage_analytics.loaders.common.contract import Fault

Json = dict[str, Any]


@dataclass
class Loaded:
    """What one file gave: its loader, frames without the pointer to the bytes, ids and faults."""

    source: str | None
    record_ids: list[str] = field(default_factory=list)
    frames: dict[str, pl.DataFrame] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)

    def rows(self, table: str) -> list[Json]:
        return self.frames[table].to_dicts() if table in self.frames else []

    @property
    def seen(self) -> int:
        return len(self.record_ids) + len(self.faults)


def load(data: bytes) -> Loaded:
    """The file through the loader that recognises it; closed columns are checked on the way."""
    member = Member("file", None, "0" * 64, io.BytesIO(data))
    found = recognise(member.sample)
    if found is None:
        return Loaded(None)
    result = Loaded(found[0])
    member.shape = found[1].shape
    loader = loaders()[found[0]]
    parts: dict[str, list[pl.DataFrame]] = {}
    for chunk in loader.extract(member):
        batch = loader.transform(chunk, member)
        result.record_ids += batch.record_ids.to_list()
        result.faults += batch.faults
        for name, frame in batch.frames.items():
            assert frame.schema == tables.ALL[name].schema
            assert tables.closed_value_faults(frame, tables.ALL[name]) == []
            parts.setdefault(name, []).append(frame)
    result.frames = {name: pl.concat(frames) for name, frames in parts.items()}
    return result


def same(frame: pl.DataFrame) -> list[str]:
    """A frame's rows as comparable text, in one order, without where they stood."""
    kept = frame.drop("raw_ref") if "raw_ref" in frame.columns else frame
    return sorted(json.dumps(row, default=str, sort_keys=True) for row in kept.to_dicts())


def as_json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()


def as_lines(values: Sequence[object]) -> bytes:
    return b"\n".join(as_json(value) for value in values) + b"\n"


def as_csv(rows: Sequence[Mapping[str, object]]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\r\n", quoting=csv.QUOTE_MINIMAL)
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()
