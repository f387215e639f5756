"""The data files of this package's rooms: lists an analyst may edit, comment lines begin with ``#``."""

from __future__ import annotations

import csv
from importlib.resources import files

from lineage_analytics.errors import ConfigurationError


def rows(name: str, header: tuple[str, ...], room: str = "permissions") -> list[dict[str, str]]:
    """Rows of ``<room>/data/<name>.csv``; ConfigurationError when its header or a row is not as wanted."""
    text = (files(f"lineage_analytics.{room}") / "data" / f"{name}.csv").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    table = list(csv.reader(lines))
    if not table or tuple(table[0]) != header or any(len(row) != len(header) for row in table):
        raise ConfigurationError(f"Wanted {name}.csv with columns {','.join(header)}",
                                 "found other columns, or a row with too few or too many", "mend the data file")
    return [dict(zip(header, row, strict=True)) for row in table[1:]]
