"""Times as logs write them, to UTC with microseconds (sources 1.2)."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

NEVER = frozenset({"", "0", "-1", "n/a", "no_information", "not_supported", "none", "null"})
_SENTINEL_YEARS = frozenset({1, 1601, 9999})
EARLIEST, LATEST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2090, 1, 1, tzinfo=UTC)
"""When an event can have been. Not the clock: one mistyped year must not become the newest record of an estate."""
ASSUMED = "assumed"
"""``DECISION_STEPS.time_zone`` of a time without a zone out of an export that writes local times."""
AHEAD = timedelta(days=2)
"""How far a record may lie ahead of the time at which its provider says that it received it."""
_MONTHS = 12
_CLOCK = re.compile(r"\d{1,2}:\d{2}")
_ZONE = re.compile(r"(?:Z|UTC|GMT|[+-]\d{2}:?\d{2})\s*$", re.IGNORECASE)
_FRACTION = re.compile(r"(\.\d{6})\d+")
_OFFSET = re.compile(r"([+-]\d{2})(\d{2})$")
_ONE_DIGIT_HOUR = re.compile(r"T(\d:\d\d)")
_DOTNET = re.compile(r"/Date\((-?\d{1,15})(?:[+-]\d{4})?\)/")
_SHOWN = re.compile(
    r"(\d{1,2})/(\d{1,2})/(\d{4}),? (\d{1,2})(:\d{2}(?::\d{2}(?:\.\d+)?)?)(?: ?(AM|PM))?", re.IGNORECASE)
_EPOCH_DIGITS = ((11, 1), (14, 1_000), (17, 1_000_000), (20, 1_000_000_000))


def parse_time(value: object) -> datetime | None:
    """ISO text with or without zone (none: UTC) or an epoch in s, ms, us or ns, also as Windows PowerShell writes it
    (``/Date(1700000000000)/``); None for a sentinel or nonsense."""
    if isinstance(value, bool) or value is None:
        return None
    text = str(value).strip()
    if text.lower() in NEVER:
        return None
    try:
        if (dotnet := _DOTNET.fullmatch(text)) is not None:
            parsed = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=int(dotnet[1]))
            return None if parsed.year in _SENTINEL_YEARS else parsed
        parsed = _epoch(text) if text.replace(".", "", 1).isdigit() else _iso(text)
    except (ValueError, OverflowError):
        return None
    return None if parsed.year in _SENTINEL_YEARS else parsed


def implausible(when: datetime | None, received: datetime | None = None) -> str | None:
    """Why no event can have been at that time, in words; None where one can, or where no time is stated.

    This is the one rule of all loaders for dates far ahead, for epoch 0, and for an epoch whose unit was mistaken:
    units are told by magnitude, so a mistaken one lies in 1970 or beyond 2089. A record that breaks it is quarantined
    as ``implausible_time`` with all it says: with a wrong time in one field nothing of it can be put in order.
    """
    if when is None:
        return None
    if not EARLIEST <= when < LATEST:
        return f"{when.isoformat()}, wanted 2000 to 2089"
    if received is not None and EARLIEST <= received < LATEST and when - received > AHEAD:
        return f"{when.isoformat()}, which is days after the provider received it"
    return None


def zone_of(value: object) -> str | None:
    """``assumed`` for a text that is a time of a day without a zone, as exports write it that use local time; None for
    one with a zone, for an epoch, and for what is no time."""
    written = value.strip() if isinstance(value, str) else ""
    return ASSUMED if _CLOCK.search(written) and not _ZONE.search(written) else None


def shown_time(value: str) -> str | None:
    """A time as a browser shows it, in ISO form; None for any other text, and where day and month may be either.

    American browsers alone write AM and PM in capitals, the month first and no zero before it. Others write small
    letters or a clock of 24 hours, and so may an American, but not with zeros.
    """
    found = _SHOWN.fullmatch(value.strip().replace("\u202f", " "))
    if found is None:
        return None
    first, second, half = found[1], found[2], found[6]
    if unmistakable := unmistakable_time(value):
        return unmistakable
    if half is not None:
        return _written(found, month_first=half.isupper())
    return _written(found, month_first=False) if "0" in (first[0], second[0]) else None


def unmistakable_time(value: str) -> str | None:
    """A time with day and month in figures, in ISO form, where no reader could take the one for the other."""
    found = _SHOWN.fullmatch(value.strip().replace("\u202f", " "))
    if found is None or (int(found[1]) != int(found[2]) and max(int(found[1]), int(found[2])) <= _MONTHS):
        return None
    return _written(found, month_first=int(found[2]) > _MONTHS)


def _written(shown: re.Match[str], *, month_first: bool) -> str:
    first, second, year, hour, rest, half = shown.groups()
    month, day = (first, second) if month_first else (second, first)
    at = int(hour) if half is None else int(hour) % 12 + (12 if half.upper() == "PM" else 0)
    return f"{year}-{int(month):02d}-{int(day):02d}T{at:02d}{rest}Z"


def _epoch(text: str) -> datetime:
    digits = len(text.split(".", maxsplit=1)[0])
    divisor = next((per for limit, per in _EPOCH_DIGITS if digits < limit), None)
    if divisor is None:
        raise ValueError
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=float(text) / divisor)


def _iso(text: str) -> datetime:
    text = _ONE_DIGIT_HOUR.sub(r"T0\1", text, count=1)
    text = _OFFSET.sub(r"\1:\2", _FRACTION.sub(r"\1", text.replace(" ", "T", 1).replace(" ", "")))
    parsed = datetime.fromisoformat(text)
    return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)
