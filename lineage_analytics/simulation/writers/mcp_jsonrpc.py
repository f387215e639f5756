"""MCP messages as a gateway logs them, a line each; the last days again as the client logged them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lineage_analytics.simulation.chapters._agents_runs import CLIENT, MESSAGES, SERVER
from lineage_analytics.simulation.writers.files import Packed, as_json, put

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from lineage_analytics.simulation.model import Deed, Happened, World

SOURCE = MESSAGES
_AGAIN = 5


class Log:
    """One file a month."""

    def __init__(self, directory: Path, world: World) -> None:
        self._directory = directory
        self._last = max(world.midnights)
        self._month: tuple[str, Packed] | None = None
        self._again: list[dict[str, Any]] = []

    def day(self, happened: Happened) -> None:
        for deed in happened.deeds.get(SOURCE, ()):
            self._packed(happened.day).write(as_json(_line(deed)) + b"\n")
            if (self._last - happened.day).days < _AGAIN:
                self._again.append(_client_line(deed))

    def _packed(self, day: datetime) -> Packed:
        month = f"{day:%Y-%m}"
        if self._month is None or self._month[0] != month:
            if self._month is not None:
                self._month[1].close()
            self._month = month, Packed(self._directory / f"gateway-{month}.jsonl.gz")
        return self._month[1]

    def end(self) -> None:
        if self._month is not None:
            self._month[1].close()
        put(self._directory / "client-debug.json.gz", as_json(self._again))


def _line(deed: Deed) -> dict[str, Any]:
    details = deed.details
    user = {"user": details["user"]} if details["user"] else {}
    return {"timestamp": deed.time.strftime("%Y-%m-%dT%H:%M:%S.000Z"), "session_id": details["session"],
            "direction": "client_to_server" if details["side"] == "client" else "server_to_client",
            "server_name": SERVER, "client_name": CLIENT, **user, "message": details["body"]}


def _client_line(deed: Deed) -> dict[str, Any]:
    """The message as text, in an envelope of another make."""
    details = deed.details
    user = {"metadata": {"user": details["user"]}} if details["user"] else {}
    return {"ts": int(deed.time.timestamp() * 1000), "level": "debug", "sessionId": details["session"],
            "from": details["side"], "server": SERVER, "client": CLIENT, **user,
            "payload": as_json(details["body"]).decode()}
