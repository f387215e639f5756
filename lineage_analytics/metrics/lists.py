"""The lists of this room that an analyst edits, each a file of ``data``."""

from __future__ import annotations

import csv
from functools import cache
from importlib.resources import files


@cache
def listed(name: str) -> tuple[dict[str, str], ...]:
    """The rows of ``data/<name>.csv``; lines that begin with ``#`` are comments."""
    text = (files(__package__) / "data" / f"{name}.csv").read_text(encoding="utf-8")
    return tuple(csv.DictReader(line for line in text.splitlines() if line and not line.startswith("#")))
