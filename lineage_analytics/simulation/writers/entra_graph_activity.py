"""Microsoft Graph activity: diagnostic blobs by month, the last week again as the table of Log Analytics."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lineage_analytics.simulation.model import Account, Agent, Person
from lineage_analytics.simulation.writers.entra_signins import stamp
from lineage_analytics.simulation.writers.files import Monthly, as_json, put

if TYPE_CHECKING:
    from pathlib import Path

    from lineage_analytics.simulation.model import Deed, Happened, World

SOURCE = "entra_graph_activity"
CATEGORY = "MicrosoftGraphActivityLogs"


class Log:
    """One file a month."""

    def __init__(self, directory: Path, world: World) -> None:
        self._directory, self._world = directory, world
        self._last = max(world.midnights)
        self._months = Monthly(directory, f"insights-logs-{CATEGORY.lower()}/{{month}}.json.gz", lines=True)
        self._table: list[bytes] = []

    def day(self, happened: Happened) -> None:
        for deed in happened.deeds.get(SOURCE, ()):
            self._months.write(deed.time, _envelope(self._world, deed))
            if (self._last - happened.day).days < 7:
                self._table.append(as_json(_row(self._world, deed)) + b"\n")

    def end(self) -> None:
        self._months.close()
        put(self._directory / f"{CATEGORY}.ndjson.gz", b"".join(self._table))


def _envelope(world: World, deed: Deed) -> dict[str, Any]:
    return {
        "time": stamp(deed.time), "resourceId": f"/TENANTS/{world.tenant.upper()}/PROVIDERS/MICROSOFT.AADIAM",
        "operationName": "Microsoft Graph Activity", "operationVersion": "v1.0", "category": CATEGORY,
        "resultSignature": str(deed.details["status"]), "durationMs": "84000", "callerIpAddress": deed.details["ip"],
        "correlationId": deed.details["correlation"], "level": "Informational", "location": "West Europe",
        "properties": {key[0].lower() + key[1:]: held for key, held in _said(world, deed).items()}}


def _row(world: World, deed: Deed) -> dict[str, Any]:
    return {"TimeGenerated": stamp(deed.time), "Type": CATEGORY, "AadTenantId": world.tenant, **_said(world, deed)}


def _said(world: World, deed: Deed) -> dict[str, Any]:
    """What the request says in either form."""
    who, details = deed.who, deed.details
    method, _, path = deed.action.partition(" ")
    person = who.object_id if isinstance(who, Person) else ""
    principal = who.object_id if isinstance(who, Agent) else who.native_id if isinstance(who, Account) else ""
    return {
        "RequestId": deed.event_id, "OperationId": details["correlation"], "ClientRequestId": deed.event_id,
        "ApiVersion": "v1.0", "RequestMethod": method, "ResponseStatusCode": details["status"],
        "AadTenantId": world.tenant, "AppId": details["app_id"], "UserId": person, "ServicePrincipalId": principal,
        "C_Idtyp": "user" if person else "app", "SignInActivityId": details["token"], "IPAddress": details["ip"],
        "RequestUri": f"https://graph.microsoft.com{path}", "UserAgent": "northwind-synthetic/1.0",
    }
