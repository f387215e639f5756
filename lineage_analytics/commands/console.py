"""What commands print: progress on a terminal, plain lines elsewhere, JSON where asked."""

from __future__ import annotations

import json
import sys
import textwrap
from collections import Counter
from datetime import datetime
from typing import TYPE_CHECKING, Any

from lineage_analytics.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from lineage_analytics.loaders.common.containers import InputFile
    from lineage_analytics.workspace.ingest import Result

_SHOWN = 12


def note(message: str) -> None:
    """One line of progress or advice, to stderr."""
    sys.stderr.write(f"{message}\n")
    sys.stderr.flush()


def document(value: Any) -> None:
    """One JSON document on stdout, nothing else there."""
    print(json.dumps(value, indent=2, ensure_ascii=True, default=_plain))


def _plain(value: object) -> str:
    return value.strftime("%Y-%m-%dT%H:%M:%SZ") if isinstance(value, datetime) else str(value)


class Loading:
    """Progress of a load: a bar on a terminal, a line every tenth of the files elsewhere."""

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()
        self._bar: Any = None
        self._told = -1

    def __call__(self, file: InputFile, number: int, total: int) -> None:
        if self._terminal:
            if self._bar is None:
                from tqdm import tqdm

                self._bar = tqdm(total=total, unit="file", desc="loading", leave=False)
            self._bar.update(number - self._bar.n)
        elif total and number * 10 // total > self._told:
            self._told = number * 10 // total
            note(f"loading file {number + 1} of {total}: {printable(file.name, 80)}")

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()


def folded(heading: str, items: Sequence[str], width: int = 100) -> list[str]:
    """A heading and items as lines of bounded width, aligned under the first item."""
    text = textwrap.wrap(", ".join(items) or "none", width, break_long_words=False)
    return [f"{heading if not number else '':<10}{line}" for number, line in enumerate(text)]


def counts(rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """The counting identity per source, as aligned lines."""
    rows = list(rows)
    wide = max([len("source"), *(len(row["source"]) for row in rows)])
    lines = [f"{'source':<{wide}} {'files':>6} {'seen':>10} {'accepted':>10} {'duplicate':>10} {'quarantined':>11} "
             f"{'rejected':>9}  period"]
    for row in rows:
        period = f"{row['first'][:10]} to {row['last'][:10]}" if row["first"] else "no dated records"
        lines.append(
            f"{row['source']:<{wide}} {row['files']:>6,} {row['seen']:>10,} {row['accepted']:>10,} "
            f"{row['duplicate']:>10,} {row['quarantined']:>11,} {row['rejected']:>9,}  {period}")
    return lines


def not_used(result: Result) -> list[str]:
    """What was quarantined, rejected or skipped, grouped by reason, the first few files named."""
    groups: dict[tuple[str, str, str], Counter[str]] = {}
    for fault in result.faults:
        group = groups.setdefault((fault["disposition"], fault["reason"], fault["detail"]), Counter())
        group[fault["file"]] += fault["records"]
    lines = []
    for (disposition, reason, detail), files in sorted(groups.items(), key=lambda item: (-item[1].total(), item[0])):
        named = sorted(files)
        more = f" and {len(named) - 1} more" if len(named) > 1 else ""
        lines.append(f"  {disposition} ({reason}): {files.total():,} in {printable(named[0], 80)}{more}: "
                     f"{printable(detail, 100)}")
    shown = lines[:_SHOWN] + ([f"  and {len(lines) - _SHOWN} more reasons"] if len(lines) > _SHOWN else [])
    shown += [f"  not read: {printable(s.name, 80)} ({printable(s.reason, 80)})" for s in result.skipped[:_SHOWN]]
    return shown


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows under a header, columns as wide as they need to be."""
    widths = [max(len(row[i]) for row in (header, *rows)) for i in range(len(header))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in (header, *rows)]
