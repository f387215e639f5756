"""A Windows event, whatever exported it: EVTX and Event XML as JSON, Winlogbeat, NXLog, Sentinel."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from lineage_analytics.loaders._windows_events import RULES
from lineage_analytics.loaders.common.times import parse_time
from lineage_analytics.loaders.common.values import Fields, embedded, fold, guid, name, obj, objects, text

if TYPE_CHECKING:
    from collections.abc import Mapping

SECURITY = "microsoft-windows-security-auditing"
_ZONED = re.compile(r"(?:Z|[+-]\d\d:?\d\d)\s*\Z")
_QUARTER = timedelta(minutes=15)
_XML_DATA = re.compile(r"<Data\s+Name=[\"'](\w{1,60})[\"']\s*>([^<]{0,4000})</Data>")
_NOT_STATED = frozenset({"-", "(null)", "%%1792", "%%1793", "%%1794", "00000000-0000-0000-0000-000000000000"})
_SUCCESS, _FAILURE = 0x0020000000000000, 0x0010000000000000
_DIGITS = re.compile(r"\d{1,7}")
_NUMBER = re.compile(r"-?\d{1,20}\Z")
_HEX = re.compile(r"0x[0-9a-f]{1,16}\Z", re.IGNORECASE)


class Event(NamedTuple):
    """One event: ``data`` are its named values with folded names; ``audit`` is whether the operation succeeded."""

    id: int
    provider: str
    channel: str
    time: object
    computer: str | None
    number: str | None
    origin: str | None
    activity: str | None
    audit: bool | None
    data: Fields

    def value(self, *names: str) -> str | None:
        """The first stated value; ``-``, ``%%1793`` and the like state none. ``None`` is the name of a group."""
        for key in names:
            found = text(self.data.get(key))
            if found is not None and found not in _NOT_STATED:
                return found
        return None


def event_of(record: Mapping[str, Any]) -> Event | None:
    """The event in a record of any shape; None when there is no event id in it."""
    fields = fold(record)
    for wrapper in ("_source", "log", "fields", "data"):
        inner = obj(fields.get(wrapper))
        if inner and not fields.keys() & {"eventid", "winlog", "event"}:
            fields = inner
    for read in (_flat, _xml, _beat) if "eventid" in fields else (_xml, _beat, _wazuh):
        found = read(fields)
        if found is not None:
            return found
    return None


def _number(value: object) -> int | None:
    """An event id, also in an object that holds its qualifiers."""
    held = obj(value)
    found = text(held.get("#text", held.get("value"))) if held else text(value)
    return int(found) if found and _DIGITS.fullmatch(found) else None


def _attribute(value: object, key: str) -> str | None:
    """An XML attribute as the various converters write it, on the element or apart from it."""
    held = obj(value)
    inner = obj(held.get("#attributes")) or obj(held.get("$"))
    return name(inner.get(key, held.get(f"@{key}", held.get(key))))


def _apart(system: Fields, element: str, key: str) -> str | None:
    return _attribute(system.get(element), key) or _attribute(system.get(f"{element}_attributes"), key)


def _xml(fields: Fields) -> Event | None:
    event = obj(fields.get("event"))
    system = obj(event.get("system"))
    number = _number(system.get("eventid"))
    if number is None:
        return None
    data = _named(event.get("eventdata"))
    for held in obj(event.get("userdata")).values():
        data = {**_named(held), **data}
    return Event(
        number, (_apart(system, "provider", "name") or "").lower(), (name(system.get("channel")) or "").lower(),
        _apart(system, "timecreated", "systemtime"), name(system.get("computer")),
        name(system.get("eventrecordid")), None, guid(_apart(system, "correlation", "activityid")),
        _audit(system.get("keywords")), data)


def _wazuh(fields: Fields) -> Event | None:
    """An event as a Wazuh agent sends it, and in the alerts made of it."""
    held = obj(fields.get("win"))
    system = obj(held.get("system"))
    number = _number(system.get("eventid"))
    if number is None:
        return None
    return Event(
        number, (name(system.get("providername")) or "").lower(), (name(system.get("channel")) or "").lower(),
        system.get("systemtime"), name(system.get("computer")), name(system.get("eventrecordid")), None, None,
        _audit(system.get("keywords")), {**_named(held.get("userdata")), **_named(held.get("eventdata"))})


def _named(value: object) -> Fields:
    """The values of EventData by name: as keys, as ``Data`` elements with a name, or as XML text."""
    if isinstance(value, str) and "<Data" in value:
        return {key.lower(): held for key, held in _XML_DATA.findall(value)}
    found = {key: held for key, held in obj(value).items() if not key.endswith("attributes") and key not in (
        "@xmlns", "xmlns")}
    listed = found.pop("data", None)
    for item in objects(listed) if listed is not None else ():
        key = _attribute(item, "name")
        if key is not None:
            found[key.lower()] = item.get("#text", item.get("text", item.get("_")))
    return found


def _undotted(fields: Fields) -> Fields:
    """Keys such as ``winlog.event_data.TargetSid`` as objects in one another. Kibana shows each value in a list."""
    found: Fields = {}
    for key, stated in fields.items():
        held = stated[0] if isinstance(stated, list) and len(stated) == 1 else stated
        *outer, last = key.split(".")
        at = found
        for part in outer:
            inner = at.setdefault(part, {})
            at = inner if isinstance(inner, dict) else at
        at[last] = held
    return found


def _beat(fields: Fields) -> Event | None:
    """Winlogbeat of any version: under ``winlog``, in dotted keys, or (up to version 6) at the top.

    Where events came out of a file or another collector, ``time_created`` is theirs and ``@timestamp`` the reader's.
    """
    if any(key.startswith("winlog.") for key in fields):
        fields = _undotted(fields)
    held = obj(fields.get("winlog")) or (fields if "event_data" in fields else {})
    number = _number(held.get("event_id"))
    if number is None:
        return None
    host = obj(fields.get("host"))
    outcome = text(obj(fields.get("event")).get("outcome"))
    audit = {"success": True, "failure": False}.get((outcome or "").lower(), _audit(held.get("keywords")))
    data = {**obj(held.get("user_data")), **obj(held.get("event_data"))}
    return Event(
        number, (name(held.get("provider_name")) or name(held.get("source_name")) or "").lower(),
        (name(held.get("channel")) or name(held.get("log_name")) or "").lower(),
        held.get("time_created") or fields.get("@timestamp"),
        name(held.get("computer_name")) or name(host.get("name")), name(held.get("record_id")) or name(
            held.get("record_number")), None, guid(name(held.get("activity_id"))), audit, data)


def _flat(fields: Fields) -> Event | None:
    """NXLog, Sentinel and other exports with all values at the top."""
    number = _number(fields.get("eventid"))
    provider = _first(fields, "sourcename", "eventsourcename", "provider", "providername", "source")
    channel = _first(fields, "channel", "eventlog", "log_name", "logname")
    computer = _first(fields, "hostname", "computer", "computername", "machinename")
    if number is None or not (provider or channel or computer):
        return None
    record = _first(fields, "recordnumber", "eventrecordid", "recordid") or None
    if number not in RULES:  # most of a log: only its numbers and whose it is will be asked for
        return Event(
            number, provider.lower(), channel.lower(), None, computer or None, record, None, None, None, fields)
    data = {**fields, **_named(fields.get("eventdata"))}
    return Event(
        number, provider.lower(), channel.lower(), _flat_time(fields),
        computer or None, record,
        guid(_first(fields, "eventoriginid")), guid(_first(fields, "activityid")),
        next((said for key in ("eventtype", "keywords", "eventlevelname")
              if (said := _audit(fields.get(key))) is not None), None), data)


def _first(fields: Fields, *keys: str) -> str:
    return next((found for key in keys if (found := name(fields.get(key))) is not None), "")


def _flat_time(fields: Fields) -> object:
    """NXLog writes local time without a zone. Its time of receipt, also local, and the pipeline's time of the same
    moment in UTC tell the zone, to a quarter of an hour."""
    stated = fields.get("eventtime")
    if stated is None:
        keys = ("timecreated", "timegenerated", "timegenerated [utc]", "@timestamp")
        found = next((fields[key] for key in keys if fields.get(key)), None)
        return _portal_time(found) if isinstance(found, str) else found
    local, shown = parse_time(stated), text(stated) or ""
    if local is None or _ZONED.search(shown) or _NUMBER.match(shown):
        return stated
    received, piped = parse_time(fields.get("eventreceivedtime")), parse_time(fields.get("@timestamp"))
    if received is None or piped is None:
        return stated
    zone = round((piped - received) / _QUARTER) * _QUARTER
    return (local + zone).isoformat() if abs(zone) <= timedelta(hours=14) else stated


def _portal_time(stated: str) -> str:
    """The way the portal writes times into exports, always of the form ``8/2/2021, 1:09:20.040 PM``."""
    for form in ("%m/%d/%Y, %I:%M:%S.%f %p", "%m/%d/%Y, %I:%M:%S %p"):
        try:
            return datetime.strptime(stated, form).replace(tzinfo=UTC).isoformat()
        except ValueError:
            continue
    return stated


def _audit(value: object) -> bool | None:
    """Success or failure out of keywords: as a number, in words, or a list of words."""
    held = embedded(value)
    for item in held if isinstance(held, list) else [held]:
        shown = (text(item) or "").strip().lower()
        if _NUMBER.match(shown) or _HEX.match(shown):
            bits = int(shown, 16 if shown.startswith("0x") else 10) & 0xFFFFFFFFFFFFFFFF
            if bits & _FAILURE:
                return False
            if bits & _SUCCESS:
                return True
        elif "audit" in shown:
            return False if "fail" in shown else True if "success" in shown else None
    return None
