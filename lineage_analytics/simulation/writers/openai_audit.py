"""The audit log of an OpenAI organisation: pages of the API, the newest first; the oldest of them with dots in the
names of details; some records again on lines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lineage_analytics.simulation.writers.files import as_json, put

if TYPE_CHECKING:
    from pathlib import Path

    from lineage_analytics.simulation.model import Account, Deed, Happened, World

SOURCE = "openai_audit"
_PAGE, _OVERLAP, _AGAIN = 100, 2, 25


class Log:
    """All of it at the end: few records, and pages run from the newest to the oldest."""

    def __init__(self, directory: Path, _world: World) -> None:
        self._directory = directory
        self._deeds: list[Deed] = []

    def day(self, happened: Happened) -> None:
        self._deeds += happened.deeds.get(SOURCE, ())

    def end(self) -> None:
        newest = self._deeds[::-1]
        for number, start in enumerate(range(0, len(newest), _PAGE), 1):
            last = start + _PAGE >= len(newest)
            found = [_record(deed, dotted=last) for deed in newest[max(start - _OVERLAP, 0): start + _PAGE]]
            put(self._directory / f"audit-logs-{number:02d}.json.gz", as_json(
                {"object": "list", "data": found, "first_id": found[0]["id"], "last_id": found[-1]["id"],
                 "has_more": not last}))
        if newest:
            put(self._directory / "collected" / "audit-logs.ndjson.gz", b"".join(
                as_json(_record(deed)) + b"\n" for deed in newest[:_AGAIN]))


def _record(deed: Deed, *, dotted: bool = False) -> dict[str, Any]:
    details = dict(deed.details)
    project = details.pop("project", None)
    about = details.pop("detail", None) or details
    found: dict[str, Any] = {
        "id": deed.event_id, "object": "organization.audit_log", "type": deed.action,
        "effective_at": int(deed.time.timestamp()), "actor": _actor(deed.who)}  # type: ignore[arg-type]
    if project is not None:
        found["project"] = {"id": project, "name": "synthetic"}
    if about:
        found[deed.action if dotted else deed.action.replace(".", "_")] = about
    return found


def _actor(who: Account) -> dict[str, Any]:
    if who.kind == "human":
        return {"type": "session", "session": {"user": {"id": who.native_id, "email": who.name},
                                               "ip_address": "203.0.113.91", "user_agent": "Mozilla/5.0 (synthetic)"}}
    if who.kind == "service_account":
        return {"type": "api_key", "api_key": {"id": "key_synthetic_batch", "type": "service_account",
                                               "service_account": {"id": who.native_id}}}
    return {"type": "api_key", "api_key": {"id": who.native_id}}
