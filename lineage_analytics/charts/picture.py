"""What happened in one decision, from its signal to its rollback, with what is not known drawn as open shapes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import altair as alt
import polars as pl

from lineage_analytics import tables
from lineage_analytics.charts.layout import Margins, frame, label, many, nothing, sentence, sheet, text_width, wrapped
from lineage_analytics.charts.stages import STAGES, UNLINKED, Card, Picture, Tie, picture
from lineage_analytics.charts.theme import THEME

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_QUESTION = "What happened in this decision?"
_HEADS = {"signal": "Signal", "advice": "Request or advice", "approval": "Approval", "action": "Action",
          "rollback": "Rollback or end", UNLINKED: "Not linked"}
_NONE = {"signal": "none needed", "advice": "none needed", "approval": "none needed", "action": "nothing was executed",
         "rollback": "none on record"}
_SHAPES = {"signal": "circle", "advice": "diamond", "approval": "square", "action": "triangle-up",
           "rollback": "triangle-left", UNLINKED: "cross"}
# Width of a card and of the gap after it, by the number of columns.
_WIDE = {5: (108, 34.5), 6: (92, 25.2)}
_EDGE = 1
_CARD, _SHORT, _LANE, _HEAD = 106, 28, 20, 30
_PITCH = _CARD + _LANE
_PAD, _LEADING = 8, 15
_SMALL = THEME.chart_small
_X = alt.X("x:Q", scale=alt.Scale(domain=[0, THEME.width], nice=False), axis=None)
_PART = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[:_/.-])(?=.)")
_REASONS = {
    "not_collected": "its source is not loaded", "outside_coverage": "outside the days loaded",
    "pending": "may still arrive", "not_recorded_by_provider": "the provider does not log it",
    "expired": "past retention", "redacted": "redacted", "truncated": "a file was cut off",
    "unparseable": "a record is broken",
    "ambiguous": "several fit", "absent": "missing: its source is covered", "contradicted": "records disagree",
    "outside_window": "too far in time", "target_differs": "other target", "key_unsafe": "key used for several",
    "tenant_differs": "other tenant", "cyclic": "claims go in a circle", "superseded": "something else made it moot",
    "failed": "it failed",
}
_ELEMENTS = {"recommendation": "advice", "data_inputs": "data it was based on", "decision": "approval",
             "approver_identity": "who approved",
             "executor_identity": "who executed", "rollback_path": "way back", "time_order": "order in time",
             "correlation": "gap in the log", "rationale": "reason given", "initiator": "who asked",
             "before_state": "state before", "after_state": "state after"}


def decision_picture(
    steps: pl.DataFrame, links: pl.DataFrame, gaps: pl.DataFrame, case_id: str | None = None, *,
    names: Mapping[str, str] | None = None, rejects: pl.DataFrame | None = None,
) -> alt.LayerChart:
    """One decision in five columns, from signal to rollback: a card a step, with who and when; ties between them.

    Parameters
    ----------
    steps, links, gaps : columns of ``tables.STEPS``, ``tables.LINKS``, ``tables.GAPS``; of this case or of all.
    case_id : which decision; default: that of the first step.
    names : what agents are called, by id; where it says nothing, the last part of the id.
    rejects : columns of ``tables.LINK_REJECTS``; what was considered and not linked stands in a column of its own.

    Ties are solid where records prove them (tier 3 to 5) and dashed where they are inferred. Gaps are open shapes with
    their reason. Steps of other decisions, as a rollback is one, have a thin outline. At most 60 cards are drawn, eight
    a column; what is more is counted.
    """
    if case_id is None and steps.height:
        case_id = str(steps.sort("time", "step_id")["case_id"][0])
    if case_id is None or not steps.filter(pl.col("case_id") == case_id).height:
        return nothing(_QUESTION, "no step of such a decision is on record")
    drawn = picture(steps, links, gaps, tables.LINK_REJECTS.empty() if rejects is None else rejects, case_id)
    height = _HEAD + drawn.height * _PITCH + 2
    y = alt.Y("y:Q", scale=alt.Scale(domain=[0, height], reverse=True, nice=False), axis=None)
    places = _places(drawn)
    called = names or {}
    return sheet(
        [*_headed(drawn, y), *_tied(drawn, places, y), *_cards(drawn, places, called, y)],
        title=_finding(drawn), source=_source(drawn, case_id), height=height, margins=Margins(top=4),
        description=_description(drawn, called))


Place = tuple[float, float, float]


def _places(drawn: Picture) -> dict[str, Place]:
    """Left and upper edge and width of each card."""
    width, gap = _WIDE[len(drawn.stages)]
    return {card.id: (_EDGE + at * (width + gap), _HEAD + _LANE + row * _PITCH, width)
            for at, stage in enumerate(drawn.stages) for row, card in enumerate(drawn.columns[stage])}


def _headed(drawn: Picture, y: alt.Y) -> list[alt.Chart]:
    """The names of the columns with their shapes, and in words where one is empty."""
    width, gap = _WIDE[len(drawn.stages)]
    layers: list[alt.Chart] = []
    for at, stage in enumerate(drawn.stages):
        left = _EDGE + at * (width + gap)
        lines = wrapped(_HEADS[stage], width - 16, _SMALL, 2, bold=True)
        layers.append(alt.Chart(frame(x=[left + 6], y=[_HEAD / 2])).mark_point(
            shape=_SHAPES[stage], size=70, filled=True, opacity=1, color=_colour(stage)).encode(x=_X, y=y))
        layers += _text([(left + 16, _HEAD / 2 + (n - (len(lines) - 1) / 2) * 13, line)
                         for n, line in enumerate(lines)], y, THEME.light.ink, "bold")
        if not drawn.columns[stage]:
            words = wrapped(_NONE[stage], width, _SMALL, 2)
            layers += _text([(left, _HEAD + _LANE + _PAD + n * _LEADING, line) for n, line in enumerate(words)], y,
                            THEME.light.muted)
    return layers


def _colour(stage: str) -> str:
    return THEME.light.unknown_line if stage == UNLINKED else str(getattr(THEME.light, f"stage_{stage}"))


def _tied(drawn: Picture, places: Mapping[str, Place], y: alt.Y) -> list[alt.Chart]:
    """The ties as lines with an arrow, under the cards; those past a column go along the lane between two rows."""
    layers: list[alt.Chart] = []
    colour = THEME.light.muted
    column = {card.id: at for at, stage in enumerate(drawn.stages) for card in drawn.columns[stage]}
    ways = [(tie, _way(tie, places, column, number)) for number, tie in enumerate(_single(drawn.ties))]
    for proved in (True, False):
        turns = [(n, order, x, at) for n, (tie, way) in enumerate(ways) if tie.proved == proved
                 for order, (x, at) in enumerate(way)]
        if turns:
            tie, order, xs, ys = zip(*turns, strict=True)
            layers.append(alt.Chart(frame(tie=tie, order=order, x=xs, y=ys)).mark_line(
                color=colour, strokeWidth=1.6, strokeJoin="round", strokeDash=[1, 0] if proved else [5, 4],
            ).encode(x=_X, y=y, detail="tie:N", order="order:Q"))
    for shape, chosen in (("triangle-right", [way for _, way in ways if way[-1][0] >= way[-2][0]]),
                          ("triangle-left", [way for _, way in ways if way[-1][0] < way[-2][0]])):
        if chosen:
            xs, ys = zip(*(way[-1] for way in chosen), strict=True)
            layers.append(alt.Chart(frame(x=xs, y=ys)).mark_point(
                shape=shape, size=50, fill=colour, stroke=None, opacity=1).encode(x=_X, y=y))
    return layers


def _single(ties: Sequence[Tie]) -> list[Tie]:
    """Each pair once, by its strongest tie."""
    found: dict[tuple[str, str], Tie] = {}
    for tie in sorted(ties, key=lambda one: (one.start, one.end, not one.proved)):
        found.setdefault((tie.start, tie.end), tie)
    return list(found.values())


def _way(tie: Tie, places: Mapping[str, Place], column: Mapping[str, int], number: int) -> list[tuple[float, float]]:
    """The points of a tie's line: level out of one card, level into the next."""
    (left, top, width), (left2, top2, width2) = places[tie.start], places[tie.end]
    middle, middle2 = top + _CARD / 2, top2 + _CARD / 2
    out, into = left + width, left2 - 5
    apart = column[tie.end] - column[tie.start]
    if apart == 1:
        return [(out, middle), (out + 6, middle), (into - 8, middle2), (into, middle2)]
    shift = (number % 3 - 1) * 4
    lane = _lane(middle, middle2) + shift
    if apart > 1:
        high, high2 = middle - 12, middle2 - 12
        return [(out, high), (out + 8 + shift, high), (out + 8 + shift, lane), (into - 12 + shift, lane),
                (into - 12 + shift, high2), (into, high2)]
    side, back = left2 + width2 + 10 + shift, left2 + width2 + 5
    if apart == 0:
        return [(out, middle + 8), (side, middle + 8), (side, middle2 - 8), (back, middle2 - 8)]
    if apart == -1:
        return [(left, middle + 12), (left - 8, middle + 12), (back + 8, middle2 + 12), (back, middle2 + 12)]
    return [(left, middle + 12), (left - 10 + shift, middle + 12), (left - 10 + shift, lane), (side, lane),
            (side, middle2 + 12), (back, middle2 + 12)]


def _lane(one: float, other: float) -> float:
    """The middle of the lane between two rows that lies best between two heights."""
    lanes = [_HEAD + _LANE / 2 + row * _PITCH for row in range(2 + round(max(one, other) // _PITCH))]
    return min(lanes, key=lambda at: (abs(at - one) + abs(at - other), at))


def _cards(drawn: Picture, places: Mapping[str, Place], names: Mapping[str, str], y: alt.Y) -> list[alt.Chart]:
    layers: list[alt.Chart] = []
    for stage in drawn.stages:
        for look in ("step", "failed", "other", "gap", "missing", "more", "unlinked"):
            chosen = [card for card in drawn.columns[stage] if card.look == look]
            if chosen:
                layers += _boxes(stage, look, [places[card.id] for card in chosen], y)
                layers += _written(look, [(card, places[card.id]) for card in chosen], names, y, _clock(drawn))
    return layers


def _boxes(stage: str, look: str, places: Sequence[Place], y: alt.Y) -> list[alt.Chart]:
    """Outlines and shapes: full for what happened, open for what is not known."""
    colours, colour = THEME.light, _colour(stage)
    paint: dict[str, dict[str, Any]] = {
        "step": {"fill": colours.paper, "stroke": colour, "strokeWidth": 2},
        "failed": {"fill": colours.paper, "stroke": colour, "strokeWidth": 1},
        "other": {"fill": colours.paper, "stroke": colour, "strokeWidth": 1},
        "gap": {"fill": colours.unknown_fill, "stroke": colours.unknown_line, "strokeWidth": 1, "strokeDash": [3, 3]},
        "missing": {"fill": colours.paper, "stroke": colours.adverse, "strokeWidth": 2, "strokeDash": [3, 3]},
        "more": {"fill": colours.paper, "stroke": colours.rule, "strokeWidth": 1},
        "unlinked": {"fill": colours.unknown_fill, "stroke": colours.unknown_line, "strokeWidth": 1,
                     "strokeDash": [1, 3]},
    }
    layers = [alt.Chart(frame(
        x=[left for left, _, _ in places], x2=[left + width for left, _, width in places],
        y=[top for _, top, _ in places], y2=[top + (_SHORT if look == "more" else _CARD) for _, top, _ in places],
    )).mark_rect(cornerRadius=4, **paint[look]).encode(x=_X, x2="x2:Q", y=y, y2="y2:Q")]
    if look == "more":
        return layers
    full = look in ("step", "other")
    ink = colours.adverse if look == "missing" else colours.unknown_line if look == "gap" else colour
    return [*layers, alt.Chart(frame(
        x=[left + width - 14 for left, _, width in places], y=[top for _, top, _ in places],
    )).mark_point(shape=_SHAPES[stage], size=110, opacity=1, strokeWidth=1.5, stroke=ink,
                  fill=ink if full else colours.paper).encode(x=_X, y=y)]


def _written(look: str, cards: Sequence[tuple[Card, Place]], names: Mapping[str, str], y: alt.Y, clock: str
             ) -> list[alt.Chart]:
    """What in bold, who, and when under it; each line a mark of its own, as right-to-left ones need."""
    strong: list[tuple[float, float, str]] = []
    weak: list[tuple[float, float, str]] = []
    for card, (left, top, width) in cards:
        at, room = top + 15, width - 2 * _PAD
        first = wrapped(_broken(_said(card), room), room, _SMALL, 3, bold=True)
        for line in first:
            strong.append((left + _PAD, at, line))
            at += _LEADING
        for line in _under(card, names, room, 5 - len(first)):
            weak.append((left + _PAD, at, line))
            at += _LEADING
        if card.time is not None:
            weak.append((left + _PAD, top + _CARD - 12, f"{card.time:{clock}}"))
    muted = THEME.light.adverse if look == "missing" else THEME.light.muted
    return [*_text(strong, y, THEME.light.ink, "bold"), *_text(weak, y, muted)]


def _clock(drawn: Picture) -> str:
    """How times are written: without the day where all are of one, to the second where that has room."""
    days = {card.time.date() for column in drawn.columns.values() for card in column if card.time}
    if len(days) < 2:
        return "%H:%M:%S"
    return "%-d %b %H:%M:%S" if len(drawn.stages) == len(STAGES) else "%-d %b %H:%M"


def _said(card: Card) -> str:
    if card.look in ("gap", "missing"):
        parts = [_ELEMENTS.get(name, name.replace("_", " ")) for name in card.what.split(", ")]
        return sentence(", ".join(parts))
    number = f"[{card.number}] " if card.number is not None else ""
    return f"{number}{label(card.what, 120)}"


def _under(card: Card, names: Mapping[str, str], room: float, lines: int) -> list[str]:
    if card.who is None:
        return []
    if card.look in ("gap", "missing", "unlinked"):
        return wrapped(_REASONS.get(card.who, card.who.replace("_", " ")), room, _SMALL, lines)
    name = _name(card.who, names)
    if "@" in name and text_width(name, _SMALL) > room:
        name = f"{name.partition('@')[0]}@\u2026"
    return wrapped(name, room, _SMALL, min(lines, 2))


def _broken(text: str, room: float) -> str:
    """Words too long for a line in pieces, cut where a part of the name begins: ``AttachRole Policy``."""
    made = []
    for word in text.split():
        piece = ""
        for part in _PART.split(word) if text_width(word, _SMALL, bold=True) > room else (word,):
            if piece and text_width(piece + part, _SMALL, bold=True) > room:
                made.append(piece)
                piece = ""
            piece += part
        made.append(piece)
    return " ".join(made)


def _name(identity: str, names: Mapping[str, str]) -> str:
    return label(names.get(identity) or identity.rsplit(":", 1)[-1])


def _text(lines: Sequence[tuple[float, float, str]], y: alt.Y, colour: str, weight: str = "normal") -> list[alt.Chart]:
    if not lines:
        return []
    x, at, words = zip(*lines, strict=True)
    return [alt.Chart(frame(x=x, y=at, words=words)).mark_text(
        align="left", baseline="middle", fontSize=_SMALL, color=colour, fontWeight=weight,  # type: ignore[arg-type]
    ).encode(x=_X, y=y, text="words:N")]


def _state(drawn: Picture, stage: str) -> str:
    """Of a stage: what counts against it, else whether something is on record, or there by inference alone."""
    cards = drawn.columns[stage]
    done = [card for card in cards if card.look in ("step", "other", "more")]
    if any(card.look == "missing" for card in cards) and not (done and stage == "rollback"):
        return "missing"
    if done:
        return "inferred" if stage != _last(drawn) and all(_inferred(drawn, card) for card in done) else "on record"
    if any(card.look == "failed" for card in cards):
        return "on record as failed"
    lacking = [card for card in cards if card.look == "gap" and (stage != "rollback" or "rollback_path" in card.what)]
    return "not known" if lacking else "none"


def _last(drawn: Picture) -> str | None:
    """The stage the decision got to: what happened there is on record whatever led to it."""
    reached = [stage for stage in STAGES[:-1] if any(card.look in ("step", "failed") for card in drawn.columns[stage])]
    return reached[-1] if reached else None


def _inferred(drawn: Picture, card: Card) -> bool:
    """Whether everything that ties it to the decision is inferred."""
    ties = [tie.proved for tie in drawn.ties if card.id in (tie.start, tie.end)]
    return bool(ties) and not any(ties)


_NOUNS = {"signal": "signal", "advice": "request or advice", "approval": "approval", "action": "action",
          "rollback": "way back"}
_STATES = ("on record", "on record as failed", "inferred", "missing", "not known")


def _finding(drawn: Picture) -> str:
    found: dict[str, list[str]] = {}
    for stage, noun in _NOUNS.items():
        state = _state(drawn, stage)
        taken = stage == "rollback" and state in ("on record", "inferred")
        found.setdefault(state, []).append("rollback or end" if taken else noun)
    parts = [f"{_and(found[state])} {'is' if len(found[state]) == 1 else 'are'} {state}"
             for state in _STATES if state in found]
    return sentence("; ".join(parts)) if parts else _QUESTION


def _and(nouns: Sequence[str]) -> str:
    return nouns[0] if len(nouns) == 1 else f"{', '.join(nouns[:-1])} and {nouns[-1]}"


def _source(drawn: Picture, case_id: str) -> str:
    times = [card.time for column in drawn.columns.values() for card in column if card.time and card.look != "unlinked"]
    when = f", {min(times):%-d %b %Y}" if times else ""
    when += f" to {max(times):%-d %b %Y}" if times and max(times).date() != min(times).date() else ""
    kinds = {tie.proved for tie in drawn.ties}
    looks = {card.look for column in drawn.columns.values() for card in column}
    open_, other = bool(looks & {"gap", "missing"}), "other" in looks
    signs = ((True in kinds, "solid line: records prove it"), (False in kinds, "dashed line: inferred"),
             (other, "thin outline: of another decision"), (open_, "dashed outline, open shape: not on record"))
    return "; ".join((f"{label(case_id, 40)}, {many(drawn.steps, 'step')}{when}, times in UTC",
                      *(words for shown, words in signs if shown)))


def _description(drawn: Picture, names: Mapping[str, str]) -> str:
    said = []
    for stage in drawn.stages:
        told = []
        for card in drawn.columns[stage]:
            if card.look in ("gap", "missing", "unlinked"):
                told.append(f"{_said(card)} ({_REASONS.get(card.who or '', card.who or '')})")
            else:
                who = f" by {_name(card.who, names)}" if card.who else ""
                when = f" at {card.time:%Y-%m-%d %H:%M:%S}" if card.time else ""
                told.append(f"{_said(card)}{who}{when}")
        said.append(f"{_HEADS[stage]}: {'; '.join(told) or _NONE.get(stage, 'none')}")
    return f"{_finding(drawn)}. {'. '.join(said)}."
