"""Entra directory audits in two shapes: Graph pages of what PIM logged, diagnostic blobs of the core directory.

Pages overlap, and the last days of PIM stand in both, as where a tenant exports twice.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from lineage_analytics.simulation.writers.files import as_json, put

if TYPE_CHECKING:
    from pathlib import Path

    from lineage_analytics.simulation.model import Actor, EntraEvent, Happened, World

_PAGE = 500
_OVERLAP = 3
_TWICE = timedelta(days=3)
_CONTEXT = "https://graph.microsoft.com/v1.0/$metadata#auditLogs/directoryAudits"


class Log:
    """All of it at the end: few records, and pages run from the newest to the oldest."""

    def __init__(self, directory: Path, world: World) -> None:
        self._directory, self._world = directory, world
        self._events: list[EntraEvent] = []

    def day(self, happened: Happened) -> None:
        self._events += happened.entra

    def end(self) -> None:
        _pages(self._directory, [e for e in reversed(self._events) if e.service == "PIM"])
        months: dict[str, list[EntraEvent]] = defaultdict(list)
        for event in self._events:
            if event.service != "PIM" or event.time > self._events[-1].time - _TWICE:
                months[f"{event.time:%Y-%m}"].append(event)
        for month, found in months.items():
            put(self._directory / "insights-logs-auditlogs" / f"{month}.json.gz",
                b"".join(as_json(_envelope(self._world, e)) + b"\n" for e in found))


def _pages(directory: Path, events: list[EntraEvent]) -> None:
    for number, start in enumerate(range(0, len(events), _PAGE), 1):
        page: dict[str, Any] = {"@odata.context": _CONTEXT}
        if start + _PAGE < len(events):
            page["@odata.nextLink"] = f"https://graph.microsoft.com/v1.0/auditLogs/directoryAudits?$skiptoken={number}"
        page["value"] = [_record(e) for e in events[max(start - _OVERLAP, 0):start + _PAGE]]
        put(directory / f"directoryAudits-{number:02d}.json.gz", as_json(page))


def _envelope(world: World, event: EntraEvent) -> dict[str, Any]:
    record = _record(event)
    return {
        "time": record["activityDateTime"], "resourceId": f"/tenants/{world.tenant}/providers/Microsoft.aadiam",
        "operationName": event.activity, "operationVersion": "1.0", "category": "AuditLogs",
        "tenantId": world.tenant, "resultSignature": "None", "durationMs": 0,
        "correlationId": event.correlation_id, "Level": 4, "properties": record,
    }


def _record(event: EntraEvent) -> dict[str, Any]:
    return {
        "id": event.event_id, "category": event.category, "correlationId": event.correlation_id,
        "result": "success", "resultReason": event.reason, "activityDisplayName": event.activity,
        "activityDateTime": event.time.strftime("%Y-%m-%dT%H:%M:%S.0000000Z"),
        "loggedByService": event.service, "operationType": event.operation,
        "initiatedBy": _initiator(event.actor),
        "targetResources": [{"modifiedProperties": []} | target for target in event.targets],
        "additionalDetails": [{"key": key, "value": value} for key, value in event.details],
    }


def _initiator(actor: Actor) -> dict[str, Any]:
    if actor.person is not None:
        name = actor.person.name + (" (admin)" if actor.admin else "")
        login = actor.person.admin_login if actor.admin else actor.person.login
        return {"app": None, "user": {"id": actor.object_id, "displayName": name, "userPrincipalName": login,
                                      "ipAddress": "198.51.100.9", "roles": []}}
    if actor.agent is not None:
        return {"user": None, "app": {"appId": actor.agent.app_id, "displayName": actor.agent.name,
                                      "servicePrincipalId": actor.agent.object_id, "servicePrincipalName": None}}
    return {"user": None, "app": {"appId": None, "displayName": actor.service, "servicePrincipalId": None,
                                  "servicePrincipalName": None}}
