"""An XML parser for exports: it follows no entity, no document type and no file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol
from xml.parsers import expat

if TYPE_CHECKING:
    from xml.parsers.expat import XMLParserType


class RefusedError(ValueError):
    """Something in a document that an export never holds."""


class Target(Protocol):
    """What takes the elements and texts of a document in their order."""

    def start(self, tag: str, attributes: dict[str, str]) -> None: ...
    def data(self, text: str) -> None: ...
    def end(self, tag: str) -> None: ...


def parser(target: Target) -> XMLParserType:
    """A parser that gives UTF-8 to the target piece by piece; RefusedError at a declaration, ExpatError at no XML."""
    made = expat.ParserCreate(encoding="utf-8")
    made.buffer_text = True
    made.StartElementHandler, made.EndElementHandler, made.CharacterDataHandler = target.start, target.end, target.data
    made.StartDoctypeDeclHandler = made.EntityDeclHandler = _refuse
    return made


def _refuse(*_: object) -> None:
    raise RefusedError("a document type or entity declaration")
