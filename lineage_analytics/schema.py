"""What a table is: its columns, each with dtype and meaning; and the words that several tables share.

A fact table holds what records say, one row per statement, and every row carries where it came from
(``source``, ``record_id``, ``raw_ref``). A derived table is a pure function of the facts, the parameters
and ``as_of``. Times are UTC with microseconds, ids are text, and null means unknown unless a column says
otherwise: never zero, never false.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Mapping

TIME = pl.Datetime("us", "UTC")
TEXTS = pl.List(pl.String)
ALT_IDS = pl.List(pl.Struct({"kind": pl.String, "value": pl.String}))
OWNERS = pl.List(pl.Struct({"id": pl.String, "basis": pl.String}))
RAW_REF = pl.Struct({"file_sha256": pl.String, "member": pl.String, "offset": pl.Int64})


@dataclass(frozen=True)
class Column:
    """One column: its name, dtype, meaning (with unit, and what null means) and, if closed, its values."""

    name: str
    dtype: pl.DataType
    meaning: str
    values: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Table:
    """One table: its columns in order. ``derived`` tables can be recomputed from the facts."""

    name: str
    meaning: str
    columns: tuple[Column, ...]
    derived: bool = False

    @cached_property
    def schema(self) -> pl.Schema:
        return pl.Schema({c.name: c.dtype for c in self.columns})

    def empty(self) -> pl.DataFrame:
        return pl.DataFrame(schema=self.schema)


def columns_of(spec: Mapping[str, tuple[Any, ...]]) -> tuple[Column, ...]:
    """Columns from ``name: (dtype, meaning[, closed values])``."""
    return tuple(
        Column(name, dtype() if isinstance(dtype, type) else dtype, meaning, frozenset(" ".join(values).split()))
        for name, (dtype, meaning, *values) in spec.items()
    )


UNMAPPED = "JSON text of fields not known to the loader; null: none"

PROVENANCE = {
    "tenant": (pl.String, "account, directory or organisation id; null when the record names none"),
    "provider": (pl.String, "aws entra m365 declared ..."),
    "source": (pl.String, "file name of the loader"),
    "record_id": (pl.String, "rec-..., stable over files, order and repetition"),
    "raw_ref": (RAW_REF, "file hash, archive member and ordinal of the record in it"),
}

KINDS = "human service_account workload app api_key ai_agent ai_assistant group role unknown"
OUTCOMES = "success failure denied partial unknown"
STEP_KINDS = "signal recommendation draft request decision action attempt outcome rollback expiry data_access"
AGENT_CLASSES = "human workload ai_agent ai_instance automation group organisation unknown"
AUTHORITY_MODES = "self obo_user own_identity agent_user inherited masked service_chain unknown"
