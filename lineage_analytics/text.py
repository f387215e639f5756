"""Values from logs, made safe to print: one line, no control characters, bounded length."""

from __future__ import annotations

import unicodedata

# Format characters (bidi overrides, zero width), controls, surrogates, private use, line and paragraph separators.
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})


def printable(value: object, limit: int = 200) -> str:
    r"""The value as one line of visible text, hidden characters as ``\u{202e}``, cut to ``limit`` with an ellipsis."""
    text = str(value)
    cut = text[: limit + 1]
    shown = cut if cut.isascii() and cut.isprintable() else "".join(map(_visible, cut))
    return shown if len(text) <= limit and len(shown) <= limit else shown[: max(limit - 1, 0)] + "…"


def ascii_only(value: object, limit: int = 200) -> str:
    r"""As ``printable``, with every character outside ASCII as ``\u{...}``: for terminals of unknown encoding."""
    return "".join(c if c.isascii() else f"\\u{{{ord(c):x}}}" for c in printable(value, limit).replace("…", "..."))


def _visible(character: str) -> str:
    return f"\\u{{{ord(character):x}}}" if unicodedata.category(character) in _HIDDEN else character
