"""Measures of pace and assurance in words: factors, gaps, durations (design, reading.md 2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Row = Mapping[str, Any]

_LEGS = {"evidence": "evidence that was not kept in time", "approval": "approvals", "rollback": "ways back"}


def of_pace(row: Row) -> str | None:
    """What a scored measure of pace says; None for another measure, and for scopes that are plain shares or counts."""
    teller = _TELLERS.get(row["metric_id"])
    return None if teller is None or row["value"] is None else teller(row)


def factor(value: float) -> str:
    """``3.1``, ``0.35``, ``219``: as many digits as a factor bears."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:,.1f}" if value >= 1 else f"{value:.2f}"


def span(minutes: float) -> str:
    """A duration in the unit that a reader would choose: ``24 s``, ``12 min``, ``3.2 h``, ``5 days``."""
    for size, unit in ((2 * 1440.0, "days"), (120.0, "h"), (2.0, "min")):
        if minutes >= size:
            value = minutes / (size / 2)
            return f"{value:,.1f} {unit}" if value < 10 else f"{value:,.0f} {unit}"
    return f"{minutes * 60:,.0f} s" if minutes * 60 >= 1 else "under 1 s"


def _days(days: float) -> str:
    return span(days * 1440)


def percent(share: float) -> str:
    return f"{share * 100:.0f} %".replace("-0 %", "0 %")


def _between(row: Row, say: Callable[[float], str]) -> str:
    if row["ci_low"] is None or row["ci_high"] is None:
        return ""
    return f" (between {say(row['ci_low'])} and {say(row['ci_high'])})"


def _times(row: Row) -> str:
    return (f"{factor(row['value'])} times as many{_between(row, factor)}: {row['numerator']:,.0f} beside "
            f"{row['denominator']:,.0f}")


def _ratio(row: Row) -> str:
    return f"{factor(row['value'])} times{_between(row, factor)} over {row['denominator']:,.0f}"


def _gap(row: Row) -> str | None:
    if row["scope"] == "stop":
        return None
    held = "target of 95 %" if row["scope"].startswith("policy") else "standard held before"
    if row["value"] < 0:
        over = f"over {row['denominator']:,.0f}"
        return f"the {held} is exceeded by {percent(-row['value'])} (a gap of {percent(row['value'])}), {over}"
    return f"{percent(row['value'])} of the {held} is not met{_between(row, percent)}, over {row['denominator']:,.0f}"


def _excess(row: Row) -> str:
    per = "a day" if row["scope"] == "day" else "in the window"
    say = factor if row["scope"] == "day" else _whole
    less = "fewer" if row["value"] < 0 else "more"
    return f"{say(abs(row['value']))} {less} {per} than before{_between(row, _signed)}"


def _leg(row: Row) -> str:
    return f"{percent(row['value'])} of the standard, by {_LEGS[row['scope']]}{_between(row, percent)}"


def _since(row: Row) -> str:
    if row["scope"] == "shortfall":
        return f"{row['value']:,.0f} of {row['denominator']:,.0f} that would be assured had the standard held"
    return f"open for {row['value']:,.0f} days" if row["value"] else "has not opened"


def _whole(value: float) -> str:
    return f"{value:,.0f}"


def _signed(value: float) -> str:
    return f"{value:+,.0f}" if abs(value) >= 10 else f"{value:+,.1f}"


def _wait(row: Row) -> str:
    if row["unit"] == "ratio":
        return _ratio(row)
    share = {"p10": "a tenth", "p50": "half", "p90": "nine tenths"}[row["scope"].partition("/")[0]]
    return f"{share} within {span(row['value'])}{_between(row, span)}, over {row['denominator']:,.0f}"


def _cycle(row: Row) -> str:
    return f"half within {_days(row['value'])}{_between(row, _days)}, over {row['denominator']:,.0f}"


_TELLERS: dict[str, Callable[[Row], str | None]] = {
    "ACC-02": _cycle, "ACC-03": _times, "ACC-05": _gap, "ACC-06": _excess, "ACC-07": _leg, "ACC-08": _since,
    "ACC-10": _ratio, "LIN-11": _wait, "LIN-18": _wait,
}
