"""Sentences computed from data, as a notebook shows them: escaped, in the type of the report."""

from __future__ import annotations

import html

from lineage_analytics.charts.tables import Shown
from lineage_analytics.text import printable

_KEPT = 2_000


def answer(sentence: str) -> Shown:
    """The one sentence a notebook answers its question with."""
    return Shown(f'<p class="la-answer">{_text(sentence)}</p>')


def say(*sentences: str) -> Shown:
    """A paragraph of computed sentences."""
    return Shown(f"<p>{_text(' '.join(sentence for sentence in sentences if sentence))}</p>")


def points(*lines: str, none: str = "") -> Shown:
    """A short list of computed sentences; ``none`` in words when there are none."""
    if not lines:
        return Shown(f"<p>{_text(none)}</p>" if none else "")
    return Shown(f"<ul>{''.join(f'<li>{_text(line)}</li>' for line in lines)}</ul>")


def _text(sentence: str) -> str:
    return html.escape(printable(sentence, _KEPT))
