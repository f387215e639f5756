"""Levels from measures: floor and ceiling per domain, caps, and what would raise them."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from statistics import median_low
from typing import TYPE_CHECKING, Any

import polars as pl

from lineage_analytics.maturity.model import Model, model
from lineage_analytics.maturity.scoring import NOT_MEASURED, Standing, standing

if TYPE_CHECKING:
    from collections.abc import Sequence

ENOUGH_DOMAINS = 5
_SHOWN = 3


@dataclass(frozen=True, repr=False)
class Levels:
    """Maturity of the seven domains.

    ``document`` is the content of ``levels.json``. ``frame`` has one row per domain: ``domain, name`` (text),
    ``status`` (scored, not_scored), ``floor, ceiling`` (1 to 5; null when not scored), ``note`` (in words: why it is
    not scored, what is undetermined, what caps it; null when there is nothing to say), ``scored_metrics`` of
    ``listed_metrics``.
    """

    document: dict[str, Any]
    frame: pl.DataFrame

    def __repr__(self) -> str:
        rows = [f"  {row['name']:<36} {level_words(row):<14} {row['note'] or ''}".rstrip()
                for row in self.frame.iter_rows(named=True)]
        return "\n".join(["Levels, 1 ad hoc to 5 assured", *rows, f"  {self._assessed()}"])

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><th scope='row' style='text-align:left'>{escape(row['name'])}</th><td>{escape(level_words(row))}</td>"
            f"<td style='text-align:left'>{escape(row['note'] or '')}</td></tr>"
            for row in self.frame.iter_rows(named=True))
        head = "<tr><th>Domain</th><th>Level</th><th style='text-align:left'>Note</th></tr>"
        return f"<table><caption>{escape(self._assessed())}</caption><thead>{head}</thead><tbody>{rows}</tbody></table>"

    def _assessed(self) -> str:
        (domains, of_domains), (metrics, of_metrics) = (self.document["assessed"][k] for k in ("domains", "metrics"))
        return f"{domains} of {of_domains} domains, {metrics} of {of_metrics} metrics scored"


def score(measures: pl.DataFrame) -> Levels:
    """Maturity levels from measures (columns of ``tables.MEASURES``), as the design's section 7 defines them.

    A domain is scored when at least half of its core measures are; its floor is what is proved, its ceiling what is
    possible should the undetermined turn out well. A measure of the model that does not exist yet is undetermined.
    """
    held = model()
    rows = {(row["metric_id"], row["scope"]): row for row in measures.iter_rows(named=True)}
    found = [standing(held, domain, rows) for domain in held.domains]
    return Levels(_document(found), _frame(held, found))


def level_words(row: Any) -> str:
    """``level 2``, ``level 2 to 4`` or ``not scored``, from a row of ``Levels.frame`` or a domain of the document."""
    if row["floor"] is None:
        return "not scored"
    return f"level {row['floor']}" + (f" to {row['ceiling']}" if row["ceiling"] != row["floor"] else "")


def _document(found: Sequence[Standing]) -> dict[str, Any]:
    floors = [one.floor for one in found if one.floor is not None]
    whole = len(floors) >= ENOUGH_DOMAINS
    return {
        "domains": [
            {"domain": one.domain, "name": one.name, "status": "not_scored" if one.floor is None else "scored",
             "floor": one.floor, "ceiling": one.ceiling, "undetermined": one.undetermined,
             "caps": [cap.cap for cap in one.caps], "on_the_line": one.on_the_line, "raise": one.needs}
            for one in found],
        "weakest_floor": min(floors) if whole else None,
        "median_floor": median_low(floors) if whole else None,
        "assessed": {"domains": [len(floors), len(found)],
                     "metrics": [sum(one.scored for one in found), sum(one.listed for one in found)]},
    }


def _frame(held: Model, found: Sequence[Standing]) -> pl.DataFrame:
    return pl.DataFrame(
        [(one.domain, one.name, "not_scored" if one.floor is None else "scored", one.floor, one.ceiling,
          _note(held, one), one.scored, one.listed) for one in found],
        schema={"domain": pl.String, "name": pl.String, "status": pl.String, "floor": pl.Int64, "ceiling": pl.Int64,
                "note": pl.String, "scored_metrics": pl.Int64, "listed_metrics": pl.Int64}, orient="row")


def _note(held: Model, one: Standing) -> str | None:
    capped = [f"{cap.words} ({cap.cap})" for cap in one.caps]
    if one.floor is None:
        return "; ".join([*capped, f"{one.core_scored} of {one.core} core measures scored", *_lacking(held, one)])
    parts = [*capped, *([f"undetermined: {_ids(one.undetermined)}"] if one.undetermined else []),
             *([f"on the line: {_ids(one.on_the_line)}"] if one.on_the_line else [])]
    return "; ".join(parts) or None


def _lacking(held: Model, one: Standing) -> list[str]:
    """Why core measures are not scored, by reason; with what would help first where none of them is."""
    core = {rule.metric_id for rule in held.of(one.domain) if rule.core}
    needs = [need for need in one.needs if need["metric_id"] in core]
    reasons: dict[str, list[str]] = {}
    for need in needs:
        reasons.setdefault(need["need"], []).append(need["metric_id"])
    said = [f"{reason}: {_ids(ids)}" for reason, ids in reasons.items()]
    loadable = [need for need in needs if need["need"] != NOT_MEASURED]
    help_first = next((need["source_missing"] for need in loadable if need["source_missing"]), None)
    return [*said, f"needs {help_first}"] if help_first and not one.core_scored else said


def _ids(ids: Sequence[str]) -> str:
    rest = len(ids) - _SHOWN
    return ", ".join(ids[:_SHOWN]) + (f" and {rest} more" if rest > 0 else "")


__all__ = ["Levels", "level_words", "score"]
