"""YAML as JSON objects on lines: the records of every document, one at a time, whatever its author hid in it.

The parser of the library gives events, the values are built here: texts stay texts unless JSON would write them bare,
so that a date or an account id is no number. No tag makes an object, no alias more than a little of what is not there.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
import yaml

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

DEPTH = 64
VALUES = 1_000_000
"""Values of one record."""
REPEATED = 1_000_000
"""Values that the aliases of a file may repeat, all together."""
RECORD_BYTES = 64 << 20
LISTED = "items"
"""Kubernetes packs documents into one that lists them; they are read as documents of their own."""

_PARSER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_PLAIN: dict[str, Any] = {"": None, "~": None, "null": None, "true": True, "false": False}
_NUMBER = re.compile(r"-?(?:0|[1-9]\d{0,14})(?:\.\d{1,15})?")
_TAGS = {f"tag:yaml.org,2002:{name}" for name in ("str", "int", "float", "bool", "null", "map", "seq", "timestamp")}


class Refused(ValueError):  # noqa: N818  (named as what it becomes: the reason why a document is read no further)
    """Text that is no YAML, or YAML that is not read; the message says which and holds no value."""


@dataclass(slots=True)
class _Open:
    """A list or mapping that has begun; ``gives``: what it holds are records of their own."""

    held: dict[str, Any] | list[Any]
    anchor: str | None
    gives: bool = False
    size: int = 1
    key: str | None = None


def lines(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Each record as a line of JSON: a document, or each element of one that is a list or lists ``items``.

    Raises
    ------
    Refused : behind the records before it.
    """
    source = _Pieces(pieces)
    for value in _values(source, source.read_on):
        yield msgspec.json.encode(value) + b"\n"


def value(text: str) -> Any:
    """The first value of YAML inside a text; Refused when there is none that can be read."""
    return next(_values(text, lambda: None, apart=False), None)


def _values(source: object, record_ends: Callable[[], None], *, apart: bool = True) -> Iterator[Any]:
    build = _Builder(apart=apart)
    try:
        for event in yaml.parse(source, Loader=_PARSER):
            for found in build.take(event):
                record_ends()
                yield found
    except yaml.YAMLError as error:
        place = getattr(error, "problem_mark", None)
        where = f" in line {place.line + 1}" if place is not None else ""
        raise Refused(f"text that is not YAML{where}: {type(error).__name__}") from error


class _Builder:
    """Values out of the events of a parser."""

    def __init__(self, *, apart: bool) -> None:
        self._apart = apart
        self._open: list[_Open] = []
        self._anchored: dict[str, tuple[Any, int]] = {}
        self._repeated = self._size = 0
        self._given = False

    def take(self, event: Any) -> Iterator[Any]:
        """The record that ends with the event, if one does."""
        if isinstance(event, yaml.DocumentStartEvent):
            self._anchored, self._given, self._size = {}, False, 0
        elif isinstance(event, yaml.ScalarEvent):
            _allowed(event.tag)
            yield from self._put(_scalar(event), 1, event.anchor)
        elif isinstance(event, yaml.AliasEvent):
            yield from self._put(*self._again(event.anchor), None)
        elif isinstance(event, yaml.CollectionStartEvent):
            _allowed(event.tag)
            self._begin(event)
        elif isinstance(event, yaml.CollectionEndEvent):
            ended = self._open.pop()
            yield from self._put(ended.held, ended.size, ended.anchor)

    def _begin(self, event: Any) -> None:
        if len(self._open) >= DEPTH:
            raise Refused(f"limit_exceeded: YAML nested more than {DEPTH} deep")
        listed = isinstance(event, yaml.SequenceStartEvent)
        if self._open and isinstance(self._open[-1].held, dict) and self._open[-1].key is None:
            raise Refused("YAML with a key that is no text")
        over = self._open[-1] if len(self._open) == 1 else None
        gives = self._apart and listed and (not self._open or (over is not None and over.key == LISTED))
        self._open.append(_Open([] if listed else {}, event.anchor, gives))

    def _again(self, anchor: str) -> tuple[Any, int]:
        found, size = self._anchored.get(anchor, (None, 0))
        self._repeated += size
        if not size:
            raise Refused("YAML with an alias of what it does not hold, or of itself")
        if self._repeated > REPEATED:
            raise Refused(f"limit_exceeded: YAML whose aliases repeat more than {REPEATED} values")
        return found, size

    def _put(self, held: Any, size: int, anchor: str | None) -> Iterator[Any]:
        """Place a finished value where it belongs."""
        if anchor is not None:
            self._anchored[anchor] = held, size
        self._size += 1
        if self._size > VALUES:
            raise Refused(f"limit_exceeded: YAML with a record of more than {VALUES} values")
        if not self._open:
            if not self._given:
                yield held
            return
        over = self._open[-1]
        if over.gives:
            self._given, self._size = True, 0
            yield held if len(self._open) == 1 else _of_kind(held, self._open[0].held)
            return
        over.size += size
        if isinstance(over.held, list):
            over.held.append(held)
        elif over.key is None:
            over.key = _key(held, over.held)
        else:
            over.held[over.key], over.key = held, None


def _of_kind(held: Any, listing: Any) -> Any:
    """The item with the kind that its list states and it does not, as lists of one kind leave it out."""
    kind = listing.get("kind")
    if not isinstance(held, dict) or "kind" in held or not isinstance(kind, str) or not kind.endswith("List"):
        return held
    return {"kind": kind.removesuffix("List"), "apiVersion": listing.get("apiVersion"), **held}


def _key(held: Any, beside: dict[str, Any]) -> str:
    found = held if isinstance(held, str) else msgspec.json.encode(held).decode() if held is not None else ""
    if found == "<<":
        raise Refused("YAML with a merge key")
    if found in beside:
        raise Refused("YAML with one key twice in a mapping")
    return found


def _allowed(tag: str | None) -> None:
    if tag not in (None, "!") and tag not in _TAGS:
        raise Refused("YAML with a tag, which asks for an object of a program")


def _scalar(event: Any) -> Any:
    """Text; of what is written bare, what JSON writes bare. Zeros in front, dates, yes and no are text."""
    text: str = event.value
    if not event.implicit[0]:
        return text
    if text in _PLAIN:
        return _PLAIN[text]
    if _NUMBER.fullmatch(text):
        return float(text) if "." in text else int(text)
    return text


class _Pieces:
    """Pieces of bytes as the stream a parser reads; refused when it reads long without a record."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._held = b""
        self._since = 0

    def read_on(self) -> None:
        """A record has ended: the count begins again."""
        self._since = 0

    def read(self, size: int) -> bytes:
        while not self._held:
            piece = next(self._pieces, None)
            if piece is None:
                return b""
            self._held = piece
        found, self._held = self._held[:size], self._held[size:]
        self._since += len(found)
        if self._since > RECORD_BYTES:
            raise Refused(f"limit_exceeded: YAML with a record of more than {RECORD_BYTES >> 20} MiB")
        return found
