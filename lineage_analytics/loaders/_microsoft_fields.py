"""Tolerant reading of Microsoft audit records: keys in any case, JSON inside text, lists of name and value.

Shared by the Microsoft 365 and Entra loaders. Nothing here guesses: what is not stated comes back as None.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import msgspec
import polars as pl

from lineage_analytics.loaders.common.contract import Chunk, Fault
from lineage_analytics.loaders.common.ids import record_ids
from lineage_analytics.loaders.common.records import csv_chunks, json_chunks
from lineage_analytics.loaders.common.sampling import csv_header
from lineage_analytics.loaders.common.times import parse_time

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from lineage_analytics.loaders.common.contract import Document, Sample

Fields = dict[str, Any]

_GUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_ZERO_GUID = "00000000-0000-0000-0000-000000000000"
_NOTHING = frozenset({"", "<null>", "null", "none", "n/a", "unknown", "not available", _ZERO_GUID})
_SENTINEL_YEARS = [1, 1601, 9999]
_FLAGS = {"true": True, "1": True, "false": False, "0": False}
# Keys whose value is what somebody wrote to or got from an assistant, or why somebody asked: never stored or hashed.
_CONTENT = frozenset({
    "prompttext", "prompt", "responsetext", "response", "text", "content", "body", "subject", "messagetext", "query",
    "querytext", "searchquery", "searchquerytext", "resultreason", "resultdescription", "justification", "comments",
    "llmeventdata",
})


def fold(value: Mapping[str, Any]) -> Fields:
    """The object with keys in lower case; where two keys differ only in case, the first that states something."""
    folded = {key.lower(): held for key, held in value.items()}
    if len(folded) == len(value):
        return folded
    for key, held in reversed(list(value.items())):
        if held not in (None, ""):
            folded[key.lower()] = held
    return folded


def text(value: object) -> str | None:
    """The value as trimmed text; None for null, empty text, objects and lists."""
    if isinstance(value, str):
        return value.strip() or None
    if value is None or isinstance(value, dict | list):
        return None
    return str(value).lower() if isinstance(value, bool) else str(value)


def name(value: object) -> str | None:
    """A name or id; None also for the ways logs write 'nobody' (``<null>``, ``Not Available``, an all-zero GUID)."""
    found = text(value)
    return None if found is None or found.lower() in _NOTHING else found


def guid(value: str | None) -> str | None:
    """The GUID in lower case without braces, or None when the text is no GUID."""
    if value is None:
        return None
    low = value.strip().strip("{}").lower()
    return low if _GUID.fullmatch(low) else None


def native(value: str | None) -> str | None:
    """An id as it is compared: a GUID in lower case, any other text as it stands."""
    return guid(value) or value


def flag(value: object) -> bool | None:
    """A boolean, also written as text or 0 and 1; None for anything else."""
    if isinstance(value, bool):
        return value
    return _FLAGS.get(str(value).strip().lower()) if isinstance(value, str | int) else None


def embedded(value: object, depth: int = 3) -> object:
    """JSON text inside a string becomes what it says, also when encoded more than once; other values stay."""
    for _ in range(depth):
        if not isinstance(value, str):
            break
        stripped = value.strip()
        if stripped[:1] not in ("{", "[", '"'):
            break
        try:
            value = msgspec.json.decode(stripped)
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            break
    return value


def obj(value: object) -> Fields:
    """The object, folded, also out of JSON text; empty when it is none."""
    found = embedded(value)
    return fold(found) if isinstance(found, dict) else {}


def objects(value: object) -> list[Fields]:
    """The objects of a list (or a lone object), folded, also out of JSON text."""
    found = embedded(value)
    listed = found if isinstance(found, list) else [found]
    return [fold(item) for item in map(embedded, listed) if isinstance(item, dict)]


def pairs(value: object) -> dict[str, list[str]]:
    """A list of name and value as values by folded name; names repeat, values may be of any type."""
    found: dict[str, list[str]] = {}
    for item in objects(value):
        key = text(item.get("name", item.get("key", item.get("displayname"))))
        if key is not None:
            held = item.get("value")
            shown = text(held) if not isinstance(held, dict | list) else msgspec.json.encode(held).decode()
            found.setdefault(key.lower(), []).append(shown or "")
    return found


def first(values: Mapping[str, Sequence[str]], *keys: str) -> str | None:
    """The first stated value under any of the keys."""
    return next((held for key in keys for held in values.get(key, ()) if name(held) is not None), None)


def state_hash(value: object, ignore: frozenset[str] = frozenset()) -> str | None:
    """SHA-256 of a value in canonical form, so that a restored setting compares equal; None when nothing is stated.

    ``ignore`` are folded keys that change with every write, such as a modification time.
    """
    found = embedded(value)
    if found in (None, "", [], {}):
        return None
    canonical = msgspec.json.encode(_without(found, ignore), order="sorted")
    return hashlib.sha256(canonical).hexdigest()


def _without(value: object, ignore: frozenset[str]) -> object:
    if isinstance(value, dict):
        return {k: _without(embedded(v), ignore) for k, v in value.items() if k.lower() not in ignore}
    if isinstance(value, list):
        return [_without(embedded(item), ignore) for item in value]
    return value


def synthetic_id(provider: str, fields: Fields) -> str:
    """An id for a record that has none: the same content gives the same id. Written text does not enter it."""
    canonical = msgspec.json.encode(_without(fields, _CONTENT), order="sorted").decode()
    return f"content:{record_ids(provider, [None], [canonical])[0]}"


def unmapped(fields: Iterable[str], known: frozenset[str]) -> str | None:
    """Names (never values) of the fields a loader does not know, as JSON text; None when there are none."""
    odd = sorted(key for key in fields if key not in known and not key.startswith(("@", "p_", "at_sign_")))
    return msgspec.json.encode(odd).decode() if odd else None


def positions(chunk: Chunk) -> Iterator[tuple[int, bytes | msgspec.Raw]]:
    """Every raw record with its ordinal in the member: faults of the extraction have taken theirs."""
    taken = {fault.position for fault in chunk.faults if fault.position is not None}
    position = chunk.start
    for raw in chunk.raws:
        while position in taken:
            position += 1
        yield position, raw
        position += 1


class _Page(msgspec.Struct, gc=False):
    value: list[msgspec.Raw] | None = None
    records: list[msgspec.Raw] | None = None


_page = msgspec.json.Decoder(_Page)


def page_chunks(document: Document) -> Iterator[Chunk]:
    """Records out of a file with one page of an API (``value``) or one delivery of a hub (``records``) per line."""
    position = 0
    for chunk in json_chunks(document, wrappers=()):
        raws: list[bytes | msgspec.Raw] = []
        for raw in chunk.raws:
            held = _page.decode(raw)
            listed = held.value if held.value is not None else held.records
            raws += [raw] if listed is None else listed
        faults = [Fault(position + at, fault.reason, fault.detail) for at, fault in enumerate(chunk.faults, len(raws))]
        yield Chunk(position, raws, faults=faults, truncated=chunk.truncated)
        position += len(raws) + len(faults)


def is_page(first: Mapping[str, Any] | None) -> bool:
    """Whether a line of a file is a page of records rather than a record."""
    return first is not None and any(isinstance(first.get(key), list) for key in ("value", "records"))


_KEY = re.compile(rb'"([A-Za-z]{2,40})"\s{0,4}:')


def head_keys(sample: Sample) -> frozenset[str]:
    """Keys seen anywhere in the head of a JSON file whose first record is too large to be seen whole; else empty."""
    if sample.first is not None or sample.head[:1] not in (b"[", b"{"):
        return frozenset()
    return frozenset(key.decode().lower() for key in _KEY.findall(sample.head))


def json_or_array_chunks(document: Document) -> Iterator[Chunk]:
    """The JSON objects of a document, also of an array that the head is too short to show as one."""
    if document.sample.first is None and document.sample.head[:1] == b"[":
        found = _View(document)
        found.sample = replace(document.sample, wrapper="array", columns=())
        return json_chunks(cast("Document", found))
    return json_chunks(document)


_PREAMBLES = (b"#TYPE", b"sep=")


def csv_columns(sample: Sample) -> frozenset[str]:
    """The header of a CSV in lower case, also under the line that PowerShell or a spreadsheet writes above it."""
    columns = sample.columns
    if sample.head.startswith(_PREAMBLES):
        lines = sample.head.split(b"\n", 2)
        columns = tuple(csv_header(lines[1].decode("utf-8", "replace").rstrip("\r"))) if len(lines) > 1 else ()
    return frozenset(column.strip().lower() for column in columns)


def row_chunks(document: Document) -> Iterator[Chunk]:
    """The rows of a CSV as objects, without the line some programs write above the header."""
    return csv_chunks(cast("Document", _Below(document)) if document.sample.head.startswith(_PREAMBLES) else document)


class _View:
    """A document with something about it changed."""

    sample: Sample

    def __init__(self, document: Document) -> None:
        self._document = document

    def __getattr__(self, attribute: str) -> Any:
        return getattr(self._document, attribute)


class _Below(_View):
    """A document without its first line."""

    def chunks(self) -> Iterator[bytes]:
        pieces = self._document.chunks()
        for piece in pieces:
            _, line_end, rest = piece.partition(b"\n")
            if line_end:
                yield rest
                break
        yield from pieces


def times(values: Sequence[str | None]) -> pl.Series:
    """Times as UTC; text without a zone is UTC. Null for what is no time."""
    texts = pl.Series(values, dtype=pl.String)
    found = texts.str.strip_suffix("Z").str.to_datetime(
        "%Y-%m-%dT%H:%M:%S", time_unit="us", strict=False).dt.replace_time_zone("UTC")
    odd = (found.is_null() & texts.is_not_null()).arg_true()
    if len(odd):
        found = found.scatter(odd, [_odd_time(texts[int(i)]) for i in odd])
    return found.set(found.dt.year().is_in(_SENTINEL_YEARS).fill_null(value=False), None)


def _odd_time(value: str) -> datetime | None:
    """Any other form of time; a run of digits too long for an epoch is none."""
    digits = value.strip().partition(".")[0]
    return None if len(value) > 40 or (digits.isdigit() and len(digits) > 19) else parse_time(value)


def raw_refs(document: Document, offsets: Sequence[int]) -> pl.Series:
    """The ``raw_ref`` column of records at these ordinals."""
    return pl.DataFrame({"offset": pl.Series(offsets, dtype=pl.Int64)}).select(
        pl.struct(pl.lit(document.file_sha256).alias("file_sha256"),
                  pl.lit(document.member, dtype=pl.String).alias("member"), "offset").alias("raw_ref")
    )["raw_ref"]


def frame(rows: Sequence[Mapping[str, Any]], schema: pl.Schema) -> pl.DataFrame:
    """Rows as a frame with the dtypes ``schema`` has for their keys."""
    if not rows:
        return pl.DataFrame(schema=schema)
    return pl.DataFrame(rows, schema={key: schema[key] for key in rows[0]}, orient="row")
