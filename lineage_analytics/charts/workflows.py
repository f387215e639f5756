"""Where does AI act in identity work: each workflow from its assistant to the change, as declared and as observed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import altair as alt

from lineage_analytics.charts.layout import (
    MAX_ROWS_DRAWN,
    Margins,
    frame,
    label,
    many,
    nothing,
    sheet,
    text_width,
    wrapped,
)
from lineage_analytics.charts.theme import THEME

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl

Row = dict[str, Any]
CLASSES = {"advises": "advises", "drafts": "drafts", "executes_approved": "executes with approval",
           "executes_autonomous": "executes alone"}
_QUESTION = "Where does AI act in identity work?"
_NAME, _STATIONS, _SCALE = 172, (196, 262, 328, 394, 460), (518, 562, 611, 658)
_STATION_HEADS = ("Assistant", "Data it read", "Advice or draft", "A person decides", "The change")
_SCALE_HEADS = ("advises", "drafts", "with approval", "alone")
_HEAD, _ROW, _SHORT, _LINE, _COUNT, _WORDS, _LEADING = 66, 92, 26, 14, 33, 54, 16
_DOT, _TEXT, _SMALL = 6, THEME.chart_text, THEME.chart_small
_X = alt.X("x:Q", scale=alt.Scale(domain=[0, THEME.width], nice=False), axis=None)
_LIGHT = THEME.light
# How a station looks, by whose it is; a shape of its own each, so that grey and print tell them apart as well.
_LOOKS: dict[str, dict[str, Any]] = {
    "assistant": {"shape": "circle", "fill": _LIGHT.accent, "stroke": _LIGHT.accent, "size": 130},
    "person": {"shape": "square", "fill": _LIGHT.ink, "stroke": _LIGHT.ink, "size": 120},
    "none": {"shape": "circle", "fill": _LIGHT.paper, "stroke": _LIGHT.unknown_line, "size": 90},
    "unknown": {"shape": "circle", "fill": _LIGHT.unknown_fill, "stroke": _LIGHT.unknown_line, "size": 130,
                "strokeDash": [2, 2]},
    "skipped": {"shape": "triangle-down", "fill": _LIGHT.adverse, "stroke": _LIGHT.adverse, "size": 120},
}
_WORD_OF = {"assistant": "the assistant", "person": "a person", "none": "not on record", "unknown": "not known",
            "skipped": "nobody"}


def workflow_map(register: pl.DataFrame, period: str = "") -> alt.LayerChart:
    """Each workflow from its assistant over what it read and advised and who decided to the change.

    Parameters
    ----------
    register : columns of ``tables.WORKFLOWS``.
    period : the time of the records, in words, for the source line; empty: not stated.

    A station is the assistant's, a person's, not on record or not known; a diamond marks where authority passes from
    the assistant to a person, a triangle changes that nobody decided. Beside it, what the workflow is declared to do
    (ring) against what it is proved to do at least (dot) and may have done at most (dashed). At most 30 are drawn.
    """
    if register.is_empty():
        return nothing(_QUESTION, "no workflow is declared, and no assistant has a part in what is loaded")
    rows = sorted(register.to_dicts(), key=_order)
    places = _places(rows[:MAX_ROWS_DRAWN])
    end = places[-1].top + places[-1].height + (20 if len(rows) > len(places) else 0)
    y = alt.Y("y:Q", scale=alt.Scale(domain=[0, end], reverse=True, nice=False), axis=None)
    layers = [*_grid(places, y), *_heads(y), *_flows(places, y), *_scales(places, y), *_words(places, y)]
    if len(rows) > len(places):
        layers += _texts([(0, end - 8, f"and {many(len(rows) - len(places), 'more workflow')}")], y, _SMALL,
                         _LIGHT.muted)
    return sheet(layers, title=_finding(rows), source=_source(rows, period), height=end, margins=Margins(top=4),
                 description=_description(rows))


def _order(row: Row) -> tuple[Any, ...]:
    """What needs reading first: above what is declared, experiments in production, undeclared power, then the rest;
    those that only read last."""
    rank = list(CLASSES)
    seen = [rank.index(row[name]) for name in ("class_at_least", "class_at_most") if row[name] in rank]
    power = max(seen, default=-1)
    return (not row["cases"] and not row["declared"], not row["class_creep"], not row["experimental_writes"],
            row["declared"], -power, -(row["cases"] or 0), str(row["name"]), str(row["workflow_id"]))


class _Place(NamedTuple):
    """A workflow and where it is drawn; one without a decision is drawn low."""

    row: Row
    top: int
    height: int

    @property
    def line(self) -> int:
        return self.top + _LINE


def _places(rows: Sequence[Row]) -> list[_Place]:
    found, top = [], _HEAD
    for row in rows:
        height = _ROW if row["cases"] or row["shared_cases"] or row["declared"] else _SHORT
        found.append(_Place(row, top, height))
        top += height
    return found


@dataclass(frozen=True)
class _Station:
    """What stands at one station of a workflow: whose it is, and a number under it."""

    look: str
    said: str = ""


def _stations(row: Row) -> list[_Station]:
    """The five stations of a workflow; only the first two of one that was seen reading and no more."""
    read = row["resources_read"]
    data = _Station("unknown", "not logged") if read is None else _Station(
        "assistant" if read else "none", f"{read:,}" if read else "none")
    if not row["cases"]:
        return [_Station("assistant"), data] if row["logged_by"] else []
    alone, unsure, advised = row["to_nobody"], row["to_unknown"], row["to_executor"]
    person = "skipped" if alone else "unknown" if unsure else "person"
    acted = row["to_approver"] + alone
    change = "assistant" if acted else "unknown" if unsure else "person"
    return [
        _Station("assistant"), data, _Station("assistant" if advised else "none", f"{advised:,}" if advised else ""),
        _Station(person, _decided(row)), _Station(change, f"{row['cases']:,}")]


def _decided(row: Row) -> str:
    """In how many of its decisions a person decided, with what is not known as a span."""
    least, unsure, cases = row["to_approver"] + row["to_executor"], row["to_unknown"], row["cases"]
    if unsure == cases:
        return "not known"
    return f"{least:,}{f'–{least + unsure:,}' if unsure else ''} of {cases:,}"


def _heads(y: alt.Y) -> list[alt.Chart]:
    """The names of stations and classes, and what the marks mean."""
    lines = []
    for xs, heads in ((_STATIONS, _STATION_HEADS), (_SCALE, _SCALE_HEADS)):
        for x, words in zip(xs, heads, strict=True):
            told = wrapped(words, 60, _SMALL, 2)
            lines += [(x, _HEAD - 12 - (len(told) - 1 - n) * 14, line) for n, line in enumerate(told)]
    return _texts(lines, y, _SMALL, _LIGHT.muted, align="center") + _legend(y)


def _legend(y: alt.Y) -> list[alt.Chart]:
    at, layers = 8.0, []
    for look, words in (*_WORD_OF.items(), ("passes", "authority passes to a person")):
        layers.append(_marks([(at, 8)], look, y) if look != "passes" else _diamonds([(at, 8)], y))
        layers += _texts([(at + 11, 8, words)], y, _SMALL, _LIGHT.muted)
        at += 11 + text_width(words, _SMALL) + 20
    return layers


def _grid(places: Sequence[_Place], y: alt.Y) -> list[alt.Chart]:
    tops = [place.top - 4 for at, place in enumerate(places) if not at or _ROW in (
        place.height, places[at - 1].height)]
    lines = alt.Chart(frame(x=[0] * len(tops), x2=[THEME.width] * len(tops), y=tops)).mark_rule(
        color=_LIGHT.grid, strokeWidth=1).encode(x=_X, x2="x2:Q", y=y)
    return [lines]


def _flows(places: Sequence[_Place], y: alt.Y) -> list[alt.Chart]:
    """The line of each workflow with its stations, where authority passes, and the numbers under them."""
    lines: dict[str, list[tuple[float, float, float]]] = {}
    marks: dict[str, list[tuple[float, float]]] = {}
    passes, counts = [], []
    for place in places:
        made = _stations(place.row)
        for at, station in enumerate(made):
            marks.setdefault(station.look, []).append((_STATIONS[at], place.line))
            if station.said and place.height == _ROW:
                counts.append((_STATIONS[at], place.top + _COUNT, station.said))
            if at:
                holder = _holder(made, at)
                lines.setdefault(holder, []).append((_STATIONS[at - 1] + 10, _STATIONS[at] - 10, place.line))
        if place.row["to_approver"] or place.row["to_executor"]:
            passes.append(((_STATIONS[2] + _STATIONS[3]) / 2, place.line))
    layers = [alt.Chart(frame(x=[a for a, _, _ in held], x2=[b for _, b, _ in held], y=[at for _, _, at in held]))
              .mark_rule(**_STROKES[holder]).encode(x=_X, x2="x2:Q", y=y) for holder, held in sorted(lines.items())]
    layers += [_marks(held, look, y) for look, held in sorted(marks.items())]
    if passes:
        layers.append(_diamonds(passes, y))
    return layers + _texts(counts, y, _SMALL, _LIGHT.muted, align="center")


_STROKES: dict[str, dict[str, Any]] = {
    "assistant": {"color": _LIGHT.accent, "strokeWidth": 2}, "person": {"color": _LIGHT.ink, "strokeWidth": 2},
    "unknown": {"color": _LIGHT.unknown_line, "strokeWidth": 1, "strokeDash": [3, 3]},
    "skipped": {"color": _LIGHT.adverse, "strokeWidth": 2},
}


def _holder(made: Sequence[_Station], at: int) -> str:
    """Whose authority the line into a station is under."""
    if at < 4:
        return "unknown" if at == 3 and made[3].look == "unknown" else "assistant"
    return made[3].look if made[3].look in _STROKES else "unknown"


def _marks(spots: Sequence[tuple[float, float]], look: str, y: alt.Y) -> alt.Chart:
    made: alt.Chart = alt.Chart(frame(x=[x for x, _ in spots], y=[at for _, at in spots])).mark_point(
        filled=True, opacity=1, strokeWidth=1.5, **_LOOKS[look]).encode(x=_X, y=y)
    return made


def _diamonds(spots: Sequence[tuple[float, float]], y: alt.Y) -> alt.Chart:
    made: alt.Chart = alt.Chart(frame(x=[x for x, _ in spots], y=[at for _, at in spots])).mark_point(
        shape="diamond", filled=True, opacity=1, size=150, fill=_LIGHT.paper, stroke=_LIGHT.ink, strokeWidth=2,
    ).encode(x=_X, y=y)
    return made


def _scales(places: Sequence[_Place], y: alt.Y) -> list[alt.Chart]:
    """Declared class as a ring, what it is proved to do at least as a dot, what it may do at most as a dashed bar."""
    rank = list(CLASSES)
    shown = [place for place in places if place.height == _ROW]
    if not shown:
        return []
    layers = [alt.Chart(frame(
        x=[_SCALE[0]] * len(shown), x2=[_SCALE[-1]] * len(shown), y=[place.line for place in shown])).mark_rule(
        color=_LIGHT.rule, strokeWidth=1).encode(x=_X, x2="x2:Q", y=y)]
    ticks = [(x, place.line) for place in shown for x in _SCALE]
    layers.append(alt.Chart(frame(x=[x for x, _ in ticks], y=[at - 3 for _, at in ticks], y2=[
        at + 3 for _, at in ticks])).mark_rule(color=_LIGHT.rule).encode(x=_X, y=y, y2="y2:Q"))
    spans, beyond, rings, dots = [], [], [], []
    for place in shown:
        said, proved, most = (rank.index(place.row[name]) if place.row[name] in rank else None for name in (
            "class_declared", "class_at_least", "class_at_most"))
        if most is not None and (proved is None or most > proved):
            spans.append((_SCALE[proved or 0], _SCALE[most], place.line))
        if proved is not None:
            dots.append((_SCALE[proved], place.line))
            if said is not None and proved > said:
                beyond.append((_SCALE[said], _SCALE[proved], place.line))
        if said is not None:
            rings.append((_SCALE[said], place.line))
    layers += _spans(spans, y)
    if beyond:
        layers.append(alt.Chart(frame(
            x=[a for a, _, _ in beyond], x2=[b for _, b, _ in beyond], y=[at for _, _, at in beyond])).mark_rule(
            color=_LIGHT.adverse, strokeWidth=3).encode(x=_X, x2="x2:Q", y=y))
    layers += [_marks(dots, "assistant", y)] if dots else []
    if rings:
        layers.append(alt.Chart(frame(x=[x for x, _ in rings], y=[at for _, at in rings])).mark_point(
            shape="circle", filled=False, opacity=1, size=330, stroke=_LIGHT.ink, strokeWidth=1.5).encode(x=_X, y=y))
    return layers


def _spans(spans: Sequence[tuple[float, float, int]], y: alt.Y) -> list[alt.Chart]:
    if not spans:
        return []
    return [alt.Chart(frame(
        x=[a - 4 for a, _, _ in spans], x2=[b + 4 for _, b, _ in spans], y=[at - _DOT for _, _, at in spans],
        y2=[at + _DOT for _, _, at in spans])).mark_rect(
        fill=_LIGHT.unknown_fill, stroke=_LIGHT.unknown_line, strokeDash=[2, 2], cornerRadius=3).encode(
        x=_X, x2="x2:Q", y=y, y2="y2:Q")]


def _words(places: Sequence[_Place], y: alt.Y) -> list[alt.Chart]:
    """Names, what needs saying of each, who approved, what it began with and read, and who logs it."""
    bold: list[tuple[float, float, str]] = []
    muted: list[tuple[float, float, str]] = []
    adverse: list[tuple[float, float, str]] = []
    for place in places:
        row, right = place.row, THEME.width - _STATIONS[0]
        if place.height == _SHORT:
            who = (row["assistants"] or [row["name"]])[0]
            bold.append((0, place.line, _cut(label(who, 200), _NAME, _TEXT, bold=True)))
            muted.append((_STATIONS[1] + 16, place.line, _cut(_reads(row), THEME.width - _STATIONS[1] - 18, _SMALL)))
            continue
        name = wrapped(label(row["name"], 200), _NAME - 8, _TEXT, 2, bold=True)
        of = [_cut(label(row["assistant"], 200), _NAME - 8, _SMALL)] if row["declared"] and row["assistant"] else []
        tag, bad = _tag(row)
        lines = [*name, *of, *wrapped(tag, _NAME - 8, _SMALL, 5 - len(name) - len(of))]
        for n, line in enumerate(lines):
            into = bold if n < len(name) else muted if n < len(name) + len(of) or not bad else adverse
            into.append((0, place.top + 12 + n * _LEADING, line))
        muted += [(_STATIONS[0] - 8, place.top + _WORDS + n * _LEADING, _cut(line, right, _SMALL))
                  for n, line in enumerate((_people(row), _sources(row)))]
    return [*_texts(bold, y, _TEXT, _LIGHT.ink, weight="bold"), *_texts(muted, y, _SMALL, _LIGHT.muted),
            *_texts(adverse, y, _SMALL, _LIGHT.adverse)]


def _cut(text: str, width: float, size: float, *, bold: bool = False) -> str:
    """The text in one line, cut with an ellipsis where it is wider."""
    if text_width(text, size, bold=bold) <= width:
        return text
    while text and text_width(f"{text} …", size, bold=bold) > width:
        text = text[:-1]
    return f"{text.rstrip()} …"


def _tag(row: Row) -> tuple[str, bool]:
    """What needs saying of a workflow first, and whether it needs review."""
    if row["experimental_writes"]:
        return f"experimental, {many(row['experimental_writes'], 'change')} in production", True
    if row["class_creep"]:
        return f"{many(row['creep_cases'], 'decision')} above what is declared", True
    if not row["declared"]:
        return "not declared", False
    if not row["cases"]:
        return "no decision of it on record", False
    return " ".join(filter(None, ("declared", row["stage"] or ""))), False


def _people(row: Row) -> str:
    """Who approved, beside who is declared to."""
    told = []
    if row["approvers"]:
        told.append(f"approved by {_first(row['approvers'], 40)}")
    elif row["cases"]:
        told.append("no approver on record")
    if row["approver"]:
        told.append(f"declared approver: {label(row['approver'], 40)}")
    return "; ".join(told)


def _sources(row: Row) -> str:
    told = []
    if row["inputs"]:
        told.append(f"begins with {label(row['inputs'][0], 40)}")
    if row["data_observed"]:
        told.append(f"reads {_first(row['data_observed'], 50)}")
    if row["logged_by"]:
        told.append(f"logged by {', '.join(label(one, 30) for one in row['logged_by'])}")
    return "; ".join(told) or "in no log that is loaded"


def _reads(row: Row) -> str:
    """What an assistant without a part in any decision read."""
    count = row["resources_read"]
    told = ["what it read is not logged" if count is None else f"read {many(count, 'resource')}"]
    if row["data_observed"]:
        told[0] += f", from {_first(row['data_observed'], 44)}"
    return "; ".join([*told, f"logged by {', '.join(label(one, 30) for one in row['logged_by'])}"])


def _first(names: Sequence[str], limit: int) -> str:
    more = f" and {len(names) - 1:,} more" if len(names) > 1 else ""
    host, _, path = names[0].removeprefix("https://").partition("/")
    return label(path if path and names[0].startswith("https://") else host if not path else names[0], limit) + more


def _texts(lines: Sequence[tuple[float, float, str]], y: alt.Y, size: int, colour: str, *, weight: str = "normal",
           align: str = "left") -> list[alt.Chart]:
    """Lines of text, each a mark of its own: of several in one the renderer takes right-to-left ones for one text."""
    if not lines:
        return []
    x, at, words = zip(*lines, strict=True)
    return [alt.Chart(frame(x=x, y=at, words=words)).mark_text(
        align=align, baseline="middle", fontSize=size, color=colour, fontWeight=weight,  # type: ignore[arg-type]
    ).encode(x=_X, y=y, text="words:N")]


def _finding(rows: Sequence[Row]) -> str:
    stated = [row for row in rows if row["declared"]]
    creeping = sum(bool(row["class_creep"]) for row in stated)
    trials = sum(bool(row["experimental_writes"]) for row in stated)
    acting = sum(bool(not row["declared"] and row["cases"]) for row in rows)
    told = []
    if creeping:
        told.append(f"{creeping:,} of {many(len(stated), 'declared workflow')} did more than declared")
    if trials:
        told.append(f"{many(trials, 'experiment')} wrote in production")
    if acting:
        verb, be = ("takes", "is") if acting == 1 else ("take", "are")
        told.append(f"{acting:,} more {verb} part in decisions and {be} not declared" if told else
                    f"{many(acting, 'workflow')} with a part in decisions {be} not declared")
    if told:
        return "; ".join(told)
    if not any(row["cases"] for row in rows):
        return f"None of {many(len(rows), 'workflow')} has a part in a decision on record"
    unsure = sum(row["class_creep"] is None and bool(row["cases"]) for row in stated)
    return (f"Whether {many(unsure, 'declared workflow')} stayed within what is declared is not known" if unsure
            else f"{many(len(stated), 'declared workflow')} stayed within what is declared")


def _source(rows: Sequence[Row], period: str) -> str:
    cases = sum(row["cases"] for row in rows)
    stated = sum(row["declared"] for row in rows)
    counts = f"{many(len(rows), 'workflow')}, {stated:,} declared; {many(cases, 'decision')}"
    marks = "ring: declared, dot: proved at least, dashed bar: possible at most"
    return "; ".join(filter(None, (counts, period, "numbers: resources read, then decisions", marks)))


def _description(rows: Sequence[Row]) -> str:
    told = [f"{label(row['name'])}: {_said(row)}" for row in rows[:MAX_ROWS_DRAWN]]
    return f"{_finding(rows)}. {'; '.join(told)}."


def _said(row: Row) -> str:
    parts = [_tag(row)[0]]
    if row["class_declared"]:
        parts.append(f"declared as {CLASSES.get(row['class_declared'], row['class_declared'])}")
    if row["class_observed"]:
        parts.append(f"seen as {CLASSES.get(row['class_observed'], row['class_observed'])}")
    if row["class_at_least"] in CLASSES and row["class_at_least"] != row["class_observed"]:
        parts.append(f"at least {CLASSES[row['class_at_least']]}")
    if row["class_at_most"] and row["class_at_most"] != row["class_observed"]:
        parts.append(f"at most {CLASSES.get(row['class_at_most'], row['class_at_most'])}")
    if row["cases"]:
        decided = _decided(row)
        known = decided != "not known"
        parts.append(f"a person decided in {decided} decisions" if known else "whether a person decided is not known")
    return ", ".join(dict.fromkeys(parts))
