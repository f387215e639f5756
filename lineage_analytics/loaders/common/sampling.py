"""What the head of a file looks like: its wrapper, its keys, its first record, its CSV header.

A file is recognised by content alone, so everything here works on the first 64 KiB, which may cut a record.
"""

from __future__ import annotations

import csv
import io
import re
from typing import TYPE_CHECKING, Any

import msgspec

from lineage_analytics.loaders.common.contract import Sample

if TYPE_CHECKING:
    from collections.abc import Iterable

HEAD_BYTES = 65_536
WRAPPERS = (
    "Records", "records", "value", "result", "items", "Events", "events", "logEvents", "data", "issues", "findings")
_PAGING = frozenset({
    "nexttoken", "nextpagetoken", "nextlink", "next", "next_cursor", "marker", "istruncated", "count", "total", "kind",
    "etag", "object", "has_more", "first_id", "last_id", "searchedlogstreams"})
LINES = "lines"

# Linear: one alternation without nested repetition over text that can also match the other branch.
_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|[{}\[\]:,]', re.DOTALL)
_DELIMITERS = (",", ";", "\t")
_LINES_TRIED = 5
_YAML_BYTES = 4_096
_YAML_KEY = re.compile(
    rb"(?:[ \t]*- +)*(?:[A-Za-z_][\w./$:-]{0,200}|\"(?:[^\"\\]|\\.){1,200}\"|'[^']{1,200}'):(?:[ \t].*)?\r?")
_YAML_LINE = re.compile(rb"(?:[ \t#].*|---.*|%YAML.*|\.\.\.|-|- .*)?\r?")


def sample(head: bytes, *, complete: bool) -> Sample:
    """The sample of a file whose first bytes, as UTF-8 without byte order mark, are ``head``."""
    text = head.lstrip()
    if text[:1] == b"{":
        return _object_sample(text, complete=complete)
    if text[:1] == b"[":
        first = _first_of_array(text)
        if first is not None or text[1:200].lstrip()[:1] == b"{":
            return Sample(text, "array", frozenset(first or ()), first)
    return _csv_sample(text)


def is_yaml(text: bytes) -> bool:
    """Whether the head of a file is YAML in block style: what is not indented are keys, dashes and comments."""
    if text.lstrip()[:1] in (b"{", b"[", b""):
        return False
    lines = text[:_YAML_BYTES].split(b"\n")
    whole = lines[:-1] if len(text) > _YAML_BYTES else lines
    return all(_YAML_KEY.fullmatch(line) or _YAML_LINE.fullmatch(line) for line in whole) and any(
        map(_YAML_KEY.fullmatch, whole))


def decode_object(raw: bytes | msgspec.Raw) -> dict[str, Any] | None:
    """The JSON object in ``raw``, or None when it is not one."""
    try:
        value = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _object_sample(text: bytes, *, complete: bool) -> Sample:
    lines = _lines_sample(text)
    if lines is not None:
        return lines
    keys, wrapper = _top_level(text, complete=complete)
    whole = decode_object(text) if complete else None
    if wrapper is not None:
        first = _first_element(text, depth=2, after=wrapper[1])
        return Sample(text, wrapper[0], keys, first)
    return Sample(text, "object", keys, whole or _first_element(text, depth=0))


def _lines_sample(text: bytes) -> Sample | None:
    """The sample of newline-delimited JSON: most of the first lines are objects of their own."""
    lines = [line for line in text.split(b"\n")[: _LINES_TRIED + 1] if line.strip()]
    whole = lines[:_LINES_TRIED] if len(lines) > 1 else []
    objects = [found for line in whole if (found := decode_object(line)) is not None]
    if not objects or len(objects) * 2 < len(whole):
        return None
    return Sample(text, LINES, frozenset(objects[0]), objects[0])


def _top_level(text: bytes, *, complete: bool) -> tuple[frozenset[str], tuple[str, int] | None]:
    """Keys of the outermost object as far as seen, and the first wrapper key with the offset of its array.

    In a file that goes on, records fill what was seen of it: keys behind them are not looked for.
    """
    keys: set[str] = set()
    wrapper: tuple[str, int] | None = None
    depth, last_string, key = 0, b"", ""
    for found in _TOKEN.finditer(text):
        token = found.group()
        if token in (b"{", b"["):
            listed = depth == 1 and token == b"[" and key in WRAPPERS
            if listed and wrapper is None and _opens_records(text, found.start()):
                wrapper = (key, found.start())
                if not complete:
                    break
            depth += 1
        elif token in (b"}", b"]"):
            depth -= 1
            if depth == 0:
                break
        elif depth == 1 and token == b":":
            key = last_string.decode("utf-8", "replace")
            keys.add(key)
        elif token[:1] == b'"':
            last_string = token[1:-1]
    return frozenset(keys), wrapper


def _opens_records(text: bytes, at: int) -> bool:
    """Whether the list at ``at`` is empty or holds an object; one of something else before it does not hide it."""
    if text[at + 1 : at + 200].lstrip()[:1] in (b"{", b"]"):
        return True
    return _first_element(text, depth=2, after=at) is not None


def _first_element(text: bytes, depth: int, after: int = 0) -> dict[str, Any] | None:
    """The first object that opens at ``depth`` inside ``text`` and can be read; None when there is none, uncut."""
    level, start = (depth - 1 if after else 0), None
    for found in _TOKEN.finditer(text, after):
        token = found.group()
        if token in (b"{", b"["):
            if level == depth and start is None:
                start = found.start()
            level += 1
        elif token in (b"}", b"]"):
            level -= 1
            if start is not None and level == depth:
                read = decode_object(text[start : found.end()])
                if read is not None:
                    return read
                start = None
            if level < depth:
                return None
    return None


def page_key(keys: Iterable[str]) -> str | None:
    """The key of the list, where an object with these keys is a page of an API: a list beside what tells of paging."""
    others = [key for key in keys if not key.startswith("@odata.") and key.lower() not in _PAGING]
    return others[0] if len(others) == 1 and others[0] in WRAPPERS else None


def _first_of_array(text: bytes) -> dict[str, Any] | None:
    """The first record of an array; of an array of pages, as scripts collect them, the first record of the first."""
    first, inner = _first_element(text, depth=1), text[1:].lstrip()
    if first is not None:
        key = page_key(first)
        listed = first[key] if key is not None else None
        return next((one for one in listed if isinstance(one, dict)), first) if isinstance(listed, list) else first
    keys, wrapper = _top_level(inner, complete=False) if inner[:1] == b"{" else (frozenset[str](), None)
    return _first_element(inner, depth=2, after=wrapper[1]) if wrapper and page_key(keys) == wrapper[0] else None


def _csv_sample(text: bytes) -> Sample:
    first_line = text.split(b"\n", 1)[0].rstrip(b"\r").decode("utf-8", "replace")
    header = csv_header(first_line)
    wrapper = "csv" if len(header) > 1 and all(name.isprintable() for name in header) else "unknown"
    return Sample(text, wrapper, columns=tuple(header) if wrapper == "csv" else ())


def delimiter_of(header_line: str) -> str:
    """The delimiter that splits the header into most columns."""
    return max(_DELIMITERS, key=header_line.count)


def csv_header(line: str) -> list[str]:
    try:
        return [name.strip() for name in next(csv.reader(io.StringIO(line), delimiter=delimiter_of(line)), [])]
    except csv.Error:
        return []
