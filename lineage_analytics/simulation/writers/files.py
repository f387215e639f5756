"""Files whose bytes depend only on their content."""

from __future__ import annotations

import csv
import gzip
import io
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime
    from pathlib import Path


def put(path: Path, content: bytes) -> None:
    """Write a file; with the suffix ``.gz`` compressed, without a time stamp in it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(content, 9, mtime=0) if path.suffix == ".gz" else content)


class Packed:
    """A gzip file written piece by piece, without a time stamp in it."""

    def __init__(self, path: Path, level: int = 9) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._raw = path.open("wb")
        self._packed = gzip.GzipFile("", "wb", level, self._raw, mtime=0)

    def write(self, content: bytes) -> None:
        self._packed.write(content)

    def close(self) -> None:
        self._packed.close()
        self._raw.close()


class Monthly:
    """A gzip file a month, each one JSON array or, with ``lines``, an object a line; days come in order.

    ``name`` is a path below ``directory`` in which ``{month}`` stands for ``2026-03``.
    """

    def __init__(self, directory: Path, name: str, *, lines: bool = False) -> None:
        self._directory, self._name, self._lines = directory, name, lines
        self._open: tuple[str, Packed] | None = None

    def write(self, time: datetime, record: object) -> None:
        month = f"{time:%Y-%m}"
        begun = self._open is not None and self._open[0] == month
        if self._open is None or not begun:
            self.close()
            self._open = month, Packed(self._directory / self._name.format(month=month))
        self._open[1].write(as_json(record) + b"\n" if self._lines else (b"," if begun else b"[") + as_json(record))

    def close(self) -> None:
        if self._open is not None:
            self._open[1].write(b"" if self._lines else b"]")
            self._open[1].close()


def as_json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def pretty(value: object) -> bytes:
    return json.dumps(value, indent=1, ensure_ascii=False).encode() + b"\n"


def as_csv(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    if header:
        writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue().encode()


def zulu(time: datetime) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")
