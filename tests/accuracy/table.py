"""One measure of accuracy, and the table of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_SHOWN = 5


@dataclass(frozen=True)
class Row:
    """A measure. ``found`` of ``total`` objects; ``least`` and ``most`` bound the share found; with ``none`` nothing
    may be found. ``wrong`` names objects that miss. A measure of nothing fails: nothing was shown."""

    measure: str
    definition: str
    found: int
    total: int
    least: float = 0.0
    most: float = 1.0
    none: bool = False
    wrong: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        if self.none:
            return self.found == 0 and self.total > 0
        return self.total > 0 and self.least <= self.found / self.total <= self.most

    @property
    def target(self) -> str:
        if self.none:
            return "0"
        return f"<= {self.most:.0%}" if self.most < 1 else "all" if self.least == 1 else f">= {self.least:.0%}"


@dataclass
class Tally:
    """Counts of one measure over several organisations."""

    measure: str
    definition: str
    least: float = 0.0
    most: float = 1.0
    none: bool = False
    found: int = 0
    total: int = 0
    wrong: list[str] = field(default_factory=list)

    def count(self, found: int, total: int, wrong: Iterable[str] = ()) -> None:
        self.found += found
        self.total += total
        self.wrong += wrong

    @property
    def row(self) -> Row:
        return Row(self.measure, self.definition, self.found, self.total, self.least, self.most, self.none,
                   tuple(self.wrong))


def printed(rows: Sequence[Row]) -> str:
    """The table, then what misses."""
    wide = max(len(row.measure) for row in rows)
    head = f"{'measure':<{wide}}  {'found':>11} of {'n':<11} {'target':<8} {'':<4}  definition"
    lines = [head, "-" * len(head)]
    lines += [f"{row.measure:<{wide}}  {row.found:>11,} of {row.total:<11,} {row.target:<8} "
              f"{'pass' if row.passed else 'FAIL'}  {row.definition}" for row in rows]
    for row in rows:
        if row.wrong and not row.passed:
            lines += ["", f"{row.measure}: {len(row.wrong):,} miss", *(f"  {one}" for one in row.wrong[:_SHOWN])]
    return "\n".join(lines)
