"""Which case somebody means: by its id, an id it had before, a step, record or event, a ticket or a pull request."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

import polars as pl

from lineage_analytics.errors import UsageError, did_you_mean
from lineage_analytics.graphs.decisions.elements import NOT_STATED
from lineage_analytics.loaders.common.ids import derived_id
from lineage_analytics.text import ascii_only

if TYPE_CHECKING:
    from lineage_analytics.graphs.decisions import DecisionLineage

Row = dict[str, Any]
_SUGGESTED = 2_000
_SHOWN = 5
_NUMBER = re.compile(r"(?:[\w.-]+)?#?\d{1,18}")


class Meant(NamedTuple):
    """A row of ``tables.CASES``, and in words how it was found where that is not by an id of its own."""

    case: Row
    found_by: str | None = None


def meant(lineage: DecisionLineage, identifier: str) -> Meant:
    """The case that an id means.

    Raises
    ------
    UsageError : no case, with the nearest known id; or several, listed.
    """
    for way, said in _WAYS:
        found = way(lineage, identifier)
        if found.height == 1:
            return Meant(found.row(0, named=True), said)
        if found.height:
            raise _several(identifier, found)
    raise _unknown(lineage, identifier)


def _several(identifier: str, found: pl.DataFrame) -> UsageError:
    first = found.select("case_id", "time", "operation").head(_SHOWN)
    shown = [f"{case} ({time:%Y-%m-%d %H:%M:%SZ} {ascii_only(operation, 50)})"
             for case, time, operation in first.iter_rows()]
    more = f" and {found.height - _SHOWN:,} more" if found.height > _SHOWN else ""
    return UsageError("Wanted the id of one decision", f"found {found.height:,} that {ascii_only(identifier, 80)!r} "
                      "is part of", f"explain one of them: {', '.join(shown)}{more}")


def _unknown(lineage: DecisionLineage, identifier: str) -> UsageError:
    candidates = [*lineage.cases["case_id"].head(_SUGGESTED),
                  *lineage.steps["event_id"].drop_nulls().head(_SUGGESTED)]
    if lineage.facts is not None:
        keys = lineage.facts["decision_steps"].select(pl.col("native_key").drop_nulls().unique()).sort("native_key")
        candidates += keys.head(_SUGGESTED).collect()["native_key"].to_list()
    close = did_you_mean(identifier, candidates)
    return UsageError(
        "Wanted a case, step, record or event id, a ticket key or a pull request number of an identity change",
        f"found {ascii_only(identifier, 80)!r}",
        close if close.startswith("Did") else "a read or a sign-in is no change; see the table steps")


def _by_id(lineage: DecisionLineage, identifier: str) -> pl.DataFrame:
    return lineage.cases.filter(pl.col("case_id") == identifier)


def _by_anchor(lineage: DecisionLineage, identifier: str) -> pl.DataFrame:
    """Anchored on this event, if that is one case: an event may also be a step of others."""
    found = lineage.cases.filter((pl.col("anchor_event_id") == identifier) & (pl.col("anchor_event_id") != NOT_STATED))
    return found if found.height == 1 else found.clear()


def _by_part(lineage: DecisionLineage, identifier: str) -> pl.DataFrame:
    """With a step of this id, or with a record of this id or event."""
    records = [identifier]
    if lineage.facts is not None:
        told = lineage.facts["decision_steps"].filter(pl.col("event_id") == identifier)
        records += told.select(pl.col("record_id").unique()).collect()["record_id"].to_list()
    return _with(lineage, (pl.col("step_id") == identifier)
                 | ((pl.col("event_id") == identifier) & (pl.col("event_id") != NOT_STATED)), records)


def _with(lineage: DecisionLineage, chosen: pl.Expr, records: list[str]) -> pl.DataFrame:
    held = pl.col("record_ids").list.eval(pl.element().is_in(records)).list.any()
    known = lineage.steps.filter(chosen | held)["case_id"].unique()
    return lineage.cases.filter(pl.col("case_id").is_in(known.implode())).sort("time", "case_id")


def _by_key(lineage: DecisionLineage, identifier: str) -> pl.DataFrame:
    """With a step of this ticket, request or pull request; the number of a pull request is enough."""
    key = pl.col("native_key")
    wanted = key == identifier
    if _NUMBER.fullmatch(identifier):
        repository, _, number = identifier.rpartition("#")
        wanted |= (pl.col("native_key_kind") == "github_pull_request") & key.str.ends_with(
            f"/{repository}#{number}" if repository else f"#{number}")
    return _told(lineage, wanted)


def _by_stated(lineage: DecisionLineage, identifier: str) -> pl.DataFrame:
    """With a step whose record names this key in a field made for it."""
    ends = pl.element().str.split_exact(":", 1).struct[1] == identifier if ":" not in identifier else (
        pl.element() == identifier)
    return _told(lineage, pl.col("stated_keys").list.eval(ends).list.any())


def _by_quoted(lineage: DecisionLineage, identifier: str) -> pl.DataFrame:
    return _told(lineage, pl.col("quoted_keys").list.contains(identifier))


def _told(lineage: DecisionLineage, wanted: pl.Expr) -> pl.DataFrame:
    """Cases with a step whose record says so."""
    if lineage.facts is None:
        return lineage.cases.clear()
    told = lineage.facts["decision_steps"].filter(wanted).select("step_id", "record_id").unique().collect()
    if not told.height:
        return lineage.cases.clear()
    return _with(lineage, pl.col("step_id").is_in(told["step_id"].implode()), told["record_id"].to_list())


def _by_earlier_id(lineage: DecisionLineage, identifier: str) -> pl.DataFrame:
    """With a step that once named the case: before a later record did."""
    if not identifier.startswith("dec-"):
        return lineage.cases.clear()
    named = lineage.steps.select(
        "case_id", "step_id", "tenant", "kind", "event_id", record=pl.col("record_ids").list.first())
    known = {case_id for case_id, step_id, tenant, kind, event, record in named.iter_rows()
             for apart in (None, step_id)
             if _id_of(tenant, kind, record if event in (None, NOT_STATED) else event, apart) == identifier}
    return lineage.cases.filter(pl.col("case_id").is_in(sorted(known))).sort("time", "case_id")


def _id_of(tenant: str | None, kind: str, native: str, apart: str | None) -> str:
    """The id of a case that a step names, as ``Case.id`` makes it."""
    named = "la-case-v1", tenant, "action" if kind == "rollback" else kind, native
    return derived_id("dec", *named, *((apart,) if apart else ()))


_WAYS = (
    (_by_id, None), (_by_anchor, None), (_by_part, None), (_by_key, None),
    (_by_stated, "by a key that a record of it states"),
    (_by_quoted, "by a key quoted in a text of it, which its writer could choose"),
    (_by_earlier_id, "by the id it had before a later record came to name it"),
)
