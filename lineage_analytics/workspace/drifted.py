"""Drift of one document: which records differ from what their loader knows, counted while they are stored."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from lineage_analytics import tables
from lineage_analytics.loaders.common.leftovers import new_keys
from lineage_analytics.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lineage_analytics.loaders.common.containers import Member
    from lineage_analytics.loaders.common.contract import Batch
    from lineage_analytics.loaders.common.leftovers import Drift

KINDS_PER_DOCUMENT = 1_000
"""A record whose keys are data must not make a table of its own."""


class Drifted:
    """Counts by kind, name and JSON type, with the first position of each."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._found: dict[tuple[str, str, str], tuple[int, int]] = {}

    def note(self, batch: Batch) -> None:
        """Add what a batch tells, and the new keys that its ``unmapped`` columns hold."""
        for drift in (*batch.drift, *_keys(batch)):
            self._add(drift.kind, drift.name, drift.found, drift.position)

    def revised(self, positions: list[int]) -> None:
        """Add records that have the native id of another and say something else; both are kept."""
        for position in positions:
            self._add("revision", "same native id as another record, other content", "", position)

    def _add(self, kind: str, name: str, found: str, position: int) -> None:
        records, first = self._found.get((kind, name, found), (0, position))
        if records or len(self._found) < KINDS_PER_DOCUMENT:
            self._found[kind, name, found] = (records + 1, min(first, position))

    def rows(self, member: Member) -> pl.DataFrame:
        """The DRIFT rows of the document."""
        where = {"source": self._source, "file": printable(member.file),
                 "member": member.member and printable(member.member), "file_sha256": member.file_sha256}
        return pl.DataFrame(
            [{**where, "kind": kind, "name": printable(name), "found": found, "records": records, "position": first}
             for (kind, name, found), (records, first) in sorted(self._found.items())], schema=tables.DRIFT.schema)


def _keys(batch: Batch) -> Iterator[Drift]:
    for frame in batch.frames.values():
        if "unmapped" in frame.columns and frame["unmapped"].null_count() < frame.height:
            held = frame.filter(pl.col("unmapped").is_not_null()).select(
                "unmapped", pl.col("raw_ref").struct.field("offset"))
            for text, position in held.iter_rows():
                yield from new_keys(text, position or 0)
