"""The numbers with which a provider counts its records: what shows that records between two others are not there."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import polars as pl

from lineage_analytics import tables

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_RUNS = 32
"""A chunk of more runs of numbers than these holds chosen records, not a log with some missing."""


class Counted:
    """Numbers seen in one chunk, by the stream that counts them: of records used and of records not for us."""

    def __init__(self) -> None:
        self._streams: dict[str, set[int]] = {}

    def add(self, stream: str, number: int) -> None:
        self._streams.setdefault(stream, set()).add(number)

    def rows(self, source: str, file_sha256: str) -> pl.DataFrame:
        """Rows of ``tables.SEQUENCES``: one per run of numbers without a hole, or one in all where they are chosen."""
        return pl.DataFrame(
            [(source, stream, first, last, records, file_sha256)
             for stream, numbers in sorted(self._streams.items()) for first, last, records in _told(sorted(numbers))],
            schema=tables.SEQUENCES.schema, orient="row")


def _told(numbers: list[int]) -> Iterable[tuple[int, int, int]]:
    runs = list(_runs(numbers))
    return runs if len(runs) <= _RUNS else [(numbers[0], numbers[-1], len(numbers))]


def _runs(numbers: list[int]) -> Iterator[tuple[int, int, int]]:
    start = numbers[0]
    for one, after in pairwise([*numbers, numbers[-1] + 2]):
        if after != one + 1:
            yield start, one, one - start + 1
            start = after
