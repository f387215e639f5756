"""The Windows Security log of two domain controllers, as collectors export it.

Winlogbeat reads the first controller, a month a file; Sentinel gets the second, and the last five days of the first
again. For three days the second controller's agent delivered a day and a half late, in a file of its own.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from lineage_analytics.simulation.chapters._ad_forest import COMPUTERS
from lineage_analytics.simulation.model import DOMAIN, END
from lineage_analytics.simulation.writers.files import Packed, as_json, put

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from lineage_analytics.simulation.model import Deed, Happened, World

SOURCE = "windows_security"
_PROVIDER = "Microsoft-Windows-Security-Auditing"
_FIRST = f"{COMPUTERS[0]}.{DOMAIN}".lower()
_LATE = (23, 24, 25)
_AGAIN = 5


class Log:
    """Events as they come; what comes late or twice is kept to the end."""

    def __init__(self, directory: Path, world: World) -> None:
        self._directory, self._world = directory, world
        self._open: dict[str, tuple[str, Packed]] = {}
        self._late: list[dict[str, Any]] = []
        self._again: list[dict[str, Any]] = []

    def day(self, happened: Happened) -> None:
        back = (END - happened.day).days
        for deed in happened.deeds.get(SOURCE, ()):
            if deed.details["host"] == _FIRST:
                self._write("winlogbeat", happened.day, _beat(deed))
                if back < _AGAIN:
                    self._again.append(_sentinel(self._world, deed))
            elif back in _LATE:
                self._late.append(_sentinel(self._world, deed, timedelta(hours=36)))
            else:
                self._write("SecurityEvent", happened.day, _sentinel(self._world, deed))

    def _write(self, family: str, day: datetime, event: dict[str, Any]) -> None:
        month = f"{day:%Y-%m}"
        if self._open.get(family, ("",))[0] != month:
            if family in self._open:
                self._open[family][1].close()
            self._open[family] = month, Packed(self._directory / f"{family}-{month}.ndjson.gz")
        self._open[family][1].write(as_json(event) + b"\n")

    def end(self) -> None:
        for _, packed in self._open.values():
            packed.close()
        if self._late:
            put(self._directory / "SecurityEvent-late.ndjson.gz", b"".join(as_json(e) + b"\n" for e in self._late))
        put(self._directory / "SecurityEvent-query.json.gz", as_json(self._again))


def _keywords(deed: Deed) -> str:
    return "0x8020000000000000" if deed.outcome == "success" else "0x8010000000000000"


def _beat(deed: Deed) -> dict[str, Any]:
    said = deed.details
    time = deed.time.strftime("%Y-%m-%dT%H:%M:%S.000Z")
    return {
        "@timestamp": time, "event": {
            "code": str(said["id"]), "kind": "event", "provider": _PROVIDER, "outcome": deed.outcome,
            "created": (deed.time + timedelta(seconds=2)).strftime("%Y-%m-%dT%H:%M:%S.000Z")},
        "host": {"name": said["host"]}, "agent": {"type": "winlogbeat", "version": "8.13.4", "name": COMPUTERS[0]},
        "winlog": {
            "channel": "Security", "provider_name": _PROVIDER, "computer_name": said["host"], "event_id": said["id"],
            "record_id": said["number"], "api": "wineventlog", "opcode": "Info",
            "keywords": ["Audit Success" if deed.outcome == "success" else "Audit Failure"],
            "event_data": said["data"]},
        "tags": ["synthetic"],
    }


def _sentinel(world: World, deed: Deed, delay: timedelta = timedelta(minutes=3)) -> dict[str, Any]:
    said = deed.details
    return {
        "TenantId": world.tenant, "TimeGenerated": deed.time.strftime("%Y-%m-%dT%H:%M:%S.000Z"),
        "TimeCollected": (deed.time + delay).strftime("%Y-%m-%dT%H:%M:%S.000Z"), "SourceSystem": "OpsManager",
        "Computer": said["host"], "EventSourceName": _PROVIDER, "Channel": "Security", "EventID": said["id"],
        "EventRecordId": str(said["number"]), "Keywords": _keywords(deed), "Level": "0",
        "ManagementGroupName": "synthetic", "Type": "SecurityEvent", **said["data"],
    }
