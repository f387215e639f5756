"""Canonical tables on disk: one Delta Lake table per name under ``<workspace>/tables``.

Each write to a table is atomic by itself. What belongs together becomes visible together: ``committed.json`` names the
version of every table that counts, and is replaced in one step after the last write. What a crash left beyond it is
taken back before the next write to that table, so that nothing is ever counted twice or half.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

import polars as pl

from lineage_analytics.errors import IntegrityError, UsageError
from lineage_analytics.tables import ALL, conform
from lineage_analytics.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from lineage_analytics.tables import Table

SEEN = "seen"
SEEN_SCHEMA = pl.Schema({"key": pl.Int64(), "fingerprint": pl.Int64()})
MARKER = "committed.json"
_ROW_GROUP = 16_384
# The table library takes paths for addresses.
_NO_PATH = re.compile(r"[\[\]\\^|]|%[0-9A-Fa-f]{2}")
_SYSTEM_CODE = re.compile(r"\bcode: (\d+)|os error (\d+)")


class Store:
    """The tables of one workspace, as of its last complete commit."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._committed = self._read_marker()
        self._written: set[str] = set()
        self._pending: dict[str, _Pending] = {}

    @classmethod
    def open(cls, directory: Path) -> Store:
        """An existing workspace; UsageError where there is none."""
        if not (directory / "tables").is_dir():
            raise UsageError(f"Wanted a workspace at {printable(directory)}", "there is none",
                             "load logs first: lineage ingest PATH... --workspace DIR")
        return cls(directory)

    @classmethod
    def create(cls, directory: Path) -> Store:
        """The workspace at a directory, private to its owner when it is new; UsageError for a path it cannot have."""
        odd = _NO_PATH.search(directory.resolve().as_posix())
        if odd is not None:
            raise UsageError("Wanted a workspace whose path has no [ ] \\ ^ | and no % with two digits",
                             f"{odd[0]} in {printable(directory)}", "choose another folder")
        (directory / "tables").mkdir(parents=True, exist_ok=True, mode=0o700)
        return cls(directory)

    def _read_marker(self) -> dict[str, int]:
        path = self.directory / MARKER
        if not path.is_file():
            return {}
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
            return {str(name): int(version) for name, version in found.items()}
        except (ValueError, AttributeError, TypeError):
            raise IntegrityError(f"Wanted the table versions of the workspace in {printable(path)}",
                                 "the file was changed", "take the workspace from a copy, or load again into a new one"
                                 ) from None

    def _path(self, name: str) -> Path:
        return self.directory / "tables" / name

    def scan(self, name: str, version: int | None = None) -> pl.LazyFrame:
        """The table as last committed, or at a version; empty when nothing was ever committed to it."""
        wanted = self._committed.get(name) if version is None else version
        if wanted is None:
            return _empty(name)
        path = self._path(name).resolve()
        plain = quote(str(path)) == str(path)
        return _whole(pl.scan_delta(str(path), version=wanted) if plain else _scan_odd(path, wanted), name)

    def append(self, name: str, frame: pl.DataFrame) -> None:
        """Add rows; they count from the next ``commit``."""
        if not frame.height:
            return
        mode = "append"
        with _system_errors(self._path(name)):
            if name not in self._written:
                mode = self._taken_back(name)
                self._written.add(name)
            self._write(name, frame, mode)

    def _taken_back(self, name: str) -> str:
        """How to write to a table for the first time: after taking back what no commit covers."""
        from deltalake import DeltaTable  # noqa: PLC0415  (slow to import, and most callers write nothing)

        if not (self._path(name) / "_delta_log").is_dir():
            return "append"
        if name not in self._committed:
            return "overwrite"
        table = DeltaTable(str(self._path(name)))
        if table.version() > self._committed[name]:
            table.restore(self._committed[name])
        return "append"

    def commit(self) -> None:
        """Let everything written since the last commit count, at once."""
        for name, pending in sorted(self._pending.items()):
            with _system_errors(self._path(name)):
                pending.record()
        self._pending = {}
        versions = self._committed | {name: self._version(name) for name in self._written}
        fresh = self.directory / f".{MARKER}-{os.getpid()}"
        fresh.write_text(json.dumps(versions, sort_keys=True), encoding="utf-8")
        fresh.replace(self.directory / MARKER)
        self._committed = versions
        self._written = set()

    def replace(self, name: str, frame: pl.DataFrame) -> int:
        """A derived table as it now is, outside of commits; its new version. Earlier versions stay readable."""
        with _system_errors(self._path(name)):
            self._write(name, frame, "overwrite")
        return self._version(name)

    def _version(self, name: str) -> int:
        from deltalake import DeltaTable  # noqa: PLC0415

        return DeltaTable(str(self._path(name))).version()

    def _write(self, name: str, frame: pl.DataFrame, mode: str) -> None:
        table: Table | None = ALL.get(name)
        rows = conform(frame, table) if table else frame
        path = self._path(name)
        if mode == "append":
            if name not in self._pending:
                self._pending[name] = _Pending(path, rows.schema)
            self._pending[name].add(rows)
            return
        options: dict[str, Any] = {"writer_properties": _properties(), "schema_mode": "overwrite"}
        rows.write_delta(str(path), mode="overwrite", delta_write_options=options)

    def versions(self) -> Mapping[str, int]:
        """Version of every committed table."""
        return dict(sorted(self._committed.items()))


def _scan_odd(path: Path, version: int) -> pl.LazyFrame:
    """A table in a folder whose name has a blank or another character that an address writes otherwise: the scan of
    polars looks for its files by that address."""
    from deltalake import DeltaTable  # noqa: PLC0415

    listed = pl.DataFrame(DeltaTable(str(path), version=version).get_add_actions(flatten=True))
    files = [path / unquote(name) for name in listed["path"]]
    return pl.scan_parquet(files, glob=False) if files else _empty(path.name)


def _whole(frame: pl.LazyFrame, name: str) -> pl.LazyFrame:
    """A table that an earlier version wrote, with the columns that came since: null, nothing was stated."""
    table = ALL.get(name)
    held = frame.collect_schema() if table is not None else {}
    lacking = [pl.lit(None, dtype=dtype).alias(column) for column, dtype in table.schema.items()
               if column not in held] if table is not None else []
    return frame.with_columns(lacking).select(table.schema.names()) if lacking and table is not None else frame


def _empty(name: str) -> pl.LazyFrame:
    return pl.LazyFrame(schema=SEEN_SCHEMA) if name == SEEN else ALL[name].empty().lazy()


class _Pending:
    """Files of one table that its next version will name. polars writes them: the table library's own writer holds a
    second copy of the rows, and recording each file by itself costs as much as writing it."""

    def __init__(self, path: Path, schema: pl.Schema) -> None:
        from deltalake import DeltaTable  # noqa: PLC0415

        known = (path / "_delta_log").is_dir()
        self._path = path
        self._table = DeltaTable(str(path)) if known else DeltaTable.create(str(path), schema=schema)
        self._grow(schema)
        self._actions: list[Any] = []

    def _grow(self, schema: pl.Schema) -> None:
        """Columns that came since the table was made."""
        from deltalake import Schema  # noqa: PLC0415

        held = {field.name for field in self._table.schema().fields}
        lacking = [field for field in Schema.from_arrow(schema).fields if field.name not in held]
        if lacking:
            self._table.alter.add_columns(lacking)

    def add(self, rows: pl.DataFrame) -> None:
        """Write rows to a file of their own."""
        from deltalake.transaction import AddAction  # noqa: PLC0415

        # What a crash left under this name no version knows.
        file = self._path / f"part-{self._table.version() + 1:08d}-{len(self._actions):04d}.parquet"
        # Small row groups without statistics: a load's memory is the writer's, and no scan skips by them.
        rows.write_parquet(file, compression="zstd", compression_level=1, statistics=False, row_group_size=_ROW_GROUP)
        written = file.stat()
        self._actions.append(AddAction(file.name, written.st_size, {}, int(written.st_mtime * 1000), True,
                                       json.dumps({"numRecords": rows.height})))

    def record(self) -> None:
        """One new version of the table with all files written since the last."""
        self._table.create_write_transaction(self._actions, "append", self._table.schema())


@contextlib.contextmanager
def _system_errors(path: Path) -> Iterator[None]:
    """A full disk or a read-only folder as the OSError it is; the table library has an error of its own for them."""
    from deltalake.exceptions import DeltaError  # noqa: PLC0415

    try:
        yield
    except DeltaError as error:
        found = _SYSTEM_CODE.search(str(error))
        if found is None:
            raise
        code = int(found[1] or found[2])
        raise OSError(code, os.strerror(code), str(path)) from error


def _properties() -> object:
    from deltalake import WriterProperties  # noqa: PLC0415

    return WriterProperties(compression="ZSTD", compression_level=1)
