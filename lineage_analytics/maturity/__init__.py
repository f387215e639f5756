"""Levels from measures: floor and ceiling per domain, caps, and what would raise them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True)
class Levels:
    """``domains`` as in ``levels.json``; ``document`` is that file's content."""

    document: dict[str, Any]


def score(measures: pl.DataFrame) -> Levels:
    raise NotImplementedError
