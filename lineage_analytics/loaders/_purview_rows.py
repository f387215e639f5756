"""Rows of Purview and SharePoint reports: headings that drift, cells that are all text (sources 4.7)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from lineage_analytics.loaders.common.packings import csv_columns, json_or_array_chunks, row_chunks
from lineage_analytics.loaders.common.times import parse_time
from lineage_analytics.loaders.common.values import name

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from lineage_analytics.loaders.common.contract import Chunk, Document, Sample

PROVIDER = "m365"
_NOT_PLAIN = re.compile(r"[^a-z0-9]+")
_COUNT = re.compile(r"-?\d{1,3}(?:[,\u00a0 ]\d{3})+|-?\d{1,15}")
_FLAGS = {"true": True, "yes": True, "false": False, "no": False}
_FIRST_YEAR, _LAST_YEAR = 2000, 2089


def plain(heading: str) -> str:
    """A heading by which it is compared: without case, spaces and punctuation."""
    return _NOT_PLAIN.sub("", heading.lower())


def by_heading(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The row by plain headings; where two become one, the first that states something."""
    found: dict[str, Any] = {}
    for heading, cell in fields.items():
        key = plain(heading)
        if found.get(key) in (None, ""):
            found[key] = cell
    return found


def headings(sample: Sample) -> frozenset[str]:
    """The plain headings of a CSV, or the plain keys of the first JSON object."""
    columns = csv_columns(sample) if sample.wrapper in ("csv", "unknown") else frozenset()
    return frozenset(map(plain, columns or (sample.first or {})))


def rows(document: Document) -> Iterator[Chunk]:
    """The rows of a CSV, or the objects of a JSON document."""
    yield from row_chunks(document) if document.shape == "csv" else json_or_array_chunks(document)


def typed(cell: object) -> object:
    """A cell as what it says: a count, yes or no, or text; None when it says nothing."""
    if not isinstance(cell, str):
        return cell
    text = cell.strip()
    if (found := _FLAGS.get(text.lower())) is not None:
        return found
    return int(re.sub(r"[, \u00a0]", "", text)) if _COUNT.fullmatch(text) else text or None


def count(cell: object) -> int | None:
    """A number of things; None for anything else, which is not zero."""
    found = typed(cell)
    if isinstance(found, float) and found.is_integer():
        return int(found)
    return found if isinstance(found, int) and not isinstance(found, bool) and 0 <= found < 2**53 else None


def login(cell: object) -> str | None:
    """A user's login in lower case; None for what is no address of that form."""
    found = name(cell)
    low = found.casefold() if found else ""
    return low if re.fullmatch(r"[^\s@<>;,/]{1,200}@[^\s@<>;,/]{1,200}", low) else None


def moment(cell: object) -> datetime | None:
    """A time in ISO form; None for others, because 03/04 is two days in two countries."""
    found = parse_time(cell)
    return found if found is not None and _FIRST_YEAR <= found.year <= _LAST_YEAR else None
