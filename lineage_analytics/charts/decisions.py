"""Can we reconstruct our decisions: the six elements of a decision's lineage, each proved, unknown or missing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import altair as alt

from lineage_analytics.charts.layout import Margins, many, nothing, percent, plot_width, row_names, sheet
from lineage_analytics.charts.segments import Segment, bars, legend

if TYPE_CHECKING:
    import polars as pl

ELEMENTS = {
    "initiator": "Who started it", "inputs": "What it was based on", "recommendation": "What was recommended",
    "approver": "Who approved", "action": "What was executed", "rollback": "The way back",
}
ELEMENT_STATES = ("proved", "inferred", "unknown", "missing", "pending", "not_required")
_MARGINS = Margins(left=168, right=2, top=30)
_ROW, _BAR = 36, 22
_QUESTION = "Can we reconstruct our decisions?"


def decision_elements(elements: pl.DataFrame, period: str = "") -> alt.LayerChart:
    """For each of six elements, the share of decisions in which it is proved, inferred, unknown, missing or not needed.

    Parameters
    ----------
    elements : columns of ``tables.ELEMENTS``, one row per case and element. A case without a row for an element counts
        as unknown there, so that every bar is of all cases.
    period : the time the cases are of, in words, for the source line; empty: not stated.
    """
    cases = elements["case_id"].n_unique()
    if not cases:
        return nothing(_QUESTION, "no identity change was executed in the reporting window, or none was loaded")
    counts = _counts(elements, cases)
    names = list(ELEMENTS.values())
    y = alt.Y("row:N", sort=names, axis=None, scale=alt.Scale(paddingInner=0, paddingOuter=0))
    width = plot_width(_MARGINS)
    segments = []
    for element, name in ELEMENTS.items():
        at = 0.0
        for state in ELEMENT_STATES:
            size = counts[element][state] / cases * width
            segments.append(Segment(name, state, at, at + size, percent(counts[element][state] / cases)))
            at += size
    present = [state for state in ELEMENT_STATES if any(counts[element][state] for element in ELEMENTS)]
    return sheet(
        [*row_names(names, y, _MARGINS.left), *legend(present), *bars(segments, y, width, _BAR)],
        title=_finding(counts, cases), description=_description(counts, cases),
        source=f"{many(cases, 'decision')}{f', {period}' if period else ''}; every bar is of all of them; unknown: the "
               "record that would show it is not loaded, or no one keeps it",
        height=_ROW * len(names), margins=_MARGINS,
    )


def _counts(elements: pl.DataFrame, cases: int) -> dict[str, dict[str, int]]:
    found = {
        (element, state): number
        for element, state, number in elements.group_by("element", "state").len().sort("element", "state").iter_rows()
    }
    made = {}
    for element in ELEMENTS:
        made[element] = {state: found.get((element, state), 0) for state in ELEMENT_STATES}
        made[element]["unknown"] += cases - sum(made[element].values())
    return made


def _finding(counts: dict[str, dict[str, int]], cases: int) -> str:
    of = f"of {many(cases, 'decision')}"
    missing = max(ELEMENTS, key=lambda element: counts[element]["missing"])
    unknown = max(ELEMENTS, key=lambda element: counts[element]["unknown"])
    parts = []
    if counts[missing]["missing"]:
        parts.append(f"{ELEMENTS[missing]} is missing in {percent(counts[missing]['missing'] / cases)}")
    if parts and missing == unknown:
        return f"{parts[0]} and unknown in {percent(counts[unknown]['unknown'] / cases)} {of}"
    if counts[unknown]["unknown"]:
        name = ELEMENTS[unknown] if not parts else ELEMENTS[unknown][0].lower() + ELEMENTS[unknown][1:]
        parts.append(f"{name} {'' if parts else 'is '}unknown in {percent(counts[unknown]['unknown'] / cases)}")
    if not parts:
        return f"All that is required of {many(cases, 'decision')} is on record"
    return f"{', '.join(parts)} {of}"


def _description(counts: dict[str, dict[str, int]], cases: int) -> str:
    said = []
    for element, name in ELEMENTS.items():
        states = [f"{n} {state.replace('_', ' ')}" for state, n in counts[element].items() if n]
        said.append(f"{name}: {', '.join(states)}")
    return f"Elements on record of {many(cases, 'decision')}. {'; '.join(said)}."
