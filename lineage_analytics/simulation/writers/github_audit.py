"""The audit log of a GitHub organisation: one array a month, the last days again as the stream delivers them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lineage_analytics.simulation.model import Account
from lineage_analytics.simulation.writers.files import Packed, as_json

if TYPE_CHECKING:
    from pathlib import Path

    from lineage_analytics.simulation.model import Deed, Happened, World

SOURCE = "github_audit"
_STREAMED = 5
"""Days before the last that the stream tells again."""


class Log:
    """Both files are written day by day."""

    def __init__(self, directory: Path, world: World) -> None:
        self._directory, self._world = directory, world
        self._last = max(world.midnights)
        self._month: tuple[str, Packed] | None = None
        self._stream: Packed | None = None

    def day(self, happened: Happened) -> None:
        for deed in happened.deeds.get(SOURCE, ()):
            row = as_json(_row(deed, self._world.cast["github"].organisation))
            self._write(f"{happened.day:%Y-%m}", row)
            if (self._last - happened.day).days < _STREAMED:
                self._stream = self._stream or Packed(self._directory / "stream" / "audit-log.ndjson.gz")
                self._stream.write(row + b"\n")

    def _write(self, month: str, row: bytes) -> None:
        if self._month is None or self._month[0] != month:
            self._close()
            self._month = month, Packed(self._directory / f"audit-log-{month}.json.gz")
            self._month[1].write(b"[" + row)
        else:
            self._month[1].write(b"," + row)

    def _close(self) -> None:
        if self._month is not None:
            self._month[1].write(b"]")
            self._month[1].close()

    def end(self) -> None:
        self._close()
        if self._stream is not None:
            self._stream.close()


def _row(deed: Deed, organisation: int) -> dict[str, Any]:
    who, details = deed.who, dict(deed.details)
    at = int(deed.time.timestamp()) * 1000 + int.from_bytes(deed.event_id[:2].encode(), "big") % 1000
    row: dict[str, Any] = {
        "@timestamp": at, "_document_id": deed.event_id, "action": deed.action, "created_at": at,
        "org": "northwind-synthetic", "org_id": organisation}
    if isinstance(who, Account):
        row |= _actor(who, details.pop("acted_for", None))
    repository = details.pop("repo", None)
    if repository is not None:
        row |= {"repo": repository.full_name, "repo_id": repository.number, "public_repo": False}
    user = details.pop("user", None)
    if user is not None:
        row |= {"user": user.name, "user_id": int(user.native_id)}
    return row | details


def _actor(who: Account, acted_for: Account | None) -> dict[str, Any]:
    if who.kind == "api_key":  # a push by deploy key names no account
        return {"actor": who.name}
    found: dict[str, Any] = {"actor": who.name, "actor_id": int(who.native_id), "actor_is_bot": who.kind != "human"}
    if who.kind == "ai_agent":
        found["actor_is_agent"] = True
        if acted_for is not None:
            found |= {"agent_session_id": f"session-{acted_for.native_id}", "user": acted_for.name,
                      "user_id": int(acted_for.native_id)}
    if who.kind == "human":
        found |= {"actor_ip": "203.0.113.71", "actor_location": {"country_code": "NL"}}
        if who.person is not None:
            found["external_identity_nameid"] = who.person.login
    return found
