"""Decision lineage: every change of access with who asked, approved, executed, and the way back.

The engine is a pure function of the set of steps, the inverse table and ``as_of``: steps become cases by the keys
their providers wrote, approvals get a verdict by time, undone changes are paired by the inverse table, and what is not
on record is a gap with its reason. A guess never reads as a record: text that people wrote reaches tier 2 at most, and
``absent`` is said only where the source that would hold it covers the moment.
"""

from __future__ import annotations

import html
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from lineage_analytics import tables

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import polars as pl

    from lineage_analytics.facts import Facts
    from lineage_analytics.graphs.decisions.explain import Explanation

    Records = str | Path | Iterable[str | Path]

RULES = "3"
_FRAMES = ("cases", "steps", "links", "link_rejects", "decision_findings", "gaps", "elements")
_ELEMENTS = ("initiator", "inputs", "recommendation", "approver", "action", "rollback")
_STATES = ("proved", "inferred", "unknown", "missing", "pending", "not_required")


@dataclass(frozen=True)
class DecisionLineage:
    """Frames with the columns of ``tables.CASES STEPS LINKS LINK_REJECTS DECISION_FINDINGS GAPS ELEMENTS``."""

    cases: pl.DataFrame
    steps: pl.DataFrame
    links: pl.DataFrame
    link_rejects: pl.DataFrame
    decision_findings: pl.DataFrame
    gaps: pl.DataFrame
    elements: pl.DataFrame
    facts: Facts | None = field(default=None, repr=False, compare=False)

    def explain(self, identifier: str, records: Records = ()) -> Explanation:
        """One decision: printed, as ASCII text with the records behind each statement; in a notebook, as a sentence, a
        picture and a table, which are also ``.sentence``, ``.chart`` and ``.table``.

        ``identifier`` is a case, step, record or native event id, an id the case had before, a ticket key or the number
        of a pull request; UsageError for one that is not known or means several. ``records`` are folders or files as
        delivered: those that the case rests on are compared with what was read.
        """
        from lineage_analytics.graphs.decisions.explain import Explanation  # noqa: PLC0415  (only explain needs it)

        return Explanation(self.explained(identifier, records), self)

    def explained(self, identifier: str, records: Records = ()) -> dict[str, Any]:
        """The content of ``explain``, with event and record ids on every statement."""
        from lineage_analytics.graphs.decisions.explain import explained  # noqa: PLC0415

        return explained(self, identifier, [records] if isinstance(records, str | Path) else records)

    def approval_timing(self) -> pl.DataFrame:
        """One row per approval by a person: ``time``, ``dwell_seconds`` since the request (null: none on record),
        ``ai`` (null: not known), ``approver``, ``verdict``."""
        from lineage_analytics.graphs.decisions.timing import approval_timing  # noqa: PLC0415

        return approval_timing(self)

    def approvers(self) -> pl.DataFrame:
        """One row per approver, those with most to review first: ``approver`` (id), ``approvals``, ``with_ai``,
        ``median_seconds`` since the request (null: none on record), ``hasty`` (within 10 s of it), ``in_bursts`` (one
        of five or more within a minute) and ``own_requests`` (of the same person or for their own good)."""
        from lineage_analytics.graphs.decisions.timing import approvers  # noqa: PLC0415

        return approvers(self)

    def __repr__(self) -> str:
        counts = dict(self.cases.group_by("status").len().sort("status").iter_rows()) if self.cases.height else {}
        told = ", ".join(f"{number:,} {status.replace('_', ' ')}" for status, number in counts.items())
        return (f"Decision lineage: {self.cases.height:,} cases ({told or 'none'}), {self.steps.height:,} steps, "
                f"{self.links.height:,} links, {self.gaps.height:,} gaps")

    def _repr_html_(self) -> str:
        """The sentence, and per element of an executed change how often it is proved, missing and so on."""
        executed = self.elements.join(self.cases.filter("executed").select("case_id"), on="case_id", how="semi")
        counts = {(element, state): number for element, state, number in
                  executed.group_by("element", "state").len().iter_rows()}
        heads = "".join(f'<th scope="col">{state.replace("_", " ")}</th>' for state in _STATES)
        rows = "".join(
            f'<tr><th scope="row">{element}</th>'
            + "".join(f"<td>{counts.get((element, state), 0):,}</td>" for state in _STATES) + "</tr>"
            for element in _ELEMENTS)
        return (f"<p>{html.escape(repr(self))}</p><table><caption>Elements of executed changes</caption>"
                f"<thead><tr><td></td>{heads}</tr></thead><tbody>{rows}</tbody></table>")


def decision_lineage(facts: Facts) -> DecisionLineage:
    """The decision lineage of an estate up to ``as_of``; computed once per estate.

    Reads ``decision_steps``, ``identities``, ``aliases``, ``coverage``, ``assistant_access`` and declared workflows in
    ``resources``.
    """
    if "decisions" not in facts.parts:
        from lineage_analytics.graphs.decisions.engine import build  # noqa: PLC0415  (it needs this module)

        facts.parts["decisions"] = build(facts)
    return cast("DecisionLineage", facts.parts["decisions"])


def from_frames(facts: Facts, frames: Mapping[str, pl.DataFrame]) -> DecisionLineage:
    """The lineage whose frames were kept; ``facts`` are those they came from."""
    made = {name: tables.conform(frames[name], tables.ALL[name]) for name in _FRAMES}
    return DecisionLineage(**made, facts=facts)
