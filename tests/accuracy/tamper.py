"""Every change of a bundle's bytes is detected (decision-lineage 10, 16)."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING

import polars as pl

from lineage_analytics.errors import LineageError
from lineage_analytics.reporting import bundle, verifying
from tests.accuracy.table import Row, Tally

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.accuracy.organisations import Organisation


def intact(data: bytes) -> bool:
    """Whether a reader of these bytes is told that they are as they were written."""
    try:
        return verifying.check(data, "bundle").intact
    except LineageError:
        return False


@dataclass
class Tampering:
    """Bundles of a few cases, each whole, then with one thing done to it."""

    whole: Tally = field(default_factory=lambda: Tally("bundles intact", "as written, read as intact", least=1.0))
    bytewise: Tally = field(default_factory=lambda: Tally(
        "tamper: one byte", "every byte of a bundle changed alone is detected", least=1.0))
    others: Tally = field(default_factory=lambda: Tally(
        "tamper: the rest", "deletions, insertions, swaps, truncations, entries left out, are detected", least=1.0))

    def take(self, one: Organisation, bundles: int = 6, every: int = 1) -> None:
        """The smallest bundle of the drawn cases byte by byte (each ``every``-th), all of them in the other ways."""
        dice = Random(f"tamper {one.seed}")  # noqa: S311
        executed = one.lineage.cases.filter(pl.col("executed"))["case_id"].sort().to_list()
        made = sorted((bundle.make(one.lineage, one.estate, case).data for case in dice.sample(executed, bundles)),
                      key=len)
        for data in made:
            self.whole.count(intact(data), 1)
            self._judge(self.others, _changed(data, dice))
        smallest = made[0]
        self._judge(self.bytewise, (
            (f"byte {place}", smallest[:place] + bytes([smallest[place] ^ dice.randrange(1, 256)]) + smallest[place + 1:])
            for place in range(0, len(smallest), every)))

    def _judge(self, tally: Tally, changed: Iterator[tuple[str, bytes]]) -> None:
        for what, data in changed:
            found = not intact(data)
            tally.count(found, 1, [] if found else [what])

    def rows(self) -> list[Row]:
        return [self.whole.row, self.bytewise.row, self.others.row]


def _changed(data: bytes, dice: Random, times: int = 60) -> Iterator[tuple[str, bytes]]:
    """Single changes drawn at random, of every sort."""
    size = len(data)
    for _ in range(times):
        at, to = sorted(dice.sample(range(size), 2))
        yield f"without byte {at}", data[:at] + data[at + 1:]
        yield f"a byte before {at}", data[:at] + bytes([dice.randrange(256)]) + data[at:]
        yield f"cut at {at}", data[:at]
        yield f"more behind {at}", data + data[at:to]
        yield f"without {at} to {to}", data[:at] + data[to:]
        if data[at] != data[to]:
            swapped = bytearray(data)
            swapped[at], swapped[to] = data[to], data[at]
            yield f"bytes {at} and {to} swapped", bytes(swapped)
    lines = data.split(b"\n")
    for _ in range(times):
        first, second = dice.sample(range(len(lines)), 2)
        if lines[first] != lines[second]:
            moved = list(lines)
            moved[first], moved[second] = lines[second], lines[first]
            yield f"lines {first} and {second} swapped", b"\n".join(moved)
        yield f"without line {first}", b"\n".join(lines[:first] + lines[first + 1:])
        yield f"line {first} twice", b"\n".join(lines[:first + 1] + lines[first:])
