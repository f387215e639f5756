"""What an analysis reads: the canonical tables, and the moment and spans it is about."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, cast

from lineage_analytics.tables import ALL, conform

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    import polars as pl


@dataclass(frozen=True)
class Facts:
    """The tables an analysis reads, with the moment and spans it is about.

    ``tables`` maps a table's name to a LazyFrame with the columns of ``tables``; a name that is absent
    reads as the empty table. ``as_of`` is the end of the reporting window (UTC); the window is the
    ``window_days`` before it, the usage look-back the ``lookback_days`` before it.
    """

    tables: Mapping[str, pl.LazyFrame]
    as_of: datetime
    window_days: int = 30
    lookback_days: int = 90
    parts: dict[str, object] = field(default_factory=dict, repr=False, compare=False)

    def __getitem__(self, name: str) -> pl.LazyFrame:
        return self.tables[name] if name in self.tables else ALL[name].empty().lazy()

    def frame(self, name: str) -> pl.DataFrame:
        """The table, collected once and kept."""
        key = f"frame:{name}"
        if key not in self.parts:
            self.parts[key] = self[name].collect()
        return cast("pl.DataFrame", self.parts[key])

    @property
    def window_start(self) -> datetime:
        return self.as_of - timedelta(days=self.window_days)

    @property
    def lookback_start(self) -> datetime:
        return self.as_of - timedelta(days=self.lookback_days)

    @staticmethod
    def of(as_of: datetime, window_days: int = 30, lookback_days: int = 90, **frames: pl.DataFrame) -> Facts:
        """Facts from hand-made frames; columns left out are null. For tests and experiments."""
        made = {name: conform(frame, ALL[name]).lazy() for name, frame in frames.items()}
        return Facts(made, as_of, window_days, lookback_days)
