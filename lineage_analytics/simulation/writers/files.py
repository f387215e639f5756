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
