"""Columns that every loader builds in the same way: times, pointers to raw records, frames from rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from lineage_analytics.loaders.common.times import EARLIEST, LATEST, parse_time

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from lineage_analytics.loaders.common.contract import Document

_SENTINEL_YEARS = [1, 1601, 9999]


def times(values: Sequence[str | None]) -> pl.Series:
    """Times as UTC; text without a zone is UTC. Null for what is no time."""
    texts = pl.Series(values, dtype=pl.String)
    found = texts.str.strip_suffix("Z").str.to_datetime(
        "%Y-%m-%dT%H:%M:%S", time_unit="us", strict=False).dt.replace_time_zone("UTC")
    odd = (found.is_null() & texts.is_not_null()).arg_true()
    if len(odd):
        found = found.scatter(odd, [_odd_time(texts[int(i)]) for i in odd])
    return found.set(found.dt.year().is_in(_SENTINEL_YEARS).fill_null(value=False), None)


def plausible(when: pl.Series, stated: Iterable[object]) -> pl.Series:
    """Whether each is a time an event can have, or stated by nobody: such an event is kept, and of no day."""
    good = when.is_between(EARLIEST, LATEST, closed="left").fill_null(value=False)
    return good if good.all() else good | pl.Series([value is None for value in stated], dtype=pl.Boolean)


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
