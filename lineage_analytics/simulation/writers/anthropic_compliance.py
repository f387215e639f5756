"""The compliance activity feed: pages on lines, each beginning with what the one before ended with; the last days as a
search lists them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lineage_analytics.simulation.writers.files import Packed, as_json, put, zulu

if TYPE_CHECKING:
    from pathlib import Path

    from lineage_analytics.simulation.model import Account, Deed, Happened, World

SOURCE = "anthropic_compliance"
_PAGE, _OVERLAP, _FOUND = 100, 2, 60


class Log:
    def __init__(self, directory: Path, world: World) -> None:
        self._directory, self._world = directory, world
        self._pages: Packed | None = None
        self._page: list[dict[str, Any]] = []
        self._last: list[dict[str, Any]] = []

    def day(self, happened: Happened) -> None:
        for deed in happened.deeds.get(SOURCE, ()):
            record = _record(deed, self._world.cast["model_vendors"][0].organisation)
            self._page.append(record)
            self._last = [*self._last[-_FOUND + 1:], record]
            if len(self._page) == _PAGE:
                self._write(more=True)

    def _write(self, *, more: bool) -> None:
        self._pages = self._pages or Packed(self._directory / "activities.ndjson.gz")
        self._pages.write(as_json({"data": self._page, "has_more": more, "first_id": self._page[0]["id"],
                                   "last_id": self._page[-1]["id"]}) + b"\n")
        self._page = self._page[-_OVERLAP:]

    def end(self) -> None:
        if not self._page:
            return
        self._write(more=False)
        if self._pages is not None:
            self._pages.close()
        put(self._directory / "search" / "results.ndjson.gz", b"".join(
            as_json({"_index": "synthetic", "_source": record}) + b"\n" for record in self._last))


def _record(deed: Deed, organisation: str) -> dict[str, Any]:
    who: Account = deed.who  # type: ignore[assignment]
    return {"id": deed.event_id, "created_at": zulu(deed.time), "organization_id": organisation, "type": deed.action,
            "actor": _actor(who), **deed.details}


def _actor(who: Account) -> dict[str, Any]:
    if who.kind == "human":
        return {"type": "user_actor", "email_address": who.name, "user_id": who.native_id,
                "ip_address": "203.0.113.88", "user_agent": "Mozilla/5.0 (synthetic)"}
    if who.kind == "api_key":
        return {"type": "api_actor", "api_key_id": who.native_id, "ip_address": "198.51.100.20"}
    return {"type": f"{who.native_id}_actor"}
