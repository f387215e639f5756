"""Raw records cut out of the files they were delivered in, by file hash, member and ordinal.

A workspace keeps where a record stands, not its bytes. Whoever has the files can cut it out again: the file must have
the hash it had when it was loaded, and the record, read alone, must give the record id it gave then.
"""

from __future__ import annotations

import hashlib
import json
from itertools import repeat
from typing import TYPE_CHECKING, Any, NamedTuple

from lineage_analytics.loaders import loaders, recognise
from lineage_analytics.loaders.common.containers import Member, members
from lineage_analytics.loaders.common.contract import Chunk
from lineage_analytics.loaders.common.values import CONTENT
from lineage_analytics.workspace.strays import Found

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from lineage_analytics.loaders.common.contract import Loader
    from lineage_analytics.loaders.common.inputs import InputFile

_DEEPEST = 200
_ODD = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError)


class Place(NamedTuple):
    """Where a record stands."""

    file_sha256: str
    member: str | None
    position: int


class Cut(NamedTuple):
    """A raw record as its loader cuts it out: one JSON object; of a table or of XML, the row or element as one."""

    raw: bytes
    content_sha256: str
    record_ids: frozenset[str]
    """The ids it gives when it is read alone."""
    holds_text: bool
    """It holds what people wrote to or got from an assistant, or why they asked: loading leaves that out."""


def cut(files: Iterable[InputFile], wanted: Mapping[Place, str]) -> dict[Place, Cut]:
    """The records at these places, each with the source that took it; a place whose file is not among the files given,
    or that holds no record now, is not in the answer."""
    found: dict[Place, Cut] = {}
    sought = {place.file_sha256 for place in wanted}
    for file in files if sought else ():
        digest = file.sha256()
        if digest not in sought:
            continue
        sought.discard(digest)
        for member in members(file, digest):
            if isinstance(member, Member):
                inside = {place: source for place, source in wanted.items()
                          if (place.file_sha256, place.member) == (digest, member.member)}
                found |= _of_member(member, inside) if inside else {}
    return found


def _of_member(member: Member, wanted: Mapping[Place, str]) -> dict[Place, Cut]:
    recognised = recognise(member.sample)
    if recognised is None:
        return {}
    source, match = recognised
    member.shape = match.shape
    by_position = {place.position: place for place in wanted}
    found = {}
    for position, raw, tag, context in _placed(loaders()[source], member):
        place = by_position.pop(position, None)
        if place is not None:
            alone = Chunk(position, [raw], [tag], context=context)
            found[place] = _cut(raw, _ids(alone, member, source, wanted[place]))
        if not by_position:
            break
    return found


def _placed(loader: Loader, member: Member) -> Iterator[tuple[int, bytes, str, Mapping[str, Any]]]:
    try:
        for chunk in loader.extract(member):
            for (position, raw), tag in zip(chunk.placed(), chunk.tags or repeat("")):  # noqa: B905  (may be endless)
                yield position, bytes(memoryview(raw)), tag, chunk.context
    except _ODD:  # a file that breaks off: what was read until then stays good
        return


def _ids(alone: Chunk, member: Member, source: str, taken_by: str) -> frozenset[str]:
    """The ids of a record read alone by the loader that took it, which need not be that of its document."""
    try:
        if taken_by == source:
            return frozenset(loaders()[source].transform(alone, member).record_ids)
        raw = bytes(memoryview(alone.raws[0]))
        inside = Found(taken_by, [alone.start], [raw]).member(member)
        match = loaders()[taken_by].detect(inside.sample)
        inside.shape = match.shape if match is not None else ""
        return frozenset(one for chunk in loaders()[taken_by].extract(inside)
                         for one in loaders()[taken_by].transform(chunk, inside).record_ids)
    except _ODD:
        return frozenset()


def _cut(raw: bytes, ids: frozenset[str]) -> Cut:
    try:
        value = json.loads(raw, parse_int=_Number, parse_float=_Number)
        text = "".join(_canonical(value, _DEEPEST)).encode()
        holds_text = _holds_text(value, _DEEPEST)
    except (ValueError, RecursionError):
        text, holds_text = raw, True  # nothing is known of what it holds
    return Cut(raw, hashlib.sha256(text).hexdigest(), ids, holds_text)


class _Number(str):
    """A number by the text it has."""

    __slots__ = ()


def _canonical(value: Any, deep: int) -> Iterator[str]:
    """JSON with sorted keys, no insignificant space and every number as it was written (decision-lineage 2.1)."""
    if deep < 0:
        raise RecursionError
    if isinstance(value, _Number):
        yield str(value)
    elif isinstance(value, dict):
        for number, (key, held) in enumerate(sorted(value.items())):
            yield f"{',' if number else '{'}{json.dumps(key, ensure_ascii=False)}:"
            yield from _canonical(held, deep - 1)
        yield "}" if value else "{}"
    elif isinstance(value, list):
        for number, held in enumerate(value):
            yield "," if number else "["
            yield from _canonical(held, deep - 1)
        yield "]" if value else "[]"
    else:
        yield json.dumps(value, ensure_ascii=False)


def _holds_text(value: Any, deep: int) -> bool:
    if isinstance(value, dict):
        return any((key.casefold() in CONTENT and bool(held)) or _holds_text(held, deep - 1)
                   for key, held in value.items()) if deep else True
    return any(_holds_text(held, deep - 1) for held in value) if isinstance(value, list) and deep else False
