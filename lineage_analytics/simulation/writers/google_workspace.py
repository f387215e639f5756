"""Google Workspace activity reports: one page an application and month, pages that overlap; the last days as events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lineage_analytics.simulation.writers.files import Packed, as_json

if TYPE_CHECKING:
    from pathlib import Path

    from lineage_analytics.simulation.chapters.google_workspace import Cast
    from lineage_analytics.simulation.model import Account, Deed, Happened, World

SOURCE = "google_workspace"
_OVERLAP = 3
_EVENTS = 4
"""Days before the last that a pipeline hands on again, an event a record."""
_START = b'{"kind":"admin#reports#activities","etag":"synthetic","items":['


class _Pages:
    """The pages of one application; each begins with what the one before it ended with."""

    def __init__(self, directory: Path, application: str) -> None:
        self._directory, self._application = directory, application
        self._page: tuple[str, Packed] | None = None
        self._last: list[bytes] = []

    def write(self, month: str, item: bytes) -> None:
        if self._page is None or self._page[0] != month:
            self.close()
            self._page = month, Packed(self._directory / f"{self._application}-{month}.json.gz")
            self._page[1].write(_START + b"".join(again + b"," for again in self._last) + item)
        else:
            self._page[1].write(b"," + item)
        self._last = [*self._last[-_OVERLAP + 1:], item]

    def close(self) -> None:
        if self._page is not None:
            self._page[1].write(b"]}")
            self._page[1].close()
            self._page = None


class Log:
    def __init__(self, directory: Path, world: World) -> None:
        self._directory, self._world = directory, world
        self._last = max(world.midnights)
        self._pages: dict[str, _Pages] = {}
        self._events: Packed | None = None

    def day(self, happened: Happened) -> None:
        for deed in happened.deeds.get(SOURCE, ()):
            application = deed.details["application"]
            if application not in self._pages:
                self._pages[application] = _Pages(self._directory, application)
            item = _activity(deed, self._world.cast[SOURCE])
            self._pages[application].write(f"{happened.day:%Y-%m}", as_json(item))
            if (self._last - happened.day).days < _EVENTS:
                self._events = self._events or Packed(self._directory / "pipeline" / "events.ndjson.gz")
                self._events.write(as_json(_alone(item)) + b"\n")

    def end(self) -> None:
        for pages in self._pages.values():
            pages.close()
        if self._events is not None:
            self._events.close()


def _activity(deed: Deed, cast: Cast) -> dict[str, Any]:
    return {
        "kind": "admin#reports#activity",
        "id": {"time": deed.time.strftime("%Y-%m-%dT%H:%M:%S.000Z"), "uniqueQualifier": deed.event_id,
               "applicationName": deed.details["application"], "customerId": cast.customer},
        "etag": '"synthetic"', "actor": _actor(deed, cast), "ipAddress": "198.51.100.44",
        "events": [{"type": "synthetic", "name": deed.action, "parameters": [
            {"name": name, "multiValue" if isinstance(value, list) else "value": value}
            for name, value in deed.details["parameters"].items()]}],
    }


def _actor(deed: Deed, cast: Cast) -> dict[str, Any]:
    """The user, and beside it the app or agent that used its authority."""
    who: Account = deed.details["acting_for"] or deed.who  # type: ignore[assignment]
    found: dict[str, Any] = {"callerType": "USER", "email": who.name, "profileId": who.native_id}
    if deed.who is cast.backup:
        found["applicationInfo"] = {"oauthClientId": cast.backup.native_id, "applicationName": cast.backup.name,
                                    "impersonation": True}
    elif deed.who is cast.agent:
        found["agentAttributionInfo"] = {
            "agentId": cast.agent.native_id, "agentName": cast.agent.name, "agentType": "WORKSPACE_AGENT",
            "agentOwner": {"email": cast.admins[0].name}}
    return found


def _alone(item: dict[str, Any]) -> dict[str, Any]:
    """The activity's event as a record of its own, as pipelines hand it on."""
    event = item["events"][0]
    rest = {key: value for key, value in item.items() if key != "events"}
    return {**rest, "type": event["type"], "name": event["name"], "parameters": {
        held["name"]: held.get("multiValue", held.get("value")) for held in event["parameters"]}}
