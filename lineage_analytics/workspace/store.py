"""Canonical tables on disk: one Delta Lake table per name under ``<workspace>/tables``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from lineage_analytics.errors import UsageError
from lineage_analytics.tables import ALL, conform

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from lineage_analytics.tables import Table

SEEN = "seen"
SEEN_SCHEMA = pl.Schema({"key": pl.Int64(), "fingerprint": pl.Int64()})


class Store:
    """The tables of one workspace. Every write is one atomic commit that makes a new version of one table."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    @classmethod
    def open(cls, directory: Path) -> Store:
        """An existing workspace; UsageError where there is none."""
        if not (directory / "tables").is_dir():
            raise UsageError(f"Wanted a workspace at {directory}", "there is none",
                             "load logs first: lineage ingest PATH... --workspace DIR")
        return cls(directory)

    @classmethod
    def create(cls, directory: Path) -> Store:
        """The workspace at a directory, made private to its owner when it is new."""
        (directory / "tables").mkdir(parents=True, exist_ok=True, mode=0o700)
        return cls(directory)

    def _path(self, name: str) -> Path:
        return self.directory / "tables" / name

    def has(self, name: str) -> bool:
        return (self._path(name) / "_delta_log").is_dir()

    def scan(self, name: str, version: int | None = None) -> pl.LazyFrame:
        """The table, now or at an earlier version; empty when nothing was ever written to it."""
        if not self.has(name):
            return pl.LazyFrame(schema=SEEN_SCHEMA) if name == SEEN else ALL[name].empty().lazy()
        return pl.scan_delta(str(self._path(name)), version=version)

    def append(self, name: str, frame: pl.DataFrame) -> None:
        if frame.height:
            self._write(name, frame, "append")

    def replace(self, name: str, frame: pl.DataFrame) -> None:
        """The derived table as it now is; the versions before stay readable."""
        self._write(name, frame, "overwrite")

    def _write(self, name: str, frame: pl.DataFrame, mode: str) -> None:
        options: dict[str, Any] = {"writer_properties": _properties()}
        if mode == "overwrite":
            options["schema_mode"] = "overwrite"
        table: Table | None = ALL.get(name)
        (conform(frame, table) if table else frame).write_delta(
            str(self._path(name)), mode=mode, delta_write_options=options  # type: ignore[call-overload]
        )

    def versions(self) -> Mapping[str, int]:
        """Version of every table written so far."""
        from deltalake import DeltaTable  # noqa: PLC0415  (slow to import, and most callers need no version)

        names = sorted(path.name for path in (self.directory / "tables").iterdir() if self.has(path.name))
        return {name: DeltaTable(str(self._path(name))).version() for name in names}


def _properties() -> object:
    from deltalake import WriterProperties  # noqa: PLC0415

    return WriterProperties(compression="ZSTD", compression_level=1)
